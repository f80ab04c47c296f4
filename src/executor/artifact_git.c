/* Inputs from git, by the program of that name.
 *
 *   git: {repo, revision?, branch?, single_branch?, depth?, fetch?: [refspec], disable_submodules?, insecure_skip_tls?,
 *         insecure_ignore_host_key?, username?, password?, ssh_private_key?}
 *
 * A password and a key are texts or {secret: NAME}; they go to git by its environment and a file of this user's alone. Only file, git, http(s)
 * and ssh are spoken, hooks do not run, and submodules come from a local repository only when that is where they are named. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "executor/artifacts_internal.h"

enum { WORDS_MAX = 64, SAID_BYTES_MAX = 4096, LOOK_MS = 50 };

typedef struct cloning {
    const weir__getting *g;
    const weir_value *git;
    weir_arena arena;
    weir_buffer tree, key; /* paths of what is cloned, and of the SSH key */
    const char *repo, *revision;
    const char *environment[WORDS_MAX + 1];
    size_t variables;
    weir_buffer said; /* by the last program */
} cloning;

static bool flag(const cloning *c, const char *key) {
    const weir_value *value = weir_member_named(c->git, key);
    return weir_is(value, WEIR_BOOL) && weir_bool_get(value);
}

static const char *text_of(cloning *c, const char *key, bool *ok) {
    weir_str text = {0};
    *ok = *ok && weir__getting_text(c->g, c->git, key, &text);
    return text.length ? weir_str_copy(&c->arena, text) : NULL;
}

/* --- running it ----------------------------------------------------------------------------- */

static void set_variable(cloning *c, const char *name, const char *value) {
    weir_buffer text = {0};
    weir_assert(c->variables < WORDS_MAX);
    weir_buffer_printf(&text, "%s=%s", name, value);
    c->environment[c->variables++] = weir_str_copy(&c->arena, weir_buffer_str(&text));
    c->environment[c->variables] = NULL;
    weir_buffer_deinit(&text);
}

static bool is_cancelled(const cloning *c) {
    return c->g->cancelled && atomic_load(c->g->cancelled);
}

/* What it says until it ends: the last of it is kept. */
static void listen_to(cloning *c, int fd, pid_t pid) {
    char bytes[4096];
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    for (;;) {
        if (is_cancelled(c)) kill(-pid, SIGKILL);
        if (poll(&wanted, 1, LOOK_MS) <= 0) continue;
        ssize_t count = read(fd, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        weir_buffer_append(&c->said, bytes, (size_t)count);
        if (c->said.length <= 2 * SAID_BYTES_MAX) continue;
        c->said.length -= SAID_BYTES_MAX;
        memmove(c->said.data, c->said.data + SAID_BYTES_MAX, c->said.length);
    }
}

static int spawn(const cloning *c, const char *const *argv, int output, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    int reason = posix_spawnp(pid, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv,
                              (char *const *)(uintptr_t)c->environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return reason;
}

/* Its exit code; -1: it could not be run, or was ended, and the error says so. */
static int run_git(cloning *c, const char *const *argv) {
    int ends[2], status = 0;
    pid_t pid;
    weir_error *error = c->g->error;
    weir_buffer_clear(&c->said);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        (void)weir_fail(error, WEIR_IO, "git cannot be run: %s", strerror(errno));
        return -1;
    }
    int reason = spawn(c, argv, ends[1], &pid);
    close(ends[1]);
    if (!reason) {
        listen_to(c, ends[0], pid);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    }
    close(ends[0]);
    if (reason == ENOENT) {
        weir_fail(error, WEIR_NOT_FOUND, "the program git is not there");
        weir_error_hint(error, "install it: it fetches artifacts of the kind `git`");
        error->code = WEIR_UNSUPPORTED; /* an optional artifact is no reason to go on without it */
    } else if (reason) {
        (void)weir_fail(error, WEIR_IO, "git cannot be run: %s", strerror(reason));
    } else if (is_cancelled(c)) {
        (void)weir_fail(error, WEIR_CANCELLED, "it was told to end");
    } else {
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return -1;
}

/* The first line that is an error, without secrets. */
static bool failed(cloning *c, const char *doing) {
    weir_secrets_mask(c->g->artifacts->secrets, &c->said);
    weir_str text = weir_str_trim(weir_buffer_str(&c->said)), line = text;
    for (size_t at = 0; at < text.length && line.length == text.length;) {
        size_t end = weir_str_find(text, WEIR_STR("\n"), at);
        weir_str next = weir_str_slice(text, at, end);
        if (weir_str_starts(next, WEIR_STR("fatal: ")) ||
            weir_str_starts(next, WEIR_STR("error: ")))
            line = weir_str_slice(next, sizeof "fatal: " - 1, next.length);
        at = end == SIZE_MAX ? text.length : end + 1;
    }
    return weir_fail(c->g->error, WEIR_IO, "failed to %s: %.300s", doing,
                     weir_str_copy(&c->arena, line));
}

/* Words behind `git -C TREE`, until NULL. */
static bool in_tree(cloning *c, const char *doing, const char *const *words) {
    const char *argv[WORDS_MAX + 4] = {"git", "-C", c->tree.data};
    size_t count = 3;
    while (*words && count < WORDS_MAX) argv[count++] = *words++;
    int code = run_git(c, argv);
    return code == 0 || (code > 0 && failed(c, doing));
}

/* --- what it runs with ---------------------------------------------------------------------- */

static bool is_local(const char *repo) {
    return *repo == '/' || strncmp(repo, "file://", 7) == 0;
}

/* Settings by the environment, which nobody else sees: GIT_CONFIG_KEY_n. */
static void add_settings(cloning *c, const char *user, const char *password) {
    static const char helper[] =
        "!f() { echo \"username=$WEIR_GIT_USER\"; echo \"password=$WEIR_GIT_PASSWORD\"; }; f";
    const char *const pairs[][2] = {{"core.hooksPath", "/dev/null"},
                                    {"advice.detachedHead", "false"},
                                    {"gc.auto", "0"},
                                    {is_local(c->repo) ? "protocol.file.allow" : NULL, "always"},
                                    {user ? "credential.helper" : NULL, ""},
                                    {user ? "credential.helper" : NULL, helper}};
    unsigned count = 0;
    char name[32], number[16];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!pairs[i][0]) continue;
        snprintf(name, sizeof name, "GIT_CONFIG_KEY_%u", count);
        set_variable(c, name, pairs[i][0]);
        snprintf(name, sizeof name, "GIT_CONFIG_VALUE_%u", count++);
        set_variable(c, name, pairs[i][1]);
    }
    snprintf(number, sizeof number, "%u", count);
    set_variable(c, "GIT_CONFIG_COUNT", number);
    if (!user) return;
    set_variable(c, "WEIR_GIT_USER", user);
    set_variable(c, "WEIR_GIT_PASSWORD", password ? password : "");
}

