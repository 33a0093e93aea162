# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels' AMX versions are right, on machines that have no AMX: its instructions are emulated.

An object asks the processor what it has. Here the word that keeps the answer says beforehand that there is AMX, and
emulate_tiles.c does what its instructions would have done.
"""

import json
import os
import subprocess
from pathlib import Path

import attn
import numpy as np
import pytest

FLAGS = set(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
pytestmark = pytest.mark.skipif("avx512_bf16" not in FLAGS, reason="the rest of these versions is AVX512-BF16")

UNKNOWN = "@attn_processor_isas.known = internal unnamed_addr global i32 0,"
KNOWN = UNKNOWN.replace("i32 0", f"i32 {sum(1 << isa for isa in (1, 2, 3, 4, 6))}")

# Pattern, flags of the kernel, flags of the call: every kind of mask and order, odd columns, values of one and of many
# tiles, tiles of fewer rows than AMX's, more keys than a tile has, regions of scores, grids, listed blocks, keys that are
# left out, tiles of keys that begin in the last slots of a ring and go on in the first.
CASES = [
    ("full", ["--head-size=64"], ["--length=70", "--kv-length=1300"]),
    ("causal", ["--head-size=33", "--value-head-size=17"], ["--length=257", "--heads=2"]),
    ("sliding_window", ["--head-size=128"], ["--length=300", "--kv-length=333", "--arg=left=40", "--arg=right=9"]),
    ("sliding_window", ["--head-size=64"], ["--length=1500", "--arg=left=100", "--arg=right=30"]),
    ("longformer", ["--head-size=1", "--value-head-size=112"], ["--length=129", "--arg=global=0,77", "--batch=2"]),
    ("sparse_strided", ["--head-size=40", "--tile-rows=24", "--tile-keys=128"], ["--length=200", "--arg=stride=7"]),
    ("document_causal", ["--head-size=80", "--score=alibi"], ["--length=257", "--heads=4", "--kv-heads=2"]),
    ("causal", ["--head-size=64", "--score=sink"], ["--length=100", "--heads=2"]),
    ("sliding_window", ["--head-size=16", "--score=sink", "--tile-rows=24", "--tile-keys=128"],
     ["--length=300", "--arg=left=5", "--arg=right=2"]),
    ("neighborhood", ["--head-size=16", "--value-head-size=200"],
     ["--length=257", "--arg=width=16", "--arg=rows=5", "--arg=columns=5"]),
    ("bigbird", ["--head-size=96", "--tile-rows=8"], ["--length=700"]),
    ("longformer_heads", ["--head-size=64"],
     ["--length=300", "--heads=2", "--arg=dilation=1,3", "--arg=global=0,77,256", "--arg=left=90"]),
]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("emulator") / "emulate_tiles.so"
    source = Path(__file__).with_name("emulate_tiles.c")
    subprocess.run(["clang-22", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", source, "-o", library],
                   check=True)
    return library


def compile_for_amx(pattern: str, flags: list[str], folder: Path) -> Path:
    """A shared object whose version for AMX runs."""
    text = attn.run("attn-compile", attn.pattern_file(pattern), "--element=bf16", "--isas=amx", *flags,
                    "--emit=llvm")
    assert text.count(UNKNOWN) == 1
    (folder / "kernel.ll").write_text(text.replace(UNKNOWN, KNOWN))
    subprocess.run(["clang-22", "-O2", "-Xclang", "-disable-llvm-passes", "-fPIC", "-shared", "-Wno-override-module",
                    folder / "kernel.ll", "-o", folder / "kernel.so"], check=True)
    return folder / "kernel.so"


def multiply_adds_of(done: subprocess.CompletedProcess[str]) -> int:
    return int(done.stderr.rpartition("multiply-adds: ")[2])


def run_emulated(emulator: Path, *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), env={**os.environ, "LD_PRELOAD": str(emulator)}, capture_output=True,
                          text=True)


def check(kernel: Path, call: Path, emulator: Path, out: Path, *flags: str) -> bytes:
    """The output, of which attn-call says that it is right."""
    done = run_emulated(emulator, attn.BIN / "attn-call", kernel, f"--expect={call}", f"--out={out}", *flags, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["isa"] == "amx"
    assert multiply_adds_of(done) > 0
    return out.read_bytes()


@pytest.mark.parametrize(("pattern", "kernel_flags", "call_flags"), CASES,
                         ids=[f"{name} {' '.join(kernel_flags)}" for name, kernel_flags, _ in CASES])
def test_tiles_are_right(pattern: str, kernel_flags: list[str], call_flags: list[str], emulator: Path, tmp_path: Path):
    kernel = compile_for_amx(pattern, kernel_flags, tmp_path)
    typed = [flag for flag in kernel_flags if not flag.startswith("--tile")]
    attn.run("attn-run", attn.pattern_file(pattern), "--element=bf16", *typed, *call_flags,
             f"--expect={tmp_path / 'call'}")
    outputs = [check(kernel, tmp_path / "call", emulator, tmp_path / f"{threads}.npy", f"--threads={threads}")
               for threads in (1, 2)]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(("pattern", "call_flags"), [
    ("causal", ["--length=257"]),
    ("sliding_window", ["--length=1500", "--arg=left=100", "--arg=right=30"]),
    ("sparse_strided", ["--length=300", "--arg=stride=7"]),
    ("longformer", ["--length=429", "--arg=global=0,77"]),
    ("bigbird", ["--length=700"]),
    ("neighborhood", ["--length=257", "--arg=width=16", "--arg=rows=5", "--arg=columns=5"]),
])
def test_report_counts_what_tiles_multiply(pattern: str, call_flags: list[str], emulator: Path, tmp_path: Path):
    """A pair takes a multiply-add for each column of the values; nothing else depends on their number."""
    def multiply_adds(columns: int) -> int:
        folder = tmp_path / str(columns)
        folder.mkdir()
        kernel = compile_for_amx(pattern, ["--head-size=32", f"--value-head-size={columns}"], folder)
        return multiply_adds_of(run_emulated(emulator, attn.BIN / "attn-call", kernel, *call_flags))

    report = attn.run_json("attn-compile", attn.pattern_file(pattern), "--element=bf16", "--isas=amx", "--emit=report",
                           "--head-size=32", *call_flags)
    assert multiply_adds(64) - multiply_adds(32) == 32 * report["computed_pairs"]


def as_bf16(array: np.ndarray, path: Path) -> Path:
    np.save(path, (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16))
    return path


@pytest.mark.parametrize("steepness", [0.02, 1, 50])
def test_scores_may_rise(steepness: float, emulator: Path, tmp_path: Path):
    """Scores of even rows rise from key to key, those of odd rows fall: references are raised, or stay."""
    rows, keys, columns = 70, 700, 64
    q = np.where(np.arange(rows) % 2, -1, 1)[:, None] * np.ones(columns)
    k = steepness * np.linspace(-1, 1, keys)[:, None] * np.ones(columns)
    kernel = compile_for_amx("causal", [f"--head-size={columns}"], tmp_path)
    attn.run("attn-run", attn.pattern_file("causal"), "--element=bf16", f"--head-size={columns}", f"--length={rows}",
             f"--kv-length={keys}", f"--q={as_bf16(q[None, None], tmp_path / 'q.npy')}",
             f"--k={as_bf16(k[None, None], tmp_path / 'k.npy')}", f"--expect={tmp_path / 'call'}")
    check(kernel, tmp_path / "call", emulator, tmp_path / "out.npy")
