"""The archive that `./dev package` makes works wherever it is unpacked."""

import os
import pathlib
import re
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EMBEDDING = """
#include <stdio.h>
#include <weir/weir.h>
int main(void) {
    weir_value *value = weir_int_new(42);
    printf("%lld %s\\n", (long long)weir_int_get(value), weir_version());
    weir_value_unref(value);
}
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    done = subprocess.run([ROOT / "dev", "package"], check=True, stdout=subprocess.PIPE, text=True)
    archive = pathlib.Path(done.stdout.splitlines()[-1])
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    assert [path.name for path in folder.iterdir()] == [archive.name.removesuffix(".tar.gz")]
    return folder / archive.name.removesuffix(".tar.gz")


def version():
    return re.search(r"version: '(.*)'", (ROOT / "meson.build").read_text()).group(1)


def test_the_command_runs(unpacked):
    done = subprocess.run([unpacked / "bin/weir", "--version"], check=True, capture_output=True, text=True)
    assert version() in done.stdout


def test_a_program_embeds_the_library(unpacked, tmp_path):
    source, program = tmp_path / "embedding.c", tmp_path / "embedding"
    source.write_text(EMBEDDING)
    environment = {**os.environ, "PKG_CONFIG_PATH": str(unpacked / "lib/pkgconfig")}
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "--static", "weir"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    subprocess.run(["gcc", source, "-o", program, *flags], check=True)
    done = subprocess.run([program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["42", version()]


def test_the_licence_is_there(unpacked):
    assert "Apache License" in (unpacked / "share/doc/weir/LICENSE").read_text()


def test_the_manual_is_there(unpacked):
    assert (unpacked / "share/man/man1/weir.1").read_text().startswith(f'.TH WEIR 1 "" "weir {version()}"')
