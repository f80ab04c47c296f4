"""Bytes, arrays, tables and other objects as values between Python functions: in memory that workers share, or pickled."""

import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from conftest import WEIR

OPS = '''
import dataclasses
import os
import pathlib
import threading

import numpy as np


def make(n: int):
    return np.arange(n, dtype=float)


def same(a):
    return a


def look(a):
    return {"sum": float(a.sum()), "writeable": a.flags.writeable, "type": type(a).__name__, "dtype": str(a.dtype),
            "shape": list(a.shape)}


def first(a):
    return float(a[0]) + 1


def half(a):
    return a[len(a) // 2:]


def three(a):
    import pickle
    return float(a[0]) + 1, a, {"whole": a, "twice": [a, a]}


def write(a):
    a[0] = 5


def maps(a):
    """How many bytes of memory of values this process has mapped, and how much it would be to copy the array."""
    mapped = sum(int(last, 16) - int(first, 16) for first, last in
                 (line.split()[0].split("-") for line in open("/proc/self/maps") if "weir-value" in line and "r--s" in line))
    own = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("RssAnon"))
    total = float(a.sum())
    after = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return {"mapped": mapped, "array": a.nbytes, "grown": after - own, "sum": total}


def structured(n):
    a = np.zeros(n, dtype=[("x", "i4"), ("name", "U8"), ("y", "f8")])
    a["x"] = np.arange(n)
    a["name"] = "é"
    return a


def look_structured(a):
    return [a.dtype.names == ("x", "name", "y"), int(a["x"].sum()), str(a["name"][3])]


def fortran(n):
    return np.asfortranarray(np.arange(n * 100.0).reshape(n, 100))


def strided(n):
    return np.arange(n * 2)[::2]


def of_objects(n):
    return np.array([{"a": 1}, None, "x"], dtype=object)


def table(n):
    import pandas as pd
    return pd.DataFrame({"n": np.arange(n), "x": np.linspace(0, 1, n), "text": ["é%d" % (i % 7) for i in range(n)]})


def look_table(t):
    return [list(t.columns), int(t["n"].sum()), t["text"].iloc[-1], t.groupby("text").size().to_dict()]


def arrow(n):
    import pyarrow as pa
    return pa.table({"n": list(range(n)), "text": ["é%d" % i for i in range(n)]})


def look_arrow(t):
    import pyarrow as pa
    import pyarrow.compute as pc
    return [t.num_rows, pc.sum(t["n"]).as_py(), t["text"][t.num_rows - 1].as_py(), pa.total_allocated_bytes() < t.nbytes]


def some_bytes(n):
    return b"\\\\x00\\\\xffab" * (n // 4)


def more_bytes(n):
    return bytearray(b"z" * n)


def look_bytes(b):
    return [type(b).__name__, len(b), b[:4].hex()]


def look_view(b: memoryview):
    return [type(b).__name__, len(b), b.readonly]


def look_array(b: bytearray):
    return [type(b).__name__, len(b)]


class Tree:
    def __init__(self, *children):
        self.children = children

    def count(self):
        return 1 + sum(child.count() for child in self.children)


def tree(n):
    return Tree(*(Tree() for _ in range(n)))


def count(t):
    return t.count()


def keyed(n):
    return {(1, 2): "a", 3: pathlib.Path("/x"), None: {1, 2}}


def look_keyed(d):
    return [d[(1, 2)], str(d[3]), sorted(d[None])]


def mixed(n):
    return {"label": "cat", "image": np.ones((n, n)), "where": pathlib.PurePosixPath("a/b"), "t": (1, 2), "raw": b"ab"}


def look_mixed(d):
    return [d["label"], float(d["image"].sum()), str(d["where"]), d["t"], d["raw"].hex()]


@dataclasses.dataclass
class Sample:
    name: str
    data: np.ndarray


def sample(n):
    return Sample("s", np.ones(n))


def look_sample(s: Sample):
    return [type(s).__name__, s.name, float(s.data.sum())]


def lock(n):
    return {"inner": [threading.Lock()]}


def function(n):
    return lambda: n


class Hostile:
    def __reduce__(self):
        return (os.system, ("echo %d >> unpickled" % os.getpid(),))


def hostile(n):
    return Hostile()


def nothing(x):
    return 1


class Local:
    pass


def unknown(n):
    if n:
        Local.__module__ = "nowhere_to_be_found"
        import sys, types
        sys.modules["nowhere_to_be_found"] = types.ModuleType("nowhere_to_be_found")
        sys.modules["nowhere_to_be_found"].Local = Local
    return Local()


class Explodes:
    def __reduce__(self):
        return (explode, ())


def explode():
    raise RuntimeError("not today")


def explodes(n):
    return Explodes()


def dies_with(a):
    os._exit(9)


def arrays(n):
    for i in range(n):
        yield np.full(20_000, float(i))


async def later(a):
    import asyncio
    await asyncio.sleep(0.01)
    return a * 2


def list_of(n):
    return [np.full(20_000, float(i)) for i in range(n)]


def descriptors(n):
    return len(os.listdir("/proc/self/fd"))


def parent_descriptors(n):
    return sum("memfd:weir-value" in os.readlink("/proc/%d/fd/%s" % (os.getppid(), fd)) for fd in os.listdir("/proc/%d/fd" % os.getppid())
               if os.path.exists("/proc/%d/fd/%s" % (os.getppid(), fd)) or True)


def again(k):
    """An array of 2 MiB; in which memory such were, and whether it is in some of that itself."""
    array = np.full(1 << 18, float(k))
    lines = [line.split() for line in open("/proc/self/maps") if "weir-value" in line and "rw-s" in line]
    starts = [int(line[0].split("-")[0], 16) for line in lines]
    return array, [line[4] for line in lines], array.ctypes.data in starts


def given_and_changed(k, known=[]):
    """Large arrays, made where those were that nobody has any more; and what it does with them afterwards."""
    for array in known:
        array[:] = -1
    made = np.full(1 << 18, float(k)) if int(k) % 2 else np.zeros(1 << 18) + k
    known.append(made)
    return made


def forked(k):
    """An array into which a child writes."""
    made = np.full(1 << 18, float(k))
    child = os.fork()
    if not child:
        made[:] = -1
        os._exit(0)
    os.waitpid(child, 0)
    assert made[0] == made[-1] == k
    return made


def kept(a, known=[]):
    """Is given arrays of 1, 2, 3, …; keeps them, and looks whether they are still what they were."""
    known.append((float(a[0]), a))
    assert all(array[0] == array[-1] == first for first, array in known)
    return float(a[0]) + 1


def waits(a):
    import time
    pathlib.Path("waiting").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    return float(a.sum())
'''.replace("\\\\", "\\")


