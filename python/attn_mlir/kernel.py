# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels as Python calls them.

What a call looks like in memory is made once for each thread and layout (shapes, strides, types, options) and kept; a
later call of that layout writes addresses alone. Workspaces are kept for each thread, too, the largest that was needed;
those of GPU calls come from torch's allocator, on whose streams they are safe to reuse.
"""

import ctypes
import os
import shutil
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import abi
from .arrays import Arrays, NumpyArrays, TorchTensors, View, import_array, kind_of
from .call import CallMemory, CallOptions, check_data, check_output, check_rows, check_scalars, explain, take_arguments
from .errors import CallError, LoadError
from .libraries import executor
from .loaded import DataInfo, KernelInfo, LoadedKernel

_ALIGNMENT = 64
_NOTHING: dict[str, Any] = {}
# Fewer multiplications than this take less time than waking other threads.
_FEW_MULTIPLICATIONS = 1 << 22
# Layouts that a thread keeps of one kernel; more are forgotten all at once.
_MOST_FRAMES = 256


_kernels: "weakref.WeakSet[Kernel]" = weakref.WeakSet()


def _forget_frames() -> None:
    """Frames of a forked child's parent point to executors whose threads the child does not have."""
    for kernel in _kernels:
        kernel._local = threading.local()


os.register_at_fork(after_in_child=_forget_frames)


class _ThreadMemory(threading.local):
    """The workspace of a thread's CPU calls."""

    def __init__(self) -> None:
        self.address = self.size = 0

    def grow(self, size: int) -> None:
        self.memory = np.empty(size + _ALIGNMENT, np.uint8)
        start = NumpyArrays.address(self.memory)
        self.address, self.size = start + -start % _ALIGNMENT, size


_thread_memory = _ThreadMemory()


def default_threads() -> int:
    """ATTN_MLIR_THREADS, or as many as this process may run on."""
    return int(os.environ.get("ATTN_MLIR_THREADS", 0)) or len(os.sched_getaffinity(0))


class _Frame:
    """A call laid out: all but addresses."""

    __slots__ = ("memory", "output_shape", "lse_shape", "workspace_bytes")

    def __init__(self, memory: CallMemory, output_shape: tuple[int, ...], workspace_bytes: int):
        self.memory, self.output_shape, self.lse_shape = memory, output_shape, output_shape[:3]
        self.workspace_bytes = workspace_bytes


