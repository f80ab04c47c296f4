/* Artifacts of workflows: what is wrong with them in a file, and what an attempt is told of them. */
#include "workflow_run.h"

#define TEMPLATES HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO

static void references_are_checked(void **state) {
    (void)state;
    expect_problems(
        HEAD "spec:\n"
             "  entrypoint: main\n"
             "  arguments: {artifacts: [{name: a}, {name: a, raw: {data: x}}]}\n"
             "  templates:\n"
             "  - name: make\n"
             "    container: {image: a, args: ['{{outputs.artifacts.f.path}}', "
             "'{{outputs.artifacts.z.path}}']}\n"
             "    outputs: {artifacts: [{name: f, path: /f}]}\n"
             "  - name: take\n"
             "    inputs: {artifacts: [{name: x, path: /x}]}\n"
             "    container: {image: a, args: ['{{inputs.artifacts.x.path}}', "
             "'{{inputs.artifacts.x}}']}\n"
             "  - name: main\n"
             "    inputs: {artifacts: [{name: gone}]}\n"
             "    steps:\n"
             "    - - {name: m, template: make}\n"
             "      - {name: s, template: take, arguments: {artifacts: [{name: x, from: "
             "'{{steps.m.outputs.artifacts.f}}'}]}}\n"
             "    - - {name: t, template: take, arguments: {artifacts: [{name: x, from: "
             "'{{steps.m.outputs.artifacts.g}}'}]}}\n"
             "      - {name: u, template: take, arguments: {artifacts: [{name: x, from: "
             "'{{steps.m.status}}'}]}}\n"
             "      - {name: v, template: take, arguments: {artifacts: [{name: x, from: "
             "'{{inputs.artifacts.gone}}', fromExpression: a}]}}\n"
             "      - {name: w, template: take}\n"
             "      - {name: z, template: take, arguments: {artifacts: [{name: x, s3: {key: "
             "'{{steps.z.id}}'}}]}}\n"
             "    outputs: {artifacts: [{name: o, fromExpression: 'steps.q.outputs.artifacts.f'}, "
             "{name: p, path: /p}]}\n",
        "6:27 invalid: spec.arguments.a.from, artifact location, or key is required\n"
        "6:39 invalid: spec.arguments.artifacts[1].name 'a' is not unique\n"
        "9:66 invalid: templates.make: failed to resolve {{outputs.artifacts.z.path}}\n"
        "18:69 invalid: templates.main.steps[0].s failed to resolve "
        "{{steps.m.outputs.artifacts.f}}\n"
        "19:69 invalid: templates.main.steps[1].t failed to resolve "
        "{{steps.m.outputs.artifacts.g}}\n"
        "20:69 invalid: templates.main.steps[1].u Variable {{steps.m.status}} is not an artifact\n"
        "21:59 invalid: templates.main.steps[1].v.arguments.x shouldn't have both `from` and "
        "`fromExpression` in Artifact\n"
        "22:19 invalid: templates.main.steps[1].w inputs.artifacts.x was not supplied\n"
        "23:74 invalid: templates.main.steps[1].z failed to resolve {{steps.z.id}}\n"
        "24:85 invalid: templates.main.outputs.artifacts.p.path only valid in container/script "
        "templates\n"
        "24:37 invalid: templates.main.outputs failed to resolve {{=steps.q.outputs.artifacts.f}}\n"
        "5:3 invalid: templates.main inputs.artifacts.gone was not supplied\n");
}

/* What the executor of the first attempt is told: the member of its config at `path`, as JSON. */
static char *told(const char *text, const char *member) {
    driver d;
    weir_problems problems = {0};
    weir_attempt attempt = {0};
    weir_buffer json = {0};
    weir_plan *plan = compile(text, "w", NULL, &problems);
    assert_non_null(plan);
    weir_problems_deinit(&problems);
    open(&d, plan);
    fact(&d, WEIR_RUN_CREATED, 0, 0, NULL);
    while (d.run->class->decide(d.run, 1, &d.decisions)) {
    }
    d.run->class->prepare(d.run, 0, &attempt);
    const weir_value *sandbox = weir_member_named(attempt.config, "sandbox");
    const weir_value *found = weir_member_named(sandbox ? sandbox : attempt.config, member);
    weir_json_format(found, 0, &json);
    weir_attempt_drop(&attempt);
    close(&d);
    plan->free(plan);
    return json.data;
}

