/* `synchronization` of a template or a workflow: {mutexes: [{name, namespace?, database?}], semaphores: [{configMapKeyRef: {name,
 * key}} or {database: {key}}, namespace?]}, or v3's single ones. */
#include <stdio.h>

#include "base/time.h"
#include "workflow/template.h"

static weir_str checked_name(weir__compiler *c, const weir__site *site, const weir_value *source,
                             const char *key, const char *what) {
    weir_str text = WEIR_STR("");
    if (source && weir__text_field(c, source, key, &text) && text.length) {
        size_t mark = weir__enter(c, "%s", key);
        weir__check_text(c, site, text, NULL);
        weir__leave(c, mark);
    } else if (what) {
        weir__problem(c, WEIR_INVALID, "%s is required", what);
    }
    return text;
}

static bool has_tag(weir_str text) {
    return weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX;
}

/* What can be known already of how many may have it. */
static void check_limit(weir__compiler *c, const weir__lock *lock) {
    weir_error error;
    uint64_t limit;
    if (has_tag(lock->name) || has_tag(lock->key) || has_tag(lock->space) || !lock->name.length)
        return;
    weir_buffer name = {0};
    weir__lock_name(lock, WEIR_STR("default"), &name);
    if (!weir__lock_limit(c->workflow, lock->kind, lock->name, lock->key, weir_buffer_str(&name),
                          &limit, &error)) {
        size_t before = c->problems->count;
        weir__problem(c, WEIR_INVALID, "%s", error.message);
        if (c->problems->count > before)
            weir_error_hint(&c->problems->items[before], "%s",
                            lock->kind == WEIR__LOCK_MAP
                                ? "--library FILE gives weir a file with it"
                                : "weir.yaml says it: `workflow: {semaphores: {KEY: 3}}`");
    }
    weir_buffer_deinit(&name);
}

static void compile_mutex(weir__compiler *c, const weir__site *site, const weir_value *source,
                          weir__lock *lock) {
    bool database = weir__bool_field(c, source, "database", false);
    lock->kind = database ? WEIR__LOCK_DATABASE_MUTEX : WEIR__LOCK_MUTEX;
    lock->name = checked_name(c, site, source, "name", "the name of a mutex");
    lock->space = checked_name(c, site, source, "namespace", NULL);
}

static void compile_semaphore(weir__compiler *c, const weir__site *site, const weir_value *source,
                              weir__lock *lock) {
    const weir_value *map = weir__field(c, source, "configMapKeyRef", WEIR_OBJECT),
                     *database = weir__field(c, source, "database", WEIR_OBJECT);
    lock->space = checked_name(c, site, source, "namespace", NULL);
    lock->kind = map ? WEIR__LOCK_MAP : WEIR__LOCK_DATABASE;
    if (!map == !database) {
        weir__problem(c, WEIR_INVALID,
                      "a semaphore has either `configMapKeyRef: {name, key}` or `database: {key}`");
        return;
    }
    size_t mark = weir__enter(c, map ? "configMapKeyRef" : "database");
    lock->name =
        checked_name(c, site, map ? map : database, map ? "name" : "key",
                     map ? "the semaphore's configMapKeyRef.name" : "the semaphore's database.key");
    if (map) lock->key = checked_name(c, site, map, "key", "the semaphore's configMapKeyRef.key");
    check_limit(c, lock);
    weir__leave(c, mark);
}

/* Those of v4's list and v3's one. */
static void compile_kind(weir__compiler *c, const weir__site *site, const weir_value *source,
                         const char *list_name, const char *one_name,
                         void (*compile)(weir__compiler *c, const weir__site *site,
                                         const weir_value *source, weir__lock *lock),
                         weir__locks *out) {
    const weir_value *list = weir__field(c, source, list_name, WEIR_ARRAY),
                     *one = weir__field(c, source, one_name, WEIR_OBJECT);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        size_t mark = weir__enter(c, "%s/%zu", list_name, i);
        compile(c, site, weir_array_at(list, i), &out->items[out->count++]);
        weir__leave(c, mark);
    }
    if (!one) return;
    size_t mark = weir__enter(c, "%s", one_name);
    compile(c, site, one, &out->items[out->count++]);
    weir__leave(c, mark);
}

void weir__compile_locks(weir__compiler *c, const weir__site *site, const weir_value *holder,
                         weir__locks *out) {
    const weir_value *source = weir__field(c, holder, "synchronization", WEIR_OBJECT);
    if (!source) return;
    size_t mark = weir__enter(c, "synchronization"), most = 2;
    static const char *const lists[] = {"mutexes", "semaphores"};
    for (size_t i = 0; i < 2; i++) {
        const weir_value *list = weir_member_named(source, lists[i]);
        if (weir_is(list, WEIR_ARRAY)) most += weir_value_count(list);
    }
    out->items = weir_arena_alloc(&c->workflow->arena, most * sizeof *out->items);
    compile_kind(c, site, source, "mutexes", "mutex", compile_mutex, out);
    compile_kind(c, site, source, "semaphores", "semaphore", compile_semaphore, out);
    if (out->count > WEIR__LOCKS_MAX)
        weir__problem(c, WEIR_LIMIT, "more than %d locks at one place", WEIR__LOCKS_MAX);
    c->workflow->has_locks |= out->count > 0;
    weir__leave(c, mark);
}

void weir__compile_pending_timeout(weir__compiler *c, const weir__site *site,
                                   const weir_value *source, weir_str *out) {
    weir_error error;
    uint64_t us;
    *out = checked_name(c, site, source, "pendingTimeout", NULL);
    if (!out->length || has_tag(*out) || weir_duration_parse(*out, &us, &error)) return;
    size_t mark = weir__enter(c, "pendingTimeout");
    weir__problem(c, WEIR_INVALID, "%s", error.message);
    weir__leave(c, mark);
}
