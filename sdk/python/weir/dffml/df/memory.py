"""The orchestrator, whose engine is weir's."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from weir.dffml.base import BaseConfig, config, field, has_defaults
from weir.dffml.df.base import (
    BaseInputNetwork,
    BaseInputNetworkContext,
    BaseInputSet,
    BaseInputSetContext,
    BaseKeyValueStore,
    BaseKeyValueStoreContext,
    BaseLockNetwork,
    BaseLockNetworkContext,
    BaseOperationImplementationNetwork,
    BaseOperationImplementationNetworkContext,
    BaseOperationNetwork,
    BaseOperationNetworkContext,
    BaseOrchestrator,
    BaseOrchestratorContext,
    BaseParameterSet,
    BaseRedundancyChecker,
    BaseRedundancyCheckerContext,
    FailedToLoadOperationImplementation,
    OperationImplementation,
    OperationImplementationNotInstantiable,
    OperationImplementationNotInstantiated,
    StringInputSetContext,
)
from weir.dffml.df.exceptions import ContextNotPresent, DefinitionNotInContext
from weir.dffml.df.types import DataFlow, Definition, Input, Operation, Parameter
from weir.dffml.util.entrypoint import entrypoint
from weir.errors import Error

# A worker wants the operations of a program, and no engine: that is imported by what runs a dataflow.
if TYPE_CHECKING:
    from weir.dffml._flow import Document, Unit
    from weir.dffml._values import Values

MEMORYORCHESTRATORCONFIG_MAX_CTXS: Any = None


# --- sets of inputs ----------------------------------------------------------------------------


@config
class MemoryInputSetConfig:
    ctx: BaseInputSetContext
    inputs: list[Input]


class MemoryInputSet(BaseInputSet):
    """Inputs of a context, in a list."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._inputs: list[Input] = list(config.inputs)

    async def add(self, item: Input) -> None:
        self._inputs.append(item)

    async def definitions(self) -> set[Definition]:
        return {item.definition for item in self._inputs}

    async def inputs(self) -> AsyncIterator[Input]:
        for item in self._inputs:
            yield item

    async def remove_input(self, item: Input) -> None:
        self._inputs = [other for other in self._inputs if other.uid != item.uid]

    async def remove_unvalidated_inputs(self) -> MemoryInputSet:
        taken = [item for item in self._inputs if not item.validated]
        self._inputs = [item for item in self._inputs if item.validated]
        return type(self)(MemoryInputSetConfig(ctx=self.ctx, inputs=taken))


@config
class MemoryParameterSetConfig:
    ctx: BaseInputSetContext
    parameters: list[Parameter]


class MemoryParameterSet(BaseParameterSet):
    """One input for each parameter, in a list."""

    async def parameters(self) -> AsyncIterator[Parameter]:
        for parameter in self.config.parameters:
            yield parameter


# --- key value store ---------------------------------------------------------------------------


class MemoryKeyValueStoreContext(BaseKeyValueStoreContext):
    async def get(self, key: str) -> bytes | None:
        found: bytes | None = self.parent.memory.get(key)
        return found

    async def set(self, name: str, value: bytes) -> None:
        self.parent.memory[name] = value

    async def conditional_set(self, key: str, value: bytes, *, checker: Any = None) -> bool:
        """Sets it where `checker` is true of what there is, or there is nothing."""
        if checker(self.parent.memory.get(key)) if checker else key not in self.parent.memory:
            self.parent.memory[key] = value
            return True
        return False


@entrypoint("memory")
class MemoryKeyValueStore(BaseKeyValueStore):
    CONTEXT = MemoryKeyValueStoreContext
    CONFIG: Any = BaseConfig

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config)
        self.memory: dict[str, bytes] = {}

    def __call__(self) -> Any:
        return self.CONTEXT(BaseConfig(), self)


# --- implementations ---------------------------------------------------------------------------


@config
class MemoryOperationImplementationNetworkConfig:
    operations: Any = field("Operation implementations to load on initialization", default_factory=dict)


