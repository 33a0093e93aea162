#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that full attention over q, k, v leads to the model's own activation.

    check_projection.py O.npy

O.npy is the attention's output, [1, 12, 384, 32]. Its heads are merged, the
model's output projection is applied, and the result is compared with what the
model computes there. Exit code: 0 they agree, 1 they do not, 2 bad input.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent

# Activations reach 1.5. Attention in float32 stays below 1e-6 (the whole model
# in float32 below 3e-6); leaving any key out of any row costs 9e-5 or more.
TOLERANCE = 1e-5


def project(o, projection):
    # O: 1 x heads x tokens x d, W: (heads * d + 1) x columns; the last row of
    # W is the bias: Y <- [concat(O) 1] W
    _, heads, tokens, size = o.shape
    merged = o.transpose(0, 2, 1, 3).reshape(tokens, heads * size)
    return merged.astype(np.float64) @ projection[:-1] + projection[-1]


def load(path):
    """Returns the array in path, or says in one line what is wrong with it."""
    try:
        o = np.load(path)
    except (OSError, EOFError, ValueError) as error:
        return None, f"cannot read {path}: {error}"
    expected = np.load(HERE / "v.npy", mmap_mode="r").shape
    if o.shape != expected:
        return None, f"shape differs: {list(o.shape)} != {list(expected)}"
    return o, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", metavar="O.npy",
                        help="output of full attention, [1, 12, 384, 32]")
    o, problem = load(parser.parse_args().output)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2

    projection = np.load(HERE / "projection.npy").astype(np.float64)
    projected = np.load(HERE / "projected.npy")
    error = np.abs(project(o, projection) - projected).max()
    agrees = error <= TOLERANCE  # false for NaN
    print(f"projected activation {'agrees' if agrees else 'DIFFERS'}: "
          f"max error {error:.2e}, tolerance {TOLERANCE:.0e}")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
