"""Python's objects as values of the engine.

In DFFML a value is an object: every operation that takes it has the same one, and what one changes the others see. The engine has values
that cannot change. So numbers and texts are given to it as they are, and for anything else a text that stands for the object, which is kept
here as long as its context; what the engine's own operations read is given as data.
"""

from __future__ import annotations

from typing import Any

MARK = "\0object:"  # begins a text that stands for an object
SMALL = 1 << 63
RUN = ""  # the context of what every context has


class Values:
    """Those of one run."""

    def __init__(self, judged: set[str], read: dict[str, str]) -> None:
        self.objects: dict[str, Any] = {}
        self.by_context: dict[str, dict[int, str]] = {RUN: {}}
        self.count = 0
        self.judged = judged  # definitions that are conditions
        self.read = read  # definitions that the engine's own operations read, and how: "data", "plain" (objects within it stay), "contexts", "key" of a group, or "name" of a member

    def encode(self, value: Any, context: str, definition: str = "") -> Any:
        kind = type(value)
        if definition and self.read.get(definition) == "name" and definition not in self.judged:
            return self.plain(value, context) if unhashable(kind) else self.refer(value, context)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int and -SMALL <= value < SMALL:
            return value
        if kind is str and not value.startswith(MARK) and value.isascii():
            return value
        how = self.read.get(definition)
        if how == "plain":
            return self.plain(value, context)
        if how == "data":
            return data(value, definition)
        if how in ("key", "name") and unhashable(kind):
            return self.plain(value, context)  # which the engine refuses as a key
        if how == "contexts":
            return self.contexts(value, context)
        if definition in self.judged and not self.is_true(value):
            return [] if isinstance(value, (list, tuple, set, frozenset)) else {} if isinstance(value, dict) else False
        return self.refer(value, context)

    @staticmethod
    def is_true(value: Any) -> bool:
        try:
            return bool(value)
        except Exception:  # noqa: BLE001, as of an array with many items
            return True

    def refer(self, value: Any, context: str) -> str:
        """The text that stands for it; the same for the same object."""
        if type(value) is str and not value.startswith(MARK) and is_text(value):
            return value
        known = self.by_context.get(context)
        if known is None:
            known = self.by_context[context] = {}
        text = known.get(id(value)) or self.by_context[RUN].get(id(value))
        if text is None:
            self.count += 1
            text = known[id(value)] = f"{MARK}{self.count}"
            self.objects[text] = value
        return text

    def plain(self, value: Any, context: str) -> Any:
        """As data, where it is; objects within it as texts that stand for them."""
        kind = type(value)
        if kind is list or kind is tuple:
            return [self.plain(item, context) for item in value]
        if kind is dict and all(type(key) is str for key in value):
            return {key: self.plain(item, context) for key, item in value.items()}
        return self.encode(value, context)

    def contexts(self, value: Any, context: str) -> Any:
        """Of {context: [{value, definition}]} each value as that of its definition."""
        if not isinstance(value, dict):
            return self.plain(value, context)
        given: dict[str, Any] = {}
        for name, items in value.items():
            given[str(name)] = inputs = []
            for item in items:
                definition = str(item["definition"])
                inputs.append({"value": self.encode(item["value"], context, definition), "definition": definition})
        return given

    def decode(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self.objects[value] if value.startswith(MARK) else value
        if kind is list:
            return [self.decode(item) for item in value]
        if kind is dict:
            return {self.decode(key): self.decode(item) for key, item in value.items()}
        return value

    def forget(self, context: str) -> None:
        """What only this context had."""
        for text in self.by_context.pop(context, {}).values():
            del self.objects[text]


def data(value: Any, definition: str) -> Any:
    """Checked: the engine's operation would take the text that stands for an object for a text."""
    kind = type(value)
    if kind is list or kind is tuple:
        return [data(item, definition) for item in value]
    if kind is dict and all(type(key) is str for key in value):
        return {key: data(item, definition) for key, item in value.items()}
    if value is None or kind in (bool, float) or (kind is int and -SMALL <= value < SMALL):
        return value
    if kind is str and not value.startswith(MARK) and is_text(value):
        return value
    raise TypeError(f"{definition}: one of weir's own operations takes data, no {kind.__name__}: {value!r}")


def unhashable(kind: type) -> bool:
    return getattr(kind, "__hash__", None) is None


def is_text(value: str) -> bool:
    """Whether it has a form in UTF-8."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
