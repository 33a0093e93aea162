# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The shipped scores are what their papers say, whatever the pattern, the element type and the instruction set."""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import attn
import numpy as np
import pytest
import formulas
from masks import MASKS, Rows
from formulas import ELEMENTS, SCORES, Call
from test_pairwise import all_pairs

VALUE_HEAD_SIZE = 24
Random = np.random.Generator


# ----------------------------------------------------------------------------------------------------------------------
# What is given
# ----------------------------------------------------------------------------------------------------------------------


class Sizes(NamedTuple):
    rows: Rows
    heads: int = 1
    kv_heads: int = 1
    batch: int = 1
    head_size: int = 16

    def shape(self, *extents: int | str) -> tuple[int, ...]:
        """Extents of an array; names are those of the call, as in !attn.array<[heads, 32]>."""
        numbers = {"batch": self.batch, "heads": self.heads, "queries": self.rows.length, "keys": self.rows.kv_length,
                   "head_size": self.head_size}
        return tuple(numbers.get(extent, extent) for extent in extents)


# Of every score whose arrays are nothing but random numbers.
ARRAYS: dict[str, dict[str, tuple[int | str, ...]]] = {
    "bias": {"bias": ("batch", "heads", "queries", "keys")},
    "etc_labels": {"labels": ("heads", 28, "head_size"), "biases": ("heads", 28)},
    "shaw": {"relative": (33, "head_size")},
    "sink": {"logits": ("heads",)},
    "t5_bias": {"table": ("heads", 32)},
    "talking_heads": {"weights": ("heads", "heads")},
    "transformer_xl": {
        "u": ("heads", "head_size"), "v": ("heads", "head_size"), "relative": ("heads", 50, "head_size")},
}
NUMBERS: dict[str, dict[str, float]] = {
    "softcap": {"cap": 2.0}, "gaussian": {"sigma": 9.5}, "etc_labels": {"global": 4}}


def draw_arguments(score: str, sizes: Sizes, random: Random) -> dict[str, Any]:
    if score == "adaptive_span":
        return {"span": random.uniform(0, 60, sizes.heads).astype(np.float32), "ramp": 7.5}
    arrays = ARRAYS.get(score, {})
    return NUMBERS.get(score, {}) | {
        name: random.standard_normal(sizes.shape(*extents), dtype=np.float32) for name, extents in arrays.items()}


def draw_call(score: str, sizes: Sizes, element: str, random: Random) -> Call:
    rows = sizes.rows

    def draw(heads: int, length: int, columns: int) -> np.ndarray:
        numbers = 2 * random.standard_normal((sizes.batch, heads, length, columns), dtype=np.float32)
        return ELEMENTS[element].rounded(numbers)

    return Call(draw(sizes.heads, rows.length, sizes.head_size), draw(sizes.kv_heads, rows.kv_length, sizes.head_size),
                draw(sizes.kv_heads, rows.kv_length, VALUE_HEAD_SIZE), *rows.positions(),
                draw_arguments(score, sizes, random))


# Patterns whose rows are all, listed, sorted by segment, cut off, and tested pair by pair.
def draw_pattern(pattern: str, sizes: Sizes, random: Random) -> dict[str, Any]:
    positions = sizes.rows.position_count()
    if pattern == "longformer":
        tokens = random.integers(0, max(positions, 1), (sizes.batch, 5)) if positions else np.full((sizes.batch, 5), -1)
        return {"global_": tokens, "left": 6, "right": 3}
    if pattern.startswith("document"):
        return {"segments": random.integers(0, 3, (sizes.batch, positions))}
    if pattern == "padded":
        keys = max(sizes.rows.key_offset + sizes.rows.kv_length, 0)
        return {"lengths": random.integers(0, keys + 1, sizes.batch)}
    return {"dilated_window": {"left": 5, "right": 4, "dilation": 3}, "sliding_window": {"left": 40, "right": 9},
            "etc": {"global_": 4, "radius": 20}}.get(pattern, {})


PATTERNS = ["full", "causal", "sliding_window", "longformer", "document", "document_causal", "padded", "dilated_window"]
ROWS = [Rows(70, 131), Rows(97, 50), Rows(33, 70, 20, 3), Rows(70, 33, -10, -3), Rows(1, 130)]
HEADS = [(1, 1, 1), (6, 2, 2), (3, 3, 1)]  # query heads, key heads, batches
ISAS = ["avx512", "avx2", "generic"]
HEAD_SIZES = [16, 41]