static void expect_told(const char *body, const char *member, const char *wanted) {
    weir_buffer text = {0};
    weir_buffer_printf(&text,
                       HEAD
                       "spec:\n  entrypoint: main\n  arguments: {parameters: [{name: p, value: "
                       "v}]}\n  templates:\n  - name: main\n%s\n",
                       body);
    char *got = told(text.data, member);
    assert_string_equal(got, wanted);
    weir_free(got);
    weir_buffer_deinit(&text);
}

static void executors_are_told_where_artifacts_are(void **state) {
    (void)state;
    expect_told("    inputs:\n"
                "      artifacts:\n"
                "      - {name: r, path: /r, mode: 0644, recurseMode: true, raw: {data: "
                "'{{workflow.parameters.p}}'}}\n"
                "      - {name: h, path: /h, optional: true, http: {url: 'http://h/x', headers: "
                "[{name: A, value: b}], auth: {basicAuth: {usernameSecret: {name: s, key: u}}}}}\n"
                "      - {name: g, path: /g, git: {repo: r, revision: v, depth: 1, "
                "sshPrivateKeySecret: {name: s, key: k}}}\n"
                "      - {name: s, path: /s, archive: {none: {}}, gcs: {bucket: b, key: k}}\n"
                "      - {name: f, path: /f, hdfs: {addresses: [a], hdfsUser: u, path: /x/y}}\n"
                "      - {name: t, path: /t, artifactory: {url: 'http://host/a/b'}}\n"
                "      - {name: o, path: /o, optional: true}\n"
                "    container: {image: a, command: [echo]}",
                "artifacts",
                "{\"inputs\":["
                "{\"name\":\"r\",\"path\":\"/r\",\"mode\":420,\"recurse_mode\":true,\"source\":{"
                "\"raw\":\"v\"}},"
                "{\"name\":\"h\",\"path\":\"/h\",\"optional\":true,\"source\":{\"http\":{\"url\":"
                "\"http://h/x\",\"headers\":[{\"name\":\"A\",\"value\":\"b\"}],\"username\":{"
                "\"secret\":\"s.u\"}}}},"
                "{\"name\":\"g\",\"path\":\"/g\",\"source\":{\"git\":{\"repo\":\"r\",\"revision\":"
                "\"v\",\"depth\":1,\"ssh_private_key\":{\"secret\":\"s.k\"}}}},"
                "{\"name\":\"s\",\"path\":\"/s\",\"archive\":\"none\",\"source\":{\"key\":\"k\","
                "\"bucket\":\"gcs/b\"}},"
                "{\"name\":\"f\",\"path\":\"/f\",\"source\":{\"key\":\"x/y\"}},"
                "{\"name\":\"t\",\"path\":\"/t\",\"source\":{\"key\":\"a/b\",\"bucket\":"
                "\"artifactory/host\"}},"
                "{\"name\":\"o\",\"path\":\"/o\",\"optional\":true}],\"outputs\":[]}");
    expect_told("    archiveLocation: {s3: {key: 'here/{{pod.name}}/'}}\n"
                "    outputs:\n"
                "      artifacts:\n"
                "      - {name: a, path: '/{{workflow.parameters.p}}', archive: {tar: "
                "{compressionLevel: 0}}}\n"
                "      - {name: b, path: /x/b/, archive: {none: {}}, optional: true}\n"
                "      - {name: c, path: /c, archive: {zip: {}}, azure: {container: q, blob: "
                "'{{workflow.name}}.zip'}}\n"
                "    container: {image: a, command: [echo]}",
                "artifacts",
                "{\"inputs\":[],\"outputs\":["
                "{\"key\":\"here/w/a.tgz\",\"name\":\"a\",\"path\":\"/v\",\"archive\":\"tar\","
                "\"compression_level\":0},"
                "{\"key\":\"here/w/b\",\"name\":\"b\",\"path\":\"/x/b/\",\"archive\":\"none\","
                "\"optional\":true},"
                "{\"key\":\"w.zip\",\"bucket\":\"azure/q\",\"name\":\"c\",\"path\":\"/c\","
                "\"archive\":\"zip\"}]}");
    expect_told("    data: {source: {artifactPaths: {name: a, s3: {bucket: b}}}, transformation: "
                "[{expression: 'data'}]}",
                "source", "{\"key\":\"\",\"bucket\":\"s3/b\"}");
}

