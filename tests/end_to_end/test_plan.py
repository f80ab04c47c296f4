"""`weir plan` says what a run will take: by what the file says, and by earlier runs; and how good that was is kept."""

import json
import re
import shlex
import time
from xml.etree import ElementTree

import pytest

from conftest import ROOT

PIPELINE = """
pipeline:
  name: build
  inputs: []
  outputs: [pack.file]
  components:
    - fetch: {run: [sleep, "0.05"], inputs: [], outputs: [text], estimate: {seconds: 2, memory: 100M}}
    - compile: {run: [sleep, "0.05"], inputs: [fetch.text], outputs: [objects], estimate: {seconds: 10, high: 15, memory: 1G}}
    - document: {run: [sleep, "0.05"], inputs: [fetch.text], outputs: [pages], estimate: {seconds: 4, memory: 200M}}
    - pack: {run: [echo, x], inputs: [compile.objects, document.pages], outputs: [file], estimate: {seconds: 1}}
"""

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: list, template: list}
    - - {name: each, template: each, withParam: "{{steps.list.outputs.result}}", arguments: {parameters: [{name: number, value: "{{item}}"}]}}
  - name: list
    script: {image: x, command: [sh], source: "echo '[1, 2, 3]'"}
  - name: each
    inputs: {parameters: [{name: number}]}
    container: {image: x, command: [sleep], args: ["0.2"]}
