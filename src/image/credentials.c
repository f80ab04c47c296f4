#include "image/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/descriptor.h"
#include "data/json.h"

enum {
    FILE_BYTES_MAX = 1024 * 1024,
    ANSWER_BYTES_MAX = 64 * 1024,
    LOOK_MS = 40, /* whether it goes on */
};

/* As docker's files and programs call it. */
static const char docker_hub[] = "https://index.docker.io/v1/";

/* --- one file --------------------------------------------------------------------------------- */

static void set_text(char **place, weir_str text) {
    weir_free(*place);
    *place = text.length ? weir_str_dup(text) : NULL;
}

void weir__credentials_deinit(weir__credentials *credentials) {
    char *const secrets[] = {credentials->user, credentials->password, credentials->identity};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (secrets[i]) explicit_bzero(secrets[i], strlen(secrets[i]));
        weir_free(secrets[i]);
    }
    *credentials = (weir__credentials){0};
}

static void mask_text(char *text, const char *secret) {
    size_t length = secret ? strlen(secret) : 0;
    if (length < 4) return; /* a secret that says nothing when it is found */
    for (char *at = text; (at = strstr(at, secret)); at += length) memset(at, '*', length);
}

void weir__credentials_mask(const weir__credentials *credentials, char *text) {
    mask_text(text, credentials->password);
    mask_text(text, credentials->identity);
}

/* An identity token is kept as the password of a user of this name. */
static void settle(weir__credentials *out) {
    if (!out->user || strcmp(out->user, "<token>") != 0) return;
    if (out->password) {
        weir_free(out->identity);
        out->identity = out->password;
        out->password = NULL;
    }
    set_text(&out->user, (weir_str){0});
}

static bool is_known(const weir__credentials *c) {
    return c->identity || (c->user && c->password);
}

static bool take_entry(const weir_value *entry, weir__credentials *out) {
    weir_buffer both = {0};
    weir_str auth = weir_member_text(entry, "auth");
    if (auth.length && weir_base64_read(auth, &both) && both.length) {
        weir_str text = weir_buffer_str(&both);
        while (text.length && text.data[text.length - 1] == '\0') text.length--;
        size_t colon = weir_str_find(text, WEIR_STR(":"), 0);
        if (colon != SIZE_MAX) {
            set_text(&out->user, weir_str_slice(text, 0, colon));
            set_text(&out->password, weir_str_slice(text, colon + 1, text.length));
        }
    }
    if (both.data) explicit_bzero(both.data, both.length);
    weir_buffer_deinit(&both);
    if (weir_member_text(entry, "username").length)
        set_text(&out->user, weir_member_text(entry, "username"));
    if (weir_member_text(entry, "password").length)
        set_text(&out->password, weir_member_text(entry, "password"));
    if (weir_member_text(entry, "identitytoken").length)
        set_text(&out->identity, weir_member_text(entry, "identitytoken"));
    settle(out);
    return is_known(out);
}

static bool is_docker_hub(weir_str host) {
    return weir_str_is(host, "docker.io") || weir_str_is(host, "index.docker.io") ||
           weir_str_is(host, "registry-1.docker.io");
}

/* What a key names: HOST or HOST/PATH. docker writes whole URLs, whose path says nothing. */
static weir_str key_of(weir_str key) {
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < 2; i++) {
        weir_str scheme = weir_str_from(schemes[i]);
        if (!weir_str_starts(key, scheme)) continue;
        key = weir_str_slice(key, scheme.length, key.length);
        size_t slash = weir_str_find(key, WEIR_STR("/"), 0);
        key = weir_str_slice(key, 0, slash);
    }
    while (key.length && key.data[key.length - 1] == '/') key.length--;
    size_t slash = weir_str_find(key, WEIR_STR("/"), 0);
    weir_str rest = weir_str_slice(key, slash, key.length);
    if (weir_str_is(rest, "/v1") || weir_str_is(rest, "/v2")) key = weir_str_slice(key, 0, slash);
    return key;
}

/* How much of the name the key says; 0: it is of another registry or folder. */
static size_t fits(weir_str key, weir_str registry, weir_str repository) {
    key = key_of(key);
    size_t slash = weir_str_find(key, WEIR_STR("/"), 0);
    weir_str host = weir_str_slice(key, 0, slash), path = {0};
    if (slash != SIZE_MAX) path = weir_str_slice(key, slash + 1, key.length);
    if (!weir_str_equal(host, registry) && !(is_docker_hub(host) && is_docker_hub(registry)))
        return 0;
    bool within =
        !path.length || (weir_str_starts(repository, path) &&
                         (repository.length == path.length || repository.data[path.length] == '/'));
    return within ? 1 + path.length : 0;
}

