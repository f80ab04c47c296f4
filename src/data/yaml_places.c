#include "data/yaml_places.h"

#include <stdio.h>

#include "base/map.h"
#include "data/yaml_reader.h"

struct weir_yaml_places {
    weir_arena arena;
    weir_map map; /* from "DOCUMENT:PATH" to line << 32 | column */
};

typedef struct walk {
    weir_yaml_places *places;
    weir__yaml_reader reader;
    weir_buffer path;
} walk;

static void note(walk *w, yaml_mark_t mark) {
    weir_str key = weir_buffer_str(&w->path);
    uint64_t place = (uint64_t)(mark.line + 1) << 32 | (uint32_t)(mark.column + 1);
    if (!weir_map_get(&w->places->map, key, NULL))
        weir_map_set(&w->places->map, (weir_str){weir_str_copy(&w->places->arena, key), key.length},
                     place);
}

static bool walk_node(walk *w);

/* From the first event of a mapping's key, or of a sequence's item, to the last of it. */
static bool walk_child(walk *w, bool mapping, size_t index) {
    size_t mark = w->path.length;
    yaml_mark_t place = w->reader.event.start_mark;
    weir_buffer key = {0};
    if (mapping && w->reader.event.type == YAML_SCALAR_EVENT)
        weir_buffer_str_append(&key, weir__yaml_text(&w->reader.event));
    else
        weir_buffer_printf(&key, "%zu", index);
    /* The first segment stands behind "DOCUMENT:", the others behind '/'. */
    weir_buffer segment = {0};
    weir_path_append(&segment, weir_buffer_str(&key));
    weir_buffer_printf(&w->path, "%s", w->path.data[mark - 1] == ':' ? "" : "/");
    weir_buffer_str_append(&w->path, weir_buffer_str(&segment));
    weir_buffer_deinit(&segment);
    weir_buffer_deinit(&key);
    note(w, place);
    bool ok = true;
    if (mapping) {
        /* A key that is no scalar was refused when the text was parsed. */
        ok = w->reader.event.type == YAML_SCALAR_EVENT || w->reader.event.type == YAML_ALIAS_EVENT;
        ok = ok && weir__yaml_next(&w->reader, NULL);
    }
    ok = ok && walk_node(w);
    w->path.length = mark;
    w->path.data[mark] = '\0';
    return ok;
}

/* Depth is limited by the reader. */
static bool walk_node(walk *w) {
    yaml_event_type_t type = w->reader.event.type;
    bool mapping = type == YAML_MAPPING_START_EVENT;
    if (!mapping && type != YAML_SEQUENCE_START_EVENT) return true;
    size_t outside = w->reader.depth - 1;
    for (size_t i = 0;; i++) {
        if (!weir__yaml_next(&w->reader, NULL)) return false;
        if (w->reader.depth == outside) return true;
        if (!walk_child(w, mapping, i)) return false;
    }
}

weir_yaml_places *weir_yaml_places_new(weir_str text) {
    weir_yaml_places *places = weir_alloc(sizeof *places);
    walk w = {.places = places};
    weir_arena_init(&places->arena);
    if (!weir__yaml_reader_init(&w.reader, text, WEIR_STR(""), NULL)) return places;
    size_t document = 0;
    bool ok = weir__yaml_next(&w.reader, NULL);
    while (ok && weir__yaml_next(&w.reader, NULL) && w.reader.event.type != YAML_STREAM_END_EVENT) {
        if (w.reader.event.type != YAML_DOCUMENT_START_EVENT) continue;
        ok = weir__yaml_next(&w.reader, NULL);
        weir_buffer_clear(&w.path);
        weir_buffer_printf(&w.path, "%zu:", document++);
        if (ok) note(&w, w.reader.event.start_mark);
        ok = ok && walk_node(&w);
    }
    weir_buffer_deinit(&w.path);
    weir__yaml_reader_deinit(&w.reader);
    return places;
}

void weir_yaml_places_free(weir_yaml_places *places) {
    if (!places) return;
    weir_map_deinit(&places->map);
    weir_arena_deinit(&places->arena);
    weir_free(places);
}

bool weir_yaml_places_find(const weir_yaml_places *places, size_t document, weir_str path,
                           uint32_t *line, uint32_t *column) {
    weir_buffer key = {0};
    uint64_t place;
    weir_buffer_printf(&key, "%zu:", document);
    size_t least = key.length;
    weir_buffer_str_append(&key, path);
    bool found;
    while (!(found = weir_map_get(&places->map, weir_buffer_str(&key), &place)) &&
           key.length > least)
        do {
            key.length--;
        } while (key.length > least && key.data[key.length] != '/');
    weir_buffer_deinit(&key);
    if (!found) return false;
    *line = (uint32_t)(place >> 32);
    *column = (uint32_t)place;
    return true;
}
