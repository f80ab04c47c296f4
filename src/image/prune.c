/* What goes: names, images that nobody holds, blobs and layers that no image refers to, and what interrupted work left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/remove.h"
#include "image/store_internal.h"

enum { KEPT_S = 24 * 3600, GONE_TRIES_MAX = 1000 };

/* Of one manifest, which may have several names. */
typedef struct image {
    const char *digest; /* of the index */
    weir__image_parts parts;
    bool known;   /* its parts */
    bool named;   /* some name refers to it */
    bool removed; /* and `lock` is had alone */
    int lock;
    uint64_t used_us;
} image;

typedef struct house {
    weir_image_store *store;
    int root, lock;
    bool alone; /* nobody is putting anything in */
    weir_value *index;
    WEIR_VECTOR(image) images;
    uint64_t freed;
    weir_value *names; /* that were removed */
    weir_error *error;
} house;

static bool failed(const house *h, const char *doing) {
    return weir__image_failed(h->store, doing, h->error);
}

/* --- what there is -------------------------------------------------------------------------- */

static image *image_of(house *h, const char *digest) {
    for (size_t i = 0; i < h->images.count; i++)
        if (strcmp(h->images.items[i].digest, digest) == 0) return &h->images.items[i];
    return NULL;
}

static bool read_image(house *h, const weir_value *entry) {
    char file[WEIR__IMAGE_FILE_BYTES];
    weir_error problem = {0};
    const char *digest = weir__image_entry_digest(entry).data;
    bool named = weir__image_entry_name(entry).length > 0;
    image *known = image_of(h, digest);
    if (known) {
        known->named = known->named || (named && known->parts.manifest);
        return true;
    }
    image new = {.digest = digest, .named = named, .lock = -1};
    weir__image_file(file, "images/", digest + 7, "");
    new.used_us = weir__image_used_us(h->root, file);
    new.known = weir__image_parts_read(h->store, h->root, digest, &new.parts, &problem);
    if (!new.known && problem.code == WEIR_IO) {
        *h->error = problem;
        return false;
    }
    if (problem.code == WEIR_NOT_FOUND) { /* a part of it is lost: nobody can use it */
        new.known = true;
        new.named = false;
    }
    *weir_vector_push(&h->images) = new;
    return true;
}

/* Waits for others who change the index. NOT_FOUND: nothing was ever put in. */
static bool open_house(house *h, weir_image_store *store, weir_error *error) {
    weir_error problem = {0};
    *h = (house){.store = store, .root = -1, .lock = -1, .error = error};
    h->names = weir_array_new();
    h->root = weir__image_root(store, false, &problem);
    if (h->root < 0) {
        *error = problem;
        return false;
    }
    h->lock = weir__image_lock(h->root, "lock", LOCK_EX);
    if (h->lock < 0) return failed(h, "it cannot be locked");
    if (!weir__image_index_read(store, h->root, &h->index, error)) return false;
    const weir_value *entries = weir_member_named(h->index, "manifests");
    for (size_t i = 0; i < weir_value_count(entries); i++)
        if (!read_image(h, weir_array_at(entries, i))) return false;
    return true;
}

static void close_house(house *h) {
    for (size_t i = 0; i < h->images.count; i++) {
        weir__image_parts_deinit(&h->images.items[i].parts);
        if (h->images.items[i].lock >= 0) close(h->images.items[i].lock);
    }
    weir_vector_deinit(&h->images);
    weir_value_unref(h->index);
    weir_value_unref(h->names);
    if (h->lock >= 0) close(h->lock);
    if (h->root >= 0) close(h->root);
}

/* --- images --------------------------------------------------------------------------------- */

/* Unless somebody holds it. */
static bool take_out(house *h, image *one) {
    char file[WEIR__IMAGE_FILE_BYTES];
    weir__image_file(file, "images/", one->digest + 7, "");
    one->lock = weir__image_lock(h->root, file, LOCK_EX | LOCK_NB);
    one->removed = one->lock >= 0;
    return one->removed;
}

static bool is_new(weir_map *seen, const char *digest) {
    bool new = !weir_map_get(seen, weir_str_from(digest), NULL);
    weir_map_set(seen, weir_str_from(digest), 1);
    return new;
}

/* What all images that stay take, with what they share once. */
static uint64_t count_bytes(const house *h) {
    uint64_t bytes = 0;
    weir_map blobs = {0}, layers = {0};
    for (size_t i = 0; i < h->images.count; i++) {
        const image *one = &h->images.items[i];
        if (one->removed) continue;
        bytes += one->parts.size + one->parts.config_size;
        for (size_t k = 0; k < one->parts.layers.count; k++) {
            const weir__image_layer *layer = &one->parts.layers.items[k];
            if (is_new(&blobs, layer->digest)) bytes += layer->size;
            if (is_new(&layers, layer->diff_id))
                bytes += weir__image_layer_bytes(h->root, layer->diff_id + 7);
        }
    }
    weir_map_deinit(&blobs);
    weir_map_deinit(&layers);
    return bytes;
}

