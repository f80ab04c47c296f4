"""Metrics, from wherever a function is called: in a worker, where little is imported, or in the process that runs the dataflow."""

import sys


def metric(name: str, value: float, unit: str = "") -> None:
    """A metric of the call that is under way: kept with it and streamed. `unit` as in "rows", "bytes", "s".

    Raises RuntimeError where no call of weir is under way.
    """
    worker = getattr(sys.modules.get("weir.worker"), "worker", None)
    if worker is not None:
        worker.metric(name, float(value), unit)
        return
    from weir.runs import report

    if not report(name, float(value), unit):
        raise RuntimeError("no call of weir is under way")
