"""Programs that make workflows: `weir run hello.py`."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT, WEIR

HELLO = """
import sys
import weir.couler as couler

def say(what):
    return couler.run_container(image="alpine", command=["echo"], args=[what])

print("program", sys.argv[1:])
say("hello")
done = couler.wait(couler.run())
print(done["status"]["phase"])
"""


@pytest.fixture
def program(tmp_path, weir):
    """Writes a program and runs a command on it."""

    def call(text, *arguments, command="run", **options):
        (tmp_path / "hello.py").write_text(text)
        return weir(command, "hello.py", "--python", sys.executable, *arguments, **options)

    return call


def couler(body):
    return f"import sys, os\nimport weir.couler as couler\n{body}\n"


def test_a_program_and_its_arguments(program):
    ran = program(HELLO, "who=ada", "plain", "--", "--flag")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "program ['who=ada', 'plain', '--flag']" and "Succeeded" in lines and "hello" in lines


def test_output_for_programs_is_of_the_run_alone(program):
    ran = program(HELLO, "-o", "json")
    run = json.loads(ran.stdout)
    assert (run["kind"], run["status"]["phase"]) == ("Workflow", "Succeeded") and "program []" in ran.stderr
    ran = program(HELLO + "say('twice')\ncouler.run()\n", "-o", "json")
    assert [run["status"]["phase"] for run in json.loads(ran.stdout)] == ["Succeeded"] * 2
    assert len(program(HELLO, "-o", "name").stdout.splitlines()) == 1


def test_what_is_built_and_not_run_is_run(program):
    ran = program(couler("couler.run_container(image='alpine', command=['echo', 'left over'])"))
    assert ran.returncode == 0 and "left over" in ran.stdout


def test_a_failure_is_the_programs_or_the_runs(program, weir):
    ran = program(couler("couler.run_container(image='a', command=['false'])\ncouler.run()"))
    assert ran.returncode == 1 and "exit code 1" in ran.stderr
    ran = program(couler("def inner():\n    raise ValueError('no such luck')\ninner()"))
    assert ran.returncode == 1 and "no such luck" in ran.stderr and "hello.py ended with exit code 1" in ran.stderr
    frames = [line for line in ran.stderr.splitlines() if line.startswith("  File")]
    assert len(frames) == 2 and all("hello.py" in frame for frame in frames)
    ran = program("import sys\nsys.exit(7)")
    assert ran.returncode == 1 and "exit code 7" in ran.stderr
    ran = program("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert ran.returncode == 1 and "ended by signal 11" in ran.stderr
    ran = program("print('(")
    assert ran.returncode == 1 and "SyntaxError" in ran.stderr
    ran = program("print('nothing')")
    assert ran.returncode == 2 and "makes no workflow" in ran.stderr


def test_a_workflow_that_is_wrong(program):
    wrong = "couler.run_container(image='a', command=['echo', '{{inputs.parameters.nobody}}'])\n"
    ran = program(couler(wrong + "couler.run()"))
    assert ran.returncode == 2 and "weir._program.Refused" in ran.stderr and "inputs.parameters.nobody" in ran.stderr
    ran = program(couler(wrong + "try:\n    couler.run()\nexcept Exception as e:\n    print(type(e).__name__)\n") + HELLO)
    assert ran.returncode == 0 and "Refused" in ran.stdout


def test_who_executes_it(program, weir, tmp_path):
    (tmp_path / "hello.py").write_text("import hera")
    bare = {"PATH": "/nowhere", "VIRTUAL_ENV": "", "WEIR_PYTHON": ""}
    ran = weir("run", "hello.py", environment=bare)
    assert ran.returncode == 2 and "there is no `python3`" in ran.stderr and "--python" in ran.stderr
    ran = weir("run", "hello.py", environment={**bare, "WEIR_PYTHON": "/nowhere/python"})
    assert ran.returncode == 2 and "WEIR_PYTHON is to be" in ran.stderr
    (tmp_path / "hera.py").write_text("raise ModuleNotFoundError('no', name='hera')")
    ran = weir("run", "hello.py", environment={"VIRTUAL_ENV": "", "WEIR_PYTHON": "python3"})
    assert ran.returncode == 1 and "-m pip install hera" in ran.stderr
    ran = weir("run", "absent.py")
    assert ran.returncode == 2 and "absent.py" in ran.stderr


def test_what_it_makes_is_looked_at(program, tmp_path):
    ran = program(HELLO, command="check")
    assert ran.returncode == 0 and "can finish: 1 step" in ran.stdout and "Succeeded" in ran.stderr
    assert "say" in program(HELLO, command="graph").stdout
    assert "nothing wrong" in program(HELLO, command="lint").stdout
    assert program(HELLO, command="plan").returncode == 0
    assert "kind: Workflow" in program(HELLO, "--dry-run").stdout
    wrong = couler("couler.run_container(image='a', command=['echo', '{{inputs.parameters.nobody}}'])")
    ran = program(wrong, command="check")
    assert ran.returncode == 2 and "hello.py#hello-" in ran.stderr and "inputs.parameters.nobody" in ran.stderr
    ran = program("raise ValueError('x')", command="check")
    assert ran.returncode == 2 and "is not known, since it failed" in ran.stderr
    assert not (tmp_path / ".weir/runs").exists() or program(HELLO, command="check").returncode == 0
    ran = program(HELLO, "--wait", command="submit")
    assert ran.returncode == 0, ran.stderr


def test_a_program_without_state(program, tmp_path):
    assert program(HELLO, "--durability", "none").returncode == 0
    assert not (tmp_path / ".weir").exists()


def test_a_program_that_does_not_end(program):
    began = time.monotonic()
    ran = program("import time\nwhile True: time.sleep(1)", "--deadline", "500ms")
    assert ran.returncode == 1 and "took longer than it may" in ran.stderr and time.monotonic() - began < 10
    stubborn = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    assert program(stubborn, "--deadline", "100ms").returncode == 1


def test_interrupts_end_all_of_it(tmp_path):
    (tmp_path / "hello.py").write_text(
        couler("couler.run_container(image='a', command=['sleep', '60'])\nprint('made', flush=True)\ncouler.wait(couler.run())")
    )
    command = [WEIR, "run", "hello.py", "--python", sys.executable, "--durability", "none"]
    ran = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert ran.stdout.readline() == "made\n"
    time.sleep(0.5)
    ran.send_signal(signal.SIGINT)
    out, errors = ran.communicate(timeout=20)
    assert ran.returncode == 1 and "weir: stopping" in errors and "Traceback" not in errors, errors


def test_the_program_ends_with_weir(tmp_path):
    (tmp_path / "hello.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    command = [WEIR, "run", "hello.py", "--python", sys.executable, "--durability", "none"]
    ran = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    pid = int(ran.stdout.readline())
    ran.kill()
    ran.wait()
    for _ in range(100):
        if not pathlib.Path(f"/proc/{pid}").exists() or "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it goes on")
    ran.stdout.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"no json\n", b'{"id": 1}\n', b'{"id": 1, "do": "run"}\n', b'{"id": 1, "do": "run", "documents": [1]}\n', b"[]\n",
        b'{"id": 1, "do": "run", "documents": [{}]}\n', b'{"id": "x", "do": "wait", "run": "y"}\n', b"\0" * 4096 + b"\n", b"{",
        b'{"id": 1, "do": "run", "documents": [' + b"[" * 4000 + b"\n",
    ],
)  # fmt: skip
def test_what_a_hostile_program_says(program, sent):
    ran = program(f"import os\nos.write(3, {sent!r})\nos.close(3)\nimport sys\nsys.exit(9)")
    assert ran.returncode in (1, 2) and "exit code 9" in ran.stderr, ran.stderr


# --- Couler's programs, and the same as files -------------------------------------------------------

LEAF = """
    - name: {name}
      inputs: {{parameters: [{{name: para-{name}-0}}]}}
      container: {{image: "alpine:3.20", command: [echo], args: ["{{{{inputs.parameters.para-{name}-0}}}}"]}}
