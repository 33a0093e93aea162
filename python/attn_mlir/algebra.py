# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Patterns: sets of pairs (query row, key row) that attend. They are values that compose, and print as MLIR.

    longformer = attn.window(256, 256) | attn.global_tokens([0])
    print(longformer)

`a | b` admits what either admits, `a & b` what both do, `a - b` what a does and b does not, `~a` the rest. Precedence
is Python's: `~` binds tightest, then `-`, then `&`, then `|`, so `a | b & c - d` is `a | (b & (c - d))`.

Atoms speak of positions: query row i stands at query_offset + i, key row j at key_offset + j. Their numbers are
parameters of the pattern: Python ints become defaults, which a call may replace by name (`kernel(q, k, v, left=128)`);
arrays are run-time data, which the pattern holds and passes on each call. A number for each query head is a list (a
default) or an array (run-time data) where an int is expected. Patterns that differ in their defaults are compiled one
by one; to try many windows, compile one and give them by name.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .compiler import Source
from .describe import Picture, Report, draw_picture, make_report

Size = Any  # int, a list or array with a number for each query head, or a Parameter
Integers = Any  # a list of ints, or of such lists, or an int32 array: NumPy, torch, or anything that has __dlpack__


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter of a pattern. Its name is what calls give it by; a number is appended where two have the same."""

    name: str
    type: str
    default: str | None = None
    data: Any = None  # run-time data


@dataclass(frozen=True, eq=False)
class _Op:
    """An op of a pattern's body: its text, with {} for each operand, and names for its results."""

    text: str
    operands: tuple["_Value", ...]
    results: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Result:
    op: _Op
    number: int = 0


_Value = Parameter | Result
Coordinate = Result


def parameter(name: str, value: Any) -> Parameter:
    """A parameter with a name of one's own. Used in several places it is one parameter.

    value: an int, a list of ints (a number for each query head, or tokens), or an int32 array (run-time data).
    """
    return _as_parameter(name, value)


def _is_array(value: Any) -> bool:
    return hasattr(value, "__dlpack__") or hasattr(value, "__array_interface__")


def _as_parameter(name: str, value: Any, kind: str = "per_head") -> Parameter:
    """An int is an index; `kind` is the type of lists and arrays."""
    if isinstance(value, Parameter):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Parameter(name, f"!attn.{kind}", f"[{', '.join(str(operator.index(item)) for item in value)}]")
    if _is_array(value) and getattr(value, "shape", ()) != ():
        return Parameter(name, f"!attn.{kind}", None, value)
    try:
        return Parameter(name, "index", str(operator.index(value)))
    except TypeError:
        raise TypeError(f"{name} is a {type(value).__name__}; give an int, a list of ints or an int32 array") from None


def _as_index(name: str, value: Size) -> _Value:
    """A number of the call: the query head's own where there is one for each."""
    if isinstance(value, Result):
        return value
    given = _as_parameter(name, value)
    if given.type == "!attn.per_head":
        return Result(_Op("attn.of_head {}", (given,), (f"{given.name}_of_head",)))
    return given


# Lists of these are data of the call: the dialect has no defaults of theirs.
_WITHOUT_DEFAULTS = {"segments", "blocks"}


def _list_to_array(name: str, value: Sequence[Any]) -> np.ndarray:
    try:
        array = np.array(value)
    except ValueError:
        raise TypeError(f"{name} is a list of lists of different lengths; pad them with -1") from None
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} is a list of {array.dtype}; give ints")
    return array


def _as_data(name: str, kind: str, value: Integers) -> Parameter:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if is_list and (kind in _WITHOUT_DEFAULTS or any(isinstance(item, Sequence) for item in value)):
        value = _list_to_array(name, value)
    given = _as_parameter(name, value, kind)
    if given.type == "index":
        raise TypeError(f"{name} is one number; give a list of ints or an int32 array")
    return given if given.type == f"!attn.{kind}" else Parameter(given.name, f"!attn.{kind}", given.default, given.data)


