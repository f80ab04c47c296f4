#include "executor/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"

/* A text that C can carry, or an error that names `what`. */
static bool read_text(const weir_value *value, const char *what, weir_str *out, weir_error *error) {
    if (!weir_is(value, WEIR_STRING))
        return weir_fail(error, WEIR_INVALID, "`%s` must be a text, not %s", what,
                         value ? weir_type_text(weir_value_type(value)) : "absent");
    weir_str text = weir_string_get(value);
    if (memchr(text.data, '\0', text.length))
        return weir_fail(error, WEIR_INVALID, "`%s` has a zero byte in it", what);
    *out = text;
    return true;
}

/* The same; one that is absent or null leaves `out` alone. */
static bool read_optional(const weir_value *config, const char *key, weir_str *out,
                          weir_error *error) {
    const weir_value *value = weir_member_named(config, key);
    return !value || weir_is(value, WEIR_NULL) || read_text(value, key, out, error);
}

static bool read_argv(const weir_value *config, weir_arena *arena, weir_command *out,
                      weir_error *error) {
    const weir_value *list = weir_member_named(config, "command");
    size_t count = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
    if (!count)
        return weir_fail(error, WEIR_INVALID, "`command` must be an array of texts, not empty");
    out->argv = weir_arena_alloc(arena, (count + 2) * sizeof *out->argv);
    for (size_t i = 0; i < count; i++) {
        char what[48];
        weir_str text;
        snprintf(what, sizeof what, "command[%zu]", i);
        if (!read_text(weir_array_at(list, i), what, &text, error)) return false;
        out->argv[i] = weir_str_copy(arena, text);
    }
    if (!out->argv[0][0]) return weir_fail(error, WEIR_INVALID, "`command[0]` is empty");
    return true;
}

/* Adds "NAME=VALUE", or replaces the one of that name; there is room. */
static void put_variable(weir_command *command, weir_arena *arena, weir_str name, weir_str value) {
    char *text = weir_arena_alloc(arena, name.length + value.length + 2);
    memcpy(text, name.data, name.length);
    text[name.length] = '=';
    if (value.length) memcpy(text + name.length + 1, value.data, value.length);
    const char **at = command->environment;
    while (*at && strncmp(*at, text, name.length + 1) != 0) at++;
    *at = text;
}

static bool read_variable(weir_str name, const weir_value *value, const weir_secrets *secrets,
                          weir_str *out, weir_error *error) {
    char what[128];
    snprintf(what, sizeof what, "environment.%.*s", WEIR_ARG(name));
    if (!name.length || memchr(name.data, '=', name.length) || memchr(name.data, '\0', name.length))
        return weir_fail(error, WEIR_INVALID, "`%s`: this is no name of a variable", what);
    const weir_value *secret = weir_member_named(value, "secret");
    if (!secret) return read_text(value, what, out, error);
    if (!read_text(secret, what, out, error)) return false;
    const char *found = weir_secrets_find(secrets, *out);
    if (!found)
        return weir_fail(error, WEIR_INVALID,
                         "`%s`: there is no secret `%.*s`; give it with --secret %.*s=env:VARIABLE "
                         "or =@FILE",
                         what, WEIR_ARG(*out), WEIR_ARG(*out));
    *out = weir_str_from(found);
    return true;
}

/* weir's own names come last: earlier attempts are found by theirs. */
static void put_own_variables(const weir_attempt *attempt, const weir_logs *logs, weir_arena *arena,
                              weir_command *command) {
    char text[WEIR_ATTEMPT_TEXT];
    if (logs->copy) put_variable(command, arena, WEIR_STR("WEIR_COPY"), weir_str_from(logs->copy));
    weir_attempt_format(&attempt->id, text);
    put_variable(command, arena, WEIR_STR("WEIR_ATTEMPT"), weir_str_from(text));
    snprintf(text, sizeof text, "%d", WEIR_METRICS_DESCRIPTOR);
    put_variable(command, arena, WEIR_STR("WEIR_METRICS"), weir_str_from(text));
    if (attempt->members < 2) return;
    snprintf(text, sizeof text, "%u", attempt->id.member);
    put_variable(command, arena, WEIR_STR("WEIR_MEMBER"), weir_str_from(text));
    snprintf(text, sizeof text, "%u", attempt->members);
    put_variable(command, arena, WEIR_STR("WEIR_MEMBERS"), weir_str_from(text));
}

