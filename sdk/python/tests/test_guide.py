"""What docs/guide/python.md shows does what stands below it."""

import contextlib
import io
import os
import pathlib
import re

import pytest

SOURCE = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
GUIDE = (SOURCE / "docs/guide/python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_has_examples():
    assert len(BLOCKS) == GUIDE.count("```python") >= 5


@pytest.mark.parametrize(("code", "printed"), BLOCKS)
def test_an_example_prints_what_the_guide_says(code, printed):
    space = {"__name__": "guide"}
    exec("import weir", space)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/guide/python.md", "exec"), space)
    assert said.getvalue() == printed
