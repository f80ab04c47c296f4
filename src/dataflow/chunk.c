/* The mass of a run's contexts, where nobody wants their events: they are opened, run to their end and forgotten in chunks, one
 * after the other in the same memory, by any thread. Only for flows whose contexts touch nothing but themselves and whose
 * operations all are calls, so that nothing comes in between. The leader makes the chunks, helps with them, and tells the
 * results; a context that something is wrong with becomes one of the run's own.
 *
 * In a recorded run that is ahead of its journal (ahead.c) two events tell of a chunk: that it was taken, and each time how
 * many more of its contexts finished. What was not told when the run is recovered is run anew. */
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
    uint64_t number;        /* of those that the run took */
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

/* Whether contexts may be taken together, be they recorded or not. */
static bool can_take(const weir__dataflow *c) {
    return weir__flow_can_go_ahead(c->plan->flows.items[0]) &&
           c->opened >= WEIR__CONTEXTS_SHOWN_MAX && c->open_max == WEIR__CONTEXTS_OPEN_MAX &&
           may_take(c);
}

bool weir__chunks_suit(const weir__dataflow *c) {
    return (!c->base.recorded || weir__dataflow_is_ahead(c)) && can_take(c);
}

/* The next context that was given from outside, its givens' references included. */
static item take_given(weir__dataflow *c, weir__chunk *chunk) {
    item it = {
        .name = chunk->names.count, .given = chunk->givens.count, .parent = chunk->parents.count};
    weir__waiting waiting = weir__dataflow_take_waiting(c);
    it.ordinal = waiting.ordinal;
    it.name_length = strlen(waiting.name);
    it.given_count = waiting.givens.items.count;
    it.parent_count = waiting.givens.parents.count;
    weir_vector_append(&chunk->names, waiting.name, it.name_length);
    weir_vector_append(&chunk->givens, waiting.givens.items.items, it.given_count);
    weir_vector_append(&chunk->parents, waiting.givens.parents.items, it.parent_count);
    weir_free(waiting.name);
    weir_vector_deinit(&waiting.givens.items);
    weir_vector_deinit(&waiting.givens.parents);
    return it;
}

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

/* It is idle then. */
static void make_chunk(weir__dataflow *c, size_t part) {
    weir__chunk *chunk;
    if (c->spare_chunks.count) {
        chunk = c->spare_chunks.items[--c->spare_chunks.count];
    } else {
        chunk = weir_alloc(sizeof *chunk);
        *weir_vector_push(&c->chunks) = chunk;
    }
    chunk->job.work = work;
    chunk->number = c->chunks_taken++;
    while (chunk->count < part && may_take(c)) chunk->items[chunk->count++] = take_item(c, chunk);
    c->in_chunks += chunk->count;
    *weir_vector_push(&c->idle_chunks) = chunk;
}

static void take_chunk(weir__dataflow *c, size_t part, weir_decisions *decisions) {
    if (c->base.recorded)
        weir_decide(decisions, WEIR_CONTEXTS_TAKEN, 0, c->chunks_taken, (uint32_t)part, NULL,
                    &c->created_event, 1);
    else
        make_chunk(c, part);
}

/* An idle chunk, ready to be worked on; NULL: there is none. */
static weir__chunk *next_idle(weir__dataflow *c) {
    if (!c->idle_chunks.count) return NULL;
    weir__chunk *chunk = c->idle_chunks.items[--c->idle_chunks.count];
    chunk->owner = c->owner;
    chunk->owner.recorded = false;
    return chunk;
}

