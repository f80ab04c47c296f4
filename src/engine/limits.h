/* What all runs of an engine may take together, and what the host has of it at the moment. The loop's thread. */
#ifndef WEIR_ENGINE_LIMITS_H
#define WEIR_ENGINE_LIMITS_H

#include "engine/machine.h"

/* Of a new engine; behind its loop. */
void weir__limits_open(weir_engine *engine);
void weir__limits_close(weir_engine *engine);
/* For the machine of a run. */
weir_task_limits weir__limits_of(weir_run *run);
/* After a run was pumped: others go on that waited for what it gave back, and as long as tasks lack memory the host is asked again. */
void weir__limits_look(weir_engine *engine);

#endif
