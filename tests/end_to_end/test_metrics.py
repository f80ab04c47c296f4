"""Metrics of workflows: kept with the run, shown as Prometheus reads them."""

import json
import re
import subprocess
import time

from conftest import WEIR

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: NAME}\n"
WORKFLOW = HEAD + """spec:
  entrypoint: main
  metrics:
    prometheus:
    - {name: whole, help: 'the "whole" of it', labels: [{key: name, value: '{{workflow.name}}'}, {key: how, value: '{{workflow.status}}'}], gauge: {value: '{{=asFloat(workflow.duration) < 60 ? 1 : 2}}'}}
  templates:
  - name: main
    steps: [[{name: a, template: count, arguments: {parameters: [{name: num, value: '{{item}}'}]}, withItems: [1, 20, 300]}], [{name: b, template: fails, continueOn: {failed: true}}]]
  - name: count
    inputs: {parameters: [{name: num}]}
    outputs: {parameters: [{name: size, valueFrom: {path: 'FOLDER/{{inputs.parameters.num}}'}}]}
    metrics:
      prometheus:
      - {name: size, help: sizes, labels: [{key: num, value: '{{inputs.parameters.num}}'}], gauge: {value: '{{outputs.parameters.size}}', realtime: false}}
      - {name: sizes, help: all sizes, histogram: {buckets: [5, 50.5], value: '{{outputs.parameters.size}}'}}
      - {name: ended, help: ends, labels: [{key: status, value: '{{status}}'}], counter: {value: '1'}}
    container: {image: x, command: [sh, -c, 'printf {{inputs.parameters.num}} > FOLDER/{{inputs.parameters.num}}']}
  - name: fails
    retryStrategy: {limit: 1}
    metrics:
      prometheus:
      - {name: ended, help: ends, labels: [{key: status, value: '{{status}}'}], counter: {value: '{{=retries == "1" ? 1 : 100}}'}}
      - {name: never, help: never, when: '{{status}} == Succeeded', counter: {value: '1'}}
      - {name: code, help: exit code, gauge: {value: '{{exitCode}}'}}
    container: {image: x, command: [sh, -c, 'exit 3']}
"""


