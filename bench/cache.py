"""What a result from the cache costs: CPU of a run whose N results are all found, less that of a run of none, a result.

usage: cache.py [--n N] [--rounds R]

Beside it the same operation called N times (what a cache must not be used for), run N times as a task without cache, and run
and kept. On SQLite, with --durability full; medians."""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("WEIR", ROOT / "build/release/weir"))


def flow(**more):
    return {
        "operations": {"add": {"name": "math.add", "inputs": {"a": "a", "b": "b"}, "outputs": {"result": "sum"}, **more}},
        "definitions": {name: {"primitive": "int"} for name in ("a", "b", "sum")},
        "seed": [{"value": 1, "definition": "b"}],
    }


def cpu(folder, file, contexts, *options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [PROGRAM, "run", file, "--contexts", contexts, "-o", "name", *options]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    n, costs = options.n, {}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-cache-"))
    try:
        (folder / "call.json").write_text(json.dumps(flow()))
        (folder / "task.json").write_text(json.dumps(flow(timeout_us=3_600_000_000)))
        (folder / "cached.json").write_text(json.dumps(flow(cache=True)))
        for name, count in (("all", n), ("none", 0)):
            values = {f"c{i}": [{"value": i, "definition": "a"}] for i in range(count)} or {"c": []}
            (folder / f"{name}.json").write_text(json.dumps(values))
        for _ in range(options.rounds):
            cases = [("called", "call.json"), ("a task", "task.json"), ("missed and kept", "cached.json"), ("found", "cached.json")]
            for case, file in cases:
                costs.setdefault(case, []).append((cpu(folder, file, "all.json") - cpu(folder, file, "none.json")) / n * 1e6)
            subprocess.run([PROGRAM, "cache", "clear", "--all"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder)
    print(f"{n:,} contexts of one operation each, µs of CPU a context, all threads")
    for case, values in costs.items():
        print(f"{case:18}{statistics.median(values):8.1f}")


if __name__ == "__main__":
    main()