def mask_of(pattern: str, sizes: Sizes, given: dict[str, Any]) -> np.ndarray:
    """[batch, 1, rows, keys]"""
    def of_batch(batch: int) -> np.ndarray:
        own = {name: x[batch] if isinstance(x, np.ndarray) else x for name, x in given.items()}
        shape = (sizes.rows.length, sizes.rows.kv_length)
        return np.broadcast_to(MASKS[pattern](*sizes.rows.positions(), **own), shape)

    return np.stack([of_batch(batch) for batch in range(sizes.batch)])[:, None]


def call_for_outputs(folder: Path, kernel: Path, call: Call, element: str, sizes: Sizes, pattern: dict[str, Any],
                     *flags: str) -> attn.Outputs:
    """What attn-call gives for the arrays of a call."""
    own = folder / "arguments"  # a score may have a v, too
    own.mkdir(parents=True, exist_ok=True)
    kind = ELEMENTS[element]
    for name in "qkv":
        np.save(folder / f"{name}.npy", np.ascontiguousarray(kind.to_file(getattr(call, name))))
    rows = [f"--{name}={folder / name}.npy" for name in "qkv"]
    arguments = attn.argument_flags(own, call.arguments | {name.rstrip("_"): x for name, x in pattern.items()})
    outputs = attn.run_for_outputs(folder, "attn-call", kernel, *rows, *arguments, *sizes.rows.flags(), *flags)
    return outputs._replace(output=kind.from_file(outputs.output))


# ----------------------------------------------------------------------------------------------------------------------
# Formulas
# ----------------------------------------------------------------------------------------------------------------------


def test_every_shipped_score_has_a_formula_and_a_row():
    shipped = sorted(path.stem for path in (attn.SOURCE / "patterns" / "scores").glob("*.mlir"))
    assert sorted(SCORES) == shipped
    table = (attn.SOURCE / "patterns" / "README.md").read_text()
    assert all(f"[{score}](scores/{score}.mlir)" in table for score in shipped)


def compile_score(folder: Path, pattern: str, score: str, element: str, head_size: int, isa: str = "host") -> Path:
    return attn.compile_shared_object(pattern, folder / f"{pattern}_{element}_{head_size}_{isa}.so", f"--score={score}",
                                      f"--element={element}", f"--head-size={head_size}",
                                      f"--value-head-size={VALUE_HEAD_SIZE}", f"--isas={isa}")


def error_ratio(folder: Path, kernel: Path, pattern: str, score: str, element: str, sizes: Sizes, *flags: str) -> float:
    random = np.random.default_rng(7)
    call, given = draw_call(score, sizes, element, random), draw_pattern(pattern, sizes, random)
    outputs = call_for_outputs(folder, kernel, call, element, sizes, given, *flags)
    return formulas.judge(outputs, score, call, mask_of(pattern, sizes, given), element)


class Kernel(NamedTuple):
    score: str
    pattern: str
    element: str
    head_size: int
    isa: str


# Any two values of a kernel meet, or all; each kernel is called in every way.
KINDS = Kernel(list(SCORES), PATTERNS, list(ELEMENTS), HEAD_SIZES, ISAS)
KERNELS = [Kernel(*kind) for kind in itertools.product(*KINDS)] if attn.CHECK_ALL else [
    Kernel(*(values[i] for values, i in zip(KINDS, row))) for row in all_pairs(tuple(map(len, KINDS)))]
CALLS = list(itertools.product(ROWS, HEADS))


def do_names_clash(kernel: Kernel) -> bool:
    """ETC's labels have a number `global`, as ETC has; Longformer's is a list."""
    return (kernel.score, kernel.pattern) == ("etc_labels", "longformer")


@pytest.mark.parametrize("score", SCORES)
def test_score_is_its_formula(score: str, tmp_path: Path):
    kernels = [kernel for kernel in KERNELS if kernel.score == score and not do_names_clash(kernel)]

    def check(kind: Kernel) -> list[str]:
        _, pattern, element, head_size, isa = kind
        kernel = compile_score(tmp_path, pattern, score, element, head_size, attn.best_isa(isa))
        wrong = []
        for rows, heads in CALLS:
            sizes = Sizes(rows, *heads, head_size)
            ratio = error_ratio(tmp_path / kernel.stem, kernel, pattern, score, element, sizes)
            if ratio > 1:
                wrong.append(f"{kind} {sizes}: {ratio}")
        return wrong

    wrong = sum(attn.map_processes(check, kernels), [])
    assert not wrong, "\n".join([f"{len(wrong)} calls are wrong", *wrong[:5]])


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("score", SCORES)
def test_reference_agrees(score: str, element: str):
    report = attn.run_json("attn-run", attn.pattern_file("causal"), f"--score={score}", f"--element={element}",
                           "--length=90", "--kv-length=131", "--heads=4", "--kv-heads=2", "--head-size=20", "--check")
    assert report["ok"] is True


