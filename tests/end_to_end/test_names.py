"""Names in a dataflow that there are not: each is one error that says where, what is wrong, and what was meant."""

import copy
import json
import pathlib

import pytest

from conftest import WEIR

FAULTY = pathlib.Path(WEIR).parent / "tests/faulty.so"

SOUND = {
    "linked": True,
    "definitions": {"text": {"name": "text", "primitive": "str"}, "loud": {"name": "loud", "primitive": "str"}},
    "operations": {"it": {"name": "string.upper", "inputs": {"text": "text"}, "outputs": {"text": "loud"}}},
    "seed": [{"value": "a", "definition": "text"}],
    "flow": {"it": {"inputs": {"text": ["seed"]}, "conditions": []}},
    "configs": {},
}


def changed(**members):
    flow = copy.deepcopy(SOUND)
    for path, value in members.items():
        *way, last = path.split("__")
        part = flow
        for key in way:
            part = part.setdefault(key, {})
        part[last] = value
    return flow


def within(flow):
    """The dataflow as one that another runs."""
    inputs = {"name": "flow_inputs", "primitive": "Dict[str,Any]"}
    return {
        "linked": True,
        "definitions": {"flow_inputs": inputs, "flow_results": {"name": "flow_results", "primitive": "map"}},
        "operations": {"run": {"name": "dffml.dataflow.run", "inputs": {"inputs": "flow_inputs"}, "outputs": {"results": "flow_results"}}},
        "configs": {"run": {"dataflow": flow}},
    }


def line_of(text, needle):
    return max(at for at, line in enumerate(text.splitlines(), 1) if needle in line)


# The dataflow, what the line has, and what is said
WRONG = [
    (changed(flow__it__inputs__txet=["seed"]), '"txet"', "there is no parameter `txet`", "did you mean `text`?"),
    (changed(flow__it__inputs__other_name=["seed"]), '"other_name"', "there is no parameter `other_name`", "there is `text`"),
    (changed(operations__it__inputs={"txt": "text"}, flow__it__inputs={"txt": ["seed"]}), '"txt": "text"',
     "`string.upper` has no parameter `txt`", "did you mean `text`?"),
    (changed(operations__it__inputs={"text": "text", "surplus": "text"}), '"surplus"', "`string.upper` has no parameter `surplus`",
     "there is `text`"),
    (changed(flow__ti={"inputs": {}}), '"ti"', "there is no operation `ti`", "there is `it`"),
    (changed(flow__it__inputs__text=[{"ti": "text"}]), '"it": {', "flow of `it`: there is no operation `ti`", "there is `it`"),
    (changed(flow__it__inputs__text=[{"it": "txt"}]), '"it": {', "flow of `it`: there is no output `txt`", "did you mean `text`?"),
    (changed(operations__get={"name": "get_single", "inputs": {"spec": "text"}, "outputs": {"output": "loud"}}, configs__get__nostrct=[]),
     '"nostrct"', "it has no configuration `nostrct`", "did you mean `nostrict`?"),
    (changed(operations__it={"name": "process.run", "inputs": {"text": "text"}, "outputs": {"stdout": "loud"}},
             configs__it={"command": ["true"], "format": "text"}, flow__it__inputs={"text": ["seed"]}),
     '"stdout"', "`process.run` has no output `stdout`", "there is `result`, `exit_code`"),
]


@pytest.mark.parametrize("flow, at, says, hint", WRONG, ids=[entry[2] for entry in WRONG])
@pytest.mark.parametrize("where", ["the file", "a subflow"])
def test_a_name_that_there_is_not(weir, tmp_path, flow, at, says, hint, where):
    text = json.dumps(flow if where == "the file" else within(flow), indent=1)
    (tmp_path / "flow.json").write_text(text)
    for command in (["check"], ["run"], ["run", "--no-strict"]):
        ran = weir(*command, "flow.json", "--plugin", FAULTY)
        assert ran.returncode == 2 and ran.stdout == ""
        line = line_of(text, at)
        assert ran.stderr.startswith(f"flow.json:{line}:"), (line, ran.stderr)
        assert says in ran.stderr.splitlines()[0]
        assert hint in ran.stderr
        assert ran.stderr.count(": error: ") == 1, ran.stderr


def test_names_that_there_are(weir, tmp_path):
    for flow in (SOUND, within(SOUND)):
        (tmp_path / "flow.json").write_text(json.dumps(flow))
        assert weir("check", "flow.json").returncode == 0


def test_an_operation_that_takes_any_parameter(weir, tmp_path):
    flow = changed(operations__it={"name": "http.request", "inputs": {"url": "text", "json.name": "text"}, "outputs": {"body": "loud"}},
                   flow__it__inputs={"url": ["seed"], "json.name": ["seed"]})
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    assert weir("check", "flow.json").returncode == 0
    assert "any inputs" in weir("operation", "show", "http.request").stdout


def custom(parameters, definitions):
    """A dataflow that runs another in the form whose parameters are its inputs."""
    return {
        "linked": True,
        "definitions": definitions,
        "operations": {"run": {"name": "dffml.dataflow.run", "inputs": parameters, "outputs": {"loud": "loud"}}},
        "seed": [{"value": "a", "definition": name} for name in parameters.values()],
        "configs": {"run": {"dataflow": SOUND}},
    }


STR = {"primitive": "str"}
CUSTOM = [
    (custom({"text": "text", "more": "other"}, {"text": STR, "loud": STR, "other": STR}), '"more"',
     "the dataflow that it runs has no definition `other`, of which its parameter `more` is"),
    (custom({"name": "loud", "text": "txt"}, {"txt": STR, "loud": STR}), '"text": "txt"', "no definition `txt`"),
]


@pytest.mark.parametrize("flow, at, says", CUSTOM)
def test_parameters_of_a_subflow_that_it_cannot_take(weir, tmp_path, flow, at, says):
    text = json.dumps(flow, indent=1)
    (tmp_path / "f.json").write_text(text)
    line = next(number for number, content in enumerate(text.splitlines(), 1) if at in content)
    for command in ("check", "run"):
        ran = weir(command, "f.json", "-o", "json")
        assert ran.returncode == 2
        assert "run" == command or json.loads(ran.stdout)["problems"][0]["code"] == "unknown_definition"
    assert ran.stderr.startswith(f"f.json:{line}:") and says in ran.stderr, (line, ran.stderr)
