"""Dataflows built and run in this interpreter."""

import asyncio
import concurrent.futures
import dataclasses
import os
import pathlib
import signal
import threading
import time
import traceback
from typing import Annotated

import pytest

import weir

SOURCE = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).resolve().parents[3]))


@weir.operation(pure=True)
def double(number: int) -> int:
    return 2 * number


@weir.operation
def add(left: int, right: int) -> int:
    return left + right


@weir.operation
async def later(number: int) -> int:
    await asyncio.sleep(0.001)
    return number + 1


@weir.operation
def count(limit: int) -> int:
    for number in range(limit):
        yield number


@weir.operation
async def count_later(limit: int) -> int:
    for number in range(limit):
        await asyncio.sleep(0)
        yield number


@weir.operation
def divide(number: int) -> float:
    return 1 / number


def flow_of(operation, **options):
    """One operation, from the input `number` to the result `result`."""
    flow = weir.dataflow()
    node = flow.add(operation, flow.input("number"), **options)
    return flow.result(result=node)


def test_operations_are_wired_by_calling_them():
    flow = weir.dataflow()
    total = add(double(flow.input("number")), right=3)
    flow.result(total=total)
    assert weir.run_blocking(flow, {"number": 4}) == {"default": {"total": 11}}
    assert double(4) == 8 and add(1, 2) == 3  # still the functions


def test_operations_are_wired_by_definition():
    @weir.operation
    def length(text: Annotated[str, weir.Definition("text")]) -> Annotated[int, weir.Definition("length")]:
        return len(text)

    @weir.operation
    def square(side: Annotated[int, weir.Definition("length")]) -> Annotated[int, weir.Definition("area")]:
        return side * side

    flow = weir.dataflow(square, length, results=["length", "area"])
    assert weir.run_blocking(flow, {"text": "weir"}) == {"default": {"length": 4, "area": 16}}


@pytest.mark.parametrize(("operation", "results"), [(count, [0, 1, 2]), (count_later, [0, 1, 2])])
def test_each_value_of_a_generator_goes_on_by_itself(operation, results):
    flow = weir.dataflow()
    flow.results(numbers=double(operation(flow.input("limit"))))
    numbers = weir.run_blocking(flow, {"limit": 3})["default"]["numbers"]
    assert sorted(numbers) == [2 * number for number in results]


def test_a_generator_of_many_values_waits_for_those_who_take_them():
    flow = weir.dataflow()
    flow.results(numbers=double(count(flow.input("limit"))))
    assert len(weir.run_blocking(flow, {"limit": 2000})["default"]["numbers"]) == 2000


def test_coroutines_run_beside_each_other():
    @weir.operation
    async def slow(number: int) -> int:
        await asyncio.sleep(0.2)
        return number

    began = time.monotonic()
    results = weir.run_blocking(flow_of(slow), contexts={str(i): {"number": i} for i in range(50)})
    assert results == {str(i): {"result": i} for i in range(50)}
    assert time.monotonic() - began < 2


def test_functions_that_wait_run_beside_each_other():
    @weir.operation
    def slow(number: int) -> int:
        time.sleep(0.1)
        return threading.get_ident()

    began = time.monotonic()
    results = weir.run_blocking(flow_of(slow), contexts={str(i): {"number": i} for i in range(4)})
    assert time.monotonic() - began < 0.35
    assert threading.get_ident() not in {result["result"] for result in results.values()}


def test_results_come_as_contexts_finish():
    @weir.operation
    async def wait(number: int) -> int:
        await asyncio.sleep(number / 100)
        return number

    async def order():
        run = weir.run(flow_of(wait), contexts={str(i): {"number": i} for i in (20, 1, 10)})
        return [context async for context, _ in run]

    assert asyncio.run(order()) == ["1", "10", "20"]


def test_a_run_is_awaited():
    async def body():
        return await weir.run(flow_of(later), {"number": 1}), await flow_of(double).run({"number": 2})

    assert asyncio.run(body()) == ({"default": {"result": 2}}, {"default": {"result": 4}})


def test_two_runs_share_an_event_loop():
    async def one(number):
        return await weir.run(flow_of(later), {"number": number})

    async def body():
        return await asyncio.gather(*map(one, range(5)))

    assert asyncio.run(body()) == [{"default": {"result": number + 1}} for number in range(5)]


