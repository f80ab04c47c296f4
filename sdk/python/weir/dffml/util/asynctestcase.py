"""Test cases whose tests are coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import tempfile
import unittest
from typing import Any


class AsyncTestCase(unittest.TestCase):
    """Runs `setUp`, `tearDown` and tests that are coroutines in one event loop of the test's own."""

    loop: asyncio.AbstractEventLoop

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        self.loop = asyncio.new_event_loop()
        try:
            asyncio.set_event_loop(self.loop)
            for name in ("setUp", "tearDown", self._testMethodName):
                method = getattr(self, name)
                if inspect.iscoroutinefunction(method):
                    setattr(self, name, self.async_wrapper(method))
            return super().run(result)
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            self.loop.close()

    def async_wrapper(self, coro: Any) -> Any:
        def run_it(*args: Any, **kwargs: Any) -> Any:
            return self.loop.run_until_complete(coro(*args, **kwargs))

        return run_it


class AsyncExitStackTestCase(AsyncTestCase):
    """Has a stack of each kind, which are left after the test."""

    async def setUp(self) -> None:  # type: ignore[override]
        self._stack = contextlib.ExitStack()
        self._astack = contextlib.AsyncExitStack()

    def mktempdir(self) -> str:
        return self._stack.enter_context(tempfile.TemporaryDirectory())

    def mktempfile(self, suffix: str | None = None, text: str | None = None) -> str:
        """The path of a file that goes with the test; it is there if it has a text."""
        path = os.path.join(self.mktempdir(), f"file{suffix or ''}")
        if text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(inspect.cleandoc(text) + "\n")
        return path

    async def tearDown(self) -> None:  # type: ignore[override]
        self._stack.close()
        await self._astack.aclose()