@pytest.fixture
def steps(weir, tmp_path):
    """Runs functions one after the other, each with what the one before gave; the last one's result."""
    (tmp_path / "ops.py").write_text(OPS)

    def call(*functions, n=200_000, state=False, environment=None, check=True):
        components, before = [], "n"
        for i, function in enumerate(functions):
            components.append(f'    - s{i}: {{runner: "ops:{function}", inputs: [{before}], outputs: [result]}}')
            before = f"s{i}.result"
        text = f"pipeline:\n  name: steps\n  inputs: [n]\n  outputs: [{before}]\n  components:\n" + "\n".join(components)
        (tmp_path / "steps.yaml").write_text(text + "\n")
        durability = ["--state", "state"] if state else ["--durability", "none"]
        done = weir("run", *durability, "-o", "json", "steps.yaml", f"n={n}",
                    environment={"WEIR_PYTHON": sys.executable, **(environment or {})})
        result = json.loads(done.stdout)
        if check:
            assert result["phase"] == "Succeeded", done.stderr
            return result["results"][before]
        return result

    return call


def test_an_array_goes_through_without_a_copy(steps):
    found = steps("make", "same", "same", "look")
    assert found == {"sum": 19999900000.0, "writeable": False, "type": "ndarray", "dtype": "float64", "shape": [200_000]}
    assert steps("make", "same", "look", n=100)["writeable"]  # small ones are in the message, and one's own
    found = steps("make", "same", "maps", n=4_000_000)
    assert found["array"] == 32_000_000 <= found["mapped"] < 33_000_000
    assert found["grown"] < 4_000_000 and found["sum"] == sum(range(4_000_000))


def test_a_part_of_an_array_stays_where_it_is(steps):
    assert steps("make", "half", "half", "maps", n=400_000)["mapped"] >= 3_200_000
    assert steps("make", "half", "half", "look", n=400_000)["shape"] == [100_000]


