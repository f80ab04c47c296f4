"""The wheel of `./dev wheel` in fresh environments: of Debian's Python, and of the newest that a registry has."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# CPython as python-build-standalone makes it, in a Go module: PyPI and npm have none.
NEWEST = "github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1"
EMBEDDED = """
import weir

@weir.operation
def double(number: int) -> int:
    return 2 * number

flow = weir.dataflow()
flow.result(result=double(flow.input("number")))
print(weir.run_blocking(flow, {"number": 21}))
print(weir.run_blocking("examples/calculator/calculator.json", {"line": "add 40 and 2"}))
"""


@pytest.fixture(scope="session")
def wheel():
    if os.environ.get("WEIR_WHEEL"):
        return pathlib.Path(os.environ["WEIR_WHEEL"])
    done = subprocess.run([ROOT / "dev", "wheel"], check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(done.stdout.split()[-1])


def unpack(module, folder):
    """Files are packed one by one, and listed with their modes."""
    source = pathlib.Path(module) / "python/internal/data/linux-amd64"
    for entry in json.loads((source / "files.json").read_text())["files"]:
        path = folder / entry["name"]
        if entry.get("symlink"):
            path.symlink_to(entry["symlink"])
        elif entry["perm"] & 0x80000000:
            path.mkdir(parents=True, exist_ok=True)
        else:
            packed = source / (entry["name"] + ".gz")
            path.write_bytes(gzip.decompress(packed.read_bytes()) if packed.exists() else (source / entry["name"]).read_bytes())
            path.chmod(entry["perm"] & 0o777)


@pytest.fixture(scope="session")
def newest(tmp_path_factory):
    if not shutil.which("go") or os.uname().machine != "x86_64":
        pytest.skip("no Go to fetch a newer Python with")
    folder = tmp_path_factory.mktemp("newest")
    done = subprocess.run(["go", "mod", "download", "-json", NEWEST], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("a newer Python cannot be fetched")
    unpack(json.loads(done.stdout)["Dir"], folder / "python")
    return folder / "python/bin/python3"


@pytest.fixture(scope="session")
def installer(tmp_path_factory):
    """A Python whose pip knows the newest: Debian's does not."""
    folder = tmp_path_factory.mktemp("installer")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", "--upgrade", "pip"], check=True)
    return folder / "bin/python"


@pytest.fixture(scope="session", params=["debian", "newest"])
def environment(request, wheel, tmp_path_factory):
    """The bin folder of one that has the wheel and nothing else."""
    python = "/usr/bin/python3" if request.param == "debian" else request.getfixturevalue("newest")
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    pip = [request.getfixturevalue("installer"), "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", wheel], check=True)
    return folder / "bin"


def run(*command):
    """What it prints, where only the system is found beside it."""
    clean = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_dataflow_runs_by_the_command(environment):
    program = environment / "weir"
    assert program.read_bytes()[:4] == b"\x7fELF"
    command = [program, "run", "--durability", "none", "-o", "json", "examples/calculator/calculator.json", "line=add 40 and 2"]
    assert "42" in run(*command)


def test_its_modules_are_found(environment):
    flow = '{"operations": {"hash": {"name": "files.hash", "inputs": {"path": "path"}, "outputs": {}}}}'
    path = environment.parent / "flow.json"
    path.write_text(flow)
    done = subprocess.run(
        [environment / "weir", "run", "--durability", "none", path, f"path={path}"], capture_output=True, text=True, cwd=ROOT
    )
    assert "not installed" not in done.stderr and "does not load" not in done.stderr


def test_a_dataflow_runs_embedded(environment):
    said = run(environment / "python", "-c", EMBEDDED).splitlines()
    assert said == ["{'default': {'result': 42}}", "{'default': {'result': 42}}"]


def test_all_shared_objects_are_found(environment):
    found = [*environment.parent.glob("lib/python3*/site-packages/weir/**/*.so"), environment / "weir"]
    assert len(found) > 10
    for path in found:
        assert "not found" not in run("/usr/bin/ldd", path)


def test_the_wheel_says_where_it_runs(wheel):
    assert wheel.name.startswith("weir_engine-") and "-cp311-abi3-manylinux_2_" in wheel.name
