# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""GPU kernels keep their state in registers, and wgmma runs on while the softmax is computed.

ptxas tells where it does not: by spills, and by C7508 and C7510 to C7515, after which wgmma is serialized or register
counts are ignored. What it says depends on its release, which utils/requirements-ptxas.txt names.
"""

import functools
import itertools
import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import attn
import pytest

HEAD_SIZES = [64, 128]
ELEMENTS = ["bf16", "f16", "f32"]
LOSSES = {"C7508", "C7510", "C7511", "C7512", "C7513", "C7514", "C7515"}


class Kernel(NamedTuple):
    pattern: str
    score: str | None
    head_size: int
    element: str
    name: str | None = None  # where the file holds several

    def __str__(self):
        return "-".join(str(part) for part in self if part is not None)


def all_kernels() -> list[Kernel]:
    """Every pattern as it is, with every score the one that scores are used with most, and linear attention."""
    scores = sorted(path.stem for path in (attn.SOURCE / "patterns" / "scores").glob("*.mlir"))
    kinds = [(pattern, None) for pattern in attn.PATTERNS] + [("causal", score) for score in scores]
    forms = ["linear", "linear_causal", "linear_step"]
    # f16 is bf16 with other conversions, and f32 is not what anybody waits for.
    every = list(itertools.product(HEAD_SIZES, ELEMENTS))
    types = every if attn.CHECK_ALL else [(64, "bf16"), (128, "bf16"), (64, "f32")]
    return [Kernel(*kind, *sizes) for kind, sizes in itertools.product(kinds, types)] + [
        Kernel("linear", None, *sizes) for sizes in itertools.product([*HEAD_SIZES, 256], ELEMENTS, forms)]


KERNELS = all_kernels()


@functools.cache
def assemble_all() -> dict[Kernel, subprocess.CompletedProcess[str]]:
    """Makes a cubin of each kernel; what ptxas says comes by stderr."""

    def assemble(kernel: Kernel) -> subprocess.CompletedProcess[str]:
        flags = [f"--head-size={kernel.head_size}", f"--element={kernel.element}"]
        if kernel.score:
            flags.append(f"--score={kernel.score}")
        if kernel.name:
            flags.append(f"--kernel={kernel.name}")
        return attn.execute("attn-compile", attn.pattern_file(kernel.pattern), "--target=sm_90a", "--emit=cubin",
                            "--ptxas-info", *flags, "-o", Path(folder) / str(kernel))

    with tempfile.TemporaryDirectory() as folder:
        return dict(zip(KERNELS, attn.map_processes(assemble, KERNELS)))


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_registers_suffice(kernel: Kernel):
    done = assemble_all()[kernel]
    assert done.returncode == 0, done.stderr
    spilled = dict(re.findall(r"^(\S+): \d+ registers, (\d+) bytes spilled$", done.stderr, re.MULTILINE))
    assert spilled and set(spilled.values()) == {"0"}, done.stderr
    assert LOSSES.isdisjoint(re.findall(r"\((C7\d+)\)", done.stderr)), done.stderr
