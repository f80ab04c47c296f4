/* Remembers what a replay shows: inputs as they get their places, and what was made of them. */
#include "dataflow/trace_internal.h"

enum { SPARE_MAX = 4096 }; /* births that a family has room for whose memory is used again */

/* --- families ----------------------------------------------------------------------------------- */

/* Leaves the memory for another. */
static void empty_family(weir__family *family) {
    for (size_t i = 0; i < family->births.count; i++)
        weir_value_unref(family->births.items[i].value);
    for (size_t i = 0; i < family->acts.count; i++) weir_value_unref(family->acts.items[i].outputs);
    for (size_t i = 0; i < family->members.count; i++) {
        weir_value_unref(family->members.items[i].value);
        weir_free(family->members.items[i].name);
        weir_vector_deinit(&family->members.items[i].at);
    }
    family->births.count = family->acts.count = family->members.count = family->pool.count = 0;
    family->fresh = 0;
}

static void free_family(weir__family *family) {
    if (!family) return;
    empty_family(family);
    weir_vector_deinit(&family->births);
    weir_vector_deinit(&family->acts);
    weir_vector_deinit(&family->members);
    weir_vector_deinit(&family->pool);
    weir_free(family);
}

static weir__family *family_of(const weir_trace *trace, uint32_t context) {
    return context < trace->families.count ? trace->families.items[context] : NULL;
}

static bool is_remap(const weir__dataflow *c, const weir__context *context) {
    const weir__flow_task *t = weir__dataflow_task(c, context->task);
    return t->context->flow->instances.items[t->instance].nested == WEIR__NESTED_REMAP;
}

static void put_number(weir__numbers *numbers, uint32_t at, uint32_t number) {
    while (numbers->count <= at) *weir_vector_push(numbers) = WEIR__NONE;
    numbers->items[at] = number;
}

/* A remap's inputs are those of the context around, at their places. */
static void inherit(weir__family *family, weir__member *member) {
    const weir__numbers *around = &family->members.items[member->parent].at;
    for (uint32_t i = 0; i < around->count; i++) put_number(&member->at, i, around->items[i]);
}

static weir__family *join(weir_trace *trace, const weir__context *context) {
    weir__family *family = context->parent ? family_of(trace, context->parent) : NULL;
    weir__member member = {.flow = context->flow,
                           .name = weir_str_dup(context->name),
                           .id = context->id,
                           .parent = WEIR__NONE,
                           .act = WEIR__NONE,
                           .node = WEIR__NONE};
    if (!family) {
        family = trace->spare ? trace->spare : weir_alloc(sizeof *family);
        trace->spare = NULL;
        family->root = context->id;
        family->open_at = trace->open.count;
        *weir_vector_push(&trace->open) = family;
    } else {
        member.parent = trace->members.items[context->parent];
        member.act = trace->acts.items[context->task];
        member.remap = is_remap(trace->dataflow, context);
        if (member.remap) inherit(family, &member);
    }
    while (trace->families.count <= context->id) *weir_vector_push(&trace->families) = NULL;
    trace->families.items[context->id] = family;
    put_number(&trace->members, context->id, (uint32_t)family->members.count);
    *weir_vector_push(&family->members) = member;
    return family;
}

/* The family has finished: what is known of it goes, unless somebody asks. */
static void part(weir_trace *trace, weir__family *family) {
    if (family == trace->match[0].family || family == trace->match[1].family) return;
    for (size_t i = 0; i < family->members.count; i++)
        trace->families.items[family->members.items[i].id] = NULL;
    weir__family *last = trace->open.items[--trace->open.count];
    trace->open.items[family->open_at] = last;
    last->open_at = family->open_at;
    bool large = family->births.capacity > SPARE_MAX;
    free_family(large ? family : trace->spare);
    trace->spare = large ? trace->spare : family;
    if (!large) empty_family(family);
}

/* --- inputs ------------------------------------------------------------------------------------- */