class Kernel:
    """A compiled kernel, to be called with NumPy arrays, torch tensors or anything that has __dlpack__.

    Attributes: name, target (cpu, sm_90a), element (f32, bf16, f16), head_size, value_head_size, path of its shared
    library, and `arguments`: the names of run-time data and numbers that a call may give.
    """

    def __init__(self, loaded: LoadedKernel, bound: Mapping[str, Any] | None = None):
        self._loaded = loaded
        self.name, self.target, self.path = loaded.name, loaded.target, loaded.path
        self.element = abi.NAMES_OF_ELEMENTS[loaded.element]
        self.head_size, self.value_head_size = loaded.head_size, loaded.value_head_size
        self.arguments = loaded.arguments
        self._bound_data_given, self._bound_scalars = take_arguments(loaded, bound or {})
        self._bound_on: dict[Any, dict[str, Any]] = {}  # bound run-time data, by device
        self._local = threading.local()
        _kernels.add(self)

    def __repr__(self) -> str:
        sizes = f"{self.head_size}" if self.head_size == self.value_head_size else (
            f"{self.head_size}/{self.value_head_size}")
        return f"<attn_mlir.Kernel {self.name} for {self.target}, {self.element}, head size {sizes}>"

    @property
    def info(self) -> KernelInfo:
        """What the kernel's object says of it: run-time data, numbers and their defaults."""
        return self._loaded

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the shared library to a place of one's own, for load() here or elsewhere. Raises LoadError where the
        cache has dropped it."""
        if not self.path.exists():
            raise LoadError(f"'{self.path}' is not in the cache any more; compile the kernel anew, or raise "
                            "ATTN_MLIR_CACHE_LIMIT")
        return Path(shutil.copyfile(self.path, path))

    def __call__(self, q: Any, k: Any, v: Any, /, *, out: Any = None, return_lse: bool = False,
                 scale: float | None = None, query_offset: int | None = None, key_offset: int = 0,
                 threads: int | None = None, **arguments: Any) -> Any:
        """Attention of q, k and v.

        q: [batch, heads, length, head size]; k: [batch, kv heads, kv length, head size]; v: [batch, kv heads, kv
            length, value head size], of the kernel's element type. Any strides but the last, which is 1. Query head h
            reads key head h // (heads // kv heads). Nothing is copied.
        out: where to write, [batch, heads, length, value head size]; made unless it is given.
        return_lse: also return the log-sum-exp of each row's scores, float32 [batch, heads, length] (natural logarithm;
            -inf for a row that admits no key, whose output is 0).
        scale: what q.k is multiplied by; 1 / sqrt(head size).
        query_offset, key_offset: positions of the first query and key row. By default key_offset is 0 and the last
            query row stands beside the last key row.
        threads: of a CPU call; by default ATTN_MLIR_THREADS or all processors, and one for little work. Bits do not
            depend on it.
        arguments: of the pattern and the score, by name (`global_` for `global`): ints and floats, and run-time data as
            lists or arrays, int32 or, of scores, float32. Others than these are converted on each call.

        Returns the output, or (output, lse), on the device of q; of what is not torch's as NumPy arrays. On a GPU the
        call is put on torch's current stream and not waited for. Raises CallError for a call that is refused.
        """
        arrays = kind_of(type(q))
        if arrays is None or kind_of(type(k)) is not arrays or kind_of(type(v)) is not arrays or (
                out is not None and kind_of(type(out)) is not arrays):
            q, k, v, out, arrays = _import_all(q, k, v, out)
        if arrays is TorchTensors:
            _refuse_gradients(q, k, v)
        layout = arrays.layout
        data, scalars = _NOTHING, self._bound_scalars
        if arguments:
            data, given = take_arguments(self._loaded, arguments)
            scalars = scalars | given
        if data or self._bound_data_given:
            data = self._collect(arrays, q, k, data)
        signature = (layout(q), layout(k), layout(v), None if out is None else layout(out), return_lse, scale,
                     query_offset, key_offset, threads)
        if arguments or data:
            signature += (tuple(scalars.items()), tuple((name, layout(value)) for name, value in data.items()))
        frames = self._frames()
        frame = frames.get(signature)
        if frame is None:
            options = CallOptions(scale, query_offset, key_offset)
            frame = self._lay_out(arrays, q, k, v, out, return_lse, threads, options, data, scalars)
            _keep(frames, signature, frame)
        if out is None:
            out = arrays.empty(frame.output_shape, q)
        lse = arrays.empty_f32(frame.lse_shape, q) if return_lse else None
        address, set_address = arrays.address, frame.memory.set_address
        set_address(0, address(q))
        set_address(1, address(k))
        set_address(2, address(v))
        set_address(3, address(out))
        if return_lse:
            set_address(4, address(lse))
        for name in data:
            set_address(self._loaded.data[name].place, address(data[name]))
        status = self._run(frame, q)
        if status != abi.OK:
            raise self._explain(status, frame.memory)
        return (out, lse) if return_lse else out

    def _frames(self) -> dict[tuple, _Frame]:
        try:
            return self._local.frames
        except AttributeError:
            self._local.frames = {}
            return self._local.frames

    def _collect(self, arrays: type[Arrays], q: Any, k: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run-time data on the device of q: what the pattern holds, and what the call gives."""
        data = dict(self._bound_data(arrays, q))
        for name, value in given.items():
            data[name] = _convert(arrays, name, value, self._loaded.data[name].is_float, q)
        for name, value in data.items():
            if self._loaded.data[name].is_float:
                data[name] = _share(arrays, value, self._loaded.data[name], self._loaded, q.shape, k.shape)
        return data

    def _bound_data(self, arrays: type[Arrays], q: Any) -> dict[str, Any]:
        device = arrays, arrays.device(q)
        bound = self._bound_on.get(device)
        if bound is None:
            bound = {name: _convert(arrays, name, value, self._loaded.data[name].is_float, q)
                     for name, value in self._bound_data_given.items()}
            self._bound_on[device] = bound
        return bound

    def _lay_out(self, arrays: type[Arrays], q: Any, k: Any, v: Any, out: Any, return_lse: bool, threads: int | None,
                 options: CallOptions, data: Mapping[str, Any], scalars: Mapping[str, float]) -> _Frame:
        """Checks what does not change from call to call of this layout."""
        loaded = self._loaded
        self._check_devices(arrays, {"q": q, "k": k, "v": v} | ({} if out is None else {"out": out}) | dict(data))
        views = [arrays.view(x, name) for x, name in ((q, "q"), (k, "k"), (v, "v"))]
        check_rows(loaded, *views)
        check_scalars(loaded, scalars)
        check_data(loaded, data)
        shape = (*views[0].shape[:3], loaded.value_head_size)
        written = View.dense(loaded.element, shape)
        if out is not None:
            written = arrays.view(out, "out")
            check_output(loaded, written, shape)
            if isinstance(out, np.ndarray) and not out.flags.writeable:
                raise CallError("out is read-only; give an array that can be written")
        views += [written, View.dense(abi.ELEMENTS["f32"], shape[:3]) if return_lse else None]
        views += [None] * len(loaded.data)
        for name, value in data.items():
            views[loaded.data[name].place] = arrays.view(value, name)
        memory = CallMemory(loaded, views, scalars, options)
        if loaded.is_for_gpu:
            memory.call.handle = loaded.handle(q.device.index)
        else:
            memory.call.executor = executor(_threads_for(views, threads))
        return _Frame(memory, shape, loaded.workspace_bytes(memory.address))

    def _check_devices(self, arrays: type[Arrays], given: Mapping[str, Any]) -> None:
        device = arrays.device(given["q"])
        for name, x in given.items():
            if arrays.device(x) != device:
                raise CallError(f"q is on {device} and {name} on {arrays.device(x)}; move them to one device")
        kind = str(device).split(":")[0]
        if kind != ("cuda" if self._loaded.is_for_gpu else "cpu"):
            raise CallError(f"q is on {device} and {self.name} was compiled for {self.target}; move q, or compile with "
                            f"target='{'sm_90a' if kind == 'cuda' else 'cpu'}'")

    def _run(self, frame: _Frame, q: Any) -> int:
        call, needed = frame.memory.call, frame.workspace_bytes
        if not self._loaded.is_for_gpu:
            if needed > _thread_memory.size:
                _thread_memory.grow(needed)
            call.workspace, call.workspace_bytes = _thread_memory.address, needed
            return self._loaded.run(frame.memory.address)
        torch = sys.modules["torch"]
        # As Triton does: torch.cuda.current_stream() takes longer than the rest of a call.
        call.stream = torch._C._cuda_getCurrentRawStream(q.device.index)
        # torch's allocator aligns to 512 bytes.
        workspace = torch.empty(needed, dtype=torch.uint8, device=q.device) if needed else None
        call.workspace, call.workspace_bytes = workspace.data_ptr() if needed else None, needed
        return self._loaded.run(frame.memory.address)

    def _explain(self, status: int, memory: CallMemory) -> CallError:
        numbers = None
        if status == abi.constant("ERROR_REQUIREMENT"):
            sides = (ctypes.c_int64 * 2)()
            numbers = [self._loaded.requirement(memory.address, ctypes.addressof(sides)), *sides]
        return explain(self._loaded, status, memory, numbers)


