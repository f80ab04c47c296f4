/* Contexts in contexts, contexts and inputs from outside, and locks. Every run is done again from each point of its
 * journal, as after a crash there; and journals that were written to do harm are refused. */
#include "flow_run.h"

#include "dataflow/context.h"

#define DEFINITIONS                                                                                \
    "definitions: {A: {primitive: int}, B: {primitive: int}, C: {primitive: int, lock: true},"     \
    " D: {primitive: int}, T: {primitive: str}, I: {primitive: map}, R: {primitive: map},"         \
    " V: {primitive: int, validate: v}, S: {primitive: array}, O: {primitive: map},"               \
    " P: {primitive: map}, Q: {primitive: map}}\n"
#define GET "get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: output}"
#define WANT(names) "seed: [{value: [" names "], definition: S}]"
#define INNER(operations, more)                                                                    \
    "{definitions: {A: {primitive: int}, B: {primitive: int}, C: {primitive: int, lock: true}, T:" \
    " {primitive: str}, S: {primitive: array}, O: {primitive: map}}, operations: {" operations     \
    "}" more "}"
#define IN(value, definition) "{\"value\": " value ", \"definition\": \"" definition "\"}"
#define INPUTS(list) "{\"contexts\": {\"ctx\": [" list "]}}"
#define AND ", "
#define RUN                                                                                        \
    "  run: {name: dffml.dataflow.run, inputs: {inputs: I}, outputs: {results: R}, expand: "       \
    "[results]"

/* --- contexts in contexts ---------------------------------------------------------------------- */

/* A dataflow, its request, the results without the context's name (NULL: it fails, with `calls` anyway). */
static const struct nested {
    const char *about, *flow, *request, *results, *calls;
} nested[] = {
    {"contexts in a context",
     DEFINITIONS
     "operations:\n" RUN "}\n  " GET "\n" WANT("R") "\nconfigs: {run: {dataflow: " INNER(
         "n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}, " GET, ", " WANT("B")) "}}\n",
     INPUTS(IN("{\"x\": [" IN("0", "A") AND IN("1", "A") "], \"y\": [" IN("1", "A") "]}", "I")),
     "~{\"R\":[{\"x\":{\"B\":[0,1]}},{\"y\":{\"B\":[1]}}]}", NULL},
    {"locks in and around a dataflow",
     DEFINITIONS
     "operations:\n"
     "  run: {name: dffml.dataflow.run, inputs: {T: T, C: C}, outputs: {r: D}}\n"
     "  n: {name: sleep_ms, inputs: {ms: C}, outputs: {ms: B}}\n  " GET
     "\n" WANT("B, D") "\nconfigs: {run: {dataflow: " INNER(
         "n: {name: sleep_ms, inputs: {ms: C}, outputs: {ms: A}}, m: {name: sleep_ms, inputs: "
         "{ms: A}, outputs: {ms: B}}, g: {name: get_single, inputs: {spec: S}, outputs: {output: "
         "O}, stage: output}",
         ", seed: [{value: [{r: B}], definition: S}, {value: 2, definition: C}]") "}}\n",
     INPUTS(IN("\"x\"", "T") AND IN("\"y\"", "T") AND IN("1", "C")), "~{\"B\":[1],\"D\":[2,2]}",
     NULL},
    {"a dataflow is tried again",
     DEFINITIONS "operations:\n  run: {name: dffml.dataflow.run, inputs: {T: T, A: A}, outputs: "
                 "{r: D}, retry: 2}\n  c: {name: mark0, inputs: {}, outputs: {}, stage: cleanup}\n"
                 "configs: {run: {dataflow: " INNER(
                     "f: {name: fail, inputs: {x: A}, outputs: {result: B}}, n: {name: sleep_ms, "
                     "inputs: {ms: A}, outputs: {ms: B}}, c: {name: mark0, inputs: {}, outputs: "
                     "{}, stage: cleanup}",
                     "") "}}\n",
     INPUTS(IN("\"x\"", "T") AND IN("1", "A")), NULL, NULL},
    {"forwarded inputs",
     DEFINITIONS
     "operations:\n" RUN "}\n  n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}\n"
     "  " GET "\n" WANT("R") "\nforward: {run: [B]}\nconfigs: {run: {dataflow: " INNER(
         "n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: T}}, " GET, ", " WANT("T")) "}}\n",
     INPUTS(IN("3", "A") AND IN("{\"x\": [" IN("0", "A") "]}", "I")),
     "~{\"R\":[{\"x\":{\"T\":[0]}}]}", NULL},
    {"a remap beside output operations",
     DEFINITIONS "operations:\n  r: {name: remap, inputs: {spec: P}, outputs: {response: Q}, "
                 "stage: output}\n  n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}\n"
                 "seed: [{value: {all: [B]}, definition: P}]\nconfigs: {r: {dataflow: " INNER(
                     GET, ", " WANT("B")) "}}\n",
     INPUTS(IN("1", "A") AND IN("2", "A")), "~{\"all\":[1,2]}", NULL},
    {"generators",
     DEFINITIONS "operations:\n  v: {name: v_nonneg, inputs: {x: V}, outputs: {x: A},"
                 " validator: true}\n  n: {name: sleep_ms, inputs: {ms: A}, outputs:"
                 " {ms: B}}\n  " GET "\n" WANT("B") "\n",
     INPUTS(IN("1", "V") AND IN("2", "V")), "~{\"B\":[1,2]}", NULL},
};

