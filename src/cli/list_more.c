#include "cli/list_more.h"

#include <stdio.h>

/* Rows that are asked for at once: what a table shows, so they are few. */
typedef struct looking {
    weir_value *out;
    const char *const *members;
} looking;

static bool take_row(void *arg, const weir_value *names, const weir_value *row) {
    looking *l = arg;
    (void)names;
    if (!row) return true;
    weir_value *entry = weir_member_object(l->out, weir_string_get(weir_array_at(row, 0)));
    for (size_t i = 0; l->members[i]; i++)
        weir_member_put(entry, l->members[i], weir_value_ref(weir_array_at(row, i + 1)));
    return true;
}

static bool has_failed(const weir_value *run) {
    weir_str phase = weir_member_text(run, "phase");
    return weir_str_is(phase, "Failed") || weir_str_is(phase, "Error");
}

static bool is_workflow(const weir_value *run) {
    return weir_str_is(weir_member_text(run, "kind"), "workflow");
}

/* " run IN ('id', …)": ids are made by weir; what is none of its own is left out. */
static bool put_ids(const weir_value *page, bool (*wanted)(const weir_value *run),
                    weir_buffer *sql) {
    bool any = false;
    weir_buffer_text(sql, " run IN (");
    for (size_t i = 0; i < weir_value_count(page); i++) {
        const weir_value *run = weir_array_at(page, i);
        weir_str id = weir_member_text(run, "run");
        bool plain = id.length > 0;
        for (size_t c = 0; c < id.length; c++)
            plain = plain && strchr("0123456789abcdefghijklmnopqrstuvwxyz", id.data[c]);
        if (!plain || !wanted(run)) continue;
        weir_buffer_printf(sql, "%s'%.*s'", any ? "," : "", WEIR_ARG(id));
        any = true;
    }
    weir_buffer_byte(sql, ')');
    return any;
}

/* `select`, the runs, `rest`. */
static bool ask(weir_engine *engine, const char *select, const weir_value *page,
                bool (*wanted)(const weir_value *run), const char *rest, looking *l,
                weir_error *error) {
    weir_buffer sql = {0};
    bool more, ok = true;
    weir_buffer_text(&sql, select);
    if (put_ids(page, wanted, &sql)) {
        weir_buffer_text(&sql, rest);
        ok = weir_query(engine, sql.data, 0, 0, take_row, l, &more, error);
    }
    weir_buffer_deinit(&sql);
    return ok;
}

static bool take_first(void *arg, const weir_value *event) {
    weir_value *entry = arg;
    static const char *const members[] = {"parameters", "priority"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        weir_value *said = weir_member_named(weir_member_named(event, "data"), members[i]);
        if (said) weir_member_put(entry, members[i], weir_value_ref(said));
    }
    return false;
}

static bool ask_requests(weir_engine *engine, const weir_value *page, weir_value *out,
                         weir_error *error) {
    const weir_events_query first = {.size = sizeof first, .limit = 1};
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(page); i++) {
        weir_str id = weir_member_text(weir_array_at(page, i), "run");
        if (is_workflow(weir_array_at(page, i)))
            ok = weir_read_events(engine, id.data, &first, take_first, weir_member_object(out, id),
                                  error);
    }
    return ok;
}

bool weir_list_more(weir_engine *engine, const weir_value *page, bool wide, weir_value **out,
                    weir_error *error) {
    static const char *const message[] = {"message", NULL}, *const pods[] = {"pods", NULL};
    looking l = {.out = weir_object_new(), .members = message};
    bool ok = ask(engine, "SELECT run, message FROM contexts WHERE", page, has_failed,
                  " AND number <= 1 AND message <> ''", &l, error) &&
              ask(engine, "SELECT run, message FROM nodes WHERE", page, has_failed,
                  " AND number = 0 AND message <> ''", &l, error) &&
              ask_requests(engine, page, l.out, error);
    l.members = pods;
    if (ok && wide)
        ok = ask(engine,
                 "SELECT run, sum(phase = 'Pending') || '/' || sum(phase = 'Running') || '/' ||"
                 " sum(phase NOT IN ('Pending', 'Running')) FROM nodes WHERE type = 'Pod' AND",
                 page, is_workflow, " GROUP BY run", &l, error);
    if (ok)
        *out = l.out;
    else
        weir_value_unref(l.out);
    return ok;
}
