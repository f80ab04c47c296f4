/* Operations of DFFML, under its names, with its parameters, outputs and definitions. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "literal.h"
#include "number.h"
#include "operations.h"
#include "parameter.h"
#include "text.h"

enum { LINE_BYTES_MAX = 1024 * 1024, ASK_AGAIN_MS = 100 };

/* --- people --------------------------------------------------------------------------------- */

static bool write_all(const weir_host *host, weir_call *call, int descriptor, weir_str text) {
    while (text.length) {
        struct pollfd writable = {.fd = descriptor, .events = POLLOUT};
        if (host->cancelled(call)) return false;
        if (poll(&writable, 1, ASK_AGAIN_MS) == 0) continue;
        ssize_t written = write(descriptor, text.data, text.length);
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (written < 0)
            return host->fail(call, "io", "cannot write to standard output: %s", strerror(errno));
        text = weir__part(text, (size_t)written, text.length);
    }
    return true;
}

static bool print_output(const weir_host *host, weir_call *call) {
    const weir_value *data = weir__needed(host, call, "data");
    if (!data) return false;
    weir__text line = {host, call};
    weir__text_value(&line, data);
    weir__text_byte(&line, '\n');
    if (line.full)
        return host->fail(call, "limit_exceeded", "the text is larger than %d bytes",
                          TEXT_BYTES_MAX);
    return write_all(host, call, STDOUT_FILENO, weir__text_str(&line));
}

/* Waits until a byte can be read; false when the call should end. */
static bool wait_for_input(const weir_host *host, weir_call *call) {
    for (;;) {
        struct pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN};
        if (host->cancelled(call)) return false;
        if (poll(&readable, 1, ASK_AGAIN_MS) > 0) return true;
    }
}

/* Byte by byte: what is behind the line belongs to the next reader. */
static bool read_line(const weir_host *host, weir_call *call, weir__text *line) {
    for (;;) {
        char byte;
        if (!wait_for_input(host, call)) return false;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0)
            return host->fail(call, "io", "cannot read standard input: %s", strerror(errno));
        if (got == 0 && !line->length)
            return host->fail(call, "io", "standard input has ended; nobody can enter a value");
        if (got == 0 || byte == '\n') return true;
        if (line->length == LINE_BYTES_MAX)
            return host->fail(call, "limit_exceeded", "the line is longer than %d bytes",
                              LINE_BYTES_MAX);
        weir__text_byte(line, byte);
    }
}

static bool ask(const weir_host *host, weir_call *call, weir__text *line) {
    static const char prompt[] = "Enter the value: ";
    if (isatty(STDIN_FILENO) && write(STDERR_FILENO, prompt, sizeof prompt - 1) < 0)
        return host->fail(call, "io", "cannot ask: %s", strerror(errno));
    return read_line(host, call, line);
}

/* One at a time: two that read at once would share the letters of a line. */
static bool accept_user_input(const weir_host *host, weir_call *call) {
    static atomic_flag asking = ATOMIC_FLAG_INIT;
    weir__text line = {host, call};
    while (atomic_flag_test_and_set(&asking)) {
        if (host->cancelled(call)) return false;
        poll(NULL, 0, ASK_AGAIN_MS);
    }
    bool ok = ask(host, call, &line);
    atomic_flag_clear(&asking);
    if (!ok) return false;
    weir_str text = weir__text_str(&line);
    if (text.length && text.data[text.length - 1] == '\r') text.length--;
    if (!weir__is_text(text.data, text.length))
        return host->fail(call, "invalid", "the line is not UTF-8");
    host->output(call, "InputData", weir__string(host, text));
    return true;
}

/* --- mappings ------------------------------------------------------------------------------- */

static bool create_mapping(const weir_host *host, weir_call *call) {
    weir_str key;
    if (!weir__text_needed(host, call, "key", &key)) return false;
    weir_value *value = weir__needed(host, call, "value");
    if (!value) return false;
    weir_value *mapping = host->object_new();
    host->object_set(mapping, key.data, key.length, host->value_ref(value));
    host->output(call, "mapping", mapping);
    return true;
}

