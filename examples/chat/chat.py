"""The operations of the bot: listen, reply and send. It speaks IRC (RFC 2812) with nothing but the standard library."""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import time

import weir

LINE_BYTES_MAX = 400  # of what is said; the whole line has 512 at most, with who says it where


@dataclasses.dataclass
class Place:
    """Where the bot listens, and who it is there."""

    server: str = "127.0.0.1"
    port: int = 6667
    tls: bool = False
    nick: str = "weir"
    password: str = ""
    channels: list = dataclasses.field(default_factory=lambda: ["#weir"])
    rate: float = 2  # lines a second, once ten were sent at once; 0: as many as there are
    silence: float = 60  # seconds, after which it asks whether the server is still there
    again: float = 0.5  # seconds until it connects again; twice as many each time, 30 at most
    socket: str = "chat.socket"  # over which `send` hands its answers to `listen`


class Refused(Exception):
    """The server does not want us: trying again would not help."""


@weir.operation(config=Place, outputs=["messages"])
async def listen(config: Place):
    "Yields what is said to the bot, for as long as it is let: each message is a context."
    bot = Bot(config)
    async with bot.answering():
        work = asyncio.create_task(bot.stay_connected())
        try:
            while (message := await bot.next_message(work)) is not None:
                inputs = [{"value": value, "definition": name} for name, value in message.items()]
                yield {"messages": {message["id"]: inputs}}
        finally:
            await bot.leave(work)


@dataclasses.dataclass
class Answers:
    answers: dict = dataclasses.field(default_factory=dict)  # by intent
    unsure: str = "I am not sure what you mean."
    certain: float = 0.4  # from here on it says what it knows


@weir.operation(config=Answers, outputs=["answer"])
def reply(author: str, where: str, intent: str, certainty: float, config: Answers) -> str:
    "The answer to what was understood; in a channel it says to whom."
    text = config.answers[intent] if certainty >= config.certain else config.unsure
    return f"{author}: {text}" if where.startswith("#") else text


@dataclasses.dataclass
class Line:
    socket: str = "chat.socket"
    wait: float = 60  # seconds, for a bot that is not there now


@weir.operation(config=Line, outputs=["sent"])
async def send(where: str, answer: str, config: Line):
    "Has the bot say it; returns when the server has it."
    request = json.dumps({"where": where, "text": answer}).encode() + b"\n"
    deadline = time.monotonic() + config.wait
    while not await hand_over(config.socket, request):
        if time.monotonic() > deadline:
            raise ConnectionError(f"nobody listens at {config.socket}")
        await asyncio.sleep(0.1)
    return True


