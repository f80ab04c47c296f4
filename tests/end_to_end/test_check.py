"""`weir check` proves before anything runs what can come to be, and says of the rest why not."""

import json

import pytest

DEFINITIONS = "definitions: {a: {primitive: int}, b: {primitive: int}, c: {primitive: int}, d: {primitive: int}, x: {primitive: int},\n" \
    "  flag: {primitive: bool}, list: {primitive: array}, number: {primitive: int}, text: {primitive: str}, spec: {primitive: array}}\n"
SPEC = "seed: [{value: [d], definition: spec}]\n"
GET = "  get_single: {inputs: {spec: spec}, stage: output}\n"


@pytest.fixture
def prove(weir, tmp_path):
    def prove(text, *arguments):
        (tmp_path / "f.yaml").write_text(text)
        answer = json.loads(weir("check", "f.yaml", *arguments, "-o", "json").stdout)
        said = weir("check", "f.yaml", *arguments)
        assert said.returncode == (0 if answer["proof"]["can_finish"] else 2)
        return answer["proof"], [p for p in answer["problems"] if "component" in p], said

    return prove


def add(name, a, b, result, more=""):
    return f"  {name}: {{name: math.add, inputs: {{a: {a}, b: {b}}}, outputs: {{result: {result}}}{more}}}\n"


def test_a_cycle_is_named_by_its_members(prove):
    operations = add("one", "a", "x", "b") + add("two", "b", "x", "c") + add("three", "c", "x", "a") + add("four", "c", "x", "d")
    proof, found, said = prove(DEFINITIONS + "operations:\n" + operations + GET + SPEC)
    assert (proof["run"], proof["never_run"], proof["never"]) == (1, 4, ["one", "two", "three", "four"])
    cycles = {p["component"]: (p["input"], p["cycle"]) for p in found if p["reason"] == "cycle"}
    assert cycles == {"one": ("a", ["one", "three", "two"]), "two": ("a", ["two", "one", "three"]), "three": ("a", ["three", "two", "one"])}
    (waits,) = (p for p in found if p["reason"] == "waits")
    assert (waits["component"], waits["input"], waits["maker"], waits["waits_for"]) == ("four", "a", "two", "a")
    assert "f.yaml:4:34: error: one: a is missing: a cycle, each waits for the next: one → three → two → one\n    one: {" in said.stderr
    assert "\n" + 35 * " " + "^\n" in said.stderr
    assert said.stdout.startswith("f.yaml: a dataflow that cannot finish: 1 operation runs, 4 never run\n  never run: one, two, three, four\n")


def test_inputs_are_taken_to_come_unless_some_are_given(prove):
    text = DEFINITIONS + "operations:\n" + add("one", "a", "b", "c") + add("two", "c", "x", "d") + GET + SPEC
    proof, found, _ = prove(text)
    assert proof["can_finish"] and not found and [need["definition"] for need in proof["needs"]] == ["a", "b", "x"]
    proof, found, said = prove(text, "a=1", "b=2")
    assert not proof["can_finish"] and proof["never"] == ["two"] and "needs" not in proof
    assert [(p["component"], p["reason"]) for p in found] == [("get_single", "asks"), ("two", "nobody")]
    assert "two: b is missing: nobody makes `x`, and it is not given\n  hint: give it: x=VALUE" in said.stderr
    proof, found, _ = prove(text, "a=1", "b=2", "x=3")
    assert proof["can_finish"] and proof["run"] == 3 and not found


def test_contexts_are_proved_each(prove):
    text = DEFINITIONS + "operations:\n" + add("one", "a", "x", "d", ", conditions: [flag]") + GET + SPEC
    given = [f"--context={name}:{pair}" for name, pairs in {"ada": ["a=1", "x=1", "flag=true"], "eve": ["a=1", "x=1", "flag=false"]}.items() for pair in pairs]
    proof, found, said = prove(text, *given)
    assert not proof["can_finish"] and proof["may"] == [{"component": "one", "when": "in some contexts"}]
    assert [(p["component"], p["context"], p["reason"]) for p in found] == [("get_single", "eve", "asks"), ("one", "eve", "false")]
    assert "context `eve`: one: its condition never holds: `flag` is false" in said.stderr


