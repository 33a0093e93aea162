# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The GPU benchmark's report: Markdown tables, and whether each group shows what it has to."""

import datetime
import math
from typing import Any

import torch
from measure import Peaks
from rows import GROUPS, SPARSE_LENGTHS, document_lengths

OURS = "attn-mlir"
LEAST_FALLBACK = 0.98  # of the cubin's speed

Result = dict[str, Any]


def ratio(row: Result, rival: str) -> float | None:
    """How many times faster ours is."""
    ours, theirs = (row["results"].get(name, {}).get("burst_ms") for name in (OURS, rival))
    return theirs / ours if ours and theirs else None


def describe_result(result: Result) -> str:
    """Burst time and rate; sustained rate, clock and power."""
    if "burst_ms" not in result:
        return f"missing ({result.get('missing', 'not run')})"
    text = f"{result['burst_ms']:.3f} ms {result['tflops']:.0f}"
    if "sustained_tflops" in result:
        text += f" / {result['sustained_tflops']:.0f}"
    if result.get("megahertz"):
        text += f" ({result['megahertz']:.0f} MHz, {result['watts']:.0f} W)"
    return text + ("*" if result.get("remark") else "")


def one_line(row: Result) -> str:
    parts = [f"{name} {describe_result(result)}" for name, result in row["results"].items()]
    return f"{row['case']} N={row['length']} floor {row['floor_ms']:.3f} ms: " + "; ".join(parts)


def table(rows: list[Result], rivals: tuple[str, ...]) -> list[str]:
    """Markdown: a line for each row."""
    names = (OURS, *rivals)
    heads = ["case", "N", "floor ms", *names, *(f"× {rival}" for rival in rivals), "error"]
    if rivals == ("flex",):
        heads += ["workspace", "its mask: ms, MB, compile s"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        ours = row["results"][OURS]
        ratios = [ratio(row, rival) for rival in rivals]
        cells = [row["case"], row["length"], f"{row['floor_ms']:.3f}",
                 *(describe_result(row["results"].get(name, {})) for name in names),
                 *("-" if value is None else f"{value:.2f}" for value in ratios),
                 f"{ours.get('error_ratio', math.nan):.2f}"]
        if rivals == ("flex",):
            other = row["results"].get("flex", {})
            cells += [ours.get("workspace_bytes", "-"), "{:.1f}, {:.0f}, {:.0f}".format(
                other["mask_ms"], other["mask_bytes"] / 1e6, other["compile_seconds"]) if "mask_ms" in other else "-"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def verdict(name: str, rows: list[Result]) -> tuple[bool, str]:
    """Whether a group shows what it has to."""
    group = GROUPS[name]
    rival = group.rivals[0]
    ratios = [ratio(row, rival) for row in rows]
    if not ratios or None in ratios:
        return False, f"FAIL {name}: {ratios.count(None)} of {len(ratios)} rows have no ratio to {rival}"
    mean, least = math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios)
    is_right = mean >= group.least_mean and least >= group.least
    return is_right, (f"{'PASS' if is_right else 'FAIL'} {name}: geometric mean {mean:.3f} × {rival} (at least "
                      f"{group.least_mean}), lowest {least:.3f} (at least {group.least})")


def fallback_lines(rows: list[Result]) -> list[str]:
    lines = ["| case | N | cubin: load s, ms | PTX: load s, ms | cubin's time / PTX's |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [f"missing ({row['missing']})"] if "missing" in row else [
            *(f"{row[f'{name}_load_seconds']:.3f}, {row[f'{name}_ms']:.3f}" for name in ("cubin", "ptx")),
            f"{row['cubin_ms'] / row['ptx_ms']:.3f}"]
        lines.append(f"| {row['case']} | {row['length']} | " + " | ".join(cells) + " |")
    return lines


def fallback_verdict(rows: list[Result]) -> tuple[bool, str]:
    if any("missing" in row for row in rows):
        return False, "FAIL ptx: a row is missing"
    lowest = min(row["cubin_ms"] / row["ptx_ms"] for row in rows)
    word = "PASS" if lowest >= LEAST_FALLBACK else "FAIL"
    return lowest >= LEAST_FALLBACK, f"{word} ptx: {lowest:.3f} of the cubin's speed (at least {LEAST_FALLBACK})"


def environment(peaks: Peaks) -> list[str]:
    versions = {"torch": torch.__version__, "CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
    try:
        import triton

        versions["triton"] = triton.__version__
    except ImportError:
        pass
    return [f"{datetime.date.today()}, {torch.cuda.get_device_name()}; "
            + ", ".join(f"{name} {version}" for name, version in versions.items()),
            f"Peaks of this run: {peaks.operations * 1e-12:.0f} TFLOP/s (cuBLAS, bf16), {peaks.bytes * 1e-12:.2f} TB/s "
            "(copy, read and written)."]


def describe_documents() -> str:
    texts = []
    for length in SPARSE_LENGTHS:
        lengths = document_lengths(length)
        texts.append(f"{len(lengths)} of {min(lengths)} to {max(lengths)}, mean {length / len(lengths):.0f}, "
                     f"first {', '.join(map(str, lengths[:6]))} (N={length})")
    return "Documents: " + "; ".join(texts)


def write_report(peaks: Peaks, groups: dict[str, list[Result]], fallback: list[Result]) -> str:
    lines = environment(peaks)
    for rivals in dict.fromkeys(GROUPS[name].rivals for name in groups):
        rows = [row for name in groups if GROUPS[name].rivals == rivals for row in groups[name]]
        lines += ["", "ms of a burst, TFLOP/s in the burst / sustained (clock, power); × is how many times faster", "",
                  *table(rows, rivals)]
    results = [result for rows in groups.values() for row in rows for result in row["results"].values()]
    remarks = sorted({f"\\* {result['remark']}" for result in results if result.get("remark")})
    lines += ["", *remarks] if remarks else []
    lines += ["", describe_documents()] if "document" in groups else []
    lines += ["", *fallback_lines(fallback)] if fallback else []
    lines += ["", *(f"- {text}" for _, text in verdicts(groups, fallback))]
    return "\n".join(lines) + "\n"


def verdicts(groups: dict[str, list[Result]], fallback: list[Result]) -> list[tuple[bool, str]]:
    of_groups = [verdict(name, rows) for name, rows in groups.items()]
    return of_groups + ([fallback_verdict(fallback)] if fallback else [])
