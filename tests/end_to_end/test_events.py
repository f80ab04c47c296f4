"""`weir events`: parts of a journal, as CloudEvents, and while another process drives the run."""

import json
import os
import re
import subprocess

import pytest
from conftest import WEIR

PIPELINE = """
pipeline:
  name: two
  inputs: []
  outputs: [first.done]
  components:
    - first:
        run: [sh, -c, "echo one; while [ ! -e go ]; do sleep 0.02; done"]
        inputs: []
        outputs: [done]
"""


def events(weir, run, *arguments):
    result = weir("events", run, "-o", "jsonl", *arguments)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def finished(weir):
    assert weir("example", "run", "calculator", "--name", "sum").returncode == 0
    return "sum"


def test_a_part_of_them(weir, finished):
    every = events(weir, finished)
    ids = [event["id"] for event in every]
    assert len(ids) == len(set(ids)) and ids[0] == "0:1" and every[-1]["type"] == "run.finished"
    some = events(weir, finished, "--type", "attempt.*,run.fin?shed")
    assert [e for e in every if e["type"].startswith("attempt.") or e["type"] == "run.finished"] == some
    assert events(weir, finished, "--type", "no.such") == []
    for at, event in enumerate(every):
        assert events(weir, finished, "--after", event["id"]) == every[at + 1 :]
    assert events(weir, finished, "--limit", 3) == every[:3]
    assert events(weir, finished, "--limit", 0) == every
    assert events(weir, finished, "--after", ids[1], "--type", "run.*", "--limit", 1) == [every[-1]]
    assert events(weir, finished, "--follow") == every


def test_forms_are_of_the_same_events(weir, finished):
    every = events(weir, finished)
    assert json.loads(weir("events", finished, "-o", "json").stdout) == every
    assert json.loads(weir("events", finished, "-o", "json", "--type", "none").stdout) == []
    assert weir("events", finished, "-o", "yaml", "--type", "none").stdout == "[]\n"
    lines = weir("events", finished, "-o", "yaml").stdout.splitlines()
    assert sum(line.startswith("- ") for line in lines) == len(every)
    text = weir("events", finished).stdout.splitlines()
    assert [line.split()[1] for line in text] == [event["id"] for event in every]


def test_cloudevents(weir, finished):
    every = events(weir, finished)
    clouds = [json.loads(line) for line in weir("events", finished, "-o", "cloudevents").stdout.splitlines()]
    assert len(clouds) == len(every)
    for event, cloud in zip(every, clouds):
        assert cloud["specversion"] == "1.0"
        assert (cloud["id"], cloud["time"], cloud["data"]) == (event["id"], event["time"], event["data"])
        assert cloud["type"] == "dev.weir." + event["type"]
        assert re.fullmatch(r"/weir/runs/[0-9a-z]{20}", cloud["source"])
        assert cloud["datacontenttype"] == "application/json"
        assert cloud["weirrun"] == "sum" and cloud.get("weirprev", "").split() == event["prev"]
        assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) and cloud[name] != "" for name in cloud)
    assert any(cloud.get("subject", "").startswith("default/") for cloud in clouds)
    assert weir("events", finished, "-o", "cloudevents").stdout == weir("events", finished, "-o", "cloudevents").stdout


@pytest.mark.parametrize(
    "arguments, code, what",
    [
        (["--after", "7:7"], 2, "has no event `7:7`"),
        (["--after", "x" * 10000], 2, "has no event"),
        (["--limit", "-1"], 2, "`--limit` must be a number"),
        (["-o", "xml"], 2, "text|json|jsonl|yaml|cloudevents"),
        (["--follow", "--after", "7:7"], 2, "has no event `7:7`"),
    ],
)
def test_what_there_is_not(weir, finished, arguments, code, what):
    result = weir("events", finished, *arguments)
    assert result.returncode == code and what in result.stderr and not result.stdout


def test_a_pattern_of_any_length(weir, finished):
    assert events(weir, finished, "--type", "*" * 1000 + ",run.created," + "x" * 5000)[0]["type"] == "run.created"


def test_follow_while_another_process_drives_it(weir, tmp_path):
    (tmp_path / "two.yaml").write_text(PIPELINE)
    environment = {**os.environ, "WEIR_STATE": str(tmp_path / "state")}
    run = subprocess.Popen([WEIR, "run", "two.yaml", "--name", "two", "-q"], cwd=tmp_path, env=environment,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    follower = None
    try:
        while weir("get", "two", environment=environment).returncode:
            assert run.poll() is None, run.stderr.read()
        follower = subprocess.Popen([WEIR, "events", "two", "--follow", "-o", "jsonl"], cwd=tmp_path, env=environment,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        seen = []
        while not seen or seen[-1]["type"] != "attempt.started":
            seen.append(json.loads(follower.stdout.readline()))
        (tmp_path / "go").touch()  # the step waits for it, so all this was seen while the run was going on
        rest, problem = follower.communicate(timeout=60)
        assert follower.returncode == 0 and not problem
        assert run.wait(60) == 0
    finally:
        for process in (run, follower):
            if process and process.poll() is None:
                process.kill()
                process.wait()
            if process:
                process.stdout.close(), process.stderr.close()
    seen += [json.loads(line) for line in rest.splitlines()]
    assert seen[-1]["type"] == "run.finished"
    again = weir("events", "two", "-o", "jsonl", environment=environment).stdout.splitlines()
    assert seen == [json.loads(line) for line in again]
