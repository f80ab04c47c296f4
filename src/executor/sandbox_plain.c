#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/open.h"
#include "base/remove.h"
#include "executor/sandbox_internal.h"
#include "io/users.h"

/* What starts in a sandbox's folder instead of at the host's root. */
typedef struct start {
    weir_sandbox *sandbox;
    const weir_sandbox_spec *spec;
    weir_arena arena;
    weir_buffer path;   /* for a moment */
    weir_buffer search; /* what comes first in PATH */
} start;

/* --- folders */

bool weir_sandbox_remove(const char *folder) {
    weir__remove_within(folder, SIZE_MAX);
    return rmdir(folder) == 0 || errno == ENOENT || weir_users_remove(folder);
}

static bool take_base(weir_sandboxes *s, weir_error *error) {
    if (s->plain) return true;
    if (!weir__sandboxes_folder(s, error)) return false;
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/plain-XXXXXX", s->folder);
    s->plain_lock = weir__folder_lock(path.data);
    if (s->plain_lock >= 0)
        s->plain = realpath(path.data, NULL);
    else
        weir_fail(error, WEIR_IO, "a folder in `%s` cannot be made: %s", s->folder,
                  strerror(errno));
    weir_buffer_deinit(&path);
    if (s->plain) weir__folders_sweep(s->folder);
    return s->plain != NULL;
}

/* Any change of what is in a folder changes the time of its inode, which nobody can set back. But the kernel's clock for it stands still for
 * some milliseconds, so it says nothing of what happened right after. */
enum { CLOCK_STANDS_NS = 20 * 1000 * 1000 };

/* 0: it is not known. */
static uint64_t changed_ns(const char *folder) {
    struct stat info;
    if (lstat(folder, &info) < 0) return 0;
    return (uint64_t)info.st_ctim.tv_sec * 1000000000 + (uint64_t)info.st_ctim.tv_nsec;
}

/* Whether its folder is as empty as it was given. */
static bool untouched(const weir_sandbox *sandbox) {
    uint64_t empty_ns = sandbox->sandboxes->folders.items[sandbox->folder_number];
    return empty_ns && sandbox->folder_taken_ns > empty_ns + CLOCK_STANDS_NS &&
           changed_ns(sandbox->folder) == empty_ns;
}

/* Folders that attempts left empty are used again: making and removing one costs as much as a tenth of a process. */
bool weir__plain_folder(weir_sandbox *sandbox, weir_error *error) {
    weir_sandboxes *s = sandbox->sandboxes;
    if (sandbox->kept) {
        sandbox->folder = realpath(sandbox->kept, NULL);
        return sandbox->folder || weir_fail(error, WEIR_IO, "the folder `%s` cannot be used: %s",
                                            sandbox->kept, strerror(errno));
    }
    if (!take_base(s, error)) return false;
    uint64_t number = s->folders.count;
    weir_buffer path = {0};
    bool used = weir_queue_take(&s->free_folders, &number);
    weir_buffer_printf(&path, "%s/%u", s->plain, (unsigned)number);
    bool ok = used || mkdir(path.data, 0700) == 0;
    if (!ok) {
        weir_fail(error, WEIR_IO, "the folder `%s` cannot be made: %s", path.data, strerror(errno));
        weir_buffer_deinit(&path);
        return false;
    }
    if (!used) *weir_vector_push(&s->folders) = changed_ns(path.data);
    sandbox->folder_number = (uint32_t)number;
    sandbox->folder_taken_ns = weir_clock_us() * 1000;
    sandbox->folder = path.data;
    return true;
}

/* --- asking whether it is ready */

/* A process that asks; it may outlive its sandbox for a moment. */
typedef struct weir__asked {
    weir_sandbox *sandbox;     /* NULL: nobody waits for it any more, */
    weir_sandboxes *sandboxes; /* but these, before they end */
    weir_process *process;
} asked;

static void asked_ended(void *arg, const weir_process_end *end) {
    asked *a = arg;
    if (a->sandbox) {
        a->sandbox->asking.last = NULL;
        a->sandbox->asking.answers++;
        a->sandbox->asking.exit_code = end->signal ? 128 + end->signal : end->exit_code;
    } else {
        a->sandboxes->lingering--;
    }
    weir_free(a);
}

