#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernels that the GPU benchmark and the GPU tests call, and how each is compiled.

Run by itself it compiles them all: objects.py ATTN_COMPILE FOLDER. A GPU machine then needs FOLDER and no compiler.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2]
PATTERNS = sorted(path.stem for path in (SOURCE / "patterns").glob("*.mlir") if "attn.linear" not in path.read_text())
INPUTS = SOURCE / "test" / "Integration" / "GPU" / "Inputs"
TEST_PATTERNS = ["columns_beside", "grid_and_lists", "listed_window", "patches_and_list", "summaries", "thirds",
                 "three_dilations", "two_lists", "window_or_segment"]  # of Inputs


def find(name: str, *folders: Path) -> Path:
    """The MLIR file of this name in the first folder that has one."""
    files = [folder / f"{name}.mlir" for folder in folders]
    return next(file for file in files if file.exists())


class Object(NamedTuple):
    """A shared object with one kernel."""

    pattern: str
    head_size: int = 64
    element: str = "bf16"
    score: str | None = None
    value_head_size: int | None = None
    tile: tuple[int, int] | None = None  # query rows and keys; None: the planner's choice
    kernel: str | None = None  # of linear attention, whose files hold several

    @property
    def name(self) -> str:
        """What its file is called: causal_alibi_d64_bf16, full_d64v128_f16, full_d64_t128x96_f16."""
        kernel = f"{self.pattern}_{self.score}" if self.score else self.kernel or self.pattern
        values = f"v{self.value_head_size}" if self.value_head_size else ""
        tile = "_t{}x{}".format(*self.tile) if self.tile else ""
        return f"{kernel}_d{self.head_size}{values}{tile}_{self.element}"

    def file(self, folder: Path) -> Path:
        return folder / f"{self.name}.so"

    def flags(self) -> list[str]:
        flags = [f"--element={self.element}", f"--head-size={self.head_size}"]
        if self.value_head_size:
            flags.append(f"--value-head-size={self.value_head_size}")
        if self.score:
            flags.append(f"--score={find(self.score, SOURCE / 'patterns' / 'scores', INPUTS)}")
        if self.kernel:
            flags.append(f"--kernel={self.kernel}")
        if self.tile:
            flags += [f"--tile-rows={self.tile[0]}", f"--tile-keys={self.tile[1]}"]
        return flags


BENCHMARK = [
    *(Object(pattern, head_size) for head_size in (128, 64) for pattern in ("full", "causal")),
    Object("sliding_window"),
    Object("longformer"),
    Object("document_causal"),
    Object("causal", score="alibi"),
    Object("causal", score="softcap"),
    *map(Object, ("dilated_window", "sparse_strided", "sparse_fixed", "axial", "bigbird", "neighborhood")),
]

ELEMENTS = ["bf16", "f16", "f32"]
SCORES = sorted(path.stem for path in (SOURCE / "patterns" / "scores").glob("*.mlir")) + ["far_and_sink", "staircase"]
ODD_HEAD_SIZES = [8, 40, 80, 96, 192, 256]

CHOSEN_TILES = [
    Object(pattern, head_size, element, tile=tile)
    for head_size, element, tile in (
        (128, "bf16", (64, 64)), (64, "f16", (128, 96)), (64, "bf16", (192, 64)), (64, "f32", (128, 32)))
    for pattern in ("full", "causal")]

LINEAR = [
    Object("linear", head_size, element, value_head_size=value_head_size, kernel=kernel)
    for kernel in ("linear", "linear_causal", "linear_step")
    for head_size, value_head_size, elements in (
        (64, None, ELEMENTS), (128, None, ["bf16"]), (1, None, ["f32"]), (40, 144, ["f16", "f32"]),
        (256, None, ["bf16", "f32"]), (200, 13, ["f32"]))
    for element in elements]

# Patterns whose periods the planner makes dense, and what their stages go on from.
PERIODIC = ["dilated_window", "sparse_strided", "sparse_strided_heads", "sparse_fixed", "sparse_fixed_heads", "axial",
            "axial_columns", "columns_beside", "summaries", "three_dilations"]
