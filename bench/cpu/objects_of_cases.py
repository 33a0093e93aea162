#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the folder that bench.py needs: kernels as shared objects, plans.json with the pairs that each case admits and
multiplies, the loops that measure peaks, and the threads' library. Another machine needs it, this tree and no compiler.

    objects_of_cases.py FOLDER BIN LIB
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from cases import GROUPS, REFERENCES, Case
from objects import SOURCE, compile_object

PROGRAMS, RUNTIME = ("fma-peak", "read-bandwidth"), "libattn-runtime.so"
COMPILERS = 2  # at a time


def write_argument(folder: Path, name: str, value: Any) -> str:
    name = name.rstrip("_")
    if isinstance(value, int):
        return f"--arg={name}={value}"
    path = folder / f"{name}.npy"
    np.save(path, np.ascontiguousarray(value, np.int32))
    return f"--arg={name}={path}"


def count_pairs(compiler: Path, case: Case) -> dict[str, float]:
    """Means over heads."""
    with tempfile.TemporaryDirectory() as folder:
        command = [compiler, SOURCE / "patterns" / f"{case.made.pattern}.mlir", "--emit=report", "--json",
                   *case.made.flags(), f"--length={case.length}", f"--kv-length={case.kv_length}",
                   f"--heads={case.heads}",
                   *(write_argument(Path(folder), name, value) for name, value in case.arguments.items())]
        report = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)
    return {name: report[name] for name in ("admitted_pairs", "computed_pairs")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="what is made")
    parser.add_argument("bin", type=Path, help="the folder of attn-compile, fma-peak and read-bandwidth")
    parser.add_argument("lib", type=Path, help=f"the folder of {RUNTIME}")
    arguments = parser.parse_args()
    folder, compiler = arguments.folder, arguments.bin / "attn-compile"
    folder.mkdir(parents=True, exist_ok=True)
    for file in [*(arguments.bin / program for program in PROGRAMS), arguments.lib / RUNTIME]:
        shutil.copy(file, folder)
    cases = [*(case for group in GROUPS.values() for case in group.cases), *REFERENCES.values()]
    with ThreadPoolExecutor(COMPILERS) as pool:
        made = dict.fromkeys(case.made for case in cases)
        faults = list(filter(None, pool.map(lambda each: compile_object(compiler, "cpu", each, folder), made)))
        for fault in faults:
            print(f"error: {fault}", file=sys.stderr)
        if faults:
            return 1
        plans = dict(zip((case.key for case in cases), pool.map(lambda case: count_pairs(compiler, case), cases)))
    (folder / "plans.json").write_text(json.dumps(plans, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
