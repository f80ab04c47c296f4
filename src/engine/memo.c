#include "engine/memo_internal.h"

#include <stdio.h>

/* --- the engine's part ------------------------------------------------------------------------ */

weir__memos *weir__memos_of(weir_engine *engine, weir_error *error) {
    if (engine->memos) return engine->memos;
    const weir__sha256_functions *sha256;
    if (!weir__sha256_open(&sha256, error)) return NULL;
    engine->memos = weir_alloc(sizeof *engine->memos);
    engine->memos->sha256 = sha256;
    engine->memos->hash = sha256->begin();
    return engine->memos;
}

void weir__memo_warn(weir_engine *engine, const weir_error *why) {
    char line[1024];
    if (!engine->memos || engine->memos->warned) return;
    engine->memos->warned = true;
    fprintf(stderr, "weir: warning: a result is not cached: %s\n",
            weir_error_format(why, line, sizeof line));
}

void weir__memo_end_jobs(weir_engine *engine) {
    while (engine->memos && engine->memos->jobs) weir_loop_once(engine->loop, true);
}

void weir__memo_close(weir_engine *engine) {
    weir__memos *memos = engine->memos;
    if (!memos) return;
    memos->sha256->end(memos->hash);
    for (size_t i = 0; i < memos->code_texts.count; i++) weir_free(memos->code_texts.items[i]);
    weir_vector_deinit(&memos->code_texts);
    weir_map_deinit(&memos->codes);
    weir_free(memos);
    engine->memos = NULL;
}

/* --- what a run wants ------------------------------------------------------------------------- */

static weir__memo_want *want_of(const weir_run *run, weir_str key) {
    uint64_t place;
    if (!run->memo || !weir_map_get(&run->memo->by_key, key, &place)) return NULL;
    return run->memo->wants.items[place];
}

static weir__memo_want *new_want(weir_run *run, const char *key, weir_task_id task) {
    if (!run->memo) run->memo = weir_alloc(sizeof *run->memo);
    weir__memo_want *want = weir_alloc(sizeof *want);
    snprintf(want->key, sizeof want->key, "%s", key);
    want->first = task;
    *weir_vector_push(&run->memo->wants) = want;
    weir_map_set(&run->memo->by_key, weir_str_from(want->key), run->memo->wants.count - 1);
    return want;
}

static void free_want(weir__memo_want *want) {
    weir_vector_deinit(&want->others);
    weir_value_unref(want->files);
    weir_free(want);
}

static void drop_want(weir_run *run, weir__memo_want *want) {
    weir__run_memo *memo = run->memo;
    uint64_t place = 0;
    bool there = weir_map_get(&memo->by_key, weir_str_from(want->key), &place);
    weir_assert(there);
    weir_map_remove(&memo->by_key, weir_str_from(want->key));
    weir__memo_want *last = memo->wants.items[--memo->wants.count];
    memo->wants.items[place] = last;
    if (last != want) weir_map_set(&memo->by_key, weir_str_from(last->key), place);
    free_want(want);
}

void weir__memo_leave(weir_run *run) {
    if (!run->memo) return;
    for (size_t i = 0; i < run->memo->wants.count; i++) free_want(run->memo->wants.items[i]);
    weir_vector_deinit(&run->memo->wants);
    weir_map_deinit(&run->memo->by_key);
    weir_free(run->memo);
    run->memo = NULL;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer(weir_run *run, weir_task_id task, weir_event_type type, weir_value *data) {
    weir_machine_remembered(run->machine, weir__now_us(run->engine), task, type, data);
}

static void answer_without_key(weir_run *run, weir_task_id task, const char *why) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "why", weir_str_from(why));
    answer(run, task, WEIR_MEMO_MISSED, data);
}

/* All that want it have it. The outputs are a new reference; `made_by` may be empty. */
static void answer_found(weir_run *run, weir__memo_want *want, weir_value *outputs,
                         uint64_t created_us, weir_str made_by) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "key", weir_str_from(want->key));
    weir_member_put(data, "created", weir_int_new((int64_t)created_us));
    if (made_by.length) weir_member_put_text(data, "run", made_by);
    weir_member_put(data, "outputs", outputs);
    if (!want->missed) answer(run, want->first, WEIR_MEMO_FOUND, weir_value_ref(data));
    for (size_t i = 0; i < want->others.count; i++)
        answer(run, want->others.items[i], WEIR_MEMO_FOUND, weir_value_ref(data));
    weir_value_unref(data);
    drop_want(run, want);
}

