/* What an attempt wants of the machine, as files say it. Pure; any thread. */
#ifndef WEIR_TASK_RESOURCES_H
#define WEIR_TASK_RESOURCES_H

#include "task/task.h"

/* Reads one member: "memory" (bytes, or a size as "512M" or "1Gi") or "cpu" (processors: 2, 0.5, "500m"). INVALID. */
WEIR_CHECKED bool weir_resources_read_member(weir_str name, const weir_value *value,
                                             weir_resources *out, weir_error *error);
/* Reads {memory, cpu}, each optional; `*member` is the one that is wrong, "" when it is the whole. */
WEIR_CHECKED bool weir_resources_read(const weir_value *value, weir_resources *out,
                                      weir_str *member, weir_error *error);
/* The form that is read, without what is not said; new reference. */
weir_value *weir_resources_to_value(const weir_resources *resources);

#endif
