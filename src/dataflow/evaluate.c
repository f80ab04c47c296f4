/* Making calls, and what becomes of outcomes. */
#include <inttypes.h>

#include "dataflow/context.h"

/* --- failures --------------------------------------------------------------------------------- */

static weir_value *describe_failure(const weir__context *context, uint32_t instance,
                                    weir_task_id task, uint32_t attempt,
                                    const weir_value *failure) {
    weir_value *where = weir_object_new(), *error = weir_object_new();
    weir_member_put_text(where, "context", context->name);
    if (instance != WEIR__NONE)
        weir_member_put_text(where, "instance", context->flow->instances.items[instance].name);
    if (weir_value_count(context->flow->path))
        weir_member_put(where, "path", weir_value_ref(context->flow->path));
    if (task != WEIR_NO_TASK) {
        weir_member_put(where, "task", weir_int_new(task));
        weir_member_put(where, "attempt", weir_int_new(attempt));
    }
    weir_str code = weir_member_text(failure, "code");
    weir_member_put_text(error, "code", code.length ? code : WEIR_STR("operation_failed"));
    weir_member_put_text(error, "what", weir_member_text(failure, "message"));
    weir_member_put(error, "where", where);
    if (failure) weir_member_put(error, "how", weir_value_ref((weir_value *)failure));
    return error;
}

void weir__context_fail(weir__context *context, uint32_t instance, weir_task_id task,
                        uint32_t attempt, const weir_value *failure) {
    weir__context_count_failed(context, instance);
    bool lenient = instance != WEIR__NONE && context->flow->instances.items[instance].lenient;
    bool counts = ((context->owner->strict || context->parent) && !lenient) ||
                  context->stage == WEIR_STAGE_CLEANUP;
    if (counts && !context->problem && !context->failure)
        context->problem = describe_failure(context, instance, task, attempt, failure);
    /* The result is what there was until then. */
    context->output_over |= context->stage == WEIR_STAGE_OUTPUT;
}

void weir__context_report_limit(weir__context *context, uint32_t instance, const char *what,
                                uint32_t max) {
    if (context->problem || context->failure) return;
    weir_outcome outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(WEIR_LIMIT),
                                               "%s: at most %" PRIu32 " are allowed", what, max);
    context->problem = describe_failure(context, instance, WEIR_NO_TASK, 0, outcome.failure);
    weir_outcome_deinit(&outcome);
}

void weir__context_report_sets(weir__context *context, uint32_t instance) {
    weir__context_report_limit(context, instance,
                               "the operation has more parameter sets than may wait in a context, "
                               "with those of others",
                               weir__limits.sets);
}

void weir__context_report_full(weir__context *context) {
    weir__context_report_limit(context, WEIR__NONE,
                               "the context has more inputs, parameters of sets or locks than it "
                               "may have",
                               weir__limits.places);
}

static void fail_outputs(weir__context *context, uint32_t instance, weir_task_id task,
                         uint32_t attempt, weir_outcome problem) {
    weir__context_fail(context, instance, task, attempt, problem.failure);
    weir_outcome_deinit(&problem);
}

/* --- outputs ---------------------------------------------------------------------------------- */

static size_t character_length(weir_str text) {
    size_t length = weir_utf8_length(text);
    return length ? length : 1;
}

/* How many inputs a value expands to: the items of an array, keys of an object, characters of a text; -1 for anything
 * else. */
static int64_t expanded_count(const weir_value *value) {
    weir_type type = weir_value_type(value);
    if (type == WEIR_ARRAY || type == WEIR_OBJECT) return (int64_t)weir_value_count(value);
    if (type != WEIR_STRING) return -1;
    int64_t count = 0;
    weir_str text = weir_string_get(value);
    for (size_t at = 0; at < text.length; count++)
        at += character_length(weir_str_slice(text, at, text.length));
    return count;
}

/* The item at `i`, a new reference; `at` goes along the text. */
static weir_value *expanded_item(const weir_value *value, size_t i, size_t *at) {
    weir_type type = weir_value_type(value);
    if (type == WEIR_ARRAY) return weir_value_ref(weir_array_at(value, i));
    if (type == WEIR_OBJECT) return weir_string_from(weir_object_key(value, i));
    weir_str rest = weir_str_slice(weir_string_get(value), *at, weir_string_get(value).length);
    size_t length = character_length(rest);
    *at += length;
    return weir_string_new(rest.data, length);
}

