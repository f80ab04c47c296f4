#include "base/time.h"
#include "expr/condition.h"
#include "workflow/coordinator.h"

/* {phase, message?, outputs?}; the verdict is used up. */
static weir_value *verdict_value(weir__verdict *v) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "phase", weir_str_from(weir__phase_texts[v->phase]));
    if (v->message.length) weir_member_put_text(value, "message", weir_buffer_str(&v->message));
    if (v->outputs) weir_member_put(value, "outputs", v->outputs);
    if (v->members) weir_member_put(value, "containers", v->members);
    weir_buffer_deinit(&v->message);
    return value;
}

/* --- starting ------------------------------------------------------------------------------- */

static uint32_t bits_of_items(const weir__run *run, const weir__node *n) {
    uint32_t bits = n->type == WEIR__TYPE_ITEMS ? WEIR__ALL_FAILED : 0;
    for (uint32_t i = 0; n->type == WEIR__TYPE_ITEMS && i < n->count; i++) {
        weir__phase phase = weir__node_at(run, n->slots[i])->phase;
        if (phase == WEIR__PHASE_SUCCEEDED) bits |= WEIR__ANY_SUCCEEDED;
        if (phase != WEIR__PHASE_FAILED) bits &= ~(uint32_t)WEIR__ALL_FAILED;
    }
    return bits;
}

static uint32_t bits_of(const weir__run *run, const weir__node *n) {
    static const uint32_t bits[WEIR__PHASES] = {
        [WEIR__PHASE_SUCCEEDED] = WEIR__SUCCEEDED | WEIR__PASSED,
        [WEIR__PHASE_FAILED] = WEIR__FAILED,
        [WEIR__PHASE_ERROR] = WEIR__ERRORED,
        [WEIR__PHASE_SKIPPED] = WEIR__SKIPPED | WEIR__PASSED,
        [WEIR__PHASE_OMITTED] = WEIR__OMITTED};
    bool daemoned = n->phase == WEIR__PHASE_RUNNING && n->daemoned;
    return bits[n->phase] | bits_of_items(run, n) | (daemoned ? WEIR__DAEMONED | WEIR__PASSED : 0) |
           (weir__continues(n->step, n->phase) ? WEIR__PASSED : 0);
}

/* Whether what the task depends on came about; all of it is fulfilled. */
static bool depends_met(const weir__run *run, const weir__node *dag, const weir__step *step) {
    if (!step->depends_count) return true;
    weir_buffer text = {0};
    for (size_t i = 0; i < step->depends_count; i++) {
        const weir__piece *piece = &step->depends[i];
        if (piece->task == WEIR__NONE) {
            weir_buffer_str_append(&text, piece->text);
            continue;
        }
        bool met = bits_of(run, weir__node_at(run, dag->slots[piece->task])) & piece->accepts;
        weir_buffer_text(&text, met ? " true " : " false ");
    }
    bool result = false;
    weir_error error;
    if (!weir_logic_evaluate(weir_buffer_str(&text), &result, &error)) result = false;
    weir_buffer_deinit(&text);
    return result;
}

/* Fills the verdict of a step that is not to run; false when it is. */
static bool when_forbids(weir__scope *scope, const weir__step *step, weir__verdict *v) {
    if (!step->when.length) return false;
    weir_buffer text = {0};
    weir_error error;
    bool result = false;
    if (!weir__render(scope, step->when, &text, &error)) {
        weir__say(v, WEIR__PHASE_ERROR, error.message);
    } else if (!weir_condition_evaluate(weir_buffer_str(&text), &result, &error)) {
        weir__say(v, WEIR__PHASE_ERROR, "");
        weir_condition_explain(weir_buffer_str(&text), &error, &v->message);
    } else if (!result) {
        weir__say(v, WEIR__PHASE_SKIPPED, "when '");
        weir_buffer_str_append(&v->message, weir_buffer_str(&text));
        weir_buffer_text(&v->message, "' evaluated false");
    }
    weir_buffer_deinit(&text);
    return !result;
}

/* Emits the start of a node; `data` has what is particular to it. */
static void emit_start(weir__run *run, weir_decisions *decisions, weir__place place,
                       weir__type type, weir_value *data, const weir_event_id *prev,
                       size_t prev_count) {
    weir_buffer name = {0};
    weir__node_name(run, place, &name);
    weir_member_put_text(data, "name", weir_buffer_str(&name));
    weir_member_put_text(data, "type", weir_str_from(weir__type_texts[type]));
    if (place.parent != WEIR__NONE) {
        weir_member_put(data, "parent", weir_int_new(place.parent));
        weir_member_put(data, place.hook ? "hook" : "at", weir_int_new(place.at));
    }
    weir_buffer_deinit(&name);
    weir_decide(decisions, WEIR_NODE_STARTED, 0, run->nodes.count, 0, data, prev, prev_count);
}

