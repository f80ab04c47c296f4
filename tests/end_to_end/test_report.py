"""`weir report`: what went wrong in a run, and what was done about it."""

import json
import re
import subprocess
import time

import pytest
from conftest import ROOT, WEIR

FLAKY = """
pipeline:
  name: flaky
  inputs: []
  outputs: [third.text]
  components:
    - first:
        run: [sh, -c, "echo try >> tries; test $(wc -l < tries) -ge 3 || { echo not yet >&2; exit 3; }; echo one"]
        inputs: []
        outputs: [text]
        retries: 2
    - second:
        run: [sh, -c, "echo about to fail; echo badly >&2; kill -9 $$"]
        inputs: [first.text]
        outputs: [text]
    - third:
        run: [echo, "{{inputs.second.text}}"]
        inputs: [second.text]
        outputs: [text]
"""
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: wf-}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {name: bad, template: fail}
          - {name: passed, template: fail, continueOn: {failed: true}}
          - {name: after, template: fine, dependencies: [bad]}
    - name: fail
      container: {image: busybox, command: [sh, -c, "exit 7"]}
    - name: fine
      container: {image: busybox, command: [echo, fine]}
"""
PARENT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: parent-}
spec:
  entrypoint: main
  templates:
    - name: main
      plugin: {weir: {run: child.yaml}}
"""
PARTS = {"code", "message"}


@pytest.fixture
def report(weir, tmp_path):
    """Runs a file, which ends with the code, and gives its report."""

    def call(text, code, *arguments, name="r"):
        (tmp_path / f"{name}.yaml").write_text(text)
        done = weir("run", f"{name}.yaml", "--name", name, "-q", *arguments)
        assert done.returncode == code, done.stderr
        said = json.loads(weir("report", name, "-o", "json").stdout)
        assert said["found"] == len(said["incidents"])
        for incident in said["incidents"]:
            assert set(incident) == {"what", "when", "where", "how", "then"}
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", incident["when"]) and incident["then"]
            assert PARTS <= set(incident["how"]) and incident["where"]["run"].startswith(name)
        times = [incident["when"] for incident in said["incidents"]]
        assert times == sorted(times)
        return said

    return call


def of(said, what):
    return [incident for incident in said["incidents"] if incident["what"] == what]


def test_nothing_went_wrong(weir):
    assert weir("run", ROOT / "examples/pipeline/invoice.yaml", "--inputs", "document_id=D0", "page_num=0", "--name", "r").returncode == 0
    line = weir("report", "r").stdout
    assert re.fullmatch(r"r \(pipeline\): Succeeded after \S+, 1 context, 3 tasks, 3 attempts, 1 call; no incidents\n", line)
    said = json.loads(weir("report", "r", "-o", "json").stdout)
    assert said["incidents"] == [] and said["found"] == 0
    assert said["figures"] == {"contexts": 1, "tasks": 3, "attempts": 3, "retries": 0, "calls": 1}
    assert "incidents: []" in weir("report", "r", "-o", "yaml").stdout


def test_tried_again_and_failed_and_skipped(weir, report):
    said = report(FLAKY, 1)
    assert said["phase"] == "Failed" and said["figures"]["retries"] == 2 and said["figures"]["attempts"] == 4
    first, second, last = of(said, "attempt failed")
    for number, incident in ((1, first), (2, second)):
        where, how = incident["where"], incident["how"]
        assert (where["instance"], where["context"], where["task"], where["attempt"]) == ("first", "default", 0, number)
        assert where["executor"] == "process" and where["host"] and where["pid"] > 0
        assert how["exit_code"] == 3 and how["log"].strip() == "not yet"
        assert incident["then"] == "tried again; attempt 3 succeeded"
    assert last["where"]["instance"] == "second" and last["how"]["signal"] == 9
    assert last["how"]["log"].splitlines() == ["about to fail", "badly"]
    assert last["then"] == "the task failed, and with it the run"
    (context,) = of(said, "context failed")
    assert context["where"]["instance"] == "second" and context["how"]["cause"]["signal"] == 9
    (skipped,) = of(said, "skipped")
    assert skipped["where"]["instance"] == "third" and "second.text" in skipped["how"]["message"]
    text = weir("report", "r").stdout
    assert "5 incidents" in text and "     | badly\n" in text and "then: tried again; attempt 3 succeeded" in text
    markdown = weir("report", "r", "-o", "markdown").stdout
    assert markdown.startswith("# r (pipeline): Failed") and markdown.count("\n## ") == 5
    assert markdown.count("```text\n") == markdown.count("```\n") == 4


def test_timed_out_and_passed_over(report):
    said = report("""
definitions: {n: {primitive: int}, m: {primitive: int}, text: {primitive: str}}
operations:
  slow: {name: process.run, inputs: {n: n}, outputs: {result: text}, timeout_us: 50000}
  bad: {name: math.divide, inputs: {a: n}, outputs: {result: m}}
configs: {slow: {command: [sleep, "100"]}, bad: {b: 0}}
seed: [{value: 1, definition: n}]
""", 0, "--no-strict")  # fmt: skip
    (timeout,), (call,) = of(said, "attempt timed out"), of(said, "call failed")
    assert timeout["where"]["instance"] == "slow" and timeout["then"] == "the task failed"
    assert call["where"]["instance"] == "bad" and call["then"] == "the run went on without its outputs"
    assert said["phase"] == "Succeeded" and said["found"] == 2


def test_a_workflow(report):
    said = report(WORKFLOW, 1)
    failed = of(said, "attempt failed")
    assert sorted(incident["where"]["node"] for incident in failed) == ["r.bad", "r.passed"]
    assert all(incident["how"]["exit_code"] == 7 and incident["where"]["template"] == "fail" for incident in failed)
    assert {incident["where"]["node"]: incident["then"] for incident in failed}["r.bad"].endswith("and with it the run")
    assert [incident["where"]["node"] for incident in of(said, "skipped")] == ["r.after"]


def test_child_runs_too(weir, report, tmp_path):
    (tmp_path / "child.yaml").write_text(FLAKY)
    said = report(PARENT, 1)
    assert {incident["where"]["run"] for incident in said["incidents"]} == {"r", "r.0.1"}
    (own,) = [i for i in of(said, "attempt failed") if i["where"]["run"] == "r"]
    cause, depth = own["how"], 0
    while "signal" not in cause and depth < 8:
        cause, depth = cause.get("cause") or cause.get("how"), depth + 1
    assert cause["signal"] == 9
    assert "cause: " in weir("report", "r").stdout


def test_cancelled(weir, tmp_path):
    (tmp_path / "long.yaml").write_text(
        "pipeline:\n  name: long\n  inputs: []\n  outputs: [step.text]\n  components:\n"
        "    - step: {run: [sleep, '100'], inputs: [], outputs: [text]}\n"
    )
    engine = subprocess.Popen([WEIR, "run", "long.yaml", "--name", "r", "-q"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while "attempt.started" not in weir("events", "r").stdout:
            assert engine.poll() is None and time.monotonic() < until
        line = weir("report", "r").stdout
        assert line.startswith("r (pipeline): Running") and line.endswith("no incidents\n")
        assert weir("cancel", "r").returncode == 0
        engine.wait(30)
    finally:
        engine.kill()
        engine.wait()
    said = json.loads(weir("report", "r", "-o", "json").stdout)
    whats = [incident["what"] for incident in said["incidents"]]
    assert whats[0] == "run cancelled" and "attempt cancelled" in whats
    assert of(said, "run cancelled")[0]["then"] == "clean-up still ran"
    assert of(said, "attempt cancelled")[0]["then"] == "the task was given up"
