/* Out of the repository, into folders of people. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "artifact/repository_internal.h"
#include "base/descriptor.h"

/* Where something new is made before it gets its name. */
typedef struct target {
    int folder;
    char part[64];
} target;

static bool open_target(const char *folder, target *t, weir_error *error) {
    snprintf(t->part, sizeof t->part, ".weir-%ld.part", (long)getpid());
    t->folder = weir__folders_make(folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (t->folder < 0)
        return weir_fail(error, WEIR_IO, "the folder `%.300s` cannot be made: %s", folder,
                         strerror(errno));
    weir__tree_remove(t->folder, t->part); /* of one of that number that was killed */
    return true;
}

/* A file replaces one; a folder only what is empty. */
static bool close_target(const target *t, bool ok, const char *folder, const char *name,
                         weir_buffer *path, weir_error *error) {
    if (ok && renameat(t->folder, t->part, t->folder, name) < 0) {
        bool there = errno == EEXIST || errno == ENOTEMPTY || errno == EISDIR || errno == ENOTDIR;
        ok = weir_fail(error, there ? WEIR_CONFLICT : WEIR_IO, "`%.300s/%s`: %s", folder, name,
                       there ? "there is something already" : strerror(errno));
        if (there) weir_error_hint(error, "remove it, or name another folder");
    }
    if (!ok) weir__tree_remove(t->folder, t->part);
    if (ok) weir_buffer_printf(path, "%s/%s", folder, name);
    close(t->folder);
    return ok;
}

bool weir_repository_export(weir_repository *r, const weir_artifact_place *place,
                            const char *folder, weir_buffer *path, weir_error *error) {
    weir_buffer key = {0};
    target t;
    bool ok = weir__key_clean(place->key, &key, error) &&
              (key.length || weir_fail(error, WEIR_INVALID, "the key is empty"));
    const char *slash = ok ? strrchr(key.data, '/') : NULL;
    ok = ok && open_target(folder, &t, error) &&
         close_target(&t,
                      weir_repository_load(r, place, WEIR_STR(""), WEIR_ARTIFACT_PLAIN, t.folder,
                                           t.part, NULL, error),
                      folder, slash ? slash + 1 : key.data, path, error);
    weir_buffer_deinit(&key);
    return ok;
}

bool weir_artifact_export(weir_str text, const char *folder, weir_str name, weir_buffer *path,
                          weir_error *error) {
    weir_buffer clean = {0};
    target t;
    bool ok = (name.length && !memchr(name.data, '/', name.length)) ||
              weir_fail(error, WEIR_INVALID, "`%.*s` is no file's name", WEIR_ARG(name));
    ok = ok && weir__key_clean(name, &clean, error) && open_target(folder, &t, error);
    if (ok) {
        int fd = openat(t.folder, t.part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        bool made = fd >= 0 && weir_descriptor_write(fd, text);
        if (fd >= 0 && close(fd) < 0) made = false;
        if (!made) (void)weir_fail(error, WEIR_IO, "it cannot be written: %s", strerror(errno));
        ok = close_target(&t, made, folder, clean.data, path, error);
    }
    weir_buffer_deinit(&clean);
    return ok;
}
