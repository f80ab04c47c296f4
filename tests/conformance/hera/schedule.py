"""A CronWorkflow is run once; it can be looked at, changed and put away."""

from hera.workflows import CronWorkflow, WorkflowsService, script


@script()
def tick():
    print("tick at {{workflow.name}}")


with CronWorkflow(name="ticker", schedules=["*/5 * * * *"], timezone="UTC", entrypoint="tick") as c:
    tick()
c.create()
assert c.get().spec.schedules == ["*/5 * * * *"]
c.schedules = ["0 * * * *"]
c.update()
assert c.get().spec.schedules == ["0 * * * *"]
service = WorkflowsService()
assert [kept.metadata.name for kept in service.list_cron_workflows(namespace="default").items] == ["ticker"]
service.delete_cron_workflow("ticker", namespace="default")
assert not service.list_cron_workflows(namespace="default").items
