/* What every kind of store does, and what its tests share. The including test has a store open in `store`, and calls
 * forget_owned at its end. */
#ifndef WEIR_TESTS_STORE_CASES_H
#define WEIR_TESTS_STORE_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/event.h"
#include "store/history.h"
#include "store/memo.h"
#include "store/refer.h"
#include "store/register.h"
#include "store/rows.h"
#include "store/sql.h"
#include "store/store.h"

static weir_loop *loop;
static weir_store *store;
static weir_error error;

typedef struct completion {
    int count, failed;
    weir_error error; /* the last */
} completion;

static void note_done(void *arg, const weir_error *failure) {
    completion *c = arg;
    c->count++;
    if (!failure) return;
    c->failed++;
    c->error = *failure;
}

/* The runs whose lease the store was asked for. */
static WEIR_VECTOR(char *) owned;

static void own(const char *run) {
    for (size_t i = 0; i < owned.count; i++)
        if (strcmp(owned.items[i], run) == 0) return;
    assert_true(weir_store_own(store, weir_str_from(run), &error));
    *weir_vector_push(&owned) = weir_str_dup(weir_str_from(run));
}

static void forget_owned(void) {
    for (size_t i = 0; i < owned.count; i++) weir_free(owned.items[i]);
    weir_vector_deinit(&owned);
}

static void append_to(const char *run, uint64_t sequence, const char *text,
                      const weir_run_record *record, completion *c) {
    weir_buffer bytes = {0};
    weir_buffer_text(&bytes, text);
    own(run);
    weir_store_append(store, weir_str_from(run), sequence, bytes, (weir_buffer){0}, record,
                      note_done, c);
}

static void wait_for(const completion *c, int count) {
    while (c->count < count) weir_loop_once(loop, true);
}

/* By several at once, each of which has to succeed. */
static void open_in_processes(const char *directory, const char *url) {
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i]) continue;
        weir_store *mine;
        bool ok = weir_store_open(loop, directory, url, WEIR_DURABILITY_FULL, &mine, &error);
        if (!ok) fprintf(stderr, "%s\n", error.message);
        _exit(!ok);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

static weir_run_record record_of(const char *id, const char *name, const char *phase,
                                 uint64_t created_us) {
    return (weir_run_record){weir_str_from(id),
                             weir_str_from(name),
                             WEIR_STR("dataflow"),
                             weir_str_from(phase),
                             WEIR_STR("flow.json"),
                             WEIR_STR("here:1"),
                             WEIR_STR(""),
                             created_us,
                             0,
                             WEIR_STR(""),
                             0};
}

static bool join_batches(void *arg, uint64_t sequence, weir_str bytes) {
    weir_buffer_printf(arg, "%d:%.*s ", (int)sequence, WEIR_ARG(bytes));
    return sequence != 4;
}

static void expect_batches(const char *run, uint64_t from, const char *expected) {
    weir_buffer all = {0};
    weir_buffer_text(&all, "");
    assert_true(weir_store_read(store, weir_str_from(run), from, join_batches, &all, &error));
    assert_string_equal(weir_buffer_str(&all).data, expected);
    weir_buffer_deinit(&all);
}

static bool join_names(void *arg, const weir_run_record *record) {
    weir_buffer_printf(arg, "%.*s=%.*s ", WEIR_ARG(record->name), WEIR_ARG(record->phase));
    if (record->parent.length) weir_buffer_printf(arg, "in %.*s ", WEIR_ARG(record->parent));
    return !weir_str_is(record->name, "last");
}

static void expect_list(size_t limit, const char *expected) {
    weir_buffer all = {0};
    weir_buffer_text(&all, "");
    assert_true(weir_store_list(store, limit, join_names, &all, &error));
    assert_string_equal(weir_buffer_str(&all).data, expected);
    weir_buffer_deinit(&all);
}

static void note_id(void *arg, const weir_run_record *record) {
    weir_buffer_str_append(arg, record->id);
}

static void expect_found(const char *run, const char *id) {
    weir_buffer found = {0};
    bool ok = weir_store_find(store, weir_str_from(run), note_id, &found, &error);
    assert_int_equal(ok, id != NULL);
    if (id)
        assert_string_equal(weir_buffer_str(&found).data, id);
    else
        assert_int_equal(error.code, WEIR_NOT_FOUND);
    weir_buffer_deinit(&found);
}

static void appends_are_read_back(void **state) {
    (void)state;
    completion c = {0};
    expect_batches("a", 1, "");
    append_to("a", 1, "one", NULL, &c);
    append_to("b", 1, "uno", NULL, &c);
    append_to("a", 2, "", NULL, &c);
    wait_for(&c, 3);
    append_to("a", 3, "three", NULL, &c);
    append_to("a", 4, "four", NULL, &c);
    append_to("a", 5, "five", NULL, &c);
    wait_for(&c, 6);
    assert_int_equal(c.failed, 0);
    expect_batches("a", 1, "1:one 2: 3:three 4:four ");
    expect_batches("a", 0, "1:one 2: 3:three 4:four ");
    expect_batches("a", 5, "5:five ");
    expect_batches("a", 6, "");
    expect_batches("b", 1, "1:uno ");
    expect_batches("nobody", 1, "");
}