async def hand_over(path: str, request: bytes) -> bool:
    """False: there is no bot now, or no room in its queue."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.get_extra_info("socket").getpeername()  # of a full queue asyncio says that it is connected
    except OSError:
        return False
    try:
        writer.write(request)
        if await reader.readline() != b"sent\n":
            raise ConnectionError("the bot ended before the server had it")
    finally:
        writer.close()
    return True


# --- the bot -----------------------------------------------------------------------------------


@dataclasses.dataclass
class Answer:
    where: str
    text: str
    sent: asyncio.Future


class Bot:
    def __init__(self, config: Place) -> None:
        self.config = config
        self.nick = config.nick
        self.messages: asyncio.Queue = asyncio.Queue()
        self.answers: asyncio.Queue = asyncio.Queue()
        self.unsure: collections.deque = collections.deque()  # what was sent, and the server has not confirmed
        self.writer = None
        self.names = (f"{time.time_ns():x}-{number}" for number in itertools.count(1))

    async def next_message(self, work):
        """The next one; raises when the server does not want us."""
        message = asyncio.create_task(self.messages.get())
        try:
            await asyncio.wait({message, work}, return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else work.result()
        finally:
            message.cancel()

    async def leave(self, work) -> None:
        """Says good bye, if there is somebody to say it to."""
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError, Refused):
            await work
        if self.writer:
            self.say("QUIT :told to stop")
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self.writer.drain(), 1)
            self.close()
        for answer in self.take_pending():
            answer.sent.cancel()

    # --- the connection

    async def stay_connected(self) -> None:
        again = self.config.again
        while True:
            began = time.monotonic()
            try:
                await self.converse()
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
                print(f"no connection to {self.config.server}:{self.config.port}: {error or type(error).__name__}; trying again")
                self.close()
            again = self.config.again if time.monotonic() - began > 60 else min(2 * again, 30)
            await asyncio.sleep(again)

    def close(self) -> None:
        """The connection is over: what the server may not have heard is to be said again."""
        if self.writer:
            self.writer.close()
            self.writer = None
        for answer in self.take_pending():
            self.answers.put_nowait(answer)

    def take_pending(self) -> list:
        """Answers that the server has not confirmed, the oldest first."""
        pending = [answer for answer in self.unsure if answer]
        self.unsure.clear()
        while not self.answers.empty():
            pending.append(self.answers.get_nowait())
        return pending

    async def converse(self) -> None:
        config = self.config
        reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection(config.server, config.port, ssl=config.tls or None, limit=1 << 16), 20
        )
        self.nick = config.nick
        if config.password:
            self.say(f"PASS {config.password}")
        self.say(f"NICK {self.nick}")
        self.say(f"USER {config.nick} 0 * :{config.nick}")
        answers = None
        try:
            while True:
                line = await self.read_line(reader)
                prefix, command, parameters = parse(line)
                if command == "001" and answers is None:
                    self.nick = parameters[0] if parameters else self.nick
                    print(f"connected to {config.server}:{config.port} as {self.nick}")
                    for channel in config.channels:
                        self.say(f"JOIN {channel}")
                    answers = asyncio.create_task(self.send_answers())
                else:
                    self.hear(prefix, command, parameters)
        finally:
            if answers:
                answers.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await answers

    async def read_line(self, reader) -> str:
        """The next one; asks for a sign of life when none comes."""
        for _ in range(2):
            try:
                line = await asyncio.wait_for(reader.readline(), self.config.silence)
            except asyncio.TimeoutError:
                self.say("PING :still there?")
                self.unsure.append(None)
                continue
            except ValueError:  # longer than any line may be
                return ""
            if not line:
                raise ConnectionError("the server closed it")
            return line.decode("utf-8", "replace").rstrip("\r\n")
        raise ConnectionError(f"nothing was heard for {2 * self.config.silence:g} s")

    def hear(self, prefix: str, command: str, parameters: list) -> None:
        author = prefix.partition("!")[0]
        if command == "PING":
            self.say(f"PONG :{parameters[-1] if parameters else ''}")
        elif command == "PONG" and self.unsure:
            answer = self.unsure.popleft()
            if answer and not answer.sent.done():
                answer.sent.set_result(True)
        elif command == "NICK" and author == self.nick and parameters:
            self.nick = parameters[0]
        elif command == "433":  # somebody has the name
            self.nick += "_"
            self.say(f"NICK {self.nick}")
        elif command in ("464", "465"):
            raise Refused(f"{self.config.server} refused us: {parameters[-1]}")
        elif command == "KICK" and len(parameters) > 1 and parameters[1] == self.nick:
            self.say(f"JOIN {parameters[0]}")
        elif command == "PRIVMSG" and len(parameters) == 2 and author != self.nick:
            self.take(author, *parameters)

    def take(self, author: str, target: str, text: str) -> None:
        """What is said to us: in private, or in a channel by our name."""
        mine, _, rest = text.partition(" ")
        if target != self.nick:
            if mine.rstrip(":,").lower() != self.nick.lower():
                return
            text = rest
        if not text.startswith("\x01"):  # a request of client to client
            where = author if target == self.nick else target
            self.messages.put_nowait({"id": next(self.names), "author": author, "where": where, "said": text})

    def say(self, line: str) -> None:
        if self.writer:
            self.writer.write(line.encode() + b"\r\n")

    # --- answers

    @contextlib.asynccontextmanager
    async def answering(self):
        """Takes answers from `send`, which is in any process."""
        path = self.config.socket
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_unix_connection(path)
            writer.close()
            raise Refused(f"another bot has {path}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self.take_answer, path, backlog=1000)
        finally:
            os.umask(before)
        try:
            yield
        finally:
            server.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    async def take_answer(self, reader, writer) -> None:
        try:
            said = json.loads(await reader.readline())
            answer = Answer(said["where"], said["text"], asyncio.get_running_loop().create_future())
            self.answers.put_nowait(answer)
            await answer.sent
            writer.write(b"sent\n")
            await writer.drain()
        except OSError as error:
            print("an answer was sent, and who gave it is gone:", error)
        finally:
            writer.close()

    async def send_answers(self) -> None:
        """One after the other, as fast as the server takes them; a PING behind each says when it has it."""
        room, last = 10.0, time.monotonic()
        while True:
            now = time.monotonic()
            room, last = min(10.0, room + (now - last) * self.config.rate), now
            if self.config.rate and room < 1:
                await asyncio.sleep((1 - room) / self.config.rate)
                continue
            answer = await self.answers.get()
            for part in parts_of(answer.text):
                self.say(f"PRIVMSG {answer.where} :{part}")
                room -= 1
            self.say("PING :sent")
            self.unsure.append(answer)
            await self.writer.drain()


def parse(line: str) -> tuple:
    """(prefix, command, parameters) of a line."""
    prefix = ""
    if line.startswith(":"):
        prefix, _, line = line[1:].partition(" ")
    line, colon, last = line.partition(" :")
    words = line.split()
    return prefix, words[0].upper() if words else "", words[1:] + ([last] if colon else [])


def parts_of(text: str) -> list:
    """Lines that are short enough, and nothing in them that ends one."""
    parts, part = [], b""
    for word in text.split():
        while word:
            more = word.encode()[: LINE_BYTES_MAX - 1].decode("utf-8", "ignore")
            word = word[len(more) :]
            if part and len(part) + len(more.encode()) + 1 > LINE_BYTES_MAX:
                parts.append(part.decode())
                part = b""
            part += (b" " if part else b"") + more.encode()
    return parts + ([part.decode()] if part else [])
