/* A queue of numbers: first in, first out, in a ring that grows. One thread. */
#ifndef WEIR_BASE_QUEUE_H
#define WEIR_BASE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct weir_queue {
    uint64_t *items;
    size_t head, count, capacity; /* capacity is 0 or a power of two */
} weir_queue;

void weir_queue_deinit(weir_queue *queue);
void weir_queue_put(weir_queue *queue, uint64_t item);
/* Before the oldest. */
void weir_queue_put_first(weir_queue *queue, uint64_t item);
/* The oldest stays; false when there is none. */
bool weir_queue_first(const weir_queue *queue, uint64_t *item);
/* Removes the oldest; false when there is none. */
bool weir_queue_take(weir_queue *queue, uint64_t *item);

#endif
