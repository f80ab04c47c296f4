/* The calculator of DFFML's tutorial: does what a line says, such as "add 40 and 2". */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parameter.h"

/* Appends the numeral and gives where it ends: digits around one point at most; strtod would read on ("2e3"). */
static const char *read_numeral(const weir_host *host, weir_call *call, const char *begin,
                                weir_value *numbers) {
    const char *end = begin + (*begin == '-' || *begin == '+');
    while (isdigit((unsigned char)*end)) end++;
    if (end[0] == '.' && isdigit((unsigned char)end[1]))
        for (end++; isdigit((unsigned char)*end);) end++;
    size_t length = (size_t)(end - begin);
    double number = strtod(memcpy(host->alloc(call, length + 1), begin, length), NULL);
    bool whole = fabs(number) < 9007199254740992.0 && number == trunc(number);
    host->array_append(numbers, whole ? host->int_new((int64_t)number) : host->float_new(number));
    return end;
}

/* A sign that follows a letter or a digit is a hyphen or a range. */
static bool parse_line(const weir_host *host, weir_call *call) {
    const weir_value *line = parameter(host, call, "line", WEIR_STRING);
    if (!line) return false;
    bool add = false, mult = false;
    weir_value *numbers = host->array_new();
    const char *begin = host->string_get(line).data;
    for (const char *at = begin; *at;) {
        unsigned char before = at > begin ? (unsigned char)at[-1] : ' ';
        bool sign = (*at == '-' || *at == '+') && !isalnum(before);
        if (isdigit((unsigned char)at[sign])) {
            at = read_numeral(host, call, at, numbers);
            continue;
        }
        add |= !isalpha(before) && strncasecmp(at, "add", 3) == 0;
        mult |= !isalpha(before) && strncasecmp(at, "mult", 4) == 0;
        at++;
    }
    host->output(call, "add", host->bool_new(add));
    host->output(call, "mult", host->bool_new(mult));
    host->output(call, "numbers", numbers);
    return true;
}

/* Exact while all are ints and the result is one. */
static bool fold(const weir_host *host, weir_call *call, bool product, const char *name) {
    const weir_value *numbers = parameter(host, call, "numbers", WEIR_ARRAY);
    if (!numbers) return false;
    int64_t exact = product;
    double approximate = product;
    bool whole = true;
    for (size_t i = 0; i < host->value_count(numbers); i++) {
        const weir_value *item = host->array_at(numbers, i);
        weir_type type = host->value_type(item);
        if (type != WEIR_INT && type != WEIR_FLOAT)
            return host->fail(call, "invalid",
                              "parameter `numbers`: item %zu must be of type int or float, found "
                              "%s",
                              i, type_name(host, item));
        double number = host->number_get(item);
        approximate = product ? approximate * number : approximate + number;
        whole = whole && type == WEIR_INT &&
                !(product ? __builtin_mul_overflow(exact, host->int_get(item), &exact)
                          : __builtin_add_overflow(exact, host->int_get(item), &exact));
    }
    host->output(call, name, whole ? host->int_new(exact) : host->float_new(approximate));
    return true;
}

static bool add(const weir_host *host, weir_call *call) {
    return fold(host, call, false, "sum");
}

static bool mult(const weir_host *host, weir_call *call) {
    return fold(host, call, true, "product");
}

static const weir_port no_ports[] = {{NULL, NULL, NULL}};
static const weir_port numbers_port[] = {
    {"numbers", "array", "The numbers."},
    {NULL, NULL, NULL},
};
static const weir_operation parse_operation = {
    .size = sizeof(weir_operation),
    .name = "calculator.parse_line",
    .about = "Reads what to do and the numbers, in digits, from a line.",
    .inputs =
        (const weir_port[]){
            {"line", "str", "Such as \"add 40 and 2\" or \"multiply 42 and -1.5\"."},
            {NULL, NULL, NULL},
        },
    .outputs =
        (const weir_port[]){
            {"add", "bool", "Whether the line says to add."},
            {"mult", "bool", "Whether the line says to multiply."},
            {"numbers", "array", "The numbers in the line, in its order."},
            {NULL, NULL, NULL},
        },
    .config = no_ports,
    .hints = WEIR_PURE | WEIR_CHEAP,
    .run = parse_line,
};
static const weir_operation add_operation = {
    .size = sizeof(weir_operation),
    .name = "calculator.add",
    .about = "Adds numbers.",
    .inputs = numbers_port,
    .outputs = (const weir_port[]){{"sum", "generic", "Of no numbers: 0."}, {NULL, NULL, NULL}},
    .config = no_ports,
    .hints = WEIR_PURE | WEIR_CHEAP,
    .run = add,
};
static const weir_operation mult_operation = {
    .size = sizeof(weir_operation),
    .name = "calculator.mult",
    .about = "Multiplies numbers.",
    .inputs = numbers_port,
    .outputs = (const weir_port[]){{"product", "generic", "Of no numbers: 1."}, {NULL, NULL, NULL}},
    .config = no_ports,
    .hints = WEIR_PURE | WEIR_CHEAP,
    .run = mult,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "calculator",
    .version = "1",
    .operations =
        (const weir_operation *const[]){&parse_operation, &add_operation, &mult_operation, NULL},
};

const weir_plugin *weir_calculator_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
