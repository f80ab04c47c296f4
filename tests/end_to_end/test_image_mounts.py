"""Images where the kernel mounts no overlay: what steps in images may count on holds with fuse-overlayfs and with copies as well. As whoever runs the
tests and, if that is root, as an ordinary user."""

import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import pytest

import images
from conftest import WEIR
from registry_server import Registry
from test_in_images import (  # noqa: F401: the same tests, in another way
    Steps,
    busybox,
    registry,
    test_artifacts_parameters_and_volumes,
    test_containers_of_a_pod_have_images_of_their_own,
    test_files_stay_for_looking_at_them,
    test_it_is_confined,
    test_layers_stand_above_each_other,
    test_the_image_says_what_the_file_does_not,
)
from test_sandbox import AS_USER, folder_of, probed, sandboxes, wait_until

DEVICE = pathlib.Path("/dev/fuse")
# In a mount namespace of its own, where an ordinary user may open the device as on other systems.
WITH_DEVICE = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /dev/fuse && exec "$@"']


@pytest.fixture(params=["fuse-own", "fuse-user", "copy-own", "copy-user", "copy-users"])
def place(request):
    how, who = request.param.split("-")
    if how == "fuse" and not (DEVICE.exists() and shutil.which("fuse-overlayfs")):
        pytest.skip("no /dev/fuse" if not DEVICE.exists() else "no fuse-overlayfs: `./dev setup` installs it")
    with folder_of(who, "mounts") as (path, prefix):
        probed(who, path, prefix)
        if how == "fuse" and prefix and not DEVICE.stat().st_mode & stat.S_IWOTH:
            os.mknod(path / "fuse", 0o666 | stat.S_IFCHR, DEVICE.stat().st_rdev)
            (path / "fuse").chmod(0o666)
            prefix = [*WITH_DEVICE, str(path / "fuse"), *AS_USER]
        elif how == "fuse" and not os.access(DEVICE, os.R_OK | os.W_OK):
            pytest.skip("/dev/fuse may not be opened")
        made = Steps(path, prefix)
        made.how, made.who = how, who
        made.has_users = lambda: os.geteuid() == 0 and who != "user"
        made.environment["WEIR_IMAGE_MOUNT"] = how
        yield made


def servers(place):
    """Processes of fuse-overlayfs whose user the place's is."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text() == "fuse-overlayfs\n" and process.stat().st_uid == place.path.stat().st_uid:
                found.append(process.name)
        except OSError:
            continue
    return found


def test_what_a_step_writes_reaches_no_other(place, registry):
    script = "test ! -e /bin/new && echo x >/bin/new && rm /etc/group && echo y >>/etc/passwd && rm -r /home && mkdir /home && ls -A /home; df / | tail -1"
    layers = place.path / "images/layers"
    place.shell(busybox(registry), "true")
    before = sorted((str(found), found.lstat().st_size, found.lstat().st_mtime_ns) for found in layers.rglob("*"))
    for _ in range(2):
        file_system = place.shell(busybox(registry), script).split()[0]
        assert (file_system == "fuse-overlayfs") == (place.how == "fuse")
    assert sorted((str(found), found.lstat().st_size, found.lstat().st_mtime_ns) for found in layers.rglob("*")) == before
    wait_until(lambda: sandboxes(place) == [] and servers(place) == [])


LISTING = """
cd / && find * \\( -path proc -o -path sys -o -path dev -o -path tmp -o -path run -o -path etc -o -path bin \\) -prune -o -print | sort |
while read -r name; do
    if test -d "$name" -a ! -L "$name"; then stat -c '%n %a %u %g %Y' "$name"; else stat -c '%n %F %a %u %g %Y %s' "$name"; fi
    test -f "$name" && sha1sum <"$name"
    test -L "$name" && readlink "$name"