static void check_nested_test(void **state) {
    const struct nested *n = *state;
    flow_run run;
    begin(&run, n->flow, n->request);
    drive(&run);
    expect_json(finished(&run, "phase"), n->results ? "\"Succeeded\"" : "\"Failed\"");
    weir_buffer results = {0};
    weir_buffer_printf(&results, n->results ? "{\"ctx\":%s}" : "{}",
                       n->results ? n->results + 1 : "");
    weir_value *wanted = parse(results.data);
    expect_same(finished(&run, "results"), wanted);
    weir_value_unref(wanted);
    weir_buffer_deinit(&results);
    end(&run);
}

/* --- how many at once ------------------------------------------------------------------------- */

/* What runs a dataflow takes no place from what runs in it. */
static void a_process_in_a_dataflow_gets_its_turn(void **state) {
    (void)state;
    flow_run run;
    attempts_max = 1;
    begin(&run,
          DEFINITIONS
          "operations:\n  run: {name: dffml.dataflow.run, inputs: {T: T}, outputs: {}}\n"
          "configs: {run: {dataflow: " INNER(
              "p: {name: process.run, inputs: {t: T}, outputs: {result: B}}",
              ", configs: {p: {command: [echo]}}") "}}\n",
          INPUTS(IN("\"x\"", "T") AND IN("\"y\"", "T")));
    attempts_max = 0;
    for (weir_task_id i = 0; i < 2; i++) {
        turn(&run);
        assert_int_equal(run.effects.count, 1);
        weir_effect effect = run.effects.items[--run.effects.count];
        assert_int_equal(effect.kind, WEIR_EFFECT_START);
        assert_true(report(&run, effect.task, effect.number, WEIR_REPORT_FINISHED,
                           (weir_outcome){.outputs = parse("{\"result\": 1}")}));
    }
    turn(&run);
    expect_json(finished(&run, "phase"), "\"Succeeded\"");
    replay_all(&run);
    discard(&run);
}

enum { TASKS = 7, CONTEXTS_OF_EACH = 300, OPEN_MAX = 1024 };

static void contexts_of_a_dataflow_take_turns(void **state) {
    (void)state;
    weir_buffer request = {0};
    weir_buffer_text(&request, "{\"contexts\": {\"ctx\": [");
    for (int t = 0; t < TASKS; t++) {
        weir_buffer_text(&request, t ? ", {\"value\": {" : "{\"value\": {");
        for (int i = 0; i < CONTEXTS_OF_EACH; i++)
            weir_buffer_printf(&request, "%s\"%d\": [" IN("0", "A") "]", i ? ", " : "", i);
        weir_buffer_text(&request, "}, \"definition\": \"I\"}");
    }
    weir_buffer_text(&request, "]}}");
    flow_run run;
    begin(&run,
          DEFINITIONS "operations:\n" RUN "}\nconfigs: {run: {dataflow: " INNER(
              "n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}", "") "}}\n",
          request.data);
    weir_buffer_deinit(&request);
    drive(&run);
    expect_json(finished(&run, "phase"), "\"Succeeded\"");
    assert_int_equal(run.open_most, OPEN_MAX + 1);
    assert_int_equal(run.ended.count, TASKS * (CONTEXTS_OF_EACH + 1));
    for (size_t cut = 1; cut < 7; cut++) recover_from(&run, run.journal.count * cut / 7);
    discard(&run);
}

