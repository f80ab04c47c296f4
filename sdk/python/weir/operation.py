"""Operations that are Python functions: what a function takes and gives, as weir wants to know it.

Imported by workers before they do anything, so it imports next to nothing itself.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from weir.source import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Function = TypeVar("Function", bound=Callable[..., Any])

NOTHING: Any = type("Nothing", (), {"__repr__": lambda self: "NOTHING"})()

GENERATOR, COROUTINE, ASYNC_GENERATOR, VAR_POSITIONAL, VAR_KEYWORD = 0x20, 0x80, 0x200, 0x04, 0x08

PRIMITIVES: dict[Any, str] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "bool",
    bytes: "bytes",
    bytearray: "bytes",
    memoryview: "bytes",
    list: "array",
    tuple: "array",
    set: "array",
    frozenset: "array",
    dict: "map",
}


class NoFunction(Exception):
    """There is no function of that name."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Definition:
    """What `Annotated` says of a parameter or an output: `Annotated[str, Definition("URL", lock=True)]`.

    name: of the definition in dataflows; values of equal definitions feed each other.
    primitive: instead of the one that follows from the type.
    lock: operations that share the value run one after the other.
    default: of the definition, where nothing gives a value.
    validate: the name of an operation that looks at each value.
    """

    __slots__ = ("default", "lock", "name", "primitive", "validate")

    def __init__(
        self,
        name: str | None = None,
        *,
        primitive: str | None = None,
        lock: bool = False,
        default: Any = NOTHING,
        validate: str | None = None,
    ) -> None:
        self.name = name
        self.primitive = primitive
        self.lock = lock
        self.default = default
        self.validate = validate


class Port:
    """A parameter or an output."""

    __slots__ = ("annotation", "default", "definition", "name", "primitive")

    def __init__(self, name: str, annotation: Any = NOTHING, default: Any = NOTHING) -> None:
        self.name = name
        self.definition = definition_of(annotation)
        self.annotation = without_extras(annotation)
        self.primitive = self.definition.primitive or primitive_of(self.annotation)
        self.default = default

    def describe(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name, "primitive": self.primitive, "about": ""}
        if self.definition.name:
            entry["definition"] = self.definition.name
        default = self.default if self.definition.default is NOTHING else self.definition.default
        if default is not NOTHING:
            entry["default"] = default if is_json(default) else None
        return entry