/* The inputs of a call of the template, put into `data`; false fills the verdict. */
static bool render_inputs(weir__scope *scope, const weir__step *step, weir_value *data,
                          weir__verdict *v) {
    weir_error error;
    const weir__template *called = weir__called(scope->run->workflow, step);
    weir_value *inputs = weir__render_inputs(scope, called, &step->arguments, &error);
    if (!inputs) {
        weir__say(v, WEIR__PHASE_ERROR, error.message);
        return false;
    }
    weir_value *artifacts = NULL;
    bool good = weir__render_artifacts(scope, called, &step->artifacts, inputs, &artifacts, &error);
    if (!good) weir__say(v, WEIR__PHASE_ERROR, error.message);
    if (artifacts) weir_member_put(data, "artifacts", artifacts);
    if (weir_value_count(inputs))
        weir_member_put(data, "inputs", inputs);
    else
        weir_value_unref(inputs);
    return good;
}

/* The inputs of an attempt: those of its Retry, with what only an attempt knows. */
static bool render_again(weir__scope *scope, const weir_value *inputs, const char *member,
                         weir_value *data, weir__verdict *v) {
    weir_error error;
    if (!inputs) return true;
    weir_value *rendered = weir__render_value(scope, (weir_value *)inputs, &error);
    if (!rendered) {
        weir__say(v, WEIR__PHASE_ERROR, error.message);
        return false;
    }
    if (weir_value_equal(rendered, inputs)) /* it has its parent's */
        weir_value_unref(rendered);
    else
        weir_member_put(data, member, rendered);
    return true;
}

static bool render_leaf(weir__scope *scope, const weir__template *leaf, weir_value *data,
                        weir_error *error) {
    uint64_t timeout_us = 0;
    weir_buffer success = {0};
    weir_value *config = weir__render_config(scope, leaf, &timeout_us, error);
    if (config && (leaf->artifacts_in.count || leaf->artifacts_out.count || leaf->data))
        config = weir_value_own(config);
    bool good = config && weir__put_artifacts(scope, leaf, config, error) &&
                (!leaf->data || weir__put_data(scope, leaf->data, config, error)) &&
                (!leaf->success.length || weir__render(scope, leaf->success, &success, error));
    if (config) weir_member_put(data, "config", config);
    if (good && leaf->success.length)
        weir_member_put_text(data, "success", weir_buffer_str(&success));
    if (timeout_us) weir_member_put(data, "timeout_us", weir_int_new((int64_t)timeout_us));
    weir_buffer_deinit(&success);
    return good;
}

static bool render_suspension(weir__scope *scope, const weir__template *t, weir_value *data,
                              uint64_t now_us, weir_error *error) {
    weir_buffer text = {0};
    uint64_t us = 0, after_us = scope->run->workflow->resume_after_us;
    bool ends = t->duration.length || after_us;
    bool good = !t->duration.length || (weir__render(scope, t->duration, &text, error) &&
                                        weir_duration_parse(weir_buffer_str(&text), &us, error));
    weir_buffer_deinit(&text);
    if (after_us && (!t->duration.length || after_us < us)) us = after_us;
    if (good && ends) weir_member_put(data, "due_us", weir_int_new((int64_t)(now_us + us)));
    return good;
}

/* What the template itself needs, in the scope of its own inputs; false fills the verdict. */
static bool render_body(weir__scope *scope, const weir__template *t, weir_value *data,
                        weir__verdict *v) {
    weir_error error;
    const weir_value *artifacts = weir_member_named(data, "artifacts");
    weir__scope_enter(scope, weir_member_named(data, "inputs"));
    if (artifacts || !t->artifacts_in.count) scope->artifacts = artifacts;
    bool good = weir__is_leaf(t) ? render_leaf(scope, t, data, &error)
                : t->kind == WEIR__SUSPEND
                    ? render_suspension(scope, t, data, scope->now_us, &error)
                    : true;
    if (!good) weir__say(v, WEIR__PHASE_ERROR, error.message);
    return good;
}

weir__type weir__type_of(const weir__template *template) {
    static const weir__type types[] = {
        [WEIR__POD] = WEIR__TYPE_POD,     [WEIR__PLUGIN] = WEIR__TYPE_PLUGIN,
        [WEIR__HTTP] = WEIR__TYPE_HTTP,   [WEIR__SUSPEND] = WEIR__TYPE_SUSPEND,
        [WEIR__STEPS] = WEIR__TYPE_STEPS, [WEIR__DAG] = WEIR__TYPE_DAG};
    return types[template->kind];
}

