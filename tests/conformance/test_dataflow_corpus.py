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
    "ValidatorMissing": "unknown_validator",
    "MultipleAncestorsFoundError": "ambiguous_ancestor",
    "RemapFailure": "remap_failed",
    "OperationException": "operation_failed",
}
WRONG_FILE = {"OperationImplementationNotInstantiable", "DefinitionMissing", "ValidatorMissing"}


class Ran(collections.namedtuple("Ran", "code out err events")):
    @property
    def answer(self):
        return json.loads(self.out)


def run_case(folder, case, flow=None, events=True):
    dataflow = {**case["dataflow"], **({"flow": flow} if flow else {})}
    (folder / "flow.json").write_text(json.dumps(dataflow))
    (folder / "inputs.json").write_text(json.dumps(case["inputs"]))
    command = [WEIR, "run", "flow.json", "--contexts", "inputs.json", "--plugin", PLUGIN]
    command += ["--durability", "none", "-o", "json"]
    if events:
        command += ["--events", "events.jsonl"]
    if case.get("strict") is False:
        command.append("--no-strict")
    if case.get("max_ctxs") is not None:
        command += ["--max-contexts", str(case["max_ctxs"])]
    limit = case.get("timeout") or 60
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit)
    log = folder / "events.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
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


@pytest.mark.parametrize("name", CASES)
def test_case(name, tmp_path):
    case = json.loads(CASES[name].read_text())
    check(case, run_case(tmp_path, case))
    flow = (case.get("weir") or {}).get("flow") or case["expected"].get("flow")
    if flow and "flow" not in case["dataflow"]:
        check(case, run_case(tmp_path, case, flow))


@pytest.mark.parametrize("name", CASES)
def test_case_without_events(name, tmp_path):
    """Where nobody wants events a run goes another way; it has to come to the same."""
    case = json.loads(CASES[name].read_text())
    ran = run_case(tmp_path, case, events=False)
    expected = case.get("weir") or case["expected"]
    if expected.get("error"):
        assert ran.code in (1, 2), ran.err
        assert ran.answer["error"]["code"] == CODES.get(expected["error"], ran.answer["error"]["code"])
        return
    assert ran.code == 0, ran.err or ran.out
    unordered, ignored = set(case.get("unordered", ())), set(case.get("nondeterministic", ()))
    assert not differences("results", expected["results"], ran.answer["results"], unordered, ignored)
