/* Sandboxes: file systems and processes of attempts. As root the tests are run once more as an ordinary user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "data/json.h"
#include "executor/collect.h"
#include "executor/images.h"
#include "executor/process.h"
#include "executor/sandbox_group.h"
#include "executor/sandbox_spec.h"

enum { ORDINARY = 65534, MANY_MOUNTS = 40, MOUNTS_MAX = MANY_MOUNTS + 8 };

/* Folders of a test: on the host, and where sandboxes write. */
typedef struct bench {
    char host[64], folder[96];
    weir_loop *loop;
    weir_sandboxes *sandboxes;
    weir_buffer warned;
    WEIR_VECTOR(struct attempt *) attempts; /* of a test that failed some are left */
} bench;

/* An attempt: what to run, and what came of it. */
typedef struct attempt {
    bench *bench;
    weir_sandbox_spec spec;
    weir_mount mounts[MOUNTS_MAX];
    weir_str outputs[8];
    const char *argv[8];
    weir_str input;
    weir_sandbox *sandbox;
    weir_process *process;
    weir_buffer output, metrics;
    weir_process_end end;
    bool begun, over;
    weir_error error;
} attempt;

static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "NAME=a test", NULL};

static void note_warning(void *arg, const char *text) {
    bench *b = arg;
    weir_buffer_printf(&b->warned, "%s\n", text);
}

static void open_sandboxes(bench *b, weir_isolation isolation) {
    b->sandboxes = weir_sandboxes_new(&(weir_sandboxes_options){
        .isolation = isolation, .folder = b->folder, .warn = note_warning, .arg = b});
}

static int set_up(void **state) {
    bench *b = weir_alloc(sizeof *b);
    weir_error error;
    strcpy(b->host, "/var/tmp/isolate_test.XXXXXX");
    if (!mkdtemp(b->host) || !weir_loop_open(&b->loop, &error)) return 1;
    snprintf(b->folder, sizeof b->folder, "%s/sandboxes", b->host);
    open_sandboxes(b, WEIR_ISOLATION_AUTO);
    *state = b;
    return 0;
}

static unsigned entries_of(const char *path) {
    unsigned count = 0;
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (folder) closedir(folder);
    return count;
}

/* What removes files may be a process behind the helper. */
static void expect_empty(const char *path) {
    for (int i = 0; i < 500 && entries_of(path); i++) usleep(10 * 1000);
    assert_int_equal(entries_of(path), 0);
}

static void drop(struct attempt *a);

static int tear_down(void **state) {
    bench *b = *state;
    while (b->attempts.count) drop(b->attempts.items[0]);
    weir_vector_deinit(&b->attempts);
    if (b->sandboxes) weir_sandboxes_free(b->sandboxes, b->loop);
    expect_empty(b->folder);
    weir_loop_close(b->loop);
    weir_sandbox_remove(b->host);
    weir_buffer_deinit(&b->warned);
    weir_free(b);
    /* No child is left, also no zombie. */
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 1;
}

static void take_output(void *arg, bool error_stream, weir_str bytes) {
    (void)error_stream;
    weir_buffer_str_append(&((attempt *)arg)->output, bytes);
}

static void take_metrics(void *arg, weir_str bytes) {
    weir_buffer_str_append(&((attempt *)arg)->metrics, bytes);
}

static void ended(void *arg, const weir_process_end *end) {
    attempt *a = arg;
    a->end = *end;
    a->begun = weir_sandbox_end(a->sandbox, &a->end, &a->error);
    a->over = true;
}

static attempt *prepare(bench *b, const char *script) {
    attempt *a = weir_alloc(sizeof *a);
    a->bench = b;
    *weir_vector_push(&b->attempts) = a;
    a->argv[0] = "sh";
    a->argv[1] = "-c";
    a->argv[2] = script;
    a->spec = (weir_sandbox_spec){
        .argv = a->argv, .environment = environment, .mounts = a->mounts, .outputs = a->outputs};
    return a;
}

static weir_mount *add_mount(attempt *a, const char *at, const char *source) {
    weir_mount *mount = &a->mounts[a->spec.mount_count++];
    *mount = (weir_mount){.at = weir_str_from(at), .source = weir_str_from(source)};
    return mount;
}

static void add_output(attempt *a, const char *path) {
    a->outputs[a->spec.output_count++] = weir_str_from(path);
}

static bool start(attempt *a) {
    weir_process_options callbacks = {.input = a->input,
                                      .output = take_output,
                                      .metrics = take_metrics,
                                      .ended = ended,
                                      .arg = a};
    return weir_sandbox_start(a->bench->sandboxes, a->bench->loop, &a->spec, &callbacks,
                              &a->sandbox, &a->process, &a->error);
}

static void wait_for(attempt *a) {
    while (!a->over) weir_loop_once(a->bench->loop, true);
}

/* Runs it to its end; the exit code, or 128 and the signal. */
static int run(attempt *a) {
    if (!start(a)) fail_msg("%s", a->error.message);
    wait_for(a);
    if (!a->begun) fail_msg("%s", a->error.message);
    return a->end.signal ? 128 + a->end.signal : a->end.exit_code;
}

