"""Sandboxes from the command line: as whoever runs the tests and, if that is root, as an ordinary user too."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import warnings

import pytest

from conftest import WEIR

ORDINARY = 65534
AS_USER = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups"]
# The same user with further numbers for namespaces: files of /etc are covered for its commands alone.
COVER = 'for file in /etc/subuid /etc/subgid; do test -e $file || : >$file; mount --bind "$0" $file || exit; done; exec "$@"'
PROBE = """
operations: {one: {name: process.run, inputs: {}, outputs: {result: said}}}
definitions: {said: {primitive: string}}
configs: {one: {command: [cat, /proc/1/comm], sandbox: {}}}
"""


class Place:
    """A folder that the user of the test owns, and weir in it."""

    def __init__(self, path, prefix):
        self.path, self.prefix = path, prefix
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
        # Nothing is pulled: images of these tests are names.
        self.environment |= {"HOME": str(path), "WEIR_EXECUTOR": "process"}

    def write(self, name, text, mode=0o644):
        file = self.path / name
        file.write_text(text)
        file.chmod(mode)
        if self.prefix:
            os.chown(file, ORDINARY, ORDINARY)
        return file

    def command(self, *arguments):
        return [*self.prefix, WEIR, *map(str, arguments)]

    def run(self, *arguments):
        return subprocess.run(
            self.command(*arguments), cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=60)

    def flow(self, *, contexts=None, inputs="", asked=False, **config):
        """`asked`: its result is what was collected."""
        flow = {
            "operations": {"one": {"name": "process.run", "inputs": {"who": "who"} if contexts else {},
                                   "outputs": {"result": "said", "files": "files"}}},
            "definitions": {"said": {"primitive": "string"}, "who": {"primitive": "string"}, "files": {"primitive": "map"}},
            "configs": {"one": config},
        }
        if asked:
            flow["operations"]["get"] = {"name": "get_single", "inputs": {"spec": "spec"}, "outputs": {}, "stage": "output"}
            flow["definitions"]["spec"] = {"primitive": "array"}
            flow["seed"] = [{"definition": "spec", "value": ["files"]}]
        self.write("flow.json", json.dumps(flow))
        more = []
        if contexts:
            values = {name: [{"value": name, "definition": "who"}] for name in contexts}
            self.write("contexts.json", json.dumps(values))
            more = ["--contexts", "contexts.json"]
        return ["run", "flow.json", *more]

    def left_behind(self):
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.path.samefile(process / "cwd", self.path) or str(self.path).encode() in (process / "cmdline").read_bytes():
                    found.append((process / "cmdline").read_bytes())
            except OSError:
                continue
        return found


@contextlib.contextmanager
def folder_of(who, name):
    """A folder of whoever runs the tests, or of an ordinary user ("user"; "users": one with users below it), and what stands before that one's
    commands. Not in pytest's folder, which is its user's alone."""
    with tempfile.TemporaryDirectory(prefix=f"weir-{name}-", dir="/var/tmp") as folder:
        path, prefix = pathlib.Path(folder), []
        if who != "own":
            if os.geteuid() != 0:
                pytest.skip("the tests run as an ordinary user anyway")
            prefix = AS_USER
            os.chown(path, ORDINARY, ORDINARY)
        if who == "users":
            numbers = path / "numbers"
            numbers.write_text(f"{ORDINARY}:200000:65536\n")
            prefix = ["unshare", "--mount", "sh", "-c", COVER, str(numbers), *AS_USER]
        yield path, prefix


@pytest.fixture(params=["own", "user"])
def place(request):
    with folder_of(request.param, "sandbox") as (path, prefix):
        yield probed(request.param, path, prefix)


def probed(who, path, prefix):
    made = Place(path, prefix)
    made.write("probe.yaml", PROBE)
    try:
        said = made.run("run", "probe.yaml", "--log")
    except PermissionError:
        said = None
    if not said or "weir-init" not in said.stdout + said.stderr:
        reason = said.stderr if said else f"an ordinary user may not execute {WEIR}"
        warnings.warn(f"SANDBOXES ARE NOT TESTED as {who}: {reason}", stacklevel=1)
        pytest.skip(reason)
    return made


def sandboxes(place):
    folder = place.path / ".weir/sandboxes"
    return list(folder.iterdir()) if folder.exists() else []


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_attempts_do_not_meet(place):
    names = [f"c{i}" for i in range(40)]
    said = place.run(*place.flow(
        contexts=names, command=["sh", "-c", "test ! -e /tmp/out && echo {{inputs.who}} | tee /tmp/out >/tmp/other; sleep 0.01; cat /tmp/out"],
        sandbox={"outputs": [{"name": "o", "path": "/tmp/out"}]}), "-o", "json")
    assert said.returncode == 0, said.stderr
    wait_until(lambda: sandboxes(place) == [])
    assert not os.path.exists("/tmp/other")


def test_mounts_images_and_outputs(place):
    tool = place.write("tool", "#!/bin/sh\necho tool $*\n", 0o755)
    place.write("weir.yaml", "images:\n  '*argosay*': {command: [/argosay], files: {/argosay: tool, /usr/local/bin/argosay: tool}}\n")
    said = place.run(*place.flow(arguments=["one"], sandbox={"image": "argoproj/argosay:v2"}), "--log")
    assert said.returncode == 0 and "tool one" in said.stdout + said.stderr
    said = place.run(*place.flow(command=["argosay", "two"], sandbox={"image": "argoproj/argosay:v2"}), "--log")
    assert said.returncode == 0 and "tool two" in said.stdout + said.stderr
    said = place.run(*place.flow(
        asked=True, source="echo from a script; cat $0 >/mnt/data/x; cat /etc/in/here\n", command=["sh"],
        sandbox={"mounts": [{"at": "/mnt/data", "volume": "v"}, {"at": "/etc/in/here", "content": "content"},
                            {"at": "/bin/other", "host": str(tool)}],
                 "outputs": [{"name": "o", "path": "/mnt/data/x"}]}), "-o", "json")
    assert said.returncode == 0
    assert json.loads(said.stdout)["results"]["default"]["files"]["o"]["text"].startswith("echo from a script; cat $0")


def test_what_is_not_on_this_host(place):
    place.write("weir.yaml", "images: {'x*': {}}\n")
    said = place.run(*place.flow(command=["no-such-tool", "get"], sandbox={"image": "x/kubectl:1"}))
    assert said.returncode == 1
    assert "command `no-such-tool` is not on this host: image `x/kubectl:1` would bring it along" in said.stderr + said.stdout
    said = place.run(*place.flow(sandbox={"image": "x/kubectl:1"}))
    assert "nobody says that of image `x/kubectl:1`" in said.stderr + said.stdout


def test_without_isolation(place):
    flow = place.flow(command=["sh", "-c", "echo inside >/tmp/weir-none-out; cat /tmp/weir-none-out"],
                      sandbox={"outputs": [{"name": "o", "path": "/tmp/weir-none-out"}]})
    said = place.run(*flow, "--isolation", "none", "--log")
    assert said.returncode == 0 and "inside" in said.stdout + said.stderr
    assert not os.path.exists("/tmp/weir-none-out")
    flow = place.flow(command=["true"], sandbox={"outputs": [{"name": "o", "path": "/tmp/out.txt"}]})
    said = place.run(*flow, "--isolation", "none")
    assert said.returncode == 1 and "without isolation `/tmp/out.txt` is the host's" in said.stderr + said.stdout
    wait_until(lambda: sandboxes(place) == [])


def test_what_the_system_refuses_is_said_once(place):
    if place.prefix != AS_USER:
        pytest.skip("only an ordinary user is refused")
    flow = place.flow(contexts=["a", "b", "c"], command=["sh", "-c", "echo x >/tmp/weir-refused"],
                      sandbox={"outputs": [{"name": "o", "path": "/tmp/weir-refused"}]})
    # What hides a part of /proc hides it from a /proc of one's own: the system does not give one.
    said = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs hidden /proc/sys && exec "$@"', "sh", *place.command(*flow, "-o", "name")],
        cwd=place.path, env=place.environment, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0
    warning = "weir: warning: attempts are not isolated from each other: the attempt's `/proc` cannot be mounted"
    assert said.stderr.count(warning) == 1
    assert not os.path.exists("/tmp/weir-refused")


def test_a_killed_engine_leaves_nothing(place):
    word = f"96{os.getpid()}.125"
    flow = place.flow(command=["sh", "-c", f"echo x >/tmp/x; (setsid sleep {word} &); exec sleep {word}"], sandbox={})
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()

    def alive():
        found = 0
        for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += process.read_bytes() == f"sleep\0{word}\0".encode()
            except OSError:
                continue
        return found

    engine = subprocess.Popen(place.command(*flow), cwd=place.path, env=place.environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    wait_until(lambda: alive() == 2)
    assert sandboxes(place)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    wait_until(lambda: alive() == 0)
    wait_until(lambda: sandboxes(place) == [])
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


def test_a_command_that_ignores_term_ends(place):
    flow = place.flow(command=["sh", "-c", "trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & while :; do sleep 0.05; done"],
                      sandbox={})
    engine = subprocess.Popen(place.command(*flow, "--deadline", "300ms"), cwd=place.path, env=place.environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(0.6)
    for _ in range(2):
        engine.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert engine.wait(timeout=30) != 0
    wait_until(lambda: not [line for line in place.left_behind() if b"trap" in line])


def test_much_output_and_many_attempts_take_no_memory(place):
    flow = place.flow(contexts=[f"c{i}" for i in range(150)], command=["sh", "-c", "mkdir -p /tmp/a/b; echo x >/tmp/a/b/c"], sandbox={})
    assert place.run(*flow, "-o", "name").returncode == 0
    wait_until(lambda: sandboxes(place) == [])
    flow = place.flow(command=["head", "-c", "60000000", "/dev/zero"], sandbox={})
    meter = ["/usr/bin/env", "python3", "-c",
             "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", *place.command(*flow, "--durability", "none")]
    said = subprocess.run(meter, cwd=place.path, env={**place.environment, "ASAN_OPTIONS": "quarantine_size_mb=1"},
                          capture_output=True, text=True, timeout=60)
    assert int(said.stdout) < 250_000  # kilobytes: with the sanitizers' own


@pytest.mark.parametrize("text, problem", [
    ("images: 3\n", "weir.yaml:1:1: error: images must be of type object, not int"),
    ("images: {a: 3}\n", "weir.yaml:1:10: error: this is no mapping: `a`"),
    ("images:\n  a: {commands: [b]}\n", "weir.yaml:2:7: error: there is no setting `commands`"),
    ("images:\n  a: {command: b}\n", "weir.yaml:2:7: error: the command is no list of texts: image `a`"),
    ("images:\n  a:\n    files: {b: weir.yaml}\n", "weir.yaml:3:13: error: the path of a file must be absolute, not `b`"),
    ("images:\n  a:\n    files: {/b/c: none}\n", "weir.yaml:3:13: error: there is no file `none`"),
    ("isolation: some\n", "weir.yaml:1:1: error: isolation cannot be `some`"),
])
def test_wrong_configurations(weir, tmp_path, text, problem):
    (tmp_path / "weir.yaml").write_text(text)
    (tmp_path / "probe.yaml").write_text(PROBE)
    said = weir("run", "probe.yaml")
    assert said.returncode == 2 and problem in said.stderr
