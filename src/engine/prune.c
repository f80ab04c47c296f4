/* Keeping house: runs that ended long ago, or that are too much, go with all that is kept of them; so do old results and blobs
 * that nobody refers to; then room is given back. Each step is a transaction of its own, so it can end anywhere and another
 * goes on. Others have their turn after each. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/remove.h"
#include "engine/remove.h"

enum {
    FOLDERS_DEEP_MAX = 8,
    BATCH_RUNS = 64,                /* in one transaction, */
    BATCH_BYTES = 32 * 1024 * 1024, /* or about so many bytes */
    REST_US_MAX = 1000 * 1000
};

typedef struct candidate {
    char id[WEIR_RUN_ID_LENGTH + 1];
    uint64_t finished_us;
    bool expired; /* its own time to live has passed */
} candidate;

typedef struct pruning {
    weir_engine *engine;
    const weir_pruning *options;
    WEIR_VECTOR(candidate) candidates; /* the one that ended first is first */
    const char *time_to_live;          /* the label that says it of those that are looked at */
    weir__doomed batch;
    uint64_t batch_bytes, now_us;
    uint64_t worked_us; /* since when nobody else had a turn, by the steady clock */
    int logs;           /* -1: there are none here */
    uint64_t bytes;     /* that all takes, where that is limited */
    uint64_t runs, freed, results, result_bytes;
    weir_blob_pruned blobs;
    bool stopped;
} pruning;

/* --- sizes ---------------------------------------------------------------------------------- */

static bool measure(pruning *p, weir_error *error) {
    weir_store_size size;
    if (!weir_store_measure(p->engine->store, &size, error)) return false;
    p->bytes = size.bytes + (p->logs >= 0 ? weir__folder_bytes(p->logs, ".", FOLDERS_DEEP_MAX) : 0);
    return true;
}

static bool measure_tree(pruning *p, size_t from, uint64_t *bytes, weir_error *error) {
    *bytes = 0;
    for (size_t i = from; i < p->batch.runs.count; i++) {
        const char *id = p->batch.runs.items[i].id;
        uint64_t journal;
        if (!weir_store_measure_run(p->engine->store, weir_str_from(id), &journal, error))
            return false;
        *bytes += journal + (p->logs >= 0 ? weir__folder_bytes(p->logs, id, FOLDERS_DEEP_MAX) : 0);
    }
    return true;
}

/* --- turns ---------------------------------------------------------------------------------- */

/* What was written just now held others up for as long: they get half of that, or when it is not urgent much more. */
static void rest(void *arg) {
    pruning *p = arg;
    weir_loop_once(p->engine->loop, false);
    uint64_t now_us = weir_clock_steady_us(), took_us = now_us - p->worked_us;
    uint64_t pause_us = p->options->gentle ? took_us * 4 : took_us / 2;
    if (pause_us > REST_US_MAX) pause_us = REST_US_MAX;
    nanosleep(&(struct timespec){.tv_sec = (time_t)(pause_us / 1000000),
                                 .tv_nsec = (long)(pause_us % 1000000) * 1000},
              NULL);
    p->worked_us = weir_clock_steady_us();
}

/* --- which runs ----------------------------------------------------------------------------- */

static uint64_t limit_us(const pruning *p) {
    uint64_t age_us = p->options->age_us;
    return age_us && age_us < p->now_us ? p->now_us - age_us : 0;
}

static bool note_candidate(void *arg, const weir_value *run) {
    pruning *p = arg;
    uint64_t finished_us = weir_member_count(run, "finished");
    if (!finished_us || (!p->options->bytes_max && finished_us > limit_us(p))) return true;
    candidate *c = weir_vector_push(&p->candidates);
    snprintf(c->id, sizeof c->id, "%.*s", WEIR_ARG(weir_member_text(run, "run")));
    c->finished_us = finished_us;
    c->expired = false;
    return true;
}

