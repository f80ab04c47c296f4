#include "engine/values.h"

#include <stdio.h>

#include "engine/engine_internal.h"
#include "store/sha256.h"

enum {
    ROUNDS_MAX = 8, /* at a time in an engine: each has a thread, */
    PUTTERS = 4     /* or so many, while it puts */
};

/* --- coming in -------------------------------------------------------------------------------- */

static bool fetch(void *arg, const unsigned char digest[WEIR_PART_DIGEST_BYTES], uint64_t size,
                  weir_buffer *out, weir_error *error) {
    weir__values *values = arg;
    char name[WEIR_BLOB_DIGEST_LENGTH + 1];
    weir_blob_digest_format(digest, name);
    return weir__values_fetch(values->engine, values->run, weir_str_from(name), size, out, error);
}

void weir__values_init(weir__values *values, weir_engine *engine, const char *run) {
    *values = (weir__values){.engine = engine};
    snprintf(values->run, sizeof values->run, "%s", run);
    if (engine->state) values->parts = weir_parts_new(WEIR__VALUE_BYTES, fetch, values);
}

void weir__values_deinit(weir__values *values) {
    weir_parts_free(values->parts);
    values->parts = NULL;
}

/* --- going out -------------------------------------------------------------------------------- */

typedef struct leaving {
    struct leaving *next;
    weir__departure departure;
    weir__record record;
    weir_places places;
} leaving;

/* The batches of one run that wait for their values. It outlives the run while a thread works on it. */
struct weir__departures {
    weir_engine *engine;
    char owner[sizeof WEIR__RUN_OWNER_PREFIX + WEIR_RUN_ID_LENGTH];
    weir_run *run;    /* NULL: it went away, */
    atomic_bool left; /* and nobody needs what is being put */
    leaving *first, *last;
    leaving *next_round;            /* the first that is not of this round */
    WEIR_VECTOR(weir_part *) parts; /* of this round, each behind what is within it; held */
    weir_blobs *blobs;
    void (*work)(weir__departures *d); /* on a thread; then `worked` on the loop's */
    void (*worked)(weir__departures *d);
    bool ok;
    weir_error error;   /* unless it is ok */
    atomic_size_t next; /* part that is to be put */
    atomic_bool failed;
};

static const char *id_of(const weir__departures *d) {
    return d->owner + sizeof WEIR__RUN_OWNER_PREFIX - 1;
}

static void drop_parts(weir__departures *d) {
    for (size_t i = 0; i < d->parts.count; i++) weir_part_unref(d->parts.items[i]);
    d->parts.count = 0;
}

static leaving *take_first(weir__departures *d) {
    leaving *l = d->first;
    d->first = l->next;
    if (!d->first) d->last = NULL;
    return l;
}

static void free_leaving(leaving *l) {
    weir_free(l->record.memory);
    weir_places_deinit(&l->places);
    weir_free(l);
}

/* They are not written; why is told to each. */
static void refuse_all(weir__departures *d, const weir_error *why) {
    d->next_round = NULL;
    while (d->first) {
        leaving *l = take_first(d);
        weir_buffer_deinit(&l->departure.bytes);
        weir_buffer_deinit(&l->departure.rows);
        weir__memo_drop(l->departure.memos);
        l->departure.done(l->departure.arg, why);
        free_leaving(l);
    }
}

