"""What `@weir.operation(…)` and `Annotated[…]` say of a function counts in files that do not say it."""

import json
import time

import pytest

OPS = '''
import dataclasses
import os
import time
from typing import Annotated

import weir

Url = Annotated[str, weir.Definition("URL", lock=True)]
Word = Annotated[str, weir.Definition("word", validate="check", default="nothing")]


def count(name):
    with open(name, "a") as file:
        file.write("x")
    return os.path.getsize(name)


@weir.operation(retry={"limit": 3, "backoff": {"duration": "150ms", "factor": 2}}, outputs=["result"])
def flaky(n):
    if count("tries") < 3:
        raise OSError("not yet")
    return n


@weir.operation(timeout="300ms")
def slow(n):
    time.sleep(60)


@weir.operation(expand="items", outputs=["items"])
def many(n):
    return list(range(n))


@weir.operation
def one(item):
    count("ones")
    return item


@weir.operation(cache="1h", resources={"memory": "64M"})
def dear(n):
    count("dear")
    return n


def locked(name, url):
    with open("times", "a") as file:
        file.write(f"{time.monotonic()} ")
        time.sleep(0.15)
        file.write(f"{time.monotonic()}\\n")
    return name + url


@weir.operation
def first(url: Url) -> str:
    return locked("first", url)


@weir.operation
def second(url: Url) -> str:
    return locked("second", url)


@weir.operation(validator=True)
def check(word: Word) -> Word:
    return word.upper()


@weir.operation
def use(word: Word) -> str:
    return "used " + word


@weir.operation(conditions=["is_open"])
def enter(n: int) -> int:
    return n


@weir.operation
def opens(n: int) -> Annotated[bool, weir.Definition("is_open")]:
    return n > 0


@weir.operation(stage="cleanup")
def tidy(n: int) -> None:
    count("tidied")


@dataclasses.dataclass
class Bank:
    name: str
    rate: float = 1.5


@weir.operation(config=Bank)
def change(n: int, config: Bank) -> float:
    return n * config.rate
'''


@pytest.fixture
def flow(weir, tmp_path):
    """Runs operations of a dataflow that says nothing of them but their ports."""
    (tmp_path / "ops.py").write_text(OPS)

    def flow(operations, *arguments, definitions=None, configs=None, **inputs):
        given = {name for one in operations.values() for name in one.get("outputs", {}).values()}
        names = given | {name for one in operations.values() for name in one["inputs"].values()}
        made = {
            "linked": True,
            "definitions": {name: {"name": name, "primitive": "generic"} for name in (*names, "spec", "all")} | (definitions or {}),
            "operations": operations | {"get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "all"}, "stage": "output"}},
            "configs": configs or {},
            "seed": [{"value": value, "definition": name, "origin": "seed"} for name, value in inputs.items()]
            + [{"value": sorted(given), "definition": "spec", "origin": "seed"}],
        }
        (tmp_path / "flow.json").write_text(json.dumps(made))
        done = weir("run", "flow.json", "-o", "json", *arguments)
        assert done.stdout, done.stderr
        result = json.loads(done.stdout)
        return result["results"]["default"] if result["phase"] == "Succeeded" else result["error"]

    return flow


def operation(name, inputs, outputs=None, **fields):
    return {"name": f"ops:{name}", "inputs": inputs, "outputs": outputs or {}, **fields}


def test_retries_with_a_backoff(flow, tmp_path):
    began = time.monotonic()
    assert flow({"f": operation("flaky", {"n": "n"}, {"result": "out"})}, n=4)["out"] == [4]
    assert (tmp_path / "tries").read_text() == "xxx" and time.monotonic() - began > 0.45
    (tmp_path / "tries").unlink()
    assert flow({"f": operation("flaky", {"n": "n"}, {"result": "out"}, retry=1)}, n=4)["code"] == "operation_failed"
    assert (tmp_path / "tries").read_text() == "x"


def test_a_retry_in_the_file(flow, tmp_path):
    retry = {"limit": 2, "backoff": "1ms"}
    assert flow({"f": operation("flaky", {"n": "n"}, {"result": "out"}, retry=retry)}, n=4)["out"] == [4]
    assert "`limit` is no number" in flow({"f": operation("flaky", {"n": "n"}, {"result": "out"}, retry={})}, n=4)["what"]


def test_a_timeout(flow):
    assert flow({"f": operation("slow", {"n": "n"})}, n=1)["code"] == "expired"


def test_expansion(flow, tmp_path):
    operations = {"many": operation("many", {"n": "n"}, {"items": "item"}), "one": operation("one", {"item": "item"}, {"result": "out"})}
    assert sorted(flow(operations, n=3)["out"]) == [0, 1, 2]
    operations["many"]["expand"] = []
    assert flow(operations, n=3)["out"] == [[0, 1, 2]]


def test_a_cache(flow, tmp_path):
    operations = {"f": operation("dear", {"n": "n"}, {"result": "out"})}
    for _ in range(2):
        assert flow(operations, "--state", "state", n=3)["out"] == [3]
    assert (tmp_path / "dear").read_text() == "x"
    operations["f"]["cache"] = False
    assert flow(operations, "--state", "state", n=3)["out"] == [3]
    assert (tmp_path / "dear").read_text() == "xx"


def were_apart(tmp_path):
    (first_from, first_to), (second_from, second_to) = (map(float, line.split()) for line in sorted((tmp_path / "times").read_text().splitlines()))
    return first_from < first_to <= second_from < second_to


def test_a_lock(flow, tmp_path):
    operations = {"a": operation("first", {"url": "address"}, {"result": "x"}), "b": operation("second", {"url": "address"}, {"result": "y"})}
    assert flow(operations, address="u") == {"x": ["firstu"], "y": ["secondu"]}
    assert were_apart(tmp_path)


def test_a_lock_in_a_pipeline(weir, tmp_path):
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "p.yaml").write_text("""
pipeline:
  name: p
  inputs: [url]
  outputs: [a.x, b.y]
  components:
    - a: {runner: "ops:first", inputs: [url], outputs: [x]}
    - b: {runner: "ops:second", inputs: [url], outputs: [y]}
""")
    done = weir("run", "p.yaml", "url=u")
    assert json.loads(done.stdout) == {"a.x": "firstu", "b.y": "secondu"}
    assert were_apart(tmp_path)


