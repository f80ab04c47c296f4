/* Claims of locks that runs share: who is next, what is given back, who counts for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/json.h"
#include "task/claims.h"

static weir_claims *book;
static const char *dead;

static bool is_alive(void *arg, weir_str run) {
    (void)arg;
    return !weir_str_is(run, dead);
}

static int set_up(void **state) {
    (void)state;
    book = weir_claims_read(WEIR_STR(""));
    dead = "";
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    weir_claims_free(book);
    return 0;
}

/* As the next process finds it. */
static void write_and_read(void) {
    weir_buffer bytes = {0};
    weir_claims_write(book, &bytes);
    weir_claims_free(book);
    book = weir_claims_read(weir_buffer_str(&bytes));
    weir_buffer_deinit(&bytes);
    assert_false(weir_claims_changed(book));
}

static weir_value *locks_of(const char *json) {
    weir_value *locks;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &locks, NULL));
    return locks;
}

#define ONE "[{\"name\": \"m\", \"limit\": 1}]"
#define TWO "[{\"name\": \"s\", \"limit\": 2}]"
#define BOTH "[{\"name\": \"m\", \"limit\": 1}, {\"name\": \"s\", \"limit\": 2}]"

static bool ask(const char *run, uint32_t node, int64_t priority, uint64_t created_us,
                const char *json) {
    weir_value *locks = locks_of(json);
    weir_claim claim = {weir_str_from(run), node, priority, created_us, locks};
    bool granted = false;
    assert_true(weir_claims_ask(book, &claim, is_alive, NULL, &granted, NULL));
    weir_value_unref(locks);
    write_and_read();
    return granted;
}

static void drop(const char *run, uint32_t node) {
    weir_claims_drop(book, weir_str_from(run), node);
}

static void one_has_it_and_the_next_is_who_came_first(void **state) {
    (void)state;
    assert_true(ask("a", 1, 0, 5, ONE));
    assert_true(ask("a", 1, 0, 5, ONE)); /* still */
    assert_false(ask("b", 1, 0, 6, ONE));
    assert_false(ask("c", 1, 0, 6, ONE));
    assert_false(ask("d", 1, 0, 4, ONE)); /* an older run */
    assert_false(ask("e", 1, 9, 9, ONE)); /* more urgent */
    static const char *const order[] = {"a", "e", "d", "b", "c"};
    for (size_t i = 1; i < 5; i++) {
        drop(order[i - 1], 1);
        for (size_t k = 4; k > i; k--)
            assert_false(
                ask(order[k], 1, order[k][0] == 'e' ? 9 : 0, order[k][0] == 'd' ? 4 : 6, ONE));
        assert_true(ask(order[i], 1, 0, 6, ONE));
    }
}

static void a_semaphore_has_as_many_as_its_limit(void **state) {
    (void)state;
    assert_true(ask("a", 1, 0, 1, TWO));
    assert_true(ask("a", 2, 0, 1, TWO));
    assert_false(ask("a", 3, 0, 1, TWO));
    assert_false(ask("b", 1, 0, 2, TWO));
    drop("a", 1);
    assert_false(ask("b", 1, 0, 2, TWO));
    assert_true(ask("a", 3, 0, 1, TWO));
    assert_false(ask("z", 1, 0, 0, "[{\"name\": \"none\", \"limit\": 0}]"));
}

static void several_are_had_at_once_or_not_at_all(void **state) {
    (void)state;
    assert_true(ask("a", 1, 0, 1, ONE));
    assert_false(ask("b", 1, 0, 2, BOTH));
    assert_true(ask("c", 1, 0, 3, TWO));  /* there is room behind it, */
    assert_false(ask("d", 1, 0, 4, TWO)); /* and none */
    drop("a", 1);
    assert_true(ask("b", 1, 0, 2, BOTH));
}

static void the_dead_count_for_nothing(void **state) {
    (void)state;
    assert_true(ask("a", 1, 0, 1, ONE));
    assert_false(ask("b", 1, 0, 2, ONE));
    assert_false(ask("c", 1, 0, 3, ONE));
    dead = "a";
    assert_true(ask("b", 1, 0, 2, ONE));
    dead = "b";
    assert_true(ask("c", 1, 0, 3, ONE));
    weir_claims_drop_run(book, WEIR_STR("c"));
    assert_true(weir_claims_changed(book));
}

static bool ask_nested(const char *run, uint32_t node, const char *json) {
    weir_value *locks = locks_of(json);
    weir_claim claim = {weir_str_from(run), node, 0, 7, locks, true};
    bool granted = false;
    assert_true(weir_claims_ask(book, &claim, is_alive, NULL, &granted, NULL));
    weir_value_unref(locks);
    write_and_read();
    return granted;
}

#define M2 "[{\"name\": \"m2\", \"limit\": 1}]"
#define M1_M2 "[{\"name\": \"m\", \"limit\": 1}, {\"name\": \"m2\", \"limit\": 1}]"

