/* The dataflow coordinator: what events change. What to do next is in decide.c. */
#include "data/json.h"
#include "dataflow/coordinator_internal.h"
#include "expr/tag.h"

void weir__dataflow_look_at(weir__dataflow *c, weir__context *context) {
    if (context->queued || context->finished || c->follows) return;
    context->queued = true;
    weir_queue_put(&c->agenda, context->id);
}

/* --- locks ------------------------------------------------------------------------------------ */

static uint32_t new_lock(weir__dataflow *c) {
    if (c->no_locks.count) return c->no_locks.items[--c->no_locks.count];
    return c->locks < weir__limits.places ? c->locks++ : WEIR__NONE;
}

static uint32_t take_lock(weir__context_owner *owner, const weir__flow *flow, uint32_t seed) {
    weir__dataflow *c = owner->arg;
    if (seed == WEIR__NONE) return new_lock(c);
    uint32_t **of_flow = &c->seed_locks[flow->number];
    if (!*of_flow) *of_flow = weir_alloc(flow->seeds.items.count * sizeof **of_flow);
    if (!(*of_flow)[seed]) (*of_flow)[seed] = new_lock(c) + 1; /* 0 again where there is none */
    return (*of_flow)[seed] - 1;
}

static void give_back_locks(weir__dataflow *c, const weir__context *context) {
    for (size_t i = 0; i < context->own_locks.count; i++)
        *weir_vector_push(&c->no_locks) = context->own_locks.items[i];
}

/* --- contexts and tasks ----------------------------------------------------------------------- */

weir__context *weir__dataflow_next_at_hand(const weir__dataflow *c, uint64_t number) {
    for (number = weir_pages_next(&c->contexts, number); number < c->contexts.count;
         number = weir_pages_next(&c->contexts, number + 1))
        if (weir__dataflow_context(c, number)) return weir__dataflow_context(c, number);
    return NULL;
}

bool weir__dataflow_is_out_of_contexts(const weir__dataflow *c) {
    return !c->gone.count && c->contexts.count >= weir__limits.contexts;
}

uint32_t weir__dataflow_next_context(const weir__dataflow *c) {
    return c->gone.count ? c->gone.items[c->gone.count - 1] : (uint32_t)c->contexts.count;
}

void weir__dataflow_add_context(weir__dataflow *c, weir__context *context) {
    context->id = weir__dataflow_next_context(c);
    if (c->gone.count) {
        c->gone.count--;
        *(weir__context **)weir_pages_at(&c->contexts, context->id) = context;
    } else {
        *(weir__context **)weir_pages_push(&c->contexts) = context;
    }
    context->halted = c->failed || c->cancelled;
    context->terminated = c->terminated;
}

weir__context *weir__dataflow_new_context(weir__dataflow *c, const weir__flow *flow, weir_str name,
                                          char *own_name) {
    weir__context *context;
    if (flow == c->plan->flows.items[0] && c->spare.count) {
        context = c->spare.items[--c->spare.count];
        weir__context_renew(context, name, own_name);
    } else {
        context = weir__context_new(flow, &c->owner, name, own_name);
    }
    weir__dataflow_add_context(c, context);
    return context;
}

void weir__dataflow_make_tasks(weir__dataflow *c, weir__context *context, weir_event_id cause) {
    bool one = context->stage != WEIR_STAGE_PROCESSING;
    if (one && weir__context_is_halted(context)) context->wanted_at = context->wanted.count;
    while (context->wanted_at < context->wanted.count && !(one && context->open_tasks)) {
        weir__pending pending = context->wanted.items[context->wanted_at++];
        const weir__instance *instance = &context->flow->instances.items[pending.instance];
        uint32_t count;
        const uint32_t *locks = weir__context_locks(context, pending.set, &count);
        weir_task_id task = weir_tasks_create_locked(c->tasks, instance->spec, context->id, cause,
                                                     locks, count, context->guest);
        weir_assert(task == c->flow_tasks.count);
        *(weir__flow_task *)weir_pages_push(&c->flow_tasks) =
            (weir__flow_task){context, pending.instance, pending.set, context->last_task, NULL};
        context->last_task = task + 1;
        context->open_tasks++;
    }
    if (context->wanted_at == context->wanted.count) context->wanted_at = context->wanted.count = 0;
}

/* Clean-up that is under way goes on, unless all is to end at once. */
static void stop_task(weir__dataflow *c, weir_task_id task, weir_stop how) {
    if (how == WEIR_STOP_KILL || weir__dataflow_task(c, task)->context->stage != WEIR_STAGE_CLEANUP)
        weir_tasks_stop(c->tasks, task, how);
}