/* One step down: a member by name, an item by place (negative: from the end). NULL after failing. */
static weir_value *go_down(const weir_host *host, weir_call *call, const weir_value *at,
                           const weir_value *step) {
    weir_type type = host->value_type(at);
    weir__text shown = {host, call};
    weir__text_value(&shown, step);
    weir_str name = weir__text_str(&shown);
    if (type == WEIR_OBJECT) {
        weir_value *member = host->object_get(at, name.data, name.length);
        if (!member) host->fail(call, "not_found", "the mapping has no `%.*s`", SHOWN(name));
        return member;
    }
    bool place = type == WEIR_ARRAY && host->value_type(step) == WEIR_INT;
    if (!place) {
        host->fail(call, "invalid", "`%.*s` leads into %s", SHOWN(name), type_name(host, at));
        return NULL;
    }
    int64_t count = (int64_t)host->value_count(at), index = host->int_get(step);
    if (index < 0 && index >= -count) index += count;
    if (index >= 0 && index < count) return host->array_at(at, (size_t)index);
    host->fail(call, "not_found", "the array has no place `%.*s`", SHOWN(name));
    return NULL;
}

/* A path of one step is more of them, with dots between; a dot within quotes is none. A new array. */
static weir_value *split_path(const weir_host *host, weir_call *call, weir_str path) {
    weir_value *steps = host->array_new();
    weir__text step = {host, call};
    bool quoted = false;
    for (size_t i = 0; i <= path.length; i++) {
        bool end = i == path.length || (path.data[i] == '.' && !quoted);
        if (end) {
            host->array_append(steps, weir__string(host, weir__text_str(&step)));
            step.length = 0;
        } else if (path.data[i] == '\'' || path.data[i] == '"') {
            quoted = !quoted;
        } else {
            weir__text_byte(&step, path.data[i]);
        }
    }
    return steps;
}

static bool extract_mapping(const weir_host *host, weir_call *call) {
    weir_value *at = weir__needed(host, call, "mapping");
    weir_value *traverse = at ? weir__typed(host, call, "traverse", WEIR_ARRAY) : NULL;
    if (!traverse) return false;
    const weir_value *only = host->value_count(traverse) == 1 ? host->array_at(traverse, 0) : NULL;
    weir_value *steps = only && host->value_type(only) == WEIR_STRING
                            ? split_path(host, call, host->string_get(only))
                            : host->value_ref(traverse);
    for (size_t i = 0; at && i < host->value_count(steps); i++)
        at = go_down(host, call, at, host->array_at(steps, i));
    host->value_unref(steps);
    if (at) host->output(call, "value", host->value_ref(at));
    return at != NULL;
}

/* --- multiply ------------------------------------------------------------------------------- */

/* Python counts True as 1. A new value, or NULL. */
static weir_value *as_number(const weir_host *host, weir_value *value) {
    if (host->value_type(value) == WEIR_BOOL) return host->int_new(host->bool_get(value));
    return is_number(host, value) ? host->value_ref(value) : NULL;
}

static weir_value *repeat_text(const weir_host *host, weir_call *call, weir_str text,
                               int64_t times) {
    weir__text out = {host, call};
    out.full = text.length && times > (int64_t)(TEXT_BYTES_MAX / text.length);
    for (; text.length && times > 0 && !out.full; times--) weir__text_add(&out, text);
    return weir__text_take(&out);
}

/* The items of an array, again and again; NULL after failing. `room`: how many more the call may make. */
static weir_value *repeat_items(const weir_host *host, weir_call *call, const weir_value *array,
                                int64_t times, size_t *room) {
    size_t count = host->value_count(array);
    if (count && times > (int64_t)(*room / count)) {
        host->fail(call, "limit_exceeded", "more than %d items", ITEMS_MAX);
        return NULL;
    }
    if (times > 0) *room -= count * (size_t)times;
    weir_value *made = host->array_new();
    for (; count && times > 0; times--)
        for (size_t i = 0; i < count; i++)
            host->array_append(made, host->value_ref(host->array_at(array, i)));
    return made;
}

static bool is_repeatable(const weir_host *host, const weir_value *value) {
    weir_type type = host->value_type(value);
    return type == WEIR_STRING || type == WEIR_ARRAY;
}

/* What is no number, so many times; NULL after failing. */
static weir_value *repeat(const weir_host *host, weir_call *call, const weir_value *value,
                          int64_t times, size_t *room) {
    if (host->value_type(value) == WEIR_ARRAY) return repeat_items(host, call, value, times, room);
    return repeat_text(host, call, host->string_get(value), times);
}

/* A new value, or NULL after failing. */
static weir_value *multiply_one(const weir_host *host, weir_call *call, weir_value *a,
                                weir_value *b, size_t *room) {
    const char *problem = "";
    weir_value *x = as_number(host, a), *y = as_number(host, b), *product = NULL;
    if (x && y) {
        product = weir__number_multiply(host, x, y, &problem);
        if (!product) host->fail(call, "limit_exceeded", "the product %s", problem);
    } else if (x && host->value_type(x) == WEIR_INT && is_repeatable(host, b)) {
        product = repeat(host, call, b, host->int_get(x), room);
    } else if (y && host->value_type(y) == WEIR_INT && is_repeatable(host, a)) {
        product = repeat(host, call, a, host->int_get(y), room);
    } else {
        host->fail(call, "invalid", "%s cannot be multiplied with %s", type_name(host, a),
                   type_name(host, b));
    }
    host->value_unref(x);
    host->value_unref(y);
    return product;
}