static void end_asking(weir_sandbox *sandbox) {
    asked *a = sandbox->asking.last;
    if (!a) return;
    sandbox->asking.last = NULL;
    a->sandbox = NULL;
    a->sandboxes->lingering++;
    weir_process_signal(a->process, SIGKILL);
}

void weir__plain_ask(weir_sandbox *sandbox, weir_loop *loop) {
    weir__asking *asking = &sandbox->asking;
    weir_error error;
    end_asking(sandbox);
    asked *a = weir_alloc(sizeof *a);
    a->sandbox = sandbox;
    a->sandboxes = sandbox->sandboxes;
    weir_process_options options = {.argv = asking->argv,
                                    .environment = asking->environment,
                                    .directory = asking->directory,
                                    .ended = asked_ended,
                                    .arg = a};
    if (weir_process_start(loop, &options, &a->process, &error)) {
        asking->last = a;
        return;
    }
    weir_free(a);
    asking->answers++;
    asking->exit_code = 127; /* as a shell has it */
}

void weir__plain_release(weir_sandbox *sandbox) {
    weir_sandboxes *s = sandbox->sandboxes;
    end_asking(sandbox);
    weir_arena_deinit(&sandbox->asking.arena);
    if (sandbox->folder && !sandbox->kept) {
        if (!untouched(sandbox)) {
            weir__remove_within(sandbox->folder, SIZE_MAX);
            s->folders.items[sandbox->folder_number] = changed_ns(sandbox->folder);
        }
        weir_queue_put_first(&s->free_folders, sandbox->folder_number);
    }
    if (sandbox->kept)
        free(sandbox->folder); /* of realpath's */
    else
        weir_free(sandbox->folder);
    for (size_t i = 0; i < sandbox->aliases.count; i++) {
        weir_free(sandbox->aliases.items[i].at);
        weir_free(sandbox->aliases.items[i].instead);
    }
    weir_vector_deinit(&sandbox->aliases);
}

void weir__plain_stop(weir_sandboxes *s) {
    if (s->plain) (void)weir_sandbox_remove(s->plain);
    if (s->plain_lock >= 0) close(s->plain_lock);
    free(s->plain);
    weir_queue_deinit(&s->free_folders);
    weir_vector_deinit(&s->folders);
}

/* --- paths */

static bool is_of_path(char byte) {
    return isalnum((unsigned char)byte) || strchr("_.-/", byte) != NULL;
}

static void add_alias(weir_sandbox *sandbox, weir_str at, const char *instead, bool needed) {
    while (at.length > 1 && at.data[at.length - 1] == '/') at.length--;
    weir_vector_reserve(&sandbox->aliases, 1);
    size_t place = sandbox->aliases.count++;
    for (; place && strlen(sandbox->aliases.items[place - 1].at) < at.length; place--)
        sandbox->aliases.items[place] = sandbox->aliases.items[place - 1];
    sandbox->aliases.items[place] = (weir__alias){
        .at = weir_str_dup(at), .instead = weir_str_dup(weir_str_from(instead)), .needed = needed};
}

/* The alias of the path that begins here; `whole` is how long that path's part is. */
static weir__alias *alias_at(const weir_sandbox *sandbox, weir_str text, size_t at) {
    if (at && is_of_path(text.data[at - 1])) return NULL;
    for (size_t i = 0; i < sandbox->aliases.count; i++) {
        weir__alias *alias = &sandbox->aliases.items[i];
        weir_str path = weir_str_from(alias->at);
        weir_str rest = weir_str_slice(text, at, text.length);
        if (!weir_str_starts(rest, path)) continue;
        if (rest.length == path.length || rest.data[path.length] == '/' ||
            !is_of_path(rest.data[path.length]))
            return alias;
    }
    return NULL;
}

void weir__plain_alias(weir_sandbox *sandbox, weir_str at, const char *instead) {
    add_alias(sandbox, at, instead, false);
}

bool weir__plain_knows(const weir_sandbox *sandbox, const char *path) {
    return alias_at(sandbox, weir_str_from(path), 0) != NULL;
}

