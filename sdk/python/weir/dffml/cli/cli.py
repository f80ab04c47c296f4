"""DFFML's command line, as far as it is about dataflows, models and records: `python -m weir.dffml dataflow create …`, and `CLI.cli(…)` in programs."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from weir.dffml.df.base import OperationException, OperationImplementation
from weir.dffml.df.memory import MemoryOrchestrator
from weir.dffml.df.types import DataFlow, FailedToLoadOperation, Input, Operation
from weir.dffml.record import Record
from weir.dffml.util.data import export, merge, parser_helper
from weir.dffml.util.entrypoint import load


class UsageError(ValueError):
    """The arguments are not those of the command."""


class Arguments:
    """`WORD… -option value… -flag`: an option has all values up to the next one."""

    def __init__(self, given: tuple[str, ...]) -> None:
        self.words: list[str] = []
        self.options: dict[str, list[str]] = {}
        values = self.words
        for text in given:
            if text.startswith("-") and len(text) > 1 and not is_number(text):
                values = self.options.setdefault(text.lstrip("-").replace("_", "-"), [])
            else:
                values.append(text)

    def all(self, name: str) -> list[str]:
        return self.options.pop(name, [])

    def one(self, name: str, default: str | None = None) -> str:
        values = self.options.pop(name, [])
        if len(values) == 1 or (not values and default is not None):
            return values[0] if values else str(default)
        raise UsageError(f"-{name} wants one value" + (f", not {' '.join(values)}" if values else ""))

    def flag(self, name: str) -> bool:
        return self.options.pop(name, None) is not None

    def beginning(self, prefix: str) -> dict[str, list[str]]:
        return {name.removeprefix(prefix): self.options.pop(name) for name in list(self.options) if name.startswith(prefix)}

    def end(self) -> None:
        self.flag("log")
        if self.options:
            raise UsageError(f"-{next(iter(self.options))} is no option of this command")


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def pairs(values: list[str]) -> list[tuple[Any, str]]:
    """VALUE=NAME: what is before the first `=` that leaves a value which reads as one."""
    found = []
    for text in values:
        before, equals, behind = text.partition("=")
        if not equals:
            raise UsageError(f"{text}: write VALUE=NAME")
        found.append((parser_helper(before), behind))
    return found


# --- files -------------------------------------------------------------------------------------


def read_flow(path: str) -> DataFlow:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return DataFlow._fromdict(**(yaml().safe_load(text) if path.endswith((".yaml", ".yml")) else json.loads(text)))


def yaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError:
        raise UsageError("files of YAML want the package PyYAML here; `weir run` reads them without") from None


def show(exported: Any, loader: str) -> None:
    print(yaml().safe_dump(exported, sort_keys=False) if loader == "yaml" else json.dumps(exported, indent=4))


# --- dataflows ---------------------------------------------------------------------------------


async def create(arguments: Arguments) -> None:
    """dataflow create [NAME=]OPERATION… [-inputs|-seed VALUE=DEFINITION[=ORIGIN]…] [-flow SOURCES=INSTANCE.inputs.NAME…] [-config VALUE=INSTANCE.KEY…]"""
    operations = {}
    for word in arguments.words:
        name, _, loading = word.rpartition("=")
        operations[name or loading] = (
            OperationImplementation._imp(next(load(loading, relative=True))) if ":" in loading else Operation.load(loading)
        )
    flow = DataFlow(operations=operations)
    for sources, where in pairs(arguments.all("flow")):
        instance, kind, name = split_place(where)
        if kind == "inputs":
            flow.flow[instance].inputs[name] = sources
        else:
            flow.flow[instance].conditions = sources
    for value, where in pairs(arguments.all("config")):
        *way, key = where.split(".")
        place = flow.configs
        for part in way:
            place = place.setdefault(part, {})
        place[key] = value
    exported = flow.export(linked=not arguments.flag("not-linked"))
    for value, where in pairs(arguments.all("inputs") + arguments.all("seed")):
        definition, _, origin = where.partition("=")
        exported.setdefault("seed", []).append({"value": value, "definition": definition, **({"origin": origin} if origin else {})})
    loader = arguments.one("configloader", "json")
    arguments.end()
    show(exported, loader)


def split_place(where: str) -> tuple[str, str, str]:
    """INSTANCE.inputs.NAME or INSTANCE.conditions; an instance may have dots."""
    for kind in (".inputs.", ".conditions"):
        instance, found, name = where.rpartition(kind)
        if found:
            return instance, kind.strip("."), name.strip(".")
    raise UsageError(f"{where}: write INSTANCE.inputs.NAME or INSTANCE.conditions")


async def merge_flows(arguments: Arguments) -> None:
    """dataflow merge FILE…"""
    merged: dict[str, Any] = {}
    for path in arguments.words:
        merge(merged, read_flow(path).export(linked=True))
    arguments.flag("not-linked")
    loader = arguments.one("configloader", "json")
    arguments.end()
    show(merged, loader)


def inputs_of(flow: DataFlow, given: list[tuple[Any, str]]) -> list[Input]:
    known = {**flow.definitions, **Operation.definitions(*flow.operations.values())}
    for _, name in given:
        if name not in known:
            raise UsageError(f"the dataflow has no definition {name!r}")
    return [Input(value, known[name]) for value, name in given]


class Running:
    """What the three ways to run a dataflow have in common."""

    def __init__(self, arguments: Arguments) -> None:
        self.flow = read_flow(arguments.one("dataflow"))
        self.given = pairs(arguments.all("inputs"))
        self.strict = not arguments.flag("no-strict")
        self.arguments = arguments

    async def results(self, contexts: dict[str, list[tuple[Any, str]]]) -> AsyncIterator[tuple[str, Any]]:
        inputs = {name: inputs_of(self.flow, given + self.given) for name, given in contexts.items()}
        async with MemoryOrchestrator.withconfig({}) as orchestrator, orchestrator(self.flow) as octx:
            async for context, results in octx.run(inputs, strict=self.strict):
                yield str(context), results


async def run_single(arguments: Arguments) -> list[Any]:
    """dataflow run single -dataflow FILE [-inputs VALUE=DEFINITION…]"""
    running = Running(arguments)
    arguments.end()
    return [results async for _, results in running.results({"single": []})]


async def run_contexts(arguments: Arguments) -> list[Any]:
    """dataflow run contexts -dataflow FILE -contexts NAME… [-context-def DEFINITION] [-inputs VALUE=DEFINITION…]"""
    running = Running(arguments)
    names, definition = arguments.all("contexts"), arguments.one("context-def", "")
    arguments.end()
    contexts = {name: [(name, definition)] if definition else [] for name in names}
    return [{name: results} async for name, results in running.results(contexts)]


async def run_records(arguments: Arguments) -> list[Record]:
    """dataflow run records all|set [-keys KEY…] -dataflow FILE -sources LABEL=csv|json|memory -source-filename FILE [-record-def DEFINITION] …"""
    running = Running(arguments)
    records, sources = read_records(arguments)
    update = bool(sources) and not arguments.flag("no-update")
    wanted = arguments.words[:1] == ["set"] and arguments.all("keys")
    definition, caching = arguments.one("record-def", ""), arguments.all("caching")
    echo = not arguments.flag("no-echo")
    arguments.end()
    if wanted:
        records = {key: records.get(key) or Record(key) for key in wanted}
    due = [key for key, one in records.items() if not caching or not one.features(caching)]
    contexts = {key: [(key, definition)] if definition else [] for key in due}
    async for key, results in running.results(contexts):
        records[key].evaluated(results)
    if update:
        store(records, sources)
    return list(records.values()) if echo else []


# --- records and models ------------------------------------------------------------------------


def read_records(arguments: Arguments) -> tuple[dict[str, Record], list[Any]]:
    """The records of all sources, and the files that are to be written."""
    from weir.sources import Source

    records: dict[str, Record] = {}
    files = []
    for entry in arguments.all("sources"):
        label, _, plugin = entry.rpartition("=")
        said = {}
        for name in ("filename", "key", "tag", "delimiter", "records", "readwrite", "allowempty"):
            for option in (f"source-{label}-{name}", f"source-{plugin}-{name}", f"source-{name}"):
                if option in arguments.options:
                    said[name] = arguments.all(option)
        if plugin == "memory":
            records.update({key: Record(key) for key in said.get("records", [])})
            continue
        source = Source.parse({"plugin": plugin, "config": {name: values[0] for name, values in said.items() if values}})
        if "true" in [value.lower() for value in said.get("readwrite", [])] or said.get("readwrite") == []:
            files.append(source)
        if os.path.exists(source.filename) or "allowempty" not in said:
            records.update({one["key"]: Record(one["key"], data={k: v for k, v in one.items() if k != "key"}) for one in source.records()})
    return records, files


def store(records: dict[str, Record], sources: list[Any]) -> None:
    for source in sources:
        own = {one["key"] for one in source.records()} if os.path.exists(source.filename) else set()
        keys = [key for key in records if key in own or source is sources[0]]
        source.write({key: {"features": records[key].features(), "prediction": records[key].predictions()} for key in keys})


def model_of(arguments: Arguments) -> Any:
    from weir.models import Settings

    plugin = arguments.one("model")
    config: dict[str, Any] = {}
    for name, values in arguments.beginning("model-").items():
        name = name.removeprefix(f"{plugin}-").replace("-", "_")
        config[name] = values if name == "features" else values[0] if name == "predict" else parser_helper(",".join(values))
    return Settings.parse({"plugin": plugin, "config": config})


def plain(records: dict[str, Record]) -> dict[str, Any]:
    return {key: {"features": record.features()} for key, record in records.items()}


async def train(arguments: Arguments) -> None:
    """train -model NAME -model-directory FOLDER -model-features NAME:TYPE:LENGTH… -model-predict NAME:TYPE:LENGTH -sources …"""
    from weir import models

    settings = model_of(arguments)
    records, _ = read_records(arguments)
    arguments.end()
    models.save(models.learn(settings, plain(records)), settings.directory)


async def accuracy(arguments: Arguments) -> float:
    """accuracy -model … -sources …"""
    from weir import models

    settings = model_of(arguments)
    records, _ = read_records(arguments)
    scorer = arguments.one("scorer", "") or None
    arguments.all("features")
    arguments.end()
    return float(models.loaded(settings).score(plain(records), scorer))


async def predict(arguments: Arguments) -> list[Record]:
    """predict all|record [-keys KEY…] -model … -sources …"""
    from weir import models

    settings = model_of(arguments)
    records, sources = read_records(arguments)
    keys, update = arguments.all("keys"), arguments.flag("update")
    arguments.end()
    chosen = {key: records[key] for key in keys} if arguments.words[:1] == ["record"] else records
    model = models.loaded(settings)
    for key, value in model.predict(plain(chosen)):
        chosen[key].predicted(model.target.name, value, model.card.get("score"))
    if update:
        store(records, sources)
    return list(chosen.values())


# --- the command -------------------------------------------------------------------------------

COMMANDS: dict[tuple[str, ...], Callable[[Arguments], Any]] = {
    ("dataflow", "create"): create,
    ("dataflow", "merge"): merge_flows,
    ("dataflow", "run", "single"): run_single,
    ("dataflow", "run", "contexts"): run_contexts,
    ("dataflow", "run", "records"): run_records,
    ("train",): train,
    ("accuracy",): accuracy,
    ("predict",): predict,
}


def command_of(given: tuple[str, ...]) -> tuple[Callable[[Arguments], Any], tuple[str, ...]]:
    for words, command in COMMANDS.items():
        if given[: len(words)] == words:
            return command, given[len(words) :]
    raise UsageError("the commands are:\n" + "\n".join(f"  {command.__doc__}" for command in COMMANDS.values()))


class CLI:
    @classmethod
    async def cli(cls, *args: str) -> Any:
        """What the command gives: the results or the records that it prints on the command line."""
        command, rest = command_of(args)
        return await command(Arguments(rest))

    @classmethod
    def main(cls, argv: list[str] | None = None) -> int:
        try:
            given = asyncio.run(cls.cli(*(sys.argv[1:] if argv is None else argv[1:])))
        except (ValueError, OSError, ImportError, FailedToLoadOperation, OperationException) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        if given is not None:
            print(json.dumps(export(given), indent=4, default=str))
        return 0


__all__ = ["CLI"]