"""
DIAMOND = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: diamond-}
spec:
  entrypoint: diamond
  templates:
    - name: diamond
      dag:
        tasks:
          - {name: A, template: job, arguments: {parameters: [{name: para-job-0, value: A}]}}
          - {name: B, template: job, dependencies: [A], arguments: {parameters: [{name: para-job-0, value: B}]}}
          - {name: C, template: job, dependencies: [A], arguments: {parameters: [{name: para-job-0, value: C}]}}
          - {name: D, template: job, dependencies: [B, C], arguments: {parameters: [{name: para-job-0, value: D}]}}
""" + LEAF.format(name="job")
LINEAR = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: linear-}
spec:
  entrypoint: linear
  templates:
    - name: linear
      dag:
        tasks:
          - {name: A, template: job, arguments: {parameters: [{name: para-job-0, value: A}]}}
          - {name: B, template: job, dependencies: [A], arguments: {parameters: [{name: para-job-0, value: B}]}}
          - {name: C, template: job, dependencies: [B], arguments: {parameters: [{name: para-job-0, value: C}]}}
""" + LEAF.format(name="job")
COIN = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: coin-}
spec:
  entrypoint: coin
  templates:
    - name: coin
      steps:
        - - {name: flip-coin-24, template: flip-coin}
        - - {name: heads-25, template: heads, when: "{{steps.flip-coin-24.outputs.result}} == heads"}
          - {name: tails-26, template: tails, when: "{{steps.flip-coin-24.outputs.result}} == tails"}
    - name: flip-coin
      script:
        image: python:3.12
        command: [python]
        source: |
          import random

          print(random.choice(["heads", "tails"]))
    - {name: heads, container: {image: "alpine:3.20", command: [sh, -c, 'echo "it was heads"']}}
    - {name: tails, container: {image: "alpine:3.20", command: [sh, -c, 'echo "it was tails"']}}
"""


