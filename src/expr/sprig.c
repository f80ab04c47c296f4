#include "expr/sprig.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "expr/text.h"

static const x_function *const tables[] = {
    weir__sprig_texts, weir__sprig_words,    weir__sprig_numbers,   weir__sprig_lists,
    weir__sprig_dicts, weir__sprig_kinds,    weir__sprig_encodings, weir__sprig_patterns,
    weir__sprig_dates, weir__sprig_versions, weir__sprig_urls,      weir__sprig_chance};

/* What sprig has, and weir has not. */
static const char *const absent[] = {"bcrypt",
                                     "htpasswd",
                                     "genPrivateKey",
                                     "derivePassword",
                                     "buildCustomCert",
                                     "genCA",
                                     "genCAWithKey",
                                     "genSelfSignedCert",
                                     "genSelfSignedCertWithKey",
                                     "genSignedCert",
                                     "genSignedCertWithKey",
                                     "encryptAES",
                                     "decryptAES",
                                     "getHostByName"};

static bool call_absent(x_machine *m, const x *a, int n, x *out) {
    (void)a, (void)n, (void)out;
    weir__x_fail(m, WEIR_UNSUPPORTED,
                 "this function of sprig is not supported: make certificates, keys and hashes of "
                 "passwords in a step");
    return false;
}

static const x_function absent_function = {"an absent function", "@a*:?", call_absent};

const x_function *weir__x_sprig(weir_str name) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const x_function *f = tables[i]; f->name; f++)
            if (weir_str_is(name, f->name)) return f;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (weir_str_is(name, absent[i])) return &absent_function;
    return NULL;
}

void weir__x_nearest_sprig(weir_nearest *nearest) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const x_function *f = tables[i]; f->name; f++)
            weir_nearest_try(nearest, weir_str_from(f->name));
}

weir_str weir__sprig_text(x_machine *m, const x *v) {
    if (v->kind == X_STRING) return x_text(v);
    weir_buffer text = {0};
    weir__x_print(m, v, &text);
    x copy = weir__x_take(m, &text);
    weir_buffer_deinit(&text);
    return x_text(&copy);
}

/* "12.00" without what changes nothing. */
static weir_str without_zeros(weir_str text) {
    size_t point = weir_str_find(text, WEIR_STR("."), 0), end = text.length;
    if (point == SIZE_MAX) return text;
    while (end > point + 1 && text.data[end - 1] == '0') end--;
    return end == point + 1 && point > 0 ? weir_str_slice(text, 0, point) : text;
}

/* As strconv.ParseInt with base 0. */
static int64_t parse_any_base(weir_str text) {
    char copy[80];
    int64_t plain;
    size_t sign = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    bool prefixed = text.length > sign + 1 && text.data[sign] == '0';
    if (!prefixed) return weir__x_parse_int(text, &plain) ? plain : 0;
    if (text.length >= sizeof copy) return 0;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char second = (char)(copy[sign + 1] | 32), *end;
    int base = second == 'x' ? 16 : second == 'b' ? 2 : 8;
    size_t digits = sign + 1 + (second == 'x' || second == 'b' || second == 'o');
    long long value = strtoll(copy + digits, &end, base);
    if (*end || end == copy + digits) return 0;
    return copy[0] == '-' ? -value : value;
}

int64_t weir__sprig_int(const x *v) {
    switch ((x_kind)v->kind) {
    case X_BOOL: return v->boolean;
    case X_INT:
    case X_WEEKDAY:
    case X_MONTH: return v->integer;
    case X_FLOAT: return weir__x_truncate(v->number);
    case X_STRING: return parse_any_base(without_zeros(x_text(v)));
    default: return 0;
    }
}

double weir__sprig_float(const x *v) {
    double number = 0;
    if (v->kind == X_FLOAT) return v->number;
    if (v->kind == X_STRING) return weir__x_parse_float(x_text(v), &number) ? number : 0;
    return (double)weir__sprig_int(v);
}

bool weir__sprig_empty(const x *v) {
    switch ((x_kind)v->kind) {
    case X_NIL: return true;
    case X_BOOL: return !v->boolean;
    case X_INT:
    case X_DURATION:
    case X_WEEKDAY:
    case X_MONTH: return v->integer == 0;
    case X_FLOAT: return v->number == 0;
    case X_STRING: return v->length == 0;
    case X_LIST:
    case X_MAP: return weir__x_count(v) == 0;
    default: return false;
    }
}

x weir__sprig_strings(x_machine *m, const x *v) {
    size_t count = v->kind == X_LIST ? v->length : v->kind != X_NIL, kept = 0;
    x *items = weir__x_list_new(m, count);
    for (size_t i = 0; i < count; i++) {
        x item = v->kind == X_LIST ? weir__x_at(v, i) : *v;
        if (item.kind != X_NIL) items[kept++] = x_str(weir__sprig_text(m, &item));
    }
    return weir__x_list(items, kept, X_OF_STRING);
}

bool weir__sprig_want_list(x_machine *m, const char *name, const x *v) {
    return v->kind == X_LIST ||
           weir__x_fail(m, WEIR_INVALID, "sprig.%s: an array is wanted, not a value of type %s",
                        name, weir__x_go_type(v));
}
