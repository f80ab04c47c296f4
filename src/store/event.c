#include "store/event.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/time.h"

enum { HAS_DATA = 0x80 };
_Static_assert(WEIR_EVENT_TYPE_COUNT <= 64, "a bit each");

const char *weir_event_text(weir_event_type type) {
    static const char *const texts[] = {
#define X(name, text) [WEIR_##name] = (text),
        WEIR_EVENTS(X)
#undef X
    };
    weir_assert(type < WEIR_EVENT_TYPE_COUNT);
    return texts[type];
}

void weir_batch_begin(weir_buffer *batch) {
    weir_buffer_byte(batch, WEIR_BATCH_PLAIN);
}

void weir_batch_begin_summary(weir_buffer *batch) {
    weir_buffer_byte(batch, WEIR_BATCH_SUMMARY);
}

bool weir_batch_is_summary(weir_str bytes) {
    return bytes.length &&
           (bytes.data[0] == WEIR_BATCH_SUMMARY || bytes.data[0] == WEIR_BATCH_PARTED_SUMMARY);
}

void weir_batch_note_parts(weir_buffer *batch) {
    batch->data[0] = weir_batch_is_summary(weir_buffer_str(batch)) ? WEIR_BATCH_PARTED_SUMMARY
                                                                   : WEIR_BATCH_PARTED;
}

bool weir_batch_has_parts(weir_str bytes) {
    return bytes.length && bytes.data[0] >= WEIR_BATCH_PARTED;
}

static void encode_id(weir_event_id id, weir_buffer *batch) {
    weir_varint_encode(id.context, batch);
    weir_varint_encode(id.sequence, batch);
}

/* How many levels of its data are no values, but what holds them. */
static unsigned levels_of(weir_event_type type) {
    return type == WEIR_CONTEXTS_FINISHED ? 2 : 1;
}

void weir_event_encode(const weir_event *event, weir_buffer *batch) {
    weir_event_encode_parts(event, NULL, NULL, batch);
}

void weir_event_encode_parts(const weir_event *event, weir_parts *parts, weir_places *places,
                             weir_buffer *batch) {
    weir_buffer_byte(batch, (char)(event->type | (event->data ? HAS_DATA : 0)));
    encode_id(event->id, batch);
    weir_varint_encode(event->time_us, batch);
    weir_varint_encode(event->subject, batch);
    weir_varint_encode(event->number, batch);
    weir_varint_encode(event->prev_count, batch);
    for (size_t i = 0; i < event->prev_count; i++) encode_id(event->prev[i], batch);
    if (event->data &&
        weir_value_encode_parts(event->data, levels_of(event->type), parts, places, batch))
        weir_batch_note_parts(batch);
}

static bool damaged(weir_error *error) {
    return weir_fail(error, WEIR_STORE, "an event of the batch is damaged");
}

bool weir_batch_open(weir_batch_reader *reader, weir_str bytes, weir_error *error) {
    int version = bytes.length ? bytes.data[0] : 0;
    if (version < WEIR_BATCH_PLAIN || version > WEIR_BATCH_PARTED_SUMMARY)
        return weir_fail(error, WEIR_STORE, "a batch of version %d is not understood", version);
    *reader = (weir_batch_reader){.bytes = bytes, .offset = 1, .wanted = UINT64_MAX};
    return true;
}

static bool decode_number(weir_batch_reader *reader, uint64_t max, uint64_t *out) {
    return weir_varint_decode(reader->bytes, &reader->offset, out) && *out <= max;
}

static bool decode_id(weir_batch_reader *reader, weir_event_id *id) {
    uint64_t context;
    if (!decode_number(reader, UINT32_MAX, &context) ||
        !decode_number(reader, UINT64_MAX, &id->sequence))
        return false;
    id->context = (uint32_t)context;
    return true;
}

static void drop_event(weir_batch_reader *reader) {
    weir_value_unref(reader->event.data);
    reader->event = (weir_event){0};
    reader->prev.count = 0;
}

static bool decode_data(weir_batch_reader *reader, weir_error *error) {
    weir_event_type type = reader->event.type;
    bool parted = weir_batch_has_parts(reader->bytes);
    bool skip = parted && !(reader->wanted >> type & 1);
    if (weir_value_decode_parts(reader->bytes, &reader->offset, parted ? reader->parts : NULL, skip,
                                &reader->event.data, error))
        return true;
    weir_error_context(error, "event %s", weir_event_text(type));
    return false;
}

bool weir_batch_next(weir_batch_reader *reader, const weir_event **event, weir_error *error) {
    drop_event(reader);
    if (reader->offset == reader->bytes.length) {
        *event = NULL;
        return true;
    }
    unsigned char tag = (unsigned char)reader->bytes.data[reader->offset++];
    unsigned type = tag & ~(unsigned)HAS_DATA;
    uint64_t number, prev_count;
    if (type >= WEIR_EVENT_TYPE_COUNT || !decode_id(reader, &reader->event.id) ||
        !decode_number(reader, UINT64_MAX, &reader->event.time_us) ||
        !decode_number(reader, UINT64_MAX, &reader->event.subject) ||
        !decode_number(reader, UINT32_MAX, &number) ||
        !decode_number(reader, WEIR_EVENT_PREV_MAX, &prev_count))
        return damaged(error);
    reader->event.type = (weir_event_type)type;
    reader->event.number = (uint32_t)number;
    for (uint64_t i = 0; i < prev_count; i++)
        if (!decode_id(reader, weir_vector_push(&reader->prev))) return damaged(error);
    reader->event.prev = reader->prev.items;
    reader->event.prev_count = reader->prev.count;
    if ((tag & HAS_DATA) && !decode_data(reader, error)) return false;
    *event = &reader->event;
    return true;
}

void weir_batch_close(weir_batch_reader *reader) {
    drop_event(reader);
    weir_vector_deinit(&reader->prev);
}

static weir_value *id_to_value(weir_event_id id) {
    char text[40];
    int n = snprintf(text, sizeof text, "%" PRIu32 ":%" PRIu64, id.context, id.sequence);
    return weir_string_new(text, (size_t)n);
}

weir_value *weir_event_to_value(const weir_event *event) {
    char time[32];
    weir_value *value = weir_object_new();
    weir_member_put(value, "id", id_to_value(event->id));
    weir_member_put_text(value, "time", weir_str_from(weir_moment_format(event->time_us, time)));
    weir_member_put_text(value, "type", weir_str_from(weir_event_text(event->type)));
    weir_value *prev = weir_array_new();
    for (size_t i = 0; i < event->prev_count; i++)
        weir_array_append(prev, id_to_value(event->prev[i]));
    weir_member_put(value, "prev", prev);
    return value;
}