/* --- status ------------------------------------------------------------------------------------ */

/* Each context of a dataflow stands below the operation that runs it, in the order in which they were opened. */
static void contexts_within_stand_below_their_operation(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          DEFINITIONS "operations:\n" RUN "}\nconfigs: {run: {dataflow: " INNER(
              "n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}", "") "}}\n",
          "{\"contexts\": {\"one\": [" IN("{\"a\": [], \"b\": []}", "I") "], \"two\": [" IN(
              "{\"c\": [], \"d\": []}", "I") "]}}");
    drive(&run);
    weir_coordinator *coordinator = weir_machine_coordinator(run.machine);
    weir_value *status = coordinator->class->status(coordinator);
    const weir_value *nodes = weir_member_named(status, "nodes");
    weir_buffer tree = {0};
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i);
        weir_buffer_printf(&tree, "%.*s:%.*s<%.*s ", WEIR_ARG(weir_member_text(node, "id")),
                           WEIR_ARG(weir_member_text(node, "name")),
                           WEIR_ARG(weir_member_text(node, "parent")));
    }
    assert_string_equal(tree.data, "1:one< 1.0:run<1 3:a<1.0 3.0:n<3 5:b<1.0 5.0:n<5 "
                                   "2:two< 2.0:run<2 4:c<2.0 4.0:n<4 6:d<2.0 6.0:n<6 ");
    weir_buffer_deinit(&tree);
    weir_value_unref(status);
    end(&run);
}

/* --- limits ------------------------------------------------------------------------------------ */

/* 400 values for each of three parameters would be 64 million parameter sets, in whatever stage. What runs by then is
 * stopped before the clean-up. */
static void too_many_sets_end_any_stage(void **state) {
    (void)state;
    static const char *const stages[] = {"processing", "cleanup", "output"};
    for (size_t i = 0; i < 3; i++) {
        char text[2048];
        snprintf(
            text, sizeof text,
            DEFINITIONS
            "operations:\n  w: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: D}}\n"
            "  r: {name: range, inputs: {n: D}, outputs: {items: B}, expand: [items]}\n"
            "  t: {name: triple, inputs: {a: B, b: B, c: B}, outputs: {triple: S}, stage: %s}\n"
            "  slow: {name: process.run, inputs: {t: T}, outputs: {}}\n"
            "  c: {name: mark0, inputs: {}, outputs: {}, stage: cleanup}\n",
            stages[i]);
        flow_run run;
        begin(&run, text, INPUTS(IN("400", "A") AND IN("\"t\"", "T")));
        turn(&run);
        assert_int_equal(run.effects.count, 2);
        assert_true(report(&run, 0, 1, WEIR_REPORT_FINISHED,
                           (weir_outcome){.outputs = parse("{\"ms\": 400}")}));
        turn(&run);
        expect_texts(run.ended.items, run.ended.count, "r w");
        assert_int_equal(run.effects.count, i == 0 ? 3 : 2);
        assert_true(report(&run, 1, 1, WEIR_REPORT_FINISHED, (weir_outcome){0}));
        turn(&run);
        expect_json(finished(&run, "phase"), "\"Failed\"");
        assert_string_equal(weir_member_text(finished(&run, "error"), "code").data,
                            "limit_exceeded");
        expect_texts(run.ended.items, run.ended.count, "c r slow w");
        replay_all(&run);
        discard(&run);
    }
}

/* A loop goes round as often as it likes in the memory of a few values, however many go round at once; and with locks
 * each stands for that of its first only. */
