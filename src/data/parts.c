#include "data/parts_internal.h"

/* So much may be held that nobody else has, or as much as others have. */
enum { UNUSED_BYTES = 16 * 1024 * 1024 };

weir_part *weir_part_ref(weir_part *part) {
    part->refs++;
    return part;
}

void weir_part_unref(weir_part *part) {
    if (--part->refs) return;
    weir_value_unref(part->value);
    weir_buffer_deinit(&part->bytes);
    weir_places_deinit(&part->inner);
    weir_free(part);
}

void weir_places_deinit(weir_places *places) {
    for (size_t i = 0; i < places->count; i++) weir_part_unref(places->items[i].part);
    weir_vector_deinit(places);
}

void weir_places_fill(const weir_places *places, weir_buffer *bytes) {
    for (size_t i = 0; i < places->count; i++) {
        weir_assert(places->items[i].part->named);
        memcpy(bytes->data + places->items[i].at, places->items[i].part->name.digest,
               WEIR_PART_DIGEST_BYTES);
    }
}

weir_str weir_part_content(weir_part *part) {
    if (part->name.form == WEIR__PART_TEXT) return weir_string_get(part->value);
    if (part->name.form == WEIR__PART_BYTES) return weir_bytes_get(part->value);
    weir_places_fill(&part->inner, &part->bytes);
    return weir_buffer_str(&part->bytes);
}

void weir_part_note_kept(weir_part *part) {
    part->kept = true;
    weir_buffer_deinit(&part->bytes);
    weir_places_deinit(&part->inner);
}

/* --- those that are remembered ---------------------------------------------------------------- */

static weir_str by_value(const weir_part *part) {
    return (weir_str){(const char *)&part->value, sizeof part->value};
}

static weir_str by_content(const weir_part *part) {
    return (weir_str){(const char *)&part->name, sizeof part->name};
}

weir_parts *weir_parts_new(size_t limit, weir_part_fetch *fetch, void *arg) {
    weir_parts *parts = weir_alloc(sizeof *parts);
    parts->limit = limit;
    parts->fetch = fetch;
    parts->arg = arg;
    return parts;
}

void weir_parts_free(weir_parts *parts) {
    if (!parts) return;
    for (size_t i = 0; i < parts->all.count; i++) weir_part_unref(parts->all.items[i]);
    weir_vector_deinit(&parts->all);
    weir_map_deinit(&parts->values);
    weir_map_deinit(&parts->contents);
    weir_free(parts);
}

void weir_parts_move(weir_parts *from, weir_parts *to) {
    if (!from || !to) return;
    weir_assert(!to->all.count);
    weir_parts before = *to;
    *to = *from;
    to->limit = before.limit;
    to->fetch = before.fetch;
    to->arg = before.arg;
    *from = (weir_parts){.limit = from->limit, .fetch = from->fetch, .arg = from->arg};
}

/* Removes the key if it leads to this part: another of the same content may have taken its place. */
static void forget(weir_map *map, weir_str key, const weir_part *part) {
    uint64_t found;
    if (weir_map_get(map, key, &found) && found == (uintptr_t)part) weir_map_remove(map, key);
}

/* Lets go of the parts that nobody else holds. */
static void sweep(weir_parts *parts) {
    size_t left = 0;
    parts->used = parts->added = 0;
    for (size_t i = 0; i < parts->all.count; i++) {
        weir_part *part = parts->all.items[i];
        if (part->refs > 1 || weir_value_is_shared(part->value)) {
            parts->used += part->size;
            parts->all.items[left++] = part;
            continue;
        }
        forget(&parts->values, by_value(part), part);
        forget(&parts->contents, by_content(part), part);
        weir_part_unref(part);
    }
    parts->all.count = left;
}

static weir_part *at(const weir_map *map, weir_str key) {
    uint64_t found;
    return map->count && weir_map_get(map, key, &found) ? (weir_part *)(uintptr_t)found : NULL;
}

weir_part *weir__parts_of_value(const weir_parts *parts, const weir_value *value) {
    return at(&parts->values, (weir_str){(const char *)&value, sizeof value});
}

weir_part *weir__parts_of_content(const weir_parts *parts, const weir_part_name *name) {
    return at(&parts->contents, (weir_str){(const char *)name, sizeof *name});
}

weir_part *weir__parts_add(weir_parts *parts, unsigned char form, const weir_value *value,
                           uint64_t size) {
    uint64_t most = parts->used > UNUSED_BYTES ? parts->used : UNUSED_BYTES;
    if (parts->added > most) sweep(parts);
    weir_part *part = weir_alloc(sizeof *part);
    *part = (weir_part){.refs = 1,
                        .name.form = form,
                        .size = size,
                        .value = weir_value_ref((weir_value *)(uintptr_t)value)};
    *weir_vector_push(&parts->all) = part;
    weir_map_set(&parts->values, by_value(part), (uintptr_t)part);
    parts->added += size;
    return part;
}

bool weir_parts_note(weir_parts *parts, weir_part *part) {
    const weir_part *same = at(&parts->contents, by_content(part));
    weir_assert(part->named);
    if (same && same->kept) return true;
    weir_map_set(&parts->contents, by_content(part), (uintptr_t)part);
    return false;
}
