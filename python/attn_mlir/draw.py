# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run-time data out of a seed, where a description or a measurement is not given any."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from . import abi
from .errors import CallError
from .loaded import DataInfo, KernelInfo

if TYPE_CHECKING:
    from .describe import Sizes

_OPEN_EXTENT = 64  # of arrays that may be of any length


def random_blocks(length: int, block: int, *, count: int = 3, heads: int = 1, seed: int = 0) -> np.ndarray:
    """BigBird's random blocks (Zaheer et al., 2020): for each block of queries `count` distinct key blocks that are
    none of its own, its neighbours, the first and the last; -1 where there are too few.

    Returns int32 [heads, blocks, count]."""
    random = np.random.default_rng(seed)
    blocks = -(-length // block)
    table = np.full((heads, blocks, count), -1, np.int32)
    for head in range(heads):
        for row in range(1, blocks - 1):
            candidates = [b for b in range(1, blocks - 1) if abs(b - row) > 1]
            chosen = random.permutation(candidates)[:count]
            table[head, row, : len(chosen)] = chosen
    return table


def draw(info: KernelInfo, data: DataInfo, sizes: "Sizes", scalars: Mapping[str, float], seed: int) -> np.ndarray:
    """What a kernel needs for a call of these sizes: about four segments, lengths in [0, keys], up to four tokens,
    BigBird's blocks, small numbers for heads, and normally distributed floats."""
    random = np.random.default_rng([seed, data.place])
    last = sizes.key_offset + sizes.keys
    first_query = last - sizes.length if sizes.query_offset is None else sizes.query_offset
    positions = max(first_query + sizes.length, last, 0)
    if data.role == abi.constant("TOKENS"):
        return random.integers(0, max(positions, 1), min(positions, 4), np.int32)
    if data.role == abi.constant("SEGMENTS"):
        cuts = np.sort(random.integers(0, positions + 1, 3))
        return np.searchsorted(cuts, np.arange(positions), side="right").astype(np.int32)
    if data.role == abi.constant("LENGTHS"):
        return random.integers(0, max(last, 0) + 1, sizes.batch, np.int32)
    if data.role == abi.constant("PER_HEAD"):
        return random.integers(1, 65, sizes.heads, np.int32)
    if data.role == abi.constant("BLOCKS"):
        return random_blocks(positions, _block_of(info, data, scalars), heads=sizes.heads, seed=seed)
    return random.standard_normal([_extent(extent, info, sizes) for extent in data.extents], np.float32)


def _block_of(info: KernelInfo, data: DataInfo, scalars: Mapping[str, float]) -> int:
    """Positions of a block: a number, or a scalar of the call."""
    if data.block > 0:
        return data.block
    if data.block == 0:
        raise CallError(f"'{data.name}' cannot be drawn, because no argument says how large its blocks are; give it")
    scalar = list(info.scalars.values())[-1 - data.block]
    return int(scalars.get(scalar.name, scalar.default))


def _extent(extent: int, info: KernelInfo, sizes: "Sizes") -> int:
    kv_heads = sizes.heads if sizes.kv_heads is None else sizes.kv_heads
    named = {"BATCH": sizes.batch, "HEADS": sizes.heads, "KV_HEADS": kv_heads, "QUERIES": sizes.length,
             "KEYS": sizes.keys, "HEAD_SIZE": info.head_size, "ANY": _OPEN_EXTENT}
    return {abi.constant(f"EXTENT_{name}"): size for name, size in named.items()}.get(extent, extent)
