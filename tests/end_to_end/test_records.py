"""The tables beside the journal: what live runs write is what a rebuild from the journal gives, for each kind of run, after
kills and recoveries too, on SQLite and PostgreSQL."""

import json
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import ROOT, WEIR

TABLES = ("contexts", "nodes", "tasks", "attempts", "locks", "definitions", "derived")
RUNS = {
    "dataflow": ["examples/words/words.json", "directory=examples"],
    "dataflow that calls": ["examples/calculator/calculator.json", "line=add 40 and 2"],
    "workflow": ["examples/workflow/dag-diamond.yaml"],
    "pipeline": ["examples/pipeline/invoice.yaml", "--inputs", "document_id=D0", "page_num=0"],
    "contexts within contexts": ["examples/subflow/contexts.yaml"],
    "locks": ["examples/locking/locking.yaml", "file=ACCOUNT"],
}
FAILING = """pipeline:
  name: failing
  inputs: [code]
  outputs: [never.out]
  components:
    - never: {run: [sh, -c, 'exit $0', "{{inputs.code}}"], inputs: [code], outputs: [out], retries: 2}
"""
# Pure and cheap, so each is a call: a context each.
MANY = """definitions: {line: {primitive: str}, words: {primitive: array}}
operations:
  split: {name: string.split, inputs: {text: line}, outputs: {parts: words}}
"""
CHAIN = """pipeline:
  name: chain
  inputs: [first]
  outputs: [s5.out]
  components:
"""
STEP = "    - s{i}: {{run: [sh, -c, 'sleep 0.08; printf {i}'{more}], inputs: [{inputs}], outputs: [out], retries: 3}}\n"


class SQLite:
    def __init__(self, folder):
        self.folder, self.arguments = folder, ["--state", str(folder / "state")]

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.folder}/state/weir.db?mode=ro", uri=True) as db:
            return [tuple("" if cell is None else str(cell) for cell in row) for row in db.execute(sql)]

    def change(self, sql):
        with sqlite3.connect(f"{self.folder}/state/weir.db") as db:
            db.executescript(sql)


