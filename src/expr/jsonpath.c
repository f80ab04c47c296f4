/* Paths of `jsonpath(text, path)`: `$.a.b`, `$['a']`, `$[0]`, `$[-1]`, `$[1:3]`, `$.*`, `$..a`, `$['a', 'b']`, `$[?(@.a > 1)]`. A path that
 * can only give one value gives it, or fails; any other gives an array. */
#include <stdint.h>

#include "expr/expr_internal.h"
#include "expr/text.h"

enum { NODES_MAX = 100 * 1000, NESTED_MAX = WEIR_DEPTH_MAX };

typedef struct nodes {
    WEIR_VECTOR(x) items;
} nodes;

typedef struct walker {
    x_machine *m;
    weir_str path;
    size_t at;
    bool many;
    nodes now, later;
} walker;

static bool fail(walker *w, const char *problem) {
    return weir__x_fail(w->m, WEIR_INVALID, "jsonpath: %s, at byte %zu of `%.*s`", problem, w->at,
                        WEIR_ARG(w->path));
}

static bool accept(walker *w, const char *text) {
    weir_str wanted = weir_str_from(text);
    if (!weir_str_starts(weir_str_slice(w->path, w->at, w->path.length), wanted)) return false;
    w->at += wanted.length;
    return true;
}

static char peek(const walker *w) {
    return w->at < w->path.length ? w->path.data[w->at] : '\0';
}

static bool give(walker *w, x value) {
    if (w->later.items.count >= NODES_MAX)
        return weir__x_fail(w->m, WEIR_LIMIT, "jsonpath: more than %d values", NODES_MAX);
    *weir_vector_push(&w->later.items) = value;
    return weir__x_spend(w->m, 1);
}

static bool give_member(walker *w, const x *from, weir_str name) {
    x key = x_str(name), value;
    if (from->kind == X_MAP && weir__x_get(from, &key, &value)) return give(w, value);
    if (weir_str_is(name, "length") && (from->kind == X_LIST || from->kind == X_MAP))
        return give(w, x_float((double)weir__x_count(from)));
    return w->many ||
           weir__x_fail(w->m, WEIR_NOT_FOUND, "jsonpath: there is no `%.*s`", WEIR_ARG(name));
}

static bool give_item(walker *w, const x *from, int64_t index) {
    int64_t count = from->kind == X_LIST ? from->length : 0;
    if (index < 0) index += count;
    if (index >= 0 && index < count) return give(w, weir__x_at(from, (size_t)index));
    return w->many || weir__x_fail(w->m, WEIR_NOT_FOUND, "jsonpath: there is no such item");
}

/* An item, or the value of a member in the order of the keys; `places` of weir__x_sorted, of maps. */
static x part_of(const x *from, const uint32_t *places, size_t i) {
    return from->kind == X_LIST || !places ? weir__x_at(from, i)
                                           : weir__x_entry(from, places[i]).value;
}

static bool give_all(walker *w, const x *from) {
    if (from->kind != X_LIST && from->kind != X_MAP) return true;
    const uint32_t *places = from->kind == X_MAP ? weir__x_sorted(w->m, from) : NULL;
    for (size_t i = 0; i < weir__x_count(from); i++)
        if (!give(w, part_of(from, places, i))) return false;
    return true;
}

static bool give_slice(walker *w, const x *from, const int64_t *bounds, const bool *has) {
    int64_t count = from->kind == X_LIST ? from->length : 0, step = has[2] ? bounds[2] : 1;
    if (step == 0) return fail(w, "a step of 0");
    int64_t begin = has[0]     ? bounds[0]
                    : step > 0 ? 0
                               : count - 1,
            end = has[1]     ? bounds[1]
                  : step > 0 ? count
                             : -count - 1;
    if (begin < 0) begin += count;
    if (end < 0) end += count;
    if (begin < 0) begin = step > 0 ? 0 : -1;
    if (begin > count) begin = step > 0 ? count : count - 1;
    if (step > count) step = count + 1;
    if (step < -count) step = -count - 1;
    for (int64_t i = begin; (step > 0 ? i < end : i > end) && i >= 0 && i < count; i += step)
        if (!give(w, weir__x_at(from, (size_t)i))) return false;
    return true;
}

