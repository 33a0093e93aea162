#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times CPU kernels beside the FMA peak of the same run, interleaved, and prints a Markdown table.

Needs ATTN_BIN (the folder of attn-run and fma-peak) and ATTN_SOURCE (the project). Every row is the median of rounds in
which the peak loop and the kernel take turns; only the ratio means anything on a shared machine. Packing of keys and
values is inside the kernel's time.
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


def peaks() -> dict[str, float]:
    """GFLOP/s of one core by instruction set."""
    lines = subprocess.run([BIN / "fma-peak"], check=True, capture_output=True, text=True).stdout.split("\n")
    return {name: float(rate) for name, rate in (line.split() for line in lines if line)}


def run(pattern: str, length: int, head_size: int, isa: str) -> dict:
    """The JSON of one attn-run of five timed calls on one thread."""
    command = [BIN / "attn-run", PATTERNS / f"{pattern}.mlir", f"--length={length}", f"--head-size={head_size}",
               f"--max-isa={isa}", "--repeat=5", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(pattern: str, length: int, head_size: int, isa: str, rounds: int) -> dict:
    """Medians of interleaved rounds."""
    rates, tops, last = [], [], {}
    for _ in range(rounds):
        tops.append(peaks()[isa])
        last = run(pattern, length, head_size, isa)
        rates.append(2 * 2 * head_size * last["computed_pairs"] / last["ms"] * 1e-6)
    share = statistics.median(rate / top for rate, top in zip(rates, tops))
    return {"pattern": pattern, "length": length, "head_size": head_size, "isa": isa, "ms": last["ms"],
            "waste": last["waste"], "gflops": statistics.median(rates), "peak": statistics.median(tops), "share": share}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds a row (5)")
    parser.add_argument("--json", type=Path, help="also writes the rows to this file")
    arguments = parser.parse_args()
    rows = []
    print("| pattern | N | D | isa | ms | waste | GFLOP/s multiplied | FMA peak | share |")
    print("|---|---|---|---|---|---|---|---|---|")
    for isa in peaks():
        for case in CASES:
            row = measure(*case, isa, arguments.rounds)
            rows.append(row)
            print("| {pattern} | {length} | {head_size} | {isa} | {ms:.2f} | {waste:.2f} | {gflops:.1f} | {peak:.1f} | "
                  "{share:.0%} |".format(**row), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
