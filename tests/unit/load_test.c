/* What workflows refer to: which document runs, templates of other files and inline ones, defaults, config maps; and where
 * what is wrong with it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/json.h"
#include "workflow/load.h"

#define ARGO "apiVersion: argoproj.io/v1alpha1\n"
#define LIBRARY                                                                                    \
    ARGO "kind: WorkflowTemplate\n"                                                                \
         "metadata: {name: lib}\n"                                                                 \
         "spec:\n"                                                                                 \
         "  entrypoint: whole\n"                                                                   \
         "  arguments: {parameters: [{name: who, value: x}, {name: other, value: o}]}\n"           \
         "  templates:\n"                                                                          \
         "  - {name: whole, steps: [[{name: s, template: say}]]}\n"                                \
         "  - {name: say, container: {image: a, command: [echo]}}\n"                               \
         "  - name: two\n"                                                                         \
         "    dag:\n"                                                                              \
         "      tasks:\n"                                                                          \
         "      - {name: a, template: say, onExit: say}\n"                                         \
         "      - {name: b, inline: {suspend: {}}, hooks: {running: {template: say}}}\n"           \
         "---\n" ARGO "kind: ClusterWorkflowTemplate\n"                                            \
         "metadata: {name: clib}\n"                                                                \
         "spec:\n"                                                                                 \
         "  templates:\n"                                                                          \
         "  - {name: c, steps: [[{name: s, templateRef: {name: lib, template: say}}]]}\n"          \
         "---\n"                                                                                   \
         "kind: ConfigMap\n"                                                                       \
         "metadata: {name: settings}\n"                                                            \
         "data: {color: red, size: '7'}\n"                                                         \
         "---\n"                                                                                   \
         "kind: Secret\n"                                                                          \
         "metadata: {name: keys}\n"                                                                \
         "data: {token: aGVsbG8gd29ybGQ=}\n"                                                       \
         "stringData: {plain: words}\n"

/* The document of the text, completed with the library; its text is made. */
static bool load(const char *text, const char *library, const char *request,
                 weir_document *document, weir_problems *problems) {
    weir_document more = {0};
    weir_error error;
    weir_value *asked = NULL;
    if (!weir_document_parse(document, "w.yaml", weir_str_from(text), WEIR_YAML_1_1, &error) ||
        (library &&
         !weir_document_parse(&more, "lib.yaml", weir_str_from(library), WEIR_YAML_1_1, &error)) ||
        !weir_json_parse(weir_str_from(request ? request : "{}"), WEIR_STR(""), &asked, &error))
        fail_msg("%s", error.message);
    bool ok = weir_workflow_load(document, &more, library ? 1 : 0, asked, true, problems);
    weir_value_unref(asked);
    weir_document_deinit(&more);
    return ok;
}

static const weir_value *at(const weir_value *value, const char *path) {
    weir_buffer key = {0};
    for (weir_str rest = weir_str_from(path); value && rest.length;) {
        weir_path_take(&rest, &key);
        value = weir_is(value, WEIR_ARRAY)
                    ? weir_array_at(value, strtoul(weir_buffer_str(&key).data, NULL, 10))
                    : weir_member_named(value, weir_buffer_str(&key).data);
    }
    weir_buffer_deinit(&key);
    return value;
}

/* What is at the path of the complete workflow, as JSON without quotes; "" when nothing is. */
static void expect(const char *text, const char *library, const char *request, const char *path,
                   const char *wanted) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_buffer json = {0};
    bool ok = load(text, library, request, &document, &problems);
    if (!ok) fail_msg("%s", problems.count ? problems.items[0].message : "no problem is told");
    const weir_value *found = at(document.roots.items[0], path);
    if (found) weir_json_format(found, 0, &json);
    for (size_t i = 0; i < json.length; i++)
        if (json.data[i] == '"') json.data[i] = '\'';
    assert_string_equal(weir_buffer_str(&json).data, wanted);
    weir_problems_deinit(&problems);
    weir_buffer_deinit(&json);
    weir_document_deinit(&document);
}

