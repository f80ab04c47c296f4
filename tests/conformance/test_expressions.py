"""Expressions give what the original evaluators give: each file of expressions/ has an environment and its cases, `value` or
`error` (it fails; the words are weir's own). The cases of another collection, `../shared/corpus/expressions.json` beside
this tree, are judged by its own checker when it is there."""

import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
FILES = {path.stem: path for path in sorted((pathlib.Path(__file__).parent / "expressions").glob("*.json"))}
CORPUS = ROOT.parent / "shared" / "corpus"


def same(a, b):
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or math.isclose(a, b, rel_tol=1e-12)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("name", FILES)
def test_expressions(name, tmp_path):
    collection = json.loads(FILES[name].read_text())
    (tmp_path / "env.json").write_text(json.dumps(collection["env"]))
    (tmp_path / "expressions.txt").write_text("".join(case["expr"] + "\n" for case in collection["cases"]))
    command = [WEIR, "eval", "--env", "env.json", "--file", "expressions.txt", "-o", "jsonl"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(answers) == len(collection["cases"])
    wrong = []
    for case, answer in zip(collection["cases"], answers):
        if "error" in case:
            good = "error" in answer and answer["error"]["what"]
        else:
            good = "value" in answer and same(case["value"], answer["value"])
        if not good:
            wrong.append(f"{case['expr']}: {json.dumps(answer)} instead of {json.dumps(case)}"[:600])
    assert not wrong


@pytest.mark.skipif(not (CORPUS / "expressions.json").is_file(), reason="the collection is not there")
def test_the_other_collection():
    command = [sys.executable, CORPUS / "check_expressions.py", "--weir", WEIR, CORPUS / "expressions.json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout[-4000:]
