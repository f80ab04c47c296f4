/* A plugin for tests: operations that crash, never end, or say too much. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/operation.h>

static bool crash(const weir_host *host, weir_call *call) {
    (void)host;
    (void)call;
    abort();
}

static bool never_end(const weir_host *host, weir_call *call) {
    while (!host->cancelled(call)) usleep(1000);
    return false;
}

static bool crash_in_memory(const weir_host *host, weir_call *call) {
    volatile const char *volatile nowhere = NULL;
    return host->parameter(call, "x") != NULL && *nowhere;
}

/* Does not look whether somebody wants it to end. */
static bool loop(const weir_host *host, weir_call *call) {
    while (host) usleep(1000);
    return call != NULL;
}

/* Never completes. */
static bool begin_only(const weir_host *host, weir_call *call) {
    (void)host;
    (void)call;
    return true;
}

static bool fail(const weir_host *host, weir_call *call) {
    return host->fail(call, "too_hot", "the oven is at %d degrees", 900);
}

static bool undeclared(const weir_host *host, weir_call *call) {
    host->output(call, "surprise", host->int_new(1));
    return true;
}

static bool measure(const weir_host *host, weir_call *call) {
    host->report(call, "rows", 17, "rows");
    host->log(call, WEIR_INFO, "looked at %d rows", 17);
    host->output(call, "y", host->value_ref(host->parameter(call, "x")));
    return true;
}

/* Knows by itself what it asks for. */
/* Says of itself that it may be remembered, and is another each time. */
static bool draw(const weir_host *host, weir_call *call) {
    uint32_t number;
    host->random(call, &number, sizeof number);
    host->output(call, "y", host->int_new(number));
    return true;
}

static bool collect(const weir_host *host, weir_call *call) {
    static const char *const names[] = {"x", "y"};
    for (size_t i = 0; i < 2; i++) {
        weir_value *values = host->collected(call, names[i]);
        host->output(call, names[i], values ? host->value_ref(values) : host->array_new());
    }
    return true;
}

static const weir_port inputs[] = {{"x", "generic", "anything"}, {0}};
static const weir_port outputs[] = {{"y", "generic", "the same"}, {0}};
static const weir_port none[] = {{0}};

#define OPERATION_OF(identifier, operation_name, function, operation_hints)                        \
    static const weir_operation identifier = {.size = sizeof(weir_operation),                      \
                                              .name = (operation_name),                            \
                                              .about = "for tests",                                \
                                              .inputs = inputs,                                    \
                                              .outputs = outputs,                                  \
                                              .config = none,                                      \
                                              .hints = (operation_hints),                          \
                                              .run = (function)}
#define OPERATION(identifier, operation_name, function)                                            \
    OPERATION_OF(identifier, operation_name, function, WEIR_BLOCKING)

OPERATION(crash_operation, "faulty.crash", crash);
OPERATION(segfault_operation, "faulty.segfault", crash_in_memory);
OPERATION_OF(segfault_call, "faulty.segfault_call", crash_in_memory, WEIR_PURE | WEIR_CHEAP);
OPERATION_OF(segfault_generator, "faulty.segfault_generator", crash_in_memory, WEIR_GENERATOR);
OPERATION(loop_operation, "faulty.loop", loop);
OPERATION_OF(loop_call, "faulty.loop_call", loop, WEIR_PURE | WEIR_CHEAP);
OPERATION_OF(loop_generator, "faulty.loop_generator", loop, WEIR_GENERATOR);
OPERATION_OF(collect_operation, "faulty.collect", collect, WEIR_PURE | WEIR_CHEAP | WEIR_COLLECTS);
OPERATION_OF(begin_operation, "faulty.begin_only", begin_only, WEIR_ASYNC);
OPERATION(never_operation, "faulty.never", never_end);
OPERATION(fail_operation, "faulty.fail", fail);
OPERATION(undeclared_operation, "faulty.undeclared", undeclared);
OPERATION_OF(draw_operation, "faulty.draw", draw, WEIR_PURE | WEIR_CHEAP | WEIR_REMEMBERED);
OPERATION(measure_operation, "faulty.measure", measure);

static const weir_operation *const operations[] = {
    &crash_operation,    &segfault_operation, &segfault_call,
    &segfault_generator, &loop_operation,     &loop_call,
    &loop_generator,     &begin_operation,    &collect_operation,
    &never_operation,    &fail_operation,     &undeclared_operation,
    &measure_operation,  &draw_operation,     NULL};

const weir_plugin *weir_plugin_open(const weir_host *host);

__attribute__((visibility("default"))) const weir_plugin *weir_plugin_open(const weir_host *host) {
    static weir_plugin plugin = {WEIR_ABI, sizeof(weir_plugin), "faulty", "1", operations};
    if (getenv("FAULTY_ABI")) plugin.abi = 99;
    return host->abi == WEIR_ABI && !getenv("FAULTY_REFUSES") ? &plugin : NULL;
}
