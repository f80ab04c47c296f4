"""Implementations of operations, contexts, and what an orchestrator is made of."""

from __future__ import annotations

import abc
import collections.abc
import dataclasses
import inspect
import sys
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin, overload

from weir.dffml.base import (
    LOGGER,
    BaseConfig,
    BaseDataFlowFacilitatorObject,
    BaseDataFlowFacilitatorObjectContext,
)
from weir.dffml.df.exceptions import NotOpImp
from weir.dffml.df.types import NO_DEFAULT, Definition, Input, Operation, Parameter, Stage
from weir.dffml.util.asynchelper import context_stacker
from weir.dffml.util.data import type_hints
from weir.dffml.util.entrypoint import base_entry_point, entry_points
from weir.dffml.util.entrypoint import load as load_entrypoint

if TYPE_CHECKING:
    from weir.dffml.df.memory import MemoryOrchestratorContext


class FailedToLoadOperationImplementation(Exception):
    """No implementation is registered by that name."""


class OpCouldNotDeterminePrimitive(Exception):
    """An annotation does not say what a parameter is."""


class OperationImplementationNotInstantiable(Exception):
    """There is no implementation of an operation of the dataflow."""


class OperationImplementationNotInstantiated(Exception):
    """An operation has an implementation, and was not made ready."""


class OperationException(Exception):
    """An operation failed; the exception that it raised is the cause."""


# --- objects -----------------------------------------------------------------------------------


class BaseDataFlowObjectContext(BaseDataFlowFacilitatorObjectContext):
    """Knows its configuration, and the object that it is a context of."""

    def __init__(self, config: Any, parent: Any) -> None:
        self.config = config
        self.parent = parent


class BaseDataFlowObject(BaseDataFlowFacilitatorObject):
    """An object with contexts."""


class OperationImplementationContext(BaseDataFlowObjectContext):
    """One call of an operation: `run` takes its parameters and gives its outputs, each by name."""

    def __init__(self, parent: Any, ctx: Any, octx: Any) -> None:
        self.parent = parent
        self.ctx = ctx
        self.octx = octx

    @property
    def config(self) -> Any:
        return self.parent.config

    @abc.abstractmethod
    async def run(self, inputs: dict[str, Any]) -> Any:
        """The operation's outputs, {name: value}, or None; or an asynchronous iterator of such."""

    @asynccontextmanager
    async def subflow(self, dataflow: Any) -> AsyncIterator[MemoryOrchestratorContext]:
        """An orchestrator's context for another dataflow."""
        async with self.octx.parent(dataflow) as octx:
            self.octx.subflows[self.parent.op.instance_name] = octx
            yield octx


@base_entry_point("dffml.operation", "opimp")
class OperationImplementation(BaseDataFlowObject):
    """Made and entered once for an orchestrator's context; called for the context of each call."""

    op: Any = None
    # The engine has it: it has a name, inputs and outputs only.
    NATIVE = False

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        super().__init__(config)
        if not self.op:
            raise ValueError("OperationImplementation's may not be created without an `op`")

    def __call__(self, ctx: Any, octx: Any) -> Any:
        return type(self).CONTEXT(self, ctx, octx)  # type: ignore[misc]

    @classmethod
    def add_orig_label(cls, *above: str) -> list[str]:
        return [*above, *cls.op.name.split("_")]

    @classmethod
    def add_label(cls, *above: str) -> list[str]:
        return [*above, *cls.op.name.split("_")]

    @classmethod
    def _imp(cls, loaded: Any) -> Any:
        """The implementation that it is, has as `imp`, or, of a function, that `op` makes of it; else None."""
        for found in (getattr(loaded, "imp", None), loaded):
            if inspect.isclass(found) and issubclass(found, cls):
                return found
        return op(loaded).imp if inspect.isfunction(loaded) else None

    @classmethod
    def load(cls, loading: str | None = None) -> Any:
        from weir.dffml.operation import builtin

        found: dict[str, Any] = {}
        for point in entry_points(cls.ENTRYPOINT):
            if loading is None or point.name == loading:
                implementation = cls._imp(point.load())
                if implementation is not None:
                    found.setdefault(point.name, implementation)
        for name, implementation in builtin.implementations().items():
            found.setdefault(name, implementation)
        if loading is None:
            return list(found.values())
        if loading not in found and ":" in loading:
            return cls._imp(next(iter(load_entrypoint(loading, relative=True))))
        if loading not in found:
            raise FailedToLoadOperationImplementation(f"{loading!r} was not found in ({', '.join(found)})")
        return found[loading]


