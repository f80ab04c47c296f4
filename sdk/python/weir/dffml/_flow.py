"""A dataflow of DFFML's classes as a run of weir's engine."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from weir.dffml._values import RUN, Values
from weir.dffml.df.base import (
    OperationException,
    OperationImplementationNotInstantiable,
    StringInputSetContext,
)
from weir.dffml.df.exceptions import DefinitionNotInContext, MultipleAncestorsFoundError, ValidatorMissing
from weir.dffml.df.types import DataFlow, Definition, DefinitionMissing, Input, Operation, Stage, specified
from weir.dffml.operation.dataflow import (
    DEFAULT_INPUTS,
    InvalidCustomRunDataFlowContext,
    InvalidCustomRunDataFlowOutputs,
)
from weir.dffml.operation.output import RemapFailure
from weir.embedded import COLLECTOR, CONTEXTUAL, CONTEXTUAL_GENERATOR, EMIT_AGAIN_S
from weir.errors import Cancelled, Error
from weir.runs import Run

if TYPE_CHECKING:
    from weir._weir import Call
    from weir.dffml.df.memory import MemoryOrchestratorContext

SUBFLOWS = ("dffml.dataflow.run", "remap")
ADDS = frozenset(("add", "sadd", "cadd", "uadd"))
FAILURES_MAX = 100

EXCEPTIONS: dict[str, type[Exception]] = {
    "unknown_operation": OperationImplementationNotInstantiable,
    "unknown_definition": DefinitionMissing,
    "definition_not_in_context": DefinitionNotInContext,
    "unknown_validator": ValidatorMissing,
    "ambiguous_ancestor": MultipleAncestorsFoundError,
    "remap_failed": RemapFailure,
}


class Unit:
    """An operation of a dataflow, or of one within it."""

    def __init__(self, instance: str, path: tuple[str, ...], operation: Operation, implementation: Any) -> None:
        self.instance = instance
        self.path = path
        self.operation = operation
        self.implementation = implementation  # None: the engine's
        self.imp: Any = None  # once it is entered
        # It adds inputs to its context while it runs: they are outputs of its own, by origin and definition.
        self.adds: dict[tuple[str, str], str] | None = {} if adds_inputs(operation, implementation) else None

    @property
    def name(self) -> str:
        """Each is an operation of its own for the engine, as each has an implementation of its own."""
        return "/".join((*self.path, self.instance)) + f" ({self.operation.name})"


def units_of(
    dataflow: DataFlow,
    find: Callable[[Mapping[str, Any], Operation], Any],
    path: tuple[str, ...] = (),
    known: Mapping[str, Any] | None = None,
) -> Iterable[Unit]:
    """All operations, those of subflows behind the one that runs them; these have the implementations of the flow around, too."""
    known = {**(known or {}), **dataflow.implementations}
    for instance, operation in dataflow.operations.items():
        implementation = find(known, operation)
        yield Unit(instance, path, operation, implementation)
        inner = subflow_of(dataflow, instance) if implementation is None else None
        if inner is not None:
            yield from units_of(inner, find, (*path, instance), known)


def subflow_of(dataflow: DataFlow, instance: str) -> DataFlow | None:
    """The dataflow that is an operation's configuration."""
    if dataflow.operations[instance].name not in SUBFLOWS:
        return None
    config = dataflow.configs.get(instance)
    inner = config.get("dataflow") if isinstance(config, Mapping) else getattr(config, "dataflow", None)
    if isinstance(inner, Mapping):
        inner = DataFlow._fromdict(**inner)
        dataflow.configs[instance] = {**config, "dataflow": inner} if isinstance(config, Mapping) else config
    return inner


# --- the document ------------------------------------------------------------------------------


