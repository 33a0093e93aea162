#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times CPU kernels beside the peaks of the same run, interleaved, and prints Markdown tables.

Needs ATTN_BIN (the folder of attn-run, fma-peak and read-bandwidth) and ATTN_SOURCE (the project). Every row is the median
of rounds in which the peak and the kernel take turns; only the ratio means anything on a shared machine. Packing of keys
and values is inside the kernel's time. Decoding (one query row) stands beside the rate at which as many bytes are read.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path

BIN = Path(os.environ["ATTN_BIN"])
PATTERNS = Path(os.environ["ATTN_SOURCE"]) / "patterns"
CASES = [("full", 4096, 64), ("full", 4096, 128), ("causal", 4096, 64), ("sliding_window", 16384, 64),
         ("longformer", 16384, 64), ("document", 16384, 64)]
DECODED_KEYS, DECODED_HEAD_SIZES = 32768, (64, 128)
BYTES = {"f32": 4, "bf16": 2}


def output_of(program: str, *arguments: object) -> str:
    return subprocess.run([BIN / program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def peaks() -> dict[tuple[str, str], float]:
    """GFLOP/s of one core by element type and instruction set."""
    lines = [line.split() for line in output_of("fma-peak").splitlines()]
    return {(element, isa): float(rate) for element, isa, rate in lines}


def run(pattern: str, element: str, isa: str, head_size: int, *sizes: str) -> dict:
    """The JSON of one attn-run of some timed calls on one thread."""
    return json.loads(output_of("attn-run", PATTERNS / f"{pattern}.mlir", f"--element={element}", f"--max-isa={isa}",
                                f"--head-size={head_size}", *sizes, "--json"))


def median_of(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rounds) for key in rounds[0]}


def multiply(pattern: str, length: int, head_size: int, element: str, isa: str) -> dict[str, float]:
    peak = peaks()[element, isa]
    result = run(pattern, element, isa, head_size, f"--length={length}", "--repeat=5")
    rate = 4 * head_size * result["computed_pairs"] / result["ms"] * 1e-6
    return {"ms": result["ms"], "waste": result["waste"], "gflops": rate, "peak": peak, "share": rate / peak}


def decode(head_size: int, element: str) -> dict[str, float]:
    size = 2 * DECODED_KEYS * head_size * BYTES[element]
    peak = float(output_of("read-bandwidth", size))
    result = run("causal", element, "amx", head_size, "--length=1", f"--kv-length={DECODED_KEYS}", "--repeat=25")
    rate = size / result["ms"] * 1e-6
    return {"ms": result["ms"], "rate": rate, "peak": peak, "share": rate / peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds a row (5)")
    parser.add_argument("--json", type=Path, help="also writes the rows to this file")
    arguments = parser.parse_args()
    rows = []
    print("| pattern | N | D | element | isa | ms | waste | GFLOP/s multiplied | peak | share |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for element, isa in peaks():
        for pattern, length, head_size in CASES:
            row = median_of([multiply(pattern, length, head_size, element, isa) for _ in range(arguments.rounds)])
            rows.append({"pattern": pattern, "length": length, "head_size": head_size, "element": element, "isa": isa} | row)
            print(f"| {pattern} | {length} | {head_size} | {element} | {isa} | {row['ms']:.2f} | {row['waste']:.2f} | "
                  f"{row['gflops']:.1f} | {row['peak']:.1f} | {row['share']:.0%} |", flush=True)
    print(f"\n| one query, {DECODED_KEYS} keys: D | element | ms | GB/s | read | share |\n|---|---|---|---|---|---|")
    for element in BYTES:
        for head_size in DECODED_HEAD_SIZES:
            row = median_of([decode(head_size, element) for _ in range(arguments.rounds)])
            rows.append({"pattern": "decode", "length": 1, "head_size": head_size, "element": element} | row)
            print(f"| {head_size} | {element} | {row['ms']:.3f} | {row['rate']:.1f} | {row['peak']:.1f} | "
                  f"{row['share']:.0%} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