# --- functions and classes as operations -------------------------------------------------------

PRIMITIVE_TYPES = (int, float, str, bool, dict, list, bytes)
PRIMITIVE_NAMES = {dict: "map", list: "array"}


def create_definition(name: str, param_annotation: Any, default: Any = NO_DEFAULT) -> Definition:
    """The definition of a parameter, from its annotation."""
    kind = get_origin(param_annotation)
    if param_annotation in PRIMITIVE_TYPES:
        primitive = PRIMITIVE_NAMES.get(param_annotation, param_annotation.__name__)
        return Definition(name=name, primitive=primitive, default=default)
    if hasattr(param_annotation, "__supertype__"):
        return create_definition(param_annotation.__name__, param_annotation.__supertype__, default)
    if kind in (Union, types.UnionType, collections.abc.AsyncIterator, collections.abc.AsyncGenerator):
        return create_definition(name, get_args(param_annotation)[0], default)
    if kind in (list, dict):
        inner = get_args(param_annotation)[-1]
        given: dict[str, Any] = {"spec": inner, "subspec": True} if is_record(inner) else {}
        if given or inner in PRIMITIVE_TYPES:
            return Definition(name=name, primitive=PRIMITIVE_NAMES[kind], default=default, **given)
    if is_record(param_annotation):
        return Definition(name=name, primitive="map", default=default, spec=param_annotation)
    if kind in (list, dict):
        return Definition(name=name, primitive=PRIMITIVE_NAMES[kind], default=default)
    if param_annotation is Any:
        return Definition(name=name, primitive="generic", default=default)
    raise OpCouldNotDeterminePrimitive(f"The primitive of {name} could not be determined")


def new_types_to_defs(*args: Any) -> list[Definition]:
    """The definitions of types made by typing.NewType, by their names."""
    return [create_definition(kind.__name__, kind) for kind in args]


def is_record(kind: Any) -> bool:
    """Whether it is a dataclass or a named tuple."""
    return inspect.isclass(kind) and (
        dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_asdict"))
    )


@overload
def op(func: Any, /) -> Any: ...


@overload
def op(*, imp_enter: Any = None, ctx_enter: Any = None, config_cls: Any = None, **kwargs: Any) -> Callable[[Any], Any]: ...


def op(*args: Any, imp_enter: Any = None, ctx_enter: Any = None, config_cls: Any = None, **kwargs: Any) -> Any:
    """Makes a function, or an OperationImplementationContext, an operation: it gets `op` and `imp`.

    Takes what Operation takes; what is left out follows from the signature. Contexts of `imp_enter` are entered with the implementation,
    those of `ctx_enter` with each call, and become attributes. An implementation's configuration is made by `config_cls`.
    """

    def wrap(func: Any) -> Any:
        signature = Signature(func, config_cls, imp_enter is not None or ctx_enter is not None)
        given = dict(kwargs)
        given.setdefault("name", name_of(func))
        given.setdefault("conditions", [])
        if "inputs" not in given:
            given["inputs"] = signature.inputs(given["name"])
        single = "outputs" not in given and signature.gives_something
        if single:
            given["outputs"] = {"result": create_definition(f"{given['name']}.outputs.result", signature.returned)}
        func.op = Operation(**given)
        func.ENTRY_POINT_NAME = ["operation"]
        is_class = inspect.isclass(func) and issubclass(func, OperationImplementationContext)
        context = func if is_class else function_context(func, signature, single, ctx_enter)
        func.imp = implementation(func.op, context, imp_enter, config_cls)

        async def test(**inputs: Any) -> Any:
            async with func.imp(BaseConfig()) as parent:
                async with parent(None, None) as one:
                    return await one.run(inputs)

        func.test = test
        if not getattr(context, "plain", False):
            func.weir_operation = lambda name: for_workers(func, name)
        return func

    return wrap(args[0]) if args else wrap


