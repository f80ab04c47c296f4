#include "cli/follow.h"
#include "cli/house.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/failure.h"

enum { WAIT_MS = 100, FEED_MS = 5, REST = 10, INTERRUPTS_MAX = 3, COLUMNS = 78 /* of a note */ };

/* Shared with the handler. */
static atomic_int interrupts;
static _Atomic(const char *) last_words = "weir: ended at once\n";
static int drawn_on = -1; /* the terminal that a tree is on */

static void count_interrupt(int signal_number) {
    (void)signal_number;
    if (atomic_fetch_add(&interrupts, 1) < INTERRUPTS_MAX - 1) return;
    /* The engine hangs. Its state is a crash's: the run can be recovered. */
    if (drawn_on >= 0) (void)!write(drawn_on, "\033[0m\n", 5);
    const char *words = atomic_load(&last_words), *running = weir_running_operation();
    if (running) {
        static const char before[] = "weir: operation ", behind[] = " does not end\n";
        (void)!write(STDERR_FILENO, before, sizeof before - 1);
        (void)!write(STDERR_FILENO, running, strlen(running));
        (void)!write(STDERR_FILENO, behind, sizeof behind - 1);
    }
    (void)!write(STDERR_FILENO, words, strlen(words));
    _exit(weir_code_exit(WEIR_INTERNAL));
}

static void catch_interrupts(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction caught = {.sa_handler = count_interrupt}, before;
    sigfillset(&caught.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        /* Who ignores one for us, as nohup does, and a shell for what runs in the background, means it. */
        bool wanted = signals[i] == SIGTERM ||
                      (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN);
        if (wanted) sigaction(signals[i], &caught, NULL);
    }
}

/* What the last interrupt says once there is something to recover. */
static void prepare_last_words(const weir_follow *follow, const weir_run *run) {
    bool recovers = follow->cli->command->run == weir_recover_command;
    if (!recovers && follow->cli->settings.durability == WEIR_DURABILITY_NONE) return;
    weir_value *status = follow->brief ? NULL : weir_run_status(run);
    weir_str name = follow->brief ? WEIR_STR("--all") : weir_member_text(status, "name");
    static char words[512];
    snprintf(words, sizeof words, "weir: ended at once; `weir recover %.*s` goes on\n",
             WEIR_ARG(name));
    atomic_store(&last_words, words);
    weir_value_unref(status);
}

static void take_line(void *arg, weir_run *run, uint32_t task, weir_str line) {
    weir_follow *follow = arg;
    weir_steps *steps =
        follow->steps_of ? follow->steps_of(follow->attend_arg, run) : &follow->steps;
    weir_steps_add(steps, task, line);
}

/* Not written out yet. */
static void print_context(weir_follow *follow, weir_value *name, weir_value *result,
                          weir_value *error) {
    weir_value *line = weir_object_new();
    weir_member_put(line, "context", weir_value_ref(name));
    weir_member_put(line, "result", result ? weir_value_ref(result) : weir_null_new());
    if (error) weir_member_put(line, "error", weir_value_ref(error));
    weir_output_value(&follow->cli->out, line, 0);
    weir_value_unref(line);
}

/* Of contexts.finished. */
static void print_contexts(weir_follow *follow, const weir_value *data) {
    const weir_value *names = weir_member_named(data, "names");
    const weir_value *results = weir_member_named(data, "results");
    for (size_t i = 0; i < weir_value_count(names); i++)
        print_context(follow, weir_array_at(names, i), weir_array_at(results, i), NULL);
    weir_output_flush(&follow->cli->out);
}

static void take_event(void *arg, weir_run *run, const weir_value *event) {
    (void)run;
    weir_follow *follow = arg;
    if (follow->events) {
        weir_output_value(follow->events, event, 0);
        weir_output_more(follow->events);
    }
    const weir_value *data = weir_member_named(event, "data");
    weir_value *name = weir_member_named(data, "name");
    weir_str type = weir_member_text(event, "type");
    /* Recovered runs do not begin again; theirs come at the end, with those of contexts that had ended before. */
    if (weir_str_is(type, "run.created"))
        follow->streams = weir_cli_form(follow->cli, "jsonl") &&
                          weir_str_is(weir_member_text(data, "kind"), "dataflow");
    else if (follow->streams && weir_str_is(type, "contexts.finished"))
        print_contexts(follow, data);
    else if (follow->streams && name && !weir_member_named(data, "parent") &&
             weir_str_is(type, "context.finished")) {
        print_context(follow, name, weir_member_named(data, "results"),
                      weir_member_named(data, "error"));
        weir_output_flush(&follow->cli->out);
    }
}