weir__type weir__type_of_call(const weir__template *template) {
    return template->retry ? WEIR__TYPE_RETRY : weir__type_of(template);
}

static const char too_deep[] = "Maximum recursion depth exceeded. See "
                               "https://argo-workflows.readthedocs.io/en/latest/scaling/"
                               "#maximum-recursion-depth";

/* What keeps any node from starting. */
static bool is_barred(const weir__run *run, uint32_t depth, bool after_cancel, weir__verdict *v) {
    if (run->cancelled && (!after_cancel || run->cancelled == WEIR__TERMINATE)) {
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir__say_cancelled(run, &v->message);
    } else if (depth >= WEIR__TEMPLATE_DEPTH_MAX) {
        weir__say(v, WEIR__PHASE_ERROR, too_deep);
    } else if (run->nodes.count >= WEIR__NODES_MAX) {
        weir__say(v, WEIR__PHASE_ERROR, "the workflow has too many nodes");
    } else {
        return false;
    }
    return true;
}

/* A call that is to start, and what it is found to be. */
typedef struct call {
    weir__place place;
    const weir__step *step;
    weir__scope scope;
    weir_value *data;
    weir__verdict verdict;
    weir__type type;
} call;

static call call_at(weir__run *run, weir_decisions *decisions, weir__place place) {
    call c = {.place = place,
              .step = weir__step_at(run, place),
              .scope = weir__scope_at(run, place),
              .data = weir_object_new()};
    c.scope.now_us = decisions->now_us;
    return c;
}

/* The call is not made: its verdict says why. */
static void pass_over(call *c) {
    c->type = WEIR__TYPE_SKIPPED;
    weir_member_put(c->data, "verdict", verdict_value(&c->verdict));
}

static void expand(call *c) {
    weir_error error;
    uint32_t count = 0;
    weir_value *expanded = weir__loop_expand(&c->scope, c->step->loop, &error);
    c->type = WEIR__TYPE_ITEMS;
    if (!expanded && !weir__is_passed_over(&c->scope, c->step))
        weir__say(&c->verdict, WEIR__PHASE_ERROR, error.message);
    else if (!expanded || (weir__loop_count(expanded, &count) && !count))
        weir__say(&c->verdict, WEIR__PHASE_SKIPPED, "Skipped, empty params");
    for (size_t i = 0; expanded && i < weir_value_count(expanded); i++)
        weir_member_set(c->data, weir_object_key(expanded, i),
                        weir_value_ref(weir_object_at(expanded, i)));
    weir_value_unref(expanded);
    if (!count) pass_over(c);
}

/* What its template says of itself is read there. */
static weir__scope scope_within(const call *c) {
    weir__scope own = c->scope;
    weir__scope_enter(&own, weir_member_named(c->data, "inputs"));
    return own;
}

/* The locks of its template, put into the data. */
static bool render_locks(call *c, const weir__template *called) {
    weir_error error;
    weir__scope own = scope_within(c);
    if (!called->locks.count) return true;
    weir_value *locks = weir__locks_render(&own, &called->locks, &error);
    weir_buffer text = {0};
    uint64_t pending_us = 0;
    bool good = locks && (!called->pending_timeout.length ||
                          (weir__render(&own, called->pending_timeout, &text, &error) &&
                           weir_duration_parse(weir_buffer_str(&text), &pending_us, &error)));
    weir_buffer_deinit(&text);
    if (good && pending_us)
        weir_member_put(c->data, "pending_us", weir_int_new((int64_t)pending_us));
    if (good)
        weir_member_put(c->data, "locks", locks);
    else
        weir_value_unref(locks);
    if (!good) weir__say(&c->verdict, WEIR__PHASE_ERROR, error.message);
    return good;
}

/* Consumes the text. */
static void put_or_say(call *c, const char *name, weir_buffer *text, const weir_error *error) {
    if (error)
        weir__say(&c->verdict, WEIR__PHASE_ERROR, error->message);
    else
        weir_member_put_text(c->data, name, weir_buffer_str(text));
    weir_buffer_deinit(text);
}

/* The key of a template that is memoized, put into the data. */
static bool render_key(call *c, const weir__template *called) {
    weir_error error;
    weir__scope own = scope_within(c);
    weir_buffer key = {0};
    if (!called->memo_key.length) return true;
    bool good = weir__render_memo_key(&own, called, &key, &error);
    put_or_say(c, "memo_key", &key, good ? NULL : &error);
    return good;
}

