/* Definitions: named types of data, with defaults, record types, locks and validators. */
#include "data/json.h"
#include "dataflow/plan_internal.h"

enum { FIELDS_MAX = 1000 };

static void problem(weir__compiler *c, weir_str instance, weir_str port, weir_str name,
                    const char *what) {
    weir_buffer path = {0};
    if (!instance.length) {
        weir_buffer_text(&path, "definitions");
        weir_path_append(&path, name);
    }
    weir__dataflow_problem(c, instance, port, path.data ? path.data : "", WEIR_INVALID,
                           "definition `%.*s`: %s", WEIR_ARG(name), what);
    weir_buffer_deinit(&path);
}

/* Fields without a default come first, as in a Python named tuple. */
static void add_fields(weir__compiler *c, const weir_value *types, const weir_value *defaults,
                       bool with_default, weir__definition *definition) {
    for (size_t i = 0; i < weir_value_count(types); i++) {
        weir_str name = weir_object_key(types, i);
        weir_value *otherwise = weir_is(defaults, WEIR_OBJECT) ? weir_member(defaults, name) : NULL;
        if ((otherwise != NULL) != with_default) continue;
        *weir_vector_push(&definition->fields) = (weir__field){
            .name = weir__dataflow_keep(c->plan, name), .otherwise = weir_value_ref(otherwise)};
    }
}

/* spec: {name, types: {field: type}, defaults: {field: value}}. */
static void compile_spec(weir__compiler *c, weir_str instance, weir_str port,
                         const weir_value *value, weir__definition *definition) {
    const weir_value *spec = weir_member_named(value, "spec");
    if (!spec || weir_is(spec, WEIR_NULL)) return;
    const weir_value *types = weir_member_named(spec, "types");
    const weir_value *defaults = weir_member_named(spec, "defaults");
    if (!weir_is(types, WEIR_OBJECT) || weir_value_count(types) > FIELDS_MAX ||
        (defaults && !weir_is(defaults, WEIR_OBJECT))) {
        problem(c, instance, port, definition->name,
                "its `spec` needs `types` {field: type}, at most 1000, and may have `defaults`");
        return;
    }
    definition->has_spec = true;
    const weir_value *subspec = weir_member_named(value, "subspec");
    definition->subspec = subspec && weir_value_truth(subspec);
    add_fields(c, types, defaults, false, definition);
    add_fields(c, types, defaults, true, definition);
}

/* Mostly that of the definition before. */
static weir_str keep_primitive(weir__compiler *c, weir_str primitive) {
    const weir__flow *flow = c->flow;
    size_t count = flow->definitions.count;
    weir_str before = count ? flow->definitions.items[count - 1].primitive : WEIR_STR("");
    bool same = before.data && weir_str_equal(before, primitive);
    return same ? before : weir__dataflow_keep(c->plan, primitive);
}

/* The next one. Its place is that of the instance's port, or among the definitions. */
static uint32_t new_definition(weir__compiler *c, weir_str name, const weir_value *value,
                               weir_str instance, weir_str port) {
    weir__flow *flow = c->flow;
    weir__definition definition = {
        .name = weir__dataflow_keep(c->plan, name),
        .primitive = keep_primitive(c, weir_member_text(value, "primitive")),
        .default_value = weir_value_ref(weir_member_named(value, "default")),
        .validator = WEIR__NONE};
    const weir_value *lock = weir_member_named(value, "lock");
    definition.lock = lock && weir_value_truth(lock);
    definition.lock_said = lock != NULL;
    const weir_value *validate = weir_member_named(value, "validate");
    definition.validate_said = validate != NULL;
    if (weir_is(validate, WEIR_STRING))
        definition.validate = weir__dataflow_keep(c->plan, weir_string_get(validate));
    else if (validate && weir_value_truth(validate))
        problem(c, instance, port, name, "its `validate` names no operation");
    compile_spec(c, instance, port, value, &definition);
    *weir_vector_push(&flow->definitions) = definition;
    return (uint32_t)flow->definitions.count - 1;
}

/* That of the name, made when it is new. */
static uint32_t add_definition(weir__compiler *c, weir_str name, const weir_value *value,
                               weir_str instance, weir_str port) {
    weir__flow *flow = c->flow;
    uint64_t at;
    if (weir__definition_find(flow, name, &at)) return (uint32_t)at;
    uint32_t number = new_definition(c, name, value, instance, port);
    weir__names_add(&flow->definition_names, flow->definitions.items[number].name, number);
    return number;
}