def test_a_validator_and_a_default(flow):
    operations = {"check": operation("check", {"word": "word"}, {"result": "word"}), "use": operation("use", {"word": "word"}, {"result": "out"})}
    assert "used TEA" in flow(operations, word="tea")["out"]  # beside the default, which does not wait
    found = flow({"use": operation("use", {"word": "word"}, {"result": "out"})})
    assert found["out"] == ["used nothing"]


def test_conditions(flow):
    operations = {"opens": operation("opens", {"n": "n"}, {"result": "is_open"}), "enter": operation("enter", {"n": "n"}, {"result": "out"})}
    assert flow(operations, n=1)["out"] == [1]
    assert "out" not in flow(operations, n=0)
    operations["enter"]["conditions"] = []
    assert flow(operations, n=0)["out"] == [0]


def test_a_stage(flow, tmp_path):
    flow({"t": operation("tidy", {"n": "n"}), "one": operation("one", {"item": "n"}, {"result": "out"})}, n=1)
    assert (tmp_path / "tidied").read_text() == "x"


def test_a_configuration(flow):
    operations = {"c": operation("change", {"n": "n"}, {"result": "out"})}
    assert "its configuration has no `name`" in flow(operations, n=2)["what"]
    assert flow(operations, n=2, configs={"c": {"name": "b"}})["out"] == [3.0]


def test_what_is_shown_and_written(weir, tmp_path):
    (tmp_path / "ops.py").write_text(OPS + "\ndef plain(n): pass\n")
    names = weir("operation", "list", "ops", "-o", "name").stdout.split()
    assert names[:2] == ["ops:flaky", "ops:slow"] and "ops:plain" not in names
    assert weir("operation", "list", "python:ops.py", "-o", "name").stdout.split()[0] == "ops.py:flaky"
    shown = weir("operation", "show", "ops:flaky").stdout
    assert 'retry: {"limit":3,"backoff":{"duration":"150ms","factor":2}}' in shown
    assert "timeout: 300ms" in weir("operation", "show", "ops:slow").stdout
    assert "Locked." in weir("operation", "show", "ops:first").stdout
    assert weir("operation", "show", "ops:plain").returncode == 0
    done = weir("operation", "show", "ops:flakey")
    assert done.returncode == 2 and "did you mean `flaky`?" in done.stderr
    made = json.loads(weir("dataflow", "create", "check=ops:check", "use=ops:use", "enter=ops:enter", "many=ops:many", "dear=ops:dear", "tidy=ops:tidy").stdout)
    assert made["definitions"]["word"] == {"name": "word", "primitive": "str", "validate": "check", "default": "nothing"}
    operations = made["operations"]
    assert operations["check"]["validator"] and operations["enter"]["conditions"] == ["is_open"] and operations["many"]["expand"] == ["items"]
    assert operations["dear"]["cache"] == {"maxAge": "1h"} and operations["dear"]["resources"] == {"memory": "64M"}
    assert operations["tidy"]["stage"] == "cleanup"
    (tmp_path / "made.json").write_text(json.dumps(made))
    assert weir("check", "made.json").returncode == 0


@pytest.mark.parametrize(("said", "error"), [
    ("stage='late'", "there is no stage 'late', but processing, cleanup, output"),
    ("timeout='soon'", "'soon' is no duration"),
    ("retry=-1", "`retry` is a number of attempts"),
    ("resources={'ram': 1}", "`resources` has 'ram': it may have cpu, memory"),
    ("outputs=['a'], expand='b'", "`expand` names 'b', which is no output: those are a"),
])  # fmt: skip
def test_what_means_nothing(weir, tmp_path, said, error):
    (tmp_path / "wrong.py").write_text(f"import weir\n\n@weir.operation({said})\ndef f(n): pass\n")
    done = weir("operation", "show", "wrong:f")
    assert done.returncode == 2 and error in done.stderr and "wrong.py:" in done.stderr
