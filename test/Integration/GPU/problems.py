# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A problem for a kernel: sizes and arguments; its data drawn from a seed; the kernel's answer, judged."""

import dataclasses
import math
import zlib
from collections.abc import Callable
from typing import Any

import masks
import numpy as np
import torch
from definitions import MASKS
from judge import Outputs, Question, answer, eager, error_ratios, exact
from kernel import Kernel, PreparedCall
from memory import DENSE, Layout, Poisoned, poisoned_bytes
from objects import Object
from scores import SCORES

Random = np.random.Generator

# (positions, batch, random) → int32 data, a row for each batch or one for all; of lengths, a number for each batch.
Draw = Callable[[int, int, Random], np.ndarray]


class Wrong(Exception):
    """What is wrong with an answer, in one line."""


# ----------------------------------------------------------------------------------------------------------------------
# Run-time data
# ----------------------------------------------------------------------------------------------------------------------


def sorted_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.sort(random.integers(0, 4, (batch, positions)), axis=1)


def any_lengths(positions: int, batch: int, random: Random) -> np.ndarray:
    return random.integers(0, positions + 1, batch)


REQUIRED_DATA: dict[str, dict[str, Draw]] = {
    "document": {"segments": sorted_segments},
    "document_causal": {"segments": sorted_segments},
    "padded": {"lengths": any_lengths},
    "window_or_segment": {"segments": sorted_segments},
}


# ----------------------------------------------------------------------------------------------------------------------
# Problems
# ----------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Problem:
    """One call. Arguments are numbers or, for run-time data, functions that draw it."""

    length: int
    kv_length: int | None = None  # None: length
    batch: int = 1
    heads: int = 2
    kv_heads: int | None = None  # None: heads
    query_offset: int | None = None
    key_offset: int = 0
    scale: float | None = None
    size: float = 1  # of the numbers in query and key
    arguments: dict[str, int | Draw] = dataclasses.field(default_factory=dict)
    score_arguments: dict[str, float] = dataclasses.field(default_factory=dict)
    layout: Layout = DENSE
    shared_keys: bool = False  # one key and value for all batches, of batch stride 0
    with_lse: bool = True
    unseen: tuple[int, int] | None = None  # key rows that hold NaN and infinities
    judged: tuple[int, int] | None = None  # query rows that are judged
    nan_query: int | None = None  # a query row of NaN

    def __str__(self) -> str:
        """What differs from the defaults."""
        parts = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, dict):
                parts += [f"{name.rstrip('_')}={getattr(v, '__name__', v)}" for name, v in value.items()]
            elif value != field.default:
                parts.append(f"{field.name}={value.name if isinstance(value, Layout) else value}")
        return " ".join(parts)

    def rows(self) -> masks.Rows:
        kv_length = self.length if self.kv_length is None else self.kv_length
        return masks.Rows(self.length, kv_length, self.query_offset, self.key_offset)


