"""What helps to learn and to look around: `weir new`, `weir example`, `weir doctor`, the manual."""

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import ROOT, WEIR

README = (ROOT / "examples/README.md").read_text()
KINDS = ("dataflow", "workflow", "pipeline")


@pytest.fixture
def away(tmp_path):
    """`weir` far from the source tree, as if installed."""
    folder = tmp_path / "installed/bin"
    folder.mkdir(parents=True)
    shutil.copy(WEIR, folder / "weir")
    helper = os.path.join(os.path.dirname(WEIR), "weir-init")
    if os.path.exists(helper):
        shutil.copy(helper, folder)

    def call(*arguments, **options):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}
        environment |= {name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")}
        environment["WEIR_MODULES"] = os.path.join(os.path.dirname(WEIR), "operations")
        if arguments[0] == "run":
            environment["WEIR_EXECUTOR"] = "process"  # nothing is pulled; built-in examples are run so anyway
        (tmp_path / "tmp").mkdir(exist_ok=True)
        return subprocess.run(
            [folder / "weir", *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, timeout=60,
            env=environment, **options,
        )  # fmt: skip

    return call


# --- new --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [None, "greeting", "My file.yml", "folder/greeting.yaml"])
def test_a_new_file_runs_as_it_stands(away, tmp_path, kind, name):
    (tmp_path / "folder").mkdir()
    made = away("new", kind, *([name] if name else []))
    assert made.returncode == 0, made.stderr
    file, arguments = re.fullmatch(r"wrote (.+\.ya?ml); run it: weir run \1( who=world)?\n", made.stdout).groups()
    assert file == {None: f"{kind}.yaml", "greeting": "greeting.yaml"}.get(name, name)
    text = (tmp_path / file).read_text()
    assert text.startswith("# A") and "@" not in text.replace("@latest", "") and f"weir run {file}" in text
    checked = away("check", file)
    assert checked.returncode == 0, checked.stderr
    ran = away("run", file, *shlex.split(arguments or ""))
    assert ran.returncode == 0, ran.stderr
    written = ran.stdout + away("logs", "@latest").stdout
    assert "HELLO WORLD" in written
    assert away("graph", file).returncode == 0


def test_nothing_is_overwritten(away, tmp_path):
    (tmp_path / "mine.yaml").write_text("mine\n")
    refused = away("new", "pipeline", "mine")
    assert refused.returncode == 2 and "`mine.yaml` is there already" in refused.stderr
    assert (tmp_path / "mine.yaml").read_text() == "mine\n"
    (tmp_path / "link.yaml").symlink_to(tmp_path / "elsewhere")
    assert away("new", "pipeline", "link").returncode == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "an argument is missing"),
        (["recipe"], "one of dataflow, workflow, pipeline"),
        (["dataflow", "none/a"], "cannot write `none/a.yaml`"),
        (["dataflow", "none/"], "is no name of a file"),
        (["dataflow", ""], "is no name of a file"),
    ],
)
def test_mistakes_with_new(away, arguments, message):
    refused = away("new", *arguments)
    assert refused.returncode == 2 and message in refused.stderr


# --- examples ---------------------------------------------------------------------------------------------------------


def built_in():
    return json.loads(subprocess.run([WEIR, "example", "list", "-o", "json"], capture_output=True, check=True).stdout)


def test_examples_are_listed(away):
    text, names = away("example", "list").stdout, away("example", "list", "-o", "name").stdout.split()
    assert [line.split()[0] for line in text.splitlines()] == names and len(names) >= 7
    for example in built_in():
        assert f"`examples/{example['file']}" in README and example["about"] in README


NEED_MORE = {"chat", "shouldi"}  # packages of Python, and a server: test_chat.py, test_shouldi.py


