"""What is wrong with a file, the world or a plugin gives one clear error and the right exit code, and loses nothing."""

import json
import os
import pathlib
import subprocess
import time

import pytest

from conftest import ROOT, WEIR

FAULTY = pathlib.Path(WEIR).parent / "tests/faulty.so"
SANITIZED = "sanitize" in WEIR
HELLO = ROOT / "examples/workflow/hello-world.yaml"

WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: bad-}
spec:
  entrypoint: main
  templates:
"""


def flow(operation, **more):
    """A dataflow of one operation x → y."""
    return json.dumps(
        {
            "definitions": {"x": {"name": "x", "primitive": "generic"}, "y": {"name": "y", "primitive": "generic"}},
            "operations": {"it": {"name": operation, "inputs": {"x": "x"}, "outputs": {"y": "y"}, **more}},
            "seed": [{"value": 1, "definition": "x", "origin": "seed"}],
        }
    )


# file name, text, what the error says (the first has the place of the first problem)
FILES = [
    ("absent.yaml", None, ["there is no such file"]),
    ("empty.yaml", "", ["empty"]),
    ("what.yaml", "hello: world\n", ["what.yaml:1:1", "apiVersion: argoproj.io"]),
    ("broken.json", '{"operations": {"a" 1}}', ["broken.json:1:21"]),
    ("broken.yaml", "pipeline:\n  - a: [1, 2\n", ["broken.yaml:"]),
    ("deep.json", "[" * 200_000, ["deep.json:1:", "deep"]),
    ("deep.yaml", "a: " + "[" * 200_000, ["deep.yaml:1:", "deep"]),
    ("huge.json", '{"operations": 123456789012345678901234567890}', ["huge.json:1:16"]),
    ("nul.json", '{"operations": "a\\u0000b"}', ["nul.json:1:"]),
    ("utf8.json", b'{"operations": "\xff\xfe"}', ["utf8.json:1:"]),
    ("bomb.yaml", "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 9) + "]\n" for i in range(9)), ["bomb.yaml:"]),
    ("twice.yaml", "pipeline: {name: a}\npipeline: {name: b}\n", ["twice.yaml:2:1"]),
    ("operations.json", '{"operations": [1]}', ["operations.json:1:2", "operations"]),
    ("unknown.json", flow("ad"), ["unknown.json:1:", "`ad`"]),
    ("definition.json", '{"operations": {"a": {"name": "calculator.add", "inputs": {"numbers": "N"}}}}', ["definition.json:1:60", "`N`"]),
    ("none.yaml", WORKFLOW + "  - {name: other, container: {image: x, command: [echo]}}\n", ["none.yaml:", "main"]),
    ("field.yaml", WORKFLOW + "  - name: main\n    resource: {}\n", ["field.yaml:8:5", "needs Kubernetes"]),
    ("type.yaml", WORKFLOW + "  - name: main\n    container: [echo]\n", ["type.yaml:8:5"]),
    ("tag.yaml", WORKFLOW + '  - name: main\n    container: {image: x, command: [echo, "{{inputs.parameters.no}}"]}\n', ["failed to resolve", "tag.yaml:8:"]),
    ("cycle.yaml", WORKFLOW + "  - name: main\n    dag:\n      tasks:\n      - {name: a, template: t, dependencies: [b]}\n"
     "      - {name: b, template: t, dependencies: [a]}\n  - {name: t, container: {image: x, command: [echo]}}\n", ["cycle.yaml:", "cycle"]),
    ("missing.yaml", "pipeline:\n  name: p\n  inputs: []\n  outputs: [a.x]\n  components:\n"
     "    - a: {run: [echo, '{{inputs.b.y}}'], inputs: [b.y], outputs: [x]}\n", ["missing.yaml:6:", "b.y"]),
]


@pytest.mark.parametrize("name, text, says", FILES, ids=[entry[0] for entry in FILES])
def test_a_wrong_file_is_refused_with_its_place(weir, tmp_path, name, text, says):
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("run", "check"):
        result = weir(command, name)
        assert result.returncode == 2, result.stderr
        for part in says:
            assert part in result.stderr, result.stderr
        # What was proved of a file that is sound but for that goes out, as for all files.
        assert result.stdout == "" or (command == "check" and "cannot finish" in result.stdout)
        assert len(result.stderr) < 10_000
    assert not (tmp_path / ".weir/runs").exists() or not list((tmp_path / ".weir/runs").iterdir())


def test_check_says_everything_at_once(weir, tmp_path):
    (tmp_path / "many.yaml").write_text(WORKFLOW + "  - {name: main, resource: {}}\n  - {name: main, http: {url: x}}\n"
                                        "  - {name: s, steps: [[{name: a, template: no}]]}\n")
    result = weir("check", "many.yaml", "-o", "json")
    assert result.returncode == 2
    problems = json.loads(result.stdout)["problems"]
    assert len(problems) >= 4
    assert all(p["line"] > 0 and p["column"] > 0 and p["message"] for p in problems)


def run_faulty(weir, tmp_path, operation, *options, **more):
    (tmp_path / "flow.json").write_text(flow(operation, **more))
    return weir("run", "flow.json", "--plugin", FAULTY, "--name", "it", "-o", "json", *options)


def test_an_operation_that_fails_says_what_when_where_and_how(weir, tmp_path):
    result = run_faulty(weir, tmp_path, "faulty.fail")
    assert result.returncode == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "too_hot" and error["what"] == "the oven is at 900 degrees"
    assert error["where"]["instance"] == "it" and error["where"]["attempt"] == 1 and error["when"].endswith("Z")


def test_an_undeclared_output_is_an_error(weir, tmp_path):
    result = run_faulty(weir, tmp_path, "faulty.undeclared")
    assert result.returncode == 1
    assert "`surprise`" in json.loads(result.stdout)["error"]["what"]


def test_a_plugin_that_never_returns_expires(weir, tmp_path):
    result = run_faulty(weir, tmp_path, "faulty.never", timeout_us=100_000)
    assert result.returncode == 1
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "expired" and "100ms" in error["what"]


def test_metrics_and_log_of_an_operation_are_kept(weir, tmp_path):
    assert run_faulty(weir, tmp_path, "faulty.measure").returncode == 0
    events = [json.loads(line) for line in weir("events", "it", "-o", "jsonl").stdout.splitlines()]
    metric = next(e for e in events if e["type"] == "attempt.metric")
    assert metric["data"]["name"] == "rows" and metric["data"]["value"] == 17 and metric["data"]["unit"] == "rows"
    assert "looked at 17 rows" in weir("logs", "it").stdout


@pytest.mark.skipif(SANITIZED, reason="a sanitizer reports the crash itself")
def test_a_plugin_that_crashes_is_named_and_the_run_is_kept(weir, tmp_path):
    result = run_faulty(weir, tmp_path, "faulty.crash")
    assert result.returncode == 3
    assert "operation faulty.crash crashed" in result.stderr and "weir recover" in result.stderr
    assert weir("list", "-o", "name").stdout.split() == ["it"]
    assert json.loads(weir("get", "it", "-o", "json", "--plugin", FAULTY).stdout)["phase"] == "Running"


def test_a_plugin_of_another_abi_is_refused(weir, tmp_path):
    (tmp_path / "flow.json").write_text(flow("faulty.fail"))
    result = weir("run", "flow.json", "--plugin", FAULTY, environment={"FAULTY_ABI": "1"})
    assert result.returncode == 2 and "ABI 99" in result.stderr
    (tmp_path / "no.so").write_text("no plugin")
    result = weir("run", "flow.json", "--plugin", tmp_path / "no.so")
    assert result.returncode == 2 and "no.so" in result.stderr


def test_a_process_killed_by_a_signal(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW + "  - name: main\n    container: {image: x, command: [sh, -c, 'echo last words; kill -SEGV $$']}\n")
    result = weir("run", "w.yaml", "-o", "json")
    assert result.returncode == 1
    error = json.loads(result.stdout)["error"]
    assert error["how"]["signal"] == 11 and "last words" in error["how"]["log"]
    assert error["where"]["node"] and "last words" in result.stderr


def test_a_command_that_is_not_there(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW + "  - name: main\n    container: {image: x, command: [no-such-command]}\n")
    result = weir("run", "w.yaml", "-o", "json")
    assert result.returncode == 1
    assert "no-such-command" in json.loads(result.stdout)["error"]["what"]


def in_mount(script, tmp_path):
    """Runs a shell script in a mount namespace of its own, with a folder `disk` to mount something on."""
    (tmp_path / "disk").mkdir(exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    return subprocess.run(["unshare", "-m", "sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)


def test_a_read_only_state_directory(tmp_path):
    result = in_mount(f"mount -t tmpfs none disk; mkdir disk/s; mount -o remount,ro disk; {WEIR} run {HELLO} --state disk/s", tmp_path)
    assert result.returncode == 3, result.stderr
    assert "read-only" in result.stderr.lower() and "hello world" not in result.stdout


def test_volumes_of_a_state_on_a_disk_below_tmp(tmp_path):
    """An attempt's own /tmp hides the host's, not what is mounted in that."""
    (tmp_path / "w.yaml").write_text(
        WORKFLOW + "  - name: main\n    volumes: [{name: v, emptyDir: {}}]\n"
        "    container: {image: x, command: [sh, -c, 'echo there > /v/x && cat /v/x'], volumeMounts: [{name: v, mountPath: /v}]}\n"
    )
    assert str(tmp_path).startswith("/tmp/") or pytest.skip("the tests' folder is elsewhere")
    result = in_mount(f"mount -t tmpfs none disk; {WEIR} run w.yaml --state disk/s", tmp_path)
    assert (result.returncode, result.stdout) == (0, "there\n"), result.stderr


def test_a_full_state_directory(tmp_path):
    fill = "dd if=/dev/zero of=disk/rest bs=1k 2>/dev/null || true"
    result = in_mount(f"mount -t tmpfs -o size=400k none disk; {WEIR} run {HELLO} --state disk/s --name first; {fill}; {WEIR} run {HELLO} --state disk/s", tmp_path)
    assert result.returncode == 3, result.stderr
    assert "full" in result.stderr and result.stdout.count("hello world") == 1


def test_out_of_memory_ends_cleanly_and_the_run_goes_on(weir, tmp_path):
    ended = set()
    for allocation in (1, 50, 200, 400, 600, 800, 1000, 1500):
        name = f"m{allocation}"
        result = weir("run", HELLO, "--name", name, environment={"WEIR_FAIL_ALLOCATION": str(allocation)})
        ended.add(result.returncode)
        if result.returncode == 3:
            assert "out of memory" in result.stderr
            recovered = weir("recover", name)
            assert recovered.returncode == 0 or "no run" in recovered.stderr or "no state" in recovered.stderr
        else:
            assert result.returncode == 0
    assert 3 in ended


def test_many_runs_of_a_named_workflow_at_once(tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW.replace("generateName: bad-", "name: same") + "  - {name: main, container: {image: x, command: [echo, hi]}}\n")
    runs = [subprocess.Popen([WEIR, "run", "w.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(12)]
    assert [run.communicate() and run.returncode for run in runs] == [0] * 12
    names = subprocess.run([WEIR, "list", "-o", "name"], cwd=tmp_path, capture_output=True, text=True).stdout.split()
    assert len(set(names)) == 12 and "same" in names


def test_a_child_goes_on_after_kill_from_another_folder(weir, tmp_path):
    """The child's finished step does not run again, and both work where the parent was started."""
    (tmp_path / "child.yaml").write_text(WORKFLOW + "  - name: main\n    steps:\n    - - {name: a, template: note}\n    - - {name: b, template: slow}\n"
                                         "  - {name: note, container: {image: x, command: [sh, -c, 'echo a >> began']}}\n"
                                         "  - {name: slow, container: {image: x, command: [sh, -c, 'echo b >> began; sleep 0.5']}}\n".replace("began", f"{tmp_path}/began"))
    (tmp_path / "parent.yaml").write_text(WORKFLOW + "  - {name: main, plugin: {weir: {run: child.yaml}}}\n")
    process = subprocess.Popen([WEIR, "run", "parent.yaml", "--name", "p"], cwd=tmp_path)
    began = tmp_path / "began"
    deadline = time.monotonic() + 20
    while not (began.exists() and "b" in began.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    (tmp_path / "elsewhere").mkdir()
    recovered = weir("recover", "p", cwd=tmp_path / "elsewhere")
    assert recovered.returncode == 0, recovered.stderr
    assert began.read_text().split() == ["a", "b", "b"]


def wait_for(path, text):
    deadline = time.monotonic() + 20
    while not (path.exists() and text in path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert text in path.read_text()


def test_cancel_of_a_dead_parent_ends_its_child_too(weir, tmp_path):
    (tmp_path / "child.yaml").write_text(WORKFLOW + "  - {name: main, container: {image: x, command: [sh, -c, 'echo $$ > began; exec sleep 60']}}\n".replace("> began", f"> {tmp_path}/began"))
    (tmp_path / "parent.yaml").write_text(WORKFLOW + "  - {name: main, plugin: {weir: {run: child.yaml}}}\n")
    process = subprocess.Popen([WEIR, "run", "parent.yaml", "--name", "p"], cwd=tmp_path)
    wait_for(tmp_path / "began", "\n")
    process.kill()
    process.wait()
    assert weir("cancel", "p").returncode == 0
    assert {run["phase"] for run in json.loads(weir("list", "-o", "json").stdout)} == {"Failed"}
    status = pathlib.Path("/proc", (tmp_path / "began").read_text().strip(), "stat")
    assert not status.exists() or " Z " in status.read_text(), "its process is gone, or waits to be reaped"


def test_cleanup_under_way_goes_on_when_cancelled(weir, tmp_path):
    cleanup = {"command": ["sh", "-c", "echo begin >> did; sleep 0.5; echo end >> did"]}
    (tmp_path / "flow.json").write_text(json.dumps({"operations": {"it": {"name": "process.run", "inputs": {}, "outputs": {}, "stage": "cleanup"}},
                                                    "definitions": {}, "configs": {"it": cleanup}}))
    process = subprocess.Popen([WEIR, "run", "flow.json", "--name", "c"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    wait_for(tmp_path / "did", "begin")
    assert weir("cancel", "c").returncode == 0
    assert process.wait(timeout=20) == 1
    assert (tmp_path / "did").read_text().split() == ["begin", "end"]


def test_an_output_that_is_nested_too_deep_fails_and_can_be_read(weir, tmp_path):
    command = {"command": ["printf", "[" * 128 + "]" * 128], "format": "json"}
    (tmp_path / "flow.json").write_text(json.dumps({"operations": {"it": {"name": "process.run", "inputs": {}, "outputs": {"result": "r"}}},
                                                    "definitions": {"r": {"primitive": "array"}}, "configs": {"it": command}}))
    result = weir("run", "flow.json", "--name", "deep")
    assert result.returncode in (0, 1)
    assert weir("get", "deep").returncode == 0, "what was written can be read"


def test_a_check_of_a_pipeline_needs_no_values(weir):
    pipeline = ROOT / "examples/pipeline/invoice.yaml"
    assert weir("check", pipeline).returncode == 0
    assert "no input `nope`" in weir("check", pipeline, "nope=1").stderr
    assert "is not given" in weir("run", pipeline).stderr
