#include "base/size.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char letters[] = "kmgtp";
static const double BYTES_MAX = 9e18;

/* What a unit is worth; 0: it is none. */
static double unit_of(weir_str unit) {
    char name[4] = "";
    if (unit.length >= sizeof name) return 0;
    for (size_t i = 0; i < unit.length; i++) name[i] = (char)tolower((unsigned char)unit.data[i]);
    if (!*name || strcmp(name, "b") == 0) return 1;
    const char *letter = strchr(letters, name[0]);
    if (!letter) return 0;
    bool binary = strcmp(name + 1, "ib") == 0 || strcmp(name + 1, "i") == 0;
    if (name[1] && strcmp(name + 1, "b") != 0 && !binary) return 0;
    return pow(binary ? 1024 : 1000, (double)(letter - letters + 1));
}

bool weir_size_parse(weir_str text, uint64_t *bytes, weir_error *error) {
    char number[32] = "", *end = number;
    size_t digits = 0;
    while (digits < text.length && digits < sizeof number - 1 &&
           (isdigit((unsigned char)text.data[digits]) || text.data[digits] == '.'))
        digits++;
    memcpy(number, text.data, digits);
    double amount = strtod(number, &end);
    double unit = unit_of(weir_str_trim(weir_str_slice(text, digits, text.length)));
    if (digits && !*end && unit > 0 && amount * unit < BYTES_MAX) {
        *bytes = (uint64_t)llround(amount * unit);
        return true;
    }
    weir_fail(error, WEIR_INVALID, "`%.*s` is not a size", WEIR_ARG(text));
    weir_error_hint(error, "write for example 500MB, 10GB or 2TiB");
    return false;
}

bool weir_cpu_parse(weir_str text, uint32_t *milli, weir_error *error) {
    char number[32] = "", *end = number;
    bool thousandths = text.length > 1 && text.data[text.length - 1] == 'm';
    size_t digits = text.length - thousandths;
    for (size_t i = 0; i < digits && i < sizeof number - 1; i++) number[i] = text.data[i];
    bool plain = digits && digits < sizeof number && strspn(number, "0123456789.") == digits;
    double amount = plain ? strtod(number, &end) * (thousandths ? 1 : 1000) : 0;
    if (plain && !*end && amount > 0 && amount <= 1e9) {
        uint32_t whole = (uint32_t)ceil(amount - 1e-6); /* 8.06 times 1000 is a little more */
        *milli = whole ? whole : 1;
        return true;
    }
    weir_fail(error, WEIR_INVALID, "`%.*s` is no number of processors", WEIR_ARG(text));
    weir_error_hint(error, "write for example 2, 0.5 or 500m");
    return false;
}

const char *weir_size_format(uint64_t bytes, char out[static 24]) {
    static const char *const names[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double amount = (double)bytes;
    int unit = -1;
    for (; amount >= 999.95 && unit < 5; unit++) amount /= 1000;
    if (unit < 0)
        snprintf(out, 24, "%" PRIu64 " B", bytes);
    else
        snprintf(out, 24, "%.1f %s", amount, names[unit]);
    return out;
}
