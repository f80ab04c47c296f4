"""A step that is tried again, with a limit, a policy and a back-off."""

from hera.workflows import RetryPolicy, RetryStrategy, Workflow, script
from hera.workflows.models import Backoff
from looking import succeeded


@script(
    retry_strategy=RetryStrategy(limit=4, retry_policy=RetryPolicy.on_failure, backoff=Backoff(duration="1ms", factor=2))
)
def flaky():
    import sys

    sys.exit(0 if int("{{retries}}") >= 2 else 1)


with Workflow(generate_name="retries-", entrypoint="flaky") as w:
    flaky()

done = succeeded(w.create(wait=True))
tries = [node.phase for node in done.status.nodes.values() if node.type == "Pod"]
assert sorted(tries) == ["Failed", "Failed", "Succeeded"], tries
