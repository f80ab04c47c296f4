"""Tasks that follow a failure or a success; a task's `depends`."""

from hera.workflows import DAG, Workflow, script
from looking import nodes


@script()
def fail():
    raise SystemExit(3)


@script()
def fine():
    print("fine")


with Workflow(generate_name="depends-", entrypoint="main") as w:
    with DAG(name="main"):
        broken = fail(name="broken")
        after = fine(name="after")
        mended = fine(name="mended")
        broken.on_success(after)
        broken.on_failure(mended)

done = w.create(wait=True)
found = nodes(done)
assert (found["broken"], found["after"], found["mended"]) == ("Failed", "Omitted", "Succeeded"), found
