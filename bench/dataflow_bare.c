/* The bare limit: loops that know beforehand what follows what, and call the same functions of the same plugin through a
 * host that does no more than it must. They make the same values, keep them as long as a context would, and free them. */
#include <pthread.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

#include "dataflow.h"
#include "operations/operations.h"

enum { PORTS_MAX = 2 };

typedef bool function(const weir_host *host, weir_call *call);

/* One call after the other uses it. */
struct weir_call {
    weir_value *inputs[PORTS_MAX]; /* borrowed */
    weir_value *outputs[PORTS_MAX];
    weir_value *spec, *collected; /* of output operations; borrowed */
    weir_value *result;           /* object */
};

/* --- the host ------------------------------------------------------------------------------- */

static weir_value *get_input(const weir_call *call, size_t place) {
    return call->inputs[place];
}

static void give(weir_call *call, size_t place, weir_value *value) {
    call->outputs[place] = value;
}

static weir_value *get_parameter(const weir_call *call, const char *name) {
    (void)name;
    return call->spec;
}

static weir_value *get_config(const weir_call *call, const char *name) {
    (void)call;
    (void)name;
    return NULL;
}

static weir_value *get_collected(const weir_call *call, const char *definition) {
    (void)definition;
    return call->collected;
}

static void put_output(weir_call *call, const char *name, weir_value *value) {
    weir_object_set(call->result, name, strlen(name), value);
}

static bool fail(weir_call *call, const char *code, const char *format, ...) {
    (void)call;
    (void)code;
    bench_die("an operation failed in the bare loop: %s", format);
}

static const weir_host host = {.abi = WEIR_ABI,
                               .size = sizeof(weir_host),
                               .value_ref = weir_value_ref,
                               .value_unref = weir_value_unref,
                               .int_new = weir_int_new,
                               .array_new = weir_array_new,
                               .array_append = weir_array_append,
                               .string_new = weir_string_new,
                               .object_new = weir_object_new,
                               .object_set = weir_object_set,
                               .object_get = weir_object_get,
                               .object_key = weir_object_key,
                               .object_at = weir_object_at,
                               .value_type = weir_value_type,
                               .int_get = weir_int_get,
                               .string_get = weir_string_get,
                               .value_count = weir_value_count,
                               .array_at = weir_array_at,
                               .parameter = get_parameter,
                               .config = get_config,
                               .collected = get_collected,
                               .output = put_output,
                               .fail = fail,
                               .input = get_input,
                               .give = give};

static function *function_of(const weir_plugin *plugin, const char *name) {
    for (const weir_operation *const *each = plugin->operations; *each; each++)
        if (strcmp((*each)->name, name) == 0) return (*each)->run;
    bench_die("there is no operation %s", name);
}

/* --- calls ---------------------------------------------------------------------------------- */

/* What a thread works with; on cache lines of its own. */
typedef struct worker {
    alignas(128) const bench_bare *bare;
    size_t from, to; /* contexts */
    function *step, *add, *split, *down, *result, *output;
    weir_call call;
    bench_sum sum;
} worker;

/* Calls an operation of one or two parameters; gives its output. */
static inline weir_value *call(worker *w, function *run, weir_value *a, weir_value *b) {
    w->call.inputs[0] = a;
    w->call.inputs[1] = b;
    w->call.outputs[0] = NULL;
    if (!run(&host, &w->call)) bench_die("an operation failed in the bare loop");
    return w->call.outputs[0];
}

static weir_value **new_values(size_t count) {
    weir_value **values = malloc(count * sizeof *values);
    if (!values) bench_die("no memory for %zu values", count);
    return values;
}

static void free_values(weir_value **values, size_t count) {
    for (size_t i = 0; i < count; i++) weir_value_unref(values[i]);
    free(values);
}

/* The case's output operation, if it has one, with the values that its definition has in the context; then the
 * context's result. `stride` is in bytes: values may stand in records. */
static void give_result(worker *w, const void *values, size_t count, size_t stride) {
    const bench_work *work = w->bare->work;
    w->call.result = weir_object_new();
    if (work->kind->output) {
        w->call.spec = work->spec;
        w->call.collected = weir_array_new();
        for (size_t i = 0; i < count; i++) {
            weir_value *value;
            memcpy(&value, (const char *)values + i * stride, sizeof value);
            weir_array_append(w->call.collected, weir_value_ref(value));
        }
        if (!w->output(&host, &w->call)) bench_die("%s failed", work->kind->output);
        weir_value_unref(w->call.collected);
    }
    bench_sum_add(&w->sum, w->call.result);
    weir_value_unref(w->call.result);
}

/* --- shapes --------------------------------------------------------------------------------- */

static void run_chain(worker *w, size_t context) {
    const bench_work *work = w->bare->work;
    weir_value **values = new_values(work->width + 1);
    values[0] = weir_value_ref(bench_work_given(work, context, 0));
    for (size_t i = 0; i < work->width; i++) values[i + 1] = call(w, w->step, values[i], NULL);
    give_result(w, values + work->width, 1, sizeof *values);
    free_values(values, work->width + 1);
}

