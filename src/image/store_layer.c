/* Blobs of layers become layers, and manifests whose layers are here get names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/remove.h"
#include "image/layer.h"
#include "image/store_internal.h"
#include "io/users.h"

enum { PROGRESS_MS = 100, WAIT_NS = 20 * 1000 * 1000 };

/* Somebody watches a layer. */
typedef struct watching {
    const weir_image_watch *watch;
    uint64_t size, told_ms;
} watching;

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool watched(void *arg, uint64_t read) {
    watching *w = arg;
    uint64_t now = now_ms();
    if (now - w->told_ms < PROGRESS_MS) return true;
    w->told_ms = now;
    if (w->watch->progress) {
        const weir_image_progress progress = {
            .what = "unpacking", .bytes = read, .bytes_all = w->size, .parts_all = 1};
        w->watch->progress(w->watch->arg, &progress);
    }
    return !w->watch->goes_on || w->watch->goes_on(w->watch->arg);
}

/* By what it says of itself; what is in it tells how it is compressed. */
static bool is_layer(const char *type, weir_error *error) {
    static const char *const refused[] = {"encrypted", "foreign"};
    for (size_t i = 0; type && i < sizeof refused / sizeof *refused; i++)
        if (strstr(type, refused[i])) {
            weir_fail(error, WEIR_UNSUPPORTED, "the image has a layer of the kind `%.100s`", type);
            weir_error_hint(error, "such layers cannot be had, or not be read, here");
            return false;
        }
    if (!type || !*type || strstr(type, "tar")) return true;
    weir_fail(error, WEIR_UNSUPPORTED, "the image has a layer of the kind `%.100s`, no archive",
              type);
    weir_error_hint(error, "it may be an artifact that is kept in a registry, and no image");
    return false;
}

/* What it became is noted beside it. */
static bool note_size(int lock, const weir__layer_outcome *outcome) {
    char text[64];
    int length = snprintf(text, sizeof text, "%llu %llu\n", (unsigned long long)outcome->bytes,
                          (unsigned long long)outcome->entries);
    return ftruncate(lock, 0) == 0 && pwrite(lock, text, (size_t)length, 0) == length;
}

/* A new folder, locked while it is filled; it becomes a layer at the end. */
typedef struct filling {
    weir_image_store *store;
    int root, folder;
    weir_buffer path;
    weir__layer_outcome outcome;
} filling;

static bool fill(filling *f, const char *blob, const char *hex, FILE *owners,
                 const weir_image_watch *watch, weir_error *error) {
    char what[96];
    uint64_t size = 0;
    const weir__layer_functions *library;
    if (!weir__layer_open(&library, error)) return false;
    int fd = weir__image_blob(f->store, blob, &size);
    if (fd < 0)
        return weir_fail(error, WEIR_NOT_FOUND, "the blob %.80s of a layer is not here", blob);
    watching w = {.watch = watch, .size = size, .told_ms = 0};
    snprintf(what, sizeof what, "layer %s%.72s", hex ? "sha256:" : "", hex ? hex : blob);
    const weir__layer_request request = {.what = what,
                                         .blob = fd,
                                         .size = size,
                                         .folder = f->folder,
                                         .diff_id = hex,
                                         .owners = owners,
                                         .goes_on = watch ? watched : NULL,
                                         .arg = &w};
    bool ok = library->unpack(&request, &f->outcome, error);
    close(fd);
    return ok;
}

/* A file without a name, for the list of owners. */
static FILE *open_list(const weir_image_store *store, weir_error *error) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/new/owners-XXXXXX", store->folder);
    int fd = mkostemp(path.data, O_CLOEXEC);
    if (fd >= 0) (void)unlink(path.data);
    weir_buffer_deinit(&path);
    FILE *list = fd >= 0 ? fdopen(fd, "w+e") : NULL;
    if (!list) {
        weir__image_failed(store, "a list of owners cannot be made", error);
        if (fd >= 0) close(fd);
    }
    return list;
}

/* What an ordinary user unpacks is his own, and then given to the users that he has. */
static bool fill_and_give(filling *f, const char *blob, const char *hex,
                          const weir_image_watch *watch, weir_error *error) {
    if (weir_users_get()->space < 0) return fill(f, blob, hex, NULL, watch, error);
    FILE *list = open_list(f->store, error);
    if (!list) return false;
    bool ok = fill(f, blob, hex, list, watch, error) &&
              ((fflush(list) == 0 && !ferror(list)) ||
               weir__image_failed(f->store, "owners cannot be noted", error));
    ok = ok && (ftell(list) == 0 || weir_users_give(f->folder, fileno(list), error));
    fclose(list);
    return ok;
}

