"""Hera without a server: its services ask weir instead of an Argo server.

Hera talks to the server by HTTP. Here its sessions are exchanged for one that answers the same requests itself, as Argo's API has them:
workflows are run by weir, templates are kept as long as the program goes on.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import sys
import urllib.parse
from typing import Any, Callable, Optional

from weir import _program
from weir._program import Document, Refused, Session

NAMESPACE = "default"
HOST = "https://localhost:2746"
# What Argo's server answers for what weir says.
STATUSES = {"not_found": 404, "conflict": 409, "not_supported": 501, "io": 500, "store": 500, "internal": 500}
KINDS = {
    "workflow-templates": "WorkflowTemplate",
    "cluster-workflow-templates": "ClusterWorkflowTemplate",
    "cron-workflows": "CronWorkflow",
}
BODIES = {"WorkflowTemplate": "template", "ClusterWorkflowTemplate": "template", "CronWorkflow": "cronWorkflow"}


class Response:
    """What both requests and httpx have of a response, as far as Hera asks for it."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status_code = status
        self.content = content
        self.ok = self.is_success = status < 400

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)


class _Missing(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """What stands in for the Argo server."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, method: str, url: str, params: Optional[Document], data: Any) -> Response:
        path = urllib.parse.urlsplit(url).path.strip("/")
        try:
            body = json.loads(data) if data else {}
            value = self._route(method.upper(), path.split("/"), params or {}, body)
        except Refused as refused:
            return self._error(STATUSES.get(refused.code, 400), str(refused))
        except _Missing as missing:
            return self._error(missing.status, str(missing))
        if isinstance(value, bytes):
            return Response(200, value)
        return Response(200, json.dumps(value).encode())

    @staticmethod
    def _error(status: int, message: str) -> Response:
        codes = {400: 3, 404: 5, 409: 6, 501: 12}
        return Response(status, json.dumps({"code": codes.get(status, 13), "message": message}).encode())

    def _route(self, method: str, parts: list[str], params: Document, body: Document) -> Any:
        parts = [urllib.parse.unquote(part) for part in parts]
        if parts[0] in ("artifacts", "input-artifacts", "artifacts-by-uid", "input-artifacts-by-uid"):
            return self._artifact(parts)
        if parts[:2] != ["api", "v1"] or len(parts) < 3:
            raise _Missing(404, f"there is no /{'/'.join(parts)}")
        kind, rest = parts[2], parts[3:]
        if kind == "workflows":
            return self._workflows(method, rest[1:], params, body)
        if kind == "archived-workflows":
            return self._archived(method, rest, body)
        if kind in ("workflow-templates", "cron-workflows"):
            return self._kept(method, KINDS[kind], rest[1:], body)
        if kind == "cluster-workflow-templates":
            return self._kept(method, KINDS[kind], rest, body)
        if kind == "version":
            version = self._session.command("version").split()[-1]
            return {
                "version": version, "buildDate": "", "gitCommit": "", "gitTag": version, "gitTreeState": "clean",
                "goVersion": "", "compiler": "weir", "platform": sys.platform,
            }
        if kind in ("info", "userinfo"):
            return {}
        raise _Missing(501, f"weir has no {kind}")

    # Workflows

    def _workflows(self, method: str, rest: list[str], params: Document, body: Document) -> Any:
        if not rest:
            return self._create(body["workflow"]) if method == "POST" else self._list(params)
        if rest == ["lint"]:
            return body["workflow"]
        if rest == ["submit"]:
            return self._submit(body)
        name, what = rest[0], rest[1:]
        if method == "DELETE":
            self._session.command("delete", name)
            return {}
        if not what:
            return self._session.get(name)
        if what[-1] == "log":
            container = params.get("logOptions.container")
            return self._log(name, what[0] if len(what) > 1 else params.get("podName"), container)
        if what[0] == "set" or (what[0] in ("resume", "stop") and body.get("nodeFieldSelector")):
            return self._set(name, what[0], body)
        if what[0] in ("stop", "terminate", "suspend", "resume"):
            return self._session.change(what[0], name)
        if what[0] == "retry":
            self._session.command("retry", name)
            return self._session.get(name)
        if what[0] == "resubmit":
            return self._again(name)
        raise _Missing(501, f"weir cannot {what[0]} a workflow through Hera")

    def _set(self, name: str, what: str, body: Document) -> Document:
        words = [name, f"--node-field-selector={body.get('nodeFieldSelector', '')}"]
        if what == "set":
            words += [f"--phase={body['phase']}"] if body.get("phase") else []
            for key, value in json.loads(body.get("outputParameters") or "{}").items():
                words.append(f"--output-parameter={key}={value}")
        if body.get("message"):
            words.append(f"--message={body['message']}")
        self._session.command(*(["node", "set"] if what == "set" else [what]), *words)
        return self._session.get(name)

    def _create(self, workflow: Document) -> Document:
        return self._session.run(of_argo(workflow, "Workflow")).workflow

    def _list(self, params: Document) -> Document:
        words = []
        selector = params.get("listOptions.labelSelector")
        for label in selector.split(",") if selector else []:
            words += ["--label", label]
        runs = json.loads(self._session.command("list", "--kind=workflow", "--limit=0", "-o", "json", *words))
        found = [self._session.get(run["name"]) for run in runs]
        return {"metadata": {}, "items": found}

    def _again(self, name: str) -> Document:
        workflow = self._session.get(name)
        metadata = workflow["metadata"]
        again = {"generateName": metadata.get("generateName") or f"{metadata['name']}-"}
        for part in ("labels", "annotations"):
            kept = {key: value for key, value in metadata.get(part, {}).items() if "workflows.argoproj.io/" not in key}
            if kept:
                again[part] = kept
        spec = workflow["spec"]
        return self._create({**{key: workflow[key] for key in ("apiVersion", "kind")}, "metadata": again, "spec": spec})

    def _submit(self, body: Document) -> Document:
        kinds = {kind.lower(): kind for kind in KINDS.values()}
        kinds.update(workflowtemplate="WorkflowTemplate", wftmpl="WorkflowTemplate", cwftmpl="ClusterWorkflowTemplate")
        asked = str(body.get("resourceKind", "")).lower().replace("-", "")
        kind, name = kinds.get(asked), body.get("resourceName", "")
        options = body.get("submitOptions") or {}
        template = self._session.template(kind, name) if kind else None
        if kind is None:
            raise _Missing(400, f"a {body.get('resourceKind')} cannot be submitted")
        if template is None:
            raise _Missing(404, f"there is no {kind} {name}")
        if kind == "CronWorkflow":
            workflow = of_cron(template)
        else:
            reference = {"name": name, **({"clusterScope": True} if kind.startswith("Cluster") else {})}
            workflow = {"metadata": {}, "spec": {"workflowTemplateRef": reference}}
        metadata, spec = workflow["metadata"], workflow["spec"]
        if options.get("name"):
            metadata["name"] = options["name"]
        elif not metadata.get("generateName") or options.get("generateName"):
            metadata["generateName"] = options.get("generateName") or f"{name}-"
        if options.get("entryPoint"):
            spec["entrypoint"] = options["entryPoint"]
        for part in ("labels", "annotations"):
            pairs = dict(pair.split("=", 1) for pair in (options.get(part) or "").split(",") if "=" in pair)
            if pairs:
                metadata[part] = {**metadata.get(part, {}), **pairs}
        given = dict(pair.split("=", 1) for pair in options.get("parameters") or [])
        if given:
            arguments = spec.setdefault("arguments", {})
            others = [had for had in arguments.get("parameters", []) if had["name"] not in given]
            arguments["parameters"] = others + [{"name": key, "value": value} for key, value in given.items()]
        return self._create(workflow)

    def _archived(self, method: str, rest: list[str], body: Document) -> Any:
        if not rest:
            return self._list({})
        if method == "DELETE":
            self._session.command("delete", rest[0])
            return {}
        workflow = self._session.get(rest[0])
        if len(rest) > 1:
            return self._workflows(method, [workflow["metadata"]["name"], rest[1]], {}, body)
        return workflow

    def _log(self, name: str, pod: Optional[str], container: Optional[str]) -> Document:
        words = [name, *([pod] if pod else []), "--no-prefix", "--no-color"]
        if container and container != "main":
            words += ["--container", container]
        return {"content": self._session.command("logs", *words), "podName": pod or ""}

    def _artifact(self, parts: list[str]) -> bytes:
        if "by-uid" not in parts[0]:
            parts = parts[:1] + parts[2:]
        if len(parts) != 4:
            raise _Missing(404, "there is no such artifact")
        workflow = self._session.get(parts[1])
        node = workflow.get("status", {}).get("nodes", {}).get(parts[2], {})
        side = "inputs" if parts[0].startswith("input") else "outputs"
        for artifact in node.get(side, {}).get("artifacts", []):
            if artifact["name"] == parts[3]:
                return self._content(workflow["metadata"]["name"], parts[2], artifact)
        raise _Missing(404, f"node {parts[2]} has no artifact {parts[3]}")

    def _content(self, name: str, node: str, artifact: Document) -> bytes:
        import tempfile

        if "raw" in artifact:
            return str(artifact["raw"]["data"]).encode()
        with tempfile.TemporaryDirectory() as folder:
            words = [name, folder, "--node-id", node, "--artifact-name", artifact["name"], "--path", "."]
            self._session.command("cp", *words)
            for found, _, files in os.walk(folder):
                for file in files:
                    with open(os.path.join(found, file), "rb") as opened:
                        return opened.read()
        raise _Missing(404, f"artifact {artifact['name']} is empty")

    # Templates and schedules

    def _kept(self, method: str, kind: str, rest: list[str], body: Document) -> Any:
        if not rest:
            if method == "GET":
                return {"metadata": {}, "items": self._session.templates(kind)}
            return self._keep(of_argo(body[BODIES[kind]], kind), False)
        if rest == ["lint"]:
            return body[BODIES[kind]]
        name = rest[0]
        if method == "PUT" and len(rest) == 1:
            return self._keep(of_argo(body[BODIES[kind]], kind), True)
        if method == "DELETE":
            if not self._session.forget(kind, name):
                raise _Missing(404, f"there is no {kind} {name}")
            return {}
        found = self._session.template(kind, name)
        if found is None:
            raise _Missing(404, f"there is no {kind} {name}")
        if len(rest) > 1:
            found["spec"]["suspend"] = rest[1] == "suspend"
        return found

    def _keep(self, document: Document, replaces: bool) -> Document:
        kind, metadata = document["kind"], document["metadata"]
        name = metadata.get("name")
        if not name and metadata.get("generateName"):
            name = metadata["name"] = f"{metadata['generateName']}{len(self._session.templates(kind)):05d}"
        there = any(kept["metadata"]["name"] == name for kept in self._session.templates(kind))
        if there and not replaces:
            raise _Missing(409, f"{kind} {name} already exists")
        metadata["resourceVersion"] = str(int(metadata.get("resourceVersion") or 0) + 1)
        self._session.keep(document)
        if kind == "CronWorkflow" and not replaces:
            self._tick(document)
        return document

    def _tick(self, schedule: Document) -> None:
        """A schedule is run once, as `weir run` does it with such a file."""
        if self._session.use == "gather":
            return
        name = schedule["metadata"]["name"]
        told = f"weir: {name} runs once, now; `weir cron create {os.path.basename(sys.argv[0])}` keeps its schedule"
        print(told, file=sys.stderr)
        self._session.run(of_cron(schedule))


def of_argo(document: Document, kind: str) -> Document:
    """The same with what a server fills in."""
    document.setdefault("apiVersion", "argoproj.io/v1alpha1")
    document["kind"] = document.get("kind") or kind
    document.setdefault("metadata", {}).pop("namespace", None)
    document.pop("status", None)
    return document


def of_cron(schedule: Document) -> Document:
    """The Workflow that a schedule begins."""
    spec = schedule["spec"]
    metadata = json.loads(json.dumps(spec.get("workflowMetadata") or {}))
    metadata.setdefault("generateName", f"{schedule['metadata']['name']}-")
    return of_argo({"metadata": metadata, "spec": json.loads(json.dumps(spec["workflowSpec"]))}, "Workflow")


# --- what Hera is given instead of its own --------------------------------------------------------


class LocalSession:
    """Instead of a requests.Session."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def request(self, method: str, url: str = "", params: Optional[Document] = None, data: Any = None, **_: Any) -> Response:
        return self._server.answer(method, url, params, data)

    def close(self) -> None:
        pass


class LocalAsyncSession:
    """Instead of a httpx.AsyncClient."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def request(self, method: str, url: str = "", params: Optional[Document] = None, data: Any = None, **_: Any) -> Response:
        return await asyncio.to_thread(self._server.answer, method, url, params, data)

    async def aclose(self) -> None:
        pass


def _service(session: Any, config: Any) -> Callable[..., None]:
    """__init__ of a service that needs neither a host nor a token."""

    def init(
        self: Any, host: Any = None, verify_ssl: Any = None, token: Any = None, client_certs: Any = None,
        namespace: Any = None, session_: Any = None, **_: Any,
    ) -> None:
        self.host = host or config.host or HOST
        self.verify_ssl, self.client_certs, self.token = verify_ssl, client_certs, None
        self.session = session
        self.namespace = namespace or config.namespace or NAMESPACE

    return init


def _in_a_namespace(method: Any) -> Any:
    """Hera insists on a namespace; here there is one only."""

    @functools.wraps(method)
    def called(self: Any, *arguments: Any, **named: Any) -> Any:
        if self.namespace is None:
            self.namespace = NAMESPACE
        return method(self, *arguments, **named)

    return called


def _wait(session: Session) -> Callable[..., Any]:
    """Waits as long as it takes, and no longer."""

    def wait(self: Any, poll_interval: int = 5) -> Any:
        assert self.name is not None, "workflow name not defined"
        _wait_for(session, self.name)
        return self.workflows_service.get_workflow(self.name, namespace=self.namespace or NAMESPACE)

    return wait


def _async_wait(session: Session) -> Callable[..., Any]:
    async def wait(self: Any, poll_interval: int = 5) -> Any:
        assert self.name is not None, "workflow name not defined"
        await asyncio.to_thread(_wait_for, session, self.name)
        return await self.workflows_service.get_workflow(self.name, namespace=self.namespace or NAMESPACE)

    return wait


def _wait_for(session: Session, name: str) -> None:
    try:
        session.wait(name)
    except KeyError:
        session.command("wait", name)


def install() -> None:
    """Once Hera was imported."""
    session = _program.session()
    hera = sys.modules["hera.workflows"]
    config: Any = sys.modules["hera.shared"].global_config
    server = Server(session)
    kinds = [getattr(hera, name) for name in ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")]
    services: Any = sys.modules["hera.workflows.service"]
    services.WorkflowsService.__init__ = _service(LocalSession(server), config)
    asynchronous: Any = sys.modules.get("hera.workflows.async_service")
    if asynchronous:
        asynchronous.AsyncWorkflowsService.__init__ = _service(LocalAsyncSession(server), config)
    for kind in kinds:
        for name in [name for name in vars(kind) if re.fullmatch("(async_)?(create|update|get|lint|create_as_workflow)", name)]:
            setattr(kind, name, _in_a_namespace(vars(kind)[name]))
    workflow: Any = kinds[0]
    workflow.wait = _wait(session)
    workflow.async_wait = _async_wait(session)
    _program.leftovers.append(functools.partial(_run_leftovers, session, kinds))


def _run_leftovers(session: Session, kinds: list[Any], names: dict[str, Any]) -> None:
    """Of a program that created nothing: the workflows among its global names; where there are none, its schedules, then its templates."""
    objects: list[Any] = []
    for value in names.values():
        if isinstance(value, kinds[0]) and not any(value is had for had in objects):
            objects.append(value)
    found: dict[type, list[Any]] = {kind: [] for kind in kinds}
    for value in objects:
        found[next(kind for kind in reversed(kinds) if isinstance(value, kind))].append(value)
    for kind in kinds[1:3]:
        for template in found[kind]:
            # What the program itself has kept stays as that is.
            if not any(kept["metadata"]["name"] == template.name for kept in session.templates(kind.__name__)):
                template.create()
    for value in found[kinds[0]] + (found[kinds[3]] if not found[kinds[0]] or session.use == "gather" else []):
        value.create()
    if session.made or session.use == "gather":
        return
    for kind in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
        for kept in session.templates(kind):
            if kept["spec"].get("entrypoint"):
                reference = {"name": kept["metadata"]["name"], "clusterScope": kind.startswith("Cluster")}
                metadata = {"generateName": f"{kept['metadata']['name']}-"}
                session.run(of_argo({"metadata": metadata, "spec": {"workflowTemplateRef": reference}}, "Workflow"))
