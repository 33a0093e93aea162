# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention over patterns: say which pairs of rows attend, and call a fused kernel for it.

    import attn_mlir as attn

    out = attn.attention(q, k, v, pattern="longformer", global_=[0, 17])

    pattern = attn.window(256, 0) | attn.global_tokens([0])
    print(pattern)                                 # its MLIR
    pattern.show(256)                              # its picture
    pattern.report(16384)                          # what it will cost
    kernel = attn.compile(pattern, element="bf16", head_size=128)
    kernel.save("kernel.so")                       # attn.load("kernel.so") needs no compiler

Arrays are NumPy's, torch's (CPU, and CUDA on H100 and H200), or anything with __dlpack__, [batch, head, row, column].
"""

from .frontend import attention, compile, load
from .describe import Picture, Report
from .draw import random_blocks
from .errors import CallError, CompileError, CompilerMissingError, Error, LoadError
from .kernel import Kernel
from .algebra import (Parameter, Pattern, between, block_local, block_table, causal, congruent, empty, full,
                      global_tokens, grid, heads, neighborhood, offset, padded, parameter, per_batch, raster, segments,
                      stream, window)
from .raising import Raised, from_mask, from_mask_mod
from .shipped import pattern, pattern_names, score_names
from .where import array, where

__all__ = [
    "CallError", "CompileError", "CompilerMissingError", "Error", "Kernel", "LoadError", "Parameter", "Pattern",
    "Picture", "Raised", "Report", "array", "attention", "between", "block_local", "block_table", "causal", "compile",
    "congruent", "empty", "from_mask", "from_mask_mod", "full", "global_tokens", "grid", "heads", "load",
    "neighborhood", "offset", "padded", "parameter", "pattern", "pattern_names", "per_batch", "random_blocks",
    "raster", "score_names", "segments", "stream", "where", "window",
]
