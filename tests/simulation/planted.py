"""Proves that the simulator finds bugs: each patch of planted/ is one. It is applied to a copy of the sources, which is built
and simulated until a seed fails; one that no seed finds is a failure of the simulator's.

    ./dev simulate --planted [NAME...]"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build/planted/source"
BUILD = ROOT / "build/planted/build"
PARTS = ("bench", "deploy", "docs", "examples", "include", "operations", "src", "tests", "LICENSE", "meson.build", "meson_options.txt")
SEEDS, SEEDS_SOUND, LIMIT_S = 600, 100, 900


def files():
    for part in PARTS:
        path = ROOT / part
        yield from (p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


def copy_sources():
    """Only what is other than the last time, so that little is built again."""
    wanted = {path.relative_to(ROOT) for path in files()}
    for name in wanted:
        copy = COPY / name
        if not copy.exists() or copy.read_bytes() != (ROOT / name).read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
    for path in [path for path in COPY.rglob("*") if path.is_file() and path.relative_to(COPY) not in wanted]:
        path.unlink()


def call(*command):
    done = subprocess.run(list(map(str, command)), cwd=COPY, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"planted: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def build():
    if not (BUILD / "build.ninja").exists():
        call("meson", "setup", BUILD, COPY, "-Doptimization=1", "-Ddebug=false", "-Dwerror=false")
    call("ninja", "-C", BUILD, "tests/simulate")


def simulate(seeds=SEEDS):
    """What the simulator says of the first seed that fails; None when none does."""
    command = [BUILD / "tests/simulate", "--seeds", str(seeds), "--first"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    found = re.search(r"^(?:seed \d+|.*Assertion).*$", output, re.MULTILINE)
    return found[0] if process.returncode != 0 and found else None


def try_one(patch):
    begun = time.monotonic()
    call("git", "apply", patch)
    try:
        build()
        found = simulate()
    finally:
        call("git", "apply", "--reverse", patch)
    print(f"{'found' if found else 'MISSED'}  {patch.stem}  {time.monotonic() - begun:.0f} s\n    {(found or '')[:150]}", flush=True)
    return bool(found)


def main():
    # The copy is within this repository, which would take its paths for other ones.
    os.environ["GIT_CEILING_DIRECTORIES"] = str(ROOT / "build/planted")
    patches = sorted((ROOT / "tests/simulation/planted").glob("*.patch"))
    chosen = [patch for patch in patches if not sys.argv[1:] or patch.stem in sys.argv[1:]]
    copy_sources()
    build()
    sound = simulate(SEEDS_SOUND)
    if sound:
        sys.exit(f"planted: without a planted bug a seed fails: {sound}")
    count = sum([try_one(patch) for patch in chosen])
    print(f"planted: {count} of {len(chosen)} found")
    return 0 if count == len(chosen) and chosen else 1


if __name__ == "__main__":
    sys.exit(main())
