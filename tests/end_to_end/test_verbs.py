"""Argo's verbs and flags: what fingers know does here what it does there, on runs that another process drives, or nobody."""

import json
import subprocess
import time

import pytest

from conftest import WEIR

WAITING = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec:
  entrypoint: main
  onExit: bye
  templates:
    - name: main
      dag:
        tasks:
          - {{name: a, template: approve, arguments: {{parameters: [{{name: who, value: a}}]}}}}
          - {{name: b, template: approve, arguments: {{parameters: [{{name: who, value: b}}]}}}}
          - {{name: after, depends: a && b, template: say, arguments: {{parameters: [{{name: what, value: "{{{{tasks.a.outputs.parameters.answer}}}}"}}]}}}}
    - name: approve
      inputs: {{parameters: [{{name: who}}]}}
      suspend: {{}}
      outputs: {{parameters: [{{name: answer, valueFrom: {{supplied: {{}}, default: none}}}}]}}
    - name: say
      inputs: {{parameters: [{{name: what}}]}}
      container: {{image: x, command: [echo, "{{{{inputs.parameters.what}}}}"]}}
    - name: bye
      container: {{image: x, command: [echo, bye]}}
"""
HELLO = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: hello-}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: what, value: hello}}]}}
  templates:
    - name: main
      container: {{image: x, command: [sh, -c, "echo {{{{workflow.parameters.what}}}}; exit {code}"]}}
"""


