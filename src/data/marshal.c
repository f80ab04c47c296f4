#include "data/marshal.h"

#include <endian.h>

enum { DIGIT_BITS = 15, DIGITS_MAX = 5 }; /* of an int; five have 75 bits */

/* --- out -------------------------------------------------------------------------------------- */

static void put_size(size_t size, weir_buffer *out) {
    weir_assert(size <= INT32_MAX);
    uint32_t number = htole32((uint32_t)size);
    weir_buffer_append(out, &number, sizeof number);
}

static void put_head(char tag, size_t size, weir_buffer *out) {
    char bytes[5] = {tag};
    weir_assert(size <= INT32_MAX);
    uint32_t number = htole32((uint32_t)size);
    memcpy(bytes + 1, &number, sizeof number);
    weir_buffer_append(out, bytes, sizeof bytes);
}

static void put_digits(int64_t number, weir_buffer *out) {
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    uint16_t digits[DIGITS_MAX];
    int32_t count = 0;
    for (; rest; rest >>= DIGIT_BITS)
        digits[count++] = htole16((uint16_t)(rest & ((1 << DIGIT_BITS) - 1)));
    uint32_t said = htole32((uint32_t)(number < 0 ? -count : count));
    weir_buffer_byte(out, 'l');
    weir_buffer_append(out, &said, sizeof said);
    weir_buffer_append(out, digits, (size_t)count * sizeof *digits);
}

void weir_marshal_int(int64_t number, weir_buffer *out) {
    if (number >= INT32_MIN && number <= INT32_MAX) {
        char bytes[5] = {'i'};
        uint32_t low = htole32((uint32_t)number);
        memcpy(bytes + 1, &low, sizeof low);
        weir_buffer_append(out, bytes, sizeof bytes);
    } else {
        put_digits(number, out);
    }
}

static void put_float(double number, weir_buffer *out) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits = htole64(bits);
    weir_buffer_byte(out, 'g');
    weir_buffer_append(out, &bits, sizeof bits);
}

void weir_marshal_text(weir_str text, weir_buffer *out) {
    weir_buffer_byte(out, 'u');
    put_size(text.length, out);
    weir_buffer_str_append(out, text);
}

void weir_marshal_none(weir_buffer *out) {
    weir_buffer_byte(out, 'N');
}

void weir_marshal_tuple(size_t count, weir_buffer *out) {
    put_head('(', count, out);
}

void weir_marshal_list(size_t count, weir_buffer *out) {
    put_head('[', count, out);
}

/* --- bytes and objects */

enum { BYTES, OBJECT }; /* behind the Ellipsis */

static void put_bytes(weir_str bytes, weir_buffer *out) {
    weir_buffer_byte(out, 's');
    put_size(bytes.length, out);
    weir_buffer_str_append(out, bytes);
}

static size_t enclose(weir_segment *segment, weir_enclosed *enclosed) {
    for (size_t i = 0; i < enclosed->segments.count; i++)
        if (enclosed->segments.items[i] == segment) return i;
    *weir_vector_push(&enclosed->segments) = weir_segment_ref(segment);
    return enclosed->segments.count - 1;
}

static bool is_small(const weir_value *bytes) {
    return weir_bytes_length(bytes) <= WEIR_BYTES_SHARED;
}

/* Without memory to share they go in the message. */
static void put_piece(const weir_value *bytes, weir_enclosed *enclosed, weir_buffer *out) {
    weir_segment *segment;
    size_t offset;
    if (!enclosed || is_small(bytes) || !weir_bytes_segment(bytes, &segment, &offset, NULL)) {
        put_bytes(weir_bytes_get(bytes), out);
        return;
    }
    weir_marshal_tuple(3, out);
    weir_marshal_int((int64_t)enclose(segment, enclosed), out);
    weir_marshal_int((int64_t)offset, out);
    weir_marshal_int((int64_t)weir_bytes_length(bytes), out);
}

static void put_special(size_t parts, int64_t kind, weir_enclosed *enclosed, weir_buffer *out) {
    weir_marshal_tuple(parts, out);
    weir_buffer_byte(out, '.');
    weir_marshal_int(kind, out);
    if (enclosed) enclosed->used = true;
}

