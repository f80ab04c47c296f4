"""What is wrong with a part of a dataflow — an overlay, a context file, a folder, a value of the command line — gives one
clear error and the right exit code, and nothing is half written."""

import json
import os
import pathlib
import resource
import subprocess

import pytest

from conftest import WEIR

FAULTY = pathlib.Path(WEIR).parent / "tests/faulty.so"
SANITIZED = "sanitize" in WEIR

# A dataflow that runs, which the part is laid over or given to.
SOUND = {
    "linked": True,
    "definitions": {"x": {"name": "x", "primitive": "generic"}, "y": {"name": "y", "primitive": "generic"}},
    "operations": {"it": {"name": "faulty.measure", "inputs": {"x": "x"}, "outputs": {"y": "y"}}},
}

# How a part comes in: the command, with PART where its path stands. None of them may write anything.
WAYS = {
    "an overlay": ["run", "sound.json", "--overlay", "PART"],
    "an overlay that is checked": ["check", "sound.json", "--overlay", "PART"],
    "what is drawn into a file": ["graph", "PART", "--format", "svg", "--output", "made.svg"],
    "one of two that are merged": ["dataflow", "merge", "sound.json", "PART"],
    "what is exported": ["dataflow", "export", "PART", "--linked"],
    "contexts": ["run", "sound.json", "--contexts", "PART"],
}

# file name, text (None: absent), what the error says after the name
TEXTS = [
    ("absent.json", None, "there is no such file"),
    ("empty.json", "", ":1:1:"),
    ("broken.json", '{"operations": {"a" 1}}', ":1:21:"),
    ("broken.yaml", "operations:\n  - a: [1, 2\n", "yaml:"),
    ("deep.json", "[" * 200_000, "nested too deep"),
    ("deep.yaml", "a: " + "[" * 200_000, "deep"),
    ("huge.json", '{"operations": 123456789012345678901234567890}', ":1:16:"),
    ("vast.json", '{"operations": 1e999}', ":1:16:"),
    ("nul.json", '{"operations": "a\\u0000b"}', ":1:"),
    ("utf8.json", b'{"operations": "\xff\xfe"}', ":1:"),
    ("utf8.yaml", b"operations: \xff\xfe\n", ":1:"),
    ("twice.yaml", "operations: {}\noperations: {}\n", ":2:1:"),
    ("cycle.yaml", "definitions: {A: &a {name: A, links: [*a]}}\n", "contains itself"),
    ("bomb.yaml", "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 9) + "]\n" for i in range(9)), "more than"),
]


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if ".weir" not in path.parts)


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def assert_refused(ran, *says, code=2):
    assert ran.returncode == code, ran.stderr
    assert ran.stdout == ""
    for text in says:
        assert text in ran.stderr, ran.stderr
    assert len(ran.stderr) < 10_000


def no_runs(folder):
    return not (folder / ".weir/runs").exists() or not list((folder / ".weir/runs").iterdir())


@pytest.mark.parametrize("name, text, says", TEXTS, ids=[entry[0] for entry in TEXTS])
@pytest.mark.parametrize("way", WAYS)
def test_a_part_that_cannot_be_read(weir, tmp_path, way, name, text, says):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    put(tmp_path / name, text)
    before = files_of(tmp_path)
    command = [name if word == "PART" else word for word in WAYS[way]]
    assert_refused(weir(*command, "--plugin", FAULTY), name, says)
    assert files_of(tmp_path) == before and no_runs(tmp_path)


@pytest.mark.parametrize("name, text, says", TEXTS[1:], ids=[entry[0] for entry in TEXTS[1:]])
def test_a_file_of_a_folder_that_cannot_be_read(weir, tmp_path, name, text, says):
    put(tmp_path / "x.dirconf.json", json.dumps(SOUND))
    put(tmp_path / "x/configs" / name, text)
    for command in (["run", "x.dirconf.json"], ["dataflow", "export", "x.dirconf.json"], ["graph", "x.dirconf.json"]):
        assert_refused(weir(*command, "--plugin", FAULTY), f"x/configs/{name}", says)
    assert no_runs(tmp_path)


