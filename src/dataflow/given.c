/* Inputs from outside: of a request, a dataflow's seeds, a subflow's parameter, or sent while a run goes on. */
#include <stdio.h>

#include "data/json.h"
#include "dataflow/plan_internal.h"

enum { PARENTS_MAX = 10000 };

void weir__givens_deinit(weir__givens *givens) {
    for (size_t i = 0; i < givens->items.count; i++) weir_value_unref(givens->items.items[i].value);
    weir_vector_deinit(&givens->items);
    weir_vector_deinit(&givens->parents);
}

void weir__givens_copy(const weir__givens *givens, weir__givens *out) {
    weir_vector_append(&out->items, givens->items.items, givens->items.count);
    weir_vector_append(&out->parents, givens->parents.items, givens->parents.count);
    for (size_t i = 0; i < givens->items.count; i++) weir_value_ref(givens->items.items[i].value);
}

static bool find_definition(const weir__flow *flow, weir_str name, uint32_t *out,
                            weir_error *error) {
    uint64_t at;
    if (!weir__definition_find(flow, name, &at)) {
        weir_fail(error, WEIR_UNKNOWN_DEFINITION, "an input is of unknown definition `%.*s`",
                  WEIR_ARG(name));
        weir__dataflow_hint_definition(flow, name, error);
        return false;
    }
    *out = (uint32_t)at;
    return true;
}

static uint32_t find_origin(const weir__flow *flow, weir_str text) {
    uint64_t at;
    return weir_map_get(&flow->origin_names, text, &at) ? (uint32_t)at : WEIR__NONE;
}

static bool add(const weir__flow *flow, uint32_t definition, uint32_t origin, weir_value *value,
                weir__givens *out, weir_error *error) {
    weir_value *shaped;
    if (!weir__definition_shape(&flow->definitions.items[definition], value, &shaped, error))
        return false;
    *weir_vector_push(&out->items) = (weir__given){.definition = definition,
                                                   .origin = origin,
                                                   .value = shaped,
                                                   .same_as = WEIR__NONE,
                                                   .seed = WEIR__NONE};
    return true;
}

bool weir__givens_add(const weir__flow *flow, weir_str definition, weir_value *value,
                      weir__givens *out, weir_error *error) {
    uint32_t at;
    return find_definition(flow, definition, &at, error) &&
           add(flow, at, flow->seed_origin, value, out, error);
}

static bool parse_origin(const weir__flow *flow, const weir_value *origin, uint32_t *out,
                         weir_error *error) {
    if (!origin || weir_is(origin, WEIR_STRING)) {
        *out = origin ? find_origin(flow, weir_string_get(origin)) : flow->seed_origin;
        return true;
    }
    if (!weir_is(origin, WEIR_ARRAY) || weir_value_count(origin) != 2 ||
        !weir_is(weir_array_at(origin, 0), WEIR_STRING) ||
        !weir_is(weir_array_at(origin, 1), WEIR_STRING))
        return weir_fail(error, WEIR_INVALID,
                         "an input's `origin` is a text or [instance, output]");
    *out = WEIR__NONE;
    (void)weir__output_find(flow, weir_string_get(weir_array_at(origin, 0)),
                            weir_string_get(weir_array_at(origin, 1)), out);
    return true;
}

/* Names of inputs within a list. */
typedef struct ids {
    weir_map places;
    weir__givens *out;
} ids;

static bool add_id(ids *known, const weir_value *id, uint32_t place, weir_error *error) {
    if (!id) return true;
    if (!weir_is(id, WEIR_STRING))
        return weir_fail(error, WEIR_INVALID, "an input's `id` is a text");
    if (weir_map_get(&known->places, weir_string_get(id), NULL))
        return weir_fail(error, WEIR_INVALID, "two inputs have the id `%.*s`",
                         WEIR_ARG(weir_string_get(id)));
    weir_map_set(&known->places, weir_string_get(id), place);
    return true;
}

