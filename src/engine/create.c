/* A dataflow made of operations, as `weir dataflow create` says them: texts in the order of DFFML's options, VALUE=WHAT. */
#include <strings.h>

#include "data/json.h"
#include "data/yaml.h"
#include "dataflow/file.h"
#include "engine/compose.h"
#include "engine/engine_internal.h"

typedef struct creation {
    const weir_registry *registry;
    weir_value *definitions, *operations, *seed, *configs, *flow;
    weir_error *error;
} creation;

/* --- texts ----------------------------------------------------------------------------------- */

/* "a=b=c" is "a=b" and "c"; false without '='. */
static bool split(weir_str text, char at, weir_str *front, weir_str *back) {
    for (size_t i = text.length; i > 0; i--) {
        if (text.data[i - 1] != at) continue;
        *front = weir_str_slice(text, 0, i - 1);
        *back = weir_str_slice(text, i, text.length);
        return true;
    }
    return false;
}

static bool is_one_of(weir_str text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text.length == strlen(words[i]) && strncasecmp(text.data, words[i], text.length) == 0)
            return true;
    return false;
}

/* The value that a text of the command line means, as DFFML reads it: null, a boolean, JSON, what is in brackets or quotes
 * (as YAML has them, so single quotes will do), a list when there is a comma ("a," too), else the text. New reference. */
static weir_value *read_value(weir_str text) {
    static const char *const nothing[] = {"null", "nil", "none"},
                             *const right[] = {"yes", "true", "on"},
                             *const wrong[] = {"no", "false", "off"};
    weir_value *value;
    if (is_one_of(text, nothing, 3)) return weir_null_new();
    if (is_one_of(text, right, 3)) return weir_bool_new(true);
    if (is_one_of(text, wrong, 3)) return weir_bool_new(false);
    if (weir_json_parse(text, WEIR_STR(""), &value, NULL)) return value;
    weir_values values = {0};
    if (text.length && strchr("[{'\"", text.data[0]) &&
        weir_yaml_parse(text, WEIR_STR(""), WEIR_YAML_CORE, &values, NULL)) {
        value = values.count == 1 ? weir_value_ref(values.items[0]) : NULL;
        weir_values_deinit(&values);
        if (value) return value;
    }
    if (weir_str_find(text, WEIR_STR(","), 0) == SIZE_MAX) return weir_string_from(text);
    value = weir_array_new();
    for (size_t from = 0, end; from <= text.length; from = end + 1) {
        end = weir_str_find(text, WEIR_STR(","), from);
        if (end == SIZE_MAX) end = text.length;
        if (end > from) weir_array_append(value, read_value(weir_str_slice(text, from, end)));
    }
    return value;
}

/* --- operations ------------------------------------------------------------------------------ */

/* What the operation declares for the definition of its port. */
static void declare(const weir_operation *operation, const weir_port *port, const char *group,
                    weir_value *definition) {
    static const char *const members[] = {"lock", "validate", "default"};
    const weir_value *declared = weir_operation_declared(operation);
    const weir_value *ports = declared ? weir_member_named(declared, group) : NULL;
    const weir_value *said = ports ? weir_member_named(ports, port->name) : NULL;
    for (size_t i = 0; said && i < sizeof members / sizeof *members; i++) {
        weir_value *value = weir_member_named(said, members[i]);
        if (value) weir_member_put(definition, members[i], weir_value_ref(value));
    }
}

/* The definition of a port; of those with one name the first counts. New reference: its name. */
static weir_value *define(creation *c, const weir_operation *operation, const weir_port *port,
                          const char *group) {
    weir_buffer made = {0};
    weir_buffer_printf(&made, "%s.%s.%s", operation->name, group, port->name);
    weir_str name = port->definition ? weir_str_from(port->definition) : weir_buffer_str(&made);
    weir_value *use = weir_string_from(name), *otherwise = NULL;
    weir_buffer_deinit(&made);
    name = weir_string_get(use);
    if (weir_member(c->definitions, name)) return use;
    weir_value *definition = weir_object_new();
    weir_member_put_text(definition, "name", name);
    weir_member_put_text(definition, "primitive",
                         weir_str_from(port->primitive ? port->primitive : "generic"));
    if (port->otherwise && *group == 'i') {
        if (!weir_json_parse(weir_str_from(port->otherwise), WEIR_STR(""), &otherwise, NULL))
            otherwise = weir_string_from(weir_str_from(port->otherwise));
        weir_member_put(definition, "default", otherwise);
    }
    declare(operation, port, *group == 'i' ? "inputs" : "outputs", definition);
    weir_member_set(c->definitions, name, definition);
    return use;
}

