#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/json.h"
#include "io/library.h"
#include "store/backup_internal.h"

enum { CHUNK_BYTES = 1024 * 1024 };

struct weir_backup {
    const weir__archive_functions *library;
    const weir__sha256_functions *sha256;
    weir__sha256 *hash;
    weir__archive *archive;
    char *file, *part;
    int fd;
    char *chunk;
    weir_value *files; /* the list */
    uint64_t bytes;
    bool finished;
};

bool weir__archive_open(const weir__archive_functions **out, weir_error *error) {
    void *symbol;
    if (!weir_library_symbol("backup", "weir_archive_functions", &symbol, error)) return false;
    const weir__archive_functions *(*functions)(void);
    memcpy(&functions, &symbol, sizeof functions);
    const weir__archive_functions *found = functions();
    if (strcmp(found->version, WEIR_VERSION) != 0)
        return weir_fail(error, WEIR_PLUGIN, "weir-backup.so is of weir %.20s, and this is %s",
                         found->version, WEIR_VERSION);
    *out = found;
    return true;
}

static bool fail_file(const char *file, int reason, weir_error *error) {
    weir_fail(error, WEIR_IO, "the backup `%.300s` cannot be written: %s", file, strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room, or write it to another disk");
    else if (reason == ENOENT)
        weir_error_hint(error, "its folder must exist");
    return false;
}

static bool said_of(const weir_backup *b, bool ok, weir_error *error) {
    if (!ok) weir_error_context(error, "the backup `%.200s` cannot be written", b->file);
    return ok;
}

/* A part without its process is nobody's. */
static bool open_part(weir_backup *b, bool replace, weir_error *error) {
    if (!replace && access(b->file, F_OK) == 0) {
        weir_fail(error, WEIR_CONFLICT, "there is a file `%.300s`", b->file);
        weir_error_hint(error, "name another, or --replace it");
        return false;
    }
    b->fd = open(b->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (b->fd < 0) return fail_file(b->file, errno, error);
    if (flock(b->fd, LOCK_EX | LOCK_NB) == 0)
        return ftruncate(b->fd, 0) == 0 || fail_file(b->file, errno, error);
    close(b->fd);
    b->fd = -1;
    return weir_fail(error, WEIR_CONFLICT, "another process writes `%.300s`", b->file);
}

static bool add_bytes(weir_backup *b, const char *data, size_t length, weir_error *error) {
    b->sha256->add(b->hash, data, length);
    return said_of(b, b->library->put(b->archive, data, length, error), error);
}

static void list_file(weir_backup *b, const char *name, uint64_t size) {
    unsigned char digest[WEIR__SHA256_BYTES];
    char hex[WEIR__SHA256_LETTERS + 1];
    weir_value *file = weir_object_new();
    b->sha256->take(b->hash, digest);
    weir__sha256_format(digest, hex);
    weir_member_put_text(file, "name", weir_str_from(name));
    weir_member_put(file, "size", weir_int_new((int64_t)size));
    weir_member_put_text(file, "sha256", weir_str_from(hex));
    weir_array_append(b->files, file);
    b->bytes += size;
}

static bool add_value(weir_backup *b, const char *name, const weir_value *value,
                      weir_error *error) {
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    weir_buffer_byte(&text, '\n');
    bool ok = said_of(b, b->library->begin(b->archive, name, text.length, error), error) &&
              add_bytes(b, text.data, text.length, error);
    if (ok) list_file(b, name, text.length);
    weir_buffer_deinit(&text);
    return ok;
}

bool weir_backup_create(const char *file, bool replace, const weir_value *about, weir_backup **out,
                        weir_error *error) {
    weir_buffer part = {0};
    weir_backup *b = weir_alloc(sizeof *b);
    weir_buffer_printf(&part, "%s.part", file);
    *b = (weir_backup){.file = weir_str_dup(weir_str_from(file)),
                       .part = part.data,
                       .fd = -1,
                       .chunk = weir_alloc(CHUNK_BYTES),
                       .files = weir_array_new()};
    bool ok = weir__archive_open(&b->library, error) && weir__sha256_open(&b->sha256, error) &&
              open_part(b, replace, error);
    if (ok) b->hash = b->sha256->begin();
    ok = ok && said_of(b, b->library->create(b->fd, &b->archive, error), error) &&
         add_value(b, WEIR__BACKUP_ABOUT, about, error);
    if (ok)
        *out = b;
    else
        weir_backup_close(b);
    return ok;
}

bool weir_backup_add(weir_backup *b, const char *name, int fd, uint64_t size, weir_error *error) {
    weir_assert(weir_backup_name_is(name));
    if (!said_of(b, b->library->begin(b->archive, name, size, error), error)) return false;
    for (uint64_t done = 0; done < size;) {
        size_t wanted = size - done < CHUNK_BYTES ? (size_t)(size - done) : CHUNK_BYTES;
        ssize_t got = read(fd, b->chunk, wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return weir_fail(error, WEIR_IO, "`%s` of the state cannot be read: %s", name,
                             strerror(errno));
        if (!got) memset(b->chunk, 0, wanted); /* a log that was cut meanwhile */
        size_t length = got ? (size_t)got : wanted;
        if (!add_bytes(b, b->chunk, length, error)) return false;
        done += length;
    }
    list_file(b, name, size);
    return true;
}

uint64_t weir_backup_bytes(const weir_backup *b) {
    return b->bytes;
}

/* The folder too, so that the name is on the disk. */
static bool publish(weir_backup *b, weir_error *error) {
    char *folder = weir_str_dup(weir_str_from(b->file)), *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    bool ok =
        (fsync(b->fd) == 0 && rename(b->part, b->file) == 0) || fail_file(b->file, errno, error);
    int fd = ok ? open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    b->finished = ok;
    ok = ok && ((fd >= 0 && fsync(fd) == 0) || fail_file(b->file, errno, error));
    if (fd >= 0) close(fd);
    weir_free(folder);
    return ok;
}

bool weir_backup_finish(weir_backup *b, const weir_value *notes, uint64_t *size,
                        weir_error *error) {
    weir_value *list = weir_object_new();
    struct stat file;
    weir_member_put(list, "files", b->files);
    if (notes) weir_member_put(list, "notes", weir_value_ref((weir_value *)(void *)notes));
    b->files = weir_array_new();
    bool ok = add_value(b, WEIR__BACKUP_LIST, list, error) &&
              said_of(b, b->library->finish(b->archive, error), error) &&
              (fstat(b->fd, &file) == 0 || fail_file(b->file, errno, error)) && publish(b, error);
    if (ok) *size = (uint64_t)file.st_size;
    weir_value_unref(list);
    return ok;
}

void weir_backup_close(weir_backup *b) {
    if (b->archive) b->library->close(b->archive);
    if (b->hash) b->sha256->end(b->hash);
    if (!b->finished && b->fd >= 0) unlink(b->part);
    if (b->fd >= 0) close(b->fd);
    weir_value_unref(b->files);
    weir_free(b->chunk);
    weir_free(b->part);
    weir_free(b->file);
    weir_free(b);
}
