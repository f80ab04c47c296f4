"""Variables: a value, the host's names for a parameter, a secret's key."""

from hera.workflows import Env, Parameter, SecretEnv, Workflow, script
from looking import succeeded


@script(env=[Env(name="MODE", value="quick"), Env(name="WHO", value="{{inputs.parameters.who}}"), SecretEnv(name="TOKEN", secret_name="door", secret_key="token", optional=True)])
def show(who):
    import os

    assert (os.environ["MODE"], os.environ["WHO"]) == ("quick", "ada"), dict(os.environ)
    assert "TOKEN" not in os.environ


with Workflow(generate_name="environment-", entrypoint="show", arguments=[Parameter(name="who", value="ada")]) as w:
    show()
succeeded(w.create(wait=True))
