#include "executor/obtain.h"

#include <stdatomic.h>

/* An image, or one on its way. */
typedef struct entry {
    weir_obtainer *obtainer;
    char *key;
    weir_image_name name;
    weir_image_pull_options options;
    atomic_bool abandoned; /* nobody waits for it */
    weir_in_image *image;  /* NULL: it is on its way */
    /* Of the thread that fetches it, until it is done: */
    bool came;
    weir_in_image *pulled;
    weir_error error;
    bool fetched;
    size_t users; /* that have the image */
    WEIR_VECTOR(struct waiter {
        weir_obtained *obtained;
        void *arg;
    })
    waiters;
} entry;

struct weir_obtainer {
    weir_loop *loop;
    weir_obtain_options options;
    WEIR_VECTOR(entry *) entries;
    size_t under_way;
};

weir_obtainer *weir_obtainer_new(weir_loop *loop, const weir_obtain_options *options) {
    weir_obtainer *o = weir_alloc(sizeof *o);
    o->loop = loop;
    o->options = *options;
    return o;
}

static void free_entry(entry *e) {
    weir_in_image_free(e->image);
    weir_vector_deinit(&e->waiters);
    weir_free(e->key);
    weir_free(e);
}

static void drop_entry(entry *e) {
    weir_obtainer *o = e->obtainer;
    size_t i = 0;
    while (o->entries.items[i] != e) i++;
    o->entries.count--;
    memmove(&o->entries.items[i], &o->entries.items[i + 1],
            (o->entries.count - i) * sizeof *o->entries.items);
    free_entry(e);
}

/* By whole name and digest; of a tag that is looked up again for each run, by the run as well. */
static char *make_key(const weir_image_name *name, const weir_obtain_wish *wish) {
    weir_buffer key = {0};
    if (wish->policy == WEIR_PULL_ALWAYS && !name->digest[0])
        weir_buffer_printf(&key, "%s ", wish->run);
    weir_image_name_append(name, &key);
    return key.data;
}

static entry *find_entry(const weir_obtainer *o, const char *key) {
    for (size_t i = 0; i < o->entries.count; i++)
        if (!atomic_load(&o->entries.items[i]->abandoned) &&
            strcmp(o->entries.items[i]->key, key) == 0)
            return o->entries.items[i];
    return NULL;
}

/* The name with the digest that it was pinned to. */
static bool read_name(const weir_obtain_wish *wish, weir_image_name *out, weir_error *error) {
    if (!weir_image_name_read(wish->image, out, error)) return false;
    if (!wish->pinned.length || out->digest[0]) return true;
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%s/%s@%.*s", out->registry, out->repository, WEIR_ARG(wish->pinned));
    bool ok = weir_image_name_read(weir_buffer_str(&text), out, error);
    weir_buffer_deinit(&text);
    return ok;
}

static bool goes_on(void *arg) {
    entry *e = arg;
    const weir_image_watch *watch = &e->obtainer->options.pull.watch;
    return !atomic_load(&e->abandoned) && (!watch->goes_on || watch->goes_on(watch->arg));
}

/* --- on a thread -------------------------------------------------------------------------------- */

static void tell_progress(void *arg, const weir_image_progress *now) {
    const weir_image_watch *watch = &((entry *)arg)->obtainer->options.pull.watch;
    if (watch->progress) watch->progress(watch->arg, now);
}

static void fetch(void *arg) {
    entry *e = arg;
    weir_obtainer *o = e->obtainer;
    e->options.watch = (weir_image_watch){tell_progress, goes_on, e};
    weir_image *image = NULL;
    e->came = weir_image_pull(o->options.store, &e->name, &e->options, &image, &e->error);
    e->pulled = e->came ? weir_in_image_new(image) : NULL;
    weir_value *gone = NULL;
    /* What cannot be removed now stays: the attempt does not need it. */
    if (e->came && o->options.bytes_max &&
        weir_image_prune(o->options.store, o->options.bytes_max, 0, &gone, NULL))
        weir_value_unref(gone);
}

/* --- on the loop --------------------------------------------------------------------------------- */

