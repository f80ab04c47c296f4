/* Executors of this machine: secrets and logs, operations in this process, child processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/json.h"
#include "data/yaml.h"
#include "executor/inline.h"
#include "executor/process.h"
#include "io/process.h"
#include "log_text.h"

/* Of this process: another that runs these tests at the same time must not end our processes. */
static char run_name[WEIR_RUN_ID_LENGTH + 1];

/* Counts reports, and keeps metrics and outcomes. */
typedef struct recorder {
    weir_reporter base;
    pthread_mutex_t lock;
    unsigned counts[WEIR_REPORT_FINISHED + 1];
    weir_values metrics, outcomes;
} recorder;

static void record(weir_reporter *base, const weir_report *report) {
    recorder *r = (recorder *)base;
    weir_report taken = *report;
    pthread_mutex_lock(&r->lock);
    r->counts[taken.kind]++;
    if (taken.kind == WEIR_REPORT_METRIC)
        *weir_vector_push(&r->metrics) = weir_value_ref(taken.data);
    if (taken.kind == WEIR_REPORT_STARTED)
        assert_true(weir_member_text(taken.data, "host").length > 0);
    if (taken.kind == WEIR_REPORT_FINISHED)
        *weir_vector_push(&r->outcomes) = weir_outcome_to_value(&taken.outcome);
    pthread_mutex_unlock(&r->lock);
    weir_report_deinit(&taken);
}

static unsigned count(recorder *r, weir_report_kind kind) {
    pthread_mutex_lock(&r->lock);
    unsigned n = r->counts[kind];
    pthread_mutex_unlock(&r->lock);
    return n;
}

/* All that a test needs; one loop each. */
typedef struct bench {
    weir_loop *loop;
    recorder recorder;
    weir_secrets secrets;
    weir_logs logs;
    weir_buffer followed;
    char directory[64];
    weir_executor *inlined, *processes;
    weir_task_spec spec;
    weir_attempt attempt;
    weir_buffer text;
} bench;