@pytest.fixture
def running(tmp_path):
    """Starts `weir run` of a workflow with two suspended nodes in a process of its own; gives that, once both wait."""
    started = []

    def start(name="waiting"):
        (tmp_path / f"{name}.yaml").write_text(WAITING.format(name=name))
        process = subprocess.Popen([WEIR, "run", f"{name}.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        due = time.monotonic() + 30
        while time.monotonic() < due:
            got = subprocess.run([WEIR, "get", name, "-o", "json"], cwd=tmp_path, capture_output=True, text=True)
            if got.returncode == 0 and len(suspended(json.loads(got.stdout))) == 2:
                return process
            time.sleep(0.02)
        raise AssertionError(got.stderr)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def suspended(workflow):
    return [n for n in workflow["status"].get("nodes", {}).values() if n["type"] == "Suspend" and n["phase"] == "Running"]


def nodes(weir, name):
    return {n["displayName"]: n for n in json.loads(weir("get", name, "-o", "json").stdout)["status"]["nodes"].values()}


def test_node_set_then_resume_some(weir, running):
    process = running()
    assert weir("node", "set", "waiting", "-p", "answer=yes", "--node-field-selector", "displayName=a").returncode == 0
    assert weir("resume", "waiting", "--node-field-selector", "displayName=a").returncode == 0
    assert nodes(weir, "waiting")["b"]["phase"] == "Running"
    assert weir("node", "set", "@latest", "--phase", "Succeeded", "-m", "by hand", "--node-field-selector", "displayName=b").returncode == 0
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "waiting" in output
    seen = nodes(weir, "waiting")
    assert seen["b"]["message"] == "by hand" and seen["a"]["outputs"]["parameters"][0]["value"] == "yes"
    assert "yes" in weir("logs", "waiting", "after").stdout


def test_node_set_wants_something(weir, running):
    running()
    done = weir("node", "set", "waiting")
    assert done.returncode == 2 and "what is to be set?" in done.stderr
    done = weir("node", "set", "waiting", "--phase", "Succeeded", "--node-field-selector", "displayName=nobody")
    assert done.returncode == 2 and "no suspended node" in done.stderr


def test_stop_with_a_selector_fails_those_nodes(weir, running):
    process = running()
    done = weir("stop", "waiting", "--node-field-selector", "displayName=a", "--message", "not today")
    assert done.returncode == 0, done.stderr
    assert weir("resume", "waiting", "--node-field-selector", "displayName=b").returncode == 0
    process.communicate(timeout=30)
    assert process.returncode == 1
    seen = nodes(weir, "waiting")
    assert (seen["a"]["phase"], seen["a"]["message"]) == ("Failed", "not today")
    assert seen["b"]["phase"] == "Succeeded" and seen["waiting.onExit"]["phase"] == "Succeeded"


def test_a_message_without_nodes_is_said_of_nothing(weir, running):
    running()
    done = weir("stop", "waiting", "--message", "x")
    assert done.returncode == 2 and "--node-field-selector" in done.stderr


def test_stop_runs_exit_handlers_and_terminate_does_not(weir, running):
    first, second = running("one"), running("two")
    assert weir("stop", "one", "--dry-run").stdout == "one: would stop\n"
    assert first.poll() is None
    assert weir("stop", "one").returncode == 0
    assert weir("terminate", "two").returncode == 0
    first.communicate(timeout=30), second.communicate(timeout=30)
    assert first.returncode == second.returncode == 1
    assert nodes(weir, "one")["one.onExit"]["phase"] == "Succeeded"
    assert "two.onExit" not in nodes(weir, "two")
    again = weir("stop", "one")
    assert again.returncode == 0 and again.stderr == "one: nothing to stop: it is over (Failed)\n"


def test_several_are_stopped_by_a_label(weir, tmp_path, running):
    (tmp_path / "hello.yaml").write_text(HELLO.format(code=0))
    assert weir("run", "hello.yaml", "-l", "team=x").returncode == 0  # over: not meant
    process = running("one")
    done = weir("terminate", "-l", "team=x")
    assert done.returncode == 0 and process.poll() is None
    done = weir("terminate", "one", "-l", "team=x")
    assert done.returncode == 2 and "by name, or by a filter?" in done.stderr


def test_suspend_and_resume_several(weir, running):
    first, second = running("one"), running("two")
    assert weir("suspend", "one", "two").returncode == 0
    assert {r["name"]: r["phase"] for r in json.loads(weir("list", "-o", "json").stdout)} == {"one": "Suspended", "two": "Suspended"}
    assert "Running (Suspended)" in weir("list", "--running").stdout
    assert weir("resume", "one", "two").returncode == 0
    first.communicate(timeout=30), second.communicate(timeout=30)
    assert first.returncode == second.returncode == 0
    assert weir("wait", "one", "two").returncode == 0


def test_wait_for_what_is_not_there(weir, tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO.format(code=1))
    name = weir("run", "hello.yaml", "-o", "name").stdout.strip()
    assert weir("wait", "nobody").returncode == 2
    assert weir("wait", "nobody", "--ignore-not-found").returncode == 0
    done = weir("wait", "nobody", "@latest", "--ignore-not-found")
    assert done.returncode == 1 and done.stdout == f"{name}: Failed\n"


def test_lists_and_deletes_as_argo(weir, tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO.format(code=0))
    (tmp_path / "fails.yaml").write_text(HELLO.format(code=1))
    names = [weir("run", file, "-o", "name").stdout.strip() for i, file in enumerate(["hello.yaml", "hello.yaml", "fails.yaml"])]
    lines = weir("list", "-A", "-n", "argo", "--chunk-size", "5", "--no-headers").stdout.splitlines()
    assert [line.split()[0] for line in lines] == names[::-1]
    assert weir("list", "-o", "name", "--field-selector", f"metadata.name={names[1]},metadata.namespace=argo").stdout == names[1] + "\n"
    assert weir("list", "--field-selector", "spec.x=1").returncode == 2
    assert weir("list", "-o", "name", "--status", "Failed").stdout == names[2] + "\n"
    assert weir("list", "-o", "name", "--older", "1h").stdout == ""
    assert weir("list", "-o", "name", "--since", "1h", "--prefix", "hello-").stdout.split() == names[::-1]
    assert weir("delete", "--older", "1h").stdout == ""
    assert weir("delete", "--status", "Failed", "--dry-run").stdout == f"{names[2]}: would go\n"
    assert weir("delete", "--completed", "--prefix", names[0], "--query-chunk-size", "9").stdout == f"{names[0]}: deleted\n"
    assert weir("delete", "@latest").returncode == 0
    assert weir("delete", "--all").stdout == f"{names[1]}: deleted\n"
    assert weir("list", "-o", "name").stdout == ""


@pytest.mark.parametrize("command", [["delete"], ["delete", "--dry-run"], ["list"], ["stop"], ["terminate"], ["resubmit"]])
@pytest.mark.parametrize("name", ["*", "hello-*", "?ello"])
def test_a_field_selector_is_no_pattern(weir, tmp_path, command, name):
    (tmp_path / "hello.yaml").write_text(HELLO.format(code=0))
    run = weir("run", "hello.yaml", "-o", "name").stdout
    done = weir(*command, "--field-selector", f"metadata.name={name}")
    assert done.returncode == 2 and "no run's name has" in done.stderr
    if command[0] in ("delete", "list"):
        assert weir(*command, "--prefix", name).returncode == 2
    assert weir("list", "-o", "name").stdout == run


def test_a_label_selector_may_have_commas(weir, tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO.format(code=0))
    name = weir("run", "hello.yaml", "-o", "name", "-l", "a=1", "-l", "b=2").stdout
    assert weir("list", "-o", "name", "-l", "a=1, b=2").stdout == name
    assert weir("list", "-o", "name", "-l", "a=1,b=3").stdout == ""


def test_dry_run_says_what_it_is_for(weir):
    for command in ("stop", "terminate", "delete"):
        assert "only say what would be done" in weir(command, "--help").stdout


def test_version_short(weir):
    short = weir("version", "--short").stdout
    assert weir("version").stdout == "weir " + short


def test_a_workflow_is_told_when_it_was_to_begin(weir, tmp_path):
    (tmp_path / "w.yaml").write_text("""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, annotations: {workflows.argoproj.io/scheduled-time: "2026-01-02T03:04:05Z"}}
spec:
  entrypoint: main
  templates: [{name: main, container: {image: a, command: [echo, "{{workflow.scheduledTime}}"]}}]
""")
    assert weir("run", "w.yaml").stdout == "2026-01-02T03:04:05Z\n"
    assert weir("run", "w.yaml", "--scheduled-time", "2027-01-02T03:04:05Z").stdout == "2027-01-02T03:04:05Z\n"
    assert weir("run", "w.yaml", "--scheduled-time", "soon").returncode == 2
