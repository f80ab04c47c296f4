#include "engine/actual.h"

#include "base/map.h"
#include "base/notes.h"

/* So many attempts as were expected stand beside those that were: one that took long is an accident, several are not. */
static const double EXPECTED_WEIGHT = 1;

typedef struct took {
    uint64_t count, wall_us; /* of attempts that succeeded; each with those before it that failed */
} took;

struct weir__actual {
    weir_map by_spec; /* places in `items` */
    WEIR_VECTOR(took) items;
    weir_notes begun; /* when those under way were scheduled */
    uint64_t last_us; /* of the last event */
    weir_arena keys;
};

weir__actual *weir__actual_new(void) {
    return weir_alloc(sizeof(weir__actual));
}

void weir__actual_free(weir__actual *a) {
    if (!a) return;
    weir_map_deinit(&a->by_spec);
    weir_vector_deinit(&a->items);
    weir_notes_deinit(&a->begun);
    weir_arena_deinit(&a->keys);
    weir_free(a);
}

/* --- noting ------------------------------------------------------------------------------------- */

uint32_t weir__tries_of(const weir_machine *machine, weir_task_id task) {
    const weir_coordinator *coordinator = weir_machine_coordinator(machine);
    return coordinator->class->tries ? coordinator->class->tries(coordinator, task)
                                     : weir_tasks_attempt(weir_machine_tasks(machine), task);
}

/* One that failed is taken to have taken as long as the one that did not. */
static uint64_t with_tries(const weir_task_spec *spec, uint64_t wall_us, uint32_t tries) {
    if (!weir_task_tries_again(spec) || tries <= 1) return wall_us;
    return weir_forecast_plus(weir_forecast_times(wall_us, tries),
                              weir_forecast_times(spec->backoff_us, tries - 1));
}

static void note_took(weir__actual *a, const weir_machine *machine, weir_task_id task) {
    uint64_t at;
    const weir_tasks *tasks = weir_machine_tasks(machine);
    const weir_task_spec *spec = weir_tasks_spec(tasks, task);
    if (!spec || weir_tasks_state(tasks, task) != WEIR_STATE_JUDGED) return;
    const weir_outcome *outcome = weir_tasks_outcome(tasks, task);
    uint64_t wall_us = weir_member_count(outcome->usage, "wall_us");
    if (outcome->kind != WEIR_OUTCOME_SUCCEEDED || !wall_us) return;
    spec = weir_task_spec_of(spec);
    wall_us = with_tries(spec, wall_us, weir__tries_of(machine, task));
    if (!weir_map_get(&a->by_spec, (weir_str){(const char *)&spec, sizeof spec}, &at)) {
        const weir_task_spec **key = weir_arena_alloc(&a->keys, sizeof(weir_task_spec *));
        *key = spec;
        at = a->items.count;
        weir_map_set(&a->by_spec, (weir_str){(const char *)key, sizeof *key}, at);
        *weir_vector_push(&a->items) = (took){0};
    }
    a->items.items[at].count++;
    a->items.items[at].wall_us = weir_forecast_plus(a->items.items[at].wall_us, wall_us);
}

void weir__actual_note(weir__actual *a, const weir_machine *machine, const weir_event *event) {
    weir_task_id task = (weir_task_id)event->subject;
    a->last_us = event->time_us;
    switch (event->type) {
    case WEIR_ATTEMPT_SCHEDULED: weir_notes_set(&a->begun, task, event->time_us); break;
    case WEIR_ATTEMPT_FINISHED:
        (void)weir_notes_drop(&a->begun, task, NULL);
        note_took(a, machine, task);
        break;
    case WEIR_ATTEMPT_LOST: (void)weir_notes_drop(&a->begun, task, NULL); break;
    case WEIR_RUN_RESTARTED: weir_notes_clear(&a->begun); break;
    default: break;
    }
}

/* --- asking ------------------------------------------------------------------------------------- */

/* Of one spec: its steps, and its tasks in this run. */
typedef struct tally {
    uint64_t planned, made, over, ran; /* tasks; ran: those whose result was not kept */
    uint64_t expected_us;              /* of one: of the first of its steps that knows */
    double factor;                     /* what they take, of what was expected */
    uint64_t had_us;                   /* those under way, of what they take */
    uint64_t late, late_us; /* of those: how many take longer already, and what they had */
    took took;
} tally;