static void runs_are_listed_and_found(void **state) {
    (void)state;
    completion c = {0};
    expect_list(0, "");
    expect_found("@latest", NULL);
    weir_run_record first = record_of("1", "first", "Running", 1000),
                    second = record_of("2", "second", "Running", 3000),
                    third = record_of("3", "third", "Running", 2000),
                    fourth = record_of("4", "fourth", "Pending", 3000);
    append_to("1", 1, "x", &first, &c);
    append_to("2", 1, "x", &second, &c);
    append_to("3", 1, "x", &third, &c);
    append_to("4", 1, "x", &fourth, &c);
    wait_for(&c, 4);
    first.phase = WEIR_STR("Succeeded");
    first.created_us = 9000;
    append_to("1", 2, "y", &first, &c);
    wait_for(&c, 5);
    assert_int_equal(c.failed, 0);
    expect_list(0, "fourth=Pending third=Running second=Running first=Succeeded ");
    expect_list(2, "fourth=Pending third=Running ");
    expect_found("@latest", "4");
    expect_found("third", "3");
    expect_found("2", "2");
    expect_found("nobody", NULL);
    assert_string_equal(error.message, "there is no run `nobody`");
    weir_run_record confusing = record_of("5", "2", "Running", 1);
    append_to("5", 1, "x", &confusing, &c);
    wait_for(&c, 6);
    expect_found("2", "5");
}

static void the_latest_has_no_parent_whatever_the_clock_says(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record child = record_of("2", "child", "Running", 2000),
                    older = record_of("1", "older", "Running", 3000),
                    newer = record_of("3", "newer", "Running", 1000);
    child.parent = WEIR_STR("older");
    append_to("2", 1, "x", &child, &c);
    wait_for(&c, 1);
    expect_found("@latest", NULL);
    append_to("1", 1, "x", &older, &c);
    append_to("3", 1, "x", &newer, &c);
    wait_for(&c, 3);
    child.phase = WEIR_STR("Failed");
    append_to("2", 2, "y", &child, &c);
    weir_run_record last = record_of("4", "other child", "Running", 4000);
    last.parent = WEIR_STR("newer");
    append_to("4", 1, "x", &last, &c);
    wait_for(&c, 5);
    assert_int_equal(c.failed, 0);
    expect_found("@latest", "3");
    expect_list(0, "other child=Running in newer newer=Running older=Running "
                   "child=Failed in older ");
}

static void a_taken_name_is_refused(void **state) {
    (void)state;
    completion good = {0}, bad = {0};
    weir_run_record first = record_of("1", "same", "Running", 1),
                    second = record_of("2", "same", "Running", 2);
    append_to("1", 1, "x", &first, &good);
    wait_for(&good, 1);
    append_to("2", 1, "x", &second, &bad);
    wait_for(&bad, 1);
    assert_int_equal(good.failed, 0);
    assert_int_equal(bad.error.code, WEIR_CONFLICT);
    assert_string_equal(bad.error.message, "another run is named `same`");
    expect_batches("2", 1, "");
    append_to("2", 1, "y", NULL, &bad);
    wait_for(&bad, 2);
    assert_int_equal(bad.failed, 2);
    assert_string_equal(bad.error.message, "another run is named `same`");
    append_to("1", 2, "x", NULL, &good);
    wait_for(&good, 2);
    assert_int_equal(good.failed, 0);
    expect_batches("1", 1, "1:x 2:x ");
    expect_batches("2", 1, "");
}

static void a_batch_is_written_once(void **state) {
    (void)state;
    completion c = {0};
    append_to("1", 1, "x", NULL, &c);
    append_to("1", 2, "y", NULL, &c);
    wait_for(&c, 2);
    append_to("1", 2, "z", NULL, &c);
    wait_for(&c, 3);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.error.code, WEIR_CONFLICT);
    assert_non_null(strstr(c.error.message, "batch 2 of run `1`"));
    expect_batches("1", 1, "1:x 2:y ");
}

static void names_that_runs_have_are_known(void **state) {
    (void)state;
    completion c = {0};
    const weir_str names[] = {WEIR_STR("first"), WEIR_STR("fir"), WEIR_STR("second"), WEIR_STR("")};
    bool none[4] = {false}, taken[4] = {false};
    weir_run_record first = record_of("a", "first", "Running", 1),
                    second = record_of("b", "second", "Running", 1);
    assert_true(weir_store_names(store, names, 4, none, &error));
    append_to("a", 1, "x", &first, &c);
    append_to("b", 1, "x", &second, &c);
    wait_for(&c, 2);
    assert_true(weir_store_names(store, names, 4, taken, &error));
    for (size_t i = 0; i < 4; i++) {
        assert_false(none[i]);
        assert_int_equal(taken[i], i == 0 || i == 2);
    }
    taken[0] = taken[2] = false;
    assert_true(weir_store_names(store, names, 1, taken, &error)); /* of fewer than before */
    assert_true(taken[0]);
    assert_false(taken[2]);
}

