"""Keeping house: finished runs go by age and size, beside engines that go on, killed at any moment, by themselves once somebody was told."""

import fcntl
import json
import os
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import WEIR
from test_runs import World, anywhere, kept_logs  # noqa: F401: a fixture

DAY_US = 86400 * 1000 * 1000


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, None)
    made.open("a")
    yield made
    for process in made.begun:
        if process.poll() is None:
            process.kill()
        process.communicate()
    made.open("never")


def age(world, server, days, *names):
    """Makes runs so much older."""
    some = "', '".join(names)
    statement = f"SET created_us = created_us - {days * DAY_US}, finished_us = CASE finished_us WHEN 0 THEN 0 ELSE finished_us - {days * DAY_US} END WHERE name IN ('{some}')"
    if server:
        server.sql(f"UPDATE weir.runs {statement}", server_database(world))
    else:
        with sqlite3.connect(world.folder / "state/weir.db") as db:
            db.execute(f"UPDATE runs {statement}")


def server_database(world):
    return world.more[-1].split("/")[3].split("?")[0]


def run_some(world, *names, more=()):
    world.open("a")
    file = world.steps("a")
    for name in names:
        world.call("run", file, "--name", name, "-q", *more)


def test_old_runs_go_with_all_that_is_theirs(anywhere, postgresql):
    server = postgresql if "--store" in anywhere.more else None
    run_some(anywhere, "new", "old", "kept", "labelled")
    (anywhere.folder / "outer.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: outer}\n"
        "spec: {entrypoint: m, templates: [{name: m, plugin: {weir: {run: a.yaml}}}]}\n"
    )
    anywhere.call("run", "outer.yaml", "-q")
    anywhere.start("run", anywhere.steps("never"), "--name", "busy", "-q")
    anywhere.under_way("busy", "never")
    child = anywhere.names("--parent", "outer")[0]
    anywhere.call("keep", "kept", "labelled")
    anywhere.call("keep", "--undo", "labelled")
    age(anywhere, server, 40, "old", "kept", "labelled", "outer", child, "busy")
    assert anywhere.names("-l", "keep") == ["kept"]
    would = json.loads(anywhere.call("prune", "--dry-run", "-o", "json").stdout)
    assert {run["name"]: (run["runs"], run["why"]) for run in would["pruned"]} == {
        "old": (1, "age"), "labelled": (1, "age"), "outer": (2, "age")}  # fmt: skip
    assert would["runs"] == 4 and all(run["bytes"] > 100 for run in would["pruned"])
    assert "outer" in anywhere.call("prune", "--dry-run").stdout and len(anywhere.names("--all")) == 7
    assert anywhere.call("prune", "--name", "old", "-o", "name").stdout == "old\n"
    done = anywhere.call("prune").stdout
    assert done.startswith("removed 3 runs (") and sorted(anywhere.names("--all")) == ["busy", "kept", "new"]
    assert len(kept_logs(anywhere)) == 3
    assert anywhere.call("prune").stdout.startswith("removed 0 runs (0 B)")
    run_some(anywhere, "old")  # the name is free again


def test_the_oldest_go_until_there_is_room(anywhere):
    names = [f"r{i}" for i in range(6)]
    run_some(anywhere, *names)
    anywhere.call("prune", "--max-size", "1GB")
    assert len(anywhere.names()) == 6
    anywhere.call("keep", "r0")
    would = json.loads(anywhere.call("prune", "--dry-run", "--max-size", "1", "-o", "json").stdout)
    assert [(run["name"], run["why"]) for run in would["pruned"]] == [(name, "size") for name in names[1:]]
    anywhere.call("prune", "--max-size", "1B", "--name", "r[12]")  # no set: a pattern has * and ? only
    anywhere.call("prune", "--max-size", "1B", "--name", "r?", "--limit", "2")
    assert anywhere.names() == ["r5", "r4", "r3", "r0"]
    anywhere.call("prune", "--max-size", "1B")
    assert anywhere.names() == ["r0"]


def test_room_is_given_back(world):
    (world.folder / "large.yaml").write_text(
        "pipeline: {name: large, inputs: [], outputs: [f.x], components: [{f: {run: [sh, -c, 'head -c 60000 /dev/zero | tr \"\\\\0\" a'],"
        " inputs: [], outputs: [x]}}]}\n"
    )
    for i in range(12):  # values that stay in the file
        world.call("run", "large.yaml", "--name", f"r{i}", "-q")
    file = world.folder / "state/weir.db"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.stat().st_size
    world.call("prune", "--older-than", "0")
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert db.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert before > 1_900_000 and file.stat().st_size < 400_000


