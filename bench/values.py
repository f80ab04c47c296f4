"""What large values cost in a durable run: contexts that each read a text, all the same one or each its own, and give it as
their result; beside it the limit, the texts written into files that are synced, in the same run.

usage: values.py [--contexts N] [--size BYTES] [--rounds R] [--quick]

WEIR names the binary (default: build/release/weir), so that another build can be measured. The best of the rounds. Ends with 1
when the results are wrong."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import start

FLOW = {
    "definitions": {"path": {"primitive": "str"}, "text": {"primitive": "str"}, "spec": {"primitive": "array"}},
    "operations": {
        "read": {"name": "files.read", "inputs": {"path": "path"}, "outputs": {"text": "text"}},
        "get_single": {"inputs": {"spec": "spec"}, "stage": "output"},
    },
    "seed": [{"value": ["text"], "definition": "spec"}],
}


def run(folder, paths):
    """(seconds, bytes of the state)"""
    contexts = {f"c{i}": [{"value": path, "definition": "path"}] for i, path in enumerate(paths)}
    (folder / "contexts.json").write_text(json.dumps(contexts))
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    began = time.monotonic()
    command = [start.WEIR, "run", "flow.json", "--contexts", "contexts.json", "--state", state, "-o", "jsonl"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode or done.stdout.count('"text"') != len(paths):
        print(done.stderr or done.stdout[:300], file=sys.stderr)
        sys.exit(1)
    return seconds, sum(path.stat().st_size for path in state.rglob("*") if path.is_file())


def limit(folder, texts):
    """Seconds for the same bytes in files, each synced."""
    there = folder / "limit"
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir()
    began = time.monotonic()
    for i, text in enumerate(texts):
        with open(there / str(i), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contexts", type=int, default=100)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="right results, in seconds")
    options = parser.parse_args()
    if options.quick:
        options.contexts, options.size, options.rounds = 5, 100_000, 1
    with tempfile.TemporaryDirectory(prefix="weir-values-") as name:
        folder = pathlib.Path(name).absolute()
        (folder / "flow.json").write_text(json.dumps(FLOW))
        texts = [f"{i:08} " * (options.size // 9) for i in range(options.contexts)]
        for i, text in enumerate(texts):
            (folder / f"text{i}").write_text(text)
        print(f"{options.contexts} contexts, texts of {options.size:,} bytes")
        for what, paths, written in (
            ("one text", ["text0"] * options.contexts, texts[:1]),
            ("each its own", [f"text{i}" for i in range(options.contexts)], texts),
        ):
            best = min((run(folder, paths) for _ in range(options.rounds)), key=lambda pair: pair[0])
            files = min(limit(folder, written) for _ in range(options.rounds))
            print(f"{what:14} {best[0]:8.3f} s   {best[1] / 1e6:9.1f} MB in the state   {files:8.3f} s in files")


if __name__ == "__main__":
    main()
