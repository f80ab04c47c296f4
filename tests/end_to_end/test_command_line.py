"""The command line: help, mistakes, exit codes, configuration, secrets, output forms, interrupts, broken outputs."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, WEIR

FLOW = {
    "linked": True,
    "definitions": {
        "numbers": {"name": "numbers", "primitive": "array"},
        "total": {"name": "total", "primitive": "int"},
        "get_single_spec": {"name": "get_single_spec", "primitive": "array"},
        "get_single_output": {"name": "get_single_output", "primitive": "map"},
    },
    "operations": {
        "add": {
            "name": "calculator.add",
            "inputs": {"numbers": "numbers"},
            "outputs": {"sum": "total"},
            "stage": "processing",
        },
        "get_single": {
            "name": "get_single",
            "inputs": {"spec": "get_single_spec"},
            "outputs": {"output": "get_single_output"},
            "stage": "output",
        },
    },
    "seed": [{"value": ["total"], "definition": "get_single_spec"}],
}
PIPELINE = """
pipeline:
  name: sum
  inputs: [numbers]
  outputs: {total: plus.sum}
  components:
    - plus: {runner: calculator.add, inputs: [numbers], outputs: [sum]}
"""
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: message, value: hello world}]}
  templates:
  - name: main
    inputs: {parameters: [{name: message, value: "{{workflow.parameters.message}}"}]}
    container: {image: busybox, command: [COMMAND], args: [ARGUMENTS]}
"""
COMMANDS = ["run", "run records", "submit", "check", "plan", "lint", "graph", "list", "get", "watch", "wait", "results", "cp", "logs", "events", "explain", "shell", "query", "report", "metrics", "lineage", "stop", "cancel",
            "terminate", "suspend", "resume", "node set", "retry", "resubmit", "restart",
            "template create", "template update", "template list", "template get", "template lint", "template delete", "cluster-template create", "cluster-template update", "cluster-template list", "cluster-template get", "cluster-template lint", "cluster-template delete",
            "cron create", "cron update", "cron list", "cron show", "cron get", "cron suspend", "cron resume", "cron run", "cron backfill", "cron delete", "cron lint", "cron next",
            "delete", "prune", "keep", "backup", "restore", "recover", "engine", "serve-schedules", "operation list", "operation show",
            "dataflow create", "dataflow merge", "dataflow export", "pipeline show", "pipeline convert", "blob put", "blob get", "blob list", "blob show", "blob rm",
            "blob prune", "cache list", "cache show", "cache clear", "image pull", "image list", "image show", "image import", "image export",
            "image rm", "image prune", "environment list", "environment prune", "new", "eval", "example list", "example run", "example show", "bench ladder", "doctor",
            "version", "completion", "man", "help"]  # fmt: skip


def workflow(command, *arguments):
    return WORKFLOW.replace("COMMAND", command).replace("ARGUMENTS", ", ".join(map(json.dumps, arguments)))


@pytest.fixture
def files(tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(FLOW))
    (tmp_path / "pipe.yaml").write_text(PIPELINE)
    (tmp_path / "hello.yaml").write_text(workflow("echo", "{{inputs.parameters.message}}"))
    (tmp_path / "fail.yaml").write_text(workflow("sh", "-c", "seq 30; exit 3"))
    (tmp_path / "sleep.yaml").write_text(workflow("sh", "-c", "echo begin; exec sleep 20"))
    (tmp_path / "stubborn.yaml").write_text(workflow("sh", "-c", "trap '' TERM; echo begin; sleep 20 & wait; wait"))
    return tmp_path


@pytest.fixture
def cli(weir, files, monkeypatch):
    """`weir` among the example files, with no configuration but what the test makes."""
    for name in [name for name in os.environ if name.startswith("WEIR_")] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WEIR_EXECUTOR", "process")  # nothing is pulled
    monkeypatch.setenv("XDG_CONFIG_HOME", str(files / "config"))
    return weir


def listed(cli):
    return re.findall(r"^  (\S+(?: \S+)?)  +\S", cli("help").stdout, re.MULTILINE)


# --- help and mistakes ------------------------------------------------------------------------------------------------


def test_help_lists_every_command(cli):
    assert listed(cli) == COMMANDS
    assert cli("--help").stdout == cli("-h").stdout == cli("help").stdout
    assert cli("--help").returncode == 0
    nothing = cli()
    assert (nothing.returncode, nothing.stdout) == (2, "") and "usage: weir" in nothing.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(cli, command):
    said = cli("help", *command.split())
    assert said.returncode == 0 and said.stdout.startswith(f"weir {command}: ")
    assert f"usage: weir {command}" in said.stdout
    assert cli(*command.split(), "--help").stdout == said.stdout
    assert cli(*command.split(), "-h").stdout == said.stdout
    for line in said.stdout.split("options:\n")[1].splitlines():
        assert re.match(r"  (-\w, )?--[a-z0-9-]+( \S+)?(  .+)?$| {36}\S", line), line


