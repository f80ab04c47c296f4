"""`kill -9` at any moment, then `weir recover`: what was finished does not run again, and the result is the same.

The examples are run as they are. Their commands are found in a folder of wrappers, first in PATH, each of which writes
the attempt it runs for into a file outside weir's reach before it does what it is named for, slowly."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, WEIR

KILLS = int(os.environ.get("WEIR_KILLS", "20"))
SEED = int(os.environ.get("WEIR_KILL_SEED", str(random.randrange(1 << 32))))
COMMANDS = ("awk", "echo", "printf")
EXAMPLES = {
    "words": ["examples/words/words.json", "--input", "directory=TEXTS"],
    "dag-diamond": ["examples/workflow/dag-diamond.yaml"],
    "invoice": ["examples/pipeline/invoice.yaml", "--inputs", "document_id=D0", "page_num=0"],
}


@pytest.fixture
def world(tmp_path):
    """A folder with wrappers, texts to count, and a log of every command that began."""
    wrappers = tmp_path / "bin"
    wrappers.mkdir()
    for command in COMMANDS:
        real = subprocess.check_output(["sh", "-c", f"PATH=/usr/bin:/bin command -v {command}"], text=True).strip()
        real = real if real.startswith("/") else f"/usr/bin/{command}"
        wrapper = wrappers / command
        wrapper.write_text(f'#!/bin/sh\n/bin/echo "$WEIR_ATTEMPT" >> {tmp_path}/began\n/bin/sleep 0.02\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
    texts = tmp_path / "texts"
    texts.mkdir()
    for i in range(12):
        (texts / f"{i}.txt").write_text("words that count more than once count\n" * (i + 1))
    (tmp_path / "began").touch()
    return tmp_path


def command(world, *arguments):
    return [WEIR, *(a.replace("TEXTS", str(world / "texts")) for a in arguments), "--state", str(world / "state")]


def environment(world):
    return {**os.environ, "PATH": f"{world}/bin:/usr/bin:/bin"}


def call(world, *arguments):
    return subprocess.run(
        command(world, *arguments), cwd=ROOT, env=environment(world), capture_output=True, text=True, timeout=60
    )


def began(world, run):
    """How often each task's command began, and that no attempt did twice."""
    attempts = [line.split("/") for line in (world / "began").read_text().split()]
    mine = [(task, number, member) for identity, task, number, member in attempts if identity == run]
    assert len(mine) == len(set(mine)), f"an attempt began twice: {mine}"
    counts = {}
    for task, _, _ in mine:
        counts[int(task)] = counts.get(int(task), 0) + 1
    return counts


def finished_tasks(world, name):
    """The run's id and its finished tasks; None when the kill came before anything was kept."""
    events = call(world, "events", name, "-o", "jsonl")
    if events.returncode != 0:
        assert events.returncode == 2, events.stderr
        return None, set()
    lines = [json.loads(line) for line in events.stdout.splitlines()]
    return lines[0]["data"]["id"], {e["data"]["task"] for e in lines if e["type"] == "task.finished"}


def comparable(result):
    return {key: result[key] for key in ("kind", "phase", "results", "error")}


