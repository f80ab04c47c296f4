/* What the dataflow coordinator decides: fires operations when their inputs are there, moves contexts through their
 * stages, opens contexts and ends the run. */
#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"
#include "dataflow/coordinator_internal.h"

enum { CAUSES_MAX = 64 /* in a firing's prev */ };

static size_t add_cause(const weir__context *context, uint32_t input, weir_event_id *causes,
                        size_t count) {
    if (input == WEIR__DEFAULT || count == CAUSES_MAX || input >= context->events.count)
        return count;
    weir_event_id id = {context->id, context->events.items[input]};
    if (!id.sequence) return count; /* it came from another context */
    for (size_t k = 0; k < count; k++)
        if (causes[k].sequence == id.sequence) return count;
    causes[count] = id;
    return count + 1;
}

static size_t causes_of_firing(const weir__context *context, uint32_t at, weir_event_id *causes) {
    const weir__instance *instance = &context->flow->instances.items[at];
    size_t count = 0;
    for (size_t p = 0; p < instance->parameters.count; p++) {
        const weir__slot *slot = weir__slots_of(context, at, p);
        for (uint32_t i = weir__slot_joined(slot); i < weir__slot_count(slot) && count < CAUSES_MAX;
             i++)
            count = add_cause(context, weir__slot_input(slot, i), causes, count);
    }
    if (!count) causes[count++] = context->last;
    return count;
}

static weir_value *limit_error(weir__context *context, uint32_t instance) {
    weir__context_report_sets(context, instance);
    weir_value *error = context->problem;
    context->problem = NULL;
    return error;
}

static void decide_firing(weir__context *context, const weir__lean_instance *lean,
                          weir_decisions *decisions) {
    uint64_t sets = weir__context_count_sets(context, lean);
    if (!sets) return;
    uint32_t at = lean->instance;
    const weir__instance *instance = &context->flow->instances.items[at];
    weir_event_id causes[CAUSES_MAX];
    size_t cause_count = causes_of_firing(context, at, causes);
    if (!weir__context_has_room(context, at, sets)) {
        if (!context->failure)
            weir_decide(decisions, WEIR_CONTEXT_STAGED, context->id, at, context->stage,
                        limit_error(context, at), causes, cause_count);
        return;
    }
    weir_value *upto = weir_array_new();
    for (size_t p = 0; p < instance->parameters.count; p++)
        weir_array_append(upto, weir_int_new(weir__slot_count(weir__slots_of(context, at, p))));
    weir_decide(decisions, WEIR_OPERATION_FIRED, context->id, at, (uint32_t)sets, upto, causes,
                cause_count);
}

/* False when the context goes ahead of the journal instead. */
static bool decide_call(weir__dataflow *c, weir__context *context, weir_decisions *decisions) {
    weir__pending call = context->calls.items[context->calls_at];
    weir_event_id causes[CAUSES_MAX];
    size_t count = 0;
    const uint32_t *set = context->sets.items + call.set;
    for (uint32_t i = 1; i <= set[0]; i++) count = add_cause(context, set[i], causes, count);
    if (!count) causes[count++] = context->last;
    weir_value *outcome = weir__context_make_call(context);
    if (weir__ahead_prefers(c, context, outcome)) {
        weir_value_unref(outcome);
        weir_decide(decisions, WEIR_CONTEXT_AHEAD, context->id, context->id, 0, NULL, causes,
                    count);
        return false;
    }
    weir_decide(decisions, WEIR_CALL_FINISHED, context->id, call.instance, 0, outcome, causes,
                count);
    return true;
}

static void tell_result(const weir__context *context, const weir_value *results,
                        weir_decisions *decisions) {
    if (results && decisions->result && !context->parent)
        decisions->result(decisions->arg, context->name, results);
}

/* The result of a context that is at its end, a new reference; NULL: it has none. */
static weir_value *result_of(const weir__context *context) {
    return context->failure || context->halted ? NULL : weir__context_result(context);
}