class Trial:
    """A problem with its data, on the device of a kernel."""

    def __init__(self, kernel: Kernel, made: Object, problem: Problem):
        self.kernel, self.made, self.problem = kernel, made, problem
        self.rows = problem.rows()
        self.device = "cuda" if kernel.is_gpu else "cpu"
        seed = zlib.crc32(f"{made.name} {problem}".encode())
        self.random = np.random.default_rng(seed)
        self.torch_random = torch.Generator(self.device).manual_seed(seed)
        self.make_tensors()
        self.draw_tensors()
        self.arguments = self.draw_arguments()

    def make_tensors(self) -> None:
        p, rows, kv_heads = self.problem, self.rows, self.problem.kv_heads or self.problem.heads
        head_size, value_head_size = self.kernel.head_size, self.kernel.value_head_size
        kv_batch = 1 if p.shared_keys else p.batch

        def tensor(*shape: int, dtype: torch.dtype = self.kernel.dtype) -> Poisoned:
            return Poisoned(shape, dtype, self.device, p.layout)

        self.q = tensor(p.batch, p.heads, rows.length, head_size)
        self.k = tensor(kv_batch, kv_heads, rows.kv_length, head_size)
        self.v = tensor(kv_batch, kv_heads, rows.kv_length, value_head_size)
        self.output = tensor(p.batch, p.heads, rows.length, value_head_size)
        self.lse = tensor(p.batch, p.heads, rows.length, dtype=torch.float32) if p.with_lse else None

    def draw_tensors(self) -> None:
        p = self.problem
        for tensor, size in ((self.q, p.size), (self.k, p.size), (self.v, 1)):
            values = torch.randn(tensor.view.shape, generator=self.torch_random, device=self.device)
            tensor.view.copy_(values * size)
        if p.nan_query is not None:
            self.q.view[:, :, p.nan_query] = math.nan
        if p.unseen:
            begin, end = p.unseen
            for key, number in enumerate((math.nan, math.inf, -math.inf)):
                self.k.view[:, :, begin + key : end : 3] = number
                self.v.view[:, :, begin + key : end : 3] = number

    def draw_arguments(self) -> dict[str, Any]:
        """Numbers stay; run-time data are drawn, lengths among the key positions."""
        drawn: dict[str, Any] = {}
        for name, value in {**REQUIRED_DATA.get(self.made.pattern, {}), **self.problem.arguments}.items():
            if callable(value):
                key_positions = max(self.rows.key_offset + self.rows.kv_length, 0)
                positions = key_positions if name == "lengths" else self.rows.position_count()
                value = value(positions, self.problem.batch, self.random).astype(np.int32)
            drawn[name] = value
        return drawn

    def tensors(self) -> list[torch.Tensor]:
        batch = self.problem.batch
        k, v = (x.view.expand(batch, -1, -1, -1) if self.problem.shared_keys else x.view for x in (self.k, self.v))
        return [self.q.view, k, v]

    def options(self) -> dict[str, Any]:
        p = self.problem
        own = {name: dense_tensor(v) if isinstance(v, np.ndarray) else v for name, v in self.arguments.items()}
        fields = {"scale": p.scale, "query_offset": p.query_offset, "key_offset": p.key_offset}
        return {**fields, **own, **p.score_arguments}

    def prepare(self) -> PreparedCall:
        """The call, its workspace between guards."""
        call = self.kernel.prepare(*self.tensors(), output=self.output.view,
                                   lse=self.lse.view if self.lse else False, **self.options())
        self.workspace = poisoned_bytes(call.call.workspace_bytes, self.device)
        call.use_workspace(self.workspace.view.view(-1), call.call.workspace_bytes)
        return call

    # ------------------------------------------------------------------------------------------------------------------
    # Judging
    # ------------------------------------------------------------------------------------------------------------------

    def mask(self) -> torch.Tensor:
        """[batch or 1, 1, rows, keys]; one batch where no argument differs between batches."""

        def of_batch(name: str, value: Any, batch: int) -> Any:
            return value[batch] if np.ndim(value) == (1 if name == "lengths" else 2) else value

        own = [np.ndim(value) > 0 for value in self.arguments.values()]
        one_each = [
            MASKS[self.made.pattern](
                *self.rows.positions(), **{name: of_batch(name, v, b) for name, v in self.arguments.items()})
            for b in range(self.problem.batch if any(own) else min(self.problem.batch, 1))]
        shape = (len(one_each), 1, self.rows.length, self.rows.kv_length)
        dense = np.zeros(shape, dtype=bool)
        for b, mask in enumerate(one_each):
            dense[b, 0] = mask
        return torch.from_numpy(dense).to(self.device)

    def question(self) -> Question:
        """Keys that no row sees may hold anything; the judge's own sums would meet it, so it is given zeros there."""
        q, k, v = self.tensors()
        mask = self.mask()
        if self.problem.unseen:
            begin, end = self.problem.unseen
            assert not mask[:, :, slice(*self.judged_rows()), begin:end].any(), "unseen keys are admitted"
            k, v = k.clone(), v.clone()
            k[:, :, begin:end] = 0
            v[:, :, begin:end] = 0
        scale = 1 / math.sqrt(self.kernel.head_size) if self.problem.scale is None else self.problem.scale
        positions = (torch.from_numpy(x.reshape(-1)).to(self.device) for x in self.rows.positions())
        score = SCORES[self.made.score] if self.made.score else None
        modify = (lambda *x: score(*x, **self.problem.score_arguments)) if score else None
        return Question(q, k, v, mask, *positions, scale, modify)

    def judged_rows(self) -> tuple[int, int]:
        return self.problem.judged or (0, self.rows.length)

    def check_surroundings(self) -> None:
        written = {"output": self.output, "lse": self.lse, "workspace": self.workspace}
        for name, tensor in written.items():
            if tensor and tensor.strays():
                raise Wrong(f"{tensor.strays()} elements beside the {name} were written")

    def judge(self, actual: Outputs | None = None) -> tuple[float, float]:
        """The error ratios of output and lse, of the kernel's own answer or of one made from several."""
        begin, end = self.judged_rows()
        question = self.question().rows(begin, end)
        actual = actual or Outputs(self.output.view, self.lse.view if self.lse else None)
        actual = Outputs(*(None if x is None else x[:, :, begin:end] for x in actual))
        return error_ratios(actual, answer(exact, question), answer(eager, question), self.kernel.dtype)

    def run(self) -> tuple[float, float]:
        call = self.prepare()
        call.run()
        synchronize(self.device)
        self.check_surroundings()
        return self.judge()

    def run_for_pairs(self) -> None:
        """Compares the mask pair by pair. Row j of the values of head h is the unit vector e_(j - h columns), 0 outside
        of that head's columns, and all heads have the same queries and keys: the outputs of the heads side by side then
        are the weights, which are 0 exactly where a pair is not admitted."""
        keys, columns = self.rows.kv_length, self.kernel.value_head_size
        for tensor in (self.q, self.k):
            tensor.view.copy_(tensor.view[:, :1].clone().expand_as(tensor.view))
        units = torch.eye(keys, self.problem.heads * columns, device=self.device)
        self.v.view.copy_(units.view(keys, self.problem.heads, columns).transpose(0, 1))
        self.prepare().run()
        synchronize(self.device)
        self.check_surroundings()
        weights = self.output.view.transpose(1, 2).flatten(2)[:, :, :keys]
        wrong = (((weights != 0) != self.mask()[:, 0]) | ~torch.isfinite(weights)).nonzero()
        if len(wrong):
            raise Wrong(f"{len(wrong)} pairs, of them [batch, row, key] {wrong[0].tolist()}")

    def bits(self) -> list[torch.Tensor]:
        return [tensor.content() for tensor in (self.output, self.lse) if tensor]

    def clear_outputs(self) -> None:
        for tensor in (self.output, self.lse):
            if tensor:
                tensor.clear()


def dense_tensor(array: np.ndarray) -> torch.Tensor:
    """Strides are those of its shape; NumPy's are 0 where it has no elements."""
    return torch.empty(array.shape, dtype=torch.int32).copy_(torch.from_numpy(array))


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def same_bits(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