static weir_value *define_all(creation *c, const weir_operation *operation, const weir_port *port,
                              const char *group) {
    weir_value *ports = weir_object_new();
    for (; port && port->name; port++)
        weir_member_put(ports, port->name, define(c, operation, port, group));
    return ports;
}

/* A condition's definition is one that somebody has, or is to be given. */
static void define_conditions(creation *c, const weir_value *names) {
    for (size_t i = 0; weir_is(names, WEIR_ARRAY) && i < weir_value_count(names); i++) {
        weir_value *name = weir_array_at(names, i);
        if (weir_member(c->definitions, weir_string_get(name))) continue;
        weir_value *definition = weir_object_new();
        weir_member_put(definition, "name", weir_value_ref(name));
        weir_member_put_text(definition, "primitive", WEIR_STR("bool"));
        weir_member_set(c->definitions, weir_string_get(name), definition);
    }
}

/* Adds what the operation declares itself to its entry. */
static void declare_all(creation *c, const weir_operation *operation, weir_value *value) {
    const weir_value *declared = weir_operation_declared(operation);
    for (size_t i = 0; declared && i < weir_value_count(declared); i++) {
        weir_str member = weir_object_key(declared, i);
        weir_value *said = weir_object_at(declared, i);
        if (weir_str_is(member, "inputs") || weir_str_is(member, "outputs") ||
            weir_str_is(member, "config"))
            continue; /* stand elsewhere */
        if (weir_str_is(member, "conditions")) define_conditions(c, said);
        weir_member_set(value, member, weir_value_ref(said));
    }
}

static bool add_operation(creation *c, weir_str text) {
    weir_str instance = text, name = text;
    split(text, '=', &instance, &name);
    const weir_operation *operation = weir_registry_resolve(c->registry, name, c->error);
    if (!operation) return false;
    if (!instance.length || weir_member(c->operations, instance)) {
        weir_fail(c->error, WEIR_USAGE, "`%.*s` is there already, or has no name",
                  WEIR_ARG(instance));
        weir_error_hint(c->error, "write INSTANCE=%s", operation->name);
        return false;
    }
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "name", name);
    weir_member_put(value, "inputs", define_all(c, operation, operation->inputs, "inputs"));
    weir_member_put(value, "outputs", define_all(c, operation, operation->outputs, "outputs"));
    weir_member_put_text(value, "stage",
                         weir_str_from(operation->stage ? operation->stage : "processing"));
    weir_member_put(value, "retry", weir_int_new(0));
    const char *const *expand = operation->expand;
    weir_value *expanded = expand && *expand ? weir_array_new() : NULL;
    for (; expanded && *expand; expand++)
        weir_array_append(expanded, weir_string_from(weir_str_from(*expand)));
    if (expanded) weir_member_put(value, "expand", expanded);
    declare_all(c, operation, value);
    weir_member_set(c->operations, instance, value);
    return true;
}

/* --- inputs ---------------------------------------------------------------------------------- */

/* VALUE=DEFINITION, or VALUE=DEFINITION=ORIGIN: what the last part is, the definitions tell. */
static bool add_input(creation *c, weir_str text) {
    weir_str value, name, rest, origin = {0};
    if (!split(text, '=', &value, &name))
        return weir_fail(c->error, WEIR_USAGE,
                         "input `%.*s` is not of the form VALUE=DEFINITION or "
                         "VALUE=DEFINITION=ORIGIN",
                         WEIR_ARG(text));
    weir_str before;
    if (!weir_member(c->definitions, name) && split(value, '=', &rest, &before) &&
        weir_member(c->definitions, before)) {
        origin = name;
        name = before;
        value = rest;
    }
    if (!weir_member(c->definitions, name)) {
        weir_fail(c->error, WEIR_UNKNOWN_DEFINITION, "input `%.*s`: there is no definition `%.*s`",
                  WEIR_ARG(text), WEIR_ARG(name));
        weir_error_hint(c->error, "an input is of a definition that one of the operations has");
        return false;
    }
    weir_value *seed = weir_object_new();
    weir_member_put(seed, "value", read_value(value));
    weir_member_put_text(seed, "definition", name);
    weir_member_put_text(seed, "origin", origin.length ? origin : WEIR_STR("seed"));
    weir_array_append(c->seed, seed);
    return true;
}