def name_of(func: Any) -> str:
    """As files name it: module:function, or the name that it is registered by."""
    module, name = func.__module__, func.__name__
    if module == "__main__":
        return str(name)
    path = f"{module}:{name}"
    for point in entry_points(Operation.ENTRYPOINT) if "pkg_resources" in sys.modules else ():
        attributes = getattr(point, "attrs", None)
        if isinstance(attributes, (list, tuple)) and f"{point.module_name}:{'.'.join(attributes)}" == path:
            return str(point.name)
    return path


class Signature:
    """What a function takes and gives."""

    def __init__(self, func: Any, config_cls: Any, enters: bool) -> None:
        self.parameters = dict(inspect.signature(func).parameters)
        hints = type_hints(func)
        self.annotations = {name: hints.get(name, one.annotation) for name, one in self.parameters.items()}
        self.returned = hints.get("return", inspect.signature(func).return_annotation)
        self.gives_something = self.returned not in (None, type(None), inspect.Signature.empty)
        first = next(iter(self.parameters), None)
        context = next((n for n, kind in self.annotations.items() if kind is OperationImplementationContext), None)
        self.uses_self = first == "self" or enters or context is not None
        self.own: set[str | None] = {first} if self.uses_self and first == "self" else {context}
        self.config = None
        if config_cls is not None:
            self.config = next((name for name, kind in self.annotations.items() if kind is config_cls), None)

    def inputs(self, name: str) -> dict[str, Definition]:
        empty = inspect.Parameter.empty
        return {
            key: create_definition(
                f"{name}.inputs.{key}", self.annotations[key], NO_DEFAULT if one.default is empty else one.default
            )
            for key, one in self.parameters.items()
            if key not in self.own and key != self.config
        }


def function_context(func: Any, signature: Signature, single: bool, ctx_enter: Any) -> Any:
    """The class of the contexts that call the function."""
    uses_self, config = signature.uses_self, signature.config

    async def run(self: Any, inputs: dict[str, Any]) -> Any:
        if config is not None:
            inputs = {**inputs, config: self.parent.config}
        result = func.__get__(self, type(self))(**inputs) if uses_self else func(**inputs)
        if inspect.isawaitable(result):
            result = await result
        if not single or len(self.parent.op.outputs) != 1:
            return result
        (output,) = self.parent.op.outputs
        if inspect.isasyncgen(result):
            return named_items(output, result)
        return None if result is None else {output: result}

    base = context_stacker(OperationImplementationContext, ctx_enter)
    # What may be done without a context: see weir.dffml._flow.
    said = {"function": staticmethod(func), "plain": not (uses_self or config or ctx_enter), "single": single}
    return type(f"{class_name(func.op)}ImplementationContext", (base,), {"run": run, **said})


async def named_items(output: str, items: Any) -> AsyncIterator[dict[str, Any]]:
    async for item in items:
        yield {output: item}


def implementation(operation: Operation, context: Any, imp_enter: Any, config_cls: Any) -> Any:
    """The class of the operation's implementation."""
    base = context_stacker(OperationImplementation, imp_enter)

    def init(self: Any, config: Any) -> None:
        if config_cls is not None and isinstance(config, dict):
            config = getattr(config_cls, "_fromdict", config_cls)(**config)
        base.__init__(self, config)

    said = {"__init__": init, "op": operation, "CONTEXT": context}
    if config_cls is not None:
        said["CONFIG"] = config_cls
    return type(f"{class_name(operation)}Implementation", (base,), said)


def for_workers(func: Any, name: str) -> Any:
    """As a worker of a file's functions calls it: entered with each call, as nobody tells a worker when a dataflow is over."""
    from weir.dffml.df.memory import configured
    from weir.operation import Operation as WorkersOperation
    from weir.operation import Port

    iterates = inspect.isasyncgenfunction(getattr(func.imp.CONTEXT, "function", func.imp.CONTEXT.run))

    async def run(config: Any = None, **inputs: Any) -> Any:
        async with configured(func.imp, config) as parent, parent(None, None) as context:
            return await context.run(inputs)

    async def iterate(config: Any = None, **inputs: Any) -> AsyncIterator[Any]:
        async with configured(func.imp, config) as parent, parent(None, None) as context:
            result = context.run(inputs)
            async for item in await result if inspect.isawaitable(result) else result:
                yield item

    kind = getattr(func.imp, "CONFIG", None)
    made = WorkersOperation(iterate if iterates else run, name=name, outputs=list(func.op.outputs), config=kind)
    made.inputs = [Port(key) for key in func.op.inputs]
    made.positional, made.any_inputs = [], False
    return made


