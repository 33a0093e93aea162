# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of the shipped patterns under which kernels are compared with their masks: common ones and awkward ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import attn
import masks
import numpy as np
from masks import Rows

BATCH = 2
HEADS = 2  # of patterns whose heads differ


class PerHead(NamedTuple):
    """Run-time data for each head."""

    values: np.ndarray  # [batch, heads, ...]


# Of a call: numbers are for all batches, arrays have one row for each batch.
Arguments = dict[str, Any]
Random = np.random.Generator


class Case(NamedTuple):
    pattern: str
    name: str
    draw: Callable[[Rows, Random], Arguments]
    least_length: int = 0  # that the pattern takes with these arguments

    def heads(self) -> int:
        """How many heads have pairs of their own."""
        return HEADS if self.pattern in masks.DIFFER_BY_HEAD else 1

    def mask(self, rows: Rows, arguments: Arguments, batch: int, head: int) -> np.ndarray:
        def own(value: Any) -> Any:
            if isinstance(value, PerHead):
                return value.values[batch, head]
            return value[batch] if isinstance(value, np.ndarray) else value

        numbers = {name: own(value) for name, value in arguments.items()}
        if self.pattern in masks.NUMBERED_HEADS:
            numbers["head"] = head
        mask = masks.MASKS[self.pattern](*rows.positions(), **numbers)
        return np.broadcast_to(mask, (rows.length, rows.kv_length))

    def masks(self, rows: Rows, arguments: Arguments) -> np.ndarray:
        """[batch, heads, rows, keys]"""
        return np.array([[self.mask(rows, arguments, batch, head) for head in range(self.heads())]
                         for batch in range(BATCH)])


def argument_flags(folder: Path, arguments: Arguments, copies: int = 1, batches: int = BATCH) -> list[str]:
    """--arg for each argument; the heads come so many times, one set behind the other."""

    def flag_value(value: Any) -> Any:
        if isinstance(value, PerHead):
            return np.concatenate([value.values[:batches]] * copies, axis=1)
        return value[:batches] if isinstance(value, np.ndarray) else value

    return attn.argument_flags(folder, {name.rstrip("_"): flag_value(value) for name, value in arguments.items()})


# ----------------------------------------------------------------------------------------------------------------------
# Kinds of cases
# ----------------------------------------------------------------------------------------------------------------------


def fixed(pattern: str, least_length: int = 0, **numbers: int) -> Case:
    """Numbers only, the same for all sizes."""
    name = "-".join(f"{key}={value}" for key, value in numbers.items()) or "default"
    return Case(pattern, name, lambda rows, random: numbers, least_length)


def with_tokens(name: str, choose: Callable[[int, Random], list[list[int]]], **numbers: int) -> Case:
    """Global tokens chosen among the positions, for each batch."""

    def draw(rows: Rows, random: Random) -> Arguments:
        return {"global_": np.array(choose(rows.position_count(), random), dtype=int).reshape(BATCH, -1), **numbers}

    return Case("longformer", name, draw)


def with_segments(name: str, choose: Callable[[int, Random], np.ndarray], pattern: str = "document") -> Case:
    """A segment id for each position, for each batch."""

    def draw(rows: Rows, random: Random) -> Arguments:
        return {"segments": np.stack([choose(rows.position_count(), random) for _ in range(BATCH)])}

    return Case(pattern, name, draw)


def with_lengths(pattern: str, argument: str, name: str, choose: Callable[[int, Random], list[int]]) -> Case:
    """How many positions are meant, of at most so many, for each batch."""

    def draw(rows: Rows, random: Random) -> Arguments:
        return {argument: np.array(choose(max(rows.key_offset + rows.kv_length, 0), random))}

    return Case(pattern, name, draw)


def with_heads(pattern: str, name: str, numbers: dict[str, list[list[int]]], **others: Any) -> Case:
    """Numbers for each batch and head."""
    per_head = {argument: PerHead(np.array(values)) for argument, values in numbers.items()}
    return Case(pattern, name, lambda rows, random: {**per_head, **others})