/* All of its contexts were told of, or are not wanted any more. */
static void release_chunk(weir__dataflow *c, weir__chunk *chunk) {
    c->in_chunks -= chunk->count - chunk->told;
    for (; chunk->told < chunk->at; chunk->told++) {
        weir_value_unref(chunk->results[chunk->told]);
        chunk->results[chunk->told] = NULL;
    }
    for (size_t i = 0; i < c->idle_chunks.count; i++) /* it is, in a replay */
        if (c->idle_chunks.items[i] == chunk)
            c->idle_chunks.items[i] = c->idle_chunks.items[--c->idle_chunks.count];
    empty(chunk);
    *weir_vector_push(&c->spare_chunks) = chunk;
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

/* The next context of the chunk that was not told of has its result. */
static void end_item(weir__dataflow *c, weir__chunk *chunk, weir_value *result) {
    if (!c->results_go)
        weir_member_set(c->results, name_of(chunk, &chunk->items[chunk->told]),
                        weir_value_ref(result));
    weir_value_unref(chunk->results[chunk->told]);
    chunk->results[chunk->told++] = NULL;
    c->in_chunks--;
    c->over++;
}

static weir_value *result_at(const weir__dataflow *c, const weir__chunk *chunk, size_t at) {
    return chunk->results[at] ? chunk->results[at] : c->nothing;
}

static void decide_finished(weir__dataflow *c, weir__chunk *chunk, weir_decisions *decisions) {
    weir_value *names = weir_array_new(), *results = NULL, *data = weir_object_new();
    for (size_t i = chunk->told; i < chunk->at; i++) {
        weir_array_append(names, weir_string_from(name_of(chunk, &chunk->items[i])));
        if (chunk->results[i] && !results) results = weir_array_new();
    }
    for (size_t i = chunk->told; results && i < chunk->at; i++)
        weir_array_append(results, weir_value_ref(result_at(c, chunk, i)));
    uint64_t under_way = chunk->begun ? chunk->current : 0;
    weir_member_put(data, "names", names);
    if (results) weir_member_put(data, "results", results);
    weir_member_put(data, "done", weir_int_new((int64_t)(chunk->done - under_way)));
    weir_member_put(data, "failed", weir_int_new((int64_t)chunk->failed));
    chunk->done = under_way;
    chunk->failed = 0;
    weir_decide(decisions, WEIR_CONTEXTS_FINISHED, 0, chunk->number,
                (uint32_t)(chunk->at - chunk->told), data, &c->created_event, 1);
}

/* Those that are there. It may be released then. */
static void tell_results(weir__dataflow *c, weir__chunk *chunk, weir_decisions *decisions) {
    for (size_t i = chunk->told; decisions->result && i < chunk->at; i++)
        decisions->result(decisions->arg, name_of(chunk, &chunk->items[i]), result_at(c, chunk, i));
    if (c->base.recorded) {
        if (chunk->told < chunk->at) decide_finished(c, chunk, decisions);
        return;
    }
    c->gone_done += chunk->done;
    c->gone_failed += chunk->failed;
    chunk->done = chunk->failed = 0;
    while (chunk->told < chunk->at) end_item(c, chunk, result_at(c, chunk, chunk->told));
    if (chunk->told == chunk->count) release_chunk(c, chunk);
}

/* The context under way, which does not end by itself, is opened anew as one of the run's own, by an event. */
static void decide_opening(weir__dataflow *c, weir__chunk *chunk, weir_decisions *decisions) {
    weir__context_empty(chunk->context);
    chunk->begun = chunk->stuck = false;
    chunk->done -= chunk->current;
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "name", name_of(chunk, &chunk->items[chunk->told]));
    weir_member_put(data, "chunk", weir_int_new((int64_t)chunk->number));
    uint32_t at = weir__dataflow_next_context(c);
    weir_decide(decisions, WEIR_CONTEXT_OPENED, at, at, 0, data, &c->created_event, 1);
}

/* True when the chunk is to go on. */
static bool account(weir__dataflow *c, weir__chunk *chunk, weir_decisions *decisions) {
    bool over = chunk->at == chunk->count;
    tell_results(c, chunk, decisions);
    if (over) return false;
    bool stops = c->failed || c->cancelled;
    if (chunk->stuck && c->base.recorded && !stops) {
        over = chunk->told + 1 == chunk->count;
        decide_opening(c, chunk, decisions);
        return !over;
    }
    if (chunk->begun && (chunk->stuck || stops) && !c->base.recorded) {
        weir__context *context = chunk->context;
        give_up_context(c, chunk);
        weir__dataflow_account(c, context, decisions);
        stops = c->failed || c->cancelled;
    }
    if (chunk->at < chunk->count && !stops) return true;
    if (chunk->begun) weir__context_empty(chunk->context);
    chunk->begun = chunk->stuck = false;
    release_chunk(c, chunk);
    return false;
}

