"""The same without `async`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from weir.dffml import high_level


def run(*args: Any, **kwargs: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """(context, results) of each context as it finishes, in an event loop of its own."""
    with asyncio.Runner() as runner:
        results = high_level.run(*args, **kwargs)
        try:
            while True:
                try:
                    yield runner.run(results.__anext__())  # type: ignore[arg-type]
                except StopAsyncIteration:
                    return
        finally:
            runner.run(results.aclose())  # type: ignore[attr-defined]


__all__ = ["run"]
