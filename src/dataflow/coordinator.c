/* The dataflow coordinator: fires operations when their inputs are there, moves contexts through their stages. */
#include <inttypes.h>
#include <stdio.h>

#include "base/queue.h"
#include "data/json.h"
#include "dataflow/context.h"
#include "expr/tag.h"

enum {
    TASKS_MAX = 50 * 1000 * 1000, /* of a run */
    CONTEXTS_OPEN_MAX = 1024,     /* at once */
    CONTEXTS_SHOWN_MAX = 100,     /* whose operations a status lists after they finished */
    CAUSES_MAX = 64               /* in a firing's prev */
};

static const uint32_t CONTEXT_ONLY = UINT32_MAX;

typedef struct flow_task {
    uint32_t instance;
    uint32_t set; /* where its parameter set begins in the context's */
} flow_task;

typedef struct coordinator {
    weir_coordinator base;
    const weir_dataflow_plan *plan;
    weir_tasks *tasks;
    weir__context *contexts;           /* [1 … plan->contexts.count]; 0 is the run */
    WEIR_VECTOR(flow_task) flow_tasks; /* by task number */
    weir_queue touched;                /* what to look at: context and instance */
    uint32_t opened, done, open_max;
    bool created, failed, cancelled, terminated, finished;
    weir_event_id created_event, last;
    weir_value *results; /* object: context → result */
    weir_value *error;
} coordinator;

/* What `touch` needs to know while inputs are given out. */
typedef struct giving {
    coordinator *c;
    uint32_t context;
} giving;

/* `instance` may be CONTEXT_ONLY: see whether the context is quiet. */
static void look_at(coordinator *c, uint32_t context, uint32_t instance) {
    weir_queue_put(&c->touched, (uint64_t)context << 32 | instance);
}

static void touch(void *arg, uint32_t instance) {
    giving *g = arg;
    weir__context *context = &g->c->contexts[g->context];
    weir__firing *firing = &context->firings[instance];
    if (firing->touched || g->c->plan->instances.items[instance].stage != context->stage) return;
    firing->touched = true;
    context->touched++;
    look_at(g->c, g->context, instance);
}

static void touch_stage(coordinator *c, uint32_t context) {
    giving g = {c, context};
    for (uint32_t i = 0; i < c->plan->instances.count; i++) touch(&g, i);
    look_at(c, context, CONTEXT_ONLY);
}

/* --- apply ---------------------------------------------------------------------------------- */

static void open_context(coordinator *c, const weir_event *event) {
    weir__context *context = &c->contexts[event->id.context];
    const weir__context_plan *given = &c->plan->contexts.items[event->id.context - 1];
    context->name = given->name;
    context->opened_us = event->time_us;
    context->last = event->id;
    weir__context_open(context, c->plan);
    giving g = {c, event->id.context};
    for (size_t i = 0; i < given->inputs.count; i++) {
        const weir__given *input = &given->inputs.items[i];
        weir__input stored = {weir_value_ref(input->value), input->definition, input->origin,
                              event->id};
        if (input->again)
            *weir_vector_push(&context->inputs) = stored;
        else
            weir__context_add(context, c->plan, stored, touch, &g);
    }
    touch_stage(c, event->id.context);
    c->opened++;
}

typedef struct firing_tasks {
    coordinator *c;
    const weir_event *event;
} firing_tasks;

static void make_task(void *arg, const uint32_t *set, size_t count) {
    firing_tasks *f = arg;
    uint32_t instance = (uint32_t)f->event->subject;
    weir__context *context = &f->c->contexts[f->event->id.context];
    weir_task_id task = weir_tasks_create(f->c->tasks, &f->c->plan->instances.items[instance].spec,
                                          f->event->id.context, f->event->id);
    weir_assert(task == f->c->flow_tasks.count);
    *weir_vector_push(&f->c->flow_tasks) = (flow_task){instance, (uint32_t)context->sets.count};
    for (size_t i = 0; i < count; i++) *weir_vector_push(&context->sets) = set[i];
    context->open_tasks++;
    context->firings[instance].tasks++;
}

