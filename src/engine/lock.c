/* Locks of workflows that runs of several processes share: their book is a register of the store (see task/claims.h). A run says
 * what its nodes want; who does not get it at once stands in the book, and is asked for again when something is given back here, when
 * the store says that somebody wrote, and now and then, in case who has it died. How often it is looked grows with the time that was
 * waited, so that a short wait ends soon, and a long one costs nothing. */
#include "workflow/lock.h"
#include <stdio.h>

#include "base/map.h"
#include "engine/engine_internal.h"
#include "store/register.h"

enum {
    LOOK_MIN_US = 10 * 1000,
    LOOK_MAX_US = 250 * 1000, /* a look that finds nothing written costs microseconds */
    ALIVE_US = 1000 * 1000,   /* at least so often it is asked whether who has it lives */
    TRIES = 1000              /* others may write the book again and again in between */
};

/* What a run waits for. */
typedef struct wish {
    char run[WEIR_RUN_ID_LENGTH + 1];
    uint32_t node; /* or WEIR_CLAIM_RUN, WEIR_CLAIM_BACK */
    bool nested;
    weir_value *locks;
    uint64_t since_us; /* of the steady clock */
    bool granted;      /* in the book as it was written last */
} wish;

struct weir__locks {
    WEIR_VECTOR(wish) wishes;
    weir_timer *timer;
    bool ticking;
    uint64_t version;         /* of the store, when it was looked at last */
    uint64_t book, looked_us; /* the book's version when nobody here could have more, and when */
};

static const weir_str BOOK = {"claims", 6};

/* --- the book ------------------------------------------------------------------------------------- */

/* Which runs are driven: each is asked for once a look. */
typedef struct liveness {
    weir_engine *engine;
    weir_map known; /* by id: 1 of one that is known to be nobody's */
    weir_arena ids;
} liveness;

static bool is_alive(void *arg, weir_str run) {
    liveness *l = arg;
    uint64_t dead;
    char id[WEIR_RUN_ID_LENGTH + 1];
    if (weir_map_get(&l->known, run, &dead)) return !dead;
    snprintf(id, sizeof id, "%.*s", WEIR_ARG(run));
    dead = weir__run_is_abandoned(l->engine, id);
    weir_map_set(&l->known, (weir_str){weir_str_copy(&l->ids, run), run.length}, dead);
    return !dead;
}

typedef bool change(void *arg, weir_claims *book, liveness *alive, weir_error *error);

/* Reads the book, has it changed, and writes it back; again while others did. `work` may be called several times; *version is that
 * of the book as it is then. With `unless` nothing is done when the book still has that version. */
static bool change_book(weir_engine *engine, change *work, void *arg, uint64_t unless,
                        uint64_t *version, weir_error *error) {
    bool ok = true, written = false;
    liveness alive = {.engine = engine};
    weir_arena_init(&alive.ids);
    for (int i = 0; i < TRIES && ok && !written; i++) {
        weir_buffer bytes = {0};
        ok = weir_store_register_get(engine->store, BOOK, &bytes, version, error);
        if (!ok || (unless && *version == unless)) {
            weir_buffer_deinit(&bytes);
            break;
        }
        weir_claims *book = weir_claims_read(weir_buffer_str(&bytes));
        ok = work(arg, book, &alive, error);
        written = !weir_claims_changed(book);
        weir_buffer_clear(&bytes);
        if (ok && !written) {
            weir_claims_write(book, &bytes);
            ok = weir_store_register_put(engine->store, BOOK, weir_buffer_str(&bytes), *version,
                                         &written, error);
            *version += written;
        }
        weir_claims_free(book);
        weir_buffer_deinit(&bytes);
    }
    weir_map_deinit(&alive.known);
    weir_arena_deinit(&alive.ids);
    return ok;
}

/* --- asking --------------------------------------------------------------------------------------- */

/* All that a run had. */
typedef struct holders {
    const weir_run *run;
    WEIR_VECTOR(weir_claim) claims;
} holders;

static weir_claim claim_of(const weir_run *run, uint32_t node, weir_value *locks) {
    return (weir_claim){.run = weir_str_from(run->id),
                        .node = node,
                        .priority = weir_workflow_priority(run->plan),
                        .created_us = weir_machine_created_us(run->machine),
                        .locks = locks};
}

static void add_holder(void *arg, uint32_t node, weir_value *locks) {
    holders *h = arg;
    *weir_vector_push(&h->claims) = claim_of(h->run, node, locks);
}

/* A run that does not want it any more, or is gone, is not asked for; its claim goes with it. */
static bool is_wanted(const weir_run *run, const wish *w) {
    if (!run || run->over || run->failed || !run->owned) return false;
    if (w->node == WEIR_CLAIM_BACK) return run->wants_back;
    return weir_workflow_waits(weir_machine_coordinator(run->machine), w->node);
}

