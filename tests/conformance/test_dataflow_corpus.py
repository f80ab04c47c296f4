"""Dataflows mean what they mean in DFFML: each file of dataflow/ has a dataflow, its inputs, and what DFFML made of them.

`weir` in a case stands for `expected` where DFFML has a defect. `unordered` are paths of arrays whose order is free,
`nondeterministic` paths that are not compared. What weir does not do yet stands in UNSUPPORTED with the error that says
so; a case that is not listed there has to conform. A flow that DFFML derives (`flow`) is judged by running the case
again with that flow written out."""

import collections
import json
import math
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
PLUGIN = os.environ.get("WEIR_CORPUS_PLUGIN", str(pathlib.Path(WEIR).parent / "tests/corpus_operations.so"))
CASES = {path.stem: path for path in sorted((pathlib.Path(__file__).parent / "dataflow").glob("*.json"))}

# What an error of DFFML is called here; any other may have any code.
CODES = {
    "OperationImplementationNotInstantiable": "unknown_operation",
    "DefinitionMissing": "unknown_definition",
    "DefinitionNotInContext": "definition_not_in_context",
    "OperationException": "operation_failed",
}
WRONG_FILE = {"OperationImplementationNotInstantiable", "DefinitionMissing"}

# case: error code, and what its message has to name.
UNSUPPORTED = {
    "ancestor.ambiguous": ("not_supported", "ancestor lists"),
    "ancestor.match": ("not_supported", "ancestor lists"),
    "expand.gen": ("unknown_operation", "`gen`"),  # the plugin interface has no generators
    "lock.ancestor": ("not_supported", "`lock`"),
    "lock.direct": ("not_supported", "`lock`"),
    "output.associate": ("unknown_operation", "`associate`"),
    "output.associate-definition": ("unknown_operation", "`associate_definition`"),
    "output.group-by": ("unknown_operation", "`group_by`"),
    "output.group-by-gaps": ("unknown_operation", "`group_by`"),
    "output.group-by-missing": ("unknown_operation", "`group_by`"),
    "output.group-by-strings": ("unknown_operation", "`group_by`"),
    "output.remap": ("unknown_operation", "`remap`"),
    "spec.defaults": ("not_supported", "`spec`"),
    "subflow.custom-bad-outputs": ("unknown_operation", "`dffml.dataflow.run`"),
    "subflow.default": ("unknown_operation", "`dffml.dataflow.run`"),
    "subflow.error": ("unknown_operation", "`dffml.dataflow.run`"),
    "subflow.forward-origin-mismatch": ("not_supported", "`forward`"),
    "subflow.forward-two-contexts": ("not_supported", "`forward`"),
    "validator.op-output-not-validated": ("not_supported", "`validate`"),
    "validator.rejects-strict": ("not_supported", "`validate`"),
    "validator.replaces": ("not_supported", "`validate`"),
    "value.associate-unhashable": ("unknown_operation", "`associate`"),
}


class Ran(collections.namedtuple("Ran", "code out err events")):
    @property
    def answer(self):
        return json.loads(self.out)


def run_case(folder, case, flow=None, flags=()):
    dataflow = {**case["dataflow"], **({"flow": flow} if flow else {})}
    (folder / "flow.json").write_text(json.dumps(dataflow))
    (folder / "inputs.json").write_text(json.dumps(case["inputs"]))
    command = [WEIR, "run", "flow.json", "--contexts", "inputs.json", "--plugin", PLUGIN, "--events", "events.jsonl"]
    command += ["--durability", "none", "-o", "json", *flags]
    if case.get("strict") is False:
        command.append("--no-strict")
    if case.get("max_ctxs") is not None:
        command += ["--max-contexts", str(case["max_ctxs"])]
    limit = case.get("timeout") or 60
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit)
    events = folder / "events.jsonl"
    lines = events.read_text().splitlines() if events.exists() else []
    return Ran(ran.returncode, ran.stdout, ran.stderr, [json.loads(line) for line in lines])


def text_of(value):
    """Equal for equal values, members in any order; 1 and 1.0 differ."""
    return json.dumps(value, sort_keys=True)


def bag(values):
    return collections.Counter(map(text_of, values))


def differences(path, want, got, unordered, ignored):
    """What differs, as texts."""
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


def started(events):
    """The parameters of every attempt, by instance; in flight at once, by instance."""
    parameters, in_flight, most = collections.defaultdict(list), collections.Counter(), collections.Counter()
    for event in events:
        if event["type"] == "attempt.started":
            instance = event["data"]["instance"]
            parameters[instance].append(event["data"]["parameters"])
            in_flight[instance] += 1
            most[instance] = max(most[instance], in_flight[instance])
        elif event["type"] == "attempt.finished":
            in_flight[event["data"]["instance"]] -= 1
    assert not any(in_flight.values()), f"attempts without an end: {in_flight}"
    return parameters, most


def problems_of_success(case, ran):
    expected = case.get("weir") or case["expected"]
    ignored = set(case.get("nondeterministic", ()))
    if "weir" in case:  # what DFFML left to chance is said there
        ignored -= {f"args.{instance}" for instance in expected.get("args") or {}}
    found = differences("results", expected["results"], ran.answer["results"], set(case.get("unordered", ())), ignored)
    parameters, most = started(ran.events)
    calls = expected.get("calls", {})
    for instance in sorted(calls.keys() | parameters.keys()):
        if "calls" in expected and not {"calls", f"calls.{instance}"} & ignored:
            found += differences(
                f"calls.{instance}", calls.get(instance, 0), len(parameters.get(instance, [])), (), ()
            )
    for instance, want in (expected.get("args") or {}).items():
        if not {"args", f"args.{instance}"} & ignored and bag(want) != bag(parameters.get(instance, [])):
            found.append(f"args.{instance}: {parameters.get(instance)} instead of {want}"[:800])
    if "max_concurrent" in expected:
        operations = case["dataflow"]["operations"]
        locked = [most[name] for name in most if operations.get(name, {}).get("name") == "record_lock"]
        assert max(locked, default=0) <= expected["max_concurrent"]
    return found


def check(case, ran):
    expected = case.get("weir") or case["expected"]
    if expected.get("error"):
        assert ran.code in (1, 2), ran.err
        if expected["error"] in WRONG_FILE:
            assert ran.code == 2, ran.err
        error = ran.answer["error"]
        assert error["what"]
        assert error["code"] == CODES.get(expected["error"], error["code"])
    else:
        assert ran.code == 0, ran.err or ran.out
        assert ran.answer["phase"] == "Succeeded" and ran.answer["error"] is None
        assert not problems_of_success(case, ran)


@pytest.mark.parametrize("name", [name for name in CASES if name not in UNSUPPORTED])
def test_case(name, tmp_path):
    case = json.loads(CASES[name].read_text())
    check(case, run_case(tmp_path, case))
    flow = (case.get("weir") or {}).get("flow") or case["expected"].get("flow")
    if flow and "flow" not in case["dataflow"]:
        check(case, run_case(tmp_path, case, flow))


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_said(name, tmp_path):
    code, named = UNSUPPORTED[name]
    ran = run_case(tmp_path, json.loads(CASES[name].read_text()))
    assert ran.code == 2, ran.out
    assert named in ran.err
    assert ran.answer["error"]["code"] == code
    assert ran.answer["error"]["where"]["line"] == 1
    assert not ran.events
