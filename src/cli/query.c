#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/commands.h"

enum { ROWS_USUAL = 10000, TIMEOUT_USUAL_MS = 60 * 1000 };

typedef struct printer {
    weir_cli *cli;
    bool table, csv, whole; /* else lines of JSON */
    uint64_t count;
    weir_value *names, *rows; /* of a table, which is printed when its widths are known */
} printer;

/* --- a table ---------------------------------------------------------------------------------- */

static bool is_number(const weir_value *value) {
    return weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
}

/* Without what would command the terminal; nothing for NULL. */
static void add_cell(const weir_value *value, weir_buffer *out) {
    if (weir_is(value, WEIR_NULL)) return;
    if (weir_is(value, WEIR_STRING))
        weir_output_plain(out, weir_string_get(value));
    else
        weir_json_format(value, 0, out);
}

/* How many characters the terminal shows, about: bytes that do not go on with a character. */
static size_t width_of(weir_str text) {
    size_t width = 0;
    for (size_t i = 0; i < text.length; i++) width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return width;
}

static void add_padded(const weir_value *value, size_t width, bool last, weir_buffer *out) {
    weir_buffer cell = {0};
    add_cell(value, &cell);
    int gap = (int)(width - width_of(weir_buffer_str(&cell)));
    bool right = is_number(value);
    if (right) weir_buffer_printf(out, "%*s", gap, "");
    weir_buffer_str_append(out, weir_buffer_str(&cell));
    if (!last) weir_buffer_printf(out, "%*s", right ? 2 : gap + 2, "");
    weir_buffer_deinit(&cell);
}

static void widen(size_t *widths, const weir_value *row) {
    for (size_t i = 0; i < weir_value_count(row); i++) {
        weir_buffer cell = {0};
        add_cell(weir_array_at(row, i), &cell);
        size_t width = width_of(weir_buffer_str(&cell));
        if (width > widths[i]) widths[i] = width;
        weir_buffer_deinit(&cell);
    }
}

static void add_line(const size_t *widths, const weir_value *row, weir_output *out) {
    size_t count = weir_value_count(row);
    for (size_t i = 0; i < count; i++)
        add_padded(weir_array_at(row, i), widths[i], i + 1 == count, &out->text);
    weir_buffer_byte(&out->text, '\n');
}

static void print_table(printer *p) {
    size_t columns = weir_value_count(p->names),
           *widths = weir_alloc((columns + 1) * sizeof *widths);
    widen(widths, p->names);
    for (size_t i = 0; i < weir_value_count(p->rows); i++) widen(widths, weir_array_at(p->rows, i));
    add_line(widths, p->names, &p->cli->out);
    for (size_t i = 0; i < weir_value_count(p->rows); i++) {
        add_line(widths, weir_array_at(p->rows, i), &p->cli->out);
        if (!weir_output_more(&p->cli->out)) break;
    }
    weir_free(widths);
}

/* --- row by row ------------------------------------------------------------------------------- */

/* A field of CSV (RFC 4180): in quotes where it needs them. */
static void add_field(weir_str text, weir_buffer *out) {
    bool quoted = false;
    for (size_t i = 0; i < text.length; i++)
        quoted = quoted || memchr(",\"\r\n", text.data[i], 4) != NULL;
    if (quoted) weir_buffer_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"') weir_buffer_byte(out, '"');
        weir_buffer_byte(out, text.data[i]);
    }
    if (quoted) weir_buffer_byte(out, '"');
}

static void print_csv(const weir_value *row, weir_buffer *out) {
    for (size_t i = 0; i < weir_value_count(row); i++) {
        const weir_value *value = weir_array_at(row, i);
        if (i) weir_buffer_byte(out, ',');
        if (weir_is(value, WEIR_STRING))
            add_field(weir_string_get(value), out);
        else if (!weir_is(value, WEIR_NULL))
            weir_json_format(value, 0, out);
    }
    weir_buffer_text(out, "\r\n");
}

static void print_object(printer *p, const weir_value *names, const weir_value *row) {
    weir_value *object = weir_object_new();
    for (size_t i = 0; i < weir_value_count(row); i++) {
        weir_str name = weir_string_get(weir_array_at(names, i));
        weir_member_set(object, name, weir_value_ref(weir_array_at(row, i)));
    }
    if (p->whole) weir_buffer_text(&p->cli->out.text, p->count ? ",\n " : "[");
    weir_json_format(object, 0, &p->cli->out.text);
    if (!p->whole) weir_buffer_byte(&p->cli->out.text, '\n');
    weir_value_unref(object);
}

static bool visit_row(void *arg, const weir_value *names, const weir_value *row) {
    printer *p = arg;
    if (!row) {
        p->names = weir_value_ref((weir_value *)(uintptr_t)names);
        if (p->csv) print_csv(names, &p->cli->out.text);
        return true;
    }
    if (p->table)
        weir_array_append(p->rows, weir_value_ref((weir_value *)(uintptr_t)row));
    else if (p->csv)
        print_csv(row, &p->cli->out.text);
    else
        print_object(p, names, row);
    p->count++;
    return weir_output_more(&p->cli->out);
}

/* --- the command ------------------------------------------------------------------------------ */

static bool read_limits(const weir_cli *cli, uint64_t *rows, uint64_t *timeout_ms,
                        weir_error *error) {
    const char *timeout = weir_cli_text(cli, WEIR_FLAG_TIMEOUT);
    uint64_t us = 0;
    if (!weir_cli_number(cli, WEIR_FLAG_LIMIT, UINT32_MAX, ROWS_USUAL, rows, error)) return false;
    if (timeout && !weir_duration_parse(weir_str_from(timeout), &us, error)) {
        error->code = WEIR_USAGE;
        return false;
    }
    *timeout_ms = timeout ? (us + 999) / 1000 : TIMEOUT_USUAL_MS;
    return *timeout_ms || weir_fail(error, WEIR_USAGE, "`--timeout` must be more than 0");
}

bool weir_query_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    uint64_t rows = 0, timeout_ms = 0;
    bool more = false;
    printer p = {.cli = cli,
                 .table = weir_cli_form(cli, "text"),
                 .csv = weir_cli_form(cli, "csv"),
                 .whole = weir_cli_form(cli, "json"),
                 .rows = weir_array_new()};
    bool ok =
        read_limits(cli, &rows, &timeout_ms, error) &&
        weir_query(engine, cli->words.items[0], timeout_ms, rows, visit_row, &p, &more, error);
    if (ok && p.table) print_table(&p);
    if (ok && p.whole) weir_buffer_text(&cli->out.text, p.count ? "]\n" : "[]\n");
    if (ok && more) {
        weir_output_flush(&cli->out);
        fprintf(stderr, "weir: there are more than %llu rows: --limit N shows more\n",
                (unsigned long long)rows);
    }
    weir_value_unref(p.names);
    weir_value_unref(p.rows);
    return ok;
}