@pytest.mark.parametrize("element", ELEMENTS)
def test_labels_of_etc(element: str, tmp_path: Path):
    """With ETC's own pattern, whose global tokens have labels of their own."""
    kernel = compile_score(tmp_path, "etc", "etc_labels", element, 16)
    for length, heads in [(3, (1, 1, 1)), (100, (6, 2, 2)), (140, (2, 2, 1))]:
        assert error_ratio(tmp_path / str(length), kernel, "etc", "etc_labels", element,
                           Sizes(Rows(length, length), *heads)) <= 1


@pytest.mark.parametrize("element", ELEMENTS)
def test_transformer_xl_with_memory(element: str, tmp_path: Path):
    """Segments of 48 rows after memories of different lengths, with fewer vectors than distances, and with more."""
    kernel = compile_score(tmp_path, "causal", "transformer_xl", element, 16)
    for memory in (0, 48, 160):
        for clamp in (1, 30, 48, 400):
            sizes, random = Sizes(Rows(48, memory + 48), 4, 2, 2), np.random.default_rng(clamp)
            call = draw_call("transformer_xl", sizes, element, random)
            call.arguments["relative"] = random.standard_normal((4, clamp, 16), dtype=np.float32)
            outputs = call_for_outputs(tmp_path, kernel, call, element, sizes, {})
            assert formulas.judge(outputs, "transformer_xl", call, mask_of("causal", sizes, {}), element) <= 1


@pytest.mark.parametrize("shared", [(0,), (1,), (2,), (3,), (0, 1, 2), (0, 1, 2, 3)], ids=str)
def test_bias_with_shared_axes(shared: tuple[int, ...], tmp_path: Path):
    kernel = compile_score(tmp_path, "causal", "bias", "f32", 16)
    sizes, random = Sizes(Rows(70, 131), 4, 2, 2), np.random.default_rng(1)
    call = draw_call("bias", sizes, "f32", random)
    for axis in shared:
        call.arguments["bias"] = call.arguments["bias"].take([0], axis)
    outputs = call_for_outputs(tmp_path, kernel, call, "f32", sizes, {})
    assert formulas.judge(outputs, "bias", call, mask_of("causal", sizes, {}), "f32") <= 1


def test_t5_buckets_begin_where_its_code_has_them():
    """The distances of the file's header."""
    none = np.zeros((1, 1, 1, 1))
    call = Call(none, none, none, np.array([[0]]), np.arange(200)[None], {"table": np.arange(32)[None]})
    buckets = formulas.t5_bias(call, np.zeros((1, 1, 1, 200)))[0, 0, 0]
    assert np.searchsorted(buckets, 16 + np.arange(8, 16)).tolist() == [8, 12, 16, 23, 32, 46, 64, 91]


# ----------------------------------------------------------------------------------------------------------------------
# The order: scale, score region, mask, softmax with the sink
# ----------------------------------------------------------------------------------------------------------------------


def run_score(folder: Path, pattern: str, region: str, *flags: str) -> attn.Outputs:
    """A score of the test's own, whose region is given, with 64 key rows and unit vectors for values."""
    file = folder / "own.mlir"
    file.write_text(f"attn.score @own() (%s, %b, %h, %i, %j) {{\n{region}\n}}\n")
    values = np.eye(64)[None, None]
    return attn.run_for_outputs(folder, "attn-run", attn.pattern_file(pattern), f"--score={file}", "--length=64",
                                "--value-head-size=64", *attn.file_flags(folder, v=values), *flags)


