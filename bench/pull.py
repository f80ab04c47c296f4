"""What the first run of an image costs: pulled from a registry on this machine and unpacked, beside `skopeo copy` and `umoci unpack`.

usage: pull.py [--mib N] [--layers N] [--rounds N]      WEIR names the binary (default: build/release/weir)

The image is made of this machine's own files below /usr, N MiB of them unpacked, gzip as docker packs it. Each round runs all in turn, into
empty folders, so that a busy machine slows all; the table gives medians, and the wanted limit is 1.3 times what skopeo and umoci take together.
SKOPEO and UMOCI name those; where they are missing, only weir is measured. The registry is the one of the tests, on the same cores."""

import argparse
import io
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
sys.path.insert(0, str(ROOT / "tests/end_to_end"))

from registry_server import Registry, image  # noqa: E402

SKOPEO = os.environ.get("SKOPEO", shutil.which("skopeo"))
UMOCI = os.environ.get("UMOCI", shutil.which("umoci"))


def archives(mib, count):
    """Layers of regular files, each of about as many bytes."""
    layers, taken, total = [], 0, mib << 20
    out = io.BytesIO()
    archive = tarfile.open(fileobj=out, mode="w")
    for path in sorted(pathlib.Path("/usr").rglob("*")):
        if not path.is_file() or path.is_symlink() or not (0 < path.stat().st_size < 64 << 20):
            continue
        archive.add(path, str(path).lstrip("/"))
        taken += path.stat().st_size
        if taken >= total * (len(layers) + 1) // count:
            archive.close()
            layers.append(out.getvalue())
            out = io.BytesIO()
            archive = tarfile.open(fileobj=out, mode="w")
        if len(layers) == count:
            break
    return layers


def timed(*commands, **environment):
    begun = time.monotonic()
    for command in commands:
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return time.monotonic() - begun


def measure(registry, folder, samples):
    """One round."""
    place, name = folder / "round", f"{registry.host}/bench/large:1"
    place.mkdir()
    samples.setdefault("weir image pull", []).append(timed([WEIR, "image", "pull", name], WEIR_IMAGES=str(place / "weir")))
    if SKOPEO and UMOCI:
        samples.setdefault("skopeo copy", []).append(
            timed([SKOPEO, "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{place}/oci:1"])
        )
        samples.setdefault("umoci unpack", []).append(timed([UMOCI, "unpack", "--image", f"{place}/oci:1", place / "bundle"]))
    shutil.rmtree(place)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=200)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    samples = {}
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as name:
        folder = pathlib.Path(name)
        registry = Registry(folder)
        made = image(archives(wanted.mib, wanted.layers))
        registry.push("bench/large:1", made)
        packed = sum(layer["size"] for layer in made.manifest["layers"])
        print(f"{wanted.mib} MiB in {wanted.layers} layers, {packed / 1e6:.0f} MB packed; medians of {wanted.rounds}")
        for _ in range(wanted.rounds):
            measure(registry, folder, samples)
        registry.close()
    medians = {name: statistics.median(values) for name, values in samples.items()}
    for name, seconds in medians.items():
        print(f"{name:20} {seconds:8.3f} s   ({min(samples[name]):.3f} to {max(samples[name]):.3f})")
    if len(medians) == 3:
        ours, theirs = medians["weir image pull"], medians["skopeo copy"] + medians["umoci unpack"]
        print(f"{'ratio':20} {ours / theirs:8.2f}     (wanted: at most 1.3)")


if __name__ == "__main__":
    main()
