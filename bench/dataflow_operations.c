/* The operations of the dataflow benchmark: as little work as an operation can do. They read and give by place. */
#include "dataflow_operations.h"

static bench_watch watch;

WEIR_API bench_watch *bench_watch_get(void);

WEIR_API bench_watch *bench_watch_get(void) {
    return &watch;
}

static void note(int64_t sum) {
    atomic_fetch_add_explicit(&watch.calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&watch.sum, (uint64_t)sum, memory_order_relaxed);
}

static bool give(const weir_host *host, weir_call *call, size_t place, int64_t value) {
    if (watch.counting) note(value);
    host->give(call, place, host->int_new(value));
    return true;
}

static bool step(const weir_host *host, weir_call *call) {
    return give(host, call, 0, host->int_get(host->input(call, 0)) + 1);
}

/* Within 31 bits, however often it is added. */
static bool add(const weir_host *host, weir_call *call) {
    int64_t sum = host->int_get(host->input(call, 0)) + host->int_get(host->input(call, 1));
    return give(host, call, 0, sum & INT32_MAX);
}

static bool split(const weir_host *host, weir_call *call) {
    int64_t count = host->int_get(host->input(call, 0));
    weir_value *items = host->array_new();
    for (int64_t i = 0; i < count; i++) host->array_append(items, host->int_new(i));
    if (watch.counting) note(count * (count - 1) / 2);
    host->give(call, 0, items);
    return true;
}

static bool down(const weir_host *host, weir_call *call) {
    int64_t left = host->int_get(host->input(call, 0));
    if (left > 0) return give(host, call, 0, left - 1);
    if (watch.loop_ends) watch.loop_ends();
    return give(host, call, 1, 0);
}

/* The same, and not pure: each call is an effect, which waits until it is durable that it will be made. */
static bool turn(const weir_host *host, weir_call *call) {
    return down(host, call);
}

static bool result(const weir_host *host, weir_call *call) {
    return give(host, call, 0, host->int_get(host->input(call, 0)));
}

static const weir_port one_in[] = {{"a", "int", "a number"}, {0}};
static const weir_port two_in[] = {{"a", "int", "a number"}, {"b", "int", "another"}, {0}};
static const weir_port one_out[] = {{"r", "int", "the number made"}, {0}};
static const weir_port items_out[] = {{"items", "array", "0, 1, … a - 1"}, {0}};
static const weir_port down_out[] = {
    {"r", "int", "one less, unless a is 0"}, {"done", "int", "0 when a is 0"}, {0}};
static const weir_port none[] = {{0}};

#define OPERATION(function, text, in, out, hint)                                                   \
    static const weir_operation function##_operation = {.size = sizeof(weir_operation),            \
                                                        .name = "bench." #function,                \
                                                        .about = (text),                           \
                                                        .inputs = (in),                            \
                                                        .outputs = (out),                          \
                                                        .config = none,                            \
                                                        .hints = (hint),                           \
                                                        .run = (function)}

OPERATION(step, "Adds one.", one_in, one_out, WEIR_PURE | WEIR_CHEAP);
OPERATION(add, "Adds two numbers, within 31 bits.", two_in, one_out, WEIR_PURE | WEIR_CHEAP);
OPERATION(split, "Gives the numbers below one.", one_in, items_out, WEIR_PURE | WEIR_CHEAP);
OPERATION(down, "Takes one away, until there is nothing left.", one_in, down_out,
          WEIR_PURE | WEIR_CHEAP);
OPERATION(turn, "Takes one away, as an effect.", one_in, down_out, WEIR_CHEAP);
OPERATION(result, "Gives what it gets.", one_in, one_out, WEIR_PURE | WEIR_CHEAP);

static const weir_operation *const operations[] = {&step_operation,
                                                   &add_operation,
                                                   &split_operation,
                                                   &down_operation,
                                                   &turn_operation,
                                                   &result_operation,
                                                   NULL};

WEIR_API weir_plugin_open_function weir_plugin_open;

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host) {
    static const weir_plugin plugin = {WEIR_ABI, sizeof(weir_plugin), "bench", "1", operations};
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
