"""Steps in images: as whoever runs the tests and, if that is root, as an ordinary user. Images come from a registry on loopback."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
import yaml

import images
from conftest import ROOT
from registry_server import Meddler, Registry
from test_sandbox import AS_USER, Place, folder_of, probed, sandboxes, wait_until


class Steps(Place):
    """Workflows whose steps name images of `registry`."""

    def __init__(self, path, prefix):
        super().__init__(path, prefix)
        self.environment["WEIR_EXECUTOR"] = "auto"
        self.environment["WEIR_IMAGES"] = str(path / "images")

    def workflow(self, templates, name="w.yaml", **spec):
        spec = {"entrypoint": next(iter(templates)), "templates": [{"name": key, **value} for key, value in templates.items()], **spec}
        about = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": spec}
        return self.write(name, yaml.safe_dump(about))

    def step(self, image, *options, kind="container", **container):
        """Runs a workflow of one step; what it printed."""
        self.workflow({"main": {kind: {"image": image, **container}}})
        ran = self.run("run", "w.yaml", "--durability", "none", *options)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.rstrip("\n")

    def shell(self, image, script, *options, **container):
        return self.step(image, *options, command=["sh", "-c", script], **container)

    def fails(self, image, *options, **container):
        self.workflow({"main": {"container": {"image": image, **container}}})
        ran = self.run("run", "w.yaml", "--durability", "none", *options)
        assert ran.returncode == 1, ran.stdout + ran.stderr
        return ran.stderr

    def has_users(self):
        """Whether a step can be another user than the image's root."""
        return os.geteuid() == 0 and self.prefix != AS_USER


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    made = Registry(tmp_path_factory.mktemp("registry"))
    made.push("busybox:1", images.busybox())
    made.push("five:1", images.five_layers())
    yield made
    made.close()


@pytest.fixture(params=["own", "user", "users"])
def place(request):
    with folder_of(request.param, "in-images") as (path, prefix):
        probed(request.param, path, prefix)
        yield Steps(path, prefix)


def busybox(registry):
    return f"{registry.host}/busybox:1"


# --- which image, and where from ------------------------------------------------------------------------


def test_an_image_is_pulled_once(place, tmp_path):
    here = Registry(tmp_path)
    here.push("busybox:1", images.busybox())
    assert place.shell(f"{here.host}/busybox:1", "echo from $(readlink /bin/sh)") == "from busybox"
    here.close()
    assert place.shell(f"{here.host}/busybox:1", "echo again") == "again"


# What they print, among others.
EXAMPLES = {"hello-world": ": hello world\n", "coinflip": "s: it was ", "dag-diamond": ".D: D\n", "script": "from 1 to 10 make 55\n", "artifacts": "hello ada\n",
            "artifacts-list": "/out/2.txt): 2\n"}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run_as_they_are(place, registry, name):
    """Their images come from docker.io, of which the registry is a mirror; the first that wants one pulls it."""
    registry.push("library/busybox:latest", images.busybox())
    if name == "coinflip":
        registry.push("library/python:3.12", images.python())
    place.write("weir.yaml", f"registries: {{docker.io: {{mirrors: ['{registry.host}']}}}}\n")
    example = ROOT / f"examples/workflow/{name}.yaml"
    place.write("example.yaml", example.read_text())
    ran = place.run("run", "example.yaml", "--log")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert EXAMPLES[name] in ran.stdout
    assert "docker.io/library/busybox:latest" in place.run("image", "list", "-o", "name").stdout


def test_what_cannot_be_had_says_what_was_tried(place, registry):
    said = place.fails(f"{registry.host}/absent:1", command=["true"])
    assert f"{registry.host}/absent:1" in said and "404" in said and "--executor process" in said
    assert place.step(f"{registry.host}/absent:1", "--executor", "process", command=["echo", "here"]) == "here"
    said = place.fails(busybox(registry), "--pull", "never", command=["true"])
    assert "is not here" in said and "pull" in said
    said = place.fails("127.0.0.1:1/any:1", command=["true"])
    assert "127.0.0.1:1" in said


