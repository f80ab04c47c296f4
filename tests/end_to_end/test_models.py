"""Models and record sources as operations: `weir.models`, `weir.sources`, `dffml.model.predict`."""

import json
import os
import sys

import pytest

from conftest import ROOT

SALARIES = {str(year): {"features": {"Years": year, "Salary": 10 * year + 10}} for year in range(8)}
LINEAR = {"plugin": "scikitlr", "config": {"directory": "salary", "features": ["Years:int:1"], "predict": "Salary:float:1"}}
@pytest.fixture
def run(tmp_path, monkeypatch):
    """Calls an operation as a worker does, with inputs by name; gives its outputs, or what was wrong."""
    monkeypatch.syspath_prepend(str(ROOT / "sdk/python"))
    monkeypatch.chdir(tmp_path)
    from weir.operation import find

    def run(name, config, *, wanted, **inputs):
        operation = find(name)
        call = operation.bind(list(inputs), config)
        try:
            found = call(*inputs.values())
            sets = list(found) if operation.kind == "generator" else [operation.named(found, [wanted])]
        except Exception as error:  # noqa: BLE001
            return str(error)
        return [one[wanted] for one in sets]

    return run


def trained(run, model=LINEAR, records=SALARIES):
    return run("weir.models:train", {"model": model}, wanted="model", records=records)


def predicted(run, features, model=LINEAR):
    return run("weir.models:predict", {"model": model}, wanted="prediction", features=features)


def test_train_score_predict(run):
    (card,) = trained(run)
    assert (card["estimator"], card["records"], card["score"]) == ("sklearn.linear_model:LinearRegression", 8, 1.0)
    (prediction,) = predicted(run, {"Years": 9})
    assert prediction["Salary"]["value"] == pytest.approx(100) and prediction["Salary"]["confidence"] == 1.0
    half = {key: {"features": {**one["features"], "Salary": 10}} for key, one in SALARIES.items()}
    scorer = {"model": LINEAR, "scorer": "sklearn.metrics:mean_absolute_error"}
    (score,) = run("weir.models:score", scorer, wanted="score", records=half)
    assert score == pytest.approx(35)
    assert predicted(run, {"Years": 9})[0]["Salary"]["confidence"] == score
    (found,) = run("weir.models:predict_records", {"model": LINEAR}, wanted="records", records=SALARIES)
    assert found["3"]["prediction"]["Salary"]["value"] == pytest.approx(40) and found["3"]["features"]["Years"] == 3


@pytest.mark.parametrize("plugin", ["xgbclassifier", "scikitknn", "sklearn.svm:SVC"])
def test_classes_that_are_texts(run, tmp_path, plugin):
    model = {"plugin": plugin, "config": {"location": "kinds", "predict": "kind:str"}}
    if plugin == "xgbclassifier":
        model["config"].update(n_estimators=3, min_child_weight=0)
    records = [{"size": [at, -at], "kind": "small" if at < 10 else "large"} for at in range(20)]
    assert trained(run, model, records)[0]["features"] == [{"name": "size", "dtype": None, "length": 2}]
    assert predicted(run, {"size": [2, -2]}, model)[0]["kind"]["value"] == "small"
    assert predicted(run, {"size": [17, -17]}, model)[0]["kind"]["value"] == "large"
    (state,) = [file for file in os.listdir(tmp_path / "kinds") if file.startswith("state-")]
    assert state.endswith(".json" if plugin == "xgbclassifier" else ".joblib")
    if plugin == "xgbclassifier":
        json.loads((tmp_path / "kinds" / state).read_text())


def test_clusters(run):
    model = {"plugin": "scikitkmeans", "config": {"directory": "groups", "features": ["x:float"], "n_clusters": 2, "random_state": 0}}
    trained(run, model, [{"x": x} for x in (0.0, 0.1, 9.0, 9.1)])
    near, far = (predicted(run, {"x": x}, model)[0]["cluster"]["value"] for x in (0.05, 9.05))
    assert {near, far} == {0, 1}


def test_what_is_wrong_is_said(run, tmp_path):
    assert "train it first" in predicted(run, {"Years": 1})
    trained(run)
    assert "record '' has no feature 'Years'" in predicted(run, {"Age": 1})
    assert "is meant to be int, and is 'many'" in predicted(run, {"Years": "many"})
    assert "has 2 values, where 1 are meant" in predicted(run, {"Years": [1, 2]})
    assert "learned from Years, and not from Age" in predicted(run, {"Age": 1}, {**LINEAR, "config": {**LINEAR["config"], "features": ["Age"]}})
    assert "there is no model 'nothing'" in predicted(run, {}, {"plugin": "nothing", "config": {"directory": "d"}})
    assert "unexpected keyword" in trained(run, {**LINEAR, "config": {**LINEAR["config"], "slope": 1}})
    assert "is a sklearn.linear_model:LinearRegression, and no sklearn.svm:SVC" in predicted(run, {"Years": 1}, {**LINEAR, "plugin": "scikitsvc"})
    (state,) = [file for file in (tmp_path / "salary").iterdir() if file.name.startswith("state-")]
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    assert "is damaged" in predicted(run, {"Years": 1})
    state.unlink()
    assert "is gone: train the model again" in predicted(run, {"Years": 1})
    (tmp_path / "salary/model.json").write_text('{"format": 1, "state": {"file": "../state-x"}}')
    assert "its state is in no file of the folder" in predicted(run, {"Years": 1})
    (tmp_path / "salary/model.json").write_text("{")
    assert "is no card of a model" in predicted(run, {"Years": 1})