/* A definition as it stands in an operation: its name (linked) or the whole definition. */
bool weir__dataflow_use_definition(weir__compiler *c, weir_str instance, weir_str port,
                                   const weir_value *value, uint32_t *out) {
    uint64_t at;
    if (weir_is(value, WEIR_OBJECT) && weir_member_text(value, "name").length) {
        *out = add_definition(c, weir_member_text(value, "name"), value, instance, port);
        return true;
    }
    if (!weir_is(value, WEIR_STRING)) {
        weir__dataflow_problem(c, instance, port, "", WEIR_INVALID,
                               "operation `%.*s`: `%.*s` names no definition", WEIR_ARG(instance),
                               WEIR_ARG(port));
        return false;
    }
    if (!weir__definition_find(c->flow, weir_string_get(value), &at)) {
        weir__dataflow_problem(
            c, instance, port, "", WEIR_UNKNOWN_DEFINITION,
            "operation `%.*s`: `%.*s` is of definition `%.*s`, which there is not",
            WEIR_ARG(instance), WEIR_ARG(port), WEIR_ARG(weir_string_get(value)));
        return false;
    }
    *out = (uint32_t)at;
    return true;
}

/* Definitions that are nested in seeds (unlinked form) are known from there too. */
static void add_seed_definitions(weir__compiler *c) {
    const weir_value *seeds = weir_member_named(c->value, "seed");
    for (size_t i = 0; weir_is(seeds, WEIR_ARRAY) && i < weir_value_count(seeds); i++) {
        const weir_value *definition = weir_member_named(weir_array_at(seeds, i), "definition");
        if (weir_is(definition, WEIR_OBJECT) && weir_member_text(definition, "name").length)
            add_definition(c, weir_member_text(definition, "name"), definition, WEIR_STR(""),
                           WEIR_STR(""));
    }
}

void weir__dataflow_compile_definitions(weir__compiler *c) {
    weir_value *definitions = weir_member_named(c->value, "definitions");
    if (definitions && !weir_is(definitions, WEIR_OBJECT)) {
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "definitions", WEIR_INVALID,
                               "`definitions` is no object");
        return;
    }
    size_t count = definitions ? weir_value_count(definitions) : 0;
    if (count) weir_vector_reserve(&c->flow->definitions, count);
    for (size_t i = 0; i < count; i++) {
        weir_str name = weir_object_key(definitions, i);
        const weir_value *value = weir_object_at(definitions, i);
        if (!weir_is(value, WEIR_OBJECT))
            problem(c, WEIR_STR(""), WEIR_STR(""), name, "it is no object");
        /* Compiled all the same, or the places of those behind it were not their numbers. */
        new_definition(c, name, value, WEIR_STR(""), WEIR_STR(""));
    }
    if (count) weir__names_list(&c->flow->definition_names, definitions);
    add_seed_definitions(c);
}

void weir__dataflow_take_definitions(weir__compiler *c, const weir_dataflow_parts *parts) {
    weir__flow *flow = c->flow;
    weir_vector_reserve(&flow->definitions, parts->definitions);
    for (size_t i = 0; i < parts->definitions; i++) {
        weir_str name, primitive;
        parts->definition(c->source->arg, i, &name, &primitive);
        weir__definition definition = {.name = weir__dataflow_keep(c->plan, name),
                                       .primitive = keep_primitive(c, primitive),
                                       .validator = WEIR__NONE};
        *weir_vector_push(&flow->definitions) = definition;
    }
}

void weir__dataflow_adopt_definition(weir__compiler *c, const weir__definition *definition) {
    if (weir__definition_find(c->flow, definition->name, NULL)) return;
    weir__names_add(&c->flow->definition_names, definition->name, c->flow->definitions.count);
    *weir_vector_push(&c->flow->definitions) =
        (weir__definition){.name = definition->name, .validator = WEIR__NONE};
}

void weir__dataflow_adopt_definitions(weir__compiler *c, const weir__flow *other) {
    for (size_t i = 0; i < other->definitions.count; i++)
        weir__dataflow_adopt_definition(c, &other->definitions.items[i]);
}

/* --- values by a record type ------------------------------------------------------------------- */

static bool shape_record(const weir__definition *definition, const weir_value *record,
                         weir_value **out, weir_error *error) {
    weir_value *array = weir_array_new();
    size_t used = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < definition->fields.count; i++) {
        const weir__field *field = &definition->fields.items[i];
        weir_value *value = weir_member(record, field->name);
        used += value != NULL;
        if (!value) value = field->otherwise;
        if (value)
            weir_array_append(array, weir_value_ref(value));
        else
            ok = weir_fail(error, WEIR_INVALID, "a value of definition `%.*s` has no member `%.*s`",
                           WEIR_ARG(definition->name), WEIR_ARG(field->name));
    }
    if (ok && used < weir_value_count(record))
        ok = weir_fail(error, WEIR_INVALID,
                       "a value of definition `%.*s` has a member that its spec does not have",
                       WEIR_ARG(definition->name));
    if (ok)
        *out = array;
    else
        weir_value_unref(array);
    return ok;
}

