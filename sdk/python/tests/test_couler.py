"""Couler's names: what is built of them, and that it runs where the program was started without weir."""

import json
import os
import subprocess
import sys

import pytest

import weir.couler as couler


@pytest.fixture(autouse=True)
def anew():
    couler.reset()
    yield
    couler.reset()


def say(what):
    return couler.run_container(image="alpine", command=["echo"], args=[what])


def job(name):
    return couler.run_container(image="alpine", command=["echo"], args=[name], step_name=name)


def main():
    spec = couler.workflow_yaml()["spec"]
    return next(template for template in spec["templates"] if template["name"] == spec["entrypoint"])


def template(name):
    return next(one for one in couler.workflow_yaml()["spec"]["templates"] if one["name"] == name)


def test_steps_of_one_function_share_a_template():
    say("a")
    say("b")
    steps = main()["steps"]
    assert [len(group) for group in steps] == [1, 1] and {group[0]["template"] for group in steps} == {"say"}
    assert [group[0]["arguments"]["parameters"][0]["value"] for group in steps] == ["a", "b"]
    assert template("say")["container"]["args"] == ["{{inputs.parameters.para-say-0}}"]


def test_templates_that_differ_are_two():
    for command in ("true", "false"):

        def step(command=command):
            couler.run_container(image="alpine", command=[command])

        step()
    assert [group[0]["template"] for group in main()["steps"]] == ["step", "step-2"]


def test_a_script_is_the_body_of_a_function():
    def work():
        # It says something.
        import sys

        if sys.argv:
            print("it")

    couler.run_script(image="python", source=work)
    source = template("test-a-script-is-the-body-of-a-function")["script"]["source"]
    assert source == "# It says something.\nimport sys\n\nif sys.argv:\n    print(\"it\")\n"
    couler.reset()
    couler.run_script(image="python", source=lambda: print("x"))
    assert couler.workflow_yaml()["spec"]["templates"][1]["script"]["source"] == "print('x')\n"


def test_conditions_share_a_group():
    result = say("heads")
    couler.when(couler.equal(result, "heads"), lambda: say("1"))
    couler.when(couler.not_equal(result, "heads"), lambda: say("2"))
    group = main()["steps"][1]
    name = main()["steps"][0][0]["name"]
    assert [step["when"] for step in group] == [f"{{{{steps.{name}.outputs.result}}}} {op} heads" for op in ("==", "!=")]


@pytest.mark.parametrize(
    "name, operator", [("bigger", ">"), ("smaller", "<"), ("bigger_equal", ">="), ("smaller_equal", "<=")]
)
def test_comparisons(name, operator):
    couler.when(getattr(couler, name)(say("3"), 2), lambda: say("x"))
    assert main()["steps"][1][0]["when"].endswith(f"outputs.result}}}} {operator} 2")


def test_graphs():
    couler.dag([[lambda: job("A")], [lambda: job("A"), lambda: job("B")], [lambda: job("B"), lambda: job("C")]])
    couler.set_dependencies(lambda: job("D"), dependencies="A.Failed || C")
    tasks = {task["name"]: task for task in main()["dag"]["tasks"]}
    assert {name: task.get("dependencies", task.get("depends")) for name, task in tasks.items()} == {
        "A": None, "B": ["A"], "C": ["B"], "D": "A.Failed || C",
    }  # fmt: skip


def test_tasks_that_use_an_output_depend_on_it():
    out = couler.set_dependencies(lambda: job("A"))
    couler.set_dependencies(lambda: couler.run_container(image="alpine", args=[out], step_name="B"))
    task = main()["dag"]["tasks"][1]
    assert task["dependencies"] == ["A"]
    assert task["arguments"]["parameters"][0]["value"] == "{{tasks.A.outputs.result}}"


def test_loops():
    couler.map(lambda x: say(x), ["a", "b"])
    step = main()["steps"][0][0]
    assert step["withItems"] == [{"para-say-0": "a"}, {"para-say-0": "b"}]
    assert step["arguments"]["parameters"] == [{"name": "para-say-0", "value": "{{item.para-say-0}}"}]
    couler.exec_while(couler.equal("tails"), lambda: job("flip"))
    again = template("exec-while-1")["steps"]
    assert again[1][0]["when"] == "{{steps.flip.outputs.result}} == tails" and again[1][0]["template"] == "exec-while-1"


