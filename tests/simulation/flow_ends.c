/* What a written dataflow has around its operations: definitions, cleanup, output, and the file as a whole. */
#include "flow_writer.h"

#include <stdio.h>

static bool once_in(flow_writer *f, uint32_t count) {
    return flow_draw(f, count) == 0;
}

static void separate(weir_buffer *list) {
    if (list->length) weir_buffer_text(list, ", ");
}

/* --- definitions ---------------------------------------------------------------------------------- */

static void write_definition(flow_writer *f, const made *m) {
    separate(&f->definitions);
    weir_buffer_printf(&f->definitions, "\"%s\": {\"primitive\": \"%s\"", m->name,
                       m->text ? "str" : "generic");
    if (m->defaulted) weir_buffer_text(&f->definitions, ", \"default\": 7");
    if (m->locked) weir_buffer_text(&f->definitions, ", \"lock\": true");
    if (m->hidden)
        weir_buffer_printf(&f->definitions, ", \"validate\": \"%s%u\"", f->prefix, m->validator);
    if (m->record)
        weir_buffer_printf(&f->definitions,
                           ", \"spec\": {\"name\": \"S\", \"types\": {\"y\": \"int\", \"x\": "
                           "\"int\"}, \"defaults\": {\"y\": 5}}");
    weir_buffer_byte(&f->definitions, '}');
}

static void write_definitions(flow_writer *f) {
    for (uint32_t i = 0; i < f->count; i++) {
        const made *m = &f->made[i];
        write_definition(f, m);
        if (!m->seeded) continue;
        separate(&f->seeds);
        weir_buffer_printf(&f->seeds, "{\"definition\": \"%s\", \"value\": ", m->name);
        flow_format_value(f, m, "seed", 0, &f->seeds);
        weir_buffer_byte(&f->seeds, '}');
    }
}

/* --- output --------------------------------------------------------------------------------------- */

/* An operation of the output stage that is told by a seed, in `spec`, what to do. */
static void add_output(flow_writer *f, const char *instance, const char *operation,
                       const char *spec, const char *config) {
    separate(&f->definitions);
    separate(&f->operations);
    separate(&f->wires);
    separate(&f->seeds);
    weir_buffer_printf(&f->definitions, "\"%s_spec\": {\"primitive\": \"generic\"}", instance);
    weir_buffer_printf(&f->operations,
                       "\"%s\": {\"name\": \"%s\", \"inputs\": {\"spec\": \"%s_spec\"}, "
                       "\"outputs\": {}, \"stage\": \"output\"}",
                       instance, operation, instance);
    weir_buffer_printf(&f->wires, "\"%s\": {\"inputs\": {\"spec\": [\"seed\"]}}", instance);
    weir_buffer_printf(&f->seeds, "{\"definition\": \"%s_spec\", \"value\": %s}", instance, spec);
    if (!config[0]) return;
    separate(&f->configs);
    weir_buffer_printf(&f->configs, "\"%s\": {%s}", instance, config);
}

/* All definitions, or those of which there is one value. */
static void list_names(const flow_writer *f, bool single, weir_buffer *out) {
    weir_buffer_byte(out, '[');
    for (uint32_t i = 0, count = 0; i < f->count; i++) {
        const made *m = &f->made[i];
        bool one = m->values == 1 && m->certain && !m->hidden;
        if (single && f->orderly && !one) continue;
        weir_buffer_printf(out, "%s\"%s\"", count++ ? ", " : "", m->name);
    }
    weir_buffer_byte(out, ']');
}

static void add_remap(flow_writer *f, const made *m) {
    weir_buffer spec = {0}, config = {0};
    weir_buffer_printf(&spec, "{\"m\": [\"%s\"]}", m->name);
    weir_buffer_printf(
        &config,
        "\"dataflow\": {\"linked\": true, \"definitions\": {\"what\": {\"primitive\": \"array\"}}, "
        "\"operations\": {\"get\": {\"name\": \"get_multi\", \"inputs\": {\"spec\": \"what\"}, "
        "\"outputs\": {}, \"stage\": \"output\"}}, \"flow\": {\"get\": {\"inputs\": {\"spec\": "
        "[\"seed\"]}}}, \"seed\": [{\"definition\": \"what\", \"value\": [\"%s\"]}]}",
        m->name);
    add_output(f, "map", "remap", spec.data, config.data);
    weir_buffer_deinit(&spec);
    weir_buffer_deinit(&config);
}

