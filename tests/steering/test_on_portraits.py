"""Learning and ranking on organism:portraits: memory, seeds, and edits that turn what was planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from biaskit import models
from biaskit.errors import RequestError
from biaskit.organisms.portraits_people import OCCUPATIONS, TEMPLATES
from biaskit.protocols import Sampling
from biaskit.records.site import Site
from biaskit.stats.proportions import binomial_band
from biaskit.steering.learning import Learning, _Buffer, learn
from biaskit.steering.making import balanced, feature_edit, latent_direction, of_size, random_edits
from biaskit.steering.ranking import Codes, Top, rank, shuffled_scores, split_half
from biaskit.steering.trajectories import Asked, Look, Place, Stage, follow

PLACE = Place(Site.parse("bottleneck"), sampling=Sampling(steps=10))
PROMPTS = [template.replace("{x}", job) for template in TEMPLATES for job in OCCUPATIONS]
QUICK = Learning(images=64, latents=128, active=16, passes=30.0, batch=128)


@pytest.fixture(scope="module")
def stage():
    model = models.load("organism:portraits")
    return Stage(model, PLACE, models.load_classifier("organism:portraits", "gender", ["female", "male"]))


@pytest.fixture(scope="module")
def autoencoder(stage):
    return learn(stage.model, PLACE, PROMPTS, QUICK)


@pytest.fixture(scope="module")
def codes(stage, autoencoder):
    seen = follow(stage, Asked.of(PROMPTS, 100, 10_000), every=2)
    return Codes.of(autoencoder, seen, stage.classifier.classes)


def test_an_autoencoder_says_what_it_explains_and_where_it_belongs(stage, autoencoder):
    record = autoencoder.record
    assert len(record.explained) == 10
    assert min(record.explained.values()) > 0.7
    assert record.model == stage.model.subject.fingerprint
    assert record.shape == (40, 4, 4)
    assert record.timesteps[0] < 200 < 900 < record.timesteps[1]
    assert record.images == 64


def test_the_buffer_holds_no_more_the_longer_it_runs():
    buffer = _Buffer(50, torch.Generator().manual_seed(0))
    for start in range(20):
        buffer.take(torch.full((30, 2), float(start)))
        assert len(buffer.rows) <= 50
    assert float(buffer.batch(200).max()) == 19, "new rows are taken in"


def test_looking_changes_no_image_and_keeps_prompted_rows_alone(stage):
    asked = Asked.of(PROMPTS, 3, 0)
    for guidance in (1.0, 3.0):
        look, sampling = Look("map"), Sampling(steps=4, guidance=guidance)
        plain = stage.model.draw(asked.prompts, asked.seeds, sampling)
        looked = stage.model.draw(asked.prompts, asked.seeds, sampling, {PLACE.site: look})
        assert torch.equal(plain.latents, looked.latents)
        assert {len(rows) for rows in look.kept.values()} == {3}


def test_the_groups_are_read_and_carried_by_the_same_latents_in_both_halves(codes, autoencoder):
    ranking = rank(codes, autoencoder)
    assert np.mean([one.auc for one in ranking.probes]) > 0.85
    overlap = split_half(codes, autoencoder, Top(0, 10), np.random.default_rng(1), 19)
    assert overlap.shared >= 0.5 > overlap.by_chance
    first, second = (set(one) for one in overlap.tops)
    assert overlap.shared == len(first & second) / min(len(first), len(second))
    assert overlap.p == pytest.approx(0.05)
    shuffled = shuffled_scores(codes, autoencoder, np.random.default_rng(0), 5)[:, 0]
    assert float(ranking.scores[0].max()) > 2 * shuffled.max()


def test_halves_under_labels_that_mean_nothing_share_latents_and_are_not_called_stable(codes, autoencoder):
    """Latents that fire often come out on top anyway: two random sets share less than a tenth."""
    rng, step = np.random.default_rng(2), next(iter(codes.rows))
    one = replace(codes, rows={step: codes.rows[step]}, latents={step: codes.latents[step]})
    found = []
    for _ in range(20):
        labels = torch.from_numpy(rng.permutation(codes.labels.numpy()))
        found.append(split_half(one.relabelled(labels), autoencoder, Top(0, 10), rng, 9))
    assert np.mean([overlap.shared for overlap in found]) > 2 * 10 / autoencoder.sae.d_sae
    assert sum(overlap.p <= 0.1 for overlap in found) <= binomial_band(0.1, 20, 0.999).high * 20


def test_edits_turn_the_group_and_random_ones_do_not(stage, codes, autoencoder):
    asked = Asked.of([template.replace("{x}", "doctor") for template in TEMPLATES], 24, 50_000)

    def women(edit):
        said = stage.classifier.probabilities(stage.draw(asked, edit)).argmax(dim=1)
        return float((said == 0).double().mean())

    edit = feature_edit(autoencoder, codes, 0, rank(codes, autoencoder).top(0, 20))
    turned, before = women(edit.stronger(2)), women(None)
    assert turned - before > 0.5
    assert women(edit.stronger(0)) == before
    (other,) = random_edits(autoencoder, edit, np.random.default_rng(0), 1)
    assert other.size == pytest.approx(edit.size, rel=1e-4)
    assert abs(women(of_size(other, 2 * edit.size)) - before) < 0.25 * (turned - before)
    assert women(latent_direction(autoencoder, codes, 0)) > before
    dealt = balanced(autoencoder, codes, rank(codes, autoencoder).top(0, 20), (0.5, 0.5)).stronger(3)
    assert abs(women(dealt) - 0.5) < 0.25


def test_what_cannot_be_learnt_or_edited_is_refused(stage, codes, autoencoder):
    with pytest.raises(RequestError, match="8 images"):
        learn(stage.model, PLACE, PROMPTS, Learning(images=8))
    with pytest.raises(RequestError, match="no latent"):
        feature_edit(autoencoder, codes, 0, [])
    with pytest.raises(RequestError, match="'male' was never seen"):
        rank(codes.relabelled(torch.zeros_like(codes.labels)), autoencoder)
