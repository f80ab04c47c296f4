#include "cli/follow.h"
#include "cli/program.h"
#include "cli/records.h"
#include "cli/several.h"

/* Only a closed run's events can be read. */
static int close_and_explain(weir_follow *follow, weir_engine *engine, weir_run *run, int code) {
    weir_error error;
    weir_value *result = weir_run_result(run);
    weir_run_close(run);
    weir_output_flush(&follow->cli->out); /* the explanation comes behind */
    if (weir_cli_has(follow->cli, WEIR_FLAG_EXPLAIN) &&
        !weir_explain_run(follow->cli, engine, weir_member_text(result, "run").data, &error)) {
        int failed = weir_cli_fail(&error);
        if (!code) code = failed;
    }
    weir_value_unref(result);
    return code;
}

typedef WEIR_VECTOR(weir_run *) weir_run_vector;

/* One alone, which can be explained behind. */
static int follow_one(weir_follow *follow, weir_engine *engine, weir_run *run) {
    int code = weir_follow_run(follow, &run, 1, 0);
    return close_and_explain(follow, engine, run, code);
}

static int follow_all(weir_follow *follow, weir_run_vector *runs, int code) {
    for (size_t i = 0; i < runs->count; i++) {
        int run_code = weir_follow_run(follow, runs->items, runs->count, i);
        if (run_code > code) code = run_code;
    }
    for (size_t i = 0; i < runs->count; i++) weir_run_close(runs->items[i]);
    return code;
}

static int start_and_follow(weir_follow *follow, const weir_value *requests) {
    weir_error error;
    weir_engine *engine;
    weir_run_vector runs = {0};
    int code = 0;
    if (!weir_cli_open(follow->cli, false, &follow->callbacks, &engine, &error))
        return weir_follow_fail(follow, &error, false);
    for (size_t i = 0; i < weir_value_count(requests); i++) {
        weir_run *run;
        size_t said = 0;
        if (weir_run_start(engine, weir_array_at(requests, i), weir_output_problem_counted, &said,
                           &run, &error))
            *weir_vector_push(&runs) = run;
        else
            code = weir_follow_fail(follow, &error, said > 0);
    }
    if (runs.count == 1 && !follow->brief)
        code = follow_one(follow, engine, runs.items[0]);
    else
        code = follow_all(follow, &runs, code);
    weir_vector_deinit(&runs);
    weir_close(engine);
    return code;
}

int weir_run_command(weir_cli *cli) {
    weir_error error;
    weir_value *requests;
    weir_follow follow;
    if (weir_cli_has(cli, WEIR_FLAG_DETACH) && weir_cli_has(cli, WEIR_FLAG_FEED)) {
        weir_fail(&error, WEIR_USAGE,
                  "a run that is fed is followed: --detach and --feed exclude each other");
        return weir_cli_fail(&error);
    }
    if (weir_cli_has(cli, WEIR_FLAG_KEEP) && cli->settings.not_isolated) {
        weir_fail(&error, WEIR_USAGE,
                  "--keep keeps what is in sandboxes: not with --isolation none");
        return weir_cli_fail(&error);
    }
    if (weir_cli_has(cli, WEIR_FLAG_PREVIEW) || weir_cli_has(cli, WEIR_FLAG_SERVER_DRY_RUN))
        return weir_preview_command(cli);
    if (weir_cli_has(cli, WEIR_FLAG_DETACH)) return weir_submit_command(cli);
    const char *const *arguments;
    size_t count;
    const char *program = weir_program_named(cli, &arguments, &count);
    if (program && !weir_cli_text(cli, WEIR_FLAG_FROM))
        return weir_program_command(cli, program, arguments, count);
    if (!weir_cli_requests(cli, &requests, &error)) return weir_cli_fail(&error);
    weir_cli_split_files(&requests);
    int code;
    if (weir_follow_init(&follow, cli, weir_value_count(requests) > 1, &error))
        code = weir_follow_deinit(&follow, start_and_follow(&follow, requests));
    else
        code = weir_cli_fail(&error);
    weir_value_unref(requests);
    return code;
}

/* Opens every run that is under way and that no living process drives. */
static bool open_all(weir_engine *engine, weir_records_list *records, weir_run_vector *runs,
                     int *code, weir_error *error) {
    weir_value *list;
    if (!weir_list(engine, 0, &list, error)) return false;
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *item = weir_array_at(list, i);
        weir_run *run;
        weir_error problem;
        if (!weir_str_is(weir_member_text(item, "phase"), "Running") ||
            weir_member_text(item, "parent").length) /* recovers what it began */
            continue;
        if (weir_records_recover(records, engine, weir_member_text(item, "run").data, &run,
                                 &problem)) {
            *weir_vector_push(runs) = run;
        } else if (problem.code != WEIR_CONFLICT) {
            weir_error_context(&problem, "%.*s", WEIR_ARG(weir_member_text(item, "name")));
            int problem_code = weir_cli_fail(&problem);
            if (problem_code > *code) *code = problem_code;
        }
    }
    weir_value_unref(list);
    return true;
}

static int recover_and_follow(weir_follow *follow) {
    weir_error error;
    weir_engine *engine;
    weir_run_vector runs = {0};
    int code = 0;
    if (!weir_cli_open(follow->cli, true, &follow->callbacks, &engine, &error))
        return weir_follow_fail(follow, &error, false);
    bool ok;
    weir_records_list records = {0};
    if (follow->brief)
        ok = open_all(engine, &records, &runs, &code, &error);
    else
        ok = weir_records_recover(&records, engine, follow->cli->words.items[0],
                                  weir_vector_push(&runs), &error);
    if (records.entries.count) weir_records_follow(&records, follow);
    if (!ok) runs.count = 0;
    if (!ok) code = weir_follow_fail(follow, &error, false);
    for (size_t i = 0; i < runs.count; i++) {
        int run_code = weir_follow_run(follow, runs.items, runs.count, i);
        if (run_code > code) code = run_code;
    }
    weir_records_close(&records);
    for (size_t i = 0; i < runs.count; i++) weir_run_close(runs.items[i]);
    weir_vector_deinit(&runs);
    weir_close(engine);
    return code;
}

int weir_recover_command(weir_cli *cli) {
    weir_error error;
    weir_follow follow;
    bool all = weir_cli_has(cli, WEIR_FLAG_ALL);
    if (all && weir_cli_has(cli, WEIR_FLAG_FEED)) {
        weir_fail(&error, WEIR_USAGE, "which of the runs is to be fed? Name it instead of --all");
        return weir_cli_fail(&error);
    }
    if (all == (cli->words.count > 0)) {
        weir_fail(&error, WEIR_USAGE, all ? "a run, or --all?" : "which run?");
        weir_error_hint(&error, "write `weir recover RUN` or `weir recover --all`");
        return weir_cli_fail(&error);
    }
    if (!weir_follow_init(&follow, cli, all, &error)) return weir_cli_fail(&error);
    return weir_follow_deinit(&follow, recover_and_follow(&follow));
}
