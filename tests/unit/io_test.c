#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/process.h"
#include "io/users.h"

static weir_loop *loop;
static weir_error error;

static int set_up(void **state) {
    (void)state;
    memset(&error, 0, sizeof error);
    return weir_loop_open(&loop, &error) ? 0 : -1;
}

/* Closing asserts that the test left nothing behind. */
static int tear_down(void **state) {
    (void)state;
    weir_loop_close(loop);
    return 0;
}

static bool stopped;

static void stop_loop(void *arg) {
    (void)arg;
    stopped = true;
}

static void run_loop(void) {
    for (stopped = false; !stopped;) weir_loop_once(loop, true);
}

/* --- loop --- */

enum { POSTS = 1000 };

typedef struct counting {
    int next, wrong;
} counting;

typedef struct numbered {
    counting *all;
    int number;
} numbered;

static void count_post(void *arg) {
    numbered *n = arg;
    if (n->number != n->all->next++) n->all->wrong++;
    if (n->all->next == POSTS) stopped = true;
}

static void *post_all(void *arg) {
    numbered *items = arg;
    for (int i = 0; i < POSTS; i++) weir_loop_post(loop, count_post, &items[i]);
    return NULL;
}

static void posts_of_a_thread_keep_their_order(void **state) {
    (void)state;
    static numbered items[POSTS];
    counting all = {0};
    for (int i = 0; i < POSTS; i++) items[i] = (numbered){&all, i};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_all, items), 0);
    run_loop();
    pthread_join(thread, NULL);
    assert_int_equal(all.next, POSTS);
    assert_int_equal(all.wrong, 0);
}

static void count_up(void *arg) {
    ++*(int *)arg;
}

static void post_again(void *arg) {
    int *left = arg;
    if (--*left) weir_loop_post(loop, post_again, left);
}

/* What it posts itself a loop does soon, and does not sleep before; but it hears of others in between. */
static void a_post_may_post(void **state) {
    (void)state;
    enum { MANY = 40, TURNS_MAX = MANY / 4 };
    int left = MANY, turns = 0;
    weir_loop_post(loop, post_again, &left);
    while (left) {
        int before = left;
        weir_loop_once(loop, true);
        assert_true(left < before && before - left < MANY / 2);
        assert_true(++turns < TURNS_MAX);
    }
    left = 2;
    weir_loop_post(loop, post_again, &left);
    weir_loop_once(loop, true);
    weir_loop_close(loop);
    assert_int_equal(left, 0);
    assert_int_equal(set_up(state), 0);
}

static void close_runs_what_was_posted(void **state) {
    weir_loop_close(loop);
    int count = 0;
    assert_true(weir_loop_open(&loop, &error));
    weir_loop_post(loop, count_up, &count);
    weir_loop_close(loop);
    assert_int_equal(count, 1);
    assert_int_equal(set_up(state), 0);
}

static void note_ring(void *arg) {
    *(bool *)arg = true;
}

/* It is late already when the loop begins its turn, and nothing else will ever come. */
static void a_timer_that_is_late_ends_the_wait(void **state) {
    (void)state;
    bool rang = false;
    weir_timer *timer = weir_timer_open(loop, note_ring, &rang);
    alarm(30);
    for (int i = 0; i < 20; i++) {
        rang = false;
        weir_timer_start(timer, 1000);
        nanosleep(&(struct timespec){.tv_nsec = 3 * 1000 * 1000}, NULL);
        while (!rang) weir_loop_once(loop, true);
    }
    alarm(0);
    weir_timer_close(timer);
}

static void timers_ring_once_and_never_early(void **state) {
    (void)state;
    int cancelled = 0, rung = 0;
    weir_timer *stop = weir_timer_open(loop, stop_loop, NULL);
    weir_timer *never = weir_timer_open(loop, count_up, &cancelled);
    weir_timer *once = weir_timer_open(loop, count_up, &rung);
    for (uint64_t delay_us = 1500; delay_us < 20000; delay_us += 4321) {
        rung = 0;
        weir_timer_start(never, 500);
        weir_timer_cancel(never);
        weir_timer_start(once, 100);
        weir_timer_start(once, 1000);
        weir_timer_start(stop, UINT64_MAX);
        uint64_t start_us = weir_clock_steady_us();
        weir_timer_start(stop, delay_us);
        run_loop();
        assert_true(weir_clock_steady_us() - start_us >= delay_us);
        assert_int_equal(rung, 1);
    }
    assert_int_equal(cancelled, 0);
    weir_timer_close(stop);
    weir_timer_close(never);
    weir_timer_close(once);
}

