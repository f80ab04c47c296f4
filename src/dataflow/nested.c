/* Operations that run a dataflow of their configuration: dffml.dataflow.run in its two forms, and remap. The task layer
 * treats them as any task (locks, retries, timeouts); their attempt is the contexts that they open here. */
#include <inttypes.h>

#include "dataflow/coordinator_internal.h"

typedef struct child {
    char *name;
    weir__givens givens;
    weir__context *context; /* NULL: not open yet, or finished */
    weir_value *result;     /* NULL: none */
} child;

struct weir__nested {
    weir_task_id task;
    uint32_t number; /* of the attempt */
    WEIR_VECTOR(child) children;
    uint32_t opened, done;
    uint32_t running_at; /* among the coordinator's `running` */
    bool started, stopping, waits;
    weir_stop how;
    weir_value *failure; /* {code, message, cause?}; NULL: none */
};

void weir__nested_free(weir__nested *nested) {
    if (!nested) return;
    for (size_t i = 0; i < nested->children.count; i++) {
        child *item = &nested->children.items[i];
        weir_free(item->name);
        weir__givens_deinit(&item->givens);
        weir_value_unref(item->result);
    }
    weir_vector_deinit(&nested->children);
    weir_value_unref(nested->failure);
    weir_free(nested);
}

static const weir__instance *instance_of(const weir__dataflow *c, weir_task_id task) {
    const weir__flow_task *t = weir__dataflow_task(c, task);
    return &t->context->flow->instances.items[t->instance];
}

static const weir__flow *flow_of(const weir__dataflow *c, weir_task_id task) {
    return c->plan->flows.items[instance_of(c, task)->flow];
}

bool weir__nested_is(const weir__dataflow *c, weir_task_id task) {
    return instance_of(c, task)->nested != WEIR__NESTED_NOT;
}

/* NULL: it is over, or the task's context is gone. */
static weir__nested *nested_of(const weir__dataflow *c, uint64_t task) {
    const weir__flow_task *t = weir_pages_at(&c->flow_tasks, task);
    return t ? t->nested : NULL;
}

static void look_at(weir__dataflow *c, weir_task_id task) {
    if (!c->follows) weir_queue_put(&c->nested_agenda, task);
}

/* --- places ------------------------------------------------------------------------------------- */

static weir__places *places_of(const weir__dataflow *c, weir_task_id task) {
    return &c->places[instance_of(c, task)->flow];
}

/* Whether a context may be opened; when not, the task is looked at again when there is a place. */
static bool may_open(weir__dataflow *c, weir__nested *nested) {
    weir__places *places = places_of(c, nested->task);
    if (places->taken < WEIR__CONTEXTS_OPEN_MAX) return true;
    if (!nested->waits) weir_queue_put(&places->waiting, nested->task);
    nested->waits = true;
    return false;
}

/* Lets the next task look whether there is a place for it; one that has no use for it passes it on. */
static void pass_place_on(weir__dataflow *c, weir_task_id task) {
    weir__places *places = places_of(c, task);
    uint64_t next;
    while (places->taken < WEIR__CONTEXTS_OPEN_MAX && weir_queue_take(&places->waiting, &next)) {
        weir__nested *nested = nested_of(c, next);
        if (!nested) continue; /* it is over */
        nested->waits = false;
        look_at(c, (weir_task_id)next);
        return;
    }
}

static void note_failure(weir__nested *nested, weir_outcome outcome) {
    if (!nested->failure) nested->failure = weir_value_ref(outcome.failure);
    weir_outcome_deinit(&outcome);
}

static void fail(weir__nested *nested, const char *message, weir_str name) {
    note_failure(nested, weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed", "%s `%.*s`",
                                             message, WEIR_ARG(name)));
}

static weir_outcome contexts_outcome(void) {
    return weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(WEIR_LIMIT),
                               "the run has more contexts than it may have: at most %" PRIu32
                               " are allowed",
                               weir__limits.contexts);
}

/* --- what it opens ------------------------------------------------------------------------------ */

static child *add_child(weir__nested *nested, weir_str name) {
    child *item = weir_vector_push(&nested->children);
    *item = (child){.name = weir_str_dup(name)};
    return item;
}

/* {context: [{value, definition}]}. */
static void list_contexts(weir__dataflow *c, weir__nested *nested, const weir_value *inputs) {
    if (!weir_is(inputs, WEIR_OBJECT)) {
        fail(nested, "a dataflow is run with an object {context: inputs}, this is",
             weir_str_from(inputs ? weir_type_text(weir_value_type(inputs)) : "nothing"));
        return;
    }
    if (weir_value_count(inputs) >= weir__limits.contexts) {
        note_failure(nested, contexts_outcome());
        return;
    }
    for (size_t i = 0; i < weir_value_count(inputs); i++) {
        child *item = add_child(nested, weir_object_key(inputs, i));
        weir_error error;
        if (weir__givens_parse(flow_of(c, nested->task), weir_object_at(inputs, i), &item->givens,
                               &error))
            continue;
        note_failure(nested, weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                                                 "context `%s`: %s", item->name, error.message));
        return;
    }
}

