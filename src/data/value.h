/* Values inside weir: what <weir/value.h> offers, with borrowed strings, and small helpers. */
#ifndef WEIR_DATA_VALUE_H
#define WEIR_DATA_VALUE_H

#include <weir/value.h>

#include "base/error.h"
#include "base/segment.h"
#include "base/text.h"

static inline weir_value *weir_string_from(weir_str text) {
    return weir_string_new(text.data, text.length);
}
static inline weir_value *weir_member(const weir_value *object, weir_str key) {
    return weir_object_get(object, key.data, key.length);
}
static inline void weir_member_set(weir_value *object, weir_str key, weir_value *value) {
    weir_object_set(object, key.data, key.length, value);
}
/* The member by a literal name: NULL too when `object` is NULL or no object. */
weir_value *weir_member_named(const weir_value *object, const char *key);
/* The secret that it stands for, as {secret: NAME, before?}; empty: none. */
weir_str weir_value_secret(const weir_value *value);
/* Whether anything in it does. */
bool weir_value_has_secret(const weir_value *value);
/* Whatever the member is; an empty object, put there, when there is none. Borrowed. */
weir_value *weir_member_object(weir_value *object, weir_str key);
/* The member's text; empty when it is absent or no string. */
weir_str weir_member_text(const weir_value *object, const char *key);
/* The member's number; 0 when it is absent, no integer or below 0. */
uint64_t weir_member_count(const weir_value *object, const char *key);
/* Sets a member by a literal name. */
void weir_member_put(weir_value *object, const char *key, weir_value *value);

void weir_member_put_text(weir_value *object, const char *key, weir_str text);

static inline bool weir_is(const weir_value *value, weir_type type) {
    return value && weir_value_type(value) == type;
}
/* An object or array that may be changed: `value` itself when nobody else holds it, else a copy of one level; the
 * caller's reference moves over. */
weir_value *weir_value_own(weir_value *value);
/* Whether it is an array with something in it. */
static inline bool weir_has_items(const weir_value *value) {
    return weir_is(value, WEIR_ARRAY) && weir_value_count(value);
}
/* References to all items of `more` behind those of the list; nothing when that is no array. */
void weir_array_append_all(weir_value *list, const weir_value *more);
/* The members of both, of which the second's win; NULL is taken for an empty object. A new reference. */
weir_value *weir_object_merge(const weir_value *below, const weir_value *above);
/* Whether somebody else holds it, too. */
bool weir_value_is_shared(const weir_value *value);

/* --- bytes and objects of other languages: value_bytes.c */

enum {
    WEIR_BYTES_SHARED = 64 * 1024
}; /* more than so many go to other processes in memory that they share */

/* `length` bytes of the segment from `offset` on, which are there (asserted); takes a reference of its own. */
weir_value *weir_bytes_within(weir_segment *segment, size_t offset, size_t length);
/* Where the bytes are in memory that can be shared, borrowed; they are copied there the first time, if they are not there yet. */
WEIR_CHECKED bool weir_bytes_segment(const weir_value *bytes, weir_segment **out, size_t *offset,
                                     weir_error *error);
/* The segment that they are in; NULL: in none. */
weir_segment *weir_bytes_segment_known(const weir_value *bytes);
size_t weir_bytes_length(const weir_value *bytes); /* without looking into them */

/* An object as `form` has it, in pieces that are bytes, one at least; what it is, for who reads. Takes the array over. */
weir_value *weir_foreign_new(weir_str form, weir_str about, weir_value *pieces);
/* One that lives in this process, of a language that has it by `handle`. Any thread calls these. */
typedef struct weir_foreign_class {
    const char *form;
    /* The pieces, a new array; NULL and the error: it has no such form. */
    weir_value *(*freeze)(void *handle, weir_error *error);
    void (*release)(void *handle);
} weir_foreign_class;
weir_value *weir_foreign_wrap(const weir_foreign_class *class, void *handle, weir_str about);
/* The handle of one of this class; NULL: it is none. */
void *weir_foreign_handle(const weir_value *foreign, const weir_foreign_class *class);
weir_str weir_foreign_form(const weir_value *foreign);
weir_str weir_foreign_about(const weir_value *foreign);
/* Borrowed; of one that lives here they are made the first time. NULL and the error: there are none. */
const weir_value *weir_foreign_pieces(const weir_value *foreign, weir_error *error);
/* What its pieces come to, as far as there are any, in bytes. */
uint64_t weir_foreign_size(const weir_value *foreign);

/* What stands for bytes or such an object where only plain data can: {"$bytes": base64}; of more than WEIR_BYTES_SHARED
 * {"$bytes": {"size", "xxh3"}}; {"$object": {"type", "form", "size", "xxh3"}}. A new reference. */
weir_value *weir_bytes_described(const weir_value *value);

/* The compact binary form, used in the journal: a tag byte, then varints, IEEE 754 little-endian, or bytes. */
void weir_value_encode(const weir_value *value, weir_buffer *out);
/* The same with members in the order of their keys' bytes: equal values are equal bytes. For digests, not to be read. */
void weir_value_encode_sorted(const weir_value *value, weir_buffer *out);
/* The object with its members in that order: a new reference. */
weir_value *weir_object_sorted(const weir_value *object);
/* Reads one value at *offset and moves it on; fails on any byte that weir_value_encode does not write. */
WEIR_CHECKED bool weir_value_decode(weir_str bytes, size_t *offset, weir_value **out,
                                    weir_error *error);

/* Unsigned LEB128, as in DWARF. */
void weir_varint_encode(uint64_t number, weir_buffer *out);
WEIR_CHECKED bool weir_varint_decode(weir_str bytes, size_t *offset, uint64_t *out);

/* Whether no array or object is nested deeper than `max`. */
bool weir_value_is_flat(const weir_value *value, int max);

enum { WEIR_DEPTH_MAX = 128 }; /* of nesting, in every file, value and journal */

#endif
