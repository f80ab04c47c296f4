#include "dataflow/context.h"

_Static_assert(sizeof(weir__firing) == (size_t)WEIR__FIRING_CELLS * WEIR__CELL_BYTES &&
                   sizeof(weir__slot) == (size_t)WEIR__SLOT_CELLS * WEIR__CELL_BYTES,
               "a plan lays out what contexts have");

weir__flow_limits weir__limits = {.sets = 50 * 1000 * 1000,
                                  .places = 2000 * 1000 * 1000,
                                  .tasks = 50 * 1000 * 1000,
                                  .contexts = 2000 * 1000 * 1000};

static weir__block *resize_block(weir__block *block, uint32_t capacity) {
    size_t size = sizeof *block + capacity * sizeof block->items[0];
    block = weir_realloc(block, size);
    block->capacity = capacity;
    return block;
}

/* The second input of a slot. */
static void __attribute__((noinline)) begin_block(weir__slot *slot) {
    enum { FIRST = 13 };
    weir__block *block = resize_block(NULL, FIRST);
    block->joined = weir__slot_joined(slot);
    block->count = 1;
    block->items[0] = weir__slot_input(slot, 0);
    slot->state = WEIR__MANY;
    slot->of.block = block;
}

/* False when it has as many as it may have. */
static bool push_slot(weir__slot *slot, uint32_t input, weir_value *value) {
    if (!slot->state) {
        slot->state = input + 1;
        slot->of.value = value;
        return true;
    }
    if (slot->state != WEIR__MANY) begin_block(slot);
    weir__block *block = slot->of.block;
    if (block->count == block->capacity) {
        if (block->count > weir__limits.places) return false;
        slot->of.block = block = resize_block(block, block->capacity * 2 + 1);
    }
    block->items[block->count++] = input;
    return true;
}

/* --- life ----------------------------------------------------------------------------------- */

static void begin(weir__context *context, weir_str name, char *own_name) {
    context->name = name;
    context->own_name = own_name;
    context->task = WEIR_NO_TASK;
    context->free_input = WEIR__NONE;
    context->ended.instance = WEIR__NONE;
    context->recorded = context->owner->recorded;
}

weir__context *weir__context_new(const weir__flow *flow, weir__context_owner *owner, weir_str name,
                                 char *own_name) {
    weir__context *context = weir_alloc(sizeof *context);
    context->flow = flow;
    context->owner = owner;
    begin(context, name, own_name);
    return context;
}

static void make_cells(weir__context *context) {
    const weir__flow *flow = context->flow;
    size_t cells = flow->cell_count * (size_t)WEIR__CELL_BYTES;
    size_t done = flow->lean.count * sizeof *context->done;
    if (!context->cells) {
        context->cells = weir_alloc(cells + done + flow->condition_count);
        context->done = (uint32_t *)(void *)(context->cells + cells);
        context->conditions = (signed char *)(context->cells + cells + done);
    }
    memset(context->conditions, -1, flow->condition_count);
}

static void free_slots(weir__context *context) {
    const weir__flow *flow = context->flow;
    for (size_t i = 0; context->blocks && i < flow->lean.count; i++) {
        const weir__lean_instance *lean = &flow->lean.items[i];
        weir__slot *slots = weir__slots_behind(weir__firing_at(context, lean->firing));
        for (uint32_t p = 0; p < lean->form->parameters; p++) {
            if (slots[p].state == WEIR__MANY) weir_free(slots[p].of.block);
            slots[p].state = 0;
        }
    }
    context->blocks = false;
}

static void drop_values(weir__context *context) {
    enum { AHEAD = 16 };
    size_t count = context->inputs.count;
    for (size_t i = context->borrowed; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(context->inputs.items[i + AHEAD].value);
        weir_value_unref(context->inputs.items[i].value);
    }
    context->inputs.count = 0;
    free_slots(context);
    weir__givens_deinit(&context->own);
    context->given = NULL;
    weir_value_unref(context->results);
    weir_value_unref(context->problem);
    context->results = context->problem = NULL;
    context->keeps_given = false;
    weir_free(context->index);
    weir_free(context->index_starts);
    context->index = context->index_starts = NULL;
    context->indexed = 0;
    context->calls_at = context->touched_at = context->wanted_at = 0;
}

