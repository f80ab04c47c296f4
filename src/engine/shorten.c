#include "engine/shorten.h"

#include "base/map.h"
#include "base/pages.h"
#include "base/queue.h"
#include "dataflow/plan.h"
#include "engine/records.h"
#include "executor/inline.h"

enum { WORTH_BYTES = 256 * 1024 };

/* What the run's next event would have; `sequence`: of the run's own events. */
enum { CONTEXTS, TASKS, PLANNED, GIVEN, CHUNKS, SEQUENCE, NUMBERS };
typedef struct numbers {
    uint64_t of[NUMBERS];
} numbers;

/* An event that is there still. */
typedef struct item {
    struct item *prev, *next; /* of all */
    struct item *earlier;     /* of its group; NULL: none */
    struct group *group;      /* NULL: the run's own */
    numbers before, after;
    uint64_t time_us;
    bool own;          /* its sequence is the run's */
    weir_buffer bytes; /* a batch of its own */
} item;

/* Contexts whose events stay or go together: one of the run's own with all within it, or a chunk with those that were opened
 * of it. */
typedef struct group {
    struct group *prev, *next; /* of all that are not over */
    item *last;
    uint64_t left;               /* contexts that wait, or are open, of the run's own */
    char *name;                  /* by which it can be sent to, while it waits; or NULL */
    weir_dataflow_totals totals; /* what it adds to them */
    weir_over over;              /* what goes with it */
} group;

/* Of a context that is not over. */
typedef struct place {
    group *group;
    bool root; /* one of the run's own */
} place;

typedef struct taken {
    uint64_t number;
    group *group;
} taken;

struct weir_shortener {
    weir_machine *machine;
    weir_parts *parts;
    uint64_t sequence;
    bool over, leaves;
    numbers before; /* of the event that comes next */
    weir_dataflow_totals seen, dropped;
    size_t waiting;
    item *first, *last, *suspended; /* `suspended`: the event that says so; NULL: it is not */
    group *groups;
    weir_pages places;         /* by context */
    WEIR_VECTOR(taken) chunks; /* that are not over */
    weir_queue given;          /* group pointers of contexts that wait, in their order */
    weir_map names;            /* of such that can be sent to: their groups */
    uint64_t kept, gone;       /* bytes of events; `gone` since the last summary */
    weir_over went;            /* since then */
};

static numbers numbers_of(const weir_shortener *s) {
    weir_dataflow_numbers n = weir_dataflow_numbers_of(weir_machine_coordinator(s->machine));
    return (numbers){{n.contexts, n.tasks, n.planned, n.given, n.chunks,
                      weir_machine_last_sequence(s->machine, 0)}};
}

/* --- events ----------------------------------------------------------------------------------- */

/* Its large values are references still: what was read is kept. One of before there were such stays as it is. */
static void encode_item(const weir_shortener *s, const weir_event *event, weir_buffer *bytes) {
    weir_places places = {0};
    weir_batch_begin(bytes);
    weir_event_encode_parts(event, s->parts, &places, bytes);
    if (places.count) {
        weir_buffer_clear(bytes);
        weir_batch_begin(bytes);
        weir_event_encode(event, bytes);
    }
    weir_places_deinit(&places);
}

static void append_item(const item *it, weir_buffer *summary) {
    weir_str bytes = weir_buffer_str(&it->bytes);
    if (weir_batch_has_parts(bytes)) weir_batch_note_parts(summary);
    weir_buffer_str_append(summary, weir_str_slice(bytes, 1, bytes.length));
}

static item *add_item(weir_shortener *s, const weir_event *event) {
    item *it = weir_alloc(sizeof *it);
    *it = (item){.prev = s->last,
                 .before = s->before,
                 .after = numbers_of(s),
                 .time_us = event->time_us,
                 .own = !event->id.context};
    encode_item(s, event, &it->bytes);
    *(s->last ? &s->last->next : &s->first) = it;
    s->last = it;
    s->kept += it->bytes.length;
    return it;
}

static void drop_item(weir_shortener *s, item *it) {
    *(it->prev ? &it->prev->next : &s->first) = it->next;
    *(it->next ? &it->next->prev : &s->last) = it->prev;
    s->kept -= it->bytes.length;
    s->gone += it->bytes.length;
    weir_buffer_deinit(&it->bytes);
    weir_free(it);
}