/* The text with paths replaced, in the arena; itself when it names none. */
static const char *replace_paths(start *s, weir_str text) {
    weir_buffer out = {0};
    size_t done = 0;
    for (size_t i = 0; i < text.length; i++) {
        weir__alias *alias = text.data[i] == '/' ? alias_at(s->sandbox, text, i) : NULL;
        if (!alias) continue;
        alias->named = true;
        weir_buffer_str_append(&out, weir_str_slice(text, done, i));
        weir_buffer_text(&out, alias->instead);
        done = i + strlen(alias->at);
        i = done - 1;
    }
    weir_buffer_str_append(&out, weir_str_slice(text, done, text.length));
    const char *copy = weir_str_copy(&s->arena, weir_buffer_str(&out));
    weir_buffer_deinit(&out);
    return copy;
}

/* s->path becomes that of `at` in the sandbox's folder, and the folders above it are made. No name may be "..". */
static bool make_above(start *s, weir_str at, weir_error *error) {
    for (size_t from = 0; from < at.length;) {
        size_t end = weir_str_find(at, WEIR_STR("/"), from);
        if (end == SIZE_MAX) end = at.length;
        if (weir_str_is(weir_str_slice(at, from, end), ".."))
            return weir_fail(error, WEIR_INVALID, "the path `%.*s` has `..` in it", WEIR_ARG(at));
        from = end + 1;
    }
    weir_buffer_clear(&s->path);
    weir_buffer_text(&s->path, s->sandbox->folder);
    size_t length = s->path.length;
    weir_buffer_str_append(&s->path, at);
    for (char *slash = s->path.data + length + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        bool ok = mkdir(s->path.data, 0755) == 0 || errno == EEXIST;
        if (!ok)
            return weir_fail(error, WEIR_IO, "`%s` cannot be made: %s", s->path.data,
                             strerror(errno));
        *slash = '/';
    }
    return true;
}

static bool is_searched(const weir_sandbox_spec *spec, weir_str folder) {
    for (const char *const *variable = spec->environment; *variable; variable++) {
        if (strncmp(*variable, "PATH=", 5) != 0) continue;
        weir_str list = weir_str_from(*variable + 5);
        for (size_t from = 0; from < list.length;) {
            size_t end = weir_str_find(list, WEIR_STR(":"), from);
            if (end == SIZE_MAX) end = list.length;
            if (weir_str_equal(weir_str_slice(list, from, end), folder)) return true;
            from = end + 1;
        }
    }
    return false;
}

/* A command that is looked for by its name is found in a folder of the sandbox's. */
static bool link_command(start *s, const weir_mount *mount, bool *linked, weir_error *error) {
    size_t slash = mount->at.length;
    while (slash && mount->at.data[slash - 1] != '/') slash--;
    weir_str folder = weir_str_slice(mount->at, 0, slash ? slash - 1 : 0);
    *linked = is_searched(s->spec, folder);
    if (!*linked) return true;
    if (!make_above(s, mount->at, error)) return false;
    const char *source = weir_str_copy(&s->arena, mount->source);
    if (symlink(source, s->path.data) < 0 && errno != EEXIST)
        return weir_fail(error, WEIR_IO, "`%s` cannot be made: %s", s->path.data, strerror(errno));
    size_t length = strlen(s->sandbox->folder) + folder.length;
    weir_str known = weir_buffer_str(&s->search), place = {s->path.data, length};
    if (weir_str_find(known, place, 0) == SIZE_MAX) {
        weir_buffer_str_append(&s->search, place);
        weir_buffer_byte(&s->search, ':');
    }
    return true;
}

static const char *source_of(start *s, const weir_mount *mount) {
    if (!mount->beneath.length) return weir_str_copy(&s->arena, mount->source);
    weir_buffer_clear(&s->path);
    weir_buffer_printf(&s->path, "%.*s/%.*s", WEIR_ARG(mount->source), WEIR_ARG(mount->beneath));
    return weir_str_copy(&s->arena, weir_buffer_str(&s->path));
}

/* --- starting */

