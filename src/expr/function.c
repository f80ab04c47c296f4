#include <stdint.h>
#include <stdio.h>

#include "expr/expr_internal.h"
#include "expr/gotime.h"

/* Whether a value may be what the letter says; a nil is no value. */
static bool letter_takes(char letter, uint8_t kind, uint8_t sub) {
    bool number = kind == X_INT || kind == X_FLOAT;
    switch (letter) {
    case 'a': return true;
    case 's': return kind == X_STRING;
    case 'i':
    case 'I': return kind == X_INT;
    case 'j': return kind == X_INT && sub == X_GO_INT;
    case 'J': return kind == X_INT && sub == X_GO_INT64;
    case 'f': return kind == X_FLOAT;
    case 'n': return number;
    case 'b': return kind == X_BOOL;
    case 'l':
    case 'A': return kind == X_LIST;
    case 'm': return kind == X_MAP;
    case 'd': return kind == X_MAP && (sub & (X_KEYS_ANY | X_OF_STRING)) == 0;
    case 't': return kind == X_TIME;
    case 'u': return kind == X_DURATION;
    case 'z': return kind == X_ZONE;
    case 'v': return kind == X_SEMVER;
    case 'V':
        return number || kind == X_STRING || kind == X_DURATION || kind == X_WEEKDAY ||
               kind == X_MONTH;
    case 'W': return number || kind == X_STRING;
    case 'C': return kind == X_LIST || kind == X_MAP || kind == X_STRING;
    case 'N': return number || kind == X_DURATION || kind == X_WEEKDAY || kind == X_MONTH;
    case 'Q': return number || kind == X_LIST;
    default: return false;
    }
}

static const char *letter_text(char letter) {
    switch (letter) {
    case 's': return "a text";
    case 'i':
    case 'I':
    case 'j':
    case 'J': return "an integer";
    case 'f': return "a float";
    case 'n':
    case 'N': return "a number";
    case 'b': return "true or false";
    case 'l':
    case 'A': return "an array";
    case 'm':
    case 'd': return "a map";
    case 't': return "a date";
    case 'u': return "a duration";
    case 'z': return "a time zone";
    case 'v': return "a version";
    case 'C': return "an array, a map or a text";
    case 'Q': return "a number or an array";
    default: return "a number or a text";
    }
}

/* How many parameters an alternative has; *repeats: the last any number of times. Its end is where `:` stands. */
static int parameters(const char *s, bool *repeats, const char **end) {
    int n = 0;
    *repeats = false;
    for (; *s != ':'; s++) {
        if (*s == '*')
            *repeats = true;
        else
            n++;
    }
    *end = s;
    return n;
}

static char letter_at(const char *s, int count, int i) {
    return s[i < count ? i : count - 1];
}

static const char *alternatives(const x_function *f) {
    return f->signature + (*f->signature == '@');
}

static const char *next_alternative(const char *end) {
    return end[2] == '|' ? end + 3 : NULL;
}

static bool count_fits(int wanted, bool repeats, int n) {
    return repeats ? n >= wanted - 1 : n == wanted;
}

/* Finds the alternative that fits. *wrong is the argument at which the last one of the right length did not, or -1. */
static const char *choose(const x_function *f, int n,
                          bool (*takes)(const void *arg, char letter, int i), const void *arg,
                          int *wrong, char *letter) {
    *wrong = -1;
    *letter = 'a';
    for (const char *s = alternatives(f), *end; s; s = next_alternative(end)) {
        bool repeats;
        int count = parameters(s, &repeats, &end), i = 0;
        if (!count_fits(count, repeats, n)) continue;
        while (i < n && takes(arg, letter_at(s, count, i), i)) i++;
        if (i == n) return s;
        *wrong = i;
        *letter = letter_at(s, count, i);
    }
    return NULL;
}

static bool type_takes(const void *arg, char letter, int i) {
    const x_type *type = (const x_type *)arg + i;
    if (letter == 'a' || type->kind == X_UNKNOWN) return true;
    return type->kind != X_NIL && letter_takes(letter, type->kind, type->sub);
}

