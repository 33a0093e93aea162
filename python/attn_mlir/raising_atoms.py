# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Atoms that raising tries: the largest that hold none of some pairs, and the smallest that hold all pairs of a mask.
Most of them choose lines of an axis: rows, columns, or diagonals (the difference query - key).

Pairs that a member must not have are called bad, those that decide are cared for; others may be taken or not.
"""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import algebra
from .algebra import Pattern

Pairs = np.ndarray  # booleans, [rows, keys]
Positions = Any

AXES = ("difference", "key", "query")
_SIDES = {"query": "rows", "key": "columns"}
# The cost of an atom is one half, and one half more for each number in which it is said.
_HALF = 0.5
_COMPOUND = 2.0
_TABLE = 4.0
# Classes with fewer lines than this are chance.
_LEAST_REPEATS = 3


@dataclass(frozen=True, eq=False)
class Atom:
    """An atom; or two, if one says it not."""

    make: Callable[[], Pattern]
    contains: Callable[[Positions, Positions], Pairs]  # of query and key positions, which spread
    cost: float = 1.0
    is_full: bool = False
    has_positions: bool = False  # whether it lists all positions, and so says nothing of a longer sequence


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of an axis: booleans."""

    axis: str
    chosen: np.ndarray


class Grid:
    """Rows and keys; the last row stands beside the last key."""

    def __init__(self, rows: int, keys: int):
        self.rows, self.keys = rows, keys
        self.positions = {"query": np.arange(keys - rows, keys, dtype=np.int32),
                          "key": np.arange(keys, dtype=np.int32),
                          "difference": np.arange(1 - rows, keys, dtype=np.int32)}

    @property
    def diagonal(self) -> int:
        """The index of difference 0."""
        return self.rows - 1

    @property
    def all_lines(self) -> Lines:
        return Lines("key", np.ones(self.keys, bool))

    def pairs(self, atom: Atom, rows: slice = slice(None)) -> Pairs:
        query = self.positions["query"][rows, None]
        return np.broadcast_to(atom.contains(query, self.positions["key"]), (len(query), self.keys))

    def count(self, pairs: Pairs, axis: str) -> np.ndarray:
        """How many of the pairs each line has."""
        if axis != "difference":
            return pairs.sum(1 if axis == "query" else 0)
        # Diagonals become columns where each row begins one column further to the right than the one above it.
        sheared = np.zeros((self.rows, self.rows + self.keys), bool)
        sheared[:, : self.keys] = pairs[:, ::-1]
        width = self.rows + self.keys - 1
        return sheared.ravel()[: self.rows * width].reshape(self.rows, width).sum(0)

    def has(self, pairs: Pairs, axis: str) -> np.ndarray:
        return self.count(pairs, axis) > 0


def _line(axis: str, p: Positions, k: Positions) -> Positions:
    """The line on which a pair lies, as a position on the axis."""
    return p - k if axis == "difference" else p if axis == "query" else k


def _runs(chosen: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2])]


# ----------------------------------------------------------------------------------------------------------------------
# Intervals
# ----------------------------------------------------------------------------------------------------------------------


def _band(low: int | None, high: int | None) -> Pattern:
    """low <= query - key <= high"""
    if low is not None and low > 0:
        return _band(0, high) - algebra.window(low - 1, 0)
    if high is not None and high < 0:
        return _band(low, 0) - algebra.window(0, -high - 1)
    if low == 0 and high is None:
        return algebra.causal()
    return algebra.window(high, None if low is None else -low)


def _interval(axis: str, low: int | None, high: int | None) -> Atom:
    """low <= x <= high"""
    if low is None and high is None:
        return Atom(algebra.full, lambda p, k: np.True_, _HALF, is_full=True)

    def contains(p: Positions, k: Positions) -> Pairs:
        x = _line(axis, p, k)
        above = np.True_ if low is None else x >= low
        return above if high is None else above & (x <= high)

    cost = _HALF + _HALF * sum(end is not None and (end != 0 or axis != "difference") for end in (low, high))
    if axis == "difference":
        is_aside = low is not None and low > 0 or high is not None and high < 0
        return Atom(lambda: _band(low, high), contains, cost + is_aside)
    end = None if high is None else high + 1
    return Atom(lambda: algebra.between(low, end, side=_SIDES[axis]), contains, cost)