static weir_value *missed_data(const weir__memo_want *want, const char *why) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "key", weir_str_from(want->key));
    weir_member_put_text(data, "why", weir_str_from(why));
    if (want->files) weir_member_put(data, "files", weir_value_ref(want->files));
    if (want->files) weir_member_put_text(data, "content", weir_str_from(want->content));
    return data;
}

/* Whether the task stands for tasks within it. As one of those may want the same outcome, it waits for nobody, and nobody for it as
 * long as it is not over. */
static bool is_whole(const weir_run *run, weir_task_id task) {
    return !weir_tasks_spec(weir_machine_tasks(run->machine), task)->executor.length;
}

static bool is_finished(const weir_run *run, weir_task_id task) {
    return weir_tasks_state(weir_machine_tasks(run->machine), task) == WEIR_STATE_FINISHED;
}

/* The first that still wants it runs, and so does whoever waits for nobody; the others wait for the first of their like. */
static void answer_missed(weir_run *run, weir__memo_want *want, const char *why, uint64_t replaces,
                          weir_str blob) {
    weir_task_id runs = WEIR_NO_TASK;
    size_t waiting = 0;
    bool first = true;
    for (size_t i = 0; i <= want->others.count; i++) {
        weir_task_id task = i ? want->others.items[i - 1] : want->first;
        bool whole = is_whole(run, task);
        if (!weir_tasks_seeks(weir_machine_tasks(run->machine), task)) continue;
        if (!whole && runs != WEIR_NO_TASK && !is_whole(run, runs)) {
            want->others.items[waiting++] = task;
            continue;
        }
        if (runs == WEIR_NO_TASK || !whole) runs = task;
        weir_value *data = missed_data(want, why);
        if (replaces) weir_member_put(data, "replaces", weir_int_new((int64_t)replaces));
        if (blob.length && first) weir_member_put_text(data, "blob", blob);
        first = false;
        answer(run, task, WEIR_MEMO_MISSED, data);
    }
    want->first = runs;
    want->others.count = waiting;
    want->missed = true;
    if (runs == WEIR_NO_TASK) drop_want(run, want);
}

/* The first failed: the others run, each for itself, as they would without a cache. */
static void answer_others_missed(weir_run *run, weir__memo_want *want) {
    for (size_t i = 0; i < want->others.count; i++)
        answer(run, want->others.items[i], WEIR_MEMO_MISSED, missed_data(want, "absent"));
    drop_want(run, want);
}

