"""What the schedulers make of graphs of tasks, and what a limit of memory is worth.

usage: schedulers.py [--graphs N] [--quick]      WEIR names the binary beside which bench/schedulers lies (default: build/release/weir)

In virtual time, over the task layer: small graphs beside the best of all orders (target: 1.2 at the median and 1.2 of all but one in fifty),
random ones beside the larger of critical path and work (1.1), with `critical-path`; StarPU's dmda, where libstarpu-dev is, with sleeping
tasks (1.05 at the median). For real: processes that take memory, more of it together than the limit; none is killed, and no more is taken at once.
Exits with 1 when a target is missed."""

import argparse
import collections
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
WEIR = pathlib.Path(os.environ.get("WEIR", ROOT / "build/release/weir"))
MB = 1000 * 1000


def virtual(graphs):
    """{(kind, scheduler): [ratio]}, {…: [ns a task]}."""
    ratios, costs = collections.defaultdict(list), collections.defaultdict(list)
    ran = subprocess.run([WEIR.parent / "bench/schedulers", str(graphs)], capture_output=True, text=True)
    if ran.returncode:
        sys.exit("a limit was exceeded, or a graph not finished" + ran.stderr)
    for line in ran.stdout.splitlines():
        kind, _, scheduler, makespan, bound, _, _, cost = line.split()
        ratios[kind, scheduler].append(int(makespan) / int(bound))
        costs[kind, scheduler].append(int(cost))
    return ratios, costs


def starpu(graphs, attempts=2, count=60):
    """What weir's order takes of the time that StarPU takes; None: it is not there."""
    with tempfile.TemporaryDirectory() as folder:
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "starpu-1.3"], capture_output=True, text=True)
        program = pathlib.Path(folder) / "starpu"
        if flags.returncode or not shutil.which("cc"):
            return None
        subprocess.run(["cc", "-O2", "-o", program, ROOT / "bench/schedulers_starpu.c", *flags.stdout.split()], check=True)
        environment = {**os.environ, "STARPU_SCHED": "dmda", "STARPU_SILENT": "1", "STARPU_HOME": folder, "STARPU_WORKERS_NOBIND": "1", "STARPU_NOPENCL": "0"}
        ratios = []
        for seed in range(1, graphs + 1):
            graph = subprocess.run([WEIR.parent / "bench/schedulers", "graph", str(count), str(seed), str(attempts)], check=True, capture_output=True, text=True)
            first, tasks = graph.stdout.split("\n", 1)
            took = subprocess.run([program, str(attempts)], input=tasks, check=True, capture_output=True, text=True, env=environment)
            ratios.append(int(first.split()[1]) / int(took.stdout))
        return ratios


def descendants_bytes(pid):
    """Of all processes below this one, but weir's own."""
    parents, resident = {}, {}
    for name in os.listdir("/proc"):
        try:
            fields = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split() if name.isdigit() else None
        except OSError:
            continue
        if fields:
            parents[int(name)], resident[int(name)] = int(fields[1]), int(fields[21]) * 4096
    ours, more = {pid}, True
    while more:
        found = {child for child, parent in parents.items() if parent in ours} - ours
        ours |= found
        more = bool(found)
    return sum(resident[child] for child in ours - {pid})


def real(tasks, limit_mb, each_mb):
    """Seconds, the most that was taken at once, how many failed."""
    take = f"import time; data = bytearray({each_mb} * {MB}); data[::4096] = b'1' * len(data[::4096]); time.sleep(0.3)"
    parts = {
        f"t{i}": {"inputs": [], "outputs": ["o"], "run": [sys.executable, "-S", "-c", take], "resources": {"memory": f"{each_mb + 12}M"}}
        for i in range(tasks)
    }
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "p.json"
        file.write_text(json.dumps({"pipeline": {"name": "p", "inputs": [], "components": parts, "outputs": {f"t{i}": f"t{i}.o" for i in range(tasks)}}}))
        began, most = time.monotonic(), 0
        command = [WEIR, "run", file, "--durability", "none", "--isolation", "none", "--set", "limits.attempts=64", "--limit", f"memory={limit_mb}M", "-o", "json"]
        run = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while run.poll() is None:
            most = max(most, descendants_bytes(run.pid))
            time.sleep(0.02)
        return time.monotonic() - began, most, run.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    graphs, wrong = 3 if arguments.quick else arguments.graphs, []
    ratios, costs = virtual(graphs)
    print(f"{'graphs':8} {'scheduler':14} {'median':>7} {'98 %':>7} {'worst':>7} {'µs a task':>10}")
    for (kind, scheduler), values in ratios.items():
        values.sort()
        high = values[min(len(values) - 1, len(values) * 98 // 100)]
        print(f"{kind:8} {scheduler:14} {statistics.median(values):7.3f} {high:7.3f} {values[-1]:7.3f} {statistics.median(costs[kind, scheduler]) / 1000:10.2f}")
        target = {"small": 1.2, "random": 1.1}.get(kind)
        if scheduler == "critical-path" and target and high > target:
            wrong.append(f"{kind}: {high:.3f} of the best, not {target}")
    beside = [] if arguments.quick else starpu(10)
    if arguments.quick:
        print("beside StarPU's dmda: not in a quick run, which would measure the machine for it first")
    elif beside:
        print(f"beside StarPU's dmda: {statistics.median(beside):.3f} at the median, {max(beside):.3f} at worst")
        if statistics.median(beside) > 1.05:
            wrong.append("behind dmda")
    else:
        print("StarPU is not here (libstarpu-dev)")
    took, most, code = real(4 if arguments.quick else 16, 200, 40)
    print(f"16 processes of 52 MB under a limit of 200 MB: {took:.1f} s, {most / MB:.0f} MB at once, exit code {code}")
    if code or most > 200 * MB:
        wrong.append("the limit of memory")
    for what in wrong:
        print("missed:", what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
