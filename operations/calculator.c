/* The calculator of DFFML's tutorial: does what a line says, such as "add 40 and 2". */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <weir/operation.h>

static const char *const type_names[] = {"null",   "bool",  "int",   "float",
                                         "string", "array", "object"};

static weir_value *parameter(const weir_host *host, weir_call *call, const char *name,
                             weir_type expected) {
    weir_value *value = host->parameter(call, name);
    if (value && host->value_type(value) == expected) return value;
    host->fail(call, "invalid", "parameter `%s` must be of type %s, found %s", name,
               type_names[expected], value ? type_names[host->value_type(value)] : "nothing");
    return NULL;
}

static const struct {
    const char *word;
    int value;
} number_words[] = {
    {"zero", 0},          {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},
    {"five", 5},          {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},
    {"ten", 10},          {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},
    {"fifteen", 15},      {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19},
    {"twenty", 20},       {"thirty", 30},  {"forty", 40},     {"fifty", 50},    {"sixty", 60},
    {"seventy", 70},      {"eighty", 80},  {"ninety", 90},    {"hundred", 100}, {"thousand", 1000},
    {"million", 1000000},
};

/* A number that is being read. What follows belongs to it while it is smaller than `room`: after
 * "forty" a digit, after "hundred" anything below 100, after a digit nothing. */
typedef struct number_reader {
    const weir_host *host;
    weir_call *call;
    weir_value *numbers;
    bool open, negative;
    double total, group;     /* whole millions and thousands; what is below them */
    double room, scale;      /* the last of million and thousand bounds the next */
    double decimals, places; /* "point two five" is 25 of 100; places is 0 without a point */
} number_reader;

static void end_decimals(number_reader *reader) {
    if (reader->places > 0)
        reader->group = (reader->group * reader->places + reader->decimals) / reader->places;
    reader->decimals = reader->places = 0;
}

static void finish(number_reader *reader) {
    if (reader->open) {
        end_decimals(reader);
        double number = reader->total + reader->group;
        if (reader->negative) number = -number;
        bool whole = fabs(number) < 9007199254740992.0 && number == trunc(number);
        reader->host->array_append(reader->numbers, whole ? reader->host->int_new((int64_t)number)
                                                          : reader->host->float_new(number));
    }
    *reader = (number_reader){.host = reader->host,
                              .call = reader->call,
                              .numbers = reader->numbers,
                              .room = INFINITY,
                              .scale = INFINITY};
}

static void read_value(number_reader *reader, double value, double room) {
    if (reader->places > 0 && value < 10) {
        if (reader->places >= 1e15) return; /* beyond what a double holds */
        reader->decimals = reader->decimals * 10 + value;
        reader->places *= 10;
        return;
    }
    if (reader->open && (value == 0 || value >= reader->room || reader->places > 0)) finish(reader);
    reader->open = true;
    reader->group += value;
    reader->room = room;
}

static void read_scale(number_reader *reader, double scale) {
    end_decimals(reader);
    if (scale == 100 ? reader->group >= 100 : scale >= reader->scale) finish(reader);
    double group = reader->group > 0 ? reader->group : 1;
    if (scale == 100) {
        reader->group = group * 100;
    } else {
        reader->total += group * scale;
        reader->group = 0;
        reader->scale = scale;
    }
    reader->open = true;
    reader->room = scale;
}

static bool is_word(weir_str text, const char *word) {
    return strlen(word) == text.length && strncasecmp(text.data, word, text.length) == 0;
}

static void read_word(number_reader *reader, weir_str word) {
    for (size_t i = 0; i < sizeof number_words / sizeof *number_words; i++) {
        if (!is_word(word, number_words[i].word)) continue;
        int value = number_words[i].value;
        if (value >= 100)
            read_scale(reader, value);
        else
            read_value(reader, value, value >= 20 ? 10 : 1);
        return;
    }
    if (is_word(word, "point") && reader->open && reader->places == 0) {
        reader->places = 1;
        return;
    }
    finish(reader);
    reader->negative = is_word(word, "minus") || is_word(word, "negative");
}

static const char *skip(const char *at, int (*belongs)(int)) {
    while (belongs((unsigned char)*at)) at++;
    return at;
}

/* Gives where the numeral ends: digits around one point at most; strtod would read on ("2e3"). */
static const char *read_numeral(number_reader *reader, const char *at, bool minus) {
    const char *end = skip(at, isdigit);
    if (end[0] == '.' && isdigit((unsigned char)end[1])) end = skip(end + 1, isdigit);
    size_t length = (size_t)(end - at);
    char *digits = memcpy(reader->host->alloc(reader->call, length + 1), at, length);
    bool negative = reader->negative || minus;
    if (reader->open) finish(reader), negative = minus;
    reader->negative = negative;
    reader->open = true;
    reader->group = strtod(digits, NULL);
    reader->room = 0;
    return end;
}

static bool parse_line(const weir_host *host, weir_call *call) {
    const weir_value *line = parameter(host, call, "line", WEIR_STRING);
    if (!line) return false;
    bool add = false, mult = false;
    number_reader reader = {.host = host, .call = call, .numbers = host->array_new()};
    finish(&reader);
    const char *begin = host->string_get(line).data;
    for (const char *at = begin; *at;) {
        bool minus = *at == '-' && (at == begin || !isalnum((unsigned char)at[-1]));
        if (isdigit((unsigned char)at[minus])) {
            at = read_numeral(&reader, at + minus, minus);
        } else if (isalpha((unsigned char)*at)) {
            weir_str word = {at, (size_t)(skip(at, isalpha) - at)};
            add |= strncasecmp(at, "add", 3) == 0;
            mult |= strncasecmp(at, "mult", 4) == 0;
            read_word(&reader, word);
            at += word.length;
        } else {
            if (*at != '-' && !isspace((unsigned char)*at)) finish(&reader);
            at++;
        }
    }
    finish(&reader);
    host->output(call, "add", host->bool_new(add));
    host->output(call, "mult", host->bool_new(mult));
    host->output(call, "numbers", reader.numbers);
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
                              i, type_names[type]);
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
    .about = "Reads what to do and the numbers, as digits or English words, from a line.",
    .inputs =
        (const weir_port[]){
            {"line", "str", "Such as \"add 40 and 2\" or \"multiply forty two and ten\"."},
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
