"""What docs/compatibility.md says of workflows is so: `weir check` refuses each field and tag that a row calls "not yet",
with its place, and accepts each one that "works" or is "cluster only".

Rows whose first cell is nothing but names are read; rows with more words in it are for people."""

import json
import re

import pytest

from conftest import ROOT

NAMES = re.compile(r"`([A-Za-z][\w.]*|\{\{[\w.]+\}\})`")
ROW = re.compile(r"\| ((?:`[^`]+`(?:, )?)+) \| (works|not yet|cluster only) \|")
CALLS = [{"name": "a", "template": "other"}, {"name": "b", "template": "other"}]
BODIES = {
    "container": {"image": "x", "command": ["true"]},
    "script": {"image": "x", "command": ["sh"], "source": "true"},
    "steps": [CALLS],
    "dag": {"tasks": CALLS},
}
# Values of fields that weir reads; any other field gets ANY.
VALUES = {
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata.name": "f", "metadata.generateName": "f-",
    "spec.templates": None, "spec.entrypoint": "main", "spec.arguments.parameters": [],
    "name": None, "template": "other", "steps": [CALLS], "dag.tasks": CALLS, "dag.target": "b", "dag.failFast": False,
    "container.command": ["true"], "container.args": ["x"], "container.env": [{"name": "A", "value": "b"}],
    "container.workingDir": "/", "script.command": ["sh"], "script.source": "true", "script.args": ["a"], "script.env": [], "script.workingDir": "/",
    "inputs.parameters": [{"name": "q", "default": "1"}], "outputs.parameters": [], "arguments.parameters": [],
    "spec.activeDeadlineSeconds": 1, "daemon": True, "timeout": "1s", "activeDeadlineSeconds": 1, "when": "1 == 1", "continueOn.failed": True,
    "continueOn.error": True, "dependencies": ["a"], "depends": "a",
}
ANY = {"x": "x"}


def put(holder, path, value):
    *parents, last = path.split(".")
    for part in parents:
        holder = holder.setdefault(part, {})
    holder[last] = value


def workflow(main):
    other = {"name": "other", "container": dict(BODIES["container"])}
    spec = {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "N", "value": "1"}]},
        "templates": [{"name": "main", **json.loads(json.dumps(main))}, other],
    }
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "f"}, "spec": spec}


def of_spec(path, value):
    document = workflow({"container": BODIES["container"]})
    put(document, path, value)
    return document


def of_template(path, value):
    first = path.partition(".")[0]
    kind = first if first in BODIES else "container"
    document = workflow({kind: BODIES[kind]})
    put(document["spec"]["templates"][0], path, value)
    return document


def of_step(path, value):
    document = workflow({"steps": [[CALLS[0]], [CALLS[1]]]})
    put(document["spec"]["templates"][0]["steps"][1][0], path, value)
    return document


def of_task(path, value):
    document = workflow({"dag": {"tasks": CALLS}})
    put(document["spec"]["templates"][0]["dag"]["tasks"][1], path, value)
    return document


def of_tag(tag, _):
    dag = "{{tasks." in tag
    task = {**CALLS[1], "arguments": {"parameters": [{"name": "x", "value": re.sub(r"(steps|tasks)\.[ST]\.", r"\1.a.", tag)}]}}
    body = {"dag": {"tasks": [CALLS[0], {**task, "dependencies": ["a"]}]}} if dag else {"steps": [[CALLS[0]], [task]]}
    return workflow({**body, "inputs": {"parameters": [{"name": "N", "default": "1"}]}})


PLACES = {
    "Workflow metadata and spec": [of_spec],
    "Templates": [of_template],
    "Steps and DAG tasks": [of_step, of_task],
    "Retry, synchronization, memoize": [of_template],
    "Tags and expressions": [of_tag],
}
# The first two need a template with outputs; the third is refused in other words, as its note says.
OTHERWISE = ("{{steps.S.outputs.parameters.P}}", "{{tasks.T.outputs.parameters.P}}", "{{workflow.parameters.json}}")


def cases():
    text = (ROOT / "docs/compatibility.md").read_text()
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        for names, state in ROW.findall(body) if title in PLACES else []:
            for name in NAMES.findall(names) if not NAMES.sub("", names).strip(", ") else []:
                for build in PLACES[title] if VALUES.get(name, "") is not None and name not in OTHERWISE else []:
                    yield pytest.param(build, name, state, id=f"{build.__name__}-{name}")


@pytest.mark.parametrize("build, name, state", cases())
def test_row(build, name, state, weir, tmp_path):
    (tmp_path / "f.yaml").write_text("# as JSON\n" + json.dumps(build(name, VALUES.get(name, ANY)), indent=1))
    ran = weir("check", "f.yaml")
    if state == "not yet":
        assert ran.returncode == 2, ran.stdout
        assert re.search(r"^f\.yaml:\d+:\d+: .*not supported yet", ran.stderr, re.M), ran.stderr
    else:
        assert ran.returncode == 0, ran.stderr


def test_rows_are_found():
    assert len(list(cases())) > 150