bool weir__trace_is_small(const weir_value *value) {
    enum { TEXT_MAX = 64, ITEMS_MAX = 4 };
    weir_type type = weir_value_type(value);
    if (type == WEIR_STRING) return weir_string_get(value).length <= TEXT_MAX;
    if (type == WEIR_BYTES) return weir_bytes_length(value) <= TEXT_MAX;
    if (type == WEIR_FOREIGN) return false;
    bool array = type == WEIR_ARRAY, object = type == WEIR_OBJECT;
    if ((array || object) && weir_value_count(value) > ITEMS_MAX) return false;
    for (size_t i = 0; (array || object) && i < weir_value_count(value); i++) {
        const weir_value *item = array ? weir_array_at(value, i) : weir_object_at(value, i);
        bool key = !object || weir_object_key(value, i).length <= TEXT_MAX;
        bool flat = weir_value_type(item) != WEIR_ARRAY && weir_value_type(item) != WEIR_OBJECT;
        if (!key || !flat || !weir__trace_is_small(item)) return false;
    }
    return true;
}

static weir_value *keep_small(weir_value *value) {
    return value && weir__trace_is_small(value) ? weir_value_ref(value) : NULL;
}

static void born(void *arg, const weir__context *context, uint32_t at) {
    weir_trace *trace = arg;
    weir__family *family = family_of(trace, context->id);
    if (!family) family = join(trace, context);
    weir__member *member = &family->members.items[trace->members.items[context->id]];
    const weir__input *input = &context->inputs.items[at];
    const weir__context *around = context->owner->around;
    uint32_t from = WEIR__NONE;
    if (around)
        from = family->members.items[trace->members.items[around->id]]
                   .at.items[context->owner->around_at];
    put_number(&member->at, at, (uint32_t)family->births.count);
    *weir_vector_push(&family->births) =
        (weir__birth){.sequence = context->event,
                      .time_us = context->owner->now_us,
                      .value = weir_value_ref(input->value), /* as a whole until it was matched */
                      .context = trace->members.items[context->id],
                      .definition = input->definition,
                      .origin = input->origin,
                      .invocation = WEIR__NONE,
                      .from = from,
                      .node = WEIR__NONE};
}

/* --- acts --------------------------------------------------------------------------------------- */

static void add_definition(weir__family *family, const weir__flow *flow, weir_str name) {
    uint64_t at;
    if (!weir__definition_find(flow, name, &at)) return;
    uint32_t *count = &family->pool.items[family->acts.items[family->acts.count - 1].collected];
    for (uint32_t i = 1; i <= *count; i++)
        if (count[i] == at) return;
    ++*count;
    *weir_vector_push(&family->pool) = (uint32_t)at;
}

/* As analysis.c finds what an output operation may ask for: any text may be the name of a definition. */
static void add_named(weir__family *family, const weir__flow *flow, const weir_value *value) {
    bool object = weir_is(value, WEIR_OBJECT);
    if (weir_is(value, WEIR_STRING)) add_definition(family, flow, weir_string_get(value));
    for (size_t i = 0; (object || weir_is(value, WEIR_ARRAY)) && i < weir_value_count(value); i++) {
        if (object) add_definition(family, flow, weir_object_key(value, i));
        add_named(family, flow, object ? weir_object_at(value, i) : weir_array_at(value, i));
    }
}

static void add_collected(weir__family *family, weir__act *act, const weir__context *context,
                          uint32_t set) {
    const weir__instance *instance = &context->flow->instances.items[act->instance];
    if (!instance->operation || !(instance->operation->hints & WEIR_COLLECTS)) return;
    act->collected = (uint32_t)family->pool.count;
    act->births = (uint32_t)family->births.count;
    *weir_vector_push(&family->pool) = 0;
    add_named(family, context->flow, instance->config);
    for (uint32_t p = 0; p < instance->parameters.count; p++)
        add_named(family, context->flow, weir__context_set_value(context, act->instance, set, p));
}

static uint32_t add_act(weir_trace *trace, const weir__context *context, uint32_t instance,
                        uint32_t set, const weir_event *event) {
    weir__family *family = family_of(trace, context->id);
    uint32_t at = trace->members.items[context->id];
    const uint32_t *items = context->sets.items + set;
    weir__act *act = weir_vector_push(&family->acts);
    *act = (weir__act){.sequence = event->id.sequence,
                       .started_us = event->time_us,
                       .context = at,
                       .instance = instance,
                       .task = WEIR_NO_TASK,
                       .host = WEIR__NONE,
                       .set = (uint32_t)family->pool.count,
                       .collected = WEIR__NONE,
                       .node = WEIR__NONE,
                       .outcome = WEIR_OUTCOME_KINDS};
    *weir_vector_push(&family->pool) = items[0];
    for (uint32_t i = 1; i <= items[0]; i++)
        *weir_vector_push(&family->pool) = items[i] == WEIR__DEFAULT
                                               ? WEIR__DEFAULT
                                               : family->members.items[at].at.items[items[i]];
    add_collected(family, act, context, set);
    return (uint32_t)family->acts.count - 1;
}

