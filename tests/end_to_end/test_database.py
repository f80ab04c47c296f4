"""The operations db_query_…, beside Python's sqlite3."""

import sqlite3
import threading
import time

import pytest

from operation import caller

CONFIG = {"database": "t.db"}
COLS = {"id": "INTEGER NOT NULL PRIMARY KEY", "name": "text", "age": "DECIMAL(10, 2) DEFAULT 7"}
ROWS = [(1, "ann", 30), (2, "bob", 40), (3, "cid", 50)]


@pytest.fixture
def call(weir, tmp_path):
    made = caller(weir, tmp_path)
    return lambda name, parameters, config=CONFIG, **options: made("db_query_" + name, parameters, config, **options)


@pytest.fixture
def table(call, tmp_path):
    """A table of people, and a way to ask it."""
    assert call("create_table", {"table_name": "t", "cols": COLS}) == {}
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.executemany("insert into t values (?, ?, ?)", ROWS)
    database.close()

    def rows(query="select * from t order by id"):
        database = sqlite3.connect(tmp_path / "t.db")
        found = database.execute(query).fetchall()
        database.close()
        return found

    return rows


def refused(done, *words):
    assert not isinstance(done, dict), done
    for word in words:
        assert word in done.stderr
    return True


def lookup(call, conditions=(), cols=()):
    return call("lookup", {"table_name": "t", "cols": list(cols), "conditions": list(conditions)})["lookups"]


def test_a_table_is_made_once(call, table):
    assert call("create_table", {"table_name": "t", "cols": {"other": "int"}}) == {}
    assert table() == ROWS
    assert table("select name, upper(type), \"notnull\", dflt_value, pk from pragma_table_info('t')") == [
        ("id", "INTEGER", 1, None, 1), ("name", "TEXT", 0, None, 0), ("age", "DECIMAL(10, 2)", 0, "7", 0),
    ]


def test_rows_are_inserted(call, table):
    values = {"id": 4, "name": "d'ee\u00e9\"`; drop table t", "age": None}
    assert call("insert", {"table_name": "t", "data": values}) == {}
    assert call("insert", {"table_name": "t", "data": {"id": True + 4, "age": 1.5}}) == {}
    assert table() == [*ROWS, (4, values["name"], None), (5, None, 1.5)]
    assert lookup(call, [[["id", ">", 3]]]) == [values, {"id": 5, "name": None, "age": 1.5}]


def test_a_key_is_taken_once(call, table):
    assert refused(call("insert", {"table_name": "t", "data": {"id": 1}}), "UNIQUE constraint failed: t.id")
    assert call("insert_or_update", {"table_name": "t", "data": {"id": 1, "name": "new"}}) == {}
    assert call("insert_or_update", {"table_name": "t", "data": {"id": 9, "name": "nine"}}) == {}
    assert call("insert_or_update", {"table_name": "t", "data": {"id": 2}}) == {}
    assert table() == [(1, "new", 30), *ROWS[1:], (9, "nine", 7)]


@pytest.mark.parametrize("conditions, ids", [
    ([], [1, 2, 3]),
    ([[["name", "=", "bob"]]], [2]),
    ([[["name", "=", "ann"], ["name", "==", "cid"]]], [1, 3]),
    ([[["name", "=", "ann"], ["age", ">=", 40]], [["age", "<", 50]]], [1, 2]),
    ([[["name", "like", "B%"]]], [2]),
    ([[["name", "not like", "b%"]], [["id", "!=", 3]]], [1]),
    ([[["name", "GLOB", "[ab]*"]]], [1, 2]),
    ([[["age", "is", None]]], []),
    ([[["age", "IS NOT", None]], [["id", "<>", 2]]], [1, 3]),
    ([[["name", "=", "name"]]], []),
    ([[["name", "=", "' or 1=1 --"]]], []),
])
def test_conditions(call, table, conditions, ids):
    assert [row["id"] for row in lookup(call, conditions)] == ids
    assert call("update", {"table_name": "t", "data": {"id": 9}, "conditions": [*conditions, [["id", "=", 2]]]}) == {}
    assert [row[0] for row in table()] == ([1, 3, 9] if 2 in ids else [1, 2, 3])
    assert call("update", {"table_name": "t", "data": {"id": 2}, "conditions": [[["id", "=", 9]]]}) == {}
    assert call("remove", {"table_name": "t", "conditions": conditions}) == {}
    assert [row[0] for row in table()] == [id for id in (1, 2, 3) if id not in ids]


def test_columns_are_chosen(call, table):
    assert lookup(call, [[["id", "=", 2]]], ["age", "name"]) == [{"age": 40, "name": "bob"}]


def test_conditions_may_be_left_out(call, table):
    assert call("lookup", {"table_name": "t"})["lookups"][2] == {"id": 3, "name": "cid", "age": 50}
    assert call("update", {"table_name": "t", "data": {"age": 1}}) == {}
    assert [row[2] for row in table()] == [1, 1, 1]


