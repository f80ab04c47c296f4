/* A number noted of each of a few things out of very many, known by their numbers: when each of the tasks that run began. Setting,
 * asking and dropping take the same time however many there are. Zeroed it is empty. One thread. */
#ifndef WEIR_BASE_NOTES_H
#define WEIR_BASE_NOTES_H

#include <stdbool.h>

#include "base/vector.h"

typedef struct weir_note {
    uint64_t of, number;
} weir_note;

typedef struct weir_notes {
    WEIR_VECTOR(weir_note) items; /* to be read; the order is another after a note was dropped */
    uint32_t *places;             /* by hash: a place in `items`, and one more; 0: free */
    size_t place_count;           /* 0 or a power of two, at least twice the notes */
} weir_notes;

void weir_notes_deinit(weir_notes *notes);
/* Notes, instead of what was noted of it before. */
void weir_notes_set(weir_notes *notes, uint64_t of, uint64_t number);
/* Whether something was noted: *number is that, or 0. */
bool weir_notes_find(const weir_notes *notes, uint64_t of, uint64_t *number);
/* Whether something was noted, which it is no longer then; *number (may be NULL) is that, or 0. */
bool weir_notes_drop(weir_notes *notes, uint64_t of, uint64_t *number);
bool weir_notes_has(const weir_notes *notes, uint64_t of);
void weir_notes_clear(weir_notes *notes);

#endif
