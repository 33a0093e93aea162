# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The CPU benchmark's report in Markdown: a table for each group, and whether the group shows what it has to."""

import datetime
from pathlib import Path
from typing import Any

import rivals
from cases import GROUPS

Row = dict[str, Any]

# Of what a row has reached: the column's head, and how a number is written.
SHARES = {"peak": "of peak", "dense": "of dense", "read": "of read", "scaling": "scaling"}
REMARKS = {"amx": "of AMX peak"} | SHARES


def column_name(what: str) -> str:
    return SHARES.get(what, f"× {what}")


def cell(row: Row, what: str) -> str:
    if what in row["reached"]:
        value = row["reached"][what]
        return f"{value:.0%}" if what in SHARES else f"{value:.2f}"
    return "missing" if what in row["missing"] else "-"


def one_line(row: Row) -> str:
    reached = [f"{column_name(what)} {value:.2f}" for what, value in row["reached"].items()]
    lacking = [f"no {name} ({why})" for name, why in row["missing"].items()]
    milliseconds = [f"{row['ms']:.3f} ms"] if "ms" in row else []
    return f"{row['case']} N={row['length']}: " + ", ".join(milliseconds + reached + lacking)


def table(rows: list[Row]) -> list[str]:
    """A line for each row, with the columns that any of them has."""
    wanted = [*SHARES, *rivals.NAMES]
    columns = [what for what in wanted if any(what in row["reached"] or what in row["missing"] for row in rows)]
    heads = ["case", "N", "isa", "ms", "waste", "multiplied or read", *map(column_name, columns), "error"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        if "ms" not in row:
            lines.append(f"| {row['case']} | {row['length']} | missing: {row['missing']['ours']} |")
            continue
        cells = [row["case"], row["length"], row["isa"], f"{row['ms']:.3f}", f"{row['waste']:.2f}",
                 row["rate"], *(cell(row, what) for what in columns), f"{row['error_ratio']:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def verdict(name: str, rows: list[Row]) -> str:
    """The lowest of each number that a group asks for, beside what is asked."""
    parts, is_right = [], all("ms" in row for row in rows)
    for what, least in GROUPS[name].least.items():
        reached = [row["reached"][what] for row in rows if what in row["reached"]]
        lacking = sum(what in row["missing"] for row in rows)
        if what == "amx" and not reached:
            parts.append("no AMX here")
            continue
        is_right = is_right and bool(reached) and not lacking and min(reached) >= least
        lowest = f"{min(reached):.3f}" if reached else "missing"
        parts.append(f"{REMARKS.get(what, f'× {what}')} {lowest} (at least {least})"
                     + (f", {lacking} missing" if lacking and reached else ""))
    return f"{'PASS' if is_right else 'FAIL'} {name}: {'; '.join(parts)}"


def verdicts(groups: dict[str, list[Row]]) -> list[str]:
    return [verdict(name, rows) for name, rows in groups.items() if GROUPS[name].least]


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def environment(peaks: dict[str, float]) -> list[str]:
    versions = [f"{name} {version}" for name, version in rivals.versions().items()]
    rates = ", ".join(f"{name} {rate:.1f} GFLOP/s" for name, rate in peaks.items())
    return [f"{datetime.date.today()}, {processor()}; {'; '.join(versions)}.", f"Peaks of one core: {rates}."]


def reasons(groups: dict[str, list[Row]]) -> list[str]:
    """Why rivals are missing, each reason once for a group."""
    found = {f"- {rival} is missing from {name}: {why}" for name, rows in groups.items() for row in rows
             for rival, why in row["missing"].items()}
    return sorted(found)


def write_report(peaks: dict[str, float], groups: dict[str, list[Row]]) -> str:
    lines = environment(peaks)
    for name, rows in groups.items():
        lines += ["", f"### {name}", "", *table(rows)]
    lines += ["", *reasons(groups), *(f"- {text}" for text in verdicts(groups))]
    return "\n".join(lines) + "\n"