@pytest.mark.parametrize("example", [one for one in built_in() if one["name"] not in NEED_MORE], ids=lambda example: example["name"])
def test_an_example_runs_far_from_the_source_tree(away, tmp_path, example):
    ran = away("example", "run", example["name"], "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["phase"] == "Succeeded"
    assert list((tmp_path / "tmp").iterdir()) == []
    assert json.loads(away("get", "@latest", "-o", "json").stdout)["phase"] == "Succeeded"
    assert away("explain", "@latest").returncode == 0


@pytest.mark.parametrize("example", built_in(), ids=lambda example: example["name"])
def test_an_example_is_shown_and_written(away, tmp_path, example):
    source = (ROOT / "examples" / example["file"]).read_text()
    assert away("example", "show", example["name"]).stdout == source
    written = away("example", "show", example["name"], "--write", ".")
    file = tmp_path / example["file"].rpartition("/")[2]
    assert written.stdout.startswith(f"wrote ./{file.name}\n") and file.read_text() == source
    beside = sorted(path.name for path in (ROOT / "examples" / example["file"]).parent.iterdir() if path.is_file() and path.suffix != ".md")
    assert example["name"] not in NEED_MORE or sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == beside
    again = away("example", "show", example["name"], "--write", ".")
    assert again.returncode == 2 and "is there already" in again.stderr


def test_an_example_with_inputs_of_ones_own(away):
    ran = away("example", "run", "calculator", "line=mult 6 and 8")
    assert json.loads(ran.stdout) == {"result": 48}


def test_mistakes_with_examples(away):
    refused = away("example", "run", "calculater")
    assert refused.returncode == 2 and "did you mean `calculator`?" in refused.stderr
    assert "`weir example list`" in away("example", "show", "frobnicate").stderr
    assert away("example", "show", "script", "--write", "none").returncode == 2


# --- doctor -----------------------------------------------------------------------------------------------------------


def checks(away, *arguments, **options):
    ran = away("doctor", *arguments, "-o", "json", **options)
    found = {}
    for entry in json.loads(ran.stdout):
        assert entry["state"] == "ok" or entry["hint"]
        found.setdefault(entry["check"], entry)
        if entry["state"] != "ok":
            found[entry["check"]] = entry
    assert ran.returncode == (1 if any(entry["state"] == "problem" for entry in found.values()) else 0)
    return found


def test_all_is_well(away, tmp_path):
    before = checks(away)
    before.pop("images")  # as the system lets us
    assert {entry["state"] for entry in before.values()} == {"ok"} and not (tmp_path / ".weir").exists()
    away("example", "run", "calculator")
    after = checks(away)
    images = after.pop("images")
    assert {entry["state"] for entry in after.values()} == {"ok"}
    assert after["journals"]["message"].startswith("1 runs, ")
    text = away("doctor").stdout
    assert images["state"] != "ok" or all(line.startswith("ok  ") for line in text.splitlines())


def test_images_that_cannot_be_used_are_a_warning(away, tmp_path):
    (tmp_path / "installed/bin/weir-init").unlink(missing_ok=True)
    found = checks(away)["images"]
    assert found["state"] == "warning" and "weir-init is not installed" in found["message"]


def test_an_open_state_is_a_warning(away, tmp_path):
    away("example", "run", "calculator")
    (tmp_path / ".weir").chmod(0o755)
    found = checks(away)["state directory"]
    assert found["state"] == "warning" and "chmod 700" in found["hint"]


def test_few_files_are_a_warning(away):
    def few():
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

    assert checks(away, preexec_fn=few)["open files"]["state"] == "warning"


def test_a_plugin_that_is_bad_does_not_hide_the_rest(away, tmp_path):
    (tmp_path / "bad.so").write_text("no plugin")
    found = checks(away, "--plugin", "bad.so")
    assert found["plugin"]["state"] == "problem" and "bad.so" in found["plugin"]["message"]
    assert found["operations"]["state"] == "ok"


def test_damage_is_found(away, tmp_path):
    for _ in range(2):
        away("example", "run", "calculator")
    with sqlite3.connect(tmp_path / ".weir/weir.db") as store:
        store.execute("UPDATE journal SET bytes = zeroblob(length(bytes)) WHERE seq = 1")
    store.close()
    found = checks(away)
    assert found["journals"]["state"] == "problem" and found["store"]["state"] == "ok"


def test_a_damaged_page_is_found(away, tmp_path):
    for _ in range(5):
        away("example", "run", "calculator")
    file = tmp_path / ".weir/weir.db"
    with sqlite3.connect(file) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = store.execute("SELECT rootpage FROM sqlite_master WHERE name LIKE 'sqlite_autoindex_runs_1'").fetchone()[0]
        size = store.execute("PRAGMA page_size").fetchone()[0]
    store.close()
    data = bytearray(file.read_bytes())
    data[root * size - 64 : root * size] = bytes(64)  # the ends of the index' first entries
    file.write_bytes(data)
    found = checks(away)["store"]
    assert found["state"] == "problem" and "is damaged" in found["message"]


def test_a_database_that_is_none(away, tmp_path):
    away("example", "run", "calculator")
    for file in (tmp_path / ".weir").glob("weir.db*"):
        file.unlink()
    (tmp_path / ".weir/weir.db").write_bytes(b"no database" * 1000)
    found = checks(away)
    assert found["store"]["state"] == "problem" and "no weir state" in found["store"]["message"]


def test_runs_that_nobody_drives(away, tmp_path, weir):
    command = {"image": "x", "command": ["sleep", "60"]}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": command}]}
    document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}
    (tmp_path / "w.yaml").write_text(json.dumps(document))
    process = subprocess.Popen([WEIR, "run", "w.yaml", "--name", "stuck"], cwd=tmp_path)
    deadline = time.monotonic() + 20
    while '"type":"attempt.scheduled"' not in away("events", "stuck", "-o", "jsonl").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert checks(away)["runs"]["state"] == "ok"
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = checks(away)["runs"]
    assert found["state"] == "warning" and "stuck" in found["message"] and "weir recover" in found["hint"]
    away("cancel", "stuck", "--terminate")


# --- the manual -------------------------------------------------------------------------------------------------------


def test_the_reference_is_current(away, golden):
    golden("docs/reference/command-line.md", away("man", "-o", "markdown").stdout)


def test_the_manual_has_every_command_and_option(away):
    manual = away("man").stdout.replace("\\-", "-")
    for command in re.findall(r"^  (\S+(?: \S+)?)  +\S", away("help").stdout, re.M):
        assert re.search(rf'^\.SS "weir {command}[ "]', manual, re.M), command
        for option in re.findall(r"--[a-z-]+", away("help", *command.split()).stdout.split("options:")[1]):
            assert option in manual, option


def test_the_manual_is_what_groff_wants(away, tmp_path):
    if not shutil.which("groff"):
        pytest.skip("there is no groff")
    (tmp_path / "weir.1").write_text(away("man").stdout)
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "weir.1"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "weir run FILE… [NAME=VALUE…]" in ran.stdout and "EXIT STATUS" in ran.stdout


def test_the_manual_is_what_mandoc_wants(away, tmp_path):
    if not shutil.which("mandoc"):
        pytest.skip("there is no mandoc")
    (tmp_path / "weir.1").write_text(away("man").stdout)
    ran = subprocess.run(["mandoc", "-Tlint", "-Wwarning", "weir.1"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "")
