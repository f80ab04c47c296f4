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
    (changed(operations__it__outputs={"txt": "loud"}), '"txt": "loud"', "`string.upper` has no output `txt`", "did you mean `text`?"),
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


# Sources that name nothing: nothing comes from there, and the others count
WARNED = [
    ([{"ti": "text"}, "seed"], "flow of `it`: there is no operation `ti`", "there is `it`"),
    ([{"it": "txt"}, "seed"], "flow of `it`: there is no output `txt`", "did you mean `text`?"),
    ([{"seed": ["txet"]}, "seed"], "flow of `it`: unknown alternate of `seed`", ""),
    ([["seed", {"ti": "text"}], "seed"], "flow of `it`: there is no such origin of an ancestor", ""),
    ([{"ti": "text", "seed": ["text"]}], "flow of `it`: there is no operation `ti`", "there is `it`"),
]


@pytest.mark.parametrize("sources, says, hint", WARNED, ids=[entry[1] for entry in WARNED])
def test_a_source_that_names_nothing(weir, tmp_path, sources, says, hint):
    flow = changed(flow__it__inputs__text=sources, definitions__spec={"primitive": "array"}, seed=[
        {"value": "a", "definition": "text"}, {"value": ["loud"], "definition": "spec"}])
    flow["operations"]["get"] = {"name": "get_single", "inputs": {"spec": "spec"}, "stage": "output"}
    flow["flow"]["get"] = {"inputs": {"spec": ["seed"]}}
    text = json.dumps(flow, indent=1)
    (tmp_path / "flow.json").write_text(text)
    line = line_of(text, '"it": {')
    for command in ("check", "run"):
        ran = weir(command, "flow.json")
        assert ran.returncode == 0
        assert ran.stderr.startswith(f"flow.json:{line}:") and f"warning: {says}" in ran.stderr, ran.stderr
        assert hint in ran.stderr and ran.stderr.count(": warning: ") == 1
    assert json.loads(ran.stdout) == {"loud": "A"}


# Members that nobody reads: the run goes on, and there is a line for each
UNREAD = [
    (changed(flwo={}), '"flwo"', "flwo", "did you mean `flow`?"),
    (changed(operations__it__condtions=[]), '"condtions"', "condtions", "did you mean `conditions`?"),
    (changed(definitions__text__primitve="str"), '"primitve"', "primitve", "did you mean `primitive`?"),
    (changed(seed=[{"value": "a", "definition": "text", "orign": "x"}]), '"orign"', "orign", "did you mean `origin`?"),
    (changed(flow__it__condition=[]), '"condition"', "condition", "did you mean `conditions`?"),
]


@pytest.mark.parametrize("flow, at, member, hint", UNREAD, ids=[entry[2] for entry in UNREAD])
def test_a_member_that_nobody_reads(weir, tmp_path, flow, at, member, hint):
    text = json.dumps(flow, indent=1)
    (tmp_path / "flow.json").write_text(text)
    for command in ("check", "run"):
        ran = weir(command, "flow.json")
        assert ran.returncode == 0
        first, second, *shown = ran.stderr.splitlines()
        assert first.startswith(f"flow.json:{line_of(text, at)}:") and first.endswith(f"warning: nothing reads the member `{member}`")
        assert hint in second
        assert [line.strip() for line in shown[1:]] == (["^"] if command == "check" else [])


def test_sources_in_one_object(weir, tmp_path):
    flow = changed(flow__it__inputs__text=[{"seed": ["text"], "client": ["text"]}], definitions__spec={"primitive": "array"}, seed=[
        {"value": "a", "definition": "text"}, {"value": "b", "definition": "text", "origin": "client"},
        {"value": ["loud"], "definition": "spec"}])
    flow["operations"]["get"] = {"name": "get_multi", "inputs": {"spec": "spec"}, "stage": "output"}
    flow["flow"]["get"] = {"inputs": {"spec": ["seed"]}}
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    assert json.loads(weir("run", "flow.json").stdout) == {"loud": ["A", "B"]}


@pytest.mark.parametrize("spec, result", [({}, {}), ("", {}), ([], {}), (["text", {"t": "text"}], {"t": "a"}),
    ([{"s": "text"}, "spec", {"t": "text"}], {"spec": [{"s": "text"}, "spec", {"t": "text"}], "t": "a"})])
def test_specs_of_get_single(weir, tmp_path, spec, result):
    flow = changed(definitions__spec={"primitive": "array"}, seed=[{"value": "a", "definition": "text"}, {"value": spec, "definition": "spec"}])
    flow["operations"]["get"] = {"name": "get_single", "inputs": {"spec": "spec"}, "stage": "output"}
    flow["flow"]["get"] = {"inputs": {"spec": ["seed"]}}
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    assert json.loads(weir("run", "flow.json").stdout) == result


def test_a_spec_that_names_no_definition(weir, tmp_path):
    flow = changed(definitions__spec={"primitive": "array"}, seed=[{"value": [{}], "definition": "spec"}])
    flow["operations"] = {"get": {"name": "get_single", "inputs": {"spec": "spec"}, "stage": "output"}}
    flow["flow"] = {"get": {"inputs": {"spec": ["seed"]}}}
    (tmp_path / "flow.json").write_text(json.dumps(flow))
    ran = weir("run", "flow.json")
    assert ran.returncode == 1 and "item 0 must be the name of a definition or {new name: definition}, found {}" in ran.stderr


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
