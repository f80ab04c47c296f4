#include "engine/cost.h"

#include <stdlib.h>

#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "engine/history.h"
#include "io/energy.h"
#include "store/history.h"

enum {
    SHORT_US =
        1000,       /* a function that takes longer, at the median, is none for the run's thread; */
    LONG_US = 5000, /* nor one of which one in ten takes longer than that */
    ENOUGH = 3,     /* samples */
    SAMPLES_MAX = 256
};

typedef enum place { POOL, THREAD, PLACES } place;

static const char *const place_names[PLACES] = {"pool", "thread"};

/* What is known of an operation at one place. */
typedef struct price {
    size_t count;
    uint64_t wall_us, cpu_us, cpu_high_us, energy_uj; /* 0: not known, or next to nothing */
} price;

typedef struct choice {
    place place;
    weir_value *why; /* object */
} choice;

typedef struct key {
    weir_task_id task;
    uint32_t number, member;
} key;

/* An attempt under way. */
typedef struct begun {
    key key;
    size_t at; /* in the list */
    const char *place;
    weir_value *why; /* reference; NULL: there was no choice */
    uint64_t energy_uj, busy_us;
} begun;

struct weir__costs {
    bool energy_counts; /* what is to be spared, and can be measured */
    weir_energy energy;
    weir_map by_spec; /* places in `choices` */
    WEIR_VECTOR(choice) choices;
    weir_arena arena;
    weir_map by_attempt; /* begun *, by key */
    WEIR_VECTOR(begun *) under_way;
};

static weir_str optimum_of(const weir_run *run) {
    return weir_member_text(weir_machine_request(run->machine), "optimize");
}

static weir__costs *costs_of(weir_run *run) {
    if (run->costs || !optimum_of(run).length) return run->costs;
    run->costs = weir_alloc(sizeof *run->costs);
    if (weir_str_is(optimum_of(run), "energy"))
        run->costs->energy_counts = weir_energy_open(&run->costs->energy, getenv("WEIR_POWERCAP"));
    return run->costs;
}

void weir__costs_free(weir__costs *c) {
    if (!c) return;
    for (size_t i = 0; i < c->under_way.count; i++) {
        weir_value_unref(c->under_way.items[i]->why);
        weir_free(c->under_way.items[i]);
    }
    for (size_t i = 0; i < c->choices.count; i++) weir_value_unref(c->choices.items[i].why);
    weir_vector_deinit(&c->under_way);
    weir_vector_deinit(&c->choices);
    weir_map_deinit(&c->by_spec);
    weir_map_deinit(&c->by_attempt);
    weir_arena_deinit(&c->arena);
    weir_energy_close(&c->energy);
    weir_free(c);
}

/* --- what earlier runs say ---------------------------------------------------------------------- */

typedef struct reading {
    int64_t identities[2]; /* of the cost, of the energy */
    uint64_t wall[SAMPLES_MAX], cpu[SAMPLES_MAX], energy[SAMPLES_MAX];
    size_t count, energies;
} reading;

static bool take(void *arg, const weir_history_sample *s) {
    reading *r = arg;
    if (s->identity == r->identities[1] && r->energies < SAMPLES_MAX)
        r->energy[r->energies++] = s->wall_us;
    if (s->identity != r->identities[0] || r->count == SAMPLES_MAX) return true;
    r->wall[r->count] = s->wall_us;
    r->cpu[r->count++] = s->cpu_us;
    return true;
}

static price read_price(const weir_run *run, const weir_task_spec *spec, place at) {
    int64_t identity = weir__history_identity(run->plan, spec);
    weir_str name = weir_str_from(place_names[at]);
    reading *r = weir_alloc(sizeof *r);
    weir_error ignored;
    for (int energy = 0; energy < 2; energy++)
        r->identities[energy] = weir__history_identity_of_cost(identity, name, energy);
    (void)!weir_store_history(run->engine->store, r->identities, 2, take, r, &ignored);
    price p = {.count = r->count,
               .wall_us = weir__quantile(r->wall, r->count, 50),
               .cpu_us = weir__quantile(r->cpu, r->count, 50),
               .cpu_high_us = weir__quantile(r->cpu, r->count, 90)};
    if (r->energies >= ENOUGH) p.energy_uj = weir__quantile(r->energy, r->energies, 50);
    weir_free(r);
    return p;
}

/* --- choosing ----------------------------------------------------------------------------------- */

/* What is pure waits for nobody; and nothing has to end it before its time. */
static bool has_choice(const weir_run *run, const weir_task_spec *spec) {
    enum { OTHERWISE = WEIR_CHEAP | WEIR_COLLECTS | WEIR_ASYNC | WEIR_GENERATOR };
    return run->engine->store && weir_str_is(spec->executor, "inline") && spec->code &&
           weir_operation_has_code(spec->code) &&
           (spec->code->hints & (WEIR_PURE | OTHERWISE)) == WEIR_PURE &&
           spec->kind == WEIR_TASK_WORK && !spec->timeout_us && !spec->heartbeat_us &&
           !spec->freeze_us;
}

static bool is_brief(const price *p) {
    return p->cpu_us <= SHORT_US && p->cpu_high_us <= LONG_US;
}

static void put_count(weir_value *object, const char *name, uint64_t number) {
    weir_member_put(object, name, weir_int_new((int64_t)(number < INT64_MAX ? number : INT64_MAX)));
}

