"""What a step in an image costs: /bin/true in one of five layers, beside the same step on the host, and podman.

usage: image_steps.py [--count N] [--rounds N] [--podman N]      WEIR names the binary (default: build/release/weir)

Whole runs of N steps, one at a time, in turn in one loop; a step is the median run divided by N. As whoever runs it and, if that is root, as an
ordinary user, as podman is. `memory` is the peak of the engine with 1,000 steps at once and with 10,000. Exits with 1 when a target is missed."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import start

sys.path.insert(0, str(start.ROOT / "tests/end_to_end"))
import images  # noqa: E402

AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
BEYOND_MS, TIMES_PODMAN = 3.0, 50
NAME = "bench-five:1"
FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: many-}
spec:
  entrypoint: main
  templates:
  - {name: t, container: {image: "%s", command: [/bin/true]}}
  - name: main
    steps: [[{name: s, template: t, withSequence: {count: "%d"}}]]
"""


class Place:
    """A folder of a user's, with the image in its store."""

    def __init__(self, folder, prefix):
        self.folder, self.prefix = folder, prefix
        self.environment = {**start.ENVIRONMENT, "HOME": str(folder), "WEIR_IMAGES": str(folder / "images")}
        self.environment.pop("XDG_DATA_HOME", None)
        self.environment.pop("XDG_RUNTIME_DIR", None)
        above = [images.layer(images.file(f"data-{i}", "root's: podman has no other users here")) for i in range(4)]
        image = images.Image([images.busybox_layer(), *above], {"Cmd": ["true"], "Env": ["PATH=/bin"]})
        images.write_layout(folder / "layout", {NAME: image})
        images.docker_save(folder / "saved.tar", {"localhost/" + NAME: image})
        if prefix:
            subprocess.run(["chown", "-R", "65534:65534", folder], check=True)
        self.run([start.WEIR, "image", "import", "layout"])

    def run(self, command):
        ran = subprocess.run(self.prefix + command, cwd=self.folder, capture_output=True, text=True, env=self.environment)
        if ran.returncode:
            sys.exit(f"{' '.join(command)} ended with {ran.returncode}: {ran.stderr[-500:]}")
        return ran.stdout

    def steps(self, count, executor, at_once):
        (self.folder / "flow.yaml").write_text(FLOW % (NAME, count))
        return [start.WEIR, "run", "flow.yaml", "-q", "--durability", "none", "--executor", executor, "--pull", "never",
                "--set", f"limits.attempts={at_once}"]  # fmt: skip

    def seconds(self, command):
        began = time.perf_counter()
        self.run(command)
        return time.perf_counter() - began

    def podman_seconds(self, count):
        """Of one `podman run`; None: it is not here, or cannot run anything."""
        loaded = shutil.which("podman") and subprocess.run(
            self.prefix + ["podman", "load", "-q", "-i", "saved.tar"], cwd=self.folder, env=self.environment, capture_output=True)
        if not loaded or loaded.returncode:
            return None
        for runtime in ([], ["--runtime", "crun"], ["--runtime", "runc"]):
            command = self.prefix + ["podman", *runtime, "run", "--rm", "--network", "host", "localhost/" + NAME, "/bin/true"]
            if subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True).returncode == 0:
                began = time.perf_counter()
                for _ in range(count):
                    subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, check=True)
                return (time.perf_counter() - began) / count
        return None

    def peak(self, meter, count):
        """Bytes of the engine alone."""
        state = self.folder / "unused"
        environment = {**self.environment, "WEIR_STATE": str(state)}
        line = subprocess.run([*self.prefix, meter, *self.steps(count, "auto", 1000)], cwd=self.folder, env=environment,
                              capture_output=True, text=True, check=True).stdout  # fmt: skip
        return int(line.split()[2])


def measure(place, who, options):
    samples = {"auto": [], "process": []}
    for _ in range(options.rounds):
        for executor, times in samples.items():
            times.append(place.seconds(place.steps(options.count, executor, 1)) / options.count)
    image, host = (statistics.median(samples[executor]) * 1e3 for executor in ("auto", "process"))
    print(f"{who}: in the image {image:.2f} ms, on the host {host:.2f} ms, beyond it {image - host:.2f} ms (at most {BEYOND_MS})")
    missed = image - host > BEYOND_MS
    podman = place.podman_seconds(options.podman)
    if podman:
        print(f"{who}: podman {podman * 1e3:.0f} ms, {podman * 1e3 / image:.0f} times a step (at least {TIMES_PODMAN})")
        missed |= podman * 1e3 / image < TIMES_PODMAN
    else:
        print(f"{who}: podman cannot be compared with here")
    return missed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--podman", type=int, default=5)
    options = parser.parse_args()
    missed = False
    for who, prefix in {"own": [], **({"user": AS_USER} if os.geteuid() == 0 else {})}.items():
        with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
            folder = pathlib.Path(name)
            folder.chmod(0o777)
            place = Place(folder, prefix)
            missed |= measure(place, who, options)
            if prefix:
                continue
            meter = str(folder / "measure")
            subprocess.run(["cc", "-O2", "-o", meter, start.ROOT / "bench/measure.c"], check=True)
            few, many = place.peak(meter, 1000), place.peak(meter, 10000)
            print(f"memory: {few / 1e6:.1f} MB for 1,000 steps at once, {many / 1e6:.1f} MB for 10,000 of which 1,000 are at once")
    sys.exit(missed)


if __name__ == "__main__":
    main()
