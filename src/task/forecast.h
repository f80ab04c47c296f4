/* What a plan will do, as far as that is known before it runs: steps, each of which stands for tasks of one spec, and which of them
 * wait for which. Made by who knows the kind of file, asked by who knows none.
 *
 * A step without a spec takes nothing: it is a point that others wait for. Between weir_forecast_close and the end steps and edges
 * stay as they are; what tasks take (`estimate`) may be filled in at any time. All is linear in steps and edges, but for the
 * simulation, which is O(n log n), and nothing is recursive. Pure; one thread; the caller ends it. */
#ifndef WEIR_TASK_FORECAST_H
#define WEIR_TASK_FORECAST_H

#include "base/vector.h"
#include "task/ready.h"

enum { WEIR_FORECAST_STEPS_MAX = 4 * 1000 * 1000, WEIR_FORECAST_EDGES_MAX = 32 * 1000 * 1000 };
#define WEIR_FORECAST_NONE UINT32_MAX

/* So many at once of the tasks that are in it: who has a lock, what a template lets run. */
typedef struct weir_forecast_pool {
    uint32_t limit;
} weir_forecast_pool;

typedef struct weir_forecast_step {
    weir_str name;              /* for people; borrowed from the plan, or the forecast's */
    const weir_task_spec *spec; /* NULL: a point */
    uint64_t tasks;             /* of it, all ready at once; 0 of a point */
    weir_estimate estimate;     /* of one */
    uint32_t tries_milli;       /* how often one is tried, in thousandths; 0: once */
    uint64_t input_bytes;       /* what one is given; 0: not known before */
    uint32_t hold, holds;       /* the pools its tasks are in: holds[hold] … of the forecast */
    bool doubtful;              /* it may not run */
    bool at_least;              /* there may be more tasks */
    bool call;                  /* done by its coordinator: a function, next to nothing */
    bool waits;                 /* for somebody, as long as that takes */
    bool lasts;                 /* a service: who needs it does not wait for its end */
} weir_forecast_step;

typedef struct weir_forecast_edge {
    uint32_t before, after;
} weir_forecast_edge;

typedef struct weir_forecast {
    weir_arena arena;
    WEIR_VECTOR(weir_forecast_step) steps;
    WEIR_VECTOR(weir_forecast_edge) edges;
    WEIR_VECTOR(weir_forecast_pool) pools;
    WEIR_VECTOR(uint32_t) holds;
    uint32_t parallelism; /* how many tasks the file lets run at once; 0: any number */
    /* How many bytes such an input has; NULL: sizes are not told. */
    uint64_t (*measure)(void *arg, const weir_value *value);
    void *measure_arg;
    size_t steps_max; /* 0: WEIR_FORECAST_STEPS_MAX */
    bool too_large;   /* some of it was left out */
    /* Of a closed one: */
    uint32_t *first, *next; /* behind step i are next[first[i]] … next[first[i + 1] - 1] */
    uint32_t *order;        /* all steps, each behind those that it waits for */
    size_t cycles; /* edges that were left out, as they close one: what is in it may run again */
} weir_forecast;

/* A new step's number; WEIR_FORECAST_NONE: there are too many. The name is borrowed. */
uint32_t weir_forecast_add(weir_forecast *forecast, weir_str name, const weir_task_spec *spec);
/* How many bytes the input has; 0: nobody measures. */
uint64_t weir_forecast_measure(const weir_forecast *forecast, const weir_value *value);
/* A new pool's number; its limit is at least 1. */
uint32_t weir_forecast_pool_add(weir_forecast *forecast, uint64_t limit);
/* The tasks of the step that was added last are in it, too. */
void weir_forecast_hold(weir_forecast *forecast, uint32_t pool);
/* `after` waits for `before`; nothing when one is NONE. */
void weir_forecast_join(weir_forecast *forecast, uint32_t before, uint32_t after);
/* No more comes. Leaves out the edges that close cycles; then `at_least` holds for the steps that they led to. */
void weir_forecast_close(weir_forecast *forecast);
void weir_forecast_deinit(weir_forecast *forecast);

/* By step: the time from its begin to the end of all along the longest way, by what its tasks take at the median, with room for
 * all of them at once. `us` has room for all steps. */
void weir_forecast_remaining(const weir_forecast *forecast, uint64_t *us);
/* The steps of the longest way, those with a spec and without calls; returns how many. `way` has room for all steps. */
size_t weir_forecast_longest_way(const weir_forecast *forecast, const uint64_t *remaining_us,
                                 uint32_t *way);

/* What may run at once; 0: no limit. */
typedef struct weir_forecast_limits {
    uint32_t slots;
    uint32_t cpu_milli;
    uint64_t memory_bytes;
    uint32_t processes;
    bool one_at_a_time;               /* in the order in which they are ready */
    weir_scheduler scheduler;         /* which of those that are ready begins first */
    bool least_memory;                /* no more at once than the largest takes alone */
    struct weir_forecast_span *spans; /* by step: filled; NULL: nobody wants them */
} weir_forecast_limits;

/* From the begin of a step's first task to the end of its last. */
typedef struct weir_forecast_span {
    uint64_t begin_us, end_us; /* UINT64_MAX and 0: it has none */
} weir_forecast_span;

typedef struct weir_forecast_course {
    uint64_t end_us;       /* when the last task ends */
    uint64_t work_us;      /* the sum of all that tasks take */
    uint64_t memory_bytes; /* the most at once, of tasks whose peak is known */
    uint64_t at_once;      /* tasks, at most */
} weir_forecast_course;

/* Lets it run in thought: a task begins as soon as what it waits for is over and there is room, in the order that the limits say
 * (list scheduling; Graham, Bounds on multiprocessing timing anomalies, 1969). `high`: by what tasks take at the 90th percentile. */
weir_forecast_course weir_forecast_simulate(const weir_forecast *forecast,
                                            const weir_forecast_limits *limits, bool high);

/* a * b, or the largest number. */
static inline uint64_t weir_forecast_times(uint64_t a, uint64_t b) {
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}
static inline uint64_t weir_forecast_plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}
/* What all tries of a task take of what one takes. */
static inline uint64_t weir_forecast_tried(const weir_forecast_step *step, uint64_t one) {
    if (step->tries_milli <= 1000) return one;
    return weir_forecast_times(one, step->tries_milli) / 1000;
}
/* What the step's task takes, with what it waits between its tries: the median, or the 90th percentile where that is known. 0: not
 * known. */
static inline uint64_t weir_forecast_wall_us(const weir_forecast_step *step, bool high) {
    const weir_estimate *e = &step->estimate;
    if (!step->spec || step->call || step->lasts) return 0;
    uint64_t one = (high && e->wall_high_us) || !e->wall_us ? e->wall_high_us : e->wall_us;
    if (!one || step->tries_milli <= 1000) return one;
    uint64_t again = weir_forecast_times(step->spec->backoff_us, step->tries_milli - 1000) / 1000;
    return weir_forecast_plus(weir_forecast_tried(step, one), again);
}

#endif