void weir__context_release(weir__context *context) {
    drop_values(context);
    weir_vector_deinit(&context->inputs);
    weir_vector_deinit(&context->sets);
    weir_free(context->free_sets);
    context->free_sets = NULL;
    weir_vector_deinit(&context->calls);
    weir_vector_deinit(&context->wanted);
    weir_vector_deinit(&context->touched);
    weir_vector_deinit(&context->events);
    weir_vector_deinit(&context->locksets);
    weir__lists_deinit(&context->locks);
    weir_vector_deinit(&context->own_locks);
}

void weir__context_empty(weir__context *context) {
    enum { LARGE = 4096 };
    drop_values(context);
#define EMPTY(vector)                                                                              \
    (context->vector.capacity > LARGE ? (void)weir_vector_deinit(&context->vector)                 \
                                      : (void)(context->vector.count = 0))
    EMPTY(inputs);
    EMPTY(sets);
    weir_free(context->free_sets);
    context->free_sets = NULL;
    EMPTY(calls);
    EMPTY(wanted);
    EMPTY(touched);
    EMPTY(events);
    EMPTY(locksets);
    EMPTY(own_locks);
#undef EMPTY
    if (context->flow->locks) weir__lists_begin(&context->locks);
}

static void count_rare(const weir__context *context, uint32_t **counts, uint32_t instance) {
    if (!*counts) *counts = weir_alloc(context->flow->instances.count * sizeof **counts);
    weir__count(&(*counts)[instance]);
}

void weir__context_count_found(weir__context *context, uint32_t instance) {
    count_rare(context, &context->found, instance);
}

void weir__context_count_failed(weir__context *context, uint32_t instance) {
    count_rare(context, &context->failed, instance);
    weir__count(&context->failures);
}

void weir__context_stop_borrowing(weir__context *context) {
    context->own_name = weir_str_dup(context->name);
    context->name.data = context->own_name;
    for (uint32_t i = 0; i < context->borrowed; i++) weir_value_ref(context->inputs.items[i].value);
    context->borrowed = 0;
}

void weir__context_renew(weir__context *context, weir_str name, char *own_name) {
    weir_value_unref(context->failure);
    weir_free(context->found);
    weir_free(context->failed);
    context->found = context->failed = NULL;
    weir_value_unref(context->nodes);
    weir_free(context->own_name);
    memset(&context->id, 0, sizeof *context - offsetof(weir__context, id));
    if (context->cells) /* and `done` */
        memset(context->cells, 0, (size_t)((char *)context->conditions - context->cells));
    begin(context, name, own_name);
}

uint64_t weir__context_stream(uint64_t seed, weir_str name, uint64_t given) {
    uint64_t parts[] = {seed, given, weir_hash(name.data, name.length)};
    return weir_hash(parts, sizeof parts);
}

void weir__context_free(weir__context *context) {
    if (!context) return;
    weir__context_release(context);
    weir_value_unref(context->failure);
    weir_free(context->found);
    weir_free(context->failed);
    weir_value_unref(context->nodes);
    weir_free(context->cells);
    weir_free(context->own_name);
    weir_free(context);
}

/* --- what to look at -------------------------------------------------------------------------- */

/* What was looked at is left behind rather than kept, once it is the larger part. */
static void compact_touched(weir__context *context) {
    size_t left = context->touched.count - context->touched_at;
    memmove(context->touched.items, context->touched.items + context->touched_at,
            left * sizeof *context->touched.items);
    context->touched.count = left;
    context->touched_at = 0;
}