static bool multiply(const weir_host *host, weir_call *call) {
    weir_value *a = weir__needed(host, call, "multiplicand");
    weir_value *b = a ? weir__needed(host, call, "multiplier") : NULL;
    size_t room = ITEMS_MAX;
    if (!b) return false;
    if (host->value_type(a) != WEIR_ARRAY) {
        weir_value *product = multiply_one(host, call, a, b, &room);
        if (product) host->output(call, "product", product);
        return product != NULL;
    }
    weir_value *products = host->array_new();
    for (size_t i = 0; i < host->value_count(a); i++) {
        weir_value *product = multiply_one(host, call, host->array_at(a, i), b, &room);
        if (!product) {
            host->value_unref(products);
            return false;
        }
        host->array_append(products, product);
    }
    host->output(call, "product", products);
    return true;
}

/* --- what there is -------------------------------------------------------------------------- */

static const weir_operation *const operations[] = {
    OPERATION(.name = "AcceptUserInput", .about = "Reads a line from standard input.",
              .inputs = NO_PORTS,
              .outputs = PORTS({"InputData", "str", "The line, without its end.", "UserInput"}),
              .config = NO_PORTS, .hints = WEIR_BLOCKING, .run = accept_user_input),
    OPERATION(.name = "print_output",
              .about = "Prints a value and a line end on standard output: texts as they are, "
                       "others as JSON.",
              .inputs = PORTS({"data", "generic", "The value.", "DataToPrint"}),
              .outputs = NO_PORTS, .config = NO_PORTS, .hints = WEIR_BLOCKING, .run = print_output),
    OPERATION(.name = "literal_eval",
              .about =
                  "Reads a Python literal; tuples and sets become arrays, keys of dicts texts.",
              .inputs = PORTS({"str_to_eval", "str", "Such as [1, 'two', None].", "InputStr"}),
              .outputs = PORTS({"str_after_eval", "generic", "The value.", "EvaluatedStr"}),
              .config = NO_PORTS, .hints = WEIR_PURE | WEIR_CHEAP, .run = weir__literal_eval,
              .example = "operations:\n"
                         "  ask: {name: AcceptUserInput, outputs: {InputData: UserInput}}\n"
                         "  read: {name: literal_eval, inputs: {str_to_eval: UserInput}, outputs: "
                         "{str_after_eval: EvaluatedStr}}\n"),
    OPERATION(.name = "multiply",
              .about =
                  "Multiplies a number, or each item of an array; repeats a text, or an array that "
                  "is an item or the multiplier.",
              .inputs = PORTS({"multiplicand", "generic", "What to multiply.", "multiplicand_def"},
                              {"multiplier", "generic", "With what.", "multiplier_def"}),
              .outputs =
                  PORTS({"product", "generic", "The product, or an array of them.", "product"}),
              .config = NO_PORTS, .hints = WEIR_PURE | WEIR_CHEAP, .run = multiply),
    OPERATION(.name = "dffml.mapping.create", .about = "Makes a map of one member.",
              .inputs = PORTS({"key", "str", "The member's name.", "key"},
                              {"value", "generic", "Its value.", "value"}),
              .outputs = PORTS({"mapping", "map", "The map.", "mapping"}), .config = NO_PORTS,
              .hints = WEIR_PURE | WEIR_CHEAP, .run = create_mapping),
    OPERATION(.name = "dffml.mapping.extract",
              .about = "Takes a value out of nested maps and arrays.",
              .inputs = PORTS({"mapping", "map", "Where to look.", "mapping"},
                              {"traverse", "List[str]",
                               "The way down; one step may have dots: [\"a.b\"] is [\"a\", \"b\"].",
                               "mapping_traverse"}),
              .outputs = PORTS({"value", "generic", "What is there.", "value"}), .config = NO_PORTS,
              .hints = WEIR_PURE | WEIR_CHEAP, .run = extract_mapping,
              .example = "operations:\n"
                         "  pick: {name: dffml.mapping.extract, inputs: {mapping: mapping, "
                         "traverse: mapping_traverse}, outputs: {value: value}}\n"
                         "seed:\n"
                         "  - {value: [user, name], definition: mapping_traverse}\n"),
    NULL};

PLUGIN(weir_dffml_plugin, "dffml", operations)
