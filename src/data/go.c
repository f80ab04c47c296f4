#include "data/go.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"

/* The shortest digits that read back as the same number, without point; the number is 0.DIGITS * 10^*point. */
static int shortest(double f, char digits[static 32], int *point) {
    char text[40];
    int precision = 0;
    do {
        snprintf(text, sizeof text, "%.*e", precision, f);
    } while (strtod(text, NULL) != f && ++precision < 17);
    int count = 0;
    const char *s = text;
    for (; *s && *s != 'e'; s++)
        if (*s >= '0' && *s <= '9') digits[count++] = *s;
    *point = (int)strtol(s + 1, NULL, 10) + 1;
    while (count > 1 && digits[count - 1] == '0') count--;
    return count;
}

void weir_go_print_float(double f, bool json, weir_buffer *out) {
    char digits[32];
    int point;
    if (isnan(f) || isinf(f)) {
        weir_buffer_text(out, isnan(f) ? "NaN" : f > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (signbit(f)) weir_buffer_byte(out, '-');
    f = fabs(f);
    int count = shortest(f, digits, &point), exponent = point - 1;
    if (f == 0) exponent = 0, point = 1;
    bool scientific = json ? f != 0 && (f < 1e-6 || f >= 1e21) : exponent < -4 || exponent >= 6;
    if (scientific) {
        weir_buffer_byte(out, digits[0]);
        if (count > 1) weir_buffer_printf(out, ".%.*s", count - 1, digits + 1);
        int size = exponent < 0 ? -exponent : exponent;
        weir_buffer_printf(out, json && exponent < 0 ? "e%c%d" : "e%c%02d",
                           exponent < 0 ? '-' : '+', size);
        return;
    }
    if (point <= 0) {
        weir_buffer_text(out, "0.");
        for (int i = point; i < 0; i++) weir_buffer_byte(out, '0');
        weir_buffer_append(out, digits, (size_t)count);
        return;
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point) weir_buffer_byte(out, '.');
        weir_buffer_byte(out, i < count ? digits[i] : '0');
    }
}

void weir_go_append_text(const weir_value *value, weir_buffer *out) {
    if (weir_is(value, WEIR_FLOAT))
        weir_go_print_float(weir_number_get(value), true, out);
    else
        weir_json_plain(value, out);
}

weir_value *weir_go_text_of(const weir_value *value) {
    if (!weir_is(value, WEIR_FLOAT)) return weir_json_as_text(value);
    weir_buffer text = {0};
    weir_go_append_text(value, &text);
    weir_value *made = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return made;
}