WHOLE = _interval("difference", None, None)
CAUSAL, FUTURE = _interval("difference", 0, None), _interval("difference", None, 0)


def _interval_of(grid: Grid, axis: str, first: int, last: int, care: np.ndarray) -> Atom:
    """Lines first to last. An end at which the lines end that are cared for is unbounded, but for the diagonal."""
    positions, cared = grid.positions[axis], np.flatnonzero(care)
    first, last = max(first, cared[0]), min(last, cared[-1])
    begins, ends = first == cared[0], last == cared[-1]
    if begins and ends:
        return _interval(axis, None, None)
    is_zero = positions == 0 if axis == "difference" else np.zeros(len(positions), bool)
    return _interval(axis, None if begins and not is_zero[first] else int(positions[first]),
                     None if ends and not is_zero[last] else int(positions[last]))


def _intervals(grid: Grid, axis: str, allowed: np.ndarray, care: np.ndarray) -> Iterator[tuple[Atom, Lines]]:
    for first, last in _runs(allowed):
        if care[first : last + 1].any():
            lines = np.zeros(len(allowed), bool)
            lines[first : last + 1] = True
            yield _interval_of(grid, axis, first, last, care), Lines(axis, lines)


def _interval_hulls(grid: Grid, axis: str, taken: np.ndarray) -> Iterator[tuple[Atom, Lines]]:
    """Bounded on one side and on both; windows hold the diagonal."""
    positions = grid.positions[axis]
    low, high = int(positions[taken][0]), int(positions[taken][-1])
    if axis == "difference":
        low, high = min(low, 0), max(high, 0)
    below, above = positions < low, positions > high
    if below.any():
        yield _interval(axis, low, None), Lines(axis, below)
    if above.any():
        yield _interval(axis, None, high), Lines(axis, above)
    if below.any() and above.any():
        yield _interval(axis, low, high), Lines(axis, below | above)


# ----------------------------------------------------------------------------------------------------------------------
# What comes back with a period
# ----------------------------------------------------------------------------------------------------------------------


def _congruent(axis: str, modulus: int, first: int, last: int) -> Atom:
    def contains(p: Positions, k: Positions) -> Pairs:
        residue = _line(axis, p, k) % modulus
        return (residue >= first) & (residue <= last)

    return Atom(lambda: algebra.congruent(axis, modulus, first=first, last=last), contains, _COMPOUND)


