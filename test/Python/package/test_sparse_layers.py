# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""transformers' Longformer and BigBird with their attention replaced, against themselves in float32 and float64. Models
are small and have random weights."""

import re
import sys
from typing import Any

import attn as paths
import attn_mlir as attn
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from attn_mlir import sparse_layers  # noqa: E402, it needs both
from attn_mlir.onednn import OneDnnLinear, use_onednn  # noqa: E402
from attn_mlir.transformers import replace_attention  # noqa: E402

sys.path.insert(0, str(paths.SOURCE / "examples" / "models"))
import compare  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 50,
         "pad_token_id": 0, "initializer_range": 0.3}
LENGTH = 48


def with_biases(model: Any) -> Any:
    """Which are 0 in new models."""
    for name, parameter in model.named_parameters():
        if name.endswith(".bias"):
            torch.nn.init.normal_(parameter)
    return model


def make_longformer(window: Any = 8) -> Any:
    torch.manual_seed(0)
    config = transformers.LongformerConfig(**SIZES, attention_window=window, max_position_embeddings=1100)
    return with_biases(transformers.LongformerModel(config)).eval()


def make_bigbird(block: int = 4, is_training: bool = False, random: int = 2) -> Any:
    torch.manual_seed(0)
    config = transformers.BigBirdConfig(**SIZES, block_size=block, num_random_blocks=random,
                                        max_position_embeddings=1100, hidden_dropout_prob=0.0,
                                        attention_probs_dropout_prob=0.0)
    return with_biases(transformers.BigBirdModel(config)).train(is_training)


def draw_tokens(batch: int = 2, length: int = LENGTH) -> Any:
    return torch.randint(3, 50, (batch, length), generator=torch.Generator().manual_seed(0))


def mark(*chosen: Any, length: int = LENGTH) -> Any:
    """A 1 at what is chosen of each batch."""
    marks = torch.zeros(len(chosen), length, dtype=torch.int64)
    for row, places in zip(marks, chosen):
        row[places] = 1
    return marks


MANY = [*range(0, 22, 2)]  # global tokens
PADDINGS = {"none": None, "right": mark(slice(40), slice(31)), "left": mark(slice(5, None), slice(0, None)),
            "holes": mark([*range(0, 11), *range(12, 30)], [*range(3, 20), 25, 47])}


def check(model: Any, **inputs: Any) -> None:
    given = {name: value for name, value in inputs.items() if value is not None}
    ours = compare.replaced(model)
    assert all(type(each) not in sparse_layers.REPLACEMENTS for each in ours.modules())
    eager, computed = compare.run(model, **given), compare.run(ours, **given)
    assert compare.error_ratio(computed, eager, compare.run_in_double(model, **given)) <= 1
    assert not torch.equal(computed, eager), "both ran the same attention"


@pytest.mark.parametrize(("padding", "tokens"), [
    ("none", None), ("right", None), ("none", mark([0], [0])), ("right", mark([0, 4, 6, 29], [3])),
    ("right", mark([], [9, 10])), ("left", mark([6, 30], [0])), ("holes", None), ("holes", mark([0, 4, 29], [3])),
    ("none", mark(MANY, [3])), ("right", mark([40], MANY)), ("left", mark(MANY, MANY)), ("holes", mark(MANY, [3]))])
def test_longformer(padding: str, tokens: Any) -> None:
    """Batches have different global tokens, one of them perhaps none; many of them are another way to compute."""
    check(make_longformer(), input_ids=draw_tokens(), attention_mask=PADDINGS[padding], global_attention_mask=tokens)


def test_ways_of_global_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tokens go to the rows, for many the rows are projected."""
    model, used = make_longformer(), []
    replace_attention(model)
    for way in ("_see_rows", "_see_projected"):
        method = getattr(sparse_layers.LongformerKernels, way)
        monkeypatch.setattr(sparse_layers.LongformerKernels, way,
                            lambda *given, way=way, method=method: used.append(way) or method(*given))
    for tokens in ([0, 5], MANY):
        compare.run(model, input_ids=draw_tokens(1), global_attention_mask=mark(tokens))
    assert used == ["_see_rows"] * 2 + ["_see_projected"] * 2


def test_longformer_windows() -> None:
    """Of each layer its own, in a length that no window divides."""
    check(make_longformer([4, 12]), input_ids=draw_tokens()[:, :41], global_attention_mask=mark([7], [8])[:, :41])


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("is_training", [False, True])
def test_bigbird(is_training: bool, padding: str) -> None:
    check(make_bigbird(is_training=is_training), input_ids=draw_tokens(), attention_mask=PADDINGS[padding])


@pytest.mark.parametrize(("length", "block", "random", "is_training"), [
    (1024, 32, 3, True),  # transformers draws otherwise for this length, near and last blocks among the others
    (1024, 64, 1, False), (47, 4, 3, True), (1020, 4, 3, True)])
def test_bigbird_draws(length: int, block: int, random: int, is_training: bool) -> None:
    check(make_bigbird(block, is_training, random), input_ids=draw_tokens(1, length))


