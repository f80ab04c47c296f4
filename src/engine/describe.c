/* What operations are, as values: for people, and kept with a run, so that one whose plugins are gone can still be read. */
#include <stdlib.h>

#include "data/json.h"
#include "engine/engine_internal.h"

static weir_value *ports_to_value(const weir_port *port) {
    weir_value *ports = weir_array_new(), *otherwise;
    for (; port && port->name; port++) {
        weir_value *value = weir_object_new();
        weir_member_put_text(value, "name", weir_str_from(port->name));
        weir_member_put_text(value, "primitive", weir_str_from(port->primitive));
        weir_member_put_text(value, "about", weir_str_from(port->about));
        if (port->definition)
            weir_member_put_text(value, "definition", weir_str_from(port->definition));
        if (port->otherwise &&
            weir_json_parse(weir_str_from(port->otherwise), WEIR_STR(""), &otherwise, NULL))
            weir_member_put(value, "default", otherwise);
        weir_array_append(ports, value);
    }
    return ports;
}

static const struct {
    uint32_t hint;
    const char *name;
} hints[] = {{WEIR_PURE, "pure"},
             {WEIR_CHEAP, "cheap"},
             {WEIR_COLLECTS, "collects"},
             {WEIR_ASYNC, "async"},
             {WEIR_GENERATOR, "generator"},
             {WEIR_ANCESTORS, "ancestors"},
             {WEIR_ANY_INPUTS, "any inputs"},
             {WEIR_REMEMBERED, "remembered"},
             {WEIR_ANY_OUTPUTS, "any outputs"},
             {WEIR_CONTEXTUAL, "contextual"}};
enum { HINTS = sizeof hints / sizeof *hints };

static weir_value *hints_to_value(uint32_t all) {
    weir_value *value = weir_array_new();
    for (size_t i = 0; i < HINTS; i++)
        if (all & hints[i].hint)
            weir_array_append(value, weir_string_from(weir_str_from(hints[i].name)));
    return value;
}

/* What the interface had not from the beginning; a plugin that was built before lacks it. */
static void put_later_members(weir_value *entry, const weir_operation *operation) {
    if (operation->size < offsetof(weir_operation, expand) + sizeof operation->expand) return;
    const weir_value *declared = weir_operation_declared(operation);
    if (declared)
        weir_member_put(entry, "declared", weir_value_ref((weir_value *)(uintptr_t)declared));
    if (operation->module) weir_member_put_text(entry, "module", weir_str_from(operation->module));
    if (operation->stage) weir_member_put_text(entry, "stage", weir_str_from(operation->stage));
    if (!operation->expand) return;
    weir_value *expand = weir_array_new();
    for (const char *const *name = operation->expand; *name; name++)
        weir_array_append(expand, weir_string_from(weir_str_from(*name)));
    weir_member_put(entry, "expand", expand);
}

weir_value *weir__operation_to_value(const weir_operation *operation) {
    weir_value *entry = weir_object_new();
    weir_member_put_text(entry, "name", weir_str_from(operation->name));
    weir_member_put_text(entry, "about", weir_str_from(operation->about));
    weir_member_put(entry, "inputs", ports_to_value(operation->inputs));
    weir_member_put(entry, "outputs", ports_to_value(operation->outputs));
    weir_member_put(entry, "config", ports_to_value(operation->config));
    weir_member_put(entry, "hints", hints_to_value(operation->hints));
    if (operation->example)
        weir_member_put_text(entry, "example", weir_str_from(operation->example));
    put_later_members(entry, operation);
    return entry;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const weir_operation *const *)a)->name,
                  (*(const weir_operation *const *)b)->name);
}

weir_value *weir_operations(weir_engine *engine) {
    weir_value *value = weir_array_new();
    if (engine->registry.operations.count == 0) return value;
    size_t bytes = engine->registry.operations.count * sizeof(const weir_operation *);
    const weir_operation **sorted = weir_alloc(bytes);
    memcpy(sorted, engine->registry.operations.items, bytes);
    qsort(sorted, engine->registry.operations.count, sizeof *sorted, by_name);
    for (size_t i = 0; i < engine->registry.operations.count; i++) {
        weir_array_append(value, weir__operation_to_value(sorted[i]));
    }
    weir_free(sorted);
    return value;
}

/* --- operations from values --------------------------------------------------------------------- */

static const char *copy_text(weir_arena *arena, const weir_value *object, const char *key) {
    weir_str text = weir_member_text(object, key);
    return text.length ? weir_str_copy(arena, text) : NULL;
}

