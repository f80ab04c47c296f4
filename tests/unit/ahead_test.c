/* Runs ahead of their journal: they come to the same as when every call has its event, also when they are recovered from
 * any event; and journals that were written to do harm are refused. */
#include "flow_run.h"

#include "dataflow/context.h"

#define DEFINITIONS                                                                                \
    "definitions: {A: {primitive: int}, B: {primitive: int}, L: {primitive: array}, "              \
    "E: {primitive: bool}, S: {primitive: array}, O: {primitive: map}}\n"
#define GET(names)                                                                                 \
    "  get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: output}\n"           \
    "seed: [{value: [" names "], definition: S}]\n"
#define LOOP                                                                                       \
    DEFINITIONS                                                                                    \
    "operations:\n  down: {name: countdown_stop, inputs: {n: A}, outputs: {n: A}}\n" GET("A")

/* Context i is given first + i. */
static const struct {
    const char *about, *flow;
    int contexts, first;
    bool open, fails, lax; /* contexts are given while it runs; it fails; it is not strict */
} cases[] = {
    {"a loop", LOOP, 1, 40, false, false, false},
    {"a fan-out",
     DEFINITIONS "operations:\n"
                 "  all: {name: range, inputs: {n: A}, outputs: {items: B}, expand: "
                 "[items]}\n  neg: {name: neg, inputs: {a: B}, outputs: {result: L}}\n" GET("L"),
     1, 60, false, false, false},
    {"without outputs",
     DEFINITIONS "operations:\n  down: {name: countdown_stop, inputs: {n: A}, "
                 "outputs: {n: A}}\nflow: {down: {inputs: {n: [seed, {down: n}]}}}\n",
     3, 20, false, false, false},
    {"conditions",
     DEFINITIONS
     "operations:\n  even: {name: is_even, inputs: {n: A}, outputs: {even: E}}\n"
     "  neg: {name: neg, inputs: {a: A}, outputs: {result: B}, conditions: [E]}\n" GET("E"),
     9, 1, false, false, false},
    {"many contexts", LOOP, 300, 1, false, false, false},
    {"many contexts without outputs",
     DEFINITIONS "operations:\n  neg: {name: neg, inputs: {a: A}, outputs: {result: B}}\n", 900, 1,
     false, false, false},
    {"many contexts that are given", LOOP, 400, 1, true, false, false},
    {"one of them fails",
     DEFINITIONS
     "operations:\n  try: {name: pick, inputs: {m: A, key: A}, outputs: {value: B}}\n" GET("B"),
     1, 1, false, true, false},
    {"none of them fails the run",
     DEFINITIONS
     "operations:\n  odd: {name: fail_if_odd, inputs: {n: A}, outputs: {n: B}}\n" GET("B"),
     500, 1, false, false, true},
};
enum { CASES = sizeof cases / sizeof *cases };

static weir_value *inputs_of(int number) {
    char text[64];
    snprintf(text, sizeof text, "[{\"value\": %d, \"definition\": \"A\"}]", number);
    return parse(text);
}

static char *request_of(size_t at) {
    weir_value *request = weir_object_new(), *contexts = weir_object_new();
    for (int i = 0; i < cases[at].contexts && !cases[at].open; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        weir_member_put(contexts, name, inputs_of(cases[at].first + i));
    }
    weir_member_put(request, "contexts", contexts);
    if (cases[at].open) weir_member_put(request, "open", weir_bool_new(true));
    if (cases[at].lax) weir_member_put(request, "strict", weir_bool_new(false));
    weir_buffer text = {0};
    weir_json_format(request, 0, &text);
    weir_value_unref(request);
    return text.data;
}