/* Looks from the newest on, as far as the context has open tasks. */
static void stop_tasks(weir__dataflow *c, const weir__context *of, weir_stop how) {
    uint32_t left = of->open_tasks;
    for (uint32_t task = of->last_task; left && task--;
         task = weir__dataflow_task(c, task)->before) {
        if (weir_tasks_state(c->tasks, task) == WEIR_STATE_FINISHED) continue;
        stop_task(c, task, how);
        left--;
    }
}

static void stop_all_tasks(weir__dataflow *c, weir_stop how) {
    for (weir_task_id task = weir_tasks_next(c->tasks, 0); task < weir_tasks_count(c->tasks);
         task = weir_tasks_next(c->tasks, task + 1))
        if (weir_tasks_state(c->tasks, task) != WEIR_STATE_FINISHED) stop_task(c, task, how);
}

static void mark_halted(weir__dataflow *c, weir__context *context, weir_stop how) {
    context->halted = true;
    context->terminated |= how == WEIR_STOP_KILL;
    if (context->open) weir__dataflow_look_at(c, context);
}

void weir__dataflow_halt(weir__dataflow *c, weir__context *context, weir_stop how) {
    mark_halted(c, context, how);
    stop_tasks(c, context, how);
}

static void halt_all(weir__dataflow *c, weir_stop how) {
    for (weir__context *context = weir__dataflow_next_at_hand(c, 0); context;
         context = weir__dataflow_next_at_hand(c, context->id + 1))
        if (!context->finished) mark_halted(c, context, how);
    stop_all_tasks(c, how);
}

/* The context's first error (taken over): that of the run's own ends the run; that of a dataflow within it, what is
 * beside it there. */
static void fail_context(weir__dataflow *c, weir__context *context, weir_value *error) {
    context->failure = error;
    if (context->parent) {
        weir__dataflow_halt(c, context, WEIR_STOP_TERM);
        return;
    }
    if (c->failed || c->cancelled)
        mark_halted(c, context, WEIR_STOP_TERM);
    else
        weir__dataflow_fail(c, error);
}

void weir__dataflow_fail(weir__dataflow *c, weir_value *error) {
    if (c->failed || c->cancelled) return;
    c->failed = true;
    c->error = weir_value_ref(error);
    halt_all(c, WEIR_STOP_TERM);
}

/* Whatever a context wants is to be a task of the run, sooner or later. */
static void check_tasks(const weir__dataflow *c, weir__context *context) {
    size_t wanted = context->wanted.count - context->wanted_at;
    if (c->flow_tasks.live + wanted <= weir__limits.tasks &&
        c->flow_tasks.count + wanted < WEIR_NO_TASK)
        return;
    weir__context_report_limit(context, context->wanted.items[context->wanted_at].instance,
                               "the run has more tasks than it may have", weir__limits.tasks);
    context->wanted_at = context->wanted.count = 0;
}

void weir__dataflow_settle(weir__dataflow *c, weir__context *context, weir_event_id cause) {
    if (context->wanted.count) check_tasks(c, context);
    if (context->problem) {
        weir_value *problem = context->problem;
        context->problem = NULL;
        if (context->failure)
            weir_value_unref(problem);
        else
            fail_context(c, context, problem);
    }
    weir__dataflow_make_tasks(c, context, cause);
}

/* --- apply ------------------------------------------------------------------------------------ */

static void open_context(weir__dataflow *c, const weir_event *event) {
    weir__context *context =
        event->number ? weir__nested_open(c, (weir_task_id)event->subject, event->number - 1)
        : weir_member_named(event->data, "chunk") ? weir__chunks_open(c, event)
                                                  : weir__dataflow_new_own(c);
    context->opened_us = event->time_us;
    context->last = event->id;
    context->event = event->id.sequence;
    if (!context->open) weir__context_open(context);
    weir__dataflow_settle(c, context, event->id);
    weir__dataflow_look_at(c, context);
}

static void fire(weir__context *context, const weir_event *event) {
    const weir__instance *instance = &context->flow->instances.items[event->subject];
    uint32_t upto[WEIR__PARAMETERS_MAX];
    for (size_t p = 0; p < instance->parameters.count; p++)
        upto[p] = (uint32_t)weir_int_get(weir_array_at(event->data, p));
    weir__context_join(context, (uint32_t)event->subject, upto);
}

