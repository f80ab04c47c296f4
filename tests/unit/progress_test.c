/* How far a run is: what is counted, how fast it goes, which failures are new, and many contexts as one. How far an image is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cli/image_progress.h"
#include "cli/view.h"
#include "cli/waiting.h"
#include "quoted.h"

static void test_counts(void **state) {
    (void)state;
    static const struct {
        const char *status;
        weir_counts counts;
    } cases[] = {
        {"{}", {0, 0, 0, 0, 0}},
        {"{'nodes': []}", {0, 0, 0, 0, 0}},
        /* tasks, not operations */
        {"{'nodes': [{'id': '1', 'type': 'Context', 'phase': 'Running'},"
         " {'id': '1.0', 'parent': '1', 'phase': 'Running', 'tasks': 7, 'done': 3, 'failed': 1},"
         " {'id': '1.1', 'parent': '1', 'phase': 'Pending', 'tasks': 0, 'done': 0},"
         " {'id': '2', 'type': 'Context', 'phase': 'Succeeded'}]}",
         {7, 3, 1, 2, 1}},
        /* what the coordinator says of contexts counts, as it does not list all */
        {"{'contexts': {'total': 1000, 'finished': 400},"
         " 'nodes': [{'id': '1', 'type': 'Context', 'phase': 'Running'}]}",
         {0, 0, 0, 1000, 400}},
        /* leaves of a workflow */
        {"{'nodes': [{'id': 'w', 'phase': 'Running'},"
         " {'id': 'a', 'parent': 'w', 'phase': 'Succeeded'},"
         " {'id': 'b', 'parent': 'w', 'phase': 'Running'},"
         " {'id': 'c', 'parent': 'w', 'phase': 'Failed'}]}",
         {3, 2, 1, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *status = parse(cases[i].status);
        weir_counts counts = weir_progress_count(status);
        assert_memory_equal(&counts, &cases[i].counts, sizeof counts);
        weir_value_unref(status);
    }
}

static void test_rate(void **state) {
    (void)state;
    static const struct {
        uint64_t now_ms, done;
        int rate;
    } steps[] = {
        {1000, 0, 0},      {1100, 10, 0},    {1600, 60, 100},
        {2000, 100, 100},  {2000, 100, 100}, {12000, 100, 9}, /* nothing for ten seconds */
        {11000, 100, 0},                   /* the clock went back: it begins again */
        {12000, 200, 100}, {13000, 50, 0}, /* another run */
    };
    weir_progress progress = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        assert_int_equal((int)weir_progress_rate(&progress, steps[i].done, steps[i].now_ms * 1000),
                         steps[i].rate);
    /* Only what was of late counts. */
    uint64_t now_ms = 20000, done = 1000;
    for (int i = 0; i < 100; i++)
        weir_progress_rate(&progress, done += 1000, (now_ms += 500) * 1000);
    double rate = 0;
    for (int i = 0; i < 2 * WEIR_PROGRESS_SAMPLES; i++)
        rate = weir_progress_rate(&progress, done += 5, (now_ms += 500) * 1000);
    assert_int_equal((int)rate, 10);
    weir_progress_deinit(&progress);
}

static const char four_contexts[] =
    "{'name': 'm', 'nodes': [{'id': '1', 'type': 'Context', 'phase': 'Succeeded'},"
    " {'id': '1.0', 'name': 'a', 'type': 'Operation', 'phase': 'Succeeded', 'tasks': 7, 'done': 7},"
    " {'id': '1.1', 'name': 'b', 'type': 'Operation', 'phase': 'Omitted', 'tasks': 0, 'done': 0},"
    " {'id': '2', 'type': 'Context', 'phase': 'Running'},"
    " {'id': '2.0', 'name': 'a', 'type': 'Operation', 'phase': 'Failed', 'tasks': 7, 'done': 3,"
    "  'failed': 2, 'message': 'bad'},"
    " {'id': '3', 'type': 'Context', 'phase': 'Running'},"
    " {'id': '3.2', 'name': 'c', 'type': 'Operation', 'phase': 'Running', 'tasks': 5, 'done': 5},"
    " {'id': '4', 'type': 'Context', 'phase': 'Running'},"
    " {'id': '4.3', 'name': 'd', 'type': 'Operation', 'phase': 'Succeeded', 'tasks': 1, 'done': 1},"
    " {'id': '4.4', 'name': 'e', 'type': 'Operation', 'phase': 'Pending', 'tasks': 0, 'done': 0}]}";
