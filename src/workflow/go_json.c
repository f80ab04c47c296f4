/* What Go's decoder says of a text that is no JSON: the first byte that fits nowhere, and what was looked for. Argo shows it. */
#include <stdio.h>

#include "workflow/coordinator.h"

enum { DEPTH_MAX = 1000 };

typedef struct reader {
    weir_str text;
    size_t at;
    unsigned depth;
    weir_error *error;
} reader;

static bool ended(const reader *r) {
    return r->at >= r->text.length;
}

static char here(const reader *r) {
    return r->text.data[r->at];
}

/* Always false. */
static bool refuse(reader *r, const char *where) {
    if (ended(r)) return weir_fail(r->error, WEIR_INVALID, "unexpected end of JSON input");
    unsigned char ch = (unsigned char)here(r);
    if (ch == '\'') return weir_fail(r->error, WEIR_INVALID, "invalid character '\\'' %s", where);
    if (ch < ' ' || ch > '~')
        return weir_fail(r->error, WEIR_INVALID, "invalid character '\\x%02x' %s", ch, where);
    return weir_fail(r->error, WEIR_INVALID, "invalid character '%c' %s", ch, where);
}

static void skip_blanks(reader *r) {
    while (!ended(r) && strchr(" \t\r\n", here(r)) && here(r)) r->at++;
}

static bool take(reader *r, char ch) {
    if (ended(r) || here(r) != ch) return false;
    r->at++;
    return true;
}

static bool read_string(reader *r) {
    for (r->at++; !ended(r) && here(r) != '"'; r->at++) {
        if ((unsigned char)here(r) < ' ') return refuse(r, "in string literal");
        if (here(r) != '\\') continue;
        r->at++;
        if (ended(r) || !strchr("bfnrt\\/\"u", here(r)) || !here(r))
            return refuse(r, "in string escape code");
    }
    return take(r, '"') || refuse(r, "");
}

static bool read_digits(reader *r, const char *where) {
    if (ended(r) || here(r) < '0' || here(r) > '9') return refuse(r, where);
    while (!ended(r) && here(r) >= '0' && here(r) <= '9') r->at++;
    return true;
}

static bool read_number(reader *r) {
    (void)take(r, '-');
    if (!take(r, '0') && !read_digits(r, "in numeric literal")) return false;
    if (take(r, '.') && !read_digits(r, "after decimal point in numeric literal")) return false;
    if (!take(r, 'e') && !take(r, 'E')) return true;
    if (!take(r, '+')) (void)take(r, '-');
    return read_digits(r, "in exponent of numeric literal");
}

static bool read_word(reader *r, const char *word) {
    char where[64];
    for (size_t i = 0; word[i]; i++) {
        snprintf(where, sizeof where, "in literal %s (expecting '%c')", word, word[i]);
        if (!take(r, word[i])) return refuse(r, where);
    }
    return true;
}

static bool read_value(reader *r);

static bool read_list(reader *r) {
    r->at++;
    skip_blanks(r);
    if (take(r, ']')) return true;
    for (;;) {
        if (!read_value(r)) return false;
        skip_blanks(r);
        if (take(r, ']')) return true;
        if (!take(r, ',')) return refuse(r, "after array element");
    }
}

static bool read_object(reader *r) {
    r->at++;
    skip_blanks(r);
    if (take(r, '}')) return true;
    for (;;) {
        skip_blanks(r);
        if (ended(r) || here(r) != '"')
            return refuse(r, "looking for beginning of object key string");
        if (!read_string(r)) return false;
        skip_blanks(r);
        if (!take(r, ':')) return refuse(r, "after object key");
        if (!read_value(r)) return false;
        skip_blanks(r);
        if (take(r, '}')) return true;
        if (!take(r, ',')) return refuse(r, "after object key:value pair");
    }
}

static bool read_value(reader *r) {
    skip_blanks(r);
    char ch = ended(r) ? '\0' : here(r);
    if (++r->depth > DEPTH_MAX) return weir_fail(r->error, WEIR_LIMIT, "exceeded max depth");
    bool good = ch == '{'                               ? read_object(r)
                : ch == '['                             ? read_list(r)
                : ch == '"'                             ? read_string(r)
                : ch == '-' || (ch >= '0' && ch <= '9') ? read_number(r)
                : ch == 't'                             ? read_word(r, "true")
                : ch == 'f'                             ? read_word(r, "false")
                : ch == 'n'                             ? read_word(r, "null")
                            : refuse(r, "looking for beginning of value");
    r->depth--;
    return good;
}

bool weir__fail_as_go(weir_str text, weir_error *error) {
    reader r = {.text = text, .error = error};
    if (!read_value(&r)) return false;
    skip_blanks(&r);
    if (!ended(&r)) return refuse(&r, "after top-level value");
    return weir_fail(error, WEIR_INVALID, "this is not a JSON value"); /* weir is stricter */
}
