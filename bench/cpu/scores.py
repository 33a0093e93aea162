#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times causal attention with each of the shipped scores beside the same without one, and prints a Markdown table.

Needs ATTN_BIN (the folder of attn-run) and ATTN_SOURCE (the project). In each round the kernels take turns; a ratio is
the median over the rounds. f32, one thread.
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
LENGTH, HEAD_SIZE = 4096, 64
SCORES = ["sink", "alibi", "gaussian", "softcap", "bias", "adaptive_span", "t5_bias", "shaw", "etc_labels",
          "transformer_xl"]


def milliseconds(score: str | None, isa: str) -> float:
    """The median of five calls."""
    command = [BIN / "attn-run", PATTERNS / "causal.mlir", f"--length={LENGTH}", f"--head-size={HEAD_SIZE}",
               f"--max-isa={isa}", "--repeat=5", "--json", *([f"--score={score}"] if score else [])]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["ms"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--isa", action="append", help="avx512, avx2 or generic; may be repeated (avx512 and avx2)")
    arguments = parser.parse_args()
    print("| score | N | D | isa | ms | × causal |")
    print("|---|---|---|---|---|---|")
    for isa in arguments.isa or ["avx512", "avx2"]:
        rounds = [{score: milliseconds(score, isa) for score in [None, *SCORES]} for _ in range(arguments.rounds)]
        for score in [None, *SCORES]:
            ms = statistics.median(times[score] for times in rounds)
            ratio = statistics.median(times[score] / times[None] for times in rounds)
            print(f"| {score or '(none)'} | {LENGTH} | {HEAD_SIZE} | {isa} | {ms:.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
