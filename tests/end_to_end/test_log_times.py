"""When lines of logs came: said, asked for, and of which attempt."""

import datetime
import os
import re
import time

FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: flow}
spec:
  entrypoint: main
  templates:
    - name: main
      dag: {tasks: [{name: slow, template: slow}, {name: quick, template: quick}]}
    - name: slow
      metadata: {labels: {team: x, kind: slow}}
      container: {image: x, command: [sh, -c, "echo first; sleep 0.5; echo second; echo third"]}
    - name: quick
      container: {image: x, command: [echo, quick]}
"""
LINE = re.compile(r"(\S+: )?(\d{4}-\d\d-\d\dT[\d:.]+Z) (\w+)")


def times(text):
    return {m[3]: datetime.datetime.fromisoformat(m[2]).timestamp() for m in map(LINE.fullmatch, text.splitlines())}


def test_lines_have_times(weir, tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    before = time.time()
    assert weir("run", "flow.yaml").returncode == 0
    after = time.time()
    seen = times(weir("logs", "flow", "--timestamps").stdout)
    assert set(seen) == {"first", "second", "third", "quick"}
    assert before - 0.01 <= seen["first"] <= seen["second"] - 0.4 and seen["third"] <= after + 0.01
    assert seen == times(weir("logs", "flow", "--timestamps", "-f").stdout)
    between = datetime.datetime.fromtimestamp(seen["first"] + 0.25, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert set(times(weir("logs", "flow", "slow", "--since-time", between, "--timestamps").stdout)) == {"second", "third"}
    assert weir("logs", "flow", "--since", "1h").stdout.count("\n") == 4
    assert weir("logs", "flow", "slow", "--tail", "1", "--timestamps").stdout.endswith(" third\n")
    # One write needs no times beside it: the file's own will do.
    kept = [name for _, _, names in os.walk(tmp_path / ".weir/logs") for name in names]
    assert sum(name.endswith(".times") for name in kept) == 1 and sum(name.endswith(".log") for name in kept) == 2


def test_damaged_times_are_left_out(weir, tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    weir("run", "flow.yaml")
    for folder, _, names in os.walk(tmp_path / ".weir/logs"):
        for name in names:
            if name.endswith(".times"):
                (tmp_path / folder / name).write_text("x\n5 5\n-1 99999999999999999999999999\n")
    done = weir("logs", "flow", "--timestamps")
    assert done.returncode == 0 and set(times(done.stdout)) == {"first", "second", "third", "quick"}


def test_only_some_lines(weir, tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    weir("run", "flow.yaml")
    assert weir("logs", "flow", "-l", "team=x").stdout.count("\n") == 3
    assert weir("logs", "flow", "-l", "team=x,kind=quick").stdout == ""
    assert weir("logs", "flow", "-p").stdout == ""
    assert weir("logs", "flow", "--since", "soon").returncode == 2
    assert weir("delete", "flow").returncode == 0
    assert not any(names for _, _, names in os.walk(tmp_path / ".weir/logs"))
