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

/* A context to come. */
typedef struct item {
    const weir__context_plan *plan; /* NULL: given from outside, and the rest says what */
    size_t name, name_length;       /* in the chunk's names */
    size_t given, given_count;      /* in its givens */
    size_t parent, parent_count;    /* in its parents */
    uint64_t ordinal;               /* of those that are given while the run goes on, from 1 */
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
    /* What goes from one thread to another lies together, and only one of them writes it: by the leader first ... */
    item items[CHUNK_MAX];
    WEIR_VECTOR(char) names;
    WEIR_VECTOR(weir__given) givens;
    WEIR_VECTOR(uint32_t) parents;
    /* ... and by whoever works on it then. */
    weir__givens given;             /* what the context under way is given */
    weir_value *results[CHUNK_MAX]; /* NULL: nothing */
};

/* --- by any thread ---------------------------------------------------------------------------- */

static weir_str name_of(const weir__chunk *chunk, const item *it) {
    return it->plan ? it->plan->name : (weir_str){chunk->names.items + it->name, it->name_length};
}

static const weir__givens *given_of(weir__chunk *chunk, const item *it) {
    if (it->plan) return &it->plan->inputs;
    chunk->given.items.items = chunk->givens.items + it->given;
    chunk->given.items.count = it->given_count;
    chunk->given.parents.items = chunk->parents.items + it->parent;
    chunk->given.parents.count = it->parent_count;
    return &chunk->given;
}

static void begin(weir__chunk *chunk, const weir__flow *flow) {
    const item *it = &chunk->items[chunk->at];
    weir_str name = name_of(chunk, it);
    if (chunk->context)
        weir__context_renew(chunk->context, name, NULL);
    else
        chunk->context = weir__context_new(flow, &chunk->owner, name, NULL);
    chunk->context->given = given_of(chunk, it);
    chunk->context->borrows = true;
    chunk->context->stream = weir__context_stream(chunk->owner.seed, name, it->ordinal);
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
        chunk->results[chunk->at++] = context->results ? weir__context_result(context) : NULL;
        weir__context_empty(context);
        chunk->begun = false;
        left -= left > 0; /* a context costs something even without calls */
    }
    chunk->left = left;
}

/* --- by the leader ---------------------------------------------------------------------------- */

/* Lets go of what the contexts were given. */
static void empty(weir__chunk *chunk) {
    for (size_t i = 0; i < chunk->givens.count; i++) weir_value_unref(chunk->givens.items[i].value);
    chunk->names.count = chunk->givens.count = chunk->parents.count = 0;
    chunk->told = chunk->at = chunk->count = 0;
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

#define APPEND(vector, from, how_many)                                                             \
    do {                                                                                           \
        weir_vector_reserve(vector, how_many);                                                     \
        if (how_many)                                                                              \
            memcpy((vector)->items + (vector)->count, from, (how_many) * sizeof *(vector)->items); \
        (vector)->count += how_many;                                                               \
    } while (0)

/* The next context that was given from outside, its givens' references included. */
static item take_given(weir__dataflow *c, weir__chunk *chunk) {
    item it = {
        .name = chunk->names.count, .given = chunk->givens.count, .parent = chunk->parents.count};
    weir__waiting waiting = weir__dataflow_take_waiting(c, &it.ordinal);
    it.name_length = strlen(waiting.name);
    it.given_count = waiting.givens.items.count;
    it.parent_count = waiting.givens.parents.count;
    APPEND(&chunk->names, waiting.name, it.name_length);
    APPEND(&chunk->givens, waiting.givens.items.items, it.given_count);
    APPEND(&chunk->parents, waiting.givens.parents.items, it.parent_count);
    weir_free(waiting.name);
    weir_vector_deinit(&waiting.givens.items);
    weir_vector_deinit(&waiting.givens.parents);
    return it;
}
#undef APPEND

static item take_item(weir__dataflow *c, weir__chunk *chunk) {
    if (c->planned < c->plan->contexts.count)
        return (item){.plan = &c->plan->contexts.items[c->planned++]};
    return take_given(c, chunk);
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
    while (chunk->count < part && may_take(c)) chunk->items[chunk->count++] = take_item(c, chunk);
    c->in_chunks += chunk->count;
    return chunk;
}

/* The context under way becomes one of the run's own. */
static void give_up_context(weir__dataflow *c, weir__chunk *chunk) {
    weir__context *context = chunk->context;
    weir__context_stop_borrowing(context);
    chunk->told = ++chunk->at;
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
        weir_str name = name_of(chunk, &chunk->items[chunk->told]);
        weir_value *result = chunk->results[chunk->told];
        if (!result) result = weir_value_ref(c->nothing);
        if (decisions->result) decisions->result(decisions->arg, name, result);
        if (!c->results_go) weir_member_set(c->results, name, weir_value_ref(result));
        weir_value_unref(result);
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
    empty(chunk);
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

/* Accounts for a chunk that somebody worked on, and puts it back when it is to go on. */
static void put_back(weir__dataflow *c, weir_job *job, weir_decisions *decisions) {
    if (account(c, (weir__chunk *)job, decisions))
        decisions->helpers->put(decisions->helpers->arg, job);
}

static void take_done(weir__dataflow *c, weir_decisions *decisions) {
    const weir_helpers *helpers = decisions->helpers;
    weir_job *job;
    while ((job = helpers->take_done(helpers->arg, false))) put_back(c, job, decisions);
}

/* While others may still open contexts, the helpers are left enough to do until the leader is back; else the leader does
 * one chunk, and sees what is done. */
static bool work_together(weir__dataflow *c, weir_decisions *decisions) {
    const weir_helpers *helpers = decisions->helpers;
    size_t part = chunk_size(c, helpers->threads), kept = 0;
    take_done(c, decisions);
    while (weir__chunks_suit(c) && helpers->count_left(helpers->arg) < 3 * CHUNKS_LEFT) {
        helpers->put(helpers->arg, &make_chunk(c, part)->job);
        kept = CHUNKS_LEFT;
    }
    bool one = !kept;
    while (helpers->count_left(helpers->arg) > kept) {
        weir_job *job = helpers->take_left(helpers->arg);
        if (!job) break;
        if (!c->failed && !c->cancelled) job->work(job);
        put_back(c, job, decisions);
        if (one) break;
    }
    take_done(c, decisions);
    return helpers->count_left(helpers->arg) || weir__chunks_suit(c);
}

bool weir__chunks_work(weir__dataflow *c, size_t *limit, weir_decisions *decisions) {
    if (!c->chunks.count && !weir__chunks_suit(c)) return false;
    return decisions->helpers ? work_together(c, decisions) : work_alone(c, limit, decisions);
}

void weir__chunks_free(weir__dataflow *c) {
    for (size_t i = 0; i < c->chunks.count; i++) {
        weir__chunk *chunk = c->chunks.items[i];
        weir__context_free(chunk->context);
        for (; chunk->told < chunk->at; chunk->told++)
            weir_value_unref(chunk->results[chunk->told]);
        empty(chunk);
        weir_vector_deinit(&chunk->names);
        weir_vector_deinit(&chunk->givens);
        weir_vector_deinit(&chunk->parents);
        weir_free(chunk);
    }
    weir_vector_deinit(&c->chunks);
    weir_vector_deinit(&c->spare_chunks);
}
