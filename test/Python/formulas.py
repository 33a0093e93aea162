# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the shipped scores make of scale * q.k, and attention with them: NumPy's word against the compiler's.

A score is a function of a call and its products, [batch, heads, rows, keys]; it returns what the softmax sees. Each of
them is written from its paper's formula, or from the code of its authors, and from nothing of this project. Positions
are p of the query rows, [rows, 1], and t of the key rows, [1, keys].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import masks
import numpy as np
from attn import Outputs


class Call(NamedTuple):
    """Rows are numbers of the element type, whatever type holds them here."""

    q: np.ndarray  # [batch, heads, rows, head size]
    k: np.ndarray  # [batch, kv heads, keys, head size]
    v: np.ndarray  # [batch, kv heads, keys, value head size]
    p: np.ndarray
    t: np.ndarray
    arguments: dict[str, Any]  # of the score

    @property
    def heads(self) -> int:
        return self.q.shape[1]

    @property
    def scale(self) -> float:
        return self.q.shape[-1] ** -0.5

    @property
    def distance(self) -> np.ndarray:
        """t - p, [rows, keys]."""
        return self.t - self.p

    def of_query_heads(self, rows: np.ndarray) -> np.ndarray:
        """Key or value rows as each query head reads them."""
        return np.repeat(rows, self.heads // rows.shape[1], axis=1)


def by_head(numbers: np.ndarray) -> np.ndarray:
    return numbers[:, None, None]


def plain(call: Call, s: np.ndarray) -> np.ndarray:
    return s


# ----------------------------------------------------------------------------------------------------------------------
# Scores, each with its arguments
# ----------------------------------------------------------------------------------------------------------------------


def alibi(call: Call, s: np.ndarray) -> np.ndarray:
    """A geometric sequence of slopes that begins with its own ratio, 2^(-8 / heads) (Press et al., 2022)."""
    slopes = np.power(2 ** (-8 / call.heads), np.arange(1, call.heads + 1))
    return s - by_head(slopes) * np.abs(call.distance)


def softcap(call: Call, s: np.ndarray) -> np.ndarray:
    cap = call.arguments.get("cap", 50)
    return cap * np.tanh(s / cap)


def gaussian(call: Call, s: np.ndarray) -> np.ndarray:
    return s - call.distance**2 / (2 * call.arguments.get("sigma", 64) ** 2)


def bias(call: Call, s: np.ndarray) -> np.ndarray:
    return s + call.arguments["bias"]


def adaptive_span(call: Call, s: np.ndarray) -> np.ndarray:
    """exp(s) is multiplied by a soft mask (Sukhbaatar et al., 2019)."""
    ramp = call.arguments.get("ramp", 32)
    mask = np.clip((ramp + by_head(call.arguments["span"]) - np.abs(call.distance)) / ramp, 0, 1)
    with np.errstate(divide="ignore"):
        return s + np.log(mask)


def t5_bias(call: Call, s: np.ndarray) -> np.ndarray:
    """Buckets as T5's code has them: bidirectional, 32 of them, logarithmic up to a distance of 128."""
    buckets, exact, most = 16, 8, 128
    distance = np.abs(call.distance)
    far = exact + np.log(np.maximum(distance, 1) / exact) / np.log(most / exact) * (buckets - exact)
    bucket = np.where(distance < exact, distance, np.minimum(far.astype(int), buckets - 1))
    return s + call.arguments["table"][:, bucket + buckets * (call.distance > 0)]


def shaw(call: Call, s: np.ndarray) -> np.ndarray:
    """e_ij = x_i W (x_j W + a_ij) / sqrt(d), a_ij = w_clip(j - i, k), k = 16 (Shaw et al., 2018)."""
    a = call.arguments["relative"][np.clip(call.distance, -16, 16) + 16]
    return s + call.scale * np.einsum("bhic,ijc->bhij", call.q, a)


def transformer_xl(call: Call, s: np.ndarray) -> np.ndarray:
    """q.k + q.W R_(i-j) + u.k + v.W R_(i-j) (Dai et al., 2019), with distances clamped to those that there are."""
    u, v, relative = (call.arguments[name][None] for name in ("u", "v", "relative"))
    r = relative[:, :, np.clip(-call.distance, 0, relative.shape[2] - 1)]
    content = np.einsum("bhic,bhjc->bhij", call.q + u[:, :, None], call.of_query_heads(call.k))
    return call.scale * (content + np.einsum("bhic,bhijc->bhij", call.q + v[:, :, None], r))


def etc_labels(call: Call, s: np.ndarray) -> np.ndarray:
    """(q.k + q.E[id] + bias[id]) / sqrt(d); ids of ETC's code: clipped distances, and special ones for globals."""
    count, clip = call.arguments.get("global", 16), 12
    right, left = np.minimum(call.distance, clip), clip + np.minimum(-call.distance, clip)
    id = np.where(call.distance >= 0, right, left)
    is_global = np.broadcast_arrays(call.p < count, call.t < count)
    id = np.select([is_global[0] & is_global[1], is_global[0], is_global[1]], [27, 26, 25], id)
    term = np.einsum("bhic,hijc->bhij", call.q, call.arguments["labels"][:, id])
    return s + call.scale * (term + call.arguments["biases"][:, id])


def talking_heads(call: Call, s: np.ndarray) -> np.ndarray:
    return np.einsum("hg,bgij->bhij", call.arguments["weights"], s)


SCORES = {
    score.__name__: score
    for score in (adaptive_span, alibi, bias, etc_labels, gaussian, shaw, softcap, t5_bias, talking_heads,
                  transformer_xl)
} | {"sink": plain}


# ----------------------------------------------------------------------------------------------------------------------
# Attention
# ----------------------------------------------------------------------------------------------------------------------


def attend(score: str, call: Call, mask: np.ndarray, rounded: Callable[[np.ndarray], np.ndarray]) -> Outputs:
    """Over the pairs of a mask [..., rows, keys], in the type of the call's rows; eager attention rounds what it keeps.

    The logits of a sink are one more key, whose value is 0 (gpt-oss).
    """
    products = rounded(call.scale * call.q @ np.swapaxes(call.of_query_heads(call.k), -1, -2))
    s = rounded(np.where(mask, SCORES[score](call, products), -np.inf).astype(call.q.dtype))
    sink = by_head(call.arguments["logits"]) if score == "sink" else np.full((call.heads, 1, 1), -np.inf)
    s = np.concatenate([np.broadcast_to(rounded(sink.astype(s.dtype)), (*s.shape[:3], 1)), s], axis=-1)
    weights, lse = masks.softmax(s)
    return Outputs(rounded(rounded(weights)[..., 1:] @ call.of_query_heads(call.v)), lse)


# ----------------------------------------------------------------------------------------------------------------------
# Element types and the tolerance rule
# ----------------------------------------------------------------------------------------------------------------------


def bits_of_bf16(numbers: np.ndarray) -> np.ndarray:
    """The upper halves of float32 numbers, rounded to nearest, halves to even."""
    bits = numbers.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


class Element(NamedTuple):
    """How .npy files hold an element type, and how many bits its fraction has."""

    to_file: Callable[[np.ndarray], np.ndarray]
    from_file: Callable[[np.ndarray], np.ndarray]
    fraction: int

    def rounded(self, numbers: np.ndarray) -> np.ndarray:
        return self.from_file(self.to_file(numbers))


ELEMENTS = {
    "f32": Element(lambda x: x.astype(np.float32), lambda x: x, 23),
    "f16": Element(lambda x: x.astype(np.float16), lambda x: x.astype(np.float32), 10),
    "bf16": Element(bits_of_bf16, from_bf16, 7),
}


def error_ratio(actual: np.ndarray, exact: np.ndarray, eager: np.ndarray, factor: float, fraction: int) -> float:
    """max|actual - exact| / (factor * max|eager - exact| + 2 ulp at max|exact|); what is not finite has to be equal."""
    finite = np.isfinite(exact)
    if not np.array_equal(actual[~finite], exact[~finite]) or not np.isfinite(actual[finite]).all():
        return np.inf
    ulp = 2.0 ** (np.frexp(np.abs(exact[finite]).max(initial=0))[1] - 1 - fraction)
    wrong, allowed = (np.abs(x[finite] - exact[finite]).max(initial=0) for x in (actual, eager))
    return wrong / (factor * allowed + 2 * ulp)


def judge(actual: Outputs, score: str, call: Call, mask: np.ndarray, element: str) -> float:
    """The larger error ratio of output and lse; at most 1 is right."""
    kind = ELEMENTS[element]
    factor = 10 if element == "f32" else 1.1
    exact = attend(score, call._replace(**{x: getattr(call, x).astype(np.float64) for x in "qkv"}), mask, lambda x: x)
    eager = attend(score, call, mask, kind.rounded)
    return max(error_ratio(actual.output, exact.output, eager.output, factor, kind.fraction),
               error_ratio(actual.lse, exact.lse, eager.lse, factor, ELEMENTS["f32"].fraction))
