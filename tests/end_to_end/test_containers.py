"""Steps as containers of podman, as an ordinary user, and of docker, whose daemon root starts, of an image made of a static busybox. Where
an engine cannot run, the tests say so."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import warnings

import pytest

from test_sandbox import AS_USER, ORDINARY, Place, wait_until

HEAD = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
"""
IMAGE = "weir-test:1"


def make_image(path):
    """An archive with busybox and nothing else."""
    with tarfile.open(path, "w") as tar:
        for folder in ("tmp", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
        tar.add(shutil.which("busybox"), "bin/busybox")
        for name in ("sh", "cat", "echo", "ls", "sleep", "env", "mkdir"):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)


class Containers(Place):
    """With an engine, and without the other one."""

    def __init__(self, engine, path, prefix):
        super().__init__(path, prefix)
        self.name = engine
        self.environment.pop("XDG_DATA_HOME", None)
        other = {"podman": "docker", "docker": "podman"}[engine]
        programs = path / "programs"
        programs.mkdir()
        for folder in os.environ["PATH"].split(":"):
            for program in pathlib.Path(folder).glob("*"):
                if program.name != other and not (programs / program.name).is_symlink():
                    (programs / program.name).symlink_to(program)
        self.environment["PATH"] = str(programs)

    def engine(self, *arguments):
        return subprocess.run(
            [*self.prefix, self.name, *arguments],
            cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=60)

    def import_image(self):
        make_image(self.path / "image.tar")
        os.chmod(self.path / "image.tar", 0o644)
        return self.engine("import", "image.tar", IMAGE)

    def why_it_does_not_run(self):
        ran = self.engine("run", "--rm", "--network", "host", IMAGE, "/bin/echo", "it runs")
        return None if ran.stdout == "it runs\n" else ran.stderr


def missing(*programs):
    absent = [program for program in programs if not shutil.which(program)]
    return f"{' and '.join(absent)} is not installed" if absent else None


@contextlib.contextmanager
def podman(path):
    """Any of the runtimes that are here will do."""
    prefix = AS_USER if os.geteuid() == 0 else []
    made = Containers("podman", path, prefix)
    (path / "run").mkdir(0o700)
    if prefix:
        os.chown(path, ORDINARY, ORDINARY)
        os.chown(path / "run", ORDINARY, ORDINARY)
    made.environment |= {"XDG_RUNTIME_DIR": str(path / "run"), "CONTAINERS_CONF": str(path / "containers.conf")}
    made.write("containers.conf", "")
    imported = made.import_image()
    reason = imported.stderr if imported.returncode else "no runtime"
    for runtime in ("", "crun", "runc"):
        if reason:
            made.write("containers.conf", f'[engine]\nruntime = "{runtime}"\n' if runtime else "")
            reason = made.why_it_does_not_run()
    yield made, reason
    made.engine("unshare", "rm", "-rf", str(path / ".local"))


@contextlib.contextmanager
def docker(path):
    """A daemon of its own, at a socket of its own."""
    if os.geteuid():
        yield None, "dockerd wants root"
        return
    made = Containers("docker", path, [])
    made.environment["DOCKER_HOST"] = f"unix://{path}/docker.sock"
    daemon = subprocess.Popen(
        ["dockerd", "--host", made.environment["DOCKER_HOST"], "--data-root", path / "data", "--exec-root", path / "exec",
         "--pidfile", path / "pid", "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"],
        stdout=(path / "daemon.log").open("w"), stderr=subprocess.STDOUT, start_new_session=True)
    until = time.monotonic() + 30
    while daemon.poll() is None and made.engine("version").returncode and time.monotonic() < until:
        time.sleep(0.1)
    imported = made.import_image()
    yield made, imported.stderr if imported.returncode else made.why_it_does_not_run()
    daemon.terminate()
    daemon.wait(30)
    subprocess.run(["umount", "-l", path / "exec/netns/default"], check=False)  # its containers had the host's network


