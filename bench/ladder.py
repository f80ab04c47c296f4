"""What 200 downloads cost on each rung of the ladder (examples/ladder): `weir bench ladder`, and whether the dataflow keeps up.

usage: ladder.py [--rounds N] [--svg DIR]      WEIR names the binary (default: build/release/weir)

The server takes 20 ms for each of the two requests of a download; 50 go on at once, but in a loop. weir measures each rung as a
task of its own, from start to exit, interpreters and journal included. Exits with 1 when the dataflow takes more than 1.3 times
what the event loop does, as the median of the rounds' ratios, so that a busy machine slows both."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
TARGET = 1.3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--svg")
    arguments = parser.parse_args()
    options = ["--svg", str(pathlib.Path(arguments.svg).resolve())] if arguments.svg else []
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
    with tempfile.TemporaryDirectory() as folder:
        command = [WEIR, "bench", "ladder", "--rounds", str(arguments.rounds), "--output", "json", "--state", f"{folder}/state", *options]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"weir bench ladder ended with {done.returncode}")
    ladder = json.loads(done.stdout)
    most = max(m["downloads"] for m in ladder["medians"])
    print(f"{most} downloads, medians of {arguments.rounds}")
    print(f"{'rung':<14}{'time':>9}{'CPU':>9}{'memory':>11}")
    for m in ladder["medians"]:
        if m["downloads"] == most:
            print(f"{m['rung']:<14}{m['seconds']:>7.3f} s{m['cpu_seconds']:>7.3f} s{m['memory_bytes'] / 1e6:>8.1f} MB")
    seconds = {(m["rung"], m["round"]): m["seconds"] for m in ladder["measurements"] if m["downloads"] == most}
    rounds = range(1, arguments.rounds + 1)
    ratio = statistics.median(seconds["dataflow", n] / seconds["event-loop", n] for n in rounds)
    print(f"the dataflow takes {ratio:.2f} of what the event loop does; target {TARGET}")
    sys.exit(ratio > TARGET)


main()
