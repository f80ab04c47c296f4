/* The memory of a process and all that it started: who belongs to it, what they have together, and the most that was seen. How far an
 * attempt says that it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "executor/family.h"
#include "executor/footprint.h"
#include "executor/watch.h"
#include "io/process.h"

enum { MIB = 1024 * 1024 };

typedef struct watched {
    weir_footprint *footprint;
    uint64_t peak;
    bool ended;
} watched;

static void child_ended(void *arg, const weir_process_end *end) {
    watched *w = arg;
    assert_int_equal(end->exit_code, 0);
    w->peak = weir_footprint_peak(w->footprint);
    weir_footprint_close(w->footprint);
    w->ended = true;
}

static void ignore_output(void *arg, bool error_stream, weir_str bytes) {
    (void)arg;
    (void)error_stream;
    (void)bytes;
}

/* Runs the script to its end, looked at so often; `meanwhile` is called while it runs. */
static uint64_t peak_of(const char *script, uint64_t period_us, void (*meanwhile)(pid_t pid)) {
    static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    const char *const words[] = {"sh", "-c", script, NULL};
    weir_loop *loop;
    weir_process *process;
    weir_error error;
    watched w = {0};
    assert_true(weir_loop_open(&loop, &error));
    const weir_process_options options = {.argv = words,
                                          .environment = environment,
                                          .output = ignore_output,
                                          .ended = child_ended,
                                          .arg = &w};
    assert_true(weir_process_start(loop, &options, &process, &error));
    w.footprint = weir_footprint_open(loop, weir_process_pid(process), period_us);
    while (!w.ended) {
        weir_loop_once(loop, !meanwhile);
        if (meanwhile && !w.ended) meanwhile(weir_process_pid(process));
    }
    weir_loop_close(loop);
    return w.peak;
}

/* `tail` has all of it when it prints the first byte, and the rest is not read for a while. */
#define HOLDER "head -c 12582912 /dev/zero | tail -c 12582912 | { head -c 1; sleep 1; }"

static void test_all_processes_count_together(void **state) {
    (void)state;
    uint64_t one = peak_of(HOLDER, 5000, NULL),
             three = peak_of(HOLDER " & " HOLDER " & " HOLDER " & wait", 5000, NULL);
    assert_in_range(one, 11 * MIB, 24 * MIB);
    assert_in_range(three, 34 * MIB, 60 * MIB);
}

static void test_who_does_not_look_sees_nothing(void **state) {
    (void)state;
    assert_null(weir_footprint_open(NULL, 1, 0));
    assert_int_equal(weir_footprint_peak(NULL), 0);
    weir_footprint_close(NULL);
    assert_int_equal(peak_of("true", 0, NULL), 0);
    assert_int_equal(weir_footprint_now(-1), 0);
}

static size_t largest;

static void count_family(pid_t pid) {
    weir_family family = weir_family_of(pid);
    assert_int_equal(family.members.items[0], pid);
    if (family.members.count > largest) largest = family.members.count;
    weir_family_deinit(&family);
}

static void test_children_of_children_belong_to_it(void **state) {
    (void)state;
    largest = 0;
    (void)peak_of("(sleep 0.2 & sleep 0.2 & wait) & sh -c 'sleep 0.2; true' & wait", 1,
                  count_family);
    assert_int_equal(largest, 6);
}

static void progress_is_what_the_last_line_says(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        uint32_t done, total;
    } cases[] = {{"3/10", true, 3, 10},
                 {"1/2\n 2/2 \n\n", true, 2, 2},
                 {"0/1", true, 0, 1},
                 {"0/0", false, 0, 0},
                 {"3/2", false, 0, 0},
                 {"1/2\nhalf", false, 0, 0},
                 {"-1/2", false, 0, 0},
                 {"1/2/3", false, 0, 0},
                 {"1/99999999999", false, 0, 0},
                 {"/", false, 0, 0},
                 {"", false, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t done, total;
        assert_int_equal(weir__progress_read(weir_str_from(cases[i].text), &done, &total),
                         cases[i].valid);
        if (!cases[i].valid) continue;
        assert_int_equal(done, cases[i].done);
        assert_int_equal(total, cases[i].total);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_processes_count_together),
        cmocka_unit_test(test_who_does_not_look_sees_nothing),
        cmocka_unit_test(progress_is_what_the_last_line_says),
        cmocka_unit_test(test_children_of_children_belong_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
