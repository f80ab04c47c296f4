"""Runs, in this process: the engine turns on the thread that asks for results, or within its event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from weir import _weir
from weir.flows import Dataflow
from weir.embedded import Functions, call_of_task, look_up
from weir.errors import Cancelled, OperationFailed, RunFailed
from weir.operation import Operation

if TYPE_CHECKING:
    from typing_extensions import Self

    from weir.progress import Progress

TURN_MS = 100
AHEAD_MAX = 1024  # results that nobody took yet: then the engine waits
NAME = "default"  # of the one context

Inputs: TypeAlias = "Mapping[str, Any] | Iterable[Mapping[str, Any]]"
Contexts: TypeAlias = (
    "Mapping[str, Inputs] | Iterable[tuple[str, Inputs]] | AsyncIterable[tuple[str, Inputs]]"
)


class Run:
    """A run that begins when it is first asked for something.

    `async for context, results in run` and `for context, results in run` give each context's results as it finishes; `await run` and
    `run.wait()` all of them; `run.events()` what happens. It ends when it is over, with an exception when it failed.
    """

    def __init__(
        self,
        flow: Dataflow | str | os.PathLike[str],
        inputs: Inputs | None = None,
        *,
        contexts: Contexts | None = None,
        executor: Any = None,
        state: str | os.PathLike[str] | None = None,
        name: str | None = None,
        strict: bool = True,
        max_contexts: int | None = None,
        goals: Iterable[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        events: bool = False,
        progress: bool | Callable[[int, int | None], None] = False,
        request: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if inputs is not None and contexts is not None:
            raise TypeError("inputs are those of one context: give inputs or contexts")
        self.flow = flow
        self.events_wanted = events
        self.over = False
        self.results: dict[str, Any] = {}
        self.finished = 0
        self.total: int | None = None
        self.warnings: list[str] = []
        self._functions = Functions(None if executor == "process" else executor)
        self._in_workers = executor == "process"
        self._engine: _weir.Run | None = None
        self._begun = self._closed = False
        self._ready: deque[tuple[str, Any]] = deque()
        self._events: deque[dict[str, Any]] = deque()
        self._contexts = contexts
        self._feed: Iterator[tuple[str, Inputs]] | None = None
        self._inputs = inputs
        self._progress: Progress | None = None
        self._progress_wanted = progress
        self._request: dict[str, Any] = dict(request or {})
        self._options: dict[str, Any] = dict(options or {})
        self._driver: asyncio.Task[None] | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._news: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._end: dict[str, Any] = {}
        self._say("state", os.fspath(state) if state is not None else None, self._options)
        self._say("name", name)
        self._say("max_contexts", max_contexts)
        self._say("goals", list(goals) if goals is not None else None)
        self._say("parameters", {k: str(v) for k, v in parameters.items()} if parameters is not None else None)
        if not strict:
            self._request["strict"] = False

    def _say(self, key: str, value: Any, into: dict[str, Any] | None = None) -> None:
        if value is not None:
            (self._request if into is None else into)[key] = value

    # --- the beginning

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> _weir.Run:
        if self._engine is not None:
            return self._engine
        if self._begun:
            raise RuntimeError("the run is over")
        self._begun = True
        self._functions.loop = loop
        self._give_flow()
        self._give_inputs()
        self._options["events"] = self.events_wanted
        if self._progress_wanted:
            from weir.progress import progress_of

            self._progress = progress_of(self._progress_wanted)
        engine = _weir.Run()
        try:
            engine.start(self._request, self._functions.entries, self._functions.failed, self._options)
        except BaseException:
            engine.close()
            raise
        self._engine = engine
        return engine

    def _give_flow(self) -> None:
        if not isinstance(self.flow, Dataflow):
            self._request["file"] = os.fspath(self.flow)
            return
        document = self.flow.export()
        if not self._in_workers:
            add_functions(self.flow, document, self._functions)
        self._request["flow"] = document

    def _give_inputs(self) -> None:
        contexts = self._contexts
        if contexts is None:
            if isinstance(self._inputs, Mapping) and not isinstance(self.flow, Dataflow):
                self._request["inputs"] = dict(self._inputs)
            elif isinstance(self.flow, Dataflow):
                self._request["contexts"] = {NAME: input_list(self._inputs or {})}
            self.total = 1
        elif isinstance(contexts, Mapping):
            self._request["contexts"] = {context: input_list(inputs) for context, inputs in contexts.items()}
            self.total = len(contexts)
        else:
            self._request["open"] = True
            if not isinstance(contexts, AsyncIterable):
                self._feed = iter(contexts)

    def _feed_some(self, engine: _weir.Run) -> bool:
        """Gives contexts as long as there is room; whether it gave any."""
        gave = False
        while self._feed is not None and engine.has_room():
            try:
                context, inputs = next(self._feed)
            except StopIteration:
                self._feed = None
                engine.end()
                return True
            engine.open_context(context, input_list(inputs), False)
            gave = True
        return gave

    # --- what happened

    def _deliver(self, items: list[tuple[Any, ...]]) -> None:
        for item in items:
            kind = item[0]
            if kind == "result":
                self.finished += 1
                self._ready.append((item[1], item[2]))
            elif kind == "event":
                self._events.append(item[1])
            elif kind == "warning":
                self.warnings.append(item[1])
        if items and self._progress:
            self._progress.update(self.finished, self.total)

    def _conclude(self, engine: _weir.Run) -> None:
        """After the last turn."""
        self.over = True
        self._end = engine.result()
        code = engine.code()
        if self._end.get("kind") != "dataflow" and code == "ok":
            self._ready.append((NAME, self._end.get("results")))
        if code != "ok":
            self._failure = self._explain(code)

    def _explain(self, code: str) -> RunFailed:
        error = self._end.get("error") or {}
        what = error.get("what")
        message = str(self._end.get("message") or what or code)
        if code == "cancelled":
            return Cancelled(message, code, error)
        texts = [text for text in self._functions.exceptions if text in repr_of(error) or text in message]
        failure = (OperationFailed if code == "operation_failed" or texts else RunFailed)(message, code, error)
        if texts:
            failure.__cause__ = self._functions.exceptions[max(texts, key=len)]
        return failure

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        engine, self._engine = self._engine, None
        if self._progress:
            self._progress.close()
        if engine is not None:
            engine.close()

    def cancel(self, terminate: bool = False) -> None:
        """Asks the run to stop; what is under way is told to end. From the thread that drives it."""
        if self._engine is not None and not self.over:
            self._engine.cancel(terminate)

    def status(self) -> dict[str, Any]:
        """{run, phase, nodes, …}, as `weir get` has it."""
        if self._engine is not None:
            return self._engine.status()
        return self._end

    # --- blocking

    def __iter__(self) -> Generator[tuple[str, Any], None, None]:
        if isinstance(self.flow, Dataflow) and any_coroutine(self.flow) or isinstance(self._contexts, AsyncIterable):
            yield from self._iterate_with_loop()
            return
        engine = self._begin(None)
        try:
            while not self.over:
                self._turn(engine)
                while self._ready:
                    yield self._ready.popleft()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            self._stop(engine)
            raise
        finally:
            self._close()
        if self._failure:
            raise self._failure

    def _turn(self, engine: _weir.Run) -> None:
        gave = self._feed_some(engine)
        over = engine.turn(0 if gave else TURN_MS)
        self._deliver(engine.take())
        if over:
            self._conclude(engine)
        if self._functions.interrupt:
            raise self._functions.interrupt

    def _stop(self, engine: _weir.Run) -> None:
        """Lets what is to be cleaned up be cleaned up; interrupted again, it is ended at once."""
        if self.over:
            return
        engine.cancel(False)
        try:
            while not engine.turn(TURN_MS):
                engine.take()
        except KeyboardInterrupt:
            engine.cancel(True)

    def _iterate_with_loop(self) -> Generator[tuple[str, Any], None, None]:
        """An event loop of its own, for the coroutines: it turns while the caller waits."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("an event loop runs in this thread: write `async for` instead of `for`")
        with asyncio.Runner() as runner:
            results = self.__aiter__()
            try:
                while True:
                    try:
                        yield runner.run(results.__anext__())  # type: ignore[arg-type]
                    except StopAsyncIteration:
                        return
            finally:
                runner.run(self.aclose())

    def wait(self) -> dict[str, Any]:
        """The results of all contexts, once it is over."""
        for context, result in self:
            self.results[context] = result
        return self.results

    # --- within an event loop

    def __aiter__(self) -> AsyncIterator[tuple[str, Any]]:
        return self._iterate(self._ready)

    def events(self) -> AsyncIterator[dict[str, Any]]:
        """What happens, as `weir events` has it: {id, time, type, prev, data}."""
        if self._begun and not self.events_wanted:
            raise RuntimeError("events are to be asked for before the run begins: weir.run(…, events=True)")
        self.events_wanted = True
        return self._iterate(self._events)

    async def _iterate(self, source: deque[Any]) -> AsyncIterator[Any]:
        self._drive_soon()
        try:
            while True:
                while source:
                    yield source.popleft()
                if self._driver is None or self._driver.done():
                    break
                await self._hear()
        except GeneratorExit:
            await self.aclose()
            raise
        except asyncio.CancelledError:
            await self.aclose()
            raise
        while source:
            yield source.popleft()
        if self._driver is not None and not self._driver.cancelled():
            self._driver.result()
        if self._failure and source is self._ready:
            raise self._failure

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        return self._gather().__await__()

    async def _gather(self) -> dict[str, Any]:
        async for context, result in self:
            self.results[context] = result
        return self.results

    async def _hear(self) -> None:
        """Until something happened."""
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()
        self._news.clear()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    def _drive_soon(self) -> None:
        if self._driver is None and not self._closed:
            self._news = asyncio.Event()
            self._driver = asyncio.get_running_loop().create_task(self._drive())
            self._driver.add_done_callback(lambda _: self._tell())

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        engine = self._begin(loop)
        wake = asyncio.Event()
        descriptor, _ = engine.descriptor()
        loop.add_reader(descriptor, wake.set)
        if isinstance(self._contexts, AsyncIterable):
            self._feeder = loop.create_task(self._feed_async(engine, self._contexts, wake))
        looked = loop.time()
        try:
            while not self.over:
                self._feed_some(engine)
                over = engine.turn(0)
                items = engine.take()
                self._deliver(items)
                if over:
                    self._conclude(engine)
                if self._functions.interrupt:
                    raise self._functions.interrupt
                if items or over:
                    self._tell()
                if not over:
                    await self._wait_for_work(engine, wake)
                    if loop.time() - looked > TURN_MS / 1000:
                        looked = loop.time()
                        self._functions.look_for_cancelled()
                    if self._feeder is not None and self._feeder.done():
                        self._feeder.result()
        finally:
            loop.remove_reader(descriptor)
            if self._feeder is not None:
                self._feeder.cancel()
            if not self.over:
                engine.cancel(True)
            await self._functions.end()
            self._close()

    async def _wait_for_work(self, engine: _weir.Run, wake: asyncio.Event) -> None:
        if len(self._ready) > AHEAD_MAX:
            await asyncio.sleep(TURN_MS / 1000 / 10)
            return
        _, timeout_ms = engine.descriptor()
        if timeout_ms == 0:
            await asyncio.sleep(0)
            return
        wait_ms = TURN_MS if timeout_ms < 0 else min(timeout_ms, TURN_MS)
        handle = asyncio.get_running_loop().call_later(wait_ms / 1000, wake.set)
        await wake.wait()
        handle.cancel()
        wake.clear()

    async def _feed_async(self, engine: _weir.Run, contexts: AsyncIterable[tuple[str, Inputs]], wake: asyncio.Event) -> None:
        async for context, inputs in contexts:
            while not engine.has_room():
                await asyncio.sleep(TURN_MS / 1000 / 10)
            engine.open_context(context, input_list(inputs), False)
            wake.set()
        engine.end()
        wake.set()

    async def aclose(self) -> None:
        """Ends it, whether it is over or not."""
        driver = self._driver
        if driver is not None and not driver.done():
            driver.cancel()
            await asyncio.wait([driver])
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    # --- in a notebook

    def _repr_html_(self) -> str:
        from weir.progress import table_of

        return table_of(self.status(), self.finished, self.total)


