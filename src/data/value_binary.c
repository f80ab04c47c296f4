/* The compact binary form of values, for the journal. */
#include <endian.h>
#include <stdlib.h>

#include "data/value.h"

/* A false and a true have tags of their own; the others are followed by their content. */
/* A value of the greatest depth stands within an outcome, within an event. */
enum { ENVELOPES = 16 };
enum { TAG_NULL, TAG_FALSE, TAG_TRUE, TAG_INT, TAG_FLOAT, TAG_STRING, TAG_ARRAY, TAG_OBJECT };

void weir_varint_encode(uint64_t number, weir_buffer *out) {
    for (; number >= 0x80; number >>= 7) weir_buffer_byte(out, (char)(number | 0x80));
    weir_buffer_byte(out, (char)number);
}

bool weir_varint_decode(weir_str bytes, size_t *offset, uint64_t *out) {
    uint64_t number = 0;
    size_t at = *offset;
    for (unsigned shift = 0; shift < 64 && at < bytes.length; shift += 7) {
        unsigned char byte = (unsigned char)bytes.data[at++];
        bool beyond = shift == 63 && byte > 1, padded = shift && !byte;
        if (beyond || padded) return false;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        *offset = at;
        *out = number;
        return true;
    }
    return false;
}

static uint64_t zigzag(int64_t number) {
    return ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t number) {
    return (int64_t)((number >> 1) ^ (number & 1 ? UINT64_MAX : 0));
}

static void encode_string(weir_str text, weir_buffer *out) {
    weir_varint_encode(text.length, out);
    weir_buffer_str_append(out, text);
}

typedef struct member {
    weir_str key;
    const weir_value *value;
} member;

static int by_key(const void *a, const void *b) {
    weir_str x = ((const member *)a)->key, y = ((const member *)b)->key;
    size_t length = x.length < y.length ? x.length : y.length;
    int order = length ? memcmp(x.data, y.data, length) : 0;
    return order ? order : (x.length > y.length) - (x.length < y.length);
}

static void encode(const weir_value *value, bool sorted, weir_buffer *out);

static void encode_sorted_members(const weir_value *value, size_t count, weir_buffer *out) {
    member *members = weir_alloc(count * sizeof *members);
    for (size_t i = 0; i < count; i++)
        members[i] = (member){weir_object_key(value, i), weir_object_at(value, i)};
    qsort(members, count, sizeof *members, by_key);
    for (size_t i = 0; i < count; i++) {
        encode_string(members[i].key, out);
        encode(members[i].value, true, out);
    }
    weir_free(members);
}

static void encode_members(const weir_value *value, bool sorted, weir_buffer *out) {
    size_t count = weir_value_count(value);
    bool object = weir_value_type(value) == WEIR_OBJECT;
    weir_buffer_byte(out, object ? TAG_OBJECT : TAG_ARRAY);
    weir_varint_encode(count, out);
    if (object && sorted && count > 1) {
        encode_sorted_members(value, count, out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (object) encode_string(weir_object_key(value, i), out);
        encode(object ? weir_object_at(value, i) : weir_array_at(value, i), sorted, out);
    }
}

static void encode(const weir_value *value, bool sorted, weir_buffer *out) {
    switch (weir_value_type(value)) {
    case WEIR_NULL: weir_buffer_byte(out, TAG_NULL); break;
    case WEIR_BOOL: weir_buffer_byte(out, weir_bool_get(value) ? TAG_TRUE : TAG_FALSE); break;
    case WEIR_INT:
        weir_buffer_byte(out, TAG_INT);
        weir_varint_encode(zigzag(weir_int_get(value)), out);
        break;
    case WEIR_FLOAT: {
        double number = weir_number_get(value);
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        bits = htole64(bits);
        weir_buffer_byte(out, TAG_FLOAT);
        weir_buffer_append(out, &bits, sizeof bits);
        break;
    }
    case WEIR_STRING:
        weir_buffer_byte(out, TAG_STRING);
        encode_string(weir_string_get(value), out);
        break;
    case WEIR_ARRAY:
    case WEIR_OBJECT: encode_members(value, sorted, out); break;
    }
}

void weir_value_encode(const weir_value *value, weir_buffer *out) {
    encode(value, false, out);
}

void weir_value_encode_sorted(const weir_value *value, weir_buffer *out) {
    encode(value, true, out);
}

static bool decode_string(weir_str bytes, size_t *offset, weir_str *out) {
    uint64_t length;
    if (!weir_varint_decode(bytes, offset, &length) || length > bytes.length - *offset)
        return false;
    *out = (weir_str){bytes.data + *offset, (size_t)length};
    *offset += (size_t)length;
    return true;
}

static weir_value *decode(weir_str bytes, size_t *offset, int depth);

static weir_value *decode_members(weir_str bytes, size_t *offset, int depth, bool object) {
    uint64_t count;
    if (!weir_varint_decode(bytes, offset, &count) || count > bytes.length - *offset) return NULL;
    weir_value *value = object ? weir_object_new() : weir_array_new();
    for (uint64_t i = 0; i < count; i++) {
        weir_str key = {0};
        weir_value *item = NULL;
        bool ok = !object || (decode_string(bytes, offset, &key) && !weir_member(value, key));
        if (ok) item = decode(bytes, offset, depth + 1);
        if (!item) {
            weir_value_unref(value);
            return NULL;
        }
        if (object)
            weir_member_set(value, key, item);
        else
            weir_array_append(value, item);
    }
    return value;
}

static weir_value *decode(weir_str bytes, size_t *offset, int depth) {
    if (depth > WEIR_DEPTH_MAX + ENVELOPES || *offset >= bytes.length) return NULL;
    uint64_t number;
    weir_str text;
    switch (bytes.data[(*offset)++]) {
    case TAG_NULL: return weir_null_new();
    case TAG_FALSE: return weir_bool_new(false);
    case TAG_TRUE: return weir_bool_new(true);
    case TAG_INT:
        return weir_varint_decode(bytes, offset, &number) ? weir_int_new(unzigzag(number)) : NULL;
    case TAG_FLOAT: {
        double decoded;
        if (bytes.length - *offset < sizeof number) return NULL;
        memcpy(&number, bytes.data + *offset, sizeof number);
        number = le64toh(number);
        memcpy(&decoded, &number, sizeof decoded);
        *offset += sizeof number;
        return weir_float_new(decoded);
    }
    case TAG_STRING: return decode_string(bytes, offset, &text) ? weir_string_from(text) : NULL;
    case TAG_ARRAY: return decode_members(bytes, offset, depth, false);
    case TAG_OBJECT: return decode_members(bytes, offset, depth, true);
    default: return NULL;
    }
}

bool weir_value_decode(weir_str bytes, size_t *offset, weir_value **out, weir_error *error) {
    size_t at = *offset;
    weir_value *value = decode(bytes, &at, 0);
    if (!value) return weir_fail(error, WEIR_STORE, "a value at byte %zu is damaged", *offset);
    *offset = at;
    *out = value;
    return true;
}
