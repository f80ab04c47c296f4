"""A worker process of weir's Python executor: it imports functions, calls them, and says what came of it.

It is started by weir and speaks with it alone: what the messages are stands in weir's `executor/python_internal.h`. It imports little, as
its start is what the first result waits for, and needs nothing but the standard library of Python 3.9 or newer.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import sys
from _thread import allocate_lock, get_ident
from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket
from collections import deque
from mmap import mmap
from time import perf_counter_ns
from types import TracebackType
from typing import TYPE_CHECKING

from weir.operation import NoFunction, Operation, describe_module, files_of_users, find

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from weir.values import Enclosed, Given, Segment


DEFINE, CALL, DESCRIBE, CALL_WITH, FORGET = range(5)
CANCEL, RECALL, MORE = range(3)
RESULT, RESULTS, FAILED, YIELDED, YIELDS, LOG, METRIC, RECALLED, DESCRIBED, HELLO = range(10)
VERSION = 2

CALLS_SOCKET = 3
CONTROL_SOCKET = 0
FLUSH_NS = 2_000_000
READ_BYTES = 256 * 1024
OF_DESCRIPTOR = b"\xff\xff\xff\xff\0\0\0\0"  # stands before the message that it is of
YIELDS_AHEAD = 64
DESCRIPTORS_AT_ONCE = 64
MORE_YIELDS = 32
LINES_AT_ONCE = 1000

PLAIN = frozenset((type(None), bool, int, float, str))


class Cancelled(BaseException):
    """Raised within a function whose call is to end."""


# --- values ------------------------------------------------------------------------------------


def is_plain(value: object, depth: int = 0) -> bool:
    """Whether `marshal` writes the value as weir reads it: exactly these types, all the way down."""
    kind = type(value)
    if kind in PLAIN:
        return True
    if depth > 128:
        return False
    items: Iterable[object]
    if kind is list or kind is tuple:
        items = value  # type: ignore[assignment]
    elif kind is dict:
        if not set(map(type, value)) <= {str}:  # type: ignore[call-overload]
            return False
        items = value.values()  # type: ignore[attr-defined]
    else:
        return False
    kinds = set(map(type, items))
    if kinds <= PLAIN:
        return True
    return kinds <= CONTAINERS and all(is_plain(item, depth + 1) for item in items)


CONTAINERS = PLAIN | {list, tuple, dict}


def plain(value: object, depth: int = 0) -> object:
    """The value as weir has it: subclasses as what they are, dataclasses and named tuples as dicts, sets as lists.

    Raises TypeError when it has no such form.
    """
    if type(value) in PLAIN:
        return value
    if depth > 128:
        raise ValueError("it is nested deeper than 128 levels")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dict):
        return {key_of(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(item, depth + 1) for name, item in zip(value._fields, value)}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return [plain(item, depth + 1) for item in ordered(value)]
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None:
        return {name: plain(getattr(value, name), depth + 1) for name in fields}
    if hasattr(value, "__index__"):
        return int(value)  # numpy's integers
    if hasattr(value, "__float__") and not hasattr(value, "__len__"):
        return float(value)
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} has no form as a value")


def key_of(key: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise TypeError(f"a key of a dict is a {type(key).__name__}, and no text: {key!r}")


def ordered(value: Iterable[object]) -> list[object]:
    try:
        return sorted(value)  # type: ignore[type-var]
    except TypeError:
        return list(value)


# --- messages ----------------------------------------------------------------------------------


class Line:
    """One end of a channel of weir's `io/channel.h`."""

    def __init__(self, number: int) -> None:
        self.socket = socket(fileno=number)
        self.place = memoryview(bytearray(READ_BYTES))  # what is read comes here: a new one each time costs more than the message
        self.bytes = bytearray()
        self.arrived: list[int] = []  # descriptors whose message is still to come, maybe
        self.descriptors: list[int] = []  # of the message that was read last

    def read(self) -> bytes | None:
        """The next message; None at the end. Its descriptors are in `descriptors`."""
        while True:
            if len(self.bytes) >= 8:
                length = int.from_bytes(self.bytes[:4], "little")
                if length == 0xFFFFFFFF:
                    del self.bytes[:8]
                    continue
                if len(self.bytes) >= 8 + length:
                    count = int.from_bytes(self.bytes[4:8], "little")
                    self.descriptors, self.arrived = self.arrived[:count], self.arrived[count:]
                    message = bytes(memoryview(self.bytes)[8 : 8 + length])
                    del self.bytes[: 8 + length]
                    return message
            if not self._more():
                return None

    def _more(self) -> bool:
        length, ancillary, _, _ = self.socket.recvmsg_into((self.place,), CMSG_LEN(4))
        for level, kind, content in ancillary:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                self.arrived.append(int.from_bytes(content[:4], sys.byteorder))
        self.bytes += self.place[:length]
        return length > 0

    def read_ready(self) -> list[bytes]:
        """All messages that are there now."""
        messages = []
        try:
            while (message := self.read()) is not None:
                messages.append(message)
        except BlockingIOError:
            return messages
        os._exit(1)  # weir has ended, whatever is under way here

    def write(self, message: bytes, descriptors: list[int] | tuple[()] = ()) -> None:
        """The last descriptor goes with the message, so that nobody is woken for a part of it."""
        whole = len(message).to_bytes(4, "little") + len(descriptors).to_bytes(4, "little") + message
        if not descriptors:
            self.socket.sendall(whole)
        for i, descriptor in enumerate(descriptors, 1):
            rights = (SOL_SOCKET, SCM_RIGHTS, descriptor.to_bytes(4, sys.byteorder))
            piece = OF_DESCRIPTOR + whole if i == len(descriptors) else OF_DESCRIPTOR
            sent = self.socket.sendmsg((piece,), (rights,))
            if sent < len(piece):
                self.socket.sendall(piece[sent:])


