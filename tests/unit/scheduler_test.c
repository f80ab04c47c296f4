/* Which ready tasks begin: the order of each scheduler, room that is never exceeded, and nobody who waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph_run.h"
#include "task/resources.h"

enum { MS = 1000, GB = 1000 * 1000 * 1000 };

static uint64_t draw(uint64_t *chance, uint64_t below) {
    *chance = *chance * 6364136223846793005u + 1442695040888963407u;
    return (*chance >> 33) % below;
}

/* --- the order of ready tasks --- */

static void check_order(weir_scheduler scheduler, const weir_wants *wants, const uint64_t *groups,
                        size_t count, const weir_task_id *expected) {
    weir_ready ready;
    weir_ready_init(&ready, scheduler);
    for (size_t i = 0; i < count; i++)
        weir_ready_add(&ready, (weir_task_id)i, &wants[i], groups ? groups[i] : 0, 0);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = weir_ready_first(&ready);
        assert_int_equal(weir_ready_at(&ready, at)->task, expected[i]);
        weir_ready_remove(&ready, at);
    }
    assert_int_equal(weir_ready_first(&ready), 0);
    assert_int_equal(weir_ready_oldest(&ready), 0);
    weir_ready_deinit(&ready);
}

static void each_scheduler_has_its_order(void **state) {
    (void)state;
    const weir_wants wants[] = {{.memory_bytes = 30, .remaining_us = 5},
                                {.memory_bytes = 10, .remaining_us = 9},
                                {.memory_bytes = 20, .remaining_us = 9},
                                {.memory_bytes = 10, .remaining_us = 1}};
    check_order(WEIR_SCHEDULER_FIFO, wants, NULL, 4, (weir_task_id[]){0, 1, 2, 3});
    check_order(WEIR_SCHEDULER_CRITICAL_PATH, wants, NULL, 4, (weir_task_id[]){1, 2, 0, 3});
    check_order(WEIR_SCHEDULER_MEMORY, wants, NULL, 4, (weir_task_id[]){1, 3, 2, 0});
    /* Three of one group came before the others. */
    check_order(WEIR_SCHEDULER_FAIR, wants, (uint64_t[]){7, 7, 7, 8}, 4,
                (weir_task_id[]){0, 3, 1, 2});
    const weir_wants urgent[] = {
        {.priority = 0}, {.priority = 3}, {.priority = -1}, {.priority = 3}};
    check_order(WEIR_SCHEDULER_FIFO, urgent, NULL, 4, (weir_task_id[]){1, 3, 0, 2});
}

static void schedulers_have_names(void **state) {
    (void)state;
    for (weir_scheduler at = 0; at < WEIR_SCHEDULERS; at++)
        assert_int_equal(weir_scheduler_find(weir_str_from(weir_scheduler_text(at))), at);
    assert_int_equal(weir_scheduler_find(WEIR_STR("other")), WEIR_SCHEDULERS);
    assert_string_equal(weir_lack_text(WEIR_LACKS_MEMORY), "memory");
}

static bool any(const void *arg, const weir_ready_node *node) {
    (void)arg;
    return node->task != 0;
}

static void the_first_that_fits_is_found(void **state) {
    (void)state;
    uint64_t chance = 5;
    weir_ready ready;
    weir_ready_init(&ready, WEIR_SCHEDULER_FIFO);
    uint32_t gone = 0;
    for (weir_task_id i = 0; i < 2000; i++) {
        weir_wants wants = {.memory_bytes = 100 + draw(&chance, 1000), .cpu_milli = 5};
        if (i == 1500) wants.memory_bytes = 40;
        if (i == 1600) wants.memory_bytes = 30;
        weir_ready_add(&ready, i, &wants, 0, 0);
        if (i == 1500) gone = weir_ready_find(&ready, 50, 5, any, NULL);
    }
    assert_int_equal(weir_ready_at(&ready, gone)->task, 1500);
    assert_int_equal(weir_ready_find(&ready, 50, 4, any, NULL), 0);
    assert_int_equal(weir_ready_find(&ready, 29, 5, any, NULL), 0);
    weir_ready_remove(&ready, gone);
    assert_int_equal(weir_ready_at(&ready, weir_ready_find(&ready, 50, 5, any, NULL))->task, 1600);
    assert_int_equal(weir_ready_at(&ready, weir_ready_find(&ready, 9999, 5, any, NULL))->task, 1);
    weir_ready_deinit(&ready);
}

/* --- budgets --- */

