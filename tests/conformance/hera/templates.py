"""References to a WorkflowTemplate and a ClusterWorkflowTemplate of the same program, and a submission."""

from hera.workflows import ClusterWorkflowTemplate, Parameter, Step, Steps, Workflow, WorkflowsService, WorkflowTemplate, script
from hera.workflows.models import SubmitOpts, TemplateRef, ValueFrom, WorkflowSubmitRequest, WorkflowTemplateRef
from looking import parameters, succeeded


@script(outputs=Parameter(name="sum", value_from=ValueFrom(path="/tmp/sum")))
def add(a: int, b: int):
    with open("/tmp/sum", "w") as out:
        out.write(str(a + b))


with WorkflowTemplate(name="adder", entrypoint="add", arguments={"a": 1, "b": 2}) as template:
    add()
template.create()
with ClusterWorkflowTemplate(name="shared-adder") as shared:
    add()
shared.create()
assert template.get().metadata.name == "adder"

with Workflow(generate_name="references-", entrypoint="main") as w:
    with Steps(name="main"):
        Step(name="one", template_ref=TemplateRef(name="adder", template="add"), arguments={"a": 3, "b": 4})
        both = TemplateRef(name="shared-adder", template="add", cluster_scope=True)
        Step(name="two", template_ref=both, arguments={"a": "{{steps.one.outputs.parameters.sum}}", "b": 5})
done = succeeded(w.create(wait=True))
assert (parameters(done, "one"), parameters(done, "two")) == ({"sum": "7"}, {"sum": "12"})

whole = Workflow(generate_name="whole-", workflow_template_ref=WorkflowTemplateRef(name="adder"), arguments={"a": 10})
done = succeeded(whole.create(wait=True))
assert parameters(done, whole.name) == {"sum": "12"}

done = succeeded(template.create_as_workflow(wait=True))
assert parameters(done, done.metadata.name) == {"sum": "3"}

service = WorkflowsService(host="https://nowhere.invalid", token="not needed")
options = SubmitOpts(parameters=["b=40"], generate_name="submitted-")
request = WorkflowSubmitRequest(resource_kind="WorkflowTemplate", resource_name="adder", submit_options=options)
submitted = service.submit_workflow(request, namespace="argo")
over = Workflow(name=submitted.metadata.name, namespace="argo").wait()
assert parameters(succeeded(over), submitted.metadata.name) == {"sum": "41"}
