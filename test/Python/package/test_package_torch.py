# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""torch tensors: values, layouts, gradients, torch.compile and torch.export. On the CPU, and on a GPU where there is
one."""

import re
from typing import Any

import attn_mlir as attn
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
sdpa = torch.nn.functional.scaled_dot_product_attention
gpu = pytest.mark.skipif(not torch.cuda.is_available() or torch.cuda.get_device_capability() != (9, 0),
                         reason="torch knows no GPU of compute capability 9.0")


@pytest.fixture
def rows() -> tuple[Any, Any, Any]:
    torch.manual_seed(0)
    return torch.randn(2, 4, 60, 16), torch.randn(2, 2, 60, 16), torch.randn(2, 2, 60, 16)


def dense(q: Any, k: Any, v: Any, mask: Any) -> Any:
    return sdpa(q.double(), k.double(), v.double(), attn_mask=mask, enable_gqa=True)


def near(left: int, right: int, length: int = 60) -> Any:
    i, j = torch.arange(length)[:, None], torch.arange(length)
    return (i - left <= j) & (j <= i + right)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
def test_values(rows: Any, dtype: Any, error: float) -> None:
    q, k, v = (x.to(dtype) for x in rows)
    output, lse = attn.attention(q, k, v, pattern=attn.window(5, 3), return_lse=True)
    assert output.dtype == dtype and lse.dtype == torch.float32 and lse.shape == (2, 4, 60)
    assert (output.double() - dense(q, k, v, near(5, 3))).abs().max() < error


def test_same_bits_as_numpy(rows: Any) -> None:
    output = attn.attention(*rows, pattern="longformer", left=4, right=4, global_=torch.tensor([0, 9]))
    arrays = attn.attention(*(x.numpy() for x in rows), pattern="longformer", left=4, right=4, global_=[0, 9])
    assert np.array_equal(output.numpy(), arrays)


def test_layouts_and_out(rows: Any) -> None:
    q, k, v = rows
    expected = attn.attention(q, k, v)
    out = torch.zeros(2, 60, 4, 16).transpose(1, 2)
    laid = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in rows]
    assert attn.attention(*laid, out=out) is out and torch.equal(out, expected)


def test_parameters_are_tensors(rows: Any) -> None:
    q, k, v = rows
    with torch.no_grad():
        assert torch.equal(attn.attention(torch.nn.Parameter(q), k, v), attn.attention(q, k, v))


class Exporter:
    """Something that has __dlpack__ and nothing else."""

    def __init__(self, tensor: Any):
        self.tensor = tensor

    def __dlpack__(self, **options: Any) -> Any:
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.tensor.__dlpack_device__()


def test_dlpack(rows: Any) -> None:
    output = attn.attention(*map(Exporter, rows))
    assert isinstance(output, np.ndarray) and np.array_equal(output, attn.attention(*rows).numpy())
    half = attn.attention(*(Exporter(x.bfloat16()) for x in rows))
    assert torch.equal(half, attn.attention(*(x.bfloat16() for x in rows)))


def refused(kind: type[Exception], message: str) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}")


def test_mistakes(rows: Any) -> None:
    q, k, v = rows
    with refused(TypeError, "q is a Tensor and k a ndarray; give arrays of one kind"):
        attn.attention(q, k.numpy(), v)
    with refused(TypeError, "q is a Tensor and out a ndarray; give arrays of one kind"):
        attn.attention(q, k, v, out=np.empty(q.shape, np.float32))
    with refused(attn.CallError, "the last axis of k is not contiguous (stride 60); copy it"):
        attn.attention(q, torch.randn(2, 2, 16, 60).transpose(2, 3), v)
    with refused(attn.CallError, "k holds bf16, full takes f32; convert it, or compile for element='bf16'"):
        attn.attention(q, k.bfloat16(), v)
    with refused(attn.CallError, "q holds float64; convert it to float32, float16 or bfloat16"):
        attn.attention(q.double(), k, v)
    with refused(attn.CallError, "q is on meta and k on cpu; move them to one device"):
        attn.compile("full", head_size=16)(q.to("meta"), k, v)
    with refused(attn.CallError, "q is on cpu and full was compiled for sm_90a; move q, or compile with target='cpu'"):
        attn.compile("full", head_size=16, element="bf16", target="sm_90a")(*(x.bfloat16() for x in rows))
    with refused(TypeError, "full has no argument 'width'; it has none"):
        attn.attention(q, k, v, width=3)


# ----------------------------------------------------------------------------------------------------------------------
# Gradients
# ----------------------------------------------------------------------------------------------------------------------


def test_backward_is_refused(rows: Any) -> None:
    q, k, v = rows
    output = attn.attention(q.requires_grad_(), k, v, pattern="causal")
    assert output.requires_grad and torch.equal(output.detach(), attn.attention(q.detach(), k, v, pattern="causal"))
    with refused(NotImplementedError, "attn_mlir.attention has no backward yet; call it under torch.no_grad(), or"):
        output.sum().backward()
    with refused(attn.CallError, "out cannot be given where gradients or torch.compile trace the call"):
        attn.attention(q, k, v, out=torch.empty_like(output))


def test_kernels_refuse_gradients(rows: Any) -> None:
    q, k, v = rows
    kernel = attn.compile("causal", head_size=16)
    with refused(attn.CallError, "a kernel gives no gradients; call it under torch.no_grad(), or detach q, k and v"):
        kernel(q, k.requires_grad_(), v)
    with torch.no_grad():
        assert kernel(q, k, v).shape == q.shape


# ----------------------------------------------------------------------------------------------------------------------
# torch.compile and torch.export
# ----------------------------------------------------------------------------------------------------------------------

PATTERN = attn.window(5, 3) | attn.global_tokens(np.array([0, 9], np.int32))


class Layer(torch.nn.Module):
    """Attention between other operations, with a pattern that holds run-time data, and with one by name."""

    def forward(self, q: Any, k: Any, v: Any, tokens: Any) -> Any:
        output, lse = attn.attention(2 * q, k, v, pattern=PATTERN, return_lse=True)
        named = attn.attention(q, k, v, pattern="longformer", score="softcap", cap=20.0, left=3, right=2,
                               global_=tokens)
        return output + named + lse[..., None]


TOKENS = torch.tensor([0, 30], dtype=torch.int32)


def test_compile_without_graph_breaks(rows: Any) -> None:
    layer = Layer()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(*rows, TOKENS), layer(*rows, TOKENS), atol=1e-6)
    longer = [torch.cat([x, x], 2) for x in rows]
    assert torch.allclose(compiled(*longer, TOKENS), layer(*longer, TOKENS), atol=1e-6)


def test_export(rows: Any) -> None:
    length = torch.export.Dim("length", min=40)
    exported = torch.export.export(Layer(), (*rows, TOKENS), dynamic_shapes=[{2: length}] * 3 + [None])
    nodes = [node for node in exported.graph.nodes if node.target is torch.ops.attn_mlir.attention.default]
    assert len(nodes) == 2
    longer = [torch.cat([x, x], 2) for x in rows]
    assert torch.allclose(exported.module()(*longer, TOKENS), Layer()(*longer, TOKENS), atol=1e-6)


def test_operator_is_registered_well(rows: Any) -> None:
    attn.attention(rows[0].requires_grad_(), *rows[1:])  # registers it
    torch.library.opcheck(torch.ops.attn_mlir.attention.default,
                          (*(x.detach() for x in rows), "sliding_window", None, [], "", [3.0, 2.0], "left right", None,
                           None, 0))


# ----------------------------------------------------------------------------------------------------------------------
# GPUs
# ----------------------------------------------------------------------------------------------------------------------


@gpu
def test_gpu(rows: Any) -> None:
    q, k, v = (torch.randn(2, heads, 300, 64, device="cuda", dtype=torch.bfloat16) for heads in (4, 2, 2))
    output, lse = attn.attention(q, k, v, pattern="longformer", left=20, right=20, global_=[0, 9], return_lse=True)
    i, j = torch.arange(300)[:, None], torch.arange(300)
    mask = near(20, 20, 300) | torch.isin(i, torch.tensor([0, 9])) | torch.isin(j, torch.tensor([0, 9]))
    assert (output.double() - dense(q, k, v, mask.cuda())).abs().max() < 2e-2 and lse.is_cuda


@gpu
def test_gpu_streams_and_graphs() -> None:
    q, k, v = (torch.randn(1, 4, 300, 64, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    expected = attn.attention(q, k, v, pattern="causal")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        output = attn.attention(q, k, v, pattern="causal")
    stream.synchronize()
    assert torch.equal(output, expected)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = attn.attention(q, k, v, pattern="causal")
    q.copy_(torch.randn_like(q))
    graph.replay()
    assert torch.equal(captured, attn.attention(q, k, v, pattern="causal"))


@gpu
def test_gpu_mistakes() -> None:
    q = torch.randn(1, 4, 300, 64, device="cuda", dtype=torch.bfloat16)
    with refused(attn.CallError, "q is on cuda:0 and k on cpu; move them to one device"):
        attn.attention(q, q.cpu(), q)
    with refused(attn.CallError, "q is on cuda:0 and full was compiled for cpu; move q, or compile with target="):
        attn.compile("full", element="bf16")(q, q, q)
