"""Workflows mean in images what they mean on the host. The images are of busybox, with what the configuration of the corpus binds into the host's file
system, and of Debian's own Python."""

import concurrent.futures
import json
import os
import subprocess
import sys

import pytest
from test_workflow_corpus import BESIDE, CASES, HERE, ROOT, WEIR, check_case

sys.path.insert(0, str(ROOT / "tests/end_to_end"))
import images  # noqa: E402

# Argo's examples, where they lie beside this tree, take a minute and a half: `./dev test --all` runs them.
IN_IMAGES = [pytest.param(name, marks=[] if path.parent.name == "own" else pytest.mark.examples) for name, path in CASES.items()]


def stand_ins(**names):
    """A layer with scripts of the corpus by other names."""
    folders = [images.folder(path) for path in ("usr", "usr/local", "usr/local/bin", "mnt")]
    bash = images.file("usr/local/bin/bash", '#!/bin/sh\nexec sh "$@"\n', 0o755)
    return images.layer(*folders, bash, *[images.file(path, (HERE / "standins" / script).read_bytes(), 0o755) for path, script in names.items()])


def named_images():
    config = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
    busybox = images.busybox_layer()
    say = stand_ins(**{"usr/local/bin/cowsay": "cowsay"})
    argosay = stand_ins(**{"argosay": "argosay", "usr/local/bin/argosay": "argosay"})
    plain = images.Image([busybox, say], {"Cmd": ["sh"], **config})
    saying = images.Image([busybox, say, argosay], {"Entrypoint": ["/argosay"], **config})
    python = images.python()
    return {
        "busybox:latest": plain, "alpine:3.23": plain, "docker/whalesay:latest": plain,
        "python:alpine3.23": images.Image([*python.layers, say], python.config),
        "argoproj/argosay:v1": saying, "argoproj/argosay:v2": saying}  # fmt: skip


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    layout = images.write_layout(folder / "layout", named_images())
    environment = {**os.environ, "WEIR_IMAGES": str(folder / "store"), "WEIR_ISOLATION": "auto"}
    ran = subprocess.run([WEIR, "image", "import", layout], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return environment


def run_case(path, folder, environment):
    case = json.loads(path.read_text())
    library = [HERE / "configmaps.yaml"] if path.is_relative_to(HERE) else [BESIDE / "library"]
    command = [WEIR, "run", path.with_suffix(".yaml"), "--name", case["name"], "--executor", "auto", "--pull", "never"]
    command += ["--resume-after", "1500ms", "--library", *library, "-o", "json"]
    return case, subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="session")
def runs(request, store, tmp_path_factory):
    names = [item.callspec.params["name"] for item in request.session.items if item.originalname == "test_in_images_as_in_argo"]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        yield {name: pool.submit(run_case, CASES[name], tmp_path_factory.mktemp("case"), store) for name in names}


@pytest.mark.parametrize("name", IN_IMAGES)
def test_in_images_as_in_argo(name, runs):
    check_case(*runs[name].result())
