/* Journals that are damaged: what is whole is kept. A run's journal is whole up to the first batch that is missing, is
 * not what was written, or has events that cannot be read; what comes behind builds on what is lost. */
#include <inttypes.h>
#include <stdio.h>

#include "data/finding.h"
#include "engine/engine_internal.h"

/* What a run's journal has. */
typedef struct journal {
    uint64_t batches; /* that are whole, from the first on */
    uint64_t lost;    /* that are there and not whole, or behind one that is not */
    char why[256];    /* what is wrong with the first that is not whole; "": nothing */
    weir_value *created, *finished; /* the data of these events; NULL: not there */
    uint64_t created_us, finished_us;
} journal;

static void journal_deinit(journal *j) {
    weir_value_unref(j->created);
    weir_value_unref(j->finished);
}

static void note_event(journal *j, const weir_event *event) {
    if (event->type == WEIR_RUN_CREATED && event->data && !j->created) {
        j->created = weir_value_ref(event->data);
        j->created_us = event->time_us;
    } else if (event->type == WEIR_RUN_FINISHED && event->data && !j->finished) {
        j->finished = weir_value_ref(event->data);
        j->finished_us = event->time_us;
    }
}

/* Nothing is noted of a batch that cannot be read to its end. */
static bool read_events(journal *j, weir_str bytes, bool note, weir_error *error) {
    weir_batch_reader reader;
    const weir_event *event = NULL;
    if (!bytes.length) return true; /* of a run whose events nobody wanted */
    if (!weir_batch_open(&reader, bytes, error)) return false;
    reader.wanted = 0; /* what is noted is small */
    bool ok;
    while ((ok = weir_batch_next(&reader, &event, error)) && event)
        if (note) note_event(j, event);
    weir_batch_close(&reader);
    return ok;
}

static bool inspect_batch(void *arg, uint64_t sequence, weir_str bytes, const weir_error *damage) {
    journal *j = arg;
    weir_error error;
    bool summary = !j->batches && !damage && weir_batch_is_summary(bytes);
    uint64_t wanted = summary ? sequence : j->batches + 1;
    if (j->why[0]) {
        j->lost++;
        return true;
    }
    if (sequence != wanted)
        snprintf(j->why, sizeof j->why, "batch %" PRIu64 " is missing", wanted);
    else if (damage)
        snprintf(j->why, sizeof j->why, "%.250s", damage->message);
    else if (!read_events(j, bytes, false, &error))
        snprintf(j->why, sizeof j->why, "batch %" PRIu64 ": %.200s", sequence, error.message);
    else
        return read_events(j, bytes, true, &error) && (j->batches = sequence);
    j->lost++;
    return true;
}

/* --- runs ------------------------------------------------------------------------------------- */

typedef struct repairing {
    weir_engine *engine;
    weir_value *list;
    bool copied;
    size_t driven, changed;
    uint64_t batches;
    WEIR_VECTOR(char *) ids;
    weir_map seen;
} repairing;

static void note_id(repairing *r, weir_str id) {
    if (weir_map_get(&r->seen, id, NULL)) return;
    char *copy = weir_str_dup(id);
    *weir_vector_push(&r->ids) = copy;
    weir_map_set(&r->seen, (weir_str){copy, id.length}, 1);
}

static bool note_stream(void *arg, weir_str run) {
    note_id(arg, run);
    return true;
}

static bool note_record(void *arg, const weir_run_record *record) {
    note_id(arg, record->id);
    return true;
}

/* What the list of runs says of one. */
typedef struct listed {
    bool there;
    weir_buffer name, kind, phase, file, owner, parent, labels;
    uint64_t created_us, finished_us;
} listed;

static void note_listed(void *arg, const weir_run_record *record) {
    listed *l = arg;
    l->there = true;
    weir_buffer_str_append(&l->name, record->name);
    weir_buffer_str_append(&l->kind, record->kind);
    weir_buffer_str_append(&l->phase, record->phase);
    weir_buffer_str_append(&l->file, record->file);
    weir_buffer_str_append(&l->owner, record->owner);
    weir_buffer_str_append(&l->parent, record->parent);
    weir_buffer_str_append(&l->labels, record->labels);
    l->created_us = record->created_us;
    l->finished_us = record->finished_us;
}

static void listed_deinit(listed *l) {
    weir_buffer *texts[] = {&l->name,  &l->kind,   &l->phase, &l->file,
                            &l->owner, &l->parent, &l->labels};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) weir_buffer_deinit(texts[i]);
}

/* Of a run that the list does not have: its name may be another's by now. */
static void list_from_journal(const repairing *r, const journal *j, weir_str id, listed *l) {
    weir_error none;
    weir_str name = weir_member_text(j->created, "name");
    bool taken = !name.length || weir__run_exists(r->engine, name, &none);
    weir_buffer_str_append(&l->name, taken ? id : name);
    weir_buffer_str_append(&l->kind, weir_member_text(j->created, "kind"));
    weir_buffer_str_append(&l->file, weir_member_text(j->created, "file"));
    weir_buffer_str_append(&l->parent, weir_member_text(j->created, "parent"));
    weir__labels_text(j->created, &l->labels);
    l->created_us = j->created_us;
}