static bool give_tree(walker *w, const x *from, int depth) {
    if (depth > NESTED_MAX) return fail(w, "nested too deep");
    if (!give(w, *from)) return false;
    if (from->kind != X_LIST && from->kind != X_MAP) return true;
    const uint32_t *places = from->kind == X_MAP ? weir__x_sorted(w->m, from) : NULL;
    for (size_t i = 0; i < weir__x_count(from); i++) {
        x part = part_of(from, places, i);
        if (!give_tree(w, &part, depth + 1)) return false;
    }
    return true;
}

/* What was given becomes what is walked on from. */
static void turn(walker *w) {
    nodes swap = w->now;
    w->now = w->later;
    w->later = swap;
    w->later.items.count = 0;
}

typedef struct selector {
    bool is_name, is_slice;
    weir_str name;
    int64_t bounds[3];
    bool has[3];
} selector;

static bool parse_number(walker *w, int64_t *out) {
    size_t from = w->at;
    if (peek(w) == '-') w->at++;
    while (peek(w) >= '0' && peek(w) <= '9') w->at++;
    if (weir__x_parse_int(weir_str_slice(w->path, from, w->at), out)) return true;
    w->at = from;
    return false;
}

static void skip_blanks(walker *w) {
    while (peek(w) == ' ') w->at++;
}

static bool parse_selector(walker *w, selector *s) {
    *s = (selector){0};
    skip_blanks(w);
    char quote = peek(w);
    if (quote == '\'' || quote == '"') {
        size_t from = ++w->at;
        while (w->at < w->path.length && peek(w) != quote) w->at++;
        s->is_name = true;
        s->name = weir_str_slice(w->path, from, w->at++);
    } else {
        for (int i = 0; i < 3; i++) {
            s->has[i] = parse_number(w, &s->bounds[i]);
            skip_blanks(w);
            if (i == 2 || !accept(w, ":")) break;
            s->is_slice = true;
        }
        if (!s->is_slice && !s->has[0])
            return fail(w, "a name in quotes, a number or a slice is wanted");
    }
    skip_blanks(w);
    return true;
}

static bool apply(walker *w, const selector *s) {
    for (size_t i = 0; i < w->now.items.count; i++) {
        const x *from = &w->now.items.items[i];
        bool ok = s->is_name    ? give_member(w, from, s->name)
                  : s->is_slice ? give_slice(w, from, s->bounds, s->has)
                                : give_item(w, from, s->bounds[0]);
        if (!ok) return false;
    }
    return true;
}

static bool apply_all(walker *w) {
    w->many = true;
    for (size_t i = 0; i < w->now.items.count; i++)
        if (!give_all(w, &w->now.items.items[i])) return false;
    turn(w);
    return true;
}

/* --- filters are expressions, in which @ is the item */

static bool keeps(walker *w, const weir_expr *filter, const x *item) {
    weir_value *value = weir__x_to(w->m, item), *env = weir_object_new(), *result;
    if (!value) {
        weir_value_unref(env);
        return false;
    }
    weir_member_put(env, "item", value);
    weir_expr_world world = {.env = env, .floats = true};
    weir_error ignored;
    result = weir_expr_eval(filter, &world, &ignored);
    bool keep = result && !weir_is(result, WEIR_NULL) &&
                (!weir_is(result, WEIR_BOOL) || weir_bool_get(result));
    weir_value_unref(result);
    weir_value_unref(env);
    return keep;
}

