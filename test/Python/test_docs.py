# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is written about the project is true: generated pages are fresh, and the README's examples run as they stand."""

import re
import shlex
from pathlib import Path

import pytest

from attn import BIN, PATTERNS, SOURCE, run

MADE = BIN.parent / "docs"  # written by every build
REFERENCES = ["dialect.md", "attn-tile.md", "passes-transforms.md", "passes-codegen.md"]


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_is_fresh(name: str) -> None:
    assert (SOURCE / "docs" / name).read_text() == (MADE / name).read_text(), "run `make docs` and commit the result"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_picture_is_fresh(pattern: str) -> None:
    picture = SOURCE / "patterns" / "pictures" / f"{pattern}.svg"
    assert picture.read_text() == (MADE / f"{pattern}.svg").read_text(), "run `make docs` and commit the result"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_page_of_a_pattern_is_fresh(pattern: str) -> None:
    page = Path("patterns") / f"{pattern}.md"
    assert (SOURCE / "docs" / page).read_text() == (MADE / page).read_text(), "run `make docs` and commit the result"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_table_names_the_pattern(pattern: str) -> None:
    table = (SOURCE / "patterns" / "README.md").read_text()
    assert f"[{pattern}]({pattern}.mlir)" in table and f"pictures/{pattern}.svg" in table
    assert f"(../docs/patterns/{pattern}.md)" in table


def console_examples() -> list[tuple[str, list[str]]]:
    """Each command of the README's console blocks, with the lines that it is said to print."""
    examples: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                examples.append((line[2:], []))
            else:
                examples[-1][1].append(line)
    return examples


@pytest.mark.parametrize(("command", "lines"), console_examples())
def test_readme_example(command: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patterns").symlink_to(SOURCE / "patterns")
    monkeypatch.chdir(tmp_path)
    printed = run(*shlex.split(command))
    for line in lines:
        for part in line.split("…"):
            assert part.rstrip() in printed


def test_links_lead_somewhere() -> None:
    written = [page for page in (SOURCE / "docs").rglob("*.md") if page.name not in REFERENCES]
    for page in [SOURCE / "README.md", *written, *SOURCE.glob("*/README.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", page.read_text()):
            target = page.parent / (link[0] or link[1])
            assert target.exists(), f"{page.name} leads to {target}, which is not there"
