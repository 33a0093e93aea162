# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX's own test cases of its operator Attention, and the page that says what of them there is:

    PYTHONPATH=build/release/python build/venv/bin/python test/Python/package/onnx_cases.py > docs/onnx-attention.md
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.backend.test.case.node as onnx_nodes
from attn_mlir import onnx as attn_onnx

OUTPUTS = ("Y", "present_key", "present_value", "qk_matmul_output")
# Attributes that say what `qk_matmul_output` holds, and in what the softmax is computed.
NOT_TAKEN = ("qk_matmul_output_mode", "softmax_precision")


class Case(NamedTuple):
    name: str
    inputs: dict[str, np.ndarray]
    attributes: dict[str, Any]
    expected: dict[str, np.ndarray]
    rtol: float
    atol: float

    def run(self) -> dict[str, np.ndarray]:
        attributes = {name: value for name, value in self.attributes.items() if name not in NOT_TAKEN}
        return dict(zip(OUTPUTS, attn_onnx.attention(**self.inputs, **attributes)))

    def tolerance(self, output: str) -> float:
        """ONNX's own: for bfloat16 two units in the last place."""
        return max(self.rtol, 2**-6) if self.expected[output].dtype.name == "bfloat16" else self.rtol


INPUTS = ("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")


def _read(case: Any) -> Case:
    (node,) = case.model.graph.node
    ((given, made),) = case.data_sets
    return Case(case.name.removeprefix("test_"),
                dict(zip((place for place, name in zip(INPUTS, node.input) if name), given)),
                {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute},
                dict(zip((place for place, name in zip(OUTPUTS, node.output) if name), made)), case.rtol, case.atol)


def load_cases() -> list[Case]:
    """All whose model is the operator; the others are its definition by smaller operators."""
    importlib.import_module("onnx.backend.test.case.node.attention")
    return [_read(case) for case in onnx_nodes._NodeTestCases
            if [node.op_type for node in case.model.graph.node] == ["Attention"]]


# ----------------------------------------------------------------------------------------------------------------------
# The page
# ----------------------------------------------------------------------------------------------------------------------


class Feature(NamedTuple):
    name: str
    how: str
    is_in: Callable[[Case], bool]


def _heads(case: Case, name: str, count: str) -> int:
    return case.attributes.get(count) or case.inputs[name].shape[1]


def _size(case: Case, name: str, count: str) -> int:
    return case.inputs[name].shape[-1] // case.attributes.get(count, 1)


FEATURES = (
    Feature("four axes", "the kernel's own layout", lambda case: case.inputs["Q"].ndim == 4),
    Feature("three axes, heads side by side", "strides; nothing is copied", lambda case: case.inputs["Q"].ndim == 3),
    Feature("float16, bfloat16", "kernels of that type, sums in float32", lambda case: case.inputs["Q"].itemsize == 2),
    Feature("grouped query heads", "one key head for several query heads",
            lambda case: _heads(case, "Q", "q_num_heads") != _heads(case, "K", "kv_num_heads")),
    Feature("values of another head size", "`value_head_size`",
            lambda case: _size(case, "V", "kv_num_heads") != _size(case, "K", "kv_num_heads")),
    Feature("`scale`", "`scale`", lambda case: "scale" in case.attributes),
    Feature("`is_causal`", "`attn.window`, and a query offset where ONNX lets queries stand",
            lambda case: bool(case.attributes.get("is_causal"))),
    Feature("`left_window_size`, `right_window_size`", "`attn.window`",
            lambda case: any(case.attributes.get(f"{side}_window_size", -1) >= 0 for side in ("left", "right"))),
    Feature("`softcap`", "the score `softcap`", lambda case: "softcap" in case.attributes),
    Feature("a mask of booleans", "the score `bias`, -inf where it is false",
            lambda case: "attn_mask" in case.inputs and case.inputs["attn_mask"].dtype == bool),
    Feature("a mask of floats", "the score `bias`; shared axes have strides of 0",
            lambda case: "attn_mask" in case.inputs and case.inputs["attn_mask"].dtype != bool),
    Feature("`past_key`, `past_value`", "keys and values one behind the other, and a query offset",
            lambda case: "past_key" in case.inputs),
    Feature("`nonpad_kv_seqlen`", "a call for each batch, with as many keys",
            lambda case: "nonpad_kv_seqlen" in case.inputs),
)

HEAD = """# ONNX's operator Attention

`attn_mlir.onnx.attention` computes the operator of opsets 23 to 25 with NumPy arrays, by the names of its inputs and
attributes. The package onnx {version} has {cases} test cases of it; all run in `make check` where onnx is installed, and
are held to ONNX's own tolerance (test/Python/package/test_onnx.py).

| what is asked for | how it is said here | cases | right |
|---|---|---|---|
"""

TAIL = """
Out of scope, in {scores} of these cases, of which the other outputs are compared:

| what | why |
|---|---|
| the output `qk_matmul_output`, in all its modes | it is the matrix of scores or weights; a fused kernel never has it |
| `softmax_precision` | softmax is float32 for every type, which ONNX's tolerances allow |

Not tried are the cases named `..._expanded`, which are the operator's definition by smaller operators, and those of
`FlexAttention` and `LinearAttention`, which are operators of their own.

| case | right | out of scope |
|---|---|---|
"""


def right_outputs(case: Case) -> list[str]:
    computed = case.run()
    return [name for name, values in case.expected.items()
            if name in computed and np.allclose(computed[name].astype(np.float32), values.astype(np.float32),
                                                rtol=case.tolerance(name), atol=case.atol)]


def write_page(cases: list[Case], right: dict[str, list[str]]) -> str:
    """right: by the names of cases, what right_outputs() says of them."""
    lines = [HEAD.format(version=onnx.__version__, cases=len(cases))]
    for feature in FEATURES:
        chosen = [case for case in cases if feature.is_in(case)]
        count = sum("Y" in right[case.name] for case in chosen)
        lines.append(f"| {feature.name} | {feature.how} | {len(chosen)} | {count} |\n")
    lines.append(TAIL.format(scores=sum("qk_matmul_output" in case.expected for case in cases)))
    for case in cases:
        missing = [name for name in case.expected if name not in OUTPUTS[:3]]
        lines.append(f"| {case.name} | {', '.join(right[case.name])} | {', '.join(missing)} |\n")
    return "".join(lines)


if __name__ == "__main__":
    all_cases = load_cases()
    print(write_page(all_cases, {case.name: right_outputs(case) for case in all_cases}), end="")
