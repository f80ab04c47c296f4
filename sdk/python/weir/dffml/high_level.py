"""Running a dataflow in one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from weir.dffml.df.memory import MemoryOrchestrator
from weir.dffml.df.types import DataFlow


async def run(
    dataflow: DataFlow,
    *input_sets: Any,
    orchestrator: Any = None,
    strict: bool = True,
    ctx: Any = None,
    halt: asyncio.Event | None = None,
) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """(context, results) of each context as it finishes.

    Inputs are {context: [Input]}, or any number of lists of inputs or of input sets; without any there is one context with the dataflow's
    seeds. With `strict` the first operation that fails ends it, with an exception; without, it is logged.
    """
    async with MemoryOrchestrator.withconfig({}) if orchestrator is None else orchestrator as entered:
        async with entered(dataflow) as octx:
            async for one, results in octx.run(*input_sets, strict=strict, ctx=ctx, halt=halt):
                yield one, results


__all__ = ["run"]
