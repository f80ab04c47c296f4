"""A coin: what runs depends on what a script printed."""

from hera.workflows import Container, Parameter, Steps, Workflow, script
from looking import nodes, succeeded


@script()
def flip():
    print("heads")


with Workflow(generate_name="coin-", entrypoint="main") as w:
    say = Container(name="say", image="alpine:3.18", command=["echo"], args=["{{inputs.parameters.side}}"], inputs=Parameter(name="side"))
    with Steps(name="main") as steps:
        coin = flip()
        with steps.parallel():
            say(name="heads", arguments={"side": "heads"}, when=f"{coin.result} == heads")
            say(name="tails", arguments={"side": "tails"}, when=f"{coin.result} == tails")

done = nodes(succeeded(w.create(wait=True)))
assert (done["heads"], done["tails"]) == ("Succeeded", "Skipped"), done
