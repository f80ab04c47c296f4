#include "io/users.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "base/pass.h"
#include "io/library.h"
#include "io/users_work.h"

enum {
    FILE_BYTES_MAX = 1024 * 1024,
    NAME_BYTES = 64 * 1024,
    SAID_BYTES = 256,
    HIGH_DESCRIPTOR = 16,
    MAP_BYTES = 256
};

extern char **environ;

/* --- which numbers ------------------------------------------------------------------------------ */

static weir_str take_part(weir_str *rest, const char *mark) {
    size_t at = weir_str_find(*rest, weir_str_from(mark), 0);
    weir_str part = weir_str_slice(*rest, 0, at);
    *rest = at == SIZE_MAX ? WEIR_STR("") : weir_str_slice(*rest, at + 1, rest->length);
    return part;
}

/* "NAME:FIRST:COUNT" of the next line that is one. */
static bool next_range(weir_str *file, weir_str *who, weir__user_range *out) {
    while (file->length) {
        weir_str line = take_part(file, "\n"), first;
        *who = take_part(&line, ":");
        first = take_part(&line, ":");
        if (weir_str_number(first, &out->first) && weir_str_number(line, &out->count) &&
            out->first && out->count && out->count <= UINT32_MAX - out->first)
            return true;
    }
    return false;
}

static bool overlap(weir__user_range a, weir__user_range b) {
    return a.first < b.first + b.count && b.first < a.first + a.count;
}

/* The kernel takes no number twice. */
static bool is_used(weir__user_range range, uint32_t number, const weir__user_range *ranges,
                    size_t count) {
    bool used = overlap(range, (weir__user_range){number, 1});
    for (size_t i = 0; i < count; i++) used = used || overlap(range, ranges[i]);
    return used;
}

uint32_t weir__user_range_free(weir_str file) {
    uint32_t first = 100000;
    weir_str who;
    for (weir__user_range range; next_range(&file, &who, &range);)
        if (range.first + range.count > first) first = range.first + range.count;
    return first;
}

size_t weir__user_ranges(weir_str file, weir_str name, uint32_t number,
                         weir__user_range out[static WEIR_USERS_RANGES_MAX]) {
    size_t found = 0;
    uint32_t all = 0, own;
    weir_str who;
    weir__user_range range;
    while (found < WEIR_USERS_RANGES_MAX && next_range(&file, &who, &range)) {
        bool ours = (name.length && weir_str_equal(who, name)) ||
                    (weir_str_number(who, &own) && own == number);
        if (!ours || is_used(range, number, out, found)) continue;
        if (range.count > WEIR_USERS_COUNT_MAX - all) range.count = WEIR_USERS_COUNT_MAX - all;
        if (!range.count) continue;
        all += range.count;
        out[found++] = range;
    }
    return found;
}

/* Of users, or of groups. */
typedef struct numbers {
    const char *file, *program;
    uint32_t own; /* this user's own */
    weir__user_range ranges[WEIR_USERS_RANGES_MAX];
    size_t count;
} numbers;

static bool slurp(const char *path, weir_buffer *out) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok =
        fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= FILE_BYTES_MAX;
    if (ok) weir_buffer_reserve(out, (size_t)info.st_size);
    ssize_t count = ok ? read(fd, out->data, (size_t)info.st_size) : -1;
    if (fd >= 0) close(fd);
    if (count > 0) out->length = (size_t)count;
    return count >= 0;
}

static bool find_numbers(numbers *n, weir_str name, weir_error *why) {
    weir_buffer text = {0};
    if (slurp(n->file, &text))
        n->count = weir__user_ranges(weir_buffer_str(&text), name, geteuid(), n->ranges);
    uint32_t first = weir__user_range_free(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    if (n->count) return true;
    weir_fail(why, WEIR_NOT_FOUND, "this user has no further numbers in %s", n->file);
    weir_error_hint(
        why,
        "`sudo usermod --add-subuids %u-%u --add-subgids %u-%u %.*s` gives some that no "
        "line has yet; the package uidmap has what uses them",
        first, first + 65535, first, first + 65535, WEIR_ARG(name));
    return false;
}

static weir_str user_name(char bytes[static NAME_BYTES]) {
    struct passwd entry, *found = NULL;
    bool known = getpwuid_r(geteuid(), &entry, bytes, NAME_BYTES, &found) == 0 && found;
    return known ? weir_str_from(entry.pw_name) : WEIR_STR("");
}

/* --- programs ----------------------------------------------------------------------------------- */

/* `given` become its descriptors from 0 on (-1: /dev/null); all others are closed. */
static int spawn(const char *program, char *const *argv, const int *given, int count, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int reason = 0;
    for (int i = 0; i < count && !reason; i++)
        reason = given[i] < 0
                     ? posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0)
                     : posix_spawn_file_actions_adddup2(&actions, given[i], i);
    if (!reason) reason = posix_spawn_file_actions_addclosefrom_np(&actions, count);
    if (!reason) reason = posix_spawnp(pid, program, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return reason;
}

/* Descriptors that become others' must not be among those places. */
static int above_places(int fd) {
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (fd >= 0) close(fd);
    return high;
}

static bool open_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) < 0) return false;
    ends[0] = above_places(ends[0]);
    ends[1] = above_places(ends[1]);
    return ends[0] >= 0 && ends[1] >= 0;
}

