"""What DFFML's objects have in common: a configuration, a logger, and contexts that are entered."""

from __future__ import annotations

import abc
import copy
import dataclasses
import logging
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

from weir.dffml.util.data import export_dict, traverse_config_get, traverse_config_set, type_hints
from weir.dffml.util.entrypoint import Entrypoint

LOGGER = logging.getLogger("weir.dffml")

Class = TypeVar("Class", bound=type)


class MissingArg(Exception):
    """A class asks for an argument that it does not have."""


class MissingConfig(Exception):
    """A configuration lacks a value that has no default."""


class MissingRequiredProperty(Exception):
    """A class lacks an attribute that its kind has to have."""


class ConfigAndKWArgsMutuallyExclusive(Exception):
    """Either a configuration is given, or its values are."""


class LoggingLogger:
    """Gives `self.logger`, named after the class."""

    @property
    def logger(self) -> logging.Logger:
        return LOGGER.getChild(type(self).__qualname__)


# --- configurations ----------------------------------------------------------------------------


def field(
    description: str,
    *args: Any,
    action: Any = None,
    required: bool = False,
    labeled: bool = False,
    metadata: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """A field of a configuration: that of a dataclass, with a description."""
    said = dict(metadata or {}, description=description, required=required, labeled=labeled, action=action)
    return dataclasses.field(*args, metadata=said, **kwargs)


def _fromdict(cls: Any, /, **kwargs: Any) -> Any:
    """A configuration of plain values: those of fields that are configurations or named tuples are made of dicts."""
    hints = type_hints(cls)
    given = {
        entry.name: _of_plain(hints.get(entry.name), kwargs[entry.name])
        for entry in dataclasses.fields(cls)
        if entry.init and entry.name in kwargs
    }
    unknown = [name for name in kwargs if name not in given]
    if unknown:
        raise TypeError(f"{cls.__qualname__} has no field {unknown[0]!r}")
    return cls(**given)


def _of_plain(kind: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if hasattr(kind, "_fromdict"):
        return kind._fromdict(**value)
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return kind(**value)
    return value


def _config_methods() -> dict[str, Any]:
    return {
        "_fromdict": classmethod(_fromdict),
        "_replace": lambda self, *args, **kwargs: dataclasses.replace(self, *args, **kwargs),
        "_asdict": lambda self: export_dict(**{entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}),
    }


@dataclass_transform(field_specifiers=(field,))
def config(cls: Class) -> Class:
    """Makes a class a configuration: a dataclass with `_fromdict`, `_replace` and `_asdict`."""
    made: Any = dataclasses.dataclass(eq=True, init=True)(cls)
    for name, method in _config_methods().items():
        setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def make_config(cls_name: str, fields: list[Any], *args: Any, namespace: dict[str, Any] | None = None, **kwargs: Any) -> Any:
    """A configuration of (name, type, field); those without defaults come first."""

    def has_default(entry: Any) -> bool:
        return entry[2].default is not dataclasses.MISSING or entry[2].default_factory is not dataclasses.MISSING

    kwargs.update(eq=True, init=True)
    space = _config_methods() | dict(namespace or {})
    return dataclasses.make_dataclass(cls_name, sorted(fields, key=has_default), *args, namespace=space, **kwargs)


@config
class BaseConfig:
    """A configuration without anything."""

    def __repr__(self) -> str:
        return "BaseConfig()"

    def __str__(self) -> str:
        return repr(self)


def has_defaults(kind: Any) -> bool:
    """Whether such a configuration can be made of nothing."""
    return dataclasses.is_dataclass(kind) and all(
        entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING
        for entry in dataclasses.fields(kind)
        if entry.init
    )


class BaseConfigurableMetaClass(abc.ABCMeta):
    """Makes the configuration of keyword arguments, before `__init__` is given it."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        given = args[0] if args else kwargs.pop("config", None)
        if args[1:]:
            return super().__call__(*args, **kwargs)
        if given is not None and kwargs:
            raise ConfigAndKWArgsMutuallyExclusive("give a configuration, or its values as keyword arguments")
        kind = getattr(cls, "CONFIG", None)
        if given is None and kwargs and kind is not None:
            given = kind(**kwargs)
        elif given is None and has_defaults(kind):
            given = kind()  # type: ignore[misc]
        if given is None:
            raise TypeError(f"{cls.__qualname__}() missing 1 required positional argument: 'config'")
        return super().__call__(given)


class BaseConfigurable(metaclass=BaseConfigurableMetaClass):
    """Has a configuration of its class's CONFIG: given whole, or as keyword arguments."""

    CONFIG: Any
    ENTRY_POINT_NAME: list[str] = []
    ENTRY_POINT_LABEL = ""
    ENTRY_POINT_ORIG_LABEL = ""

    # The metaclass gives a configuration in any case.
    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        self.config = config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and bool(self.config == getattr(other, "config", None))

    __hash__ = object.__hash__

    @classmethod
    def add_orig_label(cls, *above: str) -> list[str]:
        return [*above, *cls.ENTRY_POINT_NAME, cls.ENTRY_POINT_ORIG_LABEL]

    @classmethod
    def add_label(cls, *above: str) -> list[str]:
        return [*above, *cls.ENTRY_POINT_NAME, cls.ENTRY_POINT_LABEL]

    @classmethod
    def config_set(cls, args: dict[str, Any], above: tuple[str, ...], *path: Any) -> dict[str, Any]:
        return traverse_config_set(args, *cls.add_orig_label(*above), *path)

    @classmethod
    def config_get(cls, config: dict[str, Any], above: tuple[str, ...], *path: str) -> Any:
        """What such a configuration of plugins says of a field; MissingConfig when it says nothing."""
        for labels in (cls.add_label(*above), cls.add_label(*above)[:-1]):
            try:
                return traverse_config_get(config, *labels, *path)
            except (KeyError, TypeError):
                continue
        raise MissingConfig(f"{cls.__qualname__} missing {path[-1]!r} from {'.'.join(cls.add_label(*above))}")

    @classmethod
    def withconfig(cls, config: dict[str, Any], *above: str) -> Any:
        """With what a configuration of plugins says of it, and defaults for the rest."""
        kind = getattr(cls, "CONFIG", None)
        if kind is None:
            return cls(BaseConfig())
        given = {}
        for entry in dataclasses.fields(kind):
            try:
                given[entry.name] = cls.config_get(config, above, entry.name)
            except MissingConfig:
                if entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
                    raise
                if entry.default is not dataclasses.MISSING:
                    given[entry.name] = copy.copy(entry.default)
        return cls(kind(**given))


# --- objects that are entered ------------------------------------------------------------------


class BaseDataFlowFacilitatorObjectContext(LoggingLogger):
    """What is entered within an object that was entered."""

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        pass


class BaseDataFlowFacilitatorObject(BaseDataFlowFacilitatorObjectContext, BaseConfigurable, Entrypoint):
    """Is made of a configuration, entered, and called for contexts, which are entered too."""

    CONTEXT: Callable[..., Any] | None = None

    def __init__(self, config: Any = None, **kwargs: Any) -> None:
        BaseConfigurable.__init__(self, config)
        if type(self).CONTEXT is None:
            name = type(self).__qualname__
            raise MissingRequiredProperty(f"BaseDataFlowFacilitatorObjects may not be created without a `CONTEXT`. Missing {name}.CONTEXT")

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({self.config!r})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__qualname__} has no contexts")


__all__ = [
    "BaseConfig",
    "BaseConfigurable",
    "BaseDataFlowFacilitatorObject",
    "BaseDataFlowFacilitatorObjectContext",
    "ConfigAndKWArgsMutuallyExclusive",
    "LoggingLogger",
    "MissingArg",
    "MissingConfig",
    "MissingRequiredProperty",
    "config",
    "field",
    "make_config",
]
