"""Workflows are shown as Argo shows them: its object, its tree, its table, its logs."""

import json
import os
import re
import sqlite3
import subprocess
import time

import pytest

from conftest import WEIR

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: w-, labels: {team: red}}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: 0}]}
  templates:
    - name: main
      steps:
        - - {name: first, template: say}
          - {name: never, template: say, when: "1 == 2"}
        - - {name: second, template: leave}
    - name: say
      container: {image: busybox, command: [echo, said]}
    - name: leave
      container: {image: busybox, command: [sh, -c, "exit {{workflow.parameters.code}}"]}
"""


@pytest.fixture
def runs(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    assert weir("run", "w.yaml", "--name", "good").returncode == 0
    assert weir("run", "w.yaml", "--name", "bad", "-p", "code=3").returncode == 1
    return weir


def test_the_object(runs):
    ran = runs("run", "w.yaml", "--name", "third", "-p", "code=5", "-o", "json")
    assert ran.returncode == 1
    got = json.loads(runs("get", "third", "-o", "json").stdout)
    for value in json.loads(ran.stdout), got:
        assert (value["kind"], value["apiVersion"]) == ("Workflow", "argoproj.io/v1alpha1")
        assert value["metadata"]["name"] == value["name"] == "third"
        assert value["metadata"]["labels"]["workflows.argoproj.io/phase"] == "Failed"
        assert value["spec"]["arguments"]["parameters"] == [{"name": "code", "value": "5"}]
        status = value["status"]
        assert (status["phase"], status["progress"]) == (value["phase"], "1/2") == ("Failed", "1/2")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["finishedAt"])
        nodes = {node["name"]: node for node in status["nodes"].values()}
        assert all(status["nodes"][node["id"]] is node for node in nodes.values())
        assert nodes["third"]["outboundNodes"] == [nodes["third[1].second"]["id"]]
        assert nodes["third[0].never"]["type"] == "Skipped" and nodes["third[0].first"]["templateName"] == "say"
        assert nodes["third[0].first"]["children"] == [nodes["third[1]"]["id"]]
        assert {node["templateScope"] for node in nodes.values()} == {"local/third"}
    assert json.loads(ran.stdout)["error"]["where"]["node"] == "third[1].second"


def test_get(runs):
    text = runs("get", "bad", "good").stdout
    assert text.startswith("Name:                bad\n") and "\nName:                good\n" in text
    assert "\nStatus:              Failed\nMessage:             child 'bad-" in text
    assert "\nParameters:          \n  code:              3\n" in text
    host = re.escape(os.uname().nodename)
    tree = [line.rstrip() for line in runs("get", "bad", "-o", "short").stdout.splitlines()]
    assert re.fullmatch(r"STEP +TEMPLATE +PODNAME +DURATION +MESSAGE +NODENAME", tree[0])
    assert re.fullmatch(r" ✖ bad +main +child 'bad-\d+' failed", tree[1])
    assert re.fullmatch(rf" ├─┬─✔ first +say +bad-say-\d+ +\d+s +{host}", tree[2])
    assert re.fullmatch(r" │ └─○ never +say +when '1 == 2' evaluated false", tree[3])
    assert re.fullmatch(rf" └───✖ second +leave +bad-leave-\d+ +\d+s +main: Error \(exit code 3\) +{host}", tree[4])
    assert len(tree) == 5
    assert "RESOURCESDURATION" in runs("get", "bad", "-o", "wide").stdout
    only = runs("get", "bad", "-o", "short", "--status", "Failed", "--no-utf8").stdout
    assert "Failed second" in only and "first" not in only and only.isascii()
    assert "first" in runs("get", "bad", "--node-field-selector", "templateName=say,phase!=Skipped").stdout
    for wrong, said in (["phase"], "no field selector"), (["a=b", "--status", "x"], "exclude each other"):
        refused = runs("get", "bad", "--node-field-selector", *wrong)
        assert refused.returncode == 2 and said in refused.stderr


def test_list(runs):
    head, bad, good = runs("list").stdout.splitlines()
    assert head.split() == ["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE"]
    assert re.fullmatch(r"bad +Failed +\d+s +\S+ +0 +child 'bad-\d+' failed", bad)
    assert re.fullmatch(r"good +Succeeded +\d+s +\S+ +0 +", good)
    wide = runs("list", "-o", "wide", "--no-headers").stdout.splitlines()
    assert wide[0].split()[-3:] == ["0/0/2", "code=3", "team=red"] and wide[1].split()[-2:] == ["0/0/2", "team=red"]
    names = lambda *options: runs("list", "-o", "name", *options).stdout.split()
    assert names("--completed") == ["bad", "good"] and names("--running") == [] and names("--status", "Failed") == ["bad"]
    assert names("--prefix", "go") == ["good"] and names("--older", "1h") == [] and names("--older", "0s") == ["bad", "good"]
    assert names("--older", "0s", "--limit", "1") == ["bad"]
    assert "exclude each other" in runs("list", "--completed", "--phase", "Failed").stderr
    assert "exclude each other" in runs("list", "--prefix", "a", "--name", "b").stderr
    page = runs("list", "--limit", "1")
    assert len(page.stdout.splitlines()) == 2 and not page.stderr


def test_a_long_list(runs, tmp_path):
    """More than is asked for at once: no run twice, none left out."""
    with sqlite3.connect(tmp_path / ".weir/weir.db") as database:
        database.executemany(
            "INSERT INTO runs(id, name, kind, phase, file, owner, parent, created_us, finished_us) VALUES(?, ?, 'workflow', 'Failed', 'f', '', '', ?, ?)",
            [(f"{i:020}", f"r{i}", i + 1, i + 2) for i in range(1200)],
        )
    database.close()
    for limit, count in (0, 1202), (700, 700), (500, 500), (501, 501):
        rows = runs("list", "--no-headers", "--limit", str(limit)).stdout.splitlines()
        assert len(rows) == len({row.split()[0] for row in rows}) == count
        assert [row.split()[0] for row in rows[:2]] == ["r1199", "r1198"]
    assert runs("list", "-o", "name", "--older", "1h", "--limit", "700", "--reverse").stdout.split() == [f"r{i}" for i in range(700)]
    assert "`--after " in runs("list").stderr


def test_logs(runs):
    lines = runs("logs", "good").stdout.splitlines()
    assert len(lines) == 1 and re.fullmatch(r"good-say-\d+: said", lines[0])
    pod = lines[0].split(":")[0]
    assert runs("logs", "good", pod).stdout == f"{pod}: said\n"
    assert runs("logs", "good", "first", "--no-prefix").stdout == "said\n"
    assert runs("logs", "good", "--grep", "^sa").stdout == f"{pod}: said\n" and runs("logs", "good", "--grep", "x").stdout == ""


WHERE = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: where}
spec:
  entrypoint: main
  artifactGC: {strategy: OnWorkflowCompletion}
  templates:
    - name: main
      steps:
        - - {name: a, template: a}
        - - {name: b, template: b, arguments: {parameters: [{name: host, value: "{{steps.a.hostNodeName}}"}]}}
    - name: a
      retryStrategy: {limit: 1}
      container: {image: x, command: [sh, -c, "echo 1 > /tmp/goes; echo 2 > /tmp/stays"]}
      outputs:
        artifacts:
          - {name: goes, path: /tmp/goes}
          - {name: stays, path: /tmp/stays, artifactGC: {strategy: Never}}
    - name: b
      template: main
      inputs: {parameters: [{name: host}]}
      container: {image: x, command: [echo, "{{inputs.parameters.host}}"]}
"""