static void fetched(void *arg) {
    entry *e = arg;
    weir_error error = e->error;
    e->fetched = e->came;
    e->image = e->pulled;
    const weir_in_image *image = e->image;
    e->obtainer->under_way--;
    if (!image) atomic_store(&e->abandoned, true); /* the next attempt tries again */
    while (e->waiters.count) {
        struct waiter w = e->waiters.items[--e->waiters.count];
        e->users += image != NULL;
        w.obtained(w.arg, image, image ? NULL : &error);
    }
    if (!image) drop_entry(e);
}

static entry *add_entry(weir_obtainer *o, char *key, const weir_image_name *name,
                        const weir_obtain_wish *wish) {
    entry *e = weir_alloc(sizeof *e);
    e->obtainer = o;
    e->key = key;
    e->name = *name;
    e->options = o->options.pull;
    e->options.policy = wish->policy;
    *weir_vector_push(&o->entries) = e;
    return e;
}

/* The entry of what is here; NULL: it is not. Takes the key over. */
static entry *find_here(weir_obtainer *o, char *key, const weir_image_name *name,
                        const weir_obtain_wish *wish) {
    entry *e = find_entry(o, key);
    weir_image *image = NULL;
    bool may = wish->policy != WEIR_PULL_ALWAYS || name->digest[0];
    if (e || !may ||
        !weir_image_find_for(o->options.store, name, o->options.pull.platform, &image, NULL)) {
        weir_free(key);
        return e;
    }
    e = add_entry(o, key, name, wish);
    e->image = weir_in_image_new(image);
    e->fetched = true;
    return e;
}

void weir_obtain(weir_obtainer *o, const weir_obtain_wish *wish, weir_obtained *obtained,
                 void *arg) {
    weir_image_name name;
    weir_error error;
    if (!read_name(wish, &name, &error)) {
        obtained(arg, NULL, &error);
        return;
    }
    entry *e = find_here(o, make_key(&name, wish), &name, wish);
    if (e && e->fetched) {
        e->users++;
        obtained(arg, e->image, NULL);
        return;
    }
    bool begins = !e;
    if (begins) e = add_entry(o, make_key(&name, wish), &name, wish);
    *weir_vector_push(&e->waiters) = (struct waiter){obtained, arg};
    if (!begins) return;
    o->under_way++;
    weir_thread_run(o->loop, fetch, fetched, e);
}

bool weir_obtainer_has(weir_obtainer *o, const weir_obtain_wish *wish) {
    weir_image_name name;
    if (!read_name(wish, &name, NULL)) return false;
    const entry *e = find_here(o, make_key(&name, wish), &name, wish);
    return e && e->fetched;
}

void weir_obtainer_leave(weir_obtainer *o, const void *arg) {
    for (size_t i = 0; i < o->entries.count; i++) {
        entry *e = o->entries.items[i];
        for (size_t k = 0; k < e->waiters.count; k++)
            if (e->waiters.items[k].arg == arg)
                e->waiters.items[k--] = e->waiters.items[--e->waiters.count];
        if (!e->fetched && !e->waiters.count) atomic_store(&e->abandoned, true);
    }
}

/* The first that nobody uses, of too many: it is the oldest, or nearly. */
static void drop_idle(weir_obtainer *o) {
    entry *first = NULL;
    size_t idle = 0;
    for (size_t i = 0; i < o->entries.count; i++) {
        entry *e = o->entries.items[i];
        if (!e->fetched || e->users || !e->image) continue;
        if (!first) first = e;
        idle++;
    }
    if (idle > WEIR_OBTAINER_IDLE_MAX) drop_entry(first);
}

void weir_obtainer_return(weir_obtainer *o, const weir_in_image *image) {
    for (size_t i = 0; i < o->entries.count; i++)
        if (o->entries.items[i]->image == image) o->entries.items[i]->users--;
    drop_idle(o);
}

void weir_obtainer_free(weir_obtainer *o) {
    if (!o) return;
    for (size_t i = 0; i < o->entries.count; i++)
        atomic_store(&o->entries.items[i]->abandoned, true);
    while (o->under_way) weir_loop_once(o->loop, true);
    for (size_t i = 0; i < o->entries.count; i++) free_entry(o->entries.items[i]);
    weir_vector_deinit(&o->entries);
    weir_free(o);
}
