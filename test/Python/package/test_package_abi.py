# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The headers as Python reads them are those that a C compiler reads; and the compiler is a C library."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import attn
import attn_mlir
import pytest
from attn_mlir import abi

STRUCTS = {"attn_tensor": abi.Tensor, "attn_scalar": abi.Scalar, "attn_call": abi.Call,
           "attn_tensor_info": abi.TensorInfo, "attn_scalar_info": abi.ScalarInfo,
           "attn_requirement_info": abi.RequirementInfo, "attn_kernel_info": abi.KernelInfo,
           "attn_compile_options": abi.CompileOptions, "attn_bytes": abi.Bytes}

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{attn.SOURCE / 'include'}"]


def run_c(text: str, folder: Path, *flags: str) -> str:
    (folder / "program.c").write_text(text)
    built = subprocess.run(["clang-22", *STRICT, "program.c", "-o", "program", *flags], cwd=folder, capture_output=True,
                           text=True)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([folder / "program"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_tree_without_an_install() -> None:
    """bench/gpu imports the package as it lies in the project's tree."""
    program = "from attn_mlir import abi; print(abi.VERSION, abi.INCLUDE)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(attn.SOURCE / "python")})
    assert done.stdout.split() == [str(abi.VERSION), str(attn.SOURCE / "include" / "attn")], done.stderr


def test_structs_constants_and_statuses(tmp_path: Path) -> None:
    lines, expected = [], {}
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected[name] = str(ctypes.sizeof(struct))
        for field, _ in struct._fields_:
            lines.append(f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));')
            expected[f"{name}.{field}"] = str(getattr(struct, field).offset)
    for name, value in abi.CONSTANTS.items():
        lines.append(f'printf("{name} %d\\n", (int){name});')
        expected[name] = str(value)
    for status, text in abi.STATUS_TEXTS.items():
        lines.append(f'printf("text{status} %s\\n", attn_error_string({status}));')
        expected[f"text{status}"] = text
    printed = run_c('#include "attn/Compiler/attn-c.h"\n#include <stdio.h>\nint main(void) {\n' + "\n".join(lines) +
                    "\nreturn 0;\n}\n", tmp_path)
    assert dict(line.split(" ", 1) for line in printed.splitlines()) == expected


def test_all_is_read() -> None:
    text = (attn.SOURCE / "include/attn/Runtime/attn.h").read_text() + (
        attn.SOURCE / "include/attn/Compiler/attn-c.h").read_text()
    statuses = abi.constant("STATUS_COUNT")
    assert sorted(abi.STATUS_TEXTS) == list(range(statuses))
    structs = set(re.findall(r"^typedef (?:struct|union) (\w+) \{", text, re.MULTILINE))
    assert structs - set(STRUCTS) == {"attn_executor"}


C_PROGRAM = r"""
#include "attn/Compiler/attn-c.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char text[] = "attn.pattern @near(%left: index = 3) {\n"
                           "  %near = attn.window left(%left) right(0)\n"
                           "  attn.yield %near\n}\n";

int main(void) {
  attn_compile_options options = ATTN_COMPILE_OPTIONS_INIT;
  options.head_size = 8;
  options.isas = 1u << ATTN_ISA_BEST;
  attn_compilation *compilation = NULL;
  assert(!attn_compile_text(text, strlen(text), "near.mlir", &options, &compilation));
  assert(attn_compilation_kernel_count(compilation) == 1);
  const attn_kernel_info *info = attn_compilation_kernel(compilation, 0);
  assert(!strcmp(info->name, "near") && info->head_size == 8 && info->scalar_count == 1 && !info->run);

  static const int artifacts[] = {ATTN_ARTIFACT_OBJECT, ATTN_ARTIFACT_ATTN, ATTN_ARTIFACT_PLAN, ATTN_ARTIFACT_LOOPS,
                                  ATTN_ARTIFACT_LLVM, ATTN_ARTIFACT_ASSEMBLY, ATTN_ARTIFACT_HEADER};
  static const char *const signs[] = {"\177ELF", "attn.attention", "attn.plan", "scf.for", "define", ".text",
                                      "#ifndef"};
  for (int i = 0; i < 7; ++i) {
    attn_bytes bytes;
    assert(!attn_compilation_emit(compilation, artifacts[i], &bytes));
    assert(bytes.size > 100 && bytes.data[bytes.size] == 0 && strstr(bytes.data, signs[i]));
    attn_release(bytes.data);
  }

  int64_t length = 10;
  attn_tensor tensors[5] = {{0}};
  for (int i = ATTN_QUERY; i <= ATTN_OUTPUT; ++i)
    tensors[i] = (attn_tensor){NULL, ATTN_F32, 4, {1, 1, length, 8}, {8 * length, 8 * length, 8, 1}};
  attn_call call = ATTN_CALL_INIT;
  call.tensors = tensors;
  call.tensor_count = 5;
  attn_bytes report;
  assert(!attn_compilation_describe(compilation, 0, ATTN_REPORT_JSON, &call, &report));
  assert(strstr(report.data, "\"admitted_pairs\": 34"));
  attn_release(report.data);

  struct { int artifact; const char *text; } wrong[] = {
      {ATTN_ARTIFACT_TILES, "error: target cpu has no tiles; it has loops"},
      {ATTN_ARTIFACT_CUBIN, "error: target cpu has no cubin; use an object"},
      {99, "error: there is no artifact 99; see attn_artifact"}};
  for (int i = 0; i < 3; ++i) {
    attn_bytes bytes = {NULL, 7};
    char *error = attn_compilation_emit(compilation, wrong[i].artifact, &bytes);
    assert(error && !strcmp(error, wrong[i].text) && bytes.size == 7);
    attn_release(error);
  }
  char *error = attn_compilation_describe(compilation, 0, 99, &call, &report);
  assert(error && !strcmp(error, "error: there is no description 99; see attn_description"));
  attn_release(error);
  error = attn_compilation_link(compilation, "/nowhere/near.so");
  assert(error && strstr(error, "error: cannot write '/nowhere/near.so' with "));
  attn_release(error);
  attn_compilation_destroy(compilation);

  compilation = NULL;
  error = attn_compile_file("/nowhere/x.mlir", &options, &compilation);
  assert(error && !strcmp(error, "error: cannot read '/nowhere/x.mlir': No such file or directory") && !compilation);
  attn_release(error);
  options.isas = 1u << ATTN_ISA_AVX512FP16;
  error = attn_compile_text(text, strlen(text), "near.mlir", &options, &compilation);
  assert(error && strstr(error, "error: no kernels are written for instruction set 5; see attn_compile_options"));
  attn_release(error);
  options.size = 8;
  error = attn_compile_text(text, strlen(text), "near.mlir", &options, &compilation);
  assert(error && strstr(error, "error: attn_compile_options has 8 bytes, this library expects "));
  attn_release(error);
  attn_compilation_destroy(NULL);
  printf("%s\n", attn_compiler_version());
  return 0;
}
"""


def test_the_compiler_from_c(tmp_path: Path) -> None:
    libraries = attn.BIN.parent / "lib"
    printed = run_c(C_PROGRAM, tmp_path, f"-L{libraries}", "-lattn-c", f"-Wl,-rpath,{libraries}")
    assert re.fullmatch(r"attn-mlir \d+\.\d+\.\d+, LLVM 22\.\d+\.\d+\n", printed)


def test_libraries_export_their_functions_alone() -> None:
    for library, header in (("libattn-c.so", "Compiler/attn-c.h"), ("libattn-runtime.so", "Runtime/pool.h")):
        command = ["nm", "-D", "--defined-only", "--format=just-symbols", attn_mlir.libraries.FOLDER / library]
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        declared = set(re.findall(r"\b(attn_\w+)\(", (attn.SOURCE / "include/attn" / header).read_text()))
        assert set(names) == declared & set(names) and len(names) >= 3, library


def test_runtime_needs_libc_alone() -> None:
    needed = subprocess.run(["readelf", "-d", attn_mlir.libraries.FOLDER / "libattn-runtime.so"], capture_output=True,
                            text=True, check=True).stdout
    assert set(re.findall(r"NEEDED.*\[(.*)\]", needed)) <= {"libc.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"}


# Beside another library that brings an LLVM of its own.
BESIDE_TORCH = """
import {first}
import {second}
import attn_mlir, numpy, torch
q = numpy.ones((1, 1, 20, 8), numpy.float32)
print(attn_mlir.compile(attn_mlir.window(77, {left}), head_size=8)(q, q, q).sum())
print(torch.ones(2, 2).softmax(-1).sum().item())
"""


def test_the_compiler_beside_torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    for left, order in enumerate((("torch", "attn_mlir"), ("attn_mlir", "torch"))):
        program = BESIDE_TORCH.format(first=order[0], second=order[1], left=left)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))
        assert done.returncode == 0 and done.stdout == "160.0\n2.0\n", done.stderr
