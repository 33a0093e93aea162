# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Examples of several kernels in one file: they run as their pages say, and are right."""

import subprocess
import sys
from pathlib import Path

import attn
import masks
import numpy as np
import pytest
from masks import MASKS, Rows

STAR = attn.SOURCE / "examples" / "star-transformer"
LAYERS = attn.SOURCE / "examples" / "sparse-transformer" / "layers.mlir"


def run_star(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, STAR / "run_layer.py", *flags]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def mask_of(text: str) -> np.ndarray:
    return np.array([[character == "#" for character in line] for line in text.split()])


@pytest.mark.parametrize("nodes", [1, 2, 101])
def test_star_layers_are_numpys(nodes: int):
    done = run_star(f"--attn-run={attn.BIN / 'attn-run'}", f"--nodes={nodes}")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "right"), done.stdout + done.stderr


def test_star_says_what_is_missing():
    done = run_star("--attn-run=/nowhere/attn-run")
    assert (done.returncode, done.stderr) == (
        2, "error: cannot run /nowhere/attn-run: No such file or directory; name the tool with --attn-run\n")


@pytest.mark.parametrize("n", [1, 2, 8, 29])
def test_satellites_see_what_the_page_says(n: int):
    picture = attn.run("attn-compile", STAR / "star.mlir", "--kernel=star_satellites", "--emit=mask", f"--length={n}",
                       f"--kv-length={2 * n + 1}", "--query-offset=0")
    i, j = np.indices((n, n))
    relay = np.full((n, 1), True)
    assert (mask_of(picture) == np.hstack([abs(i - j) <= 1, i == j, relay])).all()
    if n == 8:
        assert picture in (STAR / "README.md").read_text()


@pytest.mark.parametrize(("kernel", "head"), [("local", 0), ("column", 1)])
def test_sparse_layers_are_numpys(kernel: str, head: int, tmp_path: Path):
    rows, random = Rows(150, 150), np.random.default_rng(3)
    q, k, v = (random.standard_normal((1, 2, 150, 16), dtype=np.float32) for _ in range(3))
    output, lse = attn.run_for_outputs(tmp_path, "attn-run", LAYERS, f"--kernel={kernel}", "--head-size=16",
                                       "--arg=stride=12", *attn.file_flags(tmp_path, q=q, k=k, v=v))
    mask = MASKS["sparse_strided_heads"](*rows.positions(), stride=12, head=head)
    weights, expected_lse = masks.attend(q, k, mask)
    np.testing.assert_allclose(output, weights @ v, rtol=0, atol=5e-6)
    np.testing.assert_allclose(lse, expected_lse, rtol=0, atol=5e-6)


@pytest.mark.parametrize("kernel", ["local", "column"])
def test_sparse_layers_are_right(kernel: str):
    assert attn.run_json("attn-run", LAYERS, f"--kernel={kernel}", "--length=700", "--check")["ok"] is True


def test_sparse_layers_share_an_object():
    header = attn.run("attn-compile", LAYERS, "--emit=header")
    assert "int local(const attn_call *call);" in header and "int column(const attn_call *call);" in header