static void put_bytes_value(const weir_value *bytes, weir_enclosed *enclosed, weir_buffer *out) {
    if (enclosed) enclosed->used = true;
    if (!enclosed || is_small(bytes)) {
        put_bytes(weir_bytes_get(bytes), out);
        return;
    }
    put_special(3, BYTES, enclosed, out);
    put_piece(bytes, enclosed, out);
}

static void put_foreign(const weir_value *foreign, weir_enclosed *enclosed, weir_buffer *out) {
    const weir_value *pieces = weir_str_is(weir_foreign_form(foreign), WEIR_PYTHON_FORM)
                                   ? weir_foreign_pieces(foreign, NULL)
                                   : NULL;
    if (!pieces) {
        weir_marshal_none(out);
        return;
    }
    size_t count = weir_value_count(pieces);
    put_special(4, OBJECT, enclosed, out);
    weir_marshal_text(weir_foreign_about(foreign), out);
    weir_marshal_list(count, out);
    for (size_t i = 0; i < count; i++) put_piece(weir_array_at(pieces, i), enclosed, out);
}

void weir_enclosed_clear(weir_enclosed *enclosed) {
    for (size_t i = 0; i < enclosed->segments.count; i++)
        weir_segment_unref(enclosed->segments.items[i]);
    weir_vector_deinit(&enclosed->segments);
    enclosed->used = false;
}

void weir_marshal_value(const weir_value *value, weir_buffer *out) {
    weir_marshal_value_with(value, NULL, out);
}

void weir_marshal_value_with(const weir_value *value, weir_enclosed *enclosed, weir_buffer *out) {
    size_t count;
    switch (weir_value_type(value)) {
    case WEIR_NULL: weir_buffer_byte(out, 'N'); break;
    case WEIR_BOOL: weir_buffer_byte(out, weir_bool_get(value) ? 'T' : 'F'); break;
    case WEIR_INT: weir_marshal_int(weir_int_get(value), out); break;
    case WEIR_FLOAT: put_float(weir_number_get(value), out); break;
    case WEIR_STRING: weir_marshal_text(weir_string_get(value), out); break;
    case WEIR_ARRAY:
        count = weir_value_count(value);
        weir_marshal_list(count, out);
        for (size_t i = 0; i < count; i++)
            weir_marshal_value_with(weir_array_at(value, i), enclosed, out);
        break;
    case WEIR_OBJECT:
        count = weir_value_count(value);
        weir_buffer_byte(out, '{');
        for (size_t i = 0; i < count; i++) {
            weir_marshal_text(weir_object_key(value, i), out);
            weir_marshal_value_with(weir_object_at(value, i), enclosed, out);
        }
        weir_buffer_byte(out, '0');
        break;
    case WEIR_BYTES: put_bytes_value(value, enclosed, out); break;
    case WEIR_FOREIGN: put_foreign(value, enclosed, out); break;
    }
}

/* --- in --------------------------------------------------------------------------------------- */

static bool take(weir_marshal *in, void *out, size_t size) {
    if (in->bytes.length - in->at < size) return false;
    memcpy(out, in->bytes.data + in->at, size);
    in->at += size;
    return true;
}

static bool take_tag(weir_marshal *in, char *out) {
    return take(in, out, 1);
}

/* Of what has a byte an item at least. */
static bool take_size(weir_marshal *in, uint32_t *out) {
    uint32_t number;
    if (!take(in, &number, sizeof number)) return false;
    *out = le32toh(number);
    return *out <= INT32_MAX && *out <= in->bytes.length - in->at;
}

bool weir_marshal_read_items(weir_marshal *in, uint32_t *count) {
    char tag;
    return take_tag(in, &tag) && (tag == '(' || tag == '[') && take_size(in, count);
}

/* False: the bytes are no marshal. `fits` is whether it has 64 bits. */
static bool take_digits(weir_marshal *in, int64_t *out, bool *fits) {
    uint32_t said;
    if (!take(in, &said, sizeof said)) return false;
    int64_t count = (int32_t)le32toh(said);
    bool negative = count < 0;
    if (negative) count = -count;
    if ((uint64_t)count * 2 > in->bytes.length - in->at) return false;
    uint64_t number = 0;
    *fits = true;
    for (int64_t i = 0; i < count; i++) {
        uint16_t digit;
        if (!take(in, &digit, sizeof digit)) return false;
        digit = le16toh(digit);
        if (digit >> DIGIT_BITS) return false;
        unsigned shift = (unsigned)(i * DIGIT_BITS);
        if (i >= DIGITS_MAX || (shift + DIGIT_BITS > 64 && digit >> (64 - shift)))
            *fits = *fits && !digit;
        else
            number |= (uint64_t)digit << shift;
    }
    uint64_t most = (uint64_t)INT64_MAX + negative;
    *fits = *fits && number <= most;
    *out = negative ? (int64_t)-number : (int64_t)number;
    return true;
}

