/* Outputs of attempts in images of several users, which the engine, one of them without rights over the others, may not read as they are: a file
 * is opened in their namespace, of a folder a copy is made there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/remove.h"
#include "executor/sandbox_internal.h"
#include "io/users.h"

enum { DEPTH_MAX = 64 /* of what is deeper a copy is made, which says what is wrong */ };

bool weir__sandboxes_have_users(const weir_sandboxes *s) {
    return s->images && weir_users_get()->space >= 0;
}

static bool may_read_entry(int folder, const char *name, int depth);

/* Takes the descriptor over. */
static bool may_read_folder(int folder, int depth) {
    DIR *stream = fdopendir(folder);
    bool may = stream && depth < DEPTH_MAX;
    for (const struct dirent *entry; may && (entry = readdir(stream));)
        may = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
              may_read_entry(dirfd(stream), entry->d_name, depth);
    if (stream)
        closedir(stream);
    else
        close(folder);
    return may;
}

static bool may_read_entry(int folder, const char *name, int depth) {
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return false;
    if (S_ISREG(info.st_mode)) return faccessat(folder, name, R_OK, AT_EACCESS) == 0;
    if (!S_ISDIR(info.st_mode)) return true;
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return inner >= 0 && may_read_folder(inner, depth + 1);
}

bool weir__users_may_read(int fd) {
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISDIR(info.st_mode)) return true;
    int folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 && may_read_folder(folder, 0);
}

bool weir__users_show(const weir_sandbox *sandbox, const char *path, int *out, weir_error *error) {
    weir_buffer name = {0};
    weir_buffer_printf(&name, "%s/shown-XXXXXX", sandbox->sandboxes->folder);
    int into = weir__folder_lock(name.data);
    bool ok = into >= 0 || weir_fail(error, WEIR_IO, "the folder `%s` cannot be made: %s",
                                     name.data, strerror(errno));
    ok = ok && weir_users_open(sandbox->root, path, into, out, error);
    if (ok && *out < 0) *out = fcntl(into, F_DUPFD_CLOEXEC, 0);
    ok = ok &&
         (*out >= 0 || weir_fail(error, WEIR_IO, "`%s` cannot be read: %s", path, strerror(errno)));
    if (into >= 0) {
        *weir_vector_push(&sandbox->shown->folders) = name.data;
        *weir_vector_push(&sandbox->shown->locks) = into;
    } else {
        weir_buffer_deinit(&name);
    }
    return ok;
}

void weir_sandbox_forget(const weir_sandbox *sandbox) {
    weir__shown *shown = sandbox->shown;
    for (size_t i = 0; i < shown->folders.count; i++) {
        (void)weir_sandbox_remove(shown->folders.items[i]);
        close(shown->locks.items[i]);
        weir_free(shown->folders.items[i]);
    }
    weir_vector_deinit(&shown->folders);
    weir_vector_deinit(&shown->locks);
    *shown = (weir__shown){0};
}
