/* Output operations: what of a context's values becomes the result of a run.
 *
 * get_single and get_multi are DFFML's. Their results go out under the names that the spec gives:
 * with one output operation the run's result is {name: value}. */
#include <stdlib.h>
#include <string.h>

#include "parameter.h"

static bool has_text(const weir_host *host, const weir_value *array, weir_str text) {
    for (size_t i = 0; array && i < host->value_count(array); i++) {
        const weir_value *item = host->array_at(array, i);
        if (host->value_type(item) != WEIR_STRING) continue;
        weir_str other = host->string_get(item);
        if (other.length == text.length && memcmp(other.data, text.data, text.length) == 0)
            return true;
    }
    return false;
}

/* One result: the last or all values of a definition; all of them as often as the spec names it. */
static bool give(const weir_host *host, weir_call *call, const char *name, weir_str definition,
                 bool multi, size_t times) {
    weir_value *all = host->collected(call, definition.data);
    size_t count = all ? host->value_count(all) : 0;
    if (count == 0) {
        const weir_value *nostrict = host->config(call, "nostrict");
        if (nostrict && host->value_type(nostrict) == WEIR_ARRAY &&
            has_text(host, nostrict, definition))
            return true;
        return host->fail(call, "definition_not_in_context",
                          "no value of definition `%s` came in this context", definition.data);
    }
    if (!multi) {
        host->output(call, name, host->value_ref(host->array_at(all, count - 1)));
        return true;
    }
    weir_value *values = host->array_new();
    for (size_t i = 0; i < count * times; i++)
        host->array_append(values, host->value_ref(host->array_at(all, i % count)));
    host->output(call, name, values);
    return true;
}

/* What a spec asks for. */
typedef struct wanted {
    weir_value *times; /* {definition: how often it is named}, in the order of the spec */
    weir_value *names; /* {definition: its new names} */
} wanted;

/* Of two new names DFFML forgets the first; with `each_name` both count. */
static void rename_to(const weir_host *host, weir_call *call, wanted *w, weir_str definition,
                      weir_str name) {
    const weir_value *each = host->config(call, "each_name");
    bool all = each && host->value_type(each) == WEIR_BOOL && host->bool_get(each);
    const weir_value *before = host->object_get(w->names, definition.data, definition.length);
    if (all && has_text(host, before, name)) return;
    weir_value *names = host->array_new();
    for (size_t i = 0; all && before && i < host->value_count(before); i++)
        host->array_append(names, host->value_ref(host->array_at(before, i)));
    host->array_append(names, host->string_new(name.data, name.length));
    host->object_set(w->names, definition.data, definition.length, names);
}

static bool want(const weir_host *host, weir_call *call, wanted *w, const weir_value *definition,
                 weir_str name) {
    if (host->value_type(definition) != WEIR_STRING)
        return host->fail(call, "invalid",
                          "parameter `spec`: the definition of `%s` must be of type string, found "
                          "%s",
                          name.data, type_name(host, definition));
    weir_str text = host->string_get(definition);
    const weir_value *before = host->object_get(w->times, text.data, text.length);
    host->object_set(w->times, text.data, text.length,
                     host->int_new(before ? host->int_get(before) + 1 : 1));
    if (name.length) rename_to(host, call, w, text, name);
    return true;
}

static bool read_item(const weir_host *host, weir_call *call, size_t at, const weir_value *item,
                      wanted *w) {
    weir_type type = host->value_type(item);
    if (type == WEIR_STRING) return want(host, call, w, item, (weir_str){"", 0});
    if (type != WEIR_OBJECT || !host->value_count(item))
        return host->fail(call, "invalid",
                          "parameter `spec`: item %zu must be the name of a definition or {new "
                          "name: definition}, found %s",
                          at, type == WEIR_OBJECT ? "{}" : type_name(host, item));
    for (size_t i = 0; i < host->value_count(item); i++)
        if (!want(host, call, w, host->object_at(item, i), host->object_key(item, i))) return false;
    return true;
}

