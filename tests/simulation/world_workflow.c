/* What a workflow's run wants of the outside: answers for nodes that wait for one, and locks, which another run wants, too. The
 * book of the locks is weir's (task/claims.h); as engine/lock.c this asks it. */
#include "workflow/lock.h"
#include "workflow/suspend.h"
#include "world_internal.h"

enum {
    ANSWER_US_MAX = 300 * 1000,
    LOOK_US_MAX = 60 * 1000,
    RIVAL_US_MAX = 700 * 1000, /* until it comes, and how long it has its lock */
    RIVALS_MAX = 4
};

static const char rival[] = "rival";

/* What an engine that is gone wished, or was to be answered, is nobody's. */
static void forget_earlier(engine *e) {
    if (e->locks.life == e->store.life) return;
    world__forget_locks(e);
    e->locks.life = e->store.life;
}

void world__forget_locks(engine *e) {
    for (size_t i = 0; i < e->locks.wishes.count; i++)
        weir_value_unref(e->locks.wishes.items[i].locks);
    e->locks.wishes.count = e->locks.released.count = 0;
    e->locks.looks = e->locks.wants_back = e->answers = false;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* What is said of the node follows from what it is. */
static void answer(world *w, const weir_value *node) {
    weir_value *asked = weir_object_new(), *parameters = weir_object_new();
    weir_buffer selector = {0}, text = {0};
    weir_error error;
    weir_str name = weir_member_text(node, "name");
    uint64_t what = weir_hash(name.data, name.length) % 10;
    weir_buffer_printf(&selector, "name=%.*s", WEIR_ARG(name));
    weir_buffer_printf(&text, "%u", (unsigned)what);
    weir_member_put_text(asked, "selector", weir_buffer_str(&selector));
    weir_member_put_text(parameters, "answer", weir_buffer_str(&text));
    weir_member_put(asked, "parameters", parameters);
    /* The answer may come before it is told to go on, and again. */
    if (simulation_draw(&w->sim, 3)) weir_member_put(asked, "resume", weir_bool_new(true));
    weir_value *data =
        weir_workflow_set_nodes(weir_machine_coordinator(w->e->machine), asked, &error);
    if (data) weir_machine_set_nodes(w->e->machine, clock_us(w), data);
    weir_buffer_deinit(&selector);
    weir_buffer_deinit(&text);
    weir_value_unref(asked);
}

/* Whether the node waits for somebody. */
static bool waits(const weir_value *node) {
    return weir_str_is(weir_member_text(node, "type"), "Suspend") &&
           weir_str_is(weir_member_text(node, "template"), "ask") &&
           !weir_member_named(node, "finished");
}

static void answer_some(void *arg, uint64_t life) {
    world *w = arg;
    if (!world__enter(w, life, answer_some, w) || !w->e->machine) return;
    w->e->answers = false;
    if (w->over || weir_machine_finished(w->e->machine)) return;
    weir_value *status = machine_status(w->e->machine);
    const weir_value *nodes = weir_member_named(status, "nodes");
    for (size_t i = 0; i < weir_value_count(nodes); i++)
        if (waits(weir_array_at(nodes, i)) && simulation_draw(&w->sim, 4))
            answer(w, weir_array_at(nodes, i));
    weir_value_unref(status);
    world__ask_step(w);
}

void world__answer_nodes(world *w) {
    weir_error ignored;
    forget_earlier(w->e);
    if (!w->scenario->asks || w->e->answers) return;
    weir_value *asked = weir_object_new();
    weir_member_put_text(asked, "selector", WEIR_STR("templateName=ask"));
    weir_member_put(asked, "resume", weir_bool_new(true));
    weir_value *data =
        weir_workflow_set_nodes(weir_machine_coordinator(w->e->machine), asked, &ignored);
    w->e->answers = data != NULL;
    weir_value_unref(data);
    weir_value_unref(asked);
    if (w->e->answers)
        simulation_add(&w->sim, simulation_draw(&w->sim, ANSWER_US_MAX), answer_some, w,
                       w->e->store.life);
}

/* --- locks ------------------------------------------------------------------------------------ */

static bool is_alive(void *arg, weir_str run) {
    const world *w = arg;
    if (weir_str_is(run, rival)) return true;
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++)
        if (w->engines[i].machine) return true;
    return false;
}