class Operation:
    """A function as an operation. It can be called as the function it is."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | Sequence[str] | None = None,
        conditions: Sequence[str] | str = (),
        expand: Sequence[str] | str = (),
        stage: str = "processing",
        config: type | None = None,
        resources: Mapping[str, Any] | None = None,
        retry: int | Mapping[str, Any] = 0,
        timeout: float | str | None = None,
        cache: bool | float | str | Mapping[str, Any] = False,
        pure: bool = False,
        validator: bool = False,
        interpreter: str | None = None,
        requirements: Sequence[str] | str | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"{function!r} cannot be called")
        self.function = function
        self.name = name or f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"
        self.conditions = (conditions,) if isinstance(conditions, str) else tuple(conditions)
        self.expand = (expand,) if isinstance(expand, str) else tuple(expand)
        self.stage = stage
        self.config = config
        self.resources = dict(resources or {})
        self.retry = retry
        self.timeout = timeout
        self.cache = cache
        self.pure = pure
        self.validator = validator
        self.interpreter = interpreter
        self.requirements = requirements
        self.kind = kind_of(function)
        self.positional, self.inputs, self.any_inputs = parameters_of(function, config is not None)
        if inputs:
            self.inputs = [Port(port.name, inputs.get(port.name, port.annotation), port.default) for port in self.inputs]
        self.declared, self.outputs = outputs_of(function, outputs, self.kind)
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__", "__wrapped__"):
            value = function if attribute == "__wrapped__" else getattr(function, attribute, None)
            if value is not None:
                setattr(self, attribute, value)
        if stage != "processing" or expand or resources or retry or cache or timeout is not None:
            from weir.declared import check

            check(self)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        node = wire(self, arguments, named)
        return self.function(*arguments, **named) if node is None else node

    def __repr__(self) -> str:
        return f"<weir operation {self.name}>"

    # --- calling

    def is_single(self, outputs: Sequence[str]) -> bool:
        """Whether all that it returns is the one output."""
        return len(outputs) == 1 and not self.declared

    def named(self, value: Any, outputs: Sequence[str]) -> dict[str, Any]:
        """What it returned, by the names of the outputs.

        A dict says the names itself; a tuple has them in order; else it is the only one. Raises TypeError.
        """
        if not outputs and (value is None or not self.declared):
            return {}
        known = [port.name for port in self.outputs] if self.declared else list(outputs)
        if isinstance(value, dict) and all(key in known for key in value):
            return value
        if type(value) is tuple and len(value) == len(known) > 1:
            return dict(zip(known, value))
        if len(known) == 1:
            return {known[0]: value}
        if value is None:
            return {}
        if isinstance(value, dict):
            unknown = next(key for key in value if key not in known)
            raise TypeError(f"there is no output {unknown!r}, but {', '.join(known) or 'none'}")
        raise TypeError(
            f"a dict with the outputs {', '.join(known)}, or a tuple of {len(known)}, is wanted, not {type(value).__name__}"
        )

    def bind(self, inputs: Sequence[str], config: Mapping[str, Any]) -> Callable[..., Any]:
        """The function as it is called with values of these inputs, in their order."""
        function = self.function
        shaped = {port.name: shape_of(port.annotation) for port in self.inputs}
        shapes = [shaped.get(name) for name in inputs]
        fixed: dict[str, Any] = {}
        if self.config is not None:
            fixed["config"] = self.config(**config)
        if not fixed and not any(shapes) and list(inputs) == self.positional[: len(inputs)]:
            return function
        names = list(inputs)

        def call(*values: Any) -> Any:
            given = {
                name: value if shape is None or value is None else shape(value)
                for name, shape, value in zip(names, shapes, values)
            }
            return function(**given, **fixed)

        return call

    # --- what weir is told

    def describe(self, name: str | None = None) -> dict[str, Any]:
        """`name`: as files have it."""
        from weir.declared import declared

        hints = [{"coroutine": "async", "generator": "generator"}.get(self.kind)]
        if self.kind == "async generator":
            hints = ["async", "generator"]
        hints += ["pure" if self.pure else None, "remembered" if self.cache else None]
        hints += ["any inputs" if self.any_inputs else None, None if self.declared else "any outputs"]
        entry: dict[str, Any] = {
            "about": first_sentence(self.function),
            "inputs": [port.describe() for port in self.inputs],
            "outputs": [port.describe() for port in self.outputs],
            "config": [port.describe() for port in fields_of(self.config)] if self.config else [],
            "hints": [hint for hint in hints if hint],
            "code": code_of(self.function),
        }
        if self.stage != "processing":
            entry["stage"] = self.stage
        if self.expand:
            entry["expand"] = list(self.expand)
        if said := declared(self, name or self.name):
            entry["declared"] = said
        if self.interpreter or self.requirements:
            from weir.environments import where

            entry["python"] = where(self.interpreter, self.requirements, file_of(self.function))
        return entry


if TYPE_CHECKING:

    @overload
    def operation(function: Callable[..., Any], /) -> Operation: ...

    @overload
    def operation(
        *,
        name: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | Sequence[str] | None = None,
        conditions: Sequence[str] | str = (),
        expand: Sequence[str] | str = (),
        stage: str = "processing",
        config: type | None = None,
        resources: Mapping[str, Any] | None = None,
        retry: int | Mapping[str, Any] = 0,
        timeout: float | str | None = None,
        cache: bool | float | str | Mapping[str, Any] = False,
        pure: bool = False,
        validator: bool = False,
        interpreter: str | None = None,
        requirements: Sequence[str] | str | None = None,
    ) -> Callable[[Callable[..., Any]], Operation]: ...


def operation(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a function an operation: `@operation`, or `@operation(pure=True, …)` with what `Operation` takes."""
    if function is not None:
        return Operation(function, **options)

    def decorate(function: Callable[..., Any]) -> Operation:
        return Operation(function, **options)

    return decorate


def file_of(function: Any) -> str:
    """Of its module; "": of none."""
    found = plain_function(function)
    return found.__code__.co_filename if found else ""


