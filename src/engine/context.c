/* Contexts and inputs that come while a dataflow's run goes on. */
#include "dataflow/plan.h"
#include "engine/compose.h"
#include "engine/engine_internal.h"

static bool fail_over(const weir_run *run, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT, "the run %s takes no more contexts", run->name);
}

static bool is_dataflow(const weir_run *run, weir_error *error) {
    if (strcmp(run->plan->kind, "workflow") != 0) return true;
    return weir_fail(error, WEIR_INVALID, "contexts are a dataflow's, run %s is a workflow",
                     run->name);
}

static void give(weir_run *run, weir_event_type type, uint32_t context, uint32_t number,
                 weir_value *data) {
    weir_machine_given(run->machine, weir__now_us(run->engine), type, context, number, data);
    weir__run_pump_soon(run);
}

/* What is kept has to be read again. It is the same where nothing is kept: so a run does not depend on that. */
static bool can_give(const weir_value *inputs, weir_error *error) {
    weir_error why;
    if (weir__value_fits(inputs, &why)) return true;
    return weir_fail(error, why.code,
                     "inputs are nested too deep (%d levels are allowed), larger than %d bytes "
                     "as text, or have a number that is infinite",
                     WEIR_DEPTH_MAX, WEIR_FILE_BYTES_MAX);
}

bool weir__run_takes_contexts(const weir_run *run) {
    return !run->over && strcmp(run->plan->kind, "workflow") != 0 &&
           weir_dataflow_takes_contexts(weir_machine_coordinator(run->machine));
}

bool weir_run_has_room(const weir_run *run) {
    return strcmp(run->plan->kind, "workflow") == 0 ||
           !weir_dataflow_is_full(weir_machine_coordinator(run->machine));
}

bool weir_context_open(weir_run *run, const char *name, const weir_value *inputs, bool hold,
                       weir_error *error) {
    if (!is_dataflow(run, error)) return false;
    weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    if (run->over || !weir_dataflow_takes_contexts(coordinator)) return fail_over(run, error);
    if (weir_dataflow_is_full(coordinator)) {
        weir_fail(error, WEIR_LIMIT, "too many contexts of run %s wait until others finish",
                  run->name);
        weir_error_hint(error, "drive it with weir_run_wait and try again; a context that is held "
                               "keeps its place until weir_context_close");
        return false;
    }
    if (weir_dataflow_has_context(coordinator, weir_str_from(name)))
        return weir_fail(error, WEIR_CONFLICT, "run %s has a context `%s`", run->name, name);
    if (!can_give(inputs, error)) return false;
    if (!run->recorded) {
        weir__run_pump_soon(run);
        return weir_dataflow_give(weir_machine_coordinator(run->machine), weir_str_from(name),
                                  inputs, hold, error);
    }
    if (!weir_dataflow_check_inputs(coordinator, inputs, true, error)) return false;
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "name", weir_str_from(name));
    weir_member_put(data, "inputs", weir_value_ref((weir_value *)inputs));
    give(run, WEIR_CONTEXT_GIVEN, 0, hold, data);
    return true;
}

/* `data` (taken over) for the context of the name, which may still wait: then it says the name. */
static bool give_to(weir_run *run, const char *name, weir_event_type type, weir_value *data,
                    weir_error *error) {
    uint32_t context;
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    if (run->over || !weir_dataflow_find_context(coordinator, weir_str_from(name), &context)) {
        weir_value_unref(data);
        return weir_fail(error, WEIR_NOT_FOUND, "run %s has no context `%s` that is held",
                         run->name, name);
    }
    if (!context) weir_member_put_text(data, "name", weir_str_from(name));
    give(run, type, context, 0, data);
    return true;
}

bool weir_context_send(weir_run *run, const char *name, const weir_value *inputs,
                       weir_error *error) {
    if (!is_dataflow(run, error)) return false;
    weir__run_pump(run); /* a context that was just given is to be open, if it can */
    uint32_t context;
    weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    bool known =
        !run->over && weir_dataflow_find_context(coordinator, weir_str_from(name), &context);
    if (known && (!can_give(inputs, error) ||
                  !weir_dataflow_check_inputs(coordinator, inputs, false, error)))
        return false;
    weir_value *data = weir_object_new();
    weir_member_put(data, "inputs", weir_value_ref((weir_value *)inputs));
    return give_to(run, name, WEIR_INPUTS_GIVEN, data, error);
}

bool weir_context_close(weir_run *run, const char *name, weir_error *error) {
    if (!is_dataflow(run, error)) return false;
    weir__run_pump(run);
    return give_to(run, name, WEIR_CONTEXT_CLOSED, weir_object_new(), error);
}

void weir_run_end(weir_run *run) {
    if (weir__run_takes_contexts(run)) give(run, WEIR_CONTEXTS_ENDED, 0, 0, NULL);
}
