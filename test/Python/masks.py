# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which pairs the shipped patterns admit, and attention over them: NumPy's word against the compiler's.

A mask is a function of the positions p of the query rows, [rows, 1], and those t of the key rows, [1, keys], and of the
pattern's arguments for one batch; it returns which pairs are admitted, [rows, keys]. Every one is written from the
pattern's formula alone. Divisions round down. (`global` is called global_ here: the former is a word of Python's.)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


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


def block_local(p: np.ndarray, t: np.ndarray, block: int = 256) -> np.ndarray:
    return p // block == t // block


def document(p: np.ndarray, t: np.ndarray, segments: np.ndarray) -> np.ndarray:
    def segment(positions: np.ndarray) -> np.ndarray:
        return segments[np.maximum(positions, 0)] if len(segments) else np.zeros_like(positions)

    return (segment(p) == segment(t)) & (p >= 0) & (t >= 0)  # ids are for positions from 0


def document_causal(p: np.ndarray, t: np.ndarray, segments: np.ndarray) -> np.ndarray:
    return document(p, t, segments) & (t <= p)


def padded(p: np.ndarray, t: np.ndarray, lengths: int) -> np.ndarray:
    return np.broadcast_to(t < lengths, np.broadcast_shapes(p.shape, t.shape))


Mask = Callable[..., np.ndarray]
MASKS: dict[str, Mask] = {
    mask.__name__: mask
    for mask in (full, causal, sliding_window, longformer, block_local, document, document_causal, padded)
}


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
