/* Metrics of a node that is over, or of the run: their values are decided with its end and stand in that event, so that they are kept
 * with the run and come out the same whenever somebody asks. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "expr/condition.h"
#include "workflow/coordinator.h"
#include "workflow/status.h"

static void put_number(weir_value *object, const char *key, const char *format, double number) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, format, number);
    weir_member_put_text(object, key, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

static void put_outputs(const weir_value *outputs, weir_value *own) {
    const weir_value *parameters = weir_member_named(outputs, "parameters"),
                     *result = weir_member_named(outputs, "result"),
                     *code = weir_member_named(outputs, "exitCode");
    for (size_t i = 0; parameters && i < weir_value_count(parameters); i++) {
        weir_buffer key = {0};
        weir_buffer_printf(&key, "outputs.parameters.%.*s",
                           WEIR_ARG(weir_object_key(parameters, i)));
        weir_member_set(own, weir_buffer_str(&key), weir_value_ref(weir_object_at(parameters, i)));
        weir_buffer_deinit(&key);
    }
    if (weir_is(result, WEIR_STRING))
        weir_member_put_text(own, "outputs.result", weir_string_get(result));
    if (weir_is(code, WEIR_STRING)) weir_member_put_text(own, "exitCode", weir_string_get(code));
}

/* {tag: text} of what only metrics may ask for; `n` is as it will be once `data`, its end, is applied. */
static weir_value *own_tags(const weir__run *run, const weir__node *n, const weir_value *data,
                            uint64_t now_us) {
    weir_value *own = weir_object_new();
    double seconds = (double)(now_us - n->started_us) / 1e6;
    const weir_value *templates =
        weir_member_named(weir_member_named(run->workflow->source, "spec"), "templates");
    size_t index = (size_t)(n->template - run->workflow->templates);
    weir__requests asked = {0};
    if (n->type == WEIR__TYPE_POD && index < weir_value_count(templates))
        asked = weir__requests_of(weir_array_at(templates, index));
    weir_member_put_text(own, "status", weir_member_text(data, "phase"));
    put_number(own, "duration", "%f", seconds);
    put_number(own, "resourcesDuration.cpu", "%.0f", floor(asked.cores * floor(seconds)));
    put_number(own, "resourcesDuration.memory", "%.0f", floor(asked.memory * floor(seconds)));
    put_number(own, "retries", "%.0f",
               n->type == WEIR__TYPE_RETRY && n->count ? (double)(n->count - 1) : 0.0);
    put_outputs(weir_member_named(data, "outputs"), own);
    return own;
}

/* --- one ------------------------------------------------------------------------------------------ */

static bool is_wanted(weir__scope *scope, const weir__metric *m, bool *wanted, weir_error *error) {
    weir_buffer text = {0};
    *wanted = true;
    bool ok = !m->when.length || (weir__render(scope, m->when, &text, error) &&
                                  weir_condition_evaluate(weir_buffer_str(&text), wanted, error));
    weir_buffer_deinit(&text);
    return ok;
}

static bool read_value(weir__scope *scope, const weir__metric *m, double *out, weir_error *error) {
    weir_buffer text = {0};
    bool ok = weir__render(scope, m->value, &text, error);
    char *end = NULL;
    if (ok) *out = strtod(text.data ? text.data : "", &end);
    if (ok && (!text.length || *end || !isfinite(*out)))
        ok = weir_fail(error, WEIR_INVALID, "`%s` is no number", text.data ? text.data : "");
    if (ok && *out < 0 && m->kind[0] == 'c')
        ok = weir_fail(error, WEIR_INVALID, "a counter cannot go down by %s", text.data);
    weir_buffer_deinit(&text);
    return ok;
}

static weir_value *render_labels(weir__scope *scope, const weir__metric *m, weir_error *error) {
    weir_value *labels = weir_object_new();
    for (size_t i = 0; i < m->label_count; i++) {
        weir_buffer text = {0};
        bool ok = weir__render(scope, m->labels[i].text, &text, error);
        if (ok)
            weir_member_set(labels, m->labels[i].name, weir_string_from(weir_buffer_str(&text)));
        weir_buffer_deinit(&text);
        if (ok) continue;
        weir_value_unref(labels);
        return NULL;
    }
    return labels;
}

/* Adds it to the list, unless its condition says not to. */
static bool add_metric(weir__scope *scope, const weir__metric *m, weir_value *list,
                       weir_error *error) {
    bool wanted;
    double value = 0;
    if (!is_wanted(scope, m, &wanted, error)) return false;
    if (!wanted) return true;
    weir_value *labels =
        read_value(scope, m, &value, error) ? render_labels(scope, m, error) : NULL;
    if (!labels) return false;
    weir_value *one = weir_object_new();
    weir_member_put_text(one, "name", m->name);
    weir_member_put_text(one, "type", weir_str_from(m->kind));
    weir_member_put_text(one, "help", m->help);
    if (m->operation.length) weir_member_put_text(one, "operation", m->operation);
    weir_member_put(one, "value", weir_float_new(value));
    weir_member_put(one, "labels", labels);
    if (m->bucket_count) {
        weir_value *buckets = weir_array_new();
        for (size_t i = 0; i < m->bucket_count; i++)
            weir_array_append(buckets, weir_float_new(m->buckets[i]));
        weir_member_put(one, "buckets", buckets);
    }
    weir_array_append(list, one);
    return true;
}

