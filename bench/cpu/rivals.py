# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Who our kernels are measured beside: one module each, rival_NAME.py, with version() and prepare(case, arrays)."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

NAMES = ("sdpa", "flex", "onnxruntime")


class NotOffered(Exception):
    """A rival has no such pattern, or no such element type: no row of it is missing."""


class Missing(Exception):
    """A rival that cannot take part, and why."""


class Prepared(NamedTuple):
    run: Callable[[], Any]
    read: Callable[[Any], np.ndarray]  # what run returns, as float32 [1, heads, rows, head size]


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:120]}" if not isinstance(error, Missing) else str(error)


def find(name: str) -> ModuleType:
    """Raises Missing where its packages are not installed."""
    try:
        return importlib.import_module(f"rival_{name}")
    except ImportError as error:
        raise Missing(str(error)) from None


def versions() -> dict[str, str]:
    """Of each rival, or why it is not here."""
    found = {}
    for name in NAMES:
        try:
            found[name] = find(name).version()
        except Missing as error:
            found[name] = f"missing ({error})"
    return found
