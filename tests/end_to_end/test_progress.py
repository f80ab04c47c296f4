"""What a terminal shows while a dataflow runs: counts, rate, time left, many contexts as one; and what no terminal gets."""

import json
import os
import re
import resource

import pytest

from test_command_line import on_a_terminal

ESCAPES = re.compile(r"\033\[\??[0-9;]*[A-Za-z]")
FLOW = {
    "linked": True,
    "definitions": {name: {"name": name, "primitive": "str"} for name in ("number", "said", "checked", "nobody")},
    "operations": {
        "say": {"name": "process.run", "inputs": {"number": "number"}, "outputs": {"result": "said"}, "stage": "processing"},
        "check": {"name": "process.run", "inputs": {"said": "said"}, "outputs": {"result": "checked"}, "stage": "processing"},
        "never": {"name": "process.run", "inputs": {"nobody": "nobody"}, "outputs": {}, "stage": "processing"},
    },
    "configs": {
        "say": {"command": ["sh", "-c", "sleep 0.2; echo {{inputs.number}}"]},
        "check": {"command": ["sh", "-c", "test {{inputs.said}} != 7"]},
    },
}  # fmt: skip


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("WEIR_")] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    for contexts in (1, 6):
        values = {
            f"c{i}": [{"value": str(i * 8 + k), "definition": "number"} for k in range(48 // contexts)]
            for i in range(contexts)
        }
        (tmp_path / f"{contexts}.json").write_text(json.dumps(values))
    return tmp_path


def frames(text):
    """What was drawn, one after the other, without what moves the cursor; the last is what stays."""
    return [ESCAPES.sub("", frame) for frame in text.split("\033[?2026h")]


def test_one_context(files):
    code, text = on_a_terminal(files, "run", "flow.json", "--contexts", "1.json", "--no-strict", "--set", "limits.attempts=8")
    drawn = frames(text)
    assert code == 0 and text.count("\033[?2026h") == text.count("\033[?2026l")
    counted = [re.search(r"^flow-\w+  dataflow  Running  (\d+)/(\d+)  ", frame, re.M) for frame in drawn[1:]]
    numbers = [tuple(map(int, match.groups())) for match in counted if match]
    assert len(numbers) >= 3 and numbers == sorted(numbers) and numbers[-1][1] >= 48
    assert any(re.search(r"\d+/s", frame) for frame in drawn) and any("s left)" in frame for frame in drawn)
    assert any(re.search(r"^  ● say  \d+/48", frame, re.M) for frame in drawn)
    final = drawn[-1]
    assert "96/96" in final and "✔ say  48/48" in final and "✖ check  48/48" in final and "○ never" in final
    assert "left" not in final.split("Succeeded")[-1]


def test_many_contexts_are_one(files):
    code, text = on_a_terminal(files, "run", "flow.json", "--contexts", "6.json", "--no-strict", "--set", "limits.attempts=8")
    drawn = frames(text)
    assert code == 0
    assert any(re.search(r"Running  \d+/\d+  0/6 contexts", frame) for frame in drawn)
    assert any(re.search(r"^● say  \d+/48", frame, re.M) for frame in drawn)
    tree = drawn[-1].split("Succeeded")[-1].split("{")[0]
    assert "6/6 contexts" in tree and "✔ say  48/48" in tree and "c0" not in tree


LARGE = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: large-}
spec:
  entrypoint: main
  templates:
  - {name: leaf, suspend: {duration: "0"}}
  - {name: held, suspend: {}}
  - name: main
    steps:
    - - {name: s, template: leaf, withSequence: {count: 10000}}
    - - {name: h, template: held}
"""


def test_of_a_large_workflow_only_what_is_shown_is_made(weir, files):
    (files / "large.yaml").write_text(LARGE)

    def cost(call):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = call()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result

    def run(name, held):
        return lambda: on_a_terminal(files, "run", "large.yaml", "--resume-after", held, "--name", name)

    brief, (code, few) = cost(run("brief", "10ms"))
    long, (again, many) = cost(run("long", "3s"))
    whole, got = cost(lambda: weir("get", "long"))
    assert code == again == got.returncode == 0
    more = many.count("\033[?2026h") - few.count("\033[?2026h")
    assert 2 <= more <= 65, "at most 20 a second"
    assert (long - brief) / more < whole / 5, "a drawing costs what the screen shows, and not what there is"
    shown = re.findall(r"^… ([\d]+) more: (.*)$", ESCAPES.sub("", many), re.M)
    assert any(int(number) + 22 > 10000 and "done" in what for number, what in shown), shown[-3:]


def test_no_terminal_gets_nothing_but_results_and_how_many_failed(weir, files):
    ran = weir("run", "flow.json", "--contexts", "6.json", "--no-strict")
    assert ran.returncode == 0 and "\033" not in ran.stdout + ran.stderr
    assert json.loads(ran.stdout) == {f"c{i}": {} for i in range(6)}
    assert ran.stderr.count("\n") == 2 and " went on after 1 failed call\n" in ran.stderr
    quiet = on_a_terminal(files, "run", "flow.json", "--contexts", "6.json", "--no-strict", "-q")
    assert "\033" not in quiet[1]


def test_contexts_that_are_not_listed_count(files, tmp_path):
    flow = {
        "definitions": {"n": {"primitive": "int"}, "m": {"primitive": "int"}},
        "operations": {"a": {"name": "math.negate", "inputs": {"number": "n"}, "outputs": {"result": "m"}}},
    }
    (tmp_path / "negate.json").write_text(json.dumps(flow))
    contexts = {f"c{i}": [{"value": i, "definition": "n"}] for i in range(5000)}
    (tmp_path / "5000.json").write_text(json.dumps(contexts))
    for durability in "none", "full":
        command = ["run", "negate.json", "--contexts", "5000.json", "--durability", durability]
        code, text = on_a_terminal(files, *command)
        assert code == 0
        assert "5000/5000  5000/5000 contexts" in frames(text)[-1], durability
