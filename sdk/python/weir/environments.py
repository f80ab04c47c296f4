"""Environments of Python functions: virtual environments with what functions require, each made once and kept.

A worker that is to run in one begins here, in the interpreter that the environment is made of. It finds the environment by the hash of that
interpreter, its version and what is required, makes it where it is not there, and becomes the environment's interpreter. While it lives it
holds the environment's lock, shared, so that nobody removes it. It needs nothing but the standard library of Python 3.9 or newer.
"""

from __future__ import annotations

import errno
import fcntl
import json
import marshal
import os
import re
import shutil
import signal
import socket
import sys
import time
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CALLS_SOCKET = 3
PROGRESS, UNFIT = 20, 21
SAID = "weir-environment.json"
LEVELS_MAX = 16
BYTES_MAX = 1 << 20
TAIL_LINES = 40
LOOK_AGAIN_S = 0.05
PR_SET_PDEATHSIG = 1


class Unfit(Exception):
    """The environment cannot be made."""

    def __init__(self, message: str, hint: str = "", log: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.log = log


# --- what is required --------------------------------------------------------------------------


def requirements_of(given: Any, folder: str) -> list[str]:
    """A list, a text with lines, or the path of a file of them, as pip reads them: normalised, files within files as their lines."""
    if isinstance(given, str):
        is_file = given.endswith((".txt", ".in")) or os.path.isfile(os.path.join(folder, given))
        given = [f"-r {given}"] if is_file and "\n" not in given else given.splitlines()
    options: list[str] = []
    wanted: set[str] = set()
    for line in lines_of(given, folder, 0):
        if line.startswith("-"):
            options.append(line)
        else:
            wanted.add(line)
    return options + sorted(wanted)


def lines_of(given: Iterable[Any], folder: str, level: int) -> Iterator[str]:
    if level > LEVELS_MAX:
        raise Unfit(f"files of requirements name each other more than {LEVELS_MAX} levels deep")
    for line in given:
        if not isinstance(line, str):
            raise Unfit(f"a requirement is a text, not {line!r}")
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if not text:
            continue
        included = re.match(r"(?:-r|--requirement)[\s=]*(.+)", text)
        if included:
            path = os.path.join(folder, included[1].strip())
            yield from lines_of(read(path), os.path.dirname(path), level + 1)
        else:
            yield normal(text, folder)


def read(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise Unfit(f"the requirements in {path} cannot be read: {error.strerror}") from None
    if len(text) > BYTES_MAX:
        raise Unfit(f"{path} has more than {BYTES_MAX} bytes: is it a file of requirements?")
    return text.replace("\\\n", " ").splitlines()


def normal(text: str, folder: str) -> str:
    """The same text for what is the same; files of packages by their whole paths."""
    option = re.match(r"(-e|--editable|-c|--constraint|-f|--find-links)[\s=]+(\S+)", text)
    if option:
        return f"{option[1]} {absolute(option[2], folder)}"
    if text.startswith("-"):
        return " ".join(text.split())
    name = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*)", text)
    if text.startswith((".", "/", "~")) or text.endswith((".whl", ".tar.gz", ".zip")) or not name:
        return absolute(text, folder)
    specifier = re.sub(r"\s*([<>=!~]=?=?|,|;)\s*", r"\1", name[2])
    canonical = re.sub(r"[-_.]+", "-", name[1]).lower()
    return f"{canonical}{specifier}"


def absolute(path: str, folder: str) -> str:
    if "://" in path:
        return path
    return os.path.normpath(os.path.join(folder or os.getcwd(), os.path.expanduser(path)))


def stamp(line: str) -> str:
    """Changes when a file that the line names does."""
    path = line.split(" ", 1)[-1]
    if not path.startswith("/"):
        return ""
    places = [path, *(os.path.join(path, name) for name in ("pyproject.toml", "setup.py", "setup.cfg"))]
    stamps = []
    for place in places:
        try:
            status = os.stat(place)
        except OSError:
            continue
        if not os.path.isdir(place):
            stamps.append(f"{status.st_mtime_ns} {status.st_size}")
    return " ".join(stamps)


def name_of(requirements: list[str]) -> str:
    said = [interpreter(), sys.version, [[line, stamp(line)] for line in requirements]]
    return sha256(json.dumps(said).encode()).hexdigest()[:32]


def interpreter() -> str:
    """That which environments of this one are made of."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def where(python: str | None, given: Any, file: str) -> dict[str, Any]:
    """What a function of a file says of where it runs, with whole paths."""
    folder = os.path.dirname(os.path.abspath(file))
    said: dict[str, Any] = {}
    if python:
        said["interpreter"] = absolute(python, folder) if "/" in python else python
    if given:
        try:
            said["requirements"] = requirements_of(given, folder)
        except Unfit as error:
            raise ValueError(str(error)) from None
    return said


def elsewhere(name: str) -> dict[str, Any] | None:
    """The same of a function whose module cannot be imported here, as far as its decorator says it by plain texts."""
    import ast

    module, _, path = name.partition(":")
    try:
        file = file_of_module(module)
        with open(file, encoding="utf-8") as text:
            tree = ast.parse(text.read())
    except (OSError, SyntaxError, ValueError, ImportError, TypeError):
        return None
    plain = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    found: dict[str, Any] = {}
    for decorator in decorators_of(tree.body, path.split(".")):
        for keyword in getattr(decorator, "keywords", ()):
            value = plain.get(keyword.value.id, keyword.value) if isinstance(keyword.value, ast.Name) else keyword.value
            if keyword.arg in ("interpreter", "requirements"):
                try:
                    found[keyword.arg] = ast.literal_eval(value)
                except ValueError:
                    return None
    return where(found.get("interpreter"), found.get("requirements"), file) or None


def decorators_of(body: list[Any], path: list[str]) -> list[Any]:
    for statement in body:
        if getattr(statement, "name", None) == path[0]:
            if len(path) > 1:
                return decorators_of(getattr(statement, "body", []), path[1:])
            return list(getattr(statement, "decorator_list", []))
    return []


def file_of_module(module: str) -> str:
    if module.endswith(".py"):
        for folder in ("", *sys.path[1:3]):
            if os.path.exists(place := os.path.join(folder, module)):
                return place
    from importlib.util import find_spec

    spec = find_spec(module)
    return (spec.origin if spec else None) or ""


# --- making it ---------------------------------------------------------------------------------


def try_lock(path: str, how: int) -> int | None:
    """The lock of an environment; its number. None: somebody has it, or it was removed meanwhile."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, how | fcntl.LOCK_NB)
        if os.stat(path).st_ino == os.fstat(number).st_ino:
            return number
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EINTR, errno.ENOENT):
            raise
    os.close(number)
    return None


