# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiler, as attn-c.h has it."""

import contextlib
import ctypes
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import abi
from .errors import CompileError
from .libraries import compiler

ARTIFACTS = ("attn", "plan", "loops", "tiles", "llvm", "assembly", "object", "header", "cubin")

ALL_ISAS, ISAS_OF_HOST = 0, 1 << abi.constant("ISA_BEST")


@dataclass(frozen=True)
class Source:
    """MLIR text that holds an attn.pattern or a kernel; in errors `name` stands for its path."""

    text: str
    name: str


@dataclass(frozen=True)
class Options:
    """attn_compile_options."""

    kernel: str = ""
    target: str = "cpu"
    element: str = "f32"
    score: str = ""
    head_size: int = 64
    value_head_size: int = 0
    isas: int = ALL_ISAS

    def to_abi(self) -> ctypes.Structure:
        def text(value: str) -> bytes | None:
            return value.encode() or None

        return abi.CompileOptions(
            size=ctypes.sizeof(abi.CompileOptions), kernel=text(self.kernel), target=text(self.target),
            element=text(self.element), score=text(self.score), head_size=self.head_size,
            value_head_size=self.value_head_size, isas=self.isas)


def _check(error: int | None) -> None:
    """Raises what a function of the C API returns."""
    if error:
        text = ctypes.string_at(error).decode()
        compiler().attn_release(error)
        raise CompileError(text.removeprefix("error: "))


class Compilation:
    """A source that was read, checked and planned; for one thread at a time. Its memory is freed at the end of a
    `with`, or with the object."""

    def __init__(self, source: Source, options: Options):
        self._library = compiler()
        self._handle = ctypes.c_void_p()
        text, chosen = source.text.encode(), options.to_abi()
        _check(self._library.attn_compile_text(text, len(text), source.name.encode(), ctypes.byref(chosen),
                                               ctypes.byref(self._handle)))
        self._free = weakref.finalize(self, self._library.attn_compilation_destroy, self._handle.value)

    def __enter__(self) -> "Compilation":
        return self

    def __exit__(self, *exception: object) -> None:
        self._free()

    @property
    def kernels(self) -> list[ctypes.Structure]:
        """The attn_kernel_info of each kernel; valid until the compilation is closed."""
        count = self._library.attn_compilation_kernel_count(self._handle)
        return [self._library.attn_compilation_kernel(self._handle, i).contents for i in range(count)]

    def emit(self, artifact: str) -> bytes:
        """One of ARTIFACTS."""
        number = abi.constant(f"ARTIFACT_{artifact.upper()}")
        with self._result() as result:
            _check(self._library.attn_compilation_emit(self._handle, number, ctypes.byref(result)))
            return ctypes.string_at(result.data, result.size)

    def link(self, path: Path) -> None:
        """Writes a shared library."""
        _check(self._library.attn_compilation_link(self._handle, str(path).encode()))

    def describe(self, kernel: int, description: str, call: ctypes.Structure) -> bytes:
        """`description`: REPORT_TEXT, MASK_SVG, ...: an attn_description without ATTN_."""
        with self._result() as result:
            _check(self._library.attn_compilation_describe(self._handle, kernel, abi.constant(description),
                                                           ctypes.byref(call), ctypes.byref(result)))
            return ctypes.string_at(result.data, result.size)

    @contextlib.contextmanager
    def _result(self) -> Iterator[ctypes.Structure]:
        result = abi.Bytes()
        try:
            yield result
        finally:
            self._library.attn_release(result.data)
