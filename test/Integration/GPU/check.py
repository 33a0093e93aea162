#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the kernels of a folder of objects (bench/gpu/objects.py makes them) on a GPU, against float64.

Needs torch and NumPy, no compiler. Prints a line for each case that fails, and a summary. Cases run in a process of
their own (worker.py): a case that hangs or takes the process down fails, the rest of its kernel's cases are left out,
and another process goes on.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

MOST_DEATHS = 8


class Tally:
    """What has come of the cases so far."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)  # by kernel: passed, failed, left out
        self.worst: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # by kernel: of output and lse
        self.next_case = 0
        self.under_way: dict | None = None
        self.dead: list[str] = []  # kernels whose case ended its process
        self.last_words = ""
        self.is_complete = False

    def take(self, report: dict) -> None:
        """A line of worker.py."""
        if report["event"] == "begin":
            self.under_way, self.next_case = report, report["case"] + 1
        elif report["event"] == "left out":
            self.outcomes[report["kernel"]]["left out"] += 1
        elif report["event"] == "end":
            self.finish(report["ratios"], report["fault"])
        elif report["event"] == "last words":
            self.last_words = report["fault"]
        else:
            self.is_complete = report["event"] == "complete"

    def finish(self, ratios: list[float], fault: str | None) -> None:
        kernel, label = self.under_way["kernel"], self.under_way["label"]
        self.outcomes[kernel]["failed" if fault else "passed"] += 1
        self.worst[kernel] = [max(pair) for pair in zip(self.worst[kernel], ratios)]
        self.under_way = None
        if fault:
            print(f"FAIL {kernel}: {label}: {fault}", flush=True)

    def bury(self, code: int) -> None:
        """A process ended in the middle of a case."""
        self.dead.append(self.under_way["kernel"])
        self.finish([math.inf] * 2, f"broke the device: {self.last_words}" if self.last_words else
                    f"hung or took its process down (exit code {code})")
        self.last_words = ""

    def total(self, outcome: str) -> int:
        return sum(counts[outcome] for counts in self.outcomes.values())

    def print_summary(self) -> None:
        for kernel, counts in sorted(self.outcomes.items()):
            of_output, of_lse = self.worst[kernel]
            print(f"{kernel:34} {counts['passed']:3} passed {counts['failed']:3} failed"
                  f"   worst error ratio {of_output:.2f}, lse {of_lse:.2f}")
        left_out = f", {self.total('left out')} left out" if self.total("left out") else ""
        unfinished = "" if self.is_complete else ", not all were reached"
        print(f"{self.total('passed')} passed, {self.total('failed')} failed{left_out}{unfinished}")

    def is_right(self) -> bool:
        return self.is_complete and self.total("passed") > 0 and not self.total("failed") + self.total("left out")


def run_worker(arguments: argparse.Namespace, tally: Tally, deadline: float) -> None:
    """Starts a process at the next case and reads its reports until it ends."""
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(arguments.objects),
               f"--target={arguments.target}", f"--which={arguments.which}", f"--first={tally.next_case}",
               f"--select={arguments.select}",
               f"--seconds={deadline - time.monotonic():.0f}", *(f"--without={kernel}" for kernel in tally.dead)]
    command += ["--quick"] if arguments.quick else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        for line in worker.stdout:
            tally.take(json.loads(line))
    if worker.returncode and tally.under_way:
        tally.bury(worker.returncode)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("objects", type=Path, help="the folder of objects")
    parser.add_argument("--quick", action="store_true", help="every kernel once or twice, and what is refused")
    parser.add_argument("--which", choices=["check", "orders"], default="check", help="objects.py's --which (check)")
    parser.add_argument("--select", default="", help="only cases whose 'KERNEL: LABEL' has this in it")
    parser.add_argument("--minutes", type=float, default=9, help="no case starts later (9)")
    parser.add_argument("--target", default="sm_90a", help="what the objects are for (sm_90a); cpu needs no GPU")
    arguments = parser.parse_args()
    tally, deadline = Tally(), time.monotonic() + 60 * arguments.minutes
    deaths = -1
    while deaths < len(tally.dead) < MOST_DEATHS and time.monotonic() < deadline:
        deaths = len(tally.dead)
        run_worker(arguments, tally, deadline)
    tally.print_summary()
    return 0 if tally.is_right() else 1


if __name__ == "__main__":
    sys.exit(main())
