"""What stores take, and what durable runs take on them: rows, runs, effects, processes, replays; beside each the limit, in the
same run.

usage: store.py [--rounds N] [--only SQLite|PostgreSQL] [--no-dbos] [--quick]

The limit is SQLite (WAL, synchronous = FULL) and libpq by hand: a row a transaction, which is what the disk's fsyncs allow, and
100 rows a transaction. Every case runs in turn, in one loop, on one disk and one server, each in a new file or database;
figures are the best of the rounds, as other programs only ever take away, and ratios are of those. A row has 300 bytes. DBOS is
installed into an environment of its own and runs workflows of three steps on stores of its own. Ends with 1 when a target is missed."""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import dataflow
import start

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(start.WEIR).parent / "bench/store"
PLUGIN = PROGRAM.parent / "dataflow_operations.so"
CALCULATOR = ROOT / "examples/calculator/calculator.json"
DBOS, VENV, PEER = "dbos==3.4.0", ROOT / "build/venv-dbos", ROOT / "bench/peers/dbos_cases.py"

REPLAYED, CHAIN, CHAINS, OF_CHAINS, PROCESSES = 1_000_000, 500, 100, 300, 400


def counting(operation):
    """A flow whose one operation takes what it gave until that is 0: `left` = n are n + 1 in a row."""
    names = ("left", "end")
    return {
        "linked": True,
        "definitions": {name: {"name": name, "primitive": "int"} for name in names},
        "operations": {"count": {"name": operation, "inputs": {"a": "left"}, "outputs": {"r": "left", "done": "end"}, "stage": "processing"}},
        "flow": {"count": {"inputs": {"a": ["seed", {"count": "r"}]}}},
    }


PROCESS = {
    "linked": True,
    "definitions": {"item": {"name": "item", "primitive": "int"}, "said": {"name": "said", "primitive": "str"}},
    "operations": {"run": {"name": "process.run", "inputs": {"item": "item"}, "outputs": {"result": "said"}, "stage": "processing"}},
    "configs": {"run": {"command": ["/bin/true"], "format": "text"}},
}
FLOWS = {"effects": counting("bench.turn"), "calls": counting("bench.down"), "process": PROCESS}
ADD = ("line=add 40 and 2",)

# key: what a line of the table says, the program's case, its count, what is counted in all, the flow and what it is given
BOTH = {
    "raw": ("by hand, a row a transaction", "raw", 400, 400),
    "raw100": ("by hand, 100 rows a transaction", "raw100", 20_000, 20_000),
    "one": ("rows of the store, one after another", "one", 400, 400),
    "hundred": ("rows of 100 streams at once", "hundred", 10_000, 10_000),
    "flood": ("rows all at once", "flood", 20_000, 20_000),
    "runs": ("runs of three pure operations, one after another", "runs:1", 300, 300, CALCULATOR, *ADD),
    "runs8": ("the same, 8 at once", "runs:8", 2_000, 2_000, CALCULATOR, *ADD),
    "steps": ("runs of three effects, one after another", "runs:1", 200, 200, "effects", "left=2"),
    "steps8": ("the same, 8 at once", "runs:8", 800, 800, "effects", "left=2"),
    "chain": ("effects in a chain", "runs:1", 1, CHAIN, "effects", f"left={CHAIN - 1}"),
    "chains": ("100 such chains in one run", f"contexts:{CHAINS}", CHAINS, CHAINS * OF_CHAINS, "effects", f"left={OF_CHAINS - 1}"),
    "calls": ("pure invocations, all recorded", "runs:1", 1, REPLAYED, "calls", f"left={REPLAYED - 1}"),
}
SQLITE = BOTH | {
    "replay": ("events replayed", "recover", 1, REPLAYED, "calls", "left=0"),
    "processes": ("processes", "contexts:64", PROCESSES, PROCESSES, "process", "item=1"),
    "processes none": ("processes, --durability none", "contexts:64", PROCESSES, PROCESSES, "process", "item=1"),
}


class Servers:
    """Each measurement gets a new file, or a new database."""

    def __init__(self, folder, postgresql):
        self.folder, self.count, self.port = folder, 0, None
        if postgresql:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            folder.chmod(0o755)
            subprocess.run([ROOT / "tests/postgresql", "start", folder / "pg", str(self.port)], check=True)

    def url(self, kind):
        self.count += 1
        if kind == "SQLite":
            return f"sqlite://{self.folder}/s{self.count}.db"
        at = ["-h", self.folder / "pg", "-p", str(self.port), "-U", "weir", "-d", "postgres"]
        subprocess.run(["psql", *at, "-qc", f"CREATE DATABASE d{self.count}"], check=True)
        return f"postgresql://weir@/d{self.count}?host={self.folder}/pg&port={self.port}"

    def close(self):
        if self.port:
            subprocess.run([ROOT / "tests/postgresql", "stop", self.folder / "pg", "immediate"], check=True)