static void touch(weir__context *context, uint32_t lean, weir__firing *firing) {
    if (firing->touched) return;
    firing->touched = 1;
    bool full = context->touched.count == context->touched.capacity;
    if (full && context->touched_at > context->touched.count / 2) compact_touched(context);
    *weir_vector_push(&context->touched) = lean;
}

void weir__context_touch(weir__context *context, uint32_t instance) {
    const weir__flow *flow = context->flow;
    const weir__lean_instance *lean = weir__lean_of(flow, instance);
    if (lean->form->stage == (uint8_t)context->stage)
        touch(context, (uint32_t)(lean - flow->lean.items), weir__firing_at(context, lean->firing));
}

const weir__lean_instance *weir__context_take_touched(weir__context *context) {
    if (!weir__context_is_ready(context)) return NULL;
    const weir__lean_instance *lean =
        &context->flow->lean.items[context->touched.items[context->touched_at++]];
    weir__firing_at(context, lean->firing)->touched = 0;
    if (context->touched_at == context->touched.count)
        context->touched_at = context->touched.count = 0;
    return lean;
}

/* --- locks ------------------------------------------------------------------------------------ */

static uint32_t list_of_set(weir__context *context, uint32_t set) {
    uint32_t list = 0;
    for (uint32_t i = 1; set != WEIR__NONE && i <= context->sets.items[set]; i++) {
        uint32_t input = context->sets.items[set + i];
        if (input != WEIR__DEFAULT)
            list = weir__lists_unite(&context->locks, list, context->locksets.items[input]);
    }
    return list;
}

static void set_lockset(weir__context *context, uint32_t input, uint32_t list) {
    while (context->locksets.count <= input) *weir_vector_push(&context->locksets) = 0;
    context->locksets.items[input] = list;
}

/* Whatever is made from a locked input is of its locks already, so a further lock keeps nobody out: only an input that
 * has none needs one. */
static void note_locks(weir__context *context, uint32_t input, uint32_t seed) {
    const weir__input *it = &context->inputs.items[input];
    set_lockset(context, input, 0);
    uint32_t list = list_of_set(context, it->set);
    if (!list && context->flow->definitions.items[it->definition].lock) {
        uint32_t lock = context->owner->take_lock(context->owner, context->flow, seed);
        if (lock == WEIR__NONE) {
            weir__context_report_full(context);
            return;
        }
        if (seed == WEIR__NONE) *weir_vector_push(&context->own_locks) = lock;
        list = weir__lists_single(&context->locks, lock);
    }
    if (context->locks.full) weir__context_report_full(context);
    context->locksets.items[input] = list;
}

const uint32_t *weir__context_locks(weir__context *context, uint32_t set, uint32_t *count) {
    *count = 0;
    if (!context->flow->locks) return NULL;
    uint32_t list = list_of_set(context, set);
    if (context->locks.full) weir__context_report_full(context);
    return weir__lists_numbers(&context->locks, list, count);
}

/* --- storing ---------------------------------------------------------------------------------- */

/* An output says itself whether it is kept; for what comes from outside it follows from who reads it. */
static bool is_kept(const weir__context *context, const weir__input *input) {
    const weir__flow *flow = context->flow;
    if (flow->keeps_all || flow->lineage || flow->definitions.items[input->definition].kept)
        return true;
    if (input->origin == WEIR__NONE) return false;
    const weir__origin *origin = &flow->origins.items[input->origin];
    for (size_t i = 0; i < origin->consumers.count; i++)
        if (origin->consumers.items[i].keeps &&
            origin->consumers.items[i].definition == input->definition)
            return true;
    return false;
}

