"""retry, resubmit, several files, templates that the state keeps: what runs begin from beside a file."""

import json
import os
import pathlib

import pytest

from test_verbs import HELLO, nodes

CHAIN = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: chain-}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: what, value: one}}]}}
  templates:
    - name: main
      dag:
        tasks:
          - {{name: a, template: say, arguments: {{parameters: [{{name: what, value: "a {{{{workflow.parameters.what}}}}"}}]}}}}
          - {{name: b, depends: a, template: say, arguments: {{parameters: [{{name: what, value: "b {{{{tasks.a.outputs.result}}}}"}}]}}}}
          - {{name: c, depends: b, template: gate}}
    - name: say
      inputs: {{parameters: [{{name: what}}]}}
      container: {{image: x, command: [sh, -c, "echo {{{{inputs.parameters.what}}}} >> {folder}/began; echo {{{{inputs.parameters.what}}}}"]}}
    - name: gate
      container: {{image: x, command: [sh, -c, "echo gate >> {folder}/began; test -e {folder}/open"]}}
"""
TEMPLATE = """apiVersion: argoproj.io/v1alpha1
kind: {kind}
metadata: {{name: {name}, labels: {{team: x}}}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: what, value: {what}}}]}}
  templates:
    - name: main
      inputs: {{parameters: [{{name: what}}]}}
      container: {{image: x, command: [echo, "{{{{inputs.parameters.what}}}}"]}}
"""
REFERS = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: refers-}}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - name: a
            templateRef: {{name: {name}, template: main{scope}}}
            arguments: {{parameters: [{{name: what, value: referred}}]}}
"""


@pytest.fixture
def chain(weir, tmp_path):
    """A workflow whose last task fails until a file is there; run once. Gives its name, and how its steps began."""
    (tmp_path / "chain.yaml").write_text(CHAIN.format(folder=tmp_path))
    name = weir("run", "chain.yaml", "-o", "name").stdout.strip()

    def began():
        lines = (tmp_path / "began").read_text().splitlines()
        (tmp_path / "began").write_text("")
        return lines

    assert began() == ["a one", "b a one", "gate"]
    (tmp_path / "open").touch()
    return name, began


def test_retry_also_what_succeeded(weir, chain):
    name, began = chain
    assert weir("retry", name, "--restart-successful", "--node-field-selector", "displayName=b").returncode == 0
    assert began() == ["b a one", "gate"]
    assert weir("retry", name).returncode == 3  # nothing failed
    assert weir("retry", name, "--restart-successful", "--node-field-selector", "templateName=gate").returncode == 0
    assert began() == ["gate"]
    done = weir("retry", name, "--restart-successful")
    assert done.returncode == 2 and "go together" in done.stderr
    done = weir("retry", name, "--restart-successful", "--node-field-selector", "displayName=z")
    assert done.returncode == 2 and "no node is one of displayName=z" in done.stderr


CODES = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: codes}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: "1"}, {name: who, value: bob, enum: [bob, ann]}]}
  templates:
    - name: main
      steps:
        - - {name: first, template: say, arguments: {parameters: [{name: what, value: "{{workflow.parameters.who}}"}]}}
        - - {name: second, template: end, arguments: {parameters: [{name: code, value: "{{workflow.parameters.code}}"}]}}
    - name: say
      inputs: {parameters: [{name: what}]}
      container: {image: x, command: [echo, "{{inputs.parameters.what}}"]}
    - name: end
      inputs: {parameters: [{name: code}]}
      container: {image: x, command: [sh, -c, "echo {{workflow.parameters.who}}; exit {{inputs.parameters.code}}"]}
