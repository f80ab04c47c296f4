"""Rung 3, pools of threads or of processes, whose futures are asked.

`result()` gives what the function returned, or raises what it raised: no error is lost, and nothing is shared. One word
makes processes of the threads (--processes), which also compute at the same time. Each is an interpreter of its own, with
its own memory, and what goes to it and comes back, exceptions too, is copied: pickled.
"""

import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed

from client import Failed, arguments, download, report

Pool = ProcessPoolExecutor if "--processes" in sys.argv else ThreadPoolExecutor

if __name__ == "__main__":  # a process of the pool may read this file again
    pages, at_once = arguments()
    files, errors = {}, {}
    with Pool(min(at_once, len(pages))) as pool:
        page_of = {pool.submit(download, page): page for page in pages}
        for future in as_completed(page_of):
            try:
                files[page_of[future]] = future.result()
            except Failed as error:
                errors[page_of[future]] = error
    report(files, errors)
