# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Raising: from a matrix of pairs, or a function that says which pairs attend, back to a pattern.

A pattern is looked for in the form

    (member | member | ...) & hull & hull ...

A *hull* is the smallest atom of its kind that holds all pairs of the mask. A *member* is a largest atom of its kind,
whole or cut at the diagonal, that inside the hulls holds nothing but pairs of the mask. If any union of such atoms is
the mask, then all largest members together are; of them the fewest are chosen greedily. So what comes back is exact, or
the pairs that are left over are told.
"""

import functools
import heapq
import itertools
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .algebra import Pattern, empty, full
from .errors import Error
from .raising_atoms import (CAUSAL, FUTURE, WHOLE, Atom, Grid, Lines, Pairs, find_hulls, find_members, find_segments,
                            find_tokens)

_MOST_POSITIONS = 4096
_FIRST_CORNER = 256
_MOST_HULLS = 5
_MOST_MEMBERS = 16
# What an expression costs at least that has hulls besides.
_LEAST_PATTERN = 2.0
# Pairs of a mask's function that are asked for at once.
_BAND_PAIRS = 1 << 22


class Raised(NamedTuple):
    """A pattern, and the pairs of the mask that it lacks: booleans, [rows, keys], all False where it is the mask."""

    pattern: Pattern
    rest: Pairs


# ----------------------------------------------------------------------------------------------------------------------
# Covers
# ----------------------------------------------------------------------------------------------------------------------


class _Left:
    """Pairs that are still to be covered."""

    def __init__(self, grid: Grid, pairs: Pairs):
        self.grid, self.pairs = grid, pairs.copy()
        self._counts: dict[tuple[Atom | None, str], np.ndarray] = {}

    def remove(self, pairs: Pairs) -> None:
        self.pairs &= ~pairs
        self._counts.clear()

    def count(self, pairs: Pairs) -> int:
        return np.count_nonzero(self.pairs & pairs)

    def count_on(self, lines: Lines, half: Atom | None = None) -> int:
        """How many lie on lines, of those of a half; fast."""
        key = half, lines.axis
        if key not in self._counts:
            pairs = self.pairs if half is None else self.pairs & self.grid.pairs(half)
            self._counts[key] = self.grid.count(pairs, lines.axis)
        return int(self._counts[key][lines.chosen].sum())


class _Candidate(NamedTuple):
    """Something that covers pairs."""

    item: Any
    cost: float
    pairs: Callable[[], Pairs]
    bound: Callable[[_Left], int]  # of how many it covers of what is left


def _choose(left: _Left, offers: Iterable[_Candidate],
            more: Callable[[Pairs], Iterable[_Candidate]]) -> Iterator[_Candidate]:
    """Candidates in the order of pairs gained per cost, until nothing is left or is gained.

    Gains only sink, so that of an earlier round is a bound, too, and a candidate whose gain is up to date and no less
    than all bounds is the best.

    more: further candidates, which depend on what is left.
    """
    numbers = itertools.count()
    heap: list[tuple[float, int, _Candidate]] = []

    def push(candidate: _Candidate, gain: int) -> None:
        if gain:
            heapq.heappush(heap, (-gain / candidate.cost, next(numbers), candidate))

    def is_first(candidate: _Candidate, gain: int) -> bool:
        return gain > 0 and (not heap or -gain / candidate.cost <= heap[0][0])

    for candidate in offers:
        push(candidate, candidate.bound(left))
    while left.pairs.any():
        for candidate in more(left.pairs):
            push(candidate, left.count(candidate.pairs()))
        while heap:
            candidate = heapq.heappop(heap)[2]
            gain = candidate.bound(left)
            if is_first(candidate, gain):
                gain = left.count(candidate.pairs())
                if is_first(candidate, gain):
                    break
            push(candidate, gain)
        else:
            return
        left.remove(candidate.pairs())
        yield candidate


# ----------------------------------------------------------------------------------------------------------------------
# Expressions
# ----------------------------------------------------------------------------------------------------------------------


class _Member(NamedTuple):
    """An atom, of which perhaps only the half before or after the diagonal counts."""

    atom: Atom
    half: Atom | None

    @property
    def cost(self) -> float:
        return self.atom.cost + (self.half is not None)

    def pairs(self, grid: Grid, rows: slice = slice(None)) -> Pairs:
        pairs = grid.pairs(self.atom, rows)
        return pairs if self.half is None else pairs & grid.pairs(self.half, rows)


class _Expression(NamedTuple):
    """A union of members within hulls."""

    members: list[_Member]
    hulls: list[Atom]

    @property
    def cost(self) -> float:
        return sum(part.cost for part in [*self.members, *self.hulls])

    @property
    def has_positions(self) -> bool:
        return any(atom.has_positions for atom in [*(member.atom for member in self.members), *self.hulls])

    def pairs(self, grid: Grid, rows: slice = slice(None)) -> Pairs:
        union = functools.reduce(operator.or_, (member.pairs(grid, rows) for member in self.members))
        return functools.reduce(operator.and_, (grid.pairs(hull, rows) for hull in self.hulls), union)

    def to_pattern(self) -> Pattern:
        parts = []
        for half in (None, CAUSAL, FUTURE):
            atoms = [member.atom.make() for member in self.members if member.half is half]
            if atoms:
                union = functools.reduce(operator.or_, atoms)
                parts.append(union if half is None else union & half.make())
        factors = [hull.make() for hull in self.hulls]
        if not factors or not any(member.atom.is_full and member.half is None for member in self.members):
            factors.insert(0, functools.reduce(operator.or_, parts))
        return functools.reduce(operator.and_, factors)


def _cover(grid: Grid, mask: Pairs, inside: Pairs) -> tuple[list[_Member], Pairs]:
    """Members that inside are the mask, and what they lack."""
    cares = [(None, inside)]
    cares += [(half, inside & grid.pairs(half)) for half in (CAUSAL, FUTURE) if (inside & ~grid.pairs(half)).any()]

    def candidate(atom: Atom, half: Atom | None, lines: Lines) -> _Candidate:
        member = _Member(atom, half)
        return _Candidate(member, member.cost, functools.partial(member.pairs, grid),
                          lambda left: left.count_on(lines, half))

    def offers() -> Iterator[_Candidate]:
        for half, care in cares:
            for atom, lines in find_members(grid, care & ~mask, care):
                yield candidate(atom, half, lines)

    def lists(left: Pairs) -> Iterator[_Candidate]:
        for half, care in cares:
            for find in (find_tokens, find_segments):
                for atom in find(grid, care & ~mask, left & care):
                    yield candidate(atom, half, grid.all_lines)

    left = _Left(grid, mask)
    members = [chosen.item for chosen in itertools.islice(_choose(left, offers(), lists), _MOST_MEMBERS)]
    return members, left.pairs


def _drop_needless(grid: Grid, found: _Expression, target: Pairs) -> _Expression:
    """Without members and hulls that change nothing; the last, which gain least, are tried first."""
    members, hulls = list(found.members), list(found.hulls)
    for member in reversed(found.members):
        fewer = [other for other in members if other is not member]
        if fewer and np.array_equal(_Expression(fewer, hulls).pairs(grid), target):
            members = fewer
    for hull in reversed(found.hulls):
        fewer = [other for other in hulls if other is not hull]
        if np.array_equal(_Expression(members, fewer).pairs(grid), target):
            hulls = fewer
    return _Expression(members, hulls)


def _choose_hulls(grid: Grid, mask: Pairs) -> Iterator[Atom]:
    """Those that shut out most first."""
    offers = (_Candidate(atom, atom.cost, lambda a=atom: ~grid.pairs(a), lambda left, l=lines: left.count_on(l))
              for atom, lines in find_hulls(grid, mask))
    return (chosen.item for chosen in _choose(_Left(grid, ~mask), offers, lambda left: ()))


def _find(grid: Grid, mask: Pairs) -> tuple[_Expression, Pairs]:
    """The cheapest of the expressions that lack the fewest pairs, and those pairs. Hulls are added one by one, until no
    cheaper expression can come of it."""
    best, best_rest, best_rank = _Expression([], []), mask, (np.count_nonzero(mask), 0.0)
    hulls: list[Atom] = []
    for hull in itertools.chain([WHOLE], itertools.islice(_choose_hulls(grid, mask), _MOST_HULLS)):
        hulls = [] if hull is WHOLE else [*hulls, hull]
        members, rest = _cover(grid, mask, _Expression([_Member(WHOLE, None)], hulls).pairs(grid))
        if members:
            found = _drop_needless(grid, _Expression(members, hulls), mask & ~rest)
            rank = np.count_nonzero(rest), found.cost
            if rank < best_rank:
                best, best_rest, best_rank = found, rest, rank
        if best_rank[0] == 0 and best_rank[1] <= sum(hull.cost for hull in hulls) + _LEAST_PATTERN:
            break
    return best, best_rest


def from_mask(mask: Any) -> Raised:
    """The pattern of a mask, and what is left over.

        pattern, rest = attn.from_mask(matrix)
        if not rest.any():
            out = attn.attention(q, k, v, pattern=pattern)

    mask: booleans, [rows, keys], at most 4,096 of either: True where the query row may look at the key row. Where there
        are not equally many, the last query row stands beside the last key row, as in a call without offsets.

    Found are unions of windows, dilated windows, congruences (of query, key or their difference), ranges and lists of
    rows and columns (global tokens), blocks and their neighbours, and segments, each also cut at the diagonal; and
    intersections of such a union with further atoms of these kinds. All pairs are compared: the pattern has no pair
    that the mask has not. A side that reaches the matrix's edge is taken for unbounded. Raises ValueError for what is
    no such matrix.
    """
    matrix = np.asarray(mask)
    if matrix.dtype != bool or matrix.ndim != 2:
        raise ValueError(f"mask is an array of {matrix.dtype} and shape {list(matrix.shape)}; give a matrix of bool")
    if max(matrix.shape) > _MOST_POSITIONS:
        raise ValueError(f"mask has shape {list(matrix.shape)}; give at most {_MOST_POSITIONS} rows and keys, or a "
                         "function to from_mask_mod")
    if not matrix.any():
        return Raised(empty(), matrix.copy())
    found, rest = _find(Grid(*matrix.shape), matrix)
    return Raised(found.to_pattern() if found.members else empty(), rest)


# ----------------------------------------------------------------------------------------------------------------------
# Functions
# ----------------------------------------------------------------------------------------------------------------------

MaskMod = Callable[[Any, Any, Any, Any], Any]


def _ask(f: MaskMod, rows: range, keys: int, batch: int, head: int) -> Pairs:
    """What the function says of these rows. It is given arrays that spread over [rows, keys]: torch's where torch is
    loaded, because FlexAttention's functions index its tensors."""
    arrays = [np.full((1, 1), batch), np.full((1, 1), head), np.array(rows)[:, None], np.arange(keys)[None]]
    torch = sys.modules.get("torch")
    answer = np.asarray(f(*(arrays if torch is None else map(torch.from_numpy, arrays))))
    if answer.dtype != bool:
        raise TypeError(f"the function returned {answer.dtype}; it has to return bool")
    return np.broadcast_to(answer, (len(rows), keys))