def _moduli(lines: np.ndarray) -> range:
    return range(2, int(lines.sum()) // _LEAST_REPEATS + 1)


def _residues_of(lines: np.ndarray, residues: np.ndarray, modulus: int) -> np.ndarray:
    """The residues that lines have, as booleans."""
    return np.bincount(residues[lines], minlength=modulus) > 0


def _congruences(grid: Grid, axis: str, allowed: np.ndarray, care: np.ndarray) -> Iterator[tuple[Atom, Lines]]:
    """Classes all of whose lines are allowed, but for those that are part of a class of a smaller modulus."""
    found: dict[int, np.ndarray] = {}
    for modulus in _moduli(care):
        residues = grid.positions[axis] % modulus
        whole = ~_residues_of(~allowed, residues, modulus)
        if not whole.any() or whole.all():
            continue
        known = np.zeros(modulus, bool)
        for smaller, classes in found.items():
            if modulus % smaller == 0:
                known |= np.tile(classes, modulus // smaller)
        found[modulus] = whole
        for first, last in _runs(whole):
            if not known[first : last + 1].all():
                yield _congruent(axis, modulus, first, last), Lines(axis, (residues >= first) & (residues <= last))


def _congruent_hulls(grid: Grid, axis: str, taken: np.ndarray) -> Iterator[tuple[Atom, Lines]]:
    """Those that shut out a line between others that are taken."""
    ends = np.flatnonzero(taken)
    between = np.zeros(len(taken), bool)
    between[ends[0] : ends[-1] + 1] = True
    for modulus in _moduli(between):
        residues = grid.positions[axis] % modulus
        held = np.flatnonzero(_residues_of(taken, residues, modulus))
        outside = (residues < held[0]) | (residues > held[-1])
        if (outside & between).any():
            yield _congruent(axis, modulus, int(held[0]), int(held[-1])), Lines(axis, outside)


def _dilated(dilation: int, left: int | None, right: int | None) -> Atom:
    def contains(p: Positions, k: Positions) -> Pairs:
        difference = p - k
        taps = difference % dilation == 0
        if left is not None:
            taps &= difference <= left * dilation
        return taps if right is None else taps & (difference >= -right * dilation)

    return Atom(lambda: algebra.window(left, right, dilation=dilation), contains, _COMPOUND)


def _dilated_windows(grid: Grid, allowed: np.ndarray, care: np.ndarray) -> Iterator[tuple[Atom, Lines]]:
    """Runs of taps through the diagonal, unless all that lies between them is allowed, too."""
    for dilation in range(2, len(allowed) // 2 + 1):
        taps = np.arange(grid.diagonal % dilation, len(allowed), dilation)
        middle = grid.diagonal // dilation
        first, last = next((run for run in _runs(allowed[taps]) if run[0] <= middle <= run[1]), (middle, middle))
        if first == last or allowed[taps[first] : taps[last] + 1].all():
            continue
        cared = np.append(np.flatnonzero(care[taps]), middle)
        first, last = max(first, cared.min()), min(last, cared.max())
        lines = np.zeros(len(allowed), bool)
        lines[taps[first : last + 1]] = True
        left = None if last == len(taps) - 1 else int(last - middle)
        yield _dilated(dilation, left, None if first == 0 else int(middle - first)), Lines("difference", lines)


# ----------------------------------------------------------------------------------------------------------------------
# Blocks
# ----------------------------------------------------------------------------------------------------------------------


def _block_local(block: int, before: int, after: int) -> Atom:
    def contains(p: Positions, k: Positions) -> Pairs:
        begin = p // block * block
        return (k >= begin - before) & (k < begin + block + after)

    return Atom(lambda: algebra.block_local(block, before=before or None, after=after or None), contains,
                1 + _HALF * ((before > 0) + (after > 0)))


class _BlockSums:
    """Sums over blocks of pairs, out of sums over all that lies above and to the left."""

    def __init__(self, grid: Grid, pairs: Pairs):
        self.rows, self.keys, self.offset = grid.rows, grid.keys, grid.keys - grid.rows
        self.sums = np.zeros((grid.rows + 1, grid.keys + 1), np.int32)
        np.cumsum(np.cumsum(pairs, 0, dtype=np.int32), 1, out=self.sums[1:, 1:])

    def is_empty(self, block: int, before: int, after: int) -> bool:
        """Whether the keys of all blocks, and so many before and after, have no pairs with the block's rows."""
        begin = np.arange(self.offset // block, (self.keys - 1) // block + 1) * block
        top, bottom = (np.clip(edge - self.offset, 0, self.rows) for edge in (begin, begin + block))
        left, right = (np.clip(edge, 0, self.keys) for edge in (begin - before, begin + block + after))
        sums = self.sums[bottom, right] - self.sums[top, right] - self.sums[bottom, left] + self.sums[top, left]
        return not sums.any()

    def reach(self, is_empty: Callable[[int], bool]) -> int:
        """How many further keys may be had to one side; 0 if all, because an interval has those."""
        if is_empty(self.keys + self.rows):
            return 0
        return bisect.bisect_left(range(self.keys + self.rows), True, key=lambda count: not is_empty(count)) - 1


def _blocks(grid: Grid, bad: Pairs, allowed: np.ndarray) -> Iterator[tuple[Atom, Lines]]:
    """Blocks around the diagonal, unless the window of that reach is allowed as a whole."""
    sums, differences = _BlockSums(grid, bad), grid.positions["difference"]
    for block in range(2, grid.keys):
        if not sums.is_empty(block, 0, 0):
            continue
        before = sums.reach(lambda count: sums.is_empty(block, count, 0))
        after = sums.reach(lambda count: sums.is_empty(block, 0, count))
        lines = (differences < before + block) & (differences > -after - block)
        if not allowed[lines].all():
            yield _block_local(block, before, after), Lines("difference", lines)


def _block_hulls(grid: Grid, mask: Pairs) -> Iterator[tuple[Atom, Lines]]:
    rows = np.flatnonzero(mask.any(1))
    p, differences = grid.positions["query"][rows], grid.positions["difference"]
    low, high = mask[rows].argmax(1), grid.keys - 1 - mask[rows, ::-1].argmax(1)
    for block in range(2, grid.keys):
        begin = p // block * block
        before, after = int(max((begin - low).max(), 0)), int(max((high - begin - block + 1).max(), 0))
        outside = (differences > before) | (differences < -after)
        if outside.any():
            yield _block_local(block, before, after), Lines("difference", outside)


# ----------------------------------------------------------------------------------------------------------------------
# What lists positions
# ----------------------------------------------------------------------------------------------------------------------


def _tokens(side: str, tokens: np.ndarray) -> Atom:
    def contains(p: Positions, k: Positions) -> Pairs:
        rows, columns = np.isin(p, tokens), np.isin(k, tokens)
        return rows if side == "rows" else columns if side == "columns" else rows | columns

    return Atom(lambda: algebra.global_tokens(tokens.tolist(), side=side), contains, float(len(tokens)))


def find_tokens(grid: Grid, bad: Pairs, left: Pairs) -> Iterator[Atom]:
    """Lists of the rows and columns that hold nothing bad, and some of what is left."""
    lists = {}
    for axis, side in _SIDES.items():
        wanted = ~grid.has(bad, axis) & grid.has(left, axis) & (grid.positions[axis] >= 0)
        lists[side] = grid.positions[axis][wanted]
    lists["both"] = np.intersect1d(lists["rows"], lists["columns"])
    return (_tokens(side, tokens) for side, tokens in lists.items() if len(tokens))


def _components(grid: Grid, pairs: Pairs) -> np.ndarray:
    """For each position the number of the component in which pairs connect it with others. Rows are positions, too."""
    offset = grid.keys - grid.rows
    joined = np.zeros((grid.keys, grid.keys), bool)
    joined[offset:] = pairs
    joined |= joined.T
    numbers = np.full(grid.keys, -1)
    for number, start in enumerate(range(grid.keys)):
        reached = np.array([start]) if numbers[start] < 0 else np.array([], int)
        while len(reached):
            numbers[reached] = number
            reached = np.flatnonzero(joined[reached].any(0) & (numbers < 0))
    return numbers


def _segments(numbers: np.ndarray) -> Atom:
    ids = np.unique(numbers, return_inverse=True)[1].astype(np.int32)
    return Atom(lambda: algebra.segments(ids), lambda p, k: ids[p] == ids[k], _TABLE, has_positions=True)


def find_segments(grid: Grid, bad: Pairs, left: Pairs) -> Iterator[Atom]:
    """Segments made of what is left and connected, where all their pairs may be had."""
    if grid.rows > grid.keys or not left.any():
        return
    numbers = _components(grid, left)
    same = numbers[grid.positions["query"], None] == numbers
    broken = np.unique(numbers[np.nonzero(bad & same)[1]])
    torn = np.isin(numbers, broken)
    numbers[torn] = grid.keys + np.flatnonzero(torn)
    segments = _segments(numbers)
    if not (bad & grid.pairs(segments)).any():  # each position is at least in a segment of its own
        yield segments


# ----------------------------------------------------------------------------------------------------------------------


def find_members(grid: Grid, bad: Pairs, care: Pairs) -> Iterator[tuple[Atom, Lines]]:
    """All largest atoms without bad pairs that are no lists of positions, and the lines that they reach."""
    for axis in AXES:
        allowed, cared = ~grid.has(bad, axis), grid.has(care, axis)
        yield from _intervals(grid, axis, allowed, cared)
        yield from _congruences(grid, axis, allowed, cared)
        if axis == "difference":
            yield from _dilated_windows(grid, allowed, cared)
            yield from _blocks(grid, bad, allowed)


def find_hulls(grid: Grid, mask: Pairs) -> Iterator[tuple[Atom, Lines]]:
    """The smallest atoms that hold a mask, and the lines on which the pairs lie that they shut out."""
    for axis in AXES:
        taken = grid.has(mask, axis)
        yield from _interval_hulls(grid, axis, taken)
        yield from _congruent_hulls(grid, axis, taken)
    yield from _block_hulls(grid, mask)
    if grid.rows <= grid.keys:
        yield _segments(_components(grid, mask)), grid.all_lines