def class_name(operation: Operation) -> str:
    return operation.name.replace(".", " ").replace("_", " ").title().replace(" ", "")


# --- operations of a module --------------------------------------------------------------------


def isopimp(item: Any) -> bool:
    """Whether it is an implementation of an operation."""
    return inspect.isclass(item) and issubclass(item, OperationImplementation) and item is not OperationImplementation


def isoperation(item: Any) -> bool:
    return isinstance(item, Operation)


def isopwraped(item: Any) -> bool:
    """Whether `op` made an operation of it."""
    return isoperation(getattr(item, "op", None)) and isopimp(getattr(item, "imp", None))


def opimp_name(item: Any) -> str:
    if not isopimp(item):
        raise NotOpImp(item)
    return str(item.op.name)


def mk_base_in(predicate: Callable[[Any], bool]) -> Callable[[Any], list[Any]]:
    """A function that finds all in a module, or any object's attributes, for which this is true."""

    def base_in(to_check: Any) -> list[Any]:
        return [found for _, found in inspect.getmembers(to_check, predicate=predicate)]

    return base_in


opwraped_in = mk_base_in(isopwraped)
_operations_in = mk_base_in(isoperation)
_implementations_in = mk_base_in(isopimp)


def operation_in(iterable: Any) -> list[Operation]:
    """All operations of a module."""
    return [*_operations_in(iterable), *(item.op for item in opwraped_in(iterable))]


def opimp_in(iterable: Any) -> list[Any]:
    """The implementations of all operations of a module."""
    return [*_implementations_in(iterable), *(item.imp for item in opwraped_in(iterable))]


# --- contexts of a run -------------------------------------------------------------------------


class BaseContextHandle(abc.ABC):
    def __init__(self, ctx: BaseInputSetContext) -> None:
        self.ctx = ctx
        self.logger = LOGGER.getChild(type(self).__qualname__)

    @abc.abstractmethod
    def as_string(self) -> str:
        """The context's name."""


class BaseInputSetContext(abc.ABC):
    """An isolated data space of a run."""

    @abc.abstractmethod
    async def handle(self) -> BaseContextHandle:
        """By which it has a name."""


class StringContextHandle(BaseContextHandle):
    def as_string(self) -> str:
        return str(self.ctx.as_string)  # type: ignore[attr-defined]


class StringInputSetContext(BaseInputSetContext):
    """A context that is its name."""

    def __init__(self, as_string: str) -> None:
        self.as_string = as_string

    async def handle(self) -> BaseContextHandle:
        return StringContextHandle(self)

    def __repr__(self) -> str:
        return self.as_string

    def __str__(self) -> str:
        return self.as_string


class BaseInputSetConfig(NamedTuple):
    ctx: BaseInputSetContext


class BaseInputSet(abc.ABC):
    """Inputs of a context."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.ctx = config.ctx
        self.logger = LOGGER.getChild(type(self).__qualname__)

    @abc.abstractmethod
    async def add(self, item: Input) -> None: ...

    @abc.abstractmethod
    async def definitions(self) -> set[Definition]: ...

    @abc.abstractmethod
    def inputs(self) -> AsyncIterator[Input]: ...

    async def _asdict(self) -> dict[str, Any]:
        return {item.definition.name: item.value async for item in self.inputs()}


class BaseParameterSetConfig(NamedTuple):
    ctx: BaseInputSetContext


class BaseParameterSet(abc.ABC):
    """One input for each parameter of an operation."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.ctx = config.ctx
        self.logger = LOGGER.getChild(type(self).__qualname__)

    @abc.abstractmethod
    def parameters(self) -> AsyncIterator[Parameter]: ...

    async def _asdict(self) -> dict[str, Any]:
        return {parameter.key: parameter.value async for parameter in self.parameters()}


