"""Attempts that are scheduled ahead of their slots: how many are under way, and what becomes of those that wait."""

import json
import subprocess
import time

import pytest

from conftest import WEIR

TASKS, SLOTS = 120, 2


@pytest.fixture
def crowd(tmp_path, weir):
    """A run of many short processes, each of which says when it begins and ends."""
    flow = {
        "linked": True,
        "definitions": {"item": {"name": "item", "primitive": "int"}, "said": {"name": "said", "primitive": "str"}},
        "operations": {"p": {"name": "process.run", "inputs": {"item": "item"}, "outputs": {"result": "said"}, "stage": "processing"}},
        "configs": {"p": {"command": ["sh", "-c", "echo + $1 >>log; sleep 0.01; echo - $1 >>log", "-", "{{inputs.item}}"], "format": "text"}},
        "seed": [{"definition": "item", "value": i} for i in range(TASKS)],
    }
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    (tmp_path / "weir.yaml").write_text(f"limits:\n  attempts: {SLOTS}\n")
    return Crowd(tmp_path, weir)


class Crowd:
    def __init__(self, folder, weir):
        self.folder, self.weir = folder, weir

    def start(self):
        return subprocess.Popen([WEIR, "run", "flow.json", "--name", "r", "-q"], cwd=self.folder, stdout=subprocess.DEVNULL)

    def log(self):
        file = self.folder / "log"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def began(self):
        return [int(item) for sign, item in self.log() if sign == "+"]

    def wait_began(self, count):
        until = time.monotonic() + 50
        while len(self.began()) < count:
            assert time.monotonic() < until
            time.sleep(0.01)

    def most_at_once(self):
        most = now = 0
        for sign, _ in self.log():
            now += 1 if sign == "+" else -1
            most = max(most, now)
        return most

    def events(self, type_):
        return [event for event in json.loads(self.weir("events", "r", "-o", "json").stdout) if event["type"] == type_]


def test_no_more_run_at_once_than_there_are_slots(crowd):
    assert crowd.start().wait(60) == 0
    assert sorted(crowd.began()) == list(range(TASKS)) and crowd.most_at_once() == SLOTS
    assert len(crowd.events("attempt.scheduled")) == TASKS


def test_what_waits_for_a_slot_does_not_begin_in_a_suspended_run(crowd):
    run = crowd.start()
    crowd.wait_began(TASKS // 2)
    assert crowd.weir("suspend", "r").returncode == 0
    asked = len(crowd.began())
    time.sleep(0.4)
    began = len(crowd.began())
    assert began <= asked + SLOTS and began < TASKS and began == len(crowd.log()) - began
    assert crowd.weir("resume", "r").returncode == 0
    assert run.wait(60) == 0
    assert sorted(crowd.began()) == list(range(TASKS)) and crowd.most_at_once() == SLOTS  # nothing twice
    assert all(event["data"]["reason"] == "suspended before it began" for event in crowd.events("attempt.lost"))


@pytest.mark.parametrize("command", ["cancel", "terminate"])
def test_what_waits_for_a_slot_is_cancelled_with_the_run(crowd, command):
    run = crowd.start()
    crowd.wait_began(TASKS // 2)
    assert crowd.weir(command, "r").returncode == 0
    began = len(crowd.began())
    assert run.wait(60) == 1 and began <= len(crowd.began()) < TASKS
    scheduled, finished = crowd.events("attempt.scheduled"), crowd.events("attempt.finished")
    assert len(scheduled) == len(finished)


def test_what_waited_for_a_slot_begins_after_a_recovery(crowd):
    run = crowd.start()
    crowd.wait_began(TASKS // 2)
    run.kill()
    run.wait()
    assert crowd.weir("recover", "r").returncode == 0
    began = crowd.began()
    assert set(began) == set(range(TASKS))
    assert json.loads(crowd.weir("get", "r", "-o", "json").stdout)["phase"] == "Succeeded"
    # Once more: what was under way, or had ended and not been written down.
    assert len(began) <= TASKS + 4 * SLOTS + 16
