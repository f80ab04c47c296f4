/* What the files of the dataflow benchmark share: a case made for an n, the bare loop that does the same without weir, and
 * the meters. All of it is the main thread's, but bench_bare_run, which has threads of its own. What is wrong with the
 * benchmark itself ends the program with exit code 2. */
#ifndef BENCH_DATAFLOW_H
#define BENCH_DATAFLOW_H

#include <stdlib.h>

#include <weir/weir.h>

#include "dataflow_operations.h"

/* --- cases ---------------------------------------------------------------------------------- */

typedef enum bench_shape {
    BENCH_CHAIN,   /* `width` operations, each takes what the last one gave */
    BENCH_FAN_OUT, /* one gives `width` values, one takes each */
    BENCH_PRODUCT, /* two give `width` values each, one takes every pair */
    BENCH_DAG,     /* `width` operations, each takes what two earlier ones gave, chosen at random */
    BENCH_LOOP     /* one operation takes what it gave, `width` times */
} bench_shape;

typedef struct bench_case {
    const char *name;
    bench_shape shape;
    size_t width;       /* of each of many contexts; 0: there is one, and n says it */
    const char *output; /* the output operation: "get_single", "get_multi", or NULL */
} bench_case;

typedef struct bench_work {
    const bench_case *kind;
    size_t width, contexts;
    uint64_t calls;       /* of the plugin's operations, in all contexts */
    uint64_t invocations; /* these and the output operations' */
    uint64_t stored;      /* inputs that all contexts have had */
    weir_value *flow;     /* in linked form */
    weir_value **inputs;  /* context i is given inputs[i % given] */
    size_t given;
    weir_value *spec;       /* of the output operation; NULL without one */
    uint32_t (*earlier)[2]; /* what an operation of a DAG takes; NULL of other shapes */
} bench_work;

/* NULL when there is none of the name. */
const bench_case *bench_case_find(const char *name);
/* The names, with blanks between them. */
void bench_case_list(char *text, size_t size);
/* About n invocations of the case. */
bench_work *bench_work_new(const bench_case *kind, size_t n);
void bench_work_free(bench_work *work);
/* The number that the context is given; `at` is 0 but for a product's second input. */
weir_value *bench_work_given(const bench_work *work, size_t context, size_t at);

/* --- what came out -------------------------------------------------------------------------- */

/* Adds up what contexts gave, to compare weir with the bare loop. */
typedef struct bench_sum {
    uint64_t contexts, values;
} bench_sum;

/* `result` is {name: value}, or empty; an array counts by its length and its last item. */
void bench_sum_add(bench_sum *sum, const weir_value *result);

/* --- the bare loop -------------------------------------------------------------------------- */

enum { BENCH_THREADS_MAX = 64 };

typedef struct bench_bare {
    const bench_work *work;
    const weir_plugin *plugin;
    unsigned threads; /* at least 1 */
    /* What a retained input costs beyond its value: the loop writes as much for each. */
    size_t record_bytes;
    bool huge_pages; /* these records are on pages of 2 MiB where the kernel has them */
    bench_sum sum;   /* the outcome */
} bench_bare;

/* Runs all contexts of the work. */
void bench_bare_run(bench_bare *bare);

/* --- meters --------------------------------------------------------------------------------- */

typedef struct bench_meter {
    double seconds, cpu; /* of the process, all threads */
    size_t peak;         /* bytes resident at most, beyond those at the start */
} bench_meter;

/* Resident bytes now. */
size_t bench_resident(void);
/* Begins to measure. Unless `warm`, free memory goes back to the kernel before, so that who comes next pays for its pages as
 * a new process does. */
void bench_meter_start(bench_meter *meter, bool warm);
void bench_meter_stop(bench_meter *meter);
/* Bytes that an integer takes. */
double bench_value_bytes(void);

void bench_die(const char *format, ...) WEIR_PRINTF(1, 2) __attribute__((noreturn));
/* Zeroed; never NULL. */
void *bench_alloc(size_t count, size_t size);

#endif
