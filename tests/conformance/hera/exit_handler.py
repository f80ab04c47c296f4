"""What runs at the end of a workflow, and hooks of a task: when it begins to run, and when it has failed."""

from hera.workflows import DAG, Container, Parameter, Workflow, script
from hera.workflows.models import LifecycleHook
from looking import nodes


@script()
def fail():
    raise SystemExit("broken on purpose")


with Workflow(generate_name="exit-", entrypoint="main") as w:
    bye = Container(name="bye", image="alpine", command=["sh", "-c"], args=["test {{workflow.status}} = Failed"])
    tell = Container(name="tell", image="alpine", command=["echo", "{{inputs.parameters.what}}"], inputs=Parameter(name="what", value="?"))
    w.on_exit = bye
    with DAG(name="main"):
        broken = fail(name="broken")
        broken.hooks = {
            "exit": LifecycleHook(template="tell", expression='tasks.broken.status == "Failed"'),
            "never": LifecycleHook(template="tell", expression='tasks.broken.status == "Succeeded"'),
        }

done = w.create(wait=True)
found = nodes(done)
assert done.status.phase == "Failed", done.status.phase
assert found[f"{w.name}.onExit"] == "Succeeded" and "broken.hooks.never" not in found, found
assert any(name.startswith("broken.") and phase == "Succeeded" for name, phase in found.items()), found