weir_value *weir__dataflow_end(const weir__context *context, weir_decisions *decisions) {
    weir_value *data = weir_object_new(), *results = result_of(context);
    weir_member_put_text(data, "name", context->name);
    if (context->parent) weir_member_put(data, "parent", weir_int_new(context->parent));
    if (context->failure)
        weir_member_put(data, "error", weir_value_ref(context->failure));
    else if (results)
        weir_member_put(data, "results", weir_value_ref(results));
    tell_result(context, results, decisions);
    weir_value_unref(results);
    return data;
}

static void decide_context(weir__context *context, weir_decisions *decisions) {
    if (!weir__context_is_quiet(context)) return;
    weir_stage stage = weir__context_next_stage(context, context->halted, context->terminated);
    if (stage != WEIR_STAGE_DONE) {
        weir_decide(decisions, WEIR_CONTEXT_STAGED, context->id, context->id, stage, NULL,
                    &context->last, 1);
        return;
    }
    weir_decide(decisions, WEIR_CONTEXT_FINISHED, context->id, context->id, 0,
                weir__dataflow_end(context, decisions), &context->last, 1);
}

/* Goes on with a context, one event for each step. */
static void work_recorded(weir__dataflow *c, weir__context *context, size_t *limit,
                          weir_decisions *decisions) {
    uint32_t id = context->id;
    while (*limit) {
        bool halted = weir__context_is_halted(context);
        const weir__lean_instance *lean = weir__context_take_touched(context);
        if (lean) {
            --*limit;
            if (!halted) decide_firing(context, lean, decisions);
        } else if (!halted && weir__context_has_calls(context)) {
            --*limit;
            if (!decide_call(c, context, decisions)) break;
        } else {
            decide_context(context, decisions);
            context = weir__dataflow_context(c, id);
            if (!context || context->finished || !weir__context_is_ready(context)) return;
        }
    }
    weir__dataflow_look_at(c, context);
}

static bool judges(const weir__context *context) {
    bool given = context->held || context->parent;
    return context->flow->judges || (given && context->flow->judges_given);
}

static void fire_touched(weir__context *context, weir_decisions *decisions) {
    if (!context || context->finished || !judges(context)) return;
    const weir__lean_instance *lean;
    while ((lean = weir__context_take_touched(context)))
        if (!weir__context_is_halted(context)) decide_firing(context, lean, decisions);
}

/* Several outcomes, or inputs from outside, may come before a step. A condition that only one of them makes true counts all the same: what it
 * lets fire does so before the next is stored. */
void weir__dataflow_fire_before(weir_coordinator *base, uint32_t id, weir_decisions *decisions) {
    weir__dataflow *c = (weir__dataflow *)base;
    if (!id || !weir__dataflow_context(c, id)) return;
    fire_touched(weir__dataflow_context(c, id), decisions);
    if (!weir__dataflow_context(c, id)->flow->forwards.count) return;
    for (size_t n = c->agenda.count; n; n--) { /* it may go to contexts within */
        uint64_t item;
        if (!weir_queue_take(&c->agenda, &item)) break;
        weir_queue_put(&c->agenda, item);
        fire_touched(weir__dataflow_context(c, item), decisions);
    }
}

/* What is left to the run once a context went as far as it could. */
void weir__dataflow_account(weir__dataflow *c, weir__context *context, weir_decisions *decisions) {
    bool was_failing = context->problem != NULL;
    weir__dataflow_settle(c, context, (weir_event_id){0});
    if (context->stage != WEIR_STAGE_DONE) {
        if (was_failing || weir__context_is_ready(context) || weir__context_has_calls(context) ||
            weir__context_is_quiet(context))
            weir__dataflow_look_at(c, context);
        return;
    }
    weir_value *results = result_of(context);
    tell_result(context, results, decisions);
    weir__dataflow_finish_context(c, context, results, decisions->now_us);
    weir_value_unref(results);
}

