#include <stdint.h>
#include <stdio.h>

#include "expr/expr_internal.h"
#include "expr/regexp.h"

/* A `let` whose name is seen here. */
typedef struct variable {
    weir_str name;
    x_type type;
    const struct variable *outer;
} variable;

/* A predicate that surrounds the place. */
typedef struct predicate {
    x_type list;
    bool has_index, has_accumulator;
    const struct predicate *outer;
} predicate;

typedef struct checker {
    weir_arena *arena;
    weir_str text;
    const weir_expr_options *options;
    weir_error *error;
    const variable *variables;
    const predicate *predicates;
    bool failed;
} checker;

/* Nobody knows a type, or it is known to be any: only to the latter something can be assigned. */
static const x_type unknown = {.kind = X_UNKNOWN}, any = {.kind = X_UNKNOWN, .sub = X_IS_ANY},
                    nil = {.kind = X_NIL}, boolean = {.kind = X_BOOL}, integer = {.kind = X_INT},
                    floating = {.kind = X_FLOAT}, string = {.kind = X_STRING},
                    list_of_any = {.kind = X_LIST}, map_of_any = {.kind = X_MAP},
                    duration = {.kind = X_DURATION}, moment = {.kind = X_TIME};

static x_type fail(checker *c, const x_node *node, const char *format, ...) WEIR_PRINTF(3, 4);
static x_type fail(checker *c, const x_node *node, const char *format, ...) {
    if (!c->failed) {
        va_list arguments;
        va_start(arguments, format);
        weir_fail_with(c->error, WEIR_INVALID, format, arguments);
        va_end(arguments);
        weir__x_place(c->text, node->at, c->error);
    }
    c->failed = true;
    return unknown;
}

static x_type visit(checker *c, x_node *node);

static bool is_number(x_type t) {
    return t.kind == X_INT || t.kind == X_FLOAT;
}

const char *weir__x_type_text(const x_type *type) {
    static const char *const texts[X_KINDS] = {
        "nil",      "bool",     "int",   "float",    "string",  "array",
        "map",      "duration", "date",  "timezone", "weekday", "month",
        "function", "function", "sprig", "semver",   "unknown"};
    return texts[type->kind];
}

static bool assignable(x_type from, x_type to) {
    bool to_any = to.kind == X_UNKNOWN && to.sub == X_IS_ANY;
    if (from.kind == X_NIL) return to.kind == X_LIST || to.kind == X_MAP || to_any;
    if (from.kind == X_UNKNOWN && from.sub != X_IS_ANY) return false;
    return to_any || (from.kind == to.kind && from.sub == to.sub);
}

static bool comparable(x_type a, x_type b) {
    return a.kind == X_UNKNOWN || b.kind == X_UNKNOWN || a.kind == X_NIL || b.kind == X_NIL ||
           (is_number(a) && is_number(b)) || (a.kind == X_LIST && b.kind == X_LIST) ||
           assignable(a, b);
}

/* Whether one is unknown and the other one of these kinds, or unknown, too. */
static bool maybe(x_type a, x_type b, const char *kinds) {
    if (a.kind == X_UNKNOWN && b.kind == X_UNKNOWN) return true;
    if (a.kind != X_UNKNOWN && b.kind != X_UNKNOWN) return false;
    uint8_t kind = a.kind == X_UNKNOWN ? b.kind : a.kind;
    for (; *kinds; kinds++) {
        bool fits = (*kinds == 'n' && (kind == X_INT || kind == X_FLOAT)) ||
                    (*kinds == 'i' && kind == X_INT) || (*kinds == 's' && kind == X_STRING) ||
                    (*kinds == 'b' && kind == X_BOOL) || (*kinds == 't' && kind == X_TIME) ||
                    (*kinds == 'u' && kind == X_DURATION);
        if (fits) return true;
    }
    return false;
}

static x_type item_type(x_type list) {
    if (list.sub == X_OF_STRING) return string;
    return list.items ? *list.items : any;
}