/* Records in a list or under the names of an object. What is no record stays as it is. */
static bool shape_many(const weir__definition *definition, weir_value *value, weir_value **out,
                       weir_error *error) {
    bool object = weir_is(value, WEIR_OBJECT), ok = true;
    weir_value *shaped = object ? weir_object_new() : weir_array_new();
    for (size_t i = 0; ok && i < weir_value_count(value); i++) {
        weir_value *item = object ? weir_object_at(value, i) : weir_array_at(value, i), *made;
        if (weir_is(item, WEIR_OBJECT))
            ok = shape_record(definition, item, &made, error);
        else
            made = weir_value_ref(item);
        if (!ok) break;
        if (object)
            weir_member_set(shaped, weir_object_key(value, i), made);
        else
            weir_array_append(shaped, made);
    }
    if (ok)
        *out = shaped;
    else
        weir_value_unref(shaped);
    return ok;
}

bool weir__definition_shape(const weir__definition *definition, weir_value *value, weir_value **out,
                            weir_error *error) {
    bool object = weir_is(value, WEIR_OBJECT);
    if (definition->has_spec && definition->subspec) {
        weir_str primitive = definition->primitive;
        bool array = weir_is(value, WEIR_ARRAY);
        if ((object && !weir_str_is(primitive, "array")) ||
            (array && !weir_str_is(primitive, "map")))
            return shape_many(definition, value, out, error);
        return weir_fail(
            error, WEIR_INVALID,
            "definition `%.*s` has a subspec and the primitive `%.*s`; this value is %s",
            WEIR_ARG(definition->name), WEIR_ARG(primitive),
            weir_type_text(weir_value_type(value)));
    }
    if (definition->has_spec && !definition->subspec && object)
        return shape_record(definition, value, out, error);
    *out = weir_value_ref(value);
    return true;
}

/* --- for those who look at the plan ---------------------------------------------------------- */

static bool is_plain(weir_str text) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') return false;
    }
    return true;
}

/* Each run does this once, and most texts are names: they need no value to be made of them. */
static void add_text(const char *key, weir_str text, weir_buffer *json) {
    weir_buffer_text(json, key);
    if (is_plain(text)) {
        weir_buffer_byte(json, '"');
        weir_buffer_str_append(json, text);
        weir_buffer_byte(json, '"');
        return;
    }
    weir_value *value = weir_string_from(text);
    weir_json_format(value, 0, json);
    weir_value_unref(value);
}

static void list_definition(weir_str flow, const weir__definition *definition, weir_buffer *json) {
    add_text("{\"flow\":", flow, json);
    add_text(",\"name\":", definition->name, json);
    add_text(",\"primitive\":", definition->primitive, json);
    if (definition->lock) weir_buffer_text(json, ",\"lock\":true");
    if (definition->validate.length) add_text(",\"validator\":", definition->validate, json);
    if (definition->default_value) {
        weir_buffer_text(json, ",\"default\":");
        weir_json_format(definition->default_value, 0, json);
    }
    weir_buffer_byte(json, '}');
}

void weir__dataflow_definitions(const weir_plan *base, weir_buffer *json, bool *leaves) {
    const weir_dataflow_plan *plan = (const weir_dataflow_plan *)base;
    bool first = true;
    *leaves = false;
    weir_buffer_byte(json, '[');
    for (size_t f = 0; f < plan->flows.count; f++) {
        const weir__flow *flow = plan->flows.items[f];
        weir_buffer path = {0};
        for (size_t i = 0; i < weir_value_count(flow->path); i++) {
            if (i) weir_buffer_byte(&path, '/');
            weir_buffer_str_append(&path, weir_string_get(weir_array_at(flow->path, i)));
        }
        for (size_t i = 0; i < flow->definitions.count; i++, first = false) {
            if (!first) weir_buffer_byte(json, ',');
            list_definition(weir_buffer_str(&path), &flow->definitions.items[i], json);
        }
        for (size_t i = 0; i < flow->instances.count; i++)
            *leaves = *leaves || weir_task_leaves(flow->instances.items[i].spec);
        weir_buffer_deinit(&path);
    }
    weir_buffer_byte(json, ']');
}
