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

weir__phase weir__workflow_phase(const weir__run *run) {
    const weir__node *root = weir__node_at(run, 0);
    if (!root->end) return WEIR__PHASE_RUNNING;
    if (run->cancelled) return WEIR__PHASE_FAILED;
    return weir__is_failure(root->phase) ? root->phase : WEIR__PHASE_SUCCEEDED;
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

/* Whether what is remembered of a node is what this try of it gives: another call may ask for more of it than this one. */
static bool is_kept(const weir__run *run, const weir__node *n) {
    const weir__node *parent = n->parent == WEIR__NONE ? NULL : weir__node_at(run, n->parent);
    return parent && parent->type == WEIR__TYPE_RETRY && parent->look != WEIR_NO_TASK;
}

/* A node's outputs from its task's: {result?, exitCode?, parameters?}, all of them texts. A child run's results become
 * parameters. */
static weir_value *leaf_outputs(const weir__run *run, const weir__node *n,
                                const weir_outcome *outcome) {
    bool plugin = n->type == WEIR__TYPE_PLUGIN;
    const weir_value *result = weir_member_named(outcome->outputs, plugin ? "results" : "result");
    const weir_value *code = weir_member_named(outcome->outputs, "exit_code");
    weir_value *outputs = weir_object_new();
    bool wanted = n->step && (n->step->result_wanted || n->template->data || is_kept(run, n));
    if (result && wanted) weir_member_set(outputs, WEIR_STR("result"), weir_json_as_text(result));
    if (code) weir_member_set(outputs, WEIR_STR("exitCode"), weir_json_as_text(code));
    if (plugin && weir_is(result, WEIR_OBJECT)) {
        weir_value *parameters = weir_object_new();
        for (size_t i = 0; i < weir_value_count(result); i++)
            weir_member_set(parameters, weir_object_key(result, i),
                            weir_json_as_text(weir_object_at(result, i)));
        weir_member_put(outputs, "parameters", parameters);
    }
    if (weir_value_count(outputs)) return outputs;
    weir_value_unref(outputs);
    return NULL;
}

/* An output parameter's text: what its file has, without the last line's end, or its default; NULL: neither. */
static weir_value *file_text(const weir__parameter *p, const weir_value *files) {
    const weir_value *file = files ? weir_member(files, p->name) : NULL;
    const weir_value *found = weir_member_named(file, "text");
    if (weir_is(found, WEIR_STRING)) {
        weir_str text = weir_string_get(found);
        if (weir_str_ends(text, WEIR_STR("\n"))) text.length--;
        return weir_string_from(text);
    }
    return p->has_fallback ? weir_string_from(p->fallback) : NULL;
}

/* The text that the file says, in the scope of its inputs. */
static weir_value *fixed_text(const weir__run *run, const weir__node *n, const weir__parameter *p) {
    weir__scope scope = weir__scope_at(run, (weir__place){n->parent, n->at, n->hook});
    weir_buffer text = {0};
    weir_error ignored;
    weir__scope_enter(&scope, n->inputs);
    bool known = weir__render(&scope, p->text, &text, &ignored);
    weir_value *value = weir_string_from(known ? weir_buffer_str(&text) : p->text);
    weir_buffer_deinit(&text);
    return value;
}

/* Adds the output parameters that are read from files. One that is missing makes it an error, where it succeeded. */
static void add_files(const weir__run *run, const weir__node *n, const weir_outcome *outcome,
                      weir__verdict *v) {
    const weir_value *files = weir_member_named(outcome->outputs, "files");
    weir_value *parameters = weir_object_new();
    for (size_t i = 0; i < n->template->outputs.count; i++) {
        const weir__parameter *p = &n->template->outputs.items[i];
        weir_value *text = p->path.length ? file_text(p, files)
                           : p->is_fixed  ? fixed_text(run, n, p)
                                          : NULL;
        if (text) {
            weir_member_set(parameters, p->name, text);
        } else if (p->path.length && v->phase == WEIR__PHASE_SUCCEEDED) {
            const weir_value *file = files ? weir_member(files, p->name) : NULL;
            weir_str why = weir_member_text(weir_member_named(file, "error"), "message");
            weir__say(v, WEIR__PHASE_ERROR, "wait: Error (exit code 64): ");
            weir_buffer_printf(&v->message, "cannot save parameter %.*s: %.*s", WEIR_ARG(p->name),
                               WEIR_ARG(why.length ? why : p->path));
            if (!why.length) weir_buffer_text(&v->message, " is not there");
        }
    }
    if (weir_value_count(parameters)) {
        if (!v->outputs) v->outputs = weir_object_new();
        weir_member_put(v->outputs, "parameters", parameters);
    } else {
        weir_value_unref(parameters);
    }
}

/* `list` may be NULL, and is taken over. */
static void put_artifacts(weir__verdict *v, weir_value *list) {
    if (list && !v->outputs) v->outputs = weir_object_new();
    if (list) weir_member_put(v->outputs, "artifacts", list);
}

static const char pod_expired[] = "Pod was active on the node longer than the specified deadline";

static void judge_leaf(const weir__run *run, const weir__node *n, weir__verdict *v) {
    const weir_outcome *outcome = weir_tasks_outcome(run->tasks, n->task);
    weir_buffer_str_append(&v->message, weir_member_text(outcome->failure, "message"));
    bool daemon = n->template->spec.kind == WEIR_TASK_SERVICE;
    /* A daemon: it was there while it was needed. */
    bool drained =
        daemon && n->boundary != WEIR__NONE && weir__node_at(run, n->boundary)->end != NULL;
    if (weir__is_whole(outcome->outputs)) { /* of a call that was no pod then */
        v->outputs = weir__remembered_outputs(outcome->outputs);
        v->phase = WEIR__PHASE_SUCCEEDED;
        return;
    }
    if (!drained) v->outputs = leaf_outputs(run, n, outcome);
    v->phase = outcome->kind == WEIR_OUTCOME_ERRORED ? WEIR__PHASE_ERROR : WEIR__PHASE_FAILED;
    if (outcome->kind == WEIR_OUTCOME_CANCELLED && run->cancelled) {
        bool ran = n->type == WEIR__TYPE_POD && weir_tasks_attempt(run->tasks, n->task);
        weir__say(v, v->phase, run->cancelled == WEIR__EXPIRED && ran ? pod_expired : "");
        if (!v->message.length) weir__say_cancelled(run, &v->message);
    } else if (drained || (!daemon && outcome->kind == WEIR_OUTCOME_SUCCEEDED)) {
        weir__say(v, WEIR__PHASE_SUCCEEDED, "");
    } else if (outcome->kind == WEIR_OUTCOME_EXPIRED) {
        weir__say(v, v->phase, pod_expired);
    } else if (outcome->kind == WEIR_OUTCOME_FAILED && n->type == WEIR__TYPE_POD) {
        weir__say_exit(outcome, v);
    }
    if (n->template->member_count) v->members = weir__judge_members(n, outcome);
    if (n->type != WEIR__TYPE_POD || daemon) return;
    add_files(run, n, outcome, v);
    put_artifacts(v,
                  weir__kept_artifacts(run, n, weir_member_named(outcome->outputs, "artifacts")));
}

/* Of a step, or of an item of a loop, of a group; false once there is nothing more to say. */
static bool judge_child(const weir__run *run, const weir__node *group, uint32_t child,
                        weir__verdict *v) {
    const weir__node *n = weir__node_at(run, child);
    bool unmade = group->broken && n->type == WEIR__TYPE_SKIPPED && n->phase == WEIR__PHASE_ERROR &&
                  !weir_member_named(n->start, "deep");
    if (unmade || weir__lacks_outputs(n)) {
        weir__say(v, WEIR__PHASE_ERROR, "");
        if (!weir_member_named(n->start, "condition")) {
            weir_buffer_text(&v->message, "step group deemed errored due to child ");
            weir_buffer_str_append(&v->message, weir_member_text(n->start, "name"));
            weir_buffer_text(&v->message, " error: ");
        }
        weir_buffer_str_append(&v->message, weir_member_text(n->end, "message"));
        return false;
    }
    if (v->phase == WEIR__PHASE_SUCCEEDED && weir__is_failure(n->phase) &&
        !weir__continues(n->step, n->phase)) {
        weir__say(v, WEIR__PHASE_FAILED, "child '");
        weir__node_id(run, child, &v->message);
        weir_buffer_text(&v->message, "' failed");
    }
    return true;
}

static void say_stopped(weir__verdict *v) {
    weir__say(v, WEIR__PHASE_FAILED,
              "template has failed or errored children and failFast enabled");
}

/* Argo looks for failed pods each time before it goes on with the node, but not with an attempt of a Retry. */
static bool is_stopped_by_pod(const weir__run *run, const weir__node *n) {
    bool attempt =
        n->parent != WEIR__NONE && weir__node_at(run, n->parent)->type == WEIR__TYPE_RETRY;
    return n->template->stops_at_failure && n->failed_pods && !attempt;
}

static void judge_group(const weir__run *run, const weir__node *n, weir__verdict *v) {
    const weir__node *steps = weir__node_at(run, n->parent);
    bool stopped = is_stopped_by_pod(run, steps);
    v->phase = WEIR__PHASE_SUCCEEDED;
    if (!n->broken && (n->unstarted || stopped)) {
        say_stopped(v);
        return;
    }
    for (uint32_t i = n->template->groups[n->at]; i < n->template->groups[n->at + 1]; i++) {
        uint32_t child = steps->slots[i];
        if (child == WEIR__NONE) continue;
        const weir__node *step = weir__node_at(run, child);
        if (step->type != WEIR__TYPE_ITEMS) {
            if (!judge_child(run, n, child, v)) return;
            continue;
        }
        if (step->unstarted && !n->broken) {
            say_stopped(v);
            return;
        }
        for (uint32_t k = 0; k < step->count; k++)
            if (step->slots[k] != WEIR__NONE && !judge_child(run, n, step->slots[k], v)) return;
    }
}

/* As its last item that failed. */
static void judge_items(const weir__run *run, const weir__node *n, weir__verdict *v) {
    v->phase = WEIR__PHASE_SUCCEEDED;
    if (n->unstarted && weir__has_stopped(run, n->parent)) say_stopped(v);
    for (uint32_t i = 0; i < n->count; i++)
        if (n->slots[i] != WEIR__NONE) {
            weir__phase phase = weir__node_at(run, n->slots[i])->phase;
            if (weir__is_failure(phase)) v->phase = phase;
        }
}

static bool is_complete(weir__phase phase) {
    return phase == WEIR__PHASE_SUCCEEDED || weir__is_failure(phase);
}

static void take_behind(const weir__run *run, uint32_t node, weir__phase above, weir__phase *worst);

/* The phase of the branch that goes on behind the node: of the last nodes within it, on which what follows hangs, failures first. `above`:
 * that of the branch before it, for what was passed over. Templates stand in each other 100 deep at most. */
static weir__phase phase_behind(const weir__run *run, uint32_t node, weir__phase above) {
    const weir__node *n = weir__node_at(run, node);
    const weir__template *t = n->template;
    weir__phase own = is_complete(n->phase) ? n->phase : above, worst = own;
    if (n->type == WEIR__TYPE_RETRY) {
        uint32_t last = weir__retry_last(n);
        if (last != WEIR__NONE && weir__node_at(run, last)->hook)
            return phase_behind(run, last, own);
    } else if (n->type == WEIR__TYPE_ITEMS) {
        worst = WEIR__PHASE_SUCCEEDED;
        for (uint32_t i = 0; i < n->count; i++) take_behind(run, n->slots[i], own, &worst);
    } else if (n->type == WEIR__TYPE_DAG && n->slots) {
        worst = WEIR__PHASE_SUCCEEDED;
        for (size_t i = 0; i < t->step_count; i++)
            if (t->steps[i].target) take_behind(run, n->slots[i], own, &worst);
    } else if (n->type == WEIR__TYPE_STEPS && n->slots && n->unstarted < t->group_count) {
        size_t last = t->group_count - n->unstarted - 1;
        worst = WEIR__PHASE_SUCCEEDED;
        for (uint32_t i = t->groups[last]; i < t->groups[last + 1]; i++)
            take_behind(run, n->slots[i], own, &worst);
    }
    return worst;
}

static void take_behind(const weir__run *run, uint32_t node, weir__phase above,
                        weir__phase *worst) {
    if (node != WEIR__NONE && !weir__is_failure(*worst)) *worst = phase_behind(run, node, above);
}

/* A skipped or omitted task has the phase of what it depends on, failures first; the DAG that of its targets. */
static weir__phase dag_phase(const weir__run *run, const weir__node *n) {
    const weir__template *t = n->template;
    weir__phase *branch = weir_alloc(2 * t->step_count * sizeof *branch),
                *behind = branch + t->step_count;
    weir__phase phase = WEIR__PHASE_SUCCEEDED;
    for (size_t i = 0; i < t->order.count; i++) {
        uint32_t task = t->order.items[i];
        const weir__indexes *on = &t->steps[task].dependencies;
        branch[task] = weir__node_at(run, n->slots[task])->phase;
        behind[task] = WEIR__PHASES;
        if (is_complete(branch[task])) continue;
        branch[task] = WEIR__PHASE_SUCCEEDED;
        for (size_t k = 0; k < on->count && !weir__is_failure(branch[task]); k++) {
            uint32_t before = on->items[k];
            if (behind[before] == WEIR__PHASES)
                behind[before] = phase_behind(run, n->slots[before], branch[before]);
            branch[task] = behind[before];
        }
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

bool weir__lacks_outputs(const weir__node *n) {
    return (n->type == WEIR__TYPE_STEPS || n->type == WEIR__TYPE_DAG) &&
           n->phase == WEIR__PHASE_ERROR && weir_member_text(n->end, "message").length;
}

/* Argo's controller, which takes it for the task that could not be executed. */
static void say_without_outputs(const weir__run *run, uint32_t node, const char *why,
                                weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node), *parent = NULL;
    if (n->parent != WEIR__NONE) parent = weir__node_at(run, n->parent);
    if (parent && parent->type == WEIR__TYPE_ITEMS) parent = weir__node_at(run, parent->parent);
    weir__say(v, WEIR__PHASE_ERROR, "");
    if (parent && parent->type == WEIR__TYPE_DAG && !n->hook)
        weir_buffer_printf(&v->message,
                           "task '%.*s' errored: ", WEIR_ARG(weir_member_text(n->start, "name")));
    weir_buffer_text(&v->message, why);
}

void weir__add_outputs(const weir__run *run, uint32_t node, weir__verdict *v) {
    weir_error error;
    const weir__template *t = weir__node_at(run, node)->template;
    weir_value *parameters = NULL, *artifacts = NULL;
    if (v->phase != WEIR__PHASE_SUCCEEDED) return;
    if (t->outputs.count && !(parameters = weir__render_outputs(run, node, &error))) {
        say_without_outputs(run, node, error.message, v);
        return;
    }
    if (t->artifacts_out.count) {
        weir__scope scope = weir__scope_within(run, node);
        if (!weir__render_artifact_outputs(&scope, t, &artifacts, &error))
            say_without_outputs(run, node, error.message, v);
    }
    if (parameters) v->outputs = weir_object_new();
    if (parameters) weir_member_put(v->outputs, "parameters", parameters);
    put_artifacts(v, artifacts);
}

void weir__judge(const weir__run *run, uint32_t node, weir__verdict *v) {
    const weir__node *n = weir__node_at(run, node);
    if (n->type == WEIR__TYPE_GROUP) {
        judge_group(run, n, v);
    } else if (n->type == WEIR__TYPE_ITEMS) {
        judge_items(run, n, v);
    } else if (n->type == WEIR__TYPE_SUSPEND) {
        weir__judge_suspension(run, n, v);
    } else if (n->type == WEIR__TYPE_DAG) {
        if (n->open || is_stopped_by_pod(run, n))
            say_stopped(v);
        else
            v->phase = dag_phase(run, n);
        weir__add_outputs(run, node, v);
    } else if (weir__is_request(n)) {
        weir__judge_request(run, n, v);
    } else {
        judge_leaf(run, n, v);
    }
}
