"""Edits while images are drawn: told step, seeds and guidance; by themselves they change nothing."""

from __future__ import annotations

import pytest
import torch
from models import tiny_pipelines as tiny

from biaskit import models
from biaskit.errors import RunError, UnknownNameError
from biaskit.hooks.moments import Both, Clock
from biaskit.protocols import DenoisingModel, Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.site import Site

PROMPTS, SEEDS = ["the nurse", "the cow", "the doctor"], [4, 5, 6]
PLACES = {
    "sd": (tiny.stable_diffusion, "bottleneck"),
    "sd, attention": (tiny.stable_diffusion, "cross_attn.0"),
    "sdxl": (tiny.stable_diffusion_xl, "bottleneck"),
    "sd3": (tiny.stable_diffusion_3, "resid_pre.0"),
}


@pytest.fixture(scope="module", params=PLACES)
def case(request):
    make, site = PLACES[request.param]
    return models.load(make(), subject=Subject(model="tiny", batch_size=2)), Site.parse(site)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_an_edit_is_told_when_and_for_whom(case, guidance):
    model, site = case
    told = []

    def look(activation, moment):
        told.append((moment, len(activation)))
        assert len(moment.prompted(activation)) == len(moment.seeds)
        return activation

    sampling = Sampling(steps=2, guidance=guidance)
    plain = model.draw(PROMPTS, SEEDS, sampling)
    looked = model.draw(PROMPTS, SEEDS, sampling, {site: look})
    assert (looked.latents == plain.latents).all()
    copies = 2 if guidance > 1 else 1
    assert isinstance(model, DenoisingModel)
    assert [(one.step, one.seeds, one.copies) for one, _ in told] == [
        (step, seeds, copies) for seeds in ((4, 5), (6,)) for step in (0, 1)
    ]
    assert [rows for _, rows in told] == [2 * copies, 2 * copies, copies, copies]
    assert told[0][0].timestep > told[1][0].timestep


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_an_edit_of_one_image_leaves_the_others(case, guidance):
    model, site = case
    sampling = Sampling(steps=2, guidance=guidance)

    def push(activation, moment):
        chosen = torch.tensor([float(seed == 5) for seed in moment.seeds])
        shape = (-1, *([1] * (activation.ndim - 1)))
        return activation + 3 * moment.repeated(chosen).reshape(shape)

    plain = model.draw(PROMPTS, SEEDS, sampling).latents
    pushed = model.draw(PROMPTS, SEEDS, sampling, {site: push}).latents
    assert torch.equal(pushed[0], plain[0])
    assert torch.equal(pushed[2], plain[2])
    assert not torch.equal(pushed[1], plain[1])
    assert torch.equal(model.draw(PROMPTS, SEEDS, sampling).latents, plain), "nothing is left behind"


def test_edits_of_one_site_come_in_order(case):
    model, site = case
    sampling, seen = Sampling(steps=1), []

    def double(activation, moment):
        return 2 * activation

    def look(activation, moment):
        seen.append(activation.clone())
        return activation

    model.draw(PROMPTS[:1], SEEDS[:1], sampling, {site: look})
    model.draw(PROMPTS[:1], SEEDS[:1], sampling, {site: Both((double, look))})
    torch.testing.assert_close(seen[1], 2 * seen[0])


def test_a_site_that_is_not_there_is_named(case):
    with pytest.raises(UnknownNameError, match="site"):
        case[0].draw(PROMPTS, SEEDS, Sampling(steps=1), {Site.parse("resid_post.3"): lambda a, m: a})


def test_rows_that_belong_to_no_image_are_refused():
    with pytest.raises(RunError, match="3 rows"):
        Clock((1, 2), lambda: [1.0]).now(3)
