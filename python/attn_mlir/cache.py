# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled kernels on disk, found by what they are made of: source, score, options, compiler, C ABI and processor.

An entry is a shared library with the digest of its bytes behind them, which loaders of ELF files pass over. It is
written beside its place and renamed, so an entry is whole or not there, and one that a disk or a person has damaged is
seen by its digest and made anew. A lock for each entry lets one process compile it while others wait; the system drops
the lock of a process that was killed.

Entries take at most ATTN_MLIR_CACHE_LIMIT MiB (1024 unless it is set): after a new one is made, those go that were not
used for longest. A process that has loaded one keeps what it has.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import abi
from .errors import Error
from .libraries import COMPILER

_MARK = b"attn-mlir sha256 "
_LIMIT_MIB = 1024
_STALE_SECONDS = 3600  # after which nobody writes a file any more that is not yet an entry


@functools.cache
def folder() -> Path:
    """ATTN_MLIR_CACHE, else attn-mlir in XDG_CACHE_HOME or ~/.cache; a folder of this process where that cannot be
    written."""
    given = os.environ.get("ATTN_MLIR_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    chosen = Path(given) if given else Path(home) / "attn-mlir"
    try:
        chosen.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=chosen):
            return chosen
    except OSError:
        return Path(_own_folder().name)


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="attn-mlir-")


@functools.cache
def _compiler_digest() -> bytes:
    """Of the compiler's library, which changes with every version of it; loading it would take longer."""
    return hashlib.sha256(COMPILER.read_bytes()).digest() if COMPILER.exists() else b""


@functools.cache
def _processor() -> str:
    """What decides the best instruction set of this machine."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("flags"):
                return line
    return ""


def digest(*parts: object) -> str:
    """The name of an entry that is made of these parts, by this compiler, for this C ABI and processor."""
    whole = repr((parts, abi.VERSION, _processor())).encode() + _compiler_digest()
    return hashlib.sha256(whole).hexdigest()[:40]


def _seal(path: Path) -> None:
    content = path.read_bytes()
    with open(path, "ab") as file:
        file.write(_MARK + hashlib.sha256(content).digest())


def _is_whole(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    end = len(content) - len(_MARK) - hashlib.sha256().digest_size
    return end > 0 and content[end:] == _MARK + hashlib.sha256(content[:end]).digest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Where a file system has no locks, renaming alone has to do."""
    with open(path, "ab") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(entry: Path, make: Callable[[Path], None]) -> None:
    handle, name = tempfile.mkstemp(prefix=f"{entry.stem}.", suffix=".tmp", dir=entry.parent)
    os.close(handle)
    made = Path(name)
    try:
        make(made)
        _seal(made)
        made.replace(entry)
    finally:
        made.unlink(missing_ok=True)


def _limit() -> int:
    """Bytes that entries may take."""
    given = os.environ.get("ATTN_MLIR_CACHE_LIMIT", "")
    if given and not given.isdecimal():
        raise Error(f"ATTN_MLIR_CACHE_LIMIT is '{given}'; give a number of MiB")
    return (int(given) if given else _LIMIT_MIB) << 20


def _mark_as_used(entry: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(entry)


def _prune(newest: Path, limit: int) -> None:
    """Drops entries that are over the limit, but for the newest, and what killed processes have left."""
    files = []
    for path in newest.parent.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process prunes, too
            files.append((path, path.stat()))
    for path, status in files:
        if path.suffix == ".tmp" and status.st_mtime < time.time() - _STALE_SECONDS:
            path.unlink(missing_ok=True)
    entries = sorted(((path, status) for path, status in files if path.suffix == ".so"),
                     key=lambda each: (each[0] != newest, -each[1].st_mtime_ns))
    for path, status in entries:
        limit -= status.st_size
        if limit < 0 and path != newest:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def find_or_make(name: str, make: Callable[[Path], None]) -> Path:
    """The entry of this name; where it is missing or damaged, `make` writes it to the path that it is given."""
    entry = folder() / f"{name}.so"
    if _is_whole(entry):
        _mark_as_used(entry)
        return entry
    limit = _limit()
    with _locked(entry.with_suffix(".lock")):
        if not _is_whole(entry):
            for left in entry.parent.glob(f"{entry.stem}.*.tmp"):  # by processes that were killed
                left.unlink(missing_ok=True)
            _make(entry, make)
    _prune(entry, limit)
    return entry