def with_blocks(name: str, block: int, choose: Callable[[int, int, Random], np.ndarray]) -> Case:
    """BigBird's table: what to choose for so many rows among so many blocks, for each batch and head."""

    def draw(rows: Rows, random: Random) -> Arguments:
        blocks = -(-rows.position_count() // block)
        table = [[choose(blocks, blocks, random) for _ in range(HEADS)] for _ in range(BATCH)]
        return {"random": PerHead(np.array(table, dtype=int)), "block": block}

    return Case("bigbird", f"{name}-block={block}", draw)


def several_tokens(positions: int, random: Random) -> list[list[int]]:
    """Not sorted, some twice, and padded by -1 in between."""
    drawn = random.integers(0, max(positions, 1), (BATCH, 3)) if positions else np.full((BATCH, 3), -1)
    return [[row[0], -1, row[1], row[0], -1, row[2], row[1]] for row in drawn.tolist()]


def any_blocks(rows: int, blocks: int, random: Random) -> np.ndarray:
    return random.integers(0, blocks, (rows, 3)) if blocks else np.empty((0, 3))


def ragged_blocks(rows: int, blocks: int, random: Random) -> np.ndarray:
    """Some twice, some that a row looks at anyway, and padded by -1 at any place."""
    return random.integers(-1, blocks, (rows, 4)).repeat(2, axis=1) if blocks else np.empty((0, 8))


# ----------------------------------------------------------------------------------------------------------------------
# All cases
# ----------------------------------------------------------------------------------------------------------------------

BATCHES_AND_HEADS = {"left": [[3, 0], [17, 64]], "right": [[2, 5], [0, 1]], "dilation": [[1, 4], [7, 2]]}

CASES = [
    fixed("full"),
    fixed("causal"),
    fixed("sliding_window"),
    fixed("sliding_window", left=0, right=0),
    fixed("sliding_window", left=3, right=0),
    fixed("sliding_window", left=0, right=5),
    fixed("sliding_window", left=17, right=2),
    fixed("sliding_window", left=64, right=31),
    fixed("sliding_window", left=1000, right=0),
    fixed("dilated_window"),
    fixed("dilated_window", left=3, right=2, dilation=1),
    fixed("dilated_window", left=2, right=5, dilation=7),
    fixed("dilated_window", left=0, right=0, dilation=5),
    fixed("dilated_window", left=1, right=1, dilation=1000),
    fixed("dilated_window", left=1000, right=0, dilation=3),
    fixed("sparse_strided"),
    fixed("sparse_strided", stride=1),
    fixed("sparse_strided", stride=7),
    fixed("sparse_strided", stride=64),
    fixed("sparse_strided", stride=1000),
    fixed("sparse_strided_heads"),
    fixed("sparse_strided_heads", stride=1),
    fixed("sparse_strided_heads", stride=13),
    fixed("sparse_strided_heads", stride=1000),
    fixed("sparse_fixed"),
    fixed("sparse_fixed", stride=1, summary=1),
    fixed("sparse_fixed", stride=7, summary=3),
    fixed("sparse_fixed", stride=16, summary=0),
    fixed("sparse_fixed", stride=32, summary=32),
    fixed("sparse_fixed", stride=5, summary=9),
    fixed("sparse_fixed", stride=1000, summary=8),
    fixed("sparse_fixed_heads"),
    with_heads("sparse_fixed_heads", "stride=1", {"first": [[0, 0], [0, 1]]}, stride=1, summary=1),
    with_heads("sparse_fixed_heads", "stride=7", {"first": [[3, 5], [0, 0]]}, stride=7, summary=3),
    with_heads("sparse_fixed_heads", "past-the-block", {"first": [[0, 30], [0, 32]]}, stride=32, summary=8),
    with_heads("sparse_fixed_heads", "past-the-end", {"first": [[0, 120], [0, 900]]}, stride=1000, summary=50),
    fixed("block_local"),
    fixed("block_local", block=1),
    fixed("block_local", block=3),
    fixed("block_local", block=16),
    fixed("block_local", block=65),
    fixed("block_local", block=1000),
    fixed("image_1d"),
    fixed("image_1d", block=1),
    fixed("image_1d", block=7),
    fixed("image_1d", block=64),
    fixed("image_1d", block=1000),
    fixed("image_2d"),
    fixed("image_2d", width=1, query_rows=3, query_columns=1, flange_rows=2, flange_columns=0),
    fixed("image_2d", width=7, query_rows=2, query_columns=3, flange_rows=0, flange_columns=0),
    fixed("image_2d", width=10, query_rows=4, query_columns=4, flange_rows=3, flange_columns=5),
    fixed("image_2d", width=13, query_rows=1, query_columns=5, flange_rows=1000, flange_columns=0),
    fixed("image_2d", width=11, query_rows=1000, query_columns=3, flange_rows=0, flange_columns=1),
    fixed("image_2d", width=9, query_rows=3, query_columns=20, flange_rows=1, flange_columns=2),
    fixed("image_2d", width=1000, query_rows=2, query_columns=16, flange_rows=1, flange_columns=8),
    *(fixed(pattern, **numbers) for pattern in ("axial", "axial_rows", "axial_columns")
      for numbers in ({}, {"width": 1}, {"width": 7}, {"width": 16}, {"width": 1000})),
    fixed("neighborhood", 769),
    fixed("neighborhood", width=1, rows=1, columns=1),
    fixed("neighborhood", 3, width=1, rows=3, columns=1),
    fixed("neighborhood", width=7, rows=1, columns=7),
    fixed("neighborhood", 9, width=8, rows=2, columns=4),
    fixed("neighborhood", 21, width=5, rows=5, columns=3),
    fixed("neighborhood", 40, width=13, rows=4, columns=13),
    fixed("neighborhood", 65, width=16, rows=5, columns=5),
    fixed("prefix_lm"),
    fixed("prefix_lm", prefix=0),
    fixed("prefix_lm", prefix=1),
    fixed("prefix_lm", prefix=37),
    fixed("prefix_lm", prefix=1000),
    with_lengths("prefix_lm_batch", "prefix", "any", lambda n, random: random.integers(0, n + 1, BATCH).tolist()),
    with_lengths("prefix_lm_batch", "prefix", "none-and-all", lambda n, random: [0, n]),
    fixed("etc"),
    fixed("etc", global_=0, radius=0),
    fixed("etc", global_=0, radius=9),
    fixed("etc", global_=1, radius=3),
    fixed("etc", global_=33, radius=1000),
    fixed("etc", global_=1000, radius=5),
    fixed("star"),
    with_blocks("any", 1, any_blocks),
    with_blocks("any", 3, any_blocks),
    with_blocks("any", 16, any_blocks),
    with_blocks("any", 64, any_blocks),
    with_blocks("ragged", 7, ragged_blocks),
    with_blocks("ragged", 29, ragged_blocks),
    with_blocks("ragged", 1000, ragged_blocks),
    with_blocks("none", 8, lambda rows, blocks, random: np.empty((rows, 0))),
    with_blocks("padding-only", 8, lambda rows, blocks, random: np.full((rows, 2), -1)),
    fixed("longformer"),
    fixed("longformer", left=2, right=1),
    fixed("longformer", left=0, right=0),
    with_tokens("no-token", lambda n, random: [[], []], left=4, right=4),
    with_tokens("padding-only", lambda n, random: [[-1, -1], [-1, -1]], left=4, right=4),
    with_tokens("last-position", lambda n, random: [[n - 1], [n - 1]], left=1, right=9),
    with_tokens("several", several_tokens, left=5, right=3),
    with_tokens("several-without-window", several_tokens, left=0, right=0),
    with_tokens("every-second", lambda n, random: [list(range(0, n, 2))[::-1]] * BATCH, left=1, right=0),
    with_tokens("all", lambda n, random: [random.permutation(n).tolist() for _ in range(BATCH)], left=1, right=1),
    fixed("longformer_heads"),
    with_heads("longformer_heads", "several", BATCHES_AND_HEADS),
    with_heads("longformer_heads", "no-token", BATCHES_AND_HEADS, global_=np.full((BATCH, 1), -1)),
    with_heads("longformer_heads", "no-window", {"left": [[0, 0]] * 2, "right": [[0, 0]] * 2}),
    with_segments("sorted", lambda n, random: np.sort(random.integers(0, 4, n))),
    with_segments("unsorted", lambda n, random: random.integers(0, 3, n)),
    with_segments("one", lambda n, random: np.full(n, 7)),
    with_segments("all-different", lambda n, random: random.permutation(n)),
    with_segments("any-ids", lambda n, random: random.choice([-(2**31), -1, 0, 2**31 - 1], n)),
    with_segments("sorted", lambda n, random: np.sort(random.integers(0, 4, n)), "document_causal"),
    with_segments("unsorted", lambda n, random: random.integers(0, 3, n), "document_causal"),
    with_segments("one", lambda n, random: np.full(n, 7), "document_causal"),
    with_lengths("padded", "lengths", "any", lambda n, random: random.integers(0, n + 1, BATCH).tolist()),
    with_lengths("padded", "lengths", "none-and-all", lambda n, random: [0, n]),
    with_lengths("padded", "lengths", "one-missing", lambda n, random: [n, max(n - 1, 0)]),
]
