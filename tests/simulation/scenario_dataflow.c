/* Dataflows by chance, with what they are given: at first, and while they run.
 *
 * A flow is orderly when its results are the same, as multisets, in whatever order things arrive. What makes a result
 * depend on that order, and is in no orderly flow (docs/guide/dataflows.md says it to users):
 *   - a condition on a definition of several values: the last one counts;
 *   - a default of a definition that an operation makes, or that is sent to a context that is open already;
 *   - get_single, associate, associate_definition of several values: the last, or the first one counts;
 *   - forwarding: what comes before a dataflow within began, or after it ended, does not go there;
 *   - in a strict run, which of several failures ends it, and what was done by then: only that it failed is certain. */
#include <stdio.h>

#include "data/json.h"
#include "flow_writer.h"

static weir_value *parse(const weir_buffer *text) {
    weir_value *value;
    weir_error error;
    if (weir_json_parse(weir_buffer_str(text), WEIR_STR("scenario"), &value, &error)) return value;
    fprintf(stderr, "%s\n%s\n", text->data, error.message);
    weir_assert(false);
    return NULL;
}

static weir_value *make_input(flow_writer *f, const made *m, const char *whose, uint32_t number) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "{\"definition\": \"%s\", \"value\": ", m->name);
    flow_format_value(f, m, whose, number, &text);
    weir_buffer_byte(&text, '}');
    weir_value *input = parse(&text);
    weir_buffer_deinit(&text);
    return input;
}

/* The same input again: it is there twice, and used once. */
static void add_same(const made *m, uint32_t number, weir_value *inputs) {
    char id[24];
    snprintf(id, sizeof id, "%s.%u", m->name, number);
    weir_value *first = weir_array_at(inputs, weir_value_count(inputs) - 1);
    weir_value *again = weir_object_new();
    weir_member_put(first, "id", weir_string_from(weir_str_from(id)));
    for (size_t i = 0; i < weir_value_count(first); i++)
        if (!weir_str_is(weir_object_key(first, i), "id"))
            weir_member_set(again, weir_object_key(first, i),
                            weir_value_ref(weir_object_at(first, i)));
    weir_member_put(again, "same_as", weir_string_from(weir_str_from(id)));
    weir_array_append(inputs, again);
}

/* A context's inputs: those it has at first, and, when it is held, those that it gets later. */
static void draw_inputs(flow_writer *f, const char *context, weir_value *first, weir_value *later) {
    for (uint32_t d = 0; d < f->given; d++) {
        const made *m = &f->made[d];
        uint32_t count = m->seeded ? 0 : m->defaulted ? flow_draw(f, m->values + 1) : m->values;
        bool early = m->defaulted && f->orderly;
        for (uint32_t i = 0; i < count; i++) {
            bool now = !later || early || flow_draw(f, 2);
            weir_array_append(now ? first : later, make_input(f, m, context, i));
            bool plain = now && !m->locked && !m->hidden && !m->truth && f->orderly;
            if (plain && flow_draw(f, 12) == 0) add_same(m, i, first);
        }
    }
}

static void add_gift(scenario *s, weir_event_type type, const char *context, uint32_t number,
                     weir_value *data) {
    *weir_vector_push(&s->gifts) = (gift){type, context, number, data};
}

/* A context that is given while the run goes on; a held one gets some of its inputs later, one or two at once. */
static void add_given_context(scenario *s, flow_writer *f, const char *name) {
    bool held = flow_draw(f, 2);
    weir_value *first = weir_array_new(), *later = held ? weir_array_new() : NULL;
    draw_inputs(f, name, first, later);
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "name", weir_str_from(name));
    weir_member_put(data, "inputs", first);
    add_gift(s, WEIR_CONTEXT_GIVEN, name, held, data);
    if (!held) return;
    for (size_t i = 0; i < weir_value_count(later);) {
        weir_value *some = weir_array_new();
        for (size_t until = i + 1 + flow_draw(f, 2); i < until && i < weir_value_count(later); i++)
            weir_array_append(some, weir_value_ref(weir_array_at(later, i)));
        data = weir_object_new();
        weir_member_put(data, "inputs", some);
        add_gift(s, WEIR_INPUTS_GIVEN, name, 0, data);
    }
    weir_value_unref(later);
    add_gift(s, WEIR_CONTEXT_CLOSED, name, 0, NULL);
}

static void add_contexts(scenario *s, flow_writer *f) {
    static const char *const planned[] = {"c0", "c1", "c2"}, *const given[] = {"g0", "g1"};
    bool open = flow_draw(f, 3) == 0;
    uint32_t count = open ? flow_draw(f, 2) : 1 + flow_draw(f, f->orderly ? 3 : 2);
    weir_value *contexts = weir_object_new();
    for (uint32_t c = 0; c < count; c++) {
        weir_value *inputs = weir_array_new();
        draw_inputs(f, planned[c], inputs, NULL);
        weir_member_put(contexts, planned[c], inputs);
    }
    weir_member_put(s->request, "contexts", contexts);
    weir_member_put(s->request, "open", weir_bool_new(open));
    if (!open) return;
    for (uint32_t c = 0, more = 1 + flow_draw(f, 2); c < more; c++)
        add_given_context(s, f, given[c]);
    add_gift(s, WEIR_CONTEXTS_ENDED, NULL, 0, NULL);
}

void scenario_write_dataflow(scenario *s, uint64_t *chance) {
    flow_writer f = {.chance = chance, .prefix = "o", .letter = 'd', .loose_operations = s->loose};
    weir_buffer wired = {0};
    s->orderly = f.orderly = chance_draw(chance, 2);
    f.locking = flow_draw(&f, 4) == 0;
    static const theme themes[] = {THEME_NONE,     THEME_CONDITIONS, THEME_CONDITIONS,
                                   THEME_DEFAULTS, THEME_WITHIN,     THEME_WITHIN};
    f.theme = f.orderly ? THEME_NONE : themes[flow_draw(&f, sizeof themes / sizeof *themes)];
    for (uint32_t i = 0, count = 1 + flow_draw(&f, f.orderly ? 4 : 3); i < count; i++) {
        flow_add_given(&f);
        f.given++;
    }
    flow_add_operations(&f, f.orderly ? 2 + flow_draw(&f, 5) : 1 + flow_draw(&f, 3));
    flow_add_ends(&f);
    flow_format(&f, true, &wired);
    flow_format(&f, f.fancy || !f.orderly || flow_draw(&f, 2), &s->text);
    s->flow = parse(&wired);
    add_contexts(s, &f);
    weir_buffer_deinit(&wired);
    flow_writer_deinit(&f);
}