static void fire(coordinator *c, const weir_event *event) {
    weir__context *context = &c->contexts[event->id.context];
    const weir__instance *instance = &c->plan->instances.items[event->subject];
    uint32_t *upto = weir_alloc((instance->parameters.count + 1) * sizeof *upto);
    for (size_t p = 0; p < instance->parameters.count; p++)
        upto[p] = (uint32_t)weir_int_get(weir_array_at(event->data, p));
    context->last = event->id;
    weir__context_join(context, c->plan, (uint32_t)event->subject, upto, make_task,
                       &(firing_tasks){c, event});
    weir_free(upto);
}

static weir_value *describe_failure(const coordinator *c, uint32_t context, weir_task_id task,
                                    const weir_value *failure) {
    const flow_task *t = &c->flow_tasks.items[task];
    weir_value *where = weir_object_new(), *error = weir_object_new();
    weir_member_put_text(where, "context", c->contexts[context].name);
    weir_member_put_text(where, "instance", c->plan->instances.items[t->instance].name);
    weir_member_put(where, "task", weir_int_new(task));
    weir_member_put(where, "attempt", weir_int_new(weir_tasks_attempt(c->tasks, task)));
    weir_str code = weir_member_text(failure, "code");
    weir_member_put_text(error, "code", code.length ? code : WEIR_STR("operation_failed"));
    weir_member_put_text(error, "what", weir_member_text(failure, "message"));
    weir_member_put(error, "where", where);
    if (failure) weir_member_put(error, "how", weir_value_ref((weir_value *)failure));
    return error;
}

/* Clean-up that is under way goes on, unless all is to end at once. */
static void stop_tasks(coordinator *c, weir_stop how) {
    for (weir_task_id task = 0; task < weir_tasks_count(c->tasks); task++) {
        const weir__context *context = &c->contexts[weir_tasks_context(c->tasks, task)];
        if (how == WEIR_STOP_KILL || context->stage != WEIR_STAGE_CLEANUP)
            weir_tasks_stop(c->tasks, task, how);
    }
}

/* The context's first error (taken over) ends the run. */
static void fail_context(coordinator *c, uint32_t at, weir_value *error) {
    c->contexts[at].failure = error;
    if (c->failed || c->cancelled) return;
    c->failed = true;
    c->error = weir_value_ref(error);
    stop_tasks(c, WEIR_STOP_TERM);
    for (uint32_t i = 1; i <= c->plan->contexts.count; i++)
        if (c->contexts[i].opened && !c->contexts[i].finished) look_at(c, i, CONTEXT_ONLY);
}

static void fail(coordinator *c, uint32_t at, weir_task_id task, const weir_value *failure) {
    const weir__context *context = &c->contexts[at];
    if (context->failure || (!c->plan->strict && context->stage != WEIR_STAGE_CLEANUP)) return;
    fail_context(c, at, describe_failure(c, at, task, failure));
}

static bool declares(const weir_port *ports, weir_str key) {
    for (; ports && ports->name; ports++)
        if (weir_str_is(key, ports->name)) return true;
    return false;
}

static void add_output(giving *g, const weir__output *output, weir_value *value,
                       weir_event_id event) {
    weir__context_add(
        &g->c->contexts[g->context], g->c->plan,
        (weir__input){weir_value_ref(value), output->definition, output->origin, event}, touch, g);
}

static size_t character_length(const char *at, size_t left) {
    unsigned char c = (unsigned char)*at;
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return length < left ? length : left;
}

/* Each item of an array, key of an object or character of a text becomes an input; false for anything else. */
static bool add_expanded(giving *g, const weir__output *output, const weir_value *value,
                         weir_event_id event) {
    if (weir_is(value, WEIR_ARRAY)) {
        for (size_t i = 0; i < weir_value_count(value); i++)
            add_output(g, output, weir_array_at(value, i), event);
        return true;
    }
    bool object = weir_is(value, WEIR_OBJECT);
    if (!object && !weir_is(value, WEIR_STRING)) return false;
    weir_str text = object ? WEIR_STR("") : weir_string_get(value);
    size_t count = object ? weir_value_count(value) : text.length;
    for (size_t i = 0; i < count;) {
        size_t length = object ? 1 : character_length(text.data + i, text.length - i);
        weir_value *item = object ? weir_string_from(weir_object_key(value, i))
                                  : weir_string_new(text.data + i, length);
        add_output(g, output, item, event);
        weir_value_unref(item);
        i += length;
    }
    return true;
}