class MemoryOperationImplementationNetworkContext(BaseOperationImplementationNetworkContext):
    """The implementations that a dataflow's operations have, entered."""

    def __init__(self, config: Any, parent: Any) -> None:
        super().__init__(config, parent)
        self.opimps = parent.config.operations
        self.operations: dict[str | None, Any] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> MemoryOperationImplementationNetworkContext:
        for given in self.opimps.values():
            self.operations[given.op.name] = await self._stack.enter_async_context(given)
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        await self._stack.__aexit__(exc_type, exc_value, traceback)

    async def contains(self, operation: Operation) -> bool:
        return operation.instance_name in self.operations

    async def instantiable(self, operation: Operation, *, opimp: Any = None) -> bool:
        return opimp is not None or load_implementation(operation.name) is not None

    async def instantiate(self, operation: Operation, config: Any, *, opimp: Any = None) -> bool:
        found = opimp or load_implementation(operation.name)
        if found is None:
            raise OperationImplementationNotInstantiable(operation.name)
        self.operations[operation.instance_name] = await self.enter(found, operation, config)
        return True

    async def enter(self, implementation: Any, operation: Operation, config: Any) -> Any:
        made = configured(implementation, config)
        made.op = operation
        return await self._stack.enter_async_context(made)

    async def ensure_contains(self, operation: Operation) -> None:
        if await self.contains(operation):
            return
        if await self.instantiable(operation):
            raise OperationImplementationNotInstantiated(operation.instance_name)
        raise OperationImplementationNotInstantiable(operation.name)

    async def run_no_retry(self, ctx: Any, octx: Any, operation: Operation, inputs: dict[str, Any]) -> Any:
        await self.ensure_contains(operation)
        async with self.operations[operation.instance_name](ctx, octx) as context:
            return await context.run(inputs)

    async def run(self, ctx: Any, octx: Any, operation: Operation, inputs: dict[str, Any]) -> Any:
        """The operation's outputs for these parameters, without a dataflow."""
        for attempt in range(max(1, operation.retry)):
            try:
                return await self.run_no_retry(ctx, octx, operation, inputs)
            except Exception:
                if attempt + 1 >= operation.retry:
                    raise
        return None


@entrypoint("memory")
class MemoryOperationImplementationNetwork(BaseOperationImplementationNetwork):
    CONTEXT = MemoryOperationImplementationNetworkContext
    CONFIG: Any = MemoryOperationImplementationNetworkConfig

    def __call__(self) -> Any:
        return self.CONTEXT(BaseConfig(), self)


def load_implementation(name: str) -> Any:
    try:
        return OperationImplementation.load(name)
    except (FailedToLoadOperationImplementation, ImportError, AttributeError):
        return None


def configured(implementation: Any, config: Any) -> Any:
    """An implementation with what the dataflow's `configs` have for it."""
    kind = getattr(implementation, "CONFIG", None)
    if config is None:
        return implementation(kind() if kind is not None and has_defaults(kind) else BaseConfig())
    if isinstance(config, dict) and hasattr(kind, "_fromdict"):
        config = kind._fromdict(**config)  # type: ignore[union-attr]
    return implementation(config)


# --- what is the engine's ------------------------------------------------------------------------


@entrypoint("memory")
class MemoryInputNetwork(BaseInputNetwork):
    """Can be named; the engine is what keeps inputs. So are the others here."""

    CONTEXT = BaseInputNetworkContext
    CONFIG: Any = BaseConfig


@config
class MemoryOperationNetworkConfig:
    operations: Any = field("Operations to load on initialization", default_factory=list)


@entrypoint("memory")
class MemoryOperationNetwork(BaseOperationNetwork):
    CONTEXT = BaseOperationNetworkContext
    CONFIG: Any = MemoryOperationNetworkConfig


@entrypoint("memory")
class MemoryLockNetwork(BaseLockNetwork):
    CONTEXT = BaseLockNetworkContext
    CONFIG: Any = BaseConfig


@config
class MemoryRedundancyCheckerConfig:
    kvstore: Any = field("Key value store to use", default_factory=lambda: MemoryKeyValueStore())


@entrypoint("memory")
class MemoryRedundancyChecker(BaseRedundancyChecker):
    CONTEXT = BaseRedundancyCheckerContext
    CONFIG: Any = MemoryRedundancyCheckerConfig


# --- inputs ------------------------------------------------------------------------------------


