#include "executor/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/open.h"
#include "executor/sandbox_internal.h"

enum { NAME_BYTES_MAX = 253, FOLDER_MODE = 0777, FILE_MODE = 0644, MAKE_TRIES_MAX = 100 };

/* What is looked for, and what for. */
typedef struct finding {
    const weir_sandbox_folders *folders;
    const weir_secrets *secrets;
    const weir_value *mount;
    weir_arena *arena;
    weir_error *error;
} finding;

static bool failed(const finding *f, const char *path) {
    return weir_fail(f->error, WEIR_IO, "the folder `%s` cannot be made: %s", path,
                     strerror(errno));
}

static bool flag(const weir_value *object, const char *key) {
    const weir_value *value = weir_member_named(object, key);
    return weir_is(value, WEIR_BOOL) && weir_bool_get(value);
}

/* --- contents ---------------------------------------------------------------------------------- */

static bool read_machine(const weir_value *value, weir_str what, weir_arena *arena, weir_str *out,
                         weir_error *error) {
    const weir_value *unit = weir_member_named(value, "divisor");
    double divisor = weir_is(unit, WEIR_FLOAT) ? weir_number_get(unit) : 1;
    double amount = (double)sysconf(_SC_NPROCESSORS_ONLN);
    char text[256] = "";
    if (weir_str_is(what, "name")) {
        gethostname(text, sizeof text - 1);
    } else if (weir_str_is(what, "cpu") || weir_str_is(what, "memory")) {
        if (weir_str_is(what, "memory"))
            amount = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
        snprintf(text, sizeof text, "%.0f", ceil(amount / (divisor > 0 ? divisor : 1)));
    } else {
        return weir_fail(error, WEIR_INVALID, "`%.*s` is not known of this machine",
                         WEIR_ARG(what));
    }
    *out = weir_str_from(weir_str_copy(arena, weir_str_from(text)));
    return true;
}

bool weir_content_read(const weir_value *value, const weir_secrets *secrets, weir_arena *arena,
                       weir_str *out, bool *left_out, weir_error *error) {
    weir_str machine = weir_member_text(value, "machine"), name = weir_member_text(value, "secret");
    *left_out = false;
    if (weir_is(value, WEIR_STRING)) {
        *out = weir_string_get(value);
        return true;
    }
    if (machine.length) return read_machine(value, machine, arena, out, error);
    const char *secret = weir_secrets_find(secrets, name);
    *left_out = !secret && flag(value, "optional");
    if (!secret && !*left_out)
        return weir_fail(
            error, WEIR_INVALID,
            "there is no secret `%.*s`; give it with --secret %.*s=env:VARIABLE or =@FILE",
            WEIR_ARG(name), WEIR_ARG(name));
    if (secret) *out = weir_str_from(secret);
    return true;
}

/* --- folders ----------------------------------------------------------------------------------- */

static bool is_name(weir_str name) {
    return name.length && name.length <= NAME_BYTES_MAX && name.data[0] != '.' &&
           !memchr(name.data, '/', name.length) && !memchr(name.data, '\0', name.length);
}

/* With those above it, which stay this user's. */
static bool make_folders(const finding *f, char *path) {
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST || failed(f, path);
        *slash = '/';
        if (!ok) return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST || failed(f, path);
}

static bool give_path(const finding *f, const char *path, weir_str *out) {
    char *full = realpath(path, NULL);
    if (!full)
        return weir_fail(f->error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                         "`%s` cannot be mounted: %s", path, strerror(errno));
    *out = weir_str_from(weir_str_copy(f->arena, weir_str_from(full)));
    free(full);
    return true;
}

/* Under its name only once it is as it should be: who makes it may be killed. */
static bool make_volume(const finding *f, const char *base, const char *path) {
    if (access(path, F_OK) == 0) return true;
    weir_buffer made = {0};
    weir_buffer_printf(&made, "%s/.new-XXXXXX", base);
    bool ok = mkdtemp(made.data) && chmod(made.data, FOLDER_MODE) == 0;
    bool there = ok && renameat2(AT_FDCWD, made.data, AT_FDCWD, path, RENAME_NOREPLACE) < 0;
    int reason = errno;
    if (there) rmdir(made.data);
    weir_buffer_deinit(&made);
    errno = reason;
    return (ok && (!there || errno == EEXIST)) || failed(f, path);
}

/* The folder of that name below `base`. */
static bool find_folder(const finding *f, const char *base, weir_str name, weir_str *source) {
    if (!is_name(name))
        return weir_fail(f->error, WEIR_INVALID, "`%.*s` is no name of a volume", WEIR_ARG(name));
    weir_buffer path = {0};
    weir_buffer_text(&path, base);
    bool ok = make_folders(f, path.data);
    weir_buffer_printf(&path, "/%.*s", WEIR_ARG(name));
    ok = ok && make_volume(f, base, path.data) && give_path(f, path.data, source);
    weir_buffer_deinit(&path);
    return ok;
}

