#include "image/pull_layers.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "image/registry_internal.h"
#include "io/crew.h"

enum {
    REPORT_MS = 100,
    RENEWED_MAX = 5 /* for one layer */
};

typedef enum phase { WANTED, COMING, HERE, UNPACKING, DONE } phase;

typedef struct pulling pulling;

typedef struct layer {
    weir_job job; /* first */
    pulling *pulling;
    const weir__described *blob;
    char diff_id[72];
    phase phase;
    /* Of a download. */
    weir__fetch_client *client;
    char *authorization;
    uint32_t renewed,
        asked_again; /* the registry's token that it was begun with; how often it was begun */
    weir__challenge challenge;
    weir__image_part *part;
    uint64_t counted; /* bytes that are part of the pull's */
    bool resumed;
    weir__blob_end end;
    bool failed;
    weir_error error;
} layer;

struct pulling {
    weir_image_store *store;
    weir__registry *registry;
    const weir_image_watch *watch;
    WEIR_VECTOR(layer) layers;                         /* each blob once */
    weir__fetch_client *clients[WEIR__PULL_DOWNLOADS]; /* NULL: lent */
    uint32_t coming, unpacking, unpacks_max;
    atomic_bool ended; /* one has failed: the others need not go on */
    _Atomic uint64_t bytes;
    _Atomic int64_t reported_ms;
    atomic_uint unpacked;
    uint64_t bytes_all;
};

static bool goes_on(void *arg) {
    pulling *p = arg;
    return !atomic_load(&p->ended) && (!p->watch->goes_on || p->watch->goes_on(p->watch->arg));
}

/* One thread at a time, as who comes first within a span is the only one. */
static void report(pulling *p, bool now) {
    int64_t last = atomic_load(&p->reported_ms), ms = weir__registry_now_ms();
    if (!p->watch->progress || (!now && ms - last < REPORT_MS)) return;
    if (!atomic_compare_exchange_strong(&p->reported_ms, &last, ms)) return;
    p->watch->progress(p->watch->arg, &(weir_image_progress){
                                          .what = "pulling",
                                          .bytes = atomic_load(&p->bytes),
                                          .bytes_all = p->bytes_all,
                                          .parts = atomic_load(&p->unpacked),
                                          .parts_all = (uint32_t)p->layers.count,
                                      });
}

static void count_bytes(layer *l, uint64_t here) {
    atomic_fetch_add(&l->pulling->bytes, here - l->counted); /* also less, modulo 2^64 */
    l->counted = here;
    report(l->pulling, false);
}

/* --- one layer comes -------------------------------------------------------------------------- */

static bool restart(void *arg) {
    layer *l = arg;
    l->resumed = false;
    count_bytes(l, 0);
    return weir__image_part_restart(l->part, &l->error);
}

static bool write_part(void *arg, const void *data, size_t length) {
    layer *l = arg;
    if (!weir__image_part_write(l->part, data, length, &l->error)) return false;
    count_bytes(l, l->counted + length);
    return true;
}

static bool too_short(layer *l, uint64_t bytes) {
    return weir_fail(&l->error, WEIR_INVALID, "it sent %llu bytes of %s, which should have %llu",
                     (unsigned long long)bytes, l->blob->digest, (unsigned long long)l->blob->size);
}

/* What came is what was asked for, or it is begun anew, once, where a part of it was here before: that may have been the bad one. */
static bool commit(layer *l, const weir__blob_sink *sink) {
    weir__image_part *part = l->part;
    l->part = NULL;
    if (sink->offset != l->blob->size) {
        weir__image_part_leave(part);
        return too_short(l, sink->offset);
    }
    return weir__image_part_commit(part, &l->error);
}