def run_case(folder, url, state, case, share):
    """(how many a second, CPU seconds of each, peak bytes)"""
    _, name, count, total, *given = case
    count, total = max(count // share, 1), max(total // share, 1)
    command = [PROGRAM, name, url, str(count)]
    if given:
        flow, *texts = given
        if share > 1 and count == 1 and texts[0].startswith("left="):
            texts = [f"left={total - 1}"]
        command += [folder / f"{flow}.json" if flow in FLOWS else flow, state, PLUGIN, *texts]
    done, seconds, *more = map(float, subprocess.check_output(command, text=True).split())
    cpu, peak = more or (0, 0)
    return total / seconds, cpu / total, peak


def measure(kind, folder, servers, figures, share):
    """One round of all cases into the figures: rates, CPU seconds and peaks by kind and case."""
    rates, cpus, peaks = figures
    cases = SQLITE if kind == "SQLite" else BOTH
    for key, case in cases.items():
        print(f"store: {kind}: {case[0]}", file=sys.stderr)
        if key != "replay":
            url, state = servers.url(kind), folder / f"state{servers.count}"
        rate, cpu, peak = run_case(folder, "none" if key == "processes none" else url, state, case, share)
        rates[kind, key] = max(rate, rates.get((kind, key), 0))
        cpus[kind, key] = min(cpu, cpus.get((kind, key), cpu))
        peaks[kind, key] = max(peak, peaks.get((kind, key), 0))


# --- DBOS ----------------------------------------------------------------------------------------


def find_dbos():
    """The Python of an environment that has DBOS, made when there is none; None: it cannot be had."""
    python = VENV / "bin/python"
    works = [python, "-c", "import dbos"]
    if python.exists() and subprocess.run(works, capture_output=True).returncode == 0:
        return python
    print(f"store: installing {DBOS} into {VENV.relative_to(ROOT)}", file=sys.stderr)
    shutil.rmtree(VENV, ignore_errors=True)
    steps = ([sys.executable, "-m", "venv", VENV], [python, "-m", "pip", "install", "--quiet", DBOS], works)
    try:
        return python if all(subprocess.run(step, timeout=600).returncode == 0 for step in steps) else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def measure_dbos(python, kind, servers, rates, share):
    print(f"store: {kind}: {DBOS}", file=sys.stderr)
    url = servers.url(kind).replace("sqlite://", "sqlite:///", 1)
    done = subprocess.run([python, PEER, url, str(max(100 // share, 5))], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"store: {DBOS} ended with {done.returncode}: {done.stderr[-2000:]}")
    for key, rate in json.loads(done.stdout.splitlines()[-1]).items():
        rates[kind, key] = max(rate, rates.get((kind, key), 0))


# --- what comes of it ----------------------------------------------------------------------------


def checks_of(rates, peaks):
    """[(what, ratio, target)] of the table "how fast"."""

    def ratio(what, kind, key, over, target):
        if (kind, key) in rates and (kind, over) in rates:
            checks.append((f"{kind}: {what}", rates[kind, key] / rates[kind, over], target))

    checks = []
    for kind in ("SQLite", "PostgreSQL"):
        if kind == "SQLite":
            ratio("effects in a chain, to a row a transaction", kind, "chain", "raw", 0.5)
            ratio("100 chains, to a row a transaction", kind, "chains", "raw", 10)
            ratio("runs one after another, to a row a transaction", kind, "runs", "raw", 0.5)
            ratio("runs 8 at once, to a row a transaction", kind, "runs8", "raw", 2.5)
            ratio("processes, to those without a store", kind, "processes", "processes none", 0.95)
            if (kind, "replay") in rates:
                checks.append((f"{kind}: a million events replayed, in 1.5 s", rates[kind, "replay"] * 1.5 / REPLAYED, 1))
                live, replayed = peaks[kind, "calls"], peaks[kind, "replay"]
                checks.append((f"{kind}: memory live ({live / 1e6:.0f} MB) to replayed ({replayed / 1e6:.0f} MB)", (live + 4e6) / (replayed + 1), 1))
        elif (kind, "calls") in rates:
            checks.append((f"{kind}: pure invocations recorded, of 50,000 a second", rates[kind, "calls"] / 50_000, 1))
        ratio("runs, to DBOS", kind, "runs", "dbos", 20)
        ratio("runs of three effects, to DBOS", kind, "steps", "dbos", 20)
        ratio("runs of three effects 8 at once, to DBOS 8 at once", kind, "steps8", "dbos8", 20)
    return checks


def print_report(rates, cpus, kinds):
    machine = dataflow.machine()
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, {machine['compiler']}; load {machine['load']:.1f}\n")
    rows = []
    names = {key: case[0] for key, case in SQLITE.items()} | {"dbos": f"{DBOS}: workflows of three steps", "dbos8": "the same, 8 at once"}
    for key, about in names.items():
        cells = []
        for kind in kinds:
            there = (kind, key) in rates
            cells.append(f"{rates[kind, key]:,.0f}" if there else "")
            cells.append(f"{rates[kind, key] / rates[kind, 'raw']:.2f}" if there else "")
            cells.append(f"{cpus[kind, key] * 1e6:,.1f}" if cpus.get((kind, key)) else "")
        if any(cells):
            rows.append([about, *cells])
    heads = (head for kind in kinds for head in (kind, "of a row a transaction", "CPU µs each"))
    dataflow.table(("a second", *heads), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"))
    parser.add_argument("--no-dbos", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a hundredth of all, once: does it work?")
    options = parser.parse_args()
    kinds, share = [options.only] if options.only else ["SQLite", "PostgreSQL"], 100 if options.quick else 1
    python = None if options.no_dbos else find_dbos()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-store-", dir=os.environ.get("WEIR_BENCH_FOLDER")))
    for name, flow in FLOWS.items():
        (folder / f"{name}.json").write_text(json.dumps(flow))
    servers = Servers(folder, "PostgreSQL" in kinds)
    rates, cpus, peaks = figures = {}, {}, {}
    try:
        for _ in range(1 if options.quick else options.rounds):
            for kind in kinds:
                measure(kind, folder, servers, figures, share)
                if python:
                    measure_dbos(python, kind, servers, rates, share)
    finally:
        servers.close()
        shutil.rmtree(folder)
    print_report(rates, cpus, kinds)
    checks = checks_of(rates, peaks)
    for what, ratio, target in checks:
        print(f"{'ok  ' if ratio >= target else 'MISS'}  {what}: {ratio:.2f}, at least {target}")
    return 0 if options.quick or all(ratio >= target for _, ratio, target in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
