#include "executor/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "executor/volume.h"

enum { VARIABLES_MAX = 10000 };

static const char *const inherited[] = {"PATH", "HOME", "LANG"};
enum { INHERITED = sizeof inherited / sizeof *inherited };

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

const weir_value *weir_command_sandbox(const weir_value *config) {
    const weir_value *sandbox = weir_member_named(config, "sandbox");
    return weir_is(sandbox, WEIR_OBJECT) ? sandbox : NULL;
}

weir_mount weir_command_script_mount(const weir_command *command) {
    return (weir_mount){.kind = WEIR_MOUNT_CONTENT,
                        .at = WEIR_STR(WEIR_SANDBOX_SCRIPT),
                        .source = command->script,
                        .mode = 0755,
                        .script = true};
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

static bool has_variable(const weir_command *command, const char *name) {
    size_t length = strlen(name);
    for (const char **at = command->environment; *at; at++)
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=') return true;
    return false;
}

static bool is_variable(weir_str name) {
    return name.length && !memchr(name.data, '=', name.length) &&
           !memchr(name.data, '\0', name.length);
}

static bool read_variable(weir_str name, const weir_value *value, const weir_secrets *secrets,
                          weir_arena *arena, weir_str *out, bool *left_out, weir_error *error) {
    char what[128];
    snprintf(what, sizeof what, "environment.%.*s", WEIR_ARG(name));
    *left_out = false;
    if (!is_variable(name))
        return weir_fail(error, WEIR_INVALID, "`%s`: this is no name of a variable", what);
    if (!weir_member_named(value, "secret") && !weir_member_named(value, "machine"))
        return read_text(value, what, out, error);
    if (weir_content_read(value, secrets, arena, out, left_out, error)) return true;
    weir_error_context(error, "`%s`", what);
    return false;
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

/* All keys of the secrets that `environment_from` names, as far as there is room. */
static bool put_secrets(const weir_value *from, const weir_secrets *secrets, weir_arena *arena,
                        weir_command *command, weir_error *error) {
    weir_str name = weir_member_text(from, "secret"), prefix = weir_member_text(from, "prefix");
    const weir_value *optional = weir_member_named(from, "optional");
    weir_buffer start = {0}, variable = {0};
    bool found = weir_is(optional, WEIR_BOOL) && weir_bool_get(optional);
    weir_buffer_printf(&start, "%.*s.", WEIR_ARG(name));
    for (size_t i = 0; secrets && i < secrets->count; i++) {
        const struct weir__secret *secret = &secrets->items[i];
        if (!secret->name || !weir_str_starts(weir_str_from(secret->name), weir_buffer_str(&start)))
            continue;
        found = true;
        weir_buffer_clear(&variable);
        weir_buffer_printf(&variable, "%.*s%s", WEIR_ARG(prefix), secret->name + start.length);
        if (is_variable(weir_buffer_str(&variable)))
            put_variable(command, arena, weir_buffer_str(&variable), weir_str_from(secret->value));
    }
    weir_buffer_deinit(&start);
    weir_buffer_deinit(&variable);
    return found ||
           weir_fail(error, WEIR_INVALID,
                     "there is no secret `%.*s`: --library FILE gives weir a file with it, "
                     "or --secret %.*s.KEY=@FILE a key of it",
                     WEIR_ARG(name), WEIR_ARG(name));
}

/* Of a text that begins with "$(": the variable's value and how long the name's part is; false: it names none. */
static bool find_variable(const weir_command *command, weir_str text, weir_str *value,
                          size_t *length) {
    size_t end = weir_str_find(text, WEIR_STR(")"), 2);
    if (end == SIZE_MAX) return false;
    weir_str name = weir_str_slice(text, 2, end);
    for (const char **at = command->environment; *at; at++) {
        if (strncmp(*at, name.data, name.length) != 0 || (*at)[name.length] != '=') continue;
        *value = weir_str_from(*at + name.length + 1);
        *length = end + 1;
        return true;
    }
    return false;
}

/* As Kubernetes does: $(NAME) is a variable that the config names, $$(NAME) that text itself; what is not known stays. Kubernetes
 * makes a $ of any $$, but a shell's process number is more likely what was meant. */
static weir_str expand_text(weir_str text, const weir_command *command, weir_arena *arena) {
    if (!text.length || !memchr(text.data, '$', text.length)) return text;
    weir_buffer out = {0};
    for (size_t at = 0; at < text.length;) {
        weir_str rest = weir_str_slice(text, at, text.length), value = {text.data + at, 1};
        size_t length = 1;
        if (weir_str_starts(rest, WEIR_STR("$$(")))
            length = 2;
        else if (weir_str_starts(rest, WEIR_STR("$(")))
            (void)find_variable(command, rest, &value, &length);
        weir_buffer_str_append(&out, value);
        at += length;
    }
    weir_str kept = weir_buffer_str(&out);
    weir_str copy = {weir_str_copy(arena, kept), kept.length};
    weir_buffer_deinit(&out);
    return copy;
}

static size_t list_count(const weir_value *list, weir_type type) {
    return weir_is(list, type) ? weir_value_count(list) : 0;
}

/* Those that the config names come first, and only they are known to $(NAME). */
static bool put_named(const weir_value *config, const weir_secrets *secrets, weir_arena *arena,
                      bool expand, weir_command *out, weir_error *error) {
    const weir_value *named = weir_member_named(config, "environment"),
                     *from = weir_member_named(config, "environment_from");
    for (size_t i = 0; i < list_count(from, WEIR_ARRAY); i++)
        if (!put_secrets(weir_array_at(from, i), secrets, arena, out, error)) return false;
    for (size_t i = 0; i < list_count(named, WEIR_OBJECT); i++) {
        weir_str name = weir_object_key(named, i), value = {0};
        bool left_out;
        if (!read_variable(name, weir_object_at(named, i), secrets, arena, &value, &left_out,
                           error))
            return false;
        if (expand) value = expand_text(value, out, arena);
        if (!left_out) put_variable(out, arena, name, value);
    }
    for (const char **text = out->argv; expand && *text; text++)
        *text = expand_text(weir_str_from(*text), out, arena).data;
    return true;
}

/* Those of an image (in_image.h), instead of weir's own. */
static void put_image_variables(const weir_value *variables, weir_arena *arena, weir_command *out) {
    for (size_t i = 0; i < weir_value_count(variables); i++) {
        weir_buffer name = {0};
        weir_buffer_str_append(&name, weir_object_key(variables, i));
        if (!has_variable(out, name.data))
            put_variable(out, arena, weir_object_key(variables, i),
                         weir_string_get(weir_object_at(variables, i)));
        weir_buffer_deinit(&name);
    }
}

static void put_inherited(bool sandbox, weir_arena *arena, weir_command *out) {
    for (size_t i = 0; i < INHERITED; i++) {
        /* The user's own may not be written in a sandbox. */
        bool home = sandbox && strcmp(inherited[i], "HOME") == 0;
        const char *value = home ? WEIR_SANDBOX_HOME : getenv(inherited[i]);
        if (value && !has_variable(out, inherited[i]))
            put_variable(out, arena, weir_str_from(inherited[i]), weir_str_from(value));
    }
    const char *program = getenv("WEIR_PROGRAM_FOLDER"); /* that made the workflow */
    if (program && !has_variable(out, "PYTHONPATH"))
        put_variable(out, arena, WEIR_STR("PYTHONPATH"), weir_str_from(program));
}

static bool read_environment(const weir_attempt *attempt, const weir_secrets *secrets,
                             const weir_logs *logs, weir_arena *arena, weir_command *out,
                             weir_error *error) {
    enum { OWN = 7 };
    const weir_value *config = attempt->config, *named = weir_member_named(config, "environment"),
                     *expand = weir_member_named(config, "expand");
    if (named && !weir_is(named, WEIR_OBJECT) && !weir_is(named, WEIR_NULL))
        return weir_fail(error, WEIR_INVALID, "`environment` must be an object, not %s",
                         weir_type_text(weir_value_type(named)));
    size_t lists = list_count(weir_member_named(config, "environment_from"), WEIR_ARRAY);
    const weir_value *variables =
        weir_member_named(weir_member_named(config, "sandbox"), "variables");
    size_t count = list_count(named, WEIR_OBJECT) + list_count(variables, WEIR_OBJECT) +
                   (lists && secrets ? lists * secrets->count : 0);
    if (count > VARIABLES_MAX)
        return weir_fail(error, WEIR_LIMIT, "an attempt has at most %d variables", VARIABLES_MAX);
    out->environment =
        weir_arena_alloc(arena, (INHERITED + count + OWN + 1) * sizeof *out->environment);
    if (!put_named(config, secrets, arena, expand && weir_value_truth(expand), out, error))
        return false;
    bool sandbox = weir_command_sandbox(config);
    if (weir_is(variables, WEIR_OBJECT))
        put_image_variables(variables, arena, out);
    else
        put_inherited(sandbox, arena, out);
    if (sandbox && !has_variable(out, "ARGO_PROGRESS_FILE")) {
        const char **at = out->environment;
        while (*at) at++;
        *at = WEIR_SANDBOX_PROGRESS;
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

static bool read_memory_every(const weir_value *config, uint64_t *out, weir_error *error) {
    const weir_value *every = weir_member_named(config, "memory_every");
    if (!every || weir_is(every, WEIR_NULL)) return true;
    double seconds =
        weir_is(every, WEIR_INT) || weir_is(every, WEIR_FLOAT) ? weir_number_get(every) : 0;
    if (!(seconds > 0 && seconds <= 3600))
        return weir_fail(error, WEIR_INVALID,
                         "`memory_every` is a number of seconds above 0, at most 3600");
    *out = (uint64_t)(seconds * 1e6);
    return true;
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
        !read_optional(config, "format", &format, error) ||
        !read_memory_every(config, &command.memory_every_us, error))
        return false;
    command.json = weir_str_is(format, "json");
    if (!command.json && !weir_str_is(format, "text"))
        return weir_fail(error, WEIR_INVALID, "`format` is `text` or `json`, not `%.*s`",
                         WEIR_ARG(format));
    if (directory.length) command.directory = weir_str_copy(arena, directory);
    if (source.data && weir_command_sandbox(config)) {
        command.source = WEIR_SANDBOX_SCRIPT;
        command.script = source;
        insert_source(config, &command);
    } else if (source.data) {
        if (!stage_source(source, attempt, logs, arena, &command.source, error)) return false;
        insert_source(config, &command);
    }
    *out = command;
    return true;
}
