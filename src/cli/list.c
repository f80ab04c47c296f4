#include <stdio.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"

enum { COLUMNS = 6, LABELS = COLUMNS - 1, SHOWN = 100, BLOCK = 512 };

/* A table that is printed while runs come, with as much memory as a block of it takes: each has the widths of those before,
 * or wider ones. */
typedef struct table {
    weir_cli *cli;
    weir_value *block;
    int widths[COLUMNS];
    bool labels, begun;
    uint64_t count, limit; /* 0: all */
    char last[24];         /* cursor */
    bool more;
} table;

static void put_ages(const weir_value *run, uint64_t now_us, char age[static 24],
                     char duration[static 24]) {
    uint64_t created = weir_member_count(run, "created");
    uint64_t finished = weir_member_count(run, "finished");
    uint64_t end = finished ? finished : now_us;
    weir_duration_format(now_us > created ? now_us - created : 0, age);
    weir_duration_format(end > created ? end - created : 0, duration);
}

static void put_labels(weir_buffer *out, const weir_value *run) {
    const weir_value *labels = weir_member_named(run, "labels");
    for (size_t i = 0; weir_is(labels, WEIR_OBJECT) && i < weir_value_count(labels); i++)
        weir_buffer_printf(out, "%s%.*s=%.*s", i ? "," : "", WEIR_ARG(weir_object_key(labels, i)),
                           WEIR_ARG(weir_string_get(weir_object_at(labels, i))));
}

static void print_row(table *t, const weir_str cells[static COLUMNS], const weir_value *run) {
    weir_buffer *out = &t->cli->out.text;
    size_t from = out->length;
    int last = t->labels ? LABELS : LABELS - 1;
    for (int column = 0; column < last; column++)
        weir_buffer_printf(out, "%-*.*s  ", t->widths[column], WEIR_ARG(cells[column]));
    weir_buffer_str_append(out, cells[last]);
    if (run && t->labels) put_labels(out, run);
    weir_output_line(out, from);
}

static void widen(table *t) {
    static const char *const members[3] = {"name", "kind", "phase"};
    for (size_t i = 0; i < weir_value_count(t->block); i++) {
        const weir_value *run = weir_array_at(t->block, i);
        t->labels = t->labels || (!t->begun && weir_member_named(run, "labels"));
        for (int column = 0; column < 3; column++) {
            weir_str text = weir_member_text(run, members[column]);
            if ((int)text.length > t->widths[column]) t->widths[column] = (int)text.length;
        }
    }
}

static void print_block(table *t) {
    widen(t);
    if (!t->begun)
        print_row(t,
                  (weir_str[]){WEIR_STR("NAME"), WEIR_STR("KIND"), WEIR_STR("STATUS"),
                               WEIR_STR("AGE"), WEIR_STR("DURATION"), WEIR_STR("LABELS")},
                  NULL);
    t->begun = true;
    uint64_t now_us = weir_view_now();
    for (size_t i = 0; i < weir_value_count(t->block); i++) {
        const weir_value *run = weir_array_at(t->block, i);
        char age[24], duration[24];
        put_ages(run, now_us, age, duration);
        print_row(t,
                  (weir_str[]){weir_member_text(run, "name"), weir_member_text(run, "kind"),
                               weir_member_text(run, "phase"), weir_str_from(age),
                               weir_str_from(duration), WEIR_STR("")},
                  run);
    }
    weir_value_unref(t->block);
    t->block = weir_array_new();
}

static bool take_row(void *arg, const weir_value *run) {
    table *t = arg;
    t->more = t->limit && t->count == t->limit;
    if (t->more) return false;
    t->count++;
    snprintf(t->last, sizeof t->last, "%.*s", WEIR_ARG(weir_member_text(run, "cursor")));
    weir_array_append(t->block, weir_value_ref((weir_value *)run));
    if (weir_value_count(t->block) == BLOCK) print_block(t);
    return weir_output_more(&t->cli->out);
}

/* Without --limit people get a screenful, and are told that there is more. */
static bool print_table(weir_cli *cli, weir_engine *engine, weir_run_filter *filter,
                        weir_error *error) {
    table t = {.cli = cli,
               .block = weir_array_new(),
               .widths = {4, 4, 6, 9, 9, 0},
               .labels = weir_cli_has(cli, WEIR_FLAG_LABELLED),
               .limit = filter->limit};
    if (!weir_cli_has(cli, WEIR_FLAG_LIMIT)) {
        t.limit = SHOWN;
        filter->limit = SHOWN + 1;
    }
    bool ok = weir_run_list(engine, filter, take_row, &t, error);
    if (ok) print_block(&t);
    if (ok && t.more) {
        weir_output_flush(&cli->out);
        fprintf(stderr, "weir: there are more: `--after %s` goes on, `--limit 0` lists all\n",
                t.last);
    }
    weir_value_unref(t.block);
    return ok;
}

static bool take_run(void *arg, const weir_value *run) {
    weir_cli *cli = arg;
    if (weir_cli_form(cli, "jsonl")) {
        weir_output_value(&cli->out, run, 0);
    } else {
        weir_output_plain(&cli->out.text, weir_member_text(run, "name"));
        weir_buffer_byte(&cli->out.text, '\n');
    }
    return weir_output_more(&cli->out);
}

static bool add_run(void *list, const weir_value *run) {
    weir_array_append(list, weir_value_ref((weir_value *)run));
    return true;
}

bool weir_list_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_run_filter filter;
    if (!weir_cli_filter(cli, &filter, error)) return false;
    bool whole = weir_cli_whole(cli), jsonl = weir_cli_form(cli, "jsonl");
    /* Children are their parents' business, for people. */
    if (!whole && !jsonl && !weir_cli_has(cli, WEIR_FLAG_ALL) && !filter.parent) filter.parent = "";
    if (weir_cli_form(cli, "text")) return print_table(cli, engine, &filter, error);
    if (!whole) return weir_run_list(engine, &filter, take_run, cli, error);
    weir_value *runs = weir_array_new();
    bool ok = weir_run_list(engine, &filter, add_run, runs, error);
    if (ok) weir_cli_print(cli, runs);
    weir_value_unref(runs);
    return ok;
}

bool weir_get_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_value *status;
    if (!weir_get(engine, cli->words.items[0], &status, error)) return false;
    if (weir_cli_whole(cli)) {
        weir_cli_print(cli, status);
    } else if (weir_cli_form(cli, "name")) {
        weir_output_plain(&cli->out.text, weir_member_text(status, "name"));
        weir_buffer_byte(&cli->out.text, '\n');
    } else {
        weir_view view;
        weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
        view.terminal = false; /* whoever asks wants all of it */
        weir_view_keep(&view, status, &cli->out.text);
    }
    weir_value_unref(status);
    return true;
}

bool weir_cancel_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    return weir_cancel(engine, cli->words.items[0], weir_cli_has(cli, WEIR_FLAG_TERMINATE), error);
}
