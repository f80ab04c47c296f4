"""Pure calls run ahead of the journal: few events, the same results, also after `kill -9`; `--record all` has them all."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from conftest import WEIR

PLUGIN = os.environ.get("WEIR_CORPUS_PLUGIN", str(pathlib.Path(WEIR).parent / "tests/corpus_operations.so"))
FLOW = """
definitions: {A: {primitive: int}, M: {primitive: int}, S: {primitive: array}, O: {primitive: map}}
operations:
  next: {name: collatz, inputs: {n: A}, outputs: {n: A}}
  neg: {name: neg, inputs: {a: A}, outputs: {result: M}}
  get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: output}
seed: [{value: [A, M], definition: S}]
flow:
  next: {inputs: {n: [seed, {next: n}]}}
  neg: {inputs: {a: [seed, {next: n}]}}
  get: {inputs: {spec: [seed]}}
"""


def collatz(n):
    values = [n]
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        values.append(n)
    return values


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    return tmp_path


def weir(folder, *arguments):
    done = subprocess.run([WEIR, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(folder, *arguments):
    return weir(folder, "run", "flow.yaml", "--plugin", PLUGIN, *arguments)


def contexts(folder, count):
    given = {f"c{i}": [{"value": i + 1, "definition": "A"}] for i in range(count)}
    (folder / "contexts.json").write_text(json.dumps(given))
    return ["--contexts", "contexts.json"]


def expected(count):
    """Of each context how often each value came."""
    return {f"c{i}": sorted(collatz(i + 1)) for i in range(count)}


def results(lines):
    got = {}
    for line in lines.splitlines():
        record = json.loads(line)
        if "context" in record:
            assert sorted(-n for n in record["result"]["M"]) == sorted(record["result"]["A"])
            assert got.setdefault(record["context"], sorted(record["result"]["A"])) == sorted(record["result"]["A"])
    return got


def types(folder, name):
    return [json.loads(line)["type"] for line in weir(folder, "events", name, "-o", "jsonl").splitlines()]


def test_a_small_run_is_recorded_whole(folder):
    run(folder, "--input", "A=27", "--name", "small", "-o", "json")
    seen = types(folder, "small")
    assert "context.ahead" not in seen
    assert seen.count("attempt.finished") == 2 * len(collatz(27)) + 1


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_large_run_has_few_events(folder, threads):
    count = 700
    out = run(folder, *contexts(folder, count), "--name", "large", "-o", "jsonl", "--threads", threads)
    assert results(out) == expected(count)
    assert results(weir(folder, "results", "large", "-o", "jsonl")) == expected(count)
    last = json.loads(weir(folder, "results", "large", f"c{count - 1}", "-o", "jsonl"))
    assert last["context"] == f"c{count - 1}" and sorted(last["result"]["A"]) == sorted(collatz(count))
    seen = types(folder, "large")
    assert seen.count("contexts.finished") and len(seen) < 6000
    shown = json.loads(weir(folder, "get", "large", "--plugin", PLUGIN, "-o", "json"))
    calls = sum(2 * len(values) + 1 for values in expected(count).values())
    done = sum(node.get("done", 0) for node in shown["nodes"]) + shown["unlisted"]["done"]
    assert done == calls


def test_record_all_has_every_call(folder):
    run(folder, *contexts(folder, 80), "--name", "all", "--record", "all", "-o", "jsonl")
    seen = types(folder, "all")
    assert "context.ahead" not in seen and "contexts.taken" not in seen
    assert seen.count("attempt.finished") == sum(2 * len(values) + 1 for values in expected(80).values())


def test_what_a_crash_loses_is_computed_again(folder):
    count = 2000
    given = contexts(folder, count)
    chance = random.Random(7)
    command = [WEIR, "run", "flow.yaml", "--plugin", PLUGIN, *given, "-o", "jsonl", "--name"]
    began = time.monotonic()
    subprocess.run([*command, "whole"], cwd=folder, stdout=subprocess.DEVNULL, check=True, timeout=120)
    takes = time.monotonic() - began
    for i in range(5):
        name = f"killed{i}"
        with open(folder / "out", "w") as out:
            process = subprocess.Popen([*command, name], cwd=folder, stdout=out)
            time.sleep(takes * chance.uniform(0.2, 1.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
        told = (folder / "out").read_text()
        told = told[: told.rfind("\n") + 1]
        if name not in weir(folder, "list", "-o", "name").split():
            assert results(told) == {}
            continue
        again = weir(folder, "recover", name, "--plugin", PLUGIN, "-o", "jsonl")
        assert results(again) == expected(count)
        assert results(told).items() <= results(again).items()
