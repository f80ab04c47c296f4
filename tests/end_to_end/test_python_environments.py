"""Python functions with environments of their own: an interpreter, or what has to be installed, once."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import zipfile

import pytest
from conftest import WEIR

OPS = """
import sys

import weir


@weir.operation(requirements=["pond==1.0"])
def first(n: int) -> int:
    import pond

    return pond.depth * n


@weir.operation(requirements=["Pond == 2.0"])
def second(n: int) -> int:
    import pond

    return pond.depth * n


@weir.operation
def where(n):
    return sys.prefix


@weir.operation(requirements="wanted.txt")
def of_a_file(n):
    import pond

    return [pond.depth, sys.prefix]


@weir.operation(requirements=["lake"])
def lacks(n):
    return n
"""

TOP = """
import pond
import weir

WANTED = ["pond==2.0"]


@weir.operation(requirements=WANTED)
def deep(n: int) -> int:
    return pond.depth * n


def plain(n):
    return pond.depth
"""


def write_wheel(folder, name, version, text):
    base = f"{name}-{version}"
    info = f"{base}.dist-info"
    files = {
        f"{name}/__init__.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-say = {name}:say\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{base}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Wheels to install, and a folder where environments are kept."""
    folder = tmp_path_factory.mktemp("environments")
    (folder / "wheels").mkdir()
    for version in (1, 2):
        write_wheel(folder / "wheels", "pond", f"{version}.0", f"depth = {version}\n\ndef say():\n    print('a pond')\n")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"), "WEIR_PYTHON_ENVIRONMENTS": str(folder / "kept")}


@pytest.fixture
def run(weir, tmp_path, kept):
    """Runs a pipeline of components {name: runner}; gives what came out and what was said."""
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "top.py").write_text(TOP)
    (tmp_path / "wanted.txt").write_text("# what ponds want\n-r more/wanted.txt\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/wanted.txt").write_text("\npond  ==1.0  # shallow\n")

    def run(components, environment=None, **options):
        lines = [f"    - {name}: {{runner: {json.dumps(runner)}, inputs: [n], outputs: [{name}]}}" for name, runner in components.items()]
        outputs = ", ".join(f"{name}.{name}" for name in components)
        (tmp_path / "p.yaml").write_text(f"pipeline:\n  name: p\n  inputs: [n]\n  outputs: [{outputs}]\n  components:\n" + "\n".join(lines) + "\n")
        done = weir("run", "p.yaml", "n=10", environment={**kept, **(environment or {})}, timeout=120, **options)
        return {name.split(".")[0]: value for name, value in json.loads(done.stdout if done.stdout.startswith("{") else "{}").items()}, done.stderr

    return run


ALL = {
    "a": "ops:first",
    "b": "ops:second",
    "c": "ops:where",
    "d": "top:deep",
    "e": {"python": "top:plain", "requirements": ["pond==1.0"]},
    "f": {"python": "ops:first", "requirements": ["pond==2.0"]},
}


def test_several_environments_in_one_run(run, kept):
    results, said = run(ALL)
    assert results == {"a": 10, "b": 20, "c": results["c"], "d": 20, "e": 1, "f": 20}
    assert kept["WEIR_PYTHON_ENVIRONMENTS"] not in results["c"]
    assert said.count("making a Python environment with") == 2
    assert run(ALL) == (results, "")  # they are there
    results, said = run({"g": "ops:of_a_file", "h": {"python": "ops:where", "requirements": "wanted.txt"}})
    assert said == "" and results["g"] == [1, results["h"]]
    with open(os.path.join(results["h"], "bin", "pond-say")) as script:
        assert script.readline() == f"#!{results['h']}/bin/python3\n"
    assert subprocess.run([os.path.join(results["h"], "bin", "pond-say")], capture_output=True, text=True).stdout == "a pond\n"