def nodes(workflow):
    shown = workflow["status"]["nodes"].values()
    return sorted((node["displayName"].split("-")[0], node["type"], node.get("templateName"), node["phase"]) for node in shown)


@pytest.mark.parametrize("name, twin", [("diamond", DIAMOND), ("linear", LINEAR), ("coin", COIN)])
def test_a_program_of_couler_is_the_same_as_its_file(weir, tmp_path, name, twin):
    file = ROOT / f"examples/couler/{name}.py"
    (tmp_path / "twin.json").write_text(twin)
    (tmp_path / "twin.yaml").write_text(twin)
    shown = [weir("run", "--dry-run", path, "-o", "json", "--python", sys.executable) for path in (file, "twin.yaml")]
    specs = [json.loads(one.stdout)["spec"] for one in shown]
    assert specs[0] == specs[1]
    ran = [json.loads(weir("run", path, "-o", "json", "--python", sys.executable).stdout) for path in (file, "twin.yaml")]
    phases = [one["status"]["phase"] for one in ran]
    assert phases == ["Succeeded"] * 2
    if name != "coin":
        assert nodes(ran[0]) == nodes(ran[1])


ALL = couler(
    """
def flip():
    return couler.run_script(image="python:3", source="import sys\\nprint('heads')\\n")

def consume(x):
    return couler.run_container(image="alpine", command=["echo"], args=[x])

def make():
    path = couler.create_parameter_artifact(path="/tmp/given")
    return couler.run_container(image="alpine", command=["sh", "-c", "printf hi > /tmp/given"], output=path)

couler.exec_while(couler.equal("tails"), lambda: flip())
couler.map_(lambda x: consume(x), ["a", "b"])
couler.concurrent([lambda: consume("p"), lambda: flip()])
consume(make())
name = couler.create_secret({"token": "sesame"})
couler.run_container(image="a", command=["sh", "-c", 'test "$token$A" = sesame1'], secret=name, env={"A": 1}, retry=1, timeout=10)
couler.set_exit_handler(couler.WFStatus.Succeeded, lambda: consume("end"))
couler.set_exit_handler(couler.WFStatus.Failed, lambda: consume("bad"))
couler.config_workflow(name="all-of-it", timeout=60)
"""
)


def test_couler_in_full(program):
    ran = json.loads(program(ALL, "-o", "json", "--isolation", "auto").stdout)
    assert ran["status"]["phase"] == "Succeeded" and ran["metadata"]["name"].startswith("all-of-it-")
    phases = {node["displayName"]: node["phase"] for node in ran["status"]["nodes"].values()}
    skipped = [name for name, phase in phases.items() if phase == "Skipped"]
    assert len(skipped) == 2 and sum(name.startswith("consume") for name in phases) == 6, phases


def test_schedules_and_templates_of_a_program_are_kept(program, weir):
    scheduled = "couler.run_container(image='alpine', command=['true'])\ncouler.config_workflow(name='ticker', cron_config={'schedule': '@hourly'})"
    program(couler(scheduled), command="check")
    ran = weir("cron", "create", "hello.py", "--python", sys.executable)
    assert ran.returncode == 0 and "ticker" in weir("cron", "list").stdout, ran.stderr
    assert weir("cron", "run", "ticker", "--wait").returncode == 0
    kept = (
        "from weir import _program\n"
        "steps = [{'name': 'main', 'container': {'image': 'a', 'command': ['echo', 'kept']}}]\n"
        "spec = {'entrypoint': 'main', 'templates': steps}\n"
        "template = {'apiVersion': 'argoproj.io/v1alpha1', 'kind': 'WorkflowTemplate', 'metadata': {'name': 'kept'}, 'spec': spec}\n"
        "_program.session().keep(template)\n"
    )
    program(kept, command="check")
    ran = weir("template", "create", "hello.py", "--python", sys.executable)
    assert ran.returncode == 0 and "kept" in weir("template", "list").stdout, ran.stderr
    assert weir("submit", "--from", "workflowtemplate/kept", "--wait").returncode == 0
    assert weir("template", "create", "hello.py", "--python", sys.executable).returncode == 2
    assert weir("template", "create", "absent.py").returncode == 2
