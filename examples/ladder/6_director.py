"""Rung 6, events with a director: who works says what happened, and one place decides what to do next.

Each event is written to standard error as it happens, so at any moment it is known what was asked and what was answered.
Workers know nothing of downloads, only of one URL; so the director can change its mind (try again, go elsewhere, stop)
without any of them. But an event says what happened, and not why: of a file that failed nobody knows for which page it
was asked, for two pages are about each file.
"""

import asyncio
import json
import sys
import time

from client import Failed, arguments
from client_async import fetch

began = time.monotonic()


def is_page(url):
    return "/page/" in url


class Director:
    def __init__(self, pages, at_once):
        self.pages, self.at_once = pages, at_once
        self.waiting = asyncio.Queue()  # URLs to ask for
        self.events = asyncio.Queue()
        self.files, self.errors, self.open = [], [], 0

    async def worker(self):
        while True:
            url = await self.waiting.get()
            self.events.put_nowait({"event": "asked", "url": url})
            try:
                self.events.put_nowait({"event": "answered", "url": url, "body": await fetch(url)})
            except Failed as error:
                self.events.put_nowait({"event": "failed", "url": url, "error": str(error)})

    def ask(self, url):
        self.open += 1
        self.waiting.put_nowait(url)

    def decide(self, event):
        if event["event"] == "asked":
            return
        self.open -= 1
        if event["event"] == "failed":
            self.errors.append({"url": event["url"], "error": event["error"]})
        elif is_page(event["url"]):
            self.ask(event["body"].decode())
        else:
            self.files.append(event["body"])

    async def direct(self):
        for page in self.pages:
            self.ask(page)
        workers = [asyncio.create_task(self.worker()) for _ in range(self.at_once)]
        while self.open:
            event = await self.events.get()
            shown = {name: value for name, value in event.items() if name != "body"}
            print(json.dumps({"at": round(time.monotonic() - began, 4), **shown}), file=sys.stderr)
            self.decide(event)
        for worker in workers:
            worker.cancel()


async def main():
    director = Director(*arguments())
    await director.direct()
    print(json.dumps({"got": len(director.files), "errors": director.errors}))


asyncio.run(main())