static void pool_square(void *arg) {
    *(int *)arg *= *(int *)arg;
}

static void pool_works_elsewhere(void **state) {
    (void)state;
    int number = 12;
    weir_pool_run(loop, pool_square, stop_loop, &number);
    run_loop();
    assert_int_equal(number, 144);
    weir_pool_run(loop, pool_square, stop_loop, &number);
    tear_down(state);
    assert_int_equal(number, 144 * 144);
    set_up(state);
}

static void a_file_that_may_not_grow_is_an_error(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit one_byte = {1, 1};
        FILE *file = tmpfile();
        if (!file || setrlimit(RLIMIT_FSIZE, &one_byte)) _exit(1);
        ssize_t first = write(fileno(file), "ab", 2), second = write(fileno(file), "c", 1);
        _exit(first == 1 && second < 0 && errno == EFBIG ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- listener --- */

typedef struct question {
    const char *path;
    char *line;
    size_t length;
    bool ok;
    weir_buffer answer;
    weir_error error;
} question;

static void answer_echo(void *arg, weir_str line, weir_buffer *out) {
    ++*(int *)arg;
    weir_buffer_text(out, "you said ");
    weir_buffer_str_append(out, line);
}

static void *ask(void *arg) {
    question *q = arg;
    q->ok = weir_ask(q->path, (weir_str){q->line, q->length}, 2000000, &q->answer, &q->error);
    weir_loop_post(loop, stop_loop, NULL);
    return NULL;
}

static void ask_while_running(question *q) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, q), 0);
    run_loop();
    pthread_join(thread, NULL);
}

