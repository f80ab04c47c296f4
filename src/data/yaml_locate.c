/* The way from a path back to a place. */
#include <stdio.h>

#include "data/yaml_reader.h"

void weir_path_take(weir_str *path, weir_buffer *key) {
    size_t end = weir_str_find(*path, WEIR_STR("/"), 0);
    weir_str segment = weir_str_slice(*path, 0, end);
    *path = weir_str_slice(*path, end == SIZE_MAX ? end : end + 1, path->length);
    weir_buffer_clear(key);
    for (size_t i = 0; i < segment.length; i++) {
        bool escaped = segment.data[i] == '~' && i + 1 < segment.length;
        if (escaped) i++;
        weir_buffer_byte(key, !escaped ? segment.data[i] : segment.data[i] == '1' ? '/' : '~');
    }
}

/* Reads to the last event of the node at hand. */
static bool skip(weir__yaml_reader *reader) {
    yaml_event_type_t type = reader->event.type;
    if (type != YAML_SEQUENCE_START_EVENT && type != YAML_MAPPING_START_EVENT) return true;
    for (size_t outside = reader->depth - 1; reader->depth > outside;)
        if (!weir__yaml_next(reader, NULL)) return false;
    return true;
}

/* Goes from a mapping to the value of its member, or from a sequence to its item; *found says whether there is one.
 * False when the text ends or is no YAML. */
static bool descend(weir__yaml_reader *reader, weir_str key, yaml_mark_t *place, bool *found) {
    bool mapping = reader->event.type == YAML_MAPPING_START_EVENT;
    *found = false;
    if (!mapping && reader->event.type != YAML_SEQUENCE_START_EVENT) return true;
    size_t inside = reader->depth;
    char index[24];
    for (size_t i = 0;; i++) {
        if (!weir__yaml_next(reader, NULL)) return false;
        if (reader->depth < inside) return true;
        yaml_mark_t mark = reader->event.start_mark;
        if (mapping) {
            *found = reader->event.type == YAML_SCALAR_EVENT &&
                     weir_str_equal(weir__yaml_text(&reader->event), key);
            if (!skip(reader) || !weir__yaml_next(reader, NULL)) return false;
        } else {
            snprintf(index, sizeof index, "%zu", i);
            *found = weir_str_is(key, index);
        }
        if (*found) {
            *place = mark;
            return true;
        }
        if (!skip(reader)) return false;
    }
}

void weir_path_append(weir_buffer *path, weir_str key) {
    weir_buffer_reserve(path, key.length + 1); /* a text even when the key is empty */
    if (path->length) weir_buffer_byte(path, '/');
    for (size_t i = 0; i < key.length; i++) {
        bool escaped = key.data[i] == '/' || key.data[i] == '~';
        if (escaped) weir_buffer_byte(path, '~');
        weir_buffer_byte(path, !escaped ? key.data[i] : key.data[i] == '/' ? '1' : '0');
    }
}

bool weir_yaml_locate(weir_str text, size_t document, weir_str path, uint32_t *line,
                      uint32_t *column) {
    weir__yaml_reader reader = {0};
    if (!weir__yaml_reader_init(&reader, text, WEIR_STR(""), NULL)) return false;
    bool ok = weir__yaml_next(&reader, NULL), found = true;
    for (size_t starts = 0; ok && starts <= document;) {
        ok = weir__yaml_next(&reader, NULL) && reader.event.type != YAML_STREAM_END_EVENT;
        starts += reader.event.type == YAML_DOCUMENT_START_EVENT;
    }
    ok = ok && weir__yaml_next(&reader, NULL);
    yaml_mark_t place = reader.event.start_mark;
    weir_buffer key = {0};
    while (ok && found && path.length) {
        weir_path_take(&path, &key);
        ok = descend(&reader, weir_buffer_str(&key), &place, &found);
    }
    weir_buffer_deinit(&key);
    weir__yaml_reader_deinit(&reader);
    if (!ok) return false;
    *line = (uint32_t)place.line + 1;
    *column = (uint32_t)place.column + 1;
    return true;
}
