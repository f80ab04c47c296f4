"""What it costs to check a large workflow: `weir check` of a file of 5 MB with 20,000 tasks, start to exit.

usage: check.py [--rounds N] [--tasks N]      WEIR names the binary (default: build/release/weir)

It works on one thread and waits for nothing, so its CPU time is what it takes on a machine that is not busy. Exits with 1 when the
best round takes more than half a second of that."""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import start

TARGET_S = 0.5
WIDTH = 100
NOTE = "a text that a task is given, so that the file is as large as files of people are: " + "0123456789 " * 6


def write(path, tasks):
    """A DAG of layers, each task with an argument and a task of the layer before as its dependency."""
    with path.open("w") as out:
        out.write(
            "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: large-}\nspec:\n  entrypoint: main\n  templates:\n"
            "  - name: work\n    inputs: {parameters: [{name: text}]}\n    container: {image: x, command: [echo], args: ['{{inputs.parameters.text}}']}\n"
            "  - name: main\n    dag:\n      tasks:\n"
        )
        for i in range(tasks):
            after = f"        dependencies: [task-{i - WIDTH}]\n" if i >= WIDTH else ""
            out.write(
                f"      - name: task-{i}\n        template: work\n{after}        arguments:\n          parameters:\n"
                f"          - name: text\n            value: \"{NOTE}\"\n"
            )


def seconds(command):
    """Wall and CPU seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr[-500:]}")
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=20000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "large.yaml"
        write(file, options.tasks)
        size = os.path.getsize(file)
        rounds = [seconds([start.WEIR, "check", str(file)]) for _ in range(options.rounds)]
    wall, cpu = (min(times) for times in zip(*rounds))
    print(f"{options.tasks:,} tasks, {size / 1e6:.1f} MB: checked in {wall * 1000:.0f} ms, {cpu * 1000:.0f} ms of them CPU")
    if cpu > TARGET_S:
        sys.exit(f"missed: {TARGET_S} s are wanted")


main()
