"""What a program that makes workflows tells the weir which runs it (`weir run hello.py`).

They talk through a socket, a line of JSON each way, as src/cli/program.h has it. A program that was started without weir starts the
`weir` command itself when it first has something to run. The standard library is all that is needed here.
"""

from __future__ import annotations

import atexit
import copy
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
from typing import Any, Callable, Optional

Document = dict[str, Any]
RUNS_MAX = 10_000


class Refused(Exception):
    """What weir said instead of doing what it was asked for."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Made:
    """A run that was begun: Argo's Workflow object as it was then."""

    def __init__(self, run: str, name: str, workflow: Document) -> None:
        self.run = run
        self.name = name
        self.workflow = workflow


class _Answer:
    def __init__(self) -> None:
        self.came = threading.Event()
        self.value: Optional[Document] = None


class Channel:
    """Requests and their answers through one socket; any thread."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._writing = threading.Lock()
        self._waiting: dict[int, _Answer] = {}
        self._numbers = itertools.count(1)
        self._reader: Optional[threading.Thread] = None
        self._owner = os.getpid()
        self._over = False

    def ask(self, what: str, **members: Any) -> Document:
        """Sends a request and waits for its answer."""
        if os.getpid() != self._owner:
            raise Refused("not_supported", "only the process that weir started has workflows run, not its children")
        number, answer = next(self._numbers), _Answer()
        with self._writing:
            if self._over:
                raise Refused("io", "weir has ended")
            self._waiting[number] = answer
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name="weir", daemon=True)
                self._reader.start()
            self._socket.sendall(json.dumps({"id": number, "do": what, **members}).encode() + b"\n")
        answer.came.wait()
        if answer.value is None:
            raise Refused("io", "weir has ended")
        error = answer.value.get("error")
        if error:
            raise Refused(error["code"], error["message"])
        return answer.value

    def tell(self, **members: Any) -> None:
        """Sends something that is not answered."""
        with self._writing:
            self._socket.sendall(json.dumps(members).encode() + b"\n")

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    value = json.loads(line)
                    answer = self._waiting.pop(value.get("id", 0), None)
                    if answer:
                        answer.value = value
                        answer.came.set()
        except (OSError, ValueError):
            pass
        with self._writing:
            self._over = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for answer in waiting:
            answer.came.set()


class Session:
    """What the program has made so far, and the way to have it run."""

    def __init__(self, channel: Channel, use: str, weir: str, options: list[str]) -> None:
        self.use = use
        self._channel = channel
        self._weir = weir
        self._options = options
        self._made: list[Document] = []
        self._runs: dict[str, Made] = {}
        self._templates: dict[tuple[str, str], Document] = {}

    @property
    def made(self) -> int:
        """How many workflows the program has had run, and, where it is only looked at, templates."""
        return len(self._made) if self.use == "gather" else len(self._runs)

    def run(self, document: Document) -> Made:
        """Begins a run of a Workflow, a CronWorkflow or a template, which may refer to the templates that are kept."""
        if self.use == "gather":
            return self._gather(document)
        kept = [template for template in self._templates.values() if template is not document]
        answer = self._channel.ask("run", documents=[document, *kept])
        made = Made(answer["run"], answer["name"], answer["workflow"])
        self._runs[made.name] = self._runs[made.run] = made
        return made

    def wait(self, name: str) -> Document:
        """The Workflow once it is over. KeyError: this program has not made it."""
        made = self._runs[name]
        if self.use == "run":
            workflow: Document = self._channel.ask("wait", run=made.run)["workflow"]
            return workflow
        return made.workflow

    def get(self, name: str) -> Document:
        """A Workflow as it is now: this program's, or one that the state has."""
        if name not in self._runs:
            return self._look(name)
        if self.use == "gather":
            return self._runs[name].workflow
        workflow: Document = self._channel.ask("get", run=self._runs[name].run)["workflow"]
        return workflow

    def change(self, what: str, name: str) -> Document:
        """Does stop, terminate, suspend or resume to a run."""
        if self.use == "gather":
            return self.get(name)
        if name in self._runs:
            workflow: Document = self._channel.ask(what, run=self._runs[name].run)["workflow"]
            return workflow
        self.command(what, name)
        return self._look(name)

    def command(self, *arguments: str) -> str:
        """What another command of weir prints, on the same state."""
        name = [word for word in arguments if not word.startswith("-")][0]
        known = self._options if name != "version" else []
        command = [self._weir, *arguments, *known]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if ran.returncode:
            message = ran.stderr.strip() or f"weir {name} ended with exit code {ran.returncode}"
            missing = "no run" in message or "no runs" in message
            raise Refused("not_found" if missing else "invalid", message)
        return ran.stdout

    def _look(self, name: str) -> Document:
        workflow: Document = json.loads(self.command("get", name, "-o", "json"))
        return workflow

    # Templates live as long as the program: what it runs later may refer to them.

    def keep(self, template: Document) -> None:
        key = (template["kind"], template["metadata"]["name"])
        self._templates[key] = template
        if self.use == "gather":
            self._made = [made for made in self._made if (made["kind"], made["metadata"].get("name")) != key]
            self._made.append(template)

    def template(self, kind: str, name: str) -> Optional[Document]:
        """One that the program has kept, or that the state has."""
        if (kind, name) in self._templates:
            return self._templates[kind, name]
        try:
            word = "cluster-template" if kind == "ClusterWorkflowTemplate" else "template"
            found: Document = json.loads(self.command(word, "get", name, "-o", "json"))
            return found
        except (Refused, ValueError):
            return None

    def templates(self, kind: str) -> list[Document]:
        return [template for (of_kind, _), template in self._templates.items() if of_kind == kind]

    def forget(self, kind: str, name: str) -> bool:
        return self._templates.pop((kind, name), None) is not None

    def finish(self) -> None:
        """Says what was made, where that is all that is wanted."""
        if self.use == "gather" and self._made:
            # A workflow comes first: what stands before it would be what the file is about.
            order = {"Workflow": 0, "CronWorkflow": 1}
            self._channel.tell(do="made", documents=sorted(self._made, key=lambda made: order.get(made["kind"], 2)))

    def _gather(self, document: Document) -> Made:
        if len(self._made) >= RUNS_MAX:
            raise Refused("limit_exceeded", f"a program has at most {RUNS_MAX} runs")
        if not any(document is made for made in self._made):
            self._made.append(document)
        workflow = copy.deepcopy(document)
        metadata = workflow.setdefault("metadata", {})
        name = metadata.get("name") or f"{metadata.get('generateName', 'workflow-')}{len(self._made):05d}"
        metadata.update(name=name, uid=name)
        workflow["status"] = {"phase": "Succeeded", "nodes": {}}
        made = self._runs[name] = Made(name, name, workflow)
        return made


