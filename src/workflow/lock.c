/* Mutexes and semaphores: what the nodes of a run want, in which order, and what became of it. Who else wants them is not known
 * here: a wish goes out, and lock.granted comes back.
 *
 * Each lock has a line of the run's nodes that want it, in the order of their start. One wishes when it is the first of all its
 * lines; granted, or over, it leaves them. So a run has one wish a lock at a time, however many of its nodes wait. Lines and
 * wishes follow from the nodes: a replay makes them again. */
#include "workflow/lock.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/queue.h"
#include "workflow/coordinator.h"

struct weir__locking {
    weir_map places; /* of a lock's name, in `lines` */
    WEIR_VECTOR(weir_queue) lines;
    weir_queue wishes, released; /* nodes, or WEIR_CLAIM_RUN */
    weir__hold own;              /* of the run as a whole */
    weir_value *own_locks;       /* what it wants, or has; NULL: not known yet */
};

weir__locking *weir__locking_new(const weir__workflow *workflow) {
    weir__locking *locking = weir_alloc(sizeof *locking);
    locking->own = workflow->locks.count ? WEIR__HOLD_WAITS : WEIR__HOLD_FREE;
    return locking;
}

void weir__locking_free(weir__locking *locking) {
    if (!locking) return;
    for (size_t i = 0; i < locking->lines.count; i++) weir_queue_deinit(&locking->lines.items[i]);
    weir_vector_deinit(&locking->lines);
    weir_map_deinit(&locking->places);
    weir_queue_deinit(&locking->wishes);
    weir_queue_deinit(&locking->released);
    weir_value_unref(locking->own_locks);
    weir_free(locking);
}

/* --- names and limits ----------------------------------------------------------------------------- */

void weir__lock_name(const weir__lock *lock, weir_str space, weir_buffer *out) {
    static const char *const kinds[] = {[WEIR__LOCK_MUTEX] = "Mutex",
                                        [WEIR__LOCK_DATABASE_MUTEX] = "Database",
                                        [WEIR__LOCK_MAP] = "ConfigMap",
                                        [WEIR__LOCK_DATABASE] = "Database"};
    weir_buffer_printf(out, "%.*s/%s/%.*s", WEIR_ARG(lock->space.length ? lock->space : space),
                       kinds[lock->kind], WEIR_ARG(lock->name));
    if (lock->kind == WEIR__LOCK_MAP) weir_buffer_printf(out, "/%.*s", WEIR_ARG(lock->key));
}

static bool read_limit(weir_str text, weir_str name, uint64_t *out, weir_error *error) {
    enum { LIMIT_MAX = 1000 * 1000 * 1000 };
    uint64_t limit = 0;
    bool good = text.length > 0;
    for (size_t i = 0; i < text.length && good; i++) {
        good = text.data[i] >= '0' && text.data[i] <= '9';
        limit = limit * 10 + (uint64_t)(text.data[i] - '0');
        good = good && limit <= LIMIT_MAX;
    }
    if (good) *out = limit;
    return good || weir_fail(error, WEIR_INVALID,
                             "the limit `%.*s` of the semaphore %.*s is not a number of 0 to %d",
                             WEIR_ARG(text), WEIR_ARG(name), LIMIT_MAX);
}

/* "NAMESPACE/KEY", else "KEY". */
static bool configured_limit(const weir__workflow *workflow, weir_str name, weir_str key,
                             uint64_t *out, weir_error *error) {
    const weir_value *limits = workflow->limits;
    size_t slash = weir_str_find(name, WEIR_STR("/"), 0);
    weir_buffer whole = {0};
    weir_buffer_printf(&whole, "%.*s/%.*s", WEIR_ARG(weir_str_slice(name, 0, slash)),
                       WEIR_ARG(key));
    const weir_value *limit = limits ? weir_member(limits, weir_buffer_str(&whole)) : NULL;
    if (!limit && limits) limit = weir_member(limits, key);
    weir_buffer_deinit(&whole);
    if (!weir_is(limit, WEIR_INT) || weir_int_get(limit) < 0)
        return weir_fail(error, WEIR_NOT_FOUND,
                         "the semaphore %.*s has no limit: the configuration has none of that key",
                         WEIR_ARG(name));
    *out = (uint64_t)weir_int_get(limit);
    return true;
}

