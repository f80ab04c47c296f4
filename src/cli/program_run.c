/* `weir run hello.py`: the runs that a program asks for, driven while it goes on. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "cli/follow.h"
#include "cli/program.h"

enum { RUNS_MAX = 10000, WAITS_MAX = 10000, MESSAGES_AT_ONCE = 64, DRIVE_MS = 5, LOOK_MS = 50 };

/* A run that the program asked for. */
typedef struct made {
    weir_run *run;
    weir_steps steps; /* while another is followed */
    weir_value *id, *name;
    bool shown; /* it is over, and was printed */
} made;

/* Somebody in the program waits for runs[run]. */
typedef struct awaited {
    int64_t id;
    size_t run;
} awaited;

typedef struct session {
    weir_cli *cli;
    weir_engine *engine;
    weir_follow follow;
    weir_program program;
    made *made;
    weir_run **runs; /* the same; neither moves */
    size_t count;
    size_t shown; /* runs[shown] is followed, or is the next to be */
    bool following, starting;
    WEIR_VECTOR(awaited) waits;
    bool refused; /* something that it made was wrong */
    int interrupts, code;
} session;

static void keep_worse(session *s, int code) {
    if (code > s->code) s->code = code;
}

/* --- answers ---------------------------------------------------------------------------------- */

static weir_value *begin_answer(int64_t id) {
    weir_value *answer = weir_object_new();
    weir_member_put(answer, "id", weir_int_new(id));
    return answer;
}

static void answer_with(session *s, weir_value *answer) {
    weir_program_answer(&s->program, answer);
    weir_value_unref(answer);
}

static void answer_run(session *s, int64_t id, size_t at) {
    weir_value *answer = begin_answer(id), *workflow = weir_run_workflow(s->runs[at], NULL, false);
    weir_member_put(answer, "run", weir_value_ref(s->made[at].id));
    weir_member_put(answer, "name", weir_value_ref(s->made[at].name));
    weir_member_put(answer, "workflow", workflow ? workflow : weir_null_new());
    answer_with(s, answer);
}

static void answer_error(session *s, int64_t id, const char *code, weir_str message) {
    weir_value *answer = begin_answer(id), *said = weir_object_new();
    weir_member_put_text(said, "code", weir_str_from(code));
    weir_member_put_text(said, "message", message);
    weir_member_put(answer, "error", said);
    answer_with(s, answer);
}

static void answer_waits(session *s) {
    for (size_t i = 0; i < s->waits.count;) {
        awaited wait = s->waits.items[i];
        if (!weir_run_wait(s->runs[wait.run], 0)) {
            i++;
            continue;
        }
        s->waits.items[i] = s->waits.items[--s->waits.count];
        answer_run(s, wait.id, wait.run);
    }
}

/* --- what it asks for ------------------------------------------------------------------------- */

/* What is wrong with something the program makes is its to say; warnings are ours. */
static void add_problem(void *arg, const weir_error *error) {
    weir_buffer *text = arg;
    char line[1100];
    if (error->code == WEIR_OK) {
        weir_output_problem(error);
        return;
    }
    if (text->length) weir_buffer_byte(text, '\n');
    weir_buffer_text(text, weir_error_format(error, line, sizeof line));
}

static bool start_run(session *s, const weir_value *message, weir_buffer *problems,
                      weir_error *error) {
    const weir_value *documents = weir_member_named(message, "documents");
    weir_value *request;
    if (s->interrupts)
        return weir_fail(error, WEIR_CANCELLED, "weir was told to stop: nothing more begins");
    if (s->count == RUNS_MAX)
        return weir_fail(error, WEIR_LIMIT, "a program has at most %d runs", RUNS_MAX);
    if (!weir_is(documents, WEIR_ARRAY) || !weir_value_count(documents))
        return weir_fail(error, WEIR_INVALID, "no documents are given");
    for (size_t i = 0; i < weir_value_count(documents); i++)
        if (!weir_is(weir_array_at(documents, i), WEIR_OBJECT))
            return weir_fail(error, WEIR_INVALID, "a document is no object");
    if (!weir_cli_request_alone(s->cli, &request, error)) return false;
    weir_program_put(request, s->program.file, documents);
    s->starting = true;
    bool ok = weir_run_start(s->engine, request, add_problem, problems, &s->runs[s->count], error);
    s->starting = false;
    weir_value_unref(request);
    if (!ok) {
        weir_steps_deinit(&s->made[s->count].steps);
        return false;
    }
    weir_value *result = weir_run_result(s->runs[s->count]);
    made *entry = &s->made[s->count++];
    entry->run = s->runs[s->count - 1];
    entry->id = weir_value_ref(weir_member_named(result, "run"));
    entry->name = weir_value_ref(weir_member_named(result, "name"));
    weir_value_unref(result);
    return true;
}

