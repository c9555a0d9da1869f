"""Captured activations are the model's own, gradients are true, and nothing stays behind."""

import gc
import weakref

import pytest
import torch
from torch import nn

from biaskit.errors import RequestError, RunError, UnknownNameError
from biaskit.hooks import capture, edit


def by_position(case):
    return dict(enumerate(case.points))


@torch.inference_mode()
@pytest.mark.parametrize("family", ["causal", "encoder"])
def test_every_layer_equals_output_hidden_states(family, request):
    case = request.getfixturevalue(family)
    expected = case.model(case.inputs, output_hidden_states=True).hidden_states
    with capture(case.model, by_position(case)) as seen:
        case()
    # The last hidden state of GPT-2 is taken behind the final norm, so the layers below it are compared.
    for layer in range(len(case.points) - 1):
        assert torch.equal(seen[layer], expected[layer + 1])


@torch.inference_mode()
def test_the_input_of_a_block_is_the_output_of_the_one_below(causal):
    points = {("pre", layer): name for layer, name in enumerate(causal.points)}
    points |= {("post", layer): name for layer, name in enumerate(causal.points)}
    sides = {key: "input" for key in points if key[0] == "pre"}
    with capture(causal.model, points, read=sides) as seen:
        causal()
    assert list(seen) == list(points)
    for layer in range(1, len(causal.points)):
        assert torch.equal(seen["pre", layer], seen["post", layer - 1])


@torch.inference_mode()
def test_a_named_argument_and_a_dictionary_are_read(dataclass_model):
    with capture(dataclass_model.model, {"in": "named"}, read="input") as before:
        dataclass_model()
    with capture(dataclass_model.model, {"split": "splitter", "out": "named"}) as after:
        dataclass_model()
    assert torch.equal(before["in"], after["split"])
    assert torch.equal(after["out"], 2 * before["in"])


def test_the_output_of_the_model_is_untouched(case):
    plain = case()
    with capture(case.model, by_position(case)):
        assert torch.equal(case(), plain)
    with capture(case.model, by_position(case), gradient=True):
        assert torch.equal(case(), plain)


def test_a_later_write_in_place_does_not_reach_what_was_kept(conv):
    expected = conv.model[0](conv.inputs).detach()
    assert (expected < 0).any()
    with (
        capture(conv.model, {"whole": "0"}) as whole,
        capture(conv.model, {"view": "0"}, pool=lambda activation: activation[:, 0]) as view,
    ):
        conv()
    assert torch.equal(whole["whole"], expected)
    assert torch.equal(view["view"], expected[:, 0])


def test_what_is_pooled_inside_the_hook_does_not_keep_the_activation(causal):
    with capture(causal.model, by_position(causal), pool=lambda activation: activation[:, -1]) as seen:
        causal()
    for pooled in seen.values():
        assert pooled.untyped_storage().nbytes() == pooled.numel() * pooled.element_size()
        assert not pooled.requires_grad


@pytest.mark.parametrize("stop", [True, False])
def test_no_activation_outlives_the_block(causal, stop):
    activations = []

    def last(activation):
        activations.append(weakref.ref(activation))
        return activation[:, -1]

    gc.disable()
    try:
        with torch.no_grad(), capture(causal.model, by_position(causal), pool=last, stop=stop) as seen:
            causal()
        assert len(seen) == len(activations) == len(causal.points)
        assert [activation() for activation in activations] == [None] * len(activations)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "pool", [None, lambda activation: activation[:, -1], lambda activation: activation.mean(1)]
)
def test_what_was_read_in_inference_mode_can_train_a_probe(causal, pool):
    with torch.inference_mode(), capture(causal.model, by_position(causal), pool=pool) as seen:
        causal()
    probe = nn.Linear(32, 1)
    sum(probe(activation).sum() for activation in seen.values()).backward()
    assert probe.weight.grad.abs().sum() > 0


def test_modules_and_paths_name_the_same_place(causal):
    with capture(causal.model, {"path": causal.points[1], "module": causal.module(causal.points[1])}) as seen:
        causal()
    assert torch.equal(seen["path"], seen["module"])