static void add_totals(weir_dataflow_totals *to, weir_dataflow_totals more) {
    to->opened += more.opened;
    to->over += more.over;
    to->done += more.done;
    to->failed += more.failed;
}

void weir_over_deinit(weir_over *over) {
    weir_vector_deinit(&over->contexts);
    weir_vector_deinit(&over->attempts);
}

/* --- groups ----------------------------------------------------------------------------------- */

static void put(group *g, item *it) {
    it->group = g;
    it->earlier = g->last;
    g->last = it;
}

static group *new_group(weir_shortener *s, uint64_t left) {
    group *g = weir_alloc(sizeof *g);
    *g = (group){.next = s->groups, .left = left};
    if (g->next) g->next->prev = g;
    s->groups = g;
    return g;
}

static void free_group(weir_shortener *s, group *g) {
    uint64_t named;
    if (g->name && weir_map_get(&s->names, weir_str_from(g->name), &named) && named == (uintptr_t)g)
        weir_map_remove(&s->names, weir_str_from(g->name));
    *(g->prev ? &g->prev->next : &s->groups) = g->next;
    if (g->next) g->next->prev = g->prev;
    weir_free(g->name);
    weir_over_deinit(&g->over);
    weir_free(g);
}

static void drop_group(weir_shortener *s, group *g) {
    for (item *it = g->last, *earlier; it; it = earlier) {
        earlier = it->earlier;
        drop_item(s, it);
    }
    weir_vector_append(&s->went.contexts, g->over.contexts.items, g->over.contexts.count);
    weir_vector_append(&s->went.attempts, g->over.attempts.items, g->over.attempts.count);
    for (size_t i = 0; i < s->chunks.count; i++)
        if (s->chunks.items[i].group == g) s->chunks.items[i] = s->chunks.items[--s->chunks.count];
    add_totals(&s->dropped, g->totals);
    free_group(s, g);
}

static group *next_given(weir_shortener *s) {
    uint64_t g;
    bool there = weir_queue_take(&s->given, &g);
    weir_assert(there);
    return (group *)(uintptr_t)g;
}

/* What fits is of a chunk that is there. */
static group *group_of_chunk(const weir_shortener *s, uint64_t number) {
    size_t at = 0;
    while (at < s->chunks.count && s->chunks.items[at].number != number) at++;
    weir_assert(at < s->chunks.count);
    return s->chunks.items[at].group;
}

/* --- whose an event is -------------------------------------------------------------------------- */

static group *group_of_context(const weir_shortener *s, uint32_t context) {
    return ((place *)weir_pages_at(&s->places, context))->group;
}

static group *open_context(weir_shortener *s, const weir_event *event, const item *it) {
    const weir_value *of_chunk = weir_member_named(event->data, "chunk");
    const weir_tasks *tasks = weir_machine_tasks(s->machine);
    bool within = event->number;
    group *g;
    if (within) {
        g = group_of_context(s, weir_tasks_context(tasks, (weir_task_id)event->subject));
    } else if (of_chunk) {
        g = group_of_chunk(s, (uint64_t)weir_int_get(of_chunk));
    } else if (it->after.of[PLANNED] == it->before.of[PLANNED]) {
        g = next_given(s);
    } else {
        g = new_group(s, 1);
    }
    weir_pages_skip(&s->places, event->id.context, &(place){0});
    *(place *)weir_pages_push(&s->places) = (place){g, !within};
    if (s->leaves || event->id.context <= WEIR_CONTEXTS_RECORDED)
        *weir_vector_push(&g->over.contexts) = event->id.context;
    return g;
}

static group *place_in_context(weir_shortener *s, const weir_event *event, const item *it) {
    if (event->type == WEIR_CONTEXT_OPENED) return open_context(s, event, it);
    group *g = group_of_context(s, event->id.context);
    if (event->type == WEIR_ATTEMPT_SCHEDULED)
        *weir_vector_push(&g->over.attempts) =
            (weir_over_attempt){(weir_task_id)event->subject, event->number};
    if (event->type == WEIR_CONTEXT_FINISHED) {
        const place *p = weir_pages_at(&s->places, event->id.context);
        if (p->root) g->left--;
        weir_pages_drop(&s->places, event->id.context);
    }
    return g;
}