def is_made(place: str) -> bool:
    return os.path.exists(os.path.join(place, SAID)) and os.path.exists(os.path.join(place, "bin", "python3"))


def held(cache: str, requirements: list[str], say: Callable[[str], None]) -> tuple[str, int]:
    """The folder of the environment, made if it is not there, and its lock, shared: who makes it has that alone."""
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        name = name_of(requirements)
        place, path = os.path.join(cache, name), os.path.join(cache, f"{name}.lock")
        told = False
        while True:
            lock = try_lock(path, fcntl.LOCK_SH)
            if lock is not None and is_made(place):
                break
            if lock is not None:
                os.close(lock)
                lock = try_lock(path, fcntl.LOCK_EX)
            if lock is not None:
                if not is_made(place):
                    make(cache, name, requirements, say)
                fcntl.flock(lock, fcntl.LOCK_SH)
                break
            if not told:
                say("another process makes the environment; waiting for it")
            told = True
            time.sleep(LOOK_AGAIN_S)
        os.utime(os.path.join(place, SAID))  # when it was used last
    except OSError as error:
        hint = "WEIR_PYTHON_ENVIRONMENTS names another folder"
        raise Unfit(f"no environment can be kept in {cache}: {error.strerror}", hint) from None
    return place, lock


def make(cache: str, name: str, requirements: list[str], say: Callable[[str], None]) -> None:
    """In a folder that takes its name when it is whole."""
    began = time.monotonic()
    for left in os.listdir(cache):
        if left.startswith(f".{name}."):
            shutil.rmtree(os.path.join(cache, left), ignore_errors=True)
    place, making = os.path.join(cache, name), os.path.join(cache, f".{name}.{os.getpid()}")
    shutil.rmtree(place, ignore_errors=True)  # it is no whole one
    shown = ", ".join(line.split("/")[-1] for line in requirements[:5]) + (", …" if len(requirements) > 5 else "")
    say(f"making a Python environment with {shown or 'nothing'}, once; it is kept in {place}")
    try:
        import venv

        venv.EnvBuilder(symlinks=True, with_pip=False).create(making)
        with open(os.path.join(making, "requirements.txt"), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{line}\n" for line in requirements)
        if requirements:
            install(cache, name, making, requirements, say)
        name_again(making, place)
        with open(os.path.join(making, SAID), "w", encoding="utf-8") as file:
            json.dump({"interpreter": interpreter(), "version": sys.version.split()[0], "requirements": requirements}, file)
        os.rename(making, place)
    except OSError as error:
        raise Unfit(f"the environment cannot be made in {making}: {error}") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    say(f"the Python environment is ready, after {time.monotonic() - began:.1f} s")


def name_again(making: str, place: str) -> None:
    """Scripts of the environment begin with its path."""
    folder = os.path.join(making, "bin")
    for script in os.listdir(folder):
        path = os.path.join(folder, script)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            content = file.read()
        if making.encode() in content:
            with open(path, "wb") as file:
                file.write(content.replace(making.encode(), place.encode()))


def pip_of(making: str, variables: dict[str, str]) -> list[str]:
    """The command that installs into the environment: the interpreter's own pip when it can, else one within."""
    import subprocess

    inside = os.path.join(making, "bin", "python3")
    try:
        from importlib.metadata import version

        numbers = version("pip").split(".")
        if (int(numbers[0]), int(numbers[1])) >= (22, 3):
            return [sys.executable, "-m", "pip", "--python", inside]
    except Exception:  # noqa: BLE001
        pass
    done = subprocess.run([inside, "-m", "ensurepip"], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        log = done.stdout.decode(errors="replace")
        raise Unfit(f"{sys.executable} has no pip", "install it; on Debian it is the package python3-pip, or python3-venv", log)
    return [inside, "-m", "pip"]


def install(cache: str, name: str, making: str, requirements: list[str], say: Callable[[str], None]) -> None:
    import subprocess

    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "PIP_USER")}
    command = [
        *pip_of(making, variables),
        *("install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
        *("-r", os.path.join(making, "requirements.txt")),
    ]
    with open(os.path.join(cache, f"{name}.log"), "w", encoding="utf-8") as log:
        started = subprocess.Popen(
            command,
            env=variables,
            cwd=making,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
        assert started.stdout is not None
        last = follow(started.stdout, log, say)
    if started.wait():
        wrong = [line for line in last if line.startswith("ERROR:")]
        why = wrong[-1][len("ERROR:") :].strip() if wrong else f"it ended with exit code {started.returncode}"
        raise Unfit(
            f"the environment cannot be made: pip: {why}",
            f"all that pip said is in {log.name}; PIP_INDEX_URL, PIP_NO_INDEX, PIP_FIND_LINKS and its like say where it looks",
            "\n".join(last),
        )
    os.unlink(log.name)


def follow(output: IO[bytes], log: IO[str], say: Callable[[str], None]) -> list[str]:
    """Passes on what is worth it, keeps the last lines."""
    last: list[str] = []
    for raw in output:
        line = raw.decode(errors="replace").rstrip()
        log.write(f"{line}\n")
        log.flush()
        last = [*last[1 - TAIL_LINES :], line]
        if line.lstrip().startswith(("Downloading ", "Building wheel", "Installing collected packages")):
            say(f"pip: {line.strip()}")
    return last


def die_with_parent(number: int = signal.SIGKILL) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


# --- becoming it -------------------------------------------------------------------------------


def send(record: tuple[object, ...]) -> None:
    message = marshal.dumps([record], 2)
    with socket.socket(fileno=os.dup(CALLS_SOCKET)) as calls:
        calls.sendall(len(message).to_bytes(4, "little") + b"\0\0\0\0" + message)


def enter(said: str) -> None:
    """Becomes the same process in the environment that weir says: its interpreter, without this argument. Does not return."""
    die_with_parent()
    given = json.loads(said)
    try:
        requirements = requirements_of(given["requirements"], given["folder"])
        place, lock = held(given["cache"], requirements, lambda text: send((PROGRESS, -1, text)))
    except Unfit as error:
        send((UNFIT, -1, str(error), error.hint, error.log))
        os._exit(1)
    os.set_inheritable(lock, True)
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().split(b"\0")[:-2]  # but this argument
    die_with_parent(0)
    os.environ["VIRTUAL_ENV"] = place
    os.environ["PATH"] = os.pathsep.join([os.path.join(place, "bin"), os.environ.get("PATH", os.defpath)])
    python = os.path.join(place, "bin", "python3")
    os.execv(python, [python.encode(), *words[1:]])  # which looks for its packages from its own name
