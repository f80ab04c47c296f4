#include <stdio.h>
#include <time.h>

#include "store/postgresql_internal.h"
#include "store/process_name.h"

typedef struct loss {
    weir__postgresql *s;
    char *run;
    uint64_t fence;
} loss;

/* --- what is held --------------------------------------------------------------------------- */

/* Under the lock. */
static weir__pg_lease *find_held(weir__postgresql *s, weir_str run) {
    for (size_t i = 0; i < s->held.count; i++)
        if (weir_str_is(run, s->held.items[i].run)) return &s->held.items[i];
    return NULL;
}

uint64_t weir__pg_fence(weir__postgresql *s, weir_str run) {
    pthread_mutex_lock(&s->lock);
    const weir__pg_lease *lease = find_held(s, run);
    uint64_t fence = lease ? lease->fence : 0;
    pthread_mutex_unlock(&s->lock);
    return fence;
}

static uint64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t weir__pg_fence_to_append(weir__postgresql *s, weir_str run, bool last, uint64_t *lease) {
    *lease = 0;
    pthread_mutex_lock(&s->lock);
    weir__pg_lease *held = find_held(s, run);
    uint64_t fence = held ? held->fence : 0;
    if (held && held->state == WEIR__PG_TO_COME) {
        *lease |= WEIR__LEASE_BEGINS;
        held->state = WEIR__PG_SENT;
    }
    if (held && held->begun && last) *lease |= WEIR__LEASE_ENDS;
    pthread_mutex_unlock(&s->lock);
    return fence;
}

/* `asked_us` is when the server was asked for it: there it ends later than that and a lease, unless the server's clock is set
 * meanwhile. Half of it is left for that; it is renewed four times as often as it would end. */
static uint64_t good_until(const weir__postgresql *s, uint64_t asked_us) {
    return asked_us + s->server.lease_us / 2;
}

static void hold(weir__postgresql *s, weir_str run, uint64_t fence, weir__pg_held state,
                 uint64_t asked_us) {
    pthread_mutex_lock(&s->lock);
    weir__pg_lease *lease = find_held(s, run);
    if (!lease) {
        lease = weir_vector_push(&s->held);
        lease->run = weir_str_dup(run);
    }
    lease->fence = fence;
    lease->state = state;
    lease->begun = state == WEIR__PG_TO_COME;
    lease->good_until_us = good_until(s, asked_us);
    pthread_mutex_unlock(&s->lock);
}

static void prolong(weir__postgresql *s, weir_str run, uint64_t fence, uint64_t asked_us) {
    pthread_mutex_lock(&s->lock);
    weir__pg_lease *lease = find_held(s, run);
    if (lease && lease->fence == fence) lease->good_until_us = good_until(s, asked_us);
    pthread_mutex_unlock(&s->lock);
}

/* Gives the run's lease to the caller; one that has ended when there is none. */
static weir__pg_lease let_go(weir__postgresql *s, weir_str run) {
    weir__pg_lease gone = {.state = WEIR__PG_ENDED};
    pthread_mutex_lock(&s->lock);
    weir__pg_lease *lease = find_held(s, run);
    if (lease) {
        gone = *lease;
        *lease = s->held.items[--s->held.count];
    }
    pthread_mutex_unlock(&s->lock);
    return gone;
}

bool weir__pg_lease_lost(weir_str run, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT,
                     "the lease of run `%.*s` is another's: another process drives it",
                     WEIR_ARG(run));
}

/* --- take and give back --------------------------------------------------------------------- */

/* *fence is 0 when another has it. `dead` is the number of a lease that may be taken over at once. */
static bool take(weir__postgresql *s, weir_str run, uint64_t dead, uint64_t *fence,
                 weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, run);
    weir__pg_add_text(&p, weir_buffer_str(&s->owner));
    weir__pg_add_text(&p, weir_str_from(s->engine));
    weir__pg_add_text(&p, weir_buffer_str(&s->process));
    weir__pg_add_number(&p, (int64_t)s->server.lease_us);
    weir__pg_add_number(&p, (int64_t)dead);
    bool ok = weir__pg_ask(s, WEIR__PG_LEASE_TAKE, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    *fence = s->server.q->ntuples(result) ? (uint64_t)weir__pg_number(c, result, 0, 0) : 0;
    s->server.q->clear(result);
    return true;
}

