# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Patterns taken apart by hand: attention by PyTorch's dense kernels over tokens in another order.

The tokens of a class (of a dilation, a stride, a column) become a sequence of their own, a window becomes chunks of
queries beside the keys that they reach, and attention over two sets of keys is put together from attention over each.
Every pattern has a few such forms; the fastest right one is the rival. A class is read through its strides ("viewed"),
or copied first and its output copied back ("copied"); both are part of a form's time.

Tensors of a form are [sequences, classes, rows, head size], where a sequence is a batch's head.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flex
import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

Tensor = torch.Tensor


class Part(NamedTuple):
    """Attention over some of the keys."""

    output: Tensor
    lse: Tensor | None  # [sequences, classes, rows]; None from who does not tell


Attend = Callable[..., Part]  # (q, k, v, is_causal=False, bias=None)
Window = Callable[[Tensor, Tensor, Tensor, int, int], Part]  # (q, k, v, left, right)
Form = Callable[..., Tensor]  # (q, k, v, the pattern's arguments), all [batch, heads, rows, head size]


def fused(function: Callable[..., Any], on: Tensor) -> Callable[..., Any]:
    """As a user would run it on a GPU."""
    return compiled(function) if on.is_cuda else function


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=False)


# ----------------------------------------------------------------------------------------------------------------------
# Dense attention that tells its lse
# ----------------------------------------------------------------------------------------------------------------------


def by_cudnn(q: Tensor, k: Tensor, v: Tensor, is_causal: bool = False, bias: Tensor | None = None) -> Part:
    output, lse, *_ = torch.ops.aten._scaled_dot_product_cudnn_attention(q, k, v, bias, True, 0.0, is_causal, False)
    return Part(output, lse.reshape(q.shape[:3]))


def by_flash(q: Tensor, k: Tensor, v: Tensor, is_causal: bool = False) -> Part:
    return flash(q, k, v, is_causal=is_causal)


def flash(q: Tensor, k: Tensor, v: Tensor, is_causal: bool = False, **options: int) -> Part:
    tensors = [x.transpose(1, 2) for x in (q, k, v)]
    output, lse, *_ = torch.ops.aten._flash_attention_forward(
        *tensors, None, None, q.shape[2], k.shape[2], 0.0, is_causal, False, **options)
    return Part(output.transpose(1, 2), lse)


# ----------------------------------------------------------------------------------------------------------------------
# Windows: keys i - left to i + right
# ----------------------------------------------------------------------------------------------------------------------