static void run(session *s, int64_t id, const weir_value *message) {
    weir_error error;
    weir_buffer problems = {0};
    if (start_run(s, message, &problems, &error)) {
        answer_run(s, id, s->count - 1);
    } else {
        char line[1100];
        if (!problems.length)
            weir_buffer_text(&problems, weir_error_format(&error, line, sizeof line));
        s->refused = true;
        answer_error(s, id, weir_code_text(error.code), weir_buffer_str(&problems));
    }
    weir_buffer_deinit(&problems);
}

static bool find_run(const session *s, weir_str name, size_t *out) {
    for (size_t i = s->count; i-- > 0;)
        if (weir_str_equal(name, weir_string_get(s->made[i].id)) ||
            weir_str_equal(name, weir_string_get(s->made[i].name))) {
            *out = i;
            return true;
        }
    return false;
}

static void do_to_run(session *s, int64_t id, weir_str what, size_t at) {
    weir_error error = {0};
    if (weir_str_is(what, "wait")) {
        if (s->waits.count == WAITS_MAX)
            answer_error(s, id, "limit_exceeded", WEIR_STR("too many wait at once"));
        else
            *weir_vector_push(&s->waits) = (awaited){id, at};
        return;
    }
    bool suspends = weir_str_is(what, "suspend"), ok = true;
    if (weir_str_is(what, "stop") || weir_str_is(what, "terminate"))
        weir_run_cancel(s->runs[at], weir_str_is(what, "terminate"));
    else if (suspends || weir_str_is(what, "resume"))
        ok = weir_run_suspend(s->runs[at], suspends, &error);
    else if (!weir_str_is(what, "get"))
        ok = weir_fail(&error, WEIR_UNSUPPORTED, "weir does not know `%.*s`", WEIR_ARG(what));
    if (ok)
        answer_run(s, id, at);
    else
        answer_error(s, id, weir_code_text(error.code), weir_str_from(error.message));
}

static void take_message(session *s, const weir_value *message) {
    const weir_value *number = weir_member_named(message, "id");
    weir_str what = weir_member_text(message, "do"), name = weir_member_text(message, "run");
    int64_t id = weir_is(number, WEIR_INT) ? weir_int_get(number) : 0;
    size_t at;
    if (weir_str_is(what, "run"))
        run(s, id, message);
    else if (find_run(s, name, &at))
        do_to_run(s, id, what, at);
    else
        answer_error(s, id, "not_found", WEIR_STR("this program has no such run"));
}

static void take_messages(session *s) {
    weir_error error;
    weir_str line;
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        weir_value *message;
        bool ok = weir_program_line(&s->program, 0, &line, &error);
        if (ok && !line.data) return;
        ok = ok && weir_json_parse(line, WEIR_STR("what the program says"), &message, &error);
        if (!ok) {
            keep_worse(s, weir_cli_fail(&error));
            return;
        }
        take_message(s, message);
        weir_value_unref(message);
    }
}

/* --- following -------------------------------------------------------------------------------- */

/* Whose lines a run's are; while it starts it is the next. */
static weir_steps *steps_of(void *arg, const weir_run *run) {
    session *s = arg;
    for (size_t i = s->count; i-- > 0;)
        if (s->runs[i] == run)
            return s->following && i == s->shown ? &s->follow.steps : &s->made[i].steps;
    return s->starting ? &s->made[s->count].steps : &s->follow.steps;
}

/* Whoever is told to stop stops what began meanwhile, too. */
static void pass_on_interrupts(session *s) {
    int asked = weir_follow_interrupts();
    for (; s->interrupts < asked; s->interrupts++) {
        for (size_t i = 0; i < s->count; i++) weir_run_cancel(s->runs[i], s->interrupts > 0);
        if (s->program.pid) kill(s->program.pid, s->interrupts ? SIGKILL : SIGINT);
    }
}

static void attend(void *arg) {
    session *s = arg;
    (void)weir_program_over(&s->program);
    take_messages(s);
    answer_waits(s);
    pass_on_interrupts(s);
}

static void follow(session *s, size_t at) {
    s->shown = at;
    s->following = true;
    s->follow.steps = s->made[at].steps;
    s->made[at].steps = (weir_steps){0};
    keep_worse(s, weir_follow_run(&s->follow, s->runs, s->count, at));
    s->follow.steps = (weir_steps){.all = weir_cli_has(s->cli, WEIR_FLAG_LOG)};
    s->following = false;
    s->made[at].shown = true;
    answer_waits(s);
}

