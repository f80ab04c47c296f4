"""What helps to find out what is wrong with a workflow: one step alone, outputs that are said, files that stay, why a node is as it is."""

import json
import os
import subprocess
import time

import pytest

from conftest import WEIR

FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: flow-}}
spec:
  entrypoint: main
  onExit: bye
  arguments: {{parameters: [{{name: side, value: heads}}]}}
  templates:
    - name: main
      parallelism: 1
      dag:
        tasks:
          - {{name: flip, template: flip}}
          - {{name: heads, depends: flip, template: say, when: "{{{{tasks.flip.outputs.result}}}} == heads", arguments: {{parameters: [{{name: t, value: fixed}}]}}}}
          - {{name: tails, depends: flip, template: say, when: "{{{{tasks.flip.outputs.result}}}} == tails", arguments: {{parameters: [{{name: t, value: "{{{{tasks.flip.outputs.parameters.deep}}}}"}}]}}}}
          - {{name: never, depends: flip.Failed, template: say, arguments: {{parameters: [{{name: t, value: x}}]}}}}
          - {{name: last, depends: heads && tails, template: hold}}
          - {{name: behind, depends: last, template: say, arguments: {{parameters: [{{name: t, value: x}}]}}}}
    - name: flip
      container: {{image: x, command: [sh, -c, "mkdir -p {out}; echo deep > {out}/deep; echo {{{{workflow.parameters.side}}}}"]}}
      outputs: {{parameters: [{{name: deep, valueFrom: {{path: {out}/deep}}}}]}}
    - name: say
      inputs: {{parameters: [{{name: t}}]}}
      container: {{image: x, command: [echo, "{{{{inputs.parameters.t}}}}"]}}
    - name: hold
      container: {{image: x, command: [sh, -c, "while [ -e {folder}/hold ]; do sleep 0.02; done"]}}
    - name: bye
      container: {{image: x, command: [sh, -c, "echo bye >> {folder}/bye"]}}
"""
FAILS = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: fails}
spec:
  entrypoint: main
  templates:
    - name: main
      steps: [[{name: a, template: a}]]
    - name: a
      container: {image: x, command: [sh, -c, "echo hi > /tmp/a; mkdir -p /data/deep; echo $0 > /data/deep/b; seq 30; exit 3"]}
"""


@pytest.fixture
def flow(tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW.format(folder=tmp_path, out=tmp_path / "out"))
    return "flow.yaml"


def nodes(weir, run="@latest"):
    return {n["displayName"]: n for n in json.loads(weir("get", run, "-o", "json").stdout)["status"]["nodes"].values()}


def test_a_template_alone(weir, flow, tmp_path):
    assert weir("run", flow, "--only", "say", "-p", "t=hey").stdout == "hey\n"
    assert list(nodes(weir)) == [weir("list", "-o", "name").stdout.split()[0]]
    assert not (tmp_path / "bye").exists()  # nothing but that
    done = weir("run", flow, "--only", "say")
    assert done.returncode == 2 and "templates.say inputs.parameters.t was not supplied" in done.stderr


def test_a_step_alone(weir, flow):
    assert weir("run", flow, "--only", "heads").stdout == "fixed\n"
    assert weir("run", flow, "--only", "main.heads", "-p", "t=other").stdout == "other\n"
    assert weir("run", flow, "--only", "tails").returncode == 2  # what it takes of flip is not there
    assert weir("run", flow, "--only", "tails", "-p", "t=given").stdout == "given\n"
    done = weir("run", flow, "--only", "nobody")
    assert done.returncode == 2 and "no template and no step `nobody`" in done.stderr
    assert weir("run", flow, "--only", "heads", "--dry-run").stderr == "flow.yaml\n└─ say\n"


def test_a_step_of_two_templates_wants_its_template(weir, tmp_path):
    steps = "steps: [[{name: a, template: leaf}]]"
    (tmp_path / "two.yaml").write_text(
        "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: two-}, spec: {entrypoint: one, templates: [{name: one, %s}, {name: two, %s},"
        " {name: leaf, container: {image: i, command: [echo, hi]}}]}}" % (steps, steps)
    )
    done = weir("run", "two.yaml", "--only", "a")
    assert done.returncode == 2 and "one.a, two.a" in done.stderr
    assert weir("run", "two.yaml", "--only", "two.a").stdout == "hi\n"


