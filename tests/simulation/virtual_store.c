#include "virtual_store.h"

enum { WRITE_US_MAX = 20 * 1000, NOTICE_US = 200, CRASH_CHANCE = 8 };

void virtual_store_deinit(virtual_store *store) {
    for (size_t i = 0; i < store->batches.count; i++) weir_batch_deinit(&store->batches.items[i]);
    weir_vector_deinit(&store->batches);
}

static void end_write(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    weir_batch batch = store->batches.items[store->done++];
    store->on_done(store->arg, &batch);
}

static void become_durable(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    bool crash = ++store->written == store->crash_at, after = store->crash_after;
    if (store->crashes_left && simulation_draw(store->sim, CRASH_CHANCE) == 0) {
        store->crashes_left--;
        crash = true;
        after = simulation_draw(store->sim, 2);
    }
    if (crash && !after) {
        store->on_crash(store->arg);
        return;
    }
    const weir_batch *batch = &store->batches.items[store->durable++];
    if (!store->unrecorded) journal_add(store->journal, weir_buffer_str(&batch->bytes));
    if (crash)
        store->on_crash(store->arg);
    else
        simulation_add(store->sim, NOTICE_US, end_write, store, store->life);
}

void virtual_store_append(virtual_store *store, weir_batch batch) {
    *weir_vector_push(&store->batches) = batch;
    uint64_t at = store->sim->now_us + 50 + simulation_draw(store->sim, WRITE_US_MAX);
    if (at < store->last_us) at = store->last_us;
    store->last_us = at;
    simulation_add(store->sim, at - store->sim->now_us, become_durable, store, store->life);
}

void virtual_store_crash(virtual_store *store) {
    while (store->batches.count > store->durable)
        weir_batch_deinit(&store->batches.items[--store->batches.count]);
    store->done = store->durable;
    store->life++;
}
