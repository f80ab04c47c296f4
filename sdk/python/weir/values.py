"""Bytes, arrays, tables and any other objects of Python on their way between workers.

What has no plain form is pickled (protocol 5). Its large buffers stay outside of the pickle, in memory that processes share: a memfd, which
is sealed once it is filled. weir passes its descriptor on, and who gets the object maps it: an array is there without a copy, and cannot
be written to. What is still in such memory when a function gives it on is not copied again.

A worker imports this when the first such value comes by. The standard library of Python 3.9 is enough.
"""

from __future__ import annotations

import fcntl
import os
import sys
import weakref
from collections.abc import Callable, Iterable
from io import BytesIO
from mmap import MAP_SHARED, PROT_READ, mmap
from pickle import PickleBuffer, Pickler, PicklingError, Unpickler, UnpicklingError
from typing import Any

from weir.operation import load_file, loaded_files

SHARED_FROM = 64 * 1024  # smaller ones are in the message
ALIGNMENT = 64
ADD_SEALS = 1033
SEALS = 0x1 | 0x2 | 0x4  # nobody seals more, shrinks, grows,
WRITE = 0x8  # writes
SPARE_FROM = 1024 * 1024
SPARE_BYTES_MAX = 256 * 1024 * 1024
WRITE_AT_ONCE = 1 << 30
BYTES, OBJECT = range(2)
ABOUT_MAX = 200
DEPTH_MAX = 128


class NotAValue(TypeError):
    """An object that cannot go to another process."""


# --- memory that is shared ---------------------------------------------------------------------


class Segment(mmap):
    """Memory that others can see, too; read-only. It is gone when nothing refers to it any more."""

    descriptor: int
    place: int  # its address
    key: tuple[int, int]  # of no other memory, while this is there
    made: dict[tuple[int, int], bytes]  # bytes that were made of a part

    def __del__(self) -> None:
        os.close(self.descriptor)


segments: weakref.WeakValueDictionary[tuple[int, int], Segment] = weakref.WeakValueDictionary()


def segment_of(descriptor: int) -> Segment:
    """That of a descriptor, which is taken over."""
    what = os.fstat(descriptor)
    key = (what.st_dev, what.st_ino)
    known = segments.get(key)
    if known is not None:
        os.close(descriptor)
        return known
    segment = Segment(descriptor, what.st_size, MAP_SHARED, PROT_READ)
    segment.descriptor = descriptor
    segment.place = address_of(memoryview(segment))
    segment.key = key
    segment.made = {}
    segments[key] = segment
    return segment


def make_address_of() -> Callable[[memoryview], int]:
    import ctypes

    class Buffer(ctypes.Structure):
        _fields_ = [
            ("buf", ctypes.c_void_p),
            ("obj", ctypes.py_object),
            ("len", ctypes.c_ssize_t),
            ("itemsize", ctypes.c_ssize_t),
            ("readonly", ctypes.c_int),
            ("ndim", ctypes.c_int),
            ("format", ctypes.c_char_p),
            ("shape", ctypes.c_void_p),
            ("strides", ctypes.c_void_p),
            ("suboffsets", ctypes.c_void_p),
            ("internal", ctypes.c_void_p),
        ]

    get = ctypes.pythonapi.PyObject_GetBuffer
    get.argtypes = [ctypes.py_object, ctypes.POINTER(Buffer), ctypes.c_int]
    release = ctypes.pythonapi.PyBuffer_Release
    release.argtypes = [ctypes.POINTER(Buffer)]

    def address(view: memoryview) -> int:
        buffer = Buffer()
        get(view, ctypes.byref(buffer), 0)
        place = buffer.buf or 0
        release(ctypes.byref(buffer))
        return place

    return address


known_address_of: Callable[[memoryview], int] | None = None


def address_of(view: memoryview) -> int:
    """Where its first byte is."""
    global known_address_of
    if known_address_of is None:
        known_address_of = make_address_of()
    return known_address_of(view)