bool weir__lock_limit(const weir__workflow *workflow, weir__lock_kind kind, weir_str map,
                      weir_str key, weir_str name, uint64_t *out, weir_error *error) {
    if (kind == WEIR__LOCK_DATABASE) return configured_limit(workflow, name, map, out, error);
    if (kind != WEIR__LOCK_MAP) {
        *out = 1;
        return true;
    }
    const weir_value *maps =
        weir_member_named(weir_member_named(workflow->source, "weir"), "configMaps");
    const weir_value *texts = maps ? weir_member(maps, map) : NULL;
    const weir_value *text = texts ? weir_member(texts, key) : NULL;
    if (!texts)
        return weir_fail(error, WEIR_NOT_FOUND,
                         "the semaphore %.*s has no limit: ConfigMap '%.*s' does not exist",
                         WEIR_ARG(name), WEIR_ARG(map));
    if (!weir_is(text, WEIR_STRING))
        return weir_fail(error, WEIR_NOT_FOUND,
                         "the semaphore %.*s has no limit: ConfigMap '%.*s' does not have the key "
                         "'%.*s'",
                         WEIR_ARG(name), WEIR_ARG(map), WEIR_ARG(key));
    return read_limit(weir_str_trim(weir_string_get(text)), name, out, error);
}

/* Puts {name, limit} behind the others, unless it is there. */
static bool add_lock(const weir__workflow *workflow, const weir__lock *lock, weir_value *out,
                     weir_error *error) {
    weir_buffer name = {0};
    uint64_t limit = 0;
    bool known = false;
    weir__lock_name(lock, weir_member_text(workflow->metadata, "namespace"), &name);
    bool good = weir__lock_limit(workflow, lock->kind, lock->name, lock->key,
                                 weir_buffer_str(&name), &limit, error);
    for (size_t i = 0; i < weir_value_count(out) && !known; i++)
        known =
            weir_str_equal(weir_member_text(weir_array_at(out, i), "name"), weir_buffer_str(&name));
    if (good && !known) {
        weir_value *one = weir_object_new();
        weir_member_put_text(one, "name", weir_buffer_str(&name));
        weir_member_put(one, "limit", weir_int_new((int64_t)limit));
        weir_array_append(out, one);
    }
    weir_buffer_deinit(&name);
    return good;
}

weir_value *weir__locks_render(weir__scope *scope, const weir__locks *locks, weir_error *error) {
    weir_value *out = weir_array_new();
    bool good = true;
    for (size_t i = 0; i < locks->count && good; i++) {
        weir__lock lock = locks->items[i];
        weir_str *texts[] = {&lock.name, &lock.key, &lock.space};
        weir_buffer rendered[3] = {0};
        for (size_t k = 0; k < 3 && good; k++) {
            good = weir__render(scope, *texts[k], &rendered[k], error);
            *texts[k] = weir_buffer_str(&rendered[k]);
        }
        good = good && add_lock(scope->run->workflow, &lock, out, error);
        for (size_t k = 0; k < 3; k++) weir_buffer_deinit(&rendered[k]);
    }
    if (good) return out;
    weir_value_unref(out);
    return NULL;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static const weir_value *locks_of(const weir__node *n) {
    return weir_member_named(n->start, "locks");
}

static weir_str name_at(const weir_value *locks, size_t at) {
    return weir_member_text(weir_array_at(locks, at), "name");
}

static weir_queue *line_of(weir__locking *locking, weir_str name) {
    uint64_t at;
    if (weir_map_get(&locking->places, name, &at)) return &locking->lines.items[at];
    weir_map_set(&locking->places, name, locking->lines.count);
    weir_queue *line = weir_vector_push(&locking->lines);
    *line = (weir_queue){0};
    return line;
}

/* The first that still waits; false: nobody does. */
static bool first_of(weir__run *run, weir_queue *line, uint64_t *node) {
    while (weir_queue_first(line, node)) {
        if (weir__node_waits(weir__node_at(run, (uint32_t)*node))) return true;
        (void)weir_queue_take(line, node);
    }
    return false;
}

static bool is_first(weir__run *run, uint32_t node) {
    const weir_value *locks = locks_of(weir__node_at(run, node));
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        uint64_t first;
        if (first_of(run, line_of(run->locking, name_at(locks, i)), &first) && first != node)
            return false;
    }
    return true;
}

