#include "flow_writer.h"

#include <stdio.h>

void flow_writer_deinit(flow_writer *f) {
    weir_buffer *all[] = {&f->definitions, &f->operations, &f->wires,
                          &f->configs,     &f->seeds,      &f->forwards};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) weir_buffer_deinit(all[i]);
}

uint32_t flow_draw(flow_writer *f, uint32_t count) {
    return (uint32_t)chance_draw(f->chance, count);
}

static bool once_in(flow_writer *f, uint32_t count) {
    return flow_draw(f, count) == 0;
}

static void separate(weir_buffer *list) {
    if (list->length) weir_buffer_text(list, ", ");
}

static made *add_made(flow_writer *f, made what) {
    made *m = &f->made[f->count];
    *m = what;
    snprintf(m->name, sizeof m->name, "%c%u", f->letter, f->count++);
    return m;
}

/* --- from outside ------------------------------------------------------------------------------- */

made *flow_add_given(flow_writer *f) {
    made what = {.values = 1 + flow_draw(f, 2), .certain = true, .flat = true, .maker = UINT32_MAX};
    bool condition = f->theme == THEME_CONDITIONS && (f->given == 0 || once_in(f, 2));
    switch (condition ? 0 : flow_draw(f, 8)) {
    case 0:
        what.truth = true;
        if (f->orderly) what.values = 1;
        if (condition) what.values = 2;
        break;
    case 1: what.text = true; break;
    case 2:
        what.record = true;
        what.flat = false;
        break;
    case 3:
        what.defaulted = true;
        what.certain = false;
        break;
    case 4: what.locked = true; break;
    default: break;
    }
    if (f->locking && once_in(f, 2) && !what.truth && !what.defaulted && !what.record) {
        what.locked = true;
        what.text = false;
    }
    what.seeded = what.locked && once_in(f, 2);
    if (what.locked) {
        f->locking = true;
        what.flat = false;
    }
    if (what.seeded) what.values = 1;
    return add_made(f, what);
}

void flow_format_source(const flow_writer *f, const made *m, weir_buffer *out) {
    if (m->maker == UINT32_MAX)
        weir_buffer_text(out, "\"seed\"");
    else
        weir_buffer_printf(out, "{\"%s%u\": \"%s\"}", f->prefix, m->maker, m->output);
}

void flow_format_value(flow_writer *f, const made *m, const char *whose, uint32_t number,
                       weir_buffer *out) {
    uint32_t value = flow_draw(f, 1000);
    if (m->truth)
        weir_buffer_text(out, value % 2 ? "true" : "false");
    else if (m->text)
        weir_buffer_printf(out, "\"t%u\"", value);
    else if (m->record)
        weir_buffer_printf(out, "{\"x\": %u}", value);
    else if (m->locked)
        weir_buffer_printf(out, "{\"v\": %u, \"of\": [\"%s:%s.%s.%u\"]}", value, f->prefix, whose,
                           m->name, number);
    else
        weir_buffer_printf(out, "%u", value);
}

/* --- parameters --------------------------------------------------------------------------------- */

typedef struct parameter {
    const made *definition;
    uint32_t values;
    bool certain;
    char parent[40]; /* its one source, for ancestors; "": there are more */
} parameter;

/* A definition of at most `values` values; NULL: none was found. */
static const made *pick(flow_writer *f, uint32_t values, bool text) {
    for (int tries = 0; tries < 20; tries++) {
        const made *m = &f->made[flow_draw(f, f->count)];
        if (m->values <= values && !m->hidden && (!text || m->text)) return m;
    }
    return NULL;
}

/* Another definition that feeds the same parameter. */
static void write_alternate(flow_writer *f, const made *also) {
    if (also->maker == UINT32_MAX)
        weir_buffer_printf(&f->wires, ", {\"seed\": [\"%s\"]}", also->name);
    else {
        weir_buffer_text(&f->wires, ", ");
        flow_format_source(f, also, &f->wires);
    }
}

