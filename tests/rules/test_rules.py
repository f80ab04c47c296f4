"""The rules of this source tree that a program can check."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Not ours: licences, what other projects wrote, what a fuzzer found.
FOREIGN = ("LICENSE", "tests/conformance/", "tests/fuzz/corpus/")
LINES_MAX = 1_000
LINES_OF_C_MAX = 160_700

# What each layer may include, and all that those may.
LAYERS = {
    "base": (),
    "data": ("base",),
    "expr": ("data",),
    "schedule": ("expr",),
    "io": ("base",),
    "store": ("data", "io"),
    "record": ("store",),
    "artifact": ("store",),
    "image": ("artifact",),
    "task": ("store",),
    "executor": ("task", "artifact", "image", "expr"),
    "dataflow": ("task", "expr"),
    "workflow": ("task", "expr", "schedule"),
    "pipeline": ("dataflow", "schedule"),
    "engine": ("executor", "record", "workflow", "pipeline", "schedule"),
    "cli": ("data",),
}
PURE = ("task", "dataflow", "workflow", "pipeline", "schedule", "expr", "data")
# The one door to the standard operations.
OPERATIONS = ("engine", "operations/operations.h")
C_LIBRARY = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "inttypes.h", "limits.h"}


def listed():
    if (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return sorted({name for name in out.split("\0") if name and (ROOT / name).is_file()})
    left_out = {"build", ".weir", "__pycache__"}
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in left_out]
        found += [str(pathlib.Path(folder, name).relative_to(ROOT)) for name in names]
    return sorted(found)


FILES = listed()
OURS = [name for name in FILES if not name.startswith(FOREIGN)]
C_FILES = [name for name in OURS if name.endswith((".c", ".h"))]
PROGRAM = [name for name in C_FILES if name.startswith(("src/", "include/", "operations/"))]


def text(name):
    """The file's text; empty for a binary one."""
    data = (ROOT / name).read_bytes()
    return "" if b"\0" in data else data.decode(errors="replace")


