/* Any JSON or YAML as a dataflow: its forms give each other, its flow stays what it is, merging it with nothing changes
 * nothing; what it compiles to is proved; and whatever weir writes as YAML is read back. */
#include "../../operations/operations.h"
#include "data/document.h"
#include "data/json.h"
#include "data/yaml_format.h"
#include "dataflow/file.h"
#include "dataflow/prove.h"
#include "executor/inline.h"
#include "task/forecast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_problem(void *arg, const char *path, const weir_error *error) {
    weir_assert(path && error->code && error->message[0]);
    ++*(size_t *)arg;
}

/* Takes both over. */
static void check_equal(weir_value *a, weir_value *b) {
    weir_assert(weir_value_equal(a, b));
    weir_value_unref(a);
    weir_value_unref(b);
}

/* What is no number equals nothing, not even itself. */
static bool is_equal_to_itself(const weir_value *value) {
    if (weir_is(value, WEIR_FLOAT)) return weir_number_get(value) == weir_number_get(value);
    bool object = weir_is(value, WEIR_OBJECT), array = weir_is(value, WEIR_ARRAY);
    for (size_t i = 0; (object || array) && i < weir_value_count(value); i++)
        if (!is_equal_to_itself(object ? weir_object_at(value, i) : weir_array_at(value, i)))
            return false;
    return true;
}

static void check_written(const weir_value *value) {
    weir_buffer text = {0};
    weir_values again = {0};
    weir_yaml_format(value, &text);
    weir_assert(weir_yaml_parse(weir_buffer_str(&text), WEIR_STR(""), WEIR_YAML_1_1, &again, NULL));
    weir_assert(again.count == 1 && weir_value_equal(again.items[0], value));
    weir_values_deinit(&again);
    weir_buffer_deinit(&text);
}

static void check_forms(const weir_value *flow) {
    weir_error error;
    weir_value *whole, *merged;
    weir_value *linked = weir_dataflow_file_link(flow);
    weir_value *unlinked = weir_dataflow_file_unlink(flow);
    check_equal(weir_dataflow_file_link(linked), weir_value_ref(linked));
    size_t problems = 0;
    weir_dataflow_file_check(flow, true, count_problem, &problems);
    if (!problems) check_equal(weir_dataflow_file_link(unlinked), weir_value_ref(linked));
    if (weir_dataflow_file_whole(flow, &whole, &error)) {
        weir_value *again = NULL;
        weir_assert(weir_dataflow_file_whole(whole, &again, &error));
        check_equal(again, whole);
    }
    weir_buffer where = {0};
    weir_value *nothing = weir_object_new();
    if (weir_dataflow_file_merge(linked, nothing, &merged, &where, &error))
        check_equal(merged, weir_value_ref(linked));
    if (weir_dataflow_file_merge(linked, unlinked, &merged, &where, &error))
        weir_value_unref(merged);
    weir_buffer_deinit(&where);
    weir_value_unref(nothing);
    weir_value_unref(linked);
    weir_value_unref(unlinked);
}

static const weir_registry *standard(void) {
    static weir_registry registry;
    static weir_plugin_open_function *const plugins[] = {
        weir_dataflow_plugin, weir_output_plugin,     weir_ancestry_plugin,
        weir_math_plugin,     weir_calculator_plugin, weir_process_plugin};
    bool filled = registry.operations.count > 0;
    for (size_t i = 0; !filled && i < sizeof plugins / sizeof *plugins; i++)
        weir_assert(weir_registry_add(&registry, plugins[i](weir_host_get()), NULL));
    return &registry;
}

static int64_t number_of(const weir_value *summary, const char *key) {
    const weir_value *number = weir_member_named(summary, key);
    return number ? weir_int_get(number) : 0;
}

static void check_finding(void *arg, const weir_error *error, const weir_value *detail) {
    (void)arg;
    (void)detail;
    weir_assert(error->message[0]);
}

static void check_forecast(const weir_plan *plan, const weir_value *request) {
    weir_forecast forecast = {.steps_max = 10000};
    plan->forecast(plan, request, &forecast);
    (void)weir_forecast_simulate(&forecast, &(weir_forecast_limits){.slots = 2}, true);
    weir_forecast_deinit(&forecast);
}

/* Each operation runs, may not, or never does; with and without inputs. */
static void check_proof(const weir_document *document) {
    static const char *const requests[] = {"{}", "{\"contexts\": {\"a\": [], \"b\": []}}"};
    for (size_t r = 0; r < 2; r++) {
        weir_problems problems = {0};
        weir_value *request;
        weir_assert(weir_json_parse(weir_str_from(requests[r]), WEIR_STR(""), &request, NULL));
        weir_plan *plan = weir_dataflow_compile(document, request, standard(), &problems);
        weir_proof proof = {
            .document = document, .found = check_finding, .summary = weir_object_new()};
        if (plan) weir_dataflow_prove(plan, request, &proof);
        if (plan) check_forecast(plan, request);
        weir_assert(number_of(proof.summary, "operations") ==
                    number_of(proof.summary, "run") + number_of(proof.summary, "may_not_run") +
                        number_of(proof.summary, "never_run"));
        if (plan) weir_plan_unref(plan);
        weir_value_unref(proof.summary);
        weir_value_unref(request);
        weir_problems_deinit(&problems);
    }
}

/* With any of its names as a goal it is compiled too, or it is said why not. */
static void check_goals(const weir_document *document) {
    enum { GOALS_MAX = 6 };
    static const char *const groups[] = {"operations", "definitions"};
    const weir_value *flow = document->roots.items[0];
    for (size_t g = 0; g < 2; g++) {
        const weir_value *group = weir_member_named(flow, groups[g]);
        size_t count = weir_is(group, WEIR_OBJECT) ? weir_value_count(group) : 0;
        for (size_t i = 0; i < count && i < GOALS_MAX; i++) {
            weir_problems problems = {0};
            weir_value *request = weir_object_new(), *goals = weir_array_new();
            weir_array_append(goals, weir_string_from(weir_object_key(group, i)));
            weir_member_put(request, "goals", goals);
            weir_plan *plan = weir_dataflow_compile(document, request, standard(), &problems);
            weir_assert(!plan == (problems.total > 0));
            if (plan) weir_plan_unref(plan);
            weir_value_unref(request);
            weir_problems_deinit(&problems);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_document document;
    weir_error error;
    if (!weir_document_parse(&document, "f", (weir_str){(const char *)data, size}, WEIR_YAML_CORE,
                             &error))
        return 0;
    for (size_t i = 0; i < document.roots.count; i++) {
        if (!is_equal_to_itself(document.roots.items[i])) continue;
        check_written(document.roots.items[i]);
        check_forms(document.roots.items[i]);
    }
    if (document.roots.count) {
        check_proof(&document);
        check_goals(&document);
    }
    weir_document_deinit(&document);
    return 0;
}
