#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Adds up the result files that lit, GoogleTest and pytest write, and closes with `N passed, N failed`.

Each FOLDER holds one run: lit.xml, python.xml and unit/NAME.xml, all in the JUnit form. NAME.running beside NAME.xml
means that the runner failed; where none of its tests did, that counts as one failure, and so does a file that cannot
be read and a folder without any. With --expected-skips, a skipped test that FILE does not name is an
error; FILE has one pattern a line, in which * stands for anything, and its reason after a #.

Exit codes: 0 all is well; 1 a test failed or was skipped unexpectedly; 2 bad usage.
"""

import argparse
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Test(NamedTuple):
    runner: str  # lit, python or unit
    name: str
    outcome: str  # passed, failed, skipped or excluded


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--expected-skips", type=Path, metavar="FILE")
    options = parser.parse_args()

    expected = read_expected_skips(options.expected_skips)
    tests = []
    for folder in options.folders:
        found = read_folder(folder)
        tests += found
        print_runners(folder, found)

    names = {test.name for test in tests if test.outcome == "failed"}
    for name in sorted(names):
        print(f"failed: {name}")
    unexpected = set()
    if expected is not None:
        skipped = {test.name for test in tests if test.outcome == "skipped"}
        unexpected = {name for name in skipped if not expected.fullmatch(name)}
    for name in sorted(unexpected):
        print(
            f"unexpected skip: {name}; let it run, or name it in {options.expected_skips}"
        )

    count = Counter(test.outcome for test in tests)
    print(f"{count['passed']} passed, {count['failed']} failed")
    return 1 if count["failed"] or unexpected else 0


def read_expected_skips(file):
    """One regular expression for all patterns of `file`; None without a file."""
    if file is None:
        return None
    patterns = []
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        usage_error(f"{file}: {error.strerror}")
    for number, line in enumerate(lines, 1):
        pattern, _, reason = (part.strip() for part in line.partition("#"))
        if pattern and not reason:
            usage_error(f"{file}:{number}: '{pattern}' has no reason; add '# why'")
        if pattern:
            patterns.append(".*".join(map(re.escape, pattern.split("*"))))
    return re.compile("|".join(patterns))


def usage_error(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def read_folder(folder):
    names = {
        path.relative_to(folder).with_suffix("")
        for suffix in ("xml", "running")
        for path in folder.rglob(f"*.{suffix}")
    }
    if not names:
        return [Test("none", f"{folder}: no results, no test ran", "failed")]
    tests = []
    for name in sorted(names):
        runner = name.parts[0]
        found = read_file(runner, folder / f"{name}.xml")
        running = (folder / f"{name}.running").exists()
        if running and all(test.outcome != "failed" for test in found):
            found.append(Test(runner, f"{name}: failed outside of its tests", "failed"))
        tests += found
    return tests


def read_file(runner, file):
    if not file.exists():
        return []
    try:
        cases = list(ElementTree.parse(file).iter("testcase"))
    except ElementTree.ParseError as error:
        return [Test(runner, f"{file}: {error}", "failed")]
    return [
        Test(runner, f"{case.get('classname')}.{case.get('name')}", outcome(case))
        for case in cases
    ]


def outcome(case):
    skipped = case.find("skipped")
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if skipped is not None and skipped.get("message", "").startswith(
        "Test not selected"
    ):
        return "excluded"  # lit reports what --filter leaves out
    if skipped is not None or case.get("status") == "notrun":
        return "skipped"  # GoogleTest marks a disabled test by its status alone
    return "passed"


def print_runners(folder, tests):
    """`build/release/results: lit 12 passed, 1 skipped; unit 7 passed`"""
    runners = {}
    for test in tests:
        runners.setdefault(test.runner, Counter())[test.outcome] += 1
    parts = []
    for runner, count in sorted(runners.items()):
        outcomes = ["passed", "failed", "skipped"]
        parts.append(
            f"{runner} " + ", ".join(f"{count[o]} {o}" for o in outcomes if count[o])
        )
    print(f"{folder}: " + "; ".join(parts))


if __name__ == "__main__":
    sys.exit(main())
