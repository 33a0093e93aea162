# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Linear attention in its three forms, against NumPy in float64 and against each other."""

import functools
from pathlib import Path
from typing import NamedTuple

import attn
import numpy as np
import pytest

FORMS = ["linear", "linear_causal", "linear_step"]
HEAD_SIZE, VALUE_HEAD_SIZE = 13, 6
EPSILON = np.float64(np.float32(1e-6))
ERROR = 2e-6  # of float32, relative to the largest number


class Given(NamedTuple):
    """[batch, heads, rows, columns], and a state [batch, kv heads, head size, value head size + 1] or None."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    state: np.ndarray | None = None


class Gives(NamedTuple):
    output: np.ndarray
    lse: np.ndarray
    state: np.ndarray


def draw(length: int, kv_length: int, batch: int = 1, heads: int = 1, kv_heads: int = 1, state: bool = False,
         head_size: int = HEAD_SIZE, value_head_size: int = VALUE_HEAD_SIZE) -> Given:
    random = np.random.default_rng(length + 1000 * kv_length)
    q, k, v = (random.standard_normal(shape, dtype=np.float32)
               for shape in [(batch, heads, length, head_size), (batch, kv_heads, kv_length, head_size),
                             (batch, kv_heads, kv_length, value_head_size)])
    shape = (batch, kv_heads, head_size, value_head_size + 1)
    return Given(q, k, v, random.random(shape, dtype=np.float32) if state else None)


def feature(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def formula(form: str, given: Given, shift: int | None = None) -> Gives:
    """What the pattern file says; query row i stands beside key row i + shift."""
    q, k, v = (x.astype(np.float64) for x in given[:3])
    length, kv_length, group = q.shape[2], k.shape[2], q.shape[1] // k.shape[1]
    values = np.concatenate([v, np.ones((*v.shape[:3], 1))], axis=-1)
    # [batch, kv heads, 1 + kv length, head size, columns]: the state after 0, 1, ... keys.
    steps = feature(k)[..., :, None] * values[..., None, :]
    states = np.concatenate([np.zeros_like(steps[:, :, :1]), np.cumsum(steps, axis=2)], axis=2) if kv_length else \
        np.zeros((*k.shape[:2], 1, k.shape[3], values.shape[3]))
    if given.state is not None:
        states = states + given.state[:, :, None]
    shift = kv_length - length if shift is None else shift
    seen = np.full(length, kv_length) if form == "linear" else np.clip(np.arange(length) + shift + 1, 0, kv_length)
    rows = np.einsum("bhic,bhice->bhie", feature(q), np.repeat(states[:, :, seen], group, axis=1))
    normaliser = rows[..., -1] + EPSILON
    return Gives(rows[..., :-1] / normaliser[..., None], np.log(normaliser), states[:, :, -1])


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> "functools._lru_cache_wrapper[Path]":
    """kernels(head size, value head size): a shared object that holds the three forms; made once."""
    folder = tmp_path_factory.mktemp("linear")

    @functools.cache
    def compile_once(head_size: int = HEAD_SIZE, value_head_size: int = VALUE_HEAD_SIZE) -> Path:
        return attn.compile_shared_object("linear", folder / f"linear_{head_size}_{value_head_size}.so",
                                          f"--head-size={head_size}", f"--value-head-size={value_head_size}")

    return compile_once


def call(kernel: Path, form: str, given: Given, folder: Path, *flags: str) -> Gives:
    folder.mkdir(exist_ok=True)
    files = [folder / f"{name}.npy" for name in ("output", "lse", "state_out")]
    if given.state is not None:
        np.save(folder / "state_in.npy", given.state)
        flags = (*flags, f"--arg=state_in={folder}/state_in.npy")
    attn.run("attn-call", kernel, f"--kernel={form}", *attn.file_flags(folder, q=given.q, k=given.k, v=given.v), *flags,
             f"--out={files[0]}", f"--lse={files[1]}", f"--state-out={files[2]}")
    return Gives(*map(np.load, files))


def expect_close(given: Gives, expected: Gives) -> None:
    for x, y in zip(given, expected):
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=0, atol=ERROR * max(1, np.abs(y).max(initial=0)))


CASES = {
    "one row": (draw(1, 1), None),
    "lengths differ": (draw(70, 131), None),
    "more rows than keys": (draw(131, 70), None),
    "no keys": (draw(5, 0), None),
    "no rows": (draw(0, 70), None),
    "a state": (draw(70, 70, state=True), None),
    "batches and groups of heads": (draw(67, 67, batch=2, heads=6, kv_heads=2, state=True), None),
    "rows in the middle": (draw(40, 100), 30),
    "rows before the keys": (draw(40, 100), -70),
    "rows behind the keys": (draw(40, 100), 200),
    "keys that are split": (draw(3, 9000), None),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_form_is_its_formula(form: str, case: str, kernels, tmp_path: Path):
    given, shift = CASES[case]
    flags = [] if shift is None else [f"--query-offset={shift + 7}", "--key-offset=7"]
    expect_close(call(kernels(), form, given, tmp_path, *flags), formula(form, given, shift))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("isa", ["avx512", "avx2", "generic"])
@pytest.mark.parametrize("sizes", [(1, 1), (16, 15), (16, 16), (33, 64), (64, 63), (7, 255), (256, 3)])
def test_any_head_size(form: str, isa: str, sizes: tuple[int, int], kernels, tmp_path: Path):
    given = draw(77, 77, heads=2, head_size=sizes[0], value_head_size=sizes[1])
    expect_close(call(kernels(*sizes), form, given, tmp_path, f"--max-isa={isa}"), formula(form, given))


@pytest.mark.parametrize("form", ["linear_causal", "linear_step"])
def test_every_length(form: str, kernels, tmp_path: Path):
    kernel = kernels()

    def check(length: int) -> None:
        given = draw(length, length)
        expect_close(call(kernel, form, given, tmp_path / str(length)), formula(form, given))

    attn.map_processes(check, range(1, 201))


def test_steps_replay_the_causal_form(kernels, tmp_path: Path):
    """Decoding: one query and one key at a time, the state handed on."""
    length, given = 70, draw(70, 70, batch=2, heads=4, kv_heads=2)
    whole = call(kernels(), "linear_causal", given, tmp_path)
    state, outputs, lses = None, [], []
    for i in range(length):
        one = Given(*(x[:, :, i:i + 1] for x in given[:3]), state)
        output, lse, state = call(kernels(), "linear_step", one, tmp_path)
        outputs.append(output), lses.append(lse)
    expect_close(Gives(np.concatenate(outputs, axis=2), np.concatenate(lses, axis=2), state), whole)


@pytest.mark.parametrize("form", ["linear_causal", "linear_step"])
@pytest.mark.parametrize("cut", [1, 64, 70, 127])
def test_two_parts_are_the_whole(form: str, cut: int, kernels, tmp_path: Path):
    given = draw(128, 128, heads=4, kv_heads=2, state=True)
    whole = call(kernels(), form, given, tmp_path)
    q, k, v, state = given
    head = call(kernels(), form, Given(q[:, :, :cut], k[:, :, :cut], v[:, :, :cut], state), tmp_path)
    tail = call(kernels(), form, Given(q[:, :, cut:], k[:, :, cut:], v[:, :, cut:], head.state), tmp_path)
    expect_close(Gives(np.concatenate([head.output, tail.output], axis=2),
                       np.concatenate([head.lse, tail.lse], axis=2), tail.state), whole)


@pytest.mark.parametrize("form", ["linear_causal", "linear_step"])
@pytest.mark.parametrize("later", [5.0, np.nan, np.inf])
def test_later_rows_change_no_bit(form: str, later: float, kernels, tmp_path: Path):
    """Whatever stands in rows from `cut` on, the rows before it are the same, bit by bit."""
    given = draw(150, 150, heads=2)
    before = call(kernels(), form, given, tmp_path)
    for cut in [1, 3, 8, 60, 64, 65, 100, 128, 149]:
        changed = Given(*(x.copy() for x in given[:3]))
        for x in changed[:3]:
            x[:, :, cut:] = later
        after = call(kernels(), form, changed, tmp_path)
        assert after.output[:, :, :cut].tobytes() == before.output[:, :, :cut].tobytes()
        assert after.lse[:, :, :cut].tobytes() == before.lse[:, :, :cut].tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_any_number_of_threads_gives_equal_bytes(form: str, kernels, tmp_path: Path):
    given = draw(150, 9000, batch=2, heads=4, kv_heads=2)
    one, *others = (call(kernels(), form, given, tmp_path, f"--threads={threads}") for threads in (1, 1, 2, 5))
    assert all(x.tobytes() == y.tobytes() for other in others for x, y in zip(one, other))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("element", ["f32", "bf16", "f16"])
@pytest.mark.parametrize("isa", ["avx512", "avx2", "generic"])
def test_reference_agrees(form: str, element: str, isa: str):
    report = attn.run_json("attn-run", attn.pattern_file("linear"), f"--kernel={form}", f"--element={element}",
                           f"--max-isa={isa}", "--length=100", "--kv-length=131", "--heads=4", "--kv-heads=2",
                           "--head-size=20", "--check")
    assert report["ok"] and report["error_ratio"] < 1


def test_multiplications_grow_with_the_length():
    """Not with its square."""
    costs = [attn.run_json("attn-compile", attn.pattern_file("linear"), "--kernel=linear_causal", "--emit=report",
                           f"--length={length}")["computed_pairs"] for length in (4096, 8192)]
    assert costs[1] == 2 * costs[0]
