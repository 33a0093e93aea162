# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels against NumPy: which pairs they admit, pair by pair, and what attention over those is, in float64.

Values are unit vectors: row j of the values of head h is e_(j - 32 h), or 0 outside of that head's 32 columns. The
outputs of the heads side by side then are the weights themselves, [rows, keys], and a weight is 0 exactly where a pair
is not admitted.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import attn
import masks
import numpy as np
import pytest
from conftest import CompileAll
from masks import MASKS, Rows

BATCH, HEAD_SIZE, VALUE_HEAD_SIZE = 2, 8, 32
KERNEL_FLAGS = [f"--head-size={HEAD_SIZE}", f"--value-head-size={VALUE_HEAD_SIZE}"]

# All up to 20, primes, and what lies around powers of two.
LENGTHS = [*range(1, 21), 23, 29, 31, 32, 33, 37, 41, 43, 47, 48, 53, 61, 63, 64, 65, 67, 79, 96, 97, 100, 101, 127,
           128, 129, 131, 149, 160, 163, 181, 191, 192, 193, 197, 199, 200]

# Smaller tiles than the planner's, so that a few rows make many tiles of every kind, and lengths for them.
SMALL_TILES = ["--tile-rows=8", "--tile-keys=32"]
SMALL_TILE_LENGTHS = [1, 7, 8, 9, 31, 32, 33, 41, 64, 79, 100, 129, 163, 200]

# Lengths that differ, offsets, shards, negative positions, and no rows at all.
AWKWARD = [Rows(1, 200), Rows(200, 1), Rows(37, 64), Rows(64, 37), Rows(33, 70, 5), Rows(33, 70, 100, 60),
           Rows(70, 33, -10, -3), Rows(40, 40, 0, 25), Rows(40, 40, 25), Rows(20, 100, 50), Rows(90, 30, 20, 70),
           Rows(25, 25, -30, -30), Rows(17, 0), Rows(0, 17), Rows(129, 65, 64), Rows(1, 1, 100, 100)]

# Errors of float32: scores are sums of 8 products, weights at most 1.
WEIGHT_ERROR, LSE_ERROR = 5e-6, 5e-6


# ----------------------------------------------------------------------------------------------------------------------
# Arguments
# ----------------------------------------------------------------------------------------------------------------------

# Of a call: numbers are for all batches, arrays have one row for each batch.
Arguments = dict[str, Any]
Random = np.random.Generator


class Case(NamedTuple):
    pattern: str
    name: str
    draw: Callable[[Rows, Random], Arguments]


def fixed(pattern: str, **numbers: int) -> Case:
    """Numbers only, the same for all sizes."""
    name = "-".join(f"{key}={value}" for key, value in numbers.items()) or "default"
    return Case(pattern, name, lambda rows, random: numbers)


def with_tokens(name: str, choose: Callable[[int, Random], list[list[int]]], **numbers: int) -> Case:
    """Global tokens chosen among the positions, for each batch."""

    def draw(rows: Rows, random: Random) -> Arguments:
        return {"global_": np.array(choose(rows.position_count(), random)).reshape(BATCH, -1), **numbers}

    return Case("longformer", name, draw)


def with_segments(name: str, choose: Callable[[int, Random], np.ndarray], pattern: str = "document") -> Case:
    """A segment id for each position, for each batch."""

    def draw(rows: Rows, random: Random) -> Arguments:
        return {"segments": np.stack([choose(rows.position_count(), random) for _ in range(BATCH)])}

    return Case(pattern, name, draw)


def with_lengths(name: str, choose: Callable[[int, Random], list[int]]) -> Case:
    """How many positions hold keys, of at most so many, for each batch."""

    def draw(rows: Rows, random: Random) -> Arguments:
        return {"lengths": np.array(choose(max(rows.key_offset + rows.kv_length, 0), random))}

    return Case("padded", name, draw)


def several_tokens(positions: int, random: Random) -> list[list[int]]:
    """Not sorted, some twice, and padded by -1 in between."""
    drawn = random.integers(0, max(positions, 1), (BATCH, 3)) if positions else np.full((BATCH, 3), -1)
    return [[row[0], -1, row[1], row[0], -1, row[2], row[1]] for row in drawn.tolist()]


