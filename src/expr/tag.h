/* Tags: `{{name}}` in a text stands for the text of something, `{{=expression}}` for what an expression gives. Pure; any thread. */
#ifndef WEIR_EXPR_TAG_H
#define WEIR_EXPR_TAG_H

#include "expr/expr.h"

/* Appends what the name (trimmed) stands for and returns true, or returns false when nothing has that name. */
typedef bool weir_tag_lookup(void *arg, weir_str name, weir_buffer *out);

/* What the tags of a text may refer to. */
typedef struct weir_tag_scope {
    weir_tag_lookup *lookup; /* of simple tags */
    void *arg;
    /* Of expressions: what they see, and what is known when they are compiled. An expression gives its text as it is, anything else as
     * JSON; nil is an error, as in Argo. Both NULL: the lookup gets expressions, with their `=`. */
    const weir_expr_options *options;
    const weir_expr_world *world;
    /* Whether a tag that nothing stands for may stay as it is, since its names come later; NULL: none may. `name` is a simple tag's, or
     * the name of an expression that it refers to. An expression stays when one of its names may. */
    bool (*late)(void *arg, weir_str name);
    void *late_arg;
    /* The text is JSON, and tags stand in its strings: what is put there is escaped, and expressions are unescaped first. */
    bool json;
} weir_tag_scope;

/* Appends `text` to `out` with each tag replaced. An unknown name, a tag without end, or an expression that is wrong, is an error that
 * names it, and leaves `out` as it was. Text put in place of a tag is not searched again. */
WEIR_CHECKED bool weir_tag_fill(weir_str text, const weir_tag_scope *scope, weir_buffer *out,
                                weir_error *error);
/* Fills every string of the value, keys too; gives a new value. */
WEIR_CHECKED bool weir_tag_fill_value(weir_value *value, const weir_tag_scope *scope,
                                      weir_value **out, weir_error *error);

/* The same with simple tags only; the lookup gets an expression with its `=`. */
WEIR_CHECKED bool weir_tag_render(weir_str text, weir_tag_lookup *lookup, void *arg,
                                  weir_buffer *out, weir_error *error);
WEIR_CHECKED bool weir_tag_render_value(weir_value *value, weir_tag_lookup *lookup, void *arg,
                                        weir_value **out, weir_error *error);

/* Calls back with each tag's trimmed name, in order, an expression with its `=`; stops when the callback returns false. */
void weir_tag_each(weir_str text, bool (*visit)(void *arg, weir_str name), void *arg);

#endif