/* A definition that is renamed once is so wherever it is named, and those come after the others: as DFFML has it. */
static bool give_all(const weir_host *host, weir_call *call, const wanted *w, bool renamed,
                     bool multi) {
    for (size_t i = 0; i < host->value_count(w->times); i++) {
        weir_str definition = host->object_key(w->times, i);
        const weir_value *names = host->object_get(w->names, definition.data, definition.length);
        size_t count = names ? host->value_count(names) : 1;
        size_t times = count > 1 ? 1 : (size_t)host->int_get(host->object_at(w->times, i));
        for (size_t n = 0; (names != NULL) == renamed && n < count; n++)
            if (!give(host, call,
                      names ? host->string_get(host->array_at(names, n)).data : definition.data,
                      definition, multi, times))
                return false;
    }
    return true;
}

/* DFFML takes whatever it can go through: that is an object or a text of nothing, too. */
static bool is_nothing(const weir_host *host, const weir_value *spec) {
    if (!spec) return false;
    return host->value_type(spec) == WEIR_STRING
               ? !host->string_get(spec).length
               : host->value_type(spec) == WEIR_OBJECT && !host->value_count(spec);
}

static bool get(const weir_host *host, weir_call *call, bool multi) {
    if (is_nothing(host, host->parameter(call, "spec"))) return true;
    const weir_value *spec = parameter(host, call, "spec", WEIR_ARRAY);
    if (!spec) return false;
    size_t count = host->value_count(spec);
    const weir_value *first = count ? host->array_at(spec, 0) : NULL;
    if (count == 1 && host->value_type(first) == WEIR_STRING) { /* most are so, once a context */
        weir_str only = host->string_get(first);
        return give(host, call, only.data, only, multi, 1);
    }
    wanted w = {host->object_new(), host->object_new()};
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = read_item(host, call, i, host->array_at(spec, i), &w);
    ok = ok && give_all(host, call, &w, false, multi) && give_all(host, call, &w, true, multi);
    host->value_unref(w.times);
    host->value_unref(w.names);
    return ok;
}

static bool get_single(const weir_host *host, weir_call *call) {
    return get(host, call, false);
}

static bool get_multi(const weir_host *host, weir_call *call) {
    return get(host, call, true);
}

static bool add_counts(const weir_host *host, weir_call *call, const weir_value *map,
                       weir_value *sums) {
    if (host->value_type(map) != WEIR_OBJECT)
        return host->fail(call, "invalid", "a value to merge must be of type object, found %s",
                          type_name(host, map));
    for (size_t i = 0; i < host->value_count(map); i++) {
        weir_str key = host->object_key(map, i);
        const weir_value *count = host->object_at(map, i);
        if (host->value_type(count) != WEIR_INT)
            return host->fail(call, "invalid", "the count of `%s` must be of type int, found %s",
                              key.data, type_name(host, count));
        const weir_value *before = host->object_get(sums, key.data, key.length);
        int64_t sum;
        if (__builtin_add_overflow(host->int_get(count), before ? host->int_get(before) : 0, &sum))
            return host->fail(call, "limit_exceeded", "the count of `%s` is too large", key.data);
        host->object_set(sums, key.data, key.length, host->int_new(sum));
    }
    return true;
}

typedef struct tally {
    weir_str key;
    int64_t count;
} tally;

static int compare_tallies(const void *left, const void *right) {
    const tally *a = left, *b = right;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    size_t shorter = a->key.length < b->key.length ? a->key.length : b->key.length;
    int order = memcmp(a->key.data, b->key.data, shorter);
    return order ? order : (a->key.length > b->key.length) - (a->key.length < b->key.length);
}