done; true
"""


def tricky():
    """Whatever of layers stands above each other: files, folders and links by turns, hidden, hidden again and back."""
    sparse = images.file("sparse", bytes(300_000) + b"end" + bytes(100_000))
    layers = [
        images.busybox_layer(),
        images.layer(
            *(images.folder(f"{name}", 0o750) for name in ("a", "b", "c", "d", "e")), images.folder("a/deep"), images.file("a/deep/one", "1", 0o640, uid=7, gid=8),
            images.file("a/deep/two", "2"), images.file("b/x", "x"), images.hard("b/y", "b/x"), images.hard("c/z", "b/x"), images.link("d/l", "/b/x"),
            images.file("e/f", "below", 0o4755), images.file("file", "a file"), sparse, images.entry("pipe", images.tarfile.FIFOTYPE, mode=0o600),
            images.file("with space and \\ and ü", "odd"), images.folder("late", 0o555)),
        images.layer(images.gone("a/deep"), images.gone("b/x"), images.folder("c"), images.opaque("c"), images.file("c/new", "n"), images.folder("file"),
                     images.file("file/within", "w"), images.gone("d"), images.file("late/in", "in a folder that is read-only")),
        images.layer(images.folder("a/deep", 0o700, uid=5), images.file("a/deep/three", "3"), images.folder("d"), images.file("d/again", "back"),
                     images.file("e", "no folder any more"), images.folder("b", 0o1777), images.gone("file/within")),
    ]  # fmt: skip
    return images.Image(layers, {"Cmd": ["sh"], "Env": ["PATH=/bin"]})


def test_all_ways_show_the_same(place, tmp_path):
    here = Registry(tmp_path)
    here.push("tricky:1", tricky())
    shown = place.shell(f"{here.host}/tricky:1", LISTING)
    place.environment["WEIR_IMAGE_MOUNT"] = "overlay"
    overlaid = place.shell(f"{here.host}/tricky:1", LISTING)
    here.close()
    assert shown == overlaid and "late/in" in shown


def test_names_of_one_file_are_still_one(place, registry):
    script = "test /bin/sh -ef /bin/ls && echo one; echo more >>/data/same; test /data/same -ef /data/kept && echo one; tail -n 1 /data/kept"
    said = place.shell(f"{registry.host}/five:1", script, securityContext={"runAsUser": 0}).split()
    assert said[0] == "one" and (place.how == "fuse" or said == ["one", "one", "secondmore"])


@pytest.fixture(scope="module")
def layered(tmp_path_factory):
    """An image of more layers than one list of them in a mount's options can name."""
    here = Registry(tmp_path_factory.mktemp("layered"))
    many = [images.busybox_layer(), *(images.layer(images.file(f"many/{i % 90}", f"{i}")) for i in range(499))]
    here.push("many:130", images.Image(many[:130], {"Cmd": ["sh"], "Env": ["PATH=/bin"]}, compression=None))
    here.push("many:500", images.Image(many, {"Cmd": ["sh"], "Env": ["PATH=/bin"]}, compression=None))
    yield here
    here.close()


LAYERED = "cd /many; ls | wc -l; cat 0 89; rm 7; cat 7 2>/dev/null || echo removed"


def test_images_of_many_layers(place, layered):
    if place.who == "user":
        pytest.skip("it takes long, and is the same for others")
    assert place.shell(f"{layered.host}/many:130", LAYERED).split() == ["90", "9089removed"]


def test_overlays_of_as_many_layers_as_are_allowed(layered):
    """The kernel takes 130. With its own upper one 500 are too many for it, and that attempt has a copy."""
    with folder_of("own", "mounts") as (path, prefix):
        probed("own", path, prefix)
        made = Steps(path, prefix)
        made.environment["WEIR_IMAGE_MOUNT"] = "overlay"
        assert made.shell(f"{layered.host}/many:130", "df / | tail -1").split()[0] == "overlay"
        script = f"df / | tail -1 | cut -d' ' -f1; {LAYERED}"
        assert made.shell(f"{layered.host}/many:500", script).split()[1:] == ["90", "450449removed"]


