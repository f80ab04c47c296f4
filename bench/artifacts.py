"""What keeping an output costs: a folder of the host's that a step has as its output, kept by `weir run` as a tar within gzip beside
`tar czf`, and as it is beside `cp -r`.

usage: artifacts.py [--files N] [--kib N] [--rounds N]

All ways take turns in one loop, so that a busy machine slows all; ratios are of the medians. The step itself is /bin/true in a sandbox.
Exits with 1 when weir takes more than 1.5 of tar's time, or of cp's and sha256sum's together."""

import argparse
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))


def workflow(data, archive):
    return f"""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{name: {archive}}}
spec:
  entrypoint: main
  volumes: [{{name: data, hostPath: {{path: {data}}}}}]
  templates:
  - name: main
    container: {{command: [/bin/true], volumeMounts: [{{name: data, mountPath: /data, readOnly: true}}]}}
    outputs: {{artifacts: [{{name: data, path: /data, archive: {{{archive}: {{}}}}}}]}}
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kib", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        data = folder / "data"
        data.mkdir()
        words = [f"{random.Random(i).getrandbits(40):x} " for i in range(5000)]
        for i in range(options.files):
            chance = random.Random(i)
            text = "".join(chance.choices(words, k=options.kib * 100))[: options.kib * 1024]
            (data / f"{i:05}.txt").write_text(text)
        for form in ("tar", "none"):
            (folder / f"{form}.yaml").write_text(workflow(data, form))

        def weir(form):
            shutil.rmtree(folder / ".weir", ignore_errors=True)
            return [WEIR, "run", f"{form}.yaml", "-q", "--allow-host-path"]

        ways = {"tar czf": lambda: ["tar", "czf", "out.tgz", "data"],
                "weir, tar": lambda: weir("tar"),
                "cp -r, sha256sum": lambda: ["sh", "-c", "cp -r data out; find out -type f -exec sha256sum {} + >sums; sync -f out"],
                "weir, none": lambda: weir("none")}
        samples = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, command in ways.items():
                shutil.rmtree(folder / "out", ignore_errors=True)
                words = command()
                began = time.perf_counter()
                subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
                samples[way].append(time.perf_counter() - began)
        middle = {way: statistics.median(taken) for way, taken in samples.items()}
    mib = options.files * options.kib / 1024
    for way, taken in middle.items():
        print(f"{way:18} {taken * 1e3:8.0f} ms {mib / taken:8.0f} MiB/s")
    ratios = {"weir, tar": middle["weir, tar"] / middle["tar czf"],
              "weir, none": middle["weir, none"] / middle["cp -r, sha256sum"]}
    for way, ratio in ratios.items():
        print(f"{way:18} {ratio:8.2f} of the bare way's time")
    return 1 if max(ratios.values()) > 1.5 else 0


if __name__ == "__main__":
    sys.exit(main())
