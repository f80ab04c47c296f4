/* Reading a backup. What it says is not trusted: names are those of a state's files or it is refused, each file is new, in a
 * folder that was made for it, and no link is followed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/map.h"
#include "data/json.h"
#include "store/backup_internal.h"
#include "store/blob_kind.h"

enum { CHUNK_BYTES = 256 * 1024, ABOUT_BYTES_MAX = 64 * 1024, RUN_LETTERS = 20 };

typedef struct found {
    uint64_t size;
    char sha256[WEIR__SHA256_LETTERS + 1];
} found;

typedef struct unpacking {
    const weir__archive_functions *library;
    const weir__sha256_functions *sha256;
    weir__sha256 *hash;
    weir__archive *archive;
    const char *file;
    int fd, folder;
    uint64_t file_bytes;
    bool (*progress)(void *arg, uint64_t done, uint64_t total);
    void *arg;
    char *chunk;
    weir_map by_name; /* places in `files` */
    WEIR_VECTOR(found) files;
    weir_arena arena; /* names */
    weir_buffer list; /* the last file */
    bool listed;
    weir_unpacked out;
} unpacking;

const char *const weir_backup_trees[] = {"artifacts", "claims", "garbage", "templates", "volumes"};

/* --- names ---------------------------------------------------------------------------------- */