# Those of blocks that a table lists, and of rectangles of a grid.
BLOCKS_AND_GRIDS = ["bigbird", "neighborhood", "image_2d"]
STAGED = [
    *(Object(pattern, 40) for pattern in ("dilated_window", "sparse_strided", "sparse_fixed", "axial")),
    *(Object(pattern, 13, element) for pattern in ("sparse_strided", "axial") for element in ("bf16", "f32")),
    *(Object(pattern, 64, "bf16", score) for pattern in ("sparse_strided", "axial", "summaries")
      for score in ("alibi", "sink", "shaw")),
    *(Object(pattern, 40, element) for pattern in BLOCKS_AND_GRIDS for element in ("f16", "f32")),
    *(Object(pattern, 64, "bf16", score) for pattern in ("bigbird", "neighborhood") for score in ("alibi", "sink")),
]
ORDERS = [
    *(Object(pattern, head_size, element)
      for head_size in (64, 128) for element in ELEMENTS for pattern in [*PERIODIC, *BLOCKS_AND_GRIDS, "longformer"]),
    *STAGED,
]

TESTED = [
    *(Object(pattern, head_size, element)
      for head_size in (64, 128) for element in ELEMENTS for pattern in PATTERNS + TEST_PATTERNS),
    *(Object("causal", 64, element, score) for element in ELEMENTS for score in SCORES),
    Object("longformer", 128, "bf16", "alibi"),
    Object("document", 64, "f16", "softcap"),
    Object("thirds", 64, "bf16", "staircase"),
    Object("thirds", 128, "f16", "alibi"),
    *(Object("causal", 128, "bf16", score) for score in SCORES),
    *(Object("longformer", 64, "bf16", score) for score in ("bias", "transformer_xl", "sink")),
    *(Object("dilated_window", 40, "f16", score) for score in ("shaw", "far_and_sink")),
    Object("document", 64, "bf16", "bias"),
    Object("etc", 64, "bf16", "t5_bias"),
    *(Object("causal", head_size) for head_size in ODD_HEAD_SIZES),
    *(Object("causal", head_size, "f32") for head_size in [1, *ODD_HEAD_SIZES]),
    *(Object("longformer", head_size, element) for head_size in (40, 256) for element in ("f16", "f32")),
    Object("causal", 64, "bf16", value_head_size=128),
    Object("sliding_window", 128, "f16", value_head_size=64),
    Object("full", 192, "bf16", value_head_size=128),
    Object("document", 40, "bf16", value_head_size=72),
    Object("document", 40, "f32", value_head_size=72),
    Object("full", 64, "f32", value_head_size=256),
    *CHOSEN_TILES,
    *STAGED,
    *LINEAR,
]


def compile_object(compiler: Path, target: str, made: Object, folder: Path) -> str | None:
    """None, or what the compiler says."""
    pattern = find(made.pattern, SOURCE / "patterns", INPUTS)
    command = [compiler, pattern, f"--target={target}", "--emit=so", *made.flags(), "-o", made.file(folder)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return f"{made.name}: {done.stderr.strip()}" if done.returncode else None


def objects_for(target: str, which: str) -> list[Object]:
    """Each once. Kernels for the CPU are written for f32: there the tests are for that."""
    listed = {"bench": BENCHMARK, "check": TESTED, "orders": ORDERS, "all": BENCHMARK + TESTED}[which]
    return list(dict.fromkeys(made._replace(element="f32") if target == "cpu" else made for made in listed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("compiler", type=Path, help="attn-compile")
    parser.add_argument("folder", type=Path, help="where the objects go")
    parser.add_argument("--which", choices=["bench", "check", "orders", "all"], default="all",
                        help="those of one use (all)")
    parser.add_argument("--target", default="sm_90a", help="target (sm_90a); cpu: to try the tests without a GPU")
    parser.add_argument("--select", default="", help="only objects with one of these, separated by commas, in the name")
    parser.add_argument("--jobs", type=int, default=2, help="compilers at a time (2)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    selected = arguments.select.split(",")
    objects = [made for made in objects_for(arguments.target, arguments.which)
               if any(part in made.name for part in selected)]

    def compile_one(made: Object) -> str | None:
        return compile_object(arguments.compiler, arguments.target, made, arguments.folder)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        faults = [fault for fault in pool.map(compile_one, objects) if fault]
    print(*faults, f"{len(objects) - len(faults)} of {len(objects)} objects are in {arguments.folder}", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
