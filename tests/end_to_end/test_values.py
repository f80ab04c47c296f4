"""Large values of a run's journal are blobs: read back by every command, kept once, gone with their runs, in a directory and in
S3, on SQLite and on PostgreSQL, whatever dies meanwhile."""

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import WEIR
from s3_server import KEYS, Server, place

LARGE = "".join(f"line {i} of a large text\n" for i in range(4000))  # some 90 KB
KEEP = "printf x >>began; printf '{\"small\": \"little one\", \"large\": \"%s\"}' \"$(head -c 90000 /dev/zero | tr '\\0' z)\""


def digest_of(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def flow(script=KEEP, more=()):
    """Reads a file, and runs a command that gives a small and a large member."""
    return json.dumps({
        "definitions": {
            "path": {"primitive": "str"}, "text": {"primitive": "str"}, "made": {"primitive": "map"},
            "spec": {"primitive": "array"}, "length": {"primitive": "int"},
        },
        "operations": {
            "read": {"name": "files.read", "inputs": {"path": "path"}, "outputs": {"text": "text"}},
            "make": {"name": "process.run", "inputs": {"x": "path"}, "outputs": {"result": "made"}, "retry": 3},
            "get_single": {"inputs": {"spec": "spec"}, "stage": "output"},
        },
        "configs": {"make": {"command": ["sh", "-c", script, *more], "format": "json"}},
        "seed": [{"value": ["text", "made"], "definition": "spec"}],
    })


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.close()


class World:
    """Where a test works: a store, a place for blobs, states."""

    def __init__(self, folder, options=(), environment=None):
        self.folder, self.options, self.environment = folder, list(options), environment or {}
        (folder / "large.txt").write_text(LARGE)
        (folder / "flow.json").write_text(flow())

    def command(self, *words, state="state"):
        return [WEIR, *map(str, words), "--state", str(self.folder / state), *self.options]

    def call(self, *words, code=0, state="state"):
        done = subprocess.run(
            self.command(*words, state=state), cwd=self.folder, capture_output=True, text=True, timeout=60,
            env={**os.environ, **self.environment},
        )
        assert done.returncode == code, done.stdout[-1000:] + done.stderr[-1000:]
        return done.stdout if code == 0 else done.stderr

    def blobs(self, state="state"):
        words = [WEIR, "blob", "list", "-o", "name", "--state", str(self.folder / state)]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, env={**os.environ, **self.environment})
        return done.stdout.split()

    def run(self, *more, name="one", code=0):
        return self.call("run", "flow.json", "path=large.txt", "--name", name, "-o", "json", *more, code=code)

    def rows(self, table="blobs"):
        return json.loads(self.call("query", f"SELECT * FROM {table}", "-o", "json"))


@pytest.fixture(params=["SQLite, directory", "SQLite, S3", "PostgreSQL, directory", "PostgreSQL, S3"])
def world(request, tmp_path):
    options, environment = [], {}
    if "PostgreSQL" in request.param:
        server = request.getfixturevalue("postgresql")
        options = ["--store", server.url(server.database(), "")]
    if "S3" in request.param:
        environment = {"WEIR_BLOBS": place(request.getfixturevalue("s3").port, tmp_path.name), **KEYS}
    return World(tmp_path, options, environment)


@pytest.fixture
def plain(tmp_path):
    return World(tmp_path)


def expect_results(results):
    assert results == {"text": LARGE, "made": {"small": "little one", "large": "z" * 90000}}


def test_every_command_reads_them_back(world):
    expect_results(json.loads(world.run())["results"]["default"])
    (journal,) = json.loads(world.call("query", "SELECT sum(length(bytes)) AS bytes FROM journal", "-o", "json"))
    assert journal["bytes"] < 8000
    assert world.blobs() == sorted([digest_of(LARGE), digest_of("z" * 90000)])
    rows = world.rows()
    assert sorted((row["digest"], row["size"]) for row in rows) == sorted(
        [(digest_of(LARGE), len(LARGE)), (digest_of("z" * 90000), 90000)]
    )
    events = world.call("events", "one", "-o", "jsonl")
    assert json.loads([line for line in events.splitlines() if '"run.finished"' in line][0])["data"]["results"]["default"]["text"] == LARGE
    expect_results(json.loads(world.call("results", "one", "-o", "jsonl").splitlines()[0])["result"])
    assert json.loads(world.call("get", "one", "-o", "json"))["phase"] == "Succeeded"
    expect_results(json.loads(world.call("recover", "one", "-o", "json"))["results"]["default"])
    (made,) = json.loads(world.call(
        "query", "SELECT outputs FROM invocations WHERE run = run_id('one') AND operation = 'make'", "-o", "json"))
    assert json.loads(made["outputs"])["result"]["small"] == "little one"
    assert "make" in world.call("lineage", "one", "make")
    assert "one" in world.call("report", "one")
    before = world.rows("tasks")
    assert "made anew" in world.call("doctor", "--rebuild")
    assert world.rows("tasks") == before
    world.call("delete", "one")
    assert world.blobs() == [] and world.rows() == []


