#include <stdint.h>
#include <stdlib.h>

#include "base/map.h"
#include "expr/expr_internal.h"
#include "expr/gotime.h"
#include "expr/unicode.h"

enum { TABLE_FROM = 8, NESTED_MAX = 1000 };

x weir__x_from(const weir_value *value, uint8_t flags) {
    if (!value) return x_nil();
    switch (weir_value_type(value)) {
    case WEIR_NULL: return x_nil();
    case WEIR_BOOL: return x_bool(weir_bool_get(value));
    case WEIR_INT:
        return flags & X_FLOATS ? x_float((double)weir_int_get(value)) : x_int(weir_int_get(value));
    case WEIR_FLOAT: return x_float(weir_number_get(value));
    case WEIR_STRING: return x_str(weir_string_get(value));
    case WEIR_ARRAY:
        return (x){.kind = X_LIST,
                   .sub = (uint8_t)(X_FOREIGN | flags),
                   .length = (uint32_t)weir_value_count(value),
                   .foreign = value};
    case WEIR_OBJECT:
        return (x){.kind = X_MAP, .sub = (uint8_t)(X_FOREIGN | flags), .foreign = value};
    case WEIR_BYTES:
    case WEIR_FOREIGN: return x_nil(); /* nothing is computed with those */
    }
    return x_nil();
}

x weir__x_list(const x *items, size_t count, uint8_t sub) {
    return (x){.kind = X_LIST, .sub = sub, .length = (uint32_t)count, .items = items};
}

x *weir__x_list_new(x_machine *m, size_t count) {
    return weir__x_alloc(m, (count + !count) * sizeof(x));
}

size_t weir__x_count(const x *v) {
    if (v->kind == X_LIST) return v->length;
    return x_is_foreign(v) ? weir_value_count(v->foreign) : v->map->count;
}

x weir__x_at(const x *list, size_t index) {
    if (x_is_foreign(list))
        return weir__x_from(weir_array_at(list->foreign, index), list->sub & X_FLOATS);
    return list->items[index];
}

const x *weir__x_items(x_machine *m, const x *list) {
    if (!x_is_foreign(list)) return list->items;
    x *items = weir__x_list_new(m, list->length);
    for (size_t i = 0; i < list->length; i++) items[i] = weir__x_at(list, i);
    return items;
}

x_entry weir__x_entry(const x *map, size_t index) {
    if (!x_is_foreign(map)) return map->map->entries[index];
    return (x_entry){.key = x_str(weir_object_key(map->foreign, index)),
                     .value =
                         weir__x_from(weir_object_at(map->foreign, index), map->sub & X_FLOATS)};
}

static uint64_t hash_key(const x *key) {
    if (key->kind == X_STRING) return weir_hash_seeded(key->text, key->length);
    int64_t bits = key->kind == X_BOOL ? key->boolean : key->integer;
    if (key->kind == X_FLOAT && key->number == 0) bits = 0;
    if (key->kind == X_TIME) bits = key->time->seconds;
    if (key->kind == X_NIL) bits = 0;
    return weir_hash_seeded(&bits, sizeof bits) + key->kind;
}

static bool same_key(const x *a, const x *b) {
    return weir__x_same(NULL, a, b, 0);
}

static uint32_t find_entry(const x_map *map, const x *key) {
    if (!map->slots) {
        for (uint32_t i = 0; i < map->count; i++)
            if (same_key(&map->entries[i].key, key)) return i;
        return UINT32_MAX;
    }
    uint32_t mask = map->slot_count - 1;
    for (uint32_t at = (uint32_t)hash_key(key) & mask; map->slots[at]; at = (at + 1) & mask)
        if (same_key(&map->entries[map->slots[at] - 1].key, key)) return map->slots[at] - 1;
    return UINT32_MAX;
}

static void build_table(x_machine *m, x_map *map, uint32_t slots) {
    map->slot_count = slots;
    map->slots = weir__x_alloc(m, slots * sizeof *map->slots);
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t at = (uint32_t)hash_key(&map->entries[i].key) & (slots - 1);
        while (map->slots[at]) at = (at + 1) & (slots - 1);
        map->slots[at] = i + 1;
    }
}

bool weir__x_get(const x *map, const x *key, x *out) {
    if (x_is_foreign(map)) {
        const weir_value *found =
            key->kind == X_STRING ? weir_member(map->foreign, x_text(key)) : NULL;
        if (found) *out = weir__x_from(found, map->sub & X_FLOATS);
        return found != NULL;
    }
    uint32_t at = find_entry(map->map, key);
    if (at != UINT32_MAX) *out = map->map->entries[at].value;
    return at != UINT32_MAX;
}

x weir__x_map_new(x_machine *m, uint8_t sub) {
    return (x){.kind = X_MAP, .sub = sub, .map = weir__x_alloc(m, sizeof(x_map))};
}

