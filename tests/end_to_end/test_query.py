"""`weir query`: the tables and examples of docs/reference/store.md on both stores, what is refused, and the forms of output."""

import csv
import io
import json
import re

import pytest

from conftest import ROOT
from test_records import SQLite, call, store  # noqa: F401

DOCUMENT = (ROOT / "docs/reference/store.md").read_text()
EXAMPLES = re.findall(r"^```sql\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
ENDLESS = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t"


def query(store, sql, *options):  # noqa: F811
    asked = call(store, "query", sql, "-o", "json", *options)
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


def documented(sqlite):
    """{table: [columns]} of the document, as they are in one of the stores."""
    found = {}
    for name, body in re.findall(r"^### (\w+)\n(.*?)(?=^##)", DOCUMENT + "\n## ", re.MULTILINE | re.DOTALL):
        rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|([^|]*)", body, re.MULTILINE)
        if "| column | SQLite | PostgreSQL |" in body:
            rows = [row for row in rows if row[1 if sqlite else 2].strip()]
        if rows and not (sqlite and "PostgreSQL only" in body):
            found[name] = [row[0] for row in rows]
    return found


@pytest.fixture
def filled(store):  # noqa: F811
    for arguments in (["examples/workflow/dag-diamond.yaml", "--name", "diamond"],
                      ["examples/calculator/calculator.json", "line=add 40 and 2", "--name", "sum"]):
        assert call(store, "run", *arguments, "-q").returncode == 0
    return store


def test_the_document_is_right(filled):
    assert len(EXAMPLES) >= 7
    for sql in EXAMPLES:
        query(filled, sql)
    sqlite = not filled.arguments[2:]
    for table, columns in documented(sqlite).items():
        found = [row["name"] for row in query(filled, f"SELECT name FROM pragma_table_info('{table}')")] if sqlite else \
            call(filled, "query", f"SELECT * FROM {table} LIMIT 0", "-o", "csv").stdout.strip().split(",")
        if sqlite and not found:  # one of the engine's
            found = call(filled, "query", f"SELECT * FROM {table} LIMIT 0", "-o", "csv").stdout.strip().split(",")
        assert sorted(found) == sorted(columns), table
    assert query(filled, "SELECT phase, count(*) AS n FROM nodes GROUP BY 1") == [{"phase": "Succeeded", "n": 5}]


def test_invocations_come_from_the_journal(filled):
    rows = query(filled, "SELECT * FROM invocations WHERE run = run_id('sum')")
    assert {row["kind"] for row in rows} == {"call"} and not query(filled, "SELECT 1 FROM tasks WHERE run = run_id('sum')")
    assert json.loads(rows[0]["inputs"])["line"] == "add 40 and 2"
    assert "42" in " ".join(row["outputs"] for row in rows)
    rows = query(filled, "SELECT i.operation, i.inputs, t.phase FROM invocations i"
                         " JOIN tasks t ON t.run = i.run AND t.number = i.task WHERE i.run = run_id('diamond') ORDER BY i.task")
    assert [json.loads(row["inputs"]) for row in rows] == [{"text": letter} for letter in "ABCD"]
    shown = call(filled, "events", "diamond", "-o", "json")
    assert len(json.loads(shown.stdout)) == query(filled, "SELECT count(*) AS n FROM events WHERE run = run_id('diamond')")[0]["n"]
    # Only the run that is asked for is read: another one's journal is damaged.
    filled.change("UPDATE journal SET checksum = checksum + 1 WHERE stream = (SELECT id FROM runs WHERE name = 'diamond')")
    assert query(filled, "SELECT count(*) AS n FROM invocations WHERE run = run_id('sum')")[0]["n"] > 0
    all_of_them = call(filled, "query", "SELECT count(*) FROM invocations")
    assert all_of_them.returncode == 2 and "batch 1 of run" in all_of_them.stderr
    assert query(filled, "SELECT count(*) AS n FROM events WHERE run = 'nobody'") == [{"n": 0}]


def test_what_is_refused(filled):
    before = filled.rows("SELECT * FROM runs")
    for sql, said in (
        ("DELETE FROM runs", ""), ("UPDATE runs SET phase = 'x'", ""), ("INSERT INTO runs(id) VALUES('x')", ""),
        ("CREATE TABLE x(a)", ""), ("CREATE TEMP TABLE x(a)", ""), ("DROP TABLE runs", ""), ("ATTACH 'other.db' AS o", ""),
        ("PRAGMA journal_mode = DELETE", ""), ("VACUUM INTO 'copy.db'", ""), ("BEGIN IMMEDIATE", ""),
        ("SELECT load_extension('x')", ""), ("SELECT 1; DELETE FROM runs", "one statement"), ("", "no query"), ("/* nothing */", "no query"),
        ("SELECT", "incomplete"), ("SELECT * FROM nowhere", "no such table"), ("SELECT zeroblob(999999999)", "too big"),
    ):
        asked = call(filled, "query", sql)
        assert asked.returncode == 2 and said in asked.stderr, (sql, asked.stdout, asked.stderr)
    assert filled.rows("SELECT * FROM runs") == before
    slow = call(filled, "query", ENDLESS, "--timeout", "200ms")
    assert slow.returncode == 2 and "takes too long" in slow.stderr
    assert call(filled, "query", "SELECT 1", "--timeout", "soon").returncode == 2
    assert call(filled, "query", "SELECT 1", "--limit", "few").returncode == 2
    assert call(filled, "query", "SELECT 1", "--limit", "0", "-o", "csv").stdout == "1\n1\n"


def test_forms(tmp_path):
    store = SQLite(tmp_path)
    assert call(store, "run", "examples/calculator/calculator.json", "line=add 1 and 2", "-q").returncode == 0
    sql = "SELECT 1 AS n, 'a,\"b\"' AS text, NULL AS none, 1.5 AS n, x'00ff' AS bytes UNION ALL SELECT 22, 'ü\x1b[1m', 'x', 2.0, x''"
    wanted = {"n": 1, "text": 'a,"b"', "none": None, "n:1": 1.5, "bytes": "00ff"}
    assert query(store, sql)[0] == wanted
    lines = call(store, "query", sql, "-o", "jsonl").stdout.splitlines()
    assert json.loads(lines[0]) == wanted and len(lines) == 2
    rows = list(csv.reader(io.StringIO(call(store, "query", sql, "-o", "csv").stdout)))
    assert rows[0] == ["n", "text", "none", "n:1", "bytes"] and rows[1] == ["1", 'a,"b"', "", "1.5", "00ff"]
    table = call(store, "query", sql).stdout
    assert table.splitlines()[0].split() == ["n", "text", "none", "n:1", "bytes"] and "\x1b" not in table
    assert query(store, "SELECT 1 WHERE 0") == []
    limited = call(store, "query", "SELECT value FROM json_each('[1,2,3]')", "--limit", "2", "-o", "jsonl")
    assert len(limited.stdout.splitlines()) == 2 and "more than 2 rows" in limited.stderr
    assert not call(store, "query", "SELECT value FROM json_each('[1,2,3]')", "--limit", "3").stderr
