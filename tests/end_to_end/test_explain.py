"""`weir explain` and `weir run --explain`: what ran, how often and why; what did not, and why not."""

import json

import pytest

from conftest import ROOT

CALCULATOR = ROOT / "examples/calculator/calculator.json"
FLOW = {
    "linked": True,
    "definitions": {name: {"name": name, "primitive": "array"} for name in ("numbers", "total", "never", "code", "out")},
    "operations": {
        "add": {"name": "calculator.add", "inputs": {"numbers": "numbers"}, "outputs": {"sum": "total"}, "stage": "processing"},
        "late": {"name": "calculator.add", "inputs": {"numbers": "never"}, "outputs": {}, "stage": "processing"},
        "exit": {"name": "process.run", "inputs": {"code": "code"}, "outputs": {"result": "out"}, "stage": "processing", "retry": 2},
    },
    "configs": {"exit": {"command": ["sh", "-c", "exit {{inputs.code}}"]}},
    "seed": [
        {"value": [1, "x"], "definition": "numbers"},
        {"value": [1, 2], "definition": "numbers"},
        {"value": "0", "definition": "code"},
        {"value": "7", "definition": "code"},
    ],
}  # fmt: skip
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: skipping-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: bad}
      - {name: b, template: good, when: "1 == 2"}
      - {name: c, template: good, depends: a.Succeeded}
  - name: good
    container: {image: x, command: ["true"]}
  - name: bad
    container: {image: x, command: [sh, -c, exit 3]}
"""


def explained(weir, *arguments):
    ran = weir("explain", *arguments, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    made = json.loads(ran.stdout)
    return made, {operation["name"]: operation for operation in made["operations"]}


def test_a_dataflow(weir):
    weir("run", CALCULATOR, "line=add 40 and 2", "--name", "sum")
    made, operations = explained(weir, "sum")
    assert (made["name"], made["kind"], made["phase"]) == ("sum", "dataflow", "Succeeded")
    assert list(operations) == ["parse_line", "add", "mult", "get_single"]
    assert operations["add"]["because"] == ["parse_line"] and operations["add"]["calls"] == 1
    assert operations["add"]["sets"] == [{"parameters": {"numbers": [40, 2]}, "outcome": "succeeded"}]
    assert operations["parse_line"]["because"] == ["the inputs of the context"]
    assert operations["mult"]["calls"] == 0 and operations["mult"]["phase"] == "Omitted"
    text = weir("explain", "@latest").stdout
    assert "✔ add  1 call\n    because of  parse_line\n" in text and "○ mult  did not run\n    because  " in text


def test_failures_and_attempts(weir, tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    ran = weir("run", "flow.json", "--no-strict", "--name", "lax")
    assert ran.returncode == 0
    assert ran.stderr.splitlines() == ["weir: lax went on after 2 failed calls", "  hint: `weir explain lax`, or --explain, says what failed"]
    assert weir("run", "flow.json", "--no-strict", "-q").stderr == ""
    _, operations = explained(weir, "@latest")
    assert (operations["add"]["calls"], operations["add"]["failed"]) == (2, 1)
    assert operations["add"]["failures"][0]["parameters"] == {"numbers": [1, "x"]}
    exits = operations["exit"]
    assert (exits["calls"], exits["attempts"], exits["failed"]) == (2, 3, 1)
    assert [failure["message"] for failure in exits["failures"]] == ["exit code 7"] * 2
    assert operations["late"]["calls"] == 0


def test_a_value_that_nobody_gave(weir, tmp_path):
    ran = weir("run", CALCULATOR, "--name", "empty")
    assert ran.returncode == 1 and "no value of definition `result` came in this context" in ran.stderr
    assert ran.stderr.endswith("  hint: `weir explain empty`, or --explain, says why no operation gave it\n")
    assert "parameter `line` had no value" in weir("explain", "empty").stdout


def test_one_operation(weir, tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    weir("run", "flow.json", "--no-strict")
    _, operations = explained(weir, "@latest", "exit")
    assert list(operations) == ["exit"]
    text = weir("explain", "@latest", "exit").stdout
    assert '    with  code = "0": succeeded\n' in text and '    with  code = "7": failed\n' in text
    missing = weir("explain", "@latest", "nobody")
    assert missing.returncode == 2 and "has no operation `nobody`" in missing.stderr and "`weir explain " in missing.stderr


def test_a_workflow(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    assert weir("run", "w.yaml").returncode == 1
    _, operations = explained(weir, "@latest")
    assert operations["a"]["message"] == "main: Error (exit code 3)" and operations["a"]["failed"] == 1
    assert operations["b"]["message"] == "when '1 == 2' evaluated false"
    text = weir("explain", "@latest").stdout
    assert "○ b  did not run  when '1 == 2' evaluated false\n" in text
    assert "○ c  did not run  omitted: depends condition not met\n" in text


@pytest.mark.parametrize("durability", ["batch", "none"])
@pytest.mark.parametrize("form", ["text", "json", "jsonl", "name"])
def test_run_and_explain(weir, durability, form):
    """The explanation stands beside the results."""
    options = ["--durability", durability, "--name", "sum", "-o", form]
    ran = weir("run", CALCULATOR, "line=add 40 and 2", "--explain", *options)
    assert ran.returncode == 0
    assert ran.stderr.startswith("sum  dataflow  Succeeded\n✔ parse_line  1 call\n")
    assert "did not run" not in ran.stdout
    if form == "json":
        assert json.loads(ran.stdout)["results"] == {"default": {"result": 42}}


def test_a_failed_run_is_explained_too(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    ran = weir("run", "w.yaml", "--explain")
    assert ran.returncode == 1 and ran.stderr.index("failed: main: Error") < ran.stderr.index("○ b  did not run")


@pytest.mark.parametrize("arguments, code", [([], 2), (["none"], 2), (["a", "b", "c"], 2)])
def test_mistakes(weir, arguments, code):
    weir("run", CALCULATOR, "line=add 1 and 2")
    ran = weir("explain", *arguments)
    assert (ran.returncode, ran.stdout) == (code, "") and ran.stderr
