"""Backups: of a state that goes on, restored elsewhere and gone on with; killed at any moment; what is no backup, damaged, hostile or newer."""

import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import tarfile
import time

import pytest

from conftest import WEIR
from test_runs import World, anywhere  # noqa: F401: a fixture

LARGE = (
    "pipeline: {name: large, inputs: [n], outputs: [f.x], components: [{f: {run: [sh, -c, 'head -c 70000 /dev/zero | tr \"\\\\0\" $0; echo log >&2',"
    " '{{inputs.n}}'], cache: true, inputs: [n], outputs: [x]}}]}\n"
)
ORPHAN = (
    "pipeline: {name: orphan, inputs: [], outputs: [g.x], components: ["
    "{f: {run: [sh, -c, 'echo f >> FOLDER/ran'], inputs: [], outputs: [x]}},"
    "{g: {run: [sh, -c, 'echo g >> FOLDER/ran; until test -e FOLDER/end; do sleep 0.01; done; echo end >> FOLDER/ran'], inputs: [f.x], outputs: [x]}}]}\n"
)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, None)
    yield made
    for process in made.begun:
        if process.poll() is None:
            process.kill()
        process.communicate()
    made.open("never")


def some_runs(world):
    (world.folder / "large.yaml").write_text(LARGE)
    world.open("a")
    world.call("run", "large.yaml", "n=1", "--name", "large", "-q")
    world.call("run", world.steps("a"), "--name", "small", "-q", "-l", "keep=this")


