"""What is packaged, once for all tests: the archive, the Debian package, and an installed prefix."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def packages():
    """The paths of the Debian package and of the archive."""
    done = subprocess.run([ROOT / "dev", "package"], check=True, stdout=subprocess.PIPE, text=True)
    return [pathlib.Path(line) for line in done.stdout.splitlines()[-2:]]


@pytest.fixture(scope="session")
def installed(packages, tmp_path_factory):
    """A prefix that `ninja install` filled."""
    folder = tmp_path_factory.mktemp("installed")
    environment = {**os.environ, "DESTDIR": str(folder)}
    command = ["meson", "install", "-C", ROOT / "build/release", "--no-rebuild", "--quiet"]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return folder / "usr"


def environment_of(prefix):
    """Only what is in the prefix is found, and the system."""
    return {
        "PATH": f"{prefix}/bin:/usr/bin:/bin",
        "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
        "HOME": "/nonexistent",
    }


def shell(script, folder, prefix):
    """Runs the script, which must succeed; what it printed."""
    done = subprocess.run(["sh", "-e", "-c", script], cwd=folder, env=environment_of(prefix), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
