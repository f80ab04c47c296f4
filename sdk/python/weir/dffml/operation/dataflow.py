"""Dataflows within dataflows."""

from __future__ import annotations

from typing import Any

from weir.dffml.base import config
from weir.dffml.df.types import DataFlow, Definition
from weir.dffml.operation.native import NativeContext, native


class InvalidCustomRunDataFlowContext(Exception):
    """The first of the inputs names the context: it has to be a text."""


class InvalidCustomRunDataFlowOutputs(Exception):
    """The subflow's results are not the operation's outputs."""


@config
class RunDataFlowConfig:
    dataflow: DataFlow
    input_set_context_cls: Any = None
    reuse: Any = None


DEFAULT_INPUTS = {"inputs": Definition(name="flow_inputs", primitive="Dict[str,Any]")}


@native(
    name="dffml.dataflow.run",
    inputs=DEFAULT_INPUTS,
    outputs={"results": Definition(name="flow_results", primitive="Dict[str,Any]")},
    config_cls=RunDataFlowConfig,
    expand=["results"],
)
class run_dataflow(NativeContext):
    """Runs the dataflow of its configuration: {context: [{"value": …, "definition": name}]} gives {context: results} of each.

    With other inputs and outputs the first input names the one context, all are its inputs, and its results are the outputs.
    """


__all__ = [
    "DEFAULT_INPUTS",
    "InvalidCustomRunDataFlowContext",
    "InvalidCustomRunDataFlowOutputs",
    "RunDataFlowConfig",
    "run_dataflow",
]
