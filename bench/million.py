"""What `weir check FILE` takes of a file of a million components: a pipeline in both styles, a DFFML dataflow in linked form and an Argo workflow (a DAG), as JSON and as
YAML, each beside the bare limit, which is reading the same file into values and nothing else (`bench/reading`), in one run.

usage: million.py [--components N] [--rounds N] [--shape chain|chance] [--only KIND] [--keep FOLDER]
       WEIR names the program beside which bench/reading lies (default: build/release/weir)

In a chain each component takes what the one before it gives; by chance it takes what any of those before it gives. The file is in
the file cache. Processor time of the whole command (it works on one thread and waits for nothing) and the most memory that it had, the best round. What takes more than
2 s a million is marked. Exits with 1 when a tenth of the components takes more than a fifth of the time: that would not be linear."""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

TARGET_S = 2.0


def dataflow(before, write):
    """In linked form: names of definitions stand for them."""
    count = len(before)
    operations = {"get_single": {"inputs": {"spec": "d0"}, "stage": "output"}}
    for i, back in enumerate(before):
        operations[f"o{i}"] = {"name": "math.absolute", "inputs": {"number": f"d{back}"}, "outputs": {"result": f"d{i + 1}"}}
    write({"linked": True, "definitions": {f"d{i}": {"primitive": "number"} for i in range(count + 1)}, "operations": operations})


def pipeline(before, write):
    components = [{f"c{i}": {"runner": "math.absolute", "inputs": [f"c{back - 1}.result" if back else "number"], "outputs": ["result"]}}
                  for i, back in enumerate(before)]
    write({"pipeline": {"name": "million", "inputs": ["number"], "outputs": [f"c{len(before) - 1}.result"], "components": components}})


def list_pipeline(before, write):
    components = [{f"c{i}": [{"runner": "math.absolute"}, {"inputs": [f"c{back - 1}.result" if back else "number"]}, {"outputs": ["result"]}]}
                  for i, back in enumerate(before)]
    write({"pipeline": [{"name": "million"}, {"inputs": ["number"]}, {"outputs": [f"c{len(before) - 1}.result"]}, {"components": components}]})


def workflow(before, write):
    tasks = [{"name": f"t{i}", "template": "s"} | ({"depends": f"t{back - 1}.Succeeded"} if back else {}) for i, back in enumerate(before)]
    write({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "million"},
           "spec": {"entrypoint": "main", "templates": [{"name": "s", "suspend": {"duration": "1"}}, {"name": "main", "dag": {"tasks": tasks}}]}})


KINDS = {"dataflow": dataflow, "pipeline": pipeline, "pipeline, list style": list_pipeline, "workflow": workflow}


def yaml(value, indent, write):
    """Block style, as people write it; a list of texts on one line."""
    blanks = "  " * indent
    if isinstance(value, dict):
        for key, member in value.items():
            block(f"{blanks}{key}:", member, indent + 1, write)
    else:
        for item in value:
            block(f"{blanks}-", item, indent + 1, write)


def block(head, value, indent, write):
    plain = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if plain or not isinstance(value, (dict, list)):
        write(f"{head} {json.dumps(value) if isinstance(value, list) else scalar(value)}\n")
        return
    write(head + "\n")
    yaml(value, indent, write)


def scalar(value):
    return f'"{value}"' if isinstance(value, str) and value.isdigit() else json.dumps(value).strip('"')


def make(folder, kind, form, count, shape):
    """The file, made once: each component takes what number `before` gives, 0 is an input."""
    chance = random.Random(1)
    before = [chance.randint(0, i) if shape == "chance" else i for i in range(count)]
    path = pathlib.Path(folder) / f"{kind.replace(', ', '-').replace(' ', '-')}-{shape}-{count}.{form}"
    if path.exists():
        return path
    with open(path, "w") as out:
        if form == "json":
            KINDS[kind](before, lambda value: json.dump(value, out, separators=(",", ":")))
        else:
            KINDS[kind](before, lambda value: yaml(value, 0, out.write))
    return path


def measured(command, home):
    """(seconds, MiB) of a command that has to succeed."""
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=home)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(str(part) for part in command)}: {child.returncode}\n{said.decode()[:2000]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def row(label, path, tenth, weir, rounds, home):
    """Prints the best of each; seconds of the check, and of the check of a tenth."""
    commands = {"check": [weir, "check", path], "reading": [weir.parent / "bench/reading", path], "tenth": [weir, "check", tenth]}
    best = collections.defaultdict(lambda: (float("inf"), float("inf")))
    for _ in range(rounds):
        for name, command in commands.items():
            best[name] = tuple(map(min, best[name], measured(command, home)))
    (check, check_mib), (reading, reading_mib) = best["check"], best["reading"]
    print(f"  {label:30} {path.stat().st_size / 2**20:6.0f} MiB {reading:8.2f} s {reading_mib:7.0f} MiB {check:9.2f} s {check_mib:7.0f} MiB", end="", flush=True)
    return check, best["tenth"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--components", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", choices=["chain", "chance"], default="chain")
    parser.add_argument("--only", choices=sorted(KINDS))
    parser.add_argument("--form", choices=["json", "yaml"])
    parser.add_argument("--keep", help="the files are made here, and stay")
    arguments = parser.parse_args()
    weir = pathlib.Path(os.environ.get("WEIR", pathlib.Path(__file__).parents[1] / "build/release/weir")).absolute()
    wrong = False
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(arguments.keep or home).absolute()
        print(f"  {arguments.components:<16,} components           file    reading alone                  check")
        for form in [arguments.form] if arguments.form else ["json", "yaml"]:
            for kind in [arguments.only] if arguments.only else KINDS:
                path, tenth = (make(folder, kind, form, count, arguments.shape) for count in (arguments.components, max(2, arguments.components // 10)))
                check, few = row(f"{kind}, {form.upper()}", path, tenth, weir, arguments.rounds, home)
                bent = check > 0.5 and few > check / 5
                wrong |= bent
                print("   <-- not linear" if bent else "   above 2 s a million" if check > TARGET_S * arguments.components / 1e6 else "")
                if not arguments.keep:
                    path.unlink()
                    tenth.unlink()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