static void end(weir__departures *d) {
    drop_parts(d);
    weir_vector_deinit(&d->parts);
    if (d->run) d->run->departures = NULL;
    weir_free(d);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void begin_work(weir__departures *d);

static void work(void *arg) {
    weir__departures *d = arg;
    d->work(d);
}

static void worked(void *arg) {
    weir__departures *d = arg;
    weir_engine *engine = d->engine;
    engine->rounds--;
    if (engine->rounds_waiting.count) {
        weir__departures *next = engine->rounds_waiting.items[0];
        engine->rounds_waiting.count--;
        memmove(engine->rounds_waiting.items, engine->rounds_waiting.items + 1,
                engine->rounds_waiting.count * sizeof(weir__departures *));
        begin_work(next);
    }
    d->worked(d);
}

/* Not on the pool, where operations would wait for a slow network. */
static void begin_work(weir__departures *d) {
    d->engine->rounds++;
    weir_thread_run(d->engine->loop, work, worked, d);
}

static void have_worked(weir__departures *d, void (*on_thread)(weir__departures *d),
                        void (*then)(weir__departures *d)) {
    d->work = on_thread;
    d->worked = then;
    if (d->engine->rounds < ROUNDS_MAX)
        begin_work(d);
    else
        *weir_vector_push(&d->engine->rounds_waiting) = d;
}

void weir__values_end_jobs(weir_engine *engine) {
    while (engine->rounds) weir_loop_once(engine->loop, true);
    weir_vector_deinit(&engine->rounds_waiting);
}

/* --- a round ---------------------------------------------------------------------------------- */

static void begin_round(weir__departures *d);

static void append(weir__departures *d, leaving *l) {
    weir__departure *what = &l->departure;
    weir_places_fill(&l->places, &what->bytes);
    weir_store_append(d->engine->store, weir_str_from(id_of(d)), what->sequence, what->bytes,
                      what->rows, what->record ? &l->record.record : NULL, what->done, what->arg);
    weir__memo_write(d->engine, what->memos);
    free_leaving(l);
}

/* The round is over. What an append comes to is told later, so nothing comes in between. */
static void finish_round(weir__departures *d) {
    if (!d->run) {
        end(d);
        return;
    }
    if (!d->ok) weir_error_context(&d->error, "large values of run %s", d->run->name);
    if (!d->ok) refuse_all(d, &d->error);
    drop_parts(d);
    while (d->first != d->next_round) append(d, take_first(d));
    if (d->first)
        begin_round(d);
    else
        end(d);
}

static bool put_part(const weir__departures *d, weir_part *part, weir_error *error) {
    char digest[WEIR_BLOB_DIGEST_LENGTH + 1];
    weir_blob blob;
    weir_blob_digest_format(part->name.digest, digest);
    return weir_blob_put_bytes(d->blobs, weir_part_content(part), weir_str_from(digest),
                               weir_str_from(d->owner), &blob, error);
}

/* The first that fails says why. */
static void *put_some(void *arg) {
    weir__departures *d = arg;
    weir_error error;
    for (;;) {
        size_t i = atomic_fetch_add(&d->next, 1);
        if (i >= d->parts.count || atomic_load(&d->left) || atomic_load(&d->failed)) return NULL;
        if (!put_part(d, d->parts.items[i], &error) && !atomic_exchange(&d->failed, true))
            d->error = error;
    }
}

/* Each waits for the disk or the network most of the time. */
static void put_parts(weir__departures *d) {
    pthread_t helpers[PUTTERS - 1];
    size_t count = 0;
    atomic_store(&d->next, 0);
    atomic_store(&d->failed, false);
    while (count < PUTTERS - 1 && count + 1 < d->parts.count &&
           weir_thread_start(&helpers[count], put_some, d) == 0)
        count++;
    put_some(d);
    while (count) pthread_join(helpers[--count], NULL);
    d->ok = !atomic_load(&d->failed);
}

static void parts_are_put(weir__departures *d) {
    for (size_t i = 0; d->ok && d->run && i < d->parts.count; i++)
        weir_part_note_kept(d->parts.items[i]);
    finish_round(d);
}

static void references_are_noted(void *arg, const weir_error *error) {
    weir__departures *d = arg;
    d->ok = !error;
    if (error) d->error = *error;
    if (d->ok && d->run && !d->engine->closing)
        have_worked(d, put_parts, parts_are_put);
    else
        finish_round(d);
}

static void note_references(weir__departures *d) {
    weir_buffer place = {0};
    if (!weir__values_place(d->engine, &place, &d->error)) {
        d->ok = false;
        finish_round(d);
        return;
    }
    weir_reference *references = weir_alloc(d->parts.count * sizeof *references);
    char(*digests)[WEIR_BLOB_DIGEST_LENGTH + 1] = weir_alloc(d->parts.count * sizeof *digests);
    for (size_t i = 0; i < d->parts.count; i++) {
        weir_blob_digest_format(d->parts.items[i]->name.digest, digests[i]);
        references[i] = (weir_reference){.run = weir_str_from(id_of(d)),
                                         .digest = weir_str_from(digests[i]),
                                         .place = weir_buffer_str(&place),
                                         .size = d->parts.items[i]->size};
    }
    weir_store_refer(d->engine->store, references, d->parts.count, weir__now_us(d->engine),
                     references_are_noted, d);
    weir_free(digests);
    weir_free(references);
    weir_buffer_deinit(&place);
}

/* Values that are the same as others, which are kept, need not be put. */
static void parts_are_named(weir__departures *d) {
    size_t left = 0;
    if (!d->ok || !d->run) {
        finish_round(d);
        return;
    }
    for (size_t i = 0; i < d->parts.count; i++) {
        weir_part *part = d->parts.items[i];
        if (!weir_parts_note(d->run->values.parts, part)) {
            d->parts.items[left++] = part;
            continue;
        }
        weir_part_note_kept(part);
        weir_part_unref(part);
    }
    d->parts.count = left;
    if (left)
        note_references(d);
    else
        finish_round(d);
}

static void name_parts(weir__departures *d) {
    const weir__sha256_functions *sha256;
    if (!(d->ok = weir__sha256_open(&sha256, &d->error))) return;
    weir__sha256 *hash = sha256->begin();
    for (size_t i = 0; i < d->parts.count; i++) {
        weir_part *part = d->parts.items[i];
        if (part->size > WEIR__VALUE_BYTES_MAX) { /* nobody would read it again */
            d->ok = weir_fail(&d->error, WEIR_LIMIT,
                              "a value of %llu bytes is more than a run that is kept may have (%d)",
                              (unsigned long long)part->size, WEIR__VALUE_BYTES_MAX);
            weir_error_hint(&d->error, "files, parts, or --durability none, which keeps nothing");
            break;
        }
        weir_str content = weir_part_content(part);
        if (part->named) continue;
        sha256->add(hash, content.data, content.length);
        sha256->take(hash, part->name.digest);
        part->named = true;
    }
    sha256->end(hash);
}

static void do_nothing(weir__departures *d) {
    (void)d;
}

/* Each part once, behind those within it. */
static void gather(weir__departures *d, const weir_places *places) {
    for (size_t i = 0; i < places->count; i++) {
        weir_part *part = places->items[i].part;
        if (part->kept || part->gathered) continue;
        gather(d, &part->inner);
        part->gathered = true;
        *weir_vector_push(&d->parts) = weir_part_ref(part);
    }
}

/* All that waits: what comes from now on is of the next. */
static void begin_round(weir__departures *d) {
    d->next_round = NULL;
    d->ok = true;
    for (const leaving *l = d->first; l; l = l->next) gather(d, &l->places);
    for (size_t i = 0; i < d->parts.count; i++) d->parts.items[i]->gathered = false;
    if (!d->parts.count) {
        finish_round(d);
        return;
    }
    d->ok = weir__blobs_open(d->engine, true, &d->error);
    d->blobs = d->engine->blobs;
    /* What fails is told later, too: nobody expects it while his batch is written. */
    have_worked(d, d->ok ? name_parts : do_nothing, parts_are_named);
}

/* --- the run ---------------------------------------------------------------------------------- */

void weir__values_depart(weir_run *run, weir_places *places, const weir__departure *departure) {
    weir__departures *d = run->departures;
    bool begins = !d;
    leaving *l = weir_alloc(sizeof *l);
    l->departure = *departure;
    l->places = *places;
    *places = (weir_places){0};
    if (departure->record) l->record = weir__record_copy(departure->record);
    if (begins) {
        d = run->departures = weir_alloc(sizeof *d);
        d->engine = run->engine;
        d->run = run;
        snprintf(d->owner, sizeof d->owner, WEIR__RUN_OWNER_PREFIX "%s", run->id);
    }
    *(d->first ? &d->last->next : &d->first) = l;
    d->last = l;
    if (begins)
        begin_round(d);
    else if (!d->next_round)
        d->next_round = l;
}

void weir__values_leave(weir_run *run) {
    weir__departures *d = run->departures;
    weir_error why;
    if (!d) return;
    weir_fail(&why, WEIR_CANCELLED, "the run was left");
    refuse_all(d, &why);
    d->run = NULL;
    atomic_store(&d->left, true);
    run->departures = NULL;
    for (size_t i = 0; i < d->engine->rounds_waiting.count; i++) {
        if (d->engine->rounds_waiting.items[i] != d) continue;
        d->engine->rounds_waiting.count--;
        memmove(d->engine->rounds_waiting.items + i, d->engine->rounds_waiting.items + i + 1,
                (d->engine->rounds_waiting.count - i) * sizeof(weir__departures *));
        end(d);
        return;
    }
}