/* --- flow ------------------------------------------------------------------------------------ */

static bool set_sources(creation *c, weir_str instance, const char *group, weir_str parameter,
                        weir_value *sources) {
    weir_value *entry = weir_member(c->flow, instance);
    entry = weir_value_own(weir_value_ref(entry));
    if (parameter.length) {
        weir_value *inputs = weir_value_own(weir_value_ref(weir_member_named(entry, group)));
        weir_member_set(inputs, parameter, sources);
        sources = inputs;
    }
    weir_member_put(entry, group, sources);
    weir_member_set(c->flow, instance, entry);
    return true;
}

/* SOURCES=INSTANCE.inputs.PARAMETER, or SOURCES=INSTANCE.conditions. */
static bool add_flow(creation *c, weir_str text) {
    weir_str value = {0}, target = {0}, front = {0}, parameter = {0}, instance = {0}, group = {0};
    bool ok = split(text, '=', &value, &target) && split(target, '.', &front, &parameter);
    bool conditions =
        ok && weir_str_is(parameter, "conditions") && weir_member(c->operations, front);
    if (conditions) {
        instance = front;
        parameter = WEIR_STR("");
    } else {
        ok = ok && split(front, '.', &instance, &group) && weir_str_is(group, "inputs");
    }
    const weir_value *operation = ok ? weir_member(c->operations, instance) : NULL;
    if (!operation ||
        (!conditions && !weir_member(weir_member_named(operation, "inputs"), parameter))) {
        weir_fail(c->error, WEIR_USAGE, "flow `%.*s`: `%.*s` names no input of an operation here",
                  WEIR_ARG(text), WEIR_ARG(target));
        weir_error_hint(c->error, "write SOURCES=INSTANCE.inputs.PARAMETER");
        return false;
    }
    weir_value *sources = read_value(value);
    if (weir_is(sources, WEIR_ARRAY))
        return set_sources(c, instance, conditions ? "conditions" : "inputs", parameter, sources);
    weir_value_unref(sources);
    weir_fail(c->error, WEIR_USAGE, "flow `%.*s`: the sources are no list", WEIR_ARG(text));
    weir_error_hint(c->error, "as in '[\"seed\"]' or '[{\"INSTANCE\": \"OUTPUT\"}]'");
    return false;
}

/* --- configurations -------------------------------------------------------------------------- */

/* The instance that the text begins with, the longest there is; `key` gets what stands behind its point. */
static weir_str find_instance(const creation *c, weir_str text, weir_str *key) {
    weir_str found = {0};
    for (size_t i = 0; i < weir_value_count(c->operations); i++) {
        weir_str name = weir_object_key(c->operations, i);
        if (name.length <= found.length || text.length < name.length + 2 ||
            !weir_str_starts(text, name) || text.data[name.length] != '.')
            continue;
        found = name;
        *key = weir_str_slice(text, name.length + 1, text.length);
    }
    return found;
}

/* The object with the value at the keys that have points between; takes object and value. */
static weir_value *set_path(weir_value *object, weir_str path, weir_value *value) {
    size_t point = weir_str_find(path, WEIR_STR("."), 0);
    weir_str key = weir_str_slice(path, 0, point);
    if (point != SIZE_MAX) {
        weir_value *inner = weir_member(object, key);
        inner =
            weir_is(inner, WEIR_OBJECT) ? weir_value_own(weir_value_ref(inner)) : weir_object_new();
        value = set_path(inner, weir_str_slice(path, point + 1, path.length), value);
    }
    weir_member_set(object, key, value);
    return object;
}

