#include <stdint.h>

#include "expr/expr_internal.h"
#include "expr/regexp.h"

void weir__x_push(x_machine *m, x value) {
    if (m->top == m->capacity) {
        size_t capacity = m->capacity * 2;
        bool is_inline = m->stack == m->inline_stack;
        x *stack = weir_realloc(is_inline ? NULL : m->stack, capacity * sizeof *stack);
        if (is_inline) memcpy(stack, m->inline_stack, sizeof m->inline_stack);
        m->stack = stack;
        m->capacity = capacity;
    }
    m->stack[m->top++] = value;
}

bool weir__x_make_list(x_machine *m, size_t count) {
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    m->top -= count;
    memcpy(items, m->stack + m->top, count * sizeof *items);
    weir__x_push(m, weir__x_list(items, count, X_OF_ANY));
    return true;
}

static bool load(x_machine *m, weir_str name, bool may_miss) {
    const weir_expr_world *w = m->world;
    const weir_value *value = NULL;
    if (w && w->env)
        value = weir_member(w->env, name);
    else if (w && w->lookup)
        value = w->lookup(w->lookup_arg, name);
    if (!value && !may_miss)
        return weir__x_fail(m, WEIR_NOT_FOUND, "nothing is named `%.*s`", WEIR_ARG(name));
    weir__x_push(m, weir__x_from(value, w && w->floats ? X_FLOATS : 0));
    return true;
}

static bool want_bool(x_machine *m, const x *v) {
    return v->kind == X_BOOL ||
           weir__x_fail(m, WEIR_INVALID, "true or false is wanted, not a value of type %s",
                        weir__x_go_type(v));
}

static bool order(x_machine *m, x_code code) {
    const x *a = &m->stack[m->top - 2], *b = &m->stack[m->top - 1];
    int n;
    bool ordered, out;
    const char *op = code == X_LESS_CODE       ? "<"
                     : code == X_GREATER_CODE  ? ">"
                     : code == X_AT_LEAST_CODE ? ">="
                                               : "<=";
    if (!weir__x_compare(m, op, a, b, &n, &ordered)) return false;
    out = ordered && (code == X_LESS_CODE       ? n < 0
                      : code == X_GREATER_CODE  ? n > 0
                      : code == X_AT_LEAST_CODE ? n >= 0
                                                : n <= 0);
    m->stack[--m->top - 1] = x_bool(out);
    return true;
}

static bool in_text(x_machine *m, x_code code) {
    const x *a = &m->stack[m->top - 2], *b = &m->stack[m->top - 1];
    bool out = false;
    if (!x_is_nil(a) && !x_is_nil(b)) {
        if (a->kind != X_STRING || b->kind != X_STRING)
            return weir__x_fail(m, WEIR_INVALID,
                                "two texts are wanted, not values of types %s and %s",
                                weir__x_go_type(a), weir__x_go_type(b));
        weir_str text = x_text(a), part = x_text(b);
        if (code == X_CONTAINS_CODE) {
            if (!weir__x_spend(m, text.length / 16)) return false;
            out = weir_str_find(text, part, 0) != SIZE_MAX;
        } else if (code == X_STARTS_CODE) {
            out = weir_str_starts(text, part);
        } else {
            out = weir_str_ends(text, part);
        }
    }
    m->stack[--m->top - 1] = x_bool(out);
    return true;
}

/* The text is at the top; `pattern` NULL: its pattern is above it. */
static bool match(x_machine *m, const weir__regexp *pattern) {
    x other = x_nil();
    if (!pattern) other = m->stack[--m->top];
    x *text = &m->stack[m->top - 1];
    if (x_is_nil(text) || (!pattern && x_is_nil(&other))) {
        *text = x_bool(false);
        return true;
    }
    if (text->kind != X_STRING || (!pattern && other.kind != X_STRING))
        return weir__x_fail(m, WEIR_INVALID,
                            "a pattern is applied to a text, not to a value of type %s",
                            weir__x_go_type(text));
    if (!pattern) pattern = weir__x_pattern(m, x_text(&other));
    if (!pattern || !weir__x_spend(m, weir__regexp_cost(pattern, text->length))) return false;
    *text = x_bool(weir__regexp_find(pattern, x_text(text), 0, NULL));
    return true;
}