# What a context file may not have, and what is said of it.
INPUT = {"definition": "x", "value": 1}
CONTEXTS = [
    ([], "contexts are one object"),
    (3, "contexts are one object"),
    ({"c": {"x": 1}}, "no list of inputs"),
    ({"c": [3]}, "needs `value` and `definition`"),
    ({"c": [{"definition": "x"}]}, "needs `value` and `definition`"),
    ({"c": [{"value": 1}]}, "needs `value` and `definition`"),
    ({"c": [{"value": 1, "definition": 3}]}, "needs `value` and `definition`"),
    ({"good": [INPUT], "c": [{**INPUT, "definition": "z"}]}, "unknown definition `z`"),
    ({"c": [{**INPUT, "origin": 3}]}, "`origin`"),
    ({"c": [{**INPUT, "origin": ["it"]}]}, "`origin`"),
    ({"c": [{**INPUT, "origin": ["it", 1]}]}, "`origin`"),
    ({"c": [{**INPUT, "id": 1}]}, "`id`"),
    ({"c": [{**INPUT, "id": "a"}, {**INPUT, "id": "a"}]}, "two inputs have the id `a`"),
    ({"c": [{**INPUT, "same_as": "a"}, {**INPUT, "id": "a"}]}, "no input with the id `a` before it"),
    ({"c": [{**INPUT, "id": "a", "parents": ["a"]}]}, "no input with the id `a` before it"),
    ({"c": [{**INPUT, "id": "a", "parents": ["b"]}, {**INPUT, "id": "b", "parents": ["a"]}]}, "the id `b`"),
    ({"c": [{**INPUT, "parents": "a"}]}, "`parents`"),
    ({"c": [{**INPUT, "parents": [1]}]}, "`parents`"),
]


@pytest.mark.parametrize("contexts, says", CONTEXTS)
def test_contexts_that_are_none(weir, tmp_path, contexts, says):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    put(tmp_path / "contexts.json", json.dumps(contexts))
    for strict in ([], ["--no-strict"]):
        ran = weir("run", *strict, "sound.json", "--contexts", "contexts.json", "--plugin", FAULTY)
        assert_refused(ran, says, "`c`" if isinstance(contexts, dict) else "")
    assert no_runs(tmp_path)


# What is wrong is said where it was written: the line of the file with the inputs.
PLACED = [
    ("--contexts", {"good": [INPUT], "c": [INPUT, {**INPUT, "definition": "z"}]}, '"z"', -1, "unknown definition `z`"),
    ("--contexts", {"good": [INPUT], "c": [{"value": 1}]}, '"c"', 1, "needs `value` and `definition`"),
    ("--contexts", {"c": 3}, '"c"', 0, "no list of inputs"),
    ("--contexts", {"a/b~c": [{"value": 1}]}, '"a/b~c"', 1, "context `a/b~c`: an input needs `value`"),
    ("--inputs-file", {"x": 1, "xx": 2}, '"xx"', 0, "unknown definition `xx`"),
]


@pytest.mark.parametrize("option, part, at, lines, says", PLACED)
@pytest.mark.parametrize("form", ["part.json", "part.yaml"])
def test_what_is_wrong_with_a_file_of_inputs_is_said_there(weir, tmp_path, option, part, at, lines, says, form):
    text = json.dumps(part, indent=1)
    put(tmp_path / "sound.json", json.dumps(SOUND))
    put(tmp_path / form, text if form.endswith("json") else f"# of inputs\n{text}")
    line = next(at_line for at_line, t in enumerate((tmp_path / form).read_text().splitlines(), 1) if at in t) + lines
    for command in ("run", "check"):
        ran = weir(command, "sound.json", option, form, "--plugin", FAULTY)
        assert_refused(ran, says)
        assert ran.stderr.startswith(f"{form}:{line}:"), (line, ran.stderr)
    answer = json.loads(weir("run", "sound.json", option, form, "--plugin", FAULTY, "-o", "json").stdout)
    assert answer["error"]["where"]["file"] == form and answer["error"]["where"]["line"] == line