enum { KEYS_DEEP_MAX = 64 };

/* VALUE=INSTANCE.KEY; a key with points is one within another. */
static bool add_config(creation *c, weir_str text) {
    weir_str value = {0}, target = {0}, key = {0}, instance = {0};
    if (split(text, '=', &value, &target)) instance = find_instance(c, target, &key);
    size_t deep = 1;
    for (size_t i = 0; i < key.length; i++) deep += key.data[i] == '.';
    if (!instance.length || deep > KEYS_DEEP_MAX) {
        weir_fail(c->error, WEIR_USAGE, "config `%.*s`: `%.*s` names no key of an operation here",
                  WEIR_ARG(text), WEIR_ARG(target));
        weir_error_hint(c->error, "write VALUE=INSTANCE.KEY");
        return false;
    }
    weir_value *config = weir_member(c->configs, instance);
    config = config ? weir_value_own(weir_value_ref(config)) : weir_object_new();
    weir_member_set(c->configs, instance, set_path(config, key, read_value(value)));
    return true;
}

/* --- create ---------------------------------------------------------------------------------- */

static bool add_each(creation *c, const weir_value *what, const char *member,
                     bool (*add)(creation *c, weir_str text)) {
    const weir_value *list = weir_member_named(what, member);
    bool ok = !list || weir_is(list, WEIR_ARRAY);
    for (size_t i = 0; ok && list && i < weir_value_count(list); i++) {
        const weir_value *text = weir_array_at(list, i);
        ok = weir_is(text, WEIR_STRING);
        if (ok && !add(c, weir_string_get(text))) return false;
    }
    return ok || weir_fail(c->error, WEIR_USAGE, "`%s` is no list of texts", member);
}

/* The auto flow of the operations, which `flow` changes. */
static bool start_flow(creation *c) {
    weir_value *made = weir_object_new();
    weir_member_put(made, "operations", weir_value_ref(c->operations));
    c->flow = weir_dataflow_file_auto_flow(made);
    weir_value_unref(made);
    return c->flow || weir_fail(c->error, WEIR_LIMIT, "there are too many sources");
}

static weir_value *put_together(creation *c) {
    weir_value *flow = weir_object_new();
    weir_member_put(flow, "linked", weir_bool_new(true));
    weir_member_put(flow, "definitions", weir_value_ref(c->definitions));
    weir_member_put(flow, "operations", weir_value_ref(c->operations));
    if (weir_value_count(c->configs)) weir_member_put(flow, "configs", weir_value_ref(c->configs));
    weir_member_put(flow, "seed", weir_value_ref(c->seed));
    weir_member_put(flow, "flow", weir_value_ref(c->flow));
    return flow;
}

bool weir_dataflow_create(weir_engine *engine, const weir_value *what, weir_value **out,
                          weir_error *error) {
    creation c = {.registry = &engine->registry,
                  .definitions = weir_object_new(),
                  .operations = weir_object_new(),
                  .seed = weir_array_new(),
                  .configs = weir_object_new(),
                  .error = error};
    weir__python_at(engine, NULL, what);
    bool ok = add_each(&c, what, "operations", add_operation);
    weir__python_at(engine, NULL, NULL);
    if (ok && !weir_value_count(c.operations))
        ok = weir_fail(error, WEIR_USAGE, "which operations?");
    ok = ok && start_flow(&c) && add_each(&c, what, "inputs", add_input) &&
         add_each(&c, what, "flow", add_flow) && add_each(&c, what, "config", add_config);
    weir_value *flow = ok ? put_together(&c) : NULL;
    const weir_value *linked = weir_member_named(what, "linked");
    if (ok && weir_is(linked, WEIR_BOOL) && !weir_bool_get(linked)) {
        weir_value *nested = weir_dataflow_file_unlink(flow);
        weir_value_unref(flow);
        flow = nested;
    }
    ok = ok && weir__value_fits(flow, error);
    if (ok)
        *out = flow;
    else
        weir_value_unref(flow);
    weir_value *const parts[] = {c.definitions, c.operations, c.seed, c.configs, c.flow};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) weir_value_unref(parts[i]);
    return ok;
}
