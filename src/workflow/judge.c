#include "data/json.h"
#include "workflow/coordinator.h"

void weir__say(weir__verdict *v, weir__phase phase, const char *text) {
    v->phase = phase;
    weir_buffer_clear(&v->message);
    weir_buffer_text(&v->message, text);
}

bool weir__is_failure(weir__phase phase) {
    return phase == WEIR__PHASE_FAILED || phase == WEIR__PHASE_ERROR;
}

bool weir__continues(const weir__step *step, weir__phase phase) {
    if (!step) return false;
    return (phase == WEIR__PHASE_FAILED && step->continue_on_failed) ||
           (phase == WEIR__PHASE_ERROR && step->continue_on_error);
}

const char *weir__cancel_text(const weir__run *run) {
    return run->cancelled == WEIR__TERMINATE ? "Terminate" : "Stop";
}

void weir__say_cancelled(const weir__run *run, weir_buffer *message) {
    if (run->cancelled == WEIR__EXPIRED)
        weir_buffer_text(message, "Step exceeded its deadline");
    else
        weir_buffer_printf(message, "workflow shutdown with strategy: %s", weir__cancel_text(run));
}

static void put_text_of(weir_value *object, weir_str key, const weir_value *value) {
    weir_buffer text = {0};
    if (weir_is(value, WEIR_STRING))
        weir_buffer_str_append(&text, weir_string_get(value));
    else
        weir_json_format(value, 0, &text);
    weir_member_set(object, key, weir_string_from(weir_buffer_str(&text)));
    weir_buffer_deinit(&text);
}

/* A node's outputs from its task's: {result?, exitCode?, parameters?}, all of them texts. A child run's results become
 * parameters. */
static weir_value *leaf_outputs(const weir__node *n, const weir_outcome *outcome) {
    bool plugin = n->type == WEIR__TYPE_PLUGIN;
    const weir_value *result = weir_member_named(outcome->outputs, plugin ? "results" : "result");
    const weir_value *code = weir_member_named(outcome->outputs, "exit_code");
    weir_value *outputs = weir_object_new();
    if (result && n->step && n->step->result_wanted)
        put_text_of(outputs, WEIR_STR("result"), result);
    if (code) put_text_of(outputs, WEIR_STR("exitCode"), code);
    if (plugin && weir_is(result, WEIR_OBJECT)) {
        weir_value *parameters = weir_object_new();
        for (size_t i = 0; i < weir_value_count(result); i++)
            put_text_of(parameters, weir_object_key(result, i), weir_object_at(result, i));
        weir_member_put(outputs, "parameters", parameters);
    }
    if (weir_value_count(outputs)) return outputs;
    weir_value_unref(outputs);
    return NULL;
}

static void judge_leaf(const weir__run *run, const weir__node *n, weir__verdict *v) {
    const weir_outcome *outcome = weir_tasks_outcome(run->tasks, n->task);
    bool killed =
        weir_member_named(outcome->failure, "signal"); /* 128 + signal, as a shell has it */
    const weir_value *code =
        weir_member_named(killed ? outcome->outputs : outcome->failure, "exit_code");
    weir_buffer_str_append(&v->message, weir_member_text(outcome->failure, "message"));
    if (!n->daemoned) v->outputs = leaf_outputs(n, outcome);
    v->phase = outcome->kind == WEIR_OUTCOME_ERRORED ? WEIR__PHASE_ERROR : WEIR__PHASE_FAILED;
    if (outcome->kind == WEIR_OUTCOME_CANCELLED && run->cancelled) {
        weir__say(v, v->phase, "");
        weir__say_cancelled(run, &v->message);
    } else if (n->daemoned ? weir__node_at(run, n->boundary)->end != NULL
                           : outcome->kind == WEIR_OUTCOME_SUCCEEDED) {
        weir__say(v, WEIR__PHASE_SUCCEEDED, ""); /* a daemon: it was there while it was needed */
    } else if (outcome->kind == WEIR_OUTCOME_EXPIRED) {
        weir__say(v, v->phase, "Pod was active on the node longer than the specified deadline");
    } else if (outcome->kind == WEIR_OUTCOME_FAILED && n->type == WEIR__TYPE_POD &&
               weir_is(code, WEIR_INT)) {
        weir__say(v, v->phase, "");
        weir_buffer_printf(&v->message, "main: Error (exit code %lld)",
                           (long long)weir_int_get(code));
    }
}

