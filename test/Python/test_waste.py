# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Orders and sub-tiles leave little to multiply that is not admitted: bounds on the waste of patterns on the CPU.

The least that sub-tiles of 8 rows x 16 keys can reach follows from a pattern's shape: 8 rows of a window of 513 keys look
at 520 of them, which lie in 33 panels of 16, so its waste is 528 / 513.
"""

import attn
import pytest

# Pattern, arguments, and the most that it may waste at 16384 rows.
BOUNDS = [
    ("causal", [], 1.001),
    ("sliding_window", [], 1.03),
    ("sliding_window", ["left=511", "right=0"], 1.032),
    *(("dilated_window", [f"dilation={dilation}"], 1.035) for dilation in (2, 3, 4, 7, 8, 64)),
    ("sparse_strided", ["stride=128"], 1.13),
    ("sparse_strided", ["stride=96"], 1.2),
    ("sparse_strided", ["stride=100"], 1.21),
    ("sparse_fixed", [], 1.025),
    ("axial", ["width=128"], 1.005),
    ("axial", ["width=100"], 1.13),
    ("axial_rows", ["width=100"], 1.16),
    ("axial_columns", ["width=100"], 1.105),
    ("longformer", ["global=" + ",".join(map(str, range(0, 16384, 1024)))], 1.1),
    ("bigbird", [], 1.0),
    ("neighborhood", ["width=128", "rows=7", "columns=7"], 2.25),
    ("neighborhood", ["width=128", "rows=13", "columns=13"], 1.56),
]


def waste(pattern: str, arguments: list[str], *flags: str) -> float:
    return attn.run_json("attn-compile", attn.pattern_file(pattern), "--emit=report", "--head-size=64", *flags,
                         *(f"--arg={argument}" for argument in arguments))["waste"]


@pytest.mark.parametrize(("pattern", "arguments", "most"), BOUNDS)
def test_waste_is_bounded(pattern: str, arguments: list[str], most: float):
    assert 1 <= waste(pattern, arguments, "--element=f32", "--length=16384") <= most


@pytest.mark.parametrize(("length", "panels"), [(64, 20), (128, 72)])
def test_causal_rows_of_a_sub_tile_end_at_a_panel(length: int, panels: int):
    """Eight rows of causal attention take as many panels of 16 keys as their last row: 1, 1, 2, 2, 3, 3, ..."""
    admitted = length * (length + 1) // 2
    assert waste("causal", [], "--element=f32", f"--length={length}") == pytest.approx(panels * 8 * 16 / admitted)


def test_elements_differ_in_their_sub_tiles():
    """bf16 is multiplied in pairs, and two panels at a time; f16 is converted to f32."""
    f32, f16, bf16 = (waste("sliding_window", [], f"--element={element}", "--length=16384")
                      for element in ("f32", "f16", "bf16"))
    assert f32 == f16 < bf16


def test_listed_keys_waste_little_on_a_gpu():
    """Tiles of a GPU are multiplied whole: 16 listed keys take one of 32, beside the window's six of 96."""
    tokens = "global=" + ",".join(map(str, range(0, 16384, 1024)))
    longformer, window = (waste(*case, "--target=sm_90a", "--element=bf16", "--length=16384")
                          for case in (("longformer", [tokens]), ("sliding_window", [])))
    assert window <= 1.13
    assert longformer <= 1.1 * 1.13
