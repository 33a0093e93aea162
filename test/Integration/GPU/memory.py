# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors in poisoned memory: all of it is one NaN until written, between and around their rows too, so that what a
kernel leaves out, writes beside them or reads beside them shows."""

import math
from typing import NamedTuple

import torch

GUARD = 4096  # elements before and after a tensor

# An integer of the same size and the NaN that it holds.
POISON = {torch.bfloat16: (torch.int16, 0x7FC1), torch.float16: (torch.int16, 0x7E01),
          torch.float32: (torch.int32, 0x7FC00001), torch.uint8: (torch.uint8, 0xAB)}


class Layout(NamedTuple):
    """Where the rows of a tensor [batch, heads, rows, columns] lie."""

    name: str
    order: tuple[int, int, int] = (0, 1, 2)  # of the axes batch, heads, rows; the last is innermost
    column_gap: int = 0  # elements after each row
    row_gap: int = 0  # rows after the last of each head
    base: int = 0  # elements before the first one that is aligned

    def strides(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        *outer, columns = shape
        extents = [*outer[:2], outer[2] + self.row_gap]
        strides, step = [0, 0, 0, 1], columns + self.column_gap
        for axis in reversed(self.order):
            strides[axis] = step
            step *= max(extents[axis], 1)
        return tuple(strides)


DENSE = Layout("dense")
LAYOUTS = [
    Layout("rows-outside-heads", order=(0, 2, 1)),
    Layout("heads-outside-batch", order=(1, 0, 2)),
    Layout("rows-gap-8", column_gap=8),
    Layout("heads-gap", row_gap=5),
    Layout("rows-gap-1", column_gap=1),
    Layout("rows-gap-4", column_gap=4, order=(0, 2, 1)),
    Layout("base-1", base=1),
    Layout("base-4-rows-outside-heads", base=4, order=(0, 2, 1)),
]


class Poisoned:
    """A tensor `view` in memory of its own."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: str, layout: Layout = DENSE):
        rows = (*shape, 1)[:4]  # lse [batch, heads, rows] has one column
        strides = layout.strides(rows)
        count = 1 + sum((n - 1) * stride for n, stride in zip(rows, strides)) if math.prod(rows) else 0
        self.form = shape, strides[: len(shape)], GUARD + layout.base
        self.integer, self.poison = POISON[dtype]
        self.bits = torch.empty(count + 2 * GUARD + layout.base, dtype=self.integer, device=device)
        self.view = self.bits.view(dtype).as_strided(*self.form)
        self.clear()

    def clear(self) -> None:
        self.bits.fill_(self.poison)

    def content(self) -> torch.Tensor:
        """The bits that are there now, as integers."""
        return self.bits.as_strided(*self.form).clone()

    def strays(self) -> int:
        """How many elements outside of the tensor were written."""
        around = self.bits.clone()
        around.as_strided(*self.form).fill_(self.poison)
        return int((around != self.poison).sum())

    def is_untouched(self) -> bool:
        return bool((self.bits == self.poison).all())


def poisoned_bytes(size: int, device: str) -> Poisoned:
    return Poisoned((1, 1, 1, size), torch.uint8, device)