def test_killed_it_leaves_nothing(place, registry):
    place.workflow({"main": {"container": {"image": busybox(registry), "command": ["sh", "-c", "touch /begun /mnt/there/ready; sleep 600"],
                                           "volumeMounts": [{"name": "v", "mountPath": "/mnt/there"}]}}},
                   volumes=[{"name": "v", "hostPath": {"path": str(place.path)}}])  # fmt: skip
    running = subprocess.Popen(place.command("run", "w.yaml", "--allow-host-path"), cwd=place.path, env=place.environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    wait_until((place.path / "ready").exists)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    wait_until(lambda: not place.left_behind() and servers(place) == [] and sandboxes(place) == [])


# --- which way is taken -----------------------------------------------------------------------------------------


# The images are on an overlay above an overlay: more of them the kernel does not stack.
STACKED = """
mount -t tmpfs tmpfs "$0" && cd "$0" && mkdir a b c d e f one two && mount -t overlay overlay -o lowerdir=a:b,upperdir=c,workdir=d one &&
mount -t overlay overlay -o lowerdir=one:f,upperdir=e/u,workdir=e/w two 2>/dev/null || { mkdir e/u e/w &&
mount -t overlay overlay -o lowerdir=one:f,upperdir=e/u,workdir=e/w two; }
chmod 777 . two; chown "$OWNER" two; cd - >/dev/null; exec "$@"
"""


@pytest.fixture(params=["own", "user"])
def stacked(request, registry):
    """Where the kernel mounts no overlay of images, for a store of images that it may not be a layer of."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts the file systems")
    with folder_of(request.param, "stacked") as (path, prefix):
        (path / "mounts").mkdir()
        made = Steps(path, ["unshare", "-m", "sh", "-c", STACKED, str(path / "mounts"), *prefix])
        made.environment |= {"WEIR_IMAGES": str(path / "mounts/two/images"), "OWNER": str(path.stat().st_uid)}
        yield made


def test_where_no_overlay_can_be_mounted_another_way_is_found_and_said(stacked, registry):
    at = stacked.prefix.index(str(stacked.path / "mounts")) + 1
    if DEVICE.exists():
        stacked.prefix[at:at] = ["sh", "-c", 'mount --bind /dev/null /dev/fuse; exec "$0" "$@"']
    stacked.workflow({"main": {"steps": [[{"name": name, "template": "s"} for name in ("one", "two")]]},
                      "s": {"container": {"image": busybox(registry), "command": ["readlink", "/bin/sh"]}}})  # fmt: skip
    ran = stacked.run("run", "w.yaml", "--log", "--durability", "none")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("busybox") >= 2 and ran.stderr.count("each attempt gets a copy of its image") == 1, ran.stderr
    assert "and fuse-overlayfs cannot be used (" in ran.stderr
    # Each command has these file systems anew: an image comes first.
    both = [*stacked.prefix, "sh", "-c", f"{WEIR} image pull {busybox(registry)} >&2 && exec {WEIR} doctor -o json"]
    said = subprocess.run(both, cwd=stacked.path, env=stacked.environment, capture_output=True, text=True, timeout=60)
    doctor = {one["check"]: one for one in json.loads(said.stdout)}["images"]
    assert doctor["state"] == "warning" and doctor["message"] == "steps can run in images, as copies"
    assert "gets a copy of its image" in doctor["hint"]
    stacked.environment["WEIR_IMAGE_MOUNT"] = "overlay"
    ran = stacked.run("run", "w.yaml", "--durability", "none")
    assert ran.returncode == 1 and "no overlay" in ran.stderr and "image-mount: auto" in ran.stderr, ran.stderr
    stacked.environment["WEIR_IMAGE_MOUNT"] = "fuse"
    ran = stacked.run("run", "w.yaml", "--durability", "none")
    assert ran.returncode == 1 and "for the files of an image, cannot be used" in ran.stderr, ran.stderr


def test_fuse_overlayfs_comes_before_a_copy(stacked, registry):
    if not (DEVICE.exists() and shutil.which("fuse-overlayfs")):
        pytest.skip("no /dev/fuse, or no fuse-overlayfs")
    device = stacked.path / "fuse"
    os.mknod(device, stat.S_IFCHR, DEVICE.stat().st_rdev)
    device.chmod(0o666)
    at = stacked.prefix.index(str(stacked.path / "mounts")) + 1
    stacked.prefix[at:at] = ["sh", "-c", f'mount --bind {device} /dev/fuse; exec "$0" "$@"']
    ran = stacked.run("run", stacked.write("d.json", DATAFLOW % busybox(registry)), "--log", "--durability", "none")
    assert ran.returncode == 0 and "fuse-overlayfs" in ran.stdout + ran.stderr, ran.stderr
    assert ran.stderr.count("fuse-overlayfs does, which takes longer") == 1, ran.stderr


DATAFLOW = """{"operations": {"one": {"name": "process.run", "inputs": {}, "outputs": {"result": "said"}}},
"definitions": {"said": {"primitive": "string"}},
"configs": {"one": {"command": ["df", "/"], "sandbox": {"image": "%s"}}}}"""
