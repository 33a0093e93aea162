# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments for the patterns: run-time data of every kind, and numbers, common ones and awkward ones."""

import numpy as np
from problems import Draw, DrawForHeads, Random, drawn_blocks

# ----------------------------------------------------------------------------------------------------------------------
# Run-time data
# ----------------------------------------------------------------------------------------------------------------------


def fixed(*values: int) -> Draw:
    """The same for every call and batch."""

    def draw(positions: int, batch: int, random: Random) -> np.ndarray:
        return np.array(values)

    draw.__name__ = str(list(values))
    return draw


def repeated(*runs: tuple[int, int]) -> Draw:
    """Segments (id, positions), one after another."""
    return fixed(*(segment for segment, count in runs for _ in range(count)))


def no_token(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.zeros((batch, 0))


def last_position(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.full((batch, 1), positions - 1)


def padding(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.full((batch, 3), -1)


def duplicates(positions: int, batch: int, random: Random) -> np.ndarray:
    """Not sorted, some twice, and padded by -1 in between."""
    drawn = random.integers(0, max(positions, 1), (batch, 5)) if positions else np.full((batch, 5), -1)
    return np.concatenate([drawn, np.full((batch, 2), -1), drawn[:, ::-1]], axis=1)


def outside(positions: int, batch: int, random: Random) -> np.ndarray:
    """Some tokens that are no positions of the sequence."""
    return np.array([positions, 3, 2**31 - 1, positions // 2, -7, positions + 64, -(2**31)])


def a_third(positions: int, batch: int, random: Random) -> np.ndarray:
    return random.integers(0, max(positions, 1), (batch, positions // 3)) if positions else np.zeros((batch, 0))


def everything(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.stack([random.permutation(positions) for _ in range(batch)])


def unsorted_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return random.integers(0, 3, (batch, positions))


def shared_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.sort(random.integers(0, 5, positions))


def descending_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return -np.sort(random.integers(0, 5, (batch, positions)), axis=1)


def distinct_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return everything(positions, batch, random)


def extreme_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    return random.choice([-(2**31), -1, 0, 2**31 - 1], (batch, positions))


def one_segment(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.full((batch, positions), 7)


def more_segments(positions: int, batch: int, random: Random) -> np.ndarray:
    """Ids for more positions than there are."""
    return np.sort(random.integers(0, 4, (batch, positions + 37)), axis=1)


def none_and_all(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.resize([0, positions], batch)


def last_missing(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.full(batch, max(positions - 1, 0))


def outside_lengths(positions: int, batch: int, random: Random) -> np.ndarray:
    return np.resize([positions + 1000, -5, 2**31 - 1, positions // 2], batch)


def of_heads(*numbers: int) -> DrawForHeads:
    """One after the other, and again from the first."""

    def draw(positions: int, heads: int, random: Random) -> np.ndarray:
        return np.resize(numbers, heads)

    draw.__name__ = str(list(numbers))
    return draw


def no_blocks(positions: int, heads: int, random: Random) -> np.ndarray:
    return np.full((heads, -(-positions // 64), 2), -1)


def outside_blocks(positions: int, heads: int, random: Random) -> np.ndarray:
    return random.choice([-(2**31), -2, 10**6, 2**31 - 1, 1, 2], (heads, -(-positions // 64), 4))


# ----------------------------------------------------------------------------------------------------------------------
# For each pattern
# ----------------------------------------------------------------------------------------------------------------------

# What patterns are given where a case says nothing: their defaults want more rows than most cases have.
USUAL: dict[str, dict] = {"neighborhood": {"width": 16, "rows": 5, "columns": 5}}

ARGUMENTS: dict[str, list[dict]] = {
    "sliding_window": [
        {"left": 0, "right": 0}, {"left": 511, "right": 0}, {"left": 0, "right": 5}, {"left": 17, "right": 2},
        {"left": 64, "right": 63}, {"left": 2**40, "right": 0}, {"left": 2**40, "right": 2**40},
        {"left": 1, "right": 800}, {"left": 333, "right": 129}],
    "block_local": [{"block": 1}, {"block": 3}, {"block": 64}, {"block": 192}, {"block": 257}, {"block": 100000}],
    "longformer": [
        {"left": 0, "right": 0}, {"global_": no_token, "left": 40, "right": 40}, {"global_": padding},
        {"global_": duplicates, "left": 5, "right": 300}, {"global_": fixed(*range(16))},
        {"global_": a_third, "left": 33, "right": 0}, {"global_": everything}, {"global_": last_position, "left": 1}],
    "document": [{"segments": segments} for segments in (
        unsorted_segments, shared_segments, descending_segments, distinct_segments, extreme_segments, one_segment,
        more_segments)],
    "document_causal": [{"segments": segments} for segments in (
        unsorted_segments, shared_segments, distinct_segments, one_segment)],
    "padded": [{"lengths": lengths} for lengths in (none_and_all, last_missing)],
    "listed_window": [
        {"tokens": duplicates}, {"tokens": no_token, "near": 0}, {"tokens": a_third, "far": 60}, {"tokens": everything},
        {"tokens": last_position, "far": 2**40}],
    "window_or_segment": [{"segments": segments} for segments in (
        unsorted_segments, shared_segments, extreme_segments, one_segment, more_segments)],
    "two_lists": [
        {"first": fixed(0, 5, 128), "second": fixed(5, 127)}, {"first": duplicates, "second": a_third, "near": 40},
        {"first": no_token, "second": duplicates}, {"first": everything, "second": a_third},
        {"first": a_third, "second": no_token, "near": 0}],
    "dilated_window": [
        {"left": 0, "right": 0}, {"left": 5, "right": 0, "dilation": 1}, {"left": 20, "right": 3, "dilation": 7},
        {"left": 2**20, "right": 2**20, "dilation": 64}, {"left": 3, "right": 3, "dilation": 1000}],
    "summaries": [{"stride": 1}, {"stride": 7, "near": 0}, {"stride": 100, "near": 300}, {"stride": 2**40}],
    "three_dilations": [{"near": 0, "middle": 1, "far": 300}, {"near": 50, "middle": 0, "far": 0},
                        {"middle": 2**40, "far": 2**40}],
    "columns_beside": [{"width": 1}, {"width": 37}, {"width": 2**40}],
    "grid_and_lists": [
        {"first": fixed(0, 5, 128), "second": fixed(5, 127), "width": 37}, {"first": duplicates, "second": a_third},
        {"first": no_token, "second": everything}, {"first": no_token, "second": no_token, "width": 2**40}],
    "patches_and_list": [
        {"tokens": fixed(0, 17, 100, 101)}, {"tokens": everything, "width": 23}, {"tokens": no_token},
        {"tokens": a_third, "width": 100}],
    "sparse_strided": [{"stride": 1}, {"stride": 7}, {"stride": 64}, {"stride": 10000}],
    "sparse_strided_heads": [{"stride": 1}, {"stride": 33}],
    "sparse_fixed": [
        {"stride": 1, "summary": 1}, {"stride": 48, "summary": 5}, {"stride": 32, "summary": 0},
        {"stride": 5, "summary": 9}],
    "sparse_fixed_heads": [{"first": of_heads(100, 120)}, {"stride": 20, "summary": 3, "first": of_heads(0, 17, 30)}],
    "image_1d": [{"block": 1}, {"block": 50}, {"block": 1000}],
    "image_2d": [
        {"width": 20, "query_rows": 4, "query_columns": 8, "flange_rows": 3, "flange_columns": 5},
        {"width": 31, "query_rows": 2, "query_columns": 31, "flange_rows": 0, "flange_columns": 0}],
    "axial": [{"width": 1}, {"width": 37}, {"width": 10000}],
    "axial_rows": [{"width": 50}],
    "axial_columns": [{"width": 50}],
    "neighborhood": [
        {"width": 1, "rows": 7, "columns": 1}, {"width": 30, "rows": 4, "columns": 9},
        {"width": 23, "rows": 1, "columns": 23}],
    "prefix_lm": [{"prefix": 0}, {"prefix": 300}, {"prefix": 10**6}],
    "prefix_lm_batch": [{"prefix": none_and_all}, {"prefix": last_missing}],
    "etc": [{"global_": 0, "radius": 9}, {"global_": 300, "radius": 0}, {"global_": 10000, "radius": 3}],
    "bigbird": [
        {"block": 16, "random": drawn_blocks(16)}, {"block": 100, "random": drawn_blocks(100, 1)},
        {"block": 1000, "random": drawn_blocks(1000)}, {"random": no_blocks}],
    "longformer_heads": [
        {"left": of_heads(0, 300, 7), "right": of_heads(5, 0), "dilation": of_heads(1, 2, 50)},
        {"left": of_heads(10, 20), "global_": a_third}],
}