/* Those that stand first now may wish. */
static void touch_next(weir__run *run, const weir_value *locks) {
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        uint64_t first;
        if (first_of(run, line_of(run->locking, name_at(locks, i)), &first))
            weir__touch(run, (uint32_t)first, WEIR__NONE);
    }
}

/* How long the node may wait; UINT64_MAX: as long as it takes. */
static uint64_t patience_us(const weir__node *n) {
    uint64_t pending = weir_member_count(n->start, "pending_us"),
             timeout = weir_member_count(n->start, "timeout_us");
    if (!timeout) timeout = n->template->spec.timeout_us;
    if (!timeout) timeout = UINT64_MAX;
    return pending && pending < timeout ? pending : timeout;
}

void weir__lock_enter(weir__run *run, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    const weir_value *locks = locks_of(n);
    uint64_t first;
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        weir_queue *line = line_of(run->locking, name_at(locks, i));
        weir_queue_put(line, node);
        if (!first_of(run, line, &first)) return; /* it is there */
    }
    weir__touch(run, node, WEIR__NONE);
    uint64_t us = patience_us(n);
    if (us < UINT64_MAX - n->started_us)
        weir_heap_add(&run->timers, (weir_moment){n->started_us + us, node});
}

void weir__lock_leave(weir__run *run, uint32_t node) {
    weir__node *n = weir__node_at(run, node);
    bool waited = weir__node_waits(n);
    n->hold = WEIR__HOLD_FREE;
    weir_queue_put(&run->locking->released, node);
    if (waited) touch_next(run, locks_of(n));
}

void weir__apply_granted(weir__run *run, const weir_event *event) {
    weir__locking *locking = run->locking;
    if (event->subject == WEIR_CLAIM_RUN) {
        locking->own = WEIR__HOLD_HOLDS;
        weir_value_unref(locking->own_locks);
        locking->own_locks = weir_value_ref(weir_member_named(event->data, "locks"));
        weir__touch(run, WEIR__NONE, WEIR__NONE);
        return;
    }
    weir__node *n = weir__node_at(run, (uint32_t)event->subject);
    n->hold = weir__limit_is_of_run(run, n) ? WEIR__HOLD_READY : WEIR__HOLD_HOLDS;
    n->last_cause = event->id;
    if (n->hold == WEIR__HOLD_READY) weir__touch(run, (uint32_t)event->subject, WEIR__NONE);
    touch_next(run, locks_of(n));
}

static bool is_locks(const weir_value *locks) {
    if (!weir_is(locks, WEIR_ARRAY)) return false;
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        const weir_value *lock = weir_array_at(locks, i);
        if (!weir_member_text(lock, "name").length ||
            !weir_is(weir_member_named(lock, "limit"), WEIR_INT))
            return false;
    }
    return true;
}

bool weir__fits_locks(const weir__run *run, const weir_value *locks) {
    return !locks || (run->locking && is_locks(locks));
}

