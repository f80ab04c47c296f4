"""Runs are stopped, resumed and left to another process, from outside; what of it is seen, and what a killed process leaves of it."""

import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import WEIR

STEP = """    - {name}:
        run: [sh, -c, 'echo {name} >> "$0/began"; while [ -e "$0/hold-{name}" ]; do sleep 0.01; done; {end}', "{{{{inputs.folder}}}}"]
        inputs: [folder{after}]
        outputs: [out]
"""
WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec:
  entrypoint: main
{spec}  templates:
    - name: main
      dag:
        tasks:
          - {{name: a, template: say, arguments: {{parameters: [{{name: what, value: a}}]}}}}
          - {{name: b, depends: a, template: say, arguments: {{parameters: [{{name: what, value: b}}]}}}}
    - name: say
      inputs: {{parameters: [{{name: what}}]}}
      container:
        command: [sh, -c, 'echo {{{{inputs.parameters.what}}}} >> {folder}/began; while [ -e {folder}/hold-{{{{inputs.parameters.what}}}} ]; do sleep 0.01; done']
"""


class World:
    """A folder with a state; `hold` keeps the step of that name at work until it is let go."""

    def __init__(self, folder):
        self.folder = folder

    def pipeline(self, steps, ends=None):
        text = "pipeline:\n  name: chain\n  inputs: [folder]\n  outputs: [%s.out]\n  components:\n" % steps[-1]
        for i, name in enumerate(steps):
            end = (ends or {}).get(name, f"printf {name}")
            text += STEP.format(name=name, end=end, after=f", {steps[i - 1]}.out" if i else "")
        (self.folder / "chain.yaml").write_text(text)
        return ["chain.yaml", f"folder={self.folder}"]

    def workflow(self, name="flow", spec=""):
        (self.folder / "flow.yaml").write_text(WORKFLOW.format(name=name, spec=spec, folder=self.folder))
        return ["flow.yaml"]

    def hold(self, name):
        (self.folder / f"hold-{name}").touch()

    def let_go(self, name):
        (self.folder / f"hold-{name}").unlink()

    def call(self, *arguments, code=0, **environment):
        done = subprocess.run(
            [WEIR, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def start(self, *arguments):
        return subprocess.Popen([WEIR, *map(str, arguments)], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def began(self):
        file = self.folder / "began"
        return file.read_text().split() if file.exists() else []

    def phases(self):
        return {run["name"]: run["phase"] for run in json.loads(self.call("list", "-o", "json"))}

    def wait(self, what, why):
        due = time.monotonic() + 30
        while not what():
            assert time.monotonic() < due, why
            time.sleep(0.02)

    def wait_began(self, *names):
        self.wait(lambda: self.began() == list(names), f"{names} did not begin")

    def wait_phase(self, run, phase):
        self.wait(lambda: self.phases().get(run) == phase, f"{run} is not {phase}")

    def engines(self):
        """The processes that serve this state."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
                # A child between its start and its exec looks as its parent does.
                leads = entry.name.isdigit() and os.getsid(int(entry.name)) == int(entry.name)
                if leads and words[1:2] == [b"engine"] and os.readlink(entry / "cwd") == str(self.folder):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def stop_engines(self):
        for pid in self.engines():
            os.kill(pid, signal.SIGTERM)
        self.wait(lambda: not self.engines(), "the engine does not end")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.stop_engines()


def file_of(world, kind):
    return world.pipeline(["a", "b"]) if kind == "pipeline" else world.workflow()


@pytest.mark.parametrize("kind", ["pipeline", "workflow"])
def test_a_suspended_run_begins_nothing_until_it_is_resumed(world, kind):
    world.hold("a")
    run = world.start("run", *file_of(world, kind), *(["--name", "flow"] if kind == "pipeline" else []))
    world.wait_began("a")
    world.call("suspend", "flow")
    world.call("suspend", "flow")  # it is so already
    assert world.phases() == {"flow": "Suspended"}
    assert world.call("list", "--phase", "suspended", "-o", "name") == "flow\n"
    assert json.loads(world.call("get", "flow", "-o", "json"))["phase"] == "Suspended"
    world.let_go("a")
    world.wait(lambda: "attempt.finished" in world.call("events", "flow"), "what was under way did not end")
    time.sleep(0.2)
    assert world.began() == ["a"] and run.poll() is None
    world.call("resume", "flow")
    assert run.wait(30) == 0
    assert world.began() == ["a", "b"] and world.phases() == {"flow": "Succeeded"}
    types = [event["type"] for event in json.loads(world.call("events", "flow", "-o", "json"))]
    assert types.count("run.suspended") == 1 and types.count("run.resumed") == 1
    assert "is over" in world.call("suspend", "flow", code=3) and "is over" in world.call("resume", "flow", code=3)