@pytest.mark.parametrize(
    "arguments, message, hint",
    [
        (["rnu"], "there is no command `rnu`", "did you mean `weir run`?"),
        (["frobnicate"], "there is no command `frobnicate`", "`weir help` lists the commands"),
        (["template", "begone"], "there is no command `template begone`", "`weir help template` lists them"),
        (["operation", "lst"], "there is no command `operation lst`", "did you mean `weir operation list`?"),
        (["help", "lisst"], "there is no command `lisst`", "did you mean `weir list`?"),
        (["run", "flow.json", "--evnts", "x"], "has no option `--evnts`", "did you mean `--events`?"),
        (["run", "flow.json", "--frobnicate"], "has no option `--frobnicate`", "`weir help run`"),
        (["list", "-z"], "`weir list` has no option `-z`", "`weir help list`"),
        (["list", "--input", "a=1"], "`weir list` has no option `--input`", ""),
        (["run", "flow.json", "--name"], "`--name` needs NAME", ""),
        (["run", "flow.json", "-o"], "`-o` needs text|json|jsonl|yaml|name", ""),
        (["run", "flow.json", "-q=1"], "has no option `-=`", ""),
        (["run", "flow.json", "--quiet=1"], "`--quiet` takes no value", ""),
        (["run", "flow.json", "-o", "xml"], "`--output` cannot be `xml`", "one of text|json|jsonl|yaml|name"),
        (["check", "flow.json", "-o", "jsonl"], "`--output` cannot be `jsonl`", "one of text|json"),
        (["run", "--kind=flow", "flow.json"], "`--kind` cannot be `flow`", "dataflow|workflow|pipeline"),
        (["run"], "which file?", "write `weir run FILE… [NAME=VALUE…]`"),
        (["run", "flow.json", "hello"], "`hello` is not of the form NAME=VALUE", ""),
        (["run", "flow.json", "--input", "=3"], "`=3` is not of the form NAME=VALUE", ""),
        (["run", "flow.json", "--context", "a=3"], "is not of the form NAME:DEFINITION=VALUE", ""),
        (["run", "flow.json", "-p", "a=1", "-p", "a=2"], "`a` is given twice", ""),
        (["run", "flow.json", "a=@none"], "`a`: ", ""),
        (["get"], "an argument is missing", "write `weir get RUN…`"),
        (["report", "a", "b"], "`b` is one argument too many", "write `weir report RUN`"),
        (["recover"], "which run?", "--all"),
        (["recover", "a", "--all"], "a run, or --all?", ""),
        (["list", "--limit", "some"], "`--limit` must be a number, at most 4294967295", ""),
        (["completion", "tcsh"], "there is no completion for `tcsh`", "one of bash, zsh, fish"),
        (["operation", "show", "calculator.ad"], "no operation `calculator.ad`", "did you mean `calculator.add`?"),
        (["operation", "show", "add"], "no operation `add`", "did you mean `calculator.add`?"),
    ],
)
def test_mistakes_say_what_to_do(cli, files, arguments, message, hint):
    if arguments[0] == "list":
        (files / ".weir").mkdir()
    said = cli(*arguments)
    assert (said.returncode, said.stdout) == (2, "")
    assert message in said.stderr and hint in said.stderr


def test_a_group_of_commands_is_listed(cli):
    for arguments in (["template", "--help"], ["template", "-h"], ["help", "template"]):
        done = cli(*arguments)
        assert done.returncode == 0 and "template create" in done.stdout and "terminate" not in done.stdout
    done = cli("node")
    assert done.returncode == 2 and "node set" in done.stderr and not done.stdout


def test_values_must_be_text(files, cli):
    said = subprocess.run([WEIR, "run", "flow.json", b"a=\xff"], cwd=files, capture_output=True, timeout=20)
    assert said.returncode == 2 and b"UTF-8" in said.stderr


def test_a_file_with_an_equals_sign_in_its_name(cli, files):
    (files / "a=b.json").write_text(json.dumps(FLOW))
    assert json.loads(cli("run", "a=b.json", "numbers=[1, 2]").stdout) == {"total": 3}
    assert json.loads(cli("run", "numbers=[1, 2]", "a=b.json").stdout) == {"total": 3}
    (files / "numbers=[4]").write_text("")
    assert json.loads(cli("run", "flow.json", "numbers=[4]").stdout) == {"total": 4}
    assert "there is no such file" in cli("run", "c=d.json", "--file", "none.json").stderr


def test_options_end_at_two_dashes(cli):
    said = cli("run", "-o", "json", "--", "flow.json", "numbers=[1, 2]")
    assert json.loads(said.stdout)["results"] == {"default": {"total": 3}}
    said = cli("run", "--", "flow.json", "--quiet")
    assert said.returncode == 2 and "`--quiet` is not of the form NAME=VALUE" in said.stderr


def test_version_opens_nothing(cli, files):
    assert re.fullmatch(r"weir \d+\.\d+\.\d+\n", cli("version").stdout)
    assert cli("--version").stdout == cli("version").stdout
    version = json.loads(cli("version", "-o", "json").stdout)
    assert set(version) == {"version", "abi", "libraries"}
    assert 0 < len([name for name in version["libraries"] if "san.so" not in name]) <= 10
    assert not (files / ".weir").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_asks_weir(cli, shell):
    assert "weir complete " in cli("completion", shell).stdout
    offered = [line.split("\t")[0] for line in cli("complete", "").stdout.splitlines()]
    assert offered == list(dict.fromkeys(command.split()[0] for command in COMMANDS))
    options = [line.split("\t") for line in cli("complete", "run", "--du").stdout.splitlines()]
    assert options == [["--durability", "what survives a crash or a power cut"]]
    assert cli("complete", "run", "x", "--config", "y").stdout == "FILE\n"
    assert cli("complete", "run", "rec").stdout.startswith("FILE\nrecords\t")
    assert cli("complete", "list", "--state", "").stdout == "DIR\n"
    assert cli("complete", "run", "-p", "").stdout == ""
    assert cli("complete", "help", "operation", "s").stdout.startswith("show\t")


