"""What the README shows works as it stands there."""

import pathlib
import re
import shlex
import subprocess

import pytest

from conftest import ROOT, WEIR

README = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [line.split("#")[0].strip() for line in SHELL.splitlines() if line.startswith("weir run ")]
FIRST = next(line for line in SHELL.splitlines() if line.startswith("./dev run "))


def run(command, folder, **more):
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "WEIR_STATE": str(folder / "state")}
    environment["WEIR_EXECUTOR"] = "process"  # their images are others', far away
    return subprocess.run([WEIR, *shlex.split(command)[1:]], capture_output=True, text=True, timeout=60, env=environment, **more)


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", [*COMMANDS, FIRST.replace("./dev run", "weir run")])
def test_a_command_of_the_readme(tmp_path, command):
    result = run(command, tmp_path, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_what_dev_run_builds_has_the_modules():
    """The module of an operation is opened when that is called: a tree that is built for `./dev run` must have them."""
    target = re.search(r"^run\(\) \{.*?compile_quietly release (\w+)$", (ROOT / "dev").read_text(), re.DOTALL | re.MULTILINE)[1]
    build = pathlib.Path(WEIR).parent
    built = subprocess.run(["ninja", "-C", build, "-t", "query", target], capture_output=True, text=True, check=True).stdout
    needs = set(re.findall(r"\S*weir-\w+\.so\b", built)) | ({"weir"} & set(built.split()))
    assert needs == {"weir"} | {str(path.relative_to(build)) for path in (build / "operations").glob("weir-*.so")}
    assert len(needs) > 5


def test_the_pipeline_of_the_readme(tmp_path):
    (tmp_path / "greeting.yaml").write_text(re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1))
    command, wanted = re.search(r"`(weir run greeting.yaml [^`]*)` prints its outputs: `([^`]*)`", README).groups()
    result = run(command, tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert " ".join(result.stdout.split()) == wanted.replace("{", "{ ").replace("}", " }")


ROWS = re.findall(r"^\| `(examples/[^`]*)` \|", (ROOT / "examples/README.md").read_text(), re.MULTILINE)


# These need packages of Python, or a server: test_shouldi.py and test_chat.py run them.
NEED_MORE = ("examples/shouldi/", "examples/chat/")


@pytest.mark.parametrize("row", [row for row in ROWS if "." in row.split()[0] and not row.endswith(".c") and not row.startswith(NEED_MORE)])
def test_a_row_of_the_examples(tmp_path, row):
    result = run("weir run " + row.replace("examples", str(ROOT / "examples")), tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_the_lock_of_the_example(tmp_path):
    command = f"weir run {ROOT}/examples/locking/locking.yaml file=account.txt"
    assert "120" in run(command, tmp_path, cwd=tmp_path).stdout
    overlay = f" --overlay {ROOT}/examples/locking/without-lock.yaml"
    # When both write at the same moment the shorter text leaves the end of the longer.
    assert re.search(r'"(150|70)\\n(\\n)?"', run(command + overlay, tmp_path, cwd=tmp_path).stdout)