def repr_of(error: Mapping[str, Any]) -> str:
    how = error.get("how")
    return " ".join(str(part) for part in (error.get("what"), how.get("message") if isinstance(how, dict) else how))


def input_list(inputs: Inputs) -> list[dict[str, Any]]:
    """Of {definition: value}, or of entries {value, definition, origin?}, what a request has."""
    if isinstance(inputs, Mapping):
        return [{"value": value, "definition": definition} for definition, value in inputs.items()]
    entries = []
    for entry in inputs:
        if not isinstance(entry, Mapping) or "definition" not in entry:
            raise TypeError("inputs are {definition: value}, or a list of {value, definition}")
        entries.append(dict(entry))
    return entries


def any_coroutine(flow: Dataflow) -> bool:
    return any(node.operation.kind in ("coroutine", "async generator") for node in flow.nodes.values())


def add_functions(flow: Dataflow, document: dict[str, Any], functions: Functions, drawn: bool = False) -> None:
    """Each node is an operation of its own, which knows its configuration: so that may be any object. Where one has an environment of
    its own, a worker of that calls it, unless the dataflow is only drawn."""
    names: dict[str, int] = {}
    for node in flow.nodes.values():
        names[node.operation.name] = names.get(node.operation.name, 0) + 1
    for instance, node in flow.nodes.items():
        entry = document["operations"][instance]
        name = node.operation.name
        if not drawn and (node.operation.interpreter or node.operation.requirements):
            check_elsewhere(node.operation)
            continue
        entry["name"] = name = name if names[name] == 1 else f"{name}@{instance}"
        functions.add(name, node.operation, list(entry["inputs"]), node.config)
        document["configs"].pop(instance, None)


