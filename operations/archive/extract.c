/* From an archive to a directory. All is unpacked into a hidden folder first, where there are no links to follow until
 * everything else is there; only when all of it is sound does it get its names. So a file is never half there, and an
 * archive that is refused leaves nothing. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "publish.h"

enum { LINKS_FIRST = 64 };

typedef struct symbolic_link {
    const char *name, *target; /* the call's memory */
} symbolic_link;

typedef struct extraction {
    const weir_host *host;
    weir_call *call;
    const char *path; /* of the archive */
    struct archive *archive;
    const char *staging; /* the hidden folder; NULL: not made */
    int root;            /* its descriptor; -1: closed */
    uint64_t files, files_max, bytes, bytes_max;
    symbolic_link *links;
    size_t link_count, link_capacity;
    char *block;
} extraction;

static bool refuse(extraction *x, const char *name, const char *why) {
    return x->host->fail(x->call, "invalid", "%s: `%s` %s", x->path, name ? name : "", why);
}

/* The name below the folder, without empty parts and "."; "" is the folder itself. NULL: refused. */
static const char *clean_name(extraction *x, const char *name) {
    if (!name || name[0] == '/') {
        refuse(x, name, name ? "is an absolute path" : "a name that cannot be read");
        return NULL;
    }
    size_t length = strlen(name), kept = 0;
    int depth = 0;
    char *clean = x->host->alloc(x->call, length + 1);
    for (const char *part = name; *part; part += strspn(part, "/")) {
        size_t size = strcspn(part, "/");
        bool up = size == 2 && memcmp(part, "..", 2) == 0;
        if (up || ++depth > ARCHIVE_DEPTH_MAX) {
            refuse(x, name, up ? "leaves the directory" : "is too many folders deep");
            return NULL;
        }
        if (size != 1 || *part != '.') {
            if (kept) clean[kept++] = '/';
            memcpy(clean + kept, part, size);
            kept += size;
        }
        part += size;
    }
    clean[kept] = '\0';
    return clean;
}

/* The folders above the name. */
static bool make_parents(extraction *x, const char *name) {
    size_t length = strlen(name);
    char *path = x->host->alloc(x->call, length + 1);
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '/' && mkdirat(x->root, path, 0777) != 0 && errno != EEXIST)
            return fail_errno(x->host, x->call, name);
        path[i] = name[i];
    }
    return true;
}

/* A name that comes again replaces, as with tar; but no folder. */
static bool make_room(extraction *x, const char *name) {
    return make_parents(x, name) && (unlinkat(x->root, name, 0) == 0 || errno == ENOENT ||
                                     fail_errno(x->host, x->call, name));
}

static bool fail_size(extraction *x) {
    return x->host->fail(x->call, "limit_exceeded",
                         "%s: becomes more than %llu bytes; config `max_bytes` allows more",
                         x->path, (unsigned long long)x->bytes_max);
}

static bool unpack_content(extraction *x, const char *name, int descriptor) {
    for (;;) {
        if (x->host->cancelled(x->call)) return false;
        la_ssize_t got = archive_read_data(x->archive, x->block, ARCHIVE_BLOCK);
        if (got < 0) return fail_archive(x->host, x->call, x->path, x->archive);
        if (got == 0) return true;
        x->bytes += (uint64_t)got;
        if (x->bytes > x->bytes_max) return fail_size(x);
        for (la_ssize_t done = 0; done < got;) {
            ssize_t written = write(descriptor, x->block + done, (size_t)(got - done));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return fail_errno(x->host, x->call, name);
            done += written;
        }
    }
}

