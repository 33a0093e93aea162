# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's FlexAttention, compiled by torch.compile for the length at hand, which needs a C++ compiler; its block mask
is made outside of the timing. Masks are those of the GPU benchmark, each in the form that is fastest for it."""

import numpy as np
import torch
import torch._dynamo
from cases import Case
from flex import Mod, bigbird, dilated_window, is_causal, longformer, sparse_strided, window
from rivals import NotOffered, Prepared
from rows import BLOCK
from tensors import as_tensors, read_tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

NAME = "flex"


def version() -> str:
    return f"torch {torch.__version__}"


def document(segments: np.ndarray) -> Mod:
    ids = torch.from_numpy(segments)
    return lambda b, h, i, j: ids[i] == ids[j]


def make_mask(case: Case) -> Mod:
    a = case.arguments
    masks = {
        "causal": lambda: is_causal,
        "sliding_window": lambda: window(**a),
        "longformer": lambda: longformer(len(a["global_"]), a["left"], a["right"]),
        "dilated_window": lambda: dilated_window(**a),
        "sparse_strided": lambda: sparse_strided(**a),
        "document": lambda: document(**a),
        "bigbird": lambda: bigbird(torch.tensor(a["random"][0]), BLOCK),
    }
    if case.made.pattern not in masks:
        raise NotOffered
    return masks[case.made.pattern]()


def prepare(case: Case, arrays: list[np.ndarray]) -> Prepared:
    q, k, v = as_tensors(case, arrays)
    options = {"BLOCK_SIZE": BLOCK} if case.made.pattern == "bigbird" else {}
    mask = create_block_mask(make_mask(case), None, None, case.length, case.kv_length, device="cpu", **options)
    torch._dynamo.reset()
    compiled = torch.compile(flex_attention, dynamic=False)
    return Prepared(lambda: compiled(q, k, v, block_mask=mask), read_tensor)
