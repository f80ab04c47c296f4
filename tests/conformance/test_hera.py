"""Programs that use Hera, as its documentation shows it: `weir run` runs each, without a server, and each looks at what came of it."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

FOLDER = pathlib.Path(__file__).parent / "hera"
ROOT = FOLDER.parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "looking")
# Their workflows are to fail, which the programs make sure of; the command says that one did.
FAIL = {"exit_handler", "graph_conditions"}
OPTIONS = {"given": ["-p", "who=grace"]}

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("hera"), reason="Hera is not installed: `./dev setup` does it")


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name, tmp_path):
    command = [WEIR, "run", str(FOLDER / f"{name}.py"), "--executor", "process", "--python", sys.executable]
    ran = subprocess.run(
        [*command, *OPTIONS.get(name, [])], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "WEIR_ISOLATION": "auto"},
    )
    assert ran.returncode == (1 if name in FAIL else 0), ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr.replace("its last lines:", "", 1) or name in FAIL, ran.stderr


def test_there_are_enough():
    assert len(PROGRAMS) >= 20


def blocks_of_the_guide():
    text = (ROOT / "docs/guide/coming-from-hera.md").read_text()
    return [block.split("```")[0] for block in text.split("```python\n")[1:]]


@pytest.mark.parametrize("at", range(len(blocks_of_the_guide())))
def test_what_the_guide_shows_runs(at, tmp_path):
    (tmp_path / "hello.py").write_text(blocks_of_the_guide()[at])
    command = [WEIR, "run", "hello.py", "--executor", "process", "--python", sys.executable]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0 and "Succeeded" in ran.stdout.splitlines(), ran.stdout + ran.stderr


def test_the_example(tmp_path):
    command = [WEIR, "run", str(ROOT / "examples/hera/words.py"), "ada", "--executor", "process", "--python", sys.executable, "--no-color"]
    ran = subprocess.run([*command, "-p", "text=one two three;to b"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0 and "Succeeded, for ['ada']" in ran.stdout, ran.stdout + ran.stderr


RUNNER = """
from typing import Annotated

from pydantic import BaseModel

from hera.workflows import DAG, Parameter, Workflow, script
from words import greeting


class Person(BaseModel):
    name: str
    age: int = 36


@script(constructor="runner")
def birthday(person: Annotated[Person, Parameter(name="who")]) -> Annotated[Person, Parameter(name="older")]:
    print(greeting(person.name))
    return Person(name=person.name, age=person.age + 1)


@script(constructor="runner")
def tell(person: Person) -> str:
    return f"{person.name} is {person.age}"


with Workflow(generate_name="runner-", entrypoint="main") as w:
    with DAG(name="main"):
        first = birthday(arguments={"who": Person(name="ada")})
        first >> tell(arguments={"person": first.get_parameter("older")})
"""


def test_scripts_of_the_runner_import_the_program_on_this_host(tmp_path):
    """From its folder, with what stands beside it, wherever weir is called; nobody has to say so in the program."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as outside:  # steps have a /tmp of their own
        run_of_the_runner(pathlib.Path(outside), tmp_path)


def run_of_the_runner(folder, tmp_path):
    (folder / "birthday.py").write_text(RUNNER)
    (folder / "words.py").write_text("def greeting(name):\n    return f'hello, {name}'\n")
    command = [WEIR, "run", os.path.relpath(folder / "birthday.py", tmp_path), "--executor", "process", "--python", sys.executable, "--name", "it"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "WEIR_ISOLATION": "auto"}
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    logs = subprocess.run([WEIR, "logs", "@latest"], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment).stdout
    assert "hello, ada" in logs and "ada is 37" in logs
