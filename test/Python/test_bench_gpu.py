# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The GPU benchmark, but for what it times: patterns taken apart by hand, its rows, and its verdicts."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import attn
import masks
import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(attn.SOURCE / "bench" / "gpu"))
import judge  # noqa: E402
import measure  # noqa: E402
import objects  # noqa: E402
import reordered  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402


def by_cpu(q: Any, k: Any, v: Any, is_causal: bool = False, bias: Any = None) -> reordered.Part:
    bias = None if bias is None else bias.expand(*q.shape[:3], k.shape[2])
    return reordered.Part(*torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, is_causal, attn_mask=bias))


in_chunks, by_flex = functools.partial(reordered.window_in_chunks, by_cpu, tile=8), reordered.window_by_flex
FORMS: list[tuple[str, Callable[..., Any], dict[str, int]]] = [
    ("sliding_window", functools.partial(reordered.sliding_window, in_chunks), {"left": 31, "right": 0}),
    ("sliding_window", functools.partial(reordered.sliding_window, in_chunks), {"left": 9, "right": 17}),
    *(("dilated_window", functools.partial(reordered.dilated_window, window, is_copied),
       {"left": 8, "right": 8, "dilation": 4})
      for window, is_copied in ((in_chunks, True), (by_flex, False), (by_flex, True))),
    *(("sparse_strided", functools.partial(reordered.sparse_strided, in_chunks, by_cpu, is_copied), {"stride": 16})
      for is_copied in (False, True)),
    *(("axial", functools.partial(reordered.axial, by_cpu, is_copied, is_own_masked), {"width": 32})
      for is_copied in (False, True) for is_own_masked in (False, True)),
]
ROWS = 256
ROW_NAMES = [f"{pattern}-{index}" for index, (pattern, *_) in enumerate(FORMS)]


def draw(scale: float = 1, **options: Any) -> list[Any]:
    random = torch.Generator().manual_seed(0)
    return [(scale * torch.randn(2, 3, ROWS, 16, generator=random)).to(torch.bfloat16).to(**options) for _ in range(3)]


def error_ratio(pattern: str, arguments: dict[str, int], tensors: list[Any], output: Any) -> float:
    places = torch.arange(ROWS)
    mask = masks.MASKS[pattern](np.arange(ROWS)[:, None], np.arange(ROWS)[None], **arguments)
    question = judge.Question(*tensors, torch.from_numpy(mask)[None, None], places, places, 16**-0.5)
    right, rounded = judge.exact(question), judge.eager(question)
    return judge.error_ratios(judge.Outputs(output, None), right, rounded, torch.bfloat16)[0]


@pytest.mark.parametrize(("pattern", "form", "arguments"), FORMS, ids=ROW_NAMES)
@pytest.mark.parametrize("scale", [1, 6])
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_patterns_taken_apart(pattern: str, form: Callable[..., Any], arguments: dict[str, int], scale: float) -> None:
    """Where keys share a row's weight, and where almost all of it goes to one."""
    tensors = draw(scale)
    assert error_ratio(pattern, arguments, tensors, form(*tensors, **arguments)) <= 1


def test_own_key_counts_once() -> None:
    """Were it counted twice, the judge would see it."""
    tensors = draw()
    twice = functools.partial(reordered.axial, lambda *x, bias=None: by_cpu(*x), False, True)
    assert error_ratio("axial", {"width": 32}, tensors, twice(*tensors, width=32)) > 2


def test_windows_of_no_whole_chunks() -> None:
    with pytest.raises(ValueError, match="^256 rows are not chunks of 96 with keys of 288$"):
        reordered.sliding_window(functools.partial(in_chunks, tile=96), *draw(), left=95, right=60)


REORDERED = {name: group for name, group in rows.GROUPS.items() if "reordered" in group.rivals}


