"""A step that waits for somebody, whom the program is, and one that waits a moment."""

import time

from hera.workflows import Container, Steps, Suspend, Workflow, WorkflowsService
from hera.workflows.models import WorkflowResumeRequest
from looking import nodes, succeeded

with Workflow(generate_name="suspended-", entrypoint="main") as w:
    moment = Suspend(name="moment", duration="0")
    approve = Suspend(name="approve")
    after = Container(name="after", image="alpine", command=["true"])
    with Steps(name="main"):
        moment()
        approve()
        after()
w.create()
service = WorkflowsService(namespace="default")
for _ in range(200):
    found = nodes(service.get_workflow(w.name)) if service.get_workflow(w.name).status.nodes else {}
    if found.get("approve") == "Running":
        break
    time.sleep(0.02)
service.resume_workflow(w.name, WorkflowResumeRequest(name=w.name))
assert nodes(succeeded(w.wait()))["after"] == "Succeeded"