@pytest.mark.parametrize("end", ["resume", "cancel"])
def test_a_child_run_is_suspended_with_its_parent(world, end):
    world.hold("a")
    world.pipeline(["a", "b"])
    (world.folder / "parent.yaml").write_text(json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "parent"},
        "spec": {"entrypoint": "main", "templates": [
            {"name": "main", "plugin": {"weir": {"run": "chain.yaml", "inputs": {"folder": str(world.folder)}}}}]},
    }))
    run = world.start("run", "parent.yaml")
    world.wait_began("a")
    world.call("suspend", "parent")
    def phases():
        return [run["phase"] for run in json.loads(world.call("list", "--all", "-o", "json"))]
    world.wait(lambda: phases() == ["Suspended", "Suspended"], "its child goes on")
    world.let_go("a")
    time.sleep(0.3)
    assert world.began() == ["a"]
    run.kill()
    run.wait()
    assert phases() == ["Suspended", "Suspended"]
    world.call(end, "parent")
    assert phases() == (["Succeeded", "Succeeded"] if end == "resume" else ["Failed", "Failed"])
    assert world.began() == (["a", "b"] if end == "resume" else ["a"])


def test_a_suspended_run_stays_so_when_its_process_is_killed(world):
    world.hold("a")
    run = world.start("run", *world.pipeline(["a", "b"]), "--name", "r")
    world.wait_began("a")
    world.call("suspend", "r")
    run.kill()
    run.wait()
    world.let_go("a")
    assert world.phases() == {"r": "Suspended"}
    assert world.call("recover", "--all") == ""  # nobody asked it to go on
    recovered = world.start("recover", "r")
    assert "`weir resume r` lets it go on" in recovered.stderr.readline()
    assert world.began() == ["a"] and world.phases() == {"r": "Suspended"}
    recovered.kill()
    recovered.communicate()
    assert json.loads(world.call("resume", "r", "-o", "json"))["results"] == {"b.out": "b"}
    assert world.began() == ["a", "a", "b"]  # its first attempt was lost


def test_what_nobody_drives_is_suspended_and_cancelled(world):
    world.hold("a")
    run = world.start("run", *world.pipeline(["a", "b"]), "--name", "r")
    world.wait_began("a")
    run.kill()
    run.wait()
    world.call("suspend", "r")
    assert world.phases() == {"r": "Suspended"}
    world.call("terminate", "r")
    assert world.phases() == {"r": "Failed"}


def test_a_cancelled_run_is_not_suspended(world):
    world.hold("a")
    run = world.start("run", *world.pipeline(["a", "b"]), "--name", "r")
    world.wait_began("a")
    world.call("suspend", "r")
    world.call("cancel", "r")
    assert run.wait(30) == 1 and world.phases() == {"r": "Failed"}


def test_a_submitted_run_is_driven_by_the_engine_of_the_state(world):
    world.hold("a")
    assert world.call("submit", *world.workflow()) == "flow\n"
    assert world.phases()["flow"] == "Running"  # it is durable
    world.wait_began("a")
    assert len(world.engines()) == 1
    second = json.loads(world.call("run", "--detach", "-o", "json", *world.pipeline(["a", "b"]), "--name", "other"))
    assert second["name"] == "other" and len(second["run"]) == 20
    world.wait(lambda: world.began() == ["a", "a"], "the second does not run beside the first")
    assert len(world.engines()) == 1
    world.call("suspend", "other")
    world.let_go("a")
    world.wait_phase("flow", "Succeeded")
    world.wait(lambda: not world.engines(), "the engine stays, with nothing to do")
    assert world.phases() == {"flow": "Succeeded", "other": "Suspended"}
    world.call("resume", "other", "--detach")
    world.wait_phase("other", "Succeeded")
    assert not any((world.folder / ".weir/queue").iterdir())
    assert "flow: Succeeded" in (world.folder / ".weir/engine.log").read_text()


def test_two_submits_at_once_have_one_engine(world):
    world.hold("a")
    arguments = world.pipeline(["a"])
    both = [world.start("submit", *arguments, "--name", f"r{i}") for i in range(4)]
    assert [one.wait(30) for one in both] == [0] * 4
    world.wait(lambda: world.began() == ["a"] * 4, "not all of them run")
    world.wait(lambda: len(world.engines()) == 1, "there is more than one engine")
    world.let_go("a")
    for i in range(4):
        world.wait_phase(f"r{i}", "Succeeded")


