"""Couler's names, for workflows that weir runs: `import weir.couler as couler`.

Calls of `run_container`, `run_script` and `run_job` become steps, one after the other, or tasks of a graph where `dag` or
`set_dependencies` says so. `run` has weir run what was built, `workflow_yaml` gives it as Argo's Workflow object. New programs are
better written with Hera.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import itertools
import os
import re
import sys
import textwrap
from typing import Any, Callable, Iterable, Optional, Union

from weir import _program

Object = dict[str, Any]
Step = Callable[[], Any]
__all__ = [
    "ArgoSubmitter", "Artifact", "Cache", "Condition", "Error", "GlobalArtifact", "OssArtifact", "Output", "OutputArtifact",
    "OutputParameter", "S3Artifact", "Secret", "Volume", "VolumeClaimTemplate", "VolumeMount", "WFStatus", "add_volume", "bigger",
    "bigger_equal", "concurrent", "config_workflow", "create_local_artifact", "create_oss_artifact", "create_parameter_artifact",
    "create_s3_artifact", "create_secret", "create_workflow_volume", "dag", "delete", "equal", "exec_while", "map", "map_",
    "not_equal", "obtain_secret", "reset", "run", "run_container", "run_job", "run_script", "set_dependencies", "set_exit_handler",
    "smaller", "smaller_equal", "wait", "when", "workflow_yaml",
]  # fmt: skip


class Error(Exception):
    """A workflow that cannot be built so."""


class WFStatus(enum.Enum):
    """How a workflow ended, for `set_exit_handler`."""

    Succeeded = "Succeeded"
    Failed = "Failed"
    Error = "Error"


@dataclasses.dataclass
class Artifact:
    """What a step leaves behind: a file whose text is a parameter, or one that is kept as an artifact."""

    path: Optional[str] = None
    is_global: bool = False
    kind: str = "parameter"
    name: str = ""
    place: Object = dataclasses.field(default_factory=dict)
    step: Optional[_Call] = None

    def reference(self) -> str:
        if self.is_global:
            return f"{{{{workflow.outputs.{self.kind}s.{self.name}}}}}"
        return f"{{{{{_scope(self.step)}.outputs.{self.kind}s.{self.name}}}}}"


class GlobalArtifact(Artifact):
    """One that is a parameter of the whole workflow."""

    def __init__(self, path: Optional[str] = None, is_global: bool = True) -> None:
        super().__init__(path, is_global)


class OssArtifact(Artifact):
    """One in Alibaba's object store."""


class S3Artifact(Artifact):
    """One in a bucket of S3."""


@dataclasses.dataclass
class Output:
    """What a step printed."""

    step: _Call

    def reference(self) -> str:
        return f"{{{{{_scope(self.step)}.outputs.result}}}}"


OutputParameter = Artifact
OutputArtifact = Artifact


@dataclasses.dataclass
class Secret:
    """Keys with their values; a step that is given one has each as a variable."""

    namespace: str = "default"
    data: Object = dataclasses.field(default_factory=dict)
    name: Optional[str] = None
    dry_run: bool = False
    use_existing: bool = False
    artifact_secret: bool = False

    def variables(self) -> list[Object]:
        return [
            {"name": key, "valueFrom": {"secretKeyRef": {"name": self.name, "key": key}}} for key in sorted(self.data)
        ]


@dataclasses.dataclass
class Cache:
    """Results of a step that are kept: by its arguments, unless `key` says otherwise."""

    name: str
    max_age: str = ""
    key: str = ""

    def memoize(self, template: str, inputs: list[str]) -> Object:
        key = self.key or "-".join([template, *(f"{{{{inputs.parameters.{name}}}}}" for name in inputs)])
        memoize: Object = {"key": key, "cache": {"configMap": {"name": self.name}}}
        if self.max_age:
            memoize["maxAge"] = self.max_age
        return memoize


@dataclasses.dataclass
class VolumeMount:
    name: str
    mount_path: str

    def to_dict(self) -> Object:
        return {"name": self.name, "mountPath": self.mount_path}


@dataclasses.dataclass
class Volume:
    name: str
    claim_name: str

    def to_dict(self) -> Object:
        return {"name": self.name, "persistentVolumeClaim": {"claimName": self.claim_name}}


