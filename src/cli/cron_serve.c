/* `weir serve-schedules`, and `weir cron backfill`, which does for times that are past what that does for those that come. */
#include <stdio.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/house.h"
#include "cli/interrupt.h"
#include "cli/serve.h"
#include "cli/view.h"

enum { BACKFILL_MAX = 1000, WAIT_MS = 1000 };

/* --- weir serve-schedules ---------------------------------------------------------------------- */

static bool is_asked_to_stop(void *arg) {
    weir_cli_keep_house(arg);
    return weir_interrupt_came();
}

static void say(void *arg, const char *schedule, const char *what, const char *run,
                const weir_error *error) {
    char now[32], line[1024];
    (void)arg;
    printf("%s %s: %s%s%s%s%s\n", weir_moment_format(weir_view_now(), now), schedule, what,
           run ? " " : "", run ? run : "", error ? ": " : "",
           error ? weir_error_format(error, line, sizeof line) : "");
    fflush(stdout);
}

static void start_engine(void *arg) {
    weir_error error;
    if (!weir_cli_start_engine(arg, &error)) weir_output_problem(&error);
}

int weir_serve_schedules_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    weir_interrupt_serve();
    if (!weir_cli_open(cli, false, NULL, &engine, &error)) return weir_cli_fail(&error);
    const weir_schedule_serving serving = {is_asked_to_stop, say, start_engine, cli};
    bool ok = weir_serve_schedules(engine, &serving, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}

/* --- weir cron backfill ------------------------------------------------------------------------ */

typedef struct backfill {
    weir_cli *cli;
    weir_engine *engine;
    const char *schedule, *argument;
    weir_value *runs;
    int code;
} backfill;

/* Of a time that was run by this backfill already the run that is there counts. */
static bool start_one(backfill *b, weir_str time, weir_str name, weir_error *error) {
    weir_value *what = weir_object_new(), *run = NULL;
    weir_member_put_text(what, "name", name);
    weir_member_put_text(what, "time", time);
    weir_member_put(what, "backfill", weir_bool_new(true));
    if (b->argument) weir_member_put_text(what, "argument", weir_str_from(b->argument));
    bool ok = weir_cron_start(b->engine, b->schedule, what, NULL, NULL, &run, error);
    if (ok && !weir_value_truth(weir_member_named(run, "served")))
        ok = weir_cli_start_engine(b->cli, error);
    weir_value_unref(run);
    weir_value_unref(what);
    return ok;
}

static bool is_there(const backfill *b, const char *name) {
    weir_value *found = NULL;
    weir_error ignored;
    bool there = weir_wait(b->engine, &name, 1, true, 0, &found, &ignored);
    weir_value_unref(found);
    return there;
}

static bool wait_for(backfill *b, const char *name, weir_error *error) {
    while (!weir_interrupt_came()) {
        weir_value *entries;
        if (!weir_wait(b->engine, &name, 1, false, WAIT_MS, &entries, error)) return false;
        const weir_value *run = weir_array_at(entries, 0);
        bool over = weir_member_named(run, "finished") != NULL;
        if (over && !weir_str_is(weir_member_text(run, "phase"), "Succeeded")) b->code = 1;
        weir_value_unref(entries);
        if (over) return true;
    }
    return weir_fail(error, WEIR_CANCELLED, "the backfill was ended; the same command goes on");
}

static bool run_one(backfill *b, weir_str time, bool parallel, bool dry, weir_error *error) {
    const char *called = weir_cli_text(b->cli, WEIR_FLAG_BACKFILL_NAME);
    weir_buffer name = {0};
    uint64_t at_us;
    bool ok = weir_moment_parse(time, &at_us, error);
    weir_buffer_printf(&name, "%s-%s-%llu", b->schedule, called ? called : "backfill",
                       (unsigned long long)at_us / 1000000);
    bool there = ok && is_there(b, name.data);
    if (ok && !dry && !there) ok = start_one(b, time, weir_buffer_str(&name), error);
    if (ok) {
        weir_value *entry = weir_object_new();
        weir_member_put_text(entry, "name", weir_buffer_str(&name));
        weir_member_put_text(entry, "scheduledTime", time);
        weir_array_append(b->runs, entry);
        if (!weir_cli_whole(b->cli))
            weir_buffer_printf(&b->cli->out.text,
                               weir_cli_form(b->cli, "name") ? "%s\n" : "%s  %s%s\n", name.data,
                               time.data, there ? "  (there already)" : "");
        weir_output_flush(&b->cli->out);
    }
    ok = ok && (dry || parallel || wait_for(b, name.data, error));
    weir_buffer_deinit(&name);
    return ok;
}

int weir_cron_backfill_command(weir_cli *cli) {
    weir_error error;
    weir_value *times = NULL;
    uint64_t from_us = 0, to_us = weir_view_now(), limit;
    bool parallel = weir_cli_has(cli, WEIR_FLAG_PARALLEL),
         dry = weir_cli_has(cli, WEIR_FLAG_DRY_RUN);
    backfill b = {.cli = cli,
                  .schedule = cli->words.items[0],
                  .argument = weir_cli_text(cli, WEIR_FLAG_ARGNAME)};
    weir_interrupt_serve();
    if (!weir_cli_text(cli, WEIR_FLAG_START)) {
        weir_fail(&error, WEIR_USAGE, "from when? --start TIME");
        return weir_cli_fail(&error);
    }
    if (!weir_cli_moment(cli, WEIR_FLAG_START, &from_us, &error) ||
        !weir_cli_moment(cli, WEIR_FLAG_END_TIME, &to_us, &error) ||
        !weir_cli_number(cli, WEIR_FLAG_MAX_COUNT, UINT32_MAX, BACKFILL_MAX, &limit, &error) ||
        !weir_cli_open(cli, true, NULL, &b.engine, &error))
        return weir_cli_fail(&error);
    b.runs = weir_array_new();
    bool ok = weir_cron_due(b.engine, b.schedule, from_us, to_us, limit, &times, &error);
    for (size_t i = 0; ok && i < weir_value_count(times); i++)
        ok = run_one(&b, weir_string_get(weir_array_at(times, i)), parallel, dry, &error);
    if (weir_cli_whole(cli)) weir_cli_print(cli, b.runs);
    if (ok && !weir_value_count(times)) fputs("weir: there is no such time\n", stderr);
    weir_value_unref(b.runs);
    weir_value_unref(times);
    weir_close(b.engine);
    return ok ? b.code : weir_cli_fail(&error);
}
