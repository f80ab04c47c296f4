"""What it costs to prove that a file can finish, and to foresee what its run will take: a dataflow and a workflow of a million components, as a chain, side by side, and as one
cycle, beside compiling them.

usage: proof.py [--components N] [--rounds N]      WEIR names the binary beside which bench/proof lies (default: build/release/weir)

It works on one thread and waits for nothing, so CPU time is what it takes on a machine that is not busy. Exits with 1 when the best
round of a shape takes more than 2 s a million to prove or 4 s to foresee (which proves it, too), or when a tenth of the components takes more than a fifth of the time."""

import argparse
import collections
import os
import pathlib
import subprocess
import sys

TARGET_S = 2.0
FORESEE_S = 4.0


def measured(program, components, rounds):
    """{shape: (compiling, proving, foreseeing)}, the least seconds of all rounds."""
    best = collections.defaultdict(lambda: (float("inf"),) * 3)
    for _ in range(rounds):
        ran = subprocess.run([program, str(components)], check=True, capture_output=True, text=True)
        for line in ran.stdout.splitlines():
            shape, _, compiling, proving, _, foreseeing = line.split()
            took = (int(compiling), int(proving), int(foreseeing))
            best[shape] = tuple(min(before, us / 1e6) for before, us in zip(best[shape], took))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--components", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    weir = pathlib.Path(os.environ.get("WEIR", pathlib.Path(__file__).parents[1] / "build/release/weir"))
    program = weir.parent / "bench/proof"
    many = measured(program, arguments.components, arguments.rounds)
    few = measured(program, max(2, arguments.components // 10), arguments.rounds)
    wrong = False
    print(f"{arguments.components:,} components   compile      prove   a tenth of them    foresee")
    for shape, (compiling, proving, foreseeing) in many.items():
        tenth = few[shape][1]
        bad = proving > TARGET_S * arguments.components / 1e6
        bad |= proving > 0.05 and tenth > proving / 5
        bad |= foreseeing > FORESEE_S * arguments.components / 1e6
        wrong |= bad
        print(f"  {shape:16} {compiling:9.2f} s {proving:8.2f} s {tenth:10.3f} s {foreseeing:13.2f} s{'   <-- too long' if bad else ''}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