/* The value as its definition has it, a new reference; NULL, and why, when it does not fit. */
static weir_value *shape(const weir__context *context, const weir__instance *instance,
                         const weir__lean_output *output, weir_value *value,
                         weir_outcome *problem) {
    weir_error error;
    weir_value *shaped = NULL;
    if (!weir__definition_shape(&context->flow->definitions.items[output->definition], value,
                                &shaped, &error))
        *problem = weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed", "`%.*s`: %s",
                                       WEIR_ARG(instance->name), error.message);
    return shaped;
}

/* Makes of the value of one output, the place-th of the instance, what enters, or an array of what enters. All outputs of
 * a call enter as one set, so nothing may fail once the first has entered. */
static weir_outcome prepare_output(const weir__context *context, const weir__instance *instance,
                                   size_t place, const weir__lean_output *output,
                                   weir_value **value) {
    weir_outcome problem = {0};
    int64_t count = output->expand ? expanded_count(*value) : 0;
    if (count < 0)
        return weir_outcome_failed(
            WEIR_OUTCOME_FAILED, "operation_failed",
            "`%.*s` gave %s for `%.*s`, which is to be expanded", WEIR_ARG(instance->name),
            weir_type_text(weir_value_type(*value)), WEIR_ARG(instance->outputs.items[place].key));
    if (!output->has_spec) return problem;
    weir_value *shaped =
        output->expand ? weir_array_new() : shape(context, instance, output, *value, &problem);
    size_t at = 0;
    for (int64_t i = 0; i < count && !problem.failure; i++) {
        weir_value *item = expanded_item(*value, (size_t)i, &at);
        weir_value *fitting = shape(context, instance, output, item, &problem);
        weir_value_unref(item);
        if (fitting) weir_array_append(shaped, fitting);
    }
    if (problem.failure) {
        weir_value_unref(shaped);
        return problem;
    }
    weir_value_unref(*value);
    *value = shaped;
    return problem;
}

/* False, and the call failed, when an output is not what it has to be. */
static bool __attribute__((noinline))
prepare_outputs(weir__context *context, const weir__lean_instance *lean, weir_task_id task,
                uint32_t attempt, weir_value **outputs) {
    const weir__instance *instance = &context->flow->instances.items[lean->instance];
    for (size_t o = 0; o < lean->form->outputs; o++) {
        const weir__lean_output *output =
            &context->flow->lean_outputs.items[lean->first_output + o];
        if (!outputs[o]) continue;
        weir_outcome problem = prepare_output(context, instance, o, output, &outputs[o]);
        if (!problem.failure) continue;
        fail_outputs(context, lean->instance, task, attempt, problem);
        return false;
    }
    return true;
}

/* Takes the reference over. */
static void add_expanded(weir__context *context, const weir__lean_output *output, weir_value *value,
                         uint32_t set) {
    int64_t count = expanded_count(value);
    size_t at = 0;
    for (int64_t i = 0; i < count; i++)
        weir__context_add_output(context, expanded_item(value, (size_t)i, &at), output, set);
    weir_value_unref(value);
}

/* Outputs by place, as one set; takes their references over. */
static void take_places(weir__context *context, const weir__lean_instance *lean, uint32_t set,
                        weir_task_id task, uint32_t attempt, weir_value **outputs) {
    const weir__flow *flow = context->flow;
    if (!flow->lineage && !flow->locks) set = WEIR__NONE;
    if (lean->form->prepares && !prepare_outputs(context, lean, task, attempt, outputs)) return;
    for (size_t o = 0; o < lean->form->outputs; o++) {
        const weir__lean_output *output = &flow->lean_outputs.items[lean->first_output + o];
        weir_value *value = outputs[o];
        if (!value) continue;
        outputs[o] = NULL;
        if (output->expand)
            add_expanded(context, output, value, set);
        else
            weir__context_add_output(context, value, output, set);
    }
}