def _is_same(f: MaskMod, n: int, batch: int, head: int, found: _Expression) -> bool:
    """Whether function and expression agree on all pairs, a band of rows at a time."""
    grid, band = Grid(n, n), max(1, _BAND_PAIRS // n)
    return all(np.array_equal(found.pairs(grid, slice(first, first + band)),
                              _ask(f, range(first, min(first + band, n)), n, batch, head))
               for first in range(0, n, band))


def from_mask_mod(f: MaskMod, n: int, *, batch: int = 0, head: int = 0) -> Raised:
    """The pattern of a function like FlexAttention's mask_mod, and what is left over.

        def near(b, h, q_idx, kv_idx):
            return abs(q_idx - kv_idx) <= 256

        pattern, rest = attn.from_mask_mod(near, 65536)

    f(b, h, q_idx, kv_idx): booleans for arrays of indices: torch tensors where torch is loaded, else NumPy arrays.
    n: query and key rows. batch, head: for which the function is asked; the pattern is theirs.

    The function is asked for its first 256 rows and keys. What from_mask makes of those is compared with it on all n x
    n pairs, in bands of rows that take little memory; if they differ, twice as many rows and keys are asked for, up to
    all of them or 4,096. Raises Error where n is larger and no pattern of its first 4,096 rows goes on to n.
    """
    if n < 1:
        raise ValueError(f"n is {n}; give at least 1 row")
    corner = min(n, _FIRST_CORNER)
    while True:
        mask = _ask(f, range(corner), corner, batch, head)
        found, rest = _find(Grid(corner, corner), mask) if mask.any() else (_Expression([], []), mask)
        if corner == n:
            return Raised(found.to_pattern() if found.members else empty(), rest)
        if found.members and not rest.any() and not found.has_positions and _is_same(f, n, batch, head, found):
            return Raised(found.to_pattern(), np.zeros((n, n), bool))
        if corner == _MOST_POSITIONS:
            raise Error(f"no pattern of the first {corner} rows goes on to {n}; ask for at most {_MOST_POSITIONS} rows "
                        "to see what is left over")
        corner = min(2 * corner, n, _MOST_POSITIONS)