static void run_dag(worker *w, size_t context) {
    const bench_work *work = w->bare->work;
    weir_value **values = new_values(work->width);
    weir_value *given = bench_work_given(work, context, 0);
    values[0] = call(w, w->add, given, given);
    for (size_t i = 1; i < work->width; i++)
        values[i] = call(w, w->add, values[work->earlier[i][0]], values[work->earlier[i][1]]);
    give_result(w, values + work->width - 1, 1, sizeof *values);
    free_values(values, work->width);
}

/* The items that bench.split gives for the context's number. */
static weir_value **split(worker *w, size_t context, size_t at, size_t count) {
    weir_value *items = call(w, w->split, bench_work_given(w->bare->work, context, at), NULL);
    weir_value **values = new_values(count);
    for (size_t i = 0; i < count; i++) values[i] = weir_value_ref(weir_array_at(items, i));
    weir_value_unref(items);
    return values;
}

static void run_fan_out(worker *w, size_t context) {
    size_t width = w->bare->work->width;
    weir_value **items = split(w, context, 0, width), **values = new_values(width);
    for (size_t i = 0; i < width; i++) values[i] = call(w, w->step, items[i], NULL);
    give_result(w, values, width, sizeof *values);
    free_values(items, width);
    free_values(values, width);
}

static void run_product(worker *w, size_t context) {
    size_t width = w->bare->work->width;
    weir_value **rows = split(w, context, 0, width), **columns = split(w, context, 1, width);
    weir_value **values = new_values(width * width);
    for (size_t i = 0; i < width; i++)
        for (size_t j = 0; j < width; j++)
            values[i * width + j] = call(w, w->add, rows[i], columns[j]);
    give_result(w, values, width * width, sizeof *values);
    free_values(rows, width);
    free_values(columns, width);
    free_values(values, width * width);
}

static void run_loop(worker *w, size_t context) {
    weir_value *value = weir_value_ref(bench_work_given(w->bare->work, context, 0));
    while (value) {
        weir_value *next = call(w, w->down, value, NULL);
        weir_value_unref(value);
        value = next;
    }
    weir_value *done = w->call.outputs[1], *made = call(w, w->result, done, NULL);
    w->call.result = weir_object_new();
    weir_object_set(w->call.result, "r", 1, made);
    bench_sum_add(&w->sum, w->call.result);
    weir_value_unref(w->call.result);
    weir_value_unref(done);
}

/* The loop whose values are kept, each in a record that is written as a whole. */
static void run_retained(worker *w, size_t context) {
    const bench_bare *bare = w->bare;
    size_t count = bare->work->width, size = bare->record_bytes, bytes = count * size;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *records = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (records == MAP_FAILED) bench_die("no memory for %zu records of %zu bytes", count, size);
    if (bare->huge_pages) madvise(records, bytes, MADV_HUGEPAGE);
    weir_value *value = weir_value_ref(bench_work_given(bare->work, context, 0));
    for (size_t i = 0; i < count; i++) {
        memcpy(records + i * size, &value, sizeof value);
        memset(records + i * size + sizeof value, 1, size - sizeof value);
        value = call(w, w->down, value, NULL);
    }
    weir_value *done = w->call.outputs[1];
    give_result(w, records, count, size);
    weir_value_unref(done);
    for (size_t i = 0; i < count; i++) {
        memcpy(&value, records + i * size, sizeof value);
        weir_value_unref(value);
    }
    munmap(records, bytes);
}

static void run_context(worker *w, size_t context) {
    switch (w->bare->work->kind->shape) {
    case BENCH_CHAIN: run_chain(w, context); break;
    case BENCH_FAN_OUT: run_fan_out(w, context); break;
    case BENCH_PRODUCT: run_product(w, context); break;
    case BENCH_DAG: run_dag(w, context); break;
    case BENCH_LOOP:
        if (w->bare->work->kind->output)
            run_retained(w, context);
        else
            run_loop(w, context);
        break;
    }
}

/* --- threads -------------------------------------------------------------------------------- */

static void *work(void *arg) {
    worker *w = arg;
    for (size_t context = w->from; context < w->to; context++) run_context(w, context);
    return NULL;
}

static worker new_worker(const bench_bare *bare, size_t from, size_t to) {
    const char *output = bare->work->kind->output;
    return (worker){.bare = bare,
                    .from = from,
                    .to = to,
                    .step = function_of(bare->plugin, "bench.step"),
                    .add = function_of(bare->plugin, "bench.add"),
                    .split = function_of(bare->plugin, "bench.split"),
                    .down = function_of(bare->plugin, "bench.down"),
                    .result = function_of(bare->plugin, "bench.result"),
                    .output = output ? function_of(weir_output_plugin(&host), output) : NULL};
}

void bench_bare_run(bench_bare *bare) {
    worker workers[BENCH_THREADS_MAX];
    pthread_t threads[BENCH_THREADS_MAX];
    size_t contexts = bare->work->contexts;
    unsigned count = bare->threads;
    for (unsigned i = 0; i < count; i++) {
        workers[i] = new_worker(bare, contexts * i / count, contexts * (i + 1) / count);
        if (i && pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            bench_die("no thread for the bare loop");
    }
    work(&workers[0]);
    bare->sum = workers[0].sum;
    for (unsigned i = 1; i < count; i++) {
        pthread_join(threads[i], NULL);
        bare->sum.contexts += workers[i].sum.contexts;
        bare->sum.values += workers[i].sum.values;
    }
}
