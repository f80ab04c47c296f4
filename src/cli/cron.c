/* `weir cron …`: when schedules come next, and those that are kept. */
#include "base/time.h"
#include "cli/commands.h"
#include "cli/humanize.h"
#include "cli/tabs.h"
#include "cli/view.h"

enum { TIMES = 5, TIMES_MAX = 1000 };

static void print_times(weir_cli *cli, const weir_value *times, uint64_t from_us) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(times); i++) {
        const weir_value *entry = weir_array_at(times, i);
        weir_str time = weir_member_text(entry, "time");
        char in[WEIR_HUMANIZE_BYTES];
        uint64_t at_us = 0;
        weir_error ignored;
        if (weir_cli_whole(cli)) {
            weir_array_append(list, weir_string_from(time));
        } else if (weir_cli_form(cli, "jsonl")) {
            weir_output_value(&cli->out, weir_member_named(entry, "time"), 0);
        } else if (weir_moment_parse(time, &at_us, &ignored)) {
            weir_buffer_printf(&cli->out.text, "%.*s  in %s\n",
                               WEIR_ARG(weir_member_text(entry, "local")),
                               weir_humanize_long(at_us - from_us, in));
        }
    }
    if (weir_cli_whole(cli))
        weir_cli_print(cli, list);
    else if (!weir_value_count(times) && weir_cli_form(cli, "text"))
        weir_buffer_text(&cli->out.text, "never within five years\n");
    weir_value_unref(list);
}

int weir_cron_next_command(weir_cli *cli) {
    weir_error error;
    weir_value *times;
    uint64_t from_us = weir_view_now(), count;
    if (!weir_cli_moment(cli, WEIR_FLAG_FROM_TIME, &from_us, &error) ||
        !weir_cli_number(cli, WEIR_FLAG_COUNT_OF, TIMES_MAX, TIMES, &count, &error) ||
        !weir_cron_times((const char *const *)cli->words.items, cli->words.count,
                         weir_cli_text(cli, WEIR_FLAG_TIMEZONE), from_us, count, &times, &error))
        return weir_cli_fail(&error);
    print_times(cli, times, from_us);
    weir_value_unref(times);
    return 0;
}

/* --- schedules that are kept ------------------------------------------------------------------- */

static weir_str metadata_text(const weir_value *schedule, const char *member) {
    return weir_member_text(weir_member_named(schedule, "metadata"), member);
}

static const weir_value *status_of(const weir_value *schedule, const char *member) {
    return weir_member_named(weir_member_named(schedule, "status"), member);
}

static weir_str status_text(const weir_value *schedule, const char *member) {
    return weir_member_text(weir_member_named(schedule, "status"), member);
}

static bool is_suspended(const weir_value *schedule) {
    const weir_value *suspend = weir_member_named(weir_member_named(schedule, "spec"), "suspend");
    return weir_is(suspend, WEIR_BOOL) && weir_bool_get(suspend);
}

/* All of its schedules, with commas between, as Argo shows them. */
static void put_schedules(const weir_value *schedule, weir_buffer *out) {
    const weir_value *list = weir_member_named(weir_member_named(schedule, "spec"), "schedules");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *text = weir_array_at(list, i);
        if (i) weir_buffer_byte(out, ',');
        if (weir_is(text, WEIR_STRING)) weir_output_plain(out, weir_string_get(text));
    }
}

/* How long from now, either way: "3m", or "-" where there is no such time. */
static void put_distance(weir_buffer *out, weir_str moment, bool ahead) {
    char text[WEIR_HUMANIZE_BYTES];
    uint64_t at_us = 0, now_us = weir_view_now();
    weir_error ignored;
    if (!moment.length || !weir_moment_parse(moment, &at_us, &ignored)) {
        weir_buffer_text(out, "-");
        return;
    }
    uint64_t from = ahead ? now_us : at_us, to = ahead ? at_us : now_us;
    weir_buffer_text(out, weir_humanize_short(to > from ? to - from : 0, text));
}

static void put_line(weir_buffer *out, const char *title, weir_str text) {
    if (!text.length) return;
    weir_buffer_printf(out, "%-30s ", title);
    weir_output_plain(out, text);
    weir_buffer_byte(out, '\n');
}

static void put_moment_line(weir_buffer *out, const char *title, weir_str moment) {
    char text[WEIR_HUMANIZE_BYTES];
    uint64_t at_us = 0;
    weir_error ignored;
    if (moment.length && weir_moment_parse(moment, &at_us, &ignored))
        put_line(out, title, weir_str_from(weir_humanize_moment(at_us, weir_view_now(), text)));
}

