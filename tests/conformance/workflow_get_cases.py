"""Makes cases of what `argo get` printed: a file of each, {now, workflow, text}, which tests/unit/workflow_text_test.c reads.

usage: workflow_get_cases.py FROM TO

FROM has NAME.get.txt and NAME.json, which is what Argo's controller left, without times. What a time is follows from the text: the rows of the
tree begin one after the other, and take as long as they say. In two places the text itself is changed: an artifact is where its key says, since Argo
prints the members of a Go structure, and resources, which Argo prints in any order, come in one."""

import datetime
import json
import pathlib
import re
import sys

YEAR = 2026
APART_S = 60  # between the starts of two rows


def moment(text):
    return datetime.datetime.strptime(f"{YEAR} {text[4:]}", "%Y %b %d %H:%M:%S %z").astimezone(datetime.timezone.utc)


def say(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def head_of(text):
    """{title: value} of the head, and {title: [(name, value)]} of what is indented below one."""
    head, lists, title = {}, {}, None
    for line in text.split("\nSTEP")[0].splitlines():
        if line.startswith(" "):
            lists.setdefault(title, []).append((line[:20].strip().rstrip(":"), line[21:]))
        elif line:
            title, head[line[:20].split(":")[0]] = line.split(":")[0], line[21:]
    return head, lists


def rows_of(text):
    """(display name, pod, seconds) of each line of the tree."""
    lines = text.split("\nSTEP")[1].splitlines() if "\nSTEP" in text else []
    if not lines:
        return []
    at = {title: ("STEP" + lines[0]).index(title) for title in ("TEMPLATE", "PODNAME", "DURATION", "MESSAGE")}
    rows = []
    for line in lines[1:]:
        if not line.strip():
            continue
        name = re.sub(r"^[ │├└─┬]*[✔✖⚠●◷○ǁ] ", "", line[: at["TEMPLATE"]]).strip()
        taken = re.sub(r"\D", "", line[at["DURATION"] : at["MESSAGE"]])
        rows.append((name, line[at["PODNAME"] : at["DURATION"]].strip(), int(taken or 0)))
    return rows


def put_times(nodes, rows, begin):
    """Those of the rows, then of what has none: when the first of its children begins."""
    free = list(nodes.values())
    for i, (name, pod, taken) in enumerate(rows):
        node = next(n for n in free if n["displayName"] == name and n.get("podName", "") == pod)
        free.remove(node)
        started = begin + datetime.timedelta(seconds=APART_S * i)
        node["startedAt"], node["finishedAt"] = say(started), say(started + datetime.timedelta(seconds=taken))
    for _ in range(3):
        for node in free:
            starts = [nodes[child]["startedAt"] for child in node.get("children", []) if "startedAt" in nodes[child]]
            node["startedAt"] = node["finishedAt"] = min(starts or [say(begin)])


def workflow_of(case, text):
    head, lists = head_of(text)
    ids = {node["name"]: node["id"] for node in case["nodes"] or []}
    nodes = {}
    for node in case["nodes"] or []:
        node = {key: value for key, value in node.items() if key != "boundary"}
        for member in ("children", "outboundNodes"):
            if member in node:
                node[member] = [ids[name] for name in node[member]]
        nodes[node["id"]] = node
    status = {"phase": head["Status"], "message": case.get("message", ""), "progress": head["Progress"], "nodes": nodes}
    status["conditions"] = [{"type": name, "status": value} for name, value in lists.get("Conditions", [])]
    for member, title in (("startedAt", "Started"), ("finishedAt", "Finished")):
        status[member] = say(moment(head[title].split(" (")[0]))
    if case.get("outputs"):
        status["outputs"] = case["outputs"]
    if "ResourcesDuration" in head:
        durations = re.findall(r"(\d+)s\*\(\w+ (\w+)\)", head["ResourcesDuration"])
        status["resourcesDuration"] = {name: int(seconds) for seconds, name in durations}
    put_times(nodes, rows_of(text), moment(head["Started"].split(" (")[0]))
    for node in nodes.values():
        node.pop("podName", None)
    metadata = {"name": case["name"], "namespace": head["Namespace"]}
    metadata["creationTimestamp"] = say(moment(head["Created"].split(" (")[0]))
    parameters = [{"name": name, "value": value} for name, value in lists.get("Parameters", [])]
    spec = {"arguments": {"parameters": parameters}} if parameters else {}
    return {"metadata": metadata, "spec": spec, "status": status}


def case_of(path):
    text = path.with_suffix("").with_suffix(".get.txt").read_text()
    workflow = workflow_of(json.loads(path.read_text()), text)
    created, ago = re.match(r"(.*) \((\d+) minutes? ago\)", head_of(text)[0]["Created"]).groups()
    now = moment(created) + datetime.timedelta(minutes=int(ago), seconds=30)
    text = re.sub(r"&S3Artifact\{.*Key:([^,]*),\}", r"\1", text)
    text = re.sub(r"(\d+s\*\(100Mi memory\)),(\d+s\*\(1 cpu\))", r"\2,\1", text)
    return {"now": say(now), "workflow": workflow, "text": text}


def make(source, target):
    """How many cases there were."""
    paths = [path for path in sorted(source.glob("*.json")) if path.with_suffix("").with_suffix(".get.txt").exists()]
    for path in paths:
        (target / path.name).write_text(json.dumps(case_of(path), indent=1, ensure_ascii=False) + "\n")
    return len(paths)


if __name__ == "__main__":
    print(make(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
