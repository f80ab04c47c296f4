"""The benchmarks still give right results: each case of dataflows makes the calls that the bare loop makes, those of stores
come to their end."""

import json
import os
import pathlib
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


def test_every_case_of_the_stores_ends():
    command = [sys.executable, ROOT / "bench/store.py", "--quick", "--no-dbos", "--only", "SQLite"]
    done = subprocess.run(command, env={**os.environ, "WEIR": WEIR}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 16 and all(float(row[1].replace(",", "")) > 0 for row in rows[1:])


def test_python_is_compared():
    command = [sys.executable, ROOT / "bench/python_workers.py", "--calls", "2000", "--chain", "300", "--spins", "1000", "--megabytes", "1", "--rounds", "1", "-o", "json"]
    done = subprocess.run(command, env={**os.environ, "WEIR": WEIR, "WEIR_PYTHON": sys.executable}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["there_and_back_us"] > 0 and figures["first_ms"] > 0 and figures["python_ms"] > 0
    assert figures["copy_ms"] > 0 and "next_array_by_copy" in figures


def test_large_values_come_back():
    command = [sys.executable, ROOT / "bench/values.py", "--quick"]
    done = subprocess.run(command, env={**os.environ, "WEIR": WEIR}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [line[:12].strip() for line in done.stdout.splitlines()[1:]] == ["one text", "each its own"]


def test_python_functions_are_called_as_often_as_they_should():
    command = [sys.executable, ROOT / "bench/python.py", "--quick"]
    environment = {**os.environ, "WEIR_PYTHON": str(pathlib.Path(WEIR).parent / "sdk/python")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "pure function" in done.stdout, done.stdout + done.stderr


def test_every_scheduler_is_measured():
    """Graphs of chance in virtual time, real processes under a limit; the bounds are the benchmark's own, and a miss is its exit code."""
    command = [sys.executable, ROOT / "bench/schedulers.py", "--quick"]
    done = subprocess.run(command, env={**os.environ, "WEIR": WEIR}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith(("small", "random"))]
    assert {scheduler for kind, scheduler in rows if kind == "random"} >= {"fifo", "fair", "critical-path", "memory"}, done.stdout


def test_dffmls_classes_give_what_they_should():
    command = [sys.executable, ROOT / "bench/dffml.py", "--quick"]
    environment = {**os.environ, "WEIR_PYTHON": str(pathlib.Path(WEIR).parent / "sdk/python")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "product" in done.stdout, done.stdout + done.stderr
