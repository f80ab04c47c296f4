"""How far a run is: a bar where rich or tqdm is installed, a table in a notebook."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Progress(Protocol):
    def update(self, done: int, total: int | None) -> None: ...
    def close(self) -> None: ...


class Told:
    """Whoever wants to be told calls it himself."""

    def __init__(self, tell: Callable[[int, int | None], None]) -> None:
        self.tell = tell

    def update(self, done: int, total: int | None) -> None:
        self.tell(done, total)

    def close(self) -> None:
        pass


class RichBar:
    def __init__(self, module: Any) -> None:
        self.bar = module.Progress()
        self.task = self.bar.add_task("contexts", total=None)
        self.bar.start()

    def update(self, done: int, total: int | None) -> None:
        self.bar.update(self.task, completed=done, total=total)

    def close(self) -> None:
        self.bar.stop()


class TqdmBar:
    def __init__(self, module: Any) -> None:
        self.bar = module.tqdm(unit=" contexts")

    def update(self, done: int, total: int | None) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        self.bar.close()


class Line:
    """Without either: a line that is written over."""

    def __init__(self) -> None:
        self.last = -1

    def update(self, done: int, total: int | None) -> None:
        if done != self.last:
            self.last = done
            of = "" if total is None else f" of {total}"
            print(f"\r{done}{of} contexts", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.last >= 0:
            print(file=sys.stderr)


def progress_of(wanted: bool | Callable[[int, int | None], None]) -> Progress:
    if callable(wanted):
        return Told(wanted)
    from importlib import import_module

    try:
        return RichBar(import_module("rich.progress"))
    except ImportError:
        pass
    try:
        return TqdmBar(import_module("tqdm.auto"))
    except ImportError:
        return Line()


def table_of(status: Mapping[str, Any], finished: int, total: int | None) -> str:
    """A run's status as HTML."""
    nodes = status.get("nodes") or []
    rows = "".join(
        f"<tr><td>{html.escape(str(node.get('name', '')))}</td><td>{html.escape(str(node.get('type', '')))}</td>"
        f"<td>{html.escape(str(node.get('phase', '')))}</td><td>{html.escape(str(node.get('message', '')))}</td></tr>"
        for node in nodes[:100]
    )
    of = "" if total is None else f" of {total}"
    head = f"{html.escape(str(status.get('name', 'not begun')))}: {html.escape(str(status.get('phase', '')))}, {finished}{of} contexts"
    return f"<table><caption>{head}</caption><tr><th>name</th><th>type</th><th>phase</th><th>message</th></tr>{rows}</table>"