@torch.inference_mode()
def test_generation_with_a_cache_gives_one_activation_a_step(causal):
    settings = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    plain = causal.model.generate(causal.inputs, **settings)
    with capture(causal.model, {"block": causal.points[2]}, repeats=True) as seen:
        generated = causal.model.generate(causal.inputs, **settings)
    assert torch.equal(generated, plain)
    assert [activation.shape[1] for activation in seen["block"]] == [7, 1, 1, 1, 1]
    with capture(causal.model, {"block": causal.points[2]}) as whole:
        causal.model(generated[:, :-1])
    torch.testing.assert_close(torch.cat(seen["block"], dim=1), whole["block"])


def test_a_module_that_runs_twice_is_told(causal):
    with (
        pytest.raises(RunError, match=r"transformer\.h\.0.*more than once"),
        capture(causal.model, {0: causal.points[0]}),
    ):
        torch.cat([causal(), causal()])


def test_a_module_that_never_runs_is_told(causal):
    with (
        pytest.raises(RunError, match=r"No activation came from 'lm_head'"),
        capture(causal.model, {"block": causal.points[0], "head": "lm_head"}),
    ):
        causal.model.transformer(causal.inputs)


def test_a_wrong_path_is_answered_with_near_ones(causal):
    with pytest.raises(UnknownNameError) as caught, capture(causal.model, {0: "transfomer.h.1"}):
        pytest.fail("the block was entered")
    assert "transformer.h.1" in caught.value.near


def test_a_module_without_a_tensor_is_told():
    class Silent(nn.Module):
        def forward(self, x):
            return "words"

    with pytest.raises(RunError, match="gives no tensor but str"), capture(model := Silent(), {0: model}):
        model(torch.zeros(1))