def find(name: str) -> Operation:
    """`module:function`, or `path/to/file.py:function`, as an operation. Imports the module.

    Raises NoFunction, and what the module raises when it is imported.
    """
    module_name, _, path = name.partition(":")
    found: Any = load(module_name)
    for part in path.split("."):
        if not hasattr(found, part):
            near = nearest(part, dir(found))
            hint = f"did you mean `{near}`?" if near else ""
            raise NoFunction(f"the module has no `{part}`", hint)
        found = getattr(found, part)
    if isinstance(found, Operation):
        return found
    if hasattr(found, "weir_operation"):
        made: Operation = found.weir_operation(name)
        return made
    if not callable(found):
        raise NoFunction(f"`{path}` is no function, but of type {type(found).__name__}")
    return Operation(found, name=name)


def describe_module(name: str) -> dict[str, Any]:
    """What the decorated functions of a module are, or of a file; and the names of its others, which are operations too."""
    module = load(name)
    described, others = [], []
    for path, value in members_of(module):
        full_name = f"{name}:{path}"
        if isinstance(value, Operation):
            described.append({"name": full_name, **value.describe(full_name)})
        elif isinstance(value, FunctionType) and "." not in path and not path.startswith("_"):
            others.append(full_name)
    return {"operations": described, "others": others}


def members_of(module: Any) -> Iterable[tuple[str, Any]]:
    """What the module itself defines, and its classes do."""
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        yield name, value
        if isinstance(value, type):
            for inner, member in vars(value).items():
                member = member.__func__ if isinstance(member, staticmethod) else member
                if isinstance(member, Operation):
                    yield f"{name}.{inner}", member


def load(name: str) -> Any:
    return load_file(name) if name.endswith(".py") else load_module(name)


def load_module(name: str) -> Any:
    __import__(name)
    return sys.modules[name]


LOADED: dict[str, str] = {}  # modules that were found by their files, and those


def loaded_files() -> dict[str, str]:
    return LOADED


def load_file(path: str) -> Any:
    import os
    from importlib.util import module_from_spec, spec_from_file_location

    place = path
    for folder in ("", *sys.path[1:3]):
        place = os.path.join(folder, path)
        if os.path.exists(place):
            break
    name = os.path.basename(path)[: -len(".py")]
    spec = spec_from_file_location(name, place)
    if spec is None or spec.loader is None or not os.path.exists(place):
        raise ImportError(f"there is no file {path}")
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == spec.origin:
        return known
    module = module_from_spec(spec)
    sys.modules[name] = module
    LOADED[name] = os.path.abspath(place)
    spec.loader.exec_module(module)
    return module


def nearest(wrong: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(wrong, list(names), 1)), None)


# --- what a function is ------------------------------------------------------------------------


def plain_function(function: Any) -> FunctionType | None:
    """The function beneath partial objects, methods and wrappers; None: it is written in C, or a class."""
    for _ in range(32):
        if isinstance(function, FunctionType):
            return function
        inner = getattr(function, "__func__", None) or getattr(function, "func", None)
        if inner is None and not isinstance(function, type):
            inner = getattr(type(function), "__call__", None)
        if inner is None or inner is function:
            return None
        function = inner
    return None


def kind_of(function: Any) -> str:
    """Of the innermost function, as what wraps a coroutine mostly gives one."""
    innermost = function
    for _ in range(32):
        inner = getattr(innermost, "__wrapped__", None)
        if inner is None:
            break
        innermost = inner
    found = plain_function(innermost)
    flags = found.__code__.co_flags if found else 0
    if flags & ASYNC_GENERATOR:
        return "async generator"
    if flags & COROUTINE:
        return "coroutine"
    return "generator" if flags & GENERATOR else "function"


def annotations_of(function: Any) -> dict[str, Any]:
    """With names in texts looked up, where that is possible."""
    found = getattr(function, "__annotations__", None)
    if not isinstance(found, dict):
        found = getattr(plain_function(function), "__annotations__", {})
    if all(isinstance(value, type) or value is None for value in found.values()):
        return dict(found)
    import typing

    try:
        return typing.get_type_hints(plain_function(function) or function, include_extras=True)
    except Exception:  # noqa: BLE001
        return {name: value for name, value in found.items() if not isinstance(value, str)}