/* Its exit code. */
static int await(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* To its end; its exit code, or -1, and the first line that it says. */
static int run(const char *program, char *const *argv, int given[], int count,
               char said[static SAID_BYTES]) {
    int ends[2] = {-1, -1};
    pid_t pid = 0;
    size_t length = 0;
    char none[512];
    *said = '\0';
    int reason = open_pipe(ends) ? 0 : errno;
    given[STDERR_FILENO] = ends[1];
    if (!reason) reason = spawn(program, argv, given, count, &pid);
    if (ends[1] >= 0) close(ends[1]);
    for (ssize_t got = 1; !reason && got;) {
        bool room = length < SAID_BYTES - 1;
        got = room ? read(ends[0], said + length, SAID_BYTES - 1 - length)
                   : read(ends[0], none, sizeof none);
        if (got < 0 && errno != EINTR) break;
        if (got > 0 && room) length += (size_t)got;
    }
    if (ends[0] >= 0) close(ends[0]);
    said[length] = '\0';
    said[strcspn(said, "\n")] = '\0';
    int code = reason ? -1 : await(pid);
    if (code && !*said) snprintf(said, SAID_BYTES, "%s", reason ? strerror(reason) : "it failed");
    return code;
}

enum { PLACES = WEIR__USERS_INTO + 1 };

/* weir-init with what it wants at these places; -1: nothing. The others are the caller's still. */
static int run_init(char *const *argv, const int wanted[PLACES], char said[static SAID_BYTES]) {
    weir_buffer program = {0};
    int given[PLACES], code = -1;
    bool ok = true;
    snprintf(said, SAID_BYTES, "weir-init is not installed");
    for (int i = 0; i < PLACES; i++) {
        given[i] = wanted[i] < 0 ? -1 : fcntl(wanted[i], F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
        if (wanted[i] < 0 || given[i] >= 0) continue;
        snprintf(said, SAID_BYTES, "%s", strerror(errno));
        ok = false;
    }
    if (ok && weir_library_program("weir-init", &program))
        code = run(program.data, argv, given, PLACES, said);
    for (int i = 0; i < PLACES; i++)
        if (i != STDERR_FILENO && given[i] >= 0) close(given[i]);
    weir_buffer_deinit(&program);
    return code;
}

/* --- the namespace ------------------------------------------------------------------------------ */

enum { MAP_WORDS_MAX = 2 + 3 * (WEIR_USERS_RANGES_MAX + 1) };

/* newuidmap PID 0 OWN 1 1 FIRST COUNT … */
static bool map(const numbers *n, pid_t pid, weir_error *why) {
    char words[MAP_WORDS_MAX][16], *argv[MAP_WORDS_MAX + 1], said[SAID_BYTES];
    uint32_t next = 0;
    size_t count = 0;
    snprintf(words[count++], sizeof *words, "%s", n->program);
    snprintf(words[count++], sizeof *words, "%d", (int)pid);
    for (size_t i = 0; i <= n->count; i++) {
        const weir__user_range *range = i ? &n->ranges[i - 1] : &(weir__user_range){n->own, 1};
        snprintf(words[count++], sizeof *words, "%u", next);
        snprintf(words[count++], sizeof *words, "%u", range->first);
        snprintf(words[count++], sizeof *words, "%u", range->count);
        next += range->count;
    }
    for (size_t i = 0; i < count; i++) argv[i] = words[i];
    argv[count] = NULL;
    int given[3] = {-1, -1, -1};
    if (run(n->program, argv, given, 3, said) == 0) return true;
    weir_fail(why, WEIR_NOT_FOUND, "the numbers in %s cannot be used: %s: %s", n->file, n->program,
              said);
    weir_error_hint(why,
                    "the package uidmap brings %s along, which must have its set-user-id bit; and "
                    "the current group must be the user's own",
                    n->program);
    return false;
}

/* A process in a new namespace, that stays until it is told to go; -1: there is none. */
static pid_t start_holder(int *go, weir_error *why) {
    char name[] = "weir-init", users[] = "users", *argv[] = {name, users, NULL}, ready = 0;
    weir_buffer program = {0};
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    pid_t pid = -1;
    bool found = weir_library_program("weir-init", &program);
    int reason = !found ? ENOENT : open_pipe(in) && open_pipe(out) ? 0 : errno;
    if (!reason) reason = spawn(program.data, argv, (const int[]){in[0], out[1], -1}, 3, &pid);
    if (in[0] >= 0) close(in[0]);
    if (out[1] >= 0) close(out[1]);
    *go = in[1];
    bool ok = !reason && read(out[0], &ready, 1) == 1;
    if (out[0] >= 0) close(out[0]);
    weir_buffer_deinit(&program);
    if (ok) return pid;
    weir_fail(why, WEIR_UNSUPPORTED, "no user namespace: %s",
              !found   ? "weir-init is not installed"
              : reason ? strerror(reason)
                       : "the system refuses it");
    if (*go >= 0) close(*go);
    if (pid > 0) (void)await(pid);
    return -1;
}

static void note_key(const numbers both[2], weir_users *out) {
    uint64_t hash = weir_hash(&(uint32_t[]){both[0].own, both[1].own}, 2 * sizeof(uint32_t));
    for (int i = 0; i < 2; i++)
        hash = hash * 31 + weir_hash(both[i].ranges, both[i].count * sizeof *both[i].ranges);
    snprintf(out->key, sizeof out->key, "%016llx", (unsigned long long)hash);
}

static void make_space(const numbers both[2], weir_users *out) {
    int go = -1;
    pid_t pid = start_holder(&go, &out->why);
    if (pid < 0) return;
    char path[48];
    if (map(&both[0], pid, &out->why) && map(&both[1], pid, &out->why)) {
        snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
        out->space = above_places(open(path, O_RDONLY | O_CLOEXEC));
        if (out->space < 0)
            weir_fail(&out->why, WEIR_IO, "%s cannot be opened: %s", path, strerror(errno));
    }
    close(go);
    (void)await(pid);
    if (out->space < 0) return;
    uint32_t *const counts[2] = {&out->users, &out->groups};
    for (int i = 0; i < 2; i++) {
        *counts[i] = 1;
        for (size_t k = 0; k < both[i].count; k++) *counts[i] += both[i].ranges[k].count;
    }
    note_key(both, out);
}

static weir_users found = {.space = -1};

/* Not in a user namespace of few. */
static bool is_everybody(void) {
    weir_buffer map = {0};
    weir_buffer_reserve(&map, MAP_BYTES);
    int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, map.data, MAP_BYTES) : -1;
    if (fd >= 0) close(fd);
    if (count > 0) map.data[count] = '\0';
    char *at = count > 0 ? map.data : NULL;
    bool all = at && strtoul(at, &at, 10) == 0 && strtoul(at, &at, 10) == 0 &&
               strtoul(at, &at, 10) == UINT32_MAX;
    weir_buffer_deinit(&map);
    return all;
}

static void find(void) {
    char bytes[NAME_BYTES];
    numbers both[2] = {{.file = "/etc/subuid", .program = "newuidmap", .own = geteuid()},
                       {.file = "/etc/subgid", .program = "newgidmap", .own = getegid()}};
    if (geteuid() == 0 && is_everybody()) return;
    if (geteuid() == 0) {
        weir_fail(&found.why, WEIR_UNSUPPORTED,
                  "this is root of a container, whose other users are not had");
        weir_error_hint(&found.why, "outside of it they are");
        return;
    }
    weir_str name = user_name(bytes);
    if (find_numbers(&both[0], name, &found.why) && find_numbers(&both[1], name, &found.why))
        make_space(both, &found);
}

const weir_users *weir_users_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find);
    return &found;
}

