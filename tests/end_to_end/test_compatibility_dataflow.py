"""What docs/compatibility.md says of dataflows is so: for each row here the table says that it works, and a dataflow that
needs it gives what it should. The conformance tests go further."""

import json

import pytest

from conftest import ROOT

TEXT = (ROOT / "docs/compatibility.md").read_text()
GET = {"get_multi": {"inputs": {"spec": "asked"}, "stage": "output"}}
NESTED = {
    "definitions": {"a": {}, "b": {}, "asked": {}},
    "operations": {"negate": {"name": "math.negate", "inputs": {"number": "a"}, "outputs": {"result": "b"}}, **GET},
    "seed": [{"value": ["b"], "definition": "asked"}],
}
WORDS = {"name": "string.split", "inputs": {"text": "line"}, "outputs": {"parts": "word"}, "expand": ["parts"]}
LENGTH = {"name": "string.length", "inputs": {"text": "word"}, "outputs": {"length": "length"}}
INNER = {"value": {"x": [{"value": 5, "definition": "a"}]}, "definition": "inner"}
RUN = {"name": "dffml.dataflow.run", "inputs": {"inputs": "inner"}, "outputs": {"results": "b"}, "expand": ["results"]}


def flow(asked, operations, seed, definitions=None, **more):
    """A dataflow whose result is all values of the definitions in `asked`."""
    names = {"a", "b", "c", "line", "word", "length", "inner", "asked"}
    return {
        "definitions": {name: (definitions or {}).get(name, {}) for name in names},
        "operations": {**operations, **GET},
        "seed": [*seed, {"value": asked, "definition": "asked"}],
        **more,
    }


def seed(**values):
    return [{"value": value, "definition": name} for name, value in values.items()]


def negate(taken="a", given="b", **more):
    return {"name": "math.negate", "inputs": {"number": taken}, "outputs": {"result": given}, **more}


ADD = {"name": "math.add", "inputs": {"a": "a", "b": "c"}, "outputs": {"result": "b"}}
POINT = {"name": "P", "types": {"y": "int", "x": "int"}, "defaults": {"y": 7}}
# The first cell of a row: a dataflow, more arguments, and its result.
ROWS = {
    "`default`": (flow(["b"], {"o": ADD}, seed(a=1), {"c": {"default": 10}}), [], {"b": [11]}),
    "`lock`": (flow(["b"], {"o": negate()}, seed(a=1), {"a": {"lock": True}}), [], {"b": [-1]}),
    "`spec`, `subspec`": (flow(["a"], {}, seed(a={"x": 1}), {"a": {"spec": POINT}}), [], {"a": [[1, 7]]}),
    "`validate`": (flow(["b"], {"o": negate(validator=True)}, seed(a=1), {"a": {"validate": "o"}}), [], {"b": [-1]}),
    "`validator`": (
        flow(["a", "b"], {"o": negate("c", "b", validator=True)}, seed(c=1), {"c": {"validate": "o"}}),
        ["--configure", 'get_multi.nostrict=["a"]'],
        {"b": [-1]},
    ),
    "`conditions`": (
        flow(["b"], {"o": negate(conditions=["c"]), "p": negate(conditions=["word"])}, seed(a=1, c=0, word=1)),
        [],
        {"b": [-1]},
    ),
    "`expand`": (flow(["word"], {"w": WORDS}, seed(line="to be")), [], {"word": ["to", "be"]}),
    '`{"instance": "output"}`': (
        flow(["b"], {"o": negate(), "p": negate("c", "b")}, seed(a=1),
             flow={"o": {"inputs": {"number": ["seed"]}}, "p": {"inputs": {"number": [{"o": "result"}]}},
                   "get_multi": {"inputs": {"spec": ["seed"]}}}),
        [],
        {"b": [-1, 1]},
    ),
    '`{"origin": ["A", "B"]}` (alternate definitions)': (
        flow(["b"], {"o": negate()}, seed(a=1, c=2),
             flow={"o": {"inputs": {"number": [{"seed": ["a", "c"]}]}}, "get_multi": {"inputs": {"spec": ["seed"]}}}),
        [],
        {"b": [-1, -2]},
    ),
    "`[source, ancestor…]`": (
        flow(["length"], {"w": WORDS, "n": LENGTH},
             [*seed(line="to bee"), {"value": "four", "definition": "line", "origin": "mail"}],
             flow={"w": {"inputs": {"text": ["seed", "mail"]}}, "n": {"inputs": {"text": [[{"w": "parts"}, "mail"]]}},
                   "get_multi": {"inputs": {"spec": ["seed"]}}}),
        [],
        {"length": [4]},
    ),
    "`dffml.dataflow.run`": (
        flow(["b"], {"o": RUN}, [INNER], configs={"o": {"dataflow": NESTED}}),
        [],
        {"b": [{"x": {"b": [-5]}}]},
    ),
    "forwarding inputs to subflows": (
        flow(["b"], {"o": RUN, "slow": {"name": "time.sleep", "inputs": {"seconds": "c"}, "outputs": {"seconds": "word"}}},
             [{"value": {"x": [{"value": 0.8, "definition": "a"}]}, "definition": "inner"}, *seed(c=0.1)],
             forward={"book": {"o": ["word"]}},
             configs={"o": {"dataflow": {
                 "definitions": {"a": {}, "word": {}, "asked": {}},
                 "operations": {"wait": {"name": "time.sleep", "inputs": {"seconds": "a"}}, **GET},
                 "seed": [{"value": ["word"], "definition": "asked"}]}}}),
        [],
        {"b": [{"x": {"word": [0.1]}}]},
    ),
    "no contexts at all": (flow(["a"], {}, []), ["--contexts", "none.json"], {}),
    "strict and not strict (`--no-strict`)": (
        flow(["b"], {"o": negate()}, [*seed(a="x"), *seed(a=2)]), ["--no-strict"], {"b": [-2]}
    ),
}  # fmt: skip
OUTPUTS = {
    "`get_single`, `get_multi`": ("get_single", [{"first": "word"}, "line"], {"line": "to bee", "first": "bee"}),
    "`group_by`": ("group_by", {"n": {"group": "length", "by": "word"}}, {"n": [2, 3]}),
    "`associate`, `associate_definition`": ("associate", ["word", "length"], {"length": {"to": 2, "bee": 3}}),
}


