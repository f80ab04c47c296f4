/* Artifacts of workflows: where they stay. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "executor/process.h"
#include "workflow/artifact.h"
#include "workflow/garbage.h"

void weir__artifacts_open(weir_engine *engine) {
    const weir_value *wanted = engine->options.artifacts;
    weir_buffer folder = {0}, staging = {0};
    weir_str own = weir_member_text(wanted, "folder");
    if (own.length)
        weir_buffer_str_append(&folder, own);
    else if (engine->state)
        weir_buffer_printf(&folder, "%s/artifacts", engine->state);
    if (engine->state) weir_buffer_printf(&staging, "%s/staging", engine->state);
    engine->repository = weir_repository_new(&(weir_repository_options){
        .folder = folder.data,
        .buckets = weir_member_named(wanted, "buckets"),
        .limits = {weir_member_count(wanted, "bytes_max"), weir_member_count(wanted, "files_max")},
        .durable = engine->state != NULL,
    });
    weir_process_artifacts(engine->executors[WEIR__EXECUTOR_PROCESS], engine->repository,
                           staging.data);
    weir_buffer_deinit(&folder);
    weir_buffer_deinit(&staging);
}

bool weir__artifacts_are_kept(const weir_engine *engine, const weir_value *outputs) {
    const weir_value *kept = weir_member_named(outputs, "artifacts");
    for (size_t i = 0; weir_is(kept, WEIR_OBJECT) && i < weir_value_count(kept); i++) {
        const weir_value *one = weir_object_at(kept, i);
        weir_artifact_place place = {weir_member_text(one, "bucket"), weir_member_text(one, "key")};
        weir_error ignored;
        int fd;
        if (!weir_repository_open(engine->repository, &place, &fd, &ignored)) return false;
        close(fd);
    }
    return true;
}

/* --- what goes ------------------------------------------------------------------------------- */

typedef struct collection {
    weir_engine *engine;
    weir_value *list;
} collection;

/* What cannot be removed stays. */
static void remove_all(const weir_engine *engine, const weir_value *list) {
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        weir_artifact_place place = {weir_member_text(one, "bucket"), weir_member_text(one, "key")};
        weir_error error;
        if (place.key.length && !weir_repository_remove(engine->repository, &place, &error))
            fprintf(stderr, "weir: the artifact %.*s could not be removed: %s\n",
                    WEIR_ARG(place.key), error.message);
    }
}

static void collect(void *arg) {
    const collection *c = arg;
    remove_all(c->engine, c->list);
}

static void collected(void *arg) {
    collection *c = arg;
    c->engine->collections--;
    weir_value_unref(c->list);
    weir_free(c);
}

/* Where it is said what goes with the run. */
static bool garbage_path(const weir_engine *engine, const char *run, weir_buffer *out) {
    if (!engine->state) return false;
    weir_buffer_printf(out, "%s/garbage", engine->state);
    if (run) weir_buffer_printf(out, "/%s", run);
    return true;
}

/* Whole, or not there. */
static void write_garbage(const weir_run *run, const weir_value *list) {
    weir_buffer folder = {0}, path = {0}, text = {0}, half = {0};
    if (garbage_path(run->engine, NULL, &folder) && garbage_path(run->engine, run->id, &path)) {
        (void)mkdir(folder.data, 0700);
        weir_buffer_printf(&half, "%s.half", path.data);
        weir_json_format(list, 0, &text);
        FILE *file = fopen(half.data, "we");
        bool ok = file && fwrite(text.data, 1, text.length, file) == text.length;
        ok = (!file || fclose(file) == 0) && ok;
        if (!ok || rename(half.data, path.data) != 0) (void)unlink(half.data);
    }
    weir_buffer_deinit(&folder);
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&half);
}

void weir__artifacts_settle(weir_run *run) {
    if (strcmp(run->plan->kind, "workflow") != 0) return;
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *later = weir_workflow_garbage(coordinator, true);
    if (!later) return;
    write_garbage(run, later);
    weir_value_unref(later);
    weir_value *now = weir_workflow_garbage(coordinator, false);
    if (!now) return;
    collection *c = weir_alloc(sizeof *c);
    *c = (collection){run->engine, now};
    run->engine->collections++;
    weir_pool_run(run->engine->loop, collect, collected, c);
}

void weir__artifacts_forget(const weir_engine *engine, const char *run) {
    weir_buffer path = {0}, text = {0};
    weir_value *list = NULL;
    weir_error ignored;
    FILE *file = garbage_path(engine, run, &path) ? fopen(path.data, "re") : NULL;
    char part[4096];
    for (size_t got; file && (got = fread(part, 1, sizeof part, file)) > 0;)
        weir_buffer_append(&text, part, got);
    if (file) fclose(file);
    if (file && weir_json_parse(weir_buffer_str(&text), WEIR_STR("garbage"), &list, &ignored)) {
        remove_all(engine, list);
        weir_value_unref(list);
    }
    if (file) (void)unlink(path.data);
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&text);
}

void weir__artifacts_close(weir_engine *engine) {
    while (engine->collections) weir_loop_once(engine->loop, true);
    weir_repository_free(engine->repository);
    engine->repository = NULL;
}

bool weir_artifact_copy(weir_engine *engine, const weir_value *artifact, const char *folder,
                        weir_value **out, weir_error *error) {
    weir_buffer key = {0}, bucket = {0}, path = {0};
    weir_str name = weir_member_text(artifact, "name");
    const weir_value *raw = weir_member_named(weir_member_named(artifact, "raw"), "data");
    bool kept = weir__artifact_key(artifact, &key, &bucket);
    weir_artifact_place place = {weir_buffer_str(&bucket), weir_buffer_str(&key)};
    bool ok = kept || weir_is(raw, WEIR_STRING) ||
              weir_fail(error, WEIR_INVALID, "it is not kept here: it has no key");
    if (ok)
        ok = kept ? weir_repository_export(engine->repository, &place, folder, &path, error)
                  : weir_artifact_export(weir_string_get(raw), folder, name, &path, error);
    if (ok) {
        *out = weir_object_new();
        weir_member_put_text(*out, "path", weir_buffer_str(&path));
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&bucket);
    weir_buffer_deinit(&path);
    return ok;
}