static bool bring(layer *l) {
    pulling *p = l->pulling;
    weir__blob_sink sink = {.restart = restart, .write = write_part, .arg = l};
    weir_image_watch watch = {.goes_on = goes_on, .arg = p};
    if (!weir__image_part_open(p->store, l->blob->digest, l->blob->size, &watch, &l->part,
                               &sink.offset, &l->error))
        return false;
    l->resumed = l->part && sink.offset > 0;
    count_bytes(l, l->part ? sink.offset : l->blob->size);
    l->end = WEIR__BLOB_WHOLE;
    if (!l->part) return true;
    if (sink.offset < l->blob->size)
        l->end = weir__registry_blob(p->registry, l->client, l->authorization, l->blob->digest,
                                     &sink, &l->challenge, &l->error);
    if (l->end == WEIR__BLOB_WHOLE) return commit(l, &sink);
    weir__image_part_leave(l->part);
    l->part = NULL;
    return false;
}

static void work_bring(weir_job *job) {
    layer *l = (layer *)job;
    l->end = WEIR__BLOB_FAILED;
    bool ok = bring(l);
    if (!ok && l->error.code == WEIR_INVALID && l->resumed && l->end == WEIR__BLOB_WHOLE) {
        count_bytes(l, 0);
        ok = bring(l);
    }
    l->failed = !ok;
}

static void work_unpack(weir_job *job) {
    layer *l = (layer *)job;
    pulling *p = l->pulling;
    weir_image_watch watch = {.goes_on = goes_on, .arg = p};
    l->failed = !weir__image_unpack(p->store, l->blob->digest, l->blob->media_type, l->diff_id,
                                    &watch, &l->error);
    if (!l->failed) atomic_fetch_add(&p->unpacked, 1);
    report(p, false);
}

/* --- who leads -------------------------------------------------------------------------------- */

static void begin_bringing(pulling *p, layer *l) {
    const weir__registry *r = p->registry;
    size_t i = 0;
    while (!p->clients[i]) i++;
    l->client = p->clients[i];
    p->clients[i] = NULL;
    l->authorization = r->authorization ? weir_str_dup(weir_str_from(r->authorization)) : NULL;
    l->renewed = r->renewed;
    l->job.work = work_bring;
    l->phase = COMING;
    p->coming++;
}

static void take_back(pulling *p, layer *l) {
    size_t i = 0;
    while (p->clients[i]) i++;
    p->clients[i] = l->client;
    if (l->authorization) explicit_bzero(l->authorization, strlen(l->authorization));
    weir_free(l->authorization);
    l->authorization = NULL;
    l->client = NULL;
    p->coming--;
}

/* The next that can be begun; unpacking first, as it is what others wait for in the end. */
static layer *next_layer(pulling *p) {
    layer *found = NULL;
    for (size_t i = 0; i < p->layers.count; i++) {
        layer *l = &p->layers.items[i];
        if (l->phase == HERE && p->unpacking < p->unpacks_max) {
            l->job.work = work_unpack;
            l->phase = UNPACKING;
            p->unpacking++;
            return l;
        }
        if (!found && l->phase == WANTED && p->coming < WEIR__PULL_DOWNLOADS) found = l;
    }
    if (found) begin_bringing(p, found);
    return found;
}

/* A token was over: with another one it is asked again, unless one was had meanwhile. */
static bool ask_again(pulling *p, layer *l) {
    if (l->asked_again++ == RENEWED_MAX) return false;
    if (l->renewed == p->registry->renewed &&
        !weir__registry_renew(p->registry, &l->challenge, &l->error))
        return false;
    l->phase = WANTED;
    l->failed = false;
    return true;
}

static void take_done(pulling *p, layer *l, weir_error *error, bool *ok) {
    bool came = l->phase == COMING;
    if (came)
        take_back(p, l);
    else
        p->unpacking--;
    l->phase = came ? HERE : DONE;
    if (l->failed && came && *ok && l->end == WEIR__BLOB_UNAUTHORIZED && ask_again(p, l)) return;
    if (!l->failed) return;
    l->phase = DONE;
    /* The first is why; others may have ended because of it. */
    if (*ok && error) *error = l->error;
    *ok = false;
    atomic_store(&p->ended, true);
}

