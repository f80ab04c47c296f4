/* From a directory to an archive of the files in it, sorted by name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"

typedef struct making {
    const weir_host *host;
    weir_call *call;
    archive_kind format;
    const char *directory;
    struct archive *archive;
    new_file output;
    struct stat temporary, replaced; /* the archive itself may lie in the directory */
    uint64_t files;
    bool lost; /* a write failed, and the call with it; no more is written */
    char *block;
} making;

/* A name in a folder that is being read. */
typedef struct found_name {
    const char *name;
} found_name;

/* Never says that it failed: the library would not free what it has then. */
static la_ssize_t write_output(struct archive *archive, void *arg, const void *data, size_t size) {
    (void)archive;
    making *m = arg;
    m->lost = m->lost || !new_file_write(&m->output, data, size);
    return (la_ssize_t)size;
}

/* What the library did: it must have worked, and all of it been written. */
static bool check(making *m, const char *path, bool worked) {
    if (m->lost) return false;
    return worked || fail_archive(m->host, m->call, path, m->archive);
}

static const char *join(const making *m, const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = m->host->alloc(m->call, size);
    snprintf(path, size, "%s%s%s", folder, *folder ? "/" : "", name);
    return path;
}

static bool put_content(making *m, const char *path, int descriptor, uint64_t size) {
    while (size > 0) {
        if (m->host->cancelled(m->call)) return false;
        ssize_t got = read(descriptor, m->block, size < ARCHIVE_BLOCK ? size : ARCHIVE_BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(m->host, m->call, path);
        if (got == 0) return m->host->fail(m->call, "io", "%s: became shorter meanwhile", path);
        if (!check(m, path, archive_write_data(m->archive, m->block, (size_t)got) == got))
            return false;
        size -= (uint64_t)got;
    }
    return true;
}

static bool put_header(making *m, const char *path, struct archive_entry *entry,
                       const struct stat *status) {
    archive_entry_set_perm(entry, status->st_mode & 0777);
    archive_entry_set_mtime(entry, status->st_mtim.tv_sec, 0);
    return check(m, path, archive_write_header(m->archive, entry) == ARCHIVE_OK);
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool put_file(making *m, const char *path, const char *name) {
    uint64_t size;
    struct stat status;
    int descriptor = open_input(m->host, m->call, path, &size);
    if (descriptor < 0) return false;
    bool ok = fstat(descriptor, &status) == 0 || fail_errno(m->host, m->call, path);
    if (ok && !is_same(&status, &m->temporary) && !is_same(&status, &m->replaced)) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)size);
        ok = put_header(m, path, entry, &status) && put_content(m, path, descriptor, size);
        archive_entry_free(entry);
    }
    close(descriptor);
    return ok;
}

/* A link to a file: kept in a tar; its file in a zip. */
static bool put_link(making *m, const char *path, const char *name, const struct stat *status) {
    struct stat target;
    if (!is_inside(m->directory, path) || stat(path, &target) != 0)
        return m->host->fail(m->call, "invalid",
                             "%s: the link leads out of the directory, or nowhere", path);
    if (!S_ISREG(target.st_mode)) {
        m->host->log(m->call, WEIR_WARNING, "%s: left out, a link to no file", path);
        return true;
    }
    if (m->format == FORMAT_ZIP) return put_file(m, path, name);
    ssize_t length = readlink(path, m->block, ARCHIVE_BLOCK - 1);
    if (length < 0) return fail_errno(m->host, m->call, path);
    m->block[length] = '\0';
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFLNK);
    archive_entry_set_symlink(entry, m->block);
    bool ok = put_header(m, path, entry, status);
    archive_entry_free(entry);
    return ok;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const found_name *)left)->name, ((const found_name *)right)->name);
}

