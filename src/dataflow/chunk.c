/* The mass of a run's contexts, where nobody wants events: they are opened, run to their end and forgotten in chunks, one
 * after the other in the same memory, by any thread. Only for flows whose contexts touch nothing but themselves and whose
 * operations all are calls, so that nothing comes in between. The leader makes the chunks, helps with them, and tells the
 * results; a context that something is wrong with becomes one of the run's own. */
#include "dataflow/coordinator_internal.h"

enum {
    CHUNK_MAX = 256,  /* contexts */
    CHUNKS_EACH = 4,  /* for each thread, of few contexts */
    CHUNKS_LEFT = 16, /* that wait for the helpers while the leader turns to something else */
    CALLS_OF_CHUNK = 50 * 1000 /* at once, so that others have their turn */
};

/* A context to come, and its result once it was there. */
typedef struct item {
    weir_str name;
    char *own_name;            /* its bytes; NULL: they are the plan's */
    const weir__givens *given; /* `own` or the plan's */
    weir__givens own;          /* made and freed on the leader's thread: that is cheaper */
    uint64_t ordinal;          /* of those that are given while the run goes on, from 1 */
    weir_value *result;
} item;

struct weir__chunk {
    weir_job job; /* first */
    weir__context_owner owner;
    weir__context *context; /* each item's in turn; NULL: to be made */
    bool begun;             /* the context is that of items[at] */
    bool stuck;             /* and does not go on by itself */
    uint32_t left;          /* calls that were left when the work ended */
    uint64_t done, failed;  /* parameter sets that the run has not counted yet */
    uint64_t current;       /* parameter sets of the context that is under way */
    size_t told, at, count; /* results up to `at` are there, up to `told` are told */
    item items[CHUNK_MAX];
};

/* --- by any thread ---------------------------------------------------------------------------- */

static void begin(weir__chunk *chunk, const weir__flow *flow) {
    item *it = &chunk->items[chunk->at];
    if (chunk->context)
        weir__context_renew(chunk->context, it->name, NULL);
    else
        chunk->context = weir__context_new(flow, &chunk->owner, it->name, NULL);
    chunk->context->given = it->given;
    chunk->context->stream = weir__context_stream(chunk->owner.seed, it->name, it->ordinal);
    chunk->context->opened_us = chunk->owner.now_us;
    chunk->begun = true;
    chunk->current = 0;
}

static void work(weir_job *job) {
    weir__chunk *chunk = (weir__chunk *)job;
    const weir__dataflow *c = chunk->owner.arg;
    uint32_t left = CALLS_OF_CHUNK;
    while (chunk->at < chunk->count && left) {
        if (!chunk->begun) begin(chunk, c->plan->flows.items[0]);
        weir__context *context = chunk->context;
        uint32_t made = weir__context_run(context, left);
        left -= made;
        chunk->done += made;
        chunk->current += made;
        bool done = context->stage == WEIR_STAGE_DONE && !context->problem;
        if (!done) {
            chunk->stuck = left || context->problem;
            break;
        }
        chunk->failed += context->failures;
        chunk->items[chunk->at++].result = weir__context_result(context);
        weir__context_empty(context);
        chunk->begun = false;
        left -= left > 0; /* a context costs something even without calls */
    }
    chunk->left = left;
}

/* --- by the leader ---------------------------------------------------------------------------- */

static void drop_item(item *it) {
    weir_free(it->own_name);
    weir__givens_deinit(&it->own);
    weir_value_unref(it->result);
}

/* Whether the next context may be part of a chunk. */
static bool may_take(const weir__dataflow *c) {
    if (c->failed || c->cancelled) return false;
    if (c->planned < c->plan->contexts.count) return true;
    return c->waiting_at < c->waiting.count && !c->waiting.items[c->waiting_at].held;
}

bool weir__chunks_suit(const weir__dataflow *c) {
    const weir__flow *flow = c->plan->flows.items[0];
    return !c->base.recorded && flow->alone && flow->calls && !flow->locks &&
           c->opened >= WEIR__CONTEXTS_SHOWN_MAX && c->open_max == WEIR__CONTEXTS_OPEN_MAX &&
           may_take(c);
}

static void take_item(weir__dataflow *c, item *it) {
    if (c->planned < c->plan->contexts.count) {
        const weir__context_plan *given = &c->plan->contexts.items[c->planned++];
        *it = (item){.name = given->name, .given = &given->inputs};
        return;
    }
    uint64_t ordinal;
    weir__waiting waiting = weir__dataflow_take_waiting(c, &ordinal);
    *it = (item){.name = weir_str_from(waiting.name),
                 .own_name = waiting.name,
                 .own = waiting.givens,
                 .given = &it->own,
                 .ordinal = ordinal};
}

/* Few contexts may be long ones: each thread gets several chunks of those that are there. */
static size_t chunk_size(const weir__dataflow *c, uint32_t threads) {
    size_t there = c->plan->contexts.count - c->planned + c->waiting.count - c->waiting_at;
    size_t part = there / (threads * (size_t)CHUNKS_EACH);
    return part > CHUNK_MAX ? CHUNK_MAX : part ? part : 1;
}

