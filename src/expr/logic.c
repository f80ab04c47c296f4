#include "expr/condition.h"
#include "expr/expr_internal.h"

/* or := and (`||` and)*, and := not (`&&` not)*, not := `!` not | `(` or `)` | true | false */
typedef struct reader {
    weir_str text;
    size_t at;
    int depth;
} reader;

static bool accept(reader *r, const char *symbol) {
    while (r->at < r->text.length && strchr(" \t\r\n", r->text.data[r->at])) r->at++;
    weir_str wanted = weir_str_from(symbol);
    if (!weir_str_starts(weir_str_slice(r->text, r->at, r->text.length), wanted)) return false;
    r->at += wanted.length;
    return true;
}

static bool read_or(reader *r, bool *out);

static bool read_not(reader *r, bool *out) {
    if (++r->depth > WEIR_CONDITION_DEPTH_MAX) return false;
    bool ok = true;
    if (accept(r, "!")) {
        ok = read_not(r, out);
        if (ok) *out = !*out;
    } else if (accept(r, "(")) {
        ok = read_or(r, out) && accept(r, ")");
    } else {
        *out = accept(r, "true");
        ok = *out || accept(r, "false");
    }
    r->depth--;
    return ok;
}

static bool read_and(reader *r, bool *out) {
    bool ok = read_not(r, out), right = false;
    while (ok && accept(r, "&&")) {
        ok = read_not(r, &right);
        *out = *out && right;
    }
    return ok;
}

static bool read_or(reader *r, bool *out) {
    bool ok = read_and(r, out), right = false;
    while (ok && accept(r, "||")) {
        ok = read_and(r, &right);
        *out = *out || right;
    }
    return ok;
}

bool weir_logic_evaluate(weir_str text, bool *result, weir_error *error) {
    reader r = {.text = text};
    bool out = false;
    if (read_or(&r, &out)) {
        accept(&r, "");
        if (r.at == text.length) {
            *result = out;
            return true;
        }
    }
    bool deep = r.depth > WEIR_CONDITION_DEPTH_MAX;
    weir_fail(error, deep ? WEIR_LIMIT : WEIR_SYNTAX,
              deep ? "nested too deep" : "something unexpected");
    weir__x_place(text, r.at, error);
    return false;
}
