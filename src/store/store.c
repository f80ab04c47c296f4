#include "store/store_internal.h"

#include <inttypes.h>

#include "base/map.h"
#include "store/event.h"
#include "store/register.h"

static bool is_postgresql(weir_str url) {
    return weir_str_starts(url, WEIR_STR("postgresql://")) ||
           weir_str_starts(url, WEIR_STR("postgres://"));
}

bool weir_store_url_check(weir_str url, weir_error *error) {
    weir_str sqlite = WEIR_STR("sqlite://");
    bool file = weir_str_starts(url, sqlite) && url.length > sqlite.length + 1 &&
                url.data[sqlite.length] == '/' && !weir_str_ends(url, WEIR_STR("/"));
    if (file || is_postgresql(url)) return true;
    /* Not the URL itself: a password may be in it. */
    weir_fail(error, WEIR_USAGE, "the store's URL is none that this weir knows");
    weir_error_hint(error, "write sqlite:///PATH/OF/FILE or postgresql://USER@HOST/DATABASE");
    return false;
}

bool weir_store_open(weir_loop *loop, const char *directory, const char *url,
                     weir_durability durability, weir_store **out, weir_error *error) {
    return weir_store_open_heard(loop, directory, url, durability, &(weir_store_listener){0}, out,
                                 error);
}

bool weir_store_open_heard(weir_loop *loop, const char *directory, const char *url,
                           weir_durability durability, const weir_store_listener *listener,
                           weir_store **out, weir_error *error) {
    if (durability == WEIR_DURABILITY_NONE) {
        *out = weir__store_memory_new();
        return true;
    }
    if (url && !weir_store_url_check(weir_str_from(url), error)) return false;
    if (url && is_postgresql(weir_str_from(url)))
        return weir__store_postgresql_open(loop, url, durability, listener, out, error);
    weir_buffer file = {0};
    if (url)
        weir_buffer_text(&file, url + strlen("sqlite://"));
    else
        weir_buffer_printf(&file, "%s/weir.db", directory);
    bool ok = weir__store_sqlite_open(loop, file.data, durability, out, error);
    weir_buffer_deinit(&file);
    return ok;
}

const char *weir_store_directory(const weir_store *store) {
    return store->directory;
}

bool weir_store_has_leases(const weir_store *store) {
    return store->kind->disown != NULL;
}

bool weir_store_own(weir_store *store, weir_str run, weir_error *error) {
    return store->kind->own(store, run, error);
}

bool weir_store_begin(weir_store *store, weir_str run, weir_error *error) {
    bool (*begin)(weir_store *, weir_str, weir_error *) =
        store->kind->begin ? store->kind->begin : store->kind->own;
    return begin(store, run, error);
}

bool weir_store_holds(weir_store *store, weir_str run, weir_error *error) {
    return !store->kind->holds || store->kind->holds(store, run, error);
}

void weir_store_disown(weir_store *store, weir_str run, bool finished) {
    if (store->kind->disown) store->kind->disown(store, run, finished);
}

bool weir_store_is_abandoned(weir_store *store, weir_str run) {
    return store->kind->is_abandoned && store->kind->is_abandoned(store, run);
}

bool weir_store_is_owned(weir_store *store, weir_str run) {
    return store->kind->is_owned && store->kind->is_owned(store, run);
}

void weir_store_watch(weir_store *store,
                      void (*lost)(void *arg, weir_str run, const weir_error *why), void *arg) {
    store->lost = lost;
    store->lost_arg = arg;
}

bool weir_store_ask(weir_store *store, weir_str run, weir_str line, uint64_t timeout_us,
                    weir_buffer *answer, weir_error *error) {
    return store->kind->ask(store, run, line, timeout_us, answer, error);
}

void weir_store_listen(weir_store *store,
                       void (*take)(void *arg, weir_str run, uint64_t command, weir_str line),
                       void *arg) {
    store->take = take;
    store->take_arg = arg;
}

void weir_store_answer(weir_store *store, uint64_t command, weir_str answer) {
    store->kind->answer(store, command, answer);
}

void weir_store_close(weir_store *store) {
    store->kind->close(store);
}

void weir_store_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                       weir_buffer rows, const weir_run_record *record,
                       void (*done)(void *arg, const weir_error *error), void *arg) {
    weir_assert(sequence > 0);
    store->kind->append(store, run, sequence, bytes, rows, record, done, arg);
}

bool weir_store_flush(weir_store *store, uint64_t timeout_us) {
    return !store->kind->flush || store->kind->flush(store, timeout_us);
}

bool weir_store_has_tables(const weir_store *store) {
    return store->kind->derive != NULL;
}

bool weir_store_derived(weir_store *store, weir_str run, uint64_t *sequence, weir_error *error) {
    return store->kind->derived(store, run, sequence, error);
}

bool weir_store_derive(weir_store *store, weir_str run, bool anew, weir_str rows,
                       weir_error *error) {
    return store->kind->derive(store, run, anew, rows, error);
}

