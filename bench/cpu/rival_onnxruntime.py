# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime's operator MultiHeadAttention on its CPU provider. It takes rows of all heads side by side; they are
laid out so outside of the timing."""

import numpy as np
import onnx
import onnxruntime
from cases import Case
from onnx import TensorProto, helper
from rivals import NotOffered, Prepared

NAME = "onnxruntime"
DOMAIN = "com.microsoft"


def version() -> str:
    return onnxruntime.__version__


def make_model(case: Case) -> onnx.ModelProto:
    columns = case.heads * case.made.head_size
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, rows, columns])
              for name, rows in (("q", case.length), ("k", case.kv_length), ("v", case.kv_length))]
    output = helper.make_tensor_value_info("o", TensorProto.FLOAT, [1, case.length, columns])
    node = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["o"], domain=DOMAIN, num_heads=case.heads,
                            unidirectional=int(case.made.pattern == "causal"))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    graph = helper.make_graph([node], "attention", inputs, [output])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def prepare(case: Case, arrays: list[np.ndarray]) -> Prepared:
    if case.made.pattern not in ("full", "causal") or case.made.element != "f32":
        raise NotOffered
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = case.threads, 1
    session = onnxruntime.InferenceSession(make_model(case).SerializeToString(), options, ["CPUExecutionProvider"])
    rows = {name: np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(1, x.shape[2], -1)
            for name, x in zip("qkv", arrays)}

    def read(outputs: list[np.ndarray]) -> np.ndarray:
        return outputs[0].reshape(1, case.length, case.heads, -1).transpose(0, 2, 1, 3)

    return Prepared(lambda: session.run(["o"], rows), read)
