"""Where the command finds plugins: --plugin, WEIR_PLUGINS, the configuration and the state."""

import json
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from conftest import WEIR

FAULTY = pathlib.Path(WEIR).parent / "tests/faulty.so"
OLD = FAULTY.with_name("old_plugin.so")


@pytest.fixture
def names(weir):
    def call(*options, **more):
        done = weir("operation", "list", "-o", "name", *options, **more)
        return done.stdout.split() if done.returncode == 0 else done

    return call


def put(folder, *plugins, mode=0o755):
    folder.mkdir(parents=True)
    for plugin in plugins:
        shutil.copy(plugin, folder)
    folder.chmod(mode)
    return folder


def test_a_folder_of_plugins(names, tmp_path):
    put(tmp_path / "more", FAULTY)
    assert "faulty.fail" not in names()
    assert "faulty.fail" in names("--plugin", "more")
    assert "faulty.fail" in names("--plugin", tmp_path / "more/")


def test_folders_in_the_environment(names, tmp_path):
    put(tmp_path / "one", FAULTY)
    put(tmp_path / "two", FAULTY.with_name("corpus_operations.so"))
    found = names(environment={"WEIR_PLUGINS": f"one:{tmp_path}/two"})
    assert "faulty.fail" in found and "neg" in found
    (tmp_path / "weir.yaml").write_text("plugins: [one]\n")
    found = names(environment={"WEIR_PLUGINS": "two"})
    assert "faulty.fail" not in found and "neg" in found
    assert "faulty.fail" in names()


def test_plugins_of_the_state(names, weir, tmp_path):
    put(tmp_path / ".weir/plugins", FAULTY)
    (tmp_path / ".weir").chmod(0o700)
    (tmp_path / "below").mkdir()
    assert "faulty.fail" in names() and "faulty.fail" in names(cwd=tmp_path / "below")
    assert "faulty.fail" in names(environment={"WEIR_STATE": str(tmp_path / ".weir")}, cwd="/")
    (tmp_path / "flow.json").write_text('{"operations": {"a": {"name": "faulty.fail", "inputs": {"x": "x"}, "outputs": {}}},'
                                        '"definitions": {"x": {"primitive": "int"}}}')
    for durability in ("batch", "none"):
        ran = weir("run", "flow.json", "x=1", "--durability", durability)
        assert ran.returncode == 1 and "the oven is at 900 degrees" in ran.stderr
    assert weir("check", "flow.json").returncode == 0
    assert weir("list").returncode == 0


def test_a_state_that_came_with_others_runs_nothing(names, weir, tmp_path):
    """As git and unpacked archives leave it: anybody may look in."""
    put(tmp_path / ".weir/plugins", FAULTY)
    (tmp_path / ".weir").chmod(0o755)
    for arguments in (["operation", "list"], ["list"], ["check", "x.json"]):
        done = weir(*arguments)
        assert done.returncode == 2 and "is open to others" in done.stderr and "chmod 700 .weir" in done.stderr


@pytest.mark.parametrize("plugin, words", [
    (OLD, ["old_plugin.so", "ABI 2", "weir of ABI 1", "build it again"]),
    (pathlib.Path(__file__), ["no plugin (*.so)"]),
])
def test_what_is_no_plugin_is_refused(names, tmp_path, plugin, words):
    put(tmp_path / "more", plugin)
    done = names("--plugin", "more")
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr
    done = names("--plugin", "none")
    assert done.returncode == 2 and "there is no plugin" in done.stderr


def test_a_plugin_refuses_weir(names):
    done = names("--plugin", FAULTY, environment={"FAULTY_REFUSES": "1"})
    assert done.returncode == 2 and "refuses this weir, whose interface is ABI 1" in done.stderr


@pytest.mark.parametrize("durability", ["batch", "none"])
@pytest.mark.parametrize("parameters, seed", [({}, []), ({"x": "limit"}, [{"value": 5, "definition": "limit"}])])
def test_an_operation_that_collects_what_nothing_names(weir, tmp_path, durability, parameters, seed):
    """Its code asks for definitions that neither a seed nor the configuration names: all are kept for it."""
    flow = {
        "definitions": {name: {"primitive": "int"} for name in ("x", "y", "limit", "got")},
        "operations": {
            "it": {"name": "faulty.measure", "inputs": {"x": "x"}, "outputs": {"y": "y"}},
            "last": {"name": "faulty.measure", "inputs": {"x": "y"}, "outputs": {"y": "got"}},
            "all": {"name": "faulty.collect", "inputs": parameters, "outputs": {"x": "got", "y": "got"}, "stage": "output"},
        },
        "seed": [{"value": 1, "definition": "x"}, {"value": 2, "definition": "x"}, *seed],
    }
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    ran = weir("run", "flow.json", "--plugin", FAULTY, "-o", "json", "--durability", durability)
    assert ran.returncode == 0, ran.stderr
    got = json.loads(ran.stdout)["results"]["default"]
    assert got["x"] == [1, 2] and sorted(got["y"]) == [1, 2]


