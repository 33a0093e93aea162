# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Other projects find what `cmake --install` leaves, wherever it was moved to, and are built with it."""

import re
import subprocess
from pathlib import Path

import attn
import pytest

COMPILERS = ["-DCMAKE_C_COMPILER=clang-22", "-DCMAKE_CXX_COMPILER=clang++-22"]

# The example of embed-c, in somebody's CMake project.
RUNTIME_PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(kernels LANGUAGES C)
find_package(Attn 0.1 REQUIRED COMPONENTS Runtime)
add_executable(kernels main.c longformer.o)
target_link_libraries(kernels PRIVATE Attn::Runtime m)
add_executable(pool pool.c)
target_link_libraries(pool PRIVATE Attn::AttnRuntime)
"""

POOL = """
#include <attn/Runtime/pool.h>

int main(void) {
  attn_pool *pool = attn_pool_create(2);
  int workers = attn_pool_executor(pool)->workers;
  attn_pool_destroy(pool);
  return workers != 2;
}
"""


def execute(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def run(*command: object) -> str:
    done = execute(*command)
    assert done.returncode == 0, f"{' '.join(done.args)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the project is installed. It was moved there, so that nothing may remember where it was first."""
    folder = tmp_path_factory.mktemp("install")
    run("cmake", "--install", attn.BIN.parent, "--prefix", folder / "made")
    return (folder / "made").rename(folder / "moved")


def configure(source: Path, build: Path, prefix: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return execute("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", *COMPILERS,
                   *flags)


def build(source: Path, folder: Path, prefix: Path, *flags: str) -> Path:
    configured = configure(source, folder, prefix, *flags)
    assert configured.returncode == 0, configured.stdout + configured.stderr
    run("cmake", "--build", folder)
    return folder


def reason_of_refusal(tmp_path: Path, prefix: Path, project: str, find: str) -> str:
    """What CMake is told by the package that is not found."""
    (tmp_path / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.25)\n{project}\n{find}\n")
    configured = configure(tmp_path, tmp_path / "build", prefix)
    assert configured.returncode != 0
    return " ".join(configured.stderr.split())


def test_example_compiles_in_process(prefix: Path, tmp_path: Path) -> None:
    example = attn.SOURCE / "examples" / "embed-cpp"
    program = build(example, tmp_path, prefix) / "embed-cpp"
    assert run(program, example / "streaming.mlir").rstrip().endswith(": ok")


def test_runtime_needs_no_llvm(prefix: Path, tmp_path: Path) -> None:
    for what, ending in (("obj", "o"), ("header", "h")):
        run(prefix / "bin" / "attn-compile", prefix / "share" / "attn" / "patterns" / "longformer.mlir",
            f"--emit={what}", "-o", tmp_path / f"longformer.{ending}")
    (tmp_path / "main.c").write_text((attn.SOURCE / "examples" / "embed-c" / "main.c").read_text())
    (tmp_path / "pool.c").write_text(POOL)
    (tmp_path / "CMakeLists.txt").write_text(RUNTIME_PROJECT)
    folder = build(tmp_path, tmp_path / "build", prefix, "-DCMAKE_DISABLE_FIND_PACKAGE_MLIR=ON",
                   "-DCMAKE_DISABLE_FIND_PACKAGE_LLVM=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_PNG=ON")
    assert run(folder / "kernels").rstrip().endswith(": ok")
    run(folder / "pool")


def test_tools_run_where_they_are_installed(prefix: Path) -> None:
    made = {path.name for path in attn.BIN.glob("attn-*")}
    assert {path.name for path in (prefix / "bin").iterdir()} == made
    pattern = prefix / "share" / "attn" / "patterns" / "causal.mlir"
    assert "check    right" in run(prefix / "bin" / "attn-run", pattern, "--length=64", "--score=alibi", "--check")
    assert (prefix / "lib" / "AttnPlugin.so").exists()


def test_headers_include_what_is_there(prefix: Path) -> None:
    headers = [path for path in (prefix / "include").rglob("*") if path.is_file()]
    assert {path.name for path in headers} >= {"attn.h", "Compiler.h", "AttnOps.td", "AttnOps.h.inc"}
    for header in headers:
        for name in re.findall(r"^#?include \"(attn/[^\"]+)\"", header.read_text(), re.MULTILINE):
            assert (prefix / "include" / name).exists(), f"{header} includes {name}"


def test_package_names_no_folder_of_the_build(prefix: Path) -> None:
    files = list((prefix / "lib" / "cmake" / "Attn").iterdir())
    assert {path.name for path in files} >= {"AttnConfig.cmake", "AttnConfigVersion.cmake"}
    for path in files:
        assert str(attn.SOURCE) not in path.read_text(), path


def test_unknown_component_is_refused(prefix: Path, tmp_path: Path) -> None:
    reason = reason_of_refusal(tmp_path, prefix, "project(x LANGUAGES C CXX)",
                               "find_package(Attn REQUIRED COMPONENTS Gpu)")
    assert "Attn has no component 'Gpu'; it has Compiler and Runtime" in reason


def test_project_without_c_is_refused(prefix: Path, tmp_path: Path) -> None:
    reason = reason_of_refusal(tmp_path, prefix, "project(x LANGUAGES CXX)", "find_package(Attn REQUIRED)")
    assert "LLVM's package needs C; write project(NAME LANGUAGES C CXX)" in reason


def test_other_version_is_refused(prefix: Path, tmp_path: Path) -> None:
    reason = reason_of_refusal(tmp_path, prefix, "project(x LANGUAGES C CXX)", "find_package(Attn 0.2 REQUIRED)")
    assert 'compatible with requested version "0.2"' in reason