static void drop(attempt *a) {
    bench *b = a->bench;
    for (size_t i = 0; i < b->attempts.count; i++)
        if (b->attempts.items[i] == a)
            b->attempts.items[i] = b->attempts.items[--b->attempts.count];
    if (a->process && !a->over) weir_process_signal(a->process, SIGKILL);
    while (a->process && !a->over) weir_loop_once(b->loop, true);
    if (a->sandbox) weir_sandbox_release(a->sandbox);
    weir_buffer_deinit(&a->output);
    weir_buffer_deinit(&a->metrics);
    weir_free(a);
}

static void expect_said(const attempt *a, const char *text) {
    assert_string_equal(a->output.data ? a->output.data : "", text);
}

/* Runs the script; it must say this, and end well. */
static void expect(bench *b, const char *script, const char *said) {
    attempt *a = prepare(b, script);
    int code = run(a);
    expect_said(a, said);
    assert_int_equal(code, 0);
    drop(a);
}

static void expect_file(const attempt *a, const char *path, const char *text) {
    char bytes[256] = "";
    int fd;
    weir_error error;
    if (!weir_sandbox_open(a->sandbox, path, &fd, &error)) fail_msg("%s", error.message);
    assert_true(read(fd, bytes, sizeof bytes - 1) >= 0);
    close(fd);
    assert_string_equal(bytes, text);
}

static void expect_closed(const attempt *a, const char *path, weir_code code) {
    int fd;
    weir_error error;
    assert_false(weir_sandbox_open(a->sandbox, path, &fd, &error));
    assert_int_equal(error.code, code);
}

static char *write_host(bench *b, const char *name, const char *text, mode_t mode) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s", b->host, name);
    int fd = open(path.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && weir_descriptor_write(fd, weir_str_from(text)) && fchmod(fd, mode) == 0);
    close(fd);
    return path.data;
}

/* How many processes have this word as an argument. */
static unsigned processes_with(const char *word) {
    unsigned count = 0;
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; (entry = readdir(processes));) {
        char path[300], bytes[512];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? 0 : read(fd, bytes, sizeof bytes - 1);
        if (fd >= 0) close(fd);
        for (ssize_t i = 0; i < length;) {
            bytes[length] = '\0';
            count += strcmp(bytes + i, word) == 0;
            i += (ssize_t)strlen(bytes + i) + 1;
        }
    }
    closedir(processes);
    return count;
}

/* --- what an attempt sees */

static void files_do_not_meet(void **state) {
    static const char script[] = "test ! -e /tmp/out.txt && test ! -e /out.txt && sleep 0.1 && "
                                 "echo $0 | tee /tmp/out.txt /out.txt /dev/shm/x >/var/tmp/y && "
                                 "cat /dev/shm/x /var/tmp/y";
    attempt *one = prepare(*state, script), *two = prepare(*state, script);
    one->argv[3] = "one";
    two->argv[3] = "two";
    for (int i = 0; i < 2; i++) {
        add_output(i ? one : two, "/tmp/out.txt");
        assert_true(start(i ? one : two));
    }
    wait_for(one);
    wait_for(two);
    expect_said(one, "one\none\n");
    expect_said(two, "two\ntwo\n");
    expect_file(one, "/tmp/out.txt", "one\n");
    expect_file(two, "/tmp/out.txt", "two\n");
    expect_file(two, "/out.txt", "two\n");
    drop(one);
    /* The next has that one's place, and nothing of it. */
    expect(*state, "ls /tmp; test -e /out.txt || touch /tmp/$(printf 'x%.0s' $(seq 250))", "");
    expect(*state, "ls /tmp", "");
    expect_file(two, "/var/tmp/y", "two\n");
    drop(two);
    assert_true(access("/out.txt", F_OK) < 0);
}

static void mounts_are_at_their_paths(void **state) {
    bench *b = *state;
    char *said = write_host(b, "said", "#!/bin/sh\necho said $*\n", 0755);
    weir_buffer volume = {0};
    weir_buffer_printf(&volume, "%s/volume", b->host);
    assert_int_equal(mkdir(volume.data, 0700), 0);
    attempt *a = prepare(b, "/argosay one && bound two && cat /etc/config/deep/key && "
                            "stat -c %a /etc/config/deep/key && echo 3 >/mnt/data/deep/file && "
                            "sh -c 'echo 4 >/argosay' 2>/dev/null || echo read-only; "
                            "sh -c 'echo 4 >/mnt/fixed/x' 2>/dev/null || echo read-only");
    add_mount(a, "/argosay", said)->read_only = true;
    add_mount(a, "/usr/local/bin/bound", said)->read_only = true;
    add_mount(a, "/mnt/data/deep", volume.data);
    add_mount(a, "/mnt/fixed", volume.data)->read_only = true;
    weir_mount *key = add_mount(a, "/etc/config/deep/key", "the content\n");
    key->kind = WEIR_MOUNT_CONTENT;
    key->mode = 0440;
    add_output(a, "/mnt/data");
    assert_int_equal(run(a), 0);
    expect_said(a, "said one\nsaid two\nthe content\n440\nread-only\nread-only\n");
    expect_file(a, "/mnt/data/deep/file", "3\n");
    drop(a);
    assert_true(access("/usr/local/bin/bound", F_OK) < 0 && access("/argosay", F_OK) < 0);
    /* What was written in a folder of the host's is there. */
    weir_buffer_text(&volume, "/file");
    assert_int_equal(access(volume.data, R_OK), 0);
    weir_buffer_deinit(&volume);
    weir_free(said);
}

