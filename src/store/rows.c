#include "store/rows.h"

#include "data/value.h"

#define KEY(c) #c,
#define NUMBER(c) #c,
#define TEXT(c) #c,
#define ONE(c) +1
#define NONE(c)
#define IS(c) true,
#define NOT(c) false,
const weir_table_form weir_table_forms[WEIR_TABLES] = {
#define X(TABLE, table, COLUMNS)                                                                   \
    [WEIR_TABLE_##TABLE] = {.name = #table,                                                        \
                            .keys = 0 COLUMNS(ONE, NONE, NONE),                                    \
                            .count = 0 COLUMNS(ONE, ONE, ONE),                                     \
                            .columns = {COLUMNS(KEY, NUMBER, TEXT)},                               \
                            .texts = {COLUMNS(NOT, NOT, IS)}},
    WEIR_TABLE_FORMS(X)
#undef X
};

/* --- changes -------------------------------------------------------------------------------- */

enum { GONE = 0x80, RENEWED = 0xff };

static void encode_keys(weir_buffer *out, weir_table table, bool gone, const weir_cell *cells) {
    weir_buffer_byte(out, (char)((unsigned)table | (gone ? GONE : 0)));
    for (size_t i = 0; i < weir_table_forms[table].keys; i++) {
        weir_assert(cells[i].kind == WEIR_CELL_NUMBER);
        weir_varint_encode((uint64_t)cells[i].number, out);
    }
}

void weir_row_drop(weir_buffer *out, weir_table table, const weir_cell *cells) {
    encode_keys(out, table, true, cells);
}

void weir_row_put(weir_buffer *out, weir_table table, const weir_cell *cells) {
    const weir_table_form *form = &weir_table_forms[table];
    encode_keys(out, table, false, cells);
    for (size_t i = form->keys; i < form->count; i++) {
        weir_assert(cells[i].kind == WEIR_CELL_NONE ||
                    (cells[i].kind == WEIR_CELL_TEXT) == form->texts[i]);
        weir_buffer_byte(out, (char)cells[i].kind);
        if (cells[i].kind == WEIR_CELL_NUMBER)
            weir_varint_encode((uint64_t)cells[i].number, out);
        else if (cells[i].kind == WEIR_CELL_TEXT)
            weir_varint_encode(cells[i].text.length, out);
        if (cells[i].kind == WEIR_CELL_TEXT) weir_buffer_str_append(out, cells[i].text);
    }
}

void weir_rows_renew(weir_buffer *out, uint64_t time_us) {
    weir_buffer_byte(out, (char)RENEWED);
    weir_varint_encode(time_us, out);
}

typedef struct change {
    weir_table table;
    bool gone;
    weir_cell cells[WEIR_COLUMNS_MAX]; /* texts are borrowed from the changes */
} change;

/* What this process encoded is sound. */
static uint64_t read_number(weir_str changes, size_t *at) {
    uint64_t number = 0;
    bool ok = weir_varint_decode(changes, at, &number);
    weir_assert(ok);
    return number;
}

static void read_cell(weir_str changes, size_t *at, weir_cell *cell) {
    *cell = (weir_cell){0};
    cell->kind = (unsigned char)changes.data[(*at)++];
    if (cell->kind == WEIR_CELL_NONE) return;
    uint64_t number = read_number(changes, at);
    if (cell->kind == WEIR_CELL_NUMBER) {
        cell->number = (int64_t)number;
    } else {
        weir_assert(number <= changes.length - *at);
        cell->text = (weir_str){changes.data + *at, (size_t)number};
        *at += (size_t)number;
    }
}

static void read_change(weir_str changes, size_t *at, change *out) {
    unsigned tag = (unsigned char)changes.data[(*at)++];
    out->table = (weir_table)(tag & ~(unsigned)GONE);
    out->gone = tag & GONE;
    weir_assert(out->table < WEIR_TABLES);
    const weir_table_form *form = &weir_table_forms[out->table];
    for (size_t i = 0; i < form->keys; i++) out->cells[i] = WEIR_CELL_N(read_number(changes, at));
    for (size_t i = form->keys; i < form->count && !out->gone; i++)
        read_cell(changes, at, &out->cells[i]);
}

/* --- the set -------------------------------------------------------------------------------- */

static weir_str keep(weir__rows *rows, weir_str text) {
    rows->bytes += text.length;
    return (weir_str){weir_str_copy(&rows->arena, text), text.length};
}

static uint32_t run_at(weir__rows *rows, weir_str run, uint64_t fence) {
    uint64_t at;
    if (!weir_map_get(&rows->places, run, &at)) {
        at = rows->runs.count;
        *weir_vector_push(&rows->runs) = (weir__rows_run){.run = keep(rows, run)};
        weir_map_set(&rows->places, rows->runs.items[at].run, at);
    }
    rows->runs.items[at].fence = fence;
    return (uint32_t)at;
}

