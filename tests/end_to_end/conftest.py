"""What end-to-end tests share: the command, and a way to run it in a folder of its own."""

import os
import pathlib
import signal
import subprocess

import pytest

from postgresql_server import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Steps of most tests write where the test looks, which in a sandbox is not the host's; those of sandboxes say what they want.
os.environ.setdefault("WEIR_ISOLATION", "none")
os.environ.setdefault("ASAN_OPTIONS", "intercept_tls_get_addr=0")  # see tests/run.py
# Nothing is pulled unless a test wants images.
os.environ.setdefault("WEIR_EXECUTOR", "process")
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
# What a shell starts in the background ignores these, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in (signal.SIGQUIT, signal.SIGHUP):
    signal.signal(ignored, signal.SIG_DFL)


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="write golden files anew")


@pytest.fixture
def golden(request):
    """Compares a text with a file of this tree, or with --update writes that."""

    def check(name, text):
        if request.config.getoption("--update"):
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text)
        assert (ROOT / name).read_text() == text, f"{name} is not current: `pytest tests/end_to_end --update` writes it"

    return check


@pytest.fixture
def weir(tmp_path):
    """Runs `weir ARGUMENT…` in the test's folder; gives the finished process with its texts."""

    def call(*arguments, environment=None, timeout=60, **options):
        return subprocess.run(
            [WEIR, *map(str, arguments)], cwd=options.pop("cwd", tmp_path), capture_output=True, text=True,
            timeout=timeout, env={**os.environ, **(environment or {})}, **options,
        )

    return call


@pytest.fixture(scope="session")
def postgresql():
    """One server for all files: a test makes a database of its own in it, and starts it again when it stopped it."""
    server = Server()
    yield server
    server.close()
