# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Longformer's and BigBird's attention layers, as transformers has them, on kernels.

A layer here is transformers' own with another forward: `replace_attention` changes the class of layers that exist. What
transformers cuts into chunks and blocks, pads, gathers and concatenates is one pattern; rows with projections of their
own come after it.
"""

import functools
import math
from typing import Any

import numpy as np
import torch
from transformers.models.big_bird.modeling_big_bird import BigBirdBlockSparseAttention, BigBirdSelfOutput
from transformers.models.longformer.modeling_longformer import LongformerSelfAttention, LongformerSelfOutput

from . import algebra
from .algebra import Parameter, Pattern
from .errors import CallError
from .transformers import attend, build, read_padding

# What read_padding makes of a mask; None where nothing is padded.
_Padding = tuple[str, ...] | None


def _refuse(dropout: float, wants_weights: bool) -> None:
    if dropout:
        raise CallError(f"dropout is {dropout}; attn_mlir has none, call model.eval() or set it to 0")
    if wants_weights:
        raise CallError("weights of attention are never made; leave output_attentions=False, or use the model as it "
                        "was")


def _within(pattern: Pattern, padding: _Padding) -> Pattern:
    return pattern if padding is None else pattern & build(padding)


def _clear_padding(rows: torch.Tensor, present: torch.Tensor, padding: _Padding) -> torch.Tensor:
    if padding is not None:
        rows[~present] = 0.0
    return rows


def _split_heads(rows: torch.Tensor, heads: int) -> torch.Tensor:
    """[batch, length, columns] → [batch, heads, length, head size], the same memory."""
    return rows.unflatten(-1, (heads, -1)).transpose(1, 2)


# ----------------------------------------------------------------------------------------------------------------------
# Longformer (Beltagy et al., 2020)
# ----------------------------------------------------------------------------------------------------------------------


@functools.lru_cache
def _make_longformer(has_tokens: bool, padding: _Padding) -> Pattern:
    """A window of any size, and tokens that are seen by all."""
    side = algebra.parameter("side", 256)
    near = algebra.window(side, side)
    tokens = Parameter("tokens", "!attn.tokens")
    return _within(near | algebra.global_tokens(tokens, side="columns") if has_tokens else near, padding)


def _list_tokens(chosen: torch.Tensor) -> torch.Tensor:
    """Positions of what is chosen, [batch, positions], as [batch, tokens], with -1 behind where there are fewer."""
    counts = chosen.sum(1)
    places = torch.arange(int(counts.max()), device=chosen.device)
    first = chosen.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, : len(places)]
    return first.masked_fill(places >= counts[:, None], -1)


class LongformerKernels(LongformerSelfAttention):
    """LongformerSelfAttention on kernels."""

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None,
                is_index_masked: torch.Tensor | None = None, is_index_global_attn: torch.Tensor | None = None,
                is_global_attn: bool | None = None, output_attentions: bool = False) -> tuple[torch.Tensor]:
        """hidden_states: [batch, length, columns]; is_index_masked, is_index_global_attn: [batch, length]."""
        _refuse(self.dropout if self.training else 0.0, output_attentions)
        data: dict[str, Any] = {}
        present = ~is_index_masked
        padding = read_padding(present, 0, data)
        tokens = _list_tokens(is_index_global_attn) if is_global_attn else None
        split = functools.partial(_split_heads, heads=self.num_heads)
        given = data if tokens is None else {**data, "tokens": tokens.to(torch.int32)}
        rows, _ = attend(split(self.query(hidden_states)), split(self.key(hidden_states)),
                         split(self.value(hidden_states)), side=self.one_sided_attn_window_size,
                         pattern=_make_longformer(is_global_attn, padding), **given)
        rows = rows.flatten(2)
        if tokens is not None:
            batches, places = (tokens >= 0).nonzero(as_tuple=True)
            chosen = hidden_states.gather(1, tokens.clamp(min=0)[..., None].expand(-1, -1, self.embed_dim))
            # What it costs to project all rows once more, beside that of products as wide as a row for each head.
            is_few = tokens.shape[1] * (self.num_heads - 1) < self.embed_dim
            seen = (self._see_rows(hidden_states, chosen, is_index_masked) if is_few else
                    self._see_projected(hidden_states, chosen, padding, data))
            rows[batches, tokens[batches, places]] = seen[batches, places]
        return (_clear_padding(rows, present, padding),)

    # What global tokens make of all rows by projections of their own. chosen: their rows, [batch, tokens, columns].

    def _see_projected(self, states: torch.Tensor, chosen: torch.Tensor, padding: _Padding,
                       data: dict[str, Any]) -> torch.Tensor:
        split = functools.partial(_split_heads, heads=self.num_heads)
        if "present" in data:  # the tokens stand behind the rows, and in the segment of what is present
            data = {"present": torch.nn.functional.pad(data["present"], (0, chosen.shape[1]), value=1)}
        rows, _ = attend(split(self.query_global(chosen)), split(self.key_global(states)),
                         split(self.value_global(states)), pattern=build(padding or ("full",)),
                         query_offset=states.shape[1], **data)
        return rows.flatten(2)

    def _see_rows(self, states: torch.Tensor, chosen: torch.Tensor, is_masked: torch.Tensor) -> torch.Tensor:
        """For few tokens, without projecting all rows: q.(K x + b) = (K'q).x + q.b, whose last part is the same for all
        x; and weights add up to 1, so that sum w (V x + b) = V (sum w x) + b. Heads are wider here than kernels are."""
        to_keys, to_values = (project.weight.unflatten(0, (self.num_heads, self.head_dim))
                              for project in (self.key_global, self.value_global))
        queries = _split_heads(self.query_global(chosen), self.num_heads) / math.sqrt(self.head_dim)
        wide = torch.einsum("bhtd,hdc->bhtc", queries, to_keys).flatten(1, 2)
        scores = (wide @ states.transpose(1, 2)).masked_fill(is_masked[:, None], -torch.inf)
        weights = scores.softmax(dim=-1, dtype=torch.float32).to(states.dtype)
        sums = (weights @ states).unflatten(1, (self.num_heads, -1))
        values = torch.einsum("bhtc,hdc->bthd", sums, to_values)
        return (values + self.value_global.bias.unflatten(0, (self.num_heads, -1))).flatten(2)


# ----------------------------------------------------------------------------------------------------------------------
# BigBird (Zaheer et al., 2020)
# ----------------------------------------------------------------------------------------------------------------------


@functools.lru_cache
def _make_fixed_blocks(padding: _Padding) -> Pattern:
    """The own block and its neighbours, and the first and the last block, which see all and are seen by all."""
    block, last = algebra.parameter("block", 64), algebra.parameter("last", 0)
    return _within(algebra.block_local(block, before=block, after=block) | algebra.between(None, block)
                   | algebra.between(last, None), padding)


@functools.lru_cache
def _make_drawn_blocks(padding: _Padding) -> Pattern:
    return _within(algebra.block_table(Parameter("table", "!attn.blocks"), algebra.parameter("block", 64)), padding)


class BigBirdKernels(BigBirdBlockSparseAttention):
    """BigBirdBlockSparseAttention on kernels.

    transformers lets a row take part in a softmax as often as a query's blocks list it, and random blocks may be near
    ones, or the first or last, once more; when not training, all of them are the first. So the two kinds of blocks are
    two calls, which are joined by their lse.
    """

    def forward(self, hidden_states: torch.Tensor, band_mask: torch.Tensor | None = None,
                from_mask: torch.Tensor | None = None, to_mask: torch.Tensor | None = None,
                from_blocked_mask: torch.Tensor | None = None, to_blocked_mask: torch.Tensor | None = None,
                **others: Any) -> tuple[torch.Tensor, None]:
        """hidden_states: [batch, length, columns]; to_mask: [batch, 1, 1, length], not 0 for tokens."""
        _refuse(0.0, others.get("output_attentions", False))
        length, present = hidden_states.shape[1], to_mask[:, 0, 0].bool()
        if length % self.block_size:
            raise CallError(f"blocks of {self.block_size} do not divide {length} rows; give the model whole blocks")
        data: dict[str, Any] = {}
        padding = read_padding(present, 0, data)
        projected = (_split_heads(project(hidden_states), self.num_attention_heads)
                     for project in (self.query, self.key, self.value))
        attend_to = functools.partial(attend, *projected, block=self.block_size, return_lse=True, **data)
        rows, lse = attend_to(pattern=_make_fixed_blocks(padding), last=length - self.block_size)
        table, copies = self._draw_table(length)
        if copies:
            drawn, drawn_lse = attend_to(pattern=_make_drawn_blocks(padding), table=table)
            share = torch.sigmoid(drawn_lse + math.log(copies) - lse).to(rows.dtype)
            rows = rows.lerp_(drawn, share.transpose(1, 2)[..., None])
        return _clear_padding(rows.flatten(2), present, padding), None

    def _draw_table(self, length: int) -> tuple[np.ndarray, int]:
        """The random blocks of each head and block of queries, [heads, blocks, any], of which the first and last have
        none; and how often each of them counts."""
        drawn = self._draw_blocks(length)
        copies = 1 if drawn.shape[2] else 0
        if (drawn == drawn[..., :1]).all():
            drawn, copies = drawn[..., :1], drawn.shape[2]
        return np.pad(drawn, ((0, 0), (1, 1), (0, 0)), constant_values=-1), copies

    def _draw_blocks(self, length: int) -> np.ndarray:
        """As bigbird_block_sparse_attention draws them: [heads, blocks - 2, random blocks]."""
        block, heads, count = self.block_size, self.num_attention_heads, self.num_random_blocks
        if self.training:
            np.random.seed(self.seed)
        if length in (1024, 3072, 4096):
            return np.stack([self._bigbird_block_rand_mask(self.max_seqlen, self.max_seqlen, block, block, count,
                                                           last_idx=1024)[: length // block - 2] for _ in range(heads)])
        lengths, counts = self._get_rand_attn_plan(length, block, count)
        return np.stack(self._bigbird_block_rand_mask_with_head(length, length, block, block, heads, lengths, counts))


REPLACEMENTS = {LongformerSelfAttention: LongformerKernels, BigBirdBlockSparseAttention: BigBirdKernels}
# What follows attention in its layer, and is a projection as those before it are.
OUTPUTS = (LongformerSelfOutput, BigBirdSelfOutput)