class Document:
    """What the engine is told of a dataflow: DFFML's linked form, with values that stand for objects."""

    def __init__(self, dataflow: DataFlow, units: Iterable[Unit]) -> None:
        self.units = {(*unit.path, unit.instance): unit for unit in units}
        judged: set[str] = set()
        read: dict[str, str] = {}
        self.look(dataflow, (), judged, read)
        self.judged, self.read = judged, read
        self.dataflow = dataflow

    def look(self, dataflow: DataFlow, path: tuple[str, ...], judged: set[str], read: dict[str, str]) -> None:
        """Which definitions the engine judges, and which its own operations read."""
        for instance, operation in dataflow.operations.items():
            judged.update(definition.name for definition in operation.conditions)
            for source in dataflow.flow[instance].conditions if instance in dataflow.flow else ():
                judged.update(definitions_of(dataflow, source))
            if self.units[(*path, instance)].implementation is not None:
                continue
            if operation.name != "dffml.dataflow.run":
                read.update({definition.name: "data" for definition in operation.inputs.values()})
            elif operation.inputs == DEFAULT_INPUTS:
                read.update({definition.name: "contexts" for definition in operation.inputs.values()})
            inner = subflow_of(dataflow, instance)
            if inner is not None:
                self.look(inner, (*path, instance), judged, read)
            if inner is not None and operation.name == "remap":  # it goes into what its output operations give
                read.update({name: "plain" for item in inner.seed for name in texts_of(item.value)})
        for item in dataflow.seed:
            look_at_spec(item, read)

    def make(self, values: Values, more: Mapping[str, Definition] | None = None) -> dict[str, Any]:
        """With `more` definitions, where the dataflow has none of their names."""
        document = self.of(self.dataflow, (), values)
        for name, definition in (more or {}).items():
            if name not in document["definitions"]:
                document["definitions"][name] = describe(definition, values)
        return document

    def of(self, dataflow: DataFlow, path: tuple[str, ...], values: Values) -> dict[str, Any]:
        document: dict[str, Any] = {
            "linked": True,
            "definitions": {name: describe(definition, values) for name, definition in definitions(dataflow).items()},
            "operations": {},
            "seed": given_inputs(dataflow.seed, RUN, values),
            "flow": {instance: entry.export() for instance, entry in dataflow.flow.items()},
            "configs": {},
        }
        for instance in dataflow.operations:
            if self.units[(*path, instance)].adds is not None:
                let_add(self.units[(*path, instance)], dataflow, document)
        for instance, operation in dataflow.operations.items():
            unit = self.units[(*path, instance)]
            document["operations"][instance] = describe_operation(operation, unit)
            if unit.implementation is None and dataflow.configs.get(instance) is not None:
                document["configs"][instance] = self.config(dataflow, path, instance, values)
        if dataflow.forward.book:
            book = dataflow.forward.book.items()
            document["forward"] = {"book": {instance: [str(one) for one in items] for instance, items in book}}
        return document

    def config(self, dataflow: DataFlow, path: tuple[str, ...], instance: str, values: Values) -> dict[str, Any]:
        inner = subflow_of(dataflow, instance)
        if inner is not None:
            return {"dataflow": self.of(inner, (*path, instance), values)}
        config = dataflow.configs[instance]
        given = config if isinstance(config, Mapping) else config._asdict()
        return {key: values.plain(value, RUN) for key, value in given.items() if value is not None}


def adds_inputs(operation: Operation, implementation: Any) -> bool:
    context = getattr(implementation, "CONTEXT", None)
    body = getattr(context, "function", None) or getattr(context, "run", None)
    return operation.stage != Stage.OUTPUT and reads_context(body) and not ADDS.isdisjoint(names_in(body))


def let_add(unit: Unit, dataflow: DataFlow, document: dict[str, Any]) -> None:
    """Whoever takes inputs of an origin takes those that the operation adds with it, too."""
    unit.adds = {("seed", name): f"octx.ictx seed {name}" for name in document["definitions"]}
    for instance, entry in document["flow"].items():
        parameters = dataflow.operations[instance].inputs
        for name, sources in entry["inputs"].items():
            named = parameters[name].name if name in parameters else None
            sources += [one for source in sources if (one := added(unit, source, named)) is not None]
        sources = entry.get("conditions") or []
        sources += [one for source in sources if (one := added(unit, source, None)) is not None]


def added(unit: Unit, source: Any, definition: str | None) -> Any:
    """The source beside this one of what the operation adds; None: it is not of an origin."""
    if isinstance(source, list):
        first = added(unit, source[0], definition) if source else None
        return None if first is None else [first, *source[1:]]
    if isinstance(source, dict) and len(source) == 1:
        [(origin, names)] = source.items()
        if not isinstance(names, list) or len(names) != 1:
            return None
        source, definition = origin, str(names[0])
    if not isinstance(source, str) or definition is None or unit.adds is None:
        return None
    return {unit.instance: unit.adds.setdefault((source, definition), f"octx.ictx {source} {definition}")}


def look_at_spec(item: Input, read: dict[str, str]) -> None:
    """Values by which others are grouped are keys."""
    if item.definition.name == "group_by_spec" and isinstance(item.value, Mapping):
        read.update({str(one.get("by")): "key" for one in item.value.values() if isinstance(one, Mapping)})
    if item.definition.name == "associate_spec" and isinstance(item.value, (list, tuple)) and item.value:
        read.setdefault(str(item.value[0]), "name")


