"""Artifacts of workflows: files that go from node to node, as Argo has them."""

import gzip
import json
import tarfile

import pytest

from conftest import ROOT

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n"


def run(weir, tmp_path, text, *arguments):
    (tmp_path / "w.yaml").write_text(HEAD + text)
    done = weir("run", "w.yaml", "-o", "json", "--isolation", "auto", *arguments)
    status = json.loads(done.stdout)["status"] if done.stdout else {}
    return done, status, {node["name"]: node for node in status.get("nodes", {}).values()}


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_examples(weir, isolation):
    done = weir("run", ROOT / "examples/workflow/artifacts.yaml", "--log", "--isolation", isolation)
    assert done.returncode == 0, done.stderr
    assert "hello ada" in done.stdout and "2\n" in done.stdout
    done = weir("run", ROOT / "examples/workflow/artifacts-list.yaml", "-o", "json", "--isolation", isolation)
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["status"]["nodes"].values()
    assert len([node for node in nodes if node["displayName"].startswith("read(")]) == 2


def test_references_and_keys(weir, tmp_path):
    done, status, nodes = run(weir, tmp_path, """
  entrypoint: main
  onExit: bye
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: make}
      - name: b
        template: take
        depends: a
        arguments: {artifacts: [{name: f, from: "{{tasks.a.outputs.artifacts.zipped}}"}, {name: g, from: "{{tasks.a.outputs.artifacts.folder}}", subPath: s/t}]}
    outputs: {artifacts: [{name: best, fromExpression: "tasks.a.outputs.parameters.w == 'z' ? tasks.a.outputs.artifacts.zipped : tasks.a.outputs.artifacts.folder"}]}
  - name: make
    container: {image: i, command: [sh, -c], args: ["echo zip > /tmp/z; mkdir -p /tmp/d/s; echo deep > /tmp/d/s/t; printf z > /tmp/w"]}
    outputs:
      parameters: [{name: w, valueFrom: {path: /tmp/w}}]
      artifacts:
      - {name: zipped, path: /tmp/z, archive: {zip: {}}, globalName: everywhere}
      - {name: folder, path: /tmp/d, archive: {none: {}}}
      - {name: absent, path: /tmp/absent, optional: true}
  - name: take
    inputs: {artifacts: [{name: f, path: /in/f}, {name: g, path: /in/g, mode: 0600}]}
    container: {image: i, command: [sh, -c], args: ["cat /in/f /in/g; stat -c %a /in/g"]}
    outputs: {artifacts: []}
  - name: bye
    inputs: {artifacts: [{name: f, path: /in/f, optional: true}]}
    container: {image: i, command: [ls, /]}
""")
    assert done.returncode == 0, done.stderr
    make = nodes["w.a"]
    pod = f"w-make-{make['id'].rsplit('-', 1)[1]}"
    assert make["outputs"]["artifacts"] == [
        {"name": "zipped", "path": "/tmp/z", "s3": {"key": f"w/{pod}/zipped.zip"}, "globalName": "everywhere", "archive": {"zip": {}}},
        {"name": "folder", "path": "/tmp/d", "s3": {"key": f"w/{pod}/d"}, "archive": {"none": {}}},
    ]
    assert nodes["w.b"]["inputs"]["artifacts"][1] == {
        "name": "g", "path": "/in/g", "mode": 0o600, "s3": {"key": f"w/{pod}/d/s/t"}, "archive": {"none": {}}}
    assert nodes["w"]["outputs"]["artifacts"][0]["name"] == "best"
    assert nodes["w"]["outputs"]["artifacts"][0]["s3"] == {"key": f"w/{pod}/zipped.zip"}
    assert status["outputs"]["artifacts"] == [{"name": "everywhere", "s3": {"key": f"w/{pod}/zipped.zip"}, "archive": {"zip": {}}}]
    assert [line.split()[-1] for line in weir("logs", "w", "b").stdout.splitlines()[-3:]] == ["zip", "deep", "600"]
    lineage = weir("lineage", "w", "b").stdout
    assert "f: w.a (make)" in lineage


@pytest.mark.parametrize("second", ["b", "main"])
def test_logs_of_each_container_of_a_set_are_kept(weir, tmp_path, second):
    done, _, nodes = run(weir, tmp_path, f"""
  entrypoint: both
  templates:
  - name: both
    archiveLocation: {{archiveLogs: true}}
    containerSet:
      containers:
      - {{name: a, image: i, command: [echo, of a]}}
      - {{name: {second}, image: i, command: [sh, -c, "echo of b; exit 3"], dependencies: [a]}}
      - {{name: never, image: i, command: [echo], dependencies: [{second}]}}
""")
    assert done.returncode == 1, done.stderr
    kept = nodes["w"]["outputs"]["artifacts"]
    assert kept == [{"name": f"{name}-logs", "s3": {"key": f"w/w/{name}.log"}} for name in ("a", second)]
    weir("cp", "w", "out")
    assert sorted(file.read_text() for file in (tmp_path / "out").rglob("*.log")) == ["of a\n", "of b\n"]


def test_what_is_not_there(weir, tmp_path):
    done, status, nodes = run(weir, tmp_path, """
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: a, template: lacks, continueOn: {error: true}}
      - {name: b, template: wants, continueOn: {error: true}}
  - name: lacks
    container: {image: i, command: ["true"]}
    outputs: {artifacts: [{name: f, path: /tmp/not-there}]}
  - name: wants
    inputs: {artifacts: [{name: f, path: /tmp/f, s3: {key: nobody/wrote/it}}]}
    container: {image: i, command: ["true"]}
""")
    assert done.returncode == 0, done.stderr
    for name, start in (("w[0].a", "wait: Error (exit code 64)"), ("w[0].b", "init: Error (exit code 64)")):
        assert nodes[name]["phase"] == "Error" and nodes[name]["message"].startswith(start), nodes[name]
    assert "artifacts" not in nodes["w[0].a"].get("outputs", {})


