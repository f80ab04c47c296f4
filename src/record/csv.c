/* CSV (RFC 4180), a row at a time. */
#include "record/record_internal.h"

typedef struct csv_reader {
    weir_record_reader base;
    FILE *file;
    const weir_record_place *place;
    uint32_t line; /* of the next character */
    uint64_t rows;
    size_t key; /* the column with the keys; SIZE_MAX: rows are numbered */
    size_t column_count;
    weir_buffer cell;
} csv_reader;

static bool wrong(csv_reader *r, weir_error *error, const char *problem) {
    return weir__record_wrong(r->place, r->line, error, "%s", problem);
}

static bool is_utf8(weir_str text) {
    while (text.length) {
        size_t length = weir_utf8_length(text);
        if (!length || !text.data[0]) return false;
        text = weir_str_slice(text, length, text.length);
    }
    return true;
}

/* Takes the LF of a CRLF, too; whether the character ended the line. */
static bool ends_line(csv_reader *r, int c) {
    if (c == '\r') {
        int next = getc_unlocked(r->file);
        if (next == '\n') return true;
        if (next != EOF) ungetc(next, r->file);
        return false;
    }
    return c == '\n';
}

typedef enum cell_end { CELL_NEXT, CELL_ROW, CELL_FILE, CELL_WRONG } cell_end;

static cell_end after_cell(csv_reader *r, int c) {
    if (c == r->place->delimiter) return CELL_NEXT;
    if (c == EOF) return CELL_FILE;
    return ends_line(r, c) ? CELL_ROW : CELL_WRONG;
}

/* Behind the opening quote. */
static cell_end read_quoted(csv_reader *r, weir_error *error) {
    int c;
    while ((c = getc_unlocked(r->file)) != EOF) {
        if (c == '"' && (c = getc_unlocked(r->file)) != '"') {
            cell_end end = after_cell(r, c);
            if (end == CELL_WRONG) wrong(r, error, "something stands behind a closing quote");
            return end;
        }
        if (c == '\n') r->line++;
        if (r->cell.length >= WEIR_RECORD_BYTES_MAX) break;
        weir_buffer_byte(&r->cell, (char)c);
    }
    wrong(r, error, c == EOF ? "a quote is not closed" : "a cell has more than 64 MiB");
    return CELL_WRONG;
}

static cell_end read_cell(csv_reader *r, weir_error *error) {
    weir_buffer_clear(&r->cell);
    int c = getc_unlocked(r->file);
    if (c == '"') return read_quoted(r, error);
    for (;; c = getc_unlocked(r->file)) {
        cell_end end = after_cell(r, c);
        if (end != CELL_WRONG) return end;
        if (c == '"' || r->cell.length >= WEIR_RECORD_BYTES_MAX) break;
        weir_buffer_byte(&r->cell, (char)c);
    }
    wrong(r, error,
          c == '"' ? "a quote within a cell; the whole cell needs quotes, and \"\" is one"
                   : "a cell has more than 64 MiB");
    return CELL_WRONG;
}

/* The cells of the next line that is not empty; NULL at the end. */
static bool read_row(csv_reader *r, weir_value **out, weir_error *error) {
    cell_end end;
    size_t bytes = 0;
    weir_value *row = weir_array_new();
    r->base.line = r->line;
    do {
        end = read_cell(r, error);
        weir_str cell = weir_buffer_str(&r->cell);
        bytes += cell.length;
        bool ok = end != CELL_WRONG;
        if (ok && !is_utf8(cell)) ok = wrong(r, error, "a cell is not UTF-8, or has a NUL");
        if (ok &&
            (weir_value_count(row) >= WEIR_RECORD_COLUMNS_MAX || bytes > WEIR_RECORD_BYTES_MAX))
            ok = wrong(r, error, "a row has more than 16,384 cells, or 64 MiB");
        if (!ok) {
            weir_value_unref(row);
            return false;
        }
        if (end == CELL_ROW) r->line++;
        bool empty = end != CELL_NEXT && !weir_value_count(row) && !cell.length;
        if (!empty) weir_array_append(row, weir_string_from(cell));
        if (empty) r->base.line = r->line;
    } while (end == CELL_NEXT || (end == CELL_ROW && !weir_value_count(row)));
    if (ferror(r->file)) {
        weir_value_unref(row);
        return weir__record_failed(r->place->shown, "read", error);
    }
    if (!weir_value_count(row)) {
        weir_value_unref(row);
        row = NULL;
    }
    *out = row;
    return true;
}

static bool read_columns(csv_reader *r, weir_error *error) {
    weir_value *row = NULL;
    if (!read_row(r, &row, error)) return false;
    weir_str wanted = weir__record_key(r->place);
    r->key = SIZE_MAX;
    r->column_count = row ? weir_value_count(row) : 0;
    bool ok = true;
    for (size_t i = 0; ok && i < r->column_count; i++) {
        weir_str name = weir_string_get(weir_array_at(row, i));
        if (weir_member(r->base.columns, name))
            ok = weir__record_wrong(r->place, r->base.line, error, "two columns are called `%.*s`",
                                    WEIR_ARG(name));
        if (weir_str_equal(name, wanted)) r->key = i;
        weir_member_set(r->base.columns, name, weir_null_new());
    }
    weir_value_unref(row);
    if (ok && r->key == SIZE_MAX && r->place->key)
        ok = weir__record_wrong(r->place, 1, error, "there is no column `%s` for the keys",
                                r->place->key);
    return ok;
}