static bool find_within(void *arg, uint64_t sequence, weir_str bytes) {
    (void)sequence, (void)bytes;
    expect_found("kept", "a");
    expect_list(0, "kept=Running ");
    ++*(int *)arg;
    return true;
}

static void a_visitor_may_ask(void **state) {
    (void)state;
    completion c = {0};
    int visited = 0;
    weir_run_record record = record_of("a", "kept", "Running", 1);
    append_to("a", 1, "one", &record, &c);
    append_to("a", 2, "two", NULL, &c);
    wait_for(&c, 2);
    assert_int_equal(c.failed, 0);
    assert_true(weir_store_read(store, WEIR_STR("a"), 1, find_within, &visited, &error));
    assert_int_equal(visited, 2);
}

static bool note_whole(void *arg, uint64_t sequence, weir_str bytes, const weir_error *damage) {
    (void)bytes;
    weir_buffer_printf(arg, "%d%s ", (int)sequence, damage ? "!" : "");
    return true;
}

static void a_journal_is_shortened(void **state) {
    (void)state;
    completion c = {0};
    weir_buffer summary = {0}, seen = {0};
    weir_run_record record = record_of("a", "long", "Running", 1);
    append_to("a", 1, "one", &record, &c);
    append_to("b", 1, "uno", NULL, &c);
    for (uint64_t i = 2; i <= 4; i++) append_to("a", i, "more", NULL, &c);
    wait_for(&c, 5);
    weir_batch_begin_summary(&summary);
    weir_buffer_text(&summary, "left");
    assert_true(
        weir_store_shorten(store, WEIR_STR("a"), 2, weir_buffer_str(&summary), NULL, 0, &error));
    assert_true(
        weir_store_shorten(store, WEIR_STR("a"), 3, weir_buffer_str(&summary), NULL, 0, &error));
    expect_batches("a", 1, "3:\x02left 4:more ");
    expect_batches("a", 4, "4:more ");
    expect_batches("b", 1, "1:uno ");
    for (uint64_t from = 2; from <= 3; from++) { /* who was there before knows too little of it */
        assert_false(weir_store_read(store, WEIR_STR("a"), from, join_batches, &seen, &error));
        assert_int_equal(error.code, WEIR_CONFLICT);
    }
    assert_true(weir_store_inspect(store, WEIR_STR("a"), note_whole, &seen, &error));
    assert_string_equal(weir_buffer_str(&seen).data, "3 4 ");
    append_to("a", 5, "five", NULL, &c);
    wait_for(&c, 6);
    assert_int_equal(c.failed, 0);
    expect_batches("a", 5, "5:five ");
    weir_buffer_deinit(&summary);
    weir_buffer_deinit(&seen);
}

static void a_store_is_sound(void **state) {
    (void)state;
    completion c = {0};
    assert_true(weir_store_check(store, &error));
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    assert_true(weir_store_check(store, &error));
}

/* --- rows: only where there are tables --- */

/* A context of the run, and how far its rows go. */
static weir_buffer rows_to(uint64_t sequence, const char *phase) {
    weir_buffer rows = {0};
    weir_cell context[WEIR_COLUMNS_MAX] = {WEIR_CELL_N(1), [3] = WEIR_CELL_T(weir_str_from(phase))};
    weir_cell derived[WEIR_COLUMNS_MAX] = {WEIR_CELL_N(sequence)};
    if (sequence == 1) context[1] = WEIR_CELL_T(WEIR_STR("it's \"named\"\n\x01"));
    weir_row_put(&rows, WEIR_TABLE_CONTEXTS, context);
    weir_row_put(&rows, WEIR_TABLE_DERIVED, derived);
    return rows;
}

static void append_rows(const char *run, uint64_t sequence, const char *phase,
                        const weir_run_record *record, completion *c) {
    weir_buffer bytes = {0};
    weir_buffer_text(&bytes, "x");
    own(run);
    weir_store_append(store, weir_str_from(run), sequence, bytes, rows_to(sequence, phase), record,
                      note_done, c);
}

static uint64_t derived_of(const char *run) {
    uint64_t sequence = 99;
    assert_true(weir_store_derived(store, weir_str_from(run), &sequence, &error));
    return sequence;
}

