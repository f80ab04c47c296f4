/* The end of a run: its journal, its records and those of its children in one transaction, then what lies beside the store.
 * The store knows what is still to be removed, so whoever deletes next does what a killed process could not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/json.h"
#include "engine/remove.h"

enum { FOLDERS_DEEP_MAX = 8, END_MS = 15 * 1000 };

/* --- what lies beside the store ------------------------------------------------------------- */

bool weir__folder_remove(int parent, const char *name, int deep) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        close(fd);
        return false;
    }
    bool ok = deep > 0;
    for (const struct dirent *entry; ok && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
        ok = weir__folder_remove(fd, entry->d_name, deep - 1);
    }
    closedir(folder);
    return ok && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

static weir_str host_of(weir_str owner) {
    size_t length = owner.length;
    while (length && owner.data[length - 1] != ':') length--;
    return weir_str_slice(owner, 0, length);
}

typedef struct leftover {
    char *run;
    bool here; /* its files are */
} leftover;

typedef struct sweep {
    weir_engine *engine;
    WEIR_VECTOR(leftover) runs;
} sweep;

/* Logs are where the run was driven. */
static bool note_leftover(void *arg, weir_str run, weir_str owner) {
    sweep *s = arg;
    bool here = weir_str_equal(host_of(owner), host_of(weir_str_from(s->engine->owner))) &&
                run.length == WEIR_RUN_ID_LENGTH && !memchr(run.data, '/', run.length);
    *weir_vector_push(&s->runs) = (leftover){weir_str_dup(run), here};
    return true;
}

/* What cannot be removed now may be next time. */
static bool remove_leftover(weir_engine *engine, const leftover *left, int logs,
                            void (*rest)(void *arg), void *arg, weir_error *error) {
    weir_str run = weir_str_from(left->run);
    for (bool more = true; more;) {
        if (!weir_store_sweep(engine->store, run, &more, error)) return false;
        if (more && rest) rest(arg);
    }
    if (left->here && !weir__keep_remove(engine, left->run)) return true;
    if (!left->here || (logs >= 0 && !weir__folder_remove(logs, left->run, FOLDERS_DEEP_MAX)))
        return true;
    weir_process_forget(engine->executors[WEIR__EXECUTOR_PROCESS], left->run);
    weir__artifacts_forget(engine, left->run);
    return weir__sources_unmark(engine, left->run, error) &&
           weir_store_forget(engine->store, run, error);
}