/* The next that is done. A job that nobody has taken up yet is not waited for by the crew, and is the leader's where it has no crew. */
static layer *wait_for_one(const weir_helpers *helpers) {
    for (;;) {
        weir_job *job = helpers->take_done(helpers->arg, true);
        if (job) return (layer *)job;
        if (helpers->threads == 1 && (job = helpers->take_left(helpers->arg))) {
            job->work(job);
            return (layer *)job;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000}, NULL);
    }
}

static bool lead(pulling *p, const weir_helpers *helpers, weir_error *error) {
    bool ok = true;
    for (;;) {
        for (layer *l; ok && (l = next_layer(p));) helpers->put(helpers->arg, &l->job);
        if (!p->coming && !p->unpacking) break;
        take_done(p, wait_for_one(helpers), error, &ok);
        if (ok) report(p, false);
    }
    return ok;
}

/* --- what there is to do ---------------------------------------------------------------------- */

static layer *same_blob(pulling *p, const char *digest) {
    for (size_t i = 0; i < p->layers.count; i++)
        if (strcmp(p->layers.items[i].blob->digest, digest) == 0) return &p->layers.items[i];
    return NULL;
}

static bool list_layers(pulling *p, const weir__manifest *manifest, const weir_value *config,
                        weir_error *error) {
    weir_vector_reserve(&p->layers, manifest->layers.count + 1); /* jobs do not move */
    for (size_t i = 0; i < manifest->layers.count; i++) {
        const weir__described *blob = &manifest->layers.items[i];
        weir_str diff_id = weir__config_diff_id(config, i);
        layer *before = same_blob(p, blob->digest);
        if (before && weir_str_is(diff_id, before->diff_id) && before->blob->size == blob->size)
            continue;
        if (before)
            return weir_fail(error, WEIR_INVALID,
                             "two layers of it are the same, and are told to be different");
        layer *l = weir_vector_push(&p->layers);
        *l = (layer){.pulling = p, .blob = blob};
        snprintf(l->diff_id, sizeof l->diff_id, "%.*s", WEIR_ARG(diff_id));
        p->bytes_all += blob->size;
        if (!weir__image_has_blob(p->store, blob->digest)) continue;
        l->phase = HERE;
        count_bytes(l, blob->size);
    }
    return true;
}

static uint32_t threads_for_unpacking(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < 1) return 1;
    return processors > WEIR__PULL_UNPACKS_MAX ? WEIR__PULL_UNPACKS_MAX : (uint32_t)processors;
}

/* No more than there are layers for. */
static uint32_t threads_for(const pulling *p) {
    uint32_t most = WEIR__PULL_DOWNLOADS + p->unpacks_max;
    return p->layers.count < most ? (uint32_t)p->layers.count : most;
}

static void nobody_waits(void *arg) {
    (void)arg;
}

bool weir__pull_layers(weir_image_store *store, weir__registry *registry,
                       const weir__manifest *manifest, const weir_value *config,
                       const weir_image_watch *watch, weir_error *error) {
    pulling p = {.store = store,
                 .registry = registry,
                 .watch = watch,
                 .unpacks_max = threads_for_unpacking()};
    bool ok = list_layers(&p, manifest, config, error);
    if (ok && p.layers.count) {
        for (size_t i = 0; i < WEIR__PULL_DOWNLOADS; i++) p.clients[i] = registry->library->open();
        bool (*asked)(void *arg) = registry->goes_on;
        void *arg = registry->arg;
        registry->goes_on = goes_on;
        registry->arg = &p;
        weir_crew *crew = weir_crew_open(1 + threads_for(&p));
        weir_desk *desk = weir_desk_open(crew, nobody_waits, NULL);
        report(&p, true);
        ok = lead(&p, weir_desk_helpers(desk), error);
        weir_desk_close(desk);
        weir_crew_close(crew);
        registry->goes_on = asked;
        registry->arg = arg;
        for (size_t i = 0; i < WEIR__PULL_DOWNLOADS; i++) registry->library->close(p.clients[i]);
    }
    if (ok) report(&p, true);
    weir_free(p.layers.items);
    return ok;
}