def test_what_is_small_stays_in_the_journal(plain):
    plain.run()
    store = sqlite3.connect(plain.folder / "state/weir.db")
    journal = b"".join(bytes for (bytes,) in store.execute("SELECT bytes FROM journal ORDER BY seq"))
    assert b"little one" in journal and b"zzzz" not in journal and b"of a large text" not in journal


@pytest.mark.parametrize("world", ["SQLite, directory", "PostgreSQL, S3"], indirect=True)
def test_runs_share_them(world):
    world.run()
    world.run(name="two")
    assert len(world.blobs()) == 2 and len(world.rows()) == 4
    world.call("delete", "one")
    assert len(world.blobs()) == 2 and len(world.rows()) == 2
    expect_results(json.loads(world.call("recover", "two", "-o", "json"))["results"]["default"])
    world.call("delete", "two")
    assert world.blobs() == [] and world.rows() == []


def test_files_and_inputs(plain):
    """A large file, a large input, and an array of small values that is large as a whole, with a large one in it."""
    text = json.loads(flow())
    text["definitions"]["rows"] = {"primitive": "array"}
    text["seed"].append({"value": ["rows"], "definition": "spec"})
    text["configs"]["make"]["command"][2] += " # " + "a long remark " * 6000
    (plain.folder / "flow.json").write_text(json.dumps(text))
    rows = [[i, f"row {i}"] for i in range(8000)] + [LARGE]
    (plain.folder / "rows.json").write_text(json.dumps(rows))
    got = json.loads(plain.run("rows=@rows.json"))["results"]["default"]
    assert got == {"rows": rows} or got["rows"] == rows
    store = sqlite3.connect(plain.folder / "state/weir.db")
    assert store.execute("SELECT sum(length(bytes)) FROM journal").fetchone()[0] < 12000
    assert digest_of((plain.folder / "flow.json").read_text()) in plain.blobs() and digest_of(LARGE) in plain.blobs()
    assert json.loads(plain.call("recover", "one", "-o", "json"))["results"]["default"]["rows"] == rows
    assert len(plain.rows()) == len(plain.blobs()) >= 4
    plain.call("delete", "one")
    assert plain.blobs() == []


def test_a_restart(plain):
    plain.run()
    plain.call("restart", "one", "make")
    expect_results(json.loads(plain.call("recover", "one", "-o", "json"))["results"]["default"])
    assert (plain.folder / "began").read_text() == "xx"
    assert len(plain.blobs()) == 2


def test_secrets_are_masked(plain):
    (plain.folder / "flow.json").write_text(flow(script=KEEP.replace("tr '\\0' z", "tr '\\0' z; cat $(dirname $0)/secret", 1), more=["{{inputs.x}}"]))
    (plain.folder / "secret").write_text("hunter-two")
    out = json.loads(plain.run("--secret", "word=@secret"))["results"]["default"]
    assert out["made"]["large"].endswith("z***")
    assert digest_of("z" * 90000 + "***") in plain.blobs()
    for path in (plain.folder / "state").rglob("*"):
        assert path.is_dir() or b"hunter-two" not in path.read_bytes(), path


def test_nothing_is_kept_of_what_is_not_durable(plain):
    out = json.loads(plain.call("run", "flow.json", "path=large.txt", "--durability", "none", "-o", "json"))
    expect_results(out["results"]["default"])
    assert not (plain.folder / "state").exists()


def file_of(world, text):
    letters = digest_of(text).removeprefix("sha256:")
    return world.folder / "state/blobs/sha256" / letters[:2] / letters


