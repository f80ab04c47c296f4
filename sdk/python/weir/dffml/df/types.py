"""Definitions, operations, inputs and dataflows."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import uuid
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from weir.dffml.util.data import export, type_hints, type_lookup
from weir.dffml.util.entrypoint import Entrypoint, entry_points


class DefinitionMissing(Exception):
    """A linked dataflow names a definition that it does not have."""


class PrimitiveDoesNotMatchValue(Exception):
    """A value is no list or map, and its definition's spec says what is in one."""


class FailedToLoadOperation(Exception):
    """No operation is registered by that name."""


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> _NoDefault:
        return self

    def __deepcopy__(self, memo: Any) -> _NoDefault:
        return self


NO_DEFAULT: Any = _NoDefault()


class Definition(NamedTuple):
    """A named type of data.

    spec: a named tuple or a dataclass that a dict is made into; with `subspec` the items of a list or a map are.
    lock: operations that share such a value run one after the other.
    validate: a function that gives the value as it is to be, or raises; or the name of an operation that does.
    """

    name: str
    primitive: str
    default: Any = NO_DEFAULT
    lock: bool = False
    spec: Any = None
    subspec: bool = False
    validate: Any = None
    links: Any = None

    def __repr__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Definition) and (self is other or self.export() == other.export())

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.name, self.primitive))

    def export(self) -> dict[str, Any]:
        exported: dict[str, Any] = {"name": self.name, "primitive": self.primitive}
        if self.default is not NO_DEFAULT:
            exported["default"] = export(self.default)
        if self.lock:
            exported["lock"] = self.lock
        if self.spec:
            exported["spec"] = export_spec(self.spec)
            exported["subspec"] = self.subspec
        if self.validate:
            exported["validate"] = self.validate
        if self.links:
            exported["links"] = [export(link) for link in self.links]
        return exported

    @classmethod
    def _fromdict(cls, **kwargs: Any) -> Definition:
        given = copy.deepcopy(kwargs)
        if given.get("spec"):
            given["spec"] = import_spec(given["spec"])
        return cls(**given)

    @classmethod
    def type_lookup(cls, typename: str) -> Any:
        return cls if typename == "Definition" else type_lookup(typename)


def export_spec(spec: Any) -> dict[str, Any]:
    """The fields of a named tuple or a dataclass, by the names of their types."""
    if dataclasses.is_dataclass(spec):
        fields = dataclasses.fields(spec)
        names = [entry.name for entry in fields]
        defaults = {entry.name: entry.default for entry in fields if entry.default is not dataclasses.MISSING}
    else:
        names, defaults = list(spec._fields), dict(spec._field_defaults)
    hints = type_hints(spec)
    types = {name: export(hints.get(name, Any)) for name in names}
    return {"name": spec.__qualname__, "types": types, "defaults": export(defaults)}


def import_spec(exported: dict[str, Any]) -> Any:
    """The named tuple; fields with defaults stand behind those without."""
    defaults = exported.get("defaults", {})
    types = {name: Definition.type_lookup(kind) for name, kind in exported["types"].items()}
    names = sorted(types, key=lambda name: name in defaults)
    made = NamedTuple(exported["name"].rpartition(".")[2], [(name, types[name]) for name in names])  # type: ignore[misc]
    made.__new__.__defaults__ = tuple(defaults[name] for name in names if name in defaults)
    made._field_defaults = dict(defaults)
    made.__qualname__ = exported["name"]
    return made


GENERIC = Definition(name="generic", primitive="generic")


class Stage(Enum):
    PROCESSING = "processing"
    CLEANUP = "cleanup"
    OUTPUT = "output"


class _OperationFields(NamedTuple):
    name: str
    inputs: dict[str, Definition] = {}
    outputs: dict[str, Definition] = {}
    stage: Stage = Stage.PROCESSING
    conditions: list[Definition] = []
    expand: list[str] = []
    instance_name: str | None = None
    validator: bool = False
    retry: int = 0