class MemoryInputNetworkContext(BaseInputNetworkContext):
    """Inputs that are given before a run: they join those that the run of their context is given."""

    def __init__(self, config: Any, parent: Any) -> None:
        super().__init__(config, parent)
        self.given: dict[str, tuple[Any, list[Input]]] = {}
        self.running: set[str] = set()

    async def add(self, input_set: BaseInputSet) -> None:
        name = (await input_set.ctx.handle()).as_string()
        if name in self.running:
            raise RuntimeError(
                f"the context {name!r} runs already: only its own operations add inputs to it, by octx.ictx in their own code"
            )
        _, inputs = self.given.setdefault(name, (input_set.ctx, []))
        inputs.extend([item async for item in input_set.inputs()])

    async def uadd(self, *args: Input) -> Any:
        return await self.sadd(secrets.token_hex(), *args)

    async def sadd(self, context_handle_string: Any, *args: Input) -> Any:
        given = context_handle_string
        return await self.cadd(given if isinstance(given, BaseInputSetContext) else StringInputSetContext(given), *args)

    async def cadd(self, ctx: Any, *args: Input) -> Any:
        await self.add(MemoryInputSet(MemoryInputSetConfig(ctx=ctx, inputs=list(args))))
        return ctx

    async def definition(self, ctx: Any, definition: str) -> Definition:
        name = (await ctx.handle()).as_string()
        if name not in self.given:
            raise ContextNotPresent(name)
        found = next((item.definition for item in self.given[name][1] if item.definition.name == definition), None)
        if found is None:
            raise DefinitionNotInContext(f"{name}: {definition}")
        return found


class Collected:
    """An orchestrator's context for an output operation: its `ictx` has what the engine has of the operation's context."""

    def __init__(self, octx: Any, call: Any, values: Values) -> None:
        self._octx = octx
        self.ictx = CollectedInputs(octx.config.dataflow, call, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._octx, name)


class CollectedInputs:
    def __init__(self, dataflow: DataFlow, call: Any, values: Values) -> None:
        self.dataflow = dataflow
        self.call = call
        self.values = values
        self.found: dict[str, list[Input]] = {}

    async def definition(self, ctx: Any, definition: str) -> Definition:
        if definition not in self.dataflow.definitions or not self.call.collected(definition):
            name = (await ctx.handle()).as_string()
            raise DefinitionNotInContext(f"{name}: {definition}")
        return self.dataflow.definitions[definition]

    @asynccontextmanager
    async def definitions(self, ctx: Any) -> AsyncIterator[CollectedInputs]:
        yield self

    async def inputs(self, definition: Definition) -> AsyncIterator[Input]:
        for item in self.of(definition.name):
            yield item

    def of(self, name: str) -> list[Input]:
        if name not in self.found:
            definition = self.dataflow.definitions[name]._replace(spec=None, validate=None)
            taken = self.call.collected(name) or []
            self.found[name] = [CollectedInput(self, at, self.values.decode(value), definition) for at, value in enumerate(taken)]
        return self.found[name]


class CollectedInput(Input):
    """An input whose ancestors are asked for."""

    def __init__(self, inputs: CollectedInputs, at: int, value: Any, definition: Definition) -> None:
        super().__init__(value, definition)
        self.inputs = inputs
        self.at = at

    def get_parents(self) -> list[Input]:
        found = []
        for name in self.inputs.dataflow.definitions:
            lists = self.inputs.call.ancestors(self.definition.name, name)
            if lists:
                found += [self.inputs.of(name)[place] for place in lists[self.at]]
        return found


# --- the orchestrator --------------------------------------------------------------------------


@config
class MemoryOrchestratorConfig:
    """The networks are the engine's: those of other kinds than the usual ones are refused."""

    input_network: Any = field("Input network to use", default_factory=lambda: MemoryInputNetwork())
    operation_network: Any = field("Operation network to use", default_factory=lambda: MemoryOperationNetwork())
    lock_network: Any = field("Lock network to use", default_factory=lambda: MemoryLockNetwork())
    opimp_network: Any = field(
        "Operation implementation network to use", default_factory=lambda: MemoryOperationImplementationNetwork()
    )
    rchecker: Any = field("Redundancy checker to use", default_factory=lambda: MemoryRedundancyChecker())
    max_ctxs: Any = field("Maximum number of contexts to run at once", default=MEMORYORCHESTRATORCONFIG_MAX_CTXS)


@config
class MemoryOrchestratorContextConfig:
    uid: str
    dataflow: DataFlow
    reuse: Any = None
    max_ctxs: Any = MEMORYORCHESTRATORCONFIG_MAX_CTXS


