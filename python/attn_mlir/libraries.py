# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The package's two shared libraries. The compiler needs LLVM and MLIR 22 and is loaded when something is compiled; the
runtime, which is threads alone, needs libc. Both are loaded RTLD_LOCAL: what they bring along is no one else's."""

import ctypes
import functools
import os
import threading
from pathlib import Path

from . import abi
from .errors import CompilerMissingError, LoadError

FOLDER = Path(__file__).parent / "lib"
COMPILER = FOLDER / "libattn-c.so"


@functools.cache
def compiler() -> ctypes.CDLL:
    """libattn-c.so with the types of attn-c.h's functions; CompilerMissingError where it cannot be loaded."""
    try:
        library = ctypes.CDLL(str(COMPILER), mode=os.RTLD_LOCAL | os.RTLD_NOW)
    except OSError as error:
        raise CompilerMissingError(
            f"the compiler cannot be loaded ({error}); install LLVM and MLIR 22 and build the package there, or run "
            "compiled kernels with attn_mlir.load") from None
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
    for name, result, arguments in [
            ("attn_compile_text", pointer, [text, ctypes.c_size_t, text, pointer, pointer]),
            ("attn_compilation_destroy", None, [pointer]),
            ("attn_compilation_kernel_count", number, [pointer]),
            ("attn_compilation_kernel", ctypes.POINTER(abi.KernelInfo), [pointer, number]),
            ("attn_compilation_emit", pointer, [pointer, number, pointer]),
            ("attn_compilation_link", pointer, [pointer, text]),
            ("attn_compilation_describe", pointer, [pointer, number, number, pointer, pointer]),
            ("attn_compiler_version", text, []),
            ("attn_release", None, [pointer])]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@functools.cache
def _runtime() -> ctypes.CDLL:
    path = FOLDER / "libattn-runtime.so"
    try:
        library = ctypes.CDLL(str(path), mode=os.RTLD_LOCAL | os.RTLD_NOW)
    except OSError as error:
        raise LoadError(f"'{path}' cannot be loaded ({error}); install the package again") from None
    library.attn_pool_create.restype, library.attn_pool_create.argtypes = ctypes.c_void_p, [ctypes.c_int32]
    library.attn_pool_executor.restype, library.attn_pool_executor.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    return library


_executors: dict[int, int] = {}
_executors_lock = threading.Lock()


def executor(workers: int) -> int | None:
    """The address of an attn_executor with so many workers; None, which runs a call in its own thread, for one. A pool
    is made once and shared by all threads, whose loops then take turns."""
    if workers == 1:
        return None
    with _executors_lock:
        if workers not in _executors:
            pool = _runtime().attn_pool_create(workers)
            if not pool:
                raise LoadError(f"cannot start {workers} threads; use fewer")
            _executors[workers] = _runtime().attn_pool_executor(pool)
        return _executors[workers]


def _forget_executors() -> None:
    """A forked child has none of its parent's threads."""
    global _executors_lock
    _executors.clear()
    _executors_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_executors)
