#include "data/yaml.h"

#include "base/map.h"
#include "data/yaml_reader.h"
#include "data/yaml_scalar.h"

typedef struct anchor {
    weir_value *value; /* NULL until its node has ended: an alias within would be a cycle */
    size_t nodes, height;
} anchor;

typedef struct composer {
    weir__yaml_reader reader;
    weir_yaml_booleans booleans;
    weir_arena names;
    weir_map places; /* from an anchor's name to its place in `anchors` */
    WEIR_VECTOR(anchor) anchors;
    size_t nodes;            /* in the whole text */
    size_t height;           /* of the node composed last: how many levels it nests */
    weir_problems *repeated; /* of keys that are there twice; NULL: that is an error */
} composer;

/* All of these begin with the first event of a node at hand and end with its last. */
static weir_value *compose(composer *c, weir_error *error);

static void forget_anchors(composer *c) {
    for (size_t i = 0; i < c->anchors.count; i++) weir_value_unref(c->anchors.items[i].value);
    weir_vector_deinit(&c->anchors);
    weir_map_deinit(&c->places);
    weir_arena_deinit(&c->names);
}

static bool check_nodes(composer *c, weir_error *error) {
    if (c->nodes <= WEIR_FILE_NODES_MAX) return true;
    weir_fail(error, WEIR_LIMIT, "more than %d nodes", WEIR_FILE_NODES_MAX);
    weir__yaml_place(&c->reader, c->reader.event.start_mark, error);
    return false;
}

static weir_value *compose_alias(composer *c, weir_error *error) {
    const char *name = (const char *)c->reader.event.data.alias.anchor;
    uint64_t at;
    bool known = weir_map_get(&c->places, weir_str_from(name), &at);
    const anchor *target = known ? &c->anchors.items[at] : NULL;
    if (!target) {
        weir_fail(error, WEIR_INVALID, "there is no anchor `%s` before this", name);
    } else if (!target->value) {
        weir_fail(error, WEIR_INVALID, "`%s` contains itself", name);
    } else if (c->reader.depth + target->height > WEIR_DEPTH_MAX) {
        weir_fail(error, WEIR_LIMIT, "nested too deep");
        weir_error_hint(error, "%d levels are allowed", WEIR_DEPTH_MAX);
    } else {
        c->nodes += target->nodes - 1;
        c->height = target->height;
        return check_nodes(c, error) ? weir_value_ref(target->value) : NULL;
    }
    weir__yaml_place(&c->reader, c->reader.event.start_mark, error);
    return NULL;
}

static weir_value *compose_scalar(composer *c, weir_error *error) {
    const yaml_event_t *event = &c->reader.event;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    weir_value *value = NULL;
    c->height = 0;
    if (!weir__yaml_scalar(weir__yaml_text(event), (const char *)event->data.scalar.tag, plain,
                           c->booleans, &value, error))
        weir__yaml_place(&c->reader, event->start_mark, error);
    return value;
}

static bool check_tag(composer *c, const yaml_char_t *got, const char *wanted, weir_error *error) {
    const char *tag = (const char *)got;
    if (!tag || strcmp(tag, wanted) == 0 || strcmp(tag, "!") == 0) return true;
    weir_fail(error, WEIR_UNSUPPORTED, "a sequence or mapping cannot have the tag `%s`", tag);
    weir__yaml_place(&c->reader, c->reader.event.start_mark, error);
    return false;
}

static weir_value *compose_sequence(composer *c, weir_error *error) {
    if (!check_tag(c, c->reader.event.data.sequence_start.tag, YAML_SEQ_TAG, error)) return NULL;
    weir_value *array = weir_array_new();
    size_t height = 0;
    bool ok;
    while ((ok = weir__yaml_next(&c->reader, error)) &&
           c->reader.event.type != YAML_SEQUENCE_END_EVENT) {
        weir_value *item = compose(c, error);
        ok = item != NULL;
        if (!ok) break;
        weir_array_append(array, item);
        if (c->height > height) height = c->height;
    }
    c->height = height + 1;
    if (ok) return array;
    weir_value_unref(array);
    return NULL;
}

static bool is_mergeable(const weir_value *value) {
    if (!weir_is(value, WEIR_ARRAY)) return weir_is(value, WEIR_OBJECT);
    for (size_t i = 0; i < weir_value_count(value); i++)
        if (!weir_is(weir_array_at(value, i), WEIR_OBJECT)) return false;
    return true;
}

/* Adds the members that are not there; of several sources the first that has a member gives it. */
static void merge(weir_value *object, const weir_value *source) {
    bool many = weir_is(source, WEIR_ARRAY);
    for (size_t i = 0; i < weir_value_count(source); i++) {
        if (many)
            merge(object, weir_array_at(source, i));
        else if (!weir_member(object, weir_object_key(source, i)))
            weir_member_set(object, weir_object_key(source, i),
                            weir_value_ref(weir_object_at(source, i)));
    }
}