def test_one_that_is_missing_or_damaged(plain):
    plain.run()
    plain.call("run", "flow.json", "path=flow.json", "--name", "two")
    path = file_of(plain, LARGE)
    path.chmod(0o600)
    path.write_text(LARGE.replace("4", "5"))
    for words in (["events", "one"], ["get", "one"], ["recover", "one"], ["results", "one"]):
        said = plain.call(*words, code=3)
        assert "one" in said and f"the blob {digest_of(LARGE)} is damaged" in said, said
    assert "batch" in said and "event " in said
    path.unlink()
    said = plain.call("events", "one", code=3)
    assert f"the blob {digest_of(LARGE)} ({len(LARGE)} bytes) is not there; it was put into" in said
    assert "run one, batch" in said and "event " in said and "state/blobs" in said
    assert "one" in plain.call("list")
    assert plain.call("results", "two")
    found = subprocess.run(plain.command("doctor", "-o", "json"), cwd=plain.folder, capture_output=True, text=True)
    assert found.returncode == 1 and f"1 of 2 large values are missing or damaged, such as {digest_of(LARGE)}" in found.stdout
    path.write_text(LARGE)  # as from a backup
    assert plain.call("results", "one")
    plain.call("delete", "one")
    plain.call("delete", "two")
    assert plain.blobs() == []


def test_another_state_of_this_machine_reads_them(postgresql, tmp_path):
    world = World(tmp_path, ["--store", postgresql.url(postgresql.database(), "")])
    world.run()
    expect_results(json.loads(world.call("results", "one", "-o", "jsonl", state="other"))["result"])
    assert not (tmp_path / "other/blobs").exists()
    world.call("delete", "one", state="other")
    assert world.blobs() == []


def test_another_machine_is_told_where_they_are(postgresql, tmp_path):
    name = postgresql.database()
    world = World(tmp_path, ["--store", postgresql.url(name, "")])
    world.run()
    postgresql.sql("UPDATE weir.blobs SET place = 'mill:/srv/blobs'", name)
    said = world.call("get", "one", state="other", code=3)
    assert "is not there; it was put into mill:/srv/blobs" in said and "share them in S3" in said
    world.call("delete", "one", state="other")
    assert world.call("query", "SELECT count(*) AS n FROM blobs WHERE noted_us = 0", "-o", "csv").split() == ["n", "2"]


def test_s3_that_is_away(tmp_path, s3):
    """While a run goes on: it waits, then stops with an error, and goes on when S3 is there again."""
    # The leak checker itself falls over thread-local storage of libraries that were opened late.
    quiet = {"LSAN_OPTIONS": "exitcode=99:use_tls=0"}
    world = World(tmp_path, environment={"WEIR_BLOBS": place(s3.port, tmp_path.name) + "&attempts=2", **KEYS, **quiet})
    s3.kill()
    try:
        said = world.run(code=3)
        assert "large values of run one" in said and "127.0.0.1" in said
    finally:
        s3.start()
    expect_results(json.loads(world.call("recover", "one", "-o", "json"))["results"]["default"])
    assert len(world.blobs()) == 2
    s3.kill()
    try:
        world.call("delete", "one")
        assert [row["noted_us"] for row in world.rows()] == [0, 0]
    finally:
        s3.start()
    world.call("blob", "prune")
    assert world.blobs() == [] and world.rows() == []


def test_s3_that_comes_back_in_time(tmp_path, s3):
    world = World(tmp_path, environment={"WEIR_BLOBS": place(s3.port, tmp_path.name), **KEYS})
    s3.kill()
    process = subprocess.Popen(world.command("run", "flow.json", "path=large.txt", "-o", "json"), cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, env={**os.environ, **world.environment})
    time.sleep(0.7)
    s3.start()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    expect_results(json.loads(out)["results"]["default"])


@pytest.mark.parametrize("kind", ["directory", "S3"])
def test_kills_at_any_moment(request, tmp_path, kind):
    """Killed again and again, then recovered: the results are right, what was finished did not run again, and nothing
    is left of a run that is deleted."""
    environment = {}
    if kind == "S3":
        environment = {"WEIR_BLOBS": place(request.getfixturevalue("s3").port, tmp_path.name), **KEYS}
    world = World(tmp_path, environment=environment)
    chance = random.Random(20)
    for i in range(3 if kind == "directory" else 2):
        name, began = f"run{i}", False
        words = ["run", "flow.json", "path=large.txt", "--name", name, "-o", "json"]
        for _ in range(4):
            process = subprocess.Popen(world.command(*words), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True, env={**os.environ, **environment})
            try:
                out, _ = process.communicate(timeout=chance.random() * 0.25)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            began = began or name in world.call("list", "-o", "name").split()
            words = ["recover", name, "-o", "json"] if began else words
        else:
            out = world.call(*words)
        expect_results(json.loads(out)["results"]["default"])
        expect_results(json.loads(world.call("recover", name, "-o", "json"))["results"]["default"])
        world.call("delete", name)
    # A run that never came to be may have noted what it was going to put.
    store = sqlite3.connect(tmp_path / "state/weir.db")
    with store:
        store.execute("UPDATE blobs SET noted_us = 1")
    world.call("blob", "prune")
    assert world.blobs() == [] and world.rows() == []


