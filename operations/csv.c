/* CSV (RFC 4180): rows of texts. Cells are texts, unless `numbers` asks for more; lines may end with LF alone. */
#include <stdio.h>
#include <string.h>

#include "file_io.h"
#include "number.h"
#include "operations.h"
#include "parameter.h"

typedef struct settings {
    char delimiter;
    bool header, numbers, crlf;
    weir_value *columns; /* names, or NULL */
} settings;

static bool take_settings(const weir_host *host, weir_call *call, settings *s) {
    weir_str delimiter = TEXT(","), end = TEXT("crlf");
    *s = (settings){.header = true};
    if (!weir__text_given(host, call, "delimiter", &delimiter) ||
        !weir__bool_given(host, call, "header", &s->header) ||
        !weir__bool_given(host, call, "numbers", &s->numbers) ||
        !weir__list_given(host, call, "columns", &s->columns) ||
        !weir__text_given(host, call, "line_end", &end))
        return false;
    unsigned char c = delimiter.length == 1 ? (unsigned char)delimiter.data[0] : '\0';
    if (c == '\0' || c >= 0x80 || c == '"' || c == '\r' || c == '\n')
        return host->fail(call, "invalid",
                          "`delimiter` must be one ASCII character, no quote and no line end");
    s->delimiter = (char)c;
    s->crlf = weir__same_text(end, TEXT("crlf"));
    if (!s->crlf && !weir__same_text(end, TEXT("lf")))
        return host->fail(call, "invalid", "`line_end` must be crlf or lf");
    for (size_t i = 0; s->columns && i < host->value_count(s->columns); i++)
        if (host->value_type(host->array_at(s->columns, i)) != WEIR_STRING)
            return host->fail(call, "invalid", "`columns`: item %zu must be of type string", i);
    return true;
}

/* --- reading -------------------------------------------------------------------------------- */

typedef struct csv_reader {
    const weir_host *host;
    weir_call *call;
    settings s;
    weir_str text;
    size_t at, line, cells;
    weir__text cell; /* used again for each */
} csv_reader;

static bool fail_line(csv_reader *r, const char *problem) {
    return r->host->fail(r->call, "invalid", "line %zu: %s", r->line, problem);
}

static bool at_line_end(const csv_reader *r) {
    return r->at >= r->text.length || r->text.data[r->at] == '\n' ||
           (r->text.data[r->at] == '\r' && r->at + 1 < r->text.length &&
            r->text.data[r->at + 1] == '\n');
}

/* Behind the opening quote; to behind the closing one. */
static bool read_quoted(csv_reader *r) {
    for (; r->at < r->text.length; r->at++) {
        char c = r->text.data[r->at];
        if (c == '\n') r->line++;
        if (c != '"') {
            weir__text_byte(&r->cell, c);
            continue;
        }
        r->at++;
        if (r->at >= r->text.length || r->text.data[r->at] != '"') {
            bool ended = at_line_end(r) || r->text.data[r->at] == r->s.delimiter;
            return ended || fail_line(r, "something stands behind a closing quote");
        }
        weir__text_byte(&r->cell, '"');
    }
    return fail_line(r, "a quote is not closed");
}

static bool read_plain(csv_reader *r) {
    size_t from = r->at;
    for (; !at_line_end(r) && r->text.data[r->at] != r->s.delimiter; r->at++)
        if (r->text.data[r->at] == '"')
            return fail_line(r,
                             "a quote within a cell; the whole cell needs quotes, and \"\" is one");
    weir__text_add(&r->cell, weir__part(r->text, from, r->at));
    return true;
}

static weir_value *new_cell(csv_reader *r, bool quoted) {
    weir_str text = weir__text_str(&r->cell);
    const char *problem;
    weir_value *number = NULL;
    if (r->s.numbers && !quoted && weir__is_json_number(text))
        number = weir__number_parse(r->host, r->call, text, &problem);
    return number ? number : weir__string(r->host, text);
}