def complete(cli, files, *words):
    script = files / "completion.bash"
    script.write_text(cli("completion", "bash").stdout)
    subprocess.run(["bash", "-n", script], check=True)
    call = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; printf "%s\\n" "${COMPREPLY[@]}"'
    path = {**os.environ, "PATH": f"{os.path.dirname(WEIR)}:{os.environ['PATH']}"}
    out = subprocess.run(["bash", "-c", call, script, "weir", *words], cwd=files, env=path, text=True,
                         capture_output=True, check=True)  # fmt: skip
    return out.stdout.split()


def test_completion_in_bash(cli, files):
    assert complete(cli, files, "rec") == ["recover"]
    assert complete(cli, files, "operation", "") == ["list", "show"]
    assert complete(cli, files, "operation", "show", "calculator.a") == ["calculator.add"]
    assert complete(cli, files, "run", "--kin") == ["--kind"]
    assert complete(cli, files, "run", "--kind", "") == ["dataflow", "workflow", "pipeline"]
    assert complete(cli, files, "list", "-o", "j") == ["json", "jsonl"]
    assert complete(cli, files, "run", "hel") == ["hello.yaml"]
    cli("run", "hello.yaml", "--name", "greeting", "-q")
    assert complete(cli, files, "get", "") == ["greeting"]


# --- exit codes and forms of output -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["run", "flow.json", "numbers=[1,2]"], 0),
        (["run", "hello.yaml"], 0),
        (["run", "pipe.yaml", "numbers=[1]"], 0),
        (["run", "fail.yaml"], 1),
        (["run", "none.json"], 2),
        (["run", "pipe.yaml"], 2),
        (["run", "flow.json", "numbers=[1]", "--events", "none/events"], 3),
        (["run", "flow.json", "numbers=[1]", "--plugin", "none.so"], 2),
        (["get", "none"], 2),
    ],
)
def test_exit_codes(cli, arguments, code):
    cli("run", "hello.yaml")
    said = cli(*arguments)
    assert said.returncode == code, said.stderr
    assert bool(said.stderr) == (code != 0)


@pytest.mark.parametrize("command", ["list", "get x", "logs x", "events x", "report x", "lineage x y", "cancel x", "recover x", "recover --all"])
def test_no_state_no_runs(cli, files, command):
    said = cli(*command.split())
    assert said.returncode == 2 and "there are no runs here" in said.stderr
    assert not (files / ".weir").exists()


def test_text_of_results(cli):
    assert json.loads(cli("run", "flow.json", "numbers=[1,2]").stdout) == {"total": 3}
    two = cli("run", "flow.json", "--context", "a:numbers=[1]", "--context", "b:numbers=[2]")
    assert json.loads(two.stdout) == {"a": {"total": 1}, "b": {"total": 2}}
    assert json.loads(cli("run", "pipe.yaml", "numbers=[1,2]").stdout) == {"total": 3}
    assert cli("run", "hello.yaml").stdout == "hello world\n"
    assert cli("run", "hello.yaml", "-p", "message=1").stdout == "1\n"
    assert cli("run", "hello.yaml", "-pmessage=@x", "-q").stdout == "@x\n"
    assert re.match(r"hello-\w+: hello world\nhello-\w+  workflow", cli("run", "hello.yaml", "--log").stdout)


def test_inputs_from_everywhere(cli, files):
    (files / "numbers").write_text("[4, 5]")
    (files / "inputs.yaml").write_text("numbers: [6]\n")
    (files / "contexts.json").write_text('{"c": [{"value": [7, 8], "definition": "numbers"}]}')
    for arguments, total in [
        (["flow.json", "--input", "numbers=[1]"], 1),
        (["--input", "numbers=@numbers", "flow.json"], 9),
        (["--file", "flow.json", "--inputs", "numbers=[2]"], 2),
        (["numbers=[3]", "flow.json"], 3),
        (["flow.json", "--inputs-file", "inputs.yaml"], 6),
        (["flow.json", "--contexts", "contexts.json"], 15),
    ]:
        said = cli("run", *arguments)
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout) == {"total": total}, arguments
    (files / "inputs.yaml").write_text("[6]\n")
    said = cli("run", "flow.json", "--inputs-file", "inputs.yaml")
    assert said.returncode == 2 and said.stderr.startswith("inputs.yaml:1:1: error: ")


def test_json_is_one_object(cli):
    for arguments in (["flow.json", "numbers=[1,2]"], ["hello.yaml"], ["pipe.yaml", "numbers=[1]"], ["fail.yaml"]):
        result = json.loads(cli("run", *arguments, "-o", "json").stdout)
        assert {"run", "name", "kind", "phase", "results", "error"} <= set(result)
        assert (result["error"] is None) == (result["phase"] == "Succeeded")
    refused = cli("run", "pipe.yaml", "-o", "json")
    assert refused.returncode == 2 and "pipe.yaml:4:" in refused.stderr
    result = json.loads(refused.stdout)
    assert result["phase"] == "Error" and result["error"]["code"] and result["error"]["what"]
    assert result["error"]["where"]["line"] == 4


def test_jsonl_is_a_line_a_result(cli):
    said = cli("run", "flow.json", "--context", "a:numbers=[1]", "--context", "b:numbers=[2]", "-o", "jsonl")
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert sorted(lines, key=lambda line: line["context"]) == [
        {"context": "a", "result": {"total": 1}},
        {"context": "b", "result": {"total": 2}},
    ]
    for arguments in (["pipe.yaml", "numbers=[1]"], ["hello.yaml"]):
        (line,) = cli("run", *arguments, "-o", "jsonl").stdout.splitlines()
        assert json.loads(line)["phase"] == "Succeeded"


