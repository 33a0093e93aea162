# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Linear attention of patterns/linear.mlir: what it gives in float64, what eager code of the element type gives, and
calls of its kernels, judged between the two."""

import dataclasses
from typing import Any, NamedTuple

import torch
from judge import Outputs, error_ratios, max_error, tolerance
from memory import Poisoned
from problems import Problem, Trial

EPSILON = float(torch.tensor(1e-6))
CHUNK = 64  # rows, each with a state of its own, that are held at a time


@dataclasses.dataclass(frozen=True)
class LinearProblem(Problem):
    state_in: bool = True
    state_out: bool = True
    transposed: bool = False  # states lie column by column


class Answer(NamedTuple):
    output: torch.Tensor
    lse: torch.Tensor
    state: torch.Tensor  # [batch, kv heads, head size, value head size + 1]


def feature(x: torch.Tensor) -> torch.Tensor:
    """elu(x) + 1"""
    return torch.where(x > 0, x + 1, torch.exp(x.clamp(max=0)))


def evaluate(tensors: list[torch.Tensor], state: torch.Tensor, seen: list[int], element: torch.dtype | None) -> Answer:
    """Row i of the query sees the first seen[i] keys. Without an element type all is float64; else products and sums
    are float32, and every step gives the element type."""
    number = torch.float64 if element is None else torch.float32

    def fit(x: torch.Tensor) -> torch.Tensor:
        return x if element is None else x.to(element).float()

    q, k, v = (x.to(number) for x in tensors)
    fq, fk = fit(feature(q)), fit(feature(k))
    values = torch.cat([v, torch.ones_like(v[..., :1])], -1)
    sums, taken, rows = state.to(number), 0, [q.new_empty(*q.shape[:2], 0, values.shape[3])]
    for begin in range(0, len(seen), CHUNK):
        own = torch.tensor(seen[begin : begin + CHUNK], device=q.device)
        first, last = int(own[0]), int(own[-1])
        sums = sums + fk[:, :, taken:first].mT @ values[:, :, taken:first]
        steps = fk[:, :, first:last, :, None] * values[:, :, first:last, None]
        states = torch.cat([sums[:, :, None], steps], 2).cumsum(2)
        of_rows = fit(states[:, :, own - first]).repeat_interleave(q.shape[1] // k.shape[1], 1)
        rows.append(fit(torch.einsum("bhic,bhice->bhie", fq[:, :, begin : begin + CHUNK], of_rows)))
        sums, taken = states[:, :, -1], last
    sums = sums + fk[:, :, taken:].mT @ values[:, :, taken:]
    products = torch.cat(rows, 2)
    normaliser = fit(products[..., -1] + EPSILON)
    return Answer(fit(products[..., :-1] / normaliser[..., None]), torch.log(normaliser), fit(sums))


class LinearTrial(Trial):
    """A problem for a kernel of linear attention, with states that come in and go out."""

    problem: LinearProblem

    def make_tensors(self) -> None:
        super().make_tensors()
        p = self.problem
        state = (p.batch, p.kv_heads or p.heads, self.kernel.head_size, self.kernel.value_head_size + 1)
        shape = (*state[:2], state[3], state[2]) if p.transposed else state
        self.state_in, self.state_out = (
            Poisoned(shape, torch.float32, self.device) if is_given else None for is_given in (p.state_in, p.state_out))
        self.state_shape = state

    def draw_tensors(self) -> None:
        super().draw_tensors()
        if self.state_in:
            self.state_in.view.copy_(torch.rand(
                self.state_in.view.shape, generator=self.torch_random, device=self.device))

    def draw_again(self) -> None:
        """The same numbers once more."""
        self.torch_random.manual_seed(self.torch_random.initial_seed())
        self.draw_tensors()

    def state_of(self, tensor: Poisoned) -> torch.Tensor:
        return tensor.view.mT if self.problem.transposed else tensor.view

    def options(self) -> dict[str, Any]:
        given = {"state_in": self.state_in, "state_out": self.state_out}
        return {**super().options(), **{name: self.state_of(tensor) for name, tensor in given.items() if tensor}}

    def seen(self) -> list[int]:
        """How many keys each row sees."""
        rows = self.rows
        if self.made.kernel == "linear":
            return [rows.kv_length] * rows.length
        last = rows.kv_length - rows.length if rows.query_offset is None else rows.query_offset - rows.key_offset
        return [min(max(row + last + 1, 0), rows.kv_length) for row in range(rows.length)]

    def answer(self, element: torch.dtype | None) -> Answer:
        state = self.state_of(self.state_in) if self.state_in else self.q.view.new_zeros(self.state_shape).float()
        return evaluate(self.tensors(), state, self.seen(), element)

    def judge(self, actual: Outputs | None = None) -> tuple[float, float]:
        """The larger error ratio of output and state, and that of lse."""
        exact, eager = self.answer(None), self.answer(self.kernel.dtype)
        of_output, of_lse = error_ratios(actual or Outputs(self.output.view, self.lse.view if self.lse else None),
                                         Outputs(*exact[:2]), Outputs(*eager[:2]), self.kernel.dtype)
        if actual or not self.state_out:
            return of_output, of_lse
        factor = 10 if self.kernel.dtype == torch.float32 else 1.1
        of_state = max_error(self.state_of(self.state_out), exact.state) / tolerance(
            exact.state, eager.state, self.kernel.dtype, factor)
        return max(of_output, of_state), of_lse

    def written(self) -> dict[str, Poisoned | None]:
        return {**super().written(), "state_out": self.state_out}

    def bits(self) -> list[torch.Tensor]:
        return super().bits() + ([self.state_out.content()] if self.state_out else [])

    def clear_outputs(self) -> None:
        super().clear_outputs()
        if self.state_out:
            self.state_out.clear()
