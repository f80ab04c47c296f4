/* `weir list`: Argo's table, for runs of all kinds. */
#include <stdio.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/humanize.h"
#include "cli/list_more.h"
#include "cli/tabs.h"
#include "cli/view.h"

enum { SHOWN = 100, PAGE = 500 };

/* A table that is printed page by page, with as much memory as a page takes: each has the widths of those before, or wider
 * ones. */
typedef struct table {
    weir_cli *cli;
    weir_engine *engine;
    weir_tabs tabs;
    bool wide, kinds, labels, begun;
    uint64_t now_us;
} table;

/* --- which runs ------------------------------------------------------------------------------------- */

typedef struct picking {
    uint64_t before_us; /* only runs that ended before; 0: all */
    uint64_t left;      /* UINT64_MAX: all */
    bool more;
    bool (*visit)(void *arg, const weir_value *run);
    void *arg;
} picking;

static bool pick(void *arg, const weir_value *run) {
    picking *p = arg;
    uint64_t finished_us = weir_member_count(run, "finished");
    if (p->before_us && (!finished_us || finished_us > p->before_us)) return true;
    p->more = !p->left;
    if (p->more) return false;
    if (p->left != UINT64_MAX) p->left--;
    return p->visit(p->arg, run);
}

/* The store counts, unless some that it gives are passed over here. */
static bool list_runs(weir_engine *engine, weir_run_filter *filter, picking *p, weir_error *error) {
    uint64_t limit = filter->limit;
    p->left = limit ? limit : UINT64_MAX;
    filter->limit = p->before_us || !limit ? 0 : (uint32_t)(limit + 1);
    return weir_run_list(engine, filter, pick, p, error);
}

/* --- the table -------------------------------------------------------------------------------------- */

static void put_titles(table *t) {
    static const char *const titles[] = {"NAME",     "STATUS", "AGE", "DURATION",
                                         "PRIORITY", "KIND",   NULL};
    weir_tabs_line(&t->tabs);
    for (size_t i = 0; titles[i]; i++)
        if (t->kinds || strcmp(titles[i], "KIND") != 0)
            weir_tabs_add(&t->tabs, weir_str_from(titles[i]));
    weir_tabs_add(&t->tabs, WEIR_STR("MESSAGE"));
    if (t->wide) weir_tabs_add(&t->tabs, WEIR_STR("P/R/C"));
    if (t->wide) weir_tabs_add(&t->tabs, WEIR_STR("PARAMETERS"));
    if (t->labels) weir_tabs_add(&t->tabs, WEIR_STR("LABELS"));
}

static void put_pairs(weir_buffer *out, const weir_value *pairs) {
    for (size_t i = 0; weir_is(pairs, WEIR_OBJECT) && i < weir_value_count(pairs); i++) {
        const weir_value *value = weir_object_at(pairs, i);
        if (i) weir_buffer_byte(out, ',');
        weir_output_plain(out, weir_object_key(pairs, i));
        weir_buffer_byte(out, '=');
        if (weir_is(value, WEIR_STRING)) weir_output_plain(out, weir_string_get(value));
    }
}

/* A run that is suspended goes on all the same. */
static weir_str status_of(const weir_value *run) {
    weir_str phase = weir_member_text(run, "phase");
    return weir_str_is(phase, "Suspended") ? WEIR_STR("Running (Suspended)") : phase;
}

static void put_times(table *t, const weir_value *run) {
    char text[WEIR_HUMANIZE_BYTES];
    uint64_t created_us = weir_member_count(run, "created"),
             finished_us = weir_member_count(run, "finished"),
             end_us = finished_us ? finished_us : t->now_us;
    uint64_t age_us = t->now_us > created_us ? t->now_us - created_us : 0;
    weir_tabs_add(&t->tabs, weir_str_from(weir_humanize_short(age_us, text)));
    weir_duration_format(end_us > created_us ? end_us - created_us : 0, text);
    weir_tabs_add(&t->tabs, weir_str_from(text));
}

static void put_run(table *t, const weir_value *run, const weir_value *more) {
    char number[24];
    weir_tabs_line(&t->tabs);
    weir_tabs_add(&t->tabs, weir_member_text(run, "name"));
    weir_tabs_add(&t->tabs, status_of(run));
    put_times(t, run);
    const weir_value *priority = weir_member_named(more, "priority");
    snprintf(number, sizeof number, "%lld",
             (long long)(weir_is(priority, WEIR_INT) ? weir_int_get(priority) : 0));
    weir_tabs_add(&t->tabs, weir_str_from(number));
    if (t->kinds) weir_tabs_add(&t->tabs, weir_member_text(run, "kind"));
    weir_tabs_add(&t->tabs, weir_member_text(more, "message"));
    if (t->wide) weir_tabs_add(&t->tabs, weir_member_text(more, "pods"));
    if (t->wide) put_pairs(weir_tabs_cell(&t->tabs), weir_member_named(more, "parameters"));
    if (t->labels) put_pairs(weir_tabs_cell(&t->tabs), weir_member_named(run, "labels"));
}

