"""Volumes that arguments name, memory for what loads artifacts, and an artifact that a driver's plugin would keep."""

import json

from hera.workflows import DAG, Artifact, NoneArchiveStrategy, Parameter, PluginArtifact, Volume, Workflow, models as m, script
from looking import parameters, succeeded


@script(
    inputs=Parameter(name="disk"),
    volume_mounts=[m.VolumeMount(name="{{inputs.parameters.disk}}", mount_path="/mnt/disk")],
    outputs=PluginArtifact(name="seen", path="/tmp/seen", plugin_name="oras", key="seen-{{inputs.parameters.disk}}", archive=NoneArchiveStrategy()),
)
def visit(what: str):
    import os

    open(f"/mnt/disk/{what}", "w").close()
    with open("/tmp/seen", "w") as seen:
        seen.write(" ".join(sorted(os.listdir("/mnt/disk"))))


@script(
    inputs=[Artifact(name="first", path="/tmp/first"), Artifact(name="second", path="/tmp/second")],
    outputs=Parameter(name="all", value_from=m.ValueFrom(path="/tmp/all")),
    pod_spec_patch=json.dumps({"initContainers": [{"name": "init", "resources": {"requests": {"memory": "64Mi"}}}]}),
)
def gather():
    with open("/tmp/first") as first, open("/tmp/second") as second, open("/tmp/all", "w") as out:
        out.write(f"{first.read()}, {second.read()}")


with Workflow(generate_name="chosen-", entrypoint="main", volumes=[Volume(name="fast", size="1Gi"), Volume(name="large", size="9Gi")]) as w:
    with DAG(name="main"):
        fast = visit(name="a", arguments={"disk": "fast", "what": "x"})
        large = visit(name="b", arguments={"disk": "large", "what": "y"})
        again = visit(name="c", arguments={"disk": "fast", "what": "z"})
        gathered = gather(arguments=[again.get_artifact("seen").with_name("first"), large.get_artifact("seen").with_name("second")])
        fast >> again >> gathered
        large >> gathered

assert parameters(succeeded(w.create(wait=True)), "gather") == {"all": "x z, y"}
