"""What runs may take together: tasks wait until there is room, in the order of a scheduler, and say what they waited for."""

import json
import os
import subprocess
import time

import pytest

from conftest import WEIR

MB = 1000 * 1000


def pipeline(**components):
    """Each component is (seconds, resources, estimated seconds or None, names of what it comes after)."""
    parts = {}
    for name, (seconds, resources, estimate, *after) in components.items():
        parts[name] = {
            "inputs": [f"{other}.o" for other in after],
            "outputs": ["o"],
            "run": ["sh", "-c", f"echo {name} >>log; sleep {seconds}; echo {name}"],
            "resources": resources,
        }
        if estimate is not None:
            parts[name]["estimate"] = {"seconds": estimate}
    return {"pipeline": {"name": "p", "inputs": [], "components": parts, "outputs": {name: f"{name}.o" for name in components}}}


@pytest.fixture
def run(tmp_path):
    names = iter("rstuvw")

    def start(file, *options, code=0, environment=None):
        name = file if isinstance(file, str) else "file.yaml"
        if not isinstance(file, str):
            (tmp_path / name).write_text(json.dumps(file))
        ran = subprocess.run(
            [WEIR, "run", name, "--name", next(names), "--events", "events", "--isolation", "none", *options],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, env={**os.environ, **(environment or {})},
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        if code:
            return ran
        return [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]

    return start


def scheduled(events):
    return [event["data"] for event in events if event["type"] == "attempt.scheduled"]


def order(events):
    return [data["instance"] for data in scheduled(events)]


def peak(events, amount="memory"):
    """Of what was taken at once."""
    held, most = {}, 0
    for event in events:
        data = event["data"]
        if event["type"] == "attempt.scheduled":
            held[data["task"]] = data.get(amount, 0)
        elif event["type"] == "attempt.finished" and "task" in data:
            held.pop(data["task"], None)
        most = max(most, sum(held.values()))
    return most


def test_tasks_wait_for_memory_and_say_so(run):
    events = run(pipeline(a=(0.2, {"memory": "1G"}, None), b=(0.2, {"memory": "1G"}, None), c=(0.1, {"memory": 1500 * MB}, None)), "--limit", "memory=2G")
    assert order(events) == ["a", "b", "c"] and peak(events) == 2000 * MB
    waited = scheduled(events)[2]["waited"]
    assert waited["for"] == "memory" and waited["us"] > 150000


def test_what_ends_in_time_passes(run):
    """b waits for a; c ends before that does, d would not."""
    events = run(
        pipeline(
            a=(0.5, {"memory": "1G"}, 0.5), b=(0.1, {"memory": "2G"}, 0.1), d=(0.6, {"memory": "400M"}, 5), c=(0.1, {"memory": "400M"}, 0.1)
        ),
        "--limit", "memory=2G",
    )
    assert order(events) == ["a", "c", "b", "d"] and peak(events) <= 2000 * MB


@pytest.mark.parametrize("way", ["option", "environment", "file", "set"])
def test_limits_are_given_in_each_way(run, tmp_path, way):
    options, environment = [], {}
    if way == "option":
        options = ["--limit", "cpu=1.5", "--limit", "processes=2"]
    elif way == "environment":
        environment = {"WEIR_LIMITS_CPU": "1500m", "WEIR_LIMITS_PROCESSES": "2"}
    elif way == "file":
        (tmp_path / "weir.yaml").write_text("limits: {cpu: 1.5, processes: 2}\n")
    else:
        options = ["--set", "limits.cpu=1.5", "--set", "limits.processes=2"]
    tasks = {f"t{i}": (0.05, {"cpu": 0.5 if i else 1}, None) for i in range(6)}
    events = run(pipeline(**tasks), *options, environment=environment)
    assert peak(events, "cpu_milli") == 1500 and peak(events, "processes") == 2


@pytest.mark.parametrize(
    "option, said",
    [
        ("memory=lots", "limits.memory: `lots` is not a size"),
        ("memory=0", "limits.memory cannot be nothing"),
        ("cpu=-1", "limits.cpu: `-1` is no number of processors"),
        ("processes=0", "limits.processes must be from 1"),
        ("disk=2G", "there is no setting `limits.disk`"),
        ("memory", "limits.memory: `` is not a size"),
    ],
)
def test_wrong_limits(run, option, said):
    assert said in run(pipeline(a=(0, {}, None)), "--limit", option, code=2).stderr


@pytest.mark.parametrize(
    "resources, said",
    [
        ({"memory": "many"}, "resources.memory: `many` is not a size"),
        ({"cpu": 0}, "resources.cpu: `0.000` is no number of processors"),
        ({"gpu": 1}, "resources.gpu: there is no resource `gpu`"),
    ],
)
def test_wrong_resources(run, resources, said):
    assert said in run(pipeline(a=(0, resources, None)), code=2).stderr


def test_what_wants_more_than_there_is_begins_alone(run):
    tasks = {"a": (0.1, {"memory": "100M"}, None), "b": (0.1, {"memory": "50G"}, None), "c": (0.1, {"memory": "100M"}, None)}
    events = run(pipeline(**tasks), "--limit", "memory=1G")
    assert peak(events) == 1000 * MB
    assert {data["instance"]: data["memory"] for data in scheduled(events)}["b"] == 1000 * MB


def test_schedulers_have_their_order(run):
    tasks = {
        "a": (0.01, {"memory": "300M"}, 1), "b": (0.01, {"memory": "100M"}, 1), "c": (0.01, {"memory": "200M"}, 9), "d": (0.01, {"memory": "1M"}, 9, "c"),
    }
    one = ["--set", "limits.attempts=1", "--limit", "memory=1G"]
    assert order(run(pipeline(**tasks), *one)) == ["a", "b", "c", "d"]
    assert order(run(pipeline(**tasks), *one, "--scheduler", "memory")) == ["b", "c", "d", "a"]
    tasks["a"] = (0.01, {}, 1)
    assert order(run(pipeline(**tasks), *one, "--scheduler", "critical-path"))[:2] == ["c", "d"]
    said = run(pipeline(**tasks), "--scheduler", "best", code=2).stderr
    assert "fifo|fair|critical-path|memory" in said


def test_earlier_runs_say_what_is_wanted(run):
    """Nothing is declared, and the second run knows."""
    tasks = {f"t{i}": (0.05, {}, None) for i in range(4)}
    first = run(pipeline(**tasks))
    took = max(event["data"]["usage"]["memory_peak_bytes"] for event in first if event["type"] == "attempt.finished" and "usage" in event["data"])
    second = run(pipeline(**tasks), "--limit", f"memory={took * 3 // 2}")
    assert 0 < peak(second) <= took * 3 // 2 and all(data["memory"] for data in scheduled(second))


def test_sparing_with_memory(run):
    tasks = {f"t{i}": (0.02, {"memory": "500M"}, None) for i in range(4)}
    assert peak(run(pipeline(**tasks), "--optimize", "memory")) == 500 * MB
    assert peak(run(pipeline(**tasks), "--limit", "memory=2G")) == 2000 * MB


WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: fixed
    container: {command: [sleep, "0.1"], resources: {requests: {memory: 600Mi}, limits: {memory: 900Mi}}}
  - name: given
    inputs: {parameters: [{name: memory}]}
    container: {command: [sleep, "0.1"], resources: {requests: {memory: "{{inputs.parameters.memory}}"}}}
  - name: main
    steps:
    - - {name: a, template: fixed}
      - {name: b, template: fixed}
      - {name: c, template: given, arguments: {parameters: [{name: memory, value: 700Mi}]}}
      - {name: d, template: given, arguments: {parameters: [{name: memory, value: 100Mi}]}}
"""


def test_requests_of_a_workflow(run, tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    events = run("w.yaml", "--limit", "memory=1Gi")
    wanted = sorted(data["memory"] >> 20 for data in scheduled(events))
    assert wanted == [100, 600, 600, 700] and peak(events) <= 1 << 30


def test_runs_of_a_process_share_its_limits(run, tmp_path):
    """Two child runs, whose tasks cannot run beside each other."""
    (tmp_path / "child.json").write_text(json.dumps(pipeline(x=(0.1, {"memory": "600M"}, None))))
    child = {"name": "weir.run", "inputs": {"n": "n"}, "outputs": {"result": "r"}, "stage": "processing"}
    flow = {
        "linked": True,
        "definitions": {"n": {"name": "n", "primitive": "int"}, "r": {"name": "r", "primitive": "map"}},
        "operations": {"c": child},
        "configs": {"c": {"file": "child.json"}},
        "seed": [{"definition": "n", "value": i} for i in range(3)],
    }
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    began = time.monotonic()
    ran = subprocess.run([WEIR, "run", "flow.json", "--limit", "memory=1G"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert time.monotonic() - began > 0.3


def test_a_killed_run_goes_on_within_its_limits(run, tmp_path, weir):
    tasks = {f"t{i}": (0.1, {"memory": "600M"}, None) for i in range(5)}
    (tmp_path / "file.yaml").write_text(json.dumps(pipeline(**tasks)))
    command = [WEIR, "run", "file.yaml", "--name", "r", "--isolation", "none", "--limit", "memory=1G", "--scheduler", "memory"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not (tmp_path / "log").exists() or len((tmp_path / "log").read_text()) < 6:
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert weir("recover", "r", "--isolation", "none", "--set", "limits.memory=1G").returncode == 0
    events = json.loads(weir("events", "r", "-o", "json").stdout)
    again = [e for e in events if e["type"] == "run.recovered"]
    at = events.index(again[0])
    assert again and peak(events[at:]) == 600 * MB


PRIORITIES = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  podPriority: 1
  templates:
  - {name: usual, container: {command: ["true"]}}
  - {name: last, priority: -5, container: {command: ["true"]}}
  - {name: urgent, priority: 9, container: {command: ["true"]}}
  - name: main
    dag:
      tasks:
      - {name: a, template: usual}
      - {name: b, template: last}
      - {name: c, template: usual}
      - {name: d, template: urgent, depends: a}
      - {name: e, template: urgent}
"""


@pytest.mark.parametrize("scheduler", ["fifo", "memory"])
def test_priorities_of_templates_order_what_is_ready(run, tmp_path, scheduler):
    (tmp_path / "w.yaml").write_text(PRIORITIES)
    events = run("w.yaml", "--set", "limits.attempts=1", "--scheduler", scheduler)
    assert [data["template"] for data in scheduled(events)] == ["urgent", "usual", "urgent", "usual", "last"]


def test_a_wrong_priority(run, tmp_path):
    (tmp_path / "w.yaml").write_text(PRIORITIES.replace("podPriority: 1", "podPriority: 99999999999"))
    assert "w.yaml:7:3: error: podPriority must be an integer of 32 bits" in run("w.yaml", code=2).stderr


STEPS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec:
  entrypoint: main
  priority: {priority}
  templates:
  - name: step
    container:
      command: [sh, -c, "echo {name} >>{folder}/log; {then}"]
      resources: {{requests: {{memory: 600M}}}}
  - name: main
    dag: {{tasks: [{{name: a, template: step}}, {{name: b, template: step}}]}}
"""


@pytest.mark.parametrize("limit", [{"WEIR_LIMITS_RUNS": "1"}, {"WEIR_LIMITS_MEMORY": "1G"}])
def test_runs_that_one_process_drives_take_turns_by_priority(weir, tmp_path, limit):
    """As long as the first waits, the others come: they begin one after the other, or together and wait for memory."""
    for name, priority in (("z", 0), ("a", -3), ("b", 0), ("c", 7), ("d", 0)):
        then = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done" if name == "z" else "true"
        (tmp_path / f"{name}.yaml").write_text(STEPS.format(name=name, priority=priority, folder=tmp_path, then=then))
        assert weir("submit", f"{name}.yaml", environment=limit).returncode == 0
    (tmp_path / "go").touch()
    assert weir("wait", "a", "b", "c", "d", "z").returncode == 0
    log = (tmp_path / "log").read_text().split()
    if "WEIR_LIMITS_RUNS" in limit:
        assert log == ["z", "z", "c", "c", "b", "b", "d", "d", "a", "a"]
    else:
        log = log[2:] if log[:2] == ["z", "z"] else log[1:]
        assert log[:2] == ["c", "c"] and log[-2:] == ["a", "a"]


def test_a_run_keeps_its_priority_where_it_is_left(weir, tmp_path):
    """It was suspended; who resumes it leaves it to the process that drives the others, one at a time."""
    (tmp_path / "h.yaml").write_text(STEPS.format(name="h", priority=1, folder=tmp_path, then="true").replace("spec:", "spec:\n  suspend: true", 1))
    one = {"WEIR_LIMITS_RUNS": "1"}
    assert weir("submit", "h.yaml", "--priority", "7", environment=one).returncode == 0
    until = time.monotonic() + 30
    while json.loads(weir("get", "h", "-o", "json").stdout)["phase"] != "Suspended" or os.listdir(tmp_path / ".weir/queue"):
        assert time.monotonic() < until
        time.sleep(0.05)
    for name in "zb":
        then = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done" if name == "z" else "true"
        (tmp_path / f"{name}.yaml").write_text(STEPS.format(name=name, priority=0, folder=tmp_path, then=then))
        assert weir("submit", f"{name}.yaml", environment=one).returncode == 0
    wait_for(tmp_path, "z")
    assert weir("resume", "h", environment=one).returncode == 0
    (tmp_path / "go").touch()
    assert weir("wait", "h", "b", "z").returncode == 0
    assert log(tmp_path) == ["z", "z", "h", "h", "b", "b"]
    shown = [line.split() for line in weir("list").stdout.splitlines()]
    assert {line[0]: line[4] for line in shown[1:]} == {"h": "7", "z": "0", "b": "0"}


HELD = {
    "a": (0, {"memory": "600M"}, 5), "b": (0, {"memory": "600M", "cpu": 0.1}, 5), "c": (0, {"memory": "1G"}, None), "d": (0, {}, None, "c"),
}


@pytest.fixture
def held(weir, tmp_path):
    """A run whose first task waits until `go` is there, and keeps others waiting."""
    started = []

    def start(file, name):
        (tmp_path / name).write_text(file)
        command = [WEIR, "run", name, "--name", "r", "--limit", "memory=1G", "-o", "name"]
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        until = time.monotonic() + 30
        while not (tmp_path / "log").exists():
            assert time.monotonic() < until
            time.sleep(0.02)

    yield start
    (tmp_path / "go").touch()
    assert [process.wait(30) for process in started] == [0] * len(started)


def test_the_tree_says_what_waits_for_room(held, weir, tmp_path):
    file = pipeline(**HELD)
    file["pipeline"]["components"]["a"]["run"][2] = "echo >log; while [ ! -e go ]; do sleep 0.05; done; echo a"
    held(json.dumps(file), "file.yaml")
    lines = {line.split()[1]: line for line in weir("get", "r").stdout.splitlines()[1:]}
    assert "wants 600.0 MB of memory; 400.0 MB of 1.0 GB are free, expected in" in lines["b"]
    assert "behind b; wants 1.0 GB of memory" in lines["c"]
    assert "wants" not in lines["a"] and "wants" not in lines["d"]
    # For programs there is `waiting`, and nodes are as they are.
    status = json.loads(weir("get", "r", "-o", "json").stdout)
    assert [entry["name"] for entry in status["waiting"]] == ["b", "c"] and not any("message" in node for node in status["nodes"])


def test_watch_says_what_waits_for_room(held, weir, tmp_path):
    text = STEPS.format(name="w", priority=0, folder=tmp_path, then=f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    held(text, "w.yaml")
    shown = weir("get", "r").stdout
    assert "wants 600.0 MB of memory; 400.0 MB of 1.0 GB are free" in shown
    watch = subprocess.Popen([WEIR, "watch", "r"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    lines = [watch.stdout.readline() for _ in range(3)]
    assert any(line.rstrip().endswith("r.b  Pending  waits for memory") for line in lines), lines
    (tmp_path / "go").touch()
    rest = watch.communicate(timeout=30)[0]
    assert "r.b  Succeeded\n" in rest


def test_what_declares_more_than_a_limit_is_warned_of(weir, tmp_path):
    (tmp_path / "p.yaml").write_text(
        "pipeline:\n  name: p\n  inputs: []\n  components:\n"
        "    a: {inputs: [], outputs: [o], run: [echo, x], resources: {memory: 4G}}\n"
        "    b:\n      inputs: []\n      outputs: [o]\n      run: [echo, y]\n      resources: {memory: 1G, cpu: 3}\n  outputs: [a.o, b.o]\n"
    )
    limits = ["--limit", "memory=2G", "--limit", "cpu=1"]
    for command in (["check", "p.yaml"], ["plan", "p.yaml"], ["run", "p.yaml", "--isolation", "none"]):
        ran = weir(*command, *limits)
        assert ran.returncode == 0
        assert "p.yaml:5:51: warning: `a` wants 4.0 GB of memory, and the limit is 2.0 GB: it has all of that, and runs alone" in ran.stderr
        assert "p.yaml:10:7: warning: `b` wants 3 processors, and the limit is 1" in ran.stderr
        assert ran.stderr.count("warning") == 2
    assert weir("check", "p.yaml").stderr == ""
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    said = weir("check", "w.yaml", "--limit", "memory=100M").stderr
    assert "w.yaml:8:5: warning: `fixed` wants 629.1 MB of memory, and the limit is 100.0 MB" in said and "`given`" not in said


def parsing(count):
    """Pure functions that nobody called cheap."""
    return {
        "linked": True,
        "definitions": {"text": {"name": "text", "primitive": "str"}, "value": {"name": "value", "primitive": "generic"}},
        "operations": {"p": {"name": "json.parse", "inputs": {"text": "text"}, "outputs": {"value": "value"}, "stage": "processing"}},
        "seed": [{"definition": "text", "value": f"[{i}]"} for i in range(count)],
    }


def chosen_in(weir):
    """Of the last run's operation: where, and why there."""
    made = json.loads(weir("explain", "@latest", "p", "-o", "json").stdout)
    chosen = made["operations"][0]["chosen"]
    return chosen["executor"], chosen["for"], chosen


def test_the_executor_is_chosen_by_measured_cost(weir, tmp_path):
    (tmp_path / "f.json").write_text(json.dumps(parsing(5)))
    assert weir("run", "f.json").returncode == 0
    assert "chosen" not in weir("explain", "@latest", "-o", "json").stdout
    assert weir("run", "f.json", "--optimize", "time").returncode == 0
    assert chosen_in(weir)[:2] == ("pool", "unmeasured")
    assert weir("run", "f.json", "--optimize", "time").returncode == 0
    assert chosen_in(weir)[:2] == ("thread", "trial")
    assert "on the run's thread: to measure it there" in weir("explain", "@latest").stdout
    assert weir("run", "f.json", "--optimize", "time").returncode == 0
    where, why, chosen = chosen_in(weir)
    assert why == "time" and where == min(("pool", "thread"), key=lambda place: chosen[place])
    assert "as in earlier runs" in weir("explain", "@latest").stdout
    assert weir("run", "f.json", "--optimize", "energy").returncode == 0
    assert chosen_in(weir)[1] in ("cpu", "time")


def test_energy_is_measured_where_it_can_be_read(run, weir, tmp_path):
    """A step makes the counter go on by three joules; its share is what it worked of what all processors did."""
    package = tmp_path / "powercap/intel-rapl:0"
    package.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("energy_uj", "999000000"), ("max_energy_range_uj", "1000000000")):
        (package / name).write_text(text)
    tasks = pipeline(a=(0, {}, None))
    script = f"i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done; echo 2000000 >{package}/energy_uj; echo a"
    tasks["pipeline"]["components"]["a"]["run"][2] = script
    events = run(tasks, "--optimize", "energy", environment={"WEIR_POWERCAP": str(tmp_path / "powercap")})
    usage, = (event["data"]["usage"] for event in events if event["type"] == "attempt.finished" and "executor" in event["data"].get("usage", {}))
    assert usage["executor"] == "process" and 0 < usage["energy_uj"] <= 3000000
    assert "    energy" in weir("explain", "@latest", "a").stdout


