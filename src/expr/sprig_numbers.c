#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr/gotime.h"
#include "expr/sprig.h"
#include "expr/text.h"

SPRIG(call_atoi) {
    UNUSED;
    int64_t value = 0;
    if (!weir__x_parse_int(x_text(a), &value)) value = 0;
    *out = x_int(value);
    return true;
}

SPRIG(call_int) {
    UNUSED;
    *out = x_int(weir__sprig_int(a));
    return true;
}

SPRIG(call_int64) {
    UNUSED;
    *out = x_int64(weir__sprig_int(a));
    return true;
}

SPRIG(call_float64) {
    UNUSED;
    *out = x_float(weir__sprig_float(a));
    return true;
}

SPRIG(call_to_decimal) {
    (void)n;
    weir_str text = weir__sprig_text(m, a);
    int64_t value = 0;
    bool ok = text.length > 0 && text.length < 22;
    for (size_t i = text.length > 0 && text.data[0] == '-'; i < text.length && ok; i++) {
        ok = text.data[i] >= '0' && text.data[i] <= '7';
        value = value * 8 + (text.data[i] - '0');
    }
    *out = x_int64(!ok ? 0 : text.data[0] == '-' ? -value : value);
    return true;
}

static bool step_list(x_machine *m, int64_t from, int64_t to, int64_t step, x *out) {
    bool none = to < from ? step >= 0 : step <= 0;
    uint64_t span = to < from ? (uint64_t)from - (uint64_t)to : (uint64_t)to - (uint64_t)from;
    uint64_t size = step < 0 ? 0 - (uint64_t)step : (uint64_t)step,
             count = none ? 0 : (span + size - 1) / size;
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    for (uint64_t i = 0; i < count; i++) items[i] = x_int(from + (int64_t)i * step);
    *out = weir__x_list(items, count, X_OF_INT);
    return true;
}

SPRIG(call_until) {
    (void)n;
    return step_list(m, 0, a->integer, a->integer < 0 ? -1 : 1, out);
}

SPRIG(call_until_step) {
    (void)n;
    return step_list(m, a[0].integer, a[1].integer, a[2].integer, out);
}

