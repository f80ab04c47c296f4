/* Images from files. What comes in is put in as a pull does it. */
#include "image/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TELL_MS = 100 };

bool weir__import_refuse(const weir__import *import, const char *why) {
    return weir_fail(import->error, WEIR_INVALID, "`%.200s`: %s", import->path, why);
}

bool weir__import_failed(const weir__import *import, const char *doing) {
    return weir_fail(import->error, WEIR_IO, "`%.200s`: %s: %s", import->path, doing,
                     strerror(errno));
}

bool weir__import_goes_on(weir__import *import, uint64_t bytes) {
    struct timespec now;
    const weir_image_watch *watch = import->watch;
    if (!watch) return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (ms - import->told_ms < TELL_MS) return true;
    import->told_ms = ms;
    const weir_image_progress progress = {
        .what = "importing", .bytes = bytes, .bytes_all = import->size};
    if (watch->progress) watch->progress(watch->arg, &progress);
    return !watch->goes_on || watch->goes_on(watch->arg) ||
           weir_fail(import->error, WEIR_CANCELLED, "`%.200s`: it was told to end", import->path);
}

static bool open_file(weir__import *import) {
    struct stat info;
    import->fd = open(import->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (import->fd < 0 && errno == ENOENT)
        return weir_fail(import->error, WEIR_NOT_FOUND, "there is no `%.200s`", import->path);
    if (import->fd < 0 || fstat(import->fd, &info) < 0)
        return weir__import_failed(import, "it cannot be opened");
    import->is_folder = S_ISDIR(info.st_mode);
    import->size = import->is_folder ? 0 : (uint64_t)info.st_size;
    if (import->is_folder || S_ISREG(info.st_mode)) return true;
    return weir__import_refuse(import, "it is neither a file nor a folder");
}

static bool import_folder(weir__import *import) {
    weir_buffer index = {0};
    weir_error problem = {0};
    const weir_image_store folder = {.folder = (char *)(uintptr_t)import->path};
    bool ok = weir__image_slurp(&folder, import->fd, "index.json", WEIR__IMAGE_INDEX_MAX, &index,
                                &problem);
    if (ok)
        ok = weir__import_layout(import, weir_buffer_str(&index));
    else if (problem.code == WEIR_NOT_FOUND) {
        ok = weir__import_refuse(import, "a folder without index.json is no OCI image layout");
        weir_error_hint(
            import->error,
            "of a root file system, `tar -C FOLDER -c .` makes a file that can be imported");
    } else
        *import->error = problem;
    weir_buffer_deinit(&index);
    return ok;
}

static bool import_archive(weir__import *import) {
    bool is_root;
    if (!weir__import_gather(import, &is_root)) return false;
    if (is_root) return weir__import_root(import);
    const weir__import_file *index = weir__import_find(import, "index.json"),
                            *manifest = weir__import_find(import, "manifest.json");
    if (index && !*index->digest) return weir__import_layout(import, weir_buffer_str(&index->text));
    if (manifest && !*manifest->digest)
        return weir__import_docker(import, weir_buffer_str(&manifest->text));
    return weir__import_refuse(
        import, "it has neither index.json nor manifest.json: it is no image, or is cut off");
}

static void end_import(weir__import *import) {
    for (size_t i = 0; i < import->files.count; i++) {
        weir_free(import->files.items[i].name);
        weir_free(import->files.items[i].link);
        weir_buffer_deinit(&import->files.items[i].text);
    }
    weir_vector_deinit(&import->files);
    if (import->fd >= 0) close(import->fd);
    weir_value_unref(import->names);
}

bool weir_image_import(weir_image_store *store, const char *path, const weir_image_name *name,
                       const weir_image_watch *watch, weir_value **out, weir_error *error) {
    weir__image_work *work = NULL;
    weir__import import = {
        .store = store, .path = path, .name = name, .watch = watch, .fd = -1, .error = error};
    import.names = weir_array_new();
    bool ok = open_file(&import) && weir__image_enter(store, &work, error) &&
              (import.is_folder ? import_folder(&import) : import_archive(&import));
    if (ok) *out = weir_value_ref(import.names);
    end_import(&import);
    weir__image_leave(work);
    return ok;
}
