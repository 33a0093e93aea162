# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention for the models of Hugging Face's transformers (5.x), without a mask in memory.

    import attn_mlir.transformers
    model = AutoModel.from_pretrained(folder, attn_implementation="attn_mlir")

Importing this module registers two functions under the name "attn_mlir". One takes the place of the model's mask: it
reads from transformers' description of the mask (causal, sliding windows, chunks, packed sequences, padding) which
pattern is meant, and hands it on. The other computes attention over that pattern. Rows of padding hold anything.

Longformer and BigBird do not ask that registry. Their layers are exchanged in the model that is there:

    attn_mlir.transformers.replace_attention(model)

Not there: dropout, and mask tensors that a caller makes himself; both are refused. transformers is no dependency of the
package.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from . import algebra
from .algebra import Parameter, Pattern
from .errors import CallError
from .frontend import attention

NAME = "attn_mlir"

# What a mask function of transformers' is, as a tree of tuples: an operation and its operands.
_Tree = tuple


class Mask(NamedTuple):
    """What stands where a model expects its mask: a pattern, and what its calls are given."""

    pattern: Pattern
    arguments: dict[str, Any]
    query_offset: int
    key_offset: int


def _free_variables(function: Callable[..., Any]) -> dict[str, Any]:
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    return {} if code is None else dict(zip(code.co_freevars, (cell.cell_contents for cell in cells)))


def _read_chunks(variables: dict[str, Any], data: dict[str, Any]) -> _Tree:
    if variables["left_padding"].any():
        raise CallError("chunks that begin behind padding are no pattern; pad at the right, or use sdpa")
    return "block_local", int(variables["chunk_size"])


def _read_segments(variables: dict[str, Any], data: dict[str, Any]) -> _Tree:
    data["segments"] = variables["packed_sequence_mask"].to(torch.int32).contiguous()
    return ("segments",)


def _read_remapped(variables: dict[str, Any], data: dict[str, Any]) -> _Tree:
    """Positions count from the beginning of each sequence; between pairs of one sequence differences stay."""
    tree = _read(variables["mask_function"], data)
    if "block_local" in str(tree):
        raise CallError("chunks of packed sequences are no pattern; use sdpa")
    return tree


# By the qualified names of the functions that transformers.masking_utils makes masks of.
_READERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], _Tree]] = {
    "causal_mask_function": lambda variables, data: ("causal",),
    "bidirectional_mask_function": lambda variables, data: ("full",),
    "and_masks": lambda variables, data: ("and", *(_read(f, data) for f in variables["mask_functions"])),
    "or_masks": lambda variables, data: ("or", *(_read(f, data) for f in variables["mask_functions"])),
    "sliding_window_overlay": lambda variables, data: ("window", int(variables["sliding_window"]) - 1, None),
    "sliding_window_bidirectional_overlay": lambda variables, data: ("window", *[int(variables["sliding_window"])] * 2),
    "chunked_overlay": _read_chunks,
    "packed_sequence_mask_function": _read_segments,
    "remap_positions_for_packed_sequence": _read_remapped,
}


def _read(function: Callable[..., Any], data: dict[str, Any]) -> _Tree:
    """What a mask function means; run-time data go to `data`."""
    name = getattr(function, "__qualname__", repr(function)).partition(".")[0]
    if getattr(function, "__module__", "") != "transformers.masking_utils" or name not in _READERS:
        raise CallError(f"the mask function {name} is no pattern that attn_mlir knows; use sdpa, or from_mask_mod")
    return _READERS[name](_free_variables(function), data)


@functools.lru_cache(maxsize=256)
def build(tree: _Tree) -> Pattern:
    """The same pattern for the same tree, so that what was compiled for it is found again."""
    operation, *operands = tree
    if operation in ("and", "or"):
        patterns = [build(operand) for operand in operands]
        return functools.reduce(Pattern.__and__ if operation == "and" else Pattern.__or__, patterns)
    if operation == "segments":
        return algebra.segments(Parameter(*operands or ("segments",), "!attn.segments"))
    if operation == "padded":
        return algebra.padded(Parameter("lengths", "!attn.lengths"))
    return getattr(algebra, operation)(*operands)


def read_padding(present: torch.Tensor, key_offset: int, data: dict[str, Any]) -> _Tree | None:
    """present: [batch, positions]. What is padded elsewhere than at the end is a segment of its own, so that rows of
    tokens see tokens alone."""
    present = present.bool()
    if present.all():
        return None
    lengths = present.sum(1)
    places = torch.arange(present.shape[1], device=present.device)
    if key_offset == 0 and torch.equal(present, places < lengths[:, None]):
        data["lengths"] = lengths.to(torch.int32)
        return ("padded",)
    data["present"] = present.to(torch.int32)
    return "segments", "present"