def test_another_machine_goes_on_with_s3(postgresql, s3, tmp_path):
    """Killed on one machine after a large value was finished, recovered on another."""
    environment = {"WEIR_BLOBS": place(s3.port, tmp_path.name), **KEYS}
    world = World(tmp_path, ["--store", postgresql.url(postgresql.database(), "&lease=1")], environment)
    (tmp_path / "flow.json").write_text(flow(script="test -e again || { touch waiting; sleep 60; }; " + KEEP))
    words = world.command("run", "flow.json", "path=large.txt", "--name", "one")
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    due = time.monotonic() + 20
    while not (tmp_path / "waiting").exists() or digest_of(LARGE) not in world.blobs():
        assert time.monotonic() < due
        time.sleep(0.02)
    process.kill()
    process.wait()
    (tmp_path / "again").touch()
    expect_results(json.loads(world.call("recover", "one", "-o", "json", state="other"))["results"]["default"])
    assert not (tmp_path / "other/blobs").exists() and not (tmp_path / "state/blobs").exists()
    world.call("delete", "one", state="other")
    assert world.blobs() == []


def test_workflows_and_durability_batch(plain):
    (plain.folder / "flow.yaml").write_text("""
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: large}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: make, template: make}
        - - {name: count, template: count, arguments: {parameters: [{name: text, value: "{{steps.make.outputs.result}}"}]}}
    - name: make
      script: {image: none, command: [sh], source: "head -c 90000 /dev/zero | tr '\\\\0' z"}
    - name: count
      inputs: {parameters: [{name: text}]}
      script: {image: none, command: [sh], source: "printf %s '{{inputs.parameters.text}}' | wc -c"}
""")
    plain.call("run", "flow.yaml", "--durability", "batch", "-o", "json")
    assert digest_of("z" * 90000) in plain.blobs()
    events = plain.call("events", "large", "-o", "jsonl")
    assert '"90000' in events and "z" * 90000 in events
    assert "Succeeded" in plain.call("get", "large")


def test_a_repair_needs_no_values(plain):
    plain.run()
    store = sqlite3.connect(plain.folder / "state/weir.db")
    with store:
        store.execute("UPDATE journal SET checksum = 0 WHERE seq = (SELECT max(seq) FROM journal)")
    store.close()
    for text in (LARGE, "z" * 90000):
        file_of(plain, text).rename(plain.folder / digest_of(text)[7:20])
    done = subprocess.run(plain.command("doctor", "--repair"), cwd=plain.folder, capture_output=True, text=True)
    assert "run one is whole up to batch" in done.stdout
    for text in (LARGE, "z" * 90000):
        (plain.folder / digest_of(text)[7:20]).rename(file_of(plain, text))
    expect_results(json.loads(plain.call("recover", "one", "-o", "json"))["results"]["default"])


def test_a_state_that_is_copied_or_moved(plain):
    plain.run()
    shutil.copytree(plain.folder / "state", plain.folder / "copy")
    plain.call("delete", "one", state="copy")
    assert plain.blobs("copy") == [] and len(plain.blobs()) == 2
    (plain.folder / "state").rename(plain.folder / "moved")
    expect_results(json.loads(plain.call("results", "one", "-o", "jsonl", state="moved"))["result"])
    plain.call("delete", "one", state="moved")
    assert plain.blobs("moved") == []


def test_a_place_that_cannot_be(plain):
    (plain.folder / "file").write_text("no directory")
    plain.environment = {"WEIR_BLOBS": str(plain.folder / "file")}
    said = plain.run(code=3)
    assert "large values of run one" in said and "Not a directory" in said
    plain.environment = {}
    expect_results(json.loads(plain.call("recover", "one", "-o", "json"))["results"]["default"])
