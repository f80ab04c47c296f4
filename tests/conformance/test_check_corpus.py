"""What `weir check` proves of DFFML's dataflows and Argo's workflows holds in what DFFML and Argo made of them: what never runs did not,
what runs did where nothing failed, and what cannot finish did not end well."""

import json
import re
import subprocess

import pytest

from test_dataflow_corpus import CASES, PLUGIN, WEIR
from test_workflow_corpus import BESIDE, HERE
from test_workflow_corpus import CASES as WORKFLOWS

# Operations of the corpus that give less than they declare, or fail: then what takes their outputs need not run.
UNRELIABLE = {"partial", "nothing", "fail", "badkey", "flaky", "gen"}


def proved(folder, case):
    (folder / "flow.json").write_text(json.dumps(case["dataflow"]))
    (folder / "inputs.json").write_text(json.dumps(case["inputs"]))
    command = [WEIR, "check", "flow.json", "--contexts", "inputs.json", "--plugin", PLUGIN, "-o", "json"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert ran.returncode in (0, 2), ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def own(names):
    return {name for name in names if "/" not in name}


@pytest.mark.parametrize("name", CASES)
def test_dataflow(name, tmp_path):
    case = json.loads(CASES[name].read_text())
    expected = case.get("weir") or case["expected"]
    if not case["inputs"]:
        return
    code, answer = proved(tmp_path, case)
    if "proof" not in answer:
        assert expected.get("error"), answer["problems"]
        return
    proof = answer["proof"]
    assert (code == 0) == proof["can_finish"]
    calls = expected.get("calls")
    never, may = own(proof.get("never", [])), own(item["component"] for item in proof.get("may", []))
    if calls is not None:
        assert not never & {instance for instance, count in calls.items() if count}, (never, calls)
    operations = case["dataflow"]["operations"]
    reliable = not any(operation.get("name") in UNRELIABLE for operation in operations.values())
    if expected.get("error") or case.get("strict") is False or not reliable or calls is None:
        return
    missing = {
        instance
        for instance, operation in operations.items()
        if instance not in never | may and not calls.get(instance) and operation.get("stage") != "output"
    }
    assert not missing, (missing, calls, proof)


def components(nodes):
    """"template.step" of each node that a step made, by its phase; those of hooks and tries left out."""
    by_id = {node["id"]: node for node in nodes}
    for node in nodes:
        around = by_id.get(node.get("boundaryID"))
        # templates of others have names of their own in a proof
        if around and around.get("templateName") and not around.get("templateRef") and ".hooks." not in node["name"] and not node["name"].endswith(".onExit"):
            yield around["templateName"] + "." + re.sub(r"\(.*", "", node["displayName"]), node


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow(name, tmp_path):
    case = json.loads(WORKFLOWS[name].read_text())
    library = [HERE / "configmaps.yaml"] if WORKFLOWS[name].is_relative_to(HERE) else [BESIDE / "library"]
    command = [WEIR, "check", WORKFLOWS[name].with_suffix(".yaml"), "--library", *library, "-o", "json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    proof = json.loads(ran.stdout).get("proof")
    if not proof:
        assert ran.returncode == 2
        return
    assert (ran.returncode == 0) == proof["can_finish"]
    assert proof["can_finish"] or case["phase"] != "Succeeded"
    never, ran_there = set(proof.get("never", [])), dict(components(case["nodes"]))
    wrong = {name: node["phase"] for name, node in ran_there.items() if name in never and node["phase"] not in ("Skipped", "Omitted", "Error")}
    assert not wrong, proof
