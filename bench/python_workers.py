"""What calls of Python functions cost, beside concurrent.futures' processes in the same run.

usage: python_workers.py [--calls N] [--chain N] [--spins N] [--megabytes N] [--rounds R] [-o json]

- many: N calls of a function that adds one, in two workers, beside ProcessPoolExecutor.map with chunks of 1 and of 100. A run's own time
  (the program's start, the file with N seeds) is measured by a run of the same file whose function is not called, and taken off.
- there and back: one call after the other, a chain of operations of which each waits for the one before; beside submit().result().
- first: a run of one call from the command's start to its end; beside `python3 -c pass`.
- two: a loop of pure Python, 8 calls in one worker (one processor) and in two.
- array: one of 100 MB that is made, and goes through 10 operations that look into it and give it on; beside a copy of it into memory that is there. What it
  takes to make it, to start and to call is measured by the same chain with a number in its place, and taken off. The first of a run, and each that follows when
  nobody has the one before any more. With NumPy only: WEIR_PYTHON names an interpreter that has it.
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
ARRAYS = """
import numpy


def made(n, size):
    numpy.full(size, float(n))
    return n


def array(n, size):
    return numpy.full(size, float(n))


def look(n):
    return n


def look_at(n):
    assert n[0] == n[-1] == n[len(n) // 2] and not n.flags.writeable
    return n


def end(n):
    return n


def end_of(n):
    return int(n[0])
"""
HOPS = 10
FEW, MANY = 5, 13  # of which each worker has memory by then
COPY = """
import sys, time, numpy
a, took = numpy.full(int(sys.argv[1]), 1.0), []
b = numpy.empty_like(a)
for _ in range(6):
    began = time.perf_counter()
    numpy.copyto(b, a)
    took.append(time.perf_counter() - began)
print(sorted(took[1:])[2])
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


def arrays(count, size, make, look, end):
    """So often, one after the other: made, looked at HOPS times, and a number is left, of which the next is made."""
    names, operations = ["size", "n0"], {}

    def add(function, parameters, result):
        names.append(result)
        operations[f"f{len(operations)}"] = {
            "name": f"arrays:{function}", "inputs": parameters, "outputs": {"result": result}, "stage": "processing",
        }  # fmt: skip

    for i in range(count):
        add(make, {"n": f"n{i}", "size": "size"}, f"a{i}_0")
        for hop in range(HOPS):
            add(look, {"n": f"a{i}_{hop}"}, f"a{i}_{hop + 1}")
        add(end, {"n": f"a{i}_{HOPS}"}, f"n{i + 1}")
    seeds = {"n0": 1, "size": size}
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "generic"} for name in names},
        "operations": operations,
        "seed": [{"value": value, "definition": name, "origin": "seed"} for name, value in seeds.items()],
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

    if options.arrays:
        python = os.environ.get("WEIR_PYTHON", "python3")
        for _ in range(options.rounds):
            copied = subprocess.run([python, "-c", COPY, str(options.size)], check=True, capture_output=True, text=True)
            note("copy", float(copied.stdout))
            one = seconds([*run, "array1.json"], folder) - seconds([*run, "number1.json"], folder)
            few, many = (
                seconds([*run, f"array{count}.json"], folder) - seconds([*run, f"number{count}.json"], folder)
                for count in (FEW, MANY)
            )
            note("first array", one)
            note("next array", (many - few) / (MANY - FEW))
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
    parser.add_argument("--megabytes", type=int, default=100, help="of the array; 0: none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    options = parser.parse_args()
    options.size = options.megabytes * 1_000_000 // 8
    options.arrays = options.size and not subprocess.run(
        [os.environ.get("WEIR_PYTHON", "python3"), "-c", "import numpy"], check=False, capture_output=True
    ).returncode
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-workers-"))
    try:
        (folder / "ops.py").write_text(MODULE)
        (folder / "arrays.py").write_text(ARRAYS)
        for count in (1, FEW, MANY):
            number, array = ("made", "look", "end"), ("array", "look_at", "end_of")
            (folder / f"number{count}.json").write_text(json.dumps(arrays(count, options.size, *number)))
            (folder / f"array{count}.json").write_text(json.dumps(arrays(count, options.size, *array)))
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
    if options.arrays:
        figures |= {
            "copy_ms": took["copy"] * 1e3, "first_array_ms": took["first array"] * 1e3, "next_array_ms": took["next array"] * 1e3,
            "next_array_by_copy": took["next array"] / took["copy"], "first_array_by_copy": took["first array"] / took["copy"],
        }  # fmt: skip
    if options.output == "json":
        print(json.dumps(figures))
        return
    print(f"{n:,} calls in two workers: {figures['calls_per_second']:,.0f}/s, "
          f"{figures['many_by_chunks_of_1']:.1f} × chunks of 1 (at least 10), {figures['many_by_chunks_of_100']:.2f} × chunks of 100 (at least 0.5)")
    print(f"there and back: {figures['there_and_back_us']:.0f} µs, {figures['there_and_back_by_submit']:.2f} × submit().result() (at most 1)")
    print(f"first result: {figures['first_ms']:.0f} ms, {figures['first_by_allowed']:.2f} × what is allowed: 1.5 × python3 -c pass ({figures['python_ms']:.0f} ms) + 30 ms")
    print(f"two workers: {figures['two_workers_by_one']:.2f} × one (at least 1.9)")
    if options.arrays:
        print(f"{options.megabytes} MB array through {HOPS} operations: {figures['next_array_ms']:.1f} ms, {figures['next_array_by_copy']:.2f} × one copy "
              f"({figures['copy_ms']:.1f} ms; at most 1.5); the first of a run {figures['first_array_ms']:.1f} ms, {figures['first_array_by_copy']:.2f} ×")


if __name__ == "__main__":
    main()