static bool note_expired(void *arg, const weir_value *run) {
    pruning *p = arg;
    weir_str seconds = weir_member_text(weir_member_named(run, "labels"), p->time_to_live);
    uint64_t finished_us = weir_member_count(run, "finished"), age_us = p->now_us - finished_us;
    char text[24];
    snprintf(text, sizeof text, "%.*s", WEIR_ARG(seconds));
    if (!finished_us || finished_us > p->now_us || age_us / 1000000 < strtoull(text, NULL, 10))
        return true;
    candidate *c = weir_vector_push(&p->candidates);
    *c = (candidate){.finished_us = finished_us, .expired = true};
    snprintf(c->id, sizeof c->id, "%.*s", WEIR_ARG(weir_member_text(run, "run")));
    return true;
}

static bool find_expired(pruning *p, weir_error *error) {
    static const char *const ends[][2] = {{"Succeeded", WEIR__TTL_SUCCESS},
                                          {"Failed,Error", WEIR__TTL_FAILURE}};
    for (size_t i = 0; i < 2; i++) {
        const char *const labels[] = {"!keep", ends[i][1], NULL};
        const weir_run_filter filter = {
            .size = sizeof filter, .phases = ends[i][0], .labels = labels, .parent = ""};
        p->time_to_live = ends[i][1];
        if (!weir_run_list(p->engine, &filter, note_expired, p, error)) return false;
    }
    return true;
}

static int compare_ends(const void *a, const void *b) {
    const candidate *left = a, *right = b;
    if (left->finished_us != right->finished_us)
        return left->finished_us < right->finished_us ? -1 : 1;
    return strcmp(left->id, right->id);
}

/* What is a part of another run goes with that. */
static bool find_candidates(pruning *p, weir_error *error) {
    const char *labels[WEIR_LABEL_TERMS_MAX + 1] = {"!keep"};
    weir_run_filter filter = {.size = sizeof filter};
    if (p->options->filter) filter = *p->options->filter;
    if (filter.parent)
        return weir_fail(error, WEIR_USAGE, "runs within runs go with those that they are of");
    for (size_t i = 0; filter.labels && filter.labels[i]; i++) {
        if (i + 1 == WEIR_LABEL_TERMS_MAX)
            return weir_fail(error, WEIR_LIMIT, "runs are pruned by at most %d labels",
                             WEIR_LABEL_TERMS_MAX - 1);
        labels[i + 1] = filter.labels[i];
    }
    filter.labels = labels;
    filter.parent = "";
    filter.oldest_first = true;
    if (!p->options->bytes_max && (!filter.until_us || filter.until_us > limit_us(p)))
        filter.until_us = limit_us(p) ? limit_us(p) : 1;
    if (!weir_run_list(p->engine, &filter, note_candidate, p, error)) return false;
    if (p->candidates.count)
        qsort(p->candidates.items, p->candidates.count, sizeof(candidate), compare_ends);
    return true;
}

/* Whether all of the tree is over, and nobody wants to keep it. */
static bool may_go(const pruning *p, size_t from) {
    for (size_t i = from; i < p->batch.runs.count; i++) {
        const weir__doomed_run *run = &p->batch.runs.items[i];
        if (!run->finished_us || run->kept || weir__run_find(p->engine, run->id)) return false;
    }
    return p->batch.runs.count > from;
}

static void note_state(void *arg, const weir_run_record *record) {
    *(bool *)arg = record->finished_us > 0;
}

/* Once nobody can begin to drive them any more: somebody may have until then. */
static bool claim(pruning *p, size_t from) {
    weir_error ignored;
    bool ok = weir__doomed_claim(&p->batch, &ignored);
    for (size_t i = from; ok && i < p->batch.runs.count; i++) {
        bool over = false;
        ok = weir_store_find(p->engine->store, weir_str_from(p->batch.runs.items[i].id), note_state,
                             &over, &ignored) &&
             over;
    }
    return ok;
}

/* --- removing ------------------------------------------------------------------------------- */

static bool remove_batch(pruning *p, weir_error *error) {
    if (!p->batch.runs.count) return true;
    bool gone = weir__doomed_delete(&p->batch, error);
    weir__doomed_leave(&p->batch, 0, gone);
    p->batch_bytes = 0;
    rest(p);
    return gone && weir__leftovers_remove(p->engine, rest, p, error) &&
           (!p->options->bytes_max || measure(p, error));
}