static const char summed[] =
    "[{'id': 'all.0', 'name': 'a', 'type': 'Operation', 'phase': 'Failed', 'tasks': 14, 'done': 10,"
    "  'failed': 2, 'message': 'bad'},"
    " {'id': 'all.1', 'name': 'b', 'type': 'Operation', 'phase': 'Omitted', 'tasks': 0, 'done': 0,"
    "  'failed': 0},"
    " {'id': 'all.2', 'name': 'c', 'type': 'Operation', 'phase': 'Running', 'tasks': 5, 'done': 5,"
    "  'failed': 0},"
    " {'id': 'all.3', 'name': 'd', 'type': 'Operation', 'phase': 'Succeeded', 'tasks': 1, 'done': "
    "1,"
    "  'failed': 0},"
    " {'id': 'all.4', 'name': 'e', 'type': 'Operation', 'phase': 'Pending', 'tasks': 0, 'done': 0,"
    "  'failed': 0}]";

static void test_many_contexts_are_summed(void **state) {
    (void)state;
    weir_value *few = parse("{'nodes': [{'id': '1', 'type': 'Context'},"
                            " {'id': '1.0', 'name': 'a', 'type': 'Operation', 'tasks': 7}]}");
    weir_value *summary = weir_progress_summary(few);
    assert_ptr_equal(summary, few);
    weir_value_unref(summary);
    weir_value_unref(few);
    weir_value *many = parse(four_contexts), *wanted = parse(summed);
    summary = weir_progress_summary(many);
    assert_true(weir_value_equal(weir_member_named(summary, "nodes"), wanted));
    assert_int_equal(weir_value_count(weir_member_named(many, "nodes")), 10);
    weir_value_unref(summary);
    weir_value_unref(wanted);
    weir_value_unref(many);
}

static void announce(weir_progress *progress, const char *status, const char *wanted) {
    weir_value *value = parse(status);
    weir_buffer out = {0};
    weir_progress_announce(progress, value, false, &out);
    assert_string_equal(out.data ? out.data : "", wanted);
    weir_buffer_deinit(&out);
    weir_value_unref(value);
}

/* Each failure once, with nothing in it that commands a terminal; many at once are counted. */
static void test_failures_are_said_once(void **state) {
    (void)state;
    weir_progress progress = {0};
    static const char one[] =
        "{'nodes': [{'id': '1', 'name': 'c1', 'type': 'Context', 'phase': 'Failed'},"
        " {'id': '1.0', 'name': 'a\\u001b[2J', 'parent': '1', 'phase': 'Failed', 'failed': 1,"
        "  'message': 'no\\ndisk'}]}";
    static const char more[] =
        "{'nodes': [{'id': '1', 'name': 'c1', 'type': 'Context', 'phase': 'Failed'},"
        " {'id': '1.0', 'name': 'a', 'parent': '1', 'phase': 'Failed', 'failed': 3}]}";
    announce(&progress, "{'nodes': []}", "");
    announce(&progress, one, "✖ a [2J  in c1  no disk\033[K\n");
    announce(&progress, one, "");
    announce(&progress, more, "✖ a  in c1  3 failed\033[K\n");
    weir_buffer many = {0};
    weir_buffer_text(&many, "{'nodes': [{'id': 'w', 'phase': 'Failed'}");
    for (int i = 0; i < 9; i++)
        weir_buffer_printf(
            &many, ", {'id': 'n%d', 'parent': 'w', 'displayName': 'n%d', 'phase': 'Error'}", i, i);
    weir_buffer_text(&many, "]}");
    announce(&progress, many.data,
             "✖ n0\033[K\n✖ n1\033[K\n✖ n2\033[K\n✖ n3\033[K\n✖ n4\033[K\n  and 4 more "
             "failures\033[K\n");
    weir_buffer_deinit(&many);
    weir_progress_deinit(&progress);
}

static void bar_says(weir_image_bar *bar, const char *what, uint64_t now_ms, uint64_t done,
                     uint64_t total, size_t columns, const char *said) {
    weir_buffer out = {0};
    weir_image_bar_format(bar, what, done, total, 1, total ? 3 : 0, now_ms * 1000, columns, &out);
    assert_string_equal(out.data, said);
    weir_buffer_deinit(&out);
}

