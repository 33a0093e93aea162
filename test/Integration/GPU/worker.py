# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs cases one after another for check.py, and reports each as a line of JSON. Ends at the first one that breaks the
device or takes too long."""

import argparse
import faulthandler
import itertools
import json
import os
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).parents[3]
sys.path[:0] = [str(SOURCE / folder) for folder in ("bench/gpu", "test/Python", "python")]

import torch  # noqa: E402
from cases import Case, all_cases  # noqa: E402
from kernel import Kernel, KernelError  # noqa: E402
from linear_cases import linear_cases  # noqa: E402
from objects import Object, objects_for  # noqa: E402
from problems import Wrong  # noqa: E402


def report(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class Worker:
    def __init__(self, folder: Path, without: list[str], most_seconds: float):
        self.folder, self.most_seconds = folder, most_seconds
        self.without = set(without)  # names of kernels whose cases are left out
        self.kernels: dict[str, Kernel] = {}

    def kernel_of(self, made: Object) -> Kernel:
        """Loaded once; one that cannot be is given up."""
        if made.name not in self.kernels:
            try:
                self.kernels[made.name] = Kernel(made.file(self.folder))
            except (KernelError, OSError, ValueError) as error:
                self.without.add(made.name)
                raise Wrong(f"cannot be loaded: {error}") from None
        return self.kernels[made.name]

    def answer(self, case: Case) -> tuple[tuple[float, float], str | None]:
        """Error ratios, and what is wrong if anything is."""
        try:
            ratios = case.run(self.kernel_of(case.made))
        except Wrong as wrong:
            return (0.0, 0.0), str(wrong)
        except Exception as error:  # a mistake in one case should not hide the others
            return (0.0, 0.0), f"{type(error).__name__}: {str(error).splitlines()[0]}"
        return ratios, None if max(ratios) <= 1 else f"error ratio {ratios[0]:.3g}, lse {ratios[1]:.3g}"

    def run(self, number: int, case: Case) -> None:
        if case.made.name in self.without:
            report("left out", case=number, kernel=case.made.name)
            return
        report("begin", case=number, kernel=case.made.name, label=case.label)
        faulthandler.dump_traceback_later(self.most_seconds, exit=True)
        ratios, fault = self.answer(case)
        if fault and is_device_broken():
            report("last words", fault=fault)
            os._exit(1)  # tidying up would wait for the device
        faulthandler.cancel_dump_traceback_later()
        report("end", ratios=ratios, fault=fault)


def is_device_broken() -> bool:
    """Whether an earlier error keeps all later work from running, as one in a GPU kernel does."""
    try:
        if torch.cuda.is_available():
            torch.ones(1, device="cuda").item()
    except RuntimeError:
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("objects", type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--which", default="check", help="the objects that there are")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--select", default="")
    parser.add_argument("--without", action="append", default=[], help="a kernel whose cases are left out")
    parser.add_argument("--seconds", type=float, default=1e9, help="no case starts later")
    parser.add_argument("--most-seconds", type=float, default=60, help="a case that takes longer hangs (60)")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    worker = Worker(arguments.objects, arguments.without, arguments.most_seconds)
    given = arguments.target, arguments.quick
    there = set(objects_for(arguments.target, arguments.which))
    for number, case in enumerate(itertools.chain(all_cases(*given), linear_cases(*given))):
        is_chosen = case.made in there and arguments.select in f"{case.made.name}: {case.label}"
        if number < arguments.first or not is_chosen:
            continue
        if time.monotonic() > end:
            return
        worker.run(number, case)
    report("complete")


if __name__ == "__main__":
    main()