/* "FILE:LINE:COLUMN MESSAGE [HINT]", a line each. */
static void expect_problems(const char *text, const char *library, const char *wanted) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_buffer got = {0};
    (void)load(text, library, NULL, &document, &problems);
    for (size_t i = 0; i < problems.count; i++)
        weir_buffer_printf(&got, "%s:%u:%u %s [%s]\n", problems.items[i].file,
                           problems.items[i].line, problems.items[i].column,
                           problems.items[i].message, problems.items[i].hint);
    assert_string_equal(weir_buffer_str(&got).data, wanted);
    weir_buffer_deinit(&got);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
}

#define STEPS(body)                                                                                \
    ARGO "kind: Workflow\n"                                                                        \
         "metadata: {name: w}\n"                                                                   \
         "spec:\n"                                                                                 \
         "  entrypoint: main\n"                                                                    \
         "  templates:\n"                                                                          \
         "  - name: main\n"                                                                        \
         "    steps:\n" body

static void references_bring_their_templates(void **state) {
    (void)state;
    static const struct {
        const char *text, *path, *wanted;
    } cases[] = {
        {STEPS("    - - {name: a, templateRef: {name: lib, template: say}}\n"),
         "spec/templates/0/steps/0/0/template", "'namespaced/lib/say'"},
        {STEPS("    - - {name: a, templateRef: {name: lib, template: say}}\n"), "spec/templates/1",
         "{'name':'namespaced/lib/say','container':{'image':'a','command':['echo']},'weir':{"
         "'scope':'namespaced/lib','name':'say'}}"},
        /* Names are relative to their own WorkflowTemplate; each comes once. */
        {STEPS("    - - {name: a, templateRef: {name: lib, template: two}}\n"
               "      - {name: b, templateRef: {name: lib, template: two}}\n"),
         "spec/templates/1/dag/tasks",
         "[{'name':'a','template':'namespaced/lib/say','onExit':'namespaced/lib/say'},{'name':'b',"
         "'hooks':{'running':{'template':'namespaced/lib/say'}},'template':'namespaced/lib/two/b/"
         "inline'}]"},
        {STEPS("    - - {name: a, templateRef: {name: clib, template: c, clusterScope: true}}\n"),
         "spec/templates/2/weir", "{'scope':'namespaced/lib','name':'say'}"},
        {STEPS("    - - name: a\n"
               "        inline: {steps: [[{name: i, inline: {suspend: {}}}]]}\n"),
         "spec/templates/2",
         "{'suspend':{},'name':'main/a/inline/i/inline','weir':{'inline':true}}"},
        {STEPS("    - - {name: a, templateRef: {name: lib, template: '{{item}}'}}\n"),
         "spec/templates/3/name", "'namespaced/lib/two'"},
        {STEPS("    - - {name: a, template: main, hooks: {exit: {templateRef: {name: lib, "
               "template: say}}}}\n"),
         "spec/templates/0/steps/0/0/hooks/exit/template", "'namespaced/lib/say'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].text, LIBRARY, NULL, cases[i].path, cases[i].wanted);
}

static void one_document_runs(void **state) {
    (void)state;
    static const char cron[] = ARGO "kind: CronWorkflow\n"
                                    "metadata: {name: daily}\n"
                                    "spec:\n"
                                    "  schedules: [x]\n"
                                    "  workflowMetadata: {labels: {a: b, c: '{{d}}'}}\n"
                                    "  workflowSpec: {entrypoint: e, templates: []}\n";
    expect(cron, NULL, NULL, "metadata",
           "{'generateName':'daily-','labels':{'workflows.argoproj.io/cron-workflow':'daily','a':"
           "'b'}}");
    expect(cron, NULL, NULL, "spec", "{'entrypoint':'e','templates':[]}");
    expect(LIBRARY, NULL, NULL, "weir/scope", "'local/'");
    expect(LIBRARY, NULL, NULL, "metadata/generateName", "'lib-'");
    expect(LIBRARY, NULL, NULL, "spec/templates/0/steps/0/0", "{'name':'s','template':'say'}");
    expect(STEPS("      []\n") "---\n" LIBRARY, NULL, NULL, "metadata/name", "'w'");
    /* Nothing is to be done: it stays as it was read. */
    expect(STEPS("    - - {name: a, template: main}\n"), LIBRARY, NULL, "weir", "");
}

static void a_workflow_is_laid_over_its_template(void **state) {
    (void)state;
    static const char text[] =
        ARGO "kind: Workflow\n"
             "metadata: {name: w}\n"
             "spec:\n"
             "  arguments: {parameters: [{name: new, value: 1}, {name: who, value: me}]}\n"
             "  workflowTemplateRef: {name: lib}\n";
    expect(text, LIBRARY, NULL, "spec/arguments/parameters",
           "[{'name':'who','value':'me'},{'name':'other','value':'o'},{'name':'new','value':1}]");
    expect(text, LIBRARY, NULL, "spec/entrypoint", "'whole'");
    expect(text, LIBRARY, NULL, "spec/workflowTemplateRef", "");
    expect(text, LIBRARY, NULL, "weir/spec/workflowTemplateRef", "{'name':'lib'}");
    expect(text, LIBRARY, NULL, "metadata/labels",
           "{'workflows.argoproj.io/workflow-template':'lib'}");
}

static void defaults_are_in_each_template(void **state) {
    (void)state;
    static const char text[] =
        ARGO "kind: Workflow\n"
             "metadata: {name: w}\n"
             "spec:\n"
             "  entrypoint: main\n"
             "  retryStrategy: {limit: 2}\n"
             "  templateDefaults:\n"
             "    timeout: 30s\n"
             "    container: {env: [{name: A, value: '1'}, {name: B, value: '2'}]}\n"
             "  synchronization: {mutex: {name: m}}\n"
             "  templates:\n"
             "  - {name: main, container: {image: i, env: [{name: B, value: '3'}]}}\n"
             "  - {name: other, suspend: {}, retryStrategy: {limit: 1}, timeout: 1s}\n"
             "  - {name: s, synchronization: {semaphore: {x: q}, semaphores: [{z: 1}]}, suspend: "
             "{}}\n";
    expect(text, NULL, NULL, "spec/templates/0",
           "{'timeout':'30s','container':{'env':[{'name':'A','value':'1'},{'name':'B','value':'3'}]"
           ",'image':'i'},'name':'main','retryStrategy':{'limit':2}}");
    expect(text, NULL, NULL, "spec/templates/1",
           "{'timeout':'1s','name':'other','suspend':{},'retryStrategy':{'limit':1}}");
    expect(text, NULL, NULL, "spec/templates/2/synchronization",
           "{'semaphores':[{'x':'q'},{'z':1}]}");
    expect(text, NULL, NULL, "spec/synchronization", "{'mutexes':[{'name':'m'}]}");
}

#define FROM(name, key, more)                                                                      \
    ARGO                                                                                           \
        "kind: Workflow\n"                                                                         \
        "metadata: {name: w}\n"                                                                    \
        "spec:\n"                                                                                  \
        "  entrypoint: main\n"                                                                     \
        "  arguments:\n"                                                                           \
        "    parameters:\n"                                                                        \
        "    - {name: p, valueFrom: {configMapKeyRef: {name: " name ", key: " key more "}\n"       \
        "  templates:\n"                                                                           \
        "  - name: main\n"                                                                         \
        "    inputs: {parameters: [{name: q, valueFrom: {configMapKeyRef: {name: settings, key: "  \
        "color}}}]}\n"                                                                             \
        "    container: {env: [{name: T, valueFrom: {secretKeyRef: {name: keys, key: token}}}]}\n"

static void config_maps_give_texts(void **state) {
    (void)state;
    static const char there[] = FROM("settings", "size", "}}");
    expect(there, LIBRARY, NULL, "spec/arguments/parameters/0/value", "'7'");
    expect(there, LIBRARY, NULL, "spec/templates/0/inputs/parameters/0/value", "'red'");
    expect(there, LIBRARY, NULL, "weir/configMaps/settings", "{'color':'red','size':'7'}");
    expect(there, LIBRARY, NULL, "weir/secrets", "{'keys':{'file':'lib.yaml'}}");
    expect(FROM("settings", "no", "}, default: d}"), LIBRARY, NULL,
           "spec/arguments/parameters/0/value", "'d'");
    expect(FROM("gone", "no", ", optional: yes}}"), LIBRARY, NULL,
           "spec/arguments/parameters/0/value", "''");
    expect(FROM("gone", "no", "}}"), LIBRARY, "{\"parameters\": {\"p\": \"given\"}}",
           "spec/arguments/parameters/0/value", "");
}

#define NAMED(name, key)                                                                           \
    ARGO "kind: Workflow\n"                                                                        \
         "metadata: {name: w}\n"                                                                   \
         "spec:\n"                                                                                 \
         "  entrypoint: main\n"                                                                    \
         "  arguments: {parameters: [{name: map, value: settings}, {name: key, default: size}]}\n" \
         "  templates:\n"                                                                          \
         "  - name: main\n"                                                                        \
         "    dag:\n"                                                                              \
         "      tasks:\n"                                                                          \
         "      - name: a\n"                                                                       \
         "        template: t\n"                                                                   \
         "        arguments: {parameters: [{name: p, valueFrom: {configMapKeyRef: {name: " name     \
         ", key: " key "}}}]}\n"                                                                   \
         "  - {name: t, inputs: {parameters: [{name: p}]}, container: {image: x}}\n"

static void names_of_config_maps_may_be_parameters(void **state) {
    (void)state;
    const char *value = "spec/templates/0/dag/tasks/0/arguments/parameters/0/value";
    expect(NAMED("settings", "color"), LIBRARY, NULL, value, "'red'");
    static const char named[] =
        NAMED("'{{workflow.parameters.map}}'", "'{{ workflow.parameters.key }}'");
    expect(named, LIBRARY, NULL, value, "'7'");
    expect(named, LIBRARY, "{\"parameters\": {\"key\": \"color\"}}", value, "'red'");
    expect_problems(NAMED("'{{workflow.parameters.no}}'", "size"), LIBRARY,
                    "w.yaml:13:56 `{{workflow.parameters.no}}` names no ConfigMap, nor a key of one: "
                    "here a text may be a tag of one of the workflow's parameters, as a whole []\n");
    expect_problems(NAMED("settings", "'s{{workflow.parameters.key}}'"), LIBRARY,
                    "w.yaml:13:56 `s{{workflow.parameters.key}}` names no ConfigMap, nor a key of "
                    "one: here a text may be a tag of one of the workflow's parameters, as a whole "
                    "[]\n");
}

static void what_is_missing_is_told_where_it_is_named(void **state) {
    (void)state;
    expect_problems(
        STEPS("    - - {name: a, templateRef: {name: lob, template: say}}\n"
              "      - {name: b, templateRef: {name: lib, template: sai}}\n"
              "      - {name: c, templateRef: {name: lib}}\n"),
        LIBRARY,
        "w.yaml:9:33 templates.main.steps[0].a workflow template lob not found [did you "
        "mean `lib`?]\n"
        "w.yaml:10:44 templates.main.steps[0].b template sai not found in workflow "
        "template lib [did you mean `say`?]\n"
        "w.yaml:11:19 templates.main.steps[0].c template reference needs name and "
        "template []\n");
    expect_problems(
        STEPS("    - - {name: a, templateRef: {name: l, template: m}}\n"),
        ARGO "kind: WorkflowTemplate\n"
             "metadata: {name: l}\n"
             "spec:\n"
             "  templates:\n"
             "  - name: m\n"
             "    dag:\n"
             "      tasks:\n"
             "      - {name: t, template: nn}\n",
        "lib.yaml:9:19 templates.namespaced/l/m.tasks.t template name 'nn' undefined in "
        "workflow template l []\n");
    expect_problems(FROM("setting", "size", "}}"), LIBRARY,
                    "w.yaml:8:29 ConfigMap 'setting' does not exist [did you mean `settings`?]\n");
    expect_problems(FROM("settings", "sise", "}}"), LIBRARY,
                    "w.yaml:8:29 ConfigMap 'settings' does not have the key 'sise' [did you mean "
                    "`size`?]\n");
    expect_problems("kind: ConfigMap\napiVersion: v1\n", NULL,
                    "w.yaml:1:1 a `ConfigMap` cannot be run []\n");
    expect_problems(
        ARGO "kind: Workflow\nspec: {templates: [{}], workflowTemplateRef: {name: x}}\n", NULL,
        "w.yaml:3:8 Templates is invalid field in spec if workflow referred "
        "WorkflowTemplate reference []\n"
        "w.yaml:3:47 workflow template x not found [--library FILE gives weir a file with it, "
        "`weir template create FILE` keeps it]\n");
    expect_problems(
        STEPS("      []\n"), LIBRARY "---\nkind: ConfigMap\nmetadata: {name: settings}\n",
        "lib.yaml:33:12 there is a second ConfigMap of the name 'settings': the other is "
        "in lib.yaml []\n");
}

static void what_is_wrong_later_has_its_own_place(void **state) {
    (void)state;
    static const struct {
        const char *path, *wanted;
    } cases[] = {
        {"spec/arguments/parameters/0/value", "w.yaml:5:63"},
        {"spec/arguments/parameters/1/name", "lib.yaml:6:52"},
        {"spec/arguments/parameters/2/value", "w.yaml:5:40"},
        {"spec/templates/0/steps/0/0/name", "lib.yaml:8:29"},
        {"metadata/name", "w.yaml:3:12"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_document document = {0};
        weir_problems problems = {0};
        char got[300];
        assert_true(load(ARGO
                         "kind: Workflow\n"
                         "metadata: {name: w}\n"
                         "spec:\n"
                         "  arguments: {parameters: [{name: new, value: 1}, {name: who, value: "
                         "me}]}\n"
                         "  workflowTemplateRef: {name: lib}\n",
                         LIBRARY, NULL, &document, &problems));
        weir_document_problem(&document, 0, cases[i].path, WEIR_INVALID, &problems, "x");
        snprintf(got, sizeof got, "%s:%u:%u", problems.items[0].file, problems.items[0].line,
                 problems.items[0].column);
        assert_string_equal(got, cases[i].wanted);
        weir_problems_deinit(&problems);
        weir_document_deinit(&document);
    }
}

static void secrets_are_decoded(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted; /* NULL: refused */
    } cases[] = {{"data: {a: aGVsbG8gd29ybGQ=}", "hello world"},
                 {"data: {a: aGk=}", "hi"},
                 {"data: {a: aGVs\n  bG8=}", "hello"},
                 {"stringData: {a: plain}", "plain"},
                 {"data: {a: 'a?=='}", NULL},
                 {"data: {a: abcde}", NULL},
                 {"data: {a: a===}", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_document document = {0};
        weir_error error;
        weir_value *keys = NULL;
        assert_true(weir_document_parse(&document, "s", weir_str_from(cases[i].text), WEIR_YAML_1_1,
                                        &error));
        bool ok = weir_workflow_secret(document.roots.items[0], &keys, &error);
        assert_int_equal(ok, cases[i].wanted != NULL);
        if (ok) assert_string_equal(weir_member_text(keys, "a").data, cases[i].wanted);
        weir_value_unref(keys);
        weir_document_deinit(&document);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_bring_their_templates),
        cmocka_unit_test(one_document_runs),
        cmocka_unit_test(a_workflow_is_laid_over_its_template),
        cmocka_unit_test(defaults_are_in_each_template),
        cmocka_unit_test(config_maps_give_texts),
        cmocka_unit_test(names_of_config_maps_may_be_parameters),
        cmocka_unit_test(what_is_missing_is_told_where_it_is_named),
        cmocka_unit_test(what_is_wrong_later_has_its_own_place),
        cmocka_unit_test(secrets_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
