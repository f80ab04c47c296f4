"""Python functions as operations of an engine in this process: how each is called, and what is told of its end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from weir import _weir
from weir.operation import Operation

CALL, POOL, GENERATOR, ASYNCHRONOUS, ASYNCHRONOUS_GENERATOR, CONTEXTUAL, CONTEXTUAL_GENERATOR, COLLECTOR = range(8)
KINDS = {"generator": GENERATOR, "coroutine": ASYNCHRONOUS, "async generator": ASYNCHRONOUS_GENERATOR}
EMIT_AGAIN_S = 0.002
EXCEPTIONS_MAX = 100

Entry = tuple[str, int, Callable[..., Any], tuple[str, ...], tuple[str, ...], bool]

# The call that a coroutine belongs to.
call_of_task: contextvars.ContextVar[_weir.Call | None] = contextvars.ContextVar("weir_call", default=None)


class Functions:
    """Those of one run."""

    def __init__(self, executor: Any = None) -> None:
        self.entries: list[Entry] = []
        self.executor = Executor(executor) if executor is not None else None
        self.exceptions: dict[str, BaseException] = {}
        self.tasks: dict[asyncio.Task[None], _weir.Call] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.interrupt: BaseException | None = None  # what is no failure of a function: Ctrl-C, sys.exit

    def add(self, name: str, operation: Operation, inputs: list[str], config: Mapping[str, Any]) -> None:
        outputs = [port.name for port in operation.outputs]
        single = operation.is_single(outputs)
        kind = KINDS.get(operation.kind, CALL if operation.pure else POOL)
        function = operation.bind(inputs, config)
        named = None if single else functools.partial(operation.named, outputs=outputs)
        call: Callable[..., Any]
        if kind in (CALL, POOL):
            call = function if named is None else lambda *values: named(function(*values))
            if self.executor and kind == POOL:
                kind, call = ASYNCHRONOUS, self.executor.submitting(self.executor.portable(operation, inputs, config), named)
        elif kind == GENERATOR:
            call = function if named is None else lambda *values: map(named, function(*values))
        else:
            call = functools.partial(self.begin, kind, function, named)
        self.entries.append((name, kind, call, tuple(inputs), tuple(outputs), single))

    def failed(self, exception: BaseException | None) -> str:
        """What the engine is told of an exception; kept for whoever asks what it was."""
        if exception is None:
            return "an exception"
        if not isinstance(exception, (Exception, asyncio.CancelledError)):
            self.interrupt = exception
        text = f"{type(exception).__name__}: {exception}" if str(exception) else type(exception).__name__
        exception.__traceback__ = without_weir(exception.__traceback__)
        if len(self.exceptions) < EXCEPTIONS_MAX:
            self.exceptions.setdefault(text, exception)
        return text

    # --- coroutines

    def begin(self, kind: int, function: Callable[..., Any], named: Callable[[Any], Any] | None, call: _weir.Call, *values: Any) -> None:
        """Within a turn of the engine, on the thread of the event loop."""
        loop = self.loop
        if loop is None:
            raise RuntimeError("a coroutine wants an event loop")
        body = run_coroutine if kind == ASYNCHRONOUS else run_async_generator
        context = contextvars.copy_context()
        context.run(call_of_task.set, call)
        task = loop.create_task(body(call, function, named, values), context=context)
        self.tasks[task] = call
        task.add_done_callback(self.forget)

    def forget(self, task: asyncio.Task[None]) -> None:
        self.tasks.pop(task, None)

    def look_for_cancelled(self) -> None:
        """Nothing tells a task that its call is to end: that is looked at a few times a second."""
        for task, call in list(self.tasks.items()):
            if call.cancelled():
                task.cancel()

    async def end(self) -> None:
        """Cancels what is still under way, and waits for it."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@contextlib.contextmanager
