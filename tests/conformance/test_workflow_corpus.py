"""Workflows mean what they mean in Argo: each file of workflow/own has beside it what Argo's own controller made of it. Argo's examples, where
they lie beside this tree, have to conform as well.

`deterministic` of a case says what is compared: `exact` all of its nodes, `tree` their names, types and phases, anything else only that the
workflow ends and its tree is one. What Argo's executor said of a file that is not there (`wait: Error …`) may have other words."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
HERE = pathlib.Path(__file__).parent / "workflow"
BESIDE = ROOT.parent / "shared/corpus/workflow"
CASES = {path.stem: path for folder in (HERE / "own", BESIDE / "own", BESIDE / "argo") for path in sorted(folder.glob("*.json"))}
# What weir does not do yet, or does on purpose in another way, and why; one that conforms all the same has to be struck out.
OTHERWISE = {}
COMPARED = {"tree": ("id", "displayName", "type", "phase"), "exact": ("id", "displayName", "type", "phase", "templateName", "templateScope")}
FREE = re.compile(r"wait: Error \(exit code 64\)")


def run_case(path, folder):
    case = json.loads(path.read_text())
    library = [HERE / "configmaps.yaml"] if path.is_relative_to(HERE) else [BESIDE / "library"]
    command = [WEIR, "run", path.with_suffix(".yaml"), "--name", case["name"], "--executor", "process", "--resume-after", "1500ms"]
    command += ["--config", HERE / "weir.yaml", "--library", *library, "-o", "json"]
    return case, subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="session")
def runs(request, tmp_path_factory):
    """The cases that were chosen, by name, and what weir did; many at once, for they sleep up to a minute and a half."""
    names = [item.callspec.params["name"] for item in request.session.items if item.originalname == "test_as_in_argo"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        yield {name: pool.submit(run_case, CASES[name], tmp_path_factory.mktemp("case")) for name in names}


def parameters(ports):
    return {p["name"]: p.get("value") for p in (ports or {}).get("parameters") or []}


def node_of_argo(node):
    """What is compared of a node exactly, beside its texts; others are named by their names."""
    outputs = node.get("outputs") or {}
    return {
        "children": sorted(set(node.get("children") or [])),
        "boundary": node.get("boundary") or None,
        "inputs": parameters(node.get("inputs")),
        "outputs": parameters(outputs),
        "result": outputs.get("result"),
        "exitCode": outputs.get("exitCode"),
    }


def node_of_weir(node, names):
    named = {**node, "children": [names[child] for child in node.get("children") or []], "boundary": names.get(node.get("boundaryID"))}
    return node_of_argo(named)


def check_nodes(case, nodes):
    names = {identity: node["name"] for identity, node in nodes.items()}
    found, wanted = {node["name"]: node for node in nodes.values()}, {node["name"]: node for node in case["nodes"]}
    mode = case.get("deterministic")
    assert all(child in names for node in nodes.values() for child in node.get("children") or [])
    if mode not in COMPARED:
        return
    assert sorted(found) == sorted(wanted)
    for name, node in wanted.items():
        texts = [{key: node.get(key) or "" for key in COMPARED[mode]} for node in (found[name], node)]
        assert texts[0] == texts[1]
        if mode == "exact":
            assert node_of_weir(found[name], names) == node_of_argo(node), name
            if not FREE.search(node.get("message") or ""):
                assert (found[name].get("message") or "") == (node.get("message") or ""), name


def marked(name):
    return pytest.param(name, marks=[pytest.mark.xfail(reason=OTHERWISE[name], strict=True)] if name in OTHERWISE else [])


def check_case(case, ran):
    if not case["nodes"]:  # it is refused
        assert ran.returncode != 0 and (ran.stdout + ran.stderr).strip()
        return
    assert ran.returncode in (0, 1), ran.stderr
    status = json.loads(ran.stdout)["status"]
    assert status["phase"] in ("Succeeded", "Failed", "Error")
    check_nodes(case, status["nodes"])
    if case.get("deterministic") in COMPARED:
        assert status["phase"] == case["phase"]
    if case.get("deterministic") == "exact" and not FREE.search(case.get("message") or ""):
        assert (status.get("message") or "") == (case.get("message") or "")


@pytest.mark.parametrize("name", map(marked, CASES))
def test_as_in_argo(name, runs):
    check_case(*runs[name].result())


def test_the_stand_ins_can_run():
    for program in (HERE / "standins").iterdir():
        assert os.access(program, os.X_OK), program
    assert shutil.which("python3")
