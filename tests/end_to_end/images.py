"""Images of containers for tests, made by Python alone: no engine, no skopeo. An image is layers (tar archives) and a configuration; it is written
as an OCI layout, as what `docker save` writes, or pushed to a registry: `Registry.push` of registry_server takes it."""

import dataclasses
import gzip
import io
import json
import pathlib
import platform
import shutil
import subprocess
import tarfile

import pytest

from registry_server import digest_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "build/tools/images"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OTHER_ARCHITECTURE = "arm64" if ARCHITECTURE == "amd64" else "amd64"
MOMENT = 1_700_000_000  # of all files: what is made twice is the same

OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "index": "application/vnd.oci.image.index.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": {
        None: "application/vnd.oci.image.layer.v1.tar",
        "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
        "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    },
}
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": {
        None: "application/vnd.docker.image.rootfs.diff.tar",
        "gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    },
}


# --- layers -----------------------------------------------------------------------------------------------------------


def entry(path, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, to="", device=(0, 0), attributes=None):
    """One entry of a layer, whatever its name: hostile ones are made by this as well."""
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid, info.linkname, info.mtime = kind, mode, uid, gid, to, MOMENT
    info.devmajor, info.devminor = device
    info.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in (attributes or {}).items()}
    data = data.encode() if isinstance(data, str) else data
    info.size = len(data)
    return info, data


def file(path, data=b"", mode=0o644, **owner):
    return entry(path, data=data, mode=mode, **owner)


def folder(path, mode=0o755, **owner):
    return entry(path, tarfile.DIRTYPE, mode=mode, **owner)


def link(path, to):
    return entry(path, tarfile.SYMTYPE, to=to, mode=0o777)


def hard(path, to):
    return entry(path, tarfile.LNKTYPE, to=to)


def gone(path):
    """The file or folder of a layer below is not there any more."""
    above, name = path.rpartition("/")[::2]
    return file(f"{above}/.wh.{name}" if above else f".wh.{name}")


def opaque(path):
    """Nothing of the folder in layers below is to be seen."""
    return file(f"{path}/.wh..wh..opq")


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


PACK = {None: bytes, "gzip": lambda data: gzip.compress(data, 1, mtime=0), "zstd": zstd}


# --- images -----------------------------------------------------------------------------------------------------------


def as_json(value):
    return json.dumps(value, separators=(",", ":")).encode()