@dataclasses.dataclass
class VolumeClaimTemplate:
    claim_name: str
    access_modes: list[str] = dataclasses.field(default_factory=lambda: ["ReadWriteOnce"])
    size: str = "1Gi"

    def to_dict(self) -> Object:
        spec = {"accessModes": self.access_modes, "resources": {"requests": {"storage": self.size}}}
        return {"metadata": {"name": self.claim_name}, "spec": spec}


@dataclasses.dataclass
class Condition:
    """Compares what a step printed; without `left` what the step does that is repeated."""

    operator: str
    left: Any
    right: Any

    def text(self, own: Optional[Output] = None) -> str:
        left = own if self.left is None else self.left
        return f"{_text(left)} {self.operator} {_text(self.right)}"


# --- what is being built --------------------------------------------------------------------------


@dataclasses.dataclass
class _Call:
    """A step, or a task: one use of a template."""

    name: str
    template: str
    arguments: Object
    artifacts: list[Object]
    needs: list[_Call]
    when: str = ""
    items: list[Any] = dataclasses.field(default_factory=list)
    dependencies: list[str] = dataclasses.field(default_factory=list)
    depends: str = ""

    def form(self) -> Object:
        form: Object = {"name": self.name, "template": self.template}
        arguments: Object = {}
        if self.arguments:
            arguments["parameters"] = [{"name": key, "value": _text(value)} for key, value in self.arguments.items()]
        if self.artifacts:
            arguments["artifacts"] = self.artifacts
        if arguments:
            form["arguments"] = arguments
        if self.when:
            form["when"] = self.when
        if self.items:
            form["withItems"] = self.items
        return form

    def task(self) -> Object:
        form = self.form()
        needed = [call.name for call in self.needs if call.name not in self.dependencies and call is not self]
        names = self.dependencies + list(dict.fromkeys(needed))
        if self.depends:
            form["depends"] = " && ".join([f"({self.depends})", *needed]) if needed else self.depends
        elif names:
            form["dependencies"] = names
        return form


class _State:
    def __init__(self) -> None:
        self.templates: dict[str, Object] = {}
        self.groups: list[list[_Call]] = []
        self.tasks: dict[str, _Call] = {}
        self.graph = False
        self.condition_on: Optional[_Call] = None  # of the last group, when it has conditional steps
        self.collectors: list[list[_Call]] = []
        self.handlers: list[_Call] = []
        self.names: set[str] = set()
        self.secrets: dict[str, Secret] = {}
        self.volumes: list[Object] = []
        self.claims: list[Object] = []
        self.config: Object = {}
        self.numbers = itertools.count(1)

    def add(self, call: _Call) -> None:
        """Where the step goes: to whoever collects, else behind those that there are."""
        if self.collectors:
            self.collectors[-1].append(call)
        else:
            self.append([call])

    def append(self, calls: list[_Call], condition_on: Optional[_Call] = None) -> None:
        for call in calls:
            self.tasks.setdefault(call.name, call)
        if condition_on is not None and condition_on is self.condition_on:
            self.groups[-1] += calls
        elif calls:
            self.groups.append(calls)
        self.condition_on = condition_on


_state = _State()


def reset() -> None:
    """Forgets what was built."""
    global _state
    _state = _State()


def _collect(function: Step) -> tuple[list[_Call], Any]:
    """The steps that the function makes, and what it returns."""
    _state.collectors.append([])
    try:
        result = function()
    finally:
        calls = _state.collectors.pop()
    return calls, result


def _one(function: Step, what: str) -> tuple[_Call, Any]:
    calls, result = _collect(function)
    if len(calls) != 1:
        raise Error(f"{what} is given a function that makes one step, not {len(calls)}")
    return calls[0], result


def _scope(step: Optional[_Call]) -> str:
    if step is None:
        raise Error("an artifact is used that no step gives")
    # Which it is, a step or a task, is known at the end only.
    return f"\0{step.name}\0"


def _text(value: Any) -> str:
    if isinstance(value, (Output, Artifact)):
        return value.reference()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _flatten(values: Any) -> list[Any]:
    if values is None:
        return []
    if isinstance(values, (list, tuple)):
        return [one for value in values for one in _flatten(value)]
    return [values]


