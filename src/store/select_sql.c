/* A selection as SQL. What drives a query is decided here, for SQLite's planner knows nothing of the rows: a label that must
 * have a value, else the parent, else phases that few runs have, else the runs in their order. On SQLite the other
 * terms have a '+' before the column, which keeps their indexes out of it. A look at every row of 100,000 takes 10 ms. */
#include <stdio.h>

#include "data/json.h"
#include "store/select.h"

typedef struct writing {
    const weir_selection *selection;
    weir__sql *sql;
    const char *plus, *schema;
    bool sqlite;
    const weir_label_term *driver; /* NULL: none */
} writing;

void weir__sql_deinit(weir__sql *sql) {
    weir_buffer_deinit(&sql->text);
    for (size_t i = 0; i < sql->count; i++) weir_buffer_deinit(&sql->values[i].text);
    *sql = (weir__sql){0};
}

static void add(writing *w, const char *text) {
    weir_buffer_text(&w->sql->text, text);
}

static struct weir__sql_value *add_place(writing *w, const char *type) {
    weir_assert(w->sql->count < WEIR__SQL_VALUES_MAX);
    size_t number = ++w->sql->count;
    weir_buffer_printf(&w->sql->text, w->sqlite ? "?%zu" : "$%zu::%s", number, type);
    return &w->sql->values[number - 1];
}

static void add_number(writing *w, uint64_t number) {
    struct weir__sql_value *value = add_place(w, "bigint");
    value->is_number = true;
    value->number = number < INT64_MAX ? number : INT64_MAX;
}

static void add_text(writing *w, weir_str text) {
    weir_buffer_str_append(&add_place(w, "text")->text, text);
}

static void add_term(writing *w, const char *column, const char *relation) {
    weir_buffer_printf(&w->sql->text, " AND %sr.%s %s ", w->plus, column, relation);
}

/* --- patterns ------------------------------------------------------------------------------- */

/* As GLOB of SQLite has it, where '[' begins a set, or as LIKE of PostgreSQL. */
static void add_pattern(writing *w, weir_str before, weir_str pattern) {
    weir_buffer *out = &add_place(w, "text")->text;
    weir_buffer_str_append(out, before);
    for (size_t i = 0; i < pattern.length; i++) {
        char c = pattern.data[i];
        if (w->sqlite && c == '[') {
            weir_buffer_text(out, "[[]");
            continue;
        }
        if (!w->sqlite && strchr("%_\\", c)) weir_buffer_byte(out, '\\');
        if (!w->sqlite && c == '*') c = '%';
        if (!w->sqlite && c == '?') c = '_';
        weir_buffer_byte(out, c);
    }
}

static void add_like(writing *w, const char *column, weir_str pattern) {
    const char *like = w->sqlite ? "GLOB" : "LIKE";
    bool part = strcmp(column, "file") == 0 && !memchr(pattern.data, '/', pattern.length);
    weir_buffer_printf(&w->sql->text, " AND (%sr.%s %s ", w->plus, column, like);
    add_pattern(w, WEIR_STR(""), pattern);
    if (part) {
        weir_buffer_printf(&w->sql->text, " OR %sr.%s %s ", w->plus, column, like);
        add_pattern(w, w->sqlite ? WEIR_STR("*/") : WEIR_STR("%/"), pattern);
    }
    add(w, ")");
}

/* --- terms ---------------------------------------------------------------------------------- */

/* A label that does not drive is looked for in the run's own text, `{"KEY":"VALUE",…}`, without blanks: a key has nothing
 * that JSON escapes, and a quotation mark within a value is escaped, so no value looks like a label. */
static void add_label(writing *w, const weir_label_term *term) {
    bool valued = term->how == WEIR_LABEL_IS || term->how == WEIR_LABEL_IS_NOT;
    bool negated = term->how == WEIR_LABEL_IS_NOT || term->how == WEIR_LABEL_HAS_NOT;
    weir_buffer text = {0};
    weir_buffer_printf(&text, "\"%.*s\":", WEIR_ARG(term->key));
    if (valued) {
        weir_value *value = weir_string_from(term->value);
        weir_json_format(value, 0, &text);
        weir_value_unref(value);
    }
    add(w, w->sqlite ? " AND instr(r.labels, " : " AND strpos(r.labels, ");
    add_text(w, weir_buffer_str(&text));
    add(w, negated ? ") = 0" : ") > 0");
    weir_buffer_deinit(&text);
}

/* Numbers and moments have nearly the same order: on SQLite the moments' index says where to begin in that of the numbers.
 * PostgreSQL knows how many rows a moment leaves. */