/* Bytes, layers, rate, time left; a long name is cut, and says nothing to the terminal. */
static void test_how_far_an_image_is(void **state) {
    (void)state;
    static const char pulling[] = "pulling", importing[] = "importing";
    weir_image_bar bar = {.about = "a\x1b[2J/b"};
    bar_says(&bar, pulling, 1000, 0, 40000000, 90,
             "pulling a [2J/b: 0 B of 40.0 MB, 1 of 3 layers");
    bar_says(&bar, pulling, 2000, 10000000, 40000000, 90,
             "pulling a [2J/b: 10.0 MB of 40.0 MB, 1 of 3 layers, 10.0 MB/s, 3.0s left");
    bar_says(&bar, pulling, 2500, 40000000, 40000000, 54,
             "pulling : 40.0 MB of 40.0 MB, 1 of 3 layers, 26.7 MB/s");
    bar_says(&bar, pulling, 2500, 40000000, 40000000, 3,
             ": 40.0 MB of 40.0 MB, 1 of 3 layers, 26.7 MB/s");
    /* Another begins anew; how much there is may not be known. */
    bar_says(&bar, importing, 2600, 1000, 0, 90, "importing a [2J/b: 1.0 kB");
    /* Of a run's images what was noted of late. */
    weir_image_news news = {.what = NULL};
    weir_buffer line = {0};
    weir_image_news_line(&news, weir_view_now(), 60, &line);
    assert_int_equal(line.length, 0);
    weir_image_news_note(&news, pulling, 1000, 2000, 1, 2);
    weir_image_news_line(&news, news.at_us, 60, &line);
    assert_string_equal(line.data, "pulling an image: 1.0 kB of 2.0 kB, 1 of 2 layers");
    weir_image_news_line(&news, news.at_us + 2000000, 60, &line);
    assert_int_equal(line.length, 0);
    weir_buffer_deinit(&line);
    /* Not on a terminal: nothing is drawn. */
    weir_image_bar_init(&bar, "x");
    assert_false(bar.terminal);
    weir_image_bar_show(&bar, pulling, 1, 2, 0, 0);
    weir_image_bar_erase(&bar);
    assert_false(bar.drawn);
}

static const char *message_at(const weir_value *nodes, size_t at) {
    static char text[128];
    const weir_value *node =
        weir_is(nodes, WEIR_ARRAY) ? weir_array_at(nodes, at) : weir_object_at(nodes, at);
    weir_str message = weir_member_text(node, "message");
    snprintf(text, sizeof text, "%.*s", WEIR_ARG(message));
    return text;
}

/* Of operations of the same name in two contexts, and of one whose place is none. */
static void test_what_waits_for_room(void **state) {
    (void)state;
    weir_value *status = parse(
        "{'kind': 'dataflow', 'nodes': [{'id': '1', 'name': 'x', 'type': 'Context'},"
        " {'id': '1.0', 'name': 'f', 'parent': '1'}, {'id': '2', 'name': 'y', 'type': 'Context'},"
        " {'id': '2.0', 'name': 'f', 'parent': '2'}, {'id': '2.1', 'name': 'g', 'parent': '2',"
        " 'message': 'own'}], 'waiting': ["
        " {'path': ['y', 'f'], 'for': 'cpu', 'wants': 1500, 'free': 500, 'limit': 2000},"
        " {'path': ['y', 'f'], 'for': 'cpu', 'behind': 'f'}, {'path': ['y', 'g'], 'for': 'cpu'},"
        " {'path': ['x', 'f'], 'for': 'slots'}, {'path': [], 'for': 'cpu'}, 7]}");
    for (int fine = 0; fine < 2; fine++) {
        weir_value *told = weir_waiting_tell(status, fine);
        const weir_value *nodes = weir_member_named(told, "nodes");
        assert_string_equal(message_at(nodes, 1), "");
        assert_string_equal(message_at(nodes, 3),
                            fine ? "wants 1.5 of the processors; 0.5 of 2 are free; 1 more wait"
                                 : "waits for cpu");
        assert_string_equal(message_at(nodes, 4), "own");
        weir_value_unref(told);
    }
    assert_string_equal(message_at(weir_member_named(status, "nodes"), 3), "");
    weir_value_unref(status);
    status = parse("{'kind': 'workflow', 'nodes': [{'id': 'w-1'}],"
                   " 'workflow': {'status': {'nodes': {'w-1': {'name': 'w.a'}}}},"
                   " 'waiting': [{'path': ['w.a', 'a', 'w-1'], 'for': 'memory', 'behind': 'b'}]}");
    weir_value *told = weir_waiting_tell(status, true);
    const weir_value *workflow = weir_member_named(weir_member_named(told, "workflow"), "status");
    assert_string_equal(message_at(weir_member_named(workflow, "nodes"), 0), "behind b");
    assert_string_equal(message_at(weir_member_named(told, "nodes"), 0), "behind b");
    weir_value_unref(told);
    weir_value_unref(status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_many_contexts_are_summed),
        cmocka_unit_test(test_failures_are_said_once),
        cmocka_unit_test(test_how_far_an_image_is),
        cmocka_unit_test(test_what_waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