/* Apart, as it is rarely needed: `store` is what every input goes through. False, and a problem, at the limit. */
static bool __attribute__((noinline)) grow_inputs(weir__context *context) {
    enum { FIRST = 8 };
    size_t capacity = context->inputs.capacity ? context->inputs.capacity * 2 : FIRST;
    /* When all goes as written each output comes once at least. */
    while (capacity < context->flow->lean_outputs.count + FIRST) capacity *= 2;
    if (capacity > weir__limits.places) capacity = weir__limits.places;
    if (context->inputs.count >= capacity) {
        weir__context_report_full(context);
        return false;
    }
    context->inputs.items =
        weir_realloc(context->inputs.items, capacity * sizeof *context->inputs.items);
    context->inputs.capacity = capacity;
    return true;
}

/* Inputs that are kept go to the end, so they stand in the order in which they came. Takes the value over; WEIR__NONE when
 * there is no room. */
static uint32_t store(weir__context *context, weir__input input, bool kept) {
    uint32_t at = context->free_input;
    input.users = kept || context->retains || context->borrows ? WEIR__KEPT : 0;
    if (input.users == WEIR__KEPT || at == WEIR__NONE) {
        if (context->inputs.count == context->inputs.capacity && !grow_inputs(context)) {
            if (!context->borrows) weir_value_unref(input.value);
            return WEIR__NONE;
        }
        at = (uint32_t)context->inputs.count++;
        context->inputs.items[at] = input;
    } else {
        context->free_input = context->inputs.items[at].users;
        context->inputs.items[at] = input;
    }
    if (!context->recorded) return at;
    while (context->events.count <= at) *weir_vector_push(&context->events) = 0;
    context->events.items[at] = context->event;
    if (context->owner->born) context->owner->born(context->owner->born_arg, context, at);
    return at;
}

static void drop_if_unused(weir__context *context, uint32_t at) {
    weir__input *input = &context->inputs.items[at];
    if (input->users) return;
    weir_value_unref(input->value);
    input->value = NULL;
    input->users = context->free_input;
    context->free_input = at;
}

void weir__context_release_input(weir__context *context, uint32_t at) {
    weir__input *input = &context->inputs.items[at];
    if (input->users == WEIR__KEPT) return;
    input->users--;
    drop_if_unused(context, at);
}

/* The one parent of the input that is of the origin; WEIR__NONE when there is none, and a problem when there are more. */
static uint32_t find_parent(weir__context *context, uint32_t input, uint32_t origin,
                            const weir__lean_consumer *consumer) {
    uint32_t set = context->inputs.items[input].set, found = WEIR__NONE;
    for (uint32_t i = 1; set != WEIR__NONE && i <= context->sets.items[set]; i++) {
        uint32_t parent = context->sets.items[set + i];
        if (parent == WEIR__DEFAULT || parent == found ||
            context->inputs.items[parent].origin != origin)
            continue;
        if (found == WEIR__NONE) {
            found = parent;
            continue;
        }
        if (context->problem) return WEIR__NONE;
        uint32_t at = context->flow->lean.items[consumer->lean].instance;
        const weir__instance *instance = &context->flow->instances.items[at];
        weir_value *where = weir_object_new();
        weir_member_put_text(where, "context", context->name);
        weir_member_put_text(where, "instance", instance->name);
        context->problem = weir_object_new();
        weir_member_put_text(context->problem, "code",
                             weir_str_from(weir_code_text(WEIR_AMBIGUOUS_ANCESTOR)));
        weir_member_put_text(context->problem, "what",
                             WEIR_STR("an input has two parents of the origin that an ancestor "
                                      "list names"));
        weir_member_put(context->problem, "where", where);
        return WEIR__NONE;
    }
    return found;
}

static bool has_ancestors(weir__context *context, uint32_t input,
                          const weir__lean_consumer *consumer) {
    const weir__flow *flow = context->flow;
    size_t first = flow->consumer_ancestors.items[consumer - flow->lean_consumers.items];
    for (uint32_t i = 0; i < consumer->ancestors && input != WEIR__NONE; i++)
        input = find_parent(context, input, flow->ancestors.items[first + i], consumer);
    return input != WEIR__NONE;
}