/* The value of a declared output. A process with JSON output gives the members of its result as outputs too. */
static weir_value *output_value(const weir__instance *instance, const weir_value *outputs,
                                weir_str key) {
    weir_value *value = weir_member(outputs, key);
    if (value || !instance->renders) return value;
    const weir_value *result = weir_member_named(outputs, "result");
    return weir_is(result, WEIR_OBJECT) ? weir_member(result, key) : NULL;
}

static bool check_outputs(const weir__instance *instance, const weir_value *outputs,
                          weir_outcome *problem) {
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        bool known = declares(instance->operation->outputs, key);
        for (size_t o = 0; !known && o < instance->outputs.count; o++)
            known = weir_str_equal(instance->outputs.items[o].key, key);
        if (known) continue;
        *problem = weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                                       "`%.*s` gave an output `%.*s` that it does not declare",
                                       WEIR_ARG(instance->name), WEIR_ARG(key));
        return false;
    }
    return true;
}

static void take_outputs(coordinator *c, uint32_t at, weir_task_id task, weir_value *outputs,
                         weir_event_id event) {
    const weir__instance *instance = &c->plan->instances.items[c->flow_tasks.items[task].instance];
    weir_outcome problem = {0};
    giving g = {c, at};
    bool ok = check_outputs(instance, outputs, &problem);
    for (size_t o = 0; ok && o < instance->outputs.count; o++) {
        const weir__output *output = &instance->outputs.items[o];
        weir_value *value = output_value(instance, outputs, output->key);
        if (!value) continue;
        if (!output->expand) {
            add_output(&g, output, value, event);
        } else if (!add_expanded(&g, output, value, event)) {
            problem = weir_outcome_failed(
                WEIR_OUTCOME_FAILED, "operation_failed",
                "`%.*s` gave %s for `%.*s`, which is to be expanded", WEIR_ARG(instance->name),
                weir_type_text(weir_value_type(value)), WEIR_ARG(output->key));
            ok = false;
        }
    }
    if (!ok) {
        c->contexts[at].firings[c->flow_tasks.items[task].instance].failed++;
        fail(c, at, task, problem.failure);
    }
    weir_outcome_deinit(&problem);
}

/* What an output operation gives is the result; several of its parameter sets are merged. */
static void take_results(coordinator *c, uint32_t at, uint32_t instance, weir_value *outputs) {
    weir_value *results = c->contexts[at].results;
    weir_str name = c->plan->instances.items[instance].name;
    weir_value *before = weir_member(results, name);
    weir_value *merged = before ? weir_value_ref(before) : weir_object_new();
    merged = weir_value_own(merged);
    for (size_t i = 0; i < weir_value_count(outputs); i++)
        weir_member_set(merged, weir_object_key(outputs, i),
                        weir_value_ref(weir_object_at(outputs, i)));
    weir_member_set(results, name, merged);
}

static void end_task(coordinator *c, const weir_event *event) {
    weir_task_id task = (weir_task_id)event->subject;
    const flow_task *t = &c->flow_tasks.items[task];
    weir__context *context = &c->contexts[event->id.context];
    const weir_outcome *outcome = weir_tasks_outcome(c->tasks, task);
    context->open_tasks--;
    context->firings[t->instance].done++;
    context->last = event->id;
    if (outcome->kind != WEIR_OUTCOME_SUCCEEDED) {
        context->firings[t->instance].failed++;
        fail(c, event->id.context, task, outcome->failure);
    } else if (outcome->outputs && context->stage == WEIR_STAGE_PROCESSING) {
        take_outputs(c, event->id.context, task, outcome->outputs, event->id);
    } else if (outcome->outputs && context->stage == WEIR_STAGE_OUTPUT) {
        take_results(c, event->id.context, t->instance, outcome->outputs);
    }
    weir_tasks_release(c->tasks, task);
    look_at(c, event->id.context, CONTEXT_ONLY);
}

static void finish_context(coordinator *c, const weir_event *event) {
    weir__context *context = &c->contexts[event->id.context];
    weir_value *results = weir_member_named(event->data, "results");
    if (results) weir_member_set(c->results, context->name, weir_value_ref(results));
    context->finished = true;
    context->cut_short = !results;
    context->stage = WEIR_STAGE_DONE;
    context->finished_us = event->time_us;
    if (c->plan->contexts.count > CONTEXTS_SHOWN_MAX)
        weir__context_free(context, c->plan);
    else
        weir__context_release(context, c->plan);
    c->last = event->id;
    c->done++;
}