def run(weir, tmp_path, name, text, code=0):
    (tmp_path / f"{name}.yaml").write_text(text.replace("NAME", name).replace("FOLDER", str(tmp_path)))
    done = weir("run", f"{name}.yaml", "-o", "json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_metrics_are_shown_as_prometheus_reads_them(weir, tmp_path):
    run(weir, tmp_path, "one", WORKFLOW)
    wanted = """# HELP argo_workflows_size sizes
# TYPE argo_workflows_size gauge
argo_workflows_size{num="1"} 1
argo_workflows_size{num="20"} 20
argo_workflows_size{num="300"} 300
# HELP argo_workflows_sizes all sizes
# TYPE argo_workflows_sizes histogram
argo_workflows_sizes_bucket{le="5"} 1
argo_workflows_sizes_bucket{le="50.5"} 2
argo_workflows_sizes_bucket{le="+Inf"} 3
argo_workflows_sizes_sum 321
argo_workflows_sizes_count 3
# HELP argo_workflows_ended ends
# TYPE argo_workflows_ended counter
argo_workflows_ended{status="Succeeded"} 3
argo_workflows_ended{status="Failed"} 1
# HELP argo_workflows_code exit code
# TYPE argo_workflows_code gauge
argo_workflows_code 3
# HELP argo_workflows_whole the "whole" of it
# TYPE argo_workflows_whole gauge
argo_workflows_whole{name="one",how="Succeeded"} 1
"""
    shown = weir("metrics", "one").stdout
    assert sorted(shown.splitlines()) == sorted(wanted.splitlines())
    run(weir, tmp_path, "two", WORKFLOW)
    both = weir("metrics").stdout
    assert 'argo_workflows_ended{status="Succeeded"} 6\n' in both and "argo_workflows_sizes_count 6\n" in both
    assert 'argo_workflows_size{num="20"} 20\n' in both and 'argo_workflows_whole{name="two",how="Succeeded"} 1\n' in both
    assert weir("metrics", "--file", "weir.prom").stdout == ""
    assert (tmp_path / "weir.prom").read_text() == both
    kept = json.loads(weir("metrics", "two", "-o", "json").stdout)
    assert {"name": "code", "type": "gauge", "value": 3, "labels": {}}.items() <= next(m for m in kept if m["name"] == "code").items()
    assert next(m for m in kept if m["name"] == "code")["node"] == "two[1].b"
    assert weir("metrics", "none").returncode == 2


def test_what_cannot_be_given_is_a_condition(weir, tmp_path):
    text = HEAD + """spec:
  entrypoint: main
  metrics: {prometheus: [{name: fine, help: h, gauge: {value: '1'}}]}
  templates:
  - name: main
    metrics: {prometheus: [{name: bad, help: h, gauge: {value: 'many'}}, {name: worse, help: h, gauge: {value: '{{outputs.parameters.none}}'}}]}
    container: {image: x, command: ['true']}
"""
    status = run(weir, tmp_path, "bad", text)["status"]
    assert {"type": "MetricsError", "status": "True", "message": "metric 'bad': `many` is no number"} in status["conditions"]
    assert weir("metrics", "bad").stdout.endswith("argo_workflows_fine 1\n")


def test_metrics_that_are_none_are_refused(weir, tmp_path):
    for body, message in [
        ("{name: 'a-b', help: h, gauge: {value: '1'}}", "metric name 'a-b' is invalid"),
        ("{name: a, gauge: {value: '1'}}", "must contain a help string"),
        ("{name: a, help: h}", "must have one of gauge, counter and histogram"),
        ("{name: a, help: h, gauge: {value: '1'}, counter: {value: '1'}}", "must have one of"),
        ("{name: a, help: h, histogram: {value: '1'}}", "needs `buckets`"),
        ("{name: a, help: h, counter: {value: '1'}, labels: [{key: 'x y', value: b}]}", "a key is of letters"),
    ]:
        (tmp_path / "w.yaml").write_text(HEAD.replace("NAME", "w") + f"spec:\n  entrypoint: m\n  metrics: {{prometheus: [{body}]}}\n  templates: [{{name: m, suspend: {{}}}}]\n")
        done = weir("check", "w.yaml")
        assert done.returncode == 2 and message in done.stderr + done.stdout, (body, done.stderr)


REALTIME = HEAD + """spec:
  entrypoint: main
  metrics: {prometheus: [{name: whole, help: of the run, gauge: {realtime: true, value: '{{workflow.duration}}'}}]}
  templates:
  - name: main
    steps: [[{name: a, template: waits}, {name: b, template: quick}]]
  - name: waits
    metrics:
      prometheus:
      - {name: waited, help: so far, labels: [{key: how, value: '{{status}}'}], gauge: {realtime: true, value: '{{duration}}'}}
      - {name: later, help: at its end, gauge: {value: '{{duration}}'}}
    container: {image: x, command: [sh, -c, 'until test -e FOLDER/go; do sleep 0.02; done']}
  - name: quick
    metrics: {prometheus: [{name: over, help: is over, gauge: {realtime: true, value: '{{duration}}'}}]}
    container: {image: x, command: ['true']}
"""


def test_realtime_gauges_are_shown_while_it_runs(weir, tmp_path):
    def shown():
        text = weir("metrics", "live").stdout
        return {name: float(value) for name, value in re.findall(r"^argo_workflows_(\w+(?:\{.*\})?) (.*)$", text, re.MULTILINE)}

    (tmp_path / "live.yaml").write_text(REALTIME.replace("NAME", "live").replace("FOLDER", str(tmp_path)))
    running = subprocess.Popen([WEIR, "run", "live.yaml"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while not (first := shown()).get("over") or first["over"] != shown()["over"] or "waited{how=\"Running\"}" not in first:
        assert time.monotonic() < until
    time.sleep(0.1)
    second = shown()
    assert second["waited{how=\"Running\"}"] >= first["waited{how=\"Running\"}"] + 0.1
    assert second["whole"] >= first["whole"] + 0.1
    assert second["over"] == first["over"] and "later" not in second
    (tmp_path / "go").touch()
    assert running.wait(20) == 0
    last = shown()
    assert last == shown() and set(last) == {"whole", "waited{how=\"Succeeded\"}", "later", "over"}
