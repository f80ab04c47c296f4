"""What crawling costs: `weir run examples/crawl/crawl.json` on 1,000 pages of 20 ms, beside a plain C program.

usage: crawl.py [--pages N] [--rounds N]      WEIR names the binary (default: build/release/weir)

The server is the one of the tests, in a process of its own; its login takes no time, and pages are public. Each round runs
the bare program (bench/crawl_bare.c: one libcurl multi loop, nothing parsed) and weir in turn, so that a busy machine slows
both. weir is timed from start to exit: it logs in, fetches, parses, groups and, but for one of its cases, journals. The
floor is what the pages' own delay leaves: pages × delay ÷ how many are under way at once. A ratio is the median of those of
the rounds. The CPU time of all threads stands beside the wall clock, which depends more on who else uses the machine. Exits
with 1 when weir without a store takes more than 1.3 times what the bare program takes."""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIR = os.environ.get("WEIR", str(ROOT / "build/release/weir"))
CRAWL = ROOT / "examples/crawl/crawl.json"
SERVER = ROOT / "tests/end_to_end/crawl_server.py"
DELAY_S = 0.02
TARGET = 1.3
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("WEIR_")}
ENVIRONMENT |= {"no_proxy": "*", "NO_PROXY": "*"}


def at_once():
    """As many as weir has under way at most: 256 a host, and there are two; half of the files that a process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(512, max(16, files // 2))


def build(folder):
    program = str(folder / "crawl_bare")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libcurl"], capture_output=True, text=True, check=True)
    subprocess.run(["cc", "-O2", "-o", program, ROOT / "bench/crawl_bare.c", *flags.stdout.split()], check=True)
    return program


def timed(command, environment=None):
    """What it printed, and the seconds that it took and that its threads used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - begun
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done, (seconds, now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime)


def bare(program, urls, wanted):
    done, times = timed([program, urls, str(at_once())])
    good = int(done.stdout.split()[2])
    if good != wanted:
        sys.exit(f"the bare program got {good} pages of {wanted}")
    return times


def weir(urls, port, state, wanted, *options):
    words = [f"urls=@{urls}", f"login_url=http://127.0.0.1:{port}/login", "user=me", "password=pass word&"]
    done, times = timed(
        [WEIR, "run", CRAWL, *words, "-o", "json", *options], {**ENVIRONMENT, "WEIR_STATE": str(state)}
    )
    (result,) = json.loads(done.stdout)["results"].values()
    if len(result["pages"]) != wanted:
        sys.exit(f"weir got {len(result['pages'])} pages of {wanted}: {result.get('errors', [])[:3]}")
    return times


def measure(arguments, folder, port):
    # Pages that are missing or break off are left out: trying again is not what is measured.
    numbers = [n for n in range(arguments.pages * 2) if n % 100 not in (7, 33)][: arguments.pages]
    urls = folder / "urls.txt"
    urls.write_text("".join(f"http://127.0.0.{1 + n % 2}:{port}/page/{n}\n" for n in numbers))
    program, state = build(folder), folder / "state"
    samples = {"bare libcurl": [], "weir, --durability none": [], "weir, SQLite": []}
    for _ in range(arguments.rounds):
        samples["bare libcurl"].append(bare(program, urls, len(numbers)))
        samples["weir, --durability none"].append(weir(urls, port, state, len(numbers), "--durability", "none"))
        samples["weir, SQLite"].append(weir(urls, port, state, len(numbers)))
    walls = {name: [seconds for seconds, _ in rows] for name, rows in samples.items()}
    base = walls["bare libcurl"]
    ratios = {name: statistics.median(a / b for a, b in zip(column, base)) for name, column in walls.items()}
    return {name: [*map(statistics.median, zip(*rows)), ratios[name]] for name, rows in samples.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    command = [sys.executable, SERVER, "--public", "--delay", str(DELAY_S)]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        middle = measure(arguments, pathlib.Path(folder), int(server.stdout.readline()))
        server.stdin.close()
    floor = arguments.pages * DELAY_S / at_once()
    print(f"{arguments.pages} pages of {DELAY_S * 1e3:.0f} ms, {at_once()} at once; floor {floor * 1e3:.0f} ms")
    print(f"{'case':<26}{'median':>10}{'pages/s':>10}{'ratio':>8}{'CPU':>10}")
    for name, (seconds, used, ratio) in middle.items():
        print(f"{name:<26}{seconds * 1e3:>7.0f} ms{arguments.pages / seconds:>10.0f}{ratio:>8.2f}{used * 1e3:>7.0f} ms")
    ratio = middle["weir, --durability none"][2]
    print(f"{'ok  ' if ratio <= TARGET else 'MISS'}  weir without a store ≤ {TARGET} × the bare program ({ratio:.2f})")
    sys.exit(0 if ratio <= TARGET else 1)


if __name__ == "__main__":
    main()