static void wait_for_rows(const char *run, uint64_t sequence) {
    for (int i = 0; derived_of(run) != sequence && i < 500; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    assert_int_equal(derived_of(run), sequence);
}

/* A context, one within it, and a task of that with an attempt. */
static void append_family(uint64_t sequence, const weir_run_record *record, completion *c) {
    weir_buffer rows = {0}, bytes = {0};
    int64_t at = (int64_t)sequence * 10;
    weir_row_put(&rows, WEIR_TABLE_CONTEXTS, (weir_cell[WEIR_COLUMNS_MAX]){WEIR_CELL_N(at)});
    weir_row_put(&rows, WEIR_TABLE_CONTEXTS,
                 (weir_cell[WEIR_COLUMNS_MAX]){WEIR_CELL_N(at + 1), {0}, WEIR_CELL_N(at)});
    weir_row_put(&rows, WEIR_TABLE_TASKS,
                 (weir_cell[WEIR_COLUMNS_MAX]){WEIR_CELL_N(at), WEIR_CELL_N(at + 1)});
    weir_row_put(&rows, WEIR_TABLE_ATTEMPTS,
                 (weir_cell[WEIR_COLUMNS_MAX]){WEIR_CELL_N(at), WEIR_CELL_N(1)});
    weir_row_put(&rows, WEIR_TABLE_DERIVED, (weir_cell[WEIR_COLUMNS_MAX]){WEIR_CELL_N(sequence)});
    weir_buffer_text(&bytes, "x");
    own("a");
    weir_store_append(store, WEIR_STR("a"), sequence, bytes, rows, record, note_done, c);
}

static bool join_cells(void *arg, const weir_str *names, const weir_sql_value *values,
                       size_t count) {
    (void)names;
    for (size_t i = 0; values && i < count; i++)
        weir_buffer_printf(arg, "%d ", (int)values[i].number);
    return true;
}

static void expect_rows(const char *sql, const char *expected) {
    weir_buffer rows = {0};
    weir_sql *session;
    bool more;
    assert_true(weir_store_settle(store, &error));
    assert_true(weir_sql_open(store, 0, &session, &error));
    if (!weir_sql_run(session, weir_str_from(sql), 0, join_cells, &rows, &more, &error))
        fail_msg("%s", error.message);
    assert_string_equal(weir_buffer_str(&rows).data, expected);
    weir_sql_close(session);
    weir_buffer_deinit(&rows);
}

static void rows_go_with_what_is_shortened(void **state) {
    (void)state;
    completion c = {0};
    weir_buffer summary = {0};
    if (!weir_store_has_tables(store)) skip();
    weir_run_record record = record_of("a", "long", "Running", 1);
    for (uint64_t i = 1; i <= 3; i++) append_family(i, i == 1 ? &record : NULL, &c);
    wait_for(&c, 3);
    wait_for_rows("a", 3);
    weir_batch_begin_summary(&summary);
    const uint32_t over[] = {10, 11, 20, 21, 77};
    assert_true(weir_store_shorten(store, WEIR_STR("a"), 2, weir_buffer_str(&summary), over,
                                   sizeof over / sizeof *over, &error));
    expect_rows("SELECT number FROM contexts ORDER BY 1", "30 31 ");
    expect_rows("SELECT number FROM tasks", "30 ");
    expect_rows("SELECT task FROM attempts", "30 ");
    weir_buffer_deinit(&summary);
}

static bool note_sample(void *arg, const weir_history_sample *s) {
    weir_buffer_printf(arg, "%lld %.*s %.*s %llu %llu; ", (long long)s->identity, WEIR_ARG(s->run),
                       WEIR_ARG(s->name), (unsigned long long)s->input_bytes,
                       (unsigned long long)s->wall_us);
    return true;
}

static void expect_history(const int64_t *identities, size_t count, const char *expected) {
    weir_buffer text = {0};
    weir_buffer_text(&text, "");
    if (!weir_store_history(store, identities, count, note_sample, &text, &error))
        fail_msg("%s", error.message);
    assert_string_equal(text.data, expected);
    weir_buffer_deinit(&text);
}

/* A sample has its place until another takes it, of whichever run, also when its run is gone. */
static void samples_take_each_others_places(void **state) {
    (void)state;
    completion c = {0};
    if (!weir_store_has_tables(store)) skip();
    static const char *const names[] = {"first", "second"};
    for (uint64_t run = 1; run <= 2; run++) {
        const char *id = run == 1 ? "1" : "2";
        weir_run_record record = record_of(id, names[run - 1], "Succeeded", 1);
        weir_buffer rows = {0}, bytes = {0};
        record.finished_us = 5;
        for (int64_t twice = 0; twice < 2; twice++)
            weir_row_put(&rows, WEIR_TABLE_HISTORY,
                         (weir_cell[WEIR_COLUMNS_MAX]){
                             WEIR_CELL_N(7), WEIR_CELL_N(-3), WEIR_CELL_T(WEIR_STR("o")),
                             WEIR_CELL_T(weir_str_from(names[run - 1])), WEIR_CELL_N(100),
                             WEIR_CELL_N(run * 10 + (uint64_t)twice), WEIR_CELL_N(0),
                             WEIR_CELL_N(0), WEIR_CELL_N(1), WEIR_CELL_N(9)});
        weir_row_put(&rows, WEIR_TABLE_HISTORY,
                     (weir_cell[WEIR_COLUMNS_MAX]){
                         WEIR_CELL_N(run), WEIR_CELL_N(run), WEIR_CELL_T(WEIR_STR("o")),
                         WEIR_CELL_T(WEIR_STR("")), WEIR_CELL_N(0), WEIR_CELL_N(run),
                         WEIR_CELL_N(0), WEIR_CELL_N(0), WEIR_CELL_N(1), WEIR_CELL_N(9)});
        weir_row_put(&rows, WEIR_TABLE_DERIVED, (weir_cell[WEIR_COLUMNS_MAX]){WEIR_CELL_N(1)});
        weir_buffer_text(&bytes, "x");
        own(id);
        weir_store_append(store, weir_str_from(id), 1, bytes, rows, &record, note_done, &c);
        wait_for(&c, (int)run);
        wait_for_rows(id, 1);
    }
    expect_history((int64_t[]){-3}, 1, "-3 2 second 100 21; ");
    expect_history((int64_t[]){1, 5, 2}, 3, "1 1  0 1; 2 2  0 2; ");
    assert_true(weir_store_delete(store, (weir_str[]){WEIR_STR("2")}, 1, &error));
    expect_history((int64_t[]){-3}, 1, "-3 2 second 100 21; ");
    expect_history((int64_t[]){0}, 0, "");
}

/* Rows wait a moment, but with a run that ends after a pause. */
static void rows_follow_their_batches(void **state) {
    (void)state;
    completion c = {0};
    if (!weir_store_has_tables(store)) skip();
    weir_run_record first = record_of("1", "first", "Running", 1),
                    second = record_of("2", "second", "Running", 1);
    append_rows("1", 1, "Running", &first, &c);
    append_rows("2", 1, "Running", &second, &c);
    wait_for(&c, 2);
    wait_for_rows("1", 1);
    nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL);
    append_rows("2", 2, "Running", NULL, &c);
    append_rows("2", 3, "Succeeded", NULL, &c);
    second.finished_us = 5;
    append_rows("2", 4, "Succeeded", &second, &c);
    wait_for(&c, 5);
    assert_int_equal(c.failed, 0);
    assert_int_equal(derived_of("2"), 4);
    assert_int_equal(derived_of("nobody"), 0);
}