def test_what_compares_is_not_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that counts once too few, and a window that is one too wide."""
    draw = sparse_layers.BigBirdKernels._draw_table
    monkeypatch.setattr(sparse_layers.BigBirdKernels, "_draw_table", lambda *given: (draw(*given)[0], 1))
    with pytest.raises(AssertionError):
        check(make_bigbird(), input_ids=draw_tokens())
    longformer = make_longformer()
    tokens, expected = draw_tokens(), compare.run(longformer, input_ids=draw_tokens())
    replace_attention(longformer)
    for layer in longformer.encoder.layer:
        layer.attention.self.one_sided_attn_window_size += 1
    assert (compare.run(longformer, input_ids=tokens) - expected).abs().max() > 1e-4


def test_nothing_is_present() -> None:
    """transformers gives the rows of an empty sequence the output 0, and so it has to be here."""
    present = mark(slice(None), [])
    for model in (make_longformer(), make_bigbird()):
        check(model, input_ids=draw_tokens(), attention_mask=present)


def test_16_bits() -> None:
    model, inputs = make_bigbird().bfloat16(), {"input_ids": draw_tokens(), "attention_mask": PADDINGS["right"]}
    expected, computed = compare.run(model, **inputs), compare.run(compare.replaced(model), **inputs)
    assert computed.dtype == torch.bfloat16 and (expected.float() - computed.float()).abs().max() < 0.1


def test_parameters_stay() -> None:
    for model in (make_longformer(), make_bigbird()):
        before = dict(model.named_parameters())
        assert replace_attention(model) == 2 and replace_attention(model) == 0
        after = dict(model.named_parameters())
        assert list(before) == list(after) and all(after[name] is each for name, each in before.items())


def test_projections_are_onednns() -> None:
    for model in (make_longformer(), make_bigbird()):
        linear = {name: each for name, each in model.named_modules() if isinstance(each, torch.nn.Linear)}
        replace_attention(model)
        assert [name for name, each in linear.items() if isinstance(each, OneDnnLinear)] == [
            name for name in linear if ".attention." in name]


class Subclass(torch.nn.Linear):
    pass


def test_linear_layers_on_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in f32 without gradients, and no others; the values are torch's."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("torch has no oneDNN here")
    product, used = torch.ops.mkldnn._linear_pointwise, []
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise",
                        lambda *given: used.append(given) or product(*given), raising=False)
    layers = [torch.nn.Linear(24, 40), torch.nn.Linear(24, 40, bias=False)]
    rows = torch.randn(2, 30, 24)

    def check_each(products: int, *given: Any) -> None:
        used.clear()
        for x in given:
            for layer in layers:
                expected = torch.nn.functional.linear(x, layer.weight, layer.bias)
                torch.testing.assert_close(layer(x), expected)
        assert len(used) == products

    check_each(0, rows)
    use_onednn(torch.nn.ModuleList(layers))
    check_each(0, rows)  # weights want gradients
    with torch.no_grad():
        check_each(8, rows, rows[0], rows[:0], rows.mT.contiguous().mT)
        with torch.autocast("cpu"):
            check_each(0, rows)
        layers = [layer.double() for layer in layers]
        check_each(0, rows.double())
    other = Subclass(1, 1)
    use_onednn(other)
    assert type(other) is Subclass


def test_short_inputs_of_bigbird() -> None:
    """The model turns to full attention of its own."""
    model = make_bigbird()
    models, tokens = (model, compare.replaced(model)), draw_tokens()[:, :20]
    expected, computed = (compare.run(each, input_ids=tokens) for each in models)
    assert torch.equal(expected, computed)


# ----------------------------------------------------------------------------------------------------------------------
# What is refused
# ----------------------------------------------------------------------------------------------------------------------


def refused(message: str) -> Any:
    return pytest.raises(attn.CallError, match=f"^{re.escape(message)}")


def test_weights_are_refused() -> None:
    for model in (make_longformer(), make_bigbird()):
        replace_attention(model)
        with refused("weights of attention are never made; leave output_attentions=False, or use the model as it was"):
            model(draw_tokens(), output_attentions=True)


def test_dropout_is_refused() -> None:
    model = make_longformer().train()
    replace_attention(model)
    with refused("dropout is 0.1; attn_mlir has none, call model.eval() or set it to 0"):
        model(draw_tokens())


def test_parts_of_blocks_are_refused() -> None:
    model = make_bigbird()
    replace_attention(model)
    with refused("blocks of 4 do not divide 7 rows; give the model whole blocks"):
        model.encoder.layer[0].attention.self(torch.zeros(1, 7, 32), to_mask=torch.ones(1, 1, 1, 7))


def test_gradients_are_refused() -> None:
    for model in (make_longformer(), make_bigbird()):
        replace_attention(model)
        output = model(draw_tokens())[0]
        with pytest.raises(NotImplementedError, match="^attn_mlir.attention has no backward yet"):
            output.sum().backward()
