# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch's scaled_dot_product_attention, by the backends of the vendor (cuDNN) and of FlashAttention."""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

BACKENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}


def prepare(backend: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, is_causal: bool
            ) -> tuple[Callable[[], torch.Tensor], str]:
    """What runs it, and a remark. Where a backend refuses key heads shared by query heads, it gets a copy for each."""

    def runner(k: torch.Tensor, v: torch.Tensor) -> Callable[[], torch.Tensor]:
        is_grouped = k.shape[1] != q.shape[1]

        def run() -> torch.Tensor:
            with sdpa_kernel(BACKENDS[backend]):
                return scaled_dot_product_attention(q, k, v, is_causal=is_causal, enable_gqa=is_grouped)

        return run

    try:
        run = runner(k, v)
        run()
        return run, ""
    except RuntimeError:
        if k.shape[1] == q.shape[1]:
            raise
    run = runner(*(x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v)))
    run()
    return run, "key heads repeated outside of the timing"
