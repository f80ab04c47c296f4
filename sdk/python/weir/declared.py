"""What `@operation` and `Annotated` say of a function, as a dataflow's file has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weir.operation import Operation, Port

STAGES = ("processing", "cleanup", "output")
RESOURCES = ("cpu", "memory")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def microseconds(duration: float | str) -> int:
    """Of seconds, or of a text as "90s" or "5m"."""
    if isinstance(duration, str):
        number = duration.rstrip("smhd")
        unit = duration[len(number) :] or "s"
        try:
            duration = float(number) * UNITS[unit]
        except (KeyError, ValueError):
            raise ValueError(f"{duration!r} is no duration: write seconds, or a text as '90s' or '5m'") from None
    if not 0 < duration < 2**43:
        raise ValueError("a timeout is longer than nothing")
    return max(1, round(duration * 1_000_000))


def check(operation: Operation) -> None:
    """Raises ValueError or TypeError when the options mean nothing."""
    if operation.stage not in STAGES:
        raise ValueError(f"there is no stage {operation.stage!r}, but {', '.join(STAGES)}")
    if operation.timeout is not None:
        microseconds(operation.timeout)
    retry: Any = operation.retry
    if isinstance(retry, Mapping):
        check_members("retry", retry, ("limit", "backoff"))
        retry = retry.get("limit")
    if type(retry) is not int or retry < 0:
        raise TypeError("`retry` is a number of attempts, or {'limit': retries, 'backoff': {'duration': '1s', 'factor': 2}}")
    check_members("resources", operation.resources, RESOURCES)
    if isinstance(operation.cache, Mapping):
        check_members("cache", operation.cache, ("maxAge", "key", "name", "files"))
    elif not isinstance(operation.cache, (bool, int, float, str)):
        raise TypeError("`cache` is True, how old a result may be, or {'maxAge': …, 'key': …}")
    if operation.declared:
        known = [port.name for port in operation.outputs]
        for name in operation.expand:
            if name not in known:
                raise ValueError(f"`expand` names {name!r}, which is no output: those are {', '.join(known) or 'none'}")


def check_members(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"`{what}` has {name!r}: it may have {', '.join(known)}")


def cache_of(cache: Any) -> Any:
    """True, or {maxAge: …} and more of it."""
    if isinstance(cache, Mapping):
        return dict(cache)
    return True if isinstance(cache, bool) else {"maxAge": cache}


def ports_of(ports: list[Port], group: str, name: str) -> dict[str, Any]:
    """{port: {lock, validate, default}}, of those that say any of it."""
    from weir.operation import NOTHING, is_json

    all_said: dict[str, Any] = {}
    for port in ports:
        said: dict[str, Any] = {}
        if port.definition.lock:
            said["lock"] = True
        if port.definition.validate:
            said["validate"] = port.definition.validate
        if port.definition.default is not NOTHING and is_json(port.definition.default):
            said["default"] = port.definition.default
        if said:
            all_said[port.name] = {"definition": port.definition.name or f"{name}.{group}.{port.name}", **said}
    return all_said


def declared(operation: Operation, name: str) -> dict[str, Any]:
    """Members of a dataflow's operation, and those of its ports' definitions, that the function says. `name`: as files have it."""
    said: dict[str, Any] = {}
    if operation.stage != "processing":
        said["stage"] = operation.stage
    for member in ("expand", "conditions"):
        if names := getattr(operation, member):
            said[member] = list(names)
    if operation.validator:
        said["validator"] = True
    if operation.retry:
        said["retry"] = dict(operation.retry) if isinstance(operation.retry, Mapping) else operation.retry
    if operation.timeout is not None:
        said["timeout_us"] = microseconds(operation.timeout)
    if operation.cache:
        said["cache"] = cache_of(operation.cache)
    if operation.resources:
        said["resources"] = dict(operation.resources)
    for group, ports in (("inputs", operation.inputs), ("outputs", operation.outputs)):
        if of_ports := ports_of(ports, group, name):
            said[group] = of_ports
    if wanted := wanted_fields(operation.config):
        said["config"] = {"required": wanted}
    return said


def wanted_fields(config: Any) -> list[str]:
    """Those of a dataclass that have to be given."""
    import dataclasses

    if config is None or not dataclasses.is_dataclass(config):
        return []
    nothing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(config)
        if field.init and field.default is nothing and field.default_factory is nothing
    ]
