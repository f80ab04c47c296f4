"""What `./dev package` makes works wherever it is unpacked."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from conftest import ROOT, environment_of, shell

VERSION = re.search(r"version: '(.*)'", (ROOT / "meson.build").read_text()).group(1)
GZ = {
    "linked": True,
    "definitions": {name: {"name": name, "primitive": "str"} for name in ("from", "to", "made")},
    "operations": {
        "gz": {
            "name": "gz_compress",
            "inputs": {"input_file_path": "from", "output_file_path": "to"},
            "outputs": {"output_path": "made"},
        }
    },
}


@pytest.fixture(scope="module")
def unpacked(packages, tmp_path_factory):
    """The archive, as somebody unpacks it."""
    archive = packages[1]
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    assert [path.name for path in folder.iterdir()] == [archive.name.removesuffix(".tar.gz")]
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def root(packages, tmp_path_factory):
    """The Debian package, in a root of its own."""
    folder = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "-x", packages[0], folder], check=True)
    return folder


@pytest.fixture(params=["installed", "unpacked", "root"])
def prefix(request):
    place = request.getfixturevalue(request.param)
    return place / "usr" if request.param == "root" else place


def field(package, name):
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, capture_output=True, text=True).stdout.strip()


def test_the_command_runs(prefix, tmp_path):
    assert VERSION in shell("weir --version", tmp_path, prefix)


def test_modules_are_found(prefix, tmp_path):
    (tmp_path / "flow.json").write_text(json.dumps(GZ))
    environment = environment_of(prefix)
    command = [prefix / "bin/weir", "run", "flow.json", "from=flow.json", "to=made.gz", "--durability", "none"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert gzip.decompress((tmp_path / "made.gz").read_bytes()) == (tmp_path / "flow.json").read_bytes()


def test_each_module_has_all_that_it_calls(prefix):
    """Nothing of the program is seen by its modules."""
    modules = sorted((prefix / "lib/weir").glob("*.so"))
    assert len(modules) > 8
    load = "import ctypes, os, sys\nfor name in sys.argv[1:]: ctypes.CDLL(name, mode=os.RTLD_NOW)"
    done = subprocess.run([sys.executable, "-c", load, *modules], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_program_embeds_the_library(prefix, tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    build = "cc -Wall -Wextra -Werror embed.c $(pkg-config --cflags --libs weir) -o embed && ./embed"
    assert shell(build, tmp_path / "examples/embed", prefix) == "42\n"


def test_a_program_that_embeds_finds_modules(root, tmp_path):
    """Those of the folder that it is told, for it lies elsewhere."""
    (tmp_path / "flow.json").write_text(json.dumps(GZ))
    source = (ROOT / "examples/embed/embed.c").read_text()
    source = source.replace("../calculator/calculator.json", "flow.json").replace('"line", "add 40 and 2"', '"from", "flow.json"')
    source = source.replace('    put(request, "file"', '    put(inputs, "to", "made.gz");\n    put(request, "file"')
    # The dataflow has no output operation, so there is no number to print.
    source = re.sub(r"    if \(weir_run_code.*?;\n", "", source, flags=re.DOTALL)
    (tmp_path / "embed.c").write_text(source)
    shell("cc embed.c $(pkg-config --cflags --libs weir) -o embed", tmp_path, root / "usr")
    shell(f"WEIR_MODULES={root}/usr/lib/weir ./embed", tmp_path, root / "usr")
    assert gzip.decompress((tmp_path / "made.gz").read_bytes()) == (tmp_path / "flow.json").read_bytes()


def test_examples_come_along(prefix, tmp_path):
    examples = prefix / "share/doc/weir/examples"
    ours = {str(path.relative_to(ROOT / "examples")) for path in (ROOT / "examples").rglob("*") if path.is_file()}
    assert {str(path.relative_to(examples)) for path in examples.rglob("*") if path.is_file()} == ours
    shutil.copytree(examples, tmp_path / "examples")
    assert '"result": 42' in shell("weir run calculator/calculator.json line='add 40 and 2'", tmp_path / "examples", prefix)


def test_the_licence_is_there(unpacked, root):
    assert "Apache License" in (unpacked / "share/doc/weir/LICENSE").read_text()
    assert "common-licenses/Apache-2.0" in (root / "usr/share/doc/weir/copyright").read_text()


def test_completions_are_there(root):
    for name in ("bash-completion/completions/weir", "zsh/vendor-completions/_weir", "fish/vendor_completions.d/weir.fish"):
        assert "weir complete" in (root / "usr/share" / name).read_text()
    subprocess.run(["bash", "-n", root / "usr/share/bash-completion/completions/weir"], check=True)


def test_the_changelogs_are_there(root):
    doc = root / "usr/share/doc/weir"
    assert gzip.decompress((doc / "changelog.gz").read_bytes()) == (ROOT / "CHANGELOG.md").read_bytes()
    assert f"weir ({VERSION}-" in gzip.decompress((doc / "changelog.Debian.gz").read_bytes()).decode()


def test_what_the_debian_package_needs_is_said(packages):
    needed, recommended = field(packages[0], "Depends"), field(packages[0], "Recommends")
    for library in ("libc6 ", "libuv1 ", "libsqlite3-0 ", "libyaml-0-2"):
        assert library in needed
    for library in ("libarchive13 ", "libjson-c5 ", "libpq5 ", "zlib1g ", "libbz2-1.0", "liblzma5 "):
        assert library in recommended and library not in needed
    assert field(packages[0], "Version").startswith(VERSION + "-")


def test_the_debian_package_is_installed_by_dpkg(packages, tmp_path):
    """In a root that has nothing, so what it depends on is passed over."""
    if os.geteuid() != 0:
        pytest.skip("dpkg installs for root only")
    for name in ("updates", "info", "triggers"):
        (tmp_path / "var/lib/dpkg" / name).mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    command = ["dpkg", f"--root={tmp_path}", "--force-depends", "--log=/dev/null"]
    subprocess.run([*command, "--install", packages[0]], check=True, capture_output=True)
    assert VERSION in shell("weir --version", tmp_path, tmp_path / "usr")
    verified = subprocess.run([*command, "--verify", "weir"], capture_output=True, text=True)
    assert (verified.returncode, verified.stdout) == (0, "")
    subprocess.run([*command, "--purge", "weir"], check=True, capture_output=True)
    assert not (tmp_path / "usr").exists()


def test_lintian_finds_no_error(packages):
    if not shutil.which("lintian"):
        pytest.skip("there is no lintian")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on=error", packages[0]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_same_sources_give_the_same_bytes(packages):
    before = [path.read_bytes() for path in packages]
    subprocess.run([ROOT / "dev", "package"], check=True, stdout=subprocess.DEVNULL)
    assert [path.read_bytes() for path in packages] == before


def test_the_manual_is_there(unpacked):
    assert (unpacked / "share/man/man1/weir.1").read_text().startswith(f'.TH WEIR 1 "" "weir {VERSION}"')
