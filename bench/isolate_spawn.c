/* Runs /bin/true so many times, two at a time: by posix_spawn alone, or in sandboxes.
 *
 * usage: isolate_spawn bare|none|auto COUNT [PATH…]     prints microseconds a process
 *
 * At each PATH of a sandbox /bin/true is bound. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "executor/sandbox.h"
#include "io/loop.h"

enum { AT_ONCE = 2, MOUNTS_MAX = 16 };

static void run_bare(long count) {
    char name[] = "/bin/true", *argv[] = {name, NULL}, *environment[] = {NULL};
    long live = 0;
    for (long i = 0; i < count || live;) {
        pid_t pid;
        if (i < count && live < AT_ONCE) {
            if (posix_spawn(&pid, name, NULL, NULL, argv, environment)) abort();
            i++;
            live++;
        } else if (wait(NULL) > 0) {
            live--;
        }
    }
}

typedef struct bench {
    weir_loop *loop;
    weir_sandboxes *sandboxes;
    long left, live, failed;
    weir_mount mounts[MOUNTS_MAX];
    size_t mount_count;
} bench;

typedef struct attempt {
    bench *bench;
    weir_sandbox *sandbox;
} attempt;

static void ended(void *arg, const weir_process_end *end) {
    attempt *a = arg;
    weir_process_end how = *end;
    weir_error error;
    if (!weir_sandbox_end(a->sandbox, &how, &error) || how.exit_code) a->bench->failed++;
    weir_sandbox_release(a->sandbox);
    a->bench->live--;
    weir_free(a);
}

static void take_output(void *arg, bool error_stream, weir_str bytes) {
    (void)arg;
    fwrite(bytes.data, 1, bytes.length, error_stream ? stderr : stdout);
}

static bool start(bench *b, weir_error *error) {
    static const char *const argv[] = {"/bin/true", NULL}, *const environment[] = {NULL};
    attempt *a = weir_alloc(sizeof *a);
    a->bench = b;
    weir_sandbox_spec spec = {.argv = argv,
                              .environment = environment,
                              .mounts = b->mounts,
                              .mount_count = b->mount_count};
    weir_process_options callbacks = {.output = take_output, .ended = ended, .arg = a};
    weir_process *process;
    b->left--;
    b->live++;
    return weir_sandbox_start(b->sandboxes, b->loop, &spec, &callbacks, &a->sandbox, &process,
                              error);
}

static void warn(void *arg, const char *text) {
    (void)arg;
    fprintf(stderr, "isolate_spawn: %s\n", text);
}

static bool run_sandboxes(long count, weir_isolation isolation, char *const *paths) {
    weir_error error;
    bench b = {.left = count};
    for (; *paths && b.mount_count < MOUNTS_MAX; paths++)
        b.mounts[b.mount_count++] = (weir_mount){
            .at = weir_str_from(*paths), .source = WEIR_STR("/bin/true"), .provided = true};
    if (!weir_loop_open(&b.loop, &error)) return false;
    b.sandboxes =
        weir_sandboxes_new(&(weir_sandboxes_options){.isolation = isolation, .warn = warn});
    bool ok = true;
    while (ok && (b.left || b.live)) {
        while (ok && b.left && b.live < AT_ONCE) ok = start(&b, &error);
        if (ok) weir_loop_once(b.loop, true);
    }
    if (!ok) fprintf(stderr, "isolate_spawn: %s\n", error.message);
    if (!ok) exit(3);
    weir_sandboxes_free(b.sandboxes, b.loop);
    weir_loop_close(b.loop);
    return !b.failed;
}

int main(int argc, char **argv) {
    long count = argc >= 3 ? strtol(argv[2], NULL, 10) : 0;
    if (count < 1) return 2;
    bool bare = strcmp(argv[1], "bare") == 0, none = strcmp(argv[1], "none") == 0;
    bool ok = true;
    uint64_t begun_us = weir_clock_steady_us();
    if (bare)
        run_bare(count);
    else
        ok = run_sandboxes(count, none ? WEIR_ISOLATION_NONE : WEIR_ISOLATION_AUTO, argv + 3);
    uint64_t us = weir_clock_steady_us() - begun_us;
    printf("%.1f\n", (double)us / (double)count);
    return ok ? 0 : 1;
}
