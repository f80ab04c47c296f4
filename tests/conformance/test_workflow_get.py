"""What `argo get` printed comes out of what Argo's controller left: the cases beside this tree, which may be more than those that are kept in it."""

import os
import pathlib
import subprocess

import pytest

import workflow_get_cases

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
PROGRAM = pathlib.Path(WEIR).parent / "tests/workflow_text_test"
OWN = ROOT.parent / "shared/corpus/workflow/own"


@pytest.mark.skipif(not OWN.is_dir() or not PROGRAM.exists(), reason="needs ../shared and a build with unit tests")
def test_cases_beside_this_tree(tmp_path):
    assert workflow_get_cases.make(OWN, tmp_path) > 0
    ran = subprocess.run([PROGRAM], env={**os.environ, "WEIR_GET_CASES": str(tmp_path)}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