static void stage_context(coordinator *c, const weir_event *event) {
    weir__context *context = &c->contexts[event->id.context];
    context->stage = (weir_stage)event->number;
    context->last = event->id;
    if (event->data) fail_context(c, event->id.context, weir_value_ref(event->data));
    touch_stage(c, event->id.context);
}

static void cancel(coordinator *c, const weir_event *event) {
    c->cancelled = true;
    c->terminated |= event->number != 0;
    stop_tasks(c, event->number ? WEIR_STOP_KILL : WEIR_STOP_TERM);
    c->last = event->id;
    for (uint32_t i = 1; i <= c->plan->contexts.count; i++)
        if (c->contexts[i].opened && !c->contexts[i].finished) look_at(c, i, CONTEXT_ONLY);
}

static void apply(weir_coordinator *base, const weir_event *event) {
    coordinator *c = (coordinator *)base;
    const weir_value *max;
    switch (event->type) {
    case WEIR_RUN_CREATED:
        c->created = true;
        c->created_event = c->last = event->id;
        max = weir_member_named(event->data, "max_contexts");
        if (weir_is(max, WEIR_INT) && weir_int_get(max) > 0 && weir_int_get(max) < c->open_max)
            c->open_max = (uint32_t)weir_int_get(max);
        break;
    case WEIR_CONTEXT_OPENED: open_context(c, event); break;
    case WEIR_OPERATION_FIRED: fire(c, event); break;
    case WEIR_CONTEXT_STAGED: stage_context(c, event); break;
    case WEIR_CONTEXT_FINISHED: finish_context(c, event); break;
    case WEIR_TASK_FINISHED: end_task(c, event); break;
    case WEIR_RUN_CANCELLED: cancel(c, event); break;
    case WEIR_RUN_FINISHED: c->finished = true; break;
    default: break;
    }
}

static bool fits_firing(const coordinator *c, const weir_event *event) {
    if (event->subject >= c->plan->instances.count || !weir_is(event->data, WEIR_ARRAY))
        return false;
    const weir__instance *instance = &c->plan->instances.items[event->subject];
    const weir__firing *firing = &c->contexts[event->id.context].firings[event->subject];
    if (weir_value_count(event->data) != instance->parameters.count) return false;
    uint64_t sets = 1;
    for (size_t p = 0; p < instance->parameters.count; p++) {
        const weir_value *upto = weir_array_at(event->data, p);
        const weir__slot *slot = &firing->slots[p];
        if (!weir_is(upto, WEIR_INT) || weir_int_get(upto) < slot->joined ||
            (uint64_t)weir_int_get(upto) > slot->count)
            return false;
        if (weir_int_get(upto)) sets *= (uint64_t)weir_int_get(upto);
        if (sets > TASKS_MAX) return false;
    }
    return true;
}

static bool fits(const weir_coordinator *base, const weir_event *event) {
    const coordinator *c = (const coordinator *)base;
    uint32_t at = event->id.context;
    if (event->type == WEIR_NODE_STARTED || event->type == WEIR_NODE_FINISHED) return false;
    if (event->type < WEIR_CONTEXT_OPENED) return at == 0;
    if (at == 0 || at > c->plan->contexts.count) return false;
    if (event->type == WEIR_CONTEXT_OPENED) return at == c->opened + 1;
    const weir__context *context = &c->contexts[at];
    if (!context->opened || context->finished) return false;
    switch (event->type) {
    case WEIR_OPERATION_FIRED: return fits_firing(c, event);
    case WEIR_CONTEXT_STAGED:
        return event->number > context->stage && event->number < WEIR_STAGE_DONE;
    case WEIR_CONTEXT_FINISHED: return event->data && !context->open_tasks;
    default: return true; /* a task's: the layer knows */
    }
}

/* --- decide --------------------------------------------------------------------------------- */

static bool is_halted(const coordinator *c, const weir__context *context) {
    if (context->stage == WEIR_STAGE_CLEANUP) return c->terminated;
    return c->failed || c->cancelled || context->failure;
}

static size_t collect_causes(const weir__context *context, const weir__firing *firing,
                             size_t parameters, weir_event_id *causes) {
    size_t count = 0;
    for (size_t p = 0; p < parameters; p++) {
        const weir__slot *slot = &firing->slots[p];
        for (size_t i = slot->joined; i < slot->count && count < CAUSES_MAX; i++) {
            weir_event_id id = context->inputs.items[slot->items[i]].event;
            bool known = false;
            for (size_t k = 0; k < count && !known; k++)
                known = causes[k].sequence == id.sequence && causes[k].context == id.context;
            if (!known) causes[count++] = id;
        }
    }
    if (!count) causes[count++] = context->last;
    return count;
}

