/* Pods of several containers, by the process executor: each case isolated, where the system lets us, and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/json.h"
#include "executor/process.h"
#include "folder.h"

typedef struct recorder {
    weir_reporter base;
    bool ready;
    weir_value *outcome; /* NULL: it is under way */
} recorder;

static void record(weir_reporter *base, const weir_report *report) {
    recorder *r = (recorder *)base;
    weir_report taken = *report;
    r->ready = r->ready || taken.kind == WEIR_REPORT_READY;
    if (taken.kind == WEIR_REPORT_FINISHED) {
        assert_null(r->outcome);
        r->outcome = weir_outcome_to_value(&taken.outcome);
    }
    weir_report_deinit(&taken);
}

typedef struct bench {
    weir_loop *loop;
    recorder recorder;
    weir_logs logs;
    weir_secrets secrets;
    weir_executor *executor;
    weir_task_spec spec;
    char volumes[96];
} bench;

static void open_bench(bench *b, weir_isolation isolation) {
    weir_error error;
    *b = (bench){.recorder.base.report = record, .spec = {.operation = WEIR_STR("process.run")}};
    assert_int_equal(make_folder(), 0);
    snprintf(b->volumes, sizeof b->volumes, "%s/volumes", folder);
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%s/logs", folder);
    b->logs.directory = text.data;
    weir_buffer sandboxes = {0};
    weir_buffer_printf(&sandboxes, "%s/sandboxes", folder);
    assert_true(weir_loop_open(&b->loop, &error));
    b->executor = weir_process_executor_open(b->loop, &b->recorder.base, &b->logs, &b->secrets);
    weir_process_isolate(
        b->executor, &(weir_sandboxes_options){.isolation = isolation, .folder = sandboxes.data},
        NULL, b->volumes, NULL);
    weir_buffer_deinit(&sandboxes);
}

static weir_attempt_id attempt_id(void) {
    weir_attempt_id id = {.task = 3, .number = 1};
    snprintf(id.run, sizeof id.run, "pod%d", (int)getpid());
    return id;
}

static void close_bench(bench *b) {
    weir_buffer scratch = {0};
    weir_value_unref(b->recorder.outcome);
    b->executor->class->close(b->executor);
    weir_buffer_printf(&scratch, "%s/%s/.scratch/3.1", b->volumes, attempt_id().run);
    assert_int_equal(access(scratch.data, F_OK), -1);
    weir_buffer_deinit(&scratch);
    weir_loop_close(b->loop);
    weir_free(b->logs.directory);
    remove_folder();
}

static void start(bench *b, const char *config) {
    weir_attempt attempt = {.id = attempt_id(), .spec = &b->spec};
    weir_error error;
    if (!weir_json_parse(weir_str_from(config), WEIR_STR("config"), &attempt.config, &error))
        fail_msg("%s", error.message);
    attempt.parameters = weir_object_new();
    b->executor->class->start(b->executor, &attempt);
    weir_value_unref(attempt.config);
    weir_value_unref(attempt.parameters);
}

static void await(bench *b) {
    while (!b->recorder.outcome) weir_loop_once(b->loop, true);
}

/* "NAME:CODE …" in their order, `-` for one that never ran. */
static void list_containers(const weir_value *outcome, weir_buffer *out) {
    const weir_value *list = weir_member_named(weir_member_named(outcome, "outputs"), "containers");
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        const weir_value *code = weir_member_named(one, "exit_code");
        weir_str why = weir_member_text(one, "why");
        weir_buffer_printf(out, "%s%.*s:", i ? " " : "", WEIR_ARG(weir_member_text(one, "name")));
        if (code)
            weir_buffer_printf(out, "%d", (int)weir_int_get(code));
        else
            weir_buffer_text(out, "-");
        if (why.length) weir_buffer_printf(out, "(%.*s)", WEIR_ARG(why));
    }
}

#define SH(text) "\"command\": [\"sh\", \"-c\", \"" text "\"]"
#define AT_W "\"sandbox\": {\"mounts\": [{\"at\": \"/w\", \"scratch\": \"w\"}]}"