bool weir_follow_init(weir_follow *follow, weir_cli *cli, bool brief, weir_error *error) {
    *follow = (weir_follow){.cli = cli, .brief = brief, .callbacks.arg = follow, .file.fd = -1};
    const char *lines = weir_cli_text(cli, WEIR_FLAG_FEED);
    if (lines && !weir_feed_open(&follow->feed, lines, error)) return false;
    const char *file = weir_cli_text(cli, WEIR_FLAG_EVENTS);
    if (file && strcmp(file, "-") != 0) {
        follow->file.fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (follow->file.fd < 0)
            return weir_fail(error, WEIR_IO, "cannot write events to `%.200s`: %s", file,
                             strerror(errno));
        follow->events = &follow->file;
    } else if (file) {
        follow->events = &cli->out;
    }
    bool text = weir_cli_form(cli, "text");
    follow->steps.all = !brief && weir_cli_has(cli, WEIR_FLAG_LOG);
    if (file || weir_cli_form(cli, "jsonl")) follow->callbacks.event = take_event;
    follow->callbacks.few_events = !file;
    if (!brief && (text || follow->steps.all)) follow->callbacks.log = take_line;
    if (text) weir_view_init(&follow->view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    if (brief || weir_cli_has(cli, WEIR_FLAG_QUIET)) follow->view.terminal = false;
    if (brief && weir_cli_whole(cli)) follow->answers = weir_array_new();
    if (follow->view.terminal) {
        drawn_on = follow->view.fd;
        follow->images.progress = weir_image_news_note;
        follow->images.arg = &follow->news;
        follow->callbacks.image_store = &follow->images;
    }
    catch_interrupts();
    return true;
}

int weir_follow_interrupts(void) {
    return atomic_load(&interrupts);
}

static void pass_on_interrupts(weir_follow *follow, weir_run *const *runs, size_t count) {
    int asked = atomic_load(&interrupts);
    for (; follow->passed_on < asked; follow->passed_on++) {
        bool terminate = follow->passed_on > 0;
        weir_view_erase(&follow->view, &follow->cli->out.text);
        weir_output_flush(&follow->cli->out);
        fputs(terminate ? "weir: terminating; once more to end at once\n"
                        : "weir: stopping; once more to terminate\n",
              stderr);
        for (size_t i = 0; i < count; i++) weir_run_cancel(runs[i], terminate);
    }
}

/* Lines of steps belong to the output for people, and beside the output for programs. */
static void print_lines(weir_follow *follow, const weir_run *run) {
    if (!weir_steps_waiting(&follow->steps)) return;
    weir_output out = {.fd = STDERR_FILENO};
    bool text = weir_cli_form(follow->cli, "text");
    if (text) weir_view_erase(&follow->view, &follow->cli->out.text);
    weir_steps_print(&follow->steps, run, text ? &follow->cli->out.text : &out.text);
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
}

/* Once: whoever waits should know for what. */
static void say_rest(weir_follow *follow, const weir_run *run, bool *said) {
    if (*said || follow->view.terminal || !weir_run_rests(run)) return;
    weir_value *status = weir_run_status(run);
    weir_str name = weir_member_text(status, "name");
    fprintf(stderr, "weir: %.*s is suspended; `weir resume %.*s` lets it go on\n", WEIR_ARG(name),
            WEIR_ARG(name));
    weir_value_unref(status);
    *said = true;
}

/* A line that is wrong ends the run: what comes behind it may rest on it. */
static void feed(weir_follow *follow, weir_run *run) {
    weir_error error = {0};
    if (follow->starved || (!follow->feed.file && !follow->give)) return;
    if (follow->give ? follow->give(follow->give_arg, run, &error)
                     : weir_feed_run(&follow->feed, run, &error))
        return;
    weir_view_erase(&follow->view, &follow->cli->out.text);
    weir_output_flush(&follow->cli->out);
    weir_output_problem(&error);
    follow->starved = true;
    follow->wrong = error.code;
    weir_run_cancel(run, false);
}

static void drive(weir_follow *follow, weir_run *const *runs, size_t count, size_t at) {
    weir_run *run = runs[at];
    uint64_t next_us = 0;
    bool said = false;
    prepare_last_words(follow, run);
    feed(follow, run);
    while (!weir_run_wait(run, follow->feed.file || follow->give || follow->attend ? FEED_MS
                                                                                   : WAIT_MS)) {
        feed(follow, run);
        if (follow->attend) follow->attend(follow->attend_arg);
        pass_on_interrupts(follow, runs, count);
        weir_cli_keep_house(follow->cli);
        print_lines(follow, run);
        say_rest(follow, run, &said);
        uint64_t now_us = weir_view_now();
        if (follow->view.terminal && now_us >= next_us) {
            weir_image_news_line(&follow->news, now_us, COLUMNS, &follow->view.note);
            weir_value *status = weir_view_glance(&follow->view, run);
            weir_view_draw(&follow->view, status, &follow->cli->out.text);
            weir_value_unref(status);
            /* A tree that is slow to make is made less often, so that the run does not wait for it. */
            uint64_t rest_us = REST * (weir_view_now() - now_us);
            next_us = now_us + (rest_us > WEIR_VIEW_APART_US ? rest_us : WEIR_VIEW_APART_US);
        }
        weir_output_flush(&follow->cli->out);
        if (follow->events) weir_output_flush(follow->events);
    }
    print_lines(follow, run);
}

/* The results as people want them: of one context, that context's. */
static const weir_value *results_of(const weir_value *result) {
    const weir_value *results = weir_member_named(result, "results");
    if (!results || weir_is(results, WEIR_NULL)) return NULL;
    if (!weir_is(results, WEIR_OBJECT)) return results;
    if (!weir_value_count(results)) return NULL;
    bool one =
        weir_str_is(weir_member_text(result, "kind"), "dataflow") && weir_value_count(results) == 1;
    return one ? weir_object_at(results, 0) : results;
}

static void print_text(weir_follow *follow, const weir_run *run, const weir_value *result) {
    weir_buffer *out = &follow->cli->out.text;
    weir_value *status = weir_view_status(run);
    bool terminal = follow->view.terminal, quiet = weir_cli_has(follow->cli, WEIR_FLAG_QUIET);
    if (terminal) weir_view_keep(&follow->view, status, out);
    const weir_value *results = results_of(result);
    bool workflow = weir_str_is(weir_member_text(result, "kind"), "workflow");
    if (follow->steps.count == WEIR_STEPS_ONE && (workflow || !results)) {
        /* On a terminal what a failed step wrote comes with the explanation. */
        if (!terminal || !weir_failure_log(result).length)
            weir_steps_print(&follow->steps, run, out);
    } else if (weir_is(results, WEIR_STRING)) {
        weir_buffer_str_append(out, weir_string_get(results));
        weir_buffer_byte(out, '\n');
    } else if (results) {
        weir_output_value(&follow->cli->out, results, 2);
    } else if (!terminal && !quiet) {
        weir_view_keep(&follow->view, status, out);
    }
    weir_value_unref(status);
}

static void print_lines_of_results(weir_follow *follow, const weir_value *result) {
    weir_value *results = weir_member_named(result, "results");
    if (follow->brief || !weir_str_is(weir_member_text(result, "kind"), "dataflow"))
        weir_output_value(&follow->cli->out, result, 0);
    else if (!follow->streams && weir_is(results, WEIR_OBJECT))
        for (size_t i = 0; i < weir_value_count(results); i++) {
            weir_value *name = weir_string_from(weir_object_key(results, i));
            print_context(follow, name, weir_object_at(results, i), NULL);
            weir_value_unref(name);
            weir_output_more(&follow->cli->out);
        }
}

static void print_name(weir_buffer *out, weir_str name, weir_str phase) {
    size_t from = out->length;
    weir_buffer_str_append(out, name);
    if (phase.length) weir_buffer_printf(out, ": %.*s", WEIR_ARG(phase));
    weir_output_line(out, from);
}

static void print_result(weir_follow *follow, const weir_run *run, weir_value *result) {
    weir_output *out = &follow->cli->out;
    weir_str name = weir_member_text(result, "name");
    bool text = weir_cli_form(follow->cli, "text");
    weir_value *workflow = weir_cli_whole(follow->cli) ? weir_run_workflow(run, NULL, false) : NULL;
    const weir_value *answer = workflow ? weir_cli_workflow_answer(workflow, result) : result;
    if (follow->answers)
        weir_array_append(follow->answers, weir_value_ref((weir_value *)answer));
    else if (weir_cli_whole(follow->cli))
        weir_cli_print(follow->cli, answer);
    else if (weir_cli_form(follow->cli, "jsonl"))
        print_lines_of_results(follow, result);
    else if (text && !follow->brief)
        print_text(follow, run, result);
    else
        print_name(&out->text, name, text ? weir_member_text(result, "phase") : WEIR_STR(""));
    weir_value_unref(workflow);
}

/* A run that is not strict goes on after a failure, so what failed in one that succeeded has to be said: on a terminal the
 * tree does. */
static void print_failures(const weir_follow *follow, const weir_run *run,
                           const weir_value *result) {
    if (!weir_cli_has(follow->cli, WEIR_FLAG_NO_STRICT) || follow->view.terminal ||
        weir_cli_has(follow->cli, WEIR_FLAG_QUIET) || !weir_cli_form(follow->cli, "text"))
        return;
    weir_value *status = weir_run_status(run);
    uint64_t failed = weir_progress_count(status).failed;
    weir_value_unref(status);
    if (!failed) return;
    weir_str name = weir_member_text(result, "name");
    weir_output out = {.fd = STDERR_FILENO};
    weir_buffer_printf(&out.text, "weir: %.*s went on after %" PRIu64 " failed call%s",
                       WEIR_ARG(name), failed, failed == 1 ? "" : "s");
    weir_output_line(&out.text, 0);
    size_t line = out.text.length;
    if (!weir_cli_has(follow->cli, WEIR_FLAG_EXPLAIN)) {
        weir_buffer_printf(&out.text, "  hint: `weir explain %.*s`, or --explain, says what failed",
                           WEIR_ARG(name));
        weir_output_line(&out.text, line);
    }
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
}

int weir_follow_run(weir_follow *follow, weir_run *const *runs, size_t count, size_t at) {
    follow->starved = false;
    drive(follow, runs, count, at);
    weir_value *result = weir_run_result(runs[at]);
    weir_code code = weir_run_code(runs[at]);
    weir_error error;
    if (follow->conclude && !follow->conclude(follow->give_arg, runs[at], result, &error)) {
        weir_output_problem(&error);
        if (code == WEIR_OK) code = error.code;
    }
    print_result(follow, runs[at], result);
    weir_output_flush(&follow->cli->out);
    if (weir_run_code(runs[at]) != WEIR_OK)
        weir_failure_print(result);
    else
        print_failures(follow, runs[at], result);
    weir_value_unref(result);
    weir_steps_deinit(&follow->steps);
    return weir_code_exit(follow->starved ? follow->wrong : code);
}

int weir_follow_fail(weir_follow *follow, const weir_error *error, bool said) {
    if (!said) weir_output_problem(error);
    bool lines = weir_cli_form(follow->cli, "jsonl");
    if (lines || (weir_cli_whole(follow->cli) && !follow->answers)) {
        weir_value *result = weir_failure_result(error);
        if (lines)
            weir_output_value(&follow->cli->out, result, 0);
        else
            weir_cli_print(follow->cli, result);
        weir_value_unref(result);
    }
    return weir_code_exit(error->code);
}

int weir_follow_deinit(weir_follow *follow, int code) {
    if (follow->answers) weir_cli_print(follow->cli, follow->answers);
    weir_value_unref(follow->answers);
    weir_steps_deinit(&follow->steps);
    weir_view_deinit(&follow->view);
    weir_feed_close(&follow->feed);
    if (follow->file.fd < 0) return code;
    bool written = weir_output_finish(&follow->file, "the events' file");
    close(follow->file.fd);
    return written ? code : weir_code_exit(WEIR_IO);
}
