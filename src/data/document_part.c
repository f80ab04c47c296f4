/* Documents that are composed of several files: where a node of the whole came from. */
#include <stdlib.h>

#include "data/document.h"
#include "data/json.h"

void weir_document_compose(weir_document *document) {
    if (document->parts.count) return;
    weir_document_part *part = weir_alloc(sizeof *part);
    part->at = weir_str_dup(WEIR_STR(""));
    part->document = *document;
    *document = (weir_document){.file = weir_str_dup(weir_str_from(part->document.file))};
    *weir_vector_push(&document->roots) = weir_value_ref(part->document.roots.items[0]);
    *weir_vector_push(&document->parts) = part;
}

void weir_document_add_part(weir_document *document, const char *at, weir_document *part) {
    weir_document_compose(part);
    for (size_t i = 0; i < part->parts.count; i++) {
        weir_document_part *inner = part->parts.items[i];
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s%s%s", at, *at && *inner->at ? "/" : "", inner->at);
        weir_free(inner->at);
        inner->at = weir_str_dup(weir_buffer_str(&path));
        weir_buffer_deinit(&path);
        *weir_vector_push(&document->parts) = inner;
    }
    part->parts.count = 0;
    weir_document_deinit(part);
}

void weir_document_set_root(weir_document *document, weir_value *root) {
    weir_value_unref(document->roots.items[0]);
    document->roots.items[0] = root;
}

void weir_document_write(weir_document *document) {
    weir_buffer_clear(&document->text);
    weir_json_format(document->roots.items[0], 2, &document->text);
    weir_buffer_byte(&document->text, '\n');
    document->plain = false;
}

/* --- where a node came from ------------------------------------------------------------------ */

static const weir_value *child(const weir_value *value, weir_str key) {
    if (weir_is(value, WEIR_OBJECT)) return weir_member(value, key);
    if (!weir_is(value, WEIR_ARRAY)) return NULL;
    size_t at = strtoul(key.data, NULL, 10);
    return at < weir_value_count(value) ? weir_array_at(value, at) : NULL;
}

/* The way on in a part: by the same key, but lists are put behind each other, so an item is found by what it is. */
static const weir_value *step(const weir_value *whole, const weir_value *part, weir_buffer *key) {
    const weir_value *wanted = child(whole, weir_buffer_str(key));
    if (!weir_is(part, WEIR_ARRAY)) return wanted ? child(part, weir_buffer_str(key)) : NULL;
    for (size_t i = 0; wanted && i < weir_value_count(part); i++) {
        if (weir_array_at(part, i) != wanted) continue;
        weir_buffer_clear(key);
        weir_buffer_printf(key, "%zu", i);
        return wanted;
    }
    return NULL;
}

typedef struct way {
    size_t steps;
    weir_buffer inner;
    const weir_value *end; /* where it ends in the part */
} way;

/* How far the path leads in the part; false when the part is no place on it. */
static bool follow(const weir_document_part *part, const weir_value *whole, weir_str path,
                   way *out) {
    weir_buffer key = {0};
    weir_str at = weir_str_from(part->at);
    bool within = weir_str_starts(path, at) &&
                  (!at.length || path.length == at.length ||
                   weir_str_is(weir_str_slice(path, at.length, at.length + 1), "/"));
    for (weir_str rest = at; within && rest.length; out->steps++) {
        weir_path_take(&rest, &key);
        whole = child(whole, weir_buffer_str(&key));
    }
    path = weir_str_slice(path, at.length + (at.length > 0), path.length);
    out->end = part->document.roots.items[0];
    while (within && path.length) {
        weir_path_take(&path, &key);
        weir_buffer original = {0};
        weir_buffer_str_append(&original, weir_buffer_str(&key));
        const weir_value *next = step(whole, out->end, &key);
        whole = child(whole, weir_buffer_str(&original));
        weir_buffer_deinit(&original);
        if (!next) break;
        weir_path_append(&out->inner, weir_buffer_str(&key));
        out->end = next;
        out->steps++;
    }
    weir_buffer_deinit(&key);
    return within;
}

const weir_document *weir_document_part_of(const weir_document *document, const char *path,
                                           weir_buffer *inner) {
    way best = {0};
    const weir_document *found = document;
    for (size_t i = 0; i < document->parts.count; i++) {
        way next = {0};
        const weir_document_part *part = document->parts.items[i];
        bool within = follow(part, document->roots.items[0], weir_str_from(path), &next);
        /* What several parts have: an object is begun by the first of them, anything else is the last one's. */
        bool begun = weir_is(next.end, WEIR_OBJECT) && weir_is(best.end, WEIR_OBJECT);
        bool better =
            found == document || next.steps > best.steps || (next.steps == best.steps && !begun);
        if (!within || !better) {
            weir_buffer_deinit(&next.inner);
            continue;
        }
        weir_buffer_deinit(&best.inner);
        best = next;
        found = &part->document;
    }
    weir_buffer_str_append(inner,
                           found == document ? weir_str_from(path) : weir_buffer_str(&best.inner));
    weir_buffer_deinit(&best.inner);
    return found;
}
