# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The CPU benchmark, but for what it times: its cases, its judge, its verdicts, and how it calls a kernel."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attn
import numpy as np
import pytest

BENCH = attn.SOURCE / "bench" / "cpu"
# The package of the build tree before that of the sources, as in all tests of this process.
sys.path[:0] = [str(BENCH), str(attn.BIN.parent / "python")]
import cases  # noqa: E402
import judging  # noqa: E402
import objects_of_cases  # noqa: E402
import ours  # noqa: E402
import rivals  # noqa: E402
import tables  # noqa: E402
import timing  # noqa: E402

WINDOW = cases.call("sliding_window", 96, head_size=16, heads=2, left=7, right=3)


def exact_output(case: cases.Case) -> np.ndarray:
    """[1, heads, rows, head size] in float64."""
    q, k, v = (judging.to_f32(x).astype(np.float64) for x in judging.draw(case))
    mask = judging.masks.sliding_window(*judging.masks.Rows(case.length, case.kv_length).positions(), **case.arguments)
    return np.stack([judging.attend(*rows, mask, lambda x: x) for rows in zip(q[0], k[0], v[0])])[None]


def test_cases_are_of_shipped_patterns_and_told_apart() -> None:
    listed = [case for group in cases.GROUPS.values() for case in group.cases]
    assert {case.made.pattern for case in listed} <= set(attn.PATTERNS)
    for group in cases.GROUPS.values():
        assert len({case.key for case in group.cases}) == len(group.cases)
        assert set(group.rivals) <= set(rivals.NAMES)
    for other in listed:
        same = [case for case in listed if case.key == other.key]
        assert all(str(case.arguments) == str(other.arguments) for case in same)


SEGMENTS = np.repeat(np.arange(4, dtype=np.int32), [100, 7, 300, 233])


@pytest.mark.parametrize("case", [
    WINDOW, cases.call("longformer", 200, global_=[3, 90], left=9, right=4), cases.call("causal", 1, kv_length=77),
    cases.call("document", 640, heads=2, segments=SEGMENTS),
    cases.call("bigbird", 640, random=cases.drawn_blocks(640)[:1])],
    ids=lambda case: case.made.pattern)
def test_pairs_are_those_of_masks(case: cases.Case) -> None:
    """The compiler is given the case's arguments."""
    pairs = objects_of_cases.count_pairs(attn.BIN / "attn-compile", case)
    assert pairs["admitted_pairs"] == judging.mask_of(case, np.arange(case.length)).sum()
    assert pairs["computed_pairs"] >= pairs["admitted_pairs"]


def test_bf16_rounds_to_even() -> None:
    numbers = np.array([1, -2.5, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -0.0], np.float32)
    assert judging.to_bf16(numbers).tolist() == [0x3F80, 0xC020, 0x3F80, 0x3F82, 0x3F81, 0x8000]
    assert judging.to_f32(judging.to_bf16(numbers))[:5].tolist() == [1, -2.5, 1, 1 + 2**-6, 1 + 2**-7]


@pytest.mark.parametrize("element", ["f32", "bf16"])
def test_judge_knows_right_from_wrong(element: str) -> None:
    case = WINDOW._replace(made=WINDOW.made._replace(element=element))
    samples = judging.make_samples(case, judging.draw(case))
    wider = case._replace(arguments={"left": 8, "right": 3})
    assert judging.error_ratio(exact_output(case), samples) <= 1
    assert judging.error_ratio(exact_output(wider), samples) > 10
    other_head = exact_output(case)
    other_head[:, 1] = other_head[:, 0]
    assert judging.error_ratio(other_head, samples) > 10


