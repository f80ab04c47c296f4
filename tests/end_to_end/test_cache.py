"""Results are kept for later runs: what hits, what misses, what is never kept, and `weir cache`."""

import json
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import WEIR

CORPUS = pathlib.Path(WEIR).parent / "tests/corpus_operations.so"


def flow(cache=True, script="echo ran >>ran; printf {{inputs.x}}", x="v", more=""):
    """A dataflow of one process, which leaves a line in `ran`."""
    return json.dumps({
        "definitions": {"x": {"primitive": "str"}, "text": {"primitive": "str"}, "spec": {"primitive": "array"}},
        "operations": {
            "slow": {"name": "process.run", "inputs": {"x": "x"}, "outputs": {"result": "text"}, "cache": cache},
            "get_single": {"inputs": {"spec": "spec"}, "stage": "output"},
        },
        "configs": {"slow": {"command": ["sh", "-c", script, *more]}},
        "seed": [{"value": x, "definition": "x"}] * (x is not None) + [{"value": ["text"], "definition": "spec"}],
    })


@pytest.fixture
def run(weir, tmp_path):
    """Runs a dataflow; gives its results and how many came from the cache."""

    def call(text, *options, code=0, **more):
        (tmp_path / "flow.json").write_text(text)
        done = weir("run", "flow.json", "-o", "json", *options, **more)
        assert done.returncode == code, done.stderr
        value = json.loads(done.stdout)
        assert value.get("cached") != 0
        return value["results"].get("default", value["results"]), value.get("cached", 0)

    return call


@pytest.fixture
def ran(tmp_path):
    return lambda: (tmp_path / "ran").read_text().count("\n") if (tmp_path / "ran").exists() else 0


@pytest.fixture
def why(weir):
    """What the last run's memo events say."""

    def call():
        events = [json.loads(line) for line in weir("events", "@latest", "-o", "jsonl").stdout.splitlines()]
        return [e["data"].get("why", "found") for e in events if e["type"].startswith("memo.")]

    return call


def entries(weir, *options):
    return json.loads(weir("cache", "list", "-o", "json", *options).stdout)


def test_a_process_runs_once_over_two_runs(run, ran, why, weir):
    assert run(flow()) == ({"text": "v"}, 0)
    assert why() == ["absent"]
    assert run(flow()) == ({"text": "v"}, 1)
    assert why() == ["found"] and ran() == 1
    status = json.loads(weir("get", "@latest", "-o", "json").stdout)
    assert status["cached"] == 1 and status["result"]["cached"] == 1
    assert [node.get("cached") for node in status["nodes"] if node["name"] == "slow"] == [1]
    shown = weir("get", "@latest").stdout
    assert "2/2, 1 cached" in shown and "slow  cached" in shown
    events = [json.loads(line) for line in weir("events", "@latest", "-o", "jsonl").stdout.splitlines()]
    found = next(e for e in events if e["type"] == "memo.found")
    assert found["data"]["outputs"] == {"result": "v", "exit_code": 0} and found["data"]["parameters"] == {"x": "v"}
    finished = next(e for e in events if e["type"] == "task.finished")
    assert finished["data"]["cached"] is True and finished["prev"] == [found["id"]]
    assert not [e for e in events if e["type"] == "attempt.scheduled"]


def test_what_is_not_declared_is_not_cached(run, ran, weir, tmp_path):
    for cache in (False, None):
        assert run(flow(cache)) == ({"text": "v"}, 0)
    assert ran() == 2
    with sqlite3.connect(tmp_path / ".weir/weir.db") as db:
        assert db.execute("SELECT count(*) FROM memo").fetchone() == (0,)


def test_other_work_misses(run, ran):
    run(flow())
    assert run(flow(x="w")) == ({"text": "w"}, 0)
    assert run(flow(script="echo ran >>ran; printf '{{inputs.x}} '")) == ({"text": "v "}, 0)
    assert run(flow(more=["a"]))[1] == 0
    assert run(flow(), environment={"LANG": "de_AT"})[1] == 0
    assert run(flow({"name": "other"}))[1] == 0
    assert ran() == 6


def test_another_folder_misses(weir, tmp_path):
    for name in ("a", "b", "a"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "flow.json").write_text(flow(script="pwd"))
        done = weir("run", "flow.json", cwd=folder, environment={"WEIR_STATE": str(tmp_path / "state")})
        assert json.loads(done.stdout)["text"] == str(folder)


