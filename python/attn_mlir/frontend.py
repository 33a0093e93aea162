# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a pattern to a kernel, and from tensors to attention."""

import dataclasses
import functools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import abi, cache
from .arrays import element_of, import_array, kind_of
from .compiler import ALL_ISAS, ISAS_OF_HOST, Compilation, Options
from .describe import choose_kernel
from .errors import CallError, LoadError
from .kernel import Kernel
from .loaded import LoadedKernel, load_kernels
from .algebra import Pattern
from .shipped import as_pattern, resolve_score

_GPU_TARGETS = {(9, 0): "sm_90a"}
_ELEMENTS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}

_load_lock = threading.Lock()


@functools.cache
def _load_entry(path: Path) -> dict[str, LoadedKernel]:
    return load_kernels(path)


def _find_or_load(name: str, make: Callable[[Path], None]) -> dict[str, LoadedKernel]:
    """The kernels of a cache entry. Once in a while another process drops it between the two steps."""
    while True:
        entry = cache.find_or_make(name, make)
        try:
            with _load_lock:
                return _load_entry(entry)
        except LoadError:
            if entry.exists():
                raise


def _target_of(target: str) -> str:
    """`auto` is the first GPU's, where torch knows one that kernels are written for, and else the CPU's."""
    if target != "auto":
        return target
    try:
        import torch
    except ImportError:
        return "cpu"
    if not torch.cuda.is_available():
        return "cpu"
    return _GPU_TARGETS.get(torch.cuda.get_device_capability(), "cpu")


def compile(pattern: Pattern | str | os.PathLike[str], *, score: str | os.PathLike[str] | None = None,
            element: str = "f32", head_size: int = 64, value_head_size: int | None = None, target: str = "cpu",
            kernel: str | None = None, portable: bool = False) -> Kernel:
    """A kernel for a pattern, compiled or out of the cache (ATTN_MLIR_CACHE, else ~/.cache/attn-mlir; it holds at most
    ATTN_MLIR_CACHE_LIMIT MiB, 1024 by default).

    pattern: a Pattern, the name of a shipped one ("longformer"), the path of a file, or MLIR text.
    score: the name of a shipped score ("alibi"), of one in the pattern's file, a path, or MLIR text; none by default.
    element: f32, bf16 or f16 (or a dtype's name), of query, key, value and output.
    head_size, value_head_size: columns of query and key, and of value and output (the same).
    target: cpu, sm_90a (H100, H200), or auto: a GPU where torch knows one.
    kernel: of a file that holds several; by default the one that is named as the file is.
    portable: for all processors (AVX-512, AVX2, SSE2) and not for this one alone.

    Lengths, batch, heads and the pattern's numbers are the call's: one kernel serves them all. Raises CompileError.
    """
    pattern = as_pattern(pattern)
    source, score_name, score_text = resolve_score(pattern.source, score)
    options = Options("", _target_of(target), _ELEMENTS.get(element, element), score_name, head_size,
                      value_head_size or 0, ALL_ISAS if portable else ISAS_OF_HOST)

    def make(path: Path) -> None:
        with Compilation(source, options) as compilation:
            compilation.link(path)

    # The name of a source stands in messages alone; a score's path stands for its text.
    content = dataclasses.replace(options, score=score_name if not score_text else "")
    kernels = _find_or_load(cache.digest(source.text, score_text, content), make)
    return Kernel(kernels[choose_kernel(list(kernels), kernel, pattern.name)], pattern.arguments)


def load(path: str | os.PathLike[str], kernel: str | None = None) -> Kernel:
    """A kernel of a shared library that Kernel.save() or `attn-compile --emit=so` wrote. Needs neither the compiler nor
    LLVM. Raises LoadError.

    kernel: of a library that holds several; by default the one that is named as the file is.
    """
    kernels = load_kernels(Path(path))
    return Kernel(kernels[choose_kernel(list(kernels), kernel, Path(path).stem)])


@functools.cache
def _named(name: str) -> Pattern:
    return as_pattern(name)


def _compile_for(pattern: Pattern, score: str | None, q: Any, v: Any) -> Kernel:
    """The kernel that these tensors ask for."""
    names = {number: name for name, number in abi.ELEMENTS.items()}
    target = "cpu"
    if str(kind_of(type(q)).device(q)).startswith("cuda"):
        import torch

        capability = torch.cuda.get_device_capability(q.device)
        target = _GPU_TARGETS.get(capability, "")
        if not target:
            raise CallError(f"q is on a GPU of compute capability {capability[0]}.{capability[1]}; there are kernels "
                            "for 9.0 (H100, H200)")
    if q.ndim != 4 or v.ndim != 4:
        raise CallError(f"q has shape {list(q.shape)} and v {list(v.shape)}; give [batch, heads, rows, head size]")
    return compile(pattern, score=score, element=names[element_of(q.dtype, "q")], head_size=q.shape[3],
                   value_head_size=v.shape[3], target=target)


def _kernels_of(pattern: Pattern) -> dict[tuple, Kernel]:
    """Kernels that were compiled for a pattern, kept with it."""
    return pattern.__dict__.setdefault("_kernels", {})


def _needs_operator(torch: Any, q: Any, k: Any, v: Any) -> bool:
    """Whether torch traces the call, for a graph or for gradients."""
    if torch.compiler.is_compiling():
        return True
    return torch.is_grad_enabled() and any(isinstance(x, torch.Tensor) and x.requires_grad for x in (q, k, v))


def attention(q: Any, k: Any, v: Any, *, pattern: Pattern | str = "full", score: str | None = None,
              return_lse: bool = False, out: Any = None, scale: float | None = None, query_offset: int | None = None,
              key_offset: int = 0, threads: int | None = None, **arguments: Any) -> Any:
    """Attention of q, k and v over the pairs of a pattern; compiles what it needs at the first call.

        out = attn.attention(q, k, v, pattern="longformer", global_=[0, 17])
        out, lse = attn.attention(q, k, v, pattern=attn.window(128, 0) | attn.global_tokens(idx), return_lse=True)

    q, k, v: as of Kernel.__call__; element type, head sizes and device say which kernel is meant.
    pattern: a Pattern, or the name of a shipped one with its defaults.
    score: the name of a shipped score, or MLIR text.
    The other options, and what is returned, are those of Kernel.__call__. torch tensors that need gradients go through
    the operator torch.ops.attn_mlir.attention, whose backward is not there yet.
    """
    torch = sys.modules.get("torch")
    if torch is not None and _needs_operator(torch, q, k, v):
        from . import operator

        if out is not None:
            raise CallError("out cannot be given where gradients or torch.compile trace the call; use what it returns")
        output, lse = operator.call(pattern, q, k, v, score, scale, query_offset, key_offset, arguments)
        return (output, lse) if return_lse else output
    arrays = kind_of(type(q))
    if arrays is None:
        q, k, v = import_array(q, "q"), import_array(k, "k"), import_array(v, "v")
        arrays = kind_of(type(q))
    if isinstance(pattern, str):
        pattern = _named(pattern)
    kernels = _kernels_of(pattern)
    key = (score, q.dtype, q.shape[-1], v.shape[-1], arrays.device(q))
    kernel = kernels.get(key)
    if kernel is None:
        kernel = kernels[key] = _compile_for(pattern, score, q, v)
    return kernel(q, k, v, out=out, return_lse=return_lse, scale=scale, query_offset=query_offset,
                  key_offset=key_offset, threads=threads, **arguments)