class Memory:
    """Memory of large buffers, which is used again once nobody else has it: see sdk/python/src/memory.h, which is in a library beside this file.

    NumPy's arrays are made in it, so that they need not be copied when they are given on.
    """

    def __init__(self) -> None:
        import ctypes

        folder = os.path.dirname(os.path.abspath(__file__))
        places = [os.path.join(folder, *up, "_memory.so") for up in ((), (os.pardir, os.pardir, os.pardir))]  # of a wheel for another Python
        library = self.library = ctypes.CDLL(next((place for place in places if os.path.exists(place)), places[0]))
        library.weir_memory_copy.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        library.weir_memory_lend.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]
        library.weir_memory_handler.argtypes = [ctypes.c_void_p]
        library.weir_memory_handler.restype = ctypes.c_void_p

    def copy(self, address: int, size: int) -> int:
        """A descriptor of memory that begins with the bytes; -1: there is none to be had."""
        descriptor: int = self.library.weir_memory_copy(address, size)
        return descriptor

    def lend(self, address: int, size: int) -> tuple[int, int]:
        """A descriptor of the memory that the bytes are in already, and where; -1: they are in none."""
        import ctypes

        offset = ctypes.c_size_t()
        descriptor = self.library.weir_memory_lend(address, size, ctypes.byref(offset))
        return descriptor, offset.value

    def drop(self) -> None:
        self.library.weir_memory_drop()

    def serve_numpy(self) -> None:
        """From now on NumPy makes this thread's large arrays in memory that is free."""
        import ctypes

        core = sys.modules.get("numpy._core._multiarray_umath") or sys.modules["numpy.core._multiarray_umath"]
        pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
        capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
            ("PyCapsule_New", ctypes.pythonapi)
        )
        table = ctypes.cast(pointer(core._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
        get = ctypes.PYFUNCTYPE(ctypes.py_object)(table[NUMPY_GET_HANDLER] or 0)
        put = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[NUMPY_SET_HANDLER] or 0)
        handler = self.library.weir_memory_handler(pointer(get(), HANDLER_NAME))
        put(capsule(handler, HANDLER_NAME, None))


HANDLER_NAME = b"mem_handler"  # NumPy's; a capsule does not copy its name
NUMPY_SET_HANDLER, NUMPY_GET_HANDLER = 304, 305  # places in its table of functions, since 1.22

memory: Memory | None = None
has_memory = True  # as far as is known
serves_numpy = False


def memory_of_worker() -> Memory | None:
    """None: there is no such library for this system."""
    global memory, has_memory
    if memory is None and has_memory:
        try:
            memory = Memory()
        except (OSError, AttributeError):
            has_memory = False
    return memory


def serve_numpy() -> None:
    """In the thread that calls functions, once there is memory that may be free again."""
    global serves_numpy
    numpy = sys.modules.get("numpy")
    if serves_numpy or memory is None or numpy is None:
        return
    serves_numpy = True
    try:
        if tuple(int(part) for part in numpy.__version__.split(".")[:2]) >= (1, 22):
            memory.serve_numpy()
    except Exception:  # noqa: BLE001, S110
        pass  # another NumPy than is known: arrays are copied


def drop_spares() -> None:
    if memory:
        memory.drop()


def write_all(descriptor: int, view: memoryview, offset: int) -> None:
    at = 0
    while at < view.nbytes:
        at += os.pwrite(descriptor, view[at : at + WRITE_AT_ONCE], offset + at)


# --- out ---------------------------------------------------------------------------------------


class Enclosed:
    """The memory that goes beside a message: descriptors, in the order in which the message counts them; closed once it is sent."""

    def __init__(self) -> None:
        self.descriptors: list[int] = []
        self.numbers: dict[tuple[int, int], int] = {}  # of segments that are known, by their key

    def number_of(self, segment: Segment) -> int:
        number = self.numbers.get(segment.key)
        if number is None:
            number = self.numbers[segment.key] = self.add(os.dup(segment.descriptor))
        return number

    def add(self, descriptor: int) -> int:
        self.descriptors.append(descriptor)
        return len(self.descriptors) - 1

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()
        self.numbers.clear()


class Writer:
    """Writes one value: what goes into the message, and what beside it."""

    def __init__(self, enclosed: Enclosed) -> None:
        self.enclosed = enclosed
        self.fresh = -1  # descriptor of memory that is being filled
        self.number = 0
        self.end = 0
        self.known: dict[tuple[int, int], tuple[int, int, int]] = {}
        self.lent: list[tuple[int, int, int, int]] = []  # number, address, size, offset of arrays that were not copied
        self.held: list[object] = []  # so that an address is one object's only

    def write(self, value: object) -> object:
        """What `marshal` can write. Raises what pickling raises, and OSError when there is no memory."""
        try:
            return self.plain(value, 0)
        finally:
            self.seal()

    def seal(self) -> None:
        if self.fresh >= 0:
            fcntl.fcntl(self.fresh, ADD_SEALS, SEALS | WRITE)
            self.fresh = -1

    def plain(self, value: Any, depth: int) -> object:
        kind = type(value)
        if kind in SIMPLE:
            return value
        if depth > DEPTH_MAX:
            raise ValueError("it is nested deeper than 128 levels")
        if kind is bytes or isinstance(value, (bytes, bytearray, memoryview)):
            return self.write_bytes(value)
        if isinstance(value, (bool, str, int, float)):
            base = next(one for one in (bool, str, int, float) if isinstance(value, one))
            return base.__str__(value) if base is str else base(value)
        if isinstance(value, dict):
            if all(isinstance(key, str) for key in value):
                return {str.__str__(key): self.plain(item, depth + 1) for key, item in value.items()}
        elif isinstance(value, tuple) and hasattr(value, "_fields"):
            return {name: self.plain(item, depth + 1) for name, item in zip(value._fields, value)}
        elif isinstance(value, (list, tuple)):
            return [self.plain(item, depth + 1) for item in value]
        elif isinstance(value, (set, frozenset)):
            return [self.plain(item, depth + 1) for item in ordered(value)]
        elif not isinstance(value, type) and hasattr(kind, "__dataclass_fields__"):
            return {name: self.plain(getattr(value, name), depth + 1) for name in kind.__dataclass_fields__}
        elif not hasattr(kind, "__len__"):
            number = number_of(value)
            if number is not None:
                return number
        return self.write_object(value)

    def write_bytes(self, value: Any) -> object:
        for segment in list(segments.values()) if type(value) is bytes and len(value) > SHARED_FROM else ():
            for (offset, length), made in segment.made.items():
                if made is value:
                    return (..., BYTES, (self.enclosed.number_of(segment), offset, length))
        view = memoryview(value)
        if view.nbytes <= SHARED_FROM or not view.c_contiguous:
            value = view.tobytes()
            view = memoryview(value)
        if view.nbytes <= SHARED_FROM:
            return value
        return (..., BYTES, self.piece(view.cast("B")))

    def write_object(self, value: Any) -> object:
        pickled, buffers = pickle(value)
        self.held.append(buffers)
        first = self.piece(pickled) if pickled.nbytes > SHARED_FROM else pickled.tobytes()
        return (..., OBJECT, about(value), [first, *map(self.piece, buffers)])

    def piece(self, view: memoryview) -> tuple[int, int, int]:
        """The place of bytes in memory that is shared: where they are, or a copy."""
        size = view.nbytes
        key = (address_of(view), size)
        place = self.known.get(key)
        if place is None:
            place = self.known[key] = self.find(*key) or self.copy(view, *key)
            self.held.append(view)
        return place

    def find(self, address: int, size: int) -> tuple[int, int, int] | None:
        for segment in list(segments.values()):
            offset = address - segment.place
            if 0 <= offset and offset + size <= len(segment):
                return (self.enclosed.number_of(segment), offset, size)
        for number, place, length, begin in self.lent:
            if place <= address and address + size <= place + length:
                return (number, begin + address - place, size)
        if memory is None or size < SPARE_FROM:
            return None
        descriptor, offset = memory.lend(address, size)
        if descriptor < 0:
            return None
        number = self.enclosed.add(descriptor)
        self.lent.append((number, address, size, offset))
        return (number, offset, size)

    def copy(self, view: memoryview, address: int, size: int) -> tuple[int, int, int]:
        if SPARE_FROM <= size <= SPARE_BYTES_MAX:
            own = memory_of_worker()
            descriptor = own.copy(address, size) if own else -1
            if descriptor >= 0:
                return (self.enclosed.add(descriptor), 0, size)
        if self.fresh < 0:
            self.fresh = os.memfd_create("weir-value", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            self.number = self.enclosed.add(self.fresh)
            self.end = 0
        offset = -(-self.end // ALIGNMENT) * ALIGNMENT
        write_all(self.fresh, view, offset)
        self.end = offset + size
        return (self.number, offset, size)


def pickle(value: Any) -> tuple[memoryview, list[memoryview]]:
    """The pickle, and the large buffers that stand beside it."""
    buffers: list[memoryview] = []

    def take(buffer: PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes <= SHARED_FROM:
            return True  # within the pickle
        buffers.append(view)
        return False

    stream = BytesIO()
    files = loaded_files()
    try:
        Pickler(stream, 5, buffer_callback=take).dump((Files(files) if files else None, value))
    except (TypeError, AttributeError, PicklingError, RecursionError) as error:
        raise NotAValue(
            f"a {name_of(type(value))} cannot be pickled ({error}), so no other process can have it: "
            "give what it is made of, or make it where it is used"
        ) from error
    return stream.getbuffer(), buffers


def freeze(value: Any) -> list[memoryview]:
    """What a value is kept by: the pickle, then the buffers."""
    pickled, buffers = pickle(value)
    return [pickled, *buffers]


def thaw(pieces: list[Any]) -> Any:
    """What `freeze` gave, as an object again; its buffers are looked at where they are."""
    return Unpickler(BytesIO(pieces[0]), buffers=pieces[1:]).load()[1]


SIMPLE = frozenset((type(None), bool, int, float, str))


def number_of(value: Any) -> int | float | None:
    """What says that it is a number, as numpy's scalars do."""
    for attribute, convert in (("__index__", int), ("__float__", float)):
        if hasattr(value, attribute):
            try:
                number: int | float = convert(value)
                return number
            except Exception:  # noqa: BLE001, S110
                pass
    return None


def ordered(value: Iterable[Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


def name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def about(value: Any) -> str:
    """The type, and what an array says of itself."""
    text = name_of(type(value))
    try:
        if hasattr(value, "dtype"):
            text += f" {value.dtype}"
        if isinstance(getattr(value, "shape", None), tuple):
            text += " (" + ", ".join(map(str, value.shape)) + ")"
    except Exception:  # noqa: BLE001, S110
        pass
    return text.encode("utf-8", "replace").decode()[:ABOUT_MAX]


class Files:
    """Stands before an object in its pickle: modules that were found by their files are there before they are looked for."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def __reduce__(self) -> tuple[Callable[[dict[str, str]], None], tuple[dict[str, str]]]:
        return (load_files, (self.files,))


def load_files(files: dict[str, str]) -> None:
    for name, path in files.items():
        if name not in sys.modules:
            load_file(path)


# --- in ----------------------------------------------------------------------------------------


class Given:
    """Parameters of a call, of which some are not plain, and the memory that came with them."""

    __slots__ = ("parameters", "segments")

    def __init__(self, parameters: tuple[object, ...], segments: list[Segment]) -> None:
        self.parameters = parameters
        self.segments = segments

    def read(self, names: list[str], views: frozenset[int] = frozenset()) -> list[object]:
        """What the function is called with; of `views` those that are bytes are looked at where they are."""
        made = []
        for i, value in enumerate(self.parameters):
            try:
                made.append(self.value(value, i in views))
            except Exception as error:
                what = value[2] if type(value) is tuple and value[1] == OBJECT else "value"
                raise UnpicklingError(
                    f"`{names[i] if i < len(names) else i}`, a {what}, cannot be unpickled here: "
                    f"{type(error).__qualname__}: {error}"
                ) from error
        return made

    def value(self, value: Any, view: bool = False) -> object:
        kind = type(value)
        if kind is tuple:
            return self.read_bytes(value[2], view) if value[1] == BYTES else self.read_object(value[3])
        if kind is list:
            return [self.value(item) for item in value]
        if kind is dict:
            return {key: self.value(item) for key, item in value.items()}
        return memoryview(value) if view and kind is bytes else value

    def piece(self, piece: Any) -> memoryview:
        if type(piece) is bytes:
            return memoryview(piece)
        number, offset, length = piece
        return memoryview(self.segments[number])[offset : offset + length]

    def read_bytes(self, piece: Any, view: bool) -> bytes | memoryview:
        if view:
            return self.piece(piece)
        if isinstance(piece, bytes):
            return piece
        made = self.segments[piece[0]].made
        place: tuple[int, int] = piece[1:]
        if place not in made:
            made[place] = bytes(self.piece(piece))
        known: bytes = made[place]
        return known

    def read_object(self, pieces: list[Any]) -> object:
        return thaw([self.piece(piece) for piece in pieces])
