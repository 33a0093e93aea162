# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a page for each shipped pattern: what it is, its picture, its source, how it is called and what it costs.

    write-pattern-pages.py FOLDER 'NAME ARGUMENTS OF THE PICTURE' ...

Needs the Python package attn_mlir (PYTHONPATH) and NumPy. The numbers are the plan's; nothing is run.
"""

import re
import sys
import textwrap
from pathlib import Path

import attn_mlir as attn

LENGTHS = (4096, 16384)  # the last of which has its phases shown

PAGE = """# {name}

{about}

<img src="../../patterns/pictures/{name}.svg" width="360" alt="{name}">

256 query rows down and 256 keys across, in tiles of 32{drawn}.

## The pattern

```mlir
{source}```

## A call

```sh
attn-run patterns/{name}.mlir --length=4096 --check
```

```python
out = attn.attention(q, k, v, {call})
```

{arguments}

## What it costs

On a CPU in f32, for one head. Waste is pairs multiplied, with the padding of tiles, for each pair admitted.{assumed}

| rows | pairs admitted | of all | waste |
|---:|---:|---:|---:|
{costs}
Its phases at {length:,} rows:

| computes | in the order | keys in the order | pairs admitted | waste |
|---|---|---|---:|---:|
{phases}"""


def split_source(text: str) -> tuple[str, str]:
    """The comment in front, as Markdown, and the pattern. Formulas stand three spaces to the right."""
    comment, source = re.fullmatch(r"// SPDX.*\n((?://.*\n)*)\n?([^/][\s\S]*)", text).groups()
    lines = [line.removeprefix("//").removeprefix(" ") for line in comment.splitlines()]
    paragraphs = "\n".join(lines).strip("\n").split("\n\n")
    return "\n\n".join(f"```\n{textwrap.dedent(paragraph)}\n```" if paragraph.startswith("  ") else paragraph
                       for paragraph in paragraphs), source


def read_parameters(source: str) -> list[tuple[str, str, str]]:
    """Name, type and default, which may be missing, of each parameter."""
    signature = re.search(r"attn\.pattern @\w+(?:\((.*?)\))?", source, re.DOTALL)[1] or ""
    return re.findall(r"%(\w+): ([!\w.]+)(?: = (\[[^\]]*\]|[^,\s]+))?", signature)


def describe_arguments(parameters: list[tuple[str, str, str]]) -> str:
    if not parameters:
        return "It has no arguments."
    rows = [f"| `{name}` | `{kind}` | {f'`{default}`' if default else 'none, data of the call'} |"
            for name, kind, default in parameters]
    return "\n".join(["| argument | type | default |", "|---|---|---|", *rows])


def write_page(name: str, picture_arguments: list[str]) -> str:
    about, source = split_source((attn.shipped.FOLDER / f"{name}.mlir").read_text())
    pattern = attn.pattern(name)
    heads = 2 if "per_head" in source or "head mod" in source else 1
    reports = {length: pattern.report(length, heads=heads) for length in LENGTHS}
    costs = "".join(f"| {length:,} | {report['admitted_pairs']:,.0f} | {report['admitted_pairs'] / length**2:.2%} | "
                    f"{report['waste']:.2f} |\n" for length, report in reports.items())
    length = LENGTHS[-1]
    phases = "".join(f"| {phase['clause']} | {phase['query_order']} | {phase['key_order']} | "
                     f"{phase['admitted_pairs']:,.0f} | {phase['waste']:.2f} |\n"
                     for phase in reports[length]["phases"])
    parameters = read_parameters(source)
    needed = [parameter for parameter, _, default in parameters if not default]
    drawn = [argument for argument in picture_arguments if argument != "--arg"]
    return PAGE.format(
        name=name, about=about, source=source, arguments=describe_arguments(parameters),
        call=", ".join([f'pattern="{name}"', *(f"{each}={each}" for each in needed)]), costs=costs,
        phases=phases, length=length,
        drawn=f", with {', '.join(f'`{each}`' for each in drawn)}" if drawn else "",
        assumed="".join([f" Drawn at random: {', '.join(f'`{each}`' for each in needed)}." if needed else "",
                         " Numbers are the mean of an even and an odd head." if heads == 2 else ""]))


def main(folder: str, *pictures: str) -> None:
    for picture in pictures:
        name, *arguments = picture.split()
        (Path(folder) / f"{name}.md").write_text(write_page(name, arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
