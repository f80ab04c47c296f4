"""What it costs to ask a run of a million events about itself, beside the replay that each answer needs.

usage: lineage.py [--events N] [--rounds R]

Two dataflows of calls, in a journal of about N events: one context that makes all of them, and contexts of three each. Every command is
a process of its own; the table gives the median of its CPU and wall time, and its memory. `get` replays and shows the run: the bare limit.
WEIR names the binary (default: build/release/weir). Ends with 1 when `lineage` of one value takes more than 3 s of CPU a million events."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import start

LINEAGE_S_MAX = 3.0
CHAIN = """definitions: {end: {primitive: int}, a: {primitive: int}, b: {primitive: int}, c: {primitive: int}, d: {primitive: int}}
operations:
  one: {name: math.add, inputs: {a: a}, outputs: {result: b}}
  two: {name: math.add, inputs: {a: b}, outputs: {result: c}}
  three: {name: math.add, inputs: {a: c}, outputs: {result: d}}
configs: {one: {b: 1}, two: {b: 1}, three: {b: 1}}
"""
RANGE = "  range: {name: list.range, inputs: {end: end}, outputs: {list: a}, expand: [list]}\n"
QUESTIONS = (
    ("get", ["get", "RUN"]),
    ("lineage of a value", ["lineage", "RUN", "d=VALUE"]),
    ("lineage --forward", ["lineage", "RUN", "a=5", "--forward"]),
    ("report", ["report", "RUN"]),
    ("events of one type", ["events", "RUN", "--type", "run.*"]),
    ("events, all as JSON", ["events", "RUN", "-o", "jsonl"]),
)


def call(folder, *arguments):
    """CPU seconds, wall seconds, bytes of memory at most."""
    began = time.perf_counter()
    process = subprocess.Popen([start.WEIR, *arguments], cwd=folder, stdout=subprocess.DEVNULL, env={**os.environ, "WEIR_STATE": ".weir"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss * 1024


def count_events(folder, run):
    """In the journal, where a call is one event."""
    # Line by line: a process that is started by a large one counts as large itself.
    with subprocess.Popen([start.WEIR, "events", run, "--state", ".weir"], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        return sum(1 for line in process.stdout if ".start  " not in line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    slow = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        n, contexts = given.events // 5, given.events // 8
        (folder / "one.yaml").write_text(CHAIN.replace("  one:", RANGE + "  one:"))
        (folder / "many.yaml").write_text(CHAIN)
        (folder / "many.json").write_text(json.dumps({f"c{i}": [{"value": i, "definition": "a"}] for i in range(contexts)}))
        call(folder, "run", "one.yaml", f"end={n}", "--name", "one", "-q", "--record", "all")
        call(folder, "run", "many.yaml", "--contexts", "many.json", "--name", "many", "-q",
             "--record", "all")
        for run, value, what in (("one", n // 2, "one context"), ("many", contexts // 2, f"{contexts:,} contexts")):
            events = count_events(folder, run)
            print(f"{what}, {events:,} events")
            for title, words in QUESTIONS:
                words = [word.replace("RUN", run).replace("VALUE", str(value)) for word in words]
                rounds = [call(folder, *words) for _ in range(given.rounds)]
                cpu, wall, memory = (statistics.median(column) for column in zip(*rounds))
                print(f"  {title:22} {cpu:6.2f} s CPU {wall:6.2f} s wall {memory / 1e6:7.0f} MB")
                slow |= title.startswith("lineage") and cpu > LINEAGE_S_MAX * max(events / 1e6, 0.1)
    sys.exit(slow)


if __name__ == "__main__":
    main()
