"""What `weir list` takes when there are 100,000 runs: the whole command, with each filter, on SQLite and PostgreSQL.

usage: runs.py [--runs N] [--rounds N] [--weir PROGRAM] [--postgresql] [--most MS] [--quick]

The rows are written by hand, as runs would have: one of 100 failed, ten teams, one of 50 runs is a child, a run a minute. The
table gives the median of the rounds in ms, and in brackets the least CPU time of the command, which other work on the machine changes less;
and what Python needs to read all rows. With --most it fails when a page takes longer."""

import argparse
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from store import Servers

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOW_US = int(time.time()) * 1_000_000
# name, options, whether it prints every run
CASES = [
    ("nothing", [], False),
    ("phase that one of 100 has", ["--phase", "Failed"], False),
    ("two phases", ["--phase", "Failed,Error"], False),
    ("phase that nearly all have", ["--phase", "Succeeded"], False),
    ("phase that none has", ["--phase", "Error"], False),
    ("kind that none has", ["--kind", "workflow"], False),
    ("file", ["--file", "flow.json"], False),
    ("file that none has", ["--file", "*/none.json"], False),
    ("name", ["--name", "run-0*7"], False),
    ("name that none has", ["--name", "nobody*"], False),
    ("children of a run", ["--parent", "run-000001"], False),
    ("label", ["--label", "team=red"], False),
    ("label of one run", ["--label", "number=77"], False),
    ("label that none has", ["--label", "team=none"], False),
    ("label, and another", ["--label", "team=red", "--label", "number"], False),
    ("no such label", ["--label", "!team"], False),
    ("label with another value", ["--label", "team!=red"], False),
    ("since an hour ago", ["--since", "1h"], False),
    ("until a day ago", ["--until", "1d"], False),
    ("label, phase and since", ["--label", "team=red", "--phase", "Failed", "--since", "30d"], False),
    ("a page in the middle", ["--after", "MIDDLE"], False),
    ("the oldest", ["--reverse"], False),
    ("all of them: names", ["--limit", "0", "-o", "name"], True),
    ("all of them: lines of JSON", ["--limit", "0", "-o", "jsonl"], True),
]
TEAMS = ["red", "blue", "green", "white", "black", "grey", "pink", "teal", "gold", "lime"]


def rows(count):
    for i in range(1, count + 1):
        phase = "Failed" if i % 100 == 0 else "Succeeded"
        parent = "run-000001" if i % 50 == 1 and i > 1 else ""
        created = NOW_US - (count - i) * 60_000_000
        labels = json.dumps({"team": TEAMS[i % 10], "number": str(i)}, separators=(",", ":"))
        yield (f"01m{i:017}", f"run-{i:06}", "dataflow", phase, "examples/flow.json", "host.example:4711", parent, created, created + 1000, labels)


COLUMNS = "id, name, kind, phase, file, owner, parent, created_us, finished_us, labels"


def fill_sqlite(weir, folder, count):
    subprocess.run([weir, "example", "run", "calculator", "--state", folder, "-q"], check=True, capture_output=True)
    database = sqlite3.connect(folder / "weir.db")
    database.execute("DELETE FROM runs")
    database.executemany(f"INSERT INTO runs({COLUMNS}) VALUES({','.join('?' * 10)})", rows(count))
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return []


def fill_postgresql(weir, folder, stores, count):
    url = stores.url("PostgreSQL")
    more = ["--store", url]
    subprocess.run([weir, "list", "--state", folder, *more], check=True, capture_output=True)
    text = "\n".join("\t".join(str(cell).replace("\\", "\\\\") for cell in row) for row in rows(count))
    command = f"COPY weir.runs({COLUMNS}) FROM STDIN"
    subprocess.run(["psql", url, "-qc", command], input=text + "\n", text=True, check=True)
    subprocess.run(["psql", url, "-qc", "ANALYZE"], check=True)
    return more


def measure(weir, folder, more, options):
    """Wall and CPU time of the command in ms."""
    began = time.perf_counter()
    command = subprocess.Popen([weir, "list", *options, "--state", folder, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(command.pid, 0)
    if status:
        sys.exit(f"{' '.join(options)}: exit code {os.waitstatus_to_exitcode(status)}")
    return (time.perf_counter() - began) * 1000, (used.ru_utime + used.ru_stime) * 1000


def raw(folder):
    database = sqlite3.connect(folder / "weir.db")
    began, cpu = time.perf_counter(), time.process_time()
    for _ in database.execute(f"SELECT {COLUMNS} FROM runs ORDER BY number DESC"):
        pass
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--weir", default=str(ROOT / "build/release/weir"))
    parser.add_argument("--postgresql", action="store_true", help="beside SQLite")
    parser.add_argument("--most", type=float, help="ms that a page may take")
    parser.add_argument("--quick", action="store_true", help="few runs, some cases, once: does it work?")
    options = parser.parse_args()
    cases = CASES[::4] if options.quick else CASES
    if options.quick:
        options.runs, options.rounds = 500, 1
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-runs-"))
    stores = Servers(folder, True) if options.postgresql else None
    times = {}
    try:
        kinds = {"SQLite": (folder / "s", fill_sqlite(options.weir, folder / "s", options.runs))}
        if stores:
            kinds["PostgreSQL"] = (folder / "p", fill_postgresql(options.weir, folder / "p", stores, options.runs))
        for _ in range(options.rounds):
            for name, more, _ in cases:
                for kind, (state, store) in kinds.items():
                    more = [f"run-{options.runs // 2:06}" if word == "MIDDLE" else word for word in more]
                    times.setdefault((name, kind), []).append(measure(options.weir, state, store, more))
            times.setdefault(("Python's sqlite3 reads all", "SQLite"), []).append(raw(folder / "s"))
    finally:
        if stores:
            stores.close()
        shutil.rmtree(folder)
    print(f"{f'ms, of {options.runs:,} runs':32}" + "".join(f"{kind:>18}" for kind in kinds))
    late = []
    for name in dict.fromkeys(name for name, _ in times):
        found = [times[name, kind] for kind in kinds if (name, kind) in times]
        medians = [statistics.median(wall for wall, _ in measured) for measured in found]
        cells = (f"{median:10.1f} ({min(cpu for _, cpu in measured):5.1f})" for median, measured in zip(medians, found))
        print(f"{name:32}" + "".join(cells))
        whole = next((whole for case, _, whole in CASES if case == name), True)
        if options.most and not whole and max(medians) > options.most:
            late.append(name)
    if late:
        sys.exit(f"longer than {options.most} ms: {', '.join(late)}")


if __name__ == "__main__":
    main()