static void add_moment(writing *w, uint64_t moment, const char *relation, const char *end) {
    if (!moment) return;
    if (w->sqlite) {
        weir_buffer_printf(&w->sql->text,
                           " AND r.number %s (SELECT %s(+number) FROM runs WHERE created_us %s ",
                           relation, end, relation);
        add_number(w, moment);
        add(w, ")");
    }
    add_term(w, "created_us", relation);
    add_number(w, moment);
}

/* All but what drives. `phases`: as a term too. */
static void add_terms(writing *w, bool phases) {
    const weir_selection *s = w->selection;
    for (size_t i = 0; phases && i < s->phase_count; i++) {
        if (i)
            add(w, ", ");
        else
            add_term(w, "phase", "IN (");
        add_text(w, s->phases[i]);
        if (i + 1 == s->phase_count) add(w, ")");
    }
    if (s->kind.length) {
        add_term(w, "kind", "=");
        add_text(w, s->kind);
    }
    if (s->name.length) add_like(w, "name", s->name);
    if (s->file.length) add_like(w, "file", s->file);
    for (size_t i = 0; i < s->label_count; i++)
        if (&s->labels[i] != w->driver) add_label(w, &s->labels[i]);
    add_moment(w, s->since_us, ">=", "min");
    add_moment(w, s->until_us, "<=", "max");
    if (!s->after) return;
    add(w, s->oldest_first ? " AND r.number > " : " AND r.number < ");
    add_number(w, s->after);
}

static void add_parent(writing *w, bool drives) {
    const weir_selection *s = w->selection;
    if (!s->by_parent) return;
    if (drives)
        add(w, " AND r.parent <> '' AND r.parent = ");
    else
        add_term(w, "parent", "=");
    add_text(w, s->parent);
}

#define COLUMNS                                                                                    \
    "SELECT r.id, r.name, r.kind, r.phase, r.file, r.owner, r.parent, r.created_us,"               \
    " r.finished_us, r.labels, r.number FROM "

static void add_from_runs(writing *w) {
    weir_buffer_printf(&w->sql->text, COLUMNS "%sruns r WHERE true", w->schema);
}

/* A query for each phase, merged: each has its index's order. */
static void add_by_phases(writing *w) {
    const weir_selection *s = w->selection;
    for (size_t i = 0; i < s->phase_count; i++) {
        if (i) add(w, " UNION ALL ");
        add_from_runs(w);
        add(w, " AND r.phase <> 'Succeeded' AND r.phase = ");
        add_text(w, s->phases[i]);
        add_parent(w, false);
        add_terms(w, false);
    }
}

static void add_by_label(writing *w) {
    weir_buffer_printf(&w->sql->text,
                       COLUMNS "%slabels l CROSS JOIN %sruns r WHERE r.number = l.run"
                               " AND l.key = ",
                       w->schema, w->schema);
    add_text(w, w->driver->key);
    if (w->driver->how == WEIR_LABEL_IS) {
        add(w, " AND l.value = ");
        add_text(w, w->driver->value);
    }
    add_parent(w, false);
    add_terms(w, true);
}

/* Whether few runs have these phases: there is an index of those. Several may be asked for beside few other things only, as
 * each asks for all of them. */
static bool phases_drive(const weir_selection *s) {
    bool succeeded = !s->phase_count;
    for (size_t i = 0; i < s->phase_count; i++)
        succeeded = succeeded || weir_str_is(s->phases[i], "Succeeded");
    return !succeeded && (s->phase_count == 1 || !s->label_count);
}

/* A label with its value; else, where all are wanted, one with any: of a page the first runs may have it, too, and are found sooner. NULL:
 * none. */
static const weir_label_term *driving_label(const weir_selection *s) {
    const weir_label_term *has = NULL;
    for (size_t i = 0; i < s->label_count; i++) {
        if (s->labels[i].how == WEIR_LABEL_IS) return &s->labels[i];
        if (s->labels[i].how == WEIR_LABEL_HAS && !s->limit && !has) has = &s->labels[i];
    }
    return has;
}

void weir__selection_to_sql(const weir_selection *s, weir__sql_dialect dialect, weir__sql *out) {
    bool sqlite = dialect == WEIR__SQLITE;
    writing w = {s, out, sqlite ? "+" : "", sqlite ? "" : "weir.", sqlite, driving_label(s)};
    const char *order = "number";
    if (w.driver) {
        add_by_label(&w);
        order = "l.run";
    } else if (s->by_parent && s->parent.length) {
        add_from_runs(&w);
        add_parent(&w, true);
        add_terms(&w, true);
    } else if (phases_drive(s)) {
        add_by_phases(&w);
    } else {
        add_from_runs(&w);
        add_parent(&w, false);
        add_terms(&w, true);
    }
    weir_buffer_printf(&out->text, " ORDER BY %s %s LIMIT ", order,
                       s->oldest_first ? "ASC" : "DESC");
    add_number(&w, s->limit ? s->limit : INT64_MAX);
}
