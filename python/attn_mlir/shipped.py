# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Patterns and scores that are files: those that the project ships, by name, and one's own."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .compiler import Source
from .errors import CompileError
from .algebra import Pattern

FOLDER = Path(__file__).parent / "patterns"
_NAMES = {path.stem: path for path in sorted(FOLDER.glob("*.mlir"))}
_SCORES = {path.stem: path for path in sorted((FOLDER / "scores").glob("*.mlir"))}


def pattern_names() -> list[str]:
    """The shipped patterns, and `linear`, which is linear attention."""
    return list(_NAMES)


def score_names() -> list[str]:
    """The shipped scores."""
    return list(_SCORES)


@dataclass(frozen=True, eq=False, repr=False)
class _File(Pattern):
    """A pattern file, or the text of one, and arguments of its calls."""

    name: str
    source: Source
    arguments: Mapping[str, Any] = field(default_factory=dict)


def pattern(source: str | os.PathLike[str], **arguments: Any) -> Pattern:
    """A shipped pattern by name, a pattern file by path, or MLIR text; with arguments that its calls pass, by name.

        attn.pattern("longformer", left=128, right=128, global_=[0, 17])

    A file with several kernels (`linear`) gives the one that is named as the file is, unless compile() names another.
    Raises CompileError for an unknown name.
    """
    return _File(*_read(source), arguments)


def as_pattern(given: Pattern | str | os.PathLike[str]) -> Pattern:
    return given if isinstance(given, Pattern) else pattern(given)


def _unknown(what: str, name: str, names: Iterable[str]) -> CompileError:
    nearest = difflib.get_close_matches(name, names, 1)
    guess = f"did you mean '{nearest[0]}'? " if nearest else ""
    return CompileError(f"unknown {what} '{name}'; {guess}use a path, MLIR text, or one of {', '.join(names)}")


def _read_file(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CompileError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}") from None


def _read(given: str | os.PathLike[str]) -> tuple[str, Source]:
    """Name and source."""
    text = os.fspath(given)
    if "\n" in text:
        names = re.findall(r"attn\.(?:pattern|linear) @(\w+)", text)
        return names[0] if names else "pattern", Source(text, "<text>")
    path = _NAMES.get(text, Path(text))
    if text not in _NAMES and not isinstance(given, os.PathLike) and path.suffix != ".mlir" and not path.exists():
        raise _unknown("pattern", text, _NAMES)
    return path.stem, Source(_read_file(path), str(path))


def resolve_score(source: Source, score: str | os.PathLike[str] | None) -> tuple[Source, str, str]:
    """The source with a score in it or beside it, what to call the score, and the text of its file.

    score: the name of one in the source, of a shipped one, a path, or MLIR text of an attn.score.
    """
    if score is None:
        return source, "", ""
    text = os.fspath(score)
    if "\n" in text:
        found = re.search(r"attn\.score @(\w+)", text)
        if not found:
            raise CompileError("the score's text holds no attn.score")
        return Source(f"{source.text}\n{text}", source.name), found[1], ""
    if re.search(rf"attn\.score @{re.escape(text)}\b", source.text):
        return source, text, ""
    path = _SCORES.get(text, Path(text))
    if text not in _SCORES and not path.is_file():
        raise _unknown("score", text, _SCORES)
    return source, str(path.absolute()), _read_file(path)
