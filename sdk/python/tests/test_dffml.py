"""DFFML's classes over weir's engine: what programs and tests of DFFML rely on."""

import asyncio
import contextlib
import dataclasses
import io
import json
import logging
import typing
from typing import NamedTuple
from unittest import mock

import pytest

from weir import dffml
from weir.dffml import (
    DataFlow,
    Definition,
    DefinitionMissing,
    DefinitionNotInContext,
    GetMulti,
    GetSingle,
    GroupBy,
    Input,
    InputFlow,
    InputValidationError,
    MemoryInputSet,
    MemoryInputSetConfig,
    MemoryOrchestrator,
    Operation,
    OperationException,
    OperationImplementation,
    OperationImplementationContext,
    OperationImplementationNotInstantiable,
    RunDataFlowConfig,
    Stage,
    StringInputSetContext,
    ValidatorMissing,
    config,
    field,
    noasync,
    op,
    run,
    run_dataflow,
)

NUMBER = Definition(name="number", primitive="int")
RESULT = Definition(name="result", primitive="generic")
OBJECT = Definition(name="object", primitive="generic")


def single(*names):
    return Input(value=list(names), definition=GetSingle.op.inputs["spec"])


def multi(*names):
    return Input(value=list(names), definition=GetMulti.op.inputs["spec"])


def results_of(flow, *inputs, **options):
    return {str(context): results for context, results in noasync.run(flow, *inputs, **options)}


def result_of(flow, *inputs, **options):
    (result,) = results_of(flow, list(inputs), **options).values()
    return result


@op(inputs={"number": NUMBER}, outputs={"result": RESULT})
async def double(number):
    return {"result": 2 * number}


# --- operations --------------------------------------------------------------------------------


def test_definitions_follow_from_annotations():
    @dataclasses.dataclass
    class Person:
        name: str
        age: int = 3

    class Point(NamedTuple):
        x: int
        y: int = 0

    Feed = typing.NewType("Feed", int)

    @op
    def mixed(
        person: Person, points: list[Point], by_name: dict[str, Person], feed: Feed, maybe: str | None, many: list = None
    ) -> dict:
        """Takes all kinds."""

    inputs = mixed.op.inputs
    assert mixed.op.name == f"{__name__}:mixed" == mixed.imp.op.name
    assert inputs["person"].spec is Person and not inputs["person"].subspec and inputs["person"].primitive == "map"
    assert inputs["points"].spec is Point and inputs["points"].subspec and inputs["points"].primitive == "array"
    assert inputs["by_name"].spec is Person and inputs["by_name"].primitive == "map"
    assert (inputs["feed"].name, inputs["feed"].primitive) == ("Feed", "int")
    assert inputs["maybe"].primitive == "str" and inputs["maybe"].name == f"{__name__}:mixed.inputs.maybe"
    assert inputs["many"].default is None and inputs["many"].primitive == "array"
    assert mixed.op.outputs["result"] == Definition(name=f"{__name__}:mixed.outputs.result", primitive="map")
    assert [definition.name for definition in dffml.new_types_to_defs(Feed)] == ["Feed"]
    with pytest.raises(dffml.OpCouldNotDeterminePrimitive):

        @op
        def unknown(value: object):
            """Nobody knows what that is."""


def test_annotations_that_are_texts_are_looked_up_each_for_itself():
    def named(number: "int", when: "TheNameOfNothing", config: "Times") -> "list[int]":  # noqa: F821
        """As in a module that has `from __future__ import annotations`."""

    made = op(inputs={}, config_cls=Times)(named)
    assert made.op.outputs["result"].primitive == "array"
    with pytest.raises(dffml.OpCouldNotDeterminePrimitive, match="when"):
        op(named)


def test_specs_make_records_of_dicts():
    class Point(NamedTuple):
        x: int
        y: int = 7

    POINT = Definition(name="point", primitive="map", spec=Point)
    POINTS = Definition(name="points", primitive="array", spec=Point, subspec=True)
    assert Input(value={"x": 1}, definition=POINT).value == Point(1, 7)
    assert Input(value=[{"x": 1}], definition=POINTS).value == [Point(1, 7)]
    with pytest.raises(dffml.PrimitiveDoesNotMatchValue):
        Input(value=3, definition=POINTS)
    back = Definition._fromdict(**json.loads(json.dumps(POINT.export())))
    assert back == POINT and back.spec(x=2) == (2, 7)

    @op(inputs={"number": NUMBER}, outputs={"point": POINT})
    def make(number):
        return {"point": {"x": number}}

    @op(inputs={"point": POINT}, outputs={"result": RESULT})
    def take(point):
        return {"result": point.x + point.y}

    assert result_of(DataFlow.auto(make, take, GetSingle), Input(1, NUMBER), single("result")) == {"result": 8}