bool weir_store_read(weir_store *store, weir_str run, uint64_t from,
                     bool (*visit)(void *arg, uint64_t sequence, weir_str bytes), void *arg,
                     weir_error *error) {
    return store->kind->read(store, run, from, visit, arg, error);
}

bool weir_store_settle(weir_store *store, weir_error *error) {
    return !store->kind->settle || store->kind->settle(store, error);
}

bool weir_store_list(weir_store *store, size_t limit,
                     bool (*visit)(void *arg, const weir_run_record *record), void *arg,
                     weir_error *error) {
    return store->kind->select(store, &(weir_selection){.limit = limit}, visit, arg, error);
}

bool weir_store_select(weir_store *store, const weir_selection *selection,
                       bool (*visit)(void *arg, const weir_run_record *record), void *arg,
                       weir_error *error) {
    return store->kind->select(store, selection, visit, arg, error);
}

uint64_t weir_store_version(weir_store *store) {
    return store->kind->version ? store->kind->version(store) : 0;
}

void weir_store_hurry(weir_store *store, bool hurry) {
    if (store->kind->hurry) store->kind->hurry(store, hurry);
}

uint64_t weir_store_away_us(weir_store *store) {
    return store->kind->away ? store->kind->away(store) : 0;
}

bool weir_store_delete(weir_store *store, const weir_str *runs, size_t count, weir_error *error) {
    return store->kind->remove(store, runs, count, error);
}

bool weir_store_leftovers(weir_store *store, bool (*visit)(void *arg, weir_str run, weir_str owner),
                          void *arg, weir_error *error) {
    return !store->kind->leftovers || store->kind->leftovers(store, visit, arg, error);
}

bool weir_store_forget(weir_store *store, weir_str run, weir_error *error) {
    return !store->kind->forget || store->kind->forget(store, run, error);
}

bool weir_store_sweep(weir_store *store, weir_str run, bool *more, weir_error *error) {
    *more = false;
    return !store->kind->sweep || store->kind->sweep(store, run, more, error);
}

bool weir_store_shrink(weir_store *store, uint64_t keep, bool *more, weir_error *error) {
    *more = false;
    return !store->kind->shrink || store->kind->shrink(store, keep, more, error);
}

bool weir_store_measure(weir_store *store, weir_store_size *out, weir_error *error) {
    return store->kind->measure(store, out, error);
}

bool weir_store_measure_run(weir_store *store, weir_str run, uint64_t *bytes, weir_error *error) {
    return store->kind->measure_run(store, run, bytes, error);
}

bool weir_store_keep(weir_store *store, weir_str run, bool keep, weir_error *error) {
    return store->kind->keep(store, run, keep, error);
}

/* What another store has, in a file of SQLite's. */
static bool transfer_to(weir_loop *loop, weir_store *store, const char *path,
                        bool (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                        weir_error *error) {
    weir_store *copy;
    if (!weir__store_sqlite_open(loop, path, WEIR_DURABILITY_BATCH, &copy, error)) return false;
    bool ok = weir_store_transfer(loop, store, copy, progress, arg, error);
    /* Its log goes into the file. */
    ok = ok && weir_store_settle(copy, error);
    weir_store_close(copy);
    return ok;
}

bool weir_store_snapshot(weir_loop *loop, weir_store *store, const char *path,
                         bool (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                         weir_error *error) {
    if (store->kind->snapshot) return store->kind->snapshot(store, path, progress, arg, error);
    return transfer_to(loop, store, path, progress, arg, error);
}

typedef struct finding {
    void (*found)(void *arg, const weir_run_record *record);
    void *arg;
    bool there;
} finding;

static bool find_visit(void *arg, const weir_run_record *record) {
    finding *f = arg;
    f->there = true;
    f->found(f->arg, record);
    return false;
}

bool weir_store_find(weir_store *store, weir_str run,
                     void (*found)(void *arg, const weir_run_record *record), void *arg,
                     weir_error *error) {
    finding f = {.found = found, .arg = arg};
    bool latest = weir_str_is(run, "@latest");
    const weir_selection own = {.by_parent = true, .limit = 1};
    if (!(latest ? store->kind->select(store, &own, find_visit, &f, error)
                 : store->kind->find(store, run, find_visit, &f, error)))
        return false;
    if (f.there) return true;
    if (latest) return weir_fail(error, WEIR_NOT_FOUND, "there is no run yet");
    weir_fail(error, WEIR_NOT_FOUND, "there is no run `%.*s`", WEIR_ARG(run));
    weir_error_hint(error, "`weir list` shows the runs");
    return false;
}

bool weir_store_names(weir_store *store, const weir_str *names, size_t count, bool *taken,
                      weir_error *error) {
    weir_assert(count <= WEIR_NAMES_MAX);
    return store->kind->names(store, names, count, taken, error);
}

void weir__store_mark_name(const weir_str *names, size_t count, weir_str name, bool *taken) {
    for (size_t i = 0; i < count; i++) taken[i] |= weir_str_equal(names[i], name);
}

weir__record weir__record_copy(const weir_run_record *record) {
    weir__record copy = {.record = *record};
    weir_str *texts[] = {&copy.record.id,     &copy.record.name,  &copy.record.kind,
                         &copy.record.phase,  &copy.record.file,  &copy.record.owner,
                         &copy.record.parent, &copy.record.labels};
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

bool weir_store_streams(weir_store *store, bool (*visit)(void *arg, weir_str run), void *arg,
                        weir_error *error) {
    return store->kind->streams(store, visit, arg, error);
}

bool weir_store_inspect(weir_store *store, weir_str run,
                        bool (*visit)(void *arg, uint64_t sequence, weir_str bytes,
                                      const weir_error *damage),
                        void *arg, weir_error *error) {
    return store->kind->inspect(store, run, visit, arg, error);
}

bool weir_store_shorten(weir_store *store, weir_str run, uint64_t sequence, weir_str summary,
                        const uint32_t *contexts, size_t count, weir_error *error) {
    return store->kind->shorten(store, run, sequence, summary, contexts, count, error);
}

bool weir_store_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                    weir_error *error) {
    return store->kind->cut(store, from, record, error);
}

bool weir_store_copy(weir_store *store, const char *word, weir_buffer *path, weir_error *error) {
    return !store->kind->copy || store->kind->copy(store, word, path, error);
}

bool weir__rows_refused(weir_str run, const char *table, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT, "rows of run `%.*s` do not fit the table `%s`",
                     WEIR_ARG(run), table);
}

bool weir__store_batch_taken(weir_str run, uint64_t sequence, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT,
                     "batch %" PRIu64 " of run `%.*s` is written already: another process runs it",
                     sequence, WEIR_ARG(run));
}

