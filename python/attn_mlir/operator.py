# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch.ops.attn_mlir.attention: attention as an operator of torch's, so that torch.compile and torch.export pass over
it without a graph break. Its arguments say all that a kernel is made of, so an exported program holds no Python object.
Imported when a torch tensor is first compiled for, or needs gradients."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from . import frontend
from .algebra import Pattern

@torch.library.custom_op("attn_mlir::attention", mutates_args=())
def attention_op(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, pattern: str, score: str | None,
                 data: Sequence[torch.Tensor], data_names: str, numbers: Sequence[float], number_names: str,
                 scale: float | None, query_offset: int | None, key_offset: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(output, lse) of frontend.attention(). pattern, score: names or MLIR text; names of arguments stand in one text,
    with spaces between them."""
    arguments = dict(zip(data_names.split(), data)) | dict(zip(number_names.split(), map(_whole, numbers)))
    with torch.no_grad():
        return frontend.attention(q, k, v, pattern=pattern, score=score, return_lse=True, scale=scale,
                                  query_offset=query_offset, key_offset=key_offset, **arguments)


def _whole(number: float) -> float:
    """An int again, where an operator's list holds floats alone."""
    return int(number) if number.is_integer() else number


@attention_op.register_fake
def _(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *rest: Any) -> tuple[torch.Tensor, torch.Tensor]:
    batch, heads, length, _ = q.shape
    return (q.new_empty(batch, heads, length, v.shape[3]),
            q.new_empty(batch, heads, length, dtype=torch.float32))


def _backward(context: Any, *gradients: torch.Tensor) -> Any:
    raise NotImplementedError("attn_mlir.attention has no backward yet; call it under torch.no_grad(), or detach q, k "
                              "and v")


torch.library.register_autograd("attn_mlir::attention", _backward)


def call(pattern: Pattern | str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor,
         score: str | os.PathLike[str] | None, scale: float | None, query_offset: int | None, key_offset: int,
         arguments: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The operator's call that frontend.attention() with these arguments is."""
    text, bound = (pattern, {}) if isinstance(pattern, str) else (pattern.source.text, pattern.arguments)
    data: dict[str, torch.Tensor] = {}
    numbers: dict[str, float] = {}
    for name, value in {**bound, **arguments}.items():
        if isinstance(value, (int, float)):
            numbers[name] = float(value)
        else:
            data[name] = torch.as_tensor(value).to(q.device)
    return attention_op(q, k, v, text, score if score is None else str(score), list(data.values()), " ".join(data),
                        list(numbers.values()), " ".join(numbers), scale, query_offset, key_offset)
