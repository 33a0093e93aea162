# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attn_call in memory, and what can be wrong with one in words."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import abi
from .arrays import View
from .errors import CallError
from .loaded import KernelInfo

_FARTHEST = 1 << 40  # what the C ABI takes for numbers of rows
_TENSOR_WORDS = ctypes.sizeof(abi.Tensor) // 8  # an address stands in the first


@dataclass(frozen=True)
class CallOptions:
    """Fields of attn_call; None stands for the default."""

    scale: float | None = None
    query_offset: int | None = None
    key_offset: int = 0


class CallMemory:
    """An attn_call with its tensors and scalars. Addresses are filled in afterwards, as often as wanted."""

    def __init__(self, info: KernelInfo, views: Sequence[View | None], scalars: Mapping[str, float],
                 options: CallOptions):
        self.tensors = (abi.Tensor * info.tensor_count)()
        for tensor, view in zip(self.tensors, views):
            if view is not None:
                tensor.element, tensor.rank = view.element, len(view.shape)
                tensor.shape[: tensor.rank], tensor.strides[: tensor.rank] = view.shape, view.strides
        self.scalars = (abi.Scalar * max(info.scalar_count, 1))()
        for name, scalar in info.scalars.items():
            field = "number" if scalar.is_number else "index"
            setattr(self.scalars[scalar.place], field, scalars.get(name, scalar.default))
        self.call = abi.Call(
            size=ctypes.sizeof(abi.Call), version=abi.VERSION, tensors=ctypes.addressof(self.tensors),
            tensor_count=info.tensor_count, scalars=ctypes.addressof(self.scalars), scalar_count=info.scalar_count,
            key_offset=options.key_offset)
        if options.query_offset is not None:
            self.call.query_offset = options.query_offset
            self.call.flags |= abi.constant("HAS_QUERY_OFFSET")
        if options.scale is not None:
            self.call.scale = options.scale
            self.call.flags |= abi.constant("HAS_SCALE")
        self.address = ctypes.addressof(self.call)
        self._words = memoryview(self.tensors).cast("B").cast("Q")

    def set_address(self, tensor: int, address: int) -> None:
        self._words[tensor * _TENSOR_WORDS] = address


def shape_text(shape: Sequence[int]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def take_arguments(info: KernelInfo, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Arguments of a call, in run-time data and numbers. A name may end in _, as `global_`, a word of Python's."""
    data, scalars = {}, {}
    for name, value in given.items():
        name = name if name in info.data or name in info.scalars else name.rstrip("_")
        if name in info.data:
            data[name] = value
        elif name in info.scalars:
            scalars[name] = _take_scalar(name, value, info.scalars[name].is_number)
        else:
            raise TypeError(f"{info.name} has no argument '{name}'; it has {', '.join(info.arguments) or 'none'}")
    return data, scalars


def _take_scalar(name: str, value: Any, is_number: bool) -> float:
    try:
        return float(value) if is_number else value.__index__()
    except (TypeError, ValueError, AttributeError):
        what = "a number" if is_number else "an int"
        raise TypeError(f"argument '{name}' is {value!r}; it takes {what}") from None


# What is checked before the kernel is asked, because these words can say more.


def _check_ranks(views: Mapping[str, View]) -> None:
    for name, view in views.items():
        if len(view.shape) != 4:
            raise CallError(f"{name} has shape {shape_text(view.shape)}; give [batch, heads, rows, head size]")


def _check_elements(info: KernelInfo, views: Mapping[str, View]) -> None:
    for name, view in views.items():
        if view.element != info.element:
            held, wanted = abi.NAMES_OF_ELEMENTS[view.element], abi.NAMES_OF_ELEMENTS[info.element]
            raise CallError(f"{name} holds {held}, {info.name} takes {wanted}; convert it, or compile for "
                            f"element='{held}'")


def _check_columns(views: Mapping[str, View]) -> None:
    for name, view in views.items():
        if view.shape[-1] > 1 and view.strides[-1] != 1:
            raise CallError(f"the last axis of {name} is not contiguous (stride {view.strides[-1]}); copy it")


def _check_sizes(info: KernelInfo, q: View, k: View, v: View) -> None:
    for name, view, size, option in [("q", q, info.head_size, "head_size"), ("k", k, info.head_size, "head_size"),
                                     ("v", v, info.value_head_size, "value_head_size")]:
        if view.shape[3] != size:
            raise CallError(f"{name} has head size {view.shape[3]}, {info.name} was compiled for {size}; compile with "
                            f"{option}={view.shape[3]}")
    if k.shape[:3] != v.shape[:3]:
        raise CallError(f"k has shape {shape_text(k.shape)} and v {shape_text(v.shape)}; batch, heads and rows have to "
                        "be the same")
    if q.shape[0] != k.shape[0]:
        raise CallError(f"q has a batch of {q.shape[0]} and k of {k.shape[0]}; give equal ones")
    if k.shape[1] == 0 and q.shape[1] > 0 or k.shape[1] > 0 and q.shape[1] % k.shape[1]:
        raise CallError(f"{k.shape[1]} key heads do not divide {q.shape[1]} query heads; every key head serves equally "
                        "many")


def check_rows(info: KernelInfo, q: View, k: View, v: View) -> None:
    """Raises CallError for query, key and value that do not fit each other or the kernel."""
    views = {"q": q, "k": k, "v": v}
    _check_ranks(views)
    _check_elements(info, views)
    _check_sizes(info, q, k, v)
    _check_columns(views)


def check_output(info: KernelInfo, out: View, shape: tuple[int, ...]) -> None:
    """Raises CallError for a given output that does not fit."""
    if out.shape != shape:
        raise CallError(f"out has shape {shape_text(out.shape)}, the output {shape_text(shape)}")
    _check_elements(info, {"out": out})
    _check_columns({"out": out})


def check_scalars(info: KernelInfo, given: Mapping[str, float]) -> None:
    """Raises CallError for an int that is out of range."""
    for name, value in given.items():
        scalar = info.scalars[name]
        if not scalar.is_number and not scalar.minimum <= value <= _FARTHEST:
            raise CallError(f"argument '{name}' is {value}; it is at least {scalar.minimum} and at most 2^40")


def check_data(info: KernelInfo, given: Mapping[str, Any]) -> None:
    """Raises CallError where run-time data without a default is missing."""
    for name, data in info.data.items():
        if name not in given and not data.has_default:
            raise CallError(f"{info.name} needs its argument '{name}'; give it by that name")


def explain(info: KernelInfo, status: int, memory: CallMemory, numbers: Sequence[int] | None) -> CallError:
    """What a status other than ATTN_OK means. `numbers`: of a requirement, its index and both sides."""
    text = abi.STATUS_TEXTS.get(status, f"unknown status {status}")
    if numbers is not None and numbers[0] >= 0:
        what, least = info.requirements[numbers[0]]
        text = f"{what} are {numbers[1]}; they have to be at least {numbers[2]}, {least}"
    shapes = [f"{name} {shape_text(tensor.shape[: tensor.rank])}"
              for name, tensor in zip(["q", "k", "v", "out", "lse", *info.data], memory.tensors) if tensor.rank]
    return CallError(f"{info.name}({', '.join(shapes)}): {text}", status)
