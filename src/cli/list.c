#include <stdio.h>

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
        size_t from = out->length;
        put_ages(run, now_us, age, duration);
        for (int column = 0; column < 3; column++)
            weir_buffer_printf(out, "%-*.*s  ", widths[column],
                               WEIR_ARG(weir_member_text(run, members[column])));
        weir_buffer_printf(out, "%-*s  %s", widths[3], age, duration);
        weir_output_line(out, from);
    }
}

/* The runs that nobody began but a user: children are their parents' business. */
static weir_value *without_children(weir_value *runs, size_t limit) {
    weir_value *own = weir_array_new();
    for (size_t i = 0; i < weir_value_count(runs); i++)
        if (!weir_member_text(weir_array_at(runs, i), "parent").length &&
            (!limit || weir_value_count(own) < limit))
            weir_array_append(own, weir_value_ref(weir_array_at(runs, i)));
    weir_value_unref(runs);
    return own;
}

bool weir_list_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    uint32_t limit;
    weir_value *runs;
    if (!weir_cli_count(cli, WEIR_FLAG_LIMIT, &limit, error)) return false;
    bool whole = weir_cli_whole(cli), jsonl = weir_cli_form(cli, "jsonl");
    bool all = whole || jsonl || weir_cli_has(cli, WEIR_FLAG_ALL);
    if (!weir_list(engine, all ? limit : 0, &runs, error)) return false;
    if (!all) runs = without_children(runs, limit);
    if (whole) weir_cli_print(cli, runs);
    if (weir_cli_form(cli, "text")) print_table(runs, &cli->out.text);
    for (size_t i = 0; i < weir_value_count(runs); i++) {
        const weir_value *run = weir_array_at(runs, i);
        if (jsonl) weir_output_value(&cli->out, run, 0);
        if (!weir_cli_form(cli, "name")) continue;
        weir_output_plain(&cli->out.text, weir_member_text(run, "name"));
        weir_buffer_byte(&cli->out.text, '\n');
    }
    weir_value_unref(runs);
    return true;
}

bool weir_get_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *status;
    if (!weir_get(engine, cli->words.items[0], &status, error)) return false;
    if (weir_cli_whole(cli)) {
        weir_cli_print(cli, status);
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
    weir_buffer
        first; /* waits: whether lines say whose they are depends on whether there is a second */
    weir_value *first_node;
    size_t count;
} log_printer;

static void print_log(weir_output *out, const weir_value *node, weir_str log) {
    for (size_t from = 0, end; from < log.length && weir_output_more(out); from = end + 1) {
        end = weir_str_find(log, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = log.length;
        if (node) weir_output_plain(&out->text, weir_member_text(node, "name"));
        if (node) weir_buffer_text(&out->text, ": ");
        weir_buffer_str_append(&out->text, weir_str_slice(log, from, end));
        weir_buffer_byte(&out->text, '\n');
    }
}

static void take_log(void *arg, const weir_value *node, weir_str log) {
    log_printer *logs = arg;
    if (++logs->count == 1) {
        logs->first_node = weir_value_ref((weir_value *)node);
        weir_buffer_str_append(&logs->first, log);
        return;
    }
    if (logs->count == 2) print_log(logs->out, logs->first_node, weir_buffer_str(&logs->first));
    print_log(logs->out, node, log);
}

bool weir_logs_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *node = cli->words.count > 1 ? cli->words.items[1] : NULL;
    log_printer logs = {.out = &cli->out};
    bool ok = weir_read_logs(engine, cli->words.items[0], node, take_log, &logs, error);
    if (ok && !logs.count) fprintf(stderr, "weir: nothing was written\n");
    if (ok && logs.count == 1) print_log(&cli->out, NULL, weir_buffer_str(&logs.first));
    weir_value_unref(logs.first_node);
    weir_buffer_deinit(&logs.first);
    return ok;
}

bool weir_cancel_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    return weir_cancel(engine, cli->words.items[0], weir_cli_has(cli, WEIR_FLAG_TERMINATE), error);
}
