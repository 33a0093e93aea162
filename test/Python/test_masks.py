# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels against NumPy: which pairs they admit, pair by pair, and what attention over those is, in float64.

Values are unit vectors: row j of the values of key head h is e_(j - 32 h), or 0 outside of that head's 32 columns. The
outputs for the key heads side by side then are the weights themselves, [rows, keys], and a weight is 0 exactly where a
pair is not admitted. Where a pattern's heads differ, each key head serves one query head of each kind.
"""

from pathlib import Path

import attn
import masks
import numpy as np
import pytest
from mask_cases import BATCH, CASES, Case, argument_flags
from masks import MASKS, Rows

HEAD_SIZE, VALUE_HEAD_SIZE = 8, 32
KERNEL_FLAGS = [f"--head-size={HEAD_SIZE}", f"--value-head-size={VALUE_HEAD_SIZE}", "--isas=host"]

# Smaller tiles than the planner's, so that a few rows make many tiles of every kind.
SMALL_TILES = ["--tile-rows=8", "--tile-keys=32"]

# Lengths that differ, offsets, shards, negative positions, and no rows at all.
AWKWARD = [Rows(1, 200), Rows(200, 1), Rows(37, 64), Rows(64, 37), Rows(33, 70, 5), Rows(33, 70, 100, 60),
           Rows(70, 33, -10, -3), Rows(40, 40, 0, 25), Rows(40, 40, 25), Rows(20, 100, 50), Rows(90, 30, 20, 70),
           Rows(25, 25, -30, -30), Rows(17, 0), Rows(0, 17), Rows(129, 65, 64), Rows(1, 1, 100, 100)]

# Of one sequence: none of its rows, or without the first ones, on both sides or among the keys alone.
AWKWARD_PARTS = [Rows(0, 0), Rows(60, 60, 71, 71), Rows(1, 1, 100, 100), Rows(40, 40, 0, 25)]

# Errors of float32: scores are sums of 8 products, weights at most 1.
WEIGHT_ERROR, LSE_ERROR = 5e-6, 5e-6


def by_name(case: Case) -> str:
    return f"{case.pattern}-{case.name}"


def sizes_of(case: Case, step: int) -> list[Rows]:
    """Each step-th length up to 200, other ones for each case, 200, and awkward sizes; or each length."""
    every_length = range(1, 201)
    sample = [*range(1 + CASES.index(case) % step, 200, step), 200]
    lengths = [n for n in (every_length if attn.CHECK_ALL else sample) if n >= case.least_length]
    awkward = AWKWARD_PARTS if case.pattern in attn.ONE_SEQUENCE else AWKWARD
    return [*(Rows(n, n) for n in lengths or (case.least_length, case.least_length + 31)),
            *(rows for rows in awkward if rows.key_offset + rows.kv_length >= case.least_length)]


# ----------------------------------------------------------------------------------------------------------------------
# Weights
# ----------------------------------------------------------------------------------------------------------------------


def draw_rows(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape, dtype=np.float32)


def unit_values(kv_length: int) -> np.ndarray:
    """[batch, key heads, keys, columns]: 1 where key = head * columns + column."""
    heads = max(1, -(-kv_length // VALUE_HEAD_SIZE))
    keys = np.eye(kv_length, heads * VALUE_HEAD_SIZE).reshape(kv_length, heads, VALUE_HEAD_SIZE)
    return np.broadcast_to(keys.transpose(1, 0, 2), (BATCH, heads, kv_length, VALUE_HEAD_SIZE))


def weights_of(kernel: Path, case: Case, q: np.ndarray, k: np.ndarray, flags: list[str], folder: Path) -> attn.Outputs:
    """The kernel's weights [batch, heads, rows, keys] and lse [batch, heads, rows]; keys have one head."""
    v = unit_values(k.shape[2])
    copies = v.shape[1]
    files = attn.file_flags(folder, q=np.concatenate([q] * copies, axis=1), k=np.repeat(k, copies, axis=1), v=v)
    output, lse = attn.run_for_outputs(folder, "attn-call", kernel, *files, *flags)
    heads, length = q.shape[1:3]
    weights = output.reshape(BATCH, copies, heads, length, VALUE_HEAD_SIZE).transpose(0, 2, 3, 1, 4)
    weights = weights.reshape(BATCH, heads, length, copies * VALUE_HEAD_SIZE)
    return attn.Outputs(weights[..., : k.shape[2]], lse[:, :heads])