static void loops_need_no_more_for_more_rounds(void **state) {
    (void)state;
    enum { ROUNDS = 1000 };
    static const char *const requests[] = {
        INPUTS(IN("1000", "A")), INPUTS(IN("1000", "A") AND IN("1000", "A") AND IN("1000", "A")),
        INPUTS(IN("1000", "C")), INPUTS(IN("1000", "C") AND IN("1000", "C") AND IN("1000", "C"))};
    weir__flow_limits usual = weir__limits;
    weir__limits.places = 60;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        static const char *const definitions[] = {"A", "C"};
        char text[2048];
        snprintf(text, sizeof text,
                 DEFINITIONS "operations:\n  d: {name: countdown_stop, inputs: {n: %s}, outputs: "
                             "{n: %s}}\nflow: {d: {inputs: {n: [seed, {d: n}]}}}\n",
                 definitions[i / 2], definitions[i / 2]);
        flow_run run;
        begin(&run, text, requests[i]);
        drive(&run);
        expect_json(finished(&run, "phase"), "\"Succeeded\"");
        assert_in_range(run.ended.count, (i % 2 ? 3 : 1) * ROUNDS, 3 * (ROUNDS + 1));
        replay_all(&run);
        discard(&run);
    }
    weir__limits = usual;
}

static weir__flow_limits usual_limits;

static int keep_limits(void **state) {
    (void)state;
    usual_limits = weir__limits;
    return 0;
}

static int put_limits_back(void **state) {
    (void)state;
    weir__limits = usual_limits;
    return 0;
}

#define SET_OF_PAIRS                                                                               \
    "  p: {name: pair, inputs: {a: A, b: A}, outputs: {pair: S}}\n"                                \
    "  q: {name: pair, inputs: {a: A, b: A}, outputs: {pair: S}}\n"
#define FOUR IN("1", "A") AND IN("2", "A") AND IN("3", "A") AND IN("4", "A")

/* Each run is one over what is allowed, and ends so at the limit; without it by one. */
static const struct limited {
    const char *about, *operations, *request;
    size_t limit; /* where in the limits */
    uint32_t too_low, enough;
} limited[] = {
    {"inputs of a context",
     "  r: {name: range, inputs: {n: A}, outputs: {items: B}, expand: [items]}\n  " GET
     "\n" WANT("B") "\n",
     INPUTS(IN("50", "A")), offsetof(weir__flow_limits, places), 51, 52},
    {"numbers of sets", SET_OF_PAIRS, INPUTS(FOUR), offsetof(weir__flow_limits, places), 95, 96},
    {"sets that wait", SET_OF_PAIRS, INPUTS(FOUR), offsetof(weir__flow_limits, sets), 31, 32},
    {"tasks",
     "  n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}\n  m: {name: sleep_ms, "
     "inputs: {ms: B}, outputs: {ms: D}}\n",
     INPUTS(IN("0", "A") AND IN("1", "A")), offsetof(weir__flow_limits, tasks), 3, 4},
    {"contexts", "  n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}\n",
     "{\"contexts\": {\"x\": [], \"y\": [], \"z\": []}}", offsetof(weir__flow_limits, contexts), 3,
     4},
    {"contexts in contexts", RUN "}\nconfigs: {run: {dataflow: " INNER("", "") "}}\n",
     INPUTS(IN("{\"x\": [], \"y\": [], \"z\": []}", "I")), offsetof(weir__flow_limits, contexts), 4,
     5},
    {"locks", "  n: {name: sleep_ms, inputs: {ms: C}, outputs: {ms: B}}\n",
     INPUTS(IN("0", "C") AND IN("0", "C") AND IN("0", "C")), offsetof(weir__flow_limits, places), 6,
     7},
    {"ancestors",
     "  d: {name: countdown_stop, inputs: {n: A}, outputs: {n: A}}\n  a: {name: "
     "associate_definition, inputs: {spec: P}, outputs: {output: Q}, stage: output}\n"
     "seed: [{value: {A: A}, definition: P}]\n"
     "flow: {d: {inputs: {n: [seed, {d: n}]}}, a: {inputs: {spec: [seed]}}}\n",
     INPUTS(IN("30", "A")), offsetof(weir__flow_limits, places), 500, 600},
};

static void check_limited(void **state) {
    const struct limited *l = *state;
    weir_buffer text = {0};
    weir_buffer_printf(&text, DEFINITIONS "operations:\n%s", l->operations);
    for (int enough = 0; enough < 2; enough++) {
        memcpy((char *)&weir__limits + l->limit, enough ? &l->enough : &l->too_low,
               sizeof l->enough);
        flow_run run;
        begin(&run, text.data, l->request);
        drive(&run);
        expect_json(finished(&run, "phase"), enough ? "\"Succeeded\"" : "\"Failed\"");
        if (!enough) {
            weir_buffer problem = {0};
            weir_json_format(finished(&run, "error"), 0, &problem);
            assert_non_null(strstr(problem.data, "\"limit_exceeded\""));
            assert_non_null(strstr(problem.data, "are allowed"));
            weir_buffer_deinit(&problem);
        }
        end(&run);
    }
    weir_buffer_deinit(&text);
}