def test_name_is_the_name(cli):
    assert cli("run", "hello.yaml", "--name", "greeting", "-o", "name").stdout == "greeting\n"
    assert cli("list", "-o", "name").stdout == "greeting\n"


def test_a_failure_says_what_when_and_where(cli):
    said = cli("run", "fail.yaml")
    assert said.returncode == 1
    assert re.match(r"weir: hello-\w+ failed: .*exit code 3", said.stderr)
    assert re.search(r"^  when +20\d\d-", said.stderr, re.MULTILINE)
    assert re.search(r"^  where +\S", said.stderr, re.MULTILINE)
    assert said.stdout.split() == [str(number) for number in range(1, 31)]


def test_events_are_lines_of_json(cli, files):
    said = cli("run", "flow.json", "numbers=[1]", "--events", "events.jsonl", "-o", "json")
    events = [json.loads(line) for line in (files / "events.jsonl").read_text().splitlines()]
    assert events[0]["type"] == "run.created" and events[-1]["type"] == "run.finished"
    assert all({"id", "time", "type", "prev", "data"} <= set(event) for event in events)
    name = json.loads(said.stdout)["name"]
    assert [json.loads(line) for line in cli("events", name, "-o", "jsonl").stdout.splitlines()] == events
    assert json.loads(cli("events", name, "-o", "json").stdout) == events
    lines = cli("events", name).stdout.splitlines()
    assert len(lines) == len(events)
    assert lines[0].startswith(events[0]["time"]) and "run.created" in lines[0]
    streamed = cli("run", "flow.json", "numbers=[1]", "--events", "-", "--durability", "none", "-o", "jsonl")
    assert '"type":"run.finished"' in streamed.stdout


def test_looking_at_runs(cli):
    cli("run", "hello.yaml", "--name", "first")
    cli("run", "flow.json", "numbers=[1,2]", "--name", "second")
    head, *rows = cli("list").stdout.splitlines()
    assert head.split() == ["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "KIND", "MESSAGE"]
    assert [[*row.split()[:2], row.split()[-1]] for row in rows] == [["second", "Succeeded", "dataflow"], ["first", "Succeeded", "workflow"]]
    assert [run["name"] for run in json.loads(cli("list", "-o", "json").stdout)] == ["second", "first"]
    assert [json.loads(line)["name"] for line in cli("list", "-o", "jsonl").stdout.splitlines()] == ["second", "first"]
    assert cli("list", "-o", "name", "--limit", "1").stdout == "second\n"
    tree = cli("get", "first").stdout
    assert tree.startswith("Name:                first\n") and "\n ✔ first" in tree and "\033" not in tree
    status = json.loads(cli("get", "@latest", "-o", "json").stdout)
    assert status["name"] == "second" and status["result"]["results"] == {"default": {"total": 3}}
    assert cli("logs", "first").stdout == "first: hello world\n"
    assert cli("logs", "first", "first", "--no-prefix").stdout == "hello world\n"
    assert "nothing was written" in cli("logs", "second").stderr
    assert cli("logs", "first", "nobody").returncode == 2
    again = cli("recover", "first", "-o", "json")
    assert again.returncode == 0 and json.loads(again.stdout)["phase"] == "Succeeded"
    lines = cli("recover", "second", "-o", "jsonl")
    assert json.loads(lines.stdout) == {"context": "default", "result": {"total": 3}}


def test_operations(cli):
    names = cli("operation", "list", "-o", "name").stdout.split()
    assert "calculator.add" in names and names == sorted(names)
    assert [operation["name"] for operation in json.loads(cli("operation", "list", "-o", "json").stdout)] == names
    shown = cli("operation", "show", "calculator.add").stdout
    assert shown.startswith("calculator.add: ") and "\ninputs:\n  numbers" in shown and "\noutputs:\n  sum" in shown
    assert json.loads(cli("operation", "show", "calculator.add", "-o", "json").stdout)["name"] == "calculator.add"


def test_check(cli, files):
    for file, arguments, kind, said in [("flow.json", [], "dataflow", "2 operations run\n  to be given: numbers (array)"),
                                        ("hello.yaml", [], "workflow", "1 step runs"),
                                        ("pipe.yaml", ["numbers=[1]"], "pipeline", "1 component runs")]:  # fmt: skip
        done = cli("check", file, *arguments)
        assert (done.returncode, done.stdout) == (0, f"{file}: a {kind} that can finish: {said}\n"), done.stderr
        answer = json.loads(cli("check", file, *arguments, "-o", "json").stdout)
        assert (answer["file"], answer["kind"], answer["problems"]) == (file, kind, [])
        assert answer["proof"]["can_finish"] is True and answer["proof"]["run"] == int(said[0])
    (files / "wrong.yaml").write_text(PIPELINE.replace("calculator.add", "calculator.ad").replace("plus.sum", "plus.s"))
    said = cli("check", "wrong.yaml")
    assert (said.returncode, said.stdout) == (2, "")
    *lines, last = said.stderr.splitlines()
    problems = json.loads(cli("check", "wrong.yaml", "-o", "json").stdout)["problems"]
    assert last == (f"{len(problems)} problems" if len(problems) > 1 else "1 problem")
    assert all(set(problem) == {"code", "file", "line", "column", "message", "hint", "severity"} for problem in problems)
    for problem in problems:
        place = f"{problem['file']}:{problem['line']}:{problem['column']}" if problem["line"] else problem["file"]
        at = lines.index(f"{place}: error: {problem['message']}")
        if problem["hint"]:
            assert lines[at + 1] == f"  hint: {problem['hint']}"
    assert not (files / ".weir").exists()


def test_no_text_commands_a_terminal(cli, files):
    """Nothing of a file, a name or a message reaches the output as a control character."""
    hostile = "a\033[31m\u009b1mb\x7f"
    controls = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f]")
    (files / "bad.json").write_text(json.dumps({**FLOW, "seed": [{"value": 1, "definition": hostile}]}))
    (files / f"{hostile}.json").write_text(json.dumps(FLOW))
    failing = {"linked": True, "definitions": {}, "operations": {hostile: {"name": "process.run", "inputs": {}, "outputs": {},
               "config": {"run": ["sh", "-c", "exit 3"]}}}, "seed": []}  # fmt: skip
    (files / "failing.json").write_text(json.dumps(failing))
    said = [cli("check", "bad.json"), cli("check", f"{hostile}.json"), cli("run", "failing.json"), cli(hostile),
            cli("get", "@latest"), cli("events", "@latest"), cli("list"), cli("run", "--set", f"{hostile}=1", "hello.yaml"),
            cli("run", "flow.json", f"--{hostile}"), cli("operation", "show", hostile)]  # fmt: skip
    for process in said:
        text = process.stdout + process.stderr
        assert not controls.search(text), (process.args, text)
    assert "a [31m 1mb " in said[0].stderr and "a [31m 1mb .json: a dataflow" in said[1].stdout
    assert said[2].returncode == 1 and "a [31m 1mb " in said[2].stderr + said[4].stdout


