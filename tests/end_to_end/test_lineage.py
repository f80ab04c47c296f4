"""`weir lineage`: where values came from and what came of them, in every kind of run."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import ROOT, WEIR

# What examples/words counts there.
TEXTS = list((ROOT / "examples").rglob("*.md"))
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: greet-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: world}, {name: mark, value: "!"}]}
  templates:
    - name: main
      inputs: {parameters: [{name: who}]}
      outputs: {parameters: [{name: said, valueFrom: {parameter: "{{tasks.b.outputs.parameters.result}}"}}]}
      dag:
        tasks:
          - {name: a, template: say, arguments: {parameters: [{name: text, value: "hello {{inputs.parameters.who}}"}]}}
          - {name: b, template: loud, dependencies: [a], arguments: {parameters: [{name: text, value: "{{tasks.a.outputs.result}}"}]}}
          - {name: c, template: say, arguments: {parameters: [{name: text, value: alone}]}}
    - name: loud
      inputs: {parameters: [{name: text}]}
      outputs: {parameters: [{name: result, valueFrom: {parameter: "{{steps.one.outputs.result}}"}}]}
      steps:
        - - {name: one, template: say, arguments: {parameters: [{name: text, value: "{{inputs.parameters.text}}{{workflow.parameters.mark}}"}]}}
    - name: say
      inputs: {parameters: [{name: text}]}
      container: {image: busybox, command: [echo, "{{inputs.parameters.text}}"]}
"""
VALIDATED = """
definitions:
  age: {primitive: int, validate: checked}
  valid_age: {primitive: int}
  next_age: {primitive: int}
  spec: {primitive: array}
operations:
  checked: {name: math.absolute, inputs: {number: age}, outputs: {result: valid_age}, validator: true}
  later: {name: math.add, inputs: {a: valid_age}, outputs: {result: next_age}}
  get_single: {inputs: {spec: spec}, stage: output}
configs: {later: {b: 1}}
seed: [{value: [next_age], definition: spec}]
"""
SLOW = """
definitions: {n: {primitive: int}, m: {primitive: int}, text: {primitive: str}}
operations:
  first: {name: math.add, inputs: {a: n}, outputs: {result: m}}
  slow: {name: process.run, inputs: {m: m}, outputs: {result: text}}
configs:
  first: {b: 1}
  slow: {command: [sh, -c, "echo got {{inputs.m}}; while [ ! -e go ]; do sleep 0.02; done"]}
seed: [{value: 4, definition: n}]
"""


class Lineage:
    """An answer, with its nodes by id."""

    def __init__(self, answer):
        self.answer = answer
        self.nodes = {node["id"]: node for node in answer["nodes"]}
        assert len(self.nodes) == len(answer["nodes"]), "each node stands once"
        self.back = {}
        for edge in answer["edges"]:
            assert edge["from"] in self.nodes and edge["to"] in self.nodes
            self.back.setdefault(edge["to"], []).append(edge["from"])

    def names(self, kind="operation"):
        name = "instance" if kind == "operation" else "definition"
        return sorted(node[name] for node in self.nodes.values() if node["type"] == kind)

    def values(self, definition):
        return [n["value"] for n in self.nodes.values() if n["type"] == "value" and n["definition"] == definition]

    def one(self, **members):
        found = [n for n in self.nodes.values() if all(n.get(key) == value for key, value in members.items())]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def lineage(weir):
    def call(run, what, *options, **more):
        done = weir("lineage", run, what, "-o", "json", *options, **more)
        assert done.returncode == 0, done.stderr
        return Lineage(json.loads(done.stdout))

    return call


@pytest.fixture
def run(weir, tmp_path):
    def call(file, *arguments, name="r", **more):
        if "\n" in file:
            (tmp_path / f"{name}.yaml").write_text(file)
            file = f"{name}.yaml"
        done = weir("run", file, *arguments, "--name", name, "-q", **more)
        assert done.returncode == 0, done.stderr
        return name

    return call