static void locations_are_checked(void **state) {
    (void)state;
    expect_problems(
        TEMPLATES
        "  - name: main\n"
        "    inputs:\n"
        "      artifacts:\n"
        "      - {name: a, git: {revision: x}}\n"
        "      - {name: b, path: /b, hdfs: {path: x}, from: '{{a}}'}\n"
        "      - {name: c, path: /b, plugin: {name: p, key: k}}\n"
        "    outputs:\n"
        "      artifacts:\n"
        "      - {name: d, path: /d, raw: {data: x}}\n"
        "      - {name: e, path: /e, globalName: 'a b', http: {url: u}}\n"
        "      - {name: f, path: /f, archive: none, mode: x}\n"
        "    container: {image: a}\n"
        "  - name: list\n"
        "    data: {source: {artifactPaths: {name: x, raw: {data: y}}}, transformation: [{}, "
        "{expression: '1 +'}]}\n",
        "13:19 invalid: templates.main.inputs.artifacts.a.git.repo is required\n"
        "14:29 invalid: templates.main.inputs.artifacts.b.hdfs.addresses is required\n"
        "14:29 invalid: templates.main.inputs.artifacts.b.hdfs.path must be a absolute file path\n"
        "14:29 invalid: either templates.main.inputs.artifacts.b.hdfs.hdfsUser, "
        "templates.main.inputs.artifacts.b.hdfs.krbCCacheSecret or "
        "templates.main.inputs.artifacts.b.hdfs.krbKeytabSecret is required\n"
        "20:29 invalid: `archive` must be of type object, and is of type string\n"
        "20:44 invalid: `mode` must be of type integer, and is of type string\n"
        "13:9 invalid: templates.main.inputs.artifacts.a.path not specified\n"
        "14:9 invalid: templates.main.inputs.artifacts.b.from not valid in inputs\n"
        "15:9 invalid: templates.main.inputs.artifacts[2].path '/b' already mounted in "
        "inputs.artifacts.b\n"
        "18:9 invalid: templates.main.outputs.artifacts.d: raw output artifacts unsupported\n"
        "19:29 invalid: templates.main.outputs.artifacts.e.globalName: Parameter/Artifact name "
        "must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1\n"
        "19:48 not_supported: `http` is not supported yet\n"
        "14:46 invalid: templates.main: failed to resolve {{a}}\n"
        "23:21 invalid: templates.list: data.source needs `artifactPaths` that are in a "
        "repository\n"
        "23:81 invalid: templates.list: a transformation needs an `expression`\n"
        "23:86 invalid: templates.list: the expression ends too early in `1 +`\n"
        "5:3 invalid: templates.main inputs.artifacts.a was not supplied\n");
}

static void a_stage_of_artifacts_passes(void **state) {
    (void)state;
    expect(TEMPLATES "  - name: main\n    outputs: {artifacts: [{name: a, path: /a}]}\n"
                     "    container: {image: a, command: [echo, x]}\n",
           "Succeeded", "", "w Pod Succeeded >a@w/w/a.tgz\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_checked),
        cmocka_unit_test(locations_are_checked),
        cmocka_unit_test(executors_are_told_where_artifacts_are),
        cmocka_unit_test(a_stage_of_artifacts_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