def _dashed(name: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "step"


def _caller() -> tuple[str, int]:
    """The function that makes the step, and the line it was called from."""
    frame = inspect.currentframe()
    while frame and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return "step", 0
    name, line = frame.f_code.co_name, frame.f_lineno
    if name.startswith("<"):
        return "step", line
    above = frame.f_back
    while above and above.f_code.co_filename == __file__:
        above = above.f_back
    return name, above.f_lineno if above else line


def _template_named(name: str, made: Object) -> str:
    """The template of that name; one that is not the same is another."""
    wanted = name
    for number in itertools.count(2):
        there = _state.templates.get(wanted)
        if there is None or there == {**made, "name": wanted}:
            break
        wanted = f"{name}-{number}"
    _state.templates[wanted] = {**made, "name": wanted}
    return wanted


def _step_named(step_name: Optional[str], name: str, line: int) -> str:
    """Steps of one given name are one task of a graph; others are told apart."""
    if step_name:
        wanted = re.sub(r"[^A-Za-z0-9-]+", "-", step_name).strip("-")
        if _state.collectors or wanted not in _state.names:
            _state.names.add(wanted)
            return wanted
    else:
        wanted = f"{name}-{line}"
    if wanted in _state.names:
        wanted = next(f"{wanted}-{i}" for i in itertools.count(2) if f"{wanted}-{i}" not in _state.names)
    _state.names.add(wanted)
    return wanted


def _variables(env: Optional[Object], secret: Any) -> list[Object]:
    made: list[Object] = []
    for name, value in (env or {}).items():
        if isinstance(value, dict):
            made.append({"name": name, "valueFrom": value})
        else:
            made.append({"name": name, "value": _text(value)})
    for one in _flatten(secret):
        known = one if isinstance(one, Secret) else _state.secrets.get(one)
        if known is None:
            raise Error(f"there is no secret {one}: see create_secret and obtain_secret")
        made += known.variables()
    return made


def _outputs(output: Any, call: _Call) -> tuple[Object, list[Artifact]]:
    form: Object = {}
    given = []
    for number, artifact in enumerate(_flatten(output)):
        own = dataclasses.replace(artifact, step=call, name=artifact.name or f"output-{number}")
        made: Object = {"name": own.name}
        if own.kind == "parameter":
            made["valueFrom"] = {"path": own.path}
        else:
            made.update({"path": own.path, **own.place})
        if own.is_global:
            made["globalName"] = own.name
        form.setdefault(f"{own.kind}s", []).append(made)
        given.append(own)
    return form, given


def _make(
    what: str,
    body: Object,
    *,
    args: Any = None,
    output: Any = None,
    input: Any = None,
    env: Optional[Object] = None,
    secret: Any = None,
    resources: Optional[Object] = None,
    timeout: Optional[int] = None,
    retry: Optional[int] = None,
    step_name: Optional[str] = None,
    daemon: bool = False,
    volume_mounts: Optional[list[VolumeMount]] = None,
    working_dir: Optional[str] = None,
    node_selector: Optional[Object] = None,
    image_pull_policy: Optional[str] = None,
    cache: Optional[Cache] = None,
    **unused: Any,
) -> Any:
    """One step of such a template."""
    unknown = set(unused) - {"pool", "enable_ulogfs", "manifest_list", "toleration", "affinity"}
    if unknown:
        raise TypeError(f"a step takes no {', '.join(sorted(unknown))}")
    function, line = _caller()
    base = _dashed(function)
    call = _Call(_step_named(step_name, base, line), "", {}, [], [])
    template: Object = {}
    inputs: Object = {}
    for number, value in enumerate(_flatten(args)):
        call.arguments[f"para-{base}-{number}"] = value
        if isinstance(value, (Output, Artifact)) and value.step:
            call.needs.append(value.step)
    if call.arguments:
        inputs["parameters"] = [{"name": name} for name in call.arguments]
        body["args"] = [f"{{{{inputs.parameters.{name}}}}}" for name in call.arguments]
    for value in _flatten(input):
        if isinstance(value, Output) or value.kind == "parameter":  # only the order is meant
            call.needs += [value.step] if value.step else []
            continue
        if value.step:
            call.needs.append(value.step)
            call.artifacts.append({"name": value.name, "from": value.reference()})
        own = {} if value.step else value.place
        inputs.setdefault("artifacts", []).append({"name": value.name, "path": value.path, **own})
    if inputs:
        template["inputs"] = inputs
    outputs, given = _outputs(output, call)
    if outputs:
        template["outputs"] = outputs
    for key, value in (("env", _variables(env, secret)), ("workingDir", working_dir), ("imagePullPolicy", image_pull_policy)):
        if value:
            body[key] = value
    if resources:
        amounts = {name: _text(value) for name, value in resources.items()}
        body["resources"] = {"requests": amounts, "limits": dict(amounts)}
    if volume_mounts:
        body["volumeMounts"] = [mount.to_dict() for mount in volume_mounts]
    for key, value in (("activeDeadlineSeconds", timeout), ("nodeSelector", node_selector), ("daemon", daemon)):
        if value:
            template[key] = value
    if retry:
        template["retryStrategy"] = {"limit": retry, "retryPolicy": "Always"}
    if cache:
        template["memoize"] = cache.memoize(base, list(call.arguments))
    template[what] = body
    call.template = _template_named(base, template)
    _state.add(call)
    if given:
        return given
    return Output(call)


def run_container(image: str, command: Union[str, list[str], None] = None, args: Any = None, **options: Any) -> Any:
    """A step that runs a container. Gives what it prints, or, with `output`, a list of those artifacts."""
    body: Object = {"image": image}
    if command:
        body["command"] = [command] if isinstance(command, str) else list(command)
    return _make("container", body, args=args, **options)


def run_script(
    image: str, command: Union[str, list[str], None] = None, source: Any = None, args: Any = None, **options: Any
) -> Any:
    """A step that runs a script: a text, or a Python function, whose body it is."""
    if source is None:
        raise Error("a script is to have a source: a text or a function")
    words = [command] if isinstance(command, str) else list(command or ["python"])
    body: Object = {"image": image, "command": words, "source": _body_of(source) if callable(source) else str(source)}
    return _make("script", body, args=args, **options)


def run_job(
    manifest: str, success_condition: str = "", failure_condition: str = "", action: str = "create", **options: Any
) -> Any:
    """A step that makes an object of Kubernetes."""
    body = {"action": action, "manifest": manifest}
    if success_condition:
        body["successCondition"] = success_condition
    if failure_condition:
        body["failureCondition"] = failure_condition
    return _make("resource", body, **options)


def _body_of(function: Callable[..., Any]) -> str:
    """The lines in a function, without its head."""
    source = textwrap.dedent(inspect.getsource(function))
    parsed = next((node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.Lambda))), None)
    if isinstance(parsed, ast.Lambda):
        return ast.unparse(parsed.body) + "\n"
    if parsed is None:
        raise Error(f"{function} is no function whose source could be a script")
    first = parsed.body[0]
    if first.lineno == parsed.lineno or source.splitlines()[first.lineno - 1][: first.col_offset].strip():
        return "\n".join(ast.unparse(statement) for statement in parsed.body) + "\n"
    # Comments above the first statement belong to it.
    head = max(parsed.lineno, *(argument.end_lineno or 0 for argument in parsed.args.args), parsed.lineno)
    lines = source.splitlines()[: parsed.end_lineno]
    while head < first.lineno - 1 and not lines[head - 1].split("#")[0].rstrip().endswith(":"):
        head += 1
    return textwrap.dedent("\n".join(lines[head:])).strip("\n") + "\n"


