"""What `weir run` of a small file costs, start to exit: time, memory and shared objects.

usage: start.py [--rounds N]      WEIR names the binary (default: build/release/weir)

Each case runs in turn with /bin/true, in one loop, so that a busy machine slows both; the table gives the median time of
each, what weir takes beyond /bin/true, and the peak memory. Exits with 1 when a target of the design is missed."""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
FLOW = str(ROOT / "examples/calculator/calculator.json")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}


def spawn(meter, command, state):
    """Wall seconds from start to exit, CPU seconds, and peak resident bytes."""
    environment = {**ENVIRONMENT, "WEIR_STATE": str(state)}
    line = subprocess.run([meter, *command], env=environment, capture_output=True, text=True, check=True).stdout
    wall_us, cpu_us, peak, status = map(int, line.split())
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with status {status}")
    return wall_us / 1e6, cpu_us / 1e6, peak


def measure(rounds, folder):
    state, meter = folder / "state", str(folder / "measure")
    subprocess.run(["cc", "-O2", "-o", meter, ROOT / "bench/measure.c"], check=True)
    cases = {
        "/bin/true": ["/bin/true"],
        "weir version": [WEIR, "version"],
        "run, --durability none": [WEIR, "run", FLOW, "line=add 40 and 2", "--durability", "none"],
        "run, fresh SQLite state": [WEIR, "run", FLOW, "line=add 40 and 2"],
    }
    samples = {name: [] for name in cases}
    for _ in range(rounds):
        for name, command in cases.items():
            shutil.rmtree(state, ignore_errors=True)
            samples[name].append(spawn(meter, command, state))
    return samples


def shared_objects():
    """How many shared objects the command maps: what the dynamic loader says it loaded."""
    listing = subprocess.run([WEIR, "version"], env={**ENVIRONMENT, "LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, text=True)
    names = re.findall(r"(\S+\.so\S*) ", listing.stdout)
    return sorted({os.path.basename(name) for name in names})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = measure(arguments.rounds, pathlib.Path(folder))
    middle = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in samples.items()}
    base = middle["/bin/true"][0]
    print(f"{'case':<26}{'median':>10}{'beyond true':>14}{'CPU':>10}{'peak memory':>14}")
    for name, (seconds, cpu, peak) in middle.items():
        print(f"{name:<26}{seconds * 1e3:>7.2f} ms{(seconds - base) * 1e3:>11.2f} ms{cpu * 1e3:>7.2f} ms{peak / 1e6:>11.1f} MB")
    objects = shared_objects()
    print(f"shared objects: {len(objects)} ({', '.join(objects)})")
    checks = {
        "run without a store ≤ 5 ms": middle["run, --durability none"][0] <= 0.005,
        "run without a store ≤ 8 MB": middle["run, --durability none"][2] <= 8e6,
        "run on a fresh store ≤ 20 ms": middle["run, fresh SQLite state"][0] <= 0.020,
        "at most 10 shared objects": len(objects) <= 10,
    }
    for check, ok in checks.items():
        print(f"{'ok  ' if ok else 'MISS'}  {check}")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()