static bool range(x_machine *m) {
    x *a = &m->stack[m->top - 2];
    const x *b = &m->stack[m->top - 1];
    if (!x_is_number(a) || !x_is_number(b))
        return weir__x_fail(m, WEIR_INVALID,
                            "a range begins and ends at integers, not at values of types %s and %s",
                            weir__x_go_type(a), weir__x_go_type(b));
    int64_t low = a->kind == X_INT ? a->integer : weir__x_truncate(a->number);
    int64_t high = b->kind == X_INT ? b->integer : weir__x_truncate(b->number);
    uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    if ((int64_t)count < 0)
        count = 0; /* as in the original, also when it is too large for 64 bits */
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    for (uint64_t i = 0; i < count; i++) items[i] = x_int(low + (int64_t)i);
    m->top--;
    *a = weir__x_list(items, count, X_OF_INT);
    return weir__x_spend(m, count / 4);
}

static bool negate(x_machine *m, x *v) {
    if (v->kind == X_INT)
        v->integer = (int64_t)(0 - (uint64_t)v->integer);
    else if (v->kind == X_FLOAT)
        v->number = -v->number;
    else
        return weir__x_fail(m, WEIR_INVALID, "`-` cannot be applied to a value of type %s",
                            weir__x_go_type(v));
    return true;
}

static bool call_value(x_machine *m, int n) {
    x callee = m->stack[--m->top], out;
    const x *a = &m->stack[m->top - (size_t)n];
    if (callee.kind == X_NIL) return weir__x_fail(m, WEIR_INVALID, "what is called here is nil");
    if (callee.kind == X_FUNCTION) {
        if (!weir__x_run_function(m, callee.function, a, n, &out)) return false;
    } else if (callee.kind == X_METHOD) {
        x all[8] = {callee.method->self};
        if (n > 6)
            return weir__x_fail(m, WEIR_INVALID, "%s: too many arguments",
                                callee.method->function->name);
        for (int i = 0; i < n; i++) all[i + 1] = a[i];
        if (!weir__x_fits(m, callee.method->function, all + 1, n) ||
            !callee.method->function->call(m, all, n + 1, &out))
            return false;
    } else {
        return weir__x_fail(m, WEIR_INVALID, "a value of type %s cannot be called",
                            weir__x_go_type(&callee));
    }
    m->top -= (size_t)n;
    weir__x_push(m, out);
    return !m->failed;
}

static bool call_function(x_machine *m, const x_function *f, int n) {
    x out;
    if (!weir__x_run_function(m, f, &m->stack[m->top - (size_t)n], n, &out) || m->failed)
        return false;
    m->top -= (size_t)n;
    weir__x_push(m, out);
    return true;
}

/* The first of two equal keys counts, as the original fills the map from its end. */
static bool make_map(x_machine *m, size_t count) {
    if (!weir__x_items_room(m, count)) return false;
    x map = weir__x_map_new(m, X_OF_ANY), found;
    const x *pairs = m->stack + m->top - 2 * count;
    for (size_t i = 0; i < count; i++) {
        if (pairs[2 * i].kind != X_STRING)
            return weir__x_fail(m, WEIR_INVALID,
                                "the key of a map is a text, not a value of type %s",
                                weir__x_go_type(&pairs[2 * i]));
        if (!weir__x_get(&map, &pairs[2 * i], &found))
            weir__x_put(m, &map, pairs[2 * i], pairs[2 * i + 1]);
    }
    m->top -= 2 * count;
    weir__x_push(m, map);
    return true;
}

static bool in_texts(x_machine *m) {
    x *needle = &m->stack[m->top - 2];
    if (needle->kind == X_NIL) *needle = x_str(WEIR_STR(""));
    if (needle->kind != X_STRING)
        return weir__x_fail(m, WEIR_INVALID,
                            "a text is looked for among texts, not a value of type %s",
                            weir__x_go_type(needle));
    return true;
}

static bool step_pair(x_machine *m, const x_step *step) {
    x *a = &m->stack[m->top - 2], out;
    const x *b = &m->stack[m->top - 1];
    bool found;
    switch ((x_code)step->code) {
    case X_IN_TEXTS_CODE:
        if (!in_texts(m)) return false;
        /* fallthrough */
    case X_IN_CODE:
        if (!weir__x_in(m, a, b, &found)) return false;
        out = x_bool(found);
        break;
    case X_FETCH_CODE:
        if (!weir__x_fetch(m, a, b, false, &out)) return false;
        break;
    default:
        if (!weir__x_operate(m, (char)step->argument, a, b, &out)) return false;
        break;
    }
    *a = out;
    m->top--;
    return true;
}

