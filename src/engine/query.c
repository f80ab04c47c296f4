/* What can be asked about runs: result, status, list, events, logs. All derived from journals and records. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "engine/engine_internal.h"

static weir_value *text(const char *data) {
    return weir_string_from(weir_str_from(data));
}

static weir_str phase_of(const weir_run *run) {
    return run->failed ? WEIR_STR("Error") : weir__run_phase(run);
}

static weir_value *head_of(const weir_run *run) {
    weir_value *value = weir_object_new();
    weir_member_put(value, "run", text(run->id));
    weir_member_put(value, "name", text(run->name));
    weir_member_put(value, "kind", text(run->plan->kind));
    weir_member_put_text(value, "phase", phase_of(run));
    weir_str message = weir_member_text(weir_machine_finished(run->machine), "message");
    if (message.length) weir_member_put_text(value, "message", message);
    return value;
}

static weir_value *store_error(const weir_run *run) {
    char line[1024];
    weir_value *error = weir_object_new();
    weir_member_put(error, "code", text(weir_code_text(run->error.code)));
    weir_member_put(error, "what", text(weir_error_format(&run->error, line, sizeof line)));
    return error;
}

/* What, when, where and how: from the coordinator's error, or from the run's message. */
static weir_value *error_of(const weir_run *run) {
    if (run->failed) return store_error(run);
    const weir_value *finished = weir_machine_finished(run->machine);
    if (!finished || weir_str_is(phase_of(run), "Succeeded")) return weir_null_new();
    char when[32];
    const weir_value *given = weir_member_named(finished, "error");
    weir_value *error = weir_object_new();
    for (size_t i = 0; weir_is(given, WEIR_OBJECT) && i < weir_value_count(given); i++)
        weir_member_set(error, weir_object_key(given, i), weir_value_ref(weir_object_at(given, i)));
    weir_str message = weir_member_text(finished, "message");
    if (!weir_member_named(error, "code"))
        weir_member_put(error, "code", text(weir_code_text(weir_run_code(run))));
    if (!weir_member_text(error, "what").length)
        weir_member_put_text(error, "what", message.length ? message : WEIR_STR("the run failed"));
    weir_member_put(error, "when",
                    text(weir_moment_format(weir_machine_finished_us(run->machine), when)));
    if (!weir_member_named(error, "where")) {
        weir_value *where = weir_object_new();
        weir_member_put(where, "run", text(run->name));
        weir_member_put(error, "where", where);
    }
    return error;
}

weir_value *weir_run_result(const weir_run *run) {
    weir_value *value = head_of(run);
    weir_value *results = weir_member_named(weir_machine_finished(run->machine), "results");
    weir_member_put(value, "results", results ? weir_value_ref(results) : weir_object_new());
    weir_member_put(value, "error", error_of(run));
    return run->engine->secrets.count ? weir_secrets_mask_value(&run->engine->secrets, value)
                                      : value;
}

weir_code weir_run_code(const weir_run *run) {
    if (run->failed) return run->error.code;
    const weir_value *finished = weir_machine_finished(run->machine);
    if (!finished || weir_str_is(weir_member_text(finished, "phase"), "Succeeded")) return WEIR_OK;
    weir_str code = weir_member_text(weir_member_named(finished, "error"), "code");
    for (weir_code c = WEIR_OK; c < WEIR_CODE_COUNT; c++)
        if (weir_str_is(code, weir_code_text(c)) && weir_code_exit(c) == 1) return c;
    return weir_machine_is_cancelled(run->machine) ? WEIR_CANCELLED : WEIR_OPERATION_FAILED;
}

static void put_times(weir_value *value, uint64_t created_us, uint64_t finished_us) {
    weir_member_put(value, "created", weir_int_new((int64_t)created_us));
    if (finished_us) weir_member_put(value, "finished", weir_int_new((int64_t)finished_us));
}

weir_value *weir_run_status(const weir_run *run) {
    weir_value *value = head_of(run);
    put_times(value, weir_machine_created_us(run->machine), weir_machine_finished_us(run->machine));
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *status = coordinator->class->status(coordinator);
    for (size_t i = 0; i < weir_value_count(status); i++)
        weir_member_set(value, weir_object_key(status, i),
                        weir_value_ref(weir_object_at(status, i)));
    weir_value_unref(status);
    return run->engine->secrets.count ? weir_secrets_mask_value(&run->engine->secrets, value)
                                      : value;
}

/* --- list ----------------------------------------------------------------------------------- */