static bool ask_back(const weir_run *run, weir_claims *book, liveness *alive, bool *granted,
                     weir_error *error) {
    holders h = {.run = run};
    weir_workflow_each_holder(weir_machine_coordinator(run->machine), add_holder, &h);
    bool ok = weir_claims_take_back(book, h.claims.items, h.claims.count, is_alive, alive, granted,
                                    error);
    weir_vector_deinit(&h.claims);
    return ok;
}

/* An engine that was stopped for long may not know yet that the run is another's: what it asked for would be taken for what that
 * one has. */
static bool is_ours(const weir_run *run) {
    weir_error lost;
    return weir_store_holds(run->engine->store, weir_str_from(run->id), &lost);
}

/* Asks for all that wait here, and gives back what is given back: one reading of the book. */
typedef struct look {
    weir_engine *engine;
    const weir_run *gives; /* NULL: nobody */
    const uint32_t *nodes; /* NULL: all of it */
    size_t count;
} look;

static bool look_at(void *arg, weir_claims *book, liveness *alive, weir_error *error) {
    look *l = arg;
    struct weir__locks *locks = l->engine->locks_wanted;
    for (size_t i = 0; l->gives && l->nodes && i < l->count; i++)
        weir_claims_drop(book, weir_str_from(l->gives->id), l->nodes[i]);
    if (l->gives && !l->nodes) weir_claims_drop_run(book, weir_str_from(l->gives->id));
    for (size_t i = 0; locks && i < locks->wishes.count; i++) {
        wish *w = &locks->wishes.items[i];
        const weir_run *run = weir__run_find(l->engine, w->run);
        w->granted = false;
        if (!is_wanted(run, w) || !is_ours(run)) continue;
        weir_claim claim = claim_of(run, w->node, w->locks);
        claim.nested = w->nested;
        if (w->node == WEIR_CLAIM_BACK
                ? !ask_back(run, book, alive, &w->granted, error)
                : !weir_claims_ask(book, &claim, is_alive, alive, &w->granted, error))
            return false;
    }
    return true;
}

/* The run goes on with its locks. */
static void tell_granted(weir_run *run, const wish *w) {
    if (w->node == WEIR_CLAIM_BACK) {
        run->wants_back = false;
        weir__run_go_on(run);
        return;
    }
    weir_value *data = NULL;
    if (w->node == WEIR_CLAIM_RUN) {
        data = weir_object_new();
        weir_member_put(data, "locks", weir_value_ref(w->locks));
    }
    weir_machine_granted(run->machine, weir__now_us(run->engine), w->node, data);
    weir__run_pump_soon(run);
}

static void remove_wish(struct weir__locks *locks, size_t at) {
    locks->wishes.count--;
    for (size_t i = at; i < locks->wishes.count; i++)
        locks->wishes.items[i] = locks->wishes.items[i + 1];
}

/* Those that were granted, and those that nobody wants any more, are not waited for. */
static void tell_all(weir_engine *engine) {
    struct weir__locks *locks = engine->locks_wanted;
    for (size_t i = 0; i < locks->wishes.count;) {
        wish w = locks->wishes.items[i];
        weir_run *run = weir__run_find(engine, w.run);
        bool wanted = is_wanted(run, &w);
        if (wanted && !w.granted) {
            i++;
            continue;
        }
        remove_wish(locks, i);
        if (wanted) tell_granted(run, &w);
        weir_value_unref(w.locks);
    }
}

/* --- waiting -------------------------------------------------------------------------------------- */

static void tick(void *engine);

static void start_ticking(weir_engine *engine) {
    struct weir__locks *locks = engine->locks_wanted;
    uint64_t now_us = weir_clock_steady_us(), delay_us = LOOK_MAX_US;
    for (size_t i = 0; i < locks->wishes.count; i++) {
        uint64_t own = (now_us - locks->wishes.items[i].since_us) / 8;
        if (own < delay_us) delay_us = own;
    }
    locks->ticking = locks->wishes.count > 0;
    if (locks->ticking)
        weir_timer_start(locks->timer, delay_us < LOOK_MIN_US ? LOOK_MIN_US : delay_us);
    else
        weir_timer_cancel(locks->timer);
}

/* `gives`: what that run gives back; `force`: also when the book is as it was. What goes wrong with the store shows when runs are
 * written: until then they wait. */
static void look_again(weir_engine *engine, look *l, bool force) {
    struct weir__locks *locks = engine->locks_wanted;
    uint64_t version = 0;
    weir_error ignored;
    bool ok =
        change_book(engine, look_at, l, force || !locks ? 0 : locks->book, &version, &ignored);
    if (!locks) return;
    if (force) locks->looked_us = weir_clock_steady_us();
    if (ok && version != locks->book) {
        locks->book = version;
        tell_all(engine);
    }
}

static void tick(void *arg) {
    weir_engine *engine = arg;
    struct weir__locks *locks = engine->locks_wanted;
    uint64_t version = weir_store_version(engine->store);
    bool due = weir_clock_steady_us() - locks->looked_us >= ALIVE_US;
    look l = {.engine = engine};
    if (due || !version || version != locks->version) look_again(engine, &l, due);
    locks->version = version;
    start_ticking(engine);
}

