"""Executes a program that makes workflows, as `__main__`; weir starts this file with the program and its arguments.

Nothing of it is seen by the program: not in its arguments, its path or its tracebacks.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import traceback
import types
from typing import Any, Callable, Optional, Sequence

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name: str) -> Any:
    """A module that stands beside this one, without the package's other parts."""
    full = f"weir.{name}"
    spec = importlib.util.spec_from_file_location(full, os.path.join(HERE, f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    return module


class _Loader(importlib.abc.Loader):
    """Calls somebody once a module was loaded."""

    def __init__(self, loader: Any, then: Callable[[], None]) -> None:
        self._loader, self._then = loader, then

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[types.ModuleType]:
        module: Optional[types.ModuleType] = self._loader.create_module(spec)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        self._then()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class Watch(importlib.abc.MetaPathFinder):
    """Waits for a module to be imported."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name, self._then = name, then

    def find_spec(
        self, name: str, path: Optional[Sequence[str]], target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            spec.loader = _Loader(spec.loader, self._then)
        return spec


class Lenient(importlib.abc.MetaPathFinder):
    """The package, also where its extension is of another interpreter: then its modules that need none."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]], target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name != "weir":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            spec.loader = _LenientLoader(spec.loader)
        return spec


class _LenientLoader(_Loader):
    def __init__(self, loader: Any) -> None:
        super().__init__(loader, lambda: None)

    def exec_module(self, module: types.ModuleType) -> None:
        try:
            super().exec_module(module)
        except ImportError:
            if "weir._weir" in sys.modules:
                raise


def say(text: str) -> None:
    print(f"weir: {text}", file=sys.stderr)


def hint_at(error: BaseException) -> None:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    package = {"hera": "hera", "httpx": "'hera[async]'", "yaml": "'hera[yaml]'"}.get((missing or "").partition(".")[0])
    if package:
        say(f"{missing} is not installed in {sys.executable}")
        hint = f"{sys.executable} -m pip install {package}, or name the interpreter that has it by --python"
        print(f"  hint: {hint}", file=sys.stderr)


def show(error: BaseException) -> None:
    """Its traceback, without the frames that are this file's."""
    whole: Optional[traceback.TracebackException] = traceback.TracebackException.from_exception(error)
    below = [whole]
    while below:
        one = below.pop()
        if one is None:
            continue
        one.stack[:] = [frame for frame in one.stack if frame.filename != show.__code__.co_filename]
        below += [one.__cause__, one.__context__]
    if whole:
        print("".join(whole.format()), end="", file=sys.stderr)


def execute(program: str, session: Any) -> int:
    """The program's exit code."""
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=program, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    try:
        with open(program, "rb") as file:
            code = compile(file.read(), program, "exec", dont_inherit=True)
        exec(code, module.__dict__)
        for run_leftovers in sys.modules["weir._program"].leftovers:
            if not session.made:
                run_leftovers(module.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        sys.stdout.flush()
        show(error)
        hint_at(error)
        return 1
    return 0


def end_with(parent: int) -> None:
    """From now on this process ends when weir does, however that ends."""
    import ctypes

    set_death_signal = 1  # PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main() -> int:
    end_with(json.loads(os.environ["WEIR_PROGRAM"])["process"])
    program = os.path.abspath(sys.argv[1])
    del sys.argv[0]
    sys.path[0] = os.path.dirname(program)
    sys.path.append(os.path.dirname(HERE))  # behind all others: a package that is installed comes first
    session = load("_program").session()
    sys.meta_path.insert(0, Lenient())
    sys.meta_path.insert(0, Watch("hera.workflows", lambda: load("_hera").install()))
    code = execute(program, session)
    if code == 0:
        session.finish()
    return code


if __name__ == "__main__":
    sys.exit(main())
