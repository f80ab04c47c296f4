"""What the stores take: rows of the journal and runs a second, on SQLite and PostgreSQL, beside SQLite and libpq by hand.

usage: store.py [--rounds N] [--quick]

Every case runs in turn, in one loop, on one disk and one server; the table gives the median of the rounds. A row has 300
bytes; every commit waits for the disk. A run is examples/calculator, of three operations."""

import argparse
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build/release/bench/store"
FLOW = ROOT / "examples/calculator/calculator.json"
# name, what it is, rows or runs
CASES = [
    ("raw", "by hand, a row a transaction", 1000),
    ("raw100", "by hand, 100 rows a transaction", 50_000),
    ("one", "rows one after another", 1000),
    ("hundred", "rows of 100 streams at once", 20_000),
    ("flood", "rows all at once", 50_000),
    ("runs", "runs one after another", 500),
    ("runs8", "runs, 8 at once", 2000),
]


def start_server(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.chmod(0o755)
    subprocess.run([ROOT / "tests/postgresql", "start", folder / "pg", str(port)], check=True)
    return port


class Stores:
    """Each measurement gets a new file, or a new database."""

    def __init__(self, folder):
        self.folder, self.port, self.count = folder, start_server(folder), 0

    def url(self, kind):
        self.count += 1
        if kind == "SQLite":
            return f"sqlite://{self.folder}/s{self.count}.db"
        at = ["-h", self.folder / "pg", "-p", str(self.port), "-U", "weir", "-d", "postgres"]
        subprocess.run(["psql", *at, "-qc", f"CREATE DATABASE d{self.count}"], check=True)
        return f"postgresql://weir@/d{self.count}?host={self.folder}/pg&port={self.port}"

    def close(self):
        subprocess.run([ROOT / "tests/postgresql", "stop", self.folder / "pg", "immediate"], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the rows, once: does it work?")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-store-"))
    stores = Stores(folder)
    rates = {}
    try:
        for _ in range(1 if options.quick else options.rounds):
            for kind in ("SQLite", "PostgreSQL"):
                for case, _, count in CASES:
                    count = max(count // 100, 10) if options.quick else count
                    command = [PROGRAM, case, stores.url(kind), str(count), FLOW, folder / f"state{stores.count}"]
                    done, seconds = subprocess.check_output(command, text=True).split()
                    rates.setdefault((kind, case), []).append(int(done) / float(seconds))
    finally:
        stores.close()
        shutil.rmtree(folder)
    print(f"{'a second':34} {'SQLite':>10} {'PostgreSQL':>10}")
    for case, about, _ in CASES:
        line = "".join(f"{statistics.median(rates[kind, case]):11,.0f}" for kind in ("SQLite", "PostgreSQL"))
        print(f"{about:34}{line}")


if __name__ == "__main__":
    main()