def test_pull_policies(place, tmp_path):
    here = Registry(tmp_path)
    image = f"{here.host}/changing:1"
    versions = [images.Image([images.busybox_layer(), images.layer(images.file("version", f"{i}"))]) for i in range(3)]
    here.push("changing:1", versions[0])
    assert place.shell(image, "cat /version") == "0"
    here.push("changing:1", versions[1])
    assert place.shell(image, "cat /version") == "0"
    assert place.shell(image, "cat /version", "--pull", "always") == "1"
    here.push("changing:1", versions[2])
    assert place.shell(image, "cat /version", imagePullPolicy="Always") == "2"
    assert place.shell(f"{image.rpartition(':')[0]}@{versions[0].digest}", "cat /version") == "0"
    here.close()


def test_a_run_keeps_the_image_that_it_began_with(place, tmp_path):
    """The tag moves between a step and its retry: the run's image stays, and a new run has the new one."""
    here = Registry(tmp_path)
    image = f"{here.host}/changing:1"
    versions = [images.Image([images.busybox_layer(), images.layer(images.file("version", f"{i}"))]) for i in range(2)]
    here.push("changing:1", versions[0])
    command = "read v </version; echo version $v; test -e /mnt/there/go"
    place.workflow(
        {"main": {"container": {"image": image, "command": ["sh", "-c", command], "volumeMounts": [{"name": "v", "mountPath": "/mnt/there"}]}}},
        volumes=[{"name": "v", "hostPath": {"path": str(place.path)}}])
    assert place.run("run", "w.yaml", "--pull", "always", "--allow-host-path").returncode == 1
    here.push("changing:1", versions[1])
    place.write("go", "")
    again = place.run("retry", "w")
    assert again.returncode == 0, again.stderr
    logs = place.run("logs", "w").stdout
    assert "version 0" in logs and "version 1" not in logs
    started = [json.loads(line) for line in place.run("events", "w", "-o", "jsonl").stdout.splitlines()]
    pinned = [event["data"]["images"] for event in started if event["type"] == "attempt.started"]
    assert pinned == [{image: versions[0].digest}] * 2
    anew = place.run("resubmit", "w", "--log")
    assert anew.returncode == 0 and "version 1" in anew.stdout, anew.stderr
    here.close()


def test_telling_it_to_end_ends_the_pulling(place, registry):
    slow = Meddler(registry, lambda method, path: {"stall": 1000} if "/blobs/" in path else None)
    place.workflow({"main": {"container": {"image": f"{slow.host}/busybox:1", "command": ["true"]}}})
    running = subprocess.Popen(place.command("run", "w.yaml"), cwd=place.path, env=place.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)  # fmt: skip
    wait_until(lambda: any("/blobs/" in path for _, path, _ in slow.requests))
    begun = time.monotonic()
    assert place.run("terminate", "w").returncode == 0
    said = running.communicate(timeout=20)[0]
    assert running.returncode == 1 and time.monotonic() - begun < 10, said
    slow.close()


# --- what runs in it --------------------------------------------------------------------------------------


def test_the_image_says_what_the_file_does_not(place, registry):
    five = f"{registry.host}/five:1"
    user = "somebody" if place.has_users() else "root"
    assert place.step(five) == f"one two words in /data/here as {user}: blue"
    assert place.step(five, args=["other"]) == f"other in /data/here as {user}: blue"
    assert place.step(five, command=["/entry"]) == f"in /data/here as {user}: blue"
    assert place.step(five, command=["sh", "-c", 'echo "$PATH,$EMPTY,$COLOUR,$HOME,$LANG"; pwd'], workingDir="/data",
                      env=[{"name": "COLOUR", "value": "red"}]) == "/bin,,red,/home,\n/data"  # fmt: skip
    assert place.shell(five, "id -un; id -u", securityContext={"runAsUser": 0}) == "root\n0"
    if place.has_users():
        assert place.shell(five, "id -G").split() == ["1000", "2000"]
        assert place.shell(five, "id -u; id -g", securityContext={"runAsUser": 77}) == "77\n0"


