# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NumPy arrays and torch tensors as kernels see them. Each kind is a class with the same few functions; nothing is
copied but run-time data of other types than the kernel's."""

import functools
import sys
from typing import Any, NamedTuple, Protocol

import numpy as np

from . import abi
from .errors import CallError


class View(NamedTuple):
    """An attn_tensor: strides in elements."""

    element: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def dense(cls, element: int, shape: tuple[int, ...]) -> "View":
        """In C order."""
        strides, stride = [], 1
        for extent in reversed(shape):
            strides.append(stride)
            stride *= max(extent, 1)
        return cls(element, shape, tuple(reversed(strides)))


class Arrays(Protocol):
    """A kind of arrays."""

    def layout(self, x: Any) -> tuple:
        """All that a call depends on but the address, to be compared; fast."""

    def address(self, x: Any) -> int: ...

    def view(self, x: Any, name: str) -> View:
        """Raises CallError, in which the array is called `name`."""

    def device(self, x: Any) -> Any:
        """Hashable; as text its name."""

    def empty(self, shape: tuple[int, ...], like: Any) -> Any:
        """An array of the element type and on the device of another one."""

    def empty_f32(self, shape: tuple[int, ...], like: Any) -> Any: ...

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Any: ...

    def data(self, value: Any, is_float: bool, like: Any) -> Any:
        """Run-time data, int32 or float32, on the device of `like`: the same array where it is that already."""


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


# uint16 holds the bits of bf16, for which NumPy has no type of its own (ml_dtypes.bfloat16 is one).
_ELEMENTS = {"float32": abi.ELEMENTS["f32"], "float16": abi.ELEMENTS["f16"], "bfloat16": abi.ELEMENTS["bf16"],
             "uint16": abi.ELEMENTS["bf16"], "int32": abi.ELEMENTS["i32"]}


def element_of(dtype: Any, name: str) -> int:
    """The attn_element of a dtype."""
    element = _ELEMENTS.get(_name(dtype))
    if element is None or not getattr(dtype, "isnative", True):
        raise CallError(f"{name} holds {_name(dtype)}; convert it to float32, float16 or bfloat16 (its bits: uint16)")
    return element


class NumpyArrays:
    """numpy.ndarray."""

    @staticmethod
    def layout(x: np.ndarray) -> tuple:
        return x.shape, x.strides, x.dtype

    @staticmethod
    def address(x: np.ndarray) -> int:
        return x.__array_interface__["data"][0]

    @staticmethod
    def view(x: np.ndarray, name: str) -> View:
        element = element_of(x.dtype, name)
        if any(stride % x.itemsize for stride in x.strides):
            raise CallError(f"{name} has strides of {x.strides} bytes, no multiples of its {x.itemsize}-byte elements; "
                            "copy it")
        return View(element, x.shape, tuple(stride // x.itemsize for stride in x.strides))

    @staticmethod
    def device(x: np.ndarray) -> str:
        return "cpu"

    @staticmethod
    def empty(shape: tuple[int, ...], like: np.ndarray) -> np.ndarray:
        return np.empty(shape, like.dtype)

    @staticmethod
    def empty_f32(shape: tuple[int, ...], like: np.ndarray) -> np.ndarray:
        return np.empty(shape, np.float32)

    @staticmethod
    def broadcast(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(x, shape)

    @staticmethod
    def data(value: Any, is_float: bool, like: Any) -> np.ndarray:
        if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
            value = value.detach().cpu()
        wanted = np.dtype(np.float32 if is_float else np.int32)
        array = np.asarray(value)
        if array.size == 0 and array.dtype != wanted:
            array = array.astype(wanted)
        if not is_float and array.dtype.kind not in "iu":
            raise TypeError(f"run-time data of {array.dtype}; give whole numbers")
        converted = array.astype(wanted, copy=False)
        if not is_float and not np.array_equal(converted, array):
            raise CallError("run-time data do not fit into int32")
        return converted if is_float or converted.ndim == 0 else _with_contiguous_rows(converted)


def _with_contiguous_rows(array: np.ndarray) -> np.ndarray:
    return array if array.strides[-1] == array.itemsize else np.ascontiguousarray(array)


class TorchTensors:
    """torch.Tensor, on the CPU or on a GPU."""

    @staticmethod
    def layout(x: Any) -> tuple:
        return x.shape, x.stride(), x.dtype, x.device

    @staticmethod
    def address(x: Any) -> int:
        return x.data_ptr()

    @staticmethod
    def view(x: Any, name: str) -> View:
        return View(element_of(x.dtype, name), tuple(x.shape), x.stride())

    @staticmethod
    def device(x: Any) -> Any:
        return x.device

    @staticmethod
    def empty(shape: tuple[int, ...], like: Any) -> Any:
        return like.new_empty(shape)

    @staticmethod
    def empty_f32(shape: tuple[int, ...], like: Any) -> Any:
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=torch.float32, device=like.device)

    @staticmethod
    def broadcast(x: Any, shape: tuple[int, ...]) -> Any:
        return x.expand(shape)

    @staticmethod
    def data(value: Any, is_float: bool, like: Any) -> Any:
        torch = sys.modules["torch"]
        wanted = torch.float32 if is_float else torch.int32
        if not isinstance(value, torch.Tensor):
            value = torch.from_numpy(NumpyArrays.data(value, is_float, None))
        if value.dtype != wanted or value.device != like.device:
            value = value.detach().to(device=like.device, dtype=wanted)
        return value if is_float or value.dim() == 0 or value.stride(-1) == 1 else value.contiguous()


@functools.cache
def kind_of(type_: type) -> type[NumpyArrays] | type[TorchTensors] | None:
    """How arrays of a type are read; None: through DLPack."""
    if issubclass(type_, np.ndarray):
        return NumpyArrays
    torch = sys.modules.get("torch")
    if torch is not None and issubclass(type_, torch.Tensor):
        return TorchTensors
    return None


def import_array(x: Any, name: str) -> Any:
    """Something with __dlpack__ as a NumPy array or, on a GPU, as a torch tensor that shares its memory."""
    if kind_of(type(x)):
        return x
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"{name} is a {type(x).__name__}; give a NumPy array, a torch tensor or what has __dlpack__")
    on_cpu = int(x.__dlpack_device__()[0]) == 1
    if on_cpu and "torch" not in sys.modules:
        return np.from_dlpack(x)
    try:
        import torch
    except ImportError:
        raise TypeError(f"{name} is on a GPU; install torch, through which its memory is reached") from None
    tensor = torch.from_dlpack(x)
    return tensor.numpy() if on_cpu and tensor.dtype != torch.bfloat16 else tensor