static bool name_mounts(start *s, weir_error *error) {
    for (size_t i = 0; i < s->spec->mount_count; i++) {
        const weir_mount *mount = &s->spec->mounts[i];
        bool linked = false;
        if (mount->kind == WEIR_MOUNT_HOST) {
            if (!link_command(s, mount, &linked, error)) return false;
            add_alias(s->sandbox, mount->at, source_of(s, mount),
                      !mount->provided && !mount->unasked && !linked);
        } else {
            if (!make_above(s, mount->at, error)) return false;
            add_alias(s->sandbox, mount->at, s->path.data, !mount->provided && !mount->unasked);
        }
    }
    return true;
}

/* One below a mount or the working directory is there; any other must be named. */
static bool name_outputs(start *s, weir_error *error) {
    for (size_t i = 0; i < s->spec->output_count; i++) {
        weir_str at = s->spec->outputs[i];
        if (alias_at(s->sandbox, at, 0)) continue;
        if (!make_above(s, at, error)) return false;
        add_alias(s->sandbox, at, s->path.data, true);
    }
    return true;
}

static bool write_content(start *s, const weir_mount *mount, weir_error *error) {
    const weir__alias *alias = alias_at(s->sandbox, mount->at, 0);
    weir_str content = mount->source;
    if (mount->script) {
        const char *text = replace_paths(s, content);
        content = weir_str_from(text);
    }
    int fd = open(alias->instead, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && fchmod(fd, mount->mode & 07777) == 0 && weir_descriptor_write(fd, content);
    if (!ok)
        weir_fail(error, WEIR_IO, "`%s` cannot be written: %s", alias->instead, strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

static bool all_named(const weir_sandbox *sandbox, weir_error *error) {
    for (size_t i = 0; i < sandbox->aliases.count; i++) {
        const weir__alias *alias = &sandbox->aliases.items[i];
        if (!alias->needed || alias->named) continue;
        weir_fail(
            error, WEIR_INVALID,
            "without isolation `%s` is the host's, where attempts would meet: the command does "
            "not name it",
            alias->at);
        weir_error_hint(error, "run it isolated, or give the command the path as an argument");
        return false;
    }
    return true;
}

/* What is in every sandbox is in its folder, of which the variable is told: in s->path. */
static weir_str own_variable(start *s, weir_str variable) {
    bool home = weir_str_is(variable, "HOME=" WEIR_SANDBOX_HOME);
    if (!home && !weir_str_is(variable, WEIR_SANDBOX_PROGRESS)) return variable;
    weir_buffer_clear(&s->path);
    weir_buffer_printf(&s->path, home ? "HOME=%s" : "ARGO_PROGRESS_FILE=%s/%s", s->sandbox->folder,
                       WEIR_SANDBOX_PROGRESS_NAME);
    return weir_buffer_str(&s->path);
}

static const char *const *replace_all(start *s, const char *const *texts, weir_str first) {
    size_t count = 0;
    while (texts[count]) count++;
    const char **copies = weir_arena_alloc(&s->arena, (count + 1) * sizeof *copies);
    for (size_t i = 0; i < count; i++) {
        weir_str text = own_variable(s, weir_str_from(texts[i]));
        if (first.length && weir_str_starts(text, WEIR_STR("PATH="))) {
            weir_buffer path = {0};
            weir_buffer_printf(&path, "PATH=%.*s%s", WEIR_ARG(first), texts[i] + 5);
            copies[i] = weir_str_copy(&s->arena, weir_buffer_str(&path));
            weir_buffer_deinit(&path);
        } else {
            copies[i] = replace_paths(s, text);
        }
    }
    return copies;
}

static bool make_directory(start *s, weir_process_options *options, weir_error *error) {
    const char *directory = s->spec->directory;
    options->directory = s->sandbox->folder;
    if (!directory || !*directory) return true;
    weir__alias *alias = alias_at(s->sandbox, weir_str_from(directory), 0);
    if (alias) alias->named = true;
    if (alias) {
        options->directory = replace_paths(s, weir_str_from(directory));
        return true;
    }
    if (!make_above(s, weir_str_from(directory), error)) return false;
    if (mkdir(s->path.data, 0755) < 0 && errno != EEXIST)
        return weir_fail(error, WEIR_IO, "`%s` cannot be made: %s", s->path.data, strerror(errno));
    options->directory = weir_str_copy(&s->arena, weir_buffer_str(&s->path));
    add_alias(s->sandbox, weir_str_from(directory), options->directory, false);
    return true;
}

static const char *const *keep_texts(weir_arena *arena, const char *const *texts) {
    size_t count = 0;
    while (texts[count]) count++;
    const char **copies = weir_arena_alloc(arena, (count + 1) * sizeof *copies);
    for (size_t i = 0; i < count; i++) copies[i] = weir_str_copy(arena, weir_str_from(texts[i]));
    return copies;
}

/* As the command has it; that paths are named by what asks alone is no reason to be content. */
static void keep_asking(start *s, const weir_process_options *options) {
    weir__asking *asking = &s->sandbox->asking;
    if (!s->spec->asking) return;
    asking->argv = keep_texts(&asking->arena, replace_all(s, s->spec->asking, WEIR_STR("")));
    asking->environment = keep_texts(&asking->arena, options->environment);
    asking->directory = weir_str_copy(&asking->arena, weir_str_from(options->directory));
}

static bool fill(start *s, weir_process_options *options, weir_error *error) {
    const weir_sandbox_spec *spec = s->spec;
    if (!weir__plain_folder(s->sandbox, error) || !name_mounts(s, error) ||
        !make_directory(s, options, error) || !name_outputs(s, error))
        return false;
    options->argv = replace_all(s, spec->argv, WEIR_STR(""));
    options->environment = replace_all(s, spec->environment, weir_buffer_str(&s->search));
    for (size_t i = 0; i < spec->mount_count; i++)
        if (spec->mounts[i].kind == WEIR_MOUNT_CONTENT &&
            !write_content(s, &spec->mounts[i], error))
            return false;
    if (!all_named(s->sandbox, error)) return false;
    keep_asking(s, options);
    return true;
}

/* It runs already, but has not done much yet. */
static void limit_process(const weir_process *process, const weir_sandbox_spec *spec) {
    const struct {
        int resource;
        uint64_t most;
    } limits[] = {{RLIMIT_DATA, spec->memory_bytes_max}, {RLIMIT_FSIZE, spec->file_bytes_max}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit limit = {.rlim_cur = limits[i].most, .rlim_max = limits[i].most};
        if (limits[i].most) /* of one that has ended it does not matter */
            (void)prlimit((pid_t)weir_process_pid(process), (__rlimit_resource_t)limits[i].resource,
                          &limit, NULL);
    }
}

bool weir__plain_start(weir_sandbox *sandbox, weir_loop *loop, const weir_sandbox_spec *spec,
                       const weir_process_options *callbacks, weir_process **process,
                       weir_error *error) {
    start s = {.sandbox = sandbox, .spec = spec};
    weir_process_options options = *callbacks;
    bool ok = fill(&s, &options, error) && weir_process_start(loop, &options, process, error);
    if (ok) limit_process(*process, spec);
    if (!ok && error->code == WEIR_NOT_FOUND && spec->image.length)
        weir_error_context(error, "image `%.*s`", WEIR_ARG(spec->image));
    weir_arena_deinit(&s.arena);
    weir_buffer_deinit(&s.path);
    weir_buffer_deinit(&s.search);
    return ok;
}

bool weir__plain_open(const weir_sandbox *sandbox, const char *path, int *out, weir_error *error) {
    const weir__alias *alias = alias_at(sandbox, weir_str_from(path), 0);
    if (!alias) return weir_fail(error, WEIR_INVALID, "without isolation `%s` is the host's", path);
    int base = open(alias->instead, O_PATH | O_CLOEXEC);
    const char *rest = path + strlen(alias->at);
    while (*rest == '/') rest++;
    struct open_how how = {.flags = WEIR__OPEN_FLAGS,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    *out = -1;
    if (base >= 0)
        *out = *rest ? weir__open_how(base, rest, &how)
                     : open(alias->instead, WEIR__OPEN_FLAGS | O_NOFOLLOW);
    int reason = errno;
    if (base >= 0) close(base);
    errno = reason;
    return *out >= 0 || weir__open_failed(path, error);
}
