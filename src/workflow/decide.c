#include "expr/condition.h"
#include "workflow/coordinator.h"

/* {phase, message?, outputs?}; the verdict is used up. */
static weir_value *verdict_value(weir__verdict *v) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "phase", weir_str_from(weir__phase_texts[v->phase]));
    if (v->message.length) weir_member_put_text(value, "message", weir_buffer_str(&v->message));
    if (v->outputs) weir_member_put(value, "outputs", v->outputs);
    weir_buffer_deinit(&v->message);
    return value;
}

/* --- starting ------------------------------------------------------------------------------- */

static uint32_t bits_of(const weir__node *n) {
    static const uint32_t bits[WEIR__PHASES] = {
        [WEIR__PHASE_SUCCEEDED] = WEIR__SUCCEEDED | WEIR__PASSED,
        [WEIR__PHASE_FAILED] = WEIR__FAILED,
        [WEIR__PHASE_ERROR] = WEIR__ERRORED,
        [WEIR__PHASE_SKIPPED] = WEIR__SKIPPED | WEIR__PASSED,
        [WEIR__PHASE_OMITTED] = WEIR__OMITTED};
    bool daemoned = n->phase == WEIR__PHASE_RUNNING && n->daemoned;
    return bits[n->phase] | (daemoned ? WEIR__DAEMONED | WEIR__PASSED : 0) |
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
        bool met = bits_of(weir__node_at(run, dag->slots[piece->task])) & piece->accepts;
        weir_buffer_text(&text, met ? " true " : " false ");
    }
    bool result = false;
    weir_error error;
    if (!weir_condition_evaluate(weir_buffer_str(&text), &result, &error)) result = false;
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
        weir_buffer_printf(&v->message, "Invalid 'when' expression '%s': %s", text.data,
                           error.message);
    } else if (!result) {
        weir__say(v, WEIR__PHASE_SKIPPED, "when '");
        weir_buffer_str_append(&v->message, weir_buffer_str(&text));
        weir_buffer_text(&v->message, "' evaluated false");
    }
    weir_buffer_deinit(&text);
    return !result;
}

/* Emits the start of a node; `data` has what is particular to it. */
static void emit_start(weir__run *run, weir_decisions *decisions, uint32_t parent, uint32_t at,
                       weir__type type, weir_value *data, const weir_event_id *prev,
                       size_t prev_count) {
    weir_buffer name = {0};
    weir__node_name(run, parent, at, &name);
    weir_member_put_text(data, "name", weir_buffer_str(&name));
    weir_member_put_text(data, "type", weir_str_from(weir__type_texts[type]));
    if (parent != WEIR__NONE) {
        weir_member_put(data, "parent", weir_int_new(parent));
        weir_member_put(data, "at", weir_int_new(at));
    }
    weir_buffer_deinit(&name);
    weir_decide(decisions, WEIR_NODE_STARTED, 0, run->nodes.count, 0, data, prev, prev_count);
}

/* Renders what a call of the template needs into `data`; false fills the verdict. */
static bool render_call(weir__scope *scope, const weir__template *called,
                        const weir__parameters *arguments, weir_value *data, weir__verdict *v) {
    weir_error error;
    weir_value *inputs = weir__render_inputs(scope, called, arguments, &error);
    uint64_t timeout_us = 0;
    weir_value *config = NULL;
    weir_buffer key = {0};
    if (inputs && weir__is_leaf(called))
        config = weir__render_config(scope->run, called, inputs, &timeout_us, &error);
    bool good = inputs && (config || !weir__is_leaf(called));
    if (good && called->memo_key.length)
        good = weir__render_memo_key(scope->run, called, inputs, &key, &error);
    if (good && key.length) weir_member_put_text(data, "memo_key", weir_buffer_str(&key));
    weir_buffer_deinit(&key);
    if (!good) {
        weir_value_unref(inputs);
        weir_value_unref(config);
        weir__say(v, WEIR__PHASE_ERROR, error.message);
        return false;
    }
    if (weir_value_count(inputs))
        weir_member_put(data, "inputs", inputs);
    else
        weir_value_unref(inputs);
    if (config) weir_member_put(data, "config", config);
    if (timeout_us) weir_member_put(data, "timeout_us", weir_int_new((int64_t)timeout_us));
    return true;
}