static bool take_number(weir_marshal *in, char tag, int64_t *out, bool *fits) {
    *fits = true;
    if (tag == 'l') return take_digits(in, out, fits);
    uint32_t low;
    if (tag != 'i' || !take(in, &low, sizeof low)) return false;
    *out = (int32_t)le32toh(low);
    return true;
}

bool weir_marshal_read_int(weir_marshal *in, int64_t *out) {
    char tag;
    bool fits;
    return take_tag(in, &tag) && take_number(in, tag, out, &fits) && fits;
}

static bool take_float(weir_marshal *in, double *out) {
    uint64_t bits;
    if (!take(in, &bits, sizeof bits)) return false;
    bits = le64toh(bits);
    memcpy(out, &bits, sizeof bits);
    return true;
}

bool weir_marshal_read_float(weir_marshal *in, double *out) {
    char tag;
    int64_t number;
    bool fits;
    if (!take_tag(in, &tag)) return false;
    if (tag == 'g') return take_float(in, out);
    if (!take_number(in, tag, &number, &fits) || !fits) return false;
    *out = (double)number;
    return true;
}

static bool take_text(weir_marshal *in, weir_str *out) {
    uint32_t size;
    if (!take_size(in, &size)) return false;
    *out = (weir_str){in->bytes.data + in->at, size};
    in->at += size;
    return true;
}

bool weir_marshal_read_text(weir_marshal *in, weir_str *out) {
    char tag;
    return take_tag(in, &tag) && (tag == 'u' || tag == 's') && take_text(in, out);
}

static bool is_utf8(weir_str text) {
    while (text.length) {
        size_t length = weir_utf8_length(text);
        if (!length) return false;
        text = weir_str_slice(text, length, text.length);
    }
    return true;
}

/* What is wrong first is what is told. */
static void refuse(weir_error *why, weir_code code, const char *message) {
    if (!why->code) weir_fail(why, code, "%s", message);
}

static bool read_value(weir_marshal *in, int depth, weir_value **out, weir_error *why);

static weir_value *read_text(weir_marshal *in, weir_error *why) {
    weir_str text;
    if (!take_text(in, &text)) return NULL;
    if (is_utf8(text)) return weir_string_from(text);
    refuse(why, WEIR_INVALID, "a text has characters that no UTF-8 has (lone surrogates)");
    return weir_null_new();
}

static weir_value *read_list(weir_marshal *in, int depth, weir_error *why) {
    uint32_t count;
    if (!take_size(in, &count)) return NULL;
    weir_value *list = weir_array_new(), *item;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_value(in, depth, &item, why)) {
            weir_value_unref(list);
            return NULL;
        }
        weir_array_append(list, item);
    }
    return list;
}

static bool take_place(weir_marshal *in, int64_t place[3]) {
    for (size_t i = 0; i < 3; i++)
        if (!weir_marshal_read_int(in, &place[i]) || place[i] < 0) return false;
    return true;
}

static weir_value *read_bytes(weir_marshal *in) {
    weir_str bytes;
    return take_text(in, &bytes) ? weir_bytes_new(bytes.data, bytes.length) : NULL;
}

/* NULL: it is no piece, or of memory that did not come. */
static weir_value *read_piece(weir_marshal *in) {
    char tag;
    uint32_t parts;
    int64_t place[3]; /* segment, offset, length */
    if (!take_tag(in, &tag)) return NULL;
    if (tag == 's') return read_bytes(in);
    if (tag != '(' || !take_size(in, &parts) || parts != 3 || !take_place(in, place) ||
        !in->enclosed || (uint64_t)place[0] >= in->enclosed->segments.count)
        return NULL;
    weir_segment *segment = in->enclosed->segments.items[place[0]];
    uint64_t size = weir_segment_size(segment);
    if ((uint64_t)place[1] > size || (uint64_t)place[2] > size - (uint64_t)place[1]) return NULL;
    return weir_bytes_within(segment, (size_t)place[1], (size_t)place[2]);
}