def test_a_dataflow_both_ways(lineage, run):
    run(str(ROOT / "examples/calculator/calculator.json"), "line=add 40 and 2")
    back = lineage("r", "result=42")
    assert back.names() == ["add", "parse_line"] and back.values("line") == ["add 40 and 2"]
    assert back.one(definition="line")["from"] == "outside" and back.one(definition="result")["output"] == "sum"
    operation = back.one(instance="parse_line")
    assert operation["outcome"] == "succeeded" and operation["context"] == "default" and operation["started"]
    assert back.back[operation["id"]] == [back.one(definition="line")["id"]]
    forward = lineage("r", "line", "--forward")
    assert {"add", "parse_line", "get_single"} <= set(forward.names())
    assert forward.one(type="result")["value"] == {"result": 42}
    # the ids that are shown, and those of events, name the same again
    for node in list(back.nodes) + list(forward.nodes):
        again = lineage("r", node)
        assert again.answer["nodes"][0]["id"] == node
    by_output = lineage("r", "add.sum")
    assert by_output.answer["nodes"][0] == back.answer["nodes"][0]


def test_events_name_what_they_are_about(weir, lineage, run):
    run(str(ROOT / "examples/words/words.json"), f"directory={ROOT / 'examples'}")
    shown = [json.loads(line) for line in weir("events", "r", "-o", "jsonl").stdout.splitlines()]
    for event in {event["type"]: event for event in shown}.values():
        if event["type"].startswith(("attempt.", "task.")):
            assert lineage("r", event["id"]).answer["nodes"][0]["instance"] == event["data"]["instance"]
    counted = lineage("r", "merge_counts")
    assert counted.names().count("count") == len(TEXTS) and counted.names().count("glob") == 1
    assert len(counted.values("counts")) == len(TEXTS) and all(isinstance(value, dict) for value in counted.values("counts"))
    count = counted.one(instance="count", task=1)
    assert count["attempt"] == 1 and count["pid"] > 0 and count["host"] and count["executor"] == "process"


def test_each_invocation_had_its_own_inputs(weir, lineage, run):
    """Inputs that nobody needs any more make room for others, and one event may bring many: what an invocation took is told apart."""
    run("""
definitions: {n: {primitive: int}, a: {primitive: int}, b: {primitive: int}, sum: {primitive: int}, text: {primitive: str}, end: {primitive: int}}
operations:
  range: {name: list.range, inputs: {end: n}, outputs: {list: a}, expand: [list]}
  more: {name: list.range, inputs: {end: end}, outputs: {list: b}, expand: [list]}
  add: {name: math.add, inputs: {a: a, b: b}, outputs: {result: sum}}
  say: {name: process.run, inputs: {sum: sum}, outputs: {result: text}}
configs: {say: {command: [echo, "{{inputs.sum}}"]}}
seed: [{value: 3, definition: n}, {value: 3, definition: end}]
""")  # fmt: skip
    started = [json.loads(line) for line in weir("events", "r", "-o", "jsonl", "--type", "attempt.started").stdout.splitlines()]
    assert len(started) == 2 + 9 + 9
    for event in started[::3]:
        answer = lineage("r", event["id"])
        operation = answer.answer["nodes"][0]
        took = {edge["name"]: answer.nodes[edge["from"]]["value"] for edge in answer.answer["edges"] if edge["to"] == operation["id"]}
        assert took == event["data"]["parameters"], event["id"]


def test_several_matches_are_listed(weir, lineage, run):
    run(str(ROOT / "examples/words/words.json"), f"directory={ROOT / 'examples'}")
    answer = lineage("r", "path")
    assert answer.answer["found"] == len(TEXTS) and not answer.nodes
    ids = [match["id"] for match in answer.answer["matches"]]
    done = weir("lineage", "r", "path")
    assert [line.split()[-2] for line in done.stdout.splitlines()] == ids and f"{len(TEXTS)} match" in done.stderr
    for match in answer.answer["matches"]:
        assert lineage("r", f"path={match['value']}").answer["nodes"][0]["id"] == match["id"]


