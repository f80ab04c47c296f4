/* A dataflow that runs on a machine of its own: its executors are the test, or work inline as the conformance cases'
 * operations do. Its journal is kept, to be replayed as a whole or in part. Include it in one file of a program. */
#ifndef WEIR_TESTS_FLOW_RUN_H
#define WEIR_TESTS_FLOW_RUN_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../conformance/operations.c" /* before cmocka, whose `fail` is a macro */

#include <cmocka.h>

#include "../../operations/operations.h"
#include "data/json.h"
#include "dataflow/plan.h"
#include "engine/machine.h"
#include "executor/inline.h"

static weir_registry registry;

static int open_registry(void **state) {
    (void)state;
    weir_plugin_open_function *const plugins[] = {weir_plugin_open, weir_dataflow_plugin,
                                                  weir_output_plugin, weir_process_plugin,
                                                  weir_ancestry_plugin};
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
        if (!weir_registry_add(&registry, plugins[i](weir_host_get()), NULL)) return -1;
    return 0;
}

static int close_registry(void **state) {
    (void)state;
    weir_registry_deinit(&registry);
    return 0;
}

static weir_value *parse(const char *json) {
    weir_value *value;
    weir_error e;
    char line[1024];
    if (!weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, &e))
        fail_msg("%s: %s", json, weir_error_format(&e, line, sizeof line));
    return value;
}

static weir_plan *compile(const char *text, const char *request_text) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_error e;
    char line[1024];
    if (!weir_document_parse(&document, "flow.yaml", weir_str_from(text), WEIR_YAML_CORE, &e))
        fail_msg("%s", weir_error_format(&e, line, sizeof line));
    weir_value *request = parse(request_text);
    weir_plan *plan = weir_dataflow_compile(&document, request, &registry, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s\n", weir_error_format(&problems.items[i], line, sizeof line));
    assert_non_null(plan);
    weir_problems_deinit(&problems);
    weir_value_unref(request);
    weir_document_deinit(&document);
    return plan;
}

/* --- a run ---------------------------------------------------------------------------------- */

enum { S = 1000000 };

/* An event of the journal, held. */
typedef struct kept {
    weir_event event;
    weir_event_id *prev;
} kept;

typedef struct flow_run {
    weir_plan *plan;
    weir_machine *machine;
    uint64_t now_us;
    WEIR_VECTOR(kept) journal;
    WEIR_VECTOR(weir_effect) effects; /* not carried out yet */
    WEIR_VECTOR(char *) started;      /* "instance{parameters}" of each attempt */
    WEIR_VECTOR(char *) ended;        /* the instance of each finished task */
    uint32_t open, open_most;         /* contexts */
} flow_run;

static const char run_id[] = "01hzzzzzzzzzzzzzzzzz";

static void observe(void *arg, const weir_event *event) {
    flow_run *run = arg;
    run->open += event->type == WEIR_CONTEXT_OPENED;
    run->open -= event->type == WEIR_CONTEXT_FINISHED;
    if (run->open > run->open_most) run->open_most = run->open;
    bool call = event->type == WEIR_CALL_FINISHED;
    if (!call && event->type != WEIR_ATTEMPT_STARTED && event->type != WEIR_TASK_FINISHED) return;
    weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *data = weir_object_new();
    coordinator->class->describe(coordinator, event, data);
    weir_buffer text = {0};
    weir_buffer_str_append(&text, weir_member_text(data, "instance"));
    if (call) *weir_vector_push(&run->ended) = weir_str_dup(weir_buffer_str(&text));
    if (call || event->type == WEIR_ATTEMPT_STARTED) {
        weir_json_format(weir_member_named(data, "parameters"), 0, &text);
        *weir_vector_push(&run->started) = text.data;
    } else {
        *weir_vector_push(&run->ended) = text.data;
    }
    weir_value_unref(data);
}

static uint32_t attempts_max; /* of machines to come; 0: any number */
static uint64_t ahead_after;  /* the same; 0: never */

static void begin_machine(flow_run *run, weir_plan *plan) {
    *run = (flow_run){.plan = plan, .now_us = 1000 * S};
    run->machine =
        weir_machine_new(plan, &(weir_machine_options){.run = run_id,
                                                       .limits = {.attempts = attempts_max},
                                                       .recorded = true,
                                                       .ahead_after = ahead_after,
                                                       .call = weir_inline_make_call,
                                                       .observe = observe,
                                                       .arg = run});
}

static void keep_batch(flow_run *run, weir_str bytes) {
    weir_batch_reader reader;
    const weir_event *event;
    assert_true(weir_batch_open(&reader, bytes, NULL));
    while (weir_batch_next(&reader, &event, NULL) && event) {
        kept k = {.event = *event, .prev = weir_alloc((event->prev_count + 1) * sizeof *k.prev)};
        for (size_t i = 0; i < event->prev_count; i++) k.prev[i] = event->prev[i];
        k.event.prev = k.prev;
        weir_value_ref(k.event.data);
        *weir_vector_push(&run->journal) = k;
    }
    weir_batch_close(&reader);
}