static weir_value *limit_error(const weir__context *context, const weir__instance *instance) {
    weir_value *error = weir_object_new(), *where = weir_object_new();
    weir_member_put_text(where, "context", context->name);
    weir_member_put_text(where, "instance", instance->name);
    weir_member_put_text(error, "code", WEIR_STR("limit_exceeded"));
    weir_member_put_text(error, "what",
                         WEIR_STR("an operation has more parameter sets than a run may "
                                  "have tasks (50 million)"));
    weir_member_put(error, "where", where);
    return error;
}

static void decide_firing(coordinator *c, uint32_t at, uint32_t number, weir_decisions *decisions) {
    weir__context *context = &c->contexts[at];
    uint64_t sets = weir__context_sets(context, c->plan, number);
    if (!sets) return;
    const weir__instance *instance = &c->plan->instances.items[number];
    const weir__firing *firing = &context->firings[number];
    weir_event_id causes[CAUSES_MAX];
    size_t cause_count = collect_causes(context, firing, instance->parameters.count, causes);
    if (sets > TASKS_MAX || weir_tasks_count(c->tasks) + sets > TASKS_MAX) {
        weir_decide(decisions, WEIR_CONTEXT_STAGED, at, number, WEIR_STAGE_CLEANUP,
                    limit_error(context, instance), causes, cause_count);
        return;
    }
    weir_value *upto = weir_array_new();
    for (size_t p = 0; p < instance->parameters.count; p++)
        weir_array_append(upto, weir_int_new((int64_t)firing->slots[p].count));
    weir_decide(decisions, WEIR_OPERATION_FIRED, at, number, (uint32_t)sets, upto, causes,
                cause_count);
}

static weir_value *context_result(const coordinator *c, const weir__context *context) {
    if (c->plan->output_instances != 1) return weir_value_ref(context->results);
    if (!weir_value_count(context->results)) return weir_object_new();
    return weir_value_ref(weir_object_at(context->results, 0));
}

/* The stage after this one that has something to do. */
static weir_stage next_stage(const coordinator *c, const weir__context *context) {
    bool halted = c->failed || c->cancelled || context->failure;
    for (weir_stage stage = context->stage + 1; stage < WEIR_STAGE_DONE; stage++) {
        if (halted && (stage == WEIR_STAGE_OUTPUT || c->terminated)) continue;
        for (size_t i = 0; i < c->plan->instances.count; i++)
            if (c->plan->instances.items[i].stage == stage) return stage;
    }
    return WEIR_STAGE_DONE;
}

static void decide_context(coordinator *c, uint32_t at, weir_decisions *decisions) {
    weir__context *context = &c->contexts[at];
    if (!context->opened || context->finished || context->open_tasks || context->touched) return;
    weir_stage stage = next_stage(c, context);
    if (stage != WEIR_STAGE_DONE) {
        weir_decide(decisions, WEIR_CONTEXT_STAGED, at, at, stage, NULL, &context->last, 1);
        return;
    }
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "name", context->name);
    if (context->failure)
        weir_member_put(data, "error", weir_value_ref(context->failure));
    else if (!c->failed && !c->cancelled)
        weir_member_put(data, "results", context_result(c, context));
    weir_decide(decisions, WEIR_CONTEXT_FINISHED, at, at, 0, data, &context->last, 1);
}

static void decide_touched(coordinator *c, uint32_t at, uint32_t instance,
                           weir_decisions *decisions) {
    weir__context *context = &c->contexts[at];
    if (!context->opened || context->finished) return;
    if (instance != CONTEXT_ONLY) {
        context->firings[instance].touched = false;
        context->touched--;
        bool in_stage = c->plan->instances.items[instance].stage == context->stage;
        if (in_stage && !is_halted(c, context)) decide_firing(c, at, instance, decisions);
    }
    decide_context(c, at, decisions);
}

