"""Programs that use Hera, as its documentation shows it: `weir run` runs each, without a server, and each looks at what came of it."""

import importlib.util
import os
import pathlib
import subprocess
import sys

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
