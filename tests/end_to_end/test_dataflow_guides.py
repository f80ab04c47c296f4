"""What the guides of dataflows and of lineage show is so: each file runs, each command prints what stands below it.

A block of YAML that begins with `# NAME` is a file, any other is an excerpt of an example. A block of shell is followed
by what it prints."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, WEIR

GUIDES = [
    ROOT / "docs/guide" / name
    for name in ("dataflows.md", "coming-from-dffml.md", "coming-from-argo.md", "lineage.md", "caching.md", "control.md", "pipelines.md", "check.md", "limits.md", "python-functions.md", "machine-learning.md", "records.md", "chat.md")
]
BLOCK = re.compile(r"```(yaml|json|python|sh)\n(.*?)```(?:\n```text\n(.*?)```)?", re.DOTALL)
FILE = re.compile(r"# ([\w./-]+)\n")
EXAMPLES = [path.read_text() for path in (ROOT / "examples").rglob("*") if path.suffix in (".yaml", ".json", ".py")]


CHANCE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|(?<= on )[\w.-]+(?=, process)|(?<=process )\d+|(?<=after )[\d.]+\w+")


def plain(text):
    """Without what differs from run to run: times, hosts, processes."""
    return CHANCE.sub("…", text).strip()


def blocks(*languages):
    for guide in GUIDES:
        for number, (language, text, printed) in enumerate(BLOCK.findall(guide.read_text())):
            # A Python program with what it prints is run by the package's own tests.
            if language in languages and not (language == "python" and printed):
                yield pytest.param(guide, text, printed, id=f"{guide.stem}-{number}")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each guide, with the examples and all its files."""
    made = {}
    for guide in GUIDES:
        made[guide] = tmp_path_factory.mktemp(guide.stem)
        shutil.copytree(ROOT / "examples", made[guide] / "examples")
        for _, text, _ in BLOCK.findall(guide.read_text()):
            named = FILE.match(text)
            if named:
                (made[guide] / named.group(1)).write_text(text)
    return made


@pytest.mark.parametrize("guide, text, printed", blocks("sh"))
def test_a_command_prints_what_the_guide_says(folders, guide, text, printed):
    assert printed, "say what it prints"
    environment = {**os.environ, "PATH": f"{pathlib.Path(WEIR).parent}:{os.environ['PATH']}", "WEIR_STATE": ".weir", "WEIR_PYTHON": sys.executable}
    ran = subprocess.run(
        ["sh", "-e", "-c", text], cwd=folders[guide], env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert plain(ran.stdout) == plain(printed), ran.stderr


@pytest.mark.parametrize("guide, text, printed", blocks("yaml", "json", "python"))
def test_a_file_of_a_guide(folders, guide, text, printed):
    named = FILE.match(text)
    if named:
        assert any(named.group(1).removesuffix(".py") in command.values[1] for command in blocks("sh")), "nothing uses it"
    elif not text.startswith("import asyncio\nfrom weir"):  # a program: sdk/python/tests/test_guide.py runs it
        assert any(text in example for example in EXAMPLES), text


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_links_of_a_guide(guide):
    for link, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", guide.read_text()):
        target = guide.parent / link
        assert target.exists(), link
        titles = re.findall(r"^#+ (.*)$", target.read_text(), re.M) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles], anchor


def test_guides_have_blocks():
    assert len(list(blocks("sh"))) >= 15 and len(list(blocks("yaml"))) >= 10