def test_contexts_come_while_it_runs():
    async def contexts():
        for number in range(20):
            await asyncio.sleep(0.001)
            yield str(number), {"number": number}

    async def body():
        return await weir.run(flow_of(later), contexts=contexts())

    assert asyncio.run(body()) == {str(i): {"result": i + 1} for i in range(20)}


def test_many_contexts_of_an_iterator_are_taken_as_there_is_room():
    run = weir.run(flow_of(double), contexts=((str(i), {"number": i}) for i in range(10_000)))
    assert sum(result["result"] for _, result in run) == 2 * sum(range(10_000))


def test_an_exception_is_the_cause_of_the_runs():
    with pytest.raises(weir.OperationFailed, match="ZeroDivisionError: division by zero") as raised:
        weir.run_blocking(flow_of(divide), {"number": 0})
    assert raised.value.code == "operation_failed"
    assert raised.value.error["where"]["instance"] == "divide"
    cause = raised.value.__cause__
    assert isinstance(cause, ZeroDivisionError)
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["divide"]


def test_an_exception_of_a_coroutine_is_the_cause_too():
    @weir.operation
    async def fail(number: int) -> int:
        raise KeyError(number)

    async def body():
        await weir.run(flow_of(fail), {"number": 7})

    with pytest.raises(weir.OperationFailed) as raised:
        asyncio.run(body())
    assert isinstance(raised.value.__cause__, KeyError)
    assert traceback.extract_tb(raised.value.__cause__.__traceback__)[-1].name == "fail"


def test_what_failed_does_not_stop_a_run_that_is_not_strict():
    flow = weir.dataflow()
    flow.results(result=divide(flow.input("number")), number=flow.input("number"))
    results = weir.run_blocking(flow, contexts={"bad": {"number": 0}, "good": {"number": 1}}, strict=False)
    assert results["good"] == {"result": [1.0], "number": [1]}


def test_a_value_that_weir_cannot_hold_fails_its_operation():
    @weir.operation
    def huge(number: int) -> int:
        return 2**70

    with pytest.raises(weir.OperationFailed, match="more than 64 bits"):
        weir.run_blocking(flow_of(huge), {"number": 1})


def test_it_is_tried_again():
    tries = []

    @weir.operation(retry=3)
    def flaky(number: int) -> int:
        tries.append(number)
        if len(tries) < 3:
            raise OSError("not yet")
        return number

    assert weir.run_blocking(flow_of(flaky), {"number": 5}) == {"default": {"result": 5}}
    assert len(tries) == 3


@dataclasses.dataclass
class Calls:
    calls: list


@weir.operation(config=Calls)
def called(number: int, config: Calls) -> int:
    config.calls.append(number)
    return 2 * number


def test_a_condition_decides_whether_an_operation_runs():
    @weir.operation
    def is_even(number: int) -> bool:
        return number % 2 == 0

    flow = weir.dataflow()
    number = flow.input("number")
    calls = []
    half = flow.add(called, number, config={"calls": calls}).when(is_even(number))
    flow.results(result=half)
    flow.results(given=number)
    results = weir.run_blocking(flow, contexts={"even": {"number": 2}, "odd": {"number": 3}}, strict=False)
    assert results["even"] == {"result": [4], "given": [2]}
    assert "result" not in results["odd"]
    assert calls == [2]


def test_a_loop_feeds_itself():
    @weir.operation(pure=True, outputs={"next": int, "last": int})
    def step(number: int):
        return {"next": number + 1} if number < 100 else {"last": number}

    flow = weir.dataflow()
    node = step(flow.input("number"))
    node.feed(number=node.next)
    flow.result(last=node.last)
    assert weir.run_blocking(flow, {"number": 0}) == {"default": {"last": 100}}


def test_dataclasses_come_and_go():
    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 0

    @weir.operation
    def mirror(point: Point) -> Point:
        return Point(point.y, point.x)

    flow = weir.dataflow()
    flow.result(point=flow.add(mirror, flow.add(mirror, flow.input("point"))))
    assert weir.run_blocking(flow, {"point": Point(1, 2)}) == {"default": {"point": {"x": 1, "y": 2}}}


def test_configuration_may_be_any_object():
    @dataclasses.dataclass
    class Config:
        table: object

    @weir.operation(config=Config)
    def look_up(number: int, config: Config) -> str:
        return config.table[number]

    assert weir.run_blocking(flow_of(look_up, config={"table": {1: "one"}}), {"number": 1}) == {"default": {"result": "one"}}