static void end_task(weir__dataflow *c, weir__context *context, const weir_event *event) {
    weir_task_id task = (weir_task_id)event->subject;
    const weir__flow_task *t = weir__dataflow_task(c, task);
    const weir_outcome *outcome = weir_tasks_outcome(c->tasks, task);
    context->open_tasks--;
    weir__count(weir__done_of(context, t->instance));
    if (weir_tasks_was_found(c->tasks, task)) weir__context_count_found(context, t->instance);
    uint32_t attempt = weir_tasks_attempt(c->tasks, task);
    if (outcome->kind != WEIR_OUTCOME_SUCCEEDED)
        weir__context_fail(context, t->instance, task, attempt, outcome->failure);
    else
        weir__context_take_outputs(context, t->instance, t->set, task, attempt, outcome->outputs);
    weir__context_drop_set(context, t->instance, t->set);
    weir_tasks_release(c->tasks, task);
}

static void take_yield(weir__dataflow *c, weir__context *context, const weir_event *event) {
    const weir__flow_task *t = weir__dataflow_task(c, event->subject);
    weir_value *outputs = weir_member_named(event->data, "outputs");
    if (weir_is(outputs, WEIR_OBJECT))
        weir__context_take_outputs(context, t->instance, t->set, (weir_task_id)event->subject,
                                   event->number, outputs);
}

/* What a generator gave before the run was restarted, each set as it was. */
static void take_recalled(weir__dataflow *c, weir__context *context, const weir_event *event) {
    const weir__flow_task *t = weir__dataflow_task(c, event->subject);
    const weir_value *sets = weir_member_named(event->data, "sets");
    for (size_t i = 0; weir_is(sets, WEIR_ARRAY) && i < weir_value_count(sets); i++)
        if (weir_is(weir_array_at(sets, i), WEIR_OBJECT))
            weir__context_take_outputs(context, t->instance, t->set, (weir_task_id)event->subject,
                                       0, weir_array_at(sets, i));
}

uint64_t weir__dataflow_count_done(const weir__context *context) {
    uint64_t done = 0;
    for (uint32_t i = 0; context->cells && i < context->flow->lean.count; i++)
        done += context->done[i];
    return done;
}

static void forget_tasks(weir__dataflow *c, const weir__context *of) {
    for (uint32_t task = of->last_task, before; task--; task = before) {
        before = weir__dataflow_task(c, task)->before;
        weir_pages_drop(&c->flow_tasks, task);
        weir_tasks_forget(c->tasks, task);
    }
}

static void note_gone(weir__dataflow *c, const weir__context *context) {
    if (context->ahead) return; /* its end said how much it did */
    c->gone_done += weir__dataflow_count_done(context);
    c->gone_failed += context->failures;
}

void weir__dataflow_finish_context(weir__dataflow *c, weir__context *context, weir_value *results,
                                   uint64_t time_us) {
    context->finished = true;
    context->cut_short = !results;
    context->stage = WEIR_STAGE_DONE;
    context->finished_us = time_us;
    give_back_locks(c, context);
    if (context->held) weir_map_remove(&c->names, context->name);
    if (context->parent) {
        weir__nested_finished(c, context, results);
    } else {
        if (results && !c->results_go)
            weir_member_set(c->results, context->name, weir_value_ref(results));
        c->open--;
        c->over++;
    }
    if (c->shown < WEIR__CONTEXTS_SHOWN_MAX) {
        c->shown++;
        weir__context_release(context);
        return;
    }
    note_gone(c, context);
    forget_tasks(c, context);
    *(weir__context **)weir_pages_at(&c->contexts, context->id) = NULL;
    if (c->base.recorded)
        weir_pages_drop(&c->contexts, context->id);
    else
        *weir_vector_push(&c->gone) = context->id;
    if (context->flow == c->plan->flows.items[0] && c->spare.count < WEIR__CONTEXTS_SPARE_MAX) {
        weir__context_empty(context);
        *weir_vector_push(&c->spare) = context;
    } else {
        weir__context_free(context);
    }
}

/* A new stage, or a problem in the one that it is in. */
static void stage_context(weir__context *context, const weir_event *event) {
    if (event->data && !context->problem && !context->failure)
        context->problem = weir_value_ref(event->data);
    if (event->number != context->stage) weir__context_enter(context, (weir_stage)event->number);
}

