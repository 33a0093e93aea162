# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the package computes, against NumPy's masks and formulas in float64."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attn_mlir as attn
import formulas
import masks
import numpy as np
import pytest
from attn_mlir.compiler import Compilation
from formulas import ELEMENTS, Call
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_cases import BATCH, CASES, Case, PerHead
from masks import Rows

HEAD_SIZE = 16
NUMPY_ONLY = {"bf16": formulas.bits_of_bf16, "f16": lambda x: x.astype(np.float16), "f32": lambda x: x}


def draw_rows(random: np.random.Generator, rows: Rows, heads: int, kv_heads: int, element: str = "f32",
              batch: int = BATCH) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query, key and value as numbers of the element type, in float32."""
    return tuple(ELEMENTS[element].rounded(2 * random.standard_normal((batch, count, length, HEAD_SIZE), np.float32))
                 for count, length in ((heads, rows.length), (kv_heads, rows.kv_length), (kv_heads, rows.kv_length)))


def judge(result: tuple[np.ndarray, np.ndarray], q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray,
          rows: Rows, score: str = "sink", element: str = "f32", arguments: dict[str, Any] | None = None) -> float:
    """The error ratio of (output, lse); by default of no score, which is a sink of no weight."""
    output, lse = result
    call = Call(q, k, v, *rows.positions(), arguments or {"logits": np.full(q.shape[1], -np.inf)})
    if output.dtype == np.uint16:
        output = formulas.from_bf16(output)
    return formulas.judge(formulas.Outputs(output.astype(np.float32), lse), score, call, mask, element)


def as_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """As a call takes them."""
    return {name: value.values if isinstance(value, PerHead) else value for name, value in arguments.items()}


def first_of_each() -> list[Case]:
    """Two cases of each pattern: its defaults, or the first that there is, and the last."""
    by_pattern: dict[str, list[Case]] = {}
    for case in CASES:
        by_pattern.setdefault(case.pattern, []).append(case)
    return [case for cases in by_pattern.values() for case in dict.fromkeys((cases[0], cases[-1]))]


@pytest.mark.parametrize("case", first_of_each(), ids=lambda case: f"{case.pattern}-{case.name}")
def test_shipped_pattern(case: Case) -> None:
    random = np.random.default_rng(0)
    length = max(150, case.least_length)
    rows = Rows(length, length)
    arguments = case.draw(rows, random)
    q, k, v = draw_rows(random, rows, case.heads(), 1)
    result = attn.attention(q, k, v, pattern=case.pattern, return_lse=True, **as_arguments(arguments))
    assert judge(result, q, k, v, case.masks(rows, arguments), rows) <= 1


@pytest.mark.parametrize("element", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("score", ["alibi", "softcap", "bias", "sink"])
def test_score_and_element(score: str, element: str) -> None:
    random = np.random.default_rng(1)
    rows = Rows(70, 90)
    q, k, v = draw_rows(random, rows, 4, 2, element)
    arguments = {"bias": {"bias": random.standard_normal((BATCH, 4, 70, 90), np.float32)},
                 "sink": {"logits": random.standard_normal(4, np.float32)}, "softcap": {"cap": 3.0}}.get(score, {})
    stored = [NUMPY_ONLY[element](x) for x in (q, k, v)]
    result = attn.attention(*stored, pattern="causal", score=score, return_lse=True, **arguments)
    assert result[0].dtype == stored[0].dtype
    mask = masks.causal(*rows.positions())
    assert judge(result, q, k, v, mask, rows, score, element, arguments) <= 1


def test_axes_of_a_bias_are_shared() -> None:
    random = np.random.default_rng(2)
    q, k, v = draw_rows(random, Rows(20, 20), 2, 2)
    bias = random.standard_normal((1, 1, 20, 20), np.float32)
    shared = attn.attention(q, k, v, score="bias", bias=bias)
    whole = attn.attention(q, k, v, score="bias", bias=np.tile(bias, (BATCH, 2, 1, 1)))
    assert np.array_equal(shared, whole)


def test_scores_may_be_text_and_files(tmp_path: Any) -> None:
    q, k, v = draw_rows(np.random.default_rng(3), Rows(30, 30), 2, 1)
    text = (attn.shipped.FOLDER / "scores" / "alibi.mlir").read_text().replace("@alibi", "@mine")
    (tmp_path / "own.mlir").write_text(text)
    expected = attn.attention(q, k, v, pattern="causal", score="alibi")
    for score in (text, str(tmp_path / "own.mlir")):
        assert np.array_equal(attn.attention(q, k, v, pattern="causal", score=score), expected)


def test_bfloat16_of_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    q, k, v = draw_rows(np.random.default_rng(4), Rows(30, 30), 2, 1, "bf16")
    typed = attn.attention(*(x.astype(ml_dtypes.bfloat16) for x in (q, k, v)))
    assert typed.dtype == ml_dtypes.bfloat16
    bits = attn.attention(*map(formulas.bits_of_bf16, (q, k, v)))
    assert np.array_equal(typed.view(np.uint16), bits)


# ----------------------------------------------------------------------------------------------------------------------
# Layouts
# ----------------------------------------------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "dense": lambda x: x,
    "rows before heads": lambda x: np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2),
    "every other row": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
    "backwards": lambda x: np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
    "columns of more": lambda x: np.concatenate([x + 1, x, x], axis=-1)[..., HEAD_SIZE : 2 * HEAD_SIZE],
    "not aligned": lambda x: np.concatenate([np.zeros(1, x.dtype), x.ravel()])[1:].reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides(layout: str) -> None:
    q, k, v = draw_rows(np.random.default_rng(5), Rows(45, 60), 4, 2)
    expected, lse = attn.attention(q, k, v, pattern="sliding_window", left=7, right=3, return_lse=True)
    laid = [LAYOUTS[layout](x) for x in (q, k, v)]
    out = LAYOUTS[layout](np.zeros_like(expected))
    given = attn.attention(*laid, pattern="sliding_window", left=7, right=3, out=out, return_lse=True)
    assert given[0] is out and np.array_equal(out, expected) and np.array_equal(given[1], lse)


def test_rows_that_share_memory() -> None:
    q, k, v = draw_rows(np.random.default_rng(6), Rows(20, 20), 1, 1, batch=1)
    many = attn.attention(q, *(np.broadcast_to(x[:, :, :1], x.shape) for x in (k, v)))
    assert np.allclose(many, v[:, :, :1], atol=1e-6)


def test_rows_without_keys_and_calls_without_rows() -> None:
    q, k, v = draw_rows(np.random.default_rng(7), Rows(5, 3), 1, 1)
    output, lse = attn.attention(q, k, v, pattern="causal", return_lse=True)
    assert not output[:, :, :2].any() and np.isneginf(lse[:, :, :2]).all() and np.isfinite(lse[:, :, 2:]).all()
    assert attn.attention(q[:, :, :0], k, v).shape == (BATCH, 1, 0, HEAD_SIZE)
    assert not attn.attention(q, k[:, :, :0], v[:, :, :0]).any()


def test_offsets_and_scale() -> None:
    rows = Rows(20, 70, 31, 4)
    q, k, v = draw_rows(np.random.default_rng(8), rows, 2, 2)
    result = attn.attention(q, k, v, pattern="causal", query_offset=31, key_offset=4, return_lse=True)
    assert judge(result, q, k, v, masks.causal(*rows.positions()), rows) <= 1
    twice = attn.attention(q, k, v, pattern="causal", query_offset=31, key_offset=4, scale=2 * HEAD_SIZE**-0.5)
    assert np.array_equal(twice, attn.attention(2 * q, k, v, pattern="causal", query_offset=31, key_offset=4))


def test_value_head_size_and_linear_attention() -> None:
    random = np.random.default_rng(9)
    q, k = (random.standard_normal((1, 2, 33, 8), np.float32) for _ in range(2))
    v = random.standard_normal((1, 2, 33, 24), np.float32)
    kernel = attn.compile("linear", head_size=8, value_head_size=24, kernel="linear_causal")
    state = np.zeros((1, 2, 8, 25), np.float32)
    output = kernel(q, k, v, state_out=state)
    features = [np.where(x > 0, x + 1, np.exp(x)).astype(np.float64) for x in (q, k)]
    weights = np.tril(features[0] @ features[1].swapaxes(-1, -2))
    assert np.allclose(output, weights @ v / (weights.sum(-1, keepdims=True) + 1e-6), atol=1e-5)
    assert np.allclose(state[..., :-1], features[1].swapaxes(-1, -2) @ v, atol=1e-4)


def test_data_of_other_types_are_converted() -> None:
    q, k, v = draw_rows(np.random.default_rng(10), Rows(40, 40), 1, 1)
    expected = attn.attention(q, k, v, pattern="longformer", left=2, right=2, global_=[3, 9])
    for tokens in ((3, 9), np.array([3, 9]), np.array([3, 0, 9, 0], np.int32)[::2], np.array([[3, 9], [9, 3]])):
        assert np.array_equal(attn.attention(q, k, v, pattern="longformer", left=2, right=2, global_=tokens), expected)


# ----------------------------------------------------------------------------------------------------------------------
# The algebra
# ----------------------------------------------------------------------------------------------------------------------

Tree = tuple[attn.Pattern, Callable[[np.ndarray, np.ndarray], np.ndarray]]
sizes = st.integers(0, 20)
tokens = st.lists(st.integers(0, 9), min_size=1, max_size=3)


def atoms() -> st.SearchStrategy[Tree]:
    """Patterns with their masks; lengths are at least 10."""
    return st.one_of(
        st.builds(lambda: (attn.causal(), masks.causal)),
        st.builds(lambda: (attn.full(), masks.full)),
        st.builds(lambda a, b: (attn.window(a, b), lambda p, t: masks.sliding_window(p, t, a, b)), sizes, sizes),
        st.builds(lambda a, d: (attn.window(a, a, dilation=d + 1),
                                lambda p, t: masks.dilated_window(p, t, a, a, d + 1)), sizes, sizes),
        st.builds(lambda n: (attn.block_local(n + 1), lambda p, t: masks.block_local(p, t, n + 1)), sizes),
        st.builds(lambda ids: (attn.global_tokens(ids), lambda p, t: np.isin(p, ids) | np.isin(t, ids)), tokens),
        st.builds(lambda ids: (attn.global_tokens(np.array(ids, np.int32), side="columns"),
                               lambda p, t: masks.full(p, t) & np.isin(t, ids)), tokens),
        st.builds(lambda a, b: (attn.between(a, a + b, side="rows"),
                                lambda p, t: masks.full(p, t) & (a <= p) & (p < a + b)), sizes, sizes),
        st.builds(lambda m, r: (attn.congruent("key", m + 1, first=r),
                                lambda p, t: masks.full(p, t) & (t % (m + 1) == r)), sizes, sizes),
    )


def combine(children: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    return st.one_of(
        st.builds(lambda a, b: (a[0] | b[0], lambda p, t: a[1](p, t) | b[1](p, t)), children, children),
        st.builds(lambda a, b: (a[0] & b[0], lambda p, t: a[1](p, t) & b[1](p, t)), children, children),
        st.builds(lambda a, b: (a[0] - b[0], lambda p, t: a[1](p, t) & ~b[1](p, t)), children, children),
        st.builds(lambda a: (~a[0], lambda p, t: ~a[1](p, t)), children),
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.recursive(atoms(), combine, max_leaves=5), st.integers(10, 70))
def test_composed_patterns(tree: Tree, length: int) -> None:
    pattern, mask = tree
    rows = Rows(length, length)
    q, k, v = draw_rows(np.random.default_rng(length), rows, 1, 1, batch=1)
    result = attn.attention(q, k, v, pattern=pattern, return_lse=True)
    assert judge(result, q, k, v, mask(*rows.positions()), rows) <= 1


def test_precedence_is_pythons() -> None:
    a, b, c, d = attn.window(1, 1), attn.global_tokens([0]), attn.causal(), attn.block_local(4)
    assert str(a | b & c - d) == str(a | (b & (c - d)))
    assert str((a | b) & c) != str(a | b & c)


def test_print_is_the_mlir() -> None:
    index = np.array([0, 4], np.int32)
    near = attn.window(256, attn.parameter("ahead", 2))
    assert str((near | attn.global_tokens(index) | near & attn.causal()).named("mine")) == """\
