"""Operations that weir's engine does itself: here they have their names, inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weir.dffml.df.base import OperationImplementationContext, op


class NativeContext(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> Any:
        raise NotImplementedError(f"{self.parent.op.name} runs within a dataflow only")


def native(**kwargs: Any) -> Callable[[Any], Any]:
    """As `op`, of a class without a body."""

    def wrap(cls: Any) -> Any:
        made = op(**kwargs)(cls)
        made.imp.NATIVE = True
        return made

    return wrap