class _Writer:
    """Writes ops once each, operands first, and gives names."""

    def __init__(self) -> None:
        self.parameters: dict[str, Parameter] = {}
        self.lines: list[str] = []
        self.names: dict[int, str] = {}
        self.taken: set[str] = set()

    def name(self, hint: str) -> str:
        name, number = hint, 1
        while name in self.taken:
            number += 1
            name = f"{hint}{number}"
        self.taken.add(name)
        return name

    def write(self, value: _Value) -> str:
        """The name of a value, written if it was not before."""
        if isinstance(value, Parameter):
            if id(value) not in self.names:
                self.names[id(value)] = self.name(value.name)
                self.parameters[self.names[id(value)]] = value
            return "%" + self.names[id(value)]
        op = value.op
        if id(op) not in self.names:
            operands = [self.write(operand) for operand in op.operands]
            results = [self.name(hint) for hint in op.results]
            self.names[id(op)] = ", %".join(results)
            self.lines.append(f"  %{self.names[id(op)]} = {op.text.format(*operands)}")
        return "%" + self.names[id(op)].split(", %")[value.number]


class Pattern:
    """A set of pairs. Immutable; safe to use from several threads. Made by the functions of this module."""

    name: str
    source: Source
    arguments: Mapping[str, Any]  # what is passed on each call, by name

    def report(self, length: int, **options: Any) -> Report:
        """What a call would do, before it runs: pairs, waste, bytes, predicted time.

        length: query rows, and key rows unless kv_length is given. options: batch, heads, kv_heads, kv_length,
        query_offset, key_offset; element, head_size, value_head_size, target, score, kernel as of compile(); and
        arguments of the pattern by name. Raises CompileError, or CallError for a call that would be refused.
        """
        return make_report(self, length, **options)

    def show(self, length: int = 256, **options: Any) -> Picture:
        """The picture of the first batch and head: in a notebook a drawing, printed as text, saved as .svg, .png or
        .txt. Options are those of report()."""
        return draw_picture(self, length, **options)

    def __str__(self) -> str:
        return self.source.text

    def __repr__(self) -> str:
        return f"<attn_mlir.Pattern {self.name}>"

    def __or__(self, other: "Pattern") -> "Pattern":
        return _combine("union", self, other)

    def __and__(self, other: "Pattern") -> "Pattern":
        return _combine("intersect", self, other)

    def __sub__(self, other: "Pattern") -> "Pattern":
        return _combine("minus", self, other)

    def __invert__(self) -> "Pattern":
        return full() - self


@dataclass(frozen=True, eq=False, repr=False)
class _Composed(Pattern):
    """A pattern that was put together in Python."""

    value: Result
    name: str = "pattern"
    source: Source = field(init=False)
    arguments: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        writer = _Writer()
        result = writer.write(self.value)
        signature = ", ".join(f"%{name}: {given.type}" + (f" = {given.default}" if given.default else "")
                              for name, given in writer.parameters.items())
        body = "\n".join(writer.lines)
        text = f"attn.pattern @{self.name}({signature}) {{\n{body}\n  attn.yield {result}\n}}\n"
        data = {name: given.data for name, given in writer.parameters.items() if given.data is not None}
        object.__setattr__(self, "source", Source(text, self.name))
        object.__setattr__(self, "arguments", data)

    def named(self, name: str) -> Pattern:
        """The same pattern under another name, which its kernel and messages have."""
        if not (name.isidentifier() and name.isascii()):
            raise ValueError(f"pattern name {name!r} is no C identifier; use letters, digits and _")
        return _Composed(self.value, name)


def _combine(operation: str, left: Pattern, right: Any) -> Pattern:
    if not isinstance(right, Pattern):
        return NotImplemented
    values = []
    for member in (left, right):
        if not isinstance(member, _Composed):
            raise TypeError(f"{member!r} is a file and cannot be composed; write {operation} into a file of your own, "
                            "or compose atoms")
        op = member.value.op
        # a | b | c is one union of three.
        is_chain = operation != "minus" and op.text.startswith(f"attn.{operation} ") and not (member is right)
        values += op.operands if is_chain else [member.value]
    text = f"attn.{operation} " + ", ".join(["{}"] * len(values))
    result = {"union": "either", "intersect": "both", "minus": "rest"}[operation]
    return _Composed(Result(_Op(text, tuple(values), (result,))))


