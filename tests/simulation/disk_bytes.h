/* The content of a file on a virtual disk, in pages. Contents that are copies of each other share the pages that neither has
 * changed since, so that a copy costs the length of a list. A page that nobody has written is zeros, and not there.
 * One thread. */
#ifndef WEIR_SIMULATION_DISK_BYTES_H
#define WEIR_SIMULATION_DISK_BYTES_H

#include "base/text.h"
#include "base/vector.h"

typedef struct disk_bytes {
    uint64_t length;
    WEIR_VECTOR(struct disk_page *) pages; /* NULL: zeros */
} disk_bytes;

void disk_bytes_deinit(disk_bytes *bytes);
/* What it had is gone; the other may be itself. */
void disk_bytes_copy(disk_bytes *bytes, const disk_bytes *from);
/* What is new is zeros; what is cut off does not come back. */
void disk_bytes_set_length(disk_bytes *bytes, uint64_t length);
/* Makes it longer when that is needed; nothing is written when there is nothing to write. */
void disk_bytes_put(disk_bytes *bytes, weir_str data, uint64_t offset);
/* Returns how many bytes there were to be read, of `amount`. */
size_t disk_bytes_read(const disk_bytes *bytes, void *to, size_t amount, uint64_t offset);

#endif