def kill_at(world, arguments, seconds):
    process = subprocess.Popen(
        command(world, *arguments), cwd=ROOT, env=environment(world), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


class Killed:
    """A run that is killed, and whose recoveries are: what was finished before each did not run again after it."""

    def __init__(self, world, name, moments):
        self.world, self.name, self.moments = world, name, moments
        self.run, self.finished, self.before = None, set(), {}

    def look(self):
        """Whether anything was kept."""
        self.run, finished = finished_tasks(self.world, self.name)
        after = began(self.world, self.run) if self.run else {}
        again = {task for task in self.finished if self.before.get(task, 0) != after.get(task, 0)}
        assert not again, f"{self.name} killed after {self.moments} s: finished tasks {again} ran again"
        assert finished >= self.finished, f"{self.name} killed after {self.moments} s: what was finished is lost"
        self.finished, self.before = finished, after
        return self.run is not None


def check_one(world, arguments, expected, name, moments):
    killed = Killed(world, name, moments)
    kill_at(world, ["run", *arguments, "--name", name, "-o", "json"], moments[0])
    if not killed.look():
        return 0
    for seconds in moments[1:]:
        kill_at(world, ["recover", name, "-o", "json"], seconds)
        killed.look()
    kept = len(killed.finished)
    recovered = call(world, "recover", name, "-o", "json")
    assert recovered.returncode == 0, f"{name} killed after {moments} s: {recovered.stderr}"
    assert comparable(json.loads(recovered.stdout)) == expected, f"{name} killed after {moments} s"
    killed.look()
    return kept


def test_killed_runs_go_on(world):
    generator = random.Random(SEED)
    times, expected = {}, {}
    for example, arguments in EXAMPLES.items():
        begin = time.monotonic()
        result = call(world, "run", *arguments, "-o", "json")
        times[example] = time.monotonic() - begin
        assert result.returncode == 0, result.stderr
        expected[example] = comparable(json.loads(result.stdout))
    kept = kills = runs = 0
    while kills < KILLS:
        example = list(EXAMPLES)[runs % len(EXAMPLES)]
        moments = [generator.uniform(0, times[example] * 1.05) for _ in range(generator.choice((1, 1, 2, 3)))]
        kept += check_one(world, EXAMPLES[example], expected[example], f"{example}-{runs}", moments)
        kills += len(moments)
        runs += 1
    print(f"note: {kills} kills of {runs} runs and their recoveries (seed {SEED}), {kept} finished tasks kept")
    assert kept > runs / 4, "the kills came too early or too late to show anything"


def test_a_state_is_whole_or_not_there(world):
    """Killed while it is made; whoever comes next makes it, or finds it."""
    generator = random.Random(SEED)
    example = EXAMPLES["dag-diamond"]
    call(world, "doctor")
    for i in range(max(10, KILLS // 5)):
        shutil.rmtree(world / "state", ignore_errors=True)
        seconds = generator.uniform(0, 0.03)
        kill_at(world, ["run", *example, "--name", "first"], seconds)
        listed = call(world, "list", "-o", "name")
        assert listed.returncode == 0 or "there are no runs here" in listed.stderr, (seconds, listed.stderr)
        assert call(world, "run", *example[:1], "--name", "second").returncode == 0, seconds


SLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: slow-}
spec:
  entrypoint: main
  templates:
  - {name: main, container: {image: x, command: [sleep, "60"]}}
"""


def test_a_run_is_cancelled_as_soon_as_it_is_there(world):
    """It may have no socket yet: who asks waits for that."""
    (world / "slow.yaml").write_text(SLOW)
    for i in range(5):
        process = subprocess.Popen(
            command(world, "run", str(world / "slow.yaml"), "--name", f"new{i}"), cwd=ROOT, env=environment(world),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 10
            while (asked := call(world, "cancel", f"new{i}", "--terminate")).returncode and time.monotonic() < deadline:
                assert "there is no run" in asked.stderr or "there are no runs" in asked.stderr, asked.stderr
            assert process.wait(timeout=30) == 1
        finally:
            process.kill()
            process.wait()


def test_recover_refuses_a_run_that_somebody_drives(world):
    (world / "slow.yaml").write_text(SLOW)
    process = subprocess.Popen(
        command(world, "run", str(world / "slow.yaml"), "--name", "driven"), cwd=ROOT, env=environment(world),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 10
        while call(world, "get", "driven").returncode != 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        refused = call(world, "recover", "driven")
        assert refused.returncode == 3 and "driven by another process" in refused.stderr
        process.send_signal(signal.SIGCONT)
        assert call(world, "cancel", "driven", "--terminate").returncode == 0
        assert process.wait(timeout=30) == 1
    finally:
        process.kill()
        process.wait()
