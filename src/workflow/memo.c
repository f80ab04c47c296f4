/* Nodes that are memoized as a whole. Such a node has a task of its own beside whatever it does, without an executor: the task layer
 * looks for its outcome before it begins. Found, the node ends with what was kept; missed, the attempt is scheduled, the node begins, and
 * when it comes to its end the coordinator says that the attempt did, with the node's verdict as what is kept (docs/decisions/0057).
 *
 * What is kept: {verdict: {phase, message?, outputs?}, artifacts?: {NAME: {key, bucket?}}}; of a pod what its attempt gave. Either serves
 * any template of the same key, as in Argo. */
#include "data/json.h"
#include "workflow/coordinator.h"

bool weir__is_looked_for(const weir__node *n) {
    return n->template->look.memo && n->look == WEIR_NO_TASK && n->type != WEIR__TYPE_SKIPPED &&
           n->type != WEIR__TYPE_GROUP && weir_member_named(n->start, "memo_key");
}

static weir_task_state look_state(const weir__run *run, const weir__node *n) {
    return weir_tasks_state(run->tasks, n->look);
}

static bool is_under_way(const weir__run *run, const weir__node *n) {
    weir_task_state state = look_state(run, n);
    return state == WEIR_STATE_RUNNING || state == WEIR_STATE_STOPPING;
}

bool weir__look_holds(const weir__run *run, const weir__node *n) {
    return n->look != WEIR_NO_TASK && !is_under_way(run, n);
}

/* --- what is kept ------------------------------------------------------------------------------------ */

bool weir__is_whole(const weir_value *kept) {
    return weir_is(weir_member_named(kept, "verdict"), WEIR_OBJECT);
}

/* {name: text} of the files of a pod. */
static void put_files(weir_value *outputs, const weir_value *files) {
    weir_value *parameters = weir_object_new();
    for (size_t i = 0; weir_is(files, WEIR_OBJECT) && i < weir_value_count(files); i++) {
        const weir_value *text = weir_member_named(weir_object_at(files, i), "text");
        if (!weir_is(text, WEIR_STRING)) continue;
        weir_str content = weir_string_get(text);
        if (weir_str_ends(content, WEIR_STR("\n"))) content.length--;
        weir_member_set(parameters, weir_object_key(files, i), weir_string_from(content));
    }
    if (weir_value_count(parameters))
        weir_member_put(outputs, "parameters", parameters);
    else
        weir_value_unref(parameters);
}

static void put_artifacts(weir_value *outputs, const weir_value *kept) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; weir_is(kept, WEIR_OBJECT) && i < weir_value_count(kept); i++) {
        weir_str key = weir_member_text(weir_object_at(kept, i), "key");
        weir_value *artifact = weir_object_new(), *place = weir_object_new();
        weir_member_put_text(artifact, "name", weir_object_key(kept, i));
        weir_member_put_text(place, "key", key);
        weir_member_put(artifact, "s3", place);
        weir_array_append(list, artifact);
    }
    if (weir_value_count(list))
        weir_member_put(outputs, "artifacts", list);
    else
        weir_value_unref(list);
}

weir_value *weir__remembered_outputs(const weir_value *kept) {
    const weir_value *verdict = weir_member_named(kept, "verdict"),
                     *result = weir_member_named(kept, "result"),
                     *code = weir_member_named(kept, "exit_code");
    if (weir__is_whole(kept))
        return weir__fits_verdict(verdict) ? weir_value_ref(weir_member_named(verdict, "outputs"))
                                           : NULL;
    weir_value *outputs = weir_object_new();
    if (result) weir_member_set(outputs, WEIR_STR("result"), weir_json_as_text(result));
    if (code) weir_member_set(outputs, WEIR_STR("exitCode"), weir_json_as_text(code));
    put_files(outputs, weir_member_named(kept, "files"));
    put_artifacts(outputs, weir_member_named(kept, "artifacts"));
    if (weir_value_count(outputs)) return outputs;
    weir_value_unref(outputs);
    return NULL;
}

/* Where the artifacts are that the outputs refer to: only with them is what was kept of use. NULL: there are none. */
static weir_value *places_of(const weir_value *outputs) {
    const weir_value *list = weir_member_named(outputs, "artifacts");
    weir_value *places = NULL;
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        weir_value *source = weir__artifact_source(weir_array_at(list, i));
        if (source && weir_member_named(source, "key")) {
            if (!places) places = weir_object_new();
            weir_member_set(places, weir_member_text(weir_array_at(list, i), "name"),
                            weir_value_ref(source));
        }
        weir_value_unref(source);
    }
    return places;
}

/* --- how it ends ------------------------------------------------------------------------------------- */

bool weir__judge_look(const weir__run *run, const weir__node *n, weir__verdict *v) {
    if (look_state(run, n) != WEIR_STATE_FINISHED) return false;
    const weir_value *kept = weir_tasks_outcome(run->tasks, n->look)->outputs,
                     *verdict = weir_member_named(kept, "verdict");
    if (weir_tasks_was_found(run->tasks, n->look)) {
        weir__say(v, WEIR__PHASE_SUCCEEDED, "");
        v->outputs = weir__remembered_outputs(kept);
    } else if (weir__fits_verdict(verdict)) {
        weir__say(v, weir__phase_in(verdict), "");
        weir_buffer_str_append(&v->message, weir_member_text(verdict, "message"));
        v->outputs = weir_value_ref(weir_member_named(verdict, "outputs"));
    } else { /* it never began */
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir__say_cancelled(run, &v->message);
    }
    return true;
}

bool weir__end_look(weir__run *run, weir_decisions *decisions, uint32_t node, weir_value *verdict,
                    const weir_event_id *prev) {
    const weir__node *n = weir__node_at(run, node);
    if (n->look == WEIR_NO_TASK || !is_under_way(run, n)) return false;
    weir_outcome outcome = {.kind = WEIR_OUTCOME_SUCCEEDED};
    weir_str message = weir_member_text(verdict, "message");
    if (weir__phase_in(verdict) != WEIR__PHASE_SUCCEEDED)
        outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(WEIR_OPERATION_FAILED),
                                      "%.*s", WEIR_ARG(message));
    weir_value *places = places_of(weir_member_named(verdict, "outputs"));
    outcome.outputs = weir_object_new();
    weir_member_put(outcome.outputs, "verdict", verdict);
    if (places) weir_member_put(outcome.outputs, "artifacts", places);
    weir_decide(decisions, WEIR_ATTEMPT_FINISHED, 0, n->look,
                weir_tasks_attempt(run->tasks, n->look), weir_outcome_to_value(&outcome), prev, 1);
    weir_outcome_deinit(&outcome);
    return true;
}