static void give_inputs(weir__context *context, const weir_event *event) {
    weir__givens givens = {0};
    weir_error error;
    if (weir__givens_parse(context->flow, weir_member_named(event->data, "inputs"), &givens,
                           &error))
        weir__context_give(context, &givens);
    weir__givens_deinit(&givens);
}

static void apply_to_context(weir__dataflow *c, weir__context *context, const weir_event *event) {
    context->event = event->id.sequence;
    context->last = event->id;
    switch (event->type) {
    case WEIR_OPERATION_FIRED: fire(context, event); break;
    case WEIR_CALL_FINISHED:
        c->steps_recorded++;
        weir__context_end_call(context, event->data);
        break;
    case WEIR_CONTEXT_AHEAD:
        weir__context_go_ahead(context);
        context->last = event->id;
        break;
    case WEIR_CONTEXT_STAGED: stage_context(context, event); break;
    case WEIR_CONTEXT_CLOSED: context->closed = true; break;
    case WEIR_INPUTS_GIVEN: give_inputs(context, event); break;
    case WEIR_TASK_FINISHED: end_task(c, context, event); break;
    case WEIR_ATTEMPT_YIELDED: take_yield(c, context, event); break;
    case WEIR_TASK_RECALLED: take_recalled(c, context, event); break;
    case WEIR_ATTEMPT_SCHEDULED:
        weir__nested_begin(c, (weir_task_id)event->subject, event->number);
        break;
    case WEIR_ATTEMPT_STARTED: weir__nested_started(c, (weir_task_id)event->subject); break;
    case WEIR_ATTEMPT_FINISHED: weir__nested_end(c, (weir_task_id)event->subject); break;
    case WEIR_ATTEMPT_STOPPING: {
        const weir_value *how = weir_member_named(event->data, "how");
        weir__nested_stop(c, (weir_task_id)event->subject,
                          weir_is(how, WEIR_INT) ? (weir_stop)weir_int_get(how) : WEIR_STOP_TERM);
        break;
    }
    default: break;
    }
    weir__dataflow_settle(c, context, event->id);
    weir__dataflow_look_at(c, context);
}

static void create(weir__dataflow *c, const weir_event *event) {
    c->created = true;
    c->created_event = event->id;
    const weir_value *max = weir_member_named(event->data, "max_contexts");
    if (weir_is(max, WEIR_INT) && weir_int_get(max) > 0 && weir_int_get(max) < c->open_max)
        c->open_max = (uint32_t)weir_int_get(max);
    const weir_value *seed = weir_member_named(event->data, "seed");
    c->owner.seed = weir_is(seed, WEIR_INT) ? (uint64_t)weir_int_get(seed) : 0;
    const weir_value *go = weir_member_named(event->data, "results_go");
    c->results_go = go && weir_value_truth(go);
}

static void cancel(weir__dataflow *c, const weir_event *event) {
    const weir_value *deadline = weir_member_named(event->data, "deadline_us");
    if (!c->cancelled && weir_is(deadline, WEIR_INT))
        c->deadline_us = (uint64_t)weir_int_get(deadline);
    c->cancelled = true;
    c->terminated |= event->number != 0;
    halt_all(c, event->number ? WEIR_STOP_KILL : WEIR_STOP_TERM);
}

static void finish_context(weir__dataflow *c, const weir_event *event) {
    weir__context *context = weir__dataflow_context(c, event->id.context);
    c->steps_recorded++;
    if (context->ahead) weir__ahead_finish(c, context, event);
    weir__dataflow_finish_context(c, context, weir_member_named(event->data, "results"),
                                  event->time_us);
}

static void apply(weir_coordinator *base, const weir_event *event) {
    weir__dataflow *c = (weir__dataflow *)base;
    c->owner.now_us = event->time_us;
    c->owner.recorded = base->recorded;
    switch (event->type) {
    case WEIR_RUN_CREATED: create(c, event); break;
    case WEIR_RUN_CANCELLED: cancel(c, event); break;
    case WEIR_RUN_FINISHED: c->finished = true; break;
    case WEIR_CONTEXT_GIVEN: weir__dataflow_take_given(c, event); break;
    case WEIR_CONTEXTS_ENDED: c->ended = true; break;
    case WEIR_CONTEXT_OPENED: open_context(c, event); break;
    case WEIR_CONTEXT_FINISHED: finish_context(c, event); break;
    case WEIR_CONTEXTS_TAKEN: weir__chunks_take(c, event); break;
    case WEIR_CONTEXTS_FINISHED: weir__chunks_finish(c, event); break;
    case WEIR_RUN_SHORTENED: weir__dataflow_take_shortened(c, event); return;
    default:
        if (event->id.context)
            apply_to_context(c, weir__dataflow_context(c, event->id.context), event);
        else if (event->type == WEIR_INPUTS_GIVEN || event->type == WEIR_CONTEXT_CLOSED)
            weir__dataflow_send_waiting(c, event);
        break;
    }
    if (!event->id.context || event->type == WEIR_CONTEXT_FINISHED) c->last = event->id;
}

