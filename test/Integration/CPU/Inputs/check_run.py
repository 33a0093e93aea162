# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the keys of attn-run --json, and what they have to do with each other.

    check_run.py RUN.json [checked]
"""

import json
import sys

with open(sys.argv[1]) as file:
    run = json.load(file)
errors = ("max_error", "error_ratio", "lse_error_ratio")
assert set(run) == {
    *("kernel target element batch heads kv_heads length kv_length".split()),
    *("query_offset key_offset head_size value_head_size threads ok".split()),
    *("admitted_pairs computed_pairs waste plan_bytes workspace_bytes".split()),
    *("compile_ms ms gflops isa".split()),
    *errors,
}, sorted(run)
assert run["ok"] is True
assert run["admitted_pairs"] <= run["computed_pairs"]
assert abs(run["waste"] - run["computed_pairs"] / run["admitted_pairs"]) < 1e-9
if sys.argv[2:] == ["checked"]:
    assert 0 <= run["lse_error_ratio"] <= run["error_ratio"] <= 1
    assert run["max_error"] >= 0
else:
    assert all(run[name] is None for name in errors)
