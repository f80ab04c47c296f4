"""What a process of a workflow costs: DAGs of /bin/true, two at a time, beside a bare posix_spawn loop, make, ninja and samurai.

usage: processes.py [--count N] [--rounds N] [--shape flat|layers]      WEIR names the binary (default: build/release/weir)

Whole commands, in turn in one loop, so that a busy machine slows all; those tools that are absent are left out. Ratios are of the medians
to the bare loop's. `store` is a fresh SQLite state, which has no target. Exits with 1 when a target is missed."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import start

WIDTH = 100
AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
SPAWN = str(pathlib.Path(start.WEIR).parent / "bench/isolate_spawn")
TARGETS = {"none": 0.9, "isolated": 0.55, "isolated, user": 0.4}


def before(shape, i):
    """What a task comes after: two of the layer before."""
    return [i - WIDTH, i // WIDTH * WIDTH - WIDTH + (i + 1) % WIDTH] if shape == "layers" and i >= WIDTH else []


def write(folder, shape, count):
    tasks = [(f"t{i}", [f"t{k}" for k in before(shape, i)]) for i in range(count)]
    names = " ".join(name for name, _ in tasks)
    (folder / "flow.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: many-}\nspec:\n  entrypoint: main\n  templates:\n"
        "  - {name: t, container: {command: [/bin/true]}}\n  - name: main\n    dag:\n      tasks:\n"
        + "".join(f"      - {{name: {name}, template: t, dependencies: [{', '.join(on)}]}}\n" for name, on in tasks)
    )
    (folder / "Makefile").write_text(
        f"all: {names}\n.PHONY: all {names}\n" + "".join(f"{name}: {' '.join(on)}\n\t@/bin/true\n" for name, on in tasks)
    )
    (folder / "build.ninja").write_text(
        "rule r\n command = /bin/true\n" + "".join(f"build {name}: r {' '.join(on)}\n" for name, on in tasks) + f"build all: phony {names}\n"
    )


def ways(count):
    run = [start.WEIR, "run", "flow.yaml", "--set", "limits.attempts=2", "-q", "-o", "name"]
    commands = {
        "bare": [SPAWN, "bare", str(count)],
        "none": [*run, "--durability", "none", "--isolation", "none"],
        "isolated": [*run, "--durability", "none"],
        "store": [*run, "--isolation", "none", "--state", "state"],
        "make": ["make", "-s", "-j2", "all"],
        "ninja": ["ninja", "--quiet", "-j2", "all"],
        "samurai": ["samu", "-j2", "all"],
    }
    if os.geteuid() == 0:
        commands["bare, user"] = AS_USER + commands["bare"]
        commands["isolated, user"] = AS_USER + commands["isolated"]
    return {name: command for name, command in commands.items() if shutil.which(command[0])}


def seconds(folder, command):
    for left in (".ninja_log", ".ninja_deps"):
        (folder / left).unlink(missing_ok=True)
    shutil.rmtree(folder / "state", ignore_errors=True)
    began = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=start.ENVIRONMENT)
    if ran.returncode:
        sys.exit(f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr[-500:]}")
    return time.perf_counter() - began


def measure(shape, count, rounds):
    commands = ways(count)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        write(folder, shape, count)
        samples = [{way: seconds(folder, command) for way, command in commands.items()} for _ in range(rounds)]
    median = {way: statistics.median(sample[way] for sample in samples) * 1e6 / count for way in commands}
    missed = 0
    print(f"{count:,} tasks, {shape}")
    for way, us in median.items():
        bare = median["bare, user" if way.endswith("user") else "bare"]
        target = TARGETS.get(way)
        behind = way in ("make", "ninja", "samurai") and us < median["none"]
        missed += behind or bool(target and bare / us < target)
        print(f"  {way:16}{us:7.0f} µs   {bare / us:.2f}" + (f"   target {target}" if target else "") + ("   is ahead" if behind else ""))
    return missed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=["flat", "layers"], action="append")
    options = parser.parse_args()
    missed = sum(
        measure(shape, count, options.rounds) for count in options.count or [2000, 10000] for shape in options.shape or ["flat", "layers"]
    )
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
