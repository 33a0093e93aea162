# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Changes the last number of .npy files: whole ones by 1, others by 1e-3.

    tamper.py FOLDER NAME...
"""

import sys

import numpy as np

for name in sys.argv[2:]:
    path = f"{sys.argv[1]}/{name}.npy"
    array = np.load(path)
    array.reshape(-1)[-1] += 1 if array.dtype.kind == "i" else 1e-3
    np.save(path, array)