/* Whether the instance can have a parameter set: then it is looked at. */
static bool is_complete(const weir__firing *firing, uint8_t needs) {
    const weir__slot *slots = weir__slots_behind(firing);
    for (uint32_t p = 0; p < needs; p++)
        if (!weir__slot_count(&slots[p])) return false;
    return true;
}

static void hand_over(weir__context *context, const weir__lean_consumer *consumer, uint32_t input) {
    weir__input *it = &context->inputs.items[input];
    weir__firing *firing = weir__firing_at(context, consumer->firing);
    if (consumer->condition) {
        signed char *condition = &context->conditions[consumer->slot];
        bool truth = weir_value_truth(it->value);
        if (*condition == 1) firing->conditions_true--;
        if (truth) firing->conditions_true++;
        *condition = truth;
    } else {
        weir__slot *slot = weir__slot_at(context, consumer->slot);
        if (!push_slot(slot, input, it->value)) {
            weir__context_report_full(context);
            return;
        }
        context->blocks |= slot->state == WEIR__MANY;
        if (it->users != WEIR__KEPT) it->users++;
    }
    if (consumer->stage == (uint8_t)context->stage && is_complete(firing, consumer->needs))
        touch(context, consumer->lean, firing);
}

/* Readers lie anywhere: those to come are asked of memory while others are dealt with, after the first, for which
 * `look_ahead` did it. */
static void give_to(weir__context *context, uint32_t at, weir__readers readers) {
    uint32_t definition = context->inputs.items[at].definition;
    const weir__lean_consumer *all = context->flow->lean_consumers.items + readers.first;
    for (uint32_t i = 0; i < readers.count; i++) {
        const weir__lean_consumer *consumer = &all[i];
        if (i + WEIR__READERS_AHEAD < readers.count)
            __builtin_prefetch(weir__firing_at(context, all[i + WEIR__READERS_AHEAD].firing));
        if (consumer->definition == definition &&
            (!consumer->ancestors || has_ancestors(context, at, consumer)))
            hand_over(context, consumer, at);
    }
    drop_if_unused(context, at);
}

static void give_to_consumers(weir__context *context, uint32_t at) {
    const weir__input *input = &context->inputs.items[at];
    weir__readers readers = {0};
    if (context->flow->definitions.items[input->definition].forwarded)
        context->owner->forward(context->owner, context, at);
    if (input->origin != WEIR__NONE) readers = context->flow->readers.items[input->origin];
    give_to(context, at, readers);
}

void weir__context_add(weir__context *context, weir_value *value, uint32_t definition,
                       uint32_t origin, uint32_t set) {
    weir__input input = {value, definition, origin, set, 0};
    uint32_t at = store(context, input, is_kept(context, &input));
    if (at == WEIR__NONE) return;
    if (context->flow->locks) note_locks(context, at, WEIR__NONE);
    give_to_consumers(context, at);
}

void weir__context_add_forwarded(weir__context *context, const weir__context *around, uint32_t at,
                                 uint32_t definition, uint32_t origin) {
    weir_value *value = weir_value_ref(around->inputs.items[at].value);
    weir__input input = {value, definition, origin, WEIR__NONE, 0};
    context->owner->around = around;
    context->owner->around_at = at;
    uint32_t inner = store(context, input, is_kept(context, &input)), count = 0, list = 0;
    context->owner->around = NULL;
    if (inner == WEIR__NONE) return;
    const uint32_t *locks = NULL;
    if (around->flow->locks)
        locks = weir__lists_numbers(&around->locks, around->locksets.items[at], &count);
    for (uint32_t i = 0; i < count; i++)
        list =
            weir__lists_unite(&context->locks, list, weir__lists_single(&context->locks, locks[i]));
    context->guest |= count > 0;
    if (count)
        set_lockset(context, inner, list);
    else if (context->flow->locks)
        note_locks(context, inner, WEIR__NONE);
    if (context->locks.full) weir__context_report_full(context);
    give_to_consumers(context, inner);
}