static x_type list_of(checker *c, x_type items) {
    x_type *copy = weir_arena_alloc(c->arena, sizeof *copy);
    *copy = items;
    return (x_type){.kind = X_LIST, .items = copy};
}

static x_type type_of_value(checker *c, const weir_value *value) {
    x v = weir__x_from(value, c->options->floats ? X_FLOATS : 0);
    return (x_type){.kind = v.kind};
}

static x_type unknown_name(checker *c, const x_node *node, bool called) {
    const weir_value *env = c->options->env;
    weir_nearest nearest = weir_nearest_to(node->text);
    for (size_t i = 0; i < weir_value_count(env); i++)
        weir_nearest_try(&nearest, weir_object_key(env, i));
    for (const variable *v = c->variables; v; v = v->outer) weir_nearest_try(&nearest, v->name);
    if (called) weir__x_nearest_function(&nearest, false);
    bool first = !c->failed;
    fail(c, node, "nothing is named `%.*s`", WEIR_ARG(node->text));
    if (first) weir_error_hint_near(c->error, nearest.best, "");
    return unknown;
}

/* What the environment has by that name: a value, or what Argo adds. */
static bool find_named(checker *c, weir_str name, x_type *out) {
    const weir_expr_options *o = c->options;
    const weir_value *value = o->env ? weir_member(o->env, name) : NULL;
    if (value)
        *out = type_of_value(c, value);
    else if (!o->bare && weir_str_is(name, "sprig"))
        out->kind = X_SPRIG;
    else if (!o->bare && weir__x_addition(name))
        out->kind = X_FUNCTION;
    return value || out->kind != X_UNKNOWN;
}

static bool may_lack_names(const checker *c) {
    return !c->options->env || c->options->partial;
}

static x_type visit_name(checker *c, const x_node *node, bool called) {
    x_type found = unknown;
    if (find_named(c, node->text, &found)) return found;
    if (weir__x_builtin(node->text)) return (x_type){.kind = X_FUNCTION};
    return may_lack_names(c) ? unknown : unknown_name(c, node, called);
}

/* `$env.name`: none of the language's functions; what is not named by a text is not looked at, as in the original. */
static x_type visit_named(checker *c, const x_node *node) {
    x_type found = unknown;
    if (node->b->kind != N_STRING || find_named(c, node->b->text, &found)) return found;
    return may_lack_names(c) || node->optional ? unknown : unknown_name(c, node->b, false);
}

static x_type visit_variable(checker *c, const x_node *node) {
    for (const variable *v = c->variables; v; v = v->outer)
        if (weir_str_equal(v->name, node->text)) return v->type;
    return weir_str_is(node->text, "$env") ? unknown : visit_name(c, node, false);
}

static x_type visit_unary(checker *c, x_node *node) {
    x_type t = visit(c, node->a);
    if (node->op == OP_NOT) {
        if (t.kind == X_BOOL || t.kind == X_UNKNOWN) return boolean;
    } else if (is_number(t) || t.kind == X_UNKNOWN) {
        return t;
    }
    return fail(c, node, "`%s` cannot be applied to a value of type %s",
                node->op == OP_NOT   ? "!"
                : node->op == OP_SUB ? "-"
                                     : "+",
                weir__x_type_text(&t));
}

static x_type promote(x_type a, x_type b) {
    return a.kind == X_FLOAT || b.kind == X_FLOAT ? floating : integer;
}