_session: Optional[Session] = None
_starting = threading.Lock()


def session() -> Session:
    """The one of this process; begins it."""
    global _session
    with _starting:
        if _session is None:
            told = os.environ.pop("WEIR_PROGRAM", None)
            _session = _of_weir(json.loads(told)) if told else _of_our_own()
        return _session


def _of_weir(told: Document) -> Session:
    if told["version"] != 1:
        raise Refused("not_supported", "this Python package and the weir that runs it are too far apart: install both anew")
    return Session(Channel(told["descriptor"]), told["use"], told["weir"], told["options"])


def find_weir() -> str:
    """The command: what WEIR names, beside this package, or in the PATH."""
    package = pathlib.Path(__file__).resolve().parent
    places = [os.environ.get("WEIR"), package.parents[3] / "bin/weir", package.parents[2] / "weir", shutil.which("weir")]
    for place in places:
        if place and os.access(place, os.X_OK) and os.path.isfile(place):
            return str(place)
    raise Refused("not_found", "there is no `weir` command: install weir, or name it by the variable WEIR")


def _of_our_own() -> Session:
    """Starts `weir run` for a program that was started without it."""
    weir = find_weir()
    ours, theirs = socket.socketpair()
    name = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0].endswith(".py") else "program.py"
    environment = {**os.environ, "WEIR_PROGRAM_CHANNEL": str(theirs.fileno())}
    command = [weir, "run", name]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL)
    theirs.close()
    channel = Channel(ours.detach())
    atexit.register(_end_our_own, channel, process, os.getpid())
    return Session(channel, "run", weir, [])


def _end_our_own(channel: Channel, process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return
    channel.close()
    try:
        code = process.wait()
    except KeyboardInterrupt:
        code = process.wait()
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


# What is to be run where the program itself has run nothing: called at its end.
leftovers: list[Callable[[dict[str, Any]], None]] = []
