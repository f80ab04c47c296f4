"""Dataflows that are built in Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from weir.errors import Error
from weir.declared import cache_of, microseconds
from weir.operation import NOTHING, Operation, Port, is_json
from weir.source import Source

if TYPE_CHECKING:
    from typing_extensions import Self

    from weir.runs import Run


class Input(Source):
    """What a context is given, by the name of its definition."""

    __slots__ = ("definition",)

    def __init__(self, flow: Dataflow, definition: str) -> None:
        self.flow = flow
        self.definition = definition

    def places(self) -> list[Any]:
        return [{"seed": [self.definition]}]


class Output(Source):
    """One output of a node."""

    __slots__ = ("node", "output")

    def __init__(self, node: Node, output: str) -> None:
        self.flow = node.flow
        self.node = node
        self.output = output

    def places(self) -> list[Any]:
        return [{self.node.instance: self.output}]


class Node(Source):
    """An operation within a dataflow. One with a single output may stand for that."""

    __slots__ = ("conditions", "config", "instance", "operation", "options", "wired")

    def __init__(self, flow: Dataflow, operation: Operation, instance: str, config: Mapping[str, Any]) -> None:
        self.flow = flow
        self.operation = operation
        self.instance = instance
        self.config = dict(config)
        self.wired: dict[str, Any] = {}  # a Source, or a value
        self.conditions: list[Source] = []
        self.options: dict[str, Any] = {}

    def __getitem__(self, output: str) -> Output:
        known = [port.name for port in self.operation.outputs]
        if output not in known:
            raise KeyError(f"{self.instance} has no output {output!r}, but {', '.join(known) or 'none'}")
        return Output(self, output)

    def __getattr__(self, output: str) -> Output:
        if output.startswith("_"):
            raise AttributeError(output)
        try:
            return self[output]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def places(self) -> list[Any]:
        if len(self.operation.outputs) != 1:
            names = ", ".join(port.name for port in self.operation.outputs) or "none"
            raise TypeError(f"say which output of {self.instance} is meant: {names}")
        return [{self.instance: self.operation.outputs[0].name}]

    def when(self, *conditions: Source) -> Self:
        """It runs only while the last value of one of these is true."""
        self.conditions += conditions
        return self

    def feed(self, **sources: Any) -> Self:
        """Gives parameters more sources, also ones that come after it: so loops are made."""
        for name, source in sources.items():
            self.flow._check_parameter(self.operation, name)
            held = self.wired.get(name)
            self.wired[name] = held | source if isinstance(held, Source) and isinstance(source, Source) else source
        return self

    def set(self, *, retry: int | None = None, timeout: float | None = None) -> Self:
        """What this node has instead of what its operation says: attempts in all, and seconds for each."""
        if retry is not None:
            self.options["retry"] = retry
        if timeout is not None:
            self.options["timeout"] = timeout
        return self

    def __repr__(self) -> str:
        return f"<node {self.instance} of {self.operation.name}>"


class Dataflow:
    """Operations, and which of them feed which.

    Operations that are given here are wired by definition: a parameter takes the values of every output with its definition, or, where
    none has it, the inputs of that name. What is added later is wired by what it is given.
    """

    def __init__(
        self,
        *operations: Operation | Callable[..., Any],
        config: Mapping[str, Mapping[str, Any]] | None = None,
        results: Iterable[str] | Mapping[str, str] | None = None,
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self._inputs: dict[str, dict[str, Any]] = {}
        self._seeds: list[tuple[str, Any]] = []
        self._single: dict[str, Any] = {}
        self._all: dict[str, Any] = {}
        self._by_definition: set[str] = set()
        for given in operations:
            operation = as_operation(given)
            name = operation.name
            node = self._new_node(operation, None, (config or {}).get(name, (config or {}).get(short_name(name), {})))
            self._by_definition.add(node.instance)
        if results is not None:
            named = results if isinstance(results, Mapping) else {name: name for name in results}
            self._single.update(named)

    # --- building

    def input(self, name: str, *, primitive: str = "generic", lock: bool = False, default: Any = NOTHING) -> Input:
        """What each context is given by this name."""
        definition: dict[str, Any] = {"name": name, "primitive": primitive}
        if lock:
            definition["lock"] = True
        if default is not NOTHING:
            definition["default"] = default
        self._inputs[name] = definition
        return Input(self, name)

    def add(
        self,
        operation: Operation | Callable[..., Any],
        *arguments: Any,
        instance: str | None = None,
        config: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Node:
        """An operation, given sources and values as the function would be; the same as to call it with a source."""
        known = as_operation(operation)
        names = [port.name for port in known.inputs]
        if len(arguments) > len(known.positional):
            raise TypeError(f"{known.name} takes {len(known.positional)} parameters by position, not {len(arguments)}")
        given = dict(zip(known.positional, arguments))
        for name, value in named.items():
            if name in given:
                raise TypeError(f"{known.name} is given {name!r} twice")
            self._check_parameter(known, name)
            given[name] = value
        missing = [port.name for port in known.inputs if port.name not in given and port.default is NOTHING]
        if missing:
            raise TypeError(f"{known.name} is not given {', '.join(missing)} of {', '.join(names)}")
        for value in given.values():
            if isinstance(value, Source) and value.flow is not self:
                raise ValueError(f"{known.name} is given what belongs to another dataflow")
        node = self._new_node(known, instance, config or {})
        node.wired.update(given)
        return node

    def seed(self, definition: str, value: Any) -> Self:
        """A value that every context has."""
        self._seeds.append((definition, value))
        return self

    def result(self, *definitions: str, **sources: Source | str) -> Self:
        """The last value of each is a context's result, by these names. A source may be a definition's name."""
        self._single.update(dict.fromkeys(definitions) | sources)
        self._single.update({name: name for name in definitions})
        return self

    def results(self, *definitions: str, **sources: Source | str) -> Self:
        """As `result`, a list of all values."""
        self._all.update({name: name for name in definitions})
        self._all.update(sources)
        return self

    def __getitem__(self, instance: str) -> Node:
        return self.nodes[instance]

    def _check_parameter(self, operation: Operation, name: str) -> None:
        known = [port.name for port in operation.inputs]
        if name not in known and not operation.any_inputs:
            raise TypeError(f"{operation.name} has no parameter {name!r}, but {', '.join(known) or 'none'}")

    def _new_node(self, operation: Operation, instance: str | None, config: Mapping[str, Any]) -> Node:
        name = instance or short_name(operation.name)
        count = 1
        while name in self.nodes:
            if instance:
                raise ValueError(f"there are two nodes {instance!r}")
            count += 1
            name = f"{short_name(operation.name)}_{count}"
        node = self.nodes[name] = Node(self, operation, name, config)
        return node

    # --- as a file has it

    def export(self) -> dict[str, Any]:
        """The dataflow in DFFML's linked form, for a file; its operations go by their names."""
        return Exported(self).document

    def save(self, path: str) -> None:
        """Writes it as JSON, for `weir run`."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.export(), file, indent=2)
            file.write("\n")

    def graph(self, format: str = "svg") -> str:
        """A picture of it: "svg", "dot", "mermaid" or "text"."""
        from weir.runs import graph_of

        return graph_of(self, format)

    def _repr_svg_(self) -> str:
        return self.graph("svg")

    def run(self, inputs: Mapping[str, Any] | None = None, **options: Any) -> Run:
        """The same as weir.run of it."""
        from weir.runs import run

        return run(self, inputs, **options)


def as_operation(given: Operation | Callable[..., Any]) -> Operation:
    return given if isinstance(given, Operation) else Operation(given)


def short_name(name: str) -> str:
    """Of "package.module:Class.function" the last: "function"."""
    return name.rpartition(":")[2].rpartition(".")[2] or name


class Exported:
    """A dataflow's linked form, made once."""

    def __init__(self, flow: Dataflow) -> None:
        self.flow = flow
        self.definitions: dict[str, dict[str, Any]] = dict(flow._inputs)
        self.seeds: list[dict[str, Any]] = []
        self.operations: dict[str, dict[str, Any]] = {}
        self.wires: dict[str, dict[str, Any]] = {}
        self.shared = shared_definitions(flow)
        self.outputs = {
            (node.instance, port.name): self.define_output(node, port)
            for node in flow.nodes.values()
            for port in node.operation.outputs
        }
        for node in flow.nodes.values():
            self.export_node(node)
        for definition, value in flow._seeds:
            self.define(definition, {"primitive": "generic"})
            self.seeds.append({"value": value, "definition": definition, "origin": "seed"})
        self.export_results("get_single", flow._single, "map")
        self.export_results("get_multi", flow._all, "map")
        self.document = {
            "linked": True,
            "definitions": self.definitions,
            "operations": self.operations,
            "seed": self.seeds,
            "flow": self.wires,
            "configs": {node.instance: node.config for node in flow.nodes.values() if node.config},
        }

    def define(self, name: str, definition: Mapping[str, Any]) -> str:
        self.definitions.setdefault(name, {"name": name, **definition})
        return name

    def describe(self, port: Port) -> dict[str, Any]:
        said: dict[str, Any] = {"primitive": port.primitive}
        if port.definition.lock:
            said["lock"] = True
        if port.definition.validate:
            said["validate"] = port.definition.validate
        if port.definition.default is not NOTHING:
            said["default"] = port.definition.default
        return said

    def define_output(self, node: Node, port: Port) -> str:
        name = port.definition.name
        wired = node.instance not in self.flow._by_definition
        if not name or (wired and name in self.shared):
            name = f"{node.instance}.outputs.{port.name}"
        return self.define(name, self.describe(port))

    def define_input(self, node: Node, port: Port, own: bool) -> str:
        name = port.definition.name
        if not name or own:
            name = f"{node.instance}.inputs.{port.name}"
        return self.define(name, self.describe(port))

    def ports_of(self, node: Node) -> dict[str, Port]:
        ports = {port.name: port for port in node.operation.inputs}
        return ports | {name: Port(name) for name in node.wired if name not in ports}

    def export_node(self, node: Node) -> None:
        operation = node.operation
        sources: dict[str, list[Any]] = {}
        inputs: dict[str, str] = {}
        for port in self.ports_of(node).values():
            if port.name in node.wired:
                inputs[port.name], sources[port.name] = self.wire(node, port, node.wired[port.name])
            elif node.instance in self.flow._by_definition:
                self.wire_by_definition(node, port, inputs, sources)
        entry: dict[str, Any] = {
            "name": operation.name,
            "inputs": inputs,
            "outputs": {port.name: self.outputs[node.instance, port.name] for port in operation.outputs},
            "stage": operation.stage,
        }
        if operation.expand:
            entry["expand"] = list(operation.expand)
        if operation.validator:
            entry["validator"] = True
        retry = node.options.get("retry", operation.retry)
        if retry:
            entry["retry"] = retry
        timeout = node.options.get("timeout", operation.timeout)
        if timeout is not None:
            entry["timeout_us"] = microseconds(timeout)
        if operation.resources:
            entry["resources"] = operation.resources
        if operation.cache and operation.cache is not True:
            entry["cache"] = cache_of(operation.cache)
        wires: dict[str, Any] = {"inputs": sources}
        conditions = [place for condition in node.conditions for place in condition.places()]
        for name in operation.conditions:
            conditions += self.makers(name) or [{"seed": [self.define(name, {"primitive": "bool"})]}]
        if conditions:
            wires["conditions"] = conditions
            entry["conditions"] = list(dict.fromkeys(self.condition_names(conditions)))
        self.operations[node.instance] = entry
        self.wires[node.instance] = wires

    def condition_names(self, places: list[Any]) -> Iterable[str]:
        for place in places:
            for key, value in place.items():
                yield value[0] if isinstance(value, list) else self.outputs[key, value]

    def wire(self, node: Node, port: Port, given: Any) -> tuple[str, list[Any]]:
        """The definition of a parameter that is given a source or a value, and where it comes from."""
        if isinstance(given, Source):
            return self.define_input(node, port, False), given.places()
        if not is_json(given):
            raise Error(f"{node.instance} is given a {type(given).__name__} as {port.name!r}: give it as an input, or as config")
        name = self.define_input(node, port, True)
        self.seeds.append({"value": given, "definition": name, "origin": "seed"})
        return name, [{"seed": [name]}]

    def makers(self, definition: str) -> list[Any]:
        return [
            {instance: output}
            for (instance, output), name in self.outputs.items()
            if name == definition and instance in self.flow.nodes
        ]

    def wire_by_definition(self, node: Node, port: Port, inputs: dict[str, str], sources: dict[str, list[Any]]) -> None:
        has_default = port.default is not NOTHING
        if has_default and not port.definition.name:
            return  # the function's own default
        name = inputs[port.name] = self.define_input(node, port, False)
        if has_default and is_json(port.default):
            self.definitions[name].setdefault("default", port.default)
        sources[port.name] = self.makers(name) or [{"seed": [name]}]

    def export_results(self, operation: str, wanted: Mapping[str, Any], primitive: str) -> None:
        if not wanted:
            return
        spec = [{name: self.definition_of(source)} for name, source in wanted.items()]
        self.define(f"{operation}_spec", {"primitive": "array"})
        self.define(f"{operation}_output", {"primitive": primitive})
        self.operations[operation] = {
            "name": operation,
            "inputs": {"spec": f"{operation}_spec"},
            "outputs": {"output": f"{operation}_output"},
            "stage": "output",
        }
        self.wires[operation] = {"inputs": {"spec": ["seed"]}}
        self.seeds.append({"value": spec, "definition": f"{operation}_spec", "origin": "seed"})

    def definition_of(self, source: Any) -> str:
        if isinstance(source, str):
            return self.define(source, {"primitive": "generic"})
        places = source.places()
        if len(places) != 1:
            raise ValueError("a result has one source")
        (key, value), *_ = places[0].items()
        return value[0] if isinstance(value, list) else self.outputs[key, value]


def shared_definitions(flow: Dataflow) -> set[str]:
    """Names of definitions that several nodes give."""
    seen: set[str] = set()
    twice: set[str] = set()
    for node in flow.nodes.values():
        for port in node.operation.outputs:
            name = port.definition.name
            if name:
                (twice if name in seen else seen).add(name)
    return twice


def dataflow(
    *operations: Operation | Callable[..., Any],
    config: Mapping[str, Mapping[str, Any]] | None = None,
    results: Iterable[str] | Mapping[str, str] | None = None,
) -> Dataflow:
    """A dataflow of these operations, wired by definition; or an empty one to add to. See Dataflow."""
    return Dataflow(*operations, config=config, results=results)
