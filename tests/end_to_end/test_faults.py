"""Real faults: a disk that is full, broken or read-only, states that are none, processes that outlive their engine, a server
that refuses. Each gives one clear error, loses nothing, and when the fault is gone `weir recover` goes on to the same end."""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import ROOT, WEIR
from s3_server import ACCESS, KEYS, SECRET, Server, place

HELLO = ROOT / "examples/workflow/hello-world.yaml"
STEPS = 8
CHAIN = "pipeline:\n  name: chain\n  inputs: [folder]\n  outputs: [s{last}.out]\n  components:\n"
STEP = """    - s{i}:
        run: [sh, -c, 'echo "$WEIR_ATTEMPT" >> "$0/began"; sleep 0.03; printf {i}', "{{{{inputs.folder}}}}"]
        inputs: [folder{after}]
        outputs: [out]
        retries: 3
"""
# A tracer may not be traced.
TRACED = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


class Chain:
    """A run of steps, one after the other, each of which says in a file outside that it began."""

    def __init__(self, folder, state):
        self.folder, self.state = folder, state
        text = CHAIN.format(last=STEPS - 1)
        for i in range(STEPS):
            text += STEP.format(i=i, after=f", s{i - 1}.out" if i else "")
        (folder / "chain.yaml").write_text(text)

    def command(self, *arguments):
        return [WEIR, *map(str, arguments), "--state", str(self.state)]

    def run(self, before=(), environment=None, **options):
        command = [*before, *self.command("run", "chain.yaml", f"folder={self.folder}", "--name", "chain", "-o", "json")]
        return subprocess.Popen(
            command, cwd=self.folder, env={**os.environ, **(environment or {})}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    def call(self, *arguments):
        return subprocess.run(self.command(*arguments), cwd=self.folder, capture_output=True, text=True, timeout=60)

    def began(self):
        path = self.folder / "began"
        return [line.split("/")[1] for line in path.read_text().split()] if path.exists() else []

    def wait_for(self, count):
        due = time.monotonic() + 30
        while len(self.began()) < count:
            assert time.monotonic() < due
            time.sleep(0.005)

    def finished(self):
        events = self.call("events", "chain", "-o", "jsonl")
        assert events.returncode == 0, events.stderr
        return {str(e["data"]["task"]) for e in map(json.loads, events.stdout.splitlines()) if e["type"] == "task.finished"}

    def goes_on(self):
        """The fault is gone: what was finished does not run again, and the end is the same."""
        finished, before = self.finished(), self.began()
        recovered = self.call("recover", "chain", "-o", "json")
        assert recovered.returncode == 0, recovered.stderr
        assert json.loads(recovered.stdout)["results"] == {f"s{STEPS - 1}.out": str(STEPS - 1)}
        began = self.began()
        assert len(set(began)) == STEPS
        assert {task: began.count(task) for task in finished} == {task: before.count(task) for task in finished}
        found = {check["check"]: check["state"] for check in json.loads(self.call("doctor", "-o", "json").stdout)}
        assert found["store"] == "ok"
        return finished


def errors_of(said):
    return [line for line in said.splitlines() if line.startswith("weir: ") and not line.startswith("weir: warning")]


def expect_one_error(process, *says):
    out, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert any(text in said for text in says), said
    assert len(errors_of(said)) == 1 and len(said) < 2000, said
    assert json.loads(out)["phase"] == "Error"


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    with (folder / "rest").open("wb", buffering=0) as rest:
        try:
            for size in (65536, 4096, 512):
                while rest.write(bytes(size)) == size:
                    pass
        except OSError:
            pass


def test_a_disk_that_gets_full_and_is_given_room(tmp_path, disk):
    chain = Chain(tmp_path, disk / "state")
    running = chain.run()
    chain.wait_for(3)
    fill(disk)
    expect_one_error(running, f"the state directory `{disk}/state` is full")
    again = chain.call("recover", "chain")
    assert again.returncode == 3 and "is full" in again.stderr and "make room" in again.stderr, again.stderr
    assert chain.call("list").returncode == 0
    (disk / "rest").unlink()
    assert chain.goes_on()


def test_a_file_that_may_not_grow(tmp_path):
    chain = Chain(tmp_path, tmp_path / "state")
    assert chain.call("run", HELLO).returncode == 0
    most = (tmp_path / "state/weir.db-wal").stat().st_size + 36_000  # room for a commit or two
    running = chain.run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    expect_one_error(running, "File too large")
    chain.goes_on()


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace")
@pytest.mark.parametrize("call, error, says", [
    ("fdatasync", "EIO", "Input/output error"),
    ("pwrite64", "EIO", "Input/output error"),
    ("pwrite64", "ENOSPC", "is full"),
])  # fmt: skip
def test_a_disk_that_fails(tmp_path, call, error, says):
    """In the middle of a run, however many calls came before."""
    chain = Chain(tmp_path, tmp_path / "state")
    running = chain.run(environment=TRACED)
    chain.wait_for(3)
    running.send_signal(signal.SIGSTOP)
    trace(running.pid, "-e", f"trace={call}", "-e", f"inject={call}:error={error}")
    running.send_signal(signal.SIGCONT)
    expect_one_error(running, says)
    assert chain.goes_on()


def trace(pid, *options):
    """Until the process ends; all of its threads from now on."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", *options, "-p", str(pid)], stderr=subprocess.PIPE)
    while not all(f"TracerPid:\t{tracer.pid}\n" in status.read_text() for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status")):
        if tracer.poll() is not None:
            os.kill(pid, signal.SIGKILL)
            pytest.skip(f"it may not be traced: {tracer.stderr.read().decode()}")
        time.sleep(0.01)


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace")
def test_a_disk_that_cannot_be_read(tmp_path):
    chain = Chain(tmp_path, tmp_path / "state")
    running = chain.run()
    chain.wait_for(4)
    running.kill()
    running.communicate()
    for first in range(1, 40, 6):
        tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pread64", "-e", f"inject=pread64:error=EIO:when={first}+"]
        tracer += ["-P", tmp_path / "state/weir.db", "-P", tmp_path / "state/weir.db-wal"]
        read = subprocess.run(
            [*tracer, *chain.command("events", "chain")], env={**os.environ, **TRACED}, capture_output=True, text=True, timeout=60
        )
        if read.returncode == 0:
            assert first > 1
            break
        assert read.returncode == 3 and "Input/output error" in read.stderr and len(errors_of(read.stderr)) == 1, read.stderr
    assert chain.goes_on()


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace")
@pytest.mark.parametrize("call, error, first, says", [
    ("pwrite64", "EIO", 1, "Input/output error"),
    ("pwrite64", "ENOSPC", 2, "is full"),
    ("fdatasync", "EIO", 1, "could not be written to the disk"),
    ("rename", "EROFS", 1, "Read-only file system"),
])  # fmt: skip
def test_a_state_that_cannot_be_made(weir, tmp_path, call, error, first, says):
    """Nothing of it is in the way once the disk is well."""
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={first}+"]
    failed = subprocess.run(
        [*tracer, WEIR, "run", HELLO, "--state", tmp_path / "state"],
        capture_output=True, text=True, env={**os.environ, **TRACED}, timeout=60,
    )  # fmt: skip
    assert failed.returncode == 3 and says in failed.stderr and "hello" not in failed.stdout, failed.stderr
    assert len(errors_of(failed.stderr)) == 1
    assert not (tmp_path / "state/weir.db").exists()
    assert weir("run", HELLO, "--state", tmp_path / "state", "--name", "first").returncode == 0
    assert weir("list", "--state", tmp_path / "state", "-o", "name").stdout.split() == ["first"]
    assert [path.name for path in (tmp_path / "state").glob("weir.db.part*")] == []


def test_a_state_behind_a_link(weir, tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state/weir.db").symlink_to("../large/runs.db")
    for name in ("first", "second"):
        ran = weir("run", HELLO, "--state", tmp_path / "state", "--name", name)
        assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "state/weir.db").is_symlink() and (tmp_path / "large/runs.db").stat().st_size
    assert weir("list", "--state", tmp_path / "state", "-o", "name").stdout.split() == ["second", "first"]


def test_a_state_that_somebody_holds(weir, tmp_path):
    """As another weir does that brings it to its version: it is waited for, and not for ever."""
    assert weir("run", HELLO).returncode == 0
    with sqlite3.connect(tmp_path / ".weir/weir.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = subprocess.Popen([WEIR, "run", HELLO, "--name", "second"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        assert waiting.poll() is None
        other.execute("COMMIT")
        out, said = waiting.communicate(timeout=30)
        assert waiting.returncode == 0 and "hello world" in out, said
        if int(os.environ.get("WEIR_KILLS", "0")) < 300:
            return  # the rest takes as long as weir waits
        other.execute("BEGIN IMMEDIATE")
        refused = weir("run", HELLO, "--name", "third")
        assert refused.returncode == 3 and "is locked by another process" in refused.stderr and "hello world" not in refused.stdout
        other.execute("COMMIT")
    assert weir("list", "-o", "name").stdout.split()[0] == "second"


def sql(folder, text):
    with contextlib.closing(sqlite3.connect(folder / "weir.db")) as db:
        db.execute(text)
        db.commit()


def no_state(folder):
    folder.write_text("no folder")


def no_database(folder):
    folder.mkdir()
    (folder / "weir.db").write_text("no database" * 1000)


def another_database(folder):
    folder.mkdir()
    sql(folder, "CREATE TABLE theirs(x)")


def newer(folder):
    subprocess.run([WEIR, "run", HELLO, "--state", folder], check=True, capture_output=True)
    sql(folder, "PRAGMA user_version = 999")


def damaged(folder):
    subprocess.run([WEIR, "run", HELLO, "--state", folder], check=True, capture_output=True)
    sql(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    with (folder / "weir.db").open("r+b") as file:
        file.write(b"\0" * 100)


def a_folder_for_a_file(folder):
    (folder / "weir.db").mkdir(parents=True)


STATES = {
    no_state: "Not a directory",
    no_database: "is no weir state",
    another_database: "is no weir state",
    newer: "has format 999",
    damaged: "is no weir state, or damaged",
    a_folder_for_a_file: "cannot be used: unable to open database file",
}


@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_a_state_that_cannot_be_used(weir, tmp_path, make):
    state = tmp_path / "state"
    make(state)
    file = state / "weir.db" if state.is_dir() else state
    before = file.read_bytes() if file.is_file() else sorted(file.iterdir())
    for command in (["run", HELLO], ["list"], ["recover", "x"]):
        tried = weir(*command, "--state", state)
        assert tried.returncode == 3 and STATES[make] in tried.stderr, tried.stderr
        assert len(errors_of(tried.stderr)) == 1 and "hello" not in tried.stdout
    assert (file.read_bytes() if file.is_file() else sorted(file.iterdir())) == before, "nothing of it was changed"
    assert weir("run", HELLO, "--state", tmp_path / "other").returncode == 0


# The sanitizers take ten times as long for it.
LONG = "n" * (1_000_000 if "sanitize" in WEIR else 10_000_000)
NAMES = {"up": "../../up", "absolute": "/etc/up", "lines": "a\nb", "control": "a\x1b[31mb", "megabytes": LONG, "empty": ""}


@pytest.mark.parametrize("kind", ["workflow", "instance", "pipeline", "context"])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_none(weir, tmp_path, name, kind):
    """Whatever a file calls things: an error of it, or a run; nothing is written elsewhere, and nothing is as long as the name."""
    text = json.dumps(NAMES[name])
    flow = {"operations": {"it": {"name": "process.run", "inputs": {}, "outputs": {}}}, "definitions": {}, "configs": {"it": {"command": ["true"]}}}
    arguments = []
    if kind == "instance":
        flow = {**flow, "operations": {NAMES[name]: flow["operations"]["it"]}, "configs": {NAMES[name]: flow["configs"]["it"]}}
    if kind == "context":
        (tmp_path / "contexts.json").write_text(json.dumps({NAMES[name]: []}))
        arguments = ["--contexts", "contexts.json"]
    texts = {
        "workflow": f"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: {text}}}\nspec:\n  entrypoint: main\n"
        "  templates:\n  - {name: main, container: {image: x, command: ['true']}}\n",
        "pipeline": f"pipeline:\n  name: {text}\n  inputs: []\n  outputs: []\n  components:\n    - it: {{run: ['true'], inputs: [], outputs: []}}\n",
    }
    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner/file"
    file.write_text(texts.get(kind) or json.dumps(flow))
    before = sorted(tmp_path.rglob("*"))
    ran = weir("run", file, *arguments, "--state", tmp_path / "inner/state")
    assert ran.returncode in (0, 1, 2), ran.stderr
    assert len(ran.stderr) < 10_000 and "\x1b[31m" not in ran.stderr and "\x1b[31m" not in ran.stdout
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "inner/state")]
    assert sorted(outside) == before
    assert not os.path.exists("/etc/up")
    listed = weir("list", "--state", tmp_path / "inner/state")
    assert len(listed.stdout) < 10_000 and "\x1b[31m" not in listed.stdout


def test_processes_that_outlive_their_engine(weir, tmp_path):
    """Even one that left its session, and whose parent is gone: the recovery ends it before the step runs again."""
    script = (
        f'echo "$WEIR_ATTEMPT" >> {tmp_path}/began; test -e {tmp_path}/pid && exit 0; '
        f'setsid sh -c "echo \\$\\$ > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; exec sleep 300" & wait'
    )
    (tmp_path / "w.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: o-}\nspec:\n  entrypoint: main\n  templates:\n"
        f"  - {{name: main, container: {{image: x, command: [sh, -c, {json.dumps(script)}]}}}}\n"
    )
    engine = subprocess.Popen([WEIR, "run", "w.yaml", "--name", "o"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    due = time.monotonic() + 20
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < due
        time.sleep(0.01)
    orphan = int((tmp_path / "pid").read_text())
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    assert is_alive(orphan)
    recovered = weir("recover", "o")
    assert recovered.returncode == 0, recovered.stderr
    assert not is_alive(orphan)
    attempts = [line.split("/")[1:] for line in (tmp_path / "began").read_text().split()]
    assert attempts == [["0", "1", "0"], ["0", "2", "0"]], "each child is told which attempt it is"


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().split(")")[-1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_what_a_real_s3_refuses(weir, tmp_path):
    server = Server(tmp_path / "own")
    good = {**KEYS, "WEIR_BLOBS": place(server.port, attempts=2)}
    put = weir("blob", "put", "-", input="kept", environment=good)
    assert put.returncode == 0, put.stderr
    for change, says in [
        ({"AWS_SECRET_ACCESS_KEY": "wr0ng"}, "secret"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "access key"),
        ({"WEIR_BLOBS": place(server.port, attempts=2).replace("bucket", "none", 1)}, "has no bucket `none`"),
        ({"WEIR_BLOBS": place(server.port, attempts=2, region="mars-1")}, "region"),
    ]:
        for words in ["put", "-"], ["get", put.stdout.strip()]:
            tried = weir("blob", *words, input="x", environment={**good, **change})
            assert tried.returncode in (2, 3) and says in tried.stderr, (change, tried.stderr)
            assert len(errors_of(tried.stderr)) == 1
            assert SECRET not in tried.stderr and "wr0ng" not in tried.stderr and ACCESS + "/" not in tried.stderr
    assert weir("blob", "get", put.stdout.strip(), environment=good).stdout == "kept"
    server.close()


@pytest.mark.parametrize("how", ["stop", "terminate", "timeout", "sidecar"])
def test_without_isolation_what_left_its_session_is_stopped_too(weir, tmp_path, how):
    script = f'setsid sh -c "echo \\$\\$ > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; exec sleep 300" & wait'
    container = f"container: {{image: x, command: [sh, -c, {json.dumps(script)}]}}"
    if how == "sidecar":
        sleeper = "container: {image: x, command: [sleep, '300']}"
        container = sleeper + ", sidecars: [{name: s, " + container.removeprefix("container: {") + "]"
    limit = ", timeout: 1s" if how == "timeout" else ""
    (tmp_path / "w.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: o-}\nspec:\n  entrypoint: main\n  templates:\n"
        f"  - {{name: main, {container}{limit}}}\n"
    )
    command = [WEIR, "run", "w.yaml", "--name", "o", "--isolation", "none"]
    engine = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    due = time.monotonic() + 20
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < due
        time.sleep(0.01)
    away = int((tmp_path / "pid").read_text())
    if how != "timeout":
        assert is_alive(away)
        assert weir("terminate" if how == "terminate" else "stop", "o").returncode == 0
    assert engine.wait(30) == 1
    assert not is_alive(away)