def check_elsewhere(operation: Operation) -> None:
    """Whether a worker finds it: it imports the module, and asks that for the name."""
    module, _, name = operation.name.partition(":")
    found = look_up(sys.modules.get(module), name)
    if module == "__main__" or "<" in name or not (found is operation or isinstance(found, Operation)):
        raise ValueError(
            f"{operation.name} has an interpreter or requirements of its own, so a worker calls it, which finds it by its module and name:"
            " it has to be at the top of a module that can be imported"
        )


def graph_of(flow: Dataflow, format: str) -> str:
    """A picture of the dataflow."""
    document = flow.export()
    functions = Functions()
    add_functions(flow, document, functions, drawn=True)
    return _weir.graph({"flow": document}, functions.entries, format)


def run(flow: Dataflow | str | os.PathLike[str], inputs: Inputs | None = None, **options: Any) -> Run:
    """A run of a dataflow, or of the file of a dataflow, a workflow or a pipeline; see Run for its options.

    It begins when it is iterated (`for`, `async for`), awaited or waited for.
    """
    return Run(flow, inputs, **options)


def run_blocking(flow: Dataflow | str | os.PathLike[str], inputs: Inputs | None = None, **options: Any) -> dict[str, Any]:
    """Runs it, and gives the results of each context by its name."""
    return Run(flow, inputs, **options).wait()


def report(name: str, value: float, unit: str) -> bool:
    """A metric of the call that is under way in this process; False: none is."""
    call = call_of_task.get()
    return (call is not None and call.report(name, value, unit)) or _weir.report(name, value, unit)


__all__ = ["Operation", "Run", "graph_of", "report", "run", "run_blocking"]
