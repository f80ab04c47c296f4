/* What is wrong with the form of a dataflow. */
#include <stdio.h>

#include "base/map.h"
#include "base/vector.h"
#include "data/yaml.h"
#include "dataflow/file.h"

typedef struct checker {
    const weir_value *flow;
    bool whole;
    weir_buffer *path; /* where the check is */
    void (*problem)(void *arg, const char *path, const weir_error *error);
    void *arg;
    weir_map known; /* from the name of a definition that is there to its place in `uses` */
    WEIR_VECTOR(const weir_value *) uses; /* where it stands whole, first */
} checker;

static void say(checker *c, weir_code code, const char *format, ...) WEIR_PRINTF(3, 4);

static void say(checker *c, weir_code code, const char *format, ...) {
    weir_error error;
    va_list arguments;
    va_start(arguments, format);
    weir_fail_with(&error, code, format, arguments);
    va_end(arguments);
    c->problem(c->arg, weir_buffer_str(c->path).data, &error);
}

/* Goes on to a member; returns what `leave` takes to go back. */
static size_t enter(checker *c, weir_str key) {
    size_t length = c->path->length;
    weir_path_append(c->path, key);
    return length;
}

static size_t enter_item(checker *c, size_t index) {
    char key[24];
    snprintf(key, sizeof key, "%zu", index);
    return enter(c, weir_str_from(key));
}

static void leave(checker *c, size_t length) {
    c->path->length = length;
    if (c->path->data) c->path->data[length] = '\0';
}

/* What is visited of an object or a list. */
typedef void visit_value(checker *c, weir_str key, const weir_value *value);

/* Visits the members of `value`, which is to be of this type. */
static void each(checker *c, const char *what, weir_type type, const weir_value *value,
                 visit_value *visit) {
    if (!weir_is(value, type)) {
        say(c, WEIR_INVALID, "`%s` is no %s", what, type == WEIR_ARRAY ? "list" : "object");
        return;
    }
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str key = type == WEIR_ARRAY ? WEIR_STR("") : weir_object_key(value, i);
        size_t back = type == WEIR_ARRAY ? enter_item(c, i) : enter(c, key);
        visit(c, key, type == WEIR_ARRAY ? weir_array_at(value, i) : weir_object_at(value, i));
        leave(c, back);
    }
}

/* For a run null is none there. */
static bool may_be_null(const char *name) {
    static const char *const names[] = {"conditions", "expand", "configs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static void each_member(checker *c, const weir_value *object, const char *name, weir_type type,
                        visit_value *visit) {
    const weir_value *value = weir_member_named(object, name);
    if (!value || (weir_is(value, WEIR_NULL) && may_be_null(name))) return;
    size_t back = enter(c, weir_str_from(name));
    each(c, name, type, value, visit);
    leave(c, back);
}

/* The second time: what is wrong with the member itself was said. */
static void again(checker *c, const weir_value *object, const char *name, weir_type type,
                  visit_value *visit) {
    if (weir_is(weir_member_named(object, name), type)) each_member(c, object, name, type, visit);
}

/* --- definitions ----------------------------------------------------------------------------- */

/* Two definitions are one when all but the name, which may be the key only, is equal. */
static bool is_same(const weir_value *a, const weir_value *b) {
    if (a == b) return true;
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < weir_value_count(a); i++) {
            weir_str key = weir_object_key(a, i);
            const weir_value *other = weir_member(b, key);
            if (!weir_str_is(key, "name") &&
                (!other || !weir_value_equal(other, weir_object_at(a, i))))
                return false;
        }
        const weir_value *swap = a;
        a = b;
        b = swap;
    }
    return true;
}

static void add_definition(checker *c, weir_str name, const weir_value *definition) {
    uint64_t at;
    if (!weir_map_get(&c->known, name, &at)) {
        weir_map_set(&c->known, name, c->uses.count);
        *weir_vector_push(&c->uses) = definition;
        return;
    }
    weir_assert(at < c->uses.count);
    if (!is_same(definition, c->uses.items[at]))
        say(c, WEIR_INVALID, "the definition `%.*s` is there already, and is another",
            WEIR_ARG(name));
}

static void check_definition(checker *c, weir_str name, const weir_value *definition) {
    if (weir_is(definition, WEIR_OBJECT))
        add_definition(c, name, definition);
    else
        say(c, WEIR_INVALID, "the definition `%.*s` is no object", WEIR_ARG(name));
}

/* A whole definition where it is used. */
static void note_use(checker *c, weir_str key, const weir_value *use) {
    weir_str name = weir__dataflow_definition_name(use);
    if (!name.length)
        say(c, WEIR_INVALID, "`%.*s` names no definition", WEIR_ARG(key));
    else if (weir_is(use, WEIR_OBJECT))
        add_definition(c, name, use);
}

/* By name: it has to be there, but whole ones may come later. */
static void check_use(checker *c, weir_str key, const weir_value *use) {
    (void)key;
    if (weir_is(use, WEIR_STRING) && !weir_map_get(&c->known, weir_string_get(use), NULL))
        say(c, WEIR_UNKNOWN_DEFINITION, "there is no definition `%.*s`",
            WEIR_ARG(weir_string_get(use)));
}

/* --- operations, seeds, book ------------------------------------------------------------------ */

static void check_operation(checker *c, weir_str instance, const weir_value *operation) {
    if (!weir_is(operation, WEIR_OBJECT)) {
        say(c, WEIR_INVALID, "the operation `%.*s` is no object", WEIR_ARG(instance));
        return;
    }
    each_member(c, operation, "inputs", WEIR_OBJECT, note_use);
    each_member(c, operation, "outputs", WEIR_OBJECT, note_use);
    each_member(c, operation, "conditions", WEIR_ARRAY, note_use);
}

