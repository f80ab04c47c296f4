"""Workers of Python functions: as many at work as there are processors, over all environments; idle ones end."""

import json
import os
import sys
import time

import pytest

OPS = """
import os
import time


def work(n):
    began = time.monotonic()
    time.sleep(n / 1000)
    return [began, time.monotonic()]


def pid(n):
    return os.getpid()


def lives(pid):
    return os.path.exists(f"/proc/{pid}")
"""


@pytest.fixture
def run(weir, tmp_path):
    """Runs functions for values, each in an interpreter of its own name: {name: (function, values)}."""
    (tmp_path / "ops.py").write_text(OPS)

    def run(work, **options):
        operations = {"get": {"name": "get_multi", "inputs": {"spec": "spec"}, "outputs": {"output": "all"}, "stage": "output"}}
        seed = [{"value": [f"{name}_out" for name in work], "definition": "spec", "origin": "seed"}]
        for name, (function, values) in work.items():
            if not (tmp_path / name).exists():
                (tmp_path / name).symlink_to(os.path.realpath(sys.executable))
            operations[name] = {"name": f"ops:{function}", "inputs": {"n": f"{name}_n"}, "outputs": {"result": f"{name}_out"}, "interpreter": f"./{name}"}
            seed += [{"value": value, "definition": f"{name}_n", "origin": "seed"} for value in values]
        names = {port for one in operations.values() for port in (*one["inputs"].values(), *one["outputs"].values())}
        flow = {"linked": True, "definitions": {name: {"name": name, "primitive": "generic"} for name in names}, "operations": operations, "seed": seed}
        (tmp_path / "flow.json").write_text(json.dumps(flow))
        done = weir("run", "flow.json", "-o", "json", timeout=120, **options)
        result = json.loads(done.stdout)
        assert result["phase"] == "Succeeded", result["error"]
        return {name: result["results"]["default"][f"{name}_out"] for name in work}

    return run


def most_at_once(spans):
    count = most = 0
    for _, change in sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans]):
        count += change
        most = max(most, count)
    return most


def test_all_environments_share_the_processors(run):
    names = [f"python_{i}" for i in range(os.cpu_count() + 2)]
    results = run({name: ("work", [40] * 6) for name in names})
    assert all(len(results[name]) == 6 for name in names)
    assert most_at_once([span for spans in results.values() for span in spans]) <= os.cpu_count()


def test_a_long_queue_lets_others_in(run):
    results = run({"python_a": ("work", [30] * 60 * os.cpu_count()), "python_b": ("work", [1, 2])})
    assert max(end for _, end in results["python_b"]) < max(end for _, end in results["python_a"])


def test_idle_workers_end(weir, tmp_path):
    (tmp_path / "ops.py").write_text(OPS)
    (tmp_path / "p.yaml").write_text("""
pipeline:
  name: p
  inputs: [n]
  outputs: [a.first, c.lives, d.second]
  components:
    - a: {runner: "ops:pid", inputs: [n], outputs: [first]}
    - b: {run: [sh, -c, "sleep 1.2; echo {{inputs.a.first}}"], inputs: [a.first], outputs: [pid]}
    - c: {runner: "ops:lives", inputs: [b.pid], outputs: [lives]}
    - d: {runner: "ops:pid", inputs: [b.pid], outputs: [second]}
""")
    done = weir("run", "p.yaml", "n=1", environment={"WEIR_PYTHON_IDLE": "100ms"})
    results = json.loads(done.stdout)
    assert results["c.lives"] is False and results["a.first"] != results["d.second"]
    done = weir("run", "p.yaml", "n=1")
    assert json.loads(done.stdout)["c.lives"] is True


def test_runs_after_a_module_was_edited_have_the_new_one(weir, tmp_path):
    """Also where the engine that runs them has workers with the old one, which go on with what they do."""
    (tmp_path / "helper.py").write_text("WORD = 'old'\n")
    (tmp_path / "edited.py").write_text(
        "import os, time\nimport helper\n\ndef wait(path: str) -> str:\n    while not os.path.exists(path):\n        time.sleep(0.01)\n"
        "    return helper.WORD\n"
    )
    (tmp_path / "flow.yaml").write_text(
        "pipeline:\n  name: edited\n  inputs: [path]\n  outputs: [wait.word]\n  components:\n  - wait: {runner: {python: 'edited:wait'}, inputs: [path], outputs: [word]}\n"
    )

    def said(*arguments):
        done = weir(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said("submit", "flow.yaml", "path=go", "--name", "first")
    deadline = time.monotonic() + 30
    while "attempt.started" not in said("events", "first", "-o", "jsonl") and time.monotonic() < deadline:
        time.sleep(0.05)
    said("submit", "flow.yaml", "path=helper.py", "--name", "before")  # a second worker has it, and is idle
    said("wait", "before")
    (tmp_path / "helper.py").write_text("WORD = 'new one'\n")
    said("submit", "flow.yaml", "path=helper.py", "--name", "second")
    said("wait", "second")
    (tmp_path / "go").touch()
    said("wait", "first")
    assert ["new one" in said("results", name) for name in ("first", "before", "second")] == [False, False, True]