def test_two_nodes_of_one_operation_are_two():
    flow = weir.dataflow()
    first = flow.add(double, flow.input("number"))
    second = flow.add(double, first)
    flow.result(first=first, second=second)
    assert weir.run_blocking(flow, {"number": 1}) == {"default": {"first": 2, "second": 4}}


@pytest.mark.parametrize("executor", [concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor])
def test_functions_run_where_an_executor_has_them_run(executor):
    flow = weir.dataflow()
    flow.result(total=add(double(flow.input("number")), process_of(flow.input("number"))))
    with executor(2) as pool:
        results = weir.run_blocking(flow, contexts={str(i): {"number": i} for i in range(20)}, executor=pool)
    assert results == {str(i): {"total": 2 * i + i} for i in range(20)}


@weir.operation
def process_of(number: int) -> int:
    return number


def test_an_exception_in_a_process_is_the_cause():
    with concurrent.futures.ProcessPoolExecutor(1) as pool, pytest.raises(weir.OperationFailed) as raised:
        weir.run_blocking(flow_of(divide), {"number": 0}, executor=pool)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_what_is_no_executor_is_refused():
    with pytest.raises(TypeError, match="no executor"):
        weir.run(flow_of(add_one), {"number": 0}, executor=7)


def add_one(number: int) -> int:
    return number + 1


def test_events_come_as_they_happen():
    async def body():
        return [event async for event in weir.run(flow_of(add_one), {"number": 1}).events()]

    events = asyncio.run(body())
    types = [event["type"] for event in events]
    assert types[0] == "run.created" and types[-1] == "run.finished" and "attempt.finished" in types
    known = {event["id"] for event in events}
    assert all(set(event["prev"]) <= known for event in events)


def test_a_file_is_run_too():
    results = weir.run_blocking(SOURCE / "examples/calculator/calculator.json", {"line": "add 40 and 2"})
    assert results == {"default": {"result": 42}}


def test_a_file_that_is_wrong_is_an_error(tmp_path):
    path = tmp_path / "flow.json"
    path.write_text('{"operations": {"a": {"name": "no.such"}}}')
    with pytest.raises(weir.Error, match=r"flow.json:1:\d+") as raised:
        weir.run_blocking(path)
    assert raised.value.code == "unknown_operation"


def test_a_run_is_kept_in_a_state(tmp_path):
    for name in ("first", "second"):
        assert weir.run_blocking(flow_of(add_one), {"number": 1}, state=tmp_path / "state", name=name)
    assert (tmp_path / "state").is_dir()


def test_metrics_are_kept(tmp_path):
    @weir.operation
    def measure(number: int) -> int:
        weir.metric("rows", number, "rows")
        return number

    @weir.operation
    async def measure_later(number: int) -> int:
        await asyncio.sleep(0)
        weir.metric("later", number)
        return number

    async def body():
        flow = weir.dataflow()
        flow.result(result=measure_later(measure(flow.input("number"))))
        return [event async for event in weir.run(flow, {"number": 3}).events()]

    metrics = [event["data"] for event in asyncio.run(body()) if event["type"] == "attempt.metric"]
    assert {(metric["name"], metric["value"], metric["unit"]) for metric in metrics} == {("rows", 3, "rows"), ("later", 3, "")}
    with pytest.raises(RuntimeError, match="no call"):
        weir.metric("rows", 1)


def test_a_run_that_is_left_ends_its_coroutines():
    ended = []

    @weir.operation
    async def forever(number: int) -> int:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(number)
        return number

    async def body():
        run = weir.run(flow_of(forever), {"number": 1})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await run
        return asyncio.all_tasks() - {asyncio.current_task()}

    began = time.monotonic()
    assert not asyncio.run(body())
    assert ended == [1] and time.monotonic() - began < 3


def test_an_interrupt_ends_a_run():
    @weir.operation
    async def forever(number: int) -> int:
        await asyncio.sleep(1000)
        return number

    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        weir.run_blocking(flow_of(forever), {"number": 1})
    assert time.monotonic() - began < 5


def test_an_interrupt_ends_a_loop_without_end():
    @weir.operation(pure=True)
    def step(number: int) -> int:
        return number + 1

    flow = weir.dataflow()
    node = step(flow.input("number"))
    node.feed(number=node)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        weir.run_blocking(flow, {"number": 0})
    assert time.monotonic() - began < 5