static weir__chunk *make_chunk(weir__dataflow *c, size_t part) {
    weir__chunk *chunk;
    if (c->spare_chunks.count) {
        chunk = c->spare_chunks.items[--c->spare_chunks.count];
    } else {
        chunk = weir_alloc(sizeof *chunk);
        *weir_vector_push(&c->chunks) = chunk;
    }
    chunk->job.work = work;
    chunk->owner = c->owner;
    chunk->told = chunk->at = chunk->count = 0;
    while (chunk->count < part && may_take(c)) take_item(c, &chunk->items[chunk->count++]);
    c->in_chunks += chunk->count;
    return chunk;
}

/* The context under way becomes one of the run's own. */
static void give_up_context(weir__dataflow *c, weir__chunk *chunk) {
    weir__context *context = chunk->context;
    item *it = &chunk->items[chunk->at++];
    context->own_name = it->own_name;
    weir__givens_deinit(&it->own); /* it is open, and has what it was given */
    chunk->told = chunk->at;
    c->in_chunks--;
    c->gone_done -= chunk->current; /* it counts itself from now on */
    context->owner = &c->owner;
    weir__dataflow_add_context(c, context);
    c->open++;
    chunk->context = NULL;
    chunk->begun = chunk->stuck = false;
}

static void tell_results(weir__dataflow *c, weir__chunk *chunk, weir_decisions *decisions) {
    c->in_chunks -= chunk->at - chunk->told;
    c->over += chunk->at - chunk->told;
    c->gone_done += chunk->done;
    c->gone_failed += chunk->failed;
    chunk->done = chunk->failed = 0;
    for (; chunk->told < chunk->at; chunk->told++) {
        item *it = &chunk->items[chunk->told];
        if (it->result && decisions->result)
            decisions->result(decisions->arg, it->name, it->result);
        if (it->result && !c->results_go)
            weir_member_set(c->results, it->name, weir_value_ref(it->result));
        drop_item(it);
    }
}

/* True when the chunk is to go on. */
static bool account(weir__dataflow *c, weir__chunk *chunk, weir_decisions *decisions) {
    tell_results(c, chunk, decisions);
    if (chunk->stuck || (chunk->begun && (c->failed || c->cancelled))) {
        weir__context *context = chunk->context;
        give_up_context(c, chunk);
        weir__dataflow_account(c, context, decisions);
    }
    if (chunk->at < chunk->count && !c->failed && !c->cancelled) return true;
    c->in_chunks -= chunk->count - chunk->at;
    for (; chunk->at < chunk->count; chunk->at++) drop_item(&chunk->items[chunk->at]);
    chunk->told = chunk->at;
    *weir_vector_push(&c->spare_chunks) = chunk;
    return false;
}

/* Alone: one chunk after the other, as far as the limit goes. */
static bool work_alone(weir__dataflow *c, size_t *limit, weir_decisions *decisions) {
    size_t all = *limit;
    while (*limit) {
        if (!c->chunk && weir__chunks_suit(c)) c->chunk = make_chunk(c, CHUNK_MAX);
        if (!c->chunk) return false;
        c->chunk->left = CALLS_OF_CHUNK;
        if (!c->failed && !c->cancelled) work(&c->chunk->job);
        size_t cost = 1 + all * (CALLS_OF_CHUNK - c->chunk->left) / CALLS_OF_CHUNK;
        *limit -= cost < *limit ? cost : *limit;
        if (!account(c, c->chunk, decisions)) c->chunk = NULL;
    }
    return true;
}

static void take_done(weir__dataflow *c, weir_decisions *decisions, bool wait) {
    const weir_helpers *helpers = decisions->helpers;
    weir_job *job;
    while ((job = helpers->take_done(helpers->arg, wait)))
        if (account(c, (weir__chunk *)job, decisions)) helpers->put(helpers->arg, job);
}

static void help(weir__dataflow *c, weir_job *job, weir_decisions *decisions) {
    if (!c->failed && !c->cancelled) job->work(job);
    if (account(c, (weir__chunk *)job, decisions))
        decisions->helpers->put(decisions->helpers->arg, job);
}

/* While others may still open contexts, the helpers are left enough to do until the leader is back. */
static bool work_together(weir__dataflow *c, weir_decisions *decisions) {
    const weir_helpers *helpers = decisions->helpers;
    bool made = false;
    size_t part = chunk_size(c, helpers->threads);
    take_done(c, decisions, false);
    while (weir__chunks_suit(c) && helpers->count_left(helpers->arg) < 3 * CHUNKS_LEFT) {
        helpers->put(helpers->arg, &make_chunk(c, part)->job);
        made = true;
    }
    weir_job *job;
    do {
        job = made && helpers->count_left(helpers->arg) <= CHUNKS_LEFT
                  ? NULL
                  : helpers->take_left(helpers->arg);
        if (job) help(c, job, decisions);
    } while (job && made);
    take_done(c, decisions, false);
    return helpers->count_left(helpers->arg) || weir__chunks_suit(c);
}

bool weir__chunks_work(weir__dataflow *c, size_t *limit, weir_decisions *decisions) {
    if (!c->chunks.count && !weir__chunks_suit(c)) return false;
    return decisions->helpers ? work_together(c, decisions) : work_alone(c, limit, decisions);
}

void weir__chunks_free(weir__dataflow *c) {
    for (size_t i = 0; i < c->chunks.count; i++) {
        weir__chunk *chunk = c->chunks.items[i];
        for (; chunk->told < chunk->count; chunk->told++) drop_item(&chunk->items[chunk->told]);
        weir__context_free(chunk->context);
        weir_free(chunk);
    }
    weir_vector_deinit(&c->chunks);
    weir_vector_deinit(&c->spare_chunks);
}
