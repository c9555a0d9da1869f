from __future__ import annotations

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch

from biaskit.errors import RequestError
from biaskit.mitigations.retrain_head import RECORD, WEIGHTS, HeadRemedy, RetrainHead
from biaskit.retraining.erm import ERM
from biaskit.retraining.examples import Examples
from biaskit.retraining.group_accuracy import accuracy_of
from biaskit.retraining.group_balanced import GroupBalanced
from biaskit.retraining.group_dro import GroupDRO
from biaskit.retraining.last_layer import LastLayer
from biaskit.retraining.training import Schedule
from tests.retraining.conftest import vectors

GROUPS = ("0 red", "0 blue", "1 red", "1 blue")
BRISK = Schedule(steps=100, learning_rate=0.02)


@dataclass(frozen=True)
class TenPixels:
    """A model whose features are ten pixels on a row of an image."""

    weight: torch.Tensor
    bias: torch.Tensor
    classes: tuple[str, ...] = ("even", "odd")
    fingerprint: str = "a" * 64

    @property
    def subject(self):
        return SimpleNamespace(fingerprint=self.fingerprint)

    def features(self, pixels):
        return pixels.flatten(1)

    def head(self):
        return self.weight, self.bias

    def with_head(self, weight, bias):
        return replace(self, weight=weight, bias=bias)

    def logits(self, pixels):
        return self.features(pixels) @ self.weight.T + self.bias


@pytest.fixture
def model():
    """It looks at the loud feature alone."""
    weight = torch.zeros(2, 10)
    weight[1, 0] = 1.0
    return TenPixels(weight, torch.zeros(2))


@pytest.fixture
def pixels():
    found = vectors(0.95, 1000, 1)
    return Examples(found.inputs.reshape(-1, 1, 2, 5), found.labels, found.groups)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def remedy(model, pixels, generator):
    return RetrainHead().fit(model, pixels, generator, GROUPS)


@pytest.mark.parametrize(
    "rule", [LastLayer(), GroupBalanced(BRISK), GroupDRO(BRISK)], ids=lambda rule: rule.name
)
def test_the_mended_model_does_not_look_at_the_shortcut(rule, model, pixels, generator):
    test = vectors(0.5, 1000, 2)
    rows = test.inputs.reshape(-1, 1, 2, 5)
    before = accuracy_of(model.logits(rows), test)
    after = accuracy_of(RetrainHead(rule).fit(model, pixels, generator).apply(model).logits(rows), test)
    assert before.worst == pytest.approx(0.0, abs=0.02)
    assert after.worst >= 0.85
    assert after.average > before.average


def test_features_and_pixels_give_the_same_head(model, pixels):
    features = Examples(model.features(pixels.inputs), pixels.labels, pixels.groups)
    found = [
        RetrainHead(ERM(BRISK)).fit(model, given, torch.Generator().manual_seed(4))
        for given in (pixels, features)
    ]
    assert torch.equal(found[0].weight, found[1].weight)
    assert found[0].record == found[1].record


def test_the_model_given_is_left_as_it_is(model, remedy):
    mended = remedy.apply(model)
    assert mended is not model
    assert model.weight[1, 0] == 1.0
    assert torch.equal(mended.weight, remedy.weight)


def test_the_record_says_where_it_comes_from(remedy, pixels):
    assert remedy.record.rule == "last-layer"
    assert remedy.record.settings == {"strengths": [1e-4, 1e-3, 1e-2, 1e-1, 1.0]}
    assert remedy.record.groups == dict(zip(GROUPS, pixels.group_sizes().tolist(), strict=True))
    assert remedy.record.model == "a" * 64


def test_saved_and_loaded_it_is_the_same(remedy, model, tmp_path):
    remedy.save(tmp_path / "head")
    found = HeadRemedy.load(tmp_path / "head")
    assert torch.equal(found.weight, remedy.weight)
    assert torch.equal(found.bias, remedy.bias)
    assert found.record == remedy.record
    assert torch.equal(found.apply(model).weight, remedy.weight)
    assert sorted(path.name for path in (tmp_path / "head").iterdir()) == [RECORD, WEIGHTS]


def test_settings_of_a_schedule_are_saved(model, pixels, generator, tmp_path):
    RetrainHead(GroupDRO(BRISK, eta=0.5)).fit(model, pixels, generator).save(tmp_path)
    settings = HeadRemedy.load(tmp_path).record.settings
    assert (settings["eta"], settings["schedule"]["steps"]) == (0.5, 100)


def test_it_is_put_on_no_other_model(remedy, model):
    with pytest.raises(RequestError, match="tells cat, dog"):
        remedy.apply(replace(model, classes=("cat", "dog")))
    with pytest.raises(RequestError, match="reads 10 features; the model gives 4"):
        remedy.apply(replace(model, weight=torch.zeros(2, 4)))
    with pytest.raises(RequestError, match="another model"):
        remedy.apply(replace(model, fingerprint="b" * 64))


def test_damaged_files_are_refused(remedy, tmp_path):
    with pytest.raises(RequestError, match="no saved head"):
        HeadRemedy.load(tmp_path)
    remedy.save(tmp_path)
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[:20])
    with pytest.raises(RequestError, match="damaged"):
        HeadRemedy.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RequestError, match="not the file"):
        HeadRemedy.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(whole)
    record = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps(record | {"format": 2}))
    with pytest.raises(RequestError, match="damaged"):
        HeadRemedy.load(tmp_path)


def test_examples_that_do_not_fit_are_refused(model, pixels, generator):
    with pytest.raises(RequestError, match="Label 2 is no class"):
        RetrainHead().fit(model, Examples(pixels.inputs, pixels.labels + 1, pixels.groups), generator)
    with pytest.raises(RequestError, match="neither pixels nor"):
        RetrainHead().fit(model, Examples(torch.zeros(1000, 3), pixels.labels, pixels.groups), generator)
    with pytest.raises(RequestError, match="4 groups and 1 names"):
        RetrainHead().fit(model, pixels, generator, ("all",))