# --- control --------------------------------------------------------------------------------------


def _compare(operator: str) -> Callable[..., Condition]:
    def compare(left: Any, right: Any = None) -> Condition:
        if right is None:
            return Condition(operator, None, left)
        return Condition(operator, left, right)

    return compare


equal = _compare("==")
not_equal = _compare("!=")
bigger = _compare(">")
smaller = _compare("<")
bigger_equal = _compare(">=")
smaller_equal = _compare("<=")


def when(condition: Condition, function: Step) -> Any:
    """The function's steps run if the condition holds."""
    if condition.left is None:
        raise Error("a condition of `when` compares the output of a step: equal(output, value)")
    calls, result = _collect(function)
    on = [value.step for value in (condition.left, condition.right) if isinstance(value, (Output, Artifact)) and value.step]
    if len(calls) > 1:
        calls = [_nested(calls, "when")]
    for call in calls:
        call.when = f"({call.when}) && ({condition.text()})" if call.when else condition.text()
        call.needs += on
    if _state.collectors:
        _state.collectors[-1].extend(calls)
    else:
        _state.append(calls, on[0] if on else None)
    return result


def _nested(calls: list[_Call], name: str) -> _Call:
    """Several steps, one after the other, as one of a template of their own."""
    inside = {call.name for call in calls}
    if any(need.name not in inside for call in calls for need in call.needs):
        raise Error(f"steps within `{name}` cannot use what steps outside of it give: make it a step of its own")
    named = f"{name}-{next(_state.numbers)}"
    _state.templates[named] = {"name": named, "steps": [[_resolve(call.form(), "steps")] for call in calls]}
    return _Call(named, named, {}, [], [])