static void tell(pruning *p, const candidate *c, const char *name, size_t runs, uint64_t bytes,
                 size_t at) {
    weir_value *said = weir_object_new();
    const char *why = c->expired ? "ttl" : c->finished_us <= limit_us(p) ? "age" : "size";
    weir_member_put_text(said, "run", weir_str_from(c->id));
    weir_member_put_text(said, "name", weir_str_from(name));
    weir_member_put(said, "finished", weir_int_new((int64_t)c->finished_us));
    weir_member_put(said, "runs", weir_int_new((int64_t)runs));
    weir_member_put(said, "bytes", weir_int_new((int64_t)bytes));
    weir_member_put_text(said, "why", weir_str_from(why));
    weir_member_put(said, "done", weir_int_new((int64_t)at + 1));
    weir_member_put(said, "total", weir_int_new((int64_t)p->candidates.count));
    if (!p->options->visit(p->options->arg, said)) p->stopped = true;
    weir_value_unref(said);
}

/* Takes the candidate's tree into the batch, if it may go. Of one that another process deletes meanwhile nothing is there. */
static bool take(pruning *p, size_t at, weir_error *error) {
    const candidate *c = &p->candidates.items[at];
    size_t from = p->batch.runs.count;
    uint64_t bytes = 0;
    weir_error problem = {0};
    bool found = weir__doomed_gather(&p->batch, c->id, &problem);
    bool goes = found && may_go(p, from) && (p->options->dry || claim(p, from));
    if (goes && !measure_tree(p, from, &bytes, error)) return false;
    if (goes) {
        size_t runs = p->batch.runs.count - from;
        p->runs += runs;
        p->freed += bytes;
        p->batch_bytes += bytes;
        if (p->options->visit) tell(p, c, p->batch.runs.items[from].name, runs, bytes, at);
    }
    if (!goes || p->options->dry) weir__doomed_leave(&p->batch, from, false);
    if (goes && p->options->dry && p->options->bytes_max)
        p->bytes -= bytes < p->bytes ? bytes : p->bytes;
    if (found || problem.code == WEIR_NOT_FOUND) return true;
    *error = problem;
    return false;
}

/* What a run frees is known about only: near the limit some go at a time, and then it is looked again. */
static bool is_full(const pruning *p, bool by_size) {
    if (p->batch.runs.count >= BATCH_RUNS || p->batch_bytes >= BATCH_BYTES) return true;
    return by_size && p->batch_bytes * 2 >= p->bytes - p->options->bytes_max;
}

/* Those that say themselves when they go. */
static bool prune_expired(pruning *p, weir_error *error) {
    if (p->options->filter || !find_expired(p, error)) return !error->code;
    for (size_t i = 0; i < p->candidates.count && !p->stopped; i++)
        if (!take(p, i, error) || (is_full(p, false) && !remove_batch(p, error))) return false;
    p->candidates.count = 0;
    return remove_batch(p, error);
}

static bool prune_runs(pruning *p, weir_error *error) {
    bool limited = p->options->bytes_max > 0;
    if ((!limited && !p->options->age_us) || !find_candidates(p, error)) return !error->code;
    if (limited && !measure(p, error)) return false;
    for (size_t i = 0; i < p->candidates.count && !p->stopped; i++) {
        bool old = p->candidates.items[i].finished_us <= limit_us(p);
        bool much = limited && p->bytes > p->options->bytes_max;
        if (!old && !much) break;
        if (!take(p, i, error) ||
            (is_full(p, !old && p->bytes > p->options->bytes_max) && !remove_batch(p, error)))
            return false;
    }
    return remove_batch(p, error);
}

/* --- what is no run ------------------------------------------------------------------------- */

static bool count_result(void *arg, const weir_value *entry) {
    pruning *p = arg;
    p->results++;
    p->result_bytes += weir_member_count(entry, "size");
    return true;
}

