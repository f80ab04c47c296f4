"""Goals: only what leads to an output runs, of any kind of file, and what it gives is what it gave with the rest."""

import json
import os
import subprocess
import time

import pytest

from conftest import WEIR

FLOW = """
definitions: {n: {primitive: int}, half: {lock: true}, shown: {}, other: {}, spec: {primitive: array}, all: {primitive: array}}
operations:
  a: {name: process.run, inputs: {n: n}, outputs: {result: half}}
  b: {name: process.run, inputs: {n: n}, outputs: {result: half}}
  show: {name: process.run, inputs: {h: half}, outputs: {result: shown}}
  side: {name: process.run, inputs: {h: half}, outputs: {}}
  unused: {name: process.run, inputs: {n: n}, outputs: {result: other}}
  clean: {name: process.run, inputs: {s: shown}, outputs: {}, stage: cleanup}
  clean_other: {name: process.run, inputs: {s: other}, outputs: {}, stage: cleanup}
  get_single: {inputs: {spec: spec}, stage: output}
  get_multi: {inputs: {spec: all}, stage: output}
configs:
  a: {command: [sh, -c, "echo a >>ran; echo a$1", sh, "{{inputs.n}}"]}
  b: {command: [sh, -c, "echo b >>ran; sleep 0.02; echo b$1", sh, "{{inputs.n}}"]}
  show: {command: [sh, -c, "echo show >>ran; echo $1!", sh, "{{inputs.h}}"]}
  side: {command: [sh, -c, "echo side >>ran"]}
  unused: {command: [sh, -c, "echo unused >>ran; echo u"]}
  clean: {command: [sh, -c, "echo clean >>ran"]}
  clean_other: {command: [sh, -c, "echo clean_other >>ran"]}
seed:
  - {value: [shown, {renamed: other}], definition: spec}
  - {value: [half], definition: all}
"""
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: goal-}
spec:
  entrypoint: main
  onExit: bye
  templates:
    - name: main
      outputs:
        parameters:
          - {name: left, valueFrom: {parameter: "{{tasks.left.outputs.result}}"}}
          - {name: right, valueFrom: {expression: "tasks['right'].outputs.result + '!'"}}
      dag:
        tasks:
          - {name: first, template: say, arguments: {parameters: [{name: t, value: first}]}}
          - {name: left, depends: first, template: say, arguments: {parameters: [{name: t, value: "{{tasks.first.outputs.result}} left"}]}}
          - {name: right, depends: first.Succeeded, template: say, arguments: {parameters: [{name: t, value: right}]}}
          - {name: last, depends: left && right, template: say, arguments: {parameters: [{name: t, value: last}]}}
    - name: say
      inputs: {parameters: [{name: t}]}
      script: {image: x, command: [sh], source: "echo {{inputs.parameters.t}} >>ran; echo {{inputs.parameters.t}}"}
    - name: bye
      script: {image: x, command: [sh], source: "echo bye >>ran"}
"""
STEPS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: goal-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: deep, value: "1"}]}
  templates:
    - name: main
      inputs: {parameters: [{name: deep, value: "1"}]}
      outputs: {parameters: [{name: end, valueFrom: {parameter: "{{steps.end.outputs.result}}"}}]}
      steps:
        - - {name: begin, template: say, arguments: {parameters: [{name: t, value: begin}]}}
        - - {name: aside, template: say, arguments: {parameters: [{name: t, value: aside}]}}
          - {name: again, template: main, when: "{{inputs.parameters.deep}} == 1", arguments: {parameters: [{name: deep, value: "0"}]}}
        - - {name: end, template: say, arguments: {parameters: [{name: t, value: end}]}}
    - name: say
      inputs: {parameters: [{name: t}]}
      script: {image: x, command: [sh], source: "echo {{inputs.parameters.t}} >>ran; echo {{inputs.parameters.t}}"}
"""


@pytest.fixture
def run(weir, tmp_path):
    """Runs the text with goals; gives the answer, and what ran."""

    def call(text, *options, code=0):
        (tmp_path / "f.yaml").write_text(text.replace(">>ran", f">>{tmp_path}/ran"))
        (tmp_path / "ran").write_text("")
        done = weir("run", "f.yaml", "-o", "json", "--durability", "none", *options)
        assert done.returncode == code, done.stdout + done.stderr
        return (done.stderr if code == 2 else json.loads(done.stdout)), (tmp_path / "ran").read_text().split("\n")[:-1]

    return call


def goals(*names):
    return [word for name in names for word in ("--goal", name)]


# --- dataflows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted, results, ran",
    [
        (["renamed"], {"renamed": "u"}, ["clean_other", "unused"]),
        (["half"], {"half": ["a1", "b1"]}, ["a", "b"]),
        (["b.result"], {"b.result": ["b1"]}, ["b"]),
        (["b"], {"b.result": ["b1"]}, ["b"]),
        (["other"], {"other": ["u"]}, ["clean_other", "unused"]),
        (["get_multi"], {"half": ["a1", "b1"]}, ["a", "b"]),
        (["side"], {}, ["a", "b", "side", "side"]),
        (["renamed", "half"], {"get_single": {"renamed": "u"}, "get_multi": {"half": ["a1", "b1"]}},
         ["a", "b", "clean_other", "unused"]),
        (["renamed", "a.result"], {"get_single": {"renamed": "u"}, "weir.goals": {"a.result": ["a1"]}},
         ["a", "clean_other", "unused"]),
    ],
)
def test_of_a_dataflow_only_what_leads_there_runs(run, wanted, results, ran):
    answer, done = run(FLOW, "n=1", *goals(*wanted))
    assert answer["results"] == {"default": results}
    assert sorted(done) == ran