enum { CALLS_AT_ONCE = 100000, SPREAD_MAX = 1024, PARTS_MAX = 64, CALLS_OF_SPREAD = 2000 };

/* Contexts for one thread at a time. */
typedef struct part {
    weir_job job; /* first */
    weir__context **contexts;
    size_t count;
} part;

static void run_part(weir_job *job) {
    const part *p = (const part *)job;
    for (size_t i = 0; i < p->count; i++) weir__context_run(p->contexts[i], CALLS_OF_SPREAD);
}

static void run_parts(const weir_helpers *helpers, weir__context **contexts, size_t count) {
    part parts[PARTS_MAX];
    size_t wanted = helpers->threads * 4 < PARTS_MAX ? helpers->threads * 4 : PARTS_MAX;
    size_t each = (count + wanted - 1) / wanted;
    for (size_t i = 0; i * each < count; i++) {
        size_t left = count - i * each;
        parts[i] = (part){{.work = run_part}, contexts + i * each, left < each ? left : each};
        helpers->put(helpers->arg, &parts[i].job);
    }
    for (weir_job *job; (job = helpers->take_left(helpers->arg));) job->work(job);
    while (helpers->take_done(helpers->arg, true)) {
    }
}

/* Contexts that touch nothing but themselves may be worked on by several threads. */
static bool work_spread(weir__dataflow *c, weir_decisions *decisions) {
    const weir__flow *flow = c->plan->flows.items[0];
    if (!decisions->helpers || !flow->alone || flow->locks || c->agenda.count < 2 || c->in_chunks)
        return false;
    weir__context *contexts[SPREAD_MAX];
    size_t count = 0;
    uint64_t id;
    while (count < SPREAD_MAX && weir_queue_take(&c->agenda, &id)) {
        weir__context *context = weir__dataflow_context(c, id);
        if (!context) continue; /* it finished since */
        context->queued = false;
        if (!context->finished) contexts[count++] = context;
    }
    run_parts(decisions->helpers, contexts, count);
    for (size_t i = 0; i < count; i++) weir__dataflow_account(c, contexts[i], decisions);
    return true;
}

static void work(weir__dataflow *c, size_t *limit, weir_decisions *decisions) {
    uint64_t id;
    if (!c->base.recorded && work_spread(c, decisions)) {
        *limit = 0;
        return;
    }
    if (!weir_queue_take(&c->agenda, &id)) return;
    weir__context *context = weir__dataflow_context(c, id);
    if (!context) return;
    context->queued = false;
    if (context->finished) return;
    if (!context->ahead && weir__ahead_suits(c, context))
        weir_decide(decisions, WEIR_CONTEXT_AHEAD, context->id, context->id, 0, NULL,
                    &context->last, 1);
    if (context->ahead) {
        weir__ahead_work(c, context, limit, decisions);
        return;
    }
    if (c->base.recorded || context->parent || !c->plan->flows.items[0]->alone) {
        work_recorded(c, context, limit, decisions);
        return;
    }
    uint32_t made = weir__context_run(context, CALLS_AT_ONCE);
    *limit -= *limit * made / CALLS_AT_ONCE;
    if (*limit) --*limit;
    weir__dataflow_account(c, context, decisions);
}

static bool may_open(const weir__dataflow *c) {
    return c->created && weir__dataflow_count_waiting(c) && !c->failed && !c->cancelled &&
           c->open < c->open_max && !weir__dataflow_is_out_of_contexts(c);
}

/* Whether further contexts had better wait: soon they may run ahead of the journal. */
static bool is_enough(const weir__dataflow *c) {
    return c->agenda.count >= WEIR__CONTEXTS_SHOWN_MAX && weir__dataflow_may_go_ahead(c);
}