def test_layers_stand_above_each_other(place, registry):
    five = f"{registry.host}/five:1"
    found = place.shell(five, "cd / && find data | sort | xargs; cat /all /data/kept /data/same; cat /data/folder")
    listed, told, rest = found.split("\n", 2)
    assert listed == told and rest == "secondseconda file now"
    changes = "rm -r /data/old && mkdir /data/old && ls /data/old; echo x >/data/kept; cat /data/kept"
    assert place.shell(five, changes, securityContext={"runAsUser": 0}) == "x"
    assert place.shell(five, "cat /data/kept") == "second"


def test_a_script_and_its_result(place, registry):
    place.workflow({
        "main": {"steps": [[{"name": "make", "template": "make"}],
                           [{"name": "take", "template": "take", "arguments": {"parameters": [
                               {"name": "it", "value": "{{steps.make.outputs.result}}"}]}}]]},
        "make": {"script": {"image": busybox(registry), "command": ["sh"], "source": "echo made by $(readlink /bin/cat)"}},
        "take": {"inputs": {"parameters": [{"name": "it"}]},
                 "container": {"image": busybox(registry), "command": ["echo"], "args": ["{{inputs.parameters.it}}"]}}})  # fmt: skip
    ran = place.run("run", "w.yaml", "--log")
    assert ran.returncode == 0 and "made by busybox" in ran.stdout, ran.stderr


