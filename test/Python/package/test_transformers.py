# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""transformers' models over attn_mlir, against their own eager attention. Models are small and have random weights."""

import re
from typing import Any

import attn_mlir as attn
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

import attn_mlir.transformers as attn_transformers  # noqa: E402, it registers itself

pytestmark = pytest.mark.usefixtures("one_torch_thread")

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50,
         "pad_token_id": 0}
DECODER = {**SIZES, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": None}
WINDOWS = ["sliding_attention", "full_attention"]
LENGTH = 24


def make(family: str, **sizes: Any) -> dict[str, Any]:
    """The same model twice: by its own attention, and by attn_mlir's."""
    models = {}
    for implementation in ("eager", "attn_mlir"):
        torch.manual_seed(0)
        config = getattr(transformers, f"{family}Config")(**sizes)
        model = getattr(transformers, f"{family}ForCausalLM" if "bos_token_id" in sizes else f"{family}Model")
        models[implementation] = model._from_config(config, attn_implementation=implementation).eval()
    return models


FAMILIES = {
    "causal": ("Llama", DECODER),
    "sliding": ("Mistral", {**DECODER, "sliding_window": 5}),
    "alternating and soft-capped": ("Gemma2", {**DECODER, "sliding_window": 5, "head_dim": 8, "layer_types": WINDOWS,
                                               "attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 8}),
    "sinks": ("GptOss", {**DECODER, "sliding_window": 5, "head_dim": 8, "layer_types": WINDOWS, "num_local_experts": 2,
                         "num_experts_per_tok": 1, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}),
    "bidirectional": ("Bert", SIZES),
    "bidirectional sliding": ("ModernBert", {**SIZES, "local_attention": 6, "global_attn_every_n_layers": 2,
                                             "layer_types": WINDOWS, "cls_token_id": 1, "sep_token_id": 2}),
}
PADDINGS = {"none": [], "right": [slice(LENGTH - 7, LENGTH)], "left": [slice(0, 6)],
            "both": [slice(0, 3), slice(20, LENGTH)]}


def draw_tokens(batch: int = 2, length: int = LENGTH) -> Any:
    return torch.randint(3, 50, (batch, length), generator=torch.Generator().manual_seed(0))


def run(model: Any, **inputs: Any) -> Any:
    with torch.no_grad():
        return model(**inputs)[0]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_values(family: str, padding: str) -> None:
    models = make(FAMILIES[family][0], **FAMILIES[family][1])
    present = torch.ones(2, LENGTH, dtype=torch.int64)
    for part in PADDINGS[padding]:
        present[1, part] = 0
    expected, computed = (run(models[name], input_ids=draw_tokens(), attention_mask=present) for name in models)
    kept = present.bool()
    assert (expected - computed)[kept].abs().max() < 2e-5
    assert not torch.equal(expected[kept], computed[kept]), "both ran the same attention"


def test_windows_matter() -> None:
    """What test_values compares is not blind to the pattern."""
    sliding, causal = (make(*FAMILIES[name][:1], **FAMILIES[name][1])["attn_mlir"] for name in ("sliding", "causal"))
    tokens = draw_tokens()
    causal.load_state_dict(sliding.state_dict())
    difference = (run(sliding, input_ids=tokens) - run(causal, input_ids=tokens)).abs().amax((0, 2))
    assert difference[:5].max() < 1e-5 and difference[5:].min() > 1e-5


@pytest.mark.parametrize("family", ["causal", "sliding"])
def test_packed_sequences(family: str) -> None:
    models = make(FAMILIES[family][0], **FAMILIES[family][1])
    places = torch.cat([torch.arange(9), torch.arange(15)])[None]
    tokens = draw_tokens(1)
    expected, computed = (run(models[name], input_ids=tokens, position_ids=places, use_cache=False) for name in models)
    assert (expected - computed).abs().max() < 2e-5
    alone = run(models["attn_mlir"], input_ids=tokens[:, 9:])
    assert (computed[:, 9:] - alone).abs().max() < 2e-5


@pytest.mark.parametrize("family", ["causal", "sliding", "sinks"])
def test_generation(family: str) -> None:
    """With a cache, from prompts that are padded at the left."""
    models = make(FAMILIES[family][0], **FAMILIES[family][1])
    present = torch.ones(2, 8, dtype=torch.int64)
    present[1, :3] = 0
    expected, computed = (model.generate(draw_tokens(2, 8), attention_mask=present, max_new_tokens=5, do_sample=False)
                          for model in models.values())
    assert torch.equal(expected, computed) and expected.shape == (2, 13)


def test_masks_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each kind of layer, and no more numbers than tokens."""
    seen = []
    forward = attn_transformers.attention_forward

    def watch(module: Any, query: Any, key: Any, value: Any, mask: Any, **others: Any) -> Any:
        seen.append(mask)
        return forward(module, query, key, value, mask, **others)

    monkeypatch.setitem(transformers.AttentionInterface._global_mapping, "attn_mlir", watch)
    model = make("Mistral", **FAMILIES["sliding"][1])["attn_mlir"]
    present = torch.ones(2, LENGTH)
    present[1, 20:] = 0
    for _ in range(2):
        run(model, input_ids=draw_tokens(), attention_mask=present)
    assert len(seen) == 4 and all(isinstance(mask, attn_transformers.Mask) for mask in seen)
    assert {tuple(mask.arguments) for mask in seen} == {("lengths",)}
    assert seen[0].arguments["lengths"].tolist() == [24, 20]
    assert len({id(mask.pattern) for mask in seen}) == 1, "a pattern is compiled once"


def test_16_bits() -> None:
    models = make("Llama", **DECODER)
    expected, computed = (run(model.bfloat16(), input_ids=draw_tokens()) for model in models.values())
    assert computed.dtype == torch.bfloat16 and (expected.float() - computed.float()).abs().max() < 0.02


def test_compiled_without_graph_breaks() -> None:
    model = make("Llama", **DECODER)["attn_mlir"]
    inputs = {"input_ids": draw_tokens(), "use_cache": False}
    expected = run(model, **inputs)
    assert (run(torch.compile(model, backend="aot_eager"), **inputs) - expected).abs().max() < 1e-5


# ----------------------------------------------------------------------------------------------------------------------
# What is refused
# ----------------------------------------------------------------------------------------------------------------------


def refused(message: str) -> Any:
    return pytest.raises(attn.CallError, match=f"^{re.escape(message)}")


def call(mask: Any = None, **options: Any) -> Any:
    rows = torch.zeros(1, 2, 8, 16)
    return attn_transformers.attention_forward(torch.nn.Module(), rows, rows, rows, mask, **options)


def test_mistakes() -> None:
    with refused("dropout is 0.1; attn_mlir has none, call model.eval() or set it to 0"):
        call(dropout=0.1)
    with refused("attention_mask is a Tensor of shape [1, 1, 8, 8]; give [batch, positions] to the model, or use sdpa"):
        call(torch.ones(1, 1, 8, 8))
    with refused("position biases are not there; use sdpa"):
        call(position_bias=torch.zeros(1, 2, 8, 8))
    with refused("softcap and sinks in one model are not there; use eager"):
        call(softcap=3.0, s_aux=torch.zeros(2))


def test_unknown_masks() -> None:
    with refused("the mask function test_unknown_masks is no pattern that attn_mlir knows; use sdpa, or from_mask_mod"):
        attn_transformers.make_mask(1, 8, 8, mask_function=lambda b, h, q, k: q != k)
    chunked = transformers.masking_utils.chunked_causal_mask_function
    with refused("chunks that begin behind padding are no pattern; pad at the right, or use sdpa"):
        attn_transformers.make_mask(1, 8, 8, mask_function=chunked(4, torch.tensor([2])))
    places = torch.arange(8)[None]
    packed = transformers.masking_utils.packed_sequence_compatibility_function(
        chunked(4, torch.zeros(1, dtype=torch.int64)), places, places)
    with refused("chunks of packed sequences are no pattern; use sdpa"):
        attn_transformers.make_mask(1, 8, 8, mask_function=packed)


def test_chunks() -> None:
    mask_function = transformers.masking_utils.chunked_causal_mask_function(4, torch.zeros(1, dtype=torch.int64))
    pattern = attn_transformers.make_mask(1, 8, 8, mask_function=mask_function).pattern
    assert pattern.report(8)["admitted_pairs"] == 2 * 10


def test_without_a_mask() -> None:
    """Models that give none say by themselves whether they are causal."""
    rows = torch.randn(3, 1, 2, 8, 16, generator=torch.Generator().manual_seed(0))
    for causal in (True, False):
        output, weights = attn_transformers.attention_forward(torch.nn.Module(), *rows, None, is_causal=causal)
        expected = torch.nn.functional.scaled_dot_product_attention(*rows, is_causal=causal).transpose(1, 2)
        assert weights is None and (output - expected).abs().max() < 1e-6