static weir_claims *read_book(const world *w) {
    return weir_claims_read(weir_buffer_str(&w->book));
}

/* Ends the book. */
static void write_book(world *w, weir_claims *book) {
    weir_buffer_clear(&w->book);
    weir_claims_write(book, &w->book);
    weir_claims_free(book);
}

static weir_claim claim_of(const world *w, uint32_t node, weir_value *locks) {
    return (weir_claim){.run = weir_str_from(run_id),
                        .node = node,
                        .created_us = weir_machine_created_us(w->e->machine),
                        .locks = locks};
}

static void look_again(void *arg, uint64_t life);

static void look_soon(world *w) {
    if (w->e->locks.looks) return;
    w->e->locks.looks = true;
    simulation_add(&w->sim, 1 + simulation_draw(&w->sim, LOOK_US_MAX), look_again, w,
                   w->e->store.life);
}

static void refused(world *w, const weir_error *error) {
    simulation_problem(&w->sim, "a lock cannot be asked for: %s", error->message);
}

static void tell_granted(world *w, const world_wish *wish) {
    weir_value *data = NULL;
    if (wish->node == WEIR_CLAIM_RUN) {
        data = weir_object_new();
        weir_member_put(data, "locks", weir_value_ref(wish->locks));
    }
    weir_machine_granted(w->e->machine, clock_us(w), wish->node, data);
}

/* Asks for all that is wished. Whether anything was granted. */
static bool ask(world *w) {
    world_locks *locks = &w->e->locks;
    weir_claims *book = read_book(w);
    size_t left = 0;
    bool any = false;
    for (size_t i = 0; i < locks->wishes.count; i++) {
        world_wish wish = locks->wishes.items[i];
        weir_claim claim = claim_of(w, wish.node, wish.locks);
        weir_error error;
        bool granted = false;
        bool wanted = weir_workflow_waits(weir_machine_coordinator(w->e->machine), wish.node);
        claim.nested = wish.nested;
        if (wanted && !weir_claims_ask(book, &claim, is_alive, w, &granted, &error))
            refused(w, &error);
        simulation_trace(&w->sim, "node %u %s locks%s", wish.node,
                         granted  ? "gets its"
                         : wanted ? "waits for its"
                                  : "wants no more",
                         wish.nested ? ", nested" : "");
        if (wanted && granted) tell_granted(w, &wish);
        any |= wanted && granted;
        if (wanted && !granted)
            locks->wishes.items[left++] = wish;
        else
            weir_value_unref(wish.locks);
    }
    locks->wishes.count = left;
    write_book(w, book);
    if (left) look_soon(w);
    return any;
}

/* What a rival may want, too. */
static void note_locks(world *w, const weir_value *locks) {
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        weir_value *lock = weir_array_at(locks, i);
        bool known = false;
        for (size_t k = 0; k < w->locks.count; k++)
            known |= weir_value_equal(w->locks.items[k], lock);
        if (!known) *weir_vector_push(&w->locks) = weir_value_ref(lock);
    }
}

bool world__look_for_locks(world *w) {
    if (!weir_workflow_has_locks(w->scenario->plan)) return false;
    world_wish wish;
    size_t before = w->e->locks.wishes.count;
    forget_earlier(w->e);
    while (weir_workflow_take_wish(weir_machine_coordinator(w->e->machine), &wish.node, &wish.locks,
                                   &wish.nested)) {
        *weir_vector_push(&w->e->locks.wishes) = wish;
        note_locks(w, wish.locks);
    }
    if (w->e->locks.wishes.count == before) return false;
    if (!w->faults->leases) return ask(w);
    look_soon(w);
    return false;
}