CASES = [
    fixed("full"),
    fixed("causal"),
    fixed("sliding_window"),
    fixed("sliding_window", left=0, right=0),
    fixed("sliding_window", left=3, right=0),
    fixed("sliding_window", left=0, right=5),
    fixed("sliding_window", left=17, right=2),
    fixed("sliding_window", left=64, right=31),
    fixed("sliding_window", left=1000, right=0),
    fixed("block_local"),
    fixed("block_local", block=1),
    fixed("block_local", block=3),
    fixed("block_local", block=16),
    fixed("block_local", block=65),
    fixed("block_local", block=1000),
    fixed("longformer"),
    fixed("longformer", left=2, right=1),
    fixed("longformer", left=0, right=0),
    with_tokens("no-token", lambda n, random: [[], []], left=4, right=4),
    with_tokens("padding-only", lambda n, random: [[-1, -1], [-1, -1]], left=4, right=4),
    with_tokens("last-position", lambda n, random: [[n - 1], [n - 1]], left=1, right=9),
    with_tokens("several", several_tokens, left=5, right=3),
    with_tokens("several-without-window", several_tokens, left=0, right=0),
    with_tokens("every-second", lambda n, random: [list(range(0, n, 2))[::-1]] * BATCH, left=1, right=0),
    with_tokens("all", lambda n, random: [random.permutation(n).tolist() for _ in range(BATCH)], left=1, right=1),
    with_segments("sorted", lambda n, random: np.sort(random.integers(0, 4, n))),
    with_segments("unsorted", lambda n, random: random.integers(0, 3, n)),
    with_segments("one", lambda n, random: np.full(n, 7)),
    with_segments("all-different", lambda n, random: random.permutation(n)),
    with_segments("any-ids", lambda n, random: random.choice([-(2**31), -1, 0, 2**31 - 1], n)),
    with_segments("sorted", lambda n, random: np.sort(random.integers(0, 4, n)), "document_causal"),
    with_segments("unsorted", lambda n, random: random.integers(0, 3, n), "document_causal"),
    with_segments("one", lambda n, random: np.full(n, 7), "document_causal"),
    with_lengths("any", lambda n, random: random.integers(0, n + 1, BATCH).tolist()),
    with_lengths("none-and-all", lambda n, random: [0, n]),
    with_lengths("one-missing", lambda n, random: [n, max(n - 1, 0)]),
]


def mask_of(case: Case, rows: Rows, arguments: Arguments, batch: int) -> np.ndarray:
    own = {name: value[batch] if isinstance(value, np.ndarray) else value for name, value in arguments.items()}
    return np.broadcast_to(MASKS[case.pattern](*rows.positions(), **own), (rows.length, rows.kv_length))


def argument_flags(folder: Path, arguments: Arguments) -> list[str]:
    return attn.argument_flags(folder, {name.rstrip("_"): value for name, value in arguments.items()})


# ----------------------------------------------------------------------------------------------------------------------
# Weights
# ----------------------------------------------------------------------------------------------------------------------


def draw_rows(random: Random, *shape: int) -> np.ndarray:
    return random.standard_normal(shape, dtype=np.float32)