/* What cannot be looked up does not keep the list from those who ask for it. */
static weir_value *look_up(table *t, const weir_value *page) {
    weir_value *more;
    weir_error error;
    if (weir_list_more(t->engine, page, t->wide, &more, &error)) return more;
    weir_error_context(&error, "the messages of runs are not shown");
    if (!t->begun) weir_output_problem(&error);
    return weir_object_new();
}

static bool print_page(table *t, const weir_value *page) {
    weir_value *more = look_up(t, page);
    for (size_t i = 0; !t->begun && i < weir_value_count(page); i++)
        t->kinds =
            t->kinds || !weir_str_is(weir_member_text(weir_array_at(page, i), "kind"), "workflow");
    if (!t->begun && !weir_cli_has(t->cli, WEIR_FLAG_NO_HEADERS)) put_titles(t);
    t->begun = true;
    for (size_t i = 0; i < weir_value_count(page); i++) {
        const weir_value *run = weir_array_at(page, i);
        put_run(t, run, weir_member(more, weir_member_text(run, "run")));
    }
    weir_value_unref(more);
    weir_tabs_print(&t->tabs, &t->cli->out.text);
    return weir_output_more(&t->cli->out);
}

static bool add_run(void *list, const weir_value *run) {
    weir_array_append(list, weir_value_ref((weir_value *)run));
    return true;
}

/* Page by page, as what is asked besides cannot be asked while the list is read. */
static bool print_pages(table *t, weir_run_filter *filter, uint64_t before_us, char last[static 24],
                        bool *more, weir_error *error) {
    uint64_t left = filter->limit ? filter->limit : UINT64_MAX;
    bool ok = true;
    *more = true;
    while (ok && left && *more) {
        weir_value *page = weir_array_new();
        picking p = {.before_us = before_us, .visit = add_run, .arg = page};
        filter->limit = left < PAGE ? (uint32_t)left : PAGE;
        ok = list_runs(t->engine, filter, &p, error);
        size_t count = weir_value_count(page);
        *more = p.more;
        left -= left == UINT64_MAX ? 0 : count;
        if (count)
            snprintf(last, 24, "%.*s",
                     WEIR_ARG(weir_member_text(weir_array_at(page, count - 1), "cursor")));
        filter->after = last;
        bool printed = !ok || (!count && t->begun) || print_page(t, page);
        weir_value_unref(page);
        if (!printed) return t->cli->out.problem != 0; /* nobody reads on */
    }
    return ok;
}

/* Without --limit people get a screenful, and are told that there is more. */
static bool print_table(weir_cli *cli, weir_engine *engine, weir_run_filter *filter,
                        uint64_t before_us, weir_error *error) {
    char last[24];
    bool more;
    table t = {.cli = cli,
               .engine = engine,
               .tabs = {.padding = 3, .steady = true},
               .wide = weir_cli_form(cli, "wide"),
               .now_us = weir_view_now()};
    t.labels = t.wide || weir_cli_has(cli, WEIR_FLAG_LABELLED);
    if (!weir_cli_has(cli, WEIR_FLAG_LIMIT)) filter->limit = SHOWN;
    bool ok = print_pages(&t, filter, before_us, last, &more, error);
    if (ok && more && !weir_cli_has(cli, WEIR_FLAG_LIMIT)) {
        weir_output_flush(&cli->out);
        fprintf(stderr, "weir: there are more: `--after %s` goes on, `--limit 0` lists all\n",
                last);
    }
    filter->after = NULL; /* it was in `last` */
    weir_tabs_deinit(&t.tabs);
    return ok;
}

/* --- other forms ------------------------------------------------------------------------------------ */

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

static bool print_whole(weir_cli *cli, weir_engine *engine, weir_run_filter *filter,
                        uint64_t before_us, weir_error *error) {
    weir_value *runs = weir_array_new();
    picking p = {.before_us = before_us, .visit = add_run, .arg = runs};
    bool ok = list_runs(engine, filter, &p, error);
    if (ok) weir_cli_print(cli, runs);
    weir_value_unref(runs);
    return ok;
}

bool weir_list_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_run_filter filter;
    uint64_t before_us = 0;
    if (!weir_cli_filter(cli, &filter, error) ||
        !weir_cli_moment(cli, WEIR_FLAG_OLDER, &before_us, error))
        return false;
    bool whole = weir_cli_whole(cli), jsonl = weir_cli_form(cli, "jsonl");
    /* Children are their parents' business, for people. */
    if (!whole && !jsonl && !weir_cli_has(cli, WEIR_FLAG_ALL) && !filter.parent) filter.parent = "";
    if (weir_cli_form(cli, "text") || weir_cli_form(cli, "wide"))
        return print_table(cli, engine, &filter, before_us, error);
    if (whole) return print_whole(cli, engine, &filter, before_us, error);
    picking p = {.before_us = before_us, .visit = take_run, .arg = cli};
    return list_runs(engine, &filter, &p, error);
}
