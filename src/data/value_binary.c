/* The compact binary form of values, for the journal. */
#include <endian.h>
#include <stdlib.h>

#include "data/parts_internal.h"

/* A value of the greatest depth stands within an outcome, within an event. */
enum { ENVELOPES = 16 };
/* A false and a true have tags of their own; the others are followed by their content. A part is followed by the size of its
 * content and the digest of that. */
enum {
    TAG_NULL,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INT,
    TAG_FLOAT,
    TAG_STRING,
    TAG_ARRAY,
    TAG_OBJECT,
    TAG_PART, /* and the form */
    TAG_BYTES = TAG_PART + 8,
    TAG_FOREIGN /* form, what it is, how many pieces, which are bytes */
};

/* How it is written. */
typedef struct encoding {
    bool sorted;
    size_t limit;      /* what is larger goes out */
    weir_parts *parts; /* NULL: nothing does, and a text that would have to is left out: */
    bool over;
    weir_places *places;
    bool referred; /* something went out */
} encoding;

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

static void encode(const weir_value *value, unsigned whole, encoding *e, weir_buffer *out);

/* By their keys; the caller frees the list. */
static member *sorted_members(const weir_value *value, size_t count) {
    member *members = weir_alloc((count + 1) * sizeof *members);
    for (size_t i = 0; i < count; i++)
        members[i] = (member){weir_object_key(value, i), weir_object_at(value, i)};
    qsort(members, count, sizeof *members, by_key);
    return members;
}

weir_value *weir_object_sorted(const weir_value *object) {
    size_t count = weir_value_count(object);
    member *members = sorted_members(object, count);
    weir_value *out = weir_object_new();
    for (size_t i = 0; i < count; i++)
        weir_member_set(out, members[i].key, weir_value_ref((weir_value *)members[i].value));
    weir_free(members);
    return out;
}

static void encode_sorted_members(const weir_value *value, size_t count, encoding *e,
                                  weir_buffer *out) {
    member *members = sorted_members(value, count);
    for (size_t i = 0; i < count; i++) {
        encode_string(members[i].key, out);
        encode(members[i].value, 0, e, out);
    }
    weir_free(members);
}

/* Inlined where most values pass. */
__attribute__((always_inline)) static inline void
encode_members(const weir_value *value, unsigned whole, encoding *e, weir_buffer *out) {
    size_t count = weir_value_count(value);
    bool object = weir_value_type(value) == WEIR_OBJECT;
    weir_buffer_byte(out, object ? TAG_OBJECT : TAG_ARRAY);
    weir_varint_encode(count, out);
    if (object && e->sorted && count > 1) {
        encode_sorted_members(value, count, e, out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (object) encode_string(weir_object_key(value, i), out);
        encode(object ? weir_object_at(value, i) : weir_array_at(value, i), whole, e, out);
    }
}

/* --- parts ------------------------------------------------------------------------------------ */

static void refer(weir_part *part, encoding *e, weir_buffer *out) {
    weir_buffer_byte(out, (char)(TAG_PART + part->name.form));
    weir_varint_encode(part->size, out);
    static const unsigned char nothing[WEIR_PART_DIGEST_BYTES]; /* yet: it is another's to know */
    if (!part->kept) *weir_vector_push(e->places) = (weir_place){out->length, weir_part_ref(part)};
    weir_buffer_append(out, part->kept ? part->name.digest : nothing, WEIR_PART_DIGEST_BYTES);
    e->referred = true;
}

static bool refer_again(const weir_value *value, encoding *e, weir_buffer *out) {
    weir_part *part = weir__parts_of_value(e->parts, value);
    if (part) refer(part, e, out);
    return part != NULL;
}

static void encode_large(const weir_value *value, unsigned char form, size_t length, encoding *e,
                         weir_buffer *out) {
    e->over = true;
    if (!e->parts || refer_again(value, e, out)) return;
    refer(weir__parts_add(e->parts, form, value, length), e, out);
}

/* Bytes that go out are not looked at here. */
static void encode_bytes(const weir_value *value, unsigned whole, encoding *e, weir_buffer *out) {
    size_t length = weir_bytes_length(value);
    if (length > e->limit && !whole) {
        encode_large(value, WEIR__PART_BYTES, length, e, out);
        return;
    }
    weir_buffer_byte(out, TAG_BYTES);
    encode_string(weir_bytes_get(value), out);
}

/* One that has none (it lives in this process only) is nothing where it is read again. */
static void encode_foreign(const weir_value *value, encoding *e, weir_buffer *out) {
    const weir_value *pieces = weir_foreign_pieces(value, NULL);
    if (!pieces) {
        weir_buffer_byte(out, TAG_NULL);
        return;
    }
    weir_buffer_byte(out, TAG_FOREIGN);
    encode_string(weir_foreign_form(value), out);
    encode_string(weir_foreign_about(value), out);
    weir_varint_encode(weir_value_count(pieces), out);
    for (size_t i = 0; i < weir_value_count(pieces); i++)
        encode_bytes(weir_array_at(pieces, i), 0, e, out);
}

/* What was written from `from` on goes out, with the references in it, those from `first_place` on. */
static void move_out(const weir_value *value, size_t from, size_t first_place, encoding *e,
                     weir_buffer *out) {
    weir_str bytes = {out->data + from, out->length - from};
    weir_part *part = weir__parts_add(e->parts, WEIR__PART_BINARY, value, bytes.length);
    weir_buffer_str_append(&part->bytes, bytes);
    for (size_t i = first_place; i < e->places->count; i++) {
        weir_place *inner = &e->places->items[i];
        *weir_vector_push(&part->inner) = (weir_place){inner->at - from, inner->part};
    }
    e->places->count = first_place;
    out->length = from;
    refer(part, e, out);
}

static void encode_parted(const weir_value *value, encoding *e, weir_buffer *out) {
    size_t from = out->length, places = e->places->count;
    if (refer_again(value, e, out)) return;
    encode_members(value, 0, e, out);
    if (out->length - from > e->limit) move_out(value, from, places, e, out);
}

static void encode(const weir_value *value, unsigned whole, encoding *e, weir_buffer *out) {
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
        if (weir_string_get(value).length > e->limit && !whole) {
            encode_large(value, WEIR__PART_TEXT, weir_string_get(value).length, e, out);
            break;
        }
        weir_buffer_byte(out, TAG_STRING);
        encode_string(weir_string_get(value), out);
        break;
    case WEIR_ARRAY:
    case WEIR_OBJECT:
        if (e->parts && !whole)
            encode_parted(value, e, out);
        else
            encode_members(value, whole ? whole - 1 : 0, e, out);
        break;
    case WEIR_BYTES: encode_bytes(value, whole, e, out); break;
    case WEIR_FOREIGN: encode_foreign(value, e, out); break;
    }
}