SPRIG(call_seq) {
    int64_t from = 1, to = 0, step = 1;
    *out = x_str(WEIR_STR(""));
    if (n == 0 || n > 3) return true;
    if (n > 1) from = a[0].integer;
    to = a[n - 1].integer;
    int64_t way = to < from ? -1 : 1;
    step = n == 3 ? a[1].integer : way;
    if (n == 3 && to < from && step > 0) return true;
    x list;
    if (!step_list(m, from, to + way, step, &list)) return false;
    for (size_t i = 0; i < list.length; i++)
        weir_buffer_printf(&m->scratch, "%s%lld", i ? " " : "", (long long)list.items[i].integer);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

static int64_t wrapped(char op, int64_t a, int64_t b) {
    uint64_t one = (uint64_t)a, two = (uint64_t)b;
    return (int64_t)(op == '+' ? one + two : op == '-' ? one - two : one * two);
}

SPRIG(call_add1) {
    UNUSED;
    *out = x_int64(wrapped('+', weir__sprig_int(a), 1));
    return true;
}

SPRIG(call_add) {
    (void)m;
    *out = x_int64(0);
    for (int i = 0; i < n; i++) out->integer = wrapped('+', out->integer, weir__sprig_int(&a[i]));
    return true;
}

SPRIG(call_sub) {
    UNUSED;
    *out = x_int64(wrapped('-', weir__sprig_int(a), weir__sprig_int(&a[1])));
    return true;
}

SPRIG(call_mul) {
    (void)m;
    *out = x_int64(weir__sprig_int(a));
    for (int i = 1; i < n; i++) out->integer = wrapped('*', out->integer, weir__sprig_int(&a[i]));
    return true;
}

static bool divide(x_machine *m, const x *a, bool rest, x *out) {
    int64_t one = weir__sprig_int(a), two = weir__sprig_int(&a[1]);
    if (two == 0) return weir__x_fail(m, WEIR_INVALID, "an integer is divided by zero");
    *out = x_int64(two == -1 ? (rest ? 0 : wrapped('-', 0, one)) : rest ? one % two : one / two);
    return true;
}

SPRIG(call_div) {
    (void)n;
    return divide(m, a, false, out);
}

SPRIG(call_mod) {
    (void)n;
    return divide(m, a, true, out);
}

SPRIG(call_max) {
    (void)m;
    *out = x_int64(weir__sprig_int(a));
    for (int i = 1; i < n; i++)
        if (weir__sprig_int(&a[i]) > out->integer) out->integer = weir__sprig_int(&a[i]);
    return true;
}

SPRIG(call_min) {
    (void)m;
    *out = x_int64(weir__sprig_int(a));
    for (int i = 1; i < n; i++)
        if (weir__sprig_int(&a[i]) < out->integer) out->integer = weir__sprig_int(&a[i]);
    return true;
}

SPRIG(call_maxf) {
    (void)m;
    *out = x_float(weir__sprig_float(a));
    for (int i = 1; i < n; i++) out->number = fmax(out->number, weir__sprig_float(&a[i]));
    return true;
}

SPRIG(call_minf) {
    (void)m;
    *out = x_float(weir__sprig_float(a));
    for (int i = 1; i < n; i++) out->number = fmin(out->number, weir__sprig_float(&a[i]));
    return true;
}

/* --- decimal numbers: digits * 10^exponent; what does not fit 126 bits is computed as a float */

typedef struct decimal {
    x_wide digits;
    int exponent;
    bool exact;
    double about;
} decimal;

static const x_wide wide_max = (x_wide)1 << 125;

static decimal decimal_of(double f) {
    decimal out = {.about = f, .exact = isfinite(f)};
    if (out.exact) {
        char digits[40];
        int precision = 0;
        do {
            snprintf(digits, sizeof digits, "%.*e", precision, f);
        } while (strtod(digits, NULL) != f && ++precision < 17);
        bool negative = digits[0] == '-';
        const char *s = digits;
        for (; *s && *s != 'e'; s++)
            if (*s >= '0' && *s <= '9') out.digits = out.digits * 10 + (*s - '0');
        out.exponent = (int)strtol(s + 1, NULL, 10) - precision;
        if (negative) out.digits = -out.digits;
    }
    return out;
}

static bool scale(decimal *d, int exponent) {
    for (; d->exponent > exponent; d->exponent--) {
        if (d->digits > wide_max / 10 || d->digits < -wide_max / 10) return false;
        d->digits *= 10;
    }
    return true;
}

static double to_double(const decimal *d) {
    char text[80];
    size_t at = sizeof text;
    x_wide rest = d->digits < 0 ? -d->digits : d->digits;
    if (!d->exact) return d->about;
    at -= (size_t)snprintf(text + sizeof text - 16, 16, "e%d", d->exponent) + 1;
    memmove(text + at, text + sizeof text - 16, sizeof text - at);
    do text[--at] = (char)('0' + (int)(rest % 10)), rest /= 10;
    while (rest > 0);
    if (d->digits < 0) text[--at] = '-';
    return strtod(text + at, NULL);
}

static decimal inexact(double about) {
    return (decimal){.about = about};
}

static decimal decimal_add(decimal a, decimal b) {
    double about = to_double(&a) + to_double(&b);
    int exponent = a.exponent < b.exponent ? a.exponent : b.exponent;
    if (!a.exact || !b.exact || !scale(&a, exponent) || !scale(&b, exponent)) return inexact(about);
    a.digits += b.digits;
    return a;
}

static decimal decimal_multiply(decimal a, decimal b) {
    double about = to_double(&a) * to_double(&b);
    x_wide size = b.digits < 0 ? -b.digits : b.digits, other = a.digits < 0 ? -a.digits : a.digits;
    if (!a.exact || !b.exact || (size > 0 && other > wide_max / size)) return inexact(about);
    return (decimal){
        .digits = a.digits * b.digits, .exponent = a.exponent + b.exponent, .exact = true};
}

/* To 16 places behind the point, halves away from zero. */
static decimal decimal_divide(decimal a, decimal b) {
    double about = to_double(&a) / to_double(&b);
    int shift = a.exponent - b.exponent + 16;
    bool ok = a.exact && b.exact, negative = (a.digits < 0) != (b.digits < 0);
    a.exponent = b.exponent = shift < 0 ? -shift : shift;
    ok = ok && scale(shift < 0 ? &b : &a, 0);
    if (!ok && a.exact && b.exact && shift < 0)
        return (decimal){.exponent = -16, .exact = true}; /* too small */
    if (!ok) return inexact(about);
    x_wide one = a.digits < 0 ? -a.digits : a.digits, two = b.digits < 0 ? -b.digits : b.digits;
    if (two == 0) return inexact(about);
    x_wide quotient = (one + two / 2) / two;
    return (decimal){.digits = negative ? -quotient : quotient, .exponent = -16, .exact = true};
}

static bool fold(x_machine *m, char op, double first, const x *a, int n, x *out) {
    decimal sum = decimal_of(first);
    for (int i = 0; i < n; i++) {
        decimal next = decimal_of(weir__sprig_float(&a[i]));
        if (op == '-') next.digits = -next.digits, next.about = -next.about;
        if (op == '/' && to_double(&next) == 0)
            return weir__x_fail(m, WEIR_INVALID, "a decimal number is divided by zero");
        sum = op == '*'   ? decimal_multiply(sum, next)
              : op == '/' ? decimal_divide(sum, next)
                          : decimal_add(sum, next);
    }
    *out = x_float(to_double(&sum));
    return true;
}

SPRIG(call_add1f) {
    (void)n;
    x one = x_int(1);
    return fold(m, '+', weir__sprig_float(a), &one, 1, out);
}

SPRIG(call_addf) {
    return fold(m, '+', 0, a, n, out);
}

SPRIG(call_subf) {
    return fold(m, '-', weir__sprig_float(a), a + 1, n - 1, out);
}

SPRIG(call_mulf) {
    return fold(m, '*', weir__sprig_float(a), a + 1, n - 1, out);
}

SPRIG(call_divf) {
    return fold(m, '/', weir__sprig_float(a), a + 1, n - 1, out);
}

SPRIG(call_ceil) {
    UNUSED;
    *out = x_float(ceil(weir__sprig_float(a)));
    return true;
}

SPRIG(call_floor) {
    UNUSED;
    *out = x_float(floor(weir__sprig_float(a)));
    return true;
}

SPRIG(call_round) {
    (void)m;
    double on = n > 2 ? a[2].number : 0.5, power = pow(10, (double)a[1].integer),
           digit = power * weir__sprig_float(a), whole;
    *out = x_float((modf(digit, &whole) >= on ? ceil(digit) : floor(digit)) / power);
    return true;
}

const x_function weir__sprig_numbers[] = {{"atoi", "@s:i", call_atoi},
                                          {"int", "@a:i", call_int},
                                          {"int64", "@a:i", call_int64},
                                          {"float64", "@a:f", call_float64},
                                          {"toDecimal", "@a:i", call_to_decimal},
                                          {"until", "@j:l", call_until},
                                          {"untilStep", "@jjj:l", call_until_step},
                                          {"seq", "@j*:s", call_seq},
                                          {"add1", "@a:i", call_add1},
                                          {"add", "@a*:i", call_add},
                                          {"sub", "@aa:i", call_sub},
                                          {"div", "@aa:i", call_div},
                                          {"mod", "@aa:i", call_mod},
                                          {"mul", "@aa*:i", call_mul},
                                          {"max", "@aa*:i", call_max},
                                          {"biggest", "@aa*:i", call_max},
                                          {"min", "@aa*:i", call_min},
                                          {"maxf", "@aa*:f", call_maxf},
                                          {"minf", "@aa*:f", call_minf},
                                          {"add1f", "@a:f", call_add1f},
                                          {"addf", "@a*:f", call_addf},
                                          {"subf", "@aa*:f", call_subf},
                                          {"mulf", "@aa*:f", call_mulf},
                                          {"divf", "@aa*:f", call_divf},
                                          {"ceil", "@a:f", call_ceil},
                                          {"floor", "@a:f", call_floor},
                                          {"round", "@ajf*:f", call_round},
                                          {0}};
