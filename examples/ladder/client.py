"""What the rungs that wait have in common: one download, what is to be downloaded, and what is said at the end."""

import json
import sys
from http.client import HTTPException
from urllib.request import urlopen


class Failed(Exception):
    """Which URL, and why."""


def fetch(url):
    try:
        with urlopen(url, timeout=30) as answer:
            return answer.read()
    except (OSError, HTTPException) as error:
        raise Failed(f"{url}: {error}") from None


def download(page):
    """Two requests: the page says where the file is."""
    return fetch(fetch(page).decode())


def arguments():
    """usage: PROGRAM ADDRESS DOWNLOADS [AT_ONCE]; gives the pages, and how many are downloaded at once."""
    address, count, *at_once = [word for word in sys.argv[1:] if not word.startswith("--")]
    return [f"{address}/page/{number}" for number in range(int(count))], int(*at_once or [50])


def report(files, errors):
    """`files` are what was downloaded, `errors` are {URL: why}."""
    told = [{"url": url, "error": str(error)} for url, error in errors.items()]
    print(json.dumps({"got": len(files), "errors": told}))