static void decide_end(coordinator *c, weir_decisions *decisions) {
    bool more_contexts = c->opened < c->plan->contexts.count && !c->failed && !c->cancelled;
    if (!c->created || c->finished || more_contexts || c->done < c->opened) return;
    weir_value *data = weir_object_new();
    const char *phase = c->failed || c->cancelled || c->error ? "Failed" : "Succeeded";
    weir_member_put_text(data, "phase", weir_str_from(phase));
    if (c->cancelled && !c->failed)
        weir_member_put_text(data, "message", WEIR_STR("was cancelled"));
    bool one = c->plan->pipeline && weir_value_count(c->results) == 1;
    weir_member_put(data, "results",
                    weir_value_ref(one ? weir_object_at(c->results, 0) : c->results));
    if (c->error) weir_member_put(data, "error", weir_value_ref(c->error));
    weir_decide(decisions, WEIR_RUN_FINISHED, 0, 0, 0, data, &c->last, 1);
}

static bool decide(weir_coordinator *base, size_t limit, weir_decisions *decisions) {
    coordinator *c = (coordinator *)base;
    while (c->created && c->opened < c->plan->contexts.count && !c->failed && !c->cancelled &&
           c->opened - c->done < c->open_max && limit) {
        uint32_t at = c->opened + 1;
        weir_value *data = weir_object_new();
        weir_member_put_text(data, "name", c->plan->contexts.items[at - 1].name);
        weir_decide(decisions, WEIR_CONTEXT_OPENED, at, at, 0, data, &c->created_event, 1);
        limit--;
    }
    uint64_t item;
    for (; limit && weir_queue_take(&c->touched, &item); limit--)
        decide_touched(c, (uint32_t)(item >> 32), (uint32_t)item, decisions);
    if (c->touched.count) return true;
    decide_end(c, decisions);
    return false;
}

/* --- what others see ------------------------------------------------------------------------ */

static weir_value *set_value(const coordinator *c, weir_task_id task, size_t p) {
    const flow_task *t = &c->flow_tasks.items[task];
    const weir__context *context = &c->contexts[weir_tasks_context(c->tasks, task)];
    uint32_t input = context->sets.items[t->set + p];
    if (input != WEIR__DEFAULT) return context->inputs.items[input].value;
    uint32_t definition = c->plan->instances.items[t->instance].parameters.items[p].definition;
    return c->plan->definitions.items[definition].default_value;
}

static weir_value *parameters_of(const coordinator *c, weir_task_id task) {
    const weir__instance *instance = &c->plan->instances.items[c->flow_tasks.items[task].instance];
    weir_value *parameters = weir_object_new();
    for (size_t p = 0; p < instance->parameters.count; p++)
        weir_member_set(parameters, instance->parameters.items[p].name,
                        weir_value_ref(set_value(c, task, p)));
    return parameters;
}

static bool lookup_input(void *arg, weir_str name, weir_buffer *out) {
    const weir_value *value =
        weir_member(arg, weir_str_slice(name, strlen("inputs."), name.length));
    if (!value) return false;
    if (weir_is(value, WEIR_STRING))
        weir_buffer_str_append(out, weir_string_get(value));
    else
        weir_json_format(value, 0, out);
    return true;
}

static weir_value *collect(const weir__context *context, const weir_dataflow_plan *plan) {
    weir_value *collected = weir_object_new();
    for (size_t i = 0; i < context->inputs.count; i++) {
        const weir__input *input = &context->inputs.items[i];
        weir_str name = plan->definitions.items[input->definition].name;
        weir_value *values = weir_member(collected, name);
        if (!values) {
            values = weir_array_new();
            weir_member_set(collected, name, values);
        }
        weir_array_append(values, weir_value_ref(input->value));
    }
    return collected;
}

static void prepare(weir_coordinator *base, weir_task_id task, weir_attempt *attempt) {
    coordinator *c = (coordinator *)base;
    const weir__instance *instance = &c->plan->instances.items[c->flow_tasks.items[task].instance];
    attempt->parameters = parameters_of(c, task);
    weir_error error;
    if (!instance->renders || !weir_tag_render_value(instance->config, lookup_input,
                                                     attempt->parameters, &attempt->config, &error))
        attempt->config = weir_value_ref(instance->config);
    if (instance->operation->hints & WEIR_COLLECTS)
        attempt->collected = collect(&c->contexts[weir_tasks_context(c->tasks, task)], c->plan);
}