static int set_up(void **state) {
    bench *b = weir_alloc(sizeof *b);
    weir_error error;
    assert_true(weir_loop_open(&b->loop, &error));
    b->recorder.base.report = record;
    pthread_mutex_init(&b->recorder.lock, NULL);
    strcpy(b->directory, "/tmp/executor_test.XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    weir_buffer_printf(&b->text, "%s/logs", b->directory);
    b->logs.directory = weir_str_dup(weir_buffer_str(&b->text));
    b->logs.secrets = &b->secrets;
    b->inlined = weir_inline_open(b->loop, &b->recorder.base, &b->logs);
    b->processes = weir_process_executor_open(b->loop, &b->recorder.base, &b->logs, &b->secrets);
    b->spec = (weir_task_spec){.kind = WEIR_TASK_WORK, .operation = WEIR_STR("test")};
    b->attempt = (weir_attempt){.spec = &b->spec, .members = 1};
    snprintf(run_name, sizeof run_name, "a%019d", (int)getpid());
    strcpy(b->attempt.id.run, run_name);
    b->attempt.id.task = 7;
    b->attempt.id.number = 1;
    setenv("TMPDIR", b->directory, 1);
    *state = b;
    return 0;
}

static void close_executors(bench *b) {
    if (b->inlined) b->inlined->class->close(b->inlined);
    if (b->processes) b->processes->class->close(b->processes);
    b->inlined = b->processes = NULL;
}

static int tear_down(void **state) {
    bench *b = *state;
    close_executors(b);
    weir_loop_close(b->loop);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", b->directory);
    int failed = system(command);
    weir_values_deinit(&b->recorder.metrics);
    weir_values_deinit(&b->recorder.outcomes);
    pthread_mutex_destroy(&b->recorder.lock);
    weir_secrets_deinit(&b->secrets);
    weir_free(b->logs.directory);
    weir_attempt_drop(&b->attempt);
    weir_buffer_deinit(&b->text);
    weir_buffer_deinit(&b->followed);
    weir_free(b);
    return failed;
}

static weir_value *json(const char *text) {
    weir_value *value = NULL;
    weir_error error;
    if (!weir_json_parse(weir_str_from(text), WEIR_STR("test"), &value, &error))
        fail_msg("%s: %s", text, error.message);
    return value;
}

static const char *as_json(bench *b, const weir_value *value) {
    weir_buffer_clear(&b->text);
    weir_json_format(value, 0, &b->text);
    return b->text.data;
}

static void add_secret(bench *b, const char *name, const char *value) {
    weir_error error;
    assert_true(weir_secrets_add(&b->secrets, weir_str_from(name), weir_str_from(value), &error));
}

static void wait_for(bench *b, weir_report_kind kind, unsigned n) {
    while (count(&b->recorder, kind) < n) weir_loop_once(b->loop, true);
}

/* Waits for the next end; borrowed. */
static const weir_value *await(bench *b) {
    wait_for(b, WEIR_REPORT_FINISHED, count(&b->recorder, WEIR_REPORT_FINISHED) + 1);
    return b->recorder.outcomes.items[b->recorder.outcomes.count - 1];
}

static const weir_value *last_outcome(const bench *b) {
    assert_true(b->recorder.outcomes.count > 0);
    return b->recorder.outcomes.items[b->recorder.outcomes.count - 1];
}

static void set_config(bench *b, const char *config) {
    weir_value_unref(b->attempt.config);
    b->attempt.config = json(config);
}

static void start_process(bench *b, const char *config) {
    set_config(b, config);
    b->processes->class->start(b->processes, &b->attempt);
}

static const weir_value *run_process(bench *b, const char *config) {
    unsigned before = count(&b->recorder, WEIR_REPORT_FINISHED);
    start_process(b, config);
    return count(&b->recorder, WEIR_REPORT_FINISHED) > before ? last_outcome(b) : await(b);
}

static void check_text(const weir_value *value, const char *key, const char *expected) {
    assert_string_equal(weir_member_text(value, key).data, expected);
}

static const weir_value *outputs(const weir_value *outcome) {
    return weir_member_named(outcome, "outputs");
}
static const weir_value *failure(const weir_value *outcome) {
    return weir_member_named(outcome, "failure");
}

static void check_result(const weir_value *outcome, const char *expected) {
    check_text(outcome, "outcome", "succeeded");
    check_text(outputs(outcome), "result", expected);
}

static void read_log(bench *b) {
    weir_buffer_clear(&b->text);
    assert_true(read_log_of(b->logs.directory, run_name, b->attempt.id.task, &b->text));
}

/* --- secrets and logs --- */

static void secrets_are_masked_longest_first_and_when_they_overlap(void **state) {
    bench *b = *state;
    add_secret(b, "short", "abcd");
    add_secret(b, "long", "abcdef");
    add_secret(b, "across", "efgh");
    add_secret(b, "lines", "first line\n  }\n\tsecond\r\nxy\n");
    static const char *const cases[][2] = {
        {"nothing", "nothing"},
        {"abcd", "***"},
        {"xabcdefx", "x***x"},
        {"abcdefgh", "***"},
        {"abcd abcdx", "*** ***x"},
        {"abcdabcd", "******"},
        {"efghefgh.", "******."},
        {"first line", "***"},
        {"at second;", "at ***;"},
        {"  } xy", "  } xy"},
        {"a\nfirst line\n  }\n\tsecond\r\nxy\nb", "a\n***b"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer_clear(&b->text);
        weir_buffer_text(&b->text, cases[i][0]);
        weir_secrets_mask(&b->secrets, &b->text);
        assert_string_equal(weir_buffer_str(&b->text).data, cases[i][1]);
    }
    weir_secrets_mask(NULL, &b->text);
    add_secret(b, "itself", "zaza");
    weir_buffer_clear(&b->text);
    weir_buffer_text(&b->text, "zazaza");
    weir_secrets_mask(&b->secrets, &b->text);
    assert_string_equal(b->text.data, "***");
}

static void secrets_are_found_replaced_and_refused(void **state) {
    bench *b = *state;
    weir_error error;
    add_secret(b, "token", "one-value");
    add_secret(b, "token", "another");
    assert_string_equal(weir_secrets_find(&b->secrets, WEIR_STR("token")), "another");
    assert_null(weir_secrets_find(&b->secrets, WEIR_STR("other")));
    weir_buffer_clear(&b->text);
    weir_buffer_text(&b->text, "one-value another");
    weir_secrets_mask(&b->secrets, &b->text);
    assert_string_equal(b->text.data, "*** ***");
    assert_false(weir_secrets_add(&b->secrets, WEIR_STR("x"), WEIR_STR("abc"), &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_false(weir_secrets_add(&b->secrets, WEIR_STR("x"), WEIR_STR("ab\0cd"), &error));
}

static void values_are_masked_where_they_have_secrets(void **state) {
    bench *b = *state;
    add_secret(b, "s", "hidden");
    weir_value *value = json("{\"a\":[1,\"my hidden\"],\"hidden!\":{\"b\":null},\"c\":\"x\"}");
    weir_value *masked = weir_secrets_mask_value(&b->secrets, weir_value_ref(value));
    assert_string_equal(as_json(b, masked),
                        "{\"a\":[1,\"my ***\"],\"***!\":{\"b\":null},\"c\":\"x\"}");
    assert_non_null(weir_member_named(value, "hidden!"));
    weir_value_unref(masked);
    weir_value_unref(value);
    value = json("{\"a\":[1]}");
    assert_ptr_equal(weir_secrets_mask_value(&b->secrets, value), value);
    weir_value_unref(value);
    value = json("[{\"a\":{\"b\":[\"x\",\"hidden\"]}}]");
    masked = weir_secrets_mask_value(&b->secrets, value);
    assert_string_equal(as_json(b, masked), "[{\"a\":{\"b\":[\"x\",\"***\"]}}]");
    weir_value_unref(masked);
}

static void secrets_are_masked_as_json_has_them(void **state) {
    bench *b = *state;
    add_secret(b, "quoted", "a\"b\\c");
    add_secret(b, "lines", "one \"line\"\nmore");
    static const char *const cases[][2] = {
        {"a\"b\\c", "***"},
        {"{\"x\":\"a\\\"b\\\\c\"}", "{\"x\":\"***\"}"},
        {"\"one \\\"line\\\"\\nmore\"", "\"***\""},
        {"\"one \\\"line\\\"\\nless\"", "\"***\\nless\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer_clear(&b->text);
        weir_buffer_text(&b->text, cases[i][0]);
        weir_secrets_mask(&b->secrets, &b->text);
        assert_string_equal(b->text.data, cases[i][1]);
    }
}

static void numbers_that_are_secrets_are_masked(void **state) {
    bench *b = *state;
    add_secret(b, "pin", "4711");
    add_secret(b, "float", "-12.5");
    weir_value *value = json("{\"a\":[4711,47110,-12.5,12.5,4711.0],\"b\":4711,\"c\":true}");
    value = weir_secrets_mask_value(&b->secrets, value);
    assert_string_equal(as_json(b, value),
                        "{\"a\":[\"***\",47110,\"***\",12.5,4711.0],\"b\":\"***\",\"c\":true}");
    weir_value_unref(value);
}

static void follow(void *arg, const weir_attempt_id *attempt, weir_str line) {
    assert_int_equal(attempt->task, 7);
    weir_buffer_printf(arg, "<%.*s>", WEIR_ARG(line));
}

static void lines_are_masked_whole_whatever_the_chunks(void **state) {
    bench *b = *state;
    b->logs.follow = follow;
    b->logs.arg = &b->followed;
    add_secret(b, "s", "hidden");
    weir_log *log = weir_log_open(&b->logs, &b->attempt.id);
    assert_false(read_log_of(b->logs.directory, run_name, 7, &b->text));
    weir_log_write(log, false, WEIR_STR("a hid"));
    weir_log_write(log, true, WEIR_STR("of hi"));
    weir_log_write(log, false, WEIR_STR("den b\n\nc"));
    weir_log_write(log, true, WEIR_STR("dden\n"));
    assert_string_equal(b->followed.data, "<a *** b><><of ***>");
    weir_str tail = weir_log_tail(log);
    assert_true(weir_str_is(tail, "a *** b\n\nof ***\nc"));
    weir_log_close(log);
    read_log(b);
    assert_string_equal(b->text.data, "a *** b\n\nof ***\nc\n");
    weir_buffer_clear(&b->text);
    weir_buffer_printf(&b->text, "%s/%s", b->logs.directory, run_name);
    struct stat info;
    assert_int_equal(stat(b->text.data, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

/* A secret at every place around the cut. */
static void long_lines_are_cut_but_no_secret_is(void **state) {
    bench *b = *state;
    add_secret(b, "s", "0123456789");
    for (size_t shift = 0; shift < 14; shift++) {
        weir_buffer line = {0};
        b->attempt.id.task = (weir_task_id)(100 + shift);
        weir_log *log = weir_log_open(&b->logs, &b->attempt.id);
        for (size_t i = 0; i < 64 * 1024 - shift; i++) weir_buffer_byte(&line, '-');
        weir_buffer_text(&line, "0123456789....");
        weir_log_write(log, false, weir_str_slice(weir_buffer_str(&line), 0, 64 * 1024));
        weir_log_write(log, false, weir_str_slice(weir_buffer_str(&line), 64 * 1024, line.length));
        if (shift % 2) weir_log_write(log, false, WEIR_STR("\n"));
        weir_log_close(log);
        read_log(b);
        assert_non_null(strstr(b->text.data, "***"));
        assert_null(strpbrk(b->text.data, "0123456789"));
        size_t cut = strcspn(b->text.data, "\n");
        assert_true(cut <= 64 * 1024 && cut < b->text.length - 1);
        weir_buffer_deinit(&line);
    }
}

static void the_tail_is_the_last_lines(void **state) {
    bench *b = *state;
    weir_log *log = weir_log_open(&b->logs, &b->attempt.id);
    for (int i = 0; i < 50000; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d\n", i);
        weir_log_write(log, false, weir_str_from(line));
    }
    weir_str tail = weir_log_tail(log);
    assert_true(weir_str_starts(tail, WEIR_STR("line 49980\n")));
    assert_true(weir_str_ends(tail, WEIR_STR("\nline 49999")));
    weir_log_close(log);
}

static void the_log_of_a_task_has_all_its_attempts_in_order(void **state) {
    bench *b = *state;
    for (uint32_t number = 12; number > 0; number -= 3) {
        b->attempt.id.number = number;
        weir_log *log = weir_log_open(&b->logs, &b->attempt.id);
        char line[16];
        snprintf(line, sizeof line, "%u\n", number);
        weir_log_write(log, false, weir_str_from(line));
        weir_log_close(log);
    }
    read_log(b);
    assert_string_equal(b->text.data, "3\n6\n9\n12\n");
    assert_false(read_log_of(b->logs.directory, "../logs", 7, &b->text));
    assert_false(read_log_of(b->logs.directory, "absent", 7, &b->text));
}

static void a_log_that_cannot_be_written_fails_nothing(void **state) {
    bench *b = *state;
    weir_free(b->logs.directory);
    b->logs.directory = weir_str_dup(WEIR_STR("/proc/none/logs"));
    check_result(run_process(b, "{\"command\":[\"echo\",\"fine\"]}"), "fine");
    weir_free(b->logs.directory);
    b->logs.directory = NULL;
    check_result(run_process(b, "{\"command\":[\"echo\",\"fine\"]}"), "fine");
}

/* --- operations in this process ("(host->fail)": cmocka has a macro of that name) --- */

static bool run_add(const weir_host *host, weir_call *call) {
    unsigned char *scratch = host->alloc(call, 100000);
    for (size_t i = 0; i < 100000; i++)
        if (scratch[i]) return (host->fail)(call, "dirty", "memory is not zeroed");
    memset(scratch, 1, 100000);
    int64_t sum =
        host->int_get(host->parameter(call, "a")) + host->int_get(host->parameter(call, "b"));
    host->report(call, "sum", (double)sum, NULL);
    host->log(call, WEIR_WARNING, "the sum is %d", (int)sum);
    host->output(call, "sum", host->int_new(0));
    host->output(call, "sum", host->int_new(sum));
    return true;
}
static bool run_refuse(const weir_host *host, weir_call *call) {
    host->output(call, "x", host->null_new());
    (host->fail)(call, NULL, "first");
    return (host->fail)(call, "not_found", "no %s \xff here", "bread");
}
static bool run_false(const weir_host *host, weir_call *call) {
    assert_null(host->config(call, "absent"));
    assert_null(host->collected(call, "absent"));
    assert_int_equal(host->deadline(call), 42);
    return false;
}
static bool run_until_cancelled(const weir_host *host, weir_call *call) {
    host->report(call, "begun", 1, "");
    while (!host->cancelled(call)) usleep(1000);
    host->report(call, "late", 1, "");
    return true;
}
static bool run_emit(const weir_host *host, weir_call *call) {
    return host->emit(call) == WEIR_EMIT_OK;
}
static bool run_crash(const weir_host *host, weir_call *call) {
    host->log(call, WEIR_INFO, "about to crash");
    raise(SIGSEGV);
    return true;
}

static const weir_operation add = {.size = sizeof add, .name = "add", .run = run_add};
static const weir_operation add_cheap = {
    .size = sizeof add, .name = "add", .hints = WEIR_CHEAP, .run = run_add};
static const weir_operation refuse = {.size = sizeof add, .name = "refuse", .run = run_refuse};
static const weir_operation fails = {.size = sizeof add, .name = "fails", .run = run_false};
static const weir_operation slow = {.size = sizeof add, .name = "slow", .run = run_until_cancelled};
static const weir_operation crash = {.size = sizeof add, .name = "crash", .run = run_crash};
static const weir_operation emit_cheap = {
    .size = sizeof add, .name = "emit", .hints = WEIR_CHEAP, .run = run_emit};
static const weir_operation emit_pooled = {.size = sizeof add, .name = "emit", .run = run_emit};
static const weir_operation hollow = {.size = sizeof add, .name = "hollow"};

static weir_outcome call(bench *b, const weir_operation *code) {
    weir_outcome outcome = {0};
    b->spec.code = code;
    weir_inline_attempt(&b->attempt, &outcome);
    return outcome;
}

static void calls_give_outputs_failures_and_metrics(void **state) {
    bench *b = *state;
    b->attempt.deadline_us = 42;
    b->attempt.parameters = json("{\"a\":2,\"b\":3}");
    static const struct {
        const weir_operation *code;
        const char *expected;
    } cases[] = {
        {&add, "{\"outcome\":\"succeeded\",\"outputs\":{\"sum\":5},"
               "\"usage\":{\"metrics\":[{\"name\":\"sum\",\"value\":5.0,\"unit\":\"\"}]}}"},
        {&refuse, "{\"outcome\":\"failed\",\"failure\":{\"code\":\"not_found\","
                  "\"message\":\"no bread \xef\xbf\xbd here\"}}"},
        {&fails, "{\"outcome\":\"failed\",\"failure\":{\"code\":\"operation_failed\","
                 "\"message\":\"operation `fails` failed without saying why\"}}"},
        {&hollow, "{\"outcome\":\"errored\",\"failure\":{\"code\":\"not_supported\","
                  "\"message\":\"operation `test` cannot run in this process\"}}"},
        {NULL, "{\"outcome\":\"errored\",\"failure\":{\"code\":\"not_supported\","
               "\"message\":\"operation `test` cannot run in this process\"}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_outcome outcome = call(b, cases[i].code);
        weir_value *value = weir_outcome_to_value(&outcome);
        assert_string_equal(as_json(b, value), cases[i].expected);
        weir_value_unref(value);
        weir_outcome_deinit(&outcome);
    }
}

static void cheap_operations_end_within_start(void **state) {
    bench *b = *state;
    b->attempt.parameters = json("{\"a\":20,\"b\":3}");
    b->spec.code = &add_cheap;
    b->inlined->class->start(b->inlined, &b->attempt);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_STARTED), 1);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_METRIC), 1);
    const weir_value *outcome = last_outcome(b);
    assert_int_equal(weir_int_get(weir_member_named(outputs(outcome), "sum")), 23);
    assert_non_null(weir_member_named(weir_member_named(outcome, "usage"), "wall_us"));
    assert_non_null(weir_member_named(weir_member_named(outcome, "usage"), "cpu_us"));
    read_log(b);
    assert_string_equal(b->text.data, "warning: the sum is 23\n");
    b->spec.code = &hollow;
    b->inlined->class->start(b->inlined, &b->attempt);
    check_text(last_outcome(b), "outcome", "errored");
    assert_int_equal(count(&b->recorder, WEIR_REPORT_STARTED), 1);
}

static void quiet_attempts_tell_their_outcome_only(void **state) {
    bench *b = *state;
    const weir_operation *const codes[] = {&add_cheap, &add};
    b->attempt.parameters = json("{\"a\":20,\"b\":3}");
    b->attempt.quiet = true;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        b->spec.code = codes[i];
        b->attempt.id.number++;
        b->inlined->class->start(b->inlined, &b->attempt);
        wait_for(b, WEIR_REPORT_FINISHED, (unsigned)i + 1);
        const weir_value *outcome = last_outcome(b);
        assert_int_equal(weir_int_get(weir_member_named(outputs(outcome), "sum")), 23);
        assert_null(weir_member_named(outcome, "usage"));
    }
    assert_int_equal(count(&b->recorder, WEIR_REPORT_STARTED), 0);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_METRIC), 0);
}

static void only_generators_may_emit(void **state) {
    bench *b = *state;
    const weir_operation *const codes[] = {&emit_cheap, &emit_pooled};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        b->spec.code = codes[i];
        b->attempt.id.number++;
        b->inlined->class->start(b->inlined, &b->attempt);
        wait_for(b, WEIR_REPORT_FINISHED, (unsigned)i + 1);
        check_text(failure(last_outcome(b)), "message", "`emit` emits and is no generator");
    }
    assert_int_equal(count(&b->recorder, WEIR_REPORT_YIELDED), 0);
}

static void others_run_on_the_pool(void **state) {
    bench *b = *state;
    enum { ATTEMPTS = 200 };
    add_secret(b, "s", "sum is 7");
    b->attempt.parameters = json("{\"a\":4,\"b\":3}");
    b->spec.code = &add;
    for (uint32_t i = 1; i <= ATTEMPTS; i++) {
        b->attempt.id.number = i;
        b->inlined->class->start(b->inlined, &b->attempt);
    }
    wait_for(b, WEIR_REPORT_FINISHED, ATTEMPTS);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_STARTED), ATTEMPTS);
    assert_int_equal(b->recorder.metrics.count, ATTEMPTS);
    for (size_t i = 0; i < ATTEMPTS; i++)
        assert_int_equal(
            weir_int_get(weir_member_named(outputs(b->recorder.outcomes.items[i]), "sum")), 7);
    read_log(b);
    assert_null(strstr(b->text.data, "sum is 7"));
}