/* The value of a declared output. A process with JSON output gives the members of its result as outputs too. */
static weir_value *output_value(const weir__instance *instance, const weir_value *outputs,
                                weir_str key) {
    weir_value *value = weir_member(outputs, key);
    if (value || !instance->renders) return value;
    const weir_value *result = weir_member_named(outputs, "result");
    return weir_is(result, WEIR_OBJECT) ? weir_member(result, key) : NULL;
}

/* The first name that neither the operation nor its instance declares; empty when there is none. */
static weir_str find_undeclared(const weir__instance *instance, const weir_value *outputs) {
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        bool known = weir_port_find(instance->operation->outputs, key) != NULL;
        for (size_t o = 0; !known && o < instance->outputs.count; o++)
            known = weir_str_equal(instance->outputs.items[o].key, key);
        if (!known) return key;
    }
    return WEIR_STR("");
}

void weir__context_take_results(weir__context *context, uint32_t instance,
                                const weir_value *outputs) {
    weir_str name = context->flow->instances.items[instance].name;
    if (!context->results) context->results = weir_object_new();
    weir_value *before = weir_member(context->results, name);
    if (before && !outputs) return;
    if (!before) {
        weir_member_set(context->results, name,
                        outputs ? weir_value_ref((weir_value *)outputs) : weir_object_new());
        return;
    }
    weir_value *merged = weir_value_own(weir_value_ref(before));
    for (size_t i = 0; i < weir_value_count(outputs); i++)
        weir_member_set(merged, weir_object_key(outputs, i),
                        weir_value_ref(weir_object_at(outputs, i)));
    weir_member_set(context->results, name, merged);
}

void weir__context_take_outputs(weir__context *context, uint32_t at, uint32_t set,
                                weir_task_id task, uint32_t attempt, const weir_value *outputs) {
    const weir__instance *instance = &context->flow->instances.items[at];
    if (context->stage == WEIR_STAGE_OUTPUT) weir__context_take_results(context, at, outputs);
    if (context->stage != WEIR_STAGE_PROCESSING || !outputs) return;
    weir_str undeclared = find_undeclared(instance, outputs);
    if (undeclared.length) {
        fail_outputs(context, at, task, attempt,
                     weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                                         "`%.*s` gave an output `%.*s` that it does not declare",
                                         WEIR_ARG(instance->name), WEIR_ARG(undeclared)));
        return;
    }
    weir_value *places[WEIR__PARAMETERS_MAX] = {0};
    for (size_t o = 0; o < instance->outputs.count; o++)
        places[o] = weir_value_ref(output_value(instance, outputs, instance->outputs.items[o].key));
    take_places(context, weir__lean_of(context->flow, at), set, task, attempt, places);
    for (size_t o = 0; o < instance->outputs.count; o++) weir_value_unref(places[o]);
}

/* --- calls ------------------------------------------------------------------------------------ */

static void __attribute__((noinline)) refuse_lists(weir_invocation *invocation) {
    weir_outcome outcome = weir_outcome_failed(
        WEIR_OUTCOME_FAILED, weir_code_text(WEIR_LIMIT),
        "the inputs have more ancestors than lists of them may hold: at most %" PRIu32
        " are allowed",
        weir__limits.places);
    weir_value_unref(invocation->failure);
    invocation->failure = weir_value_ref(outcome.failure);
    weir_outcome_deinit(&outcome);
}

static inline uint32_t *done_of(const weir__context *context, const weir__lean_instance *lean) {
    return &context->done[lean - context->flow->lean.items];
}

/* Calls the operation with `inputs` by place; `outputs` is cleared first. */
static inline void invoke(weir__context *context, const weir__lean_instance *lean,
                          weir_value **inputs, weir_value **outputs, weir_invocation *invocation) {
    weir__context_owner *owner = context->owner;
    weir__context_collector collector;
    *invocation = (weir_invocation){.code = lean->form->code,
                                    .shape = lean->form->shape,
                                    .inputs = inputs,
                                    .config = lean->form->config,
                                    .now_us = owner->now_us,
                                    .stream = context->stream,
                                    .instance = lean->firing,
                                    .ordinal = *done_of(context, lean),
                                    .by_name = context->stage == WEIR_STAGE_OUTPUT,
                                    .outputs = outputs};
    for (size_t o = 0; o < lean->form->outputs; o++) outputs[o] = NULL;
    if (lean->form->collects) {
        collector = weir__context_collector_of(context);
        invocation->collector = &collector.base;
    }
    owner->call(owner->call_arg, invocation);
    if (lean->form->collects && collector.full) refuse_lists(invocation);
    invocation->collector = NULL;
}