# --- functions ---------------------------------------------------------------------------------


class Function:
    """An operation of a plan: what is called, and how its parameters and outputs go."""

    __slots__ = ("call", "inputs", "kind", "operation", "outputs", "single", "views")

    def __init__(self, operation: Operation, inputs: list[str], outputs: list[str], config: dict[str, object]) -> None:
        self.operation = operation
        self.inputs = inputs
        self.outputs = outputs
        self.kind = operation.kind
        self.single = operation.is_single(outputs)
        self.call: Callable[..., object] = operation.bind(inputs, config)
        wanted = {port.name for port in operation.inputs if port.annotation is memoryview}
        self.views = frozenset(i for i, name in enumerate(inputs) if name in wanted)

    def is_named(self, value: object) -> bool:
        """Whether it is {output: value}, of the one output, and means that."""
        return type(value) is dict and list(value) == self.outputs

    def named(self, value: object) -> dict[str, object]:
        """The outputs of a call, by name."""
        return self.operation.named(value, self.outputs)


class Call:
    """One that is not over, of a function that is no plain one."""

    __slots__ = ("ahead", "function", "future", "more", "number", "started")

    def __init__(self, number: int, function: Function) -> None:
        self.number = number
        self.function = function
        self.started = perf_counter_ns()
        self.ahead = 0
        self.more: asyncio.Event | None = None
        self.future: asyncio.Future[None] | None = None


# --- the worker --------------------------------------------------------------------------------


