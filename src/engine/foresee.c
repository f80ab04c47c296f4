/* What a run of a file will take, before it runs: how many tasks, how long, how much memory; and what is not known of it. */
#include <stdlib.h>
#include <unistd.h>

#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "engine/history.h"
#include "executor/given.h"

enum { LISTED_MAX = 100 };

typedef struct telling {
    const weir__estimates *estimates;
    const weir_forecast *forecast;
    weir_value *out;
} telling;

static void put_seconds(weir_value *object, const char *name, uint64_t us) {
    weir_member_put(object, name, weir_float_new((double)us / 1e6));
}

static void put_count(weir_value *object, const char *name, uint64_t count) {
    weir_member_put(object, name, weir_int_new(count > INT64_MAX ? INT64_MAX : (int64_t)count));
}

static bool is_task(const weir_forecast_step *step) {
    return step->spec && !step->call && step->tasks;
}

static const char *basis_text(weir__estimate_basis basis) {
    return basis == WEIR__ESTIMATE_FILE      ? "file"
           : basis == WEIR__ESTIMATE_HISTORY ? "history"
                                             : "unknown";
}

/* {name, tasks, at_least?, may_not_run?, seconds?, high?, memory?, tries?, basis} */
static weir_value *step_value(const telling *t, const weir_forecast_step *step) {
    weir_value *value = weir_object_new();
    weir_member_put(value, "name", weir_string_from(step->name));
    if (step->spec->operation.length)
        weir_member_put(value, "operation", weir_string_from(step->spec->operation));
    put_count(value, "tasks", step->tasks);
    if (step->at_least) weir_member_put(value, "at_least", weir_bool_new(true));
    if (step->doubtful) weir_member_put(value, "may_not_run", weir_bool_new(true));
    if (step->waits) weir_member_put(value, "waits", weir_bool_new(true));
    if (step->lasts) weir_member_put(value, "service", weir_bool_new(true));
    if (step->estimate.wall_us) put_seconds(value, "seconds", step->estimate.wall_us);
    if (step->estimate.wall_high_us) put_seconds(value, "high", step->estimate.wall_high_us);
    if (step->estimate.cpu_us) put_seconds(value, "cpu", step->estimate.cpu_us);
    if (step->estimate.memory_bytes) put_count(value, "memory", step->estimate.memory_bytes);
    if (step->tries_milli > 1000)
        weir_member_put(value, "tries", weir_float_new(step->tries_milli / 1000.0));
    bool fixed = !step->spec->operation.length && step->estimate.wall_us; /* a suspension */
    weir__estimate_basis basis = weir__estimates_basis(t->estimates, step->spec);
    weir_member_put_text(value, "basis", weir_str_from(fixed ? "file" : basis_text(basis)));
    return value;
}

/* --- the whole ---------------------------------------------------------------------------------- */

typedef struct sums {
    uint64_t tasks, unknown, cpu_us, services_bytes;
    bool at_least, doubtful;
} sums;

static bool is_unknown(const weir_forecast_step *step) {
    return is_task(step) && !step->lasts && !step->waits && !step->estimate.wall_us &&
           !step->estimate.wall_high_us;
}

static sums add_up(const weir_forecast *f) {
    sums all = {.at_least = f->too_large};
    for (size_t i = 0; i < f->steps.count; i++) {
        const weir_forecast_step *step = &f->steps.items[i];
        all.at_least |= step->at_least;
        if (!is_task(step)) continue;
        bool task = step->spec->operation.length; /* else it only waits */
        all.tasks = weir_forecast_plus(all.tasks, task ? step->tasks : 0);
        all.doubtful |= step->doubtful;
        all.unknown += is_unknown(step);
        uint64_t cpu_us = weir_forecast_tried(step, step->estimate.cpu_us);
        all.cpu_us = weir_forecast_plus(all.cpu_us, weir_forecast_times(cpu_us, step->tasks));
        if (step->lasts) all.services_bytes += step->estimate.memory_bytes;
    }
    return all;
}

static void list_steps(const telling *t, const char *name,
                       bool (*wanted)(const weir_forecast_step *step)) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < t->forecast->steps.count && weir_value_count(list) < LISTED_MAX; i++) {
        const weir_forecast_step *step = &t->forecast->steps.items[i];
        if (is_task(step) && wanted(step)) weir_array_append(list, step_value(t, step));
    }
    weir_member_put(t->out, name, list);
}

static bool is_waiting(const weir_forecast_step *step) {
    return step->waits;
}

static bool is_counted_late(const weir_forecast_step *step) {
    return step->at_least;
}

static bool is_any(const weir_forecast_step *step) {
    (void)step;
    return true;
}

static void put_longest_way(const telling *t) {
    size_t count = t->forecast->steps.count;
    uint64_t *us = weir_alloc((count + 1) * sizeof *us);
    uint32_t *way = weir_alloc((count + 1) * sizeof *way);
    weir_value *path = weir_object_new(), *steps = weir_array_new();
    weir_forecast_remaining(t->forecast, us);
    size_t length = weir_forecast_longest_way(t->forecast, us, way);
    uint64_t longest = 0;
    for (size_t i = 0; i < count; i++)
        if (us[i] > longest) longest = us[i];
    for (size_t i = 0; i < length && i < LISTED_MAX; i++)
        weir_array_append(steps, step_value(t, &t->forecast->steps.items[way[i]]));
    put_seconds(path, "seconds", longest);
    put_count(path, "length", length);
    weir_member_put(path, "steps", steps);
    weir_member_put(t->out, "critical_path", path);
    weir_free(us);
    weir_free(way);
}

