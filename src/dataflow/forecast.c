/* What a dataflow will do: a step for each instance, and behind each stage a point that the next one waits for. How many tasks an
 * instance has is the product of how many inputs its parameters get, as far as that is known before. */
#include "task/forecast.h"

#include "data/json.h"
#include "dataflow/prove_internal.h"

static const uint64_t TASKS_MAX = 1000ull * 1000 * 1000 * 1000; /* more are as many */

/* A flow among the steps: of instance i the first is begin[i], and what waits for it waits for end[i]. */
typedef struct part {
    const weir__flow *flow;
    uint8_t *runs; /* by instance: a level */
    uint32_t *begin, *end;
    uint32_t *first;  /* by instance: of its parameters among all */
    uint64_t *inputs; /* by parameter: how many it gets in one context, so far */
    bool *open;       /* or more */
    uint64_t *bytes,
        *measured;        /* the same: of those that are known, together, and how many they are */
    uint32_t *pools;      /* by definition: of its lock, from 1; 0: none yet */
    uint32_t entry, exit; /* points before and behind all of it; the file's own has none before */
    uint32_t around, caller; /* the part with the instance that runs it; WEIR__NONE: nobody does */
    bool skipped;            /* it never runs */
} part;

typedef struct maker {
    uint32_t part, instance; /* of a step; part WEIR__NONE: it is a point */
} maker;

typedef struct builder {
    const weir_dataflow_plan *plan;
    weir_forecast *out;
    part *parts;               /* by flow */
    WEIR_VECTOR(maker) makers; /* by step */
} builder;

static uint32_t add(builder *b, weir_str name, const weir_task_spec *spec, maker of) {
    uint32_t step = weir_forecast_add(b->out, name, spec);
    if (step != WEIR_FORECAST_NONE) *weir_vector_push(&b->makers) = of;
    return step;
}

static uint32_t add_point(builder *b) {
    return add(b, WEIR_STR(""), NULL, (maker){WEIR__NONE, WEIR__NONE});
}

/* --- steps -------------------------------------------------------------------------------------- */

/* "around/within". */
static weir_str name_of(builder *b, const part *p, const weir__instance *instance) {
    if (!weir_value_count(p->flow->path)) return instance->name;
    weir_buffer name = {0};
    for (size_t i = 0; i < weir_value_count(p->flow->path); i++)
        weir_buffer_printf(&name, "%.*s/",
                           WEIR_ARG(weir_string_get(weir_array_at(p->flow->path, i))));
    weir_buffer_str_append(&name, instance->name);
    weir_str text = weir_buffer_str(&name);
    weir_str kept = {weir_str_copy(&b->out->arena, text), text.length};
    weir_buffer_deinit(&name);
    return kept;
}

/* Who reads an input with a lock has it alone: of each context, as far as that is known. */
static void add_holds(builder *b, part *p, const weir__instance *instance) {
    size_t contexts = b->plan->contexts.count;
    for (size_t i = 0; p->flow->locks && i < instance->parameters.count; i++) {
        uint32_t definition = instance->parameters.items[i].definition;
        if (!p->flow->definitions.items[definition].lock) continue;
        if (!p->pools[definition])
            p->pools[definition] = 1 + weir_forecast_pool_add(b->out, contexts ? contexts : 1);
        weir_forecast_hold(b->out, p->pools[definition] - 1);
    }
}

static bool is_nested(const weir__instance *instance) {
    return instance->nested == WEIR__NESTED_RUN || instance->nested == WEIR__NESTED_CUSTOM;
}

static void add_instance(builder *b, part *p, uint32_t at) {
    const weir__instance *instance = &p->flow->instances.items[at];
    uint32_t number = (uint32_t)(p - b->parts);
    p->begin[at] = p->end[at] = WEIR_FORECAST_NONE;
    if (p->runs[at] == WEIR__NEVER || instance->nested == WEIR__NESTED_REMAP) return;
    bool nested = is_nested(instance);
    uint32_t step =
        add(b, name_of(b, p, instance), nested ? NULL : instance->spec, (maker){number, at});
    p->begin[at] = p->end[at] = step;
    if (step == WEIR_FORECAST_NONE) return;
    weir_forecast_step *made = &b->out->steps.items[step];
    made->doubtful = p->runs[at] == WEIR__MAY;
    made->call = instance->call;
    made->estimate = instance->spec->estimate;
    if (!nested && !made->call) add_holds(b, p, instance);
    if (!nested) return;
    p->end[at] = add_point(b);
    part *inner = &b->parts[instance->flow];
    inner->around = number;
    inner->caller = at;
    weir_forecast_join(b->out, step, inner->entry);
    weir_forecast_join(b->out, inner->exit, p->end[at]);
}