/* --- from outside ------------------------------------------------------------------------------ */

static weir_value *given(const char *name, const char *inputs) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "{\"name\": \"%s\", \"inputs\": [%s]}", name, inputs);
    weir_value *value = parse(text.data);
    weir_buffer_deinit(&text);
    return value;
}

static void give_it(flow_run *run, weir_event_type type, uint32_t context, uint32_t number,
                    weir_value *data) {
    weir_machine_given(run->machine, run->now_us, type, context, number, data);
    drive(run);
}

enum { WAITS = 0, NOWHERE = 1000 };

static uint32_t find(const flow_run *run, const char *name) {
    uint32_t context;
    return weir_dataflow_find_context(weir_machine_coordinator(run->machine), weir_str_from(name),
                                      &context)
               ? context
               : NOWHERE;
}

static bool knows(const flow_run *run, const char *name) {
    return weir_dataflow_has_context(weir_machine_coordinator(run->machine), weir_str_from(name));
}

#define OPEN_FLOW                                                                                  \
    DEFINITIONS "operations:\n  v: {name: v_nonneg, inputs: {x: V}, outputs: {x: D}, validator: "  \
                "true}\n  n: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}\n  c: {name: "    \
                "sleep_ms, inputs: {ms: A}, outputs: {}, stage: cleanup}\n  " GET                  \
                "\n" WANT("A, B") "\n"

static void held_contexts_take_inputs_until_they_are_closed(void **state) {
    (void)state;
    flow_run run;
    begin(&run, OPEN_FLOW, "{\"open\": true, \"max_contexts\": 1}");
    drive(&run);
    assert_null(weir_machine_finished(run.machine));
    weir_machine_given(run.machine, run.now_us, WEIR_CONTEXT_GIVEN, 0, 1, given("x", IN("1", "A")));
    assert_true(knows(&run, "x")); /* so nobody gives another of the name */
    assert_int_equal(find(&run, "x"), WAITS);
    weir_machine_given(run.machine, run.now_us, WEIR_CONTEXT_GIVEN, 0, 1, given("y", IN("2", "A")));
    drive(&run);
    uint32_t x = find(&run, "x");
    assert_int_equal(x, 1);
    assert_true(knows(&run, "y"));
    assert_int_equal(find(&run, "y"), WAITS);
    give_it(&run, WEIR_INPUTS_GIVEN, x, 0, given("x", IN("3", "A") AND IN("4", "V")));
    weir_machine_given(run.machine, run.now_us, WEIR_CONTEXT_CLOSED, x, 0, NULL);
    turn(&run);
    assert_int_equal(find(&run, "x"), NOWHERE); /* its clean-up is under way */
    assert_true(knows(&run, "x"));
    drive(&run);
    assert_false(knows(&run, "x"));
    uint32_t y = find(&run, "y");
    assert_int_equal(y, 2);
    give_it(&run, WEIR_CONTEXTS_ENDED, 0, 0, NULL);
    give_it(&run, WEIR_CONTEXT_CLOSED, y, 0, NULL);
    weir_value *wanted = parse("{\"x\": {\"A\": [1, 3], \"B\": [1, 3]}, \"y\": {\"A\": [2], "
                               "\"B\": [2]}}");
    expect_same(finished(&run, "results"), wanted);
    weir_value_unref(wanted);
    end(&run);
}

