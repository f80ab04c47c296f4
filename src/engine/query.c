/* What can be asked about a run: result, status. All derived from its journal. */
#include "base/time.h"
#include "engine/engine_internal.h"
#include "workflow/status.h"

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
    uint64_t cached = weir_tasks_found(weir_machine_tasks(run->machine));
    if (cached) weir_member_put(value, "cached", weir_int_new((int64_t)cached));
    weir_value *labels = weir_member_named(weir_machine_request(run->machine), "labels");
    if (labels) weir_member_put(value, "labels", weir_value_ref(labels));
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

static weir_value *masked(const weir_run *run, weir_value *value) {
    return run->engine->secrets.count ? weir_secrets_mask_value(&run->engine->secrets, value)
                                      : value;
}

weir_value *weir_run_result(const weir_run *run) {
    weir_value *value = head_of(run);
    weir_value *results = weir_member_named(weir_machine_finished(run->machine), "results");
    weir_member_put(value, "results", results ? weir_value_ref(results) : weir_object_new());
    weir_member_put(value, "error", error_of(run));
    if (run->plan->left_out)
        weir_member_put(value, "left_out", weir_value_ref(run->plan->left_out));
    return masked(run, value);
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

void weir__put_times(weir_value *value, uint64_t created_us, uint64_t finished_us) {
    weir_member_put(value, "created", weir_int_new((int64_t)created_us));
    if (finished_us) weir_member_put(value, "finished", weir_int_new((int64_t)finished_us));
}

void weir__put_estimate(weir_value *value, const weir_value *request) {
    weir_value *estimate = weir_member_named(request, "estimate");
    if (estimate) weir_member_put(value, "estimate", weir_value_ref(estimate));
}

/* All of it, or what `rows` lines have room for. */
static weir_value *status_of(const weir_run *run, size_t rows) {
    weir_value *value = head_of(run);
    weir__put_times(value, weir_machine_created_us(run->machine),
                    weir_machine_finished_us(run->machine));
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *status = rows && coordinator->class->glance
                             ? coordinator->class->glance(coordinator, rows)
                             : coordinator->class->status(coordinator);
    for (size_t i = 0; i < weir_value_count(status); i++)
        weir_member_set(value, weir_object_key(status, i),
                        weir_value_ref(weir_object_at(status, i)));
    weir_value_unref(status);
    weir__put_estimate(value, weir_machine_request(run->machine));
    uint64_t left_us; /* found out now and then: nothing of the run itself changes by it */
    if (weir__run_left((weir_run *)(uintptr_t)run, &left_us))
        weir_member_put(value, "left_us", weir_int_new((int64_t)left_us));
    return value;
}

weir_value *weir_run_status(const weir_run *run) {
    weir_value *status = status_of(run, 0);
    if (!weir_machine_finished(run->machine)) weir__limits_put_waiting(run, status);
    return masked(run, status);
}

static bool is_workflow(const weir_run *run) {
    return strcmp(run->plan->kind, "workflow") == 0;
}

enum { GLANCED_MAX = 10000 /* tasks, to find out which of them wait: a glance is to be quick */ };

weir_value *weir_run_glance(const weir_run *run, size_t rows) {
    static const char *const shown[] = {"metadata", "status"};
    weir_value *status = status_of(run, rows ? rows : 1);
    bool few = weir_tasks_open(weir_machine_tasks(run->machine)) <= GLANCED_MAX;
    if (few && !weir_machine_finished(run->machine)) weir__limits_put_waiting(run, status);
    if (!is_workflow(run)) return masked(run, status);
    weir_value *whole = weir_workflow_object(run->plan, weir_machine_request(run->machine), status,
                                             weir_machine_finished(run->machine), true);
    weir_value *workflow = weir_object_new();
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        weir_member_put(workflow, shown[i], weir_value_ref(weir_member_named(whole, shown[i])));
    weir_value_unref(whole);
    weir_member_put(status, "workflow", workflow);
    return masked(run, status);
}

weir_value *weir_run_workflow(const weir_run *run, const weir_value *said, bool fine) {
    if (!is_workflow(run)) return NULL;
    weir_value *status = said ? weir_value_ref((weir_value *)said) : status_of(run, 0);
    weir_value *object = weir_workflow_object(run->plan, weir_machine_request(run->machine), status,
                                              weir_machine_finished(run->machine), fine);
    weir_value_unref(status);
    return masked(run, object);
}

/* --- one run -------------------------------------------------------------------------------- */

bool weir_get(weir_engine *engine, const char *name, weir_value **out, weir_error *error) {
    weir_run *run;
    if (!weir__run_load(engine, name, NULL, NULL, &run, error)) return false;
    weir_value *status = weir_run_status(run);
    weir_member_put(status, "result", weir_run_result(run));
    weir_value *workflow = weir_run_workflow(run, status, false);
    if (workflow) weir_member_put(status, "workflow", workflow);
    weir_run_close(run);
    *out = status;
    return true;
}