static void decide_opening(weir__dataflow *c, weir_decisions *decisions) {
    if (!c->base.recorded && c->plan->flows.items[0]->alone) {
        weir__context *context = weir__dataflow_new_own(c);
        context->opened_us = decisions->now_us;
        weir__dataflow_look_at(c, context);
        return;
    }
    bool planned = c->planned < c->plan->contexts.count;
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "name",
                         planned ? c->plan->contexts.items[c->planned].name
                                 : weir_str_from(c->waiting.items[c->waiting_at].name));
    uint32_t at = weir__dataflow_next_context(c);
    weir_decide(decisions, WEIR_CONTEXT_OPENED, at, at, 0, data, &c->created_event, 1);
}

static weir_value *contexts_error(void) {
    weir_value *error = weir_object_new();
    weir_buffer what = {0};
    weir_buffer_printf(
        &what, "the run has more contexts than it may have: at most %" PRIu32 " are allowed",
        weir__limits.contexts);
    weir_member_put_text(error, "code", weir_str_from(weir_code_text(WEIR_LIMIT)));
    weir_member_put_text(error, "what", weir_buffer_str(&what));
    weir_buffer_deinit(&what);
    return error;
}

/* Why it was cancelled. */
static void put_reason(const weir__dataflow *c, weir_value *data) {
    if (!c->deadline_us) {
        weir_member_put_text(data, "message", WEIR_STR("was cancelled"));
        return;
    }
    char text[24], what[64];
    snprintf(what, sizeof what, "did not end within its deadline of %s",
             weir_duration_format(c->deadline_us, text));
    weir_value *error = weir_object_new();
    weir_member_put_text(data, "message", weir_str_from(what));
    weir_member_put_text(error, "code", weir_str_from(weir_code_text(WEIR_EXPIRED)));
    weir_member_put_text(error, "what", weir_str_from(what));
    weir_member_put(data, "error", error);
}

static void decide_end(weir__dataflow *c, weir_decisions *decisions) {
    bool waits = weir__dataflow_count_waiting(c) > 0;
    bool out = waits && weir__dataflow_is_out_of_contexts(c);
    bool stopped = c->failed || c->cancelled || out;
    bool more = waits || (c->plan->open && !c->ended);
    if (!c->created || c->finished || (more && !stopped) || c->open || c->in_chunks) return;
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "phase",
                         stopped || c->error ? WEIR_STR("Failed") : WEIR_STR("Succeeded"));
    if (c->cancelled && !c->failed) put_reason(c, data);
    bool one = c->plan->pipeline && weir_value_count(c->results) == 1;
    weir_member_put(data, "results",
                    weir_value_ref(one ? weir_object_at(c->results, 0) : c->results));
    if (c->error)
        weir_member_put(data, "error", weir_value_ref(c->error));
    else if (out && !c->cancelled)
        weir_member_put(data, "error", contexts_error());
    weir_decide(decisions, WEIR_RUN_FINISHED, 0, 0, 0, data, &c->last, 1);
}

bool weir__dataflow_decide(weir_coordinator *base, size_t limit, weir_decisions *decisions) {
    weir__dataflow *c = (weir__dataflow *)base;
    c->owner.call = decisions->call;
    c->owner.call_arg = decisions->arg;
    c->owner.now_us = decisions->now_us;
    c->owner.recorded = base->recorded;
    c->ahead_after = decisions->ahead_after;
    bool more_chunks = weir__chunks_work(c, &limit, decisions);
    decisions->ahead |= more_chunks;
    for (; limit && may_open(c) && !weir__chunks_suit(c) && !is_enough(c); limit -= base->recorded)
        decide_opening(c, decisions);
    uint64_t task;
    for (; limit && weir_queue_take(&c->nested_agenda, &task); limit--)
        weir__nested_decide(c, (weir_task_id)task, decisions);
    while (limit && c->agenda.count) work(c, &limit, decisions);
    if (more_chunks || c->agenda.count || c->nested_agenda.count || may_open(c)) return true;
    decide_end(c, decisions);
    return false;
}