def test_a_word_names_long_suites_when_there_are_no_others():
    sys.path.append(str(ROOT / "tests"))
    import run

    suites = [run.Suite("unit a sanitize", [], None), run.Suite("unit a tsan", [], None, only_all=True),
              run.Suite("lint", [], None, only_all=True)]  # fmt: skip
    for words, everything, names in [
        ([], False, ["unit a sanitize"]),
        ([], True, ["unit a sanitize", "unit a tsan", "lint"]),
        (["lint"], False, ["lint"]),
        (["unit"], False, ["unit a sanitize"]),
        (["unit a tsan", "unit"], False, ["unit a sanitize", "unit a tsan"]),
        (["none"], True, []),
    ]:
        assert [suite.name for suite in run.choose(suites, words, everything)] == names


# --- configuration, state and secrets ---------------------------------------------------------------------------------


def test_later_configuration_wins(cli, files):
    """Each way to say where the state is, in order; each is told apart by the directory that appears."""
    (files / "config/weir").mkdir(parents=True)
    (files / "config/weir/weir.yaml").write_text("state: by-user\n")
    layers = [([], {}, "config/weir/by-user")]
    (files / "more.yaml").write_text("state: by-config\n")
    layers.append((["--config", "more.yaml"], {}, "by-config"))
    layers.append((layers[-1][0], {"WEIR_STATE": "by-environment"}, "by-environment"))
    layers.append((layers[-1][0] + ["--set", "state=by-set"], layers[-1][1], "by-set"))
    layers.append((["--state", "by-option"] + layers[-1][0], layers[-1][1], "by-option"))
    for arguments, environment, state in layers:
        assert cli("run", "hello.yaml", *arguments, environment=environment).returncode == 0
        assert (files / state).is_dir() and (files / state).stat().st_mode & 0o777 == 0o700
    (files / "weir.yaml").write_text("state: by-project\noutput: json\n")
    assert json.loads(cli("run", "hello.yaml").stdout)["phase"] == "Succeeded"
    assert (files / "by-project").is_dir()
    assert cli("run", "hello.yaml", environment={"WEIR_OUTPUT": "text"}).stdout == "hello world\n"
    assert cli("run", "hello.yaml", "-o", "name").stdout.startswith("hello-")


def test_state_is_the_nearest_upwards(cli, files):
    deep = files / "a/b"
    deep.mkdir(parents=True)
    assert cli("run", "hello.yaml", "--name", "top").returncode == 0
    (files / "weir.yaml").write_text("output: name\n")
    assert cli("list", cwd=deep).stdout == "top\n"
    assert cli("run", files / "hello.yaml", "--name", "deep", cwd=deep).stdout == "deep\n"
    assert cli("list").stdout == "deep\ntop\n"
    assert not (deep / ".weir").exists()


