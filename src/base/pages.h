/* Items by number, of a list that may grow for ever: those at its beginning, or anywhere, go while it grows, and their memory with
 * them. Items lie in pages of WEIR_PAGE_ITEMS; a page goes when all of its items went. An item stays where it is until it
 * goes. Zeroed and given `size`, the list is empty. One thread. */
#ifndef WEIR_BASE_PAGES_H
#define WEIR_BASE_PAGES_H

#include <stdint.h>

#include "base/memory.h"

enum { WEIR_PAGE_ITEMS = 256 };

typedef struct weir_pages {
    size_t size;    /* of an item, in bytes */
    char **pages;   /* from page `first` on; NULL: gone */
    uint16_t *gone; /* how many items of each went */
    size_t first, page_count, capacity;
    size_t blank; /* how many of the first are gone, as far as that is known */
    size_t count; /* the number that the next item gets */
    size_t live;  /* items that did not go */
} weir_pages;

/* NULL when its page went, or there is no such item yet. One that went before its page is as it was when it went. */
static inline void *weir_pages_at(const weir_pages *list, size_t number) {
    size_t page = number / WEIR_PAGE_ITEMS - list->first;
    if (number >= list->count || page >= list->page_count || !list->pages[page]) return NULL;
    return list->pages[page] + number % WEIR_PAGE_ITEMS * list->size;
}
/* A new last item, zeroed. */
void *weir_pages_push(weir_pages *list);
/* The item went; once for each. */
void weir_pages_drop(weir_pages *list, size_t number);
/* The next item gets this number, which is not below `count`. Those before it went without having been: where a page that is
 * at hand has them, they are copies of `like`. */
void weir_pages_skip(weir_pages *list, size_t number, const void *like);
/* The first number from `number` on whose page is at hand; `count` when there is none. */
size_t weir_pages_next(const weir_pages *list, size_t number);
/* Frees all, and empties the list. */
void weir_pages_deinit(weir_pages *list);

#endif
