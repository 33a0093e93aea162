# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which pairs the patterns of Inputs admit, from their formulas alone, beside those of the shipped ones (masks.py)."""

import masks
import numpy as np
from masks import causal, document, sliding_window


def listed_window(
    p: np.ndarray, t: np.ndarray, tokens: np.ndarray = np.array([0]), near: int = 8, far: int = 256
) -> np.ndarray:
    is_listed = np.isin(p, tokens[tokens >= 0])
    return sliding_window(p, t, near, near) | (is_listed & sliding_window(p, t, far, far))


def window_or_segment(p: np.ndarray, t: np.ndarray, segments: np.ndarray, near: int = 8) -> np.ndarray:
    return sliding_window(p, t, near, near) | document(p, t, segments)


def thirds(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return ((p + t) % 3 == 0) & causal(p, t)


def two_lists(
    p: np.ndarray, t: np.ndarray, first: np.ndarray = np.array([0]), second: np.ndarray = np.array([1]), near: int = 8
) -> np.ndarray:
    both = np.concatenate([first, second])
    tokens = both[both >= 0]
    return sliding_window(p, t, near, near) | np.isin(p, tokens) | np.isin(t, tokens)


def summaries(p: np.ndarray, t: np.ndarray, stride: int = 16, near: int = 20) -> np.ndarray:
    return sliding_window(p, t, near, near) | (p % stride == 0) | (t % stride == 0)


def three_dilations(p: np.ndarray, t: np.ndarray, near: int = 5, middle: int = 20, far: int = 40) -> np.ndarray:
    d = p - t
    second, third = (d % 2 == 0) & (abs(d) <= 2 * middle), (d % 3 == 0) & (d >= 0) & (d <= 3 * far)
    return sliding_window(p, t, near, 0) | second | third


def columns_beside(p: np.ndarray, t: np.ndarray, width: int = 16) -> np.ndarray:
    return abs(p % width - t % width) <= 1


def grid_and_lists(
    p: np.ndarray, t: np.ndarray, first: np.ndarray = np.array([0]), second: np.ndarray = np.array([1]), width: int = 16
) -> np.ndarray:
    both = np.concatenate([first, second])
    return columns_beside(p, t, width) | np.isin(t, both[both >= 0])


def patches_and_list(
    p: np.ndarray, t: np.ndarray, tokens: np.ndarray = np.array([0]), width: int = 16
) -> np.ndarray:
    is_near = (abs(p // width - t // width) <= 3) & (abs(p % width - t % width) <= 4)
    return is_near | np.isin(t, tokens[tokens >= 0])


MASKS: dict[str, masks.Mask] = {
    **masks.MASKS,
    **{mask.__name__: mask for mask in (listed_window, window_or_segment, thirds, two_lists, summaries,
                                        three_dilations, columns_beside, grid_and_lists, patches_and_list)}}
