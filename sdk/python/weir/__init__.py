"""weir: dataflows, Argo workflows and pipelines, run by one engine in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weir.operation import Definition, Operation, operation

if TYPE_CHECKING:
    from weir._weir import version as version
    from weir.flows import Dataflow, Node, dataflow
    from weir.errors import Cancelled, Error, OperationFailed, RunFailed
    from weir.metrics import metric
    from weir.runs import Run, run, run_blocking
    from weir.source import Source

__all__ = [
    "Cancelled",
    "Dataflow",
    "Definition",
    "Error",
    "Node",
    "Operation",
    "OperationFailed",
    "Run",
    "RunFailed",
    "Source",
    "dataflow",
    "metric",
    "operation",
    "run",
    "run_blocking",
    "version",
]

# A worker process wants operations only: the rest is imported when it is first asked for.
_MODULES = {
    "Cancelled": "weir.errors",
    "Dataflow": "weir.flows",
    "Error": "weir.errors",
    "Node": "weir.flows",
    "OperationFailed": "weir.errors",
    "Run": "weir.runs",
    "RunFailed": "weir.errors",
    "Source": "weir.source",
    "dataflow": "weir.flows",
    "metric": "weir.metrics",
    "run": "weir.runs",
    "run_blocking": "weir.runs",
    "version": "weir._weir",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None and name != "__version__":
        raise AttributeError(f"module 'weir' has no attribute {name!r}")
    from importlib import import_module

    if name == "__version__":
        value = import_module("weir._weir").version()
    else:
        value = getattr(import_module(module or ""), name)
    globals()[name] = value
    return value