static void put_spec_line(weir_buffer *out, const char *title, const weir_value *spec,
                          const char *member) {
    const weir_value *value = weir_member_named(spec, member);
    weir_buffer text = {0};
    if (value) weir_json_plain(value, &text);
    put_line(out, title, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

/* In the order and the words of Argo. */
static void print_schedule(weir_cli *cli, const weir_value *schedule) {
    weir_buffer *out = &cli->out.text, text = {0};
    const weir_value *spec = weir_member_named(schedule, "spec");
    const weir_value *active = status_of(schedule, "active"),
                     *conditions = status_of(schedule, "conditions");
    put_line(out, "Name:", metadata_text(schedule, "name"));
    if (!weir_str_is(weir_member_text(schedule, "kind"), "CronWorkflow"))
        put_line(out, "Kind:", weir_member_text(schedule, "kind"));
    put_moment_line(out, "Created:", metadata_text(schedule, "creationTimestamp"));
    put_schedules(schedule, &text);
    put_line(out, "Schedules:", weir_buffer_str(&text));
    put_line(out, "Suspended:", is_suspended(schedule) ? WEIR_STR("true") : WEIR_STR("false"));
    put_spec_line(out, "Timezone:", spec, "timezone");
    put_spec_line(out, "StartingDeadlineSeconds:", spec, "startingDeadlineSeconds");
    put_spec_line(out, "ConcurrencyPolicy:", spec, "concurrencyPolicy");
    put_spec_line(out, "When:", spec, "when");
    put_spec_line(out, "StopStrategy:", weir_member_named(spec, "stopStrategy"), "expression");
    put_moment_line(out, "LastScheduledTime:", status_text(schedule, "lastScheduledTime"));
    put_moment_line(out, "NextScheduledTime:", status_text(schedule, "nextScheduledTime"));
    weir_buffer_clear(&text);
    for (size_t i = 0; weir_is(active, WEIR_ARRAY) && i < weir_value_count(active); i++)
        weir_buffer_printf(&text, "%s%.*s", i ? ", " : "",
                           WEIR_ARG(weir_member_text(weir_array_at(active, i), "name")));
    put_line(out, "Active Workflows:", weir_buffer_str(&text));
    put_spec_line(out, "Succeeded:", weir_member_named(schedule, "status"), "succeeded");
    put_spec_line(out, "Failed:", weir_member_named(schedule, "status"), "failed");
    put_line(out, "Phase:", status_text(schedule, "phase"));
    for (size_t i = 0; weir_is(conditions, WEIR_ARRAY) && i < weir_value_count(conditions); i++)
        put_line(out, "Conditions:", weir_member_text(weir_array_at(conditions, i), "message"));
    weir_buffer_deinit(&text);
}

static void print_name(weir_cli *cli, const weir_value *schedule) {
    weir_output_plain(&cli->out.text, metadata_text(schedule, "name"));
    weir_buffer_byte(&cli->out.text, '\n');
}

static void print_one(weir_cli *cli, const weir_value *schedule) {
    if (weir_cli_whole(cli))
        weir_cli_print(cli, schedule);
    else if (weir_cli_form(cli, "name"))
        print_name(cli, schedule);
    else
        print_schedule(cli, schedule);
}

/* --- create, update ---------------------------------------------------------------------------- */

static weir_value *said_beside(const weir_cli *cli, const weir_value *request) {
    weir_value *what = weir_object_new(), *schedules = weir_array_new();
    const char *zone = weir_cli_text(cli, WEIR_FLAG_TIMEZONE),
               *policy = weir_cli_text(cli, WEIR_FLAG_CONCURRENCY);
    for (size_t i = 0; i < cli->given.count; i++)
        if (cli->given.items[i].flag == WEIR_FLAG_SCHEDULE)
            weir_array_append(schedules,
                              weir_string_from(weir_str_from(cli->given.items[i].value)));
    if (weir_value_count(schedules))
        weir_member_put(what, "schedules", schedules);
    else
        weir_value_unref(schedules);
    if (zone) weir_member_put_text(what, "timezone", weir_str_from(zone));
    if (policy) weir_member_put_text(what, "concurrencyPolicy", weir_str_from(policy));
    if (weir_member_text(request, "name").length)
        weir_member_put_text(what, "name", weir_member_text(request, "name"));
    return what;
}

int weir_cron_write_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    weir_value *requests;
    int code = 0;
    if (!weir_cli_requests(cli, &requests, &error)) return weir_cli_fail(&error);
    if (!weir_cli_open(cli, false, NULL, &engine, &error)) {
        weir_value_unref(requests);
        return weir_cli_fail(&error);
    }
    for (size_t i = 0; i < weir_value_count(requests); i++) {
        weir_value *request = weir_array_at(requests, i), *what = said_beside(cli, request), *made;
        size_t said = 0;
        int failed = 0;
        bool replace = strcmp(cli->command->name, "cron update") == 0;
        if (weir_cron_put(engine, request, what, replace, weir_output_problem_counted, &said, &made,
                          &error)) {
            for (size_t j = 0; j < weir_value_count(made); j++)
                print_one(cli, weir_array_at(made, j));
            weir_value_unref(made);
        } else {
            failed = said ? weir_code_exit(error.code) : weir_cli_fail(&error);
        }
        weir_value_unref(what);
        if (failed > code) code = failed;
    }
    weir_value_unref(requests);
    weir_close(engine);
    return code;
}

/* --- list, show -------------------------------------------------------------------------------- */

static bool add_schedule(void *list, const weir_value *schedule) {
    weir_array_append(list, weir_value_ref((weir_value *)(uintptr_t)schedule));
    return true;
}

static void add_row(weir_cli *cli, weir_tabs *tabs, const weir_value *schedule) {
    const weir_value *active = status_of(schedule, "active");
    weir_tabs_line(tabs);
    weir_tabs_add(tabs, metadata_text(schedule, "name"));
    put_distance(weir_tabs_cell(tabs), metadata_text(schedule, "creationTimestamp"), false);
    put_distance(weir_tabs_cell(tabs), status_text(schedule, "lastScheduledTime"), false);
    put_distance(weir_tabs_cell(tabs), status_text(schedule, "nextScheduledTime"), true);
    put_schedules(schedule, weir_tabs_cell(tabs));
    weir_tabs_add(tabs, weir_member_text(weir_member_named(schedule, "spec"), "timezone"));
    weir_tabs_add(tabs, is_suspended(schedule) ? WEIR_STR("true") : WEIR_STR("false"));
    weir_buffer_printf(weir_tabs_cell(tabs), "%zu",
                       weir_is(active, WEIR_ARRAY) ? weir_value_count(active) : 0);
    if (!weir_cli_form(cli, "wide")) return;
    weir_tabs_add(tabs, weir_member_text(schedule, "kind"));
    weir_json_plain(status_of(schedule, "succeeded"), weir_tabs_cell(tabs));
    weir_json_plain(status_of(schedule, "failed"), weir_tabs_cell(tabs));
    weir_tabs_add(tabs, status_text(schedule, "phase"));
}

static void print_table(weir_cli *cli, const weir_value *list) {
    static const char *const titles[] = {"NAME",      "AGE",       "LAST RUN",  "NEXT RUN",
                                         "SCHEDULES", "TIMEZONE",  "SUSPENDED", "ACTIVE",
                                         "KIND",      "SUCCEEDED", "FAILED",    "PHASE"};
    weir_tabs tabs = {.padding = 3};
    size_t columns = weir_cli_form(cli, "wide") ? 12 : 8;
    if (!weir_cli_has(cli, WEIR_FLAG_NO_HEADERS)) weir_tabs_line(&tabs);
    for (size_t i = 0; i < columns && !weir_cli_has(cli, WEIR_FLAG_NO_HEADERS); i++)
        weir_tabs_add(&tabs, weir_str_from(titles[i]));
    for (size_t i = 0; i < weir_value_count(list); i++) add_row(cli, &tabs, weir_array_at(list, i));
    weir_tabs_print(&tabs, &cli->out.text);
    weir_tabs_deinit(&tabs);
}

bool weir_cron_list_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *list = weir_array_new();
    bool ok = weir_cron_list(engine, add_schedule, list, error);
    if (ok && weir_cli_whole(cli)) {
        weir_cli_print(cli, list);
    } else if (ok && weir_cli_form(cli, "name")) {
        for (size_t i = 0; i < weir_value_count(list); i++) print_name(cli, weir_array_at(list, i));
    } else if (ok) {
        print_table(cli, list);
    }
    weir_value_unref(list);
    return ok;
}