def test_durability_none_makes_nothing(cli, files):
    before = sorted(files.iterdir())
    for arguments, environment in [(["--durability", "none"], {}), (["--set", "durability=none"], {}),
                                   ([], {"WEIR_DURABILITY": "none"})]:  # fmt: skip
        said = cli("run", "hello.yaml", *arguments, environment=environment)
        assert (said.returncode, said.stdout) == (0, "hello world\n")
        assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    "text, message, hint",
    [
        ("durabilty: none\n", "weir.yaml:1:1: error: there is no setting `durabilty`", "did you mean `durability`?"),
        ("a: 1\nlimits:\n  atempts: 4\n", "weir.yaml:3:3: error: there is no setting `limits.atempts`", "`limits.attempts`"),
        ("durability: some\n", "weir.yaml:1:1: error: durability cannot be `some`", "one of full, batch, none"),
        ("output: xml\n", "weir.yaml:1:1: error: output cannot be `xml`", "one of text, json, jsonl, yaml, name"),
        ("plugins: x.so\n", "weir.yaml:1:1: error: plugins must be of type array", ""),
        ("limits: {attempts: 0}\n", "weir.yaml:1:10: error: limits.attempts must be", ""),
        ("[1]\n", "weir.yaml:1:1: error: a configuration is a mapping", ""),
        ("state: [\n", "weir.yaml:", ""),
        ("pull: sometimes\n", "weir.yaml:1:1: error: pull cannot be `sometimes`", "one of missing, always, never"),
        ("platform: amd64\n", "weir.yaml:1:1: error: `amd64` is no platform", "linux/amd64"),
        ("image-store-limit: much\n", "weir.yaml:1:1: error: image-store-limit cannot be `much`", "as 20GB; or none"),
        ("registries: [a]\n", "weir.yaml:1:1: error: registries must be of type object", ""),
        ("registries:\n  a.example: {mirror: [b]}\n", "weir.yaml:2:15: error: there is no setting `mirror`", "`mirrors` and `insecure`"),
        ("registries: {a.example: {mirrors: [https://b]}}\n", "weir.yaml:1:26: error: mirrors are a list of HOST", "mirrors: ["),
        ("registries: {a.example: {insecure: yes-please}}\n", "weir.yaml:1:26: error: insecure must be true or false", "insecure: true"),
        ("registries: {a.example/hub: {}}\n", "weir.yaml:1:14: error: `a.example/hub` is no registry", "HOST:PORT"),
        ("registries: {a.example: b.example}\n", "weir.yaml:1:14: error: this is no mapping: `a.example`", "HOST: {"),
        ("secrets: {token: plain-text}\n", "weir.yaml:1:11: error: the secret `token` must come from", "@FILE"),
    ],
)
def test_wrong_configuration(cli, files, text, message, hint):
    (files / "weir.yaml").write_text(text)
    said = cli("run", "hello.yaml")
    assert said.returncode == 2 and message in said.stderr and hint in said.stderr
    assert "plain-text" not in said.stderr


def test_wrong_settings_elsewhere(cli):
    for arguments, environment, message in [
        (["--set", "colour=blue"], {}, "--set: there is no setting `colour`"),
        ([], {"WEIR_DURABILITY": "some"}, "WEIR_DURABILITY: durability cannot be `some`"),
        ([], {"WEIR_LIMITS_ATTEMPTS": "many"}, "WEIR_LIMITS_ATTEMPTS: limits.attempts must be of type int"),
        (["--config", "none.yaml"], {}, "none.yaml: error: "),
        ([], {"WEIR_IMAGE_MOUNT": "often"}, "WEIR_IMAGE_MOUNT: image-mount cannot be `often`"),
        ([], {"WEIR_PULL": "often"}, "WEIR_PULL: pull cannot be `often`"),
        ([], {"WEIR_PLATFORM": "linux//v8"}, "WEIR_PLATFORM: `linux//v8` is no platform"),
        ([], {"WEIR_IMAGES_LIMIT": "0"}, "WEIR_IMAGES_LIMIT: image-store-limit cannot be `0`"),
        (["--set", "registries={a.example: {mirrors: b}}"], {}, "--set: mirrors are a list"),
        (["--pull", "rarely"], {}, "`--pull` cannot be `rarely`"),
    ]:
        said = cli("run", "hello.yaml", *arguments, environment=environment)
        assert said.returncode == 2 and message in said.stderr


def test_a_configuration_of_others_is_refused(cli, files):
    """It may name plugins, which are code."""
    file = files / "weir.yaml"
    file.write_text("output: name\n")
    file.chmod(0o666)
    said = cli("run", "hello.yaml")
    assert (said.returncode, said.stdout) == (2, "")
    assert "weir.yaml: error: everybody may write this file" in said.stderr and "`chmod o-w weir.yaml`" in said.stderr
    file.chmod(0o664)
    assert cli("run", "hello.yaml", "--name", "own").stdout == "own\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_configuration_of_another_user_is_refused(cli, files):
    file = files / "weir.yaml"
    file.write_text("output: name\n")
    os.chown(file, 4321, -1)
    said = cli("run", "hello.yaml")
    assert said.returncode == 2 and "weir.yaml: error: this file is another user's" in said.stderr
    file.rename(files / "own.yaml")
    os.chown(files / "own.yaml", 0, -1)
    file.symlink_to("own.yaml")
    os.chown(file, 4321, -1, follow_symlinks=False)
    assert cli("run", "hello.yaml").returncode == 2


def test_sections_of_other_versions_are_fine(cli, files):
    (files / "weir.yaml").write_text("# settings\nimages: {x: {command: [y]}}\nartifacts: {directory: kept}\nstores: {a: b}\nnats: c\n")
    assert cli("run", "hello.yaml", "--set", "nats.url=x", "--set", "limits.attempts=2").returncode == 0
    (files / "weir.yaml").write_text("# nothing yet\n")
    assert cli("run", "hello.yaml").returncode == 0


def test_secrets_never_stand_in_the_command(cli, files):
    said = cli("run", "hello.yaml", "--secret", "token=hush-hush")
    assert said.returncode == 2 and "hush-hush" not in said.stderr + said.stdout
    assert "write NAME=@FILE or NAME=env:VAR" in said.stderr
    for source, message in [("env:NOT_THERE", "there is no environment variable `NOT_THERE`"), ("@none", "the secret `token`")]:
        said = cli("run", "hello.yaml", "--secret", f"token={source}")
        assert said.returncode == 2 and message in said.stderr
    assert cli("list").returncode == 2
    (files / "weir.yaml").write_text("secrets: {token: env:NOT_THERE}\n")
    assert cli("check", "hello.yaml").returncode == 0  # what runs nothing needs no secret


