"""Rung 7, events with causes: each event has an id, and says which event made it happen.

That is one more field, `prev`, and of any event there is now a chain back to the first: the file that failed was asked for
because that page was answered, which was asked for because the program began. All of it is in the memory of one process,
and a few lines on standard error: it is gone when the process is, and everything (to go on after a crash, to try again, to
see it from another terminal, to ask what else came of an event) would have to be written, here, by you.
"""

import asyncio
import json
import sys
import time

from client import Failed, arguments
from client_async import fetch

began = time.monotonic()


class Journal:
    """Events by their ids, written to standard error as they happen."""

    def __init__(self):
        self.events = []

    def add(self, kind, prev=None, **more):
        event = {"id": len(self.events), "prev": prev, "event": kind, **more}
        self.events.append(event)
        print(json.dumps({"at": round(time.monotonic() - began, 4), **event}), file=sys.stderr)
        return event["id"]

    def chain(self, event):
        """The URLs that were asked for on the way to it, the first one first."""
        urls = []
        while event is not None:
            if self.events[event]["event"] == "asked":
                urls.append(self.events[event]["url"])
            event = self.events[event]["prev"]
        return urls[::-1]


class Director:
    def __init__(self, pages, at_once):
        self.pages, self.at_once = pages, at_once
        self.journal = Journal()
        self.waiting, self.answers = asyncio.Queue(), asyncio.Queue()
        self.files, self.errors, self.open = {}, [], 0

    async def worker(self):
        while True:
            url, cause = await self.waiting.get()
            asked = self.journal.add("asked", cause, url=url)
            try:
                body = await fetch(url)
                self.answers.put_nowait((self.journal.add("answered", asked, bytes=len(body)), body))
            except Failed as error:
                self.answers.put_nowait((self.journal.add("failed", asked, error=str(error)), None))

    def ask(self, url, cause):
        self.open += 1
        self.waiting.put_nowait((url, cause))

    def decide(self, event, body):
        self.open -= 1
        chain = self.journal.chain(event)
        if body is None:
            self.errors.append({"url": chain[0], "error": self.journal.events[event]["error"], "chain": chain})
        elif len(chain) == 1:
            self.ask(body.decode(), event)
        else:
            self.files[chain[0]] = body

    async def direct(self):
        begun = self.journal.add("began")
        for page in self.pages:
            self.ask(page, begun)
        workers = [asyncio.create_task(self.worker()) for _ in range(self.at_once)]
        while self.open:
            self.decide(*await self.answers.get())
        for worker in workers:
            worker.cancel()


async def main():
    director = Director(*arguments())
    await director.direct()
    print(json.dumps({"got": len(director.files), "errors": director.errors}))


asyncio.run(main())
