# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the keys of a report, that phases add up, and values given as NAME=JSON (phases: their number).

    check_report.py REPORT.json [NAME=JSON]...
"""

import json
import math
import sys

shared = {
    "admitted_pairs",
    "computed_pairs",
    "waste",
    "bytes",
    "flops",
    "predicted_ms",
    "estimated",
}
whole = {
    "kernel",
    "target",
    "length",
    "plan_bytes",
    "workspace_bytes",
    "phases",
    "tested",
}
with open(sys.argv[1]) as file:
    report = json.load(file)
assert set(report) == shared | whole, sorted(report)
for phase in report["phases"]:
    assert set(phase) == shared | {"query_order", "key_order", "clause"}, sorted(phase)
for key in ("admitted_pairs", "computed_pairs", "bytes", "flops", "predicted_ms"):
    assert math.isclose(report[key], sum(phase[key] for phase in report["phases"])), key
assert math.isclose(
    report["waste"], report["computed_pairs"] / report["admitted_pairs"]
)
assert report["workspace_bytes"] > 0
for argument in sys.argv[2:]:
    name, value = argument.split("=")
    found = len(report["phases"]) if name == "phases" else report[name]
    assert found == json.loads(value), (name, found)
