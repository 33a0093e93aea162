# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is known of a pattern before it runs: its cost and its picture. The compiler knows; this asks it."""

import functools
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import NumpyArrays, View
from .call import CallMemory, CallOptions, take_arguments
from .compiler import ISAS_OF_HOST, Compilation, Options, Source
from .errors import CompileError
from .loaded import KernelInfo

if TYPE_CHECKING:
    from .algebra import Pattern

# Compilations that are kept for further questions.
_MOST_PLANNED = 8


class Report(dict[str, Any]):
    """Cost of a call: the keys of `attn-compile --emit=report --json`, among them admitted_pairs, computed_pairs (of a
    head, in the mean), waste (their ratio), plan_bytes, workspace_bytes, bytes, flops, predicted_ms (milliseconds) and
    phases. Prints as a table."""

    def __init__(self, values: Mapping[str, Any], text: str):
        super().__init__(values)
        self.text = text

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Picture:
    """A pattern's picture: query rows down, keys across, a colour for each phase that computes its rows alone; tinted
    what of the visited tiles is multiplied in vain. Prints as text: '#' all pairs of a cell, '+' some, '.' none."""

    text: str
    svg: str
    _draw_png: Callable[[], bytes]

    def __repr__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes a .svg, .png or .txt file."""
        file = Path(path)
        if file.suffix not in (".svg", ".png", ".txt"):
            raise ValueError(f"'{file}' is no picture's name; end it with .svg, .png or .txt")
        file.write_bytes(self._draw_png() if file.suffix == ".png" else
                         (self.svg if file.suffix == ".svg" else self.text).encode())
        return file


@dataclass(frozen=True)
class Sizes:
    """The sizes of a call that is described, not run."""

    length: int
    batch: int = 1
    heads: int = 1
    kv_heads: int | None = None
    kv_length: int | None = None
    query_offset: int | None = None
    key_offset: int = 0

    @property
    def keys(self) -> int:
        return self.length if self.kv_length is None else self.kv_length

    def views(self, info: KernelInfo) -> list[View | None]:
        """Query, key, value, output and lse."""
        kv_heads = self.heads if self.kv_heads is None else self.kv_heads
        shapes = [(self.batch, self.heads, self.length, info.head_size),
                  (self.batch, kv_heads, self.keys, info.head_size),
                  (self.batch, kv_heads, self.keys, info.value_head_size),
                  (self.batch, self.heads, self.length, info.value_head_size)]
        return [View.dense(info.element, shape) for shape in shapes] + [None]


def choose_kernel(names: list[str], wanted: str | None, stem: str) -> str:
    """Of several kernels the one that is named, or named as the file is."""
    if wanted is None:
        wanted = names[0] if len(names) == 1 else stem
    if wanted not in names:
        raise CompileError(f"there is no kernel '{wanted}'; name one of {', '.join(names)} with kernel=")
    return wanted


class _Planned:
    """A compilation that is asked again and again, by one thread at a time."""

    def __init__(self, source: Source, options: Options):
        self.lock = threading.Lock()
        self.compilation = Compilation(source, options)
        self.infos = [KernelInfo(info) for info in self.compilation.kernels]


@functools.lru_cache(maxsize=_MOST_PLANNED)
def _plan(source: Source, options: Options, score_text: str) -> _Planned:
    """score_text: of a score that `options` names by its path, whose file may change."""
    return _Planned(source, options)


def _describe(pattern: "Pattern", length: int, descriptions: list[str], *, score: str | os.PathLike[str] | None = None,
              element: str = "f32", head_size: int = 64, value_head_size: int | None = None, target: str = "cpu",
              kernel: str | None = None, batch: int = 1, heads: int = 1, kv_heads: int | None = None,
              kv_length: int | None = None, query_offset: int | None = None, key_offset: int = 0, seed: int = 0,
              **arguments: Any) -> list[bytes]:
    """Run-time data that neither the pattern nor the call gives is drawn from the seed."""
    from .draw import draw
    from .shipped import resolve_score

    source, score_name, score_text = resolve_score(pattern.source, score)
    options = Options("", target, element, score_name, head_size, value_head_size or 0, ISAS_OF_HOST)
    planned = _plan(source, options, score_text)
    names = [info.name for info in planned.infos]
    index = names.index(choose_kernel(names, kernel, pattern.name))
    info = planned.infos[index]
    sizes = Sizes(length, batch, heads, kv_heads, kv_length, query_offset, key_offset)
    given, scalars = take_arguments(info, {**pattern.arguments, **arguments})
    data = {name: NumpyArrays.data(value, info.data[name].is_float, None) for name, value in given.items()}
    for name, missing in info.data.items():
        if name not in data and not missing.has_default:
            data[name] = draw(info, missing, sizes, scalars, seed)
    views = sizes.views(info) + [None] * len(info.data)
    for name, value in data.items():
        views[info.data[name].place] = NumpyArrays.view(value, name)
    memory = CallMemory(info, views, scalars, CallOptions(None, query_offset, key_offset))
    for name, value in data.items():
        memory.set_address(info.data[name].place, NumpyArrays.address(value))
    with planned.lock:
        return [planned.compilation.describe(index, description, memory.call) for description in descriptions]


def make_report(pattern: "Pattern", length: int, **options: Any) -> Report:
    """Pattern.report()"""
    values, text = _describe(pattern, length, ["REPORT_JSON", "REPORT_TEXT"], **options)
    return Report(json.loads(values), text.decode())


def draw_picture(pattern: "Pattern", length: int, **options: Any) -> Picture:
    """Pattern.show()"""
    text, svg = _describe(pattern, length, ["MASK_TEXT", "MASK_SVG"], **options)
    return Picture(text.decode(), svg.decode(), lambda: _describe(pattern, length, ["MASK_PNG"], **options)[0])