def texts_of(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts_of(item)


def definitions(dataflow: DataFlow) -> dict[str, Definition]:
    """Those that it has, and that its operations use."""
    return {**dataflow.definitions, **Operation.definitions(*dataflow.operations.values())}


def definitions_of(dataflow: DataFlow, source: Any) -> list[str]:
    """What the values of a condition's source are of."""
    if isinstance(source, (list, tuple)):
        source = source[0] if source else {}
    if not isinstance(source, dict):
        return []
    found: list[str] = []
    for key, value in source.items():
        if isinstance(value, (list, tuple)):
            found += map(str, value)
        elif key in dataflow.operations and value in dataflow.operations[key].outputs:
            found.append(dataflow.operations[key].outputs[value].name)
    return found


def describe(definition: Definition, values: Values) -> dict[str, Any]:
    said = {"name": definition.name, "primitive": definition.primitive}
    if definition.lock:
        said["lock"] = definition.lock  # type: ignore[assignment]
    if isinstance(definition.validate, str):
        said["validate"] = definition.validate
    exported = definition._replace(spec=None, validate=None, links=None).export()
    if "default" in exported:
        said["default"] = values.encode(definition.default, RUN, definition.name)
    return said


def describe_operation(operation: Operation, unit: Unit) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": operation.name if unit.implementation is None else unit.name,
        "inputs": {name: definition.name for name, definition in operation.inputs.items()},
        "outputs": {name: definition.name for name, definition in operation.outputs.items()},
        "stage": operation.stage.value,
        "retry": operation.retry,
    }
    if operation.conditions:
        said["conditions"] = [definition.name for definition in operation.conditions]
    said["outputs"].update({output: name for (_, name), output in (unit.adds or {}).items()})
    expand = [name for name in operation.expand or () if name in operation.outputs]
    if expand:
        said["expand"] = expand
    if operation.validator:
        said["validator"] = True
    return said


def given_inputs(inputs: Iterable[Input], context: str, values: Values) -> list[dict[str, Any]]:
    """As the engine is given them; those that others were made from, and those that stand there twice, have names."""
    inputs = list(inputs)
    first: dict[int, int] = {}
    repeated: set[int] = set()
    for at, item in enumerate(inputs):
        if first.setdefault(id(item), at) != at:
            repeated.add(id(item))
    named = repeated | {id(parent) for item in inputs for parent in item.parents}
    given = []
    for at, item in enumerate(inputs):
        entry: dict[str, Any] = {
            "value": values.encode(item.value, context, item.definition.name),
            "definition": item.definition.name,
            "origin": list(item.origin) if isinstance(item.origin, tuple) else item.origin,
        }
        if first[id(item)] != at:
            entry["same_as"] = str(first[id(item)])
        elif id(item) in named:
            entry["id"] = str(at)
        parents = [str(first[id(parent)]) for parent in item.parents if id(parent) in first]
        if parents and "same_as" not in entry:
            entry["parents"] = parents
        given.append(entry)
    return given


# --- calls -------------------------------------------------------------------------------------