/* Those that can be told now; `node`: whose, empty: the run's. */
static void add_realtime(weir__scope *scope, const weir__metrics *metrics, weir_str node,
                         weir_value *list) {
    weir_error ignored;
    for (size_t i = 0; i < metrics->count; i++) {
        size_t before = weir_value_count(list);
        if (!metrics->items[i].realtime || !add_metric(scope, &metrics->items[i], list, &ignored) ||
            weir_value_count(list) == before)
            continue;
        if (node.length) weir_member_put_text(weir_array_at(list, before), "node", node);
    }
}

static void add_all(weir__scope *scope, const weir__metrics *metrics, weir_value *data) {
    weir_value *list = weir_array_new();
    weir_error error;
    for (size_t i = 0; i < metrics->count; i++) {
        const weir__metric *m = &metrics->items[i];
        if (add_metric(scope, m, list, &error) || weir_member_named(data, "metric_error")) continue;
        weir_buffer text = {0};
        weir_buffer_printf(&text, "metric '%.*s': %s", WEIR_ARG(m->name), error.message);
        weir_member_put_text(data, "metric_error", weir_buffer_str(&text));
        weir_buffer_deinit(&text);
    }
    if (weir_value_count(list))
        weir_member_put(data, "metrics", list);
    else
        weir_value_unref(list);
}

/* --- of a node and of the run ----------------------------------------------------------------------- */

/* Of the call, not of each of its attempts. */
static bool has_metrics(const weir__run *run, const weir__node *n) {
    if (!n->step || !n->template->metrics.count || n->type == WEIR__TYPE_ITEMS ||
        n->type == WEIR__TYPE_SKIPPED)
        return false;
    return n->parent == WEIR__NONE || n->hook ||
           weir__node_at(run, n->parent)->type != WEIR__TYPE_RETRY;
}

/* The scope of a node's metrics; its `own` is the caller's. */
static weir__scope scope_of_node(const weir__run *run, const weir__node *n, const weir_value *data,
                                 uint64_t now_us) {
    weir__scope scope = weir__scope_at(run, (weir__place){n->parent, n->at, n->hook});
    weir__scope_enter(&scope, n->inputs);
    scope.own = own_tags(run, n, data, now_us);
    scope.now_us = now_us;
    return scope;
}

static weir__scope scope_of_run(const weir__run *run, const weir_value *data, uint64_t now_us) {
    weir__scope scope = weir__scope_at(run, (weir__place){WEIR__NONE, WEIR__NONE, false});
    weir_value *own = weir_object_new();
    weir_member_put_text(own, "status", weir_member_text(data, "phase"));
    weir_member_put_text(own, "workflow.status", weir_member_text(data, "phase"));
    put_number(own, "duration", "%f", (double)(now_us - run->created_us) / 1e6);
    scope.own = own;
    scope.now_us = now_us;
    return scope;
}

static void drop_own(const weir__scope *scope) {
    weir_value_unref((weir_value *)(uintptr_t)scope->own);
}

void weir__metrics_of_node(const weir__run *run, uint32_t node, weir_value *data, uint64_t now_us) {
    const weir__node *n = weir__node_at(run, node);
    if (!has_metrics(run, n)) return;
    weir__scope scope = scope_of_node(run, n, data, now_us);
    add_all(&scope, &n->template->metrics, data);
    drop_own(&scope);
}

void weir__metrics_of_run(const weir__run *run, weir_value *data, uint64_t now_us) {
    if (!run->workflow->metrics.count) return;
    weir__scope scope = scope_of_run(run, data, now_us);
    add_all(&scope, &run->workflow->metrics, data);
    drop_own(&scope);
}

static void add_running(const weir__run *run, const weir__node *n, const weir_value *data,
                        uint64_t now_us, weir_value *list) {
    weir_buffer name = {0};
    weir__scope scope = scope_of_node(run, n, data, now_us);
    weir_buffer_str_append(&name, weir_member_text(n->start, "name"));
    add_realtime(&scope, &n->template->metrics, weir_buffer_str(&name), list);
    weir_buffer_deinit(&name);
    drop_own(&scope);
}

void weir_workflow_realtime(const weir_coordinator *coordinator, uint64_t now_us,
                            weir_value *list) {
    const weir__run *run = (const weir__run *)coordinator;
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "phase", WEIR_STR("Running"));
    if (run->workflow->metrics.count) {
        weir__scope scope = scope_of_run(run, data, now_us);
        add_realtime(&scope, &run->workflow->metrics, WEIR_STR(""), list);
        drop_own(&scope);
    }
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        if (!n->end && has_metrics(run, n)) add_running(run, n, data, now_us, list);
    }
    weir_value_unref(data);
}

void weir__metrics_note_error(weir__run *run, const weir_value *data) {
    weir_value *error = weir_member_named(data, "metric_error");
    if (!weir_is(error, WEIR_STRING) || run->metric_error) return;
    run->metric_error = weir_value_ref(error);
}

void weir__metrics_status(const weir__run *run, weir_value *status) {
    if (!run->metric_error) return;
    weir_value *list = weir_array_new(), *condition = weir_object_new();
    weir_member_put_text(condition, "type", WEIR_STR("MetricsError"));
    weir_member_put_text(condition, "status", WEIR_STR("True"));
    weir_member_put(condition, "message", weir_value_ref(run->metric_error));
    weir_array_append(list, condition);
    weir_member_put(status, "conditions", list);
}
