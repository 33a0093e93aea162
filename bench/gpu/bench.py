#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times the kernels of a folder of objects (objects.py makes them) beside PyTorch's on one GPU, in one run.

Every output is judged against float64 first. docs/performance.md says what is measured and how.
"""

import os

os.environ["CUDA_CACHE_DISABLE"] = "1"  # PTX is to be compiled when it is loaded, not found from an earlier run

import argparse  # noqa: E402
import faulthandler  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "test" / "Python"))

import flex  # noqa: E402
import masks  # noqa: E402
import measure  # noqa: E402
import numpy as np  # noqa: E402
import reordered  # noqa: E402
import sdpa  # noqa: E402
import torch  # noqa: E402
import torch._dynamo  # noqa: E402
from judge import Outputs, Question, answer, eager, error_ratios, exact  # noqa: E402
from kernel import Kernel  # noqa: E402
from measure import Run, Sensors  # noqa: E402
from objects import Object  # noqa: E402
from report import OURS, Measured, Result, environment, one_line, verdicts, write_report  # noqa: E402
from rows import (  # noqa: E402
    BLOCK, FALLBACK_ROWS, GROUPS, QUICK_LENGTH, RIVALS, SEED, SPARSE_LENGTHS, Group, Row, admitted_pairs,
    document_lengths)
from scores import SCORES  # noqa: E402

SAMPLED_ROWS = 96
MOST_RIVAL_ERROR = 2  # a rival with a larger error ratio computes something else
MOST_SECONDS = 180  # for a row, compilations included


# ----------------------------------------------------------------------------------------------------------------------
# A row's contenders
# ----------------------------------------------------------------------------------------------------------------------


def draw(row: Row) -> list[torch.Tensor]:
    random = torch.Generator("cuda").manual_seed(SEED)
    return [torch.randn(row.batch, heads, row.length, row.made.head_size, device="cuda", generator=random,
                        dtype=torch.bfloat16) for heads in (row.heads, row.kv_heads, row.kv_heads)]


def flex_mods(row: Row) -> tuple[flex.Mod, flex.Mod | None]:
    """The mask and the score of a row in FlexAttention's form."""
    a, score = row.arguments, row.score_arguments
    mask = {
        "causal": lambda: flex.is_causal,
        "sliding_window": lambda: flex.window(a["left"], a["right"]),
        "longformer": lambda: flex.longformer(len(a["global_"]), a["left"], a["right"]),
        "dilated_window": lambda: flex.dilated_window(**a),
        "sparse_strided": lambda: flex.sparse_strided(**a),
        "sparse_fixed": lambda: flex.sparse_fixed(**a),
        "axial": lambda: flex.axial(**a),
        "bigbird": lambda: flex.bigbird(torch.tensor(a["random"][0]).cuda(), BLOCK),
        "neighborhood": lambda: flex.neighborhood(row.length, **a),
        "document_causal": lambda: flex.document_causal(torch.from_numpy(a["segments"]).cuda()),
    }[row.made.pattern]()
    return mask, {None: lambda: None, "alibi": lambda: flex.alibi(row.heads),
                  "softcap": lambda: flex.softcap(score["cap"])}[row.made.score]()


def prepare_rival(rival: str, row: Row, tensors: list[torch.Tensor]) -> tuple[Run, Result]:
    """What runs it, and what else is known of it."""
    if reordered.is_form(rival):
        return reordered.prepare(rival, row.made.pattern, tensors, row.arguments), {}
    if rival != "flex":
        run, remark = sdpa.prepare(rival, *tensors, is_causal=row.made.pattern == "causal")
        return run, {"remark": remark} if remark else {}
    block = BLOCK if row.made.pattern == "bigbird" else None
    prepared = flex.prepare(*tensors, *flex_mods(row), block)
    return prepared.run, {"mask_ms": prepared.mask_ms, "mask_bytes": prepared.mask_bytes,
                          "compile_seconds": prepared.compile_seconds}


def prepare_ours(kernel: Kernel, row: Row, tensors: list[torch.Tensor]) -> tuple[Run, Result]:
    call = kernel.prepare(*tensors, **row.arguments, **row.score_arguments)
    call.output.fill_(math.nan)  # what is left out shows
    call.lse.fill_(math.nan)
    return call.run, {"workspace_bytes": call.call.workspace_bytes}


# ----------------------------------------------------------------------------------------------------------------------
# Judging
# ----------------------------------------------------------------------------------------------------------------------


def sample_question(row: Row, tensors: list[torch.Tensor], rows: np.ndarray, batch: int, kv_head: int) -> Question:
    """Some rows of the query heads of one key head."""
    group = row.heads // row.kv_heads
    heads = slice(kv_head * group, (kv_head + 1) * group)
    q, k, v = tensors
    positions, keys = rows[:, None], np.arange(row.length)[None]
    mask = np.broadcast_to(masks.MASKS[row.made.pattern](positions, keys, **mask_arguments(row.arguments)),
                           (len(rows), row.length))
    score = SCORES[row.made.score] if row.made.score else None
    count = {"heads": row.heads} if row.made.score == "alibi" else {}  # which a kernel knows by itself
    return Question(
        q[batch : batch + 1, heads][:, :, rows], k[batch : batch + 1, kv_head : kv_head + 1],
        v[batch : batch + 1, kv_head : kv_head + 1], torch.from_numpy(mask.copy()).cuda()[None, None],
        torch.from_numpy(rows).cuda(), torch.arange(row.length, device="cuda"), row.made.head_size**-0.5,
        (lambda *x: score(*x, **count, **row.score_arguments)) if score else None, batch, heads.start)