static bool next(weir_record_reader *base, weir_value **record, weir_error *error) {
    csv_reader *r = (csv_reader *)base;
    weir_value *row = NULL, *features, *key = NULL;
    if (!read_row(r, &row, error)) return false;
    *record = NULL;
    if (!row) return true;
    size_t count = weir_value_count(row);
    if (count != r->column_count) {
        weir_value_unref(row);
        return weir__record_wrong(r->place, base->line, error,
                                  "there are %zu cells for %zu columns", count, r->column_count);
    }
    features = weir_object_new();
    for (size_t i = 0; i < count; i++) {
        weir_value *cell = weir_array_at(row, i);
        weir_str text = weir_string_get(cell), name = weir_object_key(base->columns, i);
        if (i == r->key) key = weir_value_ref(cell);
        if (i == r->key || !text.length) continue;
        weir_member_set(features, name,
                        base->texts ? weir_value_ref(cell) : weir_record_cell(text));
    }
    if (!key) {
        weir_buffer number = {0};
        weir_buffer_number(&number, r->rows);
        key = weir_string_from(weir_buffer_str(&number));
        weir_buffer_deinit(&number);
    }
    r->rows++;
    weir_value_unref(row);
    *record = weir__record_of(key, features);
    return true;
}

static void close_reader(weir_record_reader *base) {
    csv_reader *r = (csv_reader *)base;
    fclose(r->file);
    weir_buffer_deinit(&r->cell);
}

static void skip_mark(FILE *file) {
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    unsigned char start[sizeof mark];
    if (fread(start, 1, sizeof start, file) != sizeof start ||
        memcmp(start, mark, sizeof mark) != 0)
        rewind(file);
}

bool weir__record_csv_open(const weir_record_place *place, FILE *file, weir_record_reader **out,
                           weir_error *error) {
    csv_reader *r = weir_alloc(sizeof *r);
    r->base.next = next;
    r->base.close = close_reader;
    r->base.columns = weir_object_new();
    r->file = file;
    r->place = place;
    r->line = 1;
    skip_mark(file);
    if (!read_columns(r, error)) {
        weir_record_reader_close(&r->base);
        return false;
    }
    *out = &r->base;
    return true;
}

/* --- writing -------------------------------------------------------------------------------------- */

static void add_cell(const weir_record_place *place, const weir_value *cell, weir_buffer *out) {
    if (!cell || weir_is(cell, WEIR_NULL)) return;
    weir_buffer plain = {0};
    weir_json_plain(cell, &plain);
    weir_str text = weir_buffer_str(&plain);
    bool quoted = false;
    for (size_t i = 0; i < text.length && !quoted; i++)
        quoted = text.data[i] == place->delimiter || memchr("\"\r\n", text.data[i], 3);
    if (quoted) weir_buffer_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"') weir_buffer_byte(out, '"');
        weir_buffer_byte(out, text.data[i]);
    }
    if (quoted) weir_buffer_byte(out, '"');
    weir_buffer_deinit(&plain);
}

/* The key stands where its column was, or first. */
static void add_row(const weir_record_place *place, const weir_value *columns, weir_str key,
                    const weir_value *record, const weir_value *changed, weir_buffer *out) {
    const weir_value *features = weir_member_named(record, "features");
    size_t before = out->length;
    for (size_t i = 0; i < weir_value_count(columns); i++) {
        weir_str name = weir_object_key(columns, i);
        const weir_value *cell = changed ? weir_member(changed, name) : NULL;
        if (i) weir_buffer_byte(out, place->delimiter);
        if (weir_str_equal(name, key)) cell = weir_member_named(record, "key");
        add_cell(place, cell ? cell : weir_member(features, name), out);
    }
    if (out->length == before) weir_buffer_text(out, "\"\""); /* an empty line would be no row */
    weir_buffer_byte(out, '\n');
}

static void add_names(const weir_record_place *place, const weir_value *columns, weir_buffer *out) {
    for (size_t i = 0; i < weir_value_count(columns); i++) {
        weir_value *name = weir_string_from(weir_object_key(columns, i));
        if (i) weir_buffer_byte(out, place->delimiter);
        add_cell(place, name, out);
        weir_value_unref(name);
    }
    weir_buffer_byte(out, '\n');
}

static bool write_out(const weir_record_place *place, weir_buffer *text, FILE *file,
                      weir_error *error) {
    bool ok = fwrite(text->data, 1, text->length, file) == text->length;
    weir_buffer_clear(text);
    return ok || weir__record_failed(place->shown, "written", error);
}

/* Rows that are numbered need no column for that; features have to be of some record. */
bool weir__record_csv_write(const weir_record_place *place, weir_record_spool *spool, FILE *file,
                            weir_error *error) {
    weir_buffer line = {0};
    weir_str key = weir__record_key(place);
    add_names(place, spool->columns, &line);
    bool ok = write_out(place, &line, file, error);
    weir_value *record = NULL, *changed = NULL;
    while (ok && (ok = weir_record_spool_next(spool, &record, &changed, error)) && record) {
        add_row(place, spool->columns, key, record, changed, &line);
        ok = write_out(place, &line, file, error);
        weir_value_unref(record);
        weir_value_unref(changed);
    }
    weir_buffer_deinit(&line);
    return ok;
}
