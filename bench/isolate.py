"""What isolation costs: /bin/true two at a time by a bare posix_spawn loop, in plain folders, and in sandboxes; and a first sandbox.

usage: isolate.py [--count N] [--rounds N]

As whoever runs it and, if that is root, as an ordinary user. All ways take turns in one loop, so that a busy machine slows all; ratios are of the means
to the bare loop's. Exits with 1 when a target is missed."""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
SPAWN = str(pathlib.Path(WEIR).parent / "bench/isolate_spawn")
AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
FLOW = """
operations: {{one: {{name: process.run, inputs: {{}}, outputs: {{}}}}}}
configs: {{one: {{command: [/bin/true]{more}}}}}
"""


def spawn(prefix, way, count):
    line = subprocess.run([*prefix, SPAWN, way, str(count)], capture_output=True, text=True, check=True).stdout
    return float(line)


def start(folder, name):
    began = time.perf_counter()
    subprocess.run([WEIR, "run", name, "--durability", "none", "-o", "name"], cwd=folder, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1e3


def bare_start():
    began = time.perf_counter()
    subprocess.run(["/bin/true"], check=True)
    return (time.perf_counter() - began) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    users = {"root": [], "user": AS_USER} if os.geteuid() == 0 else {"user": []}
    ways = [(user, way) for user in users for way in ("bare", "none", "auto")]
    samples = {way: [] for way in ways}
    starts = {"/bin/true": [], "plain.yaml": [], "sandbox.yaml": []}
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "plain.yaml").write_text(FLOW.format(more=""))
        (pathlib.Path(folder) / "sandbox.yaml").write_text(FLOW.format(more=", sandbox: {}"))
        for _ in range(options.rounds):
            for user, way in ways:
                samples[user, way].append(spawn(users[user], way, options.count))
            for name in starts:
                starts[name].append(bare_start() if name == "/bin/true" else start(folder, name))
    misses = 0
    targets = {("root", "auto"): 0.55, ("user", "auto"): 0.4, ("root", "none"): 0.9, ("user", "none"): 0.9}
    for user, way in ways:
        mean, bare = statistics.mean(samples[user, way]), statistics.mean(samples[user, "bare"])
        target = targets.get((user, way), 0)
        misses += bare / mean < target
        print(f"{user:5}{way:6}{mean:9.0f} µs   {bare / mean:.2f}" + (f"   target {target}" if target else ""))
    true = statistics.median(starts["/bin/true"])
    for name, target in (("plain.yaml", 10), ("sandbox.yaml", 15)):
        beyond = statistics.median(starts[name]) - true
        misses += beyond > target
        print(f"weir run {name:13} {beyond:6.2f} ms beyond /bin/true   target {target}")
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