/* The type of + - *, or X_KINDS: they do not fit. */
static x_type arithmetic(x_op op, x_type a, x_type b) {
    static const x_type wrong = {.kind = X_KINDS};
    if (is_number(a) && is_number(b)) return promote(a, b);
    bool durations = a.kind == X_DURATION && b.kind == X_DURATION;
    if (durations) return duration;
    switch (op) {
    case OP_ADD:
        if (a.kind == X_STRING && b.kind == X_STRING) return string;
        if ((a.kind == X_TIME && b.kind == X_DURATION) ||
            (a.kind == X_DURATION && b.kind == X_TIME))
            return moment;
        return maybe(a, b, "nstu") ? unknown : wrong;
    case OP_SUB:
        if (a.kind == X_TIME && b.kind == X_TIME) return duration;
        if (a.kind == X_TIME && b.kind == X_DURATION) return moment;
        return maybe(a, b, "ntu") ? unknown : wrong;
    default:
        if ((is_number(a) && b.kind == X_DURATION) || (a.kind == X_DURATION && is_number(b)))
            return duration;
        return maybe(a, b, "nu") ? unknown : wrong;
    }
}

static bool orders(x_type a, x_type b) {
    bool same =
        a.kind == b.kind && (a.kind == X_STRING || a.kind == X_TIME || a.kind == X_DURATION);
    return (is_number(a) && is_number(b)) || same || maybe(a, b, "nstu");
}

static bool membership(x_type a, x_type b) {
    if (b.kind == X_MAP) return (b.sub & X_KEYS_ANY) || a.kind == X_STRING || a.kind == X_UNKNOWN;
    if (b.kind == X_LIST) return comparable(a, item_type(b));
    return b.kind == X_UNKNOWN || b.kind == X_TIME || (a.kind == X_UNKNOWN && b.kind == X_STRING);
}

static bool is_pattern(checker *c, x_node *node) {
    char why[160] = "";
    if (node->kind != N_STRING) return true;
    weir__regexp *pattern = weir__regexp_new(node->text, why);
    if (!pattern) fail(c, node, "the pattern is wrong: %s", why);
    weir__regexp_free(pattern);
    return pattern != NULL;
}

static x_type coalesced(x_type a, x_type b) {
    if (a.kind == X_NIL) return b;
    if (b.kind == X_NIL || assignable(b, a)) return a;
    return unknown;
}

static x_type visit_binary(checker *c, x_node *node) {
    x_type a = visit(c, node->a), b = visit(c, node->b), out = boolean;
    bool ok = true;
    switch ((x_op)node->op) {
    case OP_EQ:
    case OP_NE: ok = comparable(a, b); break;
    case OP_OR:
    case OP_AND: ok = (a.kind == X_BOOL && b.kind == X_BOOL) || maybe(a, b, "b"); break;
    case OP_LT:
    case OP_GT:
    case OP_GE:
    case OP_LE: ok = orders(a, b); break;
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
        out = arithmetic((x_op)node->op, a, b);
        ok = out.kind != X_KINDS;
        break;
    case OP_DIV:
    case OP_POW:
        out = floating;
        ok = (is_number(a) && is_number(b)) || maybe(a, b, "n");
        break;
    case OP_MOD:
    case OP_RANGE:
        out = node->op == OP_MOD ? integer : list_of(c, integer);
        ok = (a.kind == X_INT && b.kind == X_INT) || maybe(a, b, "i");
        break;
    case OP_IN: ok = membership(a, b); break;
    case OP_COALESCE: return coalesced(a, b);
    case OP_MATCHES:
        if (!is_pattern(c, node->b)) return unknown;
        ok = (a.kind == X_STRING && b.kind == X_STRING) || maybe(a, b, "s");
        break;
    default: ok = (a.kind == X_STRING && b.kind == X_STRING) || maybe(a, b, "s"); break;
    }
    if (ok) return out;
    return fail(c, node, "`%s` cannot be applied to values of types %s and %s",
                weir__x_op_text((x_op)node->op), weir__x_type_text(&a), weir__x_type_text(&b));
}