void world__note_released(world *w) {
    if (!weir_workflow_has_locks(w->scenario->plan)) return;
    uint32_t node;
    forget_earlier(w->e);
    while (weir_workflow_take_released(weir_machine_coordinator(w->e->machine), &node))
        *weir_vector_push(&w->e->locks.released) = (world_release){w->e->store.batches.count, node};
}

void world__release_locks(world *w, bool over) {
    if (!weir_workflow_has_locks(w->scenario->plan)) return;
    world_locks *locks = &w->e->locks;
    weir_claims *book = read_book(w);
    size_t left = 0;
    forget_earlier(w->e);
    for (size_t i = 0; i < locks->released.count; i++) {
        world_release release = locks->released.items[i];
        if (release.batch > w->e->store.done)
            locks->released.items[left++] = release;
        else
            weir_claims_drop(book, weir_str_from(run_id), release.node);
    }
    locks->released.count = left;
    if (over) weir_claims_drop_run(book, weir_str_from(run_id));
    write_book(w, book);
    if (weir_workflow_wishes(weir_machine_coordinator(w->e->machine))) world__ask_step(w);
}

void world__forget_generation(world *w) {
    if (!weir_workflow_has_locks(w->scenario->plan)) return;
    weir_claims *book = read_book(w);
    weir_claims_drop_run(book, weir_str_from(run_id));
    write_book(w, book);
    world__forget_locks(w->e);
}

/* --- after a crash ---------------------------------------------------------------------------- */

typedef struct holders {
    const world *world;
    WEIR_VECTOR(weir_claim) claims;
} holders;

static void add_holder(void *arg, uint32_t node, weir_value *locks) {
    holders *h = arg;
    *weir_vector_push(&h->claims) = claim_of(h->world, node, locks);
}

static bool has_back(world *w) {
    holders h = {.world = w};
    weir_error error;
    bool granted = true;
    weir_workflow_each_holder(weir_machine_coordinator(w->e->machine), add_holder, &h);
    weir_claims *book = read_book(w);
    if (!h.claims.count)
        weir_claims_drop_run(book, weir_str_from(run_id));
    else if (!weir_claims_take_back(book, h.claims.items, h.claims.count, is_alive, w, &granted,
                                    &error))
        refused(w, &error);
    write_book(w, book);
    weir_vector_deinit(&h.claims);
    return granted;
}

bool world__wants_locks_back(world *w) {
    if (!weir_workflow_has_locks(w->scenario->plan)) return false;
    uint32_t past;
    forget_earlier(w->e);
    while (weir_workflow_take_released(weir_machine_coordinator(w->e->machine), &past)) continue;
    if (has_back(w)) return false;
    simulation_trace(&w->sim, "the run waits for the locks that it had");
    w->e->locks.wants_back = true;
    w->e->locks.wants_for_exit = weir_machine_is_cancelled(w->e->machine);
    look_soon(w);
    return true;
}

/* Then it does without them. */
static bool is_cancelled(world *w) {
    const weir_machine *machine = w->e->machine;
    if (!weir_machine_is_terminated(machine) &&
        (!weir_machine_is_cancelled(machine) || w->e->locks.wants_for_exit))
        return false;
    weir_claims *book = read_book(w);
    weir_claims_drop_run(book, weir_str_from(run_id));
    write_book(w, book);
    return true;
}

static void look_again(void *arg, uint64_t life) {
    world *w = arg;
    if (!world__enter(w, life, look_again, w) || !w->e->machine) return;
    forget_earlier(w->e);
    w->e->locks.looks = false;
    if (w->over || (w->faults->leases && !w->e->locks.wants_back && !world__may_ask(w))) return;
    if (!w->e->locks.wants_back) {
        if (ask(w)) world__ask_step(w);
    } else if (is_cancelled(w) || has_back(w)) {
        w->e->locks.wants_back = false;
        (w->faults->leases ? world__go_on_leased : world__go_on)(w);
    } else {
        look_soon(w);
    }
}

/* --- another run ------------------------------------------------------------------------------ */