def test_secrets_are_masked(cli, files):
    (files / "token").write_text("hush-hush\n")
    (files / "show.yaml").write_text(workflow("echo", "it is hush-hush!"))
    for arguments, environment in [(["--secret", "token=@token"], {}), (["--secret", "token=env:TOKEN"], {"TOKEN": "hush-hush"})]:
        said = cli("run", "show.yaml", *arguments, environment=environment)
        assert said.stdout == "it is ***!\n"
    (files / "weir.yaml").write_text('secrets: {token: "@token"}\n')
    assert cli("run", "show.yaml").stdout == "it is ***!\n"
    assert cli("logs", "@latest", "--no-prefix").stdout == "it is ***!\n"


def test_secrets_of_one_file(cli, files):
    """NAME.*=@FILE: each member is a secret of its own, and masked by itself."""
    (files / "all.yaml").write_text("user: ada-of-london\npassword: hush-hush\ndeep: {pin: 471147}\nnone: null\n")
    (files / "show.yaml").write_text(workflow("echo", "ada-of-london hush-hush 471147 user password"))
    assert cli("run", "show.yaml", "--secret", "chat.*=@all.yaml").stdout == "*** *** *** user password\n"
    (files / "weir.yaml").write_text('secrets: {"chat.*": "@all.yaml", "*": "@more.json"}\n')
    (files / "more.json").write_text('{"word": "password"}')
    assert cli("run", "show.yaml").stdout == "*** *** *** user ***\n"
    (files / "flow.json").write_text(json.dumps({
        "linked": True, "definitions": {name: {"name": name, "primitive": "str"} for name in ("r", "spec")},
        "operations": {"show": {"name": "process.run", "inputs": {}, "outputs": {"result": "r"}},
                       "get": {"name": "get_single", "inputs": {"spec": "spec"}, "outputs": {}, "stage": "output"}},
        "configs": {"show": {"command": ["sh", "-c", "expr length $A$B$C"], "environment": {
            "A": {"secret": "chat.user"}, "B": {"secret": "chat.deep.pin"}, "C": {"secret": "word"}}}},
        "seed": [{"value": ["r"], "definition": "spec"}]}))  # fmt: skip
    assert json.loads(cli("run", "flow.json").stdout)["r"].strip() == str(len("ada-of-london" + "471147" + "password"))


@pytest.mark.parametrize("text, message", [
    ("a: [1, 2]\n", "the secret `x.*`: `x.a` is a list"),
    ("hush-hush\n", "the secret `x.*`: `all.yaml` is no object {KEY: value}"),
    ("a: 'hush-hush\n", "the secret `x.*`: line 2 of `all.yaml` is neither JSON nor YAML"),
    ("a: 123\n", "the secret `x.a` is shorter than 4 bytes"),
])  # fmt: skip
def test_files_of_secrets_that_are_wrong(cli, files, text, message):
    (files / "all.yaml").write_text(text)
    (files / "show.yaml").write_text(workflow("echo", "hello"))
    said = cli("run", "show.yaml", "--secret", "x.*=@all.yaml")
    assert said.returncode in (2, 3) and message in said.stderr and "hush" not in said.stderr, said.stderr


# --- interrupts, terminals, broken outputs ----------------------------------------------------------------------------


def started(files, *arguments, **options):
    """`weir ARGUMENT…` whose step is at work."""
    process = subprocess.Popen([WEIR, *arguments], cwd=files, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               **options)  # fmt: skip
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if any("begin" in log.read_text() for log in files.glob(".weir/logs/*/*")):
            return process
        time.sleep(0.02)
    process.kill()
    raise AssertionError("the step did not begin")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupt_stops(cli, files, number):
    process = started(files, "run", "sleep.yaml", "-o", "json")
    process.send_signal(number)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 1, err
    assert "weir: stopping" in err and "failed: " in err
    assert json.loads(out)["phase"] == "Failed"


def test_two_interrupts_terminate(cli, files):
    process = started(files, "run", "stubborn.yaml")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=8)
    assert process.returncode == 1 and "weir: terminating" in err


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_a_hangup_stops(cli, files, number):
    process = started(files, "run", "sleep.yaml")
    process.send_signal(number)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 1 and "weir: stopping" in err


def test_nohup_is_respected(cli, files):
    (files / "short.yaml").write_text(workflow("sh", "-c", "echo begin; sleep 1; echo end"))
    process = started(files, "run", "short.yaml", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=15)
    assert (process.returncode, out, err) == (0, "begin\nend\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_terminates(cli, files, number):
    process = started(files, "run", "stubborn.yaml")
    process.send_signal(number)
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=8)
    assert process.returncode == 1 and "weir: terminating" in err


def test_a_third_interrupt_ends_weir_at_once(cli, files):
    """All before the engine can answer one, as when it hangs."""
    process = started(files, "run", "stubborn.yaml", "--name", "stuck")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    _, err = process.communicate(timeout=8)
    assert process.returncode == 3
    assert err.splitlines()[-1] == "weir: ended at once; `weir recover stuck` goes on"
    assert [run["phase"] for run in json.loads(cli("list", "-o", "json").stdout)] == ["Running"]
    cli("cancel", "stuck", "--terminate")


def test_cancel_from_another_process(cli, files):
    process = started(files, "run", "sleep.yaml", "--name", "long")
    assert cli("recover", "long").returncode == 3
    assert cli("recover", "--all").returncode == 0
    assert cli("cancel", "long").returncode == 0
    process.communicate(timeout=15)
    assert process.returncode == 1


def test_recover_all_goes_on_with_what_was_killed(cli, files):
    (files / "short.yaml").write_text(workflow("sh", "-c", "echo begin; sleep 1; echo end"))
    process = started(files, "run", "short.yaml", "--name", "killed")
    process.kill()
    process.communicate(timeout=10)
    said = cli("recover", "--all")
    assert (said.returncode, said.stdout) == (0, "killed: Succeeded\n"), said.stderr
    assert cli("recover", "--all", "-o", "json").stdout == "[]\n"