/* What an attempt sees anyway can be mounted as well, by itself and with what it is in; few mounts, and many. */
static void folders_of_the_host_are_there_twice(void **state) {
    static const size_t counts[] = {0, MANY_MOUNTS};
    static char paths[MANY_MOUNTS][32];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        attempt *a =
            prepare(*state, "for folder in '' /mnt /mnt/all; do "
                            "test -x $folder/usr/bin/env && echo there; done; "
                            "test -c /dev/null && test -c /dev/pts/../null && echo device");
        add_mount(a, "/mnt/usr", "/usr")->read_only = true;
        add_mount(a, "/mnt/all", "/")->read_only = true;
        for (size_t j = 0; j < counts[i]; j++) {
            snprintf(paths[j], sizeof paths[j], "/mnt/many/%zu", j);
            add_mount(a, paths[j], "/usr/bin/env")->read_only = true;
        }
        assert_int_equal(run(a), 0);
        expect_said(a, "there\nthere\nthere\ndevice\n");
        drop(a);
    }
}

static void processes_are_its_own(void **state) {
    expect(*state, "cat /proc/1/comm; grep ^PPid: /proc/self/status; set -- /proc/[0-9]*; echo $#",
           "weir-init\nPPid:\t2\n2\n");
    /* Whom nobody waits for, process 1 does. */
    expect(*state, "(sleep 0.01 & ) ; sleep 0.1; ps ax -o stat= | grep -c Z; true", "0\n");
    expect(*state, "id -u; echo $NAME; pwd; umask; cat",
           geteuid() ? "65534\na test\n/\n0022\n" : "0\na test\n/\n0022\n");
    expect(*state,
           "echo x >/dev/null && head -c 2 /dev/zero | wc -c && test -s "
           "/sys/devices/system/cpu/online && "
           "test ! -e /dev/kmsg && ls /dev/fd/ >/dev/null && echo ok",
           "2\nok\n");
}

static void streams_are_connected(void **state) {
    attempt *a = prepare(*state, "cat; echo to 2 >&2; echo metrics >&3");
    a->input = WEIR_STR("some input, ");
    assert_int_equal(run(a), 0);
    expect_said(a, "some input, to 2\n");
    assert_string_equal(a->metrics.data, "metrics\n");
    assert_true(a->end.memory_peak_bytes > 0 && a->end.cpu_us > 0);
    drop(a);
}

static void directory_and_identity(void **state) {
    bench *b = *state;
    attempt *a = prepare(b, "pwd; id -u; id -g; touch x && echo mine");
    a->spec.directory = "/mnt/not/there";
    a->spec.has_identity = true;
    a->spec.user = 1234;
    a->spec.group = 1235;
    if (geteuid() == 0) a->spec.directory = "/tmp";
    assert_int_equal(run(a), 0);
    expect_said(a, geteuid() ? "/mnt/not/there\n65534\n65534\nmine\n" : "/tmp\n1234\n1235\nmine\n");
    drop(a);
    const char *said = b->warned.data ? b->warned.data : "";
    assert_true(geteuid() == 0 ? !*said : strstr(said, "as this user") != NULL);
}

/* --- how it ends */