"""


@pytest.fixture
def plan(weir, tmp_path):
    def plan(text, *arguments):
        (tmp_path / "f.yaml").write_text(text)
        done = weir("plan", "f.yaml", *arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return plan


def test_what_a_file_says(plan, weir):
    said = plan(PIPELINE)
    assert (said["kind"], said["tasks"], said["at_least"], said["unknown"]) == ("pipeline", 4, False, 0)
    assert (said["seconds"], said["high"], said["work"], said["memory"], said["at_once"]) == (13, 18, 17, 1200000000, 2)
    path = said["critical_path"]
    assert (path["seconds"], [step["name"] for step in path["steps"]]) == (13, ["fetch", "compile", "pack"])
    assert path["steps"][1] == {"name": "compile", "operation": "process.run", "tasks": 1, "seconds": 10, "high": 15, "memory": 1000000000, "basis": "file"}
    text = weir("plan", "f.yaml").stdout
    assert text.startswith("f.yaml: a pipeline of 4 tasks\n  time      about 13.0s (to 18.0s), 2 at once at most\n")
    assert "the longest way\n  fetch " in text and "memory    1.2 GB" in text


def test_what_is_not_known_is_said(plan, weir):
    said = plan(PIPELINE.replace(", estimate: {seconds: 4, memory: 200M}", ""))
    assert said["unknown"] == 1 and [step["name"] for step in said["not_known"]] == ["document"]
    text = weir("plan", "f.yaml").stdout
    assert "time      at least 13.0s" in text and "how long is not known of 1: `estimate: {seconds: …, memory: …}` says it, or a run does\n  document\n" in text
    refused = weir("plan", "f.yaml", "--input", "nothing=1")
    assert refused.returncode == 2 and "the pipeline has no input `nothing`" in refused.stderr


def test_earlier_runs_say_how_many_and_how_long(plan, weir):
    first = plan(WORKFLOW)
    assert (first["tasks"], first["at_least"], first["unknown"]) == (2, True, 2)
    assert [step["name"] for step in first["not_counted"]] == ["main[1].each"]
    for _ in range(2):
        assert weir("run", "f.yaml").returncode == 0
    then = plan(WORKFLOW)
    assert (then["tasks"], then["at_least"], then["unknown"]) == (4, False, 0)
    each = next(step for step in then["steps"] if step["name"] == "main[1].each")
    assert each["basis"] == "history" and each["tasks"] == 3 and 0.2 <= each["seconds"] < 1 and each["memory"] > 0
    assert then["seconds"] >= 0.2
    # The same operation in another file is the same, whatever it is called there; another command is not.
    other = plan(WORKFLOW.replace("name: main", "name: other").replace("entrypoint: main", "entrypoint: other"))
    assert other["unknown"] == 0
    assert plan(WORKFLOW.replace('"0.2"', '"0.3"'))["unknown"] == 1


def test_what_tasks_took_outlives_their_runs(plan, weir):
    plan(PIPELINE.replace(", estimate: {seconds: 4, memory: 200M}", ""))
    assert weir("run", "f.yaml").returncode == 0
    assert weir("delete", "--all", "--force").returncode == 0 or weir("prune", "--older", "0s").returncode == 0
    assert json.loads(weir("plan", "f.yaml", "-o", "json").stdout)["unknown"] == 0


def test_estimated_and_actual_stand_side_by_side(plan, weir):
    plan(PIPELINE)
    assert weir("run", "f.yaml", "--name", "one").returncode == 0
    for command in ("get", "report"):
        got = json.loads(weir(command, "one", "-o", "json").stdout)
        assert got["estimate"] == {"seconds": 13, "high": 18, "course": 13, "tasks": 4}
    (row,) = json.loads(weir("query", "SELECT estimated_us FROM derived", "-o", "json").stdout)
    assert row == {"estimated_us": 13000000} or row == [13000000]
    assert "13.0s estimated" in weir("report", "one").stdout


def test_input_sizes_are_kept(weir, tmp_path):
    (tmp_path / "f.yaml").write_text(
        "pipeline:\n  name: p\n  inputs: [text]\n  outputs: [count.n]\n  components:\n"
        '    - count: {run: [wc, -c], config: {stdin: "{{inputs.text}}"}, inputs: [text], outputs: [n]}\n')
    for size in (10, 1000):
        assert weir("run", "f.yaml", "--input", "text=" + "x" * size).returncode == 0
    rows = json.loads(weir("query", "SELECT a.input_bytes AS size, h.input_bytes AS kept FROM attempts a"
                           " JOIN history h ON h.run = a.run AND h.name = 'count' ORDER BY 1", "-o", "json").stdout)
    assert [list(row.values()) if isinstance(row, dict) else row for row in rows] == [[10, 10], [1000, 1000]]
    before = weir("query", "SELECT * FROM attempts", "-o", "json").stdout
    assert weir("doctor", "--rebuild").returncode == 0
    assert weir("query", "SELECT * FROM attempts", "-o", "json").stdout == before


GROWS = """
pipeline:
  name: grows
  inputs: [file]
  outputs: [behind.x]
  components:
    - read: {run: [sh, -c, 'sleep $(awk "BEGIN {print 0.1 + $(stat -c %s {{inputs.file}}) / 1e8}")'], inputs: [file], outputs: [x]}
    - behind: {run: [sh, -c, 'sleep $(awk "BEGIN {print 0.1 + $(stat -L -c %s latest) / 2e8}")'], inputs: [read.x], outputs: [x]}