def make_mask(batch_size: int, q_length: int, kv_length: int, q_offset: int = 0, kv_offset: int = 0,
              mask_function: Callable[..., Any] | None = None, attention_mask: torch.Tensor | None = None,
              **others: Any) -> Mask:
    """The mask function: what is called for each forward pass with transformers' description of a mask.

    attention_mask: [batch, positions], not 0 for tokens. Raises CallError for a mask that is no known pattern.
    """
    data: dict[str, Any] = {}
    tree = _read(mask_function, data)
    padding = None if attention_mask is None else read_padding(attention_mask, int(kv_offset), data)
    if padding is not None:
        tree = padding if tree == ("full",) else ("and", tree, padding)
    return Mask(build(tree), data, int(q_offset), int(kv_offset))


def _mask_of(module: Any, is_causal: bool | None, query: torch.Tensor) -> Mask:
    """Of a model that gives none. Causal is aligned at the top left, as torch's."""
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    return Mask(build(("causal",) if causal and query.shape[2] > 1 else ("full",)), {}, 0, 0)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, return_lse: bool = False,
           **options: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """attention() with its output as models go on with it, [batch, length, heads, head size], and its lse if asked."""
    call = functools.partial(attention, query, key, value, return_lse=return_lse, **options)
    if torch.compiler.is_compiling() or torch.is_grad_enabled() and query.requires_grad:
        made = call()
        output, lse = made if return_lse else (made, None)
        return output.transpose(1, 2).contiguous(), lse
    batch, heads, length, _ = query.shape
    rows = query.new_empty(batch, length, heads, value.shape[3])
    made = call(out=rows.transpose(1, 2))
    return rows, made[1] if return_lse else None


def _score_of(softcap: float | None, sinks: torch.Tensor | None) -> dict[str, Any]:
    if softcap is not None and sinks is not None:
        raise CallError("softcap and sinks in one model are not there; use eager")
    if softcap is not None:
        return {"score": "softcap", "cap": float(softcap)}
    return {} if sinks is None else {"score": "sink", "logits": sinks.float()}


def attention_forward(module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
                      attention_mask: Mask | None, scaling: float | None = None, dropout: float = 0.0,
                      is_causal: bool | None = None, softcap: float | None = None,
                      s_aux: torch.Tensor | None = None, position_bias: torch.Tensor | None = None,
                      **others: Any) -> tuple[torch.Tensor, None]:
    """The attention function.

    query: [batch, heads, length, head size]; key, value: [batch, kv heads, kv length, head size]; attention_mask: what
    make_mask returned. Returns [batch, length, heads, head size], and no weights. Raises CallError for what is not
    there: dropout, masks that are tensors, position biases.
    """
    if dropout:
        raise CallError(f"dropout is {dropout}; attn_mlir has none, call model.eval() or set it to 0")
    if position_bias is not None:
        raise CallError("position biases are not there; use sdpa")
    if attention_mask is not None and not isinstance(attention_mask, Mask):
        raise CallError(f"attention_mask is a {type(attention_mask).__name__} of shape {list(attention_mask.shape)}; "
                        "give [batch, positions] to the model, or use sdpa")
    mask = _mask_of(module, is_causal, query) if attention_mask is None else attention_mask
    return attend(query, key, value, pattern=mask.pattern, scale=scaling, query_offset=mask.query_offset,
                  key_offset=mask.key_offset, **mask.arguments, **_score_of(softcap, s_aux))


def replace_attention(model: torch.nn.Module) -> int:
    """Lets the Longformer and BigBird layers of a model attend by kernels from now on; returns how many there are.

    Parameters stay where they are, and so do their names. Projections around attention are oneDNN's from now on where
    they are in f32 and want no gradients, which is twice as fast on some processors. What else changes: weights of
    attention are not returned, and a call that asks for them or for dropout raises CallError. BigBird models turn to
    full attention of their own for inputs of few blocks, and then do not come back.
    """
    from . import sparse_layers
    from .onednn import use_onednn

    layers = [module for module in model.modules() if type(module) in sparse_layers.REPLACEMENTS]
    for layer in layers:
        layer.__class__ = sparse_layers.REPLACEMENTS[type(layer)]
    if layers:
        for part in model.modules():
            if isinstance(part, (*sparse_layers.REPLACEMENTS.values(), *sparse_layers.OUTPUTS)):
                use_onednn(part)
    return len(layers)


AttentionInterface.register(NAME, attention_forward)
AttentionMaskInterface.register(NAME, make_mask)