/* The run to be followed now: one that is over and was not shown, else one that somebody waits for; false: none. */
static bool choose(session *s, size_t *at) {
    for (size_t i = 0; i < s->count; i++)
        if (!s->made[i].shown && weir_run_wait(s->runs[i], 0)) {
            *at = i;
            return true;
        }
    if (!s->waits.count) return false;
    *at = s->waits.items[0].run;
    return true;
}

static void drive(session *s) {
    size_t at, open = SIZE_MAX;
    while (!weir_program_over(&s->program)) {
        attend(s);
        if (choose(s, &at)) {
            follow(s, at);
            continue;
        }
        for (size_t i = 0; open == SIZE_MAX && i < s->count; i++)
            if (!s->made[i].shown) open = i;
        if (open == SIZE_MAX)
            poll(&(struct pollfd){.fd = s->program.fd, .events = POLLIN}, 1, LOOK_MS);
        else
            (void)weir_run_wait(s->runs[open], DRIVE_MS);
        open = SIZE_MAX;
    }
    attend(s);
    if (s->program.status && !s->interrupts)
        for (size_t i = 0; i < s->count; i++) weir_run_cancel(s->runs[i], false);
    for (size_t i = 0; i < s->count; i++)
        if (!s->made[i].shown) follow(s, i);
}

/* One run is answered as it is, several as a list. */
static void unwrap_answers(weir_follow *follow) {
    if (!follow->answers || weir_value_count(follow->answers) != 1) return;
    weir_value *one = weir_value_ref(weir_array_at(follow->answers, 0));
    weir_value_unref(follow->answers);
    follow->answers = one;
}

static void end(session *s) {
    weir_error error;
    weir_output_flush(&s->cli->out);
    int code = s->interrupts ? 1 : weir_program_judge(&s->program);
    keep_worse(s, code && s->refused ? weir_code_exit(WEIR_INVALID) : code);
    if (!s->count && !s->code) {
        weir_fail(&error, WEIR_INVALID, "%s makes no workflow", s->program.file);
        weir_error_hint(&error, "see \"Coming from Hera\" in the guide");
        keep_worse(s, weir_cli_fail(&error));
    }
    for (size_t i = 0; i < s->count; i++) {
        weir_run_close(s->runs[i]);
        weir_steps_deinit(&s->made[i].steps);
        weir_value_unref(s->made[i].id);
        weir_value_unref(s->made[i].name);
    }
    weir_vector_deinit(&s->waits);
    weir_program_close(&s->program);
}

static bool check_flags(const weir_cli *cli, weir_error *error) {
    static const weir_flag others[] = {WEIR_FLAG_FEED, WEIR_FLAG_EXPLAIN};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (weir_cli_has(cli, others[i]))
            return weir_fail(error, WEIR_USAGE, "--%s is not for programs: name the run it made",
                             weir_flag_texts[others[i]].name);
    return true;
}

int weir_program_command(weir_cli *cli, const char *file, const char *const *arguments,
                         size_t count) {
    weir_error error;
    session s = {.cli = cli};
    if (!check_flags(cli, &error) ||
        !weir_program_start(cli, file, arguments, count, false, &s.program, &error))
        return weir_cli_fail(&error);
    if (!weir_follow_init(&s.follow, cli, false, &error)) {
        weir_program_close(&s.program);
        return weir_cli_fail(&error);
    }
    s.follow.attend = attend;
    s.follow.steps_of = steps_of;
    s.follow.attend_arg = &s;
    if (weir_cli_whole(cli)) s.follow.answers = weir_array_new();
    s.made = weir_alloc(RUNS_MAX * sizeof *s.made);
    s.runs = weir_alloc(RUNS_MAX * sizeof(weir_run *));
    if (weir_cli_open(cli, false, &s.follow.callbacks, &s.engine, &error)) {
        for (size_t i = 0; i < RUNS_MAX; i++)
            s.made[i] = (made){.steps = {.all = weir_cli_has(cli, WEIR_FLAG_LOG)}};
        drive(&s);
        end(&s);
        weir_close(s.engine);
        unwrap_answers(&s.follow);
    } else {
        weir_program_close(&s.program);
        s.code = weir_cli_fail(&error);
    }
    weir_free(s.made);
    weir_free(s.runs);
    return weir_follow_deinit(&s.follow, s.code);
}
