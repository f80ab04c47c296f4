/* What every kind of store does, and what its tests share. The including test has a store open in `store`, and calls
 * forget_owned at its end. */
#ifndef WEIR_TESTS_STORE_CASES_H
#define WEIR_TESTS_STORE_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

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
    weir_store_append(store, weir_str_from(run), sequence, bytes, record, note_done, c);
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

static void a_store_is_sound(void **state) {
    (void)state;
    completion c = {0};
    assert_true(weir_store_check(store, &error));
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    assert_true(weir_store_check(store, &error));
}

/* The cases, for each kind: X(function). */
#define STORE_CASES(X)                                                                             \
    X(appends_are_read_back)                                                                       \
    X(runs_are_listed_and_found)                                                                   \
    X(the_latest_has_no_parent_whatever_the_clock_says)                                            \
    X(a_taken_name_is_refused)                                                                     \
    X(a_batch_is_written_once)                                                                     \
    X(a_visitor_may_ask)                                                                           \
    X(a_store_is_sound)

#endif
