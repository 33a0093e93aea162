# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws a case's tensors, and judges outputs by the project's rule: an output may be wrong by about as much as eager
attention of its element type is, beside float64. Some rows of the first and of the last head are looked at."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cases import Case

sys.path.append(str(Path(__file__).parents[2] / "test" / "Python"))
import masks  # noqa: E402

SEED, SAMPLED_ROWS = 0, 64
FACTORS = {"f32": 10, "bf16": 1.1}
EPSILONS = {"f32": 2.0**-23, "bf16": 2.0**-7}


def to_bf16(x: np.ndarray) -> np.ndarray:
    """float32 → uint16, to the nearest, halves to even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def to_f32(x: np.ndarray) -> np.ndarray:
    """Of uint16, which is bf16; float32 stays."""
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x


def draw(case: Case) -> list[np.ndarray]:
    """q, k, v: normal random numbers, [1, heads, rows, head size]."""
    random, size = np.random.default_rng(SEED), case.made.head_size
    drawn = [random.standard_normal((1, case.heads, rows, size), np.float32)
             for rows in (case.length, case.kv_length, case.kv_length)]
    return [to_bf16(x) for x in drawn] if case.made.element == "bf16" else drawn


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray,
           round_: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Attention in the type of its arguments; each step's result is rounded."""
    scores = round_(round_(q @ k.T) * q.dtype.type(1 / math.sqrt(q.shape[1])))
    weights, _ = masks.softmax(np.where(mask, scores, -np.inf))
    return round_(round_(weights.astype(q.dtype)) @ v)


class Sample(NamedTuple):
    """Rows of a head, and what is right there."""

    head: int
    rows: np.ndarray
    exact: np.ndarray
    tolerance: float


def mask_of(case: Case, rows: np.ndarray) -> np.ndarray:
    """Which pairs of some query rows are admitted, [rows, keys]."""
    # Tables of heads hold one that all share.
    arguments = {name: np.array(value[0] if name == "random" else value) for name, value in case.arguments.items()}
    positions = rows[:, None] + case.kv_length - case.length
    return masks.MASKS[case.made.pattern](positions, np.arange(case.kv_length)[None], **arguments)


def make_sample(case: Case, tensors: list[np.ndarray], head: int) -> Sample:
    rows = np.unique(np.random.default_rng(SEED).integers(0, case.length, SAMPLED_ROWS))
    q, k, v = (to_f32(x[0, head]) for x in tensors)
    q, mask = q[rows], mask_of(case, rows)
    exact = attend(*(x.astype(np.float64) for x in (q, k, v)), mask, lambda x: x)
    is_bf16 = case.made.element == "bf16"
    eager = attend(q, k, v, mask, (lambda x: to_f32(to_bf16(x))) if is_bf16 else (lambda x: x))
    step = EPSILONS[case.made.element] * 2.0 ** (math.frexp(np.abs(exact).max())[1] - 1)
    return Sample(head, rows, exact, FACTORS[case.made.element] * np.abs(eager - exact).max() + 2 * step)


def make_samples(case: Case, tensors: list[np.ndarray]) -> list[Sample]:
    return [make_sample(case, tensors, head) for head in {0, case.heads - 1}]


def error_ratio(output: np.ndarray, samples: list[Sample]) -> float:
    """At most 1 where the output, float32 [1, heads, rows, head size], is right."""
    return max(float(np.abs(output[0, sample.head][sample.rows] - sample.exact).max()) / sample.tolerance
               for sample in samples)
