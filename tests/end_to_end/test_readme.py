"""What the README shows works as it stands there."""

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
    return subprocess.run([WEIR, *shlex.split(command)[1:]], capture_output=True, text=True, timeout=60, env=environment, **more)


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 4


@pytest.mark.parametrize("command", [*COMMANDS, FIRST.replace("./dev run", "weir run")])
def test_a_command_of_the_readme(tmp_path, command):
    result = run(command, tmp_path, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_the_pipeline_of_the_readme(tmp_path):
    (tmp_path / "greeting.yaml").write_text(re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1))
    command, wanted = re.search(r"`(weir run greeting.yaml [^`]*)` prints its outputs: `([^`]*)`", README).groups()
    result = run(command, tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert " ".join(result.stdout.split()) == wanted.replace("{", "{ ").replace("}", " }")
