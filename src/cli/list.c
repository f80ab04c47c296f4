#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

enum { COLUMNS = 5 };

static void put_ages(const weir_value *run, uint64_t now_us, char age[static 24],
                     char duration[static 24]) {
    uint64_t created = weir_view_number(run, "created");
    uint64_t finished = weir_view_number(run, "finished");
    uint64_t end = finished ? finished : now_us;
    weir_duration_format(now_us > created ? now_us - created : 0, age);
    weir_duration_format(end > created ? end - created : 0, duration);
}

static void print_table(const weir_value *runs, weir_buffer *out) {
    static const char *const heads[COLUMNS] = {"NAME", "KIND", "STATUS", "AGE", "DURATION"};
    int widths[COLUMNS] = {4, 4, 6, 9, 0};
    static const char *const members[3] = {"name", "kind", "phase"};
    for (size_t i = 0; i < weir_value_count(runs); i++) {
        for (int column = 0; column < 3; column++) {
            weir_str text = weir_member_text(weir_array_at(runs, i), members[column]);
            if ((int)text.length > widths[column]) widths[column] = (int)text.length;
        }
    }
    for (int column = 0; column < COLUMNS - 1; column++)
        weir_buffer_printf(out, "%-*s  ", widths[column], heads[column]);
    weir_buffer_printf(out, "%s\n", heads[COLUMNS - 1]);
    uint64_t now_us = weir_view_now();
    for (size_t i = 0; i < weir_value_count(runs); i++) {
        const weir_value *run = weir_array_at(runs, i);
        char age[24], duration[24];
        put_ages(run, now_us, age, duration);
        for (int column = 0; column < 3; column++)
            weir_buffer_printf(out, "%-*.*s  ", widths[column],
                               WEIR_ARG(weir_member_text(run, members[column])));
        weir_buffer_printf(out, "%-*s  %s\n", widths[3], age, duration);
    }
}

static bool list(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *text = weir_cli_text(cli, WEIR_FLAG_LIMIT);
    char *end = NULL;
    unsigned long limit = text ? strtoul(text, &end, 10) : 0;
    weir_value *runs;
    if (text && (*text < '1' || *text > '9' || *end || limit > UINT32_MAX))
        return weir_fail(error, WEIR_USAGE, "`--limit` must be a number from 1 on");
    if (!weir_list(engine, (uint32_t)limit, &runs, error)) return false;
    if (weir_cli_form(cli, "json"))
        weir_output_value(&cli->out, runs, 2);
    else if (weir_cli_form(cli, "text"))
        print_table(runs, &cli->out.text);
    else
        for (size_t i = 0; i < weir_value_count(runs); i++) {
            const weir_value *run = weir_array_at(runs, i);
            if (weir_cli_form(cli, "jsonl"))
                weir_output_value(&cli->out, run, 0);
            else
                weir_buffer_printf(&cli->out.text, "%.*s\n",
                                   WEIR_ARG(weir_member_text(run, "name")));
        }
    weir_value_unref(runs);
    return true;
}

static bool get(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *status;
    if (!weir_get(engine, cli->words.items[0], &status, error)) return false;
    if (weir_cli_form(cli, "json")) {
        weir_output_value(&cli->out, status, 2);
    } else {
        weir_view view;
        weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
        view.terminal = false; /* whoever asks wants all of it */
        weir_view_keep(&view, status, &cli->out.text);
    }
    weir_value_unref(status);
    return true;
}

typedef struct log_printer {
    weir_output *out;
    size_t count;
    bool named; /* each line says whose it is */
} log_printer;

static void count_log(void *arg, const weir_value *node, weir_str log) {
    (void)node;
    (void)log;
    ((log_printer *)arg)->count++;
}