/* What went wrong with a task that was to begin: as in Argo it says whose trouble it is. */
static void name_task(call *c) {
    const weir__run *run = c->scope.run;
    weir_buffer text = {0};
    uint32_t parent = c->place.parent;
    if (parent == WEIR__NONE || c->place.hook) return;
    if (weir__node_at(run, parent)->type == WEIR__TYPE_ITEMS)
        parent = weir__node_at(run, parent)->parent;
    if (weir__node_at(run, parent)->type != WEIR__TYPE_DAG) return;
    weir_buffer_text(&text, "task '");
    weir__node_name(run, c->place, &text);
    weir_buffer_text(&text, "' errored: ");
    weir_buffer_str_append(&text, weir_buffer_str(&c->verdict.message));
    weir_buffer_deinit(&c->verdict.message);
    c->verdict.message = text;
}

/* The name that its template has for it, put into the data. */
static bool render_display(call *c, const weir__template *called) {
    weir_error error;
    weir__scope own = scope_within(c);
    weir_buffer text = {0};
    if (!called->display.length) return true;
    bool good = weir__render(&own, called->display, &text, &error);
    if (good && !weir__is_display_name(weir_buffer_str(&text)))
        good = weir_fail(&error, WEIR_INVALID, "displayName must match the regex %s",
                         WEIR__DISPLAY_NAME_RULE);
    put_or_say(c, "display", &text, good ? NULL : &error);
    return good;
}

/* Decides what the call is, once it is clear that it is due. */
static void resolve(call *c, uint32_t depth, bool after_cancel) {
    const weir__run *run = c->scope.run;
    const weir__template *called = weir__called(run->workflow, c->step);
    c->type = weir__type_of_call(called);
    c->scope.late = c->type == WEIR__TYPE_RETRY;
    bool passed = !c->place.hook && when_forbids(&c->scope, c->step, &c->verdict);
    if (passed && c->verdict.phase == WEIR__PHASE_ERROR)
        weir_member_put(c->data, "condition", weir_bool_new(true));
    if (passed || is_barred(run, depth, after_cancel, &c->verdict)) {
        /* no trouble of its group, but a step that failed */
        if (!passed && depth >= WEIR__TEMPLATE_DEPTH_MAX && !run->cancelled)
            weir_member_put(c->data, "deep", weir_bool_new(true));
        pass_over(c);
    } else if (!render_inputs(&c->scope, c->step, c->data, &c->verdict) ||
               (c->type != WEIR__TYPE_RETRY &&
                !render_body(&c->scope, called, c->data, &c->verdict)) ||
               !render_display(c, called) || !render_key(c, called) || !render_locks(c, called)) {
        if (!c->scope.lost) name_task(c);
        pass_over(c);
    }
}

static void emit_call(weir__run *run, weir_decisions *decisions, const call *c,
                      const weir_event_id *prev, size_t count) {
    emit_start(run, decisions, c->place, c->type, c->data, prev, count);
    if (c->type == WEIR__TYPE_SKIPPED) weir__limit_pass(run, weir__boundary_at(run, c->place));
}

static void start_root(weir__run *run, weir_decisions *decisions) {
    weir_error error = {0};
    if (!run->cancelled && weir__lock_bars_run(run, &error)) return;
    call c = call_at(run, decisions, (weir__place){WEIR__NONE, WEIR__NONE, false});
    if (error.code) {
        weir__say(&c.verdict, WEIR__PHASE_ERROR, error.message);
        pass_over(&c);
    } else {
        resolve(&c, 1, false);
    }
    emit_call(run, decisions, &c, &run->created_by, 1);
}

static void emit_step(weir__run *run, weir_decisions *decisions, const call *c) {
    const weir__node *p = weir__node_at(run, c->place.parent);
    const weir__indexes *on = &c->step->dependencies;
    if (p->type != WEIR__TYPE_DAG || !on->count) {
        weir_event_id prev = p->started_by;
        emit_call(run, decisions, c, &prev, 1);
        return;
    }
    weir_event_id *prev = weir_alloc(on->count * sizeof *prev);
    for (size_t i = 0; i < on->count; i++)
        prev[i] = weir__node_at(run, p->slots[on->items[i]])->fulfilled_by;
    emit_call(run, decisions, c, prev, on->count);
    weir_free(prev);
}

/* Whether the step of a group or DAG, or the item of a loop, is to be decided on now. */
static bool is_due(const weir__run *run, uint32_t parent, uint32_t at) {
    const weir__node *p = weir__node_at(run, parent);
    if (p->end) return false;
    if (p->type == WEIR__TYPE_GROUP)
        return !p->broken && weir__node_at(run, p->parent)->slots[at] == WEIR__NONE;
    if (p->type == WEIR__TYPE_ITEMS) {
        const weir__node *group = weir__node_at(run, p->parent);
        return p->slots[at] == WEIR__NONE && !(group->type == WEIR__TYPE_GROUP && group->broken);
    }
    return p->slots[at] == WEIR__NONE && p->waits[at] == 0 && p->template->steps[at].wanted;
}

