"""An edit reaches what follows, leaves no trace, and does nothing when it changes nothing."""

import pytest
import torch

from biaskit.errors import RunError, UnknownNameError
from biaskit.hooks import capture, edit


@torch.inference_mode()
def test_a_change_that_returns_its_activation_leaves_the_output_bit_identical(case):
    plain = case()
    with edit(case.model, dict.fromkeys(case.points, lambda activation: activation)):
        assert torch.equal(case(), plain)


@torch.inference_mode()
@pytest.mark.parametrize("point", [0, 1, 2])
def test_a_change_reaches_what_follows_and_nothing_before(case, point):
    name = case.points[point]
    with capture(case.model, {key: key for key in case.points}) as plain:
        case()
    with (
        edit(case.model, {name: lambda activation: activation + 1}),
        capture(case.model, {key: key for key in case.points}) as edited,
    ):
        case()
    assert torch.equal(edited[name], plain[name] + 1)
    for place, key in enumerate(case.points):
        assert torch.equal(edited[key], plain[key]) == (place < point)


@torch.inference_mode()
def test_the_other_parts_of_an_output_are_kept(dataclass_model):
    expected = dataclass_model.model.head(dataclass_model.inputs)
    with edit(dataclass_model.model, {"splitter": torch.zeros_like}):
        torch.testing.assert_close(dataclass_model(), expected)


@torch.inference_mode()
def test_the_attention_of_a_block_is_a_tuple_and_is_rebuilt(causal):
    with capture(causal.model, {0: "transformer.h.0.attn"}) as seen:
        causal()
    with (
        edit(causal.model, {"transformer.h.0.attn": lambda activation: -activation}),
        capture(causal.model, {0: "transformer.h.0.attn"}) as edited,
    ):
        causal()
    assert torch.equal(edited[0], -seen[0])


@torch.inference_mode()
def test_a_model_output_is_rebuilt(causal):
    with edit(causal.model, {"transformer": lambda activation: activation * 0}):
        output = causal.model(causal.inputs)
    assert output.logits.abs().max() == 0
    assert output.past_key_values is not None


@torch.inference_mode()
def test_editing_an_input_is_editing_the_output_below(causal):
    def change(activation):
        return activation * 1.5

    with edit(causal.model, {causal.points[1]: change}, read="input"):
        above = causal()
    with edit(causal.model, {causal.points[0]: change}):
        assert torch.equal(causal(), above)


@torch.inference_mode()
def test_a_named_argument_is_edited(dataclass_model):
    with edit(dataclass_model.model, {"named": torch.zeros_like}, read="input"):
        torch.testing.assert_close(dataclass_model(), dataclass_model.model.head(dataclass_model.inputs))


@torch.inference_mode()
def test_the_result_is_cast_back(causal):
    causal.model.to(torch.bfloat16)
    with edit(causal.model, {causal.points[0]: lambda activation: activation.double() + 1}):
        assert causal().dtype == torch.bfloat16


@torch.inference_mode()
def test_edits_nest_the_outer_one_first(causal):
    with (
        edit(causal.model, {causal.points[0]: torch.zeros_like}),
        edit(causal.model, {causal.points[0]: lambda activation: activation + 2}),
        capture(causal.model, {0: causal.points[0]}) as seen,
    ):
        causal()
    assert (seen[0] == 2).all()


@torch.inference_mode()
def test_it_holds_through_generation_with_a_cache(causal):
    favourite = 17
    step = 1e3 * causal.model.lm_head.weight[favourite]
    with edit(causal.model, {"transformer.ln_f": lambda activation: activation + step}):
        generated = causal.model.generate(causal.inputs, max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert (generated[:, causal.inputs.shape[1] :] == favourite).all()


@torch.inference_mode()
def test_a_guidance_batch_is_edited_row_by_row(conv):
    """Classifier-free guidance stacks the unconditional batch on the conditional one."""
    stacked = torch.cat([conv.inputs, conv.inputs])
    mask = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(-1, 1, 1, 1)
    plain = conv.model(stacked)
    with edit(conv.model, {"0": lambda activation: activation + mask}):
        edited = conv.model(stacked)
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2:], plain[2:])


def test_gradients_pass_through(causal):
    strength = torch.tensor(0.5, requires_grad=True)
    with edit(causal.model, {causal.points[0]: lambda activation: activation * strength}):
        (gradient,) = torch.autograd.grad(causal().sum(), strength)
    assert gradient != 0


@torch.inference_mode()
def test_another_shape_is_refused(causal, hooks_on):
    with (
        pytest.raises(RunError, match=r"turned shape \(3, 7, 32\) into \(3, 32\)"),
        edit(causal.model, {causal.points[0]: lambda activation: activation[:, 0]}),
    ):
        causal()
    assert hooks_on(causal.model) == 0


def test_an_edit_that_was_never_applied_is_told(causal):
    with (
        pytest.raises(RunError, match="'lm_head' was never applied"),
        edit(causal.model, {"lm_head": torch.zeros_like}),
    ):
        causal.model.transformer(causal.inputs)


def test_a_wrong_path_is_answered_with_near_ones(causal):
    with (
        pytest.raises(UnknownNameError, match=r"Did you mean transformer\.h\.1"),
        edit(causal.model, {"transformer.1": torch.zeros_like}),
    ):
        pytest.fail("the block was entered")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_no_hook_is_left_whatever_is_raised(case, hooks_on, error):
    def fail(_activation):
        raise error

    with pytest.raises(error), edit(case.model, {case.points[0]: torch.zeros_like, case.points[1]: fail}):
        case()
    assert hooks_on(case.model) == 0
    assert torch.isfinite(case()).all()
