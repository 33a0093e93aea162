# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our kernels as the benchmark calls them: an emitted object on NumPy arrays, laid out once; bf16 stands in uint16."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "python"))  # of the tree: nothing is installed
from attn_mlir import abi, libraries  # noqa: E402
from attn_mlir.arrays import View  # noqa: E402
from attn_mlir.call import CallMemory, CallOptions, explain, take_arguments  # noqa: E402
from attn_mlir.loaded import load_kernels  # noqa: E402
from cases import Case  # noqa: E402

ISAS = {abi.constant(f"ISA_{name.upper()}"): name
        for name in ("best", "generic", "avx2", "avx512", "avx512bf16", "avx512fp16", "amx")}
ALIGNMENT, BF16_NAN = 64, 0x7FC0


def make_aligned(size: int) -> np.ndarray:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    return memory[-memory.ctypes.data % ALIGNMENT :][:size]


class Call:
    """A call that can be run as often as wanted. Its time holds the packing of keys and values."""

    def __init__(self, folder: Path, case: Case, q: np.ndarray, k: np.ndarray, v: np.ndarray, threads: int):
        libraries.FOLDER = folder  # where the threads' library lies
        (kernel,) = load_kernels(case.made.file(folder)).values()
        self.kernel = kernel
        # Filled with NaN, so that what is left out shows.
        self.output = np.full((*q.shape[:3], v.shape[3]), np.nan if q.dtype == np.float32 else BF16_NAN, q.dtype)
        given, scalars = take_arguments(kernel, case.arguments)
        data = {kernel.data[name].place: np.ascontiguousarray(value, np.int32) for name, value in given.items()}
        self.arrays = {abi.QUERY: q, abi.KEY: k, abi.VALUE: v, abi.OUTPUT: self.output, **data}
        views = [self.view(place) for place in range(kernel.tensor_count)]
        self.memory = CallMemory(kernel, views, scalars, CallOptions())
        for place, array in self.arrays.items():
            self.memory.set_address(place, array.ctypes.data)
        call = self.memory.call
        call.max_isa = next(number for number, name in ISAS.items() if name == case.max_isa)
        call.executor = libraries.executor(threads)
        self.workspace = make_aligned(kernel.workspace_bytes(self.memory.address))
        call.workspace, call.workspace_bytes = self.workspace.ctypes.data, self.workspace.size
        self.isa = ISAS.get(kernel.isa(self.memory.address), "none")

    def view(self, place: int) -> View | None:
        if place not in self.arrays:
            return None
        return View.dense(self.kernel.element if place <= abi.OUTPUT else abi.ELEMENTS["i32"], self.arrays[place].shape)

    def run(self) -> np.ndarray:
        status = self.kernel.run(self.memory.address)
        if status != abi.OK:
            raise explain(self.kernel, status, self.memory, None)
        return self.output
