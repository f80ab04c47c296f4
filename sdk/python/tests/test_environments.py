"""What is required of an environment, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.environments import Unfit, elsewhere, name_of, requirements_of, where


def test_ways_of_writing_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "wanted.txt").write_text("# all\nB_c\n-r more/others.txt\n--pre\n")
    (tmp_path / "more/others.txt").write_text("a.x  >= 1 , < 2 # for b\n\n./local\nfrom \\\n  == 3\n-e ../tool\n")
    wanted = ["--pre", f"-e {tmp_path}/tool", f"{tmp_path}/more/local", "a-x>=1,<2", "b-c", "from==3"]
    assert sorted(requirements_of("wanted.txt", str(tmp_path))) == sorted(wanted)
    assert requirements_of(["B-C", "a"], "") == requirements_of("a\nb_c\nA", "") == ["a", "b-c"]
    assert name_of(["a"]) == name_of(["a"]) != name_of(["b"])


def test_a_file_that_changes_gives_another(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    wheel.write_text("x")
    before = name_of(requirements_of(["./a.whl"], str(tmp_path)))
    wheel.write_text("longer")
    assert name_of(requirements_of(["./a.whl"], str(tmp_path))) != before


def test_what_is_no_requirement(tmp_path: Path) -> None:
    (tmp_path / "round.txt").write_text("-r round.txt\n")
    for given, said in ((["-r absent.txt"], "cannot be read"), ("round.txt", "levels deep"), ([3], "a requirement is a text")):
        with pytest.raises(Unfit, match=said):
            requirements_of(given, str(tmp_path))


def test_a_module_that_cannot_be_imported_says_it(tmp_path: Path) -> None:
    file = tmp_path / "top.py"
    file.write_text(
        "import absent, weir\nWANTED = ['a']\n"
        "@weir.operation(requirements=WANTED, interpreter='bin/python')\ndef f(): pass\n"
        "class C:\n    @weir.operation(requirements='b')\n    def g(): pass\n"
        "@weir.operation(requirements=WANTED + ['c'])\ndef h(): pass\n"
    )
    assert elsewhere(f"{file}:f") == {"interpreter": f"{tmp_path}/bin/python", "requirements": ["a"]}
    assert elsewhere(f"{file}:C.g") == {"requirements": ["b"]}
    assert elsewhere(f"{file}:h") is None and elsewhere(f"{file}:k") is None
    assert where(None, None, str(file)) == {}


PROGRAM = """
import os, sys
import weir

@weir.operation
def here(n: int) -> int:
    return n + (os.getpid() == int(os.environ["WEIR_TEST_PID"]))

@weir.operation(interpreter=sys.executable)
def there(n: int) -> str:
    return f"{n} {os.getpid() == int(os.environ['WEIR_TEST_PID'])}"

@weir.operation
async def last(text: str) -> str:
    return f"{text} {os.getpid() == int(os.environ['WEIR_TEST_PID'])}"

def inner():
    @weir.operation(requirements=["pyyaml"])
    def nowhere(n: int) -> int:
        return n
    return nowhere
"""


def test_in_an_interpreters_run_workers_call_those_that_have_an_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib
    import os

    import weir

    (tmp_path / "two_places.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("WEIR_TEST_PID", str(os.getpid()))
    module = importlib.import_module("two_places")
    flow = weir.dataflow()
    flow.result(text=module.last(module.there(module.here(flow.input("n")))))
    assert weir.run_blocking(flow, {"n": 1}) == {"default": {"text": "2 False True"}}
    assert weir.run_blocking(flow, {"n": 1}, executor="process") == {"default": {"text": "1 False False"}}
    assert "there" in flow.graph("text")
    flow = weir.dataflow()
    flow.result(n=module.inner()(flow.input("n")))
    with pytest.raises(ValueError, match="nowhere has an interpreter or requirements of its own, so a worker calls it"):
        weir.run_blocking(flow, {"n": 1})