@pytest.mark.parametrize("optimize, expected", [("memory", ["b", "a", "c"]), ("time", ["c", "a", "b"]), ("energy", ["c", "a", "b"])])
def test_what_is_to_be_spared_says_the_order(run, optimize, expected):
    tasks = pipeline(a=(0, {"memory": "300M"}, 2), b=(0, {"memory": "100M"}, 1), c=(0, {"memory": "400M"}, 9))
    one = ["--set", "limits.attempts=1", "--optimize", optimize]
    assert order(run(tasks, *one)) == expected
    if optimize == "time":
        assert order(run(tasks, *one, "--scheduler", "fifo")) == ["a", "b", "c"]


def available():
    """What this machine, or the group that this is in, has of memory now, about."""
    lines = dict(line.split(":") for line in open("/proc/meminfo"))
    return int(lines["MemAvailable"].split()[0]) * 1024


@pytest.fixture
def terminals(tmp_path):
    """Runs in processes of their own, which share a book that is only theirs."""
    started = []

    def start(name, wish, seconds=0, until=None, tasks=1):
        command = f"echo begin-{name} >>log; " + (f"while [ ! -e {until} ]; do sleep 0.02; done; " if until else f"sleep {seconds}; ") + f"echo end-{name} >>log"
        parts = {f"t{i}": {"inputs": [], "outputs": ["o"], "run": ["sh", "-c", command], "resources": {"memory": wish}} for i in range(tasks)}
        (tmp_path / f"{name}.json").write_text(json.dumps({"pipeline": {"name": name, "inputs": [], "components": parts, "outputs": {part: f"{part}.o" for part in parts}}}))
        process = subprocess.Popen(
            [WEIR, "run", f"{name}.json", "--name", name, "--state", name, "--isolation", "none", "--set", "limits.attempts=1", "-o", "name"],
            cwd=tmp_path, stdout=subprocess.DEVNULL, env={**os.environ, "WEIR_ROOM": str(tmp_path / "room")},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(30)


def log(tmp_path):
    return (tmp_path / "log").read_text().split() if (tmp_path / "log").exists() else []


def wait_for(tmp_path, *lines):
    until = time.monotonic() + 30
    while not set(lines) <= set(log(tmp_path)):
        assert time.monotonic() < until, log(tmp_path)
        time.sleep(0.02)


def test_processes_do_not_begin_tasks_in_the_same_memory(terminals, tmp_path):
    """Each state has a process of its own, and each task wants more than half of what the machine has."""
    wish = available() * 6 // 10
    runs = [terminals(name, wish, 0.05, tasks=3) for name in "abc"]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    lines = log(tmp_path)
    assert len(lines) == 18 and all(lines[i + 1] == "end-" + lines[i].removeprefix("begin-") for i in range(0, 18, 2)), lines


def test_what_a_killed_process_had_is_free(terminals, tmp_path):
    wish = available() * 6 // 10
    first = terminals("a", wish, until="never")
    wait_for(tmp_path, "begin-a")
    second = terminals("b", wish)
    small = terminals("c", "1M")
    assert small.wait(30) == 0 and "begin-b" not in log(tmp_path)
    first.kill()
    assert second.wait(30) == 0
    assert subprocess.run([WEIR, "explain", "b", "--state", "b"], cwd=tmp_path, capture_output=True, text=True).stdout.count("waited") == 1
    (tmp_path / "never").touch()