class TestStop:
    def test_nothing_above_the_last_point_runs(self, case):
        above = []
        handles = [
            case.module(name).register_forward_pre_hook(lambda *_, name=name: above.append(name))
            for name in case.points
        ]
        reached_the_end = False
        with capture(case.model, {"only": case.points[0]}, stop=True) as seen:
            case()
            reached_the_end = True
        for handle in handles:
            handle.remove()
        assert above == [case.points[0]]
        assert not reached_the_end
        with capture(case.model, {"only": case.points[0]}) as whole:
            case()
        assert torch.equal(seen["only"], whole["only"])

    def test_it_waits_for_the_highest_point_whatever_the_order(self, causal):
        with capture(causal.model, {"high": causal.points[2], "low": causal.points[0]}, stop=True) as seen:
            causal()
        assert list(seen) == ["high", "low"]

    def test_an_outer_capture_is_not_stopped_by_an_inner_one(self, causal):
        with capture(causal.model, {"outer": causal.points[0]}) as outer:
            with capture(causal.model, {"inner": causal.points[1]}, stop=True) as inner:
                causal()
            assert "inner" in inner
        assert "outer" in outer

    def test_a_handler_in_the_model_does_not_swallow_it(self, causal):
        class Careful(nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                try:
                    return self.inner(x)
                except Exception:  # noqa: BLE001  a model may well do this
                    return None

        with capture(Careful(causal.model), {0: "inner.transformer.h.0"}, stop=True) as seen:
            Careful(causal.model)(causal.inputs)
            pytest.fail("the pass went on")
        assert seen[0].shape == (3, 7, 32)


class TestGradient:
    @pytest.mark.parametrize("frozen", [True, False])
    def test_it_equals_finite_differences(self, case, frozen):
        case.model.double().requires_grad_(not frozen)
        if case.inputs.is_floating_point():
            object.__setattr__(case, "inputs", case.inputs.double())
        generator = torch.Generator().manual_seed(1)
        with capture(case.model, by_position(case), gradient=True) as seen:
            objective = (case() ** 2).sum()
        gradients = torch.autograd.grad(objective, list(seen.values()))
        for name, activation, gradient in zip(case.points, seen.values(), gradients, strict=True):
            step = torch.randn(activation.shape, generator=generator, dtype=torch.float64)
            low, high = (self.moved(case, name, sign * 1e-5 * step) for sign in (-1, 1))
            torch.testing.assert_close((gradient * step).sum(), (high - low) / 2e-5, rtol=1e-5, atol=1e-6)

    @staticmethod
    def moved(case, name, step):
        with torch.no_grad(), edit(case.model, {name: lambda activation: activation + step}):
            return (case() ** 2).sum()

    def test_backward_fills_grad(self, causal):
        causal.model.requires_grad_(False)
        with capture(causal.model, by_position(causal), gradient=True) as seen:
            causal()[:, -1, 3].sum().backward()
        assert all(activation.grad.abs().sum() > 0 for activation in seen.values())

    def test_nothing_below_the_lowest_point_is_kept_in_the_graph(self, causal):
        causal.model.requires_grad_(False)
        with capture(causal.model, {2: causal.points[2]}, gradient=True) as seen:
            causal()
        assert seen[2].is_leaf

    def test_the_input_of_a_block_has_one_too(self, causal):
        causal.model.requires_grad_(False)
        with capture(causal.model, {0: causal.points[0]}, read="input", gradient=True) as seen:
            objective = causal()[:, -1, 3].sum()
        (gradient,) = torch.autograd.grad(objective, list(seen.values()))
        assert gradient.abs().sum() > 0

    def test_gradients_are_switched_on_in_the_block_alone(self, causal):
        with torch.inference_mode():
            with capture(causal.model, {0: causal.points[0]}, gradient=True) as seen:
                objective = causal.model(causal.inputs.clone()).logits.sum()
                assert torch.autograd.grad(objective, seen[0])[0].abs().sum() > 0
            assert torch.is_inference_mode_enabled()
            assert not torch.is_grad_enabled()

    def test_a_model_that_switches_them_off_is_told(self, causal):
        with (
            pytest.raises(RunError, match="No gradient reaches"),
            capture(causal.model, {0: causal.points[0]}, gradient=True),
        ):
            causal.model.generate(causal.inputs, max_new_tokens=1, pad_token_id=0)

    def test_pooling_is_refused(self, causal):
        with pytest.raises(RequestError, match="stay in the graph"):
            capture(
                causal.model, {0: causal.points[0]}, gradient=True, pool=lambda activation: activation[:, -1]
            )


def test_stopping_and_repeating_contradict_each_other(causal):
    with pytest.raises(RequestError, match="stops cannot be read repeatedly"):
        capture(causal.model, {0: causal.points[0]}, repeats=True, stop=True)


class TestNothingStaysBehind:
    @pytest.mark.parametrize("gradient", [True, False])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, torch.OutOfMemoryError])
    def test_whatever_is_raised_in_the_forward_pass(self, case, hooks_on, error, gradient):
        def fail(*_, **__):
            raise error

        top = case.module(case.points[-1])
        forward, top.forward = top.forward, fail
        with pytest.raises(error), capture(case.model, by_position(case), gradient=gradient):
            case()
        assert hooks_on(case.model) == 0
        top.forward = forward
        case()

    @pytest.mark.parametrize("how", [{}, {"stop": True}, {"gradient": True}])
    def test_after_a_return(self, case, hooks_on, how):
        def run():
            with capture(case.model, by_position(case), **how):
                return case()

        run()
        assert hooks_on(case.model) == 0

    def test_after_a_failing_pool(self, case, hooks_on):
        with (
            pytest.raises(ZeroDivisionError),
            capture(case.model, by_position(case), pool=lambda activation: activation / (1 // 0)),
        ):
            case()
        assert hooks_on(case.model) == 0

    def test_after_a_wrong_path(self, causal, hooks_on):
        with (
            pytest.raises(UnknownNameError),
            capture(causal.model, {0: causal.points[0], 1: "nowhere"}),
        ):
            pytest.fail("the block was entered")
        assert hooks_on(causal.model) == 0

    def test_the_count_sees_hooks_that_stand(self, causal, hooks_on):
        with capture(causal.model, by_position(causal)):
            assert hooks_on(causal.model) == len(causal.points)
            causal()
        with capture(causal.model, by_position(causal), read="input"):
            assert hooks_on(causal.model) == len(causal.points)
            causal()