@pytest.fixture(scope="module", params=[podman, docker], ids=["podman", "docker"])
def engine(request):
    reason = missing("busybox", "podman") if request.param is podman else missing("busybox", "docker", "dockerd")
    with tempfile.TemporaryDirectory(prefix="weir-containers-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        with contextlib.nullcontext((None, reason)) if reason else request.param(pathlib.Path(folder)) as (made, reason):
            if reason:
                warnings.warn(f"CONTAINERS ARE NOT TESTED: {reason}", stacklevel=1)
                pytest.skip(reason)
            yield made
            if made.engine("ps", "-aq").stdout:
                made.engine("rm", "-f", *made.engine("ps", "-aq").stdout.split())


@pytest.fixture
def place(engine):
    shutil.rmtree(engine.path / ".weir", ignore_errors=True)
    yield engine
    assert engine.engine("ps", "-aq").stdout == ""


def run(place, spec, *flags, status=0):
    place.write("w.yaml", HEAD + spec)
    said = place.run("run", "w.yaml", "-o", "json", *flags)
    assert said.returncode == status, said.stdout + said.stderr
    return said


def lines(place):
    return [line.split(": ", 1)[1] for line in place.run("logs", "w").stdout.splitlines()]


def test_a_step_is_a_container(place):
    said = run(place, f"""
  volumes: [{{name: own, emptyDir: {{}}}}]
  volumeClaimTemplates: [{{metadata: {{name: shared}}}}]
  templates:
  - name: main
    steps: [[{{name: a, template: t}}], [{{name: b, template: s, arguments: {{parameters: [{{name: p, value: "{{{{steps.a.outputs.parameters.o}}}}"}}]}}}}]]
  - name: t
    container:
      image: {IMAGE}
      command: [sh, -c]
      args: ["test -e /usr || echo of the image; echo from-a >/tmp/o; echo v >/sh/f; echo x >/own/x; echo $E; test $PATH != {os.environ['PATH'].split(':')[0]} && echo result"]
      env: [{{name: E, value: "two words"}}, {{name: S, valueFrom: {{secretKeyRef: {{name: s, key: k}}}}}}]
      volumeMounts: [{{name: shared, mountPath: /sh}}, {{name: own, mountPath: /own}}]
    outputs: {{parameters: [{{name: o, valueFrom: {{path: /tmp/o}}}}, {{name: x, valueFrom: {{path: /own/x}}}}, {{name: absent, valueFrom: {{path: /none, default: d}}}}]}}
  - name: s
    inputs: {{parameters: [{{name: p}}]}}
    script: {{image: {IMAGE}, command: [sh], source: "echo {{{{inputs.parameters.p}}}}; cat /sh/f; pwd; exit 3", workingDir: /tmp, volumeMounts: [{{name: shared, mountPath: /sh}}]}}
""", "--executor", "container", "--secret", "s.k=env:HOME", status=1)
    assert lines(place) == ["of the image", "two words", "result", "from-a", "v", "/tmp"]
    nodes = {node["displayName"]: node for node in json.loads(said.stdout)["status"]["nodes"].values()}
    assert {p["name"]: p["value"] for p in nodes["a"]["outputs"]["parameters"]} == {"o": "from-a", "x": "x", "absent": "d"}
    assert nodes["b"]["message"] == "main: Error (exit code 3)"
    assert list((place.path / ".weir/sandboxes/containers").iterdir()) == []


def test_auto_takes_what_is_at_hand(place):
    said = run(place, f"""
  templates:
  - name: main
    steps: [[{{name: a, template: here}}, {{name: c, template: here}}], [{{name: b, template: away}}]]
  - name: here
    container: {{image: {IMAGE}, command: [/bin/sh, -c, "test -e /usr || echo container"]}}
  - name: away
    container: {{image: "nobody/has-this:1", command: [/bin/sh, -c, "test -e /usr && echo process"]}}
""", "--executor", "auto", "--pull", "never", status=1)
    assert sorted(lines(place)) == ["container", "container"]
    assert "nobody/has-this:1" in said.stderr and "--executor process" in said.stderr
    assert said.stderr.count(f"steps whose images {place.name} has run in containers") == 1
    shutil.rmtree(place.path / ".weir")
    said = run(place, f"""
  templates:
  - name: main
    container: {{image: {IMAGE}, command: [/bin/sh, -c, "test -e /usr && echo process"]}}
""", "--executor", "process")
    assert lines(place) == ["process"] and place.name not in said.stderr


def test_what_cannot_be_had_is_an_error(place):
    said = run(place, """
  templates:
  - name: main
    container: {image: "localhost/weir-nobody-has-this:1", command: [sh]}
""", "--executor", "container", status=1)
    assert f"{place.name} could not start a container of image" in json.loads(said.stdout)["status"]["message"]


def test_an_end_is_the_containers_end(place):
    run(place, f"""
  templates:
  - name: main
    timeout: 1s
    container: {{image: {IMAGE}, command: [sh, -c, "trap 'echo asked; exit 0' TERM; echo begun; while true; do sleep 0.1; done"]}}
""", "--executor", "container", status=1)
    assert lines(place) == ["begun", "asked"]


def test_what_an_engine_leaves_behind_is_ended(place):
    place.write("w.yaml", HEAD + f"""
  templates:
  - name: main
    container: {{image: {IMAGE}, command: [sh, -c, "echo begun; test -e /tmp/mark/f && exit 0; echo x >/tmp/mark/f; sleep 1000"], volumeMounts: [{{name: m, mountPath: /tmp/mark}}]}}
  volumes: [{{name: m, persistentVolumeClaim: {{claimName: mark}}}}]
""")
    ran = subprocess.Popen(
        place.command("run", "w.yaml", "-q", "--executor", "container"), cwd=place.path, env=place.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (place.path / ".weir/claims/mark/f").exists() and place.engine("ps", "-q").stdout)
    before = place.engine("ps", "-q").stdout
    ran.send_signal(signal.SIGKILL)
    ran.wait()
    said = place.run("recover", "w")
    assert said.returncode == 0, said.stdout + said.stderr
    assert before.strip() not in place.engine("ps", "-aq").stdout


def test_a_sidecar_has_the_volumes_of_main(place):
    run(place, f"""
  templates:
  - name: main
    volumes: [{{name: v, emptyDir: {{}}}}]
    container: {{image: {IMAGE}, command: [sh, -c, "while ! test -s /sh/x; do sleep 0.1; done; cat /sh/x"], volumeMounts: [{{name: v, mountPath: /sh}}]}}
    activeDeadlineSeconds: 20
    sidecars: [{{name: s, image: {IMAGE}, command: [sh, -c, "trap exit TERM; echo beside > /sh/x; sleep 50 & wait"], mirrorVolumeMounts: true}}]
""", "--executor", "container")
    assert lines(place) == ["beside"]
