/* How long a run that goes on will still take: the course of what is left of its plan, by what was expected of its tasks, corrected by what those
 * that are over took. */
#include "engine/actual.h"
#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "engine/history.h"

enum {
    TASKS_MAX = 100 * 1000, /* that are looked at each time; of more nothing is said */
    LOOK_US = 200 * 1000    /* so often at most */
};

struct weir__left {
    const weir_plan *plan; /* that it is of: a restart may bring another */
    weir__estimates *estimates;
    weir_forecast forecast;                   /* as it was expected */
    WEIR_VECTOR(weir_forecast_step) expected; /* its steps, then */
    uint64_t beyond_us;
    uint64_t looked_us, left_us; /* when it was looked at last, and what that gave; 0: not yet */
    bool known;
};

void weir__left_free(struct weir__left *left) {
    if (!left) return;
    weir__estimates_free(left->estimates);
    weir_forecast_deinit(&left->forecast);
    weir_vector_deinit(&left->expected);
    weir_free(left);
}

static struct weir__left *left_new(const weir_run *run) {
    struct weir__left *left = weir_alloc(sizeof *left);
    const weir_value *request = weir_machine_request(run->machine);
    weir_forecast *f = &left->forecast;
    left->plan = run->plan;
    f->steps_max = TASKS_MAX;
    if (!run->plan->forecast || !request) return left;
    weir__foresee_sizes(f, request);
    run->plan->forecast(run->plan, NULL, f);
    left->estimates = weir__estimates_of_forecast(run->plan, run->engine->store, f);
    weir__estimates_give(left->estimates, weir__given_size(request));
    weir__estimates_fill(left->estimates, f);
    for (size_t i = 0; i < f->steps.count; i++)
        *weir_vector_push(&left->expected) = f->steps.items[i];
    left->beyond_us = weir__estimate_beyond(run->engine->store, weir_member_text(request, "text"));
    left->known = !f->too_large && f->steps.count;
    return left;
}

/* False: nothing is known of all that is left. */
static bool look(const weir_run *run, struct weir__left *left, uint64_t now_us) {
    weir_forecast *f = &left->forecast;
    double part;
    memcpy(f->steps.items, left->expected.items, f->steps.count * sizeof *f->steps.items);
    weir__actual_leave(run->actual, weir_machine_tasks(run->machine), now_us, f, &part);
    weir__outlook outlook = weir__foresee(run->engine, f, weir_machine_request(run->machine));
    left->looked_us = now_us;
    left->left_us = outlook.wall_us + (uint64_t)(part * (double)left->beyond_us);
    return outlook.wall_us > 0;
}

bool weir__run_left(weir_run *run, uint64_t *left_us) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    if (weir_machine_finished(run->machine) || weir_machine_is_suspended(run->machine) ||
        weir_tasks_count(tasks) > TASKS_MAX || !run->actual)
        return false;
    if (run->left && run->left->plan != run->plan) {
        weir__left_free(run->left);
        run->left = NULL;
    }
    if (!run->left) run->left = left_new(run);
    struct weir__left *left = run->left;
    uint64_t now_us = weir__now_us(run->engine);
    if (!left->known) return false;
    if (!left->looked_us || now_us >= left->looked_us + LOOK_US || now_us < left->looked_us)
        if (!look(run, left, now_us)) return false;
    uint64_t since_us = now_us - left->looked_us;
    *left_us = left->left_us > since_us ? left->left_us - since_us : 0;
    return true;
}

uint64_t weir__run_course(const weir_run *run) {
    enum { STEPS_MAX = 2000 };
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    weir_forecast f = {.steps_max = STEPS_MAX};
    uint64_t course_us = UINT64_MAX;
    if (!run->plan->forecast || !run->actual || weir_tasks_count(tasks) > TASKS_MAX)
        return UINT64_MAX;
    run->plan->forecast(run->plan, NULL, &f);
    if (!f.too_large) {
        weir__actual_tell(run->actual, tasks, &f);
        course_us = weir__foresee(run->engine, &f, weir_machine_request(run->machine)).wall_us;
    }
    weir_forecast_deinit(&f);
    return course_us;
}
