"""An oracle beats chance on a model whose logit is the mean of a patch; maps that know nothing do not."""

import numpy as np
import pytest
import torch

from biaskit.errors import RequestError
from biaskit.saliency.faithfulness import Trial, TrialSettings
from biaskit.saliency.fills import Fill
from biaskit.saliency.maps import Maps
from biaskit.saliency.per_image import PerImage, agreement, rank_agreement
from biaskit.stats.proportions import binomial_band
from tests.saliency.conftest import patch_classifier

GRID = TrialSettings((4, 4))


def maps(signed):
    n = len(signed)
    return Maps(signed, torch.zeros(n), "grad-cam", None, torch.zeros(n, dtype=torch.bool))


@pytest.fixture
def trial(region, patches):
    return Trial(patch_classifier(region), patches, torch.zeros(48, dtype=torch.long), GRID)


def test_the_oracle_beats_random_order_and_its_opposite_loses(trial, region, rng):
    oracle = trial.faithfulness(maps(region.expand(48, -1, -1)))
    for part in (oracle.agreement, oracle.ranks, oracle.deletion, oracle.insertion):
        estimate = part.estimate(rng)
        assert estimate.interval.low > 0.05
        assert estimate.null.p <= 0.002
    opposite = trial.faithfulness(maps(1 - region.expand(48, -1, -1)))
    for part in (opposite.agreement, opposite.ranks, opposite.deletion, opposite.insertion):
        assert part.estimate(rng).interval.high < -0.05


def test_the_oracle_s_curve_by_hand(trial, region, patches):
    """All the evidence lies in one cell of 16, so it is gone, or back, after the first step of two cells."""
    curves = trial.curves(maps(region.expand(48, -1, -1)), Fill.MEAN)
    model = patch_classifier(region)
    whole = model.logits(patches).softmax(1)[:, 0]
    blank = model.logits(patches.mean((0, 2, 3), keepdim=True).expand_as(patches)).softmax(1)[:, 0]
    torch.testing.assert_close(curves[0, :, 0], whole)
    torch.testing.assert_close(curves[0, :, 1:], blank[:, None].expand(-1, 8))
    torch.testing.assert_close(curves[1, :, 1:], whole[:, None].expand(-1, 8))


def test_maps_that_know_nothing_are_rejected_at_the_stated_rate(region, patches):
    rng, draw = np.random.default_rng(2), torch.Generator().manual_seed(2)
    runs, hits = 60, np.zeros(4)
    for run in range(runs):
        settings = TrialSettings((4, 4), (Fill.MEAN,), seed=run)
        trial = Trial(patch_classifier(region), patches[:16], torch.zeros(16, dtype=torch.long), settings)
        found = trial.faithfulness(maps(torch.rand(16, 4, 4, generator=draw)))
        parts = (found.agreement, found.ranks, found.deletion, found.insertion)
        hits += [part.estimate(rng).null.p < 0.05 for part in parts]
    for rate in hits / runs:
        assert rate in binomial_band(0.05, runs, 0.999)


def test_dead_maps_gain_nothing(trial, rng):
    found = trial.faithfulness(maps(torch.full((48, 4, 4), 3.0)))
    assert not found.agreement.values.any()
    assert not found.deletion.values.any()
    assert not found.insertion.values.any()
    assert found.agreement.estimate(rng).null.p == 1


def test_finer_and_coarser_maps_are_tested_on_one_grid(trial, region):
    fine = region.expand(48, -1, -1)
    coarse = torch.nn.functional.avg_pool2d(region[None], 4).expand(48, -1, -1)
    np.testing.assert_allclose(
        trial.faithfulness(maps(fine)).deletion.values, trial.faithfulness(maps(coarse)).deletion.values
    )


def test_an_image_without_any_evidence_is_left_out(region, patches, rng):
    trial = Trial(patch_classifier(region, gain=0), patches, torch.zeros(48, dtype=torch.long), GRID)
    estimate = trial.agreement(maps(region.expand(48, -1, -1))).estimate(rng)
    assert estimate.value is None
    assert "0 measured images" in estimate.reason


def test_refuses_what_does_not_fit(region, patches):
    model, targets = patch_classifier(region), torch.zeros(48, dtype=torch.long)
    with pytest.raises(RequestError, match="finer than the image"):
        Trial(model, patches, targets, TrialSettings((32, 32)))
    with pytest.raises(RequestError, match="one target an image"):
        Trial(model, patches, targets[:1])


def test_rank_agreement_by_hand():
    one = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [5, 5, 5, 5], [1, 2, 3, 4]])
    other = np.array([[10.0, 20, 30, 400], [4, 3, 2, 1], [1, 2, 3, 4], [7, 7, 7, 7]])
    found = rank_agreement(one, other)
    assert found[:3].tolist() == pytest.approx([1, -1, 0])
    assert np.isnan(found[3])


def test_agreement_by_hand():
    one, other = (
        np.array([[0.0, 0, 0, 4], [1, 1, 1, 1], [1, 2, 3, 4]]),
        np.array([[0.01, 0, 0.01, 9.0]] * 2 + [[7.0] * 4]),
    )
    found = agreement(one, other)
    assert found[0] > 0.99
    assert rank_agreement(one, other)[0] < 0.9
    assert found[1] == 0
    assert np.isnan(found[2])


def test_estimates_count_clusters_not_images(rng):
    values = np.repeat(rng.normal(0.5, 1, 12), 10)
    measured = PerImage(values, "1", "x")
    alone, together = measured.estimate(rng), measured.estimate(rng, np.repeat(np.arange(12), 10))
    assert (alone.n, together.n) == (120, 12)
    width = [e.interval.high - e.interval.low for e in (alone, together)]
    assert width[1] > 2.5 * width[0]
    assert together.null.p > alone.null.p


def test_one_image_says_nothing_of_others(rng):
    estimate = PerImage(np.array([0.4, np.nan]), "1", "x").estimate(rng)
    assert estimate.value is None
    assert "1 measured image says" in estimate.reason