def test_what_is_kept(run, weir, tmp_path, kept):
    environment = {**kept, "WEIR_PYTHON_ENVIRONMENTS": str(tmp_path / "kept")}
    assert json.loads(weir("environment", "list", "-o", "json", environment=environment).stdout) == []
    place = run({"h": {"python": "ops:where", "requirements": ["pond==1.0"]}}, environment=environment)[0]["h"]
    (listed,) = json.loads(weir("environment", "list", "-o", "json", environment=environment).stdout)
    assert listed["requirements"] == ["pond==1.0"] and place.endswith(listed["name"]) and listed["bytes"] > 10_000
    assert "pond==1.0" in weir("environment", "list", environment=environment).stdout
    assert "1 environment of" in weir("doctor", environment=environment).stdout
    assert weir("environment", "prune", "--older-than", "1d", "-o", "name", environment=environment).stdout == ""
    with open(place + ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert "removed 0 environments" in weir("environment", "prune", environment=environment).stdout
    assert weir("environment", "prune", "-o", "name", environment=environment).stdout == listed["name"] + "\n"
    assert os.listdir(tmp_path / "kept") == []


def test_two_at_once_make_one(run, tmp_path, kept):
    run({"c": "ops:where"})
    (tmp_path / "p.yaml").write_text((tmp_path / "p.yaml").read_text().replace("ops:where", "ops:first"))
    environment = {**os.environ, **kept, "WEIR_PYTHON_ENVIRONMENTS": str(tmp_path / "kept")}
    both = [
        subprocess.Popen([WEIR, "run", "p.yaml", "n=10", "--state", f"state{i}"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [json.loads(out) for out, _ in said] == [{"c.c": 10}] * 2, said
    assert sum(text.count("making a Python environment") for _, text in said) == 1


def test_a_kill_leaves_no_half(run, tmp_path, kept):
    run({"c": "ops:where"})
    (tmp_path / "p.yaml").write_text((tmp_path / "p.yaml").read_text().replace("ops:where", "ops:first"))
    folder = tmp_path / "kept"
    environment = {**os.environ, **kept, "WEIR_PYTHON_ENVIRONMENTS": str(folder)}
    process = subprocess.Popen([WEIR, "run", "p.yaml", "n=10"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert "making a Python environment" in process.stderr.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    results, said = run({"c": "ops:first"}, environment={"WEIR_PYTHON_ENVIRONMENTS": str(folder)})
    assert results == {"c": 10} and said.count("making a Python environment") == 1
    (name,) = (entry.name for entry in folder.iterdir() if entry.is_dir())
    assert json.loads((folder / name / "weir-environment.json").read_text())["requirements"] == ["pond==1.0"]


def test_what_cannot_be_installed(run, weir, tmp_path, kept):
    results, said = run({"a": "ops:lacks"})
    assert results == {} and "pip: No matching distribution found for lake (environment_failed)" in said
    assert "Could not find a version that satisfies the requirement lake" in said  # pip's own lines
    log = said.split("all that pip said is in ")[1].split(";")[0]
    assert "Looking in links" in open(log).read()
    _, said = run({"a": {"python": "top:plain", "requirements": ["lake"]}})
    assert "p.yaml:6:11: error: runner: `top:plain`: the environment cannot be made: pip: No matching" in said
    assert "`top:plain`: ModuleNotFoundError" in run({"a": "top:plain"})[1]


@pytest.mark.parametrize(("runner", "error"), [
    ({"python": "ops:where", "requirements": 4}, "`requirements` are a list of texts, or the path of a file"),
    ({"python": "ops:where", "requirements": "absent.txt"}, "absent.txt cannot be read: No such file"),
    ({"python": "ops:where", "interpreter": ["x"]}, "`interpreter` is no text"),
    ({"python": "ops:where", "requires": []}, "there is no `requires`"),
    ({"python": "process.run", "requirements": ["x"]}, "`process.run` is no Python function"),
    ({"python": "ops:where", "interpreter": "./nowhere"}, "nowhere"),
])  # fmt: skip
def test_what_is_said_wrong(run, runner, error):
    results, said = run({"a": runner})
    assert results == {} and error in said


def test_an_interpreter(run, weir, tmp_path, kept):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "other"], cwd=tmp_path, check=True)
    results, _ = run({"a": {"python": "ops:where", "interpreter": "other/bin/python3"}, "b": "ops:where"})
    assert results["a"] == str(tmp_path / "other") != results["b"]
    (tmp_path / "ops.py").write_text(OPS.replace("@weir.operation\ndef where", "@weir.operation(interpreter='other/bin/python3')\ndef where"))
    assert run({"a": "ops:where"})[0]["a"] == str(tmp_path / "other")
    assert f"interpreter: {tmp_path}/other/bin/python3" in weir("operation", "show", "ops:where").stdout
    assert 'requirements: ["pond==2.0"]' in weir("operation", "show", "ops:second").stdout
    flow = json.loads(weir("dataflow", "create", "f=ops:where", "get_multi", "--inputs", '["ops:where.outputs.result"]=get_multi_spec').stdout)
    flow["operations"]["f"]["requirements"] = ["pond==1.0"]
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    done = weir("run", "flow.json", "ops:where.inputs.n=1", "--state", "state", "--name", "r", environment=kept, timeout=60)
    (prefix,) = json.loads(done.stdout)["ops:where.outputs.result"]
    assert prefix.startswith(kept["WEIR_PYTHON_ENVIRONMENTS"]), done.stderr
    (tmp_path / "ops.py").unlink()  # what is kept tells where it ran
    assert weir("get", "r", "--state", "state").returncode == 0


def test_it_waits_for_who_makes_it(run, tmp_path, kept):
    run({"a": "ops:first"})
    folder = kept["WEIR_PYTHON_ENVIRONMENTS"]
    results, _ = run({"h": {"python": "ops:where", "requirements": ["pond==1.0"]}})
    with open(results["h"] + ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = {**os.environ, **kept}
        process = subprocess.Popen([WEIR, "run", "p.yaml", "n=1"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr.readline() == "weir: another process makes the environment; waiting for it\n"
    out, said = process.communicate(timeout=60)
    assert json.loads(out)["h.h"].startswith(folder) and said == ""
