"""Inputs and outputs of a script by `Annotated`: defaults, a name, a description, an artifact."""

from pathlib import Path
from typing import Annotated

from hera.workflows import Artifact, Parameter, Steps, Workflow, script
from hera.workflows.models import ValueFrom
from looking import parameters, succeeded


@script(outputs=Artifact(name="text", path="/tmp/text"))
def write():
    import pathlib

    pathlib.Path("/tmp/text").write_text("hello")


@script(outputs=Parameter(name="greeting", value_from=ValueFrom(path="/tmp/greeting")))
def greet(
    text: Annotated[Path, Artifact(name="text", path="/tmp/in")],
    name: Annotated[str, Parameter(description="whom to greet")],
    times: Annotated[int, Parameter(description="how often")] = 2,
):
    with open("/tmp/in") as word, open("/tmp/greeting", "w") as out:
        out.write(" ".join([word.read()] * times + [name]))


with Workflow(generate_name="annotated-", entrypoint="main") as w:
    with Steps(name="main"):
        made = write()
        greet(arguments={"text": made.get_artifact("text"), "name": "ada"})

assert parameters(succeeded(w.create(wait=True)), "greet") == {"greeting": "hello hello ada"}
