"""`weir graph`: every kind of file, every format, what is left out, hostile names, mistakes."""

import json
import re
import xml.dom.minidom

import pytest

from conftest import ROOT

OVERLAYS = ("evening", "without-lock")  # no dataflows by themselves
EXAMPLES = sorted((ROOT / "examples").glob("*/*.json")) + sorted((ROOT / "examples").glob("*/*.yaml"))
EXAMPLES = [file for file in EXAMPLES if file.stem not in OVERLAYS]
CALCULATOR = ROOT / "examples/calculator/calculator.json"
HOSTILE = "\x1b[31m \"]:::x --> <script>alert('&amp;')</script> %%{init}%% \\N `x`\n"
BEGINS = {"text": "", "dot": "digraph ", "mermaid": "flowchart ", "svg": "<svg "}


def drawn(weir, *arguments):
    ran = weir("graph", *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def nested(flow):
    """The unlinked form: definitions stand where they are used."""

    def whole(name):
        return flow["definitions"][name]

    operations = {}
    for name, operation in flow["operations"].items():
        ports = {side: {key: whole(value) for key, value in operation[side].items()} for side in ("inputs", "outputs")}
        conditions = {"conditions": [whole(value) for value in operation.get("conditions", [])]}
        operations[name] = {**operation, **ports, **conditions}
    seed = [{**entry, "definition": whole(entry["definition"])} for entry in flow["seed"]]
    return {"operations": operations, "seed": seed}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
@pytest.mark.parametrize("format", BEGINS)
def test_every_example_is_drawn(weir, file, format):
    for display in ("TD", "LR", "RL", "BT"):
        for simple in ([], ["--simple"]):
            text = drawn(weir, file, "--format", format, "--display", display, *simple)
            assert text.startswith(BEGINS[format]) and file.name in text or format == "mermaid"
            if format == "svg":
                xml.dom.minidom.parseString(text)


def test_text_says_who_gives_what_to_whom(weir):
    text = drawn(weir, CALCULATOR)
    assert "◇ line  seed  → parse_line.line" in text
    assert "◂ numbers  ← parse_line.numbers" in text
    assert "? is_add   ← parse_line.add" in text
    assert "\033" not in text


def test_the_unlinked_form_looks_the_same(weir, tmp_path):
    (tmp_path / "calculator.json").write_text(json.dumps(nested(json.loads(CALCULATOR.read_text()))))
    assert drawn(weir, "calculator.json") == drawn(weir, CALCULATOR)


def test_a_written_flow(weir, tmp_path):
    flow = json.loads(CALCULATOR.read_text())
    flow["flow"] = {
        "parse_line": {"inputs": {"line": ["elsewhere"]}},
        "add": {"inputs": {"numbers": [{"parse_line": "numbers"}]}, "conditions": [{"parse_line": "mult"}]},
        "get_single": {"inputs": {"spec": ["seed"]}},
    }
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    text = drawn(weir, "flow.json")
    assert "◇ line  elsewhere  → parse_line.line" in text
    assert "add (condition)" in text and text.count("← nothing gives it") >= 2


def test_stages_and_simple(weir):
    assert "Output" not in drawn(weir, CALCULATOR, "--stages", "processing")
    output = drawn(weir, CALCULATOR, "--stages=cleanup,output")
    assert "Processing" not in output and "line" not in output and "get_single_spec" in output
    simple = drawn(weir, CALCULATOR, "--simple")
    assert "◂" not in simple and "◇" not in simple and "add  calculator.add  ← parse_line" in simple


def test_mermaid_has_a_subgraph_a_stage_and_an_operation(weir):
    text = drawn(weir, CALCULATOR, "--format", "mermaid", "--display", "LR")
    assert text.startswith("flowchart LR\n")
    names = re.findall(r'^subgraph \w+\["(.*)"\]$', text, re.M)
    assert names == ["Inputs", "Processing", "parse_line", "add", "mult", "Output", "get_single"]
    assert text.count("subgraph") == len(re.findall(r"^end$", text, re.M))
    simple = drawn(weir, CALCULATOR, "--format", "mermaid", "--simple")
    assert re.findall(r'^subgraph \w+\["(.*)"\]$', simple, re.M) == ["Processing", "Output"]


def test_hostile_names(weir, tmp_path):
    flow = json.loads(json.dumps(json.loads(CALCULATOR.read_text())).replace("parse_line", "PARSE", 1))
    flow["operations"] = {HOSTILE if name == "PARSE" else name: value for name, value in flow["operations"].items()}
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    picture = drawn(weir, "flow.json", "--format", "svg")
    assert not xml.dom.minidom.parseString(picture).getElementsByTagName("script")
    for format in BEGINS:
        text = drawn(weir, "flow.json", "--format", format)
        assert "\x1b" not in text
        assert format == "text" or "<script>" not in text
    assert "%%{" not in drawn(weir, "flow.json", "--format", "mermaid")
    for line in drawn(weir, "flow.json", "--format", "dot").splitlines():
        assert re.sub(r"\\.", "", line).count('"') % 2 == 0


def test_a_workflow_that_calls_itself(weir, tmp_path):
    steps = [[{"name": "a", "template": "leaf"}, {"name": "again", "template": "main", "when": "1 == 2"}]]
    leaf = {"name": "leaf", "container": {"image": "x", "command": ["true"]}}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "steps": steps}, leaf]}
    document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}
    (tmp_path / "w.yaml").write_text(json.dumps(document))
    assert "again  main, steps, when 1 == 2, again" in drawn(weir, "w.yaml")