static void a_budget_is_shared_and_given_back(void **state) {
    (void)state;
    weir_budget budget = {.limit = {.memory_bytes = 100, .cpu_milli = 2000, .processes = 2}};
    int a = 0, b = 0; /* owners */
    weir_share much = {500, 9000, 9}, some = {60, 500, 1};
    weir_share cut = weir_budget_cut(&budget, &much);
    assert_int_equal(cut.memory_bytes, 100);
    assert_int_equal(cut.cpu_milli, 2000);
    assert_int_equal(cut.processes, 2);
    assert_true(weir_budget_fits(&budget, &budget.used, &cut, weir_budget_memory(&budget)));
    weir_budget_take(&budget, &(weir_running){&a, 1, 1, some, 50});
    assert_false(weir_budget_fits(&budget, &budget.used, &some, weir_budget_memory(&budget)));
    assert_true(weir_budget_fits(&budget, &budget.used, &(weir_share){40, 1500, 1}, 100));
    assert_false(weir_budget_fits(&budget, &budget.used, &(weir_share){0, 1501, 1}, 100));
    budget.lacked = true;
    weir_budget_give_back(&budget, &b, 1, 50); /* not its own */
    assert_int_equal(budget.used.memory_bytes, 60);
    weir_budget_give_back(&budget, &a, 1, 50);
    assert_int_equal(budget.used.memory_bytes, 0);
    assert_true(budget.freed);
    weir_budget_take(&budget, &(weir_running){&a, 1, 1, some, UINT64_MAX});
    weir_budget_take(&budget, &(weir_running){&b, 1, 1, some, 7});
    weir_budget_leave(&budget, &a);
    assert_int_equal(budget.running.count, 1);
    assert_int_equal(budget.used.cpu_milli, 500);
    weir_budget_deinit(&budget);
}

static void other_programs_leave_less(void **state) {
    (void)state;
    weir_budget budget = {.limit = {.memory_bytes = 100}};
    weir_share share = {60, 0, 0};
    weir_budget_set_memory(&budget, 50, 0);
    assert_int_equal(weir_budget_memory(&budget), 50);
    assert_true(weir_budget_fits(&budget, &budget.used, &share, 50)); /* alone */
    weir_share used = {1, 0, 0};
    assert_false(weir_budget_fits(&budget, &used, &share, 50));
    budget.lacked = true;
    weir_budget_set_memory(&budget, 80, 0);
    assert_true(budget.freed);
    assert_true(weir_budget_fits(&budget, &used, &share, weir_budget_memory(&budget)));
}

static void who_waits_for_longest_is_not_passed_by_for_ever(void **state) {
    (void)state;
    weir_budget budget = {.limit = {.memory_bytes = 100}};
    int a = 0, b = 0;
    weir_share share = {1, 0, 0};
    weir_budget_claim(&budget, &a, 0);
    for (weir_task_id i = 0; i < WEIR_PASSES_MAX; i++) {
        assert_false(weir_budget_bars(&budget, &b, 0, &share));
        weir_budget_take(&budget, &(weir_running){&b, i, 1, share, UINT64_MAX});
    }
    assert_true(weir_budget_bars(&budget, &b, 0, &share));
    assert_false(weir_budget_bars(&budget, &a, 0, &share));
    assert_false(weir_budget_bars(&budget, &b, 0, &(weir_share){0, 0, 0}));
    weir_budget_renounce(&budget, &a);
    assert_false(weir_budget_bars(&budget, &b, 0, &share));
    weir_budget_leave(&budget, &b);
    weir_budget_deinit(&budget);
}

/* --- graphs in virtual time --- */

static graph random_graph(uint64_t *chance, uint32_t count) {
    graph g = {0};
    for (uint32_t i = 0; i < count; i++) {
        graph_add(&g, (1 + draw(chance, 100)) * MS, draw(chance, 12) * GB / 10,
                  (uint32_t)draw(chance, 3) * 500);
        for (int needs = (int)draw(chance, 3); i && needs; needs--)
            graph_need(&g, (uint32_t)(i - 1 - draw(chance, i < 20 ? i : 20)));
    }
    return g;
}

static void who_is_of_a_higher_priority_is_not_passed_by(void **state) {
    (void)state;
    weir_budget budget = {.limit = {.memory_bytes = 100}};
    int low = 0, high = 0, other = 0;
    weir_share share = {1, 0, 0};
    weir_budget_claim(&budget, &low, -1);
    weir_budget_claim(&budget, &high, 5);
    weir_budget_claim(&budget, &low, -1); /* again: it is not the first any more */
    assert_ptr_equal(budget.first, &high);
    assert_true(weir_budget_bars(&budget, &low, -1, &share));
    assert_true(weir_budget_bars(&budget, &other, 4, &share));
    assert_false(weir_budget_bars(&budget, &other, 5, &share)); /* as often as any may */
    assert_false(weir_budget_bars(&budget, &other, 6, &share));
    assert_false(weir_budget_bars(&budget, &high, 5, &share));
    assert_false(weir_budget_bars(&budget, &low, -1, &(weir_share){0}));
    budget.lacked = true;
    weir_budget_renounce(&budget, &low); /* which has nothing to renounce */
    assert_false(budget.freed);
    weir_budget_renounce(&budget, &high);
    assert_true(budget.freed);
    assert_false(weir_budget_bars(&budget, &low, -1, &share));
    weir_budget_deinit(&budget);
}