void weir__context_add_output(weir__context *context, weir_value *value,
                              const weir__lean_output *output, uint32_t set) {
    if (output->special) {
        weir__context_add(context, value, output->definition, output->origin, set);
        return;
    }
    uint32_t at = store(context, (weir__input){value, output->definition, output->origin, set, 0},
                        output->kept);
    if (at != WEIR__NONE) give_to(context, at, output->readers);
}

/* --- inputs from outside ---------------------------------------------------------------------- */

/* The places that a list's inputs have in the context, for parents and `same_as`. */
typedef WEIR_VECTOR(uint32_t) places;

static uint32_t set_of_parents(weir__context *context, const weir__givens *givens,
                               const weir__given *given, const places *stored) {
    bool wanted = context->flow->lineage || context->flow->locks;
    if (!given->parent_count || !wanted || !stored) return WEIR__NONE;
    if (context->sets.count + given->parent_count >= weir__limits.places) {
        weir__context_report_full(context);
        return WEIR__NONE;
    }
    uint32_t set = (uint32_t)context->sets.count; /* for good: it has no instance that ends */
    *weir_vector_push(&context->sets) = given->parent_count;
    for (uint32_t i = 0; i < given->parent_count; i++)
        *weir_vector_push(&context->sets) =
            stored->items[givens->parents.items[given->parents + i]];
    return set;
}

/* An input that is to be validated goes to its validator alone. */
static void send_to_validator(weir__context *context, uint32_t at, uint32_t validator) {
    if (!weir__context_has_room(context, validator, 1)) {
        weir__context_report_sets(context, validator);
        return;
    }
    const weir__instance *instance = &context->flow->instances.items[validator];
    uint32_t count = (uint32_t)instance->parameters.count;
    uint32_t set = weir__context_new_set(context, count);
    context->sets.items[set + 1] = at;
    for (uint32_t p = 1; p < count; p++) context->sets.items[set + 1 + p] = WEIR__DEFAULT;
    weir__context_queue_set(context, validator, set);
}

static void report_validator(weir__context *context, const weir__definition *definition) {
    if (context->problem) return;
    weir_buffer what = {0};
    weir_buffer_printf(&what, "definition `%.*s`: there is no validator `%.*s`",
                       WEIR_ARG(definition->name), WEIR_ARG(definition->validate));
    context->problem = weir_object_new();
    weir_member_put_text(context->problem, "code",
                         weir_str_from(weir_code_text(WEIR_UNKNOWN_VALIDATOR)));
    weir_member_put_text(context->problem, "what", weir_buffer_str(&what));
    weir_buffer_deinit(&what);
}

static void store_given(weir__context *context, const weir__givens *givens,
                        const weir__given *given, places *stored) {
    const weir__definition *definition = &context->flow->definitions.items[given->definition];
    weir__input input = {context->borrows ? given->value : weir_value_ref(given->value),
                         given->definition, given->origin,
                         set_of_parents(context, givens, given, stored), 0};
    bool referred = stored && context->flow->locks; /* its place may be asked for its locks */
    uint32_t at = store(context, input, referred || is_kept(context, &input));
    if (stored) *weir_vector_push(stored) = at == WEIR__NONE ? 0 : at; /* others may refer to it */
    if (at == WEIR__NONE) return;
    if (given->same_as != WEIR__NONE) {
        context->inputs.items[at].users = WEIR__KEPT;
        if (context->flow->locks)
            set_lockset(context, at, context->locksets.items[stored->items[given->same_as]]);
        return;
    }
    if (context->flow->locks) note_locks(context, at, given->seed);
    if (!definition->validate.length) {
        give_to_consumers(context, at);
        return;
    }
    /* It is there for its validator, and as an ancestor of what that gives: nobody may collect it. */
    context->inputs.items[at].definition = WEIR__NONE;
    context->inputs.items[at].users = WEIR__KEPT;
    if (definition->validator == WEIR__NONE)
        report_validator(context, definition);
    else
        send_to_validator(context, at, definition->validator);
}