static bool find_host(const finding *f, weir_str *source) {
    weir_buffer path = {0};
    weir_buffer_str_append(&path, weir_member_text(f->mount, "host"));
    bool absolute = weir_str_starts(weir_buffer_str(&path), WEIR_STR("/"));
    bool ok = absolute || weir_fail(f->error, WEIR_INVALID,
                                    "what is mounted must be absolute, not `%s`", path.data);
    if (ok && flag(f->mount, "create")) ok = make_folders(f, path.data);
    ok = ok && give_path(f, path.data, source);
    weir_buffer_deinit(&path);
    return ok;
}

/* --- below a folder ------------------------------------------------------------------------------ */

static bool is_path(weir_str path) {
    if (!path.length || path.length >= 4096 || path.data[0] == '/' ||
        memchr(path.data, '\0', path.length))
        return false;
    for (size_t from = 0; from <= path.length;) {
        size_t end = weir_str_find(path, WEIR_STR("/"), from);
        if (end == SIZE_MAX) end = path.length;
        if (weir_str_is(weir_str_slice(path, from, end), "..")) return false;
        from = end + 1;
    }
    return true;
}

static int open_beneath(int base, const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    return weir__open_how(base, path, &how);
}

/* A step may change what is there at any moment: only the folder that was made here gets its mode, by a descriptor. True also when there
 * is something by now. */
static bool make_entry(int folder, const char *name, mode_t mode) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (mkdirat(folder, name, 0700) < 0) return errno == EEXIST;
    int fd = weir__open_how(folder, name, &how);
    bool ok = fd >= 0 && fchmod(fd, mode) == 0;
    int reason = errno;
    if (fd >= 0) close(fd);
    errno = reason;
    return ok;
}

/* The folder `path`, whose last name begins at `name`, below the base; made when it is not there. Links lead within the base, or
 * nowhere. */
static bool make_one(int base, char *path, char *name, mode_t mode) {
    for (int tries = 0; tries < MAKE_TRIES_MAX; tries++) {
        int fd = open_beneath(base, path);
        if (fd >= 0) {
            close(fd);
            return true;
        }
        if (errno != ENOENT) return false;
        if (name > path) name[-1] = '\0';
        int folder = name > path ? open_beneath(base, path) : dup(base);
        if (name > path) name[-1] = '/';
        bool made = folder >= 0 && make_entry(folder, name, mode);
        int reason = errno;
        if (folder >= 0) close(folder);
        errno = reason;
        if (!made) return false;
    }
    errno = ELOOP; /* a link to nothing, or somebody takes it away again and again */
    return false;
}

/* All folders of the path; the last one only with `whole`. */
static bool make_beneath(const finding *f, int base, char *path, bool whole, mode_t mode) {
    for (char *at = path; *at;) {
        char *end = at + strcspn(at, "/"), next = *end;
        *end = '\0';
        if ((next || whole) && !make_one(base, path, at, mode))
            return weir_fail(f->error, errno == EXDEV || errno == ELOOP ? WEIR_INVALID : WEIR_IO,
                             "the path `%s` of a volume leads nowhere within it: %s", path,
                             strerror(errno));
        *end = next;
        at = end + strspn(end, "/");
    }
    return true;
}