static void fill_inputs(const weir__context *context, const weir__pending *call, uint32_t count,
                        weir_value **inputs) {
    for (uint32_t p = 0; p < count; p++)
        inputs[p] = weir__context_set_value(context, call->instance, call->set, p);
}

static void invocation_deinit(weir_invocation *invocation) {
    for (size_t o = 0; o < invocation->shape->output_count; o++)
        weir_value_unref(invocation->outputs[o]);
    weir_value_unref(invocation->named);
    weir_value_unref(invocation->failure);
    weir_value_unref(invocation->metrics);
}

weir_value *weir__context_make_call(weir__context *context) {
    const weir__pending *call = &context->calls.items[context->calls_at];
    const weir__lean_instance *lean = weir__lean_of(context->flow, call->instance);
    weir_value *inputs[WEIR__PARAMETERS_MAX], *outputs[WEIR__PARAMETERS_MAX];
    weir_invocation invocation;
    fill_inputs(context, call, lean->form->parameters, inputs);
    invoke(context, lean, inputs, outputs, &invocation);
    weir_outcome outcome = {.kind =
                                invocation.failure ? WEIR_OUTCOME_FAILED : WEIR_OUTCOME_SUCCEEDED,
                            .failure = invocation.failure};
    weir_value *named = invocation.named;
    for (size_t o = 0; !invocation.failure && o < lean->form->outputs; o++) {
        if (!outputs[o]) continue;
        if (!named) named = invocation.named = weir_object_new();
        weir_member_put(named, lean->form->shape->outputs[o], weir_value_ref(outputs[o]));
    }
    if (!invocation.failure) outcome.outputs = named;
    if (invocation.metrics) {
        outcome.usage = weir_object_new();
        weir_member_put(outcome.usage, "metrics", weir_value_ref(invocation.metrics));
    }
    weir_value *value = weir_outcome_to_value(&outcome);
    weir_value_unref(outcome.usage);
    invocation_deinit(&invocation);
    return value;
}

/* Sets are forgotten when nobody refers to one. */
static void forget_sets(weir__context *context) {
    if (weir__context_has_calls(context) || context->wanted.count || context->open_tasks ||
        context->flow->lineage)
        return;
    context->sets.count = 0;
    if (context->free_sets)
        memset(context->free_sets, 0,
               (context->flow->parameters_most + (size_t)1) * sizeof *context->free_sets);
}

static void drop_ended(weir__context *context) {
    if (context->ended.instance == WEIR__NONE) return;
    weir__context_drop_set(context, context->ended.instance, context->ended.set);
    context->ended.instance = WEIR__NONE;
}

static weir__pending take_call(weir__context *context) {
    weir__pending call = context->calls.items[context->calls_at++];
    if (context->calls_at == context->calls.count) context->calls_at = context->calls.count = 0;
    return call;
}

void weir__context_end_call(weir__context *context, const weir_value *value) {
    drop_ended(context);
    weir__pending call = take_call(context);
    weir_outcome outcome = weir_outcome_from_value(value);
    weir__count(weir__done_of(context, call.instance));
    if (outcome.kind != WEIR_OUTCOME_SUCCEEDED)
        weir__context_fail(context, call.instance, WEIR_NO_TASK, 0, outcome.failure);
    else
        weir__context_take_outputs(context, call.instance, call.set, WEIR_NO_TASK, 0,
                                   outcome.outputs);
    weir_outcome_deinit(&outcome);
    context->ended = call;
}

/* --- without events --------------------------------------------------------------------------- */