/* [source, its ancestor's]: one that only one of the maker's parameters reads from, or one that none does. */
static bool write_ancestor(flow_writer *f, const made *m) {
    bool first = m->parents[0][0] && strcmp(m->parents[0], m->parents[1]) != 0;
    if (m->maker == UINT32_MAX || !first) return false;
    weir_buffer_byte(&f->wires, '[');
    flow_format_source(f, m, &f->wires);
    bool other = once_in(f, 4) && strcmp(m->parents[1], "\"seed\"") != 0;
    weir_buffer_printf(&f->wires, ", %s]", other ? "\"seed\"" : m->parents[0]);
    return true;
}

/* At most `values` of them; false when there is no such definition. Writes to `operations` and `wires`. */
static bool add_parameter(flow_writer *f, const char *name, uint32_t values, bool text,
                          parameter *out) {
    const made *m = pick(f, values, text);
    if (!m) return false;
    *out = (parameter){m, m->values ? m->values : 1, m->certain || m->defaulted, ""};
    f->loose |= m->loose;
    weir_buffer_printf(&f->operations, "%s\"%s\": \"%s\"",
                       f->operations.data[f->operations.length - 1] == '{' ? "" : ", ", name,
                       m->name);
    weir_buffer_printf(&f->wires, "%s\"%s\": [",
                       f->wires.data[f->wires.length - 1] == '{' ? "" : ", ", name);
    uint32_t way = text ? 9 : flow_draw(f, 10);
    if (way == 0 && write_ancestor(f, m)) {
        f->fancy = true;
        out->certain = false;
        weir_buffer_byte(&f->wires, ']');
        return true;
    }
    size_t from = f->wires.length;
    flow_format_source(f, m, &f->wires);
    snprintf(out->parent, sizeof out->parent, "%s", f->wires.data + from);
    const made *also = way == 1 ? pick(f, values, false) : NULL;
    bool first = also && (also->seeded || also->defaulted); /* it is not given later */
    bool late = also && m->defaulted && !first;             /* beside the default */
    if (also && also != m && m->values + also->values <= values && !(late && f->orderly)) {
        write_alternate(f, also);
        f->fancy = true;
        f->loose |= also->loose;
        out->values += also->values;
        out->certain |= also->certain;
        out->parent[0] = '\0';
    }
    weir_buffer_byte(&f->wires, ']');
    return true;
}

/* --- operations --------------------------------------------------------------------------------- */

static void begin_operation(flow_writer *f, const char *name) {
    f->loose = false;
    separate(&f->operations);
    separate(&f->wires);
    weir_buffer_printf(&f->operations, "\"%s%u\": {\"name\": \"%s\", \"inputs\": {", f->prefix,
                       f->operation_count, name);
    weir_buffer_printf(&f->wires, "\"%s%u\": {\"inputs\": {", f->prefix, f->operation_count);
}

/* Conditions; false when the operation surely runs. */
static bool write_conditions(flow_writer *f) {
    const made *found[2];
    uint32_t count = 0, most = 1 + (once_in(f, 2) ? 1 : 0);
    for (uint32_t i = 0; i < f->count && count < most; i++) {
        const made *m = &f->made[i];
        bool fits = m->truth && !m->hidden && (m->values == 1 || !f->orderly);
        if (fits && once_in(f, f->orderly ? 3 : 2)) found[count++] = m;
    }
    if (!count) return false;
    weir_buffer_text(&f->operations, ", \"conditions\": [");
    weir_buffer_text(&f->wires, ", \"conditions\": [");
    for (uint32_t i = 0; i < count; i++) {
        weir_buffer_printf(&f->operations, "%s\"%s\"", i ? ", " : "", found[i]->name);
        weir_buffer_text(&f->wires, i ? ", " : "");
        flow_format_source(f, found[i], &f->wires);
    }
    weir_buffer_byte(&f->operations, ']');
    weir_buffer_byte(&f->wires, ']');
    f->fancy |= count > 1; /* auto flow has a rule of its own for several */
    return true;
}

static void write_label(flow_writer *f, const char *more) {
    separate(&f->configs);
    weir_buffer_printf(&f->configs, "\"%s%u\": {\"label\": \"%u\"%s}", f->prefix,
                       f->operation_count, f->operation_count, more);
}