typedef struct holder {
    uint64_t fence; /* 0: nobody */
    int64_t left_s;
    bool dead;
    char owner[200];
} holder;

static bool look(weir__postgresql *s, weir_str run, holder *out, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, run);
    bool ok = weir__pg_ask(s, WEIR__PG_LEASE_LOOK, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    *out = (holder){0};
    if (s->server.q->ntuples(result)) {
        weir_str owner = weir__pg_text(c, result, 0, 1);
        out->fence = (uint64_t)weir__pg_number(c, result, 0, 0);
        out->left_s = weir__pg_number(c, result, 0, 3);
        out->dead = weir__process_is_dead(weir__pg_text(c, result, 0, 2));
        snprintf(out->owner, sizeof out->owner, "%.*s", WEIR_ARG(owner));
    }
    s->server.q->clear(result);
    return true;
}

bool weir__pg_own(weir_store *store, weir_str run, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    uint64_t fence = 0, asked_us = clock_us();
    holder other = {0};
    if (!weir__writer_start(s->writer, error) || !take(s, run, 0, &fence, error)) return false;
    if (!fence && !look(s, run, &other, error)) return false;
    /* It is dead, or was given back between the two questions. */
    if (!fence && (other.dead || !other.fence) && !take(s, run, other.fence, &fence, error))
        return false;
    if (!fence) {
        weir_fail(error, WEIR_CONFLICT, "it is driven by another process, %s", other.owner);
        weir_error_hint(error, "if that is dead its lease ends within %lld s",
                        (long long)(other.left_s > 0 ? other.left_s : 1));
        return false;
    }
    hold(s, run, fence, WEIR__PG_HELD, asked_us);
    weir__writer_forgive(s->writer, run);
    return true;
}

/* Whoever takes a run over gets a larger number from the same sequence, so one is enough for all that begin here. */
static bool get_fence(weir__postgresql *s, weir_error *error) {
    weir__pg_parameters none = {0};
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask(s, WEIR__PG_FENCE, &none, &c, &result, error)) return false;
    s->fence = (uint64_t)weir__pg_number(c, result, 0, 0);
    s->server.q->clear(result);
    return true;
}

bool weir__pg_begin(weir_store *store, weir_str run, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    if (!weir__writer_start(s->writer, error) || (!s->fence && !get_fence(s, error))) return false;
    hold(s, run, s->fence, WEIR__PG_TO_COME, clock_us());
    return true;
}

void weir__pg_note_written(weir__postgresql *s, const weir__append *first) {
    pthread_mutex_lock(&s->lock);
    for (const weir__append *a = first; a; a = a->next) {
        weir__pg_lease *held = a->lease ? find_held(s, a->run) : NULL;
        if (held && held->fence == a->fence)
            held->state = a->lease & WEIR__LEASE_ENDS ? WEIR__PG_ENDED : WEIR__PG_HELD;
    }
    pthread_mutex_unlock(&s->lock);
}

/* The parameters of LEASE_RESTORE. */
static void add_restore(const weir__postgresql *s, weir_str run, uint64_t fence,
                        weir__pg_parameters *p) {
    weir__pg_add_text(p, run);
    weir__pg_add_number(p, (int64_t)fence);
    weir__pg_add_text(p, weir_buffer_str(&s->owner));
    weir__pg_add_text(p, weir_str_from(s->engine));
    weir__pg_add_text(p, weir_buffer_str(&s->process));
    weir__pg_add_number(p, (int64_t)s->server.lease_us);
}

