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
                if words[1:2] == [b"engine"] and os.readlink(entry / "cwd") == str(self.folder):
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
    time.sleep(0.3)
    assert world.began() == ["a"] and world.phases() == {"r": "Suspended"}
    recovered.kill()
    recovered.wait()
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
    assert "Max duration limit exceeded" in text
    nodes = {node["displayName"]: node for node in json.loads(world.call("get", "flow", "-o", "json"))["nodes"]}
    assert nodes["a"]["message"] == "Step exceeded its deadline"


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