class Operation(_OperationFields, Entrypoint):
    """A named function with inputs and outputs, each of some definition."""

    __slots__ = ()
    ENTRYPOINT = "dffml.operation"
    ENTRY_POINT_NAME = ["operation"]

    def export(self) -> dict[str, Any]:
        exported: dict[str, Any] = {
            "name": self.name,
            "inputs": {name: definition.export() for name, definition in self.inputs.items()},
            "outputs": {name: definition.export() for name, definition in self.outputs.items()},
            "stage": self.stage.value,
            "retry": self.retry,
        }
        if self.conditions:
            exported["conditions"] = [definition.export() for definition in self.conditions]
        if self.expand:
            exported["expand"] = list(self.expand)
        if self.validator:
            exported["validator"] = True
        return exported

    @classmethod
    def definitions(cls, *args: Operation) -> dict[str, Definition]:
        """Those of the operations, by their names."""
        return {definition.name: definition for operation in args for definition in operation._definitions()}

    def _definitions(self) -> Iterator[Definition]:
        return itertools.chain(self.inputs.values(), self.outputs.values(), self.conditions)

    @classmethod
    def _op(cls, loaded: Any) -> Operation | None:
        """The operation that it is, or that it has as `op`."""
        return next((one for one in (loaded, getattr(loaded, "op", None)) if isinstance(one, cls)), None)

    @classmethod
    def load(cls, loading: str | None = None) -> Any:
        from weir.dffml.operation import builtin

        found: dict[str, Operation] = {}
        for point in entry_points(cls.ENTRYPOINT):
            if loading is None or point.name == loading:
                operation = cls._op(point.load())
                if operation is not None:
                    found.setdefault(point.name, operation)
        for name, known in builtin.operations().items():
            found.setdefault(name, known)
        if loading is None:
            return list(found.values())
        if loading not in found:
            raise FailedToLoadOperation(f"{loading!r} was not found in ({', '.join(found)})")
        return found[loading]

    @classmethod
    def _fromdict(cls, **kwargs: Any) -> Operation:
        given = {name: value for name, value in kwargs.items() if value is not None}
        for name in ("inputs", "outputs"):
            if name in given:
                given[name] = {key: Definition._fromdict(**definition) for key, definition in given[name].items()}
        if "conditions" in given:
            given["conditions"] = [Definition._fromdict(**definition) for definition in given["conditions"]]
        if "stage" in given:
            given["stage"] = Stage[given["stage"].upper()]
        return cls(**given)


class Input:
    """One value of a definition, with its origin and what it was made from."""

    def __init__(
        self,
        value: Any,
        definition: Definition,
        parents: list[Input] | None = None,
        origin: Any = "seed",
        validated: bool = True,
        *,
        uid: str | None = "",
    ) -> None:
        if not isinstance(definition, Definition):
            raise TypeError("Input given non definition")
        self.validated = validated
        if definition.spec is not None:
            value = specified(value, definition)
        if callable(definition.validate):
            value = definition.validate(value)
        elif isinstance(definition.validate, str):
            self.validated = False
        self.value = value
        self.definition = definition
        self.parents = [] if parents is None else parents
        self.origin = origin
        self.uid = uid or str(uuid.uuid4())

    def get_parents(self) -> list[Input]:
        """All ancestors, each once."""
        found: dict[int, Input] = {}
        waiting = list(self.parents)
        while waiting:
            parent = waiting.pop()
            if id(parent) not in found:
                found[id(parent)] = parent
                waiting.extend(parent.parents)
        return list(found.values())

    def __repr__(self) -> str:
        return f"Input(value={self.value}, definition={self.definition})"

    def export(self) -> dict[str, Any]:
        return {"value": self.value, "definition": self.definition.export(), "origin": self.origin}

    @classmethod
    def _fromdict(cls, **kwargs: Any) -> Input:
        given = dict(kwargs, definition=Definition._fromdict(**kwargs["definition"]))
        if isinstance(given.get("origin"), list):
            given["origin"] = tuple(given["origin"])
        return cls(**given)