/* Each stage waits for all of the one before. */
static void add_stages(builder *b, part *p) {
    uint32_t before = p->entry;
    for (weir_stage stage = WEIR_STAGE_PROCESSING; stage < WEIR_STAGE_DONE; stage++) {
        uint32_t behind = stage + 1 == WEIR_STAGE_DONE ? p->exit : add_point(b);
        weir_forecast_join(b->out, before, behind);
        for (uint32_t i = 0; i < p->flow->instances.count; i++) {
            if (p->flow->instances.items[i].stage != stage) continue;
            add_instance(b, p, i);
            weir_forecast_join(b->out, before, p->begin[i]);
            weir_forecast_join(b->out, p->end[i], behind);
        }
        before = behind;
    }
}

static void join_readers(builder *b, const part *p) {
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *instance = &p->flow->instances.items[i];
        if (p->end[i] == WEIR_FORECAST_NONE || instance->stage != WEIR_STAGE_PROCESSING) continue;
        for (size_t o = 0; o < instance->outputs.count; o++) {
            const weir__origin *origin = &p->flow->origins.items[instance->outputs.items[o].origin];
            for (size_t c = 0; c < origin->consumers.count; c++) {
                const weir__consumer *consumer = &origin->consumers.items[c];
                const weir__instance *reader = &p->flow->instances.items[consumer->instance];
                if (reader->stage == WEIR_STAGE_PROCESSING)
                    weir_forecast_join(b->out, p->end[i], p->begin[consumer->instance]);
            }
        }
    }
}

/* --- how many ----------------------------------------------------------------------------------- */

static uint64_t capped(uint64_t tasks) {
    return tasks < TASKS_MAX ? tasks : TASKS_MAX;
}

/* What parameters get: so many, or more, or one that is known. */
typedef struct supply {
    uint64_t count;
    bool open, known;
    uint64_t bytes;
} supply;

static void add_inputs(part *p, const weir__consumer *consumer, supply all) {
    uint32_t at = p->first[consumer->instance] + consumer->slot;
    p->bytes[at] = weir_forecast_plus(p->bytes[at], all.bytes);
    p->measured[at] += all.known;
    p->inputs[at] = capped(p->inputs[at] + all.count);
    p->open[at] |= all.open;
}

static void tell_readers(part *p, uint32_t origin, uint32_t definition, supply all) {
    const weir__origin *of = &p->flow->origins.items[origin];
    for (size_t c = 0; c < of->consumers.count; c++)
        if (!of->consumers.items[c].condition && of->consumers.items[c].definition == definition)
            add_inputs(p, &of->consumers.items[c], all);
}

static void tell_given(const builder *b, part *p, const weir__givens *givens) {
    for (size_t i = 0; i < givens->items.count; i++) {
        const weir__given *given = &givens->items.items[i];
        if (given->origin != WEIR__NONE && given->same_as == WEIR__NONE)
            tell_readers(p, given->origin, given->definition,
                         (supply){1, false, true, weir_forecast_measure(b->out, given->value)});
    }
}

/* What a task is given, on the average; 0 unless all of it is known. */
static uint64_t bytes_of(const part *p, uint32_t at) {
    const weir__instance *instance = &p->flow->instances.items[at];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < instance->parameters.count; i++) {
        uint32_t slot = p->first[at] + i;
        if (!p->measured[slot] || p->measured[slot] != p->inputs[slot]) return 0;
        sum = weir_forecast_plus(sum, p->bytes[slot] / p->measured[slot]);
    }
    return sum;
}

/* A parameter that nothing was said of gets one input, from outside or by its default. */
static void count_tasks(part *p, uint32_t at, weir_forecast_step *step) {
    const weir__instance *instance = &p->flow->instances.items[at];
    uint64_t tasks = 1;
    for (uint32_t i = 0; i < instance->parameters.count; i++) {
        uint64_t inputs = p->inputs[p->first[at] + i];
        tasks = capped(weir_forecast_times(tasks, inputs ? inputs : 1));
        step->at_least |= p->open[p->first[at] + i];
    }
    step->input_bytes = step->at_least ? 0 : bytes_of(p, at);
    step->tasks = tasks;
    bool generator = instance->operation && (instance->operation->hints & WEIR_GENERATOR);
    for (size_t o = 0; o < instance->outputs.count; o++) {
        const weir__output *output = &instance->outputs.items[o];
        tell_readers(p, output->origin, output->definition,
                     (supply){tasks, step->at_least || generator || output->expand, false, 0});
    }
}

/* How often the flow runs: each task of who runs it opens a context, or, where those are inputs, at least one. */
static void count_contexts(const builder *b, const part *p, uint64_t *times, bool *open) {
    *times = b->plan->contexts.count ? b->plan->contexts.count : 1;
    *open = b->plan->open;
    for (; p->around != WEIR__NONE; p = &b->parts[p->around]) {
        const part *around = &b->parts[p->around];
        const weir_forecast_step *caller = &b->out->steps.items[around->begin[p->caller]];
        *times = capped(weir_forecast_times(*times, caller->tasks ? caller->tasks : 1));
        *open |=
            caller->at_least || around->flow->instances.items[p->caller].nested == WEIR__NESTED_RUN;
    }
}