class Worker:
    def __init__(self) -> None:
        self.calls = Line(CALLS_SOCKET)
        self.control = Line(os.dup(CONTROL_SOCKET))
        self.control.socket.setblocking(False)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, CONTROL_SOCKET)
        os.close(nothing)
        for number in (self.calls.socket.fileno(), self.control.socket.fileno()):
            os.set_inheritable(number, False)
        self.thread = get_ident()
        self.functions: dict[int, Function] = {}
        self.queue: deque[tuple[int, int, tuple[object, ...] | Given]] = deque()
        self.enclosed: Enclosed | None = None  # what goes with what is in `out`
        self.recent: list[Segment] = []  # that the last message brought: mapped, for what comes next
        self.out: list[tuple[object, ...]] = []
        self.number = -1  # of the call under way, in this thread
        self.inside = False  # a function is running in this thread, which may be interrupted
        self.sending = False
        self.commands_wait = self.obeying = False
        self.lock = allocate_lock()  # of what is written
        self.lines = 0  # that the call under way printed
        self.flushed = 0
        self.generator: Call | None = None
        self.coroutines: Coroutines | None = None
        self.operations: dict[str, Operation] = {}

    # --- out

    def flush(self) -> None:
        """Sends what came since the last time. Only this thread."""
        if not self.out:
            return
        records, self.out = self.out, []
        enclosed, self.enclosed = self.enclosed, None
        self.sending = True
        try:
            with self.lock:
                self.calls.write(marshal.dumps(records, 2), enclosed.descriptors if enclosed else ())
        finally:
            if enclosed:
                enclosed.close()
            self.sending = False
        self.flushed = perf_counter_ns()
        if self.commands_wait:
            self.commands_wait = False
            self.obey()

    def send_now(self, record: tuple[object, ...]) -> None:
        self.out.append(record)
        if not self.sending:
            self.flush()

    def send_aside(self, record: tuple[object, ...]) -> None:
        """From within SIGUSR1: without what the thread is just putting together."""
        with self.lock:
            self.calls.write(marshal.dumps([record], 2))

    def send_from_loop(self, records: list[tuple[object, ...]], enclosed: Enclosed | None = None) -> None:
        """The same of the event loop's thread."""
        message = marshal.dumps(records, 2)
        with self.lock:
            self.calls.write(message, enclosed.descriptors if enclosed else ())
        if enclosed:
            enclosed.close()

    def encode(self, value: object) -> object:
        """What stands in a message for a value that is not plain. Commands wait, as what they send would take its memory along."""
        from weir.values import Enclosed, Writer, serve_numpy

        if get_ident() != self.thread and self.coroutines:
            return Writer(self.coroutines.enclose()).write(value)
        if self.enclosed is None:
            self.enclosed = Enclosed()
        outer, self.sending = self.sending, True
        try:
            return Writer(self.enclosed).write(value)
        finally:
            self.sending = outer
            serve_numpy()

    def log(self, number: int, error: bool, text: str) -> None:
        record = (LOG, number, int(error), text)
        if get_ident() != self.thread:
            if self.coroutines and self.coroutines.is_own_thread():
                self.coroutines.put(record)
            else:
                self.send_from_loop([record])
            return
        self.out.append(record)
        # Who looks on sees it at once, unless it is very much.
        if "\n" not in text or self.sending:
            return
        self.lines += 1
        if self.lines < LINES_AT_ONCE or perf_counter_ns() - self.flushed > FLUSH_NS:
            self.flush()

    def metric(self, name: str, value: float, unit: str) -> None:
        record = (METRIC, self.current(), str(name), value, str(unit))
        if get_ident() == self.thread:
            self.out.append(record)
        elif self.coroutines and self.coroutines.is_own_thread():
            self.coroutines.put(record)
        else:
            self.send_from_loop([record])

    def current(self) -> int:
        """The call that this thread, or this task of the event loop, is at; -1: none."""
        if self.coroutines:
            number = self.coroutines.current()
            if number >= 0:
                return number
        return self.number

    # --- commands

    def obey(self, *interrupted: object) -> None:
        """Does what weir said meanwhile: within SIGUSR1, which comes with it, in this thread."""
        if self.sending or self.obeying:  # a signal may come while this goes on, and must not read in the midst of a message
            self.commands_wait = True
            return
        self.obeying = self.commands_wait = True
        try:
            while self.commands_wait:
                self.commands_wait = False
                self.obey_all(self.control.read_ready())
        finally:
            self.obeying = False
        if self.commands_wait:
            self.obey()

    def obey_all(self, messages: list[bytes]) -> None:
        for message in messages:
            command, argument = marshal.loads(message)
            if command == CANCEL:
                self.cancel(argument)
            elif command == RECALL:
                self.give_back(argument)
            elif command == MORE:
                self.let_on(argument)

    def cancel(self, number: int) -> None:
        for waiting in self.queue:
            if waiting[1] == number:
                self.queue.remove(waiting)
                self.send_aside((FAILED, number, 0, "cancelled", "was cancelled before it began", ""))
                return
        if self.number == number and self.inside:
            raise Cancelled
        if self.coroutines:
            self.coroutines.cancel(number)

    def give_back(self, most: int) -> None:
        """Those that came last, first."""
        numbers: list[int] = []
        while self.queue and len(numbers) < most:
            numbers.append(self.queue.pop()[1])
        self.send_aside((RECALLED, -1, numbers))

    def let_on(self, number: int) -> None:
        if self.generator and self.generator.number == number:
            self.generator.ahead -= MORE_YIELDS
        if self.coroutines:
            self.coroutines.let_on(number)

    # --- calls

    def failed(self, number: int, function: Function, started: int, error: BaseException) -> tuple[object, ...]:
        us = (perf_counter_ns() - started) // 1000
        text = trace(error)
        if isinstance(error, Cancelled):
            self.out.append((LOG, number, 1, text))
            return (FAILED, number, us, "cancelled", "was cancelled", text)
        self.out.append((LOG, number, 1, text))
        return (FAILED, number, us, "operation_failed", describe_error(error), text)

    def finished(self, number: int, function: Function, us: int, value: object) -> tuple[object, ...]:
        try:
            if function.single and not function.is_named(value):
                return (RESULT, number, us, value if is_plain(value) else self.encode(value))
            named = function.named(value)
            return (RESULTS, number, us, named if is_plain(named) else self.encode(named))
        except Exception as error:  # noqa: BLE001
            return (FAILED, number, us, "operation_failed", f"what it gave: {error}", "")

    def yielded(self, number: int, function: Function, value: object) -> tuple[object, ...]:
        if function.single and not function.is_named(value):
            return (YIELDED, number, value if is_plain(value) else self.encode(value))
        named = function.named(value)
        return (YIELDS, number, named if is_plain(named) else self.encode(named))

    def run_generator(self, number: int, function: Function, parameters: Iterable[object]) -> None:
        call = self.generator = Call(number, function)
        try:
            self.inside = True
            try:
                for value in function.call(*parameters):  # type: ignore[attr-defined]
                    self.inside = False
                    call.ahead += 1
                    self.send_now(self.yielded(number, function, value))
                    self.wait_for_more(call)
                    self.inside = True
            finally:
                self.inside = False
            us = (perf_counter_ns() - call.started) // 1000
            self.out.append((RESULTS, number, us, {}))
        except BaseException as error:  # noqa: BLE001
            self.inside = False
            self.out.append(self.failed(number, function, call.started, error))
        self.generator = None
        self.flush()

    def wait_for_more(self, call: Call) -> None:
        if call.ahead < YIELDS_AHEAD:
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
        try:
            while call.ahead >= YIELDS_AHEAD:
                signal.sigwait((signal.SIGUSR1,))
                self.inside = True  # a cancellation ends it here
                try:
                    self.obey()
                finally:
                    self.inside = False
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGUSR1,))

    def run_other(self, number: int, function: Function, given: tuple[object, ...] | Given) -> None:
        parameters: Iterable[object] = ()
        if type(given) is tuple:
            parameters = given
        else:
            started = perf_counter_ns()
            try:
                self.inside = True
                parameters = given.read(function.inputs, function.views)  # type: ignore[union-attr]
                self.inside = False
            except BaseException as error:  # noqa: BLE001
                self.inside = False
                self.out.append(self.failed(number, function, started, error))
                return
        if function.kind == "generator":
            self.run_generator(number, function, parameters)
            return
        if not self.coroutines:
            self.coroutines = Coroutines(self)
        if "weir.values" in sys.modules:
            from weir.values import serve_numpy

            serve_numpy()  # a coroutine begins with what is set in this thread
        self.coroutines.start(Call(number, function), parameters)

    def run_calls(self) -> None:
        """Calls what waits, one after the other, until nothing does."""
        queue, functions, page = self.queue, self.functions, self.page
        clock = perf_counter_ns
        last = flushed = clock()
        while queue:
            at, number, parameters = queue.popleft()
            function = functions[at]
            page[0] = number + 1
            self.number = number
            self.lines = 0
            if function.kind != "function":
                self.run_other(number, function, parameters)
                last = clock()
                continue
            try:
                self.inside = True
                if type(parameters) is not tuple:
                    parameters = parameters.read(function.inputs, function.views)  # type: ignore[union-attr,assignment]
                value = function.call(*parameters)  # type: ignore[misc]
                self.inside = False
                now = clock()
                if function.single and type(value) in PLAIN:
                    self.out.append((RESULT, number, (now - last) // 1000, value))
                else:
                    self.out.append(self.finished(number, function, (now - last) // 1000, value))
            except BaseException as error:  # noqa: BLE001
                self.inside = False
                self.out.append(self.failed(number, function, last, error))
            value = parameters = ()  # they may be large
            last = now = clock()
            if now - flushed > FLUSH_NS or (self.enclosed and len(self.enclosed.descriptors) >= DESCRIPTORS_AT_ONCE):
                self.number = -1
                self.flush()
                flushed = clock()
        self.number = -1
        self.flush()

    # --- operations

    def operation(self, name: str) -> Operation:
        known = self.operations.get(name)
        if known is None:
            known = self.operations[name] = find(name)
        return known

    def define(self, number: int, name: str, inputs: list[str], outputs: list[str], config: dict[str, object]) -> None:
        try:
            self.functions[number] = Function(self.operation(name), inputs, outputs, config)
        except BaseException as error:  # noqa: BLE001
            self.functions[number] = failing(error, inputs, outputs)

    def describe(self, name: str) -> object:
        """What the function is, or of a module or a file what its decorated functions are; and the files that were imported for that."""
        try:
            found = describe_module(name) if ":" not in name else self.operation(name).describe(name)
            return plain({**found, "files": files_of_users()})
        except ImportError as error:
            from weir.environments import elsewhere

            return {"elsewhere": elsewhere(name) or {}, "why": f"`{name}`: {describe_error(error)}", "hint": last_place(error)}
        except NoFunction as error:
            return {"failure": f"`{name}`: {error}", "hint": error.hint}
        except BaseException as error:  # noqa: BLE001
            return {"failure": f"`{name}`: {describe_error(error)}", "hint": last_place(error)}

    def leave(self) -> None:
        """In a process that a function forked: it is no worker, and what it prints goes by the descriptors."""
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.calls.socket.close()
        self.control.socket.close()
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115

    # --- memory that is shared

    def take_memory(self) -> None:
        """What came with the message. What came with the one before is let go only now: mostly it is the same."""
        from weir.values import segment_of

        descriptors, self.calls.descriptors = self.calls.descriptors, []
        self.recent = [segment_of(descriptor) for descriptor in descriptors]

    def forget(self) -> None:
        from weir.values import drop_spares

        self.recent = []
        drop_spares()

    def given(self, function: int, number: int, parameters: tuple[object, ...]) -> tuple[int, int, Given]:
        from weir.values import Given

        return (function, number, Given(parameters, self.recent))

    # --- the whole

    def run(self) -> None:
        page = self.calls.read()
        if page is None or not self.calls.descriptors:
            return
        self.page = memoryview(mmap(self.calls.descriptors[0], 4096)).cast("q")
        os.close(self.calls.descriptors.pop())
        signal.signal(signal.SIGUSR1, self.obey)
        control = self.control.socket.fileno()
        fcntl.fcntl(control, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(control, fcntl.F_SETSIG, signal.SIGUSR1)
        fcntl.fcntl(control, fcntl.F_SETFL, fcntl.fcntl(control, fcntl.F_GETFL) | os.O_ASYNC)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts weir means weir, which ends its workers
        os.register_at_fork(after_in_child=self.leave)
        sys.stdout = Output(self, False)
        sys.stderr = Output(self, True)
        self.send_now((HELLO, -1, VERSION))
        while (message := self.calls.read()) is not None:
            if self.calls.descriptors:
                self.take_memory()
            for record in marshal.loads(message):
                kind = record[0]
                if kind == CALL:
                    self.queue.append(record[1:])
                elif kind == CALL_WITH:
                    self.queue.append(self.given(*record[1:]))
                elif kind == FORGET:
                    self.forget()
                elif kind == DEFINE:
                    self.define(*record[1:])
                elif kind == DESCRIBE:
                    self.send_now((DESCRIBED, -1, self.describe(record[1])))
            self.run_calls()


def failing(error: BaseException, inputs: list[str], outputs: list[str]) -> Function:
    """Stands for a function that could not be found: each call says so."""

    def fail(*parameters: object, **more: object) -> object:
        raise error

    operation = Operation(fail)
    return Function(operation, [], outputs, {})


# --- coroutines --------------------------------------------------------------------------------


class Coroutines:
    """An event loop in a thread of its own, which all coroutines of this worker share."""

    def __init__(self, worker: Worker) -> None:
        import asyncio
        import contextvars
        import threading

        self.asyncio = asyncio
        self.worker = worker
        self.loop = asyncio.new_event_loop()
        self.number: contextvars.ContextVar[int] = contextvars.ContextVar("weir_call", default=-1)
        self.under_way: dict[int, Call] = {}
        self.lock = threading.Lock()
        self.out: list[tuple[object, ...]] = []
        self.enclosed: Enclosed | None = None
        self.scheduled = False
        self.thread = threading.Thread(target=self._run, daemon=True, name="weir-coroutines")
        self.thread.start()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
        self.asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def is_own_thread(self) -> bool:
        return get_ident() == self.thread.ident

    def current(self) -> int:
        return self.number.get()

    def put(self, record: tuple[object, ...]) -> None:
        """In the loop's thread: sent when the loop turns, with what else came."""
        self.out.append(record)
        if not self.scheduled:
            self.scheduled = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self.scheduled = False
        if not self.out:
            return
        records, self.out = self.out, []
        enclosed, self.enclosed = self.enclosed, None
        self.worker.send_from_loop(records, enclosed)

    def enclose(self) -> Enclosed:
        """For what is put next: it goes with it, so that what came before goes first."""
        if self.enclosed is None or len(self.enclosed.descriptors) >= DESCRIPTORS_AT_ONCE:
            from weir.values import Enclosed

            if self.out:
                self._flush()
            self.enclosed = Enclosed()
        return self.enclosed

    def start(self, call: Call, parameters: Iterable[object]) -> None:
        self.under_way[call.number] = call
        self.loop.call_soon_threadsafe(self._begin, call, parameters)

    def _begin(self, call: Call, parameters: Iterable[object]) -> None:
        call.future = self.loop.create_task(self._work(call, parameters))

    async def _work(self, call: Call, parameters: Iterable[object]) -> None:
        self.number.set(call.number)
        function, worker = call.function, self.worker
        try:
            if function.kind == "async generator":
                await self._generate(call, parameters)
                record: tuple[object, ...] = (RESULTS, call.number, self._us(call), {})
            else:
                value = await function.call(*parameters)  # type: ignore[misc]
                record = worker.finished(call.number, function, self._us(call), value)
        except self.asyncio.CancelledError as error:
            record = (FAILED, call.number, self._us(call), "cancelled", "was cancelled", trace(error))
        except BaseException as error:  # noqa: BLE001
            text = trace(error)
            self.put((LOG, call.number, 1, text))
            record = (FAILED, call.number, self._us(call), "operation_failed", describe_error(error), text)
        self.under_way.pop(call.number, None)
        self.put(record)

    def _us(self, call: Call) -> int:
        return (perf_counter_ns() - call.started) // 1000

    async def _generate(self, call: Call, parameters: Iterable[object]) -> None:
        call.more = self.asyncio.Event()
        values = call.function.call(*parameters)
        try:
            async for value in values:  # type: ignore[attr-defined]
                call.ahead += 1
                self.put(self.worker.yielded(call.number, call.function, value))
                while call.ahead >= YIELDS_AHEAD:
                    call.more.clear()
                    await call.more.wait()
        finally:  # its own `finally` is over before anybody hears of its end
            await values.aclose()  # type: ignore[attr-defined]

    def cancel(self, number: int) -> None:
        call = self.under_way.get(number)
        if call:
            self.loop.call_soon_threadsafe(self._cancel, call)

    def _cancel(self, call: Call) -> None:
        if call.future:
            call.future.cancel()

    def let_on(self, number: int) -> None:
        call = self.under_way.get(number)
        if call:
            self.loop.call_soon_threadsafe(self._let_on, call)

    def _let_on(self, call: Call) -> None:
        call.ahead -= MORE_YIELDS
        if call.more:
            call.more.set()


# --- what people read --------------------------------------------------------------------------


class Output:
    """Standard output or error: what is printed goes to the log of the call that prints."""

    encoding = "utf-8"
    errors = "replace"
    newlines = None

    def __init__(self, worker: Worker, error: bool) -> None:
        self.worker = worker
        self.error = error
        self.number = 2 if error else 1

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self.worker.log(self.worker.current(), self.error, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.number

    @property
    def closed(self) -> bool:
        return False

    @property
    def buffer(self) -> object:
        return os.fdopen(os.dup(self.number), "wb", 0)


def describe_error(error: BaseException) -> str:
    text = str(error)
    name = type(error).__qualname__
    return f"{name}: {text}" if text else name


def users_part(error: BaseException) -> TracebackType | None:
    """The traceback from the user's first frame on."""
    place = error.__traceback__
    while place and place.tb_frame.f_globals.get("__name__", "").startswith(("weir.", "importlib.", "asyncio.")):
        place = place.tb_next
    return place


def trace(error: BaseException) -> str:
    """The traceback as Python prints it, of the user's frames: not of those that called them, nor of what interrupted them."""
    import traceback

    first = place = users_part(error)
    count = 0
    while place and place.tb_frame.f_globals.get("__name__") != __name__:
        count += 1
        place = place.tb_next
    if isinstance(error, Cancelled):
        return "".join(["It was at:\n", *traceback.format_tb(first, count)])
    return "".join(traceback.format_exception(type(error), error, first, count if place else None))


def last_place(error: BaseException) -> str:
    place, last = users_part(error), None
    while place:
        if not place.tb_frame.f_globals.get("__name__", "").startswith("weir."):
            last = place
        place = place.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        return f"at {error.filename}:{error.lineno}"
    if last is None or "importlib" in last.tb_frame.f_code.co_filename:
        return "modules are looked for beside the file, in the folder where weir runs, and in PYTHONPATH"
    return f"at {last.tb_frame.f_code.co_filename}:{last.tb_lineno}"


worker: Worker | None = None


def main() -> None:
    global worker
    worker = Worker()
    worker.run()
    os._exit(0)