def test_switched_off_and_refreshed(run, ran, weir):
    script = "echo ran >>ran; wc -l <ran"
    assert run(flow(script=script))[0] == {"text": "1"}
    assert run(flow(script=script), "--no-cache") == ({"text": "2"}, 0)
    assert run(flow(script=script)) == ({"text": "1"}, 1)
    assert run(flow(script=script), "--refresh-cache") == ({"text": "3"}, 0)
    assert run(flow(script=script)) == ({"text": "3"}, 1)
    assert len(entries(weir)) == 1
    assert weir("run", "flow.json", "--no-cache", "--refresh-cache").returncode == 2


def test_age(run, ran, why):
    script = "echo ran >>ran; wc -l <ran"
    assert run(flow({"maxAge": "1h"}, script))[0] == {"text": "1"}
    assert run(flow({"maxAge": "1ms"}, script))[0] == {"text": "2"}  # replaces it
    assert why() == ["expired"]
    assert run(flow({"maxAge": "1h"}, script)) == ({"text": "2"}, 1)
    assert run(flow(True, script)) == ({"text": "2"}, 1)


def test_a_key_stands_for_inputs_and_place(run, ran, weir):
    cached = {"key": "{{inputs.x}}"}
    script = "echo ran >>ran; printf '{{inputs.x}}'"
    run(flow(cached, script))
    assert run(flow(cached, script), environment={"LANG": "de_AT"})[1] == 1
    assert run(flow(cached, script, x="w"))[1] == 0
    assert run(flow({"key": "all"}, script))[1] == 0
    assert run(flow({"key": "all"}, script, x="w")) == ({"text": "v"}, 1)
    assert run(flow({"key": "all"}, script + ";"))[1] == 0  # what is done still counts


def test_files(run, why, tmp_path):
    cached, script = {"files": ["data", "{{inputs.x}}"]}, "cat data"
    (tmp_path / "data").write_text("one")
    assert run(flow(cached, script))[0] == {"text": "one"}
    assert run(flow(cached, script)) == ({"text": "one"}, 1)
    (tmp_path / "data").write_text("two")
    assert run(flow(cached, script)) == ({"text": "two"}, 0)
    (tmp_path / "v").write_text("")  # an empty one is not none
    assert run(flow(cached, script))[1] == 0
    (tmp_path / "data").write_text("one")
    (tmp_path / "v").unlink()
    assert run(flow(cached, script)) == ({"text": "one"}, 1)
    (tmp_path / "v").mkdir()
    assert run(flow(cached, script)) == ({"text": "one"}, 0) and why() == ["files"]


def test_a_file_that_changes_meanwhile_is_not_kept(run, weir, tmp_path):
    (tmp_path / "data").write_text("one")
    run(flow({"files": ["data"]}, "cat data; echo two >data"))
    assert entries(weir) == []


def test_a_failure_is_not_kept(run, ran, weir):
    for _ in range(2):
        run(flow(script="echo ran >>ran; exit 3"), code=1)
    assert ran() == 2 and entries(weir) == []


def test_the_same_at_once_runs_once(weir, ran, tmp_path):
    (tmp_path / "flow.json").write_text(flow(script="echo ran >>ran; sleep 0.2; printf {{inputs.x}}", x=None))
    contexts = {f"c{i}": [{"value": f"v{i % 2}", "definition": "x"}] for i in range(12)}
    (tmp_path / "contexts.json").write_text(json.dumps(contexts))
    done = weir("run", "flow.json", "--contexts", "contexts.json", "-o", "json")
    value = json.loads(done.stdout)
    assert value["results"] == {f"c{i}": {"text": f"v{i % 2}"} for i in range(12)}
    assert value["cached"] == 10 and ran() == 2


def test_who_waits_runs_when_the_first_fails(weir, ran, tmp_path):
    script = "echo ran >>ran; sleep 0.1; test $(wc -l <ran) -gt 1 && printf good"
    (tmp_path / "flow.json").write_text(flow(script=script, x=None))
    contexts = {f"c{i}": [{"value": "v", "definition": "x"}] for i in range(3)}
    (tmp_path / "contexts.json").write_text(json.dumps(contexts))
    done = weir("run", "flow.json", "--no-strict", "--contexts", "contexts.json", "-o", "json")
    results = json.loads(done.stdout)["results"]
    assert sorted(r.get("text", "") for r in results.values()) == ["", "good", "good"] and ran() == 3


