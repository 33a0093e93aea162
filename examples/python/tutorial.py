# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A tour of attn_mlir, top to bottom: `pip install .`, then `python examples/python/tutorial.py`."""

import tempfile
from pathlib import Path

import attn_mlir as attn
import numpy as np

random = np.random.default_rng(0)

# 1. Attention over a pattern. Arrays are [batch, head, row, column]; here four query heads share two key heads.
q = random.standard_normal((1, 4, 1000, 64), np.float32)
k, v = random.standard_normal((2, 1, 2, 1000, 64), np.float32)
out = attn.attention(q, k, v, pattern="longformer", left=128, right=128, global_=[0, 17])
print("1. output", out.shape, "of one of", len(attn.pattern_names()), "shipped patterns")

# 2. Patterns are values that compose: | union, & intersection, - difference, ~ complement. Printed, they are MLIR.
pattern = attn.window(128, 0) | attn.global_tokens([0, 17]) & attn.causal()
print("2. a pattern of one's own\n", pattern, sep="")

# 3. Look at it, and ask what it costs, before anything runs. In a notebook show() is a drawing.
small = attn.window(6, 0) | attn.global_tokens([0, 5]) & attn.causal()
print("3. its picture, for smaller numbers\n", small.show(24), sep="")
report = pattern.report(16384)
print(f"   at 16384 rows {report['admitted_pairs']:.0f} pairs are admitted, waste {report['waste']:.3f}")

# 4. NumPy agrees. lse is the logarithm of the sum of exp over a row's scores.
out, lse = attn.attention(q, k, v, pattern=pattern, return_lse=True)
i, j = np.arange(1000)[:, None], np.arange(1000)
mask = (j <= i) & ((i - 128 <= j) | np.isin(i, [0, 17]) | np.isin(j, [0, 17]))
scores = np.where(mask, q @ k.repeat(2, axis=1).swapaxes(-1, -2) / 8, -np.inf)
weights = np.exp(scores - lse[..., None])
error = np.abs(weights @ v.repeat(2, axis=1) - out).max()
print(f"4. NumPy's attention differs by {error:.1e}")
assert error < 1e-5

# 5. Scores: ALiBi, soft-capping, biases, sinks, relative positions. Arrays are arguments of the call.
bias = random.standard_normal((1, 4, 1000, 1000), np.float32)
biased = attn.attention(q, k, v, pattern=pattern, score="bias", bias=bias)
alibi = attn.attention(q, k, v, pattern=pattern, score="alibi")
print("5. scores", ", ".join(attn.score_names()))

# 6. A kernel by itself: windows and lengths are arguments of the call, so one kernel serves them all.
kernel = attn.compile(pattern, head_size=64)
print("6.", kernel, "takes", ", ".join(kernel.arguments))
assert np.array_equal(kernel(q, k, v), out)
wider = kernel(q, k, v, left=500)

# 7. Saved, it runs where neither the compiler nor LLVM is installed.
with tempfile.TemporaryDirectory() as folder:
    saved = kernel.save(Path(folder) / "kernel.so")
    assert np.array_equal(attn.load(saved)(q, k, v), out)
print("7. the saved kernel gives the same bits")

# 8. Packed documents, and anything else that is run-time data: the pattern holds the array and passes it on each call.
documents = np.repeat(np.arange(4, dtype=np.int32), 250)
packed = attn.attention(q, k, v, pattern=attn.segments(documents) & attn.causal())
assert np.allclose(packed[:, :, :250], attn.attention(q[:, :, :250], k[:, :, :250], v[:, :, :250], pattern="causal"))
print("8. four packed documents")

# 9. What no atom says: a function of batch, head, query and key, asked pair by pair.
skipping = attn.causal() & attn.where(lambda b, h, q, k: (q + k) % 7 != h)
print("9. a function\n", skipping, sep="")
print(skipping.show(16))

# 10. torch: tensors of the CPU or of a GPU, and an operator that torch.compile and torch.export pass over.
try:
    import torch
except ImportError:
    print("10. torch is not installed")
else:
    tensors = [torch.from_numpy(x) for x in (q, k, v)]
    step = torch.compile(lambda q, k, v: 2 * attn.attention(q, k, v, pattern=pattern), fullgraph=True, backend="eager")
    assert torch.equal(step(*tensors), 2 * torch.from_numpy(out))
    print("10. torch.compile, without a graph break")
