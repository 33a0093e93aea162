# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the GPU benchmark measures: its rows, in groups that each have something to show."""

import functools
from collections.abc import Callable, Container
from typing import Any, NamedTuple

import numpy as np
from objects import Object

HEADS = 16
DENSE_LENGTHS, SPARSE_LENGTHS = (2048, 8192, 16384), (16384, 65536)
QUICK_LENGTH = 16384
RIVALS = ("cudnn", "flash", "flex", "reordered")
SEED = 0


class Row(NamedTuple):
    """A call: bf16, lengths equal."""

    made: Object
    length: int
    batch: int = 4
    heads: int = HEADS
    kv_heads: int = HEADS
    arguments: dict[str, Any] = {}
    score_arguments: dict[str, Any] = {}

    def __str__(self) -> str:
        """Kernel, numbers among the arguments, and heads where several share a key head."""
        numbers = [f"{name}={value}" for name, value in self.arguments.items() if isinstance(value, int)]
        grouped = [f"{self.heads}/{self.kv_heads}"] if self.heads != self.kv_heads else []
        return " ".join([self.made.name.removesuffix(f"_{self.made.element}"), *numbers, *grouped])


class Target(NamedTuple):
    """What the speed of a group's rows over a rival's has to reach."""

    rival: str
    mean: float  # their geometric mean
    least: float  # each of them


class Group(NamedTuple):
    rows: list[Row]
    rivals: tuple[str, ...]
    targets: tuple[Target, ...]
    most_roofs: float | None = None  # the most that a row's time may be over its roof

    def against(self, rivals: Container[str]) -> "Group":
        """The same without other rivals."""
        return self._replace(rivals=tuple(rival for rival in self.rivals if rival in rivals),
                             targets=tuple(target for target in self.targets if target.rival in rivals))

    def quick_rows(self) -> list[Row]:
        """Those of short lengths, where there are any."""
        return [row for row in self.rows if row.length <= QUICK_LENGTH] or self.rows