def test_who_writes_to_what_is_shared_is_told(steps):
    result = steps("make", "write", check=False)
    assert result["phase"] == "Failed" and "read-only" in result["error"]["what"]


@pytest.mark.parametrize(("functions", "n", "expected"), [
    (("structured", "look_structured"), 20_000, [True, 199990000, "é"]),
    (("fortran", "same", "look"), 1000, {"sum": 4999950000.0, "writeable": False, "type": "ndarray", "dtype": "float64", "shape": [1000, 100]}),
    (("strided", "same", "look"), 100_000, {"sum": 9999900000.0, "writeable": False, "type": "ndarray", "dtype": "int64", "shape": [100_000]}),
    (("tree", "count"), 1000, 1001),
    (("keyed", "same", "look_keyed"), 1, ["a", "/x", [1, 2]]),
    (("mixed", "same", "look_mixed"), 300, ["cat", 90000.0, "a/b", [1, 2], "6162"]),
    (("sample", "same", "look_sample"), 100_000, ["Sample", "s", 100000.0]),
    (("some_bytes", "same", "look_bytes"), 400, ["bytes", 400, "00ff6162"]),
    (("some_bytes", "same", "look_bytes"), 400_000, ["bytes", 400_000, "00ff6162"]),
    (("more_bytes", "look_bytes"), 400_000, ["bytes", 400_000, "7a7a7a7a"]),
    (("more_bytes", "look_view"), 400_000, ["memoryview", 400_000, True]),
    (("more_bytes", "look_view"), 4, ["memoryview", 4, True]),
    (("more_bytes", "look_array"), 400_000, ["bytearray", 400_000]),
    (("make", "later", "look"), 100_000, {"sum": 9999900000.0, "writeable": False, "type": "ndarray", "dtype": "float64", "shape": [100_000]}),
])  # fmt: skip
@pytest.mark.parametrize("state", [False, True])
def test_values_of_all_kinds(steps, functions, n, expected, state):
    assert steps(*functions, n=n, state=state) == expected


def test_tables(steps):
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    columns, total, last, groups = steps("table", "same", "look_table", n=20_000)
    assert (columns, total, last, groups["é0"]) == (["n", "x", "text"], 199990000, "é0", 2858)
    assert steps("arrow", "same", "look_arrow", n=50_000, state=True) == [50_000, 1249975000, "é49999", True]


def test_results_are_described(steps):
    assert steps("some_bytes", n=8) == {"$bytes": base64.b64encode(b"\0\xffab" * 2).decode()}
    large = steps("some_bytes", n=100_000)["$bytes"]
    assert large["size"] == 100_000 and len(large["xxh3"]) == 16
    found = steps("make")["$object"]
    assert found["type"] == "numpy.ndarray float64 (200000)" and found["form"] == "python pickle 5"
    assert 1_600_000 < found["size"] < 1_601_000
    assert steps("make", state=True) == {"$object": found}
    assert steps("make", "same") == steps("make", "same", "same", state=True)


@pytest.mark.parametrize("function", ["lock", "function"])
def test_what_cannot_be_pickled(steps, function):
    result = steps(function, n=1, check=False)
    assert result["phase"] == "Failed"
    assert "cannot be pickled" in result["error"]["what"] and "return what it is made of" not in result["error"]["what"]


def test_nobody_but_who_wants_it_unpickles(steps, tmp_path):
    """Not weir, and no worker whose function is not given the object."""
    shown = steps("hostile", n=1, state=True)
    assert shown["$object"]["type"] == "ops.Hostile" and not (tmp_path / "unpickled").exists()
    assert steps("hostile", "nothing", n=1) == 1
    pids = (tmp_path / "unpickled").read_text().split()
    assert len(pids) == 1


def test_what_cannot_be_unpickled(steps):
    result = steps("explodes", "nothing", n=1, check=False)
    assert "`result`" in result["error"]["what"] or "`x`" in result["error"]["what"]
    assert "a ops.Explodes, cannot be unpickled here: RuntimeError: not today" in result["error"]["what"]
    assert "explode" in result["error"]["how"]["traceback"]


