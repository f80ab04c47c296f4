/* The module "backup": links libarchive. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>

#include "base/descriptor.h"
#include "store/archive.h"

enum { BLOCK_BYTES = 64 * 1024, PADDING_MAX = 64 * 1024 * 1024 };

struct weir__archive {
    struct archive *archive;
    struct archive_entry *entry; /* of the file that is written; NULL: none was */
    bool writes;
    int fd; /* that is written to; -1: the sink is */
    weir__archive_sink sink;
    int problem;    /* errno of a write that failed */
    bool given_up;  /* what comes is not written any more */
    uint64_t wants; /* bytes that are still to come of the file */
};

static bool fail(const weir__archive *a, weir_error *error) {
    int reason = a->problem ? a->problem : archive_errno(a->archive);
    const char *said = archive_error_string(a->archive);
    bool system = reason > 0 && reason != EINVAL && reason != EILSEQ;
    weir_fail(error, a->writes || system ? WEIR_IO : WEIR_INVALID, "%s",
              system ? strerror(reason)
              : said ? said
                     : "it cannot be read");
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room, or write it to another disk");
    return false;
}

static bool ok(const weir__archive *a, int status, weir_error *error) {
    return status >= ARCHIVE_WARN || fail(a, error);
}

static void close_archive(weir__archive *a) {
    if (a->entry) archive_entry_free(a->entry);
    a->given_up = true;
    /* To free one that is not finished is to finish it, and a file of which gigabytes are missing with as many zeros. After
     * this the library does not, and keeps 10 KiB. */
    if (a->wants > PADDING_MAX) archive_write_fail(a->archive);
    archive_free(a->archive);
    weir_free(a);
}

static bool begun(weir__archive *a, bool fine, weir__archive **out, weir_error *error) {
    if (fine) {
        *out = a;
        return true;
    }
    fail(a, error);
    close_archive(a);
    return false;
}

/* --- writing -------------------------------------------------------------------------------- */

static la_ssize_t write_out(struct archive *archive, void *arg, const void *data, size_t length) {
    weir__archive *a = arg;
    if (a->given_up || weir_descriptor_write(a->fd, (weir_str){data, length}))
        return (la_ssize_t)length;
    a->problem = errno;
    archive_set_error(archive, errno, "it cannot be written");
    return -1;
}

static la_ssize_t write_sink(struct archive *archive, void *arg, const void *data, size_t length) {
    weir__archive *a = arg;
    if (a->given_up || a->sink.write(a->sink.arg, data, length)) return (la_ssize_t)length;
    a->problem = errno;
    archive_set_error(archive, errno, "it cannot be written");
    return -1;
}

/* Names are bytes: what they mean is whoever made them's. The time in gzip's header would make each archive another. */
static bool set_form(struct archive *archive, weir__archive_form form, int level) {
    char option[64] = "gzip:!timestamp";
    if (form == WEIR__ARCHIVE_ZIP) {
        snprintf(option, sizeof option, "zip:compression-level=%d", level);
        return archive_write_set_format_zip(archive) == ARCHIVE_OK &&
               (level < 0 || archive_write_set_options(archive, option) == ARCHIVE_OK);
    }
    if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK) return false;
    if (form == WEIR__ARCHIVE_PLAIN) return true; /* its names are weir's own */
    if (archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
        archive_write_set_options(archive, "pax:hdrcharset=BINARY") < ARCHIVE_WARN ||
        archive_write_set_options(archive, option) != ARCHIVE_OK)
        return false;
    snprintf(option, sizeof option, "gzip:compression-level=%d", level);
    return level < 0 || archive_write_set_options(archive, option) == ARCHIVE_OK;
}

static bool pack(const weir__archive_sink *sink, weir__archive_form form, int level,
                 weir__archive **out, weir_error *error) {
    weir__archive *a = weir_alloc(sizeof *a);
    *a = (weir__archive){.archive = archive_write_new(), .writes = true, .fd = -1, .sink = *sink};
    bool fine = set_form(a->archive, form, level) &&
                archive_write_set_bytes_in_last_block(a->archive, 1) == ARCHIVE_OK &&
                archive_write_open(a->archive, a, NULL, write_sink, NULL) == ARCHIVE_OK;
    if (fine) a->entry = archive_entry_new();
    return begun(a, fine, out, error);
}

static bool add(weir__archive *a, const weir__archive_item *item, weir_error *error) {
    static const unsigned types[] = {AE_IFREG, AE_IFDIR, AE_IFLNK, AE_IFREG};
    weir_assert(item->kind < WEIR__ARCHIVE_OTHER);
    archive_entry_clear(a->entry);
    archive_entry_set_pathname(a->entry, item->name);
    archive_entry_set_filetype(a->entry, types[item->kind]);
    archive_entry_set_perm(a->entry, item->mode & 07777);
    archive_entry_set_mtime(a->entry, item->modified_s, 0);
    archive_entry_set_size(a->entry, (la_int64_t)item->size);
    if (item->kind == WEIR__ARCHIVE_LINK) archive_entry_set_symlink(a->entry, item->link);
    if (item->kind == WEIR__ARCHIVE_HARD_LINK) archive_entry_set_hardlink(a->entry, item->link);
    a->wants = item->size;
    return ok(a, archive_write_header(a->archive, a->entry), error);
}