/* The one that was not used for longest, of those that were not tried. */
static image *oldest(house *h, const bool *tried) {
    image *found = NULL;
    for (size_t i = 0; i < h->images.count; i++) {
        image *one = &h->images.items[i];
        if (!tried[i] && !one->removed && (!found || one->used_us < found->used_us)) found = one;
    }
    return found;
}

static void choose(house *h, uint64_t bytes_max, uint64_t unused_since_us) {
    for (size_t i = 0; i < h->images.count; i++) {
        image *one = &h->images.items[i];
        if (!one->named || (unused_since_us && one->used_us < unused_since_us))
            (void)take_out(h, one);
    }
    if (!bytes_max || !h->images.count) return;
    bool *tried = weir_alloc(h->images.count * sizeof *tried);
    for (image *one; count_bytes(h) > bytes_max && (one = oldest(h, tried));) {
        tried[one - h->images.items] = true;
        (void)take_out(h, one);
    }
    weir_free(tried);
}

/* The index without the images that were taken out. */
static bool write_index(house *h) {
    weir_value *changed = weir__image_index_new(), *kept = weir_member_named(changed, "manifests");
    const weir_value *entries = weir_member_named(h->index, "manifests");
    for (size_t i = 0; i < weir_value_count(entries); i++) {
        weir_value *entry = weir_array_at(entries, i);
        const image *one = image_of(h, weir__image_entry_digest(entry).data);
        weir_str name = weir__image_entry_name(entry);
        if (!one || !one->removed)
            weir_array_append(kept, weir_value_ref(entry));
        else
            weir_array_append(
                h->names, weir_string_from(name.length ? name : weir__image_entry_digest(entry)));
    }
    bool ok = weir_value_count(h->names) == 0 ||
              weir__image_index_write(h->store, h->root, changed, h->error);
    weir_value_unref(changed);
    return ok;
}

static void remove_locks(house *h) {
    char file[WEIR__IMAGE_FILE_BYTES];
    for (size_t i = 0; i < h->images.count; i++) {
        image *one = &h->images.items[i];
        if (!one->removed) continue;
        (void)unlinkat(h->root, weir__image_file(file, "images/", one->digest + 7, ""), 0);
        close(one->lock);
        one->lock = -1;
    }
}

/* --- blobs and layers ----------------------------------------------------------------------- */

/* Everything that images which stay refer to. False: of some it is not known. */
static bool list_referred(const house *h, weir_map *out) {
    bool known = true;
    for (size_t i = 0; i < h->images.count; i++) {
        const image *one = &h->images.items[i];
        if (one->removed) continue;
        known = known && one->known;
        weir_map_set(out, weir_str_from(one->digest + 7), 1);
        if (!one->known) continue;
        weir_map_set(out, weir_str_from(one->parts.config_digest + 7), 1);
        for (size_t k = 0; k < one->parts.layers.count; k++) {
            weir_map_set(out, weir_str_from(one->parts.layers.items[k].digest + 7), 1);
            weir_map_set(out, weir_str_from(one->parts.layers.items[k].diff_id + 7), 1);
        }
    }
    return known;
}

/* What is put in has no name yet; and a clock may have been set. */
static bool may_go(const house *h, const struct stat *info) {
    return h->alone || info->st_mtime + KEPT_S < time(NULL);
}

static bool is_hex_name(const char *name) {
    return strlen(name) == WEIR__IMAGE_HEX && strspn(name, "0123456789abcdef") == WEIR__IMAGE_HEX;
}

static DIR *open_folder(const house *h, const char *name) {
    int fd = openat(h->root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !stream) close(fd);
    return stream;
}

static void sweep_blobs(house *h, const weir_map *referred) {
    struct stat info;
    DIR *stream = open_folder(h, "blobs/sha256");
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        const char *name = entry->d_name;
        if (!is_hex_name(name) || weir_map_get(referred, weir_str_from(name), NULL) ||
            fstatat(dirfd(stream), name, &info, AT_SYMLINK_NOFOLLOW) < 0 || !may_go(h, &info))
            continue;
        if (unlinkat(dirfd(stream), name, 0) == 0) h->freed += (uint64_t)info.st_size;
    }
    if (stream) closedir(stream);
}