static group *give(weir_shortener *s, const weir_event *event) {
    group *g = new_group(s, 1);
    weir_queue_put(&s->given, (uintptr_t)g);
    if (!event->number) return g;
    g->name = weir_str_dup(weir_member_text(event->data, "name"));
    weir_map_set(&s->names, weir_str_from(g->name), (uintptr_t)g);
    return g;
}

/* Of a chunk: all that were given to it are one from now on. */
static group *take_chunk(weir_shortener *s, const weir_event *event, const item *it) {
    size_t given = s->waiting - weir_dataflow_waiting(weir_machine_coordinator(s->machine));
    group *g = new_group(s, it->after.of[PLANNED] - it->before.of[PLANNED] + given);
    *weir_vector_push(&s->chunks) = (taken){event->subject, g};
    for (; given; given--) {
        group *from = next_given(s);
        for (item *its = from->last, *earlier; its; its = earlier) {
            earlier = its->earlier;
            put(g, its);
        }
        free_group(s, from);
    }
    return g;
}

static group *place_in_run(weir_shortener *s, const weir_event *event, item *it) {
    uint64_t named;
    switch (event->type) {
    case WEIR_CONTEXT_GIVEN: return give(s, event);
    case WEIR_CONTEXTS_TAKEN: return take_chunk(s, event, it);
    case WEIR_CONTEXTS_FINISHED: {
        group *g = group_of_chunk(s, event->subject);
        g->left -= event->number;
        return g;
    }
    case WEIR_INPUTS_GIVEN:
    case WEIR_CONTEXT_CLOSED:
        if (weir_map_get(&s->names, weir_member_text(event->data, "name"), &named))
            return (group *)(uintptr_t)named;
        break;
    case WEIR_RUN_CREATED:
    case WEIR_CONTEXTS_ENDED: return NULL;
    case WEIR_RUN_SUSPENDED: s->suspended = it; return NULL;
    case WEIR_RUN_RESUMED:
        if (s->suspended) drop_item(s, s->suspended);
        s->suspended = NULL;
        drop_item(s, it);
        return NULL;
    case WEIR_RUN_RECOVERED: drop_item(s, it); return NULL;
    default: break;
    }
    s->over = true;
    return NULL;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* What the event added to the totals. */
static weir_dataflow_totals take_totals(weir_shortener *s) {
    weir_dataflow_totals now = weir_dataflow_totals_of(weir_machine_coordinator(s->machine)),
                         seen = s->seen;
    s->seen = now;
    return (weir_dataflow_totals){now.opened - seen.opened, now.over - seen.over,
                                  now.done - seen.done, now.failed - seen.failed};
}

static void observe(void *arg, const weir_event *event) {
    weir_shortener *s = arg;
    if (s->over) return;
    weir_dataflow_totals more = take_totals(s);
    if (event->type == WEIR_RUN_SHORTENED) {
        add_totals(&s->dropped, more);
    } else {
        item *it = add_item(s, event);
        group *g = event->id.context ? place_in_context(s, event, it) : place_in_run(s, event, it);
        if (g) {
            put(g, it);
            add_totals(&g->totals, more);
            if (!g->left) drop_group(s, g);
        }
    }
    s->before = numbers_of(s);
    s->waiting = weir_dataflow_waiting(weir_machine_coordinator(s->machine));
}

weir_shortener *weir_shortener_new(weir_plan *plan, const char *run, weir_parts *parts) {
    weir_shortener *s = weir_alloc(sizeof *s);
    weir_buffer definitions = {0};
    s->places.size = sizeof(place);
    s->leaves = true;
    if (plan->definitions) plan->definitions(plan, &definitions, &s->leaves);
    weir_buffer_deinit(&definitions);
    s->machine = weir_machine_new(plan, &(weir_machine_options){.run = run,
                                                                .recorded = true,
                                                                .parts = parts,
                                                                .call = weir_inline_make_call,
                                                                .observe = observe,
                                                                .arg = s});
    s->parts = parts;
    weir_dataflow_only_follow(weir_machine_coordinator(s->machine));
    return s;
}

void weir_shortener_free(weir_shortener *s) {
    if (!s) return;
    while (s->groups) free_group(s, s->groups);
    while (s->first) drop_item(s, s->first);
    weir_pages_deinit(&s->places);
    weir_vector_deinit(&s->chunks);
    weir_queue_deinit(&s->given);
    weir_map_deinit(&s->names);
    weir_over_deinit(&s->went);
    weir_machine_free(s->machine);
    weir_free(s);
}

static bool read_first(weir_batch_reader *reader, uint64_t *begins_us, weir_error *error) {
    const weir_event *event = NULL;
    if (!weir_batch_next(reader, &event, error)) return false;
    *begins_us = event ? event->time_us : 0;
    return true;
}

bool weir_shortener_begins_us(weir_str bytes, uint64_t *begins_us, weir_error *error) {
    weir_batch_reader reader;
    if (!weir_batch_open(&reader, bytes, error)) return false;
    reader.wanted = 0; /* but its time */
    bool ok = read_first(&reader, begins_us, error);
    weir_batch_close(&reader);
    return ok;
}

bool weir_shortener_read(weir_shortener *s, uint64_t sequence, weir_str bytes, weir_error *error) {
    if (!weir_machine_replay(s->machine, bytes, error)) return false;
    s->sequence = sequence;
    s->over |= !weir_dataflow_goes_on(weir_machine_coordinator(s->machine));
    return true;
}

uint64_t weir_shortener_sequence(const weir_shortener *s) {
    return s->sequence;
}

bool weir_shortener_is_over(const weir_shortener *s) {
    return s->over;
}

bool weir_shortener_is_due(const weir_shortener *s) {
    return !s->over && s->gone >= WORTH_BYTES && s->gone >= s->kept;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void write_numbers(const weir_shortener *s, const numbers *n, uint64_t time_us,
                          const weir_dataflow_totals *totals, weir_buffer *out) {
    const weir_dataflow_numbers flow = {
        .planned = n->of[PLANNED], .given = n->of[GIVEN], .chunks = n->of[CHUNKS]};
    weir_value *data = weir_dataflow_shortened(&flow, totals);
    uint64_t command = weir_machine_last_command(s->machine);
    weir_member_put(data, "sequence", weir_int_new((int64_t)n->of[SEQUENCE]));
    if (totals && command) weir_member_put(data, "command", weir_int_new((int64_t)command));
    const weir_value *images = weir_machine_images(s->machine);
    if (totals && images)
        weir_member_put(data, "images", weir_value_ref((weir_value *)(uintptr_t)images));
    weir_event_encode(&(weir_event){.type = WEIR_RUN_SHORTENED,
                                    .subject = n->of[TASKS],
                                    .number = (uint32_t)n->of[CONTEXTS],
                                    .time_us = time_us,
                                    .data = data},
                      out);
    weir_value_unref(data);
}

/* Whether the event would be given other numbers than it had. */
static bool differs(const item *it, const numbers *now) {
    for (size_t i = 0; i < NUMBERS; i++) {
        bool used = i == SEQUENCE ? it->own : it->before.of[i] != it->after.of[i];
        if (used && it->before.of[i] != now->of[i]) return true;
    }
    return false;
}

/* The numbers that the events after this one get, if nothing is said. */
static void go_on(numbers *now, const item *it) {
    for (size_t i = 0; i < NUMBERS; i++)
        if (it->before.of[i] != it->after.of[i]) now->of[i] = it->after.of[i];
}

void weir_shortener_take(weir_shortener *s, weir_buffer *summary, weir_over *over) {
    weir_assert(s->first && !s->over);
    numbers now = s->first->after;
    weir_batch_begin_summary(summary);
    append_item(s->first, summary);
    write_numbers(s, &now, s->first->time_us, &s->dropped, summary);
    for (const item *it = s->first->next; it; it = it->next) {
        if (differs(it, &now)) {
            now = it->before;
            write_numbers(s, &now, it->time_us, NULL, summary);
        }
        append_item(it, summary);
        go_on(&now, it);
    }
    write_numbers(s, &s->before, s->last->time_us, NULL, summary);
    *over = s->went;
    s->went = (weir_over){0};
    s->gone = 0;
}
