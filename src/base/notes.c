#include "base/notes.h"

enum { PLACES_MIN = 16 };

/* Numbers in a row are far apart (Knuth's multiplicative hashing). */
static size_t home_of(const weir_notes *notes, uint64_t of) {
    return (size_t)(of * 0x9e3779b97f4a7c15u >> 32) & (notes->place_count - 1);
}

static size_t next_place(const weir_notes *notes, size_t place) {
    return (place + 1) & (notes->place_count - 1);
}

/* Where it is, or would be: a free place. */
static size_t place_of(const weir_notes *notes, uint64_t of) {
    size_t place = home_of(notes, of);
    while (notes->places[place] && notes->items.items[notes->places[place] - 1].of != of)
        place = next_place(notes, place);
    return place;
}

static void make_room(weir_notes *notes) {
    if ((notes->items.count + 1) * 2 <= notes->place_count) return;
    weir_assert(notes->items.count < UINT32_MAX / 4);
    notes->place_count = notes->place_count ? notes->place_count * 2 : PLACES_MIN;
    weir_free(notes->places);
    notes->places = weir_alloc(notes->place_count * sizeof *notes->places);
    for (size_t i = 0; i < notes->items.count; i++)
        notes->places[place_of(notes, notes->items.items[i].of)] = (uint32_t)i + 1;
}

/* The notes behind a place that became free move up, where they were pushed past it. */
static void close_gap(weir_notes *notes, size_t gap) {
    for (size_t at = next_place(notes, gap); notes->places[at]; at = next_place(notes, at)) {
        size_t home = home_of(notes, notes->items.items[notes->places[at] - 1].of),
               all = notes->place_count - 1;
        if (((at - home) & all) < ((at - gap) & all)) continue;
        notes->places[gap] = notes->places[at];
        gap = at;
    }
    notes->places[gap] = 0;
}

void weir_notes_deinit(weir_notes *notes) {
    weir_vector_deinit(&notes->items);
    weir_free(notes->places);
    *notes = (weir_notes){0};
}

void weir_notes_set(weir_notes *notes, uint64_t of, uint64_t number) {
    make_room(notes);
    size_t place = place_of(notes, of);
    if (!notes->places[place]) {
        *weir_vector_push(&notes->items) = (weir_note){.of = of};
        notes->places[place] = (uint32_t)notes->items.count;
    }
    notes->items.items[notes->places[place] - 1].number = number;
}

bool weir_notes_find(const weir_notes *notes, uint64_t of, uint64_t *number) {
    *number = 0;
    size_t at = notes->items.count ? notes->places[place_of(notes, of)] : 0;
    if (at) *number = notes->items.items[at - 1].number;
    return at > 0;
}

bool weir_notes_drop(weir_notes *notes, uint64_t of, uint64_t *number) {
    if (number) *number = 0;
    if (!notes->items.count) return false;
    size_t place = place_of(notes, of), at = notes->places[place];
    if (!at) return false;
    if (number) *number = notes->items.items[at - 1].number;
    close_gap(notes, place);
    weir_note last = notes->items.items[notes->items.count - 1];
    if (at < notes->items.count) {
        notes->places[place_of(notes, last.of)] = (uint32_t)at;
        notes->items.items[at - 1] = last;
    }
    notes->items.count--;
    return true;
}

bool weir_notes_has(const weir_notes *notes, uint64_t of) {
    return notes->place_count && notes->places[place_of(notes, of)];
}

void weir_notes_clear(weir_notes *notes) {
    notes->items.count = 0;
    if (notes->places) memset(notes->places, 0, notes->place_count * sizeof *notes->places);
}
