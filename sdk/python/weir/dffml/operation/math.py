"""Operations on numbers."""

from __future__ import annotations

from typing import Any

from weir.dffml.df.base import op
from weir.dffml.df.types import Definition

multiplicand_def = Definition(name="multiplicand_def", primitive="generic")
multiplier_def = Definition(name="multiplier_def", primitive="generic")
product_def = Definition(name="product", primitive="generic")


@op(
    name="multiply",
    inputs={"multiplicand": multiplicand_def, "multiplier": multiplier_def},
    outputs={"product": product_def},
)
async def multiply(multiplicand: Any, multiplier: Any) -> dict[str, Any]:
    """The product; of a list or a tuple that of each item."""
    if isinstance(multiplicand, (list, tuple)):
        return {"product": type(multiplicand)(item * multiplier for item in multiplicand)}
    return {"product": multiplicand * multiplier}


__all__ = ["multiplicand_def", "multiplier_def", "multiply", "product_def"]
