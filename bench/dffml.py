"""What a trivial operation costs through DFFML's classes (`weir.dffml`), beside what DFFML itself reached on one core of the machine that weir is built on.

usage: dffml.py [--rounds R] [--quick]     a table; ends with 1 when a figure is below DFFML's

Invocations a second of CPU time, of coroutines and of plain functions. DFFML's figures had a known accident of its own taken out; a chain of
1,000 overflows its stack. The package is that of the release build."""

import argparse
import asyncio
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, os.environ.get("WEIR_PYTHON", str(ROOT / "build/release/sdk/python")))

from weir.dffml import DataFlow, Definition, GetMulti, GetSingle, Input, op, run  # noqa: E402


def definition(name):
    return Definition(name=name, primitive="int")


def operation(name, inputs, output, function, plain, **options):
    async def later(**given):
        return {"out": function(**given)}

    def now(**given):
        return {"out": function(**given)}

    ports = {port: definition(of) for port, of in inputs.items()}
    return op(name=name, inputs=ports, outputs={"out": definition(output)}, **options)(now if plain else later)


def chain(n, plain):
    return [operation(f"step {i}", {"x": f"d{i}"}, f"d{i + 1}", lambda x: x + 1, plain) for i in range(n)]


def single(name):
    return Input([name], GetSingle.op.inputs["spec"])


def multi(name):
    return Input([name], GetMulti.op.inputs["spec"])


def case_chain(n, plain):
    return n, DataFlow(*chain(n, plain), GetSingle, seed=[single(f"d{n}")]), {"one": [Input(0, definition("d0"))]}


def case_contexts(n, plain):
    flow = DataFlow(*chain(3, plain), GetSingle, seed=[single("d3")])
    return 3 * n, flow, {str(i): [Input(i, definition("d0"))] for i in range(n)}


def case_fan_out(n, plain):
    spread = operation("spread", {"n": "n"}, "item", lambda n: list(range(n)), plain, expand=["out"])
    each = operation("each", {"x": "item"}, "result", lambda x: x + 1, plain)
    return n, DataFlow(spread, each, GetMulti, seed=[multi("result")]), {"one": [Input(n, definition("n"))]}


def case_product(n, plain):
    times = operation("times", {"a": "a", "b": "b"}, "c", lambda a, b: a * b, plain)
    inputs = [Input(i, definition(name)) for i in range(n) for name in "ab"]
    return n * n, DataFlow(times, GetMulti, seed=[multi("c")]), {"one": inputs}


# The case, its size, and what DFFML reached; None: it does not end.
CASES = [
    ("chain of 100", case_chain, 100, 2_237),
    ("chain of 300", case_chain, 300, 174),
    ("chain of 1,000", case_chain, 1_000, None),
    ("1,000 contexts x 3", case_contexts, 1_000, 5_970),
    ("fan-out to 1,000", case_fan_out, 1_000, 8_556),
    ("product 100 x 100", case_product, 100, 3_606),
]


def measure(make, size, plain):
    count, flow, inputs = make(size, plain)

    async def all_results():
        return [results async for _, results in run(flow, inputs)]

    began = time.process_time()
    results = asyncio.run(all_results())
    took = time.process_time() - began
    assert len(results) == len(inputs) and all(results)
    return count / took


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="right results, in seconds")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    missed = False
    print(f"{'calls/s of CPU time':20} {'coroutines':>12} {'functions':>12} {'DFFML':>12}")
    for name, make, size, theirs in CASES:
        size = max(3, size // 20) if arguments.quick else size
        later, now = (max(measure(make, size, plain) for _ in range(rounds)) for plain in (False, True))
        print(f"{name:20} {later:12,.0f} {now:12,.0f} {theirs or 'overflow':>12}")
        missed |= not arguments.quick and min(later, now) < (theirs or 0)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
