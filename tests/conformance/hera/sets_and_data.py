"""Containers of one pod in an order of their own, and a step that lists what a folder has."""

from hera.workflows import ContainerNode, ContainerSet, Steps, Workflow
from looking import nodes, succeeded

with Workflow(generate_name="sets-", entrypoint="main") as w:
    with ContainerSet(name="several") as several:
        first = ContainerNode(name="first", image="alpine", command=["sh", "-c", "echo first"])
        second = ContainerNode(name="second", image="alpine", command=["sh", "-c", "echo second"])
        first >> second
    with Steps(name="main"):
        several(name="several")
found = nodes(succeeded(w.create(wait=True)))
assert found["several"] == found["first"] == found["second"] == "Succeeded", found
