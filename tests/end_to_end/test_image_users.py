"""Images of an ordinary user who has further users (subuid, subgid): their files keep their owners, and steps run as who they should."""

import json
import os
import pathlib

import pytest

import images
from registry_server import Registry
from test_in_images import Steps
from test_sandbox import AS_USER, ORDINARY, folder_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
FIRST = 200000 - 1  # of this machine, what is 0 in an image apart


@pytest.fixture
def place():
    with folder_of("users", "image-users") as (path, prefix):
        yield Steps(path, prefix)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    made = Registry(tmp_path_factory.mktemp("registry"))
    made.push("busybox:1", images.busybox())
    made.push("owners:1", images.Image([
        images.busybox_layer(),
        images.layer(images.folder("own"), images.folder("own/deep", 0o700, uid=7, gid=8), images.file("own/deep/file", "x", 0o600, uid=7, gid=8),
                     images.file("tool", "x", 0o4755), images.file("twice", "first", uid=9, gid=9), images.file("theirs", "x", uid=7, gid=0),
                     images.file("far", "x", 0o4755, uid=100000, gid=7)),
        images.layer(images.file("once", "a", uid=3, gid=3), images.file("once", "b"), images.file("changed", "a", 0o6777, uid=3, gid=3),
                     images.hard("first", "changed"), images.file("changed", "b", 0o600, uid=9, gid=9), images.folder("of", 0o2775, gid=50), images.hard("again", "once")),
    ]))  # fmt: skip
    yield made
    made.close()


def owned(place, name):
    """Whose it is on this machine, of the store's layers."""
    return [found.lstat().st_uid for found in (place.path / "images").glob(f"layers-*/*/{name}")]


def test_files_of_an_image_keep_their_owners(place, registry):
    said = place.shell(
        f"{registry.host}/owners:1", "stat -c '%n %u:%g %a' /own /own/deep /own/deep/file /tool /twice /theirs /far /once /again /of /changed /first; cat /once")
    assert said.splitlines() == [
        "/own 0:0 755", "/own/deep 7:8 700", "/own/deep/file 7:8 600", "/tool 0:0 4755", "/twice 9:9 644", "/theirs 7:0 644", "/far 0:7 755",
        "/once 0:0 644", "/again 0:0 644", "/of 0:50 2775", "/changed 9:9 600", "/first 0:0 644", "b"]  # fmt: skip
    assert owned(place, "own/deep/file") == [FIRST + 7] and owned(place, "tool") == [ORDINARY]


def test_a_step_gives_files_away_and_is_who_it_should_be(place, registry):
    image = f"{registry.host}/busybox:1"
    said = place.shell(image, "touch /data /tmp/data; chown 33:44 /data /tmp/data; stat -c %u:%g /data /tmp/data; su -s /bin/sh 2>&1 -c id | head -1")
    assert said.splitlines()[:2] == ["33:44", "33:44"]
    assert place.shell(image, "id -u; id -g; touch /tmp/x; stat -c %u /tmp/x; touch /x || echo refused",
                       securityContext={"runAsUser": 65536, "runAsGroup": 5}).splitlines()[:3] == ["65536", "5", "65536"]  # fmt: skip
    said = place.fails(image, command=["true"], securityContext={"runAsUser": 65537})
    assert "beyond the 65537 users" in said and "/etc/subuid" in said