/* Steps until there is nothing left to decide. */
static void turn(flow_run *run) {
    bool more;
    do {
        more = weir_machine_step(run->machine, run->now_us);
        weir_batch batch;
        weir_machine_take(run->machine, &batch);
        if (batch.bytes.length) keep_batch(run, weir_buffer_str(&batch.bytes));
        for (size_t i = 0; i < batch.effects.count; i++)
            *weir_vector_push(&run->effects) = batch.effects.items[i];
        weir_batch_deinit(&batch);
    } while (more);
}

static bool report(flow_run *run, weir_task_id task, uint32_t number, weir_report_kind kind,
                   weir_outcome outcome) {
    weir_report r = {.attempt = {.task = task, .number = number}, .kind = kind, .outcome = outcome};
    memcpy(r.attempt.run, run_id, sizeof run_id);
    bool taken = weir_machine_report(run->machine, run->now_us, &r);
    weir_report_deinit(&r);
    return taken;
}

/* Carries out what was decided, as the inline executor does, until the run waits for time or is over. */
static void drive(flow_run *run) {
    turn(run);
    for (size_t i = 0; i < run->effects.count; i++) {
        weir_effect effect = run->effects.items[i];
        weir_attempt attempt;
        if (effect.kind == WEIR_EFFECT_START)
            weir_machine_begin(run->machine, run->now_us, effect.task, effect.number);
        if (effect.kind != WEIR_EFFECT_START ||
            !weir_machine_attempt(run->machine, effect.task, effect.number, &attempt))
            continue;
        weir_outcome outcome = {0};
        report(run, effect.task, effect.number, WEIR_REPORT_STARTED, outcome);
        weir_inline_attempt(&attempt, &outcome);
        assert_true(report(run, effect.task, effect.number, WEIR_REPORT_FINISHED, outcome));
        weir_attempt_drop(&attempt);
        turn(run);
    }
    run->effects.count = 0;
}

static void end_machine(flow_run *run) {
    for (size_t i = 0; i < run->journal.count; i++) {
        weir_value_unref(run->journal.items[i].event.data);
        weir_free(run->journal.items[i].prev);
    }
    for (size_t i = 0; i < run->started.count; i++) weir_free(run->started.items[i]);
    for (size_t i = 0; i < run->ended.count; i++) weir_free(run->ended.items[i]);
    weir_vector_deinit(&run->journal);
    weir_vector_deinit(&run->effects);
    weir_vector_deinit(&run->started);
    weir_vector_deinit(&run->ended);
    weir_machine_free(run->machine);
}

static void discard(flow_run *run) {
    weir_plan *plan = run->plan;
    end_machine(run);
    plan->free(plan);
}

static void begin(flow_run *run, const char *text, const char *request) {
    begin_machine(run, compile(text, request));
    weir_machine_created(run->machine, run->now_us, parse(request));
}