static void a_stopped_operation_is_cancelled(void **state) {
    bench *b = *state;
    b->spec.code = &slow;
    weir_attempt_id unknown = b->attempt.id;
    unknown.number = 9;
    b->inlined->class->start(b->inlined, &b->attempt);
    wait_for(b, WEIR_REPORT_STARTED, 0);
    while (!count(&b->recorder, WEIR_REPORT_METRIC)) usleep(1000);
    b->inlined->class->stop(b->inlined, &unknown, WEIR_STOP_KILL, 0);
    b->inlined->class->stop(b->inlined, &b->attempt.id, WEIR_STOP_TERM, WEIR_GRACE_US);
    const weir_value *outcome = await(b);
    check_text(outcome, "outcome", "cancelled");
    check_text(failure(outcome), "code", "cancelled");
    assert_int_equal(count(&b->recorder, WEIR_REPORT_METRIC), 2);
    b->inlined->class->stop(b->inlined, &b->attempt.id, WEIR_STOP_TERM, WEIR_GRACE_US);
}

static void closing_ends_what_is_under_way_in_silence(void **state) {
    bench *b = *state;
    b->spec.code = &slow;
    for (uint32_t i = 1; i <= 20; i++) {
        b->attempt.id.number = i;
        b->inlined->class->start(b->inlined, &b->attempt);
    }
    for (uint32_t i = 1; i <= 3; i++)
        start_process(b, "{\"command\":[\"sh\",\"-c\",\"trap '' TERM; sleep 60; sleep 60\"]}");
    while (!count(&b->recorder, WEIR_REPORT_METRIC)) usleep(1000);
    close_executors(b);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_FINISHED), 0);
    assert_true(count(&b->recorder, WEIR_REPORT_METRIC) <= 20);
}

