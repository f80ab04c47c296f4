#include <math.h>
#include <stdint.h>

#include "expr/condition_internal.h"
#include "expr/regexp.h"

static void *take(condition *c, size_t size) {
    return weir_arena_alloc(&c->arena, size);
}

/* What does not count is read, but not computed. */

enum { LEVELS = 10 };

static bool evaluate(condition *c, int level, bool counts, x *out);

static bool wrong(condition *c, const token *op, const x *value, const char *what,
                  const char *tail) {
    char text[120];
    return weir__condition_fail(
        c, op->at, WEIR_INVALID, "Value '%s' cannot be used with the %s '%.*s'%s",
        weir__condition_show(value, text, sizeof text), what, WEIR_ARG(x_text(&op->value)), tail);
}

static const char *const no_number = ", it is not a number", *const no_bool = ", it is not a bool";

static bool match(condition *c, const token *op, const x *a, const x *b, x *out) {
    char why[160];
    if (a->kind != X_STRING) return wrong(c, op, a, "comparator", no_number);
    if (b->kind != X_STRING) return wrong(c, op, b, "comparator", no_number);
    weir__regexp *r = weir__regexp_new(x_text(b), why);
    if (!r) return weir__condition_fail(c, op->at, WEIR_SYNTAX, "error parsing regexp: %s", why);
    bool found = false, fits = weir__regexp_cost(r, a->length) <= WEIR_EXPR_STEPS_MAX;
    if (fits) found = weir__regexp_find(r, x_text(a), 0, NULL);
    weir__regexp_free(r);
    *out = x_bool(found != (op->value.text[0] == '!'));
    return fits || weir__condition_fail(c, op->at, WEIR_LIMIT, "matching takes too long");
}

static bool compare(condition *c, const token *op, const x *a, const x *b, x *out) {
    weir_str name = x_text(&op->value);
    if (weir_str_is(name, "==") || weir_str_is(name, "!=")) {
        *out = x_bool(weir__x_same(NULL, a, b, 0) == (name.data[0] == '='));
        return true;
    }
    if (weir_str_is(name, "=~") || weir_str_is(name, "!~")) return match(c, op, a, b, out);
    if (weir_str_is(name, "in")) {
        if (b->kind != X_LIST) return wrong(c, op, b, "comparator", no_number);
        *out = x_bool(false);
        for (size_t i = 0; i < b->length; i++)
            if (weir__x_same(NULL, a, &b->items[i], 0)) *out = x_bool(true);
        return true;
    }
    bool numbers = a->kind == X_FLOAT && b->kind == X_FLOAT,
         texts = a->kind == X_STRING && b->kind == X_STRING, ordered;
    int order;
    if (!numbers && !texts) return wrong(c, op, a, "comparator", no_number);
    if (!weir__x_compare(NULL, "", a, b, &order, &ordered)) return false;
    bool less = name.data[0] == '<', equal = name.length == 2;
    *out = x_bool(ordered && ((order == 0 && equal) || (less ? order < 0 : order > 0)));
    return true;
}

static bool add_texts(condition *c, const x *a, const x *b, x *out) {
    x_machine scrap = {0};
    weir_buffer text = {0};
    weir_arena_init(&scrap.arena);
    weir__x_print(&scrap, a, &text);
    weir__x_print(&scrap, b, &text);
    weir_arena_deinit(&scrap.arena);
    *out = x_str((weir_str){weir_str_copy(&c->arena, weir_buffer_str(&text)), text.length});
    weir_buffer_deinit(&text);
    return true;
}

static uint64_t bits(double f) {
    return (uint64_t)weir__x_truncate(f);
}

static bool compute(condition *c, const token *op, const x *a, const x *b, x *out) {
    weir_str name = x_text(&op->value);
    bool texts = a->kind == X_STRING || b->kind == X_STRING;
    if (weir_str_is(name, "+") && texts) return add_texts(c, a, b, out);
    if (a->kind != X_FLOAT) return wrong(c, op, a, "modifier", no_number);
    if (b->kind != X_FLOAT)
        return wrong(c, op, weir_str_is(name, "+") ? a : b, "modifier", no_number);
    double one = a->number, two = b->number;
    uint64_t left = bits(one), right = bits(two);
    bool twice = name.length == 2;
    switch (name.data[0]) {
    case '+': *out = x_float(one + two); break;
    case '-': *out = x_float(one - two); break;
    case '*': *out = x_float(twice ? pow(one, two) : one * two); break;
    case '/': *out = x_float(one / two); break;
    case '%': *out = x_float(fmod(one, two)); break;
    case '&': *out = x_float((double)(int64_t)(left & right)); break;
    case '|': *out = x_float((double)(int64_t)(left | right)); break;
    case '^': *out = x_float((double)(int64_t)(left ^ right)); break;
    case '<': *out = x_float(right > 63 ? 0 : (double)(left << right)); break;
    default: *out = x_float(right > 63 ? 0 : (double)(left >> right)); break;
    }
    return true;
}

