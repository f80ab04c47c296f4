"""A record, as sources have them: a key, features, predictions."""

from __future__ import annotations

import copy
from typing import Any


class Record:
    """`data` is {features: {name: value}, prediction: {name: {value, confidence}}, …}."""

    def __init__(self, key: Any, *, data: dict[str, Any] | None = None, extra: dict[str, Any] | None = None) -> None:
        self.key = str(key)
        self.data = {"features": {}, "prediction": {}, **copy.deepcopy(data or {})}
        self.extra = dict(extra or {})

    def __repr__(self) -> str:
        return f"Record({self.key!r}, data={self.data!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.export() == other.export()

    __hash__ = object.__hash__

    def features(self, subset: Any = ()) -> dict[str, Any]:
        """All of them, or those of the subset, if it has each of these."""
        return chosen(self.data["features"], subset)

    def feature(self, name: str) -> Any:
        return self.data["features"][name]

    def predictions(self, subset: Any = ()) -> dict[str, Any]:
        return chosen(self.data["prediction"], subset)

    def prediction(self, target: str) -> Any:
        return self.data["prediction"].get(target)

    def predicted(self, target: str, value: Any, confidence: float | None) -> None:
        self.data["prediction"][target] = {"value": value, "confidence": confidence}

    def evaluated(self, results: dict[str, Any], *, overwrite: bool = False) -> None:
        """Results become features."""
        self.data["features"] = dict(results) if overwrite else {**self.data["features"], **results}

    def export(self) -> dict[str, Any]:
        exported = {"key": self.key, **copy.deepcopy(self.data)}
        if not exported["prediction"]:
            del exported["prediction"]
        return {**exported, "extra": dict(self.extra)}


def chosen(found: dict[str, Any], subset: Any) -> dict[str, Any]:
    if not subset:
        return dict(found)
    return {name: found[name] for name in subset} if all(name in found for name in subset) else {}


__all__ = ["Record"]