# Atoms


Clause = tuple[str, _Value | None]


def _write_op(text: str, clauses: tuple[Clause, ...], *results: str) -> _Op:
    """An op with those of its clauses whose value is given."""
    given = [(clause, value) for clause, value in clauses if value is not None]
    return _Op(" ".join([text, *(clause for clause, _ in given)]), tuple(value for _, value in given), results)


def make_atom(text: str, operands: tuple[_Value, ...], result: str) -> Pattern:
    """An atom by its op's text, with {} for each operand; `result` is its name."""
    return _Composed(Result(_Op(text, operands, (result,))))


def _atom(result: str, text: str, *clauses: Clause) -> Pattern:
    return _Composed(Result(_write_op(text, clauses, result)))


def _index(name: str, clause: str, value: Size | None) -> Clause:
    return clause, None if value is None else _as_index(name, value)


def full() -> Pattern:
    """Every pair (Vaswani et al., 2017)."""
    return _atom("all", "attn.full")


def empty() -> Pattern:
    """No pair."""
    return _atom("none", "attn.empty")


def causal(*, on: Coordinate | None = None, top_left: bool = False) -> Pattern:
    """Keys at or before the query, k <= p. Lengths that differ are aligned at the bottom right, unless a call gives a
    query offset; with top_left, rows are counted from 0."""
    return _atom("past", "attn.causal top_left" if top_left else "attn.causal", ("on {}", on))


def window(left: Size | None = None, right: Size | None = None, *, dilation: Size | None = None,
           on: Coordinate | None = None) -> Pattern:
    """Keys near the query, p - left <= k <= p + right; both ends belong to it, and a side that is None is unbounded
    (Longformer, Beltagy et al., 2020). With a dilation d, sides count taps: k = p + t d. Sides are at least 0,
    dilations at least 1."""
    return _atom("near", "attn.window", _index("left", "left({})", left), _index("right", "right({})", right),
                 _index("dilation", "dilation({})", dilation), ("on {}", on))


def block_local(block: Size, *, before: Size | None = None, after: Size | None = None,
                on: Coordinate | None = None) -> Pattern:
    """Keys in the query's block of `block` positions, and in so many positions before and after it."""
    return _atom("own", "attn.block_local", _index("block", "{}", block), _index("before", "before({})", before),
                 _index("after", "after({})", after), ("on {}", on))


def neighborhood(size: Size, *, on: Coordinate) -> Pattern:
    """`size` values of a grid's axis around the query's, shifted back at the edges (Hassani et al., 2023)."""
    return _atom("around", "attn.neighborhood", _index("size", "{}", size), ("on {}", on))


def congruent(of: str, modulus: Size, *, first: Size | None = None, last: Size | None = None,
              on: Coordinate | None = None) -> Pattern:
    """Pairs for which first <= x mod modulus <= last, x being the `of`: "difference" (query - key), "query", "key" or
    "head" (Sparse Transformer, Child et al., 2019). `first` is 0 and `last` is `first` unless they are given."""
    kinds = {"difference": "(query - key)", "query": "query", "key": "key", "head": "head"}
    if of not in kinds:
        raise ValueError(f"congruent of {of!r}; use {', '.join(kinds)}")
    return _atom("congruent", f"attn.congruent {kinds[of]}", _index("modulus", "mod({})", modulus),
                 _index("first", "from({})", first), _index("last", "to({})", last), ("on {}", on))


def _check_side(side: str) -> str:
    if side not in ("both", "rows", "columns"):
        raise ValueError(f"side {side!r}; use rows (queries), columns (keys) or both")
    return side


