# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every shipped pattern is right for every size, offset, instruction set and number of threads.

`attn-run --check` decides. Sizes are combined pair by pair; with ATTN_CHECK_ALL=1 every combination is run.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import attn
import numpy as np
import pytest

# Shorter and longer than each length, so that positions start below 0 and above it.
OTHER_KV_LENGTH = {1: 33, 64: 40, 257: 300, 1000: 513}

Sizes = tuple[int, ...]


class Combination(NamedTuple):
    length: int
    heads: tuple[int, int, int]  # query heads, key heads, batches
    has_same_kv_length: bool
    head_size: int
    value_head_size: int | None  # None: head_size
    offsets: tuple[int, int] | None  # of queries and keys
    max_isa: str
    threads: int

    def kernel_flags(self) -> list[str]:
        flags = [f"--head-size={self.head_size}"]
        return flags + ([f"--value-head-size={self.value_head_size}"] if self.value_head_size else [])

    def call_flags(self) -> list[str]:
        heads, kv_heads, batch = self.heads
        flags = [f"--length={self.length}", f"--heads={heads}", f"--kv-heads={kv_heads}", f"--batch={batch}"]
        if not self.has_same_kv_length:
            flags.append(f"--kv-length={OTHER_KV_LENGTH[self.length]}")
        if self.offsets:
            flags += [f"--query-offset={self.offsets[0]}", f"--key-offset={self.offsets[1]}"]
        return flags + [f"--max-isa={self.max_isa}", "--seed=1"]


VALUES = Combination(
    length=(1, 64, 257, 1000),
    heads=((1, 1, 1), (4, 2, 2)),
    has_same_kv_length=(True, False),
    head_size=(1, 40, 64, 80, 128, 256),
    value_head_size=(None, 32),
    offsets=(None, (37, 5)),
    max_isa=("avx512", "avx2", "generic"),
    threads=(1, 2),
)


# ----------------------------------------------------------------------------------------------------------------------
# All pairs
# ----------------------------------------------------------------------------------------------------------------------


def pairs_of(row: Sizes) -> set[tuple[tuple[int, int], ...]]:
    """The pairs of (column, value) in a row."""
    return set(itertools.combinations(enumerate(row), 2))


def complete(start: dict[int, int], counts: Sizes, missing: set) -> Sizes:
    """A row with the values of `start`; the others are those that meet most missing pairs."""
    row = dict(start)
    for column in (c for c in range(len(counts)) if c not in start):
        def gain(value: int) -> int:
            return sum(tuple(sorted([(column, value), cell])) in missing for cell in row.items())
        row[column] = max(range(counts[column]), key=gain)
    return tuple(row[column] for column in range(len(counts)))


def all_pairs(counts: Sizes) -> Iterator[Sizes]:
    """Rows such that any values of any two columns meet in one; column c takes the values 0 ... counts[c] - 1."""
    columns = [[(c, value) for value in range(count)] for c, count in enumerate(counts)]
    missing = {pair for a, b in itertools.combinations(columns, 2) for pair in itertools.product(a, b)}
    while missing:
        row = complete(dict(min(missing)), counts, missing)
        missing -= pairs_of(row)
        yield row


def pairwise() -> list[Combination]:
    rows = all_pairs(tuple(map(len, VALUES)))
    return [Combination(*(values[i] for values, i in zip(VALUES, row))) for row in rows]


def test_any_two_values_meet():
    counts = (3, 2, 4, 2)
    rows = list(all_pairs(counts))
    met = set().union(*map(pairs_of, rows))
    assert len(met) == sum(a * b for a, b in itertools.combinations(counts, 2))
    assert len(rows) < 3 * 2 * 4 * 2


# ----------------------------------------------------------------------------------------------------------------------
# Checks
# ----------------------------------------------------------------------------------------------------------------------


def fault_of_run(pattern: str, combination: Combination, *flags: str) -> str | None:
    """What is wrong with attn-run --check, or None."""
    done = attn.execute("attn-run", attn.pattern_file(pattern), *combination.kernel_flags(), *combination.call_flags(),
                        f"--threads={combination.threads}", "--check", "--json", *flags)
    return f"{' '.join(done.args)} exits {done.returncode}: {done.stdout}{done.stderr}" if done.returncode else None


def first_of(faults: list[str | None]) -> str:
    wrong = list(filter(None, faults))
    return "\n".join([f"{len(wrong)} of {len(faults)} combinations are wrong", *wrong[:5]])


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_default_is_right(pattern: str):
    report = attn.run_json("attn-run", attn.pattern_file(pattern), "--check")
    assert report["kernel"] == pattern
    assert report["ok"] is True


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_every_pair_of_sizes_is_right(pattern: str):
    faults = attn.map_processes(lambda combination: fault_of_run(pattern, combination), pairwise())
    assert not any(faults), first_of(faults)


def compile_kernels(pattern: str, combinations: list[Combination], folder: Path) -> dict[tuple[str, ...], Path]:
    """A shared object for each of the different kernel flags."""
    flags = sorted({tuple(combination.kernel_flags()) for combination in combinations})
    paths = [folder / ("kernel" + "".join(f) + ".so") for f in flags]
    attn.map_processes(lambda item: attn.compile_shared_object(pattern, item[1], *item[0]), zip(flags, paths))
    return dict(zip(flags, paths))


# Why attn-call runs one of the two: it takes a millisecond where attn-run compiles first. Equal bytes make true of both
# what attn-run checked.
def fault_of_both_threads(pattern: str, kernel: Path, combination: Combination, folder: Path) -> str | None:
    """What is wrong with attn-run --threads=2, or with attn-call --threads=1 beside it, or None."""
    folder.mkdir()
    files = [folder / "output.npy", folder / "lse.npy"]
    fault = fault_of_run(pattern, combination, f"--out={files[0]}", f"--lse={files[1]}")
    if not fault:
        two = attn.Outputs(*map(np.load, files))
        one = attn.run_for_outputs(folder, "attn-call", kernel, *combination.call_flags(), "--threads=1")
        fault = None if attn.same_bytes(one, two) else f"attn-call with one thread differs: {pattern}, {combination}"
    shutil.rmtree(folder)
    return fault


class TestFullProduct:
    __test__ = os.environ.get("ATTN_CHECK_ALL", "0") not in ("", "0")

    @pytest.mark.parametrize("pattern", attn.PATTERNS)
    def test_every_combination_is_right(self, pattern: str, tmp_path: Path):
        combinations = [Combination(*values) for values in itertools.product(*VALUES._replace(threads=(2,)))]
        kernels = compile_kernels(pattern, combinations, tmp_path)

        def fault(item: tuple[int, Combination]) -> str | None:
            number, combination = item
            kernel = kernels[tuple(combination.kernel_flags())]
            return fault_of_both_threads(pattern, kernel, combination, tmp_path / str(number))

        faults = attn.map_processes(fault, enumerate(combinations))
        assert not any(faults), first_of(faults)