def test_a_validated_input(lineage, run):
    run(VALIDATED, "age=-41")
    back = lineage("r", "next_age")
    assert back.names() == ["checked", "later"] and back.values("age") == [-41] and back.values("valid_age") == [41]
    assert lineage("r", "age", "--forward").names() == ["checked", "get_single", "later"]


def test_a_generator(weir, lineage, run, tmp_path):
    folder = ROOT / "examples/embed/plugin"
    subprocess.run(["cc", "-shared", "-fPIC", "-I", ROOT / "include", folder / "kinds.c", "-o", tmp_path / "kinds.so"], check=True)
    run(str(folder / "words.json"), "text=three little words", "--plugin", "./kinds.so")
    last = lineage("r", "length=6", "--plugin", "./kinds.so")
    assert last.values("word") == ["little"] and last.values("text") == ["three little words"]
    forward = lineage("r", "text", "--forward", "--plugin", "./kinds.so")
    assert sorted(forward.values("word")) == ["little", "three", "words"] and sorted(forward.values("length")) == [5, 5, 6]


def test_a_subflow_that_runs_in_contexts(lineage, run):
    run(str(ROOT / "examples/subflow/contexts.yaml"))
    back = lineage("r", "measured", "--context", "default")
    assert back.answer["found"] == 2
    hall = next(m for m in back.answer["matches"] if "hall" in m["value"])
    back = lineage("r", hall["id"])
    assert {"measure", "get_single"} <= set(back.names())
    inner = [n for n in back.nodes.values() if n["type"] == "operation" and n["path"] == ["measure"]]
    assert {n["context"] for n in inner} == {"hall", "kitchen"}  # one operation ran both
    assert back.one(definition="width", context="hall")["from"] == "given"
    forward = lineage("r", "rooms", "--forward")
    assert sorted(forward.values("width")) == [2, 4] and forward.one(type="result", context="default")
    assert lineage("r", "width", "--context", "hall").values("width") == [2]


def test_a_subflow_with_parameters(lineage, run):
    run(str(ROOT / "examples/subflow/parameters.yaml"), "room=kitchen", "width=4", "length=3")
    back = lineage("r", "price")
    assert {"tile", "measure"} <= set(back.names())
    inner = back.one(definition="width", context="kitchen")
    assert [back.nodes[node]["definition"] for node in back.back[inner["id"]]] == ["width"]
    assert [back.nodes[node]["context"] for node in back.back[inner["id"]]] == ["default"]


def test_what_is_forwarded(lineage, run):
    run(str(ROOT / "examples/subflow/forward.yaml"))
    back = lineage("r", "report")
    copy = back.one(definition="traffic", **{"from": "forwarded"})
    source = back.one(definition="traffic", **{"from": "operation"})
    assert back.back[copy["id"]] == [source["id"]] and copy["id"] == source["id"] + "@2"
    assert back.names().count("radio") == 1
    assert lineage("r", copy["id"]).names() == ["radio"]
    assert lineage("r", "question", "--forward").one(type="result", context="default")


def test_a_pipeline(lineage, run):
    run(str(ROOT / "examples/pipeline/invoice.yaml"), "--inputs", "document_id=D0", "page_num=0")
    assert lineage("r", "letter.text").names() == ["letter", "page", "table"]
    assert lineage("r", "table").names() == ["page", "table"]
    assert set(lineage("r", "document_id", "--forward").names()) >= {"letter", "page", "table"}


def test_a_workflow(weir, lineage, run):
    run(WORKFLOW)
    said = lineage("r", "said")
    assert {"r.a", "r.b", "r.b[0].one"} <= set(said.names()) and "r.c" not in said.names()
    assert {"who", "mark"} <= set(said.names("value"))
    assert lineage("r", "r.a").names() == ["r.a"]
    assert {"r.b", "r.b[0].one", "r"} <= set(lineage("r", "who=world", "--forward").names())
    assert lineage("r", "c").names() == ["r.c"] and lineage("r", "mark", "--forward").names() == ["r", "r.b", "r.b[0].one"]
    shown = [json.loads(line) for line in weir("events", "r", "-o", "jsonl", "--type", "attempt.*").stdout.splitlines()]
    for event in shown:
        assert lineage("r", event["id"]).answer["nodes"][0]["instance"] == event["data"]["node"]


