"""Writes a C file with files as data: what `weir new` writes, the examples with what examples/README.md says of
them, the files that examples need beside them, and those of examples/ladder, which `weir bench ladder` runs.

usage: embed.py OUTPUT README TEMPLATE... -- EXAMPLE... -- PART OF AN EXAMPLE... -- FILE OF THE LADDER...
"""

import pathlib
import re
import shlex
import sys

# | `examples/calculator/calculator.json --input line="add 40 and 2"` | a dataflow; … |
ROW = re.compile(r"^\| `examples/([^`\s]+)\s*([^`]*)` \| (.*?) \|$", re.M)


def text(value):
    return '"' + "".join(c if c.isascii() and c.isprintable() and c not in '"\\?' else escape(c) for c in value) + '"'


def escape(character):
    return "".join(f"\\{byte:03o}" for byte in character.encode())


def data(name, path):
    bytes_ = path.read_bytes()
    lines = [", ".join(str(byte if byte < 128 else byte - 256) for byte in bytes_[at : at + 24]) for at in range(0, len(bytes_), 24)]
    return f"static const char {name}[] = {{{','.join(f'{chr(10)}    {line}' for line in lines)}}};\n"


def main():
    output, readme, *files = sys.argv[1:]
    groups = [[pathlib.Path(file) for file in group.split("\n") if file] for group in "\n".join(files).split("--")]
    templates, examples, parts, ladder = groups
    rows = {path: (shlex.split(arguments), idea) for path, arguments, idea in ROW.findall(pathlib.Path(readme).read_text())}
    out = ['#include "cli/example.h"\n']
    table = ["const weir_embedded weir_templates[] = {\n"]
    for number, path in enumerate(templates):
        out.append(data(f"template_{number}", path))
        table.append(f"    {{{text(path.stem)}, {text(path.name)}, template_{number}, sizeof template_{number}, 0, 0}},\n")
    table.append("    {0}};\n\nconst weir_embedded weir_examples[] = {\n")
    for number, path in enumerate(examples):
        inside = "/".join(path.parts[-2:])
        if inside not in rows:
            sys.exit(f"{readme} has no row for examples/{inside}")
        arguments, idea = rows[inside]
        out.append(data(f"example_{number}", path))
        words = ", ".join([text(word) for word in arguments] + ["0"])
        out.append(f"static const char *const arguments_{number}[] = {{{words}}};\n")
        table.append(
            f"    {{{text(path.stem)}, {text(inside)}, example_{number}, sizeof example_{number},\n"
            f"     {text(idea)}, arguments_{number}}},\n"
        )
    out.append("".join(table) + "    {0}};\n")
    for kind, paths, depth in (("example_parts", parts, 2), ("ladder_files", ladder, 1)):
        table = [f"\nconst weir_embedded weir_{kind}[] = {{\n"]
        for number, path in enumerate(paths):
            name = f"{kind}_{number}"
            out.append(data(name, path))
            table.append(f"    {{{text(path.stem)}, {text('/'.join(path.parts[-depth:]))}, {name}, sizeof {name}, 0, 0}},\n")
        out.append("".join(table) + "    {0}};\n")
    pathlib.Path(output).write_text("".join(out))


main()