def _refuse_gradients(*tensors: Any) -> None:
    if sys.modules["torch"].is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        raise CallError("a kernel gives no gradients; call it under torch.no_grad(), or detach q, k and v")


def _import_all(q: Any, k: Any, v: Any, out: Any) -> tuple[Any, Any, Any, Any, type[Arrays]]:
    """Arrays of other kinds through DLPack; all have to end up as one kind."""
    q, k, v = import_array(q, "q"), import_array(k, "k"), import_array(v, "v")
    out = None if out is None else import_array(out, "out")
    arrays = kind_of(type(q))
    for name, x in (("k", k), ("v", v), ("out", out)):
        if x is not None and kind_of(type(x)) is not arrays:
            raise TypeError(f"q is a {type(q).__name__} and {name} a {type(x).__name__}; give arrays of one kind")
    return q, k, v, out, arrays


def _keep(frames: dict[tuple, _Frame], signature: tuple, frame: _Frame) -> None:
    if len(frames) >= _MOST_FRAMES:
        frames.clear()
    frames[signature] = frame


def _convert(arrays: type[Arrays], name: str, value: Any, is_float: bool, like: Any) -> Any:
    try:
        return arrays.data(value, is_float, like)
    except (TypeError, ValueError) as error:
        raise CallError(f"argument '{name}': {error}") from None


def _share(arrays: type[Arrays], value: Any, data: DataInfo, info: KernelInfo, q: Sequence[int],
           k: Sequence[int]) -> Any:
    """An array whose axes of length 1 stand for an axis of the call."""
    if len(value.shape) != len(data.extents):
        return value
    sizes = {"BATCH": q[0], "HEADS": q[1], "KV_HEADS": k[1], "QUERIES": q[2], "KEYS": k[2],
             "HEAD_SIZE": info.head_size}
    extents = {abi.constant(f"EXTENT_{name}"): size for name, size in sizes.items()}
    shape = tuple(extents.get(extent, own) if own == 1 else own for extent, own in zip(data.extents, value.shape))
    return value if shape == tuple(value.shape) else arrays.broadcast(value, shape)


def _threads_for(views: list[View | None], threads: int | None) -> int:
    if threads is None:
        batch, heads, length, size = views[abi.QUERY].shape
        work = batch * heads * length * views[abi.KEY].shape[2] * (size + views[abi.VALUE].shape[3])
        return 1 if work < _FEW_MULTIPLICATIONS else default_threads()
    if not 1 <= threads <= 1024:
        raise CallError(f"threads is {threads}; give 1 to 1024")
    return threads
