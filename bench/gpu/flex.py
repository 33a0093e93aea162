# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's FlexAttention, compiled by torch.compile for each length, its block mask made outside of the timing.

Masks are written in the form that is fastest for it: Longformer's tokens are the first ones, which it is told as a
comparison, while the kernel is given a list.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch._dynamo
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

Mod = Callable[..., torch.Tensor]


class Prepared(NamedTuple):
    run: Callable[[], torch.Tensor]
    mask_ms: float  # to make the block mask
    mask_bytes: int  # the most memory that took
    compile_seconds: float


# Closures, not default arguments: torch.compile does not guard the latter and would run an earlier mask again.


def is_causal(b: Any, h: Any, i: Any, j: Any) -> torch.Tensor:
    return i >= j


def window(left: int, right: int) -> Mod:
    return lambda b, h, i, j: (i - j <= left) & (j - i <= right)


def longformer(tokens: int, left: int, right: int) -> Mod:
    return lambda b, h, i, j: ((i - j <= left) & (j - i <= right)) | (i < tokens) | (j < tokens)


def dilated_window(left: int, right: int, dilation: int) -> Mod:
    near = window(left * dilation, right * dilation)
    return lambda b, h, i, j: near(b, h, i, j) & ((i - j) % dilation == 0)


def sparse_strided(stride: int) -> Mod:
    return lambda b, h, i, j: (i >= j) & ((i - j < stride) | ((i - j) % stride == 0))


def sparse_fixed(stride: int, summary: int) -> Mod:
    return lambda b, h, i, j: (i >= j) & ((i // stride == j // stride) | (j % stride >= stride - summary))


def axial(width: int) -> Mod:
    return lambda b, h, i, j: (i // width == j // width) | (i % width == j % width)


def document_causal(segments: torch.Tensor) -> Mod:
    return lambda b, h, i, j: (segments[i] == segments[j]) & (i >= j)


def alibi(heads: int) -> Mod:
    return lambda s, b, h, i, j: s + (j - i) * torch.exp2(-(h + 1) * 8.0 / heads)


def softcap(cap: float) -> Mod:
    return lambda s, b, h, i, j: cap * torch.tanh(s / cap)


def make_mask(mask: Mod, length: int) -> tuple[Any, float, int]:
    """The block mask, made twice: what the first time costs more is not the mask's. Milliseconds and bytes."""
    create_block_mask(mask, None, None, length, length, device="cuda")
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    block_mask = create_block_mask(mask, None, None, length, length, device="cuda")
    torch.cuda.synchronize()
    return block_mask, (time.perf_counter() - begin) * 1e3, torch.cuda.max_memory_allocated() - before


def prepare(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Mod, score: Mod | None) -> Prepared:
    block_mask, mask_ms, mask_bytes = make_mask(mask, q.shape[2])
    torch.cuda.empty_cache()
    torch._dynamo.reset()
    compiled = torch.compile(flex_attention, dynamic=False)

    def run() -> torch.Tensor:
        return compiled(q, k, v, score_mod=score, block_mask=block_mask)

    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return Prepared(run, mask_ms, mask_bytes, time.perf_counter() - begin)