def test_a_child_run(lineage, run):
    run(str(ROOT / "examples/workflow/child-run.yaml"))
    back = lineage("r", "calculate")
    assert back.one(instance="r")["run"] == "r.0.1"
    assert back.one(definition="line")["id"].startswith("r.0.1/") and back.names() == ["add", "get_single", "parse_line", "r"]
    assert lineage("r.0.1", "line").answer["parent"] == "r"
    forward = lineage("r", "calculate", "--forward")
    assert forward.names() == back.names() and forward.values("line") == ["add 40 and 2"]
    assert {"from": "r", "to": forward.one(definition="line")["id"], "name": "child run"} in forward.answer["edges"]


def test_a_child_run_of_a_dataflow(lineage, run, tmp_path):
    (tmp_path / "greet.yaml").write_text(WORKFLOW)
    run("""
definitions: {n: {primitive: int}, result: {primitive: map}, phase: {primitive: str}}
operations:
  greet: {name: weir.run, inputs: {n: n}, outputs: {results: result, phase: phase}}
configs: {greet: {file: greet.yaml}}
seed: [{value: 1, definition: n}]
""")  # fmt: skip
    back = lineage("r", "result")
    assert {"greet", "r.0.1", "r.0.1.b", "r.0.1.a"} <= set(back.names()) and back.values("n") == [1]
    forward = lineage("r", "n", "--forward")
    assert {"who", "mark"} <= set(forward.names("value")) and "r.0.1.b[0].one" in forward.names()
    assert lineage("r", "n", "--forward", "--limit", "4").answer["cut"]


KEPT = """
definitions: {A: {primitive: str}, B: {primitive: str}, C: {primitive: str}, S: {primitive: array}}
operations:
  one: {name: process.run, inputs: {a: A}, outputs: {result: B}, cache: true}
  two: {name: process.run, inputs: {b: B}, outputs: {result: C}}
  get_single: {inputs: {spec: S}, stage: output}
configs: {one: {command: [echo, x]}, two: {command: [sh, -c, "test -e TMP/go && echo y"]}}
seed: [{value: [C], definition: S}, {value: a, definition: A}]
"""


def test_outcomes_that_were_there_have_their_inputs(weir, lineage, run, tmp_path):
    """After a retry, and from the cache: of neither there is an attempt."""
    (tmp_path / "kept.yaml").write_text(KEPT.replace("TMP", str(tmp_path)))
    assert weir("run", "kept.yaml", "--name", "again", "-q").returncode == 1
    (tmp_path / "go").touch()
    assert weir("retry", "again", "-q").returncode == 0
    run("kept.yaml", name="cached")
    for name in ("again", "cached"):
        found = lineage(name, "C")
        assert found.values("A") == ["a"] and found.values("B") == ["x"]
        assert "attempt" not in found.one(instance="one") and found.one(instance="two")["attempt"] == 1
        assert lineage(name, "one").one(instance="one")["outcome"] == "succeeded"
    found = [incident["what"] for incident in json.loads(weir("report", "again", "-o", "json").stdout)["incidents"]]
    assert found.count("attempt failed") == 1 and "run recovered" not in found  # who retried it took what was over
    assert weir("submit", "kept.yaml", "--name", "left").returncode == 0
    assert weir("wait", "left").returncode == 0
    assert json.loads(weir("report", "left", "-o", "json").stdout)["incidents"] == []


