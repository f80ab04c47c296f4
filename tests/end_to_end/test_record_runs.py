"""`weir run records`: a dataflow for each record of CSV and JSON files and of tables in SQLite and PostgreSQL; results become features."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import WEIR

FLOW = """
linked: true
definitions:
  name: {primitive: str}
  years: {primitive: int}
  bonus: {primitive: int}
  numbers: {primitive: array}
  total: {primitive: int}
  features: {primitive: map}
  spec: {primitive: array}
operations:
  sum: {name: calculator.add, inputs: {numbers: numbers}, outputs: {sum: total}}
  get: {name: get_single, inputs: {spec: spec}, stage: output}
seed:
  - {value: [total], definition: spec}
"""
# What a record's features are made of: [n, …] → their sum.
PEOPLE = 'key,numbers,note\nada,"[1, 2]","x, ""y"""\ngrace,[7],007\nalan,"[1]",\n'


@pytest.fixture
def records(weir, tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW)

    def run(*arguments, **options):
        return weir("run", "records", "flow.yaml", "--feature", "numbers", *arguments, **options)

    return run


def said(done):
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_results_become_features(records, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    assert said(records("--source", "people.csv")) == "people.csv: 3 records, 3 changed\n"
    assert (tmp_path / "people.csv").read_text() == (
        'key,numbers,note,total\nada,"[1, 2]","x, ""y""",3\ngrace,[7],007,7\nalan,[1],,1\n'
    )
    assert sorted(os.listdir(tmp_path)) == [".weir", "flow.yaml", "people.csv"]
    # A record is passed over that has the feature.
    (tmp_path / "people.csv").write_text((tmp_path / "people.csv").read_text().replace("007,7", "007,"))
    assert said(records("--source", "people.csv", "--caching", "total")) == "people.csv: 3 records, 1 changed, 2 skipped\n"
    assert said(records("--source", "people.csv", "--no-update")) == "people.csv: 3 records, 3 changed, nothing stored\n"


def test_json_of_dffml(records, tmp_path):
    before = {"other": {"x": {"features": {"n": 1}}}, "untagged": {
        "a": {"features": {"numbers": [1, 2], "text": "é\n"}, "prediction": {"p": {"value": 1, "confidence": 0.5}}},
        "b}": {"features": {"numbers": [5]}},
    }, "last": {}}
    for indent in (None, 3):
        (tmp_path / "people.json").write_text(json.dumps(before, indent=indent))
        result = json.loads(said(records("--source", "people.json", "-o", "json")))
        assert result["records"] == [
            {"source": "people.json", "records": 2, "changed": 2, "skipped": 0, "unfinished": 0, "stored": "people.json"}
        ]
        after = json.loads((tmp_path / "people.json").read_text())
        assert list(after) == ["other", "untagged", "last"] and after["other"] == before["other"]
        assert after["untagged"]["a"]["features"] == {"numbers": [1, 2], "text": "é\n", "total": 3}
        assert after["untagged"]["a"]["prediction"] == before["untagged"]["a"]["prediction"]
        assert after["untagged"]["b}"]["features"]["total"] == 5
    said(records("--source", "people.json?tag=last", "--source", "people.json?tag=other", "--caching", "n"))


def test_inputs_of_records(weir, tmp_path):
    """The key, all features, one of them, and what is the same for all."""
    (tmp_path / "flow.yaml").write_text(
        FLOW.replace("calculator.add, inputs: {numbers: numbers}", "dffml.mapping.create, inputs: {key: name, value: features}")
        .replace("outputs: {sum: total}}", "outputs: {mapping: total}}\n  note: {name: dffml.mapping.create, inputs: {key: years, value: bonus}, outputs: {mapping: noted}}")
        .replace("value: [total]", "value: [total, noted]").replace("  total: {primitive: int}", "  total: {primitive: map}\n  noted: {primitive: map}")
        .replace("years: {primitive: int}", "years: {primitive: str}")
    )
    (tmp_path / "people.csv").write_text("name,Years,n\nada,12,1.5\n")
    done = weir(
        "run", "records", "flow.yaml", "bonus=7", "--source", "csv:people.csv?key=name", "--record-definition", "name",
        "--features-definition", "features", "--feature", "Years=years", "-o", "jsonl", "--no-update",
    )
    # A number is one, also where a definition wants a text: as in any dataflow, primitives are not enforced.
    assert done.returncode != 0 or json.loads(said(done)) == {
        "context": "ada", "result": {"total": {"ada": {"Years": 12, "n": 1.5}}, "noted": {"12": 7}}
    }


def test_keys_choose_and_add(records, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    assert said(records("--source", "people.csv", "--key", "grace")) == "people.csv: 3 records, 1 changed, 2 skipped\n"
    assert (tmp_path / "people.csv").read_text().split("\n")[1:3] == ['ada,"[1, 2]","x, ""y""",', "grace,[7],007,7"]
    done = records("--source", "people.csv", "--key", "nobody")
    assert done.returncode != 0 and "record `nobody` has no feature `numbers`" in done.stderr


def test_a_key_that_no_source_has_is_a_new_record(weir, tmp_path):
    (tmp_path / "flow.yaml").write_text(FLOW.replace("calculator.add, inputs: {numbers: numbers}", "string.length, inputs: {text: name}").replace("{sum: total}", "{length: total}"))
    for file in ("new.json", "new.csv"):
        done = weir("run", "records", "flow.yaml", "--source", file, "--key", "ada", "--key", "bo", "--record-definition", "name")
        assert said(done) == f"{file}: 2 records, 2 changed\n"
    assert json.loads((tmp_path / "new.json").read_text())["untagged"]["bo"]["features"] == {"total": 2}
    assert (tmp_path / "new.csv").read_text() == "key,total\nada,3\nbo,2\n"


def test_stored_elsewhere(records, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "other.json").write_text('{"kept": {}, "untagged": {"gone": {"features": {}}}}')
    for place in ("other.json", "other.csv", "sqlite:other.db?table=people&key=id"):
        out = said(records("--source", "people.csv", "--destination", place))
        assert out == f"people.csv: 3 records, 3 changed, stored in {place.split('?')[0].removeprefix('sqlite:')}\n"
    other = json.loads((tmp_path / "other.json").read_text())
    assert list(other["untagged"]) == ["ada", "grace", "alan"] and other["kept"] == {}
    assert other["untagged"]["ada"]["features"] == {"numbers": [1, 2], "note": 'x, "y"', "total": 3}
    assert (tmp_path / "other.csv").read_text().startswith("key,numbers,note,total\nada,")
    rows = sqlite3.connect(tmp_path / "other.db").execute("select id, note, total from people order by id").fetchall()
    assert rows == [("ada", 'x, "y"', 3), ("alan", None, 1), ("grace", "007", 7)]
    assert (tmp_path / "people.csv").read_text() == PEOPLE


def test_sqlite(records, tmp_path):
    with sqlite3.connect(tmp_path / "p.db") as base:
        base.execute('create table "people of ""x""" (id integer primary key, numbers text, total text, bytes blob)')
        base.executemany('insert into "people of ""x""" values (?, ?, ?, ?)', [(at, json.dumps([at, 1]), None, b"\0") for at in range(1200)])
    (tmp_path / "flow.yaml").write_text(
        FLOW.replace("calculator.add, inputs: {numbers: numbers}", "string.length, inputs: {text: numbers}").replace("{sum: total}", "{length: total}")
    )
    place = "p.db?table=people of \"x\"&key=id"
    assert said(records("--source", place)) == "p.db: 1200 records, 1200 changed\n"
    rows = sqlite3.connect(tmp_path / "p.db").execute('select id, total, bytes from "people of ""x""" order by id').fetchall()
    assert rows == [(at, str(len(json.dumps([at, 1]))), b"\0") for at in range(1200)]
    assert said(records("--source", place, "--key", "7")) == "p.db: 1200 records, 1 changed, 1199 skipped\n"


def test_postgresql(records, postgresql, tmp_path):
    name = postgresql.database()
    postgresql.sql("CREATE TABLE people (id bigint PRIMARY KEY, numbers jsonb, note text, total text)", name)
    postgresql.sql("INSERT INTO people SELECT n, jsonb_build_array(n, 1), 'it''s' FROM generate_series(1, 600) AS n", name)
    place = postgresql.url(name, "&table=people&key=id")
    assert said(records("--source", place)) == f"postgresql://weir@/{name}: 600 records, 600 changed\n"
    assert postgresql.sql("SELECT sum(total::int), min(note) FROM people", name) == f"{sum(n + 1 for n in range(1, 601))}|it's"
    said(records("--source", place, "--destination", postgresql.url(name, "&table=copies")))
    assert postgresql.sql("SELECT count(*), max(key), sum(total) FROM copies", name) == "600|99|180900"
    assert said(records("--source", place, "--key", "5")).endswith("600 records, 1 changed, 599 skipped\n")
    done = records("--source", postgresql.url(name, "&table=nothing"))
    assert done.returncode != 0 and "nothing" in done.stderr


@pytest.mark.parametrize("file, text, said", [
    ("p.csv", "key,numbers\nx,[1]\ny\n", "p.csv:3:1: error: there are 1 cells for 2 columns"),
    ("p.csv", 'key,numbers\nx,"[1]\n', "p.csv:3:1: error: a quote is not closed"),
    ("p.csv", 'key,numbers\n\nx,"[1]"x\n', "p.csv:3:1: error: something stands behind a closing quote"),
    ("p.csv", "key,numbers\nx,[1]\nx,[2]\n", "p.csv:3:1: error: two records have the key `x`"),
    ("p.csv", "key,numbers\n,[1]\n", "p.csv:2:1: error: the record has no key"),
    ("p.csv", "key,key\n,[1]\n", "p.csv:1:1: error: two columns are called `key`"),
    ("p.csv", b"key,numbers\nx,\xff\n", "p.csv:2:1: error: a cell is not UTF-8, or has a NUL"),
    ("p.csv", "key,note\nx,y\n", "p.csv:2:1: error: record `x` has no feature `numbers`"),
    ("p.json", "[]", "p.json:1:1: error: this is no file of records"),
    ("p.json", '{"untagged": {"a": {"features": {"numbers": [1]}},\n "b": 7}}', "p.json:2:1: error: record `b` is no map with features"),
    ("p.json", '{"untagged": {"a": {"features":\n {"numbers": [1 2]}}}}', "p.json:2:17: error: "),
    ("p.json", '{"untagged": {"a": {"features": {}}', "p.json:1:1: error: "),
    ("p.json", '{"untagged": {\n"a" 7}}', "p.json:2:1: error: there is no `:` behind a key"),
])
def test_what_is_wrong_is_said_and_nothing_stored(records, tmp_path, file, text, said):
    text = text if isinstance(text, bytes) else text.encode()
    (tmp_path / file).write_bytes(text)
    done = records("--source", file)
    assert done.returncode != 0 and said in done.stderr and done.stdout in ("nothing was stored\n", "")
    assert (tmp_path / file).read_bytes() == text


@pytest.mark.parametrize("arguments, said", [
    ((), "which records?"),
    (("--source", "people.txt"), "of what kind are the records?"),
    (("--source", "people.csv?colour=red"), "`colour` says nothing of records"),
    (("--source", "people.csv?delimiter=ab"), "`delimiter` is one ASCII character"),
    (("--source", "people.db"), "people.db: which table?"),
    (("--source", "nowhere.csv"), "nowhere.csv cannot be read: No such file or directory"),
    (("--source", "."), "of what kind"),
    (("--source", "csv:."), ". cannot be read: Is a directory"),
    (("--source", "flow.csv", "--source", "./flow.csv"), "flow.csv is a source twice"),
    (("--source", "flow.csv", "--record-definition", "nothing"), "an input is of unknown definition `nothing`"),
])
def test_arguments(records, tmp_path, arguments, said):
    (tmp_path / "flow.csv").write_text("key,numbers\na,[1]\n")
    done = records(*arguments)
    assert done.returncode != 0 and said in done.stderr


def test_a_failure_leaves_the_others_results(records, tmp_path):
    (tmp_path / "people.csv").write_text("key,numbers\na,[1]\nb,text\nc,[3]\n")
    done = records("--source", "people.csv", "--no-strict")
    after = (tmp_path / "people.csv").read_text()
    assert after == "key,numbers,total\na,[1],1\nb,text,\nc,[3],3\n"
    assert done.stdout == "people.csv: 3 records, 2 changed, 1 unfinished\n" and "went on after" in done.stderr
    (tmp_path / "people.csv").write_text("key,numbers\na,[1]\nb,text\n")
    done = records("--source", "people.csv", "--max-contexts", "1")
    assert done.returncode == 1 and "failed" in done.stderr
    assert (tmp_path / "people.csv").read_text() in ("key,numbers,total\na,[1],1\nb,text,\n", "key,numbers\na,[1]\nb,text\n")


@pytest.fixture
def under_way(tmp_path):
    """A run of which one record has its result, and the other waits for the file `go`."""
    wait = 'touch begun; echo "$1" >>ran; case "$1" in *2*) while test ! -e go; do sleep 0.02; done;; esac; echo 5'
    (tmp_path / "flow.yaml").write_text(
        FLOW.replace("calculator.add, inputs: {numbers: numbers}", "process.run, inputs: {n: numbers}").replace("outputs: {sum: total}", "outputs: {result: total}")
        + f"configs:\n  sum: {{command: [sh, -c, '{wait}', sh, '{{{{inputs.n}}}}'], format: json}}\n"
    )
    (tmp_path / "people.csv").write_text("key,numbers\na,[1]\nb,[2]\n")
    command = [WEIR, "run", "records", "flow.yaml", "--source", "people.csv", "--feature", "numbers"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield running
    finally:
        (tmp_path / "go").touch()
        running.kill()
        running.communicate()


def test_a_file_that_changes_meanwhile_is_left(under_way, tmp_path):
    (tmp_path / "people.csv").write_text("key,numbers\nother,[1]\n")
    (tmp_path / "go").touch()
    _, stderr = under_way.communicate(timeout=30)
    assert under_way.returncode != 0 and "people.csv was changed while the run went on" in stderr
    assert (tmp_path / "people.csv").read_text() == "key,numbers\nother,[1]\n"


def kill(running):
    running.kill()
    running.communicate(timeout=30)


def test_killed_and_recovered(under_way, weir, tmp_path):
    """From another folder: what had ended does not run again, and all is stored as it would have been."""
    kill(under_way)
    assert (tmp_path / "people.csv").read_text() == "key,numbers\na,[1]\nb,[2]\n"
    assert [name for name in os.listdir(tmp_path) if name.startswith("people")] == ["people.csv"]
    (tmp_path / "go").touch()
    (tmp_path / "elsewhere").mkdir()
    recover = ("recover", "@latest", "--state", "../.weir")
    assert said(weir(*recover, cwd=tmp_path / "elsewhere")) == "people.csv: 2 records, 2 changed\n"
    stored = "key,numbers,total\na,[1],5\nb,[2],5\n"
    assert (tmp_path / "people.csv").read_text() == stored
    ran = (tmp_path / "ran").read_text().split()
    assert ran.count("[2]") == 2 and len(ran) <= 4
    (tmp_path / "people.csv").write_text(stored.replace("5", "6"))
    assert weir(*recover, "-q", cwd=tmp_path / "elsewhere").returncode == 0, "what is stored stays"
    assert (tmp_path / "people.csv").read_text() == stored.replace("5", "6")


def test_killed_and_the_file_is_another(under_way, weir, tmp_path):
    kill(under_way)
    (tmp_path / "people.csv").write_text("key,numbers\nother,[1]\n")
    for which in ("@latest", "--all"):
        done = weir("recover", which)
        assert done.returncode == 2 and "people.csv was changed since" in done.stderr, done.stderr
    assert (tmp_path / "people.csv").read_text() == "key,numbers\nother,[1]\n"
    assert weir("cancel", "@latest").returncode == 0
    assert weir("recover", "--all").returncode == 0


def test_what_could_not_be_stored_is_once_it_can(records, weir, tmp_path):
    """As after a crash behind the run's end."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    done = records("--source", "people.csv", "--key", "ada", "--destination", "new/people.csv")
    assert done.returncode != 0 and "new/people.csv cannot be written" in done.stderr
    (tmp_path / "new").mkdir()
    assert said(weir("recover", "@latest")) == "people.csv: 3 records, 1 changed, 2 skipped, stored in new/people.csv\n"
    assert (tmp_path / "new" / "people.csv").read_text().count(",3\n") == 1
    os.remove(tmp_path / "new" / "people.csv")
    assert weir("recover", "@latest", "-q").returncode == 0 and not os.listdir(tmp_path / "new")


def test_runs_of_many_records_are_killed_and_recovered(weir, tmp_path):
    """One that begins, one in the midst, one of a table; all are recovered at once."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    count = 2500
    with open(tmp_path / "many.csv", "w") as file:
        file.write("key,numbers\n" + "".join(f'{at},"[{at}, 1]"\n' for at in range(count)))
    with sqlite3.connect(tmp_path / "many.db") as base:
        base.execute("create table numbers (key text, numbers text)")
        base.executemany("insert into numbers values (?, ?)", [(str(at), f"[{at}]") for at in range(count)])
    (tmp_path / "length.yaml").write_text(
        FLOW.replace("calculator.add, inputs: {numbers: numbers}", "string.length, inputs: {text: numbers}").replace("{sum: total}", "{length: total}")
    )
    runs = (("flow.yaml", "many.csv?key=key", "begins.csv", 1), ("flow.yaml", "many.csv", "midst.csv", 1200), ("length.yaml", "many.db?table=numbers", None, 500))
    for flow, source, to, results in runs:
        command = [WEIR, "run", "records", flow, "--source", source, "--feature", "numbers", "-o", "jsonl", *(["--destination", to] if to else [])]
        running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE)
        for _ in range(results):
            assert running.stdout.readline()
        kill(running)
    done = weir("recover", "--all")
    assert done.returncode == 0, done.stderr
    for name in ("begins.csv", "midst.csv"):
        assert (tmp_path / name).read_text() == "key,numbers,total\n" + "".join(f'{at},"[{at}, 1]",{at + 1}\n' for at in range(count))
    rows = sqlite3.connect(tmp_path / "many.db").execute("select key, total from numbers order by rowid").fetchall()
    assert rows == [(str(at), len(f"[{at}]")) for at in range(count)]


def test_a_recovered_run_of_postgresql(postgresql, weir, tmp_path):
    """Its URL is kept without the password."""
    wait = "while test ! -e go; do sleep 0.02; done; echo 5"
    (tmp_path / "flow.yaml").write_text(
        FLOW.replace("calculator.add, inputs: {numbers: numbers}", "process.run, inputs: {n: numbers}").replace("outputs: {sum: total}", "outputs: {result: total}")
        + f"configs:\n  sum: {{command: [sh, -c, 'touch begun; {wait}'], format: json}}\n"
    )
    name = postgresql.database()
    postgresql.sql("CREATE TABLE people (id bigint PRIMARY KEY, numbers jsonb)", name)
    postgresql.sql("INSERT INTO people VALUES (1, '[1]'), (2, '[2]')", name)
    place = postgresql.url(name, "&password=hush&table=people&key=id")
    running = subprocess.Popen(
        [WEIR, "run", "records", "flow.yaml", "--source", place, "--feature", "numbers"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    kill(running)
    (tmp_path / "go").touch()
    assert said(weir("recover", "@latest")) == f"postgresql://weir@/{name}: 2 records, 2 changed\n"
    assert postgresql.sql("SELECT sum(total) FROM people", name) == "10"
    assert "hush" not in weir("events", "@latest", "-o", "jsonl").stdout


def test_interrupted_what_has_a_result_is_stored(under_way, tmp_path):
    time.sleep(0.5)  # the first record's process ends meanwhile
    under_way.send_signal(signal.SIGINT)
    stdout, _ = under_way.communicate(timeout=30)
    assert under_way.returncode != 0 and "1 unfinished" in stdout
    assert (tmp_path / "people.csv").read_text() == "key,numbers,total\na,[1],5\nb,[2],\n"


def test_a_full_disk_leaves_the_file(records, tmp_path):
    text = "key,numbers\n" + "".join(f"{at},[1]\n" for at in range(3000))
    (tmp_path / "people.csv").write_text(text)

    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768))

    done = records("--source", "people.csv", "--durability", "none", preexec_fn=little_room)
    assert done.returncode == 3 and "File too large" in done.stderr and done.stdout == "nothing was stored\n"
    assert (tmp_path / "people.csv").read_text() == text
    assert [name for name in os.listdir(tmp_path) if name.startswith("people")] == ["people.csv"]


def test_many_records_need_little_memory(records, tmp_path):
    with open(tmp_path / "many.csv", "w") as file:
        file.write("key,numbers,text\n")
        for at in range(20000):
            file.write(f'{at},"[{at}, 1]",{"x" * 1000}\n')
    command = [WEIR, "run", "records", "flow.yaml", "--feature", "numbers", "--source", "many.csv", "--durability", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert said(done) == "many.csv: 20000 records, 20000 changed\n"
    with open(tmp_path / "many.csv") as file:
        lines = file.read().splitlines()
    assert lines[0] == "key,numbers,text,total" and lines[20000].startswith('19999,"[19999, 1]",x') and lines[20000].endswith(",20000")
