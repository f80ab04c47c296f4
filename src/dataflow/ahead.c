/* Ahead of the journal: in a recorded run the first calls have an event each; from then on contexts that only make calls
 * have one event for all they did, their end. When the run is recovered those that had not finished begin anew: their
 * calls are pure. A context that is open when it comes to this is forgotten and begins anew too. */
#include "dataflow/coordinator_internal.h"

enum {
    CALLS_AT_ONCE = 100 * 1000,
    INSTANCES_TOLD_MAX = 500 /* of a context whose end says what its operations did */
};

bool weir__dataflow_may_go_ahead(const weir__dataflow *c) {
    return c->base.recorded && c->ahead_after && weir__flow_can_go_ahead(c->plan->flows.items[0]);
}

bool weir__dataflow_is_ahead(const weir__dataflow *c) {
    return c->steps_recorded >= c->ahead_after && weir__dataflow_may_go_ahead(c);
}

bool weir__ahead_fits(const weir__dataflow *c, const weir__context *context) {
    return context->keeps_given && !context->parent && !context->ahead && !context->failure &&
           !c->failed && !c->cancelled && context->stage == WEIR_STAGE_PROCESSING;
}

bool weir__ahead_suits(const weir__dataflow *c, const weir__context *context) {
    return weir__dataflow_is_ahead(c) && weir__ahead_fits(c, context) &&
           (weir__context_is_touched(context) || weir__context_has_calls(context));
}

bool weir__ahead_prefers(const weir__dataflow *c, const weir__context *context,
                         const weir_value *outcome) {
    enum { ITEMS_MAX = 4096, BYTES_MAX = 64 * 1024 };
    const weir_value *outputs = weir_member_named(outcome, "outputs");
    if (!weir__dataflow_may_go_ahead(c) || !weir__ahead_fits(c, context) ||
        !weir_is(outputs, WEIR_OBJECT))
        return false;
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        const weir_value *output = weir_object_at(outputs, i);
        bool list = weir_is(output, WEIR_ARRAY) || weir_is(output, WEIR_OBJECT);
        if (list && weir_value_count(output) > ITEMS_MAX) return true;
        if (weir_is(output, WEIR_STRING) && weir_string_get(output).length > BYTES_MAX) return true;
    }
    return false;
}

static void decide_end(weir__dataflow *c, weir__context *context, weir_decisions *decisions) {
    weir_value *data = weir__dataflow_end(context, decisions);
    context->cut_short = !weir_member_named(data, "results");
    weir_member_put(data, "done", weir_int_new((int64_t)weir__dataflow_count_done(context)));
    weir_member_put(data, "failed", weir_int_new(context->failures));
    if (c->shown < WEIR__CONTEXTS_SHOWN_MAX && context->flow->instances.count <= INSTANCES_TOLD_MAX)
        weir_member_put(data, "nodes", weir__dataflow_nodes(c, context));
    weir_decide(decisions, WEIR_CONTEXT_FINISHED, context->id, context->id, 0, data, &context->last,
                1);
}

void weir__ahead_work(weir__dataflow *c, weir__context *context, size_t *limit,
                      weir_decisions *decisions) {
    decisions->ahead = true;
    *limit = 0; /* others have their turn */
    weir__context_run(context, CALLS_AT_ONCE);
    if (context->problem) { /* the run hears of it with the context's end */
        if (!context->failure)
            context->failure = context->problem;
        else
            weir_value_unref(context->problem);
        context->problem = NULL;
        context->halted = true;
    }
    if (context->stage == WEIR_STAGE_DONE)
        decide_end(c, context, decisions);
    else
        weir__dataflow_look_at(c, context);
}

void weir__ahead_finish(weir__dataflow *c, weir__context *context, const weir_event *event) {
    weir_value *error = weir_member_named(event->data, "error");
    weir_value *nodes = weir_member_named(event->data, "nodes");
    if (error && !context->failure) context->failure = weir_value_ref(error);
    bool listed = weir_is(nodes, WEIR_ARRAY) && c->shown < WEIR__CONTEXTS_SHOWN_MAX;
    if (listed) {
        context->nodes = weir_value_ref(nodes);
    } else {
        c->gone_done += weir_member_count(event->data, "done");
        c->gone_failed += weir_member_count(event->data, "failed");
    }
    if (error) weir__dataflow_fail(c, error);
}
