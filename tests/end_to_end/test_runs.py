"""Looking at runs from another process, on SQLite and on PostgreSQL: list with its filters, watch, wait, results, logs, delete.

Runs stand still where a test wants them to: a step waits for a file."""

import datetime
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from conftest import ROOT, WEIR
from s3_server import peak_of
from test_command_line import on_a_terminal

STEPS = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: steps-, labels: {team: red, n: 1}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [STEPS]
  - name: say
    inputs: {parameters: [{name: at}]}
    container:
      command: [sh, -c, 'echo "{{inputs.parameters.at}} begins"; until test -e FOLDER/{{inputs.parameters.at}}; do sleep 0.01; done; echo "{{inputs.parameters.at}} ends"']
"""
COUNT = """linked: true
definitions: {name: {primitive: str}, said: {primitive: str}, spec: {primitive: array}, out: {primitive: map}}
operations:
  wait:
    name: process.run
    inputs: {name: name}
    outputs: {result: said}
    stage: processing
  get: {name: get_single, inputs: {spec: spec}, outputs: {output: out}, stage: output}
configs:
  wait: {command: [sh, -c, 'until test -e FOLDER/{{inputs.name}}; do sleep 0.01; done; printf %s "$0"', 'said {{inputs.name}}']}
seed:
- {value: [said], definition: spec}
"""
FAIL = "pipeline: {name: fail, inputs: [], outputs: [f.x], components: [{f: {run: ['false'], inputs: [], outputs: [x]}}]}\n"


class World:
    def __init__(self, folder, store):
        self.folder, self.begun = folder, []
        self.more = ["--state", str(folder / "state"), *(["--store", store] if store else [])]

    def command(self, *arguments):
        return [WEIR, *map(str, arguments), *self.more]

    def call(self, *arguments, code=0, **options):
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, capture_output=True, text=True, timeout=60, **options
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *arguments, **options):
        self.begun.append(
            subprocess.Popen(self.command(*arguments), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        )
        return self.begun[-1]

    def steps(self, *names):
        """A file with these steps, one after the other; each ends when there is a file of its name."""
        steps = ", ".join(
            f"[{{name: {name}, template: say, arguments: {{parameters: [{{name: at, value: {name}}}]}}}}]" for name in names
        )
        path = self.folder / f"{'-'.join(names)}.yaml"
        path.write_text(STEPS.replace("STEPS", steps).replace("FOLDER", str(self.folder)))
        return path.name

    def open(self, *names):
        for name in names:
            (self.folder / name).touch()

    def names(self, *arguments):
        return self.call("list", "-o", "name", *arguments).stdout.split()

    def until(self, what):
        due = time.monotonic() + 30
        while not (found := what()):
            assert time.monotonic() < due
            time.sleep(0.02)
        return found

    def under_way(self, name, step):
        """The run has come to the step."""
        self.until(lambda: f"{step} begins" in subprocess.run(
            self.command("logs", name), cwd=self.folder, capture_output=True, text=True).stdout)


def end(world):
    for process in world.begun:
        process.kill()
        process.communicate()
    world.open("never")  # what waits for that, and outlives who was killed


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, None)
    yield made
    end(made)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def anywhere(request, tmp_path):
    """A world on each store, for what is not the same there. What else a PostgreSQL does, tests/unit/postgresql_test.c shows."""
    store = None
    if request.param == "PostgreSQL":
        running = request.getfixturevalue("postgresql")
        store = running.url(running.database())
    made = World(tmp_path, store)
    yield made
    end(made)


# --- list -------------------------------------------------------------------------------------------------------------


def test_a_list_is_filtered(world):
    world.open("a", "b")
    (world.folder / "sub").mkdir()
    (world.folder / "fail.yaml").write_text(FAIL)
    world.call("run", world.steps("a"), "--name", "first", "-q")
    world.call("run", world.steps("a", "b"), "--name", "second", "-l", "team=blue", "--label", "x/y=", "-q")
    world.call("run", "fail.yaml", "--name", "third", "-q", code=1)
    middle = datetime.datetime.now(datetime.timezone.utc).isoformat()
    world.call("run", world.steps("a"), "--name", "fourth", "-q")
    (world.folder / "outer.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: outer}\n"
        "spec: {entrypoint: m, templates: [{name: m, plugin: {weir: {run: a.yaml}}}]}\n"
    )
    world.call("run", "outer.yaml", "-q")
    child = world.call("list", "--parent", "outer", "-o", "name").stdout.strip()
    assert child.startswith("outer.")
    for arguments, expected in [
        ([], "outer fourth third second first"),
        (["--all"], f"{child} outer fourth third second first"),
        (["--reverse"], "first second third fourth outer"),
        (["--limit", "2"], "outer fourth"),
        (["--phase", "failed"], "third"),
        (["--phase", "Error,Failed"], "third"),
        (["--phase", "Succeeded", "--kind", "workflow", "--name", "*o*"], "outer fourth second"),
        (["--kind", "pipeline"], "third"),
        (["--file", "a.yaml"], "fourth first"),
        (["--file", "*.yaml", "--name", "f????"], "first"),
        (["--label", "team=red"], "fourth first"),
        (["--label", "team=red", "-l", "n=1", "--limit", "1"], "fourth"),
        (["--label", "team!=red"], "outer third second"),
        (["--label", "x/y"], "second"),
        (["--label", "!team"], "outer third"),
        (["--since", middle], "outer fourth"),
        (["--until", middle], "third second first"),
        (["--since", "1h", "--until", "0s"], "outer fourth third second first"),
        (["--since", "2020-01-01", "--until", "2020-01-02T03:04+05:00"], ""),
        (["--after", "third"], "second first"),
        (["--after", "third", "--reverse"], "fourth outer"),
    ]:
        assert world.names(*arguments) == expected.split(), arguments
    listed = json.loads(world.call("list", "-o", "json", "--name", "second").stdout)
    assert listed[0]["labels"] == {"team": "blue", "n": "1", "x/y": ""}
    assert json.loads(world.call("get", "second", "-o", "json").stdout)["labels"] == listed[0]["labels"]
    assert world.call("get", "second", "-o", "name").stdout == "second\n"
    heads, *rows = world.call("list", "-o", "table", "--phase", "Succeeded").stdout.splitlines()
    assert heads.split() == ["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE"]
    assert [row.split()[0] for row in rows] == ["outer", "fourth", "second", "first"]
    heads, *rows = world.call("list", "-o", "wide", "--status", "Succeeded").stdout.splitlines()
    assert heads.split() == ["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE", "P/R/C", "PARAMETERS", "LABELS"]
    assert rows[2].endswith("team=blue,n=1,x/y=")


def test_pages_stay_right_while_runs_come(world):
    world.open("a")
    file = world.steps("a")
    for i in range(5):
        world.call("run", file, "--name", f"r{i}", "-q")
    page = json.loads(world.call("list", "-o", "json", "--limit", "2").stdout)
    assert [run["name"] for run in page] == ["r4", "r3"]
    world.call("run", file, "--name", "late", "-q")
    assert world.names("--after", page[-1]["cursor"], "--limit", "2") == ["r2", "r1"]
    world.call("delete", "r3")
    assert world.names("--after", page[-1]["cursor"]) == ["r2", "r1", "r0"]
    rest = [json.loads(line)["name"] for line in world.call("list", "-o", "jsonl", "--after", "r2").stdout.splitlines()]
    assert rest == ["r1", "r0"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["list", "--phase", "Faild"], "a run has no phase `Faild`"),
        (["list", "--label", "a b=c"], "`a b=c` names no label"),
        (["list", "--label", "=c"], "`=c` names no label"),
        (["list", "--since", "yesterday"], "`--since` cannot be `yesterday`"),
        (["list", "--until", "2026-02-30"], "`--until` cannot be `2026-02-30`"),
        (["list", "--after", "@x"], "there is no run `@x`"),
        (["list", "--after", "@12x"], "`@12x` is no place in a list"),
        (["list", "--parent", "nobody"], "there is no run `nobody`"),
        (["list", "--name", ""], "a pattern must not be empty"),
        (["list", *["--label=a"] * 9], "at most 8 labels"),
        (["run", "a.yaml", "--label", "-a=b"], "`-a` cannot be a label's name"),
        (["run", "a.yaml", "--label", "a=b\nc"], "the label `a` cannot have this value"),
        (["run", "a.yaml", *[f"--label=l{i}=" for i in range(70)]], "a run has at most 64 labels"),
        (["run", "a.yaml", "--label", "a"], "`a` is not of the form NAME=TEXT"),
        (["watch", "nobody"], "there is no run `nobody`"),
        (["wait", "one", "nobody"], "there is no run `nobody`"),
        (["wait", "one", "--timeout", "soon"], "`soon` is not a duration"),
        (["results", "nobody"], "there is no run `nobody`"),
        (["results", "one", "nowhere"], "no context `nowhere` of one has ended"),
        (["results", "one", "--field", "nothing"], "no result of one has `nothing`"),
        (["logs", "one", "nowhere"], "run one has no node `nowhere`"),
        (["logs", "one", "--tail", "few"], "`--tail` must be a number"),
        (["delete"], "which runs?"),
        (["delete", "one", "--phase", "Failed"], "runs by name, or by a filter?"),
        (["delete", "nobody"], "there is no run `nobody`"),
    ],
)
def test_mistakes_say_what_is_wrong(tmp_path_factory, arguments, message):
    world = World(tmp_path_factory.getbasetemp(), None)
    world.open("a")
    file = world.steps("a")
    if not (world.folder / "state").exists():
        world.call("run", file, "--name", "one", "-q")
    refused = world.call(*arguments, code=2)
    assert message in refused.stderr and not refused.stdout
    assert len(refused.stderr.splitlines()) <= 2


# --- watch and wait ---------------------------------------------------------------------------------------------------


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_run_is_watched(anywhere):
    names = [f"s{i}" for i in range(6)]
    anywhere.start("run", anywhere.steps(*names), "--name", "it", "-q")
    anywhere.until(lambda: "it" in subprocess.run(anywhere.command("list", "-o", "name"), capture_output=True, text=True).stdout)
    watch, lines = anywhere.start("watch", "it", "-o", "jsonl"), anywhere.start("watch", "it")
    late = []
    for name in names:
        for line in watch.stdout:
            node = json.loads(line).get("node", {})
            if node.get("displayName") == name and node["phase"] == "Running":
                late.append(moment(json.loads(line)["time"]) - node["started"] / 1e6)
                break
        anywhere.open(name)
    rest = [json.loads(line) for line in watch.stdout]
    assert rest[-1]["name"] == "it" and rest[-1]["phase"] == "Succeeded"
    assert watch.wait(30) == 0
    assert min(late[1:]) < 0.1, "a change is seen within 100 ms"
    out, err = lines.communicate(timeout=30)
    assert out.splitlines()[-1].endswith("  it (workflow)  Succeeded"), err
    assert sum("it[3].s3  Succeeded" in line for line in out.splitlines()) == 1
    assert anywhere.call("watch", "it").stdout.splitlines()[-1].endswith("it (workflow)  Succeeded")
    (anywhere.folder / "fail.yaml").write_text(FAIL)
    anywhere.call("run", "fail.yaml", "--name", "bad", "-q", code=1)
    assert "bad failed" in anywhere.call("watch", "bad", code=1).stderr


def test_a_run_is_watched_on_a_terminal(world):
    world.start("run", world.steps("a", "b"), "--name", "it", "-q")
    world.under_way("it", "a")
    world.open("a")
    world.begun.append(subprocess.Popen(["sh", "-c", f"sleep 0.5; touch {world.folder}/b"], text=True))
    code, text = on_a_terminal(world.folder, "watch", "it", *world.more)
    assert code == 0 and text.count("\x1b[?2026h") > 1
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.rpartition("\x1b[J")[2]).splitlines()
    assert last[0].startswith("it  workflow  Succeeded  2/2") and "\u2714 b " in last[-1]


def test_a_watched_run_is_cancelled_or_deleted(anywhere):
    for name in ("one", "two"):
        anywhere.start("run", anywhere.steps("never"), "--name", name, "-q")
        anywhere.under_way(name, "never")
    one, two, waits = anywhere.start("watch", "one"), anywhere.start("watch", "two"), anywhere.start("wait", "two")
    assert "  Running" in one.stdout.readline() and "  Running" in two.stdout.readline()
    anywhere.call("cancel", "one")
    assert one.wait(30) == 1
    anywhere.call("delete", "--force", "two")
    assert two.wait(30) in (1, 2) and waits.wait(30) in (1, 2)
    assert anywhere.names() == ["one"]


def test_runs_are_awaited(anywhere):
    for name in ("a", "b"):
        anywhere.start("run", anywhere.steps(name), "--name", name, "-q")
        anywhere.under_way(name, name)
    either, both = anywhere.start("wait", "--any", "a", "b"), anywhere.start("wait", "a", "b", "-o", "json")
    late = anywhere.call("wait", "a", "b", "--timeout", "50ms", code=3)
    assert "2 runs are still under way" in late.stderr
    anywhere.open("b")
    assert either.communicate(timeout=30)[0] == "b: Succeeded\n" and either.returncode == 0
    assert both.poll() is None
    anywhere.call("cancel", "a")
    ended = json.loads(both.communicate(timeout=30)[0])
    assert [(run["name"], run["phase"]) for run in ended] == [("b", "Succeeded"), ("a", "Failed")] and both.returncode == 1
    assert anywhere.call("wait", "b", "@latest").stdout == "b: Succeeded\nb: Succeeded\n"
    assert anywhere.call("wait", "b", "-o", "name").stdout == "b\n"


def test_a_server_that_is_away_for_a_while(postgresql, tmp_path, request):
    database = postgresql.database()
    world = World(tmp_path, postgresql.url(database))
    request.addfinalizer(lambda: end(world))
    world.start("run", world.steps("a"), "--name", "it", "-q")
    world.under_way("it", "a")
    watch, waits, short = world.start("watch", "it"), world.start("wait", "it"), world.start("wait", "it", "--timeout", "1s")
    assert "  Running" in watch.stdout.readline()
    connected = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
    world.until(lambda: int(postgresql.sql(connected)) >= 5)  # two of the run, and one of each that looks
    postgresql.control("stop", "immediate")
    began = time.monotonic()
    assert short.wait(30) == 3 and time.monotonic() - began < 8, "a time-out is not held up"
    world.open("a")
    postgresql.control("again")
    assert watch.wait(40) == 0
    assert waits.wait(40) == 0, waits.stderr.read()


def test_a_run_that_nobody_drives_is_said(world):
    driver = world.start("run", world.steps("a"), "--name", "it", "-q")
    world.under_way("it", "a")
    driver.send_signal(signal.SIGKILL)
    driver.wait(30)
    said = world.call("wait", "it", "--timeout", "0s", code=3)
    assert "nobody drives it; `weir recover it` goes on with it" in said.stderr
    watch = world.start("watch", "it")
    assert "nobody drives it" in watch.stderr.readline()
    world.open("a")
    world.call("recover", "it", "-q")
    assert watch.wait(30) == 0


# --- results and logs -------------------------------------------------------------------------------------------------


def test_results_of_a_run_that_goes_on(world):
    (world.folder / "count.yaml").write_text(COUNT.replace("FOLDER", str(world.folder)))
    contexts = [f"--context={name}:name={name}" for name in ("a", "b", "c")]
    world.start("run", "count.yaml", "--name", "it", "-q", *contexts)
    world.until(lambda: "it" in subprocess.run(world.command("list", "-o", "name"), capture_output=True, text=True).stdout)
    assert world.call("results", "it").stderr == "weir: no results yet\n"
    world.open("b")
    world.until(lambda: world.call("results", "it").stdout)
    assert json.loads(world.call("results", "it").stdout) == {"said": "said b"}
    assert world.call("results", "it", "a", code=2).stdout == ""
    world.open("a", "c")
    world.call("wait", "it")
    lines = [json.loads(line) for line in world.call("results", "it", "-o", "jsonl").stdout.splitlines()]
    assert lines[0] == {"context": "b", "result": {"said": "said b"}}
    assert sorted(line["context"] for line in lines) == ["a", "b", "c"]
    assert json.loads(world.call("results", "it", "-o", "json").stdout) == lines
    assert world.call("results", "it", "c", "--field", "said").stdout == "said c\n"
    assert world.call("results", "it", "--field", "said").stdout.splitlines()[0] == "b: said b"
    assert json.loads(world.call("results", "it", "c").stdout) == {"said": "said c"}


def pod(run, template, node):
    """Argo's name of a pod: its node's name as FNV-1a of 32 bits."""
    number = 2166136261
    for byte in node.encode():
        number = (number ^ byte) * 16777619 % 2**32
    return f"{run}-{template}-{number}"


def test_logs_are_followed_and_cut(world):
    world.start("run", world.steps("a", "b"), "--name", "it", "-q")
    world.under_way("it", "a")
    follow, step = world.start("logs", "it", "--follow"), world.start("logs", "-f", "it", "b", "--no-prefix")
    a, b = pod("it", "say", "it[0].a"), pod("it", "say", "it[1].b")
    assert follow.stdout.readline() == f"{a}: a begins\n"
    world.open("a")
    assert [follow.stdout.readline() for _ in range(2)] == [f"{a}: a ends\n", f"{b}: b begins\n"]
    assert step.stdout.readline() == "b begins\n"
    world.open("b")
    assert follow.communicate(timeout=30)[0] == f"{b}: b ends\n"
    assert step.communicate(timeout=30)[0] == "b ends\n" and follow.returncode == step.returncode == 0
    assert world.call("logs", "it", "--tail", "1").stdout == f"{a}: a ends\n{b}: b ends\n"
    assert world.call("logs", "it", b, "-n", "2").stdout == f"{b}: b begins\n{b}: b ends\n"
    assert world.call("logs", "it", "b", "-n", "0").stdout == ""
    assert world.call("logs", "it", "--no-prefix", "--grep", "^(a|c) e.*s$").stdout == "a ends\n"
    assert world.call("logs", "it", "-c", "main", "--tail", "1", "--no-prefix").stdout == "a ends\nb ends\n"
    assert "nothing was written" in world.call("logs", "it", "-c", "sidecar").stderr
    assert "`--grep` cannot be `(`" in world.call("logs", "it", "--grep", "(", code=2).stderr


def test_a_long_log_takes_no_memory(tmp_path):
    world = World(tmp_path, None)
    world.open("a")
    world.call("run", world.steps("a"), "--name", "it", "-q")
    small = peak_of(world.command("logs", "it"), {}, stdout=subprocess.DEVNULL)
    log = next((tmp_path / "state/logs").glob("*/*.log"))
    with log.open("w") as file:
        for i in range(200_000):
            file.write(f"{i:099}\n")
    large = peak_of(world.command("logs", "it"), {}, stdout=subprocess.DEVNULL)
    assert small[0] == large[0] == 0 and large[1] < small[1] + 8 * 1024 * 1024
    assert world.call("logs", "it", "--tail", "2", "--no-prefix").stdout == f"{199_998:099}\n{199_999:099}\n"
    lines = world.call("logs", "it", "--tail", "5000", "--no-prefix").stdout.splitlines()
    assert (len(lines), lines[0]) == (5000, f"{195_000:099}")


# --- delete -----------------------------------------------------------------------------------------------------------


def kept_logs(world):
    return sorted(path.name for path in (world.folder / "state/logs").glob("*"))


def test_runs_are_deleted_with_all_that_is_theirs(world):
    world.open("a")
    world.call("run", world.steps("a"), "--name", "a", "-q", "-l", "old=yes")
    (world.folder / "outer.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: outer}\n"
        "spec: {entrypoint: m, templates: [{name: m, plugin: {weir: {run: a.yaml}}}]}\n"
    )
    world.call("run", "outer.yaml", "-q")
    child = world.names("--parent", "outer")[0]
    assert f"{child} is a part of the run outer" in world.call("delete", child, code=3).stderr
    driver = world.start("run", world.steps("never"), "--name", "busy", "-q", "-l", "old=yes")
    world.under_way("busy", "never")
    assert len(kept_logs(world)) == 3
    assert "the run busy is under way" in world.call("delete", "busy", code=3).stderr
    assert world.call("delete", "--dry-run", "--label", "old").stdout == "a: would go\n"
    some = world.call("delete", "--label", "old")
    assert some.stdout == "a: deleted\n" and "1 run under way was left" in some.stderr
    mixed = world.call("delete", "nobody", "outer", code=2)
    assert mixed.stdout == "outer: deleted\n" and "there is no run `nobody`" in mixed.stderr
    assert world.names("--all") == ["busy"] and len(kept_logs(world)) == 1
    assert world.call("delete", "--force", "busy", "-o", "name").stdout == "busy\n"
    assert driver.wait(30) != 0
    assert world.names("--all") == [] and kept_logs(world) == []
    assert not [path for path in (world.folder / "state/runs").iterdir() if path.name != "locks"]
    world.call("run", "a.yaml", "--name", "a", "-q")  # the name is free again


def test_a_run_whose_driver_died_is_deleted(anywhere):
    for name in ("x", "y"):
        driver = anywhere.start("run", anywhere.steps("never"), "--name", name, "-q")
        anywhere.under_way(name, "never")
        driver.send_signal(signal.SIGKILL)
        driver.wait(30)
    assert "the run x is under way" in anywhere.call("delete", "x", code=3).stderr
    anywhere.call("delete", "--force", "x", "y")
    assert anywhere.names("--all") == [] and kept_logs(anywhere) == []


def test_a_deletion_that_is_killed_is_there_or_gone(tmp_path):
    world = World(tmp_path, None)
    world.open("a", "b")
    file, chance = world.steps("a", "b"), random.Random(7)
    for name in [f"r{i}" for i in range(8)]:
        world.call("run", file, "--name", name, "-q")
    began = time.monotonic()
    world.call("delete", "r0")
    whole_s = time.monotonic() - began
    for name in [f"r{i}" for i in range(1, 8)]:
        deletion = world.start("delete", name)
        time.sleep(chance.uniform(0.3, 1) * whole_s)
        deletion.kill()
        deletion.wait()
        if name in world.names():
            assert world.call("logs", name).stdout.count("ends") == 2
            assert json.loads(world.call("get", name, "-o", "json").stdout)["phase"] == "Succeeded"
    # Died between the transaction and the files: whoever deletes next does the rest.
    world.call("run", file, "--name", "cut", "-q")
    identity = json.loads(world.call("list", "--name", "cut", "-o", "json").stdout)[0]
    with sqlite3.connect(tmp_path / "state/weir.db") as database:
        database.execute("INSERT INTO deleted VALUES (?, ?, 99)", (identity["run"], identity["owner"]))
        database.execute("DELETE FROM labels WHERE run = (SELECT number FROM runs WHERE id = ?)", (identity["run"],))
        database.execute("DELETE FROM journal WHERE stream = ?", (identity["run"],))
        database.execute("DELETE FROM runs WHERE id = ?", (identity["run"],))
    database.close()
    assert identity["run"] in kept_logs(world)
    world.call("run", file, "--name", "last", "-q")
    world.call("delete", "--name", "*")
    assert world.names("--all") == [] and kept_logs(world) == []
    with sqlite3.connect(tmp_path / "state/weir.db") as database:
        counts = [database.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("runs", "journal", "labels", "deleted WHERE owner <> ''")]
    database.close()
    assert counts == [(0,)] * 4


def test_the_benchmark_works():
    """The plans are in tests/unit/store_test.c; here, that bench/runs.py goes on working."""
    quick = subprocess.run(
        ["python3", ROOT / "bench/runs.py", "--weir", WEIR, "--quick"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert quick.returncode == 0, quick.stderr
    assert "phase" in quick.stdout


# --- the guide --------------------------------------------------------------------------------------------------------


BLOCK = re.compile(r"```(yaml|sh)\n(.*?)```(?:\n```text\n(.*?)```)?", re.DOTALL)


def without_times(text):
    """Moments, durations and the width of columns are other ones each time."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "WHEN", text)
    text = re.sub(r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d [+-]\d{4} \([^)]*\)", "WHEN", text)
    text = re.sub(r"\d+ seconds?$", "TIME", text, flags=re.MULTILINE)
    return [" ".join(re.sub(r"\b\d+(\.\d+)?(µs|ms|s)\b", "TIME", line).split()) for line in text.strip().splitlines()]


def test_the_guide_is_right(tmp_path):
    blocks = BLOCK.findall((ROOT / "docs/guide/runs.md").read_text())
    environment = {**os.environ, "PATH": f"{pathlib.Path(WEIR).parent}:{os.environ['PATH']}", "WEIR_STATE": ".weir"}
    for language, text, printed in blocks:
        if language == "yaml":
            (tmp_path / re.match(r"# (.*)\n", text)[1]).write_text(text)
            continue
        assert printed, "say what it prints"
        ran = subprocess.run(["sh", "-e", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        shown = re.sub(rf"\b{re.escape(socket.gethostname())}$", "laptop", ran.stdout, flags=re.MULTILINE)
        assert without_times(shown) == without_times(printed), text
    assert len(blocks) > 10


def test_the_guide_names_tests_that_are_there():
    named = re.findall(r"`(test_\w+|\w+_use_the_indexes)`", (ROOT / "docs/guide/runs.md").read_text())
    sources = pathlib.Path(__file__).read_text() + (ROOT / "tests/unit/store_test.c").read_text()
    assert len(named) >= 5 and all(f"{name}(" in sources for name in named)