static weir_value *largest(const weir_host *host, weir_call *call, const weir_value *sums,
                           size_t top) {
    size_t count = host->value_count(sums);
    tally *tallies = host->alloc(call, (count + 1) * sizeof *tallies);
    for (size_t i = 0; i < count; i++)
        tallies[i] = (tally){host->object_key(sums, i), host->int_get(host->object_at(sums, i))};
    qsort(tallies, count, sizeof *tallies, compare_tallies);
    weir_value *counts = host->object_new();
    for (size_t i = 0; i < count && i < top; i++)
        host->object_set(counts, tallies[i].key.data, tallies[i].key.length,
                         host->int_new(tallies[i].count));
    return counts;
}

static bool merge_counts(const weir_host *host, weir_call *call) {
    const weir_value *spec = parameter(host, call, "spec", WEIR_OBJECT);
    if (!spec) return false;
    const weir_value *definition = host->object_get(spec, "counts", 6);
    const weir_value *top = host->object_get(spec, "top", 3);
    if (!definition || host->value_type(definition) != WEIR_STRING)
        return host->fail(call, "invalid",
                          "parameter `spec`: `counts` must be of type string, found %s",
                          type_name(host, definition));
    if (top && (host->value_type(top) != WEIR_INT || host->int_get(top) < 0))
        return host->fail(
            call, "invalid", "parameter `spec`: `top` must be an int from 0, found %s",
            host->value_type(top) == WEIR_INT ? "a negative one" : type_name(host, top));
    const weir_value *maps = host->collected(call, host->string_get(definition).data);
    weir_value *sums = host->object_new();
    bool ok = true;
    for (size_t i = 0; ok && maps && i < host->value_count(maps); i++)
        ok = add_counts(host, call, host->array_at(maps, i), sums);
    if (ok)
        host->output(call, "counts",
                     largest(host, call, sums, top ? (size_t)host->int_get(top) : SIZE_MAX));
    host->value_unref(sums);
    return ok;
}

enum { HINTS = WEIR_PURE | WEIR_CHEAP | WEIR_COLLECTS };
static const weir_port no_ports[] = {{NULL, NULL, NULL}};
static const char spec_about[] = "A list of names of definitions, or of {new name: definition}.";
static const char output_about[] = "The results, each under the name that the spec gives it.";
static const weir_port get_config[] = {
    {"nostrict", "array", "Definitions that may have no value."},
    {"each_name", "bool", "Whether each new name of a definition counts, not the last alone."},
    {NULL, NULL, NULL},
};
static const weir_operation single_operation = {
    .size = sizeof(weir_operation),
    .name = "get_single",
    .about = "Gives the last value of each definition.",
    .inputs = PORTS({"spec", "array", spec_about, "get_single_spec"}),
    .outputs = PORTS({"output", "map", output_about, "get_single_output"}),
    .config = get_config,
    .hints = HINTS,
    .run = get_single,
    .stage = "output",
};
static const weir_operation multi_operation = {
    .size = sizeof(weir_operation),
    .name = "get_multi",
    .about = "Gives all values of each definition, in the order in which they came.",
    .inputs = PORTS({"spec", "array", spec_about, "get_multi_spec"}),
    .outputs = PORTS({"output", "map", output_about, "get_multi_output"}),
    .config = get_config,
    .hints = HINTS,
    .run = get_multi,
    .stage = "output",
};
static const weir_operation merge_operation = {
    .size = sizeof(weir_operation),
    .name = "merge_counts",
    .about = "Adds up all maps {word: count} of a definition.",
    .inputs =
        (const weir_port[]){
            {"spec", "map", "{counts: definition of the maps, top: how many words, else all}."},
            {NULL, NULL, NULL},
        },
    .outputs =
        (const weir_port[]){
            {"counts", "map", "The largest counts first, equal ones by word."},
            {NULL, NULL, NULL},
        },
    .config = no_ports,
    .hints = HINTS,
    .run = merge_counts,
    .stage = "output",
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "output",
    .version = "1",
    .operations = (const weir_operation *const[]){&single_operation, &multi_operation,
                                                  &merge_operation, NULL},
};

const weir_plugin *weir_output_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}
