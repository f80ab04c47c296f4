"""The small cases of bench/dataflow.py in DFFML: the same shapes, the same counting, its own orchestrator in memory.

usage: dffml_cases.py CASE N      in an environment that has dffml; prints one line of JSON"""

import asyncio
import json
import resource
import sys
import time

from dffml import DataFlow, Definition, GetSingle, Input, InputFlow, MemoryOrchestrator, op

NUMBER, OTHER = Definition("number", "int"), Definition("other", "int")
ITEM, ROW, COLUMN = Definition("item", "int"), Definition("row", "int"), Definition("column", "int")
LAST = Definition("last", "int")


@op(inputs={"a": NUMBER}, outputs={"r": NUMBER})
def step(a):
    return {"r": a + 1}


@op(inputs={"a": ITEM}, outputs={"r": LAST})
def step_item(a):
    return {"r": a + 1}


@op(inputs={"a": NUMBER}, outputs={"items": ITEM}, expand=["items"])
def split(a):
    return {"items": list(range(a))}


@op(inputs={"a": NUMBER}, outputs={"items": ROW}, expand=["items"])
def split_rows(a):
    return {"items": list(range(a))}


@op(inputs={"a": OTHER}, outputs={"items": COLUMN}, expand=["items"])
def split_columns(a):
    return {"items": list(range(a))}


@op(inputs={"a": ROW, "b": COLUMN}, outputs={"r": LAST})
def add(a, b):
    return {"r": (a + b) & 0x7FFFFFFF}


def numbered(width, output):
    """Operations o0, o1, …, each on what the last one gave; the last one's output is LAST when there is an output stage."""
    operations, flow = {}, {}
    for i in range(width):
        name = f"o{i}"
        made = LAST if output and i == width - 1 else NUMBER
        operations[name] = step.op._replace(instance_name=name, outputs={"r": made})
        flow[name] = InputFlow(inputs={"a": ["seed"] if i == 0 else [{f"o{i - 1}": "r"}]})
    implementations = {step.op.name: step.imp}
    seed = []
    if output:
        operations["get_single"] = GetSingle.op
        flow["get_single"] = InputFlow(inputs={"spec": ["seed"]})
        implementations[GetSingle.op.name] = GetSingle.imp
        seed = [Input(value=["last"], definition=GetSingle.op.inputs["spec"])]
    return DataFlow(operations=operations, flow=flow, seed=seed, implementations=implementations)


def wired(*operations):
    """Auto flow, with the last value of LAST as the result."""
    flow = DataFlow.auto(*operations, GetSingle)
    flow.seed.append(Input(value=["last"], definition=GetSingle.op.inputs["spec"]))
    return flow


def make(case, n):
    """The flow, its contexts' inputs, the invocations, and what each context's result may be."""
    if case == "chain":
        return numbered(n - 1, True), {"c0": [Input(1, NUMBER)]}, n, range(n, n + 1)
    if case == "contexts":
        contexts = {f"c{i}": [Input(i, NUMBER)] for i in range(n // 3)}
        return numbered(3, False), contexts, n // 3 * 3, None
    if case == "fan-out":
        return wired(split, step_item), {"c0": [Input(n, NUMBER)]}, n + 2, range(1, n + 1)
    width = int(n**0.5)
    inputs = [Input(width, NUMBER), Input(width, OTHER)]
    return wired(split_rows, split_columns, add), {"c0": inputs}, width * width + 3, range(2 * width)


async def run(flow, contexts, wanted):
    count = 0
    async with MemoryOrchestrator.withconfig({}) as orchestrator:
        async with orchestrator(flow) as context:
            async for _, result in context.run(contexts):
                if result if wanted is None else result["last"] not in wanted:
                    sys.exit(f"dffml_cases: wrong result {result}")
                count += 1
    if count != len(contexts):
        sys.exit(f"dffml_cases: {count} results of {len(contexts)}")


def main():
    case, n = sys.argv[1], int(sys.argv[2])
    flow, contexts, invocations, wanted = make(case, n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(run(flow, contexts, wanted))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(json.dumps({"case": case, "n": n, "invocations": invocations, "seconds": wall, "cpu": cpu, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
