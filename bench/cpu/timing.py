# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times calls in turns, and the peaks of this machine in the same turns.

What runs in one thread is timed by that thread's own time, which other programs do not lengthen; the rest by the clock
on the wall.
"""

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Run = Callable[[], object]

SHORTEST = 2e-3  # seconds that a sample takes at least, of as many calls as that needs
MOST_SAMPLES = 9


class Effort(NamedTuple):
    rounds: int
    seconds: float  # that a contender's samples take in a round, about
    cases: int | None  # of a group; None: all


FULL, QUICK = Effort(5, 0.1, None), Effort(2, 0.02, 1)


def time_call(run: Run, clock: Callable[[], float], seconds: float) -> float:
    """Seconds of a call, the median of samples, after one that is not counted."""
    begin = clock()
    run()
    first = clock() - begin
    calls = max(1, round(SHORTEST / max(first, 1e-6)))
    samples = []
    for _ in range(max(1, min(MOST_SAMPLES, round(seconds / (calls * max(first, 1e-6)))))):
        begin = clock()
        for _ in range(calls):
            run()
        samples.append((clock() - begin) / calls)
    return statistics.median(samples)


Rounds = list[dict[str, float]]


def take_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> Rounds:
    """What each contender measures, round by round."""
    return [{name: measure() for name, measure in contenders.items()} for _ in range(rounds)]


def median_of(rounds: Rounds, name: str) -> float:
    return statistics.median(row[name] for row in rounds)


def ratio_of(rounds: Rounds, upper: str, lower: str) -> float:
    """The median over the rounds of one's number over another's."""
    return statistics.median(row[upper] / row[lower] for row in rounds)


class Peaks:
    """The programs fma-peak and read-bandwidth."""

    def __init__(self, folder: Path):
        self.folder = folder

    def run(self, program: str, *arguments: int, count: int = 1) -> list[str]:
        """What a program prints, of so many of it at a time."""
        command = [str(self.folder / program), *map(str, arguments)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        printed = [process.communicate()[0] for process in running]
        if any(process.returncode for process in running):
            raise OSError(f"{program} does not run here")
        return printed

    def multiply(self, threads: int = 1) -> dict[tuple[str, str], float]:
        """Operations a second of as many cores, by element type and instruction set."""
        rates: dict[tuple[str, str], float] = {}
        for text in self.run("fma-peak", count=threads):
            for element, isa, rate in map(str.split, text.splitlines()):
                rates[element, isa] = rates.get((element, isa), 0) + float(rate) * 1e9
        return rates

    def read(self, size: int) -> float:
        """Bytes a second of one core that reads so many again and again."""
        return float(self.run("read-bandwidth", size)[0]) * 1e9