static const struct {
    const char *title, *config;
    const char *outcome, *message, *result, *containers;
} cases[] = {
    {"init containers come first, one after the other, and share folders",
     "{" SH("cat /w/log") ", " AT_W ", \"containers\": ["
                          "{\"name\": \"one\", \"role\": \"init\", " SH(
                              "sleep 0.05; echo 1 >> /w/log") ", " AT_W "},"
                                                              "{\"name\": \"two\", \"role\": "
                                                              "\"init\", " SH(
                                                                  "echo 2 >> /w/log") ", " AT_W
                                                                                      "}]}",
     "succeeded", "", "1\n2", "one:0 two:0 main:0"},
    {"an init container that fails is the end",
     "{" SH("echo no") ", \"containers\": ["
                       "{\"name\": \"one\", \"role\": \"init\", " SH(
                           "exit 3") "},"
                                     "{\"name\": \"two\", \"role\": \"init\", " SH("echo 2") "}]}",
     "failed", "container `one`: exit code 3", NULL, "one:3 two:- main:-"},
    {"a set goes by its dependencies, and main gives the result",
     "{" SH("cat /w/a /w/b") ", " AT_W ", \"containers\": ["
                             "{\"name\": \"main\", \"main\": true, \"depends\": [\"a\", \"b\"]},"
                             "{\"name\": \"a\", \"role\": \"set\", " SH(
                                 "sleep 0.05; echo A > /w/a") ", " AT_W "},"
                                                              "{\"name\": \"b\", \"role\": "
                                                              "\"set\", \"depends\": [\"a\"], " SH(
                                                                  "cat /w/a > /w/b") ", " AT_W
                                                                                     "}]}",
     "succeeded", "", "A\nA", "main:0 a:0 b:0"},
    {"without a main there is no result",
     "{\"sandbox\": {}, \"containers\": [{\"name\": \"a\", \"role\": \"set\", " SH("echo hi") "}]}",
     "succeeded", "", NULL, "a:0"},
    {"what depends on a failure does not begin, and what is beside it is asked to end",
     "{\"sandbox\": {}, \"containers\": ["
     "{\"name\": \"a\", \"role\": \"set\", " SH(
         "exit 7") "},"
                   "{\"name\": \"b\", \"role\": \"set\", \"depends\": [\"a\"], " SH(
                       "echo b") "},"
                                 "{\"name\": \"c\", \"role\": \"set\", \"depends\": [\"b\"], " SH(
                                     "echo c") "},"
                                               "{\"name\": \"d\", \"role\": \"set\", " SH(
                                                   "exec sleep 60") "},"
                                                                    "{\"name\": \"e\", \"role\": "
                                                                    "\"set\", \"depends\": "
                                                                    "[\"d\"], " SH("echo e") "}]}",
     "failed", "container `a`: exit code 7", NULL,
     "a:7 b:64(dependency \"a\" exited with non-zero code: 7) "
     "c:64(dependency \"b\" exited with non-zero code: 64) d:143 e:143"},
    {"one of a set is tried again",
     "{\"sandbox\": {}, \"containers\": ["
     "{\"name\": \"a\", \"role\": \"set\", \"retries\": 2, \"retry_wait_us\": 1000, " SH(
         "echo x >> /w/n; test $(wc -l < /w/n) = 3") ", " AT_W "}]}",
     "succeeded", "", NULL, "a:0"},
    {"files of a volume stay as a try left them",
     "{\"sandbox\": {}, \"containers\": ["
     "{\"name\": \"a\", \"role\": \"set\", \"retries\": 2, " SH(
         "echo x >> /f/n; test $(wc -l < /f/n) = 3") ", \"sandbox\": {\"mounts\": [{\"at\": "
                                                     "\"/f\", \"files\": "
                                                     "[{\"path\": \"n\", \"content\": \"\"}]}]}}]}",
     "succeeded", "", NULL, "a:0"},
    {"main is tried again too, and what it wrote stays",
     "{" SH(
         "echo x >> /w/n; wc -l < /w/n; test $(wc -l < /w/n) = 2") ", " AT_W ", \"containers\": ["
                                                                   "{\"name\": \"main\", \"main\": "
                                                                   "true, \"retries\": 1}]}",
     "succeeded", "", "1\n2", "main:0"},
    {"sidecars end with main, however that is",
     "{" SH("until test -e /w/up; do sleep 0.01; done; echo m") ", " AT_W ", \"containers\": ["
                                                                "{\"name\": \"s\", \"role\": "
                                                                "\"sidecar\", \"mirror\": "
                                                                "true, " SH(
                                                                    "trap 'exit 5' TERM; touch "
                                                                    "/w/up; while :; do sleep "
                                                                    "0.01; done") "}]}",
     "succeeded", "", "m", "s:5 main:0"},
    {"a sidecar that failed by itself counts",
     "{" SH("until test -e /w/up; do sleep 0.01; done; sleep 0.1") ", " AT_W ", \"containers\": ["
                                                                   "{\"name\": \"s\", \"role\": "
                                                                   "\"sidecar\", \"mirror\": "
                                                                   "true, " SH(
                                                                       "touch /w/up; exit 5") "}]}",
     "failed", "container `s`: exit code 5", "", "s:5 main:0"},
    {"main's failure is told before that of a sidecar",
     "{" SH("sleep 0.1; exit 2") ", \"containers\": ["
                                 "{\"name\": \"s\", \"role\": \"sidecar\", " SH("exit 5") "}]}",
     "failed", "exit code 2", "", "s:5 main:2"},
    {"names that would lead elsewhere are refused",
     "{" SH("echo m") ", \"containers\": [{\"name\": \"../s\", \"role\": \"sidecar\", " SH(
         "echo") "}]}",
     "errored", "`../s` is no name of a container, or of two", NULL, ""},
    {"a command that is not there",
     "{" SH("sleep 60") ", \"containers\": ["
                        "{\"name\": \"s\", \"role\": \"sidecar\", \"command\": [\"/no/such\"]}]}",
     "errored", NULL, NULL, NULL},
};

