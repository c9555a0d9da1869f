"""A remedy picks the edit by the noun in the prompt, is saved whole, and is refused by another model."""

from __future__ import annotations

import pytest
import torch
from models import tiny_pipelines as tiny

from biaskit import mitigations, models
from biaskit.concepts.site_edit import EditRecord, direction_edit
from biaskit.errors import RequestError, UnknownNameError
from biaskit.mitigations.protocol import Remedy
from biaskit.mitigations.steer_generator import SteerGenerator
from biaskit.mitigations.steered import SteeredTarget, SteerRecord, SteerRemedy
from biaskit.protocols import DenoisingModel, Sampling
from biaskit.records.audit_spec import Subject
from biaskit.records.site import Site

SITE, SAMPLING = Site.parse("bottleneck"), Sampling(steps=2)


@pytest.fixture(scope="module")
def model():
    return models.load(tiny.stable_diffusion(), subject=Subject(model="tiny", batch_size=4))


def target(name, *nouns, file=None):
    return SteeredTarget(
        name=name, nouns=nouns, file=file, group="female", wanted=0.5, found=0.1, about="For a test."
    )


@pytest.fixture(scope="module")
def remedy(model):
    fingerprint = model.subject.fingerprint
    record = EditRecord(kind="add", model=fingerprint, site=SITE, layout="map")
    edit = direction_edit(record, [500.0], torch.full((1, 16 * 4 * 4), 2.0))
    targets = (target("nurse", "nurse", file="nurse.safetensors"), target("cow", "cow"))
    return SteerRemedy(SteerRecord(model=fingerprint, groups="gender", targets=targets), {"nurse": edit})


def test_prompts_of_the_target_are_steered_and_no_others(model, remedy):
    prompts, seeds = ["the nurse", "the cow", "a NURSE in front", "the house"], [1, 2, 3, 4]
    steered = remedy.apply(model)
    assert isinstance(steered, DenoisingModel)
    assert isinstance(remedy, Remedy)
    plain = model.draw(prompts, seeds, SAMPLING).latents
    found = steered.draw(prompts, seeds, SAMPLING).latents
    moved = [not torch.allclose(one, other, atol=1e-4) for one, other in zip(plain, found, strict=True)]
    assert moved == [True, False, True, False]
    assert remedy.edit_for("the nursery") is None


def test_a_saved_remedy_does_the_same_and_fits_its_model_alone(model, remedy, tmp_path):
    remedy.save(tmp_path / "remedy")
    read = SteerGenerator().load(tmp_path / "remedy")
    assert read.record == remedy.record
    prompts, seeds = ["the nurse"], [1]
    drawn = [one.apply(model).draw(prompts, seeds, SAMPLING).latents for one in (remedy, read)]
    assert torch.equal(*drawn)
    other = models.load(tiny.stable_diffusion("v_prediction"))
    with pytest.raises(RequestError, match="another model"):
        read.apply(other)


def test_what_is_no_remedy_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no remedy"):
        SteerRemedy.load(tmp_path)
    (tmp_path / "remedy.json").write_text("{}")
    with pytest.raises(RequestError, match="damaged"):
        SteerRemedy.load(tmp_path)


def test_misspelt_names_and_settings_are_answered():
    with pytest.raises(UnknownNameError, match="steer-generator"):
        mitigations.build("steer-generater", {})
    with pytest.raises(UnknownNameError, match="budget"):
        mitigations.build("steer-generator", {"budgett": 1})
    with pytest.raises(RequestError, match="'fine' of steer-generator"):
        mitigations.build("steer-generator", {"fine": "many"})
    with pytest.raises(RequestError, match="share must lie"):
        SteerGenerator(share=1.5)
