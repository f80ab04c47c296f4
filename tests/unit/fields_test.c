/* The table of fields: what is wrong with a file's fields, what becomes a text, and that docs/compatibility.md is written from it
 * (WEIR_UPDATE=1 writes it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/json.h"
#include "workflow/fields.h"

static void load(const char *text, weir_document *document) {
    weir_error error;
    if (!weir_document_parse(document, "w", weir_str_from(text), WEIR_YAML_1_1, &error))
        fail_msg("%s", error.message);
}

/* "LINE:COLUMN MESSAGE [HINT]" of each problem, then of each warning behind a '~'. */
static void expect(const char *text, bool strict, const char *wanted) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_buffer got = {0};
    load(text, &document);
    weir_value_unref(weir__fields_check(&document, 0, strict, &problems));
    for (size_t i = 0; i < problems.count; i++)
        weir_buffer_printf(&got, "%u:%u %s [%.20s]\n", problems.items[i].line,
                           problems.items[i].column, problems.items[i].message,
                           problems.items[i].hint);
    for (size_t i = 0; i < problems.warnings.count; i++)
        weir_buffer_printf(&got, "~%u:%u %s [%.20s]\n", problems.warnings.items[i].line,
                           problems.warnings.items[i].column, problems.warnings.items[i].message,
                           problems.warnings.items[i].hint);
    assert_string_equal(weir_buffer_str(&got).data, wanted);
    weir_buffer_deinit(&got);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
}

#define SPEC "kind: Workflow\nspec:\n"

static void what_is_wrong_is_told(void **state) {
    (void)state;
    expect(SPEC "  entripoint: x\n  nothing_like_it: 1\n", false,
           "~3:3 unknown field `entripoint` of the workflow's spec [did you mean `entryp]\n"
           "~4:3 unknown field `nothing_like_it` of the workflow's spec []\n");
    expect(SPEC "  templates: [{weir: {scope: x}}]\n", false,
           "3:16 a file cannot have the field `weir` of a template []\n");
    expect(SPEC "  entripoint: x\n", true,
           "3:3 unknown field `entripoint` of the workflow's spec [did you mean `entryp]\n");
    expect(SPEC "  parallelism: many\n  suspend: 'true'\n  templates: {}\n  arguments: []\n"
                "  nodeSelector: [a]\n  volumes: {}\n  affinity: 1\n  entrypoint: {}\n",
           false,
           "3:3 `parallelism` must be of type integer, and is of type string []\n"
           "4:3 `suspend` must be of type boolean, and is of type string []\n"
           "5:3 `templates` must be of type array, and is of type object []\n"
           "6:3 `arguments` must be of type object, and is of type array []\n"
           "7:3 `nodeSelector` must be of type object, and is of type array []\n"
           "8:3 `volumes` must be of type array, and is of type object []\n"
           "9:3 `affinity` must be of type object, and is of type integer []\n"
           "10:3 must be a text, and is of type object []\n");
    expect(
        SPEC "  templates:\n  - activeDeadlineSeconds: 1.5\n    retryStrategy: {limit: '{{x}}'}\n"
             "    container: {args: [1, [2]]}\n",
        false,
        "4:5 `activeDeadlineSeconds` must be of type integer or string, and is of type number []\n"
        "6:27 must be a text, and is of type array []\n");
}

static void choices_and_names_are_known(void **state) {
    (void)state;
    expect(SPEC "  podGC: {strategy: OnPodComplete}\n  shutdown: '{{x}}'\n  volumeClaimGC: "
                "{strategy: ''}\n",
           false,
           "3:11 unknown strategy 'OnPodComplete': it is one of "
           "OnPodCompletion|OnPodSuccess|OnWorkflowCompletion|OnWorkflowSuccess [did you mean "
           "`OnPodC]\n");
    expect(
        "kind: Workflow\nmetadata: {name: My_flow, generateName: fine-}\n", false,
        "~2:12 Argo refuses the name 'My_flow': it is to be of lower case letters, digits, '-' and "
        "'.' (RFC 1123) []\n");
    expect("kind: Workflow\nmetadata: {name: a-.b}\n", true,
           "2:12 Argo refuses the name 'a-.b': it is to be of lower case letters, digits, '-' and "
           "'.' (RFC 1123) []\n");
    expect("kind: Workflow\nmetadata: {name: a.b-2, generateName: a-}\n", true, "");
}

