# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory grows with the rows and no faster, and the report says the same as a run."""

import functools
import subprocess
import sys
from typing import Any

import attn
import pytest

HEAD_SIZE = 64  # attn-run's default
MEGABYTE = 2**20
WITHOUT_DATA = ["axial", "block_local", "causal", "dilated_window", "etc", "full", "neighborhood", "padded",
                "prefix_lm", "sliding_window", "sparse_fixed_heads"]  # no tables made of run-time data

REPORT_KEYS = {"kernel", "target", "length", "admitted_pairs", "computed_pairs", "waste", "plan_bytes",
               "workspace_bytes", "bytes", "flops", "predicted_ms", "estimated", "phases"}
PHASE_KEYS = {"query_order", "key_order", "clause", "admitted_pairs", "computed_pairs", "waste", "bytes", "flops",
              "predicted_ms", "estimated"}

# Why another Python runs the tool: a process that starts with this one's pages would count them as its own.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_bytes(tool: str, *arguments: object) -> int:
    command = [sys.executable, "-S", "-c", MEASURE, attn.BIN / tool, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


# Of one call. The data are shared by all batches, so that a head's mean is a whole number.
SIZES = ["--length=200", "--batch=2", "--heads=4", "--kv-heads=2", "--head-size=8"]
SEGMENTS = [f"--arg=segments={','.join('0112' * 65)}"]
DATA = {"padded": ["--arg=lengths=130,130"], "prefix_lm_batch": ["--arg=prefix=130,130"], "document": SEGMENTS,
        "document_causal": SEGMENTS, "neighborhood": ["--arg=width=16", "--arg=rows=5", "--arg=columns=5"]}

# How many keys a row admits in the mean when there are a million; those near an end may admit others.
MILLION = 2**20
KEYS_OF_A_ROW = {
    "full": MILLION, "causal": MILLION / 2, "prefix_lm": MILLION / 2, "sliding_window": 513, "dilated_window": 513,
    "longformer": 513 + 2, "longformer_heads": 513 + 2, "etc": 169 + 2 * 16, "star": 5,
    "sparse_strided": 128 + MILLION / 256, "sparse_strided_heads": (128 + MILLION / 256) / 2,
    "sparse_fixed": 64 + MILLION / 32, "sparse_fixed_heads": (64 + MILLION / 32) / 2, "block_local": 256,
    "image_1d": 256 + 128, "image_2d": 16 * 56 + 16 * 20 + 128, "axial": 64 + MILLION / 64, "axial_rows": 64,
    "axial_columns": MILLION / 64, "neighborhood": 169}


def report(pattern: str, *flags: str) -> dict[str, Any]:
    return attn.run_json("attn-compile", attn.pattern_file(pattern), "--emit=report", *flags)


@functools.cache
def report_and_run(pattern: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What attn-compile and attn-run say of the same call."""
    kv_length = [] if pattern in attn.ONE_SEQUENCE else ["--kv-length=257"]
    flags = [*SIZES, *kv_length, *DATA.get(pattern, [])]
    return report(pattern, *flags), attn.run_json("attn-run", attn.pattern_file(pattern), *flags)


def test_peak_grows_with_the_rows():
    small, large = (peak_bytes("attn-run", attn.pattern_file("sliding_window"), f"--length={n}") for n in (64, 65536))
    rows = 4 * 65536 * HEAD_SIZE * 4  # query, key, value and output in f32
    assert large - small <= rows + 64 * MEGABYTE


@pytest.mark.parametrize("score", ["etc_labels", "shaw", "t5_bias", "transformer_xl"])
def test_relative_positions_need_no_matrix(score: str):
    """Nothing is of queries times keys: the workspace grows by packed keys and values, and little else."""
    lengths = 4096, 16384
    flags = [[attn.pattern_file("causal"), f"--score={score}", f"--length={n}"] for n in lengths]
    small, large = (attn.run_json("attn-run", *f)["workspace_bytes"] for f in flags)
    row = HEAD_SIZE * 4  # of f32
    assert large - small <= (lengths[1] - lengths[0]) * (2 * row + 8)
    assert small - 2 * lengths[0] * row < MEGABYTE
    small, large = (peak_bytes("attn-run", *f) for f in flags)
    rows = 7 * (lengths[1] - lengths[0]) * row  # query, key, value, output, packed ones and vectors of distances
    assert large - small <= rows + 64 * MEGABYTE < lengths[1] ** 2


def test_rectangles_of_grids_are_not_packed():
    """Tiles copy the keys that they look at; no workspace is as long as the keys."""
    small, large = (report("neighborhood", f"--length={n}")["workspace_bytes"] for n in (4096, 65536))
    assert small == large


@pytest.mark.parametrize("pattern", WITHOUT_DATA)
def test_plan_is_empty_without_run_time_data(pattern: str):
    assert [said["plan_bytes"] for said in report_and_run(pattern)] == [0, 0]


def test_report_has_its_keys():
    made, _ = report_and_run("longformer")
    assert REPORT_KEYS <= set(made)
    assert made["phases"]
    assert all(PHASE_KEYS <= set(phase) for phase in made["phases"])
    assert (made["kernel"], made["target"], made["length"], made["estimated"]) == ("longformer", "cpu", 200, False)


def test_phases_add_up():
    made = report("longformer", "--head-size=8", "--length=1000", "--arg=global=0,999,17")
    for key in ("admitted_pairs", "computed_pairs", "flops"):
        assert sum(phase[key] for phase in made["phases"]) == made[key]


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_report_counts_the_pairs_of_a_run(pattern: str):
    made, run = report_and_run(pattern)
    for key in ("admitted_pairs", "computed_pairs"):
        assert made[key] * run["batch"] * run["heads"] == run[key]
    for key in ("waste", "plan_bytes", "workspace_bytes"):
        assert made[key] == run[key]


@pytest.mark.parametrize("pattern", attn.PATTERNS)
def test_report_reaches_a_million_rows(pattern: str):
    made = report(pattern, "--head-size=8", "--heads=2", f"--length={MILLION}")
    assert MILLION <= made["admitted_pairs"] <= made["computed_pairs"]
    if pattern in KEYS_OF_A_ROW:  # what the seed decides is not
        assert made["admitted_pairs"] == pytest.approx(MILLION * KEYS_OF_A_ROW[pattern], rel=0.01)
    if pattern == "full":
        assert made["admitted_pairs"] == 2**40
    if pattern == "sliding_window":
        assert made["admitted_pairs"] == 2**20 * 513 - 256 * 257  # the rows near both ends see fewer keys
        assert made["waste"] < 1.2
