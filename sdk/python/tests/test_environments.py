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