static bool logic(condition *c, const token *op, const x *a, const x *b, x *out) {
    if (a->kind != X_BOOL) return wrong(c, op, a, "logical operator", no_bool);
    if (b->kind != X_BOOL) return wrong(c, op, b, "logical operator", no_bool);
    *out = x_bool(op->value.text[0] == '&' ? a->boolean && b->boolean : a->boolean || b->boolean);
    return true;
}

/* A list grows by one; what is no list becomes one of two. */
static bool separate(condition *c, const x *a, const x *b, x *out) {
    bool list = a->kind == X_LIST;
    size_t count = list ? a->length : 1;
    x *items = take(c, (count + 1) * sizeof *items);
    memcpy(items, list ? a->items : a, count * sizeof *items);
    items[count] = *b;
    *out = weir__x_list(items, count + 1, X_OF_ANY);
    return true;
}

/* Which level of precedence an operator is of, from 0, the lowest; -1: it is none. */
static int level_of(const token *t) {
    static const char *const levels[LEVELS] = {",",     "? : ??", "||",  "&&",    "",
                                               "& | ^", "<< >>",  "+ -", "* / %", "**"};
    if (t->kind == COMPARATOR) return 4;
    if (!(BIT(t->kind) & (BIT(SEPARATOR) | BIT(TERNARY) | BIT(LOGICALOP) | BIT(MODIFIER))))
        return -1;
    weir_str name = x_text(&t->value);
    for (int i = 0; i < LEVELS; i++)
        for (const char *s = levels[i]; *s; s += strcspn(s, " "), s += *s == ' ')
            if (weir_str_equal(name, (weir_str){s, strcspn(s, " ")})) return i;
    return -1;
}

/* Whether the right side is not needed, since the left one decides. */
static bool decides(const token *op, const x *left) {
    weir_str name = x_text(&op->value);
    bool is_false = left->kind == X_BOOL && !left->boolean,
         is_true = left->kind == X_BOOL && left->boolean;
    if (op->kind == LOGICALOP) return name.data[0] == '&' ? is_false : is_true;
    if (op->kind != TERNARY) return false;
    return weir_str_is(name, "?") ? is_false : left->kind != X_NIL;
}

static bool apply(condition *c, const token *op, const x *a, const x *b, x *out) {
    switch (op->kind) {
    case SEPARATOR: return separate(c, a, b, out);
    case COMPARATOR: return compare(c, op, a, b, out);
    case LOGICALOP: return logic(c, op, a, b, out);
    case MODIFIER: return compute(c, op, a, b, out);
    default: break;
    }
    if (!weir_str_is(x_text(&op->value), "?")) {
        *out = a->kind != X_NIL ? *a : *b;
        return true;
    }
    if (a->kind != X_BOOL) return wrong(c, op, a, "ternary operator", no_bool);
    *out = a->boolean ? *b : x_nil();
    return true;
}

static bool prefixed(condition *c, const token *op, bool counts, x *out) {
    char sign = op->value.text[0];
    if (!evaluate(c, LEVELS, counts, out) || !counts) return !c->failed;
    if (out->kind != (sign == '!' ? X_BOOL : X_FLOAT)) return wrong(c, op, out, "prefix", "");
    if (sign == '!')
        out->boolean = !out->boolean;
    else
        out->number = sign == '-' ? -out->number : (double)(int64_t)~bits(out->number);
    return true;
}

