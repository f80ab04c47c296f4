/* Commands to runs that other processes drive, or that nobody does. */
#include <stdio.h>
#include <string.h>

#include "cli/follow.h"
#include "cli/serve.h"
#include "cli/targets.h"

static bool is_called(const weir_cli *cli, const char *name) {
    return strcmp(cli->command->name, name) == 0;
}

/* --- what is said of suspended nodes ------------------------------------------------------------- */

static void put_given(const weir_cli *cli, weir_flag flag, const char *member, weir_value *what) {
    const char *text = weir_cli_text(cli, flag);
    if (text) weir_member_put_text(what, member, weir_str_from(text));
}

static bool put_supplied(const weir_cli *cli, weir_flag flag, weir_value *what, weir_error *error) {
    weir_value *parameters = NULL;
    for (size_t i = 0; i < cli->given.count; i++) {
        const char *pair = cli->given.items[i].value, *equals = strchr(pair, '=');
        if (cli->given.items[i].flag != flag) continue;
        if (!equals || equals == pair)
            return weir_fail(error, WEIR_USAGE, "`%.200s` is not of the form NAME=TEXT", pair);
        if (!parameters) weir_member_put(what, "parameters", parameters = weir_object_new());
        weir_member_set(parameters, (weir_str){pair, (size_t)(equals - pair)},
                        weir_string_from(weir_str_from(equals + 1)));
    }
    return true;
}

/* What weir_set_nodes takes; a new reference. */
static bool read_nodes(const weir_cli *cli, weir_value **out, weir_error *error) {
    weir_value *what = weir_object_new();
    put_given(cli, WEIR_FLAG_NODES, "selector", what);
    put_given(cli, WEIR_FLAG_TO_PHASE, "phase", what);
    put_given(cli, WEIR_FLAG_MESSAGE, "message", what);
    if (is_called(cli, "resume")) weir_member_put(what, "resume", weir_bool_new(true));
    if (is_called(cli, "stop") || is_called(cli, "cancel"))
        weir_member_put_text(what, "phase", WEIR_STR("Failed"));
    bool ok = put_supplied(cli, WEIR_FLAG_SUPPLIED, what, error);
    if (ok && !weir_member_named(what, "phase") && !weir_member_named(what, "resume") &&
        !weir_member_named(what, "message") && !weir_member_named(what, "parameters")) {
        weir_fail(error, WEIR_USAGE, "what is to be set?");
        weir_error_hint(error, "--phase, --message or -p NAME=TEXT");
        ok = false;
    }
    if (ok)
        *out = what;
    else
        weir_value_unref(what);
    return ok;
}

static bool set_nodes(weir_cli *cli, weir_engine *engine, const char *name, weir_run **run,
                      weir_error *error) {
    weir_value *what;
    if (!read_nodes(cli, &what, error)) return false;
    bool ok = weir_set_nodes(engine, name, what, run, error);
    weir_value_unref(what);
    return ok;
}

/* --- stop, terminate, suspend, node set ---------------------------------------------------------- */

/* That is what was wanted; but who asked may have meant another. */
static void note_over(weir_engine *engine, const weir_target *target) {
    const char *names[] = {target->run};
    weir_value *list;
    if (!weir_wait(engine, names, 1, false, 0, &list, NULL)) return;
    const weir_value *run = weir_array_at(list, 0);
    if (weir_member_named(run, "finished"))
        fprintf(stderr, "%s: nothing to stop: it is over (%.*s)\n", target->name,
                WEIR_ARG(weir_member_text(run, "phase")));
    weir_value_unref(list);
}

static bool cancel_task(weir_cli *cli, weir_engine *engine, const char *run, bool terminate,
                        weir_error *error) {
    weir_value *what = weir_object_new();
    put_given(cli, WEIR_FLAG_TASK, "task", what);
    put_given(cli, WEIR_FLAG_IN_CONTEXT, "context", what);
    weir_member_put(what, "terminate", weir_bool_new(terminate));
    bool ok = weir_cancel_task(engine, run, what, error);
    weir_value_unref(what);
    return ok;
}

static bool restart_task(weir_cli *cli, weir_engine *engine, const char *name, weir_run **run,
                         weir_error *error) {
    weir_value *what = weir_object_new();
    weir_output_member(what, "task", cli->words.items[1]);
    if (cli->words.count > 2) weir_output_member(what, "context", cli->words.items[2]);
    weir_member_put(what, "alone", weir_bool_new(weir_cli_has(cli, WEIR_FLAG_ALONE)));
    bool ok = weir_restart_with(engine, name, what, run, error);
    weir_value_unref(what);
    return ok;
}

static bool act(weir_cli *cli, weir_engine *engine, const weir_target *target, void *arg,
                weir_error *error) {
    (void)arg;
    if (is_called(cli, "suspend")) return weir_suspend(engine, target->run, error);
    if (is_called(cli, "node set") || weir_cli_has(cli, WEIR_FLAG_NODES))
        return set_nodes(cli, engine, target->run, NULL, error);
    bool terminate = is_called(cli, "terminate") || weir_cli_has(cli, WEIR_FLAG_TERMINATE);
    if (weir_cli_has(cli, WEIR_FLAG_TASK))
        return cancel_task(cli, engine, target->run, terminate, error);
    note_over(engine, target);
    return weir_cancel(engine, target->run, terminate, error);
}

