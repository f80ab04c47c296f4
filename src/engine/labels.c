/* Labels: KEY=VALUE texts that a run comes with, to find it by. */
#include "data/json.h"
#include "engine/engine_internal.h"

/* Takes the value over. */
static bool put_label(weir_value *labels, weir_str key, weir_value *value, weir_error *error) {
    bool ok = weir_is(value, WEIR_STRING) ||
              weir_fail(error, WEIR_INVALID, "the label `%.*s` is no text", WEIR_ARG(key));
    ok = ok && weir_label_check(key, weir_string_get(value), error);
    if (ok)
        weir_member_set(labels, key, value);
    else
        weir_value_unref(value);
    return ok;
}

/* What YAML takes for a number or a boolean is meant as text: `version: 1`. */
static weir_value *as_text(weir_value *value) {
    if (!weir_is(value, WEIR_INT) && !weir_is(value, WEIR_FLOAT) && !weir_is(value, WEIR_BOOL))
        return weir_value_ref(value);
    return weir_json_as_text(value);
}

/* After how many seconds a run goes, once it is over, as Argo's `ttlStrategy` says: one for each end says it before the one for all. */
static void put_times_to_live(const weir_value *workflow, weir_value *labels) {
    static const char *const ends[][2] = {{"secondsAfterSuccess", WEIR__TTL_SUCCESS},
                                          {"secondsAfterFailure", WEIR__TTL_FAILURE}};
    const weir_value *ttl = weir_member_named(weir_member_named(workflow, "spec"), "ttlStrategy");
    for (size_t i = 0; i < 2; i++) {
        const weir_value *seconds = weir_member_named(ttl, ends[i][0]);
        if (!weir_is(seconds, WEIR_INT)) seconds = weir_member_named(ttl, "secondsAfterCompletion");
        if (!weir_is(seconds, WEIR_INT) || weir_int_get(seconds) < 0) continue;
        weir_member_put(labels, ends[i][1], weir_json_as_text(seconds));
    }
}

bool weir__labels_gather(const weir_engine *engine, const weir_value *workflow,
                         const weir_value *request, weir_value **out, weir_error *error) {
    const weir_value *sources[] = {
        weir_member_named(weir_member_named(workflow, "metadata"), "labels"),
        weir_member_named(request, "labels")};
    weir_value *labels = weir_object_new();
    bool ok = true;
    for (size_t i = 0; i < 2; i++) {
        const weir_value *source = sources[i];
        if (!source || weir_is(source, WEIR_NULL)) continue;
        ok = ok && (weir_is(source, WEIR_OBJECT) ||
                    weir_fail(error, WEIR_INVALID, "labels are no object of texts"));
        for (size_t j = 0; ok && j < weir_value_count(source); j++) {
            weir_value *value = weir_object_at(source, j);
            ok = put_label(labels, weir_object_key(source, j),
                           i ? weir_value_ref(value) : as_text(value), error);
        }
    }
    put_times_to_live(workflow, labels);
    if (ok && weir_value_count(labels) > WEIR_LABELS_MAX)
        ok = weir_fail(error, WEIR_LIMIT, "a run has at most %d labels", WEIR_LABELS_MAX);
    if (!ok || !weir_value_count(labels)) {
        weir_value_unref(labels);
        labels = NULL;
    }
    if (ok) *out = weir_secrets_mask_value(&engine->secrets, labels);
    return ok;
}

void weir__labels_text(const weir_value *request, weir_buffer *out) {
    const weir_value *labels = weir_member_named(request, "labels");
    if (labels) weir_json_format(labels, 0, out);
}