static void give_all(flow_run *run, size_t at) {
    for (int i = 0; i < cases[at].contexts && cases[at].open; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        weir_value *data = weir_object_new();
        weir_member_put_text(data, "name", weir_str_from(name));
        weir_member_put(data, "inputs", inputs_of(cases[at].first + i));
        weir_machine_given(run->machine, run->now_us, WEIR_CONTEXT_GIVEN, 0, 0, data);
        if (i % 100 == 99) drive(run);
    }
    if (cases[at].open)
        weir_machine_given(run->machine, run->now_us, WEIR_CONTEXTS_ENDED, 0, 0, NULL);
    drive(run);
}

static void run_case(flow_run *run, size_t at, uint64_t after) {
    char *request = request_of(at);
    ahead_after = after;
    begin(run, cases[at].flow, request);
    give_all(run, at);
    weir_free(request);
}

static void expect_same_end(const flow_run *run, const flow_run *wanted, const char *about) {
    const char *const members[] = {"phase", "results", "error"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const weir_value *got = finished(run, members[i]), *want = finished(wanted, members[i]);
        if (!got != !want || (got && !weir_value_equal(got, want)))
            fail_msg("%s: other %s", about, members[i]);
    }
}

static size_t count_events(const flow_run *run, weir_event_type type) {
    size_t count = 0;
    for (size_t i = 0; i < run->journal.count; i++)
        count += run->journal.items[i].event.type == type;
    return count;
}

/* How many calls there were, listed or not. */
static int64_t count_calls(const flow_run *run) {
    weir_coordinator *c = weir_machine_coordinator(run->machine);
    weir_value *status = c->class->status(c);
    const weir_value *nodes = weir_member_named(status, "nodes");
    const weir_value *unlisted = weir_member_named(status, "unlisted");
    int64_t count = unlisted ? weir_int_get(weir_member_named(unlisted, "done")) : 0;
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *done = weir_member_named(weir_array_at(nodes, i), "done");
        count += done ? weir_int_get(done) : 0;
    }
    weir_value_unref(status);
    return count;
}

/* A crash after so many events, none of which is to come from outside. */
static void recover_after(const flow_run *from, size_t events, const char *about) {
    flow_run run;
    begin_machine(&run, from->plan);
    replay(&run, from, events);
    weir_machine_recovered(run.machine, run.now_us, WEIR_STR("test:1"));
    drive(&run);
    if (!weir_machine_finished(run.machine)) fail_msg("%s: hangs after event %zu", about, events);
    expect_same_end(&run, from, about);
    assert_int_equal(count_calls(&run), count_calls(from));
    end_machine(&run);
}

static void a_run_ahead_comes_to_the_same(void **state) {
    (void)state;
    for (size_t at = 0; at < CASES; at++)
        for (uint64_t after = 1; after <= 200; after += after < 3 ? 1 : 97) {
            flow_run whole, ahead;
            run_case(&whole, at, 0);
            run_case(&ahead, at, after);
            expect_same_end(&ahead, &whole, cases[at].about);
            expect_json(finished(&ahead, "phase"),
                        cases[at].fails ? "\"Failed\"" : "\"Succeeded\"");
            assert_int_equal(count_calls(&ahead), count_calls(&whole));
            assert_true(count_events(&ahead, WEIR_CALL_FINISHED) <=
                        after + (uint64_t)cases[at].contexts + 300);
            if (cases[at].contexts >= 300)
                assert_in_range(count_events(&ahead, WEIR_CONTEXTS_FINISHED), 1, 200);
            replay_all(&ahead);
            size_t first = 1; /* from where on nothing more comes from outside */
            for (size_t i = 0; i < ahead.journal.count; i++)
                if (ahead.journal.items[i].event.type == WEIR_CONTEXTS_ENDED) first = i + 1;
            size_t step = 1 + ahead.journal.count / 10;
            for (size_t i = first; i < ahead.journal.count; i += step)
                recover_after(&ahead, i, cases[at].about);
            discard(&whole);
            discard(&ahead);
        }
}