def test_where_it_ran_and_what_is_gone(weir, tmp_path):
    (tmp_path / "where.yaml").write_text(WHERE)
    done = weir("run", "where.yaml", "-o", "json")
    nodes = {n["displayName"]: n for n in json.loads(done.stdout)["status"]["nodes"].values()}
    host = os.uname().nodename
    assert nodes["a(0)"]["hostNodeName"] == host and "hostNodeName" not in nodes["a"]
    assert nodes["b"]["inputs"]["parameters"] == [{"name": "host", "value": host}]
    assert {a["name"]: a.get("deleted") for a in nodes["a(0)"]["outputs"]["artifacts"]} == {"goes": True, "stays": None}
    assert [path.name for path in (tmp_path / ".weir/artifacts").rglob("*.tgz")] == ["stays.tgz"]


def test_a_template_calls_no_other(weir, tmp_path):
    """Argo 3 ignores the field: without a body of its own the template has none."""
    text = WHERE.replace('container: {image: x, command: [echo, "{{inputs.parameters.host}}"]}', "metadata: {}")
    (tmp_path / "where.yaml").write_text(text)
    done = weir("run", "where.yaml")
    assert done.returncode == 2 and "templates.b template type unspecified" in done.stderr
    assert "call the other one from a step" in done.stderr


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_progress_may_be_written(weir, tmp_path, isolation):
    (tmp_path / "p.yaml").write_text("""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: p}
spec:
  entrypoint: main
  templates:
    - name: main
      script: {image: x, command: [sh, -e], source: 'echo 1/2 > $ARGO_PROGRESS_FILE; cat $ARGO_PROGRESS_FILE'}
""")
    done = weir("run", "p.yaml", "--isolation", isolation)
    assert (done.returncode, done.stdout) == (0, "1/2\n"), done.stderr


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_progress_is_seen(weir, tmp_path, isolation):
    """While it runs, of the last line; what is no N/M is left alone; what succeeded is done, what failed stays as it was."""
    (tmp_path / "p.yaml").write_text("""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: p}
spec:
  entrypoint: main
  volumes: [{name: sync, hostPath: {path: DIR}}]
  templates:
    - name: main
      dag: {tasks: [{name: good, template: t, arguments: {parameters: [{name: then, value: "0"}]}},
                    {name: bad, template: t, arguments: {parameters: [{name: then, value: "1"}]}}]}
    - name: t
      inputs: {parameters: [{name: then}]}
      script:
        image: x
        command: [sh, -e]
        source: |
          f=$ARGO_PROGRESS_FILE
          echo 0/9 > $f; echo 2/10 >> $f
          until test -e /sync/go; do sleep 0.05; done
          echo 11/10 > $f; sleep 0.4
          exit {{inputs.parameters.then}}
        volumeMounts: [{name: sync, mountPath: /sync}]
""".replace("DIR", str(tmp_path)))
    run = subprocess.Popen([WEIR, "run", "p.yaml", "--allow-host-path", "--isolation", isolation], cwd=tmp_path, stdout=subprocess.DEVNULL)

    def look():
        status = json.loads(weir("get", "p", "-o", "json").stdout or "{}").get("status", {})
        nodes = {node["displayName"]: node.get("progress") for node in status.get("nodes", {}).values()}
        return status.get("progress"), nodes.get("good"), nodes.get("bad")

    until = time.monotonic() + 20
    while look() != ("4/20", "2/10", "2/10") and time.monotonic() < until:
        time.sleep(0.1)
    assert look() == ("4/20", "2/10", "2/10")
    (tmp_path / "go").touch()
    assert run.wait(60) == 1
    assert look() == ("12/20", "10/10", "2/10")