/* Rows of a run that is not listed, as it was deleted, go; those of others do not go with them. */
static void rows_of_nobody_are_dropped(void **state) {
    (void)state;
    completion c = {0};
    if (!weir_store_has_tables(store)) skip();
    weir_run_record record = record_of("1", "first", "Running", 1);
    append_rows("2", 1, "Running", NULL, &c);
    append_rows("1", 1, "Running", &record, &c);
    wait_for(&c, 2);
    record.finished_us = 5;
    append_rows("1", 2, "Succeeded", &record, &c);
    wait_for(&c, 3);
    assert_int_equal(c.failed, 0);
    wait_for_rows("1", 2);
    assert_int_equal(derived_of("2"), 0);
    /* One that is over has no lease. */
    record.finished_us = 6;
    append_rows("1", 3, "Succeeded", &record, &c);
    wait_for(&c, 4);
    weir_store_disown(store, WEIR_STR("1"), true);
    wait_for_rows("1", 3);
}

static void rows_are_made_anew(void **state) {
    (void)state;
    completion c = {0};
    if (!weir_store_has_tables(store)) skip();
    weir_run_record record = record_of("1", "first", "Running", 1);
    record.finished_us = 5;
    append_rows("1", 1, "Succeeded", &record, &c);
    wait_for(&c, 1);
    wait_for_rows("1", 1);
    weir_buffer rows = rows_to(7, "Failed");
    assert_true(weir_store_derive(store, WEIR_STR("1"), false, weir_buffer_str(&rows), &error));
    assert_int_equal(derived_of("1"), 7);
    assert_true(weir_store_derive(store, WEIR_STR("1"), true, WEIR_STR(""), &error));
    assert_int_equal(derived_of("1"), 0);
    weir_buffer_deinit(&rows);
}

static void rows_go_with_their_run(void **state) {
    (void)state;
    completion c = {0};
    if (!weir_store_has_tables(store)) skip();
    weir_run_record record = record_of("1", "first", "Running", 1),
                    other = record_of("2", "second", "Running", 1);
    record.finished_us = other.finished_us = 5;
    append_rows("1", 1, "Succeeded", &record, &c);
    append_rows("2", 1, "Succeeded", &other, &c);
    wait_for(&c, 2);
    assert_int_equal(c.failed, 0);
    wait_for_rows("1", 1);
    wait_for_rows("2", 1);
    weir_store_disown(store, WEIR_STR("1"), true);
    assert_true(weir_store_delete(store, &WEIR_STR("1"), 1, &error));
    assert_int_equal(derived_of("1"), 0);
    assert_int_equal(derived_of("2"), 1);
    append_to("3", 1, "x", NULL, &c);
    wait_for(&c, 3);
    assert_int_equal(c.failed, 0);
}

static bool join_streams(void *arg, weir_str run) {
    weir_buffer_printf(arg, "%.*s ", WEIR_ARG(run));
    return true;
}

