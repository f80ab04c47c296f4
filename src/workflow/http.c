/* How a node ends whose task was an HTTP request: that of an `http` template, or of an executor plugin. */
#include "base/time.h"
#include "data/json.h"
#include "expr/expr.h"
#include "workflow/coordinator.h"

static void put_member(weir_value *to, const char *key, weir_value *value) {
    weir_member_put(to, key, value ? weir_value_ref(value) : weir_string_from(WEIR_STR("")));
}

/* As Go has headers: each name in its usual form, with a list of values. */
static weir_value *go_headers(const weir_value *headers) {
    weir_value *out = weir_object_new();
    for (size_t i = 0; weir_is(headers, WEIR_OBJECT) && i < weir_value_count(headers); i++) {
        weir_buffer name = {0};
        bool first = true;
        weir_str key = weir_object_key(headers, i);
        for (size_t k = 0; k < key.length; k++) {
            char ch = key.data[k];
            if (first && ch >= 'a' && ch <= 'z') ch = (char)(ch - 'a' + 'A');
            if (!first && ch >= 'A' && ch <= 'Z') ch = (char)(ch - 'A' + 'a');
            first = ch == '-';
            weir_buffer_byte(&name, ch);
        }
        weir_value *value = weir_object_at(headers, i), *list = weir_value_ref(value);
        if (!weir_is(value, WEIR_ARRAY)) {
            weir_value_unref(list);
            list = weir_array_new();
            weir_array_append(list, weir_value_ref(value));
        }
        weir_member_set(out, weir_buffer_str(&name), list);
        weir_buffer_deinit(&name);
    }
    return out;
}

/* {request, response}, as Argo's conditions see them. */
static weir_value *condition_env(const weir_value *config, const weir_value *outputs) {
    weir_value *env = weir_object_new(), *request = weir_object_new(),
               *response = weir_object_new();
    static const char *const members[] = {"method", "url", "body"};
    for (size_t i = 0; i < 3; i++)
        put_member(request, members[i], weir_member_named(config, members[i]));
    weir_member_put(request, "headers", go_headers(weir_member_named(config, "headers")));
    put_member(response, "statusCode", weir_member_named(outputs, "status"));
    put_member(response, "body", weir_member_named(outputs, "body"));
    weir_member_put(response, "headers", go_headers(weir_member_named(outputs, "headers")));
    weir_member_put(env, "request", request);
    weir_member_put(env, "response", response);
    return env;
}

static void judge_condition(const weir__node *n, const weir_value *outputs, weir__verdict *v) {
    weir_str text = weir_member_text(n->start, "success");
    weir_error error;
    bool good = false;
    weir_expr *program = weir_expr_compile(text, NULL, &error);
    weir_value *env = condition_env(weir_member_named(n->start, "config"), outputs);
    weir_expr_world world = {.env = env};
    if (!program || !weir_expr_test(program, &world, &good, &error)) {
        weir__say(v, WEIR__PHASE_FAILED, error.message);
    } else if (!good) {
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir_buffer_printf(&v->message, "successCondition '%.*s' evaluated false", WEIR_ARG(text));
    }
    weir_expr_free(program);
    weir_value_unref(env);
}

static int64_t status_of(const weir_value *outputs) {
    const weir_value *status = weir_member_named(outputs, "status");
    return weir_is(status, WEIR_INT) ? weir_int_get(status) : 0;
}

static void judge_answer(const weir__node *n, const weir_value *outputs, weir__verdict *v) {
    int64_t status = status_of(outputs);
    v->outputs = weir_object_new();
    weir_member_put_text(v->outputs, "result", weir_member_text(outputs, "body"));
    weir__say(v, WEIR__PHASE_SUCCEEDED, "");
    if (weir_member_text(n->start, "success").length) {
        judge_condition(n, outputs, v);
    } else if (status < 200 || status >= 300) {
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir_buffer_printf(&v->message, "received non-2xx response code: %lld", (long long)status);
    }
}

/* --- plugins -------------------------------------------------------------------------------------- */

/* {phase, message, outputs} of a plugin's answer; NULL: it has none, or did not want the template. */
static const weir_value *reply_node(const weir_value *outputs) {
    const weir_value *node = weir_member_named(weir_member_named(outputs, "json"), "node");
    return weir_is(node, WEIR_OBJECT) ? node : NULL;
}

static bool is_under_way(const weir_value *node) {
    weir_str phase = weir_member_text(node, "phase");
    return !phase.length || weir_str_is(phase, "Running") || weir_str_is(phase, "Pending");
}

