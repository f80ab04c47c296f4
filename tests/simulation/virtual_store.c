#include "virtual_store.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    WRITE_US_MAX = 20 * 1000,
    NOTICE_US = 200,
    CRASH_CHANCE = 8,
    PAGES_MAX = 40,
    WAIT_US = 4 * 1000,       /* until the store's thread looks again whether something is due */
    WAITS_US = 60 * 1000,     /* after a write */
    BATCH_US_MAX = 20 * 1000, /* what `--durability batch` promises */
};

static const char run[] = "0000000000simulation";

static void drop_batches(virtual_store *store, size_t left) {
    while (store->batches.count > left)
        weir_batch_deinit(&store->batches.items[--store->batches.count]);
}

void virtual_store_deinit(virtual_store *store) {
    if (store->real && store->disk) disk_store_kill(store->disk, store->real);
    drop_batches(store, 0);
    weir_vector_deinit(&store->batches);
    weir_vector_deinit(&store->done_us);
    weir_free(store->failure);
}

/* --- the model ------------------------------------------------------------------------------ */

static void finish_batch(virtual_store *store) {
    weir_batch batch = store->batches.items[store->done++];
    store->on_done(store->arg, &batch);
}

static void end_write(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    finish_batch(store);
    if (store->crash_wanted) store->on_crash(store->arg);
}

/* Whether the process dies at this write; *after: once it is done. */
static bool crashes_here(virtual_store *store, bool *after) {
    bool crash = ++store->written == store->crash_at;
    *after = store->crash_after;
    if (store->crashes_left && simulation_draw(store->sim, CRASH_CHANCE) == 0) {
        store->crashes_left--;
        crash = true;
        *after = simulation_draw(store->sim, 2);
    }
    return crash;
}

/* The large values of the batch that is next to become durable. */
static void put_values(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    bool after, crash = crashes_here(store, &after);
    if (!crash || after)
        virtual_blobs_put(store->blobs, &store->batches.items[store->durable].places);
    if (crash) store->on_crash(store->arg);
}

