# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels are called, and patterns compiled, from any number of threads; worker threads change no bit."""

import multiprocessing
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import attn_mlir as attn
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
ROWS = [RANDOM.standard_normal((3, 1, 4, length, 16), np.float32) for length in range(100, 140)]


@pytest.fixture(scope="module")
def kernel() -> attn.Kernel:
    return attn.compile(attn.window(9, 4) | attn.global_tokens([0, 50]), head_size=16)


def test_threads_share_a_kernel(kernel: attn.Kernel) -> None:
    """Lengths differ, so that a workspace of another thread would not do."""
    expected = [kernel(*rows) for rows in ROWS]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert all(map(np.array_equal, pool.map(lambda rows: kernel(*rows), ROWS), expected))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_workers_change_no_bit(kernel: attn.Kernel, threads: int) -> None:
    rows = RANDOM.standard_normal((3, 2, 4, 700, 16), np.float32)
    output, lse = kernel(*rows, threads=threads, return_lse=True)
    serial, serial_lse = kernel(*rows, threads=1, return_lse=True)
    assert np.array_equal(output, serial) and np.array_equal(lse, serial_lse)


def test_threads_share_a_pool(kernel: attn.Kernel) -> None:
    expected = [kernel(*rows) for rows in ROWS]
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda rows: kernel(*rows, threads=3), ROWS)
        assert all(map(np.array_equal, results, expected))


def test_default_is_said_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTN_MLIR_THREADS", "3")
    assert attn.kernel.default_threads() == 3
    monkeypatch.delenv("ATTN_MLIR_THREADS")
    assert attn.kernel.default_threads() >= 1


def test_threads_compile_at_a_time() -> None:
    """Each a pattern of its own, which no cache holds."""
    q = ROWS[0][0]

    def use(left: int) -> np.ndarray:
        return attn.attention(q, q, q, pattern=attn.window(1000 + left, 3))

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(use, range(6)))
    assert all(np.array_equal(result, results[0]) for result in results)


def test_the_interpreter_runs_on_during_a_call() -> None:
    """Another thread runs although this one never pauses between calls: it can only while a call is under way."""
    kernel = attn.compile("full", head_size=16)
    rows = RANDOM.standard_normal((3, 1, 2, 500, 16), np.float32)
    has_begun, has_run = threading.Event(), []

    def run() -> None:
        has_begun.wait()
        has_run.append(True)

    other = threading.Thread(target=run)
    other.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # seconds, after which a thread that computes would let others run
    try:
        has_begun.set()
        for _ in range(10_000):
            kernel(*rows, threads=1)
            if has_run:
                break
    finally:
        sys.setswitchinterval(interval)
    assert has_run
    other.join()


def _call_in_child(queue: "multiprocessing.Queue[bool]", kernel: attn.Kernel, expected: np.ndarray) -> None:
    queue.put(np.array_equal(kernel(*ROWS[0], threads=3), expected))


def test_forked_children_have_pools_of_their_own(kernel: attn.Kernel) -> None:
    expected = kernel(*ROWS[0], threads=3)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_call_in_child, args=(queue, kernel, expected))
    child.start()
    assert queue.get(timeout=60)
    child.join()
    assert child.exitcode == 0