/* A step of a group, a task of a DAG, or an item of the loop that one of those is. */
static void start_step(weir__run *run, weir_decisions *decisions, uint32_t parent, uint32_t at) {
    if (!is_due(run, parent, at)) return;
    call c = call_at(run, decisions, (weir__place){parent, at, false});
    const weir__node *p = weir__node_at(run, parent);
    bool item = p->type == WEIR__TYPE_ITEMS;
    weir_value *value = item ? weir__loop_item(p->start, at) : NULL;
    c.scope.item = value;
    if (p->type == WEIR__TYPE_DAG && !depends_met(run, p, c.step)) {
        weir__say(&c.verdict, WEIR__PHASE_OMITTED, "omitted: depends condition not met");
        pass_over(&c);
    } else if (weir__has_stopped(run, c.scope.boundary) ||
               weir__limit_bars(run, c.scope.boundary, weir__called(run->workflow, c.step), parent,
                                at)) {
        weir_value_unref(c.data);
        weir_value_unref(value);
        return;
    } else if (c.step->loop && !item) {
        expand(&c);
    } else {
        resolve(&c, p->depth + !item, p->after_cancel);
    }
    emit_step(run, decisions, &c);
    weir_value_unref(value);
}

static void start_attempt(weir__run *run, weir_decisions *decisions, uint32_t retry) {
    const weir__node *n = weir__node_at(run, retry);
    const weir__template *t = n->template;
    call c = call_at(run, decisions, (weir__place){retry, n->count, false});
    if (weir__limit_bars(run, n->boundary, t, retry, WEIR__NONE)) {
        weir_value_unref(c.data);
        return;
    }
    c.type = weir__type_of(t);
    c.scope.inputs = n->inputs;
    c.scope.artifacts = weir__artifacts_of(run, n);
    if (is_barred(run, n->depth, n->after_cancel, &c.verdict) ||
        !render_again(&c.scope, n->inputs, "inputs", c.data, &c.verdict) ||
        !render_again(&c.scope, c.scope.artifacts, "artifacts", c.data, &c.verdict) ||
        !render_body(&c.scope, t, c.data, &c.verdict))
        pass_over(&c);
    weir_event_id prev = n->last_cause;
    emit_call(run, decisions, &c, &prev, 1);
}

static void start_hook(weir__run *run, weir_decisions *decisions, uint32_t node, uint32_t hook) {
    const weir__node *n = weir__node_at(run, node);
    call c = call_at(run, decisions, (weir__place){node, hook, true});
    resolve(&c, n->depth + 1, n->after_cancel || weir__is_exit(c.step));
    weir_event_id prev = n->last_cause;
    emit_call(run, decisions, &c, &prev, 1);
}

/* Whether what the hook waits for is so. One that cannot be asked yet is not: a step may have no status yet. */
static bool hook_holds(const weir__run *run, uint32_t node, uint32_t hook, uint64_t now_us) {
    const weir__step *step = &weir__node_at(run, node)->step->hooks[hook];
    weir__scope scope = weir__scope_at(run, (weir__place){node, hook, true});
    weir_error error;
    bool holds = false;
    scope.now_us = now_us;
    bool always = !step->when.length || (!node && weir__is_exit(step)); /* as in Argo */
    return always || (weir__expression_test(&scope, step->when, &holds, &error) && holds);
}

/* Of a node that runs: those whose moment has come. Of one that is over: those that were decided on. */
static void start_hooks(weir__run *run, weir_decisions *decisions, uint32_t node) {
    size_t count = weir__node_at(run, node)->step->hook_count;
    for (uint32_t i = 0; i < count; i++) {
        const weir__node *n = weir__node_at(run, node);
        bool early = !n->end && n->hooks[i] == WEIR__NONE && !run->cancelled &&
                     weir__hook_runs(run, node, i) == WEIR__HOOK_ANY_TIME &&
                     hook_holds(run, node, i, decisions->now_us);
        if (early || n->hooks[i] == WEIR__DUE) start_hook(run, decisions, node, i);
    }
}

/* Argo asks for the exit handler of a DAG's loop when it looks at the DAG anew: when that is over with the loop, there is none. Where a task
 * runs behind the loop that is sure; of other branches, which may still run or not, nothing depends here. */