def test_the_next_submit_goes_on_with_what_a_killed_engine_left(world):
    world.hold("b")
    world.call("submit", *world.pipeline(["a", "b"]), "--name", "first")
    world.wait_began("a", "b")
    for pid in world.engines():
        os.kill(pid, signal.SIGKILL)
    world.wait(lambda: not world.engines(), "it does not die")
    world.let_go("b")
    world.call("submit", *world.pipeline(["c"]), "--name", "second")
    world.wait_phase("first", "Succeeded")
    world.wait_phase("second", "Succeeded")
    assert world.began().count("a") == 1


def test_no_more_runs_at_once_than_may_be(world):
    world.hold("a")
    for name in ["one", "two", "three"]:
        world.call("submit", *world.pipeline(["a"]), "--name", name, "--set", "limits.runs=2")
    world.wait_began("a", "a")
    time.sleep(0.3)
    assert world.began() == ["a", "a"]
    world.let_go("a")
    for name in ["one", "two", "three"]:
        world.wait_phase(name, "Succeeded")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--secret", "x=env:HOME"], "secrets:"),
        (["--durability", "none"], "has to be kept"),
        (["--log"], "`--log` is of no use"),
        (["--deadline", "soon"], "--deadline"),
        (["--deadline", "0s"], "--deadline"),
    ],
)
def test_what_cannot_be_left_is_refused(world, arguments, said):
    assert said in world.call("run", "--detach", *world.pipeline(["a"]), *arguments, code=2)
    assert not world.engines()


def test_a_file_that_is_wrong_is_not_submitted(world):
    (world.folder / "wrong.yaml").write_text("pipeline: {name: x}\n")
    assert "wrong.yaml" in world.call("submit", "wrong.yaml", code=2)
    assert not world.engines()


@pytest.mark.parametrize("kind", ["pipeline", "workflow"])
def test_a_run_ends_at_its_deadline(world, kind):
    world.hold("a")
    since = time.monotonic()
    result = world.start("run", *file_of(world, kind), "--deadline", "300ms", "-o", "json")
    out, _ = result.communicate(timeout=30)
    assert result.returncode == 1 and time.monotonic() - since < 15
    error = json.loads(out)["error"]
    assert error["code"] == "expired", error
    assert world.began() == ["a"]


def test_a_workflow_says_its_own_deadline(world):
    world.hold("a")
    text = world.call("run", *world.workflow(spec="  activeDeadlineSeconds: 1\n"), code=1)
    assert "flow failed: " in text and "(expired)" in text
    nodes = {node["displayName"]: node for node in json.loads(world.call("get", "flow", "-o", "json"))["status"]["nodes"].values()}
    assert nodes["a"]["message"] == "Pod was active on the node longer than the specified deadline"


def test_a_deadline_holds_while_a_run_is_suspended_and_after_a_kill(world):
    world.hold("a")
    run = world.start("run", *world.pipeline(["a", "b"]), "--name", "r", "--deadline", "1s")
    world.wait_began("a")
    world.call("suspend", "r")
    run.kill()
    run.wait()
    done = world.start("recover", "r", "-o", "json")
    out, _ = done.communicate(timeout=30)
    assert done.returncode == 1 and json.loads(out)["error"]["code"] == "expired"


# --- what failed, and single tasks, once more


def fails_unless(file):
    return f'[ -e "$0/{file}" ] && printf x'


DIAMOND = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: flow}}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        failFast: false
        tasks:
          - {{name: a, template: say, arguments: {{parameters: [{{name: what, value: a}}]}}}}
          - {{name: bad, depends: a, template: say, arguments: {{parameters: [{{name: what, value: bad}}]}}}}
          - {{name: good, depends: a, template: say, arguments: {{parameters: [{{name: what, value: good}}]}}}}
          - {{name: comfort, depends: bad.Failed, template: say, arguments: {{parameters: [{{name: what, value: comfort}}]}}}}
          - {{name: end, depends: bad && good, template: say, arguments: {{parameters: [{{name: what, value: end}}]}}}}
    - name: say
      inputs: {{parameters: [{{name: what}}]}}
      container:
        command: [sh, -c, 'echo {{{{inputs.parameters.what}}}} >> {folder}/began; [ {{{{inputs.parameters.what}}}} != bad ] || [ -e {folder}/ok ]']