static bool count_batch(void *arg, uint64_t sequence, weir_str bytes, const weir_error *damage) {
    (void)bytes;
    weir_buffer_printf(arg, "%d%s ", (int)sequence, damage ? "!" : "");
    return true;
}

static void journals_are_cut(void **state) {
    (void)state;
    completion c = {0};
    weir_buffer all = {0};
    weir_run_record record = record_of("1", "first", "Running", 1);
    append_to("1", 1, "one", &record, &c);
    append_to("0", 1, "uno", NULL, &c);
    append_to("1", 2, "two", NULL, &c);
    append_to("1", 3, "three", NULL, &c);
    wait_for(&c, 4);
    assert_true(weir_store_streams(store, join_streams, &all, &error));
    assert_non_null(strstr(all.data, "0 "));
    assert_non_null(strstr(all.data, "1 "));
    assert_int_equal(all.length, 4);
    record.phase = WEIR_STR("Error");
    assert_true(weir_store_cut(store, 2, &record, &error));
    weir_buffer_clear(&all);
    assert_true(weir_store_inspect(store, WEIR_STR("1"), count_batch, &all, &error));
    assert_string_equal(all.data, "1 ");
    expect_list(0, "first=Error ");
    weir_buffer_deinit(&all);
}

/* --- memoized results ------------------------------------------------------------------------- */

/* 64 letters of one. */
static weir_str key_of(char letter) {
    static char keys[16][WEIR_MEMO_KEY_LETTERS + 1];
    char *key = keys[letter - 'a'];
    memset(key, letter, WEIR_MEMO_KEY_LETTERS);
    return (weir_str){key, WEIR_MEMO_KEY_LETTERS};
}

static void note_put(void *arg, const weir_memo_entry *entry, bool written) {
    completion *c = arg;
    assert_int_equal(entry->key.length, WEIR_MEMO_KEY_LETTERS);
    c->count++;
    c->failed += !written;
}

/* What is put is written, or stays away for what is there. */
static bool put_memo(char key, const char *value, const char *blob, uint64_t created_us,
                     uint64_t replaces) {
    completion c = {0};
    weir_memo_entry entry = {.key = key_of(key),
                             .cache = key == 'c' ? WEIR_STR("own") : WEIR_STR(""),
                             .operation = WEIR_STR("process.run"),
                             .instance = WEIR_STR("count"),
                             .run = WEIR_STR("1"),
                             .task = 7,
                             .created_us = created_us,
                             .size = strlen(value),
                             .value = weir_str_from(value),
                             .blob = weir_str_from(blob)};
    weir_store_memo_put(store, &entry, replaces, note_put, &c);
    wait_for(&c, 1);
    return !c.failed;
}

static bool join_memos(void *arg, const weir_memo_entry *e) {
    assert_int_equal(e->task, 7);
    weir_buffer_printf(arg, "%c:%.*s%.*s@%d by %.*s in '%.*s' ", *e->key.data, WEIR_ARG(e->value),
                       WEIR_ARG(e->blob), (int)e->created_us, WEIR_ARG(e->run), WEIR_ARG(e->cache));
    return true;
}

static void expect_memos(const char *keys, const char *expected) {
    weir_str wanted[WEIR_MEMO_KEYS_MAX];
    weir_buffer all = {0};
    size_t count = strlen(keys);
    weir_buffer_text(&all, "");
    for (size_t i = 0; i < count; i++) wanted[i] = key_of(keys[i]);
    assert_true(weir_store_memo_find(store, wanted, count, join_memos, &all, &error));
    assert_string_equal(weir_buffer_str(&all).data, expected);
    weir_buffer_deinit(&all);
}

static void expect_listed(const weir_memo_filter *filter, const char *expected) {
    weir_buffer all = {0};
    weir_buffer_text(&all, "");
    assert_true(weir_store_memo_list(store, filter, join_memos, &all, &error));
    assert_string_equal(weir_buffer_str(&all).data, expected);
    weir_buffer_deinit(&all);
}