def test_runs_that_go_on_are_not_disturbed(anywhere):
    """Engines write all the time while everything that ended goes at once."""
    anywhere.open("a")
    file = anywhere.steps("a")
    runs = [anywhere.start("run", anywhere.steps("late"), "--name", f"late{i}", "-q", "-o", "name") for i in range(2)]
    for i in range(2):
        anywhere.under_way(f"late{i}", "late")
    stop = time.monotonic() + 1.5
    while time.monotonic() < stop:
        short = [anywhere.start("run", file, "-q", "-o", "name") for _ in range(2)]
        prunes = [anywhere.start("prune", "--older-than", "0") for _ in range(2)]
        for process in prunes + short:
            out, problems = process.communicate(timeout=60)
            assert process.returncode == 0, out + problems
    anywhere.open("late")
    for process in runs:
        out, problems = process.communicate(timeout=60)
        assert process.returncode == 0, out + problems
    anywhere.call("prune", "--older-than", "0")
    assert anywhere.names("--all") == [] and kept_logs(anywhere) == []


def test_killed_at_any_moment_the_next_goes_on(world):
    chance = random.Random(3)
    run_some(world, *[f"r{i}" for i in range(6)])
    with sqlite3.connect(world.folder / "state/weir.db") as db:  # one that goes in slices
        large = db.execute("SELECT id FROM runs WHERE name = 'r1'").fetchone()[0]
        db.executemany("INSERT INTO journal VALUES(?, ?, 1, 2, zeroblob(300))", [(large, 1000 + i) for i in range(6000)])
    while world.names():
        began = time.monotonic()
        world.call("prune", "--older-than", "0", "--dry-run")
        whole_s = time.monotonic() - began
        prune = world.start("prune", "--older-than", "0", "--limit", "3")
        time.sleep(chance.uniform(0.4, 1.2) * whole_s)
        prune.send_signal(signal.SIGKILL)
        prune.wait()
        for name in set(world.names()) - {"r1"}:
            assert json.loads(world.call("get", name, "-o", "json").stdout)["phase"] == "Succeeded"
    world.call("prune", "--older-than", "0")
    assert kept_logs(world) == []
    assert "problem" not in world.call("doctor", "-o", "json").stdout
    with sqlite3.connect(world.folder / "state/weir.db") as db:
        assert db.execute("SELECT count(*) FROM journal").fetchone() == (0,)


def look_again(world, hours=2):
    """As if the last look were so long ago."""
    path = world.folder / "state/retention"
    due = time.time() - hours * 3600
    os.utime(path, (due, due))


def pruned(world):
    """Whoever prunes holds the file until it is done; another who comes meanwhile goes away."""
    with open(world.folder / "state/retention") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def test_it_happens_by_itself_once_somebody_was_told(world):
    run_some(world, "old", "new")
    marks = world.folder / "state/retention"
    assert marks.read_text() == ""
    age(world, None, 40, "old")
    look_again(world, 0.5)
    run_some(world, "x0")
    assert marks.stat().st_mtime < time.time() - 60  # not yet
    look_again(world)
    assert "retention" not in world.call("run", "a.yaml", "--name", "x1", "-q").stderr
    world.until(lambda: marks.read_text() == "1")
    pruned(world)
    assert "old" in world.names()
    said = world.call("run", "a.yaml", "--name", "x2", "-q").stderr
    assert "keeps finished runs for 30 days and up to 10.0 GB" in said and "`weir keep RUN`" in said
    assert "old" in world.names() and marks.read_text() == "told"
    assert world.call("run", "a.yaml", "--name", "x3", "-q").stderr == ""
    look_again(world)
    assert world.call("run", "a.yaml", "--name", "x4", "-q").stderr == ""
    world.until(lambda: "old" not in world.names())
    pruned(world)
    assert sorted(world.names()) == ["new", "x0", "x1", "x2", "x3", "x4"]
    age(world, None, 2, "new")
    look_again(world)
    (world.folder / "weir.yaml").write_text("retention: {age: 36h, size: none}\n")
    world.call("run", "a.yaml", "--name", "x5", "-q")
    world.until(lambda: "new" not in world.names())


