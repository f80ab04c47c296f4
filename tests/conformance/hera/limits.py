"""Timeouts, a mutex, at most so many at once, resources, memoized results."""

from hera.workflows import Resources, Steps, Workflow, script
from hera.workflows.models import Cache, LocalObjectReference, Memoize, Mutex, Synchronization
from looking import nodes, succeeded


@script(
    active_deadline_seconds=20,
    resources=Resources(cpu_request=0.1, memory_request="10Mi"),
    synchronization=Synchronization(mutexes=[Mutex(name="one-at-a-time")]),
)
def careful(item):
    print(item)


@script(memoize=Memoize(key="same", max_age="1h", cache=Cache(config_map=LocalObjectReference(name="kept"))))
def remembered():
    print("computed")


@script(timeout="1s")
def slow():
    import time

    time.sleep(60)


with Workflow(generate_name="limits-", entrypoint="main", parallelism=2, active_deadline_seconds=60) as w:
    with Steps(name="main") as steps:
        with steps.parallel():
            careful(with_items=["a", "b", "c"], arguments={"item": "{{item}}"})
        remembered(name="once")
        remembered(name="again")
        slow(continue_on={"failed": True})

done = succeeded(w.create(wait=True))
found = nodes(done)
assert found["slow"] == "Failed" and found["again"] == "Succeeded", found
cached = {node.display_name for node in done.status.nodes.values() if node.memoization_status and node.memoization_status.hit}
assert cached == {"again"}, cached
