# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command that has to be refused, and prints the first line of its complaint.

    refuse.py [--no FILE]... COMMAND ARGUMENT...

The command has to end with code 2, print nothing on standard output, begin standard error with "error: ..." or
"FILE:LINE:COL: error: ...", show no stack trace, and leave no FILE behind.
"""

import os
import re
import subprocess
import sys


def main(arguments):
    files = []
    while arguments[:1] == ["--no"]:
        files.append(arguments[1])
        arguments = arguments[2:]
    for file in files:
        if os.path.exists(file):
            os.remove(file)
    done = subprocess.run(arguments, capture_output=True, text=True)
    first_line = done.stderr.split("\n")[0]
    faults = []
    if done.returncode != 2:
        faults.append(f"exit code {done.returncode} instead of 2")
    if done.stdout:
        faults.append("it wrote on standard output")
    if not re.match(r"(\S+:[1-9]\d*:\d+: )?error: \S", first_line):
        faults.append(
            "the first line is not 'error: ...' or 'FILE:LINE:COL: error: ...'"
        )
    if "Stack dump" in done.stderr or "Traceback" in done.stderr:
        faults.append("it shows a stack trace")
    faults += [f"'{file}' was left behind" for file in files if os.path.exists(file)]
    if faults:
        sys.exit("\n".join(faults) + "\n" + done.stdout + done.stderr)
    print(first_line)


main(sys.argv[1:])