/* However many slots there are, processors do one thing at a time. */
static uint64_t with_processors(uint64_t us, uint64_t cpu_us) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t least = cpu_us / (processors > 0 ? (uint64_t)processors : 1);
    return us > least ? us : least;
}

weir_forecast_limits weir__foresee_limits(const weir_engine *engine, const weir_value *request) {
    const weir_options *options = &engine->options;
    return (weir_forecast_limits){
        .slots = weir__limits_attempts(engine, request),
        .cpu_milli = options->cpu_milli_max,
        .memory_bytes = options->memory_bytes_max,
        .processes = options->processes_max,
        .one_at_a_time = weir_str_is(weir_member_text(request, "mode"), "sync"),
        .scheduler = weir_scheduler_wanted(request),
        .least_memory = weir_str_is(weir_member_text(request, "optimize"), "memory")};
}

weir__outlook weir__foresee(const weir_engine *engine, const weir_forecast *forecast,
                            const weir_value *request) {
    weir_forecast_limits limits = weir__foresee_limits(engine, request);
    sums all = add_up(forecast);
    weir_forecast_course course = weir_forecast_simulate(forecast, &limits, false),
                         high = weir_forecast_simulate(forecast, &limits, true);
    return (weir__outlook){.wall_us = with_processors(course.end_us, all.cpu_us),
                           .wall_high_us = with_processors(high.end_us, all.cpu_us),
                           .work_us = course.work_us,
                           .memory_bytes = course.memory_bytes + all.services_bytes,
                           .at_once = course.at_once,
                           .tasks = all.tasks,
                           .unknown = all.unknown,
                           .at_least = all.at_least};
}

/* As attempts are measured when they run. */
static uint64_t measure(void *arg, const weir_value *value) {
    return weir__value_size(value) +
           weir_given_files(value, weir_member_text((const weir_value *)arg, "folder"));
}

void weir__foresee_sizes(weir_forecast *forecast, const weir_value *request) {
    forecast->measure = measure;
    forecast->measure_arg = (void *)(uintptr_t)request;
}

weir_value *weir__foresee_briefly(const weir_engine *engine, const weir_plan *plan,
                                  const weir_value *request) {
    enum { STEPS_MAX = 2000 };
    weir_forecast forecast = {.steps_max = STEPS_MAX};
    weir_value *brief = NULL;
    if (!plan->forecast) return NULL;
    weir__foresee_sizes(&forecast, request);
    plan->forecast(plan, NULL, &forecast);
    if (!forecast.too_large) {
        weir__estimates *estimates = weir__estimates_of_forecast(plan, engine->store, &forecast);
        weir__estimates_give(estimates, weir__given_size(request));
        weir__estimates_fill(estimates, &forecast);
        weir__outlook o = weir__foresee(engine, &forecast, request);
        if (o.wall_us) {
            brief = weir_object_new();
            uint64_t beyond =
                weir__estimate_beyond(engine->store, weir_member_text(request, "text"));
            put_seconds(brief, "seconds", o.wall_us + beyond);
            put_seconds(brief, "high", o.wall_high_us + beyond);
            put_seconds(brief, "course", o.wall_us);
            put_count(brief, "tasks", o.tasks);
            if (o.at_least) weir_member_put(brief, "at_least", weir_bool_new(true));
            if (o.unknown) put_count(brief, "unknown", o.unknown);
        }
        weir__estimates_free(estimates);
    }
    weir_forecast_deinit(&forecast);
    return brief;
}

static void tell(const weir_engine *engine, telling *t, const weir_value *request, weir_str text) {
    weir__outlook o = weir__foresee(engine, t->forecast, request);
    put_count(t->out, "tasks", o.tasks);
    weir_member_put(t->out, "at_least", weir_bool_new(o.at_least));
    uint64_t beyond = o.wall_us ? weir__estimate_beyond(engine->store, text) : 0;
    put_seconds(t->out, "seconds", o.wall_us + beyond);
    put_seconds(t->out, "high", o.wall_high_us + beyond);
    put_seconds(t->out, "work", o.work_us);
    put_count(t->out, "memory", o.memory_bytes);
    put_count(t->out, "at_once", o.at_once);
    put_count(t->out, "slots", engine->options.attempts_max);
    put_count(t->out, "unknown", o.unknown);
    put_longest_way(t);
    list_steps(t, "not_known", is_unknown);
    list_steps(t, "not_counted", is_counted_late);
    list_steps(t, "waits", is_waiting);
    list_steps(t, "steps", is_any);
}

bool weir_foresee(weir_engine *engine, const weir_value *request,
                  void (*problem)(void *arg, const weir_error *error), void *arg, weir_value **out,
                  weir_error *error) {
    weir__compiled c;
    if (!weir__compiled_open(engine, request, true, problem, arg, &c, error)) return false;
    weir_forecast forecast = {0};
    weir__foresee_sizes(&forecast, c.request.value);
    c.plan->forecast(c.plan, c.request.value, &forecast);
    weir__estimates *estimates = weir__estimates_of_forecast(c.plan, engine->store, &forecast);
    telling t = {estimates, &forecast, weir_object_new()};
    weir_member_put_text(t.out, "kind", weir_str_from(c.plan->kind));
    weir__estimates_give(estimates, weir__given_size(c.request.value));
    weir__estimates_fill(estimates, &forecast);
    tell(engine, &t, c.request.value, weir_buffer_str(&c.document.text));
    *out = t.out;
    weir_forecast_deinit(&forecast);
    weir__estimates_free(estimates);
    weir__compiled_close(&c);
    return true;
}
