"""The current folder and the search path, for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def chdir(new_path: Any) -> Iterator[Any]:
    """In another folder."""
    before = os.getcwd()
    os.chdir(new_path)
    try:
        yield new_path
    finally:
        os.chdir(before)


@contextmanager
def prepend_to_path(*args: Any) -> Iterator[dict[str, str]]:
    """Programs are looked for in these folders first."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = os.pathsep.join([*map(str, args), *([] if before is None else [before])])
    try:
        yield dict(os.environ)
    finally:
        if before is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = before