void weir__x_put(x_machine *m, const x *where, x key, x value) {
    x_map *map = where->map;
    uint32_t at = find_entry(map, &key);
    if (at != UINT32_MAX) {
        map->entries[at].value = value;
        return;
    }
    if (map->count == map->capacity) {
        uint32_t capacity = map->capacity ? map->capacity * 2 : 4;
        x_entry *entries = weir__x_alloc(m, capacity * sizeof *entries);
        if (map->count) memcpy(entries, map->entries, map->count * sizeof *entries);
        map->entries = entries;
        map->capacity = capacity;
    }
    map->entries[map->count++] = (x_entry){key, value};
    if (map->count > TABLE_FROM && map->count * 2 > map->slot_count) {
        build_table(m, map, map->capacity * 4);
    } else if (map->slots) {
        uint32_t mask = map->slot_count - 1, slot = (uint32_t)hash_key(&key) & mask;
        while (map->slots[slot]) slot = (slot + 1) & mask;
        map->slots[slot] = map->count;
    }
}

bool weir__x_delete(x_machine *m, const x *where, const x *key) {
    x_map *map = where->map;
    uint32_t at = find_entry(map, key);
    if (at == UINT32_MAX) return false;
    memmove(map->entries + at, map->entries + at + 1, (map->count - at - 1) * sizeof *map->entries);
    map->count--;
    if (map->slots) build_table(m, map, map->slot_count);
    return true;
}

x weir__x_own(x_machine *m, const x *map) {
    if (!x_is_foreign(map)) return *map;
    x out = weir__x_map_new(m, X_OF_ANY);
    for (size_t i = 0; i < weir__x_count(map); i++) {
        x_entry e = weir__x_entry(map, i);
        weir__x_put(m, &out, e.key, e.value);
    }
    return out;
}

/* qsort_r's comparison: by text. */
static int by_key(const void *a, const void *b, void *arg) {
    const x *map = arg;
    x_entry one = weir__x_entry(map, *(const uint32_t *)a),
            two = weir__x_entry(map, *(const uint32_t *)b);
    if (one.key.kind != X_STRING || two.key.kind != X_STRING) {
        if (one.key.kind != two.key.kind && !(x_is_number(&one.key) && x_is_number(&two.key)))
            return one.key.kind - two.key.kind;
        double d = x_is_number(&one.key) ? x_number(&one.key) - x_number(&two.key) : 0;
        return d < 0 ? -1 : d > 0;
    }
    size_t shorter = one.key.length < two.key.length ? one.key.length : two.key.length;
    int order = memcmp(one.key.text, two.key.text, shorter);
    return order ? order : one.key.length < two.key.length ? -1 : one.key.length > two.key.length;
}

const uint32_t *weir__x_sorted(x_machine *m, const x *map) {
    size_t n = weir__x_count(map);
    uint32_t *places = weir__x_alloc(m, (n + 1) * sizeof *places);
    for (size_t i = 0; i < n; i++) places[i] = (uint32_t)i;
    x copy = *map;
    if (n > 1) qsort_r(places, n, sizeof *places, by_key, &copy);
    return places;
}

static bool same_lists(x_machine *m, const x *a, const x *b, int depth) {
    if (weir__x_count(a) != weir__x_count(b)) return false;
    for (size_t i = 0; i < a->length; i++) {
        x one = weir__x_at(a, i), two = weir__x_at(b, i);
        if (!weir__x_same(m, &one, &two, depth + 1)) return false;
    }
    return true;
}

static bool same_maps(x_machine *m, const x *a, const x *b, int depth) {
    if (weir__x_count(a) != weir__x_count(b)) return false;
    for (size_t i = 0; i < weir__x_count(a); i++) {
        x_entry e = weir__x_entry(a, i);
        x other;
        if (!weir__x_get(b, &e.key, &other) || !weir__x_same(m, &e.value, &other, depth + 1))
            return false;
    }
    return true;
}

bool weir__x_same(x_machine *m, const x *a, const x *b, int depth) {
    uint8_t inner = (uint8_t) ~(X_FOREIGN | X_FLOATS);
    if (x_is_nil(a) || x_is_nil(b)) return x_is_nil(a) && x_is_nil(b);
    if (a->kind != b->kind || (a->sub & inner) != (b->sub & inner)) return false;
    if (depth > NESTED_MAX) return m && weir__x_fail(m, WEIR_LIMIT, "values are nested too deep");
    switch ((x_kind)a->kind) {
    case X_SPRIG: return true;
    case X_BOOL: return a->boolean == b->boolean;
    case X_FLOAT: return a->number == b->number;
    case X_STRING: return weir_str_equal(x_text(a), x_text(b));
    case X_LIST: return (!m || weir__x_spend(m, a->length)) && same_lists(m, a, b, depth);
    case X_MAP: return (!m || weir__x_spend(m, weir__x_count(a))) && same_maps(m, a, b, depth);
    case X_TIME: return a->time->seconds == b->time->seconds && a->time->nanos == b->time->nanos;
    case X_SEMVER: return weir__semver_same(a->semver, b->semver);
    case X_FUNCTION: return a->function == b->function;
    default: return a->integer == b->integer;
    }
}

