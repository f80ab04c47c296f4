"""Calls one operation: a dataflow of it, run by the command."""

import json


def flow(name, parameters, config=None):
    """The dataflow that calls it once and gives all that it gave."""
    outputs = {"lookups": "lookups"} if name.endswith("lookup") else {} if name.startswith("db_") else {"output_path": "output_path"}
    operations = {"call": {"name": name, "inputs": {key: key for key in parameters}, "outputs": outputs}}
    seed = [{"value": value, "definition": key} for key, value in parameters.items()]
    if outputs:
        operations["get"] = {"name": "get_single", "inputs": {"spec": "spec"}, "outputs": {"output": "got"}, "stage": "output"}
        seed.append({"value": list(outputs.values()), "definition": "spec"})
    names = [*parameters, *outputs.values(), "spec", "got"]
    return {
        "definitions": {name: {"name": name, "primitive": "generic"} for name in names},
        "operations": operations,
        "seed": seed,
        "configs": {"call": config or {}},
        "linked": True,
    }


def caller(weir, folder):
    """A function that calls an operation: its outputs, or the finished process when it failed."""

    def call(name, parameters, config=None, **options):
        path = folder / "call.json"
        path.write_text(json.dumps(flow(name, parameters, config)))
        done = weir("run", path, "-o", "json", "--durability", "none", **options)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)["results"]["default"] if done.returncode == 0 else done

    return call