class Inner:
    """What an operation of a subflow that the engine runs has as its orchestrator's context."""

    def __init__(self, outer: MemoryOrchestratorContext, dataflow: DataFlow) -> None:
        self.parent = outer.parent
        self.nctx = outer.nctx
        self.ictx = outer.ictx
        self.config = MemoryOrchestratorContextConfig(uid=outer.config.uid, dataflow=dataflow)
        self.subflows: dict[str, Any] = {}


class MemoryOrchestratorContext(BaseOrchestratorContext):
    """Has the implementations of a dataflow's operations, and runs it."""

    document: Document
    nctx: MemoryOperationImplementationNetworkContext
    ictx: MemoryInputNetworkContext

    def __init__(self, config: Any, parent: Any) -> None:
        super().__init__(config, parent)
        self._stack = AsyncExitStack()
        self._within: dict[tuple[str, ...], Any] = {(): self}
        self.subflows: dict[str, Any] = {}

    async def __aenter__(self) -> MemoryOrchestratorContext:
        network = self.parent.config.opimp_network
        self.ictx = MemoryInputNetworkContext(BaseConfig(), self)
        try:
            self.nctx = await self._stack.enter_async_context(network())
            await self.initialize_dataflow(self.config.dataflow)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        await self._stack.__aexit__(exc_type, exc_value, traceback)

    async def initialize_dataflow(self, dataflow: DataFlow) -> None:
        """Makes ready what its operations, and those of subflows, are done by."""
        from weir.dffml._flow import Document, units_of

        unknown = False
        units = list(units_of(dataflow, find_implementation))
        for unit in units:
            if unit.implementation is not None:
                await self.make_ready(unit, self.flow_at(unit.path))
            elif not native(unit.operation.name):
                unknown = True
        self.document = Document(dataflow, units)
        if unknown:
            self.ask_engine()

    async def make_ready(self, unit: Unit, dataflow: DataFlow) -> None:
        config = dataflow.configs.get(unit.instance)
        unit.imp = await self.nctx.enter(unit.implementation, unit.operation, config)
        if not unit.path:
            self.nctx.operations[unit.instance] = unit.imp

    def ask_engine(self) -> None:
        """Whether it knows the operations that have no implementation here."""
        from weir import _weir
        from weir.dffml._flow import explain_start
        from weir.dffml._values import Values

        values = Values(self.document.judged, self.document.read)
        operations = [
            (unit.name, 0, print, tuple(unit.operation.inputs), tuple(unit.operation.outputs), False)
            for unit in self.document.units.values()
            if unit.implementation is not None
        ]
        try:
            _weir.graph({"flow": self.document.make(values)}, operations, "text")
        except Error as error:
            raise explain_start(error) from error

    def flow_at(self, path: tuple[str, ...]) -> DataFlow:
        flow: DataFlow = self.config.dataflow
        for instance in path:
            config = flow.configs[instance]
            flow = config["dataflow"] if isinstance(config, dict) else config.dataflow
        return flow

    def within(self, path: tuple[str, ...]) -> Any:
        """The context for operations of the subflow there."""
        found = self._within.get(path)
        if found is None:
            found = self._within[path] = Inner(self, self.flow_at(path))
        return found

    async def run(
        self, *input_sets: Any, strict: bool = True, ctx: Any = None, halt: Any = None
    ) -> AsyncIterator[tuple[Any, Any]]:
        """(context, results) of each context as it finishes.

        Inputs are {context: [Input]}, or any number of lists of inputs or of input sets, or an asynchronous iterator of these.
        """
        from weir.dffml._flow import FlowRun, explain_start

        by_name: dict[str, Any] = {}
        given: Any
        if len(input_sets) == 1 and isinstance(input_sets[0], AsyncIterable):
            given = self.as_they_come(input_sets[0], by_name)
        else:
            given = {}
            for one, inputs in inputs_by_context(input_sets, ctx):
                name, taken = await self.named(one, inputs, by_name)
                given.setdefault(name, []).extend(taken)
        run = FlowRun(self, given, by_name, strict=strict, max_contexts=self.config.max_ctxs)
        try:
            async with run:
                async for name, results in run:
                    self.ictx.running.discard(name)
                    yield by_name[name], results
        except Error as error:
            raise explain_start(error) from error
        finally:
            self.ictx.running.difference_update(by_name)

    async def named(self, ctx: Any, inputs: Any, by_name: dict[str, Any]) -> tuple[str, list[Input]]:
        """A context's name and all its inputs."""
        if isinstance(inputs, BaseInputSet):
            ctx, inputs = inputs.ctx, [item async for item in inputs.inputs()]
        if ctx is None:
            ctx = StringInputSetContext(secrets.token_hex())
        if not isinstance(ctx, BaseInputSetContext):
            raise TypeError(f"ctx {ctx} is of type {type(ctx)}, should be BaseInputSetContext")
        name = (await ctx.handle()).as_string()
        by_name.setdefault(name, ctx)
        self.ictx.running.add(name)
        _, before = self.ictx.given.pop(name, (None, []))
        return name, [*before, *inputs]

    async def as_they_come(self, sets: AsyncIterable[Any], by_name: dict[str, Any]) -> AsyncIterator[tuple[str, list[Input]]]:
        async for item in sets:
            for ctx, inputs in inputs_by_context((item,), None):
                yield await self.named(ctx, inputs, by_name)

    async def run_operations(self, strict: bool = True) -> AsyncIterator[tuple[Any, Any]]:
        """Runs the contexts that were given inputs by `ictx`."""
        waiting = [MemoryInputSet(MemoryInputSetConfig(ctx=ctx, inputs=[])) for ctx, _ in self.ictx.given.values()]
        async for ctx, results in self.run(*waiting, strict=strict):
            yield ctx, results