"""


def test_the_size_of_inputs_counts(weir, tmp_path):
    """Of files that inputs name; what is behind, and nobody knows the inputs of, goes by what the run is given."""
    (tmp_path / "f.yaml").write_text(GROWS)
    for name, size in (("small", 1000), ("large", 80_000_000), ("middle", 40_000_000)):
        with open(tmp_path / name, "wb") as file:
            file.truncate(size)
        (tmp_path / "latest").unlink(missing_ok=True)
        (tmp_path / "latest").symlink_to(name)
        if name != "middle":
            assert weir("run", "f.yaml", f"file={name}").returncode == 0
    said = json.loads(weir("plan", "f.yaml", "file=middle", "-o", "json").stdout)
    read, behind = [step["seconds"] for step in said["steps"]]
    rows = json.loads(weir("query", "SELECT name, sum(wall_us) AS us FROM history GROUP BY name", "-o", "json").stdout)
    both = {row["name"]: row["us"] / 1e6 for row in rows}
    assert 0.8 <= read / (both["read"] / 2) <= 1.2 and 0.8 <= behind / (both["behind"] / 2) <= 1.2, (said["steps"], both)
    small = json.loads(weir("plan", "f.yaml", "file=small", "-o", "json").stdout)
    assert small["steps"][0]["seconds"] < both["read"] / 3 and small["steps"][1]["seconds"] < both["behind"] / 3
    rows = json.loads(weir("query", "SELECT input_bytes FROM attempts WHERE input_bytes > 100 ORDER BY 1", "-o", "json").stdout)
    assert [list(row.values())[0] if isinstance(row, dict) else row for row in rows] == [1005, 80000005]


ARTIFACT = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: a-}
spec:
  entrypoint: main
  templates:
  - name: main
    inputs: {artifacts: [{name: data, raw: {data: "DATA"}}]}
    steps:
    - - {name: count, template: count, arguments: {artifacts: [{name: data, from: "{{inputs.artifacts.data}}"}]}}
  - name: count
    inputs: {artifacts: [{name: data, path: /tmp/in}]}
    container: {image: x, command: [sh, -c], args: ['sleep $(awk "BEGIN {print 0.1 + $(stat -c %s /tmp/in) / 1e5}")']}
"""


def test_the_size_of_artifacts_counts(weir, tmp_path):
    for size in (100, 60_000, 30_000):
        (tmp_path / "f.yaml").write_text(ARTIFACT.replace("DATA", "x" * size))
        if size != 30_000:
            assert weir("run", "f.yaml").returncode == 0
    (step,) = json.loads(weir("plan", "f.yaml", "-o", "json").stdout)["steps"]
    assert 0.32 <= step["seconds"] <= 0.48, step


SLEEPS = """
pipeline:
  name: sleeps
  inputs: []
  outputs: [last.x]
  components:
    - first: {run: [sleep, "0.3"], inputs: [], outputs: [x]}
    - left: {run: [sleep, "0.5"], inputs: [first.x], outputs: [x]}
    - right: {run: [sleep, "0.2"], inputs: [first.x], outputs: [x]}
    - last: {run: [sleep, "0.2"], inputs: [left.x, right.x], outputs: [x]}
"""
ROWS = re.findall(r"^\| `examples/([^`]*)` \|", (ROOT / "examples/README.md").read_text(), re.MULTILINE)
NEED_MORE = ("shouldi/", "chat/")  # packages of Python, a server
EXAMPLES = [row for row in ROWS if "." in row.split()[0] and not row.endswith(".c") and not row.startswith(NEED_MORE)]
EXAMPLES += ["workflow/artifacts.yaml", "sleeps"]
FLOOR_S = 0.05  # below that nobody waits for it


@pytest.mark.parametrize("row", EXAMPLES)
def test_repeated_runs_of_examples_take_what_was_estimated(weir, tmp_path, row):
    """All that need no site. What the machine does beside shows in how far the runs are apart: no estimate is closer than they are."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "sleeps.yaml").write_text(SLEEPS)
    words = ["sleeps.yaml"] if row == "sleeps" else shlex.split("examples/" + row)
    took = []
    for _ in range(5):
        done = weir("run", *words, "--name", f"r{len(took)}")
        assert done.returncode == 0, done.stderr
        took.append(json.loads(weir("report", f"r{len(took)}", "-o", "json").stdout)["took_us"] / 1e6)
    said = json.loads(weir("plan", *words, "-o", "json").stdout)
    later = sorted(took[1:])
    actual = (later[1] + later[2]) / 2
    assert said["unknown"] == 0
    assert abs(said["seconds"] - actual) <= max(0.2 * actual, FLOOR_S, later[-1] - later[0]), (said["seconds"], took)


def test_a_run_that_goes_on_says_how_long_it_still_takes(weir, tmp_path):
    (tmp_path / "f.yaml").write_text(PIPELINE.replace('run: [sleep, "0.05"], inputs: [fetch', 'run: [sleep, "30"], inputs: [fetch'))

    def got_when(is_so):
        """What is known of the run, once that is so: what was asked of it is seen a moment later."""
        until = time.monotonic() + 30
        while not is_so(got := json.loads(weir("get", "one", "-o", "json").stdout)):
            assert time.monotonic() < until, got
        return got

    assert weir("run", "f.yaml", "--detach", "--name", "one").returncode == 0
    compiling = lambda got: any(node.get("name") == "compile" and node["phase"] == "Running" for node in got["nodes"])
    assert 8_000_000 < got_when(compiling)["left_us"] < 13_000_000
    assert weir("suspend", "one").returncode == 0
    assert got_when(lambda got: "left_us" not in got)["phase"] == "Suspended"
    assert weir("terminate", "one").returncode == 0
    assert "left_us" not in got_when(lambda got: got["phase"] not in ("Running", "Suspended"))

LOOP = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  parallelism: 8
  templates:
  - name: main
    steps:
    - - {name: each, template: each, withSequence: {count: "1000"}, arguments: {parameters: [{name: number, value: "{{item}}"}]}}
  - name: each
    inputs: {parameters: [{name: number}]}
    metadata: {annotations: {"weir.estimate/seconds": "0.04"}}
    container: {image: x, command: [sh, -c], args: ["sleep 0.12"]}
"""


