# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A kernel object is all that a C program needs, besides its header and attn.h."""

import re
import shutil
import subprocess
from pathlib import Path

import attn

# What shipped patterns leave to libc, and the name that a linker defines itself. Nothing is left to libm: no loop calls
# it lane by lane.
LIBC_NAMES = re.compile(r"mem(cpy|move|set|cmp)|syscall|_GLOBAL_OFFSET_TABLE_")

TWO_KERNELS = """
#include "causal.h"
#include "longformer.h"

#include <stdio.h>
#include <string.h>

int main(void) {
  attn_call call = ATTN_CALL_INIT;
  if (causal(&call) != ATTN_ERROR_TENSOR_COUNT || longformer(&call) != ATTN_ERROR_TENSOR_COUNT)
    return 1;
  if (strcmp(causal_info.name, "causal") || strcmp(longformer_info.name, "longformer"))
    return 2;
  printf("%d %d\\n", (int)causal_info.head_size, (int)longformer_info.head_size);
  return 0;
}
"""


def execute(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(done.args)}: {done.stdout}{done.stderr}"
    return done.stdout


def emit(what: str, pattern: str, file: Path, *flags: str) -> Path:
    attn.run("attn-compile", attn.pattern_file(pattern), f"--emit={what}", *flags, "-o", file)
    return file


def emit_with_header(pattern: str, folder: Path, *flags: str) -> Path:
    """The object of a pattern, its header beside it."""
    emit("header", pattern, folder / f"{pattern}.h", *flags)
    return emit("obj", pattern, folder / f"{pattern}.o", *flags)


def copy_public_header(folder: Path) -> None:
    (folder / "attn" / "Runtime").mkdir(parents=True)
    shutil.copy(attn.SOURCE / "include" / "attn" / "Runtime" / "attn.h", folder / "attn" / "Runtime")


def build_c(source: Path, program: Path, *objects: Path) -> Path:
    """Compiles as strictly as a stranger may; nothing but the program's folder is searched for headers."""
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{program.parent}"]
    execute("clang-22", *flags, source, *objects, "-o", program, "-lm")
    return program


def test_example_builds_and_is_right(tmp_path: Path):
    folder = attn.SOURCE / "examples" / "embed-c"
    out = execute("make", "-s", "--no-print-directory", "-C", folder, "check", f"BUILD={attn.BIN.parent}",
                  f"OUT={tmp_path / 'out'}", "CC=clang-22")
    assert out.rstrip().endswith(": ok")


def test_example_needs_object_header_and_abi_alone(tmp_path: Path):
    copy_public_header(tmp_path)
    kernel = emit_with_header("longformer", tmp_path)
    source = shutil.copy(attn.SOURCE / "examples" / "embed-c" / "main.c", tmp_path)
    assert execute(build_c(source, tmp_path / "embed", kernel)).rstrip().endswith(": ok")


def test_objects_need_libc_alone(tmp_path: Path):
    objects = attn.map_processes(
        lambda pattern: emit("obj", pattern, tmp_path / f"{pattern}.o", "--head-size=8"), attn.PATTERNS)
    undefined = {name for o in objects for name in execute("nm", "-u", "--format=just-symbols", o).split()}
    assert {name for name in undefined if not LIBC_NAMES.fullmatch(name)} == set()


def test_two_kernels_link_into_one_program(tmp_path: Path):
    copy_public_header(tmp_path)
    objects = [emit_with_header("causal", tmp_path, "--head-size=8"),
               emit_with_header("longformer", tmp_path, "--head-size=16")]
    source = tmp_path / "main.c"
    source.write_text(TWO_KERNELS)
    assert execute(build_c(source, tmp_path / "two", *objects)) == "8 16\n"