/* A row's place is found by its run's number, its table and its key; no run's id begins with a NUL. */
static weir__row *row_of(weir__rows *rows, uint32_t run, const change *c) {
    struct {
        char nul;
        uint8_t table;
        uint32_t run;
        int64_t keys[2];
    } key;
    memset(&key, 0, sizeof key);
    key.table = (uint8_t)c->table;
    key.run = run;
    weir_assert(weir_table_forms[c->table].keys <= 2);
    for (size_t i = 0; i < weir_table_forms[c->table].keys; i++) key.keys[i] = c->cells[i].number;
    weir_str text = {(const char *)&key, sizeof key};
    uint64_t at;
    if (!weir_map_get(&rows->places, text, &at)) {
        at = rows->tables[c->table].count;
        char *copy = weir_arena_alloc(&rows->arena, sizeof key);
        memcpy(copy, &key, sizeof key);
        weir_map_set(&rows->places, (weir_str){copy, sizeof key}, at);
        *weir_vector_push(&rows->tables[c->table]) = (weir__row){.run = run};
        rows->count++;
    }
    return &rows->tables[c->table].items[at];
}

static void merge(weir__rows *rows, weir__row *row, const change *c) {
    const weir_table_form *form = &weir_table_forms[c->table];
    if (c->gone || row->gone || row->past) memset(row->cells, 0, sizeof row->cells);
    row->gone = c->gone;
    row->past = false;
    for (size_t i = 0; i < (c->gone ? form->keys : form->count); i++) {
        if (c->cells[i].kind == WEIR_CELL_NONE) continue;
        row->cells[i] = c->cells[i];
        if (c->cells[i].kind == WEIR_CELL_TEXT) row->cells[i].text = keep(rows, c->cells[i].text);
    }
}

/* --- a run that begins anew ------------------------------------------------------------------ */

static weir_cell *cell_named(weir__row *row, weir_table table, const char *column) {
    size_t at = 0;
    while (strcmp(weir_table_forms[table].columns[at], column) != 0) at++;
    return &row->cells[at];
}

/* What is not over ends with this phase; without one it goes. */
static void renew_row(weir__row *row, weir_table table, const char *phase, uint64_t time_us) {
    if (!phase) row->past = true;
    if (table == WEIR_TABLE_TASKS) *cell_named(row, table, "node") = (weir_cell){0};
    if (!phase || cell_named(row, table, "finished_us")->kind) return;
    *cell_named(row, table, "phase") = WEIR_CELL_T(weir_str_from(phase));
    *cell_named(row, table, "message") = WEIR_CELL_T(WEIR_STR(WEIR__RENEWED_MESSAGE));
    *cell_named(row, table, "finished_us") = WEIR_CELL_N(time_us);
}

static void renew(weir__rows *rows, uint32_t run, uint64_t time_us) {
    static const char *const phases[WEIR_TABLES] = {[WEIR_TABLE_CONTEXTS] = "Failed",
                                                    [WEIR_TABLE_TASKS] = "Cancelled",
                                                    [WEIR_TABLE_ATTEMPTS] = "Cancelled"};
    for (weir_table t = 0; t < WEIR_TABLES; t++)
        for (size_t i = 0; t < WEIR_TABLE_DERIVED && i < rows->tables[t].count; i++)
            if (rows->tables[t].items[i].run == run && !rows->tables[t].items[i].past)
                renew_row(&rows->tables[t].items[i], t, phases[t], time_us);
    rows->renewed = true;
    if (!rows->runs.items[run].renewed_us) rows->runs.items[run].renewed_us = time_us;
}

void weir__rows_add(weir__rows *rows, weir_str run, uint64_t fence, weir_str changes) {
    if (!changes.length) return;
    uint32_t number = run_at(rows, run, fence);
    for (size_t at = 0; at < changes.length;) {
        change c = {0};
        if ((unsigned char)changes.data[at] == RENEWED) {
            at++;
            renew(rows, number, read_number(changes, &at));
            continue;
        }
        read_change(changes, &at, &c);
        merge(rows, row_of(rows, number, &c), &c);
    }
}

void weir__rows_clear(weir__rows *rows) {
    for (weir_table t = 0; t < WEIR_TABLES; t++) weir_vector_deinit(&rows->tables[t]);
    weir_vector_deinit(&rows->runs);
    weir_map_deinit(&rows->places);
    weir_arena_deinit(&rows->arena);
    *rows = (weir__rows){0};
}

/* What comes of the run from now on has another number. */
void weir__rows_forget(weir__rows *rows, weir_str run) {
    uint64_t at;
    if (!weir_map_get(&rows->places, run, &at)) return;
    weir_map_remove(&rows->places, run);
    rows->runs.items[at].forgotten = true;
}
