"""Runs the test suites, counts every test, and ends with one line: `N passed, N failed`.

A suite is a command and a way to count what it ran. A program that crashes, hangs or runs nothing has failed."""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
AT_ONCE = min(os.cpu_count() or 1, 4)
# Tests of one file run in one process: they share a server.
PARALLEL = ["-n", str(AT_ONCE + 1), "--dist", "loadfile"]
# It begins its cases at once by itself.
WORKFLOWS = "tests/conformance/test_workflow_corpus.py"
IN_IMAGES = "tests/conformance/test_corpus_in_images.py"
# What depends on how the program was built runs with the program that people have too; all the rest does with --all.
RELEASED = ["ahead", "bench", "crawl", "kill", "names", "progress", "pull", "readme"]
# Optimizing each program at link time takes longer than all the rest of that build: without --all, what those tests need.
RELEASED_TARGETS = ["installed", "tests/simulate", "tests/corpus_operations.so", "tests/faulty.so"]
RELEASED_TARGETS += ["bench/dataflow", "bench/dataflow_operations.so", "bench/store", "bench/schedulers"]
# Benchmarks are of that program; their parts have unit tests.
ONCE = ["--ignore", "sdk/python/tests/test_elsewhere.py", "--ignore", "sdk/python/tests/test_types.py"]
ONLY_RELEASED = ["--ignore", "tests/end_to_end/test_bench.py"]
# An exit code of their own, so that no test takes a sanitizer's finding for the failure it expects. Blocks of a library's thread-local data are not looked
# into: gcc's leak sanitizer takes one that stands 16 bytes into a page for another C library's, and ends with signal 11.
ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "WEIR_SOURCE": str(ROOT),
    "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=1:intercept_tls_get_addr=0",
    "LSAN_OPTIONS": "exitcode=99",
    "TSAN_OPTIONS": "exitcode=99:halt_on_error=1",
    "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1",
}


def count_exit(output, code):
    """One test: the command."""
    return (1, 0) if code == 0 else (0, 1)


def count_cmocka(output, code):
    """A test that was announced and is neither ok nor skipped has failed, also when the program crashed before it."""
    announced = sum(map(int, re.findall(r"\[=+\] Running (\d+) test\(s\)", output)))
    passed = len(re.findall(r"\[ +OK \]", output))
    skipped = len(re.findall(r"\[  SKIPPED \] (?!\d+ test)", output))
    return at_least_one(passed, announced - passed - skipped, code)


def count_pytest(output, code):
    summary = re.findall(r"^(?:=+ )?(\d+ \w+.* in [\d.]+s.*)$", output, re.MULTILINE)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", summary[-1])} if summary else {}
    failed = sum(counts.get(word, 0) for word in ("failed", "error", "errors", "xpassed"))
    return at_least_one(counts.get("passed", 0), failed, code)


def at_least_one(passed, failed, code):
    """A failure nobody counted, or nothing run at all, is one failure."""
    return passed, max(failed, 1 if code != 0 or passed + failed <= 0 else 0)


@dataclasses.dataclass
class Suite:
    name: str
    command: list
    count: object
    flavours: tuple = ()  # what must be built before
    only_all: bool = False
    limit_s: int = 900
    beside: bool = False  # may run beside others of which that is said
    environment: dict = dataclasses.field(default_factory=dict)


def names(folder, ending):
    return sorted(path.name.removesuffix(ending) for path in (ROOT / "tests" / folder).glob("*" + ending))


def interpreter_with_sanitizers():
    """What Python needs for an extension that was built with them. It frees little of its own at its end, so leaks are not looked for."""
    names = [["gcc", f"-print-file-name={name}"] for name in ("libasan.so", "libubsan.so")]
    found = [subprocess.run(name, capture_output=True, text=True, check=False).stdout.strip() for name in names]
    options = ENVIRONMENT["ASAN_OPTIONS"] + ":detect_leaks=0"
    return {"LD_PRELOAD": ":".join(found), "PYTHONMALLOC": "malloc", "ASAN_OPTIONS": options}


