/* Commands to runs that other processes drive, or that nobody does. */
#include <string.h>

#include "cli/follow.h"
#include "cli/serve.h"

bool weir_terminate_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    return weir_cancel(engine, cli->words.items[0], true, error);
}

bool weir_suspend_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    return weir_suspend(engine, cli->words.items[0], error);
}

/* Says to the run what the command says; *run: it goes on here; NULL: elsewhere. */
static bool say(weir_cli *cli, weir_engine *engine, weir_run **run, weir_error *error) {
    const char *name = cli->words.items[0];
    const char *context = cli->words.count > 2 ? cli->words.items[2] : NULL;
    if (strcmp(cli->command->name, "retry") == 0) return weir_retry(engine, name, run, error);
    if (strcmp(cli->command->name, "restart") == 0)
        return weir_restart_task(engine, name, cli->words.items[1], context, run, error);
    return weir_resume(engine, name, run, error);
}

static int leave(weir_cli *cli) {
    weir_engine *engine;
    weir_error error;
    bool served = true;
    if (!weir_cli_open(cli, true, NULL, &engine, &error)) return weir_cli_fail(&error);
    bool ok =
        say(cli, engine, NULL, &error) && weir_leave(engine, cli->words.items[0], &served, &error);
    weir_close(engine);
    ok = ok && (served || weir_cli_start_engine(cli, &error));
    return ok ? 0 : weir_cli_fail(&error);
}

static int go_on(weir_follow *follow) {
    weir_engine *engine;
    weir_run *run;
    weir_error error;
    int code = 0;
    if (!weir_cli_open(follow->cli, true, &follow->callbacks, &engine, &error))
        return weir_follow_fail(follow, &error, false);
    if (!say(follow->cli, engine, &run, &error))
        code = weir_follow_fail(follow, &error, false);
    else if (run)
        code = weir_follow_run(follow, &run, 1, 0);
    weir_run_close(run);
    weir_close(engine);
    return code;
}

int weir_resume_command(weir_cli *cli) {
    weir_error error;
    weir_follow follow;
    if (weir_cli_has(cli, WEIR_FLAG_DETACH)) return leave(cli);
    if (!weir_follow_init(&follow, cli, false, &error)) return weir_cli_fail(&error);
    return weir_follow_deinit(&follow, go_on(&follow));
}
