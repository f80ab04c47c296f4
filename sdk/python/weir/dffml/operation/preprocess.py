"""Operations that make data of text."""

from __future__ import annotations

import ast
from typing import Any

from weir.dffml.df.base import op
from weir.dffml.df.types import Definition

InputStr = Definition(name="InputStr", primitive="str")
EvaluatedStr = Definition(name="EvaluatedStr", primitive="generic")


@op(name="literal_eval", inputs={"str_to_eval": InputStr}, outputs={"str_after_eval": EvaluatedStr})
async def literal_eval(str_to_eval: str) -> dict[str, Any]:
    """The value of a Python literal."""
    return {"str_after_eval": ast.literal_eval(str_to_eval)}


__all__ = ["EvaluatedStr", "InputStr", "literal_eval"]
