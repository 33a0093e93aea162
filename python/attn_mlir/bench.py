# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times a pattern's kernel on the CPU, beside torch's attention over all pairs where torch is installed."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .describe import Sizes
from .draw import draw
from .frontend import compile
from .kernel import default_threads
from .shipped import pattern

_BAR = 40  # characters of the longest bar
_SECONDS = 0.3  # that one measurement takes, about


@dataclass(frozen=True)
class Measurement:
    """Milliseconds of one call, the medians of several."""

    length: int
    kernel: float
    torch: float | None  # None: torch is not installed


def _median_ms(call: Callable[[], object]) -> float:
    call()
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def measure(name: str, length: int, heads: int, head_size: int, threads: int | None,
            arguments: Mapping[str, Any]) -> Measurement:
    """Batch 1, f32. Run-time data that the pattern needs and that is not given is drawn."""
    kernel = compile(pattern(name), head_size=head_size)
    info = kernel.info
    needed = {data.name: draw(info, data, Sizes(length, heads=heads), {}, 0)
              for data in info.data.values() if not data.has_default and data.name not in arguments}
    q, k, v = np.random.default_rng(0).standard_normal((3, 1, heads, length, head_size), np.float32)
    workers = threads or default_threads()
    ours = _median_ms(lambda: kernel(q, k, v, threads=workers, **needed, **arguments))
    return Measurement(length, ours, _measure_torch(q, k, v, workers))


def _measure_torch(q: np.ndarray, k: np.ndarray, v: np.ndarray, threads: int) -> float | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    tensors = [torch.from_numpy(x) for x in (q, k, v)]
    with torch.no_grad():
        return _median_ms(lambda: torch.nn.functional.scaled_dot_product_attention(*tensors))


def plot(name: str, measured: Sequence[Measurement]) -> str:
    """Bars, as long as calls take."""
    longest = max(max(each.kernel, each.torch or 0) for each in measured)
    lines = [f"{name}, and torch's scaled_dot_product_attention over all pairs; milliseconds"]
    for each in measured:
        lines.append(f"{each.length:>7}  {name[:12]:<12} {each.kernel:>10.3f}  {_bar(each.kernel, longest)}")
        if each.torch is None:
            lines.append(f"{'':>7}  {'torch':<12} {'missing':>10}")
        else:
            lines.append(f"{'':>7}  {'torch':<12} {each.torch:>10.3f}  {_bar(each.torch, longest)}")
    return "\n".join(lines) + "\n"


def _bar(value: float, longest: float) -> str:
    return "#" * max(round(_BAR * value / longest), 1)