/* Whether inputs of the list refer to others of it. */
static bool refers(const weir__givens *givens) {
    if (givens->parents.count) return true;
    for (size_t i = 0; i < givens->items.count; i++)
        if (givens->items.items[i].same_as != WEIR__NONE) return true;
    return false;
}

void weir__context_give(weir__context *context, const weir__givens *givens) {
    places stored = {0};
    if (!refers(givens)) {
        for (size_t i = 0; i < givens->items.count; i++)
            store_given(context, givens, &givens->items.items[i], NULL);
        return;
    }
    for (size_t i = 0; i < givens->items.count; i++)
        store_given(context, givens, &givens->items.items[i], &stored);
    weir_vector_deinit(&stored);
}

/* Whether an output operation is told by what comes from outside what to ask for. */
static bool is_asked(const weir__flow *flow, const weir__givens *givens) {
    for (size_t i = 0; givens && i < givens->items.count; i++)
        if (flow->definitions.items[givens->items.items[i].definition].asked) return true;
    return false;
}

void weir__context_open(weir__context *context) {
    const weir__flow *flow = context->flow;
    context->open = true;
    make_cells(context);
    if (flow->locks) weir__lists_begin(&context->locks);
    context->retains = is_asked(flow, context->given) || (context->held && flow->asks);
    if (context->given) weir__context_give(context, context->given);
    weir__context_give(context, &flow->seeds);
    if (!context->keeps_given) {
        context->given = NULL;
        weir__givens_deinit(&context->own);
    }
    if (context->borrows) context->borrowed = (uint32_t)context->inputs.count;
    context->borrows = false;
    for (size_t i = 0; i < flow->starters.count; i++)
        weir__context_touch(context, flow->starters.items[i]);
}

void weir__context_go_ahead(weir__context *context) {
    weir__context before = *context;
    context->own = (weir__givens){0};
    context->own_name = NULL;
    weir__context_empty(context);
    weir__context_renew(context, before.name, before.own_name);
    context->id = before.id;
    context->given = before.given;
    context->own = before.own;
    context->stream = before.stream;
    context->opened_us = before.opened_us;
    context->ahead = context->keeps_given = true;
    context->recorded = false;
    weir__context_open(context);
}

static uint32_t definition_like(const weir__flow *flow, const weir__flow *other,
                                uint32_t definition) {
    uint64_t at;
    weir_str name = other->definitions.items[definition].name;
    return weir__definition_find(flow, name, &at) ? (uint32_t)at : WEIR__NONE;
}

void weir__context_open_within(weir__context *context, const weir__context *around) {
    const weir__flow *flow = context->flow, *other = around->flow;
    context->open = context->retains = true;
    context->stage = WEIR_STAGE_OUTPUT;
    make_cells(context);
    if (flow->locks) weir__lists_begin(&context->locks);
    for (size_t i = 0; other->lineage && i < around->sets.count; i++)
        *weir_vector_push(&context->sets) = around->sets.items[i];
    for (uint32_t i = 0; i < around->inputs.count; i++) {
        weir__input input = around->inputs.items[i];
        weir_value_ref(input.value);
        if (input.definition != WEIR__NONE)
            input.definition = definition_like(flow, other, input.definition);
        if (input.origin != WEIR__NONE) input.origin = weir__origin_like(flow, other, input.origin);
        if (!other->lineage) input.set = WEIR__NONE;
        input.users = WEIR__KEPT;
        *weir_vector_push(&context->inputs) = input;
        if (flow->locks) set_lockset(context, i, 0);
        if (input.value && input.definition != WEIR__NONE) give_to_consumers(context, i);
    }
    weir__context_give(context, &flow->seeds);
    weir__context_enter(context, WEIR_STAGE_OUTPUT);
}

