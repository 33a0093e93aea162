# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cache on disk: found again, healed, and shared by processes."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attn_mlir as attn
import numpy as np
import pytest
from attn_mlir import cache
from attn_mlir.compiler import Compilation

Q = np.random.default_rng(0).standard_normal((1, 1, 20, 8), np.float32)

# Compiles and calls; prints the sum of the output.
USE = """
import numpy as np
import attn_mlir as attn
q = np.ones((1, 1, 20, 8), np.float32)
print(attn.attention(q, q, q, pattern=attn.window(3, 1)).sum())
"""

# Compiles, but stands still before the entry is in its place.
STOP = """
import time
from attn_mlir import cache
seal = cache._seal
cache._seal = lambda path: (print("made", flush=True), time.sleep(600))
""" + USE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATTN_MLIR_CACHE", str(tmp_path / "cache"))
    cache.folder.cache_clear()
    yield tmp_path / "cache"
    cache.folder.cache_clear()


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output_of(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out


def test_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = attn.compile("causal", head_size=8)
    assert entries(folder) == [first.path]
    monkeypatch.setattr(Compilation, "__init__", None)  # nothing may be compiled any more
    assert attn.compile("causal", head_size=8).path == first.path
    assert attn.compile(str(attn.shipped.FOLDER / "causal.mlir"), head_size=8).path == first.path


def test_key_is_the_content(folder: Path, tmp_path: Path) -> None:
    text = (attn.shipped.FOLDER / "scores" / "alibi.mlir").read_text()
    (tmp_path / "own.mlir").write_text(text.replace("-8.0", "-7.0"))
    (tmp_path / "same.mlir").write_text(text)
    made = {
        attn.compile(*given, **options).path
        for given, options in [
            (("causal",), {"head_size": 8}), (("full",), {"head_size": 8}), (("causal",), {"head_size": 16}),
            (("causal",), {"head_size": 8, "value_head_size": 16}), (("causal",), {"head_size": 8, "element": "bf16"}),
            (("causal",), {"head_size": 8, "portable": True}), (("causal",), {"head_size": 8, "score": "alibi"}),
            (("causal",), {"head_size": 8, "score": tmp_path / "own.mlir"})]}
    assert len(made) == len(entries(folder)) == 8
    assert attn.compile("causal", head_size=8, score=tmp_path / "same.mlir").path in made


@pytest.mark.parametrize("damage", ["cut off", "one bit", "empty", "text", "garbage behind"])
def test_damaged_entries_are_made_anew(folder: Path, damage: str) -> None:
    """In another process, which has not loaded the entry yet."""
    expected = output_of(start(USE))
    (entry,) = entries(folder)
    whole = entry.read_bytes()
    entry.write_bytes({"cut off": whole[:1000], "one bit": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
                       "empty": b"", "text": b"not a library", "garbage behind": whole + b"x"}[damage])
    assert output_of(start(USE)) == expected
    assert cache._is_whole(entry) and entries(folder) == [entry]


def test_killed_half_way(folder: Path) -> None:
    killed = start(STOP)
    assert killed.stdout.readline() == "made\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not entries(folder) and list(folder.glob("*.tmp"))
    assert float(output_of(start(USE))) == 160
    assert len(entries(folder)) == 1 and not list(folder.glob("*.tmp"))


def test_many_processes_compile_one_kernel(folder: Path) -> None:
    processes = [start(USE) for _ in range(32)]
    assert {output_of(process) for process in processes} == {"160.0\n"}
    assert len(entries(folder)) == 1 and cache._is_whole(entries(folder)[0]) and not list(folder.glob("*.tmp"))


def test_one_compiles_while_others_wait(folder: Path) -> None:
    first = start(STOP)
    assert first.stdout.readline() == "made\n"
    second = start(USE)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=2)
    first.kill()
    first.wait()
    assert output_of(second) == "160.0\n"


def test_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write_text("a file stands where the folder should be")
    kernel = attn.compile("causal", head_size=8)
    assert kernel(Q, Q, Q).shape == Q.shape and folder.is_file()


def test_file_system_without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(cache.fcntl, "flock", refuse)
    assert attn.compile("causal", head_size=8)(Q, Q, Q).shape == Q.shape


def age(entry: Path, seconds: int) -> None:
    """Lets an entry look as if it had been used so long ago."""
    then = entry.stat().st_mtime - seconds
    os.utime(entry, (then, then))


def make_large(path: Path) -> None:
    path.write_bytes(bytes(400 << 10))


def test_least_recently_used_entries_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit has room for two; a lookup is a use."""
    monkeypatch.setenv("ATTN_MLIR_CACHE_LIMIT", "1")
    first, second = (cache.find_or_make(name, make_large) for name in ("first", "second"))
    for entry in (first, second):
        age(entry, 100)
    assert cache.find_or_make("first", make_large) == first
    third = cache.find_or_make("third", make_large)
    assert entries(folder) == sorted([first, third]) and not second.with_suffix(".lock").exists()
    monkeypatch.setenv("ATTN_MLIR_CACHE_LIMIT", "0")
    fourth = cache.find_or_make("fourth", make_large)
    assert entries(folder) == [fourth], "the newest stays, however small the limit is"


def test_leftovers_of_killed_processes_go(folder: Path) -> None:
    folder.mkdir()
    old, new = folder / "a.1.tmp", folder / "b.2.tmp"
    for path in (old, new):
        path.touch()
    age(old, 10000)
    attn.compile("causal", head_size=8)
    assert not old.exists() and new.exists()


def test_limit_that_is_no_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTN_MLIR_CACHE_LIMIT", "1G")
    with pytest.raises(attn.Error, match="^ATTN_MLIR_CACHE_LIMIT is '1G'; give a number of MiB$"):
        attn.compile("causal", head_size=8)


def test_entry_that_goes_before_it_is_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process drops it between the two; it is made again."""
    find_or_make, count = cache.find_or_make, itertools.count()

    def drop_first(*given: Any) -> Path:
        entry = find_or_make(*given)
        if next(count) == 0:
            entry.unlink()
        return entry

    monkeypatch.setattr(cache, "find_or_make", drop_first)
    assert attn.compile(attn.window(77), head_size=8).path.exists() and next(count) == 2


def test_kernel_outlives_its_entry(folder: Path, tmp_path: Path) -> None:
    kernel = attn.compile(attn.window(78), head_size=8)
    kernel.path.unlink()
    assert kernel(Q, Q, Q).shape == Q.shape
    with pytest.raises(attn.LoadError, match="is not in the cache any more; compile the kernel anew, or raise ATTN_"):
        kernel.save(tmp_path / "kernel.so")
