"""What a program asks a server for: lists, logs, artifacts, retries, resubmissions, deletions."""

from hera.workflows import Artifact, NoneArchiveStrategy, Workflow, WorkflowsService, script
from hera.workflows.models import WorkflowResubmitRequest
from looking import succeeded


@script(outputs=Artifact(name="note", path="/tmp/note", archive=NoneArchiveStrategy()))
def write():
    print("writing")
    with open("/tmp/note", "w") as note:
        note.write("a note")


with Workflow(generate_name="logs-", entrypoint="write", labels={"team": "tests"}) as w:
    write()
done = succeeded(w.create(wait=True))
service = WorkflowsService(namespace="default")
assert [item.metadata.name for item in service.list_workflows(label_selector="team=tests").items] == [w.name]
assert "writing" in service.workflow_logs(w.name).content
node = next(iter(done.status.nodes))
assert "a note" in service.get_output_artifact(w.name, node, "note")
again = service.resubmit_workflow(w.name, WorkflowResubmitRequest(name=w.name))
assert again.metadata.name != w.name
succeeded(Workflow(name=again.metadata.name, namespace="default").wait())
service.delete_workflow(w.name)
assert w.name not in [item.metadata.name for item in service.list_workflows().items]
assert service.get_version().version
