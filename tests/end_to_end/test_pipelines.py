"""Pipelines: their modes, what is left out of them, what is said of them before they run, and the other forms they have."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, WEIR

CORPUS = pathlib.Path(WEIR).parent / "tests/corpus_operations.so"
# Each component leaves its name in `order`; the file has them backwards.
DIAMOND = """
pipeline:
  name: diamond
  inputs: [who]
  outputs: [last.text]
  components:
    - last: {run: [sh, -c, "echo last >> order; echo $*", sh, "{{inputs.right.text}}", "{{inputs.left.text}}"], inputs: [right.text, left.text], outputs: [text]}
    - right: {run: [sh, -c, "sleep 0.1; echo right >> order; echo right $1", sh, "{{inputs.first.text}}"], inputs: [first.text], outputs: [text]}
    - left: {run: [sh, -c, "echo left >> order; echo left $1", sh, "{{inputs.first.text}}"], inputs: [first.text], outputs: [text]}
    - first: {run: [sh, -c, "echo first >> order; echo $1", sh, "{{inputs.who}}"], inputs: [who], outputs: [text]}
    - aside: {run: [sh, -c, "echo aside >> order"], inputs: [who], outputs: [text]}
"""


@pytest.fixture
def run(weir, tmp_path):
    """Runs the text as a file; gives the answer, or what was said on standard error."""

    def call(text, *options, code=0, command="run", **more):
        (tmp_path / "p.yaml").write_text(text)
        done = weir(command, "p.yaml", *options, *([] if code == 2 or "-o" in options else ["-o", "json"]), **more)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code == 2 or "-o" in options else json.loads(done.stdout)

    return call


def order(folder):
    return (folder / "order").read_text().split()


def component(name, inputs="[]", outputs="[text]", run="[true]", more=""):
    return f"    - {name}: {{run: {run}, inputs: {inputs}, outputs: {outputs}{more}}}\n"


def pipeline(*components, inputs="[]", outputs="[]"):
    return f"pipeline:\n  name: p\n  inputs: {inputs}\n  outputs: {outputs}\n  components:\n" + "".join(components)


# --- modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode, wanted", [
    ("async", ["first", "left", "right", "last"]),
    ("sync", ["first", "right", "left", "last"]),  # of those that could, the one that stands first in the file
    ("scheduled", ["first", "left", "right", "last"]),
])
def test_modes_have_their_order_and_the_same_outputs(run, tmp_path, mode, wanted):
    tick = ["--tick", "20ms"] if mode == "scheduled" else []
    answer = run(DIAMOND, "who=me", "--mode", mode, *tick)
    assert answer["results"] == {"last.text": "right me left me"}
    assert order(tmp_path) == wanted


def moment(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def test_ticks_start_what_is_ready_and_nothing_between_them(run, weir):
    run(DIAMOND, "who=me", "--mode", "scheduled", "--tick", "150ms")
    events = [json.loads(line) for line in weir("events", "@latest", "-o", "jsonl").stdout.splitlines()]
    begun = [moment(e) - moment(events[0]) for e in events if e["type"] == "attempt.scheduled"]
    ticks = [int(passed / 0.15) for passed in begun]
    assert ticks[0] == 0 and ticks[1] == ticks[2] and sorted(set(ticks)) == ticks[:2] + ticks[3:]
    assert max(passed % 0.15 for passed in begun) < 0.1  # soon after a tick, on a busy machine too


def test_pure_operations_too_are_tasks_of_their_mode(run, weir):
    text = pipeline(
        "    - b: {runner: add, inputs: [a.sum, x], outputs: [sum]}\n",
        "    - a: {runner: add, inputs: [x, y], outputs: [sum]}\n", inputs="[x, y]", outputs="[b.sum]",
    )
    for mode in ("async", "sync", "scheduled"):
        answer = run(text, "x=2", "y=3", "--mode", mode, "--tick", "10ms", "--plugin", CORPUS) if mode == "scheduled" else \
            run(text, "x=2", "y=3", "--mode", mode, "--plugin", CORPUS)
        assert answer["results"] == {"b.sum": 7}
        begun = [line for line in weir("events", "@latest").stdout.splitlines() if "attempt.scheduled" in line]
        assert len(begun) == (0 if mode == "async" else 2)


def test_a_mode_has_to_be_one(run):
    assert "cannot be `soon`" in run(DIAMOND, "who=me", "--mode", "soon", code=2)
    assert "only the mode `scheduled` has ticks" in run(DIAMOND, "who=me", "--tick", "1s", code=2)
    assert "a tick takes a millisecond" in run(DIAMOND, "who=me", "--mode", "scheduled", "--tick", "1us", code=2)


def test_a_recovered_run_goes_on_in_its_mode(weir, tmp_path):
    (tmp_path / "p.yaml").write_text(pipeline(
        component("a", "[]", run="[sh, -c, 'echo a >> order; touch begun; sleep 0.4']"),
        component("b", "[]", run="[sh, -c, 'echo b >> order; sleep 0.2; echo end >> order']"),
        component("c", "[]", run="[sh, -c, 'echo c >> order']"),
    ))
    process = subprocess.Popen([WEIR, "run", "p.yaml", "--mode", "sync"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert weir("recover", "@latest").returncode == 0
    assert order(tmp_path) == ["a", "a", "b", "end", "c"]


# --- what shows no sign of life --------------------------------------------------------------------


def processes_of(folder):
    """Those that work in the folder."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(folder) and (entry / "cmdline").read_bytes():
                found.append((int(entry.name), (entry / "cmdline").read_bytes().split(b"\0")[:-1]))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("command", ["[sleep, '30']", "[sh, -c, 'sleep 30; echo']"], ids=["itself", "its child"])