static bool begin_filling(filling *f, weir_error *error) {
    weir_buffer_printf(&f->path, "%s/new/layer-XXXXXX", f->store->folder);
    f->folder = weir__folder_lock(f->path.data);
    return f->folder >= 0 || weir__image_failed(f->store, "a folder cannot be made", error);
}

static bool become_layer(const filling *f, int lock, weir_error *error) {
    char name[WEIR__IMAGE_FILE_BYTES];
    weir__image_layer_file(name, f->outcome.diff_id, "");
    return (note_size(lock, &f->outcome) && renameat(AT_FDCWD, f->path.data, f->root, name) == 0) ||
           weir__image_failed(f->store, "a layer cannot be kept", error);
}

static void end_filling(filling *f, bool kept) {
    if (!kept && f->folder >= 0) weir__image_remove_folder(f->path.data);
    if (f->folder >= 0) close(f->folder);
    weir_buffer_deinit(&f->path);
}

static bool unpack_locked(weir_image_store *store, int root, const char *blob, const char *hex,
                          const weir_image_watch *watch, int lock, weir_error *error) {
    if (weir__image_layer_here(root, hex)) return true; /* another was quicker */
    filling f = {.store = store, .root = root, .folder = -1};
    bool ok = begin_filling(&f, error) && fill_and_give(&f, blob, hex, watch, error) &&
              become_layer(&f, lock, error);
    end_filling(&f, ok);
    return ok;
}

/* Waits for who unpacks the same. Who holds the layer while it is gone (somebody removed it by hand) would be waited for, too: so it can be cancelled. */
static int lock_layer(const weir_image_store *store, int root, const char *name,
                      const weir_image_watch *watch, weir_error *error) {
    for (;;) {
        int lock = weir__image_lock(root, name, LOCK_EX | LOCK_NB);
        if (lock >= 0) return lock;
        if (errno != EWOULDBLOCK) {
            weir__image_failed(store, "a layer cannot be locked", error);
            return -1;
        }
        if (watch && watch->goes_on && !watch->goes_on(watch->arg)) {
            weir_fail(error, WEIR_CANCELLED, "%s: it was told to end", name);
            return -1;
        }
        nanosleep(&(struct timespec){0, WAIT_NS}, NULL);
    }
}

/* It is here, and stays for now: its time says that somebody wants it, who may have no name for it yet. */
static bool is_unpacked(int root, const char *hex, const char *name) {
    if (!weir__image_layer_here(root, hex)) return false;
    int lock = weir__image_lock(root, name, LOCK_SH | LOCK_NB);
    if (lock < 0) return false;
    (void)futimens(lock, NULL);
    bool here = weir__image_layer_here(root, hex);
    close(lock);
    return here;
}

bool weir__image_unpack(weir_image_store *store, const char *blob, const char *media_type,
                        const char *diff_id, const weir_image_watch *watch, weir_error *error) {
    char name[WEIR__IMAGE_FILE_BYTES];
    const char *hex = weir__image_hex_checked(diff_id, error);
    if (!hex || !is_layer(media_type, error)) return false;
    int root = weir__image_root(store, true, error);
    if (root < 0) return false;
    weir__image_layer_file(name, hex, ".lock");
    bool ok = is_unpacked(root, hex, name);
    int lock = ok ? -1 : lock_layer(store, root, name, watch, error);
    if (lock >= 0) {
        ok = unpack_locked(store, root, blob, hex, watch, lock, error);
        close(lock);
    }
    close(root);
    return ok;
}