@pytest.mark.parametrize("name, parameters, words", [
    ("lookup", {"table_name": "none"}, ["no such table: none"]),
    ("lookup", {"table_name": "t; drop table t"}, ["no such table"]),
    ("lookup", {"table_name": "t` where 0; drop table t; --"}, ["no such table"]),
    ("lookup", {"table_name": ""}, ["no name"]),
    ("lookup", {"table_name": 1}, ["`table_name` must be of type string"]),
    ("lookup", {"table_name": "t", "cols": ["none"]}, ["no such column: none"]),
    ("lookup", {"table_name": "t", "cols": ["id, (select 1)"]}, ["no such column"]),
    ("lookup", {"table_name": "t", "cols": [1]}, ["item 0 must be of type string"]),
    ("lookup", {"table_name": "t", "cols": {"id": 1}}, ["`cols` must be of type array"]),
    ("lookup", {"table_name": "t", "conditions": [[["none", "=", 1]]]}, ["no such column: none"]),
    ("lookup", {"table_name": "t", "conditions": [[["id", "= 1 or", 1]]]}, ["no operator `= 1 or`"]),
    ("lookup", {"table_name": "t", "conditions": [["id", "=", 1]]}, ["[column, operator, value]"]),
    ("lookup", {"table_name": "t", "conditions": ["id"]}, ["must be an array of conditions"]),
    ("lookup", {"table_name": "t", "conditions": [[["id", "="]]]}, ["[column, operator, value]"]),
    ("lookup", {"table_name": "t", "conditions": [[["id", "=", [1]]]]}, ["value of `id`", "found array"]),
    ("lookup", {"table_name": "t", "conditions": [[]]}, ["one or more"]),
    ("lookup", {"table_name": "t", "conditions": [[["id", "=", 1]] * 1001]}, ["more than 1000 conditions"]),
    ("remove", {"table_name": "t", "conditions": "all"}, ["`conditions` must be of type array"]),
    ("insert", {"table_name": "t", "data": {}}, ["no columns"]),
    ("insert", {"table_name": "t", "data": {"id": {"a": 1}}}, ["value of `id`", "found object"]),
    ("insert", {"table_name": "sqlite_master", "data": {"name": "x"}}, ["sqlite_master"]),
    ("update", {"table_name": "t", "data": []}, ["`data` must be of type object"]),
    ("create_table", {"table_name": "u", "cols": {"a": "int); drop table t; --"}}, ["type of column `a`"]),
    ("create_table", {"table_name": "u", "cols": {"a": "int, b int"}}, ["type of column `a`"]),
    ("create_table", {"table_name": "u", "cols": {"a": "int 'x"}}, ["type of column `a`"]),
    ("create_table", {"table_name": "u", "cols": {"a": "int)"}}, ["type of column `a`"]),
    ("create_table", {"table_name": "u", "cols": {"a": "nonsense ((1)"}}, ["type of column `a`"]),
    ("create_table", {"table_name": "u", "cols": {"a": 1}}, ["type of column `a`"]),
    ("create_table", {"table_name": "u", "cols": {}}, ["no columns"]),
])
def test_what_is_wrong_changes_nothing(call, table, name, parameters, words):
    assert refused(call(name, parameters), *words)
    assert table() == ROWS
    assert table("select name from sqlite_master") == [("t",)]


def test_types_may_have_texts(call, table):
    assert call("create_table", {"table_name": "u", "cols": {"a": "text DEFAULT 'it''s, (so' NOT NULL"}}) == {}
    assert table("select dflt_value from pragma_table_info('u')") == [("'it''s, (so'",)]


def test_names_are_names(call, table):
    odd = "a `b` \"c\" 'd'; --"
    assert call("create_table", {"table_name": odd, "cols": {odd: "int"}}) == {}
    assert call("insert", {"table_name": odd, "data": {odd: 1}}) == {}
    assert call("lookup", {"table_name": odd, "cols": [odd], "conditions": [[[odd, "=", 1]]]}) == {"lookups": [{odd: 1}]}


@pytest.mark.parametrize("config, word", [
    ({}, "must be the path"),
    ({"database": 1}, "must be the path"),
    ({"database": {"plugin": "mysql", "config": {}}}, "sqlite"),
    ({"database": ":memory:"}, "would be gone"),
    ({"database": "none/t.db"}, "unable to open"),
    ({"database": "call.json"}, "not a database"),
])
def test_the_database_is_configured(call, config, word):
    assert refused(call("insert", {"table_name": "t", "data": {"a": 1}}, config), word)


def test_the_database_as_dffml_configures_it(call, table):
    for database in ({"plugin": "sqlite", "config": {"filename": "t.db"}}, {"filename": "t.db"}):
        assert len(call("lookup", {"table_name": "t"}, {"database": database})["lookups"]) == 3


@pytest.mark.parametrize("value, word", [("x'00ff'", "BLOB"), ("cast(x'ff' as text)", "UTF-8"), ("9e999", "infinite")])
def test_what_no_value_can_be(call, table, tmp_path, value, word):
    database = sqlite3.connect(tmp_path / "t.db")
    database.execute(f"update t set age = {value} where id = 2")
    database.commit()
    database.close()
    assert refused(call("lookup", {"table_name": "t"}), word)
    assert lookup(call, cols=["id"]) == [{"id": 1}, {"id": 2}, {"id": 3}]


def test_somebody_else_writes(call, table, tmp_path):
    other = sqlite3.connect(tmp_path / "t.db", check_same_thread=False)
    other.execute("begin exclusive")
    timer = threading.Timer(0.5, other.rollback)
    timer.start()
    began = time.monotonic()
    assert call("insert", {"table_name": "t", "data": {"id": 7}}) == {}
    timer.join()
    other.close()
    assert time.monotonic() - began > 0.4 and len(table()) == 4