class PostgreSQL:
    def __init__(self, server, folder):
        self.server, self.name = server, server.database()
        self.arguments = ["--state", str(folder / "state"), "--store", server.url(self.name, "&lease=60")]

    def rows(self, sql):
        lines = self.server.sql("SET search_path = weir; " + sql, self.name).splitlines()
        return [tuple(line.split("|")) for line in lines]

    def change(self, sql):
        self.server.sql("SET search_path = weir; " + sql, self.name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return SQLite(tmp_path)
    return PostgreSQL(request.getfixturevalue("postgresql"), tmp_path)


def call(store, *arguments):
    return subprocess.run(
        [WEIR, *map(str, arguments), *store.arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def dump(store):
    """All rows, and which runs they are of; how far a run that goes on was derived is not part of it."""
    return {table: sorted(store.rows(f"SELECT * FROM {table}")) for table in TABLES}


def rebuild_gives_the_same(store):
    live = dump(store)
    store.change("UPDATE contexts SET name = 'spoilt'; UPDATE tasks SET phase = 'spoilt'; UPDATE derived SET definitions = '[]'")
    rebuilt = call(store, "doctor", "--rebuild", "-o", "json")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert dump(store) == live
    return live


def test_a_rebuild_gives_what_was_written_live(store, tmp_path):
    for kind, arguments in RUNS.items():
        arguments = [a.replace("ACCOUNT", str(tmp_path / "account")) for a in arguments]
        ran = call(store, "run", *arguments, "--name", kind.replace(" ", "-"), "-q")
        assert ran.returncode == 0, ran.stderr
    (tmp_path / "failing.yaml").write_text(FAILING)
    assert call(store, "run", tmp_path / "failing.yaml", "code=7", "--name", "failing", "-q").returncode == 1
    rows = rebuild_gives_the_same(store)
    ids = dict(store.rows("SELECT name, id FROM runs"))
    of = lambda table, run: [row for row in rows[table] if row[0] == ids[run]]  # noqa: E731
    assert [row[2] for row in of("nodes", "workflow")][0] == "workflow"
    assert {row[8] for row in of("tasks", "workflow")} == {"Succeeded"} or of("tasks", "workflow")
    assert not of("tasks", "dataflow-that-calls") and of("definitions", "dataflow-that-calls")
    assert any(row[3] for row in of("contexts", "contexts-within-contexts"))
    assert not rows["locks"]  # all were given back
    assert len(of("attempts", "failing")) == 3
    tasks = dict(store.rows("SELECT name, code || ' ' || attempts || ' ' || phase FROM tasks WHERE code IS NOT NULL"))
    assert tasks["never"].endswith(" 3 Failed")
    assert {row[0] for row in store.rows("SELECT exit_code FROM attempts WHERE phase = 'Failed'")} == {"7"}
    # Every run is derived up to its last batch.
    assert sorted(row[:2] for row in rows["derived"]) == sorted(store.rows("SELECT stream, max(seq) FROM journal GROUP BY stream"))


def chain(folder):
    text = CHAIN
    for i in range(6):
        more = f', "{{{{inputs.s{i - 1}.out}}}}"' if i else ""
        text += STEP.format(i=i, inputs=f"s{i - 1}.out" if i else "first", more=more)
    (folder / "chain.yaml").write_text(text)
    return folder / "chain.yaml"


def test_rows_follow_after_kills(store, tmp_path):
    """Killed while rows wait to be written: the recovery brings them up to date."""
    file = chain(tmp_path)
    behind = 0
    for i, seconds in enumerate((0.1, 0.25, 0.4)):
        name = f"chain-{i}"
        process = subprocess.Popen(
            [WEIR, "run", file, "first=0", "--name", name, "-q", *store.arguments], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        due = time.monotonic() + 20
        while not exists(store, name) and time.monotonic() < due:
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        derived = dict(store.rows(f"SELECT 'seq', seq FROM derived WHERE run = (SELECT id FROM runs WHERE name = '{name}')"))
        last = store.rows(f"SELECT max(seq) FROM journal WHERE stream = (SELECT id FROM runs WHERE name = '{name}')")[0][0]
        behind += int(derived.get("seq", 0)) < int(last)
        recovered = call(store, "recover", name, "-q")
        assert recovered.returncode == 0, recovered.stderr
        phases = store.rows(f"SELECT phase, count(*) FROM tasks WHERE run = (SELECT id FROM runs WHERE name = '{name}') GROUP BY 1")
        assert phases == [("Succeeded", "6")], phases
    assert behind, "no kill came before rows were written"
    rows = rebuild_gives_the_same(store)
    assert "Lost" in {row[3] for row in rows["attempts"]}


def exists(store, name):
    try:
        return bool(store.rows(f"SELECT 1 FROM runs WHERE name = '{name}'"))
    except (sqlite3.OperationalError, subprocess.CalledProcessError):
        return False


def test_what_is_under_way_is_in_the_tables(store, tmp_path):
    """Within a second, of a run that goes on: its task, its attempt, and who has and who wants the lock."""
    ran = subprocess.Popen(
        [WEIR, "run", ROOT / "examples/locking/locking.yaml", f"file={tmp_path}/account", "-q", "--configure",
         'deposit.command=["sleep", "9"]', "--configure", 'withdraw.command=["sleep", "9"]', *store.arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    due = time.monotonic() + 20
    states = []
    while sorted(states) != ["held", "wanted"] and time.monotonic() < due:
        time.sleep(0.02)
        try:
            states = [row[0] for row in store.rows("SELECT state FROM locks")]
        except (sqlite3.OperationalError, subprocess.CalledProcessError):  # it begins
            continue
    assert sorted(states) == ["held", "wanted"]
    under_way = store.rows("SELECT t.phase, a.phase FROM tasks t JOIN attempts a ON a.run = t.run AND a.task = t.number")
    assert under_way in ([("Running", "Running")], [("Running", "Scheduled")])
    ran.send_signal(signal.SIGKILL)
    ran.wait()
    assert call(store, "cancel", "@latest", "--terminate").returncode == 0
    assert not store.rows("SELECT 1 FROM locks")
    rebuild_gives_the_same(store)


def test_many_calls_write_few_rows(tmp_path):
    store = SQLite(tmp_path)
    (tmp_path / "many.yaml").write_text(MANY)
    contexts = {f"c{i}": [{"value": "a b", "definition": "line"}] for i in range(12_000)}
    (tmp_path / "contexts.json").write_text(json.dumps(contexts))
    ran = call(store, "run", tmp_path / "many.yaml", "--contexts", tmp_path / "contexts.json", "-q", "-o", "name",
               "--record", "all")
    assert ran.returncode == 0, ran.stderr
    counts = {table: int(store.rows(f"SELECT count(*) FROM {table}")[0][0]) for table in TABLES}
    assert counts["contexts"] == 10_000 and counts["tasks"] == counts["attempts"] == 0, counts
    rebuild_gives_the_same(store)


def test_a_run_that_goes_takes_its_rows_along(store, tmp_path):
    for _ in range(2):
        assert call(store, "run", "examples/workflow/dag-diamond.yaml", "-q").returncode == 0
    first = store.rows("SELECT id FROM runs ORDER BY number")[0][0]
    store.change(f"{'' if store.arguments[2:] else 'PRAGMA foreign_keys = ON;'} DELETE FROM runs WHERE id = '{first}'")
    for table in ("nodes", "tasks", "attempts", "derived"):
        left = store.rows(f"SELECT run FROM {table}")
        assert left and first not in {row[0] for row in left}


def test_a_run_that_was_over_is_brought_up_too(store):
    """Its engine died between its last batch and its last rows."""
    assert call(store, "run", "examples/workflow/dag-diamond.yaml", "--name", "diamond", "-q").returncode == 0
    rows = dump(store)
    store.change("DELETE FROM attempts; DELETE FROM tasks; DELETE FROM nodes; DELETE FROM derived")
    tables = [e for e in json.loads(call(store, "doctor", "-o", "json").stdout) if e["check"] == "tables"]
    assert len(tables) == 1 and tables[0]["message"].startswith("1 run is over")
    assert call(store, "recover", "diamond", "-q").returncode == 0
    assert dump(store) == rows


STEPS = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: steps-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: one, template: step}
    - - {name: two, template: step}
  - name: step
    container: {image: busybox, command: [sh, -c], args: ['test -e FOLDER/ready']}
"""
LOCKED = """definitions: {name: {primitive: str, lock: true}, said: {primitive: str}, heard: {primitive: str}}
operations:
  say: {name: process.run, inputs: {who: name}, outputs: {result: said}}
  hear: {name: process.run, inputs: {who: name}, outputs: {result: heard}}
flow: {say: {inputs: {who: [seed]}}, hear: {inputs: {who: [seed]}}}
configs:
  say: {command: [sh, -c, 'test -e FOLDER/ready || sleep 60']}
  hear: {command: [sh, -c, 'test -e FOLDER/ready || sleep 60']}
seed: [{value: Ada, definition: name}]
"""
OVER = "SELECT count(*) FROM {table} WHERE finished_us IS NULL OR phase NOT IN ('Succeeded', 'Failed', 'Cancelled')"


def wait_for_row(store, sql):
    due = time.monotonic() + 30
    while True:
        try:
            if store.rows(sql):
                return
        except Exception:  # the store is not there yet
            pass
        assert time.monotonic() < due
        time.sleep(0.05)


def test_a_run_that_begins_anew(store, tmp_path):
    """Rows say what is true of the newest generation, and how what went before ended."""
    (tmp_path / "steps.yaml").write_text(STEPS.replace("FOLDER", str(tmp_path)))
    (tmp_path / "locked.yaml").write_text(LOCKED.replace("FOLDER", str(tmp_path)))
    assert call(store, "run", tmp_path / "steps.yaml", "--name", "steps", "-q").returncode == 1
    driven = subprocess.Popen([WEIR, "run", tmp_path / "locked.yaml", "--name", "locked", "-q", *store.arguments])
    wait_for_row(store, "SELECT task FROM locks WHERE state = 'wanted'")
    wait_for_row(store, "SELECT phase FROM attempts WHERE phase = 'Running'")
    (tmp_path / "ready").touch()
    again = call(store, "restart", "locked", "say")
    assert again.returncode == 0, again.stderr
    assert driven.wait(30) == 0
    retried = call(store, "retry", "steps", "-q")
    assert retried.returncode == 0, retried.stderr
    rows = rebuild_gives_the_same(store)
    ids = dict(store.rows("SELECT name, id FROM runs"))
    nodes = [row for row in rows["nodes"] if row[0] == ids["steps"]]
    assert {(row[6], row[7]) for row in nodes} == {("Succeeded", "")} and len(nodes) == 5
    assert not rows["locks"]
    assert [store.rows(OVER.format(table=table))[0][0] for table in ("contexts", "tasks", "attempts")] == ["0"] * 3
    ended = store.rows("SELECT phase, message FROM attempts WHERE message = 'the run was restarted'")
    assert ended == [("Cancelled", "the run was restarted")]
    contexts = store.rows(f"SELECT phase, message FROM contexts WHERE run = '{ids['locked']}' ORDER BY number")
    assert contexts == [("Failed", "the run was restarted"), ("Succeeded", "")]
    # Tasks of before have no node any more.
    assert store.rows("SELECT count(*) FROM tasks WHERE node IS NULL AND phase = 'Failed'")[0][0] == "1"