static bool filter_items(walker *w, const weir_expr *filter) {
    for (size_t i = 0; i < w->now.items.count; i++) {
        x from = w->now.items.items[i];
        if (from.kind != X_LIST && from.kind != X_MAP) continue;
        for (size_t k = 0; k < weir__x_count(&from); k++) {
            x item = from.kind == X_LIST ? weir__x_at(&from, k) : weir__x_entry(&from, k).value;
            if (!weir__x_spend(w->m, 100)) return false;
            if (keeps(w, filter, &item) && !give(w, item)) return false;
            if (w->m->failed) return false;
        }
    }
    turn(w);
    return true;
}

/* Behind `[?(`; up to `)]`. */
static bool apply_filter(walker *w) {
    size_t end = weir_str_find(w->path, WEIR_STR(")]"), w->at);
    if (end == SIZE_MAX) return fail(w, "the filter has no end");
    weir_buffer text = {0};
    char quote = '\0';
    for (; w->at < end; w->at++) {
        char c = peek(w);
        if (quote ? c == quote : c == '\'' || c == '"') quote = quote ? '\0' : c;
        if (c == '@' && !quote)
            weir_buffer_text(&text, "item");
        else
            weir_buffer_byte(&text, c);
    }
    w->at = end + 2;
    w->many = true;
    weir_error error = {0};
    weir_expr *filter =
        weir_expr_compile(weir_buffer_str(&text), &(weir_expr_options){.bare = true}, &error);
    weir_buffer_deinit(&text);
    if (!filter) return fail(w, error.message);
    bool ok = filter_items(w, filter);
    weir_expr_free(filter);
    return ok;
}

static bool step_bracket(walker *w) {
    if (accept(w, "*]")) return apply_all(w);
    if (accept(w, "?(")) return apply_filter(w);
    selector s;
    size_t begin = w->at;
    do { /* several give several values */
        if (!parse_selector(w, &s)) return false;
        w->many = w->many || s.is_slice || peek(w) == ',';
    } while (accept(w, ","));
    if (!accept(w, "]")) return fail(w, "`]` is missing");
    size_t behind = w->at;
    w->at = begin;
    do {
        if (!parse_selector(w, &s) || !apply(w, &s)) return false;
    } while (accept(w, ","));
    w->at = behind;
    turn(w);
    return true;
}

static bool step_name(walker *w) {
    size_t from = w->at;
    if (accept(w, "*")) return apply_all(w);
    while (w->at < w->path.length && peek(w) != '.' && peek(w) != '[') w->at++;
    if (w->at == from) return fail(w, "a name is missing");
    selector s = {.is_name = true, .name = weir_str_slice(w->path, from, w->at)};
    if (!apply(w, &s)) return false;
    turn(w);
    return true;
}

static bool step(walker *w) {
    if (accept(w, "..")) {
        w->many = true;
        for (size_t i = 0; i < w->now.items.count; i++) {
            x from = w->now.items.items[i];
            if (!give_tree(w, &from, 0)) return false;
        }
        turn(w);
        return accept(w, "[") ? step_bracket(w) : step_name(w);
    }
    if (accept(w, ".")) return step_name(w);
    if (accept(w, "[")) return step_bracket(w);
    return fail(w, "`.` or `[` is wanted");
}

bool weir__x_jsonpath(x_machine *m, const x *value, weir_str path, x *out) {
    walker w = {.m = m, .path = path};
    if (!accept(&w, "$") && !accept(&w, "@")) return fail(&w, "a path begins with `$`");
    *weir_vector_push(&w.now.items) = *value;
    bool ok = true;
    while (ok && w.at < path.length) ok = step(&w);
    if (ok && w.many) {
        x *items = weir__x_list_new(m, w.now.items.count);
        if (w.now.items.count) memcpy(items, w.now.items.items, w.now.items.count * sizeof *items);
        *out = weir__x_list(items, w.now.items.count, X_OF_ANY);
    } else if (ok) {
        *out = w.now.items.items[0];
    }
    weir_vector_deinit(&w.now.items);
    weir_vector_deinit(&w.later.items);
    return ok;
}
