/* Keeping house, of every kind of store. Behind store_cases.h. */
#ifndef WEIR_TESTS_STORE_KEEP_CASES_H
#define WEIR_TESTS_STORE_KEEP_CASES_H

#include "store_cases.h"

static void note_labels(void *arg, const weir_run_record *record) {
    weir_buffer_clear(arg);
    weir_buffer_str_append(arg, record->labels);
}

/* How many runs have the label, and what the record says. */
static void expect_keep(size_t count, const char *labels) {
    weir_buffer text = {0};
    weir_selection kept = {.labels = {{.key = WEIR_STR("keep"), .how = WEIR_LABEL_HAS}},
                           .label_count = 1};
    size_t found = 0;
    weir_buffer_text(&text, "");
    assert_true(weir_store_find(store, WEIR_STR("1"), note_labels, &text, &error));
    size_t to = 0;
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != ' ')
            text.data[to++] = text.data[i]; /* a server writes it its own way */
    text.data[to] = '\0';
    assert_string_equal(text.data, labels);
    weir_buffer_clear(&text);
    weir_buffer_text(&text, "");
    assert_true(weir_store_select(store, &kept, join_names, &text, &error));
    for (size_t i = 0; i < text.length; i++) found += text.data[i] == '=';
    assert_int_equal(found, count);
    weir_buffer_deinit(&text);
}

static void what_is_kept_has_a_label(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record plain = record_of("1", "first", "Succeeded", 1),
                    other = record_of("2", "second", "Succeeded", 1);
    append_to("1", 1, "x", &plain, &c);
    append_to("2", 1, "x", &other, &c);
    wait_for(&c, 2);
    expect_keep(0, "");
    for (int i = 0; i < 2; i++) assert_true(weir_store_keep(store, WEIR_STR("1"), true, &error));
    expect_keep(1, "{\"keep\":\"true\"}");
    for (int i = 0; i < 2; i++) assert_true(weir_store_keep(store, WEIR_STR("1"), false, &error));
    expect_keep(0, "");
    append_to("1", 2, "y", &plain, &c); /* what its owner writes later leaves the labels alone */
    wait_for(&c, 3);
    expect_keep(0, "");
}

static void other_labels_stay(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record record = record_of("1", "first", "Running", 1);
    record.labels = WEIR_STR("{\"a\":\"b\"}");
    append_to("1", 1, "x", &record, &c);
    wait_for(&c, 1);
    assert_true(weir_store_keep(store, WEIR_STR("1"), true, &error));
    append_to("1", 2, "x", &record, &c);
    wait_for(&c, 2);
    weir_selection both = {.labels = {{.key = WEIR_STR("keep"), .how = WEIR_LABEL_HAS},
                                      {WEIR_STR("a"), WEIR_STR("b"), WEIR_LABEL_IS}},
                           .label_count = 2};
    weir_buffer text = {0};
    weir_buffer_text(&text, "");
    assert_true(weir_store_select(store, &both, join_names, &text, &error));
    assert_string_equal(text.data, "first=Running ");
    weir_buffer_deinit(&text);
    assert_true(weir_store_keep(store, WEIR_STR("1"), false, &error));
    expect_keep(0, "{\"a\":\"b\"}");
}

/* A run of so many batches, each of so many bytes. */
static void append_many(const char *run, int count, size_t bytes) {
    completion c = {0};
    weir_run_record record = record_of(run, run, "Succeeded", 1);
    own(run);
    for (int i = 1; i <= count; i++) {
        weir_buffer batch = {0};
        weir_buffer_reserve(&batch, bytes);
        memset(batch.data, 'a' + i % 26, bytes);
        batch.length = bytes;
        weir_store_append(store, weir_str_from(run), (uint64_t)i, batch, (weir_buffer){0},
                          i == 1 ? &record : NULL, note_done, &c);
    }
    wait_for(&c, count);
    assert_int_equal(c.failed, 0);
}

static bool count_stream(void *arg, weir_str run) {
    (void)run;
    ++*(size_t *)arg;
    return true;
}

static void much_goes_in_slices(void **state) {
    (void)state;
    size_t streams = 0;
    uint64_t bytes, slices = 0;
    append_many("1", 5000, 10);
    append_many("2", 3, 10);
    assert_true(weir_store_measure_run(store, WEIR_STR("1"), &bytes, &error));
    assert_true(bytes >= 50000 && bytes < 1000000);
    weir_store_disown(store, WEIR_STR("1"), true);
    assert_true(weir_store_delete(store, &WEIR_STR("1"), 1, &error));
    assert_true(weir_store_streams(store, count_stream, &streams, &error));
    assert_int_equal(streams, 1); /* what is left of the other is nobody's */
    for (bool more = true; more; slices++)
        assert_true(weir_store_sweep(store, WEIR_STR("1"), &more, &error));
    assert_true(slices < 10);
    assert_true(weir_store_measure_run(store, WEIR_STR("1"), &bytes, &error));
    assert_int_equal(bytes, 0);
    assert_true(weir_store_measure_run(store, WEIR_STR("2"), &bytes, &error));
    assert_true(bytes >= 30);
}

static void what_goes_makes_it_smaller(void **state) {
    (void)state;
    weir_store_size before, after;
    append_many("1", 20, 100 * 1000);
    append_many("2", 1, 100);
    assert_true(weir_store_measure(store, &before, &error));
    assert_true(before.bytes >= 20 * 100 * 1000);
    weir_store_disown(store, WEIR_STR("1"), true);
    assert_true(weir_store_delete(store, &WEIR_STR("1"), 1, &error));
    for (bool more = true; more;)
        assert_true(weir_store_sweep(store, WEIR_STR("1"), &more, &error));
    assert_true(weir_store_measure(store, &after, &error));
    assert_true(after.bytes < 300 * 1000);
    assert_true(before.bytes - after.bytes > 19 * 100 * 1000);
    for (bool more = true; more;) assert_true(weir_store_shrink(store, 0, &more, &error));
    assert_true(weir_store_measure(store, &after, &error));
    assert_int_equal(after.free_bytes, 0);
    expect_batches("1", 1, "");
}

#define KEEP_CASES(X)                                                                              \
    X(what_is_kept_has_a_label)                                                                    \
    X(other_labels_stay) X(much_goes_in_slices) X(what_goes_makes_it_smaller)

#endif
