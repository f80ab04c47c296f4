"""Templates that the program creates, and a workflow of theirs that it leaves to be run."""

from hera.exceptions import AlreadyExists
from hera.workflows import ClusterWorkflowTemplate, Step, Steps, Workflow, WorkflowTemplate, script
from hera.workflows.models import TemplateRef


@script()
def greet(who: str):
    print("hello", who)


with WorkflowTemplate(name="greeter") as near:
    greet()
with ClusterWorkflowTemplate(name="greeter-of-all") as far:
    greet()

with Workflow(generate_name="left-over-", entrypoint="main") as w:
    with Steps(name="main"):
        Step(name="one", template_ref=TemplateRef(name="greeter", template="greet"), arguments={"who": "ada"})
        both = TemplateRef(name="greeter-of-all", template="greet", cluster_scope=True)
        Step(name="two", template_ref=both, arguments={"who": "grace"})

near.create()
try:
    near.create()
except AlreadyExists:
    far.create()
