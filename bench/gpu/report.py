# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The GPU benchmark's report: Markdown tables, and whether each group shows what it has to."""

import datetime
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from measure import Peaks
from rows import SPARSE_LENGTHS, Group, Target, document_lengths

OURS = "attn-mlir"
LEAST_FALLBACK = 0.98  # of the cubin's speed

Result = dict[str, Any]


class Measured(NamedTuple):
    group: Group
    rows: list[Result]


def ratio(row: Result, rival: str) -> float | None:
    """How many times faster ours is."""
    ours, theirs = (row["results"].get(name, {}).get("burst_ms") for name in (OURS, rival))
    return theirs / ours if ours and theirs else None


def roofs(row: Result) -> float | None:
    """How many times longer than its roof ours takes."""
    ours, roof = row["results"][OURS].get("burst_ms"), row.get("roof_ms")
    return ours / roof if ours and roof else None


def describe_result(result: Result) -> str:
    """Burst time and rate; sustained rate, clock and power."""
    if "burst_ms" not in result:
        return f"missing ({result.get('missing', 'not run')})"
    text = f"{result['burst_ms']:.3f} ms {result['tflops']:.0f}"
    if "sustained_tflops" in result:
        text += f" / {result['sustained_tflops']:.0f}"
    if result.get("megahertz"):
        text += f" ({result['megahertz']:.0f} MHz, {result['watts']:.0f} W)"
    if "form" in result:
        text += f" ({result['form']})"
    return text + ("*" if result.get("remark") else "")


def one_line(row: Result) -> str:
    parts = [f"{name} {describe_result(result)}" for name, result in row["results"].items()]
    return f"{row['case']} N={row['length']} floor {row['floor_ms']:.3f} ms: " + "; ".join(parts)


def table(rows: list[Result], rivals: tuple[str, ...]) -> list[str]:
    """Markdown: a line for each row."""
    names = (OURS, *rivals)
    heads = ["case", "N", "floor ms", "roof ms", *names, *(f"× {rival}" for rival in rivals), "time / roof", "error"]
    if "flex" in rivals:
        heads += ["workspace", "flex's mask: ms, MB, compile s"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        ours = row["results"][OURS]
        ratios = [*(ratio(row, rival) for rival in rivals), roofs(row)]
        cells = [row["case"], row["length"], f"{row['floor_ms']:.3f}",
                 f"{row['roof_ms']:.3f}" if "roof_ms" in row else "-",
                 *(describe_result(row["results"].get(name, {})) for name in names),
                 *("-" if value is None else f"{value:.2f}" for value in ratios),
                 f"{ours.get('error_ratio', math.nan):.2f}"]
        if "flex" in rivals:
            other = row["results"].get("flex", {})
            cells += [ours.get("workspace_bytes", "-"), "{:.1f}, {:.0f}, {:.0f}".format(
                other["mask_ms"], other["mask_bytes"] / 1e6, other["compile_seconds"]) if "mask_ms" in other else "-"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def form_lines(rows: list[Result]) -> list[str]:
    """The forms in which patterns were taken apart by hand, and their times."""
    lines = []
    for row in rows:
        forms = row["results"].get("reordered", {}).get("forms", {})
        times = [f"{form}: " + (f"{result['burst_ms']:.3f} ms" if "burst_ms" in result else result["missing"])
                 for form, result in forms.items()]
        lines += [f"- {row['case']} N={row['length']} re-ordered: {'; '.join(times)}"] if times else []
    return lines


def verdict(name: str, target: Target, rows: list[Result]) -> tuple[bool, str]:
    """Whether a group shows what it has to against a rival."""
    ratios = [ratio(row, target.rival) for row in rows]
    if not ratios or None in ratios:
        return False, f"FAIL {name}: {ratios.count(None)} of {len(ratios)} rows have no ratio to {target.rival}"
    mean, least = math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios)
    is_right = mean >= target.mean and least >= target.least
    return is_right, (f"{'PASS' if is_right else 'FAIL'} {name}: geometric mean {mean:.3f} × {target.rival} (at least "
                      f"{target.mean}), lowest {least:.3f} (at least {target.least})")


def roof_verdict(name: str, most: float, rows: list[Result]) -> tuple[bool, str]:
    over = [roofs(row) for row in rows]
    if not over or None in over:
        return False, f"FAIL {name}: {over.count(None)} of {len(over)} rows have no time over roof"
    is_right = all(value <= most for value in over)
    return is_right, f"{'PASS' if is_right else 'FAIL'} {name}: time over roof {max(over):.3f} (at most {most})"


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
            f"(copy, read and written), {peaks.attention * 1e-12:.0f} TFLOP/s (cuDNN's dense attention, D=64)."]


def describe_documents() -> str:
    texts = []
    for length in SPARSE_LENGTHS:
        lengths = document_lengths(length)
        texts.append(f"{len(lengths)} of {min(lengths)} to {max(lengths)}, mean {length / len(lengths):.0f}, "
                     f"first {', '.join(map(str, lengths[:6]))} (N={length})")
    return "Documents: " + "; ".join(texts)


def write_report(peaks: Peaks, groups: dict[str, Measured], fallback: list[Result]) -> str:
    lines = environment(peaks)
    for rivals in dict.fromkeys(measured.group.rivals for measured in groups.values()):
        alike = [row for measured in groups.values() if measured.group.rivals == rivals for row in measured.rows]
        lines += ["", "ms of a burst, TFLOP/s in the burst / sustained (clock, power); × is how many times faster", "",
                  *table(alike, rivals)]
    rows = [row for measured in groups.values() for row in measured.rows]
    forms = form_lines(rows)
    lines += ["", *forms] if forms else []
    results = [result for row in rows for result in row["results"].values()]
    remarks = sorted({f"\\* {result['remark']}" for result in results if result.get("remark")})
    lines += ["", *remarks] if remarks else []
    lines += ["", describe_documents()] if "document" in groups else []
    lines += ["", *fallback_lines(fallback)] if fallback else []
    lines += ["", *(f"- {text}" for _, text in verdicts(groups, fallback))]
    return "\n".join(lines) + "\n"


def verdicts(groups: dict[str, Measured], fallback: list[Result]) -> list[tuple[bool, str]]:
    of_groups = [one for name, measured in groups.items() for one in group_verdicts(name, *measured)]
    return of_groups + ([fallback_verdict(fallback)] if fallback else [])


def group_verdicts(name: str, group: Group, rows: list[Result]) -> Iterator[tuple[bool, str]]:
    for target in group.targets:
        yield verdict(name, target, rows)
    if group.most_roofs is not None:
        yield roof_verdict(name, group.most_roofs, rows)