/* --- comparing ------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join_sorted(char *const *texts, size_t count) {
    weir_buffer out = {0};
    char **sorted = weir_alloc((count + 1) * sizeof *sorted);
    if (count) memcpy(sorted, texts, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_text);
    weir_buffer_text(&out, "");
    for (size_t i = 0; i < count; i++) weir_buffer_printf(&out, "%s%s", i ? " " : "", sorted[i]);
    weir_free(sorted);
    return out.data;
}

/* As JSON, but the items of arrays and the members of objects in the order of their texts. */
static char *in_any_order(const weir_value *value) {
    weir_buffer out = {0};
    bool object = weir_is(value, WEIR_OBJECT);
    if (!object && !weir_is(value, WEIR_ARRAY)) {
        weir_json_format(value, 0, &out);
        return out.data;
    }
    size_t count = weir_value_count(value);
    char **items = weir_alloc((count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        char *item = in_any_order(object ? weir_object_at(value, i) : weir_array_at(value, i));
        weir_buffer text = {0};
        if (object) weir_buffer_printf(&text, "%.*s:", WEIR_ARG(weir_object_key(value, i)));
        weir_buffer_text(&text, item);
        weir_free(item);
        items[i] = text.data;
    }
    char *all = join_sorted(items, count);
    weir_buffer_printf(&out, "%s%s%s", object ? "{" : "[", all, object ? "}" : "]");
    weir_free(all);
    for (size_t i = 0; i < count; i++) weir_free(items[i]);
    weir_free(items);
    return out.data;
}

static void expect_json(const weir_value *value, const char *wanted) {
    weir_buffer json = {0};
    weir_json_format(value, 0, &json);
    assert_string_equal(json.data, wanted);
    weir_buffer_deinit(&json);
}

static void expect_same(const weir_value *got, const weir_value *wanted) {
    char *a = in_any_order(got), *b = in_any_order(wanted);
    assert_string_equal(a, b);
    weir_free(a);
    weir_free(b);
}

static void expect_texts(char *const *texts, size_t count, const char *wanted) {
    char *got = join_sorted(texts, count);
    assert_string_equal(got, wanted);
    weir_free(got);
}

/* --- journals ------------------------------------------------------------------------------- */

/* Ids count from 1 in each context; every cause is an event that was there before. */
static void check_ids(const flow_run *run) {
    uint64_t last[64] = {0};
    for (size_t i = 0; i < run->journal.count; i++) {
        const weir_event *event = &run->journal.items[i].event;
        assert_in_range(event->id.context, 0, 63);
        assert_int_equal(event->id.sequence, ++last[event->id.context]);
        for (size_t p = 0; p < event->prev_count; p++)
            assert_in_range(event->prev[p].sequence, 1, last[event->prev[p].context]);
        bool fact = event->type == WEIR_RUN_CREATED || event->type == WEIR_RUN_CANCELLED ||
                    (event->type >= WEIR_CONTEXT_GIVEN && event->type <= WEIR_INPUTS_GIVEN);
        if (!fact) assert_int_not_equal(event->prev_count, 0);
    }
}

static void replay(flow_run *run, const flow_run *from, size_t events) {
    weir_buffer bytes = {0};
    weir_batch_begin(&bytes);
    for (size_t i = 0; i < events; i++) weir_event_encode(&from->journal.items[i].event, &bytes);
    assert_true(weir_machine_replay(run->machine, weir_buffer_str(&bytes), NULL));
    weir_buffer_deinit(&bytes);
    run->now_us = from->now_us;
}

/* A replay gives the same state, and nothing is left to decide. */
static void replay_all(const flow_run *from) {
    flow_run run;
    begin_machine(&run, from->plan);
    replay(&run, from, from->journal.count);
    assert_true(
        weir_value_equal(weir_machine_finished(run.machine), weir_machine_finished(from->machine)));
    weir_coordinator *a = weir_machine_coordinator(run.machine),
                     *b = weir_machine_coordinator(from->machine);
    weir_value *a_status = a->class->status(a), *b_status = b->class->status(b);
    assert_true(weir_value_equal(a_status, b_status));
    weir_value_unref(a_status);
    weir_value_unref(b_status);
    drive(&run);
    assert_int_equal(run.journal.count, 0);
    assert_false(weir_machine_pending(run.machine));
    end_machine(&run);
}

/* A crash after so many events. */
static void recover_from(const flow_run *from, size_t events) {
    flow_run run;
    begin_machine(&run, from->plan);
    replay(&run, from, events);
    weir_machine_recovered(run.machine, run.now_us, WEIR_STR("test:1"));
    drive(&run);
    const weir_value *got = weir_machine_finished(run.machine),
                     *wanted = weir_machine_finished(from->machine);
    if (!got) print_message("a run of %zu events hangs after %zu\n", from->journal.count, events);
    assert_non_null(got);
    expect_same(weir_member_named(got, "phase"), weir_member_named(wanted, "phase"));
    expect_same(weir_member_named(got, "results"), weir_member_named(wanted, "results"));
    char *ended = join_sorted(from->ended.items, from->ended.count);
    expect_texts(run.ended.items, run.ended.count, ended);
    weir_free(ended);
    end_machine(&run);
}

enum { CRASHES_MAX = 400 }; /* of one run */

/* Replays it whole, and from each of its events on that the run can be ended from: all, or those after a fact. */
static inline void end(flow_run *run) {
    assert_non_null(weir_machine_finished(run->machine));
    assert_int_equal(weir_machine_due_us(run->machine), UINT64_MAX);
    assert_int_equal(weir_tasks_open(weir_machine_tasks(run->machine)), 0);
    check_ids(run);
    replay_all(run);
    bool cancelled = false;
    size_t first = 1;
    for (size_t i = 0; i < run->journal.count; i++) {
        weir_event_type type = run->journal.items[i].event.type;
        cancelled |= type == WEIR_RUN_CANCELLED;
        if (type >= WEIR_CONTEXT_GIVEN && type <= WEIR_INPUTS_GIVEN) first = i + 1;
    }
    for (size_t i = first; i < run->journal.count && i < first + CRASHES_MAX && !cancelled; i++)
        recover_from(run, i);
    discard(run);
}

static inline const weir_value *finished(const flow_run *run, const char *member) {
    const weir_value *data = weir_machine_finished(run->machine);
    assert_non_null(data);
    return weir_member_named(data, member);
}

#endif
