"""Operations on mappings."""

from __future__ import annotations

from typing import Any

from weir.dffml.df.base import op
from weir.dffml.df.types import Definition
from weir.dffml.util.data import traverse_get

MAPPING = Definition(name="mapping", primitive="map")
MAPPING_TRAVERSE = Definition(name="mapping_traverse", primitive="List[str]")
MAPPING_KEY = Definition(name="key", primitive="str")
MAPPING_VALUE = Definition(name="value", primitive="generic")


@op(
    name="dffml.mapping.extract",
    inputs={"mapping": MAPPING, "traverse": MAPPING_TRAVERSE},
    outputs={"value": MAPPING_VALUE},
)
def mapping_extract_value(mapping: dict[str, Any], traverse: list[str]) -> dict[str, Any]:
    """What is at a path of keys."""
    return {"value": traverse_get(mapping, *traverse)}


@op(name="dffml.mapping.create", inputs={"key": MAPPING_KEY, "value": MAPPING_VALUE}, outputs={"mapping": MAPPING})
def create_mapping(key: str, value: Any) -> dict[str, Any]:
    """A mapping with one key."""
    return {"mapping": {key: value}}


__all__ = ["MAPPING", "MAPPING_KEY", "MAPPING_TRAVERSE", "MAPPING_VALUE", "create_mapping", "mapping_extract_value"]