static bool add_record(void *arg, const weir_run_record *record) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "run", record->id);
    weir_member_put_text(value, "name", record->name);
    weir_member_put_text(value, "kind", record->kind);
    weir_member_put_text(value, "phase", record->phase);
    weir_member_put_text(value, "file", record->file);
    weir_member_put_text(value, "owner", record->owner);
    if (record->parent.length) weir_member_put_text(value, "parent", record->parent);
    put_times(value, record->created_us, record->finished_us);
    weir_array_append(arg, value);
    return true;
}

bool weir_list(weir_engine *engine, uint32_t limit, weir_value **out, weir_error *error) {
    weir_value *list = weir_array_new();
    if (!weir_store_list(engine->store, limit, add_record, list, error)) {
        weir_value_unref(list);
        return false;
    }
    *out = list;
    return true;
}

/* --- one run -------------------------------------------------------------------------------- */

bool weir_get(weir_engine *engine, const char *name, weir_value **out, weir_error *error) {
    weir_run *run;
    if (!weir__run_load(engine, name, NULL, NULL, &run, error)) return false;
    weir_value *status = weir_run_status(run);
    weir_member_put(status, "result", weir_run_result(run));
    weir_run_close(run);
    *out = status;
    return true;
}

typedef struct visiting {
    bool (*visit)(void *arg, const weir_value *event);
    void *arg;
    bool stopped;
} visiting;

static void visit_value(void *arg, weir_value *value) {
    visiting *v = arg;
    if (!v->stopped) v->stopped = !v->visit(v->arg, value);
}

static void visit_event(void *arg, weir_run *run, const weir_event *event) {
    visiting *v = arg;
    if (!v->stopped) weir__event_show(run, event, visit_value, v);
}

bool weir_events(weir_engine *engine, const char *name,
                 bool (*visit)(void *arg, const weir_value *event), void *arg, weir_error *error) {
    weir_run *run;
    visiting v = {visit, arg, false};
    if (!weir__run_load(engine, name, visit_event, &v, &run, error)) return false;
    weir_run_close(run);
    return true;
}

static bool is_node(const weir_value *node, const char *wanted) {
    static const char *const names[] = {"id", "name", "displayName"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir_str_is(weir_member_text(node, names[i]), wanted)) return true;
    return false;
}

/* A workflow's node is one task; a dataflow's operation is all its tasks in its context. */
static bool task_is_of(const weir_tasks *tasks, weir_task_id task, const weir_value *node) {
    if (!weir_tasks_spec(tasks, task)) return false; /* of before the run was restarted */
    const weir_value *number = weir_member_named(node, "task");
    if (weir_is(number, WEIR_INT)) return weir_int_get(number) == task;
    if (!weir_str_is(weir_member_text(node, "type"), "Operation")) return false;
    weir_str id = weir_member_text(node, "id");
    return weir_tasks_context(tasks, task) == strtoul(id.data, NULL, 10) &&
           weir_str_equal(weir_tasks_spec(tasks, task)->name, weir_member_text(node, "name"));
}

static void visit_logs(const weir_run *run, const weir_value *node,
                       void (*visit)(void *arg, const weir_value *node, weir_str log), void *arg) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    weir_buffer log = {0};
    bool any = false;
    for (weir_task_id task = 0; task < weir_tasks_count(tasks); task++)
        if (task_is_of(tasks, task, node))
            any |= weir_log_read(run->engine->logs.directory, weir_str_from(run->id),
                                 weir_tasks_origin(tasks, task), &log);
    if (any) visit(arg, node, weir_buffer_str(&log));
    weir_buffer_deinit(&log);
}

bool weir_read_logs(weir_engine *engine, const char *name, const char *node,
                    void (*visit)(void *arg, const weir_value *node, weir_str log), void *arg,
                    weir_error *error) {
    weir_run *run;
    if (!weir__run_load(engine, name, NULL, NULL, &run, error)) return false;
    weir_value *status = weir_run_status(run);
    const weir_value *nodes = weir_member_named(status, "nodes");
    bool found = !node;
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *candidate = weir_array_at(nodes, i);
        if (node && !is_node(candidate, node)) continue;
        found = true;
        if (engine->logs.directory) visit_logs(run, candidate, visit, arg);
    }
    if (!found) {
        weir_fail(error, WEIR_NOT_FOUND, "run %s has no node `%s`", run->name, node);
        weir_error_hint(error, "`weir get %s` shows its nodes", run->name);
    }
    weir_value_unref(status);
    weir_run_close(run);
    return found;
}