static x_type visit_member(checker *c, x_node *node) {
    if (node->a->kind == N_NAME && weir_str_is(node->a->text, "$env")) return visit_named(c, node);
    x_type base = visit(c, node->a), key = visit(c, node->b);
    bool named = node->b->kind == N_STRING;
    if (base.kind == X_UNKNOWN || base.kind == X_SPRIG) return unknown;
    if (named && base.kind != X_NIL && weir__x_method(NULL, base.kind, node->b->text))
        return (x_type){.kind = X_METHOD, .sub = base.kind};
    if (base.kind == X_MAP) {
        if (!(base.sub & X_KEYS_ANY) && key.kind != X_STRING && key.kind != X_UNKNOWN)
            return fail(c, node->b, "the keys of a map are texts, not of type %s",
                        weir__x_type_text(&key));
        return item_type(base);
    }
    if (base.kind == X_LIST) {
        if (key.kind != X_INT && key.kind != X_UNKNOWN)
            return fail(c, node->b,
                        "items of an array are chosen by integers, not by a value of type %s",
                        weir__x_type_text(&key));
        return item_type(base);
    }
    if (named)
        return fail(c, node, "a value of type %s has no %s `%.*s`", weir__x_type_text(&base),
                    node->method ? "method" : "field", WEIR_ARG(node->b->text));
    return fail(c, node, "a value of type %s has no parts", weir__x_type_text(&base));
}

static x_type visit_slice(checker *c, x_node *node) {
    x_type t = visit(c, node->a);
    if (t.kind == X_UNKNOWN) return unknown;
    if (t.kind != X_STRING && t.kind != X_LIST)
        return fail(c, node, "a value of type %s cannot be sliced", weir__x_type_text(&t));
    x_node *const bounds[] = {node->b, node->c};
    for (int i = 0; i < 2; i++) {
        x_type bound = bounds[i] ? visit(c, bounds[i]) : integer;
        if (bound.kind != X_INT && bound.kind != X_UNKNOWN)
            return fail(c, bounds[i],
                        "a slice begins and ends at integers, not at a value of type %s",
                        weir__x_type_text(&bound));
    }
    return t;
}

static x_type check_function(checker *c, x_node *node, const x_function *f) {
    x_type *types = weir_arena_alloc(c->arena, (node->size + 1) * sizeof *types), out = unknown;
    uint32_t n = 0;
    for (x_node *argument = node->first; argument; argument = argument->next)
        types[n++] = visit(c, argument);
    char why[160];
    int wrong;
    if (weir__x_check_call(f, types, (int)n, &out, &wrong, why)) return out;
    const x_node *at = node;
    for (const x_node *i = node->first; i && wrong >= 0; i = i->next, wrong--) at = i;
    return fail(c, at, "%s: %s", f->name, why);
}

/* What is called may be a function that the language has, a method, or something of the environment, whose arguments nobody
 * knows: those are not looked at, as in the original. */
static x_type visit_call(checker *c, x_node *node) {
    const x_node *callee = node->a;
    x_type t;
    if (callee->kind == N_NAME && weir_str_is(callee->text, "$env"))
        return fail(c, node, "`$env` cannot be called");
    if (callee->kind == N_NAME) {
        for (const variable *v = c->variables; v; v = v->outer)
            if (weir_str_equal(v->name, callee->text)) return unknown;
        t = visit_name(c, callee, true);
    } else {
        t = visit(c, node->a);
    }
    if (t.kind == X_UNKNOWN) return unknown;
    if (t.kind == X_METHOD)
        return check_function(c, node, weir__x_method(NULL, t.sub, callee->b->text));
    if (t.kind == X_FUNCTION) {
        weir_str name = callee->kind == N_NAME ? callee->text : callee->b->text;
        const x_function *f = weir__x_builtin(name);
        return check_function(c, node, f ? f : weir__x_addition(name));
    }
    return fail(c, node, "a value of type %s cannot be called", weir__x_type_text(&t));
}

static x_type visit_predicate(checker *c, x_node *node, predicate *p) {
    p->outer = c->predicates;
    c->predicates = p;
    x_type out = visit(c, node);
    c->predicates = p->outer;
    return out;
}

