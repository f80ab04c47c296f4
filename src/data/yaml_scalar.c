#include "data/yaml_scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>
#include <yaml.h>

typedef enum match { NO_MATCH, MATCH, BEYOND } match;

/* `word` is lower case; Word and WORD count too. */
static bool is_word(weir_str text, const char *word) {
    size_t length = strlen(word);
    if (text.length != length || strncasecmp(text.data, word, length) != 0) return false;
    bool upper = length > 1 && isupper((unsigned char)text.data[1]);
    for (size_t i = 2; i < length; i++)
        if ((isupper((unsigned char)text.data[i]) != 0) != upper) return false;
    return !upper || isupper((unsigned char)text.data[0]);
}

static bool is_null(weir_str text) {
    return text.length == 0 || weir_str_is(text, "~") || is_word(text, "null");
}

static bool match_bool(weir_str text, weir_yaml_booleans booleans, bool *out) {
    static const char *const words[][2] = {
        {"false", "true"}, {"no", "yes"}, {"off", "on"}, {"n", "y"}};
    size_t count = booleans == WEIR_YAML_1_1 ? sizeof words / sizeof *words : 1;
    for (size_t i = 0; i < count; i++) {
        *out = is_word(text, words[i][1]);
        if (*out || is_word(text, words[i][0])) return true;
    }
    return false;
}

/* Integers of YAML 1.1 as Argo reads them: 0755 and 0o755 are octal, 0b1 is binary, _ may be between digits. */
static uint64_t base_of(weir_str digits, bool old, size_t *prefix) {
    char zero = digits.length > 1 ? digits.data[0] : ' ', kind = zero == '0' ? digits.data[1] : ' ';
    if (old) kind = (char)tolower((unsigned char)kind);
    *prefix = 2;
    if (kind == 'x') return 16;
    if (kind == 'o') return 8;
    if (old && kind == 'b') return 2;
    *prefix = old && digits.length > 1 && digits.data[0] == '0';
    return *prefix ? 8 : 10;
}

static match match_int(weir_str text, bool old, int64_t *out) {
    bool negative = weir_str_starts(text, WEIR_STR("-"));
    size_t at = negative || weir_str_starts(text, WEIR_STR("+"));
    size_t prefix;
    uint64_t base = base_of(weir_str_slice(text, at, text.length), old, &prefix);
    at += prefix;
    if (at == text.length) return NO_MATCH;
    if (old && text.data[at] == '_' && !prefix) return NO_MATCH;
    uint64_t number = 0, most = (uint64_t)INT64_MAX + negative;
    bool beyond = false;
    for (; at < text.length; at++) {
        if (old && text.data[at] == '_') continue;
        int c = tolower((unsigned char)text.data[at]);
        uint64_t digit = isdigit(c) ? (uint64_t)(c - '0')
                         : c >= 'a' ? (uint64_t)(c - 'a' + 10)
                                    : 99;
        if (digit >= base) return NO_MATCH;
        beyond = beyond || number > (most - digit) / base;
        if (!beyond) number = number * base + digit;
    }
    if (beyond) return BEYOND;
    *out = (int64_t)(negative ? 0 - number : number);
    return MATCH;
}

static size_t skip_digits(weir_str text, size_t at) {
    while (at < text.length && isdigit((unsigned char)text.data[at])) at++;
    return at;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(weir_str text) {
    const char *s = text.data;
    size_t from = s[0] == '-' || s[0] == '+', at = skip_digits(text, from), digits = at - from;
    if (s[at] == '.') {
        size_t end = skip_digits(text, at + 1);
        digits += end - at - 1;
        at = end;
    }
    if (!digits) return false;
    if (s[at] == 'e' || s[at] == 'E') {
        from = at + 1 + (s[at + 1] == '-' || s[at + 1] == '+');
        at = skip_digits(text, from);
        if (at == from) return false;
    }
    return at == text.length;
}

/* YAML 1.1 has _ between digits of floats, too. */
static match match_parted(weir_str text, double *out) {
    weir_buffer whole = {0};
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != '_') weir_buffer_byte(&whole, text.data[i]);
    bool decimal = whole.data && !strchr("._", text.data[0]) && is_decimal(weir_buffer_str(&whole));
    if (decimal) *out = strtod(whole.data, NULL);
    weir_buffer_deinit(&whole);
    return !decimal ? NO_MATCH : isfinite(*out) ? MATCH : BEYOND;
}

static match match_float(weir_str text, bool old, double *out) {
    if (weir_str_is(text, ".nan") || weir_str_is(text, ".NaN") || weir_str_is(text, ".NAN")) {
        *out = (double)NAN;
        return MATCH;
    }
    bool negative = text.data[0] == '-';
    weir_str word = weir_str_slice(text, negative || text.data[0] == '+', text.length);
    if (weir_str_starts(word, WEIR_STR(".")) &&
        is_word(weir_str_slice(word, 1, word.length), "inf")) {
        *out = negative ? -(double)INFINITY : (double)INFINITY;
        return MATCH;
    }
    if (old && weir_str_find(text, WEIR_STR("_"), 0) != SIZE_MAX) return match_parted(text, out);
    if (!is_decimal(text)) return NO_MATCH;
    double number = strtod(text.data, NULL);
    if (!isfinite(number)) return BEYOND;
    *out = number;
    return MATCH;
}

typedef enum kind { ANY, STRING, NOTHING, BOOLEAN, INTEGER, FLOAT, UNKNOWN } kind;

static kind kind_of(const char *tag, bool plain) {
    static const struct {
        const char *tag;
        kind kind;
    } kinds[] = {{"!", STRING},
                 {YAML_STR_TAG, STRING},
                 {YAML_NULL_TAG, NOTHING},
                 {YAML_BOOL_TAG, BOOLEAN},
                 {YAML_INT_TAG, INTEGER},
                 {YAML_FLOAT_TAG, FLOAT}};
    if (!tag) return plain ? ANY : STRING;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(tag, kinds[i].tag) == 0) return kinds[i].kind;
    return UNKNOWN;
}

bool weir__yaml_scalar(weir_str text, const char *tag, bool plain, weir_yaml_booleans booleans,
                       weir_value **out, weir_error *error) {
    kind wanted = kind_of(tag, plain);
    if (wanted == UNKNOWN)
        return weir_fail(error, WEIR_UNSUPPORTED, "a scalar cannot have the tag `%s`", tag);
    bool boolean;
    int64_t integer;
    double number;
    match matched = NO_MATCH;
    if ((wanted == ANY || wanted == NOTHING) && is_null(text))
        *out = weir_null_new();
    else if ((wanted == ANY || wanted == BOOLEAN) && match_bool(text, booleans, &boolean))
        *out = weir_bool_new(boolean);
    else if ((wanted == ANY || wanted == INTEGER) &&
             (matched = match_int(text, booleans == WEIR_YAML_1_1, &integer)) == MATCH)
        *out = weir_int_new(integer);
    else if (matched != BEYOND && (wanted == ANY || wanted == FLOAT) &&
             (matched = match_float(text, booleans == WEIR_YAML_1_1, &number)) == MATCH)
        *out = weir_float_new(number);
    else if (matched == BEYOND) {
        weir_fail(error, WEIR_INVALID, "the number `%.*s` is too large", WEIR_ARG(text));
        weir_error_hint(error, "quote it to make it a text");
        return false;
    } else if (wanted == ANY || wanted == STRING)
        *out = weir_string_from(text);
    else
        return weir_fail(error, WEIR_INVALID, "`%.*s` is not what its tag `%s` says",
                         WEIR_ARG(text), tag);
    return true;
}