def test_what_is_wrong_with_the_inputs_of_all_contexts_is_said_once(weir, tmp_path):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    put(tmp_path / "contexts.json", json.dumps({str(i): [] for i in range(20)}))
    ran = weir("run", "sound.json", "nope=1", "--contexts", "contexts.json", "--plugin", FAULTY)
    assert_refused(ran, "argument nope: error: an input is of unknown definition `nope`")
    assert ran.stderr.count("error:") == 1


# A value on the command line is in no file, and may be a secret.
ARGUMENTS = [
    (["nope=hush"], "argument nope: error: an input is of unknown definition `nope`"),
    (["--input", "nope=hush"], "argument nope: error: an input is of unknown definition `nope`"),
    (["--context", "c:nope=hush"], "argument c:nope: error: an input is of unknown definition `nope`"),
    (["--context", "a/b~c:no/pe=hush"], "argument a/b~c:no/pe: error: an input is of unknown definition `no/pe`"),
]


@pytest.mark.parametrize("arguments, says", ARGUMENTS)
def test_what_is_wrong_with_an_argument_names_the_argument(weir, tmp_path, arguments, says):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    for command in ("run", "check"):
        ran = weir(command, "sound.json", *arguments, "--plugin", FAULTY)
        assert_refused(ran, says)
        assert ran.stderr.startswith("argument") and "hush" not in ran.stderr
    answer = json.loads(weir("run", "sound.json", *arguments, "--plugin", FAULTY, "-o", "json").stdout)
    assert answer["error"]["where"]["file"] == says.split(": ")[0]


def test_an_argument_that_a_pipeline_does_not_know(weir, tmp_path):
    put(tmp_path / "p.yaml", "pipeline:\n  name: p\n  inputs: []\n  outputs: [c.x]\n  components:\n"
                             "    - c: {run: [echo], inputs: [], outputs: [x]}\n")
    assert_refused(weir("run", "p.yaml", "nope=1"), "p.yaml:3:3: error: the pipeline has no input `nope`")


def test_what_an_overlay_or_the_command_line_configures_wrong(weir, tmp_path):
    flow = {**SOUND, "definitions": {**SOUND["definitions"], "s": {}}, "operations": {
        **SOUND["operations"], "get": {"name": "get_single", "inputs": {"spec": "s"}, "outputs": {}, "stage": "output"}},
        "seed": [{"value": ["y"], "definition": "s"}]}
    put(tmp_path / "f.json", json.dumps(flow))
    put(tmp_path / "over.json", '{"configs":\n {"get":\n  {"nostrit": []}}}')
    ran = weir("run", "f.json", "--overlay", "over.json", "--plugin", FAULTY)
    assert_refused(ran, "over.json:3:4: error: operation `get`: it has no configuration `nostrit`", "did you mean `nostrict`?")
    ran = weir("run", "f.json", "--configure", "get.nostrit=[]", "--plugin", FAULTY)
    assert_refused(ran, "--configure: error: operation `get`: it has no configuration `nostrit`", "did you mean `nostrict`?")
    ran = weir("run", "f.json", "--configure", "got.nostrict=[]", "--plugin", FAULTY)
    assert_refused(ran, "--configure: error: there is no operation `got` to configure")


# Arguments that cannot be, and what is said.
WRONG_ARGUMENTS = [
    (["run", "sound.json", "--contexts", "."], "regular file"),
    (["run", "sound.json", "--overlay", "."], "regular file"),
    (["run", "sound.json", "--configure", "it.a"], "INSTANCE.KEY=VALUE"),
    (["run", "sound.json", "--configure", "no.a=1"], "no operation `no`"),
    (["run", "sound.json", "--configure", b"it.a=\xff"], "UTF-8"),
    (["run", "sound.json", b"x=\xff"], "UTF-8"),
    (["dataflow", "create", b"\xff=faulty.fail"], "UTF-8"),
    (["dataflow", "create", "faulty.fail", "--inputs", b"\xff=x"], "UTF-8"),
    (["dataflow", "create", "no.such"], "no operation `no.such`"),
    (["dataflow", "create", "faulty.fail", "--config", "1=x"], "INSTANCE.KEY"),
    (["dataflow", "create", "faulty.fail", "--inputs", "1=nothing"], "`nothing"),
    (["dataflow", "create", "faulty.fail", "--flow", '[{"seed"=faulty.fail.inputs.x'], "flow"),
    (["graph", "sound.json", "--format", "png"], "text|dot|mermaid|svg"),
    (["graph", "sound.json", "--output", "no/such/folder.svg"], "no/such/folder.svg"),
    (["explain", "nobody"], "there are no runs here"),
    (["explain", "../../etc/passwd"], "there are no runs here"),
    (["example", "run", "nothing"], "there is no example `nothing`"),
    (["example", "show", "../../etc/passwd"], "there is no example"),
]


