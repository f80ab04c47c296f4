"""Several workflows at once, as a coroutine; and one that was wrong."""

import asyncio

from hera.exceptions import BadRequest, NotFound
from hera.workflows import AsyncWorkflowsService, Container, Workflow, WorkflowsService
from looking import succeeded


def build(name):
    with Workflow(generate_name=f"{name}-", entrypoint="main", workflows_service=AsyncWorkflowsService(), namespace="argo") as w:
        Container(name="main", image="alpine", command=["echo", name])
    return w


async def both():
    return await asyncio.gather(*(build(name).async_create() for name in ("one", "two")))


for done in asyncio.run(both()):
    succeeded(done)

wrong = Workflow(generate_name="wrong-", entrypoint="nowhere")
try:
    wrong.create()
except BadRequest as refused:
    assert "nowhere" in str(refused)
else:
    raise AssertionError("it was taken")
try:
    WorkflowsService().get_workflow("never-was")
except NotFound:
    pass
else:
    raise AssertionError("it was found")