@pytest.mark.parametrize("name", REORDERED)
def test_forms_call_what_torch_has(name: str) -> None:
    """Shapes and names only: tensors without data."""
    for row in REORDERED[name].rows:
        shape = (row.batch, row.heads, row.length, row.made.head_size)
        tensors = [torch.empty(shape, dtype=torch.bfloat16, device="meta") for _ in range(3)]
        for contender in reordered.names(row.made.pattern):
            if "Flex" not in contender:
                assert reordered.prepare(contender, row.made.pattern, tensors, row.arguments)().shape == shape


def test_kernels_of_rows_are_compiled() -> None:
    made = {row.made for group in rows.GROUPS.values() for row in group.rows}
    assert made | {row.made for row in rows.FALLBACK_ROWS} <= set(objects.BENCHMARK)


def test_quick_rows_are_short_where_there_are_such() -> None:
    assert [row.length for row in rows.GROUPS["window"].quick_rows()] == [16384]
    assert [row.length for row in rows.GROUPS["axial"].quick_rows()] == [65536]


def test_rivals_left_out_are_not_asked_about() -> None:
    group = rows.GROUPS["axial"].against(("reordered",))
    assert group.rivals == ("reordered",) and [target.rival for target in group.targets] == ["reordered"]


def row_of(**results: dict[str, Any]) -> report.Result:
    return {"case": "axial_d64 width=256", "length": 65536, "floor_ms": 0.6, "roof_ms": 1.0, "results": {
        "attn-mlir": {"burst_ms": 2.0, "tflops": 300, "error_ratio": 0.2, "workspace_bytes": 0}, **results}}


FORM_RESULTS = {"flex": {"burst_ms": 120.0, "tflops": 5}, "reordered: a": {"missing": "wrong: error ratio 9"},
                "reordered: b": {"burst_ms": 3.0, "tflops": 200}, "reordered: c": {"burst_ms": 2.5, "tflops": 240}}
PEAKS = measure.Peaks(8e14, 4e12, 5e14)


def test_fastest_right_form_is_the_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "environment", lambda peaks: [])
    row = row_of(**FORM_RESULTS)
    row["results"] = reordered.keep_best(row["results"])
    assert list(row["results"]) == ["attn-mlir", "flex", "reordered"]
    text = report.write_report(PEAKS, {"axial": report.Measured(rows.GROUPS["axial"], [row])}, []).splitlines()
    assert ("| axial_d64 width=256 | 65536 | 0.600 | 1.000 | 2.000 ms 300 | 120.000 ms 5 | 2.500 ms 240 (c) "
            "| 60.00 | 1.25 | 2.00 | 0.20 | 0 | - |") in text
    assert "- axial_d64 width=256 N=65536 re-ordered: a: wrong: error ratio 9; b: 3.000 ms; c: 2.500 ms" in text
    assert text[-3:] == ["- PASS axial: geometric mean 60.000 × flex (at least 50), lowest 60.000 (at least 50)",
                         "- PASS axial: geometric mean 1.250 × reordered (at least 1.2), lowest 1.250 (at least 1.2)",
                         "- FAIL axial: time over roof 2.000 (at most 1.8)"]


def test_rows_without_a_rival_or_a_time_fail() -> None:
    group = rows.GROUPS["axial"]
    no_form = reordered.keep_best({"reordered: a": {"missing": "out of memory"}})
    assert no_form["reordered"]["missing"] == "no form is right"
    assert [text for _, text in report.group_verdicts("axial", group, [row_of(**no_form)])] == [
        "FAIL axial: 1 of 1 rows have no ratio to flex", "FAIL axial: 1 of 1 rows have no ratio to reordered",
        "FAIL axial: time over roof 2.000 (at most 1.8)"]
    row = row_of()
    row["results"]["attn-mlir"] = {"missing": "out of time"}
    assert list(report.group_verdicts("axial", group, [row]))[-1] == (
        False, "FAIL axial: 1 of 1 rows have no time over roof")
    assert report.roof_verdict("axial", 2, [row_of()])[0]