def specified(value: Any, definition: Definition) -> Any:
    """Of dicts what the definition's spec says."""

    def make(given: Any) -> Any:
        return definition.spec(**given) if isinstance(given, dict) else given

    if not definition.subspec:
        return make(value)
    if isinstance(value, list) and definition.primitive == "array":
        value[:] = map(make, value)
    elif isinstance(value, dict) and definition.primitive == "map":
        value.update({key: make(one) for key, one in value.items()})
    else:
        raise PrimitiveDoesNotMatchValue(f"{type(value)} is not the right type for primitive {definition.primitive}")
    return value


class Parameter(Input):
    """An input as the parameter of an operation."""

    def __init__(self, key: str, value: Any, origin: Any, definition: Definition) -> None:
        super().__init__(value=value, definition=definition._replace(spec=None, validate=None))
        self.definition = definition
        self.key = key
        self.origin = origin


@dataclasses.dataclass
class InputFlow:
    """Where the parameters and conditions of an operation come from.

    A source is an origin as "seed", {instance: output}, {origin: [definitions]}, or a list of one of these and of what it has to have
    been made from.
    """

    inputs: Any = None
    conditions: Any = None

    def __post_init__(self) -> None:
        self.inputs = {} if self.inputs is None else self.inputs
        self.conditions = [] if self.conditions is None else self.conditions

    def export(self) -> dict[str, Any]:
        exported: dict[str, Any] = {"inputs": plain_sources(self.inputs)}
        if self.conditions:
            exported["conditions"] = plain_sources(self.conditions)
        return exported

    @classmethod
    def _fromdict(cls, **kwargs: Any) -> InputFlow:
        return cls(**kwargs)

    @staticmethod
    def get_alternate_definitions(origin: Any) -> tuple[Any, Any]:
        """(definitions, origin) of a source's only item."""
        if isinstance(origin, tuple) and isinstance(origin[1], (list, tuple)):
            return origin[1], origin[0]
        return [], origin


def plain_sources(sources: Any) -> Any:
    """A copy; definitions and operations by their names."""
    if isinstance(sources, dict):
        return {getattr(key, "instance_name", key): plain_sources(value) for key, value in sources.items()}
    if isinstance(sources, (Definition, Operation)):
        return sources.name
    if isinstance(sources, (list, tuple)):
        return [plain_sources(source) for source in sources]
    return sources


@dataclasses.dataclass
class Forward:
    """Definitions whose inputs go on to the subflows of instances."""

    book: Any = None

    def __post_init__(self) -> None:
        self.book = {} if self.book is None else self.book

    def add(self, instance_name: str, definition_list: list[Definition]) -> None:
        self.book[instance_name] = definition_list

    def get_instances_to_forward(self, definition: Definition) -> list[str]:
        return [instance for instance, definitions in self.book.items() if definition in definitions]

    def export(self) -> dict[str, Any]:
        return {"book": {instance: export(list(definitions)) for instance, definitions in self.book.items()}}

    @classmethod
    def _fromdict(cls, **kwargs: Any) -> Forward:
        book = kwargs.get("book") or {}
        return cls(
            book={
                instance: [Definition._fromdict(**one) if isinstance(one, dict) else one for one in definitions]
                for instance, definitions in book.items()
            }
        )


