/* Bytes in memory that processes share: a memfd that is sealed, so that nobody changes it any more, whoever made it. Counted, and
 * immutable: any thread. Nothing is mapped before somebody looks into it. */
#ifndef WEIR_BASE_SEGMENT_H
#define WEIR_BASE_SEGMENT_H

#include "base/error.h"
#include "base/text.h"

typedef struct weir_segment weir_segment;

/* A copy of the bytes. IO when there is no memory, or no descriptor. */
WEIR_CHECKED bool weir_segment_new(weir_str bytes, weir_segment **out, weir_error *error);
/* The memory of a descriptor that came from another process; takes the descriptor over, also when it fails: INVALID, as it is no memory
 * that is sealed. */
WEIR_CHECKED bool weir_segment_take(int fd, weir_segment **out, weir_error *error);
weir_segment *weir_segment_ref(weir_segment *segment);
void weir_segment_unref(weir_segment *segment); /* NULL is allowed */

size_t weir_segment_size(const weir_segment *segment);
/* Of a size that is not 0; read-only. */
const char *weir_segment_data(weir_segment *segment);
/* A descriptor of it, for another process; the caller closes it. IO when there is none to be had. */
WEIR_CHECKED bool weir_segment_lend(weir_segment *segment, int *fd, weir_error *error);
/* Whether both are of the same memory. */
bool weir_segment_is(const weir_segment *a, const weir_segment *b);
/* What all that this process knows have, and what they come to. */
uint64_t weir_segments_bytes(void);

#endif
