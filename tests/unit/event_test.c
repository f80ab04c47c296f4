/* Events and batches: what is written is read back, and what is no batch is an error. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/json.h"
#include "store/event.h"

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, NULL));
    return value;
}

static void expect_same(const weir_event *got, const weir_event *want) {
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->number, want->number);
    assert_int_equal(got->subject, want->subject);
    assert_int_equal(got->id.context, want->id.context);
    assert_int_equal(got->id.sequence, want->id.sequence);
    assert_int_equal(got->time_us, want->time_us);
    assert_int_equal(got->prev_count, want->prev_count);
    for (size_t i = 0; i < want->prev_count; i++) {
        assert_int_equal(got->prev[i].context, want->prev[i].context);
        assert_int_equal(got->prev[i].sequence, want->prev[i].sequence);
    }
    assert_int_equal(got->data == NULL, want->data == NULL);
    if (want->data) assert_true(weir_value_equal(got->data, want->data));
}

static const weir_event_id causes[] = {{0, 1}, {UINT32_MAX, UINT64_MAX}, {7, 300}};

/* One event of each type; data and causes differ from type to type. */
static size_t make_events(weir_event *events, weir_value *data) {
    static const char *const texts[] = {
        "run.created",      "run.recovered",    "run.cancelled",     "run.finished",
        "context.given",    "context.closed",   "contexts.ended",    "inputs.given",
        "context.opened",   "operation.fired",  "context.staged",    "call.finished",
        "context.ahead",    "context.finished", "contexts.taken",    "contexts.finished",
        "node.started",     "node.finished",    "attempt.scheduled", "attempt.started",
        "attempt.ready",    "attempt.metric",   "attempt.yielded",   "attempt.stopping",
        "attempt.finished", "attempt.lost",     "task.retried",      "task.finished",
        "memo.found",       "memo.missed",      "run.suspended",     "run.resumed",
        "outcome.kept",     "run.restarted",    "task.recalled",     "run.shortened",
        "node.set",         "lock.granted",     "node.again"};
    size_t count = sizeof texts / sizeof *texts;
    assert_int_equal(count, WEIR_EVENT_TYPE_COUNT);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(weir_event_text((weir_event_type)i), texts[i]);
        events[i] = (weir_event){.type = (weir_event_type)i,
                                 .number = i % 3 == 2 ? UINT32_MAX : (uint32_t)i,
                                 .subject = i % 4 == 3 ? UINT64_MAX : i * 1000,
                                 .id = {(uint32_t)i * 100, i ? UINT64_MAX - i : 1},
                                 .time_us = i ? 1700000000000000 + i : UINT64_MAX,
                                 .prev = causes,
                                 .prev_count = i % 4,
                                 .data = i % 2 ? data : NULL};
    }
    return count;
}

static weir_buffer encode(const weir_event *events, size_t count) {
    weir_buffer batch = {0};
    weir_batch_begin(&batch);
    for (size_t i = 0; i < count; i++) weir_event_encode(&events[i], &batch);
    return batch;
}

static const char rich[] = "{\"a\": [1, -2.5, null, true, \"\\u00e4\"], \"b\": {\"c\": {}}}";

static void every_event_is_read_back(void **state) {
    (void)state;
    weir_event events[WEIR_EVENT_TYPE_COUNT];
    weir_value *data = parse(rich);
    size_t count = make_events(events, data);
    weir_buffer batch = encode(events, count);
    weir_batch_reader reader;
    const weir_event *event;
    assert_true(weir_batch_open(&reader, weir_buffer_str(&batch), NULL));
    for (size_t i = 0; i < count; i++) {
        assert_true(weir_batch_next(&reader, &event, NULL));
        assert_non_null(event);
        expect_same(event, &events[i]);
    }
    for (int again = 0; again < 2; again++) {
        assert_true(weir_batch_next(&reader, &event, NULL));
        assert_null(event);
    }
    weir_batch_close(&reader);
    weir_buffer_deinit(&batch);
    weir_value_unref(data);
}

static void an_empty_batch_has_no_event(void **state) {
    (void)state;
    weir_buffer batch = encode(NULL, 0);
    weir_batch_reader reader;
    const weir_event *event;
    assert_true(weir_batch_open(&reader, weir_buffer_str(&batch), NULL));
    assert_true(weir_batch_next(&reader, &event, NULL));
    assert_null(event);
    weir_batch_close(&reader);
    weir_buffer_deinit(&batch);
}

/* How many events can be read; SIZE_MAX when the batch is refused, at its beginning or later. */
static size_t read_all(weir_str bytes, weir_error *e) {
    weir_batch_reader reader;
    if (!weir_batch_open(&reader, bytes, e)) return SIZE_MAX;
    const weir_event *event = NULL;
    size_t count = 0;
    bool ok;
    while ((ok = weir_batch_next(&reader, &event, e)) && event) count++;
    weir_batch_close(&reader);
    return ok ? count : SIZE_MAX;
}

/* The bytes at the end of a block of their own, so that a sanitizer sees a read behind them. */
static size_t read_exactly(const char *data, size_t length, weir_error *e) {
    char *copy = weir_alloc(length ? length : 1);
    memcpy(copy, data, length);
    size_t count = read_all((weir_str){copy, length}, e);
    weir_free(copy);
    return count;
}

