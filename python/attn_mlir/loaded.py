# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of a shared library, as attn.h describes them. Neither the compiler nor LLVM is needed."""

import ctypes
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import abi
from .errors import CallError, LoadError

_NO_DEFAULT = -1


@dataclass(frozen=True)
class DataInfo:
    """Run-time data that a kernel takes."""

    name: str
    place: int  # among the call's tensors
    role: int
    is_float: bool
    has_default: bool
    extents: tuple[int, ...]  # of floats: a number or an ATTN_EXTENT_*
    block: int  # of blocks: attn_tensor_info.block


@dataclass(frozen=True)
class ScalarInfo:
    """A number that a kernel takes."""

    name: str
    place: int
    is_number: bool  # a float
    minimum: int  # of an int
    default: float


def _array(kind: type, count: int, address: int | None) -> list[Any]:
    return list((kind * count).from_address(address)) if count else []


class KernelInfo:
    """attn_kernel_info in Python. The memory that it was read from has to outlive it."""

    def __init__(self, info: ctypes.Structure):
        self.name, self.target = info.name.decode(), info.target.decode()
        self.element = info.element
        self.head_size, self.value_head_size = info.head_size, info.value_head_size
        self.tensor_count, self.scalar_count = info.tensor_count, info.scalar_count
        self.data = {}
        for place, tensor in enumerate(_array(abi.TensorInfo, info.tensor_count, info.tensors)):
            if place < abi.FIRST_DATA:
                continue
            name, may_lack = tensor.name.decode(), tensor.role in abi.FLOAT_ROLES - {abi.constant("ARRAY")}
            self.data[name] = DataInfo(name, place, tensor.role, tensor.role in abi.FLOAT_ROLES,
                                       may_lack or tensor.default_count != _NO_DEFAULT,
                                       tuple(tensor.extents[: tensor.rank]), tensor.block)
        self.scalars = {}
        for place, scalar in enumerate(_array(abi.ScalarInfo, info.scalar_count, info.scalars)):
            name, default = scalar.name.decode(), scalar.default_value
            self.scalars[name] = ScalarInfo(name, place, bool(scalar.is_number), scalar.minimum,
                                            default.number if scalar.is_number else default.index)
        self.requirements = [(each.name.decode(), each.least_name.decode())
                             for each in _array(abi.RequirementInfo, info.requirement_count, info.requirements)]

    @property
    def arguments(self) -> list[str]:
        """The names of run-time data and numbers."""
        return [*self.data, *self.scalars]


class LoadedKernel(KernelInfo):
    """A kernel that can be called."""

    def __init__(self, path: Path, info: ctypes.Structure):
        super().__init__(info)
        self.path = path
        self.run = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(info.run)
        self.workspace_bytes = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(info.workspace_bytes)
        self.isa = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(info.isa)
        self.requirement = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(info.requirement)
        self.is_for_gpu = bool(info.load)
        self._load = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(info.load or 0)
        self._handles: dict[int, int] = {}
        self._lock = threading.Lock()

    def handle(self, device: int) -> int:
        """What NAME_load gives for a GPU; loaded once and kept until the process ends."""
        with self._lock:
            if device not in self._handles:
                handle = ctypes.c_void_p()
                status = self._load(ctypes.addressof(handle), device)
                if status != abi.OK:
                    raise CallError(f"{self.name}: {abi.STATUS_TEXTS.get(status, status)}", status)
                self._handles[device] = handle.value
            return self._handles[device]


def _list_infos(library: ctypes.CDLL, path: Path) -> Iterator[ctypes.Structure]:
    """The null-terminated list attn_kernels."""
    try:
        table = ctypes.addressof(ctypes.c_void_p.in_dll(library, "attn_kernels"))
    except ValueError:
        raise LoadError(f"'{path}' holds no kernels; give what kernel.save() or attn-compile --emit=so wrote") from None
    while address := ctypes.c_void_p.from_address(table).value:
        yield abi.KernelInfo.from_address(address)
        table += ctypes.sizeof(ctypes.c_void_p)


def load_kernels(path: Path) -> dict[str, LoadedKernel]:
    """All kernels of a shared library, by name. It stays loaded as long as the process runs."""
    path = path.absolute()
    if not path.is_file():
        raise LoadError(f"there is no file '{path}'; give the path of a compiled kernel")
    try:
        library = ctypes.CDLL(str(path), mode=os.RTLD_LOCAL | os.RTLD_NOW)
    except OSError as error:
        raise LoadError(f"'{path}' cannot be loaded: {error}") from None
    kernels = {}
    for info in _list_infos(library, path):
        if info.version != abi.VERSION:
            raise LoadError(f"'{path}' has version {info.version} of the C ABI, this package {abi.VERSION}; compile it "
                            "anew")
        kernel = LoadedKernel(path, info)
        kernels[kernel.name] = kernel
    return kernels