/* Takes the wish over. */
static void wait_for(weir_engine *engine, const wish *w) {
    if (!engine->locks_wanted) {
        engine->locks_wanted = weir_alloc(sizeof *engine->locks_wanted);
        engine->locks_wanted->timer = weir_timer_open(engine->loop, tick, engine);
    }
    *weir_vector_push(&engine->locks_wanted->wishes) = *w;
    if (!engine->locks_wanted->ticking) start_ticking(engine);
}

/* --- what a run does ------------------------------------------------------------------------------ */

/* Who else may look has to see that it is driven: with leases, not before its first batch is there. */
static bool may_ask(const weir_run *run) {
    return run->durable || !weir_store_has_leases(run->engine->store);
}

/* What one run wishes now. */
typedef struct asking {
    weir_run *run;
    wish *wishes;
    size_t count;
} asking;

static bool ask_all(void *arg, weir_claims *book, liveness *alive, weir_error *error) {
    asking *a = arg;
    for (size_t i = 0; i < a->count; i++) {
        wish *w = &a->wishes[i];
        weir_claim claim = claim_of(a->run, w->node, w->locks);
        claim.nested = w->nested;
        w->granted = false;
        if (w->node == WEIR_CLAIM_BACK
                ? !ask_back(a->run, book, alive, &w->granted, error)
                : !weir_claims_ask(book, &claim, is_alive, alive, &w->granted, error))
            return false;
    }
    return true;
}

bool weir__locks_look(weir_run *run) {
    weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    WEIR_VECTOR(wish) all = {0};
    wish w = {.since_us = weir_clock_steady_us()};
    uint64_t version;
    weir_error ignored; /* it waits until the store can be asked */
    bool any = false;
    if (!run->has_locks || !may_ask(run)) return false;
    memcpy(w.run, run->id, sizeof w.run);
    while (weir_workflow_take_wish(coordinator, &w.node, &w.locks, &w.nested))
        *weir_vector_push(&all) = w;
    asking a = {run, all.items, all.count};
    bool ok = !all.count ||
              (is_ours(run) && change_book(run->engine, ask_all, &a, 0, &version, &ignored));
    for (size_t i = 0; i < all.count; i++) {
        if (!ok || !all.items[i].granted) {
            wait_for(run->engine, &all.items[i]);
            continue;
        }
        tell_granted(run, &all.items[i]);
        weir_value_unref(all.items[i].locks);
        any = true;
    }
    weir_vector_deinit(&all);
    return any;
}

void weir__locks_take_released(weir_run *run, weir__nodes *out) {
    uint32_t node;
    if (!run->has_locks) return;
    while (weir_workflow_take_released(weir_machine_coordinator(run->machine), &node))
        *weir_vector_push(out) = node;
}

void weir__locks_release(weir_run *run, const weir__nodes *nodes) {
    look l = {run->engine, run, nodes->items, nodes->count};
    if (nodes->count) look_again(run->engine, &l, true);
    if (weir_workflow_wishes(weir_machine_coordinator(run->machine))) weir__run_pump_soon(run);
}

void weir__locks_release_all(weir_run *run) {
    look l = {.engine = run->engine, .gives = run};
    if (run->has_locks) look_again(run->engine, &l, true);
}

void weir__locks_close(weir_engine *engine) {
    struct weir__locks *locks = engine->locks_wanted;
    if (!locks) return;
    for (size_t i = 0; i < locks->wishes.count; i++) weir_value_unref(locks->wishes.items[i].locks);
    weir_vector_deinit(&locks->wishes);
    weir_timer_close(locks->timer);
    weir_free(locks);
    engine->locks_wanted = NULL;
}

static void note_holder(void *arg, uint32_t node, weir_value *locks) {
    (void)node;
    (void)locks;
    *(bool *)arg = true;
}

/* --- after a crash -------------------------------------------------------------------------------- */

bool weir__locks_want_back(weir_run *run) {
    bool holds = false;
    weir__nodes past = {0}; /* given back before it died: nobody has to hear of that */
    weir__locks_take_released(run, &past);
    weir_vector_deinit(&past);
    if (run->has_locks)
        weir_workflow_each_holder(weir_machine_coordinator(run->machine), note_holder, &holds);
    if (!holds) {
        weir__locks_release_all(run); /* granted before it died, and not durable */
        return false;
    }
    wish w = {.node = WEIR_CLAIM_BACK, .since_us = weir_clock_steady_us()};
    asking a = {run, &w, 1};
    uint64_t version;
    weir_error ignored;
    memcpy(w.run, run->id, sizeof w.run);
    if (change_book(run->engine, ask_all, &a, 0, &version, &ignored) && w.granted) return false;
    run->wants_back = true;
    run->wants_for_exit = weir_machine_is_cancelled(run->machine);
    wait_for(run->engine, &w);
    return true;
}
