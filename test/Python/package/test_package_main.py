# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python -m attn_mlir"""

import re
import subprocess
import sys
from pathlib import Path

import attn
import pytest


def execute(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "attn_mlir", *map(str, arguments)], capture_output=True, text=True)


def run(*arguments: object) -> str:
    done = execute(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_list_names_all_patterns_and_scores() -> None:
    listed = run("list").split()
    assert {*attn.PATTERNS, "linear", "alibi", "softcap"} <= set(listed)


def test_show(tmp_path: Path) -> None:
    rows = run("show", "sliding_window", "left=1", "right=0", "--length=4").split()
    assert rows == ["#...", "##..", ".##.", "..##"]
    assert run("show", "longformer", "-o", tmp_path / "a.svg") == ""
    assert (tmp_path / "a.svg").read_text().lstrip().startswith("<svg")


def test_report_is_that_of_the_compiler() -> None:
    printed = run("report", "longformer", "global=0,9", "--length=2048", "--element=bf16", "--head-size=32")
    assert printed == attn.run("attn-compile", attn.pattern_file("longformer"), "--emit=report", "--length=2048",
                               "--element=bf16", "--head-size=32", "--arg=global=0,9")


def test_bench_draws_what_it_measures() -> None:
    done = execute("bench", "document", "--length=128", "--first=64", "--heads=1", "--threads=1")
    assert done.returncode == 0, done.stderr
    assert [int(line.split()[0]) for line in done.stdout.splitlines()[1::2]] == [64, 128]
    assert re.search(r"document +\d+\.\d+  #", done.stdout) and "[####" in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (["show", "longfromer"], "unknown pattern 'longfromer'; did you mean 'longformer'?"),
    (["show", "causal", "x"], "'x' is no argument; write NAME=VALUE"),
    (["show", "sliding_window", "left=a"], "could not convert string to float: 'a'; write NAME=NUMBER or NAME=V1,V2"),
    (["show", "causal", "-o", "a.gif"], "'a.gif' is no picture's name; end it with .svg, .png or .txt"),
    (["report", "causal", "width=3"], "causal has no argument 'width'; it has none"),
])
def test_mistakes(arguments: list[str], message: str) -> None:
    done = execute(*arguments)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {message}") and not done.stdout