typedef enum kind { MIX, SPLIT, ODD, WORK, PROCESS, NAME, STREAM, CUSTOM, RUN, KINDS } kind;

static const struct {
    const char *operation, *output;
    uint32_t times; /* how many values a call may give */
} kinds[KINDS] = {[MIX] = {"mix", "value", 1},
                  [SPLIT] = {"split", "value", 3},
                  [ODD] = {"odd", "value", 1},
                  [WORK] = {"work", "value", 1},
                  [PROCESS] = {"process.run", "result", 1},
                  [NAME] = {"name", "value", 1},
                  [STREAM] = {"stream", "value", 3},
                  [CUSTOM] = {"dffml.dataflow.run", "r", 1},
                  [RUN] = {"dffml.dataflow.run", "results", 2}};

void flow_note_loose(flow_writer *f, const char *name) {
    weir_array_append(f->loose_operations, weir_string_from(weir_str_from(name)));
}

/* Ends what begin_operation and add_parameter began. */
static void end_operation(flow_writer *f, kind of, made product, bool always) {
    product.maker = f->operation_count;
    product.loose = f->loose;
    char name[40];
    snprintf(name, sizeof name, "%s%u", f->prefix, f->operation_count);
    if (f->loose) flow_note_loose(f, name);
    product.output = kinds[of].output;
    weir_buffer_printf(&f->operations, "}, \"outputs\": {\"%s\": \"%c%u\"}", product.output,
                       f->letter, f->count);
    weir_buffer_byte(&f->wires, '}');
    if (!always && write_conditions(f)) product.certain = false;
    bool nested = of == CUSTOM || of == RUN;
    if (of == SPLIT || of == RUN)
        weir_buffer_printf(&f->operations, ", \"expand\": [\"%s\"]", product.output);
    if (!nested && once_in(f, 3))
        weir_buffer_printf(&f->operations, ", \"retry\": %u", 1 + flow_draw(f, 4));
    if (!nested && once_in(f, 3)) weir_buffer_text(&f->operations, ", \"timeout_us\": 2000000");
    if ((of == WORK || of == PROCESS) && once_in(f, 2))
        weir_buffer_text(&f->operations, ", \"cache\": true");
    weir_buffer_byte(&f->operations, '}');
    weir_buffer_byte(&f->wires, '}');
    made *m = add_made(f, product);
    /* A default beside what makes the value: which of them comes first is a matter of order. */
    m->defaulted = !f->orderly && once_in(f, f->theme == THEME_DEFAULTS ? 1 : 3) && !m->text;
    f->operation_count++;
}

static void add_simple(flow_writer *f, kind of) {
    uint32_t most = f->orderly ? VALUES_MAX : 4;
    parameter p[2] = {{.values = 1, .certain = true}, {.values = 1, .certain = true}};
    uint32_t count = once_in(f, 10) ? 0 : 1 + flow_draw(f, 2);
    begin_operation(f, kinds[of].operation);
    static const char *const names[] = {"a", "b"};
    uint32_t room = most / kinds[of].times;
    for (uint32_t i = 0; i < count && room; i++) {
        if (!add_parameter(f, names[i], room, false, &p[i])) break;
        room /= p[i].values;
    }
    made product = {.values = p[0].values * p[1].values * kinds[of].times,
                    .certain = p[0].certain && p[1].certain && of != STREAM,
                    .truth = of == ODD,
                    .text = of == NAME,
                    .flat = !f->locking};
    for (int i = 0; i < 2; i++) memcpy(product.parents[i], p[i].parent, sizeof product.parents[i]);
    if (p[1].definition && (!p[0].parent[0] || !p[1].parent[0])) product.parents[0][0] = '\0';
    if (of != PROCESS) write_label(f, "");
    end_operation(f, of, product, false);
}

/* --- dataflows within ----------------------------------------------------------------------------- */

static const char letters[] = "def", levels[] = "oij";

static flow_writer inner_of(flow_writer *f) {
    flow_writer inner = {.chance = f->chance,
                         .letter = letters[f->depth + 1],
                         .depth = f->depth + 1,
                         .orderly = f->orderly,
                         .locking = f->locking,
                         .loose_operations = f->loose_operations};
    snprintf(inner.prefix, sizeof inner.prefix, "%.8s%u%c", f->prefix, f->operation_count % 100,
             levels[inner.depth]);
    return inner;
}

