# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times GPU work: in bursts, as a program meets it, and sustained, where the power limit decides; and the peaks of this
machine, measured the same way."""

import math
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import sdpa
import torch

Run = Callable[[], object]

IDLE_SECONDS = 0.4  # before a burst: the chip cools, and no kernel pays for the one before
WARM_RUNS, TIMED_RUNS = 3, 9
ROOF_HEAD_SIZE = 64  # of the dense attention whose rate is a roof for others


class Sustained(NamedTuple):
    sustained_ms: float
    megahertz: float | None  # of the multiprocessors
    watts: float | None


class Sensors:
    """Clock and power as the driver reports them; None where it does not."""

    def __init__(self) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            self.nvml, self.device = pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)
        except Exception as error:
            print(f"no clocks and no power: {error}")
            self.nvml = None

    def read(self) -> tuple[float, float] | None:
        if not self.nvml:
            return None
        clock = self.nvml.nvmlDeviceGetClockInfo(self.device, self.nvml.NVML_CLOCK_SM)
        return clock, self.nvml.nvmlDeviceGetPowerUsage(self.device) / 1000


def event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)


def burst(run: Run) -> list[float]:
    """Milliseconds of each timed run, after an idle gap and a few runs to warm up."""
    torch.cuda.synchronize()
    time.sleep(IDLE_SECONDS)
    for _ in range(WARM_RUNS):
        run()
    spans = []
    for _ in range(TIMED_RUNS):
        begin, end = event(), event()
        begin.record()
        run()
        end.record()
        spans.append((begin, end))
    torch.cuda.synchronize()
    return [begin.elapsed_time(end) for begin, end in spans]


def bursts(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """The median of each, in milliseconds. They take turns, so that what drifts does so for all."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name] += burst(run)
    return {name: statistics.median(spans) for name, spans in times.items()}


def sustained(run: Run, milliseconds: float, sensors: Sensors, seconds: float = 0.8) -> Sustained:
    """The mean over the second half of so many seconds of nothing else."""
    torch.cuda.synchronize()
    half = max(4, int(seconds * 500 / milliseconds))
    begin, end = event(), event()
    for _ in range(half):
        run()
    begin.record()
    for _ in range(half):
        run()
    end.record()
    readings = []
    while not end.query():
        if begin.query() and (reading := sensors.read()):
            readings.append(reading)
        time.sleep(0.01)
    clock, power = (statistics.mean(column) for column in zip(*readings)) if readings else (None, None)
    return Sustained(begin.elapsed_time(end) / half, clock, power)


class Peaks(NamedTuple):
    operations: float  # a second, in a burst
    bytes: float  # a second, read and written
    attention: float  # operations a second of cuDNN's dense attention; nan: it failed


def measure_attention(rounds: int, length: int = 8192, batch: int = 4, heads: int = 16) -> float:
    tensors = torch.randn(3, batch, heads, length, ROOF_HEAD_SIZE, device="cuda", dtype=torch.bfloat16).unbind()
    try:
        run, _ = sdpa.prepare("cudnn", *tensors, is_causal=False)
        return 4 * ROOF_HEAD_SIZE * length**2 * batch * heads / bursts({"dense": run}, rounds)["dense"] * 1e3
    except Exception as error:
        print(f"no rate of dense attention: {error}")
        return math.nan


def measure_peaks(rounds: int) -> Peaks:
    """A product of two large random bf16 matrices by cuBLAS, and a large copy within the GPU's memory."""
    n, size = 8192, 1 << 32
    a, b = (torch.randn(n, n, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    product = torch.empty_like(a)
    source, target = torch.empty(size, device="cuda", dtype=torch.uint8).random_(), torch.empty(
        size, device="cuda", dtype=torch.uint8)
    times = bursts({"product": lambda: torch.mm(a, b, out=product), "copy": lambda: target.copy_(source)}, rounds)
    return Peaks(2 * n**3 / times["product"] * 1e3, 2 * size / times["copy"] * 1e3, measure_attention(rounds))
