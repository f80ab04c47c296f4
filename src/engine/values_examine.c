/* Whether the large values are there that journals refer to. */
#include <inttypes.h>
#include <stdio.h>

#include "data/finding.h"
#include "engine/engine_internal.h"

/* What is referred to and what is there are both sorted: they are gone through side by side. */
typedef struct examination {
    weir_engine *engine;
    weir_buffer place; /* of the engine's blobs */
    weir_blob_page page;
    size_t at;
    bool ended, ok;
    weir_error error; /* unless it is ok */
    uint64_t here, elsewhere, missing;
    char first[WEIR_BLOB_DIGEST_LENGTH + 1], run[WEIR_RUN_ID_LENGTH + 1]; /* that is missing */
    char last[WEIR_BLOB_DIGEST_LENGTH + 1];
} examination;

static const weir_blob *next_blob(examination *e) {
    if (e->at < e->page.count) return &e->page.items[e->at];
    if (e->ended) return NULL;
    char after[WEIR_BLOB_DIGEST_LENGTH + 1] = "";
    if (e->page.count) snprintf(after, sizeof after, "%s", e->page.items[e->page.count - 1].digest);
    e->page.count = e->at = 0;
    e->ok = weir_blob_list(e->engine->blobs, after, &e->page, &e->error);
    e->ended = !e->ok || !e->page.count;
    return e->ended ? NULL : &e->page.items[0];
}

static bool look(void *arg, const weir_reference *reference) {
    examination *e = arg;
    const weir_blob *blob;
    if (!weir_str_equal(reference->place, weir_buffer_str(&e->place))) {
        e->elsewhere++;
        return true;
    }
    char digest[WEIR_BLOB_DIGEST_LENGTH + 1];
    snprintf(digest, sizeof digest, "%.*s", WEIR_ARG(reference->digest));
    if (strcmp(digest, e->last) == 0) return true;
    memcpy(e->last, digest, sizeof digest);
    while ((blob = next_blob(e)) && strcmp(blob->digest, digest) < 0) e->at++;
    e->here++;
    if (blob && strcmp(blob->digest, digest) == 0 && blob->size == reference->size) return e->ok;
    if (!e->missing++) {
        memcpy(e->first, digest, sizeof digest);
        snprintf(e->run, sizeof e->run, "%.*s", WEIR_ARG(reference->run));
    }
    return e->ok;
}

static void say(const examination *e, weir_value *list) {
    if (!e->ok)
        weir_finding_add(list, "values", "problem", e->error.hint, "%s", e->error.message);
    else if (e->missing)
        weir_finding_add(list, "values", "problem",
                         "the runs that need one cannot be read: bring the blobs back",
                         "%" PRIu64 " of %" PRIu64
                         " large values are missing or damaged, such as %s of run %s",
                         e->missing, e->here, e->first, e->run);
    else if (e->here || e->elsewhere)
        weir_finding_add(list, "values", "ok", NULL,
                         "%" PRIu64 " large values are there; %" PRIu64
                         " references are to other places",
                         e->here, e->elsewhere);
}

void weir__values_examine(weir_engine *engine, weir_value *list) {
    examination e = {.engine = engine, .ok = true};
    weir_error ignored;
    e.ended = !weir__blobs_open(engine, false, &e.error);
    if (e.ended && e.error.code != WEIR_NOT_FOUND) e.ok = false;
    if (!weir__values_place(engine, &e.place, &ignored)) weir_buffer_clear(&e.place);
    if (e.ok &&
        !weir_store_references(engine->store, WEIR_STR(""), WEIR_STR(""), look, &e, &e.error))
        e.ok = false;
    say(&e, list);
    weir_buffer_deinit(&e.place);
    weir_vector_deinit(&e.page);
}
