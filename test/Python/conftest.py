# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fixtures of all tests."""

from collections.abc import Callable
from pathlib import Path

import attn
import pytest

CompileKernel = Callable[..., Path]


@pytest.fixture(scope="session")
def compile_kernel(tmp_path_factory: pytest.TempPathFactory) -> CompileKernel:
    """compile_kernel(pattern, *flags): the shared object of a shipped pattern, for attn-call; made once."""
    folder = tmp_path_factory.mktemp("kernels")
    made: dict[tuple[str, ...], Path] = {}

    def compile_once(pattern: str, *flags: str) -> Path:
        key = (pattern, *flags)
        if key not in made:
            made[key] = attn.compile_shared_object(pattern, folder / f"{pattern}{''.join(flags)}.so", *flags)
        return made[key]

    return compile_once
