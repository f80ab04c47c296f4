/* Restarting a run that is made this engine's: its journal is read once more, and its machine told what stays. A run that goes
 * on is held until what it wrote is durable; what it did since is read from its machine, so that nothing that is finished is
 * missed. */
#include "data/json.h"
#include "engine/engine_internal.h"

typedef struct reading {
    weir_restart *restart;
    weir_error *error;
    bool ok;
} reading;

static bool read_batch(void *arg, uint64_t sequence, weir_str bytes) {
    reading *r = arg;
    (void)sequence;
    r->ok = !bytes.length || weir_restart_read(r->restart, bytes, r->error);
    return r->ok;
}

bool weir__run_gather(weir_run *run, const weir_value *what, weir_restart **out,
                      weir_error *error) {
    weir_restart *kept = weir_restart_new(weir_machine_first_plan(run->machine), run->id,
                                          run->values.parts, weir__run_plan, run);
    reading r = {kept, error, true};
    weir_str untaken = weir_machine_untaken(run->machine);
    bool ok =
        weir_store_read(run->engine->store, weir_str_from(run->id), 1, read_batch, &r, error) &&
        r.ok && read_batch(&r, 0, untaken) && weir_restart_choose(kept, what, error);
    if (ok)
        *out = kept;
    else
        weir_restart_free(kept);
    return ok;
}

/* Whether there is a plan with the parameters. */
static bool check_parameters(weir_run *run, const weir_value *parameters, weir_error *error) {
    if (!parameters || strcmp(run->plan->kind, "workflow") != 0) return true;
    weir_value *request = weir_object_merge(weir_machine_request(run->machine), NULL);
    weir_member_put(request, "parameters",
                    weir_object_merge(weir_member_named(request, "parameters"), parameters));
    weir_plan *plan = weir__run_compile(run, request, error);
    weir_plan_unref(plan);
    weir_value_unref(request);
    return plan != NULL;
}

static bool restart(weir_run *run, const weir_value *what, weir_error *error) {
    weir_restart *again;
    if (!check_parameters(run, weir_member_named(what, "parameters"), error) ||
        !weir__run_gather(run, what, &again, error)) {
        weir_error_context(error, "the run %s", run->name);
        return false;
    }
    weir_restart_apply(again, run->machine, weir__now_us(run->engine));
    weir__locks_release_all(run); /* of the generation that is over */
    run->over = false;
    weir_restart_free(again);
    return true;
}

/* "retry" or "retry {successful?: selector, parameters?: {name: text}}". */
static bool is_retry(weir_str line) {
    return weir_str_is(line, "retry") || weir_str_starts(line, WEIR_STR("retry "));
}

static bool parse_retry(weir_str line, weir_value **out, weir_error *error) {
    weir_str text = weir_str_slice(line, strlen("retry"), line.length);
    *out = NULL;
    return !text.length || weir_json_parse(text, WEIR_STR(""), out, error);
}

static bool parse_task(weir_str line, weir_value **out, weir_error *error) {
    weir_str text = weir_str_slice(line, strlen("restart "), line.length);
    if (!weir_json_parse(text, WEIR_STR(""), out, error)) return false;
    if (weir_member_text(*out, "task").length) return true;
    weir_value_unref(*out);
    return weir_fail(error, WEIR_INVALID, "restart which task?");
}

bool weir__control_restarts(weir_str line) {
    return is_retry(line) || weir_str_starts(line, WEIR_STR("restart "));
}

static bool fail_under_way(const weir_run *run, weir_error *error) {
    weir_fail(error, WEIR_CONFLICT, "the run %s is not over", run->name);
    weir_error_hint(error,
                    "`weir cancel %s` ends it, `weir recover %s` goes on when nobody drives it",
                    run->name, run->name);
    return false;
}

bool weir__control_restart(weir_run *run, weir_str line, weir_error *error) {
    bool retry = is_retry(line);
    weir_value *what = NULL;
    if (retry && !weir_machine_finished(run->machine)) return fail_under_way(run, error);
    if (!(retry ? parse_retry(line, &what, error) : parse_task(line, &what, error))) return false;
    bool ok = restart(run, what, error);
    weir_value_unref(what);
    return ok;
}

/* On the loop: what the run came to know while it was held is judged, so that a task that ended counts as finished. What else
 * is decided then is undone. */
static void restart_held(weir_run *run) {
    if (!run->held || !weir__run_is_durable(run)) return;
    weir_value *what = run->held;
    run->held = NULL;
    weir_error error;
    (void)weir_machine_step(run->machine, weir__now_us(run->engine));
    weir_machine_commanded(run->machine, run->held_for.command);
    bool ok = !run->over && restart(run, what, &error);
    if (run->over) weir_fail(&error, WEIR_CONFLICT, "the run %s ended just now", run->name);
    weir_value_unref(what);
    if (ok) weir__run_write(run);
    run->held_for.sequence = run->sequence;
    if (ok)
        *weir_vector_push(&run->askers) = run->held_for;
    else
        weir__control_tell(run, &run->held_for, &error);
    weir__run_pump(run);
}

void weir__control_held(weir_run *run) {
    weir__run_post(run, restart_held);
}

/* Of a run that goes on here: it is held until all that it did is durable. */
bool weir__control_hold(weir_run *run, weir_str line, weir__asker asker, weir_error *error) {
    weir_value *what;
    if (is_retry(line)) return fail_under_way(run, error);
    if (run->held)
        return weir_fail(error, WEIR_CONFLICT, "the run %s is being restarted", run->name);
    if (!parse_task(line, &what, error)) return false;
    if (weir__task_begin_again(run, what)) {
        weir_value_unref(what);
        weir__run_pump(run);
        asker.sequence = run->sequence;
        if (weir__run_is_durable(run))
            weir__control_tell(run, &asker, run->failed ? &run->error : NULL);
        else
            *weir_vector_push(&run->askers) = asker;
        return true;
    }
    weir__run_pump(run);
    run->held = what;
    run->held_for = asker;
    if (weir__run_is_durable(run)) weir__control_held(run);
    return true;
}