/* It is no layer any more at once; its files go when the lock of the store was given back. */
static void remove_layer(house *h, const char *folder, const char *hex) {
    char from[WEIR__IMAGE_FILE_BYTES], to[WEIR__IMAGE_FILE_BYTES], file[WEIR__IMAGE_FILE_BYTES];
    struct stat info;
    snprintf(from, sizeof from, "%.40s/%.64s", folder, hex);
    snprintf(file, sizeof file, "%.40s/%.64s.lock", folder, hex);
    int lock = weir__image_lock(h->root, file, LOCK_EX | LOCK_NB);
    if (lock < 0) return;
    uint64_t bytes = weir__image_layer_bytes_of(lock);
    bool ok = fstat(lock, &info) == 0 && may_go(h, &info);
    for (int i = 0; ok && i < GONE_TRIES_MAX; i++) {
        snprintf(to, sizeof to, "new/gone-%d-%.64s", i, hex);
        if (renameat(h->root, from, h->root, to) == 0) break;
        ok = errno == EEXIST || errno == ENOTEMPTY;
    }
    if (ok) {
        (void)unlinkat(h->root, file, 0);
        h->freed += bytes;
    }
    close(lock);
}

static void sweep_layers(house *h, const char *folder, const weir_map *referred) {
    DIR *stream = open_folder(h, folder);
    for (const struct dirent *entry; stream && (entry = readdir(stream));)
        if (is_hex_name(entry->d_name) &&
            !weir_map_get(referred, weir_str_from(entry->d_name), NULL))
            remove_layer(h, folder, entry->d_name);
    if (stream) closedir(stream);
}

/* Locks of what is not there: whoever looked for it made them, or was killed before he removed them. */
static void sweep_locks(const house *h, const char *folder, const char *end,
                        const weir_map *referred) {
    struct stat info;
    DIR *stream = open_folder(h, folder);
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        char hex[WEIR__IMAGE_HEX + 1], file[WEIR__IMAGE_FILE_BYTES];
        snprintf(hex, sizeof hex, "%.64s", entry->d_name);
        if (!is_hex_name(hex) || strcmp(entry->d_name + WEIR__IMAGE_HEX, end) != 0 ||
            weir_map_get(referred, weir_str_from(hex), NULL) ||
            (*end && fstatat(dirfd(stream), hex, &info, AT_SYMLINK_NOFOLLOW) == 0))
            continue;
        snprintf(file, sizeof file, "%s/%.64s%s", folder, hex, end);
        int lock = weir__image_lock(h->root, file, LOCK_EX | LOCK_NB);
        if (lock < 0) continue;
        if (!*end || fstatat(dirfd(stream), hex, &info, AT_SYMLINK_NOFOLLOW) < 0)
            (void)unlinkat(h->root, file, 0);
        close(lock);
    }
    if (stream) closedir(stream);
}

/* Of this user's layers those that nothing refers to; and those that were unpacked for one user, where there are more now: their blobs make them
 * anew. Those of other numbers may be in use by who has them, and are not this user's to remove. */
static void sweep_all_layers(house *h, const weir_map *referred, bool known) {
    const weir_map none = {0};
    char own[WEIR__IMAGE_FILE_BYTES];
    weir__image_layer_file(own, "", "");
    own[strlen(own) - 1] = '\0'; /* a '/' */
    DIR *stream = open_folder(h, ".");
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        const char *name = entry->d_name;
        if (strcmp(name, "layers") != 0 && strncmp(name, "layers-", 7) != 0) continue;
        bool current = strcmp(name, own) == 0;
        if (!current && strcmp(name, "layers") != 0) continue;
        if (known || !current) sweep_layers(h, name, current ? referred : &none);
        sweep_locks(h, name, ".lock", current ? referred : &none);
    }
    if (stream) closedir(stream);
}

/* A blob that an interrupted pull left can be gone on with for a day; one without a digest cannot. */
static void sweep_partial(house *h) {
    struct stat info;
    DIR *stream = open_folder(h, "partial");
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        int fd =
            openat(dirfd(stream), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) continue;
        bool old = fstat(fd, &info) == 0 && info.st_mtime + KEPT_S < time(NULL);
        bool left = h->alone && !is_hex_name(entry->d_name);
        if ((old || left) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
            unlinkat(dirfd(stream), entry->d_name, 0) == 0)
            h->freed += (uint64_t)info.st_size;
        close(fd);
    }
    if (stream) closedir(stream);
}