static void start_late_hooks(weir__run *run, weir_decisions *decisions, uint32_t node) {
    size_t count = weir__node_at(run, node)->step->hook_count;
    for (uint32_t i = 0; i < count; i++) {
        const weir__node *n = weir__node_at(run, node);
        if (n->hooks[i] != WEIR__NONE || run->cancelled == WEIR__TERMINATE ||
            weir__node_at(run, n->parent)->end || weir__has_stopped(run, n->boundary))
            continue;
        if (weir__hook_runs(run, node, i) == WEIR__HOOK_LATE &&
            hook_holds(run, node, i, decisions->now_us))
            start_hook(run, decisions, node, i);
    }
}

/* --- finishing ------------------------------------------------------------------------------ */

/* Adds which of its hooks run once it has ended so; they see its end. */
static void add_hooks(weir__run *run, uint32_t node, weir_value *data, uint64_t now_us) {
    weir_value *hooks = NULL;
    weir__node *n = weir__node_at(run, node);
    if (!n->hooks || run->cancelled == WEIR__TERMINATE) return;
    n->end = data; /* as it will be */
    n->phase = weir__phase_in(data);
    bool stopped = n->boundary != WEIR__NONE &&
                   weir__node_at(run, n->boundary)->template->stops_at_failure &&
                   (weir__counts_as_failure(n) || weir__has_stopped(run, n->boundary));
    n->finished_us = now_us;
    for (uint32_t i = 0; i < n->step->hook_count && !stopped; i++) {
        weir__hook_time runs = weir__hook_runs(run, node, i);
        if (n->hooks[i] != WEIR__NONE || runs == WEIR__HOOK_LATE || runs == WEIR__HOOK_NEVER ||
            (run->cancelled && runs != WEIR__HOOK_AT_END))
            continue;
        if (!hook_holds(run, node, i, now_us)) continue;
        if (!hooks) hooks = weir_array_new();
        weir_array_append(hooks, weir_int_new(i));
    }
    n->end = NULL;
    n->phase = WEIR__PHASE_RUNNING;
    n->finished_us = 0;
    if (hooks) weir_member_put(data, "hooks", hooks);
}

static void finish(weir__run *run, weir_decisions *decisions, uint32_t node, weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node);
    weir_event_id prev =
        n->task == WEIR_NO_TASK ? n->last_cause : weir_tasks_last_event(run->tasks, n->task);
    weir_value *data = verdict_value(v);
    if (weir__end_look(run, decisions, node, data, &prev)) return;
    if (n->look != WEIR_NO_TASK) prev = weir_tasks_last_event(run->tasks, n->look);
    add_hooks(run, node, data, decisions->now_us);
    weir__metrics_of_node(run, node, data, decisions->now_us);
    weir_decide(decisions, WEIR_NODE_FINISHED, 0, node, 0, data, &prev, 1);
}

/* Whether what follows the group can name its results: where one is wanted that cannot be had, the node ends with that, as in
 * Argo, which makes them ready before it looks at the steps. */
static bool can_refer_to(const weir__run *run, const weir__node *steps, uint32_t group,
                         weir__verdict *v) {
    const weir__template *t = steps->template;
    weir_error error;
    for (uint32_t i = t->groups[group]; i < t->groups[group + 1]; i++) {
        if (!t->steps[i].result_wanted || steps->slots[i] == WEIR__NONE) continue;
        const weir__node *n = weir__node_at(run, steps->slots[i]);
        if (n->type != WEIR__TYPE_ITEMS || weir__loop_has_results(run, n, &error)) continue;
        weir__say(v, WEIR__PHASE_ERROR, error.message);
        return false;
    }
    return true;
}

/* The next group starts, or the node ends. */
static void go_on_with_steps(weir__run *run, weir_decisions *decisions, uint32_t node) {
    const weir__node *n = weir__node_at(run, node), *last = NULL;
    const weir__template *t = n->template;
    uint32_t started = (uint32_t)t->group_count - n->unstarted;
    if (started) last = weir__node_at(run, n->slots[t->step_count + started - 1]);
    if (last && !last->end) return;
    weir__verdict v = {.phase = WEIR__PHASE_SUCCEEDED};
    if (last && weir__is_failure(last->phase)) {
        weir__say(&v, WEIR__PHASE_FAILED, "");
        weir_buffer_str_append(&v.message, weir_member_text(last->end, "message"));
    } else if (last && !can_refer_to(run, n, started - 1, &v)) {
        finish(run, decisions, node, &v);
        return;
    } else if (n->unstarted) {
        weir_event_id prev = n->last_cause;
        weir_value *data = weir_object_new();
        if (!weir__group_can_begin(run, node, started, decisions->now_us, &v))
            weir_member_put(data, "verdict", verdict_value(&v));
        emit_start(run, decisions, (weir__place){node, started, false}, WEIR__TYPE_GROUP, data,
                   &prev, 1);
        return;
    }
    weir__add_outputs(run, node, &v);
    finish(run, decisions, node, &v);
}