def mask_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Lists as arrays; of tables that are the same for all heads one head's."""
    arrays = {name: np.array(value) if isinstance(value, list) else value for name, value in arguments.items()}
    return {name: value[0] if name == "random" else value for name, value in arrays.items()}


class Sample:
    """Rows of the first and of the last head of a call, and what is right there."""

    def __init__(self, row: Row, tensors: list[torch.Tensor]):
        random = np.random.default_rng(SEED)
        rows = np.unique(np.concatenate([np.arange(8), row.length - 1 - np.arange(8),
                                         random.integers(0, row.length, SAMPLED_ROWS - 16)]))
        self.rows = torch.from_numpy(rows).cuda()
        self.questions = [sample_question(row, tensors, rows, *place)
                          for place in ((0, 0), (row.batch - 1, row.kv_heads - 1))]
        self.answers = [(answer(exact, question), answer(eager, question)) for question in self.questions]

    def error_ratio(self, given: Any) -> float:
        """Of an output, or of an output and lse: the larger one."""
        output, lse = given if isinstance(given, tuple) else (given, None)
        worst = 0.0
        for question, (right, rounded) in zip(self.questions, self.answers):
            batch, head = question.first_batch, question.first_head
            heads = slice(head, head + question.q.shape[1])
            part = [None if x is None else x[batch : batch + 1, heads][:, :, self.rows] for x in (output, lse)]
            worst = max(worst, *error_ratios(Outputs(*part), right, rounded, torch.bfloat16))
        return worst


def missing(error: Exception) -> Result:
    return {"missing": f"{type(error).__name__}: {str(error).strip()[:120]}".splitlines()[0]}


# ----------------------------------------------------------------------------------------------------------------------
# Measuring a row
# ----------------------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments, self.sensors = arguments, Sensors()
        self.rounds = 1 if arguments.quick else 2
        self.deadline = time.monotonic() + 60 * arguments.minutes
        self.peaks = measure.measure_peaks(self.rounds)

    def is_late(self) -> bool:
        return time.monotonic() > self.deadline

    def measure_row(self, row: Row, rivals: tuple[str, ...]) -> Result:
        torch.cuda.empty_cache()
        torch._dynamo.reset()  # torch.compile keeps but so many versions of a function
        tensors = draw(row)
        sample = Sample(row, tensors)
        runs: dict[str, Run] = {}
        results: dict[str, Result] = {}
        forms = reordered.names(row.made.pattern) if "reordered" in rivals else []
        for name in [OURS, *(rival for rival in rivals if rival != "reordered"), *forms]:
            results[name] = self.prepare(name, row, tensors, sample, runs)
        for name, milliseconds in measure.bursts(runs, self.rounds).items():
            results[name]["burst_ms"] = milliseconds
        if not self.arguments.quick:
            for name, run in runs.items():
                results[name] |= measure.sustained(run, results[name]["burst_ms"], self.sensors)._asdict()
        return self.describe(row, reordered.keep_best(results))

    def prepare(self, name: str, row: Row, tensors: list[torch.Tensor], sample: Sample,
                runs: dict[str, Run]) -> Result:
        """Adds what runs a contender, if it gives the right answer; says what is known of it, or why it is missing."""
        try:
            if name == OURS:
                run, result = prepare_ours(Kernel(row.made.file(self.arguments.objects)), row, tensors)
            else:
                run, result = prepare_rival(name, row, tensors)
            result["error_ratio"] = sample.error_ratio(run())
        except Exception as error:  # a contender that fails is a missing one
            return missing(error)
        if not result["error_ratio"] <= (1 if name == OURS else MOST_RIVAL_ERROR):
            return {**result, "missing": f"wrong: error ratio {result['error_ratio']:.3g}"}
        runs[name] = run
        return result

    def describe(self, row: Row, results: dict[str, Result]) -> Result:
        """The row with its floor, the time that its operations or its bytes need at this machine's peaks, and with its
        roof, where operations are done at the rate of the vendor's dense attention."""
        pairs, d = admitted_pairs(row), row.made.head_size
        operations = 4 * d * pairs * row.batch * row.heads
        size = row.batch * row.length * (2 * d * (2 * row.heads + 2 * row.kv_heads) + 4 * row.heads)
        by_operations, by_bytes = operations / self.peaks.operations * 1e3, size / self.peaks.bytes * 1e3
        is_roofed = d == measure.ROOF_HEAD_SIZE
        roof = {"roof_ms": max(operations / self.peaks.attention * 1e3, by_bytes)} if is_roofed else {}
        for result in results.values():
            if "burst_ms" in result:
                result["tflops"] = operations / result["burst_ms"] * 1e-9
            if "sustained_ms" in result:
                result["sustained_tflops"] = operations / result["sustained_ms"] * 1e-9
        return {"case": str(row), "length": row.length, "batch": row.batch, "heads": row.heads,
                "kv_heads": row.kv_heads, "head_size": d, "admitted_pairs": pairs, "operations": operations,
                "bytes": size, "floor_ms": max(by_operations, by_bytes),
                "floor_of": "operations" if by_operations > by_bytes else "bytes", **roof, "results": results}

    def measure_or_miss(self, row: Row, rivals: tuple[str, ...]) -> Result:
        """A row that cannot be measured says why, and the rest goes on; one that hangs ends the run."""
        if self.is_late():
            return self.describe(row, {OURS: {"missing": "out of time"}})
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        try:
            return self.measure_row(row, rivals)
        except Exception as error:
            return self.describe(row, {OURS: missing(error)})
        finally:
            faulthandler.cancel_dump_traceback_later()

    def measure_group(self, name: str, group: Group) -> Measured:
        measured = Measured(group, [])
        for row in group.quick_rows() if self.arguments.quick else group.rows:
            measured.rows.append(self.measure_or_miss(row, group.rivals))
            print(f"[{name}] {one_line(measured.rows[-1])}", flush=True)
        return measured

    # ------------------------------------------------------------------------------------------------------------------
    # Loading, and PTX instead of the cubin
    # ------------------------------------------------------------------------------------------------------------------

    def load(self, made: Object, is_ptx: bool) -> tuple[Kernel, float]:
        """A kernel and the seconds it took to load."""
        if is_ptx:
            os.environ["ATTN_GPU_FORCE_PTX"] = "1"
        begin = time.perf_counter()
        kernel = Kernel(made.file(self.arguments.objects))
        seconds = time.perf_counter() - begin
        os.environ.pop("ATTN_GPU_FORCE_PTX", None)
        return kernel, seconds

    def measure_fallback(self, row: Row) -> Result:
        result: Result = {"case": str(row), "length": row.length}
        try:
            tensors, runs = draw(row), {}
            for name in ("cubin", "ptx"):
                kernel, result[f"{name}_load_seconds"] = self.load(row.made, name == "ptx")
                runs[name] = prepare_ours(kernel, row, tensors)[0]
            for name, milliseconds in measure.bursts(runs, 2 * self.rounds).items():
                result[f"{name}_ms"] = milliseconds
        except Exception as error:
            result |= missing(error)
        return result