typedef struct tallies {
    weir_map by_spec; /* places in `items`; keys are the forecast's */
    WEIR_VECTOR(tally) items;
} tallies;

static tally *tally_of(const tallies *t, const weir_task_spec *spec) {
    uint64_t at;
    spec = spec ? weir_task_spec_of(spec) : NULL;
    bool known =
        spec && weir_map_get(&t->by_spec, (weir_str){(const char *)&spec, sizeof spec}, &at);
    return known ? &t->items.items[at] : NULL;
}

static bool is_task(const weir_forecast_step *step) {
    return step->spec && !step->call && !step->lasts && step->spec->operation.length;
}

static void add_steps(tallies *t, const weir_forecast *f) {
    for (size_t i = 0; i < f->steps.count; i++) {
        const weir_forecast_step *step = &f->steps.items[i];
        if (!is_task(step)) continue;
        tally *own = tally_of(t, step->spec);
        if (!own) {
            weir_map_set(&t->by_spec, (weir_str){(const char *)&step->spec, sizeof step->spec},
                         t->items.count);
            own = weir_vector_push(&t->items);
            *own = (tally){.factor = 1};
        }
        own->planned = weir_forecast_plus(own->planned, step->tasks);
        if (!own->expected_us) own->expected_us = weir_forecast_wall_us(step, false);
    }
}

static void add_tasks(tallies *t, const weir_tasks *tasks) {
    for (weir_task_id id = weir_tasks_next(tasks, 0); id < weir_tasks_count(tasks);
         id = weir_tasks_next(tasks, id + 1)) {
        tally *own = tally_of(t, weir_tasks_spec(tasks, id));
        if (!own) continue;
        own->made++;
        own->over += weir_tasks_state(tasks, id) == WEIR_STATE_FINISHED;
    }
}

static void add_took(tallies *t, const weir__actual *a, const weir_forecast *f) {
    for (size_t i = 0; i < f->steps.count; i++) {
        uint64_t at;
        const weir_task_spec *spec = f->steps.items[i].spec;
        tally *own = tally_of(t, spec);
        if (own && weir_map_get(&a->by_spec, (weir_str){(const char *)&spec, sizeof spec}, &at))
            own->took = a->items.items[at];
        if (own) own->ran = own->took.count;
    }
}

static tallies tallies_of(const weir__actual *a, const weir_tasks *tasks, const weir_forecast *f) {
    tallies t = {0};
    add_steps(&t, f);
    add_tasks(&t, tasks);
    add_took(&t, a, f);
    return t;
}

static void tallies_deinit(tallies *t) {
    weir_map_deinit(&t->by_spec);
    weir_vector_deinit(&t->items);
}

/* Steps of one spec have its tasks in the order in which they come. */
static uint64_t take_from(uint64_t *all, uint64_t most) {
    uint64_t some = *all < most ? *all : most;
    *all -= some;
    return some;
}

void weir__actual_tell(const weir__actual *a, const weir_tasks *tasks, weir_forecast *f) {
    tallies t = tallies_of(a, tasks, f);
    for (size_t i = 0; i < f->steps.count; i++) {
        weir_forecast_step *step = &f->steps.items[f->order[i]];
        tally *own = tally_of(&t, step->spec);
        if (!own) continue;
        own->planned -= step->tasks;
        step->estimate.wall_us = own->took.count ? own->took.wall_us / own->took.count : 0;
        step->tasks = take_from(&own->ran, own->planned ? step->tasks : UINT64_MAX);
        step->at_least = false;
        step->estimate.wall_high_us = 0;
        step->tries_milli = 0;
    }
    tallies_deinit(&t);
}

/* By those that are over, and those under way that take longer already. */
static void find_factor(tally *own) {
    double many = (double)(own->took.count + own->late),
           took_us = (double)own->took.wall_us + (double)own->late_us;
    if (many < 1) return;
    if (!own->expected_us) {
        own->expected_us = (uint64_t)(took_us / many);
        return;
    }
    double expected_us = (double)own->expected_us, before = expected_us * EXPECTED_WEIGHT;
    own->factor = (took_us + before) / (expected_us * many + before);
}