def parameters_of(function: Any, has_config: bool) -> tuple[list[str], list[Port], bool]:
    """Names that can be given by position, all parameters, and whether there may be more by any name."""
    annotations = annotations_of(function)
    if isinstance(function, FunctionType):
        code = function.__code__
        count = code.co_argcount
        names = list(code.co_varnames[: count + code.co_kwonlyargcount])
        defaults = dict(zip(names[count - len(function.__defaults__ or ()) : count], function.__defaults__ or ()))
        defaults.update(function.__kwdefaults__ or {})
        positional, more = names[:count], bool(code.co_flags & VAR_KEYWORD)
        if code.co_flags & VAR_POSITIONAL and not names:
            more = True
    else:
        positional, names, defaults, more = signature_of(function)
    ports = [
        Port(name, annotations.get(name, NOTHING), defaults.get(name, NOTHING))
        for name in names
        if not (has_config and name == "config")
    ]
    return positional, ports, more


def signature_of(function: Any) -> tuple[list[str], list[str], dict[str, Any], bool]:
    import inspect

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [], [], {}, True
    kinds = inspect.Parameter
    named = [one for one in parameters if one.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)]
    positional = [one.name for one in named if one.kind != kinds.KEYWORD_ONLY]
    defaults = {one.name: one.default for one in named if one.default is not kinds.empty}
    return positional, [one.name for one in named], defaults, len(named) < len(parameters)


def outputs_of(function: Any, given: Any, kind: str) -> tuple[bool, list[Port]]:
    """Whether the outputs' names are the function's own, and the outputs."""
    if given is not None:
        if isinstance(given, str):
            given = [given]
        if isinstance(given, dict) or hasattr(given, "items"):
            return True, [Port(name, annotation) for name, annotation in given.items()]
        return True, [Port(name) for name in given]
    annotations = annotations_of(function)
    annotation = annotations.get("return", NOTHING)
    if "generator" in kind:
        annotation = (getattr(without_extras(annotation), "__args__", None) or (NOTHING,))[0]
    if annotation is None or annotation is type(None):
        return False, []
    inner = without_extras(annotation)
    if is_typed_dict(inner):
        import typing

        return True, [Port(name, hint) for name, hint in typing.get_type_hints(inner, include_extras=True).items()]
    return False, [Port("result", annotation)]


def is_typed_dict(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, dict) and hasattr(annotation, "__total__")


def definition_of(annotation: Any) -> Definition:
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, Definition):
            return extra
    return Definition()


def without_extras(annotation: Any) -> Any:
    """The type that is annotated; of one that may be None, the other."""
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    arguments = getattr(annotation, "__args__", ())
    is_union = getattr(annotation, "__origin__", None) is sys.modules.get("typing", sys).__dict__.get("Union") or (
        type(annotation).__name__ == "UnionType"
    )
    if is_union and len(arguments) == 2 and type(None) in arguments:
        return next(one for one in arguments if one is not type(None))
    return annotation


def primitive_of(annotation: Any) -> str:
    origin = getattr(annotation, "__origin__", None) or annotation
    known = PRIMITIVES.get(origin) if isinstance(origin, type) else None
    if known:
        return known
    if isinstance(origin, type):
        if issubclass(origin, dict) or fields_of(origin):
            return "map"
        for base, primitive in PRIMITIVES.items():
            if issubclass(origin, base):
                return primitive
        if origin.__module__ == "collections.abc":
            return {"Mapping": "map", "MutableMapping": "map", "Sequence": "array", "Iterable": "array"}.get(
                origin.__name__, "generic"
            )
    return "generic"


def fields_of(kind: Any) -> list[Port]:
    """Those of a dataclass or a named tuple; none of anything else."""
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields:
        import dataclasses

        hints = annotations_of(kind)
        return [
            Port(
                field.name,
                hints.get(field.name, NOTHING),
                NOTHING if field.default is dataclasses.MISSING else field.default,
            )
            for field in dataclasses.fields(kind)
            if field.init
        ]
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints = annotations_of(kind)
        defaults = getattr(kind, "_field_defaults", {})
        return [Port(name, hints.get(name, NOTHING), defaults.get(name, NOTHING)) for name in kind._fields]
    return []


