# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scores that read arrays, as functions on tensors: torch's word against the compiler's, beside those of scores.py.

x is what is asked, s are its scores, [batch, heads, rows, keys], and the other arguments are the score's: float32
tensors and numbers. What enters a product is rounded where x's own rows are: eager attention multiplies tensors of one
type.
"""

import math
from collections.abc import Callable

import torch
from judge import Question

Tensor = torch.Tensor


def distances(x: Question) -> Tensor:
    """Of the key from the query, [rows, keys]."""
    return x.key_positions - x.query_positions[:, None]


def of_heads(numbers: Tensor) -> Tensor:
    return numbers[:, None, None]


def factors(x: Question, s: Tensor, array: Tensor) -> Tensor:
    """Of a product: float64 in exact attention, otherwise float32 that holds numbers of the element type."""
    return array.double() if s.dtype == torch.float64 else array.to(x.q.dtype).float()


def query_dot(x: Question, s: Tensor, rows: Tensor) -> Tensor:
    """scale q . rows for rows [..., head size] that broadcast to [batch, heads, rows, keys, head size]."""
    return x.scale * (factors(x, s, x.q)[:, :, :, None] * factors(x, s, rows)).sum(-1)


def key_dot(x: Question, s: Tensor, rows: Tensor) -> Tensor:
    """scale k . rows for rows [heads, head size]."""
    return x.scale * torch.einsum("bhjc,hc->bhj", factors(x, s, x.spread(x.k)), factors(x, s, rows))[:, :, None]


# ----------------------------------------------------------------------------------------------------------------------
# Scores of patterns/scores
# ----------------------------------------------------------------------------------------------------------------------


def gaussian(x: Question, s: Tensor, sigma: float = 64.0) -> Tensor:
    return s - distances(x).to(s.dtype) ** 2 / (2 * sigma**2)


def bias(x: Question, s: Tensor, bias: Tensor) -> Tensor:
    first = x.query_positions[0] - x.first_query
    return s + bias[:, :, first : first + s.shape[2]]


def adaptive_span(x: Question, s: Tensor, span: Tensor, ramp: float = 32.0) -> Tensor:
    left = ramp + of_heads(span).to(s.dtype) - distances(x).abs()
    return s + (left / ramp).clamp(0, 1).log()


def t5_bias(x: Question, s: Tensor, table: Tensor) -> Tensor:
    distance = distances(x).abs()
    far = 8 + (distance.clamp(min=1).double() / 8).log() / math.log(16) * 8
    bucket = torch.where(distance < 8, distance, far.long().clamp(max=15)) + 16 * (distances(x) > 0)
    return s + table[:, bucket]


def shaw(x: Question, s: Tensor, relative: Tensor) -> Tensor:
    return s + query_dot(x, s, relative[distances(x).clamp(-16, 16) + 16])


def transformer_xl(x: Question, s: Tensor, u: Tensor, v: Tensor, relative: Tensor) -> Tensor:
    rows = relative[:, (-distances(x)).clamp(0, relative.shape[1] - 1)]
    prior = x.scale * (factors(x, s, v)[:, None, None] * factors(x, s, rows)).sum(-1)
    return s + key_dot(x, s, u) + query_dot(x, s, rows) + prior


def etc_labels(x: Question, s: Tensor, labels: Tensor, biases: Tensor, global_: int = 16) -> Tensor:
    step = distances(x)
    near = torch.where(step >= 0, step.clamp(max=12), 12 + (-step).clamp(max=12))
    of_query, of_key = x.query_positions[:, None] < global_, x.key_positions < global_
    id = torch.where(of_query & of_key, 27, torch.where(of_query, 26, torch.where(of_key, 25, near)))
    return s + query_dot(x, s, labels[:, id]) + x.scale * biases[:, id]


def talking_heads(x: Question, s: Tensor, weights: Tensor) -> Tensor:
    products = factors(x, s, x.q) @ factors(x, s, x.spread(x.k)).mT
    return x.scale * torch.einsum("hg,bgij->bhij", weights.to(s.dtype), products)


def sink(x: Question, s: Tensor, logits: Tensor) -> Tensor:
    return s


# ----------------------------------------------------------------------------------------------------------------------
# Scores of Inputs
# ----------------------------------------------------------------------------------------------------------------------


def far_and_sink(x: Question, s: Tensor, logits: Tensor, most: int = 40) -> Tensor:
    """-inf but near the query, and a sink for every row."""
    return s.masked_fill(distances(x).abs() > most, -math.inf)


TERMS: dict[str, Callable[..., Tensor]] = {
    term.__name__: term
    for term in (gaussian, bias, adaptive_span, t5_bias, shaw, transformer_xl, etc_labels, talking_heads, sink,
                 far_and_sink)}

# The extents of their arrays; names are those of the call.
ARRAYS: dict[str, dict[str, tuple[int | str, ...]]] = {
    "bias": {"bias": ("batch", "heads", "queries", "keys")},
    "adaptive_span": {"span": ("heads",)},
    "t5_bias": {"table": ("heads", 32)},
    "shaw": {"relative": (33, "head_size")},
    "transformer_xl": {"u": ("heads", "head_size"), "v": ("heads", "head_size"),
                       "relative": ("heads", 50, "head_size")},
    "etc_labels": {"labels": ("heads", 28, "head_size"), "biases": ("heads", 28)},
    "talking_heads": {"weights": ("heads", "heads")},
    "sink": {"logits": ("heads",)},
    "far_and_sink": {"logits": ("heads",)},
}