static bool find_id(const ids *known, const weir_value *id, uint32_t *out, weir_error *error) {
    uint64_t at;
    if (!weir_is(id, WEIR_STRING))
        return weir_fail(error, WEIR_INVALID, "an input's `same_as` and `parents` are ids");
    if (!weir_map_get(&known->places, weir_string_get(id), &at))
        return weir_fail(error, WEIR_INVALID, "there is no input with the id `%.*s` before it",
                         WEIR_ARG(weir_string_get(id)));
    *out = (uint32_t)at;
    return true;
}

static bool add_parents(ids *known, const weir_value *parents, weir__given *given,
                        weir_error *error) {
    if (!parents) return true;
    if (!weir_is(parents, WEIR_ARRAY) || weir_value_count(parents) > PARENTS_MAX)
        return weir_fail(error, WEIR_INVALID, "an input's `parents` are no list of at most %d ids",
                         PARENTS_MAX);
    given->parents = (uint32_t)known->out->parents.count;
    for (size_t i = 0; i < weir_value_count(parents); i++) {
        uint32_t at;
        if (!find_id(known, weir_array_at(parents, i), &at, error)) return false;
        *weir_vector_push(&known->out->parents) = at;
        given->parent_count++;
    }
    return true;
}

typedef struct entry {
    weir_value *value;
    const weir_value *definition, *origin, *id, *same_as, *parents, *text;
} entry;

/* One pass over the members: contexts may be given by the million. */
static entry read_entry(const weir_value *object) {
    entry e = {0};
    for (size_t i = 0; weir_is(object, WEIR_OBJECT) && i < weir_value_count(object); i++) {
        weir_str key = weir_object_key(object, i);
        weir_value *value = weir_object_at(object, i);
        if (weir_str_equal(key, WEIR_STR("value")))
            e.value = value;
        else if (weir_str_equal(key, WEIR_STR("definition")))
            e.definition = value;
        else if (weir_str_equal(key, WEIR_STR("origin")))
            e.origin = value;
        else if (weir_str_equal(key, WEIR_STR("id")))
            e.id = value;
        else if (weir_str_equal(key, WEIR_STR("same_as")))
            e.same_as = value;
        else if (weir_str_equal(key, WEIR_STR("parents")))
            e.parents = value;
        else if (weir_str_equal(key, WEIR_STR("text")))
            e.text = value;
    }
    return e;
}

/* What a text means: JSON when it parses and the definition's primitive is no string, else itself. A new reference. */
static weir_value *read_text(const weir__flow *flow, uint32_t definition, weir_value *text) {
    weir_value *value;
    weir_error ignored;
    weir_str primitive = flow->definitions.items[definition].primitive;
    bool is_text = weir_str_is(primitive, "str") || weir_str_is(primitive, "string");
    if (!is_text && weir_json_parse(weir_string_get(text), WEIR_STR(""), &value, &ignored))
        return value;
    return weir_value_ref(text);
}

/* Adds the entry's value, or what its text means. */
static bool add_entry(const weir__flow *flow, const entry *e, uint32_t at, uint32_t origin,
                      weir__givens *out, weir_error *error) {
    if (e->value) return add(flow, at, origin, e->value, out, error);
    weir_value *value = read_text(flow, at, (weir_value *)e->text);
    bool ok = add(flow, at, origin, value, out, error);
    weir_value_unref(value);
    return ok;
}

static bool parse_entry(const weir__flow *flow, const weir_value *object, ids *known,
                        weir_error *error) {
    entry e = read_entry(object);
    weir_str name = weir_is(e.definition, WEIR_STRING) ? weir_string_get(e.definition)
                                                       : weir_member_text(e.definition, "name");
    if ((!e.value && !weir_is(e.text, WEIR_STRING)) || !name.length)
        return weir_fail(error, WEIR_INVALID, "an input needs `value` and `definition`");
    uint32_t at, origin = WEIR__NONE;
    if (!find_definition(flow, name, &at, error) || !parse_origin(flow, e.origin, &origin, error) ||
        !add_entry(flow, &e, at, origin, known->out, error))
        return false;
    uint32_t place = (uint32_t)known->out->items.count - 1;
    weir__given *given = &known->out->items.items[place];
    if (e.same_as && !find_id(known, e.same_as, &given->same_as, error)) return false;
    return add_parents(known, e.parents, given, error) && add_id(known, e.id, place, error);
}