def test_what_is_over_corrects_what_is_left(weir, tmp_path):
    """A loop of 1,000 that was to take 5 s in all, and takes three times as long so far."""
    (tmp_path / "f.yaml").write_text(LOOP)
    assert weir("plan", "f.yaml", "-o", "json").stdout.count('"seconds": 5.0')
    assert weir("run", "f.yaml", "--detach", "--name", "one").returncode == 0
    until, over = time.monotonic() + 30, 0
    while time.monotonic() < until and over < 100:
        got = json.loads(weir("get", "one", "-o", "json").stdout)
        over = sum(node["phase"] == "Succeeded" for node in got["status"].get("nodes", {}).values())
    left = got["left_us"] / 1e6
    assert (1000 - over) * 0.12 / 8 * 0.9 < left < 25, (left, over)
    assert weir("terminate", "one").returncode == 0


LIMITED = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: locked}
      - {name: b, template: locked}
      - {name: narrow, template: narrow}
  - name: narrow
    parallelism: 2
    steps:
    - - {name: each, template: work, withSequence: {count: "4"}}
  - name: locked
    synchronization: {mutex: {name: one}}
    metadata: {annotations: {"weir.estimate/seconds": "3"}}
    container: {image: x, command: [x]}
  - name: work
    metadata: {annotations: {"weir.estimate/seconds": "2", "weir.estimate/memory": 1G}}
    container: {image: x, command: [x]}