def unit_values(kv_length: int) -> np.ndarray:
    """[batch, heads, keys, columns]: 1 where key = head * columns + column."""
    heads = max(1, -(-kv_length // VALUE_HEAD_SIZE))
    keys = np.eye(kv_length, heads * VALUE_HEAD_SIZE).reshape(kv_length, heads, VALUE_HEAD_SIZE)
    return np.broadcast_to(keys.transpose(1, 0, 2), (BATCH, heads, kv_length, VALUE_HEAD_SIZE))


def weights_of(kernel: Path, q: np.ndarray, k: np.ndarray, flags: list[str], folder: Path) -> attn.Outputs:
    """The kernel's weights [batch, rows, keys] and lse [batch, rows]."""
    v = unit_values(k.shape[2])
    heads = v.shape[1]
    files = attn.file_flags(folder, q=np.repeat(q, heads, axis=1), k=np.repeat(k, heads, axis=1), v=v)
    output, lse = attn.run_for_outputs(folder, "attn-call", kernel, *files, *flags)
    weights = output.transpose(0, 2, 1, 3).reshape(BATCH, q.shape[2], heads * VALUE_HEAD_SIZE)
    return attn.Outputs(weights[:, :, : k.shape[2]], lse[:, 0])


def fault_of(kernel: Path, case: Case, rows: Rows, folder: Path) -> str | None:
    """Where kernel and NumPy differ, or None."""
    random = np.random.default_rng([rows.length, rows.kv_length])
    q, k = (draw_rows(random, BATCH, 1, n, HEAD_SIZE) for n in (rows.length, rows.kv_length))
    arguments = case.draw(rows, random)
    mask = np.stack([mask_of(case, rows, arguments, batch) for batch in range(BATCH)])
    actual = weights_of(kernel, q, k, [*rows.flags(), *argument_flags(folder, arguments)], folder)
    weights, lse = masks.attend(q[:, 0], k[:, 0], mask)
    wrong = np.argwhere((actual.output != 0) != mask)
    if len(wrong):
        return f"{rows}, {arguments}: {len(wrong)} pairs, of them [batch, row, key] {wrong[0].tolist()}"
    if not np.allclose(actual.output, weights, rtol=0, atol=WEIGHT_ERROR):
        return f"{rows}, {arguments}: weights differ by {np.abs(actual.output - weights).max()}"
    if not np.allclose(actual.lse, lse, rtol=0, atol=LSE_ERROR):  # infinities have to be equal
        return f"{rows}, {arguments}: lse differs: {actual.lse} != {lse}"
    return None


def faults_of(kernel: Path, case: Case, all_rows: list[Rows], folder: Path) -> list[str]:
    return [fault for rows in all_rows if (fault := fault_of(kernel, case, rows, folder))]


def by_name(case: Case) -> str:
    return f"{case.pattern}-{case.name}"


def test_every_shipped_pattern_has_a_mask_and_a_case():
    assert sorted(MASKS) == attn.PATTERNS
    assert sorted({case.pattern for case in CASES}) == attn.PATTERNS


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_admits_what_the_mask_admits(case: Case, compile_all: CompileAll, tmp_path: Path):
    kernel = compile_all(*KERNEL_FLAGS)[case.pattern]
    faults = faults_of(kernel, case, [*(Rows(n, n) for n in LENGTHS), *AWKWARD], tmp_path)
    assert not faults, "\n".join([f"{len(faults)} calls are wrong", *faults[:5]])


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_admits_the_same_in_small_tiles(case: Case, compile_all: CompileAll, tmp_path: Path):
    kernel = compile_all(*KERNEL_FLAGS, *SMALL_TILES)[case.pattern]
    faults = faults_of(kernel, case, [*(Rows(n, n) for n in SMALL_TILE_LENGTHS), *AWKWARD], tmp_path)
    assert not faults, "\n".join([f"{len(faults)} calls are wrong", *faults[:5]])


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_attn_run_agrees_with_dense_attention(pattern: str, tmp_path: Path):
    case = [case for case in CASES if case.pattern == pattern][-1]
    rows, random = Rows(97, 120), np.random.default_rng(5)
    q, k, v = (draw_rows(random, BATCH, heads, n, HEAD_SIZE) for heads, n in ((6, 97), (2, 120), (2, 120)))
    arguments = case.draw(rows, random)
    output, lse = attn.run_for_outputs(
        tmp_path, "attn-run", attn.pattern_file(pattern), f"--head-size={HEAD_SIZE}",
        *attn.file_flags(tmp_path, q=q, k=k, v=v), *argument_flags(tmp_path, arguments))
    mask = np.stack([mask_of(case, rows, arguments, batch) for batch in range(BATCH)])
    k, v = (np.repeat(x, 3, axis=1) for x in (k, v))  # three query heads read one key head
    weights, expected_lse = masks.attend(q, k, mask[:, None])
    np.testing.assert_allclose(output, weights @ v, rtol=0, atol=WEIGHT_ERROR)
    np.testing.assert_allclose(lse, expected_lse, rtol=0, atol=LSE_ERROR)


# ----------------------------------------------------------------------------------------------------------------------
# Pictures
# ----------------------------------------------------------------------------------------------------------------------


def draw_mask(mask: np.ndarray) -> str:
    return "".join("".join(".#"[admitted] for admitted in row) + "\n" for row in mask.astype(int))


# Up to 64 rows and keys, a character is one pair.
@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_picture_is_the_mask(case: Case, tmp_path: Path):
    for rows in (Rows(23, 23), Rows(64, 64), Rows(64, 37, 5, 3)):
        arguments = case.draw(rows, np.random.default_rng(0))
        first = {name: value[:1] if isinstance(value, np.ndarray) else value for name, value in arguments.items()}
        picture = attn.run("attn-compile", attn.pattern_file(case.pattern), "--emit=mask", *rows.flags(),
                           *argument_flags(tmp_path, first))
        assert picture == draw_mask(mask_of(case, rows, arguments, 0)), rows