void weir_value_encode(const weir_value *value, weir_buffer *out) {
    encode(value, 0, &(encoding){.limit = SIZE_MAX}, out);
}

void weir_value_encode_sorted(const weir_value *value, weir_buffer *out) {
    encode(value, 0, &(encoding){.sorted = true, .limit = SIZE_MAX}, out);
}

bool weir_value_encode_parts(const weir_value *value, unsigned whole, weir_parts *parts,
                             weir_places *places, weir_buffer *out) {
    /* Most are small, and are written as if there were no parts: what has none above the limit cannot be above it. */
    encoding e = {.limit = parts ? parts->limit : SIZE_MAX, .places = places};
    size_t before = out->length;
    encode(value, 0, &e, out);
    if (!e.over && out->length - before <= e.limit) return false;
    out->length = before;
    e.parts = parts;
    encode(value, whole, &e, out);
    return e.referred;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What is read, and where it stands. */
typedef struct decoding {
    weir_str bytes;
    size_t at;
    weir_parts *parts;
    bool skip;         /* parts */
    int deepest;       /* so far */
    weir_error *error; /* set when a part cannot be had */
    bool failed;       /* so it is */
} decoding;

static bool decode_string(decoding *d, weir_str *out) {
    uint64_t length;
    if (!weir_varint_decode(d->bytes, &d->at, &length) || length > d->bytes.length - d->at)
        return false;
    *out = (weir_str){d->bytes.data + d->at, (size_t)length};
    d->at += (size_t)length;
    return true;
}

static weir_value *decode(decoding *d, int depth);

static weir_value *decode_members(decoding *d, int depth, bool object) {
    uint64_t count;
    if (!weir_varint_decode(d->bytes, &d->at, &count) || count > d->bytes.length - d->at)
        return NULL;
    weir_value *value = object ? weir_object_new() : weir_array_new();
    if (depth >= d->deepest) d->deepest = depth + 1;
    for (uint64_t i = 0; i < count; i++) {
        weir_str key = {0};
        weir_value *item = NULL;
        bool ok = !object || (decode_string(d, &key) && !weir_member(value, key));
        if (ok) item = decode(d, depth + 1);
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

/* --- parts ------------------------------------------------------------------------------------ */

static weir_value *decode_content(decoding *d, weir_buffer *taken, unsigned char form, int depth) {
    weir_str content = weir_buffer_str(taken);
    if (form == WEIR__PART_TEXT) return weir_string_from(content);
    if (form == WEIR__PART_BYTES) {
        char *data = taken->data;
        *taken = (weir_buffer){0};
        return weir_bytes_wrap(data, content.length, weir_free, data);
    }
    decoding inner = *d;
    inner.bytes = content;
    inner.at = 0;
    weir_value *value = decode(&inner, depth);
    d->failed = inner.failed;
    d->deepest = inner.deepest;
    if (value && inner.at == content.length) return value;
    weir_value_unref(value);
    return NULL;
}

static weir_value *fetch(decoding *d, const weir_part_name *name, uint64_t size, int depth) {
    weir_buffer content = {0};
    weir_value *value = NULL;
    d->failed = !d->parts->fetch(d->parts->arg, name->digest, size, &content, d->error);
    int before = d->deepest;
    d->deepest = depth;
    if (!d->failed && content.length == size)
        value = decode_content(d, &content, name->form, depth);
    weir_buffer_deinit(&content);
    if (value) {
        weir_part *part = weir__parts_add(d->parts, name->form, value, size);
        part->name = *name;
        part->named = part->kept = true;
        part->height = (uint32_t)(d->deepest - depth);
        (void)weir_parts_note(d->parts, part);
    }
    if (before > d->deepest) d->deepest = before;
    return value;
}

static weir_value *decode_part(decoding *d, unsigned char form, int depth) {
    weir_part_name name = {.form = form};
    uint64_t size;
    if (!weir_varint_decode(d->bytes, &d->at, &size) ||
        d->bytes.length - d->at < WEIR_PART_DIGEST_BYTES)
        return NULL;
    memcpy(name.digest, d->bytes.data + d->at, WEIR_PART_DIGEST_BYTES);
    d->at += WEIR_PART_DIGEST_BYTES;
    if (d->skip) return weir_null_new();
    if (!d->parts) {
        d->failed = true;
        weir_fail(d->error, WEIR_STORE, "a large value is kept as a blob, which is not read here");
        return NULL;
    }
    const weir_part *part = weir__parts_of_content(d->parts, &name);
    if (!part || part->size != size) return fetch(d, &name, size, depth);
    int deepest = depth + (int)part->height;
    if (deepest > WEIR_DEPTH_MAX + ENVELOPES) return NULL;
    if (deepest > d->deepest) d->deepest = deepest;
    return weir_value_ref(part->value);
}

static weir_value *decode_bytes(decoding *d) {
    weir_str bytes;
    return decode_string(d, &bytes) ? weir_bytes_new(bytes.data, bytes.length) : NULL;
}

/* A piece of an object: of a part that is left out nothing stands for it. */
static weir_value *decode_piece(decoding *d, int depth) {
    weir_value *piece = decode(d, depth + 1);
    if (!piece || weir_is(piece, WEIR_BYTES)) return piece;
    bool left_out = d->skip && weir_is(piece, WEIR_NULL);
    weir_value_unref(piece);
    return left_out ? weir_bytes_new(NULL, 0) : NULL;
}

static weir_value *decode_foreign(decoding *d, int depth) {
    weir_str form, about;
    uint64_t count;
    if (!decode_string(d, &form) || !decode_string(d, &about) ||
        !weir_varint_decode(d->bytes, &d->at, &count) || !count || count > d->bytes.length - d->at)
        return NULL;
    weir_value *pieces = weir_array_new();
    for (uint64_t i = 0; i < count; i++) {
        weir_value *piece = decode_piece(d, depth);
        if (!piece) {
            weir_value_unref(pieces);
            return NULL;
        }
        weir_array_append(pieces, piece);
    }
    return weir_foreign_new(form, about, pieces);
}

static weir_value *decode(decoding *d, int depth) {
    if (depth > WEIR_DEPTH_MAX + ENVELOPES || d->at >= d->bytes.length) return NULL;
    uint64_t number;
    weir_str text;
    switch (d->bytes.data[d->at++]) {
    case TAG_NULL: return weir_null_new();
    case TAG_FALSE: return weir_bool_new(false);
    case TAG_TRUE: return weir_bool_new(true);
    case TAG_INT:
        return weir_varint_decode(d->bytes, &d->at, &number) ? weir_int_new(unzigzag(number))
                                                             : NULL;
    case TAG_FLOAT: {
        double decoded;
        if (d->bytes.length - d->at < sizeof number) return NULL;
        memcpy(&number, d->bytes.data + d->at, sizeof number);
        number = le64toh(number);
        memcpy(&decoded, &number, sizeof decoded);
        d->at += sizeof number;
        return weir_float_new(decoded);
    }
    case TAG_STRING: return decode_string(d, &text) ? weir_string_from(text) : NULL;
    case TAG_ARRAY: return decode_members(d, depth, false);
    case TAG_OBJECT: return decode_members(d, depth, true);
    case TAG_PART + WEIR__PART_TEXT: return decode_part(d, WEIR__PART_TEXT, depth);
    case TAG_PART + WEIR__PART_BINARY: return decode_part(d, WEIR__PART_BINARY, depth);
    case TAG_PART + WEIR__PART_BYTES: return decode_part(d, WEIR__PART_BYTES, depth);
    case TAG_BYTES: return decode_bytes(d);
    case TAG_FOREIGN: return decode_foreign(d, depth);
    default: return NULL;
    }
}

bool weir_value_decode_parts(weir_str bytes, size_t *offset, weir_parts *parts, bool skip,
                             weir_value **out, weir_error *error) {
    decoding d = {.bytes = bytes, .at = *offset, .parts = parts, .skip = skip, .error = error};
    weir_value *value = decode(&d, 0);
    if (!value && d.failed) return false;
    if (!value) return weir_fail(error, WEIR_STORE, "a value at byte %zu is damaged", *offset);
    *offset = d.at;
    *out = value;
    return true;
}

bool weir_value_decode(weir_str bytes, size_t *offset, weir_value **out, weir_error *error) {
    return weir_value_decode_parts(bytes, offset, NULL, false, out, error);
}
