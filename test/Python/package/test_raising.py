# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Masks become patterns again: NumPy draws the mask, the compiler draws what was raised."""

import functools
import json
import operator
import re
from collections.abc import Callable
from typing import Any

import attn_mlir as attn
import masks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Mask = np.ndarray


def positions(rows: int, keys: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(keys - rows, keys)[:, None], np.arange(keys)[None]


def drawn(pattern: attn.Pattern, rows: int, keys: int) -> Mask:
    """The pairs of a pattern, as the compiler sees them."""
    lines = pattern.show(rows, kv_length=keys).text.split("\n")
    return np.array([[cell == "#" for cell in line] for line in lines if line], bool).reshape(rows, keys)


def read(pattern: attn.Pattern, rows: int, keys: int) -> Mask:
    """The same, read from its MLIR; what takes the compiler a third of a second."""
    p, k = positions(rows, keys)
    everywhere = masks.full(p, k)
    values: dict[str, Any] = {name: np.asarray(value) for name, value in pattern.arguments.items()}
    for name, value in re.findall(r"%(\w+): [!.\w]+ = (\[.*?\]|\d+)", str(pattern)):
        values[name] = np.array(json.loads(value))

    def window(left: Any = keys, right: Any = rows + keys, dilation: Any = 1) -> Mask:
        return masks.dilated_window(p, k, left, right, dilation)

    def congruent(x: Mask, mod: int, to: int | None = None, **clauses: int) -> Mask:
        first = clauses.get("from", 0)
        return (first <= x % mod) & (x % mod <= (first if to is None else to))

    def within(x: Mask, below: int = keys, **clauses: int) -> Mask:
        return (clauses.get("from", -rows) <= x) & (x < below)

    def block_local(block: int, before: int = 0, after: int = 0) -> Mask:
        return (p // block * block - before <= k) & (k < (p // block + 1) * block + after)

    def segments(ids: np.ndarray) -> Mask:
        return ids[p] == ids[k]

    readers = {
        "full": lambda: everywhere, "empty": lambda: ~everywhere, "causal": lambda: k <= p, "window": window,
        "block_local": block_local, "segments": segments, "congruent query": functools.partial(congruent, p),
        "congruent key": functools.partial(congruent, k),
        "congruent (query - key)": functools.partial(congruent, p - k),
        "range rows": functools.partial(within, p), "range columns": functools.partial(within, k),
        "global rows": lambda tokens: np.isin(p, tokens), "global columns": lambda tokens: np.isin(k, tokens),
        "global": lambda tokens: np.isin(p, tokens) | np.isin(k, tokens),
        "union": lambda *sets: functools.reduce(operator.or_, sets),
        "intersect": lambda *sets: functools.reduce(operator.and_, sets), "minus": lambda a, b: a & ~b,
    }
    for result, op, operands in re.findall(r"%(\w+) = attn\.([a-z_]+(?: \(query - key\)| [a-z]+(?![a-z(]))?) ?(.*)",
                                           str(pattern)):
        clauses = {name: values[value] for name, value in re.findall(r"(\w+)\(%(\w+)\)", operands)}
        plain = [values[name] for name in re.findall(r"(?<!\()%(\w+)", operands)]
        values[result] = readers[op](*plain, **clauses) & everywhere
    return values[re.search(r"attn.yield %(\w+)", str(pattern))[1]]


def ops(pattern: attn.Pattern) -> list[str]:
    """The atoms and how they are put together."""
    body = re.findall(r"= (attn\.\w+(?: (?:key|query|rows|columns)\b)?)", str(pattern))
    return sorted(op.removeprefix("attn.") for op in body)


# ----------------------------------------------------------------------------------------------------------------------
# One of each
# ----------------------------------------------------------------------------------------------------------------------

P, K = positions(60, 60)
DOCUMENTS = np.repeat([0, 1, 2, 3], [9, 20, 20, 11])
SCATTERED = np.random.default_rng(0).integers(0, 5, 60)
CAUSAL = K <= P
NAMED: dict[str, tuple[Mask, list[str]]] = {
    "full": (masks.full(P, K), ["full"]),
    "causal": (masks.causal(P, K), ["causal"]),
    "future": (K >= P, ["window"]),
    "window": (masks.sliding_window(P, K, 7, 2), ["window"]),
    "window behind": ((P - K >= 3) & (P - K <= 9), ["minus", "window", "window"]),
    "window ahead": ((K - P >= 3) & (K - P <= 9), ["minus", "window", "window"]),
    "not the diagonal": (K < P, ["causal", "minus", "window"]),
    "dilated window": (masks.dilated_window(P, K, 4, 2, 3), ["window"]),
    "longformer": (masks.longformer(P, K, np.array([3, 17]), 4, 4), ["global", "union", "window"]),
    "causal longformer": (CAUSAL & masks.longformer(P, K, np.array([3, 17]), 4, 4),
                          ["causal", "global", "intersect", "union", "window"]),
    "strided": (masks.sparse_strided(P, K, 8), ["union", "window", "window"]),
    "fixed": (masks.sparse_fixed(P, K, 8, 2), ["block_local", "causal", "congruent key", "intersect", "union"]),
    "some queries": (P % 5 >= 3, ["congruent query"]),
    "differences": ((P - K) % 7 == 2, ["congruent"]),
    "prefix": (masks.prefix_lm(P, K, 12), ["causal", "range columns", "union"]),
    "blocks": (masks.block_local(P, K, 16), ["block_local"]),
    "blocks and neighbours": (np.abs(P // 8 - K // 8) <= 1, ["block_local"]),
    "axial": (masks.axial_columns(P, K, 12), ["congruent"]),
    "documents": (DOCUMENTS[P] == DOCUMENTS[K], ["segments"]),
    "causal documents": (CAUSAL & (DOCUMENTS[P] == DOCUMENTS[K]), ["causal", "intersect", "segments"]),
    "scattered": (SCATTERED[P] == SCATTERED[K], ["segments"]),
    "documents or near": ((DOCUMENTS[P] == DOCUMENTS[K]) | (np.abs(P - K) <= 3), ["segments", "union", "window"]),
    "documents and near": ((DOCUMENTS[P] == DOCUMENTS[K]) & (np.abs(P - K) <= 3), ["intersect", "segments", "window"]),
    "no pair": (P < 0, ["empty"]),
}


@pytest.mark.parametrize("name", NAMED)
def test_named(name: str) -> None:
    mask, expected = NAMED[name]
    mask = np.broadcast_to(mask, (60, 60))
    pattern, rest = attn.from_mask(mask)
    assert not rest.any() and np.array_equal(read(pattern, 60, 60), mask)
    assert np.array_equal(drawn(pattern, 60, 60), mask)
    assert ops(pattern) == expected


@pytest.mark.parametrize(("rows", "keys"), [(20, 50), (50, 20), (1, 30), (30, 1), (1, 1)])
def test_rectangles(rows: int, keys: int) -> None:
    p, k = positions(rows, keys)
    for mask in (k <= p, (p - 6 <= k) & (k <= p + 2), (k <= p) & ((p - k < 4) | np.isin(k, [2, 9]))):
        pattern, rest = attn.from_mask(mask)
        assert not rest.any() and np.array_equal(read(pattern, rows, keys), mask)


def test_raised_patterns_compute() -> None:
    q, k, v = np.random.default_rng(0).standard_normal((3, 1, 2, 60, 16), np.float32)
    pattern, _ = attn.from_mask(NAMED["documents or near"][0])
    same = attn.segments(DOCUMENTS.astype(np.int32)) | attn.window(3, 3)
    assert np.allclose(attn.attention(q, k, v, pattern=pattern), attn.attention(q, k, v, pattern=same), atol=1e-6)


# ----------------------------------------------------------------------------------------------------------------------
# Any of them
# ----------------------------------------------------------------------------------------------------------------------


@st.composite
def atoms(draw: Callable[..., Any], n: int) -> Mask:
    p, k = positions(n, n)
    kind = draw(st.sampled_from(["window", "dilated", "congruent", "block", "tokens", "range", "causal", "future"]))
    small = st.integers(0, 6)
    if kind == "window":
        return masks.sliding_window(p, k, draw(small), draw(small))
    if kind == "dilated":
        return masks.dilated_window(p, k, draw(small), draw(small), draw(st.integers(2, 5)))
    if kind == "congruent":
        modulus = draw(st.integers(2, n // 4))
        x = draw(st.sampled_from([p, k, p - k])) % modulus
        first = draw(st.integers(0, modulus - 1))
        return (first <= x) & (x <= draw(st.integers(first, modulus - 1))) & masks.full(p, k)
    if kind == "block":
        block, before, after = draw(st.integers(2, n // 2)), draw(small), draw(small)
        return (p // block * block - before <= k) & (k < p // block * block + block + after)
    if kind == "tokens":
        tokens = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4))
        rows, columns = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
        return rows & np.isin(p, tokens) | columns & np.isin(k, tokens)
    if kind == "range":
        x, first = draw(st.sampled_from([p, k])), draw(st.integers(0, n - 1))
        return (first <= x) & (x < draw(st.integers(first + 1, n))) & masks.full(p, k)
    return k <= p if kind == "causal" else k >= p


@st.composite
def unions(draw: Callable[..., Any], n: int) -> Mask:
    p, k = positions(n, n)
    halves = st.sampled_from([masks.full(p, k), masks.full(p, k), k <= p, k >= p])
    members = [draw(atoms(n)) & draw(halves) for _ in range(draw(st.integers(1, 4)))]
    return functools.reduce(operator.or_, members)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.integers(8, 40))
def test_unions_come_back(data: st.DataObject, n: int) -> None:
    mask = data.draw(unions(n))
    pattern, rest = attn.from_mask(mask)
    assert not rest.any() and np.array_equal(read(pattern, n, n), mask)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data(), st.integers(8, 40))
def test_unions_in_a_window_or_segments_come_back(data: st.DataObject, n: int) -> None:
    p, k = positions(n, n)
    ids = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    documents = np.sort(ids)
    hull = data.draw(st.sampled_from([k <= p, np.abs(p - k) <= 5, ids[p] == ids[k], documents[p] == documents[k]]))
    mask = data.draw(unions(n)) & hull
    pattern, rest = attn.from_mask(mask)
    assert not rest.any() and np.array_equal(read(pattern, n, n), mask)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.data(), st.integers(3, 40))
def test_pattern_and_rest_are_the_mask(data: st.DataObject, n: int) -> None:
    bits = np.frombuffer(data.draw(st.binary(min_size=n * n, max_size=n * n)), np.uint8).reshape(n, n)
    mask = bits % 4 < data.draw(st.integers(1, 3))
    pattern, rest = attn.from_mask(mask)
    assert np.array_equal(read(pattern, n, n), mask & ~rest)


def test_rest_is_told() -> None:
    mask = np.abs(P - K) <= 4
    mask[[40, 7, 22], [3, 50, 1]] = True
    mask[30:] |= np.random.default_rng(0).random((30, 60)) < 0.3
    pattern, rest = attn.from_mask(mask)
    assert rest.any() and not (rest & ~mask).any()
    assert np.array_equal(read(pattern, 60, 60), mask & ~rest)


@pytest.mark.parametrize(("mask", "message"), [
    (np.ones((4, 4)), "mask is an array of float64 and shape [4, 4]; give a matrix of bool"),
    (np.ones((1, 4, 4), bool), "mask is an array of bool and shape [1, 4, 4]; give a matrix of bool"),
    (np.ones((2, 4097), bool), "mask has shape [2, 4097]; give at most 4096 rows and keys, or a function to from_"),
])
def test_mistakes(mask: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        attn.from_mask(mask)


# ----------------------------------------------------------------------------------------------------------------------
# Functions
# ----------------------------------------------------------------------------------------------------------------------


def test_function() -> None:
    pattern, rest = attn.from_mask_mod(lambda b, h, q, k: (abs(q - k) <= 20) | (k == 100), 3000)
    assert rest.shape == (3000, 3000) and not rest.any() and ops(pattern) == ["global columns", "union", "window"]


def test_function_whose_first_rows_tell_too_little() -> None:
    """A window of 300 looks like none to the first 256 rows, and the 400th row is not among them."""
    pattern, rest = attn.from_mask_mod(lambda b, h, q, k: (q - k <= 300) & (q >= k) | (q == 400), 1500)
    assert not rest.any() and pattern.report(1500)["admitted_pairs"] == 301 * 1500 - 300 * 301 // 2 + 1199
    assert "= 300" in str(pattern) and "400" in str(pattern)


def test_function_that_indexes() -> None:
    ids = np.repeat(np.arange(6), 50)
    pattern, rest = attn.from_mask_mod(lambda b, h, q, k: ids[q] == ids[k], 300)
    assert not rest.any() and pattern.report(300)["admitted_pairs"] == 6 * 50 * 50


def test_function_of_head() -> None:
    def f(b: Any, h: Any, q: Any, k: Any) -> Any:
        return (q >= k) & (q - k <= 4 * h + b)

    for head in (1, 2):
        assert f"= {4 * head + 3}" in str(attn.from_mask_mod(f, 64, batch=3, head=head).pattern)


def test_function_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ids = torch.repeat_interleave(torch.arange(4), torch.tensor([9, 31, 22, 18]))
    pattern, rest = attn.from_mask_mod(lambda b, h, q, k: torch.where(q >= k, ids[q] == ids[k], False), 80)
    assert not rest.any() and ops(pattern) == ["causal", "intersect", "segments"]


def test_mistakes_of_functions() -> None:
    with pytest.raises(TypeError, match="^the function returned int64; it has to return bool$"):
        attn.from_mask_mod(lambda b, h, q, k: q - k, 8)
    with pytest.raises(ValueError, match="^n is 0; give at least 1 row$"):
        attn.from_mask_mod(lambda b, h, q, k: q >= k, 0)


def test_function_that_is_no_pattern() -> None:
    with pytest.raises(attn.Error, match="^no pattern of the first 4096 rows goes on to 5000; ask for at most 4096"):
        attn.from_mask_mod(lambda b, h, q, k: (q >= k) & (q < 4500), 5000)