def test_the_object_has_calls_as_they_were_written(weir, tmp_path):
    """Templates that are referred to or inline have names of their own within weir: who takes the object elsewhere must not see them."""
    spec = {
        "entrypoint": "main",
        "hooks": {"exit": {"templateRef": {"name": "lib", "template": "say"}}},
        "templates": [
            {"name": "main", "steps": [[
                {"name": "a", "inline": {"steps": [[{"name": "deep", "inline": {"container": {"image": "x", "command": ["true"]}}}]]}},
                {"name": "b", "templateRef": {"name": "lib", "template": "group"}},
            ]]},
            {"name": "graph", "dag": {"tasks": [{"name": "t", "inline": {"suspend": {}}, "hooks": {"exit": {"template": "main"}}}]}},
        ],
    }  # fmt: skip
    say = {"name": "say", "container": {"image": "x", "command": ["true"]}}
    group = {"name": "group", "steps": [[{"name": "s", "template": "say", "onExit": "say"}]]}
    head = {"apiVersion": "argoproj.io/v1alpha1"}
    lib = {**head, "kind": "WorkflowTemplate", "metadata": {"name": "lib"}, "spec": {"templates": [say, group]}}
    (tmp_path / "lib.json").write_text(json.dumps(lib))
    (tmp_path / "w.json").write_text(json.dumps({**head, "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}))
    ran = weir("run", "w.json", "--library", "lib.json", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["spec"] == spec
    assert seen["status"]["storedTemplates"] == {"namespaced/lib/say": say, "namespaced/lib/group": group}


def test_all_labels_and_annotations_are_a_text(weir, tmp_path):
    (tmp_path / "w.yaml").write_text("""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, labels: {z: "1", a: b}, annotations: {why: 'say "so"'}}
spec:
  entrypoint: main
  arguments: {parameters: [{name: p, value: v}]}
  templates:
    - name: main
      inputs: {parameters: [{name: all, value: "{{workflow.labels.json}} {{workflow.annotations}} {{workflow.parameters}} {{workflow.labels.a}}"}]}
      container: {image: x, command: [echo, "{{inputs.parameters.all}}"]}
""")
    ran = weir("run", "w.yaml")
    assert ran.stdout == '{"a":"b","z":"1"} {"why":"say \\"so\\""} [{"name":"p","value":"v"}] b\n', ran.stderr