const char *weir__x_go_type(const x *v) {
    static const char *const texts[X_KINDS] = {"<nil>",
                                               "bool",
                                               "int",
                                               "float64",
                                               "string",
                                               "[]interface {}",
                                               "map[string]interface {}",
                                               "time.Duration",
                                               "time.Time",
                                               "*time.Location",
                                               "time.Weekday",
                                               "time.Month",
                                               "func",
                                               "func",
                                               "template.FuncMap",
                                               "*semver.Version",
                                               "interface {}"};
    static const char *const integers[] = {"int", "int64", "uint8", "int32"};
    if (v->kind == X_INT) return integers[v->sub & 3];
    if (v->kind == X_LIST && (v->sub & ~X_NO_LIST) == X_OF_STRING) return "[]string";
    if (v->kind == X_LIST && v->sub == X_OF_LISTS) return "[][]interface {}";
    if (v->kind == X_LIST && v->sub == X_OF_INT) return "[]int";
    if (v->kind == X_MAP && v->sub == X_OF_LISTS) return "map[interface {}][]interface {}";
    if (v->kind == X_MAP && v->sub == X_KEYS_ANY) return "map[interface {}]interface {}";
    if (v->kind == X_MAP && v->sub == X_OF_STRING) return "map[string]string";
    return texts[v->kind];
}

/* --- to values of weir */

static weir_value *convert(x_machine *m, const x *v, int depth);

static weir_value *convert_text(weir_str text) {
    size_t at = 0, n = 1;
    while (at < text.length && (n = weir_utf8_length(weir_str_slice(text, at, text.length))) > 0)
        at += n;
    if (at >= text.length) return weir_string_from(text);
    weir_buffer whole = {0};
    for (at = 0; at < text.length; at += n)
        weir__unicode_append(&whole,
                             weir__unicode_decode(weir_str_slice(text, at, text.length), &n));
    weir_value *out = weir_string_from(weir_buffer_str(&whole));
    weir_buffer_deinit(&whole);
    return out;
}

static weir_value *convert_float(double f) {
    if (f != f) return weir_string_from(WEIR_STR("NaN"));
    if (f - f != 0) return weir_string_from(f > 0 ? WEIR_STR("+Inf") : WEIR_STR("-Inf"));
    return weir_float_new(f);
}

static weir_value *convert_list(x_machine *m, const x *list, int depth) {
    weir_value *out = weir_array_new();
    for (size_t i = 0; i < list->length; i++) {
        x item = weir__x_at(list, i);
        weir_value *converted = convert(m, &item, depth);
        if (!converted) {
            weir_value_unref(out);
            return NULL;
        }
        weir_array_append(out, converted);
    }
    return out;
}

static weir_value *convert_map(x_machine *m, const x *map, int depth) {
    weir_value *out = weir_object_new();
    weir_buffer key = {0};
    const uint32_t *places = weir__x_sorted(m, map);
    for (size_t i = 0; i < weir__x_count(map) && out; i++) {
        x_entry e = weir__x_entry(map, places[i]);
        weir_buffer_clear(&key);
        weir__x_print(m, &e.key, &key);
        weir_value *converted = convert(m, &e.value, depth);
        if (converted) {
            weir_value *name = convert_text(weir_buffer_str(&key));
            weir_member_set(out, weir_string_get(name), converted);
            weir_value_unref(name);
        } else {
            weir_value_unref(out);
            out = NULL;
        }
    }
    weir_buffer_deinit(&key);
    return out;
}

static weir_value *convert(x_machine *m, const x *v, int depth) {
    if (depth > WEIR_DEPTH_MAX)
        return weir__x_fail(m, WEIR_LIMIT, "the value is nested too deep"), NULL;
    switch ((x_kind)v->kind) {
    case X_NIL: return weir_null_new();
    case X_BOOL: return weir_bool_new(v->boolean);
    case X_FLOAT: return convert_float(v->number);
    case X_STRING: return convert_text(x_text(v));
    case X_INT:
    case X_DURATION:
    case X_WEEKDAY:
    case X_MONTH: return weir_int_new(v->integer);
    case X_LIST:
        if (x_is_nil(v)) return weir_null_new();
        if (!weir__x_spend(m, v->length)) return NULL;
        return convert_list(m, v, depth + 1);
    case X_MAP:
        if (!weir__x_spend(m, weir__x_count(v))) return NULL;
        return convert_map(m, v, depth + 1);
    case X_TIME: {
        weir_buffer text = {0};
        weir__gotime_format(v->time, WEIR__GOTIME_RFC3339NANO, &text);
        weir_value *out = weir_string_from(weir_buffer_str(&text));
        weir_buffer_deinit(&text);
        return out;
    }
    case X_ZONE: return weir_string_from(weir__gotime_zone_name(v->zone));
    case X_SEMVER: {
        weir_buffer text = {0};
        weir__x_print(m, v, &text);
        weir_value *out = weir_string_from(weir_buffer_str(&text));
        weir_buffer_deinit(&text);
        return out;
    }
    default: weir__x_fail(m, WEIR_INVALID, "a function is no value: call it"); return NULL;
    }
}

weir_value *weir__x_to(x_machine *m, const x *v) {
    return convert(m, v, 0);
}
