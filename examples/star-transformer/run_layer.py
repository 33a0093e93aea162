#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs layers of a Star-Transformer with both kernels of star.mlir, and checks each against NumPy in float64.

    run_layer.py [--attn-run PATH] [--nodes N] [--layers N]

Weights and embeddings are drawn from a seed. Exit code: 0 the layers agree, 1 they do not, 2 attn-run failed.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

KERNELS = Path(__file__).resolve().parent / "star.mlir"
HEADS, HEAD_SIZE = 4, 32
WIDTH = HEADS * HEAD_SIZE

# Of float32, after a layer norm: states are near 1.
TOLERANCE = 1e-5


class Weights(NamedTuple):
    """Projections of one attention, [width, width]: X <- X W."""

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    output: np.ndarray


# attend(kernel, q, k, v): heads are [heads, rows, head size], and so is what comes back.
Attend = Callable[[str, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def split_heads(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), HEADS, HEAD_SIZE).transpose(1, 0, 2)


def norm(x: np.ndarray) -> np.ndarray:
    """Layer norm of a rectified state, without gain and bias."""
    x = np.maximum(x, 0)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def attention(kernel: str, states: np.ndarray, context: np.ndarray, weights: Weights, attend: Attend) -> np.ndarray:
    q, k, v = states @ weights.query, context @ weights.key, context @ weights.value
    heads = attend(kernel, *map(split_heads, (q, k, v)))
    return norm(heads.transpose(1, 0, 2).reshape(states.shape) @ weights.output)


# satellites: n x width, relay: 1 x width
#   satellites <- norm(attention(satellites, [satellites; embeddings; relay]))
#   relay      <- norm(attention(relay, [relay; satellites]))
def layer(
    satellites: np.ndarray, relay: np.ndarray, embeddings: np.ndarray, weights: list[Weights], attend: Attend
) -> tuple[np.ndarray, np.ndarray]:
    around = np.concatenate([satellites, embeddings, relay])
    satellites = attention("star_satellites", satellites, around, weights[0], attend)
    relay = attention("star_relay", relay, np.concatenate([relay, satellites]), weights[1], attend)
    return satellites, relay


# ----------------------------------------------------------------------------------------------------------------------
# Two ways to attend
# ----------------------------------------------------------------------------------------------------------------------


def attend_with(attn_run: str, folder: Path) -> Attend:
    """Runs a kernel in float32."""

    def attend(kernel: str, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        files = {name: folder / f"{name}.npy" for name in ("q", "k", "v", "out")}
        for name, rows in (("q", q), ("k", k), ("v", v)):
            np.save(files[name], np.ascontiguousarray(rows[None], dtype=np.float32))
        flags = [f"--{name}={file}" for name, file in files.items()]
        command = [attn_run, str(KERNELS), f"--kernel={kernel}", f"--head-size={HEAD_SIZE}", "--query-offset=0"]
        subprocess.run([*command, *flags], check=True, stdout=subprocess.DEVNULL)
        return np.load(files["out"])[0].astype(np.float64)

    return attend


def keys_of(kernel: str, i: int, n: int) -> list[int]:
    """What query i looks at, as the paper lists it; a neighbour that is not there is left out."""
    if kernel == "star_relay":
        return list(range(n + 1))
    return [j for j in (i - 1, i, i + 1) if 0 <= j < n] + [n + i, 2 * n]


def attend_in_float64(kernel: str, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Row by row."""
    n = k.shape[1] - 1 if kernel == "star_relay" else q.shape[1]
    output = np.empty_like(q)
    for i in range(q.shape[1]):
        keys = keys_of(kernel, i, n)
        scores = np.einsum("hd,hjd->hj", q[:, i], k[:, keys]) / np.sqrt(HEAD_SIZE)
        e = np.exp(scores - scores.max(-1, keepdims=True))
        output[:, i] = np.einsum("hj,hjd->hd", e / e.sum(-1, keepdims=True), v[:, keys])
    return output


# ----------------------------------------------------------------------------------------------------------------------
# The program
# ----------------------------------------------------------------------------------------------------------------------


def draw_weights(random: np.random.Generator) -> Weights:
    return Weights(*random.normal(0, WIDTH**-0.5, (4, WIDTH, WIDTH)))


def run_layers(nodes: int, layers: int, attend: Attend) -> list[np.ndarray]:
    """The satellites and the relay, [nodes + 1, width], after each layer."""
    random = np.random.default_rng(0)
    embeddings = random.standard_normal((nodes, WIDTH))
    satellites, relay = embeddings, embeddings.mean(0, keepdims=True)
    states = []
    for _ in range(layers):
        weights = [draw_weights(random), draw_weights(random)]
        satellites, relay = layer(satellites, relay, embeddings, weights, attend)
        states.append(np.concatenate([satellites, relay]))
    return states


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attn-run", default="attn-run", help="the tool, if it is not on the PATH")
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--layers", type=int, default=2)
    flags = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            actual = run_layers(flags.nodes, flags.layers, attend_with(flags.attn_run, Path(folder)))
    except OSError as error:
        print(f"error: cannot run {flags.attn_run}: {error.strerror}; name the tool with --attn-run", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError:  # it has said why
        return 2
    expected = run_layers(flags.nodes, flags.layers, attend_in_float64)
    errors = [np.abs(a - b).max() for a, b in zip(actual, expected)]
    for number, error in enumerate(errors, 1):
        print(f"layer {number}, {flags.nodes} satellites and the relay: max error {error:.2e}")
    agrees = all(error <= TOLERANCE for error in errors)  # false for NaN
    print("right" if agrees else f"WRONG: more than {TOLERANCE:.0e}")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
