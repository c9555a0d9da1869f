"""A mended head on the shipped classifier: found, saved, loaded, applied, and better where it was worst."""

import pytest
import torch

from biaskit import models, organisms
from biaskit.errors import RequestError
from biaskit.images.image_set import Part
from biaskit.images.selecting import limited
from biaskit.mitigations.retrain_head import HeadRemedy, RetrainHead
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import accuracy_of
from biaskit.retraining.last_layer import LastLayer


@pytest.fixture(scope="module")
def model():
    return models.load("organism:shapes")


@pytest.fixture(scope="module")
def parts(model):
    images = limited(organisms.images("shapes"), 150)
    groups = sorted(set(zip(images.labels, images.attributes["patch"], strict=True)))

    def examples(part):
        rows = [row for row, one in enumerate(images.parts) if one is part]
        pixels = model.prepare([images.pictures.read(row) for row in rows])
        labels = torch.tensor([model.classes.index(images.labels[row]) for row in rows])
        pairs = [(images.labels[row], images.attributes["patch"][row]) for row in rows]
        return Examples(pixels, labels, torch.tensor([groups.index(pair) for pair in pairs]))

    return examples(Part.VALIDATION), examples(Part.TEST)


def test_the_worst_group_is_mended_and_the_head_survives_its_folder(model, parts, tmp_path):
    found, held = parts
    before = accuracy_of(model.logits(held.inputs), held)
    remedy = RetrainHead(LastLayer()).fit(model, found, torch.Generator().manual_seed(0))
    remedy.save(tmp_path / "mended")
    mended = HeadRemedy.load(tmp_path / "mended").apply(model)
    after = accuracy_of(mended.logits(held.inputs), held)
    assert before.worst <= 0.1
    assert after.worst >= before.worst + 0.4
    assert torch.equal(mended.logits(held.inputs), remedy.apply(model).logits(held.inputs))
    assert accuracy_of(model.logits(held.inputs), held) == before


def test_a_remedy_is_refused_by_another_model(model, parts, tmp_path):
    remedy = RetrainHead(LastLayer()).fit(model, parts[0], torch.Generator().manual_seed(0))
    remedy.save(tmp_path / "mended")
    with pytest.raises(RequestError):
        HeadRemedy.load(tmp_path / "mended").apply(model.reinitialised(1))