/* The outputs as an outcome of this run has them; NULL when they are no such thing. New reference. */
static weir_value *decode(const weir_engine *engine, weir_str bytes) {
    size_t offset = 0;
    weir_value *outputs;
    weir_error ignored;
    if (!weir_value_decode(bytes, &offset, &outputs, &ignored)) return NULL;
    weir_outcome outcome = {.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = outputs};
    if (offset == bytes.length && weir_is(outputs, WEIR_OBJECT))
        weir__outcome_admit(engine, &outcome);
    else
        outcome.kind = WEIR_OUTCOME_ERRORED;
    bool good = outcome.kind == WEIR_OUTCOME_SUCCEEDED;
    outputs = good ? weir_value_ref(outcome.outputs) : NULL;
    weir_outcome_deinit(&outcome);
    return outputs;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* A result that is being fetched. */
typedef struct fetch {
    weir_engine *engine;
    char run[WEIR_RUN_ID_LENGTH + 1], key[WEIR_MEMO_KEY_LETTERS + 1];
    char blob[WEIR_BLOB_DIGEST_LENGTH + 1], made_by[WEIR_RUN_ID_LENGTH + 1];
    uint64_t created_us;
} fetch;

static weir_run *living(weir_engine *engine, const char *id) {
    weir_run *run = engine->closing ? NULL : weir__run_find(engine, id);
    return run && !run->failed && !run->over ? run : NULL;
}

static void fetched(void *arg, const weir_str *value) {
    fetch *f = arg;
    weir_run *run = living(f->engine, f->run);
    weir__memo_want *want = run ? want_of(run, weir_str_from(f->key)) : NULL;
    if (want && !want->missed) {
        weir_value *outputs = value ? decode(f->engine, *value) : NULL;
        bool whole = outputs && weir__artifacts_are_kept(f->engine, outputs);
        if (outputs && !whole) weir_value_unref(outputs);
        if (whole)
            answer_found(run, want, outputs, f->created_us, weir_str_from(f->made_by));
        else
            answer_missed(run, want, "damaged", f->created_us, weir_str_from(f->blob));
        weir__run_pump_soon(run);
    }
    weir_free(f);
}

static void begin_fetch(weir_run *run, const weir_memo_entry *entry) {
    fetch *f = weir_alloc(sizeof *f);
    *f = (fetch){.engine = run->engine, .created_us = entry->created_us};
    memcpy(f->run, run->id, sizeof f->run);
    snprintf(f->key, sizeof f->key, "%.*s", WEIR_ARG(entry->key));
    snprintf(f->blob, sizeof f->blob, "%.*s", WEIR_ARG(entry->blob));
    snprintf(f->made_by, sizeof f->made_by, "%.*s", WEIR_ARG(entry->run));
    weir__memo_fetch(run->engine, entry, fetched, f);
}

static bool refreshes(const weir_run *run) {
    return weir_str_is(weir_member_text(weir_machine_request(run->machine), "cache"), "refresh");
}

static bool take_entry(void *arg, const weir_memo_entry *entry) {
    weir_run *run = arg;
    weir__memo_want *want = want_of(run, entry->key);
    if (!want || want->asked) return true;
    want->asked = true;
    uint64_t now_us = weir__now_us(run->engine);
    bool expired = want->max_age_us && now_us > entry->created_us &&
                   now_us - entry->created_us >= want->max_age_us;
    const char *why = refreshes(run)                        ? "refreshed"
                      : expired                             ? "expired"
                      : entry->version != WEIR_MEMO_VERSION ? "version"
                                                            : NULL;
    if (!why && entry->blob.length) {
        begin_fetch(run, entry);
        return true;
    }
    weir_value *outputs = NULL;
    if (!why && (int64_t)weir_hash(entry->value.data, entry->value.length) == entry->checksum)
        outputs = decode(run->engine, entry->value);
    if (outputs && !weir__artifacts_are_kept(run->engine, outputs)) {
        weir_value_unref(outputs);
        outputs = NULL;
        why = "artifacts";
    }
    if (outputs)
        answer_found(run, want, outputs, entry->created_us, entry->run);
    else
        answer_missed(run, want, why ? why : "damaged", entry->created_us, entry->blob);
    return true;
}

/* Keys that are asked for together. */
typedef struct round {
    char keys[WEIR_MEMO_KEYS_MAX][WEIR_MEMO_KEY_LETTERS + 1];
    size_t count;
} round;

static void ask(weir_run *run, round *r) {
    weir_str keys[WEIR_MEMO_KEYS_MAX];
    weir_error error;
    for (size_t i = 0; i < r->count; i++) keys[i] = weir_str_from(r->keys[i]);
    bool ok = weir_store_memo_find(run->engine->store, keys, r->count, take_entry, run, &error);
    if (!ok) weir__memo_warn(run->engine, &error);
    for (size_t i = 0; i < r->count; i++) {
        weir__memo_want *want = want_of(run, keys[i]);
        if (!want || want->asked) continue;
        want->asked = true;
        answer_missed(run, want, ok ? "absent" : "store", 0, WEIR_STR(""));
    }
}

/* The attempt's key is looked for with the round, or waits for what is under way. `files` is taken over. */
static void enlist(weir_run *run, round *r, const weir_attempt *attempt, weir_value *files,
                   const char *content) {
    weir__memo_key key = weir__memo_key_of(run->engine, run, attempt, weir_str_from(content));
    weir__memo_want *want = key.why ? NULL : want_of(run, weir_str_from(key.hex));
    if (key.why) {
        answer_without_key(run, attempt->id.task, key.why);
    } else if (want && want->missed && !is_finished(run, want->first) &&
               (is_whole(run, want->first) || is_whole(run, attempt->id.task))) {
        answer(run, attempt->id.task, WEIR_MEMO_MISSED, missed_data(want, "absent"));
    } else if (want) {
        *weir_vector_push(&want->others) = attempt->id.task;
    } else {
        want = new_want(run, key.hex, attempt->id.task);
        want->max_age_us = attempt->spec->memo->max_age_us;
        want->files = weir_value_ref(files);
        snprintf(want->content, sizeof want->content, "%s", content);
        memcpy(r->keys[r->count++], key.hex, sizeof key.hex);
    }
    weir_value_unref(files);
}

/* --- files ------------------------------------------------------------------------------------ */

typedef struct reading {
    weir_engine *engine;
    weir_attempt attempt; /* held */
    weir_value *files;
    struct kept
        *kept; /* of a result that is to be kept if they are still the same; NULL: of a look */
    char content[WEIR_MEMO_KEY_LETTERS + 1];
    bool ok;
    weir_error error;
} reading;

static void read_files(void *arg) {
    reading *r = arg;
    r->ok = weir__memo_read_files(r->engine->memos->sha256, r->files, r->content, &r->error);
}

static void files_read(void *arg) {
    reading *r = arg;
    weir_engine *engine = r->engine;
    weir_run *run = living(engine, r->attempt.id.run);
    engine->memos->jobs--;
    if (!r->ok) weir__memo_warn(engine, &r->error);
    if (run && !r->ok) {
        answer_without_key(run, r->attempt.id.task, "files");
    } else if (run && weir_tasks_seeks(weir_machine_tasks(run->machine), r->attempt.id.task)) {
        round one;
        one.count = 0;
        enlist(run, &one, &r->attempt, weir_value_ref(r->files), r->content);
        ask(run, &one);
    }
    if (run) weir__run_pump_soon(run);
    weir_attempt_drop(&r->attempt);
    weir_value_unref(r->files);
    weir_free(r);
}

static void look_for(weir_run *run, round *r, weir_attempt *attempt) {
    weir_error error;
    if (!weir__memos_of(run->engine, &error)) {
        answer_without_key(run, attempt->id.task, "sha256");
        return;
    }
    weir_value *files = weir__memo_files_of(run, attempt);
    if (!files) {
        enlist(run, r, attempt, NULL, "");
        return;
    }
    reading *reads = weir_alloc(sizeof *reads);
    *reads =
        (reading){.engine = run->engine, .attempt = weir_attempt_hold(attempt), .files = files};
    run->engine->memos->jobs++;
    weir_pool_run(run->engine->loop, read_files, files_read, reads);
}

/* Apart, as the round is large, and most runs seek nothing. */
static void __attribute__((noinline)) look_for_all(weir_run *run, weir_attempt *first) {
    round r;
    weir_attempt attempt = *first;
    r.count = 0;
    do {
        look_for(run, &r, &attempt);
        weir_attempt_drop(&attempt);
    } while (r.count < WEIR_MEMO_KEYS_MAX && weir_machine_take_sought(run->machine, &attempt));
    if (r.count) ask(run, &r);
}

bool weir__memo_look(weir_run *run) {
    weir_attempt first;
    if (!weir_machine_take_sought(run->machine, &first)) return false;
    look_for_all(run, &first);
    return true;
}

/* --- what came of it -------------------------------------------------------------------------- */

void weir__memo_settle(weir_run *run, const weir_keep *keep) {
    weir__memo_want *want = want_of(run, weir_member_text(keep->missed, "key"));
    if (!want || !want->missed || want->first != keep->task) return;
    if (keep->outputs)
        answer_found(run, want, weir_value_ref(keep->outputs), weir__now_us(run->engine),
                     weir_str_from(run->id));
    else
        answer_others_missed(run, want);
    weir__run_pump_soon(run);
}
