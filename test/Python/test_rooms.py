# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An emitter reads plans: no atom of a pattern, and none of the planner's sets, is named in its room."""

import re

import attn

EMITTERS = [attn.SOURCE / "lib" / "Codegen", attn.SOURCE / "include" / "attn" / "Codegen"]


def names_of_patterns() -> set[str]:
    """All ops that make a pattern, as C++ and as the dialect call them, and what the planner reads them into."""
    ops = (attn.SOURCE / "include" / "attn" / "IR" / "AttnPatternOps.td").read_text()
    made = re.findall(r"^def Attn_(\w+) : Attn_(?:Atom|SetOp)<\"(\w+)\"", ops, re.MULTILINE)
    assert {"window", "causal", "block_local", "union"} <= {mnemonic for _, mnemonic in made}
    return {name for name, _ in made} | {f"attn.{mnemonic}" for _, mnemonic in made} | {"PairSet", "HalfSpace"}


def test_emitters_name_no_patterns() -> None:
    names = "|".join(map(re.escape, sorted(names_of_patterns())))
    words = re.compile(rf"(?<!LLVM::)\b({names})\b")
    files = [path for room in EMITTERS for path in room.rglob("*") if path.suffix in {".cpp", ".h", ".td"}]
    assert len(files) > 30
    found = {path.name: words.findall(path.read_text()) for path in files}
    assert not {name: hits for name, hits in found.items() if hits}
