"""The dataflow benchmark still gives right results: each case makes the calls that the bare loop makes."""

import os
import subprocess
import sys

from conftest import ROOT, WEIR

# The cases of bench/dataflow.py, and one on two threads.
CASES = {"chain", "fan-out", "product", "dag", "loop", "contexts", "results", "freed", "retained", "contexts on 2 threads"}


def test_every_case_gives_the_right_result():
    command = [sys.executable, ROOT / "bench/dataflow.py", "--quick"]
    done = subprocess.run(command, env={**os.environ, "WEIR": WEIR}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert {line.removeprefix("ok").strip() for line in done.stdout.splitlines()} == CASES
