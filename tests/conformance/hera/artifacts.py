"""Artifacts from one step to another: a file, and an archive of none."""

from hera.workflows import Artifact, NoneArchiveStrategy, Parameter, Steps, Workflow, script
from hera.workflows.models import ValueFrom
from looking import parameters, succeeded


@script(outputs=Artifact(name="table", path="/tmp/table.csv", archive=NoneArchiveStrategy()))
def write():
    with open("/tmp/table.csv", "w") as out:
        out.write("a,b\n1,2\n3,4\n")


@script(
    inputs=Artifact(name="table", path="/tmp/in.csv"),
    outputs=Parameter(name="lines", value_from=ValueFrom(path="/tmp/lines")),
)
def count():
    with open("/tmp/in.csv") as table, open("/tmp/lines", "w") as out:
        out.write(str(len(table.readlines())))


with Workflow(generate_name="artifacts-", entrypoint="main") as w:
    with Steps(name="main"):
        made = write()
        count(arguments=[made.get_artifact("table").with_name("table")])

assert parameters(succeeded(w.create(wait=True)), "count") == {"lines": "3"}