def window_by_flash(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Part:
    return flash(q, k, v, window_size_left=left, window_size_right=right)


@functools.cache
def window_blocks(length: int, left: int, right: int, device: torch.device) -> Any:
    return create_block_mask(flex.window(left, right), None, None, length, length, device=device)


def window_by_flex(q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Part:
    blocks = window_blocks(q.shape[2], left, right, q.device)
    return Part(fused(flex_attention, q)(q, k, v, block_mask=blocks), None)


OUTSIDE = -1e4  # exp of it is 0, and unlike -inf it gives no NaN where a whole tile is outside


@functools.cache
def window_bias(rows: int, keys: int, first: int, left: int, right: int, dtype: torch.dtype,
                device: torch.device) -> Tensor:
    """[1, 1, rows, keys]; the first row stands beside key `first`."""
    distance = torch.arange(keys, device=device) - (first + torch.arange(rows, device=device)[:, None])
    is_outside = (distance < -left) | (distance > right)
    return torch.zeros(rows, keys, dtype=dtype, device=device).masked_fill(is_outside, OUTSIDE)[None, None]


def window_in_chunks(attend: Attend, q: Tensor, k: Tensor, v: Tensor, left: int, right: int, tile: int = 128) -> Part:
    """Chunks of about half a window of queries; what they reach are views of the keys, which overlap. At both ends of a
    sequence these would leave it, so what lies there is asked for by itself."""
    chunk = max(tile, (left + right + 1) // 2 // tile * tile)
    before, after = (-(-side // chunk) * chunk for side in (left, right))
    shape, length, span = q.shape, q.shape[2], before + chunk + after
    if length % chunk or length < span:
        raise ValueError(f"{length} rows are not chunks of {chunk} with keys of {span}")
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))

    def attend_with_bias(q: Tensor, k: Tensor, v: Tensor, first: int) -> Part:
        bias = window_bias(q.shape[2], k.shape[2], first, left, right, q.dtype, q.device)
        part = attend(q, k, v, bias=bias)
        return Part(part.output.flatten(1, 2), part.lse.flatten(1, 2))

    def at_end(rows: slice, keys: slice, first: int) -> list[Part]:
        ends = q[:, None, rows], k[:, None, keys], v[:, None, keys]
        return [attend_with_bias(*ends, first)] if ends[0].shape[2] else []

    chunks = q[:, before : length - after].unflatten(1, (-1, chunk))
    reached = (x.unfold(1, span, chunk).transpose(2, 3) for x in (k, v))
    parts = [*at_end(slice(0, before), slice(0, before + after), 0), attend_with_bias(chunks, *reached, before),
             *at_end(slice(length - after, length), slice(length - before - after, length), before)]
    output, lse = (torch.cat(pieces, 1) if len(pieces) > 1 else pieces[0] for pieces in zip(*parts))
    return Part(output.reshape(shape), lse.reshape(shape[:3]))


# ----------------------------------------------------------------------------------------------------------------------
# Two sets of keys
# ----------------------------------------------------------------------------------------------------------------------


def add_keys(part: Part, other: Part) -> None:
    """Makes the output of `part` that over the keys of both, which share none."""
    share = torch.sigmoid(other.lse - part.lse)[..., None]
    part.output.copy_(part.output * (1 - share) + other.output * share)


def add_keys_but_own(part: Part, other: Part, q: Tensor, k: Tensor, v: Tensor) -> None:
    """The same where both sets have the query's own key, which counts once. Attention to it alone is its value, with
    its score as lse."""
    own = (q.float() * k).sum(-1) * q.shape[-1] ** -0.5
    top = torch.maximum(part.lse, other.lse)
    weights = [torch.exp(lse - top)[..., None] for lse in (part.lse, other.lse, own)]
    total = weights[0] + weights[1] - weights[2]
    part.output.copy_((part.output * weights[0] + other.output * weights[1] - v * weights[2]) / total)


# ----------------------------------------------------------------------------------------------------------------------
# Patterns
# ----------------------------------------------------------------------------------------------------------------------


def sequences(x: Tensor) -> Tensor:
    """[batch, heads, rows, head size] as sequences of one class."""
    return x.flatten(0, 1)[:, None]


def classes(x: Tensor, count: int, is_copied: bool = False) -> Tensor:
    """One sequence as those of row modulo `count`."""
    view = x[:, 0].unflatten(1, (-1, count)).transpose(1, 2)
    return view.contiguous() if is_copied else view


def sliding_window(window: Window, q: Tensor, k: Tensor, v: Tensor, left: int, right: int) -> Tensor:
    return window(*map(sequences, (q, k, v)), left, right).output.reshape(q.shape)


def dilated_window(window: Window, is_copied: bool, q: Tensor, k: Tensor, v: Tensor, left: int, right: int,
                   dilation: int) -> Tensor:
    apart = [classes(sequences(x), dilation, is_copied) for x in (q, k, v)]
    return window(*apart, left, right).output.transpose(1, 2).reshape(q.shape)


def sparse_strided(window: Window, attend: Attend, is_copied: bool, q: Tensor, k: Tensor, v: Tensor,
                   stride: int) -> Tensor:
    """The window has the query's own key, so that of its column only earlier ones are added: rows from the second one
    on against keys to the last but one are causal again."""
    tensors = [sequences(x) for x in (q, k, v)]
    near = window(*tensors, stride - 1, 0)
    queries, keys, values = (classes(x, stride, is_copied) for x in tensors)
    far = attend(queries[:, :, 1:], keys[:, :, :-1], values[:, :, :-1], is_causal=True)
    near_classes = Part(classes(near.output, stride), near.lse[:, 0].unflatten(1, (-1, stride)).transpose(1, 2))
    fused(add_keys, q)(Part(*(x[:, :, 1:] for x in near_classes)), far)
    return near.output.reshape(q.shape)


def axial(attend: Attend, is_copied: bool, is_own_masked: bool, q: Tensor, k: Tensor, v: Tensor, width: int) -> Tensor:
    """Rows of the grid, whose own key either a bias masks or the sum leaves out, and columns."""
    tensors = [sequences(x) for x in (q, k, v)]
    rows = [x[:, 0].unflatten(1, (-1, width)) for x in tensors]
    across = attend(*rows, bias=diagonal(width, q.dtype, q.device)) if is_own_masked else attend(*rows)
    down = attend(*(classes(x, width, is_copied) for x in tensors))
    down = Part(down.output.transpose(1, 2), down.lse.transpose(1, 2))
    if is_own_masked:
        fused(add_keys, q)(across, down)
    else:
        fused(add_keys_but_own, q)(across, down, *rows)
    return across.output.reshape(q.shape)


@functools.cache
def diagonal(width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.zeros(width, width, dtype=dtype, device=device).fill_diagonal_(OUTSIDE)[None, None]


in_chunks = functools.partial(window_in_chunks, by_cudnn)

FORMS: dict[str, dict[str, Form]] = {
    "sliding_window": {
        "flash": functools.partial(sliding_window, window_by_flash),
        "cuDNN, chunks": functools.partial(sliding_window, in_chunks),
    },
    "dilated_window": {
        "flash, viewed": functools.partial(dilated_window, window_by_flash, False),
        "flash, copied": functools.partial(dilated_window, window_by_flash, True),
        "cuDNN, chunks, copied": functools.partial(dilated_window, in_chunks, True),
        "FlexAttention, copied": functools.partial(dilated_window, window_by_flex, True),
    },
    "sparse_strided": {
        "flash and cuDNN, viewed": functools.partial(sparse_strided, window_by_flash, by_cudnn, False),
        "flash and cuDNN, copied": functools.partial(sparse_strided, window_by_flash, by_cudnn, True),
        "cuDNN, chunks, viewed": functools.partial(sparse_strided, in_chunks, by_cudnn, False),
    },
    "axial": {
        "cuDNN, viewed": functools.partial(axial, by_cudnn, False, False),
        "cuDNN, copied": functools.partial(axial, by_cudnn, True, False),
        "cuDNN, viewed, own key masked": functools.partial(axial, by_cudnn, False, True),
        "flash, viewed": functools.partial(axial, by_flash, False, False),
    },
}


# ----------------------------------------------------------------------------------------------------------------------
# Forms as contenders of a row
# ----------------------------------------------------------------------------------------------------------------------

PREFIX = "reordered: "


def names(pattern: str) -> list[str]:
    return [PREFIX + form for form in FORMS[pattern]]


def is_form(contender: str) -> bool:
    return contender.startswith(PREFIX)


def prepare(contender: str, pattern: str, tensors: list[Tensor], arguments: dict[str, Any]) -> Callable[[], Tensor]:
    form = FORMS[pattern][contender.removeprefix(PREFIX)]
    return lambda: form(*tensors, **arguments)


def keep_best(results: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """In place of the forms the fastest one, which knows the others."""
    forms = {name.removeprefix(PREFIX): result for name, result in results.items() if is_form(name)}
    others = {name: result for name, result in results.items() if not is_form(name)}
    if not forms:
        return others
    best = min((form for form in forms if "burst_ms" in forms[form]), key=lambda form: forms[form]["burst_ms"],
               default=None)
    result = {"missing": "no form is right"} if best is None else {**forms[best], "form": best}
    return {**others, "reordered": {**result, "forms": forms}}