weir__type weir__type_of(const weir__template *template) {
    static const weir__type types[] = {[WEIR__POD] = WEIR__TYPE_POD,
                                       [WEIR__PLUGIN] = WEIR__TYPE_PLUGIN,
                                       [WEIR__STEPS] = WEIR__TYPE_STEPS,
                                       [WEIR__DAG] = WEIR__TYPE_DAG};
    return types[template->kind];
}

/* What keeps any node from starting. */
static bool is_barred(const weir__run *run, uint32_t depth, weir__verdict *v) {
    if (run->cancelled) {
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir__say_cancelled(run, &v->message);
    } else if (depth > WEIR__TEMPLATE_DEPTH_MAX) {
        weir__say(v, WEIR__PHASE_ERROR, "Maximum recursion depth exceeded");
    } else if (run->nodes.count >= WEIR__NODES_MAX) {
        weir__say(v, WEIR__PHASE_ERROR, "the workflow has too many nodes");
    } else {
        return false;
    }
    return true;
}

static void start_root(weir__run *run, weir_decisions *decisions) {
    const weir__template *entry = &run->workflow->templates[run->workflow->entry];
    weir__scope scope = {run, WEIR__NONE, NULL, false};
    weir_value *data = weir_object_new();
    weir__verdict v = {0};
    bool runs =
        !is_barred(run, 1, &v) && render_call(&scope, entry, &run->workflow->parameters, data, &v);
    if (!runs) weir_member_put(data, "verdict", verdict_value(&v));
    emit_start(run, decisions, WEIR__NONE, WEIR__NONE,
               runs ? weir__type_of(entry) : WEIR__TYPE_SKIPPED, data, &run->created_by, 1);
}

static void emit_step(weir__run *run, weir_decisions *decisions, uint32_t parent, uint32_t at,
                      weir__type type, weir_value *data) {
    const weir__node *p = weir__node_at(run, parent);
    const weir__indexes *on = &p->template->steps[at].dependencies;
    if (p->type == WEIR__TYPE_GROUP || !on->count) {
        weir_event_id prev = p->started_by;
        emit_start(run, decisions, parent, at, type, data, &prev, 1);
        return;
    }
    weir_event_id *prev = weir_alloc(on->count * sizeof *prev);
    for (size_t i = 0; i < on->count; i++)
        prev[i] = weir__node_at(run, p->slots[on->items[i]])->fulfilled_by;
    emit_start(run, decisions, parent, at, type, data, prev, on->count);
    weir_free(prev);
}

/* Whether the step of a group or DAG is to be decided on now. */
static bool is_due(const weir__run *run, uint32_t parent, uint32_t at) {
    const weir__node *p = weir__node_at(run, parent);
    if (p->end) return false;
    if (p->type == WEIR__TYPE_GROUP)
        return !p->broken && weir__node_at(run, p->parent)->slots[at] == WEIR__NONE;
    return p->slots[at] == WEIR__NONE && p->waits[at] == 0 && p->template->steps[at].wanted;
}

static void start_step(weir__run *run, weir_decisions *decisions, uint32_t parent, uint32_t at) {
    if (!is_due(run, parent, at)) return;
    const weir__node *p = weir__node_at(run, parent);
    const weir__step *step = &p->template->steps[at];
    uint32_t boundary = p->type == WEIR__TYPE_GROUP ? p->parent : parent;
    const weir__template *called = &run->workflow->templates[step->template];
    weir__scope scope = {run, boundary,
                         weir_member_named(weir__node_at(run, boundary)->start, "inputs"), false};
    weir_value *data = weir_object_new();
    weir__verdict v = {0};
    bool runs = false;
    if (p->type == WEIR__TYPE_DAG && !depends_met(run, p, step))
        weir__say(&v, WEIR__PHASE_OMITTED, "omitted: depends condition not met");
    else
        runs = !when_forbids(&scope, step, &v) && !is_barred(run, p->depth + 1, &v) &&
               render_call(&scope, called, &step->arguments, data, &v);
    if (!runs) weir_member_put(data, "verdict", verdict_value(&v));
    emit_step(run, decisions, parent, at, runs ? weir__type_of(called) : WEIR__TYPE_SKIPPED, data);
}