/* Each event once more, after each other one, does no harm: it is refused, or applied. */
static void a_journal_that_was_changed_is_refused(void **state) {
    (void)state;
    flow_run run;
    run_case(&run, 4, 1);
    size_t refused = 0;
    for (size_t i = 1; i < run.journal.count; i += 1 + run.journal.count / 8)
        for (size_t k = 0; k < run.journal.count; k += 1 + run.journal.count / 200) {
            weir_event event = run.journal.items[k].event;
            if (event.type != WEIR_CONTEXTS_TAKEN && event.type != WEIR_CONTEXTS_FINISHED &&
                event.type != WEIR_CONTEXT_AHEAD && event.type != WEIR_CONTEXT_OPENED)
                continue;
            flow_run again;
            weir_buffer bytes = {0};
            begin_machine(&again, run.plan);
            replay(&again, &run, i);
            event.id.sequence = 1;
            for (size_t e = 0; e < i; e++)
                if (run.journal.items[e].event.id.context == event.id.context) event.id.sequence++;
            weir_batch_begin(&bytes);
            weir_event_encode(&event, &bytes);
            refused += !weir_machine_replay(again.machine, weir_buffer_str(&bytes), NULL);
            drive(&again);
            weir_buffer_deinit(&bytes);
            end_machine(&again);
        }
    assert_in_range(refused, 20, 100000);
    discard(&run);
}

/* What a chunk is said to have is what it has. */
static void a_chunk_is_no_larger_than_it_is(void **state) {
    (void)state;
    static const struct {
        weir_event_type type;
        uint64_t subject;
        uint32_t number;
        const char *data;
    } wrong[] = {
        {WEIR_CONTEXTS_TAKEN, 99, 1, NULL},
        {WEIR_CONTEXTS_TAKEN, 0, 0, NULL},
        {WEIR_CONTEXTS_TAKEN, 0, UINT32_MAX, NULL},
        {WEIR_CONTEXTS_FINISHED, 0, 1, NULL},
        {WEIR_CONTEXTS_FINISHED, 99, 1, "{\"names\": [\"a\"], \"results\": [{}]}"},
        {WEIR_CONTEXTS_FINISHED, 0, 0, "{\"names\": [], \"results\": []}"},
        {WEIR_CONTEXTS_FINISHED, 0, 2, "{\"names\": [\"a\"], \"results\": [{}, {}]}"},
        {WEIR_CONTEXTS_FINISHED, 0, 1, "{\"names\": [\"a\"]}"},
        {WEIR_CONTEXTS_FINISHED, 0, 1, "{\"names\": [\"a\"], \"results\": []}"},
        {WEIR_CONTEXTS_FINISHED, 0, 1000, "{\"names\": 3}"},
        {WEIR_CONTEXT_OPENED, 1, 0, "{\"chunk\": 99}"},
        {WEIR_CONTEXT_OPENED, 1, 0, "{\"chunk\": \"x\"}"},
    };
    flow_run run;
    run_case(&run, 4, 1);
    size_t events = 0;
    while (run.journal.items[events].event.type != WEIR_CONTEXTS_TAKEN) events++;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        flow_run again;
        weir_buffer bytes = {0};
        begin_machine(&again, run.plan);
        replay(&again, &run, events + 1);
        weir_event event = {.type = wrong[i].type,
                            .subject = wrong[i].subject,
                            .number = wrong[i].number,
                            .data = wrong[i].data ? parse(wrong[i].data) : NULL};
        for (size_t e = 0; e <= events; e++)
            event.id.sequence += run.journal.items[e].event.id.context == 0;
        event.id.sequence++;
        weir_batch_begin(&bytes);
        weir_event_encode(&event, &bytes);
        assert_false(weir_machine_replay(again.machine, weir_buffer_str(&bytes), NULL));
        weir_buffer_deinit(&bytes);
        weir_value_unref(event.data);
        end_machine(&again);
    }
    discard(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_ahead_comes_to_the_same),
        cmocka_unit_test(a_journal_that_was_changed_is_refused),
        cmocka_unit_test(a_chunk_is_no_larger_than_it_is),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}