def test_functions_are_still_functions_and_can_be_tried_alone():
    assert asyncio.run(double(4)) == {"result": 8}
    assert asyncio.run(double.test(number=4)) == {"result": 8}


def test_an_operation_of_one_annotated_output_gives_it_without_a_name():
    @op
    def length(text: str) -> int:
        return len(text)

    @op
    async def each(text: str) -> typing.AsyncIterator[str]:
        for letter in text:
            yield letter

    name = length.op.outputs["result"].name
    assert result_of(DataFlow(length, GetSingle), Input("abc", length.op.inputs["text"]), single(name)) == {name: 3}
    name = each.op.outputs["result"].name
    flow = DataFlow(each, GetMulti)
    assert result_of(flow, Input("abc", each.op.inputs["text"]), multi(name)) == {name: ["a", "b", "c"]}


def test_operations_of_a_module_are_found():
    class module:
        first = double
        second = double.op
        third = double.imp

    assert dffml.opwraped_in(module) == [double]
    assert dffml.operation_in(module) == [double.op, double.op]
    assert dffml.opimp_in(module) == [double.imp, double.imp]
    assert dffml.opimp_name(double.imp) == double.op.name
    with pytest.raises(dffml.NotOpImp):
        dffml.opimp_name(double)


# --- implementations ---------------------------------------------------------------------------


@config
class Times:
    factor: int = field("To multiply by", default=3)