static uint8_t outcome_of(const weir_value *data) {
    weir_str text = weir_member_text(data, "outcome");
    uint8_t kind = 0;
    while (kind < WEIR_OUTCOME_KINDS && !weir_str_is(text, weir_outcome_text(kind))) kind++;
    return kind;
}

static uint32_t host_of(weir_trace *trace, weir_str host) {
    uint32_t at = 0;
    while (at < trace->hosts.count && !weir_str_is(host, trace->hosts.items[at])) at++;
    if (at == trace->hosts.count) *weir_vector_push(&trace->hosts) = weir_str_dup(host);
    return at;
}

/* What an event says of a task's act. */
static void update(weir_trace *trace, weir__family *family, uint32_t at, const weir_event *event) {
    weir__act *act = &family->acts.items[at];
    const weir__member *member = &family->members.items[act->context];
    weir_str host = weir_member_text(event->data, "host");
    const weir_value *pid = weir_member_named(event->data, "pid");
    if (event->type < WEIR_TASK_RETRIED) act->attempt = event->number;
    switch (event->type) {
    case WEIR_ATTEMPT_SCHEDULED: act->outcome = WEIR_OUTCOME_KINDS; break;
    case WEIR_ATTEMPT_STARTED:
        if (host.length) act->host = host_of(trace, host);
        act->pid = weir_is(pid, WEIR_INT) ? (uint32_t)weir_int_get(pid) : 0;
        act->started_us = event->time_us;
        break;
    case WEIR_ATTEMPT_FINISHED: {
        weir_value *outputs = weir_member_named(event->data, "outputs");
        act->outcome = outcome_of(event->data);
        if (member->flow->instances.items[act->instance].stage != WEIR_STAGE_OUTPUT) break;
        weir_value_unref(act->outputs);
        act->outputs = keep_small(outputs);
        weir__trace_match_act(trace, family, at, outputs);
        break;
    }
    case WEIR_TASK_FINISHED:
        act->finished_us = event->time_us;
        act->outcome = (uint8_t)weir_tasks_outcome(trace->dataflow->tasks, act->task)->kind;
        weir__trace_match_ended(trace, family, act);
        break;
    default: break;
    }
}

/* --- events ------------------------------------------------------------------------------------- */

/* The act that the event is about; WEIR__NONE: none. */
static uint32_t find_act(weir_trace *trace, weir__family *family, const weir_event *event) {
    const weir__dataflow *c = trace->dataflow;
    if (event->type == WEIR_CALL_FINISHED) {
        const weir__context *context = weir__dataflow_context(c, event->id.context);
        uint32_t at = add_act(trace, context, context->ended.instance, context->ended.set, event);
        weir__act *act = &family->acts.items[at];
        weir_value *outputs = weir_member_named(event->data, "outputs");
        act->finished_us = event->time_us;
        act->outcome = outcome_of(event->data);
        if (context->stage == WEIR_STAGE_OUTPUT) act->outputs = keep_small(outputs);
        weir__trace_match_act(trace, family, at, outputs);
        return at;
    }
    if (!weir_event_has_task(event->type)) return WEIR__NONE;
    uint32_t task = (uint32_t)event->subject;
    /* A task whose outcome was there already has no attempt. */
    bool begins = event->type == WEIR_ATTEMPT_SCHEDULED || event->type == WEIR_MEMO_FOUND ||
                  event->type == WEIR_TASK_RECALLED;
    if (begins && (task >= trace->acts.count || trace->acts.items[task] == WEIR__NONE)) {
        const weir__flow_task *t = weir__dataflow_task(c, task);
        put_number(&trace->acts, task, add_act(trace, t->context, t->instance, t->set, event));
        family->acts.items[trace->acts.items[task]].task = task;
        weir__trace_match_act(trace, family, trace->acts.items[task], NULL);
    }
    return task < trace->acts.count ? trace->acts.items[task] : WEIR__NONE;
}