bool weir__fits_granted(const weir__run *run, const weir_event *event) {
    if (!run->locking) return false;
    if (event->subject == WEIR_CLAIM_RUN)
        return (run->locking->own == WEIR__HOLD_WAITS || run->locking->own == WEIR__HOLD_WISHES) &&
               is_locks(weir_member_named(event->data, "locks"));
    return event->subject < run->nodes.count &&
           weir__node_waits(weir__node_at(run, (uint32_t)event->subject));
}

/* --- deciding ------------------------------------------------------------------------------------- */

/* How many of those that the node is a part of, and the run itself, have the lock. */
static uint64_t had_above(const weir__run *run, uint32_t node, weir_str name) {
    uint64_t count = 0;
    const weir_value *own = run->locking->own_locks;
    for (uint32_t above = weir__node_at(run, node)->parent; above != WEIR__NONE;
         above = weir__node_at(run, above)->parent) {
        const weir__node *n = weir__node_at(run, above);
        const weir_value *locks = n->hold == WEIR__HOLD_HOLDS ? locks_of(n) : NULL;
        for (size_t i = 0; locks && i < weir_value_count(locks); i++)
            count += weir_str_equal(name_at(locks, i), name);
    }
    for (size_t i = 0; own && i < weir_value_count(own); i++)
        count += weir_str_equal(name_at(own, i), name);
    return count;
}

/* Whether something that the node is a part of has locks. */
static bool is_nested(const weir__run *run, uint32_t node) {
    if (run->locking->own == WEIR__HOLD_HOLDS) return true;
    for (uint32_t above = weir__node_at(run, node)->parent; above != WEIR__NONE;
         above = weir__node_at(run, above)->parent)
        if (weir__node_at(run, above)->hold == WEIR__HOLD_HOLDS) return true;
    return false;
}

/* It would wait for what it is a part of, which waits for it. */
static bool waits_for_itself(const weir__run *run, uint32_t node, weir__verdict *v) {
    const weir_value *locks = locks_of(weir__node_at(run, node));
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        weir_str name = name_at(locks, i);
        uint64_t above = had_above(run, node, name);
        if (!above || above < weir_member_count(weir_array_at(locks, i), "limit")) continue;
        weir__say(v, WEIR__PHASE_ERROR, "");
        weir_buffer_printf(&v->message,
                           "the lock %.*s is held by what this node is a part of: it would wait "
                           "for ever",
                           WEIR_ARG(name));
        return true;
    }
    return false;
}

static bool is_too_late(const weir__node *n, uint64_t now_us) {
    return now_us >= n->started_us && now_us - n->started_us >= patience_us(n);
}

bool weir__lock_judge(weir__run *run, uint32_t node, uint64_t now_us, weir__verdict *v) {
    weir__node *n = weir__node_at(run, node);
    if (run->cancelled && (!n->after_cancel || run->cancelled == WEIR__TERMINATE)) {
        weir__say(v, WEIR__PHASE_FAILED, "");
        weir__say_cancelled(run, &v->message);
        return true;
    }
    if (is_too_late(n, now_us)) {
        weir__say(v, WEIR__PHASE_FAILED, "timeout");
        return true;
    }
    if (n->hold == WEIR__HOLD_WISHES) return false;
    if (waits_for_itself(run, node, v)) return true;
    if (!is_first(run, node)) return false;
    n->hold = WEIR__HOLD_WISHES;
    weir_queue_put(&run->locking->wishes, node);
    return false;
}

static bool render_own(weir__run *run, weir_error *error) {
    weir__scope scope = weir__scope_at(run, (weir__place){WEIR__NONE, WEIR__NONE, false});
    weir_value **own = &run->locking->own_locks;
    if (!*own) *own = weir__locks_render(&scope, &run->workflow->locks, error);
    return *own;
}

void weir__lock_begin(weir__run *run) {
    weir_error later; /* when the run would begin */
    if (run->locking->own == WEIR__HOLD_WAITS) (void)render_own(run, &later);
}

