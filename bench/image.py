"""What an image costs before its first step: pulled from a registry on this machine and unpacked, beside skopeo and umoci; and looking for one that is here.

usage: image.py [--megabytes N] [--layers N] [--rounds N]

The image is made of this machine's files below /usr, so many MB compressed. `weir image pull` into an empty folder takes turns with `skopeo copy` from the registry and
`umoci unpack`; the page cache is written to the disk before each. Exits with 1 when the target is missed; where skopeo or umoci is not installed, weir alone is measured."""

import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/end_to_end"))
import registry_server  # noqa: E402

WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
RATIO_MAX = 1.3
SOURCES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/python3", "/usr/share", "/usr/lib", "/usr/bin")


def files_of(bytes_max):
    """Paths and contents of real files, so many bytes of them."""
    found, total, seen = {}, 0, set()
    for source in SOURCES:
        for folder, folders, names in os.walk(source):
            folders.sort()
            for name in sorted(names):
                path = pathlib.Path(folder, name)
                if path.is_symlink() or not path.is_file() or path in seen:
                    continue
                seen.add(path)
                data = path.read_bytes()
                found[str(path)[1:]] = (0o644, data)
                total += len(data)
                if total > bytes_max:
                    return found
    return found


def layers_of(megabytes, count):
    """Layers of about the same size, which together have so many MB when they are compressed."""
    found = files_of(int(megabytes * 2.6e6))
    layers, names = [{} for _ in range(count)], list(found)
    for at, name in enumerate(names):
        layers[at * count // len(names)][name] = found[name]
    return layers


def timed(*command, **settings):
    """Seconds, and seconds of CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **settings)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pull(place, name):
    return timed(WEIR, "image", "pull", name, env={**os.environ, "WEIR_IMAGES": str(place / "images")})


def copy_and_unpack(place, name):
    copied = timed("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{place}/layout:x")
    unpacked = timed("umoci", "unpack", *(["--rootless"] if os.geteuid() else []), "--image", f"{place}/layout:x", place / "bundle")
    return tuple(map(sum, zip(copied, unpacked)))


def measure(way, name):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        os.sync()
        return way(pathlib.Path(folder), name)


def here(name):
    """Median of looking for an image that is there, as a program of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        pull(place, name)
        return statistics.median(pull(place, name)[0] for _ in range(20)) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ways = {"weir image pull": pull}
    if shutil.which("skopeo") and shutil.which("umoci"):
        ways["skopeo copy, umoci unpack"] = copy_and_unpack
    else:
        print("skopeo or umoci is not here: weir is not compared")
    with tempfile.TemporaryDirectory() as folder:
        registry = registry_server.Registry(pathlib.Path(folder))
        image = registry_server.image(layers_of(options.megabytes, options.layers))
        registry.push("bench/large:1", image)
        registry.push("bench/small:1", registry_server.image([{"a": (0o644, b"text")}]))
        size = sum(map(len, image.blobs.values())) / 1e6
        print(f"an image of {options.layers} layers, {size:.0f} MB")
        samples = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way in ways:
                samples[way].append(measure(ways[way], f"{registry.host}/bench/large:1"))
        looking = here(f"{registry.host}/bench/small:1")
        registry.close()
    best = {way: min(took for took, _ in samples[way]) for way in ways}
    for way in ways:
        cpu = min(cpu for _, cpu in samples[way])
        print(f"{way:28}{best[way]:7.2f} s  {cpu:7.2f} s of CPU")
    missed = False
    print(f"{'weir image pull, it is here':28}{looking:7.1f} ms")
    if len(best) > 1:
        ratio = best["weir image pull"] / best["skopeo copy, umoci unpack"]
        missed = ratio > RATIO_MAX
        print(f"{'ratio':28}{ratio:7.2f}     target {RATIO_MAX}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