def table(everything):
    """The suites, in order; a folder of tests that does not exist has none."""
    suites = [Suite("rules", [*PYTEST, "tests/rules"], count_pytest)]
    environment = {"WEIR": str(BUILD / "sanitize/weir")}
    # On the host and in images one case serves at one port: the two do not run beside each other.
    for name, tests, beside in (
        ("conformance images", [IN_IMAGES] if everything else [IN_IMAGES, "-m", "not examples"], False),
        ("conformance", [WORKFLOWS], True),
        ("conformance other", ["-n", str(AT_ONCE), "tests/conformance", "--ignore", WORKFLOWS, "--ignore", IN_IMAGES], True),
    ):
        command = [*PYTEST, *tests]
        suites.append(Suite(name, command, count_pytest, ("sanitize",), environment=environment, beside=beside))
    for flavour, only_all in (("sanitize", False), ("tsan", True)):
        for name in names("unit", "_test.c"):
            program = BUILD / flavour / "tests" / f"{name}_test"
            many = {"WEIR_FLOWS": "10000"} if everything and (name, flavour) == ("prove", "sanitize") else {}
            suites.append(
                Suite(f"unit {name} {flavour}", [program], count_cmocka, (flavour,), only_all, 300, True, many)
            )
    if names("simulation", ".c"):
        for flavour, seeds in (("release", 10_000 if everything else 200), ("sanitize", 400 if everything else 40)):
            command = [BUILD / flavour / "tests/simulate", "--seeds", str(seeds)]
            suites.append(Suite(f"simulation {flavour}", command, count_exit, (flavour,), limit_s=3600 if everything else 900))
        again = [BUILD / "sanitize/tests/simulate", "--again", ROOT / "tests/simulation/seeds.txt"]
        suites.append(Suite("simulation seeds", again, count_exit, ("sanitize",)))
        suites.append(Suite("simulation planted", ["./dev", "simulate", "--planted"], count_exit, (), True, 3600))
    for name in names("fuzz", "_fuzz.c"):
        command = ["./dev", "fuzz", name, "60" if everything else "5"]
        suites.append(Suite(f"fuzz {name}", command, count_exit, ("fuzz",), beside=True))
    if list((ROOT / "tests/end_to_end").glob("test_*.py")):
        kills = {"WEIR_KILLS": "300" if everything else "100"}
        for flavour in ("release", "sanitize"):
            environment = {"WEIR": str(BUILD / flavour / "weir"), **kills}
            few = flavour == "release" and not everything
            tests = [f"tests/end_to_end/test_{name}.py" for name in RELEASED] if few else ["tests/end_to_end"]
            if flavour == "sanitize" and not everything:
                tests += ONLY_RELEASED
            command = [*PYTEST, *PARALLEL, *tests]
            suites.append(
                Suite(f"end to end {flavour}", command, count_pytest, (flavour,), limit_s=1800, environment=environment)
            )
    for flavour in ("release", "sanitize"):
        environment = {"PYTHONPATH": str(BUILD / flavour / "sdk/python"), "WEIR": str(BUILD / flavour / "weir")}
        command = [*PYTEST, "sdk/python/tests"]
        if flavour == "sanitize":
            environment |= interpreter_with_sanitizers()
            command += ONCE
        suites.append(Suite(f"python {flavour}", command, count_pytest, (flavour,), environment=environment))
    suites.append(Suite("package", [*PYTEST, "tests/package"], count_pytest, ("release",)))
    suites.append(Suite("wheel", [*PYTEST, "tests/wheel"], count_pytest, (), True, 3600))
    suites.append(Suite("lint", ["./dev", "lint"], count_exit, ("release", "clang"), True, 1800))
    return suites


def choose(suites, words, everything):
    """What a word names runs; of suites of one name, those that take long only when there are no others."""
    chosen = [suite for suite in suites if everything or not suite.only_all]
    if not words:
        return chosen
    named = []
    for word in words:
        named += [s for s in chosen if s.name.startswith(word)] or [s for s in suites if s.name.startswith(word)]
    return [suite for suite in suites if suite in named]


RUNNING = set()


def end(process):
    """With all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run(suite):
    """The exit code and the output of a suite; what outlives its limit is ended."""
    process = subprocess.Popen(
        suite.command,
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT, **suite.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    RUNNING.add(process)
    note = ""
    try:
        output, _ = process.communicate(timeout=suite.limit_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt) as stopped:
        end(process)
        output, _ = process.communicate()
        if isinstance(stopped, KeyboardInterrupt):
            raise
        note = f"\nstill running after {suite.limit_s} s\n"
    RUNNING.discard(process)
    return process.returncode, output.decode(errors="replace") + note


def measure(suite):
    """The suite, its exit code and output, and how long it took."""
    started = time.monotonic()
    try:
        code, output = run(suite)
    except OSError as error:
        code, output = 127, f"{error}\n"
    return suite, code, output, time.monotonic() - started


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def take(self, suite, code, output, seconds):
        """Whether all of the suite passed."""
        passed, failed = suite.count(output, code)
        notes = "  ".join(re.findall(r"^note: (.*)$", output, re.MULTILINE))
        self.add(suite.name, passed, failed, seconds, notes)
        if failed:
            ending = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
            print(output.rstrip(), f"({ending})", "", sep="\n", flush=True)
        return failed == 0

    def add(self, name, passed, failed, seconds, notes):
        self.passed += passed
        self.failed += failed
        counts = f"{passed} passed" + (f", {failed} failed" if failed else "")
        print(f"{'FAIL' if failed else 'ok':4}  {name:24} {counts:24} {seconds:6.1f} s  {notes}".rstrip(), flush=True)


def run_all(suites, report):
    """In their order; of those that may run beside others, one more than there are processors at once, for they wait, too."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE + 1) as pool:
        try:
            for beside, group in itertools.groupby(suites, lambda suite: suite.beside):
                for measured in pool.map(measure, group) if beside else map(measure, group):
                    report.take(*measured)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(RUNNING):
                end(process)
            raise


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also what takes long")
    parser.add_argument("suites", nargs="*", help="only suites whose name begins so")
    arguments = parser.parse_args()

    suites = choose(table(arguments.all), arguments.suites, arguments.all)
    report = Report()
    flavours = dict.fromkeys(flavour for suite in suites for flavour in suite.flavours)
    parts = {} if arguments.all or arguments.suites else {"release": RELEASED_TARGETS}
    built = {
        flavour: report.take(
            *measure(Suite(f"build {flavour}", ["./dev", "build", flavour, *parts.get(flavour, [])], count_exit))
        )
        for flavour in flavours
    }
    ready = [suite for suite in suites if all(built[flavour] for flavour in suite.flavours)]
    for suite in suites:
        if suite not in ready:
            report.add(suite.name, 0, 1, 0, "not run: its build failed")
    run_all(ready, report)
    if not suites:
        report.add("no such suite", 0, 1, 0, "")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
