"""Runs in a PostgreSQL: a real server, killed processes, stopped ones, a server that goes away; and what is said when it cannot be used."""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from conftest import ROOT, WEIR

CHAIN = """pipeline:
  name: chain
  inputs: [folder]
  outputs: [s{last}.out]
  components:
"""
STEP = """    - s{i}:
        run: [sh, -c, 'echo "$WEIR_ATTEMPT" >> "$0/began"; sleep {sleep}; echo "$WEIR_ATTEMPT" >> "$0/ended"; printf {i}', "{{{{inputs.folder}}}}"]
        inputs: [folder{after}]
        outputs: [out]
        retries: 3
"""


class World:
    """A database, and machines: folders with a state each."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.name = server.database()

    def chain(self, steps, sleep):
        text = CHAIN.format(last=steps - 1)
        for i in range(steps):
            text += STEP.format(i=i, sleep=sleep, after=f", s{i - 1}.out" if i else "")
        (self.folder / "chain.yaml").write_text(text)
        return ["run", self.folder / "chain.yaml", f"folder={self.folder}", "--name", "chain", "-o", "json"]

    def command(self, machine, arguments, more=""):
        return [WEIR, *map(str, arguments), "--state", str(self.folder / machine), "--store", self.server.url(self.name, more)]

    def call(self, machine, *arguments, more=""):
        return subprocess.run(self.command(machine, arguments, more), cwd=self.folder, capture_output=True, text=True, timeout=60)

    def start(self, machine, arguments, more=""):
        return subprocess.Popen(
            self.command(machine, arguments, more), cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def lines(self, name):
        path = self.folder / name
        return path.read_text().split() if path.exists() else []

    def wait_for(self, name, count):
        due = time.monotonic() + 30
        while len(self.lines(name)) < count:
            assert time.monotonic() < due, f"only {self.lines(name)} {name}"
            time.sleep(0.01)

    def tasks(self, name):
        """How often each task is in the file."""
        return collections.Counter(line.split("/")[1] for line in self.lines(name))


@pytest.fixture
def world(postgresql, tmp_path):
    return World(postgresql, tmp_path)


def test_runs_are_seen_from_everywhere(world):
    ran = world.call("one", *world.chain(2, 0))
    assert (ran.returncode, json.loads(ran.stdout)["results"]) == (0, {"s1.out": "1"}), ran.stderr
    listed = world.call("two", "list", "-o", "json")
    assert [(run["name"], run["phase"]) for run in json.loads(listed.stdout)] == [("chain", "Succeeded")]
    assert "run.finished" in world.call("two", "events", "chain").stdout
    assert world.call("two", "recover", "chain", "-o", "json").returncode == 0
    taken = world.call("two", *world.chain(2, 0))
    assert taken.returncode == 2 and "already a run named chain" in taken.stderr
    assert world.call("two", "doctor").returncode == 0
    assert not (world.folder / "one/weir.db").exists() and not (world.folder / "two/weir.db").exists()
    assert world.server.sql("SELECT count(*) FROM weir.leases", world.name) == "0"


def test_a_run_is_followed_and_traced_from_another_machine(world):
    driver = world.start("one", world.chain(4, 0.1))
    world.wait_for("began", 1)
    follower = world.start("two", ["events", "chain", "--follow", "-o", "jsonl"])
    seen = [json.loads(line) for line in follower.communicate(timeout=60)[0].splitlines()]
    assert follower.returncode == 0 and driver.communicate(timeout=60) and driver.returncode == 0
    again = world.call("two", "events", "chain", "-o", "jsonl").stdout.splitlines()
    assert seen == [json.loads(line) for line in again] and seen[-1]["type"] == "run.finished"
    answer = json.loads(world.call("two", "lineage", "chain", "s3.out", "-o", "json").stdout)
    assert [n["instance"] for n in answer["nodes"] if n["type"] == "operation"] == ["s3", "s2", "s1", "s0"]
    assert world.call("two", "report", "chain").stdout.endswith("no incidents\n")


@pytest.mark.parametrize("store", [False, True])
def test_libpq_is_mapped_only_when_it_is_wanted(world, store):
    arguments = world.chain(1, 0.5)
    process = world.start("one", arguments) if store else subprocess.Popen(
        [WEIR, *map(str, arguments), "--state", str(world.folder / "one")], stdout=subprocess.DEVNULL
    )  # fmt: skip
    world.wait_for("began", 1)
    maps = pathlib.Path(f"/proc/{process.pid}/maps").read_text()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert ("libpq.so" in maps) == ("weir-postgresql.so" in maps) == store


def test_a_killed_run_goes_on_elsewhere(world):
    first = world.start("one", world.chain(6, 0.1))
    world.wait_for("ended", 3)
    first.kill()
    first.communicate()
    finished = world.call("two", "events", "chain", "-o", "jsonl").stdout.splitlines()
    finished = {str(e["data"]["task"]) for e in map(json.loads, finished) if e["type"] == "task.finished"}
    assert finished
    # On this machine it is known that the owner is dead: there is no waiting for the lease, of 15 s.
    begin = time.monotonic()
    recovered = world.call("two", "recover", "chain", "-o", "json")
    assert recovered.returncode == 0, recovered.stderr
    assert time.monotonic() - begin < 10
    assert json.loads(recovered.stdout)["results"] == {"s5.out": "5"}
    assert {world.tasks("began")[task] for task in finished} == {1}
    assert len(world.tasks("ended")) == 6


def test_a_stopped_owner_that_comes_back_writes_nothing(world):
    first = world.start("one", world.chain(6, 0.2), "&lease=1")
    world.wait_for("ended", 2)
    world.wait_for("began", 3)  # and not between looking whose the run is and starting
    first.send_signal(signal.SIGSTOP)
    held = world.call("two", "recover", "chain")
    owned = held.returncode == 3 and "driven by another process" in held.stderr
    assert owned or held.returncode == 0, held.stderr
    due = time.monotonic() + 10
    while owned and time.monotonic() < due:
        time.sleep(0.3)
        second = world.call("two", "recover", "chain", "-o", "json")
        owned = second.returncode == 3
        held = second
    assert held.returncode == 0, held.stderr
    journal = world.server.sql("SELECT count(*), max(seq) FROM weir.journal", world.name)
    began = world.lines("began")
    first.send_signal(signal.SIGCONT)
    _, said = first.communicate(timeout=30)
    assert first.returncode == 3, said
    assert world.lines("began") == began, "nothing is started"
    assert "the lease of run" in said and "another process drives it" in said
    assert world.server.sql("SELECT count(*), max(seq) FROM weir.journal", world.name) == journal
    shown = world.call("two", "get", "chain", "-o", "json")
    assert json.loads(shown.stdout)["phase"] == "Succeeded"
    # What was under way may run to its end twice, and nothing else.
    assert sorted(world.tasks("ended").values())[-2:] in ([1, 1], [1, 2]), world.lines("ended")


def test_of_two_that_recover_one_does(world):
    first = world.start("one", world.chain(3, 0.8))
    world.wait_for("began", 1)
    first.kill()
    first.communicate()
    both = [world.start(machine, ["recover", "chain", "-o", "json"]) for machine in ("two", "three")]
    said = [process.communicate(timeout=30) for process in both]
    assert sorted(process.returncode for process in both) == [0, 3], said
    assert "driven by another process" in "".join(error for _, error in said)
    assert set(world.tasks("ended").values()) == {1}


def test_a_run_is_cancelled_by_who_reaches_it(world):
    running = world.start("one", world.chain(2, 20))
    world.wait_for("began", 1)
    far = world.call("two", "recover", "chain")
    assert far.returncode == 3 and f"driven by another process, {socket.gethostname()}:{running.pid}" in far.stderr
    assert world.call("two", "cancel", "chain").returncode == 0
    out, said = running.communicate(timeout=30)
    assert running.returncode == 1, said
    assert world.server.sql("SELECT phase FROM weir.runs", world.name) != "Running"
    assert world.server.sql("SELECT count(*) FROM weir.leases", world.name) == "0"


def test_a_run_waits_for_the_server(world):
    running = world.start("one", world.chain(8, 0.1))
    for count, how in ((1, "fast"), (4, "immediate")):
        world.wait_for("ended", count)
        world.server.control("stop", how)
        time.sleep(0.5)
        assert running.poll() is None
        world.server.control("again")
    out, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert json.loads(out)["results"] == {"s7.out": "7"}
    assert set(world.tasks("began").values()) == {1} and len(world.tasks("began")) == 8
    assert world.server.sql("SELECT count(*) = max(seq) FROM weir.journal", world.name) == "t"


def test_a_server_that_stays_away_ends_the_run(world):
    running = world.start("one", world.chain(4, 0.1), "&patience=1")
    world.wait_for("ended", 1)
    world.server.control("stop", "fast")
    out, said = running.communicate(timeout=30)
    world.server.control("again")
    assert running.returncode == 3
    assert "did not come back in time" in said and "weir recover" in said
    assert world.call("one", "recover", "chain").returncode == 0
    assert len(world.tasks("ended")) == 4


def test_passwords_show_nowhere(world, weir):
    server = world.server
    server.sql(f"CREATE ROLE r{server.count} LOGIN PASSWORD 's3cret'")
    server.sql(f"GRANT CREATE ON DATABASE {world.name} TO r{server.count}")
    url = f"postgresql://r{server.count}:s3cret@127.0.0.1:{server.port}/{world.name}"
    running = subprocess.Popen(
        [WEIR, *map(str, world.chain(1, 0.5)), "--events", "-", "--state", str(world.folder / "one"), "--store", url],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    world.wait_for("began", 1)
    shown = pathlib.Path(f"/proc/{running.pid}/cmdline").read_text()
    out, said = running.communicate(timeout=30)
    assert running.returncode == 0, said
    assert "s3cret" not in shown + out + said and "******" in shown
    kept = [path.read_bytes() for path in (world.folder / "one").rglob("*") if path.is_file()]
    assert not [text for text in kept if b"s3cret" in text]
    assert world.server.sql("SELECT count(*) FROM weir.journal WHERE position('s3cret'::bytea IN bytes) > 0", world.name) == "0"
    wrong = weir("list", "--store", url.replace("s3cret", "wr0ng"))
    assert wrong.returncode == 3 and "refuses the password" in wrong.stderr and "wr0ng" not in wrong.stderr
    for variable in ({"PGPASSWORD": "s3cret"}, {"WEIR_STORE": url}):
        bare = [] if "WEIR_STORE" in variable else ["--store", url.replace(":s3cret", "")]
        assert "chain" in weir("list", *bare, environment=variable).stdout


def expect_refusal(world, url, says, secret="s3cret"):
    """One error from each command, with no password in it, and nothing ran."""
    arguments = world.chain(1, 0)
    for words in (arguments, ["list"], ["recover", "chain"]):
        tried = subprocess.run(
            [WEIR, *map(str, words), "--state", str(world.folder / "one"), "--store", url],
            cwd=world.folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert tried.returncode == 3 and says in tried.stderr, tried.stderr
        assert tried.stderr.count("weir: ") == 1 and len(tried.stderr) < 2000 and secret not in tried.stderr
    assert not world.lines("began")


def test_rights_that_are_missing(world):
    server, name = world.server, world.name
    role = f"poor{server.count}"
    url = f"postgresql://{role}:s3cret@127.0.0.1:{server.port}/{name}"
    server.sql(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'; REVOKE CREATE ON DATABASE {name} FROM PUBLIC")
    expect_refusal(world, url, "lacks a right")
    assert server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'weir'", name) == "0"
    # Somebody who may only look on, and somebody who may not even that.
    assert world.call("one", *world.chain(1, 0)).returncode == 0
    (world.folder / "began").unlink()
    expect_refusal(world, url, "lacks a right")
    server.sql(f"GRANT USAGE ON SCHEMA weir TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA weir TO {role}", name)
    looked = subprocess.run([WEIR, "list", "--store", url], cwd=world.folder, capture_output=True, text=True, timeout=60)
    assert looked.returncode == 0 and "chain" in looked.stdout, looked.stderr
    tried = subprocess.run(
        [WEIR, *map(str, world.chain(1, 0)[:-4]), "--state", str(world.folder / "one"), "--store", url],
        cwd=world.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert tried.returncode == 3 and "lacks a right" in tried.stderr and not world.lines("began"), tried.stderr
    # With the right to make it the same user can.
    own = server.database()
    server.sql(f"GRANT CREATE ON DATABASE {own} TO {role}")
    granted = subprocess.run(
        [WEIR, *map(str, world.chain(1, 0)), "--state", str(world.folder / "one"), "--store", url.replace(f"/{name}", f"/{own}")],
        cwd=world.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert granted.returncode == 0, granted.stderr


def sign_certificate(certificate, key):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip


def make_certificate(server):
    data = pathlib.Path(server.folder, "data")
    sign_certificate(data / "server.crt", data / "server.key")
    for name in ("server.crt", "server.key"):
        os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
        (data / name).chmod(0o600)
    server.sql("ALTER SYSTEM SET ssl = on")
    server.sql("SELECT pg_reload_conf()")
    due = time.monotonic() + 10
    while server.sql("SHOW ssl") != "on" and time.monotonic() < due:
        time.sleep(0.05)


def test_a_server_without_tls_and_a_database_that_is_not_there(world):
    server = world.server
    url = f"postgresql://weir:right@127.0.0.1:{server.port}/{world.name}"
    expect_refusal(world, url + "?sslmode=require", "SSL", "right@")
    make_certificate(server)
    try:
        tls = world.call("one", "list", more="&host=127.0.0.1&sslmode=require&password=right")
        assert tls.returncode == 0, tls.stderr
        other = world.folder / "certificate"
        sign_certificate(other, world.folder / "key")
        expect_refusal(world, f"{url}?sslmode=verify-full&sslrootcert={other}", "certificate verify failed", "right@")
    finally:
        server.sql("ALTER SYSTEM RESET ssl")
        server.sql("SELECT pg_reload_conf()")
    expect_refusal(world, url.replace(f"/{world.name}", "/nowhere"), 'database "nowhere" does not exist', "right@")


@pytest.mark.parametrize("url, said, code", [
    ("postgresql://weir@127.0.0.1:1/x", "cannot be reached: Connection refused", 3),
    ("postgresql://u:s3cret@[/x", "is not understood", 2),
    ("mysql://u:s3cret@h/x", "none that this weir knows", 2),
])  # fmt: skip
def test_what_cannot_be_used_is_said(weir, tmp_path, url, said, code):
    (tmp_path / "weir.yaml").write_text(f"store: {json.dumps(url)}\n")
    for arguments in (["list"], ["example", "run", "calculator"], ["doctor"]):
        tried = weir(*arguments, environment={"WEIR_STORE": url})
        assert said in tried.stderr + tried.stdout and "s3cret" not in tried.stderr + tried.stdout
        assert tried.returncode == (1 if arguments == ["doctor"] else code)


def test_machines_share_results(world):
    """What one machine made the other has, small and large, and two at once agree on what stays."""
    def flow(script):
        return json.dumps({
            "operations": {
                "slow": {"name": "process.run", "inputs": {"x": "x"}, "outputs": {"result": "y"}, "cache": True},
                "get_single": {"inputs": {"spec": "spec"}, "stage": "output"},
            },
            "definitions": {"x": {"primitive": "str"}, "y": {"primitive": "str"}, "spec": {"primitive": "array"}},
            "configs": {"slow": {"command": ["sh", "-c", script]}},
            "seed": [{"value": "v", "definition": "x"}, {"value": ["y"], "definition": "spec"}],
        })  # fmt: skip

    def result(done):
        value = json.loads(done)
        return value["results"]["default"]["y"], value.get("cached", 0)

    (world.folder / "small.json").write_text(flow("echo ran >>small; date +%N"))
    (world.folder / "large.json").write_text(flow("echo ran >>large; date +%N; head -c 200000 /dev/zero | tr '\\0' x"))
    (world.folder / "late.json").write_text(flow("echo ran >>late; while [ $(wc -l <late) -lt 2 ]; do sleep 0.05; done; echo $$"))
    (world.folder / "weir.yaml").write_text(f"blobs: {world.folder}/blobs\n")
    for name in ("small", "large"):
        first = result(world.call("one", "run", f"{name}.json", "-o", "json").stdout)
        assert first[1] == 0 and result(world.call("two", "run", f"{name}.json", "-o", "json").stdout) == (first[0], 1)
        assert world.lines(name) == ["ran"]
    running = [world.start(machine, ["run", "late.json", "-o", "json"]) for machine in ("one", "two")]
    both = {result(p.communicate(timeout=60)[0])[0] for p in running}
    stays = result(world.call("two", "run", "late.json", "-o", "json").stdout)
    assert len(both) == 2 and stays[0] in both and stays[1] == 1
    assert world.server.sql("SELECT count(*), count(blob), count(run) FROM weir.memo", world.name) == "3|1|3"
    cleared = json.loads(world.call("two", "cache", "clear", "--all", "-o", "json").stdout)
    assert cleared["entries"] == 3 and world.call("one", "cache", "list", "-o", "name").stdout == ""


def test_another_file_of_sqlite(weir, tmp_path):
    url = f"sqlite://{tmp_path}/runs.db"
    missing = weir("list", "--store", url)
    assert missing.returncode == 2 and "there are no runs here" in missing.stderr
    assert weir("example", "run", "calculator", "--store", url, "--state", tmp_path / "state").returncode == 0
    assert "calculator" in weir("list", "--store", url, "--state", tmp_path / "other").stdout
    flow = tmp_path / "sleep.yaml"
    flow.write_text("pipeline:\n  name: p\n  inputs: []\n  outputs: [s.out]\n  components:\n"
                    "    - s: {run: [sleep, '20'], inputs: [], outputs: [out]}\n")  # fmt: skip
    driven = subprocess.Popen([WEIR, "run", flow, "--name", "p", "--store", url, "--state", tmp_path / "state"], stderr=subprocess.DEVNULL)
    while "p " not in weir("list", "--store", url).stdout:
        time.sleep(0.05)
    second = weir("recover", "p", "--store", url, "--state", tmp_path / "other")
    assert second.returncode == 3 and "driven by another process" in second.stderr
    assert weir("cancel", "p", "--store", url, "--state", tmp_path / "other").returncode == 0
    assert driven.wait(30) == 1
    assert (tmp_path / "runs.db").exists() and not (tmp_path / "state/weir.db").exists()


# --- the reference ----------------------------------------------------------------------------------------------------


def documented(column):
    """{table: [(name, type)]} as docs/reference/store.md has them for SQLite (0) or PostgreSQL (1)."""
    tables, name, heads = {}, None, []
    for line in (ROOT / "docs/reference/store.md").read_text().split("## The tables")[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("### "):
            name = line[4:]
        elif cells[0] == "column":
            heads = cells
        elif line.startswith("| `") and column in heads and cells[heads.index(column)]:
            tables.setdefault(name, []).append((cells[0].strip("`"), cells[heads.index(column)]))
    return tables


def test_the_reference_has_the_schema_of_sqlite(weir, tmp_path):
    assert weir("example", "run", "calculator", "--state", tmp_path / "s").returncode == 0
    with sqlite3.connect(tmp_path / "s/weir.db") as db:
        kinds = dict(db.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"))
        found = {name: [row[1:3] for row in db.execute(f"PRAGMA table_info({name})")] for name in kinds}
    wanted = documented("SQLite")
    for view in [name for name, kind in kinds.items() if kind == "view"]:  # its columns have names only
        found[view], wanted[view] = ([column for column, _ in columns[view]] for columns in (found, wanted))
    assert found == wanted


def test_the_reference_has_the_schema_of_postgresql(world):
    assert world.call("one", "list").returncode == 0
    rows = world.server.sql(
        "SELECT table_name || ' ' || column_name || ' ' || replace(data_type, 'timestamp with time zone', 'timestamptz')"
        " FROM information_schema.columns WHERE table_schema = 'weir' ORDER BY table_name, ordinal_position",
        world.name,
    )
    found = {}
    for row in rows.splitlines():
        table, column, kind = re.split(" ", row, maxsplit=2)
        found.setdefault(table, []).append((column, kind))
    assert found == documented("PostgreSQL")
    versions = re.findall(r"^\| (\d+) \| [^|]* \| ([^|]*) \|$", (ROOT / "docs/reference/store.md").read_text(), re.M)
    assert world.server.sql("SELECT version FROM weir.schema", world.name) == [number for number, what in versions if what.strip()][-1]


def test_commands_reach_an_owner_with_another_state(world):
    """Through the store, as from another machine: each is applied once, and answered when it is durable."""
    arguments = world.chain(3, 0.5)
    run = world.start("one", arguments)
    world.wait_for("began", 1)
    before = time.monotonic()
    suspended = world.call("two", "suspend", "chain")
    assert suspended.returncode == 0, suspended.stderr
    assert time.monotonic() - before < 2
    assert json.loads(world.call("three", "list", "-o", "json").stdout)[0]["phase"] == "Suspended"
    time.sleep(1)
    assert len(world.lines("began")) == 1 and run.poll() is None
    assert world.call("two", "resume", "chain").returncode == 0
    out, _ = run.communicate(timeout=30)
    assert json.loads(out)["results"] == {"s2.out": "2"}
    types = [event["type"] for event in json.loads(world.call("two", "events", "chain", "-o", "json").stdout)]
    assert types.count("run.suspended") == 1 and types.count("run.resumed") == 1
    over = world.call("two", "suspend", "chain")
    assert over.returncode == 3 and "is over" in over.stderr
    assert world.server.sql("SELECT count(*) FROM weir.commands", world.name) == "0"


def test_a_command_waits_for_who_takes_the_run_over(world):
    """An owner that is stopped does not answer; what it was asked is taken back."""
    run = world.start("one", world.chain(2, 1), more="&lease=60")
    world.wait_for("began", 1)
    os.kill(run.pid, signal.SIGSTOP)
    silent = world.call("two", "cancel", "chain")
    assert silent.returncode == 3 and "does not answer" in silent.stderr
    assert world.server.sql("SELECT count(*) FROM weir.commands", world.name) == "0"
    os.kill(run.pid, signal.SIGCONT)
    assert world.call("two", "terminate", "chain").returncode == 0
    assert run.wait(30) == 1


def test_a_submitted_run_is_restarted_from_elsewhere(world):
    run, file, *inputs = world.chain(3, 0.3)
    submitted = world.call("one", "submit", file, *[word for word in inputs if word not in ("-o", "json")])
    assert (submitted.returncode, submitted.stdout) == (0, "chain\n"), submitted.stderr
    world.wait_for("ended", 1)
    world.wait_for("began", 2)
    again = world.call("two", "restart", "chain", "s0")
    assert again.returncode == 0, again.stderr
    world.wait_for("ended", 4)  # s0 once more
    due = time.monotonic() + 30
    while json.loads(world.call("two", "list", "-o", "json").stdout)[0]["phase"] != "Succeeded":
        assert time.monotonic() < due
        time.sleep(0.1)
    events = json.loads(world.call("two", "events", "chain", "-o", "json").stdout)
    restarted = [event for event in events if event["type"] == "run.restarted"]
    assert len(restarted) == 1 and restarted[0]["data"]["task"] == ["default", "s0"] and restarted[0]["data"]["command"] > 0
    assert world.call("two", "retry", "chain").returncode == 3  # nothing failed
    assert world.server.sql("SELECT count(*) FROM weir.commands", world.name) == "0"
