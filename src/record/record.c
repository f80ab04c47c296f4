#include "record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/record_internal.h"

/* --- what all kinds need -------------------------------------------------------------------------- */

weir_value *weir__record_of(weir_value *key, weir_value *features) {
    weir_value *record = weir_object_new();
    weir_member_put(record, "key", key);
    weir_member_put(record, "features", features);
    return record;
}

weir_value *weir__record_stored(const weir_value *record, const weir_value *changed, bool whole) {
    if (!changed) return NULL;
    if (!whole) return weir_value_ref((weir_value *)changed);
    return weir_object_merge(weir_member_named(record, "features"), changed);
}

bool weir__record_failed(const char *path, const char *what, weir_error *error) {
    return weir_fail(error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO, "%s cannot be %s: %s", path,
                     what, strerror(errno));
}

bool weir__record_wrong(const weir_record_place *place, uint32_t line, weir_error *error,
                        const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_text_end_whole(text, sizeof text);
    weir_fail(error, WEIR_INVALID, "%s", text);
    if (line) weir_error_place(error, weir_str_from(place->shown), line, 1);
    return false;
}

void weir__record_name(weir_buffer *out, weir_str name) {
    weir_buffer_byte(out, '"');
    for (size_t i = 0; i < name.length; i++) {
        if (name.data[i] == '"') weir_buffer_byte(out, '"');
        weir_buffer_byte(out, name.data[i]);
    }
    weir_buffer_byte(out, '"');
}

