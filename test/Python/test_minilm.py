# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One attention layer of a real model: examples/minilm says which."""

import subprocess
import sys
from pathlib import Path

import attn
import numpy as np

FOLDER = attn.SOURCE / "examples" / "minilm"
ROWS = ["--head-size=32", *(f"--{name}={FOLDER}/{name}.npy" for name in "qkv")]


def check_projection(output: Path) -> subprocess.CompletedProcess[str]:
    """Whether the attention's output leads to the activation that the model computes next."""
    command = [sys.executable, FOLDER / "check_projection.py", output]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_full_attention_leads_to_the_models_activation(tmp_path: Path):
    output = tmp_path / "output.npy"
    report = attn.run_json("attn-run", attn.pattern_file("full"), *ROWS, "--check", "--threads=2", f"--out={output}")
    assert [report[key] for key in ("batch", "heads", "kv_heads", "length", "ok")] == [1, 12, 12, 384, True]
    done = check_projection(output)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_activation_needs_every_key(tmp_path: Path):
    output = tmp_path / "output.npy"
    attn.run("attn-run", attn.pattern_file("padded"), *ROWS, "--arg=lengths=383", f"--out={output}")
    assert check_projection(output).returncode == 1


def test_longformer_is_right(tmp_path: Path):
    report = attn.run_json("attn-run", attn.pattern_file("longformer"), *ROWS, "--arg=left=32", "--arg=right=32",
                           "--arg=global=0,1", "--check", f"--out={tmp_path / 'output.npy'}")
    assert report["ok"] is True
    assert report["admitted_pairs"] < 12 * 384 * 384 / 4
    assert np.isfinite(np.load(tmp_path / "output.npy")).all()
