"""What a trivial Python operation costs, embedded in the interpreter, beside a loop that only calls it.

usage: python.py [--n N] [--rounds R] [--quick]     a table; ends with 1 when the target is missed

The package is that of the release build. `call` is the same function, called as often by a loop."""

import argparse
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, os.environ.get("WEIR_PYTHON", str(ROOT / "build/release/sdk/python")))

import weir  # noqa: E402

CALLS_MIN = 500_000


def increase(number):
    return number + 1


@weir.operation(pure=True, expand=["number"], outputs={"number": int})
def count(limit):
    return {"number": list(range(limit))}


async def increase_later(number):
    return number + 1


def flow_of(function, **options):
    flow = weir.dataflow()
    node = flow.add(weir.Operation(function, **options), count(flow.input("limit")))
    return flow.result(last=node)


def measure(flow, n):
    began = time.perf_counter()
    weir.run_blocking(flow, {"limit": n})
    return n / (time.perf_counter() - began)


def call(n):
    began = time.perf_counter()
    for number in range(n):
        increase(number)
    return n / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="right results, in seconds")
    arguments = parser.parse_args()
    n, rounds = (2_000, 1) if arguments.quick else (arguments.n, arguments.rounds)
    cases = {
        "call": lambda: call(n),
        "pure function": lambda: measure(flow_of(increase, pure=True), n),
        "function": lambda: measure(flow_of(increase), n // 10),
        "coroutine": lambda: measure(flow_of(increase_later), n // 10),
    }
    best = {name: max(case() for _ in range(rounds)) for name, case in cases.items()}
    for name, rate in best.items():
        print(f"{name:16} {rate:12,.0f} calls/s {1e6 / rate:10.2f} us each")
    missed = best["pure function"] < CALLS_MIN and not arguments.quick
    print(f"target: {CALLS_MIN:,} calls/s of a pure function: {'missed' if missed else 'met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
