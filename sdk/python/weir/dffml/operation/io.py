"""Operations that ask and tell people."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

from weir.dffml.df.base import OperationImplementation, OperationImplementationContext, op
from weir.dffml.df.types import Definition, Operation

UserInput = Definition(name="UserInput", primitive="str")
DataToPrint = Definition(name="DataToPrint", primitive="generic")


class AcceptUserInputContext(OperationImplementationContext):
    @staticmethod
    def receive_input() -> str:
        print("Enter the value: ", end="")
        return input()

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return {"InputData": await loop.run_in_executor(self.parent.pool, self.receive_input)}


class AcceptUserInput(OperationImplementation):
    """A line from standard input."""

    op = Operation(name="AcceptUserInput", inputs={}, outputs={"InputData": UserInput})
    CONTEXT = AcceptUserInputContext
    pool: Any = None

    async def __aenter__(self) -> AcceptUserInput:
        self.pool = concurrent.futures.ThreadPoolExecutor()
        return self

    async def __aexit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.pool.shutdown()
        self.pool = None


@op(name="print_output", inputs={"data": DataToPrint}, outputs={})
async def print_output(data: Any) -> None:
    """Prints it."""
    print(data)


__all__ = ["AcceptUserInput", "AcceptUserInputContext", "DataToPrint", "UserInput", "print_output"]