/* The cells of a line, which has any; to behind its end. NULL after failing. */
static weir_value *read_row(csv_reader *r) {
    weir_value *row = r->host->array_new();
    for (;;) {
        bool quoted = r->at < r->text.length && r->text.data[r->at] == '"';
        r->cell.length = 0;
        r->at += quoted;
        bool ok = quoted ? read_quoted(r) : read_plain(r);
        if (ok && ++r->cells > ITEMS_MAX)
            ok = r->host->fail(r->call, "limit_exceeded", "more than %d cells", ITEMS_MAX);
        if (!ok) {
            r->host->value_unref(row);
            return NULL;
        }
        r->host->array_append(row, new_cell(r, quoted));
        if (at_line_end(r)) break;
        r->at++;
    }
    if (r->at < r->text.length) r->at += r->text.data[r->at] == '\r' ? 2 : 1;
    r->line++;
    return row;
}

static void skip_empty_lines(csv_reader *r) {
    while (r->at < r->text.length && at_line_end(r)) {
        r->at += r->text.data[r->at] == '\r' ? 2 : 1;
        r->line++;
    }
}

/* {column: cell}; NULL after failing. Takes the row over. */
static weir_value *name_cells(csv_reader *r, const weir_value *columns, weir_value *row,
                              size_t line) {
    const weir_host *host = r->host;
    size_t count = host->value_count(columns), found = host->value_count(row);
    weir_value *named = NULL;
    if (found == count) {
        named = host->object_new();
        for (size_t i = 0; i < count; i++) {
            weir_str name = host->string_get(host->array_at(columns, i));
            host->object_set(named, name.data, name.length,
                             host->value_ref(host->array_at(row, i)));
        }
    } else {
        host->fail(r->call, "invalid", "line %zu: there are %zu cells for %zu columns", line, found,
                   count);
    }
    host->value_unref(row);
    return named;
}

static bool are_different(csv_reader *r, const weir_value *columns) {
    weir_value *seen = r->host->object_new();
    bool ok = true;
    for (size_t i = 0; ok && i < r->host->value_count(columns); i++) {
        weir_str name = r->host->string_get(r->host->array_at(columns, i));
        ok = !r->host->object_get(seen, name.data, name.length) ||
             r->host->fail(r->call, "invalid", "two columns are called `%.*s`", SHOWN(name));
        if (ok) r->host->object_set(seen, name.data, name.length, r->host->null_new());
    }
    r->host->value_unref(seen);
    return ok;
}

/* The names of the columns: given, or the first line; NULL when there are none. Owned. */
static bool read_columns(csv_reader *r, weir_value **columns) {
    bool numbers = r->s.numbers;
    weir_value *first = NULL;
    skip_empty_lines(r);
    r->s.numbers = false;
    if (r->s.header && r->at < r->text.length && !(first = read_row(r))) return false;
    r->s.numbers = numbers;
    *columns = r->s.columns ? r->host->value_ref(r->s.columns) : r->host->value_ref(first);
    r->host->value_unref(first);
    return !*columns || are_different(r, *columns);
}

static bool read_rows(csv_reader *r) {
    const weir_host *host = r->host;
    weir_value *columns = NULL, *rows = host->array_new();
    bool ok = read_columns(r, &columns);
    for (skip_empty_lines(r); ok && r->at < r->text.length; skip_empty_lines(r)) {
        size_t line = r->line;
        weir_value *row = read_row(r);
        if (row && columns) row = name_cells(r, columns, row, line);
        ok = row && !host->cancelled(r->call);
        if (row) host->array_append(rows, row);
    }
    if (ok) {
        host->output(r->call, "rows", rows);
        host->output(r->call, "columns", columns ? host->value_ref(columns) : host->array_new());
    } else {
        host->value_unref(rows);
    }
    host->value_unref(columns);
    return ok;
}

static bool parse_text(const weir_host *host, weir_call *call, weir_str text) {
    csv_reader r = {.host = host, .call = call, .text = text, .line = 1, .cell = {host, call}};
    static const weir_str mark = {"\xef\xbb\xbf", 3};
    if (text.length >= 3 && weir__same_text(weir__part(text, 0, 3), mark)) r.at = 3;
    return take_settings(host, call, &r.s) && read_rows(&r);
}