bool weir_cron_show_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    for (size_t i = 0; i < cli->words.count; i++) {
        weir_value *schedule;
        if (!weir_cron_get(engine, cli->words.items[i], &schedule, error)) return false;
        if (i && !weir_cli_whole(cli) && !weir_cli_form(cli, "name"))
            weir_buffer_byte(&cli->out.text, '\n');
        print_one(cli, schedule);
        weir_value_unref(schedule);
    }
    return true;
}

/* --- suspend, resume, delete ------------------------------------------------------------------- */

bool weir_cron_suspend_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    bool suspend = strcmp(cli->command->name, "cron suspend") == 0;
    for (size_t i = 0; i < cli->words.count; i++) {
        const char *name = cli->words.items[i];
        if (!weir_cron_suspend(engine, name, suspend, error)) return false;
        weir_buffer_printf(&cli->out.text, "%s: %s\n", name, suspend ? "suspended" : "resumed");
    }
    return true;
}

bool weir_cron_delete_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    bool all = weir_cli_has(cli, WEIR_FLAG_ALL), ok = true;
    if (all == (cli->words.count > 0))
        return weir_fail(error, WEIR_USAGE, "which: NAME…, or --all?");
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < cli->words.count; i++)
        weir_array_append(list, weir_string_from(weir_str_from(cli->words.items[i])));
    ok = !all || weir_cron_list(engine, add_schedule, list, error);
    for (size_t i = 0; ok && i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        const char *name =
            weir_is(one, WEIR_STRING) ? weir_string_get(one).data : metadata_text(one, "name").data;
        ok = weir_cron_delete(engine, name, error);
        if (ok) weir_buffer_printf(&cli->out.text, "%s: deleted\n", name);
    }
    weir_value_unref(list);
    return ok;
}
