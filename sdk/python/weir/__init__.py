"""weir: dataflows, Argo workflows and pipelines, run by one engine."""

from weir.operation import Definition, Operation, operation

__all__ = ["Definition", "Operation", "metric", "operation"]


def metric(name: str, value: float, unit: str = "") -> None:
    """A metric of the call that is under way: kept with it and streamed. `unit` as in "rows", "bytes", "s"."""
    from weir import worker

    if worker.worker is None:
        raise RuntimeError("no call of weir is under way")
    worker.worker.metric(name, value, unit)
