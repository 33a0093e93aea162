# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fixtures of all tests."""

import functools

import attn
import pytest


@pytest.fixture(scope="session")
def compile_all(tmp_path_factory: pytest.TempPathFactory) -> attn.CompileAll:
    """compile_all(*flags): a shared object of every shipped pattern, for attn-call; made once."""

    @functools.cache
    def compile_once(*flags: str) -> attn.Kernels:
        folder = tmp_path_factory.mktemp("kernels")
        paths = attn.map_processes(
            lambda pattern: attn.compile_shared_object(pattern, folder / f"{pattern}.so", *flags), attn.PATTERNS)
        return dict(zip(attn.PATTERNS, paths))

    return compile_once