static bool unpack_file(extraction *x, struct archive_entry *entry, const char *name) {
    la_int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    if (size > 0 && (uint64_t)size > x->bytes_max - x->bytes) return fail_size(x);
    if (!make_room(x, name)) return false;
    mode_t mode = (archive_entry_perm(entry) & 0777) | S_IRUSR | S_IWUSR;
    int descriptor =
        openat(x->root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (descriptor < 0) return fail_errno(x->host, x->call, name);
    bool ok = unpack_content(x, name, descriptor);
    const struct timespec times[2] = {{0, UTIME_OMIT}, {archive_entry_mtime(entry), 0}};
    if (ok && archive_entry_mtime_is_set(entry))
        ok = futimens(descriptor, times) == 0 || fail_errno(x->host, x->call, name);
    if (close(descriptor) != 0 && ok) ok = fail_errno(x->host, x->call, name);
    return ok;
}

static bool unpack_hard_link(extraction *x, const char *name, const char *target) {
    const char *clean = clean_name(x, target);
    if (!clean || !make_room(x, name)) return false;
    if (linkat(x->root, clean, x->root, name, 0) == 0) return true;
    return refuse(x, name, "is a hard link to no file of the archive");
}

/* Kept for the end. */
static bool note_link(extraction *x, const char *name, const char *target) {
    if (!target || target[0] == '/') return refuse(x, name, "is a link that leaves the directory");
    if (x->link_count == x->link_capacity) {
        size_t capacity = x->link_capacity ? x->link_capacity * 2 : LINKS_FIRST;
        symbolic_link *links = x->host->alloc(x->call, capacity * sizeof *links);
        for (size_t i = 0; i < x->link_count; i++) links[i] = x->links[i];
        x->links = links;
        x->link_capacity = capacity;
    }
    size_t size = strlen(target) + 1;
    char *copy = x->host->alloc(x->call, size);
    memcpy(copy, target, size);
    x->links[x->link_count++] = (symbolic_link){name, copy};
    return make_parents(x, name);
}

static bool unpack_entry(extraction *x, struct archive_entry *entry) {
    if (++x->files > x->files_max)
        return x->host->fail(x->call, "limit_exceeded",
                             "%s: more than %llu files; config `max_files` allows more", x->path,
                             (unsigned long long)x->files_max);
    const char *name = clean_name(x, archive_entry_pathname(entry));
    if (!name) return false;
    const char *hard = archive_entry_hardlink(entry);
    mode_t kind = archive_entry_filetype(entry);
    if (!*name)
        return kind == AE_IFDIR || refuse(x, archive_entry_pathname(entry), "is no name of a file");
    if (hard) return unpack_hard_link(x, name, hard);
    if (kind == AE_IFREG) return unpack_file(x, entry, name);
    if (kind == AE_IFLNK) return note_link(x, name, archive_entry_symlink(entry));
    if (kind != AE_IFDIR) return refuse(x, name, "is neither file, folder nor link");
    return make_parents(x, name) && (mkdirat(x->root, name, 0777) == 0 || errno == EEXIST ||
                                     fail_errno(x->host, x->call, name));
}

/* Made when nothing more is written through them; each must then lead to something that was unpacked. */
static bool make_links(extraction *x) {
    for (size_t i = 0; i < x->link_count; i++)
        if (!make_room(x, x->links[i].name) ||
            symlinkat(x->links[i].target, x->root, x->links[i].name) != 0)
            return refuse(x, x->links[i].name, "is a link where something else is");
    for (size_t i = 0; i < x->link_count; i++) {
        size_t size = strlen(x->staging) + strlen(x->links[i].name) + 2;
        char *path = x->host->alloc(x->call, size);
        snprintf(path, size, "%s/%s", x->staging, x->links[i].name);
        if (!is_inside(x->staging, path))
            return refuse(x, x->links[i].name,
                          "is a link that leads out of the archive, or nowhere");
    }
    return true;
}

static bool unpack_all(extraction *x) {
    struct archive_entry *entry;
    for (;;) {
        if (x->host->cancelled(x->call)) return false;
        int status = archive_read_next_header(x->archive, &entry);
        if (status == ARCHIVE_EOF) return make_links(x);
        if (status < ARCHIVE_WARN) return fail_archive(x->host, x->call, x->path, x->archive);
        if (!unpack_entry(x, entry)) return false;
    }
}

static bool open_archive(extraction *x, archive_kind format) {
    uint64_t size;
    int descriptor = open_input(x->host, x->call, x->path, &size);
    if (descriptor < 0) return false;
    close(descriptor);
    if (!read_bytes_max(x->host, x->call, size, &x->bytes_max) ||
        !read_limit(x->host, x->call, "max_files", ARCHIVE_FILES_MAX, &x->files_max))
        return false;
    x->archive = archive_read_new();
    if (format == FORMAT_ZIP) {
        archive_read_support_format_zip_seekable(x->archive);
    } else {
        archive_read_support_format_tar(x->archive);
        archive_read_support_filter_gzip(x->archive);
        archive_read_support_filter_bzip2(x->archive);
        archive_read_support_filter_xz(x->archive);
    }
    return archive_read_open_filename(x->archive, x->path, ARCHIVE_BLOCK) == ARCHIVE_OK ||
           fail_archive(x->host, x->call, x->path, x->archive);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Beside the directory that is to be, or within one that there is, which may be a file system of its own. */
static bool open_staging(extraction *x, const char *directory, bool exists) {
    const char *where = directory;
    if (exists) {
        size_t size = strlen(directory) + sizeof "/extract";
        char *inner = x->host->alloc(x->call, size);
        snprintf(inner, size, "%s/extract", directory);
        where = inner;
    }
    const char *staging = temporary_name(x->host, x->call, where);
    if (mkdir(staging, 0777) != 0) return fail_errno(x->host, x->call, directory);
    x->staging = staging;
    x->root = open(staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return x->root >= 0 || fail_errno(x->host, x->call, staging);
}

static bool extract_into(extraction *x, archive_kind format, const char *directory) {
    struct stat status;
    bool exists = stat(directory, &status) == 0;
    if (exists && !S_ISDIR(status.st_mode))
        return x->host->fail(x->call, "invalid", "%s: not a directory", directory);
    if (!open_archive(x, format) || !open_staging(x, directory, exists) || !unpack_all(x))
        return false;
    if (syncfs(x->root) != 0) return fail_errno(x->host, x->call, directory);
    if (x->host->cancelled(x->call)) return false;
    if (exists) return publish_into(x->host, x->call, x->root, directory);
    return rename(x->staging, directory) == 0 || fail_errno(x->host, x->call, directory);
}

/* The path without slashes at its end. */
static const char *trim(const weir_host *host, weir_call *call, weir_str path) {
    while (path.length > 1 && path.data[path.length - 1] == '/') path.length--;
    char *trimmed = host->alloc(call, path.length + 1);
    memcpy(trimmed, path.data, path.length);
    return trimmed;
}

bool extract_archive(const weir_host *host, weir_call *call, archive_kind format) {
    const weir_value *from = parameter(host, call, "input_file_path", WEIR_STRING);
    weir_value *to = from ? parameter(host, call, "output_directory_path", WEIR_STRING) : NULL;
    if (!to) return false;
    extraction x = {.host = host,
                    .call = call,
                    .path = host->string_get(from).data,
                    .root = -1,
                    .block = host->alloc(call, ARCHIVE_BLOCK)};
    bool ok = extract_into(&x, format, trim(host, call, host->string_get(to)));
    if (x.archive) archive_read_free(x.archive);
    if (x.root >= 0) close(x.root);
    /* Gone already when it became the directory. */
    if (x.staging) nftw(x.staging, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (ok) host->output(call, "output_path", host->value_ref(to));
    return ok;
}
