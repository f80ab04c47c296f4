"""A script of a shell, and a container with another beside it."""

from hera.workflows import Container, Script, Steps, UserContainer, Workflow
from looking import nodes, succeeded

with Workflow(generate_name="containers-", entrypoint="main") as w:
    shell = Script(name="shell", image="alpine", command=["sh"], source="set -e\ntest $((1 + 1)) = 2\necho two\n")
    beside = Container(
        name="beside",
        image="alpine",
        command=["sh", "-c", "echo main"],
        sidecars=UserContainer(name="helper", image="alpine", command=["sleep"], args=["60"]),
    )
    with Steps(name="main"):
        shell()
        beside()
found = nodes(succeeded(w.create(wait=True)))
assert found["shell"] == found["beside"] == "Succeeded"
