"""What calls of Python functions cost, beside concurrent.futures' processes in the same run.

usage: python_workers.py [--calls N] [--chain N] [--spins N] [--rounds R] [-o json]

- many: N calls of a function that adds one, in two workers, beside ProcessPoolExecutor.map with chunks of 1 and of 100. A run's own time
  (the program's start, the file with N seeds) is measured by a run of the same file whose function is not called, and taken off.
- there and back: one call after the other, a chain of operations of which each waits for the one before; beside submit().result().
- first: a run of one call from the command's start to its end; beside `python3 -c pass`.
- two: a loop of pure Python, 8 calls in one worker (one processor) and in two.
Medians; rates are calls a second."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("WEIR", ROOT / "build/release/weir"))
MODULE = """
def more(n):
    return n + 1


def spin(n):
    total = 0
    for i in range(n):
        total = (total + (i ^ n)) & 0xFFFF
    return total
"""


def flow(function, seeds, called=True, first=0):
    """Calls the function for each seed, numbers from `first` on; not `called`: it has a condition that never comes."""
    operation = {"name": function, "inputs": {"n": "n"}, "outputs": {"result": "m"}, "stage": "processing"}
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "int"} for name in ("n", "m", "never")},
        "operations": {"f": operation if called else {**operation, "conditions": ["never"]}},
        "seed": [{"value": first + value, "definition": "n", "origin": "seed"} for value in range(seeds)],
    }


def chain(length):
    names = [f"n{i}" for i in range(length + 1)]
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "int"} for name in names},
        "operations": {
            f"f{i}": {"name": "ops:more", "inputs": {"n": names[i]}, "outputs": {"result": names[i + 1]}, "stage": "processing"}
            for i in range(length)
        },
        "seed": [{"value": 0, "definition": "n0", "origin": "seed"}],
    }


def seconds(command, folder, processors=None):
    """How long it takes; `processors`: on how many."""
    if processors:
        command = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:processors])), *command]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(folder, options):
    run = [PROGRAM, "run", "--durability", "none", "-o", "name"]
    took = {}

    def note(name, value):
        took.setdefault(name, []).append(value)

    sys.path.insert(0, str(folder))
    import ops  # noqa: PLC0415

    for _ in range(options.rounds):
        note("many", seconds([*run, "many.json"], folder) - seconds([*run, "idle.json"], folder))
        note("chain", seconds([*run, "chain.json"], folder) - seconds([*run, "one.json"], folder))
        note("first", seconds([*run, "one.json"], folder))
        note("python", seconds(["python3", "-c", "pass"], folder))
        note("spin in one", seconds([*run, "spin.json"], folder, 1))
        note("spin in two", seconds([*run, "spin.json"], folder, 2))
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(ops.more, range(100)))
            for size in (1, 100):
                began = time.perf_counter()
                list(pool.map(ops.more, range(options.calls), chunksize=size))
                note(f"chunks of {size}", time.perf_counter() - began)
            began = time.perf_counter()
            for i in range(options.chain):
                pool.submit(ops.more, i).result()
            note("submit", time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in took.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--chain", type=int, default=2_000)
    parser.add_argument("--spins", type=int, default=4_000_000, help="of the loop of pure Python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-workers-"))
    try:
        (folder / "ops.py").write_text(MODULE)
        for name, content in {
            "many": flow("ops:more", options.calls), "idle": flow("ops:more", options.calls, called=False), "one": flow("ops:more", 1),
            "chain": chain(options.chain), "spin": flow("ops:spin", 8, first=options.spins),
        }.items():  # fmt: skip
            (folder / f"{name}.json").write_text(json.dumps(content))
        took = measure(folder, options)
    finally:
        shutil.rmtree(folder)
    n = options.calls
    figures = {
        "calls_per_second": n / took["many"], "chunks_of_1_per_second": n / took["chunks of 1"], "chunks_of_100_per_second": n / took["chunks of 100"],
        "many_by_chunks_of_1": took["chunks of 1"] / took["many"], "many_by_chunks_of_100": took["chunks of 100"] / took["many"],
        "there_and_back_us": took["chain"] / options.chain * 1e6, "submit_us": took["submit"] / options.chain * 1e6,
        "there_and_back_by_submit": took["chain"] / took["submit"],
        "first_ms": took["first"] * 1e3, "python_ms": took["python"] * 1e3, "first_by_allowed": took["first"] / (1.5 * took["python"] + 0.030),
        "two_workers_by_one": took["spin in one"] / took["spin in two"],
    }  # fmt: skip
    if options.output == "json":
        print(json.dumps(figures))
        return
    print(f"{n:,} calls in two workers: {figures['calls_per_second']:,.0f}/s, "
          f"{figures['many_by_chunks_of_1']:.1f} × chunks of 1 (at least 10), {figures['many_by_chunks_of_100']:.2f} × chunks of 100 (at least 0.5)")
    print(f"there and back: {figures['there_and_back_us']:.0f} µs, {figures['there_and_back_by_submit']:.2f} × submit().result() (at most 1)")
    print(f"first result: {figures['first_ms']:.0f} ms, {figures['first_by_allowed']:.2f} × what is allowed: 1.5 × python3 -c pass ({figures['python_ms']:.0f} ms) + 30 ms")
    print(f"two workers: {figures['two_workers_by_one']:.2f} × one (at least 1.9)")


if __name__ == "__main__":
    main()
