/* Any text as a pipeline: it has problems, or forms of it that mean the same: the dataflow and the plan are made, and in plain style it is
 * the same dataflow; a workflow of it has problems or is one. */
#include "../../operations/operations.h"
#include "data/yaml_format.h"
#include "pipeline/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_problems(const weir_problems *problems) {
    for (size_t i = 0; i < problems->count; i++)
        weir_assert(problems->items[i].code && problems->items[i].message[0]);
}

static weir_value *convert(const weir_document *document, const weir_value *request,
                           const weir_registry *registry, const char *form) {
    weir_problems problems = {0};
    weir_value *made =
        weir_pipeline_convert(document, request, registry, weir_str_from(form), &problems);
    weir_assert(made || problems.total);
    check_problems(&problems);
    weir_problems_deinit(&problems);
    return made;
}

/* Numbers that are none are written as null. */
static bool is_equal(const weir_value *a, const weir_value *b) {
    weir_buffer texts[2] = {0};
    weir_yaml_format(a, &texts[0]);
    weir_yaml_format(b, &texts[1]);
    bool equal = weir_str_equal(weir_buffer_str(&texts[0]), weir_buffer_str(&texts[1]));
    weir_buffer_deinit(&texts[0]);
    weir_buffer_deinit(&texts[1]);
    return equal;
}

/* The plain style, written and read again, is the same dataflow. */
static void check_plain(const weir_value *plain, const weir_value *flow, const weir_value *request,
                        const weir_registry *registry) {
    weir_document document = {0};
    weir_buffer text = {0};
    weir_yaml_format(plain, &text);
    weir_assert(
        weir_document_parse(&document, "plain.yaml", weir_buffer_str(&text), WEIR_YAML_CORE, NULL));
    weir_value *again = convert(&document, request, registry, "dataflow");
    weir_assert(again && is_equal(again, flow));
    weir_value_unref(again);
    weir_document_deinit(&document);
    weir_buffer_deinit(&text);
}

static void check_forms(const weir_document *document, const weir_value *request,
                        const weir_registry *registry) {
    weir_value *flow = convert(document, request, registry, "dataflow");
    if (!flow) return;
    weir_value *plain = convert(document, request, registry, "plain");
    weir_value *workflow = convert(document, request, registry, "workflow");
    weir_assert(plain);
    if (!weir_member_named(request, "pipeline")) check_plain(plain, flow, request, registry);
    weir_value_unref(plain);
    weir_value_unref(workflow);
    weir_value_unref(flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static weir_registry registry;
    static const weir_host host = {.abi = WEIR_ABI, .size = sizeof(weir_host)};
    if (!registry.operations.count) {
        weir_assert(weir_registry_add(&registry, weir_math_plugin(&host), NULL));
        weir_assert(weir_registry_add(&registry, weir_process_plugin(&host), NULL));
        weir_assert(weir_registry_add(&registry, weir_output_plugin(&host), NULL));
    }
    weir_document document = {0};
    weir_problems problems = {0};
    if (!weir_document_parse(&document, "f.yaml", (weir_str){(const char *)data, size},
                             WEIR_YAML_CORE, NULL))
        return 0;
    weir_value *request = weir_object_new();
    weir_member_put(request, "check", weir_bool_new(true));
    weir_plan *plan = weir_pipeline_compile(&document, request, &registry, &problems);
    weir_assert(plan || problems.total);
    if (plan) weir_plan_unref(plan);
    check_problems(&problems);
    check_forms(&document, request, &registry);
    weir_value_unref(request);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    return 0;
}