@pytest.mark.parametrize(("threads", "max_isa"), [(1, "best"), (2, "best"), (1, "generic")])
def test_calls_of_objects(threads: int, max_isa: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours.libraries, "FOLDER", tmp_path)  # which a call sets; other tests want it as it was
    case = WINDOW._replace(max_isa=max_isa)
    attn.compile_shared_object("sliding_window", case.made.file(tmp_path), "--head-size=16")
    shutil.copy(attn.BIN.parent / "lib" / "libattn-runtime.so", tmp_path)
    tensors = judging.draw(case)
    call = ours.Call(tmp_path, case, *tensors, threads)
    assert judging.error_ratio(call.run(), judging.make_samples(case, tensors)) <= 1
    assert call.isa in ours.ISAS.values() and (call.isa == "generic") == (max_isa == "generic")


def test_ratios_are_of_the_same_round() -> None:
    """A machine that is slower in one round is so for all."""
    slowness = iter([1, 1, 5, 5, 2, 2])
    contenders = {"ours": lambda: 2.0 * next(slowness), "theirs": lambda: 3.0 * next(slowness)}
    rounds = timing.take_turns(contenders, 3)
    assert timing.ratio_of(rounds, "theirs", "ours") == 1.5 and timing.median_of(rounds, "ours") == 4


def row_of(**changes: Any) -> tables.Row:
    return {"case": "full_d64_f32", "length": 2048, "isa": "avx512", "ms": 5.0, "waste": 1.0, "rate": "200.0 GFLOP/s",
            "error_ratio": 0.5, "missing": {}, "reached": {"peak": 0.8, "sdpa": 1.5, "onnxruntime": 1.1}} | changes


def test_reports_say_what_is_missing() -> None:
    lacking = row_of(reached={"peak": 0.9}, missing={"sdpa": "No module named 'torch'"})
    assert tables.verdict("dense", [row_of()]) == "PASS dense: of peak 0.800 (at least 0.75); × sdpa 1.500 (at least 1)"
    assert tables.verdict("dense", [lacking]) == (
        "FAIL dense: of peak 0.900 (at least 0.75); × sdpa missing (at least 1)")
    assert tables.verdict("dense", [row_of(), lacking]).endswith("× sdpa 1.500 (at least 1), 1 missing")
    lines = tables.table([row_of(), lacking])
    assert lines[0] == (
        "| case | N | isa | ms | waste | multiplied or read | of peak | × sdpa | × onnxruntime | error |")
    assert lines[3] == "| full_d64_f32 | 2048 | avx512 | 5.000 | 1.00 | 200.0 GFLOP/s | 90% | missing | - | 0.50 |"
    assert tables.reasons({"dense": [lacking]}) == ["- sdpa is missing from dense: No module named 'torch'"]


def test_reports_of_what_falls_short() -> None:
    assert tables.verdict("dense", [row_of(), row_of(reached={"peak": 0.7, "sdpa": 2.0})]) == (
        "FAIL dense: of peak 0.700 (at least 0.75); × sdpa 1.500 (at least 1)")
    wrong = {"case": "full_d64_f32", "length": 2048, "missing": {"ours": "wrong: error ratio 3"}, "reached": {}}
    assert tables.verdict("dense", [row_of(), wrong]).startswith("FAIL")
    assert tables.table([row_of(), wrong])[3] == "| full_d64_f32 | 2048 | missing: wrong: error ratio 3 |"
    assert tables.verdict("bf16", [row_of(reached={"peak": 0.7, "sdpa": 3.0})]) == (
        "PASS bf16: no AMX here; × sdpa 3.000 (at least 2.2)")


def test_what_is_not_installed_is_missing() -> None:
    with pytest.raises(rivals.Missing, match="^No module named 'rival_nobody'$"):
        rivals.find("nobody")


@pytest.mark.parametrize(("flags", "message"), [
    (["--objects=.", "--select=nothing"], "unknown group 'nothing'; use dense, causal"),
    (["--objects=/nowhere"], "'/nowhere' holds no plans.json; make it with objects_of_cases.py")])
def test_bad_usage(flags: list[str], message: str) -> None:
    done = subprocess.run([sys.executable, BENCH / "bench.py", *flags], capture_output=True, text=True)
    assert done.returncode == 2 and message in done.stderr
