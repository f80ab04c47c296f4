"""Classes that packages register: entry points, loaded by their names."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Class = TypeVar("Class", bound=type)


class EntrypointNotFound(Exception):
    """Nothing is registered by that name."""


class MissingLabel(Exception):
    """A label stands before what is loaded: label=name."""


def load(*args: str, relative: Any = None) -> Iterator[Any]:
    """The objects at `module:name`; with `relative` modules of that folder (True: of the current one) come first."""
    if relative is not None:
        sys.path.insert(0, os.getcwd() if relative is True else str(relative))
    try:
        for entry in args:
            module, _, name = entry.partition(":")
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            yield found
    finally:
        if relative is not None:
            sys.path.pop(0)


def entry_points(group: str) -> Iterable[Any]:
    """Those that installed packages have; by pkg_resources where a program uses that already."""
    pkg_resources = sys.modules.get("pkg_resources")
    if pkg_resources is not None:
        return pkg_resources.iter_entry_points(group)  # type: ignore[no-any-return]
    from importlib.metadata import entry_points as installed

    return installed(group=group)


def entrypoint(label: str) -> Callable[[Class], Class]:
    """Says what a class is registered as."""

    def set_label(cls: Class) -> Class:
        cls.ENTRY_POINT_ORIG_LABEL = label  # type: ignore[attr-defined]
        cls.ENTRY_POINT_LABEL = label  # type: ignore[attr-defined]
        return cls

    return set_label


def base_entry_point(entrypoint: str, *args: str) -> Callable[[Class], Class]:
    """Says under which group subclasses are registered, and how they are called in a configuration."""

    def set_group(cls: Class) -> Class:
        cls.ENTRYPOINT = entrypoint  # type: ignore[attr-defined]
        cls.ENTRY_POINT_NAME = list(args)  # type: ignore[attr-defined]
        return cls

    return set_group


class Entrypoint:
    """What can be loaded by a name: `load("memory")`, or `load("module:Class")`."""

    ENTRYPOINT = "util.entrypoint"
    ENTRY_POINT_LABEL = ""

    @classmethod
    def load(cls, loading: str | None = None) -> Any:
        if loading is not None and ":" in loading:
            return next(load(loading, relative=True))
        names, classes = [], []
        for point in entry_points(cls.ENTRYPOINT):
            names.append(point.name)
            if loading is not None and point.name != loading:
                continue
            loaded = point.load()
            loaded.ENTRY_POINT_LABEL = point.name
            if loading is not None:
                return loaded
            classes.append(loaded)
        if loading is not None:
            raise EntrypointNotFound(f"{loading!r} was not found in: {names}")
        return classes

    @classmethod
    def load_multiple(cls, to_load: Iterable[str]) -> dict[str, Any]:
        return {name: cls.load(name) for name in to_load}

    @classmethod
    def load_dict(cls, to_load: dict[str, str]) -> dict[str, Any]:
        return {key: cls.load(name) for key, name in to_load.items()}

    @classmethod
    def load_labeled(cls, label_and_loading: str) -> Any:
        label, equals, loading = label_and_loading.partition("=")
        if not equals:
            raise MissingLabel(f"{label_and_loading!r} is missing a label. Correct syntax: label={label_and_loading}")
        loaded = cls.load(loading)
        return type(loaded.__qualname__, (loaded,), {"ENTRY_POINT_LABEL": label})
