"""What a workflow refers to beside its own file: `--library`, several documents, config maps, secrets; and that a run keeps it."""

import json
import pathlib

import pytest

ARGO = "apiVersion: argoproj.io/v1alpha1\n"
TEMPLATES = ARGO + """kind: WorkflowTemplate
metadata: {name: lib}
spec:
  entrypoint: say
  arguments: {parameters: [{name: m, value: by-default}]}
  templates:
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: x, command: [echo, "{{inputs.parameters.m}}"]}
---
kind: ConfigMap
metadata: {name: settings}
data: {word: from-the-map}
---
kind: Secret
metadata: {name: keys}
data: {token: aHVzaC1odXNo}
"""
MAIN = ARGO + """kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: word, valueFrom: {configMapKeyRef: {name: settings, key: word}}}]}
  templates:
  - name: main
    steps:
    - - {name: a, templateRef: {name: lib, template: say}, arguments: {parameters: [{name: m, value: "{{workflow.parameters.word}}"}]}}
    - - {name: b, template: secret}
  - name: secret
    script:
      image: x
      command: [sh]
      env: [{name: T, valueFrom: {secretKeyRef: {name: keys, key: token}}}]
      source: '[ ${#T} = 9 ] && echo "token $T"'
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "w.yaml").write_text(MAIN)
    library = tmp_path / "library"
    (library / "deep").mkdir(parents=True)
    (library / "deep/templates.yml").write_text(TEMPLATES)
    (library / ".hidden.yaml").write_text("{ no yaml")
    (library / "README.md").write_text("{ no yaml")
    return tmp_path


def test_a_directory_is_a_library(weir, files):
    ran = weir("run", "w.yaml", "--library", "library", "--name", "r", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    logs = weir("logs", "r").stdout
    assert "from-the-map" in logs and "token ***" in logs and "hush" not in logs


def test_the_documents_beside_a_workflow_are_one(weir, files):
    (files / "all.yaml").write_text(MAIN + "---\n" + TEMPLATES)
    assert weir("run", "all.yaml", "-q").returncode == 0
    ran = weir("run", "library/deep/templates.yml", "-p", "m=mine", "--name", "t")
    assert ran.returncode == 0, ran.stderr
    assert "mine" in weir("logs", "t").stdout


def test_a_run_keeps_what_it_referred_to_but_no_secret(weir, files):
    assert weir("submit", "w.yaml", "--library", "library/deep/templates.yml", "--name", "r").returncode == 0
    assert weir("wait", "r").returncode == 0
    (files / "library/deep/templates.yml").unlink()
    assert weir("retry", "r").returncode != 0  # nothing failed; but it could be read
    shown = json.loads(weir("events", "r", "-o", "json").stdout)
    text = json.dumps(shown)
    assert "namespaced/lib/say" in text and "hush-hush" not in text and "aHVzaC1odXNo" not in text
    assert weir("restart", "r", "a", "-q").returncode == 1  # its second step misses the secret
    assert "there is no secret `keys.token`" in weir("report", "r").stdout


def test_what_a_library_lacks_is_told(weir, files):
    (files / "w.yaml").write_text(MAIN + "  - {name: other, steps: [[{name: c, template: secrat}]]}\n")
    ran = weir("check", "w.yaml")
    assert ran.returncode == 2
    assert "w.yaml:6:53: error: ConfigMap 'settings' does not exist\n  hint: --library FILE" in ran.stderr
    assert "w.yaml:10:33: error: templates.main.steps[0].a workflow template lib not found" in ran.stderr
    assert "w.yaml:18:38: error: templates.other.steps[0].c template name 'secrat' undefined\n  hint: did you mean `secret`?" in ran.stderr
    assert "3 problems" in ran.stderr


@pytest.mark.parametrize("path, message", [
    ("nowhere", "nowhere: error: there is no such library"),
    ("bad", "bad/x.yaml:1:3: error: "),
])
def test_a_library_that_cannot_be_read_is_told(weir, files, path, message):
    (files / "bad").mkdir()
    (files / "bad/x.yaml").write_text("{ :")
    ran = weir("check", "w.yaml", "--library", path)
    assert ran.returncode == 2 and message in ran.stderr, ran.stderr


def test_only_workflows_have_libraries(weir, tmp_path):
    (tmp_path / "d.yaml").write_text("operations: {}\n")
    ran = weir("check", "d.yaml", "--library", "x")
    assert ran.returncode == 2 and "a dataflow takes no `library`" in ran.stderr


def test_a_problem_of_a_library_has_its_place_there(weir, files):
    other = files / "library/deep/templates.yml"
    other.write_text(TEMPLATES.replace("inputs.parameters.m", "inputs.parameters.n"))
    ran = weir("check", "w.yaml", "--library", "library")
    assert ran.returncode == 2
    assert f"{pathlib.Path('library/deep/templates.yml')}:10:43:" in ran.stderr and "failed to resolve {{inputs.parameters.n}}" in ran.stderr


def test_a_child_has_the_library_of_its_parent(weir, files):
    (files / "parent.yaml").write_text(ARGO + """kind: Workflow
metadata: {name: parent}
spec:
  entrypoint: main
  templates:
  - name: main
    plugin: {weir: {run: w.yaml}}
""")
    ran = weir("run", "parent.yaml", "--library", "library", "-q")
    assert ran.returncode == 0, ran.stderr


def test_a_secret_that_is_given_counts_more_than_a_document(weir, files):
    (files / "w.yaml").write_text(MAIN.replace("${#T} = 9", "${#T} = 5"))
    assert weir("run", "w.yaml", "--library", "library", "-q").returncode == 1
    ran = weir("run", "w.yaml", "--library", "library", "--secret", "keys.token=env:TOKEN", "-q", environment={"TOKEN": "other"})
    assert ran.returncode == 0, ran.stderr


SAYING = ARGO + """kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  templates: [{name: main, steps: [[{name: s, templateRef: {name: lib, template: say}, arguments: {parameters: [{name: m, value: NAME}]}}]]}]
"""


@pytest.mark.parametrize("command", ["run", "submit"])
@pytest.mark.parametrize("of", ["file", "input"])
def test_each_workflow_of_a_file_is_a_run(weir, tmp_path, command, of):
    text = SAYING.replace("NAME", "one") + "---\n" + TEMPLATES + "---\n" + SAYING.replace("NAME", "two")
    (tmp_path / "several.yaml").write_text(text)
    more = ["--wait"] if command == "submit" else []
    ran = weir(command, "-" if of == "input" else "several.yaml", *more, **({"input": text} if of == "input" else {}))
    assert ran.returncode == 0, ran.stderr
    assert sorted(weir("list", "-o", "name").stdout.split()) == ["one", "two"]
    for name in ("one", "two"):
        assert weir("logs", name).stdout.rsplit(": ", 1)[1] == f"{name}\n"


def test_all_commands_read_standard_input(weir):
    text = SAYING.replace("NAME", "w") + "---\n" + TEMPLATES
    broken = text.replace("{name: lib, template", "{name: absent, template")
    for command in ("check", "lint", "plan", "graph", "run"):
        assert weir(command, "-", input=text).returncode == 0, command
    for command in ("check", "lint", "run"):
        failed = weir(command, "-", input=broken)
        assert failed.returncode and "standard input:6:61:" in failed.stderr, failed.stderr
    empty = weir("run", "-", input="")
    assert empty.returncode and "standard input: error: there is nothing in the file" in empty.stderr