static void run_case(size_t i, weir_isolation isolation) {
    bench b;
    weir_buffer text = {0};
    open_bench(&b, isolation);
    print_message("  %s\n", cases[i].title);
    start(&b, cases[i].config);
    await(&b);
    const weir_value *failure = weir_member_named(b.recorder.outcome, "failure");
    const weir_value *outputs = weir_member_named(b.recorder.outcome, "outputs");
    assert_string_equal(weir_member_text(b.recorder.outcome, "outcome").data, cases[i].outcome);
    if (cases[i].message) {
        weir_str message = weir_member_text(failure, "message");
        assert_string_equal(message.length ? message.data : "", cases[i].message);
    } else {
        assert_non_null(strstr(weir_member_text(failure, "message").data, "/no/such"));
    }
    const weir_value *result = weir_member_named(outputs, "result");
    assert_int_equal(result != NULL && cases[i].result != NULL, cases[i].result != NULL);
    if (cases[i].result) assert_string_equal(weir_string_get(result).data, cases[i].result);
    list_containers(b.recorder.outcome, &text);
    if (cases[i].containers) assert_string_equal(text.length ? text.data : "", cases[i].containers);
    weir_buffer_deinit(&text);
    close_bench(&b);
}

static void pods_run_isolated(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run_case(i, WEIR_ISOLATION_AUTO);
}

static void pods_run_without_isolation(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run_case(i, WEIR_ISOLATION_NONE);
}

static const char stubborn[] = "{" SH(
    "trap '' TERM; touch /w/main; while :; do sleep 0.02; done") ", " AT_W ", \"containers\": "
                                                                 "[{\"name\": \"s\", \"role\": "
                                                                 "\"sidecar\", \"mirror\": "
                                                                 "true, " SH(
                                                                     "trap '' TERM; touch "
                                                                     "/w/side; (setsid sleep "
                                                                     "77777 &) ; while :; do "
                                                                     "sleep 0.02; done") "}]}";

static void wait_for_file(bench *b, const char *name) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s/.scratch/3.1/w/%s", b->volumes, attempt_id().run, name);
    for (int i = 0; access(path.data, F_OK) != 0; i++) {
        assert_in_range(i, 0, 10000);
        weir_loop_once(b->loop, false);
        usleep(1000);
    }
    weir_buffer_deinit(&path);
}

/* One that ignores what it is asked, and one that forked away. */
static void a_stop_ends_all_containers(void **state) {
    (void)state;
    bench b;
    weir_attempt_id id = attempt_id();
    open_bench(&b, WEIR_ISOLATION_AUTO);
    start(&b, stubborn);
    wait_for_file(&b, "main");
    wait_for_file(&b, "side");
    b.executor->class->stop(b.executor, &id, WEIR_STOP_TERM, 50 * 1000);
    await(&b);
    weir_buffer text = {0};
    list_containers(b.recorder.outcome, &text);
    assert_string_equal(weir_member_text(b.recorder.outcome, "outcome").data, "cancelled");
    assert_string_equal(text.data, "s:137 main:137");
    const weir_value *usage = weir_member_named(b.recorder.outcome, "usage");
    assert_true(weir_member_count(usage, "memory_peak_bytes") > 0);
    assert_true(weir_member_count(usage, "wall_us") >= 50 * 1000);
    weir_buffer_deinit(&text);
    close_bench(&b);
}