static bool parse(const weir_host *host, weir_call *call) {
    weir_str text;
    return weir__text_needed(host, call, "text", &text) && parse_text(host, call, text);
}

static bool read_csv(const weir_host *host, weir_call *call) {
    weir_str path, text;
    return weir__text_needed(host, call, "path", &path) &&
           weir__file_read(host, call, path.data, &text) && parse_text(host, call, text);
}

/* --- writing -------------------------------------------------------------------------------- */

static bool add_cell(const settings *s, weir__text *out, const weir_value *cell) {
    weir_type type = cell ? out->host->value_type(cell) : WEIR_NULL;
    if (type == WEIR_NULL) return true;
    if (type >= WEIR_ARRAY) return false;
    if (type != WEIR_STRING) {
        weir__text_value(out, cell);
        return true;
    }
    weir_str text = out->host->string_get(cell);
    bool quoted = false;
    for (size_t i = 0; i < text.length && !quoted; i++)
        quoted = text.data[i] == s->delimiter || weir__is_one_of(text.data[i], "\"\r\n");
    if (quoted) weir__text_byte(out, '"');
    size_t from = 0;
    for (size_t i = 0; quoted && i < text.length; i++) {
        if (text.data[i] != '"') continue;
        weir__text_add(out, weir__part(text, from, i + 1));
        weir__text_byte(out, '"');
        from = i + 1;
    }
    weir__text_add(out, weir__part(text, from, text.length));
    if (quoted) weir__text_byte(out, '"');
    return true;
}

/* The cells of a row: an array, or the members of a map that `columns` names. False after failing. */
static bool add_row(const settings *s, weir__text *out, const weir_value *row,
                    const weir_value *columns, size_t number) {
    const weir_host *host = out->host;
    bool map = host->value_type(row) == WEIR_OBJECT;
    if (!map && host->value_type(row) != WEIR_ARRAY)
        return host->fail(out->call, "invalid", "row %zu must be a map or an array, found %s",
                          number, type_name(host, row));
    size_t count = map ? host->value_count(columns) : host->value_count(row), from = out->length;
    for (size_t i = 0; i < count; i++) {
        weir_str name = map ? host->string_get(host->array_at(columns, i)) : TEXT("");
        const weir_value *cell =
            map ? host->object_get(row, name.data, name.length) : host->array_at(row, i);
        if (i) weir__text_byte(out, s->delimiter);
        if (!add_cell(s, out, cell))
            return host->fail(out->call, "invalid", "row %zu, cell %zu must be no %s", number, i,
                              type_name(host, cell));
    }
    /* An empty line would be no row. */
    if (count == 1 && out->length == from) weir__text_add(out, TEXT("\"\""));
    weir__text_add(out, s->crlf ? TEXT("\r\n") : TEXT("\n"));
    return true;
}

/* The names of all members of the rows, as they first come. A new array. */
static weir_value *collect_columns(const weir_host *host, const weir_value *rows) {
    weir_value *seen = host->object_new(), *columns = host->array_new();
    for (size_t i = 0; i < host->value_count(rows); i++) {
        const weir_value *row = host->array_at(rows, i);
        size_t count = host->value_type(row) == WEIR_OBJECT ? host->value_count(row) : 0;
        for (size_t k = 0; k < count; k++) {
            weir_str name = host->object_key(row, k);
            if (host->object_get(seen, name.data, name.length)) continue;
            host->object_set(seen, name.data, name.length, host->null_new());
            host->array_append(columns, weir__string(host, name));
        }
    }
    host->value_unref(seen);
    return columns;
}

