/* The module "layer": links libarchive and libcrypto. The blob goes through one reader, which undoes its compression; what comes out is
 * hashed and goes through a second one, which knows tar. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/layer_write.h"

enum { BLOCK_BYTES = 1024 * 1024, LINK_BYTES_MAX = PATH_MAX - 1 };

/* The archive's bytes. */
typedef struct source {
    weir__layer *layer;
    struct archive *archive;
    weir__sha256 *hash;
    uint64_t bytes, bytes_max;
    bool failed; /* the error is told */
    bool ended;
} source;

/* --- the bytes ------------------------------------------------------------------------------ */

/* No more than what the library does itself: for others it would start programs. */
static bool open_source(source *s, int fd) {
    struct archive_entry *entry;
    s->archive = archive_read_new();
    bool ok = archive_read_support_format_raw(s->archive) == ARCHIVE_OK &&
              archive_read_support_format_empty(s->archive) == ARCHIVE_OK &&
              archive_read_support_filter_gzip(s->archive) == ARCHIVE_OK &&
              archive_read_support_filter_zstd(s->archive) == ARCHIVE_OK &&
              archive_read_support_filter_xz(s->archive) == ARCHIVE_OK &&
              archive_read_support_filter_bzip2(s->archive) == ARCHIVE_OK &&
              archive_read_open_fd(s->archive, fd, BLOCK_BYTES) == ARCHIVE_OK;
    int status = ok ? archive_read_next_header(s->archive, &entry) : ARCHIVE_FATAL;
    s->ended = status == ARCHIVE_EOF;
    return s->ended || status >= ARCHIVE_WARN;
}

static bool damaged(const weir__layer *l, struct archive *archive) {
    const char *said = archive_error_string(archive);
    int reason = archive_errno(archive);
    bool system = reason == EIO || reason == ENOMEM || reason == EISDIR;
    return weir_fail(l->error, system ? WEIR_IO : WEIR_INVALID,
                     "%s: it is damaged, or no tar archive: %s", l->request->what,
                     said ? said : "it cannot be read");
}

static bool too_large(source *s) {
    const weir__layer_request *request = s->layer->request;
    s->failed = true;
    if (s->bytes_max == request->bytes_max || s->bytes_max == WEIR__LAYER_BYTES_MAX)
        return weir_fail(s->layer->error, WEIR_LIMIT, "%s: it has more than %llu bytes",
                         request->what, (unsigned long long)s->bytes_max);
    return weir_fail(s->layer->error, WEIR_LIMIT,
                     "%s: it would become more than %d times as large as it is", request->what,
                     WEIR__LAYER_RATIO_MAX);
}

static bool goes_on(source *s) {
    const weir__layer_request *request = s->layer->request;
    uint64_t read = (uint64_t)archive_filter_bytes(s->archive, -1);
    if (!request->goes_on || request->goes_on(request->arg, read)) return true;
    s->failed = true;
    return weir_fail(s->layer->error, WEIR_CANCELLED, "%s: it was told to end", request->what);
}

/* The next bytes; *length is 0 at the end. */
static bool next_bytes(source *s, const void **data, size_t *length) {
    la_int64_t at;
    *length = 0;
    if (s->ended) return true;
    int status = archive_read_data_block(s->archive, data, length, &at);
    if (status == ARCHIVE_EOF) {
        s->ended = true;
        *length = 0;
        return true;
    }
    if (status < ARCHIVE_WARN) {
        s->failed = true;
        return damaged(s->layer, s->archive);
    }
    s->bytes += *length;
    if (s->bytes > s->bytes_max) return too_large(s);
    weir__sha256_by.add(s->hash, *data, *length);
    return goes_on(s);
}

static la_ssize_t give_bytes(struct archive *archive, void *arg, const void **data) {
    source *s = arg;
    size_t length;
    do {
        if (!next_bytes(s, data, &length)) {
            archive_set_error(archive, EINVAL, "its bytes end too early");
            return -1;
        }
    } while (!length && !s->ended);
    return (la_ssize_t)length;
}

/* What stands behind the archive's end belongs to its digest. */
static bool read_rest(source *s) {
    const void *data;
    size_t length;
    while (!s->ended)
        if (!next_bytes(s, &data, &length)) return false;
    return true;
}

/* --- entries -------------------------------------------------------------------------------- */

