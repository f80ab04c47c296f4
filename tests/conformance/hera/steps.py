"""Steps one after the other and at once, a script's result in another's argument."""

from hera.workflows import Steps, Workflow, script
from looking import nodes, succeeded


@script()
def number(start: int):
    print(start + 1)


@script()
def check(value: int):
    assert value == 3, value


with Workflow(generate_name="steps-", entrypoint="main") as w:
    with Steps(name="main") as steps:
        first = number(name="first", arguments={"start": 1})
        with steps.parallel():
            check(name="check", arguments={"value": "{{=asInt(steps.first.outputs.result) + 1}}"})
            number(name="beside", arguments={"start": first.result})

done = succeeded(w.create(wait=True))
assert nodes(done)["first"] == nodes(done)["check"] == nodes(done)["beside"] == "Succeeded"
