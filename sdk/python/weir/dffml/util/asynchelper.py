"""Contexts that are entered together, and work that is awaited together."""

from __future__ import annotations

import asyncio
import inspect
from collections import UserList
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any


class AsyncContextManagerListContext(UserList[Any]):
    """The contexts of those in a list, once they are entered."""

    def __init__(self, parent: AsyncContextManagerList) -> None:
        super().__init__()
        self.parent = parent
        self._stack: AsyncExitStack | None = None

    async def __aenter__(self) -> AsyncContextManagerListContext:
        self._stack = AsyncExitStack()
        for item in self.parent:
            self.data.append(await self._stack.enter_async_context(item()))
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.clear()
        if self._stack is not None:
            await self._stack.aclose()


class AsyncContextManagerList(UserList[Any]):
    """A list whose items are entered, in their order, when it is."""

    CONTEXT: Any = AsyncContextManagerListContext

    def __init__(self, *args: Any) -> None:
        items: Any = args[0] if len(args) == 1 and isinstance(args[0], (list, UserList)) else args
        super().__init__(list(items))
        self._stack: AsyncExitStack | None = None

    def __call__(self) -> Any:
        return self.CONTEXT(self)

    async def __aenter__(self) -> AsyncContextManagerList:
        self._stack = AsyncExitStack()
        for at, item in enumerate(self.data):
            self.data[at] = await self._stack.enter_async_context(item)
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if self._stack is not None:
            await self._stack.aclose()


async def concurrently(
    work: dict[asyncio.Task[Any], Any], *, errors: str = "strict", nocancel: Iterable[asyncio.Task[Any]] | None = None
) -> AsyncIterator[tuple[Any, Any]]:
    """(what it stands for, its result) of each task as it ends. Tasks may be added to `work` meanwhile."""
    tasks = set(work)
    try:
        while tasks:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                exception = task.exception()
                if exception is not None and errors == "strict":
                    raise exception
                meant = work.pop(task)
                if exception is None:
                    yield meant, task.result()
            tasks = set(work)
    finally:
        for task in tasks:
            if not task.done() and (nocancel is None or task not in nocancel):
                task.cancel()
            elif task.done():
                task.exception()


async def aenter_stack(obj: Any, context_managers: Mapping[str, Any] | None, call: bool = True) -> AsyncExitStack:
    """Enters each, and sets what that gives as the attribute of its name.

    With `call` what is called is entered: a function with `obj`, as a method would be.
    """
    stack = AsyncExitStack()
    try:
        for name, manager in (context_managers or {}).items():
            if call:
                manager = manager.__get__(obj, type(obj))() if inspect.isfunction(manager) else manager()
            setattr(obj, name, await stack.enter_async_context(manager))
    except BaseException:
        await stack.aclose()
        raise
    return stack


def context_stacker(inherit: Any, context_managers: Mapping[str, Any] | None) -> Any:
    """A subclass that enters these when it is entered."""
    if not context_managers:
        return type("ContextStacker", (inherit,), {})

    async def enter(self: Any) -> Any:
        await inherit.__aenter__(self)
        self._stack = await aenter_stack(self, context_managers)
        return self

    async def leave(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        await inherit.__aexit__(self, exc_type, exc_value, traceback)
        await self._stack.aclose()

    return type("ContextStacker", (inherit,), {"__aenter__": enter, "__aexit__": leave, "_stack": None})
