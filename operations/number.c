#include "number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "text.h"

static const char too_large[] = "does not fit an int of 64 bits";

static size_t count_digits(weir_str text, size_t from) {
    size_t at = from;
    while (at < text.length && isdigit((unsigned char)text.data[at])) at++;
    return at - from;
}

/* What a numeral is made of. */
typedef struct numeral {
    bool negative, point, valid;
    size_t whole_at, whole, fraction, exponent;
} numeral;

static numeral read_numeral(weir_str text) {
    numeral n = {0};
    size_t at = 0;
    if (at < text.length && (text.data[at] == '-' || text.data[at] == '+'))
        n.negative = text.data[at++] == '-';
    n.whole_at = at;
    n.whole = count_digits(text, at);
    at += n.whole;
    if (at < text.length && text.data[at] == '.') {
        n.point = true;
        n.fraction = count_digits(text, ++at);
        at += n.fraction;
    }
    n.valid = n.whole + n.fraction > 0;
    if (at < text.length && (text.data[at] | 0x20) == 'e') {
        at++;
        if (at < text.length && (text.data[at] == '+' || text.data[at] == '-')) at++;
        n.exponent = count_digits(text, at);
        n.valid = n.valid && n.exponent > 0;
        at += n.exponent;
    }
    n.valid = n.valid && at == text.length;
    return n;
}

bool weir__is_json_number(weir_str text) {
    numeral n = read_numeral(text);
    return n.valid && text.data[0] != '+' && n.whole > 0 && n.point == (n.fraction > 0) &&
           (n.whole == 1 || text.data[n.whole_at] != '0');
}

static weir_value *parse_int(const weir_host *host, weir_str text, const numeral *n,
                             const char **problem) {
    uint64_t number = 0, most = (uint64_t)INT64_MAX + n->negative;
    for (size_t i = n->whole_at; i < n->whole_at + n->whole; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (number > (most - digit) / 10) {
            *problem = too_large;
            return NULL;
        }
        number = number * 10 + digit;
    }
    return host->int_new(n->negative ? (int64_t)(0 - number) : (int64_t)number);
}

weir_value *weir__number_parse(const weir_host *host, weir_call *call, weir_str text,
                               const char **problem) {
    numeral n = read_numeral(text);
    if (!n.valid) {
        *problem = "is no number";
        return NULL;
    }
    if (!n.point && !n.exponent) return parse_int(host, text, &n, problem);
    double number = strtod(weir__copy(host, call, text), NULL);
    if (isfinite(number)) return host->float_new(number);
    *problem = "is beyond the range of floats";
    return NULL;
}

bool weir__give_float(const weir_host *host, weir_call *call, const char *output, double number) {
    if (!isfinite(number))
        return host->fail(call, "limit_exceeded", "the result is beyond the range of floats");
    host->output(call, output, host->float_new(number));
    return true;
}

/* The 64 bits of an int and the 53 of a double fit a long double. */
static long double exact(const weir_host *host, const weir_value *value) {
    return host->value_type(value) == WEIR_INT ? (long double)host->int_get(value)
                                               : (long double)host->number_get(value);
}

int weir__number_compare(const weir_host *host, const weir_value *a, const weir_value *b) {
    long double x = exact(host, a), y = exact(host, b);
    return (x > y) - (x < y);
}

weir_value *weir__number_multiply(const weir_host *host, const weir_value *a, const weir_value *b,
                                  const char **problem) {
    if (host->value_type(a) == WEIR_INT && host->value_type(b) == WEIR_INT) {
        int64_t product;
        if (!__builtin_mul_overflow(host->int_get(a), host->int_get(b), &product))
            return host->int_new(product);
        *problem = too_large;
        return NULL;
    }
    double product = host->number_get(a) * host->number_get(b);
    if (isfinite(product)) return host->float_new(product);
    *problem = "is beyond the range of floats";
    return NULL;
}