/* What is sent to a context that waits is with its first inputs, before the seeds; and it may be closed before it begins. */
static void contexts_that_wait_take_inputs(void **state) {
    (void)state;
    flow_run run;
    begin(&run, OPEN_FLOW, "{\"open\": true, \"max_contexts\": 1}");
    drive(&run);
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('x' + i), 0};
        give_it(&run, WEIR_CONTEXT_GIVEN, 0, 1, given(name, IN("1", "A")));
    }
    give_it(&run, WEIR_INPUTS_GIVEN, 0, 0, given("z", IN("5", "A")));
    give_it(&run, WEIR_INPUTS_GIVEN, 0, 0, given("y", IN("2", "A") AND IN("4", "V")));
    give_it(&run, WEIR_INPUTS_GIVEN, 0, 0, given("y", IN("3", "A")));
    give_it(&run, WEIR_CONTEXT_CLOSED, 0, 0, given("y", ""));
    assert_int_equal(find(&run, "y"), NOWHERE);
    assert_true(knows(&run, "y"));
    assert_int_equal(find(&run, "z"), WAITS);
    give_it(&run, WEIR_CONTEXT_CLOSED, find(&run, "x"), 0, NULL);
    assert_false(knows(&run, "y"));
    assert_int_equal(find(&run, "z"), 3);
    give_it(&run, WEIR_CONTEXT_CLOSED, 3, 0, NULL);
    give_it(&run, WEIR_CONTEXTS_ENDED, 0, 0, NULL);
    weir_value *wanted =
        parse("{\"x\": {\"A\": [1], \"B\": [1]}, \"y\": {\"A\": [1, 2, 3], \"B\": [1, 2, 3]}, "
              "\"z\": {\"A\": [1, 5], \"B\": [1, 5]}}");
    expect_same(finished(&run, "results"), wanted);
    weir_value_unref(wanted);
    end(&run);
}

/* --- journals that were written to do harm ------------------------------------------------------ */

/* Whether the run's first `events` and then this one can be replayed. */
static bool fits_after(const flow_run *from, size_t events, weir_event event) {
    flow_run run;
    weir_buffer bytes = {0};
    begin_machine(&run, from->plan);
    replay(&run, from, events);
    weir_batch_begin(&bytes);
    event.id.sequence = 1;
    for (size_t i = 0; i < events; i++)
        if (from->journal.items[i].event.id.context == event.id.context) event.id.sequence++;
    weir_event_encode(&event, &bytes);
    bool ok = weir_machine_replay(run.machine, weir_buffer_str(&bytes), NULL);
    drive(&run);
    weir_buffer_deinit(&bytes);
    end_machine(&run);
    return ok;
}

/* An attempt that its coordinator makes is not lost, and is not over before its contexts are. */
static void what_a_coordinator_does_itself_is_checked(void **state) {
    (void)state;
    flow_run run;
    begin(&run, nested[0].flow, nested[0].request);
    drive(&run);
    weir_value *outcome = parse("{\"outcome\": \"succeeded\"}");
    size_t refused = 0;
    for (size_t i = 1; i < run.journal.count; i++) {
        weir_event lost = {.type = WEIR_ATTEMPT_LOST, .id = {1, 0}, .number = 1};
        weir_event over = {
            .type = WEIR_ATTEMPT_FINISHED, .id = {1, 0}, .number = 1, .data = outcome};
        assert_false(fits_after(&run, i, lost));
        refused += !fits_after(&run, i, over);
        weir_event again =
            run.journal.items[i - 1].event; /* the same once more: whatever it does */
        (void)fits_after(&run, i, again);
    }
    assert_in_range(refused, 10, run.journal.count - 4);
    weir_value_unref(outcome);
    discard(&run);
}

enum { NESTED = sizeof nested / sizeof *nested, LIMITED = sizeof limited / sizeof *limited };

/* --- locks of what is forwarded ----------------------------------------------------------------- */

/* `run` has E while its dataflow goes on. C is sent then, to `use` within it and to others around it: `both` waits for C
 * and E, so `use` is not to wait for it. */
#define TAKE_C "  one: {name: process.run, inputs: {c: C}, outputs: {}}\n"
#define TAKE_BOTH "  both: {name: process.run, inputs: {c: C, e: E}, outputs: {}}\n"
#define FORWARDING(outer)                                                                          \
    "definitions: {T: {primitive: str}, C: {primitive: int, lock: true}, E: {primitive: int, "     \
    "lock: "                                                                                       \
    "true}, G: {primitive: int, lock: true}, R: {primitive: int}}\n"                               \
    "operations:\n" outer "  run: {name: dffml.dataflow.run, inputs: {t: T, e: E}, outputs: {}}\n" \
    "forward: {run: [C, G]}\n"                                                                     \
    "configs: {both: {command: [x]}, one: {command: [x]}, run: {dataflow: {\n"                     \
    "  definitions: {T: {primitive: str}, C: {primitive: int}, E: {primitive: int}, G: "           \
    "{primitive: "                                                                                 \
    "int}, O: {primitive: str}, W: {}},\n"                                                         \
    "  operations: {hold: {name: process.run, inputs: {t: T}, outputs: {}},\n"                     \
    "    use: {name: process.run, inputs: {c: C}, outputs: {}},\n"                                 \
    "    pair: {name: process.run, inputs: {c: C, g: G}, outputs: {}}},\n"                         \
    "  configs: {hold: {command: [x]}, use: {command: [x]}, pair: {command: [x]}}}}}\n"