static void go_on_with_retry(weir__run *run, weir_decisions *decisions, uint32_t node) {
    weir__verdict v = {0};
    if (weir__node_at(run, node)->open) return;
    weir__next_try next = weir__judge_retry(run, node, decisions->now_us, &v);
    if (next.what == WEIR__TRY_NOW)
        start_attempt(run, decisions, node);
    else if (next.what == WEIR__TRY_LATER)
        weir_heap_add(&run->timers, (weir_moment){next.due_us, node});
    else
        finish(run, decisions, node, &v);
}

static void finish_skipped(weir__run *run, weir_decisions *decisions, uint32_t node) {
    weir_value *reason = weir_member_named(weir__node_at(run, node)->start, "verdict");
    weir_event_id prev = weir__node_at(run, node)->last_cause;
    weir_value *data = weir_value_ref(reason);
    if (node == 0) { /* a workflow that could not begin has its exit handler all the same */
        data = weir_value_own(data);
        add_hooks(run, node, data, decisions->now_us);
    }
    weir_decide(decisions, WEIR_NODE_FINISHED, 0, node, 0, data, &prev, 1);
}

/* Of the workflow's hooks the first that failed; NULL: none did. */
static const weir__node *failed_hook(const weir__run *run) {
    const weir__node *root = weir__node_at(run, 0);
    for (size_t i = 0; root->hooks && i < root->step->hook_count; i++) {
        if (root->hooks[i] == WEIR__NONE) continue;
        const weir__node *hook = weir__node_at(run, root->hooks[i]);
        if (weir__is_exit(hook->step) && weir__is_failure(hook->phase)) return hook;
    }
    return NULL;
}

static void finish_run(weir__run *run, weir_decisions *decisions) {
    const weir__node *root = weir__node_at(run, 0), *hook = failed_hook(run), *decisive = root;
    const weir_value *outputs = weir_member_named(root->end, "outputs");
    weir_value *results = weir_member_named(outputs, "parameters");
    if (!weir__is_failure(root->phase) && hook) decisive = hook;
    bool failed = weir__is_failure(decisive->phase);
    weir__verdict v = {.phase = failed ? decisive->phase : WEIR__PHASE_SUCCEEDED};
    if (run->cancelled == WEIR__EXPIRED && !failed) {
        weir__say(&v, WEIR__PHASE_FAILED, "Step exceeded its deadline");
    } else if (run->cancelled && run->cancelled != WEIR__EXPIRED) {
        weir__say(&v, WEIR__PHASE_FAILED, "Stopped with strategy '");
        weir_buffer_printf(&v.message, "%s'", weir__cancel_text(run));
    } else if (failed) {
        bool unmade = decisive->phase == WEIR__PHASE_ERROR &&
                      (decisive->type == WEIR__TYPE_STEPS || weir__lacks_outputs(decisive));
        if (unmade) weir_buffer_text(&v.message, "error in entry template execution: ");
        weir_buffer_str_append(&v.message, weir_member_text(decisive->end, "message"));
    }
    weir_value *data = verdict_value(&v);
    weir_member_put(data, "results", results ? weir_value_ref(results) : weir_object_new());
    if (v.phase != WEIR__PHASE_SUCCEEDED && !run->cancelled && run->error)
        weir_member_put(data, "error", weir_value_ref(run->error));
    if (run->cancelled == WEIR__EXPIRED) {
        weir_value *error = weir_object_new();
        weir_member_put_text(error, "code", weir_str_from(weir_code_text(WEIR_EXPIRED)));
        weir_member_put(data, "error", error);
    }
    weir__metrics_of_run(run, data, decisions->now_us);
    weir_event_id prev = root->fulfilled_by;
    weir_decide(decisions, WEIR_RUN_FINISHED, 0, 0, 0, data, &prev, 1);
}

/* Whether all that it is made of is over. */
static bool is_over(const weir__run *run, uint32_t node, uint64_t now_us) {
    const weir__node *n = weir__node_at(run, node);
    if (n->task != WEIR_NO_TASK)
        return weir_tasks_state(run->tasks, n->task) == WEIR_STATE_FINISHED;
    if (n->type == WEIR__TYPE_SUSPEND) return weir__suspension_is_over(run, n, now_us);
    bool stopped = weir__has_stopped(run, node);
    if (n->type == WEIR__TYPE_ITEMS) {
        const weir__node *group = weir__node_at(run, n->parent);
        bool broken = group->type == WEIR__TYPE_GROUP && group->broken;
        return n->open == n->unstarted && (!n->unstarted || broken || stopped);
    }
    if (n->type == WEIR__TYPE_DAG) return !n->open || (stopped && !n->active);
    return !n->open && (!n->unstarted || n->broken || stopped);
}