static void count_all(builder *b) {
    weir_forecast *f = b->out;
    for (size_t i = 0; i < b->makers.count; i++) {
        maker of = b->makers.items[f->order[i]];
        if (of.part != WEIR__NONE)
            count_tasks(&b->parts[of.part], of.instance, &f->steps.items[f->order[i]]);
    }
    uint64_t *times = weir_alloc(b->plan->flows.count * sizeof *times);
    bool *open = weir_alloc(b->plan->flows.count);
    for (size_t p = 0; p < b->plan->flows.count; p++)
        if (!b->parts[p].skipped) count_contexts(b, &b->parts[p], &times[p], &open[p]);
    for (size_t i = 0; i < b->makers.count; i++) {
        maker of = b->makers.items[i];
        if (of.part == WEIR__NONE) continue;
        weir_forecast_step *step = &f->steps.items[i];
        step->tasks = step->spec ? capped(weir_forecast_times(step->tasks, times[of.part])) : 0;
        step->at_least |= open[of.part];
    }
    weir_free(times);
    weir_free(open);
}

/* --- the whole ------------------------------------------------------------------------------------ */

static void note_levels(void *arg, const weir__flow_proof *proof) {
    part *p = &((builder *)arg)->parts[proof->flow->number];
    for (size_t i = 0; i < proof->flow->instances.count; i++)
        if (proof->runs[i] > p->runs[i]) p->runs[i] = proof->runs[i];
}

static void part_init(part *p, const weir__flow *flow, bool all) {
    size_t count = flow->instances.count, slots = 0;
    *p = (part){.flow = flow, .around = WEIR__NONE, .caller = WEIR__NONE};
    p->runs = weir_alloc(count + 1);
    if (all) memset(p->runs, WEIR__SURE, count);
    p->begin = weir_alloc((count + 1) * sizeof *p->begin);
    p->end = weir_alloc((count + 1) * sizeof *p->end);
    p->first = weir_alloc((count + 1) * sizeof *p->first);
    for (size_t i = 0; i < count; i++) {
        p->first[i] = (uint32_t)slots;
        slots += flow->instances.items[i].parameters.count;
    }
    p->inputs = weir_alloc((slots + 1) * sizeof *p->inputs);
    p->bytes = weir_alloc((slots + 1) * sizeof *p->bytes);
    p->measured = weir_alloc((slots + 1) * sizeof *p->measured);
    p->pools = weir_alloc((flow->definitions.count + 1) * sizeof *p->pools);
    p->open = weir_alloc(slots + 1);
}

static void part_deinit(part *p) {
    void *const members[] = {p->runs, p->begin, p->end,      p->first, p->inputs,
                             p->open, p->bytes, p->measured, p->pools};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) weir_free(members[i]);
}

/* What nobody runs has no steps. A flow's number is above that of the one around it. */
static void add_parts(builder *b) {
    for (size_t f = 1; f < b->plan->flows.count; f++) b->parts[f].skipped = true;
    for (size_t f = 0; f < b->plan->flows.count; f++) {
        part *p = &b->parts[f];
        for (uint32_t i = 0; !p->skipped && i < p->flow->instances.count; i++) {
            const weir__instance *instance = &p->flow->instances.items[i];
            if (is_nested(instance) && p->runs[i] != WEIR__NEVER)
                b->parts[instance->flow].skipped = false;
        }
    }
    for (size_t f = 0; f < b->plan->flows.count; f++) {
        part *p = &b->parts[f];
        p->entry = p->exit = WEIR_FORECAST_NONE;
        if (p->skipped) continue;
        p->entry = add_point(b);
        p->exit = add_point(b);
    }
    for (size_t f = 0; f < b->plan->flows.count; f++)
        if (!b->parts[f].skipped) {
            add_stages(b, &b->parts[f]);
            join_readers(b, &b->parts[f]);
        }
}

void weir__dataflow_forecast(const weir_plan *plan, const weir_value *request,
                             weir_forecast *forecast) {
    builder b = {.plan = (const weir_dataflow_plan *)plan, .out = forecast};
    size_t count = b.plan->flows.count;
    b.parts = weir_alloc(count * sizeof *b.parts);
    for (size_t f = 0; f < count; f++) part_init(&b.parts[f], b.plan->flows.items[f], !request);
    if (request) weir__dataflow_levels(b.plan, request, note_levels, &b);
    add_parts(&b);
    weir_forecast_close(forecast);
    for (size_t f = 0; f < count; f++) {
        tell_given(&b, &b.parts[f], &b.plan->flows.items[f]->seeds);
        if (f == 0 && b.plan->contexts.count)
            tell_given(&b, &b.parts[0], &b.plan->contexts.items[0].inputs);
    }
    count_all(&b);
    for (size_t f = 0; f < count; f++) part_deinit(&b.parts[f]);
    weir_free(b.parts);
    weir_vector_deinit(&b.makers);
}

void weir__dataflow_identify(const weir_plan *plan, const weir_task_spec *spec, weir_buffer *out) {
    (void)plan;
    const weir_value *config = ((const weir__kept_spec *)spec)->config;
    if (weir_value_count(config)) weir_json_format(config, 0, out);
}
