"""What dataflows of trivial operations cost in weir, beside the bare limit and beside DFFML.

usage: dataflow.py [--only CASE] [--n N] [--rounds R] [--warm] [--json FILE] [--no-dffml]     a table, the targets
       dataflow.py --only CASE [--n N] [--threads T] [--warm] --repeat [R]     weir alone, for a profiler
       dataflow.py --quick                                                     right results, in seconds

WEIR names the binary (default: build/release/weir); the benchmark's program is built beside it. `bare` is a loop in the same
process that calls the same functions and makes the same values, in turn with weir; the columns say the best round, and in
parentheses the median. With --warm rounds reuse the memory of earlier ones. Ends with 1 when a target is missed. With --repeat: perf record -g ./dev bench dataflow --only
chain --repeat 20."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import start

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(start.WEIR).parent / "bench/dataflow"
VENV = ROOT / "build/venv-dffml"
PEER = ROOT / "bench/peers/dffml_cases.py"
DFFML, DFFML_PYTHONS, DFFML_SETUP_S = "dffml==0.4.0.post2", ("python3.8", "python3.7"), 600

SMALL, MIDDLE, LARGE, HUGE = 10_000, 100_000, 1_000_000, 10_000_000
UP_TO_LARGE = (SMALL, MIDDLE, LARGE)
CASES = {
    "chain": (UP_TO_LARGE, "n operations in a row"),
    "fan-out": (UP_TO_LARGE, "1 → n → n"),
    "product": (UP_TO_LARGE, "√n × √n"),
    "dag": (UP_TO_LARGE, "n operations, each of two random earlier ones"),
    "loop": ((*UP_TO_LARGE, HUGE), "one operation n times by value, nothing kept"),
    "contexts": ((*UP_TO_LARGE, HUGE), "n/3 contexts of 3 operations"),
    "results": ((*UP_TO_LARGE, HUGE), "n/3 contexts of 2 operations and get_single"),
    "freed": ((LARGE, HUGE), "contexts of 1 → 1,000 → 1,000"),
    "retained": ((LARGE, HUGE), "loop, all inputs kept for get_multi"),
}
THREADS_CASE, THREADS = "contexts", 2
ROUNDS = {SMALL: 21, MIDDLE: 9, LARGE: 9, HUGE: 3}
QUICK_N, QUICK_THREADS_N = 2_000, 30_000

RATE_MIN, RATE_KEPT_MIN, RETAINED_MIN, INPUT_BYTES_MAX, SCALING_MIN = 3_000_000, 0.8, 0.4, 100, 1.8
START_S_MAX, START_BYTES_MAX = 0.005, 8e6

# case, n, invocations per CPU second that are on record for DFFML, for where it cannot be installed; None: a stack overflow
PEER_CASES = (
    ("chain", 100, 2_237), ("chain", 300, 174), ("chain", 1_000, None),
    ("contexts", 3_000, 5_970), ("fan-out", 1_000, 8_556), ("product", 10_000, 3_606),
)  # fmt: skip


def run_program(case, n, *options):
    """The line of JSON of one case; ends this program when it fails."""
    done = subprocess.run([PROGRAM, case, str(n), *map(str, options)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"dataflow: {case} {n} ended with {done.returncode}")
    return json.loads(done.stdout)


def rounds_of(n):
    return ROUNDS[max((size for size in ROUNDS if size <= n), default=SMALL)]


def measure(only, n, rounds, options):
    """{(case, n): line}, and the line of the threads."""
    lines = {}
    for case, (sizes, _) in CASES.items():
        for size in [n] if n else sizes:
            if only in (None, case):
                print(f"dataflow: {case} {size:,}", file=sys.stderr)
                lines[case, size] = run_program(case, size, "--rounds", rounds or rounds_of(size), *options)
    threads = None
    if only in (None, THREADS_CASE):
        print(f"dataflow: {THREADS_CASE} on {THREADS} threads", file=sys.stderr)
        threads = run_program(THREADS_CASE, n or LARGE, "--threads", THREADS, "--rounds", rounds or 7, *options)
    return lines, threads


# --- the machine ---------------------------------------------------------------------------------


def first(text, default):
    return next(iter(text.splitlines()), default)


def machine():
    models = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True).stdout
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": first(compiler, "unknown"),
        "huge_pages": pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text().strip(),
        "load": os.getloadavg()[0],
    }


# --- DFFML ---------------------------------------------------------------------------------------


def find_dffml():
    """The Python of an environment that has DFFML, which is made when a Python that is old enough is there; or None."""
    python = VENV / "bin/python"
    works = [python, "-c", "import dffml"]
    if python.exists() and subprocess.run(works, capture_output=True).returncode == 0:
        return python
    for name in DFFML_PYTHONS:
        old = shutil.which(name)
        if not old or subprocess.run([old, "-c", "import venv"], capture_output=True).returncode != 0:
            continue
        print(f"dataflow: installing {DFFML} into {VENV.relative_to(ROOT)}", file=sys.stderr)
        shutil.rmtree(VENV, ignore_errors=True)
        steps = ([old, "-m", "venv", VENV], [python, "-m", "pip", "install", "--quiet", DFFML], works)
        try:
            if all(subprocess.run(step, capture_output=True, timeout=DFFML_SETUP_S).returncode == 0 for step in steps):
                return python
        except subprocess.TimeoutExpired:
            pass
    return None


def measure_peer(python):
    """[{case, n, weir and dffml: invocations per CPU second, peak_bytes_call}]; dffml is None where it failed."""
    rows = []
    for case, n, recorded in PEER_CASES:
        line = run_program(case, n, "--rounds", 50)
        row = {"case": case, "n": n, "weir": line["invocations"] / line["variants"]["weir"]["best"]["cpu"], "dffml": recorded}
        if python:
            done = subprocess.run([python, PEER, case, str(n)], capture_output=True, text=True)
            peer = json.loads(done.stdout) if done.returncode == 0 else None
            row["dffml"] = peer["invocations"] / peer["cpu"] if peer else None
            row["dffml_peak_bytes_call"] = peer["peak_bytes"] / peer["invocations"] if peer else None
            row["why"] = None if peer else first("\n".join(reversed(done.stderr.splitlines())), "no reason given")
        rows.append(row)
    return rows


# --- targets -------------------------------------------------------------------------------------


def rate(line, variant="weir", which="best"):
    return line["variants"][variant][which]["rate"]


def bares(line):
    return [name for name in line["variants"] if name.startswith("bare") and not name.endswith("threads")]


def fastest_bare(line):
    return max(bares(line), key=lambda name: rate(line, name))


def of_bare(line, which="best"):
    """Against the fastest bare loop."""
    return rate(line, "weir", which) / rate(line, fastest_bare(line), which)


def scaling(line, name):
    return rate(line, f"{name}_threads") / rate(line, name)


def checks_of_case(case, n, lines):
    """[(what, whether it is so)]"""
    line, checks = lines[case, n], []
    if case == "retained" and n >= HUGE:
        share = of_bare(line)
        checks.append((f"{share:.2f} of the bare loop, at least {RETAINED_MIN}", share >= RETAINED_MIN))
    else:
        checks.append((f"{rate(line):,.0f} invocations/s, at least {RATE_MIN:,}", rate(line) >= RATE_MIN))
    if n == LARGE and (case, MIDDLE) in lines:
        kept = rate(line) / rate(lines[case, MIDDLE])
        checks.append((f"{kept:.2f} of the rate at {MIDDLE:,}, at least {RATE_KEPT_MIN}", kept >= RATE_KEPT_MIN))
    if case == "retained":
        extra = line["kept_bytes_input"] - line["value_bytes"]
        checks.append((f"{extra:.0f} bytes an input beyond its value, at most {INPUT_BYTES_MAX}", extra <= INPUT_BYTES_MAX))
    elif n == HUGE and (case, LARGE) in lines:
        peak, before = (lines[case, size]["variants"]["weir"]["peak_bytes"] for size in (HUGE, LARGE))
        flat = f"peak of {peak / 1e6:.1f} MB, flat from {before / 1e6:.1f} MB at {LARGE:,}"
        checks.append((flat, peak <= 1.25 * before + 4e6))
    return [(f"{case} {n:,}: {what}", ok) for what, ok in checks]


def checks_of(lines, threads, start_row):
    checks = [check for case, n in lines for check in checks_of_case(case, n, lines)]
    if threads:
        ratio, bare = scaling(threads, "weir"), scaling(threads, "bare")
        what = f"{THREADS_CASE} on {THREADS} threads: {ratio:.2f} × one, at least {SCALING_MIN} (bare: {bare:.2f})"
        checks.append((what, ratio >= SCALING_MIN))
    if start_row:
        seconds, _, peak = start_row
        checks.append((f"weir run, start to exit: {seconds * 1e3:.2f} ms, at most 5", seconds <= START_S_MAX))
        checks.append((f"weir run: {peak / 1e6:.1f} MB, at most 8", peak <= START_BYTES_MAX))
    return checks


def measure_start():
    """What start.py says of a run without a store: medians of seconds, CPU seconds, peak bytes."""
    with tempfile.TemporaryDirectory() as folder:
        samples = start.measure(20, pathlib.Path(folder))["run, --durability none"]
    return [sorted(column)[len(column) // 2] for column in zip(*samples)]


# --- tables --------------------------------------------------------------------------------------


def table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def millions(figure):
    return f"{figure / 1e6:.2f}"


HEADS = ("case", "n", "invocations", "ms", "million/s", "million/CPU s", "ns each", "bare, million/s", "of bare",
         "peak MB", "peak B/input", "compile s")  # fmt: skip


def main_row(case, n, line):
    weir, bare = line["variants"]["weir"], fastest_bare(line)
    return [
        case, f"{n:,}", f"{line['invocations']:,}",
        f"{weir['best']['seconds'] * 1e3:,.1f} ({weir['median']['seconds'] * 1e3:,.1f})",
        f"{millions(rate(line))} ({millions(rate(line, 'weir', 'median'))})",
        millions(line["invocations"] / weir["best"]["cpu"]), f"{1e9 / rate(line):.0f}",
        f"{millions(rate(line, bare))} ({millions(rate(line, bare, 'median'))})",
        f"{of_bare(line):.2f} ({of_bare(line, 'median'):.2f})",
        f"{weir['peak_bytes'] / 1e6:,.1f}", f"{weir['peak_bytes_input']:.0f}", f"{weir['compile_seconds']:.3f}",
    ]  # fmt: skip


def retained_row(n, line):
    shares = [f"{rate(line) / rate(line, name):.2f} of {millions(rate(line, name))} million/s" for name in bares(line)]
    kept, value = line["kept_bytes_input"], line["value_bytes"]
    return [f"{n:,}", f"{kept:.0f}", f"{value:.0f}", f"{kept - value:.0f}", *shares]


def peer_row(row):
    name, weir, dffml = f"{row['case']} {row['n']:,}", row["weir"], row["dffml"]
    if not dffml:
        return [name, f"{weir:,.0f}", "fails: recursion too deep", ""]
    return [name, f"{weir:,.0f}", f"{dffml:,.0f}", f"{weir / dffml:,.0f}"]


def print_report(report, lines, threads, start_row):
    m = report["machine"]
    print(f"{m['cpu']}, {m['cores']} cores, {m['kernel']}, {m['compiler']}; huge pages {m['huge_pages']}; load {m['load']:.1f}\n")
    table(HEADS, [main_row(case, n, line) for (case, n), line in lines.items()])
    retained = [retained_row(n, line) for (case, n), line in lines.items() if case == "retained"]
    if retained:
        table(("retained, n", "B/input kept", "its value", "beyond", "of bare", "of bare, huge pages"), retained)
    if threads:
        rows = []
        for name in ("weir", "bare"):
            figures = millions(rate(threads, name)), millions(rate(threads, f"{name}_threads"))
            rows.append([name, *figures, f"{scaling(threads, name):.2f}"])
        table((f"{THREADS_CASE}, million/s", "1 thread", f"{THREADS} threads", "ratio"), rows)
    if report["dffml"]:
        heads = ("invocations per CPU second", "weir", report["dffml_version"], "ratio")
        table(heads, [peer_row(row) for row in report["dffml"]])
    if start_row:
        print(f"weir run of a 3-operation flow, no store: {start_row[0] * 1e3:.2f} ms, {start_row[2] / 1e6:.1f} MB\n")


# --- commands ------------------------------------------------------------------------------------


def quick():
    """Every case once, its calls and results against the bare loop's."""
    for case in CASES:
        run_program(case, QUICK_N, "--check", "--rounds", 2)
        print(f"ok    {case}")
    run_program(THREADS_CASE, QUICK_THREADS_N, "--check", "--threads", THREADS)
    print(f"ok    {THREADS_CASE} on {THREADS} threads")