static weir_value *read_object(weir_marshal *in, weir_error *why) {
    weir_str about;
    uint32_t count;
    if (!weir_marshal_read_text(in, &about) || !weir_marshal_read_items(in, &count) || !count)
        return NULL;
    weir_value *pieces = weir_array_new();
    for (uint32_t i = 0; i < count; i++) {
        weir_value *piece = read_piece(in);
        if (!piece) {
            weir_value_unref(pieces);
            return NULL;
        }
        weir_array_append(pieces, piece);
    }
    if (!is_utf8(about)) refuse(why, WEIR_INVALID, "what an object is has characters of no UTF-8");
    return weir_foreign_new(WEIR_STR(WEIR_PYTHON_FORM), about, pieces);
}

/* Behind the Ellipsis. */
static weir_value *read_special(weir_marshal *in, uint32_t parts, weir_error *why) {
    int64_t kind;
    if (!weir_marshal_read_int(in, &kind)) return NULL;
    if (kind == BYTES && parts == 3) return read_piece(in);
    return kind == OBJECT && parts == 4 ? read_object(in, why) : NULL;
}

static weir_value *read_tuple(weir_marshal *in, int depth, weir_error *why) {
    size_t before = in->at;
    uint32_t count;
    if (!take_size(in, &count)) return NULL;
    if (count && in->bytes.data[in->at] == '.') {
        in->at++;
        return read_special(in, count, why);
    }
    in->at = before;
    return read_list(in, depth, why);
}

static weir_value *read_dict(weir_marshal *in, int depth, weir_error *why) {
    weir_value *object = weir_object_new(), *key, *value;
    for (;;) {
        if (in->at < in->bytes.length && in->bytes.data[in->at] == '0') {
            in->at++;
            return object;
        }
        if (!read_value(in, depth, &key, why)) break;
        if (!read_value(in, depth, &value, why)) {
            weir_value_unref(key);
            break;
        }
        bool text = weir_is(key, WEIR_STRING);
        if (text)
            weir_member_set(object, weir_string_get(key), value);
        else
            weir_value_unref(value);
        if (!text) refuse(why, WEIR_INVALID, "a key of a dict is no text");
        weir_value_unref(key);
    }
    weir_value_unref(object);
    return NULL;
}

static weir_value *read_number(weir_marshal *in, char tag, weir_error *why) {
    int64_t number = 0;
    bool fits;
    if (!take_number(in, tag, &number, &fits)) return NULL;
    if (!fits) refuse(why, WEIR_LIMIT, "an int has more than 64 bits");
    return weir_int_new(fits ? number : 0);
}

static weir_value *read_float(weir_marshal *in) {
    double number;
    return take_float(in, &number) ? weir_float_new(number) : NULL;
}

static bool read_value(weir_marshal *in, int depth, weir_value **out, weir_error *why) {
    char tag;
    if (depth > 2 * WEIR_DEPTH_MAX || !take_tag(in, &tag)) return false;
    if (depth > WEIR_DEPTH_MAX) refuse(why, WEIR_LIMIT, "it is nested too deep");
    switch (tag) {
    case 'N': *out = weir_null_new(); break;
    case 'T': *out = weir_bool_new(true); break;
    case 'F': *out = weir_bool_new(false); break;
    case 'i':
    case 'l': *out = read_number(in, tag, why); break;
    case 'g': *out = read_float(in); break;
    case 'u': *out = read_text(in, why); break;
    case 's': *out = read_bytes(in); break;
    case '(': *out = read_tuple(in, depth + 1, why); break;
    case '[': *out = read_list(in, depth + 1, why); break;
    case '{': *out = read_dict(in, depth + 1, why); break;
    default: return false;
    }
    return *out != NULL;
}

bool weir_marshal_read_value(weir_marshal *in, weir_value **out, weir_error *error) {
    weir_error why = {0};
    if (!read_value(in, 0, out, &why)) return weir_fail(error, WEIR_IO, "the bytes are no values");
    if (!why.code) return true;
    weir_value_unref(*out);
    if (error) *error = why;
    return false;
}
