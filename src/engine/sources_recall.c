/* Records of a run whose process died: what it was asked for is in its journal, the sources are read again, and what had a result has it. */
#include <stdio.h>
#include <unistd.h>

#include "engine/sources.h"
#include "store/register.h"

/* --- what a request has of them ------------------------------------------------------------------- */

static const char *const stamps[] = {"bytes", "seconds", "nanoseconds"};

static int64_t stamp_of(const weir__source *one, size_t which) {
    return which == 0   ? (int64_t)one->before.st_size
           : which == 1 ? (int64_t)one->before.st_mtim.tv_sec
                        : (int64_t)one->before.st_mtim.tv_nsec;
}

static bool is_file(const weir__source *one) {
    return one->place.kind == WEIR_RECORDS_CSV || one->place.kind == WEIR_RECORDS_JSON;
}

/* How a file was when it was opened; of a table nothing is known. */
static weir_value *stamp(const weir__source *one) {
    weir_value *value = weir_object_new();
    for (size_t i = 0; is_file(one) && one->was_there && i < 3; i++)
        weir_member_put(value, stamps[i], weir_int_new(stamp_of(one, i)));
    return value;
}

static bool is_as_stamped(const weir__source *one, const weir_value *value) {
    if (!is_file(one) || one->was_there != (weir_value_count(value) > 0)) return !is_file(one);
    for (size_t i = 0; one->was_there && i < 3; i++)
        if (weir_int_get(weir_member_named(value, stamps[i])) != stamp_of(one, i)) return false;
    return true;
}

static weir_value *without_password(const weir_value *place) {
    weir_buffer text = {0};
    weir_record_place_without_password(weir_string_get(place), &text);
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

weir_value *weir_sources_request(const weir_sources *s) {
    char folder[4096];
    weir_value *own = weir_object_new(), *sources = weir_array_new(), *before = weir_array_new();
    const weir_value *places = weir_member_named(s->what, "sources"),
                     *to = weir_member_named(s->what, "to");
    for (size_t i = 0; i < s->sources.count; i++) {
        weir_array_append(sources, without_password(weir_array_at(places, i)));
        weir_array_append(before, stamp(&s->sources.items[i]));
    }
    weir_member_put(own, "sources", sources);
    weir_member_put(own, "before", before);
    if (to) weir_member_put(own, "to", without_password(to));
    if (!weir_member_named(s->what, "folder") && getcwd(folder, sizeof folder))
        weir_member_put_text(own, "folder", weir_str_from(folder));
    weir_value *request = weir_object_merge(s->what, own);
    weir_value_unref(own);
    return request;
}

/* --- whether they are stored ---------------------------------------------------------------------- */

static void key_of(const char *run, weir_buffer *key) {
    weir_buffer_printf(key, "records/%s", run);
}

bool weir__sources_mark(weir_sources *s, weir_run *run, weir_error *error) {
    bool written, first = !s->engine;
    weir_buffer key = {0};
    s->engine = run->engine;
    memcpy(s->run, run->id, sizeof s->run);
    key_of(s->run, &key);
    bool ok = !first || !s->stores ||
              weir_store_register_put(run->engine->store, weir_buffer_str(&key),
                                      WEIR_STR("waiting"), 0, &written, error);
    weir_buffer_deinit(&key);
    return ok;
}

/* *marked: they wait to be stored; with `remove` not any more. */
static bool ask_mark(weir_engine *engine, const char *run, bool remove, bool *marked,
                     weir_error *error) {
    weir_buffer key = {0}, value = {0};
    uint64_t version = 0;
    bool removed;
    key_of(run, &key);
    bool ok =
        weir_store_register_get(engine->store, weir_buffer_str(&key), &value, &version, error);
    *marked = version > 0;
    if (ok && version && remove)
        ok = weir_store_register_remove(engine->store, weir_buffer_str(&key), version, &removed,
                                        error);
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&value);
    return ok;
}

bool weir__sources_unmark(weir_engine *engine, const char *run, weir_error *error) {
    bool marked;
    return ask_mark(engine, run, true, &marked, error);
}

/* --- what the journal has ------------------------------------------------------------------------- */

static uint64_t hash_of(weir_str key) {
    return weir_hash_seeded(key.data, key.length);
}

static bool note_given(void *arg, weir_str context) {
    weir__recalled *recalled = arg;
    uint64_t at = 0;
    (void)weir_notes_drop(&recalled->notes, hash_of(context), &at);
    weir_notes_set(&recalled->notes, hash_of(context), at);
    return true;
}

bool weir__sources_note_given(weir_sources *s, weir_error *error) {
    weir__recalled *recalled = s->recalled;
    if (!recalled || recalled->given) return true;
    recalled->given = true;
    return weir__contexts_given_read(s->engine, s->run, note_given, recalled, error);
}

void weir__sources_note(weir_sources *s, weir_str key, const weir_value *result) {
    weir__recalled *recalled = s->recalled;
    weir_value *name = weir_string_from(key);
    FILE *file = recalled->spool.file;
    if (!recalled->failed) {
        long at = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
        recalled->failed = !weir_record_spool_put(&recalled->spool, name, result, &recalled->error);
        if (at >= 0) weir_notes_set(&recalled->notes, hash_of(key), (uint64_t)at + 1);
    }
    weir_value_unref(name);
}