static const weir_port *copy_ports(weir_arena *arena, const weir_value *list) {
    size_t count = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0, made = 0;
    weir_port *ports = weir_arena_alloc(arena, (count + 1) * sizeof *ports);
    for (size_t i = 0; i < count; i++) {
        const weir_value *port = weir_array_at(list, i), *otherwise;
        ports[made] = (weir_port){.name = copy_text(arena, port, "name"),
                                  .primitive = copy_text(arena, port, "primitive"),
                                  .about = copy_text(arena, port, "about"),
                                  .definition = copy_text(arena, port, "definition")};
        if (!ports[made].name) continue;
        if ((otherwise = weir_member_named(port, "default"))) {
            weir_buffer json = {0};
            weir_json_format(otherwise, 0, &json);
            ports[made].otherwise = weir_str_copy(arena, weir_buffer_str(&json));
            weir_buffer_deinit(&json);
        }
        made++;
    }
    return ports;
}

static uint32_t hints_of(const weir_value *list) {
    uint32_t all = 0;
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        for (size_t j = 0; j < HINTS; j++)
            if (weir_is(weir_array_at(list, i), WEIR_STRING) &&
                weir_str_is(weir_string_get(weir_array_at(list, i)), hints[j].name))
                all |= hints[j].hint;
    return all;
}

static const char *const *copy_texts(weir_arena *arena, const weir_value *list) {
    if (!weir_is(list, WEIR_ARRAY)) return NULL;
    const char **texts = weir_arena_alloc(arena, (weir_value_count(list) + 1) * sizeof *texts);
    size_t made = 0;
    for (size_t i = 0; i < weir_value_count(list); i++)
        if (weir_is(weir_array_at(list, i), WEIR_STRING))
            texts[made++] = weir_str_copy(arena, weir_string_get(weir_array_at(list, i)));
    return texts;
}

weir_operation weir__operation_from_value(weir_arena *arena, weir_str name,
                                          const weir_value *value) {
    return (weir_operation){.size = sizeof(weir_operation),
                            .name = weir_str_copy(arena, name),
                            .about = copy_text(arena, value, "about"),
                            .inputs = copy_ports(arena, weir_member_named(value, "inputs")),
                            .outputs = copy_ports(arena, weir_member_named(value, "outputs")),
                            .config = copy_ports(arena, weir_member_named(value, "config")),
                            .hints = hints_of(weir_member_named(value, "hints")),
                            .stage = copy_text(arena, value, "stage"),
                            .expand = copy_texts(arena, weir_member_named(value, "expand"))};
}

/* --- operations that stand in for those of a plugin ----------------------------------------- */

weir_value *weir__operations_of_plugins(const weir_engine *engine, weir_str text) {
    weir_value *value = weir_object_new();
    for (size_t i = engine->standard; i < engine->registry.operations.count; i++) {
        const weir_operation *operation = engine->registry.operations.items[i];
        weir_str name = weir_str_from(operation->name);
        if (weir_str_find(text, name, 0) != SIZE_MAX)
            weir_member_set(value, name, weir__operation_to_value(operation));
    }
    return value;
}

struct weir__stand_ins {
    weir_arena arena;
    weir_registry registry;
    weir_error why;
};

/* Nobody drives a run with stand-ins, so nobody calls them. */
static bool stand_in(const weir_host *host, weir_call *call) {
    return host->fail(call, "bad_plugin", "the operation's plugin is not there");
}

static const weir_operation *copy_operation(weir__stand_ins *s, weir_str name,
                                            const weir_value *value) {
    weir_operation *made = weir_arena_alloc(&s->arena, sizeof *made);
    *made = weir__operation_from_value(&s->arena, name, value);
    made->run = stand_in;
    return made;
}

weir__stand_ins *weir__stand_ins_new(const weir_engine *engine, const weir_value *operations,
                                     const weir_error *why) {
    weir__stand_ins *s = weir_alloc(sizeof *s);
    s->why = *why;
    for (size_t i = 0; i < engine->registry.operations.count; i++) {
        const weir_operation *known = engine->registry.operations.items[i];
        weir_map_set(&s->registry.by_name, weir_str_from(known->name), i);
        *weir_vector_push(&s->registry.operations) = known;
    }
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        weir_str name = weir_object_key(operations, i);
        if (!name.length || weir_registry_find(&s->registry, name)) continue;
        const weir_operation *made = copy_operation(s, name, weir_object_at(operations, i));
        weir_map_set(&s->registry.by_name, weir_str_from(made->name), s->registry.operations.count);
        *weir_vector_push(&s->registry.operations) = made;
    }
    return s;
}

const weir_registry *weir__stand_ins_registry(const weir__stand_ins *s) {
    return &s->registry;
}

const weir_error *weir__stand_ins_why(const weir__stand_ins *s) {
    return &s->why;
}

void weir__stand_ins_free(weir__stand_ins *s) {
    if (!s) return;
    weir_registry_deinit(&s->registry);
    weir_arena_deinit(&s->arena);
    weir_free(s);
}