attn.pattern @mine(%left: index = 256, %ahead: index = 2, %tokens: !attn.tokens) {
  %near = attn.window left(%left) right(%ahead)
  %hub = attn.global %tokens
  %past = attn.causal
  %both = attn.intersect %near, %past
  %either = attn.union %near, %hub, %both
  attn.yield %either
}
"""


def test_atoms_on_coordinates_and_heads() -> None:
    row, column = attn.grid(8)
    rows = Rows(64, 64)
    q, k, v = draw_rows(np.random.default_rng(11), rows, 2, 2)
    axial = attn.window(0, 0, on=row) | attn.window(0, 0, on=column)
    p, t = rows.positions()
    result = attn.attention(q, k, v, pattern=axial, return_lse=True)
    assert judge(result, q, k, v, masks.axial(p, t, 8), rows) <= 1
    for left in ([1, 6], np.array([1, 6], np.int32)):
        by_head = np.stack([masks.sliding_window(p, t, 1, 3), masks.sliding_window(p, t, 6, 3)])
        result = attn.attention(q, k, v, pattern=attn.window(left, 3), return_lse=True)
        assert judge(result, q, k, v, by_head, rows) <= 1
    raster = attn.causal(on=attn.raster([row, column], [2, 4]))
    assert "attn.raster %row, %column blocks [%block, %block2]" in str(raster)
    assert attn.attention(q, k, v, pattern=raster).shape == q.shape


def test_run_time_data_of_patterns() -> None:
    rows = Rows(40, 40)
    q, k, v = draw_rows(np.random.default_rng(12), rows, 2, 2)
    p, t = rows.positions()
    ids = np.repeat(np.arange(4, dtype=np.int32), 10)
    table = attn.random_blocks(40, 4, count=2, heads=2)
    expected = {
        "segments": (attn.segments(ids), masks.document(p, t, ids)),
        "padded": (attn.padded(np.array([17, 40], np.int32)),
                   np.stack([masks.padded(p, t, 17), masks.padded(p, t, 40)])[:, None]),
        "table": (attn.block_table(table, 4) | attn.window(0, 0),
                  np.stack([(t // 4 == table[h][p[:, 0] // 4][..., None]).any(1) | (p == t) for h in range(2)])),
        "heads": (attn.heads(1) & attn.causal() | attn.heads(flags=[1, 0]),
                  np.stack([masks.full(p, t), masks.causal(p, t)])),
        "batch": (attn.between(attn.per_batch(np.array([5, 30], np.int32)), side="columns"),
                  np.stack([masks.full(p, t) & (t >= 5), masks.full(p, t) & (t >= 30)])[:, None]),
    }
    expected |= {
        "segments in a list": (attn.segments(ids.tolist()), expected["segments"][1]),
        "segments in lists": (attn.segments([ids.tolist(), ids[::-1].tolist()]), expected["segments"][1]),
        "offset in a list": (attn.causal(on=attn.offset(ids.tolist())), masks.causal(p % 10, t % 10)),
        "table in lists": (attn.block_table(table.tolist(), 4) | attn.window(0, 0), expected["table"][1]),
        "tokens in lists": (attn.global_tokens([[3, -1], [5, 9]], side="columns"),
                            np.stack([(t == 3) | (p < 0), (t == 5) | (t == 9) | (p < 0)])[:, None]),
        "padded in a list": (attn.padded([17, 40]), expected["padded"][1]),
    }
    for name, (pattern, mask) in expected.items():
        result = attn.attention(q, k, v, pattern=pattern, return_lse=True)
        assert judge(result, q, k, v, mask, rows) <= 1, name


# ----------------------------------------------------------------------------------------------------------------------
# Before it runs
# ----------------------------------------------------------------------------------------------------------------------


def test_report_counts_the_mask() -> None:
    pattern = attn.window(5, 2) | attn.global_tokens(np.array([0, 7], np.int32))
    report = pattern.report(100)
    mask = masks.longformer(*Rows(100, 100).positions(), np.array([0, 7]), 5, 2)
    assert report["admitted_pairs"] == mask.sum() and report["waste"] >= 1
    assert "pairs admitted" in str(report)
    assert attn.pattern("bigbird").report(640)["phases"]
    assert attn.pattern("linear").report(64, kernel="linear_causal")["kernel"] == "linear_causal"


def test_descriptions_compile_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """For all lengths and arguments; a score's file that changes is another one."""
    pattern, score = attn.window(attn.parameter("left", 3), 1), tmp_path / "own.mlir"
    score.write_text((attn.shipped.FOLDER / "scores" / "alibi.mlir").read_text())
    first = pattern.report(50, score=score)
    compiled, begin = [], Compilation.__init__
    monkeypatch.setattr(Compilation, "__init__", lambda self, *given: compiled.append(given) or begin(self, *given))
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda n: pattern.report(50 + n, score=score), range(8)))
    assert reports[0] == first and len({report["admitted_pairs"] for report in reports}) == 8
    assert pattern.report(50, score=score, left=7)["admitted_pairs"] > first["admitted_pairs"] and not compiled
    score.write_text(score.read_text().replace("-8.0", "-7.0"))
    assert pattern.report(50, score=score) == first and len(compiled) == 1


def test_picture_is_the_mask() -> None:
    picture = attn.window(5, 2).show(32)
    drawn = np.array([[cell != "." for cell in line] for line in picture.text.split()])
    assert np.array_equal(drawn, masks.sliding_window(*Rows(32, 32).positions(), 5, 2))
    assert picture._repr_svg_().lstrip().startswith("<svg") and repr(picture) == picture.text


def test_picture_is_saved(tmp_path: Any) -> None:
    picture = attn.pattern("longformer", left=3, right=3).show(64)
    assert picture.save(tmp_path / "a.svg").read_text() == picture.svg
    assert picture.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert picture.save(tmp_path / "a.txt").read_text() == picture.text
    with pytest.raises(ValueError, match=r"'.*a.gif' is no picture's name; end it with .svg, .png or .txt"):
        picture.save(tmp_path / "a.gif")
