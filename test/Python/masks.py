# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which pairs the shipped patterns admit, and attention over them: NumPy's word against the compiler's.

A mask is a function of the positions p of the query rows, [rows, 1], and those t of the key rows, [1, keys], and of the
pattern's arguments for one batch and head; it returns which pairs are admitted, [rows, keys]. Where heads differ by more
than their arguments, it takes the number of the head, too. Every one is written from the pattern's formula alone.
Divisions round down. (`global` is called global_ here: the former is a word of Python's.)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


def extent(t: np.ndarray) -> int:
    """The position behind the last key's."""
    return int(t.max(initial=-1)) + 1


def grid(positions: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of positions in a grid that is filled row by row."""
    return positions // width, positions % width


def full(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.broadcast_to(True, np.broadcast_shapes(p.shape, t.shape))


def causal(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return t <= p


def sliding_window(p: np.ndarray, t: np.ndarray, left: int = 256, right: int = 256) -> np.ndarray:
    return (p - left <= t) & (t <= p + right)


def longformer(
    p: np.ndarray, t: np.ndarray, global_: np.ndarray = np.array([0]), left: int = 256, right: int = 256
) -> np.ndarray:
    tokens = global_[global_ >= 0]  # -1 pads, though a position may be negative
    return sliding_window(p, t, left, right) | np.isin(p, tokens) | np.isin(t, tokens)


def sparse_fixed_heads(
    p: np.ndarray, t: np.ndarray, stride: int = 128, summary: int = 8, first: int = 120, *, head: int
) -> np.ndarray:
    is_summary = (first <= t % stride) & (t % stride < first + summary)
    return (t <= p) & (is_summary if head % 2 else t // stride == p // stride)


def longformer_heads(
    p: np.ndarray, t: np.ndarray, global_: np.ndarray = np.array([0]), left: int = 256, right: int = 256,
    dilation: int = 1,
) -> np.ndarray:
    return dilated_window(p, t, left, right, dilation) | longformer(p, t, global_, 0, 0)


def block_local(p: np.ndarray, t: np.ndarray, block: int = 256) -> np.ndarray:
    return p // block == t // block


def document(p: np.ndarray, t: np.ndarray, segments: np.ndarray) -> np.ndarray:
    def segment(positions: np.ndarray) -> np.ndarray:
        return segments[np.maximum(positions, 0)] if len(segments) else np.zeros_like(positions)

    return (segment(p) == segment(t)) & (p >= 0) & (t >= 0)  # ids are for positions from 0


def document_causal(p: np.ndarray, t: np.ndarray, segments: np.ndarray) -> np.ndarray:
    return document(p, t, segments) & (t <= p)


def dilated_window(
    p: np.ndarray, t: np.ndarray, left: int = 256, right: int = 256, dilation: int = 4
) -> np.ndarray:
    distance = t - p
    return (distance % dilation == 0) & (-left * dilation <= distance) & (distance <= right * dilation)


def sparse_strided(p: np.ndarray, t: np.ndarray, stride: int = 128) -> np.ndarray:
    return (t <= p) & ((p - stride < t) | ((p - t) % stride == 0))


def sparse_strided_heads(p: np.ndarray, t: np.ndarray, stride: int = 128, *, head: int) -> np.ndarray:
    in_part = (p - t) % stride == 0 if head % 2 else p - stride < t
    return (t <= p) & in_part


def sparse_fixed(p: np.ndarray, t: np.ndarray, stride: int = 128, summary: int = 8) -> np.ndarray:
    return (t <= p) & ((t // stride == p // stride) | (t % stride >= stride - summary))


def bigbird(p: np.ndarray, t: np.ndarray, random: np.ndarray, block: int = 64) -> np.ndarray:
    last = (extent(t) - 1) // block
    row, column = p // block, t // block
    drawn = np.zeros_like(row == column)
    for entries in random.T:  # of all block rows; -1 pads
        drawn = drawn | (entries[row] == column)
    first_or_last = (row == 0) | (row == last) | (column == 0) | (column == last)
    return first_or_last | (abs(row - column) <= 1) | drawn


def prefix_lm_batch(p: np.ndarray, t: np.ndarray, prefix: int) -> np.ndarray:
    return prefix_lm(p, t, prefix)


def etc(p: np.ndarray, t: np.ndarray, global_: int = 16, radius: int = 84) -> np.ndarray:
    return (abs(p - t) <= radius) | (p < global_) | (t < global_)


def star(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return (abs(p - t) <= 1) | (p == 0) | (t == 0)


def image_1d(p: np.ndarray, t: np.ndarray, block: int = 256) -> np.ndarray:
    return (t <= p) & (p // block - t // block <= 1)


def image_2d(
    p: np.ndarray, t: np.ndarray, width: int = 64, query_rows: int = 16, query_columns: int = 16,
    flange_rows: int = 16, flange_columns: int = 32,
) -> np.ndarray:
    def rank(positions: np.ndarray) -> np.ndarray:
        """Blocks in raster order, and pixels in raster order within a block."""
        row, column = grid(positions, width)
        blocks_across = -(-width // query_columns)
        block = row // query_rows * blocks_across + column // query_columns
        return (block * query_rows + row % query_rows) * query_columns + column % query_columns

    def near(query: np.ndarray, key: np.ndarray, size: int, flange: int) -> np.ndarray:
        begin = query // size * size
        return (begin - flange <= key) & (key < begin + size + flange)

    (query_row, query_column), (key_row, key_column) = grid(p, width), grid(t, width)
    return (near(query_row, key_row, query_rows, flange_rows)
            & near(query_column, key_column, query_columns, flange_columns) & (rank(t) <= rank(p)))


def axial(p: np.ndarray, t: np.ndarray, width: int = 64) -> np.ndarray:
    return axial_rows(p, t, width) | axial_columns(p, t, width)


def axial_rows(p: np.ndarray, t: np.ndarray, width: int = 64) -> np.ndarray:
    return p // width == t // width


def axial_columns(p: np.ndarray, t: np.ndarray, width: int = 64) -> np.ndarray:
    return p % width == t % width


def neighborhood(p: np.ndarray, t: np.ndarray, width: int = 64, rows: int = 13, columns: int = 13) -> np.ndarray:
    def near(query: np.ndarray, key: np.ndarray, size: int, grid_size: int) -> np.ndarray:
        begin = np.clip(query - size // 2, 0, grid_size - size)
        return (begin <= key) & (key < begin + size)

    (query_row, query_column), (key_row, key_column) = grid(p, width), grid(t, width)
    grid_rows = -(-extent(t) // width)
    return near(query_row, key_row, rows, grid_rows) & near(query_column, key_column, columns, width)


def prefix_lm(p: np.ndarray, t: np.ndarray, prefix: int = 128) -> np.ndarray:
    return (t <= p) | (t < prefix)


def padded(p: np.ndarray, t: np.ndarray, lengths: int) -> np.ndarray:
    return np.broadcast_to(t < lengths, np.broadcast_shapes(p.shape, t.shape))


Mask = Callable[..., np.ndarray]
MASKS: dict[str, Mask] = {
    mask.__name__: mask
    for mask in (
        full, causal, sliding_window, dilated_window, sparse_strided, sparse_strided_heads, sparse_fixed,
        sparse_fixed_heads, block_local, image_1d, image_2d, axial, axial_rows, axial_columns, neighborhood, prefix_lm,
        prefix_lm_batch, etc, star, bigbird, longformer, longformer_heads, document, document_causal, padded)
}

# Patterns whose heads may differ; the masks of the second set take the head's number.
NUMBERED_HEADS = {"sparse_strided_heads", "sparse_fixed_heads"}
DIFFER_BY_HEAD = NUMBERED_HEADS | {"longformer_heads", "bigbird"}


class Rows(NamedTuple):
    """How many rows there are on each side and where the first ones stand; None: the last ones stand side by side."""

    length: int
    kv_length: int
    query_offset: int | None = None
    key_offset: int = 0

    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        begin = self.query_offset
        if begin is None:
            begin = self.key_offset + self.kv_length - self.length
        return begin + np.arange(self.length)[:, None], self.key_offset + np.arange(self.kv_length)[None, :]

    def position_count(self) -> int:
        """Positions from 0 on: how many segment ids a call needs."""
        return max([0, *(int(p.max()) + 1 for p in self.positions() if p.size)])

    def flags(self) -> list[str]:
        flags = [f"--length={self.length}", f"--kv-length={self.kv_length}", f"--key-offset={self.key_offset}"]
        return flags + ([] if self.query_offset is None else [f"--query-offset={self.query_offset}"])


def softmax(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and logarithms of the sums of exp, over the last axis; a row of nothing but -inf has weights 0."""
    top = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = e.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        lse = np.log(total) + np.where(np.isinf(top), 0, top)
    return e / np.where(total == 0, 1, total), lse[..., 0]


def attend(q: np.ndarray, k: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [..., rows, keys] and lse [..., rows] in float64; q is [..., rows, d], k [..., keys, d]."""
    q, k = q.astype(np.float64), k.astype(np.float64)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    return softmax(np.where(mask, scores, -np.inf))