@pytest.mark.parametrize("arguments, says", WRONG_ARGUMENTS)
def test_arguments_that_cannot_be(tmp_path, arguments, says):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    plugin = [] if arguments[0] in ("explain", "example") else ["--plugin", FAULTY]
    command = [os.fsencode(word) for word in [WEIR, *arguments, *plugin]]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    ran = subprocess.CompletedProcess(command, ran.returncode, ran.stdout.decode(errors="replace"), ran.stderr.decode(errors="replace"))
    assert_refused(ran, says, code=3 if "no/such/folder.svg" in arguments else 2)
    assert files_of(tmp_path) == ["sound.json"] and no_runs(tmp_path)


@pytest.mark.parametrize("letters", range(1, 6))
def test_what_is_too_long_is_cut_between_characters(tmp_path, letters):
    """A name of a file, and one in a message, that do not fit into an error: what is left of them is text."""
    name = "x" * letters + "é€😀" * 400
    flow = {**SOUND, "operations": {name: {**SOUND["operations"]["it"], "inputs": {name: "x"}}}}
    put(tmp_path / "f.json", json.dumps(flow))
    for command in (["check", name], ["check", "f.json"], ["run", name], ["run", "f.json"], ["run", "f.json", "--contexts", name]):
        ran = subprocess.run([WEIR, *command, "--plugin", FAULTY, "-o", "json"], cwd=tmp_path, capture_output=True, timeout=60)
        assert ran.returncode == 2
        ran.stderr.decode()
        json.loads(ran.stdout.decode())


@pytest.mark.parametrize("letters", range(1, 6))
def test_what_a_long_name_says_of_a_failure_can_be_read(weir, tmp_path, letters):
    name = "x" * letters + "é€😀" * 400
    put(tmp_path / "f.json", json.dumps({**SOUND, "operations": {name: {**SOUND["operations"]["it"], "name": "faulty.undeclared"}}}))
    ran = weir("run", "f.json", "x=1", "--plugin", FAULTY, "-o", "json", "--name", "it")
    assert ran.returncode == 1 and len(json.loads(ran.stdout)["error"]["what"]) > 300
    for command in ("get", "events", "explain"):
        seen = weir(command, "it", "--plugin", FAULTY, "-o", "json")
        assert seen.returncode == 0, seen.stderr
        json.loads(seen.stdout)


def test_a_plugin_that_cannot_be_read(weir):
    assert_refused(weir("operation", "list", "--plugin", "/proc/self/mem"), "Input/output error")


# Values of the command line that are no JSON are texts; those that go on for ever are texts too.
@pytest.mark.parametrize("text", ["[" * 3000, "123456789012345678901234567890", "1e999", '{"a": 1', "nul\\u0000"])
def test_a_value_that_is_no_json_is_a_text(weir, tmp_path, text):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    exported = weir("dataflow", "export", "sound.json", "--configure", f"it.a={text}", "--plugin", FAULTY)
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["configs"]["it"]["a"] == text


PRINTED = [
    ["run", "sound.json", "x=1"], ["check", "sound.json"], ["graph", "sound.json"], ["dataflow", "export", "sound.json"],
    ["dataflow", "merge", "sound.json"], ["dataflow", "create", "faulty.fail"], ["operation", "list"],
]