static bool prune_results(pruning *p, weir_error *error) {
    uint64_t before_us = limit_us(p);
    if (!before_us || p->options->filter || p->stopped) return true;
    weir_value *filter = weir_object_new(), *cleared = NULL;
    weir_member_put(filter, "before", weir_int_new((int64_t)before_us));
    bool ok = p->options->dry ? weir_list_cache(p->engine, filter, count_result, p, error)
                              : weir_clear_cache(p->engine, filter, &cleared, error);
    if (cleared) {
        p->results = weir_member_count(cleared, "entries");
        p->result_bytes = weir_member_count(cleared, "bytes");
    }
    weir_value_unref(cleared);
    weir_value_unref(filter);
    return ok;
}

/* Where there are none nothing is to be done. To look through a bucket each hour would cost money. */
static bool prune_blobs(pruning *p, weir_error *error) {
    const char *place = p->engine->options.blobs;
    bool bucket = place && weir_str_starts(weir_str_from(place), WEIR_STR("s3:"));
    weir_value *pruned;
    weir_error problem;
    if (bucket && p->options->gentle) return true;
    if (!p->engine->state && !place) return true;
    if (!weir_prune_blobs(p->engine, !p->options->dry, &pruned, &problem)) {
        if (problem.code == WEIR_NOT_FOUND) return true;
        *error = problem;
        return false;
    }
    p->blobs.removed = weir_member_count(pruned, "removed");
    p->blobs.removed_bytes = weir_member_count(pruned, "bytes");
    weir_value_unref(pruned);
    return true;
}

/* Some room stays in a file that goes on being used: to give all back and take it again would be work for nothing. */
static bool give_back(pruning *p, weir_error *error) {
    weir_store_size size;
    if (!weir_store_measure(p->engine->store, &size, error)) return false;
    for (bool more = true; more;) {
        if (!weir_store_shrink(p->engine->store, p->options->gentle ? size.bytes / 4 : 0, &more,
                               error))
            return false;
        if (more) rest(p);
    }
    return true;
}

static weir_value *results_of(const pruning *p) {
    const struct {
        const char *name;
        uint64_t number;
    } members[] = {{"runs", p->runs},           {"bytes", p->freed},
                   {"results", p->results},     {"result_bytes", p->result_bytes},
                   {"blobs", p->blobs.removed}, {"blob_bytes", p->blobs.removed_bytes}};
    weir_value *value = weir_object_new();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        weir_member_put(value, members[i].name, weir_int_new((int64_t)members[i].number));
    return value;
}

static bool prune_all(pruning *p, weir_error *error) {
    bool dry = p->options->dry;
    return (dry || weir__leftovers_remove(p->engine, rest, p, error)) && prune_runs(p, error) &&
           prune_results(p, error) && (p->stopped || prune_blobs(p, error)) &&
           (dry || p->stopped || give_back(p, error));
}

bool weir_prune(weir_engine *engine, const weir_pruning *options, weir_value **out,
                weir_error *error) {
    weir_assert(options->size == sizeof *options);
    pruning p = {.engine = engine,
                 .options = options,
                 .batch = {.engine = engine},
                 .now_us = weir__now_us(engine),
                 .worked_us = weir_clock_steady_us(),
                 .logs = -1};
    if (engine->logs.directory)
        p.logs = open(engine->logs.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    weir_error problem = {0};
    bool ok = prune_expired(&p, &problem) && (options->expired || prune_all(&p, &problem));
    weir__doomed_leave(&p.batch, 0, false);
    weir_vector_deinit(&p.candidates);
    if (p.logs >= 0) close(p.logs);
    if (ok)
        *out = results_of(&p);
    else if (error)
        *error = problem;
    return ok;
}

bool weir_run_keep(weir_engine *engine, const char *run, bool keep, weir_error *error) {
    char id[WEIR_RUN_ID_LENGTH + 1];
    return weir__run_id(engine, weir_str_from(run), id, error) &&
           weir_store_keep(engine->store, weir_str_from(id), keep, error);
}
