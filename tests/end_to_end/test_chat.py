"""examples/chat: a bot that listens on a chat server for as long as it is let, each message a context of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from chat_server import ChatServer, Client
from conftest import ROOT, WEIR

PASSWORD = "hunter-and-gatherer"
ENVIRONMENT = {**os.environ, "WEIR_PYTHON": sys.executable, "WEIR_STATE": "state"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the examples, and the model that the example's own training made."""
    folder = tmp_path_factory.mktemp("chat")
    shutil.copytree(ROOT / "examples/chat", folder / "examples/chat", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([WEIR, "run", "examples/chat/train.yaml"], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["model"] == "intent.model" and made["accuracy"] > 0.6
    return folder


class Bot:
    def __init__(self, folder, server, *arguments, rate=0):
        self.folder = folder
        (folder / "password.txt").write_text(PASSWORD)
        self.process = subprocess.Popen(
            [WEIR, "run", "examples/chat/chat.yaml", "--name", "bot", "-q", "--configure", f"listen.port={server.port}",
             "--configure", f"listen.rate={rate}", "--configure", "listen.again=0.05", "--secret", "chat_password=@password.txt",
             *arguments],
            cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip

    def weir(self, *arguments):
        return subprocess.run([WEIR, *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)

    def wait(self, seconds=30):
        try:
            return *self.process.communicate(timeout=seconds), self.process.returncode
        finally:
            self.process.kill()


def until(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)


@pytest.fixture
def server():
    server = ChatServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def bot(trained, tmp_path, server):
    bots = []

    def start(*arguments, **options):
        shutil.copytree(trained, tmp_path / "bot", dirs_exist_ok=True, ignore=shutil.ignore_patterns("state"))
        bots.append(Bot(tmp_path / "bot", server, *arguments, **options))
        until(lambda: server.has_bot() or bots[-1].process.poll() is not None)
        return bots[-1]

    yield start
    for one in bots:
        one.process.kill()
        one.process.wait()


HOURS, WAY = "We are open from nine to five, Monday to Friday.", "By the river, behind the old mill."


def test_many_at_once_are_answered_each_once(bot, server):
    """Also while one cannot be understood, in a channel and in private, with a connection that breaks in between."""
    running = bot()
    people = [Client(server, f"p{number}", "#weir") for number in range(4)]
    alone = Client(server, "alone")
    for number, person in enumerate(people):
        person.say("#weir", *[f"weir: when do you open, please? ({n})" for n in range(60)], "not for you", "weir: ????")
        if number == 0:
            person.write("NOTICE #weir :weir: hello\r\n")
    alone.say("weir", *["Where   ARE you?"] * 20, "\u2603 \u2603")
    for person in people:  # everybody hears what is said in the channel
        mine = [text for text in person.hear(240) if text.startswith(f"{person.nick}: ")]
        assert mine == [f"{person.nick}: {HOURS}"] * 60
        assert len(person.heard) == 240
    assert alone.hear(20) == [WAY] * 20

    server.drop("weir")
    until(lambda: len([nick for nick, _ in server.joined if nick == "weir"]) == 2)
    people[0].heard.clear()
    people[0].say("#weir", "WEIR, thanks a lot!")
    assert people[0].hear(1) == ["p0: You are welcome."]

    stopped = running.weir("stop", "bot")
    assert stopped.returncode == 0, stopped.stderr
    output, errors, code = running.wait()
    assert code == 1 and "Sanitizer" not in errors, errors
    until(lambda: "weir" not in server.clients)  # it said good bye
    assert not (running.folder / "chat.socket").exists()
    failures = running.weir("events", "bot", "-o", "jsonl").stdout
    assert len(set(re.findall(r"there is no word in '([^']+)'", failures))) == 2
    assert server.passwords == [PASSWORD] * 2
    for command in ("events", "explain", "logs", "report", "get"):
        assert PASSWORD not in running.weir(command, "bot").stdout, command
    assert PASSWORD not in output + errors
    kept = [path.read_bytes() for path in (running.folder / "state").rglob("*") if path.is_file()]
    assert kept and not any(PASSWORD.encode() in text for text in kept)


def test_interrupted_it_leaves(bot, server):
    running = bot()
    person = Client(server, "ada", "#weir")
    person.say("#weir", "weir: hello")
    assert person.hear(1) == ["ada: Hello! Ask me for the hours, or the way."]
    running.process.send_signal(signal.SIGINT)
    _, errors, code = running.wait()
    assert code == 1 and "Traceback" not in errors
    until(lambda: "weir" not in server.clients)


def test_what_it_heard_it_answers_after_a_crash(bot, server):
    """Messages that were taken when weir was killed are in its journal."""
    running = bot(rate=0.01)  # ten answers, and then no more
    person = Client(server, "ada")
    person.say("weir", *["when do you open"] * 30)
    assert person.hear(10) == [HOURS] * 10
    running.process.kill()
    running.process.wait()
    until(lambda: "weir" not in server.clients)
    again = subprocess.Popen([WEIR, "recover", "bot", "-q", "--secret", "chat_password=@password.txt"], cwd=running.folder, env=ENVIRONMENT,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    try:
        until(lambda: server.has_bot())
        assert person.hear(20) == [HOURS] * 20
    finally:
        running.weir("terminate", "bot")
        again.wait(30)


def test_a_secret_that_is_not_there(trained, server):
    done = subprocess.run([WEIR, "run", "examples/chat/chat.yaml", "--durability", "none", "--configure", f"listen.port={server.port}"],
                          cwd=trained, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 1 and "there is no secret `chat_password`: give it with --secret chat_password=@FILE" in done.stderr


def test_the_example_that_is_built_in(trained, tmp_path):
    """Wherever its files are, the texts are found beside the model's function."""
    written = subprocess.run([WEIR, "example", "show", "chat", "--write", "."], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert written.returncode == 0 and "wrote ./intents.csv" in written.stdout
    (tmp_path / "deep").mkdir()
    done = subprocess.run([WEIR, "run", "../train.yaml", "--durability", "none"], cwd=tmp_path / "deep", env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and (tmp_path / "deep/intent.model").exists(), done.stderr


def test_a_wrong_password(trained):
    refusing = ChatServer(wanted="another")
    try:
        running = Bot(trained, refusing, "--durability", "none")
        _, errors, code = running.wait(60)
        assert code == 1 and "127.0.0.1 refused us: Password incorrect" in errors
    finally:
        refusing.shutdown()
        refusing.server_close()
