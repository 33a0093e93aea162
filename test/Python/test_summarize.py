# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""utils/summarize-tests.py: what counts as passed, failed and skipped, and which skips are errors."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "utils" / "summarize-tests.py"

LIT = """<testsuites><testsuite name="attn">
  <testcase classname="attn.IR" name="ops.mlir"/>
  <testcase classname="attn.IR" name="gpu.mlir"><skipped message="Missing required feature(s): gpu"/></testcase>
  <testcase classname="attn.IR" name="left.mlir"><skipped message="Test not selected (--filter, --max-tests)"/></testcase>
</testsuite></testsuites>"""
UNIT = """<testsuites><testsuite name="Box">
  <testcase classname="Box" name="Window" status="run" result="completed"/>
  <testcase classname="Box" name="DISABLED_Grid" status="notrun" result="suppressed"/>
</testsuite></testsuites>"""
PYTHON = """<testsuites><testsuite name="pytest">
  <testcase classname="test_run" name="test_wrong"><failure message="1 != 2"/></testcase>
  <testcase classname="test_run" name="test_broken"><error message="no such fixture"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    (folder / "unit").mkdir(parents=True)
    (folder / "lit.xml").write_text(LIT)
    (folder / "unit" / "Box.xml").write_text(UNIT)
    return folder


def summarize(*arguments):
    command = [sys.executable, SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_adds_up_all_runners(results):
    code, lines, _ = summarize(results)
    assert code == 0
    assert lines == [
        f"{results}: lit 1 passed, 1 skipped; unit 1 passed, 1 skipped",
        "2 passed, 0 failed",
    ]


def test_adds_up_all_folders(results):
    assert summarize(results, results)[1][-1] == "4 passed, 0 failed"


def test_names_what_failed(results):
    (results / "python.xml").write_text(PYTHON)
    code, lines, _ = summarize(results)
    assert code == 1
    assert lines[1:] == [
        "failed: test_run.test_broken",
        "failed: test_run.test_wrong",
        "2 passed, 2 failed",
    ]


@pytest.mark.parametrize("text", ["", "<testsuites><testsuite"])
def test_counts_an_unreadable_file_as_a_failure(results, text):
    (results / "python.xml").write_text(text)
    code, lines, _ = summarize(results)
    assert (code, lines[-1]) == (1, "2 passed, 1 failed")


def test_counts_a_runner_that_failed_as_a_failure(results):
    (results / "lit.running").touch()  # after its last test
    (results / "unit" / "Plan.running").touch()  # before it wrote anything
    code, lines, _ = summarize(results)
    assert code == 1
    assert lines[1:] == [
        "failed: lit: failed outside of its tests",
        "failed: unit/Plan: failed outside of its tests",
        "2 passed, 2 failed",
    ]


def test_counts_the_failures_of_a_runner_once(results):
    (results / "python.xml").write_text(PYTHON)
    (results / "python.running").touch()
    assert summarize(results)[1][-1] == "2 passed, 2 failed"


def test_counts_an_empty_folder_as_a_failure(tmp_path):
    code, lines, _ = summarize(tmp_path)
    assert (code, lines[-1]) == (1, "0 passed, 1 failed")


def test_accepts_only_the_expected_skips(results, tmp_path):
    expected = tmp_path / "expected-skips"
    expected.write_text("# patterns\n\nattn.IR.gpu*  # no GPU here\n")
    code, lines, _ = summarize(results, "--expected-skips", expected)
    assert code == 1
    assert lines[1:] == [
        f"unexpected skip: Box.DISABLED_Grid; let it run, or name it in {expected}",
        "2 passed, 0 failed",
    ]
    expected.write_text("attn.IR.gpu*  # no GPU here\nBox.*  # waits for grids\n")
    assert summarize(results, "--expected-skips", expected)[0] == 0


def test_an_expected_skip_needs_its_reason(results, tmp_path):
    expected = tmp_path / "expected-skips"
    expected.write_text("attn.IR.*\n")
    code, _, error = summarize(results, "--expected-skips", expected)
    assert code == 2
    assert error == f"error: {expected}:1: 'attn.IR.*' has no reason; add '# why'\n"


def test_says_which_file_is_missing(results, tmp_path):
    code, _, error = summarize(results, "--expected-skips", tmp_path / "none")
    assert code == 2
    assert error == f"error: {tmp_path / 'none'}: No such file or directory\n"
