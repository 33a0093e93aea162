# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attn.where: functions of Python are judged by what they say of NumPy's indices."""

import re
from collections.abc import Callable
from typing import Any

import attn_mlir as attn
import numpy as np
import pytest

Function = Callable[[Any, Any, Any, Any], Any]

# Each knows whatever NumPy's int64 knows, so the same function is its own reference.
FUNCTIONS: dict[str, Function] = {
    "sums and products": lambda b, h, q, k: (2 * q + k * 3 - 1 + h) % 5 < 2,
    "reflected": lambda b, h, q, k: (20 - q) // 3 + (-k) > 7 % (q + 1),
    "floors": lambda b, h, q, k: ((q - k) // 3 == -2) | ((q - k) % -4 == -1),
    "absolute": lambda b, h, q, k: abs(q - k) >= 3,
    "logic": lambda b, h, q, k: ~(q == k) & (k != 4) ^ (q <= 2),
    "constants": lambda b, h, q, k: True & (q >= k) | False,
    "heads and batches": lambda b, h, q, k: (k < 4 * b + 3) | (q == h),
    "a term in two places": lambda b, h, q, k: (lambda d: (d >= 0) & (d % 2 == 0))(q - k),
}


def admitted(pattern: attn.Pattern, batch: int, heads: int, length: int, **arguments: Any) -> np.ndarray:
    """[batch, heads, length, length]: which keys reach an output; each has a value of its own."""
    rows = np.zeros((batch, heads, length, 1), np.float32)
    values = np.broadcast_to(np.eye(length, dtype=np.float32), (batch, heads, length, length))
    return attn.attention(rows, rows, values, pattern=pattern, **arguments) > 0


def asked(f: Function, batch: int, heads: int, length: int) -> np.ndarray:
    return np.array(f(*np.indices((batch, heads, length, length))))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    f = FUNCTIONS[name]
    assert np.array_equal(admitted(attn.where(f), 2, 3, 13), asked(f, 2, 3, 13))


def test_composes_with_atoms() -> None:
    pattern = attn.causal() & attn.where(lambda b, h, q, k: (q * k) % 3 == 0) | attn.global_tokens([2])
    q, k = np.indices((16, 16))
    assert np.array_equal(admitted(pattern, 1, 1, 16)[0, 0], (k <= q) & (q * k % 3 == 0) | (q == 2) | (k == 2))
    report = pattern.report(16)
    assert report["admitted_pairs"] == admitted(pattern, 1, 1, 16).sum()


def test_numbers_of_the_call() -> None:
    """A parameter, a number for each head and one for each batch, which a call may replace."""
    far, near = attn.parameter("far", 5), attn.parameter("near", [0, 2])
    kept = attn.per_batch(attn.Parameter("kept", "!attn.lengths"))
    pattern = attn.where(lambda b, h, q, k: (far >= q - k) & (q - k >= near) | (k < kept))
    for far_now, near_now, kept_now in ((5, [0, 2], [0, 3]), (3, [1, 1], [2, 0])):
        expected = asked(lambda b, h, q, k: (far_now >= q - k) & (q - k >= np.array(near_now)[h])
                         | (k < np.array(kept_now)[b]), 2, 2, 9)
        assert np.array_equal(admitted(pattern, 2, 2, 9, far=far_now, near=near_now, kept=kept_now), expected)


def test_arrays() -> None:
    matrix = np.random.default_rng(0).random((3, 11, 11), np.float32)
    allowed = attn.array("allowed", matrix, "heads", "queries", "keys")
    levels = attn.array("levels", [0.25, 0.75], 2)
    pattern = attn.where(lambda b, h, q, k: (allowed[h, q, k] > 0.5) | (allowed[h, q, k] <= levels[0]))
    expected = asked(lambda b, h, q, k: (matrix[h, q, k] > 0.5) | (matrix[h, q, k] <= 0.25), 1, 3, 11)
    assert np.array_equal(admitted(pattern, 1, 3, 11), expected)


def test_names_of_parameters_do_not_clash() -> None:
    q, k = attn.parameter("q", 2), attn.parameter("k", 1)
    pattern = attn.window(q, k) & attn.where(lambda b, h, i, j: (i + j) % 2 == 0) & attn.where(
        lambda b, h, i, j: (i != 3) & (i - j < q))
    i, j = np.indices((8, 8))
    assert np.array_equal(admitted(pattern, 1, 1, 8)[0, 0],
                          (i - 2 < j) & (j <= i + 1) & ((i + j) % 2 == 0) & (i != 3))


def test_print() -> None:
    allowed = attn.array("allowed", np.zeros((4, 4), np.float32), "queries", "keys")
    assert str(attn.where(lambda b, h, q, k: (q == k) & (allowed[q, k] >= 1e-5))) == """\
attn.pattern @pattern(%allowed: !attn.array<[queries, keys]>) {
  %some = attn.where (%pair.b, %pair.h, %pair.q, %pair.k) {
    %0 = arith.cmpi eq, %pair.q, %pair.k : index
    %1 = attn.load %allowed[%pair.q, %pair.k] : !attn.array<[queries, keys]>
    %2 = arith.constant 1.000000000e-05 : f32
    %3 = arith.cmpf oge, %1, %2 : f32
    %4 = arith.andi %0, %3 : i1
    attn.yield %4 : i1
  }
  attn.yield %some
}
"""


ROWS = attn.array("rows", np.zeros(4, np.float32), "queries")


@pytest.mark.parametrize(("f", "message"), [
    (lambda b, h, q, k: q < k < 3, "a value of attn.where is not known yet; combine with &, | and ~ instead of and, "
     "or, not and if, and compare two at a time"),
    (lambda b, h, q, k: q, "a Number in attn.where, where it takes comparisons and what is combined of them"),
    (lambda b, h, q, k: (q == k) & 1, "a int in attn.where, where it takes comparisons and what is combined of them"),
    (lambda b, h, q, k: q + "a" == k,
     "a str in attn.where, where it takes whole numbers, parameters and what is computed of them"),
    (lambda b, h, q, k: q == 0.5,
     "a float in attn.where, where it takes whole numbers, parameters and what is computed of them"),
    (lambda b, h, q, k: ROWS[q] > float("inf"),
     "a float in attn.where, where it takes finite numbers and entries of arrays"),
    (lambda b, h, q, k: ROWS[q, k] > 0, "'rows' has 1 axes, not 2"),
])
def test_what_is_not_known(f: Function, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        attn.where(f)


def test_reads_outside_are_refused() -> None:
    with pytest.raises(attn.CompileError, match="extent 0 of the array is queries"):
        attn.where(lambda b, h, q, k: ROWS[q + 1] > 0).report(4)
    with pytest.raises(ValueError, match=r"^extent 'rows'; use batch, heads, kv_heads, queries, keys or a number$"):
        attn.array("a", [0.0], "rows")
