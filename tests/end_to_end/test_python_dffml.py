"""Dataflows that programs with `weir.dffml` export run as files: their operations are named as functions are."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

WEIR = os.environ["WEIR"]
PACKAGE = pathlib.Path(WEIR).parent / "sdk/python"

PROGRAM = '''
import json
from typing import AsyncIterator

from weir.dffml import DataFlow, Definition, GetMulti, Input, OperationImplementationContext, config, field, op

NUMBER = Definition(name="number", primitive="int")
RESULT = Definition(name="result", primitive="int")


class Session:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        pass


@config
class Times:
    factor: int = field("To multiply by", default=3)


@op(inputs={"number": NUMBER}, outputs={"result": RESULT})
async def plain(number):
    return {"result": number}


@op(inputs={"number": NUMBER}, outputs={"result": RESULT}, config_cls=Times, imp_enter={"session": lambda self: Session()})
async def times(self, number):
    assert isinstance(self.parent.session, Session)
    return {"result": self.config.factor * number}


@op(inputs={"number": NUMBER}, outputs={"result": RESULT}, config_cls=Times)
async def each(self, number):
    for more in range(self.config.factor):
        yield {"result": 100 * more + number}


@op(inputs={"number": NUMBER}, outputs={"result": RESULT})
class Negative(OperationImplementationContext):
    async def run(self, inputs):
        return {"result": -inputs["number"]}


FLOW = DataFlow.auto(plain, times, each, Negative, GetMulti)
FLOW.configs[times.op.name] = Times(factor=5)
FLOW.seed.append(Input(value=["result"], definition=GetMulti.op.inputs["spec"]))

if __name__ == "__main__":
    import operations

    print(json.dumps(operations.FLOW.export(linked=True)))
'''


@pytest.mark.skipif(not PACKAGE.exists(), reason="the package for Python is not built")
def test_what_a_program_exports_runs_as_a_file(tmp_path):
    (tmp_path / "operations.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    command = [sys.executable, "operations.py"]
    exported = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True)
    (tmp_path / "flow.json").write_text(exported.stdout)
    command = [WEIR, "run", "flow.json", "number=2", "--durability", "none", "-o", "json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    (results,) = json.loads(ran.stdout)["results"].values()
    assert sorted(results["result"]) == [-2, 2, 2, 10, 102, 202]
