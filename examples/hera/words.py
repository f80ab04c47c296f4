"""The longest words of some lines: a task for each line, and one that joins what they found."""

import sys

from hera.workflows import DAG, Workflow, script


@script()
def split(text: str):
    import json

    print(json.dumps(text.split(";")))


@script()
def longest(line: str):
    import json

    print(json.dumps(max(line.split(), key=len)))


@script()
def join(words: list):
    print(" ".join(words))


with Workflow(generate_name="words-", entrypoint="main", arguments={"text": "a short line;another one"}) as w:
    with DAG(name="main"):
        lines = split(arguments={"text": "{{workflow.parameters.text}}"})
        each = longest(with_param=lines.result, arguments={"line": "{{item}}"})
        lines >> each >> join(arguments={"words": each.result})

if __name__ == "__main__":
    done = w.create(wait=True)
    print(f"{done.metadata.name} {done.status.phase}, for {sys.argv[1:] or 'nobody'}")