static bool find_beneath(const finding *f, weir_mount *out) {
    weir_str sub = weir_member_text(f->mount, "sub_path");
    if (!sub.length) return true;
    if (!is_path(sub))
        return weir_fail(f->error, WEIR_INVALID,
                         "`%.*s` is no path below a volume: it is relative, without `..`",
                         WEIR_ARG(sub));
    char *path = (char *)(uintptr_t)weir_str_copy(f->arena, sub);
    int base = open(out->source.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool ok = base >= 0 || weir_fail(f->error, WEIR_IO, "the volume `%s` cannot be opened: %s",
                                     out->source.data, strerror(errno));
    bool given = weir_member_named(f->mount, "files") != NULL;
    ok = ok && (given || make_beneath(f, base, path, true, FOLDER_MODE));
    if (base >= 0) close(base);
    if (ok) out->beneath = weir_str_from(path);
    return ok;
}

/* --- files ---------------------------------------------------------------------------------------- */

typedef struct writing {
    const finding *f;
    int folder;
    size_t files, bytes;
} writing;

static bool write_file(writing *w, weir_str path, const weir_value *mode, weir_str content) {
    const finding *f = w->f;
    if (!is_path(path))
        return weir_fail(f->error, WEIR_INVALID,
                         "`%.*s` is no path below a volume: it is relative, without `..`",
                         WEIR_ARG(path));
    w->bytes += content.length;
    if (++w->files > WEIR_VOLUME_FILES_MAX || w->bytes > WEIR_SANDBOX_CONTENT_BYTES_MAX)
        return weir_fail(f->error, WEIR_LIMIT,
                         "a volume of config maps and secrets has at most %d files and %d bytes",
                         WEIR_VOLUME_FILES_MAX, WEIR_SANDBOX_CONTENT_BYTES_MAX);
    char *name = (char *)(uintptr_t)weir_str_copy(f->arena, path);
    if (!make_beneath(f, w->folder, name, false, 0755)) return false;
    int64_t bits = weir_is(mode, WEIR_INT) ? weir_int_get(mode) : FILE_MODE;
    (void)unlinkat(w->folder, name, 0); /* of two sources the later one counts */
    int fd = openat(w->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && weir_descriptor_write(fd, content) &&
              fchmod(fd, (mode_t)bits & FOLDER_MODE) == 0;
    if (!ok)
        weir_fail(f->error, WEIR_IO, "the file `%s` of a volume cannot be written: %s", name,
                  strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

/* All keys of a secret. */
static bool write_secret(writing *w, const weir_value *source) {
    const weir_secrets *secrets = w->f->secrets;
    weir_buffer prefix = {0};
    size_t before = w->files;
    bool ok = true;
    weir_buffer_printf(&prefix, "%.*s.", WEIR_ARG(weir_member_text(source, "secret")));
    for (size_t i = 0; ok && secrets && i < secrets->count; i++) {
        const struct weir__secret *secret = &secrets->items[i];
        if (!secret->name ||
            !weir_str_starts(weir_str_from(secret->name), weir_buffer_str(&prefix)))
            continue;
        ok = write_file(w, weir_str_from(secret->name + prefix.length),
                        weir_member_named(source, "mode"), weir_str_from(secret->value));
    }
    if (ok && w->files == before && !flag(source, "optional"))
        ok = weir_fail(w->f->error, WEIR_INVALID,
                       "there is no secret `%.*s`: --library FILE gives weir a file with it, or "
                       "--secret %sKEY=@FILE a key of it",
                       (int)prefix.length - 1, prefix.data, prefix.data);
    weir_buffer_deinit(&prefix);
    return ok;
}

static bool write_one(writing *w, const weir_value *file) {
    const weir_value *content = weir_member_named(file, "content");
    weir_str text = {0};
    bool left_out;
    if (!content) return write_secret(w, file);
    if (!weir_content_read(content, w->f->secrets, w->f->arena, &text, &left_out, w->f->error))
        return false;
    return left_out ||
           write_file(w, weir_member_text(file, "path"), weir_member_named(file, "mode"), text);
}

/* A folder of the attempt's, with what the mount says. */
static bool find_files(const finding *f, const weir_value *files, weir_str *source) {
    weir_buffer path = {0};
    weir_buffer_text(&path, f->folders->scratch);
    bool ok = make_folders(f, path.data);
    weir_buffer_text(&path, "/.files-XXXXXX");
    ok = ok && ((mkdtemp(path.data) && chmod(path.data, 0755) == 0) || failed(f, path.data)) &&
         give_path(f, path.data, source);
    writing w = {.f = f, .folder = -1};
    if (ok) w.folder = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = ok && (w.folder >= 0 || failed(f, path.data));
    for (size_t i = 0; ok && i < weir_value_count(files); i++)
        ok = write_one(&w, weir_array_at(files, i));
    if (w.folder >= 0) close(w.folder);
    weir_buffer_deinit(&path);
    return ok;
}

/* --- mounts ----------------------------------------------------------------------------------------- */

bool weir_volume_is(const weir_value *mount) {
    static const char *const kinds[] = {"host", "volume", "scratch", "claim", "files"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (weir_member_named(mount, kinds[i])) return true;
    return false;
}

bool weir_volume_find(const weir_sandbox_folders *folders, const weir_secrets *secrets,
                      const weir_value *mount, weir_arena *arena, weir_mount *out,
                      weir_error *error) {
    const finding f = {folders, secrets, mount, arena, error};
    const weir_value *files = weir_member_named(mount, "files");
    weir_str scratch = weir_member_text(mount, "scratch"),
             volume = weir_member_text(mount, "volume"), claim = weir_member_text(mount, "claim");
    bool ok = weir_member_named(mount, "host") ? find_host(&f, &out->source)
              : weir_is(files, WEIR_ARRAY)     ? find_files(&f, files, &out->source)
              : scratch.length ? find_folder(&f, folders->scratch, scratch, &out->source)
              : volume.length  ? find_folder(&f, folders->volumes, volume, &out->source)
                               : find_folder(&f, folders->claims, claim, &out->source);
    return ok && find_beneath(&f, out);
}