/* `names` are separated by blanks. */
static bool is_one_of(weir_str name, const char *names) {
    for (const char *end; *names; names = *end ? end + 1 : end) {
        end = strchr(names, ' ');
        if (!end) end = names + strlen(names);
        if (weir_str_equal(name, (weir_str){names, (size_t)(end - names)})) return true;
    }
    return false;
}

static x_type result_of(checker *c, weir_str name, x_type list, x_type out) {
    x_type item = list.kind == X_UNKNOWN ? unknown : item_type(list);
    if (is_one_of(name, "all none any one")) return boolean;
    if (is_one_of(name, "count findIndex findLastIndex")) return integer;
    if (is_one_of(name, "find findLast")) return item;
    if (is_one_of(name, "sum reduce")) return out;
    if (weir_str_is(name, "map")) return list_of(c, out);
    if (weir_str_is(name, "sortBy")) return list;
    if (weir_str_is(name, "filter")) return list.kind == X_UNKNOWN ? list_of_any : list_of(c, item);
    x_type groups = list_of(c, list_of(c, item)); /* of groupBy */
    return (x_type){.kind = X_MAP, .sub = X_OF_LISTS, .items = groups.items};
}

static x_type visit_predicate_call(checker *c, x_node *node) {
    weir_str name = node->text;
    predicate p = {.list = visit(c, node->first)};
    if (p.list.kind != X_LIST && p.list.kind != X_UNKNOWN)
        return fail(c, node->first, "`%.*s` takes an array, not a value of type %s", WEIR_ARG(name),
                    weir__x_type_text(&p.list));
    x_node *second = node->first->next, *third = second ? second->next : NULL;
    if (!second) {
        if (weir_str_is(name, "count")) return integer;
        return p.list.kind == X_UNKNOWN ? unknown : item_type(p.list);
    }
    p.has_accumulator = weir_str_is(name, "reduce");
    p.has_index = p.has_accumulator || weir_str_is(name, "map");
    x_type out = visit_predicate(c, second->a, &p);
    bool tests =
        is_one_of(name, "all none any one filter count find findLast findIndex findLastIndex");
    if (out.kind == X_NIL || (tests && out.kind != X_BOOL && out.kind != X_UNKNOWN))
        return fail(c, second, "the predicate of `%.*s` has to give %s, not %s", WEIR_ARG(name),
                    tests ? "true or false" : "a value", weir__x_type_text(&out));
    x_type last = third ? visit(c, third) : unknown;
    if (third && weir_str_is(name, "sortBy") && last.kind != X_STRING && last.kind != X_UNKNOWN)
        return fail(c, third, "the order is \"asc\" or \"desc\"");
    return result_of(c, name, p.list, out);
}

static x_type visit_get(checker *c, x_node *node) {
    if (node->size != 2) return fail(c, node, "get: 2 arguments are wanted, not %u", node->size);
    x_type base = visit(c, node->first), key = visit(c, node->first->next);
    if (base.kind == X_LIST && key.kind != X_INT && key.kind != X_UNKNOWN)
        return fail(c, node->first->next, "items of an array are chosen by integers");
    if (base.kind == X_MAP && !(base.sub & X_KEYS_ANY) && key.kind != X_STRING &&
        key.kind != X_UNKNOWN)
        return fail(c, node->first->next, "the keys of a map are texts");
    if (base.kind == X_LIST || base.kind == X_MAP) return item_type(base);
    if (base.kind == X_UNKNOWN) return unknown;
    return fail(c, node->first, "a value of type %s has no parts", weir__x_type_text(&base));
}

static x_type visit_builtin(checker *c, x_node *node) {
    if (!node->function->call) return visit_predicate_call(c, node);
    return weir_str_is(node->text, "get") ? visit_get(c, node)
                                          : check_function(c, node, node->function);
}