def test_data_templates_say_what_is_wrong(weir, tmp_path):
    done, status, nodes = run(weir, tmp_path, """
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: none, template: list, arguments: {parameters: [{name: e, value: 'data'}]}}
    - - {name: bad, template: list, arguments: {parameters: [{name: e, value: 'data.x.y'}]}}
  - name: list
    inputs: {parameters: [{name: e}]}
    data: {source: {artifactPaths: {name: l, s3: {bucket: b, key: nothing}}}, transformation: [{expression: "{{inputs.parameters.e}}"}]}
""")
    assert done.returncode == 1
    assert nodes["w[0].none"]["outputs"] == {"result": "[]", "exitCode": "0"}
    assert nodes["w[1].bad"]["phase"] == "Failed" and nodes["w[1].bad"]["message"].startswith("main: Error (exit code 64)")


def test_what_goes_when_the_workflow_is_over_and_with_its_run(weir, tmp_path):
    done, status, _ = run(weir, tmp_path, """
  entrypoint: main
  artifactGC: {strategy: OnWorkflowDeletion}
  templates:
  - name: main
    container: {image: i, command: [sh, -c], args: ["for f in now later never; do echo $f > /tmp/$f; done"]}
    outputs:
      artifacts:
      - {name: now, path: /tmp/now, s3: {key: some/now}, artifactGC: {strategy: OnWorkflowCompletion}}
      - {name: later, path: /tmp/later, s3: {key: some/later}}
      - {name: never, path: /tmp/never, s3: {key: some/never}, artifactGC: {strategy: Never}}
""")
    assert done.returncode == 0, done.stderr
    assert status["artifactGCStatus"]["strategiesProcessed"] == {"OnWorkflowCompletion": True}
    kept = tmp_path / ".weir/artifacts/some"
    assert sorted(path.name for path in kept.iterdir()) == ["later", "never"]
    assert weir("delete", "w").returncode == 0
    assert [path.name for path in kept.iterdir()] == ["never"]
    assert not list((tmp_path / ".weir/garbage").iterdir())


def test_memoized_artifacts_must_still_be_there(weir, tmp_path):
    text = """
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: a, template: make}
    - - {name: b, template: take, arguments: {artifacts: [{name: f, from: "{{steps.a.outputs.artifacts.f}}"}]}}
  - name: make
    memoize: {key: k, cache: {configMap: {name: c}}}
    container: {image: i, command: [sh, -c], args: ["echo made > /tmp/f"]}
    outputs: {artifacts: [{name: f, path: /tmp/f}]}
  - name: take
    inputs: {artifacts: [{name: f, path: /in/f}]}
    container: {image: i, command: [cat, /in/f]}
"""
    keys = []
    for name, hit in (("one", False), ("two", True), ("three", False)):
        if name == "three":
            for file in (tmp_path / ".weir/artifacts").rglob("f.tgz"):
                file.unlink()
        done, status, nodes = run(weir, tmp_path, text, "--name", name)
        assert done.returncode == 0, done.stderr
        assert nodes[f"{name}[0].a"]["memoizationStatus"]["hit"] is hit
        keys.append(nodes[f"{name}[1].b"]["inputs"]["artifacts"][0]["s3"]["key"].split("/")[0])
    assert keys == ["one", "one", "three"]


def test_a_repository_says_how_keys_are_made(weir, tmp_path):
    (tmp_path / "library.yaml").write_text("""
apiVersion: v1
kind: ConfigMap
metadata:
  name: artifact-repositories
  annotations: {workflows.argoproj.io/default-artifact-repository: ours}
data:
  ours: |
    s3:
      bucket: any
      keyFormat: "all/{{workflow.name}}/{{pod.name}}/x"
  theirs: |
    azure: {blobNameFormat: "{{workflow.parameters.team}}"}
""")
    text = """
  entrypoint: main
  artifactRepositoryRef: {%s}
  templates:
  - name: main
    container: {image: i, command: [sh, -c], args: ["echo a > /tmp/a"]}
    outputs: {artifacts: [{name: a, path: /tmp/a}]}
"""
    for reference, key in (("", "all/one/one/x/a.tgz"), ("key: theirs", "red/a.tgz"), ("configMap: gone", "three/three/a.tgz")):
        name = {"": "one", "key: theirs": "two", "configMap: gone": "three"}[reference]
        done, _, nodes = run(weir, tmp_path, text % reference, "--library", "library.yaml", "--name", name, "-p", "team=red")
        assert done.returncode == 0, done.stderr
        assert nodes[name]["outputs"]["artifacts"][0]["s3"]["key"] == key


def test_an_archive_bomb(weir, tmp_path):
    """What it says of itself is enough: it is refused before it is unpacked, unless somebody allows it."""
    (tmp_path / "store").mkdir()
    with gzip.open(tmp_path / "store/bomb.tgz", "wb") as archive:
        item = tarfile.TarInfo("zeros")
        item.size = 5 << 30
        archive.write(item.tobuf())
    text = """
  entrypoint: main
  templates:
  - name: main
    inputs: {artifacts: [{name: in, path: /in, s3: {key: bomb.tgz}}]}
    container: {image: x, command: [ls, /in]}
"""
    for allowed, said in ([], "more than 200 times as large as it is"), (["--set", "artifacts.size=6GB"], "damaged"):
        done, status, nodes = run(weir, tmp_path, text, "--set", "artifacts.directory=store", *allowed)
        (node,) = nodes.values()
        assert node["phase"] == "Error" and said in node["message"]