static void a_crash_says_which_operation_it_was(void **state) {
    bench *b = *state;
    struct sigaction action;
    weir_crash_report_install();
    sigaction(SIGSEGV, NULL, &action);
    if (!(action.sa_flags & (int)SA_RESETHAND)) skip(); /* a sanitizer has a report of its own */
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        call(b, &crash);
        _exit(0);
    }
    close(ends[1]);
    char text[256] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text,
                        "weir: operation crash crashed (signal 11); nothing of the run is kept, "
                        "as nothing was written\n");
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

/* --- processes --- */

static void a_command_gives_its_output(void **state) {
    bench *b = *state;
    const weir_value *outcome = run_process(b, "{\"command\":[\"printf\",\"a b\\\\n\\\\n\"]}");
    check_result(outcome, "a b\n");
    assert_null(failure(outcome));
    assert_int_equal(weir_int_get(weir_member_named(outputs(outcome), "exit_code")), 0);
    static const char *const usage[] = {"wall_us", "cpu_us", "memory_peak_bytes"};
    for (size_t i = 0; i < 3; i++)
        assert_true(weir_int_get(weir_member_named(weir_member_named(outcome, "usage"), usage[i])) >
                    0);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_STARTED), 1);
    assert_int_equal(count(&b->recorder, WEIR_REPORT_READY), 0);
    read_log(b);
    assert_string_equal(b->text.data, "a b\n\n");
}

