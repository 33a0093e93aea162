# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that the first rows of each head have output 0 and lse -inf, and that the others have finite ones.

    check_empty_rows.py OUTPUT.npy LSE.npy ROWS
"""

import sys

import numpy as np

output, lse, rows = np.load(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
assert lse.shape == output.shape[:3]
assert (output[:, :, :rows] == 0).all()
assert (lse[:, :, :rows] == -np.inf).all()
assert np.isfinite(output[:, :, rows:]).all() and np.isfinite(lse[:, :, rows:]).all()
