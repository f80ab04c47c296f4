"""Rung 2, threads: many wait at the same time.

As most of us write it first, and it is quick. But a download that fails ends its function by an exception, which is kept
in a future that nobody has: nothing is printed, the exit code is 0, and the file is not there.
"""

from concurrent.futures import ThreadPoolExecutor

from client import arguments, download, report

pages, at_once = arguments()
files = {}


def work(page):
    files[page] = download(page)  # several threads write into one dictionary: here each its own key


with ThreadPoolExecutor(at_once) as pool:
    for page in pages:
        pool.submit(work, page)
report(files, {})
