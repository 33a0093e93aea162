# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A call's bits depend neither on the number of threads nor on what ran before."""

from pathlib import Path

import attn
import pytest
from test_pairwise import ARGUMENTS

SIZES = ["--batch=2", "--heads=4", "--kv-heads=2", "--length=257", "--seed=3"]
OTHER_KV_LENGTH = "--kv-length=300"


@pytest.mark.parametrize("pattern", ["document", "longformer"])
def test_attn_run_gives_equal_bytes(pattern: str, tmp_path: Path):
    one, two, again = (
        attn.run_for_outputs(tmp_path, "attn-run", attn.pattern_file(pattern), *SIZES, OTHER_KV_LENGTH,
                             f"--threads={threads}")
        for threads in (1, 2, 2))
    assert attn.same_bytes(one, two)
    assert attn.same_bytes(two, again)


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_any_number_of_threads_gives_equal_bytes(pattern: str, compile_all: attn.CompileAll, tmp_path: Path):
    kernel = compile_all("--head-size=40", "--isas=host")[pattern]
    flags = [*SIZES, *ARGUMENTS.get(pattern, []), *([] if pattern in attn.ONE_SEQUENCE else [OTHER_KV_LENGTH])]
    one, *others = (
        attn.run_for_outputs(tmp_path, "attn-call", kernel, *flags, f"--threads={threads}")
        for threads in (1, 1, 2, 2, 3, 8, 64))
    assert all(attn.same_bytes(one, other) for other in others)


@pytest.mark.parametrize("pattern", [pattern for pattern in attn.PATTERNS if pattern not in attn.ONE_SEQUENCE])
@pytest.mark.parametrize("length", [3, 257])
def test_any_number_of_threads_gives_equal_bytes_in_bf16(pattern: str, length: int, compile_all: attn.CompileAll,
                                                         tmp_path: Path):
    kernel = compile_all("--head-size=40", "--isas=host", "--element=bf16")[pattern]
    flags = ["--batch=2", "--heads=4", "--kv-heads=2", f"--length={length}", "--kv-length=1300", "--seed=3"]
    one, *others = (
        attn.run_for_outputs(tmp_path, "attn-call", kernel, *flags, f"--threads={threads}") for threads in (1, 2, 8))
    assert all(attn.same_bytes(one, other) for other in others)


def test_repeated_calls_give_equal_bytes(compile_all: attn.CompileAll, tmp_path: Path):
    kernel = compile_all("--head-size=40", "--isas=host")["longformer"]
    flags = [*SIZES, OTHER_KV_LENGTH, "--threads=2"]
    once, often = (
        attn.run_for_outputs(tmp_path, "attn-call", kernel, *flags, f"--repeat={repeat}") for repeat in (1, 20))
    assert attn.same_bytes(once, often)


@pytest.mark.parametrize("isa", ["avx512", "avx2", "generic"])
def test_attn_run_and_attn_call_give_equal_bytes(isa: str, tmp_path: Path):
    flags = [*SIZES, OTHER_KV_LENGTH, f"--max-isa={isa}"]
    kernel = attn.compile_shared_object("longformer", tmp_path / "kernel.so", "--head-size=40",
                                        f"--isas={attn.best_isa(isa)}")
    run = attn.run_for_outputs(tmp_path, "attn-run", attn.pattern_file("longformer"), "--head-size=40", *flags)
    assert attn.same_bytes(run, attn.run_for_outputs(tmp_path, "attn-call", kernel, *flags))