def test_artifacts_and_parameters():
    def make():
        return couler.run_container(image="alpine", output=couler.create_parameter_artifact(path="/tmp/x"))

    def keep():
        place = couler.create_s3_artifact(path="/tmp/y", bucket="b", accesskey_id="i", accesskey_secret="s", key="k")
        return couler.run_container(image="alpine", output=place)

    say(make())
    couler.run_container(image="alpine", input=keep(), step_name="use")
    spec = json.dumps(couler.workflow_yaml())
    assert "outputs.parameters.output-id-1" in spec and '"from": "{{steps.' in spec and "accessKeySecret" in spec


def test_settings():
    job("A")
    couler.set_exit_handler(couler.WFStatus.Failed, lambda: say("bad"))
    couler.config_workflow(name="named", user="ada", timeout=9, time_to_clean=5, service_account="me")
    workflow = couler.workflow_yaml()
    spec = workflow["spec"]
    assert workflow["metadata"] == {"generateName": "named-", "labels": {"couler_job_user": "ada"}}
    assert (spec["activeDeadlineSeconds"], spec["ttlStrategy"], spec["serviceAccountName"]) == (9, {"secondsAfterCompletion": 5}, "me")
    assert template("exit-handler")["steps"][0][0]["when"] == "{{workflow.status}} == Failed"
    couler.config_workflow(cron_config={"schedule": "@hourly", "suspend": "true"})
    workflow = couler.workflow_yaml()
    assert (workflow["kind"], workflow["spec"]["schedules"], workflow["spec"]["suspend"]) == ("CronWorkflow", ["@hourly"], True)


def test_steps_have_what_they_are_given():
    couler.create_secret({"token": "x"}, name="door")
    couler.run_container(
        image="a", env={"A": 1, "B": True}, secret="door", resources={"cpu": 1}, timeout=3, retry=2, working_dir="/", daemon=True,
        volume_mounts=[couler.VolumeMount("v", "/v")], cache=couler.Cache("c", "1h"), step_name="x",
    )  # fmt: skip
    made = couler.workflow_yaml()["spec"]["templates"][1]
    assert made["container"]["env"][:2] == [{"name": "A", "value": "1"}, {"name": "B", "value": "true"}]
    assert made["container"]["env"][2]["valueFrom"] == {"secretKeyRef": {"name": "door", "key": "token"}}
    assert made["container"]["resources"]["limits"] == {"cpu": "1"} and made["retryStrategy"]["limit"] == 2
    assert (made["activeDeadlineSeconds"], made["daemon"], made["memoize"]["maxAge"]) == (3, True, "1h")


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: couler.run(), "nothing was built"),
        (lambda: couler.map(say, []), "no values"),
        (lambda: couler.map(say, [say("x")]), "no step's output"),
        (lambda: couler.when(couler.equal("x"), lambda: say("x")), "compares the output"),
        (lambda: couler.exec_while(couler.equal("x"), lambda: None), "makes one step"),
        (lambda: couler.run_container(image="a", secret="nobody"), "there is no secret nobody"),
        (lambda: couler.run_script(image="a"), "is to have a source"),
        (lambda: couler.dag([[lambda: job("A")], [lambda: couler.run_container(image="b", step_name="A")]]), "two different steps"),
    ],
)
def test_what_cannot_be_built(wrong, says):
    with pytest.raises(couler.Error, match=says):
        wrong()


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="no_such"):
        couler.run_container(image="a", no_such=1)


def test_a_program_that_was_started_without_weir(tmp_path):
    (tmp_path / "hello.py").write_text(
        "import weir.couler as couler\n"
        "couler.run_container(image='alpine', command=['echo', 'hello'])\n"
        "print(couler.wait(couler.run())['status']['phase'])\n"
    )
    environment = {**os.environ, "WEIR_EXECUTOR": "process"}
    ran = subprocess.run([sys.executable, "hello.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert ran.returncode == 0 and {"Succeeded", "hello"} <= set(ran.stdout.split()), ran.stdout + ran.stderr
    (tmp_path / "hello.py").write_text("import weir.couler as couler\ncouler.run_container(image='a', command=['false'])\ncouler.run()\n")
    ran = subprocess.run([sys.executable, "hello.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert ran.returncode == 1 and "exit code 1" in ran.stderr