/* Nobody puts anything in: what is unpacked by halves is nobody's, however new. */
static void condemn_new(const house *h) {
    DIR *stream = open_folder(h, "new");
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        char gone[300];
        if (strncmp(entry->d_name, "layer-", 6) != 0) continue;
        snprintf(gone, sizeof gone, "gone-%s", entry->d_name);
        (void)renameat(dirfd(stream), entry->d_name, dirfd(stream), gone); /* or it goes later */
    }
    if (stream) closedir(stream);
}

/* Files of images that were removed, and of whoever was killed while he unpacked. */
static void sweep_new(const house *h) {
    DIR *stream = open_folder(h, "new");
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (strncmp(entry->d_name, "gone-", 5) != 0) continue;
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s/new/%s", h->store->folder, entry->d_name);
        weir__image_remove_folder(path.data);
        weir_buffer_deinit(&path);
    }
    if (stream) closedir(stream);
    weir_buffer base = {0};
    weir_buffer_printf(&base, "%s/new", h->store->folder);
    weir__folders_sweep(base.data);
    weir_buffer_deinit(&base);
}

/* With the lock of the store; and then without it what takes long. */
static void sweep(house *h) {
    weir_map referred = {0};
    int gate = weir__image_lock(h->root, "gate", LOCK_EX | LOCK_NB);
    h->alone = gate >= 0;
    bool known = list_referred(h, &referred);
    if (known) sweep_blobs(h, &referred);
    sweep_all_layers(h, &referred, known);
    sweep_locks(h, "images", "", &referred);
    sweep_partial(h);
    if (h->alone) condemn_new(h);
    weir_map_deinit(&referred);
    if (gate >= 0) close(gate);
    close(h->lock);
    h->lock = -1;
    sweep_new(h);
}

static bool clean(house *h) {
    if (!write_index(h)) return false;
    remove_locks(h);
    sweep(h);
    return true;
}

/* --- what is asked for ---------------------------------------------------------------------- */

/* An entry loses its name, or an image all of them when it was named by its digest alone. */
static bool take_names(house *h, const weir_image_name *name, char digest[static 72]) {
    weir_buffer whole = {0};
    size_t at = weir__image_index_find(h->index, name, NULL);
    if (at == SIZE_MAX) return weir__image_not_here(h->store, name, "", h->error);
    weir_image_name_append(name, &whole);
    const weir_value *entries = weir_member_named(h->index, "manifests");
    weir_str wanted = weir__image_entry_digest(weir_array_at(entries, at));
    snprintf(digest, WEIR__IMAGE_DIGEST_BYTES, "%.*s", WEIR_ARG(wanted));
    weir_value *index = weir_value_ref(h->index);
    for (size_t i = 0; i < weir_value_count(entries); i++) {
        const weir_value *entry = weir_array_at(entries, i);
        weir_str its = weir__image_entry_name(entry);
        if (!its.length || !weir_str_equal(weir__image_entry_digest(entry), wanted) ||
            !(*name->digest || weir_str_equal(its, weir_buffer_str(&whole))))
            continue;
        weir_value *changed = weir__image_index_with(index, NULL, its.data, NULL);
        weir_value_unref(index);
        index = changed;
    }
    bool ok = weir__image_index_write(h->store, h->root, index, h->error);
    weir_value_unref(index);
    weir_buffer_deinit(&whole);
    return ok;
}

bool weir_image_remove(weir_image_store *store, const weir_image_name *name, weir_error *error) {
    house h;
    char digest[WEIR__IMAGE_DIGEST_BYTES];
    bool ok = open_house(&h, store, error);
    if (!ok && error->code == WEIR_NOT_FOUND) weir__image_not_here(store, name, "", error);
    ok = ok && take_names(&h, name, digest);
    close_house(&h);
    if (!ok) return false;
    ok = open_house(&h, store, error);
    image *one = ok ? image_of(&h, digest) : NULL;
    if (one && !one->named) (void)take_out(&h, one);
    ok = ok && clean(&h);
    close_house(&h);
    return ok;
}

static weir_value *tell(const house *h) {
    weir_value *value = weir_object_new();
    uint64_t left = count_bytes(h);
    weir_member_put(value, "removed", weir_value_ref(h->names));
    weir_member_put(value, "freed", weir_int_new((int64_t)h->freed));
    weir_member_put(value, "left", weir_int_new((int64_t)left));
    return value;
}

bool weir_image_prune(weir_image_store *store, uint64_t bytes_max, uint64_t unused_since_us,
                      weir_value **out, weir_error *error) {
    house h;
    bool ok = open_house(&h, store, error);
    bool empty = !ok && error->code == WEIR_NOT_FOUND;
    if (ok) {
        choose(&h, bytes_max, unused_since_us);
        ok = clean(&h);
    }
    if (ok || empty) *out = tell(&h);
    close_house(&h);
    return ok || empty;
}