#define PROBE(text)                                                                                \
    "{" SH("sleep 0.1; touch /w/up; exec sleep 60") ", " AT_W ", \"probe\": " text "}"

static void a_service_is_ready_when_its_probe_says_so(void **state) {
    (void)state;
    for (int isolation = WEIR_ISOLATION_AUTO; isolation <= WEIR_ISOLATION_NONE; isolation++) {
        bench b;
        weir_attempt_id id = attempt_id();
        open_bench(&b, (weir_isolation)isolation);
        b.spec.kind = WEIR_TASK_SERVICE;
        start(&b, PROBE("{\"exec\": [\"test\", \"-e\", \"/w/up\"], \"successes\": 2}"));
        assert_false(b.recorder.ready);
        while (!b.recorder.ready) weir_loop_once(b.loop, true);
        assert_null(b.recorder.outcome);
        b.executor->class->stop(b.executor, &id, WEIR_STOP_DRAIN, 0);
        await(&b);
        assert_string_equal(weir_member_text(b.recorder.outcome, "outcome").data, "cancelled");
        close_bench(&b);
    }
}

/* A probe that takes too long is ended, and asked again; the service may end meanwhile. */
static void a_probe_that_hangs_says_no(void **state) {
    (void)state;
    for (int isolation = WEIR_ISOLATION_AUTO; isolation <= WEIR_ISOLATION_NONE; isolation++) {
        bench b;
        open_bench(&b, (weir_isolation)isolation);
        b.spec.kind = WEIR_TASK_SERVICE;
        start(&b,
              "{" SH("sleep 0.3; exit 7") ", \"sandbox\": {}, \"probe\": {\"exec\": [\"sleep\", "
                                          "\"60\"], \"timeout_us\": 20000, \"period_us\": 1000}}");
        await(&b);
        assert_false(b.recorder.ready);
        assert_int_equal(
            weir_member_count(weir_member_named(b.recorder.outcome, "failure"), "exit_code"), 7);
        close_bench(&b);
    }
}

static void a_probe_that_cannot_ask_is_an_error(void **state) {
    (void)state;
    static const char *const wrong[] = {
        PROBE("{\"tcp\": {\"port\": \"web\"}}"), PROBE("{}"), PROBE("{\"http\": {\"port\": \"\"}}"),
        PROBE("{\"http\": {\"port\": \"80\", \"path\": \"/ HTTP/1.1\\r\\nX: y\"}}")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bench b;
        open_bench(&b, WEIR_ISOLATION_NONE);
        b.spec.kind = WEIR_TASK_SERVICE;
        start(&b, wrong[i]);
        await(&b);
        assert_false(b.recorder.ready);
        assert_string_equal(weir_member_text(b.recorder.outcome, "outcome").data, "errored");
        close_bench(&b);
    }
}

static void what_rests_between_tries_can_be_stopped(void **state) {
    (void)state;
    bench b;
    weir_attempt_id id = attempt_id();
    open_bench(&b, WEIR_ISOLATION_NONE);
    start(&b,
          "{\"sandbox\": {}, \"containers\": [{\"name\": \"a\", \"role\": \"set\", \"retries\": 1, "
          "\"retry_wait_us\": 3600000000, " SH("touch /w/a; exit 1") ", " AT_W "}]}");
    wait_for_file(&b, "a");
    for (int i = 0; i < 50; i++) { /* its end is noticed */
        weir_loop_once(b.loop, false);
        usleep(2000);
    }
    b.executor->class->stop(b.executor, &id, WEIR_STOP_TERM, 0);
    await(&b);
    assert_string_equal(weir_member_text(b.recorder.outcome, "outcome").data, "cancelled");
    close_bench(&b);
}

static void closing_ends_them_in_silence(void **state) {
    (void)state;
    bench b;
    open_bench(&b, WEIR_ISOLATION_AUTO);
    start(&b, stubborn);
    wait_for_file(&b, "side");
    close_bench(&b);
    assert_null(b.recorder.outcome);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_run_isolated),
        cmocka_unit_test(pods_run_without_isolation),
        cmocka_unit_test(a_stop_ends_all_containers),
        cmocka_unit_test(a_service_is_ready_when_its_probe_says_so),
        cmocka_unit_test(a_probe_that_hangs_says_no),
        cmocka_unit_test(a_probe_that_cannot_ask_is_an_error),
        cmocka_unit_test(what_rests_between_tries_can_be_stopped),
        cmocka_unit_test(closing_ends_them_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