/* The name of what was begun and did not end yet. */
static weir_str begun(const flow_run *run, size_t at) {
    assert_true(at < run->effects.count);
    const weir_effect *effect = &run->effects.items[at];
    assert_int_equal(effect->kind, WEIR_EFFECT_START);
    return weir_tasks_spec(weir_machine_tasks(run->machine), effect->task)->name;
}

/* Ends what is begun and of the name; false when there is none. */
static bool end_begun(flow_run *run, const char *name) {
    for (size_t i = 0; i < run->effects.count; i++) {
        weir_effect effect = run->effects.items[i];
        if (!weir_str_is(begun(run, i), name)) continue;
        run->effects.items[i] = run->effects.items[--run->effects.count];
        assert_true(report(run, effect.task, effect.number, WEIR_REPORT_FINISHED,
                           (weir_outcome){.outputs = parse("{}")}));
        turn(run);
        return true;
    }
    return false;
}

static size_t count_begun(const flow_run *run, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < run->effects.count; i++) count += weir_str_is(begun(run, i), name);
    return count;
}

static void begin_forwarding(flow_run *run, const char *flow) {
    begin(run, flow, "{\"open\": true}");
    turn(run);
    weir_machine_given(run->machine, run->now_us, WEIR_CONTEXT_GIVEN, 0, 1,
                       given("x", IN("\"name\"", "T") AND IN("5", "E")));
    turn(run);
    assert_int_equal(run->effects.count, 1);
    assert_int_equal(count_begun(run, "hold"), 1);
}

static void send_to_x(flow_run *run, const char *inputs) {
    weir_machine_given(run->machine, run->now_us, WEIR_INPUTS_GIVEN, find(run, "x"), 0,
                       given("x", inputs));
    turn(run);
}

static void end_forwarding(flow_run *run) {
    weir_machine_given(run->machine, run->now_us, WEIR_CONTEXT_CLOSED, find(run, "x"), 0, NULL);
    weir_machine_given(run->machine, run->now_us, WEIR_CONTEXTS_ENDED, 0, 0, NULL);
    turn(run);
    expect_json(finished(run, "phase"), "\"Succeeded\"");
    replay_all(run);
    discard(run);
}

static void a_forwarded_input_has_its_locks_within(void **state) {
    (void)state;
    flow_run run;
    begin_forwarding(&run, FORWARDING(TAKE_C TAKE_BOTH));
    send_to_x(&run, IN("1", "C"));
    static const char *const takers[] = {"one", "use"};
    size_t most = 0;
    for (int ended = 0; ended < 2; ended++) {
        size_t now = count_begun(&run, "one") + count_begun(&run, "use");
        if (now > most) most = now;
        assert_int_equal(count_begun(&run, "both"), 0); /* `run` has E */
        bool some = false;
        for (size_t i = 0; i < 2 && !some; i++) some = end_begun(&run, takers[i]);
        assert_true(some); /* or nothing goes on */
    }
    assert_int_equal(most, 1);
    assert_int_equal(run.effects.count, 1);
    assert_true(end_begun(&run, "hold"));
    assert_true(end_begun(&run, "both"));
    assert_int_equal(run.effects.count, 0);
    end_forwarding(&run);
}

/* `one` waits for `both`, which wants C too, and that for `run`: but what `run` waits for goes before both. */
static void a_guest_goes_before_those_that_wait(void **state) {
    (void)state;
    flow_run run;
    begin_forwarding(&run, FORWARDING(TAKE_BOTH TAKE_C));
    send_to_x(&run, IN("1", "C"));
    static const char *const order[] = {"use", "hold", "both", "one"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        assert_int_equal(run.effects.count, i ? 1 : 2);
        assert_true(end_begun(&run, order[i]));
    }
    end_forwarding(&run);
}

