#include "workflow/garbage.h"

#include "workflow/coordinator.h"

static bool goes(const weir__run *run, const weir_value *artifact, bool deleted) {
    weir_str strategy = weir_member_text(weir_member_named(artifact, "artifactGC"), "strategy");
    if (!strategy.length) strategy = run->workflow->garbage;
    return weir_str_is(strategy, "OnWorkflowCompletion") ||
           (deleted && weir_str_is(strategy, "OnWorkflowDeletion"));
}

weir_value *weir__garbage_mark(const weir__run *run, const weir_value *artifacts) {
    if (!run->workflow->collects) return weir_value_ref((weir_value *)artifacts);
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(artifacts); i++) {
        weir_value *artifact = weir_value_ref(weir_array_at(artifacts, i));
        if (goes(run, artifact, false)) {
            artifact = weir_value_own(artifact);
            weir_member_put(artifact, "deleted", weir_bool_new(true));
        }
        weir_array_append(list, artifact);
    }
    return list;
}

static void add_artifact(const weir__run *run, const weir_value *artifact, bool deleted,
                         weir_value *list) {
    if (!goes(run, artifact, deleted)) return;
    weir_buffer key = {0}, bucket = {0};
    if (weir__artifact_key(artifact, &key, &bucket) && key.length) {
        weir_value *one = weir_object_new();
        weir_member_put_text(one, "key", weir_buffer_str(&key));
        if (bucket.length) weir_member_put_text(one, "bucket", weir_buffer_str(&bucket));
        weir_array_append(list, one);
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&bucket);
}

weir_value *weir_workflow_garbage(const weir_coordinator *coordinator, bool deleted) {
    const weir__run *run = (const weir__run *)coordinator;
    if (!run->workflow->collects) return NULL;
    weir_value *list = weir_array_new();
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        const weir_value *outputs = weir_member_named(n->end, "outputs");
        const weir_value *artifacts = weir_member_named(outputs, "artifacts");
        if (n->type != WEIR__TYPE_POD || !artifacts) continue;
        for (size_t k = 0; k < weir_value_count(artifacts); k++)
            add_artifact(run, weir_array_at(artifacts, k), deleted, list);
    }
    if (weir_value_count(list)) return list;
    weir_value_unref(list);
    return NULL;
}