/* The names in a folder, sorted; the call's memory. */
static bool read_names(making *m, const char *path, found_name **out, size_t *count) {
    DIR *stream = opendir(path);
    if (!stream) return fail_errno(m->host, m->call, path);
    size_t capacity = 0;
    bool ok = true;
    for (*count = 0; ok;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            ok = errno == 0 || fail_errno(m->host, m->call, path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (++m->files > ARCHIVE_FILES_MAX)
            ok = m->host->fail(m->call, "limit_exceeded", "%s: more than %llu files", m->directory,
                               (unsigned long long)ARCHIVE_FILES_MAX);
        if (*count == capacity) {
            found_name *names = m->host->alloc(m->call, (capacity * 2 + 16) * sizeof *names);
            for (size_t i = 0; i < capacity; i++) names[i] = (*out)[i];
            *out = names;
            capacity = capacity * 2 + 16;
        }
        (*out)[(*count)++].name = join(m, "", entry->d_name);
    }
    closedir(stream);
    if (ok && *count) qsort(*out, *count, sizeof **out, compare_names);
    return ok;
}

/* `name` is the folder's in the archive: "" for the first. */
static bool put_folder(making *m, const char *path, const char *name, int depth) {
    found_name *names = NULL;
    size_t count = 0;
    if (depth > ARCHIVE_DEPTH_MAX)
        return m->host->fail(m->call, "limit_exceeded", "%s: more than %d folders deep", path,
                             ARCHIVE_DEPTH_MAX);
    bool ok = read_names(m, path, &names, &count);
    for (size_t i = 0; ok && i < count; i++) {
        const char *below = join(m, path, names[i].name), *inner = join(m, name, names[i].name);
        struct stat status;
        if (lstat(below, &status) != 0)
            ok = fail_errno(m->host, m->call, below);
        else if (S_ISDIR(status.st_mode))
            ok = put_folder(m, below, inner, depth + 1);
        else if (S_ISREG(status.st_mode))
            ok = put_file(m, below, inner);
        else if (S_ISLNK(status.st_mode))
            ok = put_link(m, below, inner, &status);
        else
            m->host->log(m->call, WEIR_WARNING, "%s: left out, not a file", below);
    }
    return ok;
}

static bool open_output(making *m, const char *path) {
    if (stat(path, &m->replaced) == 0 && m->format == FORMAT_TAR)
        return m->host->fail(m->call, "conflict", "%s: is there already; a tar is not replaced",
                             path);
    m->archive = archive_write_new();
    if (m->format == FORMAT_ZIP) {
        archive_write_set_format_zip(m->archive);
        archive_write_zip_set_compression_store(m->archive); /* as DFFML makes them */
        archive_write_set_bytes_in_last_block(m->archive, 1);
    } else {
        archive_write_set_format_pax_restricted(m->archive);
    }
    archive_write_set_options(m->archive, "hdrcharset=UTF-8");
    return new_file_open(m->host, m->call, path, &m->output) &&
           (fstat(m->output.descriptor, &m->temporary) == 0 ||
            fail_errno(m->host, m->call, path)) &&
           check(m, path,
                 archive_write_open(m->archive, m, NULL, write_output, NULL) == ARCHIVE_OK);
}

bool make_archive(const weir_host *host, weir_call *call, archive_kind format) {
    const weir_value *from = parameter(host, call, "input_directory_path", WEIR_STRING);
    const weir_value *to = from ? parameter(host, call, "output_file_path", WEIR_STRING) : NULL;
    if (!to) return false;
    const char *path = host->string_get(to).data;
    making m = {.host = host,
                .call = call,
                .format = format,
                .directory = host->string_get(from).data,
                .output = {.descriptor = -1},
                .block = host->alloc(call, ARCHIVE_BLOCK)};
    bool ok = open_output(&m, path) && put_folder(&m, m.directory, "", 0);
    ok = ok && check(&m, path, archive_write_close(m.archive) == ARCHIVE_OK) &&
         new_file_finish(&m.output);
    m.lost = true; /* what the library still holds goes nowhere */
    if (m.archive) archive_write_free(m.archive);
    new_file_close(&m.output);
    if (ok)
        host->output(call, "output_path",
                     host->value_ref(host->parameter(call, "output_file_path")));
    return ok;
}