def nested(files, step):
    """top.yaml, whose step is the run of middle.yaml, whose step is the run of the step's file."""
    child = WORKFLOW[: WORKFLOW.index("    inputs:")].replace("  arguments: {parameters: [{name: message, value: hello world}]}\n", "")
    for name, file in [("top", "middle.yaml"), ("middle", step)]:
        (files / f"{name}.yaml").write_text(child + f"    plugin: {{weir: {{run: {file}}}}}\n")


def test_children_are_their_parents_business(cli, files):
    nested(files, "hello.yaml")
    assert cli("run", "top.yaml", "--name", "top").returncode == 0
    cli("run", "hello.yaml", "--name", "last")
    assert [row.split()[0] for row in cli("list").stdout.splitlines()[1:]] == ["last", "top"]
    assert cli("list", "-o", "name").stdout == "last\ntop\n"
    assert cli("list", "-o", "name", "--limit", "2").stdout == "last\ntop\n"
    assert len(cli("list", "--all").stdout.splitlines()) == 5
    runs = json.loads(cli("list", "-o", "json").stdout)
    assert [run.get("parent") for run in runs] == [None, "top.0.1", "top", None]


def test_recover_all_leaves_children_to_their_parents(cli, files):
    (files / "short.yaml").write_text(workflow("sh", "-c", "echo begin; sleep 1; echo end"))
    nested(files, "short.yaml")
    process = started(files, "run", "top.yaml", "--name", "top")
    process.kill()
    process.communicate(timeout=10)
    said = cli("recover", "--all")
    assert (said.returncode, said.stdout) == (0, "top: Succeeded\n"), said.stderr
    assert {run["phase"] for run in json.loads(cli("list", "-o", "json").stdout)} == {"Succeeded"}


def test_of_a_chain_of_causes_the_innermost_is_said(cli, files):
    nested(files, "fail.yaml")
    said = cli("run", "top.yaml", "--name", "top", "-o", "json")
    assert json.loads(said.stdout)["error"]["how"]["cause"]["how"]["cause"]["how"]["exit_code"] == 3
    (how,) = [line for line in said.stderr.splitlines() if line.startswith("  how ")]
    assert how.count("where ") == 1 and "node top.0.1.0.1," in how and "exit_code 3" in how and "cause" not in how


def on_a_terminal(files, *arguments, **environment):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(files)
        os.execvpe(WEIR, [WEIR, *arguments], {**os.environ, "TERM": "xterm", **environment})
    text = b""
    try:
        while data := os.read(terminal, 65536):
            text += data
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode().replace("\r\n", "\n")


def test_the_tree_on_a_terminal(cli, files):
    (files / "short.yaml").write_text(workflow("sh", "-c", "sleep 0.4; echo end"))
    code, text = on_a_terminal(files, "run", "short.yaml", "--name", "short")
    assert code == 0
    assert "●" in text and "\033[3A" in text  # drawn, and drawn over
    final = text.split("\033[J")[-1]
    assert "✔" in final and "1/1" in final and re.search(r" short +\d+ms +\033\[K\nend\n$", final)
    assert "\033[32m" in final
    for arguments, environment in [(["--no-color"], {}), ([], {"NO_COLOR": "1"})]:
        _, text = on_a_terminal(files, "run", "short.yaml", *arguments, **environment)
        assert "✔" in text and not re.search(r"\033\[\d*m", text)
    for arguments, environment in [(["-q"], {}), ([], {"TERM": "dumb"})]:
        assert on_a_terminal(files, "run", "short.yaml", *arguments, **environment) == (0, "end\n")


def test_a_tree_has_no_more_lines_than_the_terminal(cli, files):
    tasks = "".join(f"      - {{name: t{i}, template: t}}\n" for i in range(60))
    (files / "wide.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: wide-}\nspec:\n  entrypoint: main\n"
        f"  templates:\n  - name: main\n    dag:\n      tasks:\n{tasks}"
        "  - name: t\n    container: {image: busybox, command: ['true']}\n"
    )
    code, text = on_a_terminal(files, "run", "wide.yaml")
    final = text.split("\033[J")[-1].splitlines()
    assert code == 0 and len(final) <= 24
    assert re.match(r"… \d+ more", final[-1])
    assert len(cli("get", "@latest", "-o", "short").stdout.splitlines()) == 62


@pytest.mark.parametrize("command", [["version"], ["help"], ["run", "hello.yaml"], ["operation", "list"]])
def test_an_output_that_cannot_be_written(cli, files, command):
    with open("/dev/full", "w") as full:
        said = subprocess.run([WEIR, *command], cwd=files, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    assert said.returncode == 3 and "cannot write to standard output: No space left" in said.stderr
    closed = subprocess.run(["sh", "-c", '"$0" "$@" >&-', WEIR, *command], cwd=files, stderr=subprocess.PIPE, text=True,
                            timeout=20)  # fmt: skip
    assert closed.returncode == 3 and "cannot write to standard output" in closed.stderr
    reader, writer = os.pipe()
    os.close(reader)
    gone = subprocess.run([WEIR, *command], cwd=files, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=20)
    os.close(writer)
    assert gone.returncode == 3 and "Broken pipe" in gone.stderr


def test_events_that_cannot_be_written(cli):
    said = cli("run", "hello.yaml", "--events", "/dev/full")
    assert said.returncode == 3 and "cannot write to the events' file: No space left" in said.stderr