static bool operand(condition *c, bool counts, x *out) {
    const token *t = c->next < c->tokens.count ? &c->tokens.items[c->next] : NULL;
    if (!t || t->kind == CLAUSE_CLOSE)
        return weir__condition_fail(c, t ? t->at : c->text.length, WEIR_SYNTAX,
                                    "Unable to plan token kind: 'CLAUSE_CLOSE', value: '41'");
    c->next++;
    if (t->kind == PREFIX) return prefixed(c, t, counts, out);
    if (t->kind != CLAUSE) {
        *out = t->value;
        return true;
    }
    if (++c->depth >= WEIR_CONDITION_DEPTH_MAX)
        return weir__condition_fail(c, t->at, WEIR_LIMIT, "nested too deep");
    if (!evaluate(c, 0, counts, out)) return false;
    c->depth--;
    if (c->next >= c->tokens.count || c->tokens.items[c->next].kind != CLAUSE_CLOSE)
        return weir__condition_fail(c, t->at, WEIR_SYNTAX, "Unbalanced parenthesis");
    c->next++;
    return true;
}

/* What a left side without value has on its right is computed, and gives no error that would not count. */
static bool evaluate(condition *c, int level, bool counts, x *out) {
    if (level == LEVELS) return operand(c, counts, out);
    if (!evaluate(c, level + 1, counts, out)) return false;
    while (c->next < c->tokens.count && level_of(&c->tokens.items[c->next]) == level) {
        const token *op = &c->tokens.items[c->next++];
        bool decided = counts && decides(op, out);
        x right = x_nil(), left = *out;
        if (!evaluate(c, level + 1, counts && !decided, &right)) return false;
        if (decided && op->kind == TERNARY && weir_str_is(x_text(&op->value), "?"))
            *out = x_nil();
        else if (counts && !decided && !apply(c, op, &left, &right, out))
            return false;
    }
    return true;
}

/* Also tells weir_condition_explain that this was the reason. */
static const char words_hint[] =
    "a bare word is a text, and a text with =~ a pattern: not all may stand beside them";

static bool run(condition *c, bool *result) {
    x value = x_nil();
    if (c->text.length > WEIR_CONDITION_BYTES_MAX)
        return weir__condition_fail(c, 0, WEIR_LIMIT, "a condition of more than %d bytes",
                                    WEIR_CONDITION_BYTES_MAX);
    if (!weir__condition_read(c) || !weir__condition_check(c, false)) return false;
    if (!weir__condition_check(c, true)) {
        weir_error_hint(c->error, "%s", words_hint);
        return false;
    }
    if (!evaluate(c, 0, true, &value)) return false;
    if (c->next < c->tokens.count) {
        char text[100];
        const token *t = &c->tokens.items[c->next];
        return weir__condition_fail(c, t->at, WEIR_SYNTAX, "Unexpected %s [%s]",
                                    weir__condition_kinds[t->kind],
                                    weir__condition_show(&t->value, text, sizeof text));
    }
    if (value.kind == X_BOOL) {
        *result = value.boolean;
        return true;
    }
    char text[200];
    return weir__condition_fail(c, c->tokens.items[0].at, WEIR_INVALID,
                                "Expected boolean evaluation, got %s",
                                weir__condition_show(&value, text, sizeof text));
}

bool weir_condition_evaluate(weir_str text, bool *result, weir_error *error) {
    condition c = {.text = text, .error = error};
    weir_arena_init(&c.arena);
    bool ok = run(&c, result);
    weir_vector_deinit(&c.tokens);
    weir_arena_deinit(&c.arena);
    return ok;
}

void weir_condition_explain(weir_str text, const weir_error *error, weir_buffer *out) {
    static const char boolean[] = "Expected boolean evaluation, got ";
    weir_str message = weir_str_from(error->message);
    if (weir_str_starts(message, weir_str_from(boolean))) {
        weir_buffer_printf(out, "Expected boolean evaluation for '%.*s'. Got %s", WEIR_ARG(text),
                           error->message + sizeof boolean - 1);
        return;
    }
    bool words = weir_str_is(weir_str_from(error->hint), words_hint);
    bool invalid = error->code == WEIR_INVALID;
    const char *how = words     ? "Failed to parse 'when' expression"
                      : invalid ? "Failed to evaluate 'when' expresion" /* so Argo spells it */
                                : "Invalid 'when' expression";
    weir_buffer_printf(out, "%s '%.*s': %s", how, WEIR_ARG(text), error->message);
    if (weir_str_starts(message, WEIR_STR("Invalid token")))
        weir_buffer_printf(out, " (hint: %s)", error->hint);
}