def failing(call: _weir.Call) -> Iterator[None]:
    """What goes wrong within is how the call ends; what ends the loop too goes on."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001
        call.fail(error)
        if not isinstance(error, Exception):  # asyncio.CancelledError is none
            raise


async def run_coroutine(
    call: _weir.Call, function: Callable[..., Any], named: Callable[[Any], Any] | None, values: tuple[Any, ...]
) -> None:
    with failing(call):
        result = await function(*values)
        call.complete(result if named is None else named(result))


async def run_async_generator(
    call: _weir.Call, function: Callable[..., Any], named: Callable[[Any], Any] | None, values: tuple[Any, ...]
) -> None:
    items = function(*values)
    with failing(call):
        async for item in items:
            said = call.emit(item if named is None else named(item))
            while said == "full":
                await asyncio.sleep(EMIT_AGAIN_S)
                said = call.emit_again()
            if said == "cancelled":
                break
        await items.aclose()
        call.finish()


# --- other executors ---------------------------------------------------------------------------


class Executor:
    """A concurrent.futures.Executor, a dask.distributed.Client, or Ray (its module, once it is initialised)."""

    def __init__(self, executor: Any) -> None:
        self.submit = submit_of(executor)
        # The others send code where a function has no name that leads to it; processes here have what this one has.
        is_local = isinstance(executor, concurrent.futures.Executor)
        self.portable = portable if is_local else lambda operation, inputs, config: operation.bind(inputs, config)

    def submitting(self, function: Callable[..., Any], named: Callable[[Any], Any] | None) -> Callable[..., None]:
        submit = self.submit

        def begin(call: _weir.Call, *values: Any) -> None:
            future = submit(function, *values)
            future.add_done_callback(functools.partial(end, call, named))

        return begin


def end(call: _weir.Call, named: Callable[[Any], Any] | None, future: Any) -> None:
    """On any thread."""
    try:
        result = future.result()
        result = result if named is None else named(result)
    except BaseException as error:  # noqa: BLE001
        call.fail(error)
    else:
        call.complete(result)


def submit_of(executor: Any) -> Callable[..., Any]:
    """submit(function, *values), which gives something with `add_done_callback` and `result`."""
    if isinstance(executor, concurrent.futures.Executor):
        return executor.submit
    if getattr(executor, "__name__", "") == "ray":
        return submit_to_ray(executor)
    if type(executor).__module__.partition(".")[0] == "distributed":
        # An operation runs once for each set of inputs, also when they are equal to earlier ones.
        return functools.partial(executor.submit, pure=False)
    if callable(getattr(executor, "submit", None)):
        return executor.submit  # type: ignore[no-any-return]
    raise TypeError(
        f"no executor: {executor!r}; a concurrent.futures.Executor, a dask.distributed.Client or the module ray is wanted"
    )


def submit_to_ray(ray: Any) -> Callable[..., Any]:
    remotes: dict[int, Any] = {}

    def submit(function: Callable[..., Any], *values: Any) -> Any:
        remote = remotes.get(id(function))
        if remote is None:
            remote = remotes[id(function)] = ray.remote(function)
        return remote.remote(*values).future()

    return submit


class ByName:
    """A function that another process looks up by its module and its name, as an operation there is what it is here."""

    def __init__(self, module: str, name: str, inputs: list[str], config: Mapping[str, Any]) -> None:
        self.module = module
        self.name = name
        self.inputs = inputs
        self.config = dict(config)

    def __call__(self, *values: Any) -> Any:
        found = look_up(importlib.import_module(self.module), self.name)
        operation = found if isinstance(found, Operation) else Operation(found)
        return operation.bind(self.inputs, self.config)(*values)


def look_up(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def portable(operation: Operation, inputs: list[str], config: Mapping[str, Any]) -> Callable[..., Any]:
    """The function for another process: by name where it has one, for pickle; else as it is, for what sends code, too."""
    function = operation.function
    module = getattr(function, "__module__", None) or ""
    name = getattr(function, "__qualname__", "")
    found = look_up(sys.modules.get(module), name) if module in sys.modules else None
    if found is operation or found is function or (isinstance(found, Operation) and found.function is function):
        return ByName(module, name, inputs, config)
    return operation.bind(inputs, config)


# --- tracebacks --------------------------------------------------------------------------------


def without_weir(trace: Any) -> Any:
    """From the user's first frame on."""
    while trace is not None and trace.tb_next is not None and is_ours(trace.tb_frame.f_globals.get("__name__", "")):
        trace = trace.tb_next
    return trace


def is_ours(module: str) -> bool:
    return module in ("weir.embedded", "weir.operation", "concurrent.futures.thread", "concurrent.futures._base")
