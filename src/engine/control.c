/* What is asked of runs: cancel, suspend, resume, retry, restart. A command is a line, VERB, "restart {task, context?}" or "node-set {…}". It goes to who drives
 * the run: over the socket beside its lock, or, where that is on another machine, through the store. When nobody drives it,
 * whoever asks takes it over, writes the fact, and does what follows from it. A command is answered when it is durable. */
#include <stdio.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "workflow/suspend.h"

enum { ANSWER_US = 5 * 1000 * 1000 };

#define NODE_SET WEIR_STR("node-set ")
#define TASK_CANCEL WEIR_STR("task-cancel ")

/* --- answers: "ok", or a code, a message and a hint, with tabs between ----------------------- */

static void format_answer(const weir_error *error, weir_buffer *out) {
    if (!error) {
        weir_buffer_text(out, "ok");
        return;
    }
    weir_buffer_printf(out, "%s\t%s\t%s", weir_code_text(error->code), error->message, error->hint);
    for (size_t i = 0; i < out->length; i++)
        if (out->data[i] == '\n') out->data[i] = ' ';
}

static bool parse_answer(weir_str text, weir_error *error) {
    if (weir_str_is(text, "ok")) return true;
    size_t first = weir_str_find(text, WEIR_STR("\t"), 0);
    size_t second = first == SIZE_MAX ? SIZE_MAX : weir_str_find(text, WEIR_STR("\t"), first + 1);
    if (second == SIZE_MAX)
        return weir_fail(error, WEIR_UNSUPPORTED,
                         "the process that drives the run is of another version: it says `%.*s`",
                         WEIR_ARG(text));
    weir_code code = WEIR_INTERNAL;
    for (weir_code c = WEIR_USAGE; c < WEIR_CODE_COUNT; c++)
        if (weir_str_is(weir_str_slice(text, 0, first), weir_code_text(c))) code = c;
    weir_fail(error, code, "%.*s", WEIR_ARG(weir_str_slice(text, first + 1, second)));
    weir_error_hint(error, "%.*s", WEIR_ARG(weir_str_slice(text, second + 1, text.length)));
    return false;
}

/* --- what a command does to a run that is driven here ----------------------------------------- */

static bool fail_over(const weir_run *run, const char *verb, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT, "the run %s cannot be %s: it is over (%.*s)", run->name,
                     verb, WEIR_ARG(weir__run_phase(run)));
}

static bool suspend(weir_run *run, bool suspended, weir_error *error) {
    if (weir_machine_finished(run->machine))
        return fail_over(run, suspended ? "suspended" : "resumed", error);
    if (suspended && weir_machine_is_cancelled(run->machine))
        return weir_fail(error, WEIR_CONFLICT,
                         "the run %s cannot be suspended: it is being cancelled", run->name);
    weir_machine_suspended(run->machine, weir__now_us(run->engine), suspended);
    weir__children_suspend(run, suspended);
    weir__slots_fill(run);
    return true;
}

/* "node-set {…}", as weir_workflow_set_nodes has it. */
static bool set_nodes(weir_run *run, weir_str what, weir_error *error) {
    weir_value *asked = NULL, *data = NULL;
    if (weir_machine_finished(run->machine)) return fail_over(run, "changed", error);
    if (strcmp(run->plan->kind, "workflow") != 0)
        return weir_fail(error, WEIR_INVALID, "the run %s has no suspended nodes: it is a %s",
                         run->name, run->plan->kind);
    if (!weir_json_parse(what, WEIR_STR("command"), &asked, error)) return false;
    data = weir_workflow_set_nodes(weir_machine_coordinator(run->machine), asked, error);
    if (data) weir_machine_set_nodes(run->machine, weir__now_us(run->engine), data);
    weir_value_unref(asked);
    return data != NULL;
}

/* The run goes on, and, of a workflow, so do its suspended nodes. */
static bool resume(weir_run *run, weir_error *error) {
    weir_error none;
    if (!suspend(run, false, error)) return false;
    if (strcmp(run->plan->kind, "workflow") == 0)
        (void)!set_nodes(run, WEIR_STR("{\"resume\": true}"), &none);
    return true;
}

static bool stops(weir_str line) {
    return weir_str_is(line, "cancel") || weir_str_is(line, "terminate");
}

