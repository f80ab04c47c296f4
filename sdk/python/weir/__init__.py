"""weir: dataflows, Argo workflows and pipelines, run by one engine.

What needs the engine itself is imported when it is first asked for: workers, which only call functions, start without.
"""

from typing import TYPE_CHECKING, Any

from weir.operation import Definition, Operation, operation

if TYPE_CHECKING:
    from weir.errors import Error

    __version__: str

__all__ = ["Definition", "Error", "Operation", "__version__", "metric", "operation"]


def metric(name: str, value: float, unit: str = "") -> None:
    """A metric of the call that is under way: kept with it and streamed. `unit` as in "rows", "bytes", "s"."""
    from weir import worker

    if worker.worker is None:
        raise RuntimeError("no call of weir is under way")
    worker.worker.metric(name, value, unit)


def __getattr__(name: str) -> Any:
    if name == "Error":
        from weir.errors import Error

        return Error
    if name == "__version__":
        from weir._weir import version

        return version()
    raise AttributeError(f"module 'weir' has no attribute {name!r}")
