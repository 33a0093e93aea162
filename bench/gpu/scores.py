# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scores that read no arrays, of patterns/scores and of the tests, as functions on tensors: torch's word against the
compiler's.

s are scores, b, h, i and j batch, head and the positions of query and key, in shapes that broadcast to s.
"""

import math
from collections.abc import Callable

import torch

Tensor = torch.Tensor


def alibi(s: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor, heads: int = 8) -> Tensor:
    slope = torch.exp2(-8 * ((h + 1).to(s.dtype) / heads))
    return s - slope * (j - i).abs().to(s.dtype)


def softcap(s: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor, cap: float = 50.0) -> Tensor:
    return cap * torch.tanh(s / cap)


def staircase(s: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor, step: float = 0.125) -> Tensor:
    stair = torch.div(i - j, 16, rounding_mode="floor") * (1 - 2 * (h % 2)) * (b + 1)
    return (s + step * stair.to(s.dtype)).masked_fill(i - j == 5, -math.inf)


SCORES: dict[str, Callable[..., Tensor]] = {score.__name__: score for score in (alibi, softcap, staircase)}
