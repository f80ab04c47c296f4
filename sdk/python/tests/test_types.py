"""The package's types, for whoever checks his own by them."""

import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
USER = """
import weir

@weir.operation
def double(number: int) -> int:
    return 2 * number

flow = weir.dataflow()
flow.result(result=flow.add(double, flow.input("number")))

async def main() -> None:
    async for context, results in weir.run(flow, {"number": 1}):
        print(context.upper(), results)

results: dict[str, object] = weir.run_blocking(flow, {"number": 1})
"""


def check(*what, folder, cache):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--cache-dir", cache, *what]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_and_its_use_are_typed(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    check("weir", tmp_path / "user.py", folder=PACKAGE, cache=tmp_path / "cache")
