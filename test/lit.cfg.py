# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lit suite: one file a test, in folders that mirror lib.

Beside lit's own %s and %t a test may write
  %patterns   the folder of the shipped pattern files
  %shlibext   what a shared library's name ends in
  %plugin     AttnPlugin, which mlir-opt loads
  %refuse     before a command: it has to end with code 2 and one complete line of error, which is printed
              (Integration/Inputs/refuse.py)
and, after REQUIRES, one of the features
  avx2, avx512   what this machine's CPU has
  sanitize       the tools are built with the sanitizers
  check-all      the long form of a test is asked for: ATTN_CHECK_ALL=1, or lit's --param check-all
"""

import os

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "attn"
config.test_format = lit.formats.ShTest()
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "Unit", "Python", "corpus"]
if not config.attn_sanitize:
    config.excludes.append("Fuzz")  # fuzzers are built with the sanitizers
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.attn_test_dir


def cpu_flags():
    """The CPU's features as the Linux kernel names them; none elsewhere."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            lines = [line for line in cpuinfo if line.startswith("flags")]
    except OSError:
        lines = []
    return set(lines[0].split()) if lines else set()


flags = cpu_flags()
features = {
    "avx2": {"avx2", "fma"} <= flags,
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags,
    "sanitize": config.attn_sanitize,
    "check-all": "check-all" in lit_config.params
    or os.environ.get("ATTN_CHECK_ALL") == "1",
}
config.available_features.update(name for name, has in features.items() if has)

for setting in config.attn_test_environment.split(";"):
    name, value = setting.split("=", 1)
    config.environment[name] = value

config.substitutions.append(
    ("%patterns", os.path.join(config.attn_source_dir, "patterns"))
)
config.substitutions.append(("%shlibext", config.shared_library_suffix))
config.substitutions.append(("%plugin", config.attn_plugin))
config.substitutions.append(
    (
        "%refuse",
        config.attn_python
        + " "
        + os.path.join(config.test_source_root, "Integration", "Inputs", "refuse.py"),
    )
)

llvm_config.use_default_substitutions()
llvm_config.add_tool_substitutions(
    [
        "attn-opt",
        "attn-compile",
        "attn-run",
        "attn-call",
        "attn-lsp-server",
        *(["attn-fuzz-pattern", "attn-fuzz-npy"] if config.attn_sanitize else []),
        "llvm-nm",
        "llvm-readelf",
        "mlir-opt",
        "split-file",
        ToolSubst("python3", config.attn_python, unresolved="fatal"),
    ],
    [config.attn_binary_dir, config.llvm_tools_dir],
)