static void failures_say_why(void **state) {
    bench *b = *state;
    static const struct {
        const char *config, *outcome, *code, *message;
        int number; /* exit_code above, signal below 0 */
    } cases[] = {
        {"{\"command\":[\"sh\",\"-c\",\"echo out; echo err >&2; exit 7\"]}", "failed",
         "operation_failed", "exit code 7", 7},
        {"{\"command\":[\"sh\",\"-c\",\"echo out; kill -SEGV $$\"]}", "failed", "operation_failed",
         "ended by signal 11 (SIGSEGV)", -11},
        {"{\"command\":[\"sh\",\"-c\",\"kill -40 $$\"]}", "failed", "operation_failed",
         "ended by signal 40 (SIGRT)", -40},
        {"{\"command\":[\"no-such-command\"]}", "errored", "not_found", NULL, 0},
        {"{\"command\":[\"true\"],\"directory\":\"/no/such\"}", "errored", "not_found", NULL, 0},
        {"{\"command\":[]}", "errored", "invalid", NULL, 0},
        {"{\"command\":[\"\"]}", "errored", "invalid", NULL, 0},
        {"{\"command\":\"true\"}", "errored", "invalid", NULL, 0},
        {"{\"command\":[\"sleep\",1]}", "errored", "invalid",
         "`command[1]` must be a text, not integer", 0},
        {"{\"command\":[\"true\"],\"stdin\":4}", "errored", "invalid", NULL, 0},
        {"{\"command\":[\"true\"],\"format\":\"xml\"}", "errored", "invalid", NULL, 0},
        {"{\"command\":[\"true\"],\"environment\":[]}", "errored", "invalid", NULL, 0},
        {"{\"command\":[\"true\"],\"environment\":{\"A=B\":\"\"}}", "errored", "invalid", NULL, 0},
        {"{\"command\":[\"true\"],\"environment\":{\"A\":{\"secret\":\"s\"}}}", "errored",
         "invalid",
         "`environment.A`: there is no secret `s`; give it with --secret s=env:VARIABLE or =@FILE",
         0},
        {"{}", "errored", "invalid", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const weir_value *outcome = run_process(b, cases[i].config);
        check_text(outcome, "outcome", cases[i].outcome);
        check_text(failure(outcome), "code", cases[i].code);
        if (cases[i].message) check_text(failure(outcome), "message", cases[i].message);
        int number = cases[i].number;
        const weir_value *why =
            weir_member_named(failure(outcome), number < 0 ? "signal" : "exit_code");
        assert_int_equal(why ? weir_int_get(why) : 0, abs(number));
        const weir_value *code = weir_member_named(outputs(outcome), "exit_code");
        assert_int_equal(code ? weir_int_get(code) : 0, number < 0 ? 128 - number : number);
    }
    const weir_value *outcome = b->recorder.outcomes.items[0];
    check_text(outputs(outcome), "result", "out");
    weir_str log = weir_member_text(failure(outcome), "log");
    assert_true(weir_str_is(log, "out\nerr") || weir_str_is(log, "err\nout"));
}

static void a_json_result_is_a_value(void **state) {
    bench *b = *state;
    const weir_value *outcome =
        run_process(b, "{\"command\":[\"echo\",\" {\\\"a\\\": [1, 2]} \"],\"format\":\"json\"}");
    assert_string_equal(as_json(b, weir_member_named(outputs(outcome), "result")), "{\"a\":[1,2]}");
    outcome = run_process(b, "{\"command\":[\"echo\",\"{nonsense\"],\"format\":\"json\"}");
    check_text(outcome, "outcome", "failed");
    check_text(failure(outcome), "code", "invalid_syntax");
    assert_true(weir_str_starts(weir_member_text(failure(outcome), "message"),
                                WEIR_STR("standard output:1:")));
    check_text(outputs(outcome), "result", "{nonsense");
    outcome = run_process(
        b, "{\"command\":[\"sh\",\"-c\",\"yes | head -c 300000\"],\"format\":\"json\"}");
    check_text(failure(outcome), "code", "limit_exceeded");
}

/* Borrowed until the next text. */
static const char *source_path(bench *b, const char *name) {
    weir_buffer_clear(&b->text);
    weir_buffer_printf(&b->text, "%s/logs/%s/%s", b->directory, run_name, name);
    return b->text.data;
}

static void expect_no_sources(bench *b) {
    DIR *folder = opendir(source_path(b, ""));
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        assert_null(strstr(entry->d_name, "source"));
    closedir(folder);
}

static void input_source_and_directory_reach_the_child(void **state) {
    bench *b = *state;
    check_result(run_process(b, "{\"command\":[\"cat\"],\"stdin\":\"text in\"}"), "text in");
    check_result(run_process(b, "{\"command\":[\"cat\"]}"), "");
    check_result(run_process(b, "{\"command\":[\"pwd\"],\"directory\":\"/\"}"), "/");
    run_process(b, "{\"command\":[\"sh\",\"-e\"],\"source\":\"echo $0\\n\",\"directory\":\"/\"}");
    check_result(last_outcome(b), source_path(b, "7.1.source"));
    expect_no_sources(b);
    run_process(b, "{\"command\":[\"no-such-command\"],\"source\":\"x\"}");
    expect_no_sources(b);
}

static void a_source_is_staged_in_the_state(void **state) {
    bench *b = *state;
    static const char config[] = "{\"command\":[\"sh\"],\"directory\":\"/\",\"source\":"
                                 "\"echo $0; stat -c %a $0 ${0%/*} | tr '\\\\n' ' '\"}";
    weir_buffer expected = {0};
    weir_buffer_printf(&expected, "%s\n700 700 ", source_path(b, "7.1.source"));
    check_result(run_process(b, config), expected.data);
    /* What a killed weir left, and what somebody put there. */
    const char *path = source_path(b, "7.1.source");
    assert_int_equal(symlink("/dev/null", path), 0);
    check_result(run_process(b, config), expected.data);
    assert_int_equal(access("/dev/null", W_OK), 0);
    /* A relative state. */
    char *absolute = b->logs.directory, *before = getcwd(NULL, 0);
    assert_int_equal(chdir(b->directory), 0);
    b->logs.directory = weir_str_dup(WEIR_STR("logs"));
    check_result(run_process(b, config), expected.data);
    weir_free(b->logs.directory);
    b->logs.directory = absolute;
    assert_int_equal(chdir(before), 0);
    free(before);
    weir_buffer_deinit(&expected);
    expect_no_sources(b);
}

static void members_of_a_gang_stage_each_their_own(void **state) {
    bench *b = *state;
    b->attempt.members = 2;
    for (b->attempt.id.member = 0; b->attempt.id.member < 2; b->attempt.id.member++)
        start_process(b, "{\"command\":[\"sh\"],\"source\":\"sleep 0.1; cat $0\"}");
    wait_for(b, WEIR_REPORT_FINISHED, 2);
    for (size_t i = 0; i < 2; i++) check_result(b->recorder.outcomes.items[i], "sleep 0.1; cat $0");
    expect_no_sources(b);
}

static void without_logs_a_source_is_staged_in_the_temporary_directory(void **state) {
    bench *b = *state;
    weir_free(b->logs.directory);
    b->logs.directory = NULL;
    run_process(b, "{\"command\":[\"sh\"],\"source\":\"echo $0\",\"directory\":\"/\"}");
    weir_str result = weir_member_text(outputs(last_outcome(b)), "result");
    weir_buffer_clear(&b->text);
    weir_buffer_printf(&b->text, "%s/weir-", b->directory);
    assert_true(weir_str_starts(result, weir_buffer_str(&b->text)));
    assert_int_equal(access(result.data, F_OK), -1);
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of the result, sorted, joined by a blank. */
static void sorted_result(bench *b, const weir_value *outcome) {
    char *lines[64], *copy = weir_str_dup(weir_member_text(outputs(outcome), "result")), *next;
    size_t n = 0;
    for (char *line = strtok_r(copy, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
        lines[n++] = line;
    qsort(lines, n, sizeof *lines, compare_lines);
    weir_buffer_clear(&b->text);
    for (size_t i = 0; i < n; i++) weir_buffer_printf(&b->text, "%s%s", i ? " " : "", lines[i]);
    weir_free(copy);
}

static void the_environment_is_clean(void **state) {
    bench *b = *state;
    setenv("LEAKED", "yes", 1);
    setenv("HOME", "/nowhere/x", 1);
    setenv("LANG", "C.UTF-8", 1);
    add_secret(b, "token", "hush-hush");
    sorted_result(b, run_process(b, "{\"command\":[\"env\"],\"environment\":{\"PATH\":\"/bin\","
                                    "\"A\":\"\",\"T\":{\"secret\":\"token\"},"
                                    "\"WEIR_ATTEMPT\":\"mine\",\"HOME2\":\"x=y\"}}"));
    char expected[256];
    snprintf(expected, sizeof expected,
             "A= HOME2=x=y HOME=/nowhere/x LANG=C.UTF-8 PATH=/bin T=*** "
             "WEIR_ATTEMPT=%s/7/1/0 WEIR_METRICS=3",
             run_name);
    assert_string_equal(b->text.data, expected);
    b->attempt.members = 3;
    b->attempt.id.member = 2;
    check_result(
        run_process(b, "{\"command\":[\"sh\",\"-c\",\"echo $WEIR_MEMBER/$WEIR_MEMBERS\"]}"), "2/3");
    check_result(run_process(b, "{\"command\":[\"ls\",\"/proc/self/fd\"]}"),
                 "0\n1\n2\n3\n4"); /* 4 is its own */
}

static void secrets_never_reach_log_and_tail(void **state) {
    bench *b = *state;
    add_secret(b, "token", "hush-hush");
    const weir_value *outcome =
        run_process(b, "{\"command\":[\"sh\",\"-c\",\"printf hush-; sleep 0.05; echo hush 1; "
                       "echo $T >&2; exit 1\"],\"environment\":{\"T\":{\"secret\":\"token\"}}}");
    weir_str log = weir_member_text(failure(outcome), "log");
    assert_true(weir_str_is(log, "*** 1\n***") || weir_str_is(log, "***\n*** 1"));
    read_log(b);
    assert_null(strstr(b->text.data, "hush"));
    assert_non_null(strstr(b->text.data, "*** 1\n"));
}

static void metrics_are_reported(void **state) {
    bench *b = *state;
    check_result(
        run_process(b,
                    "{\"command\":[\"sh\",\"-c\",\"{ printf '{\\\"name\\\":\\\"rows\\\",'; sleep "
                    "0.05; echo '\\\"value\\\":12,\\\"unit\\\":\\\"r\\\"}'; echo nonsense; echo; "
                    "echo '{\\\"name\\\":\\\"x\\\",\\\"value\\\":0.5}'; } >&$WEIR_METRICS\"]}"),
        "");
    assert_int_equal(b->recorder.metrics.count, 2);
    assert_string_equal(as_json(b, b->recorder.metrics.items[0]),
                        "{\"name\":\"rows\",\"value\":12.0,\"unit\":\"r\"}");
    assert_string_equal(as_json(b, b->recorder.metrics.items[1]),
                        "{\"name\":\"x\",\"value\":0.5,\"unit\":\"\"}");
    read_log(b);
    assert_string_equal(b->text.data, "weir: a line of WEIR_METRICS is no {name, value, unit}\n");
}

static void the_last_of_a_big_output_is_kept(void **state) {
    bench *b = *state;
    const weir_value *outcome =
        run_process(b, "{\"command\":[\"sh\",\"-c\",\"yes 1234567 | head -c 4000000; echo end\"]}");
    weir_str result = weir_member_text(outputs(outcome), "result");
    assert_int_equal(result.length, WEIR_RESULT_BYTES_MAX - 1);
    assert_true(weir_str_ends(result, WEIR_STR("1234567\nend")));
    read_log(b);
    assert_int_equal(b->text.length, 4000004);
}

/* A secret at every place around the cut, and of a size that makes the cut come twice. */
static void no_secret_is_cut_where_a_big_output_is(void **state) {
    bench *b = *state;
    add_secret(b, "token", "0123456789");
    for (int after = WEIR_RESULT_BYTES_MAX - 11; after <= WEIR_RESULT_BYTES_MAX + 1; after++) {
        char config[320];
        snprintf(config, sizeof config,
                 "{\"command\":[\"sh\",\"-c\",\"dashes() { head -c $1 /dev/zero | tr '\\\\0' -; }; "
                 "dashes %d; printf $T; dashes %d\"],"
                 "\"environment\":{\"T\":{\"secret\":\"token\"}}}",
                 after % 2 ? 100 : 600000, after);
        const weir_value *outcome = run_process(b, config);
        check_text(outcome, "outcome", "succeeded");
        weir_str result = weir_member_text(outputs(outcome), "result");
        assert_null(strpbrk(result.data, "0123456789"));
        assert_in_range(result.length, WEIR_RESULT_BYTES_MAX - 11, WEIR_RESULT_BYTES_MAX);
    }
}

static void a_secret_that_is_no_utf_8_is_masked(void **state) {
    bench *b = *state;
    add_secret(b, "token", "hush\xff\xfehush");
    check_result(run_process(b, "{\"command\":[\"sh\",\"-c\",\"printf \\\"[$T]\\\"\"],"
                                "\"environment\":{\"T\":{\"secret\":\"token\"}}}"),
                 "[***]");
}

static void a_result_is_valid_utf_8(void **state) {
    bench *b = *state;
#define BAD "\xef\xbf\xbd"
    static const char *const cases[][2] = {
        {"a\\\\303\\\\244\\\\342\\\\202\\\\254\\\\360\\\\237\\\\230\\\\200",
         "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\\\\377b", "a" BAD "b"},
        {"a\\\\000b", "a" BAD "b"},
        {"\\\\300\\\\257", BAD BAD},
        {"\\\\340\\\\200\\\\200", BAD BAD BAD},
        {"\\\\355\\\\240\\\\200", BAD BAD BAD},
        {"\\\\364\\\\220\\\\200\\\\200", BAD BAD BAD BAD},
        {"x\\\\342\\\\202", "x" BAD BAD},
    };
#undef BAD
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[256];
        snprintf(config, sizeof config, "{\"command\":[\"printf\",\"%s\"]}", cases[i][0]);
        check_result(run_process(b, config), cases[i][1]);
    }
}

static void a_stop_asks_and_then_kills(void **state) {
    bench *b = *state;
    static const struct {
        const char *script;
        weir_stop how;
        uint64_t grace_us;
        int exit_code, signal;
    } cases[] = {
        {"echo up; sleep 60", WEIR_STOP_TERM, 10000000, 0, SIGTERM},
        {"trap 'exit 5' TERM; echo up; sleep 60 & wait", WEIR_STOP_DRAIN, 10000000, 5, 0},
        {"trap '' TERM; echo up; sleep 60; sleep 60", WEIR_STOP_TERM, 50000, 0, SIGKILL},
        {"trap '' TERM; echo up; sleep 60", WEIR_STOP_KILL, 10000000, 0, SIGKILL},
        {"(trap '' TERM; echo up; sleep 63) & wait", WEIR_STOP_TERM, 10000000, 0, SIGTERM},
    };
    b->spec.kind = WEIR_TASK_SERVICE;
    b->logs.follow = follow;
    b->logs.arg = &b->followed;
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[256];
        b->attempt.id.number = i + 1;
        snprintf(config, sizeof config, "{\"command\":[\"sh\",\"-c\",\"%s\"]}", cases[i].script);
        start_process(b, config);
        assert_int_equal(count(&b->recorder, WEIR_REPORT_READY), i + 1);
        weir_buffer_clear(&b->followed);
        while (!b->followed.length) weir_loop_once(b->loop, true);
        uint64_t from = weir_clock_steady_us();
        b->processes->class->stop(b->processes, &b->attempt.id, cases[i].how, cases[i].grace_us);
        b->processes->class->stop(b->processes, &b->attempt.id, cases[i].how, cases[i].grace_us);
        const weir_value *outcome = await(b);
        assert_true(weir_clock_steady_us() - from < 5000000);
        check_text(outcome, "outcome", "cancelled");
        check_text(outputs(outcome), "result", "up");
        const char *key = cases[i].signal ? "signal" : "exit_code";
        assert_int_equal(weir_int_get(weir_member_named(failure(outcome), key)),
                         cases[i].signal ? cases[i].signal : cases[i].exit_code);
    }
    b->processes->class->stop(b->processes, &b->attempt.id, WEIR_STOP_KILL, 0);
}

static void note_end(void *arg, const weir_process_end *end) {
    *(int *)arg = end->signal ? end->signal : -1;
}

static void earlier_attempts_that_still_run_are_killed(void **state) {
    bench *b = *state;
    static const char *const forms[] = {
        "WEIR_ATTEMPT=%s/7/1/0",  "WEIR_ATTEMPT=%s/7/11/3", "WEIR_ATTEMPT=%s/7/2/1",
        "WEIR_ATTEMPT=%s/71/1/0", "WEIR_ATTEMPT=x%s/7/1/0", "XWEIR_ATTEMPT=%s/7/1/0",
    };
    enum { COUNT = sizeof forms / sizeof *forms, EARLIER = 2 };
    weir_process *processes[COUNT];
    int ends[COUNT] = {0};
    weir_error error;
    for (size_t i = 0; i < COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, forms[i], run_name);
        const char *environment[] = {"PATH=/usr/bin:/bin", name, NULL};
        const char *argv[] = {"sh", "-c", "trap '' TERM; sleep 60; sleep 60", NULL};
        weir_process_options options = {
            .argv = argv, .environment = environment, .ended = note_end, .arg = &ends[i]};
        assert_true(weir_process_start(b->loop, &options, &processes[i], &error));
    }
    b->attempt.id.number = 2;
    check_result(run_process(b, "{\"command\":[\"true\"]}"), "");
    b->processes->class->stop(b->processes, &b->attempt.id, WEIR_STOP_OWN, 0); /* none is ours */
    for (size_t i = 0; i < COUNT; i++) assert_int_equal(ends[i], 0);
    b->attempt.again = true;
    check_result(run_process(b, "{\"command\":[\"true\"]}"), "");
    while (!ends[0] || !ends[1]) weir_loop_once(b->loop, true);
    weir_loop_once(b->loop, false);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ends[i], i < EARLIER ? SIGKILL : 0);
        if (i >= EARLIER) weir_process_signal(processes[i], SIGKILL);
        while (!ends[i]) weir_loop_once(b->loop, true);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(secrets_are_masked_longest_first_and_when_they_overlap),
        TEST(secrets_are_found_replaced_and_refused),
        TEST(values_are_masked_where_they_have_secrets),
        TEST(secrets_are_masked_as_json_has_them),
        TEST(numbers_that_are_secrets_are_masked),
        TEST(lines_are_masked_whole_whatever_the_chunks),
        TEST(long_lines_are_cut_but_no_secret_is),
        TEST(the_tail_is_the_last_lines),
        TEST(the_log_of_a_task_has_all_its_attempts_in_order),
        TEST(a_log_that_cannot_be_written_fails_nothing),
        TEST(calls_give_outputs_failures_and_metrics),
        TEST(cheap_operations_end_within_start),
        TEST(quiet_attempts_tell_their_outcome_only),
        TEST(only_generators_may_emit),
        TEST(others_run_on_the_pool),
        TEST(a_stopped_operation_is_cancelled),
        TEST(closing_ends_what_is_under_way_in_silence),
        TEST(a_crash_says_which_operation_it_was),
        TEST(a_command_gives_its_output),
        TEST(failures_say_why),
        TEST(a_json_result_is_a_value),
        TEST(input_source_and_directory_reach_the_child),
        TEST(a_source_is_staged_in_the_state),
        TEST(members_of_a_gang_stage_each_their_own),
        TEST(without_logs_a_source_is_staged_in_the_temporary_directory),
        TEST(the_environment_is_clean),
        TEST(secrets_never_reach_log_and_tail),
        TEST(metrics_are_reported),
        TEST(the_last_of_a_big_output_is_kept),
        TEST(no_secret_is_cut_where_a_big_output_is),
        TEST(a_secret_that_is_no_utf_8_is_masked),
        TEST(a_result_is_valid_utf_8),
        TEST(a_stop_asks_and_then_kills),
        TEST(earlier_attempts_that_still_run_are_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
