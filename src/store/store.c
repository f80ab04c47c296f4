#include "store/store_internal.h"

#include <inttypes.h>

bool weir_store_open(weir_loop *loop, const char *directory, weir_durability durability,
                     weir_store **out, weir_error *error) {
    if (durability != WEIR_DURABILITY_NONE)
        return weir__store_sqlite_open(loop, directory, durability, out, error);
    *out = weir__store_memory_new();
    return true;
}

void weir_store_close(weir_store *store) {
    store->kind->close(store);
}

void weir_store_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                       const weir_run_record *record,
                       void (*done)(void *arg, const weir_error *error), void *arg) {
    weir_assert(sequence > 0);
    store->kind->append(store, run, sequence, bytes, record, done, arg);
}

bool weir_store_read(weir_store *store, weir_str run, uint64_t from,
                     bool (*visit)(void *arg, uint64_t sequence, weir_str bytes), void *arg,
                     weir_error *error) {
    return store->kind->read(store, run, from, visit, arg, error);
}

bool weir_store_list(weir_store *store, size_t limit,
                     bool (*visit)(void *arg, const weir_run_record *record), void *arg,
                     weir_error *error) {
    return store->kind->list(store, limit, visit, arg, error);
}

typedef struct finding {
    void (*found)(void *arg, const weir_run_record *record);
    void *arg;
    bool latest, there;
} finding;

static bool find_visit(void *arg, const weir_run_record *record) {
    finding *f = arg;
    if (f->latest && record->parent.length) return true;
    f->there = true;
    f->found(f->arg, record);
    return false;
}

bool weir_store_find(weir_store *store, weir_str run,
                     void (*found)(void *arg, const weir_run_record *record), void *arg,
                     weir_error *error) {
    finding f = {.found = found, .arg = arg, .latest = weir_str_is(run, "@latest")};
    if (!(f.latest ? store->kind->list(store, 0, find_visit, &f, error)
                   : store->kind->find(store, run, find_visit, &f, error)))
        return false;
    if (f.there) return true;
    if (f.latest) return weir_fail(error, WEIR_NOT_FOUND, "there is no run yet");
    weir_fail(error, WEIR_NOT_FOUND, "there is no run `%.*s`", WEIR_ARG(run));
    weir_error_hint(error, "`weir list` shows the runs");
    return false;
}

weir__record weir__record_copy(const weir_run_record *record) {
    weir__record copy = {.record = *record};
    weir_str *texts[] = {&copy.record.id,    &copy.record.name, &copy.record.kind,
                         &copy.record.phase, &copy.record.file, &copy.record.owner,
                         &copy.record.parent};
    enum { TEXTS = sizeof texts / sizeof *texts };
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++) size += texts[i]->length;
    char *to = copy.memory = weir_alloc(size);
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i]->length) memcpy(to, texts[i]->data, texts[i]->length);
        texts[i]->data = to;
        to += texts[i]->length;
    }
    return copy;
}

bool weir__store_name_taken(weir_str name, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT, "another run is named `%.*s`", WEIR_ARG(name));
}

bool weir__store_batch_taken(weir_str run, uint64_t sequence, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT,
                     "batch %" PRIu64 " of run `%.*s` is written already: another process runs it",
                     sequence, WEIR_ARG(run));
}

bool weir_store_check(weir_store *store, weir_error *error) {
    return store->kind->check(store, error);
}