def test_artifacts_parameters_and_volumes(place, registry):
    place.workflow({
        "main": {"steps": [[{"name": "make", "template": "make"}],
                           [{"name": "take", "template": "take", "arguments": {
                               "artifacts": [{"name": "in", "from": "{{steps.make.outputs.artifacts.out}}"}],
                               "parameters": [{"name": "p", "value": "{{steps.make.outputs.parameters.p}}"}]}}]]},
        "make": {"container": {"image": busybox(registry), "command": ["sh", "-c"],
                               "args": ["mkdir /out; echo file >/out/file; echo -n parameter >/tmp/p; echo shared >/mnt/v/x"],
                               "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]},
                 "outputs": {"artifacts": [{"name": "out", "path": "/out"}], "parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]}},
        "take": {"inputs": {"artifacts": [{"name": "in", "path": "/deep/below/in"}], "parameters": [{"name": "p"}]},
                 "container": {"image": f"{registry.host}/five:1", "command": ["sh", "-c"],
                               "args": ["cat /deep/below/in/file /mnt/v/x; echo {{inputs.parameters.p}}"],
                               "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]}}},
        volumeClaimTemplates=[{"metadata": {"name": "v"}, "spec": {}}])  # fmt: skip
    ran = place.run("run", "w.yaml", "--log")
    assert ran.returncode == 0, ran.stderr
    assert all(word in ran.stdout for word in ("file", "shared", "parameter"))
    wait_until(lambda: sandboxes(place) == [])


def test_containers_of_a_pod_have_images_of_their_own(place, registry):
    place.workflow({"main": {
        "volumes": [{"name": "v", "emptyDir": {}}],
        "initContainers": [{"name": "before", "image": f"{registry.host}/five:1", "command": ["sh", "-c", "cat /data/kept >/v/before"],
                            "mirrorVolumeMounts": True}],
        "sidecars": [{"name": "beside", "image": f"{registry.host}/five:1", "command": ["sh", "-c", "cat /data/kept >/v/beside; sleep 60"],
                      "mirrorVolumeMounts": True}],
        "container": {"image": busybox(registry), "command": ["sh", "-c"],
                      "args": ["until test -s /v/beside; do sleep 0.01; done; cat /v/before /v/beside; ls -d /data || echo none here"],
                      "volumeMounts": [{"name": "v", "mountPath": "/v"}]}}})  # fmt: skip
    ran = place.run("run", "w.yaml", "--log")
    assert ran.returncode == 0, ran.stderr
    assert "secondsecond" in ran.stdout and "none here" in ran.stdout


def test_its_own_signal_asks_it_to_end(place, tmp_path):
    here = Registry(tmp_path)
    here.push("signal:1", images.busybox(StopSignal="SIGUSR1"))
    script = "trap 'echo asked by USR1; exit 0' USR1; trap 'echo by TERM' TERM; echo >/mnt/there/ready; while :; do sleep 0.05; done"
    place.workflow(
        {"main": {"container": {"image": f"{here.host}/signal:1", "command": ["sh", "-c", script],
                                "volumeMounts": [{"name": "v", "mountPath": "/mnt/there"}]}}},
        volumes=[{"name": "v", "hostPath": {"path": str(place.path)}}])  # fmt: skip
    running = subprocess.Popen(place.command("run", "w.yaml", "--allow-host-path"), cwd=place.path, env=place.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    wait_until((place.path / "ready").exists)
    assert place.run("stop", "w").returncode == 0
    running.communicate(timeout=20)
    assert place.run("logs", "w", "--no-color").stdout.splitlines()[-1].endswith("asked by USR1")
    here.close()


def test_a_dataflow_names_an_image(place, registry):
    said = place.run(*place.flow(command=["readlink", "/bin/sh"], sandbox={"image": busybox(registry)}), "--log")
    assert said.returncode == 0 and "busybox" in said.stdout + said.stderr, said.stderr


PIPELINE = """
pipeline:
  name: in-images
  inputs: [who]
  outputs: [greet.said, count.lines]
  components:
    greet: {run: [sh, -c, "echo hello {{inputs.who}} from $(readlink /bin/sh)"], image: "%s", inputs: [who], outputs: [said]}
    count: {runner: {run: [sh, -c, "cat /all | wc -w"], image: "%s"}, inputs: [greet.said], outputs: [lines]}
"""


def test_a_pipeline_names_images(place, registry):
    place.write("p.yaml", PIPELINE % (busybox(registry), f"{registry.host}/five:1"))
    said = place.run("run", "p.yaml", "--inputs", "who=you", "-o", "json", "--durability", "none")
    assert said.returncode == 0, said.stderr
    assert "hello you from busybox" in said.stdout and '"7"' in said.stdout
    place.write("p.yaml", PIPELINE.replace("run: [sh", "other: [sh", 1).replace("greet: {", "greet: {runner: text.upper, ") % ("a", "b"))
    said = place.run("check", "p.yaml")
    assert said.returncode == 2 and "only what `run` says runs in an image" in said.stderr


def test_what_the_file_or_the_image_lacks(place, tmp_path):
    here = Registry(tmp_path)
    here.push("bare:1", images.Image([images.busybox_layer()]))
    here.push("nobody:1", images.busybox(User="absent"))
    here.push("nogroup:1", images.busybox(User="root:absent"))
    assert "no command" in place.fails(f"{here.host}/bare:1")
    assert "`absent` in its /etc/passwd" in place.fails(f"{here.host}/nobody:1", command=["true"])
    assert "`absent` in its /etc/group" in place.fails(f"{here.host}/nogroup:1", command=["true"])
    assert f"image `{here.host}/bare:1` has no command `nonesuch`" in place.fails(f"{here.host}/bare:1", command=["nonesuch"])
    assert "capital" in place.fails("Not/An/IMAGE", command=["true"]).lower() or "lower" in place.fails("Not/An/IMAGE", command=["true"])
    here.close()


def test_files_stay_for_looking_at_them(place, registry):
    place.workflow({"main": {"container": {"image": f"{registry.host}/five:1", "command": ["sh", "-c", "echo kept >/data/kept; exit 3"],
                                                "securityContext": {"runAsUser": 0}}}})  # fmt: skip
    assert place.run("run", "w.yaml", "--keep").returncode == 1
    shell = subprocess.run(place.command("shell", "w", "w", "--", "cat", "/data/kept", "/all"), cwd=place.path, env=place.environment,
                           capture_output=True, text=True, timeout=60)  # fmt: skip
    assert shell.stdout.startswith("kept\ndata data/folder"), shell.stderr


# --- what it may not do -------------------------------------------------------------------------------------


CONFINED = """
grep -E 'NoNewPrivs|Seccomp:|CapBnd' /proc/self/status
mount -t tmpfs none /mnt && echo MOUNTED
unshare -U true && echo UNSHARED
echo x >/proc/sys/kernel/core_pattern && echo WROTE PROC
mkdir /sys/x && echo WROTE SYS
mknod /tmp/d b 254 0 && echo MADE A DEVICE
dmesg && echo READ THE KERNEL
test -e /etc/debian_version && echo SEES THE HOST
ls /proc/1/root/host /proc/1/cwd/host && echo LEFT
chroot /proc/1/root /bin/true && ls /host && echo LEFT BY CHROOT
test "$(ls /dev/pts)" = ptmx || echo SEES TERMINALS
echo >/dev/tty && echo HAS A TERMINAL
test $(ls /proc | grep -c '^[0-9]*$') -lt 6 || echo SEES PROCESSES
echo over
"""


def test_it_is_confined(place, registry):
    said = place.shell(busybox(registry), CONFINED)
    assert said.splitlines()[:3] == ["CapBnd:\t00000000800405fb", "NoNewPrivs:\t1", "Seccomp:\t2"], said
    assert "over" in said.splitlines() and said.upper() != said
    assert not [line for line in said.splitlines() if line.isupper()], said


def test_a_network_of_its_own(place, registry):
    count, reach = "grep -c : /proc/net/dev", f"nc -w 2 {registry.host.replace(':', ' ')} </dev/null 2>&1"
    interfaces = pathlib.Path("/proc/net/dev").read_text().count(":")
    assert place.shell(busybox(registry), f"{count}; {reach} && echo reached").split() == [str(interfaces), "reached"]
    said = place.shell(busybox(registry), "grep : /proc/net/dev | cut -d: -f1; " + reach + " || echo over", "--network", "none")
    assert said.split()[0] == "lo" and said.split()[-1] == "over", said


# --- many, and crashes ------------------------------------------------------------------------------------------


def test_a_hundred_at_once_do_not_meet(place, registry):
    place.workflow({
        "main": {"steps": [[{"name": "s", "template": "s", "arguments": {"parameters": [{"name": "number", "value": "{{item}}"}]},
                             "withSequence": {"count": "100"}}]]},
        "s": {"inputs": {"parameters": [{"name": "number"}]},
              "container": {"image": f"{registry.host}/five:1", "command": ["sh", "-c"],
                            "args": ["test ! -e /data/here/it && echo {{inputs.parameters.number}} >/data/here/it && cat /data/here/it"]}}})  # fmt: skip
    ran = place.run("run", "w.yaml", "--log", "--durability", "none")
    assert ran.returncode == 0, ran.stderr
    assert sorted(int(line.split()[-1]) for line in ran.stdout.splitlines() if line.split()[-1].isdigit()) == list(range(100))


def test_killed_while_it_pulls_and_recovered(place, tmp_path):
    here = Registry(tmp_path)
    here.push("busybox:1", images.busybox())
    slow = Meddler(here, lambda method, path: {"stall": 100000} if "/blobs/" in path else None)
    place.workflow({"main": {"container": {"image": f"{slow.host}/busybox:1", "command": ["echo", "done"]}}})
    running = subprocess.Popen(place.command("run", "w.yaml"), cwd=place.path, env=place.environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    wait_until(lambda: sum("/blobs/" in path for _, path, _ in slow.requests) > 1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    slow.rules.clear()
    recovered = place.run("recover", "w")
    assert recovered.returncode == 0, recovered.stderr
    assert "done" in place.run("logs", "w").stdout
    assert not place.left_behind()
    slow.close()
    here.close()

