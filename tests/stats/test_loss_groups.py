"""Groups found by losses: recovered where there are some, silent on white losses, honest about optimism."""

import numpy as np
import pytest

from biaskit.stats.loss_groups import association, loss_groups
from biaskit.stats.proportions import binomial_band


def test_two_planted_groups_are_recovered_and_their_gap_is_read_on_held_out_noise():
    rng = np.random.default_rng(0)
    hidden = np.repeat([0, 1], [40, 20])
    shared = rng.normal(size=4) * 50  # levels and noise that all images met
    found = loss_groups(10 * hidden[:, None] + shared + rng.normal(size=(60, 4)), 2, rng)
    assert (found.members == hidden).all()
    assert 10 in found.interval
    assert found.null.p < 0.01
    assert association(found.members, hidden, rng)[0] == pytest.approx(1.0)


def test_white_losses_keep_the_level_though_the_found_gap_is_large():
    rng = np.random.default_rng(1)
    runs = [loss_groups(rng.normal(size=(40, 4)), 2, rng) for _ in range(80)]
    assert np.mean([one.null.p <= 0.05 for one in runs]) <= binomial_band(0.05, 80, 0.999).high
    gaps = np.array([one.gap for one in runs])
    assert abs(gaps.mean()) < 4 * gaps.std(ddof=1) / 80**0.5
    assert np.mean([one.found_gap for one in runs]) > 1
    held = [0 in one.interval for one in runs]
    assert np.mean(held) >= binomial_band(0.95, 80, 0.999).low


def test_cuts_are_the_best_of_all():
    rng = np.random.default_rng(2)
    losses = rng.normal(size=(14, 2))
    found = loss_groups(losses, 2, rng)
    ordered = np.sort(found.found)
    costs = {cut: ordered[:cut].var() * cut + ordered[cut:].var() * (14 - cut) for cut in range(2, 13)}
    assert (found.members == 0).sum() == min(costs, key=costs.__getitem__)
    three = loss_groups(np.repeat([0.0, 5, 9], 5)[:, None] + 0.1 * rng.normal(size=(15, 4)), 3, rng)
    assert three.members.tolist() == np.repeat([0, 1, 2], 5).tolist()


@pytest.mark.parametrize(("shape", "groups"), [((3, 4), 2), ((20, 1), 2), ((20, 4), 1)])
def test_too_little_is_refused(shape, groups):
    with pytest.raises(ValueError, match="cannot be cut"):
        loss_groups(np.zeros(shape), groups, np.random.default_rng(0))


def test_unrelated_labels_keep_the_level():
    rng = np.random.default_rng(3)
    members = np.repeat([0, 1], 20)
    p = [association(members, rng.integers(0, 2, size=40), rng)[1].p for _ in range(50)]
    assert np.mean(np.array(p) <= 0.05) <= binomial_band(0.05, 80, 0.999).high
    assert association(members, np.zeros(40, dtype=np.int64), rng) == (
        0.0,
        association(members, np.zeros(40, dtype=np.int64), rng)[1],
    )