static bool create(int fd, weir__archive **out, weir_error *error) {
    weir__archive *a = weir_alloc(sizeof *a);
    *a = (weir__archive){.archive = archive_write_new(), .writes = true, .fd = fd};
    bool fine = archive_write_set_format_pax_restricted(a->archive) == ARCHIVE_OK &&
                archive_write_add_filter_zstd(a->archive) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(a->archive, 1) == ARCHIVE_OK &&
                archive_write_open(a->archive, a, NULL, write_out, NULL) == ARCHIVE_OK;
    if (fine) a->entry = archive_entry_new();
    return begun(a, fine, out, error);
}

static bool begin(weir__archive *a, const char *name, uint64_t size, weir_error *error) {
    archive_entry_clear(a->entry);
    archive_entry_set_pathname(a->entry, name);
    archive_entry_set_filetype(a->entry, AE_IFREG);
    archive_entry_set_perm(a->entry, 0600);
    archive_entry_set_size(a->entry, (la_int64_t)size);
    a->wants = size;
    return ok(a, archive_write_header(a->archive, a->entry), error);
}

static bool put(weir__archive *a, const void *data, size_t length, weir_error *error) {
    la_ssize_t written = archive_write_data(a->archive, data, length);
    if (written != (la_ssize_t)length) return fail(a, error);
    a->wants -= length;
    return true;
}

static bool finish(weir__archive *a, weir_error *error) {
    return ok(a, archive_write_finish_entry(a->archive), error) &&
           ok(a, archive_write_close(a->archive), error);
}

/* --- reading -------------------------------------------------------------------------------- */

static bool open_archive(int fd, weir__archive **out, weir_error *error) {
    weir__archive *a = weir_alloc(sizeof *a);
    *a = (weir__archive){.archive = archive_read_new()};
    bool fine = archive_read_support_format_tar(a->archive) == ARCHIVE_OK &&
                archive_read_support_filter_zstd(a->archive) == ARCHIVE_OK &&
                archive_read_open_fd(a->archive, fd, BLOCK_BYTES) == ARCHIVE_OK;
    return begun(a, fine, out, error);
}

static bool next(weir__archive *a, weir__archive_entry *out, bool *more, weir_error *error) {
    struct archive_entry *entry;
    int status = archive_read_next_header(a->archive, &entry);
    *more = status != ARCHIVE_EOF;
    if (!*more) return true;
    if (!ok(a, status, error)) return false;
    const char *name = archive_entry_pathname(entry);
    la_int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    *out = (weir__archive_entry){.size = size > 0 ? (uint64_t)size : 0,
                                 .regular = archive_entry_filetype(entry) == AE_IFREG &&
                                            !archive_entry_hardlink(entry) &&
                                            !archive_entry_symlink(entry)};
    snprintf(out->name, sizeof out->name, "%s", name ? name : "");
    return true;
}

static bool get(weir__archive *a, void *data, size_t length, size_t *got, weir_error *error) {
    la_ssize_t count = archive_read_data(a->archive, data, length);
    if (count < 0) return fail(a, error);
    *got = (size_t)count;
    return true;
}

/* No more than what the library does itself: for others it would start programs. */
static bool read_form(struct archive *archive, weir__archive_form form) {
    if (form == WEIR__ARCHIVE_ZIP) return archive_read_support_format_zip(archive) == ARCHIVE_OK;
    return archive_read_support_format_tar(archive) == ARCHIVE_OK &&
           archive_read_support_filter_gzip(archive) == ARCHIVE_OK &&
           archive_read_support_filter_bzip2(archive) == ARCHIVE_OK &&
           archive_read_support_filter_xz(archive) == ARCHIVE_OK &&
           archive_read_support_filter_zstd(archive) == ARCHIVE_OK;
}

static bool unpack(int fd, weir__archive_form form, weir__archive **out, weir_error *error) {
    weir__archive *a = weir_alloc(sizeof *a);
    *a = (weir__archive){.archive = archive_read_new()};
    bool fine = read_form(a->archive, form) &&
                archive_read_open_fd(a->archive, fd, BLOCK_BYTES) == ARCHIVE_OK;
    return begun(a, fine, out, error);
}

static weir__archive_kind kind_of(struct archive_entry *entry) {
    if (archive_entry_hardlink(entry)) return WEIR__ARCHIVE_HARD_LINK;
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return WEIR__ARCHIVE_FILE;
    case AE_IFDIR: return WEIR__ARCHIVE_FOLDER;
    case AE_IFLNK: return WEIR__ARCHIVE_LINK;
    default: return WEIR__ARCHIVE_OTHER;
    }
}

static bool look(weir__archive *a, weir__archive_item *out, bool *more, weir_error *error) {
    struct archive_entry *entry;
    int status = archive_read_next_header(a->archive, &entry);
    *more = status != ARCHIVE_EOF;
    if (!*more) return true;
    if (!ok(a, status, error)) return false;
    weir__archive_kind kind = kind_of(entry);
    la_int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
    *out = (weir__archive_item){
        .name = archive_entry_pathname(entry),
        .link = kind == WEIR__ARCHIVE_HARD_LINK ? archive_entry_hardlink(entry)
                                                : archive_entry_symlink(entry),
        .kind = kind,
        .mode = (uint32_t)archive_entry_perm(entry) & 07777,
        .modified_s = archive_entry_mtime(entry),
        .size = size > 0 ? (uint64_t)size : 0,
    };
    return true;
}

static const weir__archive_functions functions = {
    .version = WEIR_VERSION,
    .create = create,
    .begin = begin,
    .put = put,
    .finish = finish,
    .open = open_archive,
    .next = next,
    .get = get,
    .close = close_archive,
    .pack = pack,
    .add = add,
    .unpack = unpack,
    .look = look,
};

WEIR_API const weir__archive_functions *weir_archive_functions(void);

const weir__archive_functions *weir_archive_functions(void) {
    return &functions;
}