static bool add_ssh(cloning *c, const char *key) {
    weir_buffer command = {0};
    weir_buffer_text(&command, "ssh -o BatchMode=yes -o ConnectTimeout=30");
    if (flag(c, "insecure_ignore_host_key"))
        weir_buffer_text(&command, " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null");
    bool ok = true;
    if (key) {
        weir_buffer_printf(&c->key, "%s/%s.key", c->g->path, c->g->name);
        int fd = open(c->key.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        weir_str text = weir_str_from(key);
        ok = fd >= 0 && weir_descriptor_write(fd, text) &&
             (weir_str_ends(text, WEIR_STR("\n")) || weir_descriptor_write(fd, WEIR_STR("\n")));
        if (fd >= 0) close(fd);
        if (!ok) weir_fail(c->g->error, WEIR_IO, "the key cannot be written: %s", strerror(errno));
        weir_buffer_printf(&command, " -o IdentitiesOnly=yes -i '%s'", c->key.data);
    }
    set_variable(c, "GIT_SSH_COMMAND", command.data);
    weir_buffer_deinit(&command);
    return ok;
}

static bool make_environment(cloning *c) {
    static const char *const passed[] = {"PATH",        "HOME",       "SSH_AUTH_SOCK",
                                         "TMPDIR",      "http_proxy", "https_proxy",
                                         "HTTPS_PROXY", "no_proxy",   "SSL_CERT_FILE"};
    bool ok = true;
    const char *user = text_of(c, "username", &ok), *password = text_of(c, "password", &ok);
    const char *key = text_of(c, "ssh_private_key", &ok);
    if (!ok) return false;
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (getenv(passed[i])) set_variable(c, passed[i], getenv(passed[i]));
    set_variable(c, "LC_ALL", "C");
    set_variable(c, "GIT_TERMINAL_PROMPT", "0");
    set_variable(c, "GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
    if (flag(c, "insecure_skip_tls")) set_variable(c, "GIT_SSL_NO_VERIFY", "1");
    add_settings(c, user ? user : password ? "" : NULL, password);
    return add_ssh(c, key);
}

/* --- what it does --------------------------------------------------------------------------- */

/* What git would take for an option, or for something that leads it elsewhere. */
static bool check_word(const cloning *c, const char *word, const char *what) {
    bool good = !word || (*word != '-' && !strpbrk(word, "\n\r"));
    return good || weir_fail(c->g->error, WEIR_INVALID, "`%.100s` is no %s", word, what);
}

static bool clone_tree(cloning *c, const char *branch, const char *depth) {
    const char *argv[WORDS_MAX] = {"git",         "clone",         "--quiet",
                                   "--template=", "--no-checkout", "--no-hardlinks"};
    size_t count = 6;
    if (depth) {
        argv[count++] = "--depth";
        argv[count++] = depth;
    }
    if (depth && !flag(c, "single_branch")) argv[count++] = "--no-single-branch";
    if (flag(c, "single_branch")) argv[count++] = "--single-branch";
    if (branch) {
        argv[count++] = "--branch";
        argv[count++] = branch;
    }
    argv[count++] = "--";
    argv[count++] = c->repo;
    argv[count] = c->tree.data;
    int code = run_git(c, argv);
    return code == 0 || (code > 0 && failed(c, "clone"));
}

static bool fetch_more(cloning *c, const char *depth) {
    const weir_value *list = weir_member_named(c->git, "fetch");
    const char *words[WORDS_MAX] = {"fetch", "--quiet", "--update-head-ok"};
    size_t count = 3, all = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
    if (!all) return true;
    if (depth) words[count++] = "--depth";
    if (depth) words[count++] = depth;
    words[count++] = "origin";
    for (size_t i = 0; i < all && count < WORDS_MAX - 8; i++) {
        const weir_value *item = weir_array_at(list, i);
        const char *spec =
            weir_is(item, WEIR_STRING) ? weir_str_copy(&c->arena, weir_string_get(item)) : "-";
        if (!check_word(c, spec, "refspec")) return false;
        words[count++] = spec;
    }
    words[count] = NULL;
    return in_tree(c, "fetch", words);
}

static int resolve(cloning *c, const char *prefix) {
    weir_buffer name = {0};
    weir_buffer_printf(&name, "%s%s^{commit}", prefix, c->revision);
    const char *argv[] = {"git",
                          "-C",
                          c->tree.data,
                          "rev-parse",
                          "--quiet",
                          "--verify",
                          weir_str_copy(&c->arena, weir_buffer_str(&name)),
                          NULL};
    weir_buffer_deinit(&name);
    return run_git(c, argv);
}

/* A branch of the origin's, a tag or a commit; of one that a clone which is not deep lacks it is asked for. */
static bool find_revision(cloning *c, const char *depth) {
    static const char *const prefixes[] = {"refs/remotes/origin/", ""};
    for (size_t i = 0; i < 2; i++) {
        int code = resolve(c, prefixes[i]);
        if (code < 0) return false;
        if (code) continue;
        c->revision = weir_str_copy(&c->arena, weir_str_trim(weir_buffer_str(&c->said)));
        return true;
    }
    const char *words[] = {"fetch",  "--quiet",   "--depth", depth ? depth : "1",
                           "origin", c->revision, NULL};
    c->g->error->code = WEIR_OK;
    if (depth && in_tree(c, "fetch", words)) {
        c->revision = "FETCH_HEAD";
        return true;
    }
    if (c->g->error->code == WEIR_CANCELLED) return false;
    return weir_fail(c->g->error, WEIR_IO, "failed to get resolve revision: reference not found");
}

static bool check_out(cloning *c) {
    const char *head[] = {"checkout", "--quiet", "--force", NULL};
    const char *one[] = {"checkout", "--quiet", "--force", "--detach", c->revision, NULL};
    const char *modules[] = {"submodule", "--quiet", "update", "--init", "--recursive", NULL};
    const char *empty[] = {"rev-parse", "--quiet", "--verify", "HEAD", NULL};
    bool ok;
    if (!c->revision && !in_tree(c, "look", empty)) { /* nothing was ever committed */
        c->g->error->code = WEIR_OK;
        return !is_cancelled(c);
    }
    ok = in_tree(c, "checkout", c->revision ? one : head);
    return ok && (flag(c, "disable_submodules") || in_tree(c, "update submodules", modules));
}

static bool get_tree(cloning *c) {
    bool ok = true;
    char digits[24];
    uint64_t deep = weir_member_count(c->git, "depth");
    const char *branch = text_of(c, "branch", &ok), *depth = deep ? digits : NULL;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)deep);
    c->repo = text_of(c, "repo", &ok);
    c->revision = text_of(c, "revision", &ok);
    if (ok && !c->repo) ok = weir_fail(c->g->error, WEIR_INVALID, "git has no repo");
    return ok && check_word(c, c->repo, "repository") && check_word(c, branch, "branch") &&
           check_word(c, c->revision, "revision") && make_environment(c) &&
           clone_tree(c, branch, depth) && fetch_more(c, depth) &&
           (!c->revision || find_revision(c, depth)) && check_out(c);
}

bool weir__git_get(const weir__getting *g, const weir_value *git, weir_str part) {
    cloning c = {.g = g, .git = git};
    weir_buffer_printf(&c.tree, "%s/%s", g->path, g->temporary);
    bool ok = get_tree(&c);
    if (ok)
        ok = weir_artifact_part(weir_repository_limits(g->artifacts->repository), g->folder,
                                g->temporary, part, g->name, g->cancelled, g->error);
    if (c.key.length) unlink(c.key.data);
    weir_buffer_deinit(&c.tree);
    weir_buffer_deinit(&c.key);
    weir_buffer_deinit(&c.said);
    weir_arena_deinit(&c.arena);
    return ok;
}
