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
