#include "expr/expr_internal.h"
#include "expr/regexp.h"

weir_expr *weir_expr_compile(weir_str text, const weir_expr_options *options, weir_error *error) {
    static const weir_expr_options none = {0};
    if (!options) options = &none;
    weir_expr *out = weir_alloc(sizeof *out);
    weir_arena_init(&out->arena);
    out->text = (weir_str){weir_str_copy(&out->arena, text), text.length};
    out->tree = weir__x_parse(&out->arena, out->text, options->bare, error);
    if (out->tree && weir__x_check(&out->arena, out->text, out->tree, options, error) &&
        weir__x_compile(out, options, error))
        return out;
    weir_expr_free(out);
    return NULL;
}

void weir_expr_free(weir_expr *expr) {
    if (!expr) return;
    for (size_t i = 0; i < expr->patterns.count; i++) weir__regexp_free(expr->patterns.items[i]);
    weir_vector_deinit(&expr->patterns);
    weir_vector_deinit(&expr->steps);
    weir_vector_deinit(&expr->constants);
    weir_vector_deinit(&expr->functions);
    weir_arena_deinit(&expr->arena);
    weir_free(expr);
}

static void machine_init(x_machine *m, const weir_expr *expr, const weir_expr_world *world,
                         weir_error *error) {
    *m = (x_machine){
        .program = expr, .world = world, .error = error, .random = world ? world->seed : 0};
    weir_arena_init(&m->arena);
    m->stack = m->inline_stack;
    m->capacity = sizeof m->inline_stack / sizeof *m->inline_stack;
    m->variables = m->inline_variables;
    if (expr->variables > sizeof m->inline_variables / sizeof *m->inline_variables)
        m->variables = weir_arena_alloc(&m->arena, expr->variables * sizeof *m->variables);
}

static void machine_deinit(x_machine *m) {
    for (size_t i = 0; i < m->owned.count; i++) weir_value_unref(m->owned.items[i]);
    for (size_t i = 0; i < m->patterns.count; i++) weir__regexp_free(m->patterns.items[i]);
    weir_vector_deinit(&m->owned);
    weir_vector_deinit(&m->patterns);
    weir_vector_deinit(&m->scopes);
    weir_buffer_deinit(&m->scratch);
    if (m->stack != m->inline_stack) weir_free(m->stack);
    weir_arena_deinit(&m->arena);
}

weir_value *weir_expr_eval(const weir_expr *expr, const weir_expr_world *world, weir_error *error) {
    x_machine m;
    x result;
    machine_init(&m, expr, world, error);
    bool ran = weir__x_run(&m, &result);
    weir_value *out = ran ? weir__x_to(&m, &result) : NULL;
    if (ran && !out) weir__x_place(expr->text, expr->tree->at, error);
    machine_deinit(&m);
    return out;
}

bool weir_expr_render(const weir_expr *expr, const weir_expr_world *world, weir_buffer *out,
                      bool *is_nil, weir_error *error) {
    x_machine m;
    x result;
    machine_init(&m, expr, world, error);
    bool ran = weir__x_run(&m, &result), ok = ran;
    if (ok && is_nil) *is_nil = result.kind == X_NIL;
    if (ok && (result.kind == X_STRING || result.kind == X_NIL))
        weir__x_print(&m, &result, out);
    else if (ok)
        ok = weir__x_json(&m, &result, X_JSON_HTML, &m.scratch);
    if (ok && !m.failed) weir_buffer_str_append(out, weir_buffer_str(&m.scratch));
    if (ran && m.failed) weir__x_place(expr->text, expr->tree->at, error);
    ok = ok && !m.failed;
    machine_deinit(&m);
    return ok;
}

bool weir_expr_test(const weir_expr *expr, const weir_expr_world *world, bool *result,
                    weir_error *error) {
    x_machine m;
    x value;
    machine_init(&m, expr, world, error);
    bool ok = weir__x_run(&m, &value);
    if (ok && value.kind != X_BOOL) {
        ok = weir__x_fail(&m, WEIR_INVALID,
                          "the condition gives a value of type %s, not true or false",
                          weir__x_go_type(&value));
        weir__x_place(expr->text, expr->tree->at, error);
    }
    if (ok) *result = value.boolean;
    machine_deinit(&m);
    return ok;
}

/* --- names */

typedef struct naming {
    bool (*visit)(void *arg, weir_str name);
    void *arg;
    bool stopped;
} naming;

typedef struct local {
    weir_str name;
    const struct local *outer;
} local;

/* "a.b.c" when the node is nothing but members of a name of the environment. */
static bool dotted(const x_node *node, const local *locals, weir_buffer *out) {
    if (node->kind == N_CHAIN) return dotted(node->a, locals, out);
    if (node->kind == N_NAME) {
        for (; locals; locals = locals->outer)
            if (weir_str_equal(locals->name, node->text)) return false;
        weir_buffer_str_append(out, node->text);
        return true;
    }
    if (node->kind != N_MEMBER || node->b->kind != N_STRING || !dotted(node->a, locals, out))
        return false;
    weir_buffer_byte(out, '.');
    weir_buffer_str_append(out, node->b->text);
    return true;
}

static void collect(naming *s, const x_node *node, const local *locals) {
    if (!node || s->stopped) return;
    if (node->kind == N_NAME || node->kind == N_MEMBER || node->kind == N_CHAIN) {
        weir_buffer name = {0};
        bool whole = dotted(node, locals, &name);
        if (whole) s->stopped = !s->visit(s->arg, weir_buffer_str(&name));
        weir_buffer_deinit(&name);
        if (whole || node->kind == N_NAME) return;
    }
    if (node->kind == N_CALL) { /* what is called is a function, or a member of something */
        if (node->a->kind == N_MEMBER &&
            !(node->a->a->kind == N_NAME && weir_str_is(node->a->a->text, "sprig")))
            collect(s, node->a->a, locals);
    } else {
        collect(s, node->a, locals);
    }
    local l = {.name = node->text, .outer = locals};
    collect(s, node->b, node->kind == N_LET ? &l : locals);
    collect(s, node->c, locals);
    for (const x_node *i = node->first; i; i = i->next) collect(s, i, locals);
}

void weir_expr_names(const weir_expr *expr, bool (*visit)(void *arg, weir_str name), void *arg) {
    naming s = {.visit = visit, .arg = arg};
    collect(&s, expr->tree, NULL);
}
