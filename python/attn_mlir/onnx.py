# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX's operator Attention (opsets 23 to 25) on kernels, with NumPy arrays. The package onnx is not needed.

Causality and windows become a pattern, and lengths that differ by batch a call for each; a mask becomes a bias of the
scores, in which -inf shuts a pair out. What the operator can hand out besides, the matrix of scores, is never made.
"""

import functools
from typing import Any

import numpy as np

from . import algebra
from .algebra import Pattern
from .errors import CallError
from .frontend import attention as attend

# ONNX bends scores before it adds the mask, which so stays -inf.
_CAPPED_BIAS = """
attn.score @capped_bias(%bias: !attn.array<[batch, heads, queries, keys]>, %cap: f32 = 1.0) (%s, %b, %h, %i, %j) {
  %part = arith.divf %s, %cap : f32
  %bent = math.tanh %part : f32
  %capped = arith.mulf %bent, %cap : f32
  %given = attn.load %bias[%b, %h, %i, %j] : !attn.array<[batch, heads, queries, keys]>
  %biased = arith.addf %capped, %given : f32
  attn.yield %biased : f32
}
"""


@functools.cache
def _make_window(has_left: bool, has_right: bool) -> Pattern:
    if not (has_left or has_right):
        return algebra.full()
    left, right = algebra.parameter("left", 0), algebra.parameter("right", 0)
    return algebra.window(left if has_left else None, right if has_right else None)


def _split_heads(rows: np.ndarray, heads: int | None, name: str) -> np.ndarray:
    """[batch, length, heads x size] → [batch, heads, length, size], the same memory; four axes stay as they are."""
    if rows.ndim == 4:
        return rows
    if rows.ndim != 3 or not heads:
        raise CallError(f"{name} has {rows.ndim} axes; give four, or three and q_num_heads and kv_num_heads")
    return rows.reshape(*rows.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def _make_bias(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask of booleans or floats as float32 [batch, heads, queries, keys], with strides of 0 where it is shared; keys
    that it does not reach are shut out."""
    bias = np.where(mask, np.float32(0), np.float32(-np.inf)) if mask.dtype == bool else mask.astype(np.float32)
    missing = shape[-1] - bias.shape[-1]
    if missing > 0:
        bias = np.pad(bias, [(0, 0)] * (bias.ndim - 1) + [(0, missing)], constant_values=-np.inf)
    try:
        return np.broadcast_to(bias, shape)
    except ValueError:
        raise CallError(f"attn_mask has shape {list(mask.shape)}; it has to spread over {list(shape)}") from None


def _make_score(softcap: float, bias: np.ndarray | None) -> dict[str, Any]:
    given: dict[str, Any] = {} if bias is None else {"bias": bias}
    if softcap > 0:
        return {"score": "softcap" if bias is None else _CAPPED_BIAS, "cap": float(softcap), **given}
    return given if bias is None else {"score": "bias", **given}


def attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray, attn_mask: np.ndarray | None = None,
              past_key: np.ndarray | None = None, past_value: np.ndarray | None = None,
              nonpad_kv_seqlen: np.ndarray | None = None, *, is_causal: int = 0, q_num_heads: int | None = None,
              kv_num_heads: int | None = None, scale: float | None = None, softcap: float = 0.0,
              left_window_size: int = -1, right_window_size: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the operator computes, with the names and the meaning that ONNX gives its inputs and attributes.

    Q: [batch, heads, length, head size], or [batch, length, heads x head size] with q_num_heads; K and V likewise, with
        kv_num_heads. float32, float16 or bfloat16 (ml_dtypes).
    attn_mask: booleans (True: attend) or floats, which are added; spreads over [batch, heads, length, keys].
    past_key, past_value: [batch, kv heads, past length, head size], keys and values before these.
    nonpad_kv_seqlen: [batch], how many of each batch's keys count; its queries stand at their end.

    Returns Y, laid out as Q is, present_key and present_value. Softmax is float32 whatever softmax_precision asks for.
    Raises CallError.
    """
    q, k, v = (_split_heads(rows, heads, name) for rows, heads, name in
               ((Q, q_num_heads, "Q"), (K, kv_num_heads, "K"), (V, kv_num_heads, "V")))
    past = 0
    if past_key is not None:
        past = past_key.shape[2]
        k, v = np.concatenate([past_key, k], axis=2), np.concatenate([past_value, v], axis=2)
    batch, heads, length, _ = q.shape
    sides = {"left": left_window_size, "right": 0 if is_causal else right_window_size}
    sides = {name: side for name, side in sides.items() if side >= 0}
    bias = None if attn_mask is None else _make_bias(attn_mask, (batch, heads, length, k.shape[2]))
    rows = np.empty((batch, length, heads, v.shape[3]), Q.dtype)

    def call(batches: slice, keys: int, query_offset: int) -> None:
        attend(q[batches], k[batches, :, :keys], v[batches, :, :keys], out=rows[batches].transpose(0, 2, 1, 3),
               pattern=_make_window("left" in sides, "right" in sides), query_offset=query_offset, scale=scale, **sides,
               **_make_score(softcap, None if bias is None else bias[batches, :, :, :keys]))

    if nonpad_kv_seqlen is None:
        call(slice(None), k.shape[2], past)
    else:
        for b, keys in enumerate(map(int, nonpad_kv_seqlen)):
            call(slice(b, b + 1), keys, keys - length)
    return rows.reshape(batch, length, -1) if Q.ndim == 3 else rows.transpose(0, 2, 1, 3), k, v