def test_a_model_is_replaced_at_once(run, tmp_path):
    trained(run)
    before = sorted(os.listdir(tmp_path / "salary"))
    # One that cannot be trained leaves the old one as it was.
    assert "has no feature 'Salary'" in trained(run, records=[{"Years": 1}])
    assert sorted(os.listdir(tmp_path / "salary")) == before
    trained(run, records=[{"Years": 0, "Salary": 0}, {"Years": 1, "Salary": 1}])
    assert predicted(run, {"Years": 5})[0]["Salary"]["value"] == pytest.approx(5)
    assert len(os.listdir(tmp_path / "salary")) == 2


def test_a_pipeline_trains_and_then_predicts(weir, tmp_path):
    """Given the model that was trained, score and predict wait for it."""
    (tmp_path / "p.yaml").write_text("""
pipeline:
  name: salaries
  inputs: [records, features]
  outputs: [score.score, predict.prediction]
  components:
    - train:
        runner: weir.models:train
        inputs: [records]
        outputs: [model]
        config: {model: {plugin: scikitlr, config: {directory: salary, predict: Salary}}}
    - score: {runner: "weir.models:score", inputs: {records: records, model: train.model}, outputs: [score]}
    - predict: {runner: dffml.model.predict, inputs: {features: features, model: train.model}, outputs: [prediction]}
""")
    (tmp_path / "records.json").write_text(json.dumps(SALARIES))
    done = weir("run", "p.yaml", "records=@records.json", 'features={"Years": 4}', environment={"WEIR_PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["score.score"] == 1.0 and result["predict.prediction"]["Salary"]["value"] == pytest.approx(50)


# --- sources ------------------------------------------------------------------------------------


PEOPLE = 'key,name,Years,tags,prediction_Salary,confidence_Salary\nada,"Ada, Countess",3,"[1, 2]",40,0.5\ngrace,Grace,,,,\n'


def test_sources_are_read(run, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    source = {"source": {"plugin": "csv", "config": {"filename": "people.csv"}}}
    (records,) = run("weir.sources:read", source, wanted="records")
    assert records == {
        "ada": {"features": {"name": "Ada, Countess", "Years": 3, "tags": [1, 2]}, "prediction": {"Salary": {"value": 40, "confidence": 0.5}}},
        "grace": {"features": {"name": "Grace"}},
    }
    each = run("weir.sources:each", source, wanted="record")
    assert [record["key"] for record in each] == ["ada", "grace"]
    rows = run("weir.sources:convert_records_to_list", source, wanted="matrix", features=["Years", "name"], predict_features=[])
    assert rows == [[[3, "Ada, Countess"], [None, "Grace"]]]
    (tmp_path / "people.json").write_text(json.dumps({"untagged": records, "other": {"x": {"features": {}}}}))
    assert run("weir.sources:read", {"source": "people.json"}, wanted="records") == [records]


def test_sources_are_written_as_a_whole(run, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "people.json").write_text('{"other": {"x": {"features": {"n": 1}}}}')
    new = {"grace": {"features": {"Years": 5}}, "alan": {"features": {"Years": 1, "code": "a\"b\nc"}}}
    for file in ("people.csv", "people.json"):
        (count,) = run("weir.sources:update", {"source": file}, wanted="count", records=new)
        (again,) = run("weir.sources:read", {"source": file}, wanted="records")
        assert count == len(again) and again["grace"]["features"]["Years"] == 5
        assert again["alan"] == {"features": {"Years": 1, "code": 'a"b\nc'}}
    assert again.keys() == new.keys() and json.loads((tmp_path / "people.json").read_text())["other"] == {"x": {"features": {"n": 1}}}
    before = (tmp_path / "people.csv").read_text()
    assert "is no map with features" in run("weir.sources:write", {"source": "people.csv"}, wanted="count", records={"x": 1})
    assert (tmp_path / "people.csv").read_text() == before and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("text, said", [
    ("a,b\n1,2\n3\n", "people.csv:3: there are 1 cells for 2 columns"),
    ('a,b\n1,"2\n', "people.csv:2: unexpected end of data"),
    ("a,a\n1,2\n", "people.csv:1: two columns are called 'a'"),
    ("key,a\nx,1\nx,2\n", "two records have the key 'x'"),
])
def test_a_file_that_is_wrong(run, tmp_path, text, said):
    (tmp_path / "people.csv").write_text(text)
    assert said in run("weir.sources:read", {"source": "people.csv"}, wanted="records")