def test_what_hangs_on_a_condition_or_a_list_may_not_run(prove):
    operations = add("one", "a", "x", "d", ", conditions: [flag]") + "  parts: {name: list.range, inputs: {count: x}, outputs: {items: number}, expand: [items]}\n"
    operations = operations.replace("  parts: {name: list.range, inputs: {count: x}, outputs: {items: number}, expand: [items]}\n",
                                    "  parts: {name: string.split, inputs: {text: text}, outputs: {parts: list}, expand: [parts]}\n"
                                    "  each: {name: list.length, inputs: {list: list}, outputs: {length: number}}\n")  # fmt: skip
    proof, found, said = prove(DEFINITIONS + "operations:\n" + operations + GET + SPEC)
    assert proof["can_finish"] and said.returncode == 0
    assert proof["may"] == [{"component": "one", "when": "when `flag` is not true"}, {"component": "each", "when": "when `parts` of parts gives nothing"}]
    assert [(p["component"], p["severity"], p["reason"]) for p in found if p["reason"] != "type"] == [("one", "warning", "condition")]
    assert "warning: one may not run, when `flag` is not true" in said.stderr


def test_what_nobody_wants_is_a_warning(prove):
    operations = add("one", "a", "x", "d") + add("stuck", "b", "x", "b")
    proof, found, _ = prove(DEFINITIONS + "operations:\n" + operations + GET + SPEC)
    assert proof["can_finish"] and [(p["component"], p["severity"], p["cycle"]) for p in found] == [("stuck", "warning", ["stuck"])]
    # where no operation is of the output stage, all are wanted
    proof, found, _ = prove(DEFINITIONS + "operations:\n" + operations)
    assert not proof["can_finish"] and [(p["component"], p["severity"]) for p in found] == [("stuck", "error")]


def test_what_an_output_operation_asks_for(prove):
    proof, found, said = prove(DEFINITIONS + "operations:\n" + add("one", "a", "x", "d") + GET + "seed: [{value: [dd], definition: spec}]\n")
    assert not proof["can_finish"] and found[0]["definition"] == "dd" and "and there is no such definition\n  hint: did you mean `d`?" in said.stderr
    optional = "configs: {get_single: {nostrict: [dd]}}\n"
    proof, _, _ = prove(DEFINITIONS + "operations:\n" + add("one", "a", "x", "d") + GET + optional + "seed: [{value: [dd], definition: spec}]\n")
    assert proof["can_finish"]


def test_dataflows_within(prove):
    inner = """configs:
  within:
    dataflow:
      definitions: {t: {primitive: str}, u: {primitive: int}, v: {primitive: int}, w: {primitive: int}, spec: {primitive: array}}
      operations:
        first: {name: math.add, inputs: {a: u, b: %s}, outputs: {result: v}}
        get_single: {inputs: {spec: spec}, stage: output}
      seed: [{value: [v], definition: spec}]
"""
    outer = "definitions: {t: {primitive: str}, u: {primitive: int}, v: {primitive: int}, d: {primitive: int}, x: {primitive: int}, spec: {primitive: array}}\n"
    outer += "operations:\n  within: {name: dffml.dataflow.run, inputs: {name: t, number: u}, outputs: {v: v}}\n" + add("after", "v", "x", "d") + GET + SPEC
    proof, found, _ = prove(outer + inner % "u")
    assert proof["can_finish"] and proof["run"] == 5 and not found
    proof, found, said = prove(outer + inner % "w")
    assert not proof["can_finish"] and proof["never"] == ["after", "within/first"]
    reasons = {p["component"]: p["reason"] for p in found}
    assert reasons["after"] == "fails" and reasons["within/first"] == "nobody" and reasons["within/get_single"] == "asks"
    assert "the dataflow that its maker `within` runs always fails" in said.stderr


