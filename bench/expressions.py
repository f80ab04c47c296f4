"""How many expressions a second one thread evaluates, once they are compiled, and how many it compiles.

usage: expressions.py

Seconds are of CPU, so that others on the machine do not count. WEIR_BENCH names the program (default: build/release/bench/expressions). Exits
with 1 when a typical condition is evaluated less than a million times a second."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("WEIR_BENCH", str(ROOT / "build/release/bench/expressions"))
EVALUATIONS_MIN = 1_000_000


def main():
    ran = subprocess.run([PROGRAM], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    print(f"{'case':<10}{'evaluations/s':>16}{'compilations/s':>16}")
    for row in rows:
        compiled = row.get("compilations")
        print(f"{row['case']:<10}{row['evaluations']:>16,}{f'{compiled:,}' if compiled else '':>16}")
    if rows[0]["evaluations"] < EVALUATIONS_MIN:
        sys.exit(f"a typical condition takes longer than {1e9 / EVALUATIONS_MIN:,.0f} ns")


main()
