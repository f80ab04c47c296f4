"""Contexts that come while a run goes on, as lines, and runs that forget them."""

import json
import signal
import subprocess
import time

import pytest

from conftest import WEIR

FLOW = {
    "definitions": {name: {} for name in "ABSO"},
    "operations": {
        "n": {"name": "math.absolute", "inputs": {"number": "A"}, "outputs": {"result": "B"}},
        "get": {"name": "get_single", "inputs": {"spec": "S"}, "outputs": {"output": "O"}, "stage": "output"},
    },
    "seed": [{"value": ["B"], "definition": "S"}],
}


@pytest.fixture
def flow(tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    return tmp_path


def start(folder, *arguments):
    return subprocess.Popen(
        [WEIR, *map(str, arguments), "--feed", "-", "--state", str(folder / "state"), "-o", "jsonl"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def say(run, *lines):
    run.stdin.writelines(json.dumps(line) + "\n" for line in lines)
    run.stdin.flush()


def read(run, count):
    return dict((line["context"], line["result"]["B"]) for line in (json.loads(run.stdout.readline()) for _ in range(count)))


def test_lines_become_contexts_as_they_come(flow):
    run = start(flow, "run", flow / "flow.json")
    say(run, {"context": "a", "inputs": {"A": -3}})
    assert read(run, 1) == {"a": 3}, "before the input ends"
    say(run, {"context": "h", "inputs": [{"value": -1, "definition": "A"}], "hold": True}, {"inputs": {"A": -7}})
    assert read(run, 1) == {"3": 7}, "without a name a context has its line's number"
    say(run, {"send": "h", "inputs": {"A": -9}}, {"close": "h"})
    assert read(run, 1) == {"h": 9}
    assert run.communicate(timeout=60) == ("", "") and run.returncode == 0


def test_a_run_that_is_killed_is_fed_again(flow):
    run = start(flow, "run", flow / "flow.json", "--name", "bot")
    say(run, {"context": "keeps", "inputs": {"A": -1}, "hold": True}, {"context": "a", "inputs": {"A": -3}})
    assert read(run, 1) == {"a": 3}
    run.send_signal(signal.SIGKILL)
    run.wait(60)
    run = start(flow, "recover", "bot")
    say(run, {"send": "keeps", "inputs": {"A": -5}}, {"close": "keeps"}, {"context": "b", "inputs": {"A": 2}})
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert {"context": "keeps", "result": {"B": 5}} in [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("line, said", [
    ('{"x"', "standard input:2:5: error: "),
    ("[1]", "standard input:2:1: error: is no line of contexts"),
    ('{"context": 7}', "is no line of contexts"),
    ('{"context": "a", "close": "a"}', "is no line of contexts"),
    ('{"inputs": 5}', "is no line of contexts"),
    ('{"inputs": {"Q": 1}}', "unknown definition `Q`"),
    ('{"send": "nobody", "inputs": {"A": 1}}', "no context `nobody`"),
    ('{"close": "nobody"}', "no context `nobody`"),
    ("\x00", "standard input:2:"),
])
def test_a_line_that_is_wrong_ends_the_run_and_is_named(flow, line, said):
    run = start(flow, "run", flow / "flow.json")
    _, err = run.communicate('{"context": "a", "inputs": {"A": -3}}\n' + line + "\n", timeout=60)
    assert run.returncode == 2 and said in err


def test_who_cannot_be_fed(flow, weir):
    (flow / "hello.yaml").write_text("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {}\n")
    for arguments, said in {
        ("run", flow / "flow.json", "--feed", flow / "absent"): "absent cannot be read: No such file",
        ("run", flow / "flow.json", "--feed", "-", "--detach"): "exclude each other",
        ("recover", "--all", "--feed", "-"): "which of the runs",
        ("run", flow / "hello.yaml", "--feed", "-"): "takes no `open`",
    }.items():
        refused = weir(*map(str, arguments))
        assert refused.returncode and said in refused.stderr, refused.stderr


def test_a_run_forgets_what_is_over(flow, weir):
    run = start(flow, "run", flow / "flow.json", "--name", "bot", "--forget-after", "1s", "--record", "all")
    say(run, {"context": "keeps", "inputs": {"A": -1}, "hold": True})
    due, number, shortened = time.monotonic() + 60, 0, []
    while not shortened and time.monotonic() < due:
        say(run, *({"context": f"m{number + i}", "inputs": {"A": -i}} for i in range(500)))
        number += 500
        read(run, 500)
        journal = weir("events", "bot", "-o", "jsonl", "--type", "run.shortened", "--state", str(flow / "state"))
        shortened = [json.loads(line)["data"] for line in journal.stdout.splitlines()]
    assert shortened and 0 < shortened[0]["over"] <= number
    say(run, {"send": "keeps", "inputs": {"A": -5}}, {"close": "keeps"})
    assert read(run, 1) == {"keeps": 5}
    assert run.communicate(timeout=60)[1] == "" and run.returncode == 0
    kept = weir("results", "bot", "-o", "jsonl", "--state", str(flow / "state")).stdout.splitlines()
    assert len(kept) < number and json.loads(kept[-1])["context"] == "keeps"
    refused = weir("retry", "bot", "--state", str(flow / "state"))
    assert refused.returncode and "forgotten contexts" in refused.stderr
