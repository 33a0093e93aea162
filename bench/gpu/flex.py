# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's FlexAttention, compiled by torch.compile for each length, its block mask made outside of the timing.

Masks are written in the form that is fastest for it: Longformer's tokens are the first ones, which it is told as a
comparison, while the kernel is given a list. BigBird's blocks are those of its block mask and of its kernel, so that no
pair is asked for.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
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


def neighborhood(length: int, width: int, rows: int, columns: int) -> Mod:
    def is_near(query: torch.Tensor, key: torch.Tensor, size: int, extent: int) -> torch.Tensor:
        begin = torch.clamp(query - size // 2, 0, extent - size)
        return (begin <= key) & (key < begin + size)

    return lambda b, h, i, j: is_near(i // width, j // width, rows, -(-length // width)) & is_near(
        i % width, j % width, columns, width)


def bigbird(table: torch.Tensor, block: int) -> Mod:
    """By a table [block of queries, block of keys] of who looks at whom."""
    blocks = torch.arange(len(table), device=table.device)
    looks = (blocks[:, None] - blocks).abs() <= 1
    looks[[0, -1]] = looks[:, [0, -1]] = True
    looks.scatter_(1, table.clamp(min=0).long(), True)  # block 0 is looked at anyway
    return lambda b, h, i, j: looks[i // block, j // block]


def document_causal(segments: torch.Tensor) -> Mod:
    return lambda b, h, i, j: (segments[i] == segments[j]) & (i >= j)


def alibi(heads: int) -> Mod:
    return lambda s, b, h, i, j: s + (j - i) * torch.exp2(-(h + 1) * 8.0 / heads)


def softcap(cap: float) -> Mod:
    return lambda s, b, h, i, j: cap * torch.tanh(s / cap)


def make_mask(mask: Mod, length: int, **options: int) -> tuple[Any, float, int]:
    """The block mask, made twice: what the first time costs more is not the mask's. Milliseconds and bytes."""
    create_block_mask(mask, None, None, length, length, device="cuda", **options)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    block_mask = create_block_mask(mask, None, None, length, length, device="cuda", **options)
    torch.cuda.synchronize()
    return block_mask, (time.perf_counter() - begin) * 1e3, torch.cuda.max_memory_allocated() - before


def prepare(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Mod, score: Mod | None,
            block: int | None = None) -> Prepared:
    """`block`: how many rows and keys a block of the mask and of the kernel has; None: the default."""
    block_mask, mask_ms, mask_bytes = make_mask(mask, q.shape[2], **({"BLOCK_SIZE": block} if block else {}))
    options = {"BLOCK_M": block, "BLOCK_N": block} if block else None
    torch.cuda.empty_cache()
    compiled = torch.compile(flex_attention, dynamic=False)

    def run() -> torch.Tensor:
        return compiled(q, k, v, score_mod=score, block_mask=block_mask, kernel_options=options)

    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return Prepared(run, mask_ms, mask_bytes, time.perf_counter() - begin)
