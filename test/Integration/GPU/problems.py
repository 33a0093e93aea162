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
from attn_mlir import abi
from definitions import MASKS
from judge import Outputs, Question, answer, eager, error_ratios, exact
from kernel import Kernel, PreparedCall
from memory import DENSE, Layout, Poisoned, poisoned_bytes
from objects import Object
from scores import SCORES
from terms import ARRAYS, TERMS

Random = np.random.Generator

# (positions, batch, random) → int32 data, a row for each batch or one for all; of lengths, a number for each batch.
Draw = Callable[[int, int, Random], np.ndarray]
# (positions, heads, random) → int32 data for each head.
DrawForHeads = Callable[[int, int, Random], np.ndarray]

LENGTHS, PER_HEAD, BLOCKS = (abi.CONSTANTS[f"ATTN_{role}"] for role in ("LENGTHS", "PER_HEAD", "BLOCKS"))


class Wrong(Exception):
    """What is wrong with an answer, in one line."""


# ----------------------------------------------------------------------------------------------------------------------
# Run-time data
# ----------------------------------------------------------------------------------------------------------------------


def sorted_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.sort(random.integers(0, 4, (batch, positions)), axis=1)


def any_lengths(positions: int, batch: int, random: Random) -> np.ndarray:
    return random.integers(0, positions + 1, batch)