/* `wrong` gets the place of the entry that is. */
static bool parse_entries(const weir__flow *flow, const weir_value *entries, weir__givens *out,
                          size_t *wrong, weir_error *error) {
    ids known = {.out = out};
    size_t before = out->items.count;
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(entries); i++) {
        *wrong = i;
        ok = parse_entry(flow, weir_array_at(entries, i), &known, error);
    }
    weir_map_deinit(&known.places);
    while (!ok && out->items.count > before)
        weir_value_unref(out->items.items[--out->items.count].value);
    return ok;
}

bool weir__givens_parse(const weir__flow *flow, const weir_value *entries, weir__givens *out,
                        weir_error *error) {
    size_t wrong;
    if (!weir_is(entries, WEIR_ARRAY)) return weir_fail(error, WEIR_INVALID, "no list of inputs");
    return parse_entries(flow, entries, out, &wrong, error);
}

/* --- of the file and the request ------------------------------------------------------------- */

/* In the file, at `path`. */
static void add_problem(weir__compiler *c, const char *path, const weir_error *error) {
    weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), path, error->code, "%s", error->message);
    weir__dataflow_hint(c, error->hint);
}

/* In the request: the member of `group`, which is a path; "": all of that. */
static void add_request_problem(weir__compiler *c, const char *group, weir_str member,
                                const weir_error *error) {
    weir_buffer path = {0};
    weir_buffer_text(&path, group);
    if (member.length) weir_path_append(&path, member);
    weir_problems_add_request(c->problems, path.data, c->source->document->file, error);
    weir_buffer_deinit(&path);
}

void weir__dataflow_compile_seeds(weir__compiler *c) {
    const weir_value *seeds = weir_member_named(c->value, "seed");
    if (seeds && !weir_is(seeds, WEIR_ARRAY))
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "seed", WEIR_INVALID,
                               "`seed` is no list");
    ids known = {.out = &c->flow->seeds};
    for (size_t i = 0; weir_is(seeds, WEIR_ARRAY) && i < weir_value_count(seeds); i++) {
        weir_error error;
        char path[40];
        snprintf(path, sizeof path, "seed/%zu", i);
        size_t at = c->flow->seeds.items.count;
        if (!parse_entry(c->flow, weir_array_at(seeds, i), &known, &error))
            add_problem(c, path, &error);
        else
            c->flow->seeds.items.items[at].seed = (uint32_t)at;
    }
    weir_map_deinit(&known.places);
}

/* NAME=VALUE. `group`: where it stands in the request. */
static void add_text(weir__compiler *c, weir__context_plan *context, const char *group,
                     weir_str name, weir_value *text) {
    uint32_t definition;
    weir_error error;
    if (!find_definition(c->flow, name, &definition, &error)) {
        add_request_problem(c, group, name, &error);
        return;
    }
    weir_value *value = read_text(c->flow, definition, text);
    if (!weir__givens_add(c->flow, name, value, &context->inputs, &error))
        add_request_problem(c, group, name, &error);
    weir_value_unref(value);
}

/* {name: text}, or {name: [text]}: an input each. */
static void add_texts(weir__compiler *c, weir__context_plan *context, const char *group,
                      const weir_value *texts) {
    for (size_t i = 0; weir_is(texts, WEIR_OBJECT) && i < weir_value_count(texts); i++) {
        weir_value *text = weir_object_at(texts, i);
        bool several = weir_is(text, WEIR_ARRAY);
        for (size_t j = 0; j < (several ? weir_value_count(text) : 1); j++) {
            weir_value *one = several ? weir_array_at(text, j) : text;
            if (weir_is(one, WEIR_STRING))
                add_text(c, context, group, weir_object_key(texts, i), one);
        }
    }
}

