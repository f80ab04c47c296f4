"""A suspended node that was resumed does not suspend again when the run is gone on with, or begins anew."""

import json
import os
import signal
import subprocess
import time

from conftest import WEIR

WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: ask, template: ask}
    - - {name: work, template: work, arguments: {parameters: [{name: who, value: '{{steps.ask.outputs.parameters.who}}'}]}}
    - - {name: again, template: ask}
  - name: ask
    suspend: {}
    outputs: {parameters: [{name: who, valueFrom: {supplied: {}, default: nobody}}]}
  - name: work
    inputs: {parameters: [{name: who}]}
    container: {image: x, command: [sh, -c, 'echo {{inputs.parameters.who}} >> FOLDER/log; BODY']}
"""


def write(tmp_path, body):
    (tmp_path / "w.yaml").write_text(WORKFLOW.replace("FOLDER", str(tmp_path)).replace("BODY", body.replace("FOLDER", str(tmp_path))))


def nodes(weir):
    done = weir("get", "w", "-o", "json")
    if done.returncode:
        return {}, {}  # it is not there yet
    found = json.loads(done.stdout)
    return {n["displayName"]: n for n in found["status"]["nodes"].values()}, found["status"]


def until(weir, name, phase):
    for _ in range(600):
        all_nodes, status = nodes(weir)
        if name in all_nodes and all_nodes[name]["phase"] == phase:
            return all_nodes, status
        time.sleep(0.02)
    raise AssertionError((name, phase, all_nodes))


def test_a_retry_does_not_ask_again_what_was_answered(weir, tmp_path):
    write(tmp_path, "test -e FOLDER/good")
    process = subprocess.Popen([WEIR, "run", "w.yaml"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(weir, "ask", "Running")
    assert weir("node", "set", "w", "-p", "who=eve").returncode == 0
    assert weir("resume", "w").returncode == 0
    assert process.wait(60) == 1
    (tmp_path / "good").touch()
    process = subprocess.Popen([WEIR, "retry", "w"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found, _ = until(weir, "again", "Running")  # what comes after is asked
    assert found["ask"]["phase"] == "Succeeded"
    assert found["ask"]["outputs"] == {"parameters": [{"name": "who", "value": "eve"}]}
    assert (tmp_path / "log").read_text() == "eve\neve\n"
    assert weir("resume", "w").returncode == 0
    assert weir("wait", "w").returncode == 0
    assert process.wait(60) == 0
    assert json.loads(weir("get", "w", "-o", "json").stdout)["status"]["phase"] == "Succeeded"


def test_a_recovery_does_not_ask_again_what_was_answered(weir, tmp_path):
    write(tmp_path, "while [ ! -e FOLDER/go ]; do sleep 0.01; done")
    process = subprocess.Popen([WEIR, "run", "w.yaml"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(weir, "ask", "Running")
    assert weir("resume", "w").returncode == 0
    until(weir, "work", "Running")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "go").touch()
    process = subprocess.Popen([WEIR, "recover", "w"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found, _ = until(weir, "again", "Running")
    assert found["ask"]["phase"] == "Succeeded"
    assert weir("resume", "w").returncode == 0
    assert process.wait(60) == 0
