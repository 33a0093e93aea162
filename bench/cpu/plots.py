# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The CPU benchmark's pictures: time against length, and bars of ratios to rivals. They need matplotlib."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import rivals  # noqa: E402

Row = dict[str, Any]


def plot_growth(rows: list[Row], path: Path) -> None:
    """Log-log: a line for each pattern, and for each rival beside it."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, milliseconds in row["all_ms"].items():
            lines.setdefault(f"{row['pattern']}, {name}", []).append((row["length"], milliseconds))
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for label, points in lines.items():
        axes.loglog(*zip(*points), marker="o", linestyle="-" if label.endswith("attn-mlir") else "--", label=label)
    axes.set(xlabel="rows", ylabel="ms", title="One head of 64, f32, one thread")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path)
    plt.close(figure)


def plot_ratios(rows: list[Row], path: Path) -> None:
    """How many times faster ours is: a bar from 1 on for each case and rival, a colour for each rival."""
    bars = [(f"{row['case']}, {row['length']}: {rival}", row["reached"][rival], f"C{place}")
            for row in rows for place, rival in enumerate(rivals.NAMES) if rival in row["reached"]]
    labels, values, colours = zip(*reversed(bars))
    figure, axes = plt.subplots(figsize=(9, 1 + 0.22 * len(bars)), layout="constrained")
    axes.barh(labels, [value - 1 for value in values], left=1, color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.set(xscale="log", xlabel="times faster than the rival")
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50], labels=["0.5", "1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.margins(y=0.01)
    axes.set_xlim(0.9 * min(1, *values), 1.1 * max(1, *values))
    axes.tick_params(axis="y", labelsize=7)
    figure.savefig(path)
    plt.close(figure)


def plot_all(groups: dict[str, list[Row]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    measured = {name: [row for row in rows if "ms" in row] for name, rows in groups.items()}
    if measured.get("growth"):
        plot_growth(measured["growth"], folder / "growth.svg")
    compared = [row for name, rows in measured.items() if name != "growth" for row in rows]
    if any(rival in row["reached"] for row in compared for rival in rivals.NAMES):
        plot_ratios(compared, folder / "ratios.svg")