/* A definition that the outside of a dataflow within gives it, under the name it has there. */
static void add_known(flow_writer *inner, const made *known, uint32_t values, bool certain,
                      bool text) {
    made *m = add_made(inner, (made){.values = values,
                                     .certain = certain,
                                     .text = text,
                                     .maker = UINT32_MAX,
                                     .flat = !inner->locking,
                                     .loose = known->loose});
    snprintf(m->name, sizeof m->name, "%s", known->name);
    inner->given++;
}

static void write_inner(flow_writer *f, flow_writer *inner) {
    separate(&f->configs);
    weir_buffer_printf(&f->configs, "\"%s%u\": {\"dataflow\": ", f->prefix, f->operation_count);
    flow_format(inner, true, &f->configs);
    weir_buffer_byte(&f->configs, '}');
    f->locking |= inner->locking; /* what comes out of it may know its locks */
    flow_writer_deinit(inner);
}

/* What comes of a definition while the dataflow runs goes to it too, with its locks. */
static void forward(flow_writer *f, flow_writer *inner) {
    const made *m = &f->made[flow_draw(f, f->count)];
    bool wanted = f->theme == THEME_WITHIN || once_in(f, 2);
    if (f->orderly || m->hidden || !wanted) return;
    for (uint32_t i = 0; i < inner->count; i++)
        if (strcmp(inner->made[i].name, m->name) == 0) return;
    inner->locking |= f->locking;
    add_known(inner, m, m->values, false, false);
    f->loose |= f->locking; /* what comes back may be made of it */
    separate(&f->forwards);
    weir_buffer_printf(&f->forwards, "\"%s%u\": [\"%s\"]", f->prefix, f->operation_count, m->name);
}

static void add_inner_seed(flow_writer *inner) {
    if (!once_in(inner, 3)) return;
    made *m = add_made(
        inner,
        (made){.values = 1, .certain = true, .maker = UINT32_MAX, .locked = true, .seeded = true});
    inner->locking |= m->locked;
    inner->given++;
}

/* Its first parameter names the context; its result is its output. */
static bool add_custom(flow_writer *f) {
    parameter p[2];
    weir_buffer *buffers[] = {&f->operations, &f->wires, &f->forwards};
    size_t lengths[] = {f->operations.length, f->wires.length, f->forwards.length};
    flow_writer inner = inner_of(f);
    uint32_t many = 1;
    begin_operation(f, kinds[CUSTOM].operation);
    bool ok = add_parameter(f, "name", 2, true, &p[0]) && add_parameter(f, "a", 2, false, &p[1]) &&
              p[0].definition != p[1].definition;
    if (ok) {
        add_known(&inner, p[0].definition, 1, true, true);
        add_known(&inner, p[1].definition, 1, true, false);
        forward(f, &inner);
        add_inner_seed(&inner);
        flow_add_operations(&inner, 1 + flow_draw(f, 2));
        ok = flow_add_result(&inner, &many);
    }
    if (!ok) {
        for (size_t i = 0; i < 3; i++) {
            buffers[i]->length = lengths[i];
            if (buffers[i]->data) buffers[i]->data[lengths[i]] = '\0';
        }
        flow_writer_deinit(&inner);
        return false;
    }
    write_inner(f, &inner);
    end_operation(f, CUSTOM,
                  (made){.values = p[0].values * p[1].values,
                         .certain = p[0].certain && p[1].certain && many},
                  false);
    return true;
}