def test_outputs_of_another_user_are_read(place, registry):
    image = f"{registry.host}/busybox:1"
    make = ("umask 077; mkdir -p /tmp/own/deep; echo secret >/tmp/own/deep/file; echo -n parameter >/tmp/own/p; "
            "ln -s /etc/passwd /tmp/own/link; echo shared >/mnt/v/x; cat /mnt/v/x")
    place.workflow({
        "main": {"steps": [[{"name": "make", "template": "make"}], [{"name": "take", "template": "take", "arguments": {
            "artifacts": [{"name": "in", "from": "{{steps.make.outputs.artifacts.out}}"}],
            "parameters": [{"name": "p", "value": "{{steps.make.outputs.parameters.p}}"}]}}]]},
        "make": {"container": {"image": image, "command": ["sh", "-c", make], "securityContext": {"runAsUser": 1000},
                               "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]},
                 "outputs": {"artifacts": [{"name": "out", "path": "/tmp/own/deep"}], "parameters": [{"name": "p", "valueFrom": {"path": "/tmp/own/p"}}]}},
        "take": {"inputs": {"artifacts": [{"name": "in", "path": "/in"}], "parameters": [{"name": "p"}]},
                 "container": {"image": image, "command": ["sh", "-c", "cat /in/file /mnt/v/x; stat -c %u /mnt/v/x; echo {{inputs.parameters.p}}"],
                               "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}]}},
    }, volumeClaimTemplates=[{"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}])  # fmt: skip
    ran = place.run("run", "w.yaml", "--log")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = [line.split()[-1] for line in ran.stdout.splitlines() if line]
    assert all(word in said for word in ("secret", "shared", "1000", "parameter")), ran.stdout
    assert "only root" not in ran.stderr and "as root of the image" not in ran.stderr
    left = [file for file in (place.path / ".local").rglob("*") if file.lstat().st_uid != ORDINARY]
    assert not left  # nothing of theirs stays


def outputs(place, registry, script, *paths, user=1000):
    """A step as that user, and what became of the files at the paths as parameters; the place's folder v is at /v."""
    place.workflow({"main": {
        "container": {"image": f"{registry.host}/busybox:1", "command": ["sh", "-c", script], "securityContext": {"runAsUser": user},
                      "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        "outputs": {"parameters": [{"name": f"p{i}", "valueFrom": {"path": path, "default": "none"}} for i, path in enumerate(paths)]}}},
        volumes=[{"name": "v", "hostPath": {"path": str(place.path / "v")}}])  # fmt: skip
    ran = place.run("run", "w.yaml", "--allow-host-path", "-o", "json")
    (node,) = json.loads(ran.stdout)["status"]["nodes"].values()
    return ran, {p["name"]: p["value"] for p in node.get("outputs", {}).get("parameters", [])}


@pytest.fixture
def volume(place):
    (place.path / "v").mkdir()
    os.chown(place.path / "v", ORDINARY, ORDINARY)
    (place.path / "v").chmod(0o777)
    return place.path / "v"


def test_reading_outputs_changes_nothing(place, registry, volume):
    script = "umask 077; mkdir /v/own; echo -n it >/v/own/file; chmod 2770 /v/own; ln -s /v/own/file /tmp/link; chmod 0 /v/own/file"
    _, found = outputs(place, registry, script, "/v/own/file", "/tmp/link")
    assert found == {"p0": "it", "p1": "it"}
    own, file = (volume / "own").stat(), (volume / "own/file").stat()
    assert (own.st_uid, oct(own.st_mode), file.st_uid, oct(file.st_mode)) == (FIRST + 1000, "0o42770", FIRST + 1000, "0o100000")
    assert own.st_gid == file.st_gid == FIRST + 1000
    # The image's root is this user, without rights over his own file here.
    _, found = outputs(place, registry, "echo -n mine >/v/mine; chmod 0 /v/mine", "/v/mine", user=0)
    assert found == {"p0": "mine"} and oct((volume / "mine").stat().st_mode) == "0o100000"


def test_no_link_leads_out_of_the_root(place, registry, volume):
    """Of process 1, or of anybody, to the host or to the roots of others."""
    secret = place.path / "secret"
    secret.write_text("secret")
    for target in (secret, "/proc/1/root/etc/hostname", "/proc/1/fd/4/..", "/proc/self/cwd", "/proc/1/fd/4/../../host/etc/hostname"):
        ran, found = outputs(place, registry, f"mkdir -m 700 /tmp/own; ln -s {target} /tmp/own/out", "/tmp/own/out")
        assert "secret" not in ran.stdout.replace(str(secret), "") and found in ({}, {"p0": "none"}), (target, ran.stdout)


def test_outputs_of_a_step_that_was_killed(place, registry):
    place.shell(f"{registry.host}/busybox:1", "true")  # pulled
    place.workflow({"main": {
        "activeDeadlineSeconds": 2,
        "container": {"image": f"{registry.host}/busybox:1", "securityContext": {"runAsUser": 1000},
                      "command": ["sh", "-c", "umask 077; mkdir /tmp/own; echo kept >/tmp/own/file; sleep 60"]},
        "outputs": {"artifacts": [{"name": "out", "path": "/tmp/own", "archive": {"none": {}}}]}}})  # fmt: skip
    assert place.run("run", "w.yaml").returncode == 1
    (kept,) = [file for file in place.path.rglob("file") if "artifacts" in file.parts]
    assert kept.read_text() == "kept\n" and kept.stat().st_uid == ORDINARY


def test_what_they_leave_is_removed(place, registry):
    image = f"{registry.host}/owners:1"
    place.workflow({"main": {"container": {"image": image, "command": ["sh", "-c", "mkdir -m 700 /tmp/d /e; touch /tmp/d/x /e/x; chown -R 5:5 /tmp/d /e; exit 3"]}}})
    assert place.run("run", "w.yaml", "--keep").returncode == 1
    kept = [file for file in place.path.rglob("d") if file.lstat().st_uid == FIRST + 5]
    assert len(kept) == 1
    assert place.run("delete", "w").returncode == 0
    assert not kept[0].exists()
    assert len(owned(place, "own/deep/file")) == 1
    gone = place.run("image", "rm", image)
    assert gone.returncode == 0, gone.stderr
    store = place.path / "images"
    assert not [name for name in store.rglob("*") if name.lstat().st_uid != ORDINARY]
    assert not list((store / "new").iterdir())


def test_what_was_unpacked_for_one_user_becomes_theirs_without_a_registry(place, tmp_path):
    here = Registry(tmp_path)
    here.push("busybox:1", images.busybox())
    image = f"{here.host}/busybox:1"
    alone = Steps(place.path, AS_USER)
    assert alone.shell(image, "echo one") == "one"
    here.close()
    assert place.shell(image, "touch /x && chown 5 /x && stat -c %u /x") == "5"
    ran = place.run("image", "prune")
    assert ran.returncode == 0 and not list((place.path / "images/layers").iterdir())
    assert alone.shell(image, "chown 5 /tmp 2>/dev/null || echo one") == "one"


def test_who_has_none_is_told_how_to_get_them(place, registry):
    alone = Steps(place.path, AS_USER)
    alone.workflow({"main": {"container": {"image": f"{registry.host}/busybox:1", "command": ["id", "-u"], "securityContext": {"runAsUser": 5}}}})
    ran = alone.run("run", "w.yaml")
    assert ran.returncode == 0 and ran.stdout.strip() == "0"
    assert "as root of the image" in ran.stderr and "/etc/subuid" in ran.stderr and "usermod --add-subuids" in ran.stderr


def test_numbers_that_cannot_be_used(place, registry):
    """newuidmap refuses what is another's, and is said; the image is one user's then."""
    wrong = place.path / "bin"
    wrong.mkdir()
    for name in ("newuidmap", "newgidmap"):
        (wrong / name).write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
        (wrong / name).chmod(0o755)
    place.environment["PATH"] = f"{wrong}:{place.environment['PATH']}"
    place.workflow({"main": {"container": {"image": f"{registry.host}/busybox:1", "command": ["id", "-u"], "securityContext": {"runAsUser": 5}}}})
    ran = place.run("run", "w.yaml")
    assert ran.returncode == 0 and ran.stdout.strip() == "0"
    assert "newuidmap: it is broken" in ran.stderr
    assert pathlib.Path("/etc/subuid").exists()
