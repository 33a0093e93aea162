# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls the kernels of emitted shared objects on torch tensors; LLVM is not needed.

    kernel = Kernel("longformer_d64_bf16.so")
    output, lse = kernel(q, k, v, global_=[0, 17], left=128)

Tensors lie where the kernel runs, with any strides. Run-time data are tensors or lists, int32 or, of arrays, float32,
and named as in the pattern file (`global_` stands for `global`, a word of Python's). Calls go to torch's current stream
and do not wait.
"""

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).parents[2] / "python"))  # of the tree: nothing is installed
from attn_mlir import abi  # noqa: E402

ELEMENTS = {torch.float32: abi.CONSTANTS["ATTN_F32"], torch.bfloat16: abi.CONSTANTS["ATTN_BF16"],
            torch.float16: abi.CONSTANTS["ATTN_F16"], torch.int32: abi.CONSTANTS["ATTN_I32"]}
DTYPES = {element: dtype for dtype, element in ELEMENTS.items()}
LSE, ARRAY = abi.CONSTANTS["ATTN_LSE"], abi.CONSTANTS["ATTN_ARRAY"]  # arrays and what follows them are float32

WORKSPACE_ALIGNMENT = 64


class KernelError(RuntimeError):
    """A status other than ATTN_OK."""

    def __init__(self, kernel: str, status: int):
        super().__init__(f"{kernel}: {abi.STATUS_TEXTS.get(status, f'unknown status {status}')}")
        self.status = status


def describe_tensor(tensor: torch.Tensor | None) -> abi.Tensor:
    """The attn_tensor of a torch tensor; of none, one of rank 0 without data."""
    if tensor is None:
        return abi.Tensor()
    described = abi.Tensor(data=tensor.data_ptr(), element=ELEMENTS[tensor.dtype], rank=tensor.dim())
    described.shape[: tensor.dim()] = tensor.shape
    described.strides[: tensor.dim()] = tensor.stride()
    return described


class PreparedCall:
    """One call, laid out and with a workspace of its own; run() starts it as often as wanted. `call`, `tensors` and
    `scalars` are attn.h's, for those who want to change them. Keep the tensors' sizes: the workspace is for these."""

    def __init__(self, kernel: "Kernel", tensors: list[torch.Tensor | None], scalars: list[abi.Scalar],
                 options: dict[str, Any]):
        self.kernel, self.kept = kernel, tensors
        self.device = tensors[0].device
        self.output, self.lse = tensors[LSE - 1], tensors[LSE]
        self.tensors = (abi.Tensor * len(tensors))(*map(describe_tensor, tensors))
        self.scalars = (abi.Scalar * len(scalars))(*scalars)
        self.call = abi.Call(
            size=ctypes.sizeof(abi.Call), version=abi.CONSTANTS["ATTN_ABI_VERSION"],
            tensors=ctypes.addressof(self.tensors), tensor_count=len(tensors),
            scalars=ctypes.addressof(self.scalars), scalar_count=len(scalars), **options)
        size = kernel.workspace_bytes(ctypes.addressof(self.call))
        self.use_workspace(torch.empty(size + WORKSPACE_ALIGNMENT, dtype=torch.uint8, device=self.device), size)

    def use_workspace(self, memory: torch.Tensor, size: int) -> None:
        """The first `size` bytes of some uint8 memory, from where it is aligned on."""
        self.workspace = memory
        self.call.workspace = memory.data_ptr() + -memory.data_ptr() % WORKSPACE_ALIGNMENT
        self.call.workspace_bytes = size

    def status(self) -> int:
        """Starts the call on the current stream; returns its attn_status."""
        if self.device.type == "cuda":
            self.call.stream = torch.cuda.current_stream(self.device).cuda_stream
        return self.kernel.entry(ctypes.addressof(self.call))

    def run(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        status = self.status()
        if status != abi.CONSTANTS["ATTN_OK"]:
            raise KernelError(self.kernel.name, status)
        return self.output, self.lse

    def device_status(self) -> int:
        """The status word that a finished GPU call leaves at the start of its workspace."""
        offset = self.call.workspace - self.workspace.data_ptr()
        return int(self.workspace[offset : offset + 4].view(torch.int32).item())


class Kernel:
    """A kernel of a shared object, loaded onto a GPU if it is for one."""

    def __init__(self, path: Path | str, name: str | None = None, device: int = 0):
        self.path = Path(path)
        self.library = ctypes.CDLL(str(self.path.absolute()))
        self.info = self.find_info(str(path), name)
        self.name, self.target = self.info.name.decode(), self.info.target.decode()
        self.dtype = DTYPES[self.info.element]
        self.head_size, self.value_head_size = self.info.head_size, self.info.value_head_size
        self.tensors = list((abi.TensorInfo * self.info.tensor_count).from_address(self.info.tensors))
        self.scalars = list((abi.ScalarInfo * self.info.scalar_count).from_address(self.info.scalars or 0))
        self.entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(self.info.run)
        self.workspace_bytes = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(self.info.workspace_bytes)
        self.handle = ctypes.c_void_p()
        self.is_gpu = bool(self.info.load)
        if self.is_gpu:
            self.load(device)

    def infos(self) -> Iterator[abi.KernelInfo]:
        """The null-terminated list attn_kernels."""
        addresses = ctypes.addressof(ctypes.c_void_p.in_dll(self.library, "attn_kernels"))
        step = ctypes.sizeof(ctypes.c_void_p)
        while address := ctypes.c_void_p.from_address(addresses).value:
            yield abi.KernelInfo.from_address(address)
            addresses += step

    def find_info(self, path: str, name: str | None) -> abi.KernelInfo:
        infos = {info.name.decode(): info for info in self.infos()}
        version, expected = next(iter(infos.values())).version, abi.CONSTANTS["ATTN_ABI_VERSION"]
        if version != expected:
            raise ValueError(f"{path} has ABI version {version}, attn.h {expected}; compile it anew")
        if name is None and len(infos) == 1:
            return next(iter(infos.values()))
        if name not in infos:
            raise ValueError(f"{path} has no kernel {name!r}; it has {', '.join(infos)}")
        return infos[name]

    def load(self, device: int) -> None:
        load = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(self.info.load)
        status = load(ctypes.addressof(self.handle), device)
        if status != abi.CONSTANTS["ATTN_OK"]:
            raise KernelError(self.name, status)

    def unload(self) -> None:
        """Gives the GPU's module back; no call may be under way."""
        if self.handle:
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(self.info.unload)(self.handle)
            self.handle = ctypes.c_void_p()

    def __call__(self, *tensors: torch.Tensor, **options: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.prepare(*tensors, **options).run()

    def prepare(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, /, *, output: torch.Tensor | None = None,
                lse: torch.Tensor | bool = True, scale: float | None = None, query_offset: int | None = None,
                key_offset: int = 0, **arguments: Any) -> PreparedCall:
        """q [batch, heads, length, head size], k and v [batch, kv heads, kv length, ...]. Output and lse are made where
        they are not given; lse=False: none is written."""
        batch, heads, length = q.shape[:3]
        if output is None:
            output = torch.empty(batch, heads, length, v.shape[3], dtype=q.dtype, device=q.device)
        if isinstance(lse, bool):
            lse = torch.empty(batch, heads, length, dtype=torch.float32, device=q.device) if lse else None
        given = {name.rstrip("_"): value for name, value in arguments.items()}
        data = [self.take_data(info, given, q.device) for info in self.tensors[LSE + 1 :]]
        scalars = [self.take_scalar(info, given) for info in self.scalars]
        if given:
            raise TypeError(f"{self.name} has no argument '{next(iter(given))}'")
        options = self.take_options(scale, query_offset, key_offset)
        return PreparedCall(self, [q, k, v, output, lse, *data], scalars, options)

    def take_options(self, scale: float | None, query_offset: int | None, key_offset: int) -> dict[str, Any]:
        """Fields of attn_call; those that replace a default have a flag."""
        options = {"key_offset": key_offset, "flags": 0, "handle": self.handle.value}
        if query_offset is not None:
            options["query_offset"] = query_offset
            options["flags"] |= abi.CONSTANTS["ATTN_HAS_QUERY_OFFSET"]
        if scale is not None:
            options["scale"] = scale
            options["flags"] |= abi.CONSTANTS["ATTN_HAS_SCALE"]
        return options

    @staticmethod
    def take_data(info: abi.TensorInfo, given: dict[str, Any], device: torch.device) -> torch.Tensor | None:
        """The tensor of some run-time data; None leaves it to its default."""
        value = given.pop(info.name.decode(), None)
        dtype = torch.float32 if info.role >= ARRAY else torch.int32
        return value if value is None else torch.as_tensor(value, dtype=dtype, device=device)

    @staticmethod
    def take_scalar(info: abi.ScalarInfo, given: dict[str, Any]) -> abi.Scalar:
        value = given.pop(info.name.decode(), None)
        if value is None:
            return info.default_value
        return abi.Scalar(number=value) if info.is_number else abi.Scalar(index=value)