bool weir_store_register_get(weir_store *store, weir_str key, weir_buffer *value, uint64_t *version,
                             weir_error *error) {
    return store->kind->register_get(store, key, value, version, error);
}

bool weir_store_register_put(weir_store *store, weir_str key, weir_str value, uint64_t version,
                             bool *written, weir_error *error) {
    if (value.length > WEIR_REGISTER_BYTES_MAX)
        return weir_fail(error, WEIR_LIMIT, "the register `%.*s` would have more than %d bytes",
                         WEIR_ARG(key), WEIR_REGISTER_BYTES_MAX);
    return store->kind->register_put(store, key, value, version, written, error);
}

bool weir_store_history(weir_store *store, const int64_t *identities, size_t count,
                        weir_history_visit *visit, void *arg, weir_error *error) {
    bool nothing = identities && !count;
    return nothing || !store->kind->history ||
           store->kind->history(store, identities, count, visit, arg, error);
}

bool weir_store_history_put(weir_store *store, const weir_history_sample *samples, size_t count,
                            weir_error *error) {
    return !count || !store->kind->history_put ||
           store->kind->history_put(store, samples, count, error);
}

bool weir_store_register_list(weir_store *store, weir_str prefix, weir_register_visit *visit,
                              void *arg, weir_error *error) {
    weir_assert(prefix.length <= WEIR_REGISTER_KEY_MAX);
    return store->kind->register_list(store, prefix, visit, arg, error);
}

bool weir_store_register_remove(weir_store *store, weir_str key, uint64_t version, bool *removed,
                                weir_error *error) {
    return store->kind->register_remove(store, key, version, removed, error);
}

bool weir_store_check(weir_store *store, weir_error *error) {
    return store->kind->check(store, error);
}

int64_t weir__batch_checksum(weir_str run, uint64_t sequence, weir_str bytes) {
    uint64_t parts[] = {weir_hash(run.data, run.length), sequence,
                        weir_hash(bytes.data, bytes.length)};
    return (int64_t)weir_hash(parts, sizeof parts);
}

static bool batch_bad(weir_str run, uint64_t sequence, const char *how, weir_error *error) {
    weir_fail(error, WEIR_STORE, "batch %" PRIu64 " of run `%.*s` %s", sequence, WEIR_ARG(run),
              how);
    weir_error_hint(error, "`weir doctor --repair` keeps the batches before it");
    return false;
}

bool weir__store_shortened(weir_str run, uint64_t wanted, weir_error *error) {
    weir_fail(error, WEIR_CONFLICT,
              "batch %" PRIu64 " of run `%.*s` was left out: its journal was shortened meanwhile",
              wanted, WEIR_ARG(run));
    weir_error_hint(error, "look again: it is read from its new beginning then");
    return false;
}

bool weir__batch_check(weir_str run, uint64_t *wanted, uint64_t sequence, int64_t version,
                       int64_t checksum, weir_str bytes, weir_error *error) {
    bool sound = checksum == weir__batch_checksum(run, sequence, bytes);
    bool summary = sound && weir_batch_is_summary(bytes);
    if (summary && wanted && *wanted != 1) return weir__store_shortened(run, *wanted, error);
    if (summary && wanted) *wanted = sequence;
    if (wanted && sequence != *wanted) return batch_bad(run, *wanted, "is missing", error);
    if (version != WEIR__BATCH_VERSION)
        return batch_bad(run, sequence, "is in a form that this weir does not know", error);
    return sound || batch_bad(run, sequence, "is damaged", error);
}