static struct timespec modified_of(struct archive_entry *entry) {
    return (struct timespec){archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
}

/* What the kernel, not a layer, says in a folder that overlays are made of. */
static bool attribute_fits(const weir__layer *l, const char *name) {
    if (strncmp(name, "user.overlay.", 13) == 0) return false;
    return l->root && (strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0);
}

/* Attributes that cannot be had are left out. */
static void set_attributes(weir__layer *l, struct archive_entry *entry, int fd) {
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
        if (!attribute_fits(l, name) || fsetxattr(fd, name, value, size, 0) < 0) l->out->left_out++;
}

static bool has_attributes(struct archive_entry *entry) {
    return archive_entry_xattr_count(entry) > 0;
}

/* Owner, mode, attributes (which a change of owner takes away) and times. */
static bool finish_file(weir__layer *l, struct archive_entry *entry, int fd, const char *path) {
    const struct timespec times[2] = {{0, UTIME_OMIT}, modified_of(entry)};
    mode_t mode = archive_entry_perm(entry) & (l->root ? 07777 : 0777);
    bool ok = !l->root ||
              fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) == 0;
    ok = ok && fchmod(fd, mode) == 0;
    if (!ok) return weir__layer_failed(l, path, "cannot be given its owner and mode");
    if (has_attributes(entry)) set_attributes(l, entry, fd);
    if (archive_entry_mtime_is_set(entry)) (void)futimens(fd, times);
    return true;
}

static void own(const weir__layer *l, const weir__layer_place *place, struct archive_entry *entry) {
    weir__layer_own(l, place, (uint64_t)archive_entry_uid(entry),
                    (uint64_t)archive_entry_gid(entry), archive_entry_perm(entry) & 07777);
}

static bool write_at(int fd, const char *data, size_t length, uint64_t at) {
    while (length) {
        ssize_t wrote = pwrite(fd, data, length, (off_t)at);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return false;
        data += wrote;
        length -= (size_t)wrote;
        at += (uint64_t)wrote;
    }
    return true;
}

static bool write_bytes(weir__layer *l, const source *s, struct archive *tar,
                        struct archive_entry *entry, int fd, const char *path) {
    const void *data;
    size_t length;
    la_int64_t at = 0;
    uint64_t end = 0, size = (uint64_t)archive_entry_size(entry);
    if (size > WEIR__LAYER_BYTES_MAX)
        return weir_fail(l->error, WEIR_LIMIT, "%s: `%.200s` in it is too large", l->request->what,
                         path);
    for (int status; (status = archive_read_data_block(tar, &data, &length, &at)) != ARCHIVE_EOF;) {
        if (s->failed) return false;
        if (status < ARCHIVE_WARN) return damaged(l, tar);
        if (at < 0 || (uint64_t)at > size || length > size - (uint64_t)at)
            return weir__layer_refuse(l, path, "is longer than it says");
        if (!write_at(fd, data, length, (uint64_t)at))
            return weir__layer_failed(l, path, "cannot be written");
        end = (uint64_t)at + length;
        l->out->bytes += length;
    }
    return end == size || ftruncate(fd, (off_t)size) == 0 ||
           weir__layer_failed(l, path, "cannot be written");
}

static bool add_file(weir__layer *l, const source *s, struct archive *tar,
                     struct archive_entry *entry, const weir__layer_place *place) {
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int parent = weir__layer_parent(l, place);
    if (parent < 0) return false;
    int fd = openat(parent, place->last, flags, 0600);
    if (fd < 0 && errno == EEXIST) {
        if (!weir__layer_clear(l, parent, place)) return false;
        fd = openat(parent, place->last, flags, 0600);
    }
    if (fd < 0) return weir__layer_failed(l, place->path, "cannot be made");
    bool ok =
        write_bytes(l, s, tar, entry, fd, place->path) && finish_file(l, entry, fd, place->path);
    own(l, place, entry);
    if (close(fd) < 0 && ok) ok = weir__layer_failed(l, place->path, "cannot be written");
    return ok;
}