def shape_of(annotation: Any) -> Callable[[Any], Any] | None:
    """What makes of a value what the function wants; None: it is that already."""
    if annotation is bytearray:
        return bytearray
    if annotation is tuple or getattr(annotation, "__origin__", None) is tuple:
        return tuple
    if annotation in (set, frozenset) or getattr(annotation, "__origin__", None) in (set, frozenset):
        return frozenset if frozenset in (annotation, getattr(annotation, "__origin__", None)) else set
    fields = fields_of(annotation)
    if not fields:
        return None
    shapes = {field.name: shape for field in fields if (shape := shape_of(field.annotation))}

    def make(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return annotation(**{key: shapes[key](item) if key in shapes else item for key, item in value.items()})

    return make


def is_json(value: Any) -> bool:
    if value is None or type(value) in (bool, int, float, str):
        return True
    if type(value) in (list, tuple):
        return all(is_json(item) for item in value)
    return type(value) is dict and all(type(key) is str and is_json(item) for key, item in value.items())


def first_sentence(function: Any) -> str:
    text = " ".join((getattr(function, "__doc__", None) or "").split("\n\n")[0].split())
    return text if len(text) <= 200 else text[:199] + "…"


# --- what its code is --------------------------------------------------------------------------


def code_of(function: Any) -> str | None:
    """A word that changes when the function does something else, or a function or class that it uses and that its user wrote, in its module or
    another; or when a library has another version that the module has imported as a whole. None: it cannot be told."""
    found = plain_function(function)
    if found is None:
        return None
    parts: list[str] = [sys.version]
    add_function(found, parts, set())
    from hashlib import blake2b

    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def add_function(function: FunctionType, parts: list[str], seen: set[Any]) -> None:
    if function in seen:
        return
    seen.add(function)
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).items()):
        parts.append(repr(default) if is_json(default) else type(default).__qualname__)
    for cell in function.__closure__ or ():
        try:
            add_value(cell.cell_contents, (), function.__module__, parts, seen)
        except ValueError:  # it is empty yet
            parts.append("")
    add_code(function.__code__, function.__globals__, parts, seen)


def add_code(code: CodeType, space: dict[str, Any], parts: list[str], seen: set[Any]) -> None:
    if code in seen:
        return
    seen.add(code)
    parts += [code.co_code.hex(), repr(code.co_names), repr(code.co_varnames)]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            add_code(constant, space, parts, seen)
        else:
            parts.append(repr(sorted(map(repr, constant))) if isinstance(constant, frozenset) else repr(constant))
    for name in code.co_names:
        if name in space:
            add_value(space[name], code.co_names, space.get("__name__"), parts, seen)


def add_value(value: Any, names: Iterable[str], module: Any, parts: list[str], seen: set[Any]) -> None:
    """What the value of a name in a module is; of a module those of `names` that it has."""
    value = value.function if isinstance(value, Operation) else value
    if isinstance(value, FunctionType):
        if value.__module__ == module or is_users(value.__module__):
            add_function(value, parts, seen)
        else:
            parts.append(version_of(value.__module__))
    elif isinstance(value, type):
        if (value.__module__ == module or is_users(value.__module__)) and value not in seen:
            seen.add(value)
            parts.append(value.__qualname__)
            for name, member in sorted(vars(value).items()):
                member = getattr(member, "__func__", getattr(member, "fget", member))
                if not name.startswith("__") or isinstance(member, FunctionType):
                    add_value(member, (), module, parts, seen)
        else:
            parts.append(version_of(value.__module__))
    elif isinstance(value, ModuleType):
        if is_users(value.__name__) and value not in seen:
            for name in names:
                if name in vars(value):
                    add_value(vars(value)[name], (), value.__name__, parts, seen)
        else:
            parts.append(version_of(value.__name__))
    elif is_json(value):
        parts.append(repr(value))


def is_users(module: str | None) -> bool:
    """Whether the module is one that a user writes: neither Python's, nor installed, nor weir's."""
    found = sys.modules.get(module or "")
    place = getattr(found, "__file__", None)
    if not place or (module or "").partition(".")[0] == "weir":
        return False
    if "site-packages" in place or "dist-packages" in place:
        return False
    import os

    return not place.startswith(os.path.dirname(os.__file__) + os.sep)


def files_of_users() -> dict[str, str]:
    """Of the modules here that users write: when each file was changed, and how large it is."""
    import os

    found = {}
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if place and name != "__main__" and is_users(name):
            try:
                status = os.stat(place)
            except OSError:
                continue
            found[os.path.abspath(place)] = f"{status.st_mtime_ns} {status.st_size}"
    return found


def version_of(module: str | None) -> str:
    """Of the library that the module is of, where it says it."""
    top = sys.modules.get((module or "").partition(".")[0])
    return str(vars(top).get("__version__", "")) if top else ""
