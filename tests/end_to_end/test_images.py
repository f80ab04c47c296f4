"""`weir image …`: images come from files and registries, are shown and go; as whoever runs the tests and, if that is root, as an ordinary user."""

import concurrent.futures
import gzip
import hashlib
import json
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time

import pytest

import images
from conftest import WEIR
from registry_server import Meddler, Registry, times
from test_sandbox import AS_USER, ORDINARY, Place, probed, wait_until

STORED = ".local/share/weir/images"
WHOLE = "docker.io/library/"


class Images(Place):
    """The store is at the place that weir takes by itself for an ordinary user; root's is named."""

    def __init__(self, path, prefix):
        super().__init__(path, prefix)
        self.store = path / STORED
        self.environment.pop("XDG_DATA_HOME", None)
        self.environment["WEIR_EXECUTOR"] = "auto"
        if os.geteuid() == 0 and not prefix:
            self.environment["WEIR_IMAGES"] = str(self.store)

    def elsewhere(self):
        return [f"--image-store={self.path}/elsewhere"]

    def hand_over(self):
        """What the test made is its user's."""
        if self.prefix:
            subprocess.run(["chown", "-R", f"{ORDINARY}:{ORDINARY}", self.path], check=True)

    def json(self, *arguments):
        ran = self.run(*arguments, "-o", "json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def names(self, *options):
        ran = self.run("image", "list", "-o", "name", *options)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.split()

    def layers(self):
        """The folders of all of them."""
        found = self.store / "layers"
        return [path for path in found.iterdir() if path.is_dir()] if found.exists() else []

    def layer(self, name, number):
        """The folder that a layer is unpacked in."""
        return self.store / "layers" / self.json("image", "show", name)["layers"][number]["diff_id"].removeprefix("sha256:")


def user_of(who):
    if who == "user" and os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user anyway")
    return AS_USER if who == "user" else []


@pytest.fixture(params=["own", "user"])
def place(request):
    # Not in pytest's folder, which is its user's alone.
    with tempfile.TemporaryDirectory(prefix="weir-images-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        made = Images(pathlib.Path(folder), user_of(request.param))
        made.hand_over()
        yield made
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)


@pytest.fixture
def own(tmp_path):
    made = Images(tmp_path, [])
    yield made
    subprocess.run(["chmod", "-R", "u+rwX", tmp_path], check=False)


@pytest.fixture
def registry(tmp_path):
    served = Registry(tmp_path)
    yield served
    served.close()


def parts(store):
    """What is there of images: blobs, layers, and what is half."""
    found = [path for path in store.rglob("*") if path.is_file() and not path.is_symlink()] if store.exists() else []
    return sorted(str(path.relative_to(store)) for path in found)


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- files ------------------------------------------------------------------------------------------------------------


def test_from_a_file_to_nothing(place):
    """Imported, listed, shown, and removed: nothing of it stays."""
    busybox, five = images.busybox(), images.five_layers()
    images.write_layout(place.path / "layout", {"busybox:1": busybox, "tools.example/five:2": five})
    place.hand_over()
    assert place.run("image", "list").stdout.split() == ["NAME", "DIGEST", "PLATFORM", "LAYERS", "SIZE", "UNPACKED", "USED"]
    ran = place.run("image", "import", "layout")
    assert ran.returncode == 0, ran.stderr
    assert sorted(ran.stdout.splitlines()) == [
        f"{WHOLE}busybox:1: {busybox.digest}, 1 layer, 1.1 MB", f"tools.example/five:2: {five.digest}, 5 layers, 1.1 MB"]
    listed = {image["name"]: image for image in place.json("image", "list")}
    assert set(listed) == {f"{WHOLE}busybox:1", "tools.example/five:2"}
    one = listed["tools.example/five:2"]
    assert (one["digest"], one["layers"], one["os"], one["architecture"]) == (five.digest, 5, "linux", images.ARCHITECTURE)
    table = place.run("image", "list").stdout.splitlines()
    assert len(table) == 3 and re.search(rf"^{WHOLE}busybox:1 +{busybox.digest[7:19]} +linux/{images.ARCHITECTURE} +1 +1\.1 MB +\S+ MB +\d+s$", "\n".join(table), re.M)
    shown = place.json("image", "show", "tools.example/five:2")
    assert shown["config"]["config"] == five.config and shown["manifest"] == json.loads(five.bytes)
    assert [layer["diff_id"] for layer in shown["layers"]] == five.diff_ids
    said = place.run("image", "show", "tools.example/five:2").stdout
    for line in ['entrypoint   ["/entry"]', 'command      ["one","two words"]', "user         somebody", "folder       /data/here", "stop signal  SIGUSR1"]:
        assert line in said.splitlines()
    ran = place.run("image", "rm", "tools.example/five:2", "busybox:1")
    assert (ran.returncode, ran.stdout) == (0, "tools.example/five:2: removed\nbusybox:1: removed\n")
    assert place.names() == []
    ran = place.run("image", "rm", "busybox:1")
    assert ran.returncode == 2 and "busybox:1" in ran.stderr
    place.run("image", "prune")
    assert place.layers() == [] and not [part for part in parts(place.store) if part.startswith("blobs")]


def forms(folder):
    """One image as all that may be imported: what gives the names, and the paths."""
    five = images.five_layers()
    layout = images.write_layout(folder / "layout", {"five:1": five})
    images.write_layout(folder / "containerd", {f"{WHOLE}five:1": five}, whole_names=True)
    images.pack_folder(layout, folder / "layout.tar")
    images.pack_folder(layout, folder / "layout.tar.gz", "w:gz")
    images.docker_save(folder / "save.tar", {"five:1": five})
    images.docker_save(folder / "links.tar", {"five:1": five}, links=True)
    subprocess.run(["zstd", "-q", "--rm", folder / "links.tar"], check=True)
    return five, ["layout", "containerd", "layout.tar", "layout.tar.gz", "save.tar", "links.tar.zst"]


def test_all_forms_of_files(own):
    five, names = forms(own.path)
    for name in names:
        store = f"--image-store={own.path}/store-{name}"
        ran = own.run("image", "import", name, store)
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        shown = own.json("image", "show", "five:1", store)
        assert [layer["diff_id"] for layer in shown["layers"]] == five.diff_ids, name
        assert shown["config"]["config"] == five.config, name


def test_layers_are_shared_and_unpacked_once(own):
    busybox = images.busybox()
    above = images.Image([*busybox.layers, images.layer(images.file("more", "more"))], compression="zstd")
    images.write_layout(own.path / "layout", {"below:1": busybox, "above:1": above})
    assert own.run("image", "import", "layout").returncode == 0
    assert len(own.layers()) == 2
    assert own.layer("below:1", 0) == own.layer("above:1", 0)
    assert (own.layer("above:1", 1) / "more").read_text() == "more"
    assert own.run("image", "rm", "below:1").returncode == 0
    own.run("image", "prune")
    assert (own.layer("above:1", 0) / "bin/busybox").exists()


def test_a_root_file_system(place):
    (place.path / "root.tar").write_bytes(images.busybox_layer())
    place.hand_over()
    ran = place.run("image", "import", "root.tar")
    assert ran.returncode == 2 and "--name" in ran.stderr
    ran = place.run("image", "import", "root.tar", "--name", "tools:own", "-o", "name")
    assert (ran.returncode, ran.stdout) == (0, f"{WHOLE}tools:own\n")
    assert (place.layer("tools:own", 0) / "bin/busybox").stat().st_size > 1_000_000


def test_python_of_debian(own):
    """Several packages, which all bring the same folders."""
    python = images.python()
    images.write_layout(own.path / "layout", {"python:3": python})
    ran = own.run("image", "import", "layout")
    assert ran.returncode == 0, ran.stderr
    folders = [own.layer("python:3", number) for number in range(len(python.layers))]
    assert any((folder / "usr/bin/python3.11").exists() for folder in folders)
    assert sum(len(list(folder.rglob("*.py"))) for folder in folders) > 300


def test_out_and_in_again(place):
    five = images.five_layers()
    images.docker_save(place.path / "save.tar", {"five:1": five})
    place.hand_over()
    assert place.run("image", "import", "save.tar").returncode == 0
    ran = place.run("image", "export", "five:1", "out.tar")
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    with tarfile.open(place.path / "out.tar") as tar:
        assert {"oci-layout", "index.json", "manifest.json"} <= set(tar.getnames())
        assert json.load(tar.extractfile("manifest.json"))[0]["RepoTags"] in (["five:1"], [f"{WHOLE}five:1"])
    ran = place.run("image", "import", "out.tar", *place.elsewhere())
    assert ran.returncode == 0, ran.stderr
    first, second = place.json("image", "show", "five:1"), place.json("image", "show", "five:1", *place.elsewhere())
    assert first["digest"] == second["digest"] and first["config"] == second["config"]
    ran = place.run("image", "export", "six:1", "out.tar")
    assert ran.returncode == 2 and "six:1" in ran.stderr


@pytest.mark.skipif(not shutil.which("podman") or os.geteuid() != 0, reason="podman, and root's store of it")
def test_podman_reads_and_writes_the_same(own):
    short = tempfile.mkdtemp(prefix="weir-", dir="/var/tmp")  # podman wants no long names
    podman = ["podman", "--root", f"{short}/root", "--runroot", f"{short}/run", "--storage-driver", "vfs"]
    five = images.five_layers()
    images.write_layout(own.path / "layout", {"weir.example/five:1": five})
    assert own.run("image", "import", "layout").returncode == 0
    assert own.run("image", "export", "weir.example/five:1", "out.tar").returncode == 0
    loaded = subprocess.run([*podman, "load", "-q", "-i", own.path / "out.tar"], capture_output=True, text=True, timeout=120)
    if "Loaded image" not in loaded.stdout:
        assert "out.tar" not in loaded.stderr, loaded.stderr
        shutil.rmtree(short)
        pytest.skip(f"podman cannot: {loaded.stderr}")
    for form in ("docker-archive", "oci-archive"):
        saved = own.path / f"{form}.tar"
        subprocess.run([*podman, "save", "-q", "--format", form, "-o", saved, "weir.example/five:1"], check=True, timeout=120)
        ran = own.run("image", "import", saved, *own.elsewhere())
        assert ran.returncode == 0 and "five:1" in ran.stdout, ran.stderr
        shown = own.json("image", "show", "weir.example/five:1", *own.elsewhere())
        assert [layer["diff_id"] for layer in shown["layers"]] == five.diff_ids
        assert own.run("image", "rm", "weir.example/five:1", *own.elsewhere()).returncode == 0
    shutil.rmtree(short)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def spoiled_layout(folder, what):
    busybox = images.busybox()
    layout = images.write_layout(folder / "layout", {"busybox:1": busybox})
    blob = layout / "blobs/sha256" / images.digest_of(busybox.packed[0][1])[7:]
    if what == "truncated":
        blob.write_bytes(blob.read_bytes()[:-1000])
    if what == "another":
        blob.write_bytes(gzip.compress(busybox.layers[0] + bytes(512)))
    if what == "gone":
        blob.unlink()
    if what == "no index":
        (layout / "index.json").unlink()
    if what == "index of nothing":
        (layout / "index.json").write_text('{"schemaVersion": 2, "manifests": [{"digest": "../../etc/passwd", "size": 1}]}')
    return layout


@pytest.mark.parametrize("what", ["truncated", "another", "gone", "no index", "index of nothing"])
def test_layouts_that_are_wrong(own, what):
    spoiled_layout(own.path, what)
    ran = own.run("image", "import", "layout")
    assert ran.returncode == 2 and ran.stderr.startswith("weir: ") or "error: " in ran.stderr, ran
    assert own.names() == []


def test_files_that_are_no_images(own):
    (own.path / "text").write_text("no archive\n" * 100)
    (own.path / "empty").write_bytes(b"")
    (own.path / "folder").mkdir()
    saved = images.docker_save(own.path / "save.tar", {"a:1": images.busybox()})
    (own.path / "cut.tar").write_bytes(saved.read_bytes()[:500_000])
    for name in ("text", "empty", "folder", "cut.tar", "not-there"):
        ran = own.run("image", "import", name)
        assert ran.returncode in (2, 3) and name in ran.stderr, (name, ran)
        assert own.names() == []
    ran = own.run("image", "import", "save.tar", "--name", "Not A Name")
    assert ran.returncode == 2 and "Not A Name" in ran.stderr


HOSTILE = {
    "above": [images.file("../outside", "escaped")],
    "absolute": [images.file("/var/tmp/weir-escaped", "escaped")],
    "through a link": [images.link("way", "/var/tmp"), images.file("way/weir-escaped", "escaped")],
    "through a link upwards": [images.link("way", "../../../../.."), images.file("way/outside", "escaped")],
    "hard link outside": [images.hard("taken", "/etc/passwd"), images.hard("taken2", "../../../../etc/passwd")],
    "device": [images.entry("disk", images.tarfile.BLKTYPE, device=(8, 0)), images.entry("memory", images.tarfile.CHRTYPE, device=(1, 1))],
    "whiteout outside": [images.file("a/.wh..."), images.file(".wh...")],
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_layers(place, what):
    """Refused, or harmless: nothing is written beside the layer, and no device is made."""
    image = images.Image([images.layer(images.file("before", "x"), *HOSTILE[what])])
    images.write_layout(place.path / "layout", {"hostile:1": image})
    (place.path / "outside").write_text("as it was")
    place.hand_over()
    ran = place.run("image", "import", "layout")
    assert ran.returncode in (0, 2), ran.stderr
    assert (ran.returncode == 0) == (place.names() != [])
    assert (place.path / "outside").read_text() == "as it was"
    assert not os.path.exists("/var/tmp/weir-escaped")
    for path in place.store.rglob("*") if place.store.exists() else []:
        found = path.lstat()
        assert not (found.st_mode & 0o170000) in (0o060000, 0o020000), path
        assert found.st_ino != os.stat("/etc/passwd").st_ino


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_full_disk(own):
    full = own.path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", full], check=True)
    try:
        images.write_layout(own.path / "layout", {"busybox:1": images.busybox()})
        ran = own.run("image", "import", "layout", f"--image-store={full}/images")
        assert ran.returncode == 3 and "No space left" in ran.stderr, ran
        assert own.names(f"--image-store={full}/images") == []
        ran = own.run("image", "prune", f"--image-store={full}/images")
        assert ran.returncode == 0, ran.stderr
        assert shutil.disk_usage(full).free > 1_500_000
    finally:
        subprocess.run(["umount", full], check=True)


def test_a_store_that_cannot_be_written():
    with tempfile.TemporaryDirectory(prefix="weir-images-", dir="/var/tmp") as folder:
        place = Images(pathlib.Path(folder), user_of("user"))
        os.chmod(folder, 0o755)
        images.write_layout(place.path / "layout", {"busybox:1": images.busybox()})
        ran = place.run("image", "import", "layout")
        assert ran.returncode == 3 and "Permission denied" in ran.stderr
        assert place.names() == []


def test_names_that_are_none(own):
    for name in ("", "UPPER/case", "a b", "a:b:c", "a@sha256:123", "-o", "a//b", "x" * 5000):
        ran = own.run("image", "show", "--", name)
        assert ran.returncode == 2 and ran.stderr.startswith("weir: "), (name, ran)
    ran = own.run("image", "show", "busybox")
    assert ran.returncode == 2 and f"{WHOLE}busybox:latest" in ran.stderr


# --- registries -------------------------------------------------------------------------------------------------------


def test_pulled_from_a_registry(place, registry):
    five = images.five_layers()
    digest = registry.push("tools/five:1", five)
    name = f"{registry.host}/tools/five:1"
    ran = place.run("image", "pull", name)
    assert (ran.returncode, ran.stdout) == (0, f"{name}: {digest}, 5 layers, 1.1 MB\n"), ran.stderr
    assert ran.stderr == ""
    assert place.names() == [name]
    seen = place.layer(name, 3)
    assert (seen / "data/folder").read_text() == "a file now"
    # Not there, by name or by registry.
    ran = place.run("image", "pull", f"{registry.host}/tools/six:1", f"{registry.host}/tools/five:1", "-o", "name")
    assert (ran.returncode, ran.stdout) == (2, f"{name}\n") and "tools/six" in ran.stderr
    registry.kill()
    ran = place.run("image", "pull", name)
    assert ran.returncode == 3 and registry.host in ran.stderr
    # What is here is here.
    assert place.names() == [name]


def test_of_several_platforms(own, registry):
    several = images.several_platforms()
    digest = registry.push("tools/several:1", several)
    name = f"{registry.host}/tools/several:1"
    pulled = own.json("image", "pull", name)
    assert pulled[0]["architecture"] == images.ARCHITECTURE and pulled[0]["pinned"] == digest
    assert own.json("image", "show", name)["config"]["config"]["Cmd"] == ["echo", images.ARCHITECTURE]
    other = own.json("image", "pull", name, f"--platform=linux/{images.OTHER_ARCHITECTURE}", *own.elsewhere())
    assert other[0]["architecture"] == images.OTHER_ARCHITECTURE
    ran = own.run("image", "pull", name, "--platform=linux/s390x")
    assert ran.returncode == 2 and "s390x" in ran.stderr
    ran = own.run("image", "pull", name, "--platform=s390x")
    assert ran.returncode == 2 and "linux/amd64" in ran.stderr


def test_a_tag_that_means_another_now(own, registry):
    name = f"{registry.host}/tools/moving:1"
    first = registry.push("tools/moving:1", images.busybox())
    assert own.json("image", "pull", name)[0]["digest"] == first
    second = registry.push("tools/moving:1", images.five_layers())
    assert own.json("image", "pull", name)[0]["digest"] == second
    # What lost its name is there until somebody prunes, and has no other.
    assert own.names() == [name] and [image["name"] for image in own.json("image", "list")].count(None) == 1
    assert re.search(rf"^- +{first[7:19]} ", own.run("image", "list").stdout, re.M)
    own.run("image", "prune")
    assert len(own.json("image", "list")) == 1
    ran = own.run("image", "show", f"{registry.host}/tools/moving@{second}", "-o", "json")
    assert ran.returncode == 0 and json.loads(ran.stdout)["digest"] == second


def test_mirrors_of_the_configuration(own, registry):
    registry.push("cache/tools/five:1", images.five_layers())
    (own.path / "weir.yaml").write_text(f"registries:\n  far.example: {{mirrors: ['{registry.host}/cache']}}\n")
    ran = own.run("image", "pull", "far.example/tools/five:1")
    assert ran.returncode == 0, ran.stderr
    assert own.names() == ["far.example/tools/five:1"]


def test_several_at_once_pull_the_same(own, registry):
    """Nothing comes twice, and all succeed."""
    five = images.five_layers()
    registry.push("tools/five:1", five)
    between = Meddler(registry, lambda method, path: {"delay_s": 0.3} if "/blobs/" in path else None)
    name = f"{between.host}/tools/five:1"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ran = list(pool.map(lambda _: own.run("image", "pull", name), range(4)))
    between.close()
    assert [one.returncode for one in ran] == [0] * 4, ran
    fetched = [path for method, path, _ in between.requests if method == "GET" and "/blobs/" in path]
    large = [path for path in fetched if path.endswith(images.digest_of(five.packed[0][1]))]
    assert len(large) == 1, fetched
    assert len(own.layers()) == 5


def noise(size):
    return images.layer(images.file("noise", hashlib.shake_256(b"weir").digest(size)))


def started_pull(own, name, until):
    process = subprocess.Popen(own.command("image", "pull", name), cwd=own.path, env=own.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    ends = time.monotonic() + 30
    while not until() and time.monotonic() < ends:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number, code", [(signal.SIGKILL, -9), (signal.SIGINT, 1), (signal.SIGTERM, 1)])
def test_what_was_interrupted_goes_on(own, registry, number, code):
    """What came of a large layer does not come again."""
    image = images.Image([noise(8 << 20), images.busybox_layer()], compression=[None, "gzip"])
    digest = registry.push("tools/large:1", image)
    large = images.digest_of(image.packed[0][1])
    between = Meddler(registry, times(1, large, {"stall": 4 << 20}))
    name = f"{between.host}/tools/large:1"

    def came():
        return sum(path.stat().st_size for path in own.store.rglob("*") if path.is_file()) >= 4 << 20 if own.store.exists() else False

    process = started_pull(own, name, came)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code and out == "", err
    if code == 1:
        assert "goes on where this ended" in err
    assert own.names() == []
    ran = own.run("image", "pull", name)
    between.close()
    assert ran.returncode == 0 and digest in ran.stdout, ran.stderr
    asked = [headers.get("Range") for method, path, headers in between.requests if method == "GET" and path.endswith(large)]
    assert asked[0] is None and asked[1] and int(re.match(r"bytes=(\d+)-", asked[1]).group(1)) >= 1 << 20, asked
    assert (own.layer(name, 0) / "noise").stat().st_size == 8 << 20


def on_a_terminal(own, *arguments):
    """The exit code, and what was drawn, each drawing by itself."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(own.path)
        os.execvpe(WEIR, [WEIR, *arguments], {**own.environment, "TERM": "xterm"})
    text = b""
    try:
        while data := os.read(terminal, 65536):
            text += data
    except OSError:
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), re.split("\r\x1b\\[K|\x1b\\[\\?2026h", text.decode())


@pytest.fixture
def slow(registry):
    """A registry that thinks about each blob, and the name of an image of 5.3 MB there."""
    image = images.Image([noise(4 << 20), images.busybox_layer()], {"Env": ["PATH=/bin"]}, compression=[None, "gzip"])
    registry.push("tools/large:1", image)
    between = Meddler(registry, lambda method, path: {"delay_s": 0.5} if "/blobs/" in path else None)
    yield f"{between.host}/tools/large:1", image
    between.close()


def test_progress_on_a_terminal(own, slow):
    name, image = slow
    code, drawn = on_a_terminal(own, "image", "pull", name)
    assert code == 0 and any(re.match(r"pulling .*large:1: .* of 5\.\d MB", line) for line in drawn), drawn
    assert any("of 2 layers" in line for line in drawn)
    assert drawn[-1].strip() == f"{name}: {image.digest}, 2 layers, 5.3 MB", drawn


def test_progress_of_a_run(own, slow):
    """Below the tree, as long as something comes; nothing of it stays."""
    probed("own", own.path, [])
    (own.path / "w.yaml").write_text(json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": {"entrypoint": "main", "templates": [
            {"name": "main", "container": {"image": slow[0], "command": ["echo", "in the image"]}}]}}))  # fmt: skip
    code, drawn = on_a_terminal(own, "run", "w.yaml")
    assert code == 0 and "in the image" in drawn[-1], drawn
    assert any(re.search(r"^pulling an image: .* of 5\.\d MB", line, re.MULTILINE) for line in drawn), drawn
    assert "pulling" not in drawn[-1].rpartition("\x1b[J")[2]


def test_many_at_once_some_of_which_are_killed(own, registry):
    """Whoever comes and goes, and whenever they die: what is said to be here is whole, and nothing is left in the end."""
    busybox, five = images.busybox(), images.five_layers()
    images.docker_save(own.path / "a.tar", {"busybox:1": busybox, "five:1": five})
    registry.push("tools/more:1", images.Image([*busybox.layers, images.layer(images.file("more", os.urandom(300_000)))]))
    pulled, chance = f"{registry.host}/tools/more:1", random.Random(7)
    asked = [["import", "a.tar"], ["pull", pulled], ["rm", "busybox:1"], ["rm", pulled, "five:1"], ["prune"], ["list"],
             ["prune", "--older-than", "0s"], ["prune", "--max-size", "1MB"], ["show", "five:1"], ["export", "five:1", "out.tar"]]  # fmt: skip
    ends, under_way = time.monotonic() + 6, []
    while under_way or time.monotonic() < ends:
        while len(under_way) < 4 and time.monotonic() < ends:
            what = chance.choice(asked)
            process = subprocess.Popen(own.command("image", *what), cwd=own.path, env=own.environment, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True)  # fmt: skip
            under_way.append((what, process, chance.random() < 0.2))
        time.sleep(0.02)
        for one in list(under_way):
            what, process, dies = one
            if dies and chance.random() < 0.2:
                process.kill()
            if process.poll() is None:
                continue
            under_way.remove(one)
            said = process.communicate()[1]
            # What is asked for may just have gone.
            fine = (0, -9, 2) if what[0] in ("rm", "show", "export") else (0, -9)
            assert process.returncode in fine, (what, process.returncode, said)
    for what in (["import", "a.tar"], ["pull", pulled], ["export", "five:1", "whole.tar"]):
        ran = own.run("image", *what)
        assert ran.returncode == 0, (what, ran)
    assert own.run("image", "import", "whole.tar", *own.elsewhere()).returncode == 0
    assert own.run("image", "prune", "--older-than", "0s").stdout.endswith(", 0 B left\n")
    assert own.layers() == [] and not [part for part in parts(own.store) if part.startswith(("blobs", "partial", "new"))]


# --- the guide --------------------------------------------------------------------------------------------------------


GUIDE = images.ROOT / "docs/guide/images.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
CHANCE = re.compile(r"sha256:[0-9a-f]{64}|(?<= )[0-9a-f]{12}(?= )|[\d.]+ [kM]?B\b|\d+s$|linux/\w+", re.MULTILINE)


def plain(text):
    """Without what another busybox, machine or day makes different, and how wide columns are."""
    return re.sub(r" +", " ", CHANCE.sub("…", text))


def test_what_the_guide_shows_is_so(own, registry):
    greeter = images.Image(
        [images.busybox_layer(), images.layer(images.file("greet", '#!/bin/sh\necho "hello $1"\n', 0o755))],
        {"Entrypoint": ["/greet"], "Cmd": ["world"], "Env": ["PATH=/bin:/usr/bin"]})  # fmt: skip
    registry.push("tools/greeter:1", greeter)
    (own.path / "bin").mkdir()
    (own.path / "bin/weir").symlink_to(WEIR)
    own.environment["PATH"] = f"{own.path}/bin:{own.environment['PATH']}"
    blocks, shown = BLOCK.findall(GUIDE.read_text()), 0
    for (language, text, *_), (_, printed) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        named = re.match(r"# (\S+\.yaml)\n", text)
        if language == "yaml" and named:
            (own.path / named.group(1)).write_text(text.replace("registry.example", registry.host))
        if language == "yaml" and not named:
            (own.path / "weir.yaml").write_text(text)
            assert own.run("image", "list", "--image-store=unused").returncode == 0, text
            (own.path / "weir.yaml").unlink()
        if language != "sh":
            continue
        ran = subprocess.run(["sh", "-e", "-c", text.replace("registry.example", registry.host)], cwd=own.path, env=own.environment,
                             capture_output=True, text=True, timeout=60)  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert plain(ran.stdout.replace(registry.host, "registry.example")) == plain(printed), text
        shown += 1
    assert shown >= 5


# --- room -------------------------------------------------------------------------------------------------------------


def used_at(own, name):
    return next(image["used"] for image in own.json("image", "list") if image["name"] == name)


def test_what_was_used_longest_ago_goes(own):
    for number in range(3):
        image = images.Image([images.layer(images.file("noise", os.urandom(1 << 20)))])
        images.write_layout(own.path / f"layout{number}", {f"image:{number}": image})
    for number in (0, 1):
        assert own.run("image", "import", f"layout{number}").returncode == 0
        time.sleep(0.01)
    ran = own.run("image", "import", "layout2", "--set", "image-store-limit=4.5MB")
    assert ran.returncode == 0, ran.stderr
    assert f"{WHOLE}image:0" in ran.stderr and "image-store-limit" in ran.stderr
    assert sorted(own.names()) == [f"{WHOLE}image:1", f"{WHOLE}image:2"]
    # What is new is not removed for itself.
    ran = own.run("image", "import", "layout0", "--set", "image-store-limit=1kB", "-o", "json")
    assert ran.returncode == 0 and json.loads(ran.stdout)[0]["name"] == f"{WHOLE}image:0"
    assert own.names() == [f"{WHOLE}image:0"]


def workflow_of(image, script):
    return json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "w-"}, "spec": {
            "entrypoint": "main", "templates": [{"name": "main", "container": {"image": image, "command": ["sh", "-c", script]}}]}})  # fmt: skip


def test_what_a_step_uses_stays_until_it_has_ended(own):
    probed("own", own.path, [])
    images.write_layout(own.path / "layout", {"busybox:1": images.busybox()})
    own.run("image", "import", "layout")
    own.write("w.yaml", workflow_of("busybox:1", "echo begun; i=0; while test $i -lt 100; do ls /bin >/dev/null && i=$((i + 1)); sleep 0.03; done; echo over"))
    running = subprocess.Popen(own.command("run", "w.yaml", "--name", "w"), cwd=own.path, env=own.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    wait_until(lambda: "begun" in own.run("logs", "w").stdout)
    for arguments in (["rm", "busybox:1"], ["prune"], ["prune", "--older-than", "0s"], ["prune", "--max-size", "1"]):
        assert own.run("image", *arguments).returncode == 0
    assert own.names() == [] and len(own.layers()) == 1
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0 and out == "begun\nover\n", err
    own.run("image", "prune")
    assert own.layers() == []


def test_a_run_keeps_to_the_limit_as_well(own, registry):
    probed("own", own.path, [])
    for number in range(2):
        more = images.layer(images.file("noise", os.urandom(1 << 20)))
        registry.push(f"tools/image:{number}", images.Image([images.busybox_layer(), more], {"Env": ["PATH=/bin"]}))
    own.write("weir.yaml", "image-store: kept/here\nimage-store-limit: 6MB\n")
    del own.environment["WEIR_IMAGES"]
    for number in range(2):
        own.write("w.yaml", workflow_of(f"{registry.host}/tools/image:{number}", "echo in it"))
        ran = own.run("run", "w.yaml")
        assert (ran.returncode, ran.stdout) == (0, "in it\n"), ran.stderr
    assert own.names() == [f"{registry.host}/tools/image:1"]
    # The folder is relative to the file that names it, WEIR_IMAGES to where one is.
    assert (own.path / "kept/here/oci-layout").exists()
    (own.path / "below").mkdir()
    assert own.names(f"--config={own.path}/weir.yaml") == [f"{registry.host}/tools/image:1"]
    own.environment["WEIR_IMAGES"] = "kept/here"
    (own.path / "weir.yaml").unlink()
    assert own.names() == [f"{registry.host}/tools/image:1"]


@pytest.mark.parametrize("what", ["above", "through a link", "device"])
def test_hostile_layers_of_a_registry(place, registry, what):
    registry.push("tools/hostile:1", images.Image([images.busybox_layer(), images.layer(*HOSTILE[what])]))
    place.write("outside", "as it was")
    ran = place.run("image", "pull", f"{registry.host}/tools/hostile:1")
    assert ran.returncode == 2 and ran.stderr.startswith("weir: "), ran
    assert place.names() == [] and (place.path / "outside").read_text() == "as it was"
    assert not os.path.exists("/var/tmp/weir-escaped")


def test_prune(own):
    images.write_layout(own.path / "layout", {"busybox:1": images.busybox(), "five:1": images.five_layers()})
    own.run("image", "import", "layout")
    ran = own.run("image", "prune", "--older-than", "1h")
    assert ran.returncode == 0 and ran.stdout.startswith("removed 0 images: "), ran.stderr
    assert len(own.names()) == 2
    pruned = own.json("image", "prune", "--max-size", "3.5MB")
    assert len(pruned["removed"]) == 1 and pruned["freed"] > 0 and 0 < pruned["left"] < 3_500_000
    ran = own.run("image", "prune", "--older-than", "0s", "-o", "name")
    assert ran.returncode == 0 and len(ran.stdout.split()) == 1
    assert own.names() == [] and own.layers() == []
    for wrong in (["--older-than", "often"], ["--max-size", "large"]):
        ran = own.run("image", "prune", *wrong)
        assert ran.returncode == 2 and wrong[0] in ran.stderr


def test_names_are_completed(own):
    images.write_layout(own.path / "layout", {"busybox:1": images.busybox(), "tools.example/five:2": images.five_layers()})
    own.run("image", "import", "layout")
    assert own.run("complete", "image", "rm", "tools").stdout == "tools.example/five:2\n"
    assert len(own.run("complete", "image", "show", "").stdout.splitlines()) == 2
    assert "prune" in own.run("complete", "image", "").stdout
    assert own.run("complete", "image", "import", "").stdout == "FILE\n"
    assert "always" in own.run("complete", "run", "--pull", "").stdout