int weir_stop_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    weir_targets targets = {0};
    const weir_options drive = {0}; /* who stops a run that nobody drives, drives it to its end */
    bool stops = !is_called(cli, "suspend") && !is_called(cli, "node set");
    if (stops && weir_cli_has(cli, WEIR_FLAG_MESSAGE) && !weir_cli_has(cli, WEIR_FLAG_NODES)) {
        weir_fail(&error, WEIR_USAGE, "--message is said of nodes: which?");
        weir_error_hint(&error, "--node-field-selector picks suspended nodes");
        return weir_cli_fail(&error);
    }
    if (!weir_cli_open(cli, true, stops ? &drive : NULL, &engine, &error))
        return weir_cli_fail(&error);
    int code = weir_targets_gather(cli, engine, WEIR_TARGETS_UNDER_WAY, &targets, &error)
                   ? weir_targets_each(cli, engine, &targets, act, NULL)
                   : weir_cli_fail(&error);
    weir_targets_deinit(&targets);
    weir_close(engine);
    return code;
}

/* --- resume, retry, restart: what goes on here ---------------------------------------------------- */

static bool retry(weir_cli *cli, weir_engine *engine, const char *name, weir_run **run,
                  weir_error *error) {
    weir_value *what = weir_object_new();
    put_given(cli, WEIR_FLAG_NODES, "successful", what);
    bool ok = put_supplied(cli, WEIR_FLAG_PARAMETER, what, error);
    if (ok)
        ok = weir_value_count(what) ? weir_retry_with(engine, name, what, run, error)
                                    : weir_retry(engine, name, run, error);
    weir_value_unref(what);
    return ok;
}

/* Says to the run what the command says; *run: it goes on here; NULL: elsewhere. */
static bool say(weir_cli *cli, weir_engine *engine, const char *name, weir_run **run,
                weir_error *error) {
    if (is_called(cli, "retry")) return retry(cli, engine, name, run, error);
    if (is_called(cli, "restart")) return restart_task(cli, engine, name, run, error);
    if (weir_cli_has(cli, WEIR_FLAG_NODES)) return set_nodes(cli, engine, name, run, error);
    return weir_resume(engine, name, run, error);
}

/* Of a filter those that are over. */
static bool gather(weir_cli *cli, weir_engine *engine, weir_targets *out, weir_error *error) {
    size_t words = cli->words.count;
    if (is_called(cli, "restart")) cli->words.count = 1; /* the others say which task */
    bool ok = weir_targets_gather(cli, engine, WEIR_TARGETS_OVER, out, error);
    cli->words.count = words;
    if (!ok) weir_targets_deinit(out);
    return ok;
}

static int leave(weir_cli *cli) {
    weir_engine *engine;
    weir_error error;
    weir_targets targets = {0};
    bool all_served = true;
    if (!weir_cli_open(cli, true, NULL, &engine, &error)) return weir_cli_fail(&error);
    int code = gather(cli, engine, &targets, &error) ? 0 : weir_cli_fail(&error);
    for (size_t i = 0; i < targets.items.count; i++) {
        bool served = true;
        const char *name = targets.items.items[i].run;
        if (!say(cli, engine, name, NULL, &error) || !weir_leave(engine, name, &served, &error))
            code = weir_cli_fail(&error);
        all_served = all_served && served;
    }
    weir_targets_deinit(&targets);
    weir_close(engine);
    if (!all_served && !weir_cli_start_engine(cli, &error)) code = weir_cli_fail(&error);
    return code;
}

typedef WEIR_VECTOR(weir_run *) run_list;

static int go_on(weir_follow *follow) {
    weir_cli *cli = follow->cli;
    weir_engine *engine;
    weir_error error;
    run_list runs = {0};
    weir_targets targets = {0};
    if (!weir_cli_open(cli, true, &follow->callbacks, &engine, &error))
        return weir_follow_fail(follow, &error, false);
    int code = gather(cli, engine, &targets, &error) ? 0 : weir_follow_fail(follow, &error, false);
    for (size_t i = 0; i < targets.items.count; i++) {
        weir_run *run;
        if (!say(cli, engine, targets.items.items[i].run, &run, &error))
            code = weir_follow_fail(follow, &error, false);
        else if (run)
            *weir_vector_push(&runs) = run;
    }
    for (size_t i = 0; i < runs.count; i++) {
        int run_code = weir_follow_run(follow, runs.items, runs.count, i);
        if (run_code > code) code = run_code;
    }
    for (size_t i = 0; i < runs.count; i++) weir_run_close(runs.items[i]);
    weir_vector_deinit(&runs);
    weir_targets_deinit(&targets);
    weir_close(engine);
    return code;
}

int weir_resume_command(weir_cli *cli) {
    weir_error error;
    weir_follow follow;
    bool successful = weir_cli_has(cli, WEIR_FLAG_RESTART_SUCCESSFUL);
    if (is_called(cli, "retry") && successful != weir_cli_has(cli, WEIR_FLAG_NODES)) {
        weir_fail(&error, WEIR_USAGE, "--restart-successful and --node-field-selector go together");
        return weir_cli_fail(&error);
    }
    if (weir_cli_has(cli, WEIR_FLAG_DETACH)) return leave(cli);
    bool several = weir_cli_filters(cli) || (cli->words.count > 1 && !is_called(cli, "restart"));
    if (!weir_follow_init(&follow, cli, several, &error)) return weir_cli_fail(&error);
    return weir_follow_deinit(&follow, go_on(&follow));
}