/* One that is not there was forgotten by a server that crashed, and is taken again; or another had the run, and is done with it. */
static bool restore_now(weir__postgresql *s, weir_str run, uint64_t fence, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    add_restore(s, run, fence, &p);
    bool ok = weir__pg_ask(s, WEIR__PG_LEASE_RESTORE, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    bool restored = s->server.q->ntuples(result) > 0;
    s->server.q->clear(result);
    return restored || weir__pg_lease_lost(run, error);
}

/* False in *renewed when the lease is not there, or another's. */
static bool renew_now(weir__postgresql *s, weir_str run, uint64_t fence, bool *renewed,
                      weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    int runs = weir__pg_add_array(&p, WEIR__PG_TEXT),
        fences = weir__pg_add_array(&p, WEIR__PG_NUMBER);
    weir__pg_push_text(&p, runs, run);
    weir__pg_push_number(&p, fences, (int64_t)fence);
    weir__pg_add_number(&p, (int64_t)s->server.lease_us);
    weir__pg_add_text(&p, weir_str_from(s->engine));
    bool ok = weir__pg_ask(s, WEIR__PG_LEASE_BEAT, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    *renewed = s->server.q->ntuples(result) > 0;
    s->server.q->clear(result);
    return true;
}

/* One that has ended may be taken while the answer is on its way: it is renewed, not only looked at, and an answer that took
 * too long says nothing. */
bool weir__pg_holds(weir_store *store, weir_str run, weir_error *error) {
    enum { TRIES = 8 };
    weir__postgresql *s = (weir__postgresql *)store;
    for (int i = 0; i < TRIES; i++) {
        pthread_mutex_lock(&s->lock);
        const weir__pg_lease *lease = find_held(s, run);
        uint64_t fence = lease ? lease->fence : 0, good_until_us = lease ? lease->good_until_us : 0;
        /* One that ended with the run's last batch was held until that was written. */
        bool there = lease && lease->state == WEIR__PG_HELD, renewed = false;
        pthread_mutex_unlock(&s->lock);
        uint64_t now_us = clock_us();
        if (!there || now_us < good_until_us) return true;
        if (!renew_now(s, run, fence, &renewed, error)) return false;
        if (!renewed && !restore_now(s, run, fence, error)) return false;
        prolong(s, run, fence, now_us);
    }
    return weir_fail(error, WEIR_STORE,
                     "the store answers too slowly to hold the lease of run `%.*s`", WEIR_ARG(run));
}

/* A server that is away keeps it until it ends by itself. */
static void give_back(weir__postgresql *s, weir__pg_lease lease) {
    weir__pg *c = &s->readers[0];
    if (c->connection && !c->streaming) {
        weir__pg_parameters p = {0};
        PGresult *result;
        weir_error ignored;
        weir__pg_add_text(&p, weir_str_from(lease.run));
        weir__pg_add_number(&p, (int64_t)lease.fence);
        weir__pg_add_text(&p, weir_str_from(s->engine));
        if (weir__pg_execute(c, WEIR__PG_LEASE_END, &p, &result, &ignored) == WEIR__PG_DONE)
            s->server.q->clear(result);
        weir__pg_parameters_deinit(&p);
    }
    weir_free(lease.run);
}

void weir__pg_disown(weir_store *store, weir_str run, bool finished) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_lease lease = let_go(s, run);
    if (lease.state == WEIR__PG_ENDED || lease.state == WEIR__PG_TO_COME)
        weir_free(lease.run);
    else if (finished)
        give_back(s, lease);
    else
        *weir_vector_push(&s->left) = lease; /* batches may still wait to be written under it */
}

bool weir__pg_is_owned(weir_store *store, weir_str run) {
    holder other;
    weir_error ignored;
    return look((weir__postgresql *)store, run, &other, &ignored) && other.fence && !other.dead &&
           other.left_s > 0;
}

bool weir__pg_is_abandoned(weir_store *store, weir_str run) {
    holder other;
    weir_error ignored;
    return look((weir__postgresql *)store, run, &other, &ignored) &&
           (!other.fence || other.dead || other.left_s <= 0);
}

void weir__pg_drop_leases(weir__postgresql *s) {
    for (size_t i = 0; i < s->held.count; i++) give_back(s, s->held.items[i]);
    for (size_t i = 0; i < s->left.count; i++) give_back(s, s->left.items[i]);
    weir_vector_deinit(&s->held);
    weir_vector_deinit(&s->left);
}

/* --- the heartbeat, on the writer's thread -------------------------------------------------- */

weir__pg_outcome weir__pg_restore(weir__postgresql *s, weir_str run, uint64_t fence, bool *restored,
                                  weir_error *error) {
    weir__pg *c = &s->writer_connection;
    weir__pg_parameters p = {0};
    PGresult *result;
    add_restore(s, run, fence, &p);
    weir__pg_outcome outcome = weir__pg_execute(c, WEIR__PG_LEASE_RESTORE, &p, &result, error);
    weir__pg_parameters_deinit(&p);
    if (outcome != WEIR__PG_DONE) return outcome;
    *restored = s->server.q->ntuples(result) > 0;
    s->server.q->clear(result);
    return WEIR__PG_DONE;
}

/* On the loop's thread. It may have been given back, or taken anew, since. */
static void tell_loss(void *arg, const weir_error *why) {
    loss *l = arg;
    weir_str run = weir_str_from(l->run);
    if (weir__pg_fence(l->s, run) == l->fence && l->s->store.lost)
        l->s->store.lost(l->s->store.lost_arg, run, why);
    weir_free(l->run);
    weir_free(l);
}

static bool is_in(const weir__pg *c, const PGresult *result, const char *run) {
    for (int i = 0; i < c->server->q->ntuples(result); i++)
        if (weir_str_is(weir__pg_text(c, result, i, 0), run)) return true;
    return false;
}

static void note_beat(weir__postgresql *s, const PGresult *result, const weir__pg_lease *held,
                      size_t count, uint64_t asked_us) {
    for (size_t i = 0; i < count; i++) {
        bool renewed = is_in(&s->writer_connection, result, held[i].run), restored = false;
        weir_error why;
        if (renewed) prolong(s, weir_str_from(held[i].run), held[i].fence, asked_us);
        if (renewed ||
            weir__pg_restore(s, weir_str_from(held[i].run), held[i].fence, &restored, &why) !=
                WEIR__PG_DONE ||
            restored)
            continue;
        loss *l = weir_alloc(sizeof *l);
        *l = (loss){s, weir_str_dup(weir_str_from(held[i].run)), held[i].fence};
        weir__pg_lease_lost(weir_str_from(l->run), &why);
        weir__writer_tell(s->writer, &why, tell_loss, l);
    }
}

/* A server that is away just now is left alone: the next append waits for it, the next beat tries again. */
void weir__pg_beat(weir__postgresql *s) {
    weir__pg *c = &s->writer_connection;
    WEIR_VECTOR(weir__pg_lease) held = {0};
    weir__pg_parameters p = {0};
    PGresult *result;
    weir_error ignored;
    uint64_t asked_us = clock_us();
    int runs = weir__pg_add_array(&p, WEIR__PG_TEXT),
        fences = weir__pg_add_array(&p, WEIR__PG_NUMBER);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->held.count; i++) {
        const weir__pg_lease *lease = &s->held.items[i];
        if (lease->state != WEIR__PG_HELD) continue;
        *weir_vector_push(&held) =
            (weir__pg_lease){.run = weir_str_dup(weir_str_from(lease->run)), .fence = lease->fence};
        weir__pg_push_text(&p, runs, weir_str_from(lease->run));
        weir__pg_push_number(&p, fences, (int64_t)lease->fence);
    }
    pthread_mutex_unlock(&s->lock);
    weir__pg_add_number(&p, (int64_t)s->server.lease_us);
    weir__pg_add_text(&p, weir_str_from(s->engine));
    if (held.count && weir__pg_connect(c, &ignored) &&
        weir__pg_execute(c, WEIR__PG_LEASE_BEAT, &p, &result, &ignored) == WEIR__PG_DONE) {
        note_beat(s, result, held.items, held.count, asked_us);
        s->server.q->clear(result);
    }
    for (size_t i = 0; i < held.count; i++) weir_free(held.items[i].run);
    weir_vector_deinit(&held);
    weir__pg_parameters_deinit(&p);
}
