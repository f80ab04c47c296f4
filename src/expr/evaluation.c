/* What belongs to an evaluation: its error, its memory, its limits. */
#include <stdint.h>
#include <stdio.h>

#include "data/json.h"
#include "expr/expr_internal.h"
#include "expr/regexp.h"

#undef weir__x_fail /* for analyzers it is a macro */
bool weir__x_fail(x_machine *m, weir_code code, const char *format, ...) {
    if (!m->failed) {
        va_list arguments;
        va_start(arguments, format);
        weir_fail_with(m->error, code, format, arguments);
        va_end(arguments);
        m->failed = true;
    }
    return false;
}

void *weir__x_alloc(x_machine *m, size_t size) {
    m->bytes += size;
    return weir_arena_alloc(&m->arena, size);
}

bool weir__x_room(x_machine *m, size_t bytes) {
    if (bytes < WEIR_EXPR_MEMORY_MAX && m->bytes + bytes < WEIR_EXPR_MEMORY_MAX) return true;
    return weir__x_fail(m, WEIR_LIMIT, "the expression takes more than %d MiB of memory",
                        WEIR_EXPR_MEMORY_MAX / 1024 / 1024);
}

bool weir__x_items_room(x_machine *m, size_t items) {
    m->items += items < WEIR_EXPR_ITEMS_MAX ? items : WEIR_EXPR_ITEMS_MAX;
    if (m->items < WEIR_EXPR_ITEMS_MAX) return weir__x_room(m, items * sizeof(x));
    return weir__x_fail(m, WEIR_LIMIT, "the expression makes lists of %d items and more",
                        WEIR_EXPR_ITEMS_MAX);
}

bool weir__x_spend(x_machine *m, size_t steps) {
    m->steps += steps;
    if (m->steps <= WEIR_EXPR_STEPS_MAX) return true;
    return weir__x_fail(m, WEIR_LIMIT, "the expression takes more than %d steps",
                        WEIR_EXPR_STEPS_MAX);
}

x weir__x_string(x_machine *m, weir_str text) {
    char *copy = weir__x_alloc(m, text.length + 1);
    if (text.length) memcpy(copy, text.data, text.length);
    return x_str((weir_str){copy, text.length});
}

x weir__x_take(x_machine *m, weir_buffer *buffer) {
    x out = weir__x_string(m, weir_buffer_str(buffer));
    weir_buffer_clear(buffer);
    return out;
}

const weir__regexp *weir__x_pattern(x_machine *m, weir_str expression) {
    char why[160];
    weir__regexp *pattern = weir__regexp_new(expression, why);
    if (!pattern) {
        weir__x_fail(m, WEIR_INVALID, "the pattern is wrong: %s", why);
        return NULL;
    }
    *weir_vector_push(&m->patterns) = pattern;
    m->bytes += weir__regexp_cost(pattern, 0) * 256;
    return pattern;
}

bool weir__x_parse_json(x_machine *m, weir_str text, x *out) {
    weir_value *value;
    weir_error error = {0};
    if (!weir__x_room(m, text.length * 8)) return false;
    if (!weir_json_parse(text, WEIR_STR(""), &value, &error))
        return weir__x_fail(m, WEIR_INVALID, "this is no JSON: %s", error.message);
    m->bytes += text.length * 8;
    *weir_vector_push(&m->owned) = value;
    *out = weir__x_from(value, X_FLOATS);
    return true;
}