def test_scores_are_scaled_before_the_region(tmp_path: Path):
    """A region that bounds what it sees: 8 * 8 * 64 / sqrt(64) is past the bound, and bent to it."""
    same = attn.file_flags(tmp_path, q=np.full((1, 1, 64, 64), 8.0), k=np.full((1, 1, 64, 64), 8.0))
    region = "%c = arith.constant 100.0 : f32\n%bent = arith.minimumf %s, %c : f32\nattn.yield %bent : f32"
    lse = run_score(tmp_path, "full", region, *same).lse
    np.testing.assert_allclose(lse, 100 + np.log(64), rtol=1e-6)
    small = attn.file_flags(tmp_path, q=np.full((1, 1, 64, 64), 1.0), k=np.full((1, 1, 64, 64), 1.0))
    np.testing.assert_allclose(run_score(tmp_path, "full", region, *small).lse, 8 + np.log(64), rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_the_mask_follows_the_region(isa: str, tmp_path: Path):
    """A region that makes all scores equal admits no pair that the pattern does not."""
    region = "%c = arith.constant 5.0 : f32\nattn.yield %c : f32"
    output, lse = run_score(tmp_path, "causal", region, f"--max-isa={isa}")
    expected = np.tril(np.ones((64, 64))) / np.arange(1, 65)[:, None]
    np.testing.assert_allclose(output[0, 0], expected, rtol=1e-6, atol=0)
    np.testing.assert_allclose(lse[0, 0], 5 + np.log(np.arange(1, 65)), rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_a_score_of_minus_infinity_admits_nothing(isa: str, tmp_path: Path):
    """Keys at even positions alone, of those that the pattern admits; the keys of row 0 are none."""
    region = """%two = arith.constant 2 : index
    %rest = arith.remsi %j, %two : index
    %one = arith.constant 1 : index
    %is_odd = arith.cmpi eq, %rest, %one : index
    %none = arith.constant 0xFF800000 : f32
    %c = arith.constant 5.0 : f32
    %kept = arith.select %is_odd, %c, %none : f32
    attn.yield %kept : f32"""
    output, lse = run_score(tmp_path, "causal", region, f"--max-isa={isa}")
    counts = np.arange(1, 65) // 2
    expected = np.tril(np.ones((64, 64))) * (np.arange(64) % 2) / np.maximum(counts, 1)[:, None]
    np.testing.assert_allclose(output[0, 0], expected, rtol=1e-6, atol=0)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(lse[0, 0], 5 + np.log(counts), rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_sink_of_rows_without_keys(isa: str, tmp_path: Path):
    """All that such a row has is the sink: its output is 0, and its lse the logit."""
    kernel = compile_score(tmp_path, "padded", "sink", "f32", 16, attn.best_isa(isa))
    sizes, pattern = Sizes(Rows(40, 70), 3, 3, 2), {"lengths": np.array([0, 9])}
    call = draw_call("sink", sizes, "f32", np.random.default_rng(3))
    output, lse = outputs = call_for_outputs(tmp_path, kernel, call, "f32", sizes, pattern)
    assert formulas.judge(outputs, "sink", call, mask_of("padded", sizes, pattern), "f32") <= 1
    assert not output[0].any() and output[1].any()
    np.testing.assert_allclose(lse[0], np.broadcast_to(call.arguments["logits"][:, None], (3, 40)), rtol=1e-6)


@pytest.mark.parametrize("isa", ISAS)
def test_sink_of_minus_infinity_changes_no_bit(isa: str, tmp_path: Path):
    kernel = compile_score(tmp_path, "padded", "sink", "f32", 16, attn.best_isa(isa))
    (tmp_path / "plain").mkdir()
    plain = attn.compile_shared_object("padded", tmp_path / "plain" / "padded.so", "--head-size=16",
                                       f"--value-head-size={VALUE_HEAD_SIZE}", f"--isas={attn.best_isa(isa)}")
    sizes, pattern = Sizes(Rows(40, 70), 3, 3, 2), {"lengths": np.array([0, 9])}
    call = draw_call("sink", sizes, "f32", np.random.default_rng(3))
    call.arguments["logits"] = np.array([-np.inf, 1, -np.inf], dtype=np.float32)
    output, lse = call_for_outputs(tmp_path, kernel, call, "f32", sizes, pattern)
    same = call_for_outputs(tmp_path / "plain", plain, call._replace(arguments={}), "f32", sizes, pattern)
    for head in (0, 2):
        assert output[:, head].tobytes() == same.output[:, head].tobytes()
        assert lse[:, head].tobytes() == same.lse[:, head].tobytes()
    assert (lse[:, 1] > same.lse[:, 1]).all()


@pytest.mark.parametrize("isa", ISAS)
def test_spans_that_reach_no_key(isa: str, tmp_path: Path):
    """Queries stand from position 100 on, keys from 0 to 69: a span of 20 ends before them, one of 80 does not."""
    kernel = compile_score(tmp_path, "full", "adaptive_span", "f32", 16, attn.best_isa(isa))
    sizes = Sizes(Rows(40, 70, 100), 2, 2, 1)
    call = draw_call("adaptive_span", sizes, "f32", np.random.default_rng(3))
    call.arguments.update(span=np.array([20, 80], dtype=np.float32), ramp=4.0)
    output, lse = outputs = call_for_outputs(tmp_path, kernel, call, "f32", sizes, {})
    assert formulas.judge(outputs, "adaptive_span", call, mask_of("full", sizes, {}), "f32") <= 1
    assert not output[:, 0].any() and np.isneginf(lse[:, 0]).all()
    assert np.isfinite(lse[:, 1]).all()
