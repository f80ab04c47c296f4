#include "executor/in_image.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/open.h"
#include "executor/sandbox_internal.h"

enum { ACCOUNTS_BYTES_MAX = 1024 * 1024 };

static const weir_value *settings_of(const weir_in_image *in) {
    return weir_member_named(in->image->config, "config");
}

/* --- files of the image ------------------------------------------------------------------------- */

/* A regular file as the uppermost layer that knows of it has it; nothing when that one removed it. */
static bool read_file(const weir_image *image, const char *path, weir_buffer *out) {
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    struct stat info;
    for (size_t i = image->layer_count; i > 0; i--) {
        int root = open(image->layers[i - 1], O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = root < 0 ? -1 : weir__open_how(root, path, &how);
        int reason = errno;
        if (root >= 0) close(root);
        if (fd < 0 && (reason == ENOENT || reason == ENOTDIR)) continue;
        bool ok = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
                  info.st_size <= ACCOUNTS_BYTES_MAX;
        if (ok) weir_buffer_reserve(out, (size_t)info.st_size);
        ssize_t count = ok ? read(fd, out->data, (size_t)info.st_size) : -1;
        if (fd >= 0) close(fd);
        if (count < 0) return false;
        out->length = (size_t)count;
        out->data[count] = '\0';
        return true;
    }
    return false;
}

/* Whether a folder of the image has something in it. */
static bool has_entries(const weir_image *image, const char *path) {
    bool any = false;
    for (size_t i = 0; i < image->layer_count && !any; i++) {
        struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        char entries[1024];
        int root = open(image->layers[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fd = root < 0 ? -1 : weir__open_how(root, path, &how);
        /* More than "." and "..". */
        any = fd >= 0 && syscall(SYS_getdents64, fd, entries, sizeof entries) > 48;
        if (fd >= 0) close(fd);
        if (root >= 0) close(root);
    }
    return any;
}

weir_in_image *weir_in_image_new(weir_image *image) {
    weir_in_image *in = weir_alloc(sizeof *in);
    in->image = image;
    (void)!read_file(image, "etc/passwd", &in->passwd); /* one without is content with numbers */
    (void)!read_file(image, "etc/group", &in->groups);
    in->has_tmp = has_entries(image, "tmp");
    return in;
}

void weir_in_image_free(weir_in_image *in) {
    if (!in) return;
    weir_image_free(in->image);
    weir_buffer_deinit(&in->passwd);
    weir_buffer_deinit(&in->groups);
    weir_free(in);
}

/* --- its user ------------------------------------------------------------------------------------ */

typedef struct account {
    uint32_t user, group;
    weir_str name, home; /* in the text */
    bool found;
} account;

/* The next line's parts between colons; false at the end. */
static bool next_line(weir_str *rest, weir_str *parts, size_t count) {
    if (!rest->length) return false;
    const char *end = memchr(rest->data, '\n', rest->length);
    size_t length = end ? (size_t)(end - rest->data) : rest->length;
    weir_str line = {rest->data, length};
    *rest = weir_str_slice(*rest, length + (end != NULL), rest->length);
    for (size_t i = 0; i < count; i++) {
        size_t at = weir_str_find(line, WEIR_STR(":"), 0);
        parts[i] = weir_str_slice(line, 0, at);
        line = at == SIZE_MAX ? WEIR_STR("") : weir_str_slice(line, at + 1, line.length);
    }
    return true;
}

/* A line of /etc/passwd by name or number. */
static account find_account(weir_str passwd, weir_str wanted) {
    account a = {0};
    weir_str parts[6]; /* name, password, user, group, comment, home */
    bool number = weir_str_number(wanted, &a.user);
    while (next_line(&passwd, parts, 6)) {
        uint32_t user, group;
        if (!weir_str_number(parts[2], &user) || !weir_str_number(parts[3], &group)) continue;
        if (number ? user != a.user : !weir_str_equal(parts[0], wanted)) continue;
        return (account){user, group, parts[0], parts[5], true};
    }
    return a;
}

static bool find_group(weir_str groups, weir_str wanted, uint32_t *out) {
    weir_str parts[3];
    if (weir_str_number(wanted, out)) return true;
    while (next_line(&groups, parts, 3))
        if (weir_str_equal(parts[0], wanted) && weir_str_number(parts[2], out)) return true;
    return false;
}

static bool has_member(weir_str list, weir_str name) {
    while (list.length) {
        size_t at = weir_str_find(list, WEIR_STR(","), 0);
        if (weir_str_equal(weir_str_slice(list, 0, at), name)) return true;
        list = at == SIZE_MAX ? WEIR_STR("") : weir_str_slice(list, at + 1, list.length);
    }
    return false;
}

/* The groups that name the user among their members. */
static weir_value *further_groups(weir_str groups, weir_str name, uint32_t own) {
    weir_value *list = weir_array_new();
    weir_str parts[4];
    while (name.length && next_line(&groups, parts, 4)) {
        uint32_t group;
        if (!has_member(parts[3], name) || !weir_str_number(parts[2], &group) || group == own)
            continue;
        if (weir_value_count(list) < WEIR_SANDBOX_GROUPS_MAX)
            weir_array_append(list, weir_int_new(group));
    }
    return list;
}

/* "USER[:GROUP]", each by name or number, into the sandbox; its home. */
static bool put_user(const weir_in_image *in, weir_str text, weir_value *sandbox,
                     weir_value *variables, weir_error *error) {
    weir_str passwd = weir_buffer_str(&in->passwd), groups = weir_buffer_str(&in->groups);
    size_t colon = weir_str_find(text, WEIR_STR(":"), 0);
    weir_str user = weir_str_slice(text, 0, colon),
             group =
                 colon == SIZE_MAX ? WEIR_STR("") : weir_str_slice(text, colon + 1, text.length);
    uint32_t number;
    if (!user.length) user = WEIR_STR("0");
    account a = find_account(passwd, user);
    bool ok = a.found || weir_str_number(user, &number) ||
              weir_fail(error, WEIR_INVALID, "image `%.*s` has no user `%.*s` in its /etc/passwd",
                        WEIR_ARG(weir_member_text(sandbox, "image")), WEIR_ARG(user));
    ok = ok && (!group.length || find_group(groups, group, &a.group) ||
                weir_fail(error, WEIR_INVALID, "image `%.*s` has no group `%.*s` in its /etc/group",
                          WEIR_ARG(weir_member_text(sandbox, "image")), WEIR_ARG(group)));
    if (ok) {
        weir_member_put(sandbox, "user", weir_int_new(a.user));
        weir_value *said = weir_member_named(sandbox, "run_as_group");
        weir_member_put(sandbox, "group", said ? weir_value_ref(said) : weir_int_new(a.group));
        weir_member_put(sandbox, "groups",
                        further_groups(groups, group.length ? WEIR_STR("") : a.name, a.group));
        if (!weir_member_named(variables, "HOME"))
            weir_member_put_text(variables, "HOME", a.home.length ? a.home : WEIR_STR("/"));
    }
    return ok;
}

/* --- the config ------------------------------------------------------------------------------------ */

static weir_value *make_command(const weir_in_image *in, const weir_value *config) {
    const weir_value *own = weir_member_named(config, "command"),
                     *arguments = weir_member_named(config, "arguments"),
                     *settings = settings_of(in);
    weir_value *command = weir_array_new();
    weir_array_append_all(command,
                          weir_has_items(own) ? own : weir_member_named(settings, "Entrypoint"));
    if (weir_has_items(arguments))
        weir_array_append_all(command, arguments);
    else if (!weir_has_items(own) && !weir_member_named(config, "source"))
        weir_array_append_all(command, weir_member_named(settings, "Cmd"));
    return command;
}

/* "NAME=VALUE" each. */
static weir_value *make_variables(const weir_value *settings) {
    const weir_value *list = weir_member_named(settings, "Env");
    weir_value *variables = weir_object_new();
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *item = weir_array_at(list, i);
        weir_str text = weir_is(item, WEIR_STRING) ? weir_string_get(item) : WEIR_STR("");
        size_t at = weir_str_find(text, WEIR_STR("="), 0);
        if (at == SIZE_MAX || !at || memchr(text.data, '\0', text.length)) continue;
        weir_member_set(variables, weir_str_slice(text, 0, at),
                        weir_string_from(weir_str_slice(text, at + 1, text.length)));
    }
    if (!weir_member_named(variables, "PATH"))
        weir_member_put_text(
            variables, "PATH",
            WEIR_STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    return variables;
}

/* A user that the file names has the group of its line, as the image's own would. */
static bool put_identity(const weir_in_image *in, weir_value *sandbox, weir_value *variables,
                         weir_error *error) {
    char number[24];
    weir_str user = weir_member_text(settings_of(in), "User");
    if (weir_member_named(sandbox, "run_as_user")) {
        snprintf(number, sizeof number, "%llu",
                 (unsigned long long)weir_member_count(sandbox, "run_as_user"));
        user = weir_str_from(number);
    }
    return put_user(in, user, sandbox, variables, error);
}

weir_value *weir_in_image_config(const weir_in_image *in, const weir_value *config,
                                 weir_error *error) {
    weir_value *command = make_command(in, config);
    weir_value *sandbox = weir_value_own(weir_value_ref(weir_member_named(config, "sandbox")));
    weir_value *variables = make_variables(settings_of(in));
    bool ok = weir_value_count(command) > 0;
    if (!ok) {
        weir_fail(error, WEIR_INVALID, "image `%.*s` says no command, and nobody else does",
                  WEIR_ARG(weir_member_text(sandbox, "image")));
        weir_error_hint(error, "give one: `command: […]`");
    }
    ok = ok && put_identity(in, sandbox, variables, error);
    weir_member_put(sandbox, "variables", variables);
    if (!ok) {
        weir_value_unref(command);
        weir_value_unref(sandbox);
        return NULL;
    }
    weir_value *made = weir_value_own(weir_value_ref((weir_value *)(uintptr_t)config));
    weir_str directory = weir_member_text(settings_of(in), "WorkingDir");
    if (directory.length && !weir_member_text(made, "directory").length)
        weir_member_put_text(made, "directory", directory);
    weir_member_put(made, "command", command);
    weir_member_put(made, "sandbox", sandbox);
    return made;
}

/* --- the sandbox -------------------------------------------------------------------------------------- */

static bool is_mounted(const weir_sandbox_spec *spec, weir_str at) {
    for (size_t i = 0; i < spec->mount_count; i++)
        if (weir_str_equal(spec->mounts[i].at, at)) return true;
    return false;
}

/* As the host has them: its network is the attempt's. */
static void add_host_files(weir_arena *arena, weir_sandbox_spec *spec) {
    static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts"};
    enum { FILES = sizeof files / sizeof *files };
    struct stat info;
    weir_mount *mounts = weir_arena_alloc(arena, (spec->mount_count + FILES) * sizeof *mounts);
    size_t count = 0;
    for (size_t i = 0; i < FILES; i++)
        if (!is_mounted(spec, weir_str_from(files[i])) && stat(files[i], &info) == 0)
            mounts[count++] = (weir_mount){.kind = WEIR_MOUNT_HOST,
                                           .at = weir_str_from(files[i]),
                                           .source = weir_str_from(files[i]),
                                           .read_only = true,
                                           .provided = true};
    if (spec->mount_count) memcpy(mounts + count, spec->mounts, spec->mount_count * sizeof *mounts);
    spec->mounts = mounts;
    spec->mount_count += count;
}

void weir_in_image_spec(const weir_in_image *in, const weir_value *config, weir_arena *arena,
                        weir_sandbox_spec *spec) {
    const weir_value *groups = weir_member_named(weir_member_named(config, "sandbox"), "groups");
    size_t count = groups ? weir_value_count(groups) : 0;
    uint32_t *list = weir_arena_alloc(arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) list[i] = (uint32_t)weir_int_get(weir_array_at(groups, i));
    spec->groups = list;
    spec->group_count = count;
    spec->layers = (const char *const *)in->image->layers;
    spec->layer_count = in->image->layer_count;
    spec->own_tmp = in->has_tmp;
    add_host_files(arena, spec);
}

int weir_in_image_stop_signal(const weir_in_image *in) {
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL},
                   {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"TERM", SIGTERM}};
    weir_str text = weir_member_text(settings_of(in), "StopSignal");
    uint32_t number;
    if (weir_str_number(text, &number)) return number && number < NSIG ? (int)number : SIGTERM;
    if (weir_str_starts(text, WEIR_STR("SIG"))) text = weir_str_slice(text, 3, text.length);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (weir_str_is(text, signals[i].name)) return signals[i].number;
    return SIGTERM;
}