def test_types_that_differ_are_warnings(prove):
    flow = "flow: {one: {inputs: {a: [{split: parts}], b: [seed]}}, split: {inputs: {text: [seed]}}, get_single: {inputs: {spec: [seed]}}}\n"
    operations = add("one", "a", "x", "d") + "  split: {name: string.split, inputs: {text: text}, outputs: {parts: list}}\n"
    proof, found, said = prove(DEFINITIONS + "operations:\n" + operations + GET + SPEC + flow)
    assert proof["can_finish"] and [(p["component"], p["input"], p["reason"], p["severity"]) for p in found] == [("one", "a", "type", "warning")]
    assert "one: `a` takes `a` (int), and is fed `list` (array) of split" in said.stderr


# --- workflows

HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  arguments: {parameters: [{name: mode, value: dev}, {name: other}]}
  templates:
  - {name: leaf, container: {image: x, command: ['true']}}
  - {name: pause, suspend: {}}
  - {name: say, inputs: {parameters: [{name: m}]}, container: {image: x, command: [echo, '{{inputs.parameters.m}}']}, outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}}
"""


def dag(*tasks):
    return HEAD + "  - name: main\n    dag:\n      tasks:\n" + "".join(f"      - {{{task}}}\n" for task in tasks)


def steps(*tasks):
    return HEAD + "  - name: main\n    steps:\n" + "".join(f"    - - {{{task}}}\n" for task in tasks)


def reasons(found):
    return {(p["component"], p["reason"], p["severity"]) for p in found if p["reason"] != "unused"}


def test_depends_that_can_never_be_true(prove):
    text = dag("name: A, template: leaf", "name: B, template: leaf, depends: A.Succeeded && A.Failed", "name: C, template: leaf, depends: B",
               "name: D, template: leaf, depends: A.Failed || A.Errored", "name: E, template: leaf, depends: B.Omitted",
               "name: F, template: leaf, depends: A.Skipped")  # fmt: skip
    proof, found, said = prove(text)
    assert proof["can_finish"] and proof["never"] == ["main.B", "main.C", "main.F"]
    assert reasons(found) == {("main.B", "depends", "warning"), ("main.C", "depends", "warning"), ("main.F", "depends", "warning")}
    assert [item["component"] for item in proof["may"]] == ["main.D"] and proof["run"] == 2
    assert "warning: main.B: it never runs: its `depends` can never be true" in said.stderr


def test_when_that_is_known(prove):
    text = steps("name: a, template: leaf, when: 'dev == prod'", "name: b, template: leaf, when: \"{{workflow.parameters.mode}} == prod\"",
                 "name: c, template: leaf, when: 'true'", "name: d, template: leaf, when: \"{{workflow.parameters.other}} == x\"")  # fmt: skip
    proof, found, said = prove(text)
    assert proof["never"] == ["main.a", "main.b"] and [item["component"] for item in proof["may"]] == ["main.d"]
    assert reasons(found) == {(f"main.{step}", "when", "warning") for step in "abc"}
    assert "is always false with these parameters" in said.stderr and "main.c: its `when` is always true" in said.stderr
    assert proof["needs"] == [{"parameter": "other"}]
    proof, _, _ = prove(text, "-p", "mode=prod", "-p", "other=y")
    assert proof["never"] == ["main.a", "main.d"] and "needs" not in proof


def test_outputs_of_what_never_runs_and_loops_over_nothing(prove):
    text = dag("name: a, template: say, when: 'false', arguments: {parameters: [{name: m, value: x}]}",
               "name: b, template: say, depends: a, arguments: {parameters: [{name: m, value: '{{tasks.a.outputs.parameters.p}}'}]}",
               "name: c, template: leaf, withSequence: {count: 0}", "name: d, template: leaf, withParam: '[]'")  # fmt: skip
    _, found, said = prove(text)
    assert reasons(found) == {("main.a", "when", "warning"), ("main.b", "waits", "warning"), ("main.c", "loop", "warning"), ("main.d", "loop", "warning")}
    assert "it takes {{tasks.a.outputs.parameters.p}}, and a never runs" in said.stderr
    proof, found, _ = prove(steps("name: a, template: leaf, withParam: hello"))
    assert not proof["can_finish"] and reasons(found) == {("main.a", "withParam", "error")}


def test_what_waits_for_somebody_and_what_never_ends(prove):
    proof, found, said = prove(steps("name: a, template: pause"))
    assert proof["can_finish"] and proof["waits"] == ["pause"] and reasons(found) == {("pause", "suspend", "warning")}
    assert "wait for somebody: pause" in said.stdout
    assert not prove(steps("name: a, template: pause"), "--resume-after", "1s")[1][0]["reason"] == "suspend"
    proof, found, said = prove(steps("name: a, template: leaf", "name: again, template: main"))
    assert not proof["can_finish"] and [p["cycle"] for p in found if p["reason"] == "cycle"] == [["main"]]
    proof, found, _ = prove(steps("name: a, template: leaf", "name: again, template: main, when: '{{steps.a.status}} == Failed'"))
    assert proof["can_finish"] and not reasons(found)
    assert {p["component"] for p in found if p["reason"] == "unused"} == {"pause", "say"}


# --- pipelines --------------------------------------------------------------------------------------

STUCK = """pipeline:
  name: stuck
  inputs: [n]
  outputs: [c.y]
  components:
    - a: {run: [echo], inputs: [b.y], outputs: [y]}
    - b: {run: [echo], inputs: [a.y], outputs: [y]}
    - c: {run: [echo], inputs: [a.y, z, n], outputs: [y]}
    - d: {run: [echo], inputs: [n], outputs: [y]}