static void a_cut_batch_is_an_error(void **state) {
    (void)state;
    weir_event events[WEIR_EVENT_TYPE_COUNT];
    weir_value *data = parse(rich);
    size_t count = make_events(events, data);
    weir_buffer batch = encode(events, count);
    size_t ends[WEIR_EVENT_TYPE_COUNT + 1] = {0};
    for (size_t i = 0; i <= count; i++) {
        weir_buffer part = encode(events, i);
        ends[i] = part.length;
        weir_buffer_deinit(&part);
    }
    assert_int_equal(ends[count], batch.length);
    size_t whole = 0;
    for (size_t length = 0; length < batch.length; length++) {
        weir_error e = {0};
        size_t got = read_exactly(batch.data, length, &e);
        while (whole < count && ends[whole] < length) whole++;
        if (ends[whole] == length) {
            assert_int_equal(got, whole);
            continue;
        }
        if (got != SIZE_MAX) print_message("cut to %zu bytes: %zu events\n", length, got);
        assert_int_equal(got, SIZE_MAX);
        assert_int_equal(e.code, WEIR_STORE);
        assert_string_not_equal(e.message, "");
    }
    weir_buffer_deinit(&batch);
    weir_value_unref(data);
}

/* Any byte may be another: that is read or refused, and does no harm. */
static void damaged_bytes_do_no_harm(void **state) {
    (void)state;
    weir_event events[WEIR_EVENT_TYPE_COUNT];
    weir_value *data = parse(rich);
    size_t count = make_events(events, data);
    weir_buffer batch = encode(events, count);
    static const unsigned char others[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < batch.length; i++) {
        char before = batch.data[i];
        for (size_t k = 0; k < sizeof others; k++) {
            weir_error e = {0};
            batch.data[i] = (char)others[k];
            size_t got = read_exactly(batch.data, batch.length, &e);
            assert_int_equal(got == SIZE_MAX, e.code != WEIR_OK);
        }
        batch.data[i] = before;
    }
    assert_int_equal(read_all(weir_buffer_str(&batch), NULL), count);
    weir_buffer_deinit(&batch);
    weir_value_unref(data);
}

static void another_version_is_refused(void **state) {
    (void)state;
    weir_event event = {.type = WEIR_RUN_CANCELLED, .id = {0, 1}};
    weir_buffer batch = encode(&event, 1);
    for (int version = 0; version < 256; version++) {
        weir_error e = {0};
        char ours = batch.data[0];
        if (version == WEIR_BATCH_PARTED || version == WEIR_BATCH_PARTED_SUMMARY) continue;
        batch.data[0] = (char)version;
        if ((char)version == ours || weir_batch_is_summary(weir_buffer_str(&batch))) {
            assert_int_equal(read_exactly(batch.data, batch.length, &e), 1);
            continue;
        }
        assert_int_equal(read_exactly(batch.data, batch.length, &e), SIZE_MAX);
        assert_int_equal(e.code, WEIR_STORE);
        batch.data[0] = ours;
    }
    weir_batch_begin_summary(&batch); /* one other there is */
    assert_true(weir_batch_is_summary((weir_str){batch.data + batch.length - 1, 1}));
    weir_error e = {0};
    assert_int_equal(read_exactly("", 0, &e), SIZE_MAX);
    assert_int_equal(e.code, WEIR_STORE);
    weir_buffer_deinit(&batch);
}

static void unknown_types_are_refused(void **state) {
    (void)state;
    weir_event event = {.type = WEIR_RUN_CANCELLED, .id = {0, 1}};
    weir_buffer batch = encode(&event, 1);
    for (int type = WEIR_EVENT_TYPE_COUNT; type < 0x80; type++) {
        weir_error e = {0};
        batch.data[1] = (char)type;
        assert_int_equal(read_exactly(batch.data, batch.length, &e), SIZE_MAX);
        assert_int_equal(e.code, WEIR_STORE);
    }
    weir_buffer_deinit(&batch);
}

static void many_causes_are_read_back(void **state) {
    (void)state;
    static weir_event_id prev[WEIR_EVENT_PREV_MAX];
    for (size_t i = 0; i < WEIR_EVENT_PREV_MAX; i++) prev[i] = (weir_event_id){(uint32_t)i, i * i};
    weir_event event = {.type = WEIR_OPERATION_FIRED,
                        .id = {1, 2},
                        .prev = prev,
                        .prev_count = WEIR_EVENT_PREV_MAX};
    weir_buffer batch = encode(&event, 1);
    weir_batch_reader reader;
    const weir_event *got;
    assert_true(weir_batch_open(&reader, weir_buffer_str(&batch), NULL));
    assert_true(weir_batch_next(&reader, &got, NULL));
    assert_non_null(got);
    expect_same(got, &event);
    weir_batch_close(&reader);
    weir_buffer_deinit(&batch);
}

static void events_have_a_form_for_programs(void **state) {
    (void)state;
    weir_event event = {.type = WEIR_ATTEMPT_STARTED,
                        .id = {3, 7},
                        .time_us = 1700000000125000,
                        .prev = causes,
                        .prev_count = 2};
    weir_buffer json = {0};
    weir_value *value = weir_event_to_value(&event);
    weir_json_format(value, 0, &json);
    assert_string_equal(json.data, "{\"id\":\"3:7\",\"time\":\"2023-11-14T22:13:20.125Z\",\"type\":"
                                   "\"attempt.started\",\"prev\":[\"0:1\","
                                   "\"4294967295:18446744073709551615\"]}");
    weir_buffer_deinit(&json);
    weir_value_unref(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_is_read_back),
        cmocka_unit_test(an_empty_batch_has_no_event),
        cmocka_unit_test(a_cut_batch_is_an_error),
        cmocka_unit_test(damaged_bytes_do_no_harm),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(unknown_types_are_refused),
        cmocka_unit_test(many_causes_are_read_back),
        cmocka_unit_test(events_have_a_form_for_programs),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