ARTIFACT = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: words-}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {name: make, template: make}
          - {name: count, depends: make, template: count, arguments: {artifacts: [{name: words, from: "{{tasks.make.outputs.artifacts.words}}"}]}}
    - name: make
      container: {image: x, command: [sh, -c, "echo from make > /tmp/words.txt"]}
      outputs: {artifacts: [{name: words, path: /tmp/words.txt}]}
    - name: count
      inputs: {artifacts: [{name: words, path: /tmp/words.txt}]}
      container: {image: x, command: [cat, /tmp/words.txt]}
"""


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_a_step_alone_with_an_artifact(weir, tmp_path, isolation):
    (tmp_path / "words.yaml").write_text(ARTIFACT)
    (tmp_path / "given.txt").write_text("given words\n")
    done = weir("run", "words.yaml", "--only", "count", "--artifact", "words=given.txt", "--isolation", isolation)
    assert (done.returncode, done.stdout) == (0, "given words\n"), done.stderr
    assert weir("run", "words.yaml", "--only", "count", "--isolation", isolation).returncode != 0
    assert weir("run", "words.yaml", "--only", "count", "--artifact", "words=absent.txt").returncode == 2
    assert weir("run", "words.yaml", "--artifact", "words").returncode == 2
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    done = weir("run", "words.yaml", "--only", "count", "--artifact", "words=bytes")
    assert done.returncode == 2 and "UTF-8" in done.stderr


def test_outputs_that_are_said(weir, flow, tmp_path):
    (tmp_path / "flip.json").write_text('{"result": "tails", "parameters": {"deep": "said"}}')
    assert weir("run", flow, "--mock", "flip=flip.json").returncode == 0
    seen = nodes(weir)
    assert seen["tails"]["inputs"]["parameters"][0]["value"] == "said" and seen["heads"]["phase"] == "Skipped"
    assert not (tmp_path / "out").exists()
    # As `weir get -o json` shows outputs of a node; and it is part of the run, so a recovery does the same.
    (tmp_path / "flip.json").write_text(json.dumps({"exitCode": "4", "parameters": [{"name": "deep", "value": "x"}]}))
    done = weir("run", flow, "--mock", "flip=flip.json")
    seen = nodes(weir)
    assert seen["flip"]["phase"] == "Failed" and seen["flip"]["message"] == "main: Error (exit code 4)"
    assert seen["never"]["phase"] == "Succeeded"
    assert done.returncode == 1


def test_a_template_of_others_can_be_said_too(weir, flow, tmp_path):
    (tmp_path / "main.yaml").write_text("{}")
    assert weir("run", flow, "--mock", "main=main.yaml").returncode == 0
    assert {n["type"] for n in nodes(weir).values()} == {"Pod"}


@pytest.mark.parametrize("text, message", [("[1]", "are no object"), ('{"exitCode": 300}', "are no object"), ("{", "")])
def test_wrong_outputs(weir, flow, tmp_path, text, message):
    (tmp_path / "m.json").write_text(text)
    done = weir("run", flow, "--mock", "flip=m.json")
    assert done.returncode == 2 and message in done.stderr
    assert weir("run", flow, "--mock", "flip").returncode == 2
    assert weir("run", flow, "--mock", "nobody=flow.yaml").returncode == 2


def test_files_stay_and_are_looked_at(weir, tmp_path):
    (tmp_path / "fails.yaml").write_text(FAILS)
    sandboxes = {"WEIR_ISOLATION": "auto"}
    done = weir("run", "fails.yaml", "--keep", environment=sandboxes)
    assert done.returncode == 1 and "30" in done.stderr and "its last lines" in done.stderr
    seen = weir("shell", "fails", "a", "cat", "/tmp/a", "/data/deep/b", environment=sandboxes)
    if "without isolation" in seen.stderr:
        pytest.skip("no sandboxes here")
    assert (seen.returncode, seen.stdout) == (0, "hi\nsh\n")
    seen = weir("shell", "fails", "a", environment=sandboxes, input="cat /tmp/a; exit 7\n")
    assert (seen.returncode, seen.stdout) == (7, "hi\n")
    assert weir("shell", "fails", "nobody", environment=sandboxes).returncode == 2
    assert os.listdir(tmp_path / ".weir/kept")
    assert weir("delete", "fails").returncode == 0
    assert os.listdir(tmp_path / ".weir/kept") == []


def test_nothing_stays_unless_it_is_wanted(weir, tmp_path):
    (tmp_path / "fails.yaml").write_text(FAILS)
    sandboxes = {"WEIR_ISOLATION": "auto"}
    weir("run", "fails.yaml", environment=sandboxes)
    done = weir("shell", "fails", "a", environment=sandboxes)
    assert done.returncode == 2 and "--keep" in done.stderr
    done = weir("run", "fails.yaml", "--keep", "--isolation", "none")
    assert done.returncode == 2 and "sandboxes" in done.stderr


def test_why(weir, flow, tmp_path):
    (tmp_path / "hold").touch()
    process = subprocess.Popen([WEIR, "run", flow], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        due = time.monotonic() + 30
        while time.monotonic() < due:
            seen = weir("explain", "@latest", "last")
            if "Running" in seen.stdout:
                break
            time.sleep(0.02)
        assert "depends: heads && tails" in seen.stdout and "heads: Succeeded" in seen.stdout and "tails: Skipped" in seen.stdout
        behind = weir("explain", "@latest", "behind").stdout
        assert "did not begin" in behind and "last: Running" in behind and "waits for what is not over" in behind
        (tmp_path / "hold").unlink()
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert "which is: heads == tails" in weir("explain", "@latest", "tails").stdout
    assert "which is: heads == heads" in weir("explain", "@latest", "heads").stdout
    assert "input t = fixed" in weir("explain", "@latest", "heads").stdout
    assert "flip: Succeeded" in weir("explain", "@latest", "never").stdout
    whys = json.loads(weir("explain", "@latest", "never", "-o", "json").stdout)["nodes"]
    assert whys[0]["phase"] == "Omitted" and whys[0]["why"][0] == "depends: flip.Failed"
    done = weir("explain", "@latest", "nobody")
    assert done.returncode == 2 and "no node, step or task `nobody`" in done.stderr
    assert "flip" in weir("explain", "@latest").stdout


def test_why_a_task_waits_for_its_turn(weir, tmp_path):
    (tmp_path / "hold").touch()
    (tmp_path / "turns.yaml").write_text(
        """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: turns}
