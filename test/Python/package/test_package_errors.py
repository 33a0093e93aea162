# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One clear exception for each mistake."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attn_mlir as attn
import numpy as np
import pytest

Q = np.zeros((2, 4, 20, 16), np.float32)
KV = np.zeros((2, 2, 30, 16), np.float32)


@pytest.fixture(scope="module")
def kernel() -> attn.Kernel:
    return attn.compile("longformer", head_size=16)


def refused(kind: type[Exception], message: str) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}")


WRONG_CALLS = {
    "rank": ((Q[0], KV, KV), {}, "q has shape [4, 20, 16]; give [batch, heads, rows, head size]"),
    "element": ((Q.astype(np.float16), KV, KV), {},
                "q holds f16, longformer takes f32; convert it, or compile for element='f16'"),
    "float64": ((Q, KV.astype(np.float64), KV), {},
                "k holds float64; convert it to float32, float16 or bfloat16 (its bits: uint16)"),
    "byte order": ((Q.astype(">f4"), KV, KV), {},
                   "q holds >f4; convert it to float32, float16 or bfloat16 (its bits: uint16)"),
    "head size": ((Q[..., :8], KV, KV), {},
                  "q has head size 8, longformer was compiled for 16; compile with head_size=8"),
    "value head size": ((Q, KV, KV[..., :8]), {},
                        "v has head size 8, longformer was compiled for 16; compile with value_head_size=8"),
    "key rows": ((Q, KV, KV[:, :, :29]), {},
                 "k has shape [2, 2, 30, 16] and v [2, 2, 29, 16]; batch, heads and rows have to be the same"),
    "batch": ((Q[:1], KV, KV), {}, "q has a batch of 1 and k of 2; give equal ones"),
    "heads": ((Q[:, :3], KV, KV), {}, "2 key heads do not divide 3 query heads; every key head serves equally many"),
    "last axis": ((Q, KV, np.repeat(KV, 2, axis=3)[..., ::2]), {},
                  "the last axis of v is not contiguous (stride 2); copy it"),
    "last axis of out": ((Q, KV, KV), {"out": np.zeros((2, 4, 20, 32), np.float32)[..., ::2]},
                         "the last axis of out is not contiguous (stride 2); copy it"),
    "shape of out": ((Q, KV, KV), {"out": Q[:, :, :3]}, "out has shape [2, 4, 3, 16], the output [2, 4, 20, 16]"),
    "odd strides": ((np.zeros(2 * 4 * 20 * 66, np.uint8).reshape(2, 4, 20, 66)[..., :64].view(np.float32), KV, KV), {},
                    "q has strides of (5280, 1320, 66, 4) bytes, no multiples of its 4-byte elements; copy it"),
    "token": ((Q, KV, KV), {"global_": [30]},
              "longformer(q [2, 4, 20, 16], k [2, 2, 30, 16], v [2, 2, 30, 16], out [2, 4, 20, 16], global [1]): a "
              "token stands outside the sequence; tokens lie in [0, number of positions), -1 pads"),
    "window": ((Q, KV, KV), {"left": -1}, "argument 'left' is -1; it is at least 0 and at most 2^40"),
    "threads": ((Q, KV, KV), {"threads": 0}, "threads is 0; give 1 to 1024"),
    "int32": ((Q, KV, KV), {"global_": [1 << 40]}, "argument 'global': run-time data do not fit into int32"),
    "floats": ((Q, KV, KV), {"global_": [0.5]}, "argument 'global': run-time data of float64; give whole numbers"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_wrong_call(kernel: attn.Kernel, name: str) -> None:
    arrays, options, message = WRONG_CALLS[name]
    with refused(attn.CallError, message):
        kernel(*arrays, **options)
    assert kernel(Q, KV, KV).shape == Q.shape  # nothing is left behind


def test_wrong_types(kernel: attn.Kernel) -> None:
    with refused(TypeError, "q is a list; give a NumPy array, a torch tensor or what has __dlpack__"):
        kernel([1.0], KV, KV)
    with refused(TypeError, "longformer has no argument 'width'; it has global, left, right"):
        kernel(Q, KV, KV, width=3)
    with refused(TypeError, "argument 'left' is 1.5; it takes an int"):
        kernel(Q, KV, KV, left=1.5)
    with refused(TypeError, "left is a float; give an int, a list of ints or an int32 array"):
        attn.window(1.5)
    with refused(TypeError, "tokens is one number; give a list of ints or an int32 array"):
        attn.global_tokens(3)


def test_output_that_is_read_only(kernel: attn.Kernel) -> None:
    out = np.zeros_like(Q)
    out.flags.writeable = False
    with refused(attn.CallError, "out is read-only; give an array that can be written"):
        kernel(Q, KV, KV, out=out)


def test_data_without_default() -> None:
    with refused(attn.CallError, "document needs its argument 'segments'; give it by that name"):
        attn.attention(Q, KV, KV, pattern="document")


def test_one_sequence_and_grids() -> None:
    with refused(attn.CallError, "star(q [2, 4, 20, 16], k [2, 2, 30, 16], v [2, 2, 30, 16], out [2, 4, 20, 16]): this "
                                 "pattern is over one sequence"):
        attn.attention(Q, KV, KV, pattern="star")
    with pytest.raises(attn.CallError, match="rows of the grid are 5; they have to be at least 7, rows of the neigh"):
        attn.attention(Q, Q, Q, pattern="neighborhood", width=4, rows=7, columns=3)


def test_status_of_the_kernel(kernel: attn.Kernel) -> None:
    with pytest.raises(attn.CallError) as caught:
        kernel(Q, KV, KV, global_=[30])
    assert caught.value.status == attn.abi.constant("ERROR_TOKEN")
    assert isinstance(caught.value, (attn.Error, ValueError))


WRONG_SOURCES = {
    "unknown pattern": (("longfromer",), {}, "unknown pattern 'longfromer'; did you mean 'longformer'? use a path,"),
    "unknown score": (("full",), {"score": "alibbi"}, "unknown score 'alibbi'; did you mean 'alibi'? use a path, MLIR"),
    "no such file": (("nowhere/x.mlir",), {}, "cannot read 'nowhere/x.mlir': No such file or directory"),
    "no MLIR": (("attn.pattern @x() {\n",), {}, "<text>:"),
    "no pattern": (("module {\n}",), {}, "the file holds no kernel; write an attn.pattern or a function with"),
    "no score": (("full",), {"score": "module {\n}"}, "the score's text holds no attn.score"),
    "element": (("full",), {"element": "f64"}, "unknown element type 'f64'"),
    "target": (("full",), {"target": "sm_80"}, "target sm_80 is not there yet; use sm_90a"),
    "head size": (("full",), {"head_size": -1}, "head size is -1; it has to lie in 1 to 256"),
    "kernel": (("linear",), {"kernel": "step"},
               "there is no kernel 'step'; name one of linear, linear_causal, linear_step with kernel="),
}


@pytest.mark.parametrize("name", WRONG_SOURCES)
def test_wrong_source(name: str) -> None:
    given, options, message = WRONG_SOURCES[name]
    with refused(attn.CompileError, message) as caught:
        attn.compile(*given, **options)
    assert str(caught.value).splitlines()[0] and "error: error" not in str(caught.value)


def test_place_of_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "mine.mlir"
    file.write_text("attn.pattern @mine() {\n  %x = attn.nothing\n  attn.yield %x\n}\n")
    with pytest.raises(attn.CompileError, match=r"mine\.mlir:2:8: error: .*attn\.nothing"):
        attn.compile(file)


def test_wrong_descriptions() -> None:
    with refused(attn.CompileError, "the batch is 0: there is nothing to describe; give at least 1"):
        attn.causal().report(10, batch=0)
    with refused(attn.CompileError, "longformer: a token stands outside the sequence"):
        attn.pattern("longformer", global_=[50]).show(10)
    with refused(attn.CompileError, "rows of the grid are 1; they have to be at least 13, rows of the neighborhood"):
        attn.pattern("neighborhood").report(10)
    with refused(attn.CompileError, "kernel 'linear' is linear attention, which visits no tiles; ask for a report"):
        attn.pattern("linear").show(10)


def test_wrong_algebra() -> None:
    with refused(TypeError, "<attn_mlir.Pattern longformer> is a file and cannot be composed; write union into a file"):
        attn.causal() | attn.pattern("longformer")
    with pytest.raises(TypeError, match="unsupported operand"):
        attn.causal() & 3
    with refused(ValueError, "congruent of 'row'; use difference, query, key, head"):
        attn.congruent("row", 2)
    with refused(ValueError, "side 'left'; use rows (queries), columns (keys) or both"):
        attn.global_tokens([0], side="left")
    with refused(ValueError, "pattern name 'a b' is no C identifier; use letters, digits and _"):
        attn.causal().named("a b")
    with refused(TypeError, "table is a list of lists of different lengths; pad them with -1"):
        attn.block_table([[[0], [1, 2]]], 4)
    with refused(TypeError, "segments is a list of float64; give ints"):
        attn.segments([0.5, 1.0])
    with refused(TypeError, "segments is one number; give a list of ints or an int32 array"):
        attn.segments(3)


def test_wrong_objects(tmp_path: Path) -> None:
    with refused(attn.LoadError, f"there is no file '{tmp_path / 'x.so'}'; give the path of a compiled kernel"):
        attn.load(tmp_path / "x.so")
    (tmp_path / "text.so").write_text("text")
    with refused(attn.LoadError, f"'{tmp_path / 'text.so'}' cannot be loaded: "):
        attn.load(tmp_path / "text.so")
    other = shutil.copy(attn.libraries.FOLDER / "libattn-runtime.so", tmp_path / "other.so")
    with refused(attn.LoadError, f"'{other}' holds no kernels; give what kernel.save() or attn-compile"):
        attn.load(other)


def test_object_of_another_version(kernel: attn.Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = kernel.save(tmp_path / "longformer.so")
    version = attn.abi.VERSION
    monkeypatch.setattr(attn.abi, "VERSION", version + 1)
    with refused(attn.LoadError, f"'{saved}' has version {version} of the C ABI, this package {version + 1}; "):
        attn.load(saved)


# A package without the compiler's library still runs what was compiled.
WITHOUT_COMPILER = """
import sys
import numpy as np
import attn_mlir as attn
q = np.ones((1, 1, 20, 8), np.float32)
print(attn.load(sys.argv[1])(q, q, q, threads=2).sum())
maps = open("/proc/self/maps").read()
print("libLLVM" in maps or "libMLIR" in maps or "libattn-c" in maps)
try:
    attn.compile("full")
except attn.CompilerMissingError as error:
    print(error)
"""


def test_compiler_is_missing(tmp_path: Path) -> None:
    attn.compile("causal", head_size=8).save(tmp_path / "causal.so")
    package = tmp_path / "attn_mlir"
    shutil.copytree(Path(attn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "lib" / "libattn-c.so").write_bytes(b"")
    environment = {"PYTHONPATH": str(tmp_path), "ATTN_MLIR_CACHE": str(tmp_path / "cache"), "PATH": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", WITHOUT_COMPILER, str(tmp_path / "causal.so")], env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    total, has_llvm, message = done.stdout.splitlines()
    assert float(total) == 160 and has_llvm == "False"
    assert re.fullmatch(r"the compiler cannot be loaded \(.*libattn-c.so: file too short\); install LLVM and MLIR 22 "
                        r"and build the package there, or run compiled kernels with attn_mlir.load", message)
