"""DFFML's command line in `weir.dffml`: the commands about dataflows, records and models."""

import asyncio
import json

import pytest

from weir.dffml import DataFlow, Input, Record, run
from weir.dffml.cli.cli import CLI
from weir.dffml.util.data import parser_helper

OPERATIONS = """
from weir.dffml import Definition, op

@op(inputs={"text": Definition(name="Text", primitive="str")}, outputs={"loud": Definition(name="Loud", primitive="str")})
def shout(text):
    return {"loud": str(text).upper()}

def length(text: str) -> int:
    return len(text)
"""
CREATE = ("dataflow", "create", "shout_operations:shout", "get_single", "-seed", '["Loud"]=get_single_spec')


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Runs a command in a folder with operations; gives its status, and what it printed on each stream."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shout_operations.py").write_text(OPERATIONS)
    monkeypatch.syspath_prepend(tmp_path)

    def command(*arguments):
        status = CLI.main(["dffml", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return command


@pytest.fixture
def flow(call, tmp_path):
    (tmp_path / "flow.json").write_text(call(*CREATE)[1])
    return "flow.json"


def values(printed):
    status, out, error = printed
    assert (status, error) == (0, ""), error
    return json.loads(out)


def test_what_create_prints_is_a_dataflow(call):
    created = DataFlow._fromdict(**values(call(*CREATE)))
    text = created.operations["shout_operations:shout"].inputs["text"]

    async def results():
        return [found async for _, found in run(created, [Input("hi", text)])]

    assert asyncio.run(results()) == [{"Loud": "HI"}]


def test_create_has_names_flows_configurations_and_origins(call):
    made = values(call(
        "dataflow", "create", "a=shout_operations:shout", "n=shout_operations:length", "-inputs", "hi=Text=here", "-flow",
        '[{"a":"loud"}]=n.inputs.text', "-config", "7=n.k.limit",
    ))
    assert made["flow"]["n"]["inputs"]["text"] == [{"a": "loud"}]
    assert made["configs"] == {"n": {"k": {"limit": 7}}}
    assert made["seed"] == [{"value": "hi", "definition": "Text", "origin": "here"}]


def test_runs(call, flow):
    assert values(call("dataflow", "run", "single", "-dataflow", flow, "-inputs", "hi=Text")) == [{"Loud": "HI"}]
    ran = values(call("dataflow", "run", "contexts", "-dataflow", flow, "-contexts", "a", "b", "-context-def", "Text"))
    assert sorted(ran, key=str) == [{"a": {"Loud": "A"}}, {"b": {"Loud": "B"}}]
    merged = values(call("dataflow", "merge", flow, flow))
    assert list(merged["operations"]) == ["shout_operations:shout", "get_single"]


def test_records(call, flow, tmp_path):
    (tmp_path / "people.csv").write_text("key,n\na,1\nb,2\n")
    records = ("dataflow", "run", "records")
    which = ("-dataflow", flow, "-record-def", "Text", "-sources", "p=csv", "-source-filename", "people.csv")
    assert [one["features"] for one in values(call(*records, "all", *which))] == [{"n": 1, "Loud": "A"}, {"n": 2, "Loud": "B"}]
    assert values(call(*records, "all", *which, "-no-echo", "-source-readwrite", "true")) == []
    assert (tmp_path / "people.csv").read_text() == "key,n,Loud\na,1,A\nb,2,B\n"
    memory = ("-dataflow", flow, "-record-def", "Text", "-sources", "m=memory")
    assert [one["key"] for one in values(call(*records, "set", "-keys", "x", "y", *memory))] == ["x", "y"]


def test_models(call, tmp_path):
    (tmp_path / "people.csv").write_text("Years,Salary\n0,10\n1,20\n2,30\n")
    model = ("-model", "slr", "-model-directory", "model", "-model-features", "Years:int:1", "-model-predict", "Salary:float:1")
    source = ("-sources", "f=csv", "-source-filename", "people.csv")
    assert call("train", *model, *source) == (0, "", "")
    assert values(call("accuracy", *model, *source)) == pytest.approx(1)
    predictions = asyncio.run(CLI.cli("predict", "all", *model, *source))
    assert predictions[2].predictions()["Salary"]["value"] == pytest.approx(30)


@pytest.mark.parametrize("arguments, said", [
    (("dance",), "the commands are:\n  dataflow create "),
    (("dataflow", "create", "nothing"), "'nothing' was not found"),
    (("dataflow", "create", "get_single", "-inputs", "x"), "x: write VALUE=NAME"),
    (("dataflow", "create", "get_single", "-flow", "x=y"), "y: write INSTANCE.inputs.NAME"),
    (("dataflow", "create", "get_single", "-colour", "red"), "-colour is no option of this command"),
    (("dataflow", "run", "single"), "-dataflow wants one value"),
    (("dataflow", "run", "single", "-dataflow", "nowhere.json"), "No such file"),
    (("train", "-model", "slr", "-model-directory", "x", "-sources", "f=csv", "-source-filename", "nowhere.csv"), "nowhere.csv"),
])
def test_what_is_wrong_is_said(call, arguments, said):
    status, _, error = call(*arguments)
    assert status == 2 and error.startswith("error: ") and said in error


def test_a_definition_that_the_dataflow_lacks(call, flow):
    assert "no definition 'Nothing'" in call("dataflow", "run", "single", "-dataflow", flow, "-inputs", "1=Nothing")[2]


def test_values_of_arguments():
    given = ("on", "[1, 2]", "1,2", "hello", "'on'", "on,face,42", "list,", "none", "-1.5")
    assert [parser_helper(text) for text in given] == [True, [1, 2], (1, 2), "hello", "on", [True, "face", 42], ["list"], None, -1.5]
    assert parser_helper(7) == 7


def test_a_record():
    record = Record(1, data={"features": {"a": 1}})
    record.evaluated({"b": 2})
    record.predicted("c", 3, 0.5)
    assert record.features(["a", "b"]) == {"a": 1, "b": 2} and record.features(["a", "z"]) == {} and record.feature("a") == 1
    assert record.prediction("c") == {"value": 3, "confidence": 0.5} == record.predictions()["c"]
    assert record.export() == {"key": "1", "features": {"a": 1, "b": 2}, "prediction": {"c": {"value": 3, "confidence": 0.5}}, "extra": {}}
    assert record == Record("1", data=record.data) and "Record('1'" in repr(record)
    record.evaluated({"z": 0}, overwrite=True)
    assert record.features() == {"z": 0}