static void make_run(void) {
    completion c = {0};
    weir_run_record record = record_of("1", "first", "Running", 1);
    append_to("1", 1, "x", &record, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
}

static void results_are_put_found_and_removed(void **state) {
    (void)state;
    expect_memos("ab", "");
    assert_true(put_memo('a', "one", "", 1000, 0));
    make_run();
    assert_true(put_memo('b', "two", "", 2000, 0));
    assert_true(put_memo('c', "", "sha256:3", 3000, 0));
    expect_memos("", "");
    expect_memos("d", "");
    expect_memos("b", "b:two@2000 by 1 in '' ");
    expect_memos("c", "c:sha256:3@3000 by 1 in 'own' ");
    /* What is there stays, but for the entry that is to be replaced. */
    assert_false(put_memo('b', "other", "", 4000, 0));
    assert_false(put_memo('b', "other", "", 4000, 1999));
    expect_memos("b", "b:two@2000 by 1 in '' ");
    assert_true(put_memo('b', "newer", "", 4000, 2000));
    expect_memos("b", "b:newer@4000 by 1 in '' ");
    assert_true(put_memo('b', "", "sha256:4", 5000, 4000));
    expect_memos("b", "b:sha256:4@5000 by 1 in '' ");
    weir_memo_entry gone[] = {{.key = key_of('a'), .created_us = 1000},
                              {.key = key_of('b'), .created_us = 4000},
                              {.key = key_of('d'), .created_us = 1}};
    assert_true(weir_store_memo_remove(store, gone, 3, &error));
    expect_memos("a", "");
    expect_memos("b", "b:sha256:4@5000 by 1 in '' "); /* another than was meant */
}

static void results_are_listed(void **state) {
    (void)state;
    make_run();
    assert_true(put_memo('a', "one", "", 1000, 0));
    assert_true(put_memo('b', "", "sha256:2", 2000, 0));
    assert_true(put_memo('c', "three", "", 3000, 0));
    const char *c = "c:@3000 by 1 in 'own' ", *b = "b:sha256:2@2000 by 1 in '' ";
    char text[200];
    snprintf(text, sizeof text, "%s%sa:@1000 by 1 in '' ", c, b);
    expect_listed(&(weir_memo_filter){.limit = 0}, text);
    expect_listed(&(weir_memo_filter){.limit = 1}, c);
    expect_listed(&(weir_memo_filter){.cache = WEIR_STR("own")}, c);
    expect_listed(&(weir_memo_filter){.key = WEIR_STR("bb")}, b);
    expect_listed(&(weir_memo_filter){.key = WEIR_STR("ba")}, "");
    expect_listed(&(weir_memo_filter){.before_us = 2000}, "a:@1000 by 1 in '' ");
    expect_listed(&(weir_memo_filter){.operation = WEIR_STR("files.read")}, "");
    expect_listed(&(weir_memo_filter){.operation = WEIR_STR("process.run"), .limit = 1}, c);
}

static void results_go_with_their_batches(void **state) {
    (void)state;
    completion batches = {0}, puts = {0};
    make_run();
    for (char key = 'a'; key < 'k'; key++) {
        weir_memo_entry entry = {.key = key_of(key),
                                 .operation = WEIR_STR("o"),
                                 .run = WEIR_STR("1"),
                                 .task = 7,
                                 .created_us = 1,
                                 .value = WEIR_STR("v")};
        append_to("1", (uint64_t)(key - 'a') + 2, "y", NULL, &batches);
        weir_store_memo_put(store, &entry, 0, note_put, &puts);
        weir_store_memo_put(store, &entry, 0, note_put, &puts); /* the second stays away */
    }
    wait_for(&puts, 20);
    assert_int_equal(batches.count, 10);
    assert_int_equal(batches.failed, 0);
    assert_int_equal(puts.failed, 10);
    expect_memos("aj", "a:v@1 by 1 in '' j:v@1 by 1 in '' ");
}

static void results_outlive_their_run(void **state) {
    (void)state;
    make_run();
    assert_true(put_memo('a', "one", "", 1000, 0));
    assert_true(put_memo('b', "", "sha256:2", 2000, 0));
    assert_true(weir_store_delete(store, &WEIR_STR("1"), 1, &error));
    expect_memos("a", "a:one@1000 by  in '' ");
    expect_listed(&(weir_memo_filter){.limit = 0}, "b:sha256:2@2000 by  in '' a:@1000 by  in '' ");
}

/* --- references to blobs ---------------------------------------------------------------------- */

static weir_reference reference_of(const char *run, const char *digest, const char *place) {
    return (weir_reference){weir_str_from(run), weir_str_from(digest), weir_str_from(place), 7};
}

static bool join_references(void *arg, const weir_reference *r) {
    assert_int_equal(r->size, 7);
    weir_buffer_printf(arg, "%.*s:%.*s@%.*s ", WEIR_ARG(r->run), WEIR_ARG(r->digest),
                       WEIR_ARG(r->place));
    return !weir_str_is(r->digest, "last");
}

static void expect_references(const char *run, const char *digest, const char *expected) {
    weir_buffer all = {0};
    weir_buffer_text(&all, "");
    assert_true(weir_store_references(store, weir_str_from(run), weir_str_from(digest),
                                      join_references, &all, &error));
    assert_string_equal(all.data, expected);
    weir_buffer_deinit(&all);
}

static void expect_forsaken(const char *expected) {
    weir_buffer all = {0};
    weir_buffer_text(&all, "");
    assert_true(weir_store_forsaken(store, NULL, join_references, &all, &error));
    assert_string_equal(all.data, expected);
    weir_buffer_deinit(&all);
}

static void references_outlive_their_run(void **state) {
    (void)state;
    const weir_reference here[] = {reference_of("1", "b", "here"), reference_of("1", "a", "here"),
                                   reference_of("1", "a", "there")},
                         others[] = {reference_of("2", "a", "here"),
                                     reference_of("1", "a", "here")};
    completion c = {0};
    weir_run_record record = record_of("1", "first", "Succeeded", 1);
    if (!weir_store_has_tables(store)) { /* in memory nobody refers to anything */
        expect_references("1", "", "");
        expect_forsaken("");
        return;
    }
    weir_store_refer(store, here, 3, 1000, note_done, &c);
    append_to("1", 1, "one", &record, &c);
    weir_store_refer(store, others, 2, 2000, note_done, &c); /* one is there already */
    wait_for(&c, 3);
    assert_int_equal(c.failed, 0);
    expect_references("1", "", "1:a@here 1:a@there 1:b@here ");
    expect_references("1", "a", "1:a@here 1:a@there ");
    expect_references("", "b", "1:b@here ");
    expect_references("3", "", "");
    /* A run that may still begin, and one that did not. */
    assert_true(weir_store_forsake(store, 2000, &error));
    expect_forsaken("");
    assert_true(weir_store_forsake(store, 2001, &error));
    expect_forsaken("2:a@here ");
    weir_store_disown(store, WEIR_STR("1"), true);
    assert_true(weir_store_delete(store, &WEIR_STR("1"), 1, &error));
    expect_forsaken("1:a@here 1:a@there 1:b@here 2:a@here ");
    assert_true(weir_store_unrefer(store, here, 2, &error));
    assert_true(weir_store_unrefer(store, others, 1, &error));
    assert_true(weir_store_unrefer(store, others, 1, &error));
    expect_forsaken("1:a@there ");
    weir_buffer none = {0};
    assert_true(weir_store_forsaken(store, &here[2], join_references, &none, &error));
    assert_int_equal(none.length, 0);
}

/* The cases, for each kind: X(function). */
static void expect_register(const char *key, uint64_t version, const char *value) {
    weir_buffer found = {0};
    uint64_t at = 99;
    assert_true(weir_store_register_get(store, weir_str_from(key), &found, &at, &error));
    assert_int_equal(at, version);
    assert_true(weir_str_is(weir_buffer_str(&found), value));
    weir_buffer_deinit(&found);
}

static bool put_register(const char *key, const char *value, uint64_t version) {
    bool written = false;
    assert_true(weir_store_register_put(store, weir_str_from(key), weir_str_from(value), version,
                                        &written, &error));
    return written;
}

static void registers_are_written_by_who_read_last(void **state) {
    (void)state;
    expect_register("a", 0, "");
    assert_false(put_register("a", "x", 7));
    assert_true(put_register("a", "one", 0));
    assert_false(put_register("a", "two", 0));
    expect_register("a", 1, "one");
    assert_true(put_register("a", "", 1));
    assert_false(put_register("a", "three", 1));
    expect_register("a", 2, "");
    assert_true(put_register("b", "b", 0));
    expect_register("a", 2, "");
}

static bool note_register(void *arg, weir_str key, weir_str value, uint64_t version) {
    weir_buffer_printf(arg, "%.*s=%.*s@%d ", WEIR_ARG(key), WEIR_ARG(value), (int)version);
    return !weir_str_is(key, "s/b");
}

static void registers_are_listed_and_removed(void **state) {
    (void)state;
    weir_buffer found = {0};
    bool removed = true;
    assert_true(put_register("s/b", "two", 0) && put_register("s/a", "one", 0));
    assert_true(put_register("s/c", "", 0) && put_register("t", "", 0) &&
                put_register("s/a", "1", 1));
    assert_true(weir_store_register_list(store, WEIR_STR("s/"), note_register, &found, &error));
    assert_string_equal(found.data, "s/a=1@2 s/b=two@1 ");
    assert_true(weir_store_register_remove(store, WEIR_STR("s/a"), 1, &removed, &error));
    assert_false(removed);
    assert_true(weir_store_register_remove(store, WEIR_STR("s/a"), 2, &removed, &error));
    assert_true(removed);
    assert_true(weir_store_register_remove(store, WEIR_STR("none"), 0, &removed, &error));
    assert_false(removed);
    expect_register("s/a", 0, "");
    weir_buffer_deinit(&found);
}

/* clang-format off */
#define STORE_CASES(X) \
    X(appends_are_read_back) \
    X(runs_are_listed_and_found) \
    X(the_latest_has_no_parent_whatever_the_clock_says) \
    X(a_taken_name_is_refused) \
    X(registers_are_written_by_who_read_last) \
    X(registers_are_listed_and_removed) \
    X(a_batch_is_written_once) \
    X(a_journal_is_shortened) \
    X(rows_go_with_what_is_shortened) \
    X(names_that_runs_have_are_known) \
    X(a_visitor_may_ask) \
    X(samples_take_each_others_places)                                                             \
    X(rows_follow_their_batches) \
    X(rows_of_nobody_are_dropped) \
    X(rows_are_made_anew) \
    X(rows_go_with_their_run) \
    X(journals_are_cut) \
    X(results_are_put_found_and_removed) \
    X(results_are_listed) \
    X(results_outlive_their_run) \
    X(results_go_with_their_batches) \
    X(a_store_is_sound) \
    X(references_outlive_their_run)
/* clang-format on */

#endif