/* The first parameter names the one context; all are its inputs. */
static void list_custom(weir__dataflow *c, weir__nested *nested) {
    const weir__flow_task *t = weir__dataflow_task(c, nested->task);
    const weir__instance *instance = instance_of(c, nested->task);
    const weir__flow *around = t->context->flow;
    weir_value *name = instance->parameters.count
                           ? weir__context_set_value(t->context, t->instance, t->set, 0)
                           : NULL;
    weir_str primitive =
        name ? around->definitions.items[instance->parameters.items[0].definition].primitive
             : WEIR_STR("");
    bool text = weir_str_is(primitive, "str") || weir_str_is(primitive, "string");
    if (!text || !weir_is(name, WEIR_STRING)) {
        fail(nested,
             "the first parameter has to be of primitive `str` and a text, to name the "
             "context of the dataflow that runs in",
             instance->name);
        return;
    }
    child *item = add_child(nested, weir_string_get(name));
    for (uint32_t p = 0; p < instance->parameters.count; p++) {
        weir_value *value = weir__context_set_value(t->context, t->instance, t->set, p);
        weir_str definition =
            around->definitions.items[instance->parameters.items[p].definition].name;
        weir_error error;
        if (!value ||
            weir__givens_add(flow_of(c, nested->task), definition, value, &item->givens, &error))
            continue;
        note_failure(nested, weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed", "%s",
                                                 error.message));
        return;
    }
}

void weir__nested_begin(weir__dataflow *c, weir_task_id task, uint32_t number) {
    if (!weir__nested_is(c, task)) return;
    weir__flow_task *t = weir__dataflow_task(c, task);
    weir__nested_free(t->nested);
    weir__nested *nested = weir_alloc(sizeof *nested);
    t->nested = nested;
    nested->task = task;
    nested->number = number;
    nested->running_at = (uint32_t)c->running.count;
    *weir_vector_push(&c->running) = task;
    switch (instance_of(c, task)->nested) {
    case WEIR__NESTED_RUN:
        list_contexts(c, nested, weir__context_set_value(t->context, t->instance, t->set, 0));
        break;
    case WEIR__NESTED_CUSTOM: list_custom(c, nested); break;
    default: add_child(nested, t->context->name); break;
    }
    look_at(c, task);
}

void weir__nested_started(weir__dataflow *c, weir_task_id task) {
    if (!weir__nested_is(c, task) || !nested_of(c, task)) return;
    nested_of(c, task)->started = true;
    look_at(c, task);
}

/* --- its contexts ------------------------------------------------------------------------------- */

bool weir__nested_fits(const weir__dataflow *c, uint64_t task, uint32_t place) {
    const weir__nested *nested = nested_of(c, task);
    return nested && place == nested->opened && place < nested->children.count;
}

bool weir__nested_fits_event(const weir__dataflow *c, const weir_event *event) {
    weir_task_id task = (weir_task_id)event->subject;
    if (!weir__nested_is(c, task)) return true;
    if (event->type == WEIR_ATTEMPT_LOST) return false;
    const weir__nested *nested = nested_of(c, task);
    return event->type != WEIR_ATTEMPT_FINISHED || nested->done == nested->opened;
}

weir__context *weir__nested_open(weir__dataflow *c, weir_task_id task, uint32_t place) {
    weir__nested *nested = nested_of(c, task);
    weir__context *around = weir__dataflow_task(c, task)->context;
    child *item = &nested->children.items[place];
    char *name = weir_str_dup(weir_str_from(item->name));
    weir__context *context =
        weir__dataflow_new_context(c, flow_of(c, task), weir_str_from(name), name);
    uint64_t stream[] = {around->stream, task, place};
    context->stream = weir_hash(stream, sizeof stream);
    context->parent = around->id;
    context->task = task;
    context->place = place;
    context->given = &item->givens;
    item->context = context;
    nested->opened++;
    places_of(c, task)->taken++;
    if (instance_of(c, task)->nested == WEIR__NESTED_REMAP)
        weir__context_open_within(context, around);
    look_at(c, task);
    return context;
}

static void halt_children(weir__dataflow *c, weir__nested *nested, weir_stop how) {
    for (size_t i = 0; i < nested->children.count; i++)
        if (nested->children.items[i].context)
            weir__dataflow_halt(c, nested->children.items[i].context, how);
}

