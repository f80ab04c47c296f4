"""The operations that are there without being registered, by their names."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def implementations() -> dict[str, Any]:
    from weir.dffml.operation import dataflow, io, mapping, math, output, preprocess

    found = [
        output.GetSingle,
        output.GetMulti,
        output.GroupBy,
        output.Associate,
        output.AssociateDefinition,
        output.remap,
        dataflow.run_dataflow,
        io.AcceptUserInput,
        io.print_output,
        mapping.create_mapping,
        mapping.mapping_extract_value,
        math.multiply,
        preprocess.literal_eval,
    ]
    return {one.op.name: getattr(one, "imp", one) for one in found}


def operations() -> dict[str, Any]:
    return {name: one.op for name, one in implementations().items()}