static void check_names(checker *c, weir_str instance, const weir_value *operation) {
    (void)instance;
    static const char *const groups[] = {"inputs", "outputs", "conditions"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        again(c, operation, groups[i], i == 2 ? WEIR_ARRAY : WEIR_OBJECT, check_use);
}

static void visit_definition(checker *c, const weir_value *seed, visit_value *visit) {
    size_t back = enter(c, WEIR_STR("definition"));
    visit(c, WEIR_STR("definition"), weir_member_named(seed, "definition"));
    leave(c, back);
}

static void check_seed(checker *c, weir_str key, const weir_value *seed) {
    (void)key;
    if (weir_member_named(seed, "value") && weir_member_named(seed, "definition"))
        visit_definition(c, seed, note_use);
    else
        say(c, WEIR_INVALID, "an input needs `value` and `definition`");
}

static void check_seed_name(checker *c, weir_str key, const weir_value *seed) {
    (void)key;
    visit_definition(c, seed, check_use);
}

static void check_instance(checker *c, weir_str instance) {
    const weir_value *operations = weir_member_named(c->flow, "operations");
    if (c->whole && weir_is(operations, WEIR_OBJECT) && !weir_member(operations, instance))
        say(c, WEIR_UNKNOWN_OPERATION, "there is no operation `%.*s`", WEIR_ARG(instance));
}

static void check_book(checker *c, weir_str instance, const weir_value *uses) {
    check_instance(c, instance);
    each(c, "book", WEIR_ARRAY, uses, note_use);
}

static void check_book_names(checker *c, weir_str instance, const weir_value *uses) {
    (void)instance;
    if (weir_is(uses, WEIR_ARRAY)) each(c, "book", WEIR_ARRAY, uses, check_use);
}

/* --- flow and configurations ------------------------------------------------------------------ */

static void check_source(checker *c, weir_str key, const weir_value *source) {
    (void)key;
    if (!weir_is(source, WEIR_STRING) && !weir_is(source, WEIR_OBJECT) &&
        !weir_is(source, WEIR_ARRAY))
        say(c, WEIR_INVALID, "a source is a text, an object of one member, or a list of them");
}

static void check_sources(checker *c, weir_str parameter, const weir_value *sources) {
    if (!weir_is(sources, WEIR_ARRAY))
        say(c, WEIR_INVALID, "the sources of `%.*s` are no list", WEIR_ARG(parameter));
    else
        each(c, "sources", WEIR_ARRAY, sources, check_source);
}

static void check_entry(checker *c, weir_str instance, const weir_value *entry) {
    check_instance(c, instance);
    if (!weir_is(entry, WEIR_OBJECT)) {
        say(c, WEIR_INVALID, "the flow of `%.*s` is no object", WEIR_ARG(instance));
        return;
    }
    each_member(c, entry, "inputs", WEIR_OBJECT, check_sources);
    each_member(c, entry, "conditions", WEIR_ARRAY, check_source);
}

static void check_flow(checker *c);

static void check_config(checker *c, weir_str instance, const weir_value *config) {
    if (!weir_is(config, WEIR_OBJECT)) {
        say(c, WEIR_INVALID, "the configuration of `%.*s` is no object", WEIR_ARG(instance));
        return;
    }
    const weir_value *inner = weir_member_named(config, "dataflow");
    if (!weir_is(inner, WEIR_OBJECT)) return;
    size_t back = enter(c, WEIR_STR("dataflow"));
    checker within = {
        .flow = inner, .whole = c->whole, .path = c->path, .problem = c->problem, .arg = c->arg};
    check_flow(&within);
    leave(c, back);
}

/* --- a dataflow ------------------------------------------------------------------------------- */

static void check_flow(checker *c) {
    if (!weir_is(c->flow, WEIR_OBJECT)) {
        say(c, WEIR_INVALID, "a dataflow is an object");
        return;
    }
    const weir_value *forward = weir_member_named(c->flow, "forward");
    if (c->whole && !weir_member_named(c->flow, "operations"))
        say(c, WEIR_INVALID, "a dataflow needs `operations`");
    each_member(c, c->flow, "definitions", WEIR_OBJECT, check_definition);
    each_member(c, c->flow, "operations", WEIR_OBJECT, check_operation);
    each_member(c, c->flow, "seed", WEIR_ARRAY, check_seed);
    size_t back = enter(c, WEIR_STR("forward"));
    if (forward && !weir_is(forward, WEIR_OBJECT)) say(c, WEIR_INVALID, "`forward` is no object");
    each_member(c, forward, "book", WEIR_OBJECT, check_book);
    leave(c, back);
    if (c->whole) {
        again(c, c->flow, "operations", WEIR_OBJECT, check_names);
        again(c, c->flow, "seed", WEIR_ARRAY, check_seed_name);
        back = enter(c, WEIR_STR("forward"));
        again(c, forward, "book", WEIR_OBJECT, check_book_names);
        leave(c, back);
    }
    each_member(c, c->flow, "flow", WEIR_OBJECT, check_entry);
    each_member(c, c->flow, "configs", WEIR_OBJECT, check_config);
    weir_map_deinit(&c->known);
    weir_vector_deinit(&c->uses);
}

void weir_dataflow_file_check(const weir_value *flow, bool whole,
                              void (*problem)(void *arg, const char *path, const weir_error *error),
                              void *arg) {
    weir_buffer path = {0};
    checker c = {.flow = flow, .whole = whole, .path = &path, .problem = problem, .arg = arg};
    check_flow(&c);
    weir_buffer_deinit(&path);
}