static x_type result_type(char letter, const x_type *types) {
    static const x_type any = {.kind = X_UNKNOWN, .sub = X_IS_ANY};
    switch (letter) {
    case 's': return (x_type){.kind = X_STRING};
    case 'i':
    case 'j': return (x_type){.kind = X_INT};
    case 'f': return (x_type){.kind = X_FLOAT};
    case 'b': return (x_type){.kind = X_BOOL};
    case 'l': return (x_type){.kind = X_LIST};
    case 'S': return (x_type){.kind = X_LIST, .sub = X_OF_STRING};
    case 'm': return (x_type){.kind = X_MAP};
    case 'M': return (x_type){.kind = X_MAP, .sub = X_KEYS_ANY};
    case 't': return (x_type){.kind = X_TIME};
    case 'u': return (x_type){.kind = X_DURATION};
    case 'z': return (x_type){.kind = X_ZONE};
    case 'v': return (x_type){.kind = X_SEMVER};
    case 'w': return (x_type){.kind = X_WEEKDAY};
    case 'o': return (x_type){.kind = X_MONTH};
    case '0': return types[0];
    case '1':
        if (types[0].kind == X_LIST && types[0].sub == X_OF_STRING)
            return (x_type){.kind = X_STRING};
        return types[0].kind == X_LIST && types[0].items ? *types[0].items : any;
    default: return any;
    }
}

bool weir__x_check_call(const x_function *f, const x_type *types, int n, x_type *out, int *wrong,
                        char why[static 160]) {
    char letter;
    if (n > UINT8_MAX) {
        *wrong = -1;
        snprintf(why, 160, "more than %d arguments", UINT8_MAX);
        return false;
    }
    const char *s = choose(f, n, type_takes, types, wrong, &letter);
    if (s) {
        *out = result_type(strchr(s, ':')[1], types);
        return true;
    }
    if (*wrong < 0)
        snprintf(why, 160, "it does not take %d argument%s", n, n == 1 ? "" : "s");
    else
        snprintf(why, 160, "%s is wanted, not a value of type %s", letter_text(letter),
                 weir__x_type_text(&types[*wrong]));
    return false;
}

static bool value_takes(const void *arg, char letter, int i) {
    const x *v = (const x *)arg + i;
    if (letter == 'a' || letter == 'A' || letter == 'Q') return true;
    if (letter == 'I' && v->kind == X_FLOAT) return true;
    return v->kind != X_NIL && letter_takes(letter, v->kind, v->sub);
}

static bool value_or_nil_takes(const void *arg, char letter, int i) {
    const x *v = (const x *)arg + i;
    return v->kind == X_NIL || value_takes(arg, letter, i);
}

static const char *find_alternative(x_machine *m, const x_function *f, const x *a, int n) {
    int wrong;
    char letter;
    const char *s =
        choose(f, n, *f->signature == '@' ? value_or_nil_takes : value_takes, a, &wrong, &letter);
    if (!s && wrong < 0)
        weir__x_fail(m, WEIR_INVALID, "%s: it does not take %d argument%s", f->name, n,
                     n == 1 ? "" : "s");
    else if (!s)
        weir__x_fail(m, WEIR_INVALID, "%s: argument %d: %s is wanted, not a value of type %s",
                     f->name, wrong + 1, letter_text(letter), weir__x_go_type(&a[wrong]));
    return s;
}

bool weir__x_fits(x_machine *m, const x_function *f, const x *a, int n) {
    return find_alternative(m, f, a, n) != NULL;
}

/* What Go has for a nil where a parameter of this type is wanted. */
static x zero(x_machine *m, char letter) {
    switch (letter) {
    case 's': return x_str(WEIR_STR(""));
    case 'i':
    case 'j': return x_int(0);
    case 'J': return x_int64(0);
    case 'f': return x_float(0);
    case 'b': return x_bool(false);
    case 'd':
    case 'm': return weir__x_map_new(m, X_OF_ANY);
    case 'l': return weir__x_list(NULL, 0, X_OF_ANY);
    case 'u': return (x){.kind = X_DURATION};
    default: return x_nil();
    }
}

bool weir__x_run_function(x_machine *m, const x_function *f, const x *a, int n, x *out) {
    const char *s = find_alternative(m, f, a, n), *end;
    if (!s) return false;
    bool any_nil = false, repeats;
    for (int i = 0; i < n; i++) any_nil = any_nil || a[i].kind == X_NIL;
    if (!any_nil || *f->signature != '@') return f->call(m, a, n, out);
    x copy[UINT8_MAX + 1];
    int count = parameters(s, &repeats, &end);
    for (int i = 0; i < n; i++)
        copy[i] = a[i].kind == X_NIL ? zero(m, letter_at(s, count, i)) : a[i];
    return f->call(m, copy, n, out);
}