class Caller:
    """Calls one operation's implementation."""

    def __init__(self, run: FlowRun, unit: Unit) -> None:
        operation = unit.operation
        self.run = run
        self.unit = unit
        self.names = tuple(operation.inputs)
        self.outputs = {name: (one, prepares(one)) for name, one in operation.outputs.items()}
        self.expand = frozenset(operation.expand or ())
        self.stage = operation.stage
        context = type(unit.imp).CONTEXT
        self.function = context.function if getattr(context, "plain", False) else None
        self.only = next(iter(operation.outputs), None) if getattr(context, "single", False) else None
        self.coroutine = inspect.iscoroutinefunction(self.function)
        body = getattr(context, "function", None) or getattr(context, "run", None)
        self.generator = inspect.isasyncgenfunction(inspect.unwrap(body)) if body else False
        if unit.adds:
            found = definitions(run.octx_of(unit).config.dataflow)
            self.outputs.update({output: (found[name], prepares(found[name])) for (_, name), output in unit.adds.items() if name in found})
        self.collector = operation.stage == Stage.OUTPUT and not self.generator and reads_context(body)

    def entry(self) -> Any:
        emits = self.generator or self.unit.adds is not None
        kind = CONTEXTUAL_GENERATOR if emits else COLLECTOR if self.collector else CONTEXTUAL
        begin: Callable[..., Any] = self.collect if self.collector else self.begin
        return (self.unit.name, kind, begin, self.names, tuple(self.outputs), False)

    def begin(self, call: Call, *values: Any) -> None:
        """Within a turn of the engine: a function is called at once, as DFFML does; a coroutine is a task of the loop."""
        run = self.run
        names: list[str] = call.contexts() or []
        inputs = dict(zip(self.names, map(run.values.decode, values)))
        if self.function is not None and not self.coroutine and not self.generator:
            try:
                result = self.named(self.function(**inputs))
                if not inspect.isawaitable(result):
                    call.complete(self.given(result, names[0]))
                    return
            except BaseException as error:  # noqa: BLE001
                self.fail(call, inputs, error)
                return
            work = self.finish(call, inputs, names, result)
        else:
            work = self.work(call, inputs, names)
        context = contextvars.copy_context()
        task = run.loop.create_task(work, context=context)
        run.tasks[task] = call
        task.add_done_callback(run.forget)

    async def work(self, call: Call, inputs: dict[str, Any], names: list[str]) -> None:
        try:
            if self.coroutine and self.function is not None:
                result = self.named(await self.function(**inputs))
                call.complete(self.given(result, names[0]))
                return
            octx = self.run.octx_of(self.unit)
            if self.unit.adds is not None:
                octx = Adding(octx, self, call, names)
            async with self.unit.imp(self.run.context_of(names), octx) as context:
                result = context.run(dict(inputs))
                if inspect.isawaitable(result):
                    result = await result
                if self.generator:
                    await self.emit(call, result, names)
                elif hasattr(result, "__aiter__"):
                    raise TypeError(f"{self.unit.operation.name} gives an iterator: say so by `yield` in the operation itself")
                elif self.unit.adds is not None:
                    await self.emit_one(call, self.given(result, names[0]))
                    call.finish()
                else:
                    call.complete(self.given(result, names[0]))
        except asyncio.CancelledError as error:
            self.fail(call, inputs, error)
            raise
        except BaseException as error:  # noqa: BLE001
            self.fail(call, inputs, error)

    async def finish(self, call: Call, inputs: dict[str, Any], names: list[str], result: Any) -> None:
        try:
            call.complete(self.given(self.named(await result), names[0]))
        except asyncio.CancelledError as error:
            call.fail(error)
            raise
        except BaseException as error:  # noqa: BLE001
            self.fail(call, inputs, error)

    async def emit(self, call: Call, items: AsyncIterator[Any], names: list[str]) -> None:
        async for item in items:
            if await self.emit_one(call, self.given(item, names[0])) == "cancelled":
                break
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
        call.finish()

    async def emit_one(self, call: Call, given: dict[str, Any]) -> str:
        said = call.emit(given)
        while said == "full":
            await asyncio.sleep(EMIT_AGAIN_S)
            said = call.emit_again()
        return said

    async def add(self, call: Call, names: list[str], inputs: Iterable[Input]) -> None:
        """Gives its context further inputs, as one set, before the call is over."""
        given: dict[str, Any] = {}
        for item in inputs:
            name, origin = item.definition.name, item.origin
            own = isinstance(origin, (tuple, list)) and origin[0] == self.unit.instance
            output = str(origin[1]) if own else (self.unit.adds or {}).get((str(origin), name))
            if output is None or output not in self.outputs:
                raise DefinitionNotInContext(f"nothing of the dataflow takes {name!r} with the origin {origin!r}")
            if output in given:
                await self.emit_one(call, given)
                given = {}
            given[output] = self.run.values.encode(item.value, names[0], name)
        if given:
            await self.emit_one(call, given)

    def collect(self, call: Call, *values: Any) -> dict[str, Any]:
        """An output operation that asks for what its context has: it may not wait for anything else meanwhile."""
        from weir.dffml.df.memory import Collected

        inputs = dict(zip(self.names, map(self.run.values.decode, values)))
        names: list[str] = call.contexts() or []

        async def work() -> Any:
            octx = Collected(self.run.octx_of(self.unit), call, self.run.values)
            async with self.unit.imp(self.run.context_of(names), octx) as context:
                return await context.run(dict(inputs))

        try:
            return self.given(finish_now(work()), names[0])
        except BaseException as error:
            self.run.note(self.unit, inputs, error)
            raise

    def named(self, result: Any) -> Any:
        if self.only is None or result is None or inspect.isawaitable(result):
            return result
        return {self.only: result}

    def given(self, result: Any, context: str) -> dict[str, Any]:
        """The outputs as the engine takes them; raises KeyError for one that is not declared."""
        if result is None or self.stage == Stage.CLEANUP:
            return {}
        if not isinstance(result, Mapping):
            raise TypeError(f"an operation gives a dict of its outputs or None, not {type(result).__name__}")
        encode = self.run.values.encode
        if self.stage == Stage.OUTPUT:
            return {str(name): encode(value, context) for name, value in result.items()}
        given = {}
        for name, value in result.items():
            if name not in self.outputs:
                known = ", ".join(self.outputs)
                raise KeyError(f"Value {name!r} missing from output:definition mapping {self.unit.instance}({known})")
            definition, prepare = self.outputs[name]
            if name in self.expand:
                items = map(lambda one: prepared(one, definition), value) if prepare else value
                given[name] = [encode(item, context, definition.name) for item in items]
            else:
                value = prepared(value, definition) if prepare else value
                given[name] = encode(value, context, definition.name)
        return given

    def fail(self, call: Call, inputs: dict[str, Any], error: BaseException) -> None:
        self.run.note(self.unit, inputs, error)
        call.fail(error)