bool weir__lock_bars_run(weir__run *run, weir_error *error) {
    weir__locking *locking = run->locking;
    if (!locking || locking->own == WEIR__HOLD_HOLDS || locking->own == WEIR__HOLD_FREE)
        return false;
    if (locking->own == WEIR__HOLD_WISHES) return true;
    if (!render_own(run, error)) return false;
    locking->own = WEIR__HOLD_WISHES;
    weir_queue_put(&locking->wishes, WEIR_CLAIM_RUN);
    return true;
}

/* --- for who asks --------------------------------------------------------------------------------- */

static const weir__run *run_of(const weir_coordinator *coordinator) {
    return (const weir__run *)coordinator;
}

bool weir_workflow_has_locks(const weir_plan *plan) {
    return strcmp(plan->kind, "workflow") == 0 && ((const weir__workflow *)plan)->has_locks;
}

int64_t weir_workflow_priority(const weir_plan *plan) {
    weir_str text = weir_member_text(((const weir__workflow *)plan)->metadata, "priority");
    char digits[24] = "";
    if (text.length < sizeof digits) memcpy(digits, text.data, text.length);
    return strtoll(digits, NULL, 10);
}

bool weir_workflow_waits(const weir_coordinator *coordinator, uint32_t node) {
    const weir__run *run = run_of(coordinator);
    if (node == WEIR_CLAIM_RUN)
        return run->locking->own == WEIR__HOLD_WISHES && !run->cancelled && !run->nodes.count;
    return node < run->nodes.count && weir__node_waits(weir__node_at(run, node));
}

bool weir_workflow_take_wish(weir_coordinator *coordinator, uint32_t *node, weir_value **locks,
                             bool *nested) {
    const weir__run *run = run_of(coordinator);
    uint64_t next;
    while (weir_queue_take(&run->locking->wishes, &next)) {
        if (!weir_workflow_waits(coordinator, (uint32_t)next)) continue;
        *node = (uint32_t)next;
        const weir_value *wanted =
            *node == WEIR_CLAIM_RUN ? run->locking->own_locks : locks_of(weir__node_at(run, *node));
        *locks = weir_value_ref((weir_value *)wanted);
        *nested = *node != WEIR_CLAIM_RUN && is_nested(run, *node);
        return true;
    }
    return false;
}

bool weir_workflow_wishes(const weir_coordinator *coordinator) {
    return run_of(coordinator)->locking->wishes.count > 0;
}

bool weir_workflow_take_released(weir_coordinator *coordinator, uint32_t *node) {
    uint64_t next;
    if (!weir_queue_take(&run_of(coordinator)->locking->released, &next)) return false;
    *node = (uint32_t)next;
    return true;
}

void weir_workflow_each_holder(const weir_coordinator *coordinator,
                               void (*visit)(void *arg, uint32_t node, weir_value *locks),
                               void *arg) {
    const weir__run *run = run_of(coordinator);
    if (run->locking->own == WEIR__HOLD_HOLDS) visit(arg, WEIR_CLAIM_RUN, run->locking->own_locks);
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        if (n->hold >= WEIR__HOLD_READY) visit(arg, i, (weir_value *)locks_of(n));
    }
}

/* --- status --------------------------------------------------------------------------------------- */

static weir_value *waiting_message(const weir_value *locks) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "Waiting for %.*s lock. Lock status: 0/%" PRIu64,
                       WEIR_ARG(name_at(locks, 0)),
                       weir_member_count(weir_array_at(locks, 0), "limit"));
    weir_value *message = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return message;
}

void weir__lock_describe(const weir__node *n, weir_value *out) {
    weir_value *status = weir_object_new();
    weir_member_put(out, "message", waiting_message(locks_of(n)));
    weir_member_put_text(status, "waiting", name_at(locks_of(n), 0));
    weir_member_put(out, "synchronizationStatus", status);
}

/* {mutex: {holding, waiting}, semaphore: the same} of a workflow, as Argo has it. */
typedef struct held_list {
    weir_value *lists[2][2]; /* mutex and semaphore; holding and waiting. NULL: none */
    weir_map places[2][2];   /* of semaphores: of each name, in its list */
} held_list;