"""


def test_retry_with_other_parameters(weir, tmp_path):
    (tmp_path / "codes.yaml").write_text(CODES)
    assert weir("run", "codes.yaml", "--name", "codes").returncode == 1
    refused = [weir("retry", "codes", "-p", what) for what in ("who=eve", "who")]
    assert [done.returncode for done in refused] == [2, 2]
    assert "enum" in refused[0].stderr and "NAME=TEXT" in refused[1].stderr
    assert weir("retry", "codes", "-p", "code=3", "-p", "who=ann").returncode == 1
    assert nodes(weir, "codes")["second"]["outputs"]["exitCode"] == "3"
    assert weir("retry", "codes", "-p", "code=0").returncode == 0  # the others are still those of the retry before
    logs = [line.split(": ")[1] for line in weir("logs", "codes").stdout.splitlines()]
    assert logs == ["bob", "ann"]  # the first did not run again
    spec = json.loads(weir("get", "codes", "-o", "json").stdout)["spec"]
    assert [p["value"] for p in spec["arguments"]["parameters"]] == ["0", "ann"]
    assert "nothing failed" in weir("retry", "codes", "-p", "code=1").stderr


def test_several_are_retried_by_a_label(weir, tmp_path):
    (tmp_path / "codes.yaml").write_text(CODES)
    for name, label in (("one", "k=v"), ("two", "k=v"), ("three", "k=w")):
        assert weir("run", "codes.yaml", "--name", name, "-l", label).returncode == 1
    done = weir("retry", "-l", "k=v", "-p", "code=0")
    assert done.returncode == 0 and sorted(done.stdout.split()) == ["Succeeded", "Succeeded", "one:", "two:"]
    assert weir("list", "--status", "Failed", "-o", "name").stdout.split() == ["three"]
    assert "by name, or by a filter" in weir("retry", "three", "-l", "k=w").stderr


def test_retry_of_a_pipeline_has_no_parameters(weir, tmp_path):
    (tmp_path / "p.yaml").write_text(
        "pipeline: {name: p, inputs: [], outputs: [a.out], components: [{a: {run: [sh, -c, exit 1], inputs: [], outputs: [out]}}]}\n"
    )
    assert weir("run", "p.yaml", "--name", "p").returncode == 1
    done = weir("retry", "p", "-p", "a=b")
    assert done.returncode == 2 and "only workflows have parameters" in done.stderr


def test_resubmit_begins_anew(weir, chain, tmp_path):
    name, began = chain
    (tmp_path / "chain.yaml").unlink()  # the run has its text
    done = weir("resubmit", name, "--wait", "-p", "what=two", "--priority", "3")
    other = done.stdout.splitlines()[0]
    assert done.returncode == 0, done.stderr
    assert other != name and other.startswith("chain-")
    assert began() == ["a two", "b a two", "gate"]
    assert weir("list", "--resubmitted", "-o", "name").stdout == other + "\n"
    listed = json.loads(weir("list", "-o", "json").stdout)
    assert listed[0]["labels"]["workflows.argoproj.io/resubmitted-from-workflow"] == name


def test_resubmit_memoized_keeps_what_succeeded(weir, chain):
    name, began = chain
    done = weir("resubmit", name, "--memoized", "--wait")
    other = done.stdout.splitlines()[0]
    assert done.returncode == 0, done.stderr
    assert began() == ["gate"]
    seen = nodes(weir, other)
    assert seen["b"]["inputs"]["parameters"][0]["value"] == "b a one"
    assert weir("doctor", "--rebuild", other).returncode == 0
    assert weir("logs", other).returncode == 0
    assert weir("get", other).stdout.count("✔") == 4
    done = weir("resubmit", other, "--memoized")
    assert done.returncode == 3 and "nothing failed" in done.stderr


def test_resubmit_says_how_it_ended(weir, tmp_path):
    (tmp_path / "fails.yaml").write_text(HELLO.format(code=3))
    name = weir("run", "fails.yaml", "-o", "name", "-l", "a=b").stdout.strip()
    done = weir("resubmit", name, "--log")
    assert done.returncode == 1 and "hello" in done.stdout
    assert weir("resubmit", "-l", "a=b", "--watch").returncode == 2  # two are meant
    assert weir("resubmit", "nobody").returncode == 2
    done = weir("resubmit", name, "--watch")
    assert done.returncode == 1 and "Failed" in done.stdout
    assert "nobody drives" not in done.stderr, "its engine has just been started"


def test_submit_and_wait(weir, tmp_path):
    (tmp_path / "one.yaml").write_text(HELLO.format(code=0))
    (tmp_path / "two.yaml").write_text(HELLO.format(code=1))
    done = weir("submit", "one.yaml", "--wait")
    assert done.returncode == 0 and "Succeeded" in done.stdout
    done = weir("submit", "one.yaml", "two.yaml", "--wait")
    assert done.returncode == 1 and "Succeeded" in done.stdout and "Failed" in done.stdout
    done = weir("submit", "one.yaml", "--log", "-p", "what=logged")
    assert done.returncode == 0 and "logged" in done.stdout
    assert weir("submit", "one.yaml", "two.yaml", "--log").returncode == 2
    assert "kind: Workflow" in weir("submit", "one.yaml", "--server-dry-run").stdout


def test_several_files_run_at_once(weir, tmp_path):
    (tmp_path / "one.yaml").write_text(HELLO.format(code=0))
    (tmp_path / "two.yaml").write_text(HELLO.format(code=1))
    done = weir("run", "one.yaml", "two.yaml", "one.yaml")
    assert done.returncode == 1
    assert sorted(line.split(": ")[1] for line in done.stdout.splitlines()) == ["Failed", "Succeeded", "Succeeded"]
    done = weir("run", "one.yaml", "absent.yaml")
    assert done.returncode == 2 and "absent.yaml" in done.stderr and "Succeeded" in done.stdout
    assert weir("check", "one.yaml", "two.yaml").returncode == 2


@pytest.mark.parametrize("command, kind, scope", [("template", "WorkflowTemplate", ""), ("cluster-template", "ClusterWorkflowTemplate", ", clusterScope: true")])
def test_templates_are_kept(weir, tmp_path, command, kind, scope):
    file = tmp_path / "t.yaml"
    file.write_text(TEMPLATE.format(kind=kind, name="shout", what="kept"))
    (tmp_path / "refers.yaml").write_text(REFERS.format(name="shout", scope=scope))
    assert weir("run", "refers.yaml").returncode == 2
    done = weir(command, "create", "t.yaml")
    assert done.returncode == 0 and done.stdout.startswith("Name:                shout\nCreated:             20")
    done = weir(command, "create", "t.yaml")
    assert done.returncode == 2 and "there is already" in done.stderr and "template update` replaces it" in done.stderr
    assert weir(command, "list").stdout == "NAME\nshout\n"
    assert weir(command, "list", "-l", "team=y", "-o", "name").stdout == ""
    assert json.loads(weir(command, "get", "shout", "-o", "json").stdout)["spec"]["entrypoint"] == "main"
    assert weir("lint", "refers.yaml").returncode == weir("check", "refers.yaml").returncode == 0
    assert "referred" in weir("run", "refers.yaml", "--log").stdout
    from_ = kind.lower() + "/shout"
    assert weir("submit", "--from", from_, "--log").stdout.splitlines()[0].startswith("shout-")
    assert weir("run", "--from", from_, "-p", "what=given").stdout == "given\n"
    file.write_text(TEMPLATE.format(kind=kind, name="shout", what="newer"))
    assert weir(command, "update", "t.yaml").returncode == 0
    assert weir("run", "--from", from_).stdout == "newer\n"
    assert weir(command, "lint", "t.yaml").returncode == 0
    assert weir(command, "delete", "shout").stdout == "shout: deleted\n"
    assert weir(command, "delete", "shout").returncode == 2
    assert weir(command, "update", "t.yaml").returncode == 2
    assert weir("run", "--from", from_).returncode == 2


def test_a_library_counts_more_than_the_state(weir, tmp_path):
    (tmp_path / "t.yaml").write_text(TEMPLATE.format(kind="WorkflowTemplate", name="shout", what="kept"))
    assert weir("template", "create", "t.yaml").returncode == 0
    other = TEMPLATE.format(kind="WorkflowTemplate", name="shout", what="library").replace("[echo,", "[echo, from library,")
    (tmp_path / "library.yaml").write_text(other)
    (tmp_path / "refers.yaml").write_text(REFERS.format(name="shout", scope=""))
    assert "from library" in weir("run", "refers.yaml", "--log", "--library", "library.yaml").stdout
    (tmp_path / "both.yaml").write_text(REFERS.format(name="shout", scope="") + "---\n" + other)
    assert "from library" in weir("run", "both.yaml", "--log").stdout


def test_wrong_templates_are_not_kept(weir, tmp_path):
    text = TEMPLATE.format(kind="WorkflowTemplate", name="shout", what="x")
    (tmp_path / "wrong.yaml").write_text(text.replace("entrypoint: main", "entrypoint: nobody"))
    assert weir("template", "create", "wrong.yaml").returncode == 2
    (tmp_path / "name.yaml").write_text(text.replace("name: shout", "name: ../shout"))
    done = weir("template", "create", "name.yaml")
    assert done.returncode == 2 and "cannot be a template's name" in done.stderr
    (tmp_path / "hello.yaml").write_text(HELLO.format(code=0))
    assert weir("template", "create", "hello.yaml").returncode == 2
    assert weir("template", "get", "../../etc/passwd").returncode == 2
    assert weir("template", "list").stdout == "NAME\n"
    assert weir("template", "delete").returncode == 2
    assert weir("template", "delete", "--all").returncode == 0
    assert weir("submit", "--from", "cronwf/x").returncode == 2
    assert not pathlib.Path(os.path.join(tmp_path, "shout.json")).exists()


def test_labels_beside_the_file_are_the_workflows(weir, tmp_path):
    said = 'command: [echo, "{{workflow.labels.a}} {{workflow.labels.b}}"]'
    (tmp_path / "labels.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-, labels: {a: file, b: file}}\n"
        f"spec:\n  entrypoint: main\n  templates:\n    - {{name: main, container: {{image: x, {said}}}}}\n")
    assert weir("run", "labels.yaml", "-l", "b=given").stdout == "file given\n"