bool weir__leftovers_remove(weir_engine *engine, void (*rest)(void *arg), void *arg,
                            weir_error *error) {
    sweep s = {.engine = engine};
    bool ok = weir_store_leftovers(engine->store, note_leftover, &s, error);
    int logs = engine->logs.directory
                   ? open(engine->logs.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                   : -1;
    for (size_t i = 0; i < s.runs.count; i++) {
        ok = ok && remove_leftover(engine, &s.runs.items[i], logs, rest, arg, error);
        weir_free(s.runs.items[i].run);
    }
    if (logs >= 0) close(logs);
    weir_vector_deinit(&s.runs);
    return ok && weir__values_release(engine, false, error);
}

/* --- which runs ----------------------------------------------------------------------------- */

static bool has_keep(weir_str labels) {
    weir_value *value;
    if (!labels.length || !weir_json_parse(labels, WEIR_STR(""), &value, NULL)) return false;
    bool kept = weir_is(value, WEIR_OBJECT) && weir_member_named(value, "keep");
    weir_value_unref(value);
    return kept;
}

static bool note_doomed(void *arg, const weir_run_record *record) {
    *weir_vector_push(&((weir__doomed *)arg)->runs) =
        (weir__doomed_run){.id = weir_str_dup(record->id),
                           .name = weir_str_dup(record->name),
                           .parent = weir_str_dup(record->parent),
                           .finished_us = record->finished_us,
                           .kept = has_keep(record->labels)};
    return true;
}

static void note_found(void *arg, const weir_run_record *record) {
    (void)note_doomed(arg, record);
}

void weir__doomed_leave(weir__doomed *d, size_t from, bool gone) {
    for (size_t i = from; i < d->runs.count; i++) {
        weir__doomed_run *run = &d->runs.items[i];
        if (i < d->claimed) weir__run_release(d->engine, run->id, run->locked, gone);
        weir_free(run->id);
        weir_free(run->name);
        weir_free(run->parent);
    }
    if (d->claimed > from) d->claimed = from;
    d->runs.count = from;
    if (!from) weir_vector_deinit(&d->runs);
}

bool weir__doomed_gather(weir__doomed *d, const char *run, weir_error *error) {
    size_t from = d->runs.count;
    if (!weir_store_find(d->engine->store, weir_str_from(run), note_found, d, error)) return false;
    for (size_t i = from; i < d->runs.count; i++) {
        char *name = weir_str_dup(weir_str_from(d->runs.items[i].name)); /* the vector moves */
        const weir_selection children = {.by_parent = true, .parent = weir_str_from(name)};
        bool ok = weir_store_select(d->engine->store, &children, note_doomed, d, error);
        weir_free(name);
        if (!ok) return false;
    }
    return true;
}

/* A child goes with its parent, as long as there is one. */
static bool is_own(const weir__doomed *d, weir_error *error) {
    const weir__doomed_run *run = &d->runs.items[0];
    weir_error absent;
    if (!*run->parent || !weir__run_exists(d->engine, weir_str_from(run->parent), &absent))
        return true;
    weir_fail(error, WEIR_CONFLICT, "%s is a part of the run %s", run->name, run->parent);
    weir_error_hint(error, "`weir delete %s` deletes both", run->parent);
    return false;
}

/* --- deleting ------------------------------------------------------------------------------- */

/* Stops the run, first kindly, and waits for its end. A run that nobody drives and that cannot be gone on with needs no
 * stopping. */
static bool end_run(weir_engine *engine, const weir__doomed_run *run, weir_error *error) {
    const char *names[] = {run->id};
    for (int terminate = 0; terminate < 2; terminate++) {
        weir_value *list;
        if (!weir_cancel(engine, run->id, terminate, error) && weir__run_is_owned(engine, run->id))
            return false;
        if (!weir__run_is_owned(engine, run->id)) return true;
        if (!weir_wait(engine, names, 1, false, END_MS, &list, error)) return false;
        bool over = weir_member_named(weir_array_at(list, 0), "finished") != NULL;
        weir_value_unref(list);
        if (over) return true;
    }
    return weir_fail(error, WEIR_EXPIRED, "the run %s does not end", run->name);
}

static bool end_all(const weir__doomed *d, bool force, weir_error *error) {
    for (size_t i = 0; i < d->runs.count; i++) {
        const weir__doomed_run *run = &d->runs.items[i];
        if (run->finished_us || (i && !weir__run_is_owned(d->engine, run->id))) continue;
        if (!force) {
            weir_fail(error, WEIR_CONFLICT, "the run %s is under way", run->name);
            weir_error_hint(error, "`weir delete --force %s` cancels it first",
                            d->runs.items[0].name);
            return false;
        }
        if (!end_run(d->engine, run, error)) return false;
    }
    return true;
}

bool weir__doomed_claim(weir__doomed *d, weir_error *error) {
    for (; d->claimed < d->runs.count; d->claimed++) {
        weir__doomed_run *run = &d->runs.items[d->claimed];
        if (!weir__run_claim(d->engine, run->id, &run->locked, error)) return false;
    }
    return true;
}

bool weir__doomed_delete(weir__doomed *d, weir_error *error) {
    weir_str *ids = weir_alloc(d->runs.count * sizeof *ids);
    for (size_t i = 0; i < d->runs.count; i++) ids[i] = weir_str_from(d->runs.items[i].id);
    bool ok = weir_store_delete(d->engine->store, ids, d->runs.count, error);
    weir_free(ids);
    return ok;
}

bool weir_delete(weir_engine *engine, const char *name, bool force, weir_error *error) {
    weir__doomed d = {.engine = engine};
    bool ok = weir__doomed_gather(&d, name, error) && is_own(&d, error);
    if (ok && weir__run_find(engine, d.runs.items[0].id))
        ok = weir_fail(error, WEIR_CONFLICT, "the run %s is open in this engine",
                       d.runs.items[0].name);
    ok = ok && end_all(&d, force, error);
    if (ok && force) { /* what was under way may have begun children until its end */
        char *id = weir_str_dup(weir_str_from(d.runs.items[0].id));
        weir__doomed_leave(&d, 0, false);
        ok = weir__doomed_gather(&d, id, error);
        weir_free(id);
    }
    bool gone = ok && weir__doomed_claim(&d, error) && weir__doomed_delete(&d, error);
    weir__doomed_leave(&d, 0, gone);
    return gone && weir__leftovers_remove(engine, NULL, NULL, error);
}
