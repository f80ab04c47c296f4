/* Chance from the seed of the run: the same invocation draws the same, whenever it is tried. */
#include <math.h>
#include <stdio.h>

#include "operations.h"
#include "parameter.h"

static uint64_t draw(const weir_host *host, weir_call *call) {
    uint64_t number = 0;
    host->random(call, &number, sizeof number);
    return number;
}

/* From 0 to `most`, all equally likely: what would favour some is drawn again. */
static uint64_t draw_to(const weir_host *host, weir_call *call, uint64_t most) {
    uint64_t mask = UINT64_MAX, number;
    while (mask >> 1 >= most && mask) mask >>= 1;
    do number = draw(host, call) & mask;
    while (number > most);
    return number;
}

/* From 0 to below 1: 53 bits, as many as a double has. */
static double draw_fraction(const weir_host *host, weir_call *call) {
    return (double)(draw(host, call) >> 11) * 0x1p-53;
}

static bool random_int(const weir_host *host, weir_call *call) {
    int64_t least = 0, most = 0;
    if (!weir__int_given(host, call, "least", INT64_MIN, INT64_MAX, &least) ||
        !weir__int_needed(host, call, "most", least, INT64_MAX, &most))
        return false;
    uint64_t above = draw_to(host, call, (uint64_t)most - (uint64_t)least);
    host->output(call, "number", host->int_new((int64_t)((uint64_t)least + above)));
    return true;
}

static bool take_number(const weir_host *host, weir_call *call, const char *name, double *out) {
    const weir_value *value = weir__given(host, call, name);
    if (!value) return true;
    if (!is_number(host, value))
        return host->fail(call, "invalid", "`%s` must be of type int or float, found %s", name,
                          type_name(host, value));
    *out = host->number_get(value);
    return true;
}

static bool random_float(const weir_host *host, weir_call *call) {
    double least = 0, most = 1;
    if (!take_number(host, call, "least", &least) || !take_number(host, call, "most", &most))
        return false;
    if (!(least < most)) return host->fail(call, "invalid", "`least` must be below `most`");
    if (!isfinite(most - least))
        return host->fail(call, "limit_exceeded", "`most` is too far from `least`");
    double number = least + draw_fraction(host, call) * (most - least);
    /* Rounding may reach what should only be approached. */
    host->output(call, "number", host->float_new(number < most ? number : least));
    return true;
}

static bool choice(const weir_host *host, weir_call *call) {
    const weir_value *list = weir__typed(host, call, "list", WEIR_ARRAY);
    if (!list) return false;
    size_t count = host->value_count(list);
    if (!count) return host->fail(call, "invalid", "the list is empty");
    size_t place = (size_t)draw_to(host, call, count - 1);
    host->output(call, "item", host->value_ref(host->array_at(list, place)));
    return true;
}

/* Fisher and Yates. */
static bool shuffle(const weir_host *host, weir_call *call) {
    const weir_value *list = weir__typed(host, call, "list", WEIR_ARRAY);
    if (!list) return false;
    size_t count = host->value_count(list);
    size_t *places = host->alloc(call, (count + 1) * sizeof *places);
    for (size_t i = 0; i < count; i++) places[i] = i;
    weir_value *made = host->array_new();
    for (size_t i = 0; i < count; i++) {
        size_t other = i + (size_t)draw_to(host, call, count - 1 - i), taken = places[other];
        places[other] = places[i];
        host->array_append(made, host->value_ref(host->array_at(list, taken)));
    }
    host->output(call, "list", made);
    return true;
}

/* Version 4 (RFC 9562). */
static bool uuid(const weir_host *host, weir_call *call) {
    unsigned char b[16];
    char text[40];
    host->random(call, b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    int length = snprintf(text, sizeof text,
                          "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                          b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                          b[12], b[13], b[14], b[15]);
    host->output(call, "uuid", host->string_new(text, (size_t)length));
    return true;
}

#define LIST_IN PORTS({"list", "array", "The list."})

/* Not pure: two invocations with the same inputs draw differently. */
static const weir_operation *const operations[] = {
    OPERATION(.name = "random.int", .about = "Draws an int, all equally likely.",
              .inputs = NO_PORTS, .outputs = PORTS({"number", "int", "The int."}),
              .config = PORTS({"least", "int", "The least.", .otherwise = "0"},
                              {"most", "int", "The largest."}),
              .hints = WEIR_CHEAP, .run = random_int,
              .example = "operations:\n"
                         "  dice: {name: random.int, outputs: {number: eyes}}\n"
                         "configs:\n"
                         "  dice: {least: 1, most: 6}\n"),
    OPERATION(.name = "random.float", .about = "Draws a float, all equally likely.",
              .inputs = NO_PORTS, .outputs = PORTS({"number", "float", "The float."}),
              .config = PORTS({"least", "float", "The least.", .otherwise = "0.0"},
                              {"most", "float", "What it stays below.", .otherwise = "1.0"}),
              .hints = WEIR_CHEAP, .run = random_float),
    OPERATION(.name = "random.choice", .about = "Draws an item of a list.", .inputs = LIST_IN,
              .outputs = PORTS({"item", "generic", "The item; an empty list fails."}),
              .config = NO_PORTS, .hints = WEIR_CHEAP, .run = choice),
    OPERATION(.name = "random.shuffle", .about = "Puts the items of a list in a random order.",
              .inputs = LIST_IN, .outputs = PORTS({"list", "array", "The new list."}),
              .config = NO_PORTS, .hints = WEIR_CHEAP, .run = shuffle),
    OPERATION(.name = "random.uuid", .about = "Draws a UUID (version 4).", .inputs = NO_PORTS,
              .outputs = PORTS({"uuid", "str", "Such as 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed."}),
              .config = NO_PORTS, .hints = WEIR_CHEAP, .run = uuid),
    NULL};

PLUGIN(weir_random_plugin, "random", operations)
