"""Dataflows mean through `weir.dffml` what they mean in DFFML: the cases of tests/conformance/dataflow, with operations in Python.

Of those that the engine does itself (output operations, subflows) the calls are not counted here."""

import asyncio
import collections
import json
import math
import os
import pathlib

import dffml_operations
import pytest

from weir.dffml import DataFlow, DefinitionMissing, Input, MemoryOrchestrator

SOURCE = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
CASES = {path.stem: path for path in sorted((SOURCE / "tests/conformance/dataflow").glob("*.json"))}
NATIVE = {"get_single", "get_multi", "group_by", "associate", "associate_definition", "remap", "dffml.dataflow.run"}


def input_of(flow, entry, named):
    if "same_as" in entry:
        return named[entry["same_as"]]
    if entry["definition"] not in flow.definitions:
        raise DefinitionMissing(entry["definition"])
    origin = entry.get("origin", "seed")
    made = Input(
        value=entry["value"],
        definition=flow.definitions[entry["definition"]],
        origin=tuple(origin) if isinstance(origin, list) else origin,
        parents=[named[parent] for parent in entry.get("parents", [])],
    )
    if "id" in entry:
        named[entry["id"]] = made
    return made


async def run(case):
    flow = DataFlow._fromdict(**case["dataflow"])
    flow.implementations.update(dffml_operations.IMPLEMENTATIONS)
    inputs = {}
    for context, entries in case["inputs"].items():
        named = {}
        inputs[context] = [input_of(flow, entry, named) for entry in entries]
    results = {}
    async with MemoryOrchestrator(max_ctxs=case.get("max_ctxs")) as orchestrator:
        async with orchestrator(flow) as octx:
            async for context, result in octx.run(inputs, strict=case.get("strict", True)):
                results[str(context)] = result
    return results


def text_of(value):
    return json.dumps(value, sort_keys=True)


def bag(values):
    return collections.Counter(map(text_of, values))


def differences(path, want, got, unordered, ignored):
    if path in ignored:
        return []
    if isinstance(want, dict) and isinstance(got, dict) and want.keys() == got.keys():
        return [line for key in want for line in differences(f"{path}.{key}", want[key], got[key], unordered, ignored)]
    if isinstance(want, list) and isinstance(got, list) and path in unordered:
        equal = bag(want) == bag(got)
    elif isinstance(want, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        equal = math.isclose(want, got, rel_tol=1e-12)
    else:
        equal = text_of(want) == text_of(got)
    return [] if equal else [f"{path}: {text_of(got)[:400]} instead of {text_of(want)[:400]}"]


def operations_of(dataflow):
    """Names of operations by instance, those of subflows too."""
    found = {instance: operation.get("name", instance) for instance, operation in dataflow["operations"].items()}
    for config in (dataflow.get("configs") or {}).values():
        if isinstance(config, dict) and isinstance(config.get("dataflow"), dict):
            found |= operations_of(config["dataflow"])
    return found


def problems(case, results, record):
    expected = case.get("weir") or case["expected"]
    ignored = set(case.get("nondeterministic", ()))
    if "weir" in case:
        ignored -= {f"args.{instance}" for instance in expected.get("args") or {}}
    got = json.loads(json.dumps(results))
    found = differences("results", expected["results"], got, set(case.get("unordered", ())), ignored)
    names = operations_of(case["dataflow"])
    ours = {instance for instance in names if names[instance] not in NATIVE}
    calls = expected.get("calls", {})
    for instance in sorted((calls.keys() | record.parameters.keys()) & ours):
        if "calls" in expected and not {"calls", f"calls.{instance}"} & ignored:
            found += differences(f"calls.{instance}", calls.get(instance, 0), len(record.parameters[instance]), (), ())
    for instance, want in (expected.get("args") or {}).items():
        if instance in ours and not {"args", f"args.{instance}"} & ignored:
            if bag(want) != bag(record.parameters[instance]):
                found.append(f"args.{instance}: {record.parameters[instance]} instead of {want}"[:800])
    if record.most > expected.get("max_concurrent", math.inf):
        found.append(f"{record.most} in flight")
    return found


@pytest.mark.parametrize("name", CASES)
def test_case(name, monkeypatch):
    case = json.loads(CASES[name].read_text())
    expected = case.get("weir") or case["expected"]
    record = dffml_operations.Record()
    monkeypatch.setattr(dffml_operations, "record", record)
    if not expected.get("error"):
        assert not problems(case, asyncio.run(run(case)), record)
        return
    with pytest.raises(Exception) as raised:
        asyncio.run(run(case))
    assert type(raised.value).__name__ == expected["error"]
    if expected.get("error_cause"):
        assert type(raised.value.__cause__).__name__ == expected["error_cause"]


def wires(flow):
    """In any order."""
    return {
        instance: (
            {name: sorted(map(text_of, sources)) for name, sources in (entry.get("inputs") or {}).items()},
            sorted(set(map(text_of, entry.get("conditions") or []))),
        )
        for instance, entry in flow.items()
    }


def test_flows_are_derived_as_dffml_does():
    looked = 0
    for path in CASES.values():
        case = json.loads(path.read_text())
        flow = case["expected"].get("flow")
        if flow and "flow" not in case["dataflow"] and "weir" not in case:
            looked += 1
            made = DataFlow._fromdict(**case["dataflow"])
            assert wires(made.export()["flow"]) == wires(flow), path.stem
    assert looked > 100


def test_what_is_exported_is_the_same_when_it_comes_back():
    for path in CASES.values():
        case = json.loads(path.read_text())
        expected = case.get("weir") or case["expected"]
        if expected.get("error") != "DefinitionMissing":
            once = DataFlow._fromdict(**case["dataflow"]).export(linked=True)
            assert DataFlow._fromdict(**once).export(linked=True) == once, path.stem
            assert DataFlow._fromdict(**DataFlow._fromdict(**case["dataflow"]).export()).export(linked=True) == once
