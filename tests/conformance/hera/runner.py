"""Scripts that are not copied, but imported where they run: Hera's runner, with classes for inputs and outputs."""

import sys
from typing import Annotated

from hera.workflows import Input, Output, Parameter, Steps, Workflow, script
from looking import parameters, succeeded


class Pair(Input):
    a: int
    b: Annotated[int, Parameter(name="b")] = 2


class Sum(Output):
    total: int


@script(constructor="runner")
def add(pair: Pair) -> Sum:
    return Sum(total=pair.a + pair.b)


def main():
    with Workflow(generate_name="runner-", entrypoint="main") as w:
        with Steps(name="main"):
            add(name="add", arguments={"a": 40})
    assert parameters(succeeded(w.create(wait=True)), "add") == {"total": "42"}


if __name__ == "__main__":
    main()
    assert sys.argv[1:] == []
