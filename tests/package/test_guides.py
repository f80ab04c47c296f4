"""What the guides of C programs show is in the examples, and their commands do what stands below them."""

import re
import shutil

import pytest

from conftest import ROOT, shell

GUIDES = [ROOT / "docs/guide" / name for name in ("embedding.md", "operations.md")]
BLOCK = re.compile(r"```(\w+)\n(.*?)```(?:\n```text\n(.*?)```)?", re.DOTALL)
SOURCES = [path.read_text() for path in (ROOT / "examples/embed").rglob("*.c")]


def blocks(language):
    for guide in GUIDES:
        for number, (kind, text, printed) in enumerate(BLOCK.findall(guide.read_text())):
            if kind == language:
                yield pytest.param(text, printed, id=f"{guide.stem}-{number}")


@pytest.mark.parametrize("text, printed", blocks("c"))
def test_code_of_a_guide_is_in_an_example(text, printed):
    assert any(text in source for source in SOURCES), text


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """One folder for all: a guide goes on with what was made before."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "examples", folder, dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize("text, printed", blocks("sh"))
def test_commands_of_a_guide(examples, installed, text, printed):
    assert printed, "say what it prints"
    assert shell(text, examples, installed) == printed


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_links_of_a_guide(guide):
    for link in re.findall(r"\]\(([^)]+)\)", guide.read_text()):
        name, _, anchor = link.partition("#")
        target = guide.parent / name if name else guide
        assert target.exists(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}, link


def test_guides_have_blocks():
    assert len(list(blocks("c"))) >= 10 and len(list(blocks("sh"))) >= 3
