"""How runs of dataflows within dataflows are shown: their contexts are no results of the run, and stand under their parents."""

import json

import pytest

INNER = {
    "linked": True,
    "definitions": {name: {"name": name, "primitive": "str"} for name in ("t", "u", "spec", "o")},
    "operations": {
        "up": {"name": "string.upper", "inputs": {"text": "t"}, "outputs": {"text": "u"}},
        "get": {"name": "get_single", "inputs": {"spec": "spec"}, "outputs": {"output": "o"}, "stage": "output"},
    },
    "seed": [{"value": ["u"], "definition": "spec"}],
}
OUTER = {
    "linked": True,
    "definitions": {name: {"name": name, "primitive": "map"} for name in ("x", "u", "r", "spec", "o")} | {"t": {"name": "t", "primitive": "str"}},
    "operations": {
        "sub": {"name": "dffml.dataflow.run", "inputs": {"inputs": "x"}, "outputs": {"results": "r"}, "expand": ["results"]},
        "get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "o"}, "stage": "output"},
    },
    "seed": [
        {"value": {name: [{"value": name, "definition": "t"}] for name in "ab"}, "definition": "x"},
        {"value": ["r"], "definition": "spec"},
    ],
    "configs": {"sub": {"dataflow": INNER}},
}
CUSTOM = {
    **OUTER,
    "operations": {
        "sub": {"name": "dffml.dataflow.run", "inputs": {"t": "t"}, "outputs": {"u": "u"}},
        "get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "o"}, "stage": "output"},
    },
    "seed": [{"value": "a", "definition": "t"}, {"value": ["u"], "definition": "spec"}],
}


@pytest.mark.parametrize("durability", ["batch", "none"])
@pytest.mark.parametrize("flow, result", [(OUTER, {"r": [{"a": {"u": "A"}}, {"b": {"u": "B"}}]}), (CUSTOM, {"u": ["A"]})], ids=["run", "custom"])
def test_lines_are_of_the_contexts_of_the_run_only(weir, tmp_path, durability, flow, result):
    (tmp_path / "f.json").write_text(json.dumps(flow))
    (tmp_path / "c.json").write_text(json.dumps({"one": [], "two": []}))
    ran = weir("run", "f.json", "--contexts", "c.json", "-o", "jsonl", "--durability", durability)
    assert ran.returncode == 0, ran.stderr
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [{"context": name, "result": result} for name in ("one", "two")]


def test_contexts_of_a_subflow_stand_under_its_operation(weir, tmp_path):
    (tmp_path / "f.json").write_text(json.dumps(OUTER))
    (tmp_path / "c.json").write_text(json.dumps({"one": [], "two": []}))
    assert weir("run", "f.json", "--contexts", "c.json", "--name", "it").returncode == 0
    lines = [line.split("  0")[0].rstrip() for line in weir("get", "it").stdout.splitlines()[1:]]
    lines = [line[: len(line) - len(line.lstrip())] + line.split()[1] for line in lines]
    tree = ["  sub", "    a", "      up", "      get", "    b", "      up", "      get", "  get"]
    assert lines == ["one", *tree, "two", *tree]
    seen = set()
    for node in json.loads(weir("get", "it", "-o", "json").stdout)["nodes"]:
        assert node.get("parent") in seen | {None}
        seen.add(node["id"])


# --- operations that may fail -----------------------------------------------------------------------------------------


def lenient(**fields):
    """`bad` fails for one of two values; what it gives for the other is doubled."""
    names = ("n", "six", "spec", "o", "quotient", "twice", "other")
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "int"} for name in names},
        "operations": {
            "bad": {"name": "math.divide", "inputs": {"a": "six", "b": "n"}, "outputs": {"result": "quotient"}, **fields},
            "twice": {"name": "math.multiply", "inputs": {"a": "quotient"}, "outputs": {"result": "twice"}},
            "other": {"name": "math.add", "inputs": {"a": "n"}, "outputs": {"result": "other"}},
            "get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "o"}, "stage": "output"},
        },
        "configs": {"twice": {"b": 2}, "other": {"b": 1}},
        "seed": [{"value": 0, "definition": "n"}, {"value": 2, "definition": "n"}, {"value": 6, "definition": "six"},
                 {"value": ["twice", "other"], "definition": "spec"}],
    }


@pytest.mark.parametrize("durability", ["batch", "none"])
def test_an_operation_that_is_not_strict_may_fail(weir, tmp_path, durability):
    (tmp_path / "f.json").write_text(json.dumps(lenient(strict=False)))
    done = weir("run", "f.json", "--durability", durability, "--explain")
    assert done.returncode == 0 and json.loads(done.stdout) == {"twice": [6.0], "other": [1, 3]}
    assert "bad  2 calls, 1 failed" in done.stderr or "1 failed" in done.stderr
    for fields in ({}, {"strict": True}):
        (tmp_path / "f.json").write_text(json.dumps(lenient(**fields)))
        assert weir("run", "f.json", "--durability", durability).returncode == 1
    (tmp_path / "f.json").write_text(json.dumps(lenient(strict="no")))
    refused = weir("check", "f.json")
    assert refused.returncode == 2 and "operation `bad`: `strict` is neither true nor false" in refused.stderr


def test_a_dataflow_within_may_fail_or_have_what_may(weir, tmp_path):
    outer = {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "map"} for name in ("x", "r", "spec", "o")},
        "operations": {
            "sub": {"name": "dffml.dataflow.run", "inputs": {"inputs": "x"}, "outputs": {"results": "r"}, "expand": ["results"], "strict": False},
            "get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "o"}, "stage": "output"},
        },
        "configs": {"sub": {"dataflow": lenient()}},
        "seed": [{"value": {name: [{"value": n, "definition": "n"}]}, "definition": "x"} for name, n in (("a", 3), ("b", "no number"))]
        + [{"value": ["r"], "definition": "spec"}],
    }
    for item in outer["configs"]["sub"]["dataflow"]["seed"][:1]:
        item["value"] = 1  # nothing fails but for what is given
    (tmp_path / "f.json").write_text(json.dumps(outer))
    done = weir("run", "f.json")
    assert done.returncode == 0, done.stderr
    assert [list(result) for result in json.loads(done.stdout)["r"]] == [["a"]]
    outer["operations"]["sub"].pop("strict")
    (tmp_path / "f.json").write_text(json.dumps(outer))
    assert weir("run", "f.json").returncode == 1
    outer["configs"]["sub"]["dataflow"] = lenient(strict=False)  # what fails is within it
    outer["seed"] = [{"value": {"a": []}, "definition": "x"}, {"value": ["r"], "definition": "spec"}]
    (tmp_path / "f.json").write_text(json.dumps(outer))
    done = weir("run", "f.json")
    assert done.returncode == 0 and json.loads(done.stdout)["r"] == [{"a": {"twice": [6.0], "other": [1, 3]}}], done.stderr
