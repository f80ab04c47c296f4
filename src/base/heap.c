#include "base/heap.h"

#include <stdbool.h>

static void swap(weir_moment *a, weir_moment *b) {
    weir_moment c = *a;
    *a = *b;
    *b = c;
}

static bool before(const weir_moment *a, const weir_moment *b) {
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->item < b->item;
}

void weir_heap_add(weir_heap *heap, weir_moment moment) {
    *weir_vector_push(heap) = moment;
    for (size_t i = heap->count - 1; i > 0; i = (i - 1) / 2) {
        if (!before(&heap->items[i], &heap->items[(i - 1) / 2])) break;
        swap(&heap->items[i], &heap->items[(i - 1) / 2]);
    }
}

const weir_moment *weir_heap_first(const weir_heap *heap) {
    return heap->count ? &heap->items[0] : NULL;
}

weir_moment weir_heap_take(weir_heap *heap) {
    weir_assert(heap->count);
    weir_moment first = heap->items[0];
    heap->items[0] = heap->items[--heap->count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < heap->count && before(&heap->items[child], &heap->items[least]))
                least = child;
        if (least == i) return first;
        swap(&heap->items[i], &heap->items[least]);
        i = least;
    }
}