static x_type visit_pointer(checker *c, const x_node *node) {
    const predicate *p = c->predicates;
    if (!p) return fail(c, node, "`#` stands for an item only within a predicate");
    if (node->text.length == 0) return p->list.kind == X_UNKNOWN ? unknown : item_type(p->list);
    if (weir_str_is(node->text, "index") && p->has_index) return integer;
    if (weir_str_is(node->text, "acc") && p->has_accumulator) return unknown;
    return fail(c, node, "there is no `#%.*s` here", WEIR_ARG(node->text));
}

static x_type visit_let(checker *c, x_node *node) {
    bool taken =
        weir__x_builtin(node->text) || weir__x_predicate(node->text) ||
        (c->options->env && weir_member(c->options->env, node->text)) ||
        (!c->options->bare && (weir_str_is(node->text, "sprig") || weir__x_addition(node->text)));
    for (const variable *v = c->variables; v; v = v->outer)
        taken = taken || weir_str_equal(v->name, node->text);
    if (taken)
        return fail(c, node, "`%.*s` is already the name of something", WEIR_ARG(node->text));
    variable v = {.name = node->text, .type = visit(c, node->a), .outer = c->variables};
    c->variables = &v;
    x_type out = visit(c, node->b);
    c->variables = v.outer;
    return out;
}

static x_type visit_if(checker *c, x_node *node) {
    x_type condition = visit(c, node->a);
    if (condition.kind != X_BOOL && condition.kind != X_UNKNOWN)
        return fail(c, node->a, "a condition is true or false, not of type %s",
                    weir__x_type_text(&condition));
    x_type a = visit(c, node->b), b = visit(c, node->c);
    if (a.kind == X_NIL) return b;
    if (b.kind == X_NIL) return a;
    if (!assignable(a, b)) return unknown;
    bool lists = a.kind == X_LIST && b.kind == X_LIST;
    bool same = !lists ||
                (assignable(item_type(a), item_type(b)) && assignable(item_type(b), item_type(a)));
    return same ? a : list_of_any;
}

static x_type visit_items(checker *c, x_node *node) {
    x_type first = unknown, out = unknown;
    bool same = true;
    for (x_node *item = node->first; item; item = item->next) {
        out = visit(c, item);
        if (item == node->first)
            first = out;
        else
            same = same && out.kind == first.kind;
    }
    if (node->kind == N_MAP) return map_of_any;
    if (node->kind == N_SEQUENCE) return out;
    return same && node->first ? list_of(c, out) : list_of_any;
}

static x_type visit_kind(checker *c, x_node *node) {
    switch ((x_node_kind)node->kind) {
    case N_NIL: return nil;
    case N_BOOL: return boolean;
    case N_INT: return integer;
    case N_FLOAT: return floating;
    case N_STRING: return string;
    case N_NAME: return visit_variable(c, node);
    case N_UNARY: return visit_unary(c, node);
    case N_BINARY: return visit_binary(c, node);
    case N_CHAIN:
    case N_PREDICATE: return visit(c, node->a);
    case N_MEMBER: return visit_member(c, node);
    case N_SLICE: return visit_slice(c, node);
    case N_CALL: return visit_call(c, node);
    case N_BUILTIN: return visit_builtin(c, node);
    case N_POINTER: return visit_pointer(c, node);
    case N_LET: return visit_let(c, node);
    case N_IF: return visit_if(c, node);
    case N_SEQUENCE:
    case N_LIST:
    case N_MAP: return visit_items(c, node);
    }
    return unknown;
}

/* A part that two operators share (of `a < b < c`) is looked at once. */
static x_type visit(checker *c, x_node *node) {
    if (c->failed) return unknown;
    if (!node->checked) node->type = visit_kind(c, node);
    node->checked = true;
    return node->type;
}

bool weir__x_check(weir_arena *arena, weir_str text, x_node *tree, const weir_expr_options *options,
                   weir_error *error) {
    checker c = {.arena = arena, .text = text, .options = options, .error = error};
    visit(&c, tree);
    return !c.failed;
}