class BaseDefinitionSetContext(BaseDataFlowObjectContext):
    """The inputs of a context, by definition."""

    def __init__(self, config: Any, parent: Any, ctx: BaseInputSetContext) -> None:
        super().__init__(config, parent)
        self.ctx = ctx


class BaseInputNetworkContext(BaseDataFlowObjectContext):
    """The inputs of all contexts."""


@base_entry_point("dffml.input.network", "input", "network")
class BaseInputNetwork(BaseDataFlowObject):
    """Keeps inputs."""


class BaseOperationNetworkContext(BaseDataFlowObjectContext):
    """The operations of a dataflow."""


@base_entry_point("dffml.operation.network", "operation", "network")
class BaseOperationNetwork(BaseDataFlowObject):
    """Keeps operations."""


class BaseRedundancyCheckerContext(BaseDataFlowObjectContext):
    """What ran."""


@base_entry_point("dffml.redundancy.checker", "rchecker")
class BaseRedundancyChecker(BaseDataFlowObject):
    """Knows which parameters an operation ran with."""


class BaseLockNetworkContext(BaseDataFlowObjectContext):
    """Who has which input to itself."""


@base_entry_point("dffml.lock.network", "lock", "network")
class BaseLockNetwork(BaseDataFlowObject):
    """Keeps operations on an input apart."""


class BaseOperationImplementationNetworkContext(BaseDataFlowObjectContext):
    """The implementations of a dataflow's operations."""


@base_entry_point("dffml.operation.implementation.network", "opimp", "network")
class BaseOperationImplementationNetwork(BaseDataFlowObject):
    """Makes implementations ready."""


class BaseOrchestratorContext(BaseDataFlowObjectContext):
    """Runs one dataflow."""


class BaseKeyValueStoreContext(BaseDataFlowObjectContext):
    @abc.abstractmethod
    async def get(self, key: str) -> bytes | None: ...

    @abc.abstractmethod
    async def set(self, name: str, value: bytes) -> None: ...


@base_entry_point("dffml.kvstore", "kvstore")
class BaseKeyValueStore(BaseDataFlowObject):
    """Keeps bytes by names."""


@base_entry_point("dffml.orchestrator", "orchestrator")
class BaseOrchestrator(BaseDataFlowObject):
    """Runs dataflows."""

    @classmethod
    async def run(cls, dataflow: Any, inputs: Any, *, config: Any = None, **kwargs: Any) -> AsyncIterator[tuple[Any, Any]]:
        """(context, results) of each context as it finishes."""
        made = cls.withconfig({}) if config is None and not kwargs else cls(config=config, **kwargs)
        async with made as orchestrator, orchestrator(dataflow) as octx:
            async for ctx, results in octx.run(inputs):
                yield ctx, results


__all__ = [
    "BaseConfig",
    "BaseContextHandle",
    "BaseDataFlowObject",
    "BaseDataFlowObjectContext",
    "BaseDefinitionSetContext",
    "BaseInputNetwork",
    "BaseInputNetworkContext",
    "BaseInputSet",
    "BaseInputSetConfig",
    "BaseInputSetContext",
    "BaseKeyValueStore",
    "BaseKeyValueStoreContext",
    "BaseLockNetwork",
    "BaseLockNetworkContext",
    "BaseOperationImplementationNetwork",
    "BaseOperationImplementationNetworkContext",
    "BaseOperationNetwork",
    "BaseOperationNetworkContext",
    "BaseOrchestrator",
    "BaseOrchestratorContext",
    "BaseParameterSet",
    "BaseRedundancyChecker",
    "BaseRedundancyCheckerContext",
    "BaseParameterSetConfig",
    "FailedToLoadOperationImplementation",
    "OpCouldNotDeterminePrimitive",
    "OperationException",
    "OperationImplementation",
    "OperationImplementationContext",
    "OperationImplementationNotInstantiable",
    "OperationImplementationNotInstantiated",
    "Stage",
    "StringContextHandle",
    "StringInputSetContext",
    "create_definition",
    "isoperation",
    "isopimp",
    "isopwraped",
    "mk_base_in",
    "new_types_to_defs",
    "op",
    "operation_in",
    "opimp_in",
    "opimp_name",
    "opwraped_in",
]