def test_what_is_left_out_is_named_and_can_be_kept(run, weir, tmp_path):
    answer, _ = run(FLOW, "n=1", *goals("renamed"))
    assert answer["left_out"] == ["a", "b", "show", "side", "clean", "get_multi"]
    answer, done = run(FLOW, "n=1", *goals("renamed"), "--keep-all")
    assert answer["left_out"] == ["get_multi"] and sorted(set(done)) == [
        "a", "b", "clean", "clean_other", "show", "side", "unused"]
    said = weir("check", "f.yaml", *goals("renamed")).stdout
    assert "left out, as they lead to nothing that is wanted: a, b, show, side, clean, get_multi" in said
    drawn = weir("graph", "f.yaml", *goals("renamed")).stdout
    assert "unused" in drawn and "side" not in drawn


def test_one_value_among_others_of_its_definition(run):
    """`show` reads both outputs; only one of them is wanted apart from that."""
    answer, done = run(FLOW, "n=1", *goals("a.result", "shown"))
    assert answer["results"]["default"]["weir.goals"] == {"a.result": ["a1"]}
    assert sorted(done) == ["a", "b", "clean", "clean", "show", "show"]
    said, _ = run(FLOW, "n=1", *goals("a.result", "half"), code=2)
    assert "`a.result` cannot be told from other values of `half`" in said and "the goal `half` is all of them" in said


def test_goals_that_there_are_not(run):
    said, done = run(FLOW, "n=1", *goals("shwonn", "b.reslut"), code=2)
    assert "nothing that is called `shwonn`" in said and "did you mean `shown`?" in said
    assert "`b.reslut`" in said and "did you mean `b.result`?" in said
    assert not done


def test_what_decides_and_validates_leads_there(run):
    flow = """
definitions: {v: {validate: check}, fine: {}, gate: {}, out: {}, w: {validate: check_w}, seen: {}}
operations:
  check: {name: process.run, validator: true, inputs: {v: v}, outputs: {result: fine}}
  check_w: {name: process.run, validator: true, inputs: {w: w}, outputs: {result: seen}}
  gatekeeper: {name: process.run, inputs: {f: fine}, outputs: {result: gate}}
  work: {name: process.run, inputs: {f: fine}, outputs: {result: out}, conditions: [gate]}
configs:
  check: {command: [echo, "ok {{inputs.v}}"]}
  check_w: {command: [sh, -c, "echo w >>ran"]}
  gatekeeper: {command: [echo, "yes"]}
  work: {command: [echo, "done {{inputs.f}}"]}
"""
    answer, done = run(flow, "v=1", "w=2", *goals("out"))
    assert answer["results"] == {"default": {"out": ["done ok 1"]}} and not done
    assert answer["left_out"] == ["check_w"]


# --- workflows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted, results, ran",
    [
        (["left"], {"left": "first left"}, ["first", "first left", "bye"]),
        (["outputs.parameters.right"], {"right": "right!"}, ["first", "right", "bye"]),
        (["right", "tasks.left"], {"left": "first left", "right": "right!"}, ["first", "first left", "right", "bye"]),
        (["first.outputs.result"], {"result": "first"}, ["first", "bye"]),
    ],
)
def test_of_a_workflow_only_what_a_task_depends_on_runs(run, wanted, results, ran):
    answer, done = run(WORKFLOW, *goals(*wanted))
    assert answer["phase"] == "Succeeded" and answer["results"] == results
    assert sorted(done) == sorted(ran) and done[-1] == "bye"


def test_steps_need_all_that_comes_before(run):
    answer, done = run(STEPS, *goals("aside.outputs.result"))
    assert answer["results"] == {"result": "aside"} and done == ["begin", "aside"]
    assert answer["left_out"] == ["again", "end"]


def test_a_template_that_calls_itself_is_whole_within(run):
    answer, done = run(STEPS, *goals("again"))
    assert answer["phase"] == "Succeeded" and done == ["begin", "begin", "aside", "end"]


def test_tasks_that_there_are_not(run):
    said, done = run(WORKFLOW, *goals("lfet", "left.outputs.parameters.x"), code=2)
    assert "has no task and no output `lfet`" in said and "did you mean `left`?" in said
    assert "`left` has no `outputs.parameters.x`" in said and "it has: outputs.result" in said
    assert not done


# --- afterwards ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, goal", [(FLOW.replace("sleep 0.02", "sleep 0.3"), "b"), (WORKFLOW.replace("echo {{inputs.parameters.t}} >>ran;", "sleep 0.2; echo {{inputs.parameters.t}} >>ran;"), "left")], ids=["dataflow", "workflow"])
def test_the_goal_stays_with_the_run(weir, tmp_path, text, goal):
    (tmp_path / "f.yaml").write_text(text.replace(">>ran", f">>{tmp_path}/ran"))
    (tmp_path / "ran").write_text("")
    inputs = ["n=1"] if text.startswith("\ndefinitions") else []
    process = subprocess.Popen([WEIR, "run", "f.yaml", *inputs, *goals(goal), "--quiet"], cwd=tmp_path, env=os.environ,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(500):
        if list((tmp_path / ".weir").glob("weir.db")) and weir("list", "-o", "name").stdout.strip():
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    (tmp_path / "f.yaml").write_text("gone")
    done = weir("recover", "@latest", "-o", "json")
    assert done.returncode == 0, done.stderr
    first = json.loads(weir("results", "@latest", "-o", "json").stdout)
    ran = set((tmp_path / "ran").read_text().split("\n")[:-1])
    assert ran == ({"b"} if inputs else {"first", "first left", "bye"})
    again = weir("resubmit", "@latest", "--wait", "-o", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(weir("results", "@latest", "-o", "json").stdout) == first
    assert set((tmp_path / "ran").read_text().split("\n")[:-1]) == ran
