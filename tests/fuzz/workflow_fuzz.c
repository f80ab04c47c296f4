/* Any text as a file of Argo's, which is its own library, too: it becomes a complete workflow or has problems; what a journal would
 * keep is read back; what the compiler makes of it, and what is proved of that, does not matter, as long as it comes to an end. */
#include "data/json.h"
#include "data/yaml_places.h"
#include "task/forecast.h"
#include "workflow/load.h"
#include "workflow/plan.h"
#include "workflow/prove.h"

static void check_forecast(const weir_plan *plan, const weir_value *request) {
    weir_forecast forecast = {.steps_max = 10000};
    plan->forecast(plan, request, &forecast);
    (void)weir_forecast_simulate(&forecast, &(weir_forecast_limits){.slots = 2}, true);
    weir_forecast_deinit(&forecast);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parse(weir_str text, weir_document *document) {
    weir_error error;
    *document = (weir_document){0};
    return weir_document_parse(document, "f.yaml", text, WEIR_YAML_1_1, &error);
}

/* Both ways to a place lead to the same. */
static void check_places(weir_str text, const weir_document *document) {
    weir_yaml_places *places = weir_yaml_places_new(text);
    for (size_t i = 0; i < document->roots.count && i < 4; i++) {
        const weir_value *root = document->roots.items[i];
        for (size_t k = 0; weir_is(root, WEIR_OBJECT) && k < weir_value_count(root) && k < 4; k++) {
            weir_buffer path = {0};
            uint32_t line = 0, column = 0, again = 0, behind = 0;
            weir_path_append(&path, weir_object_key(root, k));
            bool found = weir_yaml_locate(text, i, weir_buffer_str(&path), &line, &column);
            if (found && weir_yaml_places_find(places, i, weir_buffer_str(&path), &again, &behind))
                weir_assert(line == again && column == behind);
            weir_buffer_deinit(&path);
        }
    }
    weir_yaml_places_free(places);
}

/* Numbers that are none are written as null. */
static void check_kept(const weir_document *document) {
    weir_value *again;
    weir_error error;
    weir_assert(weir_json_parse(weir_buffer_str(&document->text), WEIR_STR(""), &again, &error));
    weir_assert(weir_workflow_is_complete(again));
    weir_value_unref(again);
}

static void check_finding(void *arg, const weir_error *error, const weir_value *detail) {
    (void)arg;
    weir_assert(error->message[0] && detail);
}

static void check_proof(const weir_document *document, const weir_plan *plan,
                        const weir_value *request) {
    weir_proof proof = {.document = document, .found = check_finding, .summary = weir_object_new()};
    weir_workflow_prove(plan, request, &proof);
    weir_value_unref(proof.summary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str text = {(const char *)data, size};
    weir_document document, library;
    weir_problems problems = {0};
    weir_registry registry = {0};
    if (!parse(text, &document)) return 0;
    check_places(text, &document);
    bool more = parse(text, &library);
    weir_value *request = weir_object_new();
    bool ok = weir_workflow_load(&document, &library, more ? 1 : 0, request, true, &problems);
    if (ok && document.parts.count && weir_workflow_is_complete(document.roots.items[0]))
        check_kept(&document);
    weir_plan *plan = ok ? weir_workflow_compile(&document, request, &registry, &problems) : NULL;
    if (plan) check_proof(&document, plan, request);
    if (plan) check_forecast(plan, request);
    if (plan) weir_plan_unref(plan);
    weir_assert(ok || problems.total);
    for (size_t i = 0; i < problems.count; i++)
        weir_assert(problems.items[i].code && problems.items[i].message[0]);
    weir_value_unref(request);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_document_deinit(&library);
    return 0;
}