class DataFlow:
    """Operations, and which of them feed which.

    Without `flow` they are wired by their definitions: a parameter takes the values of all outputs of its definition, or, where there is
    none, from the seed.
    """

    CONFIGLOADABLE = True

    def __init__(
        self,
        *args: Any,
        operations: dict[str, Any] | None = None,
        seed: list[Input] | None = None,
        configs: dict[str, Any] | None = None,
        definitions: dict[str, Definition] | None = None,
        flow: dict[str, InputFlow] | None = None,
        by_origin: dict[Stage, Any] | None = None,
        implementations: dict[str, Any] | None = None,
        forward: Forward | None = None,
    ) -> None:
        self.operations: dict[str, Any] = {} if operations is None else operations
        for operation in args:
            name = getattr(operation, "op", operation).name
            if name in self.operations:
                raise ValueError("Operation given as positional and in dict")
            self.operations[name] = operation
        self.seed = [] if seed is None else seed
        self.configs = {} if configs is None else configs
        self.definitions: dict[str, Definition] = definitions or {}
        self.flow: dict[str, InputFlow] = flow or {}
        self.by_origin: dict[Stage, Any] = {} if by_origin is None else by_origin
        self.implementations: dict[str, Any] = {} if implementations is None else implementations
        self.forward = Forward() if forward is None else forward
        self.validators: dict[str, Operation] = {}
        self.update(auto_flow=flow is None)

    def __repr__(self) -> str:
        return f"DataFlow({', '.join(self.operations)})"

    @classmethod
    def auto(cls, *operations: Any) -> DataFlow:
        return cls(*operations)

    def update(self, auto_flow: bool = False) -> None:
        """To be called after operations were changed; with `auto_flow` they are wired anew."""
        self.update_operations()
        self.update_definitions()
        if auto_flow:
            self.flow = self.auto_flow()
        self.update_by_origin()

    def update_operations(self) -> None:
        """Functions and implementations that were given as operations are asked for theirs."""
        self.validators = {}
        for instance, given in self.operations.items():
            if not isinstance(given, Operation):
                operation = given.op
                implementation = getattr(given, "imp", given)
                self.implementations.setdefault(operation.name, implementation)
                given = operation
            operation = self.operations[instance] = given._replace(instance_name=instance)
            if operation.validator:
                self.validators[instance] = operation

    def update_definitions(self) -> None:
        found = dict(self.definitions)
        for definition in itertools.chain(
            (item.definition for item in self.seed),
            *(operation._definitions() for operation in self.operations.values()),
        ):
            found[definition.name] = definition
        self.definitions = found

    def update_by_origin(self) -> None:
        self.by_origin = {}
        for instance, entry in self.flow.items():
            operation = self.operations[instance]
            readers = self.by_origin.setdefault(operation.stage, {})
            for source in itertools.chain(entry.conditions, *entry.inputs.values()):
                for origin in origins_of(source):
                    readers.setdefault(origin, []).append(operation)

    def auto_flow(self) -> dict[str, InputFlow]:
        makers: dict[str, list[tuple[str, str, Definition]]] = {}
        for instance, operation in self.operations.items():
            for output, definition in operation.outputs.items():
                makers.setdefault(definition.name, []).append((instance, output, definition))

        def made(definition: Definition) -> list[Any]:
            return [{instance: key} for instance, key, given in makers[definition.name] if given == definition]

        flow = {}
        for instance, operation in self.operations.items():
            entry = flow[instance] = InputFlow()
            for name, definition in operation.inputs.items():
                entry.inputs[name] = made(definition) if definition.name in makers else ["seed"]
            for definition in operation.conditions:
                # One that nobody makes takes the place of all before it.
                if definition.name in makers:
                    entry.conditions.extend(made(definition))
                else:
                    entry.conditions = ["seed"]
        return flow

    def export(self, *, linked: bool = False) -> dict[str, Any]:
        exported: dict[str, Any] = {
            "operations": {instance: operation.export() for instance, operation in self.operations.items()}
        }
        for instance, operation in exported["operations"].items():
            if instance != operation["name"]:
                operation["instance_name"] = instance
        if self.seed:
            exported["seed"] = [export(item) for item in self.seed]
        if self.flow:
            exported["flow"] = {instance: entry.export() for instance, entry in self.flow.items()}
        if self.configs:
            exported["configs"] = export(self.configs)
        if self.forward.book:
            exported["forward"] = self.forward.export()
        if linked:
            self._linked(exported)
            return exported
        used = Operation.definitions(*self.operations.values())
        used |= {item.definition.name: item.definition for item in self.seed}
        unused = {name: definition.export() for name, definition in self.definitions.items() if name not in used}
        if unused:
            exported["definitions"] = unused
        return exported

    def _linked(self, exported: dict[str, Any]) -> None:
        """Puts definitions by their names where they are used."""
        exported["linked"] = True
        exported["definitions"] = {name: definition.export() for name, definition in self.definitions.items()}
        for operation in exported["operations"].values():
            if "conditions" in operation:
                operation["conditions"] = [definition["name"] for definition in operation["conditions"]]
            for ports in ("inputs", "outputs"):
                operation[ports] = {name: definition["name"] for name, definition in operation[ports].items()}
        for item in exported.get("seed", ()):
            item["definition"] = item["definition"]["name"]
        for instance, definitions in exported.get("forward", {}).get("book", {}).items():
            exported["forward"]["book"][instance] = [name_of(definition) for definition in definitions]

    @classmethod
    def _fromdict(cls, *, linked: bool = False, **kwargs: Any) -> DataFlow:
        given: dict[str, Any] = {name: value for name, value in copy.deepcopy(kwargs).items() if value is not None}
        if linked:
            cls._resolve(given)
        given["definitions"] = {
            name: Definition._fromdict(**definition) for name, definition in given.get("definitions", {}).items()
        }
        given["operations"] = {
            instance: Operation._fromdict(**{**operation, "instance_name": instance})
            for instance, operation in given["operations"].items()
        }
        if "seed" in given:
            given["seed"] = [Input._fromdict(**item) for item in given["seed"]]
        if "flow" in given:
            given["flow"] = {instance: InputFlow._fromdict(**entry) for instance, entry in given["flow"].items()}
        if "forward" in given:
            given["forward"] = Forward._fromdict(**given["forward"])
        return cls(**given)

    @classmethod
    def _resolve(cls, source: dict[str, Any]) -> dict[str, Any]:
        """Puts definitions in the place of their names."""
        definitions = source.get("definitions", {})
        for name, definition in definitions.items():
            definition.setdefault("name", name)

        def look_up(name: Any, where: str) -> Any:
            if name not in definitions:
                raise DefinitionMissing(f"While resolving {where}, missing {name} not found in {list(definitions)}")
            return definitions[name]

        for instance, operation in source.get("operations", {}).items():
            operation.setdefault("name", instance)
            if operation.get("conditions"):
                where = f"{instance}.conditions"
                operation["conditions"] = [look_up(name, where) for name in operation["conditions"]]
            for ports in ("inputs", "outputs"):
                if operation.get(ports):
                    where = f"{instance}.{ports}"
                    operation[ports] = {key: look_up(name, where) for key, name in operation[ports].items()}
        for item in source.get("seed", []):
            item["definition"] = look_up(item["definition"], f"seed {item}, definition")
        for instance, names in (source.get("forward") or {}).get("book", {}).items():
            where = f"forward of {instance}"
            source["forward"]["book"][instance] = [
                name if isinstance(name, dict) else look_up(name, where) for name in names
            ]
        return source


def name_of(definition: Any) -> str:
    return str(definition["name"] if isinstance(definition, dict) else definition)


def origins_of(source: Any) -> Iterable[Any]:
    """What a source of an input flow reads."""
    if isinstance(source, (list, tuple)):
        source = source[0] if source else "seed"
    if isinstance(source, str):
        return [source]
    return [InputFlow.get_alternate_definitions(origin)[1] for origin in source.items()]


__all__ = [
    "GENERIC",
    "NO_DEFAULT",
    "DataFlow",
    "Definition",
    "DefinitionMissing",
    "FailedToLoadOperation",
    "Forward",
    "Input",
    "InputFlow",
    "Operation",
    "Parameter",
    "PrimitiveDoesNotMatchValue",
    "Stage",
]