def test_a_class_that_is_missing_there(weir, tmp_path):
    """The module that has it can be found in one environment, and not in the other."""
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "flow.yaml").write_text("""pipeline:
  name: missing
  inputs: [n]
  outputs: [b.result]
  components:
    - a: {runner: "ops:unknown", inputs: [n], outputs: [result]}
    - busy: {runner: "ops:waits_a_little", inputs: [n], outputs: [result]}
    - b: {runner: "other.py:nothing", inputs: [a.result], outputs: [result]}
""".replace('    - busy: {runner: "ops:waits_a_little", inputs: [n], outputs: [result]}\n', ""))
    (tmp_path / "other.py").write_text(
        "import sys\n\ndef nothing(x):\n    return 1\n\nsys.modules.pop('nowhere_to_be_found', None)\n"
    )
    done = weir("run", "--durability", "none", "-o", "json", "flow.yaml", "n=1", environment={"WEIR_PYTHON": sys.executable})
    result = json.loads(done.stdout)
    assert result["phase"] == "Succeeded" or "No module named 'nowhere_to_be_found'" in result["error"]["what"]


def test_a_module_that_was_found_by_its_file(weir, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/trees.py").write_text(OPS)
    (tmp_path / "reader.py").write_text("def count(t):\n    return [type(t).__module__, t.count()]\n")
    (tmp_path / "flow.yaml").write_text("""pipeline:
  name: files
  inputs: [n]
  outputs: [b.result]
  components:
    - a: {runner: "deep/trees.py:tree", inputs: [n], outputs: [result]}
    - b: {runner: "reader:count", inputs: [a.result], outputs: [result]}
""")
    done = weir("run", "flow.yaml", "n=5", environment={"WEIR_PYTHON": sys.executable})
    assert json.loads(done.stdout)["b.result"] == ["trees", 6], done.stderr


def test_a_worker_that_ends_with_an_array(steps):
    result = steps("make", "dies_with", check=False)
    assert "exit code 9" in result["error"]["what"]


def flow(operations, seeds, definitions, outputs):
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "generic"} for name in (*definitions, "get_multi_spec", "output")},
        "operations": {**operations, "get": {"name": "get_multi", "stage": "output", "inputs": {"spec": "get_multi_spec"},
                                             "outputs": {"output": "output"}}},
        "seed": [*seeds, {"value": outputs, "definition": "get_multi_spec", "origin": "seed"}],
    }


def operation(name, source, target, expand=False):
    made = {"name": f"ops:{name}", "inputs": {source[0]: source[1]}, "outputs": {"result": target}, "stage": "processing"}
    return {**made, "expand": ["result"]} if expand else made


def run_flow(weir, tmp_path, content, *arguments, environment=None):
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "flow.json").write_text(json.dumps(content))
    done = weir("run", "-o", "json", *arguments, "flow.json", environment={"WEIR_PYTHON": sys.executable, **(environment or {})})
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize(("function", "expand"), [("arrays", False), ("list_of", True)])
def test_many_arrays(weir, tmp_path, function, expand):
    """Of a generator, and of a list: more than go into one message, and all are there at once."""
    content = flow(
        {"make": operation(function, ("n", "n"), "array", expand), "look": operation("look", ("a", "array"), "seen")},
        [{"value": 300, "definition": "n", "origin": "seed"}], ["n", "array", "seen"], ["seen"],
    )  # fmt: skip
    result, said = run_flow(weir, tmp_path, content, "--durability", "none")
    assert result["phase"] == "Succeeded", said
    seen = next(iter(result["results"].values()))["seen"]
    assert sorted(one["sum"] for one in seen) == [20_000.0 * i for i in range(300)]
    assert not any(one["writeable"] for one in seen)