def full(arguments):
    report = {"machine": machine(), "dffml": None}
    lines, threads = measure(arguments.only, arguments.n, arguments.rounds, ["--warm"] if arguments.warm else [])
    start_row = None if arguments.only else measure_start()
    if not arguments.only and not arguments.no_dffml:
        python = find_dffml()
        report["dffml_version"] = DFFML if python else "DFFML as recorded"
        report["dffml"] = measure_peer(python)
    checks = checks_of(lines, threads, start_row)
    report |= {"cases": list(lines.values()), "threads": threads, "start": start_row, "checks": checks}
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=1))
    print_report(report, lines, threads, start_row)
    for what, ok in checks:
        print(f"{'ok  ' if ok else 'MISS'}  {what}")
    return 0 if all(ok for _, ok in checks) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--n", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, nargs="?", const=20)
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-dffml", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build/bench/dataflow.json")
    arguments = parser.parse_args()
    if arguments.repeat:
        if not arguments.only:
            parser.error("--repeat needs --only")
        n = arguments.n or LARGE
        options = ["--repeat", str(arguments.repeat), "--threads", str(arguments.threads), *["--warm"] * arguments.warm]
        os.execv(PROGRAM, [str(PROGRAM), arguments.only, str(n), *options])
    if arguments.quick:
        quick()
        return 0
    return full(arguments)


if __name__ == "__main__":
    sys.exit(main())
