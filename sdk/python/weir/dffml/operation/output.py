"""Output operations: what a context's results are."""

from __future__ import annotations

from typing import Any, NamedTuple

from weir.dffml.base import config
from weir.dffml.df.types import DataFlow, Definition, Stage
from weir.dffml.operation.native import NativeContext, native

group_by_spec = Definition(name="group_by_spec", primitive="Dict[str, Any]")
group_by_output = Definition(name="group_by_output", primitive="Dict[str, List[Any]]")
get_multi_spec = Definition(name="get_multi_spec", primitive="array")
get_multi_output = Definition(name="get_multi_output", primitive="map")
get_single_spec = Definition(name="get_single_spec", primitive="array")
get_single_output = Definition(name="get_single_output", primitive="map")
associate_spec = Definition(name="associate_spec", primitive="List[str]")
associate_output = Definition(name="associate_output", primitive="Dict[str, Any]")


class GroupBySpec(NamedTuple):
    """Values of one definition, by those of another."""

    group: Definition
    by: Definition


class RemapFailure(Exception):
    """A part that is to be renamed is not among the results."""


@config
class GetConfig:
    """Definitions of which there need not be a value."""

    nostrict: Any = None


def output(name: str, spec: Definition, result: Definition, **kwargs: Any) -> Any:
    return native(name=name, inputs={"spec": spec}, outputs={"output": result}, stage=Stage.OUTPUT, **kwargs)


@output("group_by", group_by_spec, group_by_output)
class GroupBy(NativeContext):
    """{name: {"group": G, "by": B}}: the values of G by those of B that they were made from, in the order of B."""


@output("get_multi", get_multi_spec, get_multi_output, config_cls=GetConfig)
class GetMulti(NativeContext):
    """[definition or {name: definition}]: all values of each."""


@output("get_single", get_single_spec, get_single_output, config_cls=GetConfig)
class GetSingle(NativeContext):
    """[definition or {name: definition}]: the last value of each."""


@output("associate", associate_spec, associate_output)
class Associate(NativeContext):
    """[K, V]: {V: {value of K: value of V that was made from it}}."""


@output("associate_definition", associate_spec, associate_output)
class AssociateDefinition(NativeContext):
    """{K: V}: {K: the last value of V that was made from one of K}."""


@config
class RemapConfig:
    dataflow: DataFlow


@native(
    name="remap",
    inputs={"spec": Definition(name="remap_spec", primitive="map")},
    outputs={"response": Definition(name="remap_output", primitive="map")},
    stage=Stage.OUTPUT,
    config_cls=RemapConfig,
)
class remap(NativeContext):
    """{name: [key, …]}: parts of what the output operations of its configuration's dataflow give, renamed."""


__all__ = [
    "Associate",
    "AssociateDefinition",
    "GetMulti",
    "GetSingle",
    "GroupBy",
    "GroupBySpec",
    "RemapConfig",
    "RemapFailure",
    "associate_output",
    "associate_spec",
    "get_multi_output",
    "get_multi_spec",
    "get_single_output",
    "get_single_spec",
    "group_by_output",
    "group_by_spec",
    "remap",
]