def test_a_coroutine_wants_async_for_within_an_event_loop():
    async def body():
        weir.run_blocking(flow_of(later), {"number": 1})

    with pytest.raises(RuntimeError, match="async for"):
        asyncio.run(body())


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda flow: add(flow.input("a")), "is not given right"),
        (lambda flow: add(flow.input("a"), 1, other=2), "no parameter 'other'"),
        (lambda flow: add(flow.input("a"), 1, left=2), "'left' twice"),
        (lambda flow: flow.add(add, 1, 2, 3), "takes 2 parameters"),
        (lambda flow: flow.result(a=flow.add(split, flow.input("a"))).export(), "say which output"),
        (lambda flow: bool(flow.input("a")), "not known while"),
    ],
)
def test_what_is_built_wrong_is_said_at_once(build, says):
    with pytest.raises(TypeError, match=says):
        build(weir.dataflow())


@weir.operation(outputs={"head": str, "tail": str})
def split(text: str):
    return {"head": text[0], "tail": text[1:]}


def test_several_outputs_go_by_name():
    flow = weir.dataflow()
    node = split(flow.input("text"))
    flow.result(head=node.head, tail=node["tail"])
    assert weir.run_blocking(flow, {"text": "weir"}) == {"default": {"head": "w", "tail": "eir"}}
    with pytest.raises(AttributeError, match="no output 'other'"):
        node.other


class Thing:
    def __init__(self, number):
        self.number = number


@weir.operation(pure=True)
def make_thing(number: int):
    return Thing(number)


@weir.operation
def same_thing(thing):
    return thing


@weir.operation
async def later_thing(thing):
    await asyncio.sleep(0)
    return {(1, 2): thing}


def test_objects_stay_what_they_are():
    flow = weir.dataflow()
    flow.result(thing=later_thing(same_thing(make_thing(flow.input("number")))), given=same_thing(flow.input("given")))
    given = threading.Lock()
    result = weir.run_blocking(flow, {"number": 3, "given": given})["default"]
    assert result["thing"][1, 2].number == 3 and type(result["thing"][1, 2]) is Thing
    assert result["given"] is given


def test_arrays_are_not_copied_and_bytes_are_bytes():
    numpy = pytest.importorskip("numpy")
    flow = weir.dataflow()
    flow.result(array=same_thing(flow.input("array")), data=same_thing(flow.input("data")))
    array = numpy.arange(100_000.0)
    result = weir.run_blocking(flow, {"array": array, "data": b"\0\xff" * 50_000})["default"]
    assert result["array"] is array and result["data"] == b"\0\xff" * 50_000


def test_objects_that_are_let_go_are_gone():
    import gc
    import weakref

    alive = []

    @weir.operation
    def make(number: int):
        thing = Thing(number)
        alive.append(weakref.ref(thing))
        return thing

    @weir.operation
    def look(thing):
        return thing.number

    flow = weir.dataflow()
    flow.result(number=look(make(flow.input("number"))))
    assert weir.run_blocking(flow, {"number": 3}) == {"default": {"number": 3}}
    gc.collect()
    assert alive[0]() is None


def test_either_of_two_sources():
    flow = weir.dataflow()
    flow.results(result=double(flow.input("a") | flow.input("b")))
    assert weir.run_blocking(flow, {"a": 1, "b": 2}) == {"default": {"result": [2, 4]}}


def test_a_dataflow_is_drawn():
    flow = flow_of(double)
    assert flow._repr_svg_().startswith("<svg") and "double" in flow.graph("mermaid")
    assert "double" in flow.graph("text") and "digraph" in flow.graph("dot")
    run = weir.run(flow, {"number": 1})
    assert run.wait() and "Succeeded" in run._repr_html_()


def test_progress_is_told():
    told = []
    weir.run_blocking(flow_of(double), contexts={"a": {"number": 1}, "b": {"number": 2}}, progress=lambda *now: told.append(now))
    assert told[-1] == (2, 2)


def test_a_saved_dataflow_is_one_for_the_command(tmp_path):
    flow = weir.dataflow()
    flow.result(path=flow.input("path"))
    flow.save(str(tmp_path / "flow.json"))
    assert weir.run_blocking(tmp_path / "flow.json", {"path": "x"}) == {"default": {"path": "x"}}


def test_a_run_belongs_to_its_thread():
    run = weir.run(flow_of(double), contexts=((str(i), {"number": i}) for i in range(3)))
    iterator = iter(run)
    next(iterator)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="thread"):
        pool.submit(run._engine.turn, 0).result()
    iterator.close()