static bool step_rare(x_machine *m, const x_step *step, uint32_t *at) {
    const weir_expr *p = m->program;
    x out;
    switch ((x_code)step->code) {
    case X_ENVIRONMENT_CODE:
        if (!m->world || !m->world->env)
            return weir__x_fail(m, WEIR_UNSUPPORTED, "`$env` is not there");
        weir__x_push(m, weir__x_from(m->world->env, m->world->floats ? X_FLOATS : 0));
        return true;
    case X_SPRIG_CODE: weir__x_push(m, (x){.kind = X_SPRIG}); return true;
    case X_NEGATE_CODE: return negate(m, &m->stack[m->top - 1]);
    case X_MATCHES_CODE: return match(m, NULL);
    case X_MATCHES_PATTERN_CODE: return match(m, p->patterns.items[step->argument]);
    case X_CONTAINS_CODE:
    case X_STARTS_CODE:
    case X_ENDS_CODE: return in_text(m, (x_code)step->code);
    case X_RANGE_CODE: return range(m);
    case X_SLICE_CODE:
        if (!weir__x_slice(m, &m->stack[m->top - 3], &m->stack[m->top - 2], &m->stack[m->top - 1],
                           &out))
            return false;
        m->top -= 2;
        m->stack[m->top - 1] = out;
        return true;
    case X_CALL_CODE: return call_value(m, step->n);
    case X_CALL_FUNCTION_CODE: return call_function(m, p->functions.items[step->argument], step->n);
    case X_LIST_CODE: return weir__x_make_list(m, step->argument);
    case X_MAP_CODE: return make_map(m, step->argument);
    case X_IN_CODE:
    case X_IN_TEXTS_CODE:
    case X_FETCH_CODE:
    case X_OPERATE_CODE: return step_pair(m, step);
    default: return weir__x_step_loop(m, step, at);
    }
}

/* One step; the frequent ones here. */
static bool run_step(x_machine *m, const x_step *step, uint32_t *at) {
    const weir_expr *p = m->program;
    x *top = &m->stack[m->top - (m->top > 0)], out;
    switch ((x_code)step->code) {
    case X_CONSTANT_CODE: weir__x_push(m, p->constants.items[step->argument]); return true;
    case X_LOAD_CODE: return load(m, x_text(&p->constants.items[step->argument]), step->n);
    case X_VARIABLE_CODE: weir__x_push(m, m->variables[step->argument]); return true;
    case X_STORE_CODE: m->variables[step->argument] = m->stack[--m->top]; return true;
    case X_MEMBER_CODE:
        if (!weir__x_fetch(m, top, &p->constants.items[step->argument], false, &out)) return false;
        *top = out;
        return true;
    case X_NOT_CODE:
        if (!want_bool(m, top)) return false;
        top->boolean = !top->boolean;
        return true;
    case X_EQUAL_CODE:
    case X_DIFFERENT_CODE:
        top[-1] = x_bool(weir__x_equal(m, top - 1, top) == (step->code == X_EQUAL_CODE));
        m->top--;
        return !m->failed;
    case X_LESS_CODE:
    case X_GREATER_CODE:
    case X_AT_LEAST_CODE:
    case X_AT_MOST_CODE: return order(m, (x_code)step->code);
    case X_JUMP_CODE: *at = step->argument; return true;
    case X_BACK_CODE: *at = step->argument; return weir__x_room(m, 0);
    case X_IF_TRUE_CODE:
    case X_IF_FALSE_CODE:
        if (!want_bool(m, top)) return false;
        if (top->boolean == (step->code == X_IF_TRUE_CODE)) *at = step->argument;
        return true;
    case X_IF_NIL_CODE:
    case X_IF_NOT_NIL_CODE:
        if (x_is_nil(top) == (step->code == X_IF_NIL_CODE)) *at = step->argument;
        return true;
    case X_POP_CODE: m->top--; return true;
    case X_POP_BELOW_CODE:
        top[-(ptrdiff_t)step->argument] = *top;
        m->top -= step->argument;
        return true;
    default: return step_rare(m, step, at);
    }
}

bool weir__x_run(x_machine *m, x *out) {
    const weir_expr *p = m->program;
    for (uint32_t at = 0; at < p->steps.count;) {
        const x_step *step = &p->steps.items[at++];
        if (++m->steps > WEIR_EXPR_STEPS_MAX) weir__x_spend(m, 0);
        if (m->failed || !run_step(m, step, &at)) {
            weir__x_place(p->text, step->at, m->error);
            return false;
        }
    }
    weir_assert(m->top == 1);
    *out = m->stack[0];
    return true;
}