/* The births of a family that came with the event: who gave them, and what they are called. */
static void settle(weir_trace *trace, weir__family *family, uint32_t act, const weir_event *event) {
    bool opened = event->type == WEIR_CONTEXT_OPENED;
    bool gives = !opened && event->type != WEIR_INPUTS_GIVEN;
    uint32_t nth = 0, count = (uint32_t)family->births.count;
    for (; family->fresh < count; family->fresh++) {
        weir__birth *birth = &family->births.items[family->fresh];
        const weir__member *member = &family->members.items[birth->context];
        if (birth->from == WEIR__NONE) {
            birth->sequence = event->id.sequence;
            birth->nth = ++nth;
            if (gives) birth->invocation = act;
            birth->seed = opened && count - family->fresh <= member->flow->seeds.items.count;
        }
        weir_value *value = birth->value;
        birth->value = keep_small(value);
        weir__trace_match_birth(trace, family, family->fresh, value);
        weir_value_unref(value);
    }
}

static void finish(weir_trace *trace, weir__family *family, const weir_event *event) {
    uint32_t at = trace->members.items[event->id.context];
    weir__member *member = &family->members.items[at];
    weir_value *results = weir_member_named(event->data, "results");
    member->sequence = event->id.sequence;
    member->time_us = event->time_us;
    member->value = keep_small(results);
    weir_vector_deinit(&member->at);
    weir__trace_match_result(trace, family, at, results);
    if (family->root == event->id.context) part(trace, family);
}

static void attach(weir_trace *trace, weir_coordinator *coordinator) {
    trace->dataflow = (weir__dataflow *)coordinator;
    trace->dataflow->owner.born = born;
    trace->dataflow->owner.born_arg = trace;
}

void weir_trace_take(weir_trace *trace, weir_coordinator *coordinator, const weir_event *event) {
    if (!trace->dataflow) attach(trace, coordinator);
    uint32_t id = event->id.context;
    if (!id) return;
    weir__family *family = family_of(trace, id);
    if (!family && event->type == WEIR_CONTEXT_OPENED)
        family = join(trace, weir__dataflow_context(trace->dataflow, id));
    if (!family) return;
    uint32_t act = find_act(trace, family, event);
    settle(trace, family, act, event);
    if (act != WEIR__NONE && event->type != WEIR_CALL_FINISHED) update(trace, family, act, event);
    if (act != WEIR__NONE) weir__trace_match_event(trace, family, act, event);
    if (event->type == WEIR_CONTEXT_FINISHED) finish(trace, family, event);
}

/* --- life --------------------------------------------------------------------------------------- */

weir_trace *weir_trace_new(const weir_lineage_query *query) {
    weir_trace *trace = weir_alloc(sizeof *trace);
    trace->query = query;
    for (int rank = 0; rank < WEIR__RANKS; rank++) trace->match[rank].nodes = weir_array_new();
    weir__sought_init(&trace->sought, query->what);
    return trace;
}

static void drop_families(weir_trace *trace) {
    for (size_t i = 0; i < trace->open.count; i++) free_family(trace->open.items[i]);
    free_family(trace->spare);
    trace->spare = NULL;
    weir_vector_deinit(&trace->open);
    weir_vector_deinit(&trace->families);
    weir_vector_deinit(&trace->members);
    weir_vector_deinit(&trace->acts);
}

static void drop_nodes(weir_trace *trace) {
    weir_vector_deinit(&trace->nodes);
    for (int matter = 0; matter < WEIR__MATTERS; matter++)
        weir_vector_deinit(&trace->missing[matter]);
}

bool weir_trace_misses(weir_trace *trace) {
    if (trace->looking) return trace->missing_count > 0;
    drop_families(trace);
    trace->dataflow = NULL;
    for (int rank = 0; rank < WEIR__RANKS; rank++) trace->match[rank].family = NULL;
    trace->looking = true;
    return trace->missing_count > 0;
}

void weir_trace_free(weir_trace *trace) {
    if (!trace) return;
    drop_families(trace);
    drop_nodes(trace);
    for (size_t i = 0; i < trace->hosts.count; i++) weir_free(trace->hosts.items[i]);
    weir_vector_deinit(&trace->hosts);
    weir_vector_deinit(&trace->meanings);
    for (int rank = 0; rank < WEIR__RANKS; rank++) {
        weir_value_unref(trace->match[rank].nodes);
        weir_vector_deinit(&trace->match[rank].tasks);
        weir_vector_deinit(&trace->match[rank].others);
    }
    weir__sought_deinit(&trace->sought);
    weir_free(trace);
}
