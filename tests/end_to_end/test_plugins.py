"""Where the command finds plugins: --plugin, WEIR_PLUGINS, the configuration and the state."""

import pathlib
import shutil

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
