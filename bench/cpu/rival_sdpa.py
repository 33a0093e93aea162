# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's scaled_dot_product_attention, as it chooses by itself. Causal masks are its own flag; a single query row
sees all keys."""

import numpy as np
import torch
from cases import Case
from rivals import NotOffered, Prepared
from tensors import as_tensors, read_tensor

NAME = "sdpa"


def version() -> str:
    return f"torch {torch.__version__}"


def prepare(case: Case, arrays: list[np.ndarray]) -> Prepared:
    if case.made.pattern not in ("full", "causal"):
        raise NotOffered
    q, k, v = as_tensors(case, arrays)
    is_causal = case.made.pattern == "causal" and case.length > 1

    def run() -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=is_causal)

    return Prepared(run, read_tensor)