void weir__context_enter(weir__context *context, weir_stage stage) {
    context->stage = stage;
    context->calls_at = context->calls.count = 0; /* of a stage that was cut short */
    if (stage == WEIR_STAGE_DONE) return;
    const weir__flow *flow = context->flow;
    for (size_t i = 0; i < flow->in_stage[stage].count; i++)
        weir__context_touch(context, flow->in_stage[stage].items[i]);
}

weir_stage weir__context_next_stage(const weir__context *context, bool halted, bool terminated) {
    for (weir_stage stage = context->stage + 1; stage < WEIR_STAGE_DONE; stage++) {
        if (halted && (stage == WEIR_STAGE_OUTPUT || terminated)) continue;
        if (context->flow->in_stage[stage].count) return stage;
    }
    return WEIR_STAGE_DONE;
}

/* --- sets --------------------------------------------------------------------------------------- */

weir_value *weir__context_set_value(const weir__context *context, uint32_t instance, uint32_t set,
                                    uint32_t parameter) {
    uint32_t input = context->sets.items[set + 1 + parameter];
    if (input != WEIR__DEFAULT) return context->inputs.items[input].value;
    const weir__flow *flow = context->flow;
    uint32_t definition = flow->instances.items[instance].parameters.items[parameter].definition;
    return flow->definitions.items[definition].default_value;
}

weir_value *weir__context_parameters(const weir__context *context, uint32_t instance,
                                     uint32_t set) {
    const weir__instance *it = &context->flow->instances.items[instance];
    weir_value *parameters = weir_object_new();
    for (uint32_t p = 0; p < it->parameters.count; p++) {
        weir_value *value = weir__context_set_value(context, instance, set, p);
        if (value) weir_member_set(parameters, it->parameters.items[p].name, weir_value_ref(value));
    }
    return parameters;
}

uint32_t weir__context_new_set(weir__context *context, uint32_t count) {
    uint32_t set = context->free_sets ? context->free_sets[count] : 0;
    if (set) {
        context->free_sets[count] = context->sets.items[set];
        return set - 1;
    }
    set = (uint32_t)context->sets.count;
    weir_vector_reserve(&context->sets, count + (size_t)1);
    context->sets.items[set] = count;
    context->sets.count += count + (size_t)1;
    return set;
}

static void push_call(weir__context *context, weir__pending call) {
    size_t at = context->calls_at;
    if (context->calls.count == context->calls.capacity && at > context->calls.count / 2) {
        context->calls.count -= at;
        memmove(context->calls.items, context->calls.items + at,
                context->calls.count * sizeof *context->calls.items);
        context->calls_at = 0;
    }
    *weir_vector_push(&context->calls) = call;
}

void weir__context_queue_set(weir__context *context, uint32_t instance, uint32_t set) {
    uint32_t locks = 0;
    if (context->flow->locks) weir__context_locks(context, set, &locks);
    weir__pending pending = {instance, set};
    if (weir__lean_of(context->flow, instance)->form->call && !locks)
        push_call(context, pending);
    else
        *weir_vector_push(&context->wanted) = pending;
    weir__count(&weir__firing_of(context, instance)->sets);
}

/* What was made from a set is kept by lineage. The last set goes as it came; others leave a hole. */
static void free_set(weir__context *context, uint32_t set) {
    uint32_t count = context->sets.items[set];
    if (context->flow->lineage || !count) return;
    if (set + (size_t)count + 1 == context->sets.count) {
        context->sets.count = set;
        return;
    }
    if (!context->free_sets)
        context->free_sets =
            weir_alloc((context->flow->parameters_most + (size_t)1) * sizeof *context->free_sets);
    context->sets.items[set + 1] = context->free_sets[count];
    context->free_sets[count] = set + 1;
}

void weir__context_drop_set(weir__context *context, uint32_t instance, uint32_t set) {
    if (context->flow->instances.items[instance].unary) {
        uint32_t input = context->sets.items[set + 1];
        if (input != WEIR__DEFAULT) weir__context_release_input(context, input);
    }
    free_set(context, set);
}
