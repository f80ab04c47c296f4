"""Rung 5, an event loop: one thread, which does whatever has something to do.

A download that waits costs a few kilobytes instead of a thread. Each `await` is a place where another goes on, so between
two of them nothing is ever half done; but a function that computes for a second holds all of them up, and what happens
between the begin and the end of the whole nobody sees: `gather` answers when everything is over.
"""

import asyncio

from client import Failed, arguments, report
from client_async import fetch


async def download(page, places):
    async with places:
        return await fetch((await fetch(page)).decode())


async def main(pages, at_once):
    places = asyncio.Semaphore(at_once)
    return await asyncio.gather(*(download(page, places) for page in pages), return_exceptions=True)


pages, at_once = arguments()
answers = dict(zip(pages, asyncio.run(main(pages, at_once))))
for answer in answers.values():
    if isinstance(answer, BaseException) and not isinstance(answer, Failed):
        raise answer  # a mistake of this program is no failed download
errors = {page: answer for page, answer in answers.items() if isinstance(answer, Failed)}
report(answers.keys() - errors.keys(), errors)