/* --- its events ---------------------------------------------------------------------------------- */

static weir__chunk *find_chunk(const weir__dataflow *c, uint64_t number) {
    for (size_t i = 0; i < c->chunks.count; i++)
        if (c->chunks.items[i]->count && c->chunks.items[i]->number == number)
            return c->chunks.items[i];
    return NULL;
}

bool weir__chunks_fit(const weir__dataflow *c, const weir_event *event) {
    if (event->type == WEIR_CONTEXTS_TAKEN)
        return event->subject == c->chunks_taken && event->number && event->number <= CHUNK_MAX &&
               can_take(c);
    const weir__chunk *chunk = find_chunk(c, event->subject);
    const weir_value *names = weir_member_named(event->data, "names");
    const weir_value *results = weir_member_named(event->data, "results");
    return chunk && event->number && event->number <= chunk->count - chunk->told &&
           weir_is(names, WEIR_ARRAY) && weir_value_count(names) == event->number &&
           (!results ||
            (weir_is(results, WEIR_ARRAY) && weir_value_count(results) == event->number));
}

void weir__chunks_take(weir__dataflow *c, const weir_event *event) {
    make_chunk(c, event->number);
}

void weir__chunks_finish(weir__dataflow *c, const weir_event *event) {
    weir__chunk *chunk = find_chunk(c, event->subject);
    const weir_value *results = weir_member_named(event->data, "results");
    c->gone_done += weir_member_count(event->data, "done");
    c->gone_failed += weir_member_count(event->data, "failed");
    for (uint32_t i = 0; i < event->number; i++)
        end_item(c, chunk, results ? weir_array_at(results, i) : c->nothing);
    if (chunk->at < chunk->told) chunk->at = chunk->told; /* a replay */
    if (chunk->told == chunk->count) release_chunk(c, chunk);
}

bool weir__chunks_fit_opening(const weir__dataflow *c, const weir_event *event) {
    const weir_value *number = weir_member_named(event->data, "chunk");
    return weir_is(number, WEIR_INT) && find_chunk(c, (uint64_t)weir_int_get(number));
}

weir__context *weir__chunks_open(weir__dataflow *c, const weir_event *event) {
    weir__chunk *chunk =
        find_chunk(c, (uint64_t)weir_int_get(weir_member_named(event->data, "chunk")));
    const item *it = &chunk->items[chunk->told];
    weir_str name = name_of(chunk, it);
    char *own_name = weir_str_dup(name);
    weir__context *context =
        weir__dataflow_new_context(c, c->plan->flows.items[0], weir_str_from(own_name), own_name);
    context->stream = weir__context_stream(c->owner.seed, name, it->ordinal);
    context->keeps_given = true;
    context->given = &context->own;
    weir__givens_copy(given_of(chunk, it), &context->own);
    c->open++;
    c->opened++;
    c->in_chunks--;
    chunk->at = ++chunk->told;
    if (chunk->told == chunk->count) release_chunk(c, chunk);
    return context;
}

/* --- whose turn it is ---------------------------------------------------------------------------- */

/* Alone: one chunk after the other, as far as the limit goes. */
static bool work_alone(weir__dataflow *c, size_t *limit, weir_decisions *decisions) {
    size_t all = *limit;
    while (*limit) {
        if (!c->chunk && !c->idle_chunks.count && weir__chunks_suit(c))
            take_chunk(c, CHUNK_MAX, decisions);
        if (!c->chunk) c->chunk = next_idle(c);
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
    weir__chunk *chunk;
    while (helpers->count_left(helpers->arg) < 3 * CHUNKS_LEFT) {
        if (!c->idle_chunks.count && weir__chunks_suit(c)) {
            take_chunk(c, part, decisions);
            kept = CHUNKS_LEFT;
        }
        if (!(chunk = next_idle(c))) break;
        helpers->put(helpers->arg, &chunk->job);
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
    weir_vector_deinit(&c->idle_chunks);
}
