"""Test cases whose tests are coroutines."""

from __future__ import annotations

import asyncio
import inspect
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
