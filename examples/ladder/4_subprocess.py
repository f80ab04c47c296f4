"""Rung 4, a program for each request: curl, or Python where there is none.

Any program in any language can be the worker, and what it does cannot harm this one. A process is started for each
request, though, and of an error only what programs give each other comes back: a number, and a line of text.
"""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from client import Failed, arguments, report

PYTHON = "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())"
if shutil.which("curl"):
    COMMAND = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30"]
else:
    COMMAND = [sys.executable, "-c", PYTHON]


def fetch(url):
    done = subprocess.run([*COMMAND, url], capture_output=True)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
        raise Failed(f"exit code {done.returncode}: {said[-1]}")
    return done.stdout


def download(page):
    """(page, file, None) or (page, None, error): with `map` an exception would end the whole."""
    try:
        return page, fetch(fetch(page).decode()), None
    except Failed as error:
        return page, None, error


pages, at_once = arguments()
with ThreadPoolExecutor(at_once) as pool:  # a thread for each, which waits for its program
    done = list(pool.map(download, pages))
report([file for _, file, error in done if not error], {page: error for page, _, error in done if error})