static void take_invocation(weir__context *context, const weir__lean_instance *lean, uint32_t set,
                            weir_invocation *invocation) {
    weir__count(done_of(context, lean));
    if (invocation->failure)
        weir__context_fail(context, lean->instance, WEIR_NO_TASK, 0, invocation->failure);
    else if (context->stage == WEIR_STAGE_PROCESSING)
        take_places(context, lean, set, WEIR_NO_TASK, 0, invocation->outputs);
    else if (context->stage == WEIR_STAGE_OUTPUT)
        weir__context_take_results(context, lean->instance, invocation->named);
    invocation_deinit(invocation);
}

static void run_call(weir__context *context) {
    weir__pending call = take_call(context);
    const weir__lean_instance *lean = weir__lean_of(context->flow, call.instance);
    weir_value *inputs[WEIR__PARAMETERS_MAX], *outputs[WEIR__PARAMETERS_MAX];
    weir_invocation invocation;
    fill_inputs(context, &call, lean->form->parameters, inputs);
    invoke(context, lean, inputs, outputs, &invocation);
    take_invocation(context, lean, call.set, &invocation);
    weir__context_drop_set(context, call.instance, call.set);
}

/* Conditions and defaults are judged by what there is when a set was stored. So where a call's outputs may be either, it
 * waits until all that the last set touched was looked at. */
static bool may_call(const weir__context *context) {
    return !context->flow->judges || !weir__context_is_touched(context);
}

/* Whether an input of the only parameter was not taken yet. */
static bool is_waiting(const weir__slot *slot) {
    if (slot->state == WEIR__MANY) return slot->of.block->joined < slot->of.block->count;
    return slot->state && !(slot->state & WEIR__JOINED);
}

/* The place of the next one that waits. The slot begins anew with the last. */
static uint32_t take_waiting(const weir__context *context, weir__slot *slot, weir_value **value) {
    if (slot->state != WEIR__MANY) {
        uint32_t input = weir__slot_input(slot, 0);
        *value = slot->of.value;
        slot->state = 0;
        return input;
    }
    weir__block *block = slot->of.block;
    uint32_t input = block->items[block->joined++];
    if (block->joined == block->count) weir__slot_clear(slot);
    *value = context->inputs.items[input].value;
    return input;
}

/* What was taken is not kept, once it is the larger part. */
static void drop_taken(weir__block *block) {
    if (block->joined <= block->count / 2) return;
    block->count -= block->joined;
    memmove(block->items, block->items + block->joined, block->count * sizeof *block->items);
    block->joined = 0;
}

/* Calls of one parameter need no set: each input is one. */
static void drain(weir__context *context, const weir__lean_instance *lean, uint32_t *budget) {
    weir__firing *firing = weir__firing_at(context, lean->firing);
    weir__slot *slot = weir__slots_behind(firing);
    weir_value *outputs[WEIR__PARAMETERS_MAX];
    weir_invocation invocation;
    firing->fired = 1;
    while (is_waiting(slot) && *budget && !context->problem && !weir__context_is_halted(context) &&
           may_call(context)) {
        weir_value *value;
        uint32_t input = take_waiting(context, slot, &value);
        weir__count(&firing->sets);
        --*budget;
        invoke(context, lean, &value, outputs, &invocation);
        take_invocation(context, lean, WEIR__NONE, &invocation);
        weir__context_release_input(context, input);
    }
    if (!is_waiting(slot)) return;
    weir__context_touch(context, lean->instance);
    if (slot->state == WEIR__MANY) drop_taken(slot->of.block);
}

/* The one new set of an operation that has one input for each parameter, and had none before. */
static bool call_first(weir__context *context, const weir__lean_instance *lean, uint32_t *budget) {
    weir__firing *firing = weir__firing_at(context, lean->firing);
    weir__slot *slots = weir__slots_behind(firing);
    weir_value *inputs[WEIR__PARAMETERS_MAX], *outputs[WEIR__PARAMETERS_MAX];
    weir_invocation invocation;
    for (size_t p = 0; p < lean->form->parameters; p++) {
        if (!slots[p].state || slots[p].state >= WEIR__MANY) return false;
        inputs[p] = slots[p].of.value;
    }
    for (size_t p = 0; p < lean->form->parameters; p++) slots[p].state |= WEIR__JOINED;
    firing->fired = 1;
    weir__count(&firing->sets);
    --*budget;
    invoke(context, lean, inputs, outputs, &invocation);
    take_invocation(context, lean, WEIR__NONE, &invocation);
    return true;
}