"""


def test_a_plan_keeps_to_limits_as_a_run_does(plan, weir):
    assert plan(LIMITED)["seconds"] == 6  # the lock: one behind the other; at most two at once: 4
    assert plan(LIMITED, "--limit", "memory=1G")["seconds"] == 8
    assert plan(PIPELINE, "--mode", "sync")["seconds"] == 17
    independent = PIPELINE.replace("inputs: [fetch.text]", "inputs: []")
    assert plan(independent, "--set", "limits.attempts=1")["seconds"] == 15  # fetch leads nowhere


def test_pictures_of_a_plan(plan, weir):
    plan(PIPELINE)
    dot = weir("plan", "f.yaml", "-o", "dot").stdout
    assert dot.startswith("digraph") and dot.count(" -> ") == 4 and dot.count("penwidth=2.5") == 2
    assert "compile" in dot and "10.0s, 1.0 GB" in dot
    mermaid = weir("plan", "f.yaml", "-o", "mermaid").stdout
    assert mermaid.count(" ==> ") == 2 and mermaid.count(" --> ") == 2 and mermaid.count(":::critical") == 3
    svg = weir("plan", "f.yaml", "-o", "svg").stdout
    assert svg.count('class="operation strong"') == 3 and svg.count('class="edge strong"') == 2
    ElementTree.fromstring(svg)
    course = ElementTree.fromstring(weir("plan", "f.yaml", "-o", "gantt-svg").stdout)
    bars = [bar for bar in course.iter("{http://www.w3.org/2000/svg}rect")]
    widths = [float(bar.get("width")) for bar in bars]
    assert [bar.get("class") for bar in bars] == ["bar strong", "bar strong", "bar", "bar strong"]
    assert abs(widths[1] - 5 * widths[0]) < 1 and abs(widths[2] - 2 * widths[0]) < 1
    lines = weir("plan", "f.yaml", "-o", "gantt", "--no-utf8").stdout.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["fetch", "compile", "document", "pack"]
    assert lines[1].count("#") in range(55, 66) and lines[2].count("=") in range(20, 28) and lines[1].endswith(" 10.0s")
    refused = weir("plan", "f.yaml", "-o", "png")
    assert refused.returncode == 2 and "gantt-svg" in refused.stderr


def test_tries_that_fail_count(plan, weir, tmp_path):
    """Each run's first try fails: the next plan expects two of each task, and is about right."""
    shaky = """
pipeline:
  name: p
  inputs: []
  outputs: [shaky.text]
  components:
    - shaky: {run: [sh, -c, "sleep 0.1; test -e mark && rm mark || ! touch mark"], inputs: [], outputs: [text], retries: 2}
"""
    assert "tries" not in plan(shaky)["steps"][0]
    for _ in range(2):
        began = time.monotonic()
        assert weir("run", "f.yaml", "--isolation", "none").returncode == 0
        took = time.monotonic() - began
    said = plan(shaky)
    assert said["steps"][0]["tries"] == 2
    assert said["work"] >= 2 * said["steps"][0]["seconds"] - 0.001 and said["seconds"] < 2 * took


def test_tries_of_a_retry_strategy_count(plan, weir, tmp_path):
    """The third try of each run succeeds; between them are 200 ms."""
    flaky = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  templates:
  - name: main
    retryStrategy: {limit: 5, backoff: {duration: 200ms}}
    container: {image: x, command: [sh, -c, "sleep 0.1; [ {{retries}} -ge 2 ]"]}
"""
    assert "tries" not in plan(flaky)["steps"][0]
    for _ in range(2):
        began = time.monotonic()
        assert weir("run", "f.yaml", "--executor", "process").returncode == 0
        took = time.monotonic() - began
    said = plan(flaky)
    assert said["steps"][0]["tries"] == 3 and said["tasks"] == 1
    assert said["work"] >= 3 * said["steps"][0]["seconds"] + 0.399 and said["seconds"] < 2 * took


@pytest.mark.parametrize("scheduler, first", [("fifo", "long"), ("fair", "long"), ("memory", "small"), ("critical-path", "head")])
def test_the_course_is_that_of_the_scheduler(plan, weir, scheduler, first):
    """What is named first has no reason to be first but its order, its memory or what comes behind it."""
    text = """
pipeline:
  name: p
  inputs: []
  outputs: [long.o, small.o, tail.o]
  components:
    - long: {run: [echo], inputs: [], outputs: [o], estimate: {seconds: 3, memory: 300M}}
    - small: {run: [echo], inputs: [], outputs: [o], estimate: {seconds: 3, memory: 1M}}
    - head: {run: [echo], inputs: [], outputs: [o], estimate: {seconds: 1, memory: 500M}}
    - tail: {run: [echo], inputs: [head.o], outputs: [o], estimate: {seconds: 9, memory: 500M}}
"""
    assert plan(text, "--set", "limits.attempts=1", "--scheduler", scheduler)["seconds"] == 16
    drawn = weir("plan", "f.yaml", "--set", "limits.attempts=1", "--scheduler", scheduler, "-o", "gantt", "--no-utf8").stdout
    begins = {line.split()[0]: re.search("[#=]", line).start() for line in drawn.splitlines() if re.search("[#=]", line)}
    assert min(begins, key=begins.get) == first, drawn