def test_after_a_crash_it_is_the_same(weir, lineage, tmp_path):
    (tmp_path / "slow.yaml").write_text(SLOW)
    engine = subprocess.Popen([WEIR, "run", "slow.yaml", "--name", "r", "-q"], cwd=tmp_path,
                              env={**os.environ, "WEIR_STATE": str(tmp_path / "state")})  # fmt: skip
    state = {"environment": {"WEIR_STATE": str(tmp_path / "state")}}
    try:
        until = time.monotonic() + 30
        while '"pid"' not in weir("events", "r", "--type", "attempt.started", **state).stdout:  # that of the process
            assert engine.poll() is None and time.monotonic() < until
        before = lineage("r", "slow", **state)
        assert before.one(instance="slow")["outcome"] == "under way" and before.values("m") == [5]
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    (tmp_path / "go").touch()
    assert weir("recover", "r", "-q", **state).returncode == 0
    after = lineage("r", "text", **state)
    assert after.one(instance="slow")["attempt"] == 2 and after.one(instance="slow")["outcome"] == "succeeded"
    assert after.answer["edges"][1:] == before.answer["edges"]
    report = json.loads(weir("report", "r", "-o", "json", **state).stdout)
    assert [i["what"] for i in report["incidents"]] == ["run recovered", "attempt lost"]
    assert "went on with it" in report["incidents"][0]["then"]
    assert report["incidents"][0]["how"]["message"].endswith(f":{engine.pid}")
    assert report["incidents"][1]["then"] == "tried again; attempt 2 succeeded"
    assert report["incidents"][1]["where"]["pid"] > 0


def ladder(steps):
    """Each value is made of the one before it, twice over: 2^steps ways lead back."""
    flow = {"definitions": {"v0": {"primitive": "int"}}, "operations": {}, "seed": [{"value": 1, "definition": "v0"}]}
    for i in range(steps):
        flow["definitions"][f"v{i + 1}"] = {"primitive": "int"}
        flow["operations"][f"add{i}"] = {"name": "math.add", "inputs": {"a": f"v{i}", "b": f"v{i}"}, "outputs": {"result": f"v{i + 1}"}}
    return flow


def test_shared_ancestors_stand_once(weir, lineage, run, tmp_path):
    (tmp_path / "ladder.json").write_text(json.dumps(ladder(40)))
    run("ladder.json")
    back = lineage("r", "v40")
    assert len(back.nodes) == 81 and back.answer["cut"] is False and back.answer["nodes"][0]["value"] == 2**40
    text = weir("lineage", "r", "v40").stdout.splitlines()
    assert len(text) == 121 and sum("see above" in line for line in text) == 40
    assert len(lineage("r", "v0", "--forward").nodes) == 81


def test_depth_and_size_have_limits(weir, lineage, run, tmp_path):
    (tmp_path / "ladder.json").write_text(json.dumps(ladder(60)))
    run("ladder.json")
    usual = lineage("r", "v60")
    assert usual.answer["cut"] and len(usual.names()) == 50
    assert len(lineage("r", "v60", "--depth", "3").names()) == 3
    few = lineage("r", "v60", "--limit", "5")
    assert few.answer["cut"] and len(few.nodes) == 5
    assert [node.get("more") for node in few.answer["nodes"]].count(None) == 4
    assert "more" in weir("lineage", "r", "v60", "--limit", "5").stdout
    for depth in ("1000", "0"):
        assert not lineage("r", "v60", "--depth", depth, "--limit", "0").answer["cut"]
    for options in (["--depth", "1001"], ["--limit", "100001"], ["--depth", "-1"], ["--limit", "x"]):
        assert weir("lineage", "r", "v60", *options).returncode == 2


def test_an_output_operation_that_saw_much(lineage, run):
    run("""
definitions: {end: {primitive: int}, n: {primitive: int}, spec: {primitive: array}}
operations:
  range: {name: list.range, inputs: {end: end}, outputs: {list: n}, expand: [list]}
  get_multi: {inputs: {spec: spec}, stage: output}
seed: [{value: [n], definition: spec}]
""", "end=200")  # fmt: skip
    back = lineage("r", "get_multi")
    assert back.one(instance="get_multi")["more"] == 151 and back.answer["cut"]
    assert lineage("r", "n=177").values("end") == [200]