/* Tasks of no priority wait in the order in which they came until one has some. */
static void priorities_order_what_is_ready(void **state) {
    (void)state;
    for (weir_scheduler at = 0; at < WEIR_SCHEDULERS; at++) {
        graph g = {0};
        graph_add(&g, 10 * MS, 0, 0);
        for (int i = 0; i < 100; i++) graph_add(&g, 10 * MS, 0, 0)->spec.priority = i < 50 ? 0 : -1;
        graph_add(&g, 200 * MS, 0, 0)->spec.priority = 7; /* it comes later than all */
        graph_need(&g, 0);
        uint64_t bound;
        graph_measure(&g, 1, 0, &bound);
        for (size_t i = 0; i < g.tasks.count; i++) g.tasks.items[i].remaining_us = 1;
        weir_task_limits limits = {.attempts = 2};
        graph_end end = graph_run(&g, &limits, weir_scheduler_text(at), "time", true);
        assert_int_equal(end.finished, 102);
        /* Beside the urgent one, which begins at 10 ms, the other slot has 20; the rest is shared. */
        assert_true(end.makespan_us <= 10 * MS + 600 * MS);
        graph_deinit(&g);
    }
}

static void limits_are_kept_and_all_finish(void **state) {
    (void)state;
    static const char *const optima[] = {"time", "memory"};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t chance = seed, bound;
        graph g = random_graph(&chance, 40);
        weir_task_limits limits = {.attempts = 1 + (uint32_t)draw(&chance, 8),
                                   .memory_bytes = (11 + draw(&chance, 20)) * GB / 10,
                                   .cpu_milli = 1000 * (1 + (uint32_t)draw(&chance, 4))};
        graph_measure(&g, limits.attempts, limits.memory_bytes, &bound);
        for (weir_scheduler at = 0; at < WEIR_SCHEDULERS; at++) {
            graph_end end =
                graph_run(&g, &limits, weir_scheduler_text(at), optima[seed % 2], seed % 3 != 0);
            assert_int_equal(end.finished, 40);
            assert_false(end.over);
            assert_true(end.makespan_us >= bound);
        }
        graph_deinit(&g);
    }
}

/* Streams of small tasks, each beginning the next, and one that wants all; what comes behind that lasts as long as two thirds of
 * all. */
static graph streams_and_a_large_one(uint32_t *large) {
    graph g = {0};
    uint32_t last[4] = {0};
    for (uint32_t i = 0; i < 400; i++) {
        graph_add(&g, (10 + i % 3) * MS, GB / 2, 0);
        if (i >= 4) graph_need(&g, last[i % 4]);
        last[i % 4] = (uint32_t)g.tasks.count - 1;
        if (i != 20) continue;
        graph_add(&g, MS, 2 * (uint64_t)GB, 0);
        *large = (uint32_t)g.tasks.count - 1;
    }
    graph_add(&g, 2000 * MS, 0, 0);
    graph_need(&g, *large);
    return g;
}

static void a_large_task_does_not_starve(void **state) {
    (void)state;
    for (weir_scheduler at = 0; at < WEIR_SCHEDULERS; at++)
        for (int knows = 0; knows < 2; knows++) {
            uint32_t large = 0;
            uint64_t bound;
            graph g = streams_and_a_large_one(&large);
            graph_measure(&g, 8, 0, &bound);
            g.tasks.items[large].remaining_us = 0; /* what the critical path thinks least of */
            weir_task_limits limits = {.attempts = 8, .memory_bytes = 2 * (uint64_t)GB};
            graph_end end = graph_run(&g, &limits, weir_scheduler_text(at), "time", knows);
            assert_int_equal(end.finished, 402);
            assert_false(end.over);
            assert_true(end.makespan_us < 2800 * MS); /* of 3100 when it comes last */
            graph_deinit(&g);
        }
}