/* The facts only. `command`: its number in the store, or 0. */
static bool apply(weir_run *run, weir_str line, uint64_t command, weir_error *error) {
    weir_machine_commanded(run->machine, command);
    if (stops(line)) {
        weir_machine_cancelled(run->machine, weir__now_us(run->engine),
                               weir_str_is(line, "terminate"));
        return true;
    }
    if (weir_str_is(line, "suspend")) return suspend(run, true, error);
    if (weir_str_is(line, "resume")) return resume(run, error);
    if (weir_str_starts(line, NODE_SET))
        return set_nodes(run, weir_str_slice(line, NODE_SET.length, line.length), error);
    if (weir_str_starts(line, TASK_CANCEL))
        return weir__task_cancel(run, weir_str_slice(line, TASK_CANCEL.length, line.length), error);
    if (weir__control_restarts(line)) return weir__control_restart(run, line, error);
    return weir_fail(error, WEIR_UNSUPPORTED, "this weir knows no command `%.*s`", WEIR_ARG(line));
}

bool weir__run_is_durable(const weir_run *run) {
    return run->failed || run->durable >= run->sequence;
}

/* --- commands of other processes -------------------------------------------------------------- */

static void answer_store(const weir_run *run, uint64_t command, const weir_error *error) {
    weir_buffer text = {0};
    format_answer(error, &text);
    weir_store_answer(run->engine->store, command, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

void weir__control_tell(weir_run *run, const weir__asker *asker, const weir_error *error) {
    weir_buffer text = {0};
    format_answer(error, &text);
    if (asker->command)
        weir_store_answer(run->engine->store, asker->command, weir_buffer_str(&text));
    else if (run->listener)
        weir_listener_answer(run->listener, asker->ticket, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

void weir__control_durable(weir_run *run, uint64_t sequence, const weir_error *error) {
    size_t left = 0;
    for (size_t i = 0; i < run->askers.count; i++) {
        weir__asker asker = run->askers.items[i];
        if (asker.sequence > sequence)
            run->askers.items[left++] = asker;
        else
            weir__control_tell(run, &asker, error);
    }
    run->askers.count = left;
}

void weir__control_answer(void *arg, weir_str line, weir_buffer *out) {
    weir_run *run = arg;
    weir_error error;
    if (weir__control_restarts(line)) {
        weir__asker asker = {.ticket = weir_listener_defer(run->listener)};
        if (!weir__control_hold(run, line, asker, &error)) {
            weir_listener_undefer(run->listener);
            format_answer(&error, out);
        }
        return;
    }
    if (!apply(run, line, 0, &error)) {
        format_answer(&error, out);
        return;
    }
    weir__run_pump(run);
    if (weir__run_is_durable(run))
        format_answer(run->failed ? &run->error : NULL, out);
    else
        *weir_vector_push(&run->askers) =
            (weir__asker){run->sequence, weir_listener_defer(run->listener), 0};
}

static bool is_asked(const weir_run *run, uint64_t command) {
    for (size_t i = 0; i < run->askers.count; i++)
        if (run->askers.items[i].command == command) return true;
    return false;
}

void weir__control_take(void *arg, weir_str id, uint64_t command, weir_str line) {
    weir_engine *engine = arg;
    char name[WEIR_RUN_ID_LENGTH + 1];
    snprintf(name, sizeof name, "%.*s", WEIR_ARG(id));
    weir_run *run = weir__run_find(engine, name);
    weir_error error;
    if (!run || !run->owned || run->failed || engine->closing || is_asked(run, command)) return;
    bool known = command <= weir_machine_last_command(run->machine);
    if (!known && weir__control_restarts(line)) {
        bool waits = run->held && run->held_for.command == command;
        weir__asker asker = {.command = command};
        if (!waits && !weir__control_hold(run, line, asker, &error))
            answer_store(run, command, &error);
        return;
    }
    if (!known && !apply(run, line, command, &error)) {
        answer_store(run, command, &error);
        return;
    }
    weir__run_pump(run);
    if (weir__run_is_durable(run))
        answer_store(run, command, run->failed ? &run->error : NULL);
    else
        *weir_vector_push(&run->askers) = (weir__asker){run->sequence, 0, command};
}

/* --- commands to other processes -------------------------------------------------------------- */

typedef enum asked { ASKED_DONE, ASKED_REFUSED, ASKED_NOBODY, ASKED_SILENT } asked;

static asked ask(weir_engine *engine, const char *id, weir_str line, weir_error *error) {
    weir_buffer reply = {0};
    asked outcome;
    if (weir__run_ask(engine, id, line, ANSWER_US, &reply, error))
        outcome = parse_answer(weir_buffer_str(&reply), error) ? ASKED_DONE : ASKED_REFUSED;
    else
        outcome = error->code == WEIR_NOT_FOUND ? ASKED_NOBODY : ASKED_SILENT;
    weir_buffer_deinit(&reply);
    return outcome;
}

/* Whether another process drives the run and did what it was asked (*done), or none drives it. */
static bool ask_owner(weir_engine *engine, const char *id, weir_str line, bool *done,
                      weir_error *error) {
    *done = false;
    if (!engine->state || !weir__run_is_owned(engine, id)) return true;
    asked outcome = ask(engine, id, line, error);
    *done = outcome == ASKED_DONE;
    if (*done) return true;
    if (outcome == ASKED_REFUSED) return false;
    /* It died, or was at its end, this moment. */
    if (outcome == ASKED_NOBODY || !weir__run_is_owned(engine, id)) return true;
    error->code = WEIR_IO;
    return false;
}

/* --- runs that nobody drives ------------------------------------------------------------------ */

bool weir__run_wait_durable(weir_run *run, weir_error *error) {
    while (!weir__run_is_durable(run)) weir_loop_once(run->engine->loop, true);
    if (run->failed) *error = run->error;
    return !run->failed;
}

/* With `drive` it then goes on here, until it is closed; without, the facts are written and nothing is begun. */
static bool take_over(weir_run *run, weir_str line, bool drive, weir_error *error) {
    if (run->over && stops(line)) return weir_store_settle(run->engine->store, error);
    if (!weir__run_acquire(run, error)) return false;
    if (run->over && stops(line)) return true;
    if (!apply(run, line, 0, error)) return false;
    if (drive) return weir__run_take_over(run, error);
    run->record_due = true;
    weir__run_write(run);
    return weir__run_wait_durable(run, error);
}

/* *out (may be NULL): the run, when it goes on here; else NULL. *driven (may be NULL): it was somebody's. */
static bool command(weir_engine *engine, const char *name, weir_str line, weir_run **out,
                    bool *driven, weir_error *error) {
    char id[WEIR_RUN_ID_LENGTH + 1] = "";
    bool done = false, drive = out || stops(line);
    weir_run *run;
    if (out) *out = NULL;
    if (!weir__run_id(engine, weir_str_from(name), id, error)) return false;
    run = weir__run_find(engine, id);
    if (driven) *driven = true;
    if (run && run->owned && weir__control_restarts(line))
        return weir_fail(error, WEIR_CONFLICT, "the run %s is open in this engine", run->name);
    if (run && run->owned) {
        bool ok = apply(run, line, 0, error);
        if (ok) weir__run_pump(run);
        return ok;
    }
    if (!ask_owner(engine, id, line, &done, error)) return false;
    if (done) return true;
    if (driven) *driven = false;
    if (!weir__run_load_recorded(engine, id, &run, error)) return false;
    if (!take_over(run, line, drive, error)) {
        weir__run_free(run);
        return false;
    }
    if (out && drive && !stops(line)) {
        *out = run;
        return true;
    }
    bool ok = true;
    if (stops(line)) {
        while (!weir_run_wait(run, 1000)) continue;
        ok = !run->failed;
        if (!ok) *error = run->error;
    }
    weir_run_close(run);
    return ok;
}

/* --- as embedders see it ---------------------------------------------------------------------- */

static void note_name(void *arg, const weir_run_record *record) {
    *(char **)arg = weir_str_dup(record->name);
}

/* Children that a dead engine left behind end with their parent. */
static bool cancel_children(weir_engine *engine, const char *run, bool terminate,
                            weir_error *error) {
    char *parent = NULL;
    if (!weir_store_find(engine->store, weir_str_from(run), note_name, &parent, error))
        return false;
    weir__run_ids orphans = {0};
    const weir_selection under_way = {.by_parent = true,
                                      .parent = weir_str_from(parent),
                                      .phases = {WEIR_STR("Running"), WEIR_STR("Suspended")},
                                      .phase_count = 2};
    bool ok = weir_store_select(engine->store, &under_way, weir__run_ids_note, &orphans, error);
    for (size_t i = 0; ok && i < orphans.count; i++)
        ok = weir_cancel(engine, orphans.items[i], terminate, error);
    weir__run_ids_deinit(&orphans);
    weir_free(parent);
    return ok;
}

bool weir_cancel(weir_engine *engine, const char *name, bool terminate, weir_error *error) {
    char id[WEIR_RUN_ID_LENGTH + 1] = "";
    if (!weir__run_id(engine, weir_str_from(name), id, error)) return false;
    bool driven;
    if (!command(engine, id, terminate ? WEIR_STR("terminate") : WEIR_STR("cancel"), NULL, &driven,
                 error))
        return false;
    return driven || cancel_children(engine, id, terminate, error);
}

bool weir_suspend(weir_engine *engine, const char *name, weir_error *error) {
    return command(engine, name, WEIR_STR("suspend"), NULL, NULL, error);
}

bool weir_resume(weir_engine *engine, const char *name, weir_run **out, weir_error *error) {
    return command(engine, name, WEIR_STR("resume"), out, NULL, error);
}

bool weir_set_nodes(weir_engine *engine, const char *name, const weir_value *what, weir_run **out,
                    weir_error *error) {
    weir_buffer line = {0};
    weir_buffer_str_append(&line, NODE_SET);
    weir_json_format(what, 0, &line);
    bool ok = command(engine, name, weir_buffer_str(&line), out, NULL, error);
    weir_buffer_deinit(&line);
    return ok;
}

bool weir_retry(weir_engine *engine, const char *name, weir_run **out, weir_error *error) {
    return command(engine, name, WEIR_STR("retry"), out, NULL, error);
}

bool weir_retry_with(weir_engine *engine, const char *name, const weir_value *what, weir_run **out,
                     weir_error *error) {
    weir_buffer line = {0};
    weir_buffer_text(&line, "retry ");
    weir_json_format(what, 0, &line);
    bool ok = command(engine, name, weir_buffer_str(&line), out, NULL, error);
    weir_buffer_deinit(&line);
    return ok;
}

/* "WORD {…}" */
static bool command_with(weir_engine *engine, const char *name, const char *word,
                         const weir_value *what, weir_run **out, weir_error *error) {
    weir_buffer line = {0};
    weir_buffer_text(&line, word);
    weir_json_format(what, 0, &line);
    bool ok = command(engine, name, weir_buffer_str(&line), out, NULL, error);
    weir_buffer_deinit(&line);
    return ok;
}

bool weir_restart_task(weir_engine *engine, const char *name, const char *task, const char *context,
                       weir_run **out, weir_error *error) {
    weir_value *what = weir_object_new();
    weir_member_put_text(what, "task", weir_str_from(task));
    if (context) weir_member_put_text(what, "context", weir_str_from(context));
    bool ok = weir_restart_with(engine, name, what, out, error);
    weir_value_unref(what);
    return ok;
}

bool weir_restart_with(weir_engine *engine, const char *name, const weir_value *what,
                       weir_run **out, weir_error *error) {
    return command_with(engine, name, "restart ", what, out, error);
}

bool weir_cancel_task(weir_engine *engine, const char *name, const weir_value *what,
                      weir_error *error) {
    if (!weir_member_text(what, "task").length)
        return weir_fail(error, WEIR_USAGE, "cancel which task?");
    return command_with(engine, name, TASK_CANCEL.data, what, NULL, error);
}

bool weir_run_suspend(weir_run *run, bool suspended, weir_error *error) {
    if (!run->owned && !run->over)
        return weir_fail(error, WEIR_CONFLICT, "the run %s is only watched", run->name);
    if (!(suspended ? suspend(run, true, error) : resume(run, error))) return false;
    weir__run_pump(run);
    return true;
}

bool weir_run_rests(const weir_run *run) {
    return weir_machine_is_suspended(run->machine) &&
           !weir_tasks_under_way(weir_machine_tasks(run->machine));
}
