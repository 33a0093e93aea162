# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What attention gives in float64, what eager attention of the element type gives, and the verdict between the two.

The rule is that of lib/Reference: a kernel may be wrong by about as much as eager attention is.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

# (score, batch, head, query position, key position) → score: tensors that broadcast to [batch, head, row, key].
Score = Callable[..., torch.Tensor]
# (question, scores) → scores: of those that look at the rows themselves.
Terms = Callable[["Question", torch.Tensor], torch.Tensor]


class Outputs(NamedTuple):
    """[batch, heads, rows, value head size] and [batch, heads, rows]."""

    output: torch.Tensor
    lse: torch.Tensor


class Question(NamedTuple):
    """What attention is asked: some query rows, all keys, and which pairs are admitted."""

    q: torch.Tensor  # [batch, heads, rows, head size]
    k: torch.Tensor  # [batch, kv heads, keys, head size]
    v: torch.Tensor
    mask: torch.Tensor  # [batch or 1, heads or 1, rows, keys]
    query_positions: torch.Tensor  # [rows]
    key_positions: torch.Tensor  # [keys]
    scale: float
    score: Score | None = None
    first_batch: int = 0  # of all batches and heads of the call, where only some are asked about
    first_head: int = 0
    first_query: int = 0  # the position of the call's first query row
    terms: Terms | None = None
    sinks: torch.Tensor | None = None  # [heads]: of each row one more score, of a key whose value is 0

    def spread(self, tensor: torch.Tensor) -> torch.Tensor:
        """A key head for each query head."""
        return tensor.repeat_interleave(self.q.shape[1] // tensor.shape[1], dim=1)

    def modify(self, scores: torch.Tensor) -> torch.Tensor:
        if self.terms:
            return self.terms(self, scores)
        if self.score is None:
            return scores
        batches, heads = (torch.arange(n, device=scores.device) for n in self.q.shape[:2])
        return self.score(scores, self.first_batch + batches[:, None, None, None],
                          self.first_head + heads[:, None, None], self.query_positions[:, None], self.key_positions)

    def rows(self, begin: int, end: int) -> "Question":
        return self._replace(q=self.q[:, :, begin:end], mask=self.mask[:, :, begin:end],
                             query_positions=self.query_positions[begin:end])


def softmax(scores: torch.Tensor, sinks: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights over the last axis and logarithms of the sums of exp; a row of nothing but -inf has weights 0."""
    if sinks is not None:
        of_rows = sinks.to(scores.dtype)[:, None, None].expand(*scores.shape[:3], 1)
        weights, lse = softmax(torch.cat([of_rows, scores], -1))
        return weights[..., 1:], lse
    if scores.shape[-1] == 0:
        return scores, scores.new_full(scores.shape[:-1], -math.inf)
    top = scores.amax(-1, keepdim=True)
    top = top.masked_fill(top == -math.inf, 0)
    weights = torch.exp(scores - top)
    total = weights.sum(-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1), (top + torch.log(total))[..., 0]


def exact(x: Question) -> Outputs:
    scores = x.modify(x.scale * (x.q.double() @ x.spread(x.k).double().mT))
    weights, lse = softmax(scores.masked_fill(~x.mask, -math.inf), x.sinks)
    return Outputs(weights @ x.spread(x.v).double(), lse)


def eager(x: Question) -> Outputs:
    """Every step is a tensor of the element type; products are summed, and softmax and regions computed, in float32."""
    element = x.q.dtype
    scores = (x.q.float() @ x.spread(x.k).float().mT).to(element)
    scores = (scores.float() * x.scale).to(element)
    scores = x.modify(scores.float()).to(element).masked_fill(~x.mask, -math.inf)
    weights, lse = softmax(scores.float(), None if x.sinks is None else x.sinks.to(element))
    return Outputs((weights.to(element).float() @ x.spread(x.v).float()).to(element), lse)


def answer(how: Callable[[Question], Outputs], x: Question, most_pairs: int = 1 << 27) -> Outputs:
    """`how` applied to so few rows at a time that their scores fit into memory."""
    batch, heads, length, _ = x.q.shape
    step = max(1, most_pairs // max(1, batch * heads * x.k.shape[2]))
    parts = [how(x.rows(begin, min(begin + step, length))) for begin in range(0, length, step)]
    if not parts:
        return how(x)
    return Outputs(torch.cat([part.output for part in parts], 2), torch.cat([part.lse for part in parts], 2))


def ulp_at(magnitude: float, element: torch.dtype) -> float:
    """The step from `magnitude` to the next larger number of the element type."""
    limits = torch.finfo(element)
    return limits.eps * 2.0 ** (math.frexp(max(magnitude, limits.smallest_normal))[1] - 1)


def largest(values: torch.Tensor) -> float:
    return float(values.max()) if values.numel() else 0.0


def tolerance(exact: torch.Tensor, eager: torch.Tensor, element: torch.dtype, factor: float) -> float:
    """factor * max|eager - f64| + 2 ulp at max|f64|. Where eager attention alone is not finite, it says nothing."""
    finite = torch.isfinite(exact)
    error = (eager.double() - exact).abs()
    return factor * largest(error[finite & torch.isfinite(eager)]) + 2 * ulp_at(largest(exact[finite].abs()), element)


def max_error(actual: torch.Tensor, exact: torch.Tensor) -> float:
    """Infinite where one is finite and the other is not, or another infinity."""
    actual = actual.double()
    same = (actual == exact) | (actual.isnan() & exact.isnan())
    return largest(torch.where(same, 0.0, (actual - exact).abs()).nan_to_num(nan=math.inf, posinf=math.inf))


def error_ratios(actual: Outputs, exact: Outputs, eager: Outputs, element: torch.dtype) -> tuple[float, float]:
    """Errors of output and lse over what the rule allows. Right: neither is above 1. Without an lse its ratio is 0."""
    factor = 10 if element == torch.float32 else 1.1
    of_output = max_error(actual.output, exact.output) / tolerance(exact.output, eager.output, element, factor)
    if actual.lse is None:
        return of_output, 0.0
    return of_output, max_error(actual.lse, exact.lse) / tolerance(exact.lse, eager.lse, torch.float32, factor)