static void describe(const weir_coordinator *base, const weir_event *event, weir_value *data) {
    const coordinator *c = (const coordinator *)base;
    uint64_t instance = event->subject;
    bool attempt = event->type >= WEIR_ATTEMPT_SCHEDULED;
    if (attempt) instance = c->flow_tasks.items[event->subject].instance;
    if (!attempt && event->type != WEIR_OPERATION_FIRED) return;
    weir_member_put_text(data, "instance", c->plan->instances.items[instance].name);
    weir_member_put(data, "path", weir_array_new());
    if (event->id.context)
        weir_member_put_text(data, "context", c->contexts[event->id.context].name);
    if (event->type == WEIR_ATTEMPT_STARTED)
        weir_member_put(data, "parameters", parameters_of(c, (weir_task_id)event->subject));
}

static const char *firing_phase(const weir__context *context, const weir__firing *firing) {
    if (firing->failed) return "Failed";
    if (context->finished || firing->done == firing->tasks)
        return firing->tasks ? "Succeeded" : context->finished ? "Omitted" : "Pending";
    return "Running";
}

static weir_value *new_node(const char *id, weir_str name, const char *type, const char *phase) {
    weir_value *node = weir_object_new();
    weir_member_put_text(node, "id", weir_str_from(id));
    weir_member_put_text(node, "name", name);
    weir_member_put_text(node, "type", weir_str_from(type));
    weir_member_put_text(node, "phase", weir_str_from(phase));
    return node;
}

static void add_instances(const coordinator *c, uint32_t at, const char *parent,
                          weir_value *nodes) {
    const weir__context *context = &c->contexts[at];
    for (uint32_t i = 0; context->firings && i < c->plan->instances.count; i++) {
        const weir__firing *firing = &context->firings[i];
        char id[40];
        snprintf(id, sizeof id, "%" PRIu32 ".%" PRIu32, at, i);
        weir_value *node = new_node(id, c->plan->instances.items[i].name, "Operation",
                                    firing_phase(context, firing));
        weir_member_put_text(node, "parent", weir_str_from(parent));
        weir_member_put(node, "tasks", weir_int_new(firing->tasks));
        weir_member_put(node, "done", weir_int_new(firing->done));
        weir_array_append(nodes, node);
    }
}

static weir_value *status(const weir_coordinator *base) {
    const coordinator *c = (const coordinator *)base;
    weir_value *nodes = weir_array_new();
    for (uint32_t at = 1; at <= c->plan->contexts.count; at++) {
        const weir__context *context = &c->contexts[at];
        if (!context->opened) continue;
        char id[16];
        snprintf(id, sizeof id, "%" PRIu32, at);
        const char *phase = context->failure || context->cut_short ? "Failed"
                            : context->finished                    ? "Succeeded"
                                                                   : "Running";
        weir_value *node = new_node(id, context->name, "Context", phase);
        weir_member_put(node, "started", weir_int_new((int64_t)context->opened_us));
        if (context->finished)
            weir_member_put(node, "finished", weir_int_new((int64_t)context->finished_us));
        if (context->failure)
            weir_member_put_text(node, "message", weir_member_text(context->failure, "what"));
        weir_array_append(nodes, node);
        add_instances(c, at, id, nodes);
    }
    weir_value *value = weir_object_new();
    weir_member_put(value, "nodes", nodes);
    return value;
}

static void coordinator_free(weir_coordinator *base) {
    coordinator *c = (coordinator *)base;
    for (size_t i = 1; i <= c->plan->contexts.count; i++) {
        weir__context_free(&c->contexts[i], c->plan);
        weir_value_unref(c->contexts[i].failure);
    }
    weir_free(c->contexts);
    weir_vector_deinit(&c->flow_tasks);
    weir_queue_deinit(&c->touched);
    weir_value_unref(c->results);
    weir_value_unref(c->error);
    weir_free(c);
}

weir_coordinator *weir__dataflow_coordinator_new(const weir_plan *plan, weir_tasks *tasks) {
    static const weir_coordinator_class class = {apply,  fits,     decide,          prepare,
                                                 status, describe, coordinator_free};
    coordinator *c = weir_alloc(sizeof *c);
    c->base.class = &class;
    c->plan = (const weir_dataflow_plan *)plan;
    c->tasks = tasks;
    c->contexts = weir_alloc((c->plan->contexts.count + 1) * sizeof *c->contexts);
    c->open_max = CONTEXTS_OPEN_MAX;
    c->results = weir_object_new();
    return &c->base;
}