bool weir__image_unpack_any(weir_image_store *store, const char *blob,
                            const weir_image_watch *watch, char diff_id[static 72],
                            weir_error *error) {
    char name[WEIR__IMAGE_FILE_BYTES];
    filling f = {.store = store, .folder = -1};
    f.root = weir__image_root(store, true, error);
    if (f.root < 0) return false;
    bool kept = false, ok = begin_filling(&f, error) && fill_and_give(&f, blob, NULL, watch, error);
    const char *hex = f.outcome.diff_id;
    if (ok) {
        weir__image_layer_file(name, hex, ".lock");
        int lock =
            is_unpacked(f.root, hex, name) ? -1 : lock_layer(store, f.root, name, watch, error);
        if (lock >= 0) {
            kept = !weir__image_layer_here(f.root, hex) && become_layer(&f, lock, error);
            close(lock);
        }
        ok = weir__image_layer_here(f.root, hex);
    }
    if (ok) snprintf(diff_id, WEIR__IMAGE_DIGEST_BYTES, "sha256:%s", hex);
    end_filling(&f, kept);
    close(f.root);
    return ok;
}

bool weir__image_complete(weir_image_store *store, const weir_image_name *name,
                          const weir_image_watch *watch, weir_error *error) {
    weir_value *index = NULL;
    weir__image_parts parts = {0};
    weir__image_work *work = NULL;
    int root = weir__image_root(store, false, error);
    if (root < 0) return false;
    bool ok = weir__image_enter(store, &work, error) &&
              weir__image_index_read(store, root, &index, error);
    size_t at = ok ? weir__image_index_find(index, name, NULL) : SIZE_MAX;
    if (ok && at == SIZE_MAX) ok = weir__image_not_here(store, name, "", error);
    if (ok) {
        const weir_value *entry = weir_array_at(weir_member_named(index, "manifests"), at);
        ok = weir__image_parts_read(store, root, weir__image_entry_digest(entry).data, &parts,
                                    error);
    }
    for (size_t i = 0; ok && i < parts.layers.count; i++) {
        const weir__image_layer *layer = &parts.layers.items[i];
        ok = weir__image_unpack(store, layer->digest, layer->media_type, layer->diff_id, watch,
                                error);
    }
    weir__image_parts_deinit(&parts);
    weir_value_unref(index);
    weir__image_leave(work);
    close(root);
    return ok;
}

/* --- names ---------------------------------------------------------------------------------- */

static bool all_here(int root, const weir__image_parts *parts, weir_error *error) {
    for (size_t i = 0; i < parts->layers.count; i++) {
        const weir__image_layer *layer = &parts->layers.items[i];
        if (weir__image_blob_here(root, weir__image_hex(layer->digest)) &&
            weir__image_layer_here(root, weir__image_hex(layer->diff_id)))
            continue;
        weir_fail(error, WEIR_CONFLICT, "the layer %s of the image went away meanwhile",
                  layer->diff_id);
        weir_error_hint(error, "somebody removed images: try again");
        return false;
    }
    return true;
}

static bool change_index(weir_image_store *store, int root, const weir__image_parts *parts,
                         const char *name, const char *pinned, weir_error *error) {
    weir_value *index = NULL;
    if (!weir__image_index_read(store, root, &index, error)) return false;
    weir_value *changed = weir__image_index_with(index, parts, name, pinned);
    bool ok = weir__image_index_write(store, root, changed, error);
    weir_value_unref(changed);
    weir_value_unref(index);
    return ok;
}

bool weir__image_name_it(weir_image_store *store, const weir_image_name *name, const char *manifest,
                         const char *pinned, weir_error *error) {
    char file[WEIR__IMAGE_FILE_BYTES];
    weir__image_parts parts = {0};
    weir_buffer text = {0};
    if (!weir__image_hex_checked(manifest, error) ||
        (pinned && *pinned && !weir__image_hex_checked(pinned, error)))
        return false;
    int root = weir__image_root(store, true, error);
    if (root < 0) return false;
    weir_image_name_append(name, &text);
    int lock = weir__image_lock(root, "lock", LOCK_EX);
    bool ok = lock >= 0 || weir__image_failed(store, "it cannot be locked", error);
    ok = ok && weir__image_parts_read(store, root, manifest, &parts, error) &&
         all_here(root, &parts, error) &&
         change_index(store, root, &parts, text.data, pinned, error);
    if (ok) {
        int used = weir__image_lock(root, weir__image_file(file, "images/", manifest + 7, ""),
                                    LOCK_SH | LOCK_NB);
        if (used >= 0) {
            (void)futimens(used, NULL);
            close(used);
        }
    }
    weir__image_parts_deinit(&parts);
    weir_buffer_deinit(&text);
    if (lock >= 0) close(lock);
    close(root);
    return ok;
}