/* The phase that the journal means. */
static weir_str phase_of(const journal *j) {
    weir_str phase = weir_member_text(j->finished, "phase");
    if (!j->created) return WEIR_STR("Error");
    return !j->finished ? WEIR_STR("Running") : phase.length ? phase : WEIR_STR("Error");
}

/* Whether the list says what the journal says. Where no batch is left, a run that is over stays so. */
static bool agrees(const journal *j, const listed *l) {
    weir_str phase = weir_buffer_str(&l->phase);
    if (!l->there) return false;
    if (!j->created) return l->finished_us || !weir_str_is(phase, "Running");
    return !l->finished_us == !j->finished && (!j->finished || weir_str_equal(phase, phase_of(j)));
}

/* The file is copied before it is changed for the first time. */
static bool copy_once(repairing *r, weir_error *error) {
    weir_buffer path = {0};
    if (r->copied) return true;
    r->copied = weir_store_copy(r->engine->store, "before-repair", &path, error);
    if (r->copied && path.length)
        weir_finding_add(r->list, "copy", "ok", "remove it when all is well",
                         "the file as it was is `%s`", path.data);
    weir_buffer_deinit(&path);
    return r->copied;
}

static bool change(repairing *r, const journal *j, const listed *l, const char *id,
                   weir_error *error) {
    weir_store *store = r->engine->store;
    weir_str run = weir_str_from(id);
    weir_run_record record = {.id = run,
                              .name = weir_buffer_str(&l->name),
                              .kind = weir_buffer_str(&l->kind),
                              .phase = phase_of(j),
                              .file = weir_buffer_str(&l->file),
                              .owner = weir_buffer_str(&l->owner),
                              .parent = weir_buffer_str(&l->parent),
                              .created_us = l->created_us,
                              .finished_us = j->created ? j->finished_us : weir__now_us(r->engine),
                              .labels = weir_buffer_str(&l->labels)};
    bool locked;
    if (!copy_once(r, error) || !weir__run_claim(r->engine, id, &locked, error)) return false;
    bool ok = weir_store_cut(store, j->batches + 1, &record, error);
    if (ok && weir_store_has_tables(store))
        ok = weir_store_derive(store, run, true, WEIR_STR(""), error);
    weir__run_release(r->engine, id, locked, false);
    return ok;
}

static void say_changed(repairing *r, const journal *j, const listed *l) {
    weir_str name = weir_buffer_str(&l->name);
    const char *why = j->why[0] ? j->why : "its last batches are missing";
    if (!j->created)
        weir_finding_add(r->list, "journal", "warning", "start it again, if it is still wanted",
                         "run %.*s is lost: %s; %" PRIu64 " batches were removed", WEIR_ARG(name),
                         j->batches || j->lost ? why : "it has no batches", j->lost);
    else if (j->why[0] || (l->there && !j->finished))
        weir_finding_add(r->list, "journal", "warning", "`weir recover RUN` goes on from there",
                         "run %.*s is whole up to batch %" PRIu64 ": %s; %" PRIu64
                         " from there on were removed",
                         WEIR_ARG(name), j->batches, why, j->lost);
    else
        weir_finding_add(r->list, "journal", "warning", NULL,
                         "run %.*s was not in the list of runs as its journal says",
                         WEIR_ARG(name));
}

static void repair_run(repairing *r, const char *id) {
    journal j = {0};
    listed l = {0};
    weir_error error, none;
    weir_str run = weir_str_from(id);
    bool ok = weir_store_inspect(r->engine->store, run, inspect_batch, &j, &error);
    r->batches += j.batches;
    if (ok && !weir_store_find(r->engine->store, run, note_listed, &l, &none))
        list_from_journal(r, &j, run, &l);
    if (ok && (j.why[0] || !agrees(&j, &l))) {
        r->changed++;
        ok = change(r, &j, &l, id, &error);
        if (ok) say_changed(r, &j, &l);
        if (ok && j.created && weir_store_has_tables(r->engine->store))
            ok = weir__run_rebuild(r->engine, id, &error);
    }
    if (!ok)
        weir_finding_add(r->list, "journal", "problem", error.hint, "run %s: %s", id,
                         error.message);
    journal_deinit(&j);
    listed_deinit(&l);
}

weir_value *weir_repair(weir_engine *engine) {
    repairing r = {.engine = engine, .list = weir_array_new()};
    weir_error error;
    bool ok = weir_store_list(engine->store, 0, note_record, &r, &error) &&
              weir_store_streams(engine->store, note_stream, &r, &error);
    if (!ok) weir_finding_add(r.list, "journal", "problem", error.hint, "%s", error.message);
    for (size_t i = 0; i < r.ids.count; i++) {
        if (ok && weir__run_is_owned(engine, r.ids.items[i]))
            r.driven++;
        else if (ok)
            repair_run(&r, r.ids.items[i]);
        weir_free(r.ids.items[i]);
    }
    if (ok)
        weir_finding_add(r.list, "journals", "ok", NULL,
                         "%zu runs, %" PRIu64 " whole batches; %zu repaired, %zu driven and left "
                         "alone",
                         r.ids.count, r.batches, r.changed, r.driven);
    weir_vector_deinit(&r.ids);
    weir_map_deinit(&r.seen);
    return r.list;
}
