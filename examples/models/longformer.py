#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A Longformer of transformers' default size, with random weights, and the same with its attention on compiled kernels.

    pip install transformers==5.23.0 torch==2.13.0
    examples/models/longformer.py [--length N] [--layers N] [--repeat N] [--threads N] [--chunk N]

Three tokens are global and attend by projections of their own; an eighth of the tokens is padding.
"""

import sys
from typing import Any

import compare
import torch
import transformers


def make_model(layers: int) -> Any:
    torch.manual_seed(0)
    config = transformers.LongformerConfig(num_hidden_layers=layers, attention_window=512,
                                           max_position_embeddings=16386)
    return transformers.LongformerModel(config).eval()


def make_inputs(length: int) -> dict[str, torch.Tensor]:
    tokens = torch.randint(3, 30000, (1, length), generator=torch.Generator().manual_seed(0))
    present, is_global = torch.ones_like(tokens), torch.zeros_like(tokens)
    present[:, length - length // 8 :] = 0
    is_global[:, [0, 7, length // 3]] = 1
    return {"input_ids": tokens, "attention_mask": present, "global_attention_mask": is_global}


if __name__ == "__main__":
    sys.exit(compare.main(__doc__.partition("\n")[0], make_model, make_inputs))
