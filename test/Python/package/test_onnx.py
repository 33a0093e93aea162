# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX's own test cases of its operator Attention, on kernels."""

import re
from typing import Any

import attn as paths
import attn_mlir as attn
import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")

import onnx_cases  # noqa: E402, it needs onnx
from attn_mlir import onnx as attn_onnx  # noqa: E402

CASES = onnx_cases.load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: onnx_cases.Case) -> None:
    computed = case.run()
    for name, expected in case.expected.items():
        if name in computed:
            assert computed[name].dtype == expected.dtype
            np.testing.assert_allclose(computed[name].astype(np.float32), expected.astype(np.float32),
                                       rtol=case.tolerance(name), atol=case.atol, err_msg=name)


def test_page_is_fresh() -> None:
    """What the page says is right was found right above."""
    right = {case.name: [name for name in case.expected if name != "qk_matmul_output"] for case in CASES}
    page = (paths.SOURCE / "docs" / "onnx-attention.md").read_text()
    assert page == onnx_cases.write_page(CASES, right), "write the page anew, as onnx_cases.py says"


ROWS = np.zeros((2, 3, 4, 8), np.float32)


def test_windows_of_batches_are_onnxs() -> None:
    """Windows at the ends of sequences of different lengths, which ONNX tries with one window size alone."""
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((3, 2, rows, 8), np.float32) for rows in (5, 9, 9))
    lengths = np.array([2, 9, 5])
    for left, right in ((0, -1), (1, 2), (-1, 1), (3, 0), (-1, -1)):
        out, _, _ = attn_onnx.attention(q, k, v, nonpad_kv_seqlen=lengths, left_window_size=left,
                                        right_window_size=right)
        for b, length in enumerate(lengths):
            i, j = np.arange(5)[:, None] + length - 5, np.arange(length)
            mask = (j >= i - left if left >= 0 else True) & ((j <= i + right) if right >= 0 else j >= 0)
            scores = np.where(mask, q[b] @ k[b, :, :length].swapaxes(1, 2) / np.sqrt(8), -np.inf)
            weights = np.exp(scores - np.maximum(scores.max(2, keepdims=True), -1e30))
            sums = weights.sum(2, keepdims=True)
            np.testing.assert_allclose(out[b], weights @ v[b, :, :length] / np.where(sums > 0, sums, 1), atol=1e-5)


@pytest.mark.parametrize(("options", "message"), [
    ({"attn_mask": np.zeros((3, 4), bool)}, "attn_mask has shape [3, 4]; it has to spread over [2, 3, 4, 4]"),
    ({"Q": ROWS[0], "K": ROWS[0], "V": ROWS[0]},
     "Q has 3 axes; give four, or three and q_num_heads and kv_num_heads"),
])
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(attn.CallError, match=f"^{re.escape(message)}$"):
        attn_onnx.attention(**{"Q": ROWS, "K": ROWS, "V": ROWS, **options})
