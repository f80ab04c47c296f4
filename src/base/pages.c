#include "base/pages.h"

#include <string.h>

/* Pages at the beginning that went are not remembered; all that are there move, so this is done seldom. */
static void forget_first(weir_pages *list) {
    while (list->blank < list->page_count && !list->pages[list->blank]) list->blank++;
    if (list->blank < list->page_count && list->blank < list->capacity / 2) return;
    list->page_count -= list->blank;
    list->first += list->blank;
    memmove(list->pages, list->pages + list->blank, list->page_count * sizeof *list->pages);
    memmove(list->gone, list->gone + list->blank, list->page_count * sizeof *list->gone);
    list->blank = 0;
}

/* Makes places up to the page, at which there is nothing. */
static void reach(weir_pages *list, size_t page) {
    if (!list->page_count) list->first = page;
    size_t wanted = page - list->first + 1;
    if (wanted > list->capacity) {
        list->capacity = wanted > list->capacity * 2 ? wanted : list->capacity * 2;
        list->pages = weir_realloc(list->pages, list->capacity * sizeof *list->pages);
        list->gone = weir_realloc(list->gone, list->capacity * sizeof *list->gone);
    }
    for (; list->page_count < wanted; list->page_count++) {
        list->pages[list->page_count] = NULL;
        list->gone[list->page_count] = 0;
    }
}

/* The page of the next number, which begins it, or comes after a skip. */
static void begin_page(weir_pages *list) {
    size_t page = list->count / WEIR_PAGE_ITEMS;
    reach(list, page);
    list->pages[page - list->first] = weir_alloc(WEIR_PAGE_ITEMS * list->size);
    list->gone[page - list->first] = (uint16_t)(list->count % WEIR_PAGE_ITEMS);
}

void *weir_pages_push(weir_pages *list) {
    size_t page = list->count / WEIR_PAGE_ITEMS - list->first;
    if (page >= list->page_count || !list->pages[page]) begin_page(list);
    list->live++;
    return weir_pages_at(list, list->count++);
}

static void count_gone(weir_pages *list, size_t number) {
    size_t page = number / WEIR_PAGE_ITEMS - list->first;
    if (++list->gone[page] < WEIR_PAGE_ITEMS) return;
    weir_free(list->pages[page]);
    list->pages[page] = NULL;
    forget_first(list);
}

void weir_pages_drop(weir_pages *list, size_t number) {
    weir_assert(weir_pages_at(list, number));
    list->live--;
    count_gone(list, number);
}

/* Places of a page from `from` on, up to the number `to`, are of what went. */
static void fill(weir_pages *list, size_t from, size_t to, const void *like) {
    for (size_t number = from; number < to; number++)
        memcpy(list->pages[number / WEIR_PAGE_ITEMS - list->first] +
                   number % WEIR_PAGE_ITEMS * list->size,
               like, list->size);
}

void weir_pages_skip(weir_pages *list, size_t number, const void *like) {
    weir_assert(number >= list->count);
    size_t from = list->count, end = from; /* of the page that is begun */
    if (end % WEIR_PAGE_ITEMS) end += WEIR_PAGE_ITEMS - end % WEIR_PAGE_ITEMS;
    fill(list, from, number < end ? number : end, like);
    list->count = number;
    for (size_t skipped = from; skipped < number && skipped < end; skipped++)
        count_gone(list, skipped);
    if (number <= end || number % WEIR_PAGE_ITEMS == 0) return;
    begin_page(list);
    fill(list, number - number % WEIR_PAGE_ITEMS, number, like);
}

size_t weir_pages_next(const weir_pages *list, size_t number) {
    while (number < list->count) {
        size_t page = number / WEIR_PAGE_ITEMS;
        if (page < list->first) {
            number = list->first * WEIR_PAGE_ITEMS;
        } else if (page - list->first >= list->page_count) {
            break;
        } else {
            if (list->pages[page - list->first]) return number;
            number = (page + 1) * WEIR_PAGE_ITEMS;
        }
    }
    return list->count;
}

void weir_pages_deinit(weir_pages *list) {
    for (size_t i = 0; i < list->page_count; i++) weir_free(list->pages[i]);
    weir_free(list->pages);
    weir_free(list->gone);
    *list = (weir_pages){.size = list->size};
}