def concurrent(function_list: Iterable[Step], subtasks: bool = False) -> list[Any]:
    """The functions' steps run at the same time."""
    group, results = [], []
    for function in function_list:
        if not callable(function):
            raise TypeError("concurrent is given functions")
        calls, result = _collect(function)
        group += [_nested(calls, "concurrent")] if subtasks or len(calls) > 1 else calls
        results.append(result)
    if _state.collectors:
        _state.collectors[-1].extend(group)
    else:
        _state.append(group)
    return results


def map(function: Callable[[Any], Any], input_list: Iterable[Any]) -> Any:
    """One step for each of the values, at the same time; the last's output stands for the list of all."""
    calls, result = [], None
    names = set(_state.names)
    for value in input_list:
        _state.names = set(names)
        call, made = _one(lambda value=value: function(value), "map")  # type: ignore[misc]
        calls.append(call)
        result = made if result is None else result
    if not calls:
        raise Error("map is given no values")
    if any((call.template, list(call.arguments)) != (calls[0].template, list(calls[0].arguments)) for call in calls):
        raise Error("the steps of `map` differ in their arguments only: the rest is one template")
    call = calls[0]
    call.items = [{key: _plain(value) for key, value in one.arguments.items()} for one in calls]
    call.arguments = {key: f"{{{{item.{key}}}}}" for key in call.arguments}
    _state.add(call)
    return result


map_ = map


def _plain(value: Any) -> Any:
    if isinstance(value, (Output, Artifact)):
        raise Error("a value of `map` is known when the workflow is built: no step's output")
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else _text(value)


def exec_while(condition: Condition, inner_while: Step) -> Any:
    """The function's step runs again as long as the condition holds for what it prints."""
    call, result = _one(inner_while, "exec_while")
    if call.needs:
        raise Error("a step that is repeated cannot use what others give")
    name = f"exec-while-{next(_state.numbers)}"
    text = condition.text(Output(call))
    again = {"name": f"{call.name}-again", "template": name, "when": text}
    _state.templates[name] = {"name": name, "steps": [[_resolve(call.form(), "steps")], [_resolve(again, "steps")]]}
    _state.add(_Call(name, name, {}, [], []))
    return result


def set_exit_handler(status: Union[WFStatus, str], exit_handler: Step) -> Any:
    """The function's step runs at the end, if the workflow ended so."""
    call, result = _one(exit_handler, "set_exit_handler")
    ended = status.value if isinstance(status, WFStatus) else WFStatus(status).value
    call.when = f"{{{{workflow.status}}}} == {ended}"
    _state.handlers.append(call)
    return result


def _task(function: Step, what: str) -> tuple[_Call, Any]:
    """The task that the function makes, which may be there already: by its name."""
    call, result = _one(function, what)
    _state.graph = True
    there = _state.tasks.get(call.name)
    if there is None:
        _state.append([call])
        return call, result
    if (there.template, there.arguments) != (call.template, call.arguments):
        raise Error(f"two different steps are named {call.name}: give each a step_name of its own")
    return there, result