def code(name):
    """A C file's text, comments and literals blanked, its lines where they were."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text(name), flags=re.DOTALL)


def matches(names, pattern, read=text):
    """file:line: text, for each line of the files that has the pattern."""
    expression = re.compile(pattern)
    return [
        f"{name}:{number}: {line.strip()}"
        for name in names
        for number, line in enumerate(read(name).splitlines(), 1)
        if expression.search(line)
    ]


def includes(name):
    return re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', text(name), re.MULTILINE)


def reachable(layer):
    below = {layer}
    for lower in LAYERS[layer]:
        below |= reachable(lower)
    return below


def layer_of(name):
    return name.split("/")[1]


def test_layers_include_only_lower_layers():
    wrong = []
    for name in PROGRAM:
        if not name.startswith("src/"):
            continue
        allowed = reachable(layer_of(name)) if layer_of(name) in LAYERS else set()
        for quote, path in includes(name):
            if (layer_of(name), path) == OPERATIONS:
                continue
            if quote == '"' and (path.split("/")[0] not in allowed or not (ROOT / "src" / path).is_file()):
                wrong.append(f"{name} includes {path}")
    assert not wrong


def test_every_folder_of_src_is_a_layer():
    assert not [name for name in PROGRAM if name.startswith("src/") and layer_of(name) not in LAYERS]


def test_operations_include_only_the_public_headers():
    wrong = []
    for name in (name for name in PROGRAM if name.startswith("operations/")):
        for quote, path in includes(name):
            beside = (ROOT / name).parent.joinpath(path).resolve()
            if quote == '"' and not (beside.is_file() and beside.is_relative_to(ROOT / "operations")):
                wrong.append(f"{name} includes {path}")
    assert not wrong


def test_public_headers_stand_alone():
    wrong = []
    for name in (name for name in PROGRAM if name.startswith("include/")):
        for quote, path in includes(name):
            if quote == '"' or not (path.startswith("weir/") or path in C_LIBRARY):
                wrong.append(f"{name} includes {path}")
    assert not wrong


def test_no_file_is_long():
    sources = (".c", ".h", ".py", ".md", ".build", ".ts", ".go", ".java", ".sh", "dev")
    # What is made of the table of commands is as long as that wants.
    names = [name for name in OURS if name.endswith(sources) and name != "docs/reference/command-line.md"]
    lengths = {name: text(name).count("\n") for name in names}
    assert not {name: lines for name, lines in lengths.items() if lines > LINES_MAX}


def test_the_program_stays_small():
    total = sum(text(name).count("\n") for name in PROGRAM)
    print(f"\nnote: {total:,} of {LINES_OF_C_MAX:,} lines of C")
    assert total <= LINES_OF_C_MAX


def test_planted_bugs_can_be_planted():
    """A patch that fits the sources no longer would only be missed when all of them are tried, which takes hours."""
    patches = [name for name in FILES if name.endswith(".patch")]
    assert patches
    for name in patches:
        subprocess.run(["git", "-c", "safe.directory=*", "apply", "--check", name], cwd=ROOT, check=True)


def test_no_leftovers():
    # Written apart, for this file is searched as well.
    marks = "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"))
    assert not matches(OURS, rf"\b({marks})\b|(?i:\bnot " r"implemented\b|\bstu" r"b(s|bed)?\b)")


def test_no_paths_of_a_machine():
    assert not matches(OURS, r"(?<![\w.~*-])/(wo" "rk|ho" "me|ro" r"ot)/")


def test_headers_open_with_a_comment():
    assert not [name for name in C_FILES if name.endswith(".h") and not text(name).startswith("/* ")]


def test_no_banned_functions():
    banned = "strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|fork|vfork|system"
    assert not matches(PROGRAM, rf"\b({banned})\s*\(", code)


def test_mutexes_stay_where_threads_meet():
    names = [name for name in PROGRAM if not name.startswith(("src/io/", "src/store/"))]
    assert not matches(names, r"\b(pthread_mutex|pthread_rwlock|pthread_cond|mtx_|cnd_|uv_mutex|uv_cond)", code)


def test_coordinators_and_tasks_are_pure():
    names = [name for name in PROGRAM if name.startswith(tuple(f"src/{layer}/" for layer in PURE))]
    effects = r"\b(time|clock_gettime|gettimeofday|s?rand|random|getrandom|getenv)\s*\(|\buv_\w+"
    files = r"\b(f?open|openat|popen|creat|read|write|f?stat|unlink|socket|connect)\s*\("
    assert not matches(names, effects, code)
    assert not matches([name for name in names if name != "src/data/document.c"], files, code)


def test_decisions_are_numbered():
    names = [name.removeprefix("docs/decisions/") for name in FILES if name.startswith("docs/decisions/")]
    assert not [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)]
    assert len({name[:4] for name in names}) == len(names)


def test_planted_bugs_are_listed():
    listed_ones = re.findall(r"^\| ([\w-]+) \| (.+) \|$", text("tests/simulation/README.md").split("## Bugs")[1], re.MULTILINE)
    patches = [name for name in FILES if name.startswith("tests/simulation/planted/")]
    assert len(patches) >= 10
    assert dict(listed_ones[1:]) == {pathlib.Path(name).stem: text(name).splitlines()[0] for name in patches}


def test_each_promise_names_tests_that_are_there():
    promises = re.split(r"^- ", text("docs/guide/promises.md").split("## What weir does not promise")[0], flags=re.MULTILINE)[1:]
    names = {promise: re.findall(r"`(tests/[^`]+)`", promise) for promise in promises}
    assert promises and not [promise for promise in promises if not names[promise]]
    wrong = []
    for name in sum(names.values(), []):
        file, _, test = name.partition("::")
        definition = rf"^(def|static void) {test}\(" if test else "^"
        if file not in FILES or not re.search(definition, text(file), re.MULTILINE):
            wrong.append(name)
    assert not wrong