/* Several of each, and some within that want two of the locks: all get them, one at a time. */
static void guests_and_others_get_their_locks(void **state) {
    (void)state;
    static const char *const takers[] = {"one", "use", "pair"};
    enum { TAKERS = 3, SENT = 4 };
    for (size_t first = 0; first < TAKERS; first++) {
        flow_run run;
        begin_forwarding(&run, FORWARDING(TAKE_C TAKE_BOTH));
        for (int i = 0; i < SENT; i++)
            send_to_x(&run, IN("1", "C") AND IN("2", "G") AND IN("3", "C"));
        size_t ended = 0, wanted = SENT * 2 * 2 + (size_t)SENT * 2 * SENT;
        while (ended < wanted) {
            assert_int_equal(count_begun(&run, "both"), 0);
            assert_in_range(count_begun(&run, "one") + count_begun(&run, "use") +
                                count_begun(&run, "pair"),
                            1, (size_t)SENT * 2);
            assert_in_range(count_begun(&run, "pair"), 0, SENT);
            bool some = false;
            for (size_t i = 0; i < TAKERS && !some; i++)
                some = end_begun(&run, takers[(first + i) % TAKERS]);
            assert_true(some);
            ended++;
        }
        assert_int_equal(run.effects.count, 1);
        assert_true(end_begun(&run, "hold"));
        for (int i = 0; i < SENT * 2; i++) assert_true(end_begun(&run, "both"));
        end_forwarding(&run);
    }
}

/* A guest that is not wanted any more keeps nobody waiting. */
static void guests_that_are_cancelled_leave(void **state) {
    (void)state;
    flow_run run;
    begin_forwarding(&run, FORWARDING(TAKE_C TAKE_BOTH));
    send_to_x(&run, IN("1", "C") AND IN("2", "G") AND IN("3", "C"));
    weir_machine_cancelled(run.machine, run.now_us, false);
    turn(&run);
    size_t starts = 0;
    for (size_t i = 0; i < run.effects.count; i++)
        if (run.effects.items[i].kind == WEIR_EFFECT_START)
            run.effects.items[starts++] = run.effects.items[i];
    run.effects.count = starts;
    while (run.effects.count) {
        weir_str name = begun(&run, 0);
        char *text = weir_str_dup(name);
        assert_true(end_begun(&run, text));
        weir_free(text);
    }
    expect_json(finished(&run, "phase"), "\"Failed\"");
    replay_all(&run);
    discard(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_in_a_dataflow_gets_its_turn),
        cmocka_unit_test(a_forwarded_input_has_its_locks_within),
        cmocka_unit_test(a_guest_goes_before_those_that_wait),
        cmocka_unit_test(guests_and_others_get_their_locks),
        cmocka_unit_test(guests_that_are_cancelled_leave),
        cmocka_unit_test(contexts_of_a_dataflow_take_turns),
        cmocka_unit_test(contexts_within_stand_below_their_operation),
        cmocka_unit_test(too_many_sets_end_any_stage),
        cmocka_unit_test(loops_need_no_more_for_more_rounds),
        cmocka_unit_test(held_contexts_take_inputs_until_they_are_closed),
        cmocka_unit_test(contexts_that_wait_take_inputs),
        cmocka_unit_test(what_a_coordinator_does_itself_is_checked),
    };
    static struct CMUnitTest cases[NESTED];
    for (size_t i = 0; i < NESTED; i++)
        cases[i] = (struct CMUnitTest){nested[i].about, check_nested_test, NULL, NULL,
                                       (void *)(uintptr_t)&nested[i]};
    static struct CMUnitTest limits[LIMITED];
    for (size_t i = 0; i < LIMITED; i++)
        limits[i] = (struct CMUnitTest){limited[i].about, check_limited, keep_limits,
                                        put_limits_back, (void *)(uintptr_t)&limited[i]};
    int wrong = cmocka_run_group_tests_name("contexts", tests, open_registry, close_registry);
    registry = (weir_registry){0};
    wrong += cmocka_run_group_tests_name("limits", limits, open_registry, close_registry);
    registry = (weir_registry){0};
    return wrong +
           cmocka_run_group_tests_name("dataflows within", cases, open_registry, close_registry);
}