spec:
  entrypoint: main
  templates:
    - name: main
      parallelism: 1
      dag: {tasks: [{name: a, template: hold}, {name: b, template: hold}]}
    - name: hold
      container: {image: x, command: [sh, -c, "while [ -e %s/hold ]; do sleep 0.02; done"]}
"""
        % tmp_path
    )
    process = subprocess.Popen([WEIR, "run", "turns.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        due = time.monotonic() + 30
        while "Running" not in weir("explain", "turns", "a").stdout and time.monotonic() < due:
            time.sleep(0.02)
        seen = weir("explain", "turns", "b").stdout
        assert "did not begin" in seen and "parallelism of the template: at most 1 at once, 1 are under way" in seen
        assert weir("terminate", "turns").returncode == 0
        process.communicate(timeout=30)
        assert "workflow shutdown with strategy: Terminate" in weir("explain", "turns", "b").stdout
    finally:
        process.kill()
        process.communicate()


def test_why_a_step_of_a_later_group_did_not_begin(weir, tmp_path):
    (tmp_path / "groups.yaml").write_text(
        """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: groups}
spec:
  entrypoint: main
  templates:
    - {name: main, steps: [[{name: a, template: fails}], [{name: b, template: fails}], [{name: c, template: fails}]]}
    - {name: fails, container: {image: x, command: ["false"]}}
"""
    )
    assert weir("run", "groups.yaml").returncode == 1
    assert "begins after the group of steps [0]: Failed" in weir("explain", "groups", "b").stdout
    seen = weir("explain", "groups", "c").stdout
    assert "groups[2].c  did not begin" in seen and "begins after the group of steps [1]: did not begin" in seen
    assert "first group" not in seen