static bool format_rows(const weir_host *host, weir_call *call, weir__text *out) {
    settings s;
    const weir_value *rows = weir__typed(host, call, "rows", WEIR_ARRAY);
    if (!rows || !take_settings(host, call, &s)) return false;
    weir_value *columns = s.columns ? host->value_ref(s.columns) : collect_columns(host, rows);
    bool ok = !s.header || !host->value_count(columns) || add_row(&s, out, columns, columns, 0);
    for (size_t i = 0; ok && !out->full && i < host->value_count(rows); i++)
        ok = add_row(&s, out, host->array_at(rows, i), columns, i);
    host->value_unref(columns);
    if (ok && out->full)
        ok = host->fail(call, "limit_exceeded", "the text is larger than %d bytes", TEXT_BYTES_MAX);
    return ok;
}

static bool format(const weir_host *host, weir_call *call) {
    weir__text out = {host, call};
    return format_rows(host, call, &out) && weir__text_give(&out, "text");
}

static bool write_csv(const weir_host *host, weir_call *call) {
    weir_str path;
    weir__text out = {host, call};
    if (!weir__text_needed(host, call, "path", &path) || !format_rows(host, call, &out) ||
        !weir__file_write(host, call, path.data, weir__text_str(&out)))
        return false;
    host->output(call, "path", weir__string(host, path));
    host->output(call, "bytes", host->int_new((int64_t)out.length));
    return true;
}

/* --- what there is -------------------------------------------------------------------------- */

#define DELIMITER                                                                                  \
    { "delimiter", "str", "What is between cells.", .otherwise = "\",\"" }
#define PATH                                                                                       \
    { "path", "str", "The file, when it is no parameter." }
#define READING                                                                                    \
    DELIMITER,                                                                                     \
        {"header", "bool", "Whether the first line names the columns.", .otherwise = "true"},      \
        {"columns", "array", "Names of the columns, instead of those in the text."}, {             \
        "numbers", "bool", "Whether cells that are JSON numbers become numbers.",                  \
            .otherwise = "false"                                                                   \
    }
#define WRITING                                                                                    \
    DELIMITER,                                                                                     \
        {"header", "bool", "Whether the first line names the columns.", .otherwise = "true"},      \
        {"columns", "array", "The columns wanted; else all that any row has."}, {                  \
        "line_end", "str", "crlf or lf.", .otherwise = "\"crlf\""                                  \
    }
#define ROWS_OUT                                                                                   \
    PORTS({"rows", "array", "Maps {column: cell}; arrays when columns have no names."},            \
          {"columns", "array", "The names of the columns."})
#define ROWS_IN                                                                                    \
    { "rows", "array", "Maps or arrays; null and what is not there are empty cells." }

static const weir_operation *const operations[] = {
    OPERATION(.name = "csv.parse", .about = "Reads rows from a CSV text (RFC 4180).",
              .inputs = PORTS({"text", "str", "The text; empty lines are passed over."}),
              .outputs = ROWS_OUT, .config = PORTS(READING), .hints = WEIR_PURE, .run = parse,
              .example = "operations:\n"
                         "  rows: {name: csv.parse, inputs: {text: table}, outputs: {rows: row}, "
                         "expand: [rows]}\n"
                         "configs:\n"
                         "  rows: {delimiter: \";\", numbers: true}\n"),
    OPERATION(.name = "csv.format", .about = "Writes rows as a CSV text (RFC 4180).",
              .inputs = PORTS(ROWS_IN), .outputs = PORTS({"text", "str", "The text."}),
              .config = PORTS(WRITING), .hints = WEIR_PURE, .run = format),
    OPERATION(.name = "csv.read", .about = "Reads rows from a CSV file of at most 64 MiB.",
              .inputs = PORTS({"path", "str", "The file."}), .outputs = ROWS_OUT,
              .config = PORTS(PATH, READING), .hints = WEIR_BLOCKING, .run = read_csv),
    OPERATION(.name = "csv.write", .about = "Makes or replaces a CSV file, at once.",
              .inputs = PORTS({"path", "str", "The file; its folder must be there."}, ROWS_IN),
              .outputs = PORTS({"path", "str", "The file."}, {"bytes", "int", "Its size."}),
              .config = PORTS(PATH, WRITING), .hints = WEIR_BLOCKING, .run = write_csv),
    NULL};

PLUGIN(weir_csv_plugin, "csv", operations)