def between(first: Size | None = None, end: Size | None = None, *, side: str = "both") -> Pattern:
    """Pairs whose query position x (side="rows"), whose key position (side="columns"), or either (side="both") has
    first <= x < end."""
    return _atom("range", f"attn.range {_check_side(side)}", _index("first", "from({})", first),
                 _index("end", "below({})", end))


def heads(first: Size | None = None, end: Size | None = None, *, flags: Integers | None = None) -> Pattern:
    """Every pair of the query heads first <= h < end, or of those whose flag is not 0 (flags: [heads])."""
    return _atom("heads", "attn.heads", _index("first", "from({})", first), _index("end", "below({})", end),
                 ("in {}", None if flags is None else _as_data("flags", "per_head", flags)))


def global_tokens(tokens: Integers, *, side: str = "both") -> Pattern:
    """Tokens that see all (side="rows"), are seen by all (side="columns"), or both (Longformer, Beltagy et al., 2020).

    tokens: positions, [tokens] or [batch, tokens]; -1 pads.
    """
    which = "" if _check_side(side) == "both" else f" {side}"
    return _atom("hub", f"attn.global{which}", ("{}", _as_data("tokens", "tokens", tokens)))


def segments(ids: Integers) -> Pattern:
    """Keys in the query's segment: packed documents. ids: one for each position from 0, [positions] or [batch,
    positions]."""
    return _atom("same", "attn.segments", ("{}", _as_data("segments", "segments", ids)))


def padded(lengths: Integers) -> Pattern:
    """Keys before the batch's length; masks keys only. lengths: [batch]."""
    return _atom("present", "attn.padded", ("{}", _as_data("lengths", "lengths", lengths)))


def block_table(table: Integers, block: Size) -> Pattern:
    """Key blocks that a table lists for each block of queries (BigBird's random blocks, Zaheer et al., 2020).

    table: [heads, query blocks, any] or [batch, heads, query blocks, any]; -1 pads. block: positions of a block.
    """
    return _atom("drawn", "attn.block_table", ("{}", _as_data("table", "blocks", table)),
                 _index("block", "block({})", block))


# Numbers and coordinates


def per_batch(values: Integers) -> Result:
    """A number for each batch, [batch], to be given where an int is expected."""
    return Result(_Op("attn.of_batch {}", (_as_data("values", "lengths", values),), ("of_batch",)))


def _coordinates(operation: str, sizes: tuple[Size, ...], hints: tuple[str, ...]) -> tuple[Coordinate, ...]:
    indices = tuple(_as_index("size", size) for size in sizes)
    op = _Op(f"attn.{operation} [" + ", ".join(["{}"] * len(indices)) + "]", indices, hints)
    return tuple(Result(op, i) for i in range(len(hints)))


def grid(*sizes: Size) -> tuple[Coordinate, ...]:
    """The axes of a grid that positions fill row by row; sizes are those of its inner axes, so there is one axis more:
    `row, column = grid(width)`. Atoms take an axis as `on`."""
    hints = ("row", "column") if len(sizes) == 1 else tuple(f"axis{i}" for i in range(len(sizes) + 1))
    return _coordinates("grid", sizes, hints)


def stream(*sizes: Size) -> tuple[Coordinate, ...]:
    """Places in streams of positions that stand one behind the other; sizes are those of all but the last."""
    return _coordinates("stream", sizes, tuple(f"stream{i}" for i in range(len(sizes) + 1)))


def offset(ids: Integers) -> Coordinate:
    """Places in segments: how many earlier positions are in the position's own. ids: as of segments()."""
    return Result(_Op("attn.offset {}", (_as_data("segments", "segments", ids),), ("offset",)))


def raster(axes: Sequence[Coordinate], blocks: Sequence[Size]) -> Coordinate:
    """The order of a grid's points block by block (Image Transformer, Parmar et al., 2018). blocks: a size for each
    axis of the grid, outermost first."""
    sizes = tuple(_as_index("block", block) for block in blocks)
    text = "attn.raster " + ", ".join(["{}"] * len(axes)) + " blocks [" + ", ".join(["{}"] * len(sizes)) + "]"
    return Result(_Op(text, (*axes, *sizes), ("place",)))