"""


def test_what_failed_is_retried_and_the_rest_stays(world):
    arguments = world.pipeline(["a", "b", "c"], {"a": "date +%N", "b": fails_unless("ok")})
    world.call("run", *arguments, "--name", "r", code=1)
    world.call("retry", "r", code=1)  # it fails once more
    assert world.began() == ["a", "b", "b"]
    (world.folder / "ok").touch()
    assert json.loads(world.call("retry", "r", "-o", "json"))["results"] == {"c.out": "c"}
    assert world.began() == ["a", "b", "b", "b", "c"] and world.phases() == {"r": "Succeeded"}
    assert "nothing failed" in world.call("retry", "r", code=3)
    log = world.call("logs", "r", "a").strip()
    assert log.isdigit()  # that of its one attempt, long ago
    again = json.loads(world.call("recover", "r", "-o", "json"))
    assert again["results"] == {"c.out": "c"}


def test_a_workflow_is_retried_as_its_dependencies_say(world):
    (world.folder / "flow.yaml").write_text(DIAMOND.format(folder=world.folder))
    world.call("run", "flow.yaml", code=1)
    assert sorted(world.began()) == ["a", "bad", "comfort", "good"]
    (world.folder / "ok").touch()
    world.call("retry", "flow")
    assert sorted(world.began()) == ["a", "bad", "bad", "comfort", "end", "good"]
    nodes = {node["displayName"]: node["phase"] for node in json.loads(world.call("get", "flow", "-o", "json"))["status"]["nodes"].values()}
    assert nodes["comfort"] == "Omitted" and nodes["end"] == nodes["good"] == "Succeeded"
    world.call("restart", "flow", "good")
    assert sorted(world.began()) == ["a", "bad", "bad", "comfort", "end", "end", "good", "good"]
    assert "no task `main`" in world.call("restart", "flow", "main", code=2)


def test_a_task_is_restarted_with_what_depends_on_it(world):
    (world.folder / "flow.json").write_text(json.dumps({
        "definitions": {"T": {"primitive": "str"}, "U": {"primitive": "str"}, "V": {"primitive": "str"}, "spec": {"primitive": "array"}},
        "operations": {
            "one": {"name": "process.run", "inputs": {"t": "T"}, "outputs": {"result": "U"}, "configuration": {}},
            "two": {"name": "process.run", "inputs": {"u": "U"}, "outputs": {"result": "V"}},
            "side": {"name": "process.run", "inputs": {"t": "T"}, "outputs": {"result": "spec"}},
        },
        "configs": {
            name: {"command": ["sh", "-c", f"echo {name}-{{{{inputs.{key}}}}} >> {world.folder}/began; printf {{{{inputs.{key}}}}}"]}
            for name, key in [("one", "t"), ("two", "u"), ("side", "t")]
        },
        "flow": {"one": {"inputs": {"t": ["seed"]}}, "two": {"inputs": {"u": [{"one": "result"}]}}, "side": {"inputs": {"t": ["seed"]}}},
    }))
    (world.folder / "contexts.json").write_text(json.dumps({name: [{"value": name, "definition": "T"}] for name in ["x", "y"]}))
    world.call("run", "flow.json", "--contexts", "contexts.json", "--name", "r")
    first = world.began()
    assert sorted(first) == ["one-x", "one-y", "side-x", "side-y", "two-x", "two-y"]
    said = world.call("restart", "r", "one", code=2)
    assert "one in x, one in y" in said and "name the context" in said
    assert "no task `one` in a context `z`" in world.call("restart", "r", "one", "z", code=2)
    world.call("restart", "r", "one", "y")
    assert world.began()[6:] == ["one-y", "two-y"]
    world.call("restart", "r", "side", "x", "--detach")
    world.wait(lambda: world.began()[8:] == ["side-x"], "it is not restarted")
    world.wait_phase("r", "Succeeded")


def test_what_was_stopped_and_says_that_all_went_well_is_done_again(world):
    (world.folder / "chain.yaml").write_text(
        "pipeline:\n  name: chain\n  inputs: []\n  outputs: [a.out]\n  components:\n    - a:\n        inputs: []\n        outputs: [out]\n"
        f"        run: [sh, -c, 'trap \"printf half; exit 0\" TERM; echo a >> {world.folder}/began; "
        f"while [ -e {world.folder}/hold-a ]; do sleep 0.01; done; printf whole']\n"
    )
    world.hold("a")
    run = world.start("run", "chain.yaml", "--name", "r")
    world.wait_began("a")
    world.call("cancel", "r")
    run.communicate(timeout=30)
    world.let_go("a")
    assert json.loads(world.call("retry", "r", "-o", "json"))["results"] == {"a.out": "whole"}
    assert world.began() == ["a", "a"]


SERVED = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: flow}}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {{name: server, template: serve}}
          - {{name: asks, template: ask, depends: server}}
    - name: serve
      daemon: true
      container:
        command: [sh, -c, 'echo serve >> {folder}/began; touch {folder}/up; trap "rm {folder}/up; exit 0" TERM; while :; do sleep 0.01; done']
    - name: ask
      container:
        command: [sh, -c, 'echo ask >> {folder}/began; i=0; until [ -e {folder}/up ]; do i=$((i + 1)); [ $i -lt 500 ] || exit 1; sleep 0.01; done']
"""