static void small_ones_pass_where_they_delay_nobody(void **state) {
    (void)state;
    graph g = {0};
    graph_add(&g, 100 * MS, GB, 0);
    graph_add(&g, 100 * MS, 2 * (uint64_t)GB, 0); /* waits for the first */
    graph_add(&g, 90 * MS, GB / 2, 0);            /* ends before that */
    graph_add(&g, 150 * MS, GB / 2, 0);           /* would not */
    uint64_t bound;
    graph_measure(&g, 4, 2 * (uint64_t)GB, &bound);
    weir_task_limits limits = {.attempts = 4, .memory_bytes = 2 * (uint64_t)GB};
    graph_end end = graph_run(&g, &limits, "fifo", "time", true);
    assert_int_equal(end.makespan_us, 350 * MS);
    assert_int_equal(end.memory_peak, 2 * (uint64_t)GB);
    graph_deinit(&g);
}

static void sparing_with_memory_is_no_more_than_the_largest(void **state) {
    (void)state;
    graph g = {0};
    for (int i = 0; i < 6; i++) graph_add(&g, 10 * MS, GB / 2, 0);
    graph_add(&g, 10 * MS, GB, 0);
    uint64_t bound;
    graph_measure(&g, 8, 0, &bound);
    weir_task_limits limits = {.attempts = 8, .memory_bytes = 9 * (uint64_t)GB};
    assert_int_equal(graph_run(&g, &limits, "fifo", "time", true).memory_peak, 4 * (uint64_t)GB);
    graph_end end = graph_run(&g, &limits, "memory", "memory", true);
    assert_int_equal(end.memory_peak, GB);
    assert_int_equal(end.makespan_us, 40 * MS);
    graph_deinit(&g);
}

static void the_critical_path_goes_first(void **state) {
    (void)state;
    graph g = {0};
    for (int i = 0; i < 4; i++) graph_add(&g, 10 * MS, 0, 0);
    for (uint32_t i = 4; i < 8; i++) { /* a chain, which came last */
        graph_add(&g, 10 * MS, 0, 0);
        if (i > 4) graph_need(&g, i - 1);
    }
    uint64_t bound;
    graph_measure(&g, 2, 0, &bound);
    weir_task_limits limits = {.attempts = 2};
    assert_int_equal(bound, 40 * MS);
    assert_int_equal(graph_run(&g, &limits, "critical-path", "time", true).makespan_us, 40 * MS);
    assert_int_equal(graph_run(&g, &limits, "fifo", "time", true).makespan_us, 60 * MS);
    graph_deinit(&g);
}

/* --- amounts --- */

static void resources_are_read(void **state) {
    (void)state;
    weir_value *value = weir_object_new();
    weir_resources resources = {0};
    weir_str member;
    weir_error error;
    weir_member_put_text(value, "memory", WEIR_STR("1.5Gi"));
    weir_member_put(value, "cpu", weir_float_new(1.5));
    assert_true(weir_resources_read(value, &resources, &member, &error));
    assert_int_equal(resources.memory_bytes, 1610612736);
    assert_int_equal(resources.cpu_milli, 1500);
    weir_value *again = weir_resources_to_value(&resources);
    weir_resources same = {0};
    assert_true(weir_resources_read(again, &same, &member, &error));
    assert_int_equal(same.memory_bytes, resources.memory_bytes);
    assert_int_equal(same.cpu_milli, resources.cpu_milli);
    static const char *const wrong[] = {"many", "-1", "0", "1e9", "2mm", "m", "", "1.2.3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weir_member_put_text(value, "cpu", weir_str_from(wrong[i]));
        assert_false(weir_resources_read(value, &same, &member, &error));
        assert_true(weir_str_is(member, "cpu"));
    }
    weir_member_put_text(value, "cpu", WEIR_STR("500m"));
    assert_true(weir_resources_read(value, &same, &member, &error));
    assert_int_equal(same.cpu_milli, 500);
    weir_member_put(value, "gpu", weir_int_new(1));
    assert_false(weir_resources_read(value, &same, &member, &error));
    weir_value_unref(again);
    weir_value_unref(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scheduler_has_its_order),
        cmocka_unit_test(schedulers_have_names),
        cmocka_unit_test(the_first_that_fits_is_found),
        cmocka_unit_test(a_budget_is_shared_and_given_back),
        cmocka_unit_test(other_programs_leave_less),
        cmocka_unit_test(who_waits_for_longest_is_not_passed_by_for_ever),
        cmocka_unit_test(who_is_of_a_higher_priority_is_not_passed_by),
        cmocka_unit_test(priorities_order_what_is_ready),
        cmocka_unit_test(limits_are_kept_and_all_finish),
        cmocka_unit_test(a_large_task_does_not_starve),
        cmocka_unit_test(small_ones_pass_where_they_delay_nobody),
        cmocka_unit_test(sparing_with_memory_is_no_more_than_the_largest),
        cmocka_unit_test(the_critical_path_goes_first),
        cmocka_unit_test(resources_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
