/* Tags: `{{name}}` in a text stands for the text of something. Pure; any thread. */
#ifndef WEIR_EXPR_TAG_H
#define WEIR_EXPR_TAG_H

#include "data/value.h"

/* Appends what the name (trimmed) stands for and returns true, or returns false when nothing has that name. */
typedef bool weir_tag_lookup(void *arg, weir_str name, weir_buffer *out);

/* Appends `text` to `out` with each tag replaced. `{{=…}}` is an expression: not supported here, an error. An unknown
 * name, or a tag without end, is an error that names it. Text put in place of a tag is not searched again. */
WEIR_CHECKED bool weir_tag_render(weir_str text, weir_tag_lookup *lookup, void *arg,
                                  weir_buffer *out, weir_error *error);

/* Renders every string of the value, keys too; gives a new value. */
WEIR_CHECKED bool weir_tag_render_value(weir_value *value, weir_tag_lookup *lookup, void *arg,
                                        weir_value **out, weir_error *error);

/* Calls back with each tag's trimmed name, in order; stops when the callback returns false. */
void weir_tag_each(weir_str text, bool (*visit)(void *arg, weir_str name), void *arg);

#endif