def inputs_by_context(input_sets: tuple[Any, ...], ctx: Any) -> list[tuple[Any, Any]]:
    if not input_sets:
        return [(ctx, [])]
    found: list[tuple[Any, Any]] = []
    for given in input_sets:
        if isinstance(given, dict):
            found += [(StringInputSetContext(key) if isinstance(key, str) else key, value) for key, value in given.items()]
        else:
            found.append((ctx, given))
    return found


NATIVE = frozenset(
    ("get_single", "get_multi", "group_by", "associate", "associate_definition", "remap", "dffml.dataflow.run")
)


def native(name: str) -> bool:
    return name in NATIVE


def find_implementation(known: Mapping[str, Any], operation: Operation) -> Any:
    """The class of its implementation; None: the engine has it, or nobody."""
    found = known.get(operation.name)
    if found is None and not native(operation.name):
        found = load_implementation(operation.name)
    if found is not None and not inspect.isclass(found):
        found = getattr(found, "imp", found)
    return None if getattr(found, "NATIVE", False) else found


@entrypoint("memory")
class MemoryOrchestrator(BaseOrchestrator):
    """Runs dataflows in this process, on the event loop."""

    CONTEXT = MemoryOrchestratorContext
    CONFIG: Any = MemoryOrchestratorConfig
    ENTRY_POINT_NAME = ["orchestrator"]

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config)
        for name, kind in (
            ("input_network", MemoryInputNetwork),
            ("operation_network", MemoryOperationNetwork),
            ("lock_network", MemoryLockNetwork),
            ("opimp_network", MemoryOperationImplementationNetwork),
            ("rchecker", MemoryRedundancyChecker),
        ):
            if type(getattr(config, name)) is not kind:
                raise TypeError(f"{name} is to be a {kind.__name__}: weir's engine is the others'")

    def __call__(self, dataflow: Any, **kwargs: Any) -> Any:
        config = dataflow
        if isinstance(dataflow, DataFlow):
            kwargs.setdefault("max_ctxs", self.config.max_ctxs)
            config = MemoryOrchestratorContextConfig(uid=secrets.token_hex(), dataflow=dataflow, **kwargs)
        return self.CONTEXT(config, self)


__all__ = [
    "MemoryInputNetwork",
    "MemoryLockNetwork",
    "MemoryOperationNetwork",
    "MemoryOperationNetworkConfig",
    "MemoryRedundancyChecker",
    "MemoryRedundancyCheckerConfig",
    "MemoryInputNetworkContext",
    "MemoryInputSet",
    "MemoryInputSetConfig",
    "MemoryKeyValueStore",
    "MemoryKeyValueStoreContext",
    "MemoryOperationImplementationNetwork",
    "MemoryOperationImplementationNetworkConfig",
    "MemoryOperationImplementationNetworkContext",
    "MemoryOrchestrator",
    "MemoryOrchestratorConfig",
    "MemoryOrchestratorContext",
    "MemoryOrchestratorContextConfig",
    "MemoryParameterSet",
    "MemoryParameterSetConfig",
]