"""


def test_a_stuck_pipeline_is_told_as_a_dataflow_is(prove):
    proof, found, said = prove(STUCK)
    assert [(p["component"], p["input"], p["reason"], p.get("maker"), p.get("cycle"), p.get("waits_for"), p["line"]) for p in found] == [
        ("a", "b.y", "cycle", "b", ["a", "b"], None, 6),
        ("b", "a.y", "cycle", "a", ["b", "a"], None, 7),
        ("c", "a.y", "waits", "a", None, "b.y", 8),
        ("c", "z", "nobody", None, None, None, 8),
    ]
    assert (proof["operations"], proof["run"], proof["never_run"], proof["never"], proof["errors"]) == (3, 0, 3, ["a", "b", "c"], 4)
    assert said.stdout == "f.yaml: a pipeline that cannot finish: 0 components run, 3 never run\n  never run: a, b, c\n"
    proof, found, said = prove(STUCK.replace("outputs: [c.y]", "outputs: [d.y]"))
    assert proof["run"] == 1 and {p["severity"] for p in found} == {"warning"} and len(found) == 4


def test_all_that_is_wrong_is_said_though_a_key_is_there_twice(weir, tmp_path):
    (tmp_path / "p.yaml").write_text(STUCK.replace("  inputs: [n]", "  inputs: [n]\n  inputs: [m]\n  colour: red"))
    for command in ("check", "run"):
        said = weir(command, "p.yaml", "n=1").stderr
        assert "p.yaml:4:3: error: the key `inputs` is there twice" in said
        assert "p.yaml:5:3: error: pipeline: there is no `colour`" in said
        assert "p.yaml:8:33: error: a: b.y is missing: a cycle" in said
    (tmp_path / "f.yaml").write_text("operations:\n  a: {name: nope, name: x}\n  a: {}\ndefinitions: {}\n")
    said = weir("check", "f.yaml").stderr
    assert "f.yaml:2:19: error: the key `name` is there twice" in said and "f.yaml:3:3: error: the key `a`" in said
    assert "there is no operation `nope`" in said and "3 problems" in said
    (tmp_path / "w.yaml").write_text("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  entrypoint: m\n  entrypoint: n\n  templates: []\n")
    said = weir("check", "w.yaml").stderr
    assert "w.yaml:5:3: error: the key `entrypoint` is there twice" in said and "`m` undefined" in said.replace("'", "`")
    for form in (["pipeline", "convert", "p.yaml"], ["graph", "f.yaml"], ["pipeline", "show", "p.yaml"]):
        assert weir(*form).returncode == 2


def test_each_pipeline_of_a_file_is_checked(weir, tmp_path):
    good = STUCK.replace("stuck", "good").replace("outputs: [c.y]", "outputs: [d.y]").replace("[b.y]", "[n]").replace(", z", "")
    (tmp_path / "p.yaml").write_text(f"---\n{good}---\n{STUCK}")
    said = weir("check", "p.yaml")
    assert said.returncode == 2 and "p.yaml:17:33: error: a: b.y is missing" in said.stderr and "4 problems" in said.stderr
    assert weir("check", "p.yaml", "--pipeline", "good").returncode == 0
    assert "which pipeline is meant? there are: good, stuck" in weir("run", "p.yaml", "n=1").stderr


def test_freeze_after_where_nothing_tells(weir, tmp_path):
    (tmp_path / "p.yaml").write_text("pipeline:\n  name: p\n  inputs: [x]\n  outputs: [a.result]\n  components:\n"
                                     "    - a: {runner: math.add, inputs: [x, x], outputs: [result], freeze_after: 3s}\n")
    said = weir("check", "p.yaml")
    assert said.returncode == 0 and "p.yaml:6:64: warning: freeze_after: operation `math.add` runs in weir itself" in said.stderr


# --- seeds and results of dataflows within ----------------------------------------------------------


def test_a_seed_of_another_type(weir, tmp_path):
    (tmp_path / "f.yaml").write_text(DEFINITIONS + "operations:\n" + add("one", "a", "x", "d") + GET
                                     + "seed:\n- {value: [d], definition: spec}\n- {value: 1.5, definition: a}\n- {definition: x, value: two}\n- {value: 3, definition: b}\n")
    said = weir("check", "f.yaml", "-o", "json")
    assert [(p["definition"], p["line"], p["column"]) for p in json.loads(said.stdout)["problems"]] == [("a", 8, 4), ("x", 9, 19)]
    assert "f.yaml:8:4: warning: seed: `a` is int, and is given a value of type number" in weir("check", "f.yaml").stderr


def test_results_of_a_dataflow_within_have_to_be_the_outputs(prove, weir):
    inner = "{definitions: {text: {primitive: str}, up: {}, s: {}}, operations: {u: {name: process.run, inputs: {text: text}, outputs: {result: up}}, get_single: {inputs: {spec: s}, stage: output}}, configs: {u: {command: [echo, hi]}}, seed: [{value: [up], definition: s}]}"
    flow = ("definitions: {text: {primitive: str}, up: {}, spec: {primitive: array}}\noperations:\n  run: {name: dffml.dataflow.run, inputs: {text: text}, outputs: {KEY: up}}\n"
            "  get_single: {inputs: {spec: spec}, stage: output}\nconfigs: {run: {dataflow: " + inner + "}}\nseed: [{value: [up], definition: spec}, {value: a, definition: text}]\n")
    proof, found, said = prove(flow.replace("KEY", "up"))
    assert proof["can_finish"] and proof["certain"] and not found
    assert weir("run", "f.yaml").returncode == 0
    proof, found, said = prove(flow.replace("KEY", "upper"))
    assert not proof["can_finish"] and [p["reason"] for p in found if p["component"] == "run"] == ["results"]
    assert "f.yaml:3:57: error: run: the results of the dataflow that it runs are `up`, and its outputs `upper`" in said.stderr
    assert weir("run", "f.yaml").returncode == 1
