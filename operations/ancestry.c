/* Output operations of DFFML that ask what a value was made from: group_by, associate, associate_definition.
 *
 * A definition that no value came of is code definition_not_in_context where DFFML says so, else an empty result. Where
 * a value becomes a key it must be no array and no object. */
#include <stdint.h>
#include <stdlib.h>

#include "number.h"
#include "operations.h"
#include "order.h"
#include "parameter.h"
#include "text.h"

/* The values of a definition that came; NULL when none did. */
static weir_value *find_values(const weir_host *host, const weir_call *call, weir_str definition) {
    weir_value *values = host->collected(call, definition.data);
    return values && host->value_count(values) ? values : NULL;
}

static bool is_key(const weir_host *host, const weir_value *value) {
    return host->value_type(value) < WEIR_ARRAY;
}

static bool fail_key(const weir_host *host, weir_call *call, weir_str definition,
                     const weir_value *value) {
    return host->fail(call, "invalid", "a value of definition `%.*s` is no key: found %s",
                      SHOWN(definition), type_name(host, value));
}

/* --- group_by ------------------------------------------------------------------------------- */

/* A value of the definition that is grouped by. */
typedef struct key {
    const weir_host *host;
    weir_value *value;
    size_t place; /* among those of its definition */
    size_t first; /* the place where an equal one first came */
    size_t group; /* in the order of the result */
} key;