def test_few_descriptors(weir, tmp_path):
    """What does not fit into them is mapped, and goes on as a copy."""
    content = flow(
        {"make": operation("list_of", ("n", "n"), "array", True), "look": operation("look", ("a", "array"), "seen")},
        [{"value": 200, "definition": "n", "origin": "seed"}], ["n", "array", "seen"], ["seen"],
    )  # fmt: skip
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "flow.json").write_text(json.dumps(content))
    done = subprocess.run(
        ["bash", "-c", 'ulimit -n 120; exec "$0" run --durability none -o json flow.json', WEIR],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, env={**os.environ, "WEIR_PYTHON": sys.executable},
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert result["phase"] == "Succeeded", done.stderr
    assert len(next(iter(result["results"].values()))["seen"]) == 200


def test_memory_is_used_again_when_nobody_has_it(weir, tmp_path):
    """One after the other: the memory of the first is that of the next ones, too; but not while a function keeps its array."""
    def chain(looks):
        operations = {}
        for i in range(4):
            made = {"name": "ops:again", "inputs": {"k": f"k{i}"}, "outputs": {"array": f"array{i}", "spares": "spares", "within": f"within{i}"}, "stage": "processing"}
            operations[f"make{i}"] = made
            operations[f"look{i}"] = {"name": f"ops:{looks}", "inputs": {"a": f"array{i}"}, "outputs": {"result": f"k{i + 1}"}, "stage": "processing"}
        names = [f"{name}{i}" for name in ("k", "array", "within") for i in range(5)]
        wanted = ["spares", "k4", *(f"within{i}" for i in range(4))]
        content = flow(operations, [{"value": 1, "definition": "k0", "origin": "seed"}], [*names, "spares"], wanted)
        result, said = run_flow(weir, tmp_path, content, "--durability", "none")
        assert result["phase"] == "Succeeded", said
        return next(iter(result["results"].values()))

    (tmp_path / "ops.py").write_text(OPS)
    found = chain("first")
    assert all(len(one) <= 4 for one in found["spares"])
    # One that is made there is given without a copy: a worker's third at the latest, as it has what came last until more comes.
    assert any(found[f"within{i}"] == [True] for i in range(4))
    assert chain("kept")["k4"] == [5.0]


@pytest.mark.parametrize("makes", ["given_and_changed", "forked"])
def test_what_was_given_does_not_change(weir, tmp_path, makes):
    """Arrays are given without a copy: who made them, and its children, write into memory of their own."""
    operations = {}
    for i in range(6):
        operations[f"make{i}"] = operation(f"{makes}", ("k", f"k{i}"), f"array{i}")
        operations[f"look{i}"] = operation("kept" if i % 2 else "first", ("a", f"array{i}"), f"k{i + 1}")
    names = [f"{name}{i}" for name in ("k", "array") for i in range(7)]
    content = flow(operations, [{"value": 1, "definition": "k0", "origin": "seed"}], names, ["k6"])
    (tmp_path / "ops.py").write_text(OPS)
    result, said = run_flow(weir, tmp_path, content, "--durability", "none")
    assert result["phase"] == "Succeeded", said
    assert next(iter(result["results"].values()))["k6"] == [7.0]


def test_there_is_a_limit(steps):
    result = steps("make", "same", check=False, environment={"WEIR_PYTHON_SHARED_BYTES": "1MB"})
    assert "would take 1.6 MB, and may 1.0 MB" in result["error"]["what"]
    assert steps("make", "look", n=100_000, environment={"WEIR_PYTHON_SHARED_BYTES": "1MB"})["shape"] == [100_000]


def test_nothing_is_left_open(weir, tmp_path):
    """A hundred arrays, one after the other: their memory goes when their values do."""
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "chain.py").write_text("""
import os
import time

import numpy as np


def step(i):
    descriptors = [os.readlink("/proc/%d/fd/%s" % (os.getppid(), fd)) for fd in os.listdir("/proc/%d/fd" % os.getppid())]
    return sum("weir-value" in one for one in descriptors)
""")
    content = flow(
        {"make": operation("make", ("n", "n"), "array"), "look": operation("nothing", ("x", "array"), "seen"),
         "count": {"name": "chain:step", "inputs": {"i": "seen"}, "outputs": {"result": "open"}, "stage": "processing"}},
        [{"value": 20_000, "definition": "n", "origin": "seed"}], ["n", "array", "seen", "open"], ["open"],
    )  # fmt: skip
    result, said = run_flow(weir, tmp_path, content, "--durability", "none")
    assert result["phase"] == "Succeeded", said
    assert max(next(iter(result["results"].values()))["open"]) <= 2


