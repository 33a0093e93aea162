# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the project's tools, and takes arrays to them and back."""

import functools
import json
import os
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

SOURCE = Path(os.environ.get("ATTN_SOURCE", Path(__file__).parents[2]))
BIN = Path(os.environ.get("ATTN_BIN", SOURCE / "build" / "release" / "bin"))

# Every pattern that the project ships, by name; linear attention has none.
PATTERNS = sorted(path.stem for path in (SOURCE / "patterns").glob("*.mlir") if "attn.linear" not in path.read_text())

ONE_SEQUENCE = [name for name in PATTERNS if "one_sequence {" in (SOURCE / "patterns" / f"{name}.mlir").read_text()]

# Whether everything is tried, and not a sample of it.
CHECK_ALL = os.environ.get("ATTN_CHECK_ALL", "0") not in ("", "0")

# Shared objects by the names of their patterns, and what compiles them for some flags.
Kernels = dict[str, Path]
CompileAll = Callable[..., Kernels]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Outputs(NamedTuple):
    """[batch, heads, length, value head size] and [batch, heads, length]."""

    output: np.ndarray
    lse: np.ndarray


def pattern_file(pattern: str) -> Path:
    return SOURCE / "patterns" / f"{pattern}.mlir"


def execute(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end, whatever its exit code is."""
    command = [str(BIN / tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def run(tool: str, *arguments: object) -> str:
    """What a tool prints; it has to exit with 0."""
    done = execute(tool, *arguments)
    assert done.returncode == 0, f"{' '.join(done.args)} exits {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def run_json(tool: str, *arguments: object) -> dict[str, Any]:
    return json.loads(run(tool, *arguments, "--json"))


def compile_shared_object(pattern: str, path: Path, *flags: str) -> Path:
    run("attn-compile", pattern_file(pattern), "--emit=so", *flags, "-o", path)
    return path


@functools.cache
def best_isa(limit: str) -> str:
    """The best instruction set of this machine that is not above another."""
    return run_json("attn-run", pattern_file("full"), "--length=1", "--head-size=1", f"--max-isa={limit}")["isa"]


def run_for_outputs(folder: Path, tool: str, *arguments: object) -> Outputs:
    """What attn-run or attn-call writes; files lie in `folder` meanwhile."""
    files = folder / "output.npy", folder / "lse.npy"
    run(tool, *arguments, f"--out={files[0]}", f"--lse={files[1]}")
    return Outputs(*map(np.load, files))


def same_bytes(a: Outputs, b: Outputs) -> bool:
    return all(x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b))


def file_flags(folder: Path, **arrays: np.ndarray) -> list[str]:
    """--NAME=FILE for each array, written as float32."""
    flags = []
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array, dtype=np.float32))
        flags.append(f"--{name}={folder / name}.npy")
    return flags


def argument_flags(folder: Path, arguments: dict[str, Any]) -> list[str]:
    """--arg NAME=VALUE for each argument of a pattern or score; an array, of int32 or float32, goes through a file."""
    flags = []
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            np.save(folder / f"{name}.npy", value.astype(np.float32 if value.dtype.kind == "f" else np.int32))
            value = folder / f"{name}.npy"
        flags.append(f"--arg={name}={value}")
    return flags


def map_processes(call: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """Calls a function that spends its time in other processes, once for each item, on all cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(call, items))