static bool add_folder(weir__layer *l, struct archive_entry *entry,
                       const weir__layer_place *place) {
    const weir__layer_note note = {.mode = archive_entry_perm(entry) & 07777,
                                   .user = (uid_t)archive_entry_uid(entry),
                                   .group = (gid_t)archive_entry_gid(entry),
                                   .modified = modified_of(entry),
                                   .timed = archive_entry_mtime_is_set(entry)};
    if (!weir__layer_folder(l, place, &note)) return false;
    own(l, place, entry);
    if (!has_attributes(entry)) return true;
    int folder = *place->path ? openat(l->parent, place->last,
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                              : dup(l->folder);
    if (folder < 0) return weir__layer_failed(l, place->path, "cannot be opened");
    set_attributes(l, entry, folder);
    close(folder);
    return true;
}

/* A thing without bytes: `make` makes it, again when what was there is gone. */
static bool add_small(weir__layer *l, struct archive_entry *entry, const weir__layer_place *place,
                      bool (*make)(int parent, const char *name, struct archive_entry *entry)) {
    const struct timespec times[2] = {{0, UTIME_OMIT}, modified_of(entry)};
    int parent = weir__layer_parent(l, place);
    if (parent < 0) return false;
    bool ok = make(parent, place->last, entry);
    if (!ok && errno == EEXIST) {
        if (!weir__layer_clear(l, parent, place)) return false;
        ok = make(parent, place->last, entry);
    }
    if (!ok) return weir__layer_failed(l, place->path, "cannot be made");
    if (l->root && fchownat(parent, place->last, (uid_t)archive_entry_uid(entry),
                            (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0)
        return weir__layer_failed(l, place->path, "cannot be given its owner");
    own(l, place, entry);
    if (archive_entry_mtime_is_set(entry))
        (void)utimensat(parent, place->last, times, AT_SYMLINK_NOFOLLOW);
    return true;
}

static bool make_link(int parent, const char *name, struct archive_entry *entry) {
    return symlinkat(archive_entry_symlink(entry), parent, name) == 0;
}

static bool make_pipe(int parent, const char *name, struct archive_entry *entry) {
    return mkfifoat(parent, name, archive_entry_perm(entry) & 0777) == 0;
}

/* To an entry that came before. Its folder is opened first, for there is one at a time. */
static bool add_hard_link(weir__layer *l, struct archive_entry *entry,
                          const weir__layer_place *place) {
    struct stat info;
    weir__layer_place target;
    if (!weir__layer_place_of(l, archive_entry_hardlink(entry), &target)) return false;
    int above = *target.path ? weir__layer_parent(l, &target) : -1;
    if (above < 0 || fstatat(above, target.last, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISDIR(info.st_mode) || S_ISCHR(info.st_mode))
        return weir__layer_refuse(l, place->path, "is a hard link to no file of it");
    if (strcmp(target.path, place->path) == 0) return true;
    int kept = fcntl(above, F_DUPFD_CLOEXEC, 0);
    if (kept < 0) return weir__layer_failed(l, place->path, "cannot be made");
    int parent = weir__layer_parent(l, place);
    bool ok = parent >= 0;
    if (ok && linkat(kept, target.last, parent, place->last, 0) < 0) {
        ok = errno == EEXIST && weir__layer_clear(l, parent, place) &&
             linkat(kept, target.last, parent, place->last, 0) == 0;
        if (!ok) weir__layer_failed(l, place->path, "cannot be linked");
    }
    close(kept);
    if (ok) own(l, place, entry); /* another may take the other name's place */
    return ok;
}

/* An attempt gets a /dev of its own; images of long ago bring devices for it. */
static bool add_device(weir__layer *l, const weir__layer_place *place) {
    if (strncmp(place->path, "dev/", 4) != 0)
        return weir__layer_refuse(l, place->path, "is a device outside of dev/");
    l->out->left_out++;
    return true;
}

static bool add_symlink(weir__layer *l, struct archive_entry *entry,
                        const weir__layer_place *place) {
    const char *target = archive_entry_symlink(entry);
    if (!target || !*target || strlen(target) > LINK_BYTES_MAX)
        return weir__layer_refuse(l, place->path, "is a link to nowhere");
    return add_small(l, entry, place, make_link);
}

static bool add_entry(weir__layer *l, const source *s, struct archive *tar,
                      struct archive_entry *entry) {
    weir__layer_place place;
    uint64_t most = l->request->entries_max ? l->request->entries_max : WEIR__LAYER_ENTRIES_MAX;
    if (++l->out->entries > most)
        return weir_fail(l->error, WEIR_LIMIT, "%s: it has more than %llu entries",
                         l->request->what, (unsigned long long)most);
    if (l->noted > WEIR__LAYER_PATHS_MAX)
        return weir_fail(l->error, WEIR_LIMIT, "%s: the names of its folders are too long",
                         l->request->what);
    if (!weir__layer_place_of(l, archive_entry_pathname(entry), &place)) return false;
    bool whiteout = strncmp(place.last, ".wh.", 4) == 0;
    if (whiteout) return weir__layer_whiteout(l, &place);
    bool linked = archive_entry_hardlink(entry) != NULL;
    if (!*place.path && (linked || archive_entry_filetype(entry) != AE_IFDIR))
        return weir__layer_refuse(l, archive_entry_pathname(entry), "is no name of a file");
    if (linked) return add_hard_link(l, entry, &place);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return add_file(l, s, tar, entry, &place);
    case AE_IFDIR: return add_folder(l, entry, &place);
    case AE_IFLNK: return add_symlink(l, entry, &place);
    case AE_IFIFO: return add_small(l, entry, &place, make_pipe);
    case AE_IFCHR:
    case AE_IFBLK: return add_device(l, &place);
    case AE_IFSOCK: l->out->left_out++; return true;
    default: return weir__layer_refuse(l, place.path, "is of no known kind");
    }
}

/* --- the whole ------------------------------------------------------------------------------ */

static bool add_entries(weir__layer *l, source *s, struct archive *tar) {
    struct archive_entry *entry;
    for (int status; (status = archive_read_next_header(tar, &entry)) != ARCHIVE_EOF;) {
        if (s->failed) return false;
        if (status < ARCHIVE_WARN) return damaged(l, tar);
        if (!add_entry(l, s, tar, entry)) return false;
    }
    return !s->failed;
}

static bool read_tar(weir__layer *l, source *s) {
    struct archive *tar = archive_read_new();
    bool ok = archive_read_support_format_tar(tar) == ARCHIVE_OK &&
              archive_read_support_format_empty(tar) == ARCHIVE_OK &&
              archive_read_open(tar, s, NULL, give_bytes, NULL) == ARCHIVE_OK;
    if (!ok && !s->failed) damaged(l, tar);
    ok = ok && add_entries(l, s, tar) && read_rest(s);
    archive_read_free(tar);
    return ok;
}

static bool check_digest(const weir__layer *l, source *s) {
    unsigned char digest[WEIR__SHA256_BYTES];
    weir__sha256_by.take(s->hash, digest);
    weir__sha256_format(digest, l->out->diff_id);
    if (!l->request->diff_id || strcmp(l->request->diff_id, l->out->diff_id) == 0) return true;
    return weir_fail(
        l->error, WEIR_INVALID,
        "%s: what is in it is not what the image's configuration says: sha256:%s, not sha256:%s",
        l->request->what, l->out->diff_id, l->request->diff_id);
}

static uint64_t judge_size(const weir__layer_request *request) {
    if (request->bytes_max) return request->bytes_max;
    uint64_t most = request->size < WEIR__LAYER_BYTES_MAX / WEIR__LAYER_RATIO_MAX
                        ? request->size * WEIR__LAYER_RATIO_MAX
                        : WEIR__LAYER_BYTES_MAX;
    return most < WEIR__LAYER_BOMB_BYTES ? WEIR__LAYER_BOMB_BYTES : most;
}

/* One wait for all files, instead of one for each. */
static bool keep(const weir__layer *l) {
    return syncfs(l->folder) == 0 || weir__layer_failed(l, "/", "cannot be kept");
}

/* Names are UTF-8, or any bytes: the library wants a character set, and weir leaves the thread's at "C". */
static bool unpack(const weir__layer_request *request, weir__layer_outcome *out,
                   weir_error *error) {
    weir__layer_outcome found = {0};
    weir__layer l = {.request = request, .out = &found, .error = error};
    source s = {.layer = &l, .hash = weir__sha256_by.begin(), .bytes_max = judge_size(request)};
    const weir__layer_note top = {.mode = 0755};
    const weir__layer_place here = {.last = here.path};
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
    if (utf8) before = uselocale(utf8);
    weir__layer_begin(&l);
    bool ok = weir__layer_folder(&l, &here, &top);
    if (ok && !open_source(&s, request->blob)) ok = damaged(&l, s.archive);
    ok = ok && read_tar(&l, &s) && check_digest(&l, &s) && weir__layer_end(&l) && keep(&l);
    if (s.archive) archive_read_free(s.archive);
    weir__sha256_by.end(s.hash);
    weir__layer_deinit(&l);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    if (ok) *out = found;
    return ok;
}

static bool expand(const weir__layer_request *request,
                   bool (*write)(void *arg, const void *data, size_t length, weir_error *error),
                   weir_error *error) {
    weir__layer l = {.request = request, .error = error};
    source s = {.layer = &l, .hash = weir__sha256_by.begin(), .bytes_max = judge_size(request)};
    bool ok = open_source(&s, request->blob) || damaged(&l, s.archive);
    while (ok && !s.ended) {
        const void *data;
        size_t length;
        ok =
            next_bytes(&s, &data, &length) && (!length || write(request->arg, data, length, error));
    }
    archive_read_free(s.archive);
    weir__sha256_by.end(s.hash);
    return ok;
}

static const weir__layer_functions functions = {
    .version = WEIR_VERSION, .unpack = unpack, .expand = expand};

WEIR_API const weir__layer_functions *weir_layer_functions(void);

const weir__layer_functions *weir_layer_functions(void) {
    return &functions;
}
