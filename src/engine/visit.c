/* The files of attempts of a run that keeps them: STATE/kept/RUN/TASK.NUMBER is the `root` of an attempt's sandbox. They go with the run. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine_internal.h"
#include "executor/process.h"

static void run_folder(const weir_engine *engine, const char *run, weir_buffer *path) {
    weir_buffer_printf(path, "%s/kept/%s", engine->state, run);
}

static void attempt_folder(const weir_engine *engine, const weir_attempt_id *id,
                           weir_buffer *path) {
    run_folder(engine, id->run, path);
    weir_buffer_printf(path, "/%u.%u", id->task, id->number);
}

/* The config with the folder as its sandbox's root. */
static void set_root(weir_attempt *attempt, weir_str folder) {
    weir_value *sandbox = weir_member_named(attempt->config, "sandbox");
    sandbox = weir_value_own(weir_value_ref(sandbox));
    weir_member_put_text(sandbox, "root", folder);
    attempt->config = weir_value_own(attempt->config);
    weir_member_put(attempt->config, "sandbox", sandbox);
}

void weir__keep_files(const weir_run *run, weir_attempt *attempt) {
    const weir_engine *engine = run->engine;
    weir_buffer path = {0};
    if (!engine->state || engine->options.not_isolated ||
        !weir_is(weir_member_named(attempt->config, "sandbox"), WEIR_OBJECT) ||
        !weir_member_named(weir_machine_request(run->machine), "keep"))
        return;
    weir_buffer_printf(&path, "%s/kept", engine->state);
    mkdir(path.data, 0700);
    weir_buffer_clear(&path);
    run_folder(engine, run->id, &path);
    mkdir(path.data, 0700);
    weir_buffer_clear(&path);
    attempt_folder(engine, &attempt->id, &path);
    set_root(attempt, weir_buffer_str(&path));
    weir_buffer_deinit(&path);
}

bool weir__keep_remove(const weir_engine *engine, const char *run) {
    weir_buffer path = {0};
    if (!engine->state) return true;
    run_folder(engine, run, &path);
    bool gone = access(path.data, F_OK) != 0 || weir_sandbox_remove(path.data);
    weir_buffer_deinit(&path);
    return gone;
}

/* --- looking around ------------------------------------------------------------------------------------ */

static bool is_node(const weir_value *node, const char *wanted) {
    static const char *const names[] = {"id", "name", "displayName"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir_str_is(weir_member_text(node, names[i]), wanted)) return true;
    return false;
}

/* The task of the last node that is called so: a retried template's last attempt has the same task's name before it. */
static bool find_task(const weir_run *run, const char *wanted, weir_task_id *out,
                      weir_error *error) {
    weir_value *status = weir_run_status(run), *nodes = weir_member_named(status, "nodes");
    bool found = false;
    for (size_t i = 0; weir_is(nodes, WEIR_ARRAY) && i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i);
        const weir_value *task = weir_member_named(node, "task");
        if (!is_node(node, wanted) || !weir_is(task, WEIR_INT)) continue;
        found = true;
        *out = (weir_task_id)weir_int_get(task);
    }
    weir_value_unref(status);
    if (found) return true;
    weir_fail(error, WEIR_NOT_FOUND, "run %s has no node `%.200s` that ran something", run->name,
              wanted);
    weir_error_hint(error, "`weir get %s` shows its nodes", run->name);
    return false;
}

static bool check_kept(const weir_run *run, const weir_attempt *attempt, weir_buffer *folder,
                       const char *node, weir_error *error) {
    attempt_folder(run->engine, &attempt->id, folder);
    if (access(folder->data, F_OK) == 0) return true;
    weir_fail(error, WEIR_NOT_FOUND, "nothing is kept of what `%.200s` wrote", node);
    weir_error_hint(error,
                    "`weir run --keep` keeps it, where steps run in sandboxes on this machine");
    return false;
}

static bool visit(weir_run *run, const char *node, const char *const *command, int *exit_code,
                  weir_error *error) {
    weir_attempt attempt;
    weir_task_id task = 0;
    weir_buffer folder = {0};
    weir_process_end end;
    if (!find_task(run, node, &task, error)) return false;
    weir_task_state state = weir_tasks_state(weir_machine_tasks(run->machine), task);
    if (!run->over && state == WEIR_STATE_RUNNING)
        return weir_fail(error, WEIR_CONFLICT, "`%.200s` is still under way", node);
    weir_machine_last_attempt(run->machine, task, &attempt);
    bool ok = check_kept(run, &attempt, &folder, node, error);
    if (ok) set_root(&attempt, weir_buffer_str(&folder));
    ok = ok && weir_process_visit(run->engine->executors[WEIR__EXECUTOR_PROCESS], &attempt, command,
                                  &end, error);
    if (ok) *exit_code = end.signal ? 128 + end.signal : end.exit_code;
    weir_attempt_drop(&attempt);
    weir_buffer_deinit(&folder);
    return ok;
}

bool weir_visit(weir_engine *engine, const char *name, const char *node, const char *const *command,
                int *exit_code, weir_error *error) {
    static const char *const shell[] = {"/bin/sh", NULL};
    weir_run *run;
    if (!engine->state)
        return weir_fail(error, WEIR_USAGE, "files are kept in a state: this engine has none");
    if (!weir__run_load(engine, name, NULL, NULL, &run, error)) return false;
    bool ok = visit(run, node, command ? command : shell, exit_code, error);
    weir__run_free(run);
    return ok;
}