/* --- finishing ------------------------------------------------------------------------------ */

static void finish(weir__run *run, weir_decisions *decisions, uint32_t node, weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node);
    weir_event_id prev =
        n->task == WEIR_NO_TASK ? n->last_cause : weir_tasks_last_event(run->tasks, n->task);
    weir_decide(decisions, WEIR_NODE_FINISHED, 0, node, 0, verdict_value(v), &prev, 1);
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
    } else if (n->unstarted) {
        weir_event_id prev = n->last_cause;
        emit_start(run, decisions, node, started, WEIR__TYPE_GROUP, weir_object_new(), &prev, 1);
        return;
    }
    weir__add_outputs(run, node, &v);
    finish(run, decisions, node, &v);
}

static void finish_skipped(weir__run *run, weir_decisions *decisions, uint32_t node) {
    weir_value *reason = weir_member_named(weir__node_at(run, node)->start, "verdict");
    weir_event_id prev = weir__node_at(run, node)->last_cause;
    weir_decide(decisions, WEIR_NODE_FINISHED, 0, node, 0, weir_value_ref(reason), &prev, 1);
}

static void finish_run(weir__run *run, weir_decisions *decisions) {
    const weir__node *root = weir__node_at(run, 0);
    const weir_value *outputs = weir_member_named(root->end, "outputs");
    weir_value *results = weir_member_named(outputs, "parameters");
    weir_str message = weir_member_text(root->end, "message");
    bool failed = weir__is_failure(root->phase);
    weir__verdict v = {.phase = failed ? root->phase : WEIR__PHASE_SUCCEEDED};
    if (run->cancelled == WEIR__EXPIRED) {
        weir__say(&v, WEIR__PHASE_FAILED, "Max duration limit exceeded");
    } else if (run->cancelled) {
        weir__say(&v, WEIR__PHASE_FAILED, "Stopped with strategy '");
        weir_buffer_printf(&v.message, "%s'", weir__cancel_text(run));
    } else if (failed) {
        weir_buffer_str_append(&v.message, message);
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
    weir_event_id prev = root->fulfilled_by;
    weir_decide(decisions, WEIR_RUN_FINISHED, 0, 0, 0, data, &prev, 1);
}

static bool is_over(const weir__run *run, const weir__node *n) {
    if (n->task != WEIR_NO_TASK)
        return weir_tasks_state(run->tasks, n->task) == WEIR_STATE_FINISHED;
    return !n->open && (!n->unstarted || n->broken);
}

static void go_on(weir__run *run, weir_decisions *decisions, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    weir__verdict v = {0};
    if (n->end) {
        if (node == 0 && !run->unfinished && !run->finished) finish_run(run, decisions);
        return;
    }
    if (n->type == WEIR__TYPE_SKIPPED) {
        finish_skipped(run, decisions, node);
    } else if (n->type == WEIR__TYPE_STEPS) {
        go_on_with_steps(run, decisions, node);
    } else if (is_over(run, n)) {
        weir__judge(run, node, &v);
        finish(run, decisions, node, &v);
    }
}

bool weir__decide(weir_coordinator *coordinator, size_t limit, weir_decisions *decisions) {
    weir__run *run = (weir__run *)coordinator;
    uint64_t item;
    for (; limit && weir_queue_take(&run->todo, &item); limit--) {
        uint32_t node = (uint32_t)(item >> 32), step = (uint32_t)item;
        if (node == WEIR__NONE) {
            if (!run->nodes.count) start_root(run, decisions);
        } else if (step == WEIR__NONE) {
            go_on(run, decisions, node);
        } else {
            start_step(run, decisions, node, step);
        }
    }
    return run->todo.count > 0;
}
