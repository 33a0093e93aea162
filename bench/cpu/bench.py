#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times CPU kernels beside PyTorch's and ONNX Runtime's and beside this machine's peaks, all in turns in one run.

Needs a folder of objects (objects_of_cases.py makes it), this tree and NumPy; a rival that is not installed, or
computes something else, is a missing row. Packing of keys and values is inside the time. Outputs are judged before they
are timed. docs/performance.md says what is measured and how.
"""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rivals
import tables
import timing
from cases import GROUPS, REFERENCES, Case, Group
from judging import Sample, draw, error_ratio, make_samples, to_f32
from ours import Call
from rivals import Missing, NotOffered
from tables import Row

OURS = "attn-mlir"
MOST_RIVAL_ERROR = 2  # a rival with a larger error ratio computes something else
ELEMENT_BYTES = {"f32": 4, "bf16": 2}


def peak_of(rates: dict[tuple[str, str], float], element: str, isa: str) -> float:
    """Of the instructions that a kernel multiplies by; those of f32 where an element type has none."""
    keys = (element, isa), ("f32", isa), ("f32", "avx512"), ("f32", "avx2")
    return next(rates[key] for key in keys if key in rates)


def kept_bytes(case: Case) -> int:
    """Of keys and values."""
    return 2 * case.kv_length * case.heads * case.made.head_size * ELEMENT_BYTES[case.made.element]


def judge(output: np.ndarray, samples: list[Sample], most: float) -> float:
    """The error ratio; raises Missing where it is larger than `most`."""
    ratio = error_ratio(output, samples)
    if not ratio <= most:
        raise Missing(f"wrong: error ratio {ratio:.3g}")
    return ratio


class Bench:
    def __init__(self, folder: Path, effort: timing.Effort):
        self.folder, self.effort, self.peaks = folder, effort, timing.Peaks(folder)
        self.plans = json.loads((folder / "plans.json").read_text())

    def operations(self, case: Case) -> float:
        """What is multiplied, padding included."""
        return 4 * case.made.head_size * self.plans[case.key]["computed_pairs"] * case.heads

    def timer(self, run: timing.Run, threads: int) -> Callable[[], float]:
        clock = time.thread_time if threads == 1 else time.perf_counter
        return functools.partial(timing.time_call, run, clock, self.effort.seconds)

    # ------------------------------------------------------------------------------------------------------------------
    # Contenders: functions that measure, by what their number is called
    # ------------------------------------------------------------------------------------------------------------------

    def prepare_rivals(self, case: Case, names: tuple[str, ...], arrays: list[np.ndarray], samples: list[Sample],
                       row: Row) -> dict[str, Callable[[], float]]:
        """Those that give the right answer; why others do not take part goes into the row."""
        contenders = {}
        for name in names:
            try:
                run, read = rivals.find(name).prepare(case, arrays)
                judge(read(run()), samples, MOST_RIVAL_ERROR)
            except NotOffered:
                continue
            except Exception as error:  # one that fails is a missing one
                row["missing"][name] = rivals.first_line(error)
                continue
            contenders[name] = self.timer(run, case.threads)
        return contenders

    def prepare_references(self, case: Case, call: Call, arrays: list[np.ndarray],
                           wanted: set[str]) -> dict[str, Callable[[], float]]:
        """Rates, and times of our own, that a share is taken of."""
        def peak(threads: int = 1) -> float:
            return peak_of(self.peaks.multiply(threads), case.made.element, call.isa)

        contenders: dict[str, Callable[[], float]] = {"peak": peak}
        if "read" in wanted:
            size = kept_bytes(case)
            contenders = {"read": lambda: self.peaks.read(size) / size}  # of all of it, a second
        if "dense" in wanted:
            dense = REFERENCES[case.made.element]
            contenders["dense"] = self.timer(Call(self.folder, dense, *draw(dense), 1).run, 1)
        if "scaling" in wanted:
            contenders["peak of threads"] = lambda: peak(case.threads)
            contenders["one thread"] = self.timer(Call(self.folder, case, *arrays, 1).run, case.threads)
        return contenders

    def shares(self, case: Case, isa: str, rounds: timing.Rounds) -> dict[str, float]:
        """What of each reference is reached, by the names of Group.least."""
        def share(work: float, reference: str) -> float:
            return timing.ratio_of([row | {"rate": work / row[OURS]} for row in rounds], "rate", reference)

        operations, found = self.operations(case), {}
        if "peak" in rounds[0]:
            found["peak"] = share(operations / case.threads, "peak")
            if isa == "amx":
                found["amx"] = found["peak"]
        if "read" in rounds[0]:
            found["read"] = share(1, "read")
        if "dense" in rounds[0]:
            dense = self.operations(REFERENCES[case.made.element])
            found["dense"] = timing.ratio_of(rounds, "dense", OURS) * operations / dense
        if "one thread" in rounds[0]:
            of_peak = timing.ratio_of(rounds, "peak of threads", "peak")
            found["scaling"] = timing.ratio_of(rounds, "one thread", OURS) / of_peak
        return found

    # ------------------------------------------------------------------------------------------------------------------
    # Rows
    # ------------------------------------------------------------------------------------------------------------------

    def measure(self, case: Case, group: Group) -> Row:
        plan = self.plans[case.key]
        row: Row = {"case": str(case), "pattern": case.made.pattern, "length": case.kv_length, **plan,
                    "waste": plan["computed_pairs"] / plan["admitted_pairs"], "missing": {}, "reached": {}}
        arrays = draw(case)
        samples = make_samples(case, arrays)
        try:
            call = Call(self.folder, case, *arrays, case.threads)
            row |= {"isa": call.isa, "error_ratio": judge(to_f32(call.run()), samples, 1)}
        except Exception as error:
            row["missing"]["ours"] = rivals.first_line(error)
            return row
        compared = {OURS: self.timer(call.run, case.threads)}
        compared |= self.prepare_rivals(case, group.rivals, arrays, samples, row)
        references = self.prepare_references(case, call, arrays, set(group.least))
        rounds = timing.take_turns(compared | references, self.effort.rounds)
        return row | self.summarize(case, call.isa, list(compared), rounds)

    def summarize(self, case: Case, isa: str, compared: list[str], rounds: timing.Rounds) -> Row:
        times = {name: 1e3 * timing.median_of(rounds, name) for name in compared}
        done = (f"{kept_bytes(case) / times[OURS] * 1e-6:.1f} GB/s" if "read" in rounds[0] else
                f"{self.operations(case) / times[OURS] * 1e-6:.1f} GFLOP/s")
        ratios = {name: timing.ratio_of(rounds, name, OURS) for name in compared if name != OURS}
        return {"ms": times[OURS], "all_ms": times, "rate": done, "rounds": rounds,
                "reached": self.shares(case, isa, rounds) | ratios}

    def measure_group(self, name: str) -> list[Row]:
        rows = []
        for case in GROUPS[name].cases[: self.effort.cases]:
            rows.append(self.measure(case, GROUPS[name]))
            print(f"[{name}] {tables.one_line(rows[-1])}", flush=True)
        return rows


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=Path, required=True, help="the folder that objects_of_cases.py made")
    parser.add_argument("--select", help=f"groups, of {','.join(GROUPS)}; separated by commas (all)")
    parser.add_argument("--quick", action="store_true", help="two short rounds, and the first case of each group")
    parser.add_argument("--json", type=Path, help="also writes all numbers to this file")
    parser.add_argument("--markdown", type=Path, help="also writes the report to this file")
    parser.add_argument("--plots", type=Path, help="also draws pictures into this folder")
    options = parser.parse_args()
    options.selected = options.select.split(",") if options.select else list(GROUPS)
    if unknown := [name for name in options.selected if name not in GROUPS]:
        parser.error(f"unknown group '{unknown[0]}'; use {', '.join(GROUPS)}")
    if not (options.objects / "plans.json").exists():
        parser.error(f"'{options.objects}' holds no plans.json; make it with objects_of_cases.py")
    return options


def draw_plots(groups: dict[str, list[Row]], folder: Path) -> None:
    try:
        import plots
    except ImportError as error:
        print(f"no pictures: {error}")
        return
    plots.plot_all(groups, folder)


def main() -> int:
    """0: all of our kernels ran and were right."""
    options = parse()
    bench = Bench(options.objects, timing.QUICK if options.quick else timing.FULL)
    peaks = {" ".join(key): rate * 1e-9 for key, rate in bench.peaks.multiply().items()}
    groups = {name: bench.measure_group(name) for name in options.selected}
    report = tables.write_report(peaks, groups)
    print("\n" + report, end="", flush=True)
    if options.markdown:
        options.markdown.write_text(report)
    if options.json:
        numbers = {"environment": tables.environment(peaks), "groups": groups, "verdicts": tables.verdicts(groups)}
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")
    if options.plots:
        draw_plots(groups, options.plots)
    return 0 if all("ms" in row for rows in groups.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
