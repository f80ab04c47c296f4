/* How long a run that goes on will still take: what was expected of it, corrected by what happened so far. */
#include "engine/engine_internal.h"
#include "engine/estimate.h"

enum { TASKS_MAX = 100 * 1000 /* that are looked at each time; of more nothing is said */ };

struct weir__left {
    weir__estimates *estimates;
    uint64_t total_us, work_us; /* expected: until its end, and of all tasks together */
    double done;                /* the part of the work that was, when it was looked at last */
    uint64_t changed_us, left_us;
};

void weir__left_free(struct weir__left *left) {
    if (!left) return;
    weir__estimates_free(left->estimates);
    weir_free(left);
}

static struct weir__left *left_new(const weir_run *run) {
    struct weir__left *left = weir_alloc(sizeof *left);
    weir_forecast forecast = {.steps_max = TASKS_MAX};
    if (run->plan->forecast) run->plan->forecast(run->plan, NULL, &forecast);
    left->estimates = weir__estimates_of_forecast(run->plan, run->engine->store, &forecast);
    if (!run->plan->forecast) return left;
    weir__estimates_fill(left->estimates, &forecast);
    weir__outlook outlook = weir__foresee(run->engine, &forecast);
    if (!forecast.too_large && outlook.wall_us) {
        left->total_us = outlook.wall_us;
        left->work_us = outlook.work_us;
    }
    weir_forecast_deinit(&forecast);
    return left;
}

/* What was expected of the tasks that are over. */
static uint64_t work_done(const weir_run *run, const struct weir__left *left) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    uint64_t sum = 0;
    for (weir_task_id t = weir_tasks_next(tasks, 0); t < weir_tasks_count(tasks);
         t = weir_tasks_next(tasks, t + 1)) {
        const weir_task_spec *spec = weir_tasks_spec(tasks, t);
        weir_estimate known;
        if (spec && weir_tasks_state(tasks, t) == WEIR_STATE_FINISHED &&
            weir__estimates_of(left->estimates, spec, 0, &known))
            sum = weir_forecast_plus(sum, known.wall_us ? known.wall_us : known.wall_high_us);
    }
    return sum;
}

/* Of the time that was expected, and of the time that the work so far says it will take, the later the more the second. */
uint64_t weir__left_from(uint64_t total_us, double done, uint64_t elapsed_us) {
    double open = done < 1 ? 1 - done : 0;
    return (uint64_t)(open * (open * (double)total_us + (double)elapsed_us));
}

bool weir__run_left(weir_run *run, uint64_t *left_us) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    if (weir_machine_finished(run->machine) || weir_machine_is_suspended(run->machine) ||
        weir_tasks_count(tasks) > TASKS_MAX)
        return false;
    if (!run->left) run->left = left_new(run);
    struct weir__left *left = run->left;
    if (!left->total_us) return false;
    uint64_t now_us = weir__now_us(run->engine), created_us = weir_machine_created_us(run->machine);
    uint64_t elapsed_us = now_us > created_us ? now_us - created_us : 0;
    double done = left->work_us ? (double)work_done(run, left) / (double)left->work_us : 1;
    if (!left->changed_us || done > left->done) {
        left->done = done;
        left->changed_us = done > 0 ? now_us : created_us;
        left->left_us = weir__left_from(left->total_us, done, done > 0 ? elapsed_us : 0);
    }
    uint64_t since_us = now_us > left->changed_us ? now_us - left->changed_us : 0;
    *left_us = left->left_us > since_us ? left->left_us - since_us : 0;
    return true;
}