/* What a value was made from. Of several that were made from one, associate gives the last. */
static void add_ancestry(flow_writer *f) {
    const made *by = &f->made[flow_draw(f, f->count)], *of = &f->made[flow_draw(f, f->count)];
    weir_buffer spec = {0};
    if (!by->flat || f->locking) return;
    weir_buffer_printf(&spec, "{\"g\": {\"group\": \"%s\", \"by\": \"%s\", \"nostrict\": true}}",
                       of->name, by->name);
    add_output(f, "group", "group_by", spec.data, "");
    if (!f->orderly) {
        weir_buffer_clear(&spec);
        weir_buffer_printf(&spec, "[\"%s\", \"%s\"]", by->name, of->name);
        add_output(f, "pair", "associate", spec.data, "");
        weir_buffer_clear(&spec);
        weir_buffer_printf(&spec, "{\"%s\": \"%s\"}", by->name, of->name);
        add_output(f, "last", "associate_definition", spec.data, "");
    }
    weir_buffer_deinit(&spec);
}

static void add_cleanup(flow_writer *f) {
    const made *m = &f->made[flow_draw(f, f->count)];
    if (m->hidden) return;
    char name[40];
    snprintf(name, sizeof name, "%sclean", f->prefix);
    if (m->loose) flow_note_loose(f, name);
    separate(&f->operations);
    separate(&f->wires);
    weir_buffer_printf(&f->operations,
                       "\"%s\": {\"name\": \"work\", \"inputs\": {\"a\": \"%s\"}, "
                       "\"outputs\": {}, \"stage\": \"cleanup\"}",
                       name, m->name);
    weir_buffer_printf(&f->wires, "\"%s\": {\"inputs\": {\"a\": [", name);
    flow_format_source(f, m, &f->wires);
    weir_buffer_text(&f->wires, "]}}");
}

void flow_add_ends(flow_writer *f) {
    weir_buffer all = {0}, single = {0}, config = {0};
    const made *m = &f->made[flow_draw(f, f->count)];
    if (once_in(f, 3)) add_cleanup(f);
    write_definitions(f);
    list_names(f, false, &all);
    list_names(f, true, &single);
    weir_buffer_printf(&config, "\"nostrict\": %s", all.data);
    add_output(f, "all", "get_multi", all.data, config.data);
    if (once_in(f, 2)) add_output(f, "single", "get_single", single.data, config.data);
    if (once_in(f, 3)) add_ancestry(f);
    if (once_in(f, 3) && m->certain && !m->hidden) add_remap(f, m);
    weir_buffer_deinit(&all);
    weir_buffer_deinit(&single);
    weir_buffer_deinit(&config);
}

bool flow_add_result(flow_writer *f, uint32_t *many) {
    weir_buffer spec = {0};
    uint32_t at = f->count;
    while (at && (!f->made[at - 1].certain || f->made[at - 1].hidden)) at--;
    if (!at) return false;
    const made *m = &f->made[at - 1];
    *many = m->values;
    write_definitions(f);
    weir_buffer_printf(&spec, "[{\"r\": \"%s\"}]", m->name);
    bool last = m->values == 1 || (!f->orderly && once_in(f, 2));
    add_output(f, "result", last ? "get_single" : "get_multi", spec.data, "");
    weir_buffer_deinit(&spec);
    return true;
}

/* --- the file ------------------------------------------------------------------------------------- */

void flow_format(const flow_writer *f, bool wired, weir_buffer *out) {
    weir_buffer_printf(out, "{\"linked\": true, \"definitions\": {%s}, \"operations\": {%s}, ",
                       f->definitions.data, f->operations.data);
    if (wired) weir_buffer_printf(out, "\"flow\": {%s}, ", f->wires.data);
    if (f->forwards.length)
        weir_buffer_printf(out, "\"forward\": {\"book\": {%s}}, ", f->forwards.data);
    weir_buffer_printf(out, "\"configs\": {%s}, \"seed\": [%s]}\n",
                       f->configs.length ? f->configs.data : "", f->seeds.data);
}