static void ends_are_told(void **state) {
    static const struct {
        const char *script;
        int code;
    } cases[] = {{"exit 3", 3}, {"kill -SEGV $$", 128 + SIGSEGV}, {"exit 255", 255}, {"true", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attempt *a = prepare(*state, cases[i].script);
        assert_int_equal(run(a), cases[i].code);
        drop(a);
    }
}

static void what_cannot_begin_says_why(void **state) {
    bench *b = *state;
    char *script = write_host(b, "script", "#!/no/such/interpreter\n", 0755);
    char *plain = write_host(b, "plain", "text", 0644);
    const struct {
        const char *command;
        weir_code code;
        const char *message;
    } cases[] = {
        {"no-such-command", WEIR_NOT_FOUND,
         "command `no-such-command` is not on this host: image `some:image` would bring it along"},
        {"/no/such/command", WEIR_NOT_FOUND,
         "command `/no/such/command` is not on this host: image `some:image` would bring it along"},
        {"/script", WEIR_NOT_FOUND,
         "command `/script` names an interpreter that was not found (image `some:image`)"},
        {"/plain", WEIR_IO, "command `/plain` could not be started: Permission denied"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attempt *a = prepare(b, NULL);
        a->argv[0] = cases[i].command;
        a->argv[1] = NULL;
        a->spec.image = WEIR_STR("some:image");
        add_mount(a, "/script", script);
        add_mount(a, "/plain", plain);
        assert_true(start(a));
        wait_for(a);
        assert_false(a->begun);
        assert_int_equal(a->error.code, cases[i].code);
        assert_string_equal(a->error.message, cases[i].message);
        drop(a);
    }
    weir_free(script);
    weir_free(plain);
}

static void specs_that_are_wrong(void **state) {
    static const struct {
        const char *at, *source;
        weir_code code;
    } cases[] = {{"relative", "/etc", WEIR_INVALID},
                 {"/a", "etc", WEIR_INVALID},
                 {"/a", "/no/such/file", WEIR_NOT_FOUND}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attempt *a = prepare(*state, "true");
        add_mount(a, cases[i].at, cases[i].source);
        assert_false(start(a));
        assert_int_equal(a->error.code, cases[i].code);
        drop(a);
    }
    /* A file where a folder would have to be, and a folder where a file would. */
    attempt *a = prepare(*state, "true");
    add_mount(a, "/etc/passwd/below", "/etc");
    assert_true(start(a));
    wait_for(a);
    assert_false(a->begun);
    assert_non_null(strstr(a->error.message, "/etc/passwd/below"));
    drop(a);
}

static void what_is_left_behind_ends(void **state) {
    char word[32], script[200];
    snprintf(word, sizeof word, "98%d.5", (int)getpid());
    snprintf(script, sizeof script,
             "for i in 1 2 3 4 5 6 7 8; do (setsid sleep %s >/dev/null 2>&1 &) ; done; sleep 0.05; "
             "echo done",
             word);
    expect(*state, script, "done\n");
    assert_int_equal(processes_with(word), 0);
}

static void signals_are_forwarded(void **state) {
    attempt *a = prepare(*state, "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    assert_true(start(a));
    while (!a->output.length) weir_loop_once(a->bench->loop, true);
    weir_process_signal(a->process, SIGTERM);
    wait_for(a);
    assert_true(a->begun);
    assert_int_equal(a->end.exit_code, 7);
    drop(a);
    a = prepare(*state, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
    assert_true(start(a));
    while (!a->output.length) weir_loop_once(a->bench->loop, true);
    weir_process_signal(a->process, SIGTERM);
    usleep(20 * 1000);
    weir_process_signal(a->process, SIGKILL);
    wait_for(a);
    assert_true(a->begun);
    assert_int_equal(a->end.signal, SIGKILL);
    drop(a);
}

static void killed_engine(const char *folder, const char *word) {
    bench b = {0};
    weir_error error;
    snprintf(b.folder, sizeof b.folder, "%s", folder);
    if (!weir_loop_open(&b.loop, &error)) _exit(1);
    open_sandboxes(&b, WEIR_ISOLATION_AUTO);
    attempt *a = prepare(&b, "echo much >/tmp/x; setsid sleep $0 & exec sleep $0");
    a->argv[3] = word;
    if (!start(a)) _exit(2);
    wait_for(a);
    _exit(3);
}

static void a_killed_engine_leaves_nothing(void **state) {
    bench *b = *state;
    char word[32];
    snprintf(word, sizeof word, "97%d.25", (int)getpid());
    pid_t engine = fork();
    if (engine == 0) killed_engine(b->folder, word);
    for (int i = 0; i < 1000 && processes_with(word) < 2; i++) usleep(5 * 1000);
    assert_int_equal(processes_with(word), 2);
    kill(engine, SIGKILL);
    waitpid(engine, NULL, 0);
    for (int i = 0; i < 1000 && processes_with(word); i++) usleep(5 * 1000);
    assert_int_equal(processes_with(word), 0);
    expect_empty(b->folder);
}

static unsigned lines_of(const char *path) {
    unsigned lines = 0;
    FILE *file = fopen(path, "re");
    for (int byte; file && (byte = fgetc(file)) != EOF;) lines += byte == '\n';
    if (file) fclose(file);
    return lines;
}

static void many_leave_nothing(void **state) {
    enum { ATTEMPTS = 150, AT_ONCE = 6 };
    bench *b = *state;
    attempt *under_way[AT_ONCE] = {NULL};
    unsigned mounts = lines_of("/proc/self/mountinfo"), descriptors = 0;
    for (int i = 0; i < ATTEMPTS + AT_ONCE; i++) {
        attempt **place = &under_way[i % AT_ONCE];
        if (*place) {
            wait_for(*place);
            assert_true((*place)->begun && (*place)->end.exit_code == 0);
            expect_file(*place, "/tmp/out.txt", "text\n");
            drop(*place);
        }
        *place = i < ATTEMPTS ? prepare(b, "mkdir -p /tmp/a/b /d && echo text | tee /tmp/out.txt "
                                           ">/d/file && ln -s /etc /tmp/link")
                              : NULL;
        if (*place) add_output(*place, "/tmp/out.txt");
        if (*place && !start(*place)) fail_msg("%s", (*place)->error.message);
        if (i == ATTEMPTS / 2) descriptors = entries_of("/proc/self/fd");
    }
    assert_true(entries_of("/proc/self/fd") <= descriptors);
    assert_int_equal(lines_of("/proc/self/mountinfo"), mounts);
}

/* --- what it leaves */

static void links_do_not_lead_out(void **state) {
    bench *b = *state;
    char *secret = write_host(b, "secret", "of the host\n", 0644);
    attempt *a = prepare(b, "cd /tmp; ln -s $0 direct; ln -s ../../../../../..$0 up; "
                            "ln -s /proc/1/root$0 magic; ln -s /proc/self/root$0 own; "
                            "ln -s loop loop; mkfifo pipe; mkdir folder; echo mine >folder/file; "
                            "ln -s /tmp/folder/../folder inner; ln -s /etc/hostname etc");
    a->argv[3] = secret;
    add_output(a, "/tmp");
    assert_int_equal(run(a), 0);
    const char *const out[] = {"/tmp/direct", "/tmp/up", "/tmp/magic", "/tmp/own"};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        int fd;
        assert_false(weir_sandbox_open(a->sandbox, out[i], &fd, &a->error));
    }
    expect_closed(a, "/tmp/direct", WEIR_NOT_FOUND);
    expect_closed(a, "/tmp/../../../../var/tmp/secret", WEIR_NOT_FOUND);
    expect_closed(a, "/tmp/pipe", WEIR_INVALID);
    expect_closed(a, "/tmp/loop", WEIR_IO);
    expect_closed(a, "tmp/folder", WEIR_INVALID);
    expect_closed(a, "/tmp/none", WEIR_NOT_FOUND);
    expect_file(a, "/tmp/inner/file", "mine\n");
    expect_file(a, "/../../tmp/folder/file", "mine\n");
    drop(a);
    weir_free(secret);
}

static weir_value *json(const char *text) {
    weir_value *value = NULL;
    weir_error error;
    if (!weir_json_parse(weir_str_from(text), WEIR_STR("test"), &value, &error))
        fail_msg("%s: %s", text, error.message);
    return value;
}

static void expect_collected(const attempt *a, const char *outputs, const char *files) {
    weir_value *wanted = json(outputs), *found = weir_collect(a->sandbox, wanted, NULL);
    weir_buffer text = {0};
    weir_json_format(found, 0, &text);
    assert_string_equal(text.data, files);
    weir_buffer_deinit(&text);
    weir_value_unref(wanted);
    weir_value_unref(found);
}

static void outputs_are_collected(void **state) {
    bench *b = *state;
    attempt *a = prepare(b, "cd /tmp; printf text >t; printf 'a\\000\\377b' >bytes; mkdir d; "
                            "head -c 300000 /dev/zero >large");
    add_output(a, "/tmp");
    assert_int_equal(run(a), 0);
    expect_collected(a,
                     "[{\"name\":\"x\",\"path\":\"/tmp/t\"},{\"name\":\"y\",\"path\":\"/none\"}]",
                     "{\"x\":{\"text\":\"text\"},\"y\":{\"missing\":true}}");
    expect_collected(a, "[{\"name\":\"x\",\"path\":\"/tmp/bytes\"}]",
                     "{\"x\":{\"text\":\"a\xef\xbf\xbd\xef\xbf\xbd"
                     "b\"}}");
    expect_collected(a, "[{\"name\":\"x\",\"path\":\"/tmp/large\"}]",
                     "{\"x\":{\"error\":{\"code\":\"limit_exceeded\",\"message\":\"`/tmp/large` is "
                     "larger than 262144 bytes\"}}}");
    expect_collected(a, "[{\"name\":\"x\",\"path\":\"/tmp/d\"}]",
                     "{\"x\":{\"error\":{\"code\":\"invalid\",\"message\":\"`/tmp/d` is a folder, "
                     "not a file\"}}}");
    drop(a);
}

static void a_root_that_stays(void **state) {
    bench *b = *state;
    char root[128];
    snprintf(root, sizeof root, "%s/kept", b->host);
    for (int i = 0; i < 2; i++) {
        attempt *a = prepare(b, i ? "cat /file /tmp/other" : "echo 1 >/file; echo 2 >/tmp/other");
        a->spec.root = root;
        assert_int_equal(run(a), 0);
        expect_said(a, i ? "1\n2\n" : "");
        drop(a);
    }
    expect(b, "ls /tmp; ls /file 2>/dev/null; true", "");
}

static void visitor(const char *folder, const char *root) {
    bench b = {0};
    weir_error error;
    weir_process_end end;
    snprintf(b.folder, sizeof b.folder, "%s", folder);
    if (!weir_loop_open(&b.loop, &error)) _exit(1);
    open_sandboxes(&b, WEIR_ISOLATION_AUTO);
    attempt *a = prepare(&b, "test -t 0 && read x && echo got $x && cat /tmp/left && exit 6");
    a->spec.root = root;
    if (!weir_sandbox_visit(b.sandboxes, b.loop, &a->spec, &end, &error)) _exit(2);
    /* Whoever is not in the foreground is stopped when it changes its terminal. */
    struct termios terminal;
    if (tcgetattr(0, &terminal) < 0 || tcsetattr(0, TCSANOW, &terminal) < 0) _exit(3);
    _exit(end.exit_code);
}

static void a_visit_has_the_terminal(void **state) {
    bench *b = *state;
    char root[128], text[256] = "";
    int terminal, status;
    size_t length = 0;
    snprintf(root, sizeof root, "%s/kept", b->host);
    attempt *a = prepare(b, "echo left >/tmp/left");
    a->spec.root = root;
    assert_int_equal(run(a), 0);
    drop(a);
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    if (pid == 0) visitor(b->folder, root);
    assert_int_equal(write(terminal, "hello\n", 6), 6);
    for (ssize_t count; length < sizeof text - 1;) {
        count = read(terminal, text + length, sizeof text - 1 - length);
        if (count <= 0) break;
        length += (size_t)count;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(terminal);
    assert_non_null(strstr(text, "got hello\r\nleft\r\n"));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 6);
}

static void limits_hold(void **state) {
    bench *b = *state;
    attempt *a = prepare(b, "head -c 200000 /dev/zero >/tmp/x; stat -c %s /tmp/x");
    a->spec.file_bytes_max = 100000;
    run(a);
    assert_non_null(strstr(a->output.data, "100000\n"));
    drop(a);
    a = prepare(b, "x=$(head -c 60000000 /dev/zero | tr '\\000' x); echo ${#x}");
    a->spec.memory_bytes_max = 30 * 1000 * 1000;
    a->spec.cpu_milli = 500;
    assert_int_not_equal(run(a), 0);
    drop(a);
    if (b->warned.length) {
        assert_non_null(strstr(b->warned.data, "a limit of memory counts for each process"));
        assert_non_null(strstr(b->warned.data, "limits of processors are not kept"));
    }
}

static void groups_get_limits(void **state) {
    bench *b = *state;
    weir__groups groups = {0};
    char path[200], text[64] = "";
    char *controllers = write_host(b, "cgroup.controllers", "cpuset cpu io memory\n", 0644);
    char *control = write_host(b, "cgroup.subtree_control", "", 0644);
    /* The kernel makes the files of a group; here they are missing, so there are none. */
    weir__groups_find(&groups, b->host, "/");
    assert_true(groups.looked && !groups.folder && !groups.memory);
    assert_int_equal(read(open(control, O_RDONLY | O_CLOEXEC), text, sizeof text - 1), 12);
    assert_string_equal(text, "+memory +cpu");
    weir_free(controllers);
    weir_free(control);
    snprintf(path, sizeof path, "%s/3", b->host);
    assert_int_equal(mkdir(path, 0700), 0);
    weir_free(write_host(b, "3/memory.max", "", 0644));
    weir_free(write_host(b, "3/cpu.max", "", 0644));
    weir_free(write_host(b, "3/memory.events", "low 0\noom 2\noom_kill 1\n", 0644));
    groups = (weir__groups){.folder = b->host, .memory = true, .cpu = true};
    int fd = weir__group_make(&groups, 3, 5000000, 1500);
    assert_true(fd >= 0 && weir__group_was_full(&groups, 3));
    close(fd);
    strcat(path, "/cpu.max");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(text, 0, sizeof text);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    assert_string_equal(text, "150000 100000");
}

/* --- without isolation */

static void without_isolation(void **state) {
    bench *b = *state;
    weir_sandboxes_free(b->sandboxes, b->loop);
    open_sandboxes(b, WEIR_ISOLATION_NONE);
    char *said = write_host(b, "said", "#!/bin/sh\necho said $*\n", 0755);
    attempt *a = prepare(b, "/argosay 1 && bound 2 && cat /etc/key && echo 3 >/tmp/out.txt && "
                            "echo 4 >relative && sh /script && basename $PWD");
    a->spec.directory = "/mnt/data";
    add_mount(a, "/argosay", said);
    add_mount(a, "/usr/local/bin/bound", said);
    add_mount(a, "/opt/unused", said)->provided = true;
    weir_mount *key = add_mount(a, "/etc/key", "content\n"), *script = add_mount(a, "/script", "");
    key->kind = script->kind = WEIR_MOUNT_CONTENT;
    key->mode = script->mode = 0644;
    script->source = WEIR_STR("cat /etc/key /tmp/out.txt\n");
    script->script = true;
    add_output(a, "/tmp/out.txt");
    add_output(a, "/mnt/data/relative");
    assert_int_equal(run(a), 0);
    expect_said(a, "said 1\nsaid 2\ncontent\ncontent\n3\ndata\n");
    expect_file(a, "/tmp/out.txt", "3\n");
    expect_file(a, "/mnt/data/relative", "4\n");
    expect_closed(a, "/etc/passwd", WEIR_INVALID);
    expect_closed(a, "/mnt/data/../../../etc/passwd", WEIR_IO);
    drop(a);
    /* The command writes elsewhere than weir would look. */
    a = prepare(b, "true");
    add_output(a, "/tmp/out.txt");
    assert_false(start(a));
    assert_int_equal(a->error.code, WEIR_INVALID);
    assert_non_null(strstr(a->error.message, "`/tmp/out.txt` is the host's"));
    drop(a);
    a = prepare(b, "true");
    add_mount(a, "/tmp/../etc/x", "c")->kind = WEIR_MOUNT_CONTENT;
    assert_false(start(a));
    assert_int_equal(a->error.code, WEIR_INVALID);
    drop(a);
    weir_free(said);
}

/* --- as values */

static void images_give_commands_and_files(void **state) {
    (void)state;
    static const char images[] =
        "[{\"pattern\":\"*argosay*\",\"command\":[\"/argosay\"],\"files\":[{\"at\":\"/argosay\","
        "\"host\":\"/h\"}]},{\"pattern\":\"*\",\"command\":[\"/bin/sh\"],\"files\":[{"
        "\"at\":\"/argosay\",\"host\":\"/x\"},{\"at\":\"/c\",\"host\":\"/h\"}]}]";
#define FILE_AT(at, host)                                                                          \
    "{\"at\":\"" at "\",\"host\":\"" host "\",\"read_only\":true,\"provided\":true}"
#define GIVEN FILE_AT("/argosay", "/h") "," FILE_AT("/c", "/h")
    static const struct {
        const char *config, *made;
    } cases[] = {
        {"{\"arguments\":[\"a\"],\"sandbox\":{\"image\":\"x/argosay:v2\",\"mounts\":[{\"at\":\"/"
         "m\"}]}}",
         "{\"arguments\":[\"a\"],\"sandbox\":{\"image\":\"x/argosay:v2\",\"mounts\":[" GIVEN
         ",{\"at\":\"/m\"}]},\"command\":[\"/argosay\",\"a\"]}"},
        {"{\"command\":[\"c\"],\"sandbox\":{\"image\":\"argosay\"}}",
         "{\"command\":[\"c\"],\"sandbox\":{\"image\":\"argosay\",\"mounts\":[" GIVEN "]}}"},
        {"{\"command\":[],\"sandbox\":{\"image\":\"other\"}}",
         "{\"command\":[\"/bin/sh\"],\"sandbox\":{\"image\":\"other\",\"mounts\":[" FILE_AT(
             "/argosay", "/x") "," FILE_AT("/c", "/h") "]}}"},
        {"{\"command\":[\"c\"],\"sandbox\":{}}", "{\"command\":[\"c\"],\"sandbox\":{}}"},
        {"{\"arguments\":[\"c\"],\"sandbox\":{}}",
         "{\"arguments\":[\"c\"],\"sandbox\":{},\"command\":[\"(of the image)\",\"c\"]}"},
        {"{\"arguments\":[\"c\"],\"sandbox\":{\"image\":\"other\",\"executor\":\"container\"}}",
         "{\"arguments\":[\"c\"],\"sandbox\":{\"image\":\"other\",\"executor\":\"container\","
         "\"mounts\":[" FILE_AT("/argosay", "/x") "," FILE_AT(
             "/c", "/h") "]},\"command\":[\"(of the image)\",\"c\"]}"},
    };
    weir_value *known = json(images);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *config = json(cases[i].config), *made = weir_images_apply(known, config);
        weir_buffer text = {0};
        weir_json_format(made, 0, &text);
        assert_string_equal(text.data, cases[i].made);
        weir_buffer_deinit(&text);
        weir_value_unref(config);
        weir_value_unref(made);
    }
    weir_value_unref(known);
}

static void specs_are_read(void **state) {
    bench *b = *state;
    weir_arena arena;
    weir_arena_init(&arena);
    weir_secrets secrets = {0};
    weir_sandbox_spec spec;
    weir_error error;
    char volumes[128], scratch[160], claims[128];
    snprintf(volumes, sizeof volumes, "%s/volumes/RUN", b->host);
    snprintf(scratch, sizeof scratch, "%s/.scratch/0.1", volumes);
    snprintf(claims, sizeof claims, "%s/claims", b->host);
    const weir_sandbox_folders folders = {volumes, scratch, claims};
    assert_true(weir_secrets_add(&secrets, WEIR_STR("key"), WEIR_STR("hidden"), &error));
    weir_value *value = json(
        "{\"image\":\"i\",\"user\":7,\"cpu_milli\":250,\"memory_bytes\":9,\"mounts\":[{\"at\":\"/"
        "v\",\"volume\":\"work\"},{\"at\":\"/s\",\"content\":{\"secret\":\"key\"},\"mode\":256},"
        "{\"at\":\"/h\",\"host\":\"/etc\",\"read_only\":true}],\"outputs\":[{\"name\":\"o\","
        "\"path\":\"/o\"}]}");
    assert_true(weir_sandbox_spec_read(value, &secrets, &folders, &arena, &spec, &error));
    assert_true(spec.has_identity && spec.user == 7 && spec.cpu_milli == 250);
    assert_int_equal(spec.mount_count, 3);
    assert_true(weir_str_ends(spec.mounts[0].source, WEIR_STR("/volumes/RUN/work")));
    assert_true(weir_str_is(spec.mounts[1].source, "hidden") && spec.mounts[1].mode == 0400);
    assert_true(spec.mounts[2].read_only && weir_str_is(spec.outputs[0], "/o"));
    struct stat info;
    assert_true(stat(spec.mounts[0].source.data, &info) == 0 && S_ISDIR(info.st_mode));
    weir_value_unref(value);
    static const char *const wrong[] = {
        "{\"mounts\":[{\"at\":\"/v\",\"volume\":\"../x\"}]}", "{\"mounts\":[{\"at\":\"/v\"}]}",
        "{\"mounts\":[{\"at\":\"/v\",\"content\":{\"secret\":\"n\"}}]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        value = json(wrong[i]);
        assert_false(weir_sandbox_spec_read(value, &secrets, &folders, &arena, &spec, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        weir_value_unref(value);
    }
    weir_secrets_deinit(&secrets);
    weir_arena_deinit(&arena);
}

/* --- by the executor */

typedef struct recorder {
    weir_reporter base;
    weir_value *outcome;
} recorder;

static void record(weir_reporter *base, const weir_report *report) {
    recorder *r = (recorder *)base;
    weir_report taken = *report;
    if (taken.kind == WEIR_REPORT_FINISHED) r->outcome = weir_outcome_to_value(&taken.outcome);
    weir_report_deinit(&taken);
}

static void the_executor_uses_them(void **state) {
    bench *b = *state;
    recorder r = {{record}, NULL};
    weir_logs logs = {0};
    weir_executor *executor = weir_process_executor_open(b->loop, &r.base, &logs, NULL);
    weir_value *images = json("[{\"pattern\":\"*\",\"command\":[\"/bin/sh\"]}]");
    char kept[128], staged[128], volumes[128];
    snprintf(volumes, sizeof volumes, "%s/volumes", b->host);
    snprintf(kept, sizeof kept, "%s/kept", b->host);
    snprintf(staged, sizeof staged, "%s/staged", b->host);
    weir_process_isolate(executor, &(weir_sandboxes_options){.folder = b->folder}, images, volumes,
                         NULL);
    weir_value_unref(images);
    weir_repository *repository = weir_repository_new(&(weir_repository_options){.folder = kept});
    weir_process_artifacts(executor, repository, staged);
    weir_value *config = json(
        "{\"source\":\"echo $HOME; cat /in/a; ls /in; echo more >>/in/a; echo text >/tmp/out; "
        "mkdir /v/made\",\"sandbox\":{\"image\":\"i\",\"mounts\":[{\"at\":\"/v\",\"volume\":"
        "\"work\"}],\"outputs\":[{\"name\":\"p\",\"path\":\"/tmp/"
        "out\"}],\"artifacts\":{\"inputs\":["
        "{\"name\":\"a\",\"path\":\"/in/a\",\"source\":{\"raw\":\"one\\n\"}},{\"name\":\"b\","
        "\"path\":\"/in/b\",\"optional\":true,\"source\":{\"key\":\"none\"}}],\"outputs\":[{"
        "\"name\":\"v\",\"path\":\"/v/\",\"key\":\"r/v\",\"archive\":\"none\"},{\"name\":\"a\","
        "\"path\":\"/in/a\",\"key\":\"r/a\",\"archive\":\"none\"}]}}}");
    weir_task_spec spec = {.kind = WEIR_TASK_WORK, .operation = WEIR_STR("process.run")};
    weir_attempt one = {.id = {.run = "run", .number = 1}, .spec = &spec, .config = config};
    executor->class->start(executor, &one);
    while (!r.outcome) weir_loop_once(b->loop, true);
    weir_buffer text = {0};
    weir_json_format(weir_member_named(r.outcome, "outputs"), 0, &text);
    assert_string_equal(
        text.data,
        "{\"result\":\"/root\\none\\na\",\"exit_code\":0,\"files\":{\"p\":{\"text\":\"text\\n\"}},"
        "\"artifacts\":{\"v\":{\"key\":\"r/v\",\"bytes\":0,\"sha256\":"
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"},\"a\":{\"key\":"
        "\"r/a\",\"bytes\":9,\"sha256\":"
        "\"5f25b257b30cbf6dc567f054c5b9c79732751637ddb2463775344823934b9ff9\"}}}");
    weir_buffer_deinit(&text);
    weir_value_unref(r.outcome);
    weir_process_forget(executor, "run");
    char again[160]; /* a run that begins again finds nothing, whatever is still removed */
    snprintf(again, sizeof again, "%s/run", volumes);
    assert_int_equal(access(again, F_OK), -1);
    executor->class->close(executor);
    expect_empty(volumes);
    weir_repository_free(repository);
    expect_empty(staged);
    weir_value_unref(one.config);
}

/* The same tests as an ordinary user: nothing that root may do can hide what others may not. */
static int run_as_user(const char *program) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setresgid(ORDINARY, ORDINARY, ORDINARY) < 0 ||
            setresuid(ORDINARY, ORDINARY, ORDINARY) < 0)
            _exit(99);
        execl(program, program, (char *)NULL);
        fprintf(stderr, "isolate_test: NOT TESTED as an ordinary user, who may not execute %s\n",
                program);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) < 0) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool can_isolate(void) {
    void *state;
    if (set_up(&state)) return false;
    bench *b = state;
    bool can = weir_sandboxes_isolate(b->sandboxes);
    if (!can) fprintf(stderr, "isolate_test: NOT TESTED: %s\n", b->warned.data);
    return tear_down(&state) == 0 && can;
}

int main(int argc, char **argv) {
    (void)argc;
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest isolated[] = {
        CASE(files_do_not_meet),
        CASE(mounts_are_at_their_paths),
        CASE(folders_of_the_host_are_there_twice),
        CASE(processes_are_its_own),
        CASE(streams_are_connected),
        CASE(directory_and_identity),
        CASE(ends_are_told),
        CASE(what_cannot_begin_says_why),
        CASE(specs_that_are_wrong),
        CASE(what_is_left_behind_ends),
        CASE(signals_are_forwarded),
        CASE(a_killed_engine_leaves_nothing),
        CASE(many_leave_nothing),
        CASE(links_do_not_lead_out),
        CASE(outputs_are_collected),
        CASE(a_root_that_stays),
        CASE(a_visit_has_the_terminal),
        CASE(limits_hold),
        CASE(the_executor_uses_them),
    };
    const struct CMUnitTest anywhere[] = {
        CASE(groups_get_limits),
        CASE(without_isolation),
        CASE(images_give_commands_and_files),
        CASE(specs_are_read),
    };
    int failed = cmocka_run_group_tests(anywhere, NULL, NULL);
    if (can_isolate()) failed += cmocka_run_group_tests(isolated, NULL, NULL);
    if (geteuid() == 0) failed += run_as_user(argv[0]);
    return failed ? 1 : 0;
}
