/* Dataflows as values: exported in either form, and merged. */
#include "dataflow/file.h"
#include "engine/compose.h"
#include "engine/engine_internal.h"

static void say_problems(const weir_problems *problems,
                         void (*problem)(void *arg, const weir_error *error), void *arg,
                         weir_error *error) {
    for (size_t i = 0; problem && i < problems->count; i++) problem(arg, &problems->items[i]);
    *error = problems->items[0];
}

/* The document's dataflow in the form that is wanted. */
static bool export_root(const weir_document *document, bool linked, weir_value **out,
                        weir_problems *problems) {
    weir_value *flow = NULL;
    weir_error error;
    if (!weir__compose_check(document, true, problems)) return false;
    bool ok = weir_dataflow_file_whole(document->roots.items[0], &flow, &error);
    if (ok && !linked) {
        weir_value *nested = weir_dataflow_file_unlink(flow);
        weir_value_unref(flow);
        flow = nested;
    }
    ok = ok && weir__value_fits(flow, &error);
    if (ok) {
        *out = flow;
        return true;
    }
    weir_value_unref(flow);
    weir_error_place(&error, weir_str_from(document->file), 0, 0);
    weir_problems_add(problems, &error);
    return false;
}

bool weir_dataflow_export(weir_engine *engine, const weir_value *request, bool linked,
                          void (*problem)(void *arg, const weir_error *error), void *arg,
                          weir_value **out, weir_error *error) {
    (void)engine; /* what an operation is does not matter here */
    weir_document document = {0};
    weir_problems problems = {0};
    const weir__kind *kind = weir__load_file(request, true, &document, &problems);
    bool ok = kind != NULL && !problems.total;
    if (ok && strcmp(kind->name, "dataflow") != 0) {
        weir_error other;
        ok = weir_fail(&other, WEIR_INVALID, "a %s is no dataflow", kind->name);
        weir_error_place(&other, weir_str_from(document.file), 0, 0);
        weir_problems_add(&problems, &other);
    }
    ok = ok && export_root(&document, linked, out, &problems);
    if (!ok) say_problems(&problems, problem, arg, error);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    return ok;
}

bool weir_dataflow_merge(weir_engine *engine, const char *const *files, bool linked,
                         weir_value **out, weir_error *error) {
    if (!files || !*files) return weir_fail(error, WEIR_USAGE, "there is no file to merge");
    weir_value *request = weir_object_new(), *overlays = weir_array_new();
    weir_member_put_text(request, "file", weir_str_from(*files));
    weir_member_put_text(request, "kind", WEIR_STR("dataflow"));
    while (*++files) weir_array_append(overlays, weir_string_from(weir_str_from(*files)));
    weir_member_put(request, "overlays", overlays);
    bool ok = weir_dataflow_export(engine, request, linked, NULL, NULL, out, error);
    weir_value_unref(request);
    return ok;
}