class Adding:
    """An orchestrator's context for an operation that adds inputs to its own while it runs."""

    def __init__(self, octx: Any, caller: Caller, call: Call, names: list[str]) -> None:
        self._octx = octx
        self.ictx = AddingInputs(octx.ictx, caller, call, names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._octx, name)


class AddingInputs:
    def __init__(self, ictx: Any, caller: Caller, call: Call, names: list[str]) -> None:
        self._ictx = ictx
        self._caller = caller
        self._call = call
        self._names = names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ictx, name)

    async def add(self, input_set: Any) -> None:
        if (await input_set.ctx.handle()).as_string() == self._names[-1]:
            await self._caller.add(self._call, self._names, [item async for item in input_set.inputs()])
        else:
            await self._ictx.add(input_set)

    async def uadd(self, *args: Input) -> Any:
        return await self._ictx.uadd(*args)

    async def sadd(self, context_handle_string: Any, *args: Input) -> Any:
        given = context_handle_string
        return await self.cadd(StringInputSetContext(given) if isinstance(given, str) else given, *args)

    async def cadd(self, ctx: Any, *args: Input) -> Any:
        if (await ctx.handle()).as_string() == self._names[-1]:
            await self._caller.add(self._call, self._names, args)
            return ctx
        return await self._ictx.cadd(ctx, *args)


def prepares(definition: Definition) -> bool:
    return definition.spec is not None or callable(definition.validate)


def prepared(value: Any, definition: Definition) -> Any:
    """As an Input makes it of a value."""
    if definition.spec is not None:
        value = specified(value, definition)
    return definition.validate(value) if callable(definition.validate) else value


def reads_context(body: Any) -> bool:
    """Whether a function asks the orchestrator's context for inputs."""
    return "ictx" in names_in(body)


def names_in(body: Any) -> set[str]:
    """The names of attributes and globals in a function's code."""
    code = getattr(inspect.unwrap(body), "__code__", None) if body else None
    waiting = [code] if code else []
    found: set[str] = set()
    for one in waiting:
        found.update(one.co_names)
        waiting += [constant for constant in one.co_consts if inspect.iscode(constant)]
    return found


