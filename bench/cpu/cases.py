# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the CPU benchmark measures: its cases, in groups that each have something to show."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parents[1] / "gpu"))
from objects import Object  # noqa: E402
from rows import document_segments, drawn_blocks  # noqa: E402


class Case(NamedTuple):
    """A call of batch 1, keys as many as queries but in decoding."""

    made: Object
    length: int
    kv_length: int
    heads: int = 1
    threads: int = 1
    max_isa: str = "best"
    arguments: dict[str, Any] = {}

    def __str__(self) -> str:
        """causal_d64_f32, sliding_window_d64_bf16 left=511 right=0; avx2, 8 heads, 2 threads where that is so."""
        numbers = [f"{name}={value}" for name, value in self.arguments.items() if isinstance(value, int)]
        others = [self.max_isa] if self.max_isa != "best" else []
        others += [f"{count} {name}" for name, count in (("heads", self.heads), ("threads", self.threads)) if count > 1]
        return " ".join([self.made.name, *numbers, *others])

    @property
    def key(self) -> str:
        """A name that no other case of the same pairs has."""
        return f"{self}, {self.length} x {self.kv_length}"


class Group(NamedTuple):
    """Cases, and what each of them has to reach, of: `peak` and `amx`, shares of the peak of multiplications (of AMX,
    where that is there); `dense`, a share of the rate of dense attention; `read`, a share of the rate of reading;
    `scaling`, a share of that of the peak; and ratios to rivals by their names."""

    cases: list[Case]
    rivals: tuple[str, ...] = ()
    least: dict[str, float] = {}


DENSE = ("full", "causal")


def call(pattern: str, length: int, head_size: int = 64, element: str = "f32", **options: Any) -> Case:
    kv_length = options.pop("kv_length", length)
    fields = {name: options.pop(name) for name in ("heads", "threads", "max_isa") if name in options}
    return Case(Object(pattern, head_size, element), length, kv_length, **fields, arguments=options)


def dense(pattern: str, element: str = "f32", **options: Any) -> list[Case]:
    return [call(pattern, length, head_size, element, **options) for length in (2048, 4096) for head_size in (64, 128)]


LONG = 16384


def windows(element: str) -> list[Case]:
    return [call("sliding_window", LONG, element=element, **sides)
            for sides in ({"left": 256, "right": 256}, {"left": 511, "right": 0})]


def periodic(element: str) -> list[Case]:
    return [call("longformer", LONG, element=element, global_=[0], left=256, right=256),
            call("dilated_window", LONG, element=element, left=256, right=256, dilation=8),
            call("sparse_strided", LONG, element=element, stride=128)]


def irregular(element: str) -> list[Case]:
    return [call("document", LONG, element=element, segments=document_segments(LONG)),
            call("bigbird", LONG, element=element, random=drawn_blocks(LONG)[:1])]


GROUPS: dict[str, Group] = {
    "dense": Group(dense("full"), ("sdpa", "onnxruntime"), {"peak": 0.75, "sdpa": 1}),
    "causal": Group(dense("causal"), ("sdpa", "onnxruntime"), {"peak": 0.75, "sdpa": 1.05}),
    "avx2": Group([case for pattern in DENSE for case in dense(pattern, max_isa="avx2")], (), {"peak": 0.75}),
    "bf16": Group([case for pattern in DENSE for case in dense(pattern, "bf16")], ("sdpa",),
                  {"amx": 0.32, "sdpa": 2.2}),
    "short": Group([call(pattern, length, heads=heads)
                    for pattern in DENSE for length in (64, 128) for heads in (8, 16)],
                   ("sdpa", "onnxruntime"), {"sdpa": 1}),
    "windows": Group(windows("f32"), ("flex",), {"dense": 0.85, "flex": 1.8}),
    "periodic": Group(periodic("f32"), ("flex",), {"dense": 0.85, "flex": 3}),
    "irregular": Group(irregular("f32"), ("flex",), {"dense": 0.85}),
    "sparse-bf16": Group([*windows("bf16"), *periodic("bf16"), *irregular("bf16")], (), {"dense": 0.65}),
    "decode": Group([call("causal", 1, head_size, element, kv_length=32768)
                     for element in ("f32", "bf16") for head_size in (64, 128)], ("sdpa",), {"read": 0.85}),
    "threads": Group([call("causal", 4096, heads=4, threads=2),
                      call("document_causal", LONG, heads=2, threads=2, segments=document_segments(LONG))],
                     (), {"scaling": 0.95}),
    "growth": Group([call(pattern, length, **sides)
                     for pattern, sides in (("causal", {}), ("sliding_window", {"left": 256, "right": 256}))
                     for length in (256, 1024, 4096, 16384)], ("sdpa", "flex")),
}

# What others are a share of.
REFERENCES = {element: call("full", 4096, element=element) for element in ("f32", "bf16")}