def drawn_blocks(size: int, entries: int = 3) -> DrawForHeads:
    """Blocks for every block of queries, some twice, padded by -1 at the end."""

    def draw(positions: int, heads: int, random: Random) -> np.ndarray:
        blocks = -(-positions // size)
        drawn = random.integers(0, max(blocks, 1), (heads, blocks, entries))
        drawn[:, ::2, -1:] = -1
        return drawn

    draw.__name__ = f"blocks of {size}"
    return draw


REQUIRED_DATA: dict[str, dict[str, Draw | DrawForHeads]] = {
    "bigbird": {"random": drawn_blocks(64)},
    "document": {"segments": sorted_segments},
    "document_causal": {"segments": sorted_segments},
    "padded": {"lengths": any_lengths},
    "prefix_lm_batch": {"prefix": any_lengths},
    "window_or_segment": {"segments": sorted_segments},
}


# ----------------------------------------------------------------------------------------------------------------------
# Problems
# ----------------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Problem:
    """One call. Arguments are numbers or, for run-time data, functions that draw it; those of scores are numbers, or
    tuples for arrays that are not drawn."""

    length: int
    kv_length: int | None = None  # None: length
    batch: int = 1
    heads: int = 2
    kv_heads: int | None = None  # None: heads
    query_offset: int | None = None
    key_offset: int = 0
    scale: float | None = None
    size: float = 1  # of the numbers in query and key
    arguments: dict[str, int | Draw | DrawForHeads] = dataclasses.field(default_factory=dict)
    score_arguments: dict[str, float | tuple[float, ...]] = dataclasses.field(default_factory=dict)
    shared_arrays: bool = False  # one entry for all batches and heads, of stride 0
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
        self.infos = {info.name.decode(): info for info in kernel.tensors}
        seed = zlib.crc32(f"{made.name} {problem}".encode())
        self.random = np.random.default_rng(seed)
        self.torch_random = torch.Generator(self.device).manual_seed(seed)
        self.make_tensors()
        self.draw_tensors()
        self.arguments = self.draw_arguments()
        self.score_arguments = self.draw_score_arguments()

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
                role = self.infos[name.rstrip("_")].role
                key_positions = max(self.rows.key_offset + self.rows.kv_length, 0)
                positions = key_positions if role == LENGTHS else self.rows.position_count()
                count = self.problem.heads if role in (PER_HEAD, BLOCKS) else self.problem.batch
                value = value(positions, count, self.random).astype(np.int32)
            drawn[name] = value
        return drawn

    def draw_score_arguments(self) -> dict[str, Any]:
        """Arrays are drawn where the problem does not say what they hold."""
        p = self.problem
        extents = {"batch": p.batch, "heads": p.heads, "queries": self.rows.length, "keys": self.rows.kv_length,
                   "head_size": self.kernel.head_size}
        drawn: dict[str, Any] = {}
        for name, axes in ARRAYS.get(self.made.score, {}).items():
            shape = [extents.get(axis, axis) for axis in axes]
            own = [1 if p.shared_arrays and axis in ("batch", "heads") else n for axis, n in zip(axes, shape)]
            numbers = torch.randn(own, generator=self.torch_random, device=self.device)
            drawn[name] = (numbers.abs() * 40 if name == "span" else numbers).expand(shape)
        given = {name: torch.tensor(value, device=self.device) if isinstance(value, tuple) else value
                 for name, value in p.score_arguments.items()}
        return {**drawn, **given}

    def tensors(self) -> list[torch.Tensor]:
        batch = self.problem.batch
        k, v = (x.view.expand(batch, -1, -1, -1) if self.problem.shared_keys else x.view for x in (self.k, self.v))
        return [self.q.view, k, v]

    def options(self) -> dict[str, Any]:
        p = self.problem
        own = {name: dense_tensor(v) if isinstance(v, np.ndarray) else v for name, v in self.arguments.items()}
        fields = {"scale": p.scale, "query_offset": p.query_offset, "key_offset": p.key_offset}
        return {**fields, **own, **self.score_arguments}

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
        """[batch or 1, heads or 1, rows, keys]; one of them where nothing differs between batches or heads."""
        pattern = self.made.pattern
        batches = self.problem.batch if any(np.ndim(value) for value in self.arguments.values()) else 1
        heads = self.problem.heads if pattern in masks.DIFFER_BY_HEAD else 1
        dense = np.zeros((min(batches, self.problem.batch), heads, self.rows.length, self.rows.kv_length), dtype=bool)
        for b, h in np.ndindex(*dense.shape[:2]):
            own = {name: self.value_of(name, value, b, h) for name, value in self.arguments.items()}
            if pattern in masks.NUMBERED_HEADS:
                own["head"] = h
            dense[b, h] = MASKS[pattern](*self.rows.positions(), **own)
        return torch.from_numpy(dense).to(self.device)

    def value_of(self, name: str, value: Any, batch: int, head: int) -> Any:
        """What an argument is for a batch and head. A head's number that is too low counts as the lowest."""
        info = self.infos.get(name.rstrip("_"))
        if info is None:
            return value
        axes = {LENGTHS: 1, BLOCKS: 4}.get(info.role, 2)  # where each batch has its own
        of_batch = value[batch] if np.ndim(value) == axes else value
        if info.role == PER_HEAD:
            return max(int(of_batch[head]), info.minimum)
        return of_batch[head] if info.role == BLOCKS else of_batch

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
        question = Question(q, k, v, mask, *positions, scale, first_query=self.first_query())
        return self.with_score(question) if self.made.score else question

    def first_query(self) -> int:
        positions, _ = self.rows.positions()
        return int(positions[0, 0]) if len(positions) else 0

    def with_score(self, question: Question) -> Question:
        name, arguments = self.made.score, {f"{n}_" if n == "global" else n: x for n, x in self.score_arguments.items()}
        if name in TERMS:
            sinks = arguments.get("logits")
            return question._replace(terms=lambda x, s: TERMS[name](x, s, **arguments), sinks=sinks)
        heads = {"heads": self.problem.heads} if name == "alibi" else {}
        return question._replace(score=lambda *x: SCORES[name](*x, **heads, **arguments))

    def judged_rows(self) -> tuple[int, int]:
        return self.problem.judged or (0, self.rows.length)

    def written(self) -> dict[str, Poisoned | None]:
        return {"output": self.output, "lse": self.lse, "workspace": self.workspace}

    def check_surroundings(self) -> None:
        for name, tensor in self.written().items():
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
        mask = self.mask().expand(-1, self.problem.heads, -1, -1)
        admitted = torch.stack([mask[:, key // columns, :, key] for key in range(keys)], 2) if keys else mask[:, 0]
        wrong = (((weights != 0) != admitted) | ~torch.isfinite(weights)).nonzero()
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
