# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python -m attn_mlir list | show PATTERN | report PATTERN | bench PATTERN

PATTERN is the name of a shipped pattern or the path of a file; arguments of it are given as NAME=VALUE, lists as
NAME=V1,V2,...
"""

import argparse
import itertools
import sys
from typing import Any

import attn_mlir as attn

from .bench import Measurement, measure, plot


def _value(text: str) -> Any:
    """An int, a float, or a list of ints."""
    if "," in text:
        return [int(part) for part in text.split(",") if part]
    try:
        return int(text)
    except ValueError:
        return float(text)


def _arguments(texts: list[str]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise attn.CallError(f"'{name}{equals}{value}' is no argument; write NAME=VALUE")
    try:
        return {name: _value(value) for name, _, value in pairs}
    except ValueError as error:
        raise attn.CallError(f"{error}; write NAME=NUMBER or NAME=V1,V2,...") from None


def _list(options: argparse.Namespace) -> None:
    for title, names in (("patterns", attn.pattern_names()), ("scores", attn.score_names())):
        print(f"{title}:")
        for name in names:
            print(f"  {name}")


def _show(options: argparse.Namespace) -> None:
    picture = attn.pattern(options.pattern).show(options.length, **_arguments(options.arguments))
    if options.output:
        picture.save(options.output)
    else:
        print(picture.text, end="")


def _report(options: argparse.Namespace) -> None:
    report = attn.pattern(options.pattern).report(options.length, target=options.target, element=options.element,
                                                  head_size=options.head_size, **_arguments(options.arguments))
    print(report, end="")


def _bench(options: argparse.Namespace) -> None:
    lengths = list(itertools.takewhile(lambda length: length <= options.length,
                                       (options.first << step for step in itertools.count())))
    measured: list[Measurement] = []
    for done, length in enumerate(lengths):
        bar = "#" * (40 * done // len(lengths))
        print(f"\r[{bar:<40}] {length} rows", end="", file=sys.stderr, flush=True)
        measured.append(measure(options.pattern, length, options.heads, options.head_size, options.threads,
                                _arguments(options.arguments)))
    print(f"\r[{'#' * 40}]" + " " * 20, file=sys.stderr)
    print(plot(options.pattern, measured), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m attn_mlir", description="What attention patterns are, and cost")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str, length: int | None) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        if length is not None:
            command.add_argument("pattern", help="a shipped pattern's name, or a file")
            command.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="arguments of the pattern")
            command.add_argument("--length", type=int, default=length, help=f"query and key rows ({length})")
        return command

    add("list", _list, "list the shipped patterns and scores", None)
    show = add("show", _show, "draw a pattern", 64)
    show.add_argument("-o", "--output", help="a .svg, .png or .txt file instead of the terminal")
    report = add("report", _report, "say what a call would cost", 4096)
    report.add_argument("--target", default="cpu", help="cpu (default) or sm_90a")
    report.add_argument("--element", default="f32", help="f32 (default), bf16 or f16")
    bench = add("bench", _bench, "time a pattern beside torch's dense attention, on the CPU in f32", 4096)
    bench.add_argument("--first", type=int, default=512, help="the shortest length; it doubles up to --length (512)")
    bench.add_argument("--heads", type=int, default=8, help="query heads (8)")
    bench.add_argument("--threads", type=int, default=None, help="worker threads (all)")
    for command in (report, bench):
        command.add_argument("--head-size", type=int, default=64, help="columns of a head (64)")
    return parser


def main() -> int:
    options = _parser().parse_args()
    try:
        options.run(options)
    except (attn.Error, ValueError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