def test_a_run_that_was_killed_goes_on_with_its_array(weir, tmp_path):
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "flow.yaml").write_text("""pipeline:
  name: killed
  inputs: [n]
  outputs: [b.result, c.result]
  components:
    - a: {runner: "ops:make", inputs: [n], outputs: [result]}
    - c: {runner: "ops:keyed", inputs: [n], outputs: [result]}
    - b: {runner: "ops:waits", inputs: [a.result], outputs: [result]}
""")
    environment = {**os.environ, "WEIR_PYTHON": sys.executable}
    began = subprocess.Popen([WEIR, "run", "--state", "state", "--name", "k", "flow.yaml", "n=50000"], cwd=tmp_path,
                             env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    until = time.time() + 30
    while not (tmp_path / "waiting").exists() and time.time() < until:
        time.sleep(0.02)
    time.sleep(0.3)
    began.send_signal(signal.SIGKILL)
    began.wait()
    blobs = [path for path in (tmp_path / "state/blobs/sha256").rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in blobs) == 400_000
    (tmp_path / "ops.py").write_text(OPS.replace("def make(n: int):", "def make(n: int):\n    raise SystemError"))
    (tmp_path / "go").touch()
    done = weir("recover", "--state", "state", "k", environment=environment)
    assert done.returncode == 0, done.stderr
    shown = json.loads(weir("results", "--state", "state", "k").stdout)
    assert shown["b.result"] == 1249975000.0
    assert shown["c.result"]["$object"]["type"] == "dict"
    weir("delete", "--state", "state", "k")
    weir("blob", "prune", "--state", "state")
    assert not [path for path in (tmp_path / "state/blobs/sha256").rglob("*") if path.is_file()]


def test_operations_in_c_are_given_bytes_or_say_what_they_found(weir, tmp_path):
    (tmp_path / "ops.py").write_text(OPS)
    text = """pipeline:
  name: plugins
  inputs: [n, path]
  outputs: [write.bytes]
  components:
    - a: {runner: "ops:some_bytes", inputs: [n], outputs: [result]}
    - write: {runner: files.write, inputs: {path: path, text: a.result}, outputs: [path, bytes]}
"""
    (tmp_path / "flow.yaml").write_text(text)
    for n in (8, 100_000):
        done = weir("run", "--durability", "none", "flow.yaml", f"n={n}", "path=out", environment={"WEIR_PYTHON": sys.executable})
        assert json.loads(done.stdout)["write.bytes"] == n, done.stderr
        assert (tmp_path / "out").read_bytes() == b"\0\xffab" * (n // 4)
    (tmp_path / "flow.yaml").write_text(text.replace("some_bytes", "make"))
    done = weir("run", "--durability", "none", "flow.yaml", "n=8", "path=out", environment={"WEIR_PYTHON": sys.executable})
    assert "`text` must be of type string, found foreign object" in done.stderr


def test_commands_are_given_what_stands_for_it(weir, tmp_path):
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "flow.yaml").write_text("""pipeline:
  name: commands
  inputs: [n]
  outputs: [show.text]
  components:
    - a: {runner: "ops:some_bytes", inputs: [n], outputs: [result]}
    - b: {runner: "ops:tree", inputs: [n], outputs: [result]}
    - show: {run: [echo, "{{inputs.a}} {{inputs.b}}"], inputs: {a: a.result, b: b.result}, outputs: [text]}
""")
    done = weir("run", "--durability", "none", "flow.yaml", "n=4", environment={"WEIR_PYTHON": sys.executable})
    shown = json.loads(done.stdout)["show.text"]
    assert shown.startswith('{"$bytes":"AP9hYg=="} {"$object":{"type":"ops.Tree","form":"python pickle 5"'), done.stderr


def test_cached_results_may_be_arrays(weir, tmp_path):
    (tmp_path / "ops.py").write_text("""
import weir
import numpy as np


@weir.operation(pure=True, cache=True, outputs=["result"])
def make(n: int):
    open("made", "a").write("x")
    return np.arange(n, dtype=float)


@weir.operation(pure=True, cache=True, outputs=["result"])
def total(a):
    open("made", "a").write("y")
    return float(a.sum())
""")
    (tmp_path / "flow.yaml").write_text("""pipeline:
  name: cached
  inputs: [n]
  outputs: [b.result]
  components:
    - a: {runner: "ops:make", inputs: [n], outputs: [result]}
    - b: {runner: "ops:total", inputs: [a.result], outputs: [result]}
""")
    for _ in range(2):
        done = weir("run", "flow.yaml", "n=30000", environment={"WEIR_PYTHON": sys.executable})
        assert json.loads(done.stdout)["b.result"] == 449985000.0, done.stderr
    assert pathlib.Path(tmp_path / "made").read_text() == "xy"