@pytest.mark.parametrize("command", PRINTED, ids=" ".join)
def test_an_output_that_is_full(tmp_path, command):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    with open("/dev/full", "w") as full:
        ran = subprocess.run([WEIR, *command, "--plugin", FAULTY], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ran.returncode == 3 and "standard output: No space left" in ran.stderr, ran.stderr


def test_a_drawing_that_does_not_fit(weir, tmp_path):
    put(tmp_path / "sound.json", json.dumps(SOUND))
    ran = weir("graph", "sound.json", "--format", "svg", "--output", "/dev/full", "--plugin", FAULTY)
    assert_refused(ran, "/dev/full", code=3)


# --- processes and plugins of a dataflow ---


def process(command, **more):
    return json.dumps({
        "definitions": {"r": {"primitive": "str"}},
        "operations": {"it": {"name": "process.run", "inputs": {}, "outputs": {"result": "r"}, **more}},
        "configs": {"it": {"command": command}},
    })


@pytest.mark.parametrize("signal, number", [("SEGV", 11), ("KILL", 9), ("TERM", 15)])
def test_a_process_killed_by_a_signal(weir, tmp_path, signal, number):
    put(tmp_path / "f.json", process(["sh", "-c", f"echo last words; kill -{signal} $$"]))
    ran = weir("run", "f.json", "-o", "json")
    assert ran.returncode == 1, ran.stderr
    error = json.loads(ran.stdout)["error"]
    assert error["how"]["signal"] == number and error["where"]["instance"] == "it"
    assert json.loads(ran.stdout)["results"] == {}


def test_a_plugin_that_crashes_in_a_context(weir, tmp_path):
    if SANITIZED:
        pytest.skip("a sanitizer reports the crash itself")
    crashing = {**SOUND, "operations": {"it": {**SOUND["operations"]["it"], "name": "faulty.crash"}}}
    put(tmp_path / "f.json", json.dumps(crashing))
    put(tmp_path / "contexts.json", json.dumps({"c": [INPUT]}))
    ran = weir("run", "f.json", "--contexts", "contexts.json", "--plugin", FAULTY, "--name", "it")
    assert ran.returncode == 3 and "operation faulty.crash crashed" in ran.stderr
    explained = weir("explain", "it", "--plugin", FAULTY)
    assert explained.returncode == 0, explained.stderr


def test_a_plugin_that_never_returns_in_one_of_two_contexts(weir, tmp_path):
    never = {**SOUND, "operations": {"it": {**SOUND["operations"]["it"], "name": "faulty.never", "timeout_us": 100_000}}}
    put(tmp_path / "f.json", json.dumps(never))
    put(tmp_path / "contexts.json", json.dumps({"c": [INPUT], "empty": []}))
    ran = weir("run", "f.json", "--contexts", "contexts.json", "--no-strict", "--plugin", FAULTY, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["results"] == {"c": {}, "empty": {}}


@pytest.mark.skipif(SANITIZED, reason="the sanitizer needs descriptors of its own")
@pytest.mark.parametrize("descriptors", range(4, 24))
def test_out_of_descriptors(tmp_path, descriptors):
    """Whatever it is short of: it succeeds, or says that files are too many, with the code of a machine that cannot."""
    put(tmp_path / "sound.json", json.dumps(SOUND))
    put(tmp_path / "p.json", process(["echo", "hello"]))

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    assert subprocess.run([WEIR, "run", "p.json"], cwd=tmp_path, capture_output=True).returncode == 0
    for command in (["run", "sound.json", "x=1"], ["run", "p.json"], ["dataflow", "export", "sound.json"], ["graph", "sound.json"], ["list"]):
        ran = subprocess.run([WEIR, *command, "--plugin", FAULTY] if "sound.json" in command else [WEIR, *command],
                             cwd=tmp_path, capture_output=True, text=True, timeout=60, preexec_fn=limit)
        if ran.returncode == 0:
            continue
        assert "too many open files" in ran.stderr.lower(), (command, ran.stderr)
        # A process that cannot be begun is a failure of its operation, a plugin that cannot be read one of the plugin.
        due = 1 if "instance it" in ran.stderr else 2 if "faulty.so:" in ran.stderr else 3
        assert ran.returncode == due, (command, ran.stderr)
