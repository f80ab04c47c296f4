"""Rung 1, a loop: one download after the other.

Easy to read and to debug: an error is where it happened, and nothing else goes on meanwhile. That is its price, too:
the whole takes as long as all waiting together, though the program has nothing to do but wait.
"""

from client import Failed, arguments, download, report

pages, _ = arguments()
files, errors = {}, {}
for page in pages:
    try:
        files[page] = download(page)
    except Failed as error:
        errors[page] = error
report(files, errors)
