"""A graph of tasks; >> orders them."""

from hera.workflows import DAG, Workflow, script
from looking import nodes, succeeded


@script()
def echo(message):
    print(message)


with Workflow(generate_name="diamond-", entrypoint="diamond") as w:
    with DAG(name="diamond"):
        A, B, C, D = (echo(name=name, arguments={"message": name}) for name in "ABCD")
        A >> [B, C] >> D

done = succeeded(w.create(wait=True))
at = {node.display_name: node for node in done.status.nodes.values()}
assert set("ABCD") <= set(nodes(done))
assert at["A"].finished_at.root <= at["B"].started_at.root and at["C"].finished_at.root <= at["D"].started_at.root