/* [{name, value}] as {name: text}. */
static weir_value *texts_of(const weir_value *list) {
    weir_value *texts = weir_object_new();
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i), *value = weir_member_named(one, "value");
        weir_str name = weir_member_text(one, "name");
        if (name.length && value) weir_member_set(texts, name, weir_json_as_text(value));
    }
    return texts;
}

static void take_reply(const weir_value *node, weir__verdict *v) {
    static const char *const kept[] = {"result", "exitCode"};
    const weir_value *outputs = weir_member_named(node, "outputs");
    v->phase = weir__phase_in(node);
    if (v->phase == WEIR__PHASES || v->phase == WEIR__PHASE_RUNNING) {
        weir__say(v, WEIR__PHASE_ERROR, "the plugin gave no phase that a node ends with");
        return;
    }
    weir_buffer_str_append(&v->message, weir_member_text(node, "message"));
    weir_value *texts = texts_of(weir_member_named(outputs, "parameters"));
    v->outputs = weir_object_new();
    for (size_t i = 0; i < 2; i++) {
        weir_value *text = weir_member_named(outputs, kept[i]);
        if (weir_is(text, WEIR_STRING)) weir_member_put(v->outputs, kept[i], weir_value_ref(text));
    }
    if (weir_value_count(texts))
        weir_member_put(v->outputs, "parameters", texts);
    else
        weir_value_unref(texts);
}

static void judge_reply(const weir_value *outputs, weir__verdict *v) {
    int64_t status = status_of(outputs);
    const weir_value *node = reply_node(outputs);
    weir__say(v, WEIR__PHASE_FAILED, "");
    if (status == 404 || (status >= 200 && status < 300 && !node))
        weir_buffer_text(&v->message, "no plugin executed the template");
    else if (status < 200 || status >= 300)
        weir_buffer_printf(&v->message, "the plugin answered with status %lld: %.*s",
                           (long long)status,
                           (int)(weir_member_text(outputs, "body").length < 200
                                     ? weir_member_text(outputs, "body").length
                                     : 200),
                           weir_member_text(outputs, "body").data);
    else
        take_reply(node, v);
}

bool weir__call_again(const weir__run *run, const weir__node *n, uint64_t *due_us) {
    static const uint64_t soon_us = 1000 * 1000, late_us = UINT64_C(3600) * 1000 * 1000;
    const weir_outcome *outcome = weir_tasks_outcome(run->tasks, n->task);
    const weir_value *node = reply_node(outcome->outputs);
    if (!n->template->is_call || run->cancelled || outcome->kind != WEIR_OUTCOME_SUCCEEDED ||
        !node || !is_under_way(node))
        return false;
    uint64_t us = 0;
    weir_error ignored;
    weir_str text = weir_member_text(weir_member_named(outcome->outputs, "json"), "requeue");
    if (!text.length || !weir_duration_parse(text, &us, &ignored) || !us) us = soon_us;
    *due_us = n->finished_us + (us < late_us ? us : late_us);
    return true;
}

/* Its outputs were said beforehand, and nothing was asked. */
static void take_mock(const weir_outcome *outcome, const weir_value *mock, weir__verdict *v) {
    weir_value *parameters = weir_member_named(mock, "parameters");
    v->outputs = weir_object_new();
    weir_member_put_text(v->outputs, "result", weir_member_text(mock, "result"));
    if (weir_is(parameters, WEIR_OBJECT))
        weir_member_put(v->outputs, "parameters", weir_value_ref(parameters));
    if (outcome->kind == WEIR_OUTCOME_SUCCEEDED)
        weir__say(v, WEIR__PHASE_SUCCEEDED, "");
    else
        weir_buffer_str_append(&v->message, weir_member_text(outcome->failure, "message"));
}

void weir__judge_request(const weir__run *run, const weir__node *n, weir__verdict *v) {
    const weir_outcome *outcome = weir_tasks_outcome(run->tasks, n->task);
    const weir_value *mock = weir_member_named(weir_member_named(n->start, "config"), "mock");
    weir__say(v, WEIR__PHASE_FAILED, "");
    if (mock && outcome->kind <= WEIR_OUTCOME_FAILED)
        take_mock(outcome, mock, v);
    else if (outcome->kind == WEIR_OUTCOME_CANCELLED && run->cancelled)
        weir__say_cancelled(run, &v->message);
    else if (outcome->kind == WEIR_OUTCOME_SUCCEEDED && n->template->is_call)
        judge_reply(outcome->outputs, v);
    else if (outcome->kind == WEIR_OUTCOME_SUCCEEDED)
        judge_answer(n, outcome->outputs, v);
    else if (outcome->kind == WEIR_OUTCOME_EXPIRED)
        weir_buffer_text(&v->message, "timeout");
    else
        weir_buffer_str_append(&v->message, weir_member_text(outcome->failure, "message"));
}