static void who_may_be_waited_for_does_not_wait_in_line(void **state) {
    (void)state;
    assert_true(ask("c", 1, 0, 9, M2));
    assert_false(ask("a", 1, 50, 0, M1_M2)); /* it waits for c, */
    assert_true(ask_nested("c", 2, ONE));    /* which needs what it waits for to come to its end */
    assert_false(ask("d", 1, 0, 1, ONE));
    drop("c", 2);
    drop("c", 1);
    assert_false(ask("d", 1, 0, 1, ONE));
    assert_true(ask("a", 1, 50, 0, M1_M2));
}

static bool take_back(const char *run, const char *first, const char *second) {
    weir_value *a = locks_of(first), *b = locks_of(second);
    weir_claim claims[] = {{weir_str_from(run), 1, 0, 1, a}, {weir_str_from(run), 2, 0, 1, b}};
    bool granted = false;
    assert_true(weir_claims_take_back(book, claims, 2, is_alive, NULL, &granted, NULL));
    weir_value_unref(a);
    weir_value_unref(b);
    write_and_read();
    return granted;
}

static void what_was_had_is_had_again_all_at_once(void **state) {
    (void)state;
    assert_true(take_back("a", ONE, TWO));
    assert_true(take_back("a", ONE, TWO));
    dead = "a";
    assert_true(ask("b", 1, 0, 2, ONE));
    dead = "";
    assert_false(take_back("a", ONE, TWO));
    assert_false(take_back("a", ONE, TWO));
    assert_false(ask("c", 1, 99, 0, ONE)); /* it stands before all */
    assert_true(ask("d", 1, 0, 9, TWO));
    drop("b", 1);
    assert_false(ask("c", 1, 99, 0, ONE));
    assert_true(take_back("a", ONE, TWO));
    assert_false(ask("c", 1, 99, 0, ONE));
}

static void what_a_run_does_not_know_any_more_goes(void **state) {
    (void)state;
    assert_true(ask("a", 1, 0, 1, ONE));
    assert_true(ask("a", 2, 0, 1, TWO));
    assert_true(ask("a", 3, 0, 1, TWO)); /* before it died, and not durable */
    assert_false(ask("b", 1, 0, 2, TWO));
    assert_true(take_back("a", ONE, TWO));
    assert_true(ask("b", 1, 0, 2, TWO));
    assert_false(ask("b", 2, 0, 2, ONE));
}

static void what_is_wanted_back_keeps_nobody_from_an_end_that_has_some(void **state) {
    (void)state;
    assert_true(take_back("a", ONE, M2));
    dead = "a";
    assert_true(ask("c", 1, 0, 2, M2));
    dead = "";
    assert_false(take_back("a", ONE, M2));
    assert_true(ask_nested("c", 2, ONE));
    drop("c", 2);
    drop("c", 1);
    assert_true(take_back("a", ONE, M2));
}

#define THREE "[{\"name\": \"t\", \"limit\": 3}]"

static void what_is_wanted_back_counts_for_as_many_places(void **state) {
    (void)state;
    assert_true(take_back("a", THREE, THREE));
    dead = "a";
    for (uint32_t i = 0; i < 3; i++) assert_true(ask("b", i, 0, 2, THREE));
    dead = "";
    assert_false(take_back("a", THREE, THREE));
    drop("b", 0);
    assert_false(ask("b", 3, 0, 2, THREE)); /* two places are kept */
    drop("b", 1);
    assert_false(ask("b", 3, 0, 2, THREE));
    assert_true(take_back("a", THREE, THREE));
    assert_false(ask("b", 3, 0, 2, THREE));
}

static void what_is_no_book_is_empty(void **state) {
    (void)state;
    static const char *const bad[] = {"x", "[]", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_claims_free(book);
        book = weir_claims_read(weir_str_from(bad[i]));
        assert_true(ask("a", 1, 0, 1, ONE));
    }
    weir_buffer bytes = {0};
    weir_value *odd = locks_of("[[\"a\", 1], 3, {\"x\": 1}, [\"a\", 1, 1, 1, 1, true, [3]]]");
    weir_value_encode(odd, &bytes);
    weir_claims_free(book);
    book = weir_claims_read(weir_buffer_str(&bytes));
    weir_value_unref(odd);
    weir_buffer_deinit(&bytes);
    assert_true(ask("b", 1, 0, 1, ONE));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(one_has_it_and_the_next_is_who_came_first),
        CASE(a_semaphore_has_as_many_as_its_limit),
        CASE(several_are_had_at_once_or_not_at_all),
        CASE(the_dead_count_for_nothing),
        CASE(who_may_be_waited_for_does_not_wait_in_line),
        CASE(what_was_had_is_had_again_all_at_once),
        CASE(what_a_run_does_not_know_any_more_goes),
        CASE(what_is_wanted_back_keeps_nobody_from_an_end_that_has_some),
        CASE(what_is_wanted_back_counts_for_as_many_places),
        CASE(what_is_no_book_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