def fault_of(kernel: Path, case: Case, rows: Rows, folder: Path) -> str | None:
    """Where kernel and NumPy differ, or None."""
    random = np.random.default_rng([rows.length, rows.kv_length])
    q = draw_rows(random, BATCH, case.heads(), rows.length, HEAD_SIZE)
    k = draw_rows(random, BATCH, 1, rows.kv_length, HEAD_SIZE)
    arguments = case.draw(rows, random)
    mask = case.masks(rows, arguments)
    copies = unit_values(rows.kv_length).shape[1]
    flags = [*rows.flags(), *argument_flags(folder, arguments, copies)]
    actual = weights_of(kernel, case, q, k, flags, folder)
    weights, lse = masks.attend(q, k, mask)
    wrong = np.argwhere((actual.output != 0) != mask)
    if len(wrong):
        return f"{rows}, {arguments}: {len(wrong)} pairs, of them [batch, head, row, key] {wrong[0].tolist()}"
    if not np.allclose(actual.output, weights, rtol=0, atol=WEIGHT_ERROR):
        return f"{rows}, {arguments}: weights differ by {np.abs(actual.output - weights).max()}"
    if not np.allclose(actual.lse, lse, rtol=0, atol=LSE_ERROR):  # infinities have to be equal
        return f"{rows}, {arguments}: lse differs: {actual.lse} != {lse}"
    return None


def check_sizes(kernel: Path, case: Case, sizes: list[Rows], folder: Path) -> None:
    faults = [fault for rows in sizes if (fault := fault_of(kernel, case, rows, folder))]
    assert not faults, "\n".join([f"{len(faults)} calls are wrong", *faults[:5]])


def test_every_shipped_pattern_has_a_mask_and_a_case():
    assert sorted(MASKS) == attn.PATTERNS
    assert sorted({case.pattern for case in CASES}) == attn.PATTERNS


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_admits_what_the_mask_admits(case: Case, compile_all: attn.CompileAll, tmp_path: Path):
    check_sizes(compile_all(*KERNEL_FLAGS)[case.pattern], case, sizes_of(case, 23), tmp_path)


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_admits_the_same_in_small_tiles(case: Case, compile_all: attn.CompileAll, tmp_path: Path):
    check_sizes(compile_all(*KERNEL_FLAGS, *SMALL_TILES)[case.pattern], case, sizes_of(case, 29), tmp_path)


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_attn_run_agrees_with_dense_attention(pattern: str, tmp_path: Path):
    case = [case for case in CASES if case.pattern == pattern][-1]
    rows, random = Rows(97, 97 if pattern in attn.ONE_SEQUENCE else 120), np.random.default_rng(5)
    q = draw_rows(random, BATCH, 6, rows.length, HEAD_SIZE)
    k, v = (draw_rows(random, BATCH, 2, rows.kv_length, HEAD_SIZE) for _ in range(2))
    arguments = case.draw(rows, random)
    copies = 6 // case.heads()
    output, lse = attn.run_for_outputs(
        tmp_path, "attn-run", attn.pattern_file(pattern), f"--head-size={HEAD_SIZE}",
        *attn.file_flags(tmp_path, q=q, k=k, v=v), *argument_flags(tmp_path, arguments, copies))
    mask = np.concatenate([case.masks(rows, arguments)] * copies, axis=1)
    k, v = (np.repeat(x, 3, axis=1) for x in (k, v))  # three query heads read one key head
    weights, expected_lse = masks.attend(q, k, mask)
    np.testing.assert_allclose(output, weights @ v, rtol=0, atol=WEIGHT_ERROR)
    np.testing.assert_allclose(lse, expected_lse, rtol=0, atol=LSE_ERROR)


# ----------------------------------------------------------------------------------------------------------------------
# Pictures
# ----------------------------------------------------------------------------------------------------------------------


def draw_mask(mask: np.ndarray) -> str:
    return "".join("".join(".#"[admitted] for admitted in row) + "\n" for row in mask.astype(int))


def check_picture(case: Case, rows: Rows, folder: Path) -> None:
    """Of the first batch's first head; up to 64 rows and keys, a character is one pair."""
    arguments = case.draw(rows, np.random.default_rng(0))
    picture = attn.run("attn-compile", attn.pattern_file(case.pattern), "--emit=mask", f"--heads={case.heads()}",
                       *rows.flags(), *argument_flags(folder, arguments, batches=1))
    assert picture == draw_mask(case.mask(rows, arguments, 0, 0)), rows


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_picture_is_the_mask(case: Case, tmp_path: Path):
    sizes = [Rows(23, 23), Rows(64, 64), Rows(30, 30, 34, 34)]
    if case.pattern not in attn.ONE_SEQUENCE:
        sizes.append(Rows(64, 37, 5, 3))
    sizes = [rows for rows in sizes if rows.key_offset + rows.kv_length >= case.least_length]
    sample = sizes if attn.CHECK_ALL else sizes[CASES.index(case) % 3 :][:1]
    for rows in sample:
        check_picture(case, rows, tmp_path)