static choice choose(const weir_run *run, const weir_task_spec *spec) {
    price prices[PLACES];
    choice c = {POOL, weir_object_new()};
    for (place at = 0; at < PLACES; at++) prices[at] = read_price(run, spec, at);
    const price *pool = &prices[POOL], *thread = &prices[THREAD];
    bool brief = pool->count >= ENOUGH && is_brief(pool), stays = is_brief(thread);
    bool both = brief && thread->count >= ENOUGH;
    bool energy =
        both && weir_str_is(optimum_of(run), "energy") && pool->energy_uj && thread->energy_uj;
    bool cpu =
        both && !energy && weir_str_is(optimum_of(run), "energy") && pool->cpu_us != thread->cpu_us;
    uint64_t costs[PLACES];
    for (place at = 0; at < PLACES; at++)
        costs[at] = energy ? prices[at].energy_uj : cpu ? prices[at].cpu_us : prices[at].wall_us;
    if (brief && stays && (!both || costs[THREAD] < costs[POOL])) c.place = THREAD;
    weir_member_put_text(c.why, "executor", weir_str_from(place_names[c.place]));
    weir_member_put_text(c.why, "for",
                         weir_str_from(pool->count < ENOUGH ? "unmeasured"
                                       : !brief || !stays   ? "long"
                                       : !both              ? "trial"
                                       : energy             ? "energy"
                                       : cpu                ? "cpu"
                                                            : "time"));
    for (place at = 0; at < PLACES; at++)
        if (prices[at].count) put_count(c.why, place_names[at], costs[at]);
    return c;
}

static const choice *choice_of(weir_run *run, const weir_task_spec *spec) {
    uint64_t at;
    weir__costs *costs = costs_of(run);
    spec = weir_task_spec_of(spec);
    if (!costs || !has_choice(run, spec)) return NULL;
    if (!weir_map_get(&costs->by_spec, (weir_str){(const char *)&spec, sizeof spec}, &at)) {
        const weir_task_spec **kept = weir_arena_alloc(&costs->arena, sizeof *kept);
        *kept = spec;
        at = costs->choices.count;
        *weir_vector_push(&costs->choices) = choose(run, spec);
        weir_map_set(&costs->by_spec, (weir_str){(const char *)kept, sizeof *kept}, at);
    }
    return &costs->choices.items[at];
}

bool weir__cost_is_near(weir_run *run, const weir_task_spec *spec) {
    const choice *c = choice_of(run, spec);
    return c && c->place == THREAD;
}

/* --- measuring ---------------------------------------------------------------------------------- */

void weir__cost_begin(weir_run *run, weir_attempt *attempt) {
    weir__costs *costs = costs_of(run);
    const weir_task_spec *spec = attempt->spec;
    if (!costs || spec->kind != WEIR_TASK_WORK || weir_str_is(spec->executor, "run")) return;
    const choice *c = choice_of(run, spec);
    begun *b = weir_alloc(sizeof *b);
    *b = (begun){.key = {attempt->id.task, attempt->id.number, attempt->id.member},
                 .at = costs->under_way.count,
                 .why = c ? weir_value_ref(c->why) : NULL};
    attempt->near = c && c->place == THREAD;
    if (c)
        b->place = place_names[c->place];
    else
        b->place = weir_str_is(spec->executor, "process") ? "process" : NULL;
    if (costs->energy_counts) {
        b->energy_uj = weir_energy_read(&costs->energy);
        b->busy_us = weir_energy_busy_us("");
    }
    *weir_vector_push(&costs->under_way) = b;
    weir_map_set(&costs->by_attempt, (weir_str){(const char *)&b->key, sizeof b->key},
                 (uint64_t)(uintptr_t)b);
}

/* Its share of what the processors used meanwhile. */
static uint64_t energy_of(weir__costs *costs, const begun *b, uint64_t cpu_us) {
    uint64_t used_uj = weir_energy_read(&costs->energy) - b->energy_uj,
             busy_us = weir_energy_busy_us("") - b->busy_us;
    if (!cpu_us || !used_uj) return 0;
    if (busy_us < cpu_us) busy_us = cpu_us; /* a clock tick is long */
    return (uint64_t)((double)used_uj * ((double)cpu_us / (double)busy_us));
}

void weir__cost_end(weir_run *run, weir_report *report) {
    weir__costs *costs = run->costs;
    key k = {report->attempt.task, report->attempt.number, report->attempt.member};
    uint64_t found;
    if (!costs || !weir_map_get(&costs->by_attempt, (weir_str){(const char *)&k, sizeof k}, &found))
        return;
    begun *b = (begun *)(uintptr_t)found; // NOLINT(performance-no-int-to-ptr)
    weir_value *usage = report->outcome.usage;
    if (usage) {
        usage = weir_value_own(usage);
        uint64_t energy_uj =
            costs->energy_counts ? energy_of(costs, b, weir_member_count(usage, "cpu_us")) : 0;
        if (b->place) weir_member_put_text(usage, "executor", weir_str_from(b->place));
        if (b->why) weir_member_put(usage, "chosen", weir_value_ref(b->why));
        if (energy_uj) put_count(usage, "energy_uj", energy_uj);
        report->outcome.usage = usage;
    }
    weir_map_remove(&costs->by_attempt, (weir_str){(const char *)&k, sizeof k});
    costs->under_way.items[b->at] = costs->under_way.items[--costs->under_way.count];
    costs->under_way.items[b->at]->at = b->at;
    weir_value_unref(b->why);
    weir_free(b);
}
