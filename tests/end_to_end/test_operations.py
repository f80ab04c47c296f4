"""The standard operations as a user meets them: described by commands, run from files, their modules found and loaded
only when they are needed."""

import json

OUTPUT = {"name": "get_multi", "inputs": {"spec": "get_multi_spec"}, "outputs": {"output": "get_multi_output"}, "stage": "output"}


def flow(operations, configs, wanted):
    names = {name for operation in operations.values() for ports in ("inputs", "outputs") for name in operation.get(ports, {}).values()}
    names |= {"get_multi_spec", "get_multi_output"}
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "generic"} for name in sorted(names)},
        "operations": {**operations, "get_multi": OUTPUT},
        "seed": [{"value": wanted, "definition": "get_multi_spec"}],
        "configs": configs,
    }


def run(weir, folder, content, *arguments, **more):
    (folder / "flow.json").write_text(json.dumps(content))
    ran = weir("run", "flow.json", *arguments, "-o", "json", "--durability", "none", **more)
    assert ran.returncode == 0, ran.stderr
    (result,) = json.loads(ran.stdout)["results"].values()
    return result, ran


WORDS = flow(
    {
        "lines": {"name": "csv.parse", "inputs": {"text": "table"}, "outputs": {"rows": "row"}, "expand": ["rows"]},
        "pick": {"name": "jsonpath.query", "inputs": {"value": "row"}, "outputs": {"values": "found"}, "expand": ["values"]},
        "loud": {"name": "string.upper", "inputs": {"text": "found"}, "outputs": {"text": "loud"}},
        "mask": {"name": "regex.replace", "inputs": {"text": "loud"}, "outputs": {"text": "masked"}},
    },
    {"pick": {"path": "$.name"}, "mask": {"pattern": "[AEIOUÄ]", "replacement": "*"}},
    ["loud", "masked"],
)


def test_operations_work_together(weir, tmp_path):
    result, _ = run(weir, tmp_path, WORDS, "table=name,age\nada,36\nälf,7\n")
    assert sorted(result["loud"]) == ["ADA", "ÄLF"]
    assert sorted(result["masked"]) == ["*D*", "*LF"]


def loaded(weir, folder, content, *arguments):
    """What the run's linker says it loaded."""
    environment = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(folder / "loaded")}
    run(weir, folder, content, *arguments, environment=environment)
    return "".join(path.read_text(errors="replace") for path in folder.glob("loaded.*"))


def test_a_plain_run_loads_no_module(weir, tmp_path):
    plain = flow(
        {"words": {"name": "string.split", "inputs": {"text": "line"}, "outputs": {"parts": "word"}, "expand": ["parts"]}}, {}, ["word"]
    )
    text = loaded(weir, tmp_path, plain, "line=a b")
    assert "libuv" in text
    assert not [name for name in ("libpcre2", "libcrypto", "libutf8proc", "/weir-") if name in text]


def test_a_module_is_loaded_when_it_is_needed(weir, tmp_path):
    text = loaded(weir, tmp_path, WORDS, "table=name\nx\n")
    assert "libpcre2" in text and "libutf8proc" in text and "libcrypto" not in text


def test_an_absent_module_says_what_to_do(weir, tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(WORDS))
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/weir-regex.so").write_text("no shared object")
    ran = weir("run", "flow.json", "table=name\nx\n", "-o", "json", environment={"WEIR_MODULES": str(tmp_path / "modules")})
    assert ran.returncode == 1
    assert "weir-regex.so does not load" in ran.stdout


def test_operations_are_described(weir):
    ran = weir("operation", "show", "string.replace")
    assert ran.returncode == 0
    assert "Default: 0." in ran.stdout
    assert "example:\n  operations:\n" in ran.stdout
    shown = json.loads(weir("operation", "show", "group_by", "-o", "json").stdout)
    assert shown["inputs"][0]["definition"] == "group_by_spec" and shown["stage"] == "output"
    ports = json.loads(weir("operation", "show", "string.split", "-o", "json").stdout)["config"]
    assert {"name": "most", "default": 0}.items() <= ports[1].items()


def test_people_are_asked_and_told(weir, tmp_path):
    talk = flow(
        {
            "ask": {"name": "AcceptUserInput", "inputs": {}, "outputs": {"InputData": "UserInput"}},
            "read": {"name": "literal_eval", "inputs": {"str_to_eval": "UserInput"}, "outputs": {"str_after_eval": "EvaluatedStr"}},
            "print": {"name": "print_output", "inputs": {"data": "EvaluatedStr"}, "outputs": {}},
        },
        {},
        ["EvaluatedStr"],
    )
    (tmp_path / "flow.json").write_text(json.dumps(talk))
    ran = weir("run", "flow.json", "-o", "json", "--durability", "none", input="(1, 'two', None)\n")
    assert ran.returncode == 0, ran.stderr
    line, _, rest = ran.stdout.partition("\n")
    assert line == '[1,"two",null]'
    (result,) = json.loads(rest)["results"].values()
    assert result["EvaluatedStr"] == [[1, "two", None]]