def set_dependencies(step_function: Step, dependencies: Union[str, list[str], None] = None) -> Any:
    """A task that begins when those of these names are done; a text is an expression as of Argo's `depends`."""
    call, result = _task(step_function, "set_dependencies")
    if isinstance(dependencies, str):
        call.depends = dependencies
    for name in dependencies or [] if not isinstance(dependencies, str) else []:
        if name not in call.dependencies:
            call.dependencies.append(name)
    return result


def dag(dependency_graph: Iterable[Iterable[Step]]) -> list[Any]:
    """Tasks, told apart by their step_name; of a list of two the second begins when the first is done."""
    results = []
    for edge in dependency_graph:
        before: Optional[_Call] = None
        for function in edge:
            call, result = _task(function, "dag")
            if before and before.name not in call.dependencies:
                call.dependencies.append(before.name)
            before = call
            results.append(result)
    return results


# --- artifacts, secrets, settings -----------------------------------------------------------------


def create_parameter_artifact(path: Optional[str] = None, is_global: bool = False) -> Artifact:
    """A file of a step's, whose text another is given."""
    number = next(_state.numbers)
    return Artifact(path or f"/mnt/t{number}", is_global, name=f"output-id-{number}")


def create_local_artifact(path: str, is_global: bool = False) -> Artifact:
    """A file or a folder of a step's that is kept where weir keeps artifacts."""
    return Artifact(path, is_global, "artifact", f"output-id-{next(_state.numbers)}")


def create_oss_artifact(
    path: str, bucket: str, accesskey_id: str = "", accesskey_secret: str = "", key: str = "", endpoint: str = "",
    is_global: bool = False,
) -> Artifact:  # fmt: skip
    return OssArtifact(path, is_global, **_in_bucket("oss", bucket, accesskey_id, accesskey_secret, key, endpoint))


def create_s3_artifact(
    path: str, bucket: str, accesskey_id: str = "", accesskey_secret: str = "", key: str = "", endpoint: str = "",
    is_global: bool = False, insecure: bool = False,
) -> Artifact:  # fmt: skip
    made = S3Artifact(path, is_global, **_in_bucket("s3", bucket, accesskey_id, accesskey_secret, key, endpoint))
    if insecure:
        made.place["s3"]["insecure"] = True
    return made


def _in_bucket(kind: str, bucket: str, access: str, secret: str, key: str, endpoint: str) -> Any:
    number = next(_state.numbers)
    place: Object = {"bucket": bucket, "key": key or f"output-{number}"}
    if endpoint:
        place["endpoint"] = endpoint
    if access or secret:
        name = create_secret({"accessKey": access, "secretKey": secret}, name=f"{kind}-{number}")
        place["accessKeySecret"] = {"name": name, "key": "accessKey"}
        place["secretKeySecret"] = {"name": name, "key": "secretKey"}
    return {"kind": "artifact", "name": f"output-{kind}-{number}", "place": {kind: place}}


def create_secret(
    secret_data: Object, namespace: str = "default", name: Optional[str] = None, dry_run: bool = False,
    use_existing: bool = False, artifact_secret: bool = False,
) -> str:  # fmt: skip
    """Keeps a secret for the run; gives its name, for `secret=`."""
    made = Secret(namespace, dict(secret_data), name or f"couler-{next(_state.numbers)}", dry_run, use_existing, artifact_secret)
    assert made.name
    _state.secrets[made.name] = made
    return made.name


def obtain_secret(secret_keys: Iterable[str], namespace: str = "default", name: str = "") -> str:
    """A secret that is there already: `weir run --secret NAME.KEY=…`, or the configuration."""
    _state.secrets[name] = Secret(namespace, dict.fromkeys(secret_keys), name, use_existing=True)
    return name


def add_volume(volume: Volume) -> None:
    _state.volumes.append(volume.to_dict())


def create_workflow_volume(template: VolumeClaimTemplate) -> None:
    _state.claims.append(template.to_dict())


def config_workflow(
    name: Optional[str] = None, user: Optional[str] = None, service_account: Optional[str] = None,
    time_to_clean: Optional[int] = None, timeout: Optional[int] = None, cluster_config_file: Optional[str] = None,
    cron_config: Optional[Object] = None, **unused: Any,
) -> None:  # fmt: skip
    """What the workflow as a whole has."""
    given = {"name": name, "service_account": service_account, "time_to_clean": time_to_clean, "timeout": timeout, "cron": cron_config}
    _state.config.update({key: value for key, value in given.items() if value is not None})
    if user:
        _state.config["labels"] = {"couler_job_user": user}