static void become_durable(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    bool after, crash = crashes_here(store, &after);
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

static void append_to_model(virtual_store *store) {
    uint64_t at = store->sim->now_us + 50 + simulation_draw(store->sim, WRITE_US_MAX);
    if (at < store->last_us) at = store->last_us;
    store->last_us = at;
    if (store->batches.items[store->batches.count - 1].places.count)
        simulation_add(store->sim, at - store->sim->now_us, put_values, store, store->life);
    simulation_add(store->sim, at - store->sim->now_us, become_durable, store, store->life);
}

/* --- on a disk ------------------------------------------------------------------------------ */

typedef struct waiting {
    virtual_store *store;
    uint64_t life;
} waiting;

/* What is told to be durable has to be on the server's disk. */
static void check_kept(const virtual_store *store, size_t at) {
    const virtual_server *server = store->server;
    if (server->kept.batches <= at ||
        !weir_str_equal(weir_buffer_str(&server->journal.items[at].bytes),
                        weir_buffer_str(&store->batches.items[at].bytes)))
        simulation_problem(store->sim, "batch %zu is told to be durable, and is not", at + 1);
}

/* The store says that the next batch is durable, or why it is not. */
static void on_appended(void *arg, const weir_error *error) {
    waiting w = *(waiting *)arg;
    virtual_store *store = w.store;
    weir_free(arg);
    if (w.life == store->left && w.life != store->life && !error && !store->crash_wanted)
        simulation_problem(store->sim, "an engine wrote whose run another one has");
    if (w.life != store->life || store->crash_wanted || store->failure) return;
    if (error) {
        store->failure = weir_alloc(sizeof *store->failure);
        *store->failure = *error;
        return;
    }
    store->written++;
    const weir_batch *batch = &store->batches.items[store->durable++];
    *weir_vector_push(&store->done_us) = store->sim->now_us;
    if (store->server)
        check_kept(store, store->durable - 1);
    else
        journal_add(store->journal, weir_buffer_str(&batch->bytes));
    finish_batch(store);
}

static void deliver(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    disk_store_deliver();
    if (store->crash_wanted)
        store->on_crash(store->arg);
    else if (store->failure)
        store->on_failed(store->arg, store->failure);
}

/* What was written is brought to the disk when that is due. */
static void look_again(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    disk_store_turn(store->real);
    if (store->disk->dead)
        store->on_crash(store->arg);
    else if (store->sim->now_us < store->look_until_us)
        simulation_add(store->sim, WAIT_US, look_again, store, life);
}

static void look_for_a_while(virtual_store *store) {
    bool looks = store->sim->now_us < store->look_until_us;
    store->look_until_us = store->sim->now_us + WAITS_US;
    if (!looks) simulation_add(store->sim, WAIT_US, look_again, store, store->life);
}

static void turn(void *arg, uint64_t life) {
    virtual_store *store = arg;
    if (life != store->life) return;
    store->turn_asked = false;
    store->disk->took_us = 0;
    disk_store_turn(store->real);
    store->last_us = store->sim->now_us + store->disk->took_us;
    if (store->disk->dead)
        store->on_crash(store->arg);
    else
        simulation_add(store->sim, store->disk->took_us + NOTICE_US, deliver, store, store->life);
    if (store->batch && !store->disk->dead && life == store->life) look_for_a_while(store);
}

static bool is_end(const char *phase) {
    return strcmp(phase, "Running") != 0 && strcmp(phase, "Suspended") != 0;
}

static void append_to_real(virtual_store *store, const char *phase) {
    const weir_batch *batch = &store->batches.items[store->batches.count - 1];
    weir_run_record record = {.id = weir_str_from(run),
                              .name = WEIR_STR("simulation"),
                              .kind = WEIR_STR("simulated"),
                              .phase = weir_str_from(phase ? phase : ""),
                              .owner = store->server ? weir_str_from(store->owner)
                                                     : WEIR_STR("simulator"),
                              .finished_us = phase && is_end(phase)};
    weir_buffer copy = {0};
    waiting *w = weir_alloc(sizeof *w);
    *w = (waiting){store, store->life};
    weir_buffer_str_append(&copy, weir_buffer_str(&batch->bytes));
    weir_store_append(store->real, record.id, store->batches.count, copy, (weir_buffer){0},
                      phase ? &record : NULL, on_appended, w);
}

static void ask_turn(virtual_store *store) {
    if (store->turn_asked) return;
    store->turn_asked = true;
    uint64_t now = store->sim->now_us, at = now + 50 + simulation_draw(store->sim, WRITE_US_MAX);
    if (at < store->last_us) at = store->last_us;
    simulation_add(store->sim, at - now, turn, store, store->life);
}

static bool take_batch(void *arg, uint64_t sequence, weir_str bytes) {
    virtual_store *store = arg;
    weir_assert(sequence == store->batches.count + 1);
    weir_buffer copy = {0};
    weir_buffer_str_append(&copy, bytes);
    *weir_vector_push(&store->batches) = (weir_batch){.bytes = copy};
    return true;
}

bool virtual_store_lease(virtual_store *store, uint64_t process, weir_error *error) {
    weir_str id = weir_str_from(run);
    drop_batches(store, 0);
    bool ok =
        lease_store_open(store->engine, process, &store->real, store->owner, error) &&
        weir_store_read(store->real, id, 1, take_batch, store, error) &&
        weir_store_own(store->real, id, error) &&
        weir_store_read(store->real, id, store->batches.count + 1, take_batch, store, error) &&
        weir_store_holds(store->real, id, error);
    store->durable = store->done = store->batches.count;
    return ok;
}

/* What is read has to be what was appended; what nobody was told of may be there. */
static bool visit(void *arg, uint64_t sequence, weir_str bytes) {
    virtual_store *store = arg;
    if (sequence > store->batches.count) {
        simulation_problem(store->sim, "batch %" PRIu64 " is there, which nobody wrote", sequence);
        return false;
    }
    weir_str appended = weir_buffer_str(&store->batches.items[sequence - 1].bytes);
    if (!weir_str_equal(bytes, appended)) {
        simulation_problem(store->sim, "batch %" PRIu64 " is not what was written", sequence);
        return false;
    }
    store->read = sequence;
    return true;
}

/* With the power what was told just before may go; on a disk that is well, no more than is promised. */
static void lose(virtual_store *store) {
    uint64_t told_us = store->done_us.items[store->read];
    if (!store->unwell && told_us + BATCH_US_MAX < store->died_us)
        simulation_problem(store->sim,
                           "batch %zu was told to be durable %" PRIu64
                           " us before the power was cut, and is lost",
                           store->read + 1, store->died_us - told_us);
    drop_batches(store, store->read);
    store->durable = store->done = store->read;
    store->done_us.count = store->read;
    store->on_lost(store->arg);
}

static bool read_all(virtual_store *store, weir_error *error) {
    store->read = 0;
    bool ok = weir_store_read(store->real, weir_str_from(run), 1, visit, store, error);
    if (!ok || store->sim->problem[0]) return ok;
    bool excused = store->batch && store->cut;
    if (store->read < store->durable && !excused)
        simulation_problem(store->sim, "batch %zu was durable, and is lost", store->read + 1);
    else if (store->read < store->durable)
        lose(store);
    return true;
}

/* What was read is settled, and counts from now on. */
static void adopt(virtual_store *store) {
    for (size_t i = store->durable; i < store->read; i++) {
        journal_add(store->journal, weir_buffer_str(&store->batches.items[i].bytes));
        *weir_vector_push(&store->done_us) = store->sim->now_us;
    }
    drop_batches(store, store->read);
    store->durable = store->done = store->read;
}

typedef struct listed {
    char phase[16];
} listed;

static void note_listed(void *arg, const weir_run_record *record) {
    listed *l = arg;
    snprintf(l->phase, sizeof l->phase, "%.*s", WEIR_ARG(record->phase));
}

/* The list of runs and the journal are written together. */
static bool check_list(virtual_store *store, weir_error *error) {
    listed l = {""};
    if (store->is_old && !disk_store_has_old(store->real))
        return weir_fail(error, WEIR_STORE, "what a state of version 1 had is not there");
    if (!store->durable) return true;
    if (!weir_store_find(store->real, weir_str_from(run), note_listed, &l, error)) return false;
    bool goes_on = !is_end(l.phase);
    if (!store->sim->problem[0] && goes_on == store->journal->finished)
        simulation_problem(store->sim, "the list says that the run is %s, the journal does not",
                           l.phase);
    return true;
}

bool virtual_store_open(virtual_store *store) {
    weir_error error = {0};
    if (!store->disk) return true;
    int pages = 1 + (int)simulation_draw(store->sim, PAGES_MAX);
    bool ok =
        disk_store_open(store->disk, store->is_old, pages, store->batch, &store->real, &error) &&
        read_all(store, &error) && weir_store_settle(store->real, &error);
    if (ok && !store->sim->problem[0]) {
        adopt(store);
        ok = check_list(store, &error);
        store->cut = store->unwell = false;
        store->look_until_us = 0;
    }
    bool excused = store->disk->dead ||
                   (store->disk->fault_at && store->disk->operations >= store->disk->fault_at);
    if (!ok) simulation_trace(store->sim, "the store cannot be opened: %s", error.message);
    if (!ok && !excused)
        simulation_problem(store->sim, "the store cannot be opened: %s", error.message);
    return ok && !store->sim->problem[0];
}

/* --- both ----------------------------------------------------------------------------------- */

void virtual_store_append(virtual_store *store, weir_batch batch, const char *phase) {
    virtual_blobs_name(&batch.places, &batch.bytes);
    *weir_vector_push(&store->batches) = batch;
    if (store->disk) virtual_blobs_put(store->blobs, &batch.places);
    if (store->disk || store->server) append_to_real(store, phase);
    if (store->disk)
        ask_turn(store);
    else if (store->server)
        store->on_append(store->arg);
    else
        append_to_model(store);
}

static void end_life(virtual_store *store) {
    store->unwell |= store->disk && (store->disk->slow || store->disk->fault_at);
    store->life++;
    store->last_us = 0;
    store->crash_wanted = store->turn_asked = false;
    weir_free(store->failure);
    store->failure = NULL;
}

void virtual_store_crash(virtual_store *store, bool cut) {
    end_life(store);
    if (!store->disk) {
        drop_batches(store, store->durable);
        store->done = store->durable;
        return;
    }
    disk_store_kill(store->disk, store->real);
    store->real = NULL;
    store->died_us = store->sim->now_us;
    store->cut |= cut;
    if (cut) virtual_disk_cut_power(store->disk);
}

void virtual_store_close(virtual_store *store) {
    end_life(store);
    if (store->real) weir_store_close(store->real);
    store->real = NULL;
    if (store->server)
        lease_store_deliver(store->engine);
    else
        disk_store_deliver();
}

weir_store *virtual_store_leave(virtual_store *store) {
    weir_store *real = store->real;
    store->crash_wanted = true; /* what was written before nobody hears of */
    disk_store_deliver();
    store->left = store->life;
    end_life(store);
    store->real = NULL;
    return real;
}

/* As many as reach beyond what the other has written: none of them may be taken, the last neither. */
void virtual_store_wake(virtual_store *store, weir_store *own, uint64_t sequence,
                        weir_batch batch) {
    virtual_blobs_name(&batch.places, &batch.bytes);
    for (uint64_t at = sequence; at <= store->durable + 1; at++) {
        waiting *w = weir_alloc(sizeof *w);
        weir_buffer copy = {0};
        *w = (waiting){store, store->left};
        weir_buffer_str_append(&copy, weir_buffer_str(&batch.bytes));
        weir_store_append(own, weir_str_from(run), at, copy, (weir_buffer){0}, NULL, on_appended,
                          w);
    }
    weir_batch_deinit(&batch);
    disk_store_turn(own);
    disk_store_deliver();
    weir_store_close(own);
    disk_store_deliver();
}

/* What was changed since is no event. */
static void check_damage(virtual_store *store) {
    uint64_t sequence = 1 + simulation_draw(store->sim, store->done);
    weir_buffer damaged = {0};
    weir_error error = {0};
    char name[32];
    weir_buffer_str_append(&damaged, weir_buffer_str(&store->batches.items[sequence - 1].bytes));
    damaged.data[simulation_draw(store->sim, damaged.length)] ^=
        (char)(1 << simulation_draw(store->sim, 7));
    disk_store_damage(store->real, weir_str_from(run), sequence, weir_buffer_str(&damaged));
    weir_buffer_deinit(&damaged);
    snprintf(name, sizeof name, "batch %" PRIu64 " ", sequence);
    if (weir_store_read(store->real, weir_str_from(run), 1, visit, store, &error))
        simulation_problem(store->sim, "batch %" PRIu64 " is damaged, and is read", sequence);
    else if (!strstr(error.message, name))
        simulation_problem(store->sim, "batch %" PRIu64 " is damaged, but: %s", sequence,
                           error.message);
}

void virtual_store_check(virtual_store *store, const char *phase) {
    if (!store->disk) return;
    size_t done = store->done;
    listed l = {""};
    weir_error error = {0};
    store->disk->fault_at = store->disk->crash_at = 0;
    if (store->batch) virtual_store_close(store); /* which brings all to the disk */
    virtual_store_crash(store, true);
    store->cut = false;
    if (!virtual_store_open(store)) return;
    if (store->done != done) simulation_problem(store->sim, "after a power cut the end is lost");
    if (!weir_store_find(store->real, weir_str_from(run), note_listed, &l, &error) ||
        strcmp(l.phase, phase) != 0)
        simulation_problem(store->sim, "the list says that the run is %s, not %s", l.phase, phase);
    if (!weir_store_check(store->real, &error))
        simulation_problem(store->sim, "the store is damaged: %s", error.message);
    if (!store->sim->problem[0]) check_damage(store);
}
