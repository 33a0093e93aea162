# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every shipped pattern is right for every size, element type, offset, instruction set and number of threads.

`attn-run --check` decides. Values are combined pair by pair; with ATTN_CHECK_ALL=1 every combination is run.
"""

import itertools
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import attn
import pytest

# Shorter and longer than each length, so that positions start below 0 and above it; one query has keys of several parts.
OTHER_KV_LENGTH = {1: 1100, 64: 40, 257: 300, 1000: 513}

# Where defaults are for long sequences: arguments, and the length that takes the place of shorter ones.
ARGUMENTS = {"neighborhood": ["--arg=width=16", "--arg=rows=5", "--arg=columns=5"]}
LEAST_LENGTH = {"neighborhood": 80}

Sizes = tuple[int, ...]


class Combination(NamedTuple):
    pattern: str
    element: str
    length: int
    heads: tuple[int, int, int]  # query heads, key heads, batches
    has_same_kv_length: bool  # patterns over one sequence always have
    head_size: int
    value_head_size: int | None  # None: head_size
    offsets: tuple[int, int] | None  # of queries and keys
    max_isa: str
    threads: int

    def kernel_flags(self) -> list[str]:
        flags = [f"--element={self.element}", f"--head-size={self.head_size}"]
        return flags + ([f"--value-head-size={self.value_head_size}"] if self.value_head_size else [])

    def call_flags(self) -> list[str]:
        heads, kv_heads, batch = self.heads
        length = max(self.length, LEAST_LENGTH.get(self.pattern, 0))
        flags = [f"--length={length}", f"--heads={heads}", f"--kv-heads={kv_heads}", f"--batch={batch}"]
        if not self.has_same_kv_length and self.pattern not in attn.ONE_SEQUENCE:
            flags.append(f"--kv-length={OTHER_KV_LENGTH[length]}")
        if self.offsets:
            flags += [f"--query-offset={self.offsets[0]}", f"--key-offset={self.offsets[1]}"]
        return flags + ARGUMENTS.get(self.pattern, []) + ["--seed=1"]

    def run_flags(self) -> list[str]:
        return [f"--max-isa={self.max_isa}", f"--threads={self.threads}"]


VALUES = Combination(
    pattern=tuple(attn.PATTERNS),
    element=("f32", "bf16", "f16"),
    length=(1, 64, 257, 1000),
    heads=((1, 1, 1), (4, 2, 2)),
    has_same_kv_length=(True, False),
    head_size=(1, 40, 64, 80, 128, 256),
    value_head_size=(None, 32),
    offsets=(None, (37, 5)),
    max_isa=("amx", "avx512", "avx2", "generic"),
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


def combinations_of(pattern: str, rows: Iterable[Sizes]) -> list[Combination]:
    """Those of the rows that are about this pattern."""
    combinations = (Combination(*(values[i] for values, i in zip(VALUES, row))) for row in rows)
    return [combination for combination in combinations if combination.pattern == pattern]


@pytest.fixture(scope="session")
def pairwise() -> list[Sizes]:
    return list(all_pairs(tuple(map(len, VALUES))))


def test_any_two_values_meet():
    counts = (3, 2, 4, 2)
    rows = list(all_pairs(counts))
    met = set().union(*map(pairs_of, rows))
    assert len(met) == sum(a * b for a, b in itertools.combinations(counts, 2))
    assert len(rows) < 3 * 2 * 4 * 2


# ----------------------------------------------------------------------------------------------------------------------
# Checks
# ----------------------------------------------------------------------------------------------------------------------


def first_of(faults: list[str | None]) -> str:
    wrong = list(filter(None, faults))
    return "\n".join([f"{len(wrong)} of {len(faults)} combinations are wrong", *wrong[:5]])


def fault_of_run(combination: Combination) -> str | None:
    """What is wrong with attn-run --check, or None."""
    done = attn.execute(
        "attn-run", attn.pattern_file(combination.pattern), *combination.kernel_flags(), *combination.call_flags(),
        *combination.run_flags(), "--check", "--json")
    return f"{' '.join(done.args)} exits {done.returncode}: {done.stdout}{done.stderr}" if done.returncode else None


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_default_is_right(pattern: str):
    report = attn.run_json("attn-run", attn.pattern_file(pattern), "--check")
    assert report["kernel"] == pattern
    assert report["ok"] is True


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_every_pair_of_values_is_right(pattern: str, pairwise: list[Sizes]):
    faults = attn.map_processes(fault_of_run, combinations_of(pattern, pairwise))
    assert not any(faults), first_of(faults)


# ----------------------------------------------------------------------------------------------------------------------
# All combinations
# ----------------------------------------------------------------------------------------------------------------------


def compile_kernels(pattern: str, flags: list[tuple[str, ...]], folder: Path) -> dict[tuple[str, ...], Path]:
    """A shared object for each set of kernel flags."""
    paths = [folder / ("kernel" + "".join(f) + ".so") for f in flags]
    attn.map_processes(lambda item: attn.compile_shared_object(pattern, item[1], *item[0]), zip(flags, paths))
    return dict(zip(flags, paths))


def outputs_of(kernel: Path, combination: Combination, folder: Path) -> attn.Outputs:
    """What attn-call gives; it exits with 1 where that is not what `folder` says it should be."""
    return attn.run_for_outputs(folder, "attn-call", kernel, *combination.run_flags(), f"--expect={folder}")


# Why calls are written to a folder: the reference computes once what all instruction sets and threads are judged by.
def check_runs(kernel: Path, runs: list[Combination], folder: Path) -> None:
    """Runs differ only by instruction set and threads; equal instruction sets give equal bytes."""
    attn.run("attn-run", attn.pattern_file(runs[0].pattern), *runs[0].kernel_flags(), *runs[0].call_flags(),
             f"--expect={folder}")
    outputs: dict[str, attn.Outputs] = {}
    for run in runs:
        given = outputs_of(kernel, run, folder)
        assert attn.same_bytes(outputs.setdefault(run.max_isa, given), given), run
    shutil.rmtree(folder)


class TestEveryCombination:
    __test__ = attn.CHECK_ALL

    @pytest.mark.parametrize("pattern", attn.PATTERNS)
    def test_every_combination_is_right(self, pattern: str, tmp_path: Path):
        every = [Combination(*values) for values in itertools.product(*VALUES._replace(pattern=(pattern,)))]
        calls: dict[tuple[str, ...], list[Combination]] = {}
        for combination in every:
            calls.setdefault((*combination.kernel_flags(), *combination.call_flags()), []).append(combination)
        kernels = compile_kernels(pattern, sorted({tuple(runs[0].kernel_flags()) for runs in calls.values()}), tmp_path)

        def check(item: tuple[int, list[Combination]]) -> None:
            number, runs = item
            check_runs(kernels[tuple(runs[0].kernel_flags())], runs, tmp_path / str(number))

        attn.map_processes(check, enumerate(calls.values()))


# ----------------------------------------------------------------------------------------------------------------------
# Refusals
# ----------------------------------------------------------------------------------------------------------------------


def test_patterns_over_one_sequence_are_these():
    assert attn.ONE_SEQUENCE == ["axial", "axial_columns", "axial_rows", "bigbird", "etc", "image_2d", "neighborhood",
                                 "star"]


@pytest.mark.parametrize("pattern", attn.ONE_SEQUENCE)
def test_another_key_length_is_refused_by_name(pattern: str, tmp_path: Path):
    kernel = attn.compile_shared_object(pattern, tmp_path / "kernel.so", "--head-size=8")
    calls = [("attn-run", attn.pattern_file(pattern), "--head-size=8"), ("attn-call", kernel)]
    for tool, *flags in calls:
        done = attn.execute(tool, *flags, "--length=1000", "--kv-length=1001")
        assert (done.returncode, done.stderr) == (
            2, f"error: {pattern} is over one sequence: kv length 1001 has to equal length 1000; drop --kv-length\n")


@pytest.mark.parametrize(("flags", "message"), [
    (["--length=768"], "rows of the grid are 12; they have to be at least 13, rows of the neighborhood"),
    (["--length=64", *ARGUMENTS["neighborhood"]],
     "rows of the grid are 4; they have to be at least 5, rows of the neighborhood"),
    (["--length=1000", "--arg=width=12"],
     "columns of the grid are 12; they have to be at least 13, columns of the neighborhood"),
])
def test_a_grid_smaller_than_the_window_is_refused(flags: list[str], message: str):
    done = attn.execute("attn-run", attn.pattern_file("neighborhood"), *flags)
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n")