/* It has its locks: it begins when one more pod may run. */
static void begin_ready(weir__run *run, weir_decisions *decisions, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    weir__verdict v = {0};
    if (run->cancelled && (!n->after_cancel || run->cancelled == WEIR__TERMINATE)) {
        weir__say(&v, WEIR__PHASE_FAILED, "");
        weir__say_cancelled(run, &v.message);
        finish(run, decisions, node, &v);
    } else if (!weir__limit_bars_locked(run, node)) {
        weir_event_id prev = n->last_cause;
        weir_decide(decisions, WEIR_NODE_AGAIN, 0, node, 0, NULL, &prev, 1);
    }
}

/* Whether a plugin is to be asked again: now, or later. */
static bool asks_again(weir__run *run, weir_decisions *decisions, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    uint64_t due_us;
    if (n->task == WEIR_NO_TASK || !weir__is_request(n) || !weir__call_again(run, n, &due_us))
        return false;
    if (decisions->now_us < due_us) {
        weir_heap_add(&run->timers, (weir_moment){due_us, node});
        return true;
    }
    weir_event_id prev = weir_tasks_last_event(run->tasks, n->task);
    weir_decide(decisions, WEIR_NODE_AGAIN, 0, node, 0, NULL, &prev, 1);
    return true;
}

static void go_on(weir__run *run, weir_decisions *decisions, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    weir__verdict v = {0};
    if (n->end) {
        if (node == 0 && !run->unfinished && !run->finished) finish_run(run, decisions);
        return;
    }
    if (n->hold == WEIR__HOLD_READY) {
        begin_ready(run, decisions, node);
    } else if (weir__node_waits(n)) {
        if (weir__lock_judge(run, node, decisions->now_us, &v)) finish(run, decisions, node, &v);
    } else if (weir__look_holds(run, n)) {
        if (weir__judge_look(run, n, &v)) finish(run, decisions, node, &v);
    } else if (n->type == WEIR__TYPE_SKIPPED || weir_member_named(n->start, "verdict")) {
        finish_skipped(run, decisions, node);
    } else if (n->type == WEIR__TYPE_STEPS) {
        go_on_with_steps(run, decisions, node);
    } else if (n->type == WEIR__TYPE_RETRY) {
        go_on_with_retry(run, decisions, node);
    } else if (is_over(run, node, decisions->now_us)) {
        if (asks_again(run, decisions, node)) return;
        weir__judge(run, node, &v);
        finish(run, decisions, node, &v);
    }
}

/* --- where to look ---------------------------------------------------------------------------- */

/* It may have been woken for a place that it did not take: it is no pod, waits for something else, or has begun since. Then the next may
 * look. */
static void pass_on(weir__run *run, uint32_t node, uint32_t child) {
    const weir__node *n = weir__node_at(run, node);
    if (child != WEIR__NONE)
        weir__limit_pass(run, weir__boundary_at(run, (weir__place){node, child, false}));
    else if (n->type == WEIR__TYPE_RETRY || weir_member_named(n->start, "locks"))
        weir__limit_pass(run, n->boundary);
}

static void look(weir__run *run, weir_decisions *decisions, uint32_t node, uint32_t child) {
    if (node == WEIR__NONE) {
        if (!run->nodes.count) start_root(run, decisions);
    } else if (child == WEIR__HOOKS) {
        start_hooks(run, decisions, node);
    } else if (child == WEIR__LATE_HOOKS) {
        start_late_hooks(run, decisions, node);
    } else {
        if (child == WEIR__NONE)
            go_on(run, decisions, node);
        else
            start_step(run, decisions, node, child);
        pass_on(run, node, child);
    }
}

bool weir__decide(weir_coordinator *coordinator, size_t limit, weir_decisions *decisions) {
    weir__run *run = (weir__run *)coordinator;
    uint64_t item;
    for (const weir_moment *first;
         (first = weir_heap_first(&run->timers)) && first->due_us <= decisions->now_us;)
        weir__touch(run, (uint32_t)weir_heap_take(&run->timers).item, WEIR__NONE);
    for (; limit && weir_queue_take(&run->todo, &item); limit--)
        look(run, decisions, (uint32_t)(item >> 32), (uint32_t)item);
    return run->todo.count > 0;
}
