/* Large parts of values, which stand beside the binary form: in their place it has a reference, made of how the part is
 * to be read, its size and the SHA-256 of its content. What goes out is the smallest part above a limit, so that the small
 * members of a large object stay where they are. A text's content is its bytes; an array's or object's is its binary form,
 * in which larger parts within it are references again.
 *
 * A weir_parts belongs to one reader or writer of values (a run). It remembers the parts that went out or came in as long
 * as somebody else has the value, so that a value is named once however often it is written, and is there once however
 * often it is read. Values that only it still holds go when they are more than the others. One thread, but for what
 * weir_part_content gives of parts that are held. */
#ifndef WEIR_DATA_PARTS_H
#define WEIR_DATA_PARTS_H

#include "base/map.h"
#include "base/vector.h"
#include "data/value.h"

enum { WEIR_PART_DIGEST_BYTES = 32 };

/* What a part is found by. */
typedef struct weir_part_name {
    unsigned char form; /* how it is to be read */
    unsigned char digest[WEIR_PART_DIGEST_BYTES];
} weir_part_name;

struct weir_part;

/* Where the digest of a part belongs in bytes that have a reference to it. */
typedef struct weir_place {
    size_t at;
    struct weir_part *part; /* held */
} weir_place;
typedef WEIR_VECTOR(weir_place) weir_places;

typedef struct weir_part {
    uint32_t refs;
    uint32_t height; /* how deep what is in it is nested */
    bool gathered;   /* somebody has it in hand, who says what that means */
    bool named;      /* the digest is known; */
    bool kept;       /* and the content is where `fetch` finds it */
    weir_value *value;
    uint64_t size; /* of the content, bytes */
    weir_part_name name;
    weir_buffer bytes; /* the content of an array or object, until it is kept */
    weir_places inner; /* references in the bytes, to parts that are older */
} weir_part;

/* Appends the content to `out`. */
typedef bool weir_part_fetch(void *arg, const unsigned char digest[WEIR_PART_DIGEST_BYTES],
                             uint64_t size, weir_buffer *out, weir_error *error);

typedef struct weir_parts weir_parts;

/* Parts above `limit` bytes go out, SIZE_MAX: none. */
weir_parts *weir_parts_new(size_t limit, weir_part_fetch *fetch, void *arg);
void weir_parts_free(weir_parts *parts); /* NULL is allowed */
/* What one remembers is the other's, which is new. Both may be NULL. */
void weir_parts_move(weir_parts *from, weir_parts *to);

/* As weir_value_encode; levels of nesting less than `whole` stay as they are, whatever their size. Each part that is not
 * kept yet is added to `places`, with offsets in `out`. Whether there are references now. */
bool weir_value_encode_parts(const weir_value *value, unsigned whole, weir_parts *parts,
                             weir_places *places, weir_buffer *out);
/* As weir_value_decode, of what has references. With `skip` a null stands for each part, and nothing is fetched. `parts`
 * NULL, and not `skip`: a reference is an error. Else errors of `fetch`. */
WEIR_CHECKED bool weir_value_decode_parts(weir_str bytes, size_t *offset, weir_parts *parts,
                                          bool skip, weir_value **out, weir_error *error);

weir_part *weir_part_ref(weir_part *part);
void weir_part_unref(weir_part *part);
void weir_places_deinit(weir_places *places);
/* Writes the digests, which are known by now, into the bytes. Of a part's own: weir_part_content does. */
void weir_places_fill(const weir_places *places, weir_buffer *bytes);

/* What is to be kept, borrowed; those within it are named. Any thread that alone does this. */
weir_str weir_part_content(weir_part *part);
/* The part is named: whether one of the same content is kept already, so that this one is too. */
bool weir_parts_note(weir_parts *parts, weir_part *part);
/* It is kept: its bytes are not needed any more. */
void weir_part_note_kept(weir_part *part);

#endif