static void add_under_way(tallies *t, const weir__actual *a, const weir_tasks *tasks,
                          uint64_t now_us, bool late) {
    for (size_t i = 0; i < a->begun.items.count; i++) {
        const weir_note *begun = &a->begun.items.items[i];
        tally *own = tally_of(t, weir_tasks_spec(tasks, (weir_task_id)begun->of));
        if (!own || now_us < begun->number) continue;
        uint64_t had_us = now_us - begun->number,
                 takes_us = (uint64_t)((double)own->expected_us * own->factor);
        if (late && had_us > takes_us) {
            own->late++;
            own->late_us += had_us;
        }
        if (!late) own->had_us += had_us < takes_us ? had_us : takes_us;
    }
}

/* What one still takes, as those under way had some of it. */
static uint64_t rest_of(tally *own, uint64_t takes_us, uint64_t tasks) {
    uint64_t all_us = weir_forecast_times(takes_us, tasks),
             had_us = take_from(&own->had_us, all_us);
    return tasks ? (all_us - had_us) / tasks : 0;
}

/* 0 is not known; what is over nearly is known. */
static uint64_t at_least_one(uint64_t us) {
    return us ? us : 1;
}

/* Whether some of its tasks began. */
static bool leave_step(weir_forecast_step *step, tally *own) {
    uint64_t takes_us = weir_forecast_wall_us(step, false);
    if (!takes_us) takes_us = own->expected_us;
    takes_us = (uint64_t)((double)takes_us * own->factor);
    own->planned -= step->tasks;
    uint64_t made = take_from(&own->made, own->planned ? step->tasks : UINT64_MAX);
    if (made > step->tasks) step->tasks = made; /* a loop has more items than was known */
    step->tasks -= take_from(&own->over, step->tasks);
    step->estimate.wall_us = takes_us ? at_least_one(rest_of(own, takes_us, step->tasks)) : 0;
    step->tries_milli = 0; /* they are in it */
    return made;
}

/* Suspensions have no tasks: one is over when something behind it began; one that is not goes on while nothing else does. */
static void leave_waits(weir_forecast *f, bool *began, uint64_t idle_us) {
    for (size_t i = f->steps.count; i-- > 0;) {
        uint32_t at = f->order[i];
        weir_forecast_step *step = &f->steps.items[at];
        bool behind = false;
        for (uint32_t e = f->first[at]; e < f->first[at + 1]; e++) behind |= began[f->next[e]];
        bool waits = step->spec && !step->spec->operation.length && step->estimate.wall_us;
        if (waits && behind) step->tasks = 0;
        if (waits && !behind)
            step->estimate.wall_us =
                step->estimate.wall_us > idle_us ? step->estimate.wall_us - idle_us : 1;
        began[at] |= behind;
    }
}

void weir__actual_leave(const weir__actual *a, const weir_tasks *tasks, uint64_t now_us,
                        weir_forecast *f, double *part) {
    double whole = 0, left = 0;
    bool *began = weir_alloc(f->steps.count + 1);
    uint64_t idle_us = a->begun.items.count || now_us < a->last_us ? 0 : now_us - a->last_us;
    tallies t = tallies_of(a, tasks, f);
    add_under_way(&t, a, tasks, now_us, true);
    for (size_t i = 0; i < t.items.count; i++) find_factor(&t.items.items[i]);
    add_under_way(&t, a, tasks, now_us, false);
    for (size_t i = 0; i < f->steps.count; i++) {
        weir_forecast_step *step = &f->steps.items[f->order[i]];
        tally *own = tally_of(&t, step->spec);
        if (!own) continue;
        whole += (double)step->tasks * (double)weir_forecast_wall_us(step, false) * own->factor;
        began[f->order[i]] = leave_step(step, own);
        left += (double)step->tasks * (double)weir_forecast_wall_us(step, false);
    }
    leave_waits(f, began, idle_us);
    weir_free(began);
    *part = whole > 0 && left < whole ? left / whole : 1;
    tallies_deinit(&t);
}