static bool read_environment(const weir_attempt *attempt, const weir_secrets *secrets,
                             const weir_logs *logs, weir_arena *arena, weir_command *out,
                             weir_error *error) {
    static const char *const inherited[] = {"PATH", "HOME", "LANG"};
    enum { INHERITED = sizeof inherited / sizeof *inherited, OWN = 5 };
    const weir_value *named = weir_member_named(attempt->config, "environment");
    if (named && !weir_is(named, WEIR_OBJECT) && !weir_is(named, WEIR_NULL))
        return weir_fail(error, WEIR_INVALID, "`environment` must be an object, not %s",
                         weir_type_text(weir_value_type(named)));
    size_t count = weir_is(named, WEIR_OBJECT) ? weir_value_count(named) : 0;
    out->environment =
        weir_arena_alloc(arena, (INHERITED + count + OWN + 1) * sizeof *out->environment);
    for (size_t i = 0; i < INHERITED; i++) {
        const char *value = getenv(inherited[i]);
        if (value) put_variable(out, arena, weir_str_from(inherited[i]), weir_str_from(value));
    }
    for (size_t i = 0; i < count; i++) {
        weir_str name = weir_object_key(named, i), value;
        if (!read_variable(name, weir_object_at(named, i), secrets, &value, error)) return false;
        put_variable(out, arena, name, value);
    }
    put_own_variables(attempt, logs, arena, out);
    return true;
}

/* Members of a gang have the number of their attempt in common. */
static int create_beside_log(const weir_attempt *attempt, const weir_logs *logs,
                             weir_buffer *path) {
    char suffix[32] = ".source";
    if (attempt->members > 1) snprintf(suffix, sizeof suffix, ".%u.source", attempt->id.member);
    int fd = weir_logs_create(logs, &attempt->id, suffix, O_EXCL, path);
    if (fd >= 0 || errno != EEXIST || unlink(path->data) < 0) return fd;
    return weir_logs_create(logs, &attempt->id, suffix, O_EXCL, path);
}

static int create_elsewhere(weir_buffer *path) {
    const char *folder = getenv("TMPDIR");
    weir_buffer_printf(path, "%s/weir-XXXXXX", folder && *folder ? folder : "/tmp");
    return mkostemp(path->data, O_CLOEXEC);
}

/* The path is absolute: the child may run elsewhere. */
static bool stage_source(weir_str source, const weir_attempt *attempt, const weir_logs *logs,
                         weir_arena *arena, const char **out, weir_error *error) {
    weir_buffer path = {0};
    int fd = logs->directory ? create_beside_log(attempt, logs, &path) : create_elsewhere(&path);
    char *full = NULL;
    bool ok = fd >= 0 && fchmod(fd, 0700) == 0 && weir_descriptor_write(fd, source) &&
              (full = realpath(path.data, NULL));
    if (ok)
        *out = weir_str_copy(arena, weir_str_from(full));
    else
        weir_fail(error, WEIR_IO, "`source` cannot be staged as `%s`: %s", path.data,
                  strerror(errno));
    if (fd >= 0) close(fd);
    if (fd >= 0 && !ok) unlink(path.data);
    free(full);
    weir_buffer_deinit(&path);
    return ok;
}

/* The source's path stands behind the command, or where `source_at` says; there is room. */
static void insert_source(const weir_value *config, weir_command *command) {
    size_t count = weir_value_count(weir_member_named(config, "command")), at = count;
    const weir_value *wanted = weir_member_named(config, "source_at");
    if (weir_is(wanted, WEIR_INT) && weir_int_get(wanted) > 0 &&
        (uint64_t)weir_int_get(wanted) < count)
        at = (size_t)weir_int_get(wanted);
    memmove(&command->argv[at + 1], &command->argv[at], (count - at) * sizeof *command->argv);
    command->argv[at] = command->source;
}

bool weir_command_read(const weir_attempt *attempt, const weir_secrets *secrets,
                       const weir_logs *logs, weir_arena *arena, weir_command *out,
                       weir_error *error) {
    const weir_value *config = attempt->config;
    weir_command command = {0};
    weir_str directory = {0}, source = {0}, format = WEIR_STR("text");
    if (!read_argv(config, arena, &command, error) ||
        !read_environment(attempt, secrets, logs, arena, &command, error) ||
        !read_optional(config, "directory", &directory, error) ||
        !read_optional(config, "stdin", &command.input, error) ||
        !read_optional(config, "source", &source, error) ||
        !read_optional(config, "format", &format, error))
        return false;
    command.json = weir_str_is(format, "json");
    if (!command.json && !weir_str_is(format, "text"))
        return weir_fail(error, WEIR_INVALID, "`format` is `text` or `json`, not `%.*s`",
                         WEIR_ARG(format));
    if (directory.length) command.directory = weir_str_copy(arena, directory);
    if (source.data) {
        if (!stage_source(source, attempt, logs, arena, &command.source, error)) return false;
        insert_source(config, &command);
    }
    *out = command;
    return true;
}