void weir__nested_stop(weir__dataflow *c, weir_task_id task, weir_stop how) {
    if (!weir__nested_is(c, task) || !nested_of(c, task)) return;
    nested_of(c, task)->stopping = true;
    halt_children(c, nested_of(c, task), how);
    look_at(c, task);
}

void weir__nested_finished(weir__dataflow *c, weir__context *context, weir_value *result) {
    weir__nested *nested = nested_of(c, context->task);
    child *item = &nested->children.items[context->place];
    item->context = NULL;
    item->result = weir_value_ref(result);
    nested->done++;
    places_of(c, context->task)->taken--;
    if (context->failure && !nested->failure) {
        /* What goes wrong in a remap went wrong in the context itself. */
        bool remap = instance_of(c, context->task)->nested == WEIR__NESTED_REMAP;
        weir_outcome outcome = weir_outcome_failed(
            WEIR_OUTCOME_FAILED,
            remap ? weir_member_text(context->failure, "code").data : "operation_failed",
            "context `%.*s` of its dataflow failed: %.*s", WEIR_ARG(context->name),
            WEIR_ARG(weir_member_text(context->failure, "what")));
        weir_value *failure = weir_value_own(weir_value_ref(outcome.failure));
        weir_member_put(failure, "cause", weir_value_ref(context->failure));
        nested->failure = failure;
        weir_outcome_deinit(&outcome);
        halt_children(c, nested, WEIR_STOP_TERM);
    }
    look_at(c, context->task);
}

void weir__nested_end(weir__dataflow *c, weir_task_id task) {
    if (!weir__nested_is(c, task)) return;
    uint32_t at = nested_of(c, task)->running_at;
    weir_task_id last = c->running.items[--c->running.count];
    c->running.items[at] = last;
    nested_of(c, last)->running_at = at;
    weir__nested_free(nested_of(c, task));
    weir__dataflow_task(c, task)->nested = NULL;
    pass_place_on(c, task);
}

/* To the contexts that run for the task. */
static void forward_to(weir__dataflow *c, weir__nested *nested, const weir__forward *forward,
                       const weir__context *around, uint32_t at) {
    const weir__input *input = &around->inputs.items[at];
    for (size_t i = 0; i < nested->children.count; i++) {
        weir__context *inner = nested->children.items[i].context;
        if (!inner || inner->stage != WEIR_STAGE_PROCESSING) continue;
        uint32_t origin = WEIR__NONE;
        if (input->origin != WEIR__NONE)
            origin = weir__origin_like(inner->flow, around->flow, input->origin);
        inner->event = 0;
        weir__context_add_forwarded(inner, around, at, forward->inner, origin);
        weir__dataflow_look_at(c, inner);
    }
}

void weir__nested_forward(weir__context_owner *owner, weir__context *context, uint32_t at) {
    weir__dataflow *c = owner->arg;
    const weir__flow *flow = context->flow;
    uint32_t definition = context->inputs.items[at].definition;
    for (size_t r = 0; r < c->running.count; r++) {
        weir__flow_task *t = weir__dataflow_task(c, c->running.items[r]);
        if (t->context != context) continue;
        for (size_t f = 0; f < flow->forwards.count; f++) {
            const weir__forward *forward = &flow->forwards.items[f];
            if (forward->definition == definition && forward->instance == t->instance &&
                forward->inner != WEIR__NONE)
                forward_to(c, t->nested, forward, context, at);
        }
    }
}

/* Those around a subflow's context are there as long as it is. */
static void put_names(const weir__context *context, weir_value *names) {
    if (context->parent)
        put_names(weir__dataflow_context(context->owner->arg, context->parent), names);
    weir_array_append(names, weir_string_from(context->name));
}

weir_value *weir__context_names(const weir__context *context) {
    weir_value *names = weir_array_new();
    put_names(context, names);
    return names;
}

/* --- its outcome -------------------------------------------------------------------------------- */

static weir_value *list_results(const weir__nested *nested) {
    weir_value *list = weir_array_new(), *outputs = weir_object_new();
    for (size_t i = 0; i < nested->children.count; i++) {
        const child *item = &nested->children.items[i];
        if (!item->result) continue;
        weir_value *one = weir_object_new();
        weir_member_set(one, weir_str_from(item->name), weir_value_ref(item->result));
        weir_array_append(list, one);
    }
    weir_member_put(outputs, "results", list);
    return outputs;
}

/* The result's keys have to be the operation's outputs. */
static weir_outcome custom_outcome(const weir__instance *instance, weir_value *result) {
    bool same = weir_is(result, WEIR_OBJECT) && weir_value_count(result) == instance->outputs.count;
    for (size_t i = 0; same && i < instance->outputs.count; i++)
        same = weir_member(result, instance->outputs.items[i].key) != NULL;
    if (same)
        return (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = weir_value_ref(result)};
    return weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                               "the results of the dataflow that `%.*s` runs are not named as its "
                               "outputs are",
                               WEIR_ARG(instance->name));
}