def test_what_is_restarted_finds_its_daemon_alive(world):
    (world.folder / "flow.yaml").write_text(SERVED.format(folder=world.folder))
    world.call("run", "flow.yaml")
    assert sorted(world.began()) == ["ask", "serve"]
    world.call("restart", "flow", "asks")
    assert sorted(world.began()) == ["ask", "ask", "serve", "serve"] and world.phases() == {"flow": "Succeeded"}


def test_a_task_of_a_run_that_goes_on_is_restarted(world):
    world.hold("b")
    run = world.start("run", *world.pipeline(["a", "b", "c"]), "--name", "r", "-o", "json")
    world.wait_began("a", "b")
    assert "is not over" in world.call("retry", "r", code=3)
    before = time.monotonic()
    world.call("restart", "r", "a")
    assert time.monotonic() - before < 2
    world.wait_began("a", "b", "a", "b")
    world.call("restart", "r", "b")
    world.wait_began("a", "b", "a", "b", "b")
    assert "no task `c`" in world.call("restart", "r", "c", code=2)  # it was not made yet
    world.let_go("b")
    out, _ = run.communicate(timeout=30)
    assert json.loads(out)["results"] == {"c.out": "c"} and world.began() == ["a", "b", "a", "b", "b", "c"]


def test_a_restarted_run_survives_a_kill(world):
    world.call("run", *world.pipeline(["a", "b", "c"]), "--name", "r")
    world.hold("c")
    run = world.start("restart", "r", "b")
    world.wait(lambda: world.began() == ["a", "b", "c", "b", "c"], "it does not go on")
    run.kill()
    run.wait()
    world.let_go("c")
    assert json.loads(world.call("recover", "r", "-o", "json"))["results"] == {"c.out": "c"}
    assert world.began() == ["a", "b", "c", "b", "c", "c"]


def test_a_cancelled_run_is_retried(world):
    world.hold("b")
    run = world.start("run", *world.pipeline(["a", "b"]), "--name", "r", "--deadline", "60s")
    world.wait_began("a", "b")
    world.call("cancel", "r")
    assert run.wait(30) == 1
    world.let_go("b")
    assert json.loads(world.call("retry", "r", "-o", "json"))["results"] == {"b.out": "b"}
    assert world.began() == ["a", "b", "b"]


NEEDED = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: served-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: base, template: base}
      - {name: serve, template: serve, depends: base}
      - {name: use, template: use, depends: serve}
      - {name: never, template: base, depends: serve.Succeeded && use.Failed}
  - name: base
    container: {image: busybox, command: [sh, -c], args: ['echo base >> did']}
  - name: serve
    daemon: true
    container: {image: busybox, command: [sh, -c], args: ['echo serve >> did; exec sleep 60']}
  - name: use
    container: {image: busybox, command: [sh, -c], args: ['until grep -q serve did; do sleep 0.01; done; echo use >> did']}
"""


def test_a_service_begins_again_with_those_that_need_it(weir, tmp_path):
    """That it was ended does not mean that it is of no use any more: only its users know."""
    (tmp_path / "served.yaml").write_text(NEEDED.replace(" did", f" {tmp_path}/did"))
    ran = weir("run", "served.yaml", "--name", "r", "-q")
    assert ran.returncode == 0, ran.stderr
    did = (tmp_path / "did").read_text().split()
    assert sorted(did) == ["base", "serve", "use"]
    (tmp_path / "did").unlink()  # so that it is waited for again
    again = weir("restart", "r", "use", "-q")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "did").read_text().split() == ["serve", "use"]
    nodes = {node["name"]: node["phase"] for node in json.loads(weir("get", "r", "-o", "json").stdout)["status"]["nodes"].values()}
    assert nodes["r.never"] == "Omitted" and nodes["r.serve"] == "Succeeded"
