"""What docs/compatibility.md says of workflows is so: `weir check` refuses each field and tag that a row calls "not yet",
with its place, and accepts each one that "works" or is "cluster only".

Rows whose first cell is nothing but names are read; rows with more words in it are for people."""

import json
import re

import pytest

from conftest import ROOT

NAMES = re.compile(r"`([A-Za-z][\w.]*|\{\{[\w.]+\}\})`")
ROW = re.compile(r"\| ((?:`[^`]+`(?:, )?)+) \| (?:([a-z ]+) \| )?(works|not yet|cluster only) \|")
TYPES = {
    "text": "x", "text or number": "x", "integer": 1, "integer or text": 1, "boolean": True, "object": {}, "map": {}, "anything": "x",
    "list": [], "list of lists": [], "list of texts": ["x"], "map of texts": {"x": "x"},
}
CALLS = [{"name": "a", "template": "other"}, {"name": "b", "template": "other"}]
BODIES = {
    "suspend": {},
    "container": {"image": "x", "command": ["true"]},
    "script": {"image": "x", "command": ["sh"], "source": "true"},
    "steps": [CALLS],
    "dag": {"tasks": CALLS},
    "containerSet": {"containers": [{"name": "a", "image": "x", "command": ["true"]}]},
    "data": {"source": {"artifactPaths": {"name": "d", "s3": {"key": "k"}}}},
    "http": {"url": "http://127.0.0.1/"},
}
# Values of fields that have to mean something; any other field gets one of its type. None: there in every case.
VALUES = {
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "f"}, "spec": None, "name": None,
    "spec.templates": None, "spec.entrypoint": "main", "spec.onExit": "other", "spec.workflowTemplateRef": None,
    "spec.templateDefaults": {"timeout": "30s"}, "spec.retryStrategy": {"limit": 1}, "spec.hooks": {}, "hooks": {},
    "template": "other", "templateRef": None, "inline": {"container": {"image": "x", "command": ["true"]}},
    "steps": [CALLS], "dag": {"tasks": CALLS}, "dag.tasks": CALLS, "dag.target": "b", "script": BODIES["script"],
    "container": BODIES["container"], "container.workingDir": "/", "script.command": ["sh"], "script.workingDir": "/",
    "timeout": "1s", "when": "1 == 1", "dependencies": ["a"], "depends": "a", "onExit": "other", "container.name": "main", "script.name": "main",
    "suspend.duration": "1s", "withItems": [1], "withParam": "[1]", "withSequence": {"count": 2},
    "data": BODIES["data"], "data.source": BODIES["data"]["source"], "data.transformation": [{"expression": "data"}],
    "containerSet": BODIES["containerSet"], "containerSet.containers": BODIES["containerSet"]["containers"], "containerSet.retryStrategy": {"retries": 1},
    "retryStrategy.retryPolicy": "Always", "retryStrategy.backoff": {"duration": "1s"}, "retryStrategy.expression": "asInt(retries) < 2", "memoize": None,
    "memoize.key": None, "memoize.maxAge": None, "memoize.cache": None,
    "spec.shutdown": "Stop", "pendingTimeout": "1s", "synchronization.mutex": {"name": "m"}, "synchronization.semaphore": None,
    "http": BODIES["http"], "http.method": "POST", "http.successCondition": "response.statusCode == 200", "http.headers": [{"name": "A", "value": "b"}],
    "http.bodyFrom": {"bytes": "eA=="},
}
# The kinds that a template may have one of.
KINDS = (*BODIES, "suspend", "containerSet", "data", "http", "resource", "plugin")


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
    kind = first if first in KINDS else "steps" if first in ("parallelism", "failFast") else "container"
    document = workflow({kind: BODIES.get(kind, {})})
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
    if "{{item" in tag:
        task["withItems"] = [{"KEY": 1}]
    body = {"dag": {"tasks": [CALLS[0], {**task, "dependencies": ["a"]}]}} if dag else {"steps": [[CALLS[0]], [task]]}
    return workflow({**body, "inputs": {"parameters": [{"name": "N", "default": "1"}]}})


STEPS = [of_step, of_task]
PLACES = {
    "The file": [of_spec], "Metadata": [of_spec], "Workflow spec": [of_spec], "Workflow metadata": [of_spec],
    "Templates": [of_template], "Inputs": [of_template], "Outputs": [of_template], "Containers": [of_template],
    "Scripts": [of_template], "DAG": [of_template], "Retries": [of_template], "Synchronization": [of_template],
    "Memoize": [of_template], "Metrics": [of_template], "Suspend": [of_template], "Container sets": [of_template],
    "Data": [of_template], "HTTP": [of_template], "Resources": [of_template],
    "Steps": [of_step], "DAG tasks": [of_task], "Arguments": STEPS, "Tags and expressions": [of_tag],
}
# They need a template with outputs, or with artifacts.
OTHERWISE = ("{{inputs.artifacts.A.path}}", "{{outputs.parameters.N.path}}", "{{outputs.artifacts.A.path}}", "{{inputs.artifacts.A}}",
             "{{steps.S.outputs.artifacts.A}}", "{{tasks.T.outputs.artifacts.A}}",
             "{{steps.S.outputs.parameters.P}}", "{{tasks.T.outputs.parameters.P}}", "{{steps.S.outputs.parameters}}", "{{tasks.T.outputs.parameters}}")


def cases():
    text = (ROOT / "docs/compatibility.md").read_text()
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        for names, kind, state in ROW.findall(body) if title in PLACES else []:
            for name in NAMES.findall(names) if not NAMES.sub("", names).strip(", ") else []:
                value = VALUES.get(name, TYPES[kind or "text"])
                if state == "not yet" and not value:
                    value = [{"name": "x"}] if value == [] else {"x": "x"}
                for build in PLACES[title] if value is not None and name not in OTHERWISE else []:
                    yield pytest.param(build, name, value, state, id=f"{title}-{build.__name__}-{name}")


@pytest.mark.parametrize("build, name, value, state", cases())
def test_row(build, name, value, state, weir, tmp_path):
    (tmp_path / "f.yaml").write_text("# as JSON\n" + json.dumps(build(name, value), indent=1))
    ran = weir("check", "f.yaml")
    assert "unknown field" not in ran.stderr or state == "not yet", ran.stderr
    if state == "not yet":
        assert ran.returncode == 2, ran.stdout
        assert re.search(r"^f\.yaml:\d+:\d+: .*(not supported yet|needs Kubernetes)", ran.stderr, re.M), ran.stderr
    else:
        assert ran.returncode == 0, ran.stderr


def test_rows_are_found():
    assert len(list(cases())) > 200