static bool is_helper_name(weir_str name) {
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' ||
                     c == '_' || (c == '.' && i > 0);
        if (!plain) return false;
    }
    return name.length && name.length < WEIR__HELPER_MAX;
}

/* The member whose key says most of the name. */
static const weir_value *best_of(const weir_value *object, const char *registry,
                                 const char *repository) {
    const weir_value *best = NULL;
    size_t most = 0;
    if (!weir_is(object, WEIR_OBJECT)) return NULL;
    for (size_t i = 0; i < weir_value_count(object); i++) {
        size_t said =
            fits(weir_object_key(object, i), weir_str_from(registry), weir_str_from(repository));
        if (said <= most) continue;
        most = said;
        best = weir_object_at(object, i);
    }
    return best;
}

bool weir__credentials_read(const weir_value *file, const char *registry, const char *repository,
                            weir__credentials *out, char helper[static WEIR__HELPER_MAX]) {
    const weir_value *of = best_of(weir_member_named(file, "credHelpers"), registry, repository);
    weir_str name = weir_is(of, WEIR_STRING) ? weir_string_get(of) : (weir_str){0};
    *helper = '\0';
    if (!name.length) {
        const weir_value *entry = best_of(weir_member_named(file, "auths"), registry, repository);
        if (weir_is(entry, WEIR_OBJECT) && take_entry(entry, out)) return true;
        name = weir_member_text(file, "credsStore");
    }
    if (!name.length) return false;
    if (!is_helper_name(name)) {
        snprintf(out->note, sizeof out->note,
                 "the name of a credential helper has letters, digits, '-', '_' and '.'");
        return false;
    }
    snprintf(helper, WEIR__HELPER_MAX, "%.*s", WEIR_ARG(name));
    return true;
}

bool weir__credentials_of_helper(weir_str answer, weir__credentials *out) {
    weir_value *value = NULL;
    weir_error error;
    if (!weir_json_parse(answer, WEIR_STR("its answer"), &value, &error)) return false;
    set_text(&out->user, weir_member_text(value, "Username"));
    set_text(&out->password, weir_member_text(value, "Secret"));
    settle(out);
    weir_value_unref(value);
    return is_known(out);
}

/* --- programs --------------------------------------------------------------------------------- */

typedef struct helper_run {
    pid_t pid;
    int out; /* what it writes */
    weir_buffer answer;
    const char *problem;
    bool (*goes_on)(void *arg);
    void *arg;
} helper_run;

extern char **environ;

