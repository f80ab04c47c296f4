"""with_items, with_param from a script's list, and a fan-in of what they gave."""

import json

from hera.workflows import DAG, Parameter, Workflow, script
from hera.workflows.models import ValueFrom
from looking import parameters, succeeded


@script()
def generate():
    import json
    import sys

    json.dump([{"low": i, "high": i + 10} for i in range(3)], sys.stdout)


@script(outputs=Parameter(name="sum", value_from=ValueFrom(path="/tmp/sum")))
def add(low: int, high: int):
    with open("/tmp/sum", "w") as out:
        out.write(str(low + high))


@script(outputs=Parameter(name="all", value_from=ValueFrom(path="/tmp/all")))
def join(sums):
    with open("/tmp/all", "w") as out:
        out.write(",".join(map(str, sums)))


with Workflow(generate_name="loops-", entrypoint="main") as w:
    with DAG(name="main"):
        pairs = generate(arguments={})
        each = add(name="add", with_param=pairs.result, arguments={"low": "{{item.low}}", "high": "{{item.high}}"})
        fixed = add(name="fixed", with_items=[1, 2], arguments={"low": "{{item}}", "high": 0})
        total = join(name="join", arguments={"sums": "{{tasks.add.outputs.parameters.sum}}"})
        pairs >> each >> total
        pairs >> fixed

done = succeeded(w.create(wait=True))
assert json.loads(f"[{parameters(done, 'join')['all']}]") == [10, 12, 14]
