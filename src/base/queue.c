#include "base/queue.h"

void weir_queue_deinit(weir_queue *queue) {
    weir_free(queue->items);
    *queue = (weir_queue){0};
}

static void make_room(weir_queue *queue) {
    if (queue->count < queue->capacity) return;
    weir_queue bigger = {.capacity = queue->capacity ? queue->capacity * 2 : 16};
    bigger.items = weir_alloc(bigger.capacity * sizeof *bigger.items);
    while (weir_queue_take(queue, &bigger.items[bigger.count])) bigger.count++;
    weir_free(queue->items);
    *queue = bigger;
}

void weir_queue_put_first(weir_queue *queue, uint64_t item) {
    make_room(queue);
    queue->head = (queue->head - 1) & (queue->capacity - 1);
    queue->items[queue->head] = item;
    queue->count++;
}

void weir_queue_put(weir_queue *queue, uint64_t item) {
    make_room(queue);
    queue->items[(queue->head + queue->count++) & (queue->capacity - 1)] = item;
}

bool weir_queue_first(const weir_queue *queue, uint64_t *item) {
    if (!queue->count) return false;
    *item = queue->items[queue->head];
    return true;
}

bool weir_queue_take(weir_queue *queue, uint64_t *item) {
    if (!weir_queue_first(queue, item)) return false;
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
    return true;
}
