"""A learnt correction: the model itself at first and at strength 0; on portraits, fair to the rare group."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from models import tiny_pipelines as tiny

from biaskit import models
from biaskit.errors import RequestError
from biaskit.hooks.edit import edit
from biaskit.protocols import Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.site import Site
from biaskit.stats.proportions import wilson
from biaskit.steering.guidance import Guiding, Shown, _Batches, learn_guidance
from biaskit.steering.trajectories import Asked, Place, Stage

SITE, FEW = Site.parse("bottleneck"), Guiding(rank=4, steps=30, batch=16, rate=1e-2)
PROMPTS = ["the nurse", "a photo of the nurse"] * 12


@pytest.fixture(scope="module")
def model():
    return models.load(tiny.stable_diffusion(), subject=Subject(model="tiny", batch_size=16))


def shown(rare=8, groups=(0.5, 0.5)):
    rng = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * rare + [1] * (24 - rare))
    latents = torch.randn((24, 4, 8, 8), generator=rng) * 0.1 + labels[:, None, None, None].float() * 2 - 1
    return Shown(latents, PROMPTS, labels, groups)


def learnt(model, seed=0, settings=FEW, **further):
    return learn_guidance(model, SITE, shown(**further), settings, torch.Generator().manual_seed(seed))


def loss(model, change=None):
    """Mean loss of 16 batches that took no part, under a correction."""
    batches = _Batches(model, shown(), FEW, torch.Generator().manual_seed(99))
    held = nullcontext() if change is None else edit(model.module, {model.locate(SITE): change.corrected})
    with torch.no_grad(), held:
        return float(torch.stack([batches.loss() for _ in range(16)]).mean())


def test_it_starts_at_the_model_and_strength_nought_changes_no_bit(model):
    none = learnt(model, settings=replace(FEW, steps=1, rate=0.0))
    some = learnt(model)
    plain = model.draw(["the nurse"], [3], Sampling(2)).latents
    for one in (none, some.stronger(0.0)):
        assert torch.equal(model.draw(["the nurse"], [3], Sampling(2), {SITE: one}).latents, plain)
    moved = model.draw(["the nurse"], [3], Sampling(2), {SITE: some}).latents
    assert not torch.allclose(moved, plain, atol=1e-3)


def test_training_lowers_the_loss_and_leaves_the_model_alone(model):
    before = {name: one.clone() for name, one in model.module.state_dict().items()}
    found = learnt(model)
    assert loss(model, found) < loss(model) - 0.005, "the same batches, which it has not seen"
    assert all(torch.equal(one, before[name]) for name, one in model.module.state_dict().items())
    assert all(one.grad is None for one in model.module.parameters())
    assert not found.up.requires_grad


def test_the_same_generator_gives_the_same_correction(model):
    brief = replace(FEW, steps=2)
    found = learnt(model, settings=brief)
    assert torch.equal(found.up, learnt(model, settings=brief).up)
    assert not torch.equal(found.up, learnt(model, seed=1, settings=brief).up)


def test_groups_meet_the_same_levels_and_noises(model):
    """The oracle: a denoiser that says nothing has the loss E eps^2 in every group, to the bit the same."""
    batches = _Batches(model, shown(), FEW, torch.Generator().manual_seed(0))
    seen = []

    class Silent:
        log_snrs = model.log_snrs

        def forward(self, noisy, levels, told):
            seen.append((noisy, levels))
            return torch.zeros_like(noisy)

    batches.model = Silent()
    total = float(batches.loss())
    noisy, levels = seen[0]
    half = len(levels) // 2
    assert torch.equal(levels[:half], levels[half:])
    assert sorted(set((levels[:half] * half // len(model.log_snrs)).tolist())) == list(range(half))
    signal = model.log_snrs[levels].sigmoid().sqrt()[:, None, None, None]
    apart = (noisy[half:] - noisy[:half]) / signal[:half]
    assert apart.mean().item() == pytest.approx(2.0, abs=0.05), "only what is shown differs"
    assert total == pytest.approx(1.0, abs=0.1), "the variance over groups is 0"


def test_too_few_images_of_a_group_are_refused(model):
    with pytest.raises(RequestError, match="8 images of each group, and one has 3"):
        learnt(model, rare=3)


@pytest.mark.slow
def test_a_rare_group_is_drawn_more_often_and_an_even_one_is_left():
    """Planted: doctors are women in 5 % of the images and old in half of them."""
    portraits = models.load("organism:portraits")
    gender, age = (
        models.load_classifier("organism:portraits", name, dict.fromkeys(classes, ()))
        for name, classes in (("gender", ("female", "male")), ("age", ("old", "young")))
    )
    stage = Stage(portraits, Place(SITE, "map", Sampling(10)), gender)
    prompts = ["a photo of the doctor", "a portrait of the doctor"]
    asked, fresh = Asked.of(prompts, 256, 0), Asked.of(prompts, 128, 50_000)
    drawn = stage.drawn(asked)

    def told(reads, change=None):
        return np.asarray(reads.probabilities(stage.draw(fresh, change)).argmax(dim=1) == 0)

    def guided(reads):
        labels = reads.probabilities(drawn.pixels).argmax(dim=1)
        taught = Shown(drawn.latents, asked.prompts, labels, (0.5, 0.5))
        return learn_guidance(portraits, SITE, taught, Guiding(steps=120), torch.Generator().manual_seed(0))

    of_gender, of_age = guided(gender), guided(age)
    before = told(gender)
    assert before.mean() < 0.15
    assert 0.3 < told(gender, of_gender).mean() < 0.7
    assert abs(told(age, of_gender).mean() - told(age).mean()) < 0.1
    assert abs(told(age, of_age).mean() - told(age).mean()) < 0.1
    assert told(gender, of_age).mean() in wilson(int(before.sum()), len(before), level=0.999)