static void fire(weir__context *context, const weir__lean_instance *lean, uint32_t *budget) {
    const weir__flow *flow = context->flow;
    uint64_t sets = weir__context_count_sets(context, lean);
    if (!sets) return;
    /* No set has to be remembered where nobody asks what an input was made from. */
    bool light = lean->form->call && lean->form->parameters && !flow->lineage && !flow->locks &&
                 may_call(context);
    const weir__slot *slots = weir__slots_behind(weir__firing_at(context, lean->firing));
    if (light && lean->form->parameters == 1 && weir__slot_count(slots)) {
        drain(context, lean, budget);
        return;
    }
    if (light && sets == 1 && call_first(context, lean, budget)) return;
    if (!weir__context_has_room(context, lean->instance, sets)) {
        weir__context_report_sets(context, lean->instance);
        return;
    }
    uint32_t upto[WEIR__PARAMETERS_MAX];
    for (size_t p = 0; p < lean->form->parameters; p++) upto[p] = weir__slot_count(&slots[p]);
    weir__context_join(context, lean->instance, upto);
}

bool weir__context_is_quiet(const weir__context *context) {
    bool waits = context->held && !context->closed && !context->halted &&
                 context->stage == WEIR_STAGE_PROCESSING;
    bool calls = weir__context_has_calls(context) && !weir__context_is_halted(context);
    return !weir__context_is_touched(context) && !calls && !context->wanted.count &&
           !context->open_tasks && !waits;
}

/* A flow may have more instances than a cache has lines, and what was touched says which will be looked at: what each
 * needs is asked of memory some turns before, as far as it is known by then. Always inline: gcc 12 takes a function that
 * only prefetches for one without effect, and leaves its calls out. */
static inline __attribute__((always_inline)) void look_ahead(const weir__context *context) {
    enum { FAR = 15, NEAR = 7 };
    const weir__flow *flow = context->flow;
    const uint32_t *next = context->touched.items + context->touched_at;
    size_t count = context->touched.count - context->touched_at;
    if (count <= FAR) return;
    const weir__lean_instance *lean = &flow->lean.items[next[FAR]];
    __builtin_prefetch(weir__firing_at(context, lean->firing));
    __builtin_prefetch(&flow->lean_outputs.items[lean->first_output]);
    lean = &flow->lean.items[next[NEAR]];
    const weir__slot *slots = weir__slots_behind(weir__firing_at(context, lean->firing));
    for (size_t p = 0; p < lean->form->parameters && p < 2; p++)
        __builtin_prefetch(slots[p].of.value); /* whatever it is: a block is wanted, too */
    if (!lean->form->outputs) return;
    weir__readers readers = flow->lean_outputs.items[lean->first_output].readers;
    for (uint32_t i = 0; i < readers.count && i < WEIR__READERS_AHEAD; i++) {
        const weir__lean_consumer *consumer = &flow->lean_consumers.items[readers.first + i];
        __builtin_prefetch(weir__firing_at(context, consumer->firing));
    }
}

/* Whether there was something to do. */
static bool step(weir__context *context, uint32_t *budget) {
    bool halted = weir__context_is_halted(context);
    look_ahead(context);
    const weir__lean_instance *lean = weir__context_take_touched(context);
    if (lean) {
        if (!halted) fire(context, lean, budget);
    } else if (!halted && weir__context_has_calls(context)) {
        --*budget;
        run_call(context);
        forget_sets(context);
    } else {
        return false;
    }
    return true;
}

uint32_t weir__context_run(weir__context *context, uint32_t budget) {
    uint32_t left = budget;
    if (!context->open) weir__context_open(context);
    while (left && !context->problem) {
        if (step(context, &left)) continue;
        if (!weir__context_is_quiet(context) || context->stage == WEIR_STAGE_DONE) break;
        weir__context_enter(
            context, weir__context_next_stage(context, context->halted, context->terminated));
    }
    return budget - left;
}

weir_value *weir__context_result(const weir__context *context) {
    if (!context->results) return weir_object_new();
    if (weir_value_count(context->results) != 1) return weir_value_ref(context->results);
    return weir_value_ref(weir_object_at(context->results, 0));
}