def choose(parser: argparse.ArgumentParser, what: str, given: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names separated by commas; all where none is given."""
    chosen = tuple(given.split(",")) if given else known
    if unknown := [name for name in chosen if name not in known]:
        parser.error(f"unknown {what} '{unknown[0]}'; use {', '.join(known)}")
    return chosen


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("objects", type=Path, help="the folder of objects")
    parser.add_argument("--select", help=f"groups, of {','.join(GROUPS)},ptx; separated by commas (all)")
    parser.add_argument("--rivals", help=f"beside which rivals, of {','.join(RIVALS)}; separated by commas (all)")
    parser.add_argument("--quick", action="store_true",
                        help=f"one round, bursts only; of a group no length above {QUICK_LENGTH} if it has others")
    parser.add_argument("--minutes", type=float, default=8, help="no row starts later (8)")
    parser.add_argument("--json", type=Path, help="also writes all numbers to this file")
    parser.add_argument("--markdown", type=Path, help="also writes the report to this file")
    arguments = parser.parse_args()
    arguments.selected = choose(parser, "group", arguments.select, (*GROUPS, "ptx"))
    arguments.against = choose(parser, "rival", arguments.rivals, RIVALS)
    if not torch.cuda.is_available():
        parser.error("torch sees no GPU; run this where there is one")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    bench = Bench(arguments)
    # First, so that no kernel has been loaded yet.
    fallback = [bench.measure_fallback(row) for row in FALLBACK_ROWS] if "ptx" in arguments.selected else []
    groups = {name: bench.measure_group(name, group.against(arguments.against))
              for name, group in GROUPS.items() if name in arguments.selected}
    report = write_report(bench.peaks, groups, fallback)
    decided = verdicts(groups, fallback)
    if arguments.markdown:
        arguments.markdown.write_text(report)
    if arguments.json:
        numbers = {"environment": environment(bench.peaks), "peaks": bench.peaks._asdict(),
                   "groups": {name: measured.rows for name, measured in groups.items()}, "ptx": fallback,
                   "documents": {length: document_lengths(length) for length in SPARSE_LENGTHS},
                   "verdicts": [text for _, text in decided]}
        arguments.json.write_text(json.dumps(numbers, indent=1, default=float) + "\n")
    print("\n" + report, end="", flush=True)
    return 0 if all(is_right for is_right, _ in decided) else 1


if __name__ == "__main__":
    sys.exit(main())
