# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The shipped scores are what their formulas say: NumPy's word against the compiler's."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import attn
import masks
import numpy as np
import pytest
from masks import MASKS, Rows

HEADS, HEAD_SIZE = 6, 16
ERROR = 2e-5  # of float32: scores are up to 100, weights at most 1


class Case(NamedTuple):
    """A score, and what it makes of scores [heads, rows, keys] at positions [rows, 1] and [1, keys]."""

    score: str
    flags: list[str]
    formula: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def alibi(heads: int) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    slopes = 2.0 ** (-8 * (np.arange(HEADS) + 1) / heads)
    return lambda s, p, t: s - slopes[:, None, None] * np.abs(p - t)


def softcap(cap: float) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    return lambda s, p, t: cap * np.tanh(s / cap)


CASES = [
    Case("alibi", [], alibi(8)),
    Case("alibi", ["--arg=heads=6"], alibi(6)),
    Case("softcap", [], softcap(50)),
    Case("softcap", ["--arg=cap=2"], softcap(2)),
]


def test_every_shipped_score_has_a_case_and_a_row():
    shipped = sorted(path.stem for path in (attn.SOURCE / "patterns" / "scores").glob("*.mlir"))
    assert sorted({case.score for case in CASES}) == shipped
    table = (attn.SOURCE / "patterns" / "README.md").read_text()
    assert all(f"[{score}](scores/{score}.mlir)" in table for score in shipped)


@pytest.mark.parametrize("pattern", ["full", "causal"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case.score, *case.flags]))
def test_score_is_its_formula(case: Case, pattern: str, tmp_path: Path):
    rows, random = Rows(75, 90, 20, 3), np.random.default_rng(1)
    q, k, v = (4 * random.standard_normal((1, HEADS, n, HEAD_SIZE), dtype=np.float32) for n in (75, 90, 90))
    output, lse = attn.run_for_outputs(
        tmp_path, "attn-run", attn.pattern_file(pattern), f"--score={case.score}", f"--head-size={HEAD_SIZE}",
        "--query-offset=20", "--key-offset=3", *case.flags, *attn.file_flags(tmp_path, q=q, k=k, v=v))
    p, t = rows.positions()
    scores = q.astype(np.float64) @ np.swapaxes(k, -1, -2) / np.sqrt(HEAD_SIZE)
    weights, expected_lse = masks.softmax(np.where(MASKS[pattern](p, t), case.formula(scores, p, t), -np.inf))
    np.testing.assert_allclose(output, weights @ v, rtol=0, atol=4 * ERROR)
    np.testing.assert_allclose(lse, expected_lse, rtol=0, atol=ERROR)