def called(folder, *arguments, code=0, **options):
    """In another state."""
    done = subprocess.run([WEIR, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def shown(folder, state, more=()):
    """All that can be seen of a state's runs."""

    def ask(*arguments):
        return called(folder, *arguments, "--state", state, *more).stdout

    seen = {"list": ask("list", "-o", "json", "--all"), "cache": ask("cache", "list", "-o", "json")}
    for run in json.loads(seen["list"]):
        for what in (["get", "-o", "json"], ["events"], ["results"], ["logs"]):
            seen[run["name"], what[0]] = ask(what[0], run["name"], *what[1:])
    tables = ["contexts", "nodes", "tasks", "attempts", "locks", "definitions", "derived", "labels"]
    seen["tables"] = {t: sorted(json.loads(ask("query", f"SELECT * FROM {t}", "-o", "json")), key=str) for t in tables}
    del seen["tables"]["labels"]  # by the run's number, which is a server's
    return seen


def stays_alone(folder, *names):
    """Nothing half is left there."""
    left = {path.name for path in folder.iterdir() if ".part" in path.name or ".restoring" in path.name}
    assert left <= set(names), left


def test_what_comes_back_is_what_was(anywhere):
    some_runs(anywhere)
    (anywhere.folder / "outer.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: outer}\n"
        "spec: {entrypoint: m, templates: [{name: m, plugin: {weir: {run: a.yaml}}}]}\n"
    )
    anywhere.call("run", "outer.yaml", "-q")
    anywhere.call("cron", "create", "large.yaml", "n=2", "--name", "nightly", "--schedule", "0 3 * * *", "--timezone", "Europe/Berlin")
    anywhere.call("cron", "create", "outer.yaml", "--name", "hourly", "--schedule", "@hourly")
    anywhere.call("cron", "suspend", "hourly")
    made = json.loads(anywhere.call("backup", "b", "-o", "json").stdout)
    assert (made["runs"], made["under_way"], made["blobs"]) == (4, 0, 2)  # what the cache has, and what journals refer to
    assert made["size"] == (anywhere.folder / "b").stat().st_size < made["bytes"]
    restored = json.loads(called(anywhere.folder, "restore", "b", "--into", "new", "-o", "json").stdout)
    assert restored["runs"] == 4 and restored["bytes"] >= made["bytes"] - 10000
    before, after = shown(anywhere.folder, "state", anywhere.more[2:]), shown(anywhere.folder, "new")
    if anywhere.more[2:]:  # a server counts from where it is
        for seen in (before, after):
            seen["list"] = [{**run, "cursor": ""} for run in json.loads(seen["list"])]
    assert before == after
    history = [called(anywhere.folder, "query", "SELECT * FROM history ORDER BY number", "-o", "json", *where).stdout
               for where in (["--state", "state", *anywhere.more[2:]], ["--state", "new"])]
    assert history[0] == history[1] and history[0].count('"name":"f"')  # what tasks took
    schedules = [called(anywhere.folder, "cron", "list", "-o", "json", *where).stdout
                 for where in (["--state", "state", *anywhere.more[2:]], ["--state", "new"])]
    assert schedules[0] == schedules[1] and schedules[0].count('"nightly"') and schedules[0].count('"hourly"')
    assert called(anywhere.folder, "doctor", "--state", "new", "-o", "json").stdout.count('"problem"') == 0
    cached = json.loads(called(anywhere.folder, "run", "large.yaml", "n=1", "--state", "new", "-o", "json").stdout)
    assert cached["cached"] == 1
    stays_alone(anywhere.folder)


def test_a_backup_is_of_one_moment(world):
    """Engines write all the time. Each run of the copy is whole, or can be gone on with."""
    world.open("a")
    file = world.steps("a", "b")
    runs = [world.start("run", file, "--name", f"r{i}", "-q", "-o", "name") for i in range(3)]
    for i in range(3):
        world.under_way(f"r{i}", "b")
    made = json.loads(world.call("backup", "b", "-o", "json").stdout)
    assert made["under_way"] == 3
    restored = called(world.folder, "restore", "b", "--into", "new")
    assert "3 runs were under way: `weir recover --all`" in restored.stderr
    world.open("b")
    for process in runs:
        assert process.wait(60) == 0
    called(world.folder, "recover", "--all", "--state", "new")
    phases = [run["phase"] for run in json.loads(called(world.folder, "list", "--state", "new", "-o", "json").stdout)]
    assert phases == ["Succeeded"] * 3


KEPT = "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: kept}\nspec: {templates: [{name: t, suspend: {}}]}\n"
OUTPUT = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: flow}
spec:
  entrypoint: main
  templates:
  - {name: main, steps: [[{name: make, template: make}], [{name: wait, template: wait}]]}
  - {name: wait, suspend: {}}
  - name: make
    outputs: {artifacts: [{name: made, path: FOLDER/made, s3: {key: some/made.tgz}}]}
    container: {image: any, command: [sh, -c, 'mkdir FOLDER/made && echo kept >FOLDER/made/a']}
"""


def test_folders_of_workflows_are_in_it(world):
    """Artifacts, claims, volumes of a run that is under way, and templates are there again; what passes is not."""
    state, new = world.folder / "state", world.folder / "new"
    (world.folder / "flow.yaml").write_text(OUTPUT.replace("FOLDER", str(world.folder)))
    (world.folder / "kept.yaml").write_text(KEPT)
    world.call("template", "create", "kept.yaml")
    world.call("submit", "flow.yaml")
    run = world.until(lambda: next((run["run"] for run in json.loads(world.call("list", "-o", "json").stdout) if run["phase"] == "Running"
                                    and (state / "artifacts").exists() and "wait" in world.call("get", "flow").stdout), None))  # fmt: skip
    for folder in (f"volumes/{run}/own", f"volumes/{run}/.scratch/0.1", "volumes/.gone/x", "claims/data/deep", "artifacts/.weir"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / f"volumes/{run}/own/a").write_text("mine")
    (state / "claims/data/a").write_text("all")
    (state / "claims/data/a").chmod(0o750)
    (state / "claims/data/link").symlink_to("/nowhere")
    os.mkfifo(state / "claims/data/deep/pipe")
    done = world.call("backup", "b", "-o", "json")
    made = json.loads(done.stdout)
    counts = {name: made[name] for name in ("artifacts", "claims", "templates", "volumes", "garbage", "left_out")}
    assert counts == {"artifacts": 2, "claims": 5, "templates": 2, "volumes": 3, "garbage": 0, "left_out": 1}
    assert "1 files of artifacts or volumes are not in the backup" in done.stderr
    restored = called(world.folder, "restore", "b", "--into", "new")
    assert "1 files of artifacts" in restored.stderr and not list(new.glob("*.tgz"))
    assert (new / "artifacts/some/made.tgz").read_bytes() == (state / "artifacts/some/made.tgz").read_bytes()
    assert [path.name for path in (new / "artifacts").iterdir()] == ["some"]
    assert (new / f"volumes/{run}/own/a").read_text() == "mine"
    assert sorted(os.listdir(new / "volumes") + os.listdir(new / "volumes" / run)) == sorted([run, "own"])
    assert (new / "claims/data/a").read_text() == "all" and (new / "claims/data/a").stat().st_mode & 0o777 == 0o750
    assert os.readlink(new / "claims/data/link") == "/nowhere" and os.listdir(new / "claims/data/deep") == []
    assert called(world.folder, "template", "list", "-o", "name", "--state", "new").stdout.split() == ["kept"]
    world.call("cancel", "flow")
    stays_alone(world.folder)


def test_the_copy_leaves_the_original_alone(world):
    """Both go on with the same run: neither ends the other's processes, nor those of the copy's own dead engine stay."""
    (world.folder / "orphan.yaml").write_text(ORPHAN.replace("FOLDER", str(world.folder)))
    original = world.start("run", "orphan.yaml", "--name", "o", "-q")
    world.until(lambda: (world.folder / "ran").exists() and "g" in (world.folder / "ran").read_text())
    world.call("backup", "b")
    called(world.folder, "restore", "b", "--into", "new")
    copies = []
    for tries in (2, 3):  # the second finds the process of the first, and ends it
        copies.append(subprocess.Popen([WEIR, "recover", "o", "-q", "--state", "new"], cwd=world.folder, stdout=subprocess.DEVNULL))
        world.until(lambda: (world.folder / "ran").read_text().count("g") == tries)
        if tries == 2:
            copies[0].kill()
            copies[0].wait()
    (world.folder / "end").touch()
    assert original.wait(30) == 0 and copies[1].wait(30) == 0
    time.sleep(0.1)
    assert (world.folder / "ran").read_text().split() == ["f", "g", "g", "g", "end", "end"]


def test_killed_at_any_moment(world):
    some_runs(world)
    chance = random.Random(11)
    began = time.monotonic()
    world.call("backup", "b")
    whole_s = time.monotonic() - began
    digest = hashlib.sha256((world.folder / "b").read_bytes()).digest()
    for _ in range(5):
        killed = world.start("backup", "b", "--replace")
        time.sleep(chance.uniform(0.3, 1) * whole_s)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        called(world.folder, "restore", "b", "--into", f"whole{time.monotonic()}")
    assert digest
    world.call("backup", "b", "--replace")
    began = time.monotonic()
    called(world.folder, "restore", "b", "--into", "first")
    whole_s = time.monotonic() - began
    for i in range(5):
        killed = subprocess.Popen([WEIR, "restore", "b", "--into", f"new{i}"], cwd=world.folder, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.3, 1) * whole_s)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        if not (world.folder / f"new{i}").exists():
            called(world.folder, "restore", "b", "--into", f"new{i}")
        names = called(world.folder, "list", "-o", "name", "--state", f"new{i}").stdout.split()
        assert sorted(names) == ["large", "small"]
    stays_alone(world.folder)


def test_an_interrupt_leaves_nothing(world):
    some_runs(world)
    for i in range(6):
        ended = world.start("backup", "b", "--replace")
        time.sleep(0.02 * i)
        ended.send_signal(signal.SIGINT)
        said = ended.communicate(timeout=30)[1]
        assert ended.returncode in (0, 1, -signal.SIGINT), said
        if ended.returncode >= 0:  # else it had not begun to listen
            stays_alone(world.folder)


def test_what_is_there_is_not_overwritten(world):
    some_runs(world)
    world.call("backup", "b")
    said = world.call("backup", "b", code=3).stderr
    assert "there is a file `b`" in said and "--replace" in said
    said = called(world.folder, "restore", "b", "--state", "state", code=3).stderr
    assert "there is something in" in said and "--into" in said
    world.call("run", "a.yaml", "--name", "later", "-q")
    busy = world.start("run", world.steps("never"), "--name", "busy", "-q")
    world.under_way("busy", "never")
    assert "runs are driven in" in called(world.folder, "restore", "b", "--state", "state", "--replace", code=3).stderr
    busy.kill()
    busy.wait()
    said = called(world.folder, "restore", "b", "--state", "state", "--replace").stdout
    assert "state.before-restore-1" in said
    assert sorted(world.names()) == ["large", "small"]
    assert "later" in called(world.folder, "list", "-o", "name", "--state", "state.before-restore-1").stdout
    (world.folder / "empty").mkdir()
    called(world.folder, "restore", "b", "--into", "empty/")
    assert "a backup is restored into a state directory" in called(
        world.folder, "restore", "b", "--into", "other", "--store", f"sqlite://{world.folder}/x.db", code=2).stderr  # fmt: skip


@pytest.mark.parametrize("into, message", [
    ("missing/new", "the folder that it is to be in must exist"),
    ("file/new", "Not a directory"),
])  # fmt: skip
def test_places_that_are_none(world, into, message):
    some_runs(world)
    (world.folder / "file").touch()
    world.call("backup", "b")
    assert message in called(world.folder, "restore", "b", "--into", into, code=3).stderr
    assert "cannot be written" in world.call("backup", into, code=3).stderr


# --- what it may be given ------------------------------------------------------------------------------------------------


def pack(path, entries, compressed=True):
    """A tar of (name, bytes or a tar's member)."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in entries:
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.name = name
            if isinstance(content, bytes):
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    data = text.getvalue()
    if compressed:
        data = subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout
    path.write_bytes(data)


def unpacked(path):
    data = subprocess.run(["zstd", "-d", "-q", "-c"], input=path.read_bytes(), capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar.getmembers()]


def listed(entries):
    """With a list that fits them."""
    files = [{"name": n, "size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in entries if isinstance(c, bytes)]
    return [*entries, ("files.json", json.dumps({"files": files}).encode())]


def member(kind, target=""):
    made = tarfile.TarInfo("x")
    made.type, made.linkname = kind, target
    return made


RUN = "0" * 20
HOSTILE = {
    "up": ("../evil", b"x"),
    "far up": ("logs/../../evil", b"x"),
    "absolute": ("/tmp/weir-evil", b"x"),
    "within": (f"logs/{RUN}/../../../evil", b"x"),
    "hidden": (f"logs/{RUN}/.evil", b"x"),
    "a plugin": ("plugins/evil.so", b"x"),
    "a configuration": ("weir.yaml", b"x"),
    "sockets": ("runs/locks", b"x"),
    "a newline": (f"logs/{RUN}/a\nb", b"x"),
    "long": (f"logs/{RUN}/{'a' * 300}", b"x"),
    "longer": ("logs/" + "a" * 5000, b"x"),
    "no digest": ("blobs/sha256/ab/xyz", b"x"),
    "an owner that leaves": (f"blobs/refs/aa/{'a' * 64}.x/../../../evil", b"x"),
    "the log of SQLite": ("weir.db-wal", b"x"),
    "a symbolic link": (f"logs/{RUN}", member(tarfile.SYMTYPE, "/tmp")),
    "a hard link": (f"logs/{RUN}/1.1.log", member(tarfile.LNKTYPE, "weir.db")),
    "a device": (f"logs/{RUN}/1.1.log", member(tarfile.CHRTYPE)),
    "a folder": (f"logs/{RUN}", member(tarfile.DIRTYPE)),
    "twice": ("weir.db", b"x"),
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """What a backup has in it, without its list."""
    made = World(tmp_path_factory.mktemp("packed"), None)
    some_runs(made)
    made.call("backup", "b")
    return [entry for entry in unpacked(made.folder / "b") if entry[0] != "files.json"]


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path, packed, what):
    folder = tmp_path / "here"
    folder.mkdir()
    pack(folder / "evil", listed([*packed, HOSTILE[what]]))
    said = called(folder, "restore", "evil", "--into", "new", code=2).stderr
    assert "is damaged, or was changed" in said
    assert [path.name for path in folder.iterdir()] == ["evil"] and [path.name for path in tmp_path.iterdir()] == ["here"]
    assert not pathlib.Path("/tmp/weir-evil").exists()


def tree(*entries):
    """A folder as it is in a backup, of (name, text or target of a link)."""
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name, content, kind in entries:
            made = member(kind, content)
            made.name, made.mode = name, 0o644
            made.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(made, io.BytesIO(content.encode()))
    return text.getvalue()


HOSTILE_TREES = {
    "up": [("tree/../../evil", "x", tarfile.REGTYPE)],
    "absolute": [("/tmp/weir-evil", "x", tarfile.REGTYPE)],
    "through a link": [("tree/a", "..", tarfile.SYMTYPE), ("tree/a/evil", "x", tarfile.REGTYPE)],
    "a hard link out": [("tree/a", "../weir.db", tarfile.LNKTYPE)],
    "a device": [("tree/a", "", tarfile.CHRTYPE)],
}


@pytest.mark.parametrize("what", HOSTILE_TREES)
def test_a_hostile_folder_is_refused(tmp_path, packed, what):
    folder = tmp_path / "here"
    folder.mkdir()
    pack(folder / "evil", listed([*packed, ("claims.tgz", tree(*HOSTILE_TREES[what]))]))
    said = called(folder, "restore", "evil", "--into", "new", code=2).stderr
    assert "the backup `evil`" in said
    assert [path.name for path in folder.iterdir()] == ["evil"] and [path.name for path in tmp_path.iterdir()] == ["here"]


def replaced(entries, name, content):
    return [(n, content if n == name else c) for n, c in entries]


def test_what_is_no_backup_or_damaged(world):
    some_runs(world)
    world.call("backup", "b")
    whole = (world.folder / "b").read_bytes()
    entries = unpacked(world.folder / "b")
    plain = entries[:-1]
    about = json.loads(dict(entries)["weir-backup.json"])

    def refuse(content, message, code=2):
        path = world.folder / "bad"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pack(path, content)
        said = called(world.folder, "restore", "bad", "--into", "new", code=code).stderr
        assert message in said and "hint:" in said, said
        assert not (world.folder / "new").exists()
        stays_alone(world.folder)

    none = "`bad` is no backup of weir"
    for nothing in (b"", b"text\n" * 1000, b"\0" * 100000, os.urandom(5000), (world.folder / "state/weir.db").read_bytes()):
        refuse(nothing, none)
    refuse([("readme", b"hello")], none)
    refuse([("weir-backup.json", b"{}")], none)
    refuse([("weir-backup.json", b"[" * 100000)], "damaged")
    refuse(entries[:-1], "its end is missing")
    refuse(listed(plain)[:1] + listed(plain)[2:], "files are missing")
    refuse(listed([entry for entry in plain if entry[0] != "weir.db"]), "weir.db is missing")
    refuse(entries + [entries[1]], "behind its end is")
    refuse(replaced(entries, "weir.db", dict(entries)["weir.db"][:-1] + b"x"), "not as it was is weir.db")
    refuse(replaced(entries, "files.json", b"{"), "its list cannot be read")
    refuse(listed(replaced(plain, "weir.db", b"no database" * 1000)), "is no weir state, or damaged", code=3)
    refuse(listed(replaced(plain, "weir-backup.json", json.dumps({**about, "format": 3, "weir": "9.9"}).encode())),
           "is of format 3, made by weir 9.9", code=3)  # fmt: skip
    for cut in (len(whole) // 3, len(whole) // 2, len(whole) - 10):
        refuse(whole[:cut], "damaged")
    chance = random.Random(5)
    for _ in range(8):  # a bit: seen by the compression, the archive, or the digests
        changed = bytearray(whole)
        at = chance.randrange(200, len(whole) - 20)
        changed[at] ^= 1 << chance.randrange(8)
        (world.folder / "bad").write_bytes(changed)
        done = subprocess.run([WEIR, "restore", "bad", "--into", "new"], cwd=world.folder, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:  # in what nobody reads
            shutil.rmtree(world.folder / "new")
        else:
            assert done.returncode == 2 and "damaged" in done.stderr, done.stderr
        stays_alone(world.folder)
    assert "No such file" in called(world.folder, "restore", "nothing", "--into", "new", code=2).stderr
    assert "is no backup" in called(world.folder, "restore", ".", "--into", "new", code=2).stderr


def test_a_batch_that_was_changed_is_seen(world, packed):
    file = world.folder / "changed.db"
    file.write_bytes(dict(packed)["weir.db"])
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("UPDATE journal SET bytes = bytes || x'00' WHERE seq = 2")
    pack(world.folder / "bad", listed(replaced(packed, "weir.db", file.read_bytes())))
    assert "is damaged" in called(world.folder, "restore", "bad", "--into", "new", code=3).stderr
    assert not (world.folder / "new").exists()


def test_a_backup_of_an_older_version_is_brought_up(world):
    (world.folder / "state").mkdir()
    with sqlite3.connect(world.folder / "old.db") as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            "CREATE TABLE journal(stream TEXT, seq INTEGER, version INTEGER, checksum INTEGER, bytes BLOB, PRIMARY KEY(stream, seq)) WITHOUT ROWID;"
            "CREATE TABLE runs(id TEXT PRIMARY KEY, name TEXT UNIQUE, kind TEXT, phase TEXT, file TEXT, owner TEXT, parent TEXT,"
            " created_us INTEGER, finished_us INTEGER);"
            "INSERT INTO runs VALUES('01abcdefghjkmnpqrstv', 'old', 'workflow', 'Succeeded', 'f', 'h:1', '', 5, 6);"
            "PRAGMA user_version = 1"
        )
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    about = json.dumps({"format": 1, "weir": "0.0.1", "created": 1, "store": "sqlite"}).encode()
    pack(world.folder / "b", listed([("weir-backup.json", about), ("weir.db", (world.folder / "old.db").read_bytes())]))
    called(world.folder, "restore", "b", "--into", "new")
    assert called(world.folder, "list", "-o", "name", "--state", "new").stdout == "old\n"
    assert not list((world.folder / "new").glob("*version*"))


# --- the disk --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_full_disk(world, tmp_path):
    some_runs(world)
    world.call("backup", "b")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        said = world.call("backup", small / "b", code=3).stderr
        assert "full" in said or "No space left" in said
        assert "make room" in said and list(small.iterdir()) == []
        said = called(world.folder, "restore", "b", "--into", small / "new", code=3).stderr
        assert "No space left" in said and "another disk" in said and list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_file_that_may_not_grow(world):
    some_runs(world)
    limited = [["sh", "-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh", *world.command("backup", "b")]]
    done = subprocess.run(limited[0], cwd=world.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert not (world.folder / "b").exists()
    stays_alone(world.folder)
