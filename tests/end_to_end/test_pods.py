"""Pods of several containers: container sets, init containers, sidecars and daemons, isolated and not."""

import json
import os
import socket
import subprocess
import time

import pytest

from conftest import WEIR

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{name: {name}}}\nspec:\n  entrypoint: main\n  templates:\n"


@pytest.fixture
def run(weir, tmp_path):
    """Runs the templates as the workflow `w`; gives the process, and its nodes by name."""

    def call(templates, *arguments, isolation="auto", **options):
        (tmp_path / "w.yaml").write_text(HEAD.format(name="w") + templates)
        process = weir("run", "w.yaml", "--isolation", isolation, "-o", "json", *arguments, **options)
        nodes = json.loads(process.stdout).get("status", {}).get("nodes", {}) if process.stdout else {}
        return process, {node["name"]: node for node in nodes.values()}

    return call


@pytest.fixture
def begin(tmp_path):
    """Begins to run the templates as the workflow `w`; gives the process, which ends with the test."""
    begun = []

    def call(templates, isolation="auto"):
        (tmp_path / "w.yaml").write_text(HEAD.format(name="w") + templates)
        begun.append(subprocess.Popen([WEIR, "run", "w.yaml", "--isolation", isolation], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return begun[-1]

    yield call
    for process in begun:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes(mark):
    """Those whose command has the mark."""
    found = []
    for name in os.listdir("/proc"):
        try:
            command = open(f"/proc/{name}/cmdline", "rb").read() if name.isdigit() else b""
        except OSError:
            continue
        if mark.encode() in command and b"weir" not in command.split(b"\0")[0]:
            found.append(int(name))
    return found


def wait_for(condition, seconds=30):
    due = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < due
        time.sleep(0.02)


SET = """
  - name: main
    steps:
    - - {{name: one, template: set}}
    - - {{name: two, template: say, arguments: {{parameters: [{{name: x, value: "{{{{steps.one.outputs.result}}}}"}}]}}}}
  - name: say
    inputs: {{parameters: [{{name: x}}]}}
    container: {{image: x, command: [echo, "got {{{{inputs.parameters.x}}}}"]}}
  - name: set
    containerSet:
      containers:
      - {{name: a, image: x, command: [sh, -c], args: ["echo of a"]}}
      - {{name: b, image: x, command: [sh, -c], args: ["echo of b; exit {code}"], dependencies: [a]}}
      - {{name: main, image: x, command: [sh, -c], args: ["echo of main"], dependencies: [b]}}
"""


def test_a_set_is_a_graph_of_nodes_within_its_pod(run, weir):
    process, nodes = run(SET.format(code=0))
    assert process.returncode == 0, process.stderr
    assert nodes["w[0].one"]["type"] == "Pod" and nodes["w[0].one"]["outputs"] == {"result": "of main", "exitCode": "0"}
    assert nodes["w[0].one"]["children"] == [nodes["w[0].one.a"]["id"]]
    assert nodes["w[0].one.b"]["children"] == [nodes["w[0].one.main"]["id"]]
    assert nodes["w[0].one.main"]["children"] == [nodes["w[1]"]["id"]]
    assert {nodes[f"w[0].one.{name}"]["phase"] for name in ("a", "b", "main")} == {"Succeeded"}
    assert nodes["w[0].one.a"]["type"] == "Container" and nodes["w[0].one.a"]["boundaryID"] == nodes["w[0].one"]["id"]
    assert weir("logs", "w", "two", "--no-prefix").stdout == "got of main\n"
    assert weir("logs", "w", "one", "-c", "b", "--no-prefix").stdout == "of b\n"
    assert weir("logs", "w", "w[0].one.a", "--no-prefix").stdout == "of a\n"
    assert sorted(weir("logs", "w", "one", "--no-prefix").stdout.split("\n")) == ["", "of a", "of b", "of main"]


def test_what_depends_on_a_failed_container_does_not_run(run, weir):
    process, nodes = run(SET.format(code=4))
    assert process.returncode == 1
    assert nodes["w[0].one"]["message"] == "b: Error (exit code 4)"
    assert nodes["w[0].one.b"]["phase"] == "Failed"
    assert nodes["w[0].one.main"]["phase"] == "Error"
    assert nodes["w[0].one.main"]["message"] == 'main: Error (exit code 64): dependency "b" exited with non-zero code: 4'
    assert "of main" not in weir("logs", "w").stdout


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_containers_share_volumes_of_their_pod(run, isolation):
    process, nodes = run("""
  - name: main
    volumes: [{name: ws, emptyDir: {}}, {name: own, emptyDir: {}}]
    initContainers:
    - {name: prepare, image: x, command: [sh, -c, "echo 1 > /ws/n"], volumeMounts: [{name: ws, mountPath: /ws}]}
    containerSet:
      volumeMounts: [{name: ws, mountPath: /ws}]
      containers:
      - {name: a, image: x, command: [sh, -c, "echo 2 >> /ws/n; touch /own/a"], volumeMounts: [{name: own, mountPath: /own}]}
      - {name: b, image: x, command: [echo, "has nothing to do with it"]}
      - {name: main, image: x, command: [sh, -c, "cat /ws/n; ls /own; echo 3 >> /ws/n"], volumeMounts: [{name: own, mountPath: /own}], dependencies: [a, b]}
    outputs: {parameters: [{name: o, valueFrom: {path: /ws/n}}]}
""", isolation=isolation)
    assert process.returncode == 0, process.stderr
    assert nodes["w"]["outputs"]["parameters"][0]["value"] == "1\n2\n3"


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_artifacts_are_those_of_main_and_of_who_mirrors_it(run, weir, isolation):
    process, nodes = run("""
  - name: main
    steps:
    - - {name: set, template: set, arguments: {artifacts: [{name: in, raw: {data: hello}}]}}
    - - {name: use, template: use, arguments: {artifacts: [{name: in, from: "{{steps.set.outputs.artifacts.out}}"}]}}
  - name: set
    inputs: {artifacts: [{name: in, path: /data/in.txt}]}
    outputs: {artifacts: [{name: out, path: /data/out.txt}]}
    initContainers: [{name: peek, image: x, mirrorVolumeMounts: true, command: [cat, /data/in.txt]}]
    containerSet:
      containers:
      - {name: a, image: x, command: [sh, -c, "test ! -e /data/in.txt"]}
      - {name: main, image: x, command: [sh, -c, "tr a-z A-Z < /data/in.txt > /data/out.txt"], dependencies: [a]}
  - name: use
    inputs: {artifacts: [{name: in, path: /tmp/in.txt}]}
    container: {image: x, command: [cat, /tmp/in.txt]}
""", isolation=isolation)
    assert process.returncode == 0, process.stderr
    assert weir("logs", "w", "set", "-c", "peek", "--no-prefix").stdout == "hello\n"
    assert weir("logs", "w", "use", "--no-prefix").stdout == "HELLO\n"


SIDECAR = """
  - name: main
    container:
      image: x
      command: [python3, -c]
      args:
      - |
        import time, urllib.request
        for _ in range(500):
            try:
                print(urllib.request.urlopen("http://127.0.0.1:{port}/", timeout=5).status)
                break
            except OSError:
                time.sleep(0.02)
    sidecars:
    - {{name: web, image: x, command: [python3, -m, http.server, "{port}", --bind, 127.0.0.1]}}
"""


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_a_sidecar_serves_while_main_runs(run, weir, isolation):
    process, nodes = run(SIDECAR.format(port=free_port()), isolation=isolation)
    assert process.returncode == 0, process.stderr
    assert nodes["w"]["outputs"] == {"exitCode": "0"}
    assert weir("logs", "w", "w", "-c", "main", "--no-prefix").stdout == "200\n"
    assert "GET / HTTP" in weir("logs", "w", "w", "-c", "web", "--no-prefix").stdout


def test_an_init_container_that_fails_is_told_and_main_does_not_begin(run, weir):
    process, nodes = run("""
  - name: main
    initContainers:
    - {name: first, image: x, command: [sh, -c, "echo first"]}
    - {name: prepare, image: x, command: [sh, -c, "echo cannot >&2; exit 3"]}
    container: {image: x, command: [sh, -c, "echo main"]}
""")
    assert process.returncode == 1
    assert nodes["w"]["phase"] == "Failed" and nodes["w"]["message"] == "prepare: Error (exit code 3)"
    assert "cannot" in process.stderr
    assert "main" not in weir("logs", "w", "--no-prefix").stdout.split()


def test_a_command_that_is_not_there_names_its_container(run):
    process, nodes = run("""
  - name: main
    container: {image: x, command: [sleep, "60"]}
    sidecars: [{name: web, image: nginx, command: [/no/such/thing]}]
""")
    assert process.returncode == 1
    assert nodes["w"]["phase"] == "Error"
    assert "`web`" in nodes["w"]["message"] and "/no/such/thing" in nodes["w"]["message"]


STUBBORN = """
  - name: main
    container: {{image: x, command: [sh, -c, "trap '' TERM; sleep {mark} & wait; sleep {mark}"]}}
    sidecars:
    - {{name: away, image: x, command: [sh, -c, "trap '' TERM; (setsid sleep {mark} &); while :; do sleep {mark}; done"]}}
"""


def test_what_ignores_or_flees_its_end_ends(weir, begin):
    mark = f"78{os.getpid()}"
    process = begin(STUBBORN.format(mark=mark))
    wait_for(lambda: len(processes(mark)) >= 3)
    assert weir("terminate", "w").returncode == 0
    assert process.wait(timeout=30) == 1
    wait_for(lambda: not processes(mark))
    assert weir("get", "w", "-o", "json").returncode == 0


def test_a_deadline_is_of_all_containers(run):
    mark = f"79{os.getpid()}"
    process, nodes = run(f"""
  - name: main
    timeout: 300ms
    containerSet:
      containers:
      - {{name: a, image: x, command: [sh, -c, "exec sleep {mark}"]}}
      - {{name: b, image: x, command: [sh, -c, "exec sleep {mark}"]}}
      - {{name: c, image: x, command: [sh, -c, "echo c"], dependencies: [a, b]}}
""")
    assert nodes["w"]["phase"] == "Failed"
    assert nodes["w"]["message"] == "Pod was active on the node longer than the specified deadline"
    assert {nodes[name]["phase"] for name in ("w.a", "w.b", "w.c")} == {"Failed"}
    assert not processes(mark)


DAEMON = """
  - name: main
    steps:
    - - {{name: srv, template: srv}}
    - - {{name: use, template: use, arguments: {{parameters: [{{name: ip, value: "{{{{steps.srv.ip}}}}"}}]}}}}
  - name: use
    inputs: {{parameters: [{{name: ip}}]}}
    container: {{image: x, command: [sh, -c, "{use}"]}}
  - name: srv
    daemon: true
    container:
      image: x
      command: [python3, -c]
      args:
      - |
        import http.server, pathlib, time
        time.sleep(0.3)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", {port}), http.server.SimpleHTTPRequestHandler)
        pathlib.Path("{file}").write_text("up")
        server.serve_forever()
      ports: [{{name: web, containerPort: {port}}}]
      readinessProbe: {probe}
"""
PROBES = {
    "http": "{{httpGet: {{path: /, port: web, httpHeaders: [{{name: X-A, value: b}}]}}, timeoutSeconds: 5}}",
    "tcp": "{{tcpSocket: {{port: {port}}}, periodSeconds: 1}}",
    "exec": "{{exec: {{command: [test, -e, {file}]}}, timeoutSeconds: 5}}",
}


@pytest.mark.parametrize("probe, isolation", [("http", "auto"), ("tcp", "none"), ("exec", "auto"), ("exec", "none")])
def test_a_daemon_is_ready_when_its_probe_says_so(run, tmp_path, probe, isolation):
    port = free_port()
    # Isolated, the file is the daemon's own: the probe looks where the daemon lives.
    file = "/tmp/up" if isolation == "auto" else str(tmp_path / "up")
    use = f"python3 -c 'import socket; socket.create_connection((\\\"{{{{inputs.parameters.ip}}}}\\\", {port}), 5)'"
    process, nodes = run(DAEMON.format(port=port, file=file, use=use, probe=PROBES[probe].format(port=port, file=file)), isolation=isolation)
    assert process.returncode == 0, process.stderr
    assert nodes["w[0].srv"]["phase"] == "Succeeded" and nodes["w[0].srv"]["podIP"] == "127.0.0.1"
    assert "outputs" not in nodes["w[0].srv"]


def test_a_daemon_that_ends_by_itself_failed(run):
    process, nodes = run("""
  - name: main
    dag:
      tasks:
      - {name: srv, template: srv}
      - {name: use, template: use}
  - {name: srv, daemon: true, container: {image: x, command: [sh, -c, "sleep 0.2"]}}
  - {name: use, container: {image: x, command: [sleep, "0.6"]}}
""")
    assert process.returncode == 1
    assert nodes["w.srv"]["phase"] == "Failed" and "message" not in nodes["w.srv"]
    assert nodes["w.use"]["phase"] == "Succeeded"


def test_a_daemon_of_several_containers_is_ready_when_all_are(run):
    process, nodes = run("""
  - name: main
    steps:
    - - {name: srv, template: srv}
    - - {name: use, template: use}
  - name: srv
    daemon: true
    initContainers: [{name: first, image: x, command: ["true"]}]
    container: {image: x, command: [sleep, "1000"], readinessProbe: {exec: {command: ["true"]}}}
    sidecars: [{name: side, image: x, command: [sleep, "1000"]}, {name: short, image: x, command: ["true"]}]
  - {name: use, container: {image: x, command: ["true"]}}
""")
    assert process.returncode == 0, process.stderr
    assert nodes["w[0].srv"]["phase"] == "Succeeded"


def test_a_daemon_has_a_deadline_and_is_tried_again(run):
    process, nodes = run("""
  - name: main
    steps:
    - - {name: srv, template: srv}
    - - {name: use, template: use}
  - {name: srv, daemon: true, timeout: 300ms, retryStrategy: {limit: 1}, container: {image: x, command: [sleep, "1000"]}}
  - {name: use, container: {image: x, command: [sleep, "0.45"]}}
""")
    assert nodes["w[0].srv(0)"]["message"] == "Pod was active on the node longer than the specified deadline"
    assert nodes["w[0].srv(1)"]["phase"] == "Succeeded"
    assert process.returncode == 0, process.stderr


def test_after_a_kill_steps_wait_until_their_daemon_is_ready_again(weir, begin, tmp_path):
    port, file = free_port(), tmp_path / "up"
    use = f"""echo x >> {tmp_path}/begun; python3 -c 'import socket, time; socket.create_connection((\\"127.0.0.1\\", {port}), 1); time.sleep(3 if open(\\"{tmp_path}/begun\\").read() == \\"x\\\\n\\" else 0)'"""
    process = begin(DAEMON.format(port=port, file=file, use=use, probe=PROBES["tcp"].format(port=port)), "none")
    wait_for((tmp_path / "begun").exists)
    process.kill()
    process.wait()
    done = weir("recover", "w", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "begun").read_text() == "x\nx\n"


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_a_killed_run_leaves_no_containers_and_goes_on(weir, begin, isolation):
    mark = f"76{os.getpid()}"
    process = begin(f"""
  - name: main
    steps:
    - - {{name: srv, template: srv}}
    - - {{name: pod, template: pod}}
  - {{name: srv, daemon: true, container: {{image: x, command: [sh, -c, "exec sleep {mark}"]}}}}
  - name: pod
    container: {{image: x, command: [sh, -c, "case $WEIR_ATTEMPT in */1/0) exec sleep {mark};; esac"]}}
    sidecars: [{{name: s, image: x, command: [sh, -c, "exec sleep {mark}"]}}]
""", isolation)
    wait_for(lambda: len(processes(mark)) == 3)
    before = set(processes(mark))
    process.kill()
    process.wait()
    if isolation == "auto":
        wait_for(lambda: not processes(mark))
    recovered = weir("recover", "w", environment={"WEIR_ISOLATION": isolation})
    assert recovered.returncode == 0, recovered.stderr
    wait_for(lambda: not processes(mark))
    assert not before & set(processes(mark))


@pytest.mark.parametrize(
    "templates, message",
    [
        ("  - {name: main, containerSet: {containers: []}}\n", "must have at least one container"),
        ("  - {name: main, containerSet: {containers: [{name: a, dependencies: [z]}]}}\n", "containers.a dependency 'z' not defined"),
        ("  - {name: main, containerSet: {containers: [{name: a, dependencies: [b]}, {name: b, dependencies: [a]}]}}\n", "dependency cycle detected"),
        ("  - {name: main, containerSet: {containers: [{name: a}, {name: a}]}}\n", "is not unique"),
        ("  - {name: main, containerSet: {containers: [{name: a}]}, outputs: {parameters: [{name: o, valueFrom: {path: /o}}]}}\n", 'must have a container named "main"'),
        ("  - {name: main, container: {image: x}, sidecars: [{name: main, command: [a]}]}\n", "is that of a container of Argo's"),
        ("  - {name: main, suspend: {}, sidecars: [{name: a, command: [a]}]}\n", "`sidecars` is not supported yet"),
        ("  - {name: main, daemon: true, container: {image: x, command: [a], readinessProbe: {tcpSocket: {port: web}}}}\n", "a probe's port is a number"),
        ("  - {name: main, daemon: true, container: {image: x, command: [a], readinessProbe: {}}}\n", "a probe has one of exec, httpGet and tcpSocket"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_runs(run, templates, message):
    process, _ = run(templates)
    assert process.returncode == 2
    assert message in process.stderr