static void check_listening_on(const char *path) {
    struct stat info;
    int answered = 0;
    weir_listener *listener = NULL, *second = NULL;
    assert_true(weir_listener_open(loop, path, answer_echo, &answered, &listener, &error));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_false(weir_listener_open(loop, path, answer_echo, &answered, &second, &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    for (size_t length = 5; length <= 65536; length = length * 65536 / 5) {
        question q = {.path = path, .line = malloc(length), .length = length};
        memset(q.line, 'a', length);
        ask_while_running(&q);
        assert_true(q.ok);
        assert_int_equal(q.answer.length, length + 9);
        assert_memory_equal(q.answer.data, "you said aaaaa", 14);
        free(q.line);
        weir_buffer_deinit(&q.answer);
    }
    assert_int_equal(answered, 2);
    weir_listener_close(listener);
    weir_loop_once(loop, false);
    assert_int_equal(access(path, F_OK), -1);
    weir_buffer nothing = {0};
    assert_false(weir_ask(path, WEIR_STR("?"), 100000, &nothing, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_int_equal(nothing.length, 0);
}

static void one_asks_another_answers(void **state) {
    (void)state;
    char root[] = "/tmp/weir-io-XXXXXX", path[400];
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/s", root);
    check_listening_on(path);
    snprintf(path, sizeof path, "%s/%0200d", root, 7);
    assert_int_equal(mkdir(path, 0700), 0);
    char deep[400];
    snprintf(deep, sizeof deep, "%.300s/s", path);
    check_listening_on(deep);
    rmdir(path);
    rmdir(root);
}

static void dead_sockets_are_replaced(void **state) {
    (void)state;
    char root[] = "/tmp/weir-io-XXXXXX";
    assert_non_null(mkdtemp(root));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", root);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    weir_buffer nothing = {0};
    assert_false(weir_ask(address.sun_path, WEIR_STR("?"), 100000, &nothing, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    check_listening_on(address.sun_path);
    rmdir(root);
    weir_listener *listener = NULL;
    assert_false(weir_listener_open(loop, address.sun_path, answer_echo, NULL, &listener, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void too_many_and_too_long_are_dropped(void **state) {
    (void)state;
    char root[] = "/tmp/weir-io-XXXXXX", path[64];
    static char flood[70000];
    int answered = 0, fds[65];
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/s", root);
    weir_listener *listener = NULL;
    assert_true(weir_listener_open(loop, path, answer_echo, &answered, &listener, &error));
    for (size_t i = 0; i < 65; i++) {
        fds[i] = connect_to(path);
        for (int turn = 0; turn < 3; turn++) weir_loop_once(loop, false);
    }
    char byte;
    assert_int_equal(recv(fds[63], &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(recv(fds[64], &byte, 1, MSG_DONTWAIT), 0);
    memset(flood, 'x', sizeof flood);
    assert_int_equal(send(fds[0], flood, sizeof flood, MSG_NOSIGNAL), sizeof flood);
    for (int turn = 0; turn < 50; turn++) weir_loop_once(loop, false);
    ssize_t got = recv(fds[0], &byte, 1, MSG_DONTWAIT);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
    assert_int_equal(answered, 0);
    weir_listener_close(listener);
    for (size_t i = 0; i < 65; i++) close(fds[i]);
    rmdir(root);
}

static void the_silent_are_dropped(void **state) {
    (void)state;
    char root[] = "/tmp/weir-io-XXXXXX", path[64], byte;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/s", root);
    weir_listener *listener = NULL;
    assert_true(weir_listener_open(loop, path, answer_echo, NULL, &listener, &error));
    int fd = connect_to(path);
    uint64_t start_us = weir_clock_steady_us();
    while (recv(fd, &byte, 1, MSG_DONTWAIT) < 0) weir_loop_once(loop, true);
    uint64_t took_us = weir_clock_steady_us() - start_us;
    assert_true(took_us > 4900000 && took_us < 7000000);
    close(fd);
    weir_listener_close(listener);
    rmdir(root);
}

/* --- process --- */

typedef struct outcome {
    weir_buffer streams[3]; /* the last: metrics */
    weir_process_end end;
    int ended, late; /* output that came after the end */
    weir_process *process;
    int signal_at_output; /* sent to the group when output comes; 0: none */
} outcome;

static void note_output(void *arg, bool error_stream, weir_str bytes) {
    outcome *o = arg;
    weir_buffer_str_append(&o->streams[error_stream], bytes);
    if (o->ended) o->late++;
    if (o->signal_at_output) weir_process_signal(o->process, o->signal_at_output);
    o->signal_at_output = 0;
}

static void note_metrics(void *arg, weir_str bytes) {
    outcome *o = arg;
    weir_buffer_str_append(&o->streams[2], bytes);
    if (o->ended) o->late++;
}

static void note_end(void *arg, const weir_process_end *end) {
    outcome *o = arg;
    o->end = *end;
    o->ended++;
    stopped = true;
}

static const char *const default_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "A=b c",
                                                  NULL};

static bool start(const char *const *argv, const char *const *environment, const char *directory,
                  weir_str input, outcome *o) {
    weir_process_options options = {argv,        environment, directory, input,
                                    note_output, NULL,        note_end,  o};
    *o = (outcome){.signal_at_output = o->signal_at_output};
    memset(&error, 0, sizeof error);
    return weir_process_start(loop, &options, &o->process, &error);
}

static void run_shell(const char *script, weir_str input, outcome *o) {
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_true(start(argv, default_environment, "/tmp", input, o));
    run_loop();
    assert_int_equal(o->ended, 1);
    assert_int_equal(o->late, 0);
}

static void outcome_free(outcome *o) {
    for (size_t i = 0; i < 3; i++) weir_buffer_deinit(&o->streams[i]);
}

#define assert_text(buffer, text) assert_string_equal((buffer).data ? (buffer).data : "", (text))

static void ends_are_told(void **state) {
    (void)state;
    outcome o = {0};
    run_shell("exit 7", WEIR_STR(""), &o);
    assert_int_equal(o.end.exit_code, 7);
    assert_int_equal(o.end.signal, 0);
    assert_true(o.end.memory_peak_bytes > 100000);
    outcome_free(&o);
    run_shell("kill -TERM $$", WEIR_STR(""), &o);
    assert_int_equal(o.end.exit_code, -1);
    assert_int_equal(o.end.signal, SIGTERM);
    outcome_free(&o);
    run_shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.05", WEIR_STR(""), &o);
    assert_true(o.end.cpu_us > 1000);
    assert_true(o.end.wall_us > 50000 && o.end.wall_us > o.end.cpu_us);
    outcome_free(&o);
}

static void output_comes_in_order(void **state) {
    (void)state;
    outcome o = {0};
    run_shell("echo a; echo 1 >&2; echo b; echo 2 >&2; pwd", WEIR_STR(""), &o);
    assert_text(o.streams[0], "a\nb\n/tmp\n");
    assert_text(o.streams[1], "1\n2\n");
    outcome_free(&o);
    run_shell("seq 1 1500000", WEIR_STR(""), &o);
    assert_true(o.streams[0].length > 10 * 1024 * 1024);
    long expected = 1;
    for (char *line = o.streams[0].data; *line; line++, expected++)
        assert_int_equal(strtol(line, &line, 10), expected);
    assert_int_equal(expected, 1500001);
    outcome_free(&o);
}

static void output_may_be_thrown_away(void **state) {
    (void)state;
    const char *const argv[] = {"/bin/sh", "-c", "echo out && echo err >&2", NULL};
    outcome o = {0};
    weir_process_options options = {
        .argv = argv, .environment = default_environment, .ended = note_end, .arg = &o};
    assert_true(weir_process_start(loop, &options, &o.process, &error));
    run_loop();
    assert_int_equal(o.end.exit_code, 0);
}

static void input_is_written_as_far_as_it_is_read(void **state) {
    (void)state;
    static char text[1 << 20];
    memset(text, 'z', sizeof text);
    weir_str input = {text, sizeof text};
    outcome o = {0};
    run_shell("wc -c", input, &o);
    assert_text(o.streams[0], "1048576\n");
    outcome_free(&o);
    run_shell("head -c 3", input, &o);
    assert_text(o.streams[0], "zzz");
    assert_int_equal(o.end.exit_code, 0);
    outcome_free(&o);
    run_shell("exec 0<&-; echo closed", input, &o);
    assert_text(o.streams[0], "closed\n");
    outcome_free(&o);
    run_shell("cat; echo end", WEIR_STR(""), &o);
    assert_text(o.streams[0], "end\n");
    outcome_free(&o);
}

static void expect_refused(const char *command, const char *const *environment,
                           const char *directory, weir_code code, const char *message) {
    const char *const argv[] = {command, NULL};
    outcome o = {0};
    assert_false(start(argv, environment, directory, WEIR_STR("x"), &o));
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.message, message));
}

static void missing_things_are_named(void **state) {
    (void)state;
    static const char *const no_path[] = {"PATH=/nowhere", NULL};
    expect_refused("no-such-command", default_environment, NULL, WEIR_NOT_FOUND,
                   "command `no-such-command` was not found");
    assert_non_null(strstr(error.hint, "/usr/bin"));
    expect_refused("sh", no_path, NULL, WEIR_NOT_FOUND, "command `sh` was not found");
    expect_refused("", default_environment, NULL, WEIR_NOT_FOUND, "command `` was not found");
    expect_refused("/no/such", default_environment, NULL, WEIR_NOT_FOUND, "`/no/such`");
    expect_refused("sh", default_environment, "/no/such", WEIR_NOT_FOUND,
                   "directory `/no/such` was not found");
    expect_refused("/etc/passwd", default_environment, NULL, WEIR_IO, "Permission denied");
    expect_refused("/tmp", default_environment, NULL, WEIR_IO, "Permission denied");
}

static void write_script(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void commands_are_found_as_the_child_would(void **state) {
    (void)state;
    char root[] = "/tmp/weir-io-XXXXXX", script[64];
    assert_non_null(mkdtemp(root));
    snprintf(script, sizeof script, "%s/tool", root);
    write_script(script, "#!/bin/sh\necho \"tool $PATH\"\n");
    static const char *const here[] = {"PATH=/nowhere:.", NULL}, *const none[] = {"A=b", NULL};
    static const char *const tool[] = {"tool", NULL}, *const relative[] = {"./tool", NULL},
                             *const ls[] = {"ls", NULL};
    outcome o = {0};
    assert_true(start(tool, here, root, WEIR_STR(""), &o));
    run_loop();
    assert_text(o.streams[0], "tool /nowhere:.\n");
    outcome_free(&o);
    assert_true(start(relative, here, root, WEIR_STR(""), &o));
    run_loop();
    assert_text(o.streams[0], "tool /nowhere:.\n");
    outcome_free(&o);
    assert_true(start(ls, none, root, WEIR_STR(""), &o));
    run_loop();
    assert_text(o.streams[0], "tool\n");
    outcome_free(&o);
    write_script(script, "#!/no/such/interpreter\n");
    expect_refused("./tool", here, root, WEIR_NOT_FOUND, "interpreter");
    write_script(script, "echo no first line\n");
    expect_refused("./tool", here, root, WEIR_IO, "could not be started");
    unlink(script);
    rmdir(root);
}

/* Gone, or a zombie that nobody waits for. */
static bool is_gone(pid_t pid) {
    char path[64], line[128] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool gone = fd < 0 || read(fd, line, sizeof line - 1) < 0 || strstr(line, ") Z ");
    if (fd >= 0) close(fd);
    return gone;
}

static void signals_reach_the_group(void **state) {
    (void)state;
    outcome o = {.signal_at_output = SIGKILL};
    uint64_t start_us = weir_clock_steady_us();
    run_shell("sleep 30 & echo $!; wait", WEIR_STR(""), &o);
    assert_int_equal(o.end.signal, SIGKILL);
    assert_true(weir_clock_steady_us() - start_us < 5000000);
    pid_t sleeper = (pid_t)strtol(o.streams[0].data, NULL, 10);
    while (!is_gone(sleeper)) assert_true(weir_clock_steady_us() - start_us < 5000000);
    outcome_free(&o);
}

static void children_start_clean(void **state) {
    (void)state;
    outcome o = {0};
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    void (*usual)(int) = signal(SIGUSR2, SIG_IGN);
    int careless = open("/dev/null", O_RDONLY);
    const char *const env[] = {"env", NULL};
    assert_true(start(env, default_environment, NULL, WEIR_STR(""), &o));
    run_loop();
    assert_text(o.streams[0], "PATH=/usr/local/bin:/usr/bin:/bin\nA=b c\n");
    outcome_free(&o);
    const char *const ls[] = {"ls", "/proc/self/fd", NULL};
    assert_true(start(ls, default_environment, NULL, WEIR_STR("some"), &o));
    run_loop();
    assert_text(o.streams[0], "0\n1\n2\n3\n");
    outcome_free(&o);
    const char *const grep[] = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL};
    assert_true(start(grep, default_environment, NULL, WEIR_STR(""), &o));
    run_loop();
    /* glibc ignores its own two signals, 32 and 33. */
    unsigned long long blocked_there = 1, ignored_there = 1;
    assert_int_equal(
        sscanf(o.streams[0].data, "SigBlk: %llx SigIgn: %llx", &blocked_there, &ignored_there), 2);
    assert_int_equal(blocked_there, 0);
    assert_int_equal(ignored_there & 0x7fffffff, 0);
    assert_int_equal(ignored_there >> (SIGRTMAX - 1), 0); /* see main */
    outcome_free(&o);
    close(careless);
    signal(SIGUSR2, usual);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void what_is_left_of_the_group_ends_with_the_child(void **state) {
    (void)state;
    outcome o = {0};
    uint64_t start_us = weir_clock_steady_us();
    run_shell("sleep 30 & echo $!", WEIR_STR(""), &o);
    assert_int_equal(o.end.exit_code, 0);
    pid_t sleeper = (pid_t)strtol(o.streams[0].data, NULL, 10);
    while (!is_gone(sleeper)) assert_true(weir_clock_steady_us() - start_us < 5000000);
    outcome_free(&o);
}

static void a_process_that_left_the_group_does_not_hold_the_end(void **state) {
    (void)state;
    outcome o = {0};
    uint64_t start_us = weir_clock_steady_us();
    run_shell("echo $(setsid -f sh -c 'echo $$; exec sleep 30 >/dev/null')", WEIR_STR(""), &o);
    assert_int_equal(o.end.exit_code, 0);
    assert_true(weir_clock_steady_us() - start_us < 5000000);
    pid_t sleeper = (pid_t)strtol(o.streams[0].data, NULL, 10);
    assert_false(is_gone(sleeper));
    kill(sleeper, SIGKILL);
    outcome_free(&o);
}

static size_t open_descriptors(void) {
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static void no_descriptors_are_lost(void **state) {
    (void)state;
    outcome o = {0};
    run_shell("true", WEIR_STR(""), &o); /* what all share is opened for the first */
    outcome_free(&o);
    size_t before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        run_shell("cat; echo x >&2", WEIR_STR("y"), &o);
        outcome_free(&o);
        expect_refused("/no/such", default_environment, "/tmp", WEIR_NOT_FOUND, "not found");
    }
    assert_int_equal(open_descriptors(), before);
}

/* Of a loop that has none yet. */
static void the_first_process_may_lack_descriptors(void **state) {
    (void)state;
    static const char *const argv[] = {"true", NULL};
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    weir_loop *shared = loop;
    assert_true(weir_loop_open(&loop, &error));
    int first_free = dup(STDIN_FILENO), started = 0;
    close(first_free);
    for (rlim_t left = 0; left < 18; left++) {
        outcome o = {0};
        struct rlimit few = {(rlim_t)first_free + left, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        bool ok = start(argv, default_environment, "/tmp", WEIR_STR(""), &o);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (ok) run_loop();
        started += ok;
        outcome_free(&o);
    }
    assert_in_range(started, 1, 17);
    weir_loop_close(loop);
    loop = shared;
}

/* Each number of descriptors left ends at another step of the start. */
static void running_out_of_descriptors_is_an_error(void **state) {
    (void)state;
    struct rlimit before, few;
    outcome first = {0};
    run_shell("true", WEIR_STR(""), &first);
    outcome_free(&first);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    size_t opened = open_descriptors();
    int refused = 0, first_free = dup(STDIN_FILENO);
    close(first_free);
    for (rlim_t left = 0; left < 14; left++) {
        static const char *const argv[] = {"sh", "-c", "cat", NULL};
        outcome o = {0};
        few = (struct rlimit){(rlim_t)first_free + left, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        bool ok = start(argv, default_environment, "/tmp", WEIR_STR("in"), &o);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (ok) {
            run_loop();
            assert_text(o.streams[0], "in");
        } else {
            refused++;
            assert_int_equal(error.code, WEIR_IO);
            weir_loop_once(loop, false);
        }
        outcome_free(&o);
        assert_int_equal(open_descriptors(), opened);
    }
    assert_in_range(refused, 4, 12);
}

static void metrics_have_a_descriptor(void **state) {
    (void)state;
    static const char *const argv[] = {"sh", "-c", "echo m >&3; echo o; ls /proc/self/fd >&2",
                                       NULL};
    outcome o = {0};
    weir_process_options options = {.argv = argv,
                                    .environment = default_environment,
                                    .directory = "/",
                                    .output = note_output,
                                    .metrics = note_metrics,
                                    .ended = note_end,
                                    .arg = &o};
    assert_true(weir_process_start(loop, &options, &o.process, &error));
    run_loop();
    assert_text(o.streams[0], "o\n");
    assert_text(o.streams[1], "0\n1\n2\n3\n4\n");
    assert_text(o.streams[2], "m\n");
    assert_int_equal(o.late, 0);
    outcome_free(&o);
}

static void many_at_once(void **state) {
    (void)state;
    static const char *const argv[] = {"sh", "-c", "cat; exit 3", NULL};
    static outcome all[50];
    for (size_t i = 0; i < 50; i++)
        assert_true(start(argv, default_environment, NULL, WEIR_STR("in"), &all[i]));
    for (int ended = 0; ended < 50;) {
        weir_loop_once(loop, true);
        ended = 0;
        for (size_t i = 0; i < 50; i++) ended += all[i].ended;
    }
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(all[i].end.exit_code, 3);
        assert_text(all[i].streams[0], "in");
        outcome_free(&all[i]);
    }
}

static void numbers_of_further_users_are_read(void **state) {
    weir__user_range ranges[WEIR_USERS_RANGES_MAX];
    weir_str file =
        WEIR_STR("root:1:2\nann:100000:65536\nbob:5:6\n77:300000:10\n\nann:400000:5\n"
                 "ann:x:5\nann:5\nann:0:5\nann:5:0\nann:4294967000:1000\nann:9:1:2\nann:1:");
    (void)state;
    assert_int_equal(weir__user_ranges(file, WEIR_STR("ann"), 77, ranges), 3);
    assert_int_equal(ranges[0].first, 100000);
    assert_int_equal(ranges[0].count, 65536);
    assert_int_equal(ranges[1].first, 300000);
    assert_int_equal(ranges[2].count, 5);
    assert_int_equal(weir__user_ranges(file, WEIR_STR(""), 78, ranges), 0);
    /* No more than fit: the last is cut off. */
    file = WEIR_STR("ann:1:16000000\nann:20000000:16000000\nann:50000000:5\n");
    assert_int_equal(weir__user_ranges(file, WEIR_STR("ann"), 0, ranges), 2);
    assert_int_equal(ranges[1].count, WEIR_USERS_COUNT_MAX - 16000000);
    weir_buffer many = {0};
    for (int i = 1; i < 30; i++) weir_buffer_printf(&many, "ann:%d:1\n", i);
    assert_int_equal(weir__user_ranges(weir_buffer_str(&many), WEIR_STR("ann"), 0, ranges),
                     WEIR_USERS_RANGES_MAX);
    weir_buffer_deinit(&many);
    /* Numbers that were given before, and his own, are nobody's twice. */
    file = WEIR_STR("ann:100:50\n7:100:50\nann:149:2\nann:150:5\nann:1:7\nann:3:2\n");
    assert_int_equal(weir__user_ranges(file, WEIR_STR("ann"), 7, ranges), 3);
    assert_int_equal(ranges[1].first, 150);
    assert_int_equal(ranges[2].first, 3);
    assert_int_equal(weir__user_range_free(file), 100000);
    assert_int_equal(weir__user_range_free(WEIR_STR("bob:100000:65536\nx:4:5\n")), 165536);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    signal(SIGRTMAX, SIG_IGN); /* before the first child, which children_start_clean relies on */
    const struct CMUnitTest tests[] = {
        TEST(posts_of_a_thread_keep_their_order),
        TEST(a_post_may_post),
        TEST(close_runs_what_was_posted),
        TEST(timers_ring_once_and_never_early),
        TEST(a_timer_that_is_late_ends_the_wait),
        TEST(pool_works_elsewhere),
        TEST(a_file_that_may_not_grow_is_an_error),
        TEST(one_asks_another_answers),
        TEST(dead_sockets_are_replaced),
        TEST(too_many_and_too_long_are_dropped),
        TEST(the_silent_are_dropped),
        TEST(ends_are_told),
        TEST(output_comes_in_order),
        TEST(output_may_be_thrown_away),
        TEST(input_is_written_as_far_as_it_is_read),
        TEST(missing_things_are_named),
        TEST(commands_are_found_as_the_child_would),
        TEST(signals_reach_the_group),
        TEST(children_start_clean),
        TEST(what_is_left_of_the_group_ends_with_the_child),
        TEST(a_process_that_left_the_group_does_not_hold_the_end),
        TEST(no_descriptors_are_lost),
        TEST(the_first_process_may_lack_descriptors),
        TEST(running_out_of_descriptors_is_an_error),
        TEST(metrics_have_a_descriptor),
        TEST(many_at_once),
        cmocka_unit_test(numbers_of_further_users_are_read),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
