#include "dataflow/lists.h"

#include "base/map.h"
#include "dataflow/context.h"

enum { LARGE = 4096, TABLE_FIRST = 16 };

void weir__lists_begin(weir__lists *lists) {
    if (lists->numbers.capacity > LARGE || lists->table_size > LARGE) weir__lists_deinit(lists);
    if (lists->table_size) memset(lists->table, 0, lists->table_size * sizeof *lists->table);
    lists->known = 0;
    lists->full = false;
    lists->numbers.count = 0;
    *weir_vector_push(&lists->numbers) = 0;
}

void weir__lists_deinit(weir__lists *lists) {
    weir_vector_deinit(&lists->numbers);
    weir_free(lists->table);
    *lists = (weir__lists){0};
}

static bool same(const uint32_t *a, const uint32_t *b) {
    return a[0] == b[0] && memcmp(a, b, (a[0] + (size_t)1) * sizeof *a) == 0;
}

/* Where the content is in the table, or belongs. */
static uint32_t *find_slot(const weir__lists *lists, const uint32_t *list) {
    uint64_t hash = weir_hash(list, (list[0] + (size_t)1) * sizeof *list);
    size_t mask = lists->table_size - 1, i = (size_t)hash & mask;
    while (lists->table[i] && !same(lists->numbers.items + lists->table[i], list))
        i = (i + 1) & mask;
    return &lists->table[i];
}

static void grow_table(weir__lists *lists) {
    uint32_t *old = lists->table;
    size_t size = lists->table_size;
    lists->table_size = size ? size * 2 : TABLE_FIRST;
    lists->table = weir_alloc(lists->table_size * sizeof *lists->table);
    for (size_t i = 0; i < size; i++)
        if (old[i]) *find_slot(lists, lists->numbers.items + old[i]) = old[i];
    weir_free(old);
}

/* Room for so many numbers and their length. */
static bool has_room(weir__lists *lists, uint64_t count) {
    if (lists->numbers.count + count + 1 > weir__limits.places) lists->full = true;
    if (lists->full) return false;
    weir_vector_reserve(&lists->numbers, (size_t)count + 1);
    return true;
}

/* The list that was written behind the last one, or the same from before. */
static uint32_t keep(weir__lists *lists) {
    if (lists->known >= lists->table_size / 2) grow_table(lists);
    const uint32_t *made = lists->numbers.items + lists->numbers.count;
    uint32_t *slot = find_slot(lists, made);
    if (!*slot) {
        *slot = (uint32_t)lists->numbers.count;
        lists->numbers.count += made[0] + (size_t)1;
        lists->known++;
    }
    return *slot;
}

uint32_t weir__lists_single(weir__lists *lists, uint32_t number) {
    if (!has_room(lists, 1)) return 0;
    uint32_t made = (uint32_t)lists->numbers.count;
    *weir_vector_push(&lists->numbers) = 1;
    *weir_vector_push(&lists->numbers) = number;
    return made; /* not in the table: no union comes to it, but one with itself */
}

static bool is_part(const uint32_t *part, const uint32_t *whole) {
    if (part[0] > whole[0]) return false;
    uint32_t j = 1;
    for (uint32_t i = 1; i <= part[0]; i++) {
        while (j <= whole[0] && whole[j] < part[i]) j++;
        if (j > whole[0] || whole[j] != part[i]) return false;
    }
    return true;
}

uint32_t weir__lists_unite(weir__lists *lists, uint32_t a, uint32_t b) {
    if (a == b || !b) return a;
    if (!a) return b;
    const uint32_t *x = lists->numbers.items + a, *y = lists->numbers.items + b;
    if (is_part(y, x)) return a;
    if (is_part(x, y)) return b;
    if (!has_room(lists, (uint64_t)x[0] + y[0])) return a;
    x = lists->numbers.items + a;
    y = lists->numbers.items + b;
    uint32_t *out = lists->numbers.items + lists->numbers.count, i = 1, j = 1, count = 0;
    while (i <= x[0] || j <= y[0]) {
        uint32_t next = j > y[0] || (i <= x[0] && x[i] <= y[j]) ? x[i] : y[j];
        if (i <= x[0] && x[i] == next) i++;
        if (j <= y[0] && y[j] == next) j++;
        out[++count] = next;
    }
    out[0] = count;
    return keep(lists);
}
