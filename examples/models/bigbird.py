#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A BigBird of transformers' default size, with random weights, and the same with its attention on compiled kernels.

    pip install transformers==5.23.0 torch==2.13.0
    examples/models/bigbird.py [--length N] [--layers N] [--repeat N] [--threads N] [--chunk N]

The model is in training, so that its random blocks are random (transformers has none otherwise), and drops nothing out.
An eighth of the tokens is padding.
"""

import sys
from typing import Any

import compare
import torch
import transformers


def make_model(layers: int) -> Any:
    torch.manual_seed(0)
    config = transformers.BigBirdConfig(num_hidden_layers=layers, hidden_dropout_prob=0.0,
                                        attention_probs_dropout_prob=0.0)
    return transformers.BigBirdModel(config).train()


def make_inputs(length: int) -> dict[str, torch.Tensor]:
    tokens = torch.randint(3, 30000, (1, length), generator=torch.Generator().manual_seed(0))
    present = torch.ones_like(tokens)
    present[:, length - length // 8 :] = 0
    return {"input_ids": tokens, "attention_mask": present}


if __name__ == "__main__":
    sys.exit(compare.main(__doc__.partition("\n")[0], make_model, make_inputs))
