"""The test runner counts what it should, above all when a program crashes."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import run

TWO_OK = """[==========] Running 2 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[       OK ] two
[==========] 2 test(s) run.
[  PASSED  ] 2 test(s).
"""
ONE_FAILS = """[==========] Running 2 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
[  FAILED  ] two
[==========] 2 test(s) run.
[  PASSED  ] 1 test(s).
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] two
"""
CRASH_IN_FIRST = """[==========] Running 3 test(s).
[ RUN      ] one
"""


@pytest.mark.parametrize(
    "output, code, passed, failed",
    [
        (TWO_OK, 0, 2, 0),
        (TWO_OK, 99, 2, 1),
        (TWO_OK + TWO_OK, 0, 4, 0),
        (ONE_FAILS, 1, 1, 1),
        (CRASH_IN_FIRST, -11, 0, 3),
        ("", 0, 0, 1),
    ],
)
def test_cmocka(output, code, passed, failed):
    assert run.count_cmocka(output, code) == (passed, failed)


@pytest.mark.parametrize(
    "output, code, passed, failed",
    [
        ("..\n2 passed in 0.01s\n", 0, 2, 0),
        ("2 failed, 5 passed, 1 skipped, 1 error in 61.20s (0:01:01)\n", 1, 5, 3),
        ("no tests ran in 0.00s\n", 5, 0, 1),
        ("Fatal Python error\n", -6, 0, 1),
    ],
)
def test_pytest(output, code, passed, failed):
    assert run.count_pytest(output, code) == (passed, failed)


def test_a_program_that_hangs_fails():
    code, output = run.run(run.Suite("hangs", ["sh", "-c", "sleep 60 & wait"], run.count_exit, limit_s=1))
    assert code != 0 and "still running" in output