static bool is_plain(const char *name) {
    size_t length = strlen(name);
    return length && length < NAME_MAX && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

static bool is_log(const char *name) {
    return strspn(name, "0123456789abcdefghjkmnpqrstvwxyz") == RUN_LETTERS &&
           name[RUN_LETTERS] == '/' && is_plain(name + RUN_LETTERS + 1);
}

static bool is_tree(weir_str name) {
    for (size_t i = 0; i < WEIR_BACKUP_TREES; i++) {
        size_t length = strlen(weir_backup_trees[i]);
        if (weir_str_starts(name, weir_str_from(weir_backup_trees[i])) &&
            weir_str_is(weir_str_slice(name, length, name.length), ".tgz"))
            return true;
    }
    return false;
}

bool weir_backup_name_is(const char *name) {
    weir_str text = weir_str_from(name), logs = WEIR_STR("logs/"), blobs = WEIR_STR("blobs/");
    if (weir_str_starts(text, logs)) return is_log(name + logs.length);
    if (weir_str_starts(text, blobs))
        return weir__object_is_ours(weir_str_slice(text, blobs.length, text.length));
    return is_tree(text) || weir_str_is(text, "weir.db") || weir_str_is(text, WEIR__BACKUP_ABOUT) ||
           weir_str_is(text, WEIR__BACKUP_LIST);
}

/* --- errors --------------------------------------------------------------------------------- */

static bool damaged(const unpacking *u, const char *how, const char *name, weir_error *error) {
    weir_fail(error, WEIR_INVALID, "the backup `%.200s` is damaged, or was changed: %s%s%.100s",
              u->file, how, *name ? " " : "", name);
    weir_error_hint(error, "take another backup; this one is left as it is");
    return false;
}

static bool no_backup(const unpacking *u, weir_error *error) {
    weir_fail(error, WEIR_INVALID,
              "`%.300s` is no backup of weir, or damaged from its beginning on", u->file);
    weir_error_hint(error, "`weir backup FILE` makes one");
    return false;
}

/* What the library could not read. */
static bool read_fails(const unpacking *u, weir_error *error) {
    weir_error why = *error;
    if (why.code == WEIR_IO)
        return weir_fail(error, WEIR_IO, "the backup `%.200s` cannot be read: %.200s", u->file,
                         why.message);
    return u->files.count ? damaged(u, why.message, "", error) : no_backup(u, error);
}

static bool write_fails(const char *name, int reason, weir_error *error) {
    weir_fail(error, WEIR_IO, "`%.200s` of the backup cannot be unpacked: %s", name,
              strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room, or restore --into a folder on another disk");
    return false;
}

/* --- files ---------------------------------------------------------------------------------- */

/* The folders that the name is in are made. -1 and errno. */
static int make_file(const unpacking *u, const char *name) {
    char path[WEIR__ARCHIVE_NAME_MAX];
    snprintf(path, sizeof path, "%s", name);
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(u->folder, path, 0700) < 0 && errno != EEXIST) return -1;
        *slash = '/';
    }
    return openat(u->folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static bool tell(const unpacking *u, weir_error *error) {
    off_t at = lseek(u->fd, 0, SEEK_CUR);
    return !u->progress || u->progress(u->arg, at > 0 ? (uint64_t)at : 0, u->file_bytes) ||
           weir_fail(error, WEIR_CANCELLED, "it was ended before it was restored");
}

/* Into the file (-1: none) and the text (NULL: none). */
static bool take_bytes(unpacking *u, const weir__archive_entry *entry, int fd, weir_buffer *text,
                       uint64_t max, weir_error *error) {
    uint64_t size = 0;
    for (size_t got;; size += got) {
        if (!u->library->get(u->archive, u->chunk, CHUNK_BYTES, &got, error))
            return read_fails(u, error);
        if (!got) break;
        if (size + got > max) return damaged(u, "too large is", entry->name, error);
        u->sha256->add(u->hash, u->chunk, got);
        if (text) weir_buffer_append(text, u->chunk, got);
        if (fd >= 0 && !weir_descriptor_write(fd, (weir_str){u->chunk, got}))
            return write_fails(entry->name, errno, error);
        if (!tell(u, error)) return false;
    }
    return size == entry->size || damaged(u, "cut off is", entry->name, error);
}

static void note_file(unpacking *u, const weir__archive_entry *entry) {
    unsigned char digest[WEIR__SHA256_BYTES];
    found *f = weir_vector_push(&u->files);
    f->size = entry->size;
    u->sha256->take(u->hash, digest);
    weir__sha256_format(digest, f->sha256);
    weir_str name = weir_str_from(entry->name);
    weir_map_set(&u->by_name, (weir_str){weir_str_copy(&u->arena, name), name.length},
                 u->files.count - 1);
    u->out.files++;
    u->out.bytes += entry->size;
}

static bool take_file(unpacking *u, const weir__archive_entry *entry, weir_error *error) {
    int fd = make_file(u, entry->name);
    if (fd < 0) return write_fails(entry->name, errno, error);
    bool ok = take_bytes(u, entry, fd, NULL, UINT64_MAX, error);
    /* A blob's mode says that it does not change any more. */
    if (weir_str_starts(weir_str_from(entry->name), WEIR_STR("blobs/sha256/")))
        (void)!fchmod(fd, 0400);
    if (close(fd) < 0 && ok) ok = write_fails(entry->name, errno, error);
    if (ok) note_file(u, entry);
    return ok;
}

static bool take_about(unpacking *u, const weir__archive_entry *entry, weir_error *error) {
    weir_buffer text = {0};
    weir_error ignored;
    bool ok = take_bytes(u, entry, -1, &text, ABOUT_BYTES_MAX, error);
    if (ok) note_file(u, entry);
    ok = ok && ((weir_json_parse(weir_buffer_str(&text), WEIR_STR(""), &u->out.about, &ignored) &&
                 weir_member_count(u->out.about, "format") > 0) ||
                no_backup(u, error));
    weir_buffer_deinit(&text);
    if (!ok) return false;
    uint64_t format = weir_member_count(u->out.about, "format");
    if (format <= WEIR_BACKUP_FORMAT) return true;
    weir_fail(
        error, WEIR_CONFLICT,
        "the backup `%.200s` is of format %llu, made by weir %.20s; this weir reads format %d",
        u->file, (unsigned long long)format, weir_member_text(u->out.about, "weir").data,
        WEIR_BACKUP_FORMAT);
    weir_error_hint(error, "restore it with that weir, or a newer one");
    return false;
}

/* --- all of it ------------------------------------------------------------------------------ */

static bool take_entry(unpacking *u, const weir__archive_entry *entry, weir_error *error) {
    bool about = strcmp(entry->name, WEIR__BACKUP_ABOUT) == 0;
    uint64_t ignored;
    if (!u->out.about && !about) return no_backup(u, error);
    if (!entry->regular || !weir_backup_name_is(entry->name))
        return damaged(u, "in no backup is", entry->name, error);
    if (u->listed || weir_map_get(&u->by_name, weir_str_from(entry->name), &ignored))
        return damaged(u, u->listed ? "behind its end is" : "twice there is", entry->name, error);
    if (u->files.count == WEIR_BACKUP_FILES_MAX)
        return weir_fail(error, WEIR_LIMIT, "the backup `%.200s` has more than %d files", u->file,
                         WEIR_BACKUP_FILES_MAX);
    if (about) return take_about(u, entry, error);
    u->listed = strcmp(entry->name, WEIR__BACKUP_LIST) == 0;
    if (!u->listed) return take_file(u, entry, error);
    return take_bytes(u, entry, -1, &u->list, WEIR_BACKUP_LIST_BYTES_MAX, error);
}

/* Every file that is there is listed, and every listed one is there, as it is listed. */
static bool check_list(unpacking *u, weir_error *error) {
    weir_value *list = NULL;
    weir_error ignored;
    if (!u->listed) return damaged(u, "its end is missing", "", error);
    if (!weir_json_parse(weir_buffer_str(&u->list), WEIR_STR(""), &list, &ignored))
        return damaged(u, "its list cannot be read", "", error);
    const weir_value *files = weir_member_named(list, "files");
    size_t count = weir_is(files, WEIR_ARRAY) ? weir_value_count(files) : 0;
    bool ok = count == u->files.count || damaged(u, "files are missing", "", error);
    for (size_t i = 0; ok && i < count; i++) {
        const weir_value *listed = weir_array_at(files, i);
        weir_str name = weir_member_text(listed, "name");
        uint64_t at;
        const found *f = weir_map_get(&u->by_name, name, &at) ? &u->files.items[at] : NULL;
        ok = (f && f->size == weir_member_count(listed, "size") &&
              weir_str_is(weir_member_text(listed, "sha256"), f->sha256)) ||
             damaged(u, "not as it was is", name.data, error);
        if (ok) u->files.items[at].size = UINT64_MAX; /* none is meant twice */
    }
    if (ok) u->out.notes = weir_value_ref(weir_member_named(list, "notes"));
    weir_value_unref(list);
    return ok;
}

static bool unpack(unpacking *u, weir_error *error) {
    weir__archive_entry entry;
    struct stat file;
    u->fd = open(u->file, O_RDONLY | O_CLOEXEC);
    if (u->fd < 0 || fstat(u->fd, &file) < 0) {
        weir_fail(error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                  "the backup `%.300s` cannot be read: %s", u->file, strerror(errno));
        return false;
    }
    if (!S_ISREG(file.st_mode)) return no_backup(u, error);
    u->file_bytes = (uint64_t)file.st_size;
    if (!u->library->open(u->fd, &u->archive, error)) return read_fails(u, error);
    for (bool more;;) {
        if (!u->library->next(u->archive, &entry, &more, error)) return read_fails(u, error);
        if (!more) break;
        if (!take_entry(u, &entry, error)) return false;
    }
    uint64_t ignored;
    if (!u->out.about) return no_backup(u, error);
    return check_list(u, error) && (weir_map_get(&u->by_name, WEIR_STR("weir.db"), &ignored) ||
                                    damaged(u, "weir.db is missing", "", error));
}

bool weir_backup_unpack(const char *file, int folder,
                        bool (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                        weir_unpacked *out, weir_error *error) {
    unpacking u = {.file = file,
                   .fd = -1,
                   .folder = folder,
                   .progress = progress,
                   .arg = arg,
                   .chunk = weir_alloc(CHUNK_BYTES)};
    bool ok = weir__archive_open(&u.library, error) && weir__sha256_open(&u.sha256, error);
    if (ok) u.hash = u.sha256->begin();
    ok = ok && unpack(&u, error);
    if (u.archive) u.library->close(u.archive);
    if (u.hash) u.sha256->end(u.hash);
    if (u.fd >= 0) close(u.fd);
    weir_free(u.chunk);
    weir_buffer_deinit(&u.list);
    weir_map_deinit(&u.by_name);
    weir_vector_deinit(&u.files);
    weir_arena_deinit(&u.arena);
    if (ok) {
        *out = u.out;
    } else {
        weir_value_unref(u.out.about);
        weir_value_unref(u.out.notes);
    }
    return ok;
}
