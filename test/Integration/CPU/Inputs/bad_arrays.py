# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the files of bad-arrays.test into a folder; right.npy is one that fits."""

import sys

import numpy as np

folder = sys.argv[1]
right = np.zeros((1, 1, 8, 64), "<f4")


def save(name, array):
    np.save(f"{folder}/{name}.npy", array)


save("right", right)
save("rank3", right[0])
save("head32", right[..., :32])
save("rows9", np.zeros((1, 1, 9, 64), "<f4"))
save("heads3", np.zeros((1, 3, 8, 64), "<f4"))
save("heads2", np.zeros((1, 2, 8, 64), "<f4"))
save("complex", right.astype("<c8"))
save("whole", right.astype("<i4"))
save("fortran", np.asfortranarray(right))
save("tokens3d", np.zeros((1, 1, 1), "<i4"))
save("floats", np.zeros(3, "<f4"))
save("large", np.array([1 << 32], "<i8"))
save("rows", np.full((16, 3), -1, "<i4"))
save("blocks", np.full((2, 16, 3), 15, "<i4"))
save("table", np.zeros((2, 31), "<f4"))
with open(f"{folder}/text.npy", "w") as file:
    file.write("no array")
with open(f"{folder}/right.npy", "rb") as whole, open(f"{folder}/cut.npy", "wb") as cut:
    cut.write(whole.read()[:300])
