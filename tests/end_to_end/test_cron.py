"""Schedules: `weir cron`, and what is started at set times."""

import contextlib
import datetime
import json
import signal
import subprocess
import time

import pytest

from conftest import WEIR
from test_postgresql import World


def test_next_times_of_schedules(weir):
    asked = ["--timezone", "Europe/Berlin", "--from", "2026-10-24T22:00Z", "--count", 3]
    ran = weir("cron", "next", "30 2 * * *", "0 3 * * sun", *asked, "-o", "json")
    assert (ran.returncode, json.loads(ran.stdout)) == (0, ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"])
    ran = weir("cron", "next", "30 2 * * *", *asked)
    assert ran.stdout.splitlines()[0] == "2026-10-25T02:30:00+02:00  in 2 hours 30 minutes"
    assert weir("cron", "next", "0 0 30 2 *", "-o", "json").stdout == "[]\n"
    assert "never within five years" in weir("cron", "next", "0 0 30 2 *").stdout
    local = weir("cron", "next", "@daily", "--from", "2026-01-01T00:00Z", "--count", 1, environment={"TZ": "Asia/Tokyo"})
    assert local.stdout.startswith("2026-01-02T00:00:00+09:00")


def test_next_says_what_is_wrong(weir):
    for arguments, message in (
        (["0 24 * * *"], "hour `24` is too large"),
        (["0 0"], "fewer than five fields"),
        (["@daily", "--timezone", "Mars/Phobos"], "there is no time zone `Mars/Phobos`"),
        (["@daily", "--count", "x"], "--count"),
        (["@daily", "--from", "x"], "--from"),
    ):
        ran = weir("cron", "next", *arguments)
        assert ran.returncode == 2 and message in ran.stderr, arguments


CRON = """apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {{name: {name}, labels: {{team: x}}}}
spec:
  schedules: ["{schedule}"]
  timezone: Europe/Berlin
  {more}
  workflowMetadata: {{labels: {{made: "yes"}}}}
  workflowSpec:
    entrypoint: main
    arguments: {{parameters: [{{name: what, value: file}}]}}
    templates:
      - name: main
        steps:
          - - name: say
              templateRef: {{name: shared, template: say}}
              arguments: {{parameters: [{{name: what, value: "{{{{workflow.parameters.what}}}}"}}]}}
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {{name: shared}}
spec:
  templates:
    - name: say
      inputs: {{parameters: [{{name: what}}]}}
      container: {{image: x, command: [sh, -c, {command}]}}
"""
SAY = '"echo {{workflow.scheduledTime}} {{inputs.parameters.what}}"'


@pytest.fixture
def cron(weir, tmp_path):
    """Makes a schedule."""

    def make(name, schedule="30 4 * * *", more="suspend: false", command=SAY, *arguments):
        (tmp_path / f"{name}.yaml").write_text(CRON.format(name=name, schedule=schedule, more=more, command=command))
        ran = weir("cron", "create", f"{name}.yaml", "-o", "json", *arguments)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return make


@contextlib.contextmanager
def serving(folder):
    """`weir serve-schedules`, and what it says, line by line."""
    command = [WEIR, "serve-schedules"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def until(process, text):
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"it ended before {text}")


def shown(weir, name):
    return json.loads(weir("cron", "show", name, "-o", "json").stdout)


def test_schedules_are_kept(weir, cron):
    made = cron("nightly")
    assert (made["kind"], made["metadata"]["name"], made["metadata"]["labels"]) == ("CronWorkflow", "nightly", {"team": "x"})
    assert made["status"]["phase"] == "Active" and made["status"]["nextScheduledTime"].endswith(":30:00Z")
    again = weir("cron", "create", "nightly.yaml")
    assert again.returncode == 2 and "already a schedule" in again.stderr and "cron update" in again.stderr
    assert weir("cron", "update", "nightly.yaml", "--schedule", "@weekly", "--schedule", "@hourly", "--timezone", "UTC").returncode == 0
    lines = weir("cron", "list").stdout.splitlines()
    assert lines[0].split("  ")[0] == "NAME" and "@weekly,@hourly   UTC" in lines[1]
    assert weir("cron", "suspend", "nightly").stdout == "nightly: suspended\n"
    suspended = weir("cron", "get", "nightly").stdout
    assert "Suspended:                     true\n" in suspended and "NextScheduledTime" not in suspended
    assert weir("cron", "resume", "nightly").returncode == 0
    assert weir("cron", "list", "-o", "name").stdout == "nightly\n"
    assert json.loads(weir("cron", "list", "-o", "json").stdout)[0]["spec"]["suspend"] is False
    assert weir("cron", "delete", "nightly").stdout == "nightly: deleted\n"
    for verb in ("show", "suspend", "resume", "delete", "run"):
        gone = weir("cron", verb, "nightly")
        assert gone.returncode == 2 and "there is no schedule `nightly`" in gone.stderr, verb


def test_what_cannot_be_a_schedule_is_refused(weir, tmp_path):
    for text, message in (
        (CRON.format(name="x", schedule="0 25 * * *", more="", command=SAY), "hour `25` is too large"),
        (CRON.format(name="x", schedule="@daily", more="concurrencyPolicy: Never", command=SAY), "Never"),
        (CRON.format(name="x", schedule="@daily", more="", command=SAY).replace("Europe/Berlin", "Mars/Base"), "no time zone `Mars/Base`"),
        (CRON.format(name="x", schedule="@daily", more="", command=SAY).replace("entrypoint: main", "entrypoint: nowhere"), "nowhere"),
        (CRON.format(name="a/b", schedule="@daily", more="", command=SAY), "cannot be a schedule's name"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: x}\nspec: {entrypoint: a, templates: [{name: a, suspend: {}}]}\n", "has no schedule"),
    ):
        (tmp_path / "wrong.yaml").write_text(text)
        ran = weir("cron", "create", "wrong.yaml")
        assert ran.returncode == 2 and message in ran.stderr, (message, ran.stderr)
        if "zone" in message:
            assert f"wrong.yaml:6:3: error: there is {message}" in weir("check", "wrong.yaml").stderr
    assert weir("cron", "list", "-o", "json").stdout == "[]\n"


def test_a_run_at_once_and_a_backfill(weir, cron):
    cron("nightly", "30 4 * * *", "suspend: true", SAY, "-p", "what=option")
    name = weir("cron", "run", "nightly", "--wait").stdout.splitlines()[0]
    assert name.startswith("nightly-")
    assert weir("logs", name, "--no-prefix", "--no-color").stdout.endswith("Z option\n")
    times = ["--start", "2026-03-28T00:00Z", "--end", "2026-03-30T12:00Z"]
    names = [f"nightly-backfill-{seconds}" for seconds in (1774668600, 1774751400, 1774837800)]
    dry = weir("cron", "backfill", "nightly", *times, "--dry-run", "-o", "name")
    assert dry.stdout.split() == names and len(weir("list", "-o", "name").stdout.split()) == 1
    filled = weir("cron", "backfill", "nightly", *times, "--argname", "what", "-o", "json")
    assert [run["name"] for run in json.loads(filled.stdout)] == names and filled.returncode == 0
    logs = weir("logs", names[1], "--no-prefix", "--no-color").stdout
    assert logs == "2026-03-29T02:30:00Z 2026-03-29T02:30:00Z\n"  # 4:30 of a day that is an hour short
    assert "(there already)" in weir("cron", "backfill", "nightly", *times).stdout
    assert len(weir("list", "-o", "name").stdout.split()) == 4
    assert weir("cron", "backfill", "nightly").returncode == 2
    many = weir("cron", "backfill", "nightly", "--start", "2020-01-01", "--maxworkflowcount", "10")
    assert many.returncode == 2 and "more than 10 times" in many.stderr


def test_runs_are_started_at_their_times(weir, cron, tmp_path):
    cron("tick", "@every 1s", "{concurrencyPolicy: Forbid, successfulJobsHistoryLimit: 2}".strip("{}").replace(", ", "\n  "))
    cron("slow", "@every 1s", "concurrencyPolicy: Replace", '"exec sleep 30"')
    cron("fails", "@every 1s", "stopStrategy: {expression: cronworkflow.failed >= 1}", '"exit 1"')
    with serving(tmp_path) as served:
        until(served, "slow: replaced")
        until(served, "deleted tick-")
    tick, slow, fails = shown(weir, "tick"), shown(weir, "slow"), shown(weir, "fails")
    assert tick["status"]["succeeded"] >= 3 and slow["status"]["failed"] + slow["status"]["succeeded"] >= 1
    assert (fails["status"]["phase"], "nextScheduledTime" in fails["status"]) == ("Stopped", False)
    runs = json.loads(weir("list", "-l", "workflows.argoproj.io/cron-workflow=tick", "-o", "json").stdout)
    assert 2 <= len(runs) <= 4
    run = json.loads(weir("get", runs[0]["name"], "-o", "json").stdout)
    seconds = int(run["metadata"]["name"].removeprefix("tick-"))
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert run["metadata"]["annotations"]["workflows.argoproj.io/scheduled-time"] == moment
    assert run["metadata"]["labels"]["made"] == "yes"
    assert weir("logs", runs[0]["name"], "--no-prefix", "--no-color").stdout == f"{moment} file\n"
    weir("stop", *[run["name"] for run in slow["status"]["active"]])


def test_a_time_has_one_run_whoever_is_killed(weir, cron, tmp_path):
    """Two serve one store; one after the other is killed, and comes back."""
    cron("tick", "@every 1s", "{successfulJobsHistoryLimit: 100, startingDeadlineSeconds: 20}".strip("{}").replace(", ", "\n  "))
    with serving(tmp_path) as first:
        until(first, "started")
        for _ in range(3):
            with serving(tmp_path) as second:
                time.sleep(0.7)
                first.kill()
                first.communicate()
                until(second, "started")
                first = subprocess.Popen([WEIR, "serve-schedules"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
                time.sleep(0.3)
                second.kill()
        until(first, "started")
        first.kill()
        first.communicate()
    deadline = time.monotonic() + 30
    while weir("list", "--running", "-o", "name").stdout.strip() and time.monotonic() < deadline:
        time.sleep(0.2)
    runs = json.loads(weir("list", "-o", "json").stdout)
    seconds = [int(run["name"].removeprefix("tick-")) for run in runs]
    assert len(set(seconds)) == len(seconds) >= 5
    events = [json.loads(weir("get", run["name"], "-o", "json").stdout) for run in runs]
    assert all(event["phase"] == "Succeeded" for event in events)
    status = shown(weir, "tick")["status"]
    assert status["succeeded"] + len(status["active"]) >= len(runs)


PIPELINE = """pipeline:
  name: hourly
  schedule: {schedule}
  inputs: [what]
  outputs: [said]
  components:
    say:
      inputs: [what]
      outputs: [said]
      run: [echo, "{{{{inputs.what}}}}"]
"""


def test_a_pipeline_has_a_schedule(weir, tmp_path):
    (tmp_path / "hourly.yaml").write_text(PIPELINE.format(schedule='"@hourly"'))
    ran = weir("run", "hourly.yaml", "what=now")
    assert ran.returncode == 0, ran.stderr
    assert weir("cron", "create", "hourly.yaml", "what=then", "-o", "name").stdout == "hourly\n"
    assert shown(weir, "hourly")["spec"]["schedules"] == ["@hourly"] and shown(weir, "hourly")["kind"] == "pipeline"
    name = weir("cron", "run", "hourly", "--wait").stdout.splitlines()[0]
    assert "then" in weir("results", name).stdout
    for schedule, message in (('"0 24 * * *"', "hour `24`"), ("{cron: '@daily', concurrencyPolicyy: Forbid}", "concurrencyPolicy"), ("{timezone: UTC}", "missing"), ("5", "must be a text")):
        (tmp_path / "wrong.yaml").write_text(PIPELINE.format(schedule=schedule))
        ran = weir("check", "wrong.yaml")
        assert ran.returncode == 2 and message in ran.stderr and "wrong.yaml:3:" in ran.stderr, ran.stderr


def test_any_file_may_be_given_a_schedule(weir, tmp_path):
    (tmp_path / "flow.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: plain-}\n"
        "spec: {entrypoint: a, templates: [{name: a, container: {image: x, command: [echo, hello]}}]}\n"
    )
    made = weir("cron", "create", "flow.yaml", "--schedule", "0 9 * * mon-fri", "--concurrency", "Forbid", "-o", "json")
    spec = json.loads(made.stdout)["spec"]
    assert (spec["schedules"], spec["concurrencyPolicy"], spec["workflowSpec"]["entrypoint"]) == (["0 9 * * mon-fri"], "Forbid", "a")
    assert json.loads(made.stdout)["metadata"]["name"] == "plain"
    assert weir("cron", "run", "plain", "--wait").returncode == 0


def test_two_machines_serve_one_database(postgresql, tmp_path):
    """Who is left does what the other did; a schedule that one made, the other shows and changes."""
    machines = World(postgresql, tmp_path)
    (tmp_path / "tick.yaml").write_text(
        CRON.format(name="tick", schedule="@every 1s", more="successfulJobsHistoryLimit: 100", command=SAY)
    )
    assert machines.call("one", "cron", "create", tmp_path / "tick.yaml").returncode == 0
    assert machines.call("two", "cron", "list", "-o", "name").stdout == "tick\n"
    served = {name: machines.start(name, ["serve-schedules"]) for name in ("one", "two")}
    try:
        time.sleep(2.5)
        served["one"].kill()
        lines = [line.split()[-1] for line in served["one"].communicate()[0].splitlines() if " started " in line]
        after = until(served["two"], "started") and until(served["two"], "started").split()[-1]
        assert after not in lines
        assert machines.call("one", "cron", "suspend", "tick").returncode == 0
    finally:
        for process in served.values():
            if process.poll() is None:
                process.terminate()
        served["two"].communicate(timeout=30)
    assert served["two"].returncode == 0
    waited = machines.call("two", "wait", *machines.call("two", "list", "-o", "name").stdout.split())
    runs = json.loads(machines.call("two", "list", "-o", "json").stdout)
    assert waited.returncode == 0 and len({run["name"] for run in runs}) == len(runs) >= 2
    assert {run["phase"] for run in runs} == {"Succeeded"}
    assert machines.call("two", "cron", "delete", "tick").returncode == 0
    assert machines.call("one", "cron", "list", "-o", "json").stdout == "[]\n"
