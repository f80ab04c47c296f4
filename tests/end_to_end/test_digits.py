"""examples/digits: the same steps as a dataflow, a pipeline and a workflow give the same; a changed step runs again, with what depends on it."""

import json
import shutil
import sys

import pytest

from conftest import ROOT

ALL = 10  # steps that are cached: load, split, five that evaluate, select, fit, report


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The example with models that learn faster, and a state in which it has run as a dataflow."""
    folder = tmp_path_factory.mktemp("digits")
    for file in (ROOT / "examples/digits").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    code = (folder / "digits.py").read_text()
    less = code.replace('"n_estimators": 60', '"n_estimators": 10').replace('"n_estimators": 25', '"n_estimators": 2')
    assert less != code
    (folder / "digits.py").write_text(less.replace('"max_iter": 200', '"max_iter": 60'))
    return folder


def start(weir, folder, file, directory, *more):
    arguments = ("seed=0", f"directory={directory}") if "workflow" not in file else ()
    done = weir(
        "run", file, *arguments, "--state", folder / "state", "-o", "json", *more, cwd=folder, timeout=300,
        environment={"WEIR_PYTHON": sys.executable, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def workflow(weir, folder):
    """Its scripts find /tmp/digits.py only where a step has a /tmp of its own."""
    return start(
        weir, folder, "digits.workflow.yaml", None, "--executor", "process", "-p", "code=" + (folder / "digits.py").read_text(),
        "--isolation", "auto", "-p", f"python={sys.executable}", "-p", f"pythonpath={ROOT / 'sdk/python'}",
    )


def hits(result):
    nodes = {node["displayName"]: node for node in result["status"]["nodes"].values()}
    return {name for name, node in nodes.items() if node.get("memoizationStatus", {}).get("hit")}


def edit(folder, old, new):
    text = (folder / "digits.py").read_text()
    assert old in text
    (folder / "digits.py").write_text(text.replace(old, new))


def test_the_same_from_all_three(weir, small):
    flow = start(weir, small, "digits.dataflow.yaml", "first")
    report = json.loads((small / "first/report.json").read_text())
    assert flow["results"]["default"]["written"] == report
    assert report["best"] in report["candidates"] and len(report["candidates"]) == 5
    best = max(report["candidates"].values(), key=lambda one: one["mean"])
    assert report["candidates"][report["best"]] == best and report["accuracy"] > 0.97
    assert sum(map(sum, report["confusion"])) == report["tested"] == 450
    page = (small / "first/report.html").read_text()
    assert page.count("<svg") == 3 and f"<b>{report['best']}</b>" in page

    # The pipeline calls the same functions with the same: it finds what they gave.
    pipeline = start(weir, small, "digits.pipeline.yaml", "second")
    assert pipeline["results"]["write.numbers"] == report and pipeline["cached"] == ALL
    assert (small / "second/report.html").read_text() == page

    done = workflow(weir, small)
    (numbers,) = done["status"]["outputs"]["parameters"]
    assert json.loads(numbers["value"]) == report

    # The model is one of weir.models: operations predict with it.
    card = json.loads((small / "first/model/model.json").read_text())
    assert card["estimator"].startswith("sklearn.") and card["records"] == 1347
    (small / "read.json").write_text(json.dumps({
        "linked": True,
        "definitions": {name: {"primitive": "map"} for name in ("record_features", "model_predictions", "get_single_spec")},
        "operations": {
            "read": {"name": "dffml.model.predict", "inputs": {"features": "record_features"}, "outputs": {"prediction": "model_predictions"}},
            "get_single": {"inputs": {"spec": "get_single_spec"}, "stage": "output"},
        },
        "configs": {"read": {"model": {"plugin": card["estimator"], "config": {"directory": "first/model"}}}},
        "seed": [{"value": ["model_predictions"], "definition": "get_single_spec"}],
    }))
    from sklearn.datasets import load_digits

    picture = load_digits().data[0].astype(int).tolist()
    done = weir("run", "read.json", f"record_features={json.dumps({'picture': picture})}", cwd=small, environment={"WEIR_PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model_predictions"]["digit"] == {"value": 0, "confidence": card["score"]}


def test_a_changed_step_runs_again_and_what_depends_on_it(weir, small):
    """After the test above, whose results are kept."""
    if not (small / "first").exists():
        start(weir, small, "digits.dataflow.yaml", "first")
        workflow(weir, small)
    assert start(weir, small, "digits.dataflow.yaml", "again")["cached"] == ALL
    assert len(hits(workflow(weir, small))) == ALL

    # A function that only `report` calls.
    edit(small, "Where it is wrong", "Where it errs")
    assert start(weir, small, "digits.dataflow.yaml", "again")["cached"] == ALL - 1
    assert "Where it errs" in (small / "again/report.html").read_text()
    assert hits(workflow(weir, small)) == {
        "load", "split", "select", "fit",
        *(f"evaluate({at}:{name})" for at, name in enumerate(("logistic", "neighbours", "vectors", "forest", "boosted"))),
    }

    # One in the middle: what is before stays. That it chooses the same makes it the end of what runs.
    edit(small, '(-one["mean"], one["name"])', '(-one["mean"], one["name"], 0)')
    assert start(weir, small, "digits.dataflow.yaml", "again")["cached"] == ALL - 1
    edit(small, '(-one["mean"], one["name"], 0)', '(one["mean"], one["name"])')
    assert start(weir, small, "digits.dataflow.yaml", "again")["cached"] == ALL - 3
    assert json.loads((small / "again/report.json").read_text())["best"] == "boosted"
