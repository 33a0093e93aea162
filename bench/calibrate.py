#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fits the cost model to measured calls, and says how far the present one is off.

    calibrate.py cpu BIN                 times the shipped patterns with BIN/attn-run
    calibrate.py sm_90a BIN RESULT.json  reads times that bench/gpu/bench.py --json measured

The model (include/attn/Pattern/Plan.h): seconds = flops / rate + query rows of all phases * seconds a row. Both are
fitted by least squares of relative errors; lib/Pattern/Targets.cpp holds the numbers that are in use. A call's flops and
rows are what attn-compile --emit=report tells.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "gpu"))
from rows import GROUPS  # noqa: E402

PATTERNS = Path(__file__).resolve().parents[1] / "patterns"
HEAD_SIZE, LENGTH = 64, 16384
CPU_CASES = [("full", []), ("causal", []), ("sliding_window", []), ("longformer", []), ("dilated_window", []),
             ("dilated_window", ["dilation=8"]), ("sparse_strided", ["stride=128"]), ("sparse_fixed", []),
             ("axial", ["width=128"]), ("axial_rows", ["width=128"]), ("axial_columns", ["width=128"]),
             ("bigbird", []), ("block_local", []), ("prefix_lm", [])]


@dataclass
class Call:
    """A call that was measured. Flops and rows are of all its heads."""
    name: str
    flops: float
    rows: float
    predicted: float  # seconds, by the model in use
    measured: float  # seconds


def report(compiler: Path, target: str, element: str, pattern: str, length: int, heads: int,
           arguments: list[str]) -> dict:
    """What a head costs in the mean."""
    command = [compiler, PATTERNS / f"{pattern}.mlir", f"--target={target}", f"--element={element}",
               f"--head-size={HEAD_SIZE}", f"--length={length}", f"--heads={heads}", "--emit=report", "--json",
               *(f"--arg={argument}" for argument in arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def call_of(name: str, costs: dict, length: int, element_bytes: int, heads: int, measured: float) -> Call:
    # Bytes are those of each phase's rows of queries and outputs, and of all keys and values.
    row_bytes = element_bytes * 2 * HEAD_SIZE
    rows = sum(phase["bytes"] / row_bytes - length for phase in costs["phases"])
    return Call(name, costs["flops"] * heads, rows * heads, costs["predicted_ms"] * 1e-3 * heads, measured)


def measure_cpu(bin_folder: Path, repeat: int) -> list[Call]:
    calls = []
    for pattern, arguments in CPU_CASES:
        command = [bin_folder / "attn-run", PATTERNS / f"{pattern}.mlir", f"--length={LENGTH}", "--json",
                   f"--head-size={HEAD_SIZE}", f"--repeat={repeat}", *(f"--arg={argument}" for argument in arguments)]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        costs = report(bin_folder / "attn-compile", "cpu", "f32", pattern, LENGTH, 1, arguments)
        calls.append(call_of(" ".join((pattern, *arguments)), costs, LENGTH, 4, 1, result["ms"] * 1e-3))
    return calls


def read_gpu(bin_folder: Path, path: Path) -> list[Call]:
    """The rows of bench/gpu/bench.py at this head size, without a score."""
    rows = {(str(row), row.length): row for group in GROUPS.values() for row in group.rows}
    calls = []
    for result in (result for group in json.loads(path.read_text())["groups"].values() for result in group):
        row, ours = rows[result["case"], result["length"]], result["results"]["attn-mlir"]
        if row.made.head_size != HEAD_SIZE or row.made.score or "burst_ms" not in ours:
            continue
        with tempfile.TemporaryDirectory() as folder:
            flags = [write_argument(Path(folder), name, value) for name, value in row.arguments.items()]
            costs = report(bin_folder / "attn-compile", "sm_90a", "bf16", row.made.pattern, row.length, row.heads,
                           flags)
        calls.append(call_of(f"{row}, {row.length}", costs, row.length, 2, row.batch * row.heads,
                             ours["burst_ms"] * 1e-3))
    return calls


def write_argument(folder: Path, name: str, value: Any) -> str:
    if np.ndim(value) == 0:
        return f"{name.rstrip('_')}={value}"
    path = folder / f"{name}.npy"
    np.save(path, np.asarray(value, np.int32))
    return f"{name.rstrip('_')}={path}"


def fit(calls: list[Call]) -> tuple[float, float]:
    """Operations a second and seconds a row, which is not below 0."""
    measured = np.array([call.measured for call in calls])
    shares = np.array([[call.flops, call.rows] for call in calls]) / measured[:, None]
    per_flop, per_row = np.linalg.lstsq(shares, np.ones(len(calls)), rcond=None)[0]
    if per_row < 0:
        per_row, per_flop = 0.0, float(shares[:, 0].sum() / (shares[:, 0] ** 2).sum())
    return 1 / per_flop, per_row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=("cpu", "sm_90a"))
    parser.add_argument("bin", type=Path, help="the folder of attn-run and attn-compile")
    parser.add_argument("result", type=Path, nargs="?", help="what bench/gpu/bench.py --json wrote, for sm_90a")
    parser.add_argument("--repeat", type=int, default=15, help="timed calls of a pattern on a CPU (15)")
    arguments = parser.parse_args()
    if (arguments.target == "sm_90a") != (arguments.result is not None):
        parser.error("a result file is needed for sm_90a, and for sm_90a alone")
    calls = (measure_cpu(arguments.bin, arguments.repeat) if arguments.target == "cpu" else
             read_gpu(arguments.bin, arguments.result))
    rate, per_row = fit(calls)
    print("| call | measured ms | predicted ms | off | after the fit, off |")
    print("|---|---|---|---|---|")
    for call in calls:
        fitted = call.flops / rate + call.rows * per_row
        print(f"| {call.name} | {call.measured * 1e3:.3f} | {call.predicted * 1e3:.3f} | "
              f"{call.predicted / call.measured - 1:+.0%} | {fitted / call.measured - 1:+.0%} |")
    print(f"\nfitted: {rate * 1e-9:.4g} GFLOP/s, {per_row * 1e9:.3g} ns a row")


if __name__ == "__main__":
    main()