bool weir__sources_was_given(const weir_sources *s, weir_str key) {
    return s->recalled && weir_notes_has(&s->recalled->notes, hash_of(key));
}

bool weir__sources_recollect(weir_sources *s, weir_str key, bool *given, weir_value **result,
                             weir_error *error) {
    weir__recalled *recalled = s->recalled;
    weir_value *name = NULL;
    uint64_t at = 0;
    *result = NULL;
    *given = recalled && weir_notes_drop(&recalled->notes, hash_of(key), &at);
    if (recalled && recalled->failed) {
        *error = recalled->error;
        return false;
    }
    if (!at) return true;
    bool ok = weir_record_spool_seek(&recalled->spool, at - 1, error) &&
              weir_record_spool_next(&recalled->spool, &name, result, error);
    weir_value_unref(name);
    if (ok && !*result) *result = weir_object_new(); /* it has a result, in which nothing is */
    return ok;
}

/* --- recalling ------------------------------------------------------------------------------------ */

weir_sources *weir__sources_of(const weir_engine *engine, const char *run) {
    weir_sources *s = engine->recalled;
    while (s && strcmp(s->run, run) != 0) s = s->next;
    return s;
}

void weir__sources_forget(weir_sources *s) {
    if (!s->recalled) return;
    for (weir_sources **at = &s->engine->recalled; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    for (size_t i = 0; i < s->engine->runs.count; i++)
        if (s->engine->runs.items[i]->sources == s) s->engine->runs.items[i]->sources = NULL;
    weir_record_spool_close(&s->recalled->spool);
    weir_notes_deinit(&s->recalled->notes);
    weir_free(s->recalled);
}

typedef struct found {
    char id[WEIR_RUN_ID_LENGTH + 1], name[256];
    bool over;
    weir__values values;
    weir_value *what;
    weir_error *error;
    bool ok;
} found;

static void note_run(void *arg, const weir_run_record *record) {
    found *f = arg;
    snprintf(f->id, sizeof f->id, "%.*s", WEIR_ARG(record->id));
    snprintf(f->name, sizeof f->name, "%.*s", WEIR_ARG(record->name));
    f->over = record->finished_us > 0;
}

/* The first batch is enough: the first event has the request. */
static bool note_request(void *arg, uint64_t sequence, weir_str bytes) {
    (void)sequence;
    found *f = arg;
    weir_batch_reader reader;
    const weir_event *event = NULL;
    f->ok = weir_batch_open(&reader, bytes, f->error);
    if (!f->ok) return false;
    reader.parts = f->values.parts;
    f->ok = weir_batch_next(&reader, &event, f->error);
    weir_value *what = f->ok && event ? weir_member_named(event->data, "records") : NULL;
    if (what) f->what = weir_value_ref(what);
    weir_batch_close(&reader);
    return false;
}

/* What was made of a record may not fit what it is now. */
static bool check_unchanged(const weir_sources *s, const char *name, weir_error *error) {
    const weir_value *before = weir_member_named(s->what, "before");
    for (size_t i = 0; i < s->sources.count; i++) {
        const weir__source *one = &s->sources.items[i];
        if (is_as_stamped(one, weir_array_at(before, i))) continue;
        weir_fail(error, WEIR_INVALID, "%s was changed since %s began: its records do not go on",
                  one->place.shown, name);
        weir_error_hint(error, "`weir run records` begins anew; `weir cancel %s` ends this run",
                        name);
        return false;
    }
    return true;
}

static bool open_recalled(weir_engine *engine, const found *f, weir_sources **out,
                          weir_error *error) {
    weir_sources *s;
    if (!weir_sources_open(f->what, &s, error)) return false;
    weir__recalled *recalled = weir_alloc(sizeof *recalled);
    if (!check_unchanged(s, f->name, error) || !weir_record_spool_open(&recalled->spool, error)) {
        weir_free(recalled);
        weir_sources_close(s);
        return false;
    }
    s->recalled = recalled;
    s->engine = engine;
    memcpy(s->run, f->id, sizeof s->run);
    s->next = engine->recalled;
    engine->recalled = s;
    *out = s;
    return true;
}

bool weir_sources_recall(weir_engine *engine, const char *run, weir_sources **out,
                         weir_error *error) {
    found f = {.error = error};
    bool due = false;
    weir_sources *s = NULL;
    if (!weir_store_find(engine->store, weir_str_from(run), note_run, &f, error)) return false;
    weir__values_init(&f.values, engine, f.id);
    bool ok = (weir_store_read(engine->store, weir_str_from(f.id), 1, note_request, &f, error) ||
               f.what) &&
              f.ok;
    if (ok && weir_is(f.what, WEIR_OBJECT)) ok = ask_mark(engine, f.id, false, &due, error);
    if (ok && weir_is(f.what, WEIR_OBJECT) && (due || !f.over))
        ok = open_recalled(engine, &f, &s, error);
    weir__values_deinit(&f.values);
    weir_value_unref(f.what);
    if (ok) *out = s;
    return ok;
}