static void a_field_of_kubernetes_is_named_once(void **state) {
    (void)state;
    expect(SPEC "  hostAliases: [{ip: 10.0.0.1}]\n  dnsConfig: {}\n  nodeSelector: {a: b}\n"
                "  templates: [{hostAliases: [{ip: 10.0.0.2}]}]\n",
           false,
           "~3:3 `hostAliases` has no effect without Kubernetes: names are looked up as on this "
           "machine []\n");
}

static void texts_are_read_as_argo_reads_them(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"entrypoint: y", "{'entrypoint':'true'}"},
        {"entrypoint: 0755", "{'entrypoint':'493'}"},
        {"entrypoint: 1.50", "{'entrypoint':'1.5'}"},
        {"entrypoint: 3.0", "{'entrypoint':'3'}"},
        {"templates: [{container: {command: [on, 1]}}]",
         "{'templates':[{'container':{'command':['true','1']}}]}"},
        {"nodeSelector: {a: no}", "{'nodeSelector':{'a':'false'}}"},
        {"arguments: {parameters: [{name: off, value: off}]}",
         "{'arguments':{'parameters':[{'name':'false','value':false}]}}"},
        {"entrypoint: ~", "{'entrypoint':null}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_document document = {0};
        weir_problems problems = {0};
        weir_buffer text = {0}, json = {0};
        weir_buffer_printf(&text, SPEC "  %s\n", cases[i].text);
        load(text.data, &document);
        weir_value *root = weir__fields_check(&document, 0, true, &problems);
        assert_int_equal(problems.total, 0);
        weir_json_format(weir_member_named(root, "spec"), 0, &json);
        for (size_t k = 0; k < json.length; k++)
            if (json.data[k] == '"') json.data[k] = '\'';
        assert_string_equal(json.data, cases[i].wanted);
        weir_value_unref(root);
        weir_buffer_deinit(&json);
        weir_buffer_deinit(&text);
        weir_problems_deinit(&problems);
        weir_document_deinit(&document);
    }
    expect(SPEC
           "  templates: [{steps: [[{name: y, when: 1, arguments: {parameters: [{name: a, value: "
           "y}]}}]]}]\n",
           false,
           "3:26 must be a text, and is of type boolean [quote it: without qu]\n"
           "3:35 must be a text, and is of type integer [quote it]\n");
    expect(SPEC "  templates: [{dag: {tasks: [{name: y}]}}]\n", false,
           "~3:31 this name is `true`: without quotes YAML reads y, yes, on, n, no and off as "
           "booleans []\n");
}

#define BEGIN "<!-- fields -->\n"
#define END "\n<!-- end of fields -->\n"

static void the_document_is_written_from_the_table(void **state) {
    (void)state;
    weir_buffer file = {0}, text = {0}, now = {0};
    const char *source = getenv("WEIR_SOURCE");
    if (!source) skip();
    weir_buffer_printf(&file, "%s/docs/compatibility.md", source);
    assert_true(weir_file_read(file.data, WEIR_FILE_BYTES_MAX, &text, NULL));
    weir_str whole = weir_buffer_str(&text);
    size_t begin = weir_str_find(whole, WEIR_STR(BEGIN), 0);
    size_t end = weir_str_find(whole, WEIR_STR(END), 0);
    assert_true(begin != SIZE_MAX && end != SIZE_MAX && begin < end);
    begin += sizeof BEGIN - 1;
    weir_buffer_str_append(&now, weir_str_slice(whole, 0, begin));
    weir_workflow_fields_write(&now);
    weir_buffer_str_append(&now, weir_str_slice(whole, end, whole.length));
    bool same = weir_str_equal(weir_buffer_str(&now), whole);
    if (!same && getenv("WEIR_UPDATE")) {
        FILE *out = fopen(file.data, "w");
        assert_non_null(out);
        assert_int_equal(fwrite(now.data, 1, now.length, out), now.length);
        assert_int_equal(fclose(out), 0);
        same = true;
    }
    if (!same) fail_msg("%s is not current: WEIR_UPDATE=1 writes it", file.data);
    weir_buffer_deinit(&file);
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&now);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(choices_and_names_are_known),
        cmocka_unit_test(a_field_of_kubernetes_is_named_once),
        cmocka_unit_test(texts_are_read_as_argo_reads_them),
        cmocka_unit_test(the_document_is_written_from_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