# --- the workflow ---------------------------------------------------------------------------------


def _resolve(value: Any, scope: str) -> Any:
    """The same with the references as of steps or of tasks."""
    if isinstance(value, str):
        return re.sub("\0([^\0]+)\0", rf"{scope}.\1", value)
    if isinstance(value, list):
        return [_resolve(one, scope) for one in value]
    if isinstance(value, dict):
        return {key: _resolve(one, scope) for key, one in value.items()}
    return value


def _spec(name: str) -> Object:
    main: Object = {"name": name}
    if _state.graph:
        main["dag"] = {"tasks": [_resolve(task.task(), "tasks") for task in _state.tasks.values()]}
    else:
        main["steps"] = [[_resolve(call.form(), "steps") for call in group] for group in _state.groups]
    spec: Object = {"entrypoint": name, "templates": [main, *_state.templates.values()]}
    if _state.handlers:
        steps = [[_resolve(call.form(), "steps") for call in _state.handlers]]
        spec["templates"].append({"name": "exit-handler", "steps": steps})
        spec["onExit"] = "exit-handler"
    settings = (("serviceAccountName", "service_account"), ("activeDeadlineSeconds", "timeout"))
    spec.update({key: _state.config[setting] for key, setting in settings if setting in _state.config})
    if "time_to_clean" in _state.config:
        spec["ttlStrategy"] = {"secondsAfterCompletion": _state.config["time_to_clean"]}
    if _state.volumes:
        spec["volumes"] = _state.volumes
    if _state.claims:
        spec["volumeClaimTemplates"] = _state.claims
    return spec


def workflow_yaml() -> Object:
    """What was built, as Argo's Workflow object, or its CronWorkflow."""
    program = os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0]
    name = _dashed(_state.config.get("name") or program or "couler")
    main = name if name not in _state.templates else f"{name}-main"
    metadata: Object = {"generateName": f"{name}-"}
    if "labels" in _state.config:
        metadata["labels"] = _state.config["labels"]
    workflow: Object = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": _spec(main)}
    cron = _state.config.get("cron")
    if cron:
        spec = {"schedules": [cron["schedule"]], "suspend": _text(cron.get("suspend", "false")) == "true"}
        workflow.update(kind="CronWorkflow", metadata={**metadata, "name": name}, spec={**spec, "workflowSpec": workflow["spec"]})
        del workflow["metadata"]["generateName"]
    return workflow


class ArgoSubmitter:
    """Whom `run` gives the workflow to: weir, whatever it is told of a cluster."""

    def __init__(self, namespace: str = "default", *_: Any, **__: Any) -> None:
        self.namespace = namespace

    def submit(self, workflow: Object, secrets: Optional[dict[str, Secret]] = None) -> Object:
        session = _program.session()
        for secret in (secrets or {}).values():
            if not secret.use_existing:
                data = {key: _text(value) for key, value in secret.data.items()}
                session.keep({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret.name}, "stringData": data})
        return session.run(workflow).workflow


def run(submitter: Any = None, persist_temporal: bool = False, create_secrets: bool = True) -> Object:
    """Has weir run what was built, and begins anew. Argo's Workflow object as the run begins: see `wait`."""
    if not _state.groups and not _state.tasks:
        raise Error("nothing was built: there are no steps")
    workflow, secrets = workflow_yaml(), _state.secrets if create_secrets else {}
    submitter = submitter or ArgoSubmitter()
    reset()
    submitted: Object = submitter.submit(workflow, secrets) if isinstance(submitter, ArgoSubmitter) else submitter.submit(workflow)
    return submitted


def wait(workflow: Union[str, Object]) -> Object:
    """Waits until a run is over: Argo's Workflow object, with its status."""
    return _program.session().wait(workflow if isinstance(workflow, str) else workflow["metadata"]["name"])


def delete(name: str, *_: Any, **__: Any) -> None:
    """Forgets a run that is over."""
    _program.session().command("delete", name)


def _run_leftovers(_: Object) -> None:
    if _state.groups or _state.tasks:
        run()


_program.leftovers.append(_run_leftovers)
