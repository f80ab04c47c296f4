"""What can go wrong, as exceptions."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """What weir found wrong; `code` is a word for programs, as in JSON: "not_found"."""

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


class RunFailed(Error):
    """A run did not succeed; `error` is what `weir run -o json` says of it: {code, what, when, where, how}."""

    def __init__(self, message: str, code: str, error: dict[str, Any] | None = None) -> None:
        super().__init__(message, code)
        self.error = error or {}


class OperationFailed(RunFailed):
    """An operation of the run failed. When it is a Python function, its exception is the cause of this one."""


class Cancelled(RunFailed):
    """The run was cancelled before it was over."""
