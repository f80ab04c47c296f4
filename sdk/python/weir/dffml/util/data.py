"""Values as DFFML has them: merged, looked up by paths, and exported as plain data."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import pathlib
import sys
import types
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args, get_origin

# Names of types that other languages know as well.
STANDARD_TYPES = {"Dict": "map", "List": "array", "Any": "generic"}
STANDARD_TYPES_REVERSED = {name: kind for kind, name in STANDARD_TYPES.items()}
# What words of a command line stand for.
SAID = {"null": None, "nil": None, "none": None, "yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def merge(one: Any, two: Mapping[str, Any], list_append: bool = True) -> None:
    """Adds what `two` has to `one`; where both have a value `one` keeps its own."""
    for key, value in two.items():
        if key not in one:
            one[key] = value
        elif isinstance(value, dict):
            merge(one[key], value, list_append=list_append)
        elif list_append and isinstance(value, list):
            one[key] += value


def traverse_config_set(target: dict[str, Any], *args: Any) -> dict[str, Any]:
    """Sets the last argument at the path of those before it, in a configuration of plugins."""
    *path, value = args
    last: dict[str, Any] = {}
    level = target
    for key in path:
        last = level.setdefault(key, {"plugin": None, "config": {}})
        level = last["config"]
    last["plugin"] = value
    return target


def traverse_config_get(target: Mapping[str, Any], *args: str) -> Any:
    last: Any = target
    level: Any = target
    for key in args:
        last = level[key]
        level = last["config"]
    return last["plugin"]


def split_dot_seperated(val: str) -> list[str]:
    """"one.'two.three'" as one, two.three."""
    parts: list[str] = []
    quoted: list[str] = []
    for part in val.split("."):
        marks = part.count("'") + part.count('"')
        if quoted or marks == 1:
            quoted.append(part)
            if marks and len(quoted) > 1:
                parts.append(".".join(quoted).replace("'", "").replace('"', ""))
                quoted = []
        else:
            parts.append(part.replace("'", "").replace('"', ""))
    return parts


def traverse_get(target: Any, *args: Any) -> Any:
    """What is at the path, which is given as keys or as one text with dots."""
    path = split_dot_seperated(args[0]) if len(args) == 1 and isinstance(args[0], str) else args
    for key in path:
        target = target[key]
    return target


def traverse_set(target: dict[str, Any], *args: str, value: Any) -> None:
    *path, last = split_dot_seperated(args[0]) if len(args) == 1 else args
    for key in path:
        target = target.setdefault(key, {})
    target[last] = value


def parser_helper(value: Any) -> Any:
    """What a text on the command line stands for: null, truth, a literal of Python, a list where it has commas, else itself."""
    if not isinstance(value, str):
        return value
    if value.lower() in SAID:
        return SAID[value.lower()]
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return [parser_helper(part) for part in value.split(",") if part] if "," in value else value


def ignore_args(func: Callable[[], Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def call(*_args: Any, **_named: Any) -> Any:
        return func()

    return call


def type_lookup(typename: str) -> Any:
    """The type of that name: of Python's, or one that every language has."""
    if typename in STANDARD_TYPES_REVERSED:
        typename = f"typing.{STANDARD_TYPES_REVERSED[typename]}"
    import pydoc  # which brings much with it

    found = pydoc.locate(typename)
    if found is None:
        raise TypeError(typename)
    return found


def export(obj: Any) -> Any:
    """Plain data of it: of what has `export` or `_asdict`, dataclasses, paths, classes (by name), numbers and arrays of numpy."""
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if hasattr(obj, "ENTRY_POINT_ORIG_LABEL") and hasattr(obj, "config"):
        return {"plugin": obj.ENTRY_POINT_ORIG_LABEL, "config": export(obj.config)}
    if inspect.isclass(obj):
        return obj.__qualname__
    if isinstance(obj, (pathlib.Path, uuid.UUID)):
        return str(obj)
    for name in ("export", "_asdict"):
        if hasattr(obj, name):
            return export_plain(getattr(obj, name)())
    if "numpy" in str(type(obj)).lower() and hasattr(obj, "tolist"):
        return obj.tolist()
    if dataclasses.is_dataclass(obj):
        return {field.name: export(getattr(obj, field.name)) for field in dataclasses.fields(obj)}
    if getattr(obj, "__module__", None) == "typing":
        return STANDARD_TYPES.get(str(obj).replace("typing.", ""), "generic")
    return export_plain(obj)


def export_plain(obj: Any) -> Any:
    if isinstance(obj, (dict, types.MappingProxyType)):
        return {key: export(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return [export(value) for value in obj]
    return obj


def export_dict(**kwargs: Any) -> dict[str, Any]:
    return {key: export(value) for key, value in kwargs.items()}


def export_list(iterable: Iterable[Any]) -> list[Any]:
    return [export(value) for value in iterable]


def type_hints(obj: Any) -> dict[str, Any]:
    """Annotations, those that are texts looked up where that is possible."""
    try:
        return typing.get_type_hints(obj)
    except Exception:  # noqa: BLE001, as of a name that is defined further down
        space = getattr(obj, "__globals__", None) or vars(sys.modules.get(getattr(obj, "__module__", ""), typing))
        return {name: looked_up(hint, space) for name, hint in getattr(obj, "__annotations__", {}).items()}


def looked_up(hint: Any, space: Mapping[str, Any]) -> Any:
    try:
        return eval(hint, dict(space)) if isinstance(hint, str) else hint
    except Exception:  # noqa: BLE001
        return hint


__all__ = [
    "export",
    "export_dict",
    "export_list",
    "get_args",
    "get_origin",
    "ignore_args",
    "merge",
    "parser_helper",
    "split_dot_seperated",
    "traverse_config_get",
    "traverse_config_set",
    "traverse_get",
    "traverse_set",
    "type_hints",
    "type_lookup",
]