/* --- work for them ------------------------------------------------------------------------------ */

bool weir_users_give(int folder, int list, weir_error *error) {
    char name[] = "weir-init", give[] = "give", *argv[] = {name, give, NULL}, said[SAID_BYTES];
    const int wanted[PLACES] = {list, -1, -1, weir_users_get()->space, folder, -1};
    bool ok = lseek(list, 0, SEEK_SET) == 0;
    if (!ok) snprintf(said, sizeof said, "%s", strerror(errno));
    if (ok && run_init(argv, wanted, said) == 0) return true;
    weir_fail(error, WEIR_IO, "files cannot be given to their owners: %s", said);
    weir_error_hint(error, "a file system of a network may know none but this user: WEIR_IMAGES "
                           "names another folder");
    return false;
}

/* What weir-init sent; -1: nothing. */
static int take_file(int socket) {
    char nothing;
    int fd;
    return weir__pass_take(socket, &fd, &nothing, sizeof nothing) > 0 ? fd : -1;
}

bool weir_users_open(int folder, const char *path, int into, int *out, weir_error *error) {
    char name[] = "weir-init", show[] = "show", said[SAID_BYTES];
    char *argv[] = {name, show, (char *)(uintptr_t)path, NULL};
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return weir_fail(error, WEIR_IO, "`%s` cannot be read: %s", path, strerror(errno));
    const int wanted[PLACES] = {-1, ends[1], -1, weir_users_get()->space, folder, into};
    int code = run_init(argv, wanted, said);
    *out = code == 0 ? take_file(ends[0]) : -1;
    close(ends[0]);
    close(ends[1]);
    return code == 0 || weir_fail(error, code == WEIR__USERS_ABSENT ? WEIR_NOT_FOUND : WEIR_IO,
                                  "`%s` cannot be read: %s", path, said);
}

bool weir_users_remove(const char *folder) {
    char name[] = "weir-init", remove[] = "remove", said[SAID_BYTES];
    char *argv[] = {name, remove, (char *)(uintptr_t)folder, NULL};
    const int wanted[PLACES] = {-1, -1, -1, weir_users_get()->space, -1, -1};
    return weir_users_get()->space >= 0 && run_init(argv, wanted, said) == 0;
}