static void judge_group(const weir__run *run, const weir__node *n, weir__verdict *v) {
    const weir__node *steps = weir__node_at(run, n->parent);
    v->phase = WEIR__PHASE_SUCCEEDED;
    for (uint32_t i = n->template->groups[n->at]; i < n->template->groups[n->at + 1]; i++) {
        uint32_t child = steps->slots[i];
        if (child == WEIR__NONE) continue;
        const weir__node *step = weir__node_at(run, child);
        if (n->broken && step->type == WEIR__TYPE_SKIPPED && step->phase == WEIR__PHASE_ERROR) {
            weir__say(v, WEIR__PHASE_ERROR, "step group deemed errored due to child ");
            weir_buffer_str_append(&v->message, weir_member_text(step->start, "name"));
            weir_buffer_text(&v->message, " error: ");
            weir_buffer_str_append(&v->message, weir_member_text(step->end, "message"));
            return;
        }
        if (v->phase == WEIR__PHASE_SUCCEEDED && weir__is_failure(step->phase) &&
            !weir__continues(step->step, step->phase)) {
            weir__say(v, WEIR__PHASE_FAILED, "child '");
            weir__node_id(run, child, &v->message);
            weir_buffer_text(&v->message, "' failed");
        }
    }
}

/* A skipped or omitted task has the phase of what it depends on, failures first; the DAG that of its targets. */
static weir__phase dag_phase(const weir__run *run, const weir__node *n) {
    const weir__template *t = n->template;
    weir__phase *branch = weir_alloc(t->step_count * sizeof *branch);
    weir__phase phase = WEIR__PHASE_SUCCEEDED;
    for (size_t i = 0; i < t->order.count; i++) {
        uint32_t task = t->order.items[i];
        const weir__indexes *on = &t->steps[task].dependencies;
        branch[task] = weir__node_at(run, n->slots[task])->phase;
        if (branch[task] == WEIR__PHASE_SUCCEEDED || weir__is_failure(branch[task])) continue;
        branch[task] = WEIR__PHASE_SUCCEEDED;
        for (size_t k = 0; k < on->count && !weir__is_failure(branch[task]); k++)
            branch[task] = branch[on->items[k]];
    }
    for (size_t i = 0; i < t->step_count; i++) {
        const weir__step *step = &t->steps[i];
        if (!step->target || !weir__is_failure(branch[i]) || weir__continues(step, branch[i]))
            continue;
        phase = branch[i];
        if (t->fail_fast) break;
    }
    weir_free(branch);
    return phase;
}

void weir__add_outputs(const weir__run *run, uint32_t node, weir__verdict *v) {
    weir_error error;
    if (v->phase != WEIR__PHASE_SUCCEEDED || !weir__node_at(run, node)->template->outputs.count)
        return;
    weir_value *parameters = weir__render_outputs(run, node, &error);
    if (!parameters) {
        weir__say(v, WEIR__PHASE_ERROR, error.message);
        return;
    }
    v->outputs = weir_object_new();
    weir_member_put(v->outputs, "parameters", parameters);
}

void weir__judge(const weir__run *run, uint32_t node, weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node);
    if (n->type == WEIR__TYPE_GROUP) {
        judge_group(run, n, v);
    } else if (n->type == WEIR__TYPE_DAG) {
        v->phase = dag_phase(run, n);
        weir__add_outputs(run, node, v);
    } else {
        judge_leaf(run, n, v);
    }
}