static void add_common(weir__compiler *c, weir__context_plan *context) {
    const weir_value *inputs = weir_member_named(c->request, "inputs");
    weir_error error;
    for (size_t i = 0; weir_is(inputs, WEIR_OBJECT) && i < weir_value_count(inputs); i++)
        if (!weir__givens_add(c->flow, weir_object_key(inputs, i), weir_object_at(inputs, i),
                              &context->inputs, &error))
            add_request_problem(c, "inputs", weir_object_key(inputs, i), &error);
    add_texts(c, context, "texts", weir_member_named(c->request, "texts"));
}

static weir__context_plan *new_context(weir_dataflow_plan *plan, weir_str name) {
    weir__context_plan *context = weir_vector_push(&plan->contexts);
    *context = (weir__context_plan){.name = weir__dataflow_keep(plan, name)};
    return context;
}

/* Texts for contexts that there are, or for further ones. */
static void add_context_texts(weir__compiler *c, const weir_value *texts) {
    if (!weir_is(texts, WEIR_OBJECT)) return;
    weir_map places = {0};
    for (size_t i = 0; i < c->plan->contexts.count; i++)
        weir_map_set(&places, c->plan->contexts.items[i].name, i);
    for (size_t i = 0; i < weir_value_count(texts); i++) {
        weir_str name = weir_object_key(texts, i);
        uint64_t at;
        bool known = weir_map_get(&places, name, &at);
        weir__context_plan *context =
            known ? &c->plan->contexts.items[at] : new_context(c->plan, name);
        weir_buffer group = {0};
        weir_path_append(&group, WEIR_STR("context_texts"));
        weir_path_append(&group, name);
        add_texts(c, context, group.data, weir_object_at(texts, i));
        weir_buffer_deinit(&group);
    }
    weir_map_deinit(&places);
}

static void add_context(weir__compiler *c, weir_str name, const weir_value *entries) {
    weir__context_plan *context = new_context(c->plan, name);
    weir_error error;
    size_t wrong = 0;
    bool list = weir_is(entries, WEIR_ARRAY);
    if (list && parse_entries(c->flow, entries, &context->inputs, &wrong, &error)) return;
    if (!list) weir_fail(&error, WEIR_INVALID, "no list of inputs");
    weir_error_context(&error, "context `%.*s`", WEIR_ARG(name));
    weir_buffer group = {0};
    weir_path_append(&group, WEIR_STR("contexts"));
    weir_path_append(&group, name);
    char place[24] = "";
    if (list) snprintf(place, sizeof place, "%zu", wrong);
    add_request_problem(c, group.data, weir_str_from(place), &error);
    weir_buffer_deinit(&group);
}

static void add_named_contexts(weir__compiler *c) {
    const weir_value *contexts = weir_member_named(c->request, "contexts");
    weir_error error;
    if (contexts && !weir_is(contexts, WEIR_OBJECT)) {
        weir_fail(&error, WEIR_INVALID, "contexts are no object {name: inputs}");
        add_request_problem(c, "contexts", WEIR_STR(""), &error);
    }
    for (size_t i = 0; weir_is(contexts, WEIR_OBJECT) && i < weir_value_count(contexts); i++)
        add_context(c, weir_object_key(contexts, i), weir_object_at(contexts, i));
    add_context_texts(c, weir_member_named(c->request, "context_texts"));
}

void weir__dataflow_compile_contexts(weir__compiler *c) {
    add_named_contexts(c);
    bool some = c->plan->contexts.count || weir_member_named(c->request, "contexts");
    bool inputs = weir_member_named(c->request, "inputs") || weir_member_named(c->request, "texts");
    if (!some && (inputs || !c->plan->open)) (void)new_context(c->plan, WEIR_STR("default"));
    /* What is wrong with the inputs of all is said once. */
    size_t wrong = c->problems->total;
    for (size_t i = 0; i < c->plan->contexts.count && c->problems->total == wrong; i++)
        add_common(c, &c->plan->contexts.items[i]);
}