def test_two_processes_at_once(weir, tmp_path):
    (tmp_path / "flow.json").write_text(flow(script="sleep 0.3; printf $$"))
    weir("list")
    runs = [subprocess.Popen([WEIR, "run", "flow.json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    texts = {json.loads(p.communicate(timeout=60)[0])["text"] for p in runs}
    assert all(p.returncode == 0 for p in runs) and len(entries(weir)) == 1
    kept = json.loads(weir("run", "flow.json").stdout)["text"]
    assert kept in texts


def test_killed_and_recovered(weir, ran, tmp_path):
    text = json.loads(flow())
    text["definitions"]["late"] = {"primitive": "str"}
    text["operations"]["late"] = {"name": "process.run", "inputs": {"text": "text"}, "outputs": {"result": "late"}, "cache": True}
    text["configs"]["late"] = {"command": ["sh", "-c", "echo {{inputs.text}} >>late; test -e go || sleep 30; printf late"]}
    text["seed"][-1]["value"] = ["text", "late"]
    (tmp_path / "flow.json").write_text(json.dumps(text))
    first = subprocess.Popen([WEIR, "run", "flow.json", "--name", "killed"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (tmp_path / "late").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (tmp_path / "go").touch()
    other = json.loads(weir("run", "flow.json", "-o", "json").stdout)  # what the dead one kept is there
    assert other["results"]["default"] == {"text": "v", "late": "late"} and other["cached"] == 1
    recovered = weir("recover", "killed", "-o", "json")
    assert json.loads(recovered.stdout)["results"]["default"] == {"text": "v", "late": "late"}, recovered.stderr
    assert ran() == 1 and (tmp_path / "late").read_text().count("v") in (2, 3)
    assert len(entries(weir)) == 2


def test_a_changed_plugin_misses(weir, tmp_path):
    plugin = tmp_path / "corpus.so"
    shutil.copy(CORPUS, plugin)
    (tmp_path / "flow.json").write_text(json.dumps({
        "operations": {"mul": {"inputs": {"a": "a", "b": "b"}, "outputs": {"product": "c"}, "cache": True}},
        "definitions": {name: {"primitive": "int"} for name in "abc"},
        "seed": [{"value": 2, "definition": "a"}, {"value": 3, "definition": "b"}],
    }))

    def cached():
        done = weir("run", "flow.json", "-o", "json", "--plugin", plugin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout).get("cached", 0)

    assert [cached(), cached()] == [0, 1]
    with plugin.open("ab") as file:
        file.write(b"\0")
    assert [cached(), cached()] == [0, 1]
    shutil.copy(CORPUS, plugin)
    assert cached() == 1


def test_an_operation_says_so_itself(weir, tmp_path):
    def drawn(**more):
        (tmp_path / "flow.json").write_text(json.dumps({
            "operations": {
                "draw": {"name": "faulty.draw", "inputs": {"x": "x"}, "outputs": {"y": "y"}, **more},
                "get_single": {"inputs": {"spec": "spec"}, "stage": "output"},
            },
            "definitions": {"x": {"primitive": "int"}, "y": {"primitive": "int"}, "spec": {"primitive": "array"}},
            "seed": [{"value": 1, "definition": "x"}, {"value": ["y"], "definition": "spec"}],
        }))
        done = weir("run", "flow.json", "--plugin", CORPUS.with_name("faulty.so"))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["y"]

    first = drawn()
    assert drawn() == drawn(cache=True) == drawn(cache={"maxAge": "1h"}) == first
    assert drawn(cache=False) != first != drawn(retry=2, cache=False) and drawn() == first
    hints = json.loads(weir("operation", "show", "faulty.draw", "-o", "json", "--plugin", CORPUS.with_name("faulty.so")).stdout)["hints"]
    assert "remembered" in hints


def test_a_large_result_is_a_blob(weir, tmp_path):
    (tmp_path / "large").write_text("0123456789abcdef" * 100_000)
    (tmp_path / "flow.json").write_text(json.dumps({
        "operations": {
            "files.read": {"inputs": {"path": "path"}, "outputs": {"text": "text"}, "cache": {"files": ["{{inputs.path}}"]}},
            "length": {"name": "string.length", "inputs": {"text": "text"}, "outputs": {"length": "n"}},
            "get_single": {"inputs": {"spec": "spec"}, "stage": "output"},
        },
        "definitions": {"path": {"primitive": "str"}, "text": {"primitive": "str"}, "n": {"primitive": "int"}, "spec": {"primitive": "array"}},
        "seed": [{"value": "large", "definition": "path"}, {"value": ["n"], "definition": "spec"}],
    }))

    def run():
        done = weir("run", "flow.json", "-o", "json")
        assert done.returncode == 0, done.stderr
        value = json.loads(done.stdout)
        assert value["results"]["default"] == {"n": 1_600_000}
        return value.get("cached", 0)

    assert [run(), run()] == [0, 1]
    (entry,) = entries(weir)
    assert entry["size"] > 1_600_000
    blob = json.loads(weir("blob", "show", entry["blob"], "-o", "json").stdout)
    assert blob["owners"] == [f"cache:{entry['key']}"]
    shown = json.loads(weir("cache", "show", entry["key"][:8], "-o", "json").stdout)
    assert len(shown["outputs"]["text"]) == 1_600_000
    assert run() == 1
    # The same value again is the same blob, with the same owner.
    assert weir("run", "flow.json", "--refresh-cache").returncode == 0
    assert json.loads(weir("blob", "show", entry["blob"], "-o", "json").stdout)["owners"] == [f"cache:{entry['key']}"]
    # A blob that is damaged or gone is a miss, and made good.
    path = next((tmp_path / ".weir/blobs/sha256").rglob(entry["blob"].removeprefix("sha256:")))
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)
    assert run() == 0
    path.unlink()
    assert [run(), run()] == [0, 1]
    assert weir("cache", "clear", "--all").stdout.startswith("cleared 1 entries of 16")
    assert "removed 1 blobs" in weir("blob", "prune").stdout
    assert run() == 0


def test_a_replaced_large_result_lets_its_blob_go(run, weir):
    script = "date +%N; head -c 100000 /dev/zero | tr '\\0' x"
    run(flow(script=script))
    run(flow(script=script), "--refresh-cache")
    (entry,) = entries(weir)
    assert "removed 1 blobs" in weir("blob", "prune").stdout
    assert run(flow(script=script))[1] == 1
    assert entry["blob"] in [blob["digest"] for blob in json.loads(weir("blob", "list", "-o", "json").stdout)]


def test_secrets(run, why, weir, tmp_path):
    secret = {"TOKEN": "hunter2-in-the-open"}
    given = ("--secret", "token=env:TOKEN")
    # Among the inputs: no key.
    assert run(flow(x="hunter2-in-the-open"), *given, environment=secret)[1] == 0
    assert why() == ["secret"] and entries(weir) == []
    # In the result: masked, and not kept.
    run(flow(script="printf 'it is hunter2-in-the-open'"), "--no-cache", *given, environment=secret)
    result, _ = run(flow(script="printf 'it is hunter2-in-the-'; printf open"), *given, environment=secret)
    assert result == {"text": "it is ***"} and entries(weir) == []
    # In the environment: refused without a key, and the value is no part of it.
    text = json.loads(flow(script="test -n \"$T\" && printf yes"))
    text["configs"]["slow"]["environment"] = {"T": {"secret": "token"}}
    (tmp_path / "bad.json").write_text(json.dumps(text))
    refused = weir("check", "bad.json")
    assert refused.returncode == 2 and "so `cache` needs a `key`" in refused.stderr
    text["operations"]["slow"]["cache"] = {"key": "{{inputs.x}}"}
    assert run(json.dumps(text), *given, environment=secret) == ({"text": "yes"}, 0)
    assert run(json.dumps(text), *given, environment={"TOKEN": "another one"}) == ({"text": "yes"}, 1)
    with sqlite3.connect(tmp_path / ".weir/weir.db") as db:
        assert not [row for row in db.execute("SELECT * FROM memo") if "hunter2" in str(row)]
    # What was kept by a run that did not know the secret is masked in one that does.
    run(flow(script="printf plain-text"))
    assert run(flow(script="printf plain-text"), *given, environment={"TOKEN": "plain-text"})[1] == 0


def test_a_pipeline(weir, ran, tmp_path):
    (tmp_path / "p.yaml").write_text(
        "pipeline:\n  name: p\n  inputs: [x]\n  outputs: [slow.text]\n  components:\n    - slow:\n"
        "        run: [sh, -c, 'echo ran >>ran; printf {{inputs.x}}']\n        inputs: [x]\n        outputs: [text]\n"
        "        cache: {maxAge: 7d}\n"
    )
    for cached in (None, 1):
        value = json.loads(weir("run", "p.yaml", "x=v", "-o", "json").stdout)
        assert value["results"] == {"slow.text": "v"} and value.get("cached") == cached
    assert ran() == 1
    (tmp_path / "bad.yaml").write_text((tmp_path / "p.yaml").read_text().replace("7d", "soon"))
    bad = weir("check", "bad.yaml")
    assert bad.returncode == 2 and "bad.yaml:10:9: error: operation `slow`: `maxAge`" in bad.stderr


def test_a_child_run_has_its_parents_way(weir, ran, tmp_path):
    (tmp_path / "child.json").write_text(flow())
    (tmp_path / "parent.json").write_text(json.dumps({
        "operations": {"weir.run": {"inputs": {"x": "y"}, "outputs": {"results": "r"}}},
        "definitions": {"y": {"primitive": "str"}, "r": {"primitive": "map"}},
        "configs": {"weir.run": {"file": "child.json"}},
        "seed": [{"value": "v", "definition": "y"}],
    }))
    for options in ((), (), ("--no-cache",)):
        assert weir("run", "parent.json", *options).returncode == 0
    assert ran() == 2


def test_without_a_state(run, ran, weir, tmp_path):
    run(flow(), "--durability", "none")
    run(flow(), "--durability", "none")
    assert ran() == 2  # nothing is made on disk
    assert not (tmp_path / ".weir").exists()


def test_list_and_clear(run, weir):
    run(flow())
    run(flow({"name": "mine"}, x="w"))
    run(flow(x="u"))
    listed = entries(weir)
    assert [e["operation"] for e in listed] == ["process.run"] * 3 and listed[1]["cache"] == "mine"
    assert weir("cache", "list", "-o", "name").stdout.split() == [e["key"] for e in listed]
    assert [json.loads(line) for line in weir("cache", "list", "-o", "jsonl").stdout.splitlines()] == listed
    table = weir("cache", "list").stdout.splitlines()
    assert table[0].split() == ["KEY", "OPERATION", "INSTANCE", "AGE", "BYTES"] and len(table) == 4
    assert len(entries(weir, "--limit", "2")) == 2 and entries(weir, "--cache", "mine") == [listed[1]]
    assert entries(weir, "--operation", "files.read") == [] and entries(weir, "--older-than", "1h") == []
    assert "\n  \"result\": \"u\"" in weir("cache", "show", listed[0]["key"][:10]).stdout
    assert json.loads(weir("cache", "clear", "--older-than", "1h", "-o", "json").stdout) == {"entries": 0, "bytes": 0}
    assert json.loads(weir("cache", "clear", "--cache", "mine", "-o", "json").stdout)["entries"] == 1
    assert weir("cache", "clear", listed[0]["key"][:10]).stdout.startswith("cleared 1 entries")
    assert entries(weir) == [listed[2]]
    assert json.loads(weir("cache", "clear", "--operation", "process.run", "-o", "json").stdout)["entries"] == 1
    assert entries(weir) == []


@pytest.mark.parametrize("arguments, code, said", [
    (["list", "--limit", "few"], 2, "`--limit` must be a number"),
    (["list", "--older-than", "soon"], 2, "`--older-than`"),
    (["show", "zz"], 2, "there is no entry whose key begins with `zz`"),
    (["show", ""], 2, "which key?"),
    (["show", "'; DROP TABLE memo --"], 2, "there is no entry"),
    (["clear"], 2, "which entries?"),
    (["clear", "--all", "ab"], 2, "all of them, or which?"),
    (["clear", ""], 2, "a key is empty"),
    (["clear", "abc"], 2, "there is no entry whose key begins with `abc`"),
])
def test_what_is_wrong_is_said(run, weir, arguments, code, said):
    run(flow())
    done = weir("cache", *arguments)
    assert done.returncode == code and said in done.stderr and len(entries(weir)) == 1


def test_a_damaged_entry_is_missed(run, why, weir, tmp_path):
    run(flow())
    for change in ("value = x'00'", "value = x'0700', checksum = 0", "version = 9"):
        with sqlite3.connect(tmp_path / ".weir/weir.db") as db:
            db.execute(f"UPDATE memo SET {change}")
        assert run(flow()) == ({"text": "v"}, 0)
        assert why() in (["damaged"], ["version"])
        assert run(flow()) == ({"text": "v"}, 1)


WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: memo}
spec:
  entrypoint: main
  arguments: {parameters: [{name: day, value: monday}]}
  templates:
    - name: main
      steps:
        - - name: work
            template: work
            arguments: {parameters: [{name: day, value: "{{workflow.parameters.day}}"}]}
        - - name: report
            template: report
            arguments: {parameters: [{name: text, value: "{{steps.work.outputs.result}}"}]}
    - name: work
      inputs: {parameters: [{name: day}]}
      memoize:
        key: "{{inputs.parameters.day}}"
        maxAge: 1h
        cache: {configMap: {name: days}}
      script:
        command: [sh]
        source: "echo ran >>ran; printf 'it is {{inputs.parameters.day}}'"
    - name: report
      inputs: {parameters: [{name: text}]}
      container: {command: [echo, "{{inputs.parameters.text}}"]}
"""


def test_a_workflow(weir, ran, tmp_path):
    def cached(text, *options):
        (tmp_path / "w.yaml").write_text(text.replace(">>ran", f">>{tmp_path}/ran"))
        done = weir("run", "w.yaml", "-o", "json", *options)
        assert done.returncode == 0, done.stderr
        value = json.loads(done.stdout)
        return value.get("cached", 0), weir("logs", "@latest", "report", "--no-prefix").stdout

    assert cached(WORKFLOW) == (0, "it is monday\n")
    assert cached(WORKFLOW) == (1, "it is monday\n")
    assert json.loads(weir("get", "@latest", "-o", "json").stdout)["cached"] == 1
    assert cached(WORKFLOW, "-p", "day=friday") == (0, "it is friday\n")
    # As in Argo the key and the cache's name are all that counts.
    assert cached(WORKFLOW.replace("it is", "it was")) == (1, "it is monday\n")
    assert cached(WORKFLOW.replace("it is", "it was").replace("name: days", "name: other")) == (0, "it was monday\n")
    assert cached(WORKFLOW.replace("maxAge: 1h", "maxAge: 1ms")) == (0, "it is monday\n")
    assert ran() == 4 and len(entries(weir, "--cache", "days")) == 2
    done = weir("run", "w.yaml", "-p", "day=")
    assert done.returncode == 1 and "invalid cache key: " in done.stderr


STEPS = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: steps}
spec:
  entrypoint: main
  templates:
    - name: main
      memoize: {key: all, cache: {configMap: {name: c}}}
      dag:
        tasks:
          - {name: a, template: two}
          - {name: b, template: again, depends: a}
          - {name: c, template: two, depends: b}
      outputs: {parameters: [{name: o, valueFrom: {parameter: "{{tasks.c.outputs.parameters.o}}"}}]}
    - name: two
      memoize: {key: two, cache: {configMap: {name: c}}}
      steps: [[{name: work, template: work}]]
      outputs:
        parameters: [{name: o, valueFrom: {parameter: "{{steps.work.outputs.parameters.o}}"}}]
        artifacts: [{name: f, from: "{{steps.work.outputs.artifacts.f}}"}]
    - name: again
      memoize: {key: again, cache: {configMap: {name: c}}}
      retryStrategy: {limit: 2}
      script: {command: [sh], source: "echo ran >>RAN; [ {{retries}} = 1 ]"}
    - name: work
      script: {command: [sh], source: "echo ran >>RAN; echo made >/tmp/o"}
      outputs: {parameters: [{name: o, valueFrom: {path: /tmp/o}}], artifacts: [{name: f, path: /tmp/o}]}
"""


def test_a_run_with_memoized_nodes_is_tried_again(weir, tmp_path):
    """What was remembered stays, what failed is looked for anew."""
    script = f'source: "[ -e {tmp_path}/ready ]; '
    (tmp_path / "w.yaml").write_text(STEPS.replace("RAN", f"{tmp_path}/ran").replace('source: "echo ran >>', script + "echo ran >>", 1)
                                     .replace("; [ {{retries}} = 1 ]", f"; [ -e {tmp_path}/ready ]"))
    assert weir("run", "w.yaml", "--name", "w").returncode == 1
    (tmp_path / "ready").touch()
    done = weir("retry", "w")
    assert done.returncode == 0, done.stderr
    nodes = {n["displayName"]: n for n in json.loads(weir("get", "w", "-o", "json").stdout)["status"]["nodes"].values()}
    assert nodes["w"]["phase"] == "Succeeded" and nodes["b"]["phase"] == "Succeeded"


ASKED = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: asked-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - [{name: a, template: again}]
        - [{name: b, template: say, arguments: {parameters: [{name: it, value: "SAID"}]}}]
    - name: again
      memoize: {key: again, cache: {configMap: {name: c}}}
      retryStrategy: {limit: 2}
      script: {command: [sh], source: "echo ran >>RAN; echo result"}
    - name: say
      inputs: {parameters: [{name: it}]}
      script: {command: [sh], source: "echo said {{inputs.parameters.it}}"}
"""


def test_what_is_remembered_has_the_result_that_another_call_asks_for(weir, ran, tmp_path):
    (tmp_path / "w.yaml").write_text(ASKED.replace("RAN", f"{tmp_path}/ran").replace("SAID", "nothing"))
    assert weir("run", "w.yaml").returncode == 0
    (tmp_path / "w.yaml").write_text(ASKED.replace("RAN", f"{tmp_path}/ran").replace("SAID", "{{steps.a.outputs.result}}"))
    done = weir("run", "w.yaml", "--log")
    assert done.returncode == 0 and "said result" in done.stdout and ran() == 1, done.stderr


def test_nodes_that_are_no_pods(weir, ran, tmp_path):
    def nodes():
        done = weir("run", "w.yaml", "-o", "json")
        assert done.returncode == 0, done.stderr
        by_name = json.loads(done.stdout)["status"]["nodes"].values()
        return {n["displayName"]: (n["type"], n["phase"], n.get("memoizationStatus", {}).get("hit")) for n in by_name}

    def forget(instance):
        for entry in entries(weir, "--cache", "c"):
            assert entry["instance"] != instance or weir("cache", "clear", entry["key"]).returncode == 0

    (tmp_path / "w.yaml").write_text(STEPS.replace("RAN", f"{tmp_path}/ran"))
    first = nodes()
    assert first["steps"] == ("DAG", "Succeeded", False) and first["a"] == ("Steps", "Succeeded", False)
    assert first["b"] == ("Retry", "Succeeded", False) and first["b(1)"][:2] == ("Pod", "Succeeded")
    assert first["c"] == ("Steps", "Succeeded", True) and ran() == 3
    assert list(nodes().values()) == [("DAG", "Succeeded", True)] and ran() == 3
    forget("main")
    again = nodes()
    assert [again[name][2] for name in ("a", "b", "c")] == [True, True, True] and ran() == 3
    # Without its artifact it is no use.
    shutil.rmtree(tmp_path / ".weir/artifacts")
    forget("main")
    assert nodes()["a"] == ("Steps", "Succeeded", False) and ran() == 4


@pytest.mark.parametrize("old, new, said", [
    ("maxAge: 1h", "maxAge: soon", "w.yaml:20:9: error: `soon` is not a duration"),
    ("maxAge: 1h", "maxAge: 0s", "maxAge must be more than nothing"),
    ("{configMap: {name: days}}", "{}", "memoize.cache.configMap.name is required"),
    ('key: "{{inputs.parameters.day}}"', 'key: ""', "memoize.key is required"),
    ('key: "{{inputs.parameters.day}}"', 'key: "{{inputs.parameters.no}}"', "failed to resolve {{inputs.parameters.no}}"),
    ("    - name: main\n", "    - name: main\n      memoize: {key: a}\n", "memoize.cache.configMap.name is required"),
])
def test_wrong_workflows(weir, tmp_path, old, new, said):
    (tmp_path / "w.yaml").write_text(WORKFLOW.replace(old, new))
    done = weir("check", "w.yaml")
    assert done.returncode == 2 and said in done.stderr