MANY = """
definitions: {end: {primitive: int}, a: {primitive: int}, b: {primitive: int}}
operations:
  range: {name: list.range, inputs: {end: end}, outputs: {list: a}, expand: [list]}
  negate: {name: math.negate, inputs: {number: a}, outputs: {result: b}}
"""


def test_calls_without_events_are_said_to_be_missing(weir, lineage, run):
    run(MANY, "end=3000")
    missing = weir("lineage", "r", "b=-2999")
    assert missing.returncode == 2 and "`weir run --record all` keeps each" in missing.stderr
    assert "calls of this run have no events" in weir("lineage", "r", "a=5").stderr
    assert lineage("r", "a=5").answer["unrecorded"] is True and lineage("r", "a=5").values("end") == [3000]
    assert "3001 calls; no incidents" in weir("report", "r").stdout
    run(MANY, "end=3000", "--record", "all", name="whole")
    assert lineage("whole", "b=-2999").values("a") == [2999]
    assert not weir("lineage", "whole", "a=5").stderr


def test_large_values_are_whole(lineage, run):
    long = "x" * 5000
    run("""
definitions: {text: {primitive: str}, twice: {primitive: str}, spec: {primitive: array}}
operations:
  double: {name: multiply, inputs: {multiplicand: text}, outputs: {product: twice}}
  get_single: {inputs: {spec: spec}, stage: output}
configs: {double: {multiplier: 2}}
seed: [{value: [twice], definition: spec}]
""", f"text={long}")  # fmt: skip
    forward = lineage("r", "text", "--forward")
    assert forward.values("text") == [long] and forward.values("twice") == [long * 2]
    assert forward.one(type="result")["value"] == {"twice": long * 2} == forward.one(instance="get_single")["outputs"]
    assert lineage("r", f"text={long}").values("text") == [long]


def test_drawings(weir, run):
    run(str(ROOT / "examples/calculator/calculator.json"), "line=add 40 and 2")
    dot = weir("lineage", "r", "result", "-o", "dot").stdout
    assert dot.startswith("digraph") and "parse_line" in dot and "n0" in dot
    assert weir("lineage", "r", "result", "-o", "mermaid").stdout.startswith("flowchart")
    assert weir("lineage", "r", "result", "-o", "svg").stdout.startswith("<svg")
    if shutil.which("dot"):
        assert subprocess.run(["dot", "-Tsvg"], input=dot, text=True, capture_output=True).returncode == 0


NOTHING = ("nothing", "1:99999", "1:1.0", "1:1@7", "a=b", "x" * 100_000, "\x1b[2J", "99999999999999999999:1")


def test_what_there_is_not(weir, run):
    run(str(ROOT / "examples/calculator/calculator.json"), "line=add 40 and 2")
    for what in NOTHING:
        done = weir("lineage", "r", what)
        assert done.returncode == 2 and "has no value or task" in done.stderr, what
        assert not done.stdout and "\x1b" not in done.stderr


def test_wrong_questions(weir, run):
    run(str(ROOT / "examples/calculator/calculator.json"), "line=add 40 and 2")
    assert weir("lineage", "r", "").returncode == 2
    assert "--context" in weir("lineage", "r", "line", "--contxt", "x").stderr
    assert "in a context `other`" in weir("lineage", "r", "line", "--context", "other").stderr
    assert weir("lineage", "no-run", "line").returncode == 2


def test_secrets_are_masked(weir, lineage, run, tmp_path):
    (tmp_path / "secret").write_text("sesame-open")
    run("""
definitions: {n: {primitive: int}, text: {primitive: str}}
operations: {say: {name: process.run, inputs: {n: n}, outputs: {result: text}}}
configs: {say: {command: [sh, -c, "echo it is sesame-open"]}}
seed: [{value: 1, definition: n}]
""", "--secret", "word=@secret")  # fmt: skip
    for form in ("text", "json", "dot"):
        assert "sesame-open" not in weir("lineage", "r", "text", "-o", form).stdout
    assert "sesame-open" not in weir("events", "r", "-o", "cloudevents", "--type", "attempt.finished").stdout
