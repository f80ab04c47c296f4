"""Operations that are Python functions: `module:function` in dataflows and pipelines, in worker processes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT

OPS = '''
import asyncio
import dataclasses
import os
import sys
import time
from typing import Annotated, Iterator, TypedDict

import weir


def double(n: int) -> int:
    return 2 * n


def halves(text):
    print("splitting", text)
    print("to standard error", file=sys.stderr)
    return {"head": text[0], "tail": text[1:]}


def pair(n):
    return n, n + 1


def pid(n):
    return os.getpid()


def fails(n):
    def inner():
        raise ValueError(f"no {n}")
    inner()


def leaves(n):
    sys.exit(3)


def exits(n):
    print("about to end")
    os._exit(7)


def crashes(n):
    os.kill(os.getpid(), 11)


def crashes_at_one(n):
    if n == 1:
        os._exit(9)
    return n


def crashes_often(n):
    if n % 10 == 1:
        os._exit(9)
    return n


def forks(n):
    import multiprocessing

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(prints_and_doubles, range(n)))


def prints_and_doubles(n):
    print("in a child", n)
    return 2 * n


def sleeps(n):
    print("begins", flush=True)
    time.sleep(60)


def deaf(n):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


async def nap(n):
    print("nap", n)
    await asyncio.sleep(0.3)
    return n


async def naps_long(n):
    await asyncio.sleep(60)


async def async_fails(n):
    await asyncio.sleep(0)
    raise KeyError(n)


def count(n) -> Iterator[int]:
    for i in range(n):
        yield i


async def async_count(n):
    for i in range(n):
        yield i


def count_and_fail(n):
    yield 1
    raise ValueError("enough")


def nothing(n) -> None:
    pass


def of_default(n, by=10, *, also: "float" = 0.5):
    return n * by + also


class Sums(TypedDict):
    total: int
    count: int


def sums(values: list) -> Sums:
    weir.metric("values", len(values), "numbers")
    return {"total": sum(values), "count": len(values)}


@dataclasses.dataclass
class Point:
    x: int
    y: int = 1


def moved(point: Point) -> Point:
    return dataclasses.replace(point, x=point.x + 1)


@dataclasses.dataclass
class Settings:
    factor: int = 2


@weir.operation(config=Settings, pure=True, outputs=["result"])
def scaled(n, config: Settings):
    "Scales a number. By its configuration."
    return n * config.factor


def kinds(n):
    return {"none": None, "true": True, "int": -(2**40), "float": 1.5, "text": "é", "list": [1, [2]], "tuple": (1, 2),
            "set": {3, 1}, "empty": {}, "point": Point(1)}


def unfit(n):
    return lambda: n


def too_large(n):
    return 2**70


def bad_text(n):
    return "\\ud800"


def wrong_names(n):
    return {"nix": 1, "ny": 2}


def same(value):
    return value


@dataclasses.dataclass
class Account:
    password: str
    headers: dict = dataclasses.field(default_factory=dict)
    words: list = dataclasses.field(default_factory=list)


@weir.operation(config=Account, outputs=["result"])
def log_in(n, config: Account):
    print("with", config.password)
    if n == 2:
        raise ValueError(f"{config.password} is wrong")
    word = config.words[1]["deep"]
    return [len(config.password), config.headers["Authorization"].startswith("Bearer hunter"), len(word), config.words[0], config.password]


async def count_until_told(n):
    try:
        for i in range(n):
            yield i
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.1)
        open("told", "w").write("yes")


class Tool:
    @staticmethod
    def use(n):
        return n + 100


lot = list(range(10))
'''


@pytest.fixture
def run(weir, tmp_path):
    """Runs one operation for each of some values; gives the result of `weir run -o json`."""
    (tmp_path / "ops.py").write_text(OPS)

    def run(operation, *values, outputs=("result",), fields=None, config=None, arguments=(), inputs="n", timeout=60, **options):
        flow = {
            "linked": True,
            "definitions": {name: {"name": name, "primitive": "generic"} for name in ("n", "spec", "all", *(f"o_{o}" for o in outputs))},
            "operations": {
                "f": {"name": operation, "inputs": {inputs: "n"}, "outputs": {o: f"o_{o}" for o in outputs}, "stage": "processing", **(fields or {})},
                "get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "all"}, "stage": "output"},
            },
            "configs": {"f": config} if config else {},
            "seed": [{"value": value, "definition": "n", "origin": "seed"} for value in values]
            + [{"value": [f"o_{o}" for o in outputs], "definition": "spec", "origin": "seed"}],
        }
        (tmp_path / "flow.json").write_text(json.dumps(flow))
        done = weir("run", "flow.json", "-o", "json", *(["--name", "r"] if "--state" in arguments else []), *arguments, timeout=timeout, **options)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run


def values(result, output="result"):
    assert result["phase"] == "Succeeded", result["error"]
    return result["results"]["default"].get(f"o_{output}", [])


def test_a_pipeline_of_functions(weir, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/ops.py").write_text(OPS)
    (tmp_path / "folder/p.yaml").write_text("""