static void print_log(void *arg, const weir_value *node, weir_str log) {
    log_printer *logs = arg;
    weir_str name = weir_member_text(node, "name");
    for (size_t from = 0, end; from < log.length && weir_output_more(logs->out); from = end + 1) {
        end = weir_str_find(log, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = log.length;
        if (logs->named) weir_buffer_printf(&logs->out->text, "%.*s: ", WEIR_ARG(name));
        weir_buffer_str_append(&logs->out->text, weir_str_slice(log, from, end));
        weir_buffer_byte(&logs->out->text, '\n');
    }
}

static bool print_logs(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *run = cli->words.items[0];
    const char *node = cli->words.count > 1 ? cli->words.items[1] : NULL;
    log_printer logs = {.out = &cli->out};
    if (!weir_read_logs(engine, run, node, count_log, &logs, error)) return false;
    logs.named = logs.count > 1;
    if (!logs.count) fprintf(stderr, "weir: nothing was written\n");
    return weir_read_logs(engine, run, node, print_log, &logs, error);
}

enum { EVENT_TEXT_MAX = 200 }; /* of an event's data in a line for people */

static bool print_event(void *arg, const weir_value *event) {
    weir_cli *cli = arg;
    weir_buffer *out = &cli->out.text;
    if (!weir_cli_form(cli, "text")) {
        weir_output_value(&cli->out, event, 0);
        return weir_output_more(&cli->out);
    }
    const weir_value *data = weir_member_named(event, "data");
    weir_buffer_printf(out, "%.*s  %-8.*s  %-18.*s", WEIR_ARG(weir_member_text(event, "time")),
                       WEIR_ARG(weir_member_text(event, "id")),
                       WEIR_ARG(weir_member_text(event, "type")));
    if (data && !weir_is(data, WEIR_NULL)) {
        weir_buffer_text(out, "  ");
        size_t begin = out->length;
        weir_json_format(data, 0, out);
        if (out->length - begin > EVENT_TEXT_MAX) { /* a program reads jsonl, which has it whole */
            out->length = begin + EVENT_TEXT_MAX;
            while (((unsigned char)out->data[out->length] & 0xc0) == 0x80) out->length--;
            weir_buffer_text(out, "…");
        }
    }
    weir_buffer_byte(out, '\n');
    return weir_output_more(&cli->out);
}

static bool collect_event(void *arg, const weir_value *event) {
    weir_array_append(arg, weir_value_ref((weir_value *)event));
    return true;
}

static bool events(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *run = cli->words.items[0];
    if (!weir_cli_form(cli, "json")) return weir_events(engine, run, print_event, cli, error);
    weir_value *all = weir_array_new();
    bool ok = weir_events(engine, run, collect_event, all, error);
    if (ok) weir_output_value(&cli->out, all, 2);
    weir_value_unref(all);
    return ok;
}

static bool cancel(weir_cli *cli, weir_engine *engine, weir_error *error) {
    return weir_cancel(engine, cli->words.items[0], weir_cli_has(cli, WEIR_FLAG_TERMINATE), error);
}

/* Runs `body` with an engine on the state that is there. */
static int with_engine(weir_cli *cli, bool (*body)(weir_cli *, weir_engine *, weir_error *)) {
    weir_error error;
    weir_engine *engine;
    /* Who cancels a run that nobody drives, drives it to its end. */
    const weir_options drive = {0}, *callbacks = body == cancel ? &drive : NULL;
    if (!weir_cli_open(cli, true, callbacks, &engine, &error)) return weir_cli_fail(&error);
    bool ok = body(cli, engine, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}

int weir_list_command(weir_cli *cli) {
    return with_engine(cli, list);
}
int weir_get_command(weir_cli *cli) {
    return with_engine(cli, get);
}
int weir_logs_command(weir_cli *cli) {
    return with_engine(cli, print_logs);
}
int weir_events_command(weir_cli *cli) {
    return with_engine(cli, events);
}
int weir_cancel_command(weir_cli *cli) {
    return with_engine(cli, cancel);
}