weir_value *weir_record_cell(weir_str cell) {
    weir_value *value;
    weir_error ignored;
    static const char begins[] = "-0123456789[{";
    bool maybe = cell.length && memchr(begins, cell.data[0], sizeof begins - 1);
    if (weir_str_is(cell, "True") || weir_str_is(cell, "true")) return weir_bool_new(true);
    if (weir_str_is(cell, "False") || weir_str_is(cell, "false")) return weir_bool_new(false);
    if (maybe && weir_json_parse(cell, WEIR_STR(""), &value, &ignored)) return value;
    return weir_string_from(cell);
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool read_nothing(weir_record_reader *reader, weir_value **record, weir_error *error) {
    (void)reader;
    (void)error;
    *record = NULL;
    return true;
}

static bool open_file(const weir_record_place *place, bool may_lack, weir_record_reader **out,
                      weir_error *error) {
    struct stat info;
    FILE *file = fopen(place->path, "re");
    if (!file && errno == ENOENT && may_lack) {
        *out = weir_alloc(sizeof **out);
        (*out)->next = read_nothing;
        return true;
    }
    if (!file) return weir__record_failed(place->shown, "read", error);
    if (fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        fclose(file);
        errno = EISDIR;
        return weir__record_failed(place->shown, "read", error);
    }
    return place->kind == WEIR_RECORDS_CSV ? weir__record_csv_open(place, file, out, error)
                                           : weir__record_json_open(place, file, out, error);
}

bool weir_record_reader_open(const weir_record_place *place, bool texts, bool may_lack,
                             weir_record_reader **out, weir_error *error) {
    weir_record_reader *reader = NULL;
    bool ok = place->kind == WEIR_RECORDS_SQLITE ? weir__record_sqlite_open(place, &reader, error)
              : place->kind == WEIR_RECORDS_POSTGRESQL
                  ? weir__record_postgresql_open(place, &reader, error)
                  : open_file(place, may_lack, &reader, error);
    if (!ok) return false;
    reader->place = place;
    reader->texts = texts;
    *out = reader;
    return true;
}

bool weir_record_reader_next(weir_record_reader *reader, weir_value **record, weir_error *error) {
    weir_value *found;
    if (!reader->next(reader, &found, error)) return false;
    if (found && !weir_member_text(found, "key").length) {
        weir_value_unref(found);
        return weir__record_wrong(reader->place, reader->line, error, "the record has no key");
    }
    *record = found;
    return true;
}

const weir_value *weir_record_reader_columns(const weir_record_reader *reader) {
    return reader->columns;
}

uint32_t weir_record_reader_line(const weir_record_reader *reader) {
    return reader->line;
}

void weir_record_reader_close(weir_record_reader *reader) {
    if (!reader) return;
    if (reader->close) reader->close(reader);
    weir_value_unref(reader->columns);
    weir_free(reader);
}

/* --- the spool ------------------------------------------------------------------------------------ */

static bool fail_spool(weir_error *error) {
    return weir_fail(error, WEIR_IO, "the records cannot be kept in a temporary file: %s",
                     strerror(errno));
}

bool weir_record_spool_open(weir_record_spool *spool, weir_error *error) {
    const char *folder = getenv("TMPDIR");
    *spool = (weir_record_spool){0};
    int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    spool->file = fd >= 0 ? fdopen(fd, "w+") : tmpfile();
    if (!spool->file) return fail_spool(error);
    spool->columns = weir_object_new();
    return true;
}

static void note_columns(weir_record_spool *spool, const weir_value *features) {
    for (size_t i = 0; weir_is(features, WEIR_OBJECT) && i < weir_value_count(features); i++) {
        weir_str name = weir_object_key(features, i);
        if (!weir_member(spool->columns, name))
            weir_member_set(spool->columns, name, weir_null_new());
    }
}

bool weir_record_spool_put(weir_record_spool *spool, const weir_value *record,
                           const weir_value *changed, weir_error *error) {
    note_columns(spool, weir_member_named(record, "features"));
    note_columns(spool, changed);
    weir_value *both = weir_array_new();
    weir_array_append(both, weir_value_ref((weir_value *)record));
    weir_array_append(both, changed ? weir_value_ref((weir_value *)changed) : weir_null_new());
    weir_buffer_clear(&spool->line);
    weir_json_format(both, 0, &spool->line);
    weir_buffer_byte(&spool->line, '\n');
    weir_value_unref(both);
    spool->count++;
    return fwrite(spool->line.data, 1, spool->line.length, spool->file) == spool->line.length ||
           fail_spool(error);
}

bool weir_record_spool_seek(weir_record_spool *spool, uint64_t at, weir_error *error) {
    return (fflush(spool->file) == 0 && fseeko(spool->file, (off_t)at, SEEK_SET) == 0) ||
           fail_spool(error);
}

bool weir_record_spool_rewind(weir_record_spool *spool, weir_error *error) {
    return weir_record_spool_seek(spool, 0, error);
}

bool weir_record_spool_next(weir_record_spool *spool, weir_value **record, weir_value **changed,
                            weir_error *error) {
    int c;
    weir_value *both;
    *record = *changed = NULL;
    weir_buffer_clear(&spool->line);
    while ((c = getc_unlocked(spool->file)) != EOF && c != '\n')
        weir_buffer_byte(&spool->line, (char)c);
    if (c == EOF) return !ferror(spool->file) || fail_spool(error);
    if (!weir_json_parse(weir_buffer_str(&spool->line), WEIR_STR("the temporary file"), &both,
                         error))
        return false;
    *record = weir_value_ref(weir_array_at(both, 0));
    const weir_value *new = weir_array_at(both, 1);
    if (weir_is(new, WEIR_OBJECT)) *changed = weir_value_ref((weir_value *)new);
    weir_value_unref(both);
    return true;
}

void weir_record_spool_close(weir_record_spool *spool) {
    if (spool->file) fclose(spool->file);
    weir_value_unref(spool->columns);
    weir_buffer_deinit(&spool->line);
    *spool = (weir_record_spool){0};
}

/* --- replacing a file ----------------------------------------------------------------------------- */

/* Through links: the file that they lead to is replaced. */
static char *real_path(const char *path) {
    char *found = realpath(path, NULL);
    char *copy = weir_str_dup(weir_str_from(found ? found : path));
    free(found);
    return copy;
}

static bool write_new(const weir_record_place *place, weir_record_spool *spool, const char *path,
                      int fd, weir_error *error) {
    struct stat old;
    FILE *file = fdopen(fd, "w");
    if (!file) {
        close(fd);
        return weir__record_failed(place->shown, "written", error);
    }
    mode_t mask = umask(0);
    umask(mask);
    (void)!fchmod(fd, stat(path, &old) == 0 ? old.st_mode & 07777 : 0666 & ~mask);
    bool ok = place->kind == WEIR_RECORDS_CSV ? weir__record_csv_write(place, spool, file, error)
                                              : weir__record_json_write(place, spool, file, error);
    if (ok && (fflush(file) != 0 || ferror(file) || fsync(fd) != 0))
        ok = weir__record_failed(place->shown, "written", error);
    if (fclose(file) != 0 && ok) ok = weir__record_failed(place->shown, "written", error);
    return ok;
}

static bool replace_file(const weir_record_place *place, weir_record_spool *spool,
                         weir_error *error) {
    char *path = real_path(place->path);
    weir_buffer part = {0};
    weir_buffer_printf(&part, "%s.XXXXXX", path);
    int fd = mkostemp(part.data, O_CLOEXEC);
    bool ok = fd >= 0 || weir__record_failed(place->shown, "written", error);
    ok = ok && write_new(place, spool, path, fd, error);
    if (ok && rename(part.data, path) != 0)
        ok = weir__record_failed(place->shown, "written", error);
    if (!ok && fd >= 0) (void)unlink(part.data);
    weir_buffer_deinit(&part);
    weir_free(path);
    return ok;
}

bool weir_record_store(const weir_record_place *place, weir_record_spool *spool, bool whole,
                       weir_error *error) {
    if (!weir_record_spool_rewind(spool, error)) return false;
    switch (place->kind) {
    case WEIR_RECORDS_SQLITE: return weir__record_sqlite_write(place, spool, whole, error);
    case WEIR_RECORDS_POSTGRESQL: return weir__record_postgresql_write(place, spool, whole, error);
    default: return replace_file(place, spool, error);
    }
}