/* --- does it fit -------------------------------------------------------------------------------- */

static bool fits_firing(const weir__context *context, const weir_event *event) {
    if (event->subject >= context->flow->instances.count || !weir_is(event->data, WEIR_ARRAY))
        return false;
    const weir__instance *instance = &context->flow->instances.items[event->subject];
    if (weir_value_count(event->data) != instance->parameters.count ||
        instance->stage != context->stage)
        return false;
    uint64_t all = 1, old = 1;
    for (size_t p = 0; p < instance->parameters.count; p++) {
        const weir_value *upto = weir_array_at(event->data, p);
        const weir__slot *slot = weir__slots_of(context, (uint32_t)event->subject, p);
        if (!weir_is(upto, WEIR_INT) || weir_int_get(upto) < weir__slot_joined(slot) ||
            (uint64_t)weir_int_get(upto) > weir__slot_count(slot))
            return false;
        if (!weir_int_get(upto)) continue; /* it takes its default, or nothing is joined */
        if (__builtin_mul_overflow(all, (uint64_t)weir_int_get(upto), &all)) return false;
        old *= weir__slot_joined(slot);
    }
    return weir__context_has_room(context, (uint32_t)event->subject, all - old);
}

static bool fits_opening(const weir__dataflow *c, const weir_event *event) {
    if (event->id.context != c->contexts.count) return false;
    if (event->number) return weir__nested_fits(c, event->subject, event->number - 1);
    if (weir_member_named(event->data, "chunk")) return weir__chunks_fit_opening(c, event);
    return weir__dataflow_count_waiting(c) > 0;
}

static bool fits(const weir_coordinator *base, const weir_event *event) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    uint32_t at = event->id.context;
    if (event->type == WEIR_RUN_SHORTENED) return weir__dataflow_fits_shortened(c, event);
    if (event->type == WEIR_CONTEXT_GIVEN) return at == 0 && weir__dataflow_fits_given(c, event);
    if (event->type < WEIR_CONTEXT_CLOSED || event->type == WEIR_CONTEXTS_ENDED ||
        (event->type >= WEIR_RUN_SUSPENDED && event->type <= WEIR_RUN_RESTARTED))
        return at == 0;
    if (event->type == WEIR_CONTEXTS_TAKEN || event->type == WEIR_CONTEXTS_FINISHED)
        return at == 0 && weir__chunks_fit(c, event);
    if (event->type == WEIR_CONTEXT_OPENED) return fits_opening(c, event);
    if (at == 0 && (event->type == WEIR_CONTEXT_CLOSED || event->type == WEIR_INPUTS_GIVEN))
        return weir__dataflow_fits_waiting(c, event);
    const weir__context *context = at ? weir__dataflow_context(c, at) : NULL;
    if (!context || !context->open || context->finished) return false;
    if (context->ahead) return event->type == WEIR_CONTEXT_FINISHED && event->data;
    switch (event->type) {
    case WEIR_OPERATION_FIRED: return fits_firing(context, event);
    case WEIR_CALL_FINISHED:
        return weir__context_has_calls(context) && weir_is(event->data, WEIR_OBJECT) &&
               context->calls.items[context->calls_at].instance == event->subject;
    case WEIR_CONTEXT_STAGED:
        return event->number < WEIR_STAGE_DONE &&
               event->number + (event->data != NULL) > context->stage;
    case WEIR_CONTEXT_AHEAD: return weir__ahead_fits(c, context);
    case WEIR_CONTEXT_FINISHED: return event->data && !context->open_tasks;
    case WEIR_CONTEXT_CLOSED:
    case WEIR_INPUTS_GIVEN: return context->held && !context->closed;
    default: /* a task's, of which the layer knows the rest; or a workflow's */
        return weir_event_has_task(event->type) && weir__nested_fits_event(c, event);
    }
}

/* --- what others see ------------------------------------------------------------------------ */