def state_of(row):
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| {row} |")]
    return line.split(" | ")[1].strip(" |")


def result_of(weir, tmp_path, dataflow, arguments):
    (tmp_path / "f.json").write_text(json.dumps(dataflow))
    (tmp_path / "none.json").write_text("{}")
    ran = weir("run", "f.json", *arguments, "-o", "json", "--durability", "none")
    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)["results"]
    return results.get("default", results)


@pytest.mark.parametrize("row", ROWS)
def test_row(weir, tmp_path, row):
    dataflow, arguments, wanted = ROWS[row]
    assert state_of(row) == "works"
    assert result_of(weir, tmp_path, dataflow, arguments) == wanted


@pytest.mark.parametrize("row", OUTPUTS)
def test_output_operation(weir, tmp_path, row):
    name, spec, wanted = OUTPUTS[row]
    dataflow = flow(spec, {"w": WORDS, "n": LENGTH}, seed(line="to bee"))
    dataflow["operations"] = {**dataflow["operations"], name: {"inputs": {"spec": "asked"}, "stage": "output"}}
    if name != "get_multi":
        del dataflow["operations"]["get_multi"]
    assert state_of(row) == "works"
    assert result_of(weir, tmp_path, dataflow, []) == wanted


@pytest.mark.parametrize(
    "row, dataflow, code",
    [
        ("`validate`", flow([], {}, seed(a=1), {"a": {"validate": "nobody"}}), "unknown_validator"),
        ("`remap`", {**flow([], {}, []), "operations": {"remap": {"inputs": {"spec": "inner"}, "stage": "output"}},
                     "configs": {"remap": {"dataflow": NESTED}},
                     "seed": seed(inner={"n": ["b", 3]}, b=1)}, "remap_failed"),
        ("`dffml.dataflow.run`", flow(["b"], {"o": RUN}, seed(inner=3), configs={"o": {"dataflow": NESTED}}),
         "operation_failed"),
    ],
)  # fmt: skip
def test_what_is_wrong(weir, tmp_path, row, dataflow, code):
    (tmp_path / "f.json").write_text(json.dumps(dataflow))
    ran = weir("run", "f.json", "-o", "json", "--durability", "none")
    assert ran.returncode in (1, 2) and state_of(row) == "works"
    assert json.loads(ran.stdout)["error"]["code"] == code
