"""The values that operations take and give."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = (
    "None | bool | int | float | str | Sequence[Value] | Mapping[str, Value]"
)