/* It leads a group, which ends with it. What it writes to standard error nobody sees: it may have secrets. */
static bool start_helper(helper_run *run, const char *program, const int in[2], const int out[2]) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "get", NULL};
    int reason = posix_spawnp(&run->pid, program, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (reason) run->problem = reason == ENOENT ? "is not installed" : "does not start";
    return reason == 0;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void read_answer(helper_run *run) {
    int64_t end_ms = now_ms() + WEIR__HELPER_SECONDS * 1000;
    char bytes[4096];
    for (;;) {
        if (run->goes_on && !run->goes_on(run->arg)) run->problem = "was told to end";
        if (now_ms() > end_ms) run->problem = "does not answer";
        if (run->answer.length > ANSWER_BYTES_MAX) run->problem = "answers more than it may";
        if (run->problem) return;
        struct pollfd wait = {.fd = run->out, .events = POLLIN};
        if (poll(&wait, 1, LOOK_MS) <= 0) continue;
        ssize_t got = read(run->out, bytes, sizeof bytes);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return;
        if (got > 0) weir_buffer_append(&run->answer, bytes, (size_t)got);
    }
}

static void end_helper(helper_run *run) {
    int status = 0;
    if (run->problem) kill(-run->pid, SIGKILL);
    /* One that has closed its output ends at once; others are not waited for. */
    for (int waited = 0; waitpid(run->pid, &status, WNOHANG) == 0; waited++) {
        if (waited == 200) kill(-run->pid, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    if (!run->problem && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        run->problem = weir_str_find(weir_buffer_str(&run->answer),
                                     WEIR_STR("credentials not found"), 0) != SIZE_MAX
                           ? ""
                           : "failed";
}

/* The registry's name on standard input, JSON on standard output. */
static bool talk(helper_run *run, const char *program, const char *asked) {
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
        run->problem = "does not start";
    } else if (start_helper(run, program, in, out)) {
        close(out[1]);
        out[1] = -1;
        run->out = out[0];
        /* Few bytes always fit into a pipe, and both ends are open here: this neither waits nor fails. */
        (void)!weir_descriptor_write(in[1], weir_str_from(asked));
        close(in[1]);
        in[1] = -1;
        read_answer(run);
        end_helper(run);
    }
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0) close(in[i]);
        if (out[i] >= 0) close(out[i]);
    }
    return !run->problem;
}

static bool ask_helper(const char *helper, const char *registry, bool (*goes_on)(void *arg),
                       void *arg, weir__credentials *out) {
    char program[32 + WEIR__HELPER_MAX];
    snprintf(program, sizeof program, "docker-credential-%s", helper);
    helper_run run = {.goes_on = goes_on, .arg = arg};
    bool known =
        talk(&run, program, is_docker_hub(weir_str_from(registry)) ? docker_hub : registry);
    if (known && !weir__credentials_of_helper(weir_buffer_str(&run.answer), out)) {
        known = false;
        run.problem = "gave no name and secret";
    }
    if (run.problem && *run.problem)
        snprintf(out->note, sizeof out->note, "%s %s", program, run.problem);
    if (run.answer.data) explicit_bzero(run.answer.data, run.answer.length);
    weir_buffer_deinit(&run.answer);
    return known;
}

/* --- files ------------------------------------------------------------------------------------ */

/* False: there is none, or it cannot be read, which the note says. */
static bool read_file(const char *path, weir_value **file, weir__credentials *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            snprintf(out->note, sizeof out->note, "%.180s: %s", path, strerror(errno));
        return false;
    }
    size_t used = strlen(out->searched);
    snprintf(out->searched + used, sizeof out->searched - used, "%s%s", used ? ", " : "", path);
    weir_buffer text = {0};
    weir_error error;
    ssize_t got = 0;
    do {
        weir_buffer_reserve(&text, 4096);
        got = read(fd, text.data + text.length, 4096);
        if (got > 0) text.length += (size_t)got;
    } while (got > 0 && text.length <= FILE_BYTES_MAX);
    close(fd);
    bool ok =
        got == 0 && weir_json_parse(weir_buffer_str(&text), weir_str_from(path), file, &error);
    if (!ok) /* the parser's message may quote what is in it */
        snprintf(out->note, sizeof out->note, "%.200s is not readable as JSON", path);
    if (text.data) explicit_bzero(text.data, text.length);
    weir_buffer_deinit(&text);
    return ok;
}

static bool look_into(const char *path, const char *registry, const char *repository,
                      bool (*goes_on)(void *arg), void *arg, weir__credentials *out) {
    weir_value *file = NULL;
    char helper[WEIR__HELPER_MAX];
    if (!read_file(path, &file, out)) return false;
    bool known = weir__credentials_read(file, registry, repository, out, helper);
    if (known && *helper) known = ask_helper(helper, registry, goes_on, arg, out);
    weir_value_unref(file);
    return known;
}

static bool look_below(const char *variable, const char *below, const char *registry,
                       const char *repository, bool (*goes_on)(void *arg), void *arg,
                       weir__credentials *out) {
    const char *folder = getenv(variable);
    weir_buffer path = {0};
    if (!folder || !*folder) return false;
    weir_buffer_printf(&path, "%s%s", folder, below);
    bool known = look_into(path.data, registry, repository, goes_on, arg, out);
    weir_buffer_deinit(&path);
    return known;
}

bool weir__credentials_find(const char *registry, const char *repository,
                            bool (*goes_on)(void *arg), void *arg, weir__credentials *out) {
    const char *docker = getenv("DOCKER_CONFIG");
    bool elsewhere = docker && *docker;
    const struct {
        const char *variable, *below;
    } places[] = {
        {"REGISTRY_AUTH_FILE", ""},
        {elsewhere ? "DOCKER_CONFIG" : "HOME", elsewhere ? "/config.json" : "/.docker/config.json"},
        {"XDG_RUNTIME_DIR", "/containers/auth.json"}};
    *out = (weir__credentials){0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (look_below(places[i].variable, places[i].below, registry, repository, goes_on, arg,
                       out))
            return true;
    return false;
}