static void put_mutex(weir_value *list, weir_str name, weir_str holder) {
    weir_value *one = weir_object_new();
    weir_member_put_text(one, "mutex", name);
    if (holder.length) weir_member_put_text(one, "holder", holder);
    weir_array_append(list, one);
}

/* Its holders are one list; of a lock that is waited for they are others', and not known here. */
static void put_semaphore(weir_value *list, weir_map *places, weir_str name, weir_str holder) {
    uint64_t at;
    if (!weir_map_get(places, name, &at)) {
        weir_value *one = weir_object_new();
        weir_member_put_text(one, "semaphore", name);
        if (holder.length) weir_member_put(one, "holders", weir_array_new());
        at = weir_value_count(list);
        weir_map_set(places, name, at);
        weir_array_append(list, one);
    }
    if (holder.length)
        weir_array_append(weir_member_named(weir_array_at(list, at), "holders"),
                          weir_string_from(holder));
}

/* "NAMESPACE/WORKFLOW", and of a node its id. */
static void holder_key(const weir__run *run, uint32_t node, weir_buffer *out) {
    weir_buffer_printf(out, "%.*s/%.*s",
                       WEIR_ARG(weir_member_text(run->workflow->metadata, "namespace")),
                       WEIR_ARG(run->workflow->name));
    if (node == WEIR_CLAIM_RUN) return;
    weir_buffer_byte(out, '/');
    weir__node_id(run, node, out);
}

static void add_held(held_list *all, const weir__run *run, uint32_t node, const weir_value *locks,
                     bool waits) {
    weir_buffer holder = {0};
    if (!waits) holder_key(run, node, &holder);
    for (size_t i = 0; i < weir_value_count(locks); i++) {
        weir_str name = name_at(locks, i);
        bool semaphore = weir_str_find(name, WEIR_STR("/Mutex/"), 0) == SIZE_MAX;
        weir_value **list = &all->lists[semaphore][waits];
        if (!*list) *list = weir_array_new();
        if (semaphore)
            put_semaphore(*list, &all->places[semaphore][waits], name, weir_buffer_str(&holder));
        else
            put_mutex(*list, name, weir_buffer_str(&holder));
    }
    weir_buffer_deinit(&holder);
}

static weir_value *held_value(held_list *all) {
    static const char *const kinds[] = {"mutex", "semaphore"}, *const states[] = {"holding",
                                                                                  "waiting"};
    weir_value *out = NULL;
    for (size_t k = 0; k < 2; k++) {
        weir_value *kind = weir_object_new();
        for (size_t s = 0; s < 2; s++) {
            if (all->lists[k][s]) weir_member_put(kind, states[s], all->lists[k][s]);
            weir_map_deinit(&all->places[k][s]);
        }
        if (!weir_value_count(kind)) {
            weir_value_unref(kind);
            continue;
        }
        if (!out) out = weir_object_new();
        weir_member_put(out, kinds[k], kind);
    }
    return out;
}

void weir__lock_status(const weir__run *run, weir_value *status) {
    const weir__locking *locking = run->locking;
    held_list all = {0};
    if (run->finished) return;
    bool waits = locking->own_locks && !run->nodes.count && locking->own != WEIR__HOLD_HOLDS;
    if (waits || locking->own == WEIR__HOLD_HOLDS)
        add_held(&all, run, WEIR_CLAIM_RUN, locking->own_locks, waits);
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        if (n->hold) add_held(&all, run, i, locks_of(n), n->hold < WEIR__HOLD_READY);
    }
    if (waits) {
        weir_member_put_text(status, "phase", WEIR_STR("Pending"));
        weir_member_put(status, "message", waiting_message(locking->own_locks));
    }
    weir_value *held = held_value(&all);
    if (held) weir_member_put(status, "synchronization", held);
}
