"""The vision adapter on one random-weight model of each kind: sites, gradients, state left as found."""

import pytest
import torch
from torch import nn

import biaskit
from biaskit import models
from biaskit.errors import ActivationError, LayoutError, RequestError, RunError, UnknownNameError
from biaskit.protocols import VisionModel
from biaskit.records.audit_spec import Subject
from biaskit.records.site import Site
from biaskit.saliency.layout import Axes, Layout
from tests.models import zoo

KINDS = [*zoo.TRANSFORMERS, *zoo.PLAIN]
SPATIAL = [kind for kind in KINDS if kind != "mlp"]
HALF = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
PIXELS = torch.rand(5, 3, *zoo.SIZE, generator=torch.Generator().manual_seed(1))


def opened(module, **settings):
    batch = settings.pop("batch_size", 64)
    return models.load(
        module,
        subject=Subject(model="m", batch_size=batch),
        size=zoo.SIZE,
        classes=zoo.CLASSES,
        **HALF,
        **settings,
    )


def one_against_rest(targets):
    def score(logits):
        own = logits.gather(1, targets[:, None])[:, 0]
        others = logits.masked_fill(nn.functional.one_hot(targets, logits.shape[1]).bool(), -torch.inf)
        return own - others.logsumexp(1)

    return score


TARGETS = torch.tensor([0, 1, 2, 3, 1])


def hooks(module):
    return sum(
        len(part._forward_hooks) + len(part._forward_pre_hooks) + len(part._backward_hooks)
        for part in module.modules()
    )


def raw_logits(module, pixels):
    out = module((pixels - 0.5) / 0.25)
    out = out.logits if hasattr(out, "logits") else out
    return out["main"] if isinstance(out, dict) else out


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_it_is_a_vision_model(self, kind):
        adapter = opened(zoo.model(kind))
        assert isinstance(adapter, VisionModel)
        assert adapter.modality == "image"
        assert (adapter.classes, adapter.size) == (zoo.CLASSES, zoo.SIZE)
        assert len(adapter.subject.fingerprint) == 64

    def test_logits_are_the_models_own_whatever_the_batches(self, kind):
        module = zoo.model(kind)
        with torch.no_grad():
            wanted = raw_logits(module, PIXELS)
        for batch_size in (1, 2, 64):
            found = opened(module, batch_size=batch_size).logits(PIXELS)
            assert found.shape == (5, 4)
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)
        assert not found.is_inference()

    def test_sites_have_layouts_that_fit(self, kind):
        adapter = opened(zoo.model(kind))
        found = adapter.sensitivity(PIXELS, one_against_rest(TARGETS), adapter.spatial_sites())
        assert [site.layer for site in adapter.sites()] == list(range(len(adapter.sites())))
        for site in adapter.spatial_sites():
            layout = adapter.layout(site)
            shape = found.activations[site].shape
            assert shape[0] == 5
            assert tuple(shape[2:]) == (layout.height, layout.width)
            assert shape == found.gradients[site].shape
            assert adapter.locate(site) is adapter.module.get_submodule(adapter.path(site))
        assert (len(adapter.spatial_sites()) > 0) == (kind != "mlp")

    def test_everything_is_left_as_it_was(self, kind):
        module = zoo.model(kind).train()
        weights = list(module.parameters())
        weights[0].requires_grad_(False)
        weights[1].grad = torch.ones_like(weights[1])
        next(part for part in module.modules() if isinstance(part, nn.Linear)).training = False
        modes = [part.training for part in module.modules()]
        values = {key: value.clone() for key, value in module.state_dict().items()}
        adapter = opened(module)
        adapter.sensitivity(PIXELS, one_against_rest(TARGETS), adapter.spatial_sites()[:1])
        adapter.logits(PIXELS)
        assert [part.training for part in module.modules()] == modes
        assert [weight.requires_grad for weight in weights] == [False] + [True] * (len(weights) - 1)
        assert weights[1].grad.eq(1).all()
        assert all(weight.grad is None for place, weight in enumerate(weights) if place != 1)
        assert all(torch.equal(value, values[key]) for key, value in module.state_dict().items())
        assert hooks(module) == 0

    def test_the_twin_has_the_same_shape_and_other_weights(self, kind):
        adapter = opened(zoo.model(kind))
        if any(type(part).__name__ in {"MultiheadAttention"} for part in adapter.module.modules()):
            with pytest.raises(RequestError, match="no random-weights twin"):
                adapter.reinitialised(3)
            return
        state = torch.get_rng_state()
        twin, again, other = (adapter.reinitialised(seed) for seed in (3, 3, 4))
        assert torch.equal(torch.get_rng_state(), state)
        assert twin.sites() == adapter.sites()
        assert twin.classes == adapter.classes
        assert torch.equal(twin.logits(PIXELS), again.logits(PIXELS))
        assert len({each.subject.fingerprint for each in (adapter, twin, other)}) == 3
        assert "random weights, seed 3" in twin.subject.name