def finish_now(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("an output operation that asks for the inputs of its context cannot wait for something else")


# --- the run -----------------------------------------------------------------------------------


class FlowRun(Run):
    """A run of the dataflow of an orchestrator's context."""

    def __init__(
        self,
        octx: MemoryOrchestratorContext,
        contexts: Mapping[str, list[Input]] | AsyncIterator[tuple[str, list[Input]]],
        by_name: dict[str, Any],
        *,
        strict: bool,
        max_contexts: int | None,
    ) -> None:
        self.octx = octx
        self.by_name = by_name
        self.strict = strict
        self.document = octx.document
        self.values = Values(self.document.judged, dict(self.document.read))
        self.failures: list[tuple[Unit, dict[str, Any], BaseException]] = []
        self.more: dict[str, Definition] = {}
        self.loop = asyncio.get_running_loop()
        given: Any = self.lazily(contexts) if isinstance(contexts, AsyncIterator) else self.at_once(contexts)
        super().__init__("", contexts=given, strict=strict, max_contexts=max_contexts)
        self.tasks = self._functions.tasks
        self.forget = self._functions.forget

    def at_once(self, contexts: Mapping[str, list[Input]]) -> dict[str, Any]:
        self.more = {item.definition.name: item.definition for inputs in contexts.values() for item in inputs}
        for inputs in contexts.values():
            for item in inputs:
                look_at_spec(item, self.values.read)
        return {name: given_inputs(inputs, name, self.values) for name, inputs in contexts.items()}

    async def lazily(self, contexts: AsyncIterator[tuple[str, list[Input]]]) -> AsyncIterator[tuple[str, Any]]:
        async for name, inputs in contexts:
            yield name, given_inputs(inputs, name, self.values)

    def _give_flow(self) -> None:
        self._request["flow"] = self.document.make(self.values, self.more)
        self._functions.entries.extend(
            Caller(self, unit).entry() for unit in self.document.units.values() if unit.implementation is not None
        )

    def _deliver(self, items: list[tuple[Any, ...]]) -> None:
        super()._deliver([self.taken(item) for item in items])

    def taken(self, item: tuple[Any, ...]) -> tuple[Any, ...]:
        if item[0] != "result":
            return item
        _, context, result = item
        result = self.values.decode(result)
        self.values.forget(context)
        return ("result", context, result)

    def context_of(self, names: list[str]) -> Any:
        found = self.by_name.get(names[0]) if len(names) == 1 else None
        return StringInputSetContext(names[-1]) if found is None else found

    def octx_of(self, unit: Unit) -> Any:
        return self.octx.within(unit.path)

    def note(self, unit: Unit, inputs: dict[str, Any], error: BaseException) -> None:
        """A failure, to be told at the end of a strict run, and at once of another."""
        self.failures.append((unit, inputs, error))
        del self.failures[:-FAILURES_MAX]
        if not self.strict and isinstance(error, Exception):
            text = "".join(traceback.format_exception(error)).rstrip()
            logging.getLogger("weir.dffml").error("%s", text)

    def failure_of(self, unit: Unit, message: str) -> tuple[BaseException | None, Any]:
        """The exception that a unit raised, and the parameters of that call."""
        found = [(exception, inputs) for failed, inputs, exception in reversed(self.failures) if failed is unit]
        for exception, inputs in found:
            if type(exception).__name__ in message and str(exception) in message:
                return exception, inputs
        # The engine shortens long ones.
        return next((one for one in found if not isinstance(one[0], asyncio.CancelledError)), (None, None))

    def _explain(self, code: str) -> Any:
        error = self._end.get("error") or {}
        if code == "cancelled":
            return Cancelled(str(error.get("what") or code), code, error)
        return explain(error, code, self)


def explain(error: Mapping[str, Any], code: str, run: FlowRun) -> BaseException:
    """The exception that DFFML would raise."""
    where = error.get("where") or {}
    how = error.get("how")
    how = how if isinstance(how, Mapping) else {}
    path = tuple(where.get("path") or ())
    message = str(error.get("what") or code)
    unit = run.document.units.get((*path, str(where.get("instance"))))
    if unit is None or code not in ("operation_failed", *EXCEPTIONS):
        return EXCEPTIONS.get(code, OperationException)(message)
    cause, inputs = run.failure_of(unit, message)
    if cause is None and isinstance(how.get("cause"), Mapping):
        inner = how["cause"]
        cause = explain(inner, str(inner.get("code")), run)
    if cause is None:
        cause = explain_engine(unit, code, message)
    if unit.operation.stage != Stage.PROCESSING or code in ("ambiguous_ancestor", "unknown_validator"):
        return cause
    made = OperationException(f"{unit.instance}({unit.operation.inputs}): {message if inputs is None else inputs}")
    made.__cause__ = cause
    return made


def explain_engine(unit: Unit, code: str, message: str) -> BaseException:
    """What one of the engine's own operations has to say."""
    if code != "operation_failed":
        made: BaseException = EXCEPTIONS[code](message)
        if isinstance(made, RemapFailure):
            made.__cause__ = KeyError(message)
        return made
    if unit.operation.name == "dffml.dataflow.run":
        if "not named as its outputs" in message:
            return InvalidCustomRunDataFlowOutputs(message)
        return (InvalidCustomRunDataFlowContext if "the first parameter" in message else KeyError)(message)
    return (TypeError if unit.implementation is None else Exception)(message)


def explain_start(error: Error) -> Exception:
    """Of a dataflow that cannot run."""
    return EXCEPTIONS.get(error.code, OperationException)(str(error))