@functools.cache
def document_lengths(length: int, mean: int = 512) -> tuple[int, ...]:
    """A sequence cut at random places, as often as gives documents of this mean length."""
    places = np.random.default_rng(SEED).choice(np.arange(1, length), length // mean - 1, replace=False)
    return tuple(map(int, np.diff(np.sort(places), prepend=0, append=length)))


def document_segments(length: int) -> np.ndarray:
    lengths = document_lengths(length)
    return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


BLOCK = 64


@functools.cache
def drawn_blocks(length: int, entries: int = 3) -> np.ndarray:
    """BigBird's table: for each block of queries but the first and the last some blocks that it does not look at
    anyway, each once; the same for all heads."""
    random, last = np.random.default_rng(SEED), -(-length // BLOCK) - 1
    table = np.full((last + 1, entries), -1, np.int32)
    for row in range(1, last):
        others = np.setdiff1d(np.arange(1, last), [row - 1, row, row + 1])
        table[row] = random.choice(others, entries, replace=False)
    return np.broadcast_to(table, (HEADS, *table.shape))


# ----------------------------------------------------------------------------------------------------------------------
# Pairs that a head admits, counted by formulas
# ----------------------------------------------------------------------------------------------------------------------


def causal_pairs(n: int) -> int:
    return n * (n + 1) // 2


def window_pairs(n: int, left: int, right: int) -> int:
    i = np.arange(n)
    return int((np.minimum(i + right, n - 1) - np.maximum(i - left, 0) + 1).sum())


def longformer_pairs(n: int, global_: list[int], left: int, right: int) -> int:
    """Those of the window; in other rows than the tokens' the tokens outside of it, in theirs all keys."""
    tokens, i = np.array(global_)[None], np.arange(n)[:, None]
    is_token = np.isin(i, tokens)[:, 0]
    beside = ((tokens < i - left) | (tokens > i + right)).sum(1)
    inside = np.minimum(i + right, n - 1) - np.maximum(i - left, 0) + 1
    return int(np.where(is_token, n, inside[:, 0] + beside).sum())


def document_causal_pairs(n: int, segments: np.ndarray) -> int:
    return sum(causal_pairs(int(count)) for count in np.bincount(segments))


def dilated_pairs(n: int, left: int, right: int, dilation: int) -> int:
    """A window in each class."""
    return sum(window_pairs(len(range(first, n, dilation)), left, right) for first in range(min(dilation, n)))


def strided_pairs(n: int, stride: int) -> int:
    """The last `stride` keys, and one of each period before them."""
    i = np.arange(n)
    return int(np.minimum(i + 1, stride).sum() + (np.maximum(i // stride - 1, 0) + (i >= stride)).sum())


def fixed_pairs(n: int, stride: int, summary: int) -> int:
    """The own block up to the query, and the last keys of each block before it."""
    i = np.arange(n)
    return int((i % stride + 1 + i // stride * min(summary, stride)).sum())


def axial_pairs(n: int, width: int) -> int:
    """The row, the column, and the query's own place but once."""
    i = np.arange(n)
    row = np.minimum((i // width + 1) * width, n) - i // width * width
    column = (n - 1 - i % width) // width + 1
    return int((row + column - 1).sum())


def bigbird_pairs(n: int, random: np.ndarray) -> int:
    """Between blocks, of which there are at least five, all of them whole."""
    blocks = n // BLOCK
    ends, near = 2 * blocks + 2 * (blocks - 2), 2 * 2 + 3 * (blocks - 4)
    return (ends + near + int((random[0] >= 0).sum())) * BLOCK**2


def neighborhood_pairs(n: int, width: int, rows: int, columns: int) -> int:
    """As many for each query, where the last row of the image is whole."""
    return n * rows * columns


PAIRS: dict[str, Callable[..., int]] = {
    "full": lambda n: n * n, "causal": causal_pairs, "sliding_window": window_pairs, "longformer": longformer_pairs,
    "document_causal": document_causal_pairs, "dilated_window": dilated_pairs, "sparse_strided": strided_pairs,
    "sparse_fixed": fixed_pairs, "axial": axial_pairs, "bigbird": bigbird_pairs, "neighborhood": neighborhood_pairs}


def admitted_pairs(row: Row) -> int:
    return PAIRS[row.made.pattern](row.length, **row.arguments)


# ----------------------------------------------------------------------------------------------------------------------
# Groups
# ----------------------------------------------------------------------------------------------------------------------


def dense_rows(head_size: int) -> list[Row]:
    full, causal = Object("full", head_size), Object("causal", head_size)
    rows = [Row(made, length) for length in DENSE_LENGTHS for made in (full, causal)]
    return [*rows, Row(causal, 8192, batch=2, heads=32, kv_heads=8)]


def sparse_rows(made: Object, arguments: Callable[[int], dict[str, Any]], **score_arguments: Any) -> list[Row]:
    return [Row(made, length, arguments=arguments(length), score_arguments=score_arguments)
            for length in SPARSE_LENGTHS]


def dense_group(head_size: int, least_mean: float) -> Group:
    return Group(dense_rows(head_size), ("cudnn", "flash"), (Target("cudnn", least_mean, 1.0),))


LEAST_REORDERED = 1.2


def sparse_group(rows: list[Row], least: float | None, is_reordered: bool = False,
                 most_roofs: float | None = None) -> Group:
    """`least` is asked of the speed over FlexAttention's; is_reordered: by hand the pattern comes apart as well."""
    targets = [Target("flex", least, least)] if least else []
    if is_reordered:
        return Group(rows, ("flex", "reordered"), (*targets, Target("reordered", LEAST_REORDERED, LEAST_REORDERED)),
                     most_roofs)
    return Group(rows, ("flex",), tuple(targets), most_roofs)


def dilated_group(dilation: int, least: float) -> Group:
    row = Row(Object("dilated_window"), 16384, arguments={"left": 256, "right": 256, "dilation": dilation})
    return sparse_group([row], least, is_reordered=True, most_roofs=1.35)


def strided_group(length: int, stride: int, least: float | None, is_reordered: bool) -> Group:
    return sparse_group([Row(Object("sparse_strided"), length, arguments={"stride": stride})], least, is_reordered, 2.0)


def neighborhood_group(size: int) -> Group:
    row = Row(Object("neighborhood"), 16384, arguments={"width": 128, "rows": size, "columns": size})
    return sparse_group([row], 4, most_roofs=3.5)


GROUPS: dict[str, Group] = {
    "d128": dense_group(128, 1.06),
    "d64": dense_group(64, 1.12),
    "window": sparse_group(sparse_rows(Object("sliding_window"), lambda n: {"left": 256, "right": 256}), 1.6),
    "causal-window": sparse_group(
        sparse_rows(Object("sliding_window"), lambda n: {"left": 511, "right": 0}), 1.6, is_reordered=True),
    "longformer": sparse_group(
        sparse_rows(Object("longformer"), lambda n: {"global_": list(range(16)), "left": 256, "right": 256}), 1.5),
    "document": sparse_group(
        sparse_rows(Object("document_causal"), lambda n: {"segments": document_segments(n)}), 1.35),
    "alibi": sparse_group(sparse_rows(Object("causal", score="alibi"), lambda n: {}), 1.35),
    "softcap": sparse_group(sparse_rows(Object("causal", score="softcap"), lambda n: {}, cap=50.0), 2.2),
    "dilation-2": dilated_group(2, 3),
    "dilation-4": dilated_group(4, 5),
    "dilation-8": dilated_group(8, 9),
    "strided-96": strided_group(16384, 96, 20, is_reordered=False),
    "strided-128": strided_group(65536, 128, 60, is_reordered=True),
    "strided-128-short": strided_group(16384, 128, None, is_reordered=True),
    "fixed": sparse_group([Row(Object("sparse_fixed"), 65536, arguments={"stride": 128, "summary": 8})], 12),
    "axial": sparse_group(
        [Row(Object("axial"), 65536, arguments={"width": 256})], 50, is_reordered=True, most_roofs=1.8),
    "bigbird": sparse_group(
        [Row(Object("bigbird"), 65536, arguments={"random": drawn_blocks(65536)})], 1.2, most_roofs=1.6),
    "neighborhood-7": neighborhood_group(7),
    "neighborhood-13": neighborhood_group(13),
}

# Where PTX, compiled by the driver, is timed beside the cubin.
FALLBACK_ROWS = [Row(Object("full", 128), 8192), Row(Object("causal", 64), 8192)]
