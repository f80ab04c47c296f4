"""Mutexes and semaphores: within a run, and between runs of one store that several processes drive."""

import json
import os
import signal
import subprocess
import time

import pytest

from conftest import WEIR

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: NAME}\n"
# Who is within writes its name and takes it away again; whoever is not alone says so.
CRITICAL = """set -e; mkdir FOLDER/in/$0-$$; ls FOLDER/in | wc -l >> FOLDER/seen; echo $0 >> FOLDER/order
while [ ! -e FOLDER/go ]; do sleep 0.01; done; rmdir FOLDER/in/$0-$$"""


def workflow(name, spec):
    return HEAD.replace("NAME", name) + spec


def locked(name, folder, lock="mutexes: [{name: m}]", level="template", priority=0):
    """A workflow of one step that is within the lock until there is a file `go`."""
    own = f"  synchronization: {{{lock}}}\n"
    return workflow(name, f"""spec:
  entrypoint: main
  priority: {priority}
{own if level == "workflow" else ""}  templates:
  - name: main
    steps: [[{{name: a, template: in}}]]
  - name: in
{"  " + own if level == "template" else ""}    container: {{image: x, command: [sh, -c, {json.dumps(CRITICAL.replace("FOLDER", str(folder)))}, {name}]}}
""")


class World:
    def __init__(self, folder, store=None):
        self.folder = folder
        self.more = ["--state", str(folder / "state"), *(["--store", store] if store else [])]
        self.running = []
        (folder / "in").mkdir()

    def file(self, name, text):
        (self.folder / f"{name}.yaml").write_text(text)
        return self.folder / f"{name}.yaml"

    def call(self, *arguments, code=0):
        done = subprocess.run([WEIR, *map(str, arguments), *self.more], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def start(self, name, text, *more):
        command = [WEIR, "run", self.file(name, text), "-o", "json", *more, *self.more]
        process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        return process

    def begun(self, count):
        """Waits until so many are, or were, within."""
        until = time.monotonic() + 30
        while len(self.order()) < count:
            assert time.monotonic() < until, self.order()
            time.sleep(0.01)

    def order(self):
        path = self.folder / "order"
        return path.read_text().split() if path.exists() else []

    def seen(self):
        return [int(line) for line in (self.folder / "seen").read_text().split()]

    def go(self):
        (self.folder / "go").touch()

    def get(self, name):
        return json.loads(self.call("get", name, "-o", "json"))

    def waits(self, name):
        """Waits until the run waits for a lock, and gives its object."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            done = subprocess.run([WEIR, "get", name, "-o", "json", *self.more], cwd=self.folder, capture_output=True, text=True, timeout=60)
            if done.returncode == 0 and "Waiting for" in done.stdout:
                return json.loads(done.stdout)
            time.sleep(0.01)
        raise AssertionError(done.stdout + done.stderr)


def ended(process):
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, out + errors
    return json.loads(out)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path):
    store = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        store = server.url(server.database())
    world = World(tmp_path, store)
    yield world
    world.go()
    for process in world.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_two_processes_have_a_mutex_one_after_the_other(world):
    first = world.start("first", locked("first", world.folder))
    world.begun(1)
    second = world.start("second", locked("second", world.folder))
    seen = world.waits("second")
    node = next(n for n in seen["status"]["nodes"].values() if n["displayName"] == "a")
    assert (node["type"], node["phase"]) == ("Pod", "Pending")
    assert node["message"] == "Waiting for default/Mutex/m lock. Lock status: 0/1"
    assert node["synchronizationStatus"] == {"waiting": "default/Mutex/m"}
    assert seen["status"]["synchronization"] == {"mutex": {"waiting": [{"mutex": "default/Mutex/m"}]}}
    held = world.get("first")["status"]
    holder = next(i for i, n in held["nodes"].items() if n["displayName"] == "a")
    assert held["synchronization"] == {"mutex": {"holding": [{"mutex": "default/Mutex/m", "holder": f"default/first/{holder}"}]}}
    world.go()
    assert "synchronization" not in ended(first)["status"]
    node = next(n for n in ended(second)["status"]["nodes"].values() if n["displayName"] == "a")
    assert node["phase"] == "Succeeded" and "synchronizationStatus" not in node
    assert world.seen() == [1, 1]


def test_a_holder_that_dies_is_released_and_comes_back_behind(world):
    first = world.start("first", locked("first", world.folder))
    world.begun(1)
    second = world.start("second", locked("second", world.folder))
    world.waits("second")
    first.send_signal(signal.SIGKILL)
    first.wait()
    world.begun(2)
    for path in (world.folder / "in").glob("first-*"):
        path.rmdir()  # its process was killed with it, or is when it is gone on with
    third = subprocess.Popen([WEIR, "recover", "first", "-o", "json", *world.more], cwd=world.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    world.running.append(third)
    time.sleep(0.5)
    assert world.order() == ["first", "second"]  # it does not go on without its mutex
    world.go()
    ended(second)
    ended(third)
    assert world.order() == ["first", "second", "first"]


def test_a_workflow_waits_as_a_whole(world):
    first = world.start("first", locked("first", world.folder, level="workflow"))
    world.begun(1)
    second = world.start("second", locked("second", world.folder, level="workflow"))
    status = world.waits("second")["status"]
    assert (status["phase"], status["nodes"]) == ("Pending", {})
    assert status["message"] == "Waiting for default/Mutex/m lock. Lock status: 0/1"
    assert world.get("first")["status"]["synchronization"] == {"mutex": {"holding": [{"mutex": "default/Mutex/m", "holder": "default/first"}]}}
    world.call("stop", "second")
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 1 and json.loads(out)["status"]["message"] == "Stopped with strategy 'Stop'"
    world.go()
    ended(first)
    assert world.order() == ["first"]


def test_who_is_more_urgent_comes_first_then_who_is_older(world):
    world.start("first", locked("first", world.folder))
    world.begun(1)
    for name, priority in (("low", 0), ("later", 0), ("high", 5)):
        world.start(name, locked(name, world.folder, priority=priority))
        world.waits(name)
    world.go()
    for process in world.running:
        ended(process)
    assert world.order() == ["first", "high", "low", "later"]
    assert world.seen() == [1, 1, 1, 1]


def semaphore(limit):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: sem}}\ndata: {{two: '{limit}'}}\n---\n"


def test_a_semaphore_is_had_by_as_many_as_its_limit(world):
    lock = "semaphores: [{configMapKeyRef: {name: sem, key: two}, namespace: other}]"
    runs = [world.start(f"r{i}", semaphore(2) + locked(f"r{i}", world.folder, lock=lock)) for i in range(2)]
    world.begun(2)
    runs.append(world.start("r2", semaphore(2) + locked("r2", world.folder, lock=lock)))
    status = world.waits("r2")["status"]
    assert status["synchronization"] == {"semaphore": {"waiting": [{"semaphore": "other/ConfigMap/sem/two"}]}}
    world.go()
    for run in runs:
        ended(run)
    assert sorted(world.seen())[-1] == 2


def test_limits_of_no_config_map_are_of_the_configuration(tmp_path):
    world = World(tmp_path)
    text = workflow("w", "spec:\n  entrypoint: main\n  templates:\n  - name: main\n    steps: [[{name: a, template: in, withSequence: {count: 4}}]]\n"
                    "  - name: in\n    synchronization: {semaphores: [{database: {key: k}}]}\n"
                    f"    container: {{image: x, command: [sh, -c, {json.dumps(CRITICAL.replace('FOLDER', str(tmp_path)))}, w]}}\n")
    refused = subprocess.run([WEIR, "run", world.file("w", text), *world.more], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2 and "the semaphore default/Database/k has no limit" in refused.stderr
    assert "weir.yaml" in refused.stderr
    (tmp_path / "weir.yaml").write_text("workflow: {semaphores: {k: 3}}\n")
    process = world.start("w", text)
    world.begun(3)
    time.sleep(0.1)
    assert len(world.order()) == 3
    world.go()
    ended(process)
    assert len(world.order()) == 4


def test_a_step_that_waits_too_long_fails_and_the_rest_goes_on(tmp_path):
    world = World(tmp_path)
    first = world.start("first", locked("first", tmp_path))
    world.begun(1)
    text = workflow("w", "spec:\n  entrypoint: main\n  templates:\n  - name: main\n    steps: [[{name: a, template: in, continueOn: {failed: true}}], [{name: b, template: after}]]\n"
                    "  - name: in\n    timeout: 1s\n    synchronization: {mutex: {name: m}}\n    container: {image: x, command: ['true']}\n"
                    "  - name: after\n    container: {image: x, command: ['true']}\n")
    nodes = ended(world.start("w", text))["status"]["nodes"]
    assert {n["displayName"]: n["phase"] for n in nodes.values() if n["type"] == "Pod"} == {"a": "Failed", "b": "Succeeded"}
    world.go()
    ended(first)


def test_locks_need_no_state(tmp_path):
    text = workflow("w", "spec:\n  entrypoint: main\n  synchronization: {mutexes: [{name: w}]}\n  templates:\n  - name: main\n    steps: [[{name: a, template: in, withSequence: {count: 20}}]]\n"
                    f"  - name: in\n    synchronization: {{mutexes: [{{name: m}}]}}\n    container: {{image: x, command: [sh, -c, 'mkdir {tmp_path}/x && rmdir {tmp_path}/x']}}\n")
    (tmp_path / "w.yaml").write_text(text)
    done = subprocess.run([WEIR, "run", "w.yaml", "--durability", "none", "-o", "json"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["w.yaml"]


def test_a_workflow_may_begin_suspended_or_stopped(weir, tmp_path):
    spec = "spec:\n  entrypoint: main\n  EXTRA\n  onExit: bye\n  templates:\n  - {name: main, container: {image: x, command: ['true']}}\n  - {name: bye, container: {image: x, command: ['true']}}\n"
    (tmp_path / "w.yaml").write_text(workflow("w", spec.replace("EXTRA", "suspend: true")))
    assert weir("submit", "w.yaml").returncode == 0
    until = time.monotonic() + 20
    while json.loads(weir("get", "w", "-o", "json").stdout)["phase"] != "Suspended":
        assert time.monotonic() < until
    assert json.loads(weir("get", "w", "-o", "json").stdout)["status"]["nodes"] == {}
    assert weir("resume", "w").returncode == 0
    assert weir("wait", "w").returncode == 0
    for how in ("Stop", "Terminate"):
        (tmp_path / "w.yaml").write_text(workflow(how.lower(), spec.replace("EXTRA", f"shutdown: {how}")))
        done = weir("run", "w.yaml", "-o", "json")
        status = json.loads(done.stdout)["status"]
        assert (done.returncode, status["phase"], status["message"]) == (1, "Failed", f"Stopped with strategy '{how}'")
        assert any(n["displayName"].endswith(".onExit") and n["phase"] == "Succeeded" for n in status["nodes"].values()) == (how == "Stop")


@pytest.mark.parametrize("first,second", [("timeout: '{{inputs.parameters.t}}'", "activeDeadlineSeconds: 60"), ("timeout: 60s", "activeDeadlineSeconds: '{{inputs.parameters.t}}'"), ("timeout: '{{inputs.parameters.t}}'", "activeDeadlineSeconds: '6{{inputs.parameters.t}}'")])
def test_the_shorter_of_two_limits_counts(weir, tmp_path, first, second):
    (tmp_path / "w.yaml").write_text(workflow("w", f"spec:\n  entrypoint: main\n  templates:\n  - name: main\n    inputs: {{parameters: [{{name: t, value: '1'}}]}}\n    {first}\n    {second}\n    container: {{image: x, command: [sleep, '30']}}\n"))
    done = weir("run", "w.yaml", "-o", "json")
    assert done.returncode == 1 and "longer than the specified deadline" in json.loads(done.stdout)["status"]["message"]


@pytest.mark.parametrize("body", ["steps: [[{name: x, template: in}]]", "dag: {tasks: [{name: x, template: in}]}"])
def test_steps_that_wait_can_be_looked_at(tmp_path, body):
    world = World(tmp_path)
    step = f"  - name: in\n    container: {{image: x, command: [sh, -c, {json.dumps(CRITICAL.replace('FOLDER', str(tmp_path)))}, w]}}\n"
    process = world.start("w", workflow("w", f"spec:\n  entrypoint: main\n  templates:\n  - name: main\n    steps: [[{{name: a, template: g}}, {{name: b, template: g}}]]\n  - name: g\n    synchronization: {{mutexes: [{{name: m}}]}}\n    {body}\n{step}"))
    world.begun(1)
    nodes = world.waits("w")["status"]["nodes"].values()
    assert sorted(n["phase"] for n in nodes if n["displayName"] in "ab") == ["Pending", "Running"]
    assert "Waiting for default/Mutex/m lock" in world.call("get", "w")
    world.call("stop", "w")
    process.communicate(timeout=60)
    assert world.get("w")["status"]["phase"] == "Failed"


def test_a_lock_gives_no_place_among_the_pods(tmp_path):
    world = World(tmp_path)
    alone = f"mkdir {tmp_path}/x && sleep 0.4 && rmdir {tmp_path}/x"
    text = workflow("w", f"""spec:
  entrypoint: main
  parallelism: 1
  templates:
  - name: main
    dag:
      tasks:
      - {{name: hold, template: hold}}
      - {{name: a, template: locked}}
      - {{name: soon, template: soon}}
      - {{name: b, template: pod, dependencies: [soon]}}
  - {{name: hold, suspend: {{duration: 0.4s}}, synchronization: {{mutexes: [{{name: m}}]}}}}
  - {{name: soon, suspend: {{duration: 0.2s}}}}
  - {{name: locked, synchronization: {{mutexes: [{{name: m}}]}}, container: {{image: x, command: [sh, -c, '{alone}']}}}}
  - {{name: pod, container: {{image: x, command: [sh, -c, '{alone}']}}}}
""")
    assert ended(world.start("w", text))["status"]["phase"] == "Succeeded"


def test_a_deadline_counts_while_a_run_waits_for_its_locks_again(tmp_path):
    world = World(tmp_path)
    text = locked("first", tmp_path).replace("spec:\n", "spec:\n  activeDeadlineSeconds: 2\n")
    first = world.start("first", text)
    world.begun(1)
    second = world.start("second", locked("second", tmp_path))
    world.waits("second")
    first.send_signal(signal.SIGKILL)
    first.wait()
    world.begun(2)
    for path in (tmp_path / "in").glob("first-*"):
        path.rmdir()
    done = subprocess.run([WEIR, "recover", "first", *world.more], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and world.get("first")["status"]["message"].startswith("child 'first-")
    world.go()
    ended(second)


def test_many_runs_behind_one_mutex_take_their_time_only_once(tmp_path):
    world = World(tmp_path)
    files = [world.file(f"r{i}", workflow(f"r{i}", "spec:\n  entrypoint: main\n  synchronization: {mutexes: [{name: m}]}\n  templates: [{name: main, container: {image: x, command: ['true']}}]\n")) for i in range(12)]
    (tmp_path / "weir.yaml").write_text("limits: {runs: 12}\n")
    for file in files:
        world.call("submit", file)
    for i in range(12):
        world.call("wait", f"r{i}")
        assert world.get(f"r{i}")["status"]["phase"] == "Succeeded"