def test_a_workflow_that_grows_without_end(weir, tmp_path):
    """Twelve templates, each of which calls the next ten times: what is too much is shown as calls."""
    calls = [
        {"name": f"t{i}", "steps": [[{"name": f"s{k}", "template": f"t{i + 1}"} for k in range(10)]]} for i in range(12)
    ]
    leaf = {"name": "t12", "container": {"image": "x", "command": ["true"]}}
    spec = {"entrypoint": "t0", "templates": [*calls, leaf]}
    document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}
    (tmp_path / "w.yaml").write_text(json.dumps(document))
    text = drawn(weir, "w.yaml")
    assert "not drawn" in text and text.count("\n") < 10_000
    refused = weir("graph", "w.yaml", "--format", "svg")
    assert refused.returncode == 2 and "too many for a picture" in refused.stderr


def test_to_a_file(weir, tmp_path):
    for name, begin in {"a.svg": "<svg", "a.dot": "digraph", "a.mmd": "flowchart", "a.txt": "calculator.json"}.items():
        assert drawn(weir, CALCULATOR, "--output", name) == ""
        assert (tmp_path / name).read_text().startswith(begin)
    assert drawn(weir, CALCULATOR, "-o", "-", "--format", "dot").startswith("digraph")
    failed = weir("graph", CALCULATOR, "-o", "none/a.svg")
    assert failed.returncode == 3 and "none/a.svg" in failed.stderr


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        ([], 2, "an argument is missing"),
        (["none.json"], 2, "none.json"),
        ([CALCULATOR, "--format", "png"], 2, "one of text|dot|mermaid|svg"),
        ([CALCULATOR, "--display", "XY"], 2, "one of TD|LR|RL|BT"),
        ([CALCULATOR, "--stages", "middle"], 2, "there is no stage `middle`"),
        ([ROOT / "examples/workflow/hello-world.yaml", "--stages", "output"], 2, "a workflow has no stages"),
        (["wrong.yaml"], 2, "wrong.yaml:1:1"),
        ([CALCULATOR, "-o", "a.png"], 2, "`a.png`: no .png can be drawn here"),
    ],
)
def test_mistakes(weir, tmp_path, arguments, code, message):
    (tmp_path / "wrong.yaml").write_text("a: 1\n")
    ran = weir("graph", *arguments)
    assert (ran.returncode, ran.stdout) == (code, "") and message in ran.stderr
    assert not (tmp_path / "a.png").exists()