/* How many have the lock of that short name, besides this run: 0 or 1. */
static uint32_t has_rival(const world *w, weir_str name) {
    if (!w->rival_has) return 0;
    weir_str whole = weir_member_text(w->rival_has, "name");
    return weir_str_ends(whole, name);
}

static void rival_leaves(void *arg, uint64_t number) {
    world *w = arg;
    weir_claims *book = read_book(w);
    weir_claims_drop(book, weir_str_from(rival), (uint32_t)number);
    write_book(w, book);
    w->rival_has = NULL;
    simulation_trace(&w->sim, "the other run gives its lock back");
}

static void rival_asks(void *arg, uint64_t number) {
    world *w = arg;
    if (!w->locks.count || (w->over && !w->rival_wants)) return;
    if (!w->rival_wants) {
        w->rival_wants = w->locks.items[simulation_draw(&w->sim, w->locks.count)];
        w->rival_us =
            simulation_draw(&w->sim, 2) ? 1 : UINT64_MAX; /* older than the run, or younger */
    } else if (number != w->rival_number) {
        return; /* one of them at a time */
    }
    w->rival_number = (uint32_t)number;
    weir_value *wanted = weir_array_new();
    weir_array_append(wanted, weir_value_ref(w->rival_wants));
    weir_claim claim = {.run = weir_str_from(rival),
                        .node = (uint32_t)number,
                        .created_us = w->rival_us,
                        .locks = wanted};
    weir_claims *book = read_book(w);
    weir_error error;
    bool granted = false;
    if (!weir_claims_ask(book, &claim, is_alive, w, &granted, &error)) refused(w, &error);
    write_book(w, book);
    weir_value_unref(wanted);
    if (granted) {
        w->rival_has = w->rival_wants;
        w->rival_wants = NULL;
        simulation_trace(&w->sim, "another run has the lock %s",
                         weir_member_text(w->rival_has, "name").data);
        simulation_add(&w->sim, simulation_draw(&w->sim, RIVAL_US_MAX), rival_leaves, w, number);
    } else {
        simulation_add(&w->sim, 1 + simulation_draw(&w->sim, LOOK_US_MAX), rival_asks, w, number);
    }
}

void world__plan_rivals(world *w) {
    if (!weir_workflow_has_locks(w->scenario->plan)) return;
    uint64_t count = simulation_draw(&w->sim, RIVALS_MAX + 1);
    for (uint64_t i = 0; i < count; i++)
        simulation_add(&w->sim, i * 2 * RIVAL_US_MAX + simulation_draw(&w->sim, RIVAL_US_MAX),
                       rival_asks, w, i);
}

/* --- the rule --------------------------------------------------------------------------------- */

typedef struct lock_word {
    weir_str kind, name; /* the first words of a command; empty: it has no lock */
} lock_word;

static lock_word lock_of(const weir_attempt *attempt) {
    const weir_value *command = weir_member_named(attempt->config, "command");
    if (!weir_is(command, WEIR_ARRAY) || weir_value_count(command) < 2) return (lock_word){0};
    weir_str kind = weir_string_get(weir_array_at(command, 0));
    if (!weir_str_is(kind, "mutex") && !weir_str_is(kind, "semaphore")) return (lock_word){0};
    return (lock_word){kind, weir_string_get(weir_array_at(command, 1))};
}

void world__check_locks(world *w, const weir_attempt *attempt) {
    lock_word own = lock_of(attempt);
    if (!own.kind.length) return;
    uint32_t limit = weir_str_is(own.kind, "mutex") ? 1 : 2, others = has_rival(w, own.name);
    for (size_t i = 0; i < w->executor.attempts.count; i++) {
        const virtual_attempt *other = &w->executor.attempts.items[i];
        if (other->over || other->stopping || other->superseded ||
            other->attempt.id.task == attempt->id.task)
            continue;
        lock_word its = lock_of(&other->attempt);
        others += weir_str_equal(its.kind, own.kind) && weir_str_equal(its.name, own.name);
    }
    if (others >= limit)
        simulation_problem(&w->sim, "task %u begins while %u others have the lock %.*s",
                           attempt->id.task, others, WEIR_ARG(own.name));
}