# --- plugins that crash or never end ---

SANITIZED = "sanitize" in WEIR


def put_flow(folder, operation, **more):
    flow = {
        "definitions": {"x": {"primitive": "int"}, "y": {"primitive": "int"}},
        "operations": {"it": {"name": operation, "inputs": {"x": "x"}, "outputs": {"y": "y"}, **more}},
        "seed": [{"value": 1, "definition": "x"}],
    }
    (folder / "flow.json").write_text(json.dumps(flow))


def start(folder, *options):
    command = [WEIR, "run", "flow.json", "--name", "it", "--plugin", FAULTY, *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupt(process, times, pause_s=0.5):
    for _ in range(times):
        time.sleep(pause_s)
        process.send_signal(signal.SIGINT)
    return process.communicate(timeout=30)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer reports the crash itself")
@pytest.mark.parametrize("durability", ["batch", "none"])
@pytest.mark.parametrize("operation", ["faulty.crash", "faulty.segfault", "faulty.segfault_call", "faulty.segfault_generator"])
def test_an_operation_that_crashes_is_named(weir, tmp_path, operation, durability):
    put_flow(tmp_path, operation)
    ran = weir("run", "flow.json", "--name", "it", "--plugin", FAULTY, "--durability", durability)
    assert ran.returncode == 3 and ran.stdout == ""
    assert ran.stderr.startswith(f"weir: operation {operation} crashed (signal ") and ran.stderr.count("\n") == 1
    assert ("weir recover @latest" in ran.stderr) == (durability == "batch")
    if durability == "batch" and operation != "faulty.segfault_call":  # pure: called before anything is written
        assert "Running" in weir("get", "it", "--plugin", FAULTY).stdout
        assert weir("recover", "it", "--plugin", FAULTY).returncode == 3


@pytest.mark.parametrize("durability", ["batch", "none"])
@pytest.mark.parametrize("operation", ["faulty.loop", "faulty.loop_generator", "faulty.begin_only"])
def test_an_operation_that_never_ends_is_left_behind(weir, tmp_path, operation, durability):
    put_flow(tmp_path, operation)
    process = start(tmp_path, "--durability", durability, "-o", "json")
    out, problem = interrupt(process, 2)
    assert process.returncode == 1, problem
    assert json.loads(out)["error"]["code"] == "cancelled"
    assert f"weir: operation {operation} does not end; it is left behind\n" in problem
    if durability == "batch":
        assert "Failed" in weir("get", "it", "--plugin", FAULTY).stdout
        assert "run.finished" in weir("events", "it", "--plugin", FAULTY).stdout


@pytest.mark.parametrize("strict", [True, False])
def test_an_operation_that_never_ends_expires(tmp_path, strict):
    put_flow(tmp_path, "faulty.begin_only", timeout_us=200_000)
    process = start(tmp_path, "--durability", "none", "-o", "json", *([] if strict else ["--no-strict"]))
    out, problem = process.communicate(timeout=30)
    assert process.returncode == (1 if strict else 0), problem
    assert "operation faulty.begin_only does not end; it is left behind" in problem
    if strict:
        error = json.loads(out)["error"]
        assert error["code"] == "expired" and error["where"]["instance"] == "it"
        assert error["how"]["operation"].startswith("faulty.begin_only did not end within 10.0s of being told to")


@pytest.mark.parametrize("operation", ["faulty.loop", "faulty.loop_call"])
def test_a_third_interrupt_ends_what_never_ends(weir, tmp_path, operation):
    put_flow(tmp_path, operation)
    process = start(tmp_path)
    _, problem = interrupt(process, 3, 0.3)
    assert process.returncode == 3 and "weir: ended at once" in problem
    assert ("operation faulty.loop_call does not end\n" in problem) == (operation == "faulty.loop_call")
    if operation == "faulty.loop":
        assert "`weir recover it` goes on" in problem and weir("get", "it", "--plugin", FAULTY).returncode == 0


def test_an_operation_that_looks_whether_it_is_to_end_is_not_left_behind(tmp_path):
    put_flow(tmp_path, "faulty.never")
    process = start(tmp_path, "--durability", "none")
    _, problem = interrupt(process, 1)
    assert process.returncode == 1 and "left behind" not in problem