/* Equal keys side by side, in the order in which they came. */
static int compare_values(const void *left, const void *right) {
    const key *a = left, *b = right;
    const weir_host *host = a->host;
    bool x = is_number(host, a->value), y = is_number(host, b->value);
    int order = 0;
    if (x != y) return x ? -1 : 1;
    if (!weir__compare(host, a->value, b->value, &order)) {
        weir_type s = host->value_type(a->value), t = host->value_type(b->value);
        order = s != t           ? (s > t) - (s < t)
                : s == WEIR_BOOL ? host->bool_get(a->value) - host->bool_get(b->value)
                                 : 0;
    }
    if (order) return order;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Numbers ascending, then the others as they first came. */
static int compare_groups(const void *left, const void *right) {
    const key *a = left, *b = right;
    bool x = is_number(a->host, a->value), y = is_number(b->host, b->value);
    if (x != y || x) return compare_values(left, right);
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* The number of each key's group, by the key's place; NULL after failing. */
static size_t *order_groups(const weir_host *host, weir_call *call, weir_str by,
                            const weir_value *values) {
    size_t count = host->value_count(values);
    key *keys = host->alloc(call, count * sizeof *keys);
    size_t *groups = host->alloc(call, count * sizeof *groups);
    for (size_t i = 0; i < count; i++) {
        weir_value *value = host->array_at(values, i);
        if (!is_key(host, value)) {
            fail_key(host, call, by, value);
            return NULL;
        }
        keys[i] = (key){.host = host, .value = value, .place = i};
    }
    qsort(keys, count, sizeof *keys, compare_values);
    for (size_t i = 0; i < count; i++) {
        bool same = i && weir__equal(host, keys[i].value, keys[i - 1].value);
        keys[i].first = same ? keys[i - 1].first : keys[i].place;
    }
    qsort(keys, count, sizeof *keys, compare_groups);
    for (size_t i = 0, group = 0; i < count; i++) {
        if (i && !weir__equal(host, keys[i].value, keys[i - 1].value)) group++;
        groups[keys[i].place] = group;
    }
    return groups;
}

/* A value that belongs to a group. */
typedef struct member {
    size_t group, place;
} member;

static int compare_members(const void *left, const void *right) {
    const member *a = left, *b = right;
    if (a->group != b->group) return a->group < b->group ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* The values of `definition` by the groups of what they were made from, each once in a group. */
static weir_value *group(const weir_host *host, weir_call *call, weir_str definition,
                         const weir_value *values, weir_str by, const size_t *groups) {
    const weir_value *ancestors = host->ancestors(call, definition.data, by.data);
    size_t count = ancestors ? host->value_count(ancestors) : 0, links = 0, at = 0;
    for (size_t i = 0; i < count; i++) links += host->value_count(host->array_at(ancestors, i));
    member *members = host->alloc(call, (links + 1) * sizeof *members);
    for (size_t i = 0; i < count; i++) {
        const weir_value *places = host->array_at(ancestors, i);
        for (size_t k = 0; k < host->value_count(places); k++)
            members[at++] = (member){groups[(size_t)host->int_get(host->array_at(places, k))], i};
    }
    qsort(members, links, sizeof *members, compare_members);
    weir_value *list = host->array_new();
    for (size_t i = 0; i < links; i++)
        if (!i || compare_members(&members[i], &members[i - 1]) != 0)
            host->array_append(list, host->value_ref(host->array_at(values, members[i].place)));
    return list;
}

static bool take_member(const weir_host *host, weir_call *call, weir_str output,
                        const weir_value *spec, weir_str name, weir_str *out) {
    const weir_value *value = host->object_get(spec, name.data, name.length);
    if (!value || host->value_type(value) != WEIR_STRING)
        return host->fail(call, "invalid",
                          "`spec`: `%s` of `%.*s` must be of type string, found %s", name.data,
                          SHOWN(output), type_name(host, value));
    *out = host->string_get(value);
    return true;
}

/* Whether the definition may have no value: `nostrict` is true, or names it. */
static bool is_optional(const weir_host *host, const weir_value *spec, weir_str definition) {
    const weir_value *names = host->object_get(spec, "nostrict", 8);
    if (!names || host->value_type(names) != WEIR_ARRAY) return names && host->value_truth(names);
    for (size_t i = 0; i < host->value_count(names); i++) {
        const weir_value *name = host->array_at(names, i);
        if (host->value_type(name) == WEIR_STRING &&
            weir__same_text(host->string_get(name), definition))
            return true;
    }
    return false;
}

/* The values of both definitions; `*missing` when one has none and may. False after failing. */
static bool find_both(const weir_host *host, weir_call *call, const weir_value *spec,
                      const weir_str names[2], weir_value *values[2], bool *missing) {
    for (int i = 0; i < 2; i++) {
        values[i] = find_values(host, call, names[i]);
        if (values[i]) continue;
        if (!is_optional(host, spec, names[i]))
            return host->fail(call, "definition_not_in_context",
                              "no value of definition `%.*s` came in this context",
                              SHOWN(names[i]));
        *missing = true;
    }
    return true;
}

static bool group_one(const weir_host *host, weir_call *call, weir_str output,
                      const weir_value *spec) {
    weir_str names[2] = {{NULL, 0}}; /* what is grouped, and by what */
    weir_value *values[2] = {NULL};
    bool missing = false;
    if (host->value_type(spec) != WEIR_OBJECT)
        return host->fail(call, "invalid", "`spec`: `%.*s` must be {group: …, by: …}, found %s",
                          SHOWN(output), type_name(host, spec));
    if (!take_member(host, call, output, spec, TEXT("group"), &names[0]) ||
        !take_member(host, call, output, spec, TEXT("by"), &names[1]) ||
        !find_both(host, call, spec, names, values, &missing))
        return false;
    if (missing) return true; /* as in DFFML, without the output */
    const size_t *groups = order_groups(host, call, names[1], values[1]);
    if (!groups) return false;
    host->output(call, output.data, group(host, call, names[0], values[0], names[1], groups));
    return true;
}

static bool group_by(const weir_host *host, weir_call *call) {
    const weir_value *spec = parameter(host, call, "spec", WEIR_OBJECT);
    for (size_t i = 0; spec && i < host->value_count(spec); i++)
        if (!group_one(host, call, host->object_key(spec, i), host->object_at(spec, i)))
            return false;
    return spec != NULL;
}

/* --- associate ------------------------------------------------------------------------------ */

/* {value of `keys` that it was made from: value}; of several the first that came. NULL after failing. */
static weir_value *associate_values(const weir_host *host, weir_call *call, weir_str definition,
                                    weir_str key_definition) {
    const weir_value *values = find_values(host, call, definition);
    const weir_value *keys = find_values(host, call, key_definition);
    weir_value *found = host->object_new();
    const weir_value *ancestors =
        values && keys ? host->ancestors(call, definition.data, key_definition.data) : NULL;
    for (size_t i = 0; ancestors && i < host->value_count(ancestors); i++) {
        const weir_value *places = host->array_at(ancestors, i);
        if (!host->value_count(places)) continue;
        const weir_value *value =
            host->array_at(keys, (size_t)host->int_get(host->array_at(places, 0)));
        if (!is_key(host, value)) {
            host->value_unref(found);
            fail_key(host, call, key_definition, value);
            return NULL;
        }
        weir__text name = {host, call};
        weir__text_value(&name, value);
        weir_str text = weir__text_str(&name);
        host->object_set(found, text.data, text.length, host->value_ref(host->array_at(values, i)));
    }
    return found;
}

static bool associate(const weir_host *host, weir_call *call) {
    const weir_value *spec = parameter(host, call, "spec", WEIR_ARRAY);
    if (!spec) return false;
    bool sound = host->value_count(spec) == 2;
    for (size_t i = 0; sound && i < 2; i++)
        sound = host->value_type(host->array_at(spec, i)) == WEIR_STRING;
    if (!sound)
        return host->fail(call, "invalid",
                          "parameter `spec` must be two names: the keys' definition, the values'");
    weir_str definition = host->string_get(host->array_at(spec, 1));
    weir_value *found =
        associate_values(host, call, definition, host->string_get(host->array_at(spec, 0)));
    if (found) host->output(call, definition.data, found);
    return found != NULL;
}

/* The last value that was made from any of the other definition; NULL when none was. */
static weir_value *last_made_from(const weir_host *host, weir_call *call, weir_str definition,
                                  weir_str from) {
    const weir_value *values = host->collected(call, definition.data);
    const weir_value *ancestors = host->ancestors(call, definition.data, from.data);
    for (size_t i = ancestors ? host->value_count(ancestors) : 0; i > 0; i--)
        if (host->value_count(host->array_at(ancestors, i - 1)))
            return host->array_at(values, i - 1);
    return NULL;
}

static bool associate_definition(const weir_host *host, weir_call *call) {
    const weir_value *spec = parameter(host, call, "spec", WEIR_OBJECT);
    if (!spec) return false;
    bool complete = true;
    for (size_t i = 0; i < host->value_count(spec); i++) {
        const weir_value *name = host->object_at(spec, i);
        weir_str from = host->object_key(spec, i);
        if (host->value_type(name) != WEIR_STRING)
            return host->fail(call, "invalid",
                              "parameter `spec`: the definition for `%.*s` must be of type "
                              "string, found %s",
                              SHOWN(from), type_name(host, name));
        complete = complete && find_values(host, call, from) &&
                   find_values(host, call, host->string_get(name));
    }
    for (size_t i = 0; i < host->value_count(spec); i++) {
        weir_str from = host->object_key(spec, i);
        weir_str definition = host->string_get(host->object_at(spec, i));
        weir_value *value = complete ? last_made_from(host, call, definition, from) : NULL;
        if (!complete)
            host->output(call, from.data, host->object_new());
        else if (value)
            host->output(call, from.data, host->value_ref(value));
    }
    return true;
}

/* --- what there is -------------------------------------------------------------------------- */

enum { HINTS = WEIR_PURE | WEIR_CHEAP | WEIR_COLLECTS | WEIR_ANCESTORS };

static const weir_operation *const operations[] = {
    OPERATION(
            .name = "group_by",
            .about =
                "Lists values by what they were made from: numbers ascending, others as they came.",
            .inputs = PORTS({"spec", "Dict[str, Any]",
                             "{name: {group: definition, by: definition, nostrict: may be none}}.",
                             "group_by_spec"}),
            .outputs =
                PORTS({"output", "Dict[str, List[Any]]", "{name: values}.", "group_by_output"}),
            .config = NO_PORTS, .hints = HINTS, .run = group_by, .stage = "output",
            .example =
                "operations:\n"
                "  group_by: {name: group_by, inputs: {spec: group_by_spec}, outputs: {output: "
                "group_by_output}, stage: output}\n"
                "seed:\n"
                "  - {value: {pages: {group: text, by: page}}, definition: group_by_spec}\n"),
    OPERATION(.name = "associate",
              .about = "Gives each value under the value of another definition it was made from.",
              .inputs =
                  PORTS({"spec", "List[str]", "The definition of the keys, and that of the values.",
                         "associate_spec"}),
              .outputs = PORTS({"output", "Dict[str, Any]", "{values' definition: {key: value}}.",
                                "associate_output"}),
              .config = NO_PORTS, .hints = HINTS, .run = associate, .stage = "output"),
    OPERATION(.name = "associate_definition",
              .about = "Gives the last value of a definition that was made from one of another.",
              .inputs = PORTS({"spec", "List[str]",
                               "{definition it was made from: definition of the value}.",
                               "associate_spec"}),
              .outputs = PORTS({"output", "Dict[str, Any]", "{definition it was made from: value}.",
                                "associate_output"}),
              .config = NO_PORTS, .hints = HINTS, .run = associate_definition, .stage = "output"),
    NULL};

PLUGIN(weir_ancestry_plugin, "ancestry", operations)