class Resource:
    """Says when it is entered and left."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    async def __aenter__(self):
        self.log.append(f"enter {self.name}")
        return self

    async def __aexit__(self, *exception):
        self.log.append(f"leave {self.name}")


def test_implementations_are_entered_once_and_contexts_with_each_call():
    log = []

    @op(
        inputs={"number": NUMBER},
        outputs={"result": RESULT},
        config_cls=Times,
        imp_enter={"pool": lambda self: Resource(log, f"pool {self.config.factor}")},
        ctx_enter={"session": lambda self: Resource(log, f"session of {self.parent.pool.name}")},
    )
    async def times(self, number):
        assert isinstance(self.ctx, StringInputSetContext) and str(self.ctx) == "here"
        assert self.parent.op.instance_name == times.op.name
        return {"result": number * self.config.factor * len(self.session.name.split()[:1])}

    flow = DataFlow(times, GetMulti, seed=[multi("result")], configs={times.op.name: Times(factor=5)})
    assert results_of(flow, {"here": [Input(1, NUMBER), Input(2, NUMBER)]}) == {"here": {"result": [5, 10]}}
    assert log[0] == "enter pool 5" and log[-1] == "leave pool 5"
    assert sorted(log[1:-1]) == ["enter session of pool 5"] * 2 + ["leave session of pool 5"] * 2


def test_classes_are_operations():
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT}, config_cls=Times)
    class TimesContext(OperationImplementationContext):
        async def run(self, inputs):
            return {"result": inputs["number"] * self.parent.config.factor}

    class PlusContext(OperationImplementationContext):
        async def run(self, inputs):
            self.parent.calls += 1
            return {"result": inputs["number"] + self.parent.calls}

    class Plus(OperationImplementation):
        op = Operation(name="plus", inputs={"number": NUMBER}, outputs={"result": RESULT})
        CONTEXT = PlusContext

        async def __aenter__(self):
            self.calls = 10
            return self

    flow = DataFlow(TimesContext, GetSingle, seed=[single("result")])
    assert result_of(flow, Input(2, NUMBER)) == {"result": 6}
    assert result_of(DataFlow.auto(Plus, GetSingle), Input(2, NUMBER), single("result")) == {"result": 13}


def test_two_instances_of_one_operation_have_configurations_of_their_own():
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT}, config_cls=Times)
    async def times(number, settings: Times):
        return {"result": number * settings.factor}

    flow = DataFlow(
        operations={"twice": times, "thrice": times, "get": GetMulti},
        configs={"twice": {"factor": 2}, "thrice": Times(factor=3)},
        seed=[multi("result")],
    )
    assert sorted(result_of(flow, Input(1, NUMBER))["result"]) == [2, 3]


def test_a_function_takes_its_configuration_by_annotation():
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT}, config_cls=Times)
    def times(number, settings: Times):
        return {"result": number * settings.factor}

    assert list(times.op.inputs) == ["number"]
    assert result_of(DataFlow(times, GetSingle), Input(2, NUMBER), single("result")) == {"result": 6}


# --- values ------------------------------------------------------------------------------------


def test_values_are_the_objects_that_they_are():
    class Thing:
        pass

    thing = Thing()
    shared = {"list": [1], "thing": thing}

    @op(inputs={"given": OBJECT}, outputs={"result": RESULT})
    async def take(given):
        given["seen"] = True
        return {"result": given}

    result = result_of(DataFlow(take, GetSingle), Input(shared, OBJECT), single("result"))["result"]
    assert result is shared and shared["seen"] and shared["thing"] is thing


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1 << 80, -1.5, "", "ä", "\ud800", "\0object:1", b"bytes", (1, 2), {3, 4}, {1: "a"}, [], {}, object(), int],
    ids=repr,
)
def test_any_value_goes_through(value):
    @op(inputs={"given": OBJECT}, outputs={"result": RESULT})
    def take(given):
        assert given is value or given == value
        return {"result": given}

    result = result_of(DataFlow(take, GetSingle), Input(value, OBJECT), single("result"))["result"]
    assert result == value and type(result) is type(value)


@pytest.mark.parametrize(("value", "runs"), [((), False), ([0], True), (set(), False), (object(), True), (b"", False), (1 << 70, True)])
def test_any_value_is_a_condition_by_its_truth(value, runs):
    CONDITION = Definition(name="condition", primitive="generic")
    ran = []

    @op(inputs={"number": NUMBER}, conditions=[CONDITION])
    async def when(number):
        ran.append(number)

    result_of(DataFlow(when), Input(1, NUMBER), Input(value, CONDITION))
    assert bool(ran) == runs


def test_objects_within_data_that_the_engine_reads_come_back():
    thing = object()
    subflow = DataFlow.auto(GetSingle)
    subflow.definitions["object"] = OBJECT
    subflow.seed.append(single("object"))
    flow = DataFlow(run_dataflow, GetSingle, configs={run_dataflow.op.name: RunDataFlowConfig(subflow)})
    given = {"inner": [{"value": thing, "definition": "object"}]}
    results = result_of(flow, Input(given, run_dataflow.op.inputs["inputs"]), single("flow_results"))
    assert results["flow_results"]["inner"]["object"] is thing


def test_what_was_made_of_a_context_goes_with_it():
    import gc
    import weakref

    class Thing:
        pass

    made = []

    @op(inputs={"number": NUMBER}, outputs={"object": OBJECT})
    def make(number):
        thing = Thing()
        made.append(weakref.ref(thing))
        return {"object": thing}

    @op(inputs={"object": OBJECT}, outputs={"result": RESULT})
    async def use(object):
        return {"result": 1}

    async def count():
        alive = []
        async for _ in run(DataFlow(make, use, GetSingle, seed=[single("result")]), contexts()):
            gc.collect()
            alive.append(sum(thing() is not None for thing in made))
        return alive

    async def contexts():
        for number in range(40):
            while len(made) < number:
                await asyncio.sleep(0.001)
            yield [Input(number, NUMBER)]

    assert max(asyncio.run(count())) < 20 and len(made) == 40


def test_locks_keep_operations_on_a_value_apart():
    LOCKED = Definition(name="locked", primitive="map", lock=True)
    seen = []

    @op(inputs={"shared": LOCKED, "number": NUMBER})
    async def change(shared, number):
        shared["number"] = number
        await asyncio.sleep(0.01)
        seen.append((number, shared["number"]))

    result_of(DataFlow(change), Input({}, LOCKED), Input(1, NUMBER), Input(2, NUMBER))
    assert sorted(seen) == [(1, 1), (2, 2)]


# --- dataflows ---------------------------------------------------------------------------------


def test_flows_are_changed_and_wired_again():
    flow = DataFlow(double, GetSingle)
    assert flow.flow[double.op.name].inputs == {"number": ["seed"]}
    flow.operations["again"] = double.op._replace(inputs={"number": RESULT}, outputs={"result": Definition("more", "int")})
    flow.seed.append(single("more"))
    flow.update(auto_flow=True)
    assert flow.flow["again"].inputs == {"number": [{double.op.name: "result"}]}
    assert result_of(flow, Input(1, NUMBER)) == {"more": 4}


def test_a_flow_may_be_written_out():
    flow = DataFlow(
        operations={"one": double.op, "get": GetMulti.op},
        implementations={double.op.name: double.imp},
        flow={"one": InputFlow(inputs={"number": ["mine"]}), "get": InputFlow(inputs={"spec": ["seed"]})},
        seed=[multi("result")],
    )
    assert result_of(flow, Input(1, NUMBER, origin="mine"), Input(2, NUMBER)) == {"result": [2]}
    again = DataFlow._fromdict(**json.loads(json.dumps(flow.export(linked=True))))
    again.implementations[double.op.name] = double.imp
    assert result_of(again, Input(3, NUMBER, origin="mine")) == {"result": [6]}
    assert flow.export()["operations"]["one"]["instance_name"] == "one"


def test_exports_name_what_is_missing():
    exported = DataFlow(double).export(linked=True)
    del exported["definitions"]["result"]
    with pytest.raises(DefinitionMissing, match="double.outputs.*result"):
        DataFlow._fromdict(**exported)


def test_validation_by_functions_and_by_operations():
    def check(value):
        if value < 0:
            raise InputValidationError(value)
        return value + 1

    CHECKED = Definition(name="checked", primitive="int", validate=check)
    LOUD = Definition(name="loud", primitive="str", validate="shout")
    with pytest.raises(InputValidationError):
        Input(-1, CHECKED)

    @op(inputs={"number": CHECKED}, outputs={"result": RESULT})
    def take(number):
        return {"result": number}

    assert result_of(DataFlow(take, GetSingle), Input(1, CHECKED), single("result")) == {"result": 2}

    @op(inputs={"text": LOUD}, outputs={"text": LOUD}, validator=True)
    def shout(text):
        return {"text": text.upper()}

    @op(inputs={"text": LOUD}, outputs={"result": RESULT})
    def echo(text):
        return {"result": text}

    flow = DataFlow(operations={"shout": shout, "echo": echo, "get": GetSingle})
    assert result_of(flow, Input("hi", LOUD), single("result")) == {"result": "HI"}
    with pytest.raises(ValidatorMissing):
        result_of(DataFlow(echo, GetSingle), Input("hi", LOUD), single("result"))


def test_output_operations_may_be_functions_that_ask_for_inputs():
    PART = Definition(name="part", primitive="int")

    @op(inputs={"number": NUMBER}, outputs={"parts": PART}, expand=["parts"])
    def split(number):
        return {"parts": list(range(number))}

    @op(inputs={"spec": Definition("largest_spec", "str")}, outputs={"largest": RESULT}, stage=Stage.OUTPUT)
    class Largest(OperationImplementationContext):
        async def run(self, inputs):
            definition = await self.octx.ictx.definition(self.ctx, inputs["spec"])
            async with self.octx.ictx.definitions(self.ctx) as od:
                found = [item async for item in od.inputs(definition)]
            parents = {parent.value for item in found for parent in item.get_parents()}
            return {"largest": max(item.value for item in found), "from": sorted(parents)}

    flow = DataFlow(split, Largest)
    assert result_of(flow, Input(5, NUMBER), Input("part", Largest.op.inputs["spec"])) == {"largest": 4, "from": [5]}
    with pytest.raises(DefinitionNotInContext):
        result_of(flow, Input(5, NUMBER), Input("nothing", Largest.op.inputs["spec"]))


def test_several_output_operations_are_told_apart():
    flow = DataFlow(operations={"double": double, "one": GetSingle, "all": GetMulti})
    results = result_of(flow, Input(1, NUMBER), single("result"), multi("result"))
    assert results == {"one": {"result": 2}, "all": {"result": [2]}}


def test_group_by():
    KEY, VALUE = Definition("key", "str"), Definition("value", "str")

    @op(inputs={"key": KEY}, outputs={"value": VALUE})
    def value_of(key):
        return {"value": key * 2}

    spec = Input({"values": {"group": "value", "by": "key"}}, GroupBy.op.inputs["spec"])
    assert result_of(DataFlow(value_of, GroupBy), Input("b", KEY), Input("a", KEY), spec) == {"values": ["bb", "aa"]}


def test_associate_keeps_what_its_keys_are():
    KEY, VALUE = Definition("key", "int"), Definition("value", "str")

    @op(inputs={"key": KEY}, outputs={"value": VALUE})
    def value_of(key):
        return {"value": str(key)}

    spec = Input(["key", "value"], dffml.Associate.op.inputs["spec"])
    keys = [1, 0, None, (1, 2), 1 << 70]
    results = result_of(DataFlow(value_of, dffml.Associate), *(Input(key, KEY) for key in keys), spec)
    assert results == {"value": {key: str(key) for key in keys}}


def test_cleanup_runs_at_the_end():
    order = []

    @op(inputs={"number": NUMBER}, stage=Stage.CLEANUP)
    async def tidy(number):
        order.append("tidy")

    @op(inputs={"number": NUMBER})
    async def work(number):
        await asyncio.sleep(0.01)
        order.append("work")

    result_of(DataFlow(tidy, work), Input(1, NUMBER))
    assert order == ["work", "tidy"]


# --- subflows ----------------------------------------------------------------------------------


def test_a_subflow_is_an_operation():
    subflow = DataFlow(double, GetSingle, seed=[single("result")])
    TEXT = Definition(name="text", primitive="string")
    outer = run_dataflow.op._replace(inputs={"text": TEXT, "number": NUMBER}, outputs={"result": RESULT}, expand=[])
    flow = DataFlow(operations={"run": outer, "get": GetSingle}, configs={"run": RunDataFlowConfig(subflow)})
    assert result_of(flow, Input("name", TEXT), Input(4, NUMBER), single("result")) == {"result": 8}


def test_an_operation_runs_a_subflow_by_itself():
    @config
    class Within:
        dataflow: DataFlow

    @op(inputs={"number": NUMBER}, outputs={"result": RESULT}, config_cls=Within)
    async def nested(self, number):
        async with self.subflow(self.config.dataflow) as octx:
            assert octx is self.octx.subflows[self.parent.op.instance_name]
            async for _, results in octx.run([Input(number, NUMBER)]):
                return {"result": results["result"] + 1}

    inner = DataFlow(double, GetSingle, seed=[single("result")])
    flow = DataFlow(nested, GetSingle, seed=[single("result")], configs={nested.op.name: Within(inner)})
    assert result_of(flow, Input(4, NUMBER)) == {"result": 9}


def test_inputs_are_forwarded_to_subflows():
    SECONDS = Definition(name="seconds", primitive="float")

    @op(inputs={"seconds": SECONDS}, outputs={"number": NUMBER})
    async def later(self, seconds):
        await asyncio.sleep(seconds)
        return {"number": 4}

    @op(inputs={}, outputs={"waited": Definition("waited", "bool")})
    async def stay(self):
        for _ in range(200):
            if not taken:
                await asyncio.sleep(0.005)

    @op(inputs={"number": NUMBER}, outputs={"result": RESULT})
    async def take(number):
        taken.append(number)
        return {"result": number}

    taken = []
    # What comes from outside keeps its origin: the flow within has to know an operation of that name.
    never = later.op._replace(inputs={"seconds": Definition("never", "float")})
    inner = DataFlow(stay, take, GetSingle, operations={later.op.name: never}, seed=[single("result")])
    flow = DataFlow(later, run_dataflow, GetSingle, configs={run_dataflow.op.name: RunDataFlowConfig(inner)})
    flow.forward.add(run_dataflow.op.name, [NUMBER])
    assert DataFlow._fromdict(**flow.export(linked=True)).forward.book == flow.forward.book
    given = Input({"within": []}, run_dataflow.op.inputs["inputs"])
    results = result_of(flow, given, Input(0.02, SECONDS), single("flow_results"))
    assert results == {"flow_results": {"within": {"result": 4}}} and taken == [4]


# --- runs --------------------------------------------------------------------------------------


FLOW = DataFlow(double, GetSingle, seed=[single("result")])


class Named(StringInputSetContext):
    pass


def test_inputs_are_given_in_all_ways():
    async def collect(*inputs, **options):
        async with MemoryOrchestrator.withconfig({}) as orchestrator, orchestrator(FLOW) as octx:
            return [(context, results["result"]) async for context, results in octx.run(*inputs, **options)]

    first, second = [Input(1, NUMBER)], [Input(2, NUMBER)]
    assert sorted((str(c), r) for c, r in asyncio.run(collect({"a": first, "b": second}))) == [("a", 2), ("b", 4)]
    ((context, result),) = asyncio.run(collect({Named("own"): first}))
    assert type(context) is Named and result == 2
    sets = [
        MemoryInputSet(MemoryInputSetConfig(ctx=StringInputSetContext(name), inputs=inputs))
        for name, inputs in (("a", first), ("b", second))
    ]
    assert sorted((str(c), r) for c, r in asyncio.run(collect(*sets))) == [("a", 2), ("b", 4)]
    assert sorted(r for _, r in asyncio.run(collect(first, second))) == [2, 4]
    ((context, _),) = asyncio.run(collect(first, ctx=StringInputSetContext("given")))
    assert str(context) == "given"

    async def later():
        for inputs in (first, {"x": second}):
            await asyncio.sleep(0)
            yield inputs

    assert sorted(r for _, r in asyncio.run(collect(later()))) == [2, 4]


def test_inputs_may_be_given_before():
    async def main():
        async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW) as octx:
            await octx.ictx.sadd("a", Input(1, NUMBER))
            await octx.ictx.cadd(Named("b"), Input(2, NUMBER))
            return {str(context): results async for context, results in octx.run_operations()}

    assert asyncio.run(main()) == {"a": {"result": 2}, "b": {"result": 4}}


def test_a_context_runs_again_and_keeps_its_implementations():
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT})
    async def count(self, number):
        self.parent.calls = getattr(self.parent, "calls", 0) + 1
        return {"result": self.parent.calls}

    async def main():
        async with MemoryOrchestrator() as orchestrator:
            async with orchestrator(DataFlow(count, GetSingle, seed=[single("result")])) as octx:
                return [r["result"] for _ in range(3) async for _, r in octx.run({"a": [Input(1, NUMBER)]})]

    assert asyncio.run(main()) == [1, 2, 3]


def test_max_ctxs():
    running = []

    @op(inputs={"number": NUMBER})
    async def work(number):
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0.005)
        running.pop()

    most = []
    orchestrator = MemoryOrchestrator(max_ctxs=2)
    results_of(DataFlow(work), {str(n): [Input(n, NUMBER)] for n in range(6)}, orchestrator=orchestrator)
    assert max(most) == 2 and len(most) == 6


def test_a_failure_is_an_operation_exception_with_its_cause():
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT})
    async def divide(number):
        return {"result": 1 / number}

    flow = DataFlow(operations={"divide": divide, "get": GetSingle}, seed=[single("result")])
    with pytest.raises(OperationException) as raised:
        result_of(flow, Input(0, NUMBER))
    assert str(raised.value) == "divide({'number': number}): {'number': 0}"
    assert type(raised.value.__cause__) is ZeroDivisionError


def test_an_operation_that_cancels_itself_fails():
    @op(inputs={"number": NUMBER})
    async def cancel(number):
        raise asyncio.CancelledError("mine")

    with pytest.raises(OperationException) as raised:
        result_of(DataFlow(cancel), Input(0, NUMBER))
    assert type(raised.value.__cause__) is asyncio.CancelledError


def test_a_long_message_has_its_exception_too():
    @op(inputs={"number": NUMBER})
    async def fail(number):
        raise ValueError("long " * 5000)

    with pytest.raises(OperationException) as raised:
        result_of(DataFlow(fail), Input(0, NUMBER))
    assert len(str(raised.value.__cause__)) == 25000


def test_without_strict_failures_are_logged(caplog):
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT})
    async def divide(number):
        return {"result": 1 / number}

    with caplog.at_level(logging.ERROR):
        result = result_of(DataFlow(divide, GetMulti), Input(0, NUMBER), Input(1, NUMBER), multi("result"), strict=False)
    assert result == {"result": [1.0]}
    assert "ZeroDivisionError" in caplog.text and "return {" in caplog.text


def test_retries():
    @op(inputs={"number": NUMBER}, outputs={"result": RESULT}, retry=3)
    async def unsteady(self, number):
        self.parent.tries = getattr(self.parent, "tries", 0) + 1
        if self.parent.tries < 3:
            raise ConnectionError(self.parent.tries)
        return {"result": self.parent.tries}

    assert result_of(DataFlow(unsteady, GetSingle), Input(0, NUMBER), single("result")) == {"result": 3}


def test_an_operation_that_nobody_has():
    flow = DataFlow(Operation(name="nobody", inputs={"number": NUMBER}))
    with pytest.raises(OperationImplementationNotInstantiable):
        result_of(flow, Input(1, NUMBER))


def test_the_engines_own_operations_are_there_by_name():
    LIST, ITEMS = Definition(name="list", primitive="array"), Definition(name="items", primitive="array")
    order = Operation(name="list.sort", inputs={"list": LIST}, outputs={"list": ITEMS})

    @op(inputs={"items": ITEMS}, outputs={"result": RESULT})
    async def turn(items):
        return {"result": items[::-1]}

    flow = DataFlow(turn, operations={"order": order, "get": GetSingle}, seed=[single("result")])
    assert result_of(flow, Input((2, 3, 1), LIST)) == {"result": [3, 2, 1]}
    with pytest.raises(TypeError, match="list: .* takes data, no bytes: b'x'"):
        result_of(flow, Input([b"x"], LIST))


def test_leaving_a_run_ends_what_is_under_way():
    ended = []

    @op(inputs={"number": NUMBER}, outputs={"result": RESULT})
    async def wait(number):
        try:
            await asyncio.sleep(number)
        finally:
            ended.append(number)
        return {"result": number}

    async def main():
        flow = DataFlow(wait, GetSingle, seed=[single("result")])
        async for _ in run(flow, {"short": [Input(0, NUMBER)], "long": [Input(60, NUMBER)]}):
            break

    asyncio.run(asyncio.wait_for(main(), 20))
    assert sorted(ended) == [0, 60]


def test_what_others_run_beside_it_goes_on():
    async def main():
        async def tick():
            for _ in range(5):
                ticks.append(1)
                await asyncio.sleep(0)

        ticks = []
        task = asyncio.ensure_future(tick())
        results = [results async for _, results in run(FLOW, [Input(1, NUMBER)])]
        await task
        return results, len(ticks)

    assert asyncio.run(main()) == ([{"result": 2}], 5)


# --- configurations ----------------------------------------------------------------------------


def test_configurations():
    @config
    class Inner:
        name: str

    @config
    class Outer:
        inner: Inner
        times: Times = field("Nested", default_factory=Times)
        label: str = "x"

    made = Outer._fromdict(inner={"name": "a"}, times={"factor": 4})
    assert made == Outer(Inner("a"), Times(4)) and made._replace(label="y").label == "y"
    assert made._asdict() == {"inner": {"name": "a"}, "times": {"factor": 4}, "label": "x"}
    with pytest.raises(TypeError, match="nothing"):
        Outer._fromdict(inner={"name": "a"}, nothing=1)
    assert repr(dffml.BaseConfig()) == "BaseConfig()" and dffml.BaseConfig() == dffml.BaseConfig()
    kind = dffml.make_config("Made", [("b", int, field("b", default=1)), ("a", int, field("a"))])
    assert kind(3) == kind(a=3, b=1)


def test_objects_take_a_configuration_or_its_values():
    assert MemoryOrchestrator(max_ctxs=3).config.max_ctxs == 3 == MemoryOrchestrator(dffml.MemoryOrchestratorConfig(max_ctxs=3)).config.max_ctxs
    assert MemoryOrchestrator.withconfig({}).config.max_ctxs is None
    given = {"orchestrator": {"plugin": None, "config": {"memory": {"plugin": None, "config": {"max_ctxs": {"plugin": 2, "config": {}}}}}}}
    assert MemoryOrchestrator.withconfig(given).config.max_ctxs == 2
    with pytest.raises(dffml.ConfigAndKWArgsMutuallyExclusive):
        MemoryOrchestrator(dffml.MemoryOrchestratorConfig(), max_ctxs=3)

    class Needs(OperationImplementation):
        op = Operation(name="needs")
        CONTEXT = OperationImplementationContext
        CONFIG = make = dffml.make_config("Made", [("a", int, field("a"))])

    with pytest.raises(TypeError, match="config"):
        Needs()
    with pytest.raises(dffml.MissingConfig):
        Needs.withconfig({})
    with pytest.raises(dffml.MissingRequiredProperty):
        dffml.BaseDataFlowObject(dffml.BaseConfig())


def test_key_value_store():
    async def main():
        async with dffml.MemoryKeyValueStore() as store, store() as context:
            await context.set("feed", b"face")
            assert not await context.conditional_set("feed", b"other")
            return await context.get("feed"), await context.get("nothing")

    assert asyncio.run(main()) == (b"face", None)


def test_secrets_of_an_ini_file(tmp_path):
    path = tmp_path / "secrets.ini"
    path.write_text("[other]\nkept = 100%\n[secrets]\nToken = a%b\n")
    secret = dffml.INISecret(filename=str(path))

    @config
    class Secretive:
        secret: dffml.BaseSecret

    def secretive(name):
        return op(
            name=name,
            inputs={"number": NUMBER},
            outputs={"result": RESULT},
            config_cls=Secretive,
            imp_enter={"secret": lambda self: self.config.secret},
            ctx_enter={"sctx": lambda self: self.parent.secret()},
        )

    @secretive("get")
    async def get(self, number):
        return {"result": await self.sctx.get("token")}

    @secretive("set")
    async def set(self, number):
        await self.sctx.set("new", number)

    flow = DataFlow(get, set, GetSingle, seed=[single("result")], configs=dict.fromkeys(("get", "set"), Secretive(secret)))
    assert result_of(flow, Input(4, NUMBER)) == {"result": "a%b"}
    assert path.read_text().split() == "[other] kept = 100% [secrets] token = a%b new = 4".split()
    assert [entry.name for entry in tmp_path.iterdir()] == ["secrets.ini"]

    async def missing():
        async with dffml.INISecret(filename=str(tmp_path / "nothing")):
            pass

    with pytest.raises(FileNotFoundError):
        asyncio.run(missing())


def test_what_is_the_engines_cannot_be_another():
    class Own(dffml.MemoryLockNetwork):
        pass

    made = dffml.MemoryOrchestratorConfig(rchecker=dffml.MemoryRedundancyChecker(kvstore=dffml.MemoryKeyValueStore()))
    assert results_of(FLOW, {"a": [Input(1, NUMBER)]}, orchestrator=MemoryOrchestrator(made)) == {"a": {"result": 2}}
    with pytest.raises(TypeError, match="lock_network"):
        MemoryOrchestrator(lock_network=Own())


def test_input_sets():
    async def main():
        items = [Input(1, NUMBER), Input("x", Definition("loud", "str", validate="shout"))]
        given = MemoryInputSet(MemoryInputSetConfig(ctx=StringInputSetContext("a"), inputs=items))
        await given.add(Input(2, RESULT))
        assert await given._asdict() == {"number": 1, "loud": "x", "result": 2}
        taken = await given.remove_unvalidated_inputs()
        assert [item.value async for item in taken.inputs()] == ["x"]
        await given.remove_input(items[0])
        return await given.definitions()

    assert asyncio.run(main()) == {RESULT}
    parameters = [dffml.Parameter("a", 1, None, NUMBER)]
    made = dffml.MemoryParameterSet(dffml.MemoryParameterSetConfig(ctx=None, parameters=parameters))
    assert asyncio.run(made._asdict()) == {"a": 1}


# --- helpers -----------------------------------------------------------------------------------


def test_operations_that_are_there():
    said = io.StringIO()
    with contextlib.redirect_stdout(said), mock.patch("builtins.input", return_value="[1, 2]"):
        flow = DataFlow.auto(dffml.AcceptUserInput, dffml.literal_eval, dffml.create_mapping, GetSingle)
        flow.flow[dffml.literal_eval.op.name].inputs["str_to_eval"] = [{"AcceptUserInput": "InputData"}]
        flow.flow["dffml.mapping.create"].inputs["value"] = [{"literal_eval": "str_after_eval"}]
        flow.operations["dffml.mapping.create"] = dffml.create_mapping.op._replace(
            inputs={"key": dffml.MAPPING_KEY, "value": dffml.EvaluatedStr}
        )
        flow.operations["literal_eval"] = dffml.literal_eval.op._replace(inputs={"str_to_eval": dffml.UserInput})
        flow.update()
        results = result_of(flow, Input("key", dffml.MAPPING_KEY), single("mapping"))
        assert results == {"mapping": {"key": [1, 2]}}
        result_of(DataFlow.auto(dffml.print_output), Input({"a": 1}, dffml.DataToPrint))
    assert said.getvalue() == "Enter the value: {'a': 1}\n"
    assert dffml.mapping_extract_value({"a": {"b": 1}}, ["a", "b"]) == {"value": 1}
    assert asyncio.run(dffml.multiply((1, 2), 3)) == {"product": (3, 6)}
    assert {"get_single", "literal_eval"} <= {operation.name for operation in Operation.load()}
    assert OperationImplementation.load("print_output") is dffml.print_output.imp
    with pytest.raises(dffml.FailedToLoadOperation):
        Operation.load("nobody")
    with pytest.raises(dffml.FailedToLoadOperationImplementation):
        OperationImplementation.load("nobody")


def test_data_helpers():
    assert dffml.traverse_get({"one.two": {"three": 4}}, "'one.two'.three") == 4
    assert dffml.traverse_get({"one": {"two": 3}}, "one", "two") == 3
    target = {"a": {"b": 1}, "list": [1]}
    dffml.traverse_set(target, "a.c.d", value=2)
    dffml.merge(target, {"a": {"b": 5, "e": 6}, "list": [2], "new": 1})
    assert target == {"a": {"b": 1, "c": {"d": 2}, "e": 6}, "list": [1, 2], "new": 1}
    assert dffml.traverse_config_get(dffml.traverse_config_set({}, "a", "b", 3), "a", "b") == 3
    assert dffml.export(Times(2)) == {"factor": 2} and dffml.export([int, Stage]) == ["int", "Stage"]
    assert dffml.type_lookup("map") is typing.Dict and dffml.type_lookup("int") is int  # noqa: UP006


def test_tests_may_be_coroutines():
    import unittest

    seen = []

    class Case(dffml.AsyncTestCase):
        async def setUp(self):
            seen.append(asyncio.get_running_loop())

        async def test_it(self):
            seen.append(asyncio.get_running_loop())

    assert Case("test_it").run(unittest.TestResult()).wasSuccessful() and seen[0] is seen[1]


def test_the_current_folder_and_the_path_for_a_while(tmp_path):
    import os

    before = os.getcwd(), os.environ["PATH"]
    with dffml.chdir(tmp_path), dffml.prepend_to_path("/first", "/second") as env:
        assert os.getcwd() == str(tmp_path) and env["PATH"].startswith("/first:/second:")
    assert (os.getcwd(), os.environ["PATH"]) == before


def test_stacks_of_a_test_case_are_left():
    import unittest

    log = []

    class Case(dffml.AsyncExitStackTestCase):
        async def test_it(self):
            await self._astack.enter_async_context(Resource(log, "resource"))
            self._stack.callback(log.append, "callback")
            with open(self.mktempfile(suffix=".txt", text="""\n    words""")) as file:
                assert file.read() == "words\n" and file.name.endswith(".txt")

    assert Case("test_it").run(unittest.TestResult()).wasSuccessful()
    assert log == ["enter resource", "callback", "leave resource"]


def test_work_that_is_awaited_together():
    async def wait(number):
        await asyncio.sleep(number / 1000)
        if number == 9:
            raise ValueError(number)
        return number

    async def main(errors):
        work = {asyncio.ensure_future(wait(number)): str(number) for number in (3, 1, 9)}
        return [item async for item in dffml.concurrently(work, errors=errors)]

    assert sorted(asyncio.run(main("ignore"))) == [("1", 1), ("3", 3)]
    with pytest.raises(ValueError, match="9"):
        asyncio.run(main("strict"))
