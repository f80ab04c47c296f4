"""Inline templates: what their step may name they may name, too."""

import json

FILE = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
  templates:
  - name: echo
    inputs: {parameters: [{name: m}]}
    container: {image: a, command: [echo, '{{inputs.parameters.m}}']}
  - name: main
    inputs: {parameters: [{name: p, value: P}]}
    steps:
    - - {name: a, template: echo, arguments: {parameters: [{name: m, value: r}]}}
    - - name: b
        withItems: [{k: 1}, {k: 2}]
        inline:
          inputs: {parameters: [{name: q, value: '{{item.k}}'}, {name: own, value: o}]}
          container: {image: a, command: [echo, '{{item.k}} {{inputs.parameters.q}} {{steps.a.outputs.result}} {{inputs.parameters.p}} {{=item.k + inputs.parameters.own}}']}
      - name: c
        withItems: [x]
        inline:
          dag:
            tasks:
            - name: t
              template: echo
              arguments: {parameters: [{name: m, value: '{{item}} {{steps.a.outputs.result}}'}]}
            - name: u
              dependencies: [t]
              inline: {inputs: {parameters: [{name: v, value: '{{item}} {{tasks.t.outputs.result}}'}]}, container: {image: a, command: ['true']}}
"""


def test_what_is_around_it(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(FILE)
    done = weir("run", "w.yaml", "-o", "json")
    assert done.returncode == 0, done.stderr
    nodes = {n["displayName"]: n for n in json.loads(done.stdout)["status"]["nodes"].values()}
    given = {name: [p["value"] for p in (n.get("inputs") or {}).get("parameters", [])] for name, n in nodes.items()}
    assert given["b(0:k:1)"] == ["1", "o"] and given["b(1:k:2)"] == ["2", "o"]
    assert given["t"] == ["x r"] and given["u"] == ["x x r"]
    said = weir("logs", "w", "--no-prefix").stdout.splitlines()
    assert {"1 1 r P 1o", "2 2 r P 2o", "x r"} <= set(said)


def test_what_nobody_has_is_refused(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(FILE.replace("{{steps.a.outputs.result}} {{inputs.parameters.p}}", "{{steps.none.outputs.result}}"))
    done = weir("run", "w.yaml")
    assert done.returncode == 2 and "failed to resolve {{steps.none.outputs.result}}" in done.stderr
