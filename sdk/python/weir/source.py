"""What an operation may be given while a dataflow is built: where its value will come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weir.flows import Dataflow, Node


class Source:
    """A place that values come from: an output, an input, or several of them."""

    __slots__ = ("flow",)
    flow: Dataflow

    def places(self) -> list[Any]:
        """As a dataflow's `flow` has them: "seed", {"seed": [definition]} or {instance: output}."""
        raise NotImplementedError

    def __or__(self, other: Source) -> Source:
        """From either: an operation that is given this runs for the values of both."""
        return Either(self, other)

    def __bool__(self) -> bool:
        raise TypeError("what an operation will give is not known while the dataflow is built; see Node.when")


class Either(Source):
    __slots__ = ("sources",)

    def __init__(self, *sources: Source) -> None:
        self.flow = sources[0].flow
        self.sources = sources

    def places(self) -> list[Any]:
        return [place for source in self.sources for place in source.places()]


def wire(operation: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Node | None:
    """The node that a call of the operation with sources makes; None: it is a call of the function."""
    for value in (*arguments, *named.values()):
        if isinstance(value, Source):
            return value.flow.add(operation, *arguments, **named)
    return None