@pytest.mark.parametrize("kind", SPATIAL)
def test_gradients_are_those_of_a_finite_difference(kind):
    """Moving an activation along its gradient moves the score as the gradient says."""
    module = zoo.model(kind).double()
    adapter = opened(module)
    score = one_against_rest(TARGETS)
    for site in adapter.spatial_sites()[:: max(1, len(adapter.spatial_sites()) // 4)]:
        found = adapter.sensitivity(PIXELS, score, [site])
        layout, slope = adapter.layout(site), found.gradients[site].square().sum((1, 2, 3))
        step = 1e-4 / slope.max().sqrt().clamp_min(1e-6)
        moved = []
        for sign in (-1, 1):
            shift = sign * step * found.gradients[site].double()

            def change(activation, shift=shift, layout=layout):
                changed = activation.clone()
                layout.to_nchw(changed).add_(shift)
                return changed

            with biaskit.edit(module, {adapter.path(site): change}):
                moved.append(score(raw_logits(module, PIXELS.double()).detach()))
        assert torch.allclose((moved[1] - moved[0]) / (2 * step), slope.double(), rtol=2e-2, atol=1e-4), site


@pytest.mark.parametrize("kind", ["cnn", "vit", "graph"])
def test_batches_change_nothing(kind):
    module = zoo.model(kind)
    score = one_against_rest(TARGETS)
    results = []
    for batch_size in (2, 64):
        adapter = opened(module, batch_size=batch_size)
        results.append(adapter.sensitivity(PIXELS, score, adapter.spatial_sites()))
    for small, large in zip(*(result.gradients.values() for result in results), strict=True):
        assert torch.allclose(small, large, atol=1e-5)
    assert torch.allclose(results[0].scores, results[1].scores, atol=1e-5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_callers_without_gradients_and_frozen_weights(mode):
    module = zoo.model("vit").requires_grad_(False)
    adapter = opened(module)
    free = adapter.sensitivity(PIXELS, one_against_rest(TARGETS), adapter.spatial_sites())
    with mode():
        found = adapter.sensitivity(PIXELS.clone(), one_against_rest(TARGETS), adapter.spatial_sites())
    for site in adapter.spatial_sites():
        assert torch.allclose(found.gradients[site], free.gradients[site], atol=1e-6)


def test_forward_is_on_the_callers_graph():
    adapter = opened(zoo.model("cnn").train())
    pixels = PIXELS.clone().requires_grad_()
    grad = torch.autograd.grad(adapter.forward(pixels).sum(), pixels)[0]
    assert grad.abs().sum() > 0
    with torch.no_grad():
        assert not adapter.forward(pixels).requires_grad


def test_what_follows_the_class_token_is_dead_at_the_last_block():
    adapter = opened(zoo.model("vit"))
    by_path = {adapter.path(site): site for site in adapter.sites()}
    last, before = by_path["vit.layers.2"], by_path["vit.layers.2.layernorm_before"]
    found = adapter.sensitivity(PIXELS, one_against_rest(TARGETS), [before, last])
    assert found.gradients[last].eq(0).all()
    assert found.gradients[before].abs().sum() > 0


class TestWhichModules:
    def test_a_transformer_gives_blocks_and_norms(self):
        adapter = opened(zoo.model("vit"))
        paths = [adapter.path(site) for site in adapter.sites()]
        for layer in range(3):
            assert f"vit.layers.{layer}" in paths
            assert f"vit.layers.{layer}.layernorm_before" in paths
        assert not any("attention" in path or "mlp" in path for path in paths)
        assert paths.index("vit.layers.0") < paths.index("vit.layers.1")

    @pytest.mark.parametrize(("kind", "prefix"), [("vit", 1), ("deit-distilled", 2), ("dinov2-registers", 5)])
    def test_prefix_tokens(self, kind, prefix):
        adapter = opened(zoo.model(kind))
        layouts = {adapter.path(site): adapter.layout(site) for site in adapter.spatial_sites()}
        block = next(path for path in layouts if path.endswith((".layers.1", ".layer.1")))
        assert layouts[block] == Layout(Axes.TOKENS, 4, 4, prefix)

    def test_what_was_written_over_in_place_is_read_after_it(self):
        adapter = opened(zoo.model("cnn"))
        assert [adapter.path(site) for site in adapter.sites()] == [
            "features.0", "features.2", "features.3", "features.5",
        ]  # fmt: skip

    def test_methods_of_their_own_name_are_told(self):
        adapter = opened(zoo.model("multi-scale"))
        assert any("'mixers.0', 'mixers.1' never fire" in note for note in adapter.notes)
        layouts = {adapter.path(site): adapter.layout(site) for site in adapter.spatial_sites()}
        assert layouts["mixers.1.norm"] == Layout(Axes.MULTI_SCALE, 4, 4)

    def test_window_tokens_and_a_halved_grid(self):
        adapter = opened(zoo.model("windows"))
        layouts = {adapter.path(site): adapter.layout(site) for site in adapter.spatial_sites()}
        assert layouts["block1"] == Layout(Axes.TOKENS, 8, 8)
        assert layouts["norm"] == Layout(Axes.TOKENS, 4, 4)

    def test_a_module_that_runs_twice_is_told_and_no_site(self):
        class Twice(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem = nn.Conv2d(3, 6, 4, 4)
                self.block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.GELU())
                self.head = nn.Linear(6, 4)

            def forward(self, x):
                return self.head(self.block(self.block(self.stem(x))).mean((2, 3)))

        adapter = opened(Twice())
        assert [adapter.path(site) for site in adapter.sites()] == ["stem"]
        assert any("'block' run more than once" in note for note in adapter.notes)
        with pytest.raises(RunError, match="ran 2 times"):
            opened(Twice(), layouts={"block": Layout(Axes.NCHW, 8, 8)})

    def test_a_tie_is_refused_until_it_is_declared(self):
        class Tie(nn.Module):
            def __init__(self):
                super().__init__()
                self.stem, self.act, self.head = nn.Conv2d(3, 8, 4, 4), nn.GELU(), nn.Linear(8, 4)

            def forward(self, x):
                return self.head(self.act(self.stem(x)).mean((2, 3)))

        adapter = opened(Tie())
        site = next(site for site in adapter.sites() if adapter.path(site) == "act")
        assert site not in adapter.spatial_sites()
        with pytest.raises(LayoutError, match=r"nchw 8 x 8 or as nhwc 8 x 8"):
            adapter.layout(site)
        assert any("'act' can be read in two ways" in note for note in adapter.notes)
        declared = opened(Tie(), layouts={"act": Layout(Axes.NCHW, 8, 8)})
        assert site in declared.spatial_sites()

    def test_a_chain_of_layers_with_channels_first_is_no_tie(self):
        class Chain(nn.Module):
            def __init__(self):
                super().__init__()
                block = nn.Sequential(nn.Conv2d(3, 8, 4, 4, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
                self.blocks = nn.Sequential(nn.Sequential(block, nn.Dropout()))
                self.head = nn.Linear(8, 4)

            def forward(self, x):
                return self.head(self.blocks(x).mean((2, 3)))

        adapter = opened(Chain())
        assert [adapter.layout(site).axes for site in adapter.sites()] == [Axes.NCHW] * len(adapter.sites())
        assert adapter.spatial_sites()

    def test_what_is_declared_must_be_there_and_fit(self):
        with pytest.raises(UnknownNameError, match=r"features\.5"):
            opened(zoo.model("cnn"), layouts={"feature.5": Layout(Axes.NCHW, 8, 8)})
        with pytest.raises(LayoutError, match="not nchw 7 x 7"):
            opened(zoo.model("cnn"), layouts={"features.5": Layout(Axes.NCHW, 7, 7)})
        with pytest.raises(RunError, match="other than `forward`"):
            opened(zoo.model("multi-scale"), layouts={"mixers.0": Layout(Axes.MULTI_SCALE, 4, 4)})

    def test_a_plumbing_module_becomes_a_site_when_declared(self):
        module = zoo.model("vit")
        path = next(
            name for name, _ in module.named_modules() if name.startswith("vit.layers.1.att") and "q" in name
        )
        adapter = opened(module, layouts={path: Layout(Axes.TOKENS, 4, 4, 1)})
        assert path in [adapter.path(site) for site in adapter.spatial_sites()]

    def test_no_axes_is_said(self):
        adapter = opened(zoo.model("mlp"))
        assert adapter.spatial_sites() == ()
        for ask in (adapter.layout, adapter.locate):
            with pytest.raises(LayoutError, match="occlusion"):
                ask(Site.parse("conv_out.0"))

    def test_an_unknown_site(self):
        with pytest.raises(UnknownNameError, match=r"conv_out\.3"):
            opened(zoo.model("cnn")).layout(Site.parse("conv_out.9"))


class Gives(nn.Module):
    """A classifier whose output is whatever `shape` makes of its logits."""

    def __init__(self, shape, classes=4):
        super().__init__()
        self.stem, self.head, self.shape = nn.Conv2d(3, 6, 8, 8), nn.Linear(6, classes), shape

    def forward(self, x):
        return self.shape(self.head(self.stem(x).mean((2, 3))))


class TestOutputs:
    @pytest.mark.parametrize(
        "shape",
        [
            lambda z: z,
            lambda z: {"logits": z},
            lambda z: {"main": z, "aux": -z},
            lambda z: (z, None),
            lambda z: [(z, 1)],
            lambda z: z.squeeze(),
            lambda z: z[..., None, None],
        ],
    )
    @pytest.mark.parametrize("rows", [1, 3])
    def test_logits_are_found(self, shape, rows):
        module = Gives(shape)
        adapter = opened(module)
        module.shape = lambda z: z
        wanted = raw_logits(module, PIXELS[:rows])
        module.shape = shape
        assert torch.allclose(adapter.logits(PIXELS[:rows]), wanted, atol=1e-5)

    @pytest.mark.parametrize(
        "shape",
        [lambda z: None, lambda z: {"boxes": z}, lambda z: z[:, :, None, None].expand(-1, -1, 5, 5),
         lambda z: z.argmax(1), lambda z: z.T, lambda z: ()],
    )  # fmt: skip
    def test_what_is_no_classifier_is_refused(self, shape):
        module = Gives(shape)
        with pytest.raises(RequestError, match="gives"):
            opened(module)
        assert hooks(module) == 0

    @pytest.mark.parametrize("shape", [lambda z: z, lambda z: z[:, 0], lambda z: z.sigmoid()])
    def test_one_logit_is_two_classes(self, shape):
        module = Gives(shape, 1)
        adapter = models.load(module, size=zoo.SIZE, classes=("no", "yes"), **HALF)
        logits = adapter.logits(PIXELS)
        assert logits[:, 0].eq(0).all()
        linear = module.head(module.stem((PIXELS - 0.5) / 0.25).mean((2, 3)))[:, 0]
        assert torch.allclose(logits[:, 1], linear, atol=1e-4)
        weight, bias = adapter.head()
        assert torch.allclose(adapter.features(PIXELS) @ weight.T + bias, logits, atol=1e-4)
        assert any("one logit" in note for note in adapter.notes)

    def test_probabilities_become_logits_again(self):
        module = Gives(lambda z: z.softmax(1))
        adapter = opened(module)
        linear = module.head(module.stem((PIXELS - 0.5) / 0.25).mean((2, 3)))
        assert torch.allclose(adapter.logits(PIXELS), linear.log_softmax(1), atol=1e-5)
        assert any("softmax" in note for note in adapter.notes)
        assert adapter.head()[0].shape == (4, 6)

    def test_classes_must_be_as_many_as_logits(self):
        with pytest.raises(RequestError, match="2 classes are named and the model has 4"):
            models.load(zoo.model("cnn"), size=zoo.SIZE, classes=("a", "b"), **HALF)
        with pytest.raises(RequestError, match="same name"):
            models.load(zoo.model("cnn"), size=zoo.SIZE, classes=("a", "b", "b", "c"), **HALF)
        assert models.load(zoo.model("cnn"), size=zoo.SIZE, **HALF).classes == ("0", "1", "2", "3")

    def test_nan_is_refused(self):
        adapter = opened(Gives(lambda z: z / 0))
        with pytest.raises(ActivationError, match="logits"):
            adapter.logits(PIXELS)

    def test_a_size_the_model_cannot_run_at(self):
        with pytest.raises(RequestError, match="does not run on images of 3 x 8 x 8"):
            models.load(zoo.model("mlp"), size=(8, 8), **HALF)

    def test_pixels_of_another_size_and_none_at_all(self):
        adapter = opened(zoo.model("cnn"))
        with pytest.raises(RequestError, match="do not fit"):
            adapter.logits(torch.rand(2, 3, 16, 16))
        with pytest.raises(RequestError, match="no image"):
            adapter.logits(torch.rand(0, 3, 32, 32))

    def test_an_error_on_the_way_leaves_no_hook(self):
        module = zoo.model("cnn")
        adapter = opened(module)

        def score(logits):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            adapter.sensitivity(PIXELS, score, adapter.spatial_sites())
        assert hooks(module) == 0
        with pytest.raises(RunError, match="depends on none"):
            adapter.sensitivity(PIXELS, lambda z: torch.zeros(len(z)), adapter.spatial_sites())


class TestMemory:
    def test_batches_are_halved(self, monkeypatch):
        module = zoo.model("cnn")
        adapter = opened(module, batch_size=4)
        forward = type(module).forward

        def small(self, x):
            if len(x) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(self, x)

        wanted = adapter.logits(PIXELS)
        monkeypatch.setattr(type(module), "forward", small)
        found = adapter.sensitivity(PIXELS, one_against_rest(TARGETS), adapter.spatial_sites())
        assert torch.allclose(found.logits, wanted, atol=1e-5)
        assert any("halved to 2" in note for note in adapter.notes)
        assert hooks(module) == 0


class TestAttentions:
    @pytest.mark.parametrize(
        ("kind", "tokens"), [("vit", 17), ("deit-distilled", 18), ("dinov2-registers", 21)]
    )
    def test_rows_sum_to_one_and_the_kernel_stays(self, kind, tokens):
        module = zoo.model(kind)
        adapter = opened(module, batch_size=2)
        before, logits = module.config._attn_implementation, adapter.logits(PIXELS)
        found = adapter.attentions(PIXELS)
        assert [tuple(weights.shape) for weights in found] == [(5, 4, tokens, tokens)] * 3
        assert all(torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5) for weights in found)
        assert module.config._attn_implementation == before
        assert torch.equal(adapter.logits(PIXELS), logits)

    @pytest.mark.parametrize("kind", ["resnet", "swin", "poolformer", "cnn", "windows"])
    def test_it_is_refused_where_there_is_none(self, kind):
        with pytest.raises(RequestError, match="no attention"):
            opened(zoo.model(kind)).attentions(PIXELS)


class TestHead:
    @pytest.mark.parametrize(
        "kind", [kind for kind in KINDS if kind not in {"deit-distilled", "state-space"}]
    )
    def test_features_and_head_give_the_logits(self, kind):
        adapter = opened(zoo.model(kind), batch_size=2)
        weight, bias = adapter.head()
        features = adapter.features(PIXELS)
        assert features.shape == (5, adapter.subject.width)
        assert torch.allclose(features @ weight.T + bias, adapter.logits(PIXELS), atol=1e-4)

    @pytest.mark.parametrize("kind", ["cnn", "vit", "graph"])
    def test_another_head_changes_the_copy_alone(self, kind):
        adapter = opened(zoo.model(kind))
        logits, (weight, bias) = adapter.logits(PIXELS), adapter.head()
        other = adapter.with_head(2 * weight, bias + 1)
        assert torch.allclose(other.logits(PIXELS), 2 * (logits - bias) + bias + 1, atol=1e-4)
        assert torch.equal(adapter.logits(PIXELS), logits)
        assert torch.equal(other.head()[0], 2 * weight)
        assert other.sites() == adapter.sites()
        assert other.classes == adapter.classes
        assert other.subject.fingerprint != adapter.subject.fingerprint

    def test_one_logit_gets_two(self):
        adapter = models.load(Gives(lambda z: z, 1), size=zoo.SIZE, **HALF)
        weight, bias = torch.randn(2, 6), torch.randn(2)
        other = adapter.with_head(weight, bias)
        assert torch.allclose(other.logits(PIXELS), adapter.features(PIXELS) @ weight.T + bias, atol=1e-5)

    @pytest.mark.parametrize("kind", ["deit-distilled", "state-space"])
    def test_the_mean_of_two_heads_is_no_head(self, kind):
        adapter = opened(zoo.model(kind))
        for ask in (adapter.head, lambda: adapter.features(PIXELS)):
            with pytest.raises(RequestError, match="does not end in a linear layer"):
                ask()

    def test_a_convolution_as_head_is_refused(self):
        module = nn.Sequential(
            nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        with pytest.raises(RequestError, match=r"'1' \(Conv2d\)"):
            opened(module).head()

    def test_a_head_that_does_not_fit(self):
        with pytest.raises(RequestError, match="takes 10 features"):
            opened(zoo.model("cnn")).with_head(torch.zeros(4, 9), torch.zeros(4))


def test_half_precision_is_told_and_adds_up_in_float32():
    adapter = opened(zoo.model("vit").bfloat16())
    found = adapter.sensitivity(PIXELS, one_against_rest(TARGETS), adapter.spatial_sites()[:2])
    assert {part.dtype for part in (*found.gradients.values(), found.logits)} == {torch.float32}
    assert any("bfloat16" in note for note in adapter.notes)
