"""What the guides show of Python does what stands below it."""

import contextlib
import io
import os
import pathlib
import re

import pytest

SOURCE = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
GUIDES = {name: (SOURCE / "docs/guide" / name).read_text() for name in ("python.md", "coming-from-dffml.md")}
BLOCKS = [
    (name, *block)
    for name, guide in GUIDES.items()
    for block in re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", guide, re.DOTALL)
]


def test_the_guide_has_examples():
    assert len(BLOCKS) == sum(guide.count("```python") for guide in GUIDES.values()) >= 6


@pytest.mark.parametrize(("name", "code", "printed"), BLOCKS)
def test_an_example_prints_what_the_guide_says(name, code, printed):
    space = {"__name__": "guide"}
    exec("import weir", space)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, f"docs/guide/{name}", "exec"), space)
    assert said.getvalue() == printed