/* The part at the path; NULL when there is none. Borrowed. */
static weir_value *pick(weir_value *value, const weir_value *path) {
    for (size_t i = 0; value && i < weir_value_count(path); i++) {
        const weir_value *key = weir_array_at(path, i);
        if (weir_is(key, WEIR_STRING) && weir_is(value, WEIR_OBJECT))
            value = weir_member(value, weir_string_get(key));
        else if (weir_is(key, WEIR_INT) && weir_is(value, WEIR_ARRAY) && weir_int_get(key) >= 0 &&
                 (uint64_t)weir_int_get(key) < weir_value_count(value))
            value = weir_array_at(value, (size_t)weir_int_get(key));
        else
            value = NULL;
    }
    return value;
}

static weir_outcome remap_outcome(const weir__dataflow *c, const weir__nested *nested) {
    const weir__flow_task *t = weir__dataflow_task(c, nested->task);
    const weir__instance *instance = instance_of(c, nested->task);
    const weir_value *spec = instance->parameters.count
                                 ? weir__context_set_value(t->context, t->instance, t->set, 0)
                                 : NULL;
    weir_value *result = nested->children.items[0].result, *outputs = weir_object_new();
    const char *code = weir_code_text(WEIR_REMAP_FAILED);
    weir_outcome problem = {0};
    if (!weir_is(spec, WEIR_OBJECT))
        problem = weir_outcome_failed(WEIR_OUTCOME_FAILED, code,
                                      "the parameter of a remap is no object {name: path}");
    for (size_t i = 0; !problem.failure && i < weir_value_count(spec); i++) {
        weir_str name = weir_object_key(spec, i);
        const weir_value *path = weir_object_at(spec, i);
        weir_value *part = weir_is(path, WEIR_ARRAY) ? pick(result, path) : NULL;
        if (part)
            weir_member_set(outputs, name, weir_value_ref(part));
        else
            problem = weir_outcome_failed(WEIR_OUTCOME_FAILED, code,
                                          "the results have nothing at the path of `%.*s`",
                                          WEIR_ARG(name));
    }
    if (!problem.failure) return (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = outputs};
    weir_value_unref(outputs);
    return problem;
}

static weir_outcome outcome_of(const weir__dataflow *c, const weir__nested *nested) {
    const weir__instance *instance = instance_of(c, nested->task);
    if (nested->stopping)
        return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled", "it was told to end");
    if (nested->failure)
        return (weir_outcome){.kind = WEIR_OUTCOME_FAILED,
                              .failure = weir_value_ref(nested->failure)};
    if (instance->nested == WEIR__NESTED_CUSTOM)
        return custom_outcome(instance, nested->children.items[0].result);
    if (instance->nested == WEIR__NESTED_REMAP) return remap_outcome(c, nested);
    return (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = list_results(nested)};
}

/* --- decide ------------------------------------------------------------------------------------- */

static void decide_child(weir__dataflow *c, const weir__nested *nested, weir_decisions *decisions) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "name", weir_str_from(nested->children.items[nested->opened].name));
    weir_event_id cause = weir_tasks_last_event(c->tasks, nested->task);
    weir_decide(decisions, WEIR_CONTEXT_OPENED, weir__dataflow_next_context(c), nested->task,
                nested->opened + 1, data, &cause, 1);
}

void weir__nested_decide(weir__dataflow *c, weir_task_id task, weir_decisions *decisions) {
    weir__nested *nested = nested_of(c, task);
    if (!nested) return;
    uint32_t context = weir__dataflow_task(c, task)->context->id;
    weir_event_id last = weir_tasks_last_event(c->tasks, task);
    if (!nested->started) {
        weir_decide(decisions, WEIR_ATTEMPT_STARTED, context, task, nested->number, NULL, &last, 1);
        return;
    }
    bool ending = nested->stopping || nested->failure;
    bool out =
        !ending && nested->opened < nested->children.count && weir__dataflow_is_out_of_contexts(c);
    if (!ending && !out && nested->opened < nested->children.count) {
        if (may_open(c, nested)) decide_child(c, nested, decisions);
        return;
    }
    pass_place_on(c, task);
    if (nested->done < nested->opened) return;
    weir_outcome outcome = out ? contexts_outcome() : outcome_of(c, nested);
    weir_decide(decisions, WEIR_ATTEMPT_FINISHED, context, task, nested->number,
                weir_outcome_to_value(&outcome), &last, 1);
    weir_outcome_deinit(&outcome);
}