@dataclasses.dataclass
class Image:
    layers: list  # tar archives, the lowest first
    config: dict = dataclasses.field(default_factory=dict)  # Entrypoint, Cmd, Env, WorkingDir, User, StopSignal …
    architecture: str = ARCHITECTURE
    variant: str = ""
    compression: object = "gzip"  # of all layers, or a list of one for each
    types: dict = dataclasses.field(default_factory=lambda: OCI)

    def __post_init__(self):
        each = self.compression if isinstance(self.compression, list) else [self.compression] * len(self.layers)
        self.packed = [(kind, PACK[kind](data)) for kind, data in zip(each, self.layers, strict=True)]

    @property
    def diff_ids(self):
        return [digest_of(data) for data in self.layers]

    @property
    def platform(self):
        return {"architecture": self.architecture, "os": "linux", **({"variant": self.variant} if self.variant else {})}

    @property
    def config_file(self):
        history = [{"created": "2023-11-14T22:13:20Z", "created_by": f"layer {i}"} for i in range(len(self.layers))]
        return as_json({
            "created": "2023-11-14T22:13:20Z", **self.platform, "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids}, "history": history})  # fmt: skip

    @property
    def bytes(self):
        """The manifest."""
        return as_json({
            "schemaVersion": 2, "mediaType": self.types["manifest"],
            "config": {"mediaType": self.types["config"], "digest": digest_of(self.config_file), "size": len(self.config_file)},
            "layers": [{"mediaType": self.types["layer"][kind], "digest": digest_of(data), "size": len(data)}
                       for kind, data in self.packed]})  # fmt: skip

    @property
    def digest(self):
        return digest_of(self.bytes)

    @property
    def blobs(self):
        """All but the manifest."""
        return {digest_of(data): data for data in [self.config_file, *(data for _, data in self.packed)]}

    @property
    def size(self):
        return sum(len(data) for _, data in self.packed)


def descriptor(image):
    return {"mediaType": image.types["manifest"], "digest": image.digest, "size": len(image.bytes), "platform": image.platform}


class Index:
    """Images of several platforms under one name."""

    def __init__(self, *images):
        self.images, self.types = images, images[0].types
        self.blobs = {digest: data for image in images for digest, data in image.blobs.items()}
        self.inner = {image.digest: image.bytes for image in images}
        self.bytes = as_json({"schemaVersion": 2, "mediaType": self.types["index"], "manifests": [descriptor(image) for image in images]})
        self.digest = digest_of(self.bytes)


def write_layout(path, names, whole_names=False):
    """An OCI layout of {name: Image or Index}. With `whole_names` as containerd and newer Dockers write it, where the specification's annotation has the
    tag alone."""
    blobs = path / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    manifests = []
    for name, what in names.items():
        inner = list(getattr(what, "inner", {}).values())
        for data in [*what.blobs.values(), *inner, what.bytes]:
            (blobs / digest_of(data).removeprefix("sha256:")).write_bytes(data)
        annotations = {"org.opencontainers.image.ref.name": name}
        if whole_names:
            annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
        about = {"mediaType": what.types["index" if inner else "manifest"], "digest": what.digest, "size": len(what.bytes)}
        manifests.append({**about, "annotations": annotations})
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_bytes(as_json({"schemaVersion": 2, "mediaType": OCI["index"], "manifests": manifests}))
    return path


def pack_folder(path, archive, mode="w"):
    """The folder's content as a tar archive, as an OCI layout may come."""
    with tarfile.open(archive, mode) as tar:
        for found in sorted(path.rglob("*")):
            tar.add(found, str(found.relative_to(path)), recursive=False)
    return archive


def docker_save(archive, names, links=False):
    """What `podman save` writes, and `docker save` did until version 25: manifest.json, CONFIG.json and a tar for each layer; `links` as Docker
    did where images share layers."""
    with tarfile.open(archive, "w") as tar:

        def put(name, data):
            info, data = file(name, data)
            tar.addfile(info, io.BytesIO(data))

        listed, there = [], {}
        for name, image in names.items():
            config, layers = digest_of(image.config_file)[7:], []
            for data in image.layers:
                diff = digest_of(data)[7:]
                place = digest_of(f"{config}{len(layers)}".encode())[7:] + "/layer.tar" if links else f"{diff}.tar"
                layers.append(place)
                if diff in there and links:
                    tar.addfile(link(place, f"../{there[diff]}")[0])
                elif diff not in there:
                    put(place, data)
                    there[diff] = place
            put(f"{config}.json", image.config_file)
            listed.append({"Config": f"{config}.json", "RepoTags": [name], "Layers": layers})
        put("manifest.json", as_json(listed))
    return archive


# --- the images that tests use ----------------------------------------------------------------------------------------


def busybox_layer(hard_links=False):
    """A file system with busybox alone, and a command of every name that it knows."""
    program = shutil.which("busybox")
    if not program:
        pytest.skip("no busybox-static: `./dev setup` installs it")
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    folders = [folder(name) for name in ("bin", "dev", "etc", "proc", "root", "sys", "usr", "usr/bin", "var", "home")]
    commands = [
        hard(f"bin/{name}", "bin/busybox") if hard_links else link(f"bin/{name}", "busybox") for name in names if name != "busybox"
    ]
    return layer(
        *folders, folder("tmp", 0o1777), file("bin/busybox", pathlib.Path(program).read_bytes(), 0o755), *commands,
        link("usr/bin/env", "../../bin/env"),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nsomebody:x:1000:1000::/home:/bin/sh\n"),
        file("etc/group", "root:x:0:\nsomebody:x:1000:\nothers:x:2000:somebody\n"))  # fmt: skip


def busybox(**config):
    """Small: 1 MB."""
    return Image([busybox_layer()], {"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin"], **config})


def five_layers(**options):
    """Whiteouts, opaque folders, hard links, owners: /all says what is to be seen."""
    config = {
        "Entrypoint": ["/entry"], "Cmd": ["one", "two words"], "Env": ["PATH=/bin", "COLOUR=blue", "EMPTY="],
        "WorkingDir": "/data/here", "User": "somebody", "StopSignal": "SIGUSR1"}  # fmt: skip
    layers = [
        busybox_layer(hard_links=True),
        layer(folder("data"), folder("data/old"), file("data/old/a", "below"), file("data/old/b", "below"), file("data/gone", "below"),
              folder("data/folder"), file("data/folder/x", "below"), file("data/kept", "first")),
        layer(gone("data/gone"), gone("data/folder"), file("data/kept", "second"), hard("data/same", "data/kept")),
        layer(folder("data/old"), opaque("data/old"), file("data/old/c", "above"), file("data/folder", "a file now"),
              folder("data/here", uid=1000, gid=1000)),
        layer(file("entry", '#!/bin/sh\necho "$@" in "$PWD" as "$(id -un)": $COLOUR\n', 0o755),
              file("all", "data data/folder data/here data/kept data/old data/old/c data/same\n")),
    ]  # fmt: skip
    return Image(layers, options.pop("config", config), **options)


def several_platforms():
    """This machine's is busybox, the other only says what it is."""
    return Index(Image([layer(file("which", OTHER_ARCHITECTURE))], architecture=OTHER_ARCHITECTURE), busybox(Cmd=["echo", ARCHITECTURE]))


def python():
    """Of Debian's own packages, 35 MB; `./dev setup` fetches them."""
    packages = sorted(KEPT.glob("*.deb"))
    if not packages:
        pytest.skip("Debian's packages are not in build/tools/images: `./dev setup` fetches them")
    layers = [subprocess.run(["dpkg-deb", "--fsys-tarfile", name], capture_output=True, check=True).stdout for name in packages]
    above = layer(link("usr/bin/python3", "python3.11"), link("usr/bin/python", "python3"))
    return Image([busybox_layer(), *layers, above], {"Cmd": ["python3"], "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"]})