def test_a_stopped_task_is_ended_within_two_ticks(tmp_path, command):
    (tmp_path / "p.yaml").write_text(pipeline(component("a", run=command), outputs="[a.text]"))
    process = subprocess.Popen(
        [WEIR, "run", "p.yaml", "--mode", "scheduled", "--tick", "400ms", "-o", "json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    found = []
    while not found:
        found = [pid for pid, words in processes_of(tmp_path) if words == [b"sleep", b"30"]]
    os.kill(found[0], signal.SIGSTOP)
    stopped = time.monotonic()
    out, _ = process.communicate(timeout=30)
    assert time.monotonic() - stopped < 2 * 0.4 + 0.5  # the process has to end, too
    answer = json.loads(out)
    assert answer["phase"] == "Failed" and answer["error"]["code"] == "frozen"
    assert "its processes are stopped" in answer["error"]["what"]


def test_freeze_after_ends_what_neither_writes_nor_works(run):
    text = pipeline(
        component("dead", run="[sh, -c, 'echo hello; sleep 30']", more=", freeze_after: 300ms"), outputs="[dead.text]"
    )
    error = run(text, code=1)["error"]
    assert error["code"] == "frozen" and error["what"] == "was ended: it gave no sign of life for 300ms"


def test_freeze_after_leaves_alone_what_writes_or_works(run):
    text = pipeline(
        component("writes", run="[sh, -c, 'for i in 1 2 3 4; do sleep 0.2; echo $i; done']", more=", freeze_after: 600ms"),
        component("works", run="[sh, -c, 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo $i']",
                  more=", freeze_after: 600ms"),
        outputs="[writes.text, works.text]",
    )
    assert run(text)["results"] == {"writes.text": "1\n2\n3\n4", "works.text": "300000"}


# --- what is left out -------------------------------------------------------------------------------


def test_what_leads_to_no_output_is_left_out_and_named(run, tmp_path):
    answer = run(DIAMOND, "who=me")
    assert answer["left_out"] == ["aside"] and "aside" not in order(tmp_path)
    (tmp_path / "order").unlink()
    kept = run(DIAMOND, "who=me", "--keep-all")
    assert "left_out" not in kept and "aside" in order(tmp_path)
    assert kept["results"] == answer["results"]


def test_a_pipeline_without_outputs_runs_all(run, tmp_path):
    assert "left_out" not in run(DIAMOND.replace("[last.text]", "[]"), "who=me")
    assert sorted(order(tmp_path)) == ["aside", "first", "last", "left", "right"]


@pytest.mark.parametrize("goals, wanted, components", [
    (["left.text"], {"left.text": "left me"}, ["first", "left"]),
    (["last.text"], {"last.text": "right me left me"}, ["first", "left", "right", "last"]),
    (["left.text", "first.text", "left.text"], {"left.text": "left me", "first.text": "me"}, ["first", "left"]),
    (["who"], {"who": "me"}, []),
])
def test_goals_are_all_that_is_made(run, tmp_path, goals, wanted, components):
    answer = run(DIAMOND, "who=me", *[word for goal in goals for word in ("--goal", goal)])
    assert answer["results"] == wanted
    assert (order(tmp_path) if components else []) == components
    assert len(answer["left_out"]) == 5 - len(components)


def test_a_goal_has_to_be_an_output_and_needs_only_its_inputs(run):
    said = run(DIAMOND, "who=me", "--goal", "left.txt", code=2)
    assert "no output `left.txt`" in said and "did you mean `left.text`?" in said
    text = pipeline(component("a", "[x]"), component("b", "[y]"), inputs="[x, y]", outputs="{one: a.text, two: b.text}")
    assert run(text, "x=1", "--goal", "one")["results"] == {"one": ""}
    assert "input `y` is not given" in run(text, "x=1", "--goal", "two", code=2)


# --- what is wrong with a file ------------------------------------------------------------------------


@pytest.mark.parametrize("text, said", [
    (pipeline(component("x", "[x]"), inputs="[x]", outputs="[x.text]"), "p.yaml:6:7: error: `x` names an input and a component"),
    (pipeline(component("a"), outputs="[a.txt]"), "hint: a makes: `a.text`"),
    (pipeline(component("a", "[other]"), inputs="[outher]", outputs="[a.text]"), "hint: did you mean `outher`?"),
    (pipeline(component("a", "[a_.text]"), component("b"), outputs="[a.text]"), "hint: did you mean `a.text`?"),
    (pipeline("    - a: 8\n"), "p.yaml:6:7: error: component must be a mapping, found integer"),
    (pipeline("    - a: {runner: 8, inputs: [], outputs: []}\n"), "error: runner must be a name or a mapping, found integer"),
    (pipeline(component("a", more=", timeout: abc")), "timeout: `abc` is not a duration"),
    (pipeline(component("a", more=", freeze_after: [1]")), "freeze_after: a duration is a text or a number of seconds, not array"),
    (pipeline(component("a", more=", timeout: 0")), "timeout: `0` is no time that a task could take"),
])
def test_each_thing_that_is_wrong_is_said_once(run, text, said):
    problems = run(text, code=2)
    assert said in problems and problems.count(": error: ") == 1 + ("is not given" in problems)


# --- the fake run -----------------------------------------------------------------------------------


def test_every_stuck_component_is_listed_with_what_it_lacks(run):
    said = run(pipeline(
        component("a", "[c.text, d.text]"), component("b", "[a.text]"), component("c", "[b.text]"),
        component("d", "[e.text]"), component("e", "[nowhere.text]"), component("fine"), outputs="[a.text]",
    ), code=2)
    for part in (
        "p.yaml:6:33: error: a: c.text is missing: a cycle, each waits for the next: a → c → b → a",
        "a: d.text is missing: its maker `d` waits in turn for e.text",
        "b: a.text is missing", "c: b.text is missing", "e: nowhere.text is missing: nobody makes it",
    ):
        assert part in said
    assert "fine" not in said


def test_who_is_stuck_but_not_wanted_is_a_warning(run):
    text = pipeline(component("a"), component("lost", "[nowhere.text]"), outputs="[a.text]")
    assert run(text)["left_out"] == ["lost"]
    assert "warning: lost: nowhere.text is missing: nobody makes it" in run(text, "-o", "yaml")
    assert "error: lost: nowhere.text is missing" in run(text, "--keep-all", code=2)


def test_long_cycles_are_named_in_short(run):
    said = run(pipeline(*[component(f"c{i}", f"[c{(i + 1) % 500}.text]") for i in range(500)], outputs="[c0.text]"), code=2)
    assert "c0 → c1 → c2 → c3" in said and "more) → c0" in said
    assert "500 problems" in said or "400 more" in said or "c499" not in said


# --- cache -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache, runs", [("1h", 1), ("true", 1), ("{maxAge: 1h}", 1), ("false", 2), ("1us", 2)])
def test_cache_may_be_a_duration(run, tmp_path, cache, runs):
    text = pipeline(component("a", run="[sh, -c, 'echo a >> order; echo b']", more=f", cache: {cache}"), outputs="[a.text]")
    assert [run(text)["results"] for _ in range(2)] == [{"a.text": "b"}] * 2
    assert order(tmp_path) == ["a"] * runs


def test_a_cache_that_is_no_duration(run):
    said = run(pipeline(component("a", more=", cache: soon"), outputs="[a.text]"), code=2)
    assert "p.yaml:6:" in said and "cache: `soon` is not a duration" in said


# --- other forms ---------------------------------------------------------------------------------------

INVOICE = (ROOT / "examples/pipeline/invoice.yaml").read_text()
LISTS = (ROOT / "examples/pipeline/invoice-list.yaml").read_text()
VALUES = ["document_id=D0", "page_num=0"]
WANTED = {"total": 42, "table.cells": [12, 30], "letter.text": "Please pay 42 for D0."}
CODES = pipeline(
    component("a.b", "[name]", "[text, exit_code]", "[printf, '\"%s\" ', '{{inputs.name}}']", ", timeout: 1.5s, retries: 1"),
    component("main", "[a.b.text, code: a.b.exit_code]", "[out]",
              "[sh, -c, 'echo \"$0$1 $VARIABLE\"', '{{inputs.text}}', '{{inputs.code}}']",
              ", config: {environment: {VARIABLE: '<{{inputs.code}}>'}}"),
    inputs="[name]", outputs="{all: main.out, exit: a.b.exit_code, given: name}",
)


@pytest.mark.parametrize("text", [INVOICE, LISTS], ids=["plain", "list"])
@pytest.mark.parametrize("options", [
    ["show"], ["show", "-o", "json"], ["convert"], ["convert", "--to", "plain"], ["convert", "--to", "dataflow", "-o", "json"],
])
def test_other_forms_give_the_same_outputs(weir, tmp_path, text, options):
    (tmp_path / "p.yaml").write_text(text)
    made = weir("pipeline", options[0], "p.yaml", *options[1:])
    assert made.returncode == 0 and not made.stderr
    (tmp_path / "made.yaml").write_text(made.stdout)
    kind = "pipeline" if "- page:" in made.stdout else "dataflow"
    answer = json.loads(weir("run", "made.yaml", *VALUES, "-o", "json").stdout)
    assert answer["kind"] == kind and answer["results"].get("default", answer["results"]) == WANTED
    assert "- name: invoice\n" not in made.stdout


@pytest.mark.parametrize("text, values, wanted", [
    (INVOICE, VALUES, {"total": "42", "table-cells": "[12,30]", "letter-text": "Please pay 42 for D0."}),
    (CODES, ["name=Ada"], {"all": '"Ada" 0 <0>', "exit": "0", "given": "Ada"}),
], ids=["invoice", "codes"])
def test_a_workflow_gives_the_same_texts(weir, tmp_path, text, values, wanted):
    (tmp_path / "p.yaml").write_text(text)
    made = weir("pipeline", "convert", "p.yaml", "--to", "workflow", "--image", "debian:12")
    assert made.returncode == 0 and not made.stderr
    (tmp_path / "w.yaml").write_text(made.stdout)
    assert weir("lint", "w.yaml").returncode == 0
    parameters = [word for value in values for word in ("-p", value)]
    assert json.loads(weir("run", "w.yaml", *parameters, "-o", "json").stdout)["results"] == wanted
    pipeline_results = json.loads(weir("run", "p.yaml", *values, "-o", "json").stdout)["results"]
    assert [v if isinstance(v, str) else json.dumps(v, separators=(",", ":")) for v in pipeline_results.values()] == list(wanted.values())


def test_what_has_no_place_in_a_workflow(weir, tmp_path):
    (tmp_path / "p.yaml").write_text(pipeline(
        component("a", "[x]", more=", config: {stdin: '{{inputs.x}}'}, cache: true, freeze_after: 1s, image: alpine"),
        "    - b: {runner: string.upper, inputs: [a.text], outputs: [result]}\n", component("c"),
        inputs="[x]", outputs="[b.result, c.text]",
    ))
    made = weir("pipeline", "convert", "p.yaml", "--to", "workflow")
    assert made.returncode == 2 and not made.stdout
    for part in ("error: a: a workflow has no `config.stdin`", "warning: a: `cache` is left out",
                 "warning: a: `freeze_after` is left out", "p.yaml:7:7: error: b: an operation cannot be in a workflow",
                 "warning: c: names no image: in the workflow it is debian:12-slim"):
        assert part in made.stderr
    (tmp_path / "flow.yaml").write_text("operations: {}\ndefinitions: {}\n")
    assert "a dataflow is no pipeline" in weir("pipeline", "show", "flow.yaml").stderr


def test_a_form_has_no_more_than_what_is_wanted(weir, tmp_path):
    (tmp_path / "p.yaml").write_text(DIAMOND)
    shown = weir("pipeline", "show", "p.yaml", "--goal", "left.text", "-o", "json")
    assert list(json.loads(shown.stdout)["operations"]) == ["left", "first", "weir.outputs"]
    assert "left out: `last`, `right`, `aside` lead to no goal" in shown.stderr
    assert "aside" in weir("pipeline", "convert", "p.yaml").stdout


# --- one task of a run that goes on ------------------------------------------------------------------------

SLOW = pipeline(
    component("slow", run="[sh, -c, 'echo slow >> order; test -e quick || sleep 30; echo done']", more=", retries: 3"),
    component("beside", run="[sh, -c, 'echo beside >> order; touch begun; while ! test -e go; do sleep 0.05; done; echo well']"),
    component("after", "[slow.text]", run="[sh, -c, 'echo after >> order; echo \"$0!\"', '{{inputs.slow.text}}']"),
    outputs="[after.text, beside.text]",
)


@pytest.fixture
def going(tmp_path, weir):
    """The run of SLOW in the background, once both of its first components have begun."""
    (tmp_path / "p.yaml").write_text(SLOW)
    process = subprocess.Popen(
        [WEIR, "run", "p.yaml", "--name", "mine", "-o", "json"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )
    while not (tmp_path / "begun").exists() or "slow" not in order(tmp_path):
        time.sleep(0.01)
    yield process
    process.kill()
    process.communicate()
    (tmp_path / "go").touch()  # for what the killed run left


def test_one_task_is_cancelled_and_not_tried_again(going, weir, tmp_path):
    done = weir("cancel", "mine", "--task", "slow")
    assert done.returncode == 0, done.stderr
    (tmp_path / "go").touch()
    answer = json.loads(going.communicate(timeout=30)[0])
    assert answer["phase"] == "Failed" and answer["error"]["code"] == "cancelled"
    assert answer["error"]["where"]["instance"] == "slow" and order(tmp_path).count("slow") == 1
    assert "the run mine is over" in weir("cancel", "mine", "--task", "slow").stderr


def test_a_task_that_is_not_under_way_cannot_be_cancelled(going, weir):
    for task in ("after", "nobody"):
        refused = weir("cancel", "mine", "--task", task)
        assert refused.returncode and f"no task `{task}` of the run mine" in refused.stderr


def test_an_attempt_begins_again_alone(going, weir, tmp_path):
    (tmp_path / "quick").touch()
    done = weir("restart", "mine", "slow", "--alone")
    assert done.returncode == 0, done.stderr
    while "after" not in order(tmp_path):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    answer = json.loads(going.communicate(timeout=30)[0])
    assert answer["results"] == {"after.text": "done!", "beside.text": "well"}
    assert sorted(order(tmp_path)) == ["after", "beside", "slow", "slow"]  # whom nobody meant went on


@pytest.mark.parametrize("alone, did", [(True, ["slow"]), (False, ["slow", "after"])])
def test_a_task_that_is_over_is_done_again_alone_or_with_what_depends_on_it(run, weir, tmp_path, alone, did):
    for name in ("quick", "go"):
        (tmp_path / name).touch()
    first = run(SLOW, "--name", "mine")
    (tmp_path / "order").unlink()
    again = weir("restart", "mine", "slow", *["--alone"] * alone, "-o", "json")
    assert json.loads(again.stdout)["results"] == first["results"] and order(tmp_path) == did


# --- names and schedules -----------------------------------------------------------------------------


def test_a_value_may_go_out_under_several_names(run):
    text = pipeline(component("a", "[q]", run="[echo, hi]"), inputs="[q]", outputs="[q, w: q, a.text, first: a.text, second: a.text]")
    assert run(text, "q=7")["results"] == {"q": 7, "w": 7, "a.text": "hi", "first": "hi", "second": "hi"}


@pytest.mark.parametrize("text", ["\n  - cron: '@hourly'\n  - timezone: Europe/Berlin", "\n  - schedules: ['0 1 * * *', '30 2 * * *']", " ['0 1 * * *', '30 2 * * *']", " '@daily'"])
def test_a_schedule_in_list_style(run, weir, text):
    listed = "pipeline:\n- name: p\n- inputs: []\n- outputs: [a.y]\n- components:\n  - a:\n    - run: [echo, hi]\n    - inputs: []\n    - outputs: [y]\n- schedule:" + text + "\n"
    assert run(listed, "-b", command="check")["problems"] == []
    done = weir("cron", "create", "p.yaml", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert [word in done.stdout for word in ("Europe/Berlin", "@daily", "30 2 * * *")].count(True) == 1
    if "Berlin" in text:
        assert "p.yaml:12:5: error: there is no time zone `Mars`" in run(listed.replace("Europe/Berlin", "Mars"), code=2, command="check")
        assert "p.yaml:12:5: error: schedule: there is no `zone`" in run(listed.replace("timezone", "zone"), code=2, command="check")


def test_an_input_given_twice(weir, tmp_path):
    (tmp_path / "p.yaml").write_text("pipeline:\n  name: p\n  inputs: [x]\n  outputs: [a.t]\n  components:\n"
                                     "    - a: {run: [echo, '{{inputs.x}}'], inputs: [x], outputs: [t]}\n")  # fmt: skip
    refused = weir("run", "p.yaml", "x=1", "--input", "x=2")
    assert refused.returncode == 2 and "p.yaml:3:12: error: input `x` is given twice" in refused.stderr