static bool lookup_input(void *arg, weir_str name, weir_buffer *out) {
    const weir_value *value =
        weir_member(arg, weir_str_slice(name, strlen("inputs."), name.length));
    if (!value) return false;
    weir_json_plain(value, out);
    return true;
}

static void prepare(weir_coordinator *base, weir_task_id task, weir_attempt *attempt) {
    weir__dataflow *c = (weir__dataflow *)base;
    const weir__flow_task *t = weir__dataflow_task(c, task);
    const weir__instance *instance = &t->context->flow->instances.items[t->instance];
    attempt->parameters = weir__context_parameters(t->context, t->instance, t->set);
    if (instance->spec->code && (instance->spec->code->hints & WEIR_CONTEXTUAL))
        attempt->contexts = weir__context_names(t->context);
    weir_error error;
    weir_value *said = attempt->sought ? instance->spec->memo->said : NULL;
    if (said &&
        !weir_tag_render_value(said, lookup_input, attempt->parameters, &attempt->said, &error))
        attempt->said = weir_null_new(); /* it has no key */
    /* A key that is said stands for what is in the tags of the configuration. */
    bool as_written = weir_member_named(said, "key") != NULL;
    if (!instance->renders || as_written ||
        !weir_tag_render_value(instance->config, lookup_input, attempt->parameters,
                               &attempt->config, &error))
        attempt->config = weir_value_ref(instance->config);
}

static void coordinator_free(weir_coordinator *base) {
    weir__dataflow *c = (weir__dataflow *)base;
    for (size_t i = weir_pages_next(&c->flow_tasks, 0); i < c->flow_tasks.count;
         i = weir_pages_next(&c->flow_tasks, i + 1))
        weir__nested_free(weir__dataflow_task(c, i)->nested);
    for (weir__context *next, *context = weir__dataflow_next_at_hand(c, 0); context;
         context = next) {
        next = weir__dataflow_next_at_hand(c, context->id + 1);
        weir__context_free(context);
    }
    weir__chunks_free(c);
    weir__dataflow_free_waiting(c);
    for (size_t i = 0; i < c->plan->flows.count; i++) {
        weir_free(c->seed_locks[i]);
        weir_queue_deinit(&c->places[i].waiting);
    }
    weir_free(c->seed_locks);
    for (size_t i = 0; i < c->spare.count; i++) weir__context_free(c->spare.items[i]);
    weir_vector_deinit(&c->spare);
    weir_free(c->places);
    weir_pages_deinit(&c->contexts);
    weir_vector_deinit(&c->gone);
    weir_pages_deinit(&c->flow_tasks);
    weir_vector_deinit(&c->no_locks);
    weir_vector_deinit(&c->running);
    weir_map_deinit(&c->names);
    weir_queue_deinit(&c->agenda);
    weir_queue_deinit(&c->nested_agenda);
    weir_value_unref(c->results);
    weir_value_unref(c->nothing);
    weir_value_unref(c->error);
    weir_free(c);
}

weir_coordinator *weir__dataflow_coordinator_new(const weir_plan *plan, weir_tasks *tasks) {
    static const weir_coordinator_class class = {apply,
                                                 fits,
                                                 weir__dataflow_decide,
                                                 prepare,
                                                 weir__dataflow_status,
                                                 weir__dataflow_describe,
                                                 coordinator_free,
                                                 weir__dataflow_fire_before,
                                                 weir__dataflow_locate,
                                                 weir__dataflow_undo};
    weir__dataflow *c = weir_alloc(sizeof *c);
    c->base.class = &class;
    c->plan = (const weir_dataflow_plan *)plan;
    c->owner = (weir__context_owner){.take_lock = take_lock,
                                     .forward = weir__nested_forward,
                                     .arg = c,
                                     .strict = c->plan->strict};
    c->tasks = tasks;
    c->seed_locks = weir_alloc((c->plan->flows.count + 1) * sizeof *c->seed_locks);
    c->places = weir_alloc((c->plan->flows.count + 1) * sizeof *c->places);
    c->contexts.size = sizeof(weir__context *);
    c->flow_tasks.size = sizeof(weir__flow_task);
    weir_pages_skip(&c->contexts, weir_tasks_contexts_before(tasks) + 1, &(weir__context *){NULL});
    weir_pages_skip(&c->flow_tasks, weir_tasks_count(tasks), &(weir__flow_task){0});
    c->open_max = WEIR__CONTEXTS_OPEN_MAX;
    c->results = weir_object_new();
    c->nothing = weir_object_new();
    return &c->base;
}