def test_for_ever_is_for_ever(world):
    run_some(world, "old")
    age(world, None, 4000, "old")
    look_again(world)
    before = (world.folder / "state/retention").stat().st_mtime
    world.call("run", "a.yaml", "--set", "retention=none", "-q")
    assert (world.folder / "state/retention").stat().st_mtime == before
    none = {**os.environ, "WEIR_RETENTION": "none"}
    assert "The configuration keeps all" in world.call("prune", code=2, env=none).stderr
    assert "old" in world.names()


@pytest.mark.parametrize("arguments, message", [
    (["--older-than", "soon"], "`--older-than`: `soon` is not a duration"),
    (["--max-size", "10 apples"], "`--max-size`: `10 apples` is not a size"),
    (["--auto", "--dry-run"], "`--auto` does what the configuration says"),
    (["--older-than", "1d", "--parent", "r"], "runs within runs go with those that they are of"),
    (["--set", "retention.size=much"], "--set: `much` is not a size"),
    (["--set", "retention.age=1x"], "--set: `1x` is not a duration"),
    (["--set", "retention=some"], "--set: retention cannot be `some`"),
])  # fmt: skip
def test_what_makes_no_sense_removes_nothing(world, arguments, message):
    run_some(world, "r")
    assert message in world.call("prune", *arguments, code=2).stderr
    assert world.names() == ["r"]


def test_nobody_keeps_what_is_not_there(world):
    run_some(world, "r")
    assert "there is no run `nobody`" in world.call("keep", "r", "nobody", code=2).stderr
    assert world.names("-l", "keep") == ["r"]


def test_old_results_go_too(world):
    (world.folder / "kept.yaml").write_text(
        "pipeline: {name: kept, inputs: [n], outputs: [f.x], components: [{f: {run: [sh, -c, 'head -c 70000 /dev/zero | tr \"\\\\0\" $0', '{{inputs.n}}'],"
        " cache: true, inputs: [n], outputs: [x]}}]}\n"
    )
    world.call("run", "kept.yaml", "n=1", "-q")
    world.call("run", "kept.yaml", "n=2", "-q")
    with sqlite3.connect(world.folder / "state/weir.db") as db:
        db.execute(f"UPDATE memo SET created_us = created_us - {40 * DAY_US} WHERE key = (SELECT min(key) FROM memo)")
    done = json.loads(world.call("prune", "-o", "json").stdout)
    assert (done["runs"], done["results"], done["blobs"]) == (0, 1, 1) and done["blob_bytes"] > 70000
    assert len(world.call("cache", "list", "-o", "name").stdout.split()) == 1


MORTAL = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {name}}}
spec: {{entrypoint: m, ttlStrategy: {{{ttl}}}, templates: [{{name: m, script: {{image: x, command: [sh], source: "echo said; exit {code}"}}}}]}}
"""


def test_workflows_go_when_they_say(anywhere, postgresql):
    """By the field for how they ended, else by that for any end; not those that are kept, or go on."""
    server = postgresql if "--store" in anywhere.more else None
    anywhere.open("a")
    ttls = {"both": "secondsAfterCompletion: 86000, secondsAfterSuccess: 172000", "any": "secondsAfterCompletion: 86000",
            "kept": "secondsAfterCompletion: 86000", "failure": "secondsAfterFailure: 86000", "success": "secondsAfterSuccess: 86000",
            "never": "secondsAfterCompletion: -1"}
    for name, ttl in ttls.items():
        for code in (0, 1):
            run = f"{name}-{code}"
            (anywhere.folder / "ttl.yaml").write_text(MORTAL.format(name=run, ttl=ttl, code=code))
            anywhere.call("run", "ttl.yaml", "-q", "--executor", "process", "--isolation", "none", code=code)
    anywhere.call("keep", "kept-0", "kept-1")
    left = ["any-0", "any-1", "both-0", "both-1", "failure-0", "failure-1", "kept-0", "kept-1", "never-0", "never-1", "success-0", "success-1"]
    assert sorted(anywhere.names()) == left
    age(anywhere, server, 1, *left)
    assert sorted(anywhere.names()) == ["both-0", "failure-0", "kept-0", "kept-1", "never-0", "never-1", "success-1"]
    assert sorted(kept_logs(anywhere)) == sorted(run["run"] for run in json.loads(anywhere.call("list", "-o", "json").stdout))
    age(anywhere, server, 1, "both-0")
    assert "both-0" not in sorted(anywhere.names())
    anywhere.call("keep", "--undo", "kept-1")
    assert "kept-1" not in sorted(anywhere.names()) and "kept-0" in sorted(anywhere.names())