/* Takes the key out of the reader, so that its text outlives the next event. */
static bool take_key(composer *c, yaml_event_t *key, weir_error *error) {
    yaml_event_t *event = &c->reader.event;
    if (event->type != YAML_SCALAR_EVENT) {
        weir_fail(error, WEIR_UNSUPPORTED, "a key must be a scalar");
        weir_error_hint(error, "quote a text that begins with {{");
        weir__yaml_place(&c->reader, event->start_mark, error);
        return false;
    }
    if (event->data.scalar.anchor || event->data.scalar.tag) {
        weir_value *value = compose(c, error);
        if (!value) return false;
        weir_value_unref(value);
    }
    *key = *event;
    *event = (yaml_event_t){0};
    return true;
}

/* Whether the text is read on all the same. */
static bool say_twice(composer *c, weir_str name, yaml_mark_t mark, weir_error *error) {
    weir_error own;
    weir_fail(&own, WEIR_INVALID, "the key `%.*s` is there twice", WEIR_ARG(name));
    weir__yaml_place(&c->reader, mark, &own);
    if (c->repeated)
        weir_problems_add(c->repeated, &own);
    else if (error)
        *error = own;
    return c->repeated != NULL;
}

static bool compose_member(composer *c, weir_value *object, weir_value **source,
                           weir_error *error) {
    yaml_event_t key;
    if (!take_key(c, &key, error)) return false;
    weir_str name = weir__yaml_text(&key);
    bool merging = key.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !key.data.scalar.tag &&
                   weir_str_is(name, "<<");
    bool twice = merging ? *source != NULL : weir_member(object, name) != NULL;
    bool on = !twice || say_twice(c, name, key.start_mark, error);
    weir_value *value = on && weir__yaml_next(&c->reader, error) ? compose(c, error) : NULL;
    bool ok = value && (!merging || is_mergeable(value));
    if (value && !ok) {
        weir_fail(error, WEIR_INVALID, "only mappings can be merged");
        weir__yaml_place(&c->reader, key.start_mark, error);
    }
    if (!ok || twice)
        weir_value_unref(value);
    else if (merging)
        *source = value;
    else
        weir_member_set(object, name, value);
    yaml_event_delete(&key);
    return ok;
}

static weir_value *compose_mapping(composer *c, weir_error *error) {
    if (!check_tag(c, c->reader.event.data.mapping_start.tag, YAML_MAP_TAG, error)) return NULL;
    weir_value *object = weir_object_new(), *source = NULL;
    size_t height = 0;
    bool ok;
    while ((ok = weir__yaml_next(&c->reader, error)) &&
           c->reader.event.type != YAML_MAPPING_END_EVENT) {
        ok = compose_member(c, object, &source, error);
        if (!ok) break;
        if (c->height > height) height = c->height;
    }
    c->height = height + 1;
    if (ok && source) merge(object, source);
    weir_value_unref(source);
    if (ok) return object;
    weir_value_unref(object);
    return NULL;
}

static const char *anchor_name(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT: return (const char *)event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return (const char *)event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return (const char *)event->data.mapping_start.anchor;
    default: return NULL;
    }
}

static weir_value *compose(composer *c, weir_error *error) {
    size_t before = c->nodes++, at = c->anchors.count;
    if (!check_nodes(c, error)) return NULL;
    const char *name = anchor_name(&c->reader.event);
    if (name) {
        *weir_vector_push(&c->anchors) = (anchor){0};
        weir_map_set(&c->places, weir_str_from(weir_str_copy(&c->names, weir_str_from(name))), at);
    }
    weir_value *value = NULL;
    switch (c->reader.event.type) {
    case YAML_ALIAS_EVENT: value = compose_alias(c, error); break;
    case YAML_SEQUENCE_START_EVENT: value = compose_sequence(c, error); break;
    case YAML_MAPPING_START_EVENT: value = compose_mapping(c, error); break;
    default: value = compose_scalar(c, error); break;
    }
    if (name && value)
        c->anchors.items[at] = (anchor){weir_value_ref(value), c->nodes - before, c->height};
    return value;
}

void weir_values_deinit(weir_values *values) {
    for (size_t i = 0; i < values->count; i++) weir_value_unref(values->items[i]);
    weir_vector_deinit(values);
}

bool weir_yaml_parse(weir_str text, weir_str file, weir_yaml_booleans booleans, weir_values *out,
                     weir_error *error) {
    return weir_yaml_parse_on(text, file, booleans, out, NULL, error);
}

bool weir_yaml_parse_on(weir_str text, weir_str file, weir_yaml_booleans booleans, weir_values *out,
                        weir_problems *repeated, weir_error *error) {
    composer c = {.booleans = booleans, .repeated = repeated};
    if (!weir__yaml_reader_init(&c.reader, text, file, error)) return false;
    weir_values values = {0};
    bool ok = weir__yaml_next(&c.reader, error); /* the start of the stream */
    while (ok && (ok = weir__yaml_next(&c.reader, error)) &&
           c.reader.event.type != YAML_STREAM_END_EVENT) {
        weir_value *value = weir__yaml_next(&c.reader, error) ? compose(&c, error) : NULL;
        if (value) *weir_vector_push(&values) = value;
        ok = value && weir__yaml_next(&c.reader, error); /* the end of the document */
        forget_anchors(&c);
    }
    if (ok && values.count) {
        weir_vector_append(out, values.items, values.count);
        values.count = 0;
    }
    weir_values_deinit(&values);
    forget_anchors(&c);
    weir__yaml_reader_deinit(&c.reader);
    return ok;
}