/* {context: inputs} in, {context: result} out; `wrap` makes the inputs. */
static void add_run(flow_writer *f) {
    parameter p;
    char definition[32];
    begin_operation(f, "wrap");
    if (!add_parameter(f, "a", 2, false, &p)) p = (parameter){.values = 1, .certain = true};
    snprintf(definition, sizeof definition, ", \"definition\": \"%c0\"", letters[f->depth + 1]);
    write_label(f, definition);
    end_operation(f, MIX, (made){.values = p.values, .certain = p.certain}, true);
    flow_writer inner = inner_of(f);
    made *wrapped = &f->made[f->count - 1];
    wrapped->defaulted = false;
    begin_operation(f, kinds[RUN].operation);
    weir_buffer_printf(&f->operations, "\"inputs\": \"%s\"", wrapped->name);
    weir_buffer_text(&f->wires, "\"inputs\": [");
    flow_format_source(f, wrapped, &f->wires);
    weir_buffer_byte(&f->wires, ']');
    inner.made[inner.count++] =
        (made){.values = 1, .certain = true, .maker = UINT32_MAX, .flat = true};
    snprintf(inner.made[0].name, sizeof inner.made[0].name, "%c0", inner.letter);
    inner.given = 1;
    inner.made[0].flat = !f->locking;
    inner.made[0].loose = f->loose = wrapped->loose;
    forward(f, &inner);
    add_inner_seed(&inner);
    flow_add_operations(&inner, 1 + flow_draw(f, 2));
    flow_add_ends(&inner);
    write_inner(f, &inner);
    end_operation(f, RUN, (made){.values = 2 * p.values, .certain = p.certain}, false);
}

/* --- all of them ---------------------------------------------------------------------------------- */

/* An input of the definition goes through the operation before anybody sees it. */
static void add_validator(flow_writer *f, made *m) {
    bool call = once_in(f, 2);
    begin_operation(f, call ? "mix" : "work");
    weir_buffer_printf(&f->operations, "\"a\": \"%s\"", m->name);
    weir_buffer_text(&f->wires, "\"a\": [\"seed\"]");
    weir_buffer_printf(&f->operations,
                       "}, \"outputs\": {\"value\": \"%c%u\"}, \"validator\": true}", f->letter,
                       f->count);
    weir_buffer_text(&f->wires, "}}");
    write_label(f, "");
    m->hidden = true;
    m->validator = f->operation_count;
    add_made(f, (made){.values = m->values,
                       .certain = m->certain,
                       .flat = !f->locking,
                       .maker = f->operation_count++,
                       .output = "value"});
}

/* Two operations that take two locks in opposite order. */
static void add_opposites(flow_writer *f, const made *x, const made *y) {
    for (int i = 0; i < 2; i++) {
        const made *a = i ? y : x, *b = i ? x : y;
        begin_operation(f, "work");
        weir_buffer_printf(&f->operations, "\"a\": \"%s\", \"b\": \"%s\"", a->name, b->name);
        weir_buffer_text(&f->wires, "\"a\": [\"seed\"], \"b\": [\"seed\"]");
        write_label(f, "");
        made product = {.values = a->values * b->values, .certain = true};
        end_operation(f, WORK, product, false);
    }
}

static void add_specials(flow_writer *f) {
    const made *locked[2];
    uint32_t count = 0;
    made *m = &f->made[flow_draw(f, f->given)];
    if (once_in(f, 4) && !m->defaulted && !m->seeded && !m->truth) add_validator(f, m);
    for (uint32_t i = 0; i < f->given; i++) {
        m = &f->made[i];
        if (m->locked && !m->hidden && count < 2) locked[count++] = m;
    }
    if (count == 2) add_opposites(f, locked[0], locked[1]);
}

void flow_add_operations(flow_writer *f, uint32_t count) {
    /* A definition that `wrap` and a dataflow within need each take two places. */
    enum { ROOM = 6 };
    if (f->depth == 0) add_specials(f);
    for (uint32_t i = 0; i < count && f->count + ROOM < DEFINITIONS_MAX; i++) {
        kind of = (kind)flow_draw(f, KINDS);
        if (f->theme == THEME_CONDITIONS && once_in(f, 3)) of = ODD;
        if (f->theme == THEME_WITHIN && once_in(f, 2)) of = once_in(f, 2) ? RUN : CUSTOM;
        bool deep = f->depth >= DEPTH_MAX || (f->depth && !once_in(f, 3));
        if ((of == CUSTOM || of == RUN) && deep) of = WORK;
        if (of == CUSTOM && !add_custom(f)) of = WORK;
        if (of == RUN)
            add_run(f);
        else if (of != CUSTOM)
            add_simple(f, of);
    }
}