pipeline:
  name: p
  inputs: [text, n]
  outputs: [double.m, halves.tail, sums.total]
  components:
    - double: {runner: "ops:double", inputs: [n], outputs: [m]}
    - halves: {runner: "ops:halves", inputs: [text], outputs: [head, tail]}
    - pair: {runner: "ops.py:pair", inputs: [double.m], outputs: [a, b]}
    - list: {runner: "more:make", inputs: [a: pair.a, b: pair.b], outputs: [list]}
    - sums: {runner: "ops:sums", inputs: [list.list], outputs: [total, count]}
""")
    (tmp_path / "more.py").write_text("def make(b, a): return [a, b]\n")
    done = weir("run", "folder/p.yaml", "--input", "text=hello", "n=21", "--name", "r", "--state", "state")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"double.m": 42, "halves.tail": "ello", "sums.total": 85}
    logs = weir("logs", "r", "--state", "state").stdout
    assert "splitting hello" in logs and "to standard error" in logs
    events = weir("events", "r", "--state", "state", "-o", "json").stdout
    assert '"name":"values"' in events.replace('": ', '":') and "numbers" in events
    # What is kept tells what its operations were: nothing is imported to read it.
    (tmp_path / "folder/ops.py").unlink()
    assert "sums" in weir("get", "r", "--state", "state").stdout


def test_values(run):
    assert values(run("ops:double", 1, 2, 3)) == [2, 4, 6]
    assert values(run("ops:kinds", 1)) == [
        {"none": None, "true": True, "int": -(2**40), "float": 1.5, "text": "é", "list": [1, [2]], "tuple": [1, 2],
         "set": [1, 3], "empty": {}, "point": {"x": 1, "y": 1}}]  # fmt: skip
    large = [list(range(10_000)), "x" * 300_000, {"deep": [[[[{"a": 2**60, "b": -(2**63)}]]]]}, 1e300, "", [], {}, None]
    assert values(run("ops:same", *large, inputs="value")) == large
    assert values(run("ops:of_default", 2)) == [20.5]
    assert values(run("ops:moved", {"x": 5, "y": 7}, {"x": 1}, inputs="point")) == [{"x": 6, "y": 7}, {"x": 2, "y": 1}]
    assert values(run("ops:Tool.use", 1)) == [101]
    assert values(run("math:sqrt", 9.0, inputs="x")) == [3.0]


def test_outputs(run):
    result = run("ops:sums", [1, 2], outputs=("total", "count"), inputs="values")
    assert values(result, "total") == [3] and values(result, "count") == [2]
    result = run("ops:pair", 4, outputs=("a", "b"))
    assert values(result, "a") == [4] and values(result, "b") == [5]
    assert values(run("ops:nothing", 1), "result") in ([], [None])
    assert values(run("ops:scaled", 4)) == [8]
    assert values(run("ops:scaled", 4, config={"factor": 5})) == [20]


@pytest.mark.parametrize(("operation", "said"), [
    ("ops:unfit", "what it gave: a function cannot be pickled"),
    ("ops:too_large", "an int has more than 64 bits"),
    ("ops:bad_text", "lone surrogates"),
])  # fmt: skip
def test_what_cannot_be_a_value(run, operation, said):
    result = run(operation, 1)
    assert result["phase"] == "Failed" and said in result["error"]["what"]


def test_names_that_are_none_of_the_outputs(run):
    result = run("ops:wrong_names", 1, outputs=("a", "b"))
    assert result["phase"] == "Failed" and "there is no output 'nix', but a, b" in result["error"]["what"]


def test_an_exception_is_the_tasks_failure(run, weir, tmp_path):
    result = run("ops:fails", 5, arguments=("--state", "state"))
    how = result["error"]["how"]
    assert (result["error"]["what"], result["error"]["code"]) == ("ValueError: no 5", "operation_failed")
    lines = how["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):" and "in fails" in lines[1] and lines[-1] == "ValueError: no 5"
    assert not any("weir/worker.py" in line for line in lines)
    assert "ValueError: no 5" in weir("logs", "r", "--state", "state").stdout
    people = weir("run", "flow.json").stderr
    assert "its last lines:" in people and 'ops.py", line' in people


def test_retries(run, tmp_path):
    (tmp_path / "sometimes.py").write_text(
        "import os\ndef f(n):\n    open('tries', 'a').write('x')\n    if os.path.getsize('tries') < 3: raise OSError('not yet')\n    return n\n")
    assert values(run("sometimes:f", 1, fields={"retry": 5})) == [1]
    assert (tmp_path / "tries").read_text() == "xxx"


@pytest.mark.parametrize(("operation", "said"), [
    ("ops:exits", ("the worker ended with exit code 7", {"exit_code": 7})),
    ("ops:crashes", ("the worker was ended by signal 11", {"signal": 11})),
    ("ops:leaves", ("SystemExit: 3", {})),
])  # fmt: skip
def test_an_end_is_the_tasks_failure(run, operation, said):
    error = run(operation, 1)["error"]
    assert error["what"].startswith(said[0]) and said[1].items() <= error["how"].items()


def test_the_others_go_on_after_a_crash(run):
    result = run("ops:crashes_at_one", *range(200), arguments=("--no-strict", "--state", "state"))
    assert sorted(result["results"]["default"]["o_result"]) == [0, *range(2, 200)]


def test_nobody_fails_for_what_others_did(run):
    result = run("ops:crashes_often", *range(100), arguments=("--no-strict", "--state", "state"))
    assert sorted(result["results"]["default"]["o_result"]) == [n for n in range(100) if n % 10 != 1]


def test_a_function_may_fork(run, weir):
    assert values(run("ops:forks", 50, arguments=("--state", "state"))) == [2450]
    assert "in a child 49" in weir("logs", "r", "--state", "state").stdout


def test_a_hang_ends_at_its_timeout(run):
    began = time.monotonic()
    error = run("ops:sleeps", 1, fields={"timeout_us": 400_000})["error"]
    assert error["code"] == "expired" and "time.sleep(60)" in error["how"]["traceback"]
    assert "begins" in error["how"]["log"]
    assert time.monotonic() - began < 20


def test_one_that_does_not_listen_is_ended_with_its_worker(run):
    result = run("ops:deaf", 1, fields={"timeout_us": 200_000}, arguments=("--grace", "300ms") if False else (), timeout=90)
    assert result["error"]["code"] == "expired"


def test_coroutines_share_a_loop(run):
    began = time.monotonic()
    assert sorted(values(run("ops:nap", *range(50)))) == list(range(50))
    assert time.monotonic() - began < 15  # 50 × 0.3 s one after the other
    assert run("ops:async_fails", 3)["error"]["what"] == "KeyError: 3"
    assert run("ops:naps_long", 3, fields={"timeout_us": 200_000})["error"]["code"] == "expired"


def test_generators(run):
    assert values(run("ops:count", 5)) == list(range(5))
    assert values(run("ops:async_count", 5)) == list(range(5))
    assert len(values(run("ops:count", 1000))) == 1000
    assert len(values(run("ops:async_count", 1000))) == 1000
    assert run("ops:count_and_fail", 1)["error"]["what"] == "ValueError: enough"


@pytest.mark.parametrize("count", [3, 300])  # it waits for itself, or to be let on
def test_an_asynchronous_generator_that_is_told_to_end_has_ended(run, tmp_path, count):
    result = run("ops:count_until_told", count, fields={"timeout_us": 300_000})
    assert result["error"]["code"] == "expired" and (tmp_path / "told").read_text() == "yes"


def test_secrets_in_a_configuration(run, weir, tmp_path):
    config = {
        "password": {"secret": "word"}, "headers": {"Authorization": {"secret": "word", "before": "Bearer "}},
        "words": [{"secret": ["no", "name"]}, {"deep": {"secret": "other"}}],
    }  # fmt: skip
    given = ("--secret", "word=env:WORD", "--secret", "other=@other.txt", "--state", "state")
    environment = {"WORD": "hunter-in-the-open"}
    (tmp_path / "other.txt").write_text("gatherer")
    good = run("ops:log_in", 1, config=config, arguments=given, environment=environment)
    assert values(good) == [[18, True, 8, {"secret": ["no", "name"]}, "***"]]
    bad = run("ops:log_in", 2, config=config, arguments=(*given[:4], "--state", "bad"), environment=environment)
    assert bad["error"]["what"] == "ValueError: *** is wrong" and "hunter" not in json.dumps(bad)
    for state in ("state", "bad"):
        for command in ("events", "logs", "explain", "report"):
            shown = weir(command, "r", "--state", state)
            assert shown.stdout and "hunter" not in shown.stdout + shown.stderr
    kept = [path.read_bytes() for folder in ("state", "bad") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert kept and not any(b"hunter" in text or b"gatherer" in text for text in kept)
    error = run("ops:log_in", 1, config=config)["error"]
    assert error["what"] == "there is no secret `word`: give it with --secret word=@FILE"
    # What it gives may depend on it, and a key must not have it.
    assert "so `cache` needs a `key`" in run("ops:log_in", 1, config=config, fields={"cache": True})["error"]["what"]


def test_none_waits_behind_one_of_another_kind(run, weir, tmp_path):
    """Long calls, coroutines and generators leave each other room."""
    (tmp_path / "long.py").write_text(
        "import asyncio, os, time\n"
        "def wait(n):\n    while not os.path.exists('over'): time.sleep(0.01)\n    return n\n"
        "async def listen(n):\n    while not os.path.exists('over'): await asyncio.sleep(0.01)\n    return n\n"
        "def watch(n):\n    while not os.path.exists('over'):\n        time.sleep(0.01)\n    yield n\n"
        "def plain(n):\n    return n\n"
        "def end(a, b):\n    open('over', 'w')\n    return a + b\n"
        "async def soon(n):\n    return n\n")
    names = {"wait": 1, "listen": 6, "watch": 4}
    operations = {f"{name}{i}": {"name": f"long:{name}", "inputs": {"n": "n"}, "outputs": {"result": f"{name}{i}"}} for name, count in names.items() for i in range(count)}
    operations |= {
        "plain": {"name": "long:plain", "inputs": {"n": "n"}, "outputs": {"result": "a"}},
        "soon": {"name": "long:soon", "inputs": {"n": "n"}, "outputs": {"result": "b"}},
        "end": {"name": "long:end", "inputs": {"a": "a", "b": "b"}, "outputs": {"result": "sum"}},
    }
    flow = {"linked": True, "operations": operations, "definitions": {}, "seed": [{"value": 4, "definition": "n", "origin": "seed"}]}
    for operation in operations.values():
        for name in (*operation["inputs"].values(), *operation["outputs"].values()):
            flow["definitions"][name] = {"name": name, "primitive": "int"}
    (tmp_path / "kinds.json").write_text(json.dumps(flow))
    done = weir("run", "kinds.json", "-o", "json", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "over").exists()


def test_workers_stay(run):
    assert 1 <= len(set(values(run("ops:pid", *range(300))))) <= os.cpu_count()


@pytest.mark.parametrize(("operation", "said", "hint"), [
    ("nix:x", "`nix:x`: ModuleNotFoundError: No module named 'nix'", "modules are looked for beside the file"),
    ("ops:dubble", "`ops:dubble`: the module has no `dubble`", "did you mean `double`?"),
    ("ops:lot", "`lot` is no function, but of type list", ""),
    ("broken:f", "`broken:f`: SyntaxError: ", "broken.py:1"),
    ("raises:f", "`raises:f`: RuntimeError: not today", "raises.py:2"),
    ("ends:f", "did not say what `ends:f` is", "last words"),
])  # fmt: skip
def test_what_cannot_be_imported(run, weir, tmp_path, operation, said, hint):
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "raises.py").write_text("\nraise RuntimeError('not today')\n")
    (tmp_path / "ends.py").write_text("import os\nos.write(2, b'last words\\n')\nos._exit(4)\n")
    result = run(operation, 1)
    assert result["phase"] == "Error" and said in result["error"]["what"]
    checked = weir("check", "flow.json")
    assert checked.returncode == 2 and said in checked.stderr and hint in checked.stderr
    assert checked.stderr.startswith("flow.json:1:")


def test_no_interpreter(run):
    error = run("ops:double", 1, environment={"WEIR_PYTHON": "/nowhere/python3"})["error"]
    assert "/nowhere/python3" in error["what"] and "WEIR_PYTHON" in error["hint"]
    error = run("ops:double", 1, arguments=("--python", "/other/python3"), environment={"WEIR_PYTHON": "/nowhere/python3"})["error"]
    assert "/other/python3" in error["what"]
    assert values(run("ops:double", 1, arguments=("--python", sys.executable), environment={"WEIR_PYTHON": "/nowhere/python3"})) == [2]


def test_wrong_parameters_are_said_before_it_runs(run, weir):
    run("ops:double", 1)
    flow = weir("check", "flow.json")
    assert flow.returncode == 0, flow.stderr
    result = run("ops:double", 1, inputs="m")
    assert "`ops:double` has no parameter `m`" in result["error"]["what"]


def test_it_is_cancelled_from_elsewhere(run, weir, tmp_path):
    import threading

    ended = {}
    thread = threading.Thread(target=lambda: ended.update(run("ops:sleeps", 1, arguments=("--state", "state"))))
    thread.start()
    until = time.monotonic() + 30
    while "begins" not in weir("logs", "r", "--state", "state").stdout:
        assert time.monotonic() < until
        time.sleep(0.1)
    began = time.monotonic()
    weir("cancel", "r", "--state", "state")
    thread.join(30)
    assert ended["phase"] != "Succeeded" and time.monotonic() - began < 20


def test_a_killed_engine_leaves_no_worker_and_the_run_goes_on(run, weir, tmp_path):
    import subprocess

    from conftest import WEIR

    (tmp_path / "once.py").write_text(
        "import os, time\ndef f(n):\n    if not os.path.exists('again'):\n"
        "        open('pid', 'w').write(str(os.getpid()))\n        time.sleep(60)\n    return n + 1\n")
    run("ops:double", 1)
    flow = json.loads((tmp_path / "flow.json").read_text())
    flow["operations"]["f"]["name"] = "once:f"
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    engine = subprocess.Popen([WEIR, "run", "flow.json", "--state", "state", "--name", "k"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    (tmp_path / "again").touch()
    pid = int((tmp_path / "pid").read_text())
    while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().rsplit(") ")[1][0] != "Z":
        assert time.monotonic() < until
        time.sleep(0.05)
    done = weir("resume", "k", "--state", "state", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert values(json.loads(weir("results", "k", "--state", "state", "-o", "json").stdout) if "results" not in done.stdout else json.loads(done.stdout)) == [2]


CODE = {
    "code_rules.py": "LIMIT = 3\n\n\nclass Rule:\n    def holds(self, n):\n        return n < LIMIT\n\n\ndef limit(n):\n    return min(n, LIMIT)\n\n\ndef other(n):\n    return n\n",
    "code_steps.py": "import code_rules\nfrom code_rules import Rule\n\n\ndef helper(n, by=2):\n    return code_rules.limit(n) * by\n\n\ndef bound(by):\n    def inner(n):\n        return n + by\n    return inner\n\n\nshift = bound(1)\n\n\ndef step(n):\n    return Rule().holds(helper(n))\n\n\ndef apart(n):\n    return n\n",
}


@pytest.mark.parametrize("file, old, new, changed", [
    ("code_steps.py", "by=2", "by=3", {"step"}),  # a default of what it calls
    ("code_rules.py", "min(n", "max(n", {"step"}),  # in another module, by the module's name
    ("code_rules.py", "n < LIMIT", "n <= LIMIT", {"step"}),  # a method of a class
    ("code_rules.py", "LIMIT = 3", "LIMIT = 4", {"step"}),
    ("code_rules.py", "return n\n", "return -n\n", set()),  # nobody uses it
    ("code_steps.py", "bound(1)", "bound(2)", {"shift"}),  # what a closure holds
    ("code_steps.py", "def apart(n):\n    return n\n", "def apart(n):\n    # more is said of it\n    return n\n", set()),
])
def test_the_code_of_a_function_has_what_it_uses(tmp_path, file, old, new, changed):
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT / 'sdk/python')!r}, {str(tmp_path)!r}]; sys.dont_write_bytecode = True\n"
        "import code_steps\nfrom weir.operation import code_of\n"
        "print({name: code_of(getattr(code_steps, name)) for name in ('step', 'shift', 'apart')})"
    )

    def codes():
        return eval(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)

    for name, text in CODE.items():
        (tmp_path / name).write_text(text)
    before = codes()
    assert codes() == before and None not in before.values()
    assert old in CODE[file]
    (tmp_path / file).write_text(CODE[file].replace(old, new))
    assert {name for name, code in codes().items() if code != before[name]} == changed
