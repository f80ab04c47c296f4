"""A workflow that nobody creates: it is run because it is there; its parameters come from the command line."""

from hera.workflows import Parameter, Workflow, script


@script()
def check(who):
    assert who == "grace", who


with Workflow(generate_name="given-", entrypoint="check", arguments=Parameter(name="who", value="nobody")) as w:
    check()
